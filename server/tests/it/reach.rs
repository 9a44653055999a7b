//! Who may manage, and that nobody reaches further through the management API: scopes, roles, and what the manager of now is.

use countersign::app::manage::{Needs, authorise};
use countersign::domain::user::{Role, UserName};
use serde_json::{Value, json};

use crate::actors::{App, Client, ClientSpec, Phone, Reply, unused_name};
use crate::management::{ALL, call, manager, must};
use crate::openapi::operations;
use crate::{Backend, tests};

tests![
    every_operation_is_refused_to_everybody_it_is_not_for,
    the_scope_of_the_own_factors_reaches_nobody_elses,
    strangers_hear_nothing_about_what_they_sent,
    a_client_cannot_reach_further_through_clients_or_users,
    who_has_the_own_factors_alone_gives_nobody_everybodys,
    groups_and_grants_reach_whoever_manages_and_give_no_power_here,
    an_application_does_not_remove_disable_or_disarm_itself,
    a_help_desk_helps_users_and_no_more,
    a_help_desk_that_needs_a_second_person_cannot_take_the_last_factor_alone,
    a_managers_token_for_another_application_manages_nothing,
    rules_of_management_scopes_are_for_managers_who_hold_everything,
    what_an_application_is_not_registered_for_any_more_its_tokens_do_not_do,
    who_looked_after_everybodys_factors_does_not_at_an_application_for_the_own_ones,
    an_auditor_reads_and_changes_nothing,
    an_administrator_manages_after_a_fresh_login,
    a_role_that_was_taken_away_is_over_at_once,
    a_manager_who_is_none_any_more_when_the_change_begins_changes_nothing,
    a_user_who_got_a_role_when_the_change_begins_is_out_of_reach,
];

/// A user in a role, logged in with password and code at a client that may ask for everything.
fn staff(app: &App, name: &str, role: Role) -> (Phone, String) {
    let phone = app.person(name, role);
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
    for operation in operations(&app) {
        let (method, path, scope) = (operation.method, operation.path, operation.scope);
        let of = format!("{method} {path}");
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

fn the_scope_of_the_own_factors_reaches_nobody_elses(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    app.phone("alice");
    for (name, role) in [("ada", Role::Admin), ("hel", Role::Helpdesk), ("aud", Role::Auditor)] {
        let (phone, _) = staff(&app, name, role);
        let client =
            app.client_with(ClientSpec { name: unused_name(), ..ClientSpec::with_scopes("factors") });
        app.next_step();
        let token = client.otp(name, &phone.code()).access_token();
        for (method, path) in [("GET", "/v1/users/alice/factors"), ("POST", "/v1/users/alice/unlock")] {
            call(&app, method, path, &token, &Value::Null).must_be_problem(403, "insufficient_scope");
        }
        assert_eq!(app.get_as("/mfa/authenticators", &token).status, 200, "the own ones");
    }
}

/// A body that each operation takes.
fn sample(path: &str) -> Value {
    match path {
        path if path.ends_with("/factors") => json!({ "kind": "totp" }),
        path if path.ends_with("/confirm") => json!({ "code": "123456" }),
        path if path.ends_with("/resynchronise") => json!({ "first": "123456", "second": "654321" }),
        path if path.starts_with("/v1/clients") => json!({ "grants": ["client_credentials"] }),
        path if path.starts_with("/v1/groups") => json!({ "members": [] }),
        path if path.starts_with("/v1/grants") => json!({ "users": ["somebody"], "scope": "read" }),
        _ => json!({}),
    }
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
    for operation in ["disable", "enable", "secret"] {
        let path = format!("/v1/clients/whole/{operation}");
        call(&app, "POST", &path, &clients, &Value::Null).must_be_problem(403, "out_of_reach");
    }
    // Nor by its id instead of its name.
    let id = call(&app, "GET", "/v1/clients/whole", &clients, &Value::Null).text("client_id").to_owned();
    let path = format!("/v1/clients/{id}/secret");
    call(&app, "POST", &path, &clients, &Value::Null).must_be_problem(403, "out_of_reach");
    // Whoever manages users would be everything, if it could make or take over an administrator.
    let users = manager(&app, "of-users", "users factors");
    let factors = call(&app, "GET", "/v1/users/ada/factors", &users, &Value::Null);
    let factor = format!("/v1/users/ada/factors/{}", must(200, &factors)["items"][0]["id"].as_str().unwrap());
    let listed = call(&app, "GET", "/v1/users/ada/sessions", &users, &Value::Null);
    let session =
        format!("/v1/users/ada/sessions/{}", must(200, &listed)["items"][0]["id"].as_str().unwrap());
    let (confirm, resynchronise) = (format!("{factor}/confirm"), format!("{factor}/resynchronise"));
    for (method, path, body) in [
        ("PUT", "/v1/users/new", json!({ "role": "admin" })),
        ("PUT", "/v1/users/new", json!({ "role": "helpdesk" })),
        ("PUT", "/v1/users/ada", json!({ "password": "another long one" })),
        ("POST", "/v1/users/ada/factors", json!({ "kind": "totp", "active": true })),
        ("POST", "/v1/users/ada/reset", Value::Null),
        ("POST", "/v1/users/ada/lock", Value::Null),
        ("POST", "/v1/users/ada/unlock", Value::Null),
        ("POST", "/v1/users/ada/recovery-codes", Value::Null),
        ("POST", &confirm, json!({ "code": "123456" })),
        ("POST", &resynchronise, json!({ "first": "123456", "second": "654321" })),
        ("DELETE", &factor, Value::Null),
        ("DELETE", &session, Value::Null),
        ("DELETE", "/v1/users/ada/sessions", Value::Null),
        ("DELETE", "/v1/users/ada", Value::Null),
    ] {
        call(&app, method, path, &users, &body).must_be_problem(403, "out_of_reach");
    }
    must(200, &call(&app, "GET", "/v1/users/ada", &admin, &Value::Null));
    must(201, &call(&app, "PUT", "/v1/users/new", &whole, &json!({ "role": "admin" })));
}

fn a_help_desk_helps_users_and_no_more(on: Backend) {
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
    // What the user reads out confirms and resynchronises; a phone that was lost is removed.
    let whole = manager(&app, "whole", ALL);
    let enrolled = call(&app, "POST", "/v1/users/alice/factors", &whole, &json!({ "kind": "hotp" }));
    let factor = format!("/v1/users/alice/factors/{}", must(201, &enrolled)["factor_id"].as_str().unwrap());
    let phone = app.phone_of(enrolled.text("uri"));
    let confirm = json!({ "code": phone.code() });
    must(204, &call(&app, "POST", &format!("{factor}/confirm"), &help, &confirm));
    let two = json!({ "first": phone.code_at(100), "second": phone.code_at(101) });
    must(204, &call(&app, "POST", &format!("{factor}/resynchronise"), &help, &two));
    must(204, &call(&app, "DELETE", &factor, &help, &Value::Null));
    let session = "/v1/users/alice/sessions/01a0aaaa-0000-7000-8000-000000000001";
    for (method, path, body) in [
        ("PUT", "/v1/users/alice", json!({})),
        ("PUT", "/v1/users/hal", json!({ "role": "admin" })),
        ("POST", "/v1/users/alice/lock", Value::Null),
        ("POST", "/v1/users/alice/factors", json!({ "kind": "totp" })),
        ("POST", "/v1/users/alice/recovery-codes", Value::Null),
        ("DELETE", session, Value::Null),
        ("DELETE", "/v1/users/alice", Value::Null),
        ("GET", "/v1/clients", Value::Null),
        ("POST", "/v1/clients/whole/secret", Value::Null),
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

/// Without one a password alone enrols a new phone: by another way that would be the reset which waits for a second person.
fn a_help_desk_that_needs_a_second_person_cannot_take_the_last_factor_alone(on: Backend) {
    let app = App::start_with_approvals(on);
    let (_, desk) = staff(&app, "hel", Role::Helpdesk);
    let (_, admin) = staff(&app, "ada", Role::Admin);
    app.user("bob");
    app.phone("bob");
    app.phone("bob");
    let factors = |token: &str| -> Vec<String> {
        let shown = call(&app, "GET", "/v1/users/bob/factors", token, &Value::Null);
        let items = must(200, &shown)["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|factor| format!("/v1/users/bob/factors/{}", factor["id"].as_str().unwrap()))
            .collect()
    };
    let both = factors(&desk);
    must(204, &call(&app, "DELETE", &both[0], &desk, &Value::Null));
    call(&app, "DELETE", &both[1], &desk, &Value::Null).must_be_problem(403, "out_of_reach");
    assert_eq!(factors(&desk), both[1..]);
    must(202, &call(&app, "POST", "/v1/users/bob/reset", &desk, &Value::Null));
    must(204, &call(&app, "DELETE", &both[1], &admin, &Value::Null));
}

/// An application that may look after applications could else leave every manager without a good token, or undo a rule.
fn rules_of_management_scopes_are_for_managers_who_hold_everything(on: Backend) {
    let app = App::start(on);
    let whole = manager(&app, "whole", ALL);
    // Also of what one has: the console's own sessions have all of these.
    let narrow = manager(&app, "narrow", "clients factors audit:read");
    let rule = json!({ "one_use": true });
    for scope in ["users", "users:read", "audit:read", "factors", "sessions", "clients", "clients:read"] {
        let path = format!("/v1/scopes/{scope}");
        call(&app, "PUT", &path, &narrow, &rule).must_be_problem(403, "out_of_reach");
        must(200, &call(&app, "PUT", &path, &whole, &json!({ "token_ttl": 60 })));
        call(&app, "DELETE", &path, &narrow, &Value::Null).must_be_problem(403, "out_of_reach");
        must(204, &call(&app, "DELETE", &path, &whole, &Value::Null));
    }
    must(200, &call(&app, "PUT", "/v1/scopes/documents", &narrow, &rule));
}

fn what_an_application_is_not_registered_for_any_more_its_tokens_do_not_do(on: Backend) {
    let app = App::start(on);
    let (butler, whole) = (manager(&app, "butler", "users audit:read"), manager(&app, "whole", ALL));
    let path = "/v1/users/bob";
    must(201, &call(&app, "PUT", path, &butler, &json!({})));
    let narrow = json!({ "grants": ["client_credentials"], "scope": "audit:read" });
    must(200, &call(&app, "PUT", "/v1/clients/butler", &whole, &narrow));
    call(&app, "DELETE", path, &butler, &Value::Null).must_be_problem(403, "insufficient_scope");
    let reads = || call(&app, "GET", "/v1/audit", &butler, &Value::Null);
    must(200, &reads());
    // What is within what it has is not gone; a token of its own is, without the grant that brings one.
    let wider = json!({ "grants": ["client_credentials"], "scope": "audit" });
    must(200, &call(&app, "PUT", "/v1/clients/butler", &whole, &wider));
    must(200, &reads());
    let other = json!({ "grants": ["refresh_token"], "scope": "audit" });
    must(200, &call(&app, "PUT", "/v1/clients/butler", &whole, &other));
    reads().must_be_problem(403, "insufficient_scope");
    must(200, &call(&app, "GET", path, &whole, &Value::Null));
}

fn who_looked_after_everybodys_factors_does_not_at_an_application_for_the_own_ones(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let whole = manager(&app, "whole", ALL);
    let (phone, _) = staff(&app, "ada", Role::Admin);
    let desk = app.client_with(ClientSpec {
        name: "desk",
        ..ClientSpec::with_scopes("factors factors:read offline_access")
    });
    app.next_step();
    let login = desk.mfa_otp(&desk.mfa_token("ada"), &phone.code());
    let unlock = |token: &str| call(&app, "POST", "/v1/users/alice/unlock", token, &Value::Null);
    must(204, &unlock(&login.access_token()));
    // Registered for the own ones alone, it has no more of what came from there either.
    let narrow = json!({
        "grants": ["password", "refresh_token"],
        "scope": "factors offline_access",
    });
    must(200, &call(&app, "PUT", "/v1/clients/desk", &whole, &narrow));
    unlock(&login.access_token()).must_be_problem(403, "insufficient_scope");
    let refreshed = desk.refresh(login.text("refresh_token"));
    assert_eq!(refreshed.text("scope"), "factors offline_access");
    unlock(&refreshed.access_token()).must_be_problem(403, "insufficient_scope");
    assert_eq!(app.get_as("/mfa/authenticators", &refreshed.access_token()).status, 200, "the own ones");
    // An application's own token is for everybody's in any case.
    let (butler, path) = (manager(&app, "butler", "factors:read"), "/v1/clients/butler");
    let wider = json!({ "grants": ["client_credentials"], "scope": "factors" });
    must(200, &call(&app, "PUT", path, &whole, &wider));
    must(200, &call(&app, "GET", "/v1/users/alice/factors", &butler, &Value::Null));
}

fn an_auditor_reads_and_changes_nothing(on: Backend) {
    let app = App::start(on);
    let (_, auditor) = staff(&app, "otto", Role::Auditor);
    for operation in operations(&app) {
        let (method, path, scope) = (operation.method, operation.path, operation.scope);
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
    let last = call(&app, "PUT", "/v1/users/ada", &whole, &json!({ "role": "user" }));
    last.must_be_problem(409, "last_administrator");
    staff(&app, "ann", Role::Admin);
    must(200, &call(&app, "PUT", "/v1/users/ada", &whole, &json!({ "role": "user" })));
    let reply = call(&app, "GET", "/v1/users", &admin, &Value::Null);
    assert_eq!(reply.status, 401, "her sessions ended with the role: {reply:?}");
}

fn strangers_hear_nothing_about_what_they_sent(on: Backend) {
    let app = App::start(on);
    let (_, user) = staff(&app, "uma", Role::User);
    let (nonsense, user) = ("Bearer nonsense".to_owned(), format!("Bearer {user}"));
    for (path, method) in [
        ("/v1/users?limit=0&colour=red", "GET"),
        ("/v1/users/a:b", "GET"),
        ("/v1/users/a:b", "PUT"),
        ("/v1/clients/%00", "PUT"),
        ("/v1/grants/nonsense", "DELETE"),
        ("/v1/users/alice/factors/nonsense/confirm", "POST"),
    ] {
        let send = |headers: &[(&str, &str)]| app.call(method, path, headers, &json!(["nonsense"]));
        send(&[]).must_be_problem(401, "invalid_token");
        send(&[("authorization", &nonsense)]).must_be_problem(401, "invalid_token");
        send(&[("authorization", &user)]).must_be_problem(403, "insufficient_scope");
    }
    let huge = vec![b'x'; 100_000];
    assert_eq!(app.post("/v1/keys/rotate", &[("authorization", &nonsense)], &huge).status, 401);
}

/// In a user's token `factors` is for the own ones, in an application's own token for everybody's: who could register such a one would reach further.
fn who_has_the_own_factors_alone_gives_nobody_everybodys(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let whole = manager(&app, "whole", ALL);
    let (phone, _) = staff(&app, "ada", Role::Admin);
    let token_with = |scopes| {
        let client = app.client_with(ClientSpec { name: unused_name(), ..ClientSpec::with_scopes(scopes) });
        app.next_step();
        client.mfa_otp(&client.mfa_token("ada"), &phone.code()).access_token()
    };
    let own = token_with("clients factors");
    let all = token_with("clients factors factors:read");
    call(&app, "POST", "/v1/users/alice/reset", &own, &Value::Null)
        .must_be_problem(403, "insufficient_scope");
    for scope in ["factors", "factors:read"] {
        let (name, body) = (unused_name(), json!({ "grants": ["client_credentials"], "scope": scope }));
        let path = format!("/v1/clients/{name}");
        call(&app, "PUT", &path, &own, &body).must_be_problem(403, "out_of_reach");
        must(201, &call(&app, "PUT", &path, &all, &body));
        let secret = format!("{path}/secret");
        call(&app, "POST", &secret, &own, &Value::Null).must_be_problem(403, "out_of_reach");
        must(200, &call(&app, "POST", &secret, &all, &Value::Null));
    }
    must(201, &call(&app, "PUT", "/v1/clients/a", &own, &json!({ "grants": ["client_credentials"] })));
    // Nor is anybody a whole manager with the four names alone.
    let (almost, whole_user) = (token_with(ALL), token_with("users factors factors:read clients audit"));
    let auditor = json!({ "role": "auditor" });
    call(&app, "PUT", "/v1/users/bob", &almost, &auditor).must_be_problem(403, "out_of_reach");
    call(&app, "POST", "/v1/users/ada/lock", &almost, &Value::Null).must_be_problem(403, "out_of_reach");
    let rule = json!({ "one_use": true });
    call(&app, "PUT", "/v1/scopes/users", &almost, &rule).must_be_problem(403, "out_of_reach");
    must(201, &call(&app, "PUT", "/v1/users/bob", &whole_user, &auditor));
    must(201, &call(&app, "PUT", "/v1/users/bea", &whole, &auditor));
}

/// A directory names administrators, too, as members. What they may do here comes from their role alone.
fn groups_and_grants_reach_whoever_manages_and_give_no_power_here(on: Backend) {
    let app = App::start(on);
    let (whole, directory) = (manager(&app, "whole", ALL), manager(&app, "directory", "users"));
    let (_, admin) = staff(&app, "ada", Role::Admin);
    let (_, user) = staff(&app, "uma", Role::User);
    let members = json!({ "members": ["ada", "uma"] });
    must(200, &call(&app, "PUT", "/v1/groups/administrators", &directory, &members));
    let given = json!({ "users": ["ada", "uma"], "groups": ["administrators"], "scope": "stacks" });
    must(201, &call(&app, "POST", "/v1/grants", &directory, &given));
    must(200, &call(&app, "POST", "/v1/grants/take", &directory, &given));
    // Nothing of it lets anybody manage, nor keeps from managing.
    for scope in ALL.split(' ').chain(["users:read", "factors:read", "sessions"]) {
        let rule = json!({ "by_grant": true });
        let path = format!("/v1/scopes/{scope}");
        call(&app, "PUT", &path, &directory, &rule).must_be_problem(403, "insufficient_scope");
        let given = json!({ "groups": ["administrators"], "users": ["uma"], "scope": scope });
        let reply = call(&app, "POST", "/v1/grants", &directory, &given);
        assert!(reply.status == 400 || scope == "sessions", "{scope}: {reply:?}");
    }
    call(&app, "GET", "/v1/users", &user, &Value::Null).must_be_problem(403, "insufficient_scope");
    must(200, &call(&app, "GET", "/v1/users", &admin, &Value::Null));
    // All else of hers is out of reach.
    for (method, path, body) in [
        ("PUT", "/v1/users/ada", json!({})),
        ("DELETE", "/v1/users/ada/sessions", Value::Null),
        ("DELETE", "/v1/users/ada", Value::Null),
    ] {
        call(&app, method, path, &directory, &body).must_be_problem(403, "out_of_reach");
    }
    must(204, &call(&app, "DELETE", "/v1/groups/administrators/members/ada", &directory, &Value::Null));
    must(200, &call(&app, "GET", "/v1/users/ada", &whole, &Value::Null));
}

fn an_application_does_not_remove_disable_or_disarm_itself(on: Backend) {
    let app = App::start(on);
    let token = manager(&app, "console", ALL);
    let path = "/v1/clients/console";
    let id = call(&app, "GET", path, &token, &Value::Null).text("client_id").to_owned();
    for name in ["console", &id] {
        let of = |rest: &str| format!("/v1/clients/{name}{rest}");
        call(&app, "DELETE", &of(""), &token, &Value::Null).must_be_problem(409, "own_client");
        call(&app, "POST", &of("/disable"), &token, &Value::Null).must_be_problem(409, "own_client");
        must(204, &call(&app, "POST", &of("/enable"), &token, &Value::Null));
    }
    let put = |body: &Value| call(&app, "PUT", path, &token, body);
    for body in [
        json!({ "grants": ["client_credentials"] }),
        json!({ "grants": ["client_credentials"], "scope": "users factors clients:read audit" }),
        json!({ "grants": ["password"], "scope": ALL }),
        json!({ "grants": ["client_credentials"], "scope": ALL, "one_use": true }),
    ] {
        put(&body).must_be_problem(409, "own_client");
    }
    let shown = put(
        &json!({ "grants": ["client_credentials", "password"], "scope": format!("{ALL} read"), "token_ttl": 60 }),
    );
    assert_eq!(must(200, &shown)["token_ttl"], 60, "what does not disarm it may be changed");
    // Another application, and an administrator, may.
    let other = manager(&app, "other", ALL);
    must(204, &call(&app, "POST", "/v1/clients/console/disable", &other, &Value::Null));
    let (_, admin) = staff(&app, "ada", Role::Admin);
    must(204, &call(&app, "DELETE", "/v1/clients/other", &admin, &Value::Null));
}

/// Runs a change in the manager's name after `meanwhile`, which comes between the check of the token and the change.
fn change(app: &App, token: &str, meanwhile: impl FnOnce()) -> Result<(), String> {
    let alice = UserName::parse("alice").unwrap();
    let done = app.operate(|service, conn, at| {
        let warrant = authorise(service, conn, at.now, token, Needs::help("factors"))?;
        meanwhile();
        countersign::app::user::unlock(service, conn, warrant.by(at), &alice)
    });
    done.map_err(|stop| format!("{stop:?}"))
}

fn a_manager_who_is_none_any_more_when_the_change_begins_changes_nothing(on: Backend) {
    type Way<'a> = (&'a str, &'a dyn Fn(&str));

    let app = App::start(on);
    app.user("alice");
    app.lock("alice");
    let (whole, other) = (manager(&app, "whole", ALL), manager(&app, "other", ALL));
    let state = || call(&app, "GET", "/v1/users/alice", &whole, &Value::Null).text("state").to_owned();
    let ways: [Way<'_>; 4] = [
        ("InvalidToken", &|name| {
            let path = format!("/v1/users/{name}/sessions");
            must(200, &call(&app, "DELETE", &path, &whole, &Value::Null));
        }),
        ("InvalidToken", &|name| {
            must(200, &call(&app, "PUT", &format!("/v1/users/{name}"), &whole, &json!({ "role": "user" })));
        }),
        ("InvalidToken", &|name| {
            must(204, &call(&app, "POST", &format!("/v1/users/{name}/lock"), &whole, &Value::Null));
        }),
        ("InsufficientScope", &|name| {
            // A role that is less: her sessions end with it, so the row is changed past all rules.
            use diesel::RunQueryDsl;
            let sql = format!("UPDATE \"user\" SET role = 'auditor' WHERE name = '{name}'");
            diesel::sql_query(sql).execute(&mut *app.place.connection()).unwrap();
        }),
    ];
    for (index, (refusal, meanwhile)) in ways.into_iter().enumerate() {
        let name = format!("ada{index}");
        let (_, token) = staff(&app, &name, Role::Admin);
        let why = change(&app, &token, || meanwhile(&name)).unwrap_err();
        assert!(why.contains(refusal), "{why}");
        assert_eq!(state(), "locked", "{why}");
    }
    let why = change(&app, &other, || {
        must(204, &call(&app, "POST", "/v1/clients/other/disable", &whole, &Value::Null));
    });
    assert!(why.unwrap_err().contains("InvalidToken"));
    assert_eq!(state(), "locked");
    let unlocked = call(&app, "GET", "/v1/audit?action=user.unlocked", &whole, &Value::Null);
    assert_eq!(must(200, &unlocked)["items"], json!([]));
    change(&app, &whole, || {}).unwrap();
    assert_eq!(state(), "active");
}

fn a_user_who_got_a_role_when_the_change_begins_is_out_of_reach(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (whole, narrow) = (manager(&app, "whole", ALL), manager(&app, "narrow", "factors"));
    let why = change(&app, &narrow, || {
        must(200, &call(&app, "PUT", "/v1/users/alice", &whole, &json!({ "role": "admin" })));
    });
    assert!(why.unwrap_err().contains("OutOfReach"));
}
