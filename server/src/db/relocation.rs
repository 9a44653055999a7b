//! What `countersign move` remembers in the databases at both ends; no row in all others.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use crate::db::catalogue::{self, Table};
use crate::db::schema::relocation;
use crate::db::{Conn, rows, word};
use crate::domain::relocation::Relocation;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// The one row.
const ROW: i32 = 1;

/// The part that this database takes in a move; also in one that is older than such moves, or no database of ours.
pub fn find(conn: &mut Conn) -> Result<Option<Relocation>, Fault> {
    type Row = (String, Vec<u8>, Option<Vec<u8>>, String, i64);
    if !catalogue::has(conn, "relocation")? {
        return Ok(None);
    }
    let columns = (relocation::state, relocation::mark, relocation::other, relocation::place, relocation::at);
    let row: Option<Row> = relocation::table.find(ROW).select(columns).first(conn).optional()?;
    row.map(|(state, mark, other, place, at)| {
        let way = word("state of a move", &state)?;
        Ok(Relocation { way, mark, other, place, at: Timestamp::from_millis(at) })
    })
    .transpose()
}

/// Writes it down, in place of what stood there.
pub fn set(conn: &mut Conn, relocation: &Relocation) -> Result<(), Fault> {
    remove(conn)?;
    diesel::insert_into(relocation::table)
        .values((
            relocation::id.eq(ROW),
            relocation::state.eq(relocation.way.as_str()),
            relocation::mark.eq(&relocation.mark),
            relocation::other.eq(&relocation.other),
            relocation::place.eq(&relocation.place),
            relocation::at.eq(relocation.at.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Forgets it: from now on this is a database like all others.
pub fn remove(conn: &mut Conn) -> Result<(), Fault> {
    diesel::delete(relocation::table).execute(conn)?;
    Ok(())
}

/// A copy takes longer than any request, and may wait longer for others.
pub fn take_time(conn: &mut Conn) -> Result<(), Fault> {
    conn.batch_execute(match conn {
        Conn::Sqlite(_) => "PRAGMA busy_timeout = 30000",
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => {
            "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '30s'"
        }
    })?;
    Ok(())
}

/// Whether both lead to the same PostgreSQL database, by whatever URL: a lock that one holds the other cannot have. Let both go afterwards.
pub fn are_one(one: &mut Conn, other: &mut Conn) -> Result<bool, Fault> {
    match (one, other) {
        #[cfg(feature = "postgres")]
        (Conn::Postgres(one), Conn::Postgres(other)) => {
            use diesel::dsl::sql;
            use diesel::sql_types::Bool;
            /// Names this lock among all that a PostgreSQL server knows; any fixed number does.
            const LOCK: i64 = 0x636f_756e_7465_6d76;
            diesel::sql_query(format!("SELECT pg_advisory_lock({LOCK})")).execute(one)?;
            let free: bool =
                diesel::select(sql::<Bool>(&format!("pg_try_advisory_lock({LOCK})"))).get_result(other)?;
            Ok(!free)
        }
        _ => Ok(false),
    }
}

/// Keeps everybody else from changing anything until the transaction ends. On SQLite a transaction that writes does that by itself, and others
/// still read; on PostgreSQL they cannot even read.
#[cfg_attr(not(feature = "postgres"), expect(unused_variables, reason = "only PostgreSQL locks by table"))]
pub fn hold(conn: &mut Conn, tables: &[Table]) -> Result<(), Fault> {
    match conn {
        Conn::Sqlite(_) => {}
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            let names: Vec<String> = tables.iter().map(|table| format!("\"{}\"", table.name)).collect();
            let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", names.join(", "));
            diesel::sql_query(lock).execute(conn)?;
        }
    }
    Ok(())
}

/// Takes the tables away from whoever still works with them: a server that runs on finds none of them at its next statement, be it to write or
/// to read. The rows stay, under names that begin with `moved_`.
pub fn close(conn: &mut Conn, tables: &[Table]) -> Result<(), Fault> {
    tables.iter().try_for_each(|table| rows::rename(conn, table, &format!("moved_{}", table.name)))
}
