//! What is written at the audit log's end.

#[cfg(feature = "postgres")]
use diesel::pg::PgConnection;
use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text};
use diesel::sqlite::SqliteConnection;
#[cfg(feature = "postgres")]
use parking_lot::Mutex;

use crate::db::Conn;
use crate::db::schema::audit_head;
#[cfg(feature = "postgres")]
use crate::db::statement::column;
use crate::db::statement::{Statement, insert_rows};
use crate::domain::audit::{Entry, Noted, Subject};
use crate::error::Fault;

/// The last entry's number and hash; (0, empty) in an empty log.
#[derive(Clone, Default, Queryable, Selectable)]
#[diesel(table_name = audit_head)]
struct End {
    seq: i64,
    hash: Vec<u8>,
}

/// Where this server wrote to the log last. On PostgreSQL it takes a trip to ask where the log ends, and from then on nobody else can append; where
/// no other server writes it is there, and the database has but to agree.
#[derive(Default)]
pub struct LastWritten(#[cfg(feature = "postgres")] Mutex<End>);

/// Appends events, the last thing a transaction does: the head's row serialises appenders, and is held until the commit. Returns the
/// number of the last one. After a fault the transaction must not commit: some of them may stand there.
pub fn append(
    conn: &mut Conn,
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "SQLite is in the same process")
    )]
    last_written: &LastWritten,
    events: &[Noted],
    hash: impl Fn(&[&[u8]]) -> [u8; 32],
) -> Result<i64, Fault> {
    match conn {
        Conn::Sqlite(conn) => {
            let end = audit_head::table.find(1).select(End::as_select()).first(conn)?;
            let (entries, last) = chain(&end, events, hash);
            insert_all(conn, &entries, &last)?;
            Ok(last.seq)
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            // Whoever finds it taken does without: in line they stand at the database, which sends them away after a while.
            let mut known = last_written.0.try_lock();
            let end = known.as_deref().cloned().unwrap_or_default();
            let last = match insert_behind(conn, &end, events, &hash)? {
                Ok(last) => last,
                // It is held by now. To have asked for it would have been a trip, too.
                Err(end) => insert_behind(conn, &end, events, &hash)?
                    .map_err(|_| Fault::Corrupt { what: "audit head" })?,
            };
            let seq = last.seq;
            if let Some(known) = &mut known {
                **known = last;
            }
            Ok(seq)
        }
    }
}

/// The entries that events become behind `end`, and the end that they make.
fn chain(end: &End, events: &[Noted], hash: impl Fn(&[&[u8]]) -> [u8; 32]) -> (Vec<Entry>, End) {
    let mut last = end.clone();
    let mut entries = Vec::with_capacity(events.len());
    for Noted { event, origin, at } in events {
        let mut entry = Entry {
            seq: last.seq + 1,
            at: *at,
            actor: event.actor.stored(),
            action: event.action.as_str().to_owned(),
            subject: event.subject.as_ref().map(Subject::stored),
            outcome: event.outcome.stored(),
            address: origin.address.map(|address| address.to_string()),
            detail: event.detail.clone(),
            hash: Vec::new(),
        };
        entry.hash = entry.chained(&last.hash, &hash).to_vec();
        last = End { seq: entry.seq, hash: entry.hash.clone() };
        entries.push(entry);
    }
    (entries, last)
}

fn insert_all(conn: &mut SqliteConnection, entries: &[Entry], last: &End) -> Result<(), Fault> {
    let columns = "seq, at, actor, action, subject, outcome, address, detail, hash";
    insert_rows(conn, "audit", columns, entries, |statement, entry| {
        statement
            .whole(entry.seq)
            .whole(entry.at.millis())
            .text(entry.actor.as_str())
            .text(entry.action.as_str())
            .text(entry.subject.as_deref())
            .text(entry.outcome.as_str())
            .text(entry.address.as_deref())
            .text(entry.detail.as_deref())
            .bytes(entry.hash.as_slice())
    })?;
    Statement::new("UPDATE audit_head SET seq = ?, hash = ? WHERE id = 1")
        .whole(last.seq)
        .bytes(last.hash.as_slice())
        .execute(conn)?;
    Ok(())
}

/// Waits for the head's row and keeps it. Where the log ends at `end`, the entries that events become behind that are inserted, and the last of them is the end, which
/// is returned; where it does not, nothing is done but that, and `Err` is where it ends. One statement, since everybody else waits meanwhile.
#[cfg(feature = "postgres")]
fn insert_behind(
    conn: &mut PgConnection,
    end: &End,
    events: &[Noted],
    hash: impl Fn(&[&[u8]]) -> [u8; 32],
) -> Result<Result<End, End>, Fault> {
    let (entries, last) = chain(end, events, hash);
    // Told by a condition on what is updated, it would not wait for whoever is writing: the row as it was before does not fulfil it.
    let found = Statement::new("SELECT seq, hash FROM audit_head WHERE id = 1 FOR UPDATE");
    let moved = Statement::new(
        "UPDATE audit_head SET seq = ?, hash = ? FROM found \
         WHERE audit_head.id = 1 AND found.seq = ? AND found.hash = ? RETURNING audit_head.id",
    )
    .bind::<BigInt, _>(last.seq)
    .bind::<Binary, _>(last.hash.as_slice())
    .bind::<BigInt, _>(end.seq)
    .bind::<Binary, _>(end.hash.as_slice());
    let inserted = Statement::new(
        "INSERT INTO audit (seq, at, actor, action, subject, outcome, address, detail, hash) \
         SELECT entry.* FROM moved, UNNEST(?, ?, ?, ?, ?, ?, ?, ?, ?) AS entry",
    )
    .bind::<Array<BigInt>, _>(column(&entries, |entry| entry.seq))
    .bind::<Array<BigInt>, _>(column(&entries, |entry| entry.at.millis()))
    .bind::<Array<Text>, _>(column(&entries, |entry| entry.actor.as_str()))
    .bind::<Array<Text>, _>(column(&entries, |entry| entry.action.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(&entries, |entry| entry.subject.as_deref()))
    .bind::<Array<Text>, _>(column(&entries, |entry| entry.outcome.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column(&entries, |entry| entry.address.as_deref()))
    .bind::<Array<Nullable<Text>>, _>(column(&entries, |entry| entry.detail.as_deref()))
    .bind::<Array<Binary>, _>(column(&entries, |entry| entry.hash.as_slice()));
    let found: Found = Statement::new("SELECT seq, hash, EXISTS (SELECT FROM moved) AS is_there FROM found")
        .with("found", found)
        .with("moved", moved)
        .with("inserted", inserted)
        .get_result(conn)?;
    Ok(if found.is_there { Ok(last) } else { Err(End { seq: found.seq, hash: found.hash }) })
}

#[cfg(feature = "postgres")]
#[derive(QueryableByName)]
#[diesel(table_name = audit_head)]
struct Found {
    seq: i64,
    hash: Vec<u8>,
    #[diesel(sql_type = Bool)]
    is_there: bool,
}
