//! `/oauth/logout`: an application that has logged somebody out sends the browser here (OpenID Connect RP-Initiated Logout 1.0). Whoever is logged in is
//! asked; then the browser goes back to the application.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use url::form_urlencoded::Serializer;

use crate::app;
use crate::app::console::form_mark;
use crate::app::context::Stop;
use crate::app::end_session::{Asked, Leaving};
use crate::domain::authorization_request::parse_state;
use crate::domain::client::ClientName;
use crate::domain::refusal::Invalid;
use crate::http::console::frame::Frame;
use crate::http::console::sign_in::{forgetting, log_out_here, logged_out};
use crate::http::console::{
    Form, HOME, Jar, LONGEST_ADDRESS, Visit, away, misled, must_be_short, once_more, read_sent, render,
    see_other, with_query,
};
use crate::http::extract::Fields;
use crate::http::state::State;

/// Where applications send browsers.
const END_SESSION: &str = "/oauth/logout";

/// Whether the user wants to log out here, too.
#[derive(Template)]
#[template(path = "end_session.html")]
struct AskPage {
    frame: Frame,
    application: Option<ClientName>,
    user: String,
    /// The request, for the form.
    query: String,
    /// Why nobody is sent back to the application.
    error: Option<String>,
    /// Where "stay logged in" leads.
    stay: String,
}

/// A request as far as it can be read, and the `state` that goes back.
struct Request {
    asked: Asked,
    state: Option<String>,
    /// All of it as it goes along in pages: addresses may stand in a request as they are, which they may not in our own.
    text: String,
}

impl Request {
    fn read(query: &str) -> Result<Self, Invalid> {
        must_be_short(query, LONGEST_ADDRESS)?;
        let fields = Fields::from_query(query)?;
        let text = |name| fields.optional(name).map(str::to_owned);
        Ok(Self {
            asked: Asked {
                client_id: text("client_id"),
                id_token_hint: text("id_token_hint"),
                post_logout_redirect_uri: text("post_logout_redirect_uri"),
            },
            // Without one that cannot be sent back the user is logged out all the same.
            state: fields.optional("state").and_then(|state| parse_state(state).ok()),
            text: Serializer::new(String::new()).extend_pairs(fields.pairs()).finish(),
        })
    }

    /// The application's address as the browser goes there.
    fn back(&self, leaving: &Leaving) -> Option<String> {
        let uri = leaving.back.as_ref().ok()?.as_ref()?;
        let Some(state) = &self.state else { return Some(uri.clone()) };
        Some(with_query(uri, &Serializer::new(String::new()).append_pair("state", state).finish()))
    }

    /// Reads one, and does what it asks for without its user.
    async fn follow(state: &Arc<State>, request: &HttpRequest, query: &str) -> Result<(Self, Leaving), Stop> {
        let read = Self::read(query)?;
        let (cookie, asked) = (Jar::Session.read(state, request), read.asked.clone());
        let leaving = state
            .run(request, move |service, conn, at| {
                let cookie = cookie.as_ref().map(|cookie| cookie.as_str());
                app::end_session::leave(service, conn, at, cookie, &asked)
            })
            .await?;
        Ok((read, leaving))
    }
}

/// `GET /oauth/logout`.
pub(super) async fn show(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let state = state.into_inner();
    let (read, leaving) = match Request::follow(&state, &request, request.query_string()).await {
        Ok(followed) => followed,
        Err(stop) => return misled(&state, &request, &stop),
    };
    let (back, error) = (read.back(&leaving), leaving.back.err());
    let (Some(user), Some(cookie)) = (leaving.user, Jar::Session.read(&state, &request)) else {
        return match error {
            Some(invalid) => misled(&state, &request, &invalid.into()),
            None => see_other(back.as_deref().unwrap_or("/login?said=logged-out")),
        };
    };
    let mark = form_mark(&state.service, &cookie);
    let page = AskPage {
        frame: Frame::of(&state, &request, "", mark)
            .in_language(user.language)
            .at(format!("{END_SESSION}?{}", read.text)),
        application: leaving.application,
        user: user.name,
        query: read.text,
        error: error.map(|invalid| invalid.to_string()),
        stay: back.unwrap_or_else(|| HOME.to_owned()),
    };
    render(StatusCode::OK, &page)
}

/// `POST /oauth/logout`.
pub(super) async fn read_form(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    once_more(&state, &request, payload, END_SESSION, |query| Request::read(query).map(drop)).await
}

/// `POST /logout/application`: the answer is yes. The request is read anew, with all that it may ask for.
pub(super) async fn log_out(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let state = state.into_inner();
    let visit = Visit::begin(&state, &request).ok();
    let query = match &visit {
        Some(_) => Form::read(&state, &request, &mut payload, &[Jar::Session])
            .await
            .map(|form| form.text("query").to_owned()),
        // Another tab was faster. Nothing is left to end, and it is as if the application had sent the browser just now.
        None => read_sent(&state, &request, &mut payload)
            .await
            .map(|fields| fields.optional("query").unwrap_or_default().to_owned()),
    };
    let query = match query {
        Ok(query) => query,
        Err(answer) => return answer,
    };
    let (read, leaving) = match Request::follow(&state, &request, &query).await {
        Ok(followed) => followed,
        Err(stop) => return misled(&state, &request, &stop),
    };
    if let Some(visit) = &visit
        && let Err(answer) = log_out_here(visit).await
    {
        return answer;
    }
    let back = read.back(&leaving);
    match back {
        Some(back) => {
            let language = leaving.user.and_then(|user| user.language);
            let frame = Frame::of(&state, &request, "", String::new()).in_language(language);
            forgetting(&state, away(frame, "gone", back))
        }
        None => logged_out(&state, "logged-out", ""),
    }
}
