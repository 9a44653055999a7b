//! The management API: what its operations do. Who may is in `reach`, the document in `openapi`.

use countersign::domain::client::Grant;
use serde_json::{Value, json};

use crate::actors::{App, ClientSpec, PASSWORD, Reply, at_once};
use crate::{Backend, openapi, tests};

tests![
    users_are_put_shown_and_removed,
    pages_show_everybody_once_while_others_come,
    bad_input_names_the_field_and_changes_nothing,
    a_parameter_that_is_not_known_is_refused_everywhere,
    a_refused_enrolment_leaves_the_pending_factor,
    factors_are_enrolled_listed_and_reset,
    sessions_are_listed_and_ended,
    clients_are_put_shown_disabled_and_removed,
    scopes_groups_and_grants_are_managed,
    keys_are_listed_rotated_and_revoked,
    the_audit_log_names_the_manager_and_is_filtered,
    every_list_is_paged_and_shows_everything_once,
    lists_do_not_end_at_a_thousand,
    what_comes_later_moves_no_page,
    a_pending_factor_is_confirmed_by_its_own_code_once,
    a_pending_factor_that_has_lapsed_is_not_found,
    a_hotp_factor_is_resynchronised_by_two_codes_of_it,
    one_factor_is_removed_and_the_others_stay,
    one_session_is_ended_and_the_others_stay,
    recovery_codes_are_renewed_and_the_old_ones_void,
    a_clients_secret_is_renewed_and_the_old_one_wrong,
    parallel_first_puts_of_one_name_all_succeed,
    parallel_puts_of_one_group_leave_one_of_them,
];

/// Every management scope.
pub const ALL: &str = "users factors clients audit";

/// An application with these scopes, and its token.
pub fn manager(app: &App, name: &'static str, scopes: &'static str) -> String {
    let grants = vec![Grant::ClientCredentials];
    let client = app.client_with(ClientSpec { name, grants, ..ClientSpec::with_scopes(scopes) });
    client.token(&[("grant_type", "client_credentials")]).access_token()
}

/// One request of a manager; its reply must be one that the document names.
#[track_caller]
pub fn call(app: &App, method: &str, path: &str, bearer: &str, body: &Value) -> Reply {
    let authorization = format!("Bearer {bearer}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let reply = app.call(method, path, &headers, body);
    openapi::check(app, method, path, &reply);
    reply
}

#[track_caller]
pub fn must(status: u16, reply: &Reply) -> &Value {
    assert_eq!(reply.status, status, "{reply:?}");
    &reply.body
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
    // However it is spelt: composed or not, in wide letters or small ones.
    app.user("Åsa");
    for spelt in ["%C3%85s", "%C3%A5sa", "A%CC%8A", "a%CC%8As", "%E2%84%ABsa", "A%CC%8A%EF%BD%93%EF%BD%81"] {
        let page = call(&app, "GET", &format!("/v1/users?name={spelt}"), &token, &Value::Null);
        assert_eq!(must(200, &page)["items"][0]["name"], "Åsa", "{spelt}");
    }
}

fn bad_input_names_the_field_and_changes_nothing(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    app.user("alice");
    let factor = "/v1/users/alice/factors/01a0aaaa-0000-7000-8000-000000000001";
    let (confirm, resynchronise) = (format!("{factor}/confirm"), format!("{factor}/resynchronise"));
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
        ("PUT", "/v1/clients/x", json!({ "grants": ["nonsense"] }), "grants"),
        ("PUT", "/v1/clients/x", json!({ "grants": ["password"], "detail_types": ["a b"] }), "detail_types"),
        (
            "PUT",
            "/v1/clients/x",
            json!({ "grants": ["password"], "audiences": ["https://a.example/\u{0}"] }),
            "audiences",
        ),
        ("PUT", "/v1/scopes/x", json!({ "audience": "https://a.example/\u{1}" }), "audience"),
        ("PUT", "/v1/scopes/users", json!({ "by_grant": true }), "by_grant"),
        ("PUT", "/v1/groups/x", json!({ "members": ["a:b"] }), "members"),
        ("POST", "/v1/grants", json!({ "users": ["a:b"], "scope": "x" }), "users"),
        ("POST", "/v1/grants", json!({ "groups": ["a\u{0}"], "scope": "x" }), "groups"),
        ("POST", "/v1/grants", json!({ "users": ["alice"], "scope": "users:read" }), "scope"),
        ("GET", "/v1/audit?action=%00", Value::Null, "action"),
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
        ("POST", "/v1/keys/revoke", json!({}), "keys"),
        ("POST", "/v1/keys/revoke", json!({ "keys": [] }), "keys"),
        ("POST", "/v1/keys/revoke", json!({ "keys": ["x"], "all": true }), "all"),
        ("GET", "/v1/users?limit=0", Value::Null, "limit"),
        ("GET", "/v1/users?cursor=!", Value::Null, "cursor"),
        ("GET", "/v1/audit?cursor=eHg", Value::Null, "cursor"),
        ("GET", "/v1/users?colour=red", Value::Null, "query"),
        ("GET", "/v1/grants?cursor=eHg", Value::Null, "cursor"),
        ("GET", "/v1/keys?cursor=eHg", Value::Null, "cursor"),
        ("GET", "/v1/users/alice/sessions?cursor=eHg", Value::Null, "cursor"),
        ("GET", "/v1/users/alice/factors?cursor=eHg", Value::Null, "cursor"),
        ("GET", "/v1/users/alice/factors?limit=201", Value::Null, "limit"),
        // What PostgreSQL cannot even be asked for: a NUL, here also as a cursor.
        ("GET", "/v1/groups?cursor=AA", Value::Null, "cursor"),
        ("GET", "/v1/users?name=%00", Value::Null, "name"),
        ("GET", "/v1/grants?group=%00", Value::Null, "group"),
        ("GET", "/v1/groups/a%00", Value::Null, "name"),
        ("PUT", "/v1/groups/a%00", json!({ "members": [] }), "name"),
        ("DELETE", "/v1/scopes/a%00", Value::Null, "name"),
        ("GET", "/v1/clients/a%00", Value::Null, "name"),
        ("PUT", "/v1/scopes/x", json!({ "description": "a\u{0}b" }), "description"),
        ("PUT", "/v1/clients/x", json!({ "grants": [] }), "grants"),
        (
            "PUT",
            "/v1/clients/01a0aaaa-0000-7000-8000-000000000001",
            json!({ "grants": ["password"] }),
            "name",
        ),
        ("PUT", "/v1/clients/01A0AAAA000070008000000000000001", json!({ "grants": ["password"] }), "name"),
        ("POST", &confirm, json!({ "code": "12345" }), "code"),
        ("POST", &confirm, json!({ "code": 123_456 }), "code"),
        ("POST", &confirm, json!({}), "code"),
        ("POST", &resynchronise, json!({ "first": "123456", "second": "six" }), "second"),
        ("POST", &resynchronise, json!({ "first": "123456" }), "second"),
        ("GET", "/v1/users?limit=1&limit=2", Value::Null, "limit"),
    ] {
        let reply = call(&app, method, path, &token, &body);
        reply.must_be_problem(400, "invalid_request");
        assert!(reply.text("detail").starts_with(&format!("{field} ")), "{method} {path} {body}: {reply:?}");
    }
    let huge = json!({ "email": "x".repeat(70_000) });
    call(&app, "PUT", "/v1/users/alice", &token, &huge).must_be_problem(413, "invalid_request");
    assert_eq!(call(&app, "GET", "/v1/audit", &token, &Value::Null).body, before);
}

fn a_parameter_that_is_not_known_is_refused_everywhere(on: Backend) {
    let app = App::start(on);
    app.user("somebody");
    let token = manager(&app, "console", ALL);
    for operation in openapi::operations(&app) {
        let path = format!("{}?nope=1", operation.path);
        let reply = call(&app, &operation.method, &path, &token, &json!({}));
        reply.must_be_problem(400, "invalid_request");
        assert!(reply.text("detail").starts_with("query "), "{path}: {reply:?}");
    }
    call(&app, "GET", "/v1/users?name=%ff", &token, &Value::Null).must_be_problem(400, "invalid_request");
    must(200, &call(&app, "GET", "/v1/users/somebody", &token, &Value::Null));
}

fn a_refused_enrolment_leaves_the_pending_factor(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let token = manager(&app, "console", ALL);
    let enrol = |body: Value| call(&app, "POST", "/v1/users/alice/factors", &token, &body);
    must(201, &enrol(json!({ "kind": "totp" })));
    let factors = || call(&app, "GET", "/v1/users/alice/factors", &token, &Value::Null).body["items"].clone();
    let before = factors();
    assert_eq!(before[0]["state"], "pending");
    for counter in [u64::MAX, i64::MAX as u64] {
        let refused = enrol(json!({ "kind": "hotp", "counter": counter }));
        refused.must_be_problem(400, "invalid_request");
        assert!(refused.text("detail").starts_with("counter "), "{refused:?}");
        assert_eq!(factors(), before);
    }
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
    assert_eq!(must(200, &listed)["items"][0]["id"], enrolled.body["factor_id"]);
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
    let session = &must(200, &listed)["items"][0];
    assert_eq!((session["client"].as_str(), session["amr"][0].as_str()), (Some("shop"), Some("otp")));
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
    assert_eq!(
        must(200, &call(&app, "GET", "/v1/scopes", &token, &Value::Null))["items"][0]["scope"],
        "stacks"
    );
    let put =
        |members: Value| call(&app, "PUT", "/v1/groups/visitors", &token, &json!({ "members": members }));
    let members = || names(&call(&app, "GET", "/v1/groups/visitors/members", &token, &Value::Null));
    assert_eq!(must(200, &put(json!(["alice", "bob"])))["members"], 2);
    put(json!(["alice", "nobody"])).must_be_problem(404, "not_found");
    assert_eq!(members(), ["alice", "bob"]);
    assert_eq!(must(200, &put(json!(["carol", "alice", "carol"])))["members"], 2);
    assert_eq!(members(), ["alice", "carol"]);
    for _ in 0..2 {
        must(204, &call(&app, "PUT", "/v1/groups/visitors/members/BOB", &token, &Value::Null));
    }
    assert_eq!(members(), ["alice", "bob", "carol"]);
    for _ in 0..2 {
        must(204, &call(&app, "DELETE", "/v1/groups/visitors/members/bob", &token, &Value::Null));
    }
    let shown = call(&app, "GET", "/v1/groups/visitors", &token, &Value::Null);
    assert_eq!(must(200, &shown), &json!({ "name": "visitors", "members": 2 }));
    for path in ["/v1/groups/visitors/members/nobody", "/v1/groups/nobodies/members/bob"] {
        call(&app, "PUT", path, &token, &Value::Null).must_be_problem(404, "not_found");
    }
    let give = json!({ "groups": ["visitors"], "scope": "stacks", "until": "2027-04-01T00:00:00Z" });
    assert_eq!(
        must(201, &call(&app, "POST", "/v1/grants", &token, &give))["grants"].as_array().unwrap().len(),
        1
    );
    assert_eq!(client.otp("alice", &phone.code()).text("scope"), "stacks");
    let listed = call(&app, "GET", "/v1/grants?group=visitors", &token, &Value::Null);
    assert_eq!(must(200, &listed)["items"][0]["ends_at"], "2027-04-01T00:00:00Z");
    let take = json!({ "groups": ["visitors"], "scope": "stacks" });
    assert_eq!(must(200, &call(&app, "POST", "/v1/grants/take", &token, &take)), &json!({ "taken": 1 }));
    let detail = json!({ "users": ["alice"], "detail": { "type": "document", "actions": ["read"] } });
    let given = call(&app, "POST", "/v1/grants", &token, &detail);
    let path = format!("/v1/grants/{}", must(201, &given)["grants"][0].as_str().unwrap());
    must(204, &call(&app, "DELETE", &path, &token, &Value::Null));
    call(&app, "DELETE", &path, &token, &Value::Null).must_be_problem(404, "not_found");
    must(204, &call(&app, "DELETE", "/v1/groups/visitors", &token, &Value::Null));
    must(204, &call(&app, "DELETE", "/v1/scopes/stacks", &token, &Value::Null));
    assert_eq!(names(&call(&app, "GET", "/v1/groups", &token, &Value::Null)), [""; 0]);
}

fn keys_are_listed_rotated_and_revoked(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    let listed = call(&app, "GET", "/v1/keys", &token, &Value::Null);
    assert_eq!(must(200, &listed)["items"].as_array().unwrap().len(), 2);
    let rotated = call(&app, "POST", "/v1/keys/rotate", &token, &json!({ "algorithm": "ES256" }));
    assert_eq!(must(200, &rotated)["revoked"], json!([]));
    let revoked = call(&app, "POST", "/v1/keys/rotate", &token, &json!({ "revoke": true }));
    assert_eq!(must(200, &revoked)["revoked"], json!([rotated.body["kid"]]));
    let listed = call(&app, "GET", "/v1/keys", &token, &Value::Null).body.to_string();
    assert!(listed.contains("ES256") && listed.contains("revoked"), "{listed}");
    let path = "/v1/keys/revoke";
    call(&app, "POST", path, &token, &json!({ "keys": ["x"] })).must_be_problem(404, "not_found");
    let current = must(200, &revoked)["kid"].clone();
    let revoked = call(&app, "POST", path, &token, &json!({ "keys": [current] }));
    assert_eq!(must(200, &revoked)["revoked"], json!([current]));
    let revoked = call(&app, "POST", path, &token, &json!({ "all": true }));
    assert_eq!(must(200, &revoked)["revoked"].as_array().unwrap().len(), 3);
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

/// The names that a page shows.
fn names(page: &Reply) -> Vec<String> {
    let items = must(200, page)["items"].as_array().unwrap();
    items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
}

/// All items of a list by pages of `limit`, with something that happens between them.
fn walk(app: &App, path: &str, token: &str, limit: usize, mut between: impl FnMut()) -> Vec<Value> {
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    let sign = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = call(app, "GET", &format!("{path}{sign}limit={limit}{cursor}"), token, &Value::Null);
        let items = must(200, &page)["items"].as_array().unwrap();
        assert!(items.len() <= limit);
        seen.extend(items.iter().cloned());
        let Some(next) = page.body["next"].as_str() else { return seen };
        assert_eq!(items.len(), limit, "only the last page is short");
        cursor = format!("&cursor={next}");
        between();
    }
}

fn every_list_is_paged_and_shows_everything_once(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    app.user("alice");
    let phones: Vec<_> = (0..4).map(|_| app.phone("alice")).collect();
    must(201, &call(&app, "POST", "/v1/users/alice/factors", &token, &json!({ "kind": "totp" })));
    let client = app.client();
    for phone in &phones {
        client.otp("alice", &phone.code()).access_token();
        app.next_step();
    }
    for group in ["%C3%A4", "b", "C", "d%20e", "f"] {
        let path = format!("/v1/groups/{group}");
        must(200, &call(&app, "PUT", &path, &token, &json!({ "members": [] })));
    }
    for name in ["a", "b", "C", "d-e", "f"] {
        must(200, &call(&app, "PUT", &format!("/v1/scopes/{name}"), &token, &json!({})));
        let user = format!("user{name}");
        app.user(&user);
        must(204, &call(&app, "PUT", &format!("/v1/groups/b/members/{user}"), &token, &Value::Null));
        let grant = json!({ "users": [user], "groups": ["b"], "scope": "b" });
        must(201, &call(&app, "POST", "/v1/grants", &token, &grant));
        // Some keys of the same moment.
        must(200, &call(&app, "POST", "/v1/keys/rotate", &token, &json!({})));
    }
    app.pass(1);
    must(200, &call(&app, "POST", "/v1/keys/rotate", &token, &json!({})));
    for (path, count) in [
        ("/v1/users", 6),
        ("/v1/clients", 2),
        ("/v1/groups", 5),
        ("/v1/groups/b/members", 5),
        ("/v1/scopes", 5),
        ("/v1/grants", 10),
        ("/v1/grants?group=b", 5),
        ("/v1/grants?user=useRb", 1),
        ("/v1/keys", 8),
        ("/v1/users/alice/factors", 5),
        ("/v1/users/alice/sessions", 4),
        ("/v1/audit?action=access.given", 10),
    ] {
        let all = walk(&app, path, &token, 200, || {});
        assert_eq!(all.len(), count, "{path}: {all:?}");
        for limit in 1..4 {
            assert_eq!(walk(&app, path, &token, limit, || {}), all, "{path} by {limit}");
        }
    }
}

fn lists_do_not_end_at_a_thousand(on: Backend) {
    use countersign::app::access::{Named, Span, give};
    use countersign::domain::authorization::Access;
    use countersign::domain::time::Timestamp;

    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    app.user("alice");
    let holders = vec![Named::User(countersign::domain::user::UserName::parse("alice").unwrap()); 1005];
    app.operate(|service, conn, at| {
        let span = Span { starts_at: at.now, ends_at: Timestamp::NEVER };
        give(service, conn, at, &holders, &Access::Scope("read".to_owned()), span)
    })
    .unwrap();
    let mut ids: Vec<String> = walk(&app, "/v1/grants?user=alice", &token, 200, || {})
        .iter()
        .map(|grant| grant["id"].as_str().unwrap().to_owned())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 1005);
}

fn what_comes_later_moves_no_page(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    app.user("alice");
    let give = || call(&app, "POST", "/v1/grants", &token, &json!({ "users": ["alice"], "scope": "read" }));
    let ids = |items: &[Value]| items.iter().map(|item| item["id"].clone()).collect::<Vec<_>>();
    for _ in 0..5 {
        app.pass(1);
        must(201, &give());
    }
    let before = walk(&app, "/v1/grants", &token, 200, || {});
    let walked = walk(&app, "/v1/grants", &token, 2, || {
        app.pass(1);
        must(201, &give());
    });
    assert_eq!(ids(&walked), ids(&before));
    // What the cursor names may be gone.
    let mut given = ids(&before);
    let walked = walk(&app, "/v1/grants", &token, 1, || {
        let gone = given.remove(0);
        let path = format!("/v1/grants/{}", gone.as_str().unwrap());
        let _ = call(&app, "DELETE", &path, &token, &Value::Null);
    });
    assert!(ids(&walked).ends_with(&given[..]), "{walked:?}");
}

/// Enrols a factor that the user must confirm; its path, and a phone that has scanned it.
fn pending(app: &App, token: &str, user: &str, kind: &str) -> (String, crate::actors::Phone) {
    let enrolled = call(app, "POST", &format!("/v1/users/{user}/factors"), token, &json!({ "kind": kind }));
    assert_eq!(must(201, &enrolled)["state"], "pending");
    (format!("/v1/users/{user}/factors/{}", enrolled.text("factor_id")), app.phone_of(enrolled.text("uri")))
}

fn a_pending_factor_is_confirmed_by_its_own_code_once(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    for name in ["alice", "bob"] {
        app.user(name);
    }
    let (path, phone) = pending(&app, &token, "alice", "totp");
    let (bobs, _) = pending(&app, &token, "bob", "totp");
    let client = app.client();
    let confirm = |path: &str, code: &str| {
        call(&app, "POST", &format!("{path}/confirm"), &token, &json!({ "code": code }))
    };
    confirm(&path, &phone.wrong_code()).must_be_problem(400, "invalid_grant");
    // Another user's factor, under the right name and the wrong one; what is no id.
    let id = path.rsplit('/').next().unwrap();
    for wrong in [
        format!("/v1/users/bob/factors/{id}"),
        bobs.replace("bob", "alice"),
        format!("/v1/users/nobody/factors/{id}"),
        "/v1/users/alice/factors/nonsense".to_owned(),
    ] {
        confirm(&wrong, &phone.code()).must_be_problem(404, "not_found");
    }
    let code = phone.code();
    must(204, &confirm(&path, &format!("{} {}", &code[..3], &code[3..])));
    let listed = call(&app, "GET", "/v1/users/alice/factors", &token, &Value::Null);
    assert_eq!(must(200, &listed)["items"][0]["state"], "active");
    confirm(&path, &phone.code_at(1)).must_be_problem(404, "not_found");
    client.otp("alice", &code).must_be(400, "invalid_grant");
    client.otp("alice", &phone.code_at(1)).access_token();
    let log = call(&app, "GET", "/v1/audit?action=factor.confirmed", &token, &Value::Null);
    let items = must(200, &log)["items"].as_array().unwrap();
    let outcomes: Vec<_> = items.iter().map(|entry| entry["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done", "refused: wrong"]);
    assert!(items.iter().all(|entry| entry["actor"].as_str().unwrap().starts_with("client:")), "{items:?}");
    for entry in items {
        assert_eq!(
            (&entry["subject"], &entry["detail"]),
            (&subject(&app, &token, "alice"), &json!(format!("factor={id}")))
        );
    }
}

/// How the log has a user.
fn subject(app: &App, token: &str, user: &str) -> Value {
    let shown = call(app, "GET", &format!("/v1/users/{user}"), token, &Value::Null);
    json!(format!("user:{}", must(200, &shown)["id"].as_str().unwrap()))
}

fn a_pending_factor_that_has_lapsed_is_not_found(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    app.user("alice");
    let (path, phone) = pending(&app, &token, "alice", "totp");
    app.pass(3600);
    let token = manager(&app, "another", ALL);
    let listed = call(&app, "GET", "/v1/users/alice/factors", &token, &Value::Null);
    assert_eq!(must(200, &listed)["items"], json!([]));
    let code = json!({ "code": phone.code() });
    call(&app, "POST", &format!("{path}/confirm"), &token, &code).must_be_problem(404, "not_found");
    call(&app, "DELETE", &path, &token, &Value::Null).must_be_problem(404, "not_found");
}

fn a_hotp_factor_is_resynchronised_by_two_codes_of_it(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    for name in ["alice", "bob"] {
        app.user(name);
    }
    let (phone, client) = (app.hotp_token("alice", 0), app.client());
    app.pass(1);
    let other = app.hotp_token("alice", 0);
    let listed = call(&app, "GET", "/v1/users/alice/factors", &token, &Value::Null);
    let id = |index: usize| must(200, &listed)["items"][index]["id"].as_str().unwrap().to_owned();
    let path = |user: &str, id: &str| format!("/v1/users/{user}/factors/{id}/resynchronise");
    let post = |path: &str, phone: &crate::actors::Phone, first: i64, second: i64| {
        let body = json!({ "first": phone.code_at(first), "second": phone.code_at(second) });
        call(&app, "POST", path, &token, &body)
    };
    let own = path("alice", &id(0));
    client.otp("alice", &phone.code_at(200)).must_be(400, "invalid_grant");
    post(&own, &phone, 200, 202).must_be_problem(400, "invalid_grant");
    post(&own, &phone, 201, 200).must_be_problem(400, "invalid_grant");
    // The codes of one factor do not move another one, nor that of another user.
    post(&own, &other, 200, 201).must_be_problem(400, "invalid_grant");
    post(&path("alice", &id(1)), &phone, 200, 201).must_be_problem(400, "invalid_grant");
    post(&path("bob", &id(0)), &phone, 200, 201).must_be_problem(404, "not_found");
    let (unconfirmed, new) = pending(&app, &token, "bob", "hotp");
    post(&format!("{unconfirmed}/resynchronise"), &new, 200, 201).must_be_problem(404, "not_found");
    must(204, &post(&own, &phone, 200, 201));
    post(&own, &phone, 200, 201).must_be_problem(400, "invalid_grant");
    client.otp("alice", &phone.code_at(201)).must_be(400, "invalid_grant");
    client.otp("alice", &phone.code_at(202)).access_token();
    let log = call(&app, "GET", "/v1/audit?action=factor.resynchronised", &token, &Value::Null);
    let items = must(200, &log)["items"].as_array().unwrap();
    assert_eq!(items.len(), 6, "{log:?}");
    let done = items.iter().find(|entry| entry["outcome"] == "done").unwrap();
    assert_eq!(done["detail"], format!("factor={}", id(0)));
    let alice = subject(&app, &token, "alice");
    assert!(items.iter().all(|entry| entry["subject"] == alice), "{log:?}");
}

fn one_factor_is_removed_and_the_others_stay(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    for name in ["alice", "bob"] {
        app.user(name);
    }
    let (lost, client) = (app.phone("alice"), app.client());
    app.pass(1);
    let kept = app.phone("alice");
    let by_lost = client.otp("alice", &lost.code()).access_token();
    let by_kept = client.otp("alice", &kept.code()).access_token();
    let listed = call(&app, "GET", "/v1/users/alice/factors", &token, &Value::Null);
    let id = must(200, &listed)["items"][0]["id"].as_str().unwrap().to_owned();
    let remove =
        |user: &str| call(&app, "DELETE", &format!("/v1/users/{user}/factors/{id}"), &token, &Value::Null);
    remove("bob").must_be_problem(404, "not_found");
    assert!(client.is_active(&by_lost));
    must(204, &remove("alice"));
    assert!(!client.is_active(&by_lost) && client.is_active(&by_kept));
    remove("alice").must_be_problem(404, "not_found");
    app.next_step();
    client.otp("alice", &lost.code()).must_be(400, "invalid_grant");
    client.otp("alice", &kept.code()).access_token();
    let log = call(&app, "GET", "/v1/audit?action=factor.removed", &token, &Value::Null);
    let entry = &must(200, &log)["items"][0];
    assert_eq!(entry["subject"], subject(&app, &token, "alice"));
    assert_eq!(entry["detail"], format!("factor={id} sessions=1 devices=0"));
}

fn one_session_is_ended_and_the_others_stay(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    for name in ["alice", "bob"] {
        app.user(name);
    }
    let (phone, client) = (app.phone("alice"), app.client());
    let first = client.otp("alice", &phone.code()).access_token();
    app.next_step();
    let second = client.otp("alice", &phone.code()).access_token();
    let listed = call(&app, "GET", "/v1/users/alice/sessions", &token, &Value::Null);
    let id = must(200, &listed)["items"][1]["id"].as_str().unwrap().to_owned();
    let end = |user: &str, id: &str| {
        call(&app, "DELETE", &format!("/v1/users/{user}/sessions/{id}"), &token, &Value::Null)
    };
    end("bob", &id).must_be_problem(404, "not_found");
    end("alice", "nonsense").must_be_problem(404, "not_found");
    assert!(client.is_active(&first));
    must(204, &end("alice", &id));
    assert!(!client.is_active(&first) && client.is_active(&second));
    end("alice", &id).must_be_problem(404, "not_found");
    let log = call(&app, "GET", "/v1/audit?action=session.ended", &token, &Value::Null);
    let entry = &must(200, &log)["items"][0];
    assert_eq!(entry["subject"], subject(&app, &token, "alice"));
    assert_eq!(entry["detail"], format!("session={id}"));
}

fn recovery_codes_are_renewed_and_the_old_ones_void(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    app.user_with_password("alice");
    let enrolled =
        call(&app, "POST", "/v1/users/alice/factors", &token, &json!({ "kind": "totp", "active": true }));
    let code = |reply: &Reply| reply.body["recovery_codes"][0].as_str().unwrap().to_owned();
    let renewed = call(&app, "POST", "/v1/users/alice/recovery-codes", &token, &Value::Null);
    assert_eq!(must(200, &renewed)["recovery_codes"].as_array().unwrap().len(), 10);
    assert_eq!(renewed.header("cache-control"), Some("no-store"));
    let client = app.client();
    let login = |code: &str| client.recover(&client.mfa_token("alice"), code);
    login(&code(&enrolled)).must_be(400, "invalid_grant");
    login(&code(&renewed)).access_token();
    let log = call(&app, "GET", "/v1/audit?action=recovery_codes.made&limit=1", &token, &Value::Null);
    let entry = &must(200, &log)["items"][0];
    assert!(entry["actor"].as_str().unwrap().starts_with("client:"), "{entry}");
    assert!(!entry.to_string().contains(&code(&renewed)[..4]), "{entry}");
    call(&app, "POST", "/v1/users/nobody/recovery-codes", &token, &Value::Null)
        .must_be_problem(404, "not_found");
}

fn a_clients_secret_is_renewed_and_the_old_one_wrong(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let access = client.otp("alice", &phone.code()).access_token();
    app.next_step();
    let renew = |name: &str| call(&app, "POST", &format!("/v1/clients/{name}/secret"), &token, &Value::Null);
    let renewed = renew("shop");
    assert_eq!(must(200, &renewed)["client_id"], client.id.as_str());
    assert_eq!(renewed.header("cache-control"), Some("no-store"));
    client.otp("alice", &phone.code()).must_be(401, "invalid_client");
    let again = client.with_secret(renewed.text("client_secret"));
    again.otp("alice", &phone.code()).access_token();
    assert!(again.is_active(&access), "who is logged in stays so");
    must(204, &call(&app, "POST", "/v1/clients/shop/disable", &token, &Value::Null));
    let disabled = again.with_secret(renew(&client.id).text("client_secret"));
    disabled.introspect(&access).must_be(401, "invalid_client");
    renew("nobody").must_be_problem(404, "not_found");
    let log = call(&app, "GET", "/v1/audit?action=client_secret.renewed", &token, &Value::Null);
    assert_eq!(must(200, &log)["items"].as_array().unwrap().len(), 2);
    assert!(!log.body.to_string().contains("css_"), "{log:?}");
}

fn parallel_first_puts_of_one_name_all_succeed(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    let token = manager(&app, "console", ALL);
    app.user("alice");
    for round in 0..6 {
        for (path, body, is_told) in [
            (format!("/v1/users/user{round}"), json!({ "email": "a@example.org" }), true),
            (format!("/v1/clients/client{round}"), json!({ "grants": ["password"] }), true),
            (format!("/v1/groups/group{round}"), json!({ "members": ["alice"] }), false),
            (format!("/v1/scopes/scope{round}"), json!({ "by_grant": true }), false),
        ] {
            let replies = at_once(8, |index| {
                call(if index % 2 == 0 { &app } else { &other }, "PUT", &path, &token, &body)
            });
            let with = |status| replies.iter().filter(|reply| reply.status == status).count();
            let expected = if is_told { (1, 7) } else { (0, 8) };
            assert_eq!((with(201), with(200)), expected, "{path}: {replies:?}");
        }
    }
    let added = walk(&app, "/v1/audit?action=user.added", &token, 200, || {});
    assert_eq!(added.len(), 7, "each was added once");
    let members = walk(&app, "/v1/audit?action=member.added", &token, 200, || {});
    assert_eq!(members.len(), 6, "each was put into its group once");
}

fn parallel_puts_of_one_group_leave_one_of_them(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    let users: Vec<String> = (0..8).map(|index| format!("user{index}")).collect();
    for user in &users {
        app.user(user);
    }
    for _ in 0..6 {
        let replies = at_once(4, |index| {
            let body = json!({ "members": users[index * 2..index * 2 + 2] });
            call(&app, "PUT", "/v1/groups/shift", &token, &body)
        });
        assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
        let left = names(&call(&app, "GET", "/v1/groups/shift/members", &token, &Value::Null));
        assert!(users.chunks(2).any(|pair| pair == left), "{left:?}");
    }
}
