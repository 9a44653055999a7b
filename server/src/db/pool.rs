//! Connections: where they lead, how each is set up, and the pool that keeps them.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ManageConnection, Pool, PooledConnection, R2D2Connection};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, ConnectionError};

use crate::db::Conn;
use crate::domain::target::Target;
use crate::error::Fault;

/// How long a request waits for a connection, and a SQLite writer for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens connections for the pool; only [`Database`] makes one.
#[derive(Clone, Debug)]
pub struct Opener {
    pub(super) target: Target,
}

impl Opener {
    pub(super) fn open(&self) -> Result<Conn, ConnectionError> {
        match &self.target {
            Target::Sqlite(path) => open_sqlite(path).map(Conn::Sqlite),
            #[cfg(feature = "postgres")]
            Target::Postgres(url) => open_postgres(url).map(Conn::Postgres),
            #[cfg(not(feature = "postgres"))]
            Target::Postgres(_) => Err(ConnectionError::BadConnection("built without PostgreSQL".into())),
        }
    }
}

/// A server that hangs must not hang its callers: every wait has an end. And a commit that was answered must be on the disk, whatever the
/// server's default; a stricter default (`remote_write`, `remote_apply`) stays.
#[cfg(feature = "postgres")]
fn open_postgres(url: &str) -> Result<diesel::pg::PgConnection, ConnectionError> {
    let mut limited =
        url::Url::parse(url).map_err(|error| ConnectionError::InvalidConnectionUrl(error.to_string()))?;
    let given: Vec<String> = limited.query_pairs().map(|(name, _)| name.into_owned()).collect();
    for (name, value) in [
        ("connect_timeout", "5"),
        ("keepalives_idle", "10"),
        ("keepalives_interval", "5"),
        ("tcp_user_timeout", "10000"),
    ] {
        if !given.iter().any(|known| known == name) {
            limited.query_pairs_mut().append_pair(name, value);
        }
    }
    let mut conn = diesel::pg::PgConnection::establish(limited.as_str())?;
    conn.batch_execute(
        "SET statement_timeout = '10s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') IN ('off', 'local')",
    )
    .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// WAL lets readers go on beside the writer. `synchronous=FULL`: with NORMAL a power loss could take back a commit whose code was
/// already answered, and the code would count again.
fn open_sqlite(path: &Path) -> Result<SqliteConnection, ConnectionError> {
    let path = path.to_str().ok_or_else(|| ConnectionError::BadConnection("the path is not UTF-8".into()))?;
    let mut conn = SqliteConnection::establish(path)?;
    let patience = PATIENCE.as_millis();
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = {patience}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
         PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;"
    ))
    .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

impl ManageConnection for Opener {
    type Connection = Conn;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Conn, Self::Error> {
        self.open().map_err(diesel::r2d2::Error::ConnectionError)
    }

    fn is_valid(&self, conn: &mut Conn) -> Result<(), Self::Error> {
        match conn {
            Conn::Sqlite(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) => conn.ping().map_err(diesel::r2d2::Error::QueryError),
        }
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        std::thread::panicking() || conn.is_broken()
    }
}

/// What tells one file from another of the same name: device and inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FileIdentity(u64, u64);

impl FileIdentity {
    fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().map(|file| Self(file.dev(), file.ino()))
    }
}

/// The pool.
#[derive(Clone)]
pub struct Database {
    pool: Pool<Opener>,
    target: Target,
    /// Which SQLite file the first connection found: a file that is deleted or replaced under open connections still takes writes,
    /// and loses them.
    file: Arc<OnceLock<FileIdentity>>,
}

impl Database {
    /// A pool of up to `size` connections, none of which is opened before it is wanted.
    pub fn new(target: Target, size: u32, patience: Option<Duration>) -> Self {
        let pool = Pool::builder()
            .max_size(size)
            .min_idle(Some(0))
            .connection_timeout(patience.unwrap_or(PATIENCE))
            .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
            .build_unchecked(Opener { target: target.clone() });
        Self { pool, target, file: Arc::default() }
    }

    /// Where the connections lead.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether the other leads to the same SQLite file, by whatever path. What two PostgreSQL URLs have in common only the server knows:
    /// [`crate::db::relocation::are_one`].
    pub fn is_same_file(&self, other: &Self) -> bool {
        match (&self.target, &other.target) {
            (Target::Sqlite(one), Target::Sqlite(two)) => {
                FileIdentity::of(one).is_some_and(|file| FileIdentity::of(two) == Some(file))
            }
            _ => false,
        }
    }

    /// A connection, waited for a while. Blocks: never on a thread that serves requests.
    pub fn connection(&self) -> Result<PooledConnection<Opener>, Fault> {
        if let Target::Sqlite(path) = &self.target {
            let gone = || Fault::Database(format!("the database file {} is gone", path.display()));
            let present = FileIdentity::of(path).ok_or_else(gone)?;
            if *self.file.get_or_init(|| present) != present {
                let what = format!("the database file {} was replaced; restart the server", path.display());
                return Err(Fault::Database(what));
            }
        }
        self.pool.get().map_err(|error| Fault::Database(error.to_string()))
    }
}
