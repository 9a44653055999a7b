//! Clients.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app;
use crate::app::client::NewClient;
use crate::app::manage::Needs;
use crate::domain::authorization::parse_detail_type;
use crate::domain::client::{
    Client, ClientName, ClientState, DEFAULT_SESSION_IDLE_S, DEFAULT_SESSION_TTL_S, DEFAULT_TOKEN_TTL_S,
    SecondFactor, SessionLimits, TokenPolicy, parse_absolute_uri, parse_redirect_uri,
};
use crate::domain::refusal::Invalid;
use crate::domain::scope::Scopes;
use crate::http::v1::{
    BadBody, BadInput, Call, Missing, Own, Page, Paging, Query, Refused, created, json, listing, managed,
    no_content, ok, plain,
};

/// A client.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "client_id": "01a0aaaa-0000-7000-8000-000000000004", "name": "shop", "grants": ["password"], "redirect_uris": [],
    "audiences": ["https://api.example.org"], "scope": "documents:read", "detail_types": [], "token_format": "jwt",
    "token_ttl": 900, "session_idle": 604_800, "session_ttl": 2_592_000, "one_use": false,
    "second_factor": "required", "state": "active", "created_at": "2026-12-01T08:00:00Z"
}))]
pub(super) struct ClientView {
    /// The `client_id` of OAuth.
    client_id: String,
    /// The secret: only in the reply that registers the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(flatten)]
    registration: Registration,
    /// `active` or `disabled`.
    state: &'static str,
    /// RFC 3339.
    created_at: String,
}

/// What a client was registered with.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "name": "shop", "grants": ["password"], "redirect_uris": [], "audiences": ["https://api.example.org"],
    "scope": "documents:read", "detail_types": [], "token_format": "jwt", "token_ttl": 900,
    "session_idle": 604_800, "session_ttl": 2_592_000, "one_use": false, "second_factor": "required"
}))]
struct Registration {
    /// The name.
    name: String,
    /// Grant types.
    grants: Vec<&'static str>,
    /// Redirect URIs.
    redirect_uris: Vec<String>,
    /// Audiences beside the issuer.
    audiences: Vec<String>,
    /// Scopes, separated by blanks.
    scope: String,
    /// Types of `authorization_details`.
    detail_types: Vec<String>,
    /// `jwt` or `opaque`.
    token_format: &'static str,
    /// Seconds.
    token_ttl: i64,
    /// Seconds.
    session_idle: i64,
    /// Seconds.
    session_ttl: i64,
    /// Whether the first introspection spends a token.
    one_use: bool,
    /// `required` or `optional`.
    second_factor: &'static str,
}

fn view(client: &Client, client_secret: Option<String>) -> ClientView {
    ClientView {
        client_id: client.id.to_string(),
        client_secret,
        registration: Registration {
            name: client.name.to_string(),
            grants: client.grants.iter().map(|grant| grant.as_str()).collect(),
            redirect_uris: client.redirect_uris.clone(),
            audiences: client.audiences.clone(),
            scope: client.scopes.to_string(),
            detail_types: client.detail_types.clone(),
            token_format: client.policy.format().as_str(),
            token_ttl: client.policy.ttl_s(),
            session_idle: client.sessions.idle_s(),
            session_ttl: client.sessions.ttl_s(),
            one_use: client.policy.one_use(),
            second_factor: client.second_factor.as_str(),
        },
        state: client.state.as_str(),
        created_at: client.created_at.to_string(),
    }
}

/// What a client shall be like; what is left out has the default of `client add`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"grants": ["urn:countersign:params:oauth:grant-type:otp"], "scope": "documents:read"}))]
pub(super) struct ClientBody {
    /// Grant types; at least one.
    grants: Vec<String>,
    /// Redirect URIs, for the grant `authorization_code`: https, or http on localhost.
    redirect_uris: Option<Vec<String>>,
    /// Audiences beside the issuer.
    audiences: Option<Vec<String>>,
    /// Scopes, separated by blanks.
    scope: Option<String>,
    /// Types of `authorization_details`.
    detail_types: Option<Vec<String>>,
    /// `jwt` or `opaque`.
    token_format: Option<String>,
    /// Seconds.
    token_ttl: Option<i64>,
    /// Seconds.
    session_idle: Option<i64>,
    /// Seconds.
    session_ttl: Option<i64>,
    /// Whether the first introspection spends a token.
    one_use: Option<bool>,
    /// `required` or `optional`.
    second_factor: Option<String>,
}

/// The members of a list that may be left out.
fn texts(list: Option<&Vec<String>>) -> impl Iterator<Item = &String> {
    list.into_iter().flatten()
}

impl ClientBody {
    fn parsed(&self, name: &str) -> Result<NewClient, Invalid> {
        let format = self.token_format.as_deref().map(str::parse).transpose()?;
        Ok(NewClient {
            name: ClientName::parse(name)?,
            grants: self
                .grants
                .iter()
                .map(|grant| grant.parse().map_err(|invalid: Invalid| invalid.named("grants")))
                .collect::<Result<_, _>>()?,
            redirect_uris: texts(self.redirect_uris.as_ref())
                .map(|text| parse_redirect_uri("redirect_uris", text))
                .collect::<Result<_, _>>()?,
            audiences: texts(self.audiences.as_ref())
                .map(|text| parse_absolute_uri("audiences", text))
                .collect::<Result<_, _>>()?,
            scopes: Scopes::parse(self.scope.as_deref().unwrap_or_default())?,
            detail_types: self
                .detail_types
                .iter()
                .flatten()
                .map(|text| parse_detail_type(text).map_err(|invalid| invalid.named("detail_types")))
                .collect::<Result<_, _>>()?,
            policy: TokenPolicy::new(
                format,
                self.token_ttl.unwrap_or(DEFAULT_TOKEN_TTL_S),
                self.one_use.unwrap_or(false),
            )?,
            sessions: SessionLimits::new(
                self.session_idle.unwrap_or(DEFAULT_SESSION_IDLE_S),
                self.session_ttl.unwrap_or(DEFAULT_SESSION_TTL_S),
            )?,
            second_factor: self.second_factor.as_deref().map_or(Ok(SecondFactor::Required), str::parse)?,
        })
    }
}

/// Lists clients by name.
#[utoipa::path(get, path = "/v1/clients", tag = "clients", operation_id = "listClients", params(Paging),
    responses((status = 200, body = Page<ClientView>), Refused, BadInput), security(("management" = ["clients:read"])))]
pub(super) async fn list(call: Call) -> HttpResponse {
    listing(call, Needs::scope("clients:read"), async |manager| {
        let query = Query::read(&manager, &[])?;
        let (after, rows) = (query.after.clone(), query.rows());
        let clients = manager.run(move |_, conn, _| app::client::page(conn, after.as_deref(), rows)).await?;
        Ok(ok(&Page::of(clients, &query, |client| client.name.to_string(), |client| view(client, None))))
    })
    .await
}

/// Shows a client.
#[utoipa::path(get, path = "/v1/clients/{name}", tag = "clients", operation_id = "showClient",
    params(("name" = String, Path, description = "Name or id")),
    responses((status = 200, body = ClientView), Refused, BadInput, Missing),
    security(("management" = ["clients:read"])))]
pub(super) async fn show(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("clients:read"), async |manager| {
        let name = plain(&path)?;
        let client = manager.run(move |_, conn, _| app::client::show(conn, &name)).await?;
        Ok(ok(&view(&client, None)))
    })
    .await
}

/// Registers a client, or changes the one of this name to be like that. Nobody gives management scopes that the own token has not.
#[utoipa::path(put, path = "/v1/clients/{name}", tag = "clients", operation_id = "putClient",
    params(("name" = String, Path)), request_body = ClientBody,
    responses((status = 200, body = ClientView, description = "Changed"),
        (status = 201, body = ClientView, description = "Registered"), Refused, BadBody, Own),
    security(("management" = ["clients"])))]
pub(super) async fn put(call: Call, path: web::Path<String>, mut payload: web::Payload) -> HttpResponse {
    managed(call, Needs::scope("clients"), async |manager| {
        let body: ClientBody = json(&mut payload).await?;
        let new = body.parsed(&path)?;
        let (client, secret) =
            manager.run(move |service, conn, at| app::client::put(service, conn, at, new)).await?;
        Ok(match secret {
            Some(secret) => created(&view(&client, Some(secret.to_string()))),
            None => ok(&view(&client, None)),
        })
    })
    .await
}

/// A client's new secret: the only reply that ever holds it.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"client_id": "01a0aaaa-0000-7000-8000-000000000004", "client_secret": "css_..."}))]
pub(super) struct SecretView {
    /// The `client_id` of OAuth.
    client_id: String,
    /// The secret.
    client_secret: String,
}

/// Gives a client a new secret; the old one is wrong at once. Its sessions and tokens stay: to end those, too, disable it before.
#[utoipa::path(post, path = "/v1/clients/{name}/secret", tag = "clients", operation_id = "renewClientSecret",
    params(("name" = String, Path, description = "Name or id")),
    responses((status = 200, body = SecretView), Refused, BadInput, Missing), security(("management" = ["clients"])))]
pub(super) async fn renew_secret(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("clients"), async |manager| {
        let name = plain(&path)?;
        let renewed =
            manager.run(move |service, conn, at| app::client::renew_secret(service, conn, at, &name)).await?;
        Ok(ok(&SecretView {
            client_id: renewed.client.id.to_string(),
            client_secret: renewed.secret.to_string(),
        }))
    })
    .await
}

/// Removes a client with its sessions and tokens.
///
/// They end 500 a transaction, with a rest after each: with very many of them the answer may take minutes. The work goes on when the caller gives up. An
/// interruption, such as a restart of the server, leaves a disabled client: ask again.
#[utoipa::path(delete, path = "/v1/clients/{name}", tag = "clients", operation_id = "removeClient",
    params(("name" = String, Path, description = "Name or id")),
    responses((status = 204), Refused, BadInput, Missing, Own), security(("management" = ["clients"])))]
pub(super) async fn remove(call: Call, path: web::Path<String>) -> HttpResponse {
    managed(call, Needs::scope("clients"), async |manager| {
        let name = plain(&path)?;
        manager.run(move |service, conn, at| app::client::remove(service, conn, at, &name)).await?;
        Ok(no_content())
    })
    .await
}

/// Disables a client: its secret counts as wrong, its sessions and tokens are over.
///
/// They end 500 a transaction, with a rest after each: with very many of them the answer may take minutes. The work goes on when the caller gives up. After an
/// interruption, such as a restart of the server, ask again; housekeeping finishes it, too.
#[utoipa::path(post, path = "/v1/clients/{name}/disable", tag = "clients", operation_id = "disableClient",
    params(("name" = String, Path, description = "Name or id")),
    responses((status = 204), Refused, BadInput, Missing, Own), security(("management" = ["clients"])))]
pub(super) async fn disable(call: Call, path: web::Path<String>) -> HttpResponse {
    set_state(call, path, ClientState::Disabled).await
}

/// Enables a client again.
#[utoipa::path(post, path = "/v1/clients/{name}/enable", tag = "clients", operation_id = "enableClient",
    params(("name" = String, Path, description = "Name or id")),
    responses((status = 204), Refused, BadInput, Missing), security(("management" = ["clients"])))]
pub(super) async fn enable(call: Call, path: web::Path<String>) -> HttpResponse {
    set_state(call, path, ClientState::Active).await
}

async fn set_state(call: Call, path: web::Path<String>, to: ClientState) -> HttpResponse {
    managed(call, Needs::scope("clients"), async |manager| {
        let name = plain(&path)?;
        manager.run(move |service, conn, at| app::client::set_state(service, conn, at, &name, to)).await?;
        Ok(no_content())
    })
    .await
}
