//! What was revoked while JWTs of it could still be verified.

use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::{Array, BigInt, Text};

use crate::db::schema::revocation;
use crate::db::statement::insert_rows;
#[cfg(feature = "postgres")]
use crate::db::statement::{Statement, column};
use crate::db::{Conn, word};
use crate::domain::time::Timestamp;
use crate::domain::token::Revocation;
use crate::error::Fault;

/// Records revocations under `seq`, the audit log's number in the same transaction: on PostgreSQL in one trip, since the log's end is held.
pub fn append(conn: &mut Conn, seq: i64, revocations: &[Revocation]) -> Result<(), Fault> {
    if revocations.is_empty() {
        return Ok(());
    }
    match conn {
        Conn::Sqlite(conn) => {
            insert_rows(conn, "revocation", "seq, kind, id, expires_at", revocations, |statement, one| {
                statement
                    .whole(seq)
                    .text(one.kind.as_str())
                    .text(one.id.as_str())
                    .whole(one.expires_at.millis())
            })?;
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            Statement::new(
                "INSERT INTO revocation (seq, kind, id, expires_at) \
                 SELECT ?, one.kind, one.id, one.expires_at FROM UNNEST(?, ?, ?) AS one (kind, id, expires_at)",
            )
            .bind::<BigInt, _>(seq)
            .bind::<Array<Text>, _>(column(revocations, |one| one.kind.as_str()))
            .bind::<Array<Text>, _>(column(revocations, |one| one.id.as_str()))
            .bind::<Array<BigInt>, _>(column(revocations, |one| one.expires_at.millis()))
            .execute(conn)?;
        }
    }
    Ok(())
}

/// Those after `since` up to `until`, whether they still matter or not; none where there are more than `most`. So it reads no more than that,
/// whatever lies there.
pub fn at_most(
    conn: &mut Conn,
    since: i64,
    until: i64,
    most: usize,
) -> Result<Option<Vec<Revocation>>, Fault> {
    let limit = i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1);
    let rows: Vec<Row> = revocation::table
        .filter(revocation::seq.gt(since))
        .filter(revocation::seq.le(until))
        .order((revocation::seq.asc(), revocation::kind.asc(), revocation::id.asc()))
        .limit(limit)
        .select((revocation::kind, revocation::id, revocation::expires_at))
        .load(conn)?;
    if rows.len() > most { Ok(None) } else { revocations(rows).map(Some) }
}

/// Those up to `until` that still matter at `now`.
pub fn all(conn: &mut Conn, until: i64, now: Timestamp) -> Result<Vec<Revocation>, Fault> {
    let rows = revocation::table
        .filter(revocation::seq.le(until))
        .filter(revocation::expires_at.gt(now.millis()))
        .order((revocation::seq.asc(), revocation::kind.asc(), revocation::id.asc()))
        .select((revocation::kind, revocation::id, revocation::expires_at))
        .load(conn)?;
    revocations(rows)
}

/// Kind, id, and until when it matters.
type Row = (String, String, i64);

fn revocations(rows: Vec<Row>) -> Result<Vec<Revocation>, Fault> {
    rows.into_iter()
        .map(|(kind, id, expires_at)| {
            Ok(Revocation {
                kind: word("revocation kind", &kind)?,
                id,
                expires_at: Timestamp::from_millis(expires_at),
            })
        })
        .collect()
}
