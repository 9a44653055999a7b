//! Applications: who they are and what they may ask for.

use std::time::Duration;

use countersign::app;
use countersign::domain::client::{ClientState, Grant, SecondFactor};
use countersign::domain::user::UserName;
use diesel::connection::SimpleConnection as _;

use crate::actors::{App, ClientSpec, ISSUER, PASSWORD, Reply, at_once, count};
use crate::{Backend, tests};

tests![
    a_wrong_secret_is_refused,
    a_disabled_client_gets_nothing_and_its_tokens_are_dead,
    enabling_what_is_enabled_does_nothing,
    a_removed_client_takes_its_tokens_along,
    rows_go_with_what_they_hang_on_whoever_deletes_it,
    a_login_under_way_ends_with_its_client,
    a_client_gets_no_token_while_it_is_disabled,
    a_client_gets_no_token_while_it_is_removed,
    a_client_that_asks_without_end_can_be_disabled,
    each_grant_must_be_registered,
    scopes_never_widen,
    management_scopes_go_to_clients_and_not_to_users_without_a_role,
    audiences_must_be_registered,
    a_resource_is_an_audience_and_neither_is_ignored,
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
    set(&app, ClientState::Disabled);
    app.next_step();
    client.otp("alice", &phone.code()).must_be(401, "invalid_client");
    client.introspect(&token).must_be(401, "invalid_client");
    let watcher =
        app.client_with(ClientSpec { name: "watcher", audiences: &[ISSUER], ..ClientSpec::default() });
    assert!(!watcher.is_active(&token));
    set(&app, ClientState::Active);
    assert!(!watcher.is_active(&token), "over is over: those who check alone were told");
    client.otp("alice", &phone.code()).access_token();
}

fn enabling_what_is_enabled_does_nothing(on: Backend) {
    let app = App::start(on);
    app.client();
    for (state, expected) in [(ClientState::Active, 0), (ClientState::Disabled, 0), (ClientState::Active, 1)]
    {
        set(&app, state);
        let entries = app.operate(|_, conn, _| app::audit::last(conn, 50)).unwrap();
        assert_eq!(entries.iter().filter(|entry| entry.action == "client.enabled").count(), expected);
    }
}

fn a_removed_client_takes_its_tokens_along(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let watcher =
        app.client_with(ClientSpec { name: "watcher", audiences: &[ISSUER], ..ClientSpec::default() });
    let token = client.otp("alice", &phone.code()).access_token();
    let own = client.token(&[("grant_type", "client_credentials")]).access_token();
    assert!(watcher.is_active(&token) && watcher.is_active(&own));
    app.operate(|service, conn, at| app::client::remove(service, conn, at, &client.id)).unwrap();
    assert!(!watcher.is_active(&token) && !watcher.is_active(&own));
    assert_eq!(crate::actors::count_rows(&app.place, "token"), 0);
    client.otp("alice", &phone.code()).must_be(401, "invalid_client");
}

fn set(app: &App, state: ClientState) {
    app.operate(|service, conn, at| app::client::set_state(service, conn, at, "shop", state)).unwrap();
}

/// Time enough for whatever was begun to get as far as it can.
fn let_it_run() {
    std::thread::sleep(Duration::from_millis(500));
}

/// A server of the release before, or an operator, deletes the one row and counts on the rest.
fn rows_go_with_what_they_hang_on_whoever_deletes_it(on: Backend) {
    let app = App::start(on);
    let people = app.people(3);
    let client =
        |name| app.client_with(ClientSpec { name, ..ClientSpec::with_scopes("read offline_access") });
    let (shop, other) = (client("shop"), client("other"));
    let [first, second, third] =
        [(&shop, &people[0]), (&shop, &people[1]), (&other, &people[2])].map(|(client, (phone, name))| {
            // One after the other, and so are their ids.
            app.next_step();
            client.otp(name, &phone.code()).access_token()
        });
    let mut conn = app.place.connection();
    let mut left = |delete: &str| {
        conn.batch_execute(delete).unwrap();
        (count(&mut conn, "session"), count(&mut conn, "token"))
    };
    assert_eq!(left("DELETE FROM session WHERE 1 = 0"), (3, 6));
    assert_eq!(left("DELETE FROM session WHERE id = (SELECT id FROM session ORDER BY id LIMIT 1)"), (2, 4));
    assert_eq!(left("DELETE FROM client WHERE name = 'shop'"), (1, 2));
    assert!(other.is_active(&third));
    assert!(!other.is_active(&first) && !other.is_active(&second));
    assert_eq!(left("DELETE FROM session"), (0, 0));
    assert!(!other.is_active(&third));
}

fn a_login_under_way_ends_with_its_client(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    client.otp("alice", &phone.code()).access_token();
    app.next_step();
    // Alice's row is taken, so that her next login has begun, and gets no further.
    let mut other = app.place.connection();
    let begin = if on == Backend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    other.batch_execute(&format!("{begin}; UPDATE lockout SET failures = failures;")).unwrap();
    let reply = std::thread::scope(|scope| {
        let login = scope.spawn(|| client.otp("alice", &phone.code()));
        let_it_run();
        let disabling = scope.spawn(|| set(&app, ClientState::Disabled));
        let_it_run();
        assert!(!login.is_finished() && !disabling.is_finished());
        other.batch_execute("COMMIT").unwrap();
        disabling.join().unwrap();
        login.join().unwrap()
    });
    set(&app, ClientState::Active);
    match (on, reply.status) {
        // Which of two that wait writes first is SQLite's choice.
        (Backend::Sqlite, 401) => {}
        _ => assert!(!client.is_active(&reply.access_token()), "a login outlived its client"),
    }
}

fn a_client_gets_no_token_while_it_is_disabled(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec {
        second_factor: SecondFactor::Optional,
        ..ClientSpec::with_scopes("offline_access")
    });
    app.user_with_password("alice");
    app.user_with_password("bob");
    let desk = app.client_with(ClientSpec { name: "desk", ..ClientSpec::default() });
    let pass = desk.mfa_token("bob");
    let associated = app.associate(&pass);
    let phone = app.scan(&associated);
    desk.mfa_otp(&pass, &phone.code()).access_token();
    app.next_step();
    let refresh_token = client.otp("bob", &phone.code()).text("refresh_token").to_owned();
    app.next_step();
    let [pass, another_pass] = [client.mfa_token("bob"), client.mfa_token("bob")];
    let (code, recovery_code) = (phone.code(), associated.body["recovery_codes"][0].as_str().unwrap());
    let requests: [Vec<(&str, &str)>; 6] = [
        vec![("grant_type", Grant::Otp.as_str()), ("username", "bob"), ("otp", &code)],
        vec![("grant_type", Grant::MfaOtp.as_str()), ("mfa_token", &pass), ("otp", &code)],
        vec![
            ("grant_type", Grant::MfaRecoveryCode.as_str()),
            ("mfa_token", &another_pass),
            ("recovery_code", recovery_code),
        ],
        vec![("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)],
        vec![("grant_type", "refresh_token"), ("refresh_token", &refresh_token)],
        vec![("grant_type", "client_credentials")],
    ];
    let ask = || at_once(requests.len(), |index| client.token(&requests[index]));
    let disable = || set(&app, ClientState::Disabled);
    for reply in meanwhile(&app, on, "UPDATE client SET state = 'disabled'", disable, ask) {
        reply.must_be(401, "invalid_client");
    }
    // Nothing was used up for it.
    set(&app, ClientState::Active);
    client.recover(&another_pass, recovery_code).access_token();
    client.mfa_otp(&pass, &code).access_token();
}

fn a_client_gets_no_token_while_it_is_removed(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let code = phone.code();
    let ask = || {
        at_once(2, |index| match index {
            0 => client.token(&[("grant_type", "client_credentials")]),
            _ => client.otp("alice", &code),
        })
    };
    let remove = || app.operate(|service, conn, at| app::client::remove(service, conn, at, "shop")).unwrap();
    for reply in meanwhile(&app, on, "DELETE FROM client", remove, ask) {
        reply.must_be(401, "invalid_client");
    }
    // Nothing was used up for it.
    app.client().otp("alice", &code).access_token();
}

/// What `ask` brings while somebody disables or removes the client.
///
/// On SQLite: every request has found its client by the time that `statement`, somebody else's, is committed. On PostgreSQL: the end of the audit
/// log is taken, so that `end` has begun, and gets no further; nobody waits for it.
fn meanwhile<T: Send>(
    app: &App,
    on: Backend,
    statement: &str,
    end: impl FnOnce() + Send,
    ask: impl FnOnce() -> T + Send,
) -> T {
    let mut other = app.place.connection();
    std::thread::scope(|scope| match on {
        Backend::Sqlite => {
            other.batch_execute(&format!("BEGIN IMMEDIATE; {statement} WHERE name = 'shop'")).unwrap();
            let asking = scope.spawn(ask);
            let_it_run();
            assert!(!asking.is_finished());
            other.batch_execute("COMMIT").unwrap();
            asking.join().unwrap()
        }
        Backend::Postgres => {
            other.batch_execute("BEGIN; UPDATE audit_head SET seq = seq").unwrap();
            let ending = scope.spawn(end);
            let_it_run();
            let answered = ask();
            assert!(!ending.is_finished());
            other.batch_execute("COMMIT").unwrap();
            ending.join().unwrap();
            answered
        }
    })
}

fn a_client_that_asks_without_end_can_be_disabled(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    let client = app.client();
    let elsewhere = client.at(&other);
    let watcher =
        app.client_with(ClientSpec { name: "watcher", audiences: &[ISSUER], ..ClientSpec::default() });
    let last = at_once(5, |index| {
        if index == 4 {
            let_it_run();
            set(&app, ClientState::Disabled);
            return None;
        }
        let asker = if index % 2 == 0 { &client } else { &elsewhere };
        let mut last = None;
        loop {
            let reply = asker.token(&[("grant_type", "client_credentials")]);
            if reply.status == 401 {
                return last;
            }
            last = Some(reply.access_token());
        }
    });
    // Nor later: what came at the last moment ended with it.
    set(&app, ClientState::Active);
    let last: Vec<String> = last.into_iter().flatten().collect();
    assert!(!last.is_empty());
    for token in last {
        assert!(!watcher.is_active(&token), "a token outlived its client");
    }
}

fn each_grant_must_be_registered(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let phone = app.phone("alice");
    let requests: [(Grant, Vec<(&str, String)>); 4] = [
        (Grant::Otp, vec![("username", "alice".into()), ("otp", phone.code())]),
        (Grant::MfaOtp, vec![("mfa_token", "x".into()), ("otp", phone.code())]),
        (Grant::Password, vec![("username", "alice".into()), ("password", PASSWORD.into())]),
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
    ask("\"read\"").must_be(400, "invalid_scope");
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

fn a_resource_is_an_audience_and_neither_is_ignored(on: Backend) {
    const API: (&str, &str) = ("resource", "https://api.example");
    const OTHER: (&str, &str) = ("resource", "https://other.example");
    let app = App::start(on);
    app.user_with_password("alice");
    let phone = app.phone("alice");
    let client = app.client_with(ClientSpec { audiences: &["https://api.example"], ..ClientSpec::default() });
    let aud = |reply: &Reply| client.introspect(&reply.access_token()).text("aud").to_owned();
    let code = phone.code();
    let otp = [("grant_type", Grant::Otp.as_str()), ("username", "alice"), ("otp", code.as_str())];
    let own = [("grant_type", "client_credentials")];
    let password = [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD)];
    for fields in [otp.as_slice(), &own, &password] {
        let with = |more: &[(&str, &str)]| client.token(&[fields, more].concat());
        with(&[OTHER]).must_be(400, "invalid_target");
        with(&[API, ("audience", ISSUER)]).must_be(400, "invalid_target");
        with(&[API, API]).must_be(400, "invalid_request");
        with(&[("scope", "a\"b")]).must_be(400, "invalid_scope");
        with(&[("scope", &"x".repeat(1001))]).must_be(400, "invalid_scope");
    }
    // No code was used up by what was refused.
    assert_eq!(aud(&client.token(&[otp.as_slice(), &[API]].concat())), API.1);
    assert_eq!(aud(&client.token(&[own.as_slice(), &[API, ("audience", API.1)]].concat())), API.1);

    // What comes after the password is for whom the password was.
    let code = |name| {
        let name = UserName::parse(name).unwrap();
        app.operate(|service, conn, at| app::recovery_code::renew(service, conn, at, &name)).unwrap()[0]
            .shown()
    };
    let recovery = code("alice");
    for (asked, other) in [([API], ISSUER), ([("audience", ISSUER)], API.1)] {
        let reply = client.token(&[password.as_slice(), &asked].concat());
        let mfa_token = reply.text("mfa_token").to_owned();
        app.next_step();
        let otp = phone.code();
        let by_code = [("grant_type", Grant::MfaOtp.as_str()), ("mfa_token", &mfa_token), ("otp", &otp)];
        let by_recovery = [
            ("grant_type", Grant::MfaRecoveryCode.as_str()),
            ("mfa_token", &mfa_token),
            ("recovery_code", recovery.as_str()),
        ];
        for field in ["audience", "resource"] {
            for fields in [by_code, by_recovery] {
                let elsewhere = client.token(&[fields.as_slice(), &[(field, other)]].concat());
                elsewhere.must_be(400, "invalid_target");
            }
        }
        let same = [("resource", asked[0].1)];
        let fields = if other == ISSUER { by_code } else { by_recovery };
        assert_eq!(aud(&client.token(&[fields.as_slice(), &same].concat())), asked[0].1);
    }
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
