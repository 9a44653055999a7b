//! SQLite's log is kept short ([`crate::db::log_file`] says why).

use crate::app::context::Service;
use crate::db::{Conn, Database, log_file};
use crate::error::Fault;

/// Whether the database has such a log, and it has become long.
pub fn is_long(database: &Database) -> bool {
    log_file::is_long(database.target())
}

/// Empties it in a writer's turn; `false` where somebody reads in it for long.
pub fn empty(service: &Service, conn: &mut Conn) -> Result<bool, Fault> {
    service.alone(conn, log_file::empty)
}
