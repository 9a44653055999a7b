//! `POST /oauth/introspect` (RFC 7662).

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::app;
use crate::app::context::Stop;
use crate::domain::authorization::Details;
use crate::domain::token::{TokenRecord, acr};
use crate::http::extract::{Fields, credentials};
use crate::http::problem::{Style, answer, unreadable};
use crate::http::state::State;

/// The handler.
pub(super) async fn introspect(
    state: web::Data<State>,
    request: HttpRequest,
    mut payload: web::Payload,
) -> HttpResponse {
    let fields = match Fields::read(&request, &mut payload).await {
        Ok(fields) => fields,
        Err(why) => return unreadable(why, Style::OAuth),
    };
    let state = state.into_inner();
    let outcome: Result<_, Stop> = async {
        let shown = credentials(&request, &fields)?;
        let token = Zeroizing::new(fields.required("token")?.to_owned());
        state
            .run(&request, move |service, conn, at| {
                app::introspect::introspect(service, conn, at, &shown, &token)
            })
            .await
    }
    .await;
    match outcome {
        Ok(Some(record)) => HttpResponse::Ok().json(Active::new(&record, &state.service.issuer)),
        Ok(None) => HttpResponse::Ok().json(serde_json::json!({ "active": false })),
        Err(stop) => answer(stop, Style::OAuth),
    }
}

/// RFC 7662 s2.2, for a live token.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are RFC 7662's")]
struct Active<'a> {
    active: bool,
    scope: &'a str,
    #[serde(skip_serializing_if = "Details::is_empty")]
    authorization_details: &'a Details,
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    token_type: &'static str,
    exp: u64,
    iat: u64,
    sub: String,
    aud: &'a str,
    iss: &'a str,
    jti: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
}

impl<'a> Active<'a> {
    fn new(record: &'a TokenRecord, issuer: &'a str) -> Self {
        let login = record.login.as_ref();
        Self {
            active: true,
            scope: &record.scope,
            authorization_details: &record.details,
            client_id: record.client.to_string(),
            username: login.map(|login| login.user_name.as_str()),
            token_type: "Bearer",
            exp: record.expires_at.unix_seconds(),
            iat: record.issued_at.unix_seconds(),
            sub: record.subject(),
            aud: &record.audience,
            iss: issuer,
            jti: record.id.to_string(),
            auth_time: login.map(|login| login.fresh_at.unix_seconds()),
            acr: login.map(|login| acr(&login.amr)),
            amr: login.map(|login| login.amr.split(' ').collect()),
            sid: login.map(|login| login.session.to_string()),
        }
    }
}
