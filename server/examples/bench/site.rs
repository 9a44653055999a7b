//! What is measured: the program itself on a database of its own in a temporary folder, with people in it. All of it ends with its value.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign::app;
use countersign::app::context::{At, Service};
use countersign::clock::Clock;
use countersign::crypto::master_key::MasterKey;
use countersign::crypto::seal::Place;
use countersign::db::{Conn, Database};
use countersign::domain::audit::Origin;
use countersign::domain::id::FactorId;
use countersign::domain::target::Target;
use diesel::RunQueryDsl as _;
use diesel::connection::SimpleConnection as _;
use diesel::sql_types::{Array, BigInt, Binary};
use mobile_core::{Secret, Totp};
use serde_json::Value;

use crate::Tried;

/// Which database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

/// A child process; ends with this value.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Starts a program that says `listening on URL` when it is ready; returns the URL, too.
    pub(crate) fn listening(mut command: Command) -> Tried<(Self, String)> {
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let process = Self(process);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let url = line.trim().strip_prefix("listening on ").ok_or("it did not start")?.to_owned();
        Ok((process, url))
    }
}

/// How many files of PostgreSQL's write-ahead log, 16 MB each, are there before anything is measured.
const LOG_FILES: usize = 128;

/// A PostgreSQL cluster with durable commits. It refuses to run as root, so there it runs as the user `postgres`.
pub(crate) struct Cluster {
    server: Process,
    folder: tempfile::TempDir,
}

impl Cluster {
    pub(crate) fn start() -> Tried<Self> {
        let folder = tempfile::Builder::new().prefix("cs-bench-pg-").tempdir()?;
        let programs = programs()?;
        let is_root = Command::new("id").arg("-u").output()?.stdout.trim_ascii() == b"0";
        let owner = is_root.then_some("postgres");
        if let Some(owner) = owner {
            finish(Command::new("chown").arg(owner).arg(folder.path()))?;
        }
        let data = folder.path().join("data");
        let settings = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D"];
        finish(as_user(owner, &programs.join("initdb")).args(settings).arg(&data))?;
        let mut command = as_user(owner, &programs.join("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(folder.path());
        command.args(["-c", "listen_addresses=", "-c", "max_connections=100", "-c", "shared_buffers=1GB"]);
        command.args(["-c", "max_wal_size=4GB", "-c", "checkpoint_timeout=15min"]);
        // All of them stay.
        command.arg("-c").arg(format!("min_wal_size={}MB", LOG_FILES * 16));
        let log = fs::File::create(folder.path().join("log"))?;
        let server = Process(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?);
        let cluster = Self { server, folder };
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = cluster.connection("postgres") {
            if Instant::now() > deadline {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster.have_log_files()?;
        Ok(cluster)
    }

    /// Fills [`LOG_FILES`] of the write-ahead log's files and gives them back, to be written again: as it is wherever PostgreSQL has run for longer than
    /// its first checkpoints. While it has none left over, whoever commits at the end of one makes the next, and everybody waits for that.
    fn have_log_files(&self) -> Tried<()> {
        let mut conn = self.connection("postgres")?;
        for _ in 0..LOG_FILES {
            conn.batch_execute("SELECT pg_logical_emit_message(true, 'bench', 'a file more')")?;
            conn.batch_execute("SELECT pg_switch_wal()")?;
        }
        Ok(conn.batch_execute("CHECKPOINT")?)
    }

    pub(crate) fn id(&self) -> u32 {
        self.server.id()
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.folder.path().display())
    }

    pub(crate) fn connection(&self, database: &str) -> Tried<diesel::PgConnection> {
        Ok(diesel::Connection::establish(&self.url(database))?)
    }
}

/// Where PostgreSQL's programs are.
pub(crate) fn programs() -> Tried<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let has_all = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    folders.into_iter().find(has_all).ok_or_else(|| "initdb and postgres are not installed".into())
}

/// The program as another user, ended with its parent.
fn as_user(user: Option<&str>, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command.arg("--").arg(program).current_dir("/");
    command
}

fn finish(command: &mut Command) -> Tried<()> {
    let output = command.output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

/// A database with people, and the keys to it.
pub(crate) struct Site {
    pub(crate) kind: Kind,
    binary: PathBuf,
    folder: tempfile::TempDir,
    /// Its URL.
    pub(crate) database: String,
    /// The server's PostgreSQL, for counting its time.
    pub(crate) cluster: Option<u32>,
    pub(crate) people: u32,
    /// How long it took to add them.
    pub(crate) filled_in: Duration,
}

impl Site {
    pub(crate) fn new(binary: &Path, cluster: Option<&Cluster>, name: &str, people: u32) -> Tried<Self> {
        let folder = tempfile::Builder::new().prefix("cs-bench-").tempdir()?;
        let master_file = folder.path().join("master.key");
        MasterKey::generate().write_new(&master_file)?;
        let (kind, database) = match cluster {
            None => (Kind::Sqlite, format!("sqlite://{}", folder.path().join("countersign.db").display())),
            Some(cluster) => {
                cluster.connection("postgres")?.batch_execute(&format!("CREATE DATABASE {name}"))?;
                (Kind::Postgres, cluster.url(name))
            }
        };
        let mut site = Self {
            kind,
            binary: binary.to_owned(),
            folder,
            database,
            cluster: cluster.map(Cluster::id),
            people,
            filled_in: Duration::ZERO,
        };
        let start = Instant::now();
        site.fill(&master_file)?;
        site.filled_in = start.elapsed();
        Ok(site)
    }

    fn target(&self) -> Tried<Target> {
        Target::parse(&self.database).map_err(|invalid| invalid.to_string().into())
    }

    /// Adds the people past all use cases, each with an active authenticator, a thousand at a time.
    fn fill(&self, master_file: &Path) -> Tried<()> {
        let target = self.target()?;
        let database = Database::new(target.clone(), 1, None);
        database.prepare()?;
        let mut conn = database.connection()?;
        let now = Clock::System.now();
        let master = app::start::unlock(&mut conn, &target, master_file, now)?;
        let service = Service::new(&master, "http://localhost".to_owned(), "Countersign".to_owned(), None);
        app::key::ensure(&service, &mut conn, At::new(now, Origin::COMMAND_LINE))
            .map_err(|stop| format!("{stop:?}"))?;
        let mut first = 0;
        while first < self.people {
            let some = first..(first + 10_000).min(self.people);
            first = some.end;
            let sealed: Vec<Vec<u8>> = some
                .clone()
                .map(|number| {
                    let id = FactorId::from_bytes(&id(number)).ok_or("no id")?;
                    Ok(service.sealer.seal(Place::factor_secret(&id), &secret(number))?)
                })
                .collect::<Tried<_>>()?;
            fill_some(&mut conn, some, sealed)?;
        }
        // Only what has rows: PostgreSQL would take an empty table for one that stays empty.
        for table in ["\"user\"", "factor", "factor_secret", "factor_step"] {
            conn.batch_execute(&format!("ANALYZE {table}"))?;
        }
        Ok(())
    }

    fn arguments(&self, command: &mut Command) {
        command.arg("--data").arg(self.folder.path()).args(["--database", &self.database]);
    }

    /// One more server on this database, and how long it took to start.
    pub(crate) fn serve(&self) -> Tried<Server> {
        let start = Instant::now();
        // What it issues must name where it is, for whoever checks tokens alone.
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let url = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(&self.binary);
        command.args([
            "serve",
            "--log",
            "warn",
            "--public-url",
            &url,
            "--listen",
            &format!("127.0.0.1:{port}"),
        ]);
        self.arguments(&mut command);
        let (process, url) = Process::listening(command)?;
        let address = url.strip_prefix("http://").ok_or("not HTTP")?.parse()?;
        Ok(Server { process, url, address, started_in: start.elapsed() })
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Tried<Value> {
        let mut command = Command::new(&self.binary);
        command.args(arguments).arg("--json");
        self.arguments(&mut command);
        let output = command.output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// An application: its id and secret.
    pub(crate) fn client(&self, name: &str, more: &[&str]) -> Tried<(String, String)> {
        let added = self.command(&[&["client", "add", name, "--token-ttl", "86400"], more].concat())?;
        let text = |name: &str| added[name].as_str().map(str::to_owned).ok_or("no such field");
        Ok((text("client_id")?, text("client_secret")?))
    }

    /// Bytes that the database takes on the disk.
    pub(crate) fn bytes(&self) -> Tried<u64> {
        let database = Database::new(self.target()?, 1, None);
        let mut conn = database.connection()?;
        match &mut *conn {
            Conn::Sqlite(conn) => {
                conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?;
                let file = self.folder.path().join("countersign.db");
                Ok(fs::metadata(file)?.len())
            }
            Conn::Postgres(conn) => {
                let size: Size = diesel::sql_query("SELECT pg_database_size(current_database()) AS bytes")
                    .get_result(conn)?;
                Ok(u64::try_from(size.bytes)?)
            }
        }
    }
}

#[derive(diesel::QueryableByName)]
struct Size {
    #[diesel(sql_type = BigInt)]
    bytes: i64,
}

fn fill_some(conn: &mut Conn, some: std::ops::Range<u32>, sealed: Vec<Vec<u8>>) -> Tried<()> {
    let (first, end) = (i64::from(some.start), i64::from(some.end));
    match conn {
        Conn::Sqlite(conn) => {
            // The sealed secrets come as one blob of equal parts.
            let each = i64::try_from(sealed.first().map_or(0, Vec::len))?;
            conn.batch_execute(&format!(
                "BEGIN;
                 CREATE TEMP TABLE IF NOT EXISTS blob (bytes BLOB); DELETE FROM blob;
                 CREATE TEMP TABLE IF NOT EXISTS n (i INTEGER PRIMARY KEY, id BLOB); DELETE FROM n;
                 WITH RECURSIVE c(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM c WHERE i + 1 < {end})
                 INSERT INTO n SELECT i, unhex(printf('%012x70008000%012x', i, i)) FROM c;
                 INSERT INTO \"user\" (id, name, name_folded, role, state, created_at)
                 SELECT id, printf('person%08d', i), printf('person%08d', i), 'user', 'active', 0 FROM n;
                 INSERT INTO factor (id, user_id, kind, label, algorithm, digits, period_s, state, created_at, confirmed_at)
                 SELECT id, id, 'totp', 'TOTP', 'SHA1', 6, 30, 'active', 0, 0 FROM n;
                 INSERT INTO factor_step (factor_id, last_step) SELECT id, -1 FROM n;"
            ))?;
            diesel::sql_query("INSERT INTO blob VALUES (?)")
                .bind::<Binary, _>(sealed.concat())
                .execute(conn)?;
            conn.batch_execute(&format!(
                "INSERT INTO factor_secret (factor_id, sealed)
                 SELECT id, substr(bytes, (i - {first}) * {each} + 1, {each}) FROM n, blob; COMMIT;"
            ))?;
        }
        Conn::Postgres(conn) => {
            diesel::sql_query(
                "WITH n AS (SELECT decode(lpad(to_hex(i), 12, '0') || '70008000' || lpad(to_hex(i), 12, '0'), 'hex') AS id,
                 'person' || lpad(i::text, 8, '0') AS name, sealed
                 FROM UNNEST($1, $2) AS row (i, sealed)),
                 users AS (INSERT INTO \"user\" (id, name, name_folded, role, state, created_at)
                 SELECT id, name, name, 'user', 'active', 0 FROM n),
                 factors AS (INSERT INTO factor (id, user_id, kind, label, algorithm, digits, period_s, state, created_at, confirmed_at)
                 SELECT id, id, 'totp', 'TOTP', 'SHA1', 6, 30, 'active', 0, 0 FROM n),
                 steps AS (INSERT INTO factor_step (factor_id, last_step) SELECT id, -1 FROM n)
                 INSERT INTO factor_secret (factor_id, sealed) SELECT id, sealed FROM n",
            )
            .bind::<Array<BigInt>, _>((first..end).collect::<Vec<i64>>())
            .bind::<Array<Binary>, _>(sealed)
            .execute(conn)?;
        }
    }
    Ok(())
}

fn id(number: u32) -> [u8; 16] {
    let text = format!("{number:012x}70008000{number:012x}");
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap_or("0"), 16).unwrap_or_default();
    }
    id
}

/// Everybody's is another one, and no secret: this is a benchmark.
fn secret(number: u32) -> [u8; 20] {
    let mut secret = [0x5a; 20];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    secret
}

/// The phones of all people of a site, and which of their codes were used. They come in an order that no index has.
pub(crate) struct Phones {
    last: Vec<u64>,
    next: usize,
    stride: usize,
    totp: Totp,
}

impl Phones {
    pub(crate) fn of(site: &Site) -> Self {
        let people = site.people as usize;
        // From one to the next goes far, and comes by everybody once before it comes back.
        let shares_no_factor = |stride: &usize| greatest_common_divisor(*stride, people) == 1;
        let stride = (people * 618 / 1000..=people).find(shares_no_factor).unwrap_or(1);
        Self { last: vec![0; people], next: 0, stride, totp: Totp::default() }
    }

    fn advance(&mut self) -> usize {
        let number = self.next;
        self.next = (self.next + self.stride) % self.last.len();
        number
    }

    /// The next code that is good now, from one person after the other: of the step before, this one, the next one. `None` when every
    /// person's are used up.
    pub(crate) fn code(&mut self) -> Option<(String, String)> {
        let now = self.totp.step_at(unix_seconds()).get();
        for _ in 0..self.last.len() {
            let number = self.advance();
            let step = (self.last[number] + 1).max(now - 1);
            if step <= now + 1 {
                self.last[number] = step;
                let index = u32::try_from(number).ok()?;
                let secret = Secret::from_bytes(&secret(index)).ok()?;
                let code = self.totp.code(&secret, mobile_core::Step::new(step));
                return Some((format!("person{index:08}"), code.as_str().to_owned()));
            }
        }
        None
    }

    /// A code that is hardly anybody's, for one person after the other.
    pub(crate) fn wrong(&mut self) -> (String, &'static str) {
        let number = self.advance();
        (format!("person{number:08}"), "000000")
    }
}

const fn greatest_common_divisor(mut one: usize, mut other: usize) -> usize {
    while other > 0 {
        (one, other) = (other, one % other);
    }
    one
}

fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// A running server; ends with this value.
pub(crate) struct Server {
    process: Process,
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) started_in: Duration,
}

impl Server {
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Resident memory now, in MiB.
    pub(crate) fn memory_mib(&self) -> Tried<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
    }
}

/// Seconds of processor time that these processes and their children have used.
pub(crate) fn cpu_seconds(ids: &[u32]) -> f64 {
    let mut ticks = 0;
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name may hold blanks; what is behind its bracket does not.
        let Some((_, rest)) = stat.rsplit_once(')') else { continue };
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let field =
            |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).unwrap_or_default();
        let parent = u32::try_from(field(1)).unwrap_or_default();
        if ids.contains(&id) || ids.contains(&parent) {
            ticks += field(11) + field(12);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "ticks of minutes")]
    let seconds = ticks as f64 / 100.0;
    seconds
}
