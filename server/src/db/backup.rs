//! What makes a SQLite file a backup: a number in its header, by which nobody takes it for a database to work with, and a row that says of when it
//! is and proves that it is as it was written.

use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Text};
use diesel::sqlite::SqliteConnection;
use tempfile::{TempDir, TempPath};

use crate::db::migrate::create_private;
use crate::db::pool::open_to_read;
use crate::db::{Conn, catalogue};
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// SQLite's `application_id` of backups, `CSbk`: it stands in the file's header (fileformat2 s1.2.14), so `file` shows it, too.
const APPLICATION_ID: [u8; 4] = *b"CSbk";

/// Where in the file.
const APPLICATION_ID_AT: usize = 68;

/// What a backup says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Whatever had happened by then is in it.
    pub made_at: Timestamp,
    /// Which database it is of, for people.
    pub place: String,
    /// A keyed hash of all that is in it.
    pub proof: Vec<u8>,
}

/// Whether the file is a backup, by its header alone. Nothing that cannot be read is one.
pub fn is_marked(path: &Path) -> bool {
    let mut header = [0; APPLICATION_ID_AT + APPLICATION_ID.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[APPLICATION_ID_AT..] == APPLICATION_ID
}

/// Whether the file is as long as its header says (fileformat2 s1.3.2, s1.3.8): SQLite itself reads zeros where an end is missing.
pub fn is_whole(path: &Path) -> io::Result<bool> {
    let mut header = [0; 32];
    let mut file = File::open(path)?;
    file.read_exact(&mut header)?;
    let page_size = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u32::from_be_bytes([header[28], header[29], header[30], header[31]]);
    Ok(file.metadata()?.len() == page_size * u64::from(pages))
}

/// What the backup says of itself; none in a file that is not one.
pub fn find(conn: &mut Conn) -> Result<Option<Mark>, Fault> {
    if !catalogue::has(conn, catalogue::BACKUP)? {
        return Ok(None);
    }
    let query = diesel::sql_query("SELECT made_at, place, proof FROM countersign_backup WHERE id = 1");
    let row: Option<Row> = query.get_result(conn).optional()?;
    let mark =
        |Row { made_at, place, proof }| Mark { made_at: Timestamp::from_millis(made_at), place, proof };
    Ok(row.map(mark))
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = BigInt)]
    made_at: i64,
    #[diesel(sql_type = Text)]
    place: String,
    #[diesel(sql_type = Binary)]
    proof: Vec<u8>,
}

/// Makes the file a backup.
pub fn mark(conn: &mut Conn, mark: &Mark) -> Result<(), Fault> {
    // Not among the tables that migrations make: a database has none.
    conn.batch_execute(
        "CREATE TABLE countersign_backup (id INTEGER NOT NULL PRIMARY KEY, made_at BIGINT NOT NULL, \
         place TEXT NOT NULL, proof BLOB NOT NULL)",
    )?;
    diesel::sql_query("INSERT INTO countersign_backup (id, made_at, place, proof) VALUES (1, $1, $2, $3)")
        .bind::<BigInt, _>(mark.made_at.millis())
        .bind::<Text, _>(&mark.place)
        .bind::<Binary, _>(&mark.proof)
        .execute(conn)?;
    Ok(())
}

/// A copy under way: in a folder of its own beside the file that it becomes, gone when this is dropped. One that was left by a process that was killed
/// is in nobody's way.
pub struct Unfinished {
    path: PathBuf,
    folder: TempDir,
}

impl Unfinished {
    /// An empty file that is its owner's alone.
    pub fn beside(file: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        let folder = builder
            .prefix(".countersign-backup-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(folder_of(file))?;
        let path = folder.path().join("copy.db");
        create_private(&path)?;
        Ok(Self { path, folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it to write to it. Whoever is interrupted throws it away, so nothing waits for the disk before the end.
    pub fn open(&self) -> Result<Conn, Fault> {
        let mut conn =
            SqliteConnection::establish(text(&self.path)?).map_err(|error| unusable(&self.path, &error))?;
        // From now on nobody takes it for a database, whenever this is interrupted.
        let id = i32::from_be_bytes(APPLICATION_ID);
        conn.batch_execute(&format!(
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; \
             PRAGMA application_id = {id}"
        ))?;
        Ok(Conn::Sqlite(conn))
    }

    /// Gives it its name, whole and on the disk; never in the place of another file. No connection to it may be open any more. Returns how many bytes
    /// it has.
    pub fn keep(self, file: &Path) -> io::Result<u64> {
        let copy = File::open(&self.path)?;
        copy.sync_all()?;
        let bytes = copy.metadata()?.len();
        TempPath::try_from_path(&self.path)?.persist_noclobber(file).map_err(|error| error.error)?;
        File::open(folder_of(file))?.sync_all()?;
        // Empty by now; what cannot be removed is in nobody's way.
        let _ = self.folder.close();
        Ok(bytes)
    }
}

/// The folder that a file is in.
pub fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn text(path: &Path) -> Result<&str, Fault> {
    path.to_str().ok_or_else(|| unusable(path, &"the path is not UTF-8"))
}

/// Opens a backup, which may lie where nothing can be written: the file is neither changed nor locked, and none is made beside it.
pub fn open_read_only(path: &Path) -> Result<Conn, Fault> {
    let mut conn = open_to_read(path, true).map_err(|error| unusable(path, &error))?;
    // What is in the file was written by others: no function in its tables is called.
    conn.batch_execute("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON")?;
    Ok(Conn::Sqlite(conn))
}

fn unusable(path: &Path, reason: &impl ToString) -> Fault {
    Fault::Database(format!("{}: {}", path.display(), reason.to_string()))
}

/// Copies a SQLite database, as it is at this moment, into an empty file; others go on writing.
pub fn vacuum_into(conn: &mut SqliteConnection, path: &Path) -> Result<(), Fault> {
    diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(text(path)?).execute(conn)?;
    Ok(())
}

/// Whether SQLite finds nothing wrong with the file.
pub fn is_sound(conn: &mut Conn) -> Result<bool, Fault> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Text)]
        quick_check: String,
    }
    let found: Vec<Found> = diesel::sql_query("PRAGMA quick_check").load(conn)?;
    Ok(found.iter().map(|row| row.quick_check.as_str()).eq(["ok"]))
}
