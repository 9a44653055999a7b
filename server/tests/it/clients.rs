//! Applications: who they are and what they may ask for.

use std::time::Duration;

use countersign::app;
use countersign::domain::client::{ClientState, Grant};
use diesel::connection::SimpleConnection as _;

use crate::actors::{App, ClientSpec};
use crate::{Backend, tests};

tests![
    a_wrong_secret_is_refused,
    a_disabled_client_gets_nothing_and_its_tokens_are_dead,
    a_removed_client_takes_its_tokens_along,
    a_client_gets_no_token_while_it_is_removed,
    each_grant_must_be_registered,
    scopes_never_widen,
    management_scopes_go_to_clients_and_not_to_users_without_a_role,
    audiences_must_be_registered,
    client_credentials_name_the_client,
    a_wrong_secret_counts_no_guess_and_spends_no_code,
];

fn a_wrong_secret_is_refused(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let other = app.client_with(ClientSpec { name: "other", ..ClientSpec::default() });
    for secret in ["x", "", &other.secret, &client.secret[..client.secret.len() - 1]] {
        let wrong = client.with_secret(secret);
        let reply = wrong.otp("alice", &phone.code());
        reply.must_be(401, "invalid_client");
        assert!(reply.header("www-authenticate").is_some());
        wrong.introspect("x").must_be(401, "invalid_client");
        wrong.revoke("x").must_be(401, "invalid_client");
    }
}

fn a_wrong_secret_counts_no_guess_and_spends_no_code(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    for _ in 0..20 {
        client.with_secret("x").otp("alice", &phone.code()).must_be(401, "invalid_client");
    }
    assert_eq!(app.failures("alice"), 0);
    client.otp("alice", &phone.code()).access_token();
}

fn a_disabled_client_gets_nothing_and_its_tokens_are_dead(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let token = client.otp("alice", &phone.code()).access_token();
    let set = |state| {
        app.operate(|service, conn, at| app::client::set_state(service, conn, at, "shop", state)).unwrap();
    };
    set(ClientState::Disabled);
    app.next_step();
    client.otp("alice", &phone.code()).must_be(401, "invalid_client");
    client.introspect(&token).must_be(401, "invalid_client");
    let watcher = app.client_with(ClientSpec {
        name: "watcher",
        audiences: &[crate::actors::ISSUER],
        ..ClientSpec::default()
    });
    assert!(!watcher.is_active(&token));
    set(ClientState::Active);
    assert!(!watcher.is_active(&token), "over is over: those who check alone were told");
    client.otp("alice", &phone.code()).access_token();
}

fn a_removed_client_takes_its_tokens_along(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let watcher = app.client_with(ClientSpec {
        name: "watcher",
        audiences: &[crate::actors::ISSUER],
        ..ClientSpec::default()
    });
    let token = client.otp("alice", &phone.code()).access_token();
    let own = client.token(&[("grant_type", "client_credentials")]).access_token();
    assert!(watcher.is_active(&token) && watcher.is_active(&own));
    app.operate(|service, conn, at| app::client::remove(service, conn, at, &client.id)).unwrap();
    assert!(!watcher.is_active(&token) && !watcher.is_active(&own));
    assert_eq!(crate::actors::count_rows(&app.place, "token"), 0);
    client.otp("alice", &phone.code()).must_be(401, "invalid_client");
}

fn a_client_gets_no_token_while_it_is_removed(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let begin = if on == Backend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    for end in ["UPDATE client SET state = 'disabled'", "DELETE FROM client"] {
        let mut conn = app.place.connection();
        conn.batch_execute("UPDATE client SET state = 'active'").unwrap();
        conn.batch_execute(&format!("{begin}; {end} WHERE name = 'shop';")).unwrap();
        let reply = std::thread::scope(|scope| {
            let asking = scope.spawn(|| client.token(&[("grant_type", "client_credentials")]));
            // It has found its client by now, and waits for its turn to write.
            std::thread::sleep(Duration::from_millis(500));
            assert!(!asking.is_finished());
            conn.batch_execute("COMMIT").unwrap();
            asking.join().unwrap()
        });
        reply.must_be(401, "invalid_client");
    }
}

fn each_grant_must_be_registered(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let phone = app.phone("alice");
    let requests: [(Grant, Vec<(&str, String)>); 4] = [
        (Grant::Otp, vec![("username", "alice".into()), ("otp", phone.code())]),
        (Grant::MfaOtp, vec![("mfa_token", "x".into()), ("otp", phone.code())]),
        (Grant::Password, vec![("username", "alice".into()), ("password", crate::actors::PASSWORD.into())]),
        (Grant::ClientCredentials, vec![]),
    ];
    for (index, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let lacking = requests[index].0;
        let grants = Grant::ALL.into_iter().filter(|grant| *grant != lacking).collect();
        let client = app.client_with(ClientSpec { name, grants, ..ClientSpec::default() });
        let mut fields = vec![("grant_type", lacking.as_str())];
        fields.extend(requests[index].1.iter().map(|(name, value)| (*name, value.as_str())));
        client.token(&fields).must_be(400, "unauthorized_client");
    }
    // None of that touched the code.
    app.client().otp("alice", &phone.code()).access_token();
}

fn scopes_never_widen(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let phone = app.phone("alice");
    let client = app.client_with(ClientSpec { scopes: "read write", ..ClientSpec::default() });
    let ask = |scope: &str| {
        let code = phone.code();
        let fields =
            [("grant_type", Grant::Otp.as_str()), ("username", "alice"), ("otp", &code), ("scope", scope)];
        client.token(&fields)
    };
    ask("read admin").must_be(400, "invalid_scope");
    ask("\"read\"").must_be(400, "invalid_request");
    let reply = ask("read");
    let token = reply.access_token();
    assert_eq!(reply.text("scope"), "read");
    assert_eq!(client.introspect(&token).text("scope"), "read");
    app.next_step();
    assert_eq!(client.otp("alice", &phone.code()).text("scope"), "read write");
}

fn management_scopes_go_to_clients_and_not_to_users_without_a_role(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let phone = app.phone("alice");
    let client =
        app.client_with(ClientSpec { scopes: "read users audit:read factors", ..ClientSpec::default() });
    assert_eq!(client.otp("alice", &phone.code()).text("scope"), "factors read");
    let own = client.token(&[("grant_type", "client_credentials")]);
    assert_eq!(own.text("scope"), "audit:read factors read users");
    client.token(&[("grant_type", "client_credentials"), ("scope", "clients")]).must_be(400, "invalid_scope");
}

fn audiences_must_be_registered(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let phone = app.phone("alice");
    let client = app.client_with(ClientSpec { audiences: &["https://api.example"], ..ClientSpec::default() });
    let ask = |audience: &str| {
        let code = phone.code();
        client.token(&[
            ("grant_type", Grant::Otp.as_str()),
            ("username", "alice"),
            ("otp", &code),
            ("audience", audience),
        ])
    };
    ask("https://other.example").must_be(400, "invalid_target");
    let token = ask("https://api.example").access_token();
    assert_eq!(client.introspect(&token).text("aud"), "https://api.example");
}

fn client_credentials_name_the_client(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let token = client.token(&[("grant_type", "client_credentials")]).access_token();
    let introspected = client.introspect(&token);
    assert_eq!(introspected.text("sub"), client.id);
    assert_eq!(introspected.text("client_id"), client.id);
    assert!(introspected.body.get("username").is_none());
    assert!(introspected.body.get("amr").is_none());
}
