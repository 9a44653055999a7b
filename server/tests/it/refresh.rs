//! Refresh tokens: rotation, copies, the grace for a lost reply, and the limits of a login.

use countersign::app;
use countersign::db;
use countersign::domain::client::{DEFAULT_SESSION_IDLE_S, SessionLimits};
use countersign::domain::user::UserName;

use crate::actors::{App, Client, ClientSpec, Phone, Reply, at_once};
use crate::{Backend, tests};

tests![
    a_refresh_that_waited_for_a_reset_is_over_with_it,
    a_refresh_token_comes_with_the_scope_and_the_grant_only,
    every_refresh_replaces_the_token_and_the_login_goes_on,
    a_used_refresh_token_ends_the_session,
    a_lost_reply_may_be_asked_for_again_and_leaves_one_chain,
    after_the_grace_a_lost_reply_is_a_copy,
    parallel_refreshes_leave_one_chain,
    a_refresh_never_widens_scope_or_audience,
    a_narrow_refresh_does_not_narrow_the_login,
    a_client_that_lost_a_scope_gets_no_more_of_it,
    another_clients_refresh_token_is_refused_and_stays_good,
    a_login_ends_when_it_is_idle_and_when_it_is_old,
    a_refresh_token_is_no_access_token_and_no_other_way_round,
    revoking_a_refresh_token_logs_out,
    a_reset_a_lock_and_a_new_password_end_the_chain,
    a_refresh_during_a_lock_leaves_no_live_token,
    a_one_use_access_token_is_refreshed_by_another,
    a_long_login_does_not_pile_up_tokens,
    a_copy_is_known_for_as_long_as_its_session_may_rest,
    very_many_spent_tokens_go_a_few_at_a_time,
    a_session_with_very_many_tokens_is_swept_a_few_at_a_time,
];

const SCOPES: &str = "read write offline_access";

fn client(app: &App) -> Client<'_> {
    app.client_with(ClientSpec { scopes: SCOPES, ..ClientSpec::default() })
}

/// Alice with a phone, and her first login.
fn logged_in<'a>(app: &'a App, client: &Client<'a>) -> (Phone, Reply) {
    app.user("alice");
    let phone = app.phone("alice");
    let reply = client.otp("alice", &phone.code());
    assert_eq!(reply.status, 200, "{reply:?}");
    (phone, reply)
}

fn refresh_token(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.text("refresh_token").to_owned()
}

fn a_refresh_token_comes_with_the_scope_and_the_grant_only(on: Backend) {
    let app = App::start(on);
    let with = client(&app);
    let (phone, first) = logged_in(&app, &with);
    assert!(refresh_token(&first).starts_with("csr_"));
    assert_eq!(first.text("scope"), "offline_access read write");

    app.next_step();
    let grant = countersign::domain::client::Grant::Otp.as_str();
    let code = phone.code();
    let fields = [("grant_type", grant), ("username", "alice"), ("otp", code.as_str()), ("scope", "read")];
    assert!(with.token(&fields).body.get("refresh_token").is_none(), "without the scope");

    app.next_step();
    let grants = vec![countersign::domain::client::Grant::Otp];
    let without =
        app.client_with(ClientSpec { name: "without", scopes: SCOPES, grants, ..ClientSpec::default() });
    let reply = without.otp("alice", &phone.code());
    assert!(reply.body.get("refresh_token").is_none(), "without the grant");
    without.refresh("csr_x").must_be(400, "unauthorized_client");
    with.token(&[("grant_type", "refresh_token")]).must_be(400, "invalid_request");
    with.refresh("csr_nobody").must_be(400, "invalid_grant");
}

fn every_refresh_replaces_the_token_and_the_login_goes_on(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (_, first) = logged_in(&app, &client);
    let login = client.introspect(&first.access_token()).body;
    app.pass(1000);
    assert!(!client.is_active(&first.access_token()), "over after 900 s");
    let second = client.refresh(&refresh_token(&first));
    let third = client.refresh(&refresh_token(&second));
    assert_ne!(refresh_token(&second), refresh_token(&third));
    let now = client.introspect(&third.access_token()).body;
    for same in ["sub", "sid", "auth_time", "amr", "acr", "aud", "scope", "client_id"] {
        assert_eq!(now[same], login[same], "{same}");
    }
    assert_ne!(now["jti"], login["jti"]);
    assert_eq!(now["iat"].as_u64(), Some(login["iat"].as_u64().unwrap() + 1000));
}

fn a_used_refresh_token_ends_the_session(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (phone, first) = logged_in(&app, &client);
    let stolen = refresh_token(&first);
    let second = client.refresh(&stolen);
    app.pass(60);
    let third = client.refresh(&refresh_token(&second));
    // Whatever else is wrong with the request: a copy is not tried out unnoticed.
    let wide = [("grant_type", "refresh_token"), ("refresh_token", stolen.as_str()), ("scope", "everything")];
    client.token(&wide).must_be(400, "invalid_grant");
    assert!(!client.is_active(&third.access_token()));
    client.refresh(&refresh_token(&third)).must_be(400, "invalid_grant");
    let log = app.operate(|_, conn, _| app::audit::last(conn, 3)).unwrap();
    assert!(log.iter().any(|entry| entry.action == "refresh_token.reused"), "{log:?}");
    // Others of the same user are not touched by it.
    client.otp("alice", &phone.code_at(1)).access_token();
}

fn a_lost_reply_may_be_asked_for_again_and_leaves_one_chain(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (_, first) = logged_in(&app, &client);
    let lost = client.refresh(&refresh_token(&first));
    app.pass(9);
    let again = client.refresh(&refresh_token(&first));
    assert_ne!(refresh_token(&lost), refresh_token(&again));
    // The chain that got no further is dead: using it is what a thief would do.
    let next = client.refresh(&refresh_token(&again));
    client.refresh(&refresh_token(&lost)).must_be(400, "invalid_grant");
    client.refresh(&refresh_token(&next)).must_be(400, "invalid_grant");
}

fn after_the_grace_a_lost_reply_is_a_copy(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (_, first) = logged_in(&app, &client);
    let lost = client.refresh(&refresh_token(&first));
    // The grace counts from the first use, not from the last.
    app.pass(6);
    refresh_token(&client.refresh(&refresh_token(&first)));
    app.pass(4);
    client.refresh(&refresh_token(&first)).must_be(400, "invalid_grant");
    client.refresh(&refresh_token(&lost)).must_be(400, "invalid_grant");
}

fn parallel_refreshes_leave_one_chain(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (_, first) = logged_in(&app, &client);
    let shown = refresh_token(&first);
    let other = app.another();
    let elsewhere = client.at(&other);
    let replies =
        at_once(16, |index| if index % 2 == 0 { client.refresh(&shown) } else { elsewhere.refresh(&shown) });
    let tokens: Vec<String> = replies.iter().map(refresh_token).collect();
    // All within the grace; of all those chains one goes on, and trying any other ends it.
    let mut live = 0;
    for token in &tokens {
        live += i32::from(client.refresh(token).status == 200);
    }
    assert!(live <= 1, "{live} live chains");
    assert_eq!(crate::actors::count_rows(&app.place, "session"), 1);
}

fn a_refresh_never_widens_scope_or_audience(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec {
        scopes: "read write offline_access",
        audiences: &["https://a.example"],
        ..ClientSpec::default()
    });
    app.user("alice");
    let phone = app.phone("alice");
    let grant = countersign::domain::client::Grant::Otp.as_str();
    let scope = "read offline_access";
    let first = client.token(&[
        ("grant_type", grant),
        ("username", "alice"),
        ("otp", &phone.code()),
        ("scope", scope),
    ]);
    let shown = refresh_token(&first);
    let wider = [("grant_type", "refresh_token"), ("refresh_token", &shown), ("scope", "read write")];
    client.token(&wider).must_be(400, "invalid_scope");
    let elsewhere =
        [("grant_type", "refresh_token"), ("refresh_token", &shown), ("audience", "https://a.example")];
    client.token(&elsewhere).must_be(400, "invalid_target");
    let here = [elsewhere[0], elsewhere[1], ("resource", crate::actors::ISSUER)];
    let reply = client.token(&here);
    assert_eq!(client.introspect(&reply.access_token()).body["aud"], crate::actors::ISSUER);
    assert_eq!(reply.text("scope"), "offline_access read");
}

fn a_narrow_refresh_does_not_narrow_the_login(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (_, first) = logged_in(&app, &client);
    let shown = refresh_token(&first);
    let narrow =
        client.token(&[("grant_type", "refresh_token"), ("refresh_token", &shown), ("scope", "read")]);
    assert_eq!(narrow.text("scope"), "read");
    assert_eq!(client.refresh(&refresh_token(&narrow)).text("scope"), "offline_access read write");
}

fn a_client_that_lost_a_scope_gets_no_more_of_it(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (_, first) = logged_in(&app, &client);
    let update = "UPDATE client SET scopes = 'offline_access read' WHERE name = 'shop'";
    diesel::connection::SimpleConnection::batch_execute(&mut *app.place.connection(), update).unwrap();
    assert_eq!(client.refresh(&refresh_token(&first)).text("scope"), "offline_access read");
}

fn another_clients_refresh_token_is_refused_and_stays_good(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (_, first) = logged_in(&app, &client);
    let thief = app.client_with(ClientSpec { name: "thief", scopes: SCOPES, ..ClientSpec::default() });
    thief.refresh(&refresh_token(&first)).must_be(400, "invalid_grant");
    thief.revoke(&refresh_token(&first)).must_be(400, "unauthorized_client");
    refresh_token(&client.refresh(&refresh_token(&first)));
}

fn a_login_ends_when_it_is_idle_and_when_it_is_old(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec {
        scopes: SCOPES,
        sessions: SessionLimits::new(3600, 9000).unwrap(),
        ..ClientSpec::default()
    });
    let (phone, first) = logged_in(&app, &client);
    app.pass(3600);
    client.refresh(&refresh_token(&first)).must_be(400, "invalid_grant");

    let first = client.otp("alice", &phone.code());
    app.pass(3599);
    let second = client.refresh(&refresh_token(&first));
    app.pass(3599);
    let third = client.refresh(&refresh_token(&second));
    // 7198 s of 9000 have passed: what is left is more than an access token's life, and then less.
    assert_eq!(third.body["expires_in"], 900);
    app.pass(1500);
    let last = client.refresh(&refresh_token(&third));
    assert_eq!(last.body["expires_in"], 302);
    app.pass(301);
    assert!(client.is_active(&last.access_token()));
    app.pass(1);
    assert!(!client.is_active(&last.access_token()));
    client.refresh(&refresh_token(&last)).must_be(400, "invalid_grant");

    // No token that lives no second.
    let login = client.otp("alice", &phone.code());
    app.clock.advance(8_999_500 - 3_500_000);
    client.refresh(&refresh_token(&login)).must_be(400, "invalid_grant");
}

fn a_refresh_token_is_no_access_token_and_no_other_way_round(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (_, first) = logged_in(&app, &client);
    assert!(!client.is_active(&refresh_token(&first)));
    app.get_as("/mfa/authenticators", &refresh_token(&first)).must_be_problem(401, "invalid_token");
    client.refresh(&first.access_token()).must_be(400, "invalid_grant");
    refresh_token(&client.refresh(&refresh_token(&first)));
}

fn revoking_a_refresh_token_logs_out(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (_, first) = logged_in(&app, &client);
    let second = client.refresh(&refresh_token(&first));
    assert_eq!(client.revoke(&refresh_token(&second)).status, 200);
    assert!(!client.is_active(&first.access_token()));
    assert!(!client.is_active(&second.access_token()));
    client.refresh(&refresh_token(&second)).must_be(400, "invalid_grant");
    assert_eq!(client.revoke(&refresh_token(&second)).status, 200, "over is as good as revoked");
}

fn a_reset_a_lock_and_a_new_password_end_the_chain(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    app.user_with_password("alice");
    let name = UserName::parse("alice").unwrap();
    let password = countersign::domain::password::Password::chosen("another long one").unwrap();
    let ends: [&dyn Fn(); 3] = [
        &|| app.reset("alice"),
        &|| {
            app.lock("alice");
            app.unlock("alice");
        },
        &|| {
            app.operate(|service, conn, at| app::user::set_password(service, conn, at, &name, &password))
                .unwrap();
        },
    ];
    for end in ends {
        let phone = app.phone("alice");
        let reply = client.otp("alice", &phone.code());
        end();
        assert!(!client.is_active(&reply.access_token()));
        client.refresh(&refresh_token(&reply)).must_be(400, "invalid_grant");
    }
    client.password("alice", crate::actors::PASSWORD).must_be(400, "invalid_grant");
    client.password("alice", "another long one").must_be(403, "mfa_required");
}

fn a_refresh_during_a_lock_leaves_no_live_token(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    app.user("alice");
    let phone = app.phone("alice");
    for _ in 0..5 {
        let first = client.otp("alice", &phone.code());
        let shown = refresh_token(&first);
        let replies = at_once(4, |index| {
            if index == 0 {
                app.lock("alice");
                return None;
            }
            Some(client.refresh(&shown)).filter(|reply| reply.status == 200)
        });
        app.unlock("alice");
        for reply in replies.into_iter().flatten() {
            assert!(!client.is_active(&reply.access_token()));
            client.refresh(&refresh_token(&reply)).must_be(400, "invalid_grant");
        }
        app.next_step();
    }
}

fn a_one_use_access_token_is_refreshed_by_another(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec { scopes: SCOPES, one_use: true, ..ClientSpec::default() });
    let (_, first) = logged_in(&app, &client);
    assert!(client.is_active(&first.access_token()) && !client.is_active(&first.access_token()));
    let second = client.refresh(&refresh_token(&first));
    assert!(client.is_active(&second.access_token()) && !client.is_active(&second.access_token()));
}

/// A login that is refreshed every few hours, so many times; the first refresh token, and the last reply.
fn long_login(app: &App, client: &Client<'_>, every_h: i64, times: usize) -> (String, Reply) {
    let (_, mut reply) = logged_in(app, client);
    let first = refresh_token(&reply);
    for _ in 0..times {
        app.pass(every_h * 3600);
        reply = client.refresh(&refresh_token(&reply));
    }
    (first, reply)
}

fn a_long_login_does_not_pile_up_tokens(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (first, reply) = long_login(&app, &client, 12, 50);
    assert!(client.is_active(&reply.access_token()));
    // Of access tokens those of a day; of refresh tokens the good one and those of a week: a copy of one must be known for what it is.
    assert_eq!(crate::actors::count_rows(&app.place, "token"), 3 + 1 + 15);
    // Whoever has not shown its own for so long would have no session to come back to.
    client.refresh(&first).must_be(400, "invalid_grant");
    assert_eq!(client.refresh(&refresh_token(&reply)).status, 200);
}

fn a_copy_is_known_for_as_long_as_its_session_may_rest(on: Backend) {
    let month = 30 * 86_400;
    for (idle_s, known_s) in [(3600 * 13, 7 * 86_400), (month, month)] {
        for (after_s, is_known) in [(known_s - 3600, true), (known_s + 13 * 3600, false)] {
            let app = App::start(on);
            let sessions = SessionLimits::new(idle_s, 4 * month).unwrap();
            let client = app.client_with(ClientSpec { scopes: SCOPES, sessions, ..ClientSpec::default() });
            let (phone, login) = logged_in(&app, &client);
            let copied = refresh_token(&login);
            let mut reply = client.refresh(&copied);
            // Somebody else keeps the session awake meanwhile, as fast as he likes.
            let mut left = after_s;
            while left > 0 {
                app.pass(left.min(12 * 3600));
                left -= 12 * 3600;
                for _ in 0..3 {
                    reply = client.refresh(&refresh_token(&reply));
                }
            }
            client.refresh(&copied).must_be(400, "invalid_grant");
            let goes_on = client.refresh(&refresh_token(&reply)).status == 200;
            assert_eq!(goes_on, !is_known, "after {after_s} s, where {idle_s} s may pass");
            client.otp("alice", &phone.code()).access_token();
        }
    }
}

/// As a release before this one has left them, and more than one refresh deletes.
fn very_many_spent_tokens_go_a_few_at_a_time(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (_, login) = logged_in(&app, &client);
    let reply = client.refresh(&refresh_token(&login));
    app.pass(6 * 86_400);
    multiply_spent_token(&app, on, 2000);
    let mut reply = client.refresh(&refresh_token(&reply));
    app.pass(3 * 86_400);
    let rows = || crate::actors::count_rows(&app.place, "token");
    let mut before = rows();
    assert!(before > 2000);
    while before > 10 {
        reply = client.refresh(&refresh_token(&reply));
        let now = rows();
        assert!(now < before && before - now <= 600, "{before} {now}");
        before = now;
    }
    client.refresh(&refresh_token(&login)).must_be(400, "invalid_grant");
    assert!(client.is_active(&reply.access_token()));
}

/// So many copies of the one refresh token that was spent, in the same session.
fn multiply_spent_token(app: &App, on: Backend, count: usize) {
    let (numbers, id, hash) = match on {
        Backend::Sqlite => (
            format!(
                "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n)"
            ),
            "randomblob(16)",
            "randomblob(32)",
        ),
        Backend::Postgres => (
            format!("generate_series(1, {count}) AS n (i)"),
            "uuid_send(gen_random_uuid())",
            "sha256(uuid_send(gen_random_uuid()))",
        ),
    };
    let same = "session_id, client_id, kind, audience, scope, details, issued_at, expires_at, one_use, used_at, replaced_by";
    let copy = format!(
        "INSERT INTO token (id, hash, {same}) SELECT {id}, {hash}, {same} FROM token CROSS JOIN {numbers} \
         WHERE kind = 'refresh' AND used_at IS NOT NULL"
    );
    diesel::connection::SimpleConnection::batch_execute(&mut *app.place.connection(), &copy).unwrap();
}

/// It was refreshed again and again, and ends.
fn a_session_with_very_many_tokens_is_swept_a_few_at_a_time(on: Backend) {
    let app = App::start(on);
    let client = client(&app);
    let (phone, login) = logged_in(&app, &client);
    client.refresh(&refresh_token(&login));
    multiply_spent_token(&app, on, 2000);
    app.pass(40 * 86_400);
    let fresh = client.otp("alice", &phone.code());
    let rows = |table: &str| crate::actors::count_rows(&app.place, table);
    let kind = db::sweep::tables().position(|table| table == "session").unwrap();
    let day_ago = app.clock.now().plus_seconds(-86_400);
    loop {
        let before = rows("token");
        let more = db::sweep::sweep(&mut app.place.connection(), kind, day_ago).unwrap();
        assert!(before - rows("token") <= 600);
        if !more {
            break;
        }
        assert_eq!(rows("session"), 2, "it stays until its tokens have gone");
    }
    assert_eq!((rows("session"), rows("token")), (1, 2));
    assert!(client.is_active(&fresh.access_token()));
    // And with the application.
    let reply = client.refresh(&refresh_token(&fresh));
    multiply_spent_token(&app, on, 2000);
    app.operate(|service, conn, at| app::client::remove(service, conn, at, "shop")).unwrap();
    assert_eq!((rows("session"), rows("token")), (0, 0));
    client.refresh(&refresh_token(&reply)).must_be(401, "invalid_client");
}

/// It came in a session's last second, and had its turn after a reset that came when that was over.
fn a_refresh_that_waited_for_a_reset_is_over_with_it(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec::with_scopes("offline_access"));
    app.user("alice");
    let phone = app.phone("alice");
    let refresh_token = client.otp("alice", &phone.code()).text("refresh_token").to_owned();
    app.pass(DEFAULT_SESSION_IDLE_S + 2);
    app.reset("alice");
    app.clock.advance(-4_000);
    client.refresh(&refresh_token).must_be(400, "invalid_grant");
}
