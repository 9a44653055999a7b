//! Client authentication (RFC 6749 s2.3), and the hold on a client that is issued a token.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Deref;
use std::rc::Rc;

use zeroize::Zeroizing;

use crate::app::context::{At, Service, Stop, Tx};
use crate::crypto::keyed_hash::Purpose;
use crate::db::hold::{Holding, Issuing};
use crate::db::introspect::Asked;
use crate::db::lockout::Gate;
use crate::db::token::Key;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::client::{Client, ClientState, Grant};
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

/// The application with this id that a browser may be sent to: not a disabled one, nor the console. Nothing is shown of it but its id, which
/// is no secret.
pub fn find_application(conn: &mut Conn, id: ClientId) -> Result<Option<Client>, Fault> {
    if id == ClientId::CONSOLE {
        return Ok(None);
    }
    let found = db::client::find_with_secret(conn, id)?.map(|(client, _)| client);
    Ok(found.filter(|client| client.state == ClientState::Active))
}

/// What credentials are.
#[derive(Clone)]
pub enum Shown {
    /// The client's own.
    Its(Rc<Client>),
    /// Nobody's.
    Unknown,
    /// Of a known client, but not good.
    Bad(Bad),
}

impl Shown {
    /// Why they are not good, where their client is known.
    pub const fn as_bad(&self) -> Option<&Bad> {
        match self {
            Self::Bad(bad) => Some(bad),
            Self::Its(_) | Self::Unknown => None,
        }
    }
}

/// Why a known client's credentials are not good.
#[derive(Clone, Copy)]
pub struct Bad {
    client: ClientId,
    why: &'static str,
}

/// Compares credentials of many requests with what is stored, in their order; each client is read once. Writes nothing.
pub fn recognise_all(
    service: &Service,
    conn: &mut Conn,
    shown: &[&Credentials],
) -> Result<Vec<Shown>, Fault> {
    let ids: Vec<Option<ClientId>> = shown.iter().map(|one| named(one)).collect();
    let stored = db::client::find_all_with_secret(conn, &ids.iter().flatten().copied().collect())?;
    let stored: HashMap<_, _> =
        stored.into_iter().map(|(client, secret_hash)| (client.id, (Rc::new(client), secret_hash))).collect();
    let recognise = |id: ClientId, secret: &[u8]| match stored.get(&id) {
        None => Shown::Unknown,
        Some((client, secret_hash)) => match compare(service, client.id, client.state, secret_hash, secret) {
            Ok(()) => Shown::Its(Rc::clone(client)),
            Err(bad) => Shown::Bad(bad),
        },
    };
    // Most of those that come together are one application's: its secret is hashed once.
    let mut known: HashMap<(ClientId, &[u8]), Shown> = HashMap::new();
    let mut recognised = Vec::with_capacity(shown.len());
    for (one, id) in shown.iter().zip(ids) {
        let secret = one.client_secret.as_bytes();
        recognised.push(match id {
            Some(id) => known.entry((id, secret)).or_insert_with(|| recognise(id, secret)).clone(),
            None => Shown::Unknown,
        });
    }
    Ok(recognised)
}

/// Whether a secret is the client's own, and good.
fn compare(
    service: &Service,
    client: ClientId,
    state: ClientState,
    secret_hash: &[u8],
    secret: &[u8],
) -> Result<(), Bad> {
    let bad = |why| Err(Bad { client, why });
    if !service.hasher.matches(Purpose::ClientSecret, &[secret], secret_hash) {
        bad("secret")
    } else if state != ClientState::Active {
        bad("disabled")
    } else {
        Ok(())
    }
}

/// Which client credentials name. The console has no secret; nothing hashes to an empty one, but that is no reason to try.
fn named(shown: &Credentials) -> Option<ClientId> {
    shown.client_id.parse().ok().filter(|id| *id != ClientId::CONSOLE)
}

/// The client, if it is known, not disabled, and the secret is its own. Only reads, unless there is a refusal to log: whoever is no client
/// never takes a writer's place.
pub fn require(service: &Service, conn: &mut Conn, at: At, shown: &Credentials) -> Result<Client, Stop> {
    let found = named(shown).map(|id| db::client::find_with_secret(conn, id)).transpose()?;
    let (client, secret_hash) = found.flatten().ok_or(Refusal::InvalidClient)?;
    let compared = compare(service, client.id, client.state, &secret_hash, shown.client_secret.as_bytes());
    refuse_bad(service, conn, at, compared)?;
    Ok(client)
}

/// The application that asks about a token, and whatever it asks, in one trip; refused like by [`require`].
pub fn require_to_look(
    service: &Service,
    conn: &mut Conn,
    at: At,
    shown: &Credentials,
    wanted: Key<'_>,
    kid: Option<&str>,
) -> Result<Asked, Stop> {
    let asked = named(shown).map(|asker| db::introspect::look(conn, asker, wanted, kid)).transpose()?;
    let asked = asked.flatten().ok_or(Refusal::InvalidClient)?;
    let asker = &asked.asker;
    let secret = shown.client_secret.as_bytes();
    let compared = compare(service, asker.id, asker.state, &asker.secret_hash, secret);
    refuse_bad(service, conn, at, compared)?;
    Ok(asked)
}

/// Refuses whoever showed nothing good, and logs that.
fn refuse_bad(service: &Service, conn: &mut Conn, at: At, compared: Result<(), Bad>) -> Result<(), Stop> {
    let Err(bad) = compared else { return Ok(()) };
    log(service, conn, &[(bad, at)])?;
    Err(Refusal::InvalidClient.into())
}

/// Logs refusals as far as the log has room for them. Anybody can cause them, as many as they like: beyond the room they cost one look a
/// client.
pub fn log(service: &Service, conn: &mut Conn, refused: &[(Bad, At)]) -> Result<(), Fault> {
    let mut of_client: BTreeMap<ClientId, Vec<(Bad, At)>> = BTreeMap::new();
    for one in refused {
        of_client.entry(one.0.client).or_default().push(*one);
    }
    let mut to_log = Vec::new();
    for (client, refused) in of_client {
        let bucket = service.hasher.hash(Purpose::ClientBucket, &[client.bytes()]);
        let Some((_, at)) = refused.last() else { continue };
        if db::lockout::has_room(conn, &bucket, REFUSALS_OF_CLIENT, at.now)? {
            to_log.push((bucket, refused));
        }
    }
    let Some((_, at)) = to_log.first().and_then(|(_, refused)| refused.first()).copied() else {
        return Ok(());
    };
    // A transaction of its own, and the clients in their order: of two servers that want the same rows one waits, and neither for the other.
    service.write_together(conn, at, |tx| {
        for (bucket, refused) in &to_log {
            for (Bad { client, why }, at) in refused {
                tx.turn_to(*at);
                if db::lockout::pour(tx.conn, bucket, REFUSALS_OF_CLIENT, tx.now)? != Gate::Open {
                    break;
                }
                let subject = Subject::Client(*client);
                tx.note(Event::refused(Actor::Anonymous, Action::ClientRefused, subject, why));
            }
        }
        Ok(())
    })
}

/// A client as it is now, that is enabled and stays so until the transaction ends: what it is issued now is among what ends with it. Only
/// [`hold`] and [`Holds::of`] make it.
pub struct Held {
    client: Rc<Client>,
    issuing: OnceCell<Rc<Issuing>>,
}

impl Held {
    /// What its tokens are issued by: for one of many requests, as it was read for all; for one alone, which may have waited since it was held, as it is
    /// when this is asked first.
    pub fn issuing(&self, conn: &mut Conn) -> Result<Rc<Issuing>, Fault> {
        if let Some(issuing) = self.issuing.get() {
            return Ok(Rc::clone(issuing));
        }
        let issuing = Rc::new(db::hold::issuing(conn)?);
        Ok(Rc::clone(self.issuing.get_or_init(|| issuing)))
    }
}

impl Deref for Held {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

/// Holds the client, which was recognised before the transaction and may have been disabled, removed or narrowed since, if it has this grant
/// still. Comes before anything is used up: nothing is, for a client that gets no token.
pub fn hold(tx: &mut Tx<'_>, client: ClientId, grant: Grant) -> Result<Held, Stop> {
    Ok(Holds::from(db::hold::hold(tx.conn, client)?).of(client, grant)?)
}

/// The clients of many requests that are held.
pub struct Holds {
    clients: BTreeMap<ClientId, Rc<Client>>,
    issuing: Option<Rc<Issuing>>,
}

impl From<Holding> for Holds {
    fn from(holding: Holding) -> Self {
        let (clients, issuing) = holding.into_parts();
        let clients = clients.into_iter().map(|client| (client.id, Rc::new(client))).collect();
        Self { clients, issuing: issuing.map(Rc::new) }
    }
}

impl Holds {
    /// One of them, if it is held and has this grant.
    pub fn of(&self, client: ClientId, grant: Grant) -> Result<Held, Refusal> {
        let client = self.clients.get(&client).ok_or(Refusal::InvalidClient)?;
        client.must_have(grant)?;
        let issuing = self.issuing.clone().map_or_else(OnceCell::new, OnceCell::from);
        Ok(Held { client: Rc::clone(client), issuing })
    }
}
