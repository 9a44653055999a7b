//! `/mfa/*`: a user enrols, lists and removes the own factors. Paths and fields are those of Auth0's MFA API.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::app;
use crate::app::context::Stop;
use crate::app::factor::Enrolled;
use crate::domain::factor::{FactorState, Summary};
use crate::domain::id::FactorId;
use crate::domain::refusal::{Invalid, Refusal};
use crate::error::Fault;
use crate::http::extract::{body, from_json};
use crate::http::problem::{Style, answer, unreadable};
use crate::http::qr;
use crate::http::state::State;

/// `{"authenticator_types":["otp"]}`.
#[derive(Deserialize)]
struct AssociateRequest {
    authenticator_types: Vec<String>,
}

/// `POST /mfa/associate`: a new pending factor, and the only reply that ever holds its secret.
pub(super) async fn associate(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let body = match body(&mut payload).await {
        Ok(body) => body,
        Err(why) => return unreadable(why, Style::Problem),
    };
    let outcome: Result<_, Stop> = async {
        parse_types(&body)?;
        state
            .into_inner()
            .run_as_bearer(&request, move |service, conn, at, token| {
                app::factor::associate(service, conn, at, token)
            })
            .await
    }
    .await;
    match outcome.and_then(|enrolled| Ok(AssociateReply::new(&enrolled)?)) {
        Ok(reply) => HttpResponse::Ok().json(reply),
        Err(stop) => answer(stop, Style::Problem),
    }
}

fn parse_types(body: &[u8]) -> Result<(), Invalid> {
    let field = "authenticator_types";
    let parsed: AssociateRequest = from_json(body)?;
    if parsed.authenticator_types == ["otp"] { Ok(()) } else { Err(Invalid::new(field, "must be [\"otp\"]")) }
}

#[derive(Serialize)]
struct AssociateReply {
    authenticator_type: &'static str,
    id: String,
    secret: String,
    barcode_uri: String,
    /// The same as a picture, so that nobody sends the secret to a QR service.
    barcode_svg: String,
    /// With the first enrolment only.
    recovery_codes: Vec<String>,
}

impl AssociateReply {
    fn new(enrolled: &Enrolled) -> Result<Self, Fault> {
        let uri = enrolled.uri.to_uri();
        Ok(Self {
            authenticator_type: "otp",
            id: enrolled.id.to_string(),
            secret: enrolled.uri.secret().to_base32().to_string(),
            barcode_svg: qr::svg(&uri)?,
            barcode_uri: uri.to_string(),
            recovery_codes: enrolled.recovery_codes.iter().map(|code| code.shown().to_string()).collect(),
        })
    }
}

/// `GET /mfa/authenticators`.
pub(super) async fn list(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome = state.into_inner().run_as_bearer(&request, app::factor::list_own).await;
    match outcome {
        Ok(factors) => HttpResponse::Ok().json(factors.iter().map(Authenticator::from).collect::<Vec<_>>()),
        Err(stop) => answer(stop, Style::Problem),
    }
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are the contract's")]
struct Authenticator<'a> {
    id: String,
    authenticator_type: &'static str,
    active: bool,
    kind: &'static str,
    name: &'a str,
    created_at: String,
    last_used_at: Option<String>,
}

impl<'a> From<&'a Summary> for Authenticator<'a> {
    fn from(factor: &'a Summary) -> Self {
        Self {
            id: factor.id.to_string(),
            authenticator_type: "otp",
            active: factor.state == FactorState::Active,
            kind: factor.mechanism.kind(),
            name: &factor.label,
            created_at: factor.created_at.to_string(),
            last_used_at: factor.used_at.map(|at| at.to_string()),
        }
    }
}

/// `DELETE /mfa/authenticators/{id}`.
pub(super) async fn remove(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let outcome: Result<(), Stop> = async {
        let id: FactorId = path.parse().map_err(|_: Invalid| Refusal::NotFound { what: "factor" })?;
        state
            .into_inner()
            .run_as_bearer(&request, move |service, conn, at, token| {
                app::factor::remove_own(service, conn, at, token, id)
            })
            .await
    }
    .await;
    match outcome {
        Ok(()) => HttpResponse::NoContent().finish(),
        Err(stop) => answer(stop, Style::Problem),
    }
}
