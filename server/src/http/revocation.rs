//! `GET /oauth/revocations`: the signed list of what was revoked, for whoever checks JWTs without asking.

use std::sync::Arc;

use actix_web::http::header::CacheControl;
use actix_web::http::header::CacheDirective::{MaxAge, Public};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::app;
use crate::app::context::Stop;
use crate::app::revocation::News;
use crate::domain::refusal::Invalid;
use crate::domain::token::Cursor;
use crate::http::problem::{Style, answer};
use crate::http::state::State;
use crate::http::whole_list::{Found, TTL_S, WholeList};

/// The handler. `?since=N` asks for what came after the cursor of an earlier list.
pub(super) async fn list(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    match find(&state.into_inner(), &request).await {
        Ok((signed, max_age_s)) => HttpResponse::Ok()
            .insert_header(CacheControl(vec![Public, MaxAge(max_age_s)]))
            .content_type("application/jwt")
            .body(signed),
        Err(stop) => answer(stop, Style::Problem),
    }
}

/// The list, and how many seconds it may be kept.
async fn find(state: &Arc<State>, request: &HttpRequest) -> Result<(Bytes, u32), Stop> {
    let since = since(request.query_string())?;
    if since == Cursor::START {
        return whole(state, request, since).await;
    }
    let news = state
        .run(request, move |service, conn, at| app::revocation::news(service, conn, at.now, since))
        .await?;
    match news {
        News::List(signed) => Ok((signed.into(), TTL_S)),
        News::Whole { known } => whole(state, request, known).await,
    }
}

/// The whole list, for somebody who knows what is before a cursor.
async fn whole(state: &Arc<State>, request: &HttpRequest, known: Cursor) -> Result<(Bytes, u32), Stop> {
    let list = match state.whole_list().look(known, || state.clock.now()).await? {
        Found::List(list) => list,
        Found::Turn(mut turn) => {
            let here = Arc::clone(state);
            state
                .run(request, move |service, conn, at| {
                    turn.clear();
                    // Before it is read: it is as old as what it says.
                    let made_at = here.clock.now();
                    let (signed, until) = app::revocation::whole(service, conn, at.now)?;
                    Ok(turn.keep(WholeList { signed: signed.into(), until, made_at }))
                })
                .await?
        }
    };
    let left_s = list.left_s(state.clock.now()).unwrap_or_default();
    Ok((list.signed, left_s))
}

fn since(query: &str) -> Result<Cursor, Invalid> {
    let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "since");
    let cursor = match values.next() {
        None => return Ok(Cursor::START),
        Some((_, text)) => text.parse::<u64>().map(|cursor| i64::try_from(cursor).unwrap_or(i64::MAX)),
    };
    match (cursor, values.next()) {
        (Ok(cursor), None) => Ok(Cursor::from_number(cursor)),
        (Ok(_), Some(_)) => Err(Invalid::new("since", "is given more than once")),
        (Err(_), _) => Err(Invalid::new("since", "must be the number of an earlier list")),
    }
}
