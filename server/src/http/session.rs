//! `/account/sessions`: a user lists and ends the own sessions.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::app;
use crate::app::context::Stop;
use crate::domain::id::SessionId;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::token::SessionSummary;
use crate::http::problem::{Style, answer};
use crate::http::state::State;

/// One session.
#[derive(Serialize)]
struct Session<'a> {
    id: String,
    client: &'a str,
    amr: Vec<&'a str>,
    address: Option<&'a str>,
    started_at: String,
    last_used_at: String,
    ends_at: String,
}

impl<'a> From<&'a SessionSummary> for Session<'a> {
    fn from(session: &'a SessionSummary) -> Self {
        Self {
            id: session.id.to_string(),
            client: &session.client_name,
            amr: session.amr.split(' ').collect(),
            address: session.address.as_deref(),
            started_at: session.started_at.to_string(),
            last_used_at: session.used_at.to_string(),
            ends_at: session.ends_at.to_string(),
        }
    }
}

/// `GET /account/sessions`.
pub(super) async fn list(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome = state.into_inner().run_as_bearer(&request, app::session::list_own).await;
    match outcome {
        Ok(sessions) => HttpResponse::Ok().json(sessions.iter().map(Session::from).collect::<Vec<_>>()),
        Err(stop) => answer(stop, Style::Problem),
    }
}

/// `DELETE /account/sessions/{id}`.
pub(super) async fn end(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<(), Stop> = async {
        let id: SessionId = path.parse().map_err(|_: Invalid| Refusal::NotFound { what: "session" })?;
        state
            .into_inner()
            .run_as_bearer(&request, move |service, conn, at, token| {
                app::session::end_own(service, conn, at, token, id)
            })
            .await
    }
    .await;
    ended(outcome)
}

/// `DELETE /account/sessions`: all of them, this one too.
pub(super) async fn end_all(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome = state.into_inner().run_as_bearer(&request, app::session::end_all_own).await;
    ended(outcome)
}

fn ended(outcome: Result<(), Stop>) -> HttpResponse {
    match outcome {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(stop) => answer(stop, Style::Problem),
    }
}
