//! Access tokens: what stands in them, who may look at them, how they end.

use countersign::db;
use countersign::domain::client::TokenFormat;
use diesel::connection::SimpleConnection;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use serde_json::{Value, json};

use crate::actors::{App, ClientSpec, ISSUER, at_once, plan};
use crate::{Backend, tests};

tests![
    any_jwt_library_verifies_a_token_by_the_published_keys,
    a_token_ends_after_its_lifetime,
    a_revoked_token_is_inactive_and_the_others_live,
    opaque_tokens_are_known_by_introspection_only,
    a_one_use_token_is_active_once_among_64,
    another_clients_token_is_none_of_ones_business,
    an_audiences_server_may_introspect_its_tokens,
    forged_tokens_are_inactive,
    what_is_over_is_swept_and_stays_over,
    two_servers_sweep_at_once_however_much_there_is,
    what_is_over_is_found_by_an_index on Sqlite,
    strangers_are_forgotten_among_however_many_users,
    whoever_is_no_application_hears_nothing_of_what_a_token_is_like,
];

fn any_jwt_library_verifies_a_token_by_the_published_keys(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let reply = client.otp("alice", &phone.code());
    let token = reply.access_token();
    assert_eq!(reply.body["expires_in"], 900);

    let header = decode_header(&token).unwrap();
    assert_eq!((header.alg, header.typ.as_deref()), (Algorithm::EdDSA, Some("at+jwt")));
    let keys: JwkSet = serde_json::from_value(app.get("/.well-known/jwks.json").body).unwrap();
    let jwk = keys.find(&header.kid.unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[ISSUER]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    // The test's clock stands in the past.
    validation.validate_exp = false;
    let claims = decode::<Value>(&token, &DecodingKey::from_jwk(jwk).unwrap(), &validation).unwrap().claims;

    let now = app.clock.now().unix_seconds();
    assert_eq!((claims["iat"].as_u64(), claims["exp"].as_u64()), (Some(now), Some(now + 900)));
    assert_eq!(claims["auth_time"].as_u64(), Some(now));
    assert_eq!(claims["client_id"], client.id);
    assert_eq!(claims["amr"], json!(["otp"]));
    let introspected = client.introspect(&token).body;
    for claim in
        ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "scope", "auth_time", "acr", "amr", "sid"]
    {
        assert!(claims.get(claim).is_some(), "{claim}");
        assert_eq!(claims[claim], introspected[claim], "{claim}");
    }
    assert_eq!(introspected["active"], true);
    assert_eq!(introspected["token_type"], "Bearer");
}

fn a_token_ends_after_its_lifetime(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let token = client.otp("alice", &phone.code()).access_token();
    app.pass(899);
    assert!(client.is_active(&token));
    app.pass(1);
    assert!(!client.is_active(&token));
    assert_eq!(client.introspect(&token).body, json!({ "active": false }));
}

fn a_revoked_token_is_inactive_and_the_others_live(on: Backend) {
    let app = App::start(on);
    let other_server = app.another();
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let first = client.otp("alice", &phone.code_at(-1)).access_token();
    let second = client.otp("alice", &phone.code()).access_token();
    assert_eq!(client.revoke(&first).status, 200);
    assert_eq!(client.revoke(&first).status, 200, "again is fine");
    assert_eq!(client.revoke("unknown").status, 200, "unknown is as good as revoked");
    for server in [&app, &other_server] {
        assert!(!client.at(server).is_active(&first));
        assert!(client.at(server).is_active(&second));
    }
}

fn opaque_tokens_are_known_by_introspection_only(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let phone = app.phone("alice");
    let client = app.client_with(ClientSpec { format: TokenFormat::Opaque, ..ClientSpec::default() });
    let token = client.otp("alice", &phone.code()).access_token();
    assert!(!token.contains('.'), "{token}");
    let introspected = client.introspect(&token);
    assert_eq!(introspected.text("username"), "alice");
    assert!(!client.is_active(&token.to_uppercase()));
    assert_eq!(client.revoke(&token).status, 200);
    assert!(!client.is_active(&token));
}

fn a_one_use_token_is_active_once_among_64(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    app.user("alice");
    let phone = app.phone("alice");
    let client = app.client_with(ClientSpec { one_use: true, ..ClientSpec::default() });
    let elsewhere = client.at(&other);
    let token = client.otp("alice", &phone.code()).access_token();
    let seen =
        at_once(
            64,
            |index| if index % 2 == 0 { client.is_active(&token) } else { elsewhere.is_active(&token) },
        );
    assert_eq!(seen.iter().filter(|active| **active).count(), 1);
    assert!(!client.is_active(&token));
}

fn another_clients_token_is_none_of_ones_business(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let other = app.client_with(ClientSpec { name: "other", ..ClientSpec::default() });
    let token = client.otp("alice", &phone.code()).access_token();
    assert_eq!(other.introspect(&token).body, json!({ "active": false }));
    other.revoke(&token).must_be(400, "unauthorized_client");
    assert!(client.is_active(&token));
}

fn an_audiences_server_may_introspect_its_tokens(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let phone = app.phone("alice");
    let client = app.client_with(ClientSpec { audiences: &["https://api.example"], ..ClientSpec::default() });
    let api = app.client_with(ClientSpec {
        name: "api",
        audiences: &["https://api.example"],
        ..ClientSpec::default()
    });
    let code = phone.code();
    let token = client
        .token(&[
            ("grant_type", countersign::domain::client::Grant::Otp.as_str()),
            ("username", "alice"),
            ("otp", &code),
            ("audience", "https://api.example"),
        ])
        .access_token();
    assert!(api.is_active(&token));
    // A token for somebody else does not open the user's own settings.
    app.get_as("/mfa/authenticators", &token).must_be_problem(401, "invalid_token");
}

fn forged_tokens_are_inactive(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let token = client.otp("alice", &phone.code()).access_token();
    let parts: Vec<&str> = token.split('.').collect();
    let [head, claims, signature] = parts[..] else { panic!("{token}") };
    let header = decode_header(&token).unwrap();
    let kid = header.kid.clone().unwrap();
    let keys = app.get("/.well-known/jwks.json").body;
    let x = keys["keys"][0]["x"].as_str().unwrap();
    let decoded: Value = jsonwebtoken::dangerous::insecure_decode(&token).unwrap().claims;
    let hs = |secret: &[u8]| {
        let mut header = Header::new(Algorithm::HS256);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(kid.clone());
        encode(&header, &decoded, &EncodingKey::from_secret(secret)).unwrap()
    };
    let b64 = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
    };
    let none = b64(&format!(r#"{{"alg":"none","typ":"at+jwt","kid":"{kid}"}}"#));
    let path_kid = b64(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"../../dev/null"}"#);
    let sql_kid = b64(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"' OR 1=1 --"}"#);
    let nul_kid = b64(r#"{"alg":"EdDSA","typ":"at+jwt","kid":"a\u0000b"}"#);
    let other_typ = b64(&format!(r#"{{"alg":"EdDSA","typ":"JWT","kid":"{kid}"}}"#));
    // The record is looked up by what a token says of itself: others' that are live, a JWT and an opaque one.
    app.user("bob");
    let bobs = client.otp("bob", &app.phone("bob").code()).access_token();
    let bobs_claims = bobs.split('.').nth(1).unwrap();
    let opaque =
        app.client_with(ClientSpec { name: "opaque", format: TokenFormat::Opaque, ..ClientSpec::default() });
    let own = opaque.token(&[("grant_type", "client_credentials")]).access_token();
    let mut of_opaque = decoded.clone();
    of_opaque["jti"] = json!(opaque.introspect(&own).body["jti"].as_str().unwrap());
    let of_opaque = b64(&of_opaque.to_string());
    let mut flipped = signature.to_owned();
    let last = flipped.pop().unwrap();
    let flipped = format!("{flipped}{}", if last == 'A' { 'B' } else { 'A' });
    let forged = [
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{head}.{claims}."),
        format!("{head}.{claims}"),
        format!("{head}.{claims}.{}", &signature[..40]),
        format!("{head}.{claims}.{flipped}"),
        format!("{head}.{claims}.{signature}="),
        format!("{head}.{claims}.{signature}.{signature}"),
        format!("{head}.{}.{signature}", b64(r#"{"sub":"admin"}"#)),
        format!("{head}.{bobs_claims}.{signature}"),
        format!("{none}.{bobs_claims}."),
        format!("{head}.{of_opaque}.{signature}"),
        format!("{path_kid}.{claims}.{signature}"),
        format!("{sql_kid}.{claims}.{signature}"),
        format!("{nul_kid}.{claims}.{signature}"),
        format!("{other_typ}.{claims}.{signature}"),
        hs(x.as_bytes()),
        hs(b""),
        "..".to_owned(),
        "a.b.c".to_owned(),
    ];
    for forged in forged {
        for asker in [&client, &opaque] {
            let reply = asker.introspect(&forged);
            assert_eq!((reply.status, &reply.body), (200, &json!({ "active": false })), "{forged}");
        }
        app.get_as("/mfa/authenticators", &forged).must_be_problem(401, "invalid_token");
    }
    assert!(client.is_active(&token) && client.is_active(&bobs) && opaque.is_active(&own));
}

fn what_is_over_is_swept_and_stays_over(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    client.otp("nobody", &phone.code()).must_be(400, "invalid_grant");
    let old = client.otp("alice", &phone.code()).access_token();
    let own = client.token(&[("grant_type", "client_credentials")]).access_token();
    assert!(client.is_active(&own));
    let code = phone.code();
    app.pass(3 * 86_400);
    let fresh = client.otp("alice", &phone.code()).access_token();
    app.sweep();
    assert!(!client.is_active(&old) && !client.is_active(&own));
    assert!(client.is_active(&fresh));
    client.otp("alice", &code).must_be(400, "invalid_grant");
    let rows = |table: &str| crate::actors::count_rows(&app.place, table);
    assert_eq!((rows("token"), rows("session")), (1, 1));
    assert_eq!(rows("lockout"), 1, "the stranger's row is gone, the user's stays");
}

fn two_servers_sweep_at_once_however_much_there_is(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    // Several times what is deleted in one transaction, and some that still matter.
    let rows = |name: &str, count: i64, expires_at: i64| {
        // Many of one number: they were revoked at once.
        let row = |number: i64| format!("({}, 'token', '{name}{number}', {expires_at})", number / 1000);
        let rows = (0..count).map(row).collect::<Vec<_>>().join(", ");
        format!("INSERT INTO revocation (seq, kind, id, expires_at) VALUES {rows};")
    };
    let now = app.clock.now().millis();
    let sql = rows("over", 1500, now - 2 * 86_400_000) + &rows("live", 300, now + 86_400_000);
    app.place.connection().batch_execute(&sql).unwrap();
    let kind = db::sweep::tables().position(|table| table == "revocation").unwrap();
    let day_ago = app.clock.now().plus_seconds(-86_400);
    let more = db::sweep::sweep(&mut app.place.connection(), kind, day_ago).unwrap();
    assert!(more);
    assert_eq!(crate::actors::count_rows(&app.place, "revocation"), 1600, "so many at a time");
    at_once(2, |index| if index == 0 { app.sweep() } else { other.sweep() });
    assert_eq!(crate::actors::count_rows(&app.place, "revocation"), 300);
}

fn what_is_over_is_found_by_an_index(on: Backend) {
    // PostgreSQL reads small tables as they are.
    let app = App::start(on);
    let mut conn = app.place.connection();
    for (kind, table) in db::sweep::tables().enumerate() {
        let plan = plan(&mut conn, db::sweep::statement(kind), &[]);
        let reads_all = plan.lines().any(|step| step == format!("SCAN {table}"));
        // Of requests for a reset there are a few at most.
        assert_eq!(reads_all, table == "reset_request", "{plan}");
    }
}

fn strangers_are_forgotten_among_however_many_users(on: Backend) {
    let app = App::start(on);
    let (numbers, id, hash) = match on {
        Backend::Sqlite => (
            "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) SELECT i FROM n)",
            "randomblob(16)",
            "randomblob(32)",
        ),
        Backend::Postgres => (
            "generate_series(1, 3000) AS n (i)",
            "uuid_send(gen_random_uuid())",
            "sha256(uuid_send(gen_random_uuid()))",
        ),
    };
    let now = app.clock.now().millis();
    let sql = format!(
        "INSERT INTO \"user\" (id, name, name_folded, role, state, created_at) \
         SELECT {id}, 'user' || i, 'user' || i, 'user', 'active', i FROM {numbers}; \
         INSERT INTO lockout (subject, failures, locked_until, attempted_at) SELECT id, 1, 1, 1 FROM \"user\"; \
         INSERT INTO lockout (subject, failures, locked_until, attempted_at) SELECT {hash}, 1, 1, 1 FROM {numbers}; \
         INSERT INTO lockout (subject, failures, locked_until, attempted_at) SELECT {hash}, 1, 1, {now} FROM {numbers}; \
         INSERT INTO lockout (subject, failures, locked_until, attempted_at) SELECT {hash}, 1, {now}, 1 FROM {numbers};"
    );
    app.place.connection().batch_execute(&sql).unwrap();
    let other = app.another();
    at_once(2, |index| if index == 0 { app.sweep() } else { other.sweep() });
    assert_eq!(crate::actors::count_rows(&app.place, "lockout"), 9000);
    assert_eq!(crate::actors::count_rows(&app.place, "user"), 3000);
}

fn whoever_is_no_application_hears_nothing_of_what_a_token_is_like(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let token = client.token(&[("grant_type", "client_credentials")]).access_token();
    app.place.connection().batch_execute("UPDATE token SET details = 'nonsense'").unwrap();
    client.with_secret("x").introspect(&token).must_be(401, "invalid_client");
    assert_eq!(client.introspect(&token).status, 500);
}
