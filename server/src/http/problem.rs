//! How an error is answered: OAuth endpoints as RFC 6749 s5.2 says, all others with problem documents (RFC 9457).

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde_json::json;

use crate::app::context::Stop;
use crate::domain::refusal::Refusal;
use crate::error::Fault;
use crate::http::extract::Unreadable;

/// When to try again where nobody knows.
const RETRY_AFTER_FAULT_S: u64 = 2;

/// Which of the two ways.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `{"error", "error_description"}`.
    OAuth,
    /// `application/problem+json`.
    Problem,
}

/// One error, ready to be answered in either style.
struct Answer {
    status: StatusCode,
    code: &'static str,
    text: String,
    retry_after_s: Option<u64>,
    authenticate: Option<String>,
    /// The server's time, for a phone whose clock may be wrong: a member of the problem document.
    unix_ms: Option<i64>,
}

impl Answer {
    fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into(), retry_after_s: None, authenticate: None, unix_ms: None }
    }

    fn render(self, style: Style) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status);
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if let Some(challenge) = self.authenticate {
            response.insert_header((WWW_AUTHENTICATE, challenge));
        }
        match style {
            Style::OAuth => {
                let text = description(&self.text);
                response.json(json!({ "error": self.code, "error_description": text }))
            }
            Style::Problem => {
                let mut document = json!({
                    "type": "about:blank",
                    "title": self.status.canonical_reason().unwrap_or("Error"),
                    "status": self.status.as_u16(),
                    "detail": self.text,
                    "code": self.code,
                });
                if let Some(unix_ms) = self.unix_ms {
                    document["unix_ms"] = unix_ms.into();
                }
                response.content_type("application/problem+json").body(document.to_string())
            }
        }
    }
}

/// An `error_description`: RFC 6749 s5.2 takes no other characters, and a caller's own field name may hold them.
pub(super) fn description(text: &str) -> String {
    let is_taken = |c: &char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\');
    text.chars().map(|c| if is_taken(&c) { c } else { '?' }).collect()
}

/// Answers whatever stopped a use case. The one place where refusals become status codes.
pub(super) fn answer(stop: impl Into<Stop>, style: Style) -> HttpResponse {
    match stop.into() {
        Stop::Refused(refusal) => refused(&refusal).render(style),
        Stop::Broken(fault) => broken(&fault).render(style),
    }
}

fn refused(refusal: &Refusal) -> Answer {
    let status = match refusal {
        Refusal::Invalid(_)
        | Refusal::InvalidGrant
        | Refusal::CodeUsed
        | Refusal::LoginExpired
        | Refusal::UnauthorizedClient
        | Refusal::UnsupportedGrantType
        | Refusal::InvalidScope
        | Refusal::MalformedScope
        | Refusal::InvalidTarget
        | Refusal::InvalidAuthorizationDetails => StatusCode::BAD_REQUEST,
        Refusal::InvalidClient | Refusal::InvalidToken | Refusal::InsufficientAuthentication { .. } => {
            StatusCode::UNAUTHORIZED
        }
        Refusal::InsufficientScope { .. } | Refusal::OutOfReach | Refusal::FactorNeeded => {
            StatusCode::FORBIDDEN
        }
        Refusal::NotFound { .. } | Refusal::UnknownFactor => StatusCode::NOT_FOUND,
        Refusal::AlreadyExists { .. }
        | Refusal::TooManyFactors
        | Refusal::FactorEnded
        | Refusal::OwnClient
        | Refusal::LastAdministrator => StatusCode::CONFLICT,
        Refusal::CodeNotAccepted { .. } | Refusal::PhoneClock { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
    };
    let mut answer = Answer::new(status, refusal.code(), refusal.to_string());
    match refusal {
        Refusal::TooManyAttempts { retry_after_s } => answer.retry_after_s = Some(*retry_after_s),
        Refusal::CodeNotAccepted { now } | Refusal::PhoneClock { now } => answer.unix_ms = Some(now.millis()),
        Refusal::InvalidClient => answer.authenticate = Some("Basic realm=\"countersign\"".to_owned()),
        Refusal::InvalidToken => answer.authenticate = Some("Bearer error=\"invalid_token\"".to_owned()),
        Refusal::InsufficientAuthentication { max_age_s } => {
            let challenge = format!("Bearer error=\"insufficient_user_authentication\", max_age={max_age_s}");
            answer.authenticate = Some(challenge);
        }
        Refusal::InsufficientScope { needed } => {
            answer.authenticate = Some(format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\""));
        }
        _ => {}
    }
    answer
}

/// A fault is logged here, once, inside the request's span, which carries the id that the caller is shown.
fn broken(fault: &Fault) -> Answer {
    tracing::error!(error = %fault, source = ?std::error::Error::source(fault), "a request could not be answered");
    match fault {
        Fault::Database(_) | Fault::Busy(_) => {
            let text = "the server cannot do this now; try again";
            let mut answer = Answer::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text);
            answer.retry_after_s = Some(RETRY_AFTER_FAULT_S);
            answer
        }
        Fault::Corrupt { .. } | Fault::Crypto(_) | Fault::Other { .. } => {
            let text = "something is broken on the server; its log says more under this request's id";
            Answer::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", text)
        }
    }
}

/// Answers that this server takes no more. Not a fault, so nothing is logged.
pub(super) fn stopping(style: Style) -> HttpResponse {
    let text = "the server is stopping";
    let answer = Answer::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text);
    Answer { retry_after_s: Some(RETRY_AFTER_FAULT_S), ..answer }.render(style)
}

/// The same for pages: the status, and the refusal's stable name. Logs a fault.
pub(super) fn outcome(stop: &Stop) -> (StatusCode, &'static str) {
    let answer = match stop {
        Stop::Refused(refusal) => refused(refusal),
        Stop::Broken(fault) => broken(fault),
    };
    (answer.status, answer.code)
}

/// Answers a body that was not read.
pub(super) fn unreadable(why: Unreadable, style: Style) -> HttpResponse {
    match why {
        Unreadable::Malformed(invalid) => answer(invalid, style),
        Unreadable::TooLarge => {
            unfinished(StatusCode::PAYLOAD_TOO_LARGE, "body is longer than 64 KiB", style)
        }
        Unreadable::TooSlow => unfinished(StatusCode::REQUEST_TIMEOUT, "body took longer than 10 s", style),
    }
}

/// The rest of the body is not read, so the connection cannot be used again.
fn unfinished(status: StatusCode, text: &str, style: Style) -> HttpResponse {
    let mut response = Answer::new(status, "invalid_request", text).render(style);
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    response
}

/// No such path.
pub(super) async fn not_found() -> HttpResponse {
    answer(Refusal::NotFound { what: "path" }, Style::Problem)
}

/// The path exists, but takes only the method `allowed`.
pub(super) async fn method_not_allowed(allowed: &'static str) -> HttpResponse {
    let text = format!("only {allowed} is taken here");
    let mut response =
        Answer::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text).render(Style::Problem);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}
