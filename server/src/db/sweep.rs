//! Deleting what is over, a bounded number of rows at a time, so that nobody waits for it.

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::db::Conn;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// How many rows one statement deletes at most: so few that a code does not notice the wait.
const BATCH: i64 = 200;

/// What is swept: each statement takes the time before which rows go, and the number of rows.
///
/// An ended token needs no row: without one it is just unknown. Lockouts of users stay; those of strangers and of password buckets
/// go after a day without a try.
const STATEMENTS: [&str; 13] = [
    "DELETE FROM mfa_token WHERE hash IN (SELECT hash FROM mfa_token WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM invitation WHERE hash IN (SELECT hash FROM invitation WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM trusted_device WHERE hash IN (SELECT hash FROM trusted_device WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM reset_request WHERE id IN (SELECT id FROM reset_request WHERE expires_at < $1 LIMIT $2)",
    // Those of a session go with it, and while it lasts at each refresh (`token::forget_ended`).
    "DELETE FROM token WHERE id IN (SELECT id FROM token WHERE expires_at < $1 AND session_id IS NULL LIMIT $2)",
    "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE ends_at < $1 LIMIT $2)",
    "DELETE FROM access_grant WHERE id IN (SELECT id FROM access_grant WHERE ends_at < $1 LIMIT $2)",
    "DELETE FROM revocation WHERE expires_at < $1 AND seq IN (SELECT seq FROM revocation WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM factor WHERE id IN (SELECT id FROM factor WHERE state = 'revoked' AND revoked_at < $1 LIMIT $2)",
    "DELETE FROM lockout WHERE subject IN (SELECT subject FROM lockout WHERE attempted_at < $1 AND locked_until < $1 \
     AND NOT EXISTS (SELECT 1 FROM \"user\" WHERE \"user\".id = lockout.subject) LIMIT $2)",
    // Kept longer than a day. Thirty days: what was sent. A year: what was not, when it interests nobody any more. 400 days: where a user
    // has not logged in.
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = 'sent' AND sent_at < $1 - 2505600000 LIMIT $2)",
    "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state <> 'sent' AND created_at < $1 - 31449600000 LIMIT $2)",
    "DELETE FROM known_device WHERE seen_at < $1 - 34473600000 AND hash IN \
     (SELECT hash FROM known_device WHERE seen_at < $1 - 34473600000 LIMIT $2)",
];

/// The kinds of things that there are to sweep, by the names of their tables.
pub fn tables() -> impl Iterator<Item = &'static str> {
    STATEMENTS.iter().filter_map(|statement| statement.split(' ').nth(2))
}

/// Deletes some rows of one kind that were over before `before`; `true` when there may be more. Servers of one PostgreSQL that do so at once
/// take different rows.
pub fn sweep(conn: &mut Conn, kind: usize, before: Timestamp) -> Result<bool, Fault> {
    let statement = match conn {
        Conn::Sqlite(_) => STATEMENTS[kind].to_owned(),
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => STATEMENTS[kind].replace("LIMIT $2", "LIMIT $2 FOR UPDATE SKIP LOCKED"),
    };
    let deleted = diesel::sql_query(statement)
        .bind::<BigInt, _>(before.millis())
        .bind::<BigInt, _>(BATCH)
        .execute(conn)?;
    Ok(i64::try_from(deleted).unwrap_or(0) >= BATCH)
}
