//! A user's factors and recovery codes.

use actix_web::{HttpResponse, web};
use mobile_core::Counter;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app;
use crate::app::factor::NewFactor;
use crate::app::manage::Needs;
use crate::domain::factor::{FactorState, Mechanism, Summary, parse_code};
use crate::domain::id::FactorId;
use crate::domain::recovery_code::RecoveryCode;
use crate::domain::user::UserName;
use crate::http::v1::{
    BadBody, BadCode, BadInput, Call, Missing, Page, Paging, Problem, Query, Refused, created, id, json,
    listing, managed, no_content, ok,
};

/// A factor without its secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "01a0aaaa-0000-7000-8000-000000000002", "kind": "totp", "label": "TOTP", "state": "active",
    "in_doubt": false, "created_at": "2026-12-01T08:00:00Z", "last_used_at": null
}))]
pub(super) struct FactorView {
    /// A UUID.
    id: String,
    /// `totp` or `hotp`.
    kind: &'static str,
    /// What the user calls it.
    label: String,
    /// `pending` or `active`.
    state: &'static str,
    /// `hotp`: whether it verifies nothing until it is resynchronised, since the server was restored from a backup.
    in_doubt: bool,
    /// RFC 3339.
    created_at: String,
    /// RFC 3339; null where no code of it was ever accepted.
    last_used_at: Option<String>,
}

impl From<&Summary> for FactorView {
    fn from(factor: &Summary) -> Self {
        Self {
            id: factor.id.to_string(),
            kind: factor.mechanism.kind(),
            label: factor.label.clone(),
            state: factor.state.as_str(),
            in_doubt: factor.in_doubt,
            created_at: factor.created_at.to_string(),
            last_used_at: factor.used_at.map(|at| at.to_string()),
        }
    }
}

/// Lists a user's factors, the eldest first. Nobody has more than five.
#[utoipa::path(get, path = "/v1/users/{name}/factors", tag = "factors", operation_id = "listFactors",
    params(("name" = String, Path), Paging),
    responses((status = 200, body = Page<FactorView>), Refused, BadInput, Missing),
    security(("management" = ["factors:read"])))]
pub(super) async fn list(call: Call, path: web::Path<String>) -> HttpResponse {
    listing(call, Needs::scope("factors:read"), async |manager| {
        let name = UserName::parse(&path)?;
        let query = Query::read(&manager, &[])?;
        let after: FactorId = query.after(FactorId::FIRST)?;
        let mut factors = manager.run(move |_, conn, at| app::factor::list(conn, at, &name)).await?;
        // Few by construction (`MAX_ACTIVE_FACTORS`), so the page is cut here.
        factors.retain(|factor| factor.id > after);
        Ok(ok(&Page::of(factors, &query, |factor| factor.id.to_string(), |factor| FactorView::from(factor))))
    })
    .await
}

/// How a new factor shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"kind": "totp"}))]
pub(super) struct FactorBody {
    /// `totp` or `hotp`.
    kind: String,
    /// `SHA1` (when left out), `SHA256` or `SHA512`.
    algorithm: Option<String>,
    /// 6 (when left out), 7 or 8.
    digits: Option<u8>,
    /// TOTP: seconds; 30 when left out.
    period: Option<u32>,
    /// HOTP: the first counter; 0 when left out.
    counter: Option<u64>,
    /// Whether it counts as confirmed from the start.
    active: Option<bool>,
}

/// A new factor: the only reply that ever holds its secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "factor_id": "01a0aaaa-0000-7000-8000-000000000002", "secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    "uri": "otpauth://totp/Countersign:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Countersign",
    "state": "pending", "recovery_codes": ["ABCD-EFGH-JKMN-PQRS"]
}))]
pub(super) struct EnrolledView {
    /// A UUID.
    factor_id: String,
    /// Base32.
    secret: String,
    /// For the QR code.
    uri: String,
    /// `pending` or `active`.
    state: &'static str,
    /// With the first enrolment.
    recovery_codes: Vec<String>,
}

/// Enrols a factor for a user, in the place of one that is pending. This is the only time that its secret is shown.
#[utoipa::path(post, path = "/v1/users/{name}/factors", tag = "factors", operation_id = "enrolFactor",
    params(("name" = String, Path)), request_body = FactorBody,
    responses((status = 201, body = EnrolledView), Refused, BadBody, Missing,
        (status = 409, description = "`too_many_factors`: the user has as many as are allowed.", body = Problem,
            content_type = "application/problem+json")),
    security(("management" = ["users"])))]
pub(super) async fn enrol(call: Call, path: web::Path<String>, mut payload: web::Payload) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let body: FactorBody = json(&mut payload).await?;
        let name = UserName::parse(&path)?;
        let algorithm = body.algorithm.as_deref().unwrap_or("SHA1");
        let digits = body.digits.unwrap_or(6);
        let new = NewFactor {
            mechanism: Mechanism::of(&body.kind, algorithm, digits, body.period, body.counter)?,
            counter: Counter::new(body.counter.unwrap_or(0)),
            secret: None,
            state: if body.active == Some(true) { FactorState::Active } else { FactorState::Pending },
        };
        let enrolled =
            manager.run(move |service, conn, at| app::factor::enrol(service, conn, at, &name, new)).await?;
        Ok(created(&EnrolledView {
            factor_id: enrolled.id.to_string(),
            secret: enrolled.uri.secret().to_base32().to_string(),
            uri: enrolled.uri.to_uri().to_string(),
            state: enrolled.state.as_str(),
            recovery_codes: shown(&enrolled.recovery_codes),
        }))
    })
    .await
}

fn shown(codes: &[RecoveryCode]) -> Vec<String> {
    codes.iter().map(|code| code.shown().to_string()).collect()
}

/// A code that the user reads out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "123456"}))]
pub(super) struct CodeBody {
    /// Digits; blanks inside are left out.
    code: String,
}

/// Confirms a pending factor with a code of it: from then on it verifies. Help desks may do it.
#[utoipa::path(post, path = "/v1/users/{name}/factors/{id}/confirm", tag = "factors", operation_id = "confirmFactor",
    params(("name" = String, Path), ("id" = String, Path)), request_body = CodeBody,
    responses((status = 204), Refused, BadCode, Missing), security(("management" = ["factors"])))]
pub(super) async fn confirm(
    call: Call,
    path: web::Path<(String, String)>,
    mut payload: web::Payload,
) -> HttpResponse {
    managed(call, Needs::help("factors"), async |manager| {
        let body: CodeBody = json(&mut payload).await?;
        let name = UserName::parse(&path.0)?;
        let factor: FactorId = id(&path.1, "factor")?;
        let code = parse_code("code", &body.code)?;
        let use_case = move |service: &_, conn: &mut _, at| {
            app::factor::confirm(service, conn, at, &name, Some(factor), &code)
        };
        manager.run(use_case).await?;
        Ok(no_content())
    })
    .await
}

/// Two codes that the user reads out, one after the other.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"first": "123456", "second": "654321"}))]
pub(super) struct TwoCodesBody {
    /// Digits; blanks inside are left out.
    first: String,
    /// The code after it.
    second: String,
}

/// Brings a HOTP token back that ran too far ahead, by two consecutive codes of it. Help desks may do it.
#[utoipa::path(post, path = "/v1/users/{name}/factors/{id}/resynchronise", tag = "factors",
    operation_id = "resynchroniseFactor", params(("name" = String, Path), ("id" = String, Path)),
    request_body = TwoCodesBody, responses((status = 204), Refused, BadCode, Missing),
    security(("management" = ["factors"])))]
pub(super) async fn resynchronise(
    call: Call,
    path: web::Path<(String, String)>,
    mut payload: web::Payload,
) -> HttpResponse {
    managed(call, Needs::help("factors"), async |manager| {
        let body: TwoCodesBody = json(&mut payload).await?;
        let name = UserName::parse(&path.0)?;
        let factor: FactorId = id(&path.1, "factor")?;
        let (first, second) = (parse_code("first", &body.first)?, parse_code("second", &body.second)?);
        let use_case = move |service: &_, conn: &mut _, at| {
            app::factor::resynchronise(service, conn, at, &name, Some(factor), (&first, &second))
        };
        manager.run(use_case).await?;
        Ok(no_content())
    })
    .await
}

/// Removes one factor of a user; the sessions whose last code was its end, with an active one all browsers that the console remembers of the
/// user, too; recovery codes stay. Help desks may do it.
#[utoipa::path(delete, path = "/v1/users/{name}/factors/{id}", tag = "factors", operation_id = "removeFactor",
    params(("name" = String, Path), ("id" = String, Path)), responses((status = 204), Refused, BadInput, Missing),
    security(("management" = ["factors"])))]
pub(super) async fn remove(call: Call, path: web::Path<(String, String)>) -> HttpResponse {
    managed(call, Needs::help("factors"), async |manager| {
        let name = UserName::parse(&path.0)?;
        let factor: FactorId = id(&path.1, "factor")?;
        manager.run(move |service, conn, at| app::factor::remove(service, conn, at, &name, factor)).await?;
        Ok(no_content())
    })
    .await
}

/// Recovery codes: the only reply that ever holds them.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"recovery_codes": ["ABCD-EFGH-JKMN-PQRS"]}))]
pub(super) struct RecoveryCodesView {
    /// Ten, each good for one login without the phone.
    recovery_codes: Vec<String>,
}

/// Makes a user's recovery codes anew; the old ones are void.
#[utoipa::path(post, path = "/v1/users/{name}/recovery-codes", tag = "factors", operation_id = "renewRecoveryCodes",
    params(("name" = String, Path)), responses((status = 200, body = RecoveryCodesView), Refused, BadInput, Missing),
    security(("management" = ["users"])))]
pub(super) async fn renew_recovery_codes(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("users"), async |manager| {
        let name = UserName::parse(&path)?;
        let codes =
            manager.run(move |service, conn, at| app::recovery_code::renew(service, conn, at, &name)).await?;
        Ok(ok(&RecoveryCodesView { recovery_codes: shown(&codes) }))
    })
    .await
}
