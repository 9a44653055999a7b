//! `GET` and `POST /oauth/userinfo`: who logged in (OpenID Connect Core s5.3).

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::app;
use crate::domain::id_token::Profile;
use crate::http::extract::bearer;
use crate::http::problem::{Style, answer};
use crate::http::state::State;

#[derive(Serialize)]
struct Reply {
    sub: String,
    #[serde(flatten)]
    profile: Profile,
}

/// The handler.
pub(super) async fn show(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let token = match bearer(&request) {
        Ok(token) => token,
        Err(refusal) => return answer(refusal, Style::Problem),
    };
    let found = state
        .into_inner()
        .run(&request, move |service, conn, at| app::userinfo::userinfo(service, conn, at, &token))
        .await;
    match found {
        Ok((user, profile)) => HttpResponse::Ok().json(Reply { sub: user.to_string(), profile }),
        Err(stop) => answer(stop, Style::Problem),
    }
}
