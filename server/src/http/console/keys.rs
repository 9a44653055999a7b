//! `/console/keys`: the keys that sign tokens; the next one takes over on schedule, by hand, or in an emergency.

use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, get, post};
use askama::Template;

use crate::app;
use crate::app::manage::Needs;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::token::{KeyState, SigningAlgorithm};
use crate::http::console::frame::{ConfirmPage, Frame};
use crate::http::console::sign_in::{code_of, why};
use crate::http::console::{Posted, Visit, render, see_other};
use crate::http::on;
use crate::http::problem::outcome;

const KEYS: &str = "/console/keys";

const REVOKE: &str = "/console/keys/revoke";

/// The pages of this file.
pub(super) fn pages(config: &mut ServiceConfig) {
    config
        .service(on(KEYS, "GET").route(get().to(show)))
        .service(on("/console/keys/rotate", "POST").route(post().to(rotate)))
        .service(on(REVOKE, "GET, POST").route(get().to(show_revoke)).route(post().to(revoke)));
}

/// All keys.
#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    keys: Vec<KeyRow>,
    may_change: bool,
    algorithms: [SigningAlgorithm; SigningAlgorithm::ALL.len()],
}

/// A key without its private half.
struct KeyRow {
    kid: String,
    algorithm: SigningAlgorithm,
    state: KeyState,
    created_at: Timestamp,
    activated_at: Option<Timestamp>,
    retired_at: Option<Timestamp>,
}

/// `GET /console/keys`.
async fn show(visit: Visit) -> HttpResponse {
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            |_, conn, _, manager| {
                let keys = app::key::list(conn)?.into_iter().map(|key| KeyRow {
                    kid: key.kid,
                    algorithm: key.algorithm,
                    state: key.state,
                    created_at: key.created_at,
                    activated_at: key.activated_at,
                    retired_at: key.retired_at,
                });
                Ok((keys.collect(), manager.may("clients")))
            },
        )
        .await;
    visit.page(found, "keys", |frame, _, (keys, may_change)| KeysPage {
        frame,
        keys,
        may_change,
        algorithms: SigningAlgorithm::ALL,
    })
}

/// `POST /console/keys/rotate`: what was signed stays good.
async fn rotate(Posted { visit, form }: Posted) -> HttpResponse {
    let algorithm = match form.text("algorithm") {
        "" => None,
        word => match word.parse::<SigningAlgorithm>() {
            Ok(algorithm) => Some(algorithm),
            Err(invalid) => return visit.stopped(&invalid.into()),
        },
    };
    let rotated = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients"),
            move |service, conn, at, _| app::key::rotate(service, conn, at, algorithm),
        )
        .await;
    visit.done(rotated, "/console/keys?said=keys-rotated")
}

fn revoke_page(frame: Frame, error: Option<String>) -> ConfirmPage {
    ConfirmPage {
        title: frame.t("revoke-key-title"),
        consequences: ["revoke-key-tokens", "revoke-key-next", "revoke-key-checks", "revoke-key-when"]
            .map(|key| frame.t(key))
            .into(),
        action: REVOKE.to_owned(),
        button: frame.t("revoke-key-button"),
        back: KEYS.to_owned(),
        error,
        hidden: Vec::new(),
        frame,
    }
}

/// `GET /console/keys/revoke`: what will happen.
async fn show_revoke(visit: Visit) -> HttpResponse {
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            |_, _, _, manager| Ok(manager.must("clients")?),
        )
        .await;
    visit.page(found, "keys", |frame, _, ()| revoke_page(frame, None))
}

/// `POST /console/keys/revoke`, with a code.
async fn revoke(Posted { visit, form }: Posted) -> HttpResponse {
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            |_, _, _, manager| Ok(manager.must("clients")?),
        )
        .await;
    let visitor = match found {
        Ok((visitor, ())) => visitor,
        Err(stop) => return visit.stopped(&stop),
    };
    let revoked = match code_of(&form) {
        Ok(otp) => {
            visit
                .state
                .run_with_code(
                    &visit.request,
                    visit.token(),
                    otp,
                    Needs::scope("clients"),
                    |service, conn, at, _| app::key::revoke_current(service, conn, at),
                )
                .await
        }
        Err(refusal) => Err(Refusal::into(refusal)),
    };
    match revoked {
        Ok(_) => see_other("/console/keys?said=key-revoked"),
        Err(stop) => {
            let frame = visit.frame(&visitor, "keys");
            match why(&frame, &stop, "error-code") {
                Some(error) => render(outcome(&stop).0, &revoke_page(frame, Some(error))),
                None => visit.stopped(&stop),
            }
        }
    }
}
