//! `/phone/`: what is for phones.
//!
//! The app may have an origin of its own (`phone_url`). Then its host has the app's files and nothing else, and `/phone/` leads there.

mod api;
mod files;

use actix_web::guard::GuardContext;
use actix_web::http::Method;
use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use url::{Position, Url};

use crate::http::extract::host;
use crate::http::problem::{method_not_allowed, not_found};
use crate::http::state::State;
use crate::http::{on, read};

/// What files take.
const READING: &str = "GET, HEAD";

/// Every path below it.
pub(super) fn pages(config: &mut ServiceConfig) {
    // The API first: what takes any name in the folder would take it for a file.
    config
        .configure(api::operations)
        .service(on("/phone", READING).route(read().to(|| async { permanently("/phone/") })))
        .service(on("/phone/{file:[^/]*}", READING).route(read().to(file)));
}

/// `GET /phone/{file}`.
async fn file(state: Data<State>, request: HttpRequest, file: Path<String>) -> HttpResponse {
    match own_url(&state) {
        None => files::file(&state, None, &request, &file),
        Some(url) if file.is_empty() => {
            HttpResponse::TemporaryRedirect().insert_header((LOCATION, url.as_str())).finish()
        }
        Some(_) => not_found().await,
    }
}

/// Where the app is, if that is a host of its own. Origins that differ in the scheme alone have the same host.
fn own_url(state: &State) -> Option<Url> {
    state.service.phone.foreign_origin()?;
    let url = Url::parse(state.service.phone.url()).ok()?;
    let issuer = Url::parse(&state.service.issuer).ok()?;
    (authority(&url) != authority(&issuer)).then_some(url)
}

/// Whether a request is for the app's own host. Forwarding headers are not looked at: a page's script can write them.
pub(super) fn is_for_own_host(request: &GuardContext<'_>) -> bool {
    let Some(url) = request.app_data::<Data<State>>().and_then(|state| own_url(state)) else { return false };
    host(request.head()).is_some_and(|host| is_host_of(host, &url))
}

/// Whether a browser that visits `url` names this host. Capitals and the scheme's own port make no difference.
fn is_host_of(host: &str, url: &Url) -> bool {
    Url::parse(&format!("{}://{host}/", url.scheme())).is_ok_and(|asked| authority(&asked) == authority(url))
}

fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

/// Everything at the app's own host: the files in the folder of its URL.
pub(super) async fn own_host(state: Data<State>, request: HttpRequest) -> HttpResponse {
    let Some(url) = own_url(&state) else { return not_found().await };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return method_not_allowed(READING).await;
    }
    let folder = format!("{}/", url.path().trim_end_matches('/'));
    match request.path().strip_prefix(&folder) {
        Some(name) => files::file(&state, Some(&url), &request, name),
        None if request.path() == "/" || format!("{}/", request.path()) == folder => permanently(&folder),
        None => not_found().await,
    }
}

fn permanently(path: &str) -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((LOCATION, path)).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_as_browsers_name_them() {
        for (host, url, same) in [
            ("phone.example", "https://phone.example/", true),
            ("Phone.Example:443", "https://phone.example/app/", true),
            ("phone.example:80", "https://phone.example/", false),
            ("phone.example:80", "http://phone.example/", true),
            ("phone.example", "https://phone.example:8443/", false),
            ("phone.example:8443", "https://phone.example:8443/", true),
            ("mfa.example", "https://phone.example/", false),
            ("phone.example.evil", "https://phone.example/", false),
            ("user@phone.example", "https://phone.example/", true),
            ("", "https://phone.example/", false),
            ("[::1]:8080", "http://[::1]:8080/", true),
        ] {
            assert_eq!(is_host_of(host, &Url::parse(url).unwrap()), same, "{host} {url}");
        }
    }
}
