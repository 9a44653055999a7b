//! `/console/users/{id}/authenticators/{factor}`: what managers do to one authenticator of a user, as the management API does it.

use actix_web::{HttpResponse, web};
use askama::Template;
use mobile_core::Code;

use super::{HELP, LOOK, no_user};
use crate::app;
use crate::app::console::Visitor;
use crate::app::context::Stop;
use crate::domain::factor::{FactorState, Mechanism, Summary};
use crate::domain::id::{FactorId, UserId};
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::user::{Role, User};
use crate::http::console::frame::{ConfirmPage, Frame};
use crate::http::console::sign_in::{code_of, why};
use crate::http::console::{Form, Posted, Visit, render, see_other};
use crate::http::problem::outcome;

/// One authenticator, and whose it is.
struct Found {
    user: User,
    factor: Summary,
    /// Whether there is no other one in use.
    is_last: bool,
}

impl Found {
    fn page(&self) -> String {
        format!("/console/users/{}/authenticators/{}", self.user.id, self.factor.id)
    }

    fn is_active(&self) -> bool {
        self.factor.state == FactorState::Active
    }
}

/// The page.
#[derive(Template)]
#[template(path = "user_authenticator.html")]
struct FactorPage {
    frame: Frame,
    found: Found,
    /// Who looks.
    viewer: Role,
    error: Option<String>,
}

impl FactorPage {
    fn new(frame: Frame, visitor: &Visitor, found: Found, error: Option<String>) -> Self {
        Self { frame: frame.or_at(found.page()), found, viewer: visitor.user.role, error }
    }

    /// Whether it can run ahead, so that two codes bring it back.
    fn is_by_counter(&self) -> bool {
        matches!(self.found.factor.mechanism, Mechanism::Hotp(_))
    }

    /// Whether only a reset takes it, which another person approves. It is decided again where it is done.
    fn needs_approval(&self) -> bool {
        self.frame.approvals && self.viewer == Role::Helpdesk && self.found.is_active() && self.found.is_last
    }
}

/// What somebody's authenticator is, for whoever may help.
async fn find(visit: &Visit, id: UserId, factor: FactorId) -> Result<(Visitor, Found), Stop> {
    let (visitor, found) = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), LOOK, move |_, conn, at, manager| {
            let name = app::directory::name_of(conn, id)?;
            let user = manager.find_user(conn, &name)?;
            let factors = app::factor::list(conn, at, &name)?;
            let is_last =
                !factors.iter().any(|other| other.id != factor && other.state == FactorState::Active);
            let factor = factors.into_iter().find(|own| own.id == factor).ok_or_else(no_factor)?;
            Ok(Found { user, factor, is_last })
        })
        .await?;
    if !HELP.allows(visitor.user.role) {
        return Err(Refusal::InsufficientScope { needed: HELP.scope }.into());
    }
    Ok((visitor, found))
}

/// `GET /console/users/{id}/authenticators/{factor}`.
pub(super) async fn show(visit: Visit, path: web::Path<(String, String)>) -> HttpResponse {
    let (id, factor) = match ids(&path) {
        Ok(ids) => ids,
        Err(stop) => return visit.stopped(&stop),
    };
    let found = find(&visit, id, factor).await;
    visit.page(found, "users", |frame, visitor, found| FactorPage::new(frame, visitor, found, None))
}

/// What somebody reads out.
enum Read {
    /// The first code of one that is pending.
    First(Code),
    /// Two codes of one that counts, one after the other.
    Two(Code, Code),
}

impl Read {
    fn of(form: &Form) -> Result<Self, Invalid> {
        let code = |name: &'static str| {
            Code::parse(form.text(name)).map_err(|_| Invalid::new(name, "must be 6 to 8 digits 0 to 9"))
        };
        if form.fields.optional("code").is_some() {
            return Ok(Self::First(code("code")?));
        }
        Ok(Self::Two(code("first")?, code("second")?))
    }

    /// What is said where they are wrong.
    const fn error(&self) -> &'static str {
        match self {
            Self::First(_) => "error-read-out",
            Self::Two(..) => "error-two-codes",
        }
    }
}

/// `POST /console/users/{id}/authenticators/{factor}`: confirms it by its first code, or brings it back by two.
pub(super) async fn check(Posted { visit, form }: Posted, path: web::Path<(String, String)>) -> HttpResponse {
    let (id, factor) = match ids(&path) {
        Ok(ids) => ids,
        Err(stop) => return visit.stopped(&stop),
    };
    let (visitor, found) = match find(&visit, id, factor).await {
        Ok(found) => found,
        Err(stop) => return visit.stopped(&stop),
    };
    let read = Read::of(&form);
    let wrong = read.as_ref().map_or("", Read::error);
    let done = match read {
        Ok(read) => {
            visit
                .state
                .run_as_managing_visitor(&visit.request, visit.token(), HELP, move |service, conn, at, _| {
                    let name = app::directory::name_of(conn, id)?;
                    let factor = Some(factor);
                    Ok(match read {
                        Read::First(code) => {
                            app::factor::confirm(service, conn, at, &name, factor, &code)?;
                            "user-authenticator-confirmed"
                        }
                        Read::Two(first, second) => {
                            let codes = (&first, &second);
                            app::factor::resynchronise(service, conn, at, &name, factor, codes)?;
                            "user-authenticator-resynchronised"
                        }
                    })
                })
                .await
        }
        Err(invalid) => Err(invalid.into()),
    };
    match done {
        Ok((_, said)) => see_other(&format!("/console/users/{id}?said={said}")),
        Err(stop) => {
            let frame = visit.frame(&visitor, "users");
            match why(&frame, &stop, wrong) {
                Some(error) => {
                    render(outcome(&stop).0, &FactorPage::new(frame, &visitor, found, Some(error)))
                }
                None => visit.stopped(&stop),
            }
        }
    }
}

/// The page before it.
fn remove_page(frame: Frame, visitor: &Visitor, found: &Found, error: Option<String>) -> ConfirmPage {
    let label = frame.label(&found.factor);
    let mut consequences = vec![frame.with("deed-authenticator-what", "label", &label)];
    if found.is_active() {
        consequences.push(frame.t("deed-authenticator-sessions"));
        let next = if found.is_last { "deed-authenticator-last" } else { "deed-authenticator-others" };
        consequences.push(frame.t(next));
    }
    if visitor.user.id == found.user.id {
        consequences.push(frame.t("deed-own"));
    }
    ConfirmPage {
        is_grave: true,
        title: frame.with("deed-authenticator-title", "name", &found.user.name),
        consequences,
        action: format!("{}/remove", found.page()),
        button: frame.t("remove-factor-button"),
        back: found.page(),
        error,
        hidden: Vec::new(),
        frame,
    }
}

/// `GET /console/users/{id}/authenticators/{factor}/remove`: what will happen.
pub(super) async fn show_remove(visit: Visit, path: web::Path<(String, String)>) -> HttpResponse {
    let (id, factor) = match ids(&path) {
        Ok(ids) => ids,
        Err(stop) => return visit.stopped(&stop),
    };
    let found = find(&visit, id, factor).await;
    visit.page(found, "users", |frame, visitor, found| remove_page(frame, visitor, &found, None))
}

/// `POST /console/users/{id}/authenticators/{factor}/remove`, with a code of whoever removes it.
pub(super) async fn remove(
    Posted { visit, form }: Posted,
    path: web::Path<(String, String)>,
) -> HttpResponse {
    let (id, factor) = match ids(&path) {
        Ok(ids) => ids,
        Err(stop) => return visit.stopped(&stop),
    };
    let (visitor, found) = match find(&visit, id, factor).await {
        Ok(found) => found,
        Err(stop) => return visit.stopped(&stop),
    };
    let done = match code_of(&form) {
        Ok(otp) => {
            visit
                .state
                .run_with_code(&visit.request, visit.token(), otp, HELP, move |service, conn, at, _| {
                    let name = app::directory::name_of(conn, id)?;
                    app::factor::remove(service, conn, at, &name, factor)
                })
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match done {
        Ok(()) => see_other(&format!("/console/users/{id}?said=user-authenticator-removed")),
        Err(stop) => {
            let frame = visit.frame(&visitor, "users");
            match why(&frame, &stop, "error-code") {
                Some(error) => render(outcome(&stop).0, &remove_page(frame, &visitor, &found, Some(error))),
                None => visit.stopped(&stop),
            }
        }
    }
}

fn ids((id, factor): &(String, String)) -> Result<(UserId, FactorId), Stop> {
    Ok((id.parse().map_err(|_| no_user())?, factor.parse().map_err(|_| no_factor())?))
}

fn no_factor() -> Stop {
    Refusal::NotFound { what: "factor" }.into()
}
