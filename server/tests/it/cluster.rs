//! A PostgreSQL cluster of the tests' own, in a temporary folder, reached by a socket file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use countersign::db::Database;
use countersign::domain::target::Target;
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};

static SOCKETS: OnceLock<PathBuf> = OnceLock::new();

/// A migrated database that all others are copied from.
const TEMPLATE: &str = "migrated";

/// The running cluster; dropping it ends it.
pub struct Cluster {
    server: Child,
    _folder: tempfile::TempDir,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Starts the cluster. PostgreSQL refuses to run as root, so there it runs as the user `postgres`. It ends with the calling thread, however
/// that ends.
pub fn start() -> Cluster {
    let folder = tempfile::Builder::new().prefix("cs-pg-").tempdir().unwrap();
    let programs = programs();
    let owner = is_root().then_some("postgres");
    if let Some(owner) = owner {
        run(Command::new("chown").args([owner, folder.path().to_str().unwrap()]));
    }
    let data = folder.path().join("data");
    run(as_user(owner, &programs.join("initdb"))
        .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
        .arg(&data));
    let mut server = as_user(owner, &programs.join("postgres"))
        .arg("-D")
        .arg(&data)
        .arg("-k")
        .arg(folder.path())
        // Commits need not survive the machine, only the server's processes. Hundreds of databases with next to nothing in them need no
        // cleaning.
        .args(["-c", "listen_addresses=", "-c", "max_connections=400"])
        .args(["-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(folder.path().join("log")).unwrap())
        .spawn()
        .unwrap();
    SOCKETS.set(folder.path().to_owned()).unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while PgConnection::establish(&url("postgres")).is_err() {
        let log = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        assert!(server.try_wait().unwrap().is_none(), "PostgreSQL ended: {}", log());
        assert!(Instant::now() < deadline, "PostgreSQL did not start within a minute: {}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    create_database(TEMPLATE, "template1");
    Database::new(Target::Postgres(url(TEMPLATE)), 1, None).prepare().unwrap();
    Cluster { server, _folder: folder }
}

/// The URL of a new database with the tables in it.
pub fn migrated_database() -> String {
    new_database(TEMPLATE)
}

/// The URL of a new empty database.
pub fn empty_database() -> String {
    new_database("template1")
}

fn new_database(template: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    create_database(&name, template);
    url(&name)
}

fn create_database(name: &str, template: &str) {
    let mut conn = PgConnection::establish(&url("postgres")).unwrap();
    // Another test may be copying the template at this moment, which PostgreSQL refuses; it takes some milliseconds.
    for _ in 0..200 {
        match conn.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}")) {
            Ok(()) => return,
            Err(error) if error.to_string().contains("being accessed") => {
                std::thread::sleep(Duration::from_millis(25));
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the database {name} could not be created");
}

fn url(database: &str) -> String {
    let folder = SOCKETS.get().expect("main starts the cluster").display();
    format!("postgres:///{database}?host={folder}&user=postgres")
}

/// Where initdb and postgres are; Debian keeps them off the path.
pub fn programs() -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"));
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut candidates: Vec<PathBuf> = installed.collect();
    candidates.sort();
    candidates.reverse();
    candidates.extend(std::env::split_paths(&on_path));
    candidates
        .into_iter()
        .find(|folder| folder.join("initdb").is_file() && folder.join("postgres").is_file())
        .expect("PostgreSQL is installed: initdb and postgres (Debian: apt-get install postgresql)")
}

pub fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// The program as another user, ended with its parent.
pub fn as_user(user: Option<&str>, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if let Some(user) = user {
        command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
    }
    command.arg("--").arg(program).current_dir("/");
    command
}

pub fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
