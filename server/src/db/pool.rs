//! Connections: where they lead, how each is set up, and the pool that keeps them.

use std::ops::{Deref, DerefMut};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

#[cfg(feature = "postgres")]
use diesel::RunQueryDsl as _;
use diesel::connection::SimpleConnection;
use diesel::r2d2::{ManageConnection, Pool, PooledConnection, R2D2Connection};
use diesel::result::{Error, QueryResult};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, ConnectionError};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::clock::moment;
use crate::db::Conn;
use crate::domain::postgres_url::PostgresUrl;
use crate::domain::target::Target;
use crate::error::Fault;

/// How long a request waits for a connection, and a SQLite writer for its turn: in this server's line, and after it for other processes.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How long a PostgreSQL host may take to answer, where the URL does not say it.
#[cfg(feature = "postgres")]
const TIME_OF_HOST: Duration = Duration::from_secs(5);

/// The same where there are several hosts. One that is down or cut off is asked before the next each time that a connection is opened, and whoever waits
/// for that has [`PATIENCE`]. libpq takes no less.
const TIME_OF_ONE_HOST_OF_SEVERAL: Duration = Duration::from_secs(2);

/// How long it waits before it tries again by itself.
const BREATH: Duration = Duration::from_millis(10);

/// For how long a connection that was just opened or asked is taken to live. Whoever asks each time pays for it with a trip; whoever asks
/// more seldom hands out for longer what has died or been cut off.
const ASSUMED_ALIVE: Duration = Duration::from_millis(500);

/// Pages of a SQLite file that a connection keeps in memory once it has read them, in KiB.
const CACHE_KIB: u32 = 8 * 1024;

/// The same for the connection that codes have to themselves: it looks up anybody, in no order. Not more: in a file under 1 GiB most commits walk
/// over all of it, since SQLite swaps pages by way of a number beyond the end.
const CACHE_OF_CODES_KIB: u32 = 32 * 1024;

/// How many pages SQLite's log holds before a commit copies them to their places. Whoever comes meanwhile waits, so the fewer the better for nearly
/// everybody; the more, the fewer are copied twice.
const LOG_PAGES: u32 = 500;

/// Opens connections for the pool; only [`Database`] makes one.
#[derive(Clone, Debug)]
pub(super) struct Opener {
    target: Target,
    /// Of a PostgreSQL; more than one where that is not known.
    hosts: usize,
    is_for_codes: bool,
}

impl Opener {
    pub(super) fn of(target: Target) -> Self {
        let hosts = match &target {
            Target::Postgres(url) => {
                PostgresUrl::parse(url).map_or(1, |url| url.destination(variable).hosts())
            }
            Target::Sqlite(_) => 1,
        };
        Self { target, hosts, is_for_codes: false }
    }

    const fn has_several_hosts(&self) -> bool {
        self.hosts > 1
    }

    /// How long somebody waits for a connection: until the last host has answered, though none before it did.
    fn patience(&self) -> Duration {
        let of_all =
            TIME_OF_ONE_HOST_OF_SEVERAL.saturating_mul(u32::try_from(self.hosts).unwrap_or(u32::MAX));
        if self.has_several_hosts() { PATIENCE.max(of_all) } else { PATIENCE }
    }

    /// Whether a connection stays though nobody has used it for a while, or it is old: the codes' where there are several hosts. To open one
    /// takes as long as the hosts that do not answer, and each use asks whether it still takes changes. With one host nothing asks: a name may
    /// have come to mean another machine.
    const fn is_to_be_kept(&self) -> bool {
        self.is_for_codes && self.has_several_hosts()
    }

    const fn cache_kib(&self) -> u32 {
        if self.is_for_codes { CACHE_OF_CODES_KIB } else { CACHE_KIB }
    }

    pub(super) fn open(&self) -> Result<Conn, ConnectionError> {
        match &self.target {
            Target::Sqlite(path) => open_sqlite(path, self.cache_kib()).map(Conn::Sqlite),
            #[cfg(feature = "postgres")]
            Target::Postgres(url) => open_postgres(url, self.is_for_codes).map(Conn::Postgres),
            #[cfg(not(feature = "postgres"))]
            Target::Postgres(_) => Err(ConnectionError::BadConnection("built without PostgreSQL".into())),
        }
    }
}

impl Opener {
    /// A connection that changes nothing: neither rows nor files, nor how the file is kept. What others write meanwhile it sees at the next statement.
    pub(super) fn open_to_look(&self) -> Result<Conn, ConnectionError> {
        match &self.target {
            Target::Sqlite(path) => look_at_sqlite(path).map(Conn::Sqlite),
            #[cfg(feature = "postgres")]
            Target::Postgres(url) => {
                let mut conn = open_postgres(url, false)?;
                conn.batch_execute("SET default_transaction_read_only = on")
                    .map_err(ConnectionError::CouldntSetupConfiguration)?;
                Ok(Conn::Postgres(conn))
            }
            #[cfg(not(feature = "postgres"))]
            Target::Postgres(_) => self.open(),
        }
    }
}

/// The log beside a SQLite file; it is there as long as anybody has the file open.
pub(super) fn log_of(path: &Path) -> PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// A reader like others makes the files beside it where nobody has it open, and cannot take them away. Then nobody is writing, and the file alone
/// says everything.
fn look_at_sqlite(path: &Path) -> Result<SqliteConnection, ConnectionError> {
    let mut conn = open_to_read(path, !log_of(path).exists())?;
    let patience = PATIENCE.as_millis();
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = {patience}; PRAGMA query_only = ON; PRAGMA trusted_schema = OFF"
    ))
    .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// A SQLite file that this connection does not change. `is_alone`: nobody else writes to it either, so it is not locked, and no file is made beside it.
pub(super) fn open_to_read(path: &Path, is_alone: bool) -> Result<SqliteConnection, ConnectionError> {
    let unusable = |reason: &str| ConnectionError::BadConnection(reason.to_owned());
    let absolute = std::path::absolute(path).map_err(|error| unusable(&error.to_string()))?;
    let encoded = absolute.to_str().ok_or_else(|| unusable("the path is not UTF-8"))?;
    let encoded = utf8_percent_encode(encoded, NON_ALPHANUMERIC);
    let immutable = if is_alone { "&immutable=1" } else { "" };
    SqliteConnection::establish(&format!("file:{encoded}?mode=ro{immutable}"))
}

/// One of libpq's own variables, which it reads at every connection.
#[expect(clippy::disallowed_methods, reason = "they are libpq's settings and not ours")]
fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// The URL with what must hold unless the operator says otherwise.
///
/// 1. A server that hangs must not hang its callers: every wait has an end.
/// 2. Another machine is spoken to by TLS, and must show a certificate for its name. libpq's own default takes whatever answers.
/// 3. Of several hosts, the one that can write.
#[cfg(feature = "postgres")]
fn with_defaults(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, &'static str> {
    let url = PostgresUrl::parse(text).ok_or("the database's URL cannot be read")?;
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let destination = url.destination(&variable);
    let mut defaults =
        vec![("keepalives_idle", "10"), ("keepalives_interval", "5"), ("tcp_user_timeout", "10000")];
    let time_of_host =
        if destination.has_several_hosts() { TIME_OF_ONE_HOST_OF_SEVERAL } else { TIME_OF_HOST };
    let time_of_host = time_of_host.as_secs().to_string();
    if !is_set("PGCONNECT_TIMEOUT") {
        defaults.insert(0, ("connect_timeout", &time_of_host));
    }
    // What is added here would take the place of what the service's file says, and its word counts before a variable's.
    if destination.is_by_service() && !url.has("sslmode") {
        return Err("a service says where it is: then the URL must say sslmode, verify-full if you can");
    }
    if destination.leaves_the_machine() && !is_set("PGSSLMODE") && !url.has("sslmode") {
        defaults.push(("sslmode", "verify-full"));
        let authorities = AUTHORITIES.iter().find(|file| Path::new(file).is_file());
        if let (Some(file), false) = (authorities, is_set("PGSSLROOTCERT")) {
            defaults.push(("sslrootcert", file));
        }
    }
    if destination.has_several_hosts() && !is_set("PGTARGETSESSIONATTRS") {
        defaults.push(("target_session_attrs", "read-write"));
    }
    let mut text = text.to_owned();
    for (name, value) in defaults.into_iter().filter(|(name, _)| !url.has(name)) {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.extend([name, "=", value]);
    }
    Ok(text)
}

/// Where systems keep the certificates of the authorities that they trust: Debian, Fedora, Alpine.
#[cfg(feature = "postgres")]
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// A commit that was answered must be on the disk, whatever the server's default; a stricter default (`remote_write`, `remote_apply`)
/// stays.
///
/// What nearly all codes ask finds rows by their keys, so one plan is good for all. PostgreSQL would often make a new one each time, which can take
/// longer than the statement: it takes arrays for longer than they are.
#[cfg(feature = "postgres")]
fn open_postgres(url: &str, is_for_codes: bool) -> Result<diesel::pg::PgConnection, ConnectionError> {
    let refused = |reason: &str| ConnectionError::BadConnection(reason.to_owned());
    let limited = with_defaults(url, variable).map_err(refused)?;
    let mut conn = diesel::pg::PgConnection::establish(&limited)?;
    conn.batch_execute(
        "SET statement_timeout = '10s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '30s'; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') IN ('off', 'local')",
    )
    .map_err(ConnectionError::CouldntSetupConfiguration)?;
    if is_for_codes {
        conn.batch_execute("SET plan_cache_mode = force_generic_plan")
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
    }
    Ok(conn)
}

/// WAL lets readers go on beside the writer. `synchronous=FULL`: with NORMAL a power loss could take back a commit whose code was
/// already answered, and the code would count again.
fn open_sqlite(path: &Path, cache_kib: u32) -> Result<SqliteConnection, ConnectionError> {
    let path = path.to_str().ok_or_else(|| ConnectionError::BadConnection("the path is not UTF-8".into()))?;
    let mut conn = SqliteConnection::establish(path)?;
    begin_log(&mut conn).map_err(ConnectionError::CouldntSetupConfiguration)?;
    let patience = PATIENCE.as_millis();
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = {patience}; PRAGMA synchronous = FULL; \
         PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; \
         PRAGMA cache_size = -{cache_kib}; PRAGMA wal_autocheckpoint = {LOG_PAGES};"
    ))
    .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// Sees to it that the file has a log. It has to be waited for here: of two that begin the log of a new file at once SQLite tells one at once that
/// it is locked, whatever `busy_timeout` says.
fn begin_log(conn: &mut SqliteConnection) -> QueryResult<()> {
    let is_locked = |error: &Error| matches!(error, Error::DatabaseError(_, info) if info.message() == "database is locked");
    for _ in 0..PATIENCE.as_millis() / BREATH.as_millis() {
        match conn.batch_execute("PRAGMA journal_mode = WAL") {
            Err(error) if is_locked(&error) => thread::sleep(BREATH),
            outcome => return outcome,
        }
    }
    conn.batch_execute("PRAGMA journal_mode = WAL")
}

/// Whether the server takes changes: of several hosts, the one that was the primary may not be it any more. A connection to one that does not
/// is thrown away, and the next one asks all hosts anew.
#[cfg(feature = "postgres")]
fn takes_changes(conn: &mut diesel::pg::PgConnection) -> Result<(), diesel::r2d2::Error> {
    let asked = diesel::dsl::sql::<diesel::sql_types::Text>("current_setting('transaction_read_only')");
    let read_only: String =
        diesel::select(asked).get_result(conn).map_err(diesel::r2d2::Error::QueryError)?;
    if read_only == "off" {
        return Ok(());
    }
    let why = "the server takes no changes any more".to_owned();
    Err(diesel::r2d2::Error::ConnectionError(ConnectionError::BadConnection(why)))
}

/// A connection as the pool keeps it.
pub(super) struct Kept {
    conn: Conn,
    /// When it was opened, or last asked whether it lives.
    known_alive_at: Instant,
}

impl ManageConnection for Opener {
    type Connection = Kept;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Kept, Self::Error> {
        let conn = self.open().map_err(diesel::r2d2::Error::ConnectionError)?;
        Ok(Kept { conn, known_alive_at: moment() })
    }

    /// Before each time that somebody takes a connection, busy or not. Of several hosts it is asked then, too: one that takes no changes any more would go
    /// on to say what was so before.
    fn is_valid(&self, kept: &mut Kept) -> Result<(), Self::Error> {
        if kept.known_alive_at.elapsed() < ASSUMED_ALIVE && !self.has_several_hosts() {
            return Ok(());
        }
        match &mut kept.conn {
            Conn::Sqlite(_) => {}
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) if self.has_several_hosts() => takes_changes(conn)?,
            #[cfg(feature = "postgres")]
            Conn::Postgres(conn) => conn.ping().map_err(diesel::r2d2::Error::QueryError)?,
        }
        kept.known_alive_at = moment();
        Ok(())
    }

    fn has_broken(&self, kept: &mut Kept) -> bool {
        thread::panicking() || kept.conn.is_broken()
    }
}

/// A connection out of the pool, which goes back there when this is dropped.
pub struct Lent(PooledConnection<Opener>);

impl Deref for Lent {
    type Target = Conn;

    fn deref(&self) -> &Conn {
        &self.0.conn
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Conn {
        &mut self.0.conn
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

/// The way to the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// It does not leave this machine.
    Here,
    /// The server must show a certificate for its name.
    Verified,
    /// The server must show a certificate of a known authority, for whatever name.
    OfKnownAuthority,
    /// Whoever answers is believed.
    Unverified,
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

fn pool(opener: Opener, size: u32, patience: Duration) -> Pool<Opener> {
    let mut builder = Pool::builder()
        .max_size(size)
        .min_idle(Some(0))
        .connection_timeout(patience)
        .error_handler(Box::new(diesel::r2d2::NopErrorHandler));
    if opener.is_to_be_kept() {
        builder = builder.idle_timeout(None).max_lifetime(None);
    }
    builder.build_unchecked(opener)
}

impl Database {
    /// Connections of a server that no request waits for: housekeeping has one now and then, and whoever sends the mails.
    pub const ASIDE: u32 = 2;

    /// A pool of up to `size` connections, none of which is opened before it is wanted.
    pub fn new(target: Target, size: u32, patience: Option<Duration>) -> Self {
        let opener = Opener::of(target.clone());
        let patience = patience.unwrap_or_else(|| opener.patience());
        Self { pool: pool(opener, size, patience), target, file: Arc::default() }
    }

    /// The same database by one connection that nobody else takes: however busy the others are, codes do not wait for one.
    #[must_use]
    pub fn for_codes(&self) -> Self {
        let opener = Opener { is_for_codes: true, ..Opener::of(self.target.clone()) };
        let patience = self.pool.connection_timeout();
        Self { pool: pool(opener, 1, patience), target: self.target.clone(), file: Arc::clone(&self.file) }
    }

    /// How many of the connections requests may have at once.
    pub fn for_requests(&self) -> u32 {
        self.pool.max_size().saturating_sub(Self::ASIDE).max(1)
    }

    /// Whether somebody has the SQLite file open, or had it open to the last moment: its log is there.
    pub fn has_log(&self) -> bool {
        matches!(&self.target, Target::Sqlite(path) if log_of(path).exists())
    }

    /// How connections to another machine are protected, as far as URL and variables say.
    pub fn route(&self) -> Route {
        let Target::Postgres(text) = &self.target else { return Route::Here };
        let Some(url) = PostgresUrl::parse(text) else { return Route::Here };
        if !url.destination(variable).leaves_the_machine() {
            return Route::Here;
        }
        let mode = url.parameter("sslmode").or_else(|| variable("PGSSLMODE").filter(|mode| !mode.is_empty()));
        match mode.as_deref() {
            None | Some("verify-full") => Route::Verified,
            Some("verify-ca") => Route::OfKnownAuthority,
            Some(_) => Route::Unverified,
        }
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
    pub fn connection(&self) -> Result<Lent, Fault> {
        if let Target::Sqlite(path) = &self.target {
            let gone = || Fault::Database(format!("the database file {} is gone", path.display()));
            let present = FileIdentity::of(path).ok_or_else(gone)?;
            if *self.file.get_or_init(|| present) != present {
                let what = format!("the database file {} was replaced; restart the server", path.display());
                return Err(Fault::Database(what));
            }
        }
        self.pool.get().map(Lent).map_err(|error| Fault::Database(error.to_string()))
    }
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::{Opener, with_defaults};
    use crate::domain::target::Target;

    fn complete(text: &str) -> String {
        with_defaults(text, |_| None).expect(text)
    }

    fn complete_with(text: &str, known: (&str, &str)) -> String {
        with_defaults(text, |name| (name == known.0).then(|| known.1.to_owned())).expect(text)
    }

    #[test]
    fn another_machine_must_show_who_it_is() {
        assert!(complete("postgres://ada@db.example/cs").contains("&sslmode=verify-full"));
        assert!(complete("postgres://localhost,db.example/cs").contains("&sslmode=verify-full"));
        assert!(!complete("postgres://localhost/cs").contains("sslmode"));
        assert!(!complete("postgres:///cs?host=/run/postgresql").contains("sslmode"));
        // What the operator says stands, in the URL or in libpq's own variable.
        assert!(!complete("postgres://db.example/cs?sslmode=require").contains("verify-full"));
        let by_variable = complete_with("postgres://db.example/cs", ("PGSSLMODE", "require"));
        assert!(!by_variable.contains("sslmode"), "{by_variable}");
        let own = complete("postgres://db.example/cs?sslrootcert=/own.pem");
        assert!(own.contains("sslmode=verify-full") && own.matches("sslrootcert").count() == 1, "{own}");
        // It makes no difference where it is said which machine.
        assert!(complete_with("postgres:///cs", ("PGHOST", "db.example")).contains("sslmode=verify-full"));
        assert!(complete("postgres://localhost/cs?hostaddr=10.0.0.7").contains("sslmode=verify-full"));
        let by_address = complete_with("postgres://localhost/cs", ("PGHOSTADDR", "10.0.0.7"));
        assert!(by_address.contains("sslmode=verify-full"), "{by_address}");
    }

    #[test]
    fn a_service_leaves_it_to_the_url_how_it_is_protected() {
        let refused = with_defaults("postgres:///cs?service=main", |_| None).expect_err("who knows where");
        assert!(refused.contains("sslmode"), "{refused}");
        let by_variable = |text| {
            with_defaults(text, |name| match name {
                "PGSERVICE" => Some("main".to_owned()),
                "PGSSLMODE" => Some("verify-full".to_owned()),
                _ => None,
            })
        };
        assert!(by_variable("postgres://localhost/cs").is_err(), "the service's word would count");
        let said = by_variable("postgres:///cs?sslmode=verify-ca").expect("a URL");
        assert!(!said.contains("verify-full") && !said.contains("sslrootcert"), "{said}");
        assert!(said.contains("target_session_attrs=read-write"), "{said}");
    }

    #[test]
    fn of_several_hosts_the_one_that_writes_is_wanted() {
        assert!(
            complete("postgres://localhost:1,localhost:2/cs").contains("target_session_attrs=read-write")
        );
        assert!(!complete("postgres://localhost/cs").contains("target_session_attrs"));
        assert!(
            complete_with("postgres:///cs", ("PGHOST", "a,b")).contains("target_session_attrs=read-write")
        );
        let own = complete("postgres://a,b/cs?target_session_attrs=primary");
        assert_eq!(own.matches("target_session_attrs").count(), 1, "{own}");
        // Every wait has an end, and what was given comes first.
        assert!(
            own.starts_with("postgres://a,b/cs?target_session_attrs=primary&connect_timeout=2&"),
            "{own}"
        );
    }

    #[test]
    fn a_host_that_does_not_answer_leaves_time_for_the_next() {
        assert!(complete("postgres://localhost/cs").contains("connect_timeout=5"));
        assert!(complete("postgres://a,b/cs").contains("connect_timeout=2"));
        assert!(!complete("postgres://a,b/cs?connect_timeout=9").contains("connect_timeout=2"));
        assert!(!complete_with("postgres://a,b/cs", ("PGCONNECT_TIMEOUT", "9")).contains("connect_timeout"));
        let patience = |url: &str| Opener::of(Target::Postgres(url.to_owned())).patience().as_secs();
        let all = ["localhost", "a,b", "a,b,c", "a,b,c,d,e,f"]
            .map(|hosts| patience(&format!("postgres://{hosts}/cs")));
        assert_eq!(all, [5, 5, 6, 12]);
    }
}
