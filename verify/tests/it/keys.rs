//! How keys are fetched, held and changed.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use countersign_verify::{Check, Error, RevocationPolicy};
use serde_json::json;

use crate::issuer::{JWKS, Key, World, changed};

fn fetches(world: &World) -> usize {
    world.issuer.asked(JWKS).len()
}

#[test]
fn keys_are_fetched_once_and_again_after_five_minutes() {
    let world = World::new();
    for _ in 0..100 {
        assert!(world.verify(&world.token()).is_ok());
    }
    assert_eq!(fetches(&world), 1);
    world.clock.advance(299);
    assert!(world.verify(&world.token()).is_ok());
    assert_eq!(fetches(&world), 1);
    world.clock.advance(1);
    assert!(world.verify(&world.token()).is_ok());
    assert_eq!(fetches(&world), 2);
}

#[test]
fn a_key_rotation_in_the_middle_refuses_no_valid_token() {
    let world = World::new();
    let keys = [Key::ed25519("k1"), Key::p256("k2"), Key::ed25519("k3"), Key::ed25519("k4")];
    // As the issuer does it: the next key is listed before it signs, retired ones stay. A rotation every four minutes.
    world.issuer.change(|shelf| shelf.jwks = vec![keys[0].jwk(), keys[1].jwk()]);
    let mut live = Vec::new();
    for current in 0..3 {
        let listed = keys[..=current + 1].iter().map(|key| key.jwk()).collect();
        world.issuer.change(|shelf| {
            shelf.jwks = listed;
            shelf.signer = Arc::clone(&keys[current]);
        });
        for _ in 0..24 {
            live.push(world.token_by(&keys[current]));
            world.clock.advance(10);
            for token in live.iter().rev().take(60) {
                assert_eq!(world.verify(token).err(), None);
            }
        }
    }
}

#[test]
fn a_key_that_is_not_known_yet_is_fetched_at_once() {
    let world = World::new();
    assert!(world.verify(&world.token()).is_ok());
    world.clock.advance(10);
    let sudden = Key::ed25519("sudden");
    world.issuer.change(|shelf| shelf.jwks.push(sudden.jwk()));
    assert!(world.verify(&world.token_by(&sudden)).is_ok());
    assert_eq!(fetches(&world), 2);
}

#[test]
fn a_storm_of_unknown_kids_fetches_once_in_ten_seconds() {
    let world = World::new();
    assert!(world.verify(&world.token()).is_ok());
    world.clock.advance(10);
    let storm = || {
        thread::scope(|scope| {
            for worker in 0..8 {
                let world = &world;
                scope.spawn(move || {
                    for number in 0..25 {
                        let kid = format!("invented-{worker}-{number}");
                        let header = changed(world.key.header("at+jwt"), &json!({ "kid": kid }));
                        let token = world.key.sign(header, world.claims());
                        // The second while another one has the keys fetched.
                        let refusals = [Error::UnknownKey, Error::KeysUnavailable];
                        assert!(refusals.contains(&world.refusal(&token)));
                        assert!(world.verify(&world.token()).is_ok());
                    }
                });
            }
        });
    };
    storm();
    assert_eq!(fetches(&world), 2);
    world.clock.advance(9);
    storm();
    assert_eq!(fetches(&world), 2);
    world.clock.advance(1);
    storm();
    assert_eq!(fetches(&world), 3);
}

#[test]
fn an_issuer_that_is_down_is_asked_once_in_ten_seconds() {
    let world = World::new();
    world.issuer.change(|shelf| shelf.jwks_down = true);
    for _ in 0..50 {
        assert_eq!(world.refusal(&world.token()), Error::KeysUnavailable);
    }
    assert_eq!(fetches(&world), 1);
    world.clock.advance(10);
    world.issuer.change(|shelf| shelf.jwks_down = false);
    assert!(world.verify(&world.token()).is_ok());
    assert!(world.verifier.failures().is_empty());
}

#[test]
fn old_keys_serve_for_an_hour_while_the_issuer_is_down() {
    let ignored = |builder: countersign_verify::Builder| builder.revocations(RevocationPolicy::Ignored);
    let world = World::with(Key::ed25519("first"), ignored);
    assert!(world.verify(&world.token()).is_ok());
    world.issuer.change(|shelf| shelf.jwks_down = true);
    world.clock.advance(3600);
    assert!(world.verify(&world.token()).is_ok());
    assert_eq!(world.verifier.failures(), ["keys: down"]);
    world.clock.advance(1);
    assert_eq!(world.refusal(&world.token()), Error::KeysUnavailable);
}

#[test]
fn a_clock_that_was_set_back_does_not_keep_old_keys_young() {
    let ignored = |builder: countersign_verify::Builder| builder.revocations(RevocationPolicy::Ignored);
    let world = World::with(Key::ed25519("first"), ignored);
    assert!(world.verify(&world.token()).is_ok());
    world.issuer.change(|shelf| shelf.jwks_down = true);
    world.clock.advance(3601);
    world.clock.set_back(3601);
    assert_eq!(world.refusal(&world.token()), Error::KeysUnavailable);
}

#[test]
fn a_key_set_that_is_broken_does_not_take_the_place_of_a_good_one() {
    let world = World::new();
    assert!(world.verify(&world.token()).is_ok());
    world.issuer.change(|shelf| shelf.jwks.clear());
    world.clock.advance(300);
    assert!(world.verify(&world.token()).is_ok());
    assert_eq!(world.verifier.failures(), ["keys: the key set has no key that can be used"]);
}

#[test]
fn a_document_that_is_too_long_is_not_read() {
    let world = World::new();
    let padding = "x".repeat(countersign_verify::DOCUMENT_BYTES);
    world.issuer.change(|shelf| shelf.jwks.push(json!({ "kid": padding })));
    assert_eq!(world.refusal(&world.token()), Error::KeysUnavailable);
    assert_eq!(world.verifier.failures(), ["keys: the document is too long"]);
}

#[test]
fn a_key_that_is_no_longer_listed_verifies_nothing() {
    let world = World::new();
    let other = Key::ed25519("other");
    let token = world.token();
    assert!(world.verify(&token).is_ok());
    world.issuer.change(|shelf| {
        shelf.jwks = vec![other.jwk()];
        shelf.signer = Arc::clone(&other);
    });
    world.clock.advance(300);
    assert_eq!(world.refusal(&token), Error::UnknownKey);
}

#[test]
fn private_and_symmetric_keys_in_the_set_verify_nothing() {
    let world = World::new();
    let leaked = Key::ed25519("leaked");
    let encrypting = Key::ed25519("encrypting");
    world.issuer.change(|shelf| {
        shelf.jwks.push(changed(leaked.jwk(), &json!({"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"})));
        shelf.jwks.push(changed(encrypting.jwk(), &json!({"use": "enc"})));
        shelf
            .jwks
            .push(json!({"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256", "use": "sig"}));
    });
    assert_eq!(world.refusal(&world.token_by(&leaked)), Error::UnknownKey);
    assert_eq!(world.refusal(&world.token_by(&encrypting)), Error::UnknownKey);
    assert!(world.verify(&world.token()).is_ok());
}

#[test]
fn nobody_waits_for_a_fetch_while_the_old_keys_are_good() {
    let world = World::new();
    world.verifier.warm_up().unwrap();
    world.clock.advance(300);
    world.issuer.close();
    let token = world.token();
    thread::scope(|scope| {
        let fetching = scope.spawn(|| world.verify(&token));
        world.issuer.until_asked();
        // One is on its way. The revocations are due as well: somebody else fetches those, and waits at the same gate.
        let second = scope.spawn(|| world.verify(&token));
        while world.issuer.asked("").len() < 4 {
            thread::yield_now();
        }
        for _ in 0..100 {
            assert!(world.verify(&token).is_ok());
            assert!(world.verifier.verify_without_fetch(&token, &Check::new()).expect("no fetch").is_ok());
        }
        world.issuer.open();
        assert!(fetching.join().unwrap().is_ok());
        assert!(second.join().unwrap().is_ok());
    });
    assert_eq!(fetches(&world), 2);
}

#[test]
fn nobody_waits_for_a_key_that_somebody_else_looks_for() {
    let world = World::new();
    world.verifier.warm_up().unwrap();
    world.clock.advance(10);
    world.issuer.close();
    let unknown = |number: usize| {
        let header = changed(world.key.header("at+jwt"), &json!({ "kid": format!("invented-{number}") }));
        world.key.sign(header, world.claims())
    };
    thread::scope(|scope| {
        let (first, second) = (unknown(0), unknown(1));
        let world = &world;
        let fetching = scope.spawn(move || world.refusal(&first));
        world.issuer.until_asked();
        // The issuer hangs. Whoever comes now is answered, on a thread that may block and on one that may not.
        for _ in 0..100 {
            assert_eq!(world.refusal(&second), Error::KeysUnavailable);
            let verdict = world.verifier.verify_without_fetch(&second, &Check::new());
            assert_eq!(verdict.expect("an answer").err(), Some(Error::KeysUnavailable));
            assert!(world.verify(&world.token()).is_ok());
        }
        world.issuer.open();
        assert_eq!(fetching.join().unwrap(), Error::UnknownKey);
    });
    assert_eq!(fetches(&world), 2);
}

#[test]
fn the_first_callers_wait_for_one_fetch() {
    let world = World::new();
    world.issuer.close();
    let token = world.token();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| world.verify(&token))).collect();
        world.issuer.until_asked();
        world.issuer.open();
        for caller in callers {
            assert!(caller.join().unwrap().is_ok());
        }
    });
    assert_eq!(world.issuer.asked("").len(), 2, "one key set, one list");
}

#[test]
fn without_a_fetch_there_is_an_answer_or_none_and_no_request() {
    let world = World::new();
    let verdict = |token: &str| world.verifier.verify_without_fetch(token, &Check::new());
    assert!(verdict(&world.token()).is_none());
    assert!(world.issuer.asked("").is_empty());
    // What needs no key to be refused is refused.
    assert_eq!(verdict("x"), Some(Err(Error::Malformed)));
    world.verifier.warm_up().unwrap();
    assert!(verdict(&world.token()).expect("an answer").is_ok());
    let unknown = world.token_by(&Key::ed25519("unknown"));
    assert_eq!(verdict(&unknown), Some(Err(Error::UnknownKey)), "just fetched");
    world.clock.advance(10);
    assert!(verdict(&unknown).is_none());
    world.clock.advance(50);
    assert!(verdict(&world.token()).is_none(), "the revocations are due");
    assert_eq!(world.issuer.asked("").len(), 2);
}

#[test]
fn the_pause_between_fetches_can_be_chosen() {
    let world = World::with(Key::ed25519("first"), |builder| builder.pause(Duration::from_mins(1)));
    assert!(world.verify(&world.token()).is_ok());
    world.clock.advance(59);
    let sudden = Key::ed25519("sudden");
    world.issuer.change(|shelf| shelf.jwks.push(sudden.jwk()));
    assert_eq!(world.refusal(&world.token_by(&sudden)), Error::UnknownKey);
    world.clock.advance(1);
    assert!(world.verify(&world.token_by(&sudden)).is_ok());
}
