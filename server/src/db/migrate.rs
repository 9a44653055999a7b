//! Bringing a database to this program's version, once, whoever comes first.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::db::pool::Opener;
use crate::db::{Conn, Database};
use crate::domain::target::Target;
use crate::error::Fault;

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");
#[cfg(feature = "postgres")]
const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// Names our advisory lock among all that a PostgreSQL server knows; any fixed number does.
#[cfg(feature = "postgres")]
const MIGRATION_LOCK: i64 = 0x636f_756e_7465_7273;

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A later program has changed it; this one might misread or spoil it.
    #[error("the database is of a newer version ({version}) than this program; nothing was changed")]
    Newer {
        /// The first migration that this program does not know.
        version: String,
    },
    /// It cannot be opened or changed.
    #[error("the database {target} cannot be used: {reason}")]
    Unusable {
        /// Which one, without its password.
        target: String,
        /// Why, in the database's words.
        reason: String,
    },
}

impl Database {
    /// Opens the database, creating a SQLite file that is not there, and runs the migrations that it lacks, all in one
    /// transaction: servers that start at once wait for one another, and a failure leaves it as it was.
    pub fn prepare(&self) -> Result<(), MigrateError> {
        let unusable = |reason: String| MigrateError::Unusable { target: self.target().shown(), reason };
        if let Target::Sqlite(path) = self.target()
            && let Some(folder) = path.parent()
            && !folder.as_os_str().is_empty()
            && !folder.is_dir()
        {
            return Err(unusable(format!("the folder {} does not exist", folder.display())));
        }
        if let Target::Sqlite(path) = self.target() {
            create_private(path).map_err(|error| unusable(error.to_string()))?;
        }
        let mut conn =
            Opener::of(self.target().clone()).open().map_err(|error| unusable(error.to_string()))?;
        if let Some(version) = first_unknown(&mut conn).map_err(|error| unusable(error.to_string()))? {
            return Err(MigrateError::Newer { version });
        }
        match &mut conn {
            Conn::Sqlite(conn) => {
                if conn.has_pending_migration(SQLITE).map_err(|error| unusable(error.to_string()))? {
                    conn.immediate_transaction(|conn| run(conn, SQLITE))
                        .map_err(|error| unusable(error.to_string()))?;
                }
            }
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) => {
                use diesel::Connection as _;
                use diesel::connection::SimpleConnection as _;
                conn.transaction(|conn| {
                    conn.batch_execute(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))?;
                    run(conn, POSTGRES)
                })
                .map_err(|error| unusable(error.to_string()))?;
            }
        }
        Ok(())
    }
}

/// A new database file is its owner's alone; SQLite gives the files beside it the same mode.
fn create_private(path: &Path) -> std::io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn run<DB, C>(conn: &mut C, source: EmbeddedMigrations) -> Result<(), Fault>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: MigrationSource<DB>,
{
    conn.run_pending_migrations(source).map(|_| ()).map_err(|error| Fault::Database(error.to_string()))
}

/// The first migration that stands in the database but not in this program.
fn first_unknown(conn: &mut Conn) -> Result<Option<String>, Fault> {
    fn unknown<DB, C>(conn: &mut C, source: &EmbeddedMigrations) -> Result<Option<String>, Fault>
    where
        DB: diesel::backend::Backend,
        C: MigrationHarness<DB>,
        EmbeddedMigrations: MigrationSource<DB>,
    {
        let fault = |error: Box<dyn std::error::Error + Send + Sync>| Fault::Database(error.to_string());
        let known: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(fault)?;
        let known: Vec<String> =
            known.iter().map(|migration| migration.name().version().to_string()).collect();
        let applied: Vec<MigrationVersion<'static>> = conn.applied_migrations().map_err(fault)?;
        Ok(applied.into_iter().map(|version| version.to_string()).rfind(|version| !known.contains(version)))
    }
    match conn {
        Conn::Sqlite(conn) => {
            // `applied_migrations` would create its table, even in a database that may not be written.
            if !sqlite_has_migrations(conn)? {
                return Ok(None);
            }
            unknown(conn, &SQLITE)
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            use diesel::Connection as _;
            use diesel::connection::SimpleConnection as _;
            conn.transaction(|conn| {
                conn.batch_execute(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))?;
                unknown(conn, &POSTGRES)
            })
        }
    }
}

fn sqlite_has_migrations(conn: &mut diesel::sqlite::SqliteConnection) -> Result<bool, Fault> {
    use diesel::dsl::sql;
    use diesel::sql_types::BigInt;
    use diesel::{RunQueryDsl, select};
    let tables: i64 = select(sql::<BigInt>(
        "(SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = '__diesel_schema_migrations')",
    ))
    .get_result(conn)?;
    Ok(tables > 0)
}
