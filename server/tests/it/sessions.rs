//! Sessions: every login is one; the user and the operator list and end them, and the list of revocations tells the others.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::app;
use countersign::domain::client::TokenFormat;
use countersign::domain::id::SessionId;
use countersign::http::Limits;
use diesel::connection::SimpleConnection as _;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use crate::actors::{App, Client, ClientSpec, ISSUER, Phone, at_once};
use crate::{Backend, tests};

tests![
    every_login_is_listed_and_ends_by_itself,
    a_user_ends_one_session_and_keeps_the_others,
    a_user_ends_all_sessions,
    nobody_reaches_another_users_sessions,
    sessions_need_their_scope,
    the_operator_lists_and_ends_sessions,
    the_list_of_revocations_is_signed_and_typed,
    everything_that_ends_jwts_is_listed_until_they_end,
    the_cursor_brings_only_what_is_new,
    the_whole_list_is_made_once_for_all_who_ask,
    who_has_missed_very_much_gets_the_whole_list,
    what_needs_no_list_is_not_listed,
    a_list_is_no_access_token,
];

fn spec() -> ClientSpec {
    ClientSpec::with_scopes("sessions read")
}

fn alice<'a>(app: &'a App, client: &Client<'a>) -> (Phone, String) {
    app.user("alice");
    let phone = app.phone("alice");
    let token = client.otp("alice", &phone.code()).access_token();
    app.next_step();
    (phone, token)
}

fn sid(token: &str) -> String {
    claim(token, "sid")
}

fn claim(token: &str, name: &str) -> String {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    claims[name].as_str().unwrap().to_owned()
}

fn listed(app: &App, token: &str) -> Vec<String> {
    let reply = app.get_as("/account/sessions", token);
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// The list of revocations, verified by the published keys.
pub fn revocations(app: &App, since: &str) -> Value {
    let reply = app.get(&format!("/oauth/revocations{since}"));
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/jwt")), "{reply:?}");
    assert!(reply.header("cache-control").unwrap().starts_with("public, max-age="), "{reply:?}");
    let list = reply.body.as_str().unwrap();
    let header = decode_header(list).unwrap();
    assert_eq!(header.typ.as_deref(), Some("revocations+jwt"));
    let keys: JwkSet = serde_json::from_value(app.get("/.well-known/jwks.json").body).unwrap();
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_issuer(&[ISSUER]);
    // The test's clock stands in the past.
    validation.validate_exp = false;
    decode::<Value>(list, &key, &validation).unwrap().claims
}

pub fn ids(list: &Value, kind: &str) -> BTreeSet<String> {
    list[kind].as_array().unwrap().iter().map(|entry| entry[0].as_str().unwrap().to_owned()).collect()
}

fn every_login_is_listed_and_ends_by_itself(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (phone, first) = alice(&app, &client);
    let second = client.otp("alice", &phone.code()).access_token();
    assert_eq!(listed(&app, &second), [sid(&second), sid(&first)], "the youngest first");
    let body = app.get_as("/account/sessions", &second).body;
    assert_eq!((body[0]["client"].as_str(), body[0]["address"].as_str()), (Some("shop"), Some("127.0.0.1")));
    assert_eq!(body[0]["amr"], serde_json::json!(["otp"]));
    app.pass(880);
    assert_eq!(listed(&app, &second), [sid(&second)]);
}

fn a_user_ends_one_session_and_keeps_the_others(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (phone, first) = alice(&app, &client);
    let second = client.otp("alice", &phone.code()).access_token();
    let path = format!("/account/sessions/{}", sid(&first));
    assert_eq!(app.delete_as(&path, &second).status, 204);
    assert!(!client.is_active(&first) && client.is_active(&second));
    app.get_as("/account/sessions", &first).must_be_problem(401, "invalid_token");
    app.delete_as(&path, &second).must_be_problem(404, "not_found");
    app.delete_as("/account/sessions/nonsense", &second).must_be_problem(404, "not_found");
}

fn a_user_ends_all_sessions(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (phone, first) = alice(&app, &client);
    let second = client.otp("alice", &phone.code()).access_token();
    assert_eq!(app.delete_as("/account/sessions", &second).status, 204);
    assert!(!client.is_active(&first) && !client.is_active(&second));
}

fn nobody_reaches_another_users_sessions(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (_, alices) = alice(&app, &client);
    app.user("mallory");
    let mallorys = client.otp("mallory", &app.phone("mallory").code()).access_token();
    assert_eq!(listed(&app, &mallorys), [sid(&mallorys)]);
    let path = format!("/account/sessions/{}", sid(&alices));
    app.delete_as(&path, &mallorys).must_be_problem(404, "not_found");
    assert_eq!(app.delete_as("/account/sessions", &mallorys).status, 204);
    assert!(client.is_active(&alices));
}

fn sessions_need_their_scope(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec::with_scopes("factors read"));
    let (_, token) = alice(&app, &client);
    app.get_as("/account/sessions", &token).must_be_problem(403, "insufficient_scope");
    app.delete_as("/account/sessions", &token).must_be_problem(403, "insufficient_scope");
    app.get("/account/sessions").must_be_problem(401, "invalid_token");
    // A client's own token is nobody's login.
    let reply = client.token(&[("grant_type", "client_credentials"), ("scope", "read")]);
    app.get_as("/account/sessions", &reply.access_token()).must_be_problem(403, "insufficient_scope");
    assert!(client.is_active(&token));
}

fn the_operator_lists_and_ends_sessions(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (phone, first) = alice(&app, &client);
    let second = client.otp("alice", &phone.code()).access_token();
    let name = countersign::domain::user::UserName::parse("alice").unwrap();
    let listed = app.operate(|_, conn, at| app::session::list(conn, at, &name)).unwrap();
    assert_eq!(listed.len(), 2);
    let id: SessionId = sid(&first).parse().unwrap();
    app.operate(|service, conn, at| app::session::end(service, conn, at, id)).unwrap();
    assert!(!client.is_active(&first) && client.is_active(&second));
    app.operate(|service, conn, at| app::session::end(service, conn, at, id)).unwrap_err();
    let ended = app.operate(|service, conn, at| app::session::end_all(service, conn, at, &name)).unwrap();
    assert_eq!((ended, client.is_active(&second)), (1, false));
}

fn the_list_of_revocations_is_signed_and_typed(on: Backend) {
    let app = App::start(on);
    let list = revocations(&app, "");
    let now = app.clock.now().unix_seconds();
    assert_eq!((list["iat"].as_u64(), list["exp"].as_u64()), (Some(now), Some(now + 300)));
    assert_eq!(
        (list["since"].as_i64(), list["until"].as_i64().unwrap() >> 16),
        (Some(0), 2),
        "two keys were made"
    );
    for kind in ["tokens", "sessions", "keys"] {
        assert!(ids(&list, kind).is_empty());
    }
    for bad in ["?since=", "?since=x", "?since=-1", "?since=1&since=2", "?since=99999999999999999999"] {
        let reply = app.get(&format!("/oauth/revocations{bad}"));
        reply.must_be_problem(400, "invalid_request");
        assert!(reply.text("detail").starts_with("since "), "{reply:?}");
    }
}

fn everything_that_ends_jwts_is_listed_until_they_end(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (phone, revoked) = alice(&app, &client);
    client.revoke(&revoked);
    let login = || {
        let token = client.otp("alice", &phone.code()).access_token();
        app.next_step();
        sid(&token)
    };
    let mut sessions = BTreeSet::new();
    sessions.insert(login());
    app.lock("alice");
    app.unlock("alice");
    sessions.insert(login());
    let name = countersign::domain::user::UserName::parse("alice").unwrap();
    app.operate(|service, conn, at| app::session::end_all(service, conn, at, &name)).unwrap();
    sessions.insert(login());
    app.reset("alice");
    app.user("bob");
    let bob = client.otp("bob", &app.phone("bob").code()).access_token();
    sessions.insert(sid(&bob));
    let bobs = countersign::domain::user::UserName::parse("bob").unwrap();
    app.operate(|service, conn, at| app::user::remove(service, conn, at, &bobs)).unwrap();
    let own = client.token(&[("grant_type", "client_credentials")]).access_token();
    app.user("carol");
    let carol = client.otp("carol", &app.phone("carol").code()).access_token();
    sessions.insert(sid(&carol));
    app.operate(|service, conn, at| app::client::remove(service, conn, at, "shop")).unwrap();

    let list = revocations(&app, "");
    assert_eq!(ids(&list, "tokens"), BTreeSet::from([claim(&revoked, "jti"), claim(&own, "jti")]));
    assert_eq!(ids(&list, "sessions"), sessions);
    // A verifier's clock may be a minute behind.
    app.pass(955);
    assert!(ids(&revocations(&app, ""), "sessions").contains(&sid(&carol)));
    app.pass(6);
    let list = revocations(&app, "");
    assert!(ids(&list, "tokens").is_empty() && ids(&list, "sessions").is_empty());
    app.pass(2 * 86_400);
    app.sweep();
    assert_eq!(crate::actors::count_rows(&app.place, "revocation"), 0);
}

fn the_cursor_brings_only_what_is_new(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (phone, first) = alice(&app, &client);
    client.revoke(&first);
    let whole = revocations(&app, "");
    let cursor = whole["until"].as_i64().unwrap();
    let second = client.otp("alice", &phone.code()).access_token();
    client.revoke(&second);
    let news = revocations(&app, &format!("?since={cursor}"));
    assert_eq!(news["since"].as_i64(), Some(cursor));
    assert_eq!(ids(&news, "tokens"), BTreeSet::from([claim(&second, "jti")]));
    let nothing = revocations(&app, &format!("?since={}", news["until"]));
    assert!(ids(&nothing, "tokens").is_empty());
    app.pass(5);
    // A cursor that was never given, be the log as long already or not: everything, and it says so.
    for never in [cursor ^ 1, cursor & !0xffff, 1_000_000 << 16, i64::MAX] {
        let restored = revocations(&app, &format!("?since={never}"));
        assert_eq!((restored["since"].as_i64(), ids(&restored, "tokens").len()), (Some(0), 2));
    }
}

fn the_whole_list_is_made_once_for_all_who_ask(on: Backend) {
    // There is room for one request at the database: whoever waits for the list takes none.
    let app = App::start_within(on, Limits { under_way: 1, ..Limits::default() });
    let client = app.client_with(spec());
    let (phone, first) = alice(&app, &client);
    client.revoke(&first);
    let replies = at_once(24, |_| app.get("/oauth/revocations"));
    assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    assert!(replies.iter().all(|reply| reply.body == replies[0].body));
    let until = revocations(&app, "")["until"].clone();
    let max_age = |since: &str| {
        app.get(&format!("/oauth/revocations{since}")).header("cache-control").unwrap().to_owned()
    };
    assert_eq!(max_age(""), "public, max-age=5");
    let second = client.otp("alice", &phone.code()).access_token();
    client.revoke(&second);
    // For five seconds it stays what it is, and no cache keeps it beyond them. Made-up cursors bring nothing else.
    app.pass(3);
    for since in ["", "?since=0", "?since=12345"] {
        assert_eq!(
            ids(&revocations(&app, since), "tokens"),
            BTreeSet::from([claim(&first, "jti")]),
            "{since}"
        );
        assert_eq!(max_age(since), "public, max-age=2");
    }
    // Who asks with the cursor of an earlier list hears of it at once.
    let since = format!("?since={until}");
    assert_eq!(ids(&revocations(&app, &since), "tokens"), BTreeSet::from([claim(&second, "jti")]));
    assert_eq!(max_age(&since), "public, max-age=5");
    app.pass(2);
    assert_eq!(ids(&revocations(&app, ""), "tokens").len(), 2);
}

fn who_has_missed_very_much_gets_the_whole_list(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let (phone, first) = alice(&app, &client);
    client.revoke(&first);
    let early = revocations(&app, "")["until"].as_i64().unwrap();
    let second = client.otp("alice", &phone.code()).access_token();
    client.revoke(&second);
    // The list that is kept by now does not reach so far.
    let late = revocations(&app, &format!("?since={early}"))["until"].as_i64().unwrap();
    assert!(ids(&revocations(&app, ""), "tokens").len() == 1 && late > early);
    app.next_step();
    let third = client.otp("alice", &phone.code()).access_token();
    client.revoke(&third);
    let (seq, later) = ((late >> 16) + 1, app.clock.now().millis() + 600_000);
    let missed = |count: i64, ends: i64| {
        let rows: Vec<_> = (0..count).map(|id| format!("({seq}, 'session', 'many{id}', {ends})")).collect();
        let rows = rows.join(", ");
        let sql = format!(
            "DELETE FROM revocation WHERE kind = 'session'; INSERT INTO revocation (seq, kind, id, expires_at) VALUES {rows}"
        );
        app.place.connection().batch_execute(&sql).unwrap();
    };
    missed(999, later);
    let news = revocations(&app, &format!("?since={late}"));
    assert_eq!((news["since"].as_i64(), ids(&news, "sessions").len()), (Some(late), 999));
    // What does not matter any more is left out, and yet nobody has the server read through very much of it.
    let over = app.clock.now().millis() - 600_000;
    missed(999, over);
    let news = revocations(&app, &format!("?since={late}"));
    assert_eq!((ids(&news, "tokens").len(), ids(&news, "sessions").len()), (1, 0));
    missed(1000, over);
    let whole = revocations(&app, &format!("?since={late}"));
    assert_eq!((whole["since"].as_i64(), ids(&whole, "sessions").len()), (Some(0), 0));
    app.pass(5);
    missed(1000, later);
    for cursor in [late, early] {
        let whole = revocations(&app, &format!("?since={cursor}"));
        assert_eq!((whole["since"].as_i64(), ids(&whole, "sessions").len()), (Some(0), 1000));
        assert_eq!(ids(&whole, "tokens").len(), 3);
    }
}

fn what_needs_no_list_is_not_listed(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec { format: TokenFormat::Opaque, ..spec() });
    app.user("alice");
    let phone = app.phone("alice");
    let token = client.otp("alice", &phone.code()).access_token();
    client.revoke(&token);
    app.next_step();
    client.otp("alice", &phone.code()).access_token();
    app.lock("alice");
    let list = revocations(&app, "");
    assert!(
        ids(&list, "tokens").is_empty() && ids(&list, "sessions").is_empty(),
        "opaque tokens are asked about"
    );
}

fn a_list_is_no_access_token(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec());
    let reply = app.get("/oauth/revocations");
    let list = reply.body.as_str().unwrap();
    assert!(!client.is_active(list));
    app.get_as("/account/sessions", list).must_be_problem(401, "invalid_token");
}
