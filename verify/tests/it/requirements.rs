//! What a request asks of a good token, and how it is answered if that is not enough.

use countersign_verify::{Check, Error, StepUp};
use serde_json::json;

use crate::issuer::{World, without};

fn challenge(world: &World, token: &str, check: &Check) -> (u16, String) {
    let error = world.verifier.verify(token, check).expect_err("not enough");
    (error.status(), error.www_authenticate().expect("a challenge"))
}

#[test]
fn a_scope_that_is_missing_is_answered_with_403_and_named() {
    let world = World::new();
    let token = world.token();
    assert!(world.verifier.verify(&token, &Check::new().scope("notes:read").scope("notes:write")).is_ok());
    assert!(world.verifier.verify(&token, &Check::new().scope("notes:read notes:write")).is_ok());
    assert_eq!(
        challenge(&world, &token, &Check::new().scope("notes:read").scope("notes:share")),
        (
            403,
            "Bearer error=\"insufficient_scope\", \
             error_description=\"the access token lacks a scope that is needed here\", \
             scope=\"notes:read notes:share\""
                .to_owned()
        )
    );
}

#[test]
fn an_authentication_that_is_too_old_is_answered_as_rfc_9470_says() {
    let world = World::new();
    let token = world.token();
    let check = Check::new().max_age(300);
    world.clock.advance(330);
    assert!(world.verifier.verify(&token, &check).is_ok(), "the leeway counts");
    world.clock.advance(1);
    assert_eq!(
        challenge(&world, &token, &check),
        (
            401,
            "Bearer error=\"insufficient_user_authentication\", \
             error_description=\"a more recent authentication is needed\", max_age=300"
                .to_owned()
        )
    );
}

#[test]
fn a_token_without_auth_time_is_never_recent() {
    let world = World::new();
    let token = world.key.sign(world.key.header("at+jwt"), without(world.claims(), "auth_time"));
    let error = world.verifier.verify(&token, &Check::new().max_age(u64::MAX)).unwrap_err();
    assert!(matches!(error, Error::InsufficientAuthentication { reason: StepUp::Age, .. }), "{error:?}");
}

#[test]
fn a_level_that_is_missing_is_asked_for_by_acr_values() {
    let world = World::new();
    let check = Check::new().max_age(300).acr("urn:countersign:acr:otp").acr("urn:countersign:acr:mfa");
    assert_eq!(
        challenge(&world, &world.token(), &check),
        (
            401,
            "Bearer error=\"insufficient_user_authentication\", \
             error_description=\"another authentication level is needed\", max_age=300, \
             acr_values=\"urn:countersign:acr:otp urn:countersign:acr:mfa\""
                .to_owned()
        )
    );
    let token = world.token_with(&json!({"acr": "urn:countersign:acr:mfa"}));
    assert!(world.verifier.verify(&token, &check).is_ok());
}

#[test]
fn every_wanted_method_must_be_there() {
    let world = World::new();
    let token = world.token_with(&json!({"amr": ["otp"]}));
    assert!(world.verifier.verify(&token, &Check::new().amr("otp")).is_ok());
    assert_eq!(
        challenge(&world, &token, &Check::new().amr("otp").amr("mfa")),
        (
            401,
            "Bearer error=\"insufficient_user_authentication\", \
             error_description=\"another authentication method is needed\""
                .to_owned()
        )
    );
}

#[test]
fn a_scope_comes_before_a_new_login() {
    let world = World::new();
    let check = Check::new().scope("admin").amr("face");
    assert_eq!(challenge(&world, &world.token(), &check).0, 403);
}

#[test]
fn a_token_that_was_verified_can_be_asked_for_more() {
    let world = World::new();
    let claims = world.verify(&world.token()).unwrap();
    assert_eq!(world.verifier.require(&claims, &Check::new().scope("notes:read").max_age(60)), Ok(()));
    world.clock.advance(91);
    assert!(world.verifier.require(&claims, &Check::new().max_age(60)).is_err());
}

#[test]
fn no_token_is_answered_with_a_bare_challenge_and_a_bad_one_with_invalid_token() {
    assert_eq!(Error::NoToken.www_authenticate().as_deref(), Some("Bearer"));
    assert_eq!(
        Error::Expired.www_authenticate().as_deref(),
        Some("Bearer error=\"invalid_token\", error_description=\"the access token has expired\"")
    );
    assert_eq!((Error::NoToken.status(), Error::Expired.status()), (401, 401));
}

#[test]
fn a_token_that_cannot_be_checked_is_not_called_invalid() {
    for error in [Error::KeysUnavailable, Error::RevocationsUnavailable] {
        assert_eq!((error.status(), error.www_authenticate()), (503, None));
    }
}

#[test]
fn a_challenge_cannot_be_broken_by_its_words() {
    let world = World::new();
    let check = Check::new().acr("a\", realm=\"evil\r\nSet-Cookie: x");
    let (_, value) = challenge(&world, &world.token(), &check);
    assert!(value.ends_with(", acr_values=\"a, realm=evilSet-Cookie: x\""), "{value}");
}

#[test]
fn authorization_details_allow_what_they_name_and_nothing_else() {
    let world = World::new();
    let token = world.token_with(&json!({"authorization_details": [
        {"type": "note", "actions": ["read", "share"], "identifier": "n1"},
        {"type": "note", "actions": ["write"], "locations": ["n2", "n3"]},
        {"type": "note", "identifier": "n4"},
        {"type": "note", "actions": ["read"]},
        {"type": "note", "actions": "read", "identifier": "n5"},
        {"type": "note", "actions": ["read"], "identifier": "n6", "locations": ["https://other.example"]},
        {"type": "note", "actions": ["read"], "identifier": "n7", "locations": ["https://notes.example"]},
        "note",
    ]}));
    let claims = world.verify(&token).unwrap();
    assert_eq!(claims.authorization_details().len(), 8);
    for (action, identifier) in
        [("read", "n1"), ("share", "n1"), ("write", "n2"), ("write", "n3"), ("read", "n7")]
    {
        assert!(claims.allows("note", action, identifier), "{action} {identifier}");
    }
    for (kind, action, identifier) in [
        ("note", "write", "n1"),
        ("note", "read", "n2"),
        ("note", "read", "n4"),
        ("note", "", "n4"),
        ("note", "read", "n5"),
        ("note", "read", "n6"),
        ("note", "read", "anything"),
        ("note", "read", ""),
        ("book", "read", "n1"),
    ] {
        assert!(!claims.allows(kind, action, identifier), "{kind} {action} {identifier}");
    }
    assert!(!world.verify(&world.token()).unwrap().allows("note", "read", "n1"));
}
