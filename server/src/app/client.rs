//! Registering clients.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::app::context::{At, Service, Stop, Tx};
use crate::crypto::keyed_hash::Purpose;
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Event, Subject};
use crate::domain::client::{
    Client, ClientName, ClientState, Grant, SecondFactor, SessionLimits, TokenPolicy,
};
use crate::domain::id::ClientId;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::Scopes;
use crate::domain::token::RevocationKind;
use crate::error::Fault;
use crate::random;

/// What shall be registered.
pub struct NewClient {
    /// The name.
    pub name: ClientName,
    /// At least one grant.
    pub grants: Vec<Grant>,
    /// Where a browser may be sent back to.
    pub redirect_uris: Vec<String>,
    /// Audiences beside the issuer.
    pub audiences: Vec<String>,
    /// The scopes it may ask for.
    pub scopes: Scopes,
    /// The types of `authorization_details` that it may ask for.
    pub detail_types: Vec<String>,
    /// Limits of its tokens.
    pub policy: TokenPolicy,
    /// Limits of its sessions.
    pub sessions: SessionLimits,
    /// Whether its users need a second factor.
    pub second_factor: SecondFactor,
}

/// A registered client. This is the only time that its secret is shown.
pub struct Registered {
    /// The client.
    pub client: Client,
    /// Its secret.
    pub secret: Zeroizing<String>,
}

/// Registers a client.
pub fn add(service: &Service, conn: &mut Conn, at: At, mut new: NewClient) -> Result<Registered, Stop> {
    let asked = std::mem::take(&mut new.grants);
    new.grants = Grant::ALL.into_iter().filter(|grant| asked.contains(grant)).collect();
    if new.grants.is_empty() {
        return Err(Invalid::new("grant", "is missing").into());
    }
    service.write(conn, at, |tx| {
        let client = Client {
            id: ClientId::new(random::id(tx.now)),
            name: new.name,
            grants: new.grants,
            redirect_uris: new.redirect_uris,
            audiences: new.audiences,
            scopes: new.scopes,
            detail_types: new.detail_types,
            policy: new.policy,
            sessions: new.sessions,
            second_factor: new.second_factor,
            state: ClientState::Active,
            created_at: tx.now,
        };
        let secret =
            Zeroizing::new(format!("css_{}", URL_SAFE_NO_PAD.encode(random::bytes::<32>().as_slice())));
        let hash = service.hasher.hash(Purpose::ClientSecret, &[secret.as_bytes()]);
        if db::client::find_by_name(tx.conn, client.name.as_str())?.is_some()
            || !db::client::insert(tx.conn, &client, &hash)?
        {
            return Err(Refusal::AlreadyExists { what: "client" }.into());
        }
        let detail = format!("name={}", client.name);
        tx.note(Event::done(tx.origin.manager, Action::ClientAdded, Subject::Client(client.id)).with(detail));
        Ok(Registered { client, secret })
    })
}

/// Registers a client, or changes the one of this name to be like that. Its secret is shown where it is new.
pub fn put(
    service: &Service,
    conn: &mut Conn,
    at: At,
    new: NewClient,
) -> Result<(Client, Option<Zeroizing<String>>), Stop> {
    if db::client::find_by_name(conn, new.name.as_str())?.is_none() {
        return add(service, conn, at, new).map(|added| (added.client, Some(added.secret)));
    }
    service.write(conn, at, |tx| {
        let known = require_client(tx, new.name.as_str())?;
        let changed = Client {
            grants: new.grants,
            redirect_uris: new.redirect_uris,
            audiences: new.audiences,
            scopes: new.scopes,
            detail_types: new.detail_types,
            policy: new.policy,
            sessions: new.sessions,
            second_factor: new.second_factor,
            ..known
        };
        if changed.grants.is_empty() {
            return Err(Invalid::new("grants", "is missing").into());
        }
        db::client::update(tx.conn, &changed)?;
        tx.note(Event::done(tx.origin.manager, Action::ClientChanged, Subject::Client(changed.id)));
        Ok((changed, None))
    })
}

/// A page of clients by name.
pub fn page(conn: &mut Conn, after: Option<&str>, limit: i64) -> Result<Vec<Client>, Stop> {
    Ok(db::client::page(conn, after, limit)?)
}

/// The client of this name.
pub fn show(conn: &mut Conn, name: &str) -> Result<Client, Stop> {
    Ok(db::client::find_by_name(conn, name)?.ok_or(Refusal::NotFound { what: "client" })?)
}

/// All clients by name.
pub fn list(conn: &mut Conn) -> Result<Vec<Client>, Stop> {
    Ok(db::client::list(conn)?)
}

/// Disables a client, so that its secret counts as wrong and its sessions and tokens are over, or enables it again.
pub fn set_state(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name_or_id: &str,
    state: ClientState,
) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let client = require_client(tx, name_or_id)?;
        db::client::set_state(tx.conn, client.id, state)?;
        if state == ClientState::Disabled {
            end_all(tx, client.id)?;
        }
        let action = match state {
            ClientState::Active => Action::ClientEnabled,
            ClientState::Disabled => Action::ClientDisabled,
        };
        tx.note(Event::done(tx.origin.manager, action, Subject::Client(client.id)));
        Ok(())
    })
}

/// Removes a client with its sessions and tokens.
pub fn remove(service: &Service, conn: &mut Conn, at: At, name_or_id: &str) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let client = require_client(tx, name_or_id)?;
        end_all(tx, client.id)?;
        db::client::remove(tx.conn, client.id)?;
        let detail = format!("name={}", client.name);
        tx.note(
            Event::done(tx.origin.manager, Action::ClientRemoved, Subject::Client(client.id)).with(detail),
        );
        Ok(())
    })
}

/// Ends all logins at a client, and the tokens that it got for itself.
fn end_all(tx: &mut Tx<'_>, client: ClientId) -> Result<(), Fault> {
    tx.end_sessions(Which::OfClient(client))?;
    for (token, expires_at) in db::token::revoke_clients_own(tx.conn, client, tx.now)? {
        tx.revoked(RevocationKind::Token, token.to_string(), expires_at);
    }
    Ok(())
}

fn require_client(tx: &mut Tx<'_>, name_or_id: &str) -> Result<Client, Stop> {
    let by_id = match name_or_id.parse() {
        Ok(id) => db::client::find_with_secret(tx.conn, id)?.map(|(client, _)| client),
        Err(_) => None,
    };
    let found = match by_id {
        Some(client) => Some(client),
        None => db::client::find_by_name(tx.conn, name_or_id)?,
    };
    Ok(found.ok_or(Refusal::NotFound { what: "client" })?)
}
