//! Consecutive failures, by user for codes and by bucket for passwords, and leaking buckets (`domain/lockout` has the rules). A user's
//! row is also the first lock that every change of the user's factors or state takes.

#[cfg(feature = "postgres")]
use diesel::pg::Pg;
use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::{Array, Text};
use diesel::sql_types::{BigInt, Binary};
use diesel::sqlite::SqliteConnection;

use crate::db::Conn;
use crate::db::schema::{lockout, user};
#[cfg(feature = "postgres")]
use crate::db::statement::column;
use crate::db::statement::{Statement, directly};
use crate::domain::id::UserId;
use crate::domain::lockout::{Leak, is_wait, longest_wait};
use crate::domain::time::Timestamp;
use crate::domain::user::UserName;
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

impl Standing {
    /// Of a row's failures and time; none of either where there is no row.
    pub(super) fn read(row: Option<(i64, i64)>) -> Self {
        let (failures, locked_until) = row.unwrap_or_default();
        Self { failures, locked_until: Timestamp::from_millis(locked_until) }
    }
}

/// Passes the gate, or says until when it is closed. Writes the subject's row, so that tries of one subject follow one another on
/// every server: parallel requests buy no guesses.
pub fn pass(conn: &mut Conn, subject: &[u8], now: Timestamp) -> Result<Gate, Fault> {
    Ok(pass_counting(conn, subject, now)?.0)
}

/// The same, and the failures so far.
fn pass_counting(conn: &mut Conn, subject: &[u8], now: Timestamp) -> Result<(Gate, i64), Fault> {
    if let Some(failures) = open(conn, subject, now)? {
        return Ok((Gate::Open, failures));
    }
    ensure(conn, subject, now)?;
    if let Some(failures) = open(conn, subject, now)? {
        return Ok((Gate::Open, failures));
    }
    let Standing { failures, locked_until } = standing(conn, subject)?;
    Ok((Gate::Closed(locked_until), failures))
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
    directly!(conn, |own| Statement::new(
        "INSERT INTO lockout (subject, failures, locked_until, attempted_at) VALUES (?, 0, 0, ?) \
         ON CONFLICT (subject) DO NOTHING",
    )
    .bind::<Binary, _>(subject)
    .bind::<BigInt, _>(now.millis())
    .execute(own))?;
    Ok(())
}

/// A try of a user's code that came to the gate in this transaction, which nobody else of the same user passes meanwhile. Only [`pass_user`],
/// `db::hold` and `factor::pass_all` make it.
#[derive(Debug)]
pub struct Passed {
    user: UserId,
    gate: Gate,
    failures: i64,
}

impl Passed {
    pub(super) fn of(user: UserId, standing: Standing, now: Timestamp) -> Self {
        Self { user, gate: gate(standing.locked_until, now), failures: standing.failures }
    }

    /// Whose it is; the id that stands in for a stranger.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// Whether it may be made.
    pub const fn gate(&self) -> Gate {
        self.gate
    }

    /// The user's consecutive failures so far; they stand until the transaction ends.
    pub const fn failures(&self) -> i64 {
        self.failures
    }
}

/// [`pass`] for a user's code.
pub fn pass_user(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Passed, Fault> {
    match conn {
        // A transaction that writes is alone on SQLite. So looking is enough, and whoever has not failed needs no row.
        Conn::Sqlite(_) => Ok(Passed::of(user, standing(conn, user.bytes())?, now)),
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => {
            let (gate, failures) = pass_counting(conn, user.bytes(), now)?;
            Ok(Passed { user, gate, failures })
        }
    }
}

/// A try of whoever has a name.
#[derive(Clone, Copy, Debug)]
pub struct TryByName<'a> {
    /// The name.
    pub name: &'a UserName,
    /// Whose try it is where nobody has the name.
    pub stranger: UserId,
    /// When.
    pub now: Timestamp,
}

/// A [`TryByName`] at the gate. On PostgreSQL the gate is passed first, by whoever brings the tries (`db::hold`), and then it is read what is behind; on
/// SQLite, where whoever writes is alone, both at once (`factor::pass_all`).
#[derive(Debug)]
pub struct AtGate<'a> {
    pub(super) one: TryByName<'a>,
    #[cfg(feature = "postgres")]
    pub(super) passed: Option<Passed>,
}

impl<'a> AtGate<'a> {
    pub(super) const fn before(one: TryByName<'a>) -> Self {
        Self {
            one,
            #[cfg(feature = "postgres")]
            passed: None,
        }
    }

    #[cfg(feature = "postgres")]
    pub(super) const fn behind(one: TryByName<'a>, passed: Passed) -> Self {
        Self { one, passed: Some(passed) }
    }
}

/// Whose codes are tried, in their order: `try` for [`passing`].
#[cfg(feature = "postgres")]
pub(super) fn trying<'a>(tries: &'a [TryByName<'_>]) -> Statement<'a, Pg> {
    Statement::new(
        "SELECT given.place, given.now, COALESCE(owner.id, given.stranger) AS subject \
         FROM UNNEST(?, ?, ?) WITH ORDINALITY AS given (name, stranger, now, place) \
         LEFT JOIN \"user\" AS owner ON owner.name_folded = given.name",
    )
    .bind::<Array<Text>, _>(column(tries, |one| one.name.folded()))
    .bind::<Array<Binary>, _>(column(tries, |one| one.stranger.bytes()))
    .bind::<Array<BigInt>, _>(column(tries, |one| one.now.millis()))
}

/// [`pass_user`] for all of `try`. The rows are taken in the order of their subjects, on every server: of two that want the same rows one waits,
/// and neither for the other.
#[cfg(feature = "postgres")]
pub(super) fn passing<'a>() -> Statement<'a, Pg> {
    Statement::new(
        "INSERT INTO lockout (subject, failures, locked_until, attempted_at) \
         SELECT subject, 0, 0, now FROM try ORDER BY subject \
         ON CONFLICT (subject) DO UPDATE SET attempted_at = CASE \
         WHEN lockout.locked_until <= EXCLUDED.attempted_at THEN EXCLUDED.attempted_at \
         ELSE lockout.attempted_at END \
         RETURNING subject, failures, locked_until",
    )
}

fn gate(locked_until: Timestamp, now: Timestamp) -> Gate {
    if is_wait(locked_until, now) { Gate::Closed(locked_until) } else { Gate::Open }
}

/// The failures of a subject that may try now, whose row is this transaction's from then on.
fn open(conn: &mut Conn, subject: &[u8], now: Timestamp) -> Result<Option<i64>, Fault> {
    let open: Option<Failures> = directly!(conn, |own| Statement::new(
        "UPDATE lockout SET attempted_at = ? WHERE subject = ? \
         AND (locked_until <= ? OR (locked_until > ? AND locked_until < ?)) RETURNING failures",
    )
    .bind::<BigInt, _>(now.millis())
    .bind::<Binary, _>(subject)
    .bind::<BigInt, _>(now.millis())
    .bind::<BigInt, _>(longest_wait(now).millis())
    .bind::<BigInt, _>(Timestamp::NEVER.millis())
    .get_result(own))
    .optional()?;
    Ok(open.map(|row| row.failures))
}

#[derive(diesel::QueryableByName)]
#[diesel(table_name = lockout)]
struct Failures {
    failures: i64,
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

/// A wrong code of a user who passed the gate in this transaction.
#[derive(Clone, Copy, Debug)]
pub struct Failed {
    /// Whose.
    pub user: UserId,
    /// When.
    pub now: Timestamp,
    /// Until when the user is locked for it.
    pub locked_until: Timestamp,
}

/// Counts one more failure of each of these users. Nobody may be among them twice.
pub fn fail_all(conn: &mut Conn, failed: &[Failed]) -> Result<(), Fault> {
    #[cfg(feature = "postgres")]
    if let (Conn::Postgres(conn), [_, _, ..]) = (&mut *conn, failed) {
        Statement::new(
            "UPDATE lockout SET failures = failures + 1, locked_until = failed.until \
             FROM UNNEST(?, ?) AS failed (subject, until) WHERE lockout.subject = failed.subject",
        )
        .bind::<Array<Binary>, _>(column(failed, |one| one.user.bytes()))
        .bind::<Array<BigInt>, _>(column(failed, |one| one.locked_until.millis()))
        .execute(conn)?;
        return Ok(());
    }
    for one in failed {
        directly!(&mut *conn, |own| Statement::new(
            "INSERT INTO lockout (subject, failures, locked_until, attempted_at) VALUES (?, 1, ?, ?) \
             ON CONFLICT (subject) DO UPDATE SET failures = lockout.failures + 1, \
             locked_until = excluded.locked_until, attempted_at = excluded.attempted_at",
        )
        .bind::<Binary, _>(one.user.bytes())
        .bind::<BigInt, _>(one.locked_until.millis())
        .bind::<BigInt, _>(one.now.millis())
        .execute(own))?;
    }
    Ok(())
}

/// [`clear`] for several users.
pub fn clear_all(conn: &mut Conn, users: &[UserId]) -> Result<(), Fault> {
    #[cfg(feature = "postgres")]
    if let (Conn::Postgres(conn), [_, _, ..]) = (&mut *conn, users) {
        let rows = lockout::table.filter(lockout::subject.eq_any(column(users, UserId::bytes)));
        diesel::update(rows.filter(lockout::failures.gt(0)))
            .set((lockout::failures.eq(0), lockout::locked_until.eq(0)))
            .execute(conn)?;
        return Ok(());
    }
    users.iter().try_for_each(|user| clear(conn, user.bytes()))
}

/// Puts one try into a leaking bucket, or says until when it is full. `locked_until` is the time when the bucket will be empty (the
/// generic cell rate algorithm).
pub fn pour(conn: &mut Conn, bucket: &[u8], leak: Leak, now: Timestamp) -> Result<Gate, Fault> {
    ensure(conn, bucket, now)?;
    let every = leak.every_s.saturating_mul(1000);
    let full = leak.full(now);
    // Numbered in the order in which they appear: SQLite takes `$1` for a name.
    let poured = diesel::sql_query(
        "UPDATE lockout SET attempted_at = $1, \
         locked_until = CASE WHEN locked_until > $1 AND locked_until <= $2 THEN locked_until ELSE $1 END + $3 \
         WHERE subject = $4 AND (locked_until <= $2 OR locked_until > $5)",
    )
    .bind::<BigInt, _>(now.millis())
    .bind::<BigInt, _>(full.millis())
    .bind::<BigInt, _>(every)
    .bind::<Binary, _>(bucket)
    .bind::<BigInt, _>(leak.never_full(now).millis())
    .execute(conn)?;
    if poured == 1 {
        return Ok(Gate::Open);
    }
    Ok(Gate::Closed(has_room_at(standing(conn, bucket)?.locked_until, leak, now)))
}

/// When a full bucket that will be empty at `empty` has room again.
fn has_room_at(empty: Timestamp, leak: Leak, now: Timestamp) -> Timestamp {
    Timestamp::from_millis(empty.millis() - leak.full(now).millis() + now.millis())
}

/// What [`pour`] would say, as it looks now. Writes nothing.
pub fn look_at_bucket(conn: &mut Conn, bucket: &[u8], leak: Leak, now: Timestamp) -> Result<Gate, Fault> {
    let empty = standing(conn, bucket)?.locked_until;
    let has_room = empty <= leak.full(now) || empty > leak.never_full(now);
    Ok(if has_room { Gate::Open } else { Gate::Closed(has_room_at(empty, leak, now)) })
}

/// What [`pass`] would say, as it looks now. Writes nothing, and keeps nobody from passing.
pub fn look(conn: &mut Conn, subject: &[u8], now: Timestamp) -> Result<Gate, Fault> {
    Ok(gate(standing(conn, subject)?.locked_until, now))
}

/// Whether [`pour`] would find room, as it looks now. Writes nothing.
pub fn has_room(conn: &mut Conn, bucket: &[u8], leak: Leak, now: Timestamp) -> Result<bool, Fault> {
    Ok(look_at_bucket(conn, bucket, leak, now)? == Gate::Open)
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

/// How many users have failed so often that only an administrator or a recovery code helps.
pub fn count_locked_for_good(conn: &mut Conn) -> Result<i64, Fault> {
    let locked =
        lockout::table.filter(lockout::locked_until.eq(Timestamp::NEVER.millis())).select(lockout::subject);
    Ok(user::table.filter(user::id.eq_any(locked)).count().get_result(conn)?)
}

// A macro, since each back end has a type of its own for what is selected.
macro_rules! standing {
    ($subject:expr) => {
        lockout::table.find($subject).select((lockout::failures, lockout::locked_until))
    };
}

/// How a subject stands now; without failures where it has no row.
pub fn standing(conn: &mut Conn, subject: &[u8]) -> Result<Standing, Fault> {
    let row: Option<(i64, i64)> = directly!(conn, |own| standing!(subject).first(own)).optional()?;
    Ok(Standing::read(row))
}

/// The same on SQLite.
pub(super) fn standing_of(conn: &mut SqliteConnection, subject: &[u8]) -> Result<Standing, Fault> {
    let row: Option<(i64, i64)> = standing!(subject).first(conn).optional()?;
    Ok(Standing::read(row))
}
