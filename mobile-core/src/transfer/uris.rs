//! URIs, one a line. Lines of ente Auth carry more in a parameter of their own.

use alloc::string::String;
use alloc::vec::Vec;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use super::draft::some;
use super::migration::{self, Batches};
use super::{NO_ID, Place, Reading, Reason, TransferError};
use crate::json::Json;
use crate::vault::{Content, Entry, Key};
use crate::{KeyUriError, Origin};

/// The parameter of ente Auth.
pub(super) const DISPLAY: &str = "codeDisplay";

/// One URI a line, for apps that read such lists. Label, group, note and the like stay behind.
pub fn write_uris(content: &Content) -> Zeroizing<String> {
    let uris: Vec<Zeroizing<String>> = content.entries().iter().map(|entry| entry.key.to_uri()).collect();
    let mut text = Zeroizing::new(String::with_capacity(uris.iter().map(|uri| uri.len() + 1).sum()));
    for uri in &uris {
        text.push_str(uri);
        text.push('\n');
    }
    text
}

pub(super) fn is_uri(line: &str) -> bool {
    line.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("otpauth"))
}

pub(super) fn read(text: &str, reading: &mut Reading) -> Result<(), TransferError> {
    let mut batches = Batches::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if migration::is_migration(line) {
            migration::read(line, index + 1, &mut batches, reading)?;
        } else {
            reading.add(Place::Line(index + 1), &name(line), entry(line))?;
        }
    }
    batches.finish(reading)
}

/// The label, for a person to see which line it was.
fn name(line: &str) -> String {
    let path = line.split_once("://").map_or("", |(_, rest)| rest).split('?').next().unwrap_or_default();
    let label = path.split_once('/').map_or("", |(_, label)| label);
    percent_decode_str(label).decode_utf8_lossy().into_owned()
}

fn entry(line: &str) -> Result<Entry, Reason> {
    let (path, query) = line.split_once('?').unwrap_or((line, ""));
    let is_display = |parameter: &&str| parameter.split('=').next() == Some(DISPLAY);
    let Some(display) = query.split('&').find(is_display) else {
        return plain(line);
    };
    // Without it, a long note does not make the URI too long.
    let mut bare = Zeroizing::new(String::with_capacity(line.len()));
    bare.push_str(path);
    for (index, parameter) in query.split('&').filter(|parameter| !is_display(parameter)).enumerate() {
        bare.push(if index == 0 { '?' } else { '&' });
        bare.push_str(parameter);
    }
    let mut entry = plain(&bare)?;

    let value = display.get(DISPLAY.len() + 1..).unwrap_or_default();
    let value = Zeroizing::new(percent_decode_str(value).collect::<Vec<u8>>());
    let value = core::str::from_utf8(&value).ok().and_then(|text| Json::parse(text).ok());
    let value = value.ok_or(Reason::Member(DISPLAY))?;
    let is = |name| value.member(name).and_then(Json::as_bool) == Some(true);
    if is("trashed") {
        return Err(Reason::Trashed);
    }
    entry.favourite = is("pinned");
    entry.group = value
        .member("tags")
        .and_then(Json::as_list)
        .and_then(|tags| some(tags.first().and_then(Json::as_str)));
    entry.note = Zeroizing::new(value.member("note").and_then(Json::as_str).unwrap_or_default().into());
    Ok(entry)
}

/// A URI that says neither issuer nor account, with these in it.
pub(super) fn named(uri: &str, issuer: Option<&str>, account: &str) -> Zeroizing<String> {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let kind = path.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let names = issuer.map_or(0, str::len) + account.len();
    let mut named = Zeroizing::new(String::with_capacity(uri.len() + 3 * names + 64));
    named.push_str("otpauth://");
    named.push_str(kind);
    named.push('/');
    if let Some(issuer) = issuer {
        named.extend(utf8_percent_encode(issuer, NON_ALPHANUMERIC));
        named.push(':');
    }
    named.extend(utf8_percent_encode(account, NON_ALPHANUMERIC));
    named.push('?');
    named.push_str(query);
    named
}

/// [`Key::parse_with_origin`] for a URI alone: one that says neither issuer nor account gets this account, so that its owner has something to
/// name.
pub fn read_uri(uri: &str, stand_in: &str) -> Result<(Key, Option<Origin>), KeyUriError> {
    match Key::parse_with_origin(uri) {
        Err(KeyUriError::AccountMissing) => Key::parse_with_origin(&named(uri, None, stand_in)),
        read => read,
    }
}

/// The entry of a URI alone.
fn plain(uri: &str) -> Result<Entry, Reason> {
    let (key, origin) = Key::parse_with_origin(uri)?;
    let mut entry = Entry::new(NO_ID, key, 0);
    entry.origin = origin;
    Ok(entry)
}
