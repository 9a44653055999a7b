//! Clients.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app;
use crate::app::client::NewClient;
use crate::app::context::Stop;
use crate::app::manage::Needs;
use crate::domain::authorization::parse_detail_type;
use crate::domain::client::{
    Client, ClientName, ClientState, DEFAULT_SESSION_IDLE_S, DEFAULT_SESSION_TTL_S, DEFAULT_TOKEN_TTL_S,
    SecondFactor, SessionLimits, TokenPolicy, parse_absolute_uri,
};
use crate::domain::refusal::Invalid;
use crate::domain::scope::Scopes;
use crate::http::state::State;
use crate::http::v1::{Page, Paging, Query, Refused, done, json, reply};

/// A client.
#[derive(Serialize, ToSchema)]
pub(super) struct ClientView {
    /// The `client_id` of OAuth.
    client_id: String,
    /// The secret: only in the reply that registers it.
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
    grants: Vec<String>,
    redirect_uris: Option<Vec<String>>,
    audiences: Option<Vec<String>>,
    scope: Option<String>,
    detail_types: Option<Vec<String>>,
    token_format: Option<String>,
    token_ttl: Option<i64>,
    session_idle: Option<i64>,
    session_ttl: Option<i64>,
    one_use: Option<bool>,
    second_factor: Option<String>,
}

impl ClientBody {
    fn parsed(&self, name: &str) -> Result<NewClient, Invalid> {
        let uris = |field: &'static str, texts: &Option<Vec<String>>| {
            texts.iter().flatten().map(|text| parse_absolute_uri(field, text)).collect::<Result<Vec<_>, _>>()
        };
        let format = self.token_format.as_deref().map(str::parse).transpose()?;
        Ok(NewClient {
            name: ClientName::parse(name)?,
            grants: self.grants.iter().map(|grant| grant.parse()).collect::<Result<_, _>>()?,
            redirect_uris: uris("redirect_uris", &self.redirect_uris)?,
            audiences: uris("audiences", &self.audiences)?,
            scopes: Scopes::parse(self.scope.as_deref().unwrap_or_default())?,
            detail_types: self
                .detail_types
                .iter()
                .flatten()
                .map(|text| parse_detail_type(text))
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
    responses((status = 200, body = Page<ClientView>), Refused), security(("management" = ["clients:read"])))]
pub(super) async fn list(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    let outcome: Result<_, Stop> = async {
        let query = Query::read(&request, &[])?;
        let (after, rows) = (query.after.clone(), query.rows());
        let clients = state
            .into_inner()
            .run_as_manager(&request, Needs::scope("clients:read"), move |_, conn, _, _| {
                app::client::page(conn, after.as_deref(), rows)
            })
            .await?;
        Ok(Page::of(clients, &query, |client| client.name.to_string(), |client| view(client, None)))
    }
    .await;
    reply(StatusCode::OK, outcome)
}

/// Shows a client.
#[utoipa::path(get, path = "/v1/clients/{name}", tag = "clients", operation_id = "showClient",
    params(("name" = String, Path)), responses((status = 200, body = ClientView), Refused),
    security(("management" = ["clients:read"])))]
pub(super) async fn show(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let name = path.into_inner();
    let outcome = state
        .into_inner()
        .run_as_manager(&request, Needs::scope("clients:read"), move |_, conn, _, _| {
            app::client::show(conn, &name).map(|client| view(&client, None))
        })
        .await;
    reply(StatusCode::OK, outcome)
}

/// Registers a client, or changes the one of this name to be like that. Nobody gives management scopes that the own token has not.
#[utoipa::path(put, path = "/v1/clients/{name}", tag = "clients", operation_id = "putClient",
    params(("name" = String, Path)), request_body = ClientBody,
    responses((status = 200, body = ClientView, description = "Changed"), (status = 201, body = ClientView, description = "Registered"), Refused),
    security(("management" = ["clients"])))]
pub(super) async fn put(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
    mut payload: web::Payload,
) -> HttpResponse {
    let body: ClientBody = match json(&mut payload).await {
        Ok(body) => body,
        Err(response) => return response,
    };
    let outcome: Result<_, Stop> = async {
        let new = body.parsed(&path)?;
        state
            .into_inner()
            .run_as_manager(&request, Needs::scope("clients"), move |service, conn, at, manager| {
                manager.must_hold(&new.scopes)?;
                // Nor is a client changed that reaches further: who rules it could use it.
                if let Ok(known) = app::client::show(conn, new.name.as_str()) {
                    manager.must_hold(&known.scopes)?;
                }
                app::client::put(service, conn, at, new)
            })
            .await
    }
    .await;
    match outcome {
        Ok((client, Some(secret))) => reply(StatusCode::CREATED, Ok(view(&client, Some(secret.to_string())))),
        Ok((client, None)) => reply(StatusCode::OK, Ok(view(&client, None))),
        Err(stop) => reply(StatusCode::OK, Err::<ClientView, _>(stop)),
    }
}

/// Removes a client with its sessions and tokens.
#[utoipa::path(delete, path = "/v1/clients/{name}", tag = "clients", operation_id = "removeClient",
    params(("name" = String, Path)), responses((status = 204), Refused), security(("management" = ["clients"])))]
pub(super) async fn remove(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    let name = path.into_inner();
    let outcome = state
        .into_inner()
        .run_as_manager(&request, Needs::scope("clients"), move |service, conn, at, manager| {
            manager.must_hold(&app::client::show(conn, &name)?.scopes)?;
            app::client::remove(service, conn, at, &name)
        })
        .await;
    done(outcome)
}

/// Disables a client: its secret counts as wrong, its sessions and tokens are over.
#[utoipa::path(post, path = "/v1/clients/{name}/disable", tag = "clients", operation_id = "disableClient",
    params(("name" = String, Path)), responses((status = 204), Refused), security(("management" = ["clients"])))]
pub(super) async fn disable(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    set_state(state, request, path, ClientState::Disabled).await
}

/// Enables a client again.
#[utoipa::path(post, path = "/v1/clients/{name}/enable", tag = "clients", operation_id = "enableClient",
    params(("name" = String, Path)), responses((status = 204), Refused), security(("management" = ["clients"])))]
pub(super) async fn enable(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
) -> HttpResponse {
    set_state(state, request, path, ClientState::Active).await
}

async fn set_state(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<String>,
    to: ClientState,
) -> HttpResponse {
    let name = path.into_inner();
    let outcome = state
        .into_inner()
        .run_as_manager(&request, Needs::scope("clients"), move |service, conn, at, manager| {
            manager.must_hold(&app::client::show(conn, &name)?.scopes)?;
            app::client::set_state(service, conn, at, &name, to)
        })
        .await;
    done(outcome)
}
