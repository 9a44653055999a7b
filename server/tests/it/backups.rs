//! `countersign backup` and `countersign restore`: everything comes back, and nothing that was used or ended since counts once more.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;

use countersign::app;
use countersign::app::context::{At, Service};
use countersign::app::factor::NewFactor;
use countersign::clock::Clock;
use countersign::db::backup::is_marked;
use countersign::db::{Conn, catalogue, migrate, relocation};
use countersign::domain::audit::Origin;
use countersign::domain::factor::Mechanism;
use countersign::domain::relocation::{Relocation, Way};
use countersign::domain::target::Target;
use countersign::domain::time::Timestamp;
use countersign::domain::user::{Role, UserName};
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use mobile_core::Code;
use serde_json::Value;

use crate::actors::{App, ClientSpec, Place, count, parsed};
use crate::crowd::{Crowd, until};
use crate::moving::{conn, crowd, database, of_table, rows};
use crate::process::{Caller, Installation, Story, code_of, refusal, soon};
use crate::sessions::{ids, revocations};
use crate::visitor::Visitor;
use crate::{Backend, tests};

tests![
    a_rotated_database_comes_back_under_its_new_key,
    everything_comes_back_to_either_database_and_a_used_code_stays_used,
    a_backup_under_load_is_of_one_moment_and_no_code_counts_again,
    whatever_was_live_at_the_backup_is_over,
    a_cursor_of_the_time_that_is_lost_gets_the_whole_list,
    a_backup_is_no_database_to_work_with,
    a_backup_takes_no_place_and_wants_a_database_in_use,
    a_restore_wants_an_empty_database,
    a_restore_wants_the_key_of_the_backup,
    what_is_no_backup_or_was_altered_is_refused,
    a_backup_of_a_newer_version_is_refused_and_one_of_an_older_brought_up_to_date,
    a_clock_that_is_behind_the_backup_restores_nothing,
    an_older_database_is_backed_up_and_left_as_it_is,
    a_killed_backup_leaves_no_file_and_is_in_nobodys_way,
    a_killed_restore_leaves_the_database_empty,
    a_spoilt_audit_log_is_backed_up_and_said_so,
    a_table_that_is_not_known_stops_the_backup,
    the_statements_for_other_copies_do_what_a_restore_does,
];

/// An installation with the same master key and no database yet.
fn empty(source: &Installation, on: Backend) -> Installation {
    let target = Installation::new(on);
    fs::create_dir_all(target.data()).unwrap();
    fs::copy(source.master_key(), target.master_key()).unwrap();
    target
}

fn now() -> Timestamp {
    Clock::System.now()
}

/// Backs up; returns the file and what was said.
fn back_up(source: &Installation, name: &str) -> (PathBuf, Value) {
    let file = source.folder.path().join(name);
    let said = source.json(&["backup", file.to_str().unwrap()]);
    (file, said)
}

fn restore(target: &Installation, file: &Path) -> Value {
    target.json(&["restore", file.to_str().unwrap()])
}

#[track_caller]
fn refused(target: &Installation, file: &Path) -> String {
    target.refused(&["restore", file.to_str().unwrap()])
}

/// A server in this process on somebody's database, when three minutes have passed: by then every code of the time before is over.
fn later(target: &Installation) -> App {
    let place = Place::of(Target::parse(&target.database).unwrap(), target.master_key());
    App::start_at(&Arc::new(place), Clock::fake(now().plus_seconds(180)))
}

/// What is in a folder, but for the files that come and go with a connection.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with("-wal") && !name.ends_with("-shm"))
        .collect();
    names.sort();
    names
}

/// Whether there is a database with a table in it.
fn has_tables(installation: &Installation) -> bool {
    let conn = database(installation).look().unwrap();
    conn.is_some_and(|mut conn| !catalogue::names(&mut conn).unwrap().is_empty())
}

fn everything_comes_back_to_either_database_and_a_used_code_stays_used(on: Backend) {
    let source = Installation::new(on);
    let server = source.serve();
    let story = Story::begin(&source);
    source.run(&["user", "add", "Žofie \"x\" 'y' 数", "--email", "z@example.org", "--role", "admin"]);
    source.run(&["scope", "set", "pay", "--one-use"]);
    source.run(&["group", "add", "staff"]);
    source.run(&["group", "join", "staff", "alice"]);
    source.run(&["grant", "give", "--group", "staff", "--scope", "pay"]);
    let (before, after) = (story.code(0), story.code(1));
    assert_eq!(server.otp(&story.client, "alice", &before).0, 200);
    let (there, log) = (rows(&source), source.json(&["audit", "list"]));
    let (file, made) = back_up(&source, "all.db");
    assert_eq!(server.otp(&story.client, "alice", &after).0, 200, "servers go on");

    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o7777, 0o600);
    let beside = names(source.folder.path());
    assert_eq!(beside, ["all.db", "data"], "nothing else is left");
    assert_eq!(
        (made["audit"]["intact"].as_bool(), of_table(&made, "user")["rows"].as_u64()),
        (Some(true), Some(2))
    );
    let total: u64 = made["tables"].as_array().unwrap().iter().map(|one| one["rows"].as_u64().unwrap()).sum();
    assert_eq!(made["rows"].as_u64(), Some(total));
    let key = fs::read_to_string(source.master_key()).unwrap();
    let key = key.trim_end().rsplit(':').next().unwrap();
    let bytes = fs::read(&file).unwrap();
    assert_eq!(bytes.len() as u64, made["bytes"].as_u64().unwrap());
    assert!(!bytes.windows(key.len()).any(|window| window == key.as_bytes()), "the master key");
    let entries = source.json(&["audit", "list"]);
    let entry =
        entries.as_array().unwrap().iter().find(|entry| entry["action"] == "database.backed_up").unwrap();
    assert_eq!(entry["actor"], "operator");
    assert!(entry["detail"].as_str().unwrap().contains("all.db"), "{entry}");

    for (_, to) in Backend::ALL {
        let target = empty(&source, *to);
        let restored = restore(&target, &file);
        assert_eq!(restored["rows"], made["rows"]);
        assert_eq!(restored["made_at"], made["made_at"]);
        assert_eq!(restored["audit"]["intact"], true, "{restored}");
        assert_eq!(target.json(&["audit", "verify"])["intact"], true);
        let settled = [
            "invitation",
            "audit",
            "audit_head",
            "session",
            "signing_key",
            "revocation",
            "factor_step",
            "recovery_code",
        ];
        for ((name, here), (name_there, arrived)) in there.iter().zip(&rows(&target)) {
            assert_eq!(name, name_there);
            assert!(settled.contains(&name.as_str()) || here == arrived, "{name}");
        }
        let log_there = target.json(&["audit", "list"]);
        let log_there = log_there.as_array().unwrap();
        let log = log.as_array().unwrap();
        assert_eq!(log_there[..log.len()], log[..]);
        let last = log_there.last().unwrap();
        assert_eq!((&last["action"], &last["actor"]), (&"database.restored".into(), &"operator".into()));
        let of = format!("backup_of={}", made["made_at"].as_str().unwrap());
        assert!(last["detail"].as_str().unwrap().contains(&of), "{last}");

        let server = target.serve();
        for code in [&before, &after, &story.code(0), &story.code(1), &story.code(-1)] {
            assert_eq!(server.otp(&story.client, "alice", code).0, 400, "{to:?}");
        }
        assert_eq!(server.terminate(), Some(0));
        let later = later(&target);
        let next = code_of(&story.key, 6);
        let answer = |code: &str| Caller::new(&later.url).otp(&story.client, "alice", code).unwrap().0;
        assert_eq!((answer(&after), answer(&next), answer(&next)), (400, 200, 400));
        assert_eq!(target.json(&["audit", "verify"])["intact"], true);
    }
}

fn a_backup_under_load_is_of_one_moment_and_no_code_counts_again(on: Backend) {
    let source = Installation::new(on);
    let people = 150;
    source.run(&["user", "list"]);
    let crowd = Crowd::enrol(&source, people);
    let server = source.serve();
    let (sent, files) = crowd.log_in(&[&server.url], |exchanged| {
        [people / 6, people / 2].map(|count| {
            until(exchanged, count);
            back_up(&source, &format!("{count}.db")).0
        })
    });
    assert!(sent.iter().all(|sent| matches!(sent.status, Some(200 | 400))), "{}", crate::crowd::tally(&sent));
    let used: Vec<_> = sent.iter().filter(|sent| sent.token.is_some()).collect();
    assert!(used.len() >= people, "{}", crate::crowd::tally(&sent));
    assert_eq!(server.terminate(), Some(0));

    for (file, is_first) in files.iter().zip([true, false]) {
        let target = empty(&source, on);
        let restored = restore(&target, file);
        let tokens = of_table(&restored, "token")["rows"].as_u64().unwrap();
        assert_eq!(restored["audit"]["intact"], true);
        let is_amid = tokens > 0 && (tokens < used.len() as u64 || !is_first);
        assert!(is_amid, "{tokens} of {}", used.len());
        // Of one moment: a login, its session, its token and its entry.
        assert_eq!(of_table(&restored, "session")["rows"].as_u64(), Some(tokens));
        let entries = target.json(&["audit", "list", "--limit", "1000"]);
        let issued = entries.as_array().unwrap().iter().filter(|entry| entry["action"] == "token.issued");
        assert_eq!(issued.count() as u64, tokens);
        let server = target.serve();
        let caller = Caller::new(&server.url);
        for sent in &used {
            let (status, body) = caller.otp(&crowd.client, &sent.user, &sent.code).unwrap();
            assert_eq!((status, body["error"].as_str()), (400, Some("invalid_grant")), "{}", sent.user);
            let (status, body) = caller.introspect(&crowd.client, sent.token.as_ref().unwrap()).unwrap();
            assert_eq!((status, &body["active"]), (200, &Value::Bool(false)), "{}", sent.user);
        }
    }
}

/// An installation on the database of a server in this process.
fn installation_of(app: &App) -> Installation {
    let folder = tempfile::Builder::new().prefix("cs-run-").tempdir().unwrap();
    let database = match &app.place.target {
        Target::Sqlite(path) => format!("sqlite://{}", path.display()),
        Target::Postgres(url) => url.clone(),
    };
    let installation = Installation { folder, database };
    fs::create_dir(installation.data()).unwrap();
    fs::copy(&app.place.master, installation.master_key()).unwrap();
    installation
}

/// A remembered browser, a reset that waits for a second person, a mail, and a token that nobody has confirmed.
fn leave_what_waits(app: &App, on: Backend) {
    let bytes = match on {
        Backend::Sqlite => "X'00112233445566778899AABBCCDDEEFF'",
        Backend::Postgres => "'\\x00112233445566778899AABBCCDDEEFF'::bytea",
    };
    app.user("dora");
    let until = now().plus_seconds(86_400).millis();
    let of = |name: &str| format!("(SELECT id FROM \"user\" WHERE name = '{name}')");
    let rows = format!(
        "INSERT INTO trusted_device (hash, user_id, created_at, expires_at) VALUES ({bytes}, {alice}, 0, {until}); \
         INSERT INTO reset_request (id, user_id, asked_by, asked_at, expires_at) VALUES ({bytes}, {alice}, {bob}, 0, {until}); \
         UPDATE \"user\" SET email = 'dora@example.com' WHERE name = 'dora'",
        alice = of("alice"),
        bob = of("bob"),
    );
    app.place.connection().batch_execute(&rows).unwrap();
    let dora = UserName::parse("dora").unwrap();
    let mechanism = Mechanism::Hotp(mobile_core::Hotp::default());
    app.operate(|service, conn, at| {
        app::reset::reset(service, conn, at, &dora)?;
        app::factor::enrol(service, conn, at, &dora, NewFactor { mechanism, ..NewFactor::default() })
    })
    .unwrap();
}

fn whatever_was_live_at_the_backup_is_over(on: Backend) {
    let app = App::start_at(&Arc::new(Place::new(on)), Clock::fake(now()));
    let spec = ClientSpec::with_scopes("factors offline_access users");
    let client = app.client_with(spec);
    let opaque = app.client_with(ClientSpec {
        name: "opaque",
        format: countersign::domain::client::TokenFormat::Opaque,
        ..ClientSpec::with_scopes("")
    });
    app.user_with_password("alice");
    let phone = app.phone("alice");
    app.user_with_password("bob");
    let associated = app.associate(&client.mfa_token("bob"));
    let recovery = associated.body["recovery_codes"].as_array().unwrap().iter();
    let recovery: Vec<&str> = recovery.map(|code| code.as_str().unwrap()).collect();
    let bobs = app.scan(&associated);
    client.mfa_otp(&client.mfa_token("bob"), &bobs.code()).access_token();
    app.user("carol");
    let token = app.hotp_token("carol", 100);
    assert_eq!(client.otp("carol", &token.code_at(0)).status, 200);
    let name = UserName::parse("carol").unwrap();
    let link = app.operate(|service, conn, at| app::invitation::invite(service, conn, at, &name)).unwrap();
    let link = link.url.rsplit_once("/welcome/").unwrap().1.to_owned();
    let login = client.otp("alice", &phone.code());
    let own = client.token(&[("grant_type", "client_credentials")]).access_token();
    let own_opaque = opaque.token(&[("grant_type", "client_credentials")]).access_token();
    let pending = client.mfa_token("alice");
    leave_what_waits(&app, on);
    let source = installation_of(&app);
    let (file, _) = back_up(&source, "day.db");
    // What the backup does not know.
    client.recover(&client.mfa_token("bob"), recovery[0]).access_token();
    assert_eq!(client.otp("carol", &token.code_at(1)).status, 200);
    assert_eq!(client.otp("carol", &token.code_at(2)).status, 200);
    let second = client.refresh(login.text("refresh_token"));

    let target = empty(&source, on);
    let restored = restore(&target, &file);
    let settled = &restored["settled"];
    let counted = ["totp_factors", "sessions", "pending_logins", "recovery_codes", "invitations", "mails"]
        .map(|name| settled[name].as_u64().unwrap());
    // Alice's ten codes, bob's, carol's and dora's.
    assert_eq!(counted[..5], [2, 3, 2, 40, 1], "{settled}");
    assert_eq!(
        (&settled["trusted_devices"], &settled["reset_requests"]),
        (&1.into(), &1.into()),
        "{settled}"
    );
    assert_eq!(counted[5], 1, "{settled}");
    assert_eq!(
        settled["hotp_factors"].as_array().unwrap().len(),
        1,
        "what nobody confirmed is over: {settled}"
    );
    assert_eq!(target.json(&["factor", "list", "dora"]), Value::Array(vec![]));
    assert_eq!(settled["signing_keys"], 2);
    assert_eq!(settled["hotp_factors"][0]["user"], "carol");
    assert_eq!(target.json(&["factor", "list", "carol"])[0]["in_doubt"], true);
    assert_eq!(target.json(&["factor", "list", "bob"])[0]["in_doubt"], false);
    assert!(target.run(&["factor", "list", "carol"]).contains("in doubt"));

    let then = later(&target);
    let (client, opaque) = (client.at(&then), opaque.at(&then));
    for refresh_token in [login.text("refresh_token"), second.text("refresh_token")] {
        client.refresh(refresh_token).must_be(400, "invalid_grant");
    }
    for dead in [login.access_token(), second.access_token(), own] {
        assert!(!client.is_active(&dead));
    }
    assert!(!opaque.is_active(&own_opaque));
    client.mfa_otp(&pending, &code_of(&phone.uri, 6)).must_be(400, "invalid_grant");
    let gone = then.operate(|service, conn, at| app::invitation::look(service, conn, at, &link).map(|_| ()));
    assert!(gone.is_err());
    for code in &recovery[..2] {
        client.recover(&client.mfa_token("bob"), code).must_be(400, "invalid_grant");
    }
    // A token by counter: whatever it shows is refused, and not counted as a guess, until two codes in a row say where it is.
    for offset in 0..6 {
        client.otp("carol", &token.code_at(offset)).must_be(400, "invalid_grant");
    }
    assert_eq!(then.failures("carol"), 0);
    let refusals =
        count(&mut then.place.connection(), "audit WHERE outcome = 'refused: in doubt since a restore'");
    assert_eq!(refusals, 5, "all but the last one that the backup knows");
    let (phone_of_root, badge) = (then.person("root", Role::Admin), "In doubt since a restore");
    let root = Visitor::logged_in(&then, "root", &phone_of_root);
    let id = target.json(&["user", "show", "carol"])["id"].as_str().unwrap().to_owned();
    root.get(&format!("/console/users/{id}")).must_be(200).must_say(badge);
    let codes: [Code; 2] = [3, 4].map(|offset| parsed(&token.code_at(offset)));
    then.operate(|service, conn, at| {
        app::factor::resynchronise(service, conn, at, &name, None, (&codes[0], &codes[1]))
    })
    .unwrap();
    client.otp("carol", &token.code_at(4)).must_be(400, "invalid_grant");
    assert_eq!(client.otp("carol", &token.code_at(5)).status, 200);
    assert_eq!(target.json(&["factor", "list", "carol"])[0]["in_doubt"], false);
    root.get(&format!("/console/users/{id}")).must_be(200).must_not_say(badge);
    // Passwords and codes by time go on.
    client.mfa_otp(&client.mfa_token("bob"), &code_of(&bobs.uri, 6)).access_token();

    let kept = empty(&source, on);
    kept.run(&["restore", file.to_str().unwrap(), "--keep-recovery-codes"]);
    let then = later(&kept);
    let client = client.at(&then);
    client.recover(&client.mfa_token("bob"), recovery[1]).access_token();
}

fn a_cursor_of_the_time_that_is_lost_gets_the_whole_list(on: Backend) {
    let app = App::start_at(&Arc::new(Place::new(on)), Clock::fake(now()));
    let client = app.client();
    app.user("alice");
    let phone = app.phone("alice");
    let known = revocations(&app, "");
    let source = installation_of(&app);
    let (file, _) = back_up(&source, "list.db");
    let old = client.otp("alice", &phone.code()).access_token();
    client.revoke(&old);
    let lost = revocations(&app, &format!("?since={}", known["until"]))["until"].as_i64().unwrap();

    let target = empty(&source, on);
    restore(&target, &file);
    let then = later(&target);
    let client = client.at(&then);
    let keys = ids(&revocations(&then, ""), "keys");
    assert_eq!(keys.len(), 2, "no JWT of before is good");
    // The new log grows past where the lost one ended.
    let young = client.otp("alice", &code_of(&phone.uri, 6)).access_token();
    client.revoke(&young);
    (0..10).for_each(|_| assert_eq!(client.otp("alice", "000000").status / 100, 4));
    then.pass(5);
    let list = revocations(&then, &format!("?since={lost}"));
    assert!(list["until"].as_i64().unwrap() > lost, "{list}");
    assert_eq!((list["since"].as_i64(), ids(&list, "keys")), (Some(0), keys.clone()));
    assert_eq!(ids(&list, "tokens").len(), 1);
    // One that the backup knows is still good for what came after it.
    let since = known["until"].as_i64();
    let list = revocations(&then, &format!("?since={}", since.unwrap()));
    assert_eq!((list["since"].as_i64(), ids(&list, "keys")), (since, keys));
}

fn a_backup_is_no_database_to_work_with(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    let (file, _) = back_up(&source, "all.db");
    let bytes = fs::read(&file).unwrap();
    let url = format!("sqlite://{}", file.display());
    let other = empty(&source, Backend::Sqlite);
    let again = source.folder.path().join("again.db");
    for command in [
        &["serve"][..],
        &["user", "list"],
        &["audit", "verify"],
        &["backup", again.to_str().unwrap()],
        &["restore", file.to_str().unwrap()],
        &["move", "--to", &other.database],
    ] {
        let line = source.refused(&[&["--database", &url], command].concat());
        assert!(line.contains("is a backup") && line.contains("`countersign restore`"), "{line}");
    }
    let line = source.refused(&["move", "--to", &url]);
    assert!(line.contains("is a backup"), "{line}");
    let without_number = source.folder.path().join("data/plain.db");
    fs::copy(&file, &without_number).unwrap();
    let path = without_number.to_str().unwrap();
    SqliteConnection::establish(path).unwrap().batch_execute("PRAGMA application_id = 0").unwrap();
    assert!(source.refused(&["--database", &format!("sqlite://{path}"), "serve"]).contains("is a backup"));
    assert_eq!(fs::read(&file).unwrap(), bytes, "it is not touched");
    assert_eq!(names(source.folder.path()), ["all.db", "data"]);
    assert!(!other.database_file().exists());
}

fn a_backup_takes_no_place_and_wants_a_database_in_use(on: Backend) {
    let source = Installation::new(on);
    let file = source.folder.path().join("all.db");
    let path = file.to_str().unwrap();
    let line = source.refused(&["backup", path]);
    let why = if on == Backend::Sqlite { "there is no database at" } else { "was never used" };
    assert!(line.contains(why), "{line}");
    assert!(!source.database_file().exists() && !file.exists());

    Story::begin(&source);
    fs::write(&file, "precious").unwrap();
    assert!(source.refused(&["backup", path]).contains("exists already"));
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    let dangling = source.folder.path().join("link.db");
    symlink("nowhere", &dangling).unwrap();
    assert!(source.refused(&["backup", dangling.to_str().unwrap()]).contains("exists already"));
    let line = source.refused(&["backup", "none/all.db"]);
    assert!(line.contains("the folder none does not exist"), "{line}");
    let entries = source.json(&["audit", "list"]);
    let count =
        entries.as_array().unwrap().iter().filter(|entry| entry["action"] == "database.backed_up").count();
    assert_eq!(count, 0);

    let wrong = source.folder.path().join("wrong.key");
    source.run(&["master-key", "new", wrong.to_str().unwrap()]);
    let arguments = ["backup", "b.db", "--master-key-file", wrong.to_str().unwrap()];
    assert!(source.refused(&arguments).contains("not the one that sealed this database"));
    assert_eq!(source.command(&["backup"]).output().unwrap().status.code(), Some(2));
    // A relative path, and nothing to say.
    assert_eq!(source.run(&["backup", "--quiet", "b.db"]), "");
    assert!(is_marked(&source.folder.path().join("b.db")));
    let text = source.run(&["backup", "c.db"]);
    assert!(
        text.contains("needs the master key") && text.contains("entries stand as they were written"),
        "{text}"
    );

    let moved = Relocation {
        way: Way::Left,
        mark: vec![1; 16],
        other: None,
        place: "sqlite://other.db".to_owned(),
        at: Timestamp::from_millis(1_700_000_000_000),
    };
    relocation::set(&mut conn(&source), &moved).unwrap();
    assert!(source.refused(&["backup", "d.db"]).contains("was moved to sqlite://other.db"));
}

fn a_restore_wants_an_empty_database(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    let (file, _) = back_up(&source, "all.db");
    let line = refused(&source, &file);
    assert!(line.contains("is not empty"), "{line}");
    assert_eq!(source.serve().otp(&story.client, "alice", &story.code(0)).0, 200, "nothing was changed");

    let used = empty(&source, on);
    used.run(&["user", "list"]);
    let before = rows(&used);
    assert!(refused(&used, &file).contains("is not empty"));
    assert!(rows(&used) == before);

    let foreign = empty(&source, on);
    if on == Backend::Sqlite {
        fs::write(foreign.database_file(), "").unwrap();
    }
    conn(&foreign).batch_execute("CREATE TABLE blog (id INTEGER)").unwrap();
    assert!(refused(&foreign, &file).contains("not Countersign's (blog)"));
    assert_eq!(catalogue::names(&mut conn(&foreign)).unwrap(), ["blog"]);

    let arriving = empty(&source, on);
    let mut target = database(&arriving).prepare_for_move().unwrap();
    let half = Relocation {
        way: Way::Arriving,
        mark: vec![1; 16],
        other: Some(vec![2; 16]),
        place: "sqlite://other.db".to_owned(),
        at: now(),
    };
    relocation::set(&mut target, &half).unwrap();
    assert!(refused(&arriving, &file).contains("is not finished"));

    // One that has its tables already, and nothing in them, is empty.
    let prepared = empty(&source, on);
    database(&prepared).prepare().unwrap();
    restore(&prepared, &file);
    prepared.run(&["user", "show", "alice"]);
}

fn a_restore_wants_the_key_of_the_backup(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    let (file, made) = back_up(&source, "all.db");
    let target = empty(&source, on);
    fs::remove_file(target.master_key()).unwrap();
    let line = refused(&target, &file);
    assert!(line.contains("does not exist") && line.contains("no new key was made"), "{line}");
    target.run(&["master-key", "new", target.master_key().to_str().unwrap()]);
    let line = refused(&target, &file);
    assert!(line.contains(made["master_key"]["key_id"].as_str().unwrap()), "{line}");
    assert!(!has_tables(&target) && !target.database_file().exists());
}

fn what_is_no_backup_or_was_altered_is_refused(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    let (file, _) = back_up(&source, "all.db");
    let target = empty(&source, on);
    let spoilt = source.folder.path().join("spoilt.db");
    let no_backup = |what: &dyn Fn()| {
        let _ = fs::remove_file(&spoilt);
        what();
        let line = refused(&target, &spoilt);
        assert!(line.contains("is no backup"), "{line}");
    };
    assert!(refused(&target, &spoilt).contains("there is no file"));
    no_backup(&|| fs::write(&spoilt, "").unwrap());
    no_backup(&|| fs::write(&spoilt, vec![b'x'; 100_000]).unwrap());
    no_backup(&|| fs::create_dir(&spoilt).unwrap());
    fs::remove_dir(&spoilt).unwrap();
    let in_use = empty(&source, Backend::Sqlite);
    database(&in_use).prepare().unwrap();
    no_backup(&|| assert!(fs::copy(in_use.database_file(), &spoilt).is_ok()));

    let altered = |what: &dyn Fn()| {
        fs::copy(&file, &spoilt).unwrap();
        what();
        let line = refused(&target, &spoilt);
        assert!(line.contains("damaged or was altered"), "{line}");
        assert!(!has_tables(&target) && !target.database_file().exists());
        assert_eq!(fs::read(target.master_key()).unwrap(), fs::read(source.master_key()).unwrap());
    };
    let length = file.metadata().unwrap().len();
    for shorter in [200, 4096, length / 2, length - 1] {
        altered(&|| fs::OpenOptions::new().write(true).open(&spoilt).unwrap().set_len(shorter).unwrap());
    }
    for change in [
        "UPDATE \"user\" SET role = 'admin'",
        "UPDATE factor_step SET last_step = 7",
        "DELETE FROM recovery_code",
        "UPDATE countersign_backup SET made_at = made_at + 1",
        "UPDATE countersign_backup SET place = 'elsewhere'",
        "UPDATE countersign_backup SET proof = X'00'",
        "DELETE FROM countersign_backup",
        "DELETE FROM master_key",
        "DROP TABLE token",
        "CREATE TABLE addition (id INTEGER NOT NULL PRIMARY KEY)",
        "ALTER TABLE lockout ADD COLUMN addition BIGINT",
        "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)",
    ] {
        altered(&|| {
            let mut conn = SqliteConnection::establish(spoilt.to_str().unwrap()).unwrap();
            conn.batch_execute(change).unwrap();
        });
    }
    // Any page of it. What nothing was in may be anything.
    let mut harmless = 0;
    for place in (0..length).step_by(4096).skip(1) {
        let mut bytes = fs::read(&file).unwrap();
        let page = usize::try_from(place).unwrap();
        bytes[page..page + 4096].iter_mut().for_each(|byte| *byte ^= 0x55);
        fs::write(&spoilt, bytes).unwrap();
        let target = empty(&source, Backend::Sqlite);
        let output = target.command(&["restore", spoilt.to_str().unwrap()]).output().unwrap();
        if output.status.success() {
            harmless += 1;
        } else {
            let line = refusal(&output);
            assert!(line.contains("damaged or was altered"), "{line}");
            assert!(!target.database_file().exists());
        }
    }
    assert!(harmless < 10, "{harmless}");
    restore(&target, &file);
}

fn a_backup_of_a_newer_version_is_refused_and_one_of_an_older_brought_up_to_date(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    let (file, _) = back_up(&source, "newer.db");
    SqliteConnection::establish(file.to_str().unwrap())
        .unwrap()
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')")
        .unwrap();
    let target = empty(&source, on);
    let line = refused(&target, &file);
    assert!(line.contains("newer version (29990101000000)"), "{line}");
    assert!(!has_tables(&target));

    // As the program of a migration earlier would have written it.
    let file = back_up_as(&source, "older.db", now(), crate::upgrade::step_back);
    let (plain, prepared) = (empty(&source, on), empty(&source, on));
    database(&prepared).prepare().unwrap();
    for target in [plain, prepared] {
        assert_eq!(restore(&target, &file)["audit"]["intact"], true);
        let versions = |of: &Installation| migrate::versions(&mut conn(of)).unwrap();
        assert_eq!(versions(&target), versions(&source));
        let then = later(&target);
        let code = code_of(&story.key, 6);
        assert_eq!(Caller::new(&then.url).otp(&story.client, "alice", &code).unwrap().0, 200);
    }
}

/// A backup as another program, or one with another clock, would write it.
fn back_up_as(source: &Installation, name: &str, now: Timestamp, change: impl FnOnce(&mut Conn)) -> PathBuf {
    let (file, from) = (source.folder.path().join(name), database(source));
    let mut conn = app::backup::survey(&from, &file).unwrap();
    let master = app::start::unlock(&mut conn, from.target(), &source.master_key(), now).unwrap();
    let service = Service::new(&master, "http://localhost:8080".into(), "Countersign".into(), None);
    let mut copied = app::backup::copy(&mut conn, &file, now).unwrap();
    change(&mut copied.conn);
    let at = At::new(now, Origin::COMMAND_LINE);
    app::backup::keep(&service, &mut conn, copied, (&from, &file), at).unwrap();
    file
}

fn a_clock_that_is_behind_the_backup_restores_nothing(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    let file = back_up_as(&source, "tomorrow.db", now().plus_seconds(600), |_| ());
    let target = empty(&source, on);
    let line = refused(&target, &file);
    assert!(line.contains("yet to come"), "{line}");
    assert!(!has_tables(&target));
}

fn an_older_database_is_backed_up_and_left_as_it_is(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    crate::upgrade::step_back(&mut conn(&source));
    let before = migrate::versions(&mut conn(&source)).unwrap();
    let (file, _) = back_up(&source, "old.db");
    assert_eq!(migrate::versions(&mut conn(&source)).unwrap(), before, "it can be gone back to");
    let target = empty(&source, on);
    restore(&target, &file);
    assert_eq!(target.json(&["audit", "verify"])["intact"], true);
    assert_eq!(migrate::versions(&mut conn(&target)).unwrap().len(), before.len() + 1);
}

fn spawn(installation: &Installation, arguments: &[&str]) -> Child {
    installation.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn a_killed_backup_leaves_no_file_and_is_in_nobodys_way(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    crowd(&source);
    let folder = source.folder.path().join("backups");
    fs::create_dir(&folder).unwrap();
    let file = folder.join("all.db");
    let path = file.to_str().unwrap();
    let mut child = spawn(&source, &["backup", path]);
    // The copy has a folder of its own, nobody else's to look into.
    soon(|| (!names(&folder).is_empty()).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!file.exists());
    let left = names(&folder);
    assert_eq!(left.len(), 1, "{left:?}");
    // Whatever it has by now, nobody works on it: it is empty still, torn, or marked.
    let copy = folder.join(&left[0]).join("copy.db");
    let database = format!("sqlite://{}", copy.display());
    let output = source.command(&["user", "list", "--database", &database]).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("alice"), "{output:?}");
    assert_eq!(folder.join(&left[0]).metadata().unwrap().permissions().mode() & 0o777, 0o700);
    let made = source.json(&["backup", path]);
    assert_eq!(of_table(&made, "user")["rows"], 40_001);
    assert_eq!(names(&folder), [left[0].as_str(), "all.db"]);
}

fn a_rotated_database_comes_back_under_its_new_key(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    let (before, _) = back_up(&source, "before.db");
    let old = source.folder.path().join("old.key");
    fs::copy(source.master_key(), &old).unwrap();
    let new = source.folder.path().join("new.key");
    let rotated = source.json(&["master-key", "rotate", "--to", new.to_str().unwrap()]);
    fs::copy(&new, source.master_key()).unwrap();
    let (after, said) = back_up(&source, "after.db");
    assert_eq!(said["master_key"]["key_id"], rotated["key_id"]);

    // Each with its own key, into either kind of database, and not with the other's.
    for (file, key, other) in [(&after, &new, &old), (&before, &old, &new)] {
        let target = empty(&source, on);
        fs::copy(other, target.master_key()).unwrap();
        assert!(refused(&target, file).contains("is not the one that sealed this database"));
        fs::copy(key, target.master_key()).unwrap();
        restore(&target, file);
        let then = later(&target);
        assert_eq!(then.get("/readyz").status, 200);
        let client =
            (story.client["client_id"].as_str().unwrap(), story.client["client_secret"].as_str().unwrap());
        let form = format!(
            "grant_type=urn:countersign:params:oauth:grant-type:otp&username=alice&otp={}&client_id={}&client_secret={}",
            code_of(&story.key, 6),
            client.0,
            client.1,
        );
        let kind = [("content-type", "application/x-www-form-urlencoded")];
        then.post("/oauth/token", &kind, form.as_bytes()).access_token();
        assert_eq!(target.json(&["audit", "verify"])["intact"], true);
    }
}

/// Locks of migrations that others hold in this database: a restore is under way.
const OTHERS_MIGRATE: &str = "pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid() \
                              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

fn a_killed_restore_leaves_the_database_empty(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    crowd(&source);
    let (file, made) = back_up(&source, "all.db");
    let killed = || {
        let target = empty(&source, on);
        let mut child = spawn(&target, &["restore", file.to_str().unwrap()]);
        match on {
            Backend::Sqlite => soon(|| {
                let log = target.database_file().with_extension("db-wal");
                log.metadata().is_ok_and(|log| log.len() > 100_000).then_some(())
            }),
            Backend::Postgres => {
                let mut watch = conn(&target);
                let watch = std::cell::RefCell::new(&mut watch);
                soon(|| (count(&mut watch.borrow_mut(), OTHERS_MIGRATE) > 0).then_some(()));
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if !has_tables(&target) {
            return Some(target);
        }
        // It had ended by then, on a machine that was slow to kill it: then it had done everything.
        for table in ["\"user\"", "factor", "factor_step", "factor_secret"] {
            let [restored, backed_up] = [&target, &source].map(|place| count(&mut conn(place), table));
            assert_eq!(restored, backed_up, "{table}");
        }
        assert_eq!(target.json(&["audit", "verify"])["intact"], true);
        None
    };
    let target = (0..5).find_map(|_| killed()).expect("one that was killed before it ended");
    assert_eq!(restore(&target, &file)["rows"], made["rows"]);
    assert_eq!(target.json(&["audit", "verify"])["intact"], true);
}

fn a_spoilt_audit_log_is_backed_up_and_said_so(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    conn(&source).batch_execute("UPDATE audit SET outcome = 'refused: x' WHERE seq = 3").unwrap();
    let file = source.folder.path().join("all.db");
    let output = source.command(&["backup", "--quiet", file.to_str().unwrap()]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && text.contains("entry 3"), "{text}");
    let restored = restore(&empty(&source, on), &file);
    assert_eq!(restored["audit"]["broken_at"], 3);
}

fn a_table_that_is_not_known_stops_the_backup(on: Backend) {
    for change in [
        "CREATE TABLE addition (id INTEGER NOT NULL PRIMARY KEY)",
        "ALTER TABLE lockout ADD COLUMN addition BIGINT",
    ] {
        let source = Installation::new(on);
        Story::begin(&source);
        conn(&source).batch_execute(change).unwrap();
        let line = source.refused(&["backup", "all.db"]);
        assert!(line.contains("nothing was backed up"), "{line}");
        assert_eq!(names(source.folder.path()), ["data"]);
    }
}

fn the_statements_for_other_copies_do_what_a_restore_does(on: Backend) {
    if on == Backend::Sqlite {
        // They are PostgreSQL's.
        return;
    }
    let app = App::start_at(&Arc::new(Place::new(on)), Clock::fake(now()));
    let client = app.client_with(ClientSpec::with_scopes("offline_access"));
    app.user_with_password("alice");
    let (phone, slow) = (app.phone("alice"), app.hotp_token("alice", 7));
    client.otp("alice", &phone.code()).access_token();
    client.token(&[("grant_type", "client_credentials")]).access_token();
    client.mfa_token("alice");
    app.user("bob");
    app.hotp_token("bob", 0);
    let source = installation_of(&app);
    let target = empty(&source, on);
    restore(&target, &back_up(&source, "all.db").0);

    let guide = include_str!("../../../docs/OPERATING.md");
    let chapter = guide.split_once("### Very large PostgreSQL databases").unwrap().1;
    let statements = chapter.split_once("```sql").unwrap().1.split_once("```").unwrap().0;
    conn(&source).batch_execute(statements).unwrap();
    for same in [
        "recovery_code",
        "mfa_token",
        "invitation",
        "trusted_device",
        "reset_request",
        "session WHERE revoked_at IS NULL",
        "token WHERE revoked_at IS NULL",
        "token WHERE revoked_at IS NULL AND session_id IS NULL",
        "outbox WHERE state = 'waiting'",
        "factor_step WHERE last_step < -1",
        "factor_step WHERE last_step = -9",
        "factor_step WHERE last_step = -2",
        "factor_step WHERE last_step > 50000000",
    ] {
        assert_eq!(count(&mut conn(&source), same), count(&mut conn(&target), same), "{same}");
    }
    assert_eq!(count(&mut conn(&source), "factor_step WHERE last_step < -1"), 2);
    let steps = |of: &Installation| {
        let mut conn = conn(of);
        let tables = catalogue::tables(&mut conn).unwrap();
        let table = tables.iter().find(|table| table.name == "factor_step").unwrap();
        countersign::db::rows::page(&mut conn, table, None, 10).unwrap()
    };
    // Unless a step has begun meanwhile.
    let is_same = steps(&source) == steps(&target);
    let step = (now().unix_seconds() + 60) / 30 + 1;
    let last =
        count(&mut conn(&source), &format!("factor_step WHERE last_step BETWEEN {} AND {step}", step - 1));
    assert!(is_same || last == 1);
    client.otp("alice", &phone.code_at(1)).must_be(400, "invalid_grant");
    client.otp("alice", &slow.code()).must_be(400, "invalid_grant");
}
