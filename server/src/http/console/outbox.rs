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

/// What mails are tried again with.
const CHANGE: Needs = Needs::scope("users");

/// Mails on one page.
const ROWS: i64 = 50;

/// The pages of this file.
pub(super) fn pages(config: &mut ServiceConfig) {
    config
        .service(on(OUTBOX, "GET, HEAD").route(read().to(show)))
        .service(on("/console/outbox/retry", "POST").route(post().to(retry_waiting)))
        .service(
            on("/console/outbox/given-up", "GET, HEAD, POST")
                .route(read().to(ask_given_up))
                .route(post().to(retry_given_up)),
        )
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
    /// Where this page begins, where it is not the first.
    before: Option<MailId>,
    /// Where the next page begins.
    next: Option<MailId>,
    may_retry: bool,
}

/// What it means to try again what was given up.
#[derive(Template)]
#[template(path = "outbox_given_up.html")]
struct GivenUpPage {
    frame: Frame,
    /// Mails that would go out.
    mails: i64,
    /// Invitations that lead nowhere any more.
    void: i64,
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
        OutboxPage { frame, mails, waiting, failed, state: only, before, next, may_retry }
    })
}

/// `POST /console/outbox/{id}/retry`: leads back to the part of the list that the mail was found in.
async fn retry(Posted { visit, form }: Posted, path: web::Path<String>) -> HttpResponse {
    let Ok(id) = path.parse::<MailId>() else {
        return visit.refuse(Refusal::NotFound { what: "mail" }).await;
    };
    let state = form.text("state").parse::<MailState>().ok().map(|state| ("state", state.to_string()));
    let before = form.text("before").parse::<MailId>().ok().map(|before| ("before", before.to_string()));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(state.into_iter().chain(before))
        .append_pair("said", "mail-retried")
        .finish();
    let retried = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), CHANGE, move |service, conn, at, _| {
            app::outbox::retry(service, conn, at, id)
        })
        .await;
    visit.done(retried, &format!("{OUTBOX}?{query}"))
}

/// `POST /console/outbox/retry`: all that wait.
async fn retry_waiting(Posted { visit, .. }: Posted) -> HttpResponse {
    let retried = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), CHANGE, |service, conn, at, _| {
            app::outbox::retry_waiting(service, conn, at)
        })
        .await;
    visit.done(retried, "/console/outbox?said=mails-retried")
}

/// `GET /console/outbox/given-up`: how many mails would go out, however old.
async fn ask_given_up(visit: Visit) -> HttpResponse {
    let found = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), CHANGE, |_, conn, at, _| {
            Ok((app::outbox::count_given_up(conn, at)?, app::outbox::count(conn, MailState::Failed)?))
        })
        .await;
    visit.page(found, "outbox", |frame, _, (mails, failed)| GivenUpPage {
        frame,
        mails,
        void: failed - mails,
    })
}

/// `POST /console/outbox/given-up`.
async fn retry_given_up(Posted { visit, .. }: Posted) -> HttpResponse {
    let retried = visit
        .state
        .run_as_managing_visitor(&visit.request, visit.token(), CHANGE, |service, conn, at, _| {
            app::outbox::retry_given_up(service, conn, at)
        })
        .await;
    visit.done(retried, "/console/outbox?said=given-up-retried")
}
