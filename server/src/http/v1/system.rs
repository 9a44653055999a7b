//! Signing keys and the audit log.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app;
use crate::app::audit::Filter;
use crate::app::context::Stop;
use crate::app::manage::Needs;
use crate::domain::audit::Entry;
use crate::domain::refusal::Invalid;
use crate::domain::token::SigningAlgorithm;
use crate::http::state::State;
use crate::http::v1::{Page, Paging, Query, Refused, json, reply};

/// A signing key, without its private half.
#[derive(Serialize, ToSchema)]
pub(super) struct KeyView {
    /// The thumbprint.
    kid: String,
    /// `EdDSA` or `ES256`.
    alg: &'static str,
    /// `next`, `current`, `retired` or `revoked`.
    state: &'static str,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339; null before it signs.
    activated_at: Option<String>,
    /// RFC 3339; null while it may sign.
    retired_at: Option<String>,
}

/// Lists signing keys, the youngest first.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", operation_id = "listKeys",
    responses((status = 200, body = Vec<KeyView>), Refused), security(("management" = ["clients:read"])))]
pub(super) async fn keys(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome = state
        .into_inner()
        .run_as_manager(&request, Needs::scope("clients:read"), |_, conn, _, _| {
            let view = app::key::list(conn)?.into_iter().map(|key| KeyView {
                kid: key.kid,
                alg: key.algorithm.as_str(),
                state: key.state.as_str(),
                created_at: key.created_at.to_string(),
                activated_at: key.activated_at.map(|at| at.to_string()),
                retired_at: key.retired_at.map(|at| at.to_string()),
            });
            Ok(view.collect::<Vec<_>>())
        })
        .await;
    reply(StatusCode::OK, outcome)
}

/// How to rotate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub(super) struct RotateBody {
    /// How the new next key signs; as the one before it when left out.
    algorithm: Option<String>,
    /// In an emergency: the current key and all that it signed is good no more.
    revoke: Option<bool>,
}

/// What signs now.
#[derive(Serialize, ToSchema)]
pub(super) struct RotatedView {
    /// The key that signs from now on.
    kid: String,
    /// Keys that were revoked.
    revoked: Vec<String>,
}

/// Signs with the next key from now on.
#[utoipa::path(post, path = "/v1/keys/rotate", tag = "keys", operation_id = "rotateKeys", request_body = RotateBody,
    responses((status = 200, body = RotatedView), Refused), security(("management" = ["clients"])))]
pub(super) async fn rotate(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let body: RotateBody = match json(&mut payload).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let outcome: Result<_, Stop> = async {
        let algorithm = body.algorithm.as_deref().map(str::parse::<SigningAlgorithm>).transpose()?;
        let revoke = body.revoke == Some(true);
        if revoke && algorithm.is_some() {
            return Err(Invalid::new("algorithm", "does not go with revoke").into());
        }
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("clients"), move |service, conn, at, _| {
                if revoke {
                    return app::key::revoke_current(service, conn, at);
                }
                app::key::rotate(service, conn, at, algorithm).map(|kid| (kid, Vec::new()))
            })
            .await
    }
    .await;
    reply(StatusCode::OK, outcome.map(|(kid, revoked)| RotatedView { kid, revoked }))
}

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
pub(super) struct EntryView {
    /// Counts from 1 without gaps.
    seq: i64,
    /// RFC 3339.
    at: String,
    /// Who: a word, or `word:id`.
    #[schema(example = "client:01a0aaaa-0000-7000-8000-000000000001")]
    actor: String,
    /// What.
    #[schema(example = "user.added")]
    action: String,
    /// To whom: `kind:id`.
    subject: Option<String>,
    /// `done`, or `refused: why`.
    #[schema(example = "done")]
    outcome: String,
    /// From where.
    address: Option<String>,
    /// More, as `key=value` words.
    detail: Option<String>,
}

impl From<&Entry> for EntryView {
    fn from(entry: &Entry) -> Self {
        Self {
            seq: entry.seq,
            at: entry.at.to_string(),
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            subject: entry.subject.clone(),
            outcome: entry.outcome.clone(),
            address: entry.address.clone(),
            detail: entry.detail.clone(),
        }
    }
}

/// Reads the audit log, the youngest entry first.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", operation_id = "readAudit",
    params(Paging, ("action" = Option<String>, Query, description = "Only this action"),
        ("subject" = Option<String>, Query, description = "Only this subject, as `user:ID`")),
    responses((status = 200, body = Page<EntryView>), Refused), security(("management" = ["audit:read"])))]
pub(super) async fn audit(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome: Result<_, Stop> = async {
        let query = Query::read(&request, &["action", "subject"])?;
        let before = match &query.after {
            None => i64::MAX,
            Some(text) => {
                text.parse().map_err(|_| Invalid::new("cursor", "is not one of an earlier page"))?
            }
        };
        let filter = Filter {
            action: query.get("action").map(str::to_owned),
            subject: query.get("subject").map(str::to_owned),
        };
        let rows = query.rows();
        let entries = state
            .into_inner()
            .run_as_manager(&request, Needs::scope("audit:read"), move |_, conn, _, _| {
                app::audit::page(conn, before, &filter, rows)
            })
            .await?;
        Ok(Page::of(entries, &query, |entry| entry.seq.to_string(), |entry| EntryView::from(entry)))
    }
    .await;
    reply(StatusCode::OK, outcome)
}
