//! Deleting what is over, a bounded number of rows at a time, so that nobody waits for it.

use std::collections::HashSet;

use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::Array;
use diesel::sql_types::{BigInt, Binary};

use crate::db::schema::{lockout, user};
use crate::db::{Conn, session};
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// How many rows one statement deletes at most: so few that a code does not notice the wait.
pub const BATCH: usize = 200;

/// How many lockouts are looked at in one go.
const LOOK: i64 = 2000;

/// What is swept: each statement takes the time before which rows go, and the number of rows.
///
/// An ended token needs no row: without one it is just unknown.
const STATEMENTS: [&str; 14] = [
    "DELETE FROM mfa_token WHERE hash IN (SELECT hash FROM mfa_token WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM authorization_code WHERE hash IN (SELECT hash FROM authorization_code WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM invitation WHERE hash IN (SELECT hash FROM invitation WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM trusted_device WHERE hash IN (SELECT hash FROM trusted_device WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM reset_request WHERE id IN (SELECT id FROM reset_request WHERE expires_at < $1 LIMIT $2)",
    // Those of a session go before it, and while it lasts at each refresh (`token::forget`).
    "DELETE FROM token WHERE id IN (SELECT id FROM token WHERE expires_at < $1 AND session_id IS NULL LIMIT $2)",
    "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE ends_at < $1 LIMIT $2)",
    "DELETE FROM access_grant WHERE id IN (SELECT id FROM access_grant WHERE ends_at < $1 LIMIT $2)",
    "DELETE FROM revocation WHERE (seq, kind, id) IN (SELECT seq, kind, id FROM revocation WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM factor WHERE id IN (SELECT id FROM factor WHERE state = 'revoked' AND revoked_at < $1 LIMIT $2)",
    // Kept longer than a day. Thirty days: what was sent. A year: what was not, when it interests nobody any more. 400 days: where a user
    // has not logged in.
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'sent' AND sent_at < $1 - 2505600000 LIMIT $2)",
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'waiting' AND created_at < $1 - 31449600000 LIMIT $2)",
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'failed' AND created_at < $1 - 31449600000 LIMIT $2)",
    "DELETE FROM known_device WHERE seen_at < $1 - 34473600000 AND hash IN \
     (SELECT hash FROM known_device WHERE seen_at < $1 - 34473600000 LIMIT $2)",
];

/// The kinds of things that there are to sweep, by the names of their tables.
pub fn tables() -> impl Iterator<Item = &'static str> {
    STATEMENTS.iter().filter_map(|statement| statement.split(' ').nth(2))
}

/// The statement that deletes one kind, as SQLite has it.
pub const fn statement(kind: usize) -> &'static str {
    STATEMENTS[kind]
}

/// The rows that the statement of a kind deletes, as SQLite has it.
fn which(kind: usize) -> &'static str {
    let text = statement(kind);
    text.find("(SELECT").and_then(|begin| text.get(begin..)).unwrap_or_default()
}

/// How many rows of one kind were over before `before` and are still there; a batch and more count as a batch.
pub fn count(conn: &mut Conn, kind: usize, before: Timestamp) -> Result<i64, Fault> {
    let count: Count =
        diesel::sql_query(format!("SELECT count(*) AS number FROM {} AS waiting", which(kind)))
            .bind::<BigInt, _>(before.millis())
            .bind::<BigInt, _>(i64::try_from(BATCH).unwrap_or(1))
            .get_result(conn)?;
    Ok(count.number)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Deletes some rows of one kind that were over before `before`; `true` when there may be more. Servers of one PostgreSQL that do so at once
/// take different rows.
pub fn sweep(conn: &mut Conn, kind: usize, before: Timestamp) -> Result<bool, Fault> {
    if tables().nth(kind) == Some("session") {
        return sweep_sessions(conn, kind, before);
    }
    let deleted = diesel::sql_query(taking(conn, statement(kind)))
        .bind::<BigInt, _>(before.millis())
        .bind::<BigInt, _>(i64::try_from(BATCH).unwrap_or(1))
        .execute(conn)?;
    Ok(deleted >= BATCH)
}

/// The same of sessions, some of their tokens at a time: of one that was refreshed again and again there are many.
fn sweep_sessions(conn: &mut Conn, kind: usize, before: Timestamp) -> Result<bool, Fault> {
    // Without its brackets.
    let which = which(kind).trim_matches(['(', ')']);
    let over: Vec<Over> = diesel::sql_query(taking(conn, which))
        .bind::<BigInt, _>(before.millis())
        .bind::<BigInt, _>(i64::try_from(BATCH).unwrap_or(1))
        .load(conn)?;
    let over: Vec<Vec<u8>> = over.into_iter().map(|row| row.id).collect();
    let is_all = session::delete_some(conn, &session::read_ids(&over)?)?;
    Ok(!is_all || over.len() >= BATCH)
}

#[derive(QueryableByName)]
struct Over {
    #[diesel(sql_type = Binary)]
    id: Vec<u8>,
}

/// Text of [`STATEMENTS`]; on PostgreSQL it takes none of the rows that another server has taken.
fn taking(conn: &Conn, text: &str) -> String {
    match conn {
        Conn::Sqlite(_) => text.to_owned(),
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => text.replace("LIMIT $2", "LIMIT $2 FOR UPDATE SKIP LOCKED"),
    }
}

/// What one look at the lockouts has found.
pub struct Look {
    /// Those that are over.
    pub over: Vec<Vec<u8>>,
    /// After which the next look begins; none at the end.
    pub last: Option<Vec<u8>>,
}

/// Lockouts of users stay; those of strangers and of password buckets are over after a day without a try. No index knows which, so all are looked
/// at, some at a time in the order of their keys, while nobody is kept from writing.
pub fn look_at_lockouts(conn: &mut Conn, after: &[u8], before: Timestamp) -> Result<Look, Fault> {
    let looked: Vec<(Vec<u8>, i64, i64)> = lockout::table
        .filter(lockout::subject.gt(after))
        .order(lockout::subject)
        .limit(LOOK)
        .select((lockout::subject, lockout::attempted_at, lockout::locked_until))
        .load(conn)?;
    let is_full = i64::try_from(looked.len()).unwrap_or(0) >= LOOK;
    let last = looked.last().filter(|_| is_full).map(|(subject, ..)| subject.clone());
    let is_old =
        |attempted_at, locked_until| attempted_at < before.millis() && locked_until < before.millis();
    let mut over: Vec<Vec<u8>> = looked
        .into_iter()
        .filter(|(_, attempted_at, locked_until)| is_old(*attempted_at, *locked_until))
        .map(|(subject, ..)| subject)
        .collect();
    let users: Vec<Vec<u8>> = user::table.filter(user::id.eq_any(&over)).select(user::id).load(conn)?;
    let users: HashSet<Vec<u8>> = users.into_iter().collect();
    over.retain(|subject| !users.contains(subject));
    Ok(Look { over, last })
}

/// Deletes some of them, unless somebody has tried again or is trying. Nobody becomes a user by a key that has a row already.
pub fn forget_lockouts(conn: &mut Conn, over: &[Vec<u8>], before: Timestamp) -> Result<(), Fault> {
    match conn {
        Conn::Sqlite(conn) => {
            let old =
                lockout::attempted_at.lt(before.millis()).and(lockout::locked_until.lt(before.millis()));
            diesel::delete(lockout::table.filter(lockout::subject.eq_any(over)).filter(old)).execute(conn)?;
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            diesel::sql_query(
                "DELETE FROM lockout WHERE subject IN (SELECT subject FROM lockout WHERE subject = ANY($1) \
                 AND attempted_at < $2 AND locked_until < $2 FOR UPDATE SKIP LOCKED)",
            )
            .bind::<Array<Binary>, _>(over)
            .bind::<BigInt, _>(before.millis())
            .execute(conn)?;
        }
    }
    Ok(())
}
