//! What applications look up by themselves: the signing keys and this server's endpoints.

use actix_web::http::header::CacheControl;
use actix_web::http::header::CacheDirective::{MaxAge, Public};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use crate::app;
use crate::domain::client::Grant;
use crate::domain::scope::{EMAIL, GROUPS, OFFLINE_ACCESS, OPENID, PROFILE};
use crate::domain::token::{ACR_CLASSES, SigningAlgorithm};
use crate::http::problem::{Style, answer};
use crate::http::state::State;

/// How long the key set may be kept, in seconds. A key is listed long before it signs.
const JWKS_MAX_AGE_S: u32 = 300;

/// `GET /.well-known/jwks.json` (RFC 7517).
pub(super) async fn jwks(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    match state.into_inner().run(&request, |_, conn, at| app::key::published(conn, at.now)).await {
        Ok(keys) => {
            HttpResponse::Ok().insert_header(CacheControl(vec![Public, MaxAge(JWKS_MAX_AGE_S)])).json(keys)
        }
        Err(stop) => answer(stop, Style::Problem),
    }
}

/// `GET /.well-known/oauth-authorization-server` (RFC 8414), and `/.well-known/openid-configuration` with what OpenID Connect Discovery s3
/// wants besides: one document for both.
pub(super) async fn metadata(state: web::Data<State>) -> HttpResponse {
    let issuer = &state.service.issuer;
    let at = |path: &str| format!("{issuer}{path}");
    let client_authentication = ["client_secret_basic", "client_secret_post"];
    HttpResponse::Ok().insert_header(CacheControl(vec![Public, MaxAge(JWKS_MAX_AGE_S)])).json(json!({
        "issuer": issuer,
        "authorization_endpoint": at("/oauth/authorize"),
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint": at("/oauth/token"),
        "token_endpoint_auth_methods_supported": client_authentication,
        "userinfo_endpoint": at("/oauth/userinfo"),
        "end_session_endpoint": at("/oauth/logout"),
        "introspection_endpoint": at("/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported": client_authentication,
        "revocation_endpoint": at("/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": client_authentication,
        "revocations_endpoint": at("/oauth/revocations"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "grant_types_supported": Grant::ALL.map(Grant::as_str),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "scopes_supported": [OPENID, PROFILE, EMAIL, GROUPS, OFFLINE_ACCESS],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [SigningAlgorithm::Rs256.as_str()],
        "acr_values_supported": ACR_CLASSES,
        "claims_supported": [
            "iss", "sub", "aud", "iat", "exp", "auth_time", "nonce", "acr", "amr", "sid",
            "preferred_username", "name", "locale", "email", "groups",
        ],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    }))
}
