//! `/console/keys`: the keys that sign tokens; the next one takes over on schedule, by hand, or in an emergency.

use actix_web::HttpResponse;
use actix_web::web::{ServiceConfig, post};
use askama::Template;

use crate::app;
use crate::app::console::Visitor;
use crate::app::context::Stop;
use crate::app::key::{Leaked, StoredKey};
use crate::app::manage::Needs;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::token::{KeyState, SigningAlgorithm};
use crate::http::console::frame::{ConfirmPage, Frame};
use crate::http::console::sign_in::{code_of, why};
use crate::http::console::{Posted, Visit, parameter, render, see_other};
use crate::http::problem::outcome;
use crate::http::{on, read};

const KEYS: &str = "/console/keys";

const REVOKE: &str = "/console/keys/revoke";

/// The pages of this file.
pub(super) fn pages(config: &mut ServiceConfig) {
    config
        .service(on(KEYS, "GET, HEAD").route(read().to(show)))
        .service(on("/console/keys/rotate", "POST").route(post().to(rotate)))
        .service(on(REVOKE, "GET, HEAD, POST").route(read().to(show_revoke)).route(post().to(revoke)));
}

/// All keys.
#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    frame: Frame,
    keys: Vec<KeyRow>,
    /// Whether one of them is for ID tokens.
    signs_id_tokens: bool,
    may_change: bool,
    algorithms: [SigningAlgorithm; SigningAlgorithm::OF_ACCESS_TOKENS.len()],
}

/// A key without its private half.
struct KeyRow {
    kid: String,
    algorithm: SigningAlgorithm,
    state: KeyState,
    created_at: Timestamp,
    activated_at: Option<Timestamp>,
    retired_at: Option<Timestamp>,
    /// Whether applications take what it signed.
    is_published: bool,
}

/// `GET /console/keys`.
async fn show(visit: Visit) -> HttpResponse {
    let found = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            |_, conn, at, manager| {
                let keys = app::key::list(conn)?.into_iter().map(|key| KeyRow {
                    is_published: app::key::is_published(&key, at.now),
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
    visit.page(found, "keys", |frame, _, (keys, may_change): (Vec<KeyRow>, bool)| KeysPage {
        frame,
        signs_id_tokens: keys.iter().any(|key| key.algorithm == SigningAlgorithm::Rs256),
        keys,
        may_change,
        algorithms: SigningAlgorithm::OF_ACCESS_TOKENS,
    })
}

/// `POST /console/keys/rotate`: what was signed stays good. Twice in a row it does nothing: the key that would sign then is one that hardly anybody
/// knows.
async fn rotate(Posted { visit, form }: Posted) -> HttpResponse {
    let algorithm = match form.text("algorithm") {
        "" => None,
        word => match SigningAlgorithm::of_access_tokens(word) {
            Ok(algorithm) => Some(algorithm),
            Err(invalid) => return visit.refuse(invalid).await,
        },
    };
    let rotated = visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients"),
            move |service, conn, at, _| app::key::rotate_to_known(service, conn, at, algorithm),
        )
        .await;
    let is_too_young = matches!(rotated, Ok((_, None)));
    let said = if is_too_young { "keys-too-young" } else { "keys-rotated" };
    visit.done(rotated, &format!("{KEYS}?said={said}"))
}

/// The word for all keys, in the place of one's name.
const ALL: &str = "all";

/// What a form shall revoke.
enum Revoking {
    One(StoredKey),
    All,
}

impl Revoking {
    fn leaked(self) -> Leaked {
        match self {
            Self::One(key) => Leaked::These(vec![key.kid]),
            Self::All => Leaked::All,
        }
    }

    /// The form names the key that its page did, whichever signs by then.
    fn page(&self, frame: Frame, error: Option<String>) -> ConfirmPage {
        let (named, title, what, replaced) = match self {
            Self::All => (ALL, frame.t("revoke-keys-title"), "revoke-keys-tokens", Some("revoke-keys-next")),
            Self::One(key) => {
                let title = frame.with("revoke-key-title", "key", &key.kid);
                let replaced = match key.state {
                    KeyState::Current if key.algorithm == SigningAlgorithm::Rs256 => {
                        Some("revoke-id-token-key-next")
                    }
                    KeyState::Current => Some("revoke-key-next"),
                    KeyState::Next => Some("revoke-next-key-next"),
                    KeyState::Retired | KeyState::Revoked => None,
                };
                (key.kid.as_str(), title, "revoke-key-tokens", replaced)
            }
        };
        let consequences = [Some(what), replaced, Some("revoke-key-checks"), Some("revoke-key-when")];
        ConfirmPage {
            is_grave: true,
            title,
            consequences: consequences.into_iter().flatten().map(|key| frame.t(key)).collect(),
            action: REVOKE.to_owned(),
            button: frame.t(if named == ALL { "revoke-keys-button" } else { "revoke-key-button" }),
            back: KEYS.to_owned(),
            error,
            hidden: vec![("key", named.to_owned())],
            frame,
        }
    }
}

/// Looks up what is to be revoked, for whoever may: one key by its name, or [`ALL`]. By nothing: the key that signs now.
async fn look(visit: &Visit, named: String) -> Result<(Visitor, Revoking), Stop> {
    visit
        .state
        .run_as_managing_visitor(
            &visit.request,
            visit.token(),
            Needs::scope("clients:read"),
            move |_, conn, _, manager| {
                manager.must("clients")?;
                if named == ALL {
                    return Ok(Revoking::All);
                }
                let kid = Some(named.as_str()).filter(|kid| !kid.is_empty());
                Ok(Revoking::One(app::key::find(conn, kid)?))
            },
        )
        .await
}

/// `GET /console/keys/revoke`: what will happen.
async fn show_revoke(visit: Visit) -> HttpResponse {
    let found = look(&visit, parameter(&visit.request, "key").unwrap_or_default()).await;
    visit.page(found, "keys", |frame, _, revoking| revoking.page(frame, None))
}

/// `POST /console/keys/revoke`, with a code.
async fn revoke(Posted { visit, form }: Posted) -> HttpResponse {
    let (visitor, revoking) = match look(&visit, form.text("key").to_owned()).await {
        Ok(found) => found,
        Err(stop) => return visit.stopped(&stop),
    };
    // Made before it is known whether it is wanted: the other hop takes the key along.
    let again = revoking.page(visit.frame(&visitor, "keys"), None);
    let leaked = revoking.leaked();
    let said = if leaked == Leaked::All { "keys-revoked" } else { "key-revoked" };
    let revoked = match code_of(&form) {
        Ok(otp) => {
            visit
                .state
                .run_with_code(
                    &visit.request,
                    visit.token(),
                    otp,
                    Needs::scope("clients"),
                    move |service, conn, at, _| app::key::revoke(service, conn, at, &leaked),
                )
                .await
        }
        Err(refusal) => Err(Refusal::into(refusal)),
    };
    match revoked {
        Ok(_) => see_other(&format!("{KEYS}?said={said}")),
        Err(stop) => match why(&again.frame, &stop, "error-code") {
            Some(error) => render(outcome(&stop).0, &ConfirmPage { error: Some(error), ..again }),
            None => visit.stopped(&stop),
        },
    }
}
