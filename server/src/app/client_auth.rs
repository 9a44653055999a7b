//! Client authentication (RFC 6749 s2.3), and the hold on a client that is issued a token.

use std::collections::BTreeSet;
use std::ops::Deref;

use zeroize::Zeroizing;

use crate::app::context::{At, Service, Stop, Tx};
use crate::crypto::keyed_hash::Purpose;
use crate::db::lockout::Gate;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::client::{Client, ClientState};
use crate::domain::id::ClientId;
use crate::domain::lockout::REFUSALS_OF_CLIENT;
use crate::domain::refusal::Refusal;
use crate::error::Fault;

/// What a client shows of itself, by HTTP Basic or in the body.
pub struct Credentials {
    /// The `client_id` as sent.
    pub client_id: String,
    /// The `client_secret` as sent.
    pub client_secret: Zeroizing<String>,
}

/// Who wants to log a user in.
#[derive(Clone, Copy)]
pub enum Asker<'a> {
    /// An application, by its credentials.
    Application(&'a Credentials),
    /// The web console, which is part of this server.
    Console,
}

/// The client behind a login.
pub fn require_asker(service: &Service, conn: &mut Conn, at: At, asker: Asker<'_>) -> Result<Client, Stop> {
    match asker {
        Asker::Application(shown) => require(service, conn, at, shown),
        Asker::Console => {
            let found = db::client::find_with_secret(conn, ClientId::CONSOLE)?;
            Ok(found.map(|(client, _)| client).ok_or(Fault::Corrupt { what: "console client" })?)
        }
    }
}

/// What credentials are.
#[derive(Clone)]
pub enum Shown {
    /// The client's own.
    Its(Client),
    /// Nobody's.
    Unknown,
    /// Of this client, but not good, for this reason.
    Bad(ClientId, &'static str),
}

/// Compares credentials with what is stored. Reads, and writes nothing.
pub fn recognise(service: &Service, conn: &mut Conn, shown: &Credentials) -> Result<Shown, Fault> {
    let Ok(id) = shown.client_id.parse::<ClientId>() else { return Ok(Shown::Unknown) };
    // The console has no secret; nothing hashes to an empty one, but that is no reason to try.
    if id == ClientId::CONSOLE {
        return Ok(Shown::Unknown);
    }
    let Some((client, secret_hash)) = db::client::find_with_secret(conn, id)? else {
        return Ok(Shown::Unknown);
    };
    let secret = shown.client_secret.as_bytes();
    Ok(if !service.hasher.matches(Purpose::ClientSecret, &[secret], &secret_hash) {
        Shown::Bad(id, "secret")
    } else if client.state != ClientState::Active {
        Shown::Bad(id, "disabled")
    } else {
        Shown::Its(client)
    })
}

/// The client, if it is known, not disabled, and the secret is its own. Only reads, unless there is a refusal to log: whoever is no client
/// never takes a writer's place.
pub fn require(service: &Service, conn: &mut Conn, at: At, shown: &Credentials) -> Result<Client, Stop> {
    let (id, why) = match recognise(service, conn, shown)? {
        Shown::Its(client) => return Ok(client),
        Shown::Unknown => return Err(Refusal::InvalidClient.into()),
        Shown::Bad(id, why) => (id, why),
    };
    service.write(conn, at, |tx| {
        let bucket = service.hasher.hash(Purpose::ClientBucket, &[id.bytes()]);
        if db::lockout::pour(tx.conn, &bucket, REFUSALS_OF_CLIENT, tx.now)? == Gate::Open {
            tx.note(Event::refused(Actor::Anonymous, Action::ClientRefused, Subject::Client(id), why));
        }
        Err(Refusal::InvalidClient.into())
    })
}

/// A client that is enabled and stays so until the transaction ends: what it is issued now is among what ends with it. Only [`hold`] and
/// [`Holds::of`] make it.
#[derive(Clone, Copy)]
pub struct Held<'a>(&'a Client);

impl Deref for Held<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.0
    }
}

/// Holds the client, which was recognised before the transaction and may have been disabled or removed since. Comes before anything is used
/// up: nothing is, for a client that gets no token.
pub fn hold<'a>(tx: &mut Tx<'_>, client: &'a Client) -> Result<Held<'a>, Stop> {
    Ok(Holds::take(tx, [client.id])?.of(client)?)
}

/// The same for the clients of many requests.
pub struct Holds(BTreeSet<ClientId>);

impl Holds {
    /// Holds those that can be held.
    pub fn take(tx: &mut Tx<'_>, clients: impl IntoIterator<Item = ClientId>) -> Result<Self, Fault> {
        Ok(Self(db::client::hold_all(tx.conn, &clients.into_iter().collect())?))
    }

    /// One of them, if it is held.
    pub fn of<'a>(&self, client: &'a Client) -> Result<Held<'a>, Refusal> {
        if self.0.contains(&client.id) { Ok(Held(client)) } else { Err(Refusal::InvalidClient) }
    }
}
