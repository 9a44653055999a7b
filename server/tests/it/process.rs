//! The real binary: started, spoken to, killed.

use std::io::{BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mobile_core::{KeyUri, Step, Totp};
use serde_json::Value;

use crate::Backend;

const BINARY: &str = env!("CARGO_BIN_EXE_countersign");

/// A data folder and the settings that lead to it.
pub struct Installation {
    pub folder: tempfile::TempDir,
    pub database: String,
}

impl Installation {
    /// An empty one. On PostgreSQL the master key is made beforehand, as the operator must.
    pub fn new(on: Backend) -> Self {
        let folder = tempfile::Builder::new().prefix("cs-run-").tempdir().unwrap();
        let database = match on {
            Backend::Sqlite => format!("sqlite://{}", folder.path().join("data/countersign.db").display()),
            Backend::Postgres => crate::cluster::empty_database(),
        };
        let installation = Self { folder, database };
        if on != Backend::Sqlite {
            installation.make_master_key();
        }
        installation
    }

    /// One on this database, with a master key of its own.
    pub fn on(database: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("cs-run-").tempdir().unwrap();
        let installation = Self { folder, database: database.to_owned() };
        installation.make_master_key();
        installation
    }

    fn make_master_key(&self) {
        std::fs::create_dir(self.data()).unwrap();
        self.run(&["master-key", "new", self.master_key().to_str().unwrap()]);
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn master_key(&self) -> PathBuf {
        self.data().join("master.key")
    }

    pub fn database_file(&self) -> PathBuf {
        self.data().join("countersign.db")
    }

    /// The command, with nothing of this process's settings in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        self.with_settings(&mut command);
        command.args(arguments);
        command
    }

    /// Gives a command this installation's settings.
    pub fn with_settings(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("COUNTERSIGN_")) {
                command.env_remove(name);
            }
        }
        command
            .env("COUNTERSIGN_DATA", self.data())
            .env("COUNTERSIGN_DATABASE", &self.database)
            .env("COUNTERSIGN_LISTEN", "127.0.0.1:0")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
    }

    /// Runs a command that must succeed; returns its standard output.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The same with `--json`, parsed.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap()
    }

    /// Runs a command that must fail with exit code 1 and one line; returns that line.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str]) -> String {
        refusal(&self.command(arguments).output().unwrap())
    }

    /// Adds a user with this password; `more` are further arguments.
    pub fn add_user(&self, name: &str, password: &str, more: &[&str]) {
        let mut command = self.command(&[&["user", "add", name, "--password-stdin"], more].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        assert!(child.wait().unwrap().success());
    }

    pub fn serve(&self) -> Process {
        Process::start(self.command(&["serve"]))
    }
}

/// The one line of a command that must have failed with exit code 1.
#[track_caller]
pub fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1, "{text}");
    assert!(!text.contains("panicked"), "{text}");
    lines[0].to_owned()
}

/// What `look` finds, as soon as it does: for what another process does by itself.
#[track_caller]
pub fn soon<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some(found) = look() {
            return found;
        }
        // A fast machine exchanges a dozen codes meanwhile.
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("it did not happen");
}

/// A running server.
pub struct Process {
    child: Child,
    output: Mutex<BufReader<ChildStdout>>,
    pub url: String,
    log: Arc<Mutex<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts the command and waits for `listening on`.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut errors = child.stderr.take().unwrap();
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = errors.read(&mut buffer) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ");
        let url = url.unwrap_or_else(|| panic!("{line:?}; {}", log.lock().unwrap())).to_owned();
        Self { child, output: Mutex::new(output), url, log }
    }

    /// As if the power went out.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As a service manager stops it; returns the exit code.
    pub fn terminate(self) -> Option<i32> {
        self.tell_to_stop();
        self.wait()
    }

    /// The first half of [`Self::terminate`].
    pub fn tell_to_stop(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// The second half.
    pub fn wait(mut self) -> Option<i32> {
        let deadline = Instant::now() + Duration::from_secs(40);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not stop");
    }

    /// The next line of its standard output.
    pub fn line(&self) -> String {
        let mut line = String::new();
        self.output.lock().unwrap().read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Posts a form; returns status and JSON.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
        Caller::new(&self.url).post(path, fields).unwrap()
    }

    pub fn get(&self, path: &str) -> u16 {
        Caller::new(&self.url).get(path).unwrap()
    }

    /// The main job.
    pub fn otp(&self, client: &Value, user: &str, code: &str) -> (u16, Value) {
        Caller::new(&self.url).otp(client, user, code).unwrap()
    }

    /// What the server says of a token.
    pub fn introspect(&self, client: &Value, token: &str) -> (u16, Value) {
        Caller::new(&self.url).introspect(client, token).unwrap()
    }
}

/// Somebody who keeps a connection to a server and does without replies that do not come.
pub struct Caller {
    agent: ureq::Agent,
    url: String,
}

impl Caller {
    pub fn new(url: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(1)))
            .build();
        Self { agent: config.new_agent(), url: url.to_owned() }
    }

    /// Posts a form; returns status and JSON.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Option<(u16, Value)> {
        let url = format!("{}{path}", self.url);
        let mut response = self.agent.post(url).send_form(fields.iter().copied()).ok()?;
        let text = response.body_mut().read_to_string().ok()?;
        Some((response.status().as_u16(), serde_json::from_str(&text).unwrap_or_default()))
    }

    pub fn get(&self, path: &str) -> Option<u16> {
        Some(self.agent.get(format!("{}{path}", self.url)).call().ok()?.status().as_u16())
    }

    /// Exchanges a code.
    pub fn otp(&self, client: &Value, user: &str, code: &str) -> Option<(u16, Value)> {
        let grant = "urn:countersign:params:oauth:grant-type:otp";
        self.as_client(client, "/oauth/token", &[("grant_type", grant), ("username", user), ("otp", code)])
    }

    /// Asks what a token is.
    pub fn introspect(&self, client: &Value, token: &str) -> Option<(u16, Value)> {
        self.as_client(client, "/oauth/introspect", &[("token", token)])
    }

    fn as_client(&self, client: &Value, path: &str, fields: &[(&str, &str)]) -> Option<(u16, Value)> {
        let own = ["client_id", "client_secret"].map(|name| (name, client[name].as_str().unwrap()));
        self.post(path, &[fields, &own].concat())
    }
}

/// A user with an active phone and a client, made by the command line.
pub struct Story {
    pub client: Value,
    pub key: KeyUri,
}

impl Story {
    pub fn begin(installation: &Installation) -> Self {
        installation.run(&["user", "add", "alice"]);
        let enrolled = installation.json(&["factor", "enrol", "alice", "--kind", "totp", "--active"]);
        let (key, _) = KeyUri::parse(enrolled["uri"].as_str().unwrap()).unwrap();
        Self { client: shop(installation), key }
    }

    /// The code of a step before or after the one that the system's clock shows.
    pub fn code(&self, offset: i64) -> String {
        code_of(&self.key, offset)
    }
}

/// An application that exchanges codes, made by the command line.
pub fn shop(installation: &Installation) -> Value {
    installation.json(&["client", "add", "shop", "--grant", "urn:countersign:params:oauth:grant-type:otp"])
}

/// What a phone shows so many steps from now.
pub fn code_of(key: &KeyUri, offset: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let totp = Totp::default();
    let step = totp.step_at(now).get().checked_add_signed(offset).unwrap();
    totp.code(key.secret(), Step::new(step)).as_str().to_owned()
}

/// A copy of the binary that other users may run, however private the build folder is.
pub fn public_copy(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let copy = folder.join("countersign");
    std::fs::copy(BINARY, &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    copy
}
