//! The audit log: append only, every row chained to the one before it by a keyed hash.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::{audit, audit_head};
use crate::domain::audit::{Entry, Event, Origin, Subject};
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// Appends events, the last thing a transaction does: the head's row serialises appenders, and is held until the commit. Returns the
/// number of the last one.
pub fn append(
    conn: &mut Conn,
    events: &[Event],
    origin: Origin,
    now: Timestamp,
    hash: impl Fn(&[&[u8]]) -> [u8; 32],
) -> Result<i64, Fault> {
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let (last, mut previous): (i64, Vec<u8>) = diesel::update(audit_head::table.find(1))
        .set(audit_head::seq.eq(audit_head::seq + count))
        .returning((audit_head::seq, audit_head::hash))
        .get_result(conn)?;
    for (event, seq) in events.iter().zip(last - count + 1..) {
        let mut entry = Entry {
            seq,
            at: now,
            actor: event.actor.stored(),
            action: event.action.as_str().to_owned(),
            subject: event.subject.as_ref().map(Subject::stored),
            outcome: event.outcome.stored(),
            address: origin.address.map(|address| address.to_string()),
            detail: event.detail.clone(),
            hash: Vec::new(),
        };
        entry.hash = entry.chained(&previous, &hash).to_vec();
        insert(conn, &entry)?;
        previous = entry.hash;
    }
    diesel::update(audit_head::table.find(1)).set(audit_head::hash.eq(previous)).execute(conn)?;
    Ok(last)
}

fn insert(conn: &mut Conn, entry: &Entry) -> Result<(), Fault> {
    diesel::insert_into(audit::table)
        .values((
            audit::seq.eq(entry.seq),
            audit::at.eq(entry.at.millis()),
            audit::actor.eq(&entry.actor),
            audit::action.eq(&entry.action),
            audit::subject.eq(&entry.subject),
            audit::outcome.eq(&entry.outcome),
            audit::address.eq(&entry.address),
            audit::detail.eq(&entry.detail),
            audit::hash.eq(&entry.hash),
        ))
        .execute(conn)?;
    Ok(())
}

/// The row at the end of the chain: its number and hash; (0, empty) in an empty log.
pub fn head(conn: &mut Conn) -> Result<(i64, Vec<u8>), Fault> {
    Ok(audit_head::table.find(1).select((audit_head::seq, audit_head::hash)).first(conn)?)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit)]
struct Row {
    seq: i64,
    at: i64,
    actor: String,
    action: String,
    subject: Option<String>,
    outcome: String,
    address: Option<String>,
    detail: Option<String>,
    hash: Vec<u8>,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq,
            at: Timestamp::from_millis(row.at),
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            outcome: row.outcome,
            address: row.address,
            detail: row.detail,
            hash: row.hash,
        }
    }
}

/// What entries to look for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// With this action.
    pub action: Option<String>,
    /// With this subject, as stored.
    pub subject: Option<String>,
}

/// Up to `limit` entries before number `before`, the youngest first.
pub fn page_back(conn: &mut Conn, before: i64, filter: &Filter, limit: i64) -> Result<Vec<Entry>, Fault> {
    let older = || {
        audit::table
            .filter(audit::seq.lt(before))
            .order(audit::seq.desc())
            .limit(limit)
            .select(Row::as_select())
    };
    let rows: Vec<Row> = match (&filter.action, &filter.subject) {
        (None, None) => older().load(conn)?,
        (Some(action), None) => older().filter(audit::action.eq(action)).load(conn)?,
        (None, Some(subject)) => older().filter(audit::subject.eq(subject)).load(conn)?,
        (Some(action), Some(subject)) => {
            older().filter(audit::action.eq(action)).filter(audit::subject.eq(subject)).load(conn)?
        }
    };
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// Up to `limit` entries after number `after`, in order.
pub fn page(conn: &mut Conn, after: i64, limit: i64) -> Result<Vec<Entry>, Fault> {
    let rows: Vec<Row> = audit::table
        .filter(audit::seq.gt(after))
        .order(audit::seq.asc())
        .limit(limit)
        .select(Row::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(Entry::from).collect())
}
