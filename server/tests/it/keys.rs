//! Signing keys and what is published of them.

use countersign::app;
use countersign::app::key::{Leaked, revoke};
use countersign::domain::client::Grant;
use countersign::domain::token::{KeyState, SigningAlgorithm};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use crate::actors::{App, ISSUER};
use crate::{Backend, tests};

tests![
    a_key_is_published_before_it_signs_and_after,
    rotation_refuses_no_valid_token,
    a_retired_key_leaves_when_its_last_token_has_ended,
    only_public_halves_are_published,
    es256_by_choice_signs_what_any_library_verifies,
    a_revoked_key_and_all_that_it_signed_are_good_no_more,
    a_retired_key_can_be_revoked_and_the_current_one_goes_on,
    a_next_key_is_replaced_when_it_is_revoked,
    all_keys_can_be_revoked_at_once,
    keys_rotate_on_schedule_once_for_all_servers,
    servers_that_start_at_once_make_one_pair_of_keys,
    the_metadata_names_the_endpoints,
];

fn kids(app: &App) -> Vec<String> {
    let keys = app.get("/.well-known/jwks.json");
    assert_eq!(keys.header("cache-control"), Some("public, max-age=300"));
    let keys = keys.body["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn rotate(app: &App) -> String {
    app.operate(|service, conn, at| app::key::rotate(service, conn, at, None)).unwrap()
}

fn a_key_is_published_before_it_signs_and_after(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let published = kids(&app);
    assert_eq!(published.len(), 2);
    let first = decode_header(client.otp("alice", &phone.code()).access_token()).unwrap().kid.unwrap();
    let next = rotate(&app);
    assert!(published.contains(&first) && published.contains(&next) && first != next);
    app.next_step();
    let second = decode_header(client.otp("alice", &phone.code()).access_token()).unwrap().kid.unwrap();
    assert_eq!(second, next);
    assert_eq!(kids(&app).len(), 3);
    assert!(kids(&app).contains(&first));
}

fn rotation_refuses_no_valid_token(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let mut tokens = Vec::new();
    for round in 0..6 {
        let server = if round % 2 == 0 { &app } else { &other };
        tokens.push(client.at(server).otp("alice", &phone.code()).access_token());
        rotate(server);
        app.next_step();
        for token in &tokens {
            assert!(client.is_active(token) && client.at(&other).is_active(token));
        }
    }
}

fn a_retired_key_leaves_when_its_last_token_has_ended(on: Backend) {
    let app = App::start(on);
    let before = kids(&app);
    rotate(&app);
    app.pass(30 * 86_400 - 1);
    assert_eq!(kids(&app).len(), 3);
    app.pass(1);
    let after = kids(&app);
    assert_eq!(after.len(), 2);
    assert_eq!(before.iter().filter(|kid| after.contains(kid)).count(), 1);
}

fn only_public_halves_are_published(on: Backend) {
    let app = App::start(on);
    for key in app.get("/.well-known/jwks.json").body["keys"].as_array().unwrap() {
        let mut names: Vec<&String> = key.as_object().unwrap().keys().collect();
        names.sort();
        assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
        assert_eq!((key["kty"].as_str(), key["crv"].as_str()), (Some("OKP"), Some("Ed25519")));
        assert_eq!((key["alg"].as_str(), key["use"].as_str()), (Some("EdDSA"), Some("sig")));
    }
}

fn es256_by_choice_signs_what_any_library_verifies(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let es256 = Some(SigningAlgorithm::Es256);
    app.operate(|service, conn, at| app::key::rotate(service, conn, at, es256)).unwrap();
    let before = client.otp("alice", &phone.code()).access_token();
    assert_eq!(decode_header(&before).unwrap().alg, Algorithm::EdDSA, "the next key was made before");
    rotate(&app);
    app.next_step();
    let token = client.otp("alice", &phone.code()).access_token();
    let header = decode_header(&token).unwrap();
    assert_eq!(header.alg, Algorithm::ES256);
    let keys: JwkSet = serde_json::from_value(app.get("/.well-known/jwks.json").body).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[ISSUER]);
    validation.validate_exp = false;
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
    decode::<Value>(&token, &key, &validation).unwrap();
    assert!(client.is_active(&token) && client.is_active(&before));
    // The one after it signs the same way.
    let listed = app.operate(|_, conn, _| app::key::list(conn)).unwrap();
    let next = listed.iter().find(|key| key.state == KeyState::Next).unwrap();
    assert_eq!(next.algorithm, SigningAlgorithm::Es256);
}

fn a_revoked_key_and_all_that_it_signed_are_good_no_more(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let token = client.otp("alice", &phone.code()).access_token();
    let kid = decode_header(&token).unwrap().kid.unwrap();
    let (current, revoked) =
        app.operate(|service, conn, at| revoke(service, conn, at, &Leaked::Current)).unwrap();
    assert_eq!((revoked.as_slice(), current == kid), ([kid.clone()].as_slice(), false));
    assert!(!client.is_active(&token) && !client.at(&other).is_active(&token));
    assert!(!kids(&app).contains(&kid));
    app.next_step();
    let fresh = client.at(&other).otp("alice", &phone.code()).access_token();
    assert_eq!(decode_header(&fresh).unwrap().kid, Some(current));
    assert!(client.is_active(&fresh));
    let list = app.get("/oauth/revocations").body.as_str().unwrap().to_owned();
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(&list).unwrap().claims;
    assert_eq!(claims["keys"][0][0], kid);
    let until = app.clock.now().unix_seconds() + 30 * 86_400;
    assert!(claims["keys"][0][1].as_u64().unwrap() >= until - 30);
}

fn in_state(app: &App, state: KeyState) -> Vec<String> {
    let keys = app.operate(|_, conn, _| app::key::list(conn)).unwrap();
    keys.into_iter().filter(|key| key.state == state).map(|key| key.kid).collect()
}

/// The keys on the list of revocations.
fn listed(app: &App) -> Vec<String> {
    let list = app.get("/oauth/revocations").body.as_str().unwrap().to_owned();
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(&list).unwrap().claims;
    claims["keys"].as_array().unwrap().iter().map(|key| key[0].as_str().unwrap().to_owned()).collect()
}

/// It was stolen, and rotated by the clock before anybody noticed.
fn a_retired_key_can_be_revoked_and_the_current_one_goes_on(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let old = client.otp("alice", &phone.code()).access_token();
    let stolen = decode_header(&old).unwrap().kid.unwrap();
    rotate(&app);
    app.next_step();
    let fresh = client.otp("alice", &phone.code()).access_token();
    let before = (in_state(&app, KeyState::Current), in_state(&app, KeyState::Next));
    let leaked = Leaked::These(vec![stolen.clone()]);
    let (current, revoked) = app.operate(|service, conn, at| revoke(service, conn, at, &leaked)).unwrap();
    assert_eq!((&revoked, &[current][..]), (&vec![stolen.clone()], &before.0[..]));
    assert_eq!((in_state(&app, KeyState::Current), in_state(&app, KeyState::Next)), before);
    assert!(!client.is_active(&old) && client.is_active(&fresh));
    assert!(!kids(&app).contains(&stolen));
    assert_eq!(listed(&app), [stolen]);
    // Once more does nothing, and a key that is none does not either.
    assert_eq!(app.operate(|service, conn, at| revoke(service, conn, at, &leaked)).unwrap().1, [""; 0]);
    let unknown = Leaked::These(vec![before.0[0].clone(), "x".to_owned()]);
    assert!(app.operate(|service, conn, at| revoke(service, conn, at, &unknown)).is_err());
    assert!(client.is_active(&fresh));
}

fn a_next_key_is_replaced_when_it_is_revoked(on: Backend) {
    let app = App::start(on);
    let (current, next) = (in_state(&app, KeyState::Current), in_state(&app, KeyState::Next));
    let leaked = Leaked::These(next.clone());
    let done = app.operate(|service, conn, at| revoke(service, conn, at, &leaked)).unwrap();
    assert_eq!((vec![done.0], &done.1), (current.clone(), &next));
    assert_eq!(
        (in_state(&app, KeyState::Current), in_state(&app, KeyState::Revoked)),
        (current, next.clone())
    );
    let new = in_state(&app, KeyState::Next);
    assert!(new.len() == 1 && new != next && kids(&app).contains(&new[0]) && !kids(&app).contains(&next[0]));
}

fn all_keys_can_be_revoked_at_once(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let old = client.otp("alice", &phone.code()).access_token();
    rotate(&app);
    app.next_step();
    let newer = client.otp("alice", &phone.code()).access_token();
    let known = kids(&app);
    let (current, mut revoked) =
        app.operate(|service, conn, at| revoke(service, conn, at, &Leaked::All)).unwrap();
    revoked.sort();
    let mut all = known.clone();
    all.sort();
    assert_eq!((revoked.len(), &revoked), (3, &all));
    assert!(!client.is_active(&old) && !client.is_active(&newer));
    assert!(kids(&app).len() == 2 && kids(&app).iter().all(|kid| !known.contains(kid)));
    app.next_step();
    let fresh = client.otp("alice", &phone.code()).access_token();
    assert_eq!(decode_header(&fresh).unwrap().kid, Some(current));
    assert!(client.is_active(&fresh));
}

fn keys_rotate_on_schedule_once_for_all_servers(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    let current = |app: &App| {
        let keys = app.operate(|_, conn, _| app::key::list(conn)).unwrap();
        keys.into_iter().find(|key| key.state == KeyState::Current).unwrap().kid
    };
    let first = current(&app);
    app.pass(90 * 86_400 - 1);
    app.operate(app::key::rotate_if_due).unwrap();
    assert_eq!(current(&app), first);
    app.pass(1);
    crate::actors::at_once(4, |index| {
        let server = if index % 2 == 0 { &app } else { &other };
        server.operate(app::key::rotate_if_due).unwrap();
    });
    let second = current(&app);
    assert_ne!(second, first);
    let rotations = app.operate(|_, conn, _| app::audit::last(conn, 100)).unwrap();
    let rotations = rotations.iter().filter(|entry| entry.action == "signing_key.rotated");
    assert_eq!(rotations.map(|entry| entry.actor.as_str()).collect::<Vec<_>>(), ["system"]);
    // A next key that nobody can know yet does not sign, however old the current one is.
    rotate(&app);
    let third = current(&app);
    app.operate(app::key::rotate_if_due).unwrap();
    assert_eq!(current(&app), third);
}

fn servers_that_start_at_once_make_one_pair_of_keys(on: Backend) {
    let place = std::sync::Arc::new(crate::actors::Place::new(on));
    let clock = App::start(on).clock.clone();
    let servers = crate::actors::at_once(4, |_| App::start_at(&place, clock.clone()));
    let published: Vec<Vec<String>> = servers.iter().map(kids).collect();
    assert_eq!(published[0].len(), 2);
    assert!(published.iter().all(|kids| *kids == published[0]));
}

fn the_metadata_names_the_endpoints(on: Backend) {
    let app = App::start(on);
    let metadata: Value = app.get("/.well-known/oauth-authorization-server").body;
    assert_eq!(metadata["issuer"], ISSUER);
    for (name, path) in [
        ("token_endpoint", "/oauth/token"),
        ("introspection_endpoint", "/oauth/introspect"),
        ("revocation_endpoint", "/oauth/revoke"),
        ("revocations_endpoint", "/oauth/revocations"),
        ("jwks_uri", "/.well-known/jwks.json"),
    ] {
        assert_eq!(metadata[name], format!("{ISSUER}{path}"));
        // It is there: never a 404.
        assert_ne!(app.get(path).status, 404);
    }
    assert_eq!(metadata["grant_types_supported"].as_array().unwrap().len(), Grant::ALL.len());
}
