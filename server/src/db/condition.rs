//! How the database itself stands, in its own words: what it is, what it promises, and whether its file is whole.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::Text;
#[cfg(feature = "postgres")]
use diesel::sql_types::{BigInt, Bool};

use crate::db::Conn;
#[cfg(feature = "postgres")]
use crate::domain::time::Timestamp;
use crate::error::Fault;

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    text: String,
}

/// What it is: its kind and version.
pub fn version(conn: &mut Conn) -> Result<String, Fault> {
    let (kind, question) = match conn {
        Conn::Sqlite(_) => ("SQLite", "SELECT sqlite_version() AS text"),
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => ("PostgreSQL", "SELECT current_setting('server_version') AS text"),
    };
    let row: TextRow = diesel::sql_query(question).get_result(conn)?;
    Ok(format!("{kind} {}", row.text))
}

/// How a PostgreSQL database keeps text, in its own words; none on SQLite, which keeps UTF-8.
pub fn encoding(conn: &mut Conn) -> Result<Option<String>, Fault> {
    match conn {
        Conn::Sqlite(_) => Ok(None),
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => {
            let question = "SELECT current_setting('server_encoding') AS text";
            let row: TextRow = diesel::sql_query(question).get_result(conn)?;
            Ok(Some(row.text))
        }
    }
}

/// What a PostgreSQL server promises, and what it has for us.
#[cfg(feature = "postgres")]
#[allow(clippy::struct_excessive_bools, reason = "each is a setting of PostgreSQL's, or an answer of it")]
#[derive(Clone, PartialEq, Eq, Debug, QueryableByName)]
pub struct Server {
    /// Whether it writes to the disk at all.
    #[diesel(sql_type = Bool)]
    pub fsync: bool,
    /// Whether it survives a page that was half written.
    #[diesel(sql_type = Bool)]
    pub full_page_writes: bool,
    /// Whether a commit waits for the disk, in sessions that say nothing of it.
    #[diesel(sql_type = Text)]
    pub synchronous_commit: String,
    /// How many connections it takes from everybody but superusers.
    #[diesel(sql_type = BigInt)]
    pub connections: i64,
    /// How many of them there are.
    #[diesel(sql_type = BigInt)]
    pub connected: i64,
    /// Whether this connection is encrypted.
    #[diesel(sql_type = Bool)]
    pub is_encrypted: bool,
    /// Whether it takes changes.
    #[diesel(sql_type = Bool)]
    pub is_standby: bool,
}

/// Asks a PostgreSQL server; none on SQLite.
#[cfg(feature = "postgres")]
pub fn server(conn: &mut Conn) -> Result<Option<Server>, Fault> {
    let Conn::Postgres(conn) = conn else { return Ok(None) };
    // Others' sessions are not for every role to see, but how many there are. What the session has set for itself is not what the server does by itself.
    let server = diesel::sql_query(
        "SELECT current_setting('fsync')::bool AS fsync, current_setting('full_page_writes')::bool AS full_page_writes, \
         (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit') AS synchronous_commit, \
         LEAST(current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint \
             - coalesce(current_setting('reserved_connections', true), '0')::bigint, \
             (SELECT rolconnlimit::bigint FROM pg_roles WHERE rolname = current_user AND rolconnlimit >= 0), \
             (SELECT datconnlimit::bigint FROM pg_database WHERE datname = current_database() AND datconnlimit >= 0)) AS connections, \
         GREATEST((SELECT sum(numbackends) FROM pg_stat_database)::bigint - 1, 0) AS connected, \
         coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_encrypted, \
         pg_is_in_recovery() AS is_standby",
    )
    .get_result(conn)?;
    Ok(Some(server))
}

/// What time it is where PostgreSQL runs; none on SQLite, which has no clock of its own.
#[cfg(feature = "postgres")]
pub fn clock(conn: &mut Conn) -> Result<Option<Timestamp>, Fault> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        millis: i64,
    }
    let Conn::Postgres(conn) = conn else { return Ok(None) };
    let now = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS millis";
    let row: Row = diesel::sql_query(now).get_result(conn)?;
    Ok(Some(Timestamp::from_millis(row.millis)))
}

/// Whether a SQLite file says of itself that it has a log (<https://www.sqlite.org/fileformat.html> s1.3.3); none where it is no such file.
pub fn has_write_ahead_log(path: &Path) -> Option<bool> {
    let mut header = [0; 20];
    File::open(path).and_then(|mut file| file.read_exact(&mut header)).ok()?;
    header.starts_with(b"SQLite format 3\0").then_some(header[18] == 2)
}

/// Has SQLite walk over the whole file; what it says of the first pages that are not as they should be, none where all are. None on PostgreSQL.
pub fn damage(conn: &mut Conn) -> Result<Option<String>, Fault> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        quick_check: String,
    }
    match conn {
        Conn::Sqlite(conn) => {
            let rows: Vec<Row> = diesel::sql_query("PRAGMA quick_check(1)").load(conn)?;
            Ok(rows.into_iter().map(|row| row.quick_check).find(|said| said != "ok"))
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => Ok(None),
    }
}
