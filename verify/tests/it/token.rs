//! Which tokens are good. Each refusal stands beside a token that differs only in what it is refused for.

use aws_lc_rs::hmac;
use countersign_verify::{Error, TOKEN_CHARS};
use serde_json::{Value, json};

use crate::issuer::{AUDIENCE, JWKS, Key, World, base64url, changed, without};

#[test]
fn a_good_token_says_what_it_says() {
    let world = World::new();
    let now = world.clock.unix_s();
    let claims = world.verify(&world.token_with(&json!({"acr": "urn:x", "department": "blue"}))).unwrap();
    assert_eq!(claims.issuer(), "https://login.example");
    assert_eq!(claims.subject(), "01a0bbbb-0000-7000-8000-000000000002");
    assert_eq!(claims.audiences(), [AUDIENCE]);
    assert_eq!(claims.client_id(), "01a0aaaa-0000-7000-8000-000000000001");
    assert_eq!(claims.token_id(), "01a0cccc-0000-7000-8000-000000000003");
    assert_eq!(claims.session_id(), Some("01a0dddd-0000-7000-8000-000000000004"));
    assert_eq!((claims.issued_at(), claims.expires_at(), claims.auth_time()), (now, now + 900, Some(now)));
    assert_eq!(claims.scopes().collect::<Vec<_>>(), ["notes:read", "notes:write"]);
    assert!(claims.has_scope("notes:read") && !claims.has_scope("notes") && !claims.has_scope(""));
    assert_eq!(claims.amr(), ["pwd", "otp", "mfa"]);
    assert_eq!(claims.acr(), Some("urn:x"));
    assert_eq!(claims.claim("department"), Some(&json!("blue")));
}

#[test]
fn a_clients_own_token_has_no_session_and_no_authentication() {
    let world = World::new();
    let mut claims = world.claims();
    for name in ["auth_time", "amr", "sid", "scope"] {
        claims = without(claims, name);
    }
    let claims = world.verify(&world.key.sign(world.key.header("at+jwt"), claims)).unwrap();
    assert_eq!((claims.session_id(), claims.auth_time(), claims.acr()), (None, None, None));
    assert_eq!((claims.scopes().count(), claims.amr().len()), (0, 0));
}

#[test]
fn a_token_signed_with_es256_is_good() {
    let world = World::with(Key::p256("ec"), |builder| builder);
    assert!(world.verify(&world.token()).is_ok());
}

#[test]
fn alg_none_is_refused() {
    let world = World::new();
    let token = world.token();
    let (_, payload) = token.split_once('.').unwrap();
    let (payload, signature) = payload.split_once('.').unwrap();
    for alg in ["none", "None", "NONE", ""] {
        let header = base64url(changed(world.key.header("at+jwt"), &json!({ "alg": alg })).to_string());
        assert_eq!(world.refusal(&format!("{header}.{payload}.")), Error::WrongAlgorithm);
        assert_eq!(world.refusal(&format!("{header}.{payload}.{signature}")), Error::WrongAlgorithm);
    }
}

#[test]
fn a_public_key_used_as_an_hmac_secret_is_refused() {
    for world in [World::new(), World::with(Key::p256("ec"), |builder| builder)] {
        for secret in [world.key.public(), world.key.jwk().to_string().into_bytes()] {
            let header = changed(world.key.header("at+jwt"), &json!({"alg": "HS256"}));
            let message =
                format!("{}.{}", base64url(header.to_string()), base64url(world.claims().to_string()));
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), message.as_bytes());
            assert_eq!(world.refusal(&format!("{message}.{}", base64url(tag))), Error::WrongAlgorithm);
        }
    }
}

#[test]
fn an_algorithm_that_is_not_the_keys_own_is_refused() {
    let (ed, ec) = (Key::ed25519("ed"), Key::p256("ec"));
    let world = World::with(Key::ed25519("first"), |builder| builder);
    world.issuer.change(|shelf| shelf.jwks = vec![world.key.jwk(), ed.jwk(), ec.jwk()]);
    assert!(world.verify(&world.token_by(&ed)).is_ok());
    assert!(world.verify(&world.token_by(&ec)).is_ok());
    for (signer, alg, kid) in [(&ed, "ES256", "ed"), (&ec, "EdDSA", "ec")] {
        let header = json!({"typ": "at+jwt", "alg": alg, "kid": kid});
        assert_eq!(world.refusal(&signer.sign(header, world.claims())), Error::WrongAlgorithm);
    }
    // The algorithm is the signer's own, the name is the other key's.
    for (signer, kid) in [(&ed, "ec"), (&ec, "ed")] {
        let header = changed(signer.header("at+jwt"), &json!({ "kid": kid }));
        assert_eq!(world.refusal(&signer.sign(header, world.claims())), Error::WrongAlgorithm);
    }
    for alg in ["RS256", "ES384", "eddsa", "es256", "Ed25519"] {
        let header = changed(ed.header("at+jwt"), &json!({ "alg": alg }));
        assert_eq!(world.refusal(&ed.sign(header, world.claims())), Error::WrongAlgorithm, "{alg}");
    }
    let header = without(ed.header("at+jwt"), "alg");
    assert_eq!(world.refusal(&ed.sign(header, world.claims())), Error::WrongAlgorithm);
}

#[test]
fn a_token_of_a_foreign_key_is_refused() {
    let world = World::new();
    // Its own name, the issuer's name, and no name.
    assert_eq!(world.refusal(&world.token_by(&Key::ed25519("foreign"))), Error::UnknownKey);
    assert_eq!(world.refusal(&world.token_by(&Key::ed25519("first"))), Error::BadSignature);
    let header = without(world.key.header("at+jwt"), "kid");
    assert_eq!(world.refusal(&world.key.sign(header, world.claims())), Error::UnknownKey);
}

#[test]
fn a_kid_that_is_a_path_or_a_url_is_no_name_and_fetches_nothing() {
    let world = World::new();
    for kid in [
        json!("../../../dev/null"),
        json!("/etc/passwd"),
        json!("https://evil.example/jwks.json"),
        json!("first' OR '1'='1"),
        json!(""),
        json!("k".repeat(200)),
        json!(1),
        json!(["first"]),
        json!(null),
    ] {
        let header = changed(world.key.header("at+jwt"), &json!({ "kid": kid }));
        assert_eq!(world.refusal(&world.key.sign(header, world.claims())), Error::UnknownKey, "{kid}");
    }
    assert!(world.issuer.asked("").is_empty());
}

#[test]
fn a_token_that_brings_its_own_key_is_refused() {
    let world = World::new();
    let own = Key::ed25519("own");
    for (name, value) in [
        ("jku", json!("https://evil.example/jwks.json")),
        ("jwk", own.jwk()),
        ("x5u", json!("https://evil.example/chain.pem")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("crit", json!(null)),
    ] {
        for key in [&own, &world.key] {
            let header = changed(key.header("at+jwt"), &json!({ name: value }));
            assert_eq!(world.refusal(&key.sign(header, world.claims())), Error::ForbiddenHeader(name));
        }
    }
    assert!(world.issuer.asked("").is_empty());
    // A member that means nothing is ignored (RFC 7515 s4).
    let header = changed(world.key.header("at+jwt"), &json!({"note": "hello"}));
    assert!(world.verify(&world.key.sign(header, world.claims())).is_ok());
}

#[test]
fn only_an_access_token_is_an_access_token() {
    let world = World::new();
    for good in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
        assert!(world.verify(&world.key.sign(world.key.header(good), world.claims())).is_ok(), "{good}");
    }
    for bad in ["JWT", "jwt", "logout+jwt", "revocations+jwt", "at+jwt;x", ""] {
        let token = world.key.sign(world.key.header(bad), world.claims());
        assert_eq!(world.refusal(&token), Error::WrongType, "{bad}");
    }
    let header = without(world.key.header("at+jwt"), "typ");
    assert_eq!(world.refusal(&world.key.sign(header, world.claims())), Error::WrongType);
}

#[test]
fn a_token_of_another_issuer_is_refused() {
    let world = World::new();
    for issuer in [
        "https://login.example/",
        "https://LOGIN.example",
        "http://login.example",
        "https://login.exampl",
        "x",
    ] {
        assert_eq!(
            world.refusal(&world.token_with(&json!({ "iss": issuer }))),
            Error::WrongIssuer,
            "{issuer}"
        );
    }
    let list = world.token_with(&json!({"iss": ["https://login.example"]}));
    assert_eq!(world.refusal(&list), Error::InvalidClaim("iss"));
}

#[test]
fn a_token_for_another_audience_is_refused() {
    let world = World::with(Key::ed25519("first"), |builder| builder.audience("urn:notes"));
    for good in [json!(AUDIENCE), json!("urn:notes"), json!([AUDIENCE]), json!(["x", "urn:notes"])] {
        assert!(world.verify(&world.token_with(&json!({ "aud": good }))).is_ok(), "{good}");
    }
    for bad in
        [json!("https://login.example"), json!("https://notes.example/"), json!(["x"]), json!([]), json!("")]
    {
        assert_eq!(world.refusal(&world.token_with(&json!({ "aud": bad }))), Error::WrongAudience, "{bad}");
    }
    for bad in [json!(null), json!(1), json!([1, AUDIENCE]), json!({})] {
        assert_eq!(
            world.refusal(&world.token_with(&json!({ "aud": bad }))),
            Error::InvalidClaim("aud"),
            "{bad}"
        );
    }
}

#[test]
fn a_token_ends_at_exp_and_the_leeway() {
    let world = World::new();
    let token = world.token();
    world.clock.advance(900 + 29);
    assert!(world.verify(&token).is_ok());
    world.clock.advance(1);
    assert_eq!(world.refusal(&token), Error::Expired);
}

#[test]
fn a_token_from_the_future_is_refused_beyond_the_leeway() {
    let world = World::new();
    let now = world.clock.unix_s();
    for name in ["iat", "nbf", "auth_time"] {
        assert!(world.verify(&world.token_with(&json!({ name: now + 30 }))).is_ok(), "{name}");
    }
    assert_eq!(world.refusal(&world.token_with(&json!({"iat": now + 31}))), Error::NotYetValid);
    assert_eq!(world.refusal(&world.token_with(&json!({"nbf": now + 31}))), Error::NotYetValid);
    let later = world.token_with(&json!({"auth_time": now + 31}));
    assert_eq!(world.refusal(&later), Error::InvalidClaim("auth_time"));
}

#[test]
fn every_claim_of_rfc_9068_is_required() {
    let world = World::new();
    for name in ["iss", "sub", "aud", "client_id", "iat", "exp", "jti"] {
        let token = world.key.sign(world.key.header("at+jwt"), without(world.claims(), name));
        assert_eq!(world.refusal(&token), Error::MissingClaim(name));
    }
}

#[test]
fn a_claim_of_the_wrong_type_is_refused() {
    let world = World::new();
    for (name, values) in [
        ("sub", vec![json!(""), json!(null), json!(1)]),
        ("client_id", vec![json!(""), json!({})]),
        ("jti", vec![json!(""), json!([])]),
        ("exp", vec![json!(null), json!("9999999999"), json!(-1), json!(1e300), json!(9_999_999_999.5)]),
        ("iat", vec![json!(null), json!("1"), json!(1.5)]),
        ("nbf", vec![json!(null), json!("1")]),
        ("auth_time", vec![json!(null), json!("1")]),
        ("scope", vec![json!(null), json!(["notes:read"])]),
        ("amr", vec![json!(null), json!("otp"), json!([1])]),
        ("acr", vec![json!(null), json!(1)]),
        ("sid", vec![json!(null), json!("")]),
        ("authorization_details", vec![json!(null), json!({})]),
    ] {
        for value in values {
            let token = world.token_with(&json!({ name: value }));
            assert_eq!(world.refusal(&token), Error::InvalidClaim(name), "{name}: {value}");
        }
    }
}

#[test]
fn a_claim_or_header_member_that_stands_twice_is_refused() {
    let world = World::new();
    let twice = |object: &Value, member: &str| format!("{{{member},{}", &object.to_string()[1..]);
    let header = world.key.header("at+jwt");
    for member in
        [r#""aud":"x""#, r#""s\u0075b":"somebody""#, r#""exp":9999999999"#, r#""extra":1,"extra":1"#]
    {
        let token = world.key.sign(&header, twice(&world.claims(), member));
        assert_eq!(world.refusal(&token), Error::Malformed, "{member}");
    }
    for member in [r#""alg":"none""#, r#""kid":"other""#, r#""typ":"at+jwt""#] {
        let token = world.key.sign(twice(&header, member), world.claims());
        assert_eq!(world.refusal(&token), Error::Malformed, "{member}");
    }
    // Also deep inside.
    let nested = r#""authorization_details":[{"type":"a","actions":["read"],"actions":["write"]}]"#;
    assert_eq!(world.refusal(&world.key.sign(&header, twice(&world.claims(), nested))), Error::Malformed);
}

#[test]
fn a_changed_token_is_refused() {
    let world = World::new();
    let token = world.token();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = message.split_once('.').unwrap();
    let other = base64url(changed(world.claims(), &json!({"sub": "somebody else"})).to_string());
    assert_eq!(world.refusal(&format!("{header}.{other}.{signature}")), Error::BadSignature);
    let zeros = base64url([0; 64]);
    assert_eq!(world.refusal(&format!("{message}.{zeros}")), Error::BadSignature);
    let world = World::with(Key::p256("ec"), |builder| builder);
    let token = world.token();
    let (message, _) = token.rsplit_once('.').unwrap();
    assert_eq!(world.refusal(&format!("{message}.{zeros}")), Error::BadSignature);
}

#[test]
fn a_truncated_or_longer_signature_is_refused() {
    for world in [World::new(), World::with(Key::p256("ec"), |builder| builder)] {
        let token = world.token();
        for cut in 1..=86 {
            assert!(world.verify(&token[..token.len() - cut]).is_err(), "{cut}");
        }
        for tail in ["A", "AA", "AAAA"] {
            assert!(world.verify(&format!("{token}{tail}")).is_err(), "{tail}");
        }
    }
}

#[test]
fn a_signature_has_one_spelling() {
    let world = World::new();
    let token = world.token();
    // 64 bytes are 85 whole characters and one with four bits to spare: 15 other characters spell the same bytes.
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (head, last) = token.split_at(token.len() - 1);
    let place = alphabet.iter().position(|c| *c == last.as_bytes()[0]).unwrap();
    for step in 1..16 {
        let other = char::from(alphabet[place / 16 * 16 + step]);
        assert_eq!(world.refusal(&format!("{head}{other}")), Error::Malformed, "{other}");
    }
    for respelled in [
        format!("{token}="),
        format!("{token}=="),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token}."),
        token.replacen('.', "..", 1),
    ] {
        assert_eq!(world.refusal(&respelled), Error::Malformed, "{respelled:?}");
    }
    assert!(world.verify(&token).is_ok());
}

#[test]
fn what_is_no_jwt_is_refused() {
    let world = World::new();
    let parts = |header: &str, payload: &str| {
        format!("{}.{}.{}", base64url(header), base64url(payload), base64url([1; 64]))
    };
    let header = world.key.header("at+jwt").to_string();
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "....".to_owned(),
        "cst_0123456789012345678901234567890123456789012".to_owned(),
        "a.b.c.d.e".to_owned(),
        "\u{1f511}.\u{1f511}.\u{1f511}".to_owned(),
        parts(&header, "[]"),
        parts(&header, "null"),
        parts(&header, ""),
        parts("[]", "{}"),
        parts(&header, "{}{}"),
        parts(&header, &format!("{{\"a\":{}", "[".repeat(4000))),
    ] {
        assert_eq!(world.refusal(&text), Error::Malformed, "{text}");
    }
    assert!(world.issuer.asked("").is_empty());
}

#[test]
fn a_token_that_is_too_long_is_refused_unread() {
    let world = World::new();
    assert_eq!(world.refusal(&"a".repeat(TOKEN_CHARS + 1)), Error::TooLong);
    assert_eq!(world.refusal(&world.token_with(&json!({"padding": "x".repeat(8000)}))), Error::TooLong);
    assert!(world.verify(&world.token_with(&json!({"padding": "x".repeat(5000)}))).is_ok());
}

#[test]
fn a_token_that_is_refused_anyway_costs_no_fetch() {
    let world = World::new();
    let foreign = Key::ed25519("foreign");
    for claims in [json!({"iss": "x"}), json!({"aud": "x"}), json!({"exp": 1})] {
        world.refusal(&foreign.sign(foreign.header("at+jwt"), changed(world.claims(), &claims)));
    }
    assert!(world.issuer.asked(JWKS).is_empty());
}

#[test]
fn no_error_shows_the_token() {
    let world = World::new();
    let marked = "marked-secret-word";
    let foreign = Key::ed25519(marked);
    for token in [
        marked.to_owned(),
        world.token_by(&foreign),
        world.token_with(&json!({ "iss": marked })),
        world.token_with(&json!({ "aud": marked })),
        world.token_with(&json!({ "sub": [marked] })),
        world.key.sign(world.key.header(marked), world.claims()),
        world.key.sign(changed(world.key.header("at+jwt"), &json!({ "alg": marked })), world.claims()),
    ] {
        let error = world.refusal(&token);
        let shown = format!("{error} {error:?} {} {:?}", error.code(), error.www_authenticate());
        assert!(!shown.contains(marked), "{shown}");
    }
}
