//! `/console/users/{id}/authenticators/{factor}`: what managers do to one authenticator of a user, as the management API does it.

use actix_web::http::StatusCode;
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
use crate::http::console::authenticators::no_factor;
use crate::http::console::frame::{ConfirmPage, Frame};
use crate::http::console::sign_in::{code_at, code_of, why};
use crate::http::console::typed::Errors;
use crate::http::console::{Form, Posted, Visit, render, see_other};
use crate::http::problem::outcome;

/// One authenticator, and whose it is.
struct Found {
    user: User,
    factor: Summary,
    /// Whether it is in use and no other one is.
    is_last_active: bool,
}

impl Found {
    fn page(&self) -> String {
        format!("/console/users/{}/authenticators/{}", self.user.id, self.factor.id)
    }

    fn reset(&self) -> String {
        format!("/console/users/{}/reset", self.user.id)
    }

    fn is_active(&self) -> bool {
        self.factor.state == FactorState::Active
    }

    /// Whether only a reset takes it from them, which another person approves. It is decided again where it is done.
    fn needs_approval(&self, visit: &Visit, visitor: &Visitor) -> bool {
        let approvals = visit.state.service.console.reset_needs_approval;
        approvals && visitor.user.role == Role::Helpdesk && self.is_last_active
    }
}

/// The page.
#[derive(Template)]
#[template(path = "user_authenticator.html")]
struct FactorPage {
    frame: Frame,
    found: Found,
    needs_approval: bool,
    errors: Errors,
}

impl FactorPage {
    fn new(frame: Frame, found: Found, needs_approval: bool, errors: Errors) -> Self {
        Self { frame: frame.or_at(found.page()), found, needs_approval, errors }
    }

    /// Whether it can run ahead, so that two codes bring it back.
    fn is_by_counter(&self) -> bool {
        matches!(self.found.factor.mechanism, Mechanism::Hotp(_))
    }
}

/// The authenticator that an address names, for whoever may help; or the answer for whoever may not, or where there is none.
async fn target(visit: &Visit, (id, factor): &(String, String)) -> Result<(Visitor, Found), HttpResponse> {
    let Ok(id) = id.parse::<UserId>() else { return Err(visit.refuse(no_user()).await) };
    let Ok(factor) = factor.parse::<FactorId>() else { return Err(visit.refuse(no_factor()).await) };
    let found = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), LOOK, move |_, conn, at, manager| {
            let name = app::directory::name_of(conn, id)?;
            let user = manager.find_user(conn, &name)?;
            let factors = app::factor::list(conn, at, &name)?;
            let is_last_active = app::factor::is_last_active(&factors, factor);
            let factor = factors.into_iter().find(|own| own.id == factor).ok_or_else(no_factor)?;
            Ok(Found { user, factor, is_last_active })
        })
        .await;
    match found {
        Ok((visitor, _)) if !HELP.allows(visitor.user.role) => {
            Err(visit.stopped(&Refusal::InsufficientScope { needed: HELP.scope }.into()))
        }
        Ok(found) => Ok(found),
        Err(stop) => Err(visit.stopped(&stop)),
    }
}

/// `GET /console/users/{id}/authenticators/{factor}`.
pub(super) async fn show(visit: Visit, path: web::Path<(String, String)>) -> HttpResponse {
    let (visitor, found) = match target(&visit, &path).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let needs_approval = found.needs_approval(&visit, &visitor);
    let frame = visit.frame(&visitor, "users");
    render(StatusCode::OK, &FactorPage::new(frame, found, needs_approval, Errors::default()))
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
        if form.fields.optional("code").is_some() {
            return Ok(Self::First(code_at(form, "code")?));
        }
        Ok(Self::Two(code_at(form, "first")?, code_at(form, "second")?))
    }

    /// What is said where they are wrong, and at which field.
    const fn error(&self) -> (&'static str, &'static str) {
        match self {
            Self::First(_) => ("error-read-out", "code"),
            Self::Two(..) => ("error-two-codes", "first"),
        }
    }
}

/// `POST /console/users/{id}/authenticators/{factor}`: confirms it by its first code, or brings it back by two.
pub(super) async fn check(Posted { visit, form }: Posted, path: web::Path<(String, String)>) -> HttpResponse {
    let (visitor, found) = match target(&visit, &path).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let (id, factor) = (found.user.id, found.factor.id);
    let read = Read::of(&form);
    let (wrong, field) = match &read {
        Ok(read) => read.error(),
        // It names its field itself.
        Err(_) => ("", ""),
    };
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
                    let field = if let Stop::Refused(Refusal::Invalid(invalid)) = &stop {
                        invalid.field()
                    } else {
                        field
                    };
                    let needs_approval = found.needs_approval(&visit, &visitor);
                    let errors = Errors::of_one(field, error);
                    render(outcome(&stop).0, &FactorPage::new(frame, found, needs_approval, errors))
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
        let next = if found.is_last_active { "deed-authenticator-last" } else { "deed-authenticator-others" };
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
    let (visitor, found) = match target(&visit, &path).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    if found.needs_approval(&visit, &visitor) {
        return see_other(&found.reset());
    }
    let frame = visit.frame(&visitor, "users");
    render(StatusCode::OK, &remove_page(frame, &visitor, &found, None))
}

/// `POST /console/users/{id}/authenticators/{factor}/remove`, with a code of whoever removes it.
pub(super) async fn remove(
    Posted { visit, form }: Posted,
    path: web::Path<(String, String)>,
) -> HttpResponse {
    let (visitor, found) = match target(&visit, &path).await {
        Ok(found) => found,
        Err(answer) => return answer,
    };
    let (id, factor) = (found.user.id, found.factor.id);
    // Before the code is used up.
    if found.needs_approval(&visit, &visitor) {
        return see_other(&found.reset());
    }
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
