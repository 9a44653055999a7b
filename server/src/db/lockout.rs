//! Consecutive failures, by user for codes and by bucket for passwords, and leaking buckets (`domain/lockout` has the rules). A user's
//! row is also the first lock that every change of the user's factors or state takes.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};

use crate::db::Conn;
use crate::db::schema::lockout;
use crate::domain::id::UserId;
use crate::domain::lockout::Leak;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// Whether a try may be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// Yes. Until the transaction ends no other try of the same subject gets past this point.
    Open,
    /// Not before this time.
    Closed(Timestamp),
}

/// How often a subject has failed, and until when it is locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Consecutive failures.
    pub failures: i64,
    /// Locked until then.
    pub locked_until: Timestamp,
}

/// Passes the gate, or says until when it is closed. Writes the subject's row, so that tries of one subject follow one another on
/// every server: parallel requests buy no guesses.
pub fn pass(conn: &mut Conn, subject: &[u8], now: Timestamp) -> Result<Gate, Fault> {
    if open(conn, subject, now)? {
        return Ok(Gate::Open);
    }
    ensure(conn, subject, now)?;
    if open(conn, subject, now)? {
        return Ok(Gate::Open);
    }
    Ok(Gate::Closed(standing(conn, subject)?.locked_until))
}

/// Waits until no other transaction has this user's row, and keeps it until this one ends. Whoever checks a code holds it too, so that
/// factors and states read after this stay as they are.
pub fn hold(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<(), Fault> {
    ensure(conn, user.bytes(), now)?;
    diesel::update(lockout::table.find(user.bytes()))
        .set(lockout::attempted_at.eq(lockout::attempted_at))
        .execute(conn)?;
    Ok(())
}

fn ensure(conn: &mut Conn, subject: &[u8], now: Timestamp) -> Result<(), Fault> {
    // `MultiConnection` has no `on_conflict`. `$1` is PostgreSQL's first parameter and a name to SQLite, which numbers names in
    // the order they come: both bind in this order.
    diesel::sql_query(
        "INSERT INTO lockout (subject, failures, locked_until, attempted_at) VALUES ($1, 0, 0, $2) \
         ON CONFLICT (subject) DO NOTHING",
    )
    .bind::<Binary, _>(subject)
    .bind::<BigInt, _>(now.millis())
    .execute(conn)?;
    Ok(())
}

fn open(conn: &mut Conn, subject: &[u8], now: Timestamp) -> Result<bool, Fault> {
    let passed = diesel::update(lockout::table.find(subject).filter(lockout::locked_until.le(now.millis())))
        .set(lockout::attempted_at.eq(now.millis()))
        .execute(conn)?;
    Ok(passed == 1)
}

/// Counts one more failure of a subject that passed the gate in this transaction, and locks it until `until` says for the new count.
/// Returns the new standing.
pub fn fail(
    conn: &mut Conn,
    subject: &[u8],
    until: impl FnOnce(i64) -> Timestamp,
) -> Result<Standing, Fault> {
    let failures: i64 = diesel::update(lockout::table.find(subject))
        .set(lockout::failures.eq(lockout::failures + 1))
        .returning(lockout::failures)
        .get_result(conn)?;
    let locked_until = until(failures);
    diesel::update(lockout::table.find(subject))
        .set(lockout::locked_until.eq(locked_until.millis()))
        .execute(conn)?;
    Ok(Standing { failures, locked_until })
}

/// Puts one try into a leaking bucket, or says until when it is full. `locked_until` is the time when the bucket will be empty (the
/// generic cell rate algorithm).
pub fn pour(conn: &mut Conn, bucket: &[u8], leak: Leak, now: Timestamp) -> Result<Gate, Fault> {
    ensure(conn, bucket, now)?;
    let every = leak.every_s.saturating_mul(1000);
    let full = now.plus_seconds(leak.every_s.saturating_mul(leak.burst - 1));
    let poured = diesel::sql_query(
        "UPDATE lockout SET attempted_at = $1, \
         locked_until = CASE WHEN locked_until > $1 THEN locked_until ELSE $1 END + $2 \
         WHERE subject = $3 AND locked_until <= $4",
    )
    .bind::<BigInt, _>(now.millis())
    .bind::<BigInt, _>(every)
    .bind::<Binary, _>(bucket)
    .bind::<BigInt, _>(full.millis())
    .execute(conn)?;
    if poured == 1 {
        return Ok(Gate::Open);
    }
    let empty = standing(conn, bucket)?.locked_until;
    Ok(Gate::Closed(Timestamp::from_millis(empty.millis() - full.millis() + now.millis())))
}

/// Takes one try out of a leaking bucket again: it was a right one.
pub fn scoop(conn: &mut Conn, bucket: &[u8], leak: Leak) -> Result<(), Fault> {
    diesel::update(lockout::table.find(bucket))
        .set(lockout::locked_until.eq(lockout::locked_until - leak.every_s.saturating_mul(1000)))
        .execute(conn)?;
    Ok(())
}

/// Forgets all failures; writes nothing where there are none.
pub fn clear(conn: &mut Conn, subject: &[u8]) -> Result<(), Fault> {
    diesel::update(lockout::table.find(subject).filter(lockout::failures.gt(0)))
        .set((lockout::failures.eq(0), lockout::locked_until.eq(0)))
        .execute(conn)?;
    Ok(())
}

/// How a subject stands now; without failures where it has no row.
pub fn standing(conn: &mut Conn, subject: &[u8]) -> Result<Standing, Fault> {
    let row: Option<(i64, i64)> = lockout::table
        .find(subject)
        .select((lockout::failures, lockout::locked_until))
        .first(conn)
        .optional()?;
    let (failures, locked_until) = row.unwrap_or((0, 0));
    Ok(Standing { failures, locked_until: Timestamp::from_millis(locked_until) })
}
