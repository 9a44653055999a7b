//! What was taken back is refused, and no false list is believed.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use countersign_verify::{Error, RevocationPolicy};
use serde_json::{Value, json};

use crate::issuer::{Key, REVOCATIONS, World, changed, without};

const LONG: u64 = 4_000_000_000;

/// What is answered in place of a list.
type Answer<'a> = &'a dyn Fn(&World) -> String;

/// The issuer's list from now on.
fn publish(world: &World, list: &Value) {
    world.issuer.change(|shelf| shelf.list = list.clone());
}

/// What is answered in place of a list from now on.
fn publish_text(world: &World, text: String) {
    world.issuer.change(|shelf| shelf.list_text = Some(text));
}

/// Why the list that is published is not believed. The verifier has none yet.
fn disbelief(world: &World) -> String {
    assert_eq!(world.refusal(&world.token()), Error::RevocationsUnavailable);
    world.verifier.failures().join("; ")
}

#[test]
fn a_token_is_refused_by_its_id_its_session_and_its_key() {
    for (what, name) in [
        ("tokens", "01a0cccc-0000-7000-8000-000000000003"),
        ("sessions", "01a0dddd-0000-7000-8000-000000000004"),
        ("keys", "first"),
    ] {
        let world = World::new();
        let signer = Key::ed25519("signer");
        world.issuer.change(|shelf| {
            shelf.jwks.push(signer.jwk());
            shelf.signer = Arc::clone(&signer);
        });
        let token = world.token();
        assert!(world.verify(&token).is_ok());
        publish(&world, &json!({ what: [[name, LONG]] }));
        world.clock.advance(60);
        assert_eq!(world.refusal(&token), Error::Revoked, "{what}");
        assert_eq!(Error::Revoked.status(), 401);
    }
}

#[test]
fn an_entry_for_another_token_refuses_nothing() {
    let world = World::new();
    publish(
        &world,
        &json!({
            "tokens": [["01a0dddd-0000-7000-8000-000000000004", LONG]],
            "sessions": [["01a0cccc-0000-7000-8000-000000000003", LONG]],
            "keys": [["second", LONG]],
        }),
    );
    assert!(world.verify(&world.token()).is_ok());
}

#[test]
fn lists_are_asked_for_once_a_minute_from_where_the_last_one_ended() {
    let world = World::new();
    publish(&world, &json!({"until": 7}));
    for _ in 0..50 {
        assert!(world.verify(&world.token()).is_ok());
    }
    publish(&world, &json!({"until": 9}));
    world.clock.advance(60);
    assert!(world.verify(&world.token()).is_ok());
    world.clock.advance(60);
    assert!(world.verify(&world.token()).is_ok());
    let asked = world.issuer.asked(REVOCATIONS);
    assert_eq!(
        asked,
        [REVOCATIONS.to_owned(), format!("{REVOCATIONS}?since=7"), format!("{REVOCATIONS}?since=9")]
    );
}

#[test]
fn what_follows_is_added_and_a_whole_list_replaces() {
    let world = World::new();
    let token = |jti: &str| world.token_with(&json!({ "jti": jti, "exp": LONG }));
    let revoked = |jti: &str| world.verify(&token(jti)) == Err(Error::Revoked);
    publish(&world, &json!({"until": 1, "tokens": [["a", LONG]]}));
    assert!(revoked("a") && !revoked("b"));
    publish(&world, &json!({"until": 2, "tokens": [["b", LONG]]}));
    world.clock.advance(60);
    assert!(revoked("a") && revoked("b"));
    // The issuer does not know the cursor any more, say after a restore.
    publish(&world, &json!({"since": 0, "until": 1, "tokens": [["c", LONG]]}));
    world.clock.advance(60);
    assert!(!revoked("a") && !revoked("b") && revoked("c"));
}

#[test]
fn an_entry_is_forgotten_only_when_its_token_has_ended_here_too() {
    let world = World::new();
    let now = world.clock.unix_s();
    publish(&world, &json!({"until": 1, "tokens": [["01a0cccc-0000-7000-8000-000000000003", now + 120]]}));
    let token = world.token_with(&json!({"exp": now + 120}));
    assert_eq!(world.refusal(&token), Error::Revoked);
    // The issuer has forgotten it; within the leeway the token would still be good.
    publish(&world, &json!({"since": 0, "until": 1}));
    world.clock.advance(125);
    assert_eq!(world.refusal(&token), Error::Revoked);
    world.clock.advance(25);
    assert_eq!(world.refusal(&token), Error::Expired);
}

#[test]
fn an_entry_is_forgotten_after_its_time() {
    let world = World::new();
    let now = world.clock.unix_s();
    publish(&world, &json!({"until": 1, "tokens": [["01a0cccc-0000-7000-8000-000000000003", now + 60]]}));
    // No issuer gives an entry less time than the token has; here it shows that the list does not grow for ever.
    let token = world.token_with(&json!({"exp": LONG}));
    assert_eq!(world.refusal(&token), Error::Revoked);
    publish(&world, &json!({}));
    world.clock.advance(90);
    assert!(world.verify(&token).is_ok());
}

#[test]
fn a_list_that_ends_before_it_begins_is_not_believed() {
    let world = World::new();
    publish(&world, &json!({"until": 5}));
    assert!(world.verify(&world.token()).is_ok());
    publish(&world, &json!({"until": 4}));
    world.clock.advance(60);
    assert!(world.verify(&world.token()).is_ok());
    assert_eq!(world.verifier.failures(), ["revocations: the list ends before it begins"]);
}

#[test]
fn a_list_that_is_too_old_fails_closed() {
    let world = World::new();
    assert!(world.verify(&world.token()).is_ok());
    world.issuer.change(|shelf| shelf.list_down = true);
    world.clock.advance(300);
    assert!(world.verify(&world.token()).is_ok());
    world.clock.advance(1);
    assert_eq!(world.refusal(&world.token()), Error::RevocationsUnavailable);
    world.issuer.change(|shelf| shelf.list_down = false);
    world.clock.advance(10);
    assert!(world.verify(&world.token()).is_ok());
}

#[test]
fn a_list_is_as_old_as_the_issuer_says_and_not_as_young_as_the_fetch() {
    let world = World::new();
    let then = world.clock.unix_s();
    world.clock.advance(250);
    publish(&world, &json!({"iat": then, "exp": then + 900}));
    assert!(world.verify(&world.token()).is_ok());
    world.clock.advance(51);
    world.issuer.change(|shelf| shelf.list_down = true);
    assert_eq!(world.refusal(&world.token()), Error::RevocationsUnavailable);
}

#[test]
fn who_ignores_revocations_does_not_ask_for_them() {
    let ignored = |builder: countersign_verify::Builder| builder.revocations(RevocationPolicy::Ignored);
    let world = World::with(Key::ed25519("first"), ignored);
    publish(&world, &json!({"tokens": [["01a0cccc-0000-7000-8000-000000000003", LONG]]}));
    assert!(world.verify(&world.token()).is_ok());
    assert!(world.issuer.asked(REVOCATIONS).is_empty());
}

#[test]
fn the_bound_of_staleness_can_be_chosen() {
    let policy = RevocationPolicy::Required { max_stale: Duration::from_mins(1) };
    let world = World::with(Key::ed25519("first"), |builder| builder.revocations(policy));
    assert!(world.verify(&world.token()).is_ok());
    world.issuer.change(|shelf| shelf.list_down = true);
    world.clock.advance(61);
    assert_eq!(world.refusal(&world.token()), Error::RevocationsUnavailable);
}

#[test]
fn an_older_list_is_not_taken() {
    let world = World::new();
    let token = world.token();
    let before = world.key.sign(world.key.header("revocations+jwt"), world.issuer.list_claims(0));
    world.clock.advance(1);
    publish(&world, &json!({"tokens": [["01a0cccc-0000-7000-8000-000000000003", LONG]]}));
    assert_eq!(world.refusal(&token), Error::Revoked);
    // Well signed and not expired, but from before the revocation.
    publish_text(&world, before);
    world.clock.advance(60);
    assert_eq!(world.refusal(&token), Error::Revoked);
    assert_eq!(world.verifier.failures(), ["revocations: the list is older than the one known"]);
}

#[test]
fn a_list_of_wrong_type_issuer_signature_or_time_is_not_believed() {
    let good = |world: &World| world.issuer.list_claims(0);
    let typed = |world: &World, typ: &str| world.key.sign(world.key.header(typ), good(world));
    let claims = |world: &World, changes: Value| {
        world.key.sign(world.key.header("revocations+jwt"), changed(good(world), &changes))
    };
    let now = World::new().clock.unix_s();
    let cases: [(&str, Answer); 12] = [
        ("wrong_type", &|world| typed(world, "JWT")),
        ("wrong_type", &|world| typed(world, "at+jwt")),
        ("wrong_type", &World::token),
        ("another issuer", &|world| claims(world, json!({"iss": "https://login.example/"}))),
        ("expired", &|world| claims(world, json!({"exp": now - 30}))),
        ("future", &|world| claims(world, json!({"iat": now + 31}))),
        ("lacks a claim", &|world| {
            world.key.sign(world.key.header("revocations+jwt"), without(good(world), "keys"))
        }),
        ("lacks a claim", &|world| claims(world, json!({"tokens": ["01a0cccc"]}))),
        ("does not follow", &|world| claims(world, json!({"since": 5, "until": 6}))),
        ("bad_signature", &|world| {
            Key::ed25519("first").sign(world.key.header("revocations+jwt"), good(world))
        }),
        ("unknown_key", &|world| {
            let other = Key::ed25519("other");
            other.sign(other.header("revocations+jwt"), good(world))
        }),
        ("malformed", &|_| "{}".to_owned()),
    ];
    for (why, text) in cases {
        let world = World::new();
        publish_text(&world, text(&world));
        let failure = disbelief(&world);
        assert!(failure.contains(why), "{why}: {failure}");
    }
}

#[test]
fn a_list_is_no_access_token() {
    let world = World::new();
    let both = changed(world.issuer.list_claims(0), &world.claims());
    assert_eq!(world.refusal(&world.key.sign(world.key.header("revocations+jwt"), both)), Error::WrongType);
}

#[test]
fn a_list_must_be_sent_as_a_jwt() {
    let world = World::new();
    world.issuer.change(|shelf| shelf.list_type = "text/html");
    assert!(disbelief(&world).contains("application/jwt"));
    world.issuer.change(|shelf| shelf.list_type = "Application/JWT; charset=utf-8");
    world.clock.advance(10);
    assert!(world.verify(&world.token()).is_ok());
}

#[test]
fn a_list_that_revokes_its_own_key_is_not_believed() {
    let world = World::new();
    publish(&world, &json!({"keys": [["first", LONG]]}));
    assert!(disbelief(&world).contains("revoked key"));
}

/// Else the list would be refused, and asked for again only after a pause: when keys are changed in a hurry.
#[test]
fn a_list_by_a_key_that_somebody_fetches_waits_for_it() {
    let world = World::new();
    world.verifier.warm_up().unwrap();
    let next = Key::ed25519("next");
    let (old, new) = (world.token(), next.sign(next.header("at+jwt"), world.claims()));
    world.clock.advance(60);
    world.issuer.change(|shelf| {
        shelf.jwks.push(next.jwk());
        shelf.signer = Arc::clone(&next);
        shelf.list = json!({"keys": [["first", LONG]]});
    });
    world.issuer.close_for_keys();
    thread::scope(|scope| {
        let world = &world;
        let fetching = scope.spawn(move || world.verify(&new).is_ok());
        world.issuer.until_asked();
        let refused = scope.spawn(move || world.refusal(&old));
        while world.issuer.asked(REVOCATIONS).len() < 2 {
            thread::yield_now();
        }
        // By then the list is there, and its key is not.
        thread::sleep(Duration::from_millis(100));
        world.issuer.open();
        assert!(fetching.join().unwrap());
        assert_eq!(refused.join().unwrap(), Error::Revoked);
    });
}

#[test]
fn a_revoked_key_cannot_take_its_revocation_back() {
    let world = World::new();
    let next = Key::ed25519("next");
    let token = world.token();
    world.issuer.change(|shelf| {
        shelf.jwks.push(next.jwk());
        shelf.signer = Arc::clone(&next);
        shelf.list = json!({"keys": [["first", LONG]]});
    });
    assert_eq!(world.refusal(&token), Error::Revoked);
    world.clock.advance(60);
    publish(&world, &json!({}));
    publish_text(&world, world.key.sign(world.key.header("revocations+jwt"), world.issuer.list_claims(0)));
    assert_eq!(world.refusal(&token), Error::Revoked);
    assert_eq!(world.verifier.failures(), ["revocations: the list is signed by a revoked key"]);
}
