//! PostgreSQL as operators of many servers run it: reached over TLS, and as a primary with a synchronous standby that takes its place.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use countersign::db::{Conn, Database};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, PgConnection, QueryableByName, RunQueryDsl as _};

use crate::actors::{App, Client, Phone, at_once, exchange_all};
use crate::cluster::{as_user, is_root, programs, run};
use crate::crowd::{CALLERS, Crowd, Sent, people, tally, until};
use crate::groups::writers_held_up;
use crate::process::{Installation, Process, Story, refusal, soon};
use crate::{Backend, tests};

tests![
    another_machine_is_spoken_to_by_tls_and_its_certificate_is_checked,
    a_failover_under_load_loses_nothing_that_was_answered,
    a_database_that_goes_and_comes_back_under_load_loses_nothing_that_was_answered,
    connections_that_were_cut_off_are_noticed_before_anybody_gets_them,
    what_codes_ask_is_planned_once,
    a_group_that_waits_for_a_row_holds_up_nobody_else,
    nobody_waits_for_others_to_come_while_a_large_group_is_held_up,
    the_doctor_knows_what_a_server_promises,
    a_host_that_does_not_answer_costs_nobody_a_code,
    a_database_that_has_no_place_for_every_name_is_refused,
];

/// A PostgreSQL server on a free port of loopback; ends with this value, and with the thread that started it.
struct Node {
    server: Server,
    folder: tempfile::TempDir,
    port: u16,
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
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
        Self::start_at(port, folder, more)
    }

    fn start_at(port: u16, folder: tempfile::TempDir, more: &[&str]) -> Self {
        let mut command = as_owner("postgres");
        command.arg("-D").arg(folder.path().join("data")).arg("-k").arg(folder.path());
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", &format!("port={port}")]);
        for setting in more {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let node = Self { server: Server(server), folder, port };
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
        self.text_of("postgres", sql)
    }

    /// What that is in one of its databases.
    fn text_of(&self, database: &str, sql: &str) -> Option<String> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::Text)]
            found: String,
        }
        let url = format!("postgres://postgres@127.0.0.1:{}/{database}", self.port);
        let rows: Vec<Row> = diesel::sql_query(sql).load(&mut PgConnection::establish(&url).ok()?).ok()?;
        rows.into_iter().next().map(|row| row.found)
    }

    /// As if its machine had lost its power: whoever talks to it hears nothing more that counts.
    fn crash(&mut self) {
        // The children notice that their parent is gone, and end.
        self.server.0.kill().unwrap();
        self.server.0.wait().unwrap();
        soon(|| self.try_connection().is_none().then_some(()));
    }

    /// As a service manager stops it: transactions under way are rolled back.
    fn stop(&mut self) {
        run(as_owner("pg_ctl").args(["stop", "-m", "fast", "-D"]).arg(self.folder.path().join("data")));
        self.server.0.wait().unwrap();
    }

    /// On the same port with the same data.
    fn start_again(self) -> Self {
        Self::start_at(self.port, self.folder, &[])
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

/// Gives a server that certificate.
fn with_tls(folder: &Path, made: &rcgen::CertifiedKey<rcgen::KeyPair>) {
    for (name, text) in [("server.crt", made.cert.pem()), ("server.key", made.signing_key.serialize_pem())] {
        let file = folder.join("data").join(name);
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        hand_over(&file);
    }
}

fn another_machine_is_spoken_to_by_tls_and_its_certificate_is_checked(_: Backend) {
    let own = tempfile::tempdir().unwrap();
    let made = certificate(own.path(), "db.example");
    certificate(own.path(), "other.example");
    let node = Node::new(&["ssl=on"], |folder| with_tls(folder, &made));
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
    // It makes no difference that libpq's own variables say which machine it is.
    installation.database = format!("postgres://postgres:hush@:{}/postgres", node.port);
    for name in ["PGHOST", "PGSERVICE"] {
        let mut command = installation.command(&["user", "list"]);
        command.env("PGHOSTADDR", "127.0.0.1").env(name, "db.example");
        let line = refusal(&command.output().unwrap());
        assert!(line.contains("certificate") || line.contains("must say sslmode"), "{line}");
        assert!(!line.contains("hush"), "{line}");
    }
    // What the operator says in so many words stands.
    for word in ["&sslmode=require", "&sslmode=disable"] {
        installation.database = url("elsewhere.example", word);
        assert!(installation.run(&["user", "list"]).contains("alice"));
    }
}

fn a_failover_under_load_loses_nothing_that_was_answered(_: Backend) {
    let mut primary = Node::new(&[], |_| {});
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
    let crowd = Crowd::enrol(&installation, people());
    let (sent, recovered_in) = crowd.log_in(&[&server.url], |exchanged| {
        until(exchanged, people() / 2);
        primary.crash();
        let before = exchanged.load(SeqCst);
        // Whoever only waits for a connection meanwhile would get one to the new primary, and notice nothing.
        soon(|| server.log().contains("could not be answered").then_some(()));
        standby.promote();
        // The server finds the new primary by itself.
        until_more_than(exchanged, before)
    });
    must_have_come_back("failover", &installation, &server, &crowd, &sent, recovered_in);
}

fn a_database_that_goes_and_comes_back_under_load_loses_nothing_that_was_answered(_: Backend) {
    type End = fn(&mut Node);
    for (what, end) in [("stopped", Node::stop as End), ("killed", Node::crash as End)] {
        let mut node = Node::new(&[], |_| {});
        let installation = Installation::on(&format!("postgres://postgres@127.0.0.1:{}/postgres", node.port));
        let server = installation.serve();
        let crowd = Crowd::enrol(&installation, people());
        let (sent, (node, recovered_in)) = crowd.log_in(&[&server.url], |exchanged| {
            until(exchanged, people() / 2);
            end(&mut node);
            let before = exchanged.load(SeqCst);
            // Long enough that everybody is told.
            soon(|| server.log().contains("could not be answered").then_some(()));
            let node = node.start_again();
            (node, until_more_than(exchanged, before))
        });
        must_have_come_back(what, &installation, &server, &crowd, &sent, recovered_in);
        drop(node);
    }
}

fn a_database_that_has_no_place_for_every_name_is_refused(_: Backend) {
    let node = Node::new(&[], |_| {});
    for encoding in ["LATIN1", "SQL_ASCII", "UTF8"] {
        node.batch(&format!(
            "CREATE DATABASE {encoding} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0"
        ));
    }
    let on = |encoding: &str| {
        let name = encoding.to_lowercase();
        Installation::on(&format!("postgres://postgres@127.0.0.1:{}/{name}", node.port))
    };
    let doctor = |installation: &Installation| {
        let output = installation.command(&["doctor", "--json"]).output().unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let checks = document["checks"].as_array().unwrap();
        checks.iter().find(|found| found["check"] == "database_encoding").unwrap()["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let latin = on("LATIN1");
    for command in [&["user", "add", "alice"][..], &["serve"]] {
        let refused = refusal(&latin.command(command).output().unwrap());
        assert!(refused.contains("keeps text as LATIN1") && refused.contains("--encoding=UTF8"), "{refused}");
    }
    assert_eq!(doctor(&latin), "problem");
    let tables =
        node.text_of("latin1", "SELECT count(*)::text AS found FROM pg_tables WHERE schemaname = 'public'");
    assert_eq!(tables.as_deref(), Some("0"), "nothing was made there");
    // Where nothing is turned into anything every name has its place.
    for (encoding, state) in [("SQL_ASCII", "note"), ("UTF8", "ok")] {
        let installation = on(encoding);
        installation.run(&["user", "add", "Ωμέγα 鈴木"]);
        assert!(installation.run(&["user", "show", "ωμέγα 鈴木"]).contains("Ωμέγα 鈴木"));
        assert_eq!(doctor(&installation), state);
    }
    // Nor is it where anything is moved to. From there it is: `it/moving`.
    let good = on("UTF8");
    let moved = good.command(&["move", "--from", &good.database, "--to", &latin.database]).output().unwrap();
    assert!(refusal(&moved).contains("keeps text as LATIN1"), "{moved:?}");
}

/// As where its machine is gone and the network says nothing of it: whoever connects there waits.
fn a_host_that_does_not_answer_costs_nobody_a_code(_: Backend) {
    let node = Node::new(&[], |_| {});
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let installation = Installation::on(&format!(
        "postgres://postgres@127.0.0.1:{silent_port},127.0.0.1:{}/postgres",
        node.port
    ));
    let story = Story::begin(&installation);
    let server = installation.serve();
    let (status, reply) = server.otp(&story.client, "alice", &story.code(0));
    assert_eq!(status, 200, "{reply}");
    assert_eq!(server.introspect(&story.client, reply["access_token"].as_str().unwrap()).1["active"], true);
    // And when connections are opened anew, as after a failover.
    node.batch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()",
    );
    let (status, reply) = server.otp(&story.client, "alice", &story.code(1));
    assert_eq!(status, 200, "{reply}");
}

/// A firewall or an administrator cuts connections while nobody uses them. Whoever asks next is not to hear of it.
fn connections_that_were_cut_off_are_noticed_before_anybody_gets_them(_: Backend) {
    let node = Node::new(&[], |_| {});
    let installation = Installation::on(&format!("postgres://postgres@127.0.0.1:{}/postgres", node.port));
    let story = Story::begin(&installation);
    let server = installation.serve();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    for offset in [0, 1] {
        // Both kinds of connection are there: the codes' own, and that of other requests.
        let (status, reply) = server.otp(&story.client, "alice", &story.code(offset));
        assert_eq!(status, 200, "{reply}");
        let token = reply["access_token"].as_str().unwrap();
        assert_eq!(server.introspect(&story.client, token).1["active"], true);
        node.batch(cut);
        // As long as a connection is taken to live (`db/pool.rs`), and a little more.
        thread::sleep(Duration::from_millis(600));
        assert_eq!(server.introspect(&story.client, token).1["active"], true);
    }
}

/// PostgreSQL takes arrays for longer than they are, and then a new plan each time for the better one. To make it takes longer than the statement.
fn what_codes_ask_is_planned_once(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let people = ["alice", "bob", "carol"].map(|name| {
        app.user(name);
        (app.phone(name), name)
    });
    let mut conn = Database::new(app.place.target.clone(), 1, None).for_codes().connection().unwrap();
    app.operate(|service, _, _| {
        // More often than PostgreSQL tries before it decides.
        for _ in 0..5 {
            for group in [&people[..1], &people[1..]] {
                let codes = group.iter().map(|(phone, name)| shop.asked(name, &phone.code(), None)).collect();
                assert!(exchange_all(service, &mut conn, codes).iter().all(Result::is_ok));
            }
            app.clock.advance(30_000);
        }
        Ok(())
    })
    .unwrap();
    let Conn::Postgres(conn) = &mut *conn else { unreachable!("see `main`") };
    let mut planned = |condition: &str| -> i64 {
        let sql = format!("SELECT count(*) AS found FROM pg_prepared_statements WHERE {condition}");
        diesel::sql_query(sql).get_result::<Count>(conn).unwrap().found
    };
    assert_eq!(planned("custom_plans > 0"), 0);
    assert!(planned("generic_plans > 5") > 4);
}

/// A connection that holds what this user has to pass with a code.
fn row_held(
    app: &App,
    shop: &Client<'_>,
    phone: &Phone,
    name: &str,
) -> impl std::ops::DerefMut<Target = Conn> + use<> {
    // The row is there once its user was at the gate.
    shop.otp(name, &phone.wrong_code()).must_be(400, "invalid_grant");
    let mut holder = app.place.connection();
    holder.batch_execute("BEGIN; SELECT 1 FROM lockout WHERE failures = 1 FOR UPDATE").unwrap();
    holder
}

/// On SQLite one writes at a time, whatever it waits for.
fn a_group_that_waits_for_a_row_holds_up_nobody_else(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let people = app.people(12);
    let ((held, name), others) = people.split_first().unwrap();
    let mut holder = row_held(&app, &shop, held, name);
    thread::scope(|scope| {
        let held_up = scope.spawn(|| shop.otp(name, &held.code()));
        thread::sleep(Duration::from_millis(300));
        // One after the other and all at once.
        let (some, rest) = others.split_at(4);
        for (phone, name) in some {
            shop.otp(name, &phone.code()).access_token();
        }
        let tokens = at_once(rest.len(), |place| {
            let (phone, name) = &rest[place];
            shop.otp(name, &phone.code()).access_token()
        });
        assert_eq!(tokens.len(), rest.len());
        // A second code of the same name waits behind the first.
        let again = scope.spawn(|| shop.otp(name, &held.code()));
        thread::sleep(Duration::from_millis(300));
        assert!(!held_up.is_finished() && !again.is_finished());
        holder.batch_execute("ROLLBACK").unwrap();
        held_up.join().unwrap().access_token();
        again.join().unwrap().must_be(400, "invalid_grant");
    });
}

/// Three are few beside those that the held one has for company, and no reason for the other thread to begin, but for the time that they have waited.
fn nobody_waits_for_others_to_come_while_a_large_group_is_held_up(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let people = app.people(44);
    let (first, rest) = people.split_at(1);
    let (company, others) = rest.split_at(40);
    let (held, name) = &company[0];
    let mut row = row_held(&app, &shop, held, name);
    let mut end_of_log = writers_held_up(&app);
    thread::scope(|scope| {
        let send = |(phone, name): &'_ (Phone, String)| {
            let (shop, code, name) = (&shop, phone.code(), name.clone());
            scope.spawn(move || shop.otp(&name, &code).access_token())
        };
        // While one is held at the log's end the others gather, and go together once it is free.
        let before = send(&first[0]);
        thread::sleep(Duration::from_millis(300));
        let together: Vec<_> = company.iter().map(send).collect();
        thread::sleep(Duration::from_millis(300));
        end_of_log.batch_execute("ROLLBACK").unwrap();
        before.join().unwrap();
        thread::sleep(Duration::from_millis(300));
        for (phone, name) in others {
            shop.otp(name, &phone.code()).access_token();
        }
        assert!(!together[0].is_finished(), "held up all the while");
        row.batch_execute("ROLLBACK").unwrap();
        for one in together {
            drop(one.join().unwrap());
        }
    });
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    found: i64,
}

/// Waits until the next code is exchanged; how long that took.
fn until_more_than(exchanged: &AtomicUsize, before: usize) -> Duration {
    let start = Instant::now();
    until(exchanged, before + 1);
    start.elapsed()
}

/// After a database was away: everybody had an answer, either right or 503, and what was answered with a token is so for good.
#[track_caller]
fn must_have_come_back(
    what: &str,
    installation: &Installation,
    server: &Process,
    crowd: &Crowd,
    sent: &[Sent],
    recovered_in: Duration,
) {
    assert_eq!(sent.len(), crowd.codes().len(), "{}", tally(sent));
    assert!(sent.iter().all(|sent| matches!(sent.status, Some(200 | 400))), "{}", tally(sent));
    assert!(sent.iter().any(|sent| sent.refused_for_now > 0), "nobody noticed: {}", tally(sent));
    let remembered = crowd.must_be_remembered(server, sent);
    // A code is refused only where the answer to its commit was lost, of which there is one group at most.
    assert!(sent.len() - remembered <= CALLERS, "{}", tally(sent));
    assert_eq!(installation.json(&["audit", "verify"])["intact"], true);
    println!(
        "{what} under load: {}; all {remembered} remembered; {recovered_in:.1?} to the next",
        tally(sent)
    );
}

fn the_doctor_knows_what_a_server_promises(_: Backend) {
    let own = tempfile::tempdir().unwrap();
    let made = certificate(own.path(), "db.example");
    let node = Node::new(&["ssl=on", "fsync=on"], |folder| with_tls(folder, &made));
    let url = |host: &str, more: &str| {
        format!("postgres://postgres:hush@{host}:{}/postgres?hostaddr=127.0.0.1{more}", node.port)
    };
    let mut installation = Installation::on(&url("localhost", ""));
    installation.run(&["user", "add", "root", "--role", "admin"]);
    let look = |installation: &Installation| {
        let output = installation.command(&["doctor", "--json"]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains("hush"), "{text}");
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(output.status.success(), document["healthy"] == true);
        let state = |check: &str| {
            let checks = document["checks"].as_array().unwrap();
            let found = checks.iter().find(|found| found["check"] == check).unwrap();
            found["state"].as_str().unwrap().to_owned()
        };
        assert_eq!(state("database_encoding"), "ok");
        let all = ["durability", "connections", "database_tls", "database_clock"].map(state);
        (document["healthy"] == true, all)
    };
    let found = |healthy: bool, states: [&str; 4]| (healthy, states.map(str::to_owned));
    assert_eq!(look(&installation), found(true, ["ok", "ok", "ok", "ok"]));
    let authority = format!("&sslrootcert={}", own.path().join("db.example.pem").display());
    for (more, healthy, state) in [
        (authority.clone(), true, "ok"),
        (format!("{authority}&sslmode=verify-ca"), true, "note"),
        ("&sslmode=require".to_owned(), true, "note"),
        ("&sslmode=disable".to_owned(), false, "problem"),
    ] {
        installation.database = url("db.example", &more);
        assert_eq!(look(&installation), found(healthy, ["ok", "ok", state, "ok"]), "{more}");
    }
    // What our own sessions mend is worth knowing; what they cannot is a problem.
    installation.database = url("localhost", "");
    let mut node = node;
    for (settings, healthy, durability, connections) in [
        (&["synchronous_commit=off", "max_connections=25"][..], true, "note", "ok"),
        (&["full_page_writes=off", "max_connections=22"], false, "problem", "problem"),
    ] {
        node.stop();
        node = Node::start_at(node.port, node.folder, &[&["ssl=on", "fsync=on"], settings].concat());
        assert_eq!(look(&installation), found(healthy, [durability, connections, "ok", "ok"]));
    }
}
