//! Upgrades: servers of this release go on while one of a later release has already added to their tables, and a migration loses nothing.

use countersign::db::catalogue::{self, Table};
use countersign::db::{Conn, Database};
use diesel::connection::SimpleConnection as _;
use diesel_migrations::{FileBasedMigrations, MigrationHarness as _};
use serde_json::{Value, json};

use crate::actors::{App, ClientSpec, PASSWORD, count};
use crate::management::{ALL, call, manager, must};
use crate::visitor::Visitor;
use crate::{Backend, tests};

tests![
    a_running_server_goes_on_when_a_later_release_has_added_to_its_tables,
    the_last_step_back_and_forth_loses_nothing,
];

/// What the rule for migrations allows a release to do while the one before it still serves: columns that may be left out, tables, indexes.
fn a_later_release_adds(app: &App) {
    let mut conn = app.place.connection();
    let begun = "CREATE TABLE later (id INTEGER PRIMARY KEY); \
                 INSERT INTO __diesel_schema_migrations (version, run_on) VALUES ('29990101000000', CURRENT_TIMESTAMP);";
    let added = catalogue::tables(&mut conn).unwrap().into_iter().map(|Table { name, .. }| {
        format!(
            "ALTER TABLE \"{name}\" ADD COLUMN later TEXT; \
             ALTER TABLE \"{name}\" ADD COLUMN later_number BIGINT NOT NULL DEFAULT 7; \
             CREATE INDEX \"later_{name}\" ON \"{name}\" (later_number);"
        )
    });
    let sql: String = std::iter::once(begun.to_owned()).chain(added).collect();
    conn.batch_execute(&sql).unwrap();
}

/// A bit of everything; `name` is new.
fn a_day(app: &App, name: &str) {
    let client = crate::actors::unused_name();
    let shop = app
        .client_with(ClientSpec { name: client, ..ClientSpec::with_scopes("factors stacks offline_access") });
    let token = manager(app, crate::actors::unused_name(), ALL);
    let path = |rest: &str| format!("/v1/users/{name}{rest}");
    let put = json!({ "email": "somebody@example.org", "password": PASSWORD });
    must(201, &call(app, "PUT", &path(""), &token, &put));
    // Rights.
    must(200, &call(app, "PUT", "/v1/scopes/stacks", &token, &json!({ "by_grant": true })));
    must(200, &call(app, "PUT", "/v1/groups/visitors", &token, &json!({ "members": [name] })));
    must(
        201,
        &call(app, "POST", "/v1/grants", &token, &json!({ "groups": ["visitors"], "scope": "stacks" })),
    );
    // Enrolment by scan, confirmed by the first code.
    let mfa_token = shop.mfa_token(name);
    let associated = app.associate(&mfa_token);
    let phone = app.scan(&associated);
    let first = shop.mfa_otp(&mfa_token, &phone.code());
    assert!(shop.is_active(&first.access_token()));
    app.next_step();
    // Codes, wrong ones, refreshes, recovery.
    shop.otp(name, &phone.wrong_code()).must_be(400, "invalid_grant");
    let login = shop.otp(name, &phone.code());
    assert!(login.text("scope").contains("stacks"), "{login:?}");
    shop.otp(name, &phone.code()).must_be(400, "invalid_grant");
    let next = shop.refresh(login.text("refresh_token"));
    assert!(shop.is_active(&next.access_token()));
    let recovery = associated.body["recovery_codes"][0].as_str().unwrap();
    shop.recover(&shop.mfa_token(name), recovery).access_token();
    assert_eq!(shop.revoke(&next.access_token()).status, 200);
    assert!(!shop.is_active(&next.access_token()));
    assert_eq!(app.get("/oauth/revocations").status, 200);
    // The console.
    app.next_step();
    Visitor::logged_in(app, name, &phone);
    // What administrators do.
    for list in ["users", "clients", "groups", "grants", "keys", "audit"] {
        must(200, &call(app, "GET", &format!("/v1/{list}"), &token, &Value::Null));
    }
    must(200, &call(app, "POST", "/v1/keys/rotate", &token, &json!({})));
    must(204, &call(app, "POST", &path("/lock"), &token, &Value::Null));
    must(204, &call(app, "POST", &path("/unlock"), &token, &Value::Null));
    let factors = call(app, "GET", &path("/factors"), &token, &Value::Null);
    assert_eq!(must(200, &factors)["items"].as_array().unwrap().len(), 1);
    assert_eq!(call(app, "POST", &path("/reset"), &token, &Value::Null).status / 100, 2);
    app.next_step();
    shop.otp(name, &phone.code()).must_be(400, "invalid_grant");
    app.sweep();
    let proof = app.operate(|service, conn, _| countersign::app::audit::verify(service, conn)).unwrap();
    assert!(matches!(proof, countersign::app::audit::Proof::Intact { .. }), "{proof:?}");
    // Both leave while they have sessions. What hung on them goes, too, as no constraint says any more.
    must(204, &call(app, "DELETE", &path(""), &token, &Value::Null));
    shop.token(&[("grant_type", "client_credentials")]).access_token();
    must(204, &call(app, "DELETE", &format!("/v1/clients/{client}"), &token, &Value::Null));
    let mut conn = app.place.connection();
    for (table, column, named) in [
        ("session", "client_id", "client"),
        ("token", "session_id", "session"),
        ("token", "client_id", "client"),
    ] {
        let lost = format!("{table} WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT id FROM {named})");
        assert_eq!(count(&mut conn, &lost), 0, "{lost}");
    }
}

fn a_running_server_goes_on_when_a_later_release_has_added_to_its_tables(on: Backend) {
    let app = App::start(on);
    // Before, so that its connections have their statements prepared.
    a_day(&app, "alice");
    a_later_release_adds(&app);
    a_day(&app, "bob");
    // Only what runs already goes on; nothing of this release starts on it.
    let error = Database::new(app.place.target.clone(), 1, None).prepare().unwrap_err();
    assert!(error.to_string().contains("newer version"), "{error}");
}

/// Takes the last migration back, as `down.sql` says.
pub fn step_back(conn: &mut Conn) {
    let steps = |back_end: &str| {
        FileBasedMigrations::from_path(format!("{}/../migrations/{back_end}", env!("CARGO_MANIFEST_DIR")))
            .unwrap()
    };
    match conn {
        Conn::Sqlite(conn) => conn.revert_last_migration(steps("sqlite")).unwrap(),
        Conn::Postgres(conn) => conn.revert_last_migration(steps("postgres")).unwrap(),
    };
}

fn the_last_step_back_and_forth_loses_nothing(on: Backend) {
    let app = App::start(on);
    a_day(&app, "bob");
    app.user("alice");
    let (phone, client) =
        (app.phone("alice"), app.client_with(ClientSpec::with_scopes("read offline_access")));
    let login = client.otp("alice", &phone.code());
    let own = client.token(&[("grant_type", "client_credentials")]).access_token();

    let rows = |conn: &mut Conn| -> Vec<(String, i64)> {
        let tables = catalogue::tables(conn).unwrap();
        tables
            .iter()
            .map(|table| (table.name.clone(), countersign::db::rows::count(conn, table).unwrap()))
            .collect()
    };
    let before = rows(&mut app.place.connection());
    step_back(&mut app.place.connection());
    Database::new(app.place.target.clone(), 1, None).prepare().unwrap();
    assert_eq!(rows(&mut app.place.connection()), before);

    // By a server that finds the tables as they are now.
    let app = app.another();
    let client = client.at(&app);
    assert!(client.is_active(&login.access_token()) && client.is_active(&own));
    client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
    let next = client.refresh(login.text("refresh_token"));
    assert!(client.is_active(&next.access_token()));
    a_day(&app, "carol");
}
