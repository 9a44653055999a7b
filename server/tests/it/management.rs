//! The management API: what it does, for whom, and that nobody reaches further through it.

use countersign::app::context::{At, Service, Stop};
use countersign::app::user::NewUser;
use countersign::db::Conn;
use countersign::domain::client::Grant;
use countersign::domain::password::Password;
use countersign::domain::user::{Role, UserName};
use serde_json::{Value, json};

use crate::actors::{App, Client, ClientSpec, PASSWORD, Phone, Reply, unused_name};
use crate::{Backend, tests};

tests![
    every_operation_is_refused_to_everybody_it_is_not_for,
    the_document_names_every_path_and_its_examples_hold,
    the_pages_come_from_the_program_alone,
    users_are_put_shown_and_removed,
    pages_show_everybody_once_while_others_come,
    bad_input_names_the_field_and_changes_nothing,
    factors_are_enrolled_listed_and_reset,
    sessions_are_listed_and_ended,
    clients_are_put_shown_disabled_and_removed,
    scopes_groups_and_grants_are_managed,
    keys_are_listed_rotated_and_revoked,
    the_audit_log_names_the_manager_and_is_filtered,
    a_client_cannot_reach_further_through_clients_or_users,
    a_help_desk_unlocks_and_resets_users_and_no_more,
    a_managers_token_for_another_application_manages_nothing,
    an_auditor_reads_and_changes_nothing,
    an_administrator_manages_after_a_fresh_login,
    a_role_that_was_taken_away_is_over_at_once,
];

const ALL: &str = "users factors clients audit";

/// An application with these scopes, and its token.
fn manager(app: &App, name: &'static str, scopes: &'static str) -> String {
    let grants = vec![Grant::ClientCredentials];
    let client = app.client_with(ClientSpec { name, grants, ..ClientSpec::with_scopes(scopes) });
    client.token(&[("grant_type", "client_credentials")]).access_token()
}

fn call(app: &App, method: &str, path: &str, bearer: &str, body: &Value) -> Reply {
    let authorization = format!("Bearer {bearer}");
    app.call(method, path, &[("authorization", &authorization), ("content-type", "application/json")], body)
}

fn must(status: u16, reply: &Reply) -> &Value {
    assert_eq!(reply.status, status, "{reply:?}");
    &reply.body
}

/// A user in a role, logged in with password and code at a client that may ask for everything.
fn staff(app: &App, name: &str, role: Role) -> (Phone, String) {
    let new = NewUser {
        name: UserName::parse(name).unwrap(),
        email: None,
        role,
        password: Some(Password::chosen(PASSWORD).unwrap()),
    };
    app.operate(|service: &Service, conn: &mut Conn, at: At| -> Result<_, Stop> {
        countersign::app::user::add(service, conn, at, new)
    })
    .unwrap();
    let phone = app.phone(name);
    let token = login(app, name, &phone).access_token();
    (phone, token)
}

fn login(app: &App, name: &str, phone: &Phone) -> Reply {
    let client = console(app);
    client.mfa_otp(&client.mfa_token(name), &phone.code())
}

fn console(app: &App) -> Client<'_> {
    app.client_with(ClientSpec {
        name: unused_name(),
        ..ClientSpec::with_scopes(
            "users users:read factors factors:read clients clients:read audit audit:read offline_access",
        )
    })
}

/// All operations of the document: method, path with its blanks filled, the scope it needs.
fn operations(app: &App) -> Vec<(String, String, String)> {
    let document = app.get("/v1/openapi.json");
    let mut operations = Vec::new();
    for (path, methods) in must(200, &document)["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let scope = operation["security"][0]["management"][0]
                .as_str()
                .unwrap_or_else(|| panic!("{method} {path}"));
            let path =
                path.replace("{name}", "somebody").replace("{id}", "01a0aaaa-0000-7000-8000-000000000001");
            operations.push((method.to_uppercase(), path, scope.to_owned()));
        }
    }
    assert!(operations.len() > 25, "{operations:?}");
    operations
}

fn every_operation_is_refused_to_everybody_it_is_not_for(on: Backend) {
    let app = App::start(on);
    let (_, user) = staff(&app, "uma", Role::User);
    let mut weak = Vec::new();
    for (scope, others) in [
        ("users:read", "factors clients audit"),
        ("factors:read", "users clients audit"),
        ("clients:read", "users factors audit"),
        ("audit:read", "users factors clients"),
        ("users", "users:read factors clients audit"),
        ("factors", "factors:read users clients audit"),
        ("clients", "clients:read users factors audit"),
    ] {
        weak.push((scope, manager(&app, unused_name(), others)));
    }
    let before = crate::actors::count_rows(&app.place, "user");
    for (method, path, scope) in operations(&app) {
        let of = format!("{method} {path}");
        let anonymous = app.call(&method, &path, &[("content-type", "application/json")], &json!({}));
        // A body that is not what it should be is told to strangers too; nothing is looked up for it.
        assert!(matches!(anonymous.status, 400 | 401), "{of}: {anonymous:?}");
        for (who, token, status) in [
            ("garbage", "nonsense", 401),
            ("a user", user.as_str(), 403),
            ("a manager of other things", &weak.iter().find(|(needed, _)| *needed == scope).unwrap().1, 403),
        ] {
            let reply = call(&app, &method, &path, token, &sample(&path));
            assert_eq!(reply.status, status, "{who}, {of}: {reply:?}");
        }
    }
    assert_eq!(crate::actors::count_rows(&app.place, "user"), before);
}

/// A body that each operation takes.
fn sample(path: &str) -> Value {
    match path {
        path if path.ends_with("/factors") => json!({ "kind": "totp" }),
        path if path.starts_with("/v1/clients") => json!({ "grants": ["client_credentials"] }),
        path if path.starts_with("/v1/groups") => json!({ "members": [] }),
        path if path.starts_with("/v1/grants") => json!({ "users": ["somebody"], "scope": "read" }),
        _ => json!({}),
    }
}

fn the_document_names_every_path_and_its_examples_hold(on: Backend) {
    let app = App::start(on);
    let document = app.get("/v1/openapi.json").body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for (method, path, _) in operations(&app) {
        // It is there, and takes this method.
        let status = app.call(&method, &path, &[], &json!({})).status;
        assert!(!matches!(status, 404 | 405), "{method} {path}: {status}");
    }
    for (path, methods) in document["paths"].as_object().unwrap() {
        // Nothing else is taken there: a method that the document forgot would be.
        for method in ["GET", "PUT", "POST", "DELETE"] {
            let named = methods.get(method.to_lowercase()).is_some();
            let path = path.replace("{name}", "somebody").replace("{id}", "x");
            let status = app.call(method, &path, &[], &json!({})).status;
            assert_eq!(status == 405, !named, "{method} {path}: {status}");
        }
        for operation in methods.as_object().unwrap().values() {
            for status in ["400", "401", "403", "404", "503"] {
                assert!(operation["responses"].get(status).is_some(), "{path} {status}");
            }
        }
    }
    for body in [
        "UserBody",
        "FactorBody",
        "ClientBody",
        "RuleBody",
        "GroupBody",
        "GrantBody",
        "RotateBody",
        "Problem",
    ] {
        let schema = &document["components"]["schemas"][body];
        assert!(schema.get("example").is_some(), "{body}: {schema}");
    }
}

fn the_pages_come_from_the_program_alone(on: Backend) {
    let app = App::start(on);
    let (kind, policy, text) = app.page("/v1/docs/index.html");
    assert_eq!(kind, "text/html", "{text}");
    assert!(policy.contains("script-src 'self';") && !policy.contains("http"), "{policy}");
    assert!(!text.contains("http://") && !text.contains("https://"), "nothing from elsewhere: {text}");
}

fn users_are_put_shown_and_removed(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    let put = |body: Value| call(&app, "PUT", "/v1/users/Alice", &token, &body);
    let added = put(json!({ "email": "alice@example.org", "password": PASSWORD }));
    assert_eq!(must(201, &added)["name"], "Alice");
    assert!(!added.body.to_string().contains(PASSWORD));
    let again = put(json!({ "email": "alice@example.org" }));
    assert_eq!(must(200, &again)["id"], added.body["id"]);
    assert_eq!(again.body["has_password"], true, "what is left out of a password stays");
    let shown = call(&app, "GET", "/v1/users/alice", &token, &Value::Null);
    assert_eq!(
        (must(200, &shown)["failures"].as_i64(), shown.body["locked_until"].as_str()),
        (Some(0), None)
    );
    must(204, &call(&app, "POST", "/v1/users/alice/lock", &token, &Value::Null));
    let shown = call(&app, "GET", "/v1/users/alice", &token, &Value::Null);
    assert_eq!(shown.body["state"], "locked");
    must(204, &call(&app, "POST", "/v1/users/alice/unlock", &token, &Value::Null));
    must(204, &call(&app, "DELETE", "/v1/users/alice", &token, &Value::Null));
    call(&app, "GET", "/v1/users/alice", &token, &Value::Null).must_be_problem(404, "not_found");
}

fn pages_show_everybody_once_while_others_come(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    for index in 0..25 {
        app.user(&format!("user{index:02}"));
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = call(&app, "GET", &format!("/v1/users?limit=7&name=USER{cursor}"), &token, &Value::Null);
        let items = must(200, &page)["items"].as_array().unwrap();
        seen.extend(items.iter().map(|user| user["name"].as_str().unwrap().to_owned()));
        // Somebody comes before the cursor, somebody else after everything.
        app.user(&format!("user00{}", seen.len()));
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).map(|index| format!("user{index:02}")).collect();
    assert_eq!(seen, expected);
    let nobody = call(&app, "GET", "/v1/users?name=zed", &token, &Value::Null);
    assert_eq!(must(200, &nobody), &json!({ "items": [], "next": null }));
}

fn bad_input_names_the_field_and_changes_nothing(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    app.user("alice");
    let before = call(&app, "GET", "/v1/audit", &token, &Value::Null).body;
    for (method, path, body, field) in [
        ("PUT", "/v1/users/a:b", json!({}), "username"),
        ("PUT", "/v1/users/alice", json!({ "role": "king" }), "role"),
        ("PUT", "/v1/users/alice", json!({ "email": "nonsense" }), "email"),
        ("PUT", "/v1/users/alice", json!({ "password": "short" }), "password"),
        ("PUT", "/v1/users/alice", json!({ "password": 12_345_678 }), "password"),
        ("PUT", "/v1/users/alice", json!({ "nickname": "al" }), "nickname"),
        ("PUT", "/v1/users/alice", json!([]), "body"),
        ("POST", "/v1/users/alice/factors", json!({}), "kind"),
        ("POST", "/v1/users/alice/factors", json!({ "kind": "totp", "digits": 9 }), "digits"),
        ("POST", "/v1/users/alice/factors", json!({ "kind": "totp", "counter": 1 }), "counter"),
        ("PUT", "/v1/clients/x", json!({}), "grants"),
        ("PUT", "/v1/clients/x", json!({ "grants": ["nonsense"] }), "grant"),
        ("PUT", "/v1/clients/x", json!({ "grants": ["password"], "token_ttl": 0 }), "token_ttl"),
        ("PUT", "/v1/clients/x", json!({ "grants": ["password"], "audiences": ["nonsense"] }), "audiences"),
        ("PUT", "/v1/scopes/x", json!({ "max_age": -1 }), "max_age"),
        ("PUT", "/v1/scopes/x", json!({ "acr": "strong" }), "acr"),
        ("POST", "/v1/grants", json!({ "scope": "x" }), "users"),
        ("POST", "/v1/grants", json!({ "users": ["alice"] }), "scope"),
        ("POST", "/v1/grants", json!({ "users": ["alice"], "detail": { "kind": "x" } }), "detail"),
        ("POST", "/v1/grants", json!({ "users": ["alice"], "scope": "x", "until": "soon" }), "until"),
        (
            "POST",
            "/v1/grants/take",
            json!({ "users": ["alice"], "scope": "x", "from": "2026-01-01T00:00:00Z" }),
            "from",
        ),
        ("POST", "/v1/keys/rotate", json!({ "algorithm": "RS256" }), "algorithm"),
        ("POST", "/v1/keys/rotate", json!({ "algorithm": "ES256", "revoke": true }), "algorithm"),
        ("GET", "/v1/users?limit=0", Value::Null, "limit"),
        ("GET", "/v1/users?cursor=!", Value::Null, "cursor"),
        ("GET", "/v1/audit?cursor=eHg", Value::Null, "cursor"),
        ("GET", "/v1/users?colour=red", Value::Null, "query"),
        ("GET", "/v1/users?limit=1&limit=2", Value::Null, "limit"),
    ] {
        let reply = call(&app, method, path, &token, &body);
        reply.must_be_problem(400, "invalid_request");
        assert!(reply.text("detail").starts_with(&format!("{field} ")), "{method} {path} {body}: {reply:?}");
    }
    assert_eq!(call(&app, "GET", "/v1/audit", &token, &Value::Null).body, before);
}

fn factors_are_enrolled_listed_and_reset(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    app.user("alice");
    let enrolled =
        call(&app, "POST", "/v1/users/alice/factors", &token, &json!({ "kind": "totp", "active": true }));
    assert_eq!(must(201, &enrolled)["state"], "active");
    assert_eq!(enrolled.header("cache-control"), Some("no-store"));
    assert_eq!(enrolled.body["recovery_codes"].as_array().unwrap().len(), 10);
    let phone = app.phone_of(enrolled.text("uri"));
    let client = app.client();
    let access = client.otp("alice", &phone.code()).access_token();
    let listed = call(&app, "GET", "/v1/users/alice/factors", &token, &Value::Null);
    assert_eq!(must(200, &listed)[0]["id"], enrolled.body["factor_id"]);
    assert!(!listed.body.to_string().contains(enrolled.text("secret")), "shown once");
    let reset = call(&app, "POST", "/v1/users/alice/reset", &token, &Value::Null);
    assert_eq!(must(200, &reset), &json!({ "factors": 1, "sessions": 1 }));
    assert!(!client.is_active(&access));
}

fn sessions_are_listed_and_ended(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let access = client.otp("alice", &phone.code()).access_token();
    let listed = call(&app, "GET", "/v1/users/alice/sessions", &token, &Value::Null);
    assert_eq!(
        (must(200, &listed)[0]["client"].as_str(), listed.body[0]["amr"][0].as_str()),
        (Some("shop"), Some("otp"))
    );
    let ended = call(&app, "DELETE", "/v1/users/alice/sessions", &token, &Value::Null);
    assert_eq!(must(200, &ended), &json!({ "sessions": 1 }));
    assert!(!client.is_active(&access));
}

fn clients_are_put_shown_disabled_and_removed(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    let body = json!({ "grants": ["client_credentials"], "scope": "read", "token_ttl": 60 });
    let added = call(&app, "PUT", "/v1/clients/my%20app", &token, &body);
    let secret = must(201, &added)["client_secret"].as_str().unwrap().to_owned();
    let again = call(
        &app,
        "PUT",
        "/v1/clients/my%20app",
        &token,
        &json!({ "grants": ["client_credentials"], "scope": "write" }),
    );
    assert_eq!((must(200, &again)["scope"].as_str(), again.body.get("client_secret")), (Some("write"), None));
    let id = added.text("client_id").to_owned();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
    ];
    let form = crate::actors::form_urlencoded(&fields);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let token_of = || app.post("/oauth/token", &headers, form.as_bytes());
    assert_eq!(must(200, &token_of())["scope"], "write");
    must(204, &call(&app, "POST", "/v1/clients/my%20app/disable", &token, &Value::Null));
    token_of().must_be(401, "invalid_client");
    must(204, &call(&app, "POST", "/v1/clients/my%20app/enable", &token, &Value::Null));
    must(200, &token_of());
    let listed = call(&app, "GET", "/v1/clients?limit=1", &token, &Value::Null);
    assert_eq!(must(200, &listed)["items"][0]["name"], "console");
    assert!(listed.body["next"].is_string() && !listed.body.to_string().contains(&secret));
    must(204, &call(&app, "DELETE", "/v1/clients/my%20app", &token, &Value::Null));
    call(&app, "GET", "/v1/clients/my%20app", &token, &Value::Null).must_be_problem(404, "not_found");
}

fn scopes_groups_and_grants_are_managed(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    for name in ["alice", "bob", "carol"] {
        app.user(name);
    }
    let phone = app.phone("alice");
    let client = app.client_with(ClientSpec { name: "library", ..ClientSpec::with_scopes("stacks") });
    must(200, &call(&app, "PUT", "/v1/scopes/stacks", &token, &json!({ "by_grant": true })));
    assert_eq!(must(200, &call(&app, "GET", "/v1/scopes", &token, &Value::Null))[0]["scope"], "stacks");
    let put =
        |members: Value| call(&app, "PUT", "/v1/groups/visitors", &token, &json!({ "members": members }));
    assert_eq!(must(200, &put(json!(["alice", "bob"])))["members"], json!(["alice", "bob"]));
    put(json!(["alice", "nobody"])).must_be_problem(404, "not_found");
    assert_eq!(must(200, &put(json!(["carol", "alice"])))["members"], json!(["alice", "carol"]));
    let give = json!({ "groups": ["visitors"], "scope": "stacks", "until": "2027-04-01T00:00:00Z" });
    assert_eq!(
        must(201, &call(&app, "POST", "/v1/grants", &token, &give))["grants"].as_array().unwrap().len(),
        1
    );
    assert_eq!(client.otp("alice", &phone.code()).text("scope"), "stacks");
    let listed = call(&app, "GET", "/v1/grants?group=visitors", &token, &Value::Null);
    assert_eq!(must(200, &listed)[0]["ends_at"], "2027-04-01T00:00:00Z");
    let take = json!({ "groups": ["visitors"], "scope": "stacks" });
    assert_eq!(must(200, &call(&app, "POST", "/v1/grants/take", &token, &take)), &json!({ "taken": 1 }));
    let detail = json!({ "users": ["alice"], "detail": { "type": "document", "actions": ["read"] } });
    let given = call(&app, "POST", "/v1/grants", &token, &detail);
    let path = format!("/v1/grants/{}", must(201, &given)["grants"][0].as_str().unwrap());
    must(204, &call(&app, "DELETE", &path, &token, &Value::Null));
    call(&app, "DELETE", &path, &token, &Value::Null).must_be_problem(404, "not_found");
    must(204, &call(&app, "DELETE", "/v1/groups/visitors", &token, &Value::Null));
    must(204, &call(&app, "DELETE", "/v1/scopes/stacks", &token, &Value::Null));
    assert_eq!(must(200, &call(&app, "GET", "/v1/groups", &token, &Value::Null)), &json!([]));
}

fn keys_are_listed_rotated_and_revoked(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    assert_eq!(must(200, &call(&app, "GET", "/v1/keys", &token, &Value::Null)).as_array().unwrap().len(), 2);
    let rotated = call(&app, "POST", "/v1/keys/rotate", &token, &json!({ "algorithm": "ES256" }));
    assert_eq!(must(200, &rotated)["revoked"], json!([]));
    let revoked = call(&app, "POST", "/v1/keys/rotate", &token, &json!({ "revoke": true }));
    assert_eq!(must(200, &revoked)["revoked"], json!([rotated.body["kid"]]));
    let listed = call(&app, "GET", "/v1/keys", &token, &Value::Null).body.to_string();
    assert!(listed.contains("ES256") && listed.contains("revoked"), "{listed}");
}

fn the_audit_log_names_the_manager_and_is_filtered(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    for name in ["alice", "bob", "carol"] {
        must(201, &call(&app, "PUT", &format!("/v1/users/{name}"), &token, &json!({})));
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page =
            call(&app, "GET", &format!("/v1/audit?action=user.added&limit=2{cursor}"), &token, &Value::Null);
        for entry in must(200, &page)["items"].as_array().unwrap() {
            assert!(entry["actor"].as_str().unwrap().starts_with("client:"), "{entry}");
            assert_eq!(entry["address"], "127.0.0.1");
            seen.push(entry["detail"].as_str().unwrap().to_owned());
        }
        match page.body["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["name=carol role=user", "name=bob role=user", "name=alice role=user"]);
    let alice = call(&app, "GET", "/v1/users/alice", &token, &Value::Null).text("id").to_owned();
    let about = call(&app, "GET", &format!("/v1/audit?subject=user:{alice}"), &token, &Value::Null);
    assert_eq!(must(200, &about)["items"].as_array().unwrap().len(), 1);
}

fn a_client_cannot_reach_further_through_clients_or_users(on: Backend) {
    let app = App::start(on);
    let whole = manager(&app, "whole", ALL);
    let (_, admin) = staff(&app, "ada", Role::Admin);
    // Whoever manages clients would be everything, if it could register or change one that is.
    let clients = manager(&app, "of-clients", "clients");
    let wide = json!({ "grants": ["client_credentials"], "scope": "users clients" });
    call(&app, "PUT", "/v1/clients/mine", &clients, &wide).must_be_problem(403, "out_of_reach");
    let narrow = json!({ "grants": ["client_credentials"], "scope": "clients:read documents" });
    must(201, &call(&app, "PUT", "/v1/clients/mine", &clients, &narrow));
    call(&app, "PUT", "/v1/clients/whole", &clients, &narrow).must_be_problem(403, "out_of_reach");
    call(&app, "DELETE", "/v1/clients/whole", &clients, &Value::Null).must_be_problem(403, "out_of_reach");
    call(&app, "POST", "/v1/clients/whole/disable", &clients, &Value::Null)
        .must_be_problem(403, "out_of_reach");
    // Whoever manages users would be everything, if it could make or take over an administrator.
    let users = manager(&app, "of-users", "users factors");
    for (method, path, body) in [
        ("PUT", "/v1/users/new", json!({ "role": "admin" })),
        ("PUT", "/v1/users/new", json!({ "role": "helpdesk" })),
        ("PUT", "/v1/users/ada", json!({ "password": "another long one" })),
        ("POST", "/v1/users/ada/factors", json!({ "kind": "totp", "active": true })),
        ("POST", "/v1/users/ada/reset", Value::Null),
        ("POST", "/v1/users/ada/lock", Value::Null),
        ("POST", "/v1/users/ada/unlock", Value::Null),
        ("DELETE", "/v1/users/ada/sessions", Value::Null),
        ("DELETE", "/v1/users/ada", Value::Null),
    ] {
        call(&app, method, path, &users, &body).must_be_problem(403, "out_of_reach");
    }
    must(200, &call(&app, "GET", "/v1/users/ada", &admin, &Value::Null));
    must(201, &call(&app, "PUT", "/v1/users/new", &whole, &json!({ "role": "admin" })));
}

fn a_help_desk_unlocks_and_resets_users_and_no_more(on: Backend) {
    let app = App::start(on);
    let (_, help) = staff(&app, "hal", Role::Helpdesk);
    staff(&app, "ada", Role::Admin);
    app.user("alice");
    app.phone("alice");
    must(200, &call(&app, "GET", "/v1/users", &help, &Value::Null));
    must(204, &call(&app, "POST", "/v1/users/alice/unlock", &help, &Value::Null));
    assert_eq!(must(200, &call(&app, "POST", "/v1/users/alice/reset", &help, &Value::Null))["factors"], 1);
    for name in ["ada", "hal"] {
        let path = format!("/v1/users/{name}/reset");
        call(&app, "POST", &path, &help, &Value::Null).must_be_problem(403, "out_of_reach");
    }
    for (method, path, body) in [
        ("PUT", "/v1/users/alice", json!({})),
        ("PUT", "/v1/users/hal", json!({ "role": "admin" })),
        ("POST", "/v1/users/alice/lock", Value::Null),
        ("POST", "/v1/users/alice/factors", json!({ "kind": "totp" })),
        ("DELETE", "/v1/users/alice", Value::Null),
        ("GET", "/v1/clients", Value::Null),
        ("GET", "/v1/audit", Value::Null),
        ("POST", "/v1/keys/rotate", json!({})),
    ] {
        call(&app, method, path, &help, &body).must_be_problem(403, "insufficient_scope");
    }
}

fn a_managers_token_for_another_application_manages_nothing(on: Backend) {
    let app = App::start(on);
    let (phone, _) = staff(&app, "hal", Role::Helpdesk);
    let (admins, _) = staff(&app, "ada", Role::Admin);
    app.user("alice");
    app.next_step();
    // An ordinary application, where people look after their own factors.
    let shop = app.client_with(ClientSpec::with_scopes("read factors"));
    for (name, phone) in [("hal", &phone), ("ada", &admins)] {
        let token = shop.mfa_otp(&shop.mfa_token(name), &phone.code()).access_token();
        for path in ["/v1/users/alice/reset", "/v1/users/alice/unlock", "/v1/users/alice/lock"] {
            call(&app, "POST", path, &token, &Value::Null).must_be_problem(403, "insufficient_scope");
        }
        call(&app, "GET", "/v1/users", &token, &Value::Null).must_be_problem(403, "insufficient_scope");
    }
}

fn an_auditor_reads_and_changes_nothing(on: Backend) {
    let app = App::start(on);
    let (_, auditor) = staff(&app, "otto", Role::Auditor);
    for (method, path, scope) in operations(&app) {
        let reply = call(&app, &method, &path, &auditor, &sample(&path));
        let allowed = scope.ends_with(":read");
        assert_eq!(reply.status != 403, allowed, "{method} {path}: {reply:?}");
    }
}

fn an_administrator_manages_after_a_fresh_login(on: Backend) {
    let app = App::start(on);
    let (phone, first) = staff(&app, "ada", Role::Admin);
    must(201, &call(&app, "PUT", "/v1/users/bob", &first, &json!({ "role": "auditor" })));
    let log = call(&app, "GET", "/v1/audit?action=user.added&limit=1", &first, &Value::Null);
    assert!(must(200, &log)["items"][0]["actor"].as_str().unwrap().starts_with("user:"));
    app.next_step();
    let client = console(&app);
    let login = client.mfa_otp(&client.mfa_token("ada"), &phone.code());
    app.pass(1000);
    let old = client.refresh(login.text("refresh_token")).access_token();
    must(200, &call(&app, "GET", "/v1/users", &old, &Value::Null));
    call(&app, "PUT", "/v1/users/carol", &old, &json!({}))
        .must_be_problem(401, "insufficient_user_authentication");
    // A code alone, for which some application vouched, and a password alone are no reason to trust less than a manager's.
    let vouched = client.otp("ada", &phone.code()).text("scope").to_owned();
    assert!(vouched.contains("users"), "{vouched}");
}

fn a_role_that_was_taken_away_is_over_at_once(on: Backend) {
    let app = App::start(on);
    let whole = manager(&app, "whole", ALL);
    let (_, admin) = staff(&app, "ada", Role::Admin);
    must(200, &call(&app, "GET", "/v1/users", &admin, &Value::Null));
    must(200, &call(&app, "PUT", "/v1/users/ada", &whole, &json!({ "role": "user" })));
    let reply = call(&app, "GET", "/v1/users", &admin, &Value::Null);
    assert_eq!(reply.status, 401, "her sessions ended with the role: {reply:?}");
}
