//! Bringing a database to this program's version, once, whoever comes first.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
#[cfg(feature = "postgres")]
use std::time::Duration;

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::db::pool::Opener;
#[cfg(feature = "postgres")]
use crate::db::pool::PATIENCE;
use crate::db::{Conn, Database, backup, catalogue, condition, relocation, rows};
use crate::domain::relocation::{Relocation, Way};
use crate::domain::target::Target;
use crate::domain::time::Timestamp;
use crate::error::Fault;

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");
#[cfg(feature = "postgres")]
const POSTGRES: EmbeddedMigrations = embed_migrations!("../migrations/postgres");

/// Names our advisory lock among all that a PostgreSQL server knows; any fixed number does.
#[cfg(feature = "postgres")]
const MIGRATION_LOCK: i64 = 0x636f_756e_7465_7273;

/// How long whoever comes later waits for another that brings the database up to date: far longer than that should take.
#[cfg(feature = "postgres")]
const TURN_PATIENCE: Duration = Duration::from_mins(10);

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
    /// A name with a letter that it has no place for would fail whatever it is stored or asked with, others' codes among that.
    #[error(
        "the database {target} keeps text as {encoding}, which has no place for every name: make one with \
         `createdb --encoding=UTF8 --template=template0 NAME`; if this one was in use, `countersign move` takes all to it; nothing was changed"
    )]
    Encoding {
        /// Which one, without its password.
        target: String,
        /// What PostgreSQL calls that.
        encoding: String,
    },
    /// `countersign backup` wrote it: whatever was spent since must not count once more.
    #[error("{target} is a backup and no database to work with; `countersign restore` makes one of it")]
    Backup {
        /// Which file.
        target: String,
    },
    /// `countersign move` has taken everything elsewhere: a code that is spent there must not count here.
    #[error("the database was moved to {place} on {at}; use that one, this one is closed for good")]
    MovedAway {
        /// Where to.
        place: String,
        /// When.
        at: Timestamp,
    },
    /// `countersign move` has not finished bringing everything here.
    #[error(
        "a move from {place} to this database was begun on {at} and is not finished; run the same `countersign move` again"
    )]
    NotArrived {
        /// Where from.
        place: String,
        /// When it was begun.
        at: Timestamp,
    },
}

impl MigrateError {
    /// Why nobody may use a database that a move has closed, or has not opened yet.
    pub fn closed(relocation: Relocation) -> Option<Self> {
        let Relocation { place, at, .. } = relocation;
        match relocation.way {
            Way::Leaving => None,
            Way::Left => Some(Self::MovedAway { place, at }),
            Way::Arriving => Some(Self::NotArrived { place, at }),
        }
    }
}

impl Database {
    /// Opens the database, creating a SQLite file that is not there, and runs the migrations that it lacks, all in one
    /// transaction: servers that start at once wait for one another, and a failure leaves it as it was.
    pub fn prepare(&self) -> Result<(), MigrateError> {
        self.prepare_if(|_| Ok(()))
    }

    /// The same, unless `check`, which finds the database as it was, refuses it.
    pub fn prepare_if<E: From<MigrateError>>(
        &self,
        check: impl FnOnce(&mut Conn) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut conn = self.open_or_create()?;
        let closed = relocation::find(&mut conn).map_err(|fault| self.unusable(&fault))?;
        if let Some(error) = closed.and_then(MigrateError::closed) {
            return Err(error.into());
        }
        self.must_hold_every_name(&mut conn)?;
        check(&mut conn)?;
        Ok(self.migrate(&mut conn)?)
    }

    /// Refuses a PostgreSQL database that keeps text in some other way than UTF-8. `SQL_ASCII` is none: it keeps what it is told.
    pub fn must_hold_every_name(&self, conn: &mut Conn) -> Result<(), MigrateError> {
        match condition::encoding(conn).map_err(|fault| self.unusable(&fault))? {
            Some(encoding) if !matches!(encoding.as_str(), "UTF8" | "SQL_ASCII") => {
                Err(MigrateError::Encoding { target: self.target().shown(), encoding })
            }
            _ => Ok(()),
        }
    }

    /// The same for a move, which opens databases that are closed to everybody else.
    pub fn prepare_for_move(&self) -> Result<Conn, MigrateError> {
        let mut conn = self.open_or_create()?;
        self.migrate(&mut conn)?;
        Ok(conn)
    }

    /// Opens the database as it is, for a look; makes no file. `None`: there is none yet.
    pub fn look(&self) -> Result<Option<Conn>, MigrateError> {
        if let Target::Sqlite(path) = self.target()
            && !path.exists()
        {
            return Ok(None);
        }
        self.open_known().map(Some)
    }

    /// Opens the database as it is, for a look that changes nothing, whatever its version; makes no file. `None`: there is none yet.
    pub fn look_only(&self) -> Result<Option<Conn>, MigrateError> {
        if let Target::Sqlite(path) = self.target()
            && !path.exists()
        {
            return Ok(None);
        }
        self.must_be_no_backup_file()?;
        let opened = Opener::of(self.target().clone()).open_to_look();
        let mut conn = opened.map_err(|error| self.unusable(&error))?;
        self.must_be_no_backup(&mut conn)?;
        Ok(Some(conn))
    }

    fn unusable(&self, reason: &impl ToString) -> MigrateError {
        MigrateError::Unusable { target: self.target().shown(), reason: reason.to_string() }
    }

    /// Opens the database as it is, creating a SQLite file that is not there.
    pub fn open_or_create(&self) -> Result<Conn, MigrateError> {
        if let Target::Sqlite(path) = self.target()
            && let Some(folder) = path.parent()
            && !folder.as_os_str().is_empty()
            && !folder.is_dir()
        {
            return Err(self.unusable(&format!("the folder {} does not exist", folder.display())));
        }
        if let Target::Sqlite(path) = self.target() {
            create_private(path).map_err(|error| self.unusable(&error))?;
        }
        self.open_known()
    }

    /// Opens it, unless a later program has changed it, or it is a backup. That is seen before SQLite touches the file, which may be the only one.
    fn open_known(&self) -> Result<Conn, MigrateError> {
        self.must_be_no_backup_file()?;
        let mut conn = Opener::of(self.target().clone()).open().map_err(|error| self.unusable(&error))?;
        self.must_be_no_backup(&mut conn)?;
        match first_unknown(&mut conn).map_err(|error| self.unusable(&error))? {
            Some(version) => Err(MigrateError::Newer { version }),
            None => Ok(conn),
        }
    }

    fn must_be_no_backup_file(&self) -> Result<(), MigrateError> {
        match self.target() {
            Target::Sqlite(path) if backup::is_marked(path) => {
                Err(MigrateError::Backup { target: self.target().shown() })
            }
            _ => Ok(()),
        }
    }

    /// Nor a copy of one that has lost the number in its header.
    fn must_be_no_backup(&self, conn: &mut Conn) -> Result<(), MigrateError> {
        if catalogue::has(conn, catalogue::BACKUP).map_err(|error| self.unusable(&error))? {
            return Err(MigrateError::Backup { target: self.target().shown() });
        }
        Ok(())
    }

    fn migrate(&self, conn: &mut Conn) -> Result<(), MigrateError> {
        match conn {
            Conn::Sqlite(conn) => {
                if conn.has_pending_migration(SQLITE).map_err(|error| self.unusable(&error))? {
                    conn.immediate_transaction(|conn| run(conn, SQLITE))
                        .map_err(|error| self.unusable(&error))?;
                }
            }
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) => {
                in_turn(conn, |conn| run(conn, POSTGRES)).map_err(|error| self.unusable(&error))?;
            }
        }
        Ok(())
    }
}

/// How the database's version stands to this program's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Version {
    /// It is the same; the last migration.
    Same(String),
    /// It lacks so many of the migrations; all of them where it is empty.
    Older {
        /// How many it lacks.
        pending: usize,
        /// How many it has.
        applied: usize,
    },
    /// It has this migration, which this program does not know.
    Newer(String),
}

/// Which version a database has. Asks without locking anybody out, unlike those who are about to change it.
pub fn version(conn: &mut Conn) -> Result<Version, Fault> {
    let (known, applied) = (known::<diesel::sqlite::Sqlite>(&SQLITE)?, versions(conn)?);
    if let Some(version) = applied.iter().rfind(|version| !known.contains(version)) {
        return Ok(Version::Newer(version.clone()));
    }
    let pending = known.len().saturating_sub(applied.len());
    match known.last() {
        Some(last) if pending == 0 => Ok(Version::Same(last.clone())),
        _ => Ok(Version::Older { pending, applied: applied.len() }),
    }
}

/// The migrations that this program knows, in order: the same ones for both back ends.
fn known<DB: diesel::backend::Backend>(source: &EmbeddedMigrations) -> Result<Vec<String>, Fault>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let known: Vec<Box<dyn Migration<DB>>> =
        source.migrations().map_err(|error| Fault::Database(error.to_string()))?;
    let mut known: Vec<String> =
        known.iter().map(|migration| migration.name().version().to_string()).collect();
    known.sort();
    Ok(known)
}

/// A new database with nothing in it but what migrations make, in memory: what an empty one looks like.
pub(super) fn pristine() -> Result<Conn, Fault> {
    use diesel::Connection as _;
    let opened = diesel::sqlite::SqliteConnection::establish(":memory:");
    let mut conn = opened.map_err(|error| Fault::Database(error.to_string()))?;
    run(&mut conn, SQLITE)?;
    Ok(Conn::Sqlite(conn))
}

/// Which migrations were run, in their order.
pub fn versions(conn: &mut Conn) -> Result<Vec<String>, Fault> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    if !catalogue::has(conn, catalogue::MIGRATIONS)? {
        return Ok(Vec::new());
    }
    let query = diesel::sql_query(format!("SELECT version FROM {}", catalogue::MIGRATIONS));
    let rows: Vec<Row> = diesel::RunQueryDsl::load(query, conn)?;
    let versions: BTreeSet<String> = rows.into_iter().map(|row| row.version).collect();
    Ok(versions.into_iter().collect())
}

/// Runs those of the migrations that `are_wanted` and were not run yet, within the caller's transaction. Both back ends have the same ones.
fn run_those(conn: &mut Conn, are_wanted: impl Fn(&str) -> bool) -> Result<(), Fault> {
    fn run<DB, C>(
        conn: &mut C,
        source: EmbeddedMigrations,
        are_wanted: impl Fn(&str) -> bool,
    ) -> Result<(), Fault>
    where
        DB: diesel::backend::Backend,
        C: MigrationHarness<DB>,
        EmbeddedMigrations: MigrationSource<DB>,
    {
        let fault = |error: Box<dyn std::error::Error + Send + Sync>| Fault::Database(error.to_string());
        let pending = conn.pending_migrations(source).map_err(fault)?;
        for migration in pending {
            if are_wanted(&migration.name().version().to_string()) {
                conn.run_migration(&*migration).map_err(fault)?;
            }
        }
        Ok(())
    }
    match conn {
        Conn::Sqlite(conn) => run(conn, SQLITE, are_wanted),
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => run(conn, POSTGRES, are_wanted),
    }
}

/// Makes the tables of a database at these versions, within the caller's transaction: the place for rows of one that is as old.
pub fn make_at(conn: &mut Conn, versions: &[String]) -> Result<(), Fault> {
    run_those(conn, |version| versions.iter().any(|wanted| wanted == version))
}

/// Brings a database up to date within the caller's transaction.
pub fn finish(conn: &mut Conn) -> Result<(), Fault> {
    run_those(conn, |_| true)
}

/// The first of these versions that this program does not know.
pub fn first_unknown_of(versions: &[String]) -> Result<Option<String>, Fault> {
    let known = known::<diesel::sqlite::Sqlite>(&SQLITE)?;
    Ok(versions.iter().find(|version| !known.contains(version)).cloned())
}

/// Keeps all others from running migrations until the transaction ends, and so from starting on this database. On SQLite nobody writes meanwhile.
pub fn hold(conn: &mut Conn) -> Result<(), Fault> {
    match conn {
        Conn::Sqlite(_) => Ok(()),
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            let lock = format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})");
            diesel::connection::SimpleConnection::batch_execute(conn, &lock)?;
            Ok(())
        }
    }
}

/// Removes all tables that this program makes, within the caller's transaction. Only from a database that is empty
/// ([`crate::db::copying::occupied`]).
pub fn unmake(conn: &mut Conn) -> Result<(), Fault> {
    for table in catalogue::tables(conn)?.iter().rev() {
        rows::drop_table(conn, &table.name)?;
    }
    for table in catalogue::BOOKKEEPING {
        if catalogue::has(conn, table)? {
            rows::drop_table(conn, table)?;
        }
    }
    Ok(())
}

/// A new database file is its owner's alone; SQLite gives the files beside it the same mode.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
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
        let known = known(source)?;
        let applied: Vec<MigrationVersion<'static>> = conn.applied_migrations().map_err(fault)?;
        Ok(applied.into_iter().map(|version| version.to_string()).rfind(|version| !known.contains(version)))
    }
    // `applied_migrations` would create its table, even in a database that may not be written or is another program's.
    if !catalogue::has(conn, catalogue::MIGRATIONS)? {
        return Ok(None);
    }
    match conn {
        Conn::Sqlite(conn) => unknown(conn, &SQLITE),
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => in_turn(conn, |conn| unknown(conn, &POSTGRES)),
    }
}

/// A transaction while no other server looks at migrations or runs them. It may take as long as it needs. Only for a table it waits no longer than
/// requests do: all others who want it stand behind meanwhile.
#[cfg(feature = "postgres")]
fn in_turn<T>(
    conn: &mut diesel::pg::PgConnection,
    body: impl FnOnce(&mut diesel::pg::PgConnection) -> Result<T, Fault>,
) -> Result<T, Fault> {
    use diesel::Connection as _;
    use diesel::connection::SimpleConnection as _;
    conn.transaction(|conn| {
        conn.batch_execute(&format!(
            "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '{}s'; \
             SELECT pg_advisory_xact_lock({MIGRATION_LOCK}); SET LOCAL lock_timeout = '{}s'",
            TURN_PATIENCE.as_secs(),
            PATIENCE.as_secs(),
        ))?;
        body(conn)
    })
}
