//! `/oauth/authorize`: an application sends a browser here, and gets it back with a code (RFC 6749 s4.1, OpenID Connect Core s3.1.2).
//!
//! 1. What has no good application or address is answered with a page: nobody is sent to an address that is not registered.
//! 2. Who has to log in, or to give a code once more, goes to the pages for that, which lead back here ([`AUTHORIZE`] as their `to`).
//! 3. The rest is said to the application, in the query of its address, with the `iss` of RFC 9207.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use url::form_urlencoded::Serializer;

use crate::app;
use crate::app::authorize::{Decision, Destination, Next};
use crate::app::console::form_mark;
use crate::domain::authorization::Details;
use crate::domain::authorization_request::{
    AuthorizationRequest, CodeChallenge, Declined, Prompt, parse_max_age, parse_nonce, parse_state,
};
use crate::domain::client::ClientName;
use crate::domain::refusal::Invalid;
use crate::domain::scope::Scopes;
use crate::http::console::frame::Frame;
use crate::http::console::{AUTHORIZE, Jar, refused, render, see_other, with_to};
use crate::http::extract::Fields;
use crate::http::problem::{Style, description, unreadable};
use crate::http::state::State;

/// The longest request, in bytes: it goes along in the addresses of the pages on the way.
const LONGEST: usize = 4000;

/// Whether the one who is logged in wants to go on to an application.
#[derive(Template)]
#[template(path = "authorize.html")]
struct AskPage {
    frame: Frame,
    application: ClientName,
    user: String,
    /// Where "go on" leads.
    go_on: String,
    /// Back to the application.
    back: String,
}

/// A request as it came, as far as it can be read.
struct Asked {
    fields: Fields,
    destination: Destination,
    state: Option<String>,
}

impl Asked {
    fn read(query: &str) -> Result<Self, Invalid> {
        if query.len() > LONGEST {
            return Err(Invalid::fixed("query", "is longer than 4,000 bytes"));
        }
        let fields = Fields::from_query(query)?;
        let destination = Destination {
            client_id: fields.required("client_id")?.to_owned(),
            redirect_uri: fields.required("redirect_uri")?.to_owned(),
        };
        let state = fields.optional("state").map(parse_state).transpose()?;
        Ok(Self { fields, destination, state })
    }

    fn request(&self) -> Result<AuthorizationRequest, Declined> {
        let fields = &self.fields;
        if fields.optional("request").is_some() {
            return Err(Declined::RequestNotSupported);
        }
        if fields.optional("request_uri").is_some() {
            return Err(Declined::RequestUriNotSupported);
        }
        if fields.required("response_type")? != "code" {
            return Err(Declined::UnsupportedResponseType);
        }
        if fields.optional("response_mode").is_some_and(|mode| mode != "query") {
            return Err(Invalid::fixed("response_mode", "must be query").into());
        }
        let method = fields.optional("code_challenge_method");
        let challenge = fields.optional("code_challenge").map(|text| CodeChallenge::parse(text, method));
        if challenge.is_none() && method.is_some() {
            return Err(Invalid::fixed("code_challenge", "is missing").into());
        }
        let acr_values = fields.optional("acr_values").unwrap_or_default();
        Ok(AuthorizationRequest {
            scope: fields.optional("scope").map(Scopes::parse).transpose()?,
            audience: fields.optional("audience").map(str::to_owned),
            details: fields
                .optional("authorization_details")
                .map(Details::parse)
                .transpose()?
                .unwrap_or_default(),
            nonce: fields.optional("nonce").map(parse_nonce).transpose()?,
            challenge: challenge.transpose()?,
            prompt: fields.optional("prompt").map(Prompt::parse).transpose()?.unwrap_or_default(),
            max_age_s: fields.optional("max_age").map(parse_max_age).transpose()?,
            acr_values: acr_values.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// The same request once more, when the user has done what it wanted, but for `prompt` and `max_age`. The application sees in `auth_time`
    /// what came of those.
    fn afterwards(&self, prompt: Option<&str>) -> String {
        let kept = self.fields.pairs().filter(|(name, _)| !matches!(*name, "prompt" | "max_age"));
        let prompt = prompt.map(|prompt| ("prompt", prompt));
        format!("{AUTHORIZE}?{}", Serializer::new(String::new()).extend_pairs(kept.chain(prompt)).finish())
    }

    /// Back to the application. Its address keeps the query that it was registered with.
    fn back(&self, issuer: &str, said: &[(&str, &str)]) -> String {
        let uri = &self.destination.redirect_uri;
        let mut query = Serializer::new(String::new());
        query.extend_pairs(said);
        if let Some(state) = &self.state {
            query.append_pair("state", state);
        }
        query.append_pair("iss", issuer);
        let joint = if uri.contains('?') { '&' } else { '?' };
        format!("{uri}{joint}{}", query.finish())
    }

    fn declined(&self, issuer: &str, declined: &Declined) -> String {
        let text = description(&declined.to_string());
        self.back(issuer, &[("error", declined.code()), ("error_description", &text)])
    }
}

/// `GET /oauth/authorize`.
pub(super) async fn show(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let state = state.into_inner();
    let nobodys = || Frame::of(&state, &request, "", String::new());
    let asked = match Asked::read(request.query_string()) {
        Ok(asked) => asked,
        Err(invalid) => return refused(nobodys(), &invalid.into()),
    };
    let cookie = Jar::Session.read(&state, &request);
    let (shown, wanted) = (cookie.clone(), asked.request());
    let asks = wanted.as_ref().is_ok_and(|wanted| wanted.prompt.ask).then_some("consent");
    let destination = asked.destination.clone();
    let decided = state
        .run(&request, move |service, conn, at| {
            let cookie = shown.as_ref().map(|shown| shown.as_str());
            app::authorize::authorize(service, conn, at, cookie, &destination, wanted.as_ref())
        })
        .await;
    let Decision { application, next } = match decided {
        Ok(decision) => decision,
        Err(stop) => return refused(nobodys(), &stop),
    };
    let issuer = &state.service.issuer;
    match next {
        Next::LogIn => see_other(&with_to("/login", &asked.afterwards(asks))),
        Next::StepUp => see_other(&with_to("/login/again", &asked.afterwards(asks))),
        Next::Send(code) => see_other(&asked.back(issuer, &[("code", &code)])),
        Next::Decline(declined) => see_other(&asked.declined(issuer, &declined)),
        Next::Ask(user) => {
            let mark = cookie.map(|cookie| form_mark(&state.service, &cookie)).unwrap_or_default();
            let (go_on, back) = (asked.afterwards(None), asked.declined(issuer, &Declined::AccessDenied));
            let frame = Frame::of(&state, &request, "", mark);
            render(StatusCode::OK, &AskPage { frame, application, user, go_on, back })
        }
    }
}

/// `POST /oauth/authorize`, as OpenID Connect wants it. Browsers send no cookie along with a form of another site, so it is asked once more.
pub(super) async fn read_form(request: HttpRequest, mut payload: web::Payload) -> HttpResponse {
    match Fields::read(&request, &mut payload).await {
        Ok(fields) => {
            let query = Serializer::new(String::new()).extend_pairs(fields.pairs()).finish();
            see_other(&format!("{AUTHORIZE}?{query}"))
        }
        Err(why) => unreadable(why, Style::OAuth),
    }
}

/// What the application is called that a page on the way to a login leads to.
pub(super) async fn application(state: &Arc<State>, request: &HttpRequest, to: &str) -> Option<ClientName> {
    let query = to.strip_prefix(AUTHORIZE)?.strip_prefix('?')?;
    let destination = Asked::read(query).ok()?.destination;
    let found = state.run(request, move |_, conn, _| app::authorize::application(conn, &destination)).await;
    found.ok().flatten()
}

/// The name that an application supposes somebody to log in with.
pub(super) fn login_hint(to: &str) -> Option<String> {
    let query = to.strip_prefix(AUTHORIZE)?.strip_prefix('?')?;
    let hint = Fields::from_query(query).ok()?.optional("login_hint")?.to_owned();
    (hint.chars().count() <= 128).then_some(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Asked {
        Asked::read(query).expect("a request")
    }

    #[test]
    fn an_answer_leaves_the_registered_address_as_it_is() {
        let plain = asked("client_id=1&redirect_uri=https%3A%2F%2Fshop.example&state=a%26b");
        assert_eq!(
            plain.back("https://login.example", &[("code", "c")]),
            "https://shop.example?code=c&state=a%26b&iss=https%3A%2F%2Flogin.example"
        );
        let with_query = asked("client_id=1&redirect_uri=https%3A%2F%2Fshop.example%2F%3Fa%3Db");
        assert_eq!(
            with_query.back("https://login.example", &[("code", "c")]),
            "https://shop.example/?a=b&code=c&iss=https%3A%2F%2Flogin.example"
        );
    }

    #[test]
    fn what_was_done_is_not_asked_again() {
        let first = asked("client_id=1&redirect_uri=https%3A%2F%2Fa.example&prompt=login&max_age=0&nonce=n");
        let kept = "/oauth/authorize?client_id=1&redirect_uri=https%3A%2F%2Fa.example&nonce=n";
        assert_eq!(first.afterwards(None), kept);
        assert_eq!(first.afterwards(Some("consent")), format!("{kept}&prompt=consent"));
    }

    #[test]
    fn a_doubled_parameter_is_no_request() {
        let doubled = "client_id=1&redirect_uri=https%3A%2F%2Fa.example&redirect_uri=https%3A%2F%2Fb.example";
        assert!(Asked::read(doubled).is_err());
    }
}
