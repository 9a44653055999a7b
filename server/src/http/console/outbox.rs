//! `/console/outbox`: mails on their way. What they say is never shown: it may be an invitation's link.

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig, post};
use askama::Template;

use crate::app;
use crate::app::manage::Needs;
use crate::domain::id::MailId;
use crate::domain::notice::{MailState, MailSummary};
use crate::domain::refusal::Refusal;
use crate::http::console::frame::Frame;
use crate::http::console::{Posted, Visit, parameter};
use crate::http::{on, read};

const OUTBOX: &str = "/console/outbox";

/// Mails on one page.
const ROWS: i64 = 50;

/// The pages of this file.
pub(super) fn pages(config: &mut ServiceConfig) {
    config
        .service(on(OUTBOX, "GET, HEAD").route(read().to(show)))
        .service(on("/console/outbox/retry", "POST").route(post().to(retry_all)))
        .service(on("/console/outbox/{id}/retry", "POST").route(post().to(retry)));
}

/// A page of mails.
#[derive(Template)]
#[template(path = "outbox.html")]
struct OutboxPage {
    frame: Frame,
    mails: Vec<MailSummary>,
    waiting: i64,
    failed: i64,
    /// The state that is shown alone.
    state: Option<MailState>,
    /// Where the next page begins.
    next: Option<MailId>,
    may_retry: bool,
}

/// `GET /console/outbox`.
async fn show(visit: Visit) -> HttpResponse {
    let only: Option<MailState> = parameter(&visit.request, "state").and_then(|word| word.parse().ok());
    let before: Option<MailId> = parameter(&visit.request, "before").and_then(|id| id.parse().ok());
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("audit:read"),
            move |_, conn, _, manager| {
                Ok((
                    app::outbox::page(conn, before, only, ROWS + 1)?,
                    app::outbox::count(conn, MailState::Waiting)?,
                    app::outbox::count(conn, MailState::Failed)?,
                    manager.may("users"),
                ))
            },
        )
        .await;
    visit.page(found, "outbox", |frame, _, (mut mails, waiting, failed, may_retry)| {
        let rows = usize::try_from(ROWS).unwrap_or(usize::MAX);
        let has_more = mails.len() > rows;
        mails.truncate(rows);
        let next = mails.last().filter(|_| has_more).map(|mail| mail.id);
        OutboxPage { frame, mails, waiting, failed, state: only, next, may_retry }
    })
}

/// `POST /console/outbox/{id}/retry`.
async fn retry(Posted { visit, .. }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<MailId>() else {
        return visit.refuse(Refusal::NotFound { what: "mail" }).await;
    };
    let retried = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("users"),
            move |service, conn, at, _| app::outbox::retry(service, conn, at, id),
        )
        .await;
    visit.done(retried, "/console/outbox?said=mail-retried")
}

/// `POST /console/outbox/retry`: all that were not sent.
async fn retry_all(Posted { visit, .. }: Posted) -> HttpResponse {
    let retried = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("users"),
            |service, conn, at, _| app::outbox::retry_all(service, conn, at),
        )
        .await;
    visit.done(retried, "/console/outbox?said=mails-retried")
}
