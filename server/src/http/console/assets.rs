//! The console's own files: compiled in, named by their content, kept by browsers for a year.

use std::sync::OnceLock;

use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::{HttpResponse, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::domain::refusal::Refusal;
use crate::http::problem::{Style, answer};

/// Name, media type, content.
const FILES: &[(&str, &str, &[u8])] = &[
    ("console.css", "text/css; charset=utf-8", include_bytes!("../../../../web/console/console.css")),
    ("console.js", "text/javascript; charset=utf-8", include_bytes!("../../../../web/console/console.js")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../../../web/console/icon.svg")),
];

/// A short hash over all files.
fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut hash = Sha256::new();
        for (_, _, content) in FILES {
            hash.update(content);
        }
        URL_SAFE_NO_PAD.encode(&hash.finalize()[..9])
    })
}

/// Where a file is.
pub(super) fn path(name: &str) -> String {
    format!("/assets/{}/{name}", version())
}

/// `GET /assets/{version}/{name}`. While servers are upgraded one by one, a page of one may ask another for its files: ours do nearly as well, but
/// nobody may keep them under that name.
pub(super) async fn asset(path: web::Path<(String, String)>) -> HttpResponse {
    let (asked, name) = path.into_inner();
    match FILES.iter().find(|(known, ..)| *known == name) {
        Some((_, kind, content)) if asked == version() => file(kind, content),
        Some((_, kind, content)) => HttpResponse::Ok().content_type(*kind).body(*content),
        None => answer(Refusal::NotFound { what: "file" }, Style::Problem),
    }
}

/// `GET /favicon.ico`, for whoever asks without reading the page.
pub(super) async fn favicon() -> HttpResponse {
    let (_, kind, content) = FILES[2];
    file(kind, content)
}

fn file(kind: &'static str, content: &'static [u8]) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")))
        .content_type(kind)
        .body(content)
}
