//! An extractor for actix-web: a handler that takes a [`Bearer`] runs only with a good token.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use actix_web::{App, HttpServer, Responder, web};
//! use countersign_verify::actix::Bearer;
//! use countersign_verify::{Check, Error, Verifier};
//!
//! async fn notes(bearer: Bearer) -> Result<impl Responder, Error> {
//!     let claims = bearer.require(&Check::new().scope("notes:read"))?;
//!     Ok(format!("notes of {}", claims.subject()))
//! }
//!
//! fn serve(verifier: Arc<Verifier>) -> std::io::Result<actix_web::dev::Server> {
//!     let app = move || App::new().app_data(Arc::clone(&verifier)).route("/notes", web::get().to(notes));
//!     Ok(HttpServer::new(app).bind("127.0.0.1:8081")?.run())
//! }
//! ```
//!
//! The token comes from the header `Authorization` alone: URLs end in logs and histories (RFC 6750 s5.3). Refusals are answered by
//! [`Error`] itself: status, `WWW-Authenticate`, and a problem document (RFC 9457) with [`Error::code`].

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::{StatusCode, header};
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, web};

use crate::check::Check;
use crate::claims::Claims;
use crate::error::Error;
use crate::verifier::Verifier;

/// A good token came with the request. Needs an `Arc<Verifier>` in the app's data.
///
/// It says who calls. What the caller may do, [`Bearer::require`] says.
#[derive(Debug)]
pub struct Bearer {
    claims: Claims,
    verifier: Arc<Verifier>,
}

impl Bearer {
    /// What the token says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// What the token says, if that is enough for this request.
    pub fn require(&self, check: &Check) -> Result<&Claims, Error> {
        self.verifier.require(&self.claims, check)?;
        Ok(&self.claims)
    }
}

impl FromRequest for Bearer {
    type Error = actix_web::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Self::Error>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let verifier = request.app_data::<Arc<Verifier>>().cloned();
        let token = token(request);
        Box::pin(async move {
            let verifier = verifier.ok_or_else(not_configured)?;
            let token = token?;
            let claims = if let Some(verdict) = verifier.verify_without_fetch(&token, &Check::new()) {
                verdict
            } else {
                let verifier = Arc::clone(&verifier);
                let verdict = web::block(move || verifier.verify(&token, &Check::new())).await;
                verdict.unwrap_or(Err(Error::KeysUnavailable))
            };
            Ok(Self { claims: claims?, verifier })
        })
    }
}

/// The token of `Authorization: Bearer TOKEN` (RFC 6750 s2.1). Another scheme is no token; a header that stands twice is refused,
/// because something in between may have read the other one.
fn token(request: &HttpRequest) -> Result<String, Error> {
    let mut headers = request.headers().get_all(header::AUTHORIZATION);
    let value = headers.next().ok_or(Error::NoToken)?;
    if headers.next().is_some() {
        return Err(Error::Malformed);
    }
    let value = value.to_str().map_err(|_| Error::Malformed)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(Error::NoToken);
    }
    Ok(token.trim_matches(' ').to_owned())
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let mut reply = problem(status, &self.to_string(), self.code());
        let challenge = self.www_authenticate().and_then(|value| header::HeaderValue::try_from(value).ok());
        if let Some(challenge) = challenge {
            reply.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            reply.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("10"));
        }
        reply
    }
}

fn not_configured() -> actix_web::Error {
    let detail = "this application has no verifier for access tokens";
    let reply = problem(StatusCode::INTERNAL_SERVER_ERROR, detail, "not_configured");
    InternalError::from_response(detail, reply).into()
}

/// A problem document (RFC 9457).
fn problem(status: StatusCode, detail: &str, code: &str) -> HttpResponse {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
    });
    HttpResponse::build(status)
        .content_type("application/problem+json")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body.to_string())
}
