//! The URI of Google Authenticator's export: `otpauth-migration://offline?data=`, a base64 text of one message.
//!
//! The message: 1 account (repeated), 2 version, 3 number of QR codes, 4 which of them from 0, 5 their common id.
//! An account: 1 secret, 2 name, 3 issuer, 4 algorithm (1 SHA-1, 2 SHA-256, 3 SHA-512, 4 MD5), 5 digits (1 six, 2 eight),
//! 6 kind (1 HOTP, 2 TOTP), 7 counter. The period is thirty seconds and cannot be written.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use super::draft::Draft;
use super::protobuf::{Fields, Value, write_bytes, write_number};
use super::{Place, Reading, Reason, TransferError};
use crate::vault::{Content, Entry, EntryId, Generator};
use crate::{Algorithm, KeyUriError, Period, Secret, SecretError, base64};

const SCHEME: &str = "otpauth-migration:";
const DATA: &str = "otpauth-migration://offline?data=";
/// So many accounts a QR code, and so many bytes, can be scanned from one screen by another.
const ITEMS_PER_CODE: usize = 10;
const BYTES_PER_CODE: usize = 1000;
/// More QR codes than anybody scans.
const MAX_PARTS: u64 = 1000;

pub(super) fn is_migration(line: &str) -> bool {
    line.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

/// Which QR codes of which set have been seen.
#[derive(Default)]
pub(super) struct Batches(BTreeMap<(u64, u64), BTreeSet<u64>>);

impl Batches {
    /// Notes those that are missing.
    pub(super) fn finish(self, reading: &mut Reading) -> Result<(), TransferError> {
        for ((_, size), seen) in self.0 {
            for part in (0..size).filter(|part| !seen.contains(part)) {
                let place = Place::Part(usize::try_from(part).unwrap_or(usize::MAX).saturating_add(1));
                reading.add(place, "", Err(Reason::PartMissing))?;
            }
        }
        Ok(())
    }
}

pub(super) fn read(
    line: &str,
    number: usize,
    batches: &mut Batches,
    reading: &mut Reading,
) -> Result<(), TransferError> {
    let Some(message) = message_of(line) else {
        return reading.add(Place::Line(number), "", Err(Reason::Damaged));
    };

    let (mut size, mut part, mut id, mut item) = (0, 0, 0, 0);
    for field in Fields(&message) {
        match field {
            Ok((1, Value::Bytes(account))) => {
                item += 1;
                let (name, entry) = account_of(account);
                reading.add(Place::ItemOfLine(number, item), &name, entry)?;
            }
            Ok((3, Value::Number(value))) => size = value,
            Ok((4, Value::Number(value))) => part = value,
            Ok((5, Value::Number(value))) => id = value,
            Ok(_) => {}
            Err(()) => reading.add(Place::Line(number), "", Err(Reason::Damaged))?,
        }
    }
    if size > MAX_PARTS || (size > 0 && part >= size) {
        return reading.add(Place::Line(number), "", Err(Reason::Damaged));
    }
    if size > 0 {
        batches.0.entry((id, size)).or_default().insert(part);
    }
    Ok(())
}

fn message_of(line: &str) -> Option<Zeroizing<Vec<u8>>> {
    let query = line.split_once('?').map_or("", |(_, query)| query);
    let data = query.split('&').find_map(|parameter| parameter.strip_prefix("data="));
    // A form's reader makes a blank of the plus; nothing else does, so it is turned back.
    let data = Zeroizing::new(percent_decode_str(data.unwrap_or_default()).collect::<Vec<u8>>());
    let text = core::str::from_utf8(&data).ok().map(|text| Zeroizing::new(text.replace(' ', "+")));
    text.filter(|text| !text.is_empty()).and_then(|text| base64::decode(&text))
}

/// Which export the QR code of this URI belongs to: the number that its parts share. 0 where it says none, as one that stands alone may;
/// `None` where it is no such URI.
pub fn migration_id(uri: &str) -> Option<u64> {
    let message = message_of(uri).filter(|_| is_migration(uri))?;
    let ids = Fields(&message).filter_map(|field| match field {
        Ok((5, Value::Number(id))) => Some(id),
        _ => None,
    });
    Some(ids.last().unwrap_or_default())
}

fn account_of(message: &[u8]) -> (String, Result<Entry, Reason>) {
    let (mut secret, mut name, mut issuer) = (&[][..], &[][..], &[][..]);
    let (mut algorithm, mut digits, mut kind, mut counter) = (0, 0, 0, 0);
    let mut is_damaged = false;
    for field in Fields(message) {
        match field {
            Ok((1, Value::Bytes(bytes))) => secret = bytes,
            Ok((2, Value::Bytes(bytes))) => name = bytes,
            Ok((3, Value::Bytes(bytes))) => issuer = bytes,
            Ok((4, Value::Number(number))) => algorithm = number,
            Ok((5, Value::Number(number))) => digits = number,
            Ok((6, Value::Number(number))) => kind = number,
            Ok((7, Value::Number(number))) => counter = number,
            Ok(_) => {}
            Err(()) => is_damaged = true,
        }
    }
    let shown = String::from_utf8_lossy(name).into_owned();
    let (Ok(name), Ok(issuer), false) =
        (core::str::from_utf8(name), core::str::from_utf8(issuer), is_damaged)
    else {
        return (shown, Err(Reason::Damaged));
    };
    // 0 is "not said" in this message, and then the app takes the default.
    let draft = Draft {
        issuer,
        account: name,
        algorithm: match algorithm {
            0 | 1 => "SHA1",
            2 => "SHA256",
            3 => "SHA512",
            _ => "MD5",
        },
        digits: match digits {
            0 | 1 => Some(6),
            2 => Some(8),
            _ => None,
        },
        kind: match kind {
            1 => "hotp",
            2 => "totp",
            _ => "",
        },
        counter: i64::try_from(counter).ok().and_then(|counter| u64::try_from(counter).ok()),
        ..Draft::totp(match Secret::from_bytes(secret) {
            Err(SecretError::Empty) => Err(Reason::Key(KeyUriError::SecretMissing)),
            secret => secret.map_err(Into::into),
        })
    };
    (shown, draft.entry())
}

/// The URIs for QR codes that other apps scan, and the entries that they cannot carry: Steam's, those of seven digits or of
/// another period than thirty seconds, and counters past 2⁶³. `id` is any number that tells this export from others.
pub fn write_migration(content: &Content, id: u32) -> (Vec<Zeroizing<String>>, Vec<EntryId>) {
    let mut left_out = Vec::new();
    let mut parts: Vec<(usize, Zeroizing<Vec<u8>>)> = Vec::new();
    for entry in content.entries() {
        let Some(account) = write_account(entry) else {
            left_out.push(entry.id());
            continue;
        };
        match parts.last_mut() {
            Some((items, part))
                if *items < ITEMS_PER_CODE && part.len() + account.len() + 3 <= BYTES_PER_CODE =>
            {
                *items += 1;
                write_bytes(part, 1, &account);
            }
            _ => {
                // Room for the longest account and the numbers, so that growing leaves no copies behind.
                let mut part = Zeroizing::new(Vec::with_capacity(BYTES_PER_CODE.max(account.len() + 8) + 64));
                write_bytes(&mut part, 1, &account);
                parts.push((1, part));
            }
        }
    }
    let size = parts.len() as u64;
    let uris = parts.into_iter().enumerate().map(|(index, (_, mut part))| {
        for (field, number) in [(2, 1), (3, size), (4, index as u64), (5, u64::from(id >> 1))] {
            write_number(&mut part, field, number);
        }
        let data = base64::encode(&part);
        let mut uri = Zeroizing::new(String::with_capacity(DATA.len() + data.len() * 3));
        uri.push_str(DATA);
        uri.extend(utf8_percent_encode(&data, NON_ALPHANUMERIC));
        uri
    });
    (uris.collect(), left_out)
}

fn write_account(entry: &Entry) -> Option<Zeroizing<Vec<u8>>> {
    let (algorithm, digits, kind, counter) = match entry.key.generator() {
        Generator::Totp(totp) if totp.period == Period::default() => (totp.algorithm, totp.digits, 2, 0),
        Generator::Hotp(hotp, counter) if i64::try_from(counter.get()).is_ok() => {
            (hotp.algorithm, hotp.digits, 1, counter.get())
        }
        _ => return None,
    };
    let digits = match digits.get() {
        6 => 1,
        8 => 2,
        _ => return None,
    };
    let algorithm = match algorithm {
        Algorithm::Sha1 => 1,
        Algorithm::Sha256 => 2,
        Algorithm::Sha512 => 3,
    };
    let key = &entry.key;
    let mut out = Zeroizing::new(Vec::with_capacity(key.secret().len() + 2 * 512 + 64));
    write_bytes(&mut out, 1, key.secret().expose());
    match key.issuer() {
        Some(issuer) => {
            // With the issuer before it, as the app itself writes it: else an account with a colon would be misread.
            let name = [issuer, ":", key.account()].concat();
            write_bytes(&mut out, 2, name.as_bytes());
            write_bytes(&mut out, 3, issuer.as_bytes());
        }
        None => write_bytes(&mut out, 2, key.account().as_bytes()),
    }
    for (field, number) in [(4, algorithm), (5, digits), (6, kind)] {
        write_number(&mut out, field, number);
    }
    if kind == 1 {
        write_number(&mut out, 7, counter);
    }
    Some(out)
}
