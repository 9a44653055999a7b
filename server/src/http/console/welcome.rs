//! `/welcome/{token}`: a one-time link, for the first administrator and for whoever was invited. Sets a password; then the phone follows.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use zeroize::Zeroizing;

use crate::app;
use crate::app::console::{form_mark, new_mark};
use crate::app::context::Stop;
use crate::app::invitation::{FirstAdministrator, Invited};
use crate::domain::password::Password;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::token::MFA_TOKEN_TTL_S;
use crate::domain::user::{User, UserName, parse_email};
use crate::http::console::frame::{Frame, RefusedPage};
use crate::http::console::sign_in::why_at;
use crate::http::console::typed::Errors;
use crate::http::console::{Form, HOME, Jar, refused, render, see_other};
use crate::http::problem::outcome;
use crate::http::state::State;

/// A password, and for the first administrator a name.
#[derive(Template)]
#[template(path = "welcome.html")]
struct WelcomePage {
    frame: Frame,
    /// Who was invited; none for the first administrator, who chooses a name.
    invited: Option<String>,
    username: String,
    email: String,
    action: String,
    errors: Errors,
}

impl WelcomePage {
    /// Where one begins, unless there is a field that is wrong.
    const fn focus(&self) -> &'static str {
        if self.errors.is_empty() { "autofocus" } else { "" }
    }
}

/// `GET /welcome/{token}`. Looking does not use the link up: mail scanners look, too.
pub(super) async fn show(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let state = state.into_inner();
    let token = path.into_inner();
    let looked = token.clone();
    let found =
        state.run(&request, move |service, conn, at| app::invitation::look(service, conn, at, &looked)).await;
    match found {
        Ok((_, user)) => {
            let known = Jar::Login.read(&state, &request);
            let value = known.unwrap_or_else(|| Zeroizing::new(new_mark()));
            let frame = Frame::of(&state, &request, "", form_mark(&state.service, &value));
            let page = page(frame, user.as_ref(), &token);
            let mut answer = render(StatusCode::OK, &page);
            let _ = answer.add_cookie(&Jar::Login.fill(&state, &value, None));
            answer
        }
        Err(stop) => over(Frame::of(&state, &request, "", String::new()), &stop),
    }
}

fn page(frame: Frame, user: Option<&User>, token: &str) -> WelcomePage {
    WelcomePage {
        frame,
        invited: user.map(|user| user.name.clone()),
        username: String::new(),
        email: String::new(),
        action: format!("/welcome/{token}"),
        errors: Errors::default(),
    }
}

/// A link that was used, or waited too long, or never was one: all the same to whoever shows it.
fn over(frame: Frame, stop: &Stop) -> HttpResponse {
    match stop {
        Stop::Refused(Refusal::LoginExpired) => render(
            StatusCode::GONE,
            &RefusedPage { frame, key: "refused-link".to_owned(), detail: None, next: HOME.to_owned() },
        ),
        _ => refused(frame, stop),
    }
}

/// `POST /welcome/{token}`: the password is set, the link used up, and the phone comes next.
pub(super) async fn accept(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
    mut payload: web::Payload,
) -> HttpResponse {
    let state = state.into_inner();
    let token = path.into_inner();
    let form = match Form::read(&state, &request, &mut payload, &[Jar::Login]).await {
        Ok(form) => form,
        Err(answer) => return answer,
    };
    let looked = token.clone();
    let found =
        state.run(&request, move |service, conn, at| app::invitation::look(service, conn, at, &looked)).await;
    let (invited, user) = match found {
        Ok(found) => found,
        Err(stop) => return over(Frame::of(&state, &request, "", String::new()), &stop),
    };
    let shown = token.clone();
    let outcome_of = match (new_password(&form), invited) {
        (Ok(password), Invited::User(_)) => {
            state
                .run_with_password(&request, move |service, conn, at| {
                    app::invitation::accept(service, conn, at, &shown, &password)
                })
                .await
        }
        (Ok(password), Invited::FirstAdministrator) => match first(&form, password) {
            Ok(first) => {
                state
                    .run_with_password(&request, move |service, conn, at| {
                        app::invitation::accept_first(service, conn, at, &shown, &first)
                    })
                    .await
            }
            Err(invalid) => Err(invalid.into()),
        },
        (Err(invalid), _) => Err(invalid.into()),
    };
    match outcome_of {
        Ok(pass) => {
            let mut answer = see_other("/login/code?to=/console");
            let _ = answer.add_cookie(&Jar::Login.fill(&state, &pass, Some(MFA_TOKEN_TTL_S)));
            // Whoever was logged in here before is somebody else.
            let _ = answer.add_cookie(&Jar::Session.empty(&state));
            answer
        }
        Err(stop @ Stop::Refused(Refusal::Invalid(_))) => {
            let value = Jar::Login.read(&state, &request).unwrap_or_default();
            let frame = Frame::of(&state, &request, "", form_mark(&state.service, &value))
                .or_at(format!("/welcome/{token}"));
            let errors = why_at(&frame, &stop, "error-now").unwrap_or_default();
            let (username, email) = (form.text("username").to_owned(), form.text("email").to_owned());
            let page = WelcomePage { username, email, errors, ..page(frame, user.as_ref(), &token) };
            render(outcome(&stop).0, &page)
        }
        Err(stop) => over(Frame::of(&state, &request, "", String::new()), &stop),
    }
}

fn first(form: &Form, password: Password) -> Result<FirstAdministrator, Invalid> {
    let email = Some(form.text("email")).filter(|text| !text.is_empty()).map(parse_email).transpose()?;
    Ok(FirstAdministrator { name: UserName::parse(form.text("username"))?, email, password })
}

/// A new password that was typed twice.
pub(super) fn new_password(form: &Form) -> Result<Password, Invalid> {
    let password = Password::chosen(form.raw("password"))?;
    if form.raw("password") != form.raw("password_again") {
        return Err(Invalid::new("password_again", "is not the same"));
    }
    Ok(password)
}
