//! `/v1`: the management API. Everything that the command line does for users, factors, sessions, clients, access, keys and the audit
//! log, for whoever shows a manager's token (`app/manage.rs`). `GET /v1/openapi.json` describes all of it.

mod access;
mod clients;
mod factors;
mod openapi;
mod sessions;
mod system;
mod users;

use std::str::FromStr;

use actix_web::web::{self, ServiceConfig, delete, post, put};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::context::Stop;
use crate::app::manage::Needs;
use crate::domain::refusal::{Invalid, Refusal};
use crate::http::extract::{Unreadable, body, from_json};
use crate::http::problem::{Style, answer, unreadable};
use crate::http::state::{Managing, State};
use crate::http::{on, read};

/// Every operation. A test holds this table against the OpenAPI document.
pub(super) fn operations(config: &mut ServiceConfig) {
    config
        .service(on("/v1/openapi.json", "GET, HEAD").route(read().to(openapi::document)))
        .service(on("/v1/docs/{file:.*}", "GET, HEAD").route(read().to(openapi::page)))
        .service(on("/v1/users", "GET, HEAD").route(read().to(users::list)))
        .service(
            on("/v1/users/{name}", "GET, HEAD, PUT, DELETE")
                .route(read().to(users::show))
                .route(put().to(users::put))
                .route(delete().to(users::remove)),
        )
        .service(on("/v1/users/{name}/lock", "POST").route(post().to(users::lock)))
        .service(on("/v1/users/{name}/unlock", "POST").route(post().to(users::unlock)))
        .service(on("/v1/users/{name}/reset", "POST").route(post().to(users::reset)))
        .service(
            on("/v1/users/{name}/factors", "GET, HEAD, POST")
                .route(read().to(factors::list))
                .route(post().to(factors::enrol)),
        )
        .service(on("/v1/users/{name}/factors/{id}", "DELETE").route(delete().to(factors::remove)))
        .service(on("/v1/users/{name}/factors/{id}/confirm", "POST").route(post().to(factors::confirm)))
        .service(
            on("/v1/users/{name}/factors/{id}/resynchronise", "POST")
                .route(post().to(factors::resynchronise)),
        )
        .service(
            on("/v1/users/{name}/recovery-codes", "POST").route(post().to(factors::renew_recovery_codes)),
        )
        .service(
            on("/v1/users/{name}/sessions", "GET, HEAD, DELETE")
                .route(read().to(sessions::list))
                .route(delete().to(sessions::end_all)),
        )
        .service(on("/v1/users/{name}/sessions/{id}", "DELETE").route(delete().to(sessions::end)))
        .service(on("/v1/clients", "GET, HEAD").route(read().to(clients::list)))
        .service(
            on("/v1/clients/{name}", "GET, HEAD, PUT, DELETE")
                .route(read().to(clients::show))
                .route(put().to(clients::put))
                .route(delete().to(clients::remove)),
        )
        .service(on("/v1/clients/{name}/secret", "POST").route(post().to(clients::renew_secret)))
        .service(on("/v1/clients/{name}/disable", "POST").route(post().to(clients::disable)))
        .service(on("/v1/clients/{name}/enable", "POST").route(post().to(clients::enable)))
        .service(on("/v1/scopes", "GET, HEAD").route(read().to(access::scopes)))
        .service(
            on("/v1/scopes/{name}", "PUT, DELETE")
                .route(put().to(access::put_scope))
                .route(delete().to(access::remove_scope)),
        )
        .service(on("/v1/groups", "GET, HEAD").route(read().to(access::groups)))
        .service(
            on("/v1/groups/{name}", "GET, HEAD, PUT, DELETE")
                .route(read().to(access::show_group))
                .route(put().to(access::put_group))
                .route(delete().to(access::remove_group)),
        )
        .service(on("/v1/groups/{name}/members", "GET, HEAD").route(read().to(access::members)))
        .service(
            on("/v1/groups/{name}/members/{user}", "PUT, DELETE")
                .route(put().to(access::add_member))
                .route(delete().to(access::remove_member)),
        )
        .service(
            on("/v1/grants", "GET, HEAD, POST")
                .route(read().to(access::grants))
                .route(post().to(access::give)),
        )
        .service(on("/v1/grants/take", "POST").route(post().to(access::take)))
        .service(on("/v1/grants/{id}", "DELETE").route(delete().to(access::end)))
        .service(on("/v1/keys", "GET, HEAD").route(read().to(system::keys)))
        .service(on("/v1/keys/rotate", "POST").route(post().to(system::rotate)))
        .service(on("/v1/keys/revoke", "POST").route(post().to(system::revoke)))
        .service(on("/v1/audit", "GET, HEAD").route(read().to(system::audit)));
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

/// How every operation may end without having done anything.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document")]
enum Refused {
    /// `invalid_token`: no token, or no good one; `insufficient_user_authentication`: a user's login is too old to change things.
    #[response(status = 401, content_type = "application/problem+json")]
    Unknown(#[to_schema] Problem),
    /// `insufficient_scope`: the token does not have the scope, or its user not the role; `out_of_reach`: it would reach further than the
    /// token's own role and scopes.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem),
    /// `server_error`: the server's log says more under the `x-request-id` of the reply.
    #[response(status = 500, content_type = "application/problem+json")]
    Broken(#[to_schema] Problem),
    /// `temporarily_unavailable`: try again after `Retry-After`.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(#[to_schema] Problem),
}

/// How an operation on something named may be refused.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document")]
enum Missing {
    /// `not_found`: there is no such thing.
    #[response(status = 404, content_type = "application/problem+json")]
    Unknown(#[to_schema] Problem),
}

/// How an operation with parameters may be refused.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document")]
enum BadInput {
    /// `invalid_request`: the input is not what it should be; `detail` begins with the name of the field, and nothing was changed.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
}

/// How an operation with a body may be refused.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document")]
enum BadBody {
    /// `invalid_request`: the input is not what it should be; `detail` begins with the name of the field, and nothing was changed.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// `invalid_request`: the body took longer than ten seconds.
    #[response(status = 408, content_type = "application/problem+json")]
    Slow(#[to_schema] Problem),
    /// `invalid_request`: the body is longer than 64 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    Long(#[to_schema] Problem),
}

/// How an operation with a code in its body may be refused.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document")]
enum BadCode {
    /// `invalid_request`: the input is not what it should be; `detail` begins with the name of the field, and nothing was changed.
    /// `invalid_grant`: the code is wrong, or was used before.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(#[to_schema] Problem),
    /// `invalid_request`: the body took longer than ten seconds.
    #[response(status = 408, content_type = "application/problem+json")]
    Slow(#[to_schema] Problem),
    /// `invalid_request`: the body is longer than 64 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    Long(#[to_schema] Problem),
}

/// How an operation that may take an administrator away is refused.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document")]
enum Last {
    /// `last_administrator`: make another one first.
    #[response(status = 409, content_type = "application/problem+json")]
    Last(#[to_schema] Problem),
}

/// How an operation on a client may be refused.
#[derive(utoipa::IntoResponses)]
#[expect(dead_code, reason = "for the document")]
enum Own {
    /// `own_client`: an application does not remove, disable or disarm itself; `already_exists`: the name belongs to the console.
    #[response(status = 409, content_type = "application/problem+json")]
    Own(#[to_schema] Problem),
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
    #[schema(required = true)]
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

    /// The same of a list of which one request looks at a part only: where it had not as many as wanted it goes on at `key`.
    fn or_goes_on_at(mut self, key: Option<String>) -> Self {
        self.next = self.next.or_else(|| key.map(|key| URL_SAFE_NO_PAD.encode(key)));
        self
    }
}

const UNKNOWN_PARAMETER: Invalid =
    Invalid::fixed("query", "has a parameter that this operation does not know");

const BAD_CURSOR: Invalid = Invalid::fixed("cursor", "is not one of an earlier page");

/// The parameters of a list: paging, and its own.
struct Query {
    limit: i64,
    after: Option<String>,
    others: Vec<(String, String)>,
}

impl Query {
    /// Reads them; one that the operation does not know is refused, and so is a doubled one.
    fn read(manager: &Managing, known: &[&str]) -> Result<Self, Invalid> {
        let request = manager.request();
        if percent_decode_str(request.query_string()).decode_utf8().is_err() {
            return Err(Invalid::new("query", "is not UTF-8"));
        }
        let mut query = Self { limit: 50, after: None, others: Vec::new() };
        let mut seen = Vec::new();
        for (name, value) in url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned() {
            if seen.contains(&name) {
                return Err(Invalid::new(name, "is given more than once"));
            }
            if value.chars().any(char::is_control) {
                let is_known = known.contains(&name.as_str()) || ["limit", "cursor"].contains(&name.as_str());
                let field = if is_known { name } else { "query".to_owned() };
                return Err(Invalid::new(field, "holds a control character"));
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
                    let text = URL_SAFE_NO_PAD.decode(&value).ok();
                    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
                    let text = text.filter(|text| !text.chars().any(char::is_control));
                    query.after = Some(text.ok_or(BAD_CURSOR)?);
                }
                other if known.contains(&other) => query.others.push((name.clone(), value)),
                _ => return Err(UNKNOWN_PARAMETER),
            }
            seen.push(name);
        }
        Ok(query)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.others.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Where the page begins: after the last item of the one before, or at `start`.
    fn after<T: FromStr>(&self, start: T) -> Result<T, Invalid> {
        match &self.after {
            None => Ok(start),
            Some(text) => text.parse().map_err(|_| BAD_CURSOR),
        }
    }

    /// One more than wanted, to see whether there is a next page.
    const fn rows(&self) -> i64 {
        self.limit + 1
    }
}

/// What every operation is handed.
type Call = (web::Data<State>, HttpRequest);

/// Why an operation was not done.
enum Stopped {
    By(Stop),
    Unread(Unreadable),
}

impl From<Stop> for Stopped {
    fn from(stop: Stop) -> Self {
        Self::By(stop)
    }
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::By(refusal.into())
    }
}

impl From<Invalid> for Stopped {
    fn from(invalid: Invalid) -> Self {
        Self::By(invalid.into())
    }
}

/// Answers a manager: first who it is and what it may, then, in `operation`, what it sent. So whoever may not hears nothing else. For operations
/// without parameters in the query.
async fn managed(
    call: Call,
    needs: Needs,
    operation: impl AsyncFnOnce(Managing) -> Result<HttpResponse, Stopped>,
) -> HttpResponse {
    listing(call, needs, async |manager| {
        if !manager.request().query_string().is_empty() {
            return Err(UNKNOWN_PARAMETER.into());
        }
        operation(manager).await
    })
    .await
}

/// The same for operations that read the query themselves: lists.
async fn listing(
    (state, request): Call,
    needs: Needs,
    operation: impl AsyncFnOnce(Managing) -> Result<HttpResponse, Stopped>,
) -> HttpResponse {
    let outcome = match state.into_inner().authorise(request, needs).await {
        Ok(manager) => operation(manager).await,
        Err(stop) => Err(stop.into()),
    };
    match outcome {
        Ok(response) => response,
        Err(Stopped::By(stop)) => answer(stop, Style::Problem),
        Err(Stopped::Unread(why)) => unreadable(why, Style::Problem),
    }
}

fn ok<T: Serialize>(value: &T) -> HttpResponse {
    HttpResponse::Ok().json(value)
}

fn created<T: Serialize>(value: &T) -> HttpResponse {
    HttpResponse::Created().json(value)
}

fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

/// A name that is looked up as it stands in the path. PostgreSQL cannot even be asked for some control characters.
fn plain(name: &str) -> Result<String, Invalid> {
    if name.chars().any(char::is_control) {
        return Err(Invalid::new("name", "holds a control character"));
    }
    Ok(name.to_owned())
}

/// An id in the path: what is none names nothing.
fn id<T: FromStr>(text: &str, what: &'static str) -> Result<T, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound { what })
}

/// Reads a JSON body; a member that is not known or not of its type is named, its content never.
async fn json<T: DeserializeOwned>(payload: &mut web::Payload) -> Result<T, Stopped> {
    let bytes = body(payload).await.map_err(Stopped::Unread)?;
    Ok(from_json(&bytes)?)
}
