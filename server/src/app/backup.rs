//! Backing up: everything of one moment in one file, while servers go on.
//!
//! 1. A copy is made under another name. Of a SQLite file by SQLite itself; of a PostgreSQL database row by row, in one transaction that sees one moment,
//!    and compared in it. Nobody waits for either.
//! 2. The copy is brought up to date, if the database is older than this program; the database itself is left as it is.
//! 3. It is checked, and marked as a backup: no server opens it. A keyed hash over every row proves that nobody has changed it since, without the master key.
//! 4. The database's audit log says that there is a copy. Only then does the file get its name, whole and on the disk.

use std::io;
use std::path::Path;

use crate::app::context::{At, Service, Stop};
use crate::crypto::keyed_hash::Purpose;
use crate::db::backup::{self, Mark, Unfinished};
use crate::db::catalogue::{self, Table};
use crate::db::{self, Conn, Database, MigrateError, copying, migrate, relocation};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing there to back up.
    #[error("there is no database at {0}")]
    NoSource(String),
    /// No master key was ever bound to it, so nothing is in it.
    #[error("the database {0} was never used; there is nothing to back up")]
    Unused(String),
    /// A backup never takes the place of another one.
    #[error("the file {0} exists already and is left as it is")]
    Exists(String),
    /// The file cannot be written.
    #[error("the backup {path} cannot be written: {source}")]
    Io {
        /// Its name.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A database failed: the one that is read, or the copy, where it may have no room.
    #[error("{path} cannot be made: {fault}")]
    Failed {
        /// The file that is not there.
        path: String,
        /// Why.
        fault: Fault,
    },
    /// It has a table that this program does not know.
    #[error("the table {0} does not look as this program makes it; nothing was backed up")]
    Unlike(String),
    /// The copy is not what is read, or not what SQLite takes for sound.
    #[error("the copy of {0} is not what the database has; there is no backup")]
    Unequal(String),
    /// The database is closed, newer or a backup itself.
    #[error("{0}")]
    Closed(#[from] MigrateError),
    /// The audit log could not say so.
    #[error("{0}")]
    Broken(#[from] Fault),
}

/// How many rows a table has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counted {
    /// Its name.
    pub table: String,
    /// How many.
    pub rows: u64,
}

/// Looks at both ends and changes neither. Returns the database as it is: nothing is brought up to date in it.
pub fn survey(from: &Database, file: &Path) -> Result<Conn, BackupError> {
    let shown = file.display().to_string();
    if file.symlink_metadata().is_ok() {
        return Err(BackupError::Exists(shown));
    }
    let folder = backup::folder_of(file);
    if !folder.is_dir() {
        let source = io::Error::other(format!("the folder {} does not exist", folder.display()));
        return Err(BackupError::Io { path: shown, source });
    }
    let mut source = from.look()?.ok_or_else(|| BackupError::NoSource(from.target().shown()))?;
    if let Some(error) = relocation::find(&mut source)?.and_then(MigrateError::closed) {
        return Err(error.into());
    }
    if db::master_key::find(&mut source)?.is_none() {
        return Err(BackupError::Unused(from.target().shown()));
    }
    Ok(source)
}

/// A copy that has no name yet.
pub struct Copied {
    /// The copy, for whoever wants to look at it.
    pub conn: Conn,
    file: Unfinished,
    made_at: Timestamp,
}

/// Steps 1 and 2.
pub fn copy(source: &mut Conn, file: &Path, now: Timestamp) -> Result<Copied, BackupError> {
    relocation::take_time(source)?;
    let unfinished = Unfinished::beside(file)
        .map_err(|source| BackupError::Io { path: file.display().to_string(), source })?;
    let conn = fill(source, &unfinished).map_err(|error| match error {
        BackupError::Broken(fault) => BackupError::Failed { path: file.display().to_string(), fault },
        other => other,
    })?;
    Ok(Copied { conn, file: unfinished, made_at: now })
}

fn fill(source: &mut Conn, unfinished: &Unfinished) -> Result<Conn, BackupError> {
    let mut conn = match source {
        Conn::Sqlite(source) => {
            backup::vacuum_into(source, unfinished.path())?;
            unfinished.open()?
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => {
            let mut conn = unfinished.open()?;
            source.read_moment(|source| copy_rows(source, &mut conn))?;
            conn
        }
    };
    if !backup::is_sound(&mut conn)? {
        return Err(BackupError::Unequal("the file".to_owned()));
    }
    conn.write_or_stop(|conn| {
        // Perhaps a move from here was begun; or, between the look and the copy, finished.
        if let Some(error) = relocation::find(conn)?.and_then(MigrateError::closed) {
            return Err(BackupError::from(error));
        }
        migrate::finish(conn)?;
        relocation::remove(conn)?;
        let tables = catalogue::tables(conn)?;
        must_be_alike(&tables, &catalogue::tables(&mut catalogue::pristine()?)?)
    })?;
    Ok(conn)
}

/// All rows of one moment, into a new file whose tables are as old as the database's; read once more and compared.
#[cfg(feature = "postgres")]
fn copy_rows(source: &mut Conn, copy: &mut Conn) -> Result<(), BackupError> {
    let versions = migrate::versions(source)?;
    let tables = catalogue::tables(source)?;
    copy.write_or_stop(|copy| {
        migrate::make_at(copy, &versions)?;
        must_be_alike(&tables, &catalogue::tables(copy)?)?;
        copying::replace(source, copy, &tables)?;
        for table in &tables {
            copying::compare(source, copy, table)?.ok_or_else(|| BackupError::Unequal(table.name.clone()))?;
        }
        Ok(())
    })
}

/// Nothing may be forgotten.
fn must_be_alike(here: &[Table], there: &[Table]) -> Result<(), BackupError> {
    copying::unlike(here, there).map_or(Ok(()), |table| Err(BackupError::Unlike(table)))
}

/// What became of a backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BackedUp {
    /// Whatever had happened by then is in it.
    pub made_at: Timestamp,
    /// How many rows each table has.
    pub tables: Vec<Counted>,
    /// How long the file is.
    pub bytes: u64,
}

/// Steps 3 and 4.
pub fn keep(
    service: &Service,
    source: &mut Conn,
    copied: Copied,
    (from, file): (&Database, &Path),
    at: At,
) -> Result<BackedUp, BackupError> {
    let Copied { mut conn, file: unfinished, made_at } = copied;
    // The key may have been rotated between the look and the copy.
    service.must_be_bound(&mut conn)?;
    let mut mark = Mark { made_at, place: from.target().shown(), proof: Vec::new() };
    let (proof, tables) = prove(service, &mut conn, &mark)?;
    mark.proof = proof.to_vec();
    backup::mark(&mut conn, &mark)?;
    drop(conn);
    let rows: u64 = tables.iter().map(|counted| counted.rows).sum();
    let noted = service.write(source, at, |tx| {
        let event = Event::done(Actor::Operator, Action::DatabaseBackedUp, None);
        tx.note(event.with(format!("rows={rows} file={}", file.display())));
        Ok(())
    });
    match noted {
        Ok(()) => {}
        Err(Stop::Broken(fault)) => return Err(fault.into()),
        Err(Stop::Refused(_)) => return Err(Fault::Corrupt { what: "refusal" }.into()),
    }
    let path = file.display().to_string();
    let bytes = unfinished.keep(file).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(path),
        _ => BackupError::Io { path, source },
    })?;
    Ok(BackedUp { made_at, tables, bytes })
}

/// A keyed hash over everything that is in a database and what a mark says of it, and how many rows there are. The same on both back ends.
pub fn prove(service: &Service, conn: &mut Conn, mark: &Mark) -> Result<([u8; 32], Vec<Counted>), Fault> {
    let mut hash = service.hasher.begin(Purpose::Backup);
    hash.add(&mark.made_at.millis().to_be_bytes());
    hash.add(mark.place.as_bytes());
    for version in migrate::versions(conn)? {
        hash.add(b"version");
        hash.add(version.as_bytes());
    }
    let mut counted = Vec::new();
    for table in catalogue::tables(conn)? {
        hash.add(b"table");
        hash.add(table.name.as_bytes());
        hash.add(&(table.columns.len() as u64).to_be_bytes());
        for column in &table.columns {
            hash.add(column.name.as_bytes());
        }
        // A row's bytes are never as short as the words above.
        let rows = copying::each(conn, &table, |row| hash.add(&row.to_bytes()))?;
        counted.push(Counted { table: table.name, rows });
    }
    Ok((hash.finish(), counted))
}
