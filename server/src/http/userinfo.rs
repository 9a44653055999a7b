//! `GET` and `POST /oauth/userinfo`: who logged in (OpenID Connect Core s5.3).

use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::app;
use crate::domain::id_token::Profile;
use crate::domain::refusal::Refusal;
use crate::http::extract::{Fields, bearer};
use crate::http::problem::{Style, answer, unreadable};
use crate::http::state::State;

#[derive(Serialize)]
struct Reply {
    sub: String,
    #[serde(flatten)]
    profile: Profile,
}

/// `GET`, and `POST` with the token in the header.
pub(super) async fn show(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    match bearer(&request) {
        Ok(token) => tell(state, request, token).await,
        Err(refusal) => answer(refusal, Style::Problem),
    }
}

/// `POST` with the token in a form, too (RFC 6750 s2.2).
pub(super) async fn read_form(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    if request.headers().contains_key(AUTHORIZATION) || !request.headers().contains_key(CONTENT_TYPE) {
        return show(state, request).await;
    }
    match Fields::read(&request, &mut payload).await {
        Ok(fields) => match fields.optional("access_token") {
            Some(token) => tell(state, request, Zeroizing::new(token.to_owned())).await,
            None => answer(Refusal::InvalidToken, Style::Problem),
        },
        Err(why) => unreadable(why, Style::Problem),
    }
}

async fn tell(state: web::Data<State>, request: HttpRequest, token: Zeroizing<String>) -> HttpResponse {
    let found = state
        .into_inner()
        .run(&request, move |service, conn, at| app::userinfo::userinfo(service, conn, at, &token))
        .await;
    match found {
        Ok((user, profile)) => HttpResponse::Ok().json(Reply { sub: user.to_string(), profile }),
        Err(stop) => answer(stop, Style::Problem),
    }
}
