//! PostgreSQL as operators of many servers run it: reached over TLS, and as a primary with a synchronous standby that takes its place.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _};

use crate::cluster::{as_user, is_root, programs, run};
use crate::process::{Installation, Story, soon};
use crate::{Backend, tests};

tests![
    another_machine_is_spoken_to_by_tls_and_its_certificate_is_checked,
    a_failover_loses_nothing_that_was_answered,
];

/// A PostgreSQL server on a free port of loopback; ends with this value, and with the thread that started it.
struct Node {
    server: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Node {
    /// A new one, with whatever `more` settings.
    fn new(more: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let folder = folder();
        let make =
            ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"];
        run(as_owner("initdb").args(make).arg(folder.path().join("data")));
        prepare(folder.path());
        Self::start(folder, more)
    }

    /// One that follows another.
    fn standby_of(primary: &Self) -> Self {
        let folder = folder();
        let port = primary.port.to_string();
        let copy = [
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-U",
            "postgres",
            "-R",
            "-X",
            "stream",
            "--no-sync",
            "-c",
            "fast",
            "-D",
        ];
        run(as_owner("pg_basebackup").args(copy).arg(folder.path().join("data")));
        Self::start(folder, &[])
    }

    fn start(folder: tempfile::TempDir, more: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = as_owner("postgres");
        command.arg("-D").arg(folder.path().join("data")).arg("-k").arg(folder.path());
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", &format!("port={port}")]);
        for setting in more {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let node = Self { server, folder, port };
        soon(|| node.try_connection());
        node
    }

    fn try_connection(&self) -> Option<PgConnection> {
        PgConnection::establish(&format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)).ok()
    }

    fn batch(&self, sql: &str) {
        self.try_connection().unwrap().batch_execute(sql).unwrap();
    }

    fn text(&self, sql: &str) -> Option<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            found: String,
        }
        let rows: Vec<Row> = diesel::sql_query(sql).load(&mut self.try_connection()?).ok()?;
        rows.into_iter().next().map(|row| row.found)
    }

    /// As if its machine had lost its power: whoever talks to it hears nothing more that counts.
    fn crash(mut self) {
        // The children notice that their parent is gone, and end.
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        soon(|| self.try_connection().is_none().then_some(()));
    }

    fn promote(&self) {
        run(as_owner("pg_ctl").args(["promote", "-w", "-D"]).arg(self.folder.path().join("data")));
    }
}

/// PostgreSQL refuses to run as root, so there it is the user `postgres`.
fn owner() -> Option<&'static str> {
    is_root().then_some("postgres")
}

fn as_owner(program: &str) -> Command {
    as_user(owner(), &programs().join(program))
}

/// A folder that the owner may write.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("cs-pg-").tempdir().unwrap();
    hand_over(folder.path());
    folder
}

fn hand_over(path: &Path) {
    if let Some(owner) = owner() {
        run(Command::new("chown").args([owner, path.to_str().unwrap()]));
    }
}

/// A certificate for a name, which stands for its own authority.
fn certificate(folder: &Path, name: &str) -> rcgen::CertifiedKey<rcgen::KeyPair> {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    fs::write(folder.join(format!("{name}.pem")), made.cert.pem()).unwrap();
    made
}

fn another_machine_is_spoken_to_by_tls_and_its_certificate_is_checked(_: Backend) {
    let own = tempfile::tempdir().unwrap();
    let made = certificate(own.path(), "db.example");
    certificate(own.path(), "other.example");
    let node = Node::new(&["ssl=on"], |folder| {
        for (name, text) in
            [("server.crt", made.cert.pem()), ("server.key", made.signing_key.serialize_pem())]
        {
            let file = folder.join("data").join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            hand_over(&file);
        }
    });
    // The name is another machine's, whatever its address.
    let url = |name: &str, more: &str| {
        format!("postgres://postgres:hush@{name}:{}/postgres?hostaddr=127.0.0.1{more}", node.port)
    };
    let authority = |name: &str| format!("&sslrootcert={}", own.path().join(format!("{name}.pem")).display());

    let mut installation = Installation::on(&url("db.example", &authority("db.example")));
    installation.run(&["user", "add", "alice"]);
    for (name, more) in [
        // An authority that did not sign it; none, where the machine's count; the right one and another name.
        ("db.example", authority("other.example")),
        ("db.example", String::new()),
        ("elsewhere.example", authority("db.example")),
    ] {
        installation.database = url(name, &more);
        let refusal = installation.refused(&["user", "list"]);
        assert!(refusal.contains("certificate"), "{refusal}");
        assert!(!refusal.contains("hush"), "{refusal}");
    }
    // What the operator says in so many words stands.
    for word in ["&sslmode=require", "&sslmode=disable"] {
        installation.database = url("elsewhere.example", word);
        assert!(installation.run(&["user", "list"]).contains("alice"));
    }
}

fn a_failover_loses_nothing_that_was_answered(_: Backend) {
    let primary = Node::new(&[], |_| {});
    let standby = Node::standby_of(&primary);
    primary.batch("ALTER SYSTEM SET synchronous_standby_names = '*'");
    primary.batch("SELECT pg_reload_conf()");
    soon(|| {
        let state = primary.text("SELECT sync_state AS found FROM pg_stat_replication")?;
        (state == "sync").then_some(())
    });
    // The one that takes no changes stands first, and is passed over.
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", standby.port, primary.port);
    let installation = Installation::on(&format!("postgres://postgres@{hosts}/postgres"));
    let server = installation.serve();
    let story = Story::begin(&installation);
    let (spent, unspent) = (story.code(0), story.code(1));
    let (status, reply) = server.otp(&story.client, "alice", &spent);
    assert_eq!(status, 200, "{reply}");
    let token = reply["access_token"].as_str().unwrap().to_owned();

    primary.crash();
    let (status, reply) = server.otp(&story.client, "alice", &unspent);
    assert_eq!((status, reply.get("access_token")), (503, None), "{reply}");
    standby.promote();
    // The server finds the new primary by itself. The code that met nobody is still good, once.
    soon(|| {
        let (status, reply) = server.otp(&story.client, "alice", &unspent);
        assert!([200, 503].contains(&status), "{status} {reply}");
        (status == 200).then_some(())
    });
    for code in [&spent, &unspent] {
        assert_eq!(server.otp(&story.client, "alice", code).0, 400, "what was accepted stays accepted");
    }
    let text = |name: &str| story.client[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    let fields = [("token", token.as_str()), ("client_id", id.as_str()), ("client_secret", secret.as_str())];
    assert_eq!(server.post("/oauth/introspect", &fields).1["active"], true, "and so do its tokens");
    assert_eq!(installation.json(&["audit", "verify"])["intact"], true);
}
