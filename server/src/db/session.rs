//! Sessions: every login is one. Ending a session ends its tokens, since a token is only as good as its session.

#[cfg(feature = "postgres")]
use diesel::pg::Pg;
use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text};
use diesel::sqlite::SqliteConnection;

use crate::db::schema::{audit_head, client, session};
use crate::db::statement::{MOST_VALUES, insert_rows};
#[cfg(feature = "postgres")]
use crate::db::statement::{Statement, column};
use crate::db::token::forget_of;
use crate::db::{Conn, id, segment, time};
use crate::domain::authorization::Details;
use crate::domain::id::{ClientId, FactorId, SessionId, TokenId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::token::{Amr, LEEWAY_S, Login, RefreshToken, SessionSummary};
use crate::domain::user::UserState;
use crate::error::Fault;

/// A login that just happened.
pub struct New {
    /// Its id.
    pub id: SessionId,
    /// Who logged in.
    pub user: UserId,
    /// At which application.
    pub client: ClientId,
    /// With which factor, if any.
    pub factor: Option<FactorId>,
    /// By which methods.
    pub amr: Amr,
    /// From which network address.
    pub address: Option<String>,
    /// With which browser, in words.
    pub device: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When the user was authenticated, where that was before it began.
    pub fresh_at: Option<Timestamp>,
    /// When it ends unless it is refreshed.
    pub ends_at: Timestamp,
    /// When it ends however often it is refreshed.
    pub limit_at: Timestamp,
    /// The refresh token that is good, if there is one.
    pub refresh: Option<TokenId>,
}

/// A session as stored, as far as what hangs on it needs to know.
#[derive(Queryable, Selectable)]
#[diesel(table_name = session)]
pub(super) struct Row {
    id: Vec<u8>,
    user_id: Vec<u8>,
    amr: String,
    started_at: i64,
    ends_at: i64,
    limit_at: i64,
    pub(super) refresh_id: Option<Vec<u8>>,
    revoked_at: Option<i64>,
    fresh_at: Option<i64>,
}

impl Row {
    pub(super) fn read(self, user_name: String, user_state: &str) -> Result<Login, Fault> {
        Ok(Login {
            session: id("session id", SessionId::from_bytes(&self.id))?,
            user: id("user id", UserId::from_bytes(&self.user_id))?,
            user_name,
            user_active: user_state == UserState::Active.as_str(),
            amr: self.amr,
            fresh_at: Timestamp::from_millis(self.fresh_at.unwrap_or(self.started_at)),
            ends_at: Timestamp::from_millis(self.ends_at),
            limit_at: Timestamp::from_millis(self.limit_at),
            revoked_at: time(self.revoked_at),
        })
    }
}

/// Records many logins in one statement.
#[cfg(feature = "postgres")]
pub(super) fn inserting(logins: &[New]) -> Statement<'_, Pg> {
    Statement::new(
        "INSERT INTO session (id, user_id, client_id, factor_id, amr, address, device, \
         started_at, used_at, fresh_at, ends_at, limit_at, refresh_id, segment) \
         SELECT login.id, user_id, client_id, factor_id, amr, address, device, \
         started_at, started_at, fresh_at, ends_at, limit_at, refresh_id, head.seq / ? \
         FROM UNNEST(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) AS login (id, user_id, client_id, factor_id, amr, \
         address, device, started_at, fresh_at, ends_at, limit_at, refresh_id), audit_head AS head WHERE head.id = 1",
    )
    .bind::<BigInt, _>(segment::ENTRIES)
    .bind::<Array<Binary>, _>(column(logins, |new| new.id.bytes()))
    .bind::<Array<Binary>, _>(column(logins, |new| new.user.bytes()))
    .bind::<Array<Binary>, _>(column(logins, |new| new.client.bytes()))
    .bind::<Array<Nullable<Binary>>, _>(column(logins, |new| new.factor.as_ref().map(FactorId::bytes)))
    .bind::<Array<Text>, _>(column(logins, |new| new.amr.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(logins, |new| new.address.as_deref()))
    .bind::<Array<Nullable<Text>>, _>(column(logins, |new| new.device.as_deref()))
    .bind::<Array<BigInt>, _>(column(logins, |new| new.started_at.millis()))
    .bind::<Array<Nullable<BigInt>>, _>(column(logins, |new| new.fresh_at.map(Timestamp::millis)))
    .bind::<Array<BigInt>, _>(column(logins, |new| new.ends_at.millis()))
    .bind::<Array<BigInt>, _>(column(logins, |new| new.limit_at.millis()))
    .bind::<Array<Nullable<Binary>>, _>(column(logins, |new| new.refresh.as_ref().map(TokenId::bytes)))
}

/// Records many logins.
pub(super) fn insert_all(conn: &mut SqliteConnection, logins: &[New]) -> Result<(), Fault> {
    if logins.is_empty() {
        return Ok(());
    }
    let head: i64 = audit_head::table.find(1).select(audit_head::seq).first(conn)?;
    let columns = "id, user_id, client_id, factor_id, amr, address, device, \
                  started_at, used_at, fresh_at, ends_at, limit_at, refresh_id, segment";
    insert_rows(conn, "session", columns, logins, |statement, new| {
        statement
            .bytes(new.id.bytes())
            .bytes(new.user.bytes())
            .bytes(new.client.bytes())
            .bytes(new.factor.as_ref().map(FactorId::bytes))
            .text(new.amr.as_str())
            .text(new.address.as_deref())
            .text(new.device.as_deref())
            .whole(new.started_at.millis())
            .whole(new.started_at.millis())
            .whole(new.fresh_at.map(Timestamp::millis))
            .whole(new.ends_at.millis())
            .whole(new.limit_at.millis())
            .bytes(new.refresh.as_ref().map(TokenId::bytes))
            .whole(head / segment::ENTRIES)
    })?;
    Ok(())
}

/// Waits until no other transaction has this session's row, and keeps it until this one ends: refreshes of one session follow one
/// another, on every server.
pub fn hold(conn: &mut Conn, session: SessionId) -> Result<(), Fault> {
    diesel::update(session::table.find(session.bytes()))
        .set(session::used_at.eq(session::used_at))
        .execute(conn)?;
    Ok(())
}

/// Notes that a code of a factor was given within a session, which makes its login as good as new, and as good as that factor: the session
/// ends with it from now on.
pub fn refreshen(
    conn: &mut Conn,
    session: SessionId,
    factor: FactorId,
    amr: Amr,
    now: Timestamp,
) -> Result<(), Fault> {
    diesel::update(session::table.find(session.bytes()))
        .set((
            session::factor_id.eq(factor.bytes()),
            session::amr.eq(amr.as_str()),
            session::fresh_at.eq(now.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Moves the end of a session that somebody is using, unless it is over.
pub fn touch(conn: &mut Conn, session: SessionId, ends_at: Timestamp, now: Timestamp) -> Result<(), Fault> {
    diesel::update(session::table.find(session.bytes()))
        .filter(session::revoked_at.is_null())
        .filter(session::ends_at.gt(now.millis()))
        .set((session::used_at.eq(now.millis()), session::ends_at.eq(ends_at.millis())))
        .execute(conn)?;
    Ok(())
}

/// A refresh token that was exchanged for its successor. Only [`rotate`] makes it; only tokens of the same login can be made of it.
#[must_use]
#[derive(Debug)]
pub struct Rotated {
    login: Login,
    successor: TokenId,
    scope: String,
    details: Details,
}

impl Rotated {
    /// The login that goes on.
    pub const fn login(&self) -> &Login {
        &self.login
    }

    /// What the login may do at most, separated by blanks: a narrower token does not narrow the login.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The login's `authorization_details`, in the same way.
    pub const fn details(&self) -> &Details {
        &self.details
    }

    /// The refresh token that is good from now on.
    pub const fn successor(&self) -> TokenId {
        self.successor
    }
}

/// Makes `successor` the session's one good refresh token in the place of the one that `shown` was or led to, and moves the session's end.
/// The database decides: of two that show the same token, the second finds it replaced. `None`: another one is good by now, or
/// the session is over.
pub fn rotate(
    conn: &mut Conn,
    shown: &RefreshToken,
    successor: TokenId,
    ends_at: Timestamp,
    now: Timestamp,
) -> Result<Option<Rotated>, Fault> {
    let Some(expected) = shown.expected(now) else { return Ok(None) };
    let rotated = diesel::update(session::table.find(shown.login.session.bytes()))
        .filter(session::refresh_id.eq(expected.bytes()))
        .filter(session::revoked_at.is_null())
        .filter(session::ends_at.gt(now.millis()))
        .set((
            session::refresh_id.eq(successor.bytes()),
            session::used_at.eq(now.millis()),
            session::ends_at.eq(ends_at.millis()),
        ))
        .execute(conn)?;
    Ok((rotated == 1).then(|| Rotated {
        login: Login { ends_at, ..shown.login.clone() },
        successor,
        scope: shown.scope.clone(),
        details: shown.details.clone(),
    }))
}

/// Which sessions to end.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// All of a user.
    OfUser(UserId),
    /// All of a user but one.
    OfUserBut(UserId, SessionId),
    /// All of a user whose last code was a factor's.
    OfFactor(UserId, FactorId),
    /// One.
    One(SessionId),
    /// One, if it is this user's.
    OneOf(UserId, SessionId),
    /// Some that were looked up ([`live_at`]).
    These(&'a [SessionId]),
}

/// Ends sessions; returns those that were live, or that somebody with a clock a little behind could still take for it: a request that waited
/// for this one has the time at which it came.
pub fn end(conn: &mut Conn, which: Which<'_>, now: Timestamp) -> Result<Vec<SessionId>, Fault> {
    let since = now.plus_seconds(-LEEWAY_S);
    let live = || {
        diesel::update(session::table)
            .filter(session::revoked_at.is_null())
            .filter(session::ends_at.gt(since.millis()))
            .set(session::revoked_at.eq(now.millis()))
            .returning(session::id)
    };
    let ids = match which {
        Which::OfUser(user) | Which::OfFactor(user, _) => segment::live_sessions(conn, user, since)?,
        Which::OfUserBut(user, kept) => {
            let mut ids = segment::live_sessions(conn, user, since)?;
            ids.retain(|id| id != kept.bytes());
            ids
        }
        Which::One(one) | Which::OneOf(_, one) => vec![one.bytes().to_vec()],
        Which::These(sessions) => sessions.iter().map(|id| id.bytes().to_vec()).collect(),
    };
    let mut ended = Vec::new();
    for some in ids.chunks(MOST_VALUES) {
        let found = live().filter(session::id.eq_any(some));
        let now_ended: Vec<Vec<u8>> = match which {
            Which::OfFactor(_, factor) => {
                found.filter(session::factor_id.eq(factor.bytes())).get_results(conn)?
            }
            Which::OneOf(user, _) => found.filter(session::user_id.eq(user.bytes())).get_results(conn)?,
            _ => found.get_results(conn)?,
        };
        ended.extend(now_ended);
    }
    read_ids(&ended)
}

/// Whether [`end`] would end this session of this user.
pub fn may_end(conn: &mut Conn, user: UserId, session: SessionId, now: Timestamp) -> Result<bool, Fault> {
    let live = session::table
        .find(session.bytes())
        .filter(session::user_id.eq(user.bytes()))
        .filter(session::revoked_at.is_null())
        .filter(session::ends_at.gt(now.plus_seconds(-LEEWAY_S).millis()))
        .count();
    Ok(live.get_result::<i64>(conn)? > 0)
}

/// Whose session this is, live or not.
pub fn user_of(conn: &mut Conn, session: SessionId) -> Result<Option<UserId>, Fault> {
    let user: Option<Vec<u8>> =
        session::table.find(session.bytes()).select(session::user_id).first(conn).optional()?;
    user.map(|bytes| id("user id", UserId::from_bytes(&bytes))).transpose()
}

/// Sessions at a client that [`end`] would end, at most so many.
pub fn live_at(
    conn: &mut Conn,
    client: ClientId,
    now: Timestamp,
    most: usize,
) -> Result<Vec<SessionId>, Fault> {
    let live: Vec<Vec<u8>> = session::table
        .filter(session::client_id.eq(client.bytes()))
        .filter(session::revoked_at.is_null())
        .filter(session::ends_at.gt(now.plus_seconds(-LEEWAY_S).millis()))
        .limit(i64::try_from(most).unwrap_or(i64::MAX))
        .select(session::id)
        .load(conn)?;
    read_ids(&live)
}

/// Sessions at a client that are not among [`live_at`], at most so many.
pub fn ended_at(
    conn: &mut Conn,
    client: ClientId,
    now: Timestamp,
    most: usize,
) -> Result<Vec<SessionId>, Fault> {
    let has_ended = session::ends_at.le(now.plus_seconds(-LEEWAY_S).millis());
    let ended: Vec<Vec<u8>> = session::table
        .filter(session::client_id.eq(client.bytes()))
        .filter(session::revoked_at.is_not_null().or(has_ended))
        .limit(i64::try_from(most).unwrap_or(i64::MAX))
        .select(session::id)
        .load(conn)?;
    read_ids(&ended)
}

/// Deletes sessions, and with them their tokens, unless these are too many for one transaction: then some of them go, and the sessions stay.
/// Returns whether that was all.
pub fn delete_some(conn: &mut Conn, sessions: &[SessionId]) -> Result<bool, Fault> {
    let ids: Vec<&[u8]> = sessions.iter().map(SessionId::bytes).collect();
    let is_all = forget_of(conn, &ids)?;
    if is_all {
        delete_these(conn, sessions)?;
    }
    Ok(is_all)
}

/// Deletes sessions, and with them their tokens.
fn delete_these(conn: &mut Conn, sessions: &[SessionId]) -> Result<(), Fault> {
    for some in sessions.chunks(MOST_VALUES) {
        let ids: Vec<&[u8]> = some.iter().map(SessionId::bytes).collect();
        diesel::delete(session::table.filter(session::id.eq_any(ids))).execute(conn)?;
    }
    Ok(())
}

pub(super) fn read_ids(ids: &[Vec<u8>]) -> Result<Vec<SessionId>, Fault> {
    ids.iter().map(|bytes| id("session id", SessionId::from_bytes(bytes))).collect()
}

/// Deletes the sessions of a user who is removed, and with them their tokens.
pub(super) fn delete_of(conn: &mut Conn, user: UserId) -> Result<(), Fault> {
    let sessions = read_ids(&segment::all_sessions(conn, user)?)?;
    delete_these(conn, &sessions)
}

/// Ends everybody's sessions everywhere; returns how many of them had not ended by themselves. Whoever checks JWTs alone learns nothing of it: then
/// the keys have to be revoked.
pub fn end_all(conn: &mut Conn, now: Timestamp) -> Result<i64, Fault> {
    let live = count_live(conn, now)?;
    diesel::update(session::table.filter(session::revoked_at.is_null()))
        .set(session::revoked_at.eq(now.millis()))
        .execute(conn)?;
    Ok(live)
}

/// Up to `limit` live sessions of a user with an id before one, the youngest first.
pub fn page(
    conn: &mut Conn,
    user: UserId,
    now: Timestamp,
    before: SessionId,
    limit: i64,
) -> Result<Vec<SessionSummary>, Fault> {
    type Row = (Vec<u8>, String, String, Option<String>, Option<String>, i64, i64, i64);
    let mut ids = segment::live_sessions(conn, user, now)?;
    ids.retain(|id| id.as_slice() < before.bytes());
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let rows: Vec<Row> = session::table
        .inner_join(client::table)
        .filter(session::id.eq_any(ids))
        .filter(session::revoked_at.is_null())
        .filter(session::ends_at.gt(now.millis()))
        .order(session::id.desc())
        .select((
            session::id,
            client::name,
            session::amr,
            session::address,
            session::device,
            session::started_at,
            session::used_at,
            session::ends_at,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(bytes, client_name, amr, address, device, started_at, used_at, ends_at)| {
            Ok(SessionSummary {
                id: id("session id", SessionId::from_bytes(&bytes))?,
                client_name,
                amr,
                address,
                device,
                started_at: Timestamp::from_millis(started_at),
                used_at: Timestamp::from_millis(used_at),
                ends_at: Timestamp::from_millis(ends_at),
            })
        })
        .collect()
}

/// How many sessions are live.
pub fn count_live(conn: &mut Conn, now: Timestamp) -> Result<i64, Fault> {
    Ok(session::table
        .filter(session::ends_at.gt(now.millis()))
        .filter(session::revoked_at.is_null())
        .count()
        .get_result(conn)?)
}
