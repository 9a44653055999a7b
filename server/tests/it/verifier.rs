//! The verifier crate against the real server: what it accepts and refuses is what introspection says, a list of revocations later.

use std::sync::Arc;
use std::time::Duration;

use countersign::app;
use countersign::app::access::{self, Named, Span};
use countersign::app::key::{Leaked, revoke};
use countersign::clock::Clock;
use countersign::domain::authorization::{Access, Details};
use countersign::domain::time::Timestamp;
use countersign::domain::token::SigningAlgorithm;
use countersign::domain::user::UserName;
use countersign_verify::{Check, Document, Error, Moment, Source, Unreachable, Verifier};

use crate::actors::{App, ClientSpec, ISSUER};
use crate::{Backend, tests};

tests![
    it_reads_what_the_server_wrote_by_either_algorithm,
    everything_that_ends_tokens_is_heard_of,
    rotations_in_the_middle_of_traffic_refuse_no_valid_token,
    a_refreshed_token_is_no_fresh_login,
    details_allow_one_action_on_one_thing,
];

/// Fetches from a server that the issuer's name does not lead to.
struct Door {
    url: String,
    agent: ureq::Agent,
}

impl Source for Door {
    fn get(&self, url: &str) -> Result<Document, Unreachable> {
        let unreachable = |error: ureq::Error| Unreachable(error.to_string());
        let path =
            url.strip_prefix(ISSUER).ok_or_else(|| Unreachable(format!("{url} is not the issuer's")))?;
        let mut reply = self.agent.get(format!("{}{path}", self.url)).call().map_err(unreachable)?;
        let content_type = reply.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
        let body = reply.body_mut().read_to_vec().map_err(unreachable)?;
        Ok(Document { content_type: content_type.unwrap_or_default(), body })
    }
}

/// The test's clock, on both of the verifier's dials.
struct Moved(Clock);

impl countersign_verify::Clock for Moved {
    fn now(&self) -> Moment {
        let millis = u64::try_from(self.0.now().millis()).unwrap();
        Moment { unix_s: millis / 1000, elapsed: Duration::from_millis(millis) }
    }
}

fn verifier(app: &App) -> Arc<Verifier> {
    let door = Door { url: app.url.clone(), agent: ureq::Agent::new_with_defaults() };
    let built =
        Verifier::builder(ISSUER).audience(ISSUER).source(door).clock(Moved(app.clock.clone())).build();
    Arc::new(built.unwrap())
}

fn it_reads_what_the_server_wrote_by_either_algorithm(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client_with(ClientSpec::with_scopes("read")));
    let verifier = verifier(&app);
    // Its list of keys has one, too, that is nothing for access tokens.
    app.operate(app::key::ensure_for_id_tokens).unwrap();
    assert!(app.get("/.well-known/jwks.json").body.to_string().contains("RS256"));
    for algorithm in SigningAlgorithm::OF_ACCESS_TOKENS {
        // The second rotation brings the key of this algorithm into use.
        for _ in 0..2 {
            app.operate(|service, conn, at| app::key::rotate(service, conn, at, Some(algorithm))).unwrap();
            app.pass(600);
        }
        let token = client.otp("alice", &phone.code()).access_token();
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(format!("{:?}", header.alg), algorithm.as_str());
        let claims = verifier.verify(&token, &Check::new().scope("read").amr("otp")).unwrap();
        let introspected = client.introspect(&token).body;
        assert_eq!(introspected["sub"], claims.subject());
        assert_eq!(introspected["jti"], claims.token_id());
        assert_eq!(introspected["acr"].as_str(), claims.acr());
        assert_eq!(introspected["sid"].as_str(), claims.session_id());
        assert_eq!(introspected["exp"].as_u64(), Some(claims.expires_at()));
        assert!(matches!(
            verifier.verify(&token, &Check::new().scope("write")),
            Err(Error::InsufficientScope { .. })
        ));
    }
}

fn everything_that_ends_tokens_is_heard_of(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let client = app.client_with(ClientSpec::with_scopes("sessions"));
    let verifier = verifier(&app);
    let name = UserName::parse("alice").unwrap();
    let ends: [&dyn Fn(&str); 6] = [
        &|token| assert_eq!(client.revoke(token).status, 200),
        &|token| assert_eq!(app.delete_as("/account/sessions", token).status, 204),
        &|_| app.reset("alice"),
        &|_| {
            app.lock("alice");
            app.unlock("alice");
        },
        &|_| drop(app.operate(|service, conn, at| revoke(service, conn, at, &Leaked::Current)).unwrap()),
        &|_| {
            app.operate(|service, conn, at| app::user::remove(service, conn, at, &name)).unwrap();
        },
    ];
    for (index, end) in ends.into_iter().enumerate() {
        let phone = app.phone("alice");
        let token = client.otp("alice", &phone.code()).access_token();
        verifier.verify(&token, &Check::new()).unwrap_or_else(|error| panic!("{index}: {error}"));
        end(&token);
        assert!(!client.is_active(&token), "{index}");
        // The list that the verifier holds is up to a minute old.
        app.pass(61);
        let refused = verifier.verify(&token, &Check::new());
        assert!(refused.is_err(), "{index}: {refused:?}");
    }
}

fn rotations_in_the_middle_of_traffic_refuse_no_valid_token(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let verifier = verifier(&app);
    let mut tokens = Vec::new();
    for round in 0..12 {
        tokens.push(client.otp("alice", &phone.code()).access_token());
        for token in &tokens {
            verifier.verify(token, &Check::new()).unwrap_or_else(|error| panic!("{round}: {error}"));
        }
        if round % 4 == 3 {
            app.operate(|service, conn, at| app::key::rotate(service, conn, at, None)).unwrap();
        }
        app.pass(60);
    }
}

fn a_refreshed_token_is_no_fresh_login(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client_with(ClientSpec::with_scopes("offline_access")));
    let verifier = verifier(&app);
    let login = client.otp("alice", &phone.code());
    let fresh = Check::new().max_age(300);
    verifier.verify(&login.access_token(), &fresh).unwrap();
    app.pass(400);
    let refreshed = client.refresh(login.text("refresh_token")).access_token();
    verifier.verify(&refreshed, &Check::new()).unwrap();
    let refused = verifier.verify(&refreshed, &fresh).unwrap_err();
    assert_eq!(refused.code(), "insufficient_user_authentication");
    assert!(refused.www_authenticate().unwrap().contains("max_age=300"));
}

fn details_allow_one_action_on_one_thing(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let phone = app.phone("alice");
    let client = app.client_with(ClientSpec { detail_types: &["document"], ..ClientSpec::with_scopes("") });
    let details = r#"[{"type":"document","actions":["comment"],"identifier":"42"}]"#;
    let held = Access::Detail(Box::new(Details::parse(details).unwrap().entries()[0].clone()));
    let alice = [Named::User(UserName::parse("alice").unwrap())];
    let span = Span { starts_at: app.clock.now(), ends_at: Timestamp::NEVER };
    app.operate(|service, conn, at| access::give(service, conn, at, &alice, &held, span)).unwrap();
    let token = client
        .token(&[
            ("grant_type", countersign::domain::client::Grant::Otp.as_str()),
            ("username", "alice"),
            ("otp", &phone.code()),
            ("authorization_details", details),
        ])
        .access_token();
    let claims = verifier(&app).verify(&token, &Check::new()).unwrap();
    assert!(claims.allows("document", "comment", "42"));
    for (kind, action, identifier) in
        [("document", "delete", "42"), ("document", "comment", "43"), ("folder", "comment", "42")]
    {
        assert!(!claims.allows(kind, action, identifier), "{kind} {action} {identifier}");
    }
}
