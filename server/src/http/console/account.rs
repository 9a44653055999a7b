//! `/console/account`: what people see and change of their own.

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::app;
use crate::app::client_auth::Asker;
use crate::app::console::Account;
use crate::app::context::Stop;
use crate::app::login::PasswordRequest;
use crate::domain::audit::Entry;
use crate::domain::authorization::Details;
use crate::domain::id::SessionId;
use crate::domain::password::Password;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::token::SessionSummary;
use crate::domain::user::UserName;
use crate::http::console::frame::Frame;
use crate::http::console::sign_in::{code_of, logged_out, why_at};
use crate::http::console::typed::Errors;
use crate::http::console::welcome::new_password;
use crate::http::console::{Posted, Visit, render, see_other};
use crate::http::problem::outcome;

/// How many things the page of recent activity shows.
const RECENT: i64 = 50;

/// Authenticators and recovery codes.
#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    frame: Frame,
    account: Account,
}

/// Live logins.
#[derive(Template)]
#[template(path = "sessions.html")]
struct SessionsPage {
    frame: Frame,
    sessions: Vec<SessionSummary>,
    /// This one.
    own: SessionId,
}

/// What happened lately.
#[derive(Template)]
#[template(path = "activity.html")]
struct ActivityPage {
    frame: Frame,
    entries: Vec<Entry>,
    own: String,
}

/// A new password.
#[derive(Template)]
#[template(path = "password.html")]
struct PasswordPage {
    frame: Frame,
    errors: Errors,
}

/// `GET /console/account`.
pub(super) async fn show(visit: Visit) -> HttpResponse {
    let found = visit
        .state
        .run_as_visitor(&visit.request, visit.token(), |_, conn, at, visitor| {
            app::console::account(conn, at, visitor)
        })
        .await;
    visit.page(found, "account", |frame, _, account| AccountPage { frame, account })
}

/// `GET /console/account/activity`.
pub(super) async fn activity(visit: Visit) -> HttpResponse {
    let found = visit
        .state
        .run_as_visitor(&visit.request, visit.token(), |_, conn, _, visitor| {
            app::console::activity(conn, &visitor.user, RECENT)
        })
        .await;
    visit.page(found, "activity", |frame, visitor, entries| ActivityPage {
        frame,
        entries,
        own: format!("user:{}", visitor.user.id),
    })
}

/// `GET /console/account/sessions`.
pub(super) async fn sessions(visit: Visit) -> HttpResponse {
    let token = visit.token();
    let found = visit
        .state
        .run_as_visitor(&visit.request, visit.token(), move |service, conn, at, _| {
            app::session::list_own(service, conn, at, &token)
        })
        .await;
    visit.page(found, "sessions", |frame, visitor, sessions| SessionsPage {
        frame,
        sessions,
        own: visitor.login.session,
    })
}

/// `POST /console/account/sessions/{id}/end`.
pub(super) async fn end(Posted { visit, .. }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(session) = path.parse::<SessionId>() else {
        return visit.refuse(Refusal::NotFound { what: "session" }).await;
    };
    let token = visit.token();
    let ended = visit
        .state
        .run_as_visitor(&visit.request, visit.token(), move |service, conn, at, _| {
            app::session::end_own(service, conn, at, &token, session)
        })
        .await;
    match ended {
        Ok((visitor, ())) if visitor.login.session == session => logged_out(&visit.state, "logged-out", ""),
        _ => visit.done(ended, "/console/account/sessions?said=session-ended"),
    }
}

/// `POST /console/account/sessions/end-all`: this one, too.
pub(super) async fn end_all(Posted { visit, .. }: Posted) -> HttpResponse {
    let token = visit.token();
    let ended = visit
        .state
        .run(&visit.request, move |service, conn, at| app::session::end_all_own(service, conn, at, &token))
        .await;
    match ended {
        Ok(()) => logged_out(&visit.state, "logged-out-everywhere", ""),
        Err(stop) => visit.stopped(&stop),
    }
}

/// `POST /console/account/devices/forget`.
pub(super) async fn forget_devices(Posted { visit, .. }: Posted) -> HttpResponse {
    let token = visit.token();
    let done = visit
        .state
        .run(&visit.request, move |service, conn, at| app::console::forget_devices(service, conn, at, &token))
        .await;
    visit.done(done, "/console/account?said=devices-forgotten")
}

/// `GET /console/account/password`.
pub(super) async fn show_password(visit: Visit) -> HttpResponse {
    let found = visit.state.run_as_visitor(&visit.request, visit.token(), |_, _, _, _| Ok(())).await;
    visit.page(found, "password", |frame, _, ()| PasswordPage { frame, errors: Errors::default() })
}

/// `POST /console/account/password`: the old password, a code, and the new password twice.
pub(super) async fn password(Posted { visit, form }: Posted) -> HttpResponse {
    let visitor = match visit.state.run_as_visitor(&visit.request, visit.token(), |_, _, _, _| Ok(())).await {
        Ok((visitor, ())) => visitor,
        Err(stop) => return visit.stopped(&stop),
    };
    let wanted = new_password(&form).map_err(Refusal::from).and_then(|new| {
        let current = PasswordRequest {
            username: UserName::parse(&visitor.user.name)?,
            password: Password::typed(form.raw("current")).map_err(|_| not_the_password())?,
            scope: None,
            audience: None,
            details: Details::default(),
            trusted_device: None,
        };
        Ok((new, current, code_of(&form)?))
    });
    let token = visit.token();
    let changed = match wanted {
        Ok((new, current, otp)) => {
            visit
                .state
                .run_with_password(&visit.request, move |service, conn, at| {
                    app::login::password(service, conn, at, Asker::Console, &current)
                        .map_err(wrong_password)?;
                    app::verify::step_up(service, conn, at, &token, &otp)?;
                    app::console::change_password(service, conn, at, &token, &new)
                })
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match changed {
        Ok(()) => see_other("/console/account?said=password-changed"),
        Err(stop) => {
            let frame = visit.frame(&visitor, "password");
            match why_at(&frame, &stop, "error-code") {
                Some(errors) => render(outcome(&stop).0, &PasswordPage { frame, errors }),
                None => visit.stopped(&stop),
            }
        }
    }
}

/// Which of the two was wrong.
fn wrong_password(stop: Stop) -> Stop {
    match stop {
        Stop::Refused(Refusal::InvalidGrant) => not_the_password().into(),
        other => other,
    }
}

fn not_the_password() -> Invalid {
    Invalid::new("current", "is not the password")
}
