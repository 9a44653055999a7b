//! For whoever watches: is the process there, and can it do its work?

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::app;
use crate::http::problem::{Style, answer, stopping};
use crate::http::state::State;

/// `GET /healthz`: the process answers.
pub(super) async fn process() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// `GET /readyz`: the database answers, there is a key to sign with, and nobody told the server to stop.
pub(super) async fn ready(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    if state.is_stopping() {
        return stopping(Style::Problem);
    }
    match state.into_inner().run(&request, |service, conn, _| app::health::ready(service, conn)).await {
        Ok(()) => HttpResponse::Ok().json(json!({ "status": "ready" })),
        Err(stop) => answer(stop, Style::Problem),
    }
}
