//! Rotating the master key.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use countersign::app;
use countersign::app::context::{At, Service};
use countersign::app::factor::NewFactor;
use countersign::crypto::keyed_hash::{KeyedHasher, Purpose};
use countersign::crypto::master_key::MasterKey;
use countersign::db::{Database, catalogue, rows};
use countersign::domain::audit::Origin;
use countersign::domain::user::UserName;
use diesel::connection::SimpleConnection as _;
use serde_json::Value;

use crate::actors::{App, ClientSpec, ISSUER, PASSWORD, Place};
use crate::process::{Installation, Process, Story, code_of, refusal};
use crate::{Backend, tests};

tests![
    everything_is_good_under_the_new_key_and_nothing_under_the_old,
    a_server_with_the_old_key_does_no_more_harm,
    whoever_enrols_meanwhile_is_sealed_anew_or_refused,
    a_value_that_does_not_open_ends_it_and_nothing_was_changed,
    what_is_sealed_is_what_the_rotation_finds,
    only_another_key_and_a_database_that_is_there_are_taken,
];

fn new_key(installation: &Installation, name: &str) -> PathBuf {
    installation.data().join(name)
}

fn rotate(installation: &Installation, from: &str, to: &str) -> Value {
    let path = |name| new_key(installation, name).display().to_string();
    installation.json(&["master-key", "rotate", "--to", &path(to), "--master-key-file", &path(from)])
}

/// A server with the key of that name.
fn serve(installation: &Installation, key: &str) -> Process {
    let mut command = installation.command(&["serve"]);
    command.env("COUNTERSIGN_MASTER_KEY_FILE", new_key(installation, key));
    Process::start(command)
}

/// An application that users log in to by password and code, or recovery code.
fn desk(installation: &Installation) -> Value {
    installation.json(&[
        "client",
        "add",
        "desk",
        "--grant",
        "password",
        "--grant",
        "refresh_token",
        "--grant",
        "http://auth0.com/oauth/grant-type/mfa-otp",
        "--grant",
        "http://auth0.com/oauth/grant-type/mfa-recovery-code",
        "--scope",
        "offline_access",
        "--token-format",
        "opaque",
    ])
}

fn everything_is_good_under_the_new_key_and_nothing_under_the_old(on: Backend) {
    let installation = Installation::new(on);
    let story = Story::begin(&installation);
    let client = desk(&installation);
    installation.add_user("carol", PASSWORD, &["--email", "carol@example.com"]);
    let enrolled = installation.json(&["factor", "enrol", "carol", "--kind", "totp", "--active"]);
    let key = mobile_core::KeyUri::parse(enrolled["uri"].as_str().unwrap()).unwrap().0;
    let recovery = installation.json(&["recovery-code", "renew", "carol"]);
    let recovery = recovery["recovery_codes"][0].as_str().unwrap().to_owned();

    let ask = |server: &Process, fields: &[(&str, &str)]| {
        let id = [("client_id", client["client_id"].as_str().unwrap())];
        let secret = [("client_secret", client["client_secret"].as_str().unwrap())];
        server.post("/oauth/token", &[fields, &id, &secret].concat())
    };
    let mfa_token = |server: &Process| {
        let (status, reply) = ask(
            server,
            &[
                ("grant_type", "password"),
                ("username", "carol"),
                ("password", PASSWORD),
                ("scope", "offline_access"),
            ],
        );
        assert_eq!(status, 403, "{reply}");
        reply["mfa_token"].as_str().unwrap().to_owned()
    };
    let server = installation.serve();
    let waiting = mfa_token(&server);
    let (status, tokens) = ask(
        &server,
        &[
            ("grant_type", "http://auth0.com/oauth/grant-type/mfa-otp"),
            ("mfa_token", &waiting),
            ("otp", &code_of(&key, 0)),
        ],
    );
    assert_eq!(status, 200, "{tokens}");
    let (used, unused) = (story.code(0), story.code(1));
    let (_, jwt) = server.otp(&story.client, "alice", &used);
    let pending = mfa_token(&server);
    server.terminate();
    let mails = installation.json(&["outbox", "list"]).as_array().unwrap().len();

    let done = rotate(&installation, "master.key", "second.key");
    let count = |table: &str| {
        let tables = done["tables"].as_array().unwrap();
        tables.iter().find(|done| done["table"] == table).unwrap()["values"].as_u64().unwrap()
    };
    assert_eq!((count("factor_secret"), count("signing_key")), (2, 2), "{done}");
    assert!(count("outbox") >= 1 && mails >= 1, "{done}");
    // Once more: what was taken over is handed on.
    rotate(&installation, "second.key", "third.key");

    for old in ["master.key", "second.key"] {
        let mut command = installation.command(&["serve"]);
        command.env("COUNTERSIGN_MASTER_KEY_FILE", new_key(&installation, old));
        let line = refusal(&command.output().unwrap());
        assert!(line.contains("is not the one that sealed this database"), "{line}");
    }
    let server = serve(&installation, "third.key");
    assert_eq!(server.get("/readyz"), 200);
    // The signing key: a JWT from before. The client's secret, and an opaque token.
    assert_eq!(server.introspect(&story.client, jwt["access_token"].as_str().unwrap()).1["active"], true);
    assert_eq!(server.introspect(&client, tokens["access_token"].as_str().unwrap()).1["active"], true);
    // A factor, and that its code was used before.
    assert_eq!(server.otp(&story.client, "alice", &used).0, 400);
    assert_eq!(server.otp(&story.client, "alice", &unused).0, 200);
    // A login under way, a recovery code, a refresh token.
    let refresh_token = tokens["refresh_token"].as_str().unwrap();
    let (status, reply) = ask(
        &server,
        &[
            ("grant_type", "http://auth0.com/oauth/grant-type/mfa-recovery-code"),
            ("mfa_token", &pending),
            ("recovery_code", &recovery),
        ],
    );
    assert_eq!(status, 200, "{reply}");
    let (status, reply) = ask(&server, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]);
    assert_eq!(status, 200, "{reply}");
    server.terminate();

    let with_new =
        ["--master-key-file", &new_key(&installation, "third.key").display().to_string()].map(str::to_owned);
    let ask = |arguments: &[&str]| {
        installation.json(&[arguments, &with_new.each_ref().map(String::as_str)].concat())
    };
    assert_eq!(ask(&["audit", "verify"])["intact"], true);
    let log = ask(&["audit", "list"]).to_string();
    assert_eq!(log.matches("master_key.rotated").count(), 2, "{log}");
    let mail = ask(&["outbox", "list"])[0]["id"].as_str().unwrap().to_owned();
    assert!(ask(&["outbox", "show", &mail]).to_string().contains("carol"), "its text opens");
}

fn a_server_with_the_old_key_does_no_more_harm(on: Backend) {
    let installation = Installation::new(on);
    let story = Story::begin(&installation);
    let left_on = installation.serve();
    assert_eq!(left_on.get("/readyz"), 200);
    rotate(&installation, "master.key", "second.key");
    assert_eq!(left_on.get("/readyz"), 500);
    let (status, reply) = left_on.otp(&story.client, "alice", &story.code(0));
    assert_eq!(status, 500, "{reply}");
    assert!(left_on.log().contains("master key"), "{}", left_on.log());

    // Who had everything open already: what it seals would be lost, so it seals nothing.
    let app = App::start(on);
    app.user("bob");
    let other = app.another();
    let (old, new) = (app.place.master.clone(), app.place.master.with_file_name("new.key"));
    MasterKey::generate().write_new(&new).unwrap();
    let read = |path: &Path| MasterKey::read(path).unwrap();
    app.operate(|service, conn, at| app::master_key::rotate(service, conn, at, &read(&old), &read(&new)))
        .unwrap();
    let factors = |app: &App| {
        let mut conn = app.place.connection();
        rows::count(&mut conn, &table(app, "factor_secret")).unwrap()
    };
    let before = factors(&app);
    let name = UserName::parse("bob").unwrap();
    let enrolled =
        other.operate(|service, conn, at| app::factor::enrol(service, conn, at, &name, NewFactor::default()));
    assert!(format!("{:?}", enrolled.err()).contains("master key was rotated"));
    let rotated = other.operate(|service, conn, at| app::key::rotate(service, conn, at, None));
    assert!(format!("{:?}", rotated.err()).contains("master key was rotated"));
    // Nor does it rotate from a key that is none any more.
    let again = other
        .operate(|service, conn, at| app::master_key::rotate(service, conn, at, &read(&old), &read(&new)));
    assert!(format!("{:?}", again.err()).contains("master key was rotated"));
    assert_eq!(factors(&app), before);
}

fn whoever_enrols_meanwhile_is_sealed_anew_or_refused(on: Backend) {
    let app = App::start(on);
    let keys = ["master.key", "second.key", "third.key"].map(|name| app.place.master.with_file_name(name));
    for key in &keys[1..] {
        MasterKey::generate().write_new(key).unwrap();
    }
    let read = |key: &Path| MasterKey::read(key).unwrap();
    let count = 40;
    for index in 0..4 * count {
        app.user(&format!("user{index}"));
    }
    let (progress, enrolled) = mpsc::channel();
    let refused: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|part| {
                let (app, progress) = (&app, progress.clone());
                scope.spawn(move || {
                    let enrol = |index: usize| {
                        let name = UserName::parse(&format!("user{index}")).unwrap();
                        let done = app.operate(|service, conn, at| {
                            app::factor::enrol(service, conn, at, &name, NewFactor::default())
                        });
                        progress.send(done.is_ok()).unwrap();
                        done
                    };
                    let outcomes = (part * count..(part + 1) * count).map(enrol);
                    outcomes
                        .filter_map(Result::err)
                        .inspect(|stop| assert!(format!("{stop:?}").contains("master key was rotated")))
                        .count()
                })
            })
            .collect();
        (0..10).for_each(|_| assert!(enrolled.recv().unwrap()));
        app.operate(|service, conn, at| {
            app::master_key::rotate(service, conn, at, &read(&keys[0]), &read(&keys[1]))
        })
        .unwrap();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(refused > 0, "some came later");
    // What hashes are made with stays, but for what proves backups: whoever has the old key shall prove no more of them.
    let hash = |key: &MasterKey, purpose| KeyedHasher::new(key).hash(purpose, &[b"x"]);
    let target = &app.place.target;
    let second = app::start::unlock(&mut app.place.connection(), target, &keys[1], app.clock.now()).unwrap();
    for purpose in Purpose::ALL {
        let is_kept = hash(&read(&keys[0]), purpose) == hash(&second, purpose);
        assert_eq!(is_kept, purpose != Purpose::Backup, "{purpose:?}");
    }
    // Whatever is there opens: the next rotation opens all of it.
    let mut conn = Database::new(target.clone(), 1, None).connection().unwrap();
    let now = app.clock.now();
    let service = Service::new(&second, ISSUER.to_owned(), "Countersign".to_owned(), None);
    let at = At::new(now, Origin::COMMAND_LINE);
    let resealed = app::master_key::rotate(&service, &mut conn, at, &second, &read(&keys[2])).unwrap();
    let secrets = resealed.iter().find(|done| done.table == "factor_secret").unwrap();
    assert_eq!(secrets.values, (4 * count - refused) as u64);
}

fn table(app: &App, name: &str) -> catalogue::Table {
    let tables = catalogue::tables(&mut app.place.connection()).unwrap();
    tables.into_iter().find(|table| table.name == name).unwrap()
}

fn a_value_that_does_not_open_ends_it_and_nothing_was_changed(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let phones = ["alice", "bob"].map(|name| {
        app.user(name);
        (name, app.phone(name))
    });
    let last = match on {
        Backend::Sqlite => "factor_id = (SELECT max(factor_id) FROM factor_secret)",
        Backend::Postgres => "factor_id::text = (SELECT max(factor_id::text) FROM factor_secret)",
    };
    let moved =
        format!("UPDATE factor_secret SET sealed = (SELECT sealed FROM signing_key LIMIT 1) WHERE {last}");
    app.place.connection().batch_execute(&moved).unwrap();
    let new = MasterKey::generate();
    let old = MasterKey::read(&app.place.master).unwrap();
    let refused =
        app.operate(|service, conn, at| app::master_key::rotate(service, conn, at, &old, &new)).err();
    let refused = format!("{refused:?}");
    assert!(refused.contains("factor_secret") && refused.contains("nothing was changed"), "{refused}");
    // The old key is still the key, for those that the rotation had been through, too.
    assert_eq!(app.get("/readyz").status, 200);
    let mut outcomes = phones.each_ref().map(|(name, phone)| shop.otp(name, &phone.code()).status);
    outcomes.sort_unstable();
    assert_eq!(outcomes, [200, 500], "but for the one that was spoilt");
    let again = App::start_at(&app.place, app.clock.clone());
    assert_eq!(again.get("/readyz").status, 200);
}

/// A release that seals something else has to use that name, or the rotation would not find it.
fn what_is_sealed_is_what_the_rotation_finds(on: Backend) {
    let place = Place::new(on);
    let app =
        App::start_at(&std::sync::Arc::new(place), countersign::clock::Clock::fake(crate::actors::START));
    app.client_with(ClientSpec::default());
    let tables = catalogue::tables(&mut app.place.connection()).unwrap();
    let with = |name: &str| {
        tables
            .iter()
            .filter(|table| {
                table
                    .columns
                    .iter()
                    .any(|column| column.name == name && column.kind == catalogue::Kind::Bytes)
            })
            .map(|table| (table.name.as_str(), table.key.len()))
            .collect::<Vec<_>>()
    };
    let expected = ["factor_phone", "factor_secret", "hash_key", "id_token_key", "outbox", "signing_key"];
    let mut found = with("sealed");
    found.sort_unstable();
    assert_eq!(found, expected.map(|name| (name, 1)), "each found by a key of one column");
}

fn only_another_key_and_a_database_that_is_there_are_taken(on: Backend) {
    let installation = Installation::new(on);
    let key = installation.master_key().display().to_string();
    let other = new_key(&installation, "other.key");
    let other_text = other.display().to_string();
    if on == Backend::Sqlite {
        let line = installation.refused(&["master-key", "rotate", "--to", &other_text]);
        assert!(line.contains("there is no database"), "{line}");
        assert!(!other.exists() && !installation.database_file().exists(), "nothing was made");
    }
    installation.run(&["user", "add", "alice"]);
    let line = installation.refused(&["master-key", "rotate", "--to", &key]);
    assert!(line.contains("--to") && line.contains("that is the key"), "{line}");
    std::fs::create_dir_all(installation.data()).unwrap();
    std::fs::write(&other, "no key").unwrap();
    let line = installation.refused(&["master-key", "rotate", "--to", &other_text]);
    assert!(line.contains("does not hold a master key"), "{line}");
    assert_eq!(std::fs::read(&other).unwrap(), b"no key");
    installation.run(&["user", "list"]);
}
