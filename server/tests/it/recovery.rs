//! Recovery codes: made with the first enrolment, shown once, each good for one login without the phone.

use countersign::domain::client::Grant;

use crate::actors::{App, Client, ClientSpec, PASSWORD, at_once};
use crate::{Backend, tests};

tests![
    the_first_enrolment_shows_ten_codes_and_the_next_none,
    a_recovery_code_lets_in_once_and_is_replaced,
    a_recovery_code_sent_64_times_at_once_becomes_one_token,
    it_works_where_codes_are_locked_and_unlocks_them,
    wrong_recovery_codes_bring_waits_of_their_own,
    codes_of_an_unconfirmed_enrolment_let_nobody_in,
    a_reset_takes_the_codes_along,
    new_codes_void_the_old_ones,
    new_codes_want_a_fresh_login_with_a_second_factor,
    a_recovery_login_may_enrol_a_new_phone,
    codes_of_others_do_not_fit,
    a_client_without_the_grant_gets_nothing,
    codes_reach_neither_the_audit_log_nor_the_database,
];

fn spec() -> ClientSpec {
    ClientSpec::with_scopes("factors offline_access")
}

/// Alice, enrolled by QR code and logged in once; her recovery codes and her access token.
fn enrolled(app: &App, client: &Client<'_>) -> (Vec<String>, String) {
    app.user_with_password("alice");
    let mfa_token = client.mfa_token("alice");
    let associated = app.associate(&mfa_token);
    let phone = app.scan(&associated);
    let token = client.mfa_otp(&mfa_token, &phone.code()).access_token();
    app.next_step();
    (codes(&associated.body["recovery_codes"]), token)
}

fn codes(list: &serde_json::Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

fn left(app: &App, token: &str) -> u64 {
    let reply = app.get_as("/mfa/recovery-codes", token);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body["left"].as_u64().unwrap()
}

fn renew(app: &App, token: &str) -> crate::actors::Reply {
    app.post("/mfa/recovery-codes", &[("authorization", &format!("Bearer {token}"))], b"")
}

fn the_first_enrolment_shows_ten_codes_and_the_next_none(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (first, token) = enrolled(&app, &client);
    assert_eq!(first.len(), 10);
    let mut distinct = first.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 10);
    assert!(first.iter().all(|code| code.len() == 19 && code.matches('-').count() == 3), "{first:?}");
    assert_eq!(left(&app, &token), 10);
    let second = app.associate(&token);
    assert_eq!(codes(&second.body["recovery_codes"]).len(), 0);
    assert_eq!(left(&app, &token), 10);
}

fn a_recovery_code_lets_in_once_and_is_replaced(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (codes, token) = enrolled(&app, &client);
    let typed = codes[3].replace('-', " ").to_lowercase();
    let reply = client.recover(&client.mfa_token("alice"), &typed);
    let introspected = client.introspect(&reply.access_token()).body;
    assert_eq!(introspected["amr"], serde_json::json!(["pwd", "recovery", "mfa"]));
    assert_eq!(introspected["acr"], "urn:countersign:acr:recovery");
    assert_eq!(left(&app, &token), 10, "a fresh one came for it");
    client.recover(&client.mfa_token("alice"), &codes[3]).must_be(400, "invalid_grant");
    client.recover(&client.mfa_token("alice"), reply.text("recovery_code")).access_token();
}

fn a_recovery_code_sent_64_times_at_once_becomes_one_token(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (codes, _) = enrolled(&app, &client);
    let mfa_tokens = [client.mfa_token("alice"), client.mfa_token("alice")];
    let replies = at_once(64, |index| client.recover(&mfa_tokens[index % 2], &codes[0]));
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1, "{replies:?}");
}

fn it_works_where_codes_are_locked_and_unlocks_them(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (codes, _) = enrolled(&app, &client);
    let mut failures = 0;
    while failures < 100 {
        let reply = client.otp("alice", "000000");
        match reply.status {
            400 => failures += 1,
            _ => app.pass(3600),
        }
    }
    app.pass(86_400 * 30);
    client.otp("alice", "000000").must_be(429, "too_many_attempts");
    client.recover(&client.mfa_token("alice"), &codes[0]).access_token();
    client.otp("alice", "000000").must_be(400, "invalid_grant");
}

fn wrong_recovery_codes_bring_waits_of_their_own(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (codes, _) = enrolled(&app, &client);
    let mfa_token = client.mfa_token("alice");
    for _ in 0..6 {
        client.recover(&mfa_token, "0000-0000-0000-0000").must_be(400, "invalid_grant");
    }
    let fresh = client.mfa_token("alice");
    client.recover(&fresh, &codes[0]).must_be(429, "too_many_attempts");
    assert_eq!(app.failures("alice"), 0, "the phone's codes are not touched");
    app.pass(5);
    client.recover(&fresh, &codes[0]).access_token();
    // What is no recovery code at all is said so, and counts nothing.
    client.recover(&client.mfa_token("alice"), "0000").must_be(400, "invalid_request");
    client.recover("csm_nobody", &codes[1]).must_be(400, "invalid_grant");
}

fn codes_of_an_unconfirmed_enrolment_let_nobody_in(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    app.user_with_password("alice");
    let mfa_token = client.mfa_token("alice");
    let codes = codes(&app.associate(&mfa_token).body["recovery_codes"]);
    client.recover(&mfa_token, &codes[0]).must_be(400, "invalid_grant");
}

fn a_reset_takes_the_codes_along(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (codes, _) = enrolled(&app, &client);
    app.reset("alice");
    app.phone("alice");
    client.recover(&client.mfa_token("alice"), &codes[0]).must_be(400, "invalid_grant");
}

fn new_codes_void_the_old_ones(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (old, token) = enrolled(&app, &client);
    let reply = renew(&app, &token);
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")));
    let new = codes(&reply.body["recovery_codes"]);
    assert_eq!((new.len(), left(&app, &token)), (10, 10));
    client.recover(&client.mfa_token("alice"), &old[0]).must_be(400, "invalid_grant");
    client.recover(&client.mfa_token("alice"), &new[9]).access_token();
}

fn new_codes_want_a_fresh_login_with_a_second_factor(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    app.user_with_password("alice");
    let mfa_token = client.mfa_token("alice");
    let phone = app.scan(&app.associate(&mfa_token));
    let login = client.mfa_otp(&mfa_token, &phone.code());
    renew(&app, &mfa_token).must_be_problem(401, "invalid_token");
    app.pass(901);
    // A refreshed token is new, the login behind it is not (RFC 9470).
    let refreshed = client.refresh(login.text("refresh_token")).access_token();
    let reply = renew(&app, &refreshed);
    reply.must_be_problem(401, "insufficient_user_authentication");
    let challenge = reply.header("www-authenticate").unwrap();
    assert_eq!(challenge, "Bearer error=\"insufficient_user_authentication\", max_age=900");
    app.associate(&refreshed).must_be_problem(401, "insufficient_user_authentication");
    assert_eq!(app.get_as("/mfa/authenticators", &refreshed).status, 200, "looking needs no more");
    let again = client.mfa_otp(&client.mfa_token("alice"), &phone.code()).access_token();
    assert_eq!(renew(&app, &again).status, 200);
}

fn a_recovery_login_may_enrol_a_new_phone(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (codes, _) = enrolled(&app, &client);
    let token = client.recover(&client.mfa_token("alice"), &codes[0]).access_token();
    let new = app.scan(&app.associate(&token));
    client.mfa_otp(&client.mfa_token("alice"), &new.code()).access_token();
}

fn codes_of_others_do_not_fit(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (codes, _) = enrolled(&app, &client);
    app.user_with_password("mallory");
    app.phone("mallory");
    client.recover(&client.mfa_token("mallory"), &codes[0]).must_be(400, "invalid_grant");
    client.recover(&client.mfa_token("alice"), &codes[0]).access_token();
}

fn a_client_without_the_grant_gets_nothing(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (codes, _) = enrolled(&app, &client);
    let grants = vec![Grant::Password, Grant::MfaOtp];
    let other = app.client_with(ClientSpec { name: "other", grants, ..ClientSpec::default() });
    other.recover(&other.mfa_token("alice"), &codes[0]).must_be(400, "unauthorized_client");
    other.recover(&client.mfa_token("alice"), &codes[0]).must_be(400, "unauthorized_client");
}

fn codes_reach_neither_the_audit_log_nor_the_database(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (codes, _) = enrolled(&app, &client);
    let fresh = client.recover(&client.mfa_token("alice"), &codes[0]).text("recovery_code").to_owned();
    let log = format!("{:?}", app.operate(|_, conn, _| countersign::app::audit::last(conn, 100)).unwrap());
    for hidden in [&codes[0], &codes[1], &fresh, &codes[0].replace('-', ""), &PASSWORD.to_owned()] {
        assert!(!log.contains(hidden.as_str()));
    }
    assert!(log.contains("recovery_code.checked") && log.contains("recovery_codes.made"));
    if let countersign::domain::target::Target::Sqlite(path) = &app.place.target {
        let mut stored = std::fs::read(path).unwrap();
        stored.extend(std::fs::read(path.with_extension("db-wal")).unwrap());
        for hidden in [&codes[1], &codes[1].replace('-', "")] {
            assert!(!stored.windows(hidden.len()).any(|window| window == hidden.as_bytes()));
        }
    }
}
