//! `GET /oauth/revocations`: the signed list of what was revoked, for whoever checks JWTs without asking.

use actix_web::http::header::CacheControl;
use actix_web::http::header::CacheDirective::{MaxAge, Public};
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app;
use crate::app::context::Stop;
use crate::domain::refusal::Invalid;
use crate::http::problem::{Style, answer};
use crate::http::state::State;

/// How long a list may be kept, in seconds: a revocation is seen this much later behind a cache.
const MAX_AGE_S: u32 = 5;

/// The handler. `?since=N` asks for what came after the cursor of an earlier list.
pub(super) async fn list(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome: Result<_, Stop> = async {
        let since = since(request.query_string())?;
        state
            .into_inner()
            .run(&request, move |service, conn, at| app::revocation::list(service, conn, at.now, since))
            .await
    }
    .await;
    match outcome {
        Ok(signed) => HttpResponse::Ok()
            .insert_header(CacheControl(vec![Public, MaxAge(MAX_AGE_S)]))
            .content_type("application/jwt")
            .body(signed),
        Err(stop) => answer(stop, Style::Problem),
    }
}

fn since(query: &str) -> Result<i64, Invalid> {
    let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "since");
    let cursor = match values.next() {
        None => return Ok(0),
        Some((_, text)) => text.parse::<u64>().map(|cursor| i64::try_from(cursor).unwrap_or(i64::MAX)),
    };
    match (cursor, values.next()) {
        (Ok(cursor), None) => Ok(cursor),
        (Ok(_), Some(_)) => Err(Invalid::new("since", "is given more than once")),
        (Err(_), _) => Err(Invalid::new("since", "must be the number of an earlier list")),
    }
}
