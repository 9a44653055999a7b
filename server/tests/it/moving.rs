//! `countersign move`: everything arrives, nothing is forgotten, and at no moment do two databases accept codes.
//!
//! Each test moves from the database it runs on to one of the other kind.

use std::fs;
use std::process::{Child, Stdio};

use countersign::db::rows::{Row, page};
use countersign::db::{Conn, Database, catalogue, relocation};
use countersign::domain::relocation::{Relocation, Way};
use countersign::domain::target::Target;
use countersign::domain::time::Timestamp;
use diesel::connection::SimpleConnection;
use serde_json::Value;

use crate::process::{Installation, Story, soon};
use crate::{Backend, tests};

tests![
    everything_arrives_and_a_spent_code_stays_spent,
    every_value_arrives_as_it_was,
    a_database_in_another_encoding_moves_out on Postgres,
    a_database_moves_on_and_back_to_a_new_one,
    a_database_that_is_not_empty_is_refused_and_left_as_it_is,
    a_server_that_runs_on_does_nothing_during_the_move_and_after_it,
    an_interrupted_move_keeps_the_new_database_closed_and_goes_on,
    a_move_interrupted_at_its_last_step_is_finished,
    a_copy_of_the_new_database_alone_is_not_opened,
    an_unfinished_move_of_another_database_is_refused,
    the_same_database_is_refused,
    an_older_database_is_moved_and_a_newer_one_refused,
    a_table_that_is_not_known_stops_the_move,
    a_wrong_master_key_moves_nothing,
    a_database_that_is_not_there_is_refused_and_not_made,
];

/// An installation with the same master key and an empty database of the other kind.
pub fn elsewhere(source: &Installation, on: Backend) -> Installation {
    let folder = tempfile::Builder::new().prefix("cs-move-").tempdir().unwrap();
    let file = format!("sqlite://{}", folder.path().join("data/countersign.db").display());
    let database = match on {
        Backend::Sqlite => crate::cluster::empty_database(),
        Backend::Postgres => file,
    };
    let target = Installation { folder, database };
    fs::create_dir(target.data()).unwrap();
    fs::copy(source.master_key(), target.master_key()).unwrap();
    target
}

fn arguments<'a>(source: &'a Installation, target: &'a Installation) -> [&'a str; 5] {
    ["move", "--from", &source.database, "--to", &target.database]
}

pub fn database(installation: &Installation) -> Database {
    Database::new(Target::parse(&installation.database).unwrap(), 1, None)
}

pub fn conn(installation: &Installation) -> Conn {
    database(installation).look().unwrap().unwrap()
}

/// All rows of all tables, by the table's name before the database was closed.
pub fn rows(installation: &Installation) -> Vec<(String, Vec<Row>)> {
    let mut conn = conn(installation);
    let mut all = Vec::new();
    for table in catalogue::tables(&mut conn).unwrap() {
        let rows = page(&mut conn, &table, None, 100_000).unwrap();
        all.push((table.name.trim_start_matches("moved_").to_owned(), rows));
    }
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

pub fn of_table<'a>(moved: &'a Value, name: &str) -> &'a Value {
    moved["tables"].as_array().unwrap().iter().find(|table| table["table"] == name).unwrap()
}

/// Users enough that a move takes a while.
pub fn crowd(installation: &Installation) {
    let numbers = match conn(installation) {
        Conn::Sqlite(_) => {
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40000) \
             INSERT INTO \"user\" (id, name, name_folded, role, state, created_at) \
             SELECT randomblob(16), 'user' || i, 'user' || i, 'user', 'active', i FROM n"
        }
        Conn::Postgres(_) => {
            "INSERT INTO \"user\" (id, name, name_folded, role, state, created_at) \
             SELECT decode(md5(i::text), 'hex'), 'user' || i, 'user' || i, 'user', 'active', i \
             FROM generate_series(1, 40000) AS n (i)"
        }
    };
    conn(installation).batch_execute(numbers).unwrap();
}

/// A move under way, seen when some of the users have arrived.
fn under_way(source: &Installation, target: &Installation) -> Child {
    let child = source
        .command(&[&arguments(source, target)[..], &["--json"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    soon(|| {
        let mut conn = database(target).look().ok()??;
        let tables = catalogue::tables(&mut conn).ok()?;
        let users = tables.iter().find(|table| table.name == "user")?;
        let some = page(&mut conn, users, None, 1).ok()?;
        (!some.is_empty()).then_some(())
    });
    child
}

fn everything_arrives_and_a_spent_code_stays_spent(on: Backend) {
    let source = Installation::new(on);
    let server = source.serve();
    let story = Story::begin(&source);
    source.run(&["user", "add", "bob", "--email", "bob@example.org", "--role", "admin"]);
    let code = story.code(0);
    let (status, reply) = server.otp(&story.client, "alice", &code);
    assert_eq!(status, 200, "{reply}");
    assert_eq!(server.otp(&story.client, "alice", "000000").0, 400);
    assert_eq!(server.terminate(), Some(0));
    let questions: [&[&str]; 6] = [
        &["user", "list"],
        &["user", "show", "alice"],
        &["factor", "list", "alice"],
        &["session", "list", "alice"],
        &["client", "list"],
        &["key", "list"],
    ];
    let before = questions.map(|question| source.json(question));
    let log = source.json(&["audit", "list"]);

    let target = elsewhere(&source, on);
    let moved = source.json(&arguments(&source, &target));
    assert_eq!(moved["audit"]["intact"], true, "{moved}");
    assert_eq!(of_table(&moved, "user")["rows"], 2);
    assert_eq!(moved["rows"], moved["written"]);

    assert_eq!(questions.map(|question| target.json(question)), before);
    let log_there = target.json(&["audit", "list"]);
    let (entry, copied) = log_there.as_array().unwrap().split_last().unwrap();
    assert_eq!(copied, log.as_array().unwrap().as_slice());
    assert_eq!(
        (entry["action"].as_str(), entry["actor"].as_str()),
        (Some("database.moved"), Some("operator"))
    );
    assert_eq!(target.json(&["audit", "verify"])["intact"], true);
    let server = target.serve();
    assert_eq!(server.otp(&story.client, "alice", &code).0, 400, "a code that was spent before the move");
    let token = reply["access_token"].as_str().unwrap();
    assert_eq!(server.introspect(&story.client, token).1["active"], true);
    assert_eq!(server.otp(&story.client, "alice", &story.code(1)).0, 200);
    assert_eq!(target.json(&["audit", "verify"])["intact"], true);
}

fn every_value_arrives_as_it_was(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    source.run(&["user", "add", "Žofie \"x\" 'y' 数"]);
    source.run(&["scope", "set", "pay", "--one-use"]);
    source.run(&["group", "add", "staff"]);
    source.run(&["group", "join", "staff", "alice"]);
    source.run(&["grant", "give", "--group", "staff", "--scope", "pay"]);
    let bytes = |hex: &str| match on {
        Backend::Sqlite => format!("X'{hex}'"),
        Backend::Postgres => format!("decode('{hex}', 'hex')"),
    };
    let (least, most) = (i64::MIN, i64::MAX);
    let (empty, zeros, high) = (bytes(""), bytes("00"), bytes("FFFEFD0080"));
    // Keys that sort differently by language and by bytes, values at the ends of their ranges, empty and missing ones.
    conn(&source)
        .batch_execute(&format!(
            "INSERT INTO scope_rule VALUES ('B', '', '', NULL, {most}, NULL, TRUE, FALSE), \
             ('a', 'tab\tand\nline', NULL, {least}, 0, '', FALSE, TRUE), ('Ä', 'x', NULL, 1, 2, 'y', TRUE, TRUE); \
             INSERT INTO revocation VALUES (1, 'token', 'b', 1), (1, 'token', 'B', 2), (1, 'key', 'Z', 3), \
             ({most}, 'session', '', {least}); \
             INSERT INTO lockout VALUES ({zeros}, {least}, {most}, 0), ({high}, 1, 2, 3), ({empty}, -1, 0, 1);"
        ))
        .unwrap();
    let target = elsewhere(&source, on);
    let shown = source.run(&arguments(&source, &target));
    assert!(shown.contains("scope_rule") && shown.contains("master key"), "{shown}");
    let (here, there) = (rows(&source), rows(&target));
    assert_eq!(here.len(), there.len());
    for ((name, here), (name_there, there)) in here.iter().zip(&there) {
        assert_eq!(name, name_there);
        // The new log has one entry more: that it came from somewhere else.
        if name == "audit" {
            assert!(!here.is_empty() && here[..] == there[..here.len()] && there.len() == here.len() + 1);
        } else if name != "audit_head" {
            assert!(here == there, "{name}");
        }
    }
    for filled in ["user", "factor", "recovery_code", "scope_rule", "revocation", "lockout", "group_member"] {
        assert!(there.iter().any(|(name, rows)| name == filled && !rows.is_empty()), "{filled}");
    }
}

/// The way out for whoever had one before it was refused.
fn a_database_in_another_encoding_moves_out(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    let old =
        "UPDATE pg_database SET encoding = pg_char_to_encoding('LATIN1') WHERE datname = current_database()";
    conn(&source).batch_execute(old).unwrap();
    assert!(source.refused(&["serve"]).contains("keeps text as LATIN1"));
    // An empty database of the cluster, which is in UTF-8.
    let there = elsewhere(&source, Backend::Sqlite);
    source.run(&arguments(&source, &there));
    assert_eq!(there.serve().otp(&story.client, "alice", &story.code(0)).0, 200);
}

fn a_database_moves_on_and_back_to_a_new_one(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    let code = story.code(0);
    assert_eq!(source.serve().otp(&story.client, "alice", &code).0, 200);
    let there = elsewhere(&source, on);
    source.run(&arguments(&source, &there));
    let line = there.refused(&arguments(&there, &source));
    assert!(line.contains("was moved to"), "the old one is closed for good: {line}");
    let back = Installation::new(on);
    fs::create_dir_all(back.data()).unwrap();
    fs::copy(source.master_key(), back.master_key()).unwrap();
    there.run(&arguments(&there, &back));
    let server = back.serve();
    assert_eq!(server.otp(&story.client, "alice", &code).0, 400);
    assert_eq!(server.otp(&story.client, "alice", &story.code(1)).0, 200);
    assert_eq!(back.json(&["audit", "verify"])["intact"], true);
}

fn a_database_that_is_not_empty_is_refused_and_left_as_it_is(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    let used = elsewhere(&source, on);
    used.run(&["user", "list"]);
    let before = rows(&used);
    let line = source.refused(&arguments(&source, &used));
    assert!(line.contains("is not empty"), "{line}");
    assert!(rows(&used) == before);
    used.run(&["user", "list"]);

    let foreign = elsewhere(&source, on);
    fs::write(foreign.data().join("countersign.db"), "").unwrap();
    conn(&foreign).batch_execute("CREATE TABLE blog (id INTEGER)").unwrap();
    let line = source.refused(&arguments(&source, &foreign));
    assert!(line.contains("not Countersign's (blog)"), "{line}");
    assert_eq!(catalogue::names(&mut conn(&foreign)).unwrap(), ["blog"], "no table was added");

    // The source has lost nothing, and an empty one that has its tables already is empty.
    assert_eq!(source.serve().otp(&story.client, "alice", &story.code(0)).0, 200);
    let prepared = elsewhere(&source, on);
    database(&prepared).prepare().unwrap();
    source.run(&arguments(&source, &prepared));
    assert_eq!(prepared.serve().otp(&story.client, "alice", &story.code(1)).0, 200);
}

fn a_server_that_runs_on_does_nothing_during_the_move_and_after_it(on: Backend) {
    let source = Installation::new(on);
    let old = source.serve();
    let story = Story::begin(&source);
    crowd(&source);
    let (status, reply) = old.otp(&story.client, "alice", &story.code(-1));
    assert_eq!(status, 200, "{reply}");
    let token = reply["access_token"].as_str().unwrap();
    let target = elsewhere(&source, on);

    let moving = under_way(&source, &target);
    let code = story.code(0);
    let (status, reply) = old.otp(&story.client, "alice", &code);
    assert_eq!((status, reply.get("access_token")), (503, None), "{reply}");
    let output = moving.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");

    let (status, reply) = old.otp(&story.client, "alice", &code);
    assert_eq!((status, reply.get("access_token")), (503, None), "{reply}");
    // It does not vouch for what may have been revoked at the new one, either.
    assert_eq!((old.introspect(&story.client, token).0, old.get("/readyz")), (503, 503));
    for command in [&["serve"][..], &["user", "list"], &["factor", "reset", "alice"]] {
        let line = source.refused(command);
        assert!(line.contains("was moved to") && line.contains("closed for good"), "{line}");
    }
    let third = elsewhere(&source, on);
    assert!(source.refused(&arguments(&source, &third)).contains("was moved to"));

    let new = target.serve();
    let both = [&new, &old];
    let replies = crate::actors::at_once(8, |index| both[index % 2].otp(&story.client, "alice", &code).0);
    assert_eq!(replies.iter().filter(|status| **status == 200).count(), 1, "{replies:?}");
    assert_eq!(new.introspect(&story.client, token).1["active"], true);
}

fn an_interrupted_move_keeps_the_new_database_closed_and_goes_on(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    source.run(&["user", "add", "carol"]);
    source.run(&["factor", "enrol", "carol", "--kind", "hotp", "--active"]);
    crowd(&source);
    let target = elsewhere(&source, on);
    let mut moving = under_way(&source, &target);
    moving.kill().unwrap();
    moving.wait().unwrap();

    for command in [&["serve"][..], &["user", "list"]] {
        let line = target.refused(command);
        assert!(line.contains("is not finished") && line.contains("countersign move"), "{line}");
    }
    // Meanwhile the old one goes on, and what was copied is out of date.
    let code = story.code(0);
    let server = source.serve();
    assert_eq!(server.otp(&story.client, "alice", &code).0, 200);
    assert_eq!(server.terminate(), Some(0));
    source.run(&["user", "remove", "user7"]);
    source.run(&["user", "lock", "user8"]);
    source.run(&["user", "remove", "carol"]);
    source.run(&["user", "add", "carol"]);

    let moved = source.json(&arguments(&source, &target));
    let users = of_table(&moved, "user");
    assert_eq!(users["rows"], 40_001);
    assert!(users["written"].as_u64().unwrap() < 40_001, "what was there is not written again: {users}");
    assert_eq!(moved["audit"]["intact"], true);
    assert!(target.refused(&["user", "show", "user7"]).contains("no such user"));
    assert_eq!(target.json(&["user", "show", "user8"])["state"], "locked");
    assert_eq!(target.json(&["factor", "list", "carol"]).as_array().unwrap().len(), 0);
    for ((name, here), (_, there)) in rows(&source).iter().zip(&rows(&target)) {
        assert!(name.starts_with("audit") || here == there, "{name}");
    }
    let server = target.serve();
    assert_eq!(server.otp(&story.client, "alice", &code).0, 400);
    assert_eq!(server.otp(&story.client, "alice", &story.code(1)).0, 200);
}

/// Puts the new database back to where it was before its last step.
fn close_again(source: &Installation, target: &Installation, mark: Vec<u8>) {
    let left = relocation::find(&mut conn(source)).unwrap().unwrap();
    assert_eq!(left.way, Way::Left);
    let place = "elsewhere".to_owned();
    let arriving = Relocation { way: Way::Arriving, mark, other: Some(left.mark), place, at: left.at };
    relocation::set(&mut conn(target), &arriving).unwrap();
}

fn a_move_interrupted_at_its_last_step_is_finished(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    let target = elsewhere(&source, on);
    source.run(&arguments(&source, &target));
    let mark = relocation::find(&mut conn(&source)).unwrap().unwrap().other.unwrap();
    close_again(&source, &target, mark);
    assert!(source.refused(&["serve"]).contains("was moved to"));
    assert!(target.refused(&["serve"]).contains("is not finished"));
    let moved = source.json(&arguments(&source, &target));
    assert_eq!((moved["written"].as_u64(), of_table(&moved, "user")["rows"].as_u64()), (Some(0), Some(1)));
    assert_eq!(target.serve().otp(&story.client, "alice", &story.code(0)).0, 200);
}

fn a_copy_of_the_new_database_alone_is_not_opened(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    let target = elsewhere(&source, on);
    source.run(&arguments(&source, &target));
    // Begun from the same source and verified, but it is not where everything went in the end.
    close_again(&source, &target, vec![7; 16]);
    assert!(source.refused(&arguments(&source, &target)).contains("was moved to"));
    assert!(target.refused(&["serve"]).contains("is not finished"));
}

fn an_unfinished_move_of_another_database_is_refused(on: Backend) {
    let source = Installation::new(on);
    Story::begin(&source);
    let target = elsewhere(&source, on);
    let mut conn = database(&target).prepare_for_move().unwrap();
    let arriving = Relocation {
        way: Way::Arriving,
        mark: vec![1; 16],
        other: Some(vec![2; 16]),
        place: "sqlite://other.db".to_owned(),
        at: Timestamp::from_millis(1_700_000_000_000),
    };
    relocation::set(&mut conn, &arriving).unwrap();
    let line = source.refused(&arguments(&source, &target));
    assert!(line.contains("unfinished move of another database"), "{line}");
    let line = target.refused(&["serve"]);
    assert!(line.contains("sqlite://other.db") && line.contains("2023-11-14"), "{line}");
}

fn the_same_database_is_refused(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    let again = match on {
        Backend::Sqlite => {
            let link = source.folder.path().join("link.db");
            std::os::unix::fs::symlink(source.database_file(), &link).unwrap();
            format!("sqlite://{}", link.display())
        }
        Backend::Postgres => source.database.replace("postgres:///", "postgresql:///") + "&connect_timeout=3",
    };
    for to in [&source.database, &again] {
        let line = source.refused(&["move", "--to", to]);
        assert!(line.contains("the same database"), "{line}");
    }
    assert_eq!(source.serve().otp(&story.client, "alice", &story.code(0)).0, 200);
}

fn an_older_database_is_moved_and_a_newer_one_refused(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    conn(&source)
        .batch_execute(
            "DROP TABLE relocation; DELETE FROM __diesel_schema_migrations WHERE version = '20261125000003'",
        )
        .unwrap();
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')";
    let target = elsewhere(&source, on);
    database(&target).prepare().unwrap();
    conn(&target).batch_execute(newer).unwrap();
    let line = source.refused(&arguments(&source, &target));
    assert!(line.contains("newer version"), "{line}");

    let target = elsewhere(&source, on);
    source.run(&arguments(&source, &target));
    assert_eq!(target.serve().otp(&story.client, "alice", &story.code(0)).0, 200);

    conn(&target).batch_execute(newer).unwrap();
    let third = elsewhere(&source, on);
    let line = target.refused(&arguments(&target, &third));
    assert!(line.contains("newer version"), "{line}");
}

fn a_table_that_is_not_known_stops_the_move(on: Backend) {
    for change in [
        "CREATE TABLE addition (id INTEGER NOT NULL PRIMARY KEY)",
        "ALTER TABLE lockout ADD COLUMN addition BIGINT",
    ] {
        let source = Installation::new(on);
        let story = Story::begin(&source);
        conn(&source).batch_execute(change).unwrap();
        let target = elsewhere(&source, on);
        let line = source.refused(&arguments(&source, &target));
        assert!(line.contains("does not look alike"), "{line}");
        assert_eq!(source.serve().otp(&story.client, "alice", &story.code(0)).0, 200);
    }
}

fn a_wrong_master_key_moves_nothing(on: Backend) {
    let source = Installation::new(on);
    let story = Story::begin(&source);
    let wrong = source.folder.path().join("wrong.key");
    source.run(&["master-key", "new", wrong.to_str().unwrap()]);
    let target = elsewhere(&source, on);
    let command =
        [&arguments(&source, &target)[..], &["--master-key-file", wrong.to_str().unwrap()]].concat();
    assert!(source.refused(&command).contains("not the one that sealed this database"));
    assert_eq!(source.serve().otp(&story.client, "alice", &story.code(0)).0, 200);
    target.run(&["user", "list"]);
}

fn a_database_that_is_not_there_is_refused_and_not_made(on: Backend) {
    let source = Installation::new(on);
    let target = elsewhere(
        &{
            Story::begin(&source);
            source
        },
        on,
    );
    let missing = target.folder.path().join("none.db");
    let url = format!("sqlite://{}", missing.display());
    let line = target.refused(&["move", "--from", &url, "--to", &target.database]);
    assert!(line.contains("there is no database at"), "{line}");
    assert!(!missing.exists());
    // One that has tables and no key was never used.
    let unused = Installation::new(on);
    fs::create_dir_all(unused.data()).unwrap();
    database(&unused).prepare().unwrap();
    let line = unused.refused(&arguments(&unused, &target));
    assert!(line.contains("was never used"), "{line}");
    for (from, to) in [("postgres", target.database.as_str()), (target.database.as_str(), "mysql://x")] {
        let line = target.refused(&["move", "--from", from, "--to", to]);
        assert!(line.contains("must be sqlite://PATH or postgres://"), "{line}");
    }
    assert_eq!(target.command(&["move"]).output().unwrap().status.code(), Some(2));
}
