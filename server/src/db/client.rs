//! Clients.

use std::collections::BTreeSet;

use diesel::prelude::*;

use crate::db::schema::client;
use crate::db::statement::directly;
use crate::db::{Conn, id, unless_taken, word};
use crate::domain::client::{Client, ClientName, ClientState, SessionLimits, TokenPolicy};
use crate::domain::id::ClientId;
use crate::domain::scope::Scopes;
use crate::domain::time::Timestamp;
use crate::error::Fault;

#[derive(Queryable, Selectable)]
#[diesel(table_name = client)]
pub(super) struct Row {
    id: Vec<u8>,
    name: String,
    grants: String,
    redirect_uris: String,
    audiences: String,
    scopes: String,
    detail_types: String,
    token_format: String,
    token_ttl_s: i64,
    one_use: bool,
    session_idle_s: i64,
    session_ttl_s: i64,
    second_factor: String,
    state: String,
    created_at: i64,
}

impl Row {
    pub(super) fn read(self) -> Result<Client, Fault> {
        let corrupt = || Fault::Corrupt { what: "client" };
        let format = word("token format", &self.token_format)?;
        Ok(Client {
            id: id("client id", ClientId::from_bytes(&self.id))?,
            name: ClientName::parse(&self.name).map_err(|_| corrupt())?,
            grants: self.grants.split(' ').map(|grant| word("grant", grant)).collect::<Result<_, _>>()?,
            redirect_uris: words(&self.redirect_uris),
            audiences: words(&self.audiences),
            scopes: Scopes::parse(&self.scopes).map_err(|_| corrupt())?,
            detail_types: words(&self.detail_types),
            policy: TokenPolicy::new(Some(format), self.token_ttl_s, self.one_use).map_err(|_| corrupt())?,
            sessions: SessionLimits::new(self.session_idle_s, self.session_ttl_s).map_err(|_| corrupt())?,
            second_factor: word("second factor", &self.second_factor)?,
            state: word("client state", &self.state)?,
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

/// As much of a client as it takes to recognise it, and to tell what concerns it.
pub struct Asker {
    /// Which.
    pub id: ClientId,
    /// Its secret's keyed hash.
    pub secret_hash: Vec<u8>,
    /// The audiences that it serves.
    pub audiences: Vec<String>,
    /// Whether it may ask.
    pub state: ClientState,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = client)]
pub(super) struct AskerRow {
    id: Vec<u8>,
    secret_hash: Vec<u8>,
    audiences: String,
    state: String,
}

impl AskerRow {
    pub(super) fn read(self) -> Result<Asker, Fault> {
        Ok(Asker {
            id: id("client id", ClientId::from_bytes(&self.id))?,
            secret_hash: self.secret_hash,
            audiences: words(&self.audiences),
            state: word("client state", &self.state)?,
        })
    }
}

/// What stands in one column, one after the other.
fn words(stored: &str) -> Vec<String> {
    stored.split_whitespace().map(str::to_owned).collect()
}

/// What a client was registered with: everything that a change of its registration replaces.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = client)]
struct Registration {
    grants: String,
    redirect_uris: String,
    audiences: String,
    scopes: String,
    detail_types: String,
    token_format: &'static str,
    token_ttl_s: i64,
    one_use: bool,
    session_idle_s: i64,
    session_ttl_s: i64,
    second_factor: &'static str,
}

impl Registration {
    fn of(client: &Client) -> Self {
        let grants: Vec<&str> = client.grants.iter().map(|grant| grant.as_str()).collect();
        Self {
            grants: grants.join(" "),
            redirect_uris: client.redirect_uris.join(" "),
            audiences: client.audiences.join(" "),
            scopes: client.scopes.to_string(),
            detail_types: client.detail_types.join(" "),
            token_format: client.policy.format().as_str(),
            token_ttl_s: client.policy.ttl_s(),
            one_use: client.policy.one_use(),
            session_idle_s: client.sessions.idle_s(),
            session_ttl_s: client.sessions.ttl_s(),
            second_factor: client.second_factor.as_str(),
        }
    }
}

/// Adds a client; `false` where the name is taken.
pub fn insert(conn: &mut Conn, new: &Client, secret_hash: &[u8]) -> Result<bool, Fault> {
    unless_taken(
        diesel::insert_into(client::table)
            .values((
                client::id.eq(new.id.bytes()),
                client::name.eq(new.name.as_str()),
                client::secret_hash.eq(secret_hash),
                Registration::of(new),
                client::state.eq(new.state.as_str()),
                client::created_at.eq(new.created_at.millis()),
            ))
            .execute(conn),
    )
}

/// The client with this id, and the keyed hash of its secret.
pub fn find_with_secret(conn: &mut Conn, id: ClientId) -> Result<Option<(Client, Vec<u8>)>, Fault> {
    let row: Option<(Row, Vec<u8>)> = directly!(conn, |own| client::table
        .find(id.bytes())
        .select((Row::as_select(), client::secret_hash))
        .first(own))
    .optional()?;
    row.map(|(row, hash)| Ok((row.read()?, hash))).transpose()
}

/// The same for many: those that there are.
pub fn find_all_with_secret(
    conn: &mut Conn,
    ids: &BTreeSet<ClientId>,
) -> Result<Vec<(Client, Vec<u8>)>, Fault> {
    #[cfg(feature = "postgres")]
    if let (Conn::Postgres(conn), true) = (&mut *conn, ids.len() > 1) {
        let wanted: Vec<&[u8]> = ids.iter().map(ClientId::bytes).collect();
        let rows: Vec<(Row, Vec<u8>)> = client::table
            .filter(client::id.eq_any(wanted))
            .select((Row::as_select(), client::secret_hash))
            .load(conn)?;
        return rows.into_iter().map(|(row, hash)| Ok((row.read()?, hash))).collect();
    }
    ids.iter().filter_map(|id| find_with_secret(conn, *id).transpose()).collect()
}

/// The client of this name; the console is none.
pub fn find_by_name(conn: &mut Conn, name: &str) -> Result<Option<Client>, Fault> {
    let row: Option<Row> = client::table
        .filter(client::name.eq(name))
        .filter(client::id.ne(ClientId::CONSOLE.bytes()))
        .select(Row::as_select())
        .first(conn)
        .optional()?;
    row.map(Row::read).transpose()
}

/// All clients by name but the console, which nobody manages.
pub fn list(conn: &mut Conn) -> Result<Vec<Client>, Fault> {
    let rows: Vec<Row> = client::table
        .filter(client::id.ne(ClientId::CONSOLE.bytes()))
        .order(client::name.asc())
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(Row::read).collect()
}

/// The ids of all clients that are disabled, whatever else is stored of them.
pub fn disabled(conn: &mut Conn) -> Result<Vec<ClientId>, Fault> {
    let ids: Vec<Vec<u8>> = client::table
        .filter(client::state.eq(ClientState::Disabled.as_str()))
        .order(client::id.asc())
        .select(client::id)
        .load(conn)?;
    ids.iter().map(|bytes| id("client id", ClientId::from_bytes(bytes))).collect()
}

/// Up to `limit` clients by name, after one where it is given.
pub fn page(conn: &mut Conn, after: Option<&str>, limit: i64) -> Result<Vec<Client>, Fault> {
    let rows: Vec<Row> = client::table
        .filter(client::name.gt(after.unwrap_or("")))
        .filter(client::id.ne(ClientId::CONSOLE.bytes()))
        .order(client::name.asc())
        .limit(limit)
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(Row::read).collect()
}

/// Waits until no other transaction changes this client, and keeps it so until this one ends. Its tokens are issued meanwhile.
pub fn hold_changes(conn: &mut Conn, id: ClientId) -> Result<(), Fault> {
    diesel::update(client::table.find(id.bytes())).set(client::name.eq(client::name)).execute(conn)?;
    Ok(())
}

/// Changes everything but id, name, secret and state.
pub fn update(conn: &mut Conn, new: &Client) -> Result<(), Fault> {
    diesel::update(client::table.find(new.id.bytes())).set(Registration::of(new)).execute(conn)?;
    Ok(())
}

/// Puts another secret's keyed hash in the place of the one that was good.
pub fn set_secret(conn: &mut Conn, id: ClientId, hash: &[u8]) -> Result<(), Fault> {
    diesel::update(client::table.find(id.bytes())).set(client::secret_hash.eq(hash)).execute(conn)?;
    Ok(())
}

/// Enables or disables.
pub fn set_state(conn: &mut Conn, id: ClientId, state: ClientState) -> Result<(), Fault> {
    diesel::update(client::table.find(id.bytes())).set(client::state.eq(state.as_str())).execute(conn)?;
    Ok(())
}

/// Removes a client. What it still has goes with it, but for the tokens that it got for itself (`app/client/closing.rs`).
pub fn remove(conn: &mut Conn, id: ClientId) -> Result<(), Fault> {
    diesel::delete(client::table.find(id.bytes())).execute(conn)?;
    Ok(())
}
