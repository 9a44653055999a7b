//! The phone app's files, as `cargo xtask phone` has put them together, and what the app is told of this server.
//!
//! Every file lies there three times: as it is, and compressed for the way as `.br` and `.gz`. What the browser takes best is sent. It may
//! keep nothing without asking again: the app's own service worker keeps one release of all files, checked against each other.

use std::borrow::Cow;
use std::fmt::Write as _;

use actix_web::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH, VARY,
};
use actix_web::{HttpRequest, HttpResponse};
use rust_embed::Embed;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

use crate::domain::refusal::Refusal;
use crate::http::problem::{Style, answer};
use crate::http::respond::IsOfPhoneApp;
use crate::http::state::State;

/// Compiled into release builds; debug builds read the folder at every request.
#[derive(Embed)]
#[folder = "../web/phone/dist"]
#[allow_missing = true]
struct Bundle;

/// The page.
const PAGE: &str = "index.html";

/// What is no file of the bundle: the server's own word.
const CONFIG: &str = "config.json";

const NO_BUNDLE: &str = "This server was built without the phone app. Its files are made by `cargo xtask phone`; then build the \
                         server again.\n";

/// Endings of names and what they hold.
const KINDS: &[(&str, &str)] = &[
    (".html", "text/html; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".js", "text/javascript; charset=utf-8"),
    (".json", "application/json"),
    (".wasm", "application/wasm"),
    (".webmanifest", "application/manifest+json"),
    (".svg", "image/svg+xml"),
    (".png", "image/png"),
    (".woff2", "font/woff2"),
    (".txt", "text/plain; charset=utf-8"),
];

/// Encodings of RFC 9110 s8.4.1 and the endings of files in them, smallest first.
const CODINGS: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// One of the app's files; an empty name is the page. `own_url` is where the app is, if that is a host of its own.
pub(super) fn file(state: &State, own_url: Option<&Url>, request: &HttpRequest, name: &str) -> HttpResponse {
    let issuer = &state.service.issuer;
    let server = own_url.and(Url::parse(issuer).ok()).map(|url| url.origin().ascii_serialization());
    let mut response = match name {
        CONFIG => {
            // Beside the app the address is relative: people also come by other names than the public URL's.
            let api = if own_url.is_some() { format!("{issuer}/phone/api/") } else { "api/".to_owned() };
            HttpResponse::Ok().json(json!({ "issuer": issuer, "api": api }))
        }
        "" => match found(state, request, PAGE) {
            Some(response) => response,
            None => {
                return HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body(NO_BUNDLE);
            }
        },
        name => match found(state, request, name) {
            Some(response) => response,
            None => return answer(Refusal::NotFound { what: "file" }, Style::Problem),
        },
    };
    response.extensions_mut().insert(IsOfPhoneApp { server });
    response
}

fn found(state: &State, request: &HttpRequest, name: &str) -> Option<HttpResponse> {
    if !is_name(name) {
        return None;
    }
    let (_, kind) = KINDS.iter().find(|(ending, _)| name.ends_with(ending))?;
    let accepted = listed(request.headers(), &ACCEPT_ENCODING);
    let (coding, content) = accepted_codings(&accepted)
        .find_map(|(coding, ending)| Some((Some(coding), content(state, &format!("{name}{ending}"))?)))
        .or_else(|| Some((None, content(state, name)?)))?;
    let etag = content.etag();
    let is_known = listed(request.headers(), &IF_NONE_MATCH)
        .split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((ETAG, etag))
        .insert_header((VARY, "Accept-Encoding"))
        .insert_header((CACHE_CONTROL, "no-cache"));
    if is_known {
        return Some(response.finish());
    }
    if let Some(coding) = coding {
        response.insert_header((CONTENT_ENCODING, coding));
    }
    Some(response.content_type(*kind).body(content.bytes.into_owned()))
}

/// Whether the bundle may hold such a file. Its compressed copies go by the name of the original only.
fn is_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.bytes().all(is_plain) && name.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// The lines of a header that holds a list, as one (RFC 9110 s5.3).
fn listed(headers: &HeaderMap, name: &HeaderName) -> String {
    let lines: Vec<&str> = headers.get_all(name).filter_map(|line| line.to_str().ok()).collect();
    lines.join(",")
}

/// Those of [`CODINGS`] that `Accept-Encoding` takes (RFC 9110 s12.5.3), the best first; none if it wants the file as it is more than that.
fn accepted_codings(accepted: &str) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
    let weights: Vec<(&str, f32)> = accepted.split(',').filter_map(weight).collect();
    let weight_of = |coding: &str| {
        let named = |wanted: &str| weights.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named(coding).or_else(|| named("*")).map(|(_, weight)| *weight)
    };
    // Without a word on it, the file as it is will do, but anything named is wanted more.
    let as_it_is = weights.iter().find(|(name, _)| *name == "identity").map_or(0.0, |(_, weight)| *weight);
    let mut codings: Vec<_> = CODINGS
        .iter()
        .filter_map(|(coding, ending)| Some((*coding, *ending, weight_of(coding)?)))
        .filter(|(_, _, weight)| *weight > 0.0 && *weight >= as_it_is)
        .collect();
    codings.sort_by(|(_, _, one), (_, _, other)| other.total_cmp(one));
    codings.into_iter().map(|(coding, ending, _)| (coding, ending))
}

/// `br;q=0.5` is `br` and 0.5.
fn weight(item: &str) -> Option<(&str, f32)> {
    let mut parts = item.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    match parts.next() {
        None => Some((name, 1.0)),
        Some(quality) => {
            let quality = quality.strip_prefix("q=").or_else(|| quality.strip_prefix("Q="))?.parse().ok()?;
            (0.0..=1.0).contains(&quality).then_some((name, quality))
        }
    }
}

struct Content {
    bytes: Cow<'static, [u8]>,
    sha256: [u8; 32],
}

impl Content {
    fn etag(&self) -> String {
        let mut tag = "\"".to_owned();
        for byte in &self.sha256[..16] {
            // Writing to a string cannot fail.
            let _ = write!(tag, "{byte:02x}");
        }
        tag.push('"');
        tag
    }
}

fn content(state: &State, name: &str) -> Option<Content> {
    match state.phone_files() {
        None => {
            Bundle::get(name).map(|file| Content { sha256: file.metadata.sha256_hash(), bytes: file.data })
        }
        Some(folder) => {
            let bytes = std::fs::read(folder.join(name)).ok()?;
            Some(Content { sha256: Sha256::digest(&bytes).into(), bytes: bytes.into() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_of_what_is_wanted_most_is_sent() {
        let chosen =
            |accepted: &str| accepted_codings(accepted).map(|(coding, _)| coding).collect::<Vec<_>>();
        for (accepted, codings) in [
            ("", &[][..]),
            ("gzip, deflate, br, zstd", &["br", "gzip"]),
            ("gzip", &["gzip"]),
            ("GZIP;q=1.0", &["gzip"]),
            ("br;q=0.2, gzip;q=0.8", &["gzip", "br"]),
            ("br;q=0, gzip", &["gzip"]),
            ("br ; q=0.9 , gzip ; q=0.9", &["br", "gzip"]),
            ("*", &["br", "gzip"]),
            ("*;q=0.1, br;q=0", &["gzip"]),
            ("*;q=0", &[]),
            ("identity", &[]),
            ("identity;q=0.5, gzip", &["gzip"]),
            ("identity, gzip;q=0.5", &[]),
            ("identity;q=0, br", &["br"]),
            ("br;q=2, gzip;level=9, ;;, ,", &[]),
        ] {
            assert_eq!(chosen(accepted), codings, "{accepted:?}");
        }
    }

    #[test]
    fn only_plain_names_are_looked_for() {
        for name in ["index.html", "app_bg.wasm", "icon-192.png", "a"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", ".hidden", "../x", "..\\x", "a/b", "a\0", "%2e", "-x", "ä.html", "a b"] {
            assert!(!is_name(name), "{name:?}");
        }
    }
}
