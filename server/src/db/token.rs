//! Access tokens and refresh tokens. A JWT is found by its `jti`, the others by their keyed hash.

#[cfg(feature = "postgres")]
use diesel::pg::Pg;
use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text};
use diesel::sqlite::SqliteConnection;

use crate::db::schema::{client, session, token, user};
#[cfg(feature = "postgres")]
use crate::db::statement::column;
use crate::db::statement::{MOST_VALUES, Statement, directly, insert_rows};
use crate::db::{Conn, id, read_details, session as logins, time};
use crate::domain::client::ClientState;
use crate::domain::id::{ClientId, SessionId, TokenId};
use crate::domain::time::Timestamp;
use crate::domain::token::{LEEWAY_S, RefreshToken, TokenRecord};
use crate::error::Fault;

/// What a token is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// For resources.
    Access,
    /// For the next access token.
    Refresh,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// A token about to be answered.
#[derive(Clone)]
pub struct New {
    /// Its id.
    pub id: TokenId,
    /// The login behind it, if any.
    pub session: Option<SessionId>,
    /// The client it goes to.
    pub client: ClientId,
    /// What it is for.
    pub kind: Kind,
    /// Opaque tokens: the keyed hash.
    pub hash: Option<[u8; 32]>,
    /// Who it is for.
    pub audience: String,
    /// What it may do.
    pub scope: String,
    /// In detail, as JSON.
    pub details: Option<String>,
    /// Now.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether its first introspection spends it.
    pub one_use: bool,
}

/// Records many tokens in one statement.
#[cfg(feature = "postgres")]
pub(super) fn inserting(tokens: &[New]) -> Statement<'_, Pg> {
    Statement::new(
        "INSERT INTO token (id, session_id, client_id, kind, hash, audience, scope, details, \
         issued_at, expires_at, one_use) \
         SELECT * FROM UNNEST(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind::<Array<Binary>, _>(column(tokens, |new| new.id.bytes()))
    .bind::<Array<Nullable<Binary>>, _>(column(tokens, |new| new.session.as_ref().map(SessionId::bytes)))
    .bind::<Array<Binary>, _>(column(tokens, |new| new.client.bytes()))
    .bind::<Array<Text>, _>(column(tokens, |new| new.kind.as_str()))
    .bind::<Array<Nullable<Binary>>, _>(column(tokens, |new| new.hash.as_ref().map(<[u8; 32]>::as_slice)))
    .bind::<Array<Text>, _>(column(tokens, |new| new.audience.as_str()))
    .bind::<Array<Text>, _>(column(tokens, |new| new.scope.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(tokens, |new| new.details.as_deref()))
    .bind::<Array<BigInt>, _>(column(tokens, |new| new.issued_at.millis()))
    .bind::<Array<BigInt>, _>(column(tokens, |new| new.expires_at.millis()))
    .bind::<Array<Bool>, _>(column(tokens, |new| new.one_use))
}

/// Records many.
pub(super) fn insert_all(conn: &mut SqliteConnection, tokens: &[New]) -> Result<(), Fault> {
    let columns = "id, session_id, client_id, kind, hash, audience, scope, details, \
                  issued_at, expires_at, one_use";
    insert_rows(conn, "token", columns, tokens, |statement, new| {
        statement
            .bytes(new.id.bytes())
            .bytes(new.session.as_ref().map(SessionId::bytes))
            .bytes(new.client.bytes())
            .text(new.kind.as_str())
            .bytes(new.hash.as_ref().map(<[u8; 32]>::as_slice))
            .text(new.audience.as_str())
            .text(new.scope.as_str())
            .text(new.details.as_deref())
            .whole(new.issued_at.millis())
            .whole(new.expires_at.millis())
            .whole(i64::from(new.one_use))
    })?;
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
pub(super) struct TokenRow {
    id: Vec<u8>,
    session_id: Option<Vec<u8>>,
    client_id: Vec<u8>,
    audience: String,
    scope: String,
    details: Option<String>,
    issued_at: i64,
    expires_at: i64,
    one_use: bool,
    hash: Option<Vec<u8>>,
    used_at: Option<i64>,
    revoked_at: Option<i64>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = token)]
struct RefreshRow {
    id: Vec<u8>,
    client_id: Vec<u8>,
    audience: String,
    scope: String,
    details: Option<String>,
    used_at: Option<i64>,
    replaced_by: Option<Vec<u8>>,
}

/// A token, its client's state, and its login with the user's name and state.
pub(super) type Found = (TokenRow, String, Option<logins::Row>, Option<(String, String)>);

/// The access token with all that its life hangs on, live or not.
pub fn find(conn: &mut Conn, key: Key<'_>) -> Result<Option<TokenRecord>, Fault> {
    // One join after the other: a join within a join SQLite would work out for all sessions first.
    let found: Option<Found> = directly!(conn, |own| {
        let query = token::table
            .inner_join(client::table)
            .left_join(session::table.on(token::session_id.eq(session::id.nullable())))
            .left_join(user::table.on(session::user_id.nullable().eq(user::id.nullable())))
            .filter(token::kind.eq(Kind::Access.as_str()))
            .select((
                TokenRow::as_select(),
                client::state,
                Option::<logins::Row>::as_select(),
                (user::name, user::state).nullable(),
            ));
        match key {
            Key::Id(id) => query.filter(token::id.eq(id.bytes())).first(own).optional()?,
            Key::Hash(hash) => query.filter(token::hash.eq(hash)).first(own).optional()?,
        }
    });
    Ok(found.map(read).transpose()?.flatten())
}

/// Whose the opaque token with this keyed hash is, live or not.
pub fn client_of(conn: &mut Conn, hash: &[u8]) -> Result<Option<ClientId>, Fault> {
    let found: Option<Vec<u8>> =
        token::table.filter(token::hash.eq(hash)).select(token::client_id).first(conn).optional()?;
    found.map(|bytes| id("client id", ClientId::from_bytes(&bytes))).transpose()
}

/// What a token's rows say; nothing where its user is gone.
pub(super) fn read((row, client_state, session, user): Found) -> Result<Option<TokenRecord>, Fault> {
    let login = match (session, user) {
        (Some(session), Some((user_name, user_state))) => Some(session.read(user_name, &user_state)?),
        // Whose user is gone is gone, too. It must not pass for one that an application got for itself.
        _ if row.session_id.is_some() => return Ok(None),
        _ => None,
    };
    Ok(Some(TokenRecord {
        id: id("token id", TokenId::from_bytes(&row.id))?,
        client: id("client id", ClientId::from_bytes(&row.client_id))?,
        login,
        audience: row.audience,
        scope: row.scope,
        details: read_details(row.details.as_deref())?,
        issued_at: Timestamp::from_millis(row.issued_at),
        expires_at: Timestamp::from_millis(row.expires_at),
        one_use: row.one_use,
        is_jwt: row.hash.is_none(),
        used_at: time(row.used_at),
        revoked_at: time(row.revoked_at),
        client_active: client_state == ClientState::Active.as_str(),
    }))
}

/// The refresh token with this keyed hash, used before or not.
pub fn find_refresh(conn: &mut Conn, hash: &[u8]) -> Result<Option<RefreshToken>, Fault> {
    type Found = (RefreshRow, logins::Row, (String, String));
    let found: Option<Found> = token::table
        .inner_join(session::table.inner_join(user::table))
        .filter(token::hash.eq(hash))
        .filter(token::kind.eq(Kind::Refresh.as_str()))
        .select((RefreshRow::as_select(), logins::Row::as_select(), (user::name, user::state)))
        .first(conn)
        .optional()?;
    let Some((row, mut session, (user_name, user_state))) = found else { return Ok(None) };
    let current = session.refresh_id.take();
    let optional =
        |bytes: Option<Vec<u8>>| bytes.map(|bytes| id("token id", TokenId::from_bytes(&bytes))).transpose();
    Ok(Some(RefreshToken {
        id: id("token id", TokenId::from_bytes(&row.id))?,
        client: id("client id", ClientId::from_bytes(&row.client_id))?,
        login: session.read(user_name, &user_state)?,
        current: optional(current)?,
        audience: row.audience,
        scope: row.scope,
        details: read_details(row.details.as_deref())?,
        replaced: time(row.used_at).zip(optional(row.replaced_by)?),
    }))
}

/// Notes that a refresh token was exchanged. The time of the first exchange stays: the grace counts from there.
pub fn replace(conn: &mut Conn, id: TokenId, successor: TokenId, now: Timestamp) -> Result<(), Fault> {
    diesel::update(token::table.find(id.bytes()))
        .set(token::replaced_by.eq(successor.bytes()))
        .execute(conn)?;
    diesel::update(token::table.find(id.bytes()).filter(token::used_at.is_null()))
        .set(token::used_at.eq(now.millis()))
        .execute(conn)?;
    Ok(())
}

/// How many of a session's tokens are looked at in one go, and how many of several sessions go in one transaction.
pub(super) const MOST_OF_SESSIONS: usize = 600;

/// Of a session's tokens, the oldest of them, those that nobody needs. `?`: the session; how many are looked at; before when a token ended that is not
/// needed, and before when a refresh token was exchanged, or issued where it never was.
const FORGET: &str = "DELETE FROM token WHERE id IN (SELECT id FROM \
    (SELECT id, kind, issued_at, used_at, expires_at FROM token WHERE session_id = ? ORDER BY id LIMIT ?) AS looked \
    WHERE expires_at < ? OR (kind = 'refresh' AND COALESCE(used_at, issued_at) < ?))";

/// Deletes tokens of a session whose good refresh token is about to be recorded: such as ended before `ended_before`, and refresh tokens that
/// were exchanged before `spent_before`. A bounded number of them: the next refresh goes on.
pub fn forget(
    conn: &mut Conn,
    session: SessionId,
    ended_before: Timestamp,
    spent_before: Timestamp,
) -> Result<(), Fault> {
    directly!(conn, |own| Statement::new(FORGET)
        .bytes(session.bytes())
        .whole(i64::try_from(MOST_OF_SESSIONS).unwrap_or(1))
        .whole(ended_before.millis())
        .whole(spent_before.millis())
        .execute(own))?;
    Ok(())
}

/// Deletes tokens of sessions that are about to be deleted, at most [`MOST_OF_SESSIONS`]; returns whether that was all.
pub(super) fn forget_of(conn: &mut Conn, sessions: &[&[u8]]) -> Result<bool, Fault> {
    let mut left = MOST_OF_SESSIONS;
    for some in sessions.chunks(MOST_VALUES) {
        let ids: Vec<Vec<u8>> = token::table
            .filter(token::session_id.eq_any(some.iter().map(|id| Some(*id))))
            .limit(i64::try_from(left).unwrap_or(1))
            .select(token::id)
            .load(conn)?;
        diesel::delete(token::table.filter(token::id.eq_any(&ids))).execute(conn)?;
        left = left.saturating_sub(ids.len());
        if left == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// When the last JWT of each of these sessions ends; without those whose all have ended for every clock, or were revoked one by one.
pub fn last_jwts(
    conn: &mut Conn,
    sessions: &[SessionId],
    now: Timestamp,
) -> Result<Vec<(SessionId, Timestamp)>, Fault> {
    let mut last = Vec::new();
    for some in sessions.chunks(MOST_VALUES) {
        let rows: Vec<(Option<Vec<u8>>, Option<i64>)> = token::table
            .filter(token::session_id.eq_any(some.iter().map(|id| Some(id.bytes()))))
            .filter(token::hash.is_null())
            .filter(token::revoked_at.is_null())
            .filter(token::expires_at.gt(now.plus_seconds(-LEEWAY_S).millis()))
            .group_by(token::session_id)
            .select((token::session_id, diesel::dsl::max(token::expires_at)))
            .load(conn)?;
        for (session, ends_at) in rows {
            let session = session.and_then(|bytes| SessionId::from_bytes(&bytes));
            last.push((id("session id", session)?, id("end of a token", time(ends_at))?));
        }
    }
    Ok(last)
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

/// Tokens that a client got for itself and that have not ended, at most so many.
pub fn live_own(
    conn: &mut Conn,
    client: ClientId,
    now: Timestamp,
    most: usize,
) -> Result<Vec<TokenId>, Fault> {
    let live: Vec<Vec<u8>> = token::table
        .filter(token::client_id.eq(client.bytes()))
        .filter(token::session_id.is_null())
        .filter(token::revoked_at.is_null())
        .filter(token::expires_at.gt(now.millis()))
        .limit(i64::try_from(most).unwrap_or(i64::MAX))
        .select(token::id)
        .load(conn)?;
    live.iter().map(|bytes| id("token id", TokenId::from_bytes(bytes))).collect()
}

/// What [`revoke_own`] has revoked.
pub struct Revoked {
    /// How many.
    pub number: usize,
    /// The JWTs among them, and when they end.
    pub jwts: Vec<(TokenId, Timestamp)>,
}

/// Revokes those of these tokens that nobody has revoked.
pub fn revoke_own(conn: &mut Conn, tokens: &[TokenId], now: Timestamp) -> Result<Revoked, Fault> {
    let mut all = Revoked { number: 0, jwts: Vec::new() };
    for some in tokens.chunks(MOST_VALUES) {
        let revoked: Vec<(Vec<u8>, i64, Option<Vec<u8>>)> = diesel::update(token::table)
            .filter(token::id.eq_any(some.iter().map(TokenId::bytes)))
            .filter(token::revoked_at.is_null())
            .set(token::revoked_at.eq(now.millis()))
            .returning((token::id, token::expires_at, token::hash))
            .get_results(conn)?;
        all.number += revoked.len();
        for (bytes, at, _) in revoked.into_iter().filter(|(_, _, hash)| hash.is_none()) {
            all.jwts.push((id("token id", TokenId::from_bytes(&bytes))?, Timestamp::from_millis(at)));
        }
    }
    Ok(all)
}

/// Tokens that a client got for itself and that are not among [`live_own`], at most so many.
pub fn ended_own(
    conn: &mut Conn,
    client: ClientId,
    now: Timestamp,
    most: usize,
) -> Result<Vec<TokenId>, Fault> {
    let ended: Vec<Vec<u8>> = token::table
        .filter(token::client_id.eq(client.bytes()))
        .filter(token::session_id.is_null())
        .filter(token::revoked_at.is_not_null().or(token::expires_at.le(now.millis())))
        .limit(i64::try_from(most).unwrap_or(i64::MAX))
        .select(token::id)
        .load(conn)?;
    ended.iter().map(|bytes| id("token id", TokenId::from_bytes(bytes))).collect()
}

/// Deletes tokens.
pub fn delete_these(conn: &mut Conn, tokens: &[TokenId]) -> Result<(), Fault> {
    for some in tokens.chunks(MOST_VALUES) {
        let ids = some.iter().map(TokenId::bytes);
        diesel::delete(token::table.filter(token::id.eq_any(ids))).execute(conn)?;
    }
    Ok(())
}

/// Revokes a token; `false` where it was revoked already.
pub fn revoke(conn: &mut Conn, id: TokenId, now: Timestamp) -> Result<bool, Fault> {
    let revoked = diesel::update(token::table.find(id.bytes()))
        .filter(token::revoked_at.is_null())
        .set(token::revoked_at.eq(now.millis()))
        .execute(conn)?;
    Ok(revoked == 1)
}

/// Revokes all tokens that have no session to end with: those of applications for themselves.
pub fn revoke_all_without_session(conn: &mut Conn, now: Timestamp) -> Result<(), Fault> {
    diesel::update(token::table.filter(token::session_id.is_null()).filter(token::revoked_at.is_null()))
        .set(token::revoked_at.eq(now.millis()))
        .execute(conn)?;
    Ok(())
}
