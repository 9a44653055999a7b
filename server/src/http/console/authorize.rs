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
use crate::app::authorize::{Decision, Destination, Next, Question};
use crate::app::console::form_mark;
use crate::app::manage::Needs;
use crate::domain::authorization::Details;
use crate::domain::authorization_request::{
    AuthorizationRequest, CodeChallenge, Declined, Prompt, parse_max_age, parse_nonce, parse_state,
};
use crate::domain::client::ClientName;
use crate::domain::refusal::Invalid;
use crate::domain::scope::{FACTORS, FACTORS_OF_ALL, Scopes};
use crate::domain::user::Role;
use crate::http::console::frame::Frame;
use crate::http::console::{
    AUTHORIZE, Jar, LONGEST_ADDRESS, LONGEST_REQUEST, misled, must_be_short, once_more, render, see_other,
    with_query, with_to,
};
use crate::http::extract::Fields;
use crate::http::problem::description;
use crate::http::state::State;

/// Whether the one who is logged in wants to go on to an application.
#[derive(Template)]
#[template(path = "authorize.html")]
struct AskPage {
    frame: Frame,
    application: ClientName,
    user: String,
    /// What the application may do here in the user's place: the words of the scopes' texts.
    powers: Vec<String>,
    /// Where "go on" leads.
    go_on: String,
    /// Back to the application.
    back: String,
    /// The request, for somebody else.
    to: String,
}

/// What is asked once: when the user has done it, the request goes on without.
const ASKED_ONCE: [&str; 3] = ["prompt", "max_age", "agreed"];

/// A request as it came, as far as it can be read.
struct Asked {
    /// All of its parameters, or what is wrong with them.
    fields: Result<Fields, Invalid>,
    destination: Destination,
    state: Option<String>,
}

impl Asked {
    fn read(query: &str) -> Result<Self, Invalid> {
        must_be_short(query, LONGEST_ADDRESS)?;
        let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
        let only = |name: &'static str| {
            let mut values = pairs.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_ref());
            match (values.next(), values.next()) {
                (value, None) => Ok(value.filter(|value| !value.is_empty())),
                (_, Some(_)) => Err(Invalid::fixed(name, "is given more than once")),
            }
        };
        let required = |name| only(name)?.ok_or(Invalid::fixed(name, "is missing"));
        let destination = Destination {
            client_id: required("client_id")?.to_owned(),
            redirect_uri: required("redirect_uri")?.to_owned(),
        };
        let state = only("state")?.map(parse_state).transpose()?;
        Ok(Self { fields: Fields::from_query(query), destination, state })
    }

    /// That of a page which leads to a request of an application.
    fn of_page(to: &str) -> Option<Self> {
        Self::read(to.strip_prefix(AUTHORIZE)?.strip_prefix('?')?).ok()
    }

    fn request(&self) -> Result<AuthorizationRequest, Declined> {
        let fields = self.fields.as_ref().map_err(Clone::clone)?;
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
        let details = fields.optional("authorization_details").map(Details::parse).transpose()?;
        let acr_values = fields.optional("acr_values").unwrap_or_default();
        let kept = fields.pairs().filter(|(name, _)| !ASKED_ONCE.contains(name));
        let text = Serializer::new(String::new()).extend_pairs(kept).finish();
        must_be_short(&text, LONGEST_REQUEST)?;
        Ok(AuthorizationRequest {
            scope: fields.scope()?,
            audience: fields.audience()?.map(str::to_owned),
            details: details.unwrap_or_default(),
            nonce: fields.optional("nonce").map(parse_nonce).transpose()?,
            challenge: challenge.transpose()?,
            prompt: fields.optional("prompt").map(Prompt::parse).transpose()?.unwrap_or_default(),
            max_age_s: fields.optional("max_age").map(parse_max_age).transpose()?,
            id_token_hint: fields.optional("id_token_hint").map(str::to_owned),
            acr_values: acr_values.split_whitespace().map(str::to_owned).collect(),
            text,
            agreed: fields.optional("agreed").map(str::to_owned),
        })
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
        with_query(uri, &query.finish())
    }

    fn declined(&self, issuer: &str, declined: &Declined) -> String {
        let text = description(&declined.to_string());
        self.back(issuer, &[("error", declined.code()), ("error_description", &text)])
    }
}

/// The same request once more, when the user has done what it wanted. The application sees in `auth_time` what came of that.
fn afterwards(text: &str, more: Option<(&str, &str)>) -> String {
    let more = more.map(|(name, value)| Serializer::new(String::new()).append_pair(name, value).finish());
    let more = more.map_or_else(String::new, |more| format!("&{more}"));
    format!("{AUTHORIZE}?{text}{more}")
}

/// The text for one of these scopes: `factors` is for everybody's authenticators where it comes with `factors:read`, and the role does more with
/// them than look, as a help desk does.
fn power_of(scope: &str, powers: &Scopes, role: Role) -> String {
    let is_of_all = || powers.contains(FACTORS_OF_ALL) && Needs::help(FACTORS).allows(role);
    let of_all = if scope == FACTORS && is_of_all() { "-all" } else { "" };
    format!("{}{of_all}", scope.replace(':', "-"))
}

/// `GET /oauth/authorize`.
pub(super) async fn show(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let state = state.into_inner();
    let asked = match Asked::read(request.query_string()) {
        Ok(asked) => asked,
        Err(invalid) => return misled(&state, &request, &invalid.into()),
    };
    let cookie = Jar::Session.read(&state, &request);
    let (shown, wanted) = (cookie.clone(), asked.request());
    let asks = wanted.as_ref().is_ok_and(|wanted| wanted.prompt.ask).then_some(("prompt", "consent"));
    let text = wanted.as_ref().map(|wanted| wanted.text.clone()).unwrap_or_default();
    let destination = asked.destination.clone();
    let decided = state
        .run(&request, move |service, conn, at| {
            let cookie = shown.as_ref().map(|shown| shown.as_str());
            app::authorize::authorize(service, conn, at, cookie, &destination, wanted.as_ref())
        })
        .await;
    let Decision { application, next } = match decided {
        Ok(decision) => decision,
        Err(stop) => return misled(&state, &request, &stop),
    };
    let issuer = &state.service.issuer;
    match next {
        Next::LogIn => see_other(&with_to("/login", &afterwards(&text, asks))),
        Next::StepUp => see_other(&with_to("/login/again", &afterwards(&text, asks))),
        Next::Send(code) => see_other(&asked.back(issuer, &[("code", &code)])),
        Next::Decline(declined) => see_other(&asked.declined(issuer, &declined)),
        Next::Ask(Question { user, powers, mark }) => {
            let form_mark = cookie.map(|cookie| form_mark(&state.service, &cookie)).unwrap_or_default();
            let page = AskPage {
                // Addresses in a request may stand there as they are, which the page's own address has not.
                frame: Frame::of(&state, &request, "", form_mark)
                    .in_language(user.language)
                    .at(afterwards(&text, asks)),
                application,
                powers: powers.iter().map(|power| power_of(power, &powers, user.role)).collect(),
                go_on: afterwards(&text, Some(("agreed", &mark))),
                back: asked.declined(issuer, &Declined::AccessDenied),
                to: afterwards(&text, None),
                user: user.name,
            };
            render(StatusCode::OK, &page)
        }
    }
}

/// `POST /oauth/authorize`, as OpenID Connect wants it.
pub(super) async fn read_form(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> HttpResponse {
    once_more(&state, &request, payload, AUTHORIZE, |query| Asked::read(query).map(drop)).await
}

/// The application that a page on the way to a login leads to.
pub(super) struct Bound {
    /// What it is called.
    pub(super) application: ClientName,
    /// Back to it, for whoever leaves it.
    pub(super) back: String,
}

/// Where a page leads with this `to`, if that is a request of an application that is sent back to its own address.
pub(super) async fn bound_for(state: &Arc<State>, request: &HttpRequest, to: &str) -> Option<Bound> {
    let asked = Asked::of_page(to)?;
    let destination = asked.destination.clone();
    let found = state.run(request, move |_, conn, _| app::authorize::application(conn, &destination)).await;
    let application = found.ok().flatten()?;
    Some(Bound { application, back: asked.declined(&state.service.issuer, &Declined::AccessDenied) })
}

/// The name that an application supposes somebody to log in with.
pub(super) fn login_hint(to: &str) -> Option<String> {
    let hint = Asked::of_page(to)?.fields.ok()?.optional("login_hint")?.to_owned();
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
        let first = asked(
            "response_type=code&client_id=1&redirect_uri=https%3A%2F%2Fa.example&prompt=login&max_age=0&nonce=n",
        );
        let text = first.request().expect("a request").text;
        assert_eq!(text, "response_type=code&client_id=1&redirect_uri=https%3A%2F%2Fa.example&nonce=n");
        assert_eq!(afterwards(&text, None), format!("/oauth/authorize?{text}"));
        let consent = Some(("prompt", "consent"));
        assert_eq!(afterwards(&text, consent), format!("/oauth/authorize?{text}&prompt=consent"));
    }

    #[test]
    fn a_doubled_parameter_is_no_request() {
        let good = "response_type=code&client_id=1&redirect_uri=https%3A%2F%2Fa.example";
        assert!(Asked::read(&format!("{good}&redirect_uri=https%3A%2F%2Fb.example")).is_err());
        // There it is known whom to tell.
        assert!(asked(&format!("{good}&nonce=a&nonce=b")).request().is_err());
    }
}
