//! `/console/approvals`: resets that a help desk asked for and another person decides.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::{HELP, LOOK};
use crate::app;
use crate::app::console::Visitor;
use crate::app::context::Stop;
use crate::app::reset::Waiting;
use crate::domain::id::{ResetRequestId, UserId};
use crate::domain::refusal::Refusal;
use crate::domain::user::{Role, User};
use crate::http::console::frame::{ConfirmPage, Frame};
use crate::http::console::sign_in::{code_of, why};
use crate::http::console::{Posted, Visit, render, see_other};
use crate::http::problem::outcome;

const OVER: &str = "/console/approvals?said=approval-over";

/// What waits.
#[derive(Template)]
#[template(path = "approvals.html")]
struct ApprovalsPage {
    frame: Frame,
    waiting: Vec<Waiting>,
    own: UserId,
    /// Whether the viewer decides at all.
    may_decide: bool,
    /// Whether that reaches managers.
    is_admin: bool,
}

impl ApprovalsPage {
    fn reaches(&self, user: &User) -> bool {
        self.may_decide && (self.is_admin || user.role == Role::User)
    }
}

/// `GET /console/approvals`.
pub(super) async fn list(visit: Visit) -> HttpResponse {
    let found = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), LOOK, |_, conn, at, _| {
            app::reset::waiting(conn, at)
        })
        .await;
    visit.page(found, "approvals", |frame, visitor, waiting| ApprovalsPage {
        frame,
        waiting,
        own: visitor.user.id,
        may_decide: HELP.allows(visitor.user.role),
        is_admin: visitor.user.role == Role::Admin,
    })
}

fn confirm_page(frame: Frame, waiting: &Waiting, error: Option<String>) -> ConfirmPage {
    ConfirmPage {
        is_grave: true,
        title: frame.with("approve-title", "name", &waiting.user.name),
        consequences: vec![
            frame.with("approve-asked", "name", &waiting.asked_by.name),
            frame.with("deed-reset-what", "name", &waiting.user.name),
            frame.t("deed-reset-next"),
        ],
        action: format!("/console/approvals/{}/approve", waiting.id),
        button: frame.t("approve-button"),
        back: "/console/approvals".to_owned(),
        error,
        hidden: Vec::new(),
        frame,
    }
}

async fn find(visit: &Visit, id: ResetRequestId) -> Result<(Visitor, Waiting), Stop> {
    let (visitor, waiting) = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), LOOK, move |_, conn, at, manager| {
            let waiting = app::reset::find_waiting(conn, at, id)?;
            manager.must_reach(waiting.user.role)?;
            Ok(waiting)
        })
        .await?;
    if !HELP.allows(visitor.user.role) {
        return Err(Refusal::InsufficientScope { needed: HELP.scope }.into());
    }
    Ok((visitor, waiting))
}

/// Somebody else was faster, or a day is over; everything else is said as always.
fn over(visit: &Visit, stop: &Stop) -> HttpResponse {
    match stop {
        Stop::Refused(Refusal::NotFound { .. }) => see_other(OVER),
        _ => visit.stopped(stop),
    }
}

/// `GET /console/approvals/{id}/approve`.
pub(super) async fn ask(visit: Visit, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<ResetRequestId>() else { return see_other(OVER) };
    match find(&visit, id).await {
        Err(stop) => over(&visit, &stop),
        found => visit.page(found, "approvals", |frame, _, waiting| confirm_page(frame, &waiting, None)),
    }
}

/// `POST /console/approvals/{id}/approve`, with a code.
pub(super) async fn approve(Posted { visit, form }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<ResetRequestId>() else { return see_other(OVER) };
    let (visitor, waiting) = match find(&visit, id).await {
        Ok(found) => found,
        Err(stop) => return over(&visit, &stop),
    };
    let done = match code_of(&form) {
        Ok(otp) => {
            visit
                .state
                .run_with_code(&visit.request, visit.token(), otp, HELP, move |service, conn, at, _| {
                    app::reset::approve(service, conn, at, id)
                })
                .await
        }
        Err(refusal) => Err(refusal.into()),
    };
    match done {
        Ok(_) => see_other("/console/approvals?said=reset-approved"),
        Err(stop) => {
            let frame = visit.frame(&visitor, "approvals");
            match why(&frame, &stop, "error-code") {
                Some(error) => render(outcome(&stop).0, &confirm_page(frame, &waiting, Some(error))),
                None => over(&visit, &stop),
            }
        }
    }
}

/// `POST /console/approvals/{id}/decline`.
pub(super) async fn decline(Posted { visit, .. }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<ResetRequestId>() else { return see_other(OVER) };
    let done = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), HELP, move |service, conn, at, _| {
            app::reset::decline(service, conn, at, id)
        })
        .await;
    match done {
        Ok(_) => see_other("/console/approvals?said=reset-declined"),
        Err(stop) => over(&visit, &stop),
    }
}
