//! The extractor of the feature `actix`: statuses, headers, bodies.

use std::sync::Arc;

use actix_web::body::MessageBody as _;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::{App, HttpResponse, rt, web};
use countersign_verify::actix::Bearer;
use countersign_verify::{Check, Error};
use serde_json::{Value, json};

use crate::issuer::{Key, World};

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Reply {
    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    fn problem(&self) -> Value {
        assert_eq!(self.header(header::CONTENT_TYPE), Some("application/problem+json"));
        assert_eq!(self.header(header::CACHE_CONTROL), Some("no-store"));
        serde_json::from_str(&self.body).expect("a problem document")
    }
}

async fn who(bearer: Bearer) -> String {
    bearer.claims().subject().to_owned()
}

async fn payment(bearer: Bearer) -> Result<HttpResponse, Error> {
    bearer.require(&Check::new().scope("notes:write").max_age(300))?;
    Ok(HttpResponse::NoContent().finish())
}

async fn share(bearer: Bearer) -> Result<HttpResponse, Error> {
    bearer.require(&Check::new().scope("notes:share"))?;
    Ok(HttpResponse::NoContent().finish())
}

/// Sends one request to an application that has the world's verifier, or none.
fn send(world: Option<&World>, path: &str, authorization: &[&str]) -> Reply {
    rt::System::new().block_on(async {
        let mut app = App::new()
            .route("/who", web::get().to(who))
            .route("/payment", web::get().to(payment))
            .route("/share", web::get().to(share));
        if let Some(world) = world {
            app = app.app_data(Arc::clone(&world.verifier));
        }
        let app = init_service(app).await;
        let mut request = TestRequest::get().uri(path);
        for value in authorization {
            request = request.append_header((header::AUTHORIZATION, *value));
        }
        let reply = call_service(&app, request.to_request()).await;
        let (status, headers) = (reply.status(), reply.headers().clone());
        let body = reply.into_body().try_into_bytes().expect("a whole body");
        Reply { status, headers, body: String::from_utf8(body.to_vec()).expect("text") }
    })
}

#[test]
fn a_good_token_opens_the_handler() {
    let world = World::new();
    for authorization in [format!("Bearer {}", world.token()), format!("bearer  {}", world.token())] {
        let reply = send(Some(&world), "/who", &[&authorization]);
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.body, "01a0bbbb-0000-7000-8000-000000000002");
    }
}

#[test]
fn no_token_is_answered_with_401_and_a_bare_challenge() {
    let world = World::new();
    let in_query = format!("/who?access_token={}", world.token());
    for (path, authorization) in [("/who", &[][..]), (&in_query, &[]), ("/who", &["Basic YTpi"])] {
        let reply = send(Some(&world), path, authorization);
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert_eq!(reply.header(header::WWW_AUTHENTICATE), Some("Bearer"));
        assert_eq!(
            reply.problem(),
            json!({
                "type": "about:blank",
                "title": "Unauthorized",
                "status": 401,
                "detail": "an access token is needed",
                "code": "no_token",
            })
        );
    }
}

#[test]
fn a_bad_token_is_answered_with_401_and_invalid_token() {
    let world = World::new();
    let expired = format!("Bearer {}", world.token_with(&json!({"exp": 1})));
    let reply = send(Some(&world), "/who", &[&expired]);
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        reply.header(header::WWW_AUTHENTICATE),
        Some("Bearer error=\"invalid_token\", error_description=\"the access token has expired\"")
    );
    assert_eq!(reply.problem()["code"], "expired");
    let good = format!("Bearer {}", world.token());
    for authorization in [&["Bearer"][..], &["Bearer "], &["Bearer a b"], &[&good, &good]] {
        let reply = send(Some(&world), "/who", authorization);
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
        assert_eq!(reply.problem()["code"], "malformed_token", "{authorization:?}");
    }
}

#[test]
fn a_missing_scope_is_answered_with_403() {
    let world = World::new();
    let reply = send(Some(&world), "/share", &[&format!("Bearer {}", world.token())]);
    assert_eq!(reply.status, StatusCode::FORBIDDEN);
    assert!(reply.header(header::WWW_AUTHENTICATE).unwrap().ends_with(", scope=\"notes:share\""));
    assert_eq!(reply.problem()["code"], "insufficient_scope");
}

#[test]
fn an_old_login_is_answered_with_401_and_max_age() {
    let world = World::new();
    let authorization = format!("Bearer {}", world.token());
    assert_eq!(send(Some(&world), "/payment", &[&authorization]).status, StatusCode::NO_CONTENT);
    world.clock.advance(331);
    let reply = send(Some(&world), "/payment", &[&authorization]);
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    assert!(reply.header(header::WWW_AUTHENTICATE).unwrap().ends_with(", max_age=300"));
    assert_eq!(reply.problem()["code"], "insufficient_user_authentication");
}

#[test]
fn a_token_that_cannot_be_checked_is_answered_with_503() {
    let world = World::with(Key::ed25519("first"), |builder| builder);
    world.issuer.change(|shelf| shelf.jwks_down = true);
    let reply = send(Some(&world), "/who", &[&format!("Bearer {}", world.token())]);
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.header(header::WWW_AUTHENTICATE), None);
    assert_eq!(reply.header(header::RETRY_AFTER), Some("10"));
    assert_eq!(reply.problem()["code"], "keys_unavailable");
}

#[test]
fn an_application_without_a_verifier_lets_nobody_in() {
    let world = World::new();
    let reply = send(None, "/who", &[&format!("Bearer {}", world.token())]);
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(reply.problem()["code"], "not_configured");
}
