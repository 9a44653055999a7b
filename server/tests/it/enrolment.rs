//! Enrolling by QR code, confirming, removing, resetting.

use std::time::Duration;

use countersign::app;
use countersign::app::context::Stop;
use countersign::app::factor::NewFactor;
use countersign::domain::client::{Grant, SecondFactor};
use countersign::domain::user::UserName;
use diesel::connection::SimpleConnection as _;
use mobile_core::Code;

use crate::actors::{App, Client, ClientSpec, ISSUER, Reply, count};
use crate::{Backend, tests};

tests![
    a_person_enrols_by_qr_code_and_logs_in,
    an_unconfirmed_factor_verifies_nothing,
    an_unconfirmed_factor_lapses_after_an_hour,
    one_lapsed_factor_that_cannot_be_read_keeps_no_other,
    a_new_enrolment_replaces_an_unconfirmed_one,
    the_operator_can_confirm,
    a_password_alone_adds_nothing_beside_an_active_factor,
    a_login_with_a_code_may_add_and_remove_factors,
    a_login_without_a_code_may_not,
    nobody_reaches_another_users_factors,
    a_reset_kills_factors_sessions_and_tokens_at_once,
    what_was_begun_before_a_reset_adds_nothing_after_it,
    an_expired_mfa_token_is_over,
    an_mfa_token_is_good_for_one_login,
    an_mfa_token_belongs_to_its_client,
    at_most_five_factors_are_active,
    secrets_are_shown_once,
    a_disabled_clients_mfa_token_enrols_nothing,
    enrolments_are_limited,
];

fn factors_client(app: &App) -> Client<'_> {
    app.client_with(ClientSpec { name: "account", scopes: "factors", ..ClientSpec::default() })
}

/// Password, enrolment, first code.
fn enrolled<'a>(app: &'a App, client: &Client<'a>, user: &str) -> (crate::actors::Phone, String) {
    app.user_with_password(user);
    let mfa_token = client.mfa_token(user);
    let phone = app.scan(&app.associate(&mfa_token));
    let token = client.mfa_otp(&mfa_token, &phone.code()).access_token();
    (phone, token)
}

fn a_person_enrols_by_qr_code_and_logs_in(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let client = app.client();
    let mfa_token = client.mfa_token("alice");
    assert_eq!(app.get_as("/mfa/authenticators", &mfa_token).body, serde_json::json!([]));
    let associated = app.associate(&mfa_token);
    assert_eq!(associated.status, 200);
    assert_eq!(associated.header("cache-control"), Some("no-store"));
    assert_eq!(associated.text("authenticator_type"), "otp");
    assert!(associated.text("barcode_svg").starts_with("<?xml"), "{associated:?}");
    let phone = app.scan(&associated);
    assert_eq!((phone.uri.issuer(), phone.uri.account()), (Some("Countersign"), "alice"));
    assert_eq!(phone.secret().len(), 20);

    let listed = app.get_as("/mfa/authenticators", &mfa_token);
    assert_eq!(listed.body[0]["active"], false);
    let token = client.mfa_otp(&mfa_token, &phone.code()).access_token();
    let introspected = client.introspect(&token).body;
    assert_eq!(introspected["username"], "alice");
    assert_eq!(introspected["amr"], serde_json::json!(["pwd", "otp", "mfa"]));
    assert_eq!(introspected["iss"], ISSUER);

    app.next_step();
    let mfa_token = client.mfa_token("alice");
    assert_eq!(app.get_as("/mfa/authenticators", &mfa_token).body[0]["active"], true);
    client.mfa_otp(&mfa_token, &phone.code()).access_token();
}

fn an_unconfirmed_factor_verifies_nothing(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let client = app.client();
    let phone = app.enrol("alice", NewFactor::default());
    for offset in [-1, 0, 1] {
        client.otp("alice", &phone.code_at(offset)).must_be(400, "invalid_grant");
    }
}

fn an_unconfirmed_factor_lapses_after_an_hour(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let client = app.client();
    let phone = app.scan(&app.associate(&client.mfa_token("alice")));
    app.pass(3599);
    let mfa_token = client.mfa_token("alice");
    let listed = app.get_as("/mfa/authenticators", &mfa_token);
    assert_eq!(listed.body.as_array().unwrap().len(), 1);
    let path = format!("/mfa/authenticators/{}", listed.body[0]["id"].as_str().unwrap());
    app.pass(1);
    let mfa_token = client.mfa_token("alice");
    assert_eq!(app.get_as("/mfa/authenticators", &mfa_token).body, serde_json::json!([]));
    app.delete_as(&path, &mfa_token).must_be_problem(404, "not_found");
    client.mfa_otp(&mfa_token, &phone.code()).must_be(400, "invalid_grant");
    // The sweep deletes what lapsed; enrolling anew works before and after.
    app.sweep();
    client.mfa_otp(&mfa_token, &phone.code()).must_be(400, "invalid_grant");
    let phone = app.scan(&app.associate(&mfa_token));
    client.mfa_otp(&mfa_token, &phone.code()).access_token();
}

/// What is stored of the elder cannot be read.
fn one_lapsed_factor_that_cannot_be_read_keeps_no_other(on: Backend) {
    let app = App::start(on);
    for name in ["alice", "bob"] {
        app.user(name);
        app.enrol(name, NewFactor::default());
        app.pass(1);
    }
    let spoil = "UPDATE factor SET algorithm = 'nonsense' WHERE user_id = (SELECT id FROM \"user\" WHERE name = 'alice')";
    app.place.connection().batch_execute(spoil).unwrap();
    app.pass(7200);
    let failed = app.operate(|service, conn, at| Ok(app::sweep::sweep(service, conn, at, || true))).unwrap();
    assert!(matches!(&failed[..], [("factor", Stop::Broken(_))]), "{failed:?}");
    let pending = |name: &str| {
        let of = format!(
            "factor WHERE state = 'pending' AND user_id = (SELECT id FROM \"user\" WHERE name = '{name}')"
        );
        count(&mut app.place.connection(), &of)
    };
    assert_eq!(["alice", "bob"].map(pending), [1, 0]);
}

fn a_new_enrolment_replaces_an_unconfirmed_one(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let client = app.client();
    let mfa_token = client.mfa_token("alice");
    let first = app.scan(&app.associate(&mfa_token));
    let second = app.scan(&app.associate(&mfa_token));
    client.mfa_otp(&mfa_token, &first.code()).must_be(400, "invalid_grant");
    client.mfa_otp(&mfa_token, &second.code()).access_token();
}

fn the_operator_can_confirm(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let client = app.client();
    let phone = app.enrol("alice", NewFactor::default());
    let name = UserName::parse("alice").unwrap();
    let confirm = |code: &str| {
        let code = Code::parse(code).unwrap();
        app.operate(|service, conn, at| app::factor::confirm(service, conn, at, &name, None, &code))
    };
    assert!(confirm(&phone.wrong_code()).is_err());
    client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
    confirm(&phone.code()).unwrap();
    client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
    app.next_step();
    client.otp("alice", &phone.code()).access_token();
}

fn a_password_alone_adds_nothing_beside_an_active_factor(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let (_, _) = enrolled(&app, &client, "alice");
    let mfa_token = client.mfa_token("alice");
    app.associate(&mfa_token).must_be_problem(403, "factor_needed");
    let listed = app.get_as("/mfa/authenticators", &mfa_token);
    let id = listed.body[0]["id"].as_str().unwrap();
    app.delete_as(&format!("/mfa/authenticators/{id}"), &mfa_token).must_be_problem(403, "factor_needed");
    assert_eq!(app.get_as("/mfa/authenticators", &mfa_token).body.as_array().unwrap().len(), 1);
}

fn a_login_with_a_code_may_add_and_remove_factors(on: Backend) {
    let app = App::start(on);
    let client = factors_client(&app);
    let (first, token) = enrolled(&app, &client, "alice");
    app.pass(1); // Factors are listed in the order they were enrolled in.
    let second = app.scan(&app.associate(&token));
    app.next_step();
    // Not yet confirmed: another login confirms it.
    client.otp("alice", &second.code()).must_be(400, "invalid_grant");
    client.mfa_otp(&client.mfa_token("alice"), &second.code()).access_token();
    app.next_step();
    let token = client.otp("alice", &second.code()).access_token();
    let of_first = client.otp("alice", &first.code()).access_token();
    let listed = app.get_as("/mfa/authenticators", &token);
    let id = listed.body[0]["id"].as_str().unwrap();
    assert_eq!(app.delete_as(&format!("/mfa/authenticators/{id}"), &token).status, 204);
    app.delete_as(&format!("/mfa/authenticators/{id}"), &token).must_be_problem(404, "not_found");
    assert!(!client.is_active(&of_first), "the removed factor's sessions end");
    assert!(client.is_active(&token));
    app.next_step();
    client.otp("alice", &first.code()).must_be(400, "invalid_grant");
    client.otp("alice", &second.code()).access_token();
}

fn a_login_without_a_code_may_not(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec {
        scopes: "factors",
        second_factor: SecondFactor::Optional,
        ..ClientSpec::default()
    });
    app.user_with_password("alice");
    let token = client.password("alice", crate::actors::PASSWORD).access_token();
    // The first factor may be added by password alone, whatever form it has.
    let phone = app.scan(&app.associate(&token));
    let strict = app.client_with(ClientSpec { name: "strict", ..ClientSpec::default() });
    strict.mfa_otp(&strict.mfa_token("alice"), &phone.code()).access_token();
    // From now on the token that a password alone brought is too weak.
    app.associate(&token).must_be_problem(403, "factor_needed");
    let listed = app.get_as("/mfa/authenticators", &token);
    let id = listed.body[0]["id"].as_str().unwrap();
    app.delete_as(&format!("/mfa/authenticators/{id}"), &token).must_be_problem(403, "factor_needed");
    // And a token without the scope is not even looked at.
    let plain = app.client_with(ClientSpec { name: "plain", ..ClientSpec::default() });
    app.next_step();
    let token = plain.otp("alice", &phone.code()).access_token();
    app.associate(&token).must_be_problem(403, "insufficient_scope");
    app.get_as("/mfa/authenticators", &token).must_be_problem(403, "insufficient_scope");
    app.associate("nonsense").must_be_problem(401, "invalid_token");
}

fn nobody_reaches_another_users_factors(on: Backend) {
    let app = App::start(on);
    let client = factors_client(&app);
    let (_, alices) = enrolled(&app, &client, "alice");
    let (bobs_phone, bobs) = enrolled(&app, &client, "bob");
    let listed = app.get_as("/mfa/authenticators", &bobs);
    let id = listed.body[0]["id"].as_str().unwrap();
    app.delete_as(&format!("/mfa/authenticators/{id}"), &alices).must_be_problem(404, "not_found");
    app.delete_as("/mfa/authenticators/nonsense", &alices).must_be_problem(404, "not_found");
    app.next_step();
    client.otp("bob", &bobs_phone.code()).access_token();
    // A code is its own user's only.
    app.next_step();
    client.otp("alice", &bobs_phone.code()).must_be(400, "invalid_grant");
    client.mfa_otp(&client.mfa_token("alice"), &bobs_phone.code()).must_be(400, "invalid_grant");
}

fn a_reset_kills_factors_sessions_and_tokens_at_once(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    let client = factors_client(&app);
    let (phone, token) = enrolled(&app, &client, "alice");
    let mfa_token = client.mfa_token("alice");
    app.next_step();
    app.reset("alice");
    for server in [&app, &other] {
        let client = client.at(server);
        assert!(!client.is_active(&token));
        server.get_as("/mfa/authenticators", &token).must_be_problem(401, "invalid_token");
        server.associate(&mfa_token).must_be_problem(401, "invalid_token");
        client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
        client.mfa_otp(&mfa_token, &phone.code()).must_be(400, "invalid_grant");
    }
    // The user enrols anew; the old phone stays dead.
    let mfa_token = client.mfa_token("alice");
    let fresh = app.scan(&app.associate(&mfa_token));
    client.mfa_otp(&mfa_token, &phone.code()).must_be(400, "invalid_grant");
    client.mfa_otp(&mfa_token, &fresh.code()).access_token();
}

/// A password's pass and a login that were good when the request came, and not any more when it had its turn.
fn what_was_begun_before_a_reset_adds_nothing_after_it(on: Backend) {
    let app = App::start(on);
    let client = factors_client(&app);
    let (phone, token) = enrolled(&app, &client, "alice");
    app.user_with_password("bob");
    let pass = client.mfa_token("bob");
    // Their rows, which whoever changes factors has to have, are there.
    for name in ["alice", "bob"] {
        client.mfa_otp(&client.mfa_token(name), &phone.wrong_code()).must_be(400, "invalid_grant");
    }
    let factor = app.get_as("/mfa/authenticators", &token).body[0]["id"].as_str().unwrap().to_owned();
    let recovery_codes =
        || app.post("/mfa/recovery-codes", &[("authorization", &format!("Bearer {token}"))], b"");
    let requests: [&(dyn Fn() -> Reply + Sync); 4] =
        [&|| app.associate(&pass), &|| app.associate(&token), &recovery_codes, &|| {
            app.delete_as(&format!("/mfa/authenticators/{factor}"), &token)
        }];
    let mut other = app.place.connection();
    let begin = if on == Backend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    other.batch_execute(&format!("{begin}; UPDATE lockout SET failures = failures")).unwrap();
    let replies = std::thread::scope(|scope| {
        let sent = requests.map(|request| scope.spawn(request));
        std::thread::sleep(Duration::from_millis(700));
        assert!(sent.iter().all(|one| !one.is_finished()));
        other.batch_execute("DELETE FROM mfa_token; UPDATE session SET revoked_at = 1; COMMIT").unwrap();
        sent.map(|one| one.join().unwrap())
    });
    for reply in replies {
        reply.must_be_problem(401, "invalid_token");
    }
    let count = |name: &str| {
        let name = UserName::parse(name).unwrap();
        app.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap().factors.len()
    };
    assert_eq!((count("alice"), count("bob")), (1, 0));
}

fn an_expired_mfa_token_is_over(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let mfa_token = client.mfa_token("alice");
    app.pass(599);
    assert_eq!(app.get_as("/mfa/authenticators", &mfa_token).status, 200);
    app.pass(1);
    client.mfa_otp(&mfa_token, &phone.code()).must_be(400, "invalid_grant");
    app.get_as("/mfa/authenticators", &mfa_token).must_be_problem(401, "invalid_token");
}

fn an_mfa_token_is_good_for_one_login(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let mfa_token = client.mfa_token("alice");
    client.mfa_otp(&mfa_token, &phone.wrong_code()).must_be(400, "invalid_grant");
    client.mfa_otp(&mfa_token, &phone.code()).access_token();
    client.mfa_otp(&mfa_token, &phone.code_at(1)).must_be(400, "invalid_grant");
    app.get_as("/mfa/authenticators", &mfa_token).must_be_problem(401, "invalid_token");
}

fn an_mfa_token_belongs_to_its_client(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let other = app.client_with(ClientSpec { name: "other", ..ClientSpec::default() });
    let mfa_token = client.mfa_token("alice");
    other.mfa_otp(&mfa_token, &phone.code()).must_be(400, "invalid_grant");
    let limited =
        app.client_with(ClientSpec { name: "limited", grants: vec![Grant::Otp], ..ClientSpec::default() });
    limited.mfa_otp(&mfa_token, &phone.code()).must_be(400, "unauthorized_client");
    client.mfa_otp(&mfa_token, &phone.code()).access_token();
}

fn at_most_five_factors_are_active(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    for _ in 0..5 {
        app.phone("alice");
    }
    let name = UserName::parse("alice").unwrap();
    let sixth =
        app.operate(|service, conn, at| app::factor::enrol(service, conn, at, &name, NewFactor::default()));
    assert!(sixth.is_err());
}

fn secrets_are_shown_once(on: Backend) {
    let app = App::start(on);
    let client = factors_client(&app);
    let (phone, token) = enrolled(&app, &client, "alice");
    let secret = phone.secret().to_base32();
    let listed = app.get_as("/mfa/authenticators", &token).body.to_string();
    assert!(!listed.contains(secret.as_str()), "{listed}");
    for reply in [client.introspect(&token), client.otp("alice", &phone.wrong_code())] {
        assert!(!format!("{reply:?}").contains(secret.as_str()));
    }
}

fn a_disabled_clients_mfa_token_enrols_nothing(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let client = app.client();
    let mfa_token = client.mfa_token("alice");
    let disabled = countersign::domain::client::ClientState::Disabled;
    app.operate(|service, conn, at| app::client::set_state(service, conn, at, "shop", disabled)).unwrap();
    app.associate(&mfa_token).must_be_problem(401, "invalid_token");
}

fn enrolments_are_limited(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let mfa_token = app.client().mfa_token("alice");
    for _ in 0..10 {
        assert_eq!(app.associate(&mfa_token).status, 200);
    }
    let refused = app.associate(&mfa_token);
    refused.must_be_problem(429, "too_many_attempts");
    assert_eq!(refused.header("retry-after"), Some("360"));
}
