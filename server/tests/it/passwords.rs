//! The first factor: passwords, and guessing them.

use countersign::domain::client::SecondFactor;
use diesel::connection::SimpleConnection as _;

use crate::actors::{App, ClientSpec, PASSWORD, at_once, count};
use crate::{Backend, tests};

tests![
    a_right_password_asks_for_a_code,
    a_wrong_password_is_refused_and_repeated_ones_wait,
    waits_end_by_themselves,
    a_right_password_clears_the_count,
    wrong_passwords_lock_nobody_out_of_codes,
    one_address_cannot_try_everybody,
    tries_during_a_users_wait_cost_the_address_nothing,
    right_passwords_in_parallel_are_all_let_in,
    wrong_passwords_in_parallel_buy_no_tries,
    an_old_password_under_way_is_no_good_once_there_is_a_new_one,
    a_user_without_a_password_has_none_that_fits,
    an_optional_second_factor_is_asked_for_once_there_is_one,
    scope_and_audience_are_kept_until_the_code_comes,
];

fn a_right_password_asks_for_a_code(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let client = app.client();
    let reply = client.password("Alice", PASSWORD);
    reply.must_be(403, "mfa_required");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_ne!(client.mfa_token("alice"), reply.text("mfa_token"));
}

fn a_wrong_password_is_refused_and_repeated_ones_wait(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let client = app.client();
    for name in ["alice", "nobody"] {
        for _ in 0..6 {
            client.password(name, "wrong password").must_be(400, "invalid_grant");
        }
        let reply = client.password(name, PASSWORD);
        reply.must_be(429, "too_many_attempts");
        assert_eq!(reply.header("retry-after"), Some("5"));
    }
}

fn waits_end_by_themselves(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let client = app.client();
    for _ in 0..40 {
        client.password("alice", "wrong password").must_be(400, "invalid_grant");
        app.pass(3600);
    }
    client.password("alice", PASSWORD).must_be(403, "mfa_required");
}

fn a_right_password_clears_the_count(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let client = app.client();
    for _ in 0..3 {
        for _ in 0..5 {
            client.password("alice", "wrong password").must_be(400, "invalid_grant");
        }
        client.password("alice", PASSWORD).must_be(403, "mfa_required");
    }
}

fn wrong_passwords_lock_nobody_out_of_codes(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let mfa_token = client.mfa_token("alice");
    for _ in 0..10 {
        client.password("alice", "wrong password");
    }
    client.password("alice", "wrong password").must_be(429, "too_many_attempts");
    assert_eq!(app.failures("alice"), 0);
    client.mfa_otp(&mfa_token, &phone.code()).access_token();
}

fn one_address_cannot_try_everybody(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let client = app.client();
    let wrong = |index: usize| client.password(&format!("user{index}"), "wrong password");
    for index in 0..100 {
        wrong(index).must_be(400, "invalid_grant");
    }
    let refused = client.password("alice", PASSWORD);
    refused.must_be(429, "too_many_attempts");
    assert_eq!(refused.header("retry-after"), Some("1"));
    // One more a second, for ever: nobody is shut out for long.
    for index in 100..103 {
        app.pass(1);
        wrong(index).must_be(400, "invalid_grant");
        wrong(index).must_be(429, "too_many_attempts");
    }
    app.pass(1);
    client.password("alice", PASSWORD).must_be(403, "mfa_required");
    client.password("alice", PASSWORD).must_be(403, "mfa_required");
}

fn tries_during_a_users_wait_cost_the_address_nothing(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let client = app.client();
    for _ in 0..200 {
        client.password("bob", "wrong password");
    }
    client.password("alice", PASSWORD).must_be(403, "mfa_required");
}

fn right_passwords_in_parallel_are_all_let_in(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    app.user_with_costly_password("alice");
    let client = app.client();
    for _ in 0..4 {
        let replies = at_once(5, |index| {
            client.at(if index % 2 == 0 { &app } else { &other }).password("alice", PASSWORD)
        });
        assert!(replies.iter().all(|reply| reply.status == 403), "{replies:?}");
        // The clock moves backwards a little between servers.
        app.clock.advance(-5);
    }
}

fn wrong_passwords_in_parallel_buy_no_tries(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let client = app.client();
    let replies = at_once(32, |index| client.password("alice", &format!("guess number {index}")));
    let count = |status| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!((count(400), count(429)), (6, 26), "{replies:?}");
}

/// Hashing takes a while, and in that while somebody changes the password.
fn an_old_password_under_way_is_no_good_once_there_is_a_new_one(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let client = app.client();
    let new = "UPDATE \"user\" SET password_hash = 'another'";
    let begin = if on == Backend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
    let (mut other, mut watcher) = (app.place.connection(), app.place.connection());
    client.mfa_token("alice");
    // Where it was not caught between its two transactions, once more.
    let caught = (0..100).any(|_| {
        std::thread::scope(|scope| {
            let login = scope.spawn(|| client.password("alice", PASSWORD));
            // A try counts as failed until it is known to be right.
            while count(&mut watcher, "lockout WHERE failures > 0") == 0 && !login.is_finished() {}
            other.batch_execute(&format!("{begin}; UPDATE lockout SET failures = failures")).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(300));
            if login.is_finished() {
                other.batch_execute("ROLLBACK").unwrap();
                login.join().unwrap().must_be(403, "mfa_required");
                return false;
            }
            other.batch_execute(&format!("{new}; COMMIT")).unwrap();
            login.join().unwrap().must_be(400, "invalid_grant");
            true
        })
    });
    assert!(caught);
}

fn a_user_without_a_password_has_none_that_fits(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let client = app.client();
    for guess in ["x", "null", "$argon2id$", PASSWORD] {
        client.password("alice", guess).must_be(400, "invalid_grant");
    }
    client.password("alice", &"x".repeat(2000)).must_be(400, "invalid_request");
}

fn an_optional_second_factor_is_asked_for_once_there_is_one(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let client =
        app.client_with(ClientSpec { second_factor: SecondFactor::Optional, ..ClientSpec::default() });
    let token = client.password("alice", PASSWORD).access_token();
    assert_eq!(client.introspect(&token).body["amr"], serde_json::json!(["pwd"]));
    let phone = app.phone("alice");
    let mfa_token = client.mfa_token("alice");
    client.mfa_otp(&mfa_token, &phone.code()).access_token();
}

fn scope_and_audience_are_kept_until_the_code_comes(on: Backend) {
    let app = App::start(on);
    app.user_with_costly_password("alice");
    let phone = app.phone("alice");
    let client = app.client_with(ClientSpec {
        scopes: "read write",
        audiences: &["https://api.example"],
        ..ClientSpec::default()
    });
    let reply = client.token(&[
        ("grant_type", "password"),
        ("username", "alice"),
        ("password", PASSWORD),
        ("scope", "read"),
        ("audience", "https://api.example"),
    ]);
    reply.must_be(403, "mfa_required");
    let code = phone.code();
    // Asking for more with the code changes nothing.
    let reply = client.token(&[
        ("grant_type", countersign::domain::client::Grant::MfaOtp.as_str()),
        ("mfa_token", reply.text("mfa_token")),
        ("otp", &code),
        ("scope", "write"),
    ]);
    let introspected = client.introspect(&reply.access_token());
    assert_eq!((introspected.text("scope"), introspected.text("aud")), ("read", "https://api.example"));
}
