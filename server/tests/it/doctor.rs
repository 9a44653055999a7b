//! `countersign doctor`, through the real binary: what is wrong is named, nothing else is, and nothing is changed by looking.
//!
//! The tests' PostgreSQL does not wait for the disk, which it is right to complain of; `replicas` has one that does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use countersign::app::doctor;
use countersign::clock::Clock;
use countersign::db::{Conn, Database};
use countersign::domain::target::Target;
use diesel::connection::SimpleConnection;
use serde_json::Value;

use crate::process::Installation;
use crate::smtp::{Mode, Smtp};
use crate::{Backend, tests};

tests![
    a_healthy_installation_is_healthy_and_stays_as_it_is,
    a_place_where_nothing_is_stays_so,
    a_folder_of_any_name_is_looked_into on Sqlite,
    a_server_that_runs_is_looked_at_as_it_is,
    a_killed_server_leaves_its_log_and_so_does_the_doctor,
    a_wrong_or_missing_master_key_is_named,
    files_that_others_may_read_are_named,
    certificates_that_browsers_refuse_are_named,
    settings_that_do_not_go_together_are_named,
    signing_keys_that_do_not_sign_are_named,
    a_secret_that_does_not_open_is_named,
    a_database_that_cannot_be_reached_keeps_nothing_else_from_being_looked_at,
    a_database_that_a_move_has_closed_is_named,
    a_backup_in_the_place_of_a_database_is_named,
    a_folder_that_others_may_write_in_is_named_wherever_it_is,
    newer_and_older_tables_are_named_and_left,
    a_mail_server_that_cannot_be_used_is_named,
    an_altered_log_is_found_by_a_deep_look,
    a_damaged_file_is_found_by_a_deep_look on Sqlite,
    what_somebody_should_know_is_a_note,
    the_doctor_keeps_its_lock_on_a_file_that_is_in_use on Sqlite,
];

/// One with an administrator who has a second factor.
fn healthy(on: Backend) -> Installation {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "root", "--role", "admin"]);
    installation.run(&["factor", "enrol", "root", "--kind", "totp", "--active"]);
    installation
}

/// What was found, by check: the state and all that was said.
struct Found {
    checks: BTreeMap<String, (String, String)>,
    all: String,
}

impl Found {
    /// Runs the command, which must change nothing.
    #[track_caller]
    fn by(installation: &Installation, mut command: Command) -> Self {
        let before = state(installation);
        let output = command.arg("--json").output().unwrap();
        assert!(before == state(installation), "something was changed");
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!errors.contains("panicked"), "{errors}");
        let document: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text} {errors}"));
        let mut checks = BTreeMap::new();
        for check in document["checks"].as_array().unwrap() {
            let word = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
            assert!(!word("says").is_empty() && !word("says").contains('\n'), "{check}");
            assert!(word("state") != "problem" || !word("do").is_empty(), "{check}");
            let known = checks.insert(word("check"), (word("state"), word("says") + " " + &word("do")));
            assert_eq!(known, None, "each is looked at once");
        }
        let is_healthy = checks.values().all(|(state, _)| state != "problem");
        assert_eq!(document["healthy"], is_healthy);
        assert_eq!(output.status.code(), Some(i32::from(!is_healthy)));
        assert_eq!(errors.is_empty(), is_healthy, "{errors}");
        Self { checks, all: text + &errors }
    }

    #[track_caller]
    fn of(installation: &Installation, arguments: &[&str]) -> Self {
        Self::by(installation, installation.command(&[&["doctor"], arguments].concat()))
    }

    fn in_state(&self, state: &str) -> Vec<&str> {
        self.checks.iter().filter(|(_, (found, _))| found == state).map(|(check, _)| check.as_str()).collect()
    }

    /// All problems but what the tests' own PostgreSQL is made for.
    fn problems(&self) -> Vec<&str> {
        let mut problems = self.in_state("problem");
        problems.retain(|check| *check != "durability");
        problems
    }

    /// These are the problems, and no others.
    #[track_caller]
    fn has_problems(&self, checks: &[&str]) -> &Self {
        assert_eq!(self.problems(), checks, "{}", self.all);
        self
    }

    #[track_caller]
    fn says(&self, check: &str, what: &str) -> &Self {
        assert!(self.checks[check].1.contains(what), "{check}: {:?}", self.checks[check]);
        self
    }

    #[track_caller]
    fn is(&self, check: &str, state: &str) -> &Self {
        assert_eq!(self.checks[check].0, state, "{}", self.all);
        self
    }
}

/// Everything below the folder: contents, modes and times; and on PostgreSQL all rows.
type State = (BTreeMap<String, (Vec<u8>, u32, SystemTime)>, Vec<(String, Vec<countersign::db::rows::Row>)>);

fn state(installation: &Installation) -> State {
    fn gather(folder: &Path, files: &mut BTreeMap<String, (Vec<u8>, u32, SystemTime)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = path.symlink_metadata().unwrap();
            // How SQLite's processes agree among themselves: every reader leaves its mark there.
            let is_marks = path.to_str().unwrap().ends_with("-shm");
            let content = if meta.is_file() && !is_marks { fs::read(&path).unwrap() } else { Vec::new() };
            let changed = if is_marks { SystemTime::UNIX_EPOCH } else { meta.modified().unwrap() };
            files.insert(path.display().to_string(), (content, meta.permissions().mode(), changed));
            if meta.is_dir() {
                gather(&path, files);
            }
        }
    }
    let mut files = BTreeMap::new();
    gather(installation.folder.path(), &mut files);
    // Looking by another way would leave files of SQLite's own.
    let is_newer = |error: &countersign::db::MigrateError| error.to_string().contains("newer");
    let rows = match Target::parse(&installation.database).unwrap() {
        Target::Postgres(url) => match Database::new(Target::Postgres(url), 1, None).look() {
            Err(error) if is_newer(&error) => Vec::new(),
            _ => crate::moving::rows(installation),
        },
        Target::Sqlite(_) => Vec::new(),
    };
    (files, rows)
}

/// Does something to the database that the program never would. Nobody has it open afterwards.
fn spoil(installation: &Installation, statements: &str) {
    let mut conn = conn(installation);
    conn.batch_execute(statements).unwrap();
}

fn conn(installation: &Installation) -> Conn {
    Database::new(Target::parse(&installation.database).unwrap(), 1, None).look().unwrap().unwrap()
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn a_healthy_installation_is_healthy_and_stays_as_it_is(on: Backend) {
    let installation = healthy(on);
    for arguments in [&[][..], &["--deep"]] {
        let found = Found::of(&installation, arguments);
        found.has_problems(&[]).is("master_key", "ok").is("signing_keys", "ok").is("secrets", "ok");
        found
            .is("migrations", "ok")
            .is("administrators", "ok")
            .is("audit_log", "ok")
            .is("housekeeping", "ok");
        // Nobody said where mails go.
        assert_eq!(found.in_state("note"), ["mail"], "{}", found.all);
        let key = fs::read_to_string(installation.master_key()).unwrap();
        assert!(!found.all.contains(key.trim_end().rsplit(':').next().unwrap()));
    }
    // For people it is a table, with what to do below what was found.
    let output = installation.command(&["doctor"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("CHECK") && text.contains("-> set smtp_url and mail_from"), "{text}");
}

fn a_place_where_nothing_is_stays_so(on: Backend) {
    let installation = Installation::new(on);
    let found = Found::of(&installation, &["--deep"]);
    match on {
        Backend::Sqlite => {
            found.has_problems(&["data_folder", "database", "master_key_file"]);
            assert!(!installation.data().exists());
        }
        Backend::Postgres => {
            found.has_problems(&[]).is("migrations", "note").says("migrations", "is empty");
            found.is("master_key", "note").says("signing_keys", "not looked at");
            fs::write(installation.master_key(), "secret words").unwrap();
            Found::of(&installation, &[]).has_problems(&["master_key"]);
            fs::remove_file(installation.master_key()).unwrap();
            let found = Found::of(&installation, &[]);
            found.has_problems(&["master_key", "master_key_file"]).says("master_key", "master-key new");
        }
    }
}

fn a_folder_of_any_name_is_looked_into(on: Backend) {
    let installation = Installation::new(on);
    for name in ["da ta?#%41&mode=rwc", "-x", "ünüblich"] {
        let data = installation.folder.path().join(name);
        for data in [data.display().to_string(), format!("//{}", data.display()), format!("./{name}")] {
            let command = |arguments: &[&str]| {
                let mut command = installation.command(arguments);
                command.env_remove("COUNTERSIGN_DATABASE").env("COUNTERSIGN_DATA", &data);
                command
            };
            assert!(command(&["user", "list"]).output().unwrap().status.success());
            let found = Found::by(&installation, command(&["doctor", "--deep"]));
            found.has_problems(&[]).is("master_key", "ok");
        }
    }
}

fn a_server_that_runs_is_looked_at_as_it_is(on: Backend) {
    let installation = healthy(on);
    let server = installation.serve();
    // What stands in SQLite's log alone counts, too.
    installation.run(&["user", "add", "bob"]);
    let entries = installation.json(&["audit", "verify"])["entries"].to_string();
    let found = Found::of(&installation, &["--deep"]);
    found.has_problems(&[]).says("audit_chain", &format!("all {entries} entries"));
    assert_eq!(server.get("/readyz"), 200);
    assert_eq!(server.terminate(), Some(0));
}

fn a_killed_server_leaves_its_log_and_so_does_the_doctor(on: Backend) {
    let installation = healthy(on);
    let server = installation.serve();
    installation.run(&["user", "add", "bob"]);
    let entries = installation.json(&["audit", "verify"])["entries"].to_string();
    server.kill();
    Found::of(&installation, &["--deep"])
        .has_problems(&[])
        .says("audit_chain", &format!("all {entries} entries"));
}

fn a_wrong_or_missing_master_key_is_named(on: Backend) {
    let installation = healthy(on);
    let kept = installation.folder.path().join("kept.key");
    fs::rename(installation.master_key(), &kept).unwrap();
    let found = Found::of(&installation, &[]);
    found.has_problems(&["master_key", "master_key_file"]).says("master_key", "does not exist");
    // What needs no key is looked at all the same.
    found.is("administrators", "ok").is("audit_log", "ok").is("secrets", "note");
    installation.run(&["master-key", "new", installation.master_key().to_str().unwrap()]);
    let found = Found::of(&installation, &[]);
    found.has_problems(&["master_key"]).says("master_key", "is not the one that sealed this database");
    let key = fs::read_to_string(installation.master_key()).unwrap();
    assert!(!found.all.contains(key.trim_end().rsplit(':').next().unwrap()));
    fs::write(installation.master_key(), "secret words").unwrap();
    let found = Found::of(&installation, &[]);
    found.has_problems(&["master_key"]).says("master_key", "does not hold a master key");
    assert!(!found.all.contains("secret words"));
}

fn files_that_others_may_read_are_named(on: Backend) {
    let installation = healthy(on);
    chmod(&installation.master_key(), 0o644);
    let found = Found::of(&installation, &[]);
    found
        .has_problems(&["master_key_file"])
        .says("master_key_file", "0644")
        .says("master_key_file", "chmod 600");
    chmod(&installation.master_key(), 0o640);
    Found::of(&installation, &[]).has_problems(&[]).is("master_key_file", "note");
    chmod(&installation.master_key(), 0o400);
    Found::of(&installation, &[]).has_problems(&[]).is("master_key_file", "ok");
    if on == Backend::Sqlite {
        chmod(&installation.database_file(), 0o604);
        chmod(&installation.data(), 0o755);
        let found = Found::of(&installation, &[]);
        found.has_problems(&["database_file"]).is("data_folder", "note");
        chmod(&installation.database_file(), 0o600);
        chmod(&installation.data(), 0o777);
        Found::of(&installation, &[]).has_problems(&["data_folder"]);
        chmod(&installation.data(), 0o700);
    }
    // A settings file is nobody's business where it holds a password.
    let settings = installation.data().join("countersign.toml");
    let write = |url: &str| {
        fs::write(&settings, format!("smtp_url = \"{url}\"\nmail_from = \"a@b.example\"\n")).unwrap();
        chmod(&settings, 0o644);
    };
    write("smtps://mail.example");
    Found::of(&installation, &[]).has_problems(&[]);
    write("smtps://us:hush@mail.example");
    let found = Found::of(&installation, &[]);
    found.has_problems(&["settings_file"]);
    assert!(!found.all.contains("hush"));

    let token = installation.folder.path().join("metrics.token");
    let look = || Found::of(&installation, &["--metrics-token-file", token.to_str().unwrap()]);
    look().has_problems(&["metrics_token_file", "settings_file"]);
    fs::write(&token, "hush-hush-hush-hush").unwrap();
    chmod(&token, 0o600);
    look().has_problems(&["settings_file"]).is("metrics_token_file", "ok");
    chmod(&token, 0o644);
    look().has_problems(&["metrics_token_file", "settings_file"]);
    fs::write(&token, "hush").unwrap();
    assert!(!look().has_problems(&["metrics_token_file", "settings_file"]).all.contains("hush"));
}

/// A certificate for `localhost` that is good from so many days from now to so many; with its key, as PEM files.
fn certificate(installation: &Installation, from: i64, until: i64) -> [String; 2] {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let day = |days: i64| {
        let seconds = Duration::from_secs(days.unsigned_abs() * 86_400);
        let now = SystemTime::now();
        if days < 0 { (now - seconds).into() } else { (now + seconds).into() }
    };
    (params.not_before, params.not_after) = (day(from), day(until));
    let key = rcgen::KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    [("cert.pem", made.pem()), ("key.pem", key.serialize_pem())].map(|(name, text)| {
        let path = installation.folder.path().join(name);
        fs::write(&path, text).unwrap();
        chmod(&path, 0o600);
        path.to_str().unwrap().to_owned()
    })
}

fn certificates_that_browsers_refuse_are_named(on: Backend) {
    let installation = healthy(on);
    let look = |[cert, key]: &[String; 2], url: &str| {
        Found::of(&installation, &["--tls-cert", cert, "--tls-key", key, "--public-url", url])
    };
    let url = "https://localhost:8443";
    look(&certificate(&installation, -1, 90), url).has_problems(&[]).is("tls", "ok").is("tls_key_file", "ok");
    look(&certificate(&installation, -1, 9), url).has_problems(&[]).is("tls", "note").says("tls", "8 days");
    look(&certificate(&installation, -9, -1), url).has_problems(&["tls"]).says("tls", "has expired on");
    look(&certificate(&installation, 3, 9), url).has_problems(&["tls"]).says("tls", "only from");
    let good = certificate(&installation, -1, 90);
    look(&good, "https://login.example").has_problems(&["tls"]).says("tls", "is not for the host");
    look(&good, "http://localhost:8443").has_problems(&["listen"]);
    chmod(Path::new(&good[1]), 0o644);
    look(&good, url).has_problems(&["tls_key_file"]);
    // The key of another certificate; files that hold something else, or are not there.
    let [cert, _] = certificate(&installation, -1, 90);
    let kept = installation.folder.path().join("kept.pem");
    fs::rename(&cert, &kept).unwrap();
    let [_, other] = certificate(&installation, -1, 90);
    look(&[kept.to_str().unwrap().to_owned(), other.clone()], url).has_problems(&["tls"]);
    look(&[other.clone(), other.clone()], url).has_problems(&["tls"]);
    let nowhere = "/nowhere/x.pem".to_owned();
    look(&[nowhere.clone(), nowhere], url).has_problems(&["tls", "tls_key_file"]);
    let found = Found::of(&installation, &["--tls", "self-signed", "--public-url", url]);
    found.has_problems(&[]).is("tls", "note");
}

fn settings_that_do_not_go_together_are_named(on: Backend) {
    let installation = healthy(on);
    let found = |arguments: &[&str]| Found::of(&installation, arguments);
    found(&["--behind-proxy"]).has_problems(&["public_url"]);
    found(&["--behind-proxy", "--public-url", "http://login.example"]).has_problems(&["public_url"]);
    found(&["--behind-proxy", "--public-url", "https://example.org/login"])
        .has_problems(&[])
        .is("public_url", "note");
    found(&["--behind-proxy", "--public-url", "https://login.example"]).has_problems(&[]);
    found(&["--public-url", "https://login.example"]).has_problems(&["listen"]);
    // Settings that cannot be read are told like all else.
    for (arguments, name) in [(&["--listen", "0.0.0.0:80"][..], "listen"), (&["--log", "=x="], "log")] {
        let found = found(arguments);
        assert_eq!((found.checks.len(), found.problems()), (1, vec!["settings"]));
        found.says("settings", name);
    }
    let mut command = installation.command(&["doctor"]);
    command.env("COUNTERSIGN_PORT", "tcp://10.0.0.1");
    Found::by(&installation, command)
        .has_problems(&[])
        .is("settings", "note")
        .says("settings", "COUNTERSIGN_PORT");
}

fn signing_keys_that_do_not_sign_are_named(on: Backend) {
    let installation = healthy(on);
    spoil(
        &installation,
        "UPDATE signing_key SET activated_at = activated_at - 7948800000 WHERE state = 'current'",
    );
    let found = Found::of(&installation, &[]);
    found
        .has_problems(&[])
        .is("signing_keys", "note")
        .says("signing_keys", "92 days, longer than key_rotation_days");
    Found::of(&installation, &["--key-rotation-days", "0"]).is("signing_keys", "ok");
    spoil(&installation, "DELETE FROM signing_key WHERE state = 'next'");
    Found::of(&installation, &["--key-rotation-days", "0"])
        .is("signing_keys", "note")
        .says("signing_keys", "no next one");
    spoil(&installation, "UPDATE signing_key SET state = 'retired', retired_at = created_at");
    let found = Found::of(&installation, &[]);
    found.has_problems(&["signing_keys"]).says("signing_keys", "no signing key is the current one");
    // As it says: a start makes new ones.
    installation.run(&["key", "list"]);
    Found::of(&installation, &[]).has_problems(&[]).is("signing_keys", "ok");
    spoil(&installation, "UPDATE signing_key SET sealed = public_key WHERE state = 'retired'");
    let found = Found::of(&installation, &[]);
    found.has_problems(&["signing_keys"]).says("signing_keys", "1 of 3 signing keys do not open");
}

fn a_secret_that_does_not_open_is_named(on: Backend) {
    let installation = healthy(on);
    for name in ["alice", "bob"] {
        installation.run(&["user", "add", name]);
        installation.run(&["factor", "enrol", name, "--kind", "totp", "--active"]);
    }
    Found::of(&installation, &["--deep"]).says("secrets", "3 factors' secrets were opened");
    // One that is another's: whoever has that phone would be taken for this user.
    spoil(
        &installation,
        "UPDATE factor_secret SET sealed = (SELECT sealed FROM factor_secret ORDER BY factor_id LIMIT 1) \
         WHERE factor_id = (SELECT factor_id FROM factor_secret ORDER BY factor_id DESC LIMIT 1)",
    );
    for arguments in [&[][..], &["--deep"]] {
        let found = Found::of(&installation, arguments);
        found
            .has_problems(&["secrets"])
            .says("secrets", "1 factors' secrets do not open")
            .says("secrets", "2 do");
    }
    // What a phone's proof is checked with is a secret, too.
    spoil(
        &installation,
        "UPDATE factor_phone SET sealed = (SELECT sealed FROM factor_secret ORDER BY factor_id LIMIT 1) \
         WHERE factor_id = (SELECT factor_id FROM factor_secret ORDER BY factor_id LIMIT 1)",
    );
    Found::of(&installation, &[])
        .has_problems(&["secrets"])
        .says("secrets", "2 factors' secrets do not open");
}

fn a_database_that_cannot_be_reached_keeps_nothing_else_from_being_looked_at(on: Backend) {
    let installation = healthy(on);
    let database = match on {
        Backend::Sqlite => {
            fs::write(installation.database_file(), "no database ".repeat(1000)).unwrap();
            installation.database.as_str()
        }
        Backend::Postgres => "postgres://us:hush@localhost/cs?host=/nowhere",
    };
    chmod(&installation.master_key(), 0o644);
    let [cert, key] = certificate(&installation, -9, -1);
    let tls = ["--tls-cert", &cert, "--tls-key", &key, "--public-url", "https://localhost:8443"];
    let found = Found::of(&installation, &[&["--database", database], &tls[..]].concat());
    found.has_problems(&["database", "master_key_file", "tls"]).says("audit_log", "not looked at");
    assert!(!found.all.contains("hush"));
    if on == Backend::Sqlite {
        fs::remove_file(installation.database_file()).unwrap();
        Found::of(&installation, &[]).says("database", "there is no database at");
        assert!(!installation.database_file().exists());
    }
}

fn a_database_that_a_move_has_closed_is_named(on: Backend) {
    let source = healthy(on);
    let target = crate::moving::elsewhere(&source, on);
    source.run(&["move", "--from", &source.database, "--to", &target.database]);
    let found = Found::of(&source, &["--deep"]);
    found.has_problems(&["move"]).says("move", "the database was moved to").says("secrets", "not looked at");
    Found::of(&target, &["--deep"]).has_problems(&[]).is("move", "ok").is("audit_chain", "ok");
}

fn a_backup_in_the_place_of_a_database_is_named(on: Backend) {
    let installation = healthy(on);
    let file = installation.folder.path().join("all.db");
    installation.run(&["backup", file.to_str().unwrap()]);
    let database = format!("sqlite://{}", file.display());
    let found = Found::of(&installation, &["--database", &database]);
    assert!(found.problems().contains(&"database"), "{}", found.all);
    found.says("database", "is a backup");
    assert!(found.all.contains("countersign restore"), "{}", found.all);
}

/// Whoever may write in the folder of a file may put another in its place.
fn a_folder_that_others_may_write_in_is_named_wherever_it_is(on: Backend) {
    let installation = healthy(on);
    let open = installation.folder.path().join("open");
    fs::create_dir(&open).unwrap();
    chmod(&open, 0o777);
    let key = open.join("master.key");
    fs::copy(installation.master_key(), &key).unwrap();
    let look = || Found::of(&installation, &["--master-key-file", key.to_str().unwrap()]);
    look().has_problems(&["master_key_folder"]);
    chmod(&open, 0o755);
    look().has_problems(&[]);
}

fn newer_and_older_tables_are_named_and_left(on: Backend) {
    let installation = healthy(on);
    crate::upgrade::step_back(&mut conn(&installation));
    let found = Found::of(&installation, &["--deep"]);
    found.has_problems(&[]).is("migrations", "note").says("migrations", "1 migrations are to be run");
    found.is("master_key", "ok").says("audit_log", "not looked at");
    installation.run(&["user", "list"]);
    spoil(&installation, "INSERT INTO __diesel_schema_migrations (version) VALUES ('99999999999999')");
    let found = Found::of(&installation, &["--deep"]);
    found
        .has_problems(&["migrations"])
        .says("migrations", "newer than this program (version 99999999999999)");
}

fn a_mail_server_that_cannot_be_used_is_named(on: Backend) {
    let installation = healthy(on);
    let login = "mail%40login.example:p%40ss%2Fword%3A%20100%25";
    let look_as = |login: &str, scheme: &str, port: u16, arguments: &[&str]| {
        let url = format!("{scheme}://{login}@127.0.0.1:{port}");
        let own = ["--smtp-url", &url, "--mail-from", "noreply@login.example"];
        let found = Found::of(&installation, &[&own[..], arguments].concat());
        assert!(["hush", "p@ss", "p%40ss"].iter().all(|secret| !found.all.contains(secret)));
        found
    };
    let look = |scheme: &str, port: u16, arguments: &[&str]| look_as(login, scheme, port, arguments);
    let smtp = Smtp::start(Mode::Plain);
    look("smtp+plain", smtp.port, &["--deep"]).is("mail", "ok").says("mail", "has answered");
    let found = look_as("us:hush", "smtp+plain", smtp.port, &["--deep"]);
    found.has_problems(&["mail"]).says("mail", "AUTH: 535");
    assert!(smtp.taken().is_empty(), "nobody gets a mail");
    // Its certificate is nobody's, and without one there is no login.
    for (mode, scheme) in [(Mode::Tls, "smtps"), (Mode::StartTls, "smtp")] {
        let strange = Smtp::start(mode);
        let found = look(scheme, strange.port, &["--deep"]);
        found.has_problems(&["mail"]).says("mail", "the certificate is not trusted");
    }
    look("smtp", smtp.port, &["--deep"]).has_problems(&["mail"]).says("mail", "does not offer STARTTLS");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    look("smtp+plain", port, &["--deep"]).has_problems(&["mail"]).says("mail", "connection refused");
    // Without --deep nobody is called.
    look("smtp+plain", port, &[]).has_problems(&[]).is("mail", "ok");
}

fn an_altered_log_is_found_by_a_deep_look(on: Backend) {
    let installation = healthy(on);
    spoil(&installation, "UPDATE audit SET actor = 'operator2' WHERE seq = 3");
    Found::of(&installation, &[]).has_problems(&[]);
    Found::of(&installation, &["--deep"])
        .has_problems(&["audit_chain"])
        .says("audit_chain", "entry 3 was altered");
}

fn a_damaged_file_is_found_by_a_deep_look(on: Backend) {
    let installation = healthy(on);
    // A page of a table that nobody looks at otherwise.
    let mut bytes = fs::read(installation.database_file()).unwrap();
    let page =
        rows_of(&installation, "SELECT rootpage AS number FROM sqlite_master WHERE name = 'access_grant'");
    let size = rows_of(&installation, "SELECT page_size AS number FROM pragma_page_size");
    let place = usize::try_from((page - 1) * size).unwrap();
    bytes[place..place + 100].fill(0x55);
    fs::write(installation.database_file(), bytes).unwrap();
    let found = Found::of(&installation, &["--deep"]);
    assert!(found.problems().contains(&"damage"), "{}", found.all);
}

fn rows_of(installation: &Installation, question: &str) -> i64 {
    use diesel::RunQueryDsl as _;
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        number: i64,
    }
    let row: Row = diesel::sql_query(question).get_result(&mut conn(installation)).unwrap();
    row.number
}

fn what_somebody_should_know_is_a_note(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "list"]);
    Found::of(&installation, &[]).has_problems(&[]).says("administrators", "there is no user yet");
    installation.run(&["user", "add", "alice"]);
    Found::of(&installation, &[]).is("administrators", "note").says("administrators", "no active user");
    installation.run(&["user", "add", "root", "--role", "admin", "--email", "root@login.example"]);
    Found::of(&installation, &[]).is("administrators", "note").says("administrators", "has a second factor");
    installation.run(&["user", "invite", "root"]);
    let found = Found::of(&installation, &[]);
    found.is("outbox", "note").says("outbox", "1 mails wait").is("housekeeping", "ok").is("lockouts", "ok");
    spoil(
        &installation,
        "UPDATE outbox SET state = 'failed'; UPDATE invitation SET expires_at = 0; \
         INSERT INTO lockout (subject, failures, locked_until, attempted_at) \
         SELECT id, 100, 9223372036854775807, 0 FROM \"user\" WHERE name = 'alice' \
         ON CONFLICT (subject) DO UPDATE SET failures = 100, locked_until = 9223372036854775807",
    );
    let found =
        Found::of(&installation, &["--smtp-url", "smtps://mail.example", "--mail-from", "a@b.example"]);
    found.has_problems(&[]).says("outbox", "1 were given up").says("outbox", "retry --all");
    found.is("lockouts", "note").says("lockouts", "1 users");
    found.is("housekeeping", "note").says("housekeeping", "(invitation)");
    spoil(&installation, "UPDATE audit SET at = at + 3600000");
    Found::of(&installation, &[]).has_problems(&["audit_log"]).says("audit_log", "clock");
    if on == Backend::Sqlite {
        spoil(&installation, "PRAGMA journal_mode = DELETE");
        Found::of(&installation, &[]).is("journal", "note");
    }
}

/// Whoever closes a file gives up all locks that the process has on it, and SQLite does not notice.
fn the_doctor_keeps_its_lock_on_a_file_that_is_in_use(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "alice"]);
    let _server = installation.serve();
    let file = installation.database_file();
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&file).unwrap());
    let locks = || {
        let all = fs::read_to_string("/proc/locks").unwrap();
        let (own, of_file) = (format!(" {} ", std::process::id()), format!(":{inode} "));
        all.lines().filter(|line| line.contains(&own) && line.contains(&of_file)).count()
    };
    let database = Database::new(Target::Sqlite(file), 1, None);
    let mut reached = doctor::reach(&database);
    assert!(reached.conn.is_some());
    let before = locks();
    assert!(before > 0, "a reader has one as long as it lives");
    let findings = doctor::promises(&mut reached, &database, 20, &Clock::System, false);
    assert_eq!(findings.iter().map(|finding| finding.check).collect::<Vec<_>>(), ["journal"]);
    assert_eq!(locks(), before);
}
