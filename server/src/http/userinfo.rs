//! `GET` and `POST /oauth/userinfo`: who logged in (OpenID Connect Core s5.3).

use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::app;
use crate::domain::id_token::Profile;
use crate::domain::refusal::Invalid;
use crate::http::extract::{Fields, bearer};
use crate::http::problem::{Style, answer, unreadable};
use crate::http::state::State;

/// The type of a form.
const FORM: &str = "application/x-www-form-urlencoded";

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
    // Whatever else is sent along with a header is not looked at.
    if request.headers().contains_key(AUTHORIZATION) && request.content_type() != FORM
        || !request.headers().contains_key(CONTENT_TYPE)
    {
        return show(state, request).await;
    }
    let fields = match Fields::read(&request, &mut payload).await {
        Ok(fields) => fields,
        Err(why) => return unreadable(why, Style::Problem),
    };
    match (fields.optional("access_token"), bearer(&request)) {
        // Which of the two was meant (s2: not more than one)?
        (Some(_), Ok(_)) => {
            answer(Invalid::new("access_token", "is given in the header as well"), Style::Problem)
        }
        (Some(token), Err(_)) => tell(state, request, Zeroizing::new(token.to_owned())).await,
        (None, _) => show(state, request).await,
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
