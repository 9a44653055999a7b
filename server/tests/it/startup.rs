//! Starting, stopping, restarting, and everything that can be wrong with the data at a start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use countersign::db::Database;
use countersign::domain::target::Target;
use diesel::RunQueryDsl as _;
use diesel::connection::SimpleConnection as _;

use crate::process::{Installation, Process, Story, public_copy, refusal};
use crate::{Backend, tests};

tests![
    a_new_installation_starts_and_keeps_its_files_private,
    a_code_accepted_before_a_kill_is_refused_after_the_restart,
    a_second_process_on_the_same_database_is_safe,
    commands_work_beside_a_running_server,
    a_newer_database_is_refused,
    a_missing_folder_or_server_is_refused,
    a_lost_database_answers_503_and_never_a_token on Sqlite,
    a_read_only_database_is_refused on Sqlite,
    a_full_disk_answers_503_and_never_a_token on Sqlite,
    a_missing_master_key_is_refused_and_none_made,
    a_wrong_master_key_is_refused,
    without_the_right_master_key_no_database_is_brought_up_to_date,
    a_file_that_is_no_master_key_is_refused,
    processes_that_start_at_once_on_nothing_agree,
    a_server_waits_for_another_that_takes_long_to_bring_the_database_up_to_date on Postgres,
    an_address_in_use_is_refused,
    an_empty_database_gets_a_link_for_the_first_administrator,
];

/// Whether this test is about a SQLite file and nothing else; on PostgreSQL it has nothing to say.
fn is_sqlite(on: Backend) -> bool {
    on == Backend::Sqlite
}

fn a_new_installation_starts_and_keeps_its_files_private(on: Backend) {
    let installation = Installation::new(on);
    let server = installation.serve();
    assert_eq!((server.get("/healthz"), server.get("/readyz")), (200, 200));
    assert_eq!(server.terminate(), Some(0));
    let mut files = vec![installation.master_key()];
    if is_sqlite(on) {
        files.push(installation.database_file());
    }
    for file in files {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.display());
    }
}

fn a_code_accepted_before_a_kill_is_refused_after_the_restart(on: Backend) {
    let installation = Installation::new(on);
    let server = installation.serve();
    let story = Story::begin(&installation);
    let code = story.code(0);
    let (status, reply) = server.otp(&story.client, "alice", &code);
    assert_eq!(status, 200, "{reply}");
    server.kill();

    let server = installation.serve();
    let (status, refused) = server.otp(&story.client, "alice", &code);
    assert_eq!((status, refused["error"].as_str()), (400, Some("invalid_grant")));
    let token = reply["access_token"].as_str().unwrap();
    let known = server.introspect(&story.client, token).1;
    assert_eq!(known["active"], true, "the token outlives the restart");
}

fn a_second_process_on_the_same_database_is_safe(on: Backend) {
    let installation = Installation::new(on);
    let servers = [installation.serve(), installation.serve()];
    let story = Story::begin(&installation);
    // Good for a step at least, whenever this one ends.
    for offset in [0, 1] {
        let code = story.code(offset);
        let replies =
            crate::actors::at_once(16, |index| servers[index % 2].otp(&story.client, "alice", &code).0);
        assert_eq!(replies.iter().filter(|status| **status == 200).count(), 1, "{replies:?}");
        assert!(replies.iter().all(|status| [200, 400].contains(status)), "{replies:?}");
    }
}

fn commands_work_beside_a_running_server(on: Backend) {
    let installation = Installation::new(on);
    let server = installation.serve();
    let story = Story::begin(&installation);
    assert_eq!(server.otp(&story.client, "alice", &story.code(0)).0, 200);
    installation.run(&["factor", "reset", "alice"]);
    assert_eq!(server.otp(&story.client, "alice", &story.code(1)).0, 400);
    installation.run(&["client", "disable", "shop"]);
    assert_eq!(server.otp(&story.client, "alice", &story.code(1)).0, 401);
    installation.run(&["key", "rotate"]);
    assert_eq!(installation.json(&["audit", "verify"])["intact"], true);
}

fn a_newer_database_is_refused(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "alice"]);
    let database = Database::new(Target::parse(&installation.database).unwrap(), 1, None);
    let mut conn = database.connection().unwrap();
    let insert = "INSERT INTO __diesel_schema_migrations (version, run_on) VALUES ('29990101000000', CURRENT_TIMESTAMP)";
    conn.batch_execute(insert).unwrap();
    drop(conn);
    for command in [&["serve"][..], &["user", "list"]] {
        let line = installation.refused(command);
        assert!(line.contains("newer version") && line.contains("29990101000000"), "{line}");
    }
}

fn a_missing_folder_or_server_is_refused(on: Backend) {
    let installation = Installation::new(on);
    let elsewhere = match on {
        Backend::Sqlite => "sqlite:///nowhere/at/all/countersign.db",
        Backend::Postgres => "postgres:///x?host=/nowhere/at/all",
    };
    let line = installation.refused(&["serve", "--database", elsewhere]);
    assert!(line.contains("cannot be used"), "{line}");
}

fn a_lost_database_answers_503_and_never_a_token(on: Backend) {
    let installation = Installation::new(on);
    let server = installation.serve();
    let story = Story::begin(&installation);
    fs::rename(installation.database_file(), installation.data().join("away.db")).unwrap();
    let (status, reply) = server.otp(&story.client, "alice", &story.code(0));
    assert_eq!((status, reply["error"].as_str()), (503, Some("temporarily_unavailable")));
    assert_eq!((server.get("/healthz"), server.get("/readyz")), (200, 503));
    // Another file in its place is not this server's database either: what it writes to the old one would be lost.
    fs::copy(installation.data().join("away.db"), installation.database_file()).unwrap();
    assert_eq!(server.otp(&story.client, "alice", &story.code(0)).0, 503);
    fs::rename(installation.data().join("away.db"), installation.database_file()).unwrap();
    assert_eq!(server.otp(&story.client, "alice", &story.code(0)).0, 200);
}

fn a_read_only_database_is_refused(on: Backend) {
    let installation = Installation::new(on);
    let story = Story::begin(&installation);
    let before = fs::read(installation.database_file()).unwrap();
    fs::set_permissions(installation.database_file(), fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(installation.master_key(), fs::Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(installation.data(), fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(installation.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // Root may write everything, so the server runs as nobody.
    let output = unprivileged(&installation, &["serve"]).output().unwrap();
    let line = refusal(&output);
    assert!(line.contains("read-only") || line.contains("readonly"), "{line}");
    fs::set_permissions(installation.data(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(fs::read(installation.database_file()).unwrap(), before);
    fs::set_permissions(installation.database_file(), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(installation.serve().otp(&story.client, "alice", &story.code(0)).0, 200);
}

/// The command as a user who may not write to this installation.
fn unprivileged(installation: &Installation, arguments: &[&str]) -> Command {
    let mut command = if is_root() {
        let copy = public_copy(installation.folder.path());
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(copy);
        command
    } else {
        Command::new(env!("CARGO_BIN_EXE_countersign"))
    };
    installation.with_settings(&mut command);
    command.args(arguments);
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout.trim_ascii() == b"0"
}

fn a_full_disk_answers_503_and_never_a_token(on: Backend) {
    let installation = Installation::new(on);
    let story = Story::begin(&installation);
    // No file may grow beyond the size that the database has now: a write that must extend it fails as on a full disk.
    let size = fs::metadata(installation.database_file()).unwrap().len() / 1024 + 8;
    let mut command = Command::new("bash");
    installation.with_settings(&mut command);
    command.args([
        "-c",
        &format!("trap '' XFSZ; ulimit -f {size}; exec \"$0\" serve"),
        env!("CARGO_BIN_EXE_countersign"),
    ]);
    let server = Process::start(command);
    // Strangers differ, so that each is counted and logged.
    let full = (0..2000).any(|_| {
        let (status, reply) =
            server.otp(&story.client, &format!("nobody{}", crate::actors::unique()), "123456");
        assert!([400, 503].contains(&status), "{status} {reply}");
        status == 503
    });
    assert!(full, "the disk never filled up");
    let code = story.code(0);
    let (status, reply) = server.otp(&story.client, "alice", &code);
    assert_eq!((status, reply.get("access_token")), (503, None), "{reply}");
    assert_eq!(server.get("/healthz"), 200);
    server.kill();
    // With room again the same code is good: nothing was half done.
    let server = installation.serve();
    assert_eq!(server.otp(&story.client, "alice", &story.code(1)).0, 200);
    assert_eq!(installation.json(&["audit", "verify"])["intact"], true);
}

fn a_missing_master_key_is_refused_and_none_made(on: Backend) {
    let installation = Installation::new(on);
    let story = Story::begin(&installation);
    let key = fs::read(installation.master_key()).unwrap();
    fs::remove_file(installation.master_key()).unwrap();
    for command in [&["serve"][..], &["user", "list"]] {
        let line = installation.refused(command);
        assert!(line.contains("master key") && line.contains("does not exist"), "{line}");
        assert!(!installation.master_key().exists());
    }
    fs::write(installation.master_key(), key).unwrap();
    assert_eq!(installation.serve().otp(&story.client, "alice", &story.code(0)).0, 200);
}

fn a_wrong_master_key_is_refused(on: Backend) {
    let installation = Installation::new(on);
    let story = Story::begin(&installation);
    let right = installation.folder.path().join("right.key");
    fs::rename(installation.master_key(), &right).unwrap();
    installation.run(&["master-key", "new", installation.master_key().to_str().unwrap()]);
    let wrong = fs::read(installation.master_key()).unwrap();
    let line = installation.refused(&["serve"]);
    assert!(line.contains("not the one that sealed this database"), "{line}");
    assert_eq!(fs::read(installation.master_key()).unwrap(), wrong, "nothing was overwritten");
    let text = String::from_utf8(wrong).unwrap();
    assert!(!line.contains(text.trim_end().rsplit(':').next().unwrap()), "the key itself is not shown");
    let mut command = installation.command(&["serve", "--master-key-file"]);
    command.arg(&right);
    assert_eq!(Process::start(command).otp(&story.client, "alice", &story.code(0)).0, 200);
}

/// Which migrations the database has; none where there is no database.
fn migrations(installation: &Installation) -> Vec<String> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        version: String,
    }
    let database = Database::new(Target::parse(&installation.database).unwrap(), 1, None);
    let Some(mut conn) = database.look().unwrap() else { return Vec::new() };
    let versions = "SELECT version FROM __diesel_schema_migrations ORDER BY version";
    let rows: Vec<Row> = diesel::sql_query(versions).load(&mut conn).unwrap_or_default();
    rows.into_iter().map(|row| row.version).collect()
}

fn without_the_right_master_key_no_database_is_brought_up_to_date(on: Backend) {
    let installation = Installation::new(on);
    let story = Story::begin(&installation);
    let now = migrations(&installation);
    let database = Database::new(Target::parse(&installation.database).unwrap(), 1, None);
    crate::upgrade::step_back(&mut database.look().unwrap().unwrap());
    let older = migrations(&installation);
    assert_eq!(older.len() + 1, now.len());

    let elsewhere = Installation::new(Backend::Sqlite);
    let commands = [&["serve"][..], &["user", "list"], &["move", "--to", &elsewhere.database]];
    let right = installation.folder.path().join("right.key");
    fs::rename(installation.master_key(), &right).unwrap();
    let refuses_all = |why: &str| {
        for command in commands {
            let line = installation.refused(command);
            assert!(line.contains(why), "{command:?}: {line}");
            assert_eq!(migrations(&installation), older, "{command:?}");
        }
    };
    refuses_all("does not exist");
    installation.run(&["master-key", "new", installation.master_key().to_str().unwrap()]);
    refuses_all("not the one that sealed this database");
    fs::write(installation.master_key(), "something else\n").unwrap();
    refuses_all("does not hold a master key");
    assert!(migrations(&elsewhere).is_empty());

    fs::rename(&right, installation.master_key()).unwrap();
    assert_eq!(installation.serve().otp(&story.client, "alice", &story.code(0)).0, 200);
    assert_eq!(migrations(&installation), now);

    // Nor is a new one made.
    let new = Installation::new(on);
    fs::create_dir_all(new.data()).unwrap();
    fs::write(new.master_key(), "something else\n").unwrap();
    new.refused(&["serve"]);
    assert!(migrations(&new).is_empty());
    if !is_sqlite(on) {
        fs::remove_file(new.master_key()).unwrap();
        assert!(new.refused(&["serve"]).contains("master-key new"));
        assert!(migrations(&new).is_empty());
    }
}

fn a_file_that_is_no_master_key_is_refused(on: Backend) {
    let installation = Installation::new(on);
    fs::create_dir_all(installation.data()).unwrap();
    fs::write(installation.master_key(), "something else\n").unwrap();
    let line = installation.refused(&["serve"]);
    assert!(line.contains("does not hold a master key"), "{line}");
    assert_eq!(fs::read(installation.master_key()).unwrap(), b"something else\n");
    // And making a key never replaces a file.
    let line = installation.refused(&["master-key", "new", installation.master_key().to_str().unwrap()]);
    assert!(line.contains("exists already"), "{line}");
    assert_eq!(fs::read(installation.master_key()).unwrap(), b"something else\n");
}

fn processes_that_start_at_once_on_nothing_agree(on: Backend) {
    let installation = Installation::new(on);
    let servers = crate::actors::at_once(4, |_| installation.serve());
    let story = Story::begin(&installation);
    let code = story.code(0);
    let accepted = servers.iter().filter(|server| server.otp(&story.client, "alice", &code).0 == 200).count();
    assert_eq!(accepted, 1);
    assert_eq!(installation.json(&["key", "list"]).as_array().unwrap().len(), 2);
}

fn a_server_waits_for_another_that_takes_long_to_bring_the_database_up_to_date(on: Backend) {
    // The lock is migrations' own.
    let taken = "BEGIN; SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(7165074649429406323)";
    crate::actors::at_once(2, |has_tables| {
        let installation = Installation::new(on);
        if has_tables == 1 {
            installation.run(&["user", "add", "alice"]);
        }
        let target = Target::parse(&installation.database).unwrap();
        let mut other = Database::new(target, 1, None).look().unwrap().unwrap();
        other.batch_execute(taken).unwrap();
        let server = std::thread::scope(|scope| {
            let server = scope.spawn(|| installation.serve());
            // Longer than any request may take.
            other.batch_execute("SELECT pg_sleep(11)").unwrap();
            assert!(!server.is_finished(), "it did not wait");
            other.batch_execute("COMMIT").unwrap();
            server.join().unwrap()
        });
        assert_eq!(server.terminate(), Some(0));
    });
}

fn an_address_in_use_is_refused(on: Backend) {
    let installation = Installation::new(on);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let line = installation.refused(&["serve", "--listen", &address]);
    assert!(line.contains(&address) && line.contains("in use"), "{line}");
}

fn an_empty_database_gets_a_link_for_the_first_administrator(on: Backend) {
    let installation = Installation::new(on);
    let server = installation.serve();
    let line = server.line();
    let link = line.strip_prefix("first administrator: ").unwrap();
    let path = link
        .strip_prefix(&server.url)
        .expect("without public_url the link names the address that is listened on");
    assert_eq!(server.get(path), 200);
    assert_eq!(server.terminate(), Some(0));
    // With a user there is none, and the old one leads nowhere.
    installation.run(&["user", "add", "root", "--role", "admin"]);
    let server = installation.serve();
    assert_eq!(server.get(path), 410);
    assert_eq!(server.terminate(), Some(0));
}
