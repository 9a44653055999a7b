//! `countersign client ...`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::app;
use crate::app::client::{NewClient, Registered};
use crate::cli::open::open;
use crate::cli::output::{Failure, Output, table};
use crate::domain::authorization::parse_detail_type;
use crate::domain::client::{
    Client, ClientName, ClientState, DEFAULT_SESSION_IDLE_S, DEFAULT_SESSION_TTL_S, DEFAULT_TOKEN_TTL_S,
    Grant, MAX_SESSION_TTL_S, MAX_TOKEN_TTL_S, SecondFactor, SessionLimits, TokenFormat, TokenPolicy,
    parse_absolute_uri, parse_redirect_uri,
};
use crate::domain::refusal::Invalid;
use crate::domain::scope::Scopes;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Register a client: prints its secret, once
    Add {
        /// Name, unique
        name: String,
        /// What it may ask for; give it once for each
        #[arg(long = "grant", required = true, value_name = "GRANT", value_parser = Grant::ALL.map(Grant::as_str))]
        grants: Vec<String>,
        /// Where a browser may be sent back to, as https URI (http on localhost); give it once for each
        #[arg(long = "redirect-uri", value_name = "URI")]
        redirect_uris: Vec<String>,
        /// For whom it may ask tokens, beside the issuer; whose tokens it may introspect
        #[arg(long = "audience", value_name = "URI")]
        audiences: Vec<String>,
        /// What its tokens may do; give it once for each
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// Type of authorization details that it may ask for (RFC 9396); give it once for each
        #[arg(long = "detail-type", value_name = "TYPE")]
        detail_types: Vec<String>,
        /// What its tokens look like [default: jwt; opaque with --one-use]
        #[arg(long, value_parser = TokenFormat::ALL.map(TokenFormat::as_str))]
        token_format: Option<String>,
        /// Lifetime of its tokens
        #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_TOKEN_TTL_S,
              value_parser = clap::value_parser!(i64).range(1..=MAX_TOKEN_TTL_S))]
        token_ttl: i64,
        /// How long a login lasts without a refresh
        #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_SESSION_IDLE_S,
              value_parser = clap::value_parser!(i64).range(1..=MAX_SESSION_TTL_S))]
        session_idle: i64,
        /// How long a login lasts, however often it is refreshed
        #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_SESSION_TTL_S,
              value_parser = clap::value_parser!(i64).range(1..=MAX_SESSION_TTL_S))]
        session_ttl: i64,
        /// The first introspection of a token spends it
        #[arg(long)]
        one_use: bool,
        /// required, or optional: a user without a factor gets in by password alone
        #[arg(long, default_value = "required", value_parser = SecondFactor::ALL.map(SecondFactor::as_str))]
        second_factor: String,
    },
    /// List all clients
    List,
    /// Give a client a new secret and print it, once; the old one is wrong at once
    RenewSecret {
        /// Name or id
        client: String,
    },
    /// Disable a client: its secret counts as wrong, its sessions and tokens are over
    Disable {
        /// Name or id
        client: String,
    },
    /// Enable it again
    Enable {
        /// Name or id
        client: String,
    },
    /// Remove a client with its sessions and tokens
    Remove {
        /// Name or id
        client: String,
    },
}

/// A comma may stand in a scope (RFC 6749 s3.3). Whoever types one here wants two, and would wonder at every login why there is neither.
fn parse_scopes(scopes: &[String]) -> Result<Scopes, Failure> {
    if scopes.iter().any(|scope| scope.contains(',')) {
        return Err(Invalid::new(
            "scope",
            "holds a comma: give --scope once for each, or put blanks between them",
        )
        .into());
    }
    Ok(Scopes::parse(&scopes.join(" "))?)
}

pub(super) fn run(command: Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Add {
            name,
            grants,
            redirect_uris,
            audiences,
            scopes,
            detail_types,
            token_format,
            token_ttl,
            session_idle,
            session_ttl,
            one_use,
            second_factor,
        } => {
            let format = token_format.map(|format| format.parse::<TokenFormat>()).transpose()?;
            let new = NewClient {
                name: ClientName::parse(&name)?,
                grants: grants.iter().map(|grant| grant.parse::<Grant>()).collect::<Result<_, _>>()?,
                redirect_uris: redirect_uris
                    .iter()
                    .map(|text| parse_redirect_uri("redirect_uri", text))
                    .collect::<Result<_, _>>()?,
                audiences: audiences
                    .iter()
                    .map(|text| parse_absolute_uri("audience", text))
                    .collect::<Result<_, _>>()?,
                scopes: parse_scopes(&scopes)?,
                detail_types: detail_types
                    .iter()
                    .map(|text| parse_detail_type(text))
                    .collect::<Result<_, _>>()?,
                policy: TokenPolicy::new(format, token_ttl, one_use)?,
                sessions: SessionLimits::new(session_idle, session_ttl)?,
                second_factor: second_factor.parse::<SecondFactor>()?,
            };
            let opened = open(settings)?;
            let added =
                app::client::add(&opened.service, &mut *opened.database.connection()?, opened.at(), new)?;
            print_secret(output, &opened.service.issuer, &added);
        }
        Command::List => {
            let opened = open(settings)?;
            let clients = app::client::list(&mut *opened.database.connection()?)?;
            output.print(&clients.iter().map(client_json).collect::<Vec<_>>(), || {
                let row = |client: &Client| {
                    let grants: Vec<&str> = client.grants.iter().map(|grant| grant.as_str()).collect();
                    [
                        client.name.to_string(),
                        client.id.to_string(),
                        client.state.to_string(),
                        client.policy.format().to_string(),
                        format!("{} s", client.policy.ttl_s()),
                        grants.join(" "),
                    ]
                };
                table(["NAME", "CLIENT ID", "STATE", "TOKENS", "LIFETIME", "GRANTS"], clients.iter().map(row))
            });
        }
        Command::RenewSecret { client } => {
            let opened = open(settings)?;
            let mut conn = opened.database.connection()?;
            let renewed = app::client::renew_secret(&opened.service, &mut conn, opened.at(), &client)?;
            print_secret(output, &opened.service.issuer, &renewed);
        }
        Command::Disable { client } => set_state(settings, output, &client, ClientState::Disabled)?,
        Command::Enable { client } => set_state(settings, output, &client, ClientState::Active)?,
        Command::Remove { client } => {
            let opened = open(settings)?;
            app::client::remove(&opened.service, &mut *opened.database.connection()?, opened.at(), &client)?;
            output.print(&json!({ "client": client, "removed": true }), || format!("removed {client}"));
        }
    }
    Ok(())
}

fn print_secret(output: &Output, issuer: &str, registered: &Registered) {
    let (id, secret) = (registered.client.id.to_string(), registered.secret.as_str());
    output.print(&json!({ "client_id": id, "client_secret": secret }), || {
        format!(
            "issuer         {issuer}\nclient_id      {id}\nclient_secret  {secret}\n\nThe secret is not shown again."
        )
    });
}

fn set_state(settings: &Settings, output: &Output, client: &str, state: ClientState) -> Result<(), Failure> {
    let opened = open(settings)?;
    app::client::set_state(&opened.service, &mut *opened.database.connection()?, opened.at(), client, state)?;
    output.print(&json!({ "client": client, "state": state.as_str() }), || format!("{client} is {state}"));
    Ok(())
}

fn client_json(client: &Client) -> Value {
    json!({
        "client_id": client.id.to_string(),
        "name": client.name.as_str(),
        "state": client.state.as_str(),
        "grants": client.grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>(),
        "redirect_uris": client.redirect_uris,
        "audiences": client.audiences,
        "scope": client.scopes.to_string(),
        "detail_types": client.detail_types,
        "token_format": client.policy.format().as_str(),
        "token_ttl": client.policy.ttl_s(),
        "session_idle": client.sessions.idle_s(),
        "session_ttl": client.sessions.ttl_s(),
        "one_use": client.policy.one_use(),
        "second_factor": client.second_factor.as_str(),
        "created_at": client.created_at.to_string(),
    })
}
