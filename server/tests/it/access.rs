//! What a token may do in the end: rules of scopes, groups, grants that begin and end, and `authorization_details`.

use countersign::app::access::{self, Named, Span};
use countersign::db;
use countersign::db::grant::Holder;
use countersign::domain::authorization::{Access, Details, ScopeRule};
use countersign::domain::client::{Grant, TokenFormat};
use countersign::domain::id::GrantId;
use countersign::domain::time::Timestamp;
use countersign::domain::user::UserName;
use diesel::connection::SimpleConnection as _;
use serde_json::{Value, json};

use crate::actors::{App, Client, ClientSpec, PASSWORD, Phone, Reply};
use crate::{Backend, tests};

tests![
    a_scope_shortens_the_tokens_that_hold_it,
    scopes_rule_opaque_tokens_where_no_key_signs,
    a_one_use_scope_makes_an_opaque_token_that_is_good_once,
    a_scope_may_want_a_stronger_login,
    a_scope_with_a_max_age_leaves_when_the_login_is_too_old,
    a_scope_for_one_audience_is_in_no_other_token,
    a_scope_by_grant_comes_and_goes_with_the_grant,
    a_taken_grant_is_over_at_the_next_introspection_and_refresh,
    no_login_goes_on_by_a_scope_that_was_left_out_or_taken_away,
    a_scope_that_was_taken_away_opens_no_door_here,
    a_grant_to_a_group_reaches_its_members_only,
    a_token_does_not_outlive_the_grant,
    bulk_changes_are_all_or_nothing,
    details_need_the_clients_type_and_the_users_grant,
    details_are_in_the_token_the_reply_and_introspection,
    details_never_widen_at_refresh,
    what_an_application_has_no_more_it_is_not_given_later_either,
    malformed_details_are_refused_and_cost_no_code,
    details_travel_with_the_mfa_token,
    a_clients_own_token_has_no_grants,
    every_change_is_logged,
    grants_are_listed_however_many_there_are,
];

const COMMENT: &str = r#"{"type":"document","actions":["comment"],"identifier":"42"}"#;

/// A rule that rules nothing yet.
pub fn rule(name: &str) -> ScopeRule {
    ScopeRule {
        name: name.to_owned(),
        description: String::new(),
        audience: None,
        token_ttl_s: None,
        max_age_s: None,
        acr: None,
        one_use: false,
        by_grant: false,
    }
}

fn set(app: &App, rule: &ScopeRule) {
    app.operate(|service, conn, at| access::put_scope(service, conn, at, rule)).unwrap();
}

fn user(name: &str) -> Named {
    Named::User(UserName::parse(name).unwrap())
}

fn scope(name: &str) -> Access {
    Access::Scope(name.to_owned())
}

fn detail(json: &str) -> Access {
    Access::Detail(Box::new(Details::parse(&format!("[{json}]")).unwrap().entries()[0].clone()))
}

/// Gives access for some seconds from now.
fn give(app: &App, to: &[Named], what: &Access, seconds: Option<i64>) {
    let now = app.clock.now();
    let ends_at = seconds.map_or(Timestamp::NEVER, |seconds| now.plus_seconds(seconds));
    let span = Span { starts_at: now, ends_at };
    app.operate(|service, conn, at| access::give(service, conn, at, to, what, span)).unwrap();
}

fn take(app: &App, from: &[Named], what: &Access) -> usize {
    app.operate(|service, conn, at| access::take(service, conn, at, from, what)).unwrap()
}

fn alice(app: &App) -> Phone {
    app.user_with_password("alice");
    app.phone("alice")
}

fn spec(scopes: &'static str) -> ClientSpec {
    ClientSpec { detail_types: &["document"], ..ClientSpec::with_scopes(scopes) }
}

/// A code for a token, with more fields.
fn otp(client: &Client<'_>, phone: &Phone, more: &[(&str, &str)]) -> Reply {
    let code = phone.code();
    let mut fields = vec![("grant_type", Grant::Otp.as_str()), ("username", "alice"), ("otp", code.as_str())];
    fields.extend(more);
    client.token(&fields)
}

fn scope_of(client: &Client<'_>, token: &str) -> String {
    client.introspect(token).text("scope").to_owned()
}

fn a_scope_shortens_the_tokens_that_hold_it(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("pay read")));
    set(&app, &ScopeRule { token_ttl_s: Some(60), ..rule("pay") });
    let reply = otp(&client, &phone, &[]);
    assert_eq!((reply.body["expires_in"].as_i64(), reply.text("scope")), (Some(60), "pay read"));
    app.pass(59);
    assert!(client.is_active(&reply.access_token()));
    app.pass(1);
    assert!(!client.is_active(&reply.access_token()));
    assert_eq!(otp(&client, &phone, &[("scope", "read")]).body["expires_in"], 900);
}

/// As after a restore that lost the keys: administrators still log in, and nothing is wider than before.
fn scopes_rule_opaque_tokens_where_no_key_signs(on: Backend) {
    let app = App::start(on);
    let (phone, jwts) = (alice(&app), app.client_with(spec("pay")));
    let opaque =
        app.client_with(ClientSpec { name: "opaque", format: TokenFormat::Opaque, ..spec("pay read") });
    set(&app, &ScopeRule { token_ttl_s: Some(60), ..rule("pay") });
    app.place.connection().batch_execute("DELETE FROM signing_key").unwrap();
    assert_eq!(otp(&jwts, &phone, &[]).status, 500);
    // The code was not used up by that.
    let reply = otp(&opaque, &phone, &[]);
    assert_eq!((reply.body["expires_in"].as_i64(), reply.text("scope")), (Some(60), "pay read"));
    assert!(opaque.is_active(&reply.access_token()));
}

fn a_one_use_scope_makes_an_opaque_token_that_is_good_once(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("pay read")));
    set(&app, &ScopeRule { one_use: true, ..rule("pay") });
    let token = otp(&client, &phone, &[]).access_token();
    assert!(token.starts_with("cst_"), "a JWT could be checked without anybody hearing of it");
    assert!(client.is_active(&token) && !client.is_active(&token));
    app.next_step();
    let token = otp(&client, &phone, &[("scope", "read")]).access_token();
    assert!(token.starts_with("ey") && client.is_active(&token) && client.is_active(&token));
}

fn a_scope_may_want_a_stronger_login(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let client = app.client_with(spec("pay read"));
    set(&app, &ScopeRule { acr: Some("urn:countersign:acr:otp".to_owned()), ..rule("pay") });
    let mfa_token = client.mfa_token("alice");
    let associated = app.associate(&mfa_token);
    let phone = app.scan(&associated);
    assert_eq!(client.mfa_otp(&mfa_token, &phone.code()).text("scope"), "pay read");
    let code = associated.body["recovery_codes"][0].as_str().unwrap();
    assert_eq!(client.recover(&client.mfa_token("alice"), code).text("scope"), "read");
}

fn a_scope_with_a_max_age_leaves_when_the_login_is_too_old(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("pay read offline_access")));
    set(&app, &ScopeRule { max_age_s: Some(300), ..rule("pay") });
    let first = otp(&client, &phone, &[]);
    assert_eq!(
        (first.text("scope"), first.body["expires_in"].as_i64()),
        ("offline_access pay read", Some(300))
    );
    app.pass(200);
    let second = client.refresh(first.text("refresh_token"));
    assert_eq!(second.body["expires_in"], 100, "a refresh makes no login younger");
    app.pass(100);
    let third = client.refresh(second.text("refresh_token"));
    assert_eq!((third.text("scope"), third.body["expires_in"].as_i64()), ("offline_access read", Some(900)));
}

fn a_scope_for_one_audience_is_in_no_other_token(on: Backend) {
    let app = App::start(on);
    let phone = alice(&app);
    let client = app.client_with(ClientSpec { audiences: &["https://bank.example"], ..spec("pay read") });
    set(&app, &ScopeRule { audience: Some("https://bank.example".to_owned()), ..rule("pay") });
    assert_eq!(otp(&client, &phone, &[]).text("scope"), "read");
    app.next_step();
    assert_eq!(otp(&client, &phone, &[("audience", "https://bank.example")]).text("scope"), "pay read");
}

fn a_scope_by_grant_comes_and_goes_with_the_grant(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("stacks")));
    set(&app, &ScopeRule { by_grant: true, ..rule("stacks") });
    assert_eq!(otp(&client, &phone, &[("scope", "stacks")]).text("scope"), "");
    // From the day after tomorrow, for a day: a visiting reader.
    let now = app.clock.now();
    let span = Span { starts_at: now.plus_seconds(172_800), ends_at: now.plus_seconds(259_200) };
    app.operate(|service, conn, at| {
        access::give(service, conn, at, &[user("alice")], &scope("stacks"), span)
    })
    .unwrap();
    app.pass(172_799);
    assert_eq!(otp(&client, &phone, &[]).text("scope"), "");
    app.pass(31);
    assert_eq!(otp(&client, &phone, &[]).text("scope"), "stacks");
    app.pass(86_400);
    assert_eq!(otp(&client, &phone, &[]).text("scope"), "");
    app.pass(86_400);
    app.sweep();
    assert_eq!(crate::actors::count_rows(&app.place, "access_grant"), 0);
}

fn a_taken_grant_is_over_at_the_next_introspection_and_refresh(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("stacks read offline_access")));
    set(&app, &ScopeRule { by_grant: true, ..rule("stacks") });
    give(&app, &[user("alice")], &scope("stacks"), None);
    let reply = otp(&client, &phone, &[]);
    assert_eq!(scope_of(&client, &reply.access_token()), "offline_access read stacks");
    assert_eq!(take(&app, &[user("alice")], &scope("stacks")), 1);
    assert_eq!(scope_of(&client, &reply.access_token()), "offline_access read");
    let refreshed = client.refresh(reply.text("refresh_token"));
    assert_eq!(refreshed.text("scope"), "offline_access read");
    // Given again, it is there again at the next refresh: the login asked for it.
    give(&app, &[user("alice")], &scope("stacks"), None);
    assert_eq!(client.refresh(refreshed.text("refresh_token")).text("scope"), "offline_access read stacks");
}

/// What `offline_access` gives is the refresh token: a rule on it rules that.
fn no_login_goes_on_by_a_scope_that_was_left_out_or_taken_away(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("read offline_access")));
    set(&app, &ScopeRule { by_grant: true, ..rule("offline_access") });
    let without = otp(&client, &phone, &[]);
    assert_eq!((without.text("scope"), without.body.get("refresh_token")), ("read", None));
    give(&app, &[user("alice")], &scope("offline_access"), None);
    app.next_step();
    let with = otp(&client, &phone, &[]);
    assert_eq!(with.text("scope"), "offline_access read");
    assert_eq!(take(&app, &[user("alice")], &scope("offline_access")), 1);
    client.refresh(with.text("refresh_token")).must_be(400, "invalid_grant");
    // Nothing was used up by that, nor by asking for less than the login may do.
    give(&app, &[user("alice")], &scope("offline_access"), None);
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", with.text("refresh_token")), ("scope", "read")];
    let third = client.token(&fields);
    assert_eq!(third.text("scope"), "read");
    set(&app, &ScopeRule { max_age_s: Some(600), ..rule("offline_access") });
    let fourth = client.refresh(third.text("refresh_token"));
    fourth.access_token();
    let narrow = |scopes| {
        let narrow = format!("UPDATE client SET scopes = '{scopes}'");
        app.place.connection().batch_execute(&narrow).unwrap();
    };
    narrow("read");
    client.refresh(fourth.text("refresh_token")).must_be(400, "invalid_grant");
    narrow("read offline_access");
    let fifth = client.refresh(fourth.text("refresh_token"));
    app.pass(600);
    client.refresh(fifth.text("refresh_token")).must_be(400, "invalid_grant");
}

fn a_scope_that_was_taken_away_opens_no_door_here(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("sessions factors")));
    set(&app, &ScopeRule { by_grant: true, ..rule("sessions") });
    give(&app, &[user("alice")], &scope("sessions"), None);
    let token = otp(&client, &phone, &[]).access_token();
    let doors = || ["/account/sessions", "/mfa/authenticators"].map(|path| app.get_as(path, &token).status);
    assert_eq!(doors(), [200, 200]);
    assert_eq!(take(&app, &[user("alice")], &scope("sessions")), 1);
    assert_eq!(doors(), [403, 200]);
    app.place.connection().batch_execute("UPDATE client SET scopes = 'sessions'").unwrap();
    assert_eq!(doors(), [403, 403]);
}

fn a_grant_to_a_group_reaches_its_members_only(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("stacks")));
    set(&app, &ScopeRule { by_grant: true, ..rule("stacks") });
    app.operate(|service, conn, at| access::add_group(service, conn, at, "readers")).unwrap();
    let readers = Named::Group("readers".to_owned());
    give(&app, &[readers], &scope("stacks"), None);
    assert_eq!(otp(&client, &phone, &[]).text("scope"), "");
    let alice = [UserName::parse("alice").unwrap()];
    let join = || app.operate(|service, conn, at| access::add_members(service, conn, at, "readers", &alice));
    assert_eq!((join().unwrap(), join().unwrap()), (1, 0));
    app.next_step();
    let token = otp(&client, &phone, &[]).access_token();
    assert_eq!(scope_of(&client, &token), "stacks");
    app.operate(|service, conn, at| access::remove_members(service, conn, at, "readers", &alice)).unwrap();
    assert_eq!(scope_of(&client, &token), "");
    join().unwrap();
    assert_eq!(scope_of(&client, &token), "stacks");
    app.operate(|service, conn, at| access::remove_group(service, conn, at, "readers")).unwrap();
    assert_eq!(scope_of(&client, &token), "");
}

fn a_token_does_not_outlive_the_grant(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("stacks read")));
    set(&app, &ScopeRule { by_grant: true, ..rule("stacks") });
    give(&app, &[user("alice")], &scope("stacks"), Some(120));
    assert_eq!(otp(&client, &phone, &[]).body["expires_in"], 120, "whoever checks alone hears of no end");
    // The longer of two grants counts.
    give(&app, &[user("alice")], &scope("stacks"), Some(300));
    app.next_step();
    assert_eq!(otp(&client, &phone, &[]).body["expires_in"], 270);
}

fn bulk_changes_are_all_or_nothing(on: Backend) {
    let app = App::start(on);
    for name in ["alice", "bob"] {
        app.user(name);
    }
    let span = Span { starts_at: app.clock.now(), ends_at: Timestamp::NEVER };
    let some = [user("alice"), user("nobody"), user("bob")];
    let what = scope("stacks");
    app.operate(|service, conn, at| access::give(service, conn, at, &some, &what, span)).unwrap_err();
    let all = app.operate(|_, conn, at| access::grants(conn, at, None)).unwrap();
    assert!(all.is_empty(), "{all:?}");
    let both = [user("alice"), user("bob")];
    give(&app, &both, &what, None);
    give(&app, &both, &what, Some(60));
    assert_eq!(take(&app, &both, &scope("other")), 0);
    assert_eq!(take(&app, &both, &what), 4);
    let backwards = Span { starts_at: app.clock.now(), ends_at: app.clock.now() };
    app.operate(|service, conn, at| access::give(service, conn, at, &both, &what, backwards)).unwrap_err();
}

fn details_need_the_clients_type_and_the_users_grant(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("")));
    let asked = format!("[{COMMENT}]");
    let asked = [("authorization_details", asked.as_str())];
    assert!(otp(&client, &phone, &asked).body.get("authorization_details").is_none(), "no grant");
    give(&app, &[user("alice")], &detail(r#"{"type":"document","actions":["read"]}"#), None);
    app.next_step();
    assert!(otp(&client, &phone, &asked).body.get("authorization_details").is_none(), "another action");
    give(&app, &[user("alice")], &detail(r#"{"type":"document","actions":["read","comment"]}"#), None);
    app.next_step();
    let granted = otp(&client, &phone, &asked).body["authorization_details"].clone();
    assert_eq!(
        granted,
        serde_json::from_str::<Value>(asked[0].1).unwrap(),
        "no more than what was asked for"
    );
    let other = app.client_with(ClientSpec { name: "other", ..ClientSpec::with_scopes("") });
    app.next_step();
    otp(&other, &phone, &asked).must_be(400, "invalid_authorization_details");
}

fn details_are_in_the_token_the_reply_and_introspection(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("")));
    give(&app, &[user("alice")], &detail(COMMENT), Some(600));
    // In a JSON body it is a list, not a list in a string.
    let body = json!({
        "grant_type": Grant::Otp.as_str(), "username": "alice", "otp": phone.code(),
        "client_id": client.id, "client_secret": client.secret,
        "authorization_details": [serde_json::from_str::<Value>(COMMENT).unwrap()],
    });
    let headers = [("content-type", "application/json")];
    let reply = app.post("/oauth/token", &headers, body.to_string().as_bytes());
    let token = reply.access_token();
    assert_eq!(reply.body["expires_in"], 600, "no longer than the grant");
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(&token).unwrap().claims;
    let introspected = client.introspect(&token).body;
    for told in [&reply.body, &claims, &introspected] {
        assert_eq!(told["authorization_details"], body["authorization_details"], "{told}");
    }
    assert_eq!(take(&app, &[user("alice")], &detail(COMMENT)), 1);
    assert!(client.introspect(&token).body.get("authorization_details").is_none());
}

/// The application's registration is narrowed between the password and the code, or between two refreshes.
fn what_an_application_has_no_more_it_is_not_given_later_either(on: Backend) {
    let app = App::start(on);
    let wide =
        ClientSpec { audiences: &["https://payments.example"], ..spec("payments orders offline_access") };
    let client = app.client_with(wide);
    app.user_with_password("alice");
    give(&app, &[user("alice")], &detail(COMMENT), None);
    let phone = app.phone("alice");
    let asked = format!("[{COMMENT}]");
    let begin = |audience: &str| {
        let mut fields = vec![
            ("grant_type", "password"),
            ("username", "alice"),
            ("password", PASSWORD),
            ("authorization_details", &asked),
        ];
        fields.extend((!audience.is_empty()).then_some(("audience", audience)));
        client.token(&fields).text("mfa_token").to_owned()
    };
    let (first, second, third) = (begin(""), begin(""), begin("https://payments.example"));
    let before = client.mfa_otp(&first, &phone.code());
    assert!(before.text("scope").contains("payments") && before.body.get("authorization_details").is_some());
    let narrow = "UPDATE client SET scopes = 'offline_access orders', detail_types = '', audiences = ''";
    app.place.connection().batch_execute(narrow).unwrap();
    app.next_step();
    client.mfa_otp(&third, &phone.code()).must_be(400, "invalid_target");
    assert_eq!(app.failures("alice"), 0);
    let after = client.mfa_otp(&second, &phone.code());
    for reply in [client.refresh(before.text("refresh_token")), after] {
        assert_eq!(reply.text("scope"), "offline_access orders");
        assert!(reply.body.get("authorization_details").is_none(), "{reply:?}");
    }
}

fn details_never_widen_at_refresh(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("offline_access")));
    give(&app, &[user("alice")], &detail(r#"{"type":"document"}"#), None);
    let asked = r#"[{"type":"document","actions":["read","comment"],"identifier":"42"}]"#;
    let first = otp(&client, &phone, &[("authorization_details", asked)]);
    let refresh = |token: &str, details: &str| {
        client.token(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", token),
            ("authorization_details", details),
        ])
    };
    for wider in [
        r#"[{"type":"document"}]"#,
        r#"[{"type":"document","actions":["read","delete"],"identifier":"42"}]"#,
        r#"[{"type":"document","actions":["read"],"identifier":"43"}]"#,
        r#"[{"type":"folder"}]"#,
    ] {
        refresh(first.text("refresh_token"), wider).must_be(400, "invalid_authorization_details");
    }
    let narrow = format!("[{COMMENT}]");
    let second = refresh(first.text("refresh_token"), &narrow);
    assert_eq!(second.body["authorization_details"], serde_json::from_str::<Value>(&narrow).unwrap());
    let third = client.refresh(second.text("refresh_token"));
    assert_eq!(third.body["authorization_details"], serde_json::from_str::<Value>(asked).unwrap());
}

fn malformed_details_are_refused_and_cost_no_code(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("read")));
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for bad in ["x", "{}", "[]", "[{}]", r#"[{"type":"document","price":1}]"#, &deep] {
        let reply = otp(&client, &phone, &[("authorization_details", bad)]);
        reply.must_be(400, "invalid_authorization_details");
    }
    for grant in [Grant::ClientCredentials, Grant::MfaOtp] {
        let details = format!("[{COMMENT}]");
        let fields = [("grant_type", grant.as_str()), ("authorization_details", details.as_str())];
        client.token(&fields).must_be(400, "invalid_authorization_details");
    }
    otp(&client, &phone, &[]).access_token();
}

fn details_travel_with_the_mfa_token(on: Backend) {
    let app = App::start(on);
    let (phone, client) = (alice(&app), app.client_with(spec("")));
    give(&app, &[user("alice")], &detail(COMMENT), None);
    let details = format!("[{COMMENT}]");
    let reply = client.token(&[
        ("grant_type", "password"),
        ("username", "alice"),
        ("password", PASSWORD),
        ("authorization_details", &details),
    ]);
    let reply = client.mfa_otp(reply.text("mfa_token"), &phone.code());
    assert_eq!(reply.body["authorization_details"], serde_json::from_str::<Value>(&details).unwrap());
}

fn a_clients_own_token_has_no_grants(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(spec("stacks read"));
    set(&app, &ScopeRule { by_grant: true, ..rule("stacks") });
    assert_eq!(client.token(&[("grant_type", "client_credentials")]).text("scope"), "read");
}

fn every_change_is_logged(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    set(&app, &rule("stacks"));
    app.operate(|service, conn, at| access::add_group(service, conn, at, "readers")).unwrap();
    let alice = [UserName::parse("alice").unwrap()];
    app.operate(|service, conn, at| access::add_members(service, conn, at, "readers", &alice)).unwrap();
    give(&app, &[user("alice")], &scope("stacks"), None);
    take(&app, &[user("alice")], &scope("stacks"));
    app.operate(|service, conn, at| access::remove_members(service, conn, at, "readers", &alice)).unwrap();
    app.operate(|service, conn, at| access::remove_group(service, conn, at, "readers")).unwrap();
    app.operate(|service, conn, at| access::remove_scope(service, conn, at, "stacks")).unwrap();
    let log = app.operate(|_, conn, _| countersign::app::audit::last(conn, 8)).unwrap();
    let told: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        told,
        [
            "scope.changed",
            "group.added",
            "member.added",
            "access.given",
            "access.taken",
            "member.removed",
            "group.removed",
            "scope.removed",
        ]
    );
}

fn grants_are_listed_however_many_there_are(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (now, later) = (app.clock.now(), app.clock.now().plus_seconds(3600));
    let alice = Named::User(UserName::parse("alice").unwrap());
    let mut conn = app.place.connection();
    conn.write(|conn| {
        let user = db::user::find_by_name(conn, &UserName::parse("alice").unwrap())?.unwrap().id;
        for number in 0..2050_u32 {
            let mut bytes = [1; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            let (grant, access) =
                (GrantId::from_bytes(&bytes).unwrap(), Access::Scope(format!("scope{number}")));
            db::grant::insert(conn, grant, Holder::User(user), &access, (now, later), now)?;
        }
        Ok(())
    })
    .unwrap();
    drop(conn);
    for of in [None, Some(&alice)] {
        let listed = app.operate(|_, conn, at| access::grants(conn, at, of)).unwrap();
        assert_eq!(listed.len(), 2050);
        assert!(listed.is_sorted_by(|one, next| one.id > next.id), "the youngest first, each once");
    }
}
