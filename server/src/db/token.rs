//! Access tokens. A JWT is found by its `jti`, an opaque token by its keyed hash.

use diesel::prelude::*;

use crate::db::schema::{client, session, token, user};
use crate::db::{Conn, id, time};
use crate::domain::client::ClientState;
use crate::domain::id::{ClientId, SessionId, TokenId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::token::{Login, TokenRecord};
use crate::domain::user::UserState;
use crate::error::Fault;

/// A token about to be answered.
pub struct New<'a> {
    /// Its id.
    pub id: TokenId,
    /// The login behind it, if any.
    pub session: Option<SessionId>,
    /// The client it goes to.
    pub client: ClientId,
    /// Opaque tokens: the keyed hash.
    pub hash: Option<&'a [u8]>,
    /// Who it is for.
    pub audience: &'a str,
    /// What it may do.
    pub scope: &'a str,
    /// Now.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether its first introspection spends it.
    pub one_use: bool,
}

/// Records a token.
pub fn insert(conn: &mut Conn, new: &New<'_>) -> Result<(), Fault> {
    diesel::insert_into(token::table)
        .values((
            token::id.eq(new.id.bytes()),
            token::session_id.eq(new.session.as_ref().map(SessionId::bytes)),
            token::client_id.eq(new.client.bytes()),
            token::kind.eq("access"),
            token::hash.eq(new.hash),
            token::audience.eq(new.audience),
            token::scope.eq(new.scope),
            token::issued_at.eq(new.issued_at.millis()),
            token::expires_at.eq(new.expires_at.millis()),
            token::one_use.eq(new.one_use),
        ))
        .execute(conn)?;
    Ok(())
}

/// How a token is named by whoever shows it.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// The `jti` of a JWT whose signature was verified.
    Id(TokenId),
    /// The keyed hash of an opaque token.
    Hash(&'a [u8]),
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = token)]
struct TokenRow {
    id: Vec<u8>,
    client_id: Vec<u8>,
    audience: String,
    scope: String,
    issued_at: i64,
    expires_at: i64,
    one_use: bool,
    used_at: Option<i64>,
    revoked_at: Option<i64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = session)]
struct SessionRow {
    id: Vec<u8>,
    user_id: Vec<u8>,
    amr: String,
    started_at: i64,
    ends_at: i64,
    revoked_at: Option<i64>,
}

/// The token with all that its life hangs on, live or not.
pub fn find(conn: &mut Conn, key: Key<'_>) -> Result<Option<TokenRecord>, Fault> {
    type Found = (TokenRow, String, Option<SessionRow>, Option<(String, String)>);
    let query =
        token::table.inner_join(client::table).left_join(session::table.inner_join(user::table)).select((
            TokenRow::as_select(),
            client::state,
            Option::<SessionRow>::as_select(),
            (user::name, user::state).nullable(),
        ));
    let found: Option<Found> = match key {
        Key::Id(id) => query.filter(token::id.eq(id.bytes())).first(conn).optional()?,
        Key::Hash(hash) => query.filter(token::hash.eq(hash)).first(conn).optional()?,
    };
    let Some((row, client_state, session, user)) = found else { return Ok(None) };
    let login = match (session, user) {
        (Some(session), Some((user_name, user_state))) => Some(Login {
            session: id("session id", SessionId::from_bytes(&session.id))?,
            user: id("user id", UserId::from_bytes(&session.user_id))?,
            user_name,
            user_active: user_state == UserState::Active.as_str(),
            amr: session.amr,
            started_at: Timestamp::from_millis(session.started_at),
            ends_at: Timestamp::from_millis(session.ends_at),
            revoked_at: time(session.revoked_at),
        }),
        _ => None,
    };
    Ok(Some(TokenRecord {
        id: id("token id", TokenId::from_bytes(&row.id))?,
        client: id("client id", ClientId::from_bytes(&row.client_id))?,
        login,
        audience: row.audience,
        scope: row.scope,
        issued_at: Timestamp::from_millis(row.issued_at),
        expires_at: Timestamp::from_millis(row.expires_at),
        one_use: row.one_use,
        used_at: time(row.used_at),
        revoked_at: time(row.revoked_at),
        client_active: client_state == ClientState::Active.as_str(),
    }))
}

/// Spends a one-use token; of any number of callers one gets `true`.
pub fn spend(conn: &mut Conn, id: TokenId, now: Timestamp) -> Result<bool, Fault> {
    let spent = diesel::update(token::table.find(id.bytes()))
        .filter(token::used_at.is_null())
        .filter(token::revoked_at.is_null())
        .set(token::used_at.eq(now.millis()))
        .execute(conn)?;
    Ok(spent == 1)
}

/// Revokes a token; `false` where it was revoked already.
pub fn revoke(conn: &mut Conn, id: TokenId, now: Timestamp) -> Result<bool, Fault> {
    let revoked = diesel::update(token::table.find(id.bytes()))
        .filter(token::revoked_at.is_null())
        .set(token::revoked_at.eq(now.millis()))
        .execute(conn)?;
    Ok(revoked == 1)
}
