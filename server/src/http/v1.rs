//! `/v1`: the management API. Everything that the command line does for users, factors, sessions, clients, access, keys and the audit
//! log, for whoever shows a manager's token (`app/manage.rs`). `GET /v1/openapi.json` describes all of it.

mod access;
mod clients;
mod openapi;
mod system;
mod users;

use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig, delete, get, post, put};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::context::Stop;
use crate::domain::refusal::Invalid;
use crate::http::extract::body;
use crate::http::on;
use crate::http::problem::{Style, answer, unreadable};

/// Every operation. A test holds this table against the OpenAPI document.
pub(super) fn operations(config: &mut ServiceConfig) {
    config
        .service(on("/v1/openapi.json", "GET").route(get().to(openapi::document)))
        .service(openapi::pages())
        .service(on("/v1/users", "GET").route(get().to(users::list)))
        .service(
            on("/v1/users/{name}", "GET, PUT, DELETE")
                .route(get().to(users::show))
                .route(put().to(users::put))
                .route(delete().to(users::remove)),
        )
        .service(on("/v1/users/{name}/lock", "POST").route(post().to(users::lock)))
        .service(on("/v1/users/{name}/unlock", "POST").route(post().to(users::unlock)))
        .service(on("/v1/users/{name}/reset", "POST").route(post().to(users::reset)))
        .service(
            on("/v1/users/{name}/factors", "GET, POST")
                .route(get().to(users::factors))
                .route(post().to(users::enrol)),
        )
        .service(
            on("/v1/users/{name}/sessions", "GET, DELETE")
                .route(get().to(users::sessions))
                .route(delete().to(users::end_sessions)),
        )
        .service(on("/v1/clients", "GET").route(get().to(clients::list)))
        .service(
            on("/v1/clients/{name}", "GET, PUT, DELETE")
                .route(get().to(clients::show))
                .route(put().to(clients::put))
                .route(delete().to(clients::remove)),
        )
        .service(on("/v1/clients/{name}/disable", "POST").route(post().to(clients::disable)))
        .service(on("/v1/clients/{name}/enable", "POST").route(post().to(clients::enable)))
        .service(on("/v1/scopes", "GET").route(get().to(access::scopes)))
        .service(
            on("/v1/scopes/{name}", "PUT, DELETE")
                .route(put().to(access::put_scope))
                .route(delete().to(access::remove_scope)),
        )
        .service(on("/v1/groups", "GET").route(get().to(access::groups)))
        .service(
            on("/v1/groups/{name}", "GET, PUT, DELETE")
                .route(get().to(access::members))
                .route(put().to(access::put_group))
                .route(delete().to(access::remove_group)),
        )
        .service(on("/v1/grants", "GET, POST").route(get().to(access::grants)).route(post().to(access::give)))
        .service(on("/v1/grants/take", "POST").route(post().to(access::take)))
        .service(on("/v1/grants/{id}", "DELETE").route(delete().to(access::end)))
        .service(on("/v1/keys", "GET").route(get().to(system::keys)))
        .service(on("/v1/keys/rotate", "POST").route(post().to(system::rotate)))
        .service(on("/v1/audit", "GET").route(get().to(system::audit)));
}

/// A problem document (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no such user", "code": "not_found"
}))]
struct Problem {
    /// Always `about:blank`.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// One sentence for people; for bad input it begins with the field's name.
    detail: String,
    /// A stable name, for programs.
    code: String,
}

/// How every operation may be refused.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document")]
enum Refused {
    /// `invalid_request`: the input is not what it should be; `detail` names the field.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// `invalid_token`: no token, or no good one; `insufficient_user_authentication`: a user's login is too old to change things.
    #[response(status = 401, content_type = "application/problem+json")]
    Unknown(#[to_schema] Problem),
    /// `insufficient_scope`: the token does not have the scope, or its user not the role; `out_of_reach`: it would reach further than the
    /// token's own role and scopes.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem),
    /// `not_found`: there is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    Missing(#[to_schema] Problem),
    /// `temporarily_unavailable`: try again after `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}

/// Where a page begins and how long it is.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "for the document; `Query` reads them")]
struct Paging {
    /// How many items, 1 to 200; 50 when left out.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// One page.
#[derive(Serialize, ToSchema)]
struct Page<T> {
    /// The items.
    items: Vec<T>,
    /// The cursor of the next page; null on the last one.
    next: Option<String>,
}

impl<T> Page<T> {
    /// A page of `rows`, of which one more than wanted was asked for; `key` is what the next one begins after.
    fn of<R>(mut rows: Vec<R>, query: &Query, key: impl Fn(&R) -> String, item: impl Fn(&R) -> T) -> Self {
        let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let more = rows.len() > wanted;
        rows.truncate(wanted);
        let next = rows.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        Self { items: rows.iter().map(item).collect(), next }
    }
}

/// The parameters of a list: paging, and its own.
struct Query {
    limit: i64,
    after: Option<String>,
    others: Vec<(String, String)>,
}

impl Query {
    /// Reads them; one that the operation does not know is refused, and so is a doubled one.
    fn read(request: &HttpRequest, known: &[&str]) -> Result<Self, Invalid> {
        let mut query = Self { limit: 50, after: None, others: Vec::new() };
        let mut seen = Vec::new();
        for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned() {
            if seen.contains(&name) {
                return Err(Invalid::new(name, "is given more than once"));
            }
            match name.as_str() {
                "limit" => {
                    query.limit = value
                        .parse()
                        .ok()
                        .filter(|limit| (1..=200).contains(limit))
                        .ok_or_else(|| Invalid::new("limit", "must be 1 to 200"))?;
                }
                "cursor" => {
                    let text =
                        URL_SAFE_NO_PAD.decode(&value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
                    query.after =
                        Some(text.ok_or_else(|| Invalid::new("cursor", "is not one of an earlier page"))?);
                }
                other if known.contains(&other) => query.others.push((name.clone(), value)),
                _ => return Err(Invalid::new("query", "has a parameter that this operation does not know")),
            }
            seen.push(name);
        }
        Ok(query)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.others.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// One more than wanted, to see whether there is a next page.
    const fn rows(&self) -> i64 {
        self.limit + 1
    }
}

/// Reads a JSON body; a member that is not known or not of its type is named, its content never.
async fn json<T: DeserializeOwned>(payload: &mut web::Payload) -> Result<T, HttpResponse> {
    let bytes = body(payload).await.map_err(|why| unreadable(why, Style::Problem))?;
    let mut reader = serde_json::Deserializer::from_slice(&bytes);
    let parsed: Result<T, _> = serde_path_to_error::deserialize(&mut reader);
    let parsed = parsed.map_err(|error| {
        let path = error.path().to_string();
        let message = error.inner().to_string();
        let quoted = message.split('`').nth(1).filter(|name| name.len() <= 40).map(str::to_owned);
        match (quoted, path.as_str()) {
            (Some(name), _) if message.starts_with("missing field") => Invalid::new(name, "is missing"),
            (Some(name), _) if message.starts_with("unknown field") => {
                Invalid::new(name, "is not known here")
            }
            (Some(name), _) if message.starts_with("duplicate field") => {
                Invalid::new(name, "is given more than once")
            }
            (_, "." | "") => Invalid::new("body", "must be a JSON object"),
            (_, path) => Invalid::new(path.to_owned(), "is not of the type that it takes"),
        }
    });
    let value = parsed.map_err(|invalid| answer(invalid, Style::Problem))?;
    reader.end().map_err(|_| answer(Invalid::new("body", "has more than one JSON value"), Style::Problem))?;
    Ok(value)
}

/// Answers with JSON, or with what stopped the use case.
fn reply<T: Serialize>(status: StatusCode, outcome: Result<T, Stop>) -> HttpResponse {
    match outcome {
        Ok(value) => HttpResponse::build(status).json(value),
        Err(stop) => answer(stop, Style::Problem),
    }
}

/// Answers with nothing, or with what stopped the use case.
fn done(outcome: Result<(), Stop>) -> HttpResponse {
    match outcome {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(stop) => answer(stop, Style::Problem),
    }
}
