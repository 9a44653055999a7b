//! Signing keys and the audit log.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app;
use crate::app::audit::Filter;
use crate::app::key::Leaked;
use crate::app::manage::Needs;
use crate::domain::audit::Entry;
use crate::domain::refusal::Invalid;
use crate::domain::time::Timestamp;
use crate::domain::token::SigningAlgorithm;
use crate::http::v1::{
    BAD_CURSOR, BadBody, BadInput, Call, Missing, Page, Paging, Query, Refused, json, listing, managed, ok,
};

/// A signing key, without its private half.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "alg": "EdDSA", "signs": "access_tokens", "state": "current",
    "created_at": "2026-12-01T08:00:00Z", "activated_at": "2026-12-01T08:00:00Z", "retired_at": null
}))]
pub(super) struct KeyView {
    /// The thumbprint.
    kid: String,
    /// `EdDSA` or `ES256`; `RS256` for ID tokens.
    alg: &'static str,
    /// `access_tokens` or `id_tokens`: there is a current key for each.
    signs: &'static str,
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
#[utoipa::path(get, path = "/v1/keys", tag = "keys", operation_id = "listKeys", params(Paging),
    responses((status = 200, body = Page<KeyView>), Refused, BadInput), security(("management" = ["clients:read"])))]
pub(super) async fn keys(call: Call) -> HttpResponse {
    listing(call, Needs::scope("clients:read"), async |manager| {
        let query = Query::read(&manager, &[])?;
        // Keys that were made at the same moment stand in the order of their names.
        let (made_at, kid) = match &query.after {
            None => (Timestamp::NEVER, String::new()),
            Some(text) => {
                let (millis, kid) = text.split_once(' ').ok_or(BAD_CURSOR)?;
                (Timestamp::from_millis(millis.parse().map_err(|_| BAD_CURSOR)?), kid.to_owned())
            }
        };
        let rows = query.rows();
        let keys = manager.run(move |_, conn, _| app::key::page(conn, (made_at, &kid), rows)).await?;
        let key = |row: &app::key::StoredKey| format!("{} {}", row.created_at.millis(), row.kid);
        let view = |row: &app::key::StoredKey| KeyView {
            kid: row.kid.clone(),
            alg: row.algorithm.as_str(),
            signs: row.algorithm.signs(),
            state: row.state.as_str(),
            created_at: row.created_at.to_string(),
            activated_at: row.activated_at.map(|at| at.to_string()),
            retired_at: row.retired_at.map(|at| at.to_string()),
        };
        Ok(ok(&Page::of(keys, &query, key, view)))
    })
    .await
}

/// How to rotate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({}))]
pub(super) struct RotateBody {
    /// How the new next key signs; as the one before it when left out.
    algorithm: Option<String>,
    /// In an emergency: the current keys, that of ID tokens too, and all that they signed are good no more.
    revoke: Option<bool>,
}

/// What signs now.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "revoked": []}))]
pub(super) struct RotatedView {
    /// The key that signs from now on.
    kid: String,
    /// Keys that were revoked.
    revoked: Vec<String>,
}

/// Signs with the next key from now on.
#[utoipa::path(post, path = "/v1/keys/rotate", tag = "keys", operation_id = "rotateKeys", request_body = RotateBody,
    responses((status = 200, body = RotatedView), Refused, BadBody), security(("management" = ["clients"])))]
pub(super) async fn rotate(call: Call, mut payload: web::Payload) -> HttpResponse {
    managed(call, Needs::scope("clients"), async |manager| {
        let body: RotateBody = json(&mut payload).await?;
        let algorithm = body.algorithm.as_deref().map(SigningAlgorithm::of_access_tokens).transpose()?;
        let revoke = body.revoke == Some(true);
        if revoke && algorithm.is_some() {
            return Err(Invalid::new("algorithm", "does not go with revoke").into());
        }
        let rotated = manager.run(move |service, conn, at| {
            if revoke {
                return app::key::revoke(service, conn, at, &Leaked::Current);
            }
            app::key::rotate(service, conn, at, algorithm).map(|kid| (kid, Vec::new()))
        });
        let (kid, revoked) = rotated.await?;
        Ok(ok(&RotatedView { kid, revoked }))
    })
    .await
}

/// Which keys are good no more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"keys": ["kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"]}))]
pub(super) struct RevokeBody {
    /// Keys by `kid`, in whatever state.
    keys: Option<Vec<String>>,
    /// All keys, the next one too.
    all: Option<bool>,
}

impl RevokeBody {
    fn leaked(self) -> Result<Leaked, Invalid> {
        match (self.keys, self.all == Some(true)) {
            (None, true) => Ok(Leaked::All),
            (Some(_), true) => Err(Invalid::new("all", "does not go with keys")),
            (Some(kids), false) if !kids.is_empty() => Ok(Leaked::These(kids)),
            (_, false) => Err(Invalid::new("keys", "must name at least one key")),
        }
    }
}

/// In an emergency: makes keys that somebody else may have, and everything that they signed, invalid.
#[utoipa::path(post, path = "/v1/keys/revoke", tag = "keys", operation_id = "revokeKeys", request_body = RevokeBody,
    responses((status = 200, body = RotatedView), Missing, Refused, BadBody), security(("management" = ["clients"])))]
pub(super) async fn revoke(call: Call, mut payload: web::Payload) -> HttpResponse {
    managed(call, Needs::scope("clients"), async |manager| {
        let leaked = json::<RevokeBody>(&mut payload).await?.leaked()?;
        let revoked = manager.run(move |service, conn, at| app::key::revoke(service, conn, at, &leaked));
        let (kid, revoked) = revoked.await?;
        Ok(ok(&RotatedView { kid, revoked }))
    })
    .await
}

/// An entry of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "seq": 7, "at": "2026-12-01T08:00:00Z", "actor": "client:01a0aaaa-0000-7000-8000-000000000004",
    "action": "user.added", "subject": "user:01a0aaaa-0000-7000-8000-000000000001", "outcome": "done",
    "address": "192.0.2.7", "detail": "name=alice role=user"
}))]
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
    /// To whom: `kind:id`. For a factor, a session or a grant it is whose that was; the detail says which.
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

/// Reads the audit log, the youngest entry first. One request looks back so far only: where a page holds fewer entries than wanted, or none, `next`
/// says whether to go on.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", operation_id = "readAudit",
    params(Paging, ("action" = Option<String>, Query, description = "Only this action"),
        ("subject" = Option<String>, Query, description = "Only this subject, as `user:ID`")),
    responses((status = 200, body = Page<EntryView>), Refused, BadInput), security(("management" = ["audit:read"])))]
pub(super) async fn audit(call: Call) -> HttpResponse {
    listing(call, Needs::scope("audit:read"), async |manager| {
        let query = Query::read(&manager, &["action", "subject"])?;
        let (before, rows) = (query.after(i64::MAX)?, query.rows());
        let filter = Filter {
            action: query.get("action").map(str::to_owned),
            subject: query.get("subject").map(str::to_owned),
            ..Filter::default()
        };
        let looked = manager.run(move |_, conn, _| app::audit::page(conn, before, &filter, rows)).await?;
        let page =
            Page::of(looked.entries, &query, |entry| entry.seq.to_string(), |entry| EntryView::from(entry));
        Ok(ok(&page.or_goes_on_at(looked.next.map(|seq| seq.to_string()))))
    })
    .await
}
