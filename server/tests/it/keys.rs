//! Signing keys and what is published of them.

use countersign::app;
use jsonwebtoken::decode_header;
use serde_json::Value;

use crate::actors::{App, ISSUER};
use crate::{Backend, tests};

tests![
    a_key_is_published_before_it_signs_and_after,
    rotation_refuses_no_valid_token,
    a_retired_key_leaves_when_its_last_token_has_ended,
    only_public_halves_are_published,
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
    app.operate(app::key::rotate).unwrap()
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
        ("jwks_uri", "/.well-known/jwks.json"),
    ] {
        assert_eq!(metadata[name], format!("{ISSUER}{path}"));
        // It is there: never a 404.
        assert_ne!(app.get(path).status, 404);
    }
    assert_eq!(metadata["grant_types_supported"].as_array().unwrap().len(), 4);
}
