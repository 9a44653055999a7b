//! SQLite's log (`-wal`), and what keeps it short.
//!
//! Every commit after some hundred pages copies the log to its places, and the next writer begins it anew unless somebody is reading in it at that moment. Where
//! many read on several cores there is always somebody, and the log grows for as long as they go on. So where it has become long, a
//! writer's turn is spent on waiting for those who read just now; whoever begins to read meanwhile needs the log no more.

use std::fs;
use std::time::Duration;

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::db::Conn;
use crate::db::pool::{PATIENCE, log_of};
use crate::domain::target::Target;
use crate::error::Fault;

/// How long it may become before somebody sees to it, in bytes: many times what it is where nobody reads.
pub const LONG_BYTES: u64 = 32 << 20;

/// How long readers are waited for: many times what a request reads, and so little that the writers behind hardly notice. Whoever reads for longer, as a
/// backup or an export does, is left in peace.
const WAIT: Duration = Duration::from_millis(50);

/// Whether there is a log, and it has become long.
pub fn is_long(target: &Target) -> bool {
    match target {
        Target::Sqlite(path) => fs::metadata(log_of(path)).is_ok_and(|file| file.len() > LONG_BYTES),
        Target::Postgres(_) => false,
    }
}

#[derive(QueryableByName)]
struct Outcome {
    #[diesel(sql_type = BigInt)]
    busy: i64,
}

/// Copies all of it to its places and empties it; `false` where somebody reads in it for long. Not in a transaction, and in a writer's turn.
pub fn empty(conn: &mut Conn) -> Result<bool, Fault> {
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", WAIT.as_millis()))?;
    let emptied = empty_patiently(conn);
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", PATIENCE.as_millis()))?;
    emptied
}

/// The same, waiting for readers as long as the connection waits for writers: for whoever is alone with the database, or nearly. PostgreSQL has no such
/// log.
pub fn empty_patiently(conn: &mut Conn) -> Result<bool, Fault> {
    match conn {
        Conn::Sqlite(conn) => {
            let outcome: Outcome = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)").get_result(conn)?;
            Ok(outcome.busy == 0)
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => Ok(true),
    }
}
