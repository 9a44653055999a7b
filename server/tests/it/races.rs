//! Many requests at once, on one server and on two.

use crate::actors::{App, Reply, at_once};
use crate::{Backend, tests};

tests![
    a_code_sent_64_times_at_once_becomes_one_token,
    a_code_sent_to_two_servers_at_once_becomes_one_token,
    an_mfa_token_and_a_code_sent_64_times_at_once_become_one_token,
    wrong_codes_in_parallel_buy_no_guesses,
    a_reset_during_logins_leaves_no_live_token,
    parallel_first_codes_confirm_once,
    a_factor_being_confirmed_is_not_replaced_by_password_alone,
    a_user_locked_during_logins_has_no_token_after_the_unlock,
    parallel_users_do_not_wait_for_ever,
];

fn count(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

fn a_code_sent_64_times_at_once_becomes_one_token(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let code = phone.code();
    let replies = at_once(64, |_| client.otp("alice", &code));
    assert_eq!((count(&replies, 200), count(&replies, 400)), (1, 63), "{replies:?}");
    app.next_step();
    client.otp("alice", &phone.code()).access_token();
}

fn a_code_sent_to_two_servers_at_once_becomes_one_token(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let elsewhere = client.at(&other);
    for _ in 0..10 {
        let code = phone.code();
        let replies = at_once(16, |index| {
            if index % 2 == 0 { client.otp("alice", &code) } else { elsewhere.otp("alice", &code) }
        });
        assert_eq!((count(&replies, 200), count(&replies, 400)), (1, 15), "{replies:?}");
        app.next_step();
    }
}

fn an_mfa_token_and_a_code_sent_64_times_at_once_become_one_token(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let mfa_token = client.mfa_token("alice");
    // Two codes that are both right: the mfa_token still is good for one login.
    let codes = [phone.code(), phone.code_at(1)];
    let replies = at_once(64, |index| client.mfa_otp(&mfa_token, &codes[index % 2]));
    assert_eq!((count(&replies, 200), count(&replies, 400)), (1, 63), "{replies:?}");
}

fn wrong_codes_in_parallel_buy_no_guesses(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let wrong: Vec<String> = phone.wrong_codes().take(64).collect();
    let replies = at_once(64, |index| client.otp("alice", &wrong[index]));
    // Five are free, the sixth closes the gate.
    assert_eq!((count(&replies, 400), count(&replies, 429)), (6, 58), "{replies:?}");
    assert_eq!(app.failures("alice"), 6);
}

fn a_reset_during_logins_leaves_no_live_token(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    for round in 0..5 {
        let user = format!("user{round}");
        app.user(&user);
        let phone = app.phone(&user);
        let codes: Vec<String> = [-1, 0, 1].map(|offset| phone.code_at(offset)).to_vec();
        let replies = at_once(7, |index| {
            if index == 6 {
                app.reset(&user);
                None
            } else {
                Some(client.otp(&user, &codes[index % 3]))
            }
        });
        for reply in replies.into_iter().flatten().filter(|reply| reply.status == 200) {
            assert!(!client.is_active(&reply.access_token()), "a token outlived the reset");
        }
        app.unlock(&user);
        client.otp(&user, &phone.code_at(1)).must_be(400, "invalid_grant");
    }
}

fn parallel_first_codes_confirm_once(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let client = app.client();
    let tokens: Vec<String> = (0..8).map(|_| client.mfa_token("alice")).collect();
    let phone = app.scan(&app.associate(&tokens[0]));
    let code = phone.code();
    let replies = at_once(8, |index| client.mfa_otp(&tokens[index], &code));
    assert_eq!((count(&replies, 200), count(&replies, 400)), (1, 7), "{replies:?}");
}

fn parallel_users_do_not_wait_for_ever(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let phones = app.people(32);
    let replies = at_once(32, |index| {
        let (phone, user) = &phones[index];
        client.otp(user, &phone.code())
    });
    assert_eq!(count(&replies, 200), 32, "{replies:?}");
}

fn a_factor_being_confirmed_is_not_replaced_by_password_alone(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    for round in 0..8 {
        let user = format!("user{round}");
        app.user_with_password(&user);
        let tokens = [client.mfa_token(&user), client.mfa_token(&user)];
        let phone = app.scan(&app.associate(&tokens[0]));
        let code = phone.code();
        let replies = at_once(4, |index| match index {
            0 => client.mfa_otp(&tokens[0], &code),
            _ => app.associate(&tokens[1]),
        });
        app.next_step();
        if replies[0].status == 200 {
            // Confirmed: it stays, and whoever has only the password got nothing to confirm.
            client.otp(&user, &phone.code()).access_token();
            app.associate(&tokens[1]).must_be_problem(403, "factor_needed");
        } else {
            client.otp(&user, &phone.code()).must_be(400, "invalid_grant");
        }
        let own = countersign::domain::user::UserName::parse(&user).unwrap();
        let factors = app.operate(|_, conn, at| countersign::app::factor::list(conn, at, &own)).unwrap();
        assert_eq!(factors.len(), 1, "{factors:?}");
    }
}

fn a_user_locked_during_logins_has_no_token_after_the_unlock(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    for round in 0..8 {
        let user = format!("user{round}");
        app.user(&user);
        let phone = app.phone(&user);
        let codes = [-1, 0, 1].map(|offset| phone.code_at(offset));
        let replies = at_once(4, |index| {
            if index == 3 {
                app.lock(&user);
                None
            } else {
                Some(client.otp(&user, &codes[index]))
            }
        });
        app.unlock(&user);
        for reply in replies.into_iter().flatten().filter(|reply| reply.status == 200) {
            assert!(!client.is_active(&reply.access_token()), "a token outlived the lock");
        }
    }
}
