//! What was revoked while JWTs of it could still be verified.

use diesel::prelude::*;

use crate::db::schema::revocation;
use crate::db::{Conn, word};
use crate::domain::time::Timestamp;
use crate::domain::token::Revocation;
use crate::error::Fault;

/// Records revocations under `seq`, the audit log's number in the same transaction.
pub fn append(conn: &mut Conn, seq: i64, revocations: &[Revocation]) -> Result<(), Fault> {
    for one in revocations {
        diesel::insert_into(revocation::table)
            .values((
                revocation::seq.eq(seq),
                revocation::kind.eq(one.kind.as_str()),
                revocation::id.eq(&one.id),
                revocation::expires_at.eq(one.expires_at.millis()),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Those after `since` up to `until` that still matter at `now`.
pub fn between(conn: &mut Conn, since: i64, until: i64, now: Timestamp) -> Result<Vec<Revocation>, Fault> {
    let rows: Vec<(String, String, i64)> = revocation::table
        .filter(revocation::seq.gt(since))
        .filter(revocation::seq.le(until))
        .filter(revocation::expires_at.gt(now.millis()))
        .order((revocation::seq.asc(), revocation::kind.asc(), revocation::id.asc()))
        .select((revocation::kind, revocation::id, revocation::expires_at))
        .load(conn)?;
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
