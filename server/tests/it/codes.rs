//! Codes for tokens: windows, replays, counters.

use countersign::app::factor::NewFactor;
use countersign::domain::factor::{FactorState, Mechanism};
use mobile_core::{Algorithm, Digits, Hotp, Period, Totp};

use crate::actors::App;
use crate::{Backend, tests};

tests![
    a_code_becomes_a_token_once,
    the_previous_the_current_and_the_next_step_are_accepted,
    two_steps_away_is_refused,
    an_older_code_after_a_newer_one_is_refused,
    neighbouring_steps_can_each_be_used_in_order,
    every_algorithm_length_and_period_verifies,
    hotp_looks_ahead_by_ten_and_never_back,
    hotp_comes_back_by_two_consecutive_codes,
    a_user_may_have_several_factors,
    blanks_in_a_code_are_removed,
    a_replay_is_no_guess,
];

fn a_code_becomes_a_token_once(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    client.otp("alice", &phone.code()).access_token();
    client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
    client.otp("ALICE", &phone.code()).must_be(400, "invalid_grant");
    app.next_step();
    client.otp("ALICE", &phone.code()).access_token();
}

fn the_previous_the_current_and_the_next_step_are_accepted(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    for (name, offset) in [("previous", -1), ("current", 0), ("next", 1)] {
        app.user(name);
        client.otp(name, &app.phone(name).code_at(offset)).access_token();
    }
}

fn two_steps_away_is_refused(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    for offset in [-2, 2, -3, 3] {
        client.otp("alice", &phone.code_at(offset)).must_be(400, "invalid_grant");
    }
    client.otp("alice", &phone.code()).access_token();
}

fn an_older_code_after_a_newer_one_is_refused(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    client.otp("alice", &phone.code_at(1)).access_token();
    client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
    client.otp("alice", &phone.code_at(-1)).must_be(400, "invalid_grant");
    // The step that was spent ahead of time has come: still spent.
    app.next_step();
    client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
    app.next_step();
    client.otp("alice", &phone.code()).access_token();
}

fn neighbouring_steps_can_each_be_used_in_order(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    for offset in [-1, 0, 1] {
        client.otp("alice", &phone.code_at(offset)).access_token();
    }
}

fn every_algorithm_length_and_period_verifies(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    for (index, algorithm) in Algorithm::ALL.into_iter().enumerate() {
        for digits in [6, 7, 8] {
            let digits = Digits::new(digits).unwrap();
            let period = Period::new([1, 30, 86_400][index]).unwrap();
            for mechanism in [
                Mechanism::Totp(Totp { algorithm, digits, period }),
                Mechanism::Hotp(Hotp { algorithm, digits }),
            ] {
                let user = format!("{algorithm}-{digits}-{}", mechanism.kind());
                app.user(&user);
                let phone = app.enrol(
                    &user,
                    NewFactor { mechanism, state: FactorState::Active, ..NewFactor::default() },
                );
                let code = phone.code();
                assert_eq!(code.len(), usize::from(digits.get()));
                client.otp(&user, &code).access_token();
                client.otp(&user, &code).must_be(400, "invalid_grant");
            }
        }
    }
}

fn hotp_looks_ahead_by_ten_and_never_back(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let client = app.client();
    let token = app.hotp_token("alice", 100);
    client.otp("alice", &token.code_at(0)).access_token(); // ahead by 0
    client.otp("alice", &token.code_at(0)).must_be(400, "invalid_grant");
    client.otp("alice", &token.code_at(2)).access_token(); // 101 is next: ahead by 1
    client.otp("alice", &token.code_at(1)).must_be(400, "invalid_grant");
    client.otp("alice", &token.code_at(14)).must_be(400, "invalid_grant"); // 103 is next: ahead by 11
    client.otp("alice", &token.code_at(13)).access_token(); // ahead by 10
    client.otp("alice", &token.code_at(13)).must_be(400, "invalid_grant");
    client.otp("alice", &token.code_at(14)).access_token();
}

fn hotp_comes_back_by_two_consecutive_codes(on: Backend) {
    use crate::actors::parsed;
    use countersign::app::factor::resynchronise;
    use countersign::domain::user::UserName;

    let app = App::start(on);
    app.user("alice");
    let client = app.client();
    let token = app.hotp_token("alice", 0);
    let name = UserName::parse("alice").unwrap();
    client.otp("alice", &token.code_at(200)).must_be(400, "invalid_grant");
    let resync = |first: i64, second: i64| {
        let (first, second) = (parsed(&token.code_at(first)), parsed(&token.code_at(second)));
        app.operate(|service, conn, at| resynchronise(service, conn, at, &name, None, (&first, &second)))
    };
    assert!(resync(200, 202).is_err(), "not consecutive");
    assert!(resync(2000, 2001).is_err(), "out of reach");
    resync(200, 201).unwrap();
    client.otp("alice", &token.code_at(201)).must_be(400, "invalid_grant");
    client.otp("alice", &token.code_at(202)).access_token();
}

fn a_user_may_have_several_factors(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let client = app.client();
    let (phone, token) = (app.phone("alice"), app.hotp_token("alice", 0));
    client.otp("alice", &phone.code()).access_token();
    client.otp("alice", &token.code()).access_token();
    client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
    client.otp("alice", &token.code()).must_be(400, "invalid_grant");
}

fn blanks_in_a_code_are_removed(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let code = phone.code();
    client.otp("alice", &format!(" {}  {}\t", &code[..3], &code[3..])).access_token();
}

fn a_replay_is_no_guess(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    client.otp("alice", &phone.code()).access_token();
    for _ in 0..20 {
        client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
    }
    assert_eq!(app.failures("alice"), 0);
    client.otp("alice", &phone.wrong_code()).must_be(400, "invalid_grant");
    assert_eq!(app.failures("alice"), 1);
    client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
    assert_eq!(app.failures("alice"), 1, "a replay clears nothing either");
}
