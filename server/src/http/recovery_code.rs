//! `/mfa/recovery-codes`: how many a user has left, and new ones.

use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::app;
use crate::http::problem::{Style, answer};
use crate::http::state::State;

/// `GET /mfa/recovery-codes`.
pub(super) async fn count(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome = state.into_inner().run_as_bearer(&request, app::recovery_code::count_own).await;
    match outcome {
        Ok(left) => HttpResponse::Ok().json(json!({ "left": left })),
        Err(stop) => answer(stop, Style::Problem),
    }
}

/// `POST /mfa/recovery-codes`: new ones, shown in this reply only; the old ones are void.
pub(super) async fn renew(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome = state.into_inner().run_as_bearer(&request, app::recovery_code::renew_own).await;
    match outcome {
        Ok(codes) => {
            let codes: Vec<String> = codes.iter().map(|code| code.shown().to_string()).collect();
            HttpResponse::Ok().json(json!({ "recovery_codes": codes }))
        }
        Err(stop) => answer(stop, Style::Problem),
    }
}
