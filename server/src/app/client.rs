//! Registering clients.

pub mod closing;

use zeroize::Zeroizing;

use crate::app::context::{At, Change, Service, Stop, Tx};
use crate::app::key::ensure_for_id_tokens_of;
use crate::crypto::keyed_hash::Purpose;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::client::{
    Client, ClientName, ClientState, Grant, SecondFactor, SessionLimits, TokenPolicy, must_have_redirect_uris,
};
use crate::domain::id::ClientId;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::Scopes;
use crate::domain::time::Timestamp;
use crate::random;

/// What shall be registered.
#[derive(Clone)]
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
    prepare(service, conn, at, &mut new)?;
    service.write(conn, at, |tx| {
        if db::client::find_by_name(tx.conn, new.name.as_str())?.is_some() {
            return Err(Refusal::AlreadyExists { what: "client" }.into());
        }
        register(service, tx, &new)
    })
}

/// Registers a client, or changes the one of this name to be like that. Its secret is shown where it is new.
pub fn put(
    service: &Service,
    conn: &mut Conn,
    at: At,
    mut new: NewClient,
) -> Result<(Client, Option<Zeroizing<String>>), Stop> {
    prepare(service, conn, at, &mut new)?;
    service.write_by_name(conn, at, |tx| {
        let Some(known) = db::client::find_by_name(tx.conn, new.name.as_str())? else {
            return register(service, tx, &new).map(|added| (added.client, Some(added.secret)));
        };
        Ok((change_in(tx, &known, &new)?, None))
    })
}

/// Changes the client with this id to be like that, but for its name, if what it is now `is_as_seen` by whoever asks.
pub fn change(
    service: &Service,
    conn: &mut Conn,
    at: At,
    id: ClientId,
    mut new: NewClient,
    is_as_seen: impl FnOnce(&Client) -> bool,
) -> Result<Change<Client>, Stop> {
    prepare(service, conn, at, &mut new)?;
    service.write(conn, at, |tx| {
        // Held before it is read: of two who saw the same, one comes later and is told.
        db::client::hold_changes(tx.conn, id)?;
        let known = require_client(tx, &id.to_string())?;
        if !is_as_seen(&known) {
            return Ok(Change::Overtaken(known));
        }
        new.name = known.name.clone();
        change_in(tx, &known, &new)?;
        Ok(Change::Done)
    })
}

fn prepare(service: &Service, conn: &mut Conn, at: At, new: &mut NewClient) -> Result<(), Stop> {
    new.normalise()?;
    // Whoever logs people in by the browser looks for the key of ID tokens, before there is one.
    if new.grants.contains(&Grant::AuthorizationCode) {
        ensure_for_id_tokens_of(service, conn, at, &new.scopes.to_string())?;
    }
    Ok(())
}

fn change_in(tx: &mut Tx<'_>, known: &Client, new: &NewClient) -> Result<Client, Stop> {
    // Nor is a client changed that reaches further: who rules it could use it.
    tx.must_hold(&known.scopes)?;
    tx.must_hold(&new.scopes)?;
    let still_manages = new.scopes.cover(&known.scopes.management())
        && new.grants.contains(&Grant::ClientCredentials)
        && !new.policy.one_use();
    if is_own(tx, known.id) && !still_manages {
        return Err(Refusal::OwnClient.into());
    }
    let changed = new.applied_to(known.id, known.state, known.created_at);
    db::client::update(tx.conn, &changed)?;
    tx.note(Event::done(tx.origin.manager, Action::ClientChanged, Subject::Client(changed.id)));
    Ok(changed)
}

impl NewClient {
    /// Whether an application registered so may do something that one registered as `known` may not, or manages: whoever sits at somebody
    /// else's browser would reach by it what that browser does not.
    pub fn gains_over(&self, known: &Client) -> bool {
        let manages = |scopes: &Scopes| !scopes.management().is_empty();
        let weaker =
            known.second_factor == SecondFactor::Required && self.second_factor != known.second_factor;
        manages(&self.scopes)
            || manages(&known.scopes)
            || weaker
            || self.grants.iter().any(|grant| !known.grants.contains(grant))
            || self.scopes.iter().any(|scope| !known.scopes.contains(scope))
            || self.audiences.iter().any(|one| !known.audiences.contains(one))
            || self.redirect_uris.iter().any(|one| !known.redirect_uris.contains(one))
            || self.detail_types.iter().any(|one| !known.detail_types.contains(one))
    }

    /// Puts the grants in their order, each once; refuses to have none, or one that could never be used.
    fn normalise(&mut self) -> Result<(), Invalid> {
        let asked = std::mem::take(&mut self.grants);
        self.grants = Grant::ALL.into_iter().filter(|grant| asked.contains(grant)).collect();
        if self.grants.is_empty() {
            return Err(Invalid::new("grants", "is missing"));
        }
        must_have_redirect_uris(&self.grants, &self.redirect_uris)
    }

    fn applied_to(&self, id: ClientId, state: ClientState, created_at: Timestamp) -> Client {
        Client {
            id,
            name: self.name.clone(),
            grants: self.grants.clone(),
            redirect_uris: self.redirect_uris.clone(),
            audiences: self.audiences.clone(),
            scopes: self.scopes.clone(),
            detail_types: self.detail_types.clone(),
            policy: self.policy.clone(),
            sessions: self.sessions,
            second_factor: self.second_factor,
            state,
            created_at,
        }
    }
}

fn register(service: &Service, tx: &mut Tx<'_>, new: &NewClient) -> Result<Registered, Stop> {
    tx.must_hold(&new.scopes)?;
    // A name is as good as an id, so it must not be another client's.
    if new.name.as_str().parse::<ClientId>().is_ok() {
        return Err(Invalid::new("name", "must not be a UUID, since ids are").into());
    }
    let client = new.applied_to(ClientId::new(random::id(tx.now)), ClientState::Active, tx.now);
    let (secret, hash) = service.new_token("css_", Purpose::ClientSecret);
    // Looked up before by the callers, since a failed insert ends the whole transaction on PostgreSQL.
    if !db::client::insert(tx.conn, &client, &hash)? {
        return Err(Refusal::AlreadyExists { what: "client" }.into());
    }
    let detail = format!("name={}", client.name);
    tx.note(Event::done(tx.origin.manager, Action::ClientAdded, Subject::Client(client.id)).with(detail));
    Ok(Registered { client, secret })
}

/// Gives a client a new secret; the old one is wrong at once. Sessions and tokens stay: who fears that somebody else has had the secret
/// disables the client first.
pub fn renew_secret(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name_or_id: &str,
) -> Result<Registered, Stop> {
    service.write(conn, at, |tx| {
        let client = require_client(tx, name_or_id)?;
        let (secret, hash) = service.new_token("css_", Purpose::ClientSecret);
        db::client::set_secret(tx.conn, client.id, &hash)?;
        tx.note(Event::done(tx.origin.manager, Action::ClientSecretRenewed, Subject::Client(client.id)));
        Ok(Registered { client, secret })
    })
}

/// A page of clients by name.
pub fn page(conn: &mut Conn, after: Option<&str>, limit: i64) -> Result<Vec<Client>, Stop> {
    Ok(db::client::page(conn, after, limit)?)
}

/// The client of this name or id.
pub fn show(conn: &mut Conn, name_or_id: &str) -> Result<Client, Stop> {
    let by_id = match name_or_id.parse() {
        Ok(id) if id != ClientId::CONSOLE => {
            db::client::find_with_secret(conn, id)?.map(|(client, _)| client)
        }
        _ => None,
    };
    let found = match by_id {
        Some(client) => Some(client),
        None => db::client::find_by_name(conn, name_or_id)?,
    };
    Ok(found.ok_or(Refusal::NotFound { what: "client" })?)
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
    match state {
        ClientState::Active => enable(service, conn, at, name_or_id),
        ClientState::Disabled => disable(service, conn, at, name_or_id),
    }
}

fn disable(service: &Service, conn: &mut Conn, at: At, name_or_id: &str) -> Result<(), Stop> {
    let client = service.write(conn, at, |tx| {
        let client = hold_other_client(tx, name_or_id)?;
        closing::disable(tx, client.id)?;
        tx.note(Event::done(tx.origin.manager, Action::ClientDisabled, Subject::Client(client.id)));
        Ok(client.id)
    })?;
    closing::end_rest(service, conn, at, client)
}

/// What was live when the client was disabled must have ended before: it would be good again.
fn enable(service: &Service, conn: &mut Conn, at: At, name_or_id: &str) -> Result<(), Stop> {
    loop {
        let unfinished = service.write(conn, at, |tx| {
            // Without a hold, which would keep it from issuing meanwhile: there is nothing to do.
            let found = require_client(tx, name_or_id)?;
            if found.state == ClientState::Active {
                return Ok(None);
            }
            let client = hold_found(tx, &found)?;
            if client.state == ClientState::Active {
                return Ok(None);
            }
            if closing::is_any_live(tx, client.id)? {
                return Ok(Some(client.id));
            }
            db::client::set_state(tx.conn, client.id, ClientState::Active)?;
            tx.note(Event::done(tx.origin.manager, Action::ClientEnabled, Subject::Client(client.id)));
            Ok(None)
        })?;
        let Some(client) = unfinished else { return Ok(()) };
        closing::end_rest(service, conn, at, client)?;
    }
}

/// Removes a client with its sessions and tokens: at once where they are few, else once they have gone.
pub fn remove(service: &Service, conn: &mut Conn, mut at: At, name_or_id: &str) -> Result<(), Stop> {
    let mut which = name_or_id.to_owned();
    loop {
        let unfinished = service.write(conn, at, |tx| {
            let client = hold_other_client(tx, &which)?;
            closing::disable(tx, client.id)?;
            let subject = Subject::Client(client.id);
            if closing::is_any_live(tx, client.id)? || !closing::delete_some(tx, client.id)? {
                tx.note(Event::done(tx.origin.manager, Action::ClientDisabled, subject));
                return Ok(Some(client.id));
            }
            db::client::remove(tx.conn, client.id)?;
            let detail = format!("name={}", client.name);
            tx.note(Event::done(tx.origin.manager, Action::ClientRemoved, subject).with(detail));
            Ok(None)
        })?;
        let Some(client) = unfinished else { return Ok(()) };
        // Whoever asked was allowed to, and need not be any more: the login by which it was asked may be among those that end.
        at.warrant = None;
        which = client.to_string();
        closing::end_rest(service, conn, at, client)?;
        closing::delete_rest(service, conn, at, client)?;
    }
}

/// The client of this name or id, within the manager's reach.
fn require_client(tx: &mut Tx<'_>, name_or_id: &str) -> Result<Client, Stop> {
    let client = show(tx.conn, name_or_id)?;
    tx.must_hold(&client.scopes)?;
    Ok(client)
}

/// The same for what an application must not do to itself, held alone until the transaction ends.
fn hold_other_client(tx: &mut Tx<'_>, name_or_id: &str) -> Result<Client, Stop> {
    let found = require_client(tx, name_or_id)?;
    // Before the hold, which would keep it from issuing meanwhile.
    if is_own(tx, found.id) {
        return Err(Refusal::OwnClient.into());
    }
    hold_found(tx, &found)
}

/// A client that was found, held alone until the transaction ends: whoever is getting a token of it has got it by then, or gets none.
fn hold_found(tx: &mut Tx<'_>, found: &Client) -> Result<Client, Stop> {
    db::hold::hold_alone(tx.conn, found.id)?;
    // Once more behind the hold, which may have waited for somebody who disables or removes it.
    require_client(tx, &found.id.to_string())
}

/// Whether it is the application itself that asks.
fn is_own(tx: &Tx<'_>, client: ClientId) -> bool {
    tx.origin.manager == Actor::Client(client)
}
