//! Guessing codes.

use countersign::domain::lockout::{FAILURE_LIMIT, FREE_FAILURES};

use crate::actors::{App, PASSWORD};
use crate::audit::entries;
use crate::{Backend, tests};

tests![
    five_wrong_codes_are_free_and_then_waits_grow,
    a_right_code_clears_the_count,
    while_waiting_even_the_right_code_is_refused_and_stays_good,
    after_a_hundred_failures_only_an_administrator_helps,
    a_reset_forgets_wrong_codes_and_no_wrong_passwords,
    fresh_mfa_tokens_buy_no_guesses,
    the_count_is_the_users_on_every_server,
    malformed_codes_are_no_guesses,
    strangers_are_locked_out_like_users,
    a_locked_user_gets_nothing,
    a_clock_that_was_ahead_shuts_nobody_out_until_then,
];

fn five_wrong_codes_are_free_and_then_waits_grow(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    for _ in 0..FREE_FAILURES {
        client.otp("alice", &phone.wrong_code()).must_be(400, "invalid_grant");
    }
    let mut last_wait = 0;
    for _ in 0..4 {
        client.otp("alice", &phone.wrong_code()).must_be(400, "invalid_grant");
        let refused = client.otp("alice", &phone.code());
        refused.must_be(429, "too_many_attempts");
        let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!(wait > last_wait, "{wait} after {last_wait}");
        app.pass(wait - 1);
        client.otp("alice", &phone.code()).must_be(429, "too_many_attempts");
        app.pass(1);
        last_wait = wait;
    }
    client.otp("alice", &phone.code()).access_token();
}

fn a_clock_that_was_ahead_shuts_nobody_out_until_then(on: Backend) {
    const YEAR_MS: i64 = 365 * 86_400 * 1000;
    let app = App::start(on);
    app.user_with_password("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let wrong = client.with_secret("x");
    let logged = || entries(&app).iter().filter(|entry| entry.action == "client.refused").count();
    app.clock.advance(YEAR_MS);
    for _ in 0..=FREE_FAILURES {
        client.otp("alice", &phone.wrong_code()).must_be(400, "invalid_grant");
        client.password("alice", "wrong password").must_be(400, "invalid_grant");
    }
    for _ in 0..30 {
        wrong.otp("alice", "123456").must_be(401, "invalid_client");
    }
    client.otp("alice", &phone.code()).must_be(429, "too_many_attempts");
    client.password("alice", PASSWORD).must_be(429, "too_many_attempts");
    assert_eq!(logged(), 20);
    app.clock.advance(-YEAR_MS);
    client.password("alice", PASSWORD).must_be(403, "mfa_required");
    client.otp("alice", &phone.code()).access_token();
    wrong.otp("alice", "123456").must_be(401, "invalid_client");
    assert_eq!(logged(), 21);
    // A wait until somebody unlocks is no clock's mistake.
    app.next_step();
    for _ in 0..FAILURE_LIMIT {
        client.otp("alice", &phone.wrong_code());
        app.pass(3600);
    }
    assert_eq!(app.failures("alice"), FAILURE_LIMIT);
    client.otp("alice", &phone.code()).must_be(429, "too_many_attempts");
}

fn a_right_code_clears_the_count(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    for _ in 0..4 {
        for _ in 0..FREE_FAILURES {
            client.otp("alice", &phone.wrong_code()).must_be(400, "invalid_grant");
        }
        client.otp("alice", &phone.code()).access_token();
        assert_eq!(app.failures("alice"), 0);
        app.next_step();
    }
}

fn while_waiting_even_the_right_code_is_refused_and_stays_good(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    for _ in 0..=FREE_FAILURES {
        client.otp("alice", &phone.wrong_code()).must_be(400, "invalid_grant");
    }
    let code = phone.code();
    client.otp("alice", &code).must_be(429, "too_many_attempts");
    assert_eq!(app.failures("alice"), FREE_FAILURES + 1, "refused at the gate is not counted");
    app.pass(5);
    client.otp("alice", &code).access_token();
}

fn after_a_hundred_failures_only_an_administrator_helps(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    for _ in 0..FAILURE_LIMIT {
        client.otp("alice", &phone.wrong_code()).must_be(400, "invalid_grant");
        app.pass(3600);
    }
    app.pass(10 * 365 * 86_400);
    client.otp("alice", &phone.code()).must_be(429, "too_many_attempts");
    app.unlock("alice");
    client.otp("alice", &phone.code()).access_token();
}

fn a_reset_forgets_wrong_codes_and_no_wrong_passwords(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let (lost, client) = (app.phone("alice"), app.client());
    for _ in 0..FAILURE_LIMIT {
        client.otp("alice", &lost.wrong_code()).must_be(400, "invalid_grant");
        app.pass(3600);
    }
    let mfa_token = client.mfa_token("alice");
    for _ in 0..=FREE_FAILURES {
        client.recover(&mfa_token, "0000-0000-0000-0000").must_be(400, "invalid_grant");
    }
    client.recover(&mfa_token, "0000-0000-0000-0000").must_be(429, "too_many_attempts");
    for _ in 0..=FREE_FAILURES {
        client.password("alice", "wrong password").must_be(400, "invalid_grant");
    }
    app.reset("alice");
    assert_eq!(app.failures("alice"), 0);
    let log = entries(&app);
    let entry = log.iter().rev().find(|entry| entry.action == "factors.reset").unwrap();
    assert!(entry.detail.as_ref().unwrap().ends_with(&format!(" failures={FAILURE_LIMIT}")), "{entry:?}");
    client.password("alice", PASSWORD).must_be(429, "too_many_attempts");
    app.pass(86_400);
    // The new phone's first code counts, and so does a recovery code that came with it.
    let mfa_token = client.mfa_token("alice");
    let reply = app.associate(&mfa_token);
    let phone = app.scan(&reply);
    client.mfa_otp(&mfa_token, &phone.code()).access_token();
    app.next_step();
    client.otp("alice", &phone.code()).access_token();
    let mfa_token = client.mfa_token("alice");
    let code = reply.body["recovery_codes"][0].as_str().unwrap();
    client.recover(&mfa_token, code).access_token();
}

fn fresh_mfa_tokens_buy_no_guesses(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    for _ in 0..=FREE_FAILURES {
        let mfa_token = client.mfa_token("alice");
        client.mfa_otp(&mfa_token, &phone.wrong_code()).must_be(400, "invalid_grant");
    }
    let mfa_token = client.mfa_token("alice");
    client.mfa_otp(&mfa_token, &phone.code()).must_be(429, "too_many_attempts");
    client.otp("alice", &phone.code()).must_be(429, "too_many_attempts");
}

fn the_count_is_the_users_on_every_server(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    for index in 0..=FREE_FAILURES {
        let server = if index % 2 == 0 { &app } else { &other };
        client.at(server).otp("alice", &phone.wrong_code()).must_be(400, "invalid_grant");
    }
    for server in [&app, &other] {
        client.at(server).otp("alice", &phone.code()).must_be(429, "too_many_attempts");
    }
}

fn malformed_codes_are_no_guesses(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    for _ in 0..20 {
        client.otp("alice", "12345").must_be(400, "invalid_request");
    }
    client.otp("alice", &phone.code()).access_token();
}

fn strangers_are_locked_out_like_users(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let wrong = phone.wrong_code();
    let answers = |user: &str| -> Vec<_> {
        (0..9)
            .map(|_| {
                let reply = client.otp(user, &wrong);
                (reply.status, reply.header("retry-after").map(str::to_owned), reply.body)
            })
            .collect()
    };
    let (known, unknown) = (answers("alice"), answers("nobody"));
    assert_eq!(known, unknown);
    assert_eq!(known.iter().filter(|(status, ..)| *status == 429).count(), 3);
}

fn a_locked_user_gets_nothing(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let mfa_token = client.mfa_token("alice");
    let token = client.otp("alice", &phone.code()).access_token();
    app.next_step();
    app.lock("alice");
    assert!(!client.is_active(&token), "locking ends sessions");
    client.otp("alice", &phone.code()).must_be(429, "too_many_attempts");
    client.mfa_otp(&mfa_token, &phone.code()).must_be(400, "invalid_grant");
    client.password("alice", PASSWORD).must_be(429, "too_many_attempts");
    client.password("alice", "wrong password").must_be(400, "invalid_grant");
    app.unlock("alice");
    assert!(!client.is_active(&token), "unlocking brings no session back");
    client.otp("alice", &phone.code()).access_token();
}
