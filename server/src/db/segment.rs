//! Segments: what was written one after the other, numbered by the audit log, a thousand entries each.
//!
//! An index by user has a place of its own for every user, anywhere in the file, so a group of codes writes a page of it for each. An index by segment,
//! and only then by user, is written at its end. Whoever looks for one user's rows asks each segment for them, which is one way down the
//! index each, and few of them are ever asked: sessions end, and of the log people read the last entries
//! ([0018](../../../docs/decisions/0018-a-users-rows-are-found-segment-by-segment.md)).

use diesel::RunQueryDsl as _;
use diesel::sql_types::{BigInt, Binary, Text};

use crate::db::Conn;
use crate::db::schema::{audit, session};
use crate::db::statement::{Statement, directly};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// Entries of the audit log in a segment. The index `audit_by_subject` has it in its text, and so has [`ENTRIES_ABOUT`], which has to fit it.
pub(super) const ENTRIES: i64 = 1024;

/// The segments that have sessions, one after the other, and in each those of a user.
macro_rules! sessions {
    ($which:literal) => {
        concat!(
            "WITH RECURSIVE part (segment) AS (\
             SELECT min(segment) FROM session \
             UNION ALL \
             SELECT (SELECT min(session.segment) FROM session WHERE session.segment > part.segment) \
             FROM part WHERE part.segment IS NOT NULL) \
             SELECT session.id FROM part CROSS JOIN session \
             WHERE session.segment = part.segment AND session.user_id = ?",
            $which
        )
    };
}
/// All sessions of a user that are still there. `?`: the user.
pub const ALL_SESSIONS: &str = sessions!("");
/// Those that nobody has ended and that end by themselves after a time. `?`: the user; the time, in milliseconds.
pub const LIVE_SESSIONS: &str = sessions!(" AND session.revoked_at IS NULL AND session.ends_at > ?");

/// The segments from one down to another, and in each the entries about a subject. `?`: first and last segment; the subject; the numbers before and
/// after which entries count; how many. `+`: the numbers of entries are no reason for SQLite to read the table in their order. A segment has no
/// type there, or SQLite would not see that the index fits.
pub const ENTRIES_ABOUT: &str = "WITH RECURSIVE part (segment) AS (\
    SELECT ? UNION ALL SELECT segment - 1 FROM part WHERE segment > ?) \
    SELECT audit.seq FROM part CROSS JOIN audit \
    WHERE audit.seq / 1024 = part.segment AND audit.subject = ? AND +audit.seq < ? AND +audit.seq > ? \
    ORDER BY audit.seq DESC LIMIT ?";

/// The ids of [`ALL_SESSIONS`].
pub(super) fn all_sessions(conn: &mut Conn, user: UserId) -> Result<Vec<Vec<u8>>, Fault> {
    let found: Vec<SessionRow> =
        directly!(conn, |own| Statement::new(ALL_SESSIONS).bind::<Binary, _>(user.bytes()).load(own))?;
    Ok(found.into_iter().map(|row| row.id).collect())
}

/// The ids of [`LIVE_SESSIONS`].
pub(super) fn live_sessions(conn: &mut Conn, user: UserId, after: Timestamp) -> Result<Vec<Vec<u8>>, Fault> {
    let found: Vec<SessionRow> = directly!(conn, |own| Statement::new(LIVE_SESSIONS)
        .bind::<Binary, _>(user.bytes())
        .bind::<BigInt, _>(after.millis())
        .load(own))?;
    Ok(found.into_iter().map(|row| row.id).collect())
}

/// The numbers of [`ENTRIES_ABOUT`], the youngest first.
pub(super) fn entries_about(
    conn: &mut Conn,
    subject: &str,
    after: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<i64>, Fault> {
    let found: Vec<EntryRow> = directly!(conn, |own| Statement::new(ENTRIES_ABOUT)
        .bind::<BigInt, _>(before.saturating_sub(1) / ENTRIES)
        .bind::<BigInt, _>(after.saturating_add(1) / ENTRIES)
        .bind::<Text, _>(subject)
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(limit)
        .load(own))?;
    Ok(found.into_iter().map(|row| row.seq).collect())
}

#[derive(diesel::QueryableByName)]
#[diesel(table_name = session)]
struct SessionRow {
    id: Vec<u8>,
}

#[derive(diesel::QueryableByName)]
#[diesel(table_name = audit)]
struct EntryRow {
    seq: i64,
}
