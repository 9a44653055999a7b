//! Login at an application by way of the browser: OAuth 2.0's code flow (RFC 6749 s4.1) with PKCE (RFC 7636), and OpenID Connect; and whoever attacks it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::app;
use countersign::app::context::ConsolePolicy;
use countersign::domain::authorization::ScopeRule;
use countersign::domain::client::{Grant, SecondFactor, TokenFormat};
use countersign::domain::password::Password;
use countersign::domain::token::SigningAlgorithm;
use countersign::domain::user::{Role, UserName};
use diesel::connection::SimpleConnection;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::access::rule;
use crate::actors::{
    App, CALLBACK, Client, ClientSpec, ISSUER, PASSWORD, Phone, at_once, count_rows, form_urlencoded,
    unused_name,
};
use crate::visitor::{Page, Visitor};
use crate::{Backend, tests};

tests![
    a_login_in_the_browser_leads_on_to_the_application,
    whoever_is_logged_in_goes_straight_on,
    an_id_token_says_who_logged_in_to_this_application_alone,
    the_application_learns_what_its_scopes_tell,
    a_code_is_good_once_however_many_try,
    a_code_that_comes_again_ends_the_session_that_it_led_to,
    a_code_is_good_for_its_application_address_and_request_alone,
    a_code_that_was_tried_wrongly_is_used_up,
    a_code_ends_with_its_minute_and_with_the_login_that_it_came_from,
    a_request_is_bound_to_its_sender,
    nobody_is_sent_to_an_address_that_is_not_registered,
    what_an_application_may_not_ask_is_said_to_it,
    an_application_asks_without_a_page_and_hears_who_is_not_there,
    an_application_has_people_log_in_again,
    going_to_an_application_keeps_the_browsers_session_and_asking_by_itself_does_not,
    people_are_asked_where_the_application_wants_that,
    a_remembered_browser_gives_a_code_where_the_application_wants_a_second_factor,
    the_session_at_the_application_ends_with_what_the_login_stood_on,
    a_refresh_keeps_the_time_of_the_login,
    a_form_of_the_application_asks_the_same,
    a_login_that_took_too_long_still_leads_to_the_application,
    a_session_that_ends_before_the_code_still_leads_to_the_application,
    nothing_leads_from_a_form_to_elsewhere,
    an_application_without_an_address_is_not_registered_for_this,
    codes_that_are_over_are_swept,
    the_documents_say_where_everything_is,
    an_application_gets_no_power_over_an_account_unasked,
    who_has_somebodys_cookie_lets_no_application_act_in_their_place,
    the_question_says_whose_authenticators_it_is_about,
    an_application_for_the_own_authenticators_gets_no_power_over_everybodys,
    what_an_application_is_not_registered_for_is_left_out,
    an_application_that_was_narrowed_meanwhile_gets_what_it_still_has,
    tokens_are_for_whom_the_browsers_request_named,
    a_scope_that_wants_a_young_or_strong_login_brings_a_code_on_the_way,
    whoever_the_application_supposes_is_not_taken_for_somebody_else,
    a_code_ends_with_the_factor_and_with_a_new_password,
    one_use_tokens_and_details_come_by_this_way_too,
    nobody_is_sent_to_applications_without_end,
    the_keys_of_id_tokens_are_listed_rotated_and_revoked,
    two_servers_make_one_key_of_id_tokens,
    of_two_logins_in_one_browser_the_other_leads_on,
    an_application_that_logs_somebody_out_leads_here_and_back,
    nobody_is_logged_out_by_another_site_or_sent_to_one,
    no_page_says_what_somebody_has_written_in_the_place_of_a_name,
    a_form_that_cannot_be_read_gets_a_page,
    a_logout_speaks_the_language_of_the_account,
];

/// What the application keeps for itself.
pub const VERIFIER: &str = "a-text-that-only-the-application-knows-00000";

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

/// A user who has a phone, and an application.
fn alice(app: &App) -> Phone {
    app.user_with_password("alice");
    app.phone("alice")
}

const ALL_SCOPES: &str = "documents:read email groups offline_access openid profile";

fn shop(app: &App) -> Client<'_> {
    let redirect_uris = vec![CALLBACK.to_owned(), BYE.to_owned()];
    app.client_with(ClientSpec { redirect_uris, ..ClientSpec::with_scopes(ALL_SCOPES) })
}

/// A request with `changes` to a good one: another value, or without it where that is empty.
pub fn request(client: &Client<'_>, changes: &[(&str, &str)]) -> String {
    let challenge = challenge();
    let good = [
        ("response_type", "code"),
        ("client_id", &client.id),
        ("redirect_uri", CALLBACK),
        ("scope", "openid"),
        ("state", "the state"),
        ("nonce", "the nonce"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let mut fields: BTreeMap<&str, &str> = good.into();
    fields.extend(changes.iter().copied());
    let fields: Vec<_> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    format!("/oauth/authorize?{}", form_urlencoded(&fields))
}

/// What an application is told by way of the browser.
#[track_caller]
fn told(page: &Page) -> BTreeMap<String, String> {
    assert_eq!(page.status, 303, "{page:?}");
    let query = page.to.strip_prefix(CALLBACK).and_then(|rest| rest.strip_prefix('?'));
    let query = query.unwrap_or_else(|| panic!("not back to the application: {page:?}"));
    let told: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(told["iss"], ISSUER);
    told
}

/// The code that a browser which is logged in brings.
#[track_caller]
fn code_for(visitor: &Visitor<'_>, client: &Client<'_>, changes: &[(&str, &str)]) -> String {
    let told = told(&visitor.get(&request(client, changes)));
    told.get("code").unwrap_or_else(|| panic!("{told:?}")).clone()
}

#[track_caller]
fn error_of(page: &Page) -> String {
    let told = told(page);
    assert!(!told.contains_key("code"), "{told:?}");
    told["error"].clone()
}

/// The claims of an ID token as the application checks it.
#[track_caller]
pub fn id_claims(app: &App, client: &Client<'_>, id_token: &str) -> Value {
    let keys: JwkSet = serde_json::from_value(app.get("/.well-known/jwks.json").body).unwrap();
    let header = decode_header(id_token).unwrap();
    assert_eq!((header.typ.as_deref(), header.alg), (Some("JWT"), Algorithm::RS256));
    let key = DecodingKey::from_jwk(keys.find(&header.kid.unwrap()).unwrap()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[&client.id]);
    validation.set_issuer(&[&app.state.service.issuer]);
    // The server's clock is a fake one.
    validation.validate_exp = false;
    decode(id_token, &key, &validation).unwrap().claims
}

fn a_login_in_the_browser_leads_on_to_the_application(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::at(&app);
    let login = visitor.get(&request(&shop, &[("login_hint", "alice")])).must_be(303).to;
    assert!(login.starts_with("/login?to=%2Foauth%2Fauthorize%3F"), "{login}");
    // Says where it leads, and who it is supposed to be.
    let page = visitor.get(&login).must_be(200).must_say("<strong>shop</strong>").must_say("value=\"alice\"");
    let to = page.between("name=\"to\" value=\"", "\"");
    let asked = [("username", "alice"), ("password", PASSWORD), ("to", &to)];
    let next = visitor.post("/login", &asked).must_be(303).to;
    let page = visitor.get(&next).must_be(200);
    assert_eq!(page.between("name=\"to\" value=\"", "\""), to, "the request goes along");
    // A form leads away from here by way of a page: browsers follow no redirection to elsewhere from one.
    let page = visitor.post("/login/code", &[("otp", &phone.code()), ("to", &to)]).must_be(200);
    let on = page.between("http-equiv=\"refresh\" content=\"0;url=", "\"");
    assert_eq!(on, to);
    let told = told(&visitor.get(&on));
    assert_eq!(told["state"], "the state");
    let tokens = shop.fetch(&told["code"], VERIFIER);
    let token = tokens.access_token();
    assert_eq!(tokens.text("scope"), "openid");
    assert!(shop.is_active(&token));
    assert!(!tokens.text("id_token").is_empty());
}

fn whoever_is_logged_in_goes_straight_on(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let first = shop.fetch(&code_for(&visitor, &shop, &[]), VERIFIER);
    let second = shop.fetch(&code_for(&visitor, &shop, &[]), VERIFIER);
    assert_ne!(first.access_token(), second.access_token());
    // At each application a session of its own, with what the browser was, and not the application's server.
    let claims = id_claims(&app, &shop, first.text("id_token"));
    assert_ne!(claims["sid"], id_claims(&app, &shop, second.text("id_token"))["sid"]);
    visitor.get("/console/account/sessions").must_be(200).must_say("shop");
}

fn an_id_token_says_who_logged_in_to_this_application_alone(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let login_at = app.clock.now().unix_seconds();
    app.pass(600);
    let tokens = shop.fetch(&code_for(&visitor, &shop, &[]), VERIFIER);
    let (token, id_token) = (tokens.access_token(), tokens.text("id_token"));
    let claims = id_claims(&app, &shop, id_token);
    let told = shop.introspect(&token).body;
    for (claim, value) in [
        ("sub", told["sub"].clone()),
        ("sid", told["sid"].clone()),
        ("auth_time", login_at.into()),
        ("iat", (login_at + 600).into()),
        ("nonce", "the nonce".into()),
        ("acr", "urn:countersign:acr:otp".into()),
        ("at_hash", URL_SAFE_NO_PAD.encode(&Sha256::digest(&token)[..16]).into()),
        ("exp", (login_at + 600 + 3600).into()),
        ("amr", serde_json::json!(["pwd", "otp", "mfa"])),
    ] {
        assert_eq!(claims[claim], value, "{claim}");
    }
    assert_eq!(told["auth_time"], login_at, "the same as in the token");
    for private in ["preferred_username", "email", "groups"] {
        assert!(claims.get(private).is_none(), "{private} without its scope");
    }
    // It opens nothing.
    assert!(!shop.is_active(id_token));
    for path in ["/oauth/userinfo", "/account/sessions", "/v1/users"] {
        app.get_as(path, id_token).must_be_problem(401, "invalid_token");
    }
    // Without the scope there is none.
    let tokens = shop.fetch(&code_for(&visitor, &shop, &[("scope", "documents:read")]), VERIFIER);
    assert!(tokens.body.get("id_token").is_none());
    app.get_as("/oauth/userinfo", &tokens.access_token()).must_be_problem(403, "insufficient_scope");
    // Nor for an opaque access token is it anything else.
    let spec =
        ClientSpec { name: "opaque", format: TokenFormat::Opaque, ..ClientSpec::with_scopes("openid") };
    let other = app.client_with(spec);
    let tokens = other.fetch(&code_for(&visitor, &other, &[]), VERIFIER);
    assert_eq!(id_claims(&app, &other, tokens.text("id_token"))["sub"], claims["sub"]);
    assert_eq!(app.get_as("/oauth/userinfo", &tokens.access_token()).body["sub"], claims["sub"]);
}

fn the_application_learns_what_its_scopes_tell(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let name = UserName::parse("alice").unwrap();
    app.operate(|service, conn, at| {
        app::user::change_email(service, conn, at, &name, Some("alice@example.org"))
    })
    .unwrap();
    for group in ["staff", "admins"] {
        app.operate(|service, conn, at| app::access::add_group(service, conn, at, group)).unwrap();
        app.operate(|service, conn, at| {
            app::access::add_members(service, conn, at, group, std::slice::from_ref(&name))
        })
        .unwrap();
    }
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let all = [("scope", "openid profile email groups")];
    let tokens = shop.fetch(&code_for(&visitor, &shop, &all), VERIFIER);
    let claims = id_claims(&app, &shop, tokens.text("id_token"));
    let info = app.get_as("/oauth/userinfo", &tokens.access_token());
    assert_eq!((info.status, info.header("cache-control")), (200, Some("no-store")));
    for told in [&claims, &info.body] {
        assert_eq!((&told["preferred_username"], &told["name"]), (&"alice".into(), &"alice".into()));
        assert_eq!(told["email"], "alice@example.org");
        assert_eq!(told["groups"], serde_json::json!(["admins", "staff"]));
        assert!(told.get("email_verified").is_none(), "nobody has proved it");
    }
    assert_eq!(info.body["sub"], claims["sub"]);
    let posted = app.call(
        "POST",
        "/oauth/userinfo",
        &[("authorization", &format!("Bearer {}", tokens.access_token()))],
        &Value::Null,
    );
    assert_eq!(posted.body, info.body);
    let form = form_urlencoded(&[("access_token", &tokens.access_token())]);
    let header = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(app.post("/oauth/userinfo", &header, form.as_bytes()).body, info.body);
    app.post("/oauth/userinfo", &header, b"a=b").must_be_problem(401, "invalid_token");
    app.get("/oauth/userinfo").must_be_problem(401, "invalid_token");
    let authorization = format!("Bearer {}", tokens.access_token());
    let both = [header[0], ("authorization", authorization.as_str())];
    app.post("/oauth/userinfo", &both, form.as_bytes()).must_be_problem(400, "invalid_request");
    assert_eq!(app.post("/oauth/userinfo", &both, b"").body, info.body);
    // What is no form is not looked at beside a header, nor is a header that is no bearer's beside a form.
    let json = [("content-type", "application/json"), both[1]];
    assert_eq!(app.post("/oauth/userinfo", &json, b"").body, info.body);
    let basic = [header[0], ("authorization", "Basic YTpi")];
    assert_eq!(app.post("/oauth/userinfo", &basic, form.as_bytes()).body, info.body);
    // What is taken from the user, or from the application, the token tells no more.
    let by_grant = ScopeRule { by_grant: true, ..rule("email") };
    app.operate(|service, conn, at| app::access::put_scope(service, conn, at, &by_grant)).unwrap();
    let told = || app.get_as("/oauth/userinfo", &tokens.access_token()).body;
    assert_eq!((told().get("email"), &told()["groups"]), (None, &info.body["groups"]));
    let narrow = "UPDATE client SET scopes = 'openid profile email' WHERE name = 'shop'";
    app.place.connection().batch_execute(narrow).unwrap();
    assert_eq!((told().get("groups"), &told()["name"]), (None, &"alice".into()));
    // As long as the user may log in.
    app.lock("alice");
    app.get_as("/oauth/userinfo", &tokens.access_token()).must_be_problem(401, "invalid_token");
}

fn a_code_is_good_once_however_many_try(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let other = app.another();
    for _ in 0..5 {
        let code = code_for(&visitor, &shop, &[]);
        let replies = at_once(8, |index| {
            let at = if index % 2 == 0 { &app } else { &other };
            shop.at(at).fetch(&code, VERIFIER)
        });
        let (good, bad): (Vec<_>, Vec<_>) = replies.iter().partition(|reply| reply.status == 200);
        assert_eq!(good.len(), 1, "{good:?}");
        for reply in bad {
            reply.must_be(400, "invalid_grant");
        }
        assert!(!shop.is_active(&good[0].access_token()), "somebody has a copy");
    }
}

fn a_code_that_comes_again_ends_the_session_that_it_led_to(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let code = code_for(&visitor, &shop, &[("scope", "openid offline_access")]);
    let tokens = shop.fetch(&code, VERIFIER);
    let refreshed = shop.refresh(tokens.text("refresh_token"));
    // Another application that got hold of it does no harm.
    let thief = app.client_with(ClientSpec { name: "thief", ..ClientSpec::with_scopes("openid") });
    thief.fetch(&code, VERIFIER).must_be(400, "invalid_grant");
    assert!(shop.is_active(&refreshed.access_token()));
    shop.fetch(&code, VERIFIER).must_be(400, "invalid_grant");
    assert!(!shop.is_active(&tokens.access_token()) && !shop.is_active(&refreshed.access_token()));
    shop.refresh(refreshed.text("refresh_token")).must_be(400, "invalid_grant");
    visitor.get("/console/account").must_be(200);
    let entries = app.operate(|_, conn, _| app::audit::last(conn, 5)).unwrap();
    assert!(entries.iter().any(|entry| entry.action == "authorization_code.reused"), "{entries:?}");
}

fn a_code_is_good_for_its_application_address_and_request_alone(on: Backend) {
    let app = App::start(on);
    let phone = alice(&app);
    let spec = ClientSpec {
        redirect_uris: vec![CALLBACK.to_owned(), "https://shop.example/other".to_owned()],
        ..ClientSpec::with_scopes(ALL_SCOPES)
    };
    let shop = app.client_with(spec);
    let thief = app.client_with(ClientSpec { name: "thief", ..ClientSpec::with_scopes("openid") });
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let fetch = |client: &Client<'_>, code: &str, fields: &[(&str, &str)]| {
        client.token(&[&[("grant_type", "authorization_code"), ("code", code)], fields].concat())
    };
    let whole = [("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    let other_verifier = VERIFIER.replace('0', "1");
    let code = code_for(&visitor, &shop, &[]);
    fetch(&thief, &code, &whole).must_be(400, "invalid_grant");
    fetch(&shop.with_secret("css_wrong"), &code, &whole).must_be(401, "invalid_client");
    fetch(&shop, &code, &whole).access_token();
    for wrong in [
        &[("redirect_uri", "https://shop.example/other"), ("code_verifier", VERIFIER)],
        &[("redirect_uri", CALLBACK), ("code_verifier", other_verifier.as_str())],
        &[("redirect_uri", CALLBACK), ("code_verifier", "")],
    ] {
        fetch(&shop, &code_for(&visitor, &shop, &[]), wrong).must_be(400, "invalid_grant");
    }
    // A verifier where nobody has asked for one: the request was not the one that the application sent.
    let unasked = [("code_challenge", ""), ("code_challenge_method", "")];
    fetch(&shop, &code_for(&visitor, &shop, &unasked), &whole).must_be(400, "invalid_grant");
    fetch(&shop, &code_for(&visitor, &shop, &unasked), &whole[..1]).access_token();
    // What is missing or malformed is said, and uses nothing up.
    let code = code_for(&visitor, &shop, &[]);
    for (fields, named) in [
        (&[("code_verifier", VERIFIER), ("redirect_uri", "")], "redirect_uri"),
        (&[("redirect_uri", CALLBACK), ("code_verifier", "short")], "code_verifier"),
    ] {
        let reply = fetch(&shop, &code, fields);
        reply.must_be(400, "invalid_request");
        assert!(reply.text("error_description").starts_with(named), "{reply:?}");
    }
    fetch(&shop, &code, &whole).access_token();
}

fn a_code_that_was_tried_wrongly_is_used_up(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let code = code_for(&visitor, &shop, &[]);
    shop.fetch(&code, &VERIFIER.replace('0', "1")).must_be(400, "invalid_grant");
    shop.fetch(&code, VERIFIER).must_be(400, "invalid_grant");
    shop.fetch("csa_unknown", VERIFIER).must_be(400, "invalid_grant");
}

fn a_code_ends_with_its_minute_and_with_the_login_that_it_came_from(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let code = code_for(&visitor, &shop, &[]);
    app.pass(59);
    shop.fetch(&code, VERIFIER).access_token();
    let code = code_for(&visitor, &shop, &[]);
    app.pass(60);
    shop.fetch(&code, VERIFIER).must_be(400, "invalid_grant");
    // Logged out.
    let code = code_for(&visitor, &shop, &[]);
    visitor.get("/console/account");
    visitor.post("/logout", &[]).must_be(303);
    shop.fetch(&code, VERIFIER).must_be(400, "invalid_grant");
    // Locked; and unlocked the old login is still over.
    app.next_step();
    visitor.log_in("alice", &phone);
    let code = code_for(&visitor, &shop, &[]);
    app.lock("alice");
    shop.fetch(&code, VERIFIER).must_be(400, "invalid_grant");
    app.unlock("alice");
    shop.fetch(&code, VERIFIER).must_be(400, "invalid_grant");
    // Reset.
    app.next_step();
    let again = Visitor::logged_in(&app, "alice", &phone);
    let code = code_for(&again, &shop, &[]);
    app.reset("alice");
    shop.fetch(&code, VERIFIER).must_be(400, "invalid_grant");
    // The application was disabled.
    let phone = app.phone("alice");
    let again = Visitor::logged_in(&app, "alice", &phone);
    let code = code_for(&again, &shop, &[]);
    let set =
        |state| app.operate(|service, conn, at| app::client::set_state(service, conn, at, "shop", state));
    set(countersign::domain::client::ClientState::Disabled).unwrap();
    shop.fetch(&code, VERIFIER).must_be(401, "invalid_client");
    again.get(&request(&shop, &[])).must_be(400);
}

fn a_request_is_bound_to_its_sender(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let no_challenge = [("code_challenge", ""), ("code_challenge_method", "")];
    let page = visitor.get(&request(&shop, &[no_challenge.as_slice(), &[("nonce", "")]].concat()));
    assert_eq!(error_of(&page), "invalid_request");
    // A nonce does, where there is an ID token to repeat it in.
    let page =
        visitor.get(&request(&shop, &[no_challenge.as_slice(), &[("scope", "documents:read")]].concat()));
    assert_eq!(error_of(&page), "invalid_request");
    code_for(&visitor, &shop, &no_challenge);
    code_for(&visitor, &shop, &[("nonce", ""), ("scope", "documents:read")]);
}

fn nobody_is_sent_to_an_address_that_is_not_registered(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    for uri in [
        "https://evil.example/callback",
        "https://shop.example/callback/",
        "https://shop.example/callback?next=https://evil.example",
        "https://shop.example/callback#",
        "https://shop.example:443/callback",
        "https://SHOP.example/callback",
        "https://shop.example/callback/../evil",
        "https://shop.example.evil.example/callback",
        "https://shop.example@evil.example/callback",
        "http://shop.example/callback",
        "javascript:alert(1)",
        "//evil.example",
        "",
    ] {
        for prompt in ["", "none"] {
            let page = visitor.get(&request(&shop, &[("redirect_uri", uri), ("prompt", prompt)]));
            assert_eq!((page.status, page.to.as_str()), (400, ""), "{uri}");
            assert!(page.text.contains("redirect_uri"), "{page:?}");
        }
    }
    for id in ["", "shop", "01a0aaaa-0000-7000-8000-000000000001", &app_console()] {
        let page = visitor.get(&request(&shop, &[("client_id", id)]));
        assert_eq!((page.status, page.to.as_str()), (400, ""), "{id}");
        assert!(page.text.contains("client_id"), "{page:?}");
    }
    let doubled = format!("{}&redirect_uri=https%3A%2F%2Fevil.example", request(&shop, &[]));
    visitor.get(&doubled).must_be(400).must_say("redirect_uri is given more than once");
    visitor.get(&request(&shop, &[("state", &"s".repeat(2001))])).must_be(400).must_say("state must be");
    visitor
        .get(&request(&shop, &[("login_hint", &"s".repeat(16_000))]))
        .must_be(400)
        .must_say("query is longer");
    // Where it is known whom to tell, that one is told.
    let long = visitor.get(&request(&shop, &[("login_hint", &"s".repeat(4000))]));
    assert_eq!(error_of(&long), "invalid_request");
    visitor.get(&request(&shop, &[("state", "a\r\nLocation: https://evil.example")])).must_be(400);
    assert_eq!(count_rows(&app.place, "authorization_code"), 0);
    // Nor by way of the login: what it leads to is looked at once more.
    let evil = format!(
        "/login?{}",
        form_urlencoded(&[("to", &request(&shop, &[("redirect_uri", "https://evil.example")]))])
    );
    let next = visitor.get(&evil).must_be(303).to;
    visitor.get(&next).must_be(400);
}

/// The id of the console, which is no application.
fn app_console() -> String {
    countersign::domain::id::ClientId::CONSOLE.to_string()
}

fn what_an_application_may_not_ask_is_said_to_it(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let limited = app.client_with(ClientSpec {
        name: "limited",
        grants: vec![Grant::Password],
        ..ClientSpec::with_scopes("openid")
    });
    let (visitor, nobody) = (Visitor::logged_in(&app, "alice", &phone), Visitor::at(&app));
    for (changes, error) in [
        (&[("response_type", "token")][..], "unsupported_response_type"),
        (&[("response_type", "code id_token")], "unsupported_response_type"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_mode", "fragment")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge", "")], "invalid_request"),
        (&[("code_challenge", "short")], "invalid_request"),
        (&[("scope", "\"")], "invalid_scope"),
        (&[("audience", "https://other.example")], "invalid_target"),
        (&[("resource", "https://other.example")], "invalid_target"),
        (&[("resource", ISSUER), ("audience", "https://other.example")], "invalid_target"),
        (&[("authorization_details", "[{\"type\":\"payment\"}]")], "invalid_authorization_details"),
        (&[("authorization_details", "x")], "invalid_authorization_details"),
        (&[("prompt", "none login")], "invalid_request"),
        (&[("max_age", "-1")], "invalid_request"),
        (&[("nonce", "a\nb")], "invalid_request"),
        (&[("request", "eyJ")], "request_not_supported"),
        (&[("request_uri", "https://shop.example/request")], "request_uri_not_supported"),
    ] {
        // Whoever is there: the application is wrong, not the user.
        for visitor in [&visitor, &nobody] {
            let page = visitor.get(&request(&shop, changes));
            assert_eq!(error_of(&page), error, "{changes:?}");
            assert_eq!(told(&page)["state"], "the state");
        }
    }
    assert_eq!(error_of(&nobody.get(&request(&limited, &[]))), "unauthorized_client");
    let doubled = visitor.get(&format!("{}&nonce=another", request(&shop, &[])));
    assert_eq!(error_of(&doubled), "invalid_request");
    let no_identity =
        app.client_with(ClientSpec { name: "plain", ..ClientSpec::with_scopes("documents:read") });
    assert_eq!(error_of(&visitor.get(&request(&no_identity, &[]))), "invalid_scope");
    assert_eq!(count_rows(&app.place, "authorization_code"), 0);
}

fn an_application_asks_without_a_page_and_hears_who_is_not_there(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let none = [("prompt", "none")];
    let visitor = Visitor::at(&app);
    assert_eq!(error_of(&visitor.get(&request(&shop, &none))), "login_required");
    visitor.log_in("alice", &phone);
    code_for(&visitor, &shop, &none);
    app.pass(100);
    let page = visitor.get(&request(&shop, &[("prompt", "none"), ("max_age", "99")]));
    assert_eq!(error_of(&page), "login_required");
    code_for(&visitor, &shop, &[("prompt", "none"), ("max_age", "100")]);
    // A cookie that is over is nobody's.
    app.pass(1801);
    assert_eq!(error_of(&visitor.get(&request(&shop, &none))), "login_required");
}

fn an_application_has_people_log_in_again(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    for changes in [[("prompt", "login")], [("max_age", "0")], [("max_age", "30")]] {
        app.pass(60);
        let again = visitor.get(&request(&shop, &changes)).must_be(303).to;
        assert!(again.starts_with("/login/again?to=%2Foauth%2Fauthorize%3F"), "{again}");
        let page = visitor.get(&again).must_be(200);
        let to = page.between("name=\"to\" value=\"", "\"");
        visitor.post("/login/again", &[("otp", &phone.wrong_code()), ("to", &to)]).must_be(400);
        let page = visitor.post("/login/again", &[("otp", &phone.code()), ("to", &to)]).must_be(200);
        let on = page.between("http-equiv=\"refresh\" content=\"0;url=", "\"");
        app.pass(5);
        let tokens = shop.fetch(&told(&visitor.get(&on))["code"], VERIFIER);
        let claims = id_claims(&app, &shop, tokens.text("id_token"));
        assert_eq!(claims["auth_time"], app.clock.now().unix_seconds() - 5, "{changes:?}");
    }
    // Whoever logs in has not to do it twice.
    let nobody = Visitor::at(&app);
    let login = nobody.get(&request(&shop, &[("prompt", "login"), ("max_age", "0")])).to;
    assert!(
        login.starts_with("/login?to=") && !login.contains("prompt") && !login.contains("max_age"),
        "{login}"
    );
}

fn going_to_an_application_keeps_the_browsers_session_and_asking_by_itself_does_not(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    for _ in 0..3 {
        app.pass(1700);
        code_for(&visitor, &shop, &[]);
    }
    app.pass(1000);
    code_for(&visitor, &shop, &[("prompt", "none")]);
    app.pass(900);
    assert_eq!(error_of(&visitor.get(&request(&shop, &[("prompt", "none")]))), "login_required");
}

fn people_are_asked_where_the_application_wants_that(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    for prompt in ["consent", "select_account"] {
        let page = visitor.get(&request(&shop, &[("prompt", prompt)])).must_be(200);
        page.must_say("<strong>shop</strong>").must_say("<strong>alice</strong>");
        let on = page.between("class=\"button\" href=\"", "\"");
        shop.fetch(&told(&visitor.get(&on))["code"], VERIFIER).access_token();
        let back = page.between("class=\"button secondary\" href=\"", "\"");
        assert!(back.starts_with(CALLBACK) && back.contains("error=access_denied"), "{back}");
    }
    // Somebody else logs in, and goes where alice would have gone.
    app.user_with_password("bob");
    let phone = app.phone("bob");
    let page = visitor.get(&request(&shop, &[("prompt", "select_account")])).must_be(200);
    let to = page.between("name=\"to\" value=\"", "\"");
    let login = visitor.post("/logout", &[("to", &to)]).must_be(303).to;
    let page = visitor.get(&login).must_be(200).must_say("<strong>shop</strong>").must_say("logged out");
    let to = page.between("name=\"to\" value=\"", "\"");
    visitor.post("/login", &[("username", "bob"), ("password", PASSWORD), ("to", &to)]).must_be(303);
    visitor.get("/login/code").must_be(200);
    visitor.post("/login/code", &[("otp", &phone.code()), ("to", &to)]).must_be(200);
    let tokens = shop.fetch(&told(&visitor.get(&to))["code"], VERIFIER);
    assert_eq!(shop.introspect(&tokens.access_token()).text("username"), "bob");
    // Where nobody may be asked, that is no question.
    assert_eq!(error_of(&visitor.get(&request(&shop, &[("prompt", "none consent")]))), "invalid_request");
}

fn a_remembered_browser_gives_a_code_where_the_application_wants_a_second_factor(on: Backend) {
    let first = App::start(on);
    let app =
        first.with_console(ConsolePolicy { remember_device_s: Some(86_400), ..ConsolePolicy::default() });
    let (phone, shop) = (alice(&app), shop(&app));
    let relaxed = app.client_with(ClientSpec {
        name: "relaxed",
        second_factor: SecondFactor::Optional,
        ..ClientSpec::with_scopes("openid")
    });
    let visitor = Visitor::at(&app);
    visitor.give_password("alice");
    visitor.post("/login/code", &[("otp", &phone.code()), ("remember", "1")]).must_lead_to("/console");
    visitor.get("/console/account");
    visitor.post("/logout", &[]).must_be(303);
    visitor.get("/login");
    visitor.post("/login", &[("username", "alice"), ("password", PASSWORD)]).must_lead_to("/console");
    // By password alone.
    let tokens = relaxed.fetch(&code_for(&visitor, &relaxed, &[]), VERIFIER);
    assert_eq!(id_claims(&app, &relaxed, tokens.text("id_token"))["acr"], "urn:countersign:acr:pwd");
    let strong = [("acr_values", "urn:other urn:countersign:acr:otp")];
    for asked in [request(&shop, &[]), request(&relaxed, &strong)] {
        let again = visitor.get(&asked).must_be(303).to;
        assert!(again.starts_with("/login/again?to="), "{again}");
    }
    assert_eq!(error_of(&visitor.get(&request(&shop, &[("prompt", "none")]))), "login_required");
    code_for(&visitor, &relaxed, &[("acr_values", "urn:other urn:countersign:acr:pwd")]);
    code_for(&visitor, &relaxed, &[("acr_values", "urn:other")]);
    app.next_step();
    visitor.get("/login/again").must_be(200);
    visitor.post("/login/again", &[("otp", &phone.code())]).must_lead_to("/console");
    let tokens = shop.fetch(&code_for(&visitor, &shop, &[]), VERIFIER);
    assert_eq!(id_claims(&app, &shop, tokens.text("id_token"))["acr"], "urn:countersign:acr:otp");
}

fn the_session_at_the_application_ends_with_what_the_login_stood_on(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let token = || shop.fetch(&code_for(&visitor, &shop, &[]), VERIFIER).access_token();
    // Not with the browser's session: the application has its own logout.
    let kept = token();
    let factor = {
        let name = UserName::parse("alice").unwrap();
        app.operate(|_, conn, at| app::factor::list(conn, at, &name)).unwrap()[0].id
    };
    app.next_step();
    visitor.get(&format!("/console/account/authenticators/{factor}/remove")).must_be(200);
    visitor
        .post(&format!("/console/account/authenticators/{factor}/remove"), &[("otp", &phone.code())])
        .must_be(303);
    assert!(!shop.is_active(&kept), "the phone is gone, and with it what was logged in by it");
}

fn a_refresh_keeps_the_time_of_the_login(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let login_at = app.clock.now().unix_seconds();
    app.pass(300);
    let tokens = shop.fetch(&code_for(&visitor, &shop, &[("scope", "openid offline_access")]), VERIFIER);
    app.pass(300);
    let refreshed = shop.refresh(tokens.text("refresh_token"));
    assert_eq!(shop.introspect(&refreshed.access_token()).body["auth_time"], login_at);
    assert_eq!(app.get_as("/oauth/userinfo", &refreshed.access_token()).status, 200);
    // An ID token comes along, of the same login and the new access token (OpenID Connect Core s12.2).
    let first = id_claims(&app, &shop, tokens.text("id_token"));
    let second = id_claims(&app, &shop, refreshed.text("id_token"));
    for same in ["iss", "sub", "aud", "auth_time", "sid", "acr", "amr"] {
        assert_eq!(first[same], second[same], "{same}");
    }
    assert_eq!(second["iat"], login_at + 600);
    assert!(first["at_hash"] != second["at_hash"] && second.get("nonce").is_none());
    let narrow = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refreshed.text("refresh_token")),
        ("scope", "offline_access"),
    ];
    let refreshed = shop.token(&narrow);
    assert!(refreshed.body.get("id_token").is_none(), "without the scope");
    // The browser may be closed meanwhile.
    visitor.get("/console/account");
    visitor.post("/logout", &[]);
    assert!(shop.is_active(&refreshed.access_token()));
    shop.refresh(refreshed.text("refresh_token")).access_token();
}

fn a_form_of_the_application_asks_the_same(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let asked = request(&shop, &[]);
    let query = asked.split_once('?').unwrap().1;
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let from_elsewhere = [("sec-fetch-site", "cross-site"), ("origin", "https://shop.example")];
    let page = visitor.send("/oauth/authorize", &fields, &from_elsewhere);
    page.must_lead_to(&asked);
    assert!(told(&visitor.get(&page.to)).contains_key("code"));
    assert_eq!(app.head("/oauth/authorize").status, 405, "a look brings no code");
}

fn a_login_that_took_too_long_still_leads_to_the_application(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::at(&app);
    let login = visitor.get(&request(&shop, &[])).to;
    let to = visitor.get(&login).between("name=\"to\" value=\"", "\"");
    let next =
        visitor.post("/login", &[("username", "alice"), ("password", PASSWORD), ("to", &to)]).must_be(303).to;
    visitor.get(&next).must_be(200).must_say(&login.replace('&', "&#38;"));
    app.pass(601);
    let anew = visitor.post("/login/code", &[("otp", &phone.code()), ("to", &to)]).must_be(303).to;
    assert_eq!(anew, login.replace("/login?", "/login?said=login-expired&"));
    visitor.get(&anew).must_be(200).must_say("<strong>shop</strong>");
}

fn a_session_that_ends_before_the_code_still_leads_to_the_application(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    for sends_the_form in [false, true] {
        app.next_step();
        let visitor = Visitor::logged_in(&app, "alice", &phone);
        let again = visitor.get(&request(&shop, &[("prompt", "login")])).must_be(303).to;
        let page = visitor.get(&again).must_be(200).must_say("<strong>shop</strong>");
        let to = page.between("name=\"to\" value=\"", "\"");
        app.pass(1801);
        let login = if sends_the_form {
            visitor.post("/login/again", &[("otp", &phone.code()), ("to", &to)])
        } else {
            visitor.get(&again)
        };
        assert_eq!(login.must_be(303).to, again.replace("/login/again?", "/login?"));
        visitor.get(&login.to).must_be(200).must_say("<strong>shop</strong>");
    }
}

fn nothing_leads_from_a_form_to_elsewhere(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let page = visitor.get(&request(&shop, &[("prompt", "consent")])).must_be(200);
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    // No script of another origin may hold on to the window, or read what the address said.
    assert_eq!(page.header("cross-origin-opener-policy"), Some("same-origin"));
    let sent = visitor.get(&request(&shop, &[]));
    assert_eq!(
        (sent.header("referrer-policy"), sent.header("cache-control")),
        (Some("no-referrer"), Some("no-store"))
    );
    // Nothing of the request becomes markup.
    let bad = "\"><script>alert(1)</script>";
    let page = visitor.get(&request(&shop, &[("prompt", "consent"), ("state", bad), ("login_hint", bad)]));
    page.must_be(200).must_not_say("<script>alert");
    let nobody = Visitor::at(&app);
    let login = nobody.get(&request(&shop, &[("login_hint", bad), ("state", bad)])).to;
    nobody.get(&login).must_be(200).must_not_say("<script>alert");
}

fn an_application_without_an_address_is_not_registered_for_this(on: Backend) {
    let app = App::start(on);
    let manager = app.client_with(ClientSpec { name: "manager", ..ClientSpec::with_scopes("clients") });
    let token = manager.token(&[("grant_type", "client_credentials")]).access_token();
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
    let put = |uris: &[&str]| {
        let body = serde_json::json!({ "grants": ["authorization_code"], "redirect_uris": uris });
        app.call("PUT", "/v1/clients/wiki", &headers, &body)
    };
    for bad in [&[][..], &["http://wiki.example/callback"], &["https://wiki.example/#a"], &["wiki:/callback"]]
    {
        let reply = put(bad);
        reply.must_be_problem(400, "invalid_request");
        assert!(reply.text("detail").starts_with("redirect_uris"), "{reply:?}");
    }
    assert_eq!(put(&["https://wiki.example/callback", "http://localhost:3000/callback"]).status, 201);
}

fn codes_that_are_over_are_swept(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let code = code_for(&visitor, &shop, &[]);
    shop.fetch(&code, VERIFIER).access_token();
    app.pass(86_400);
    app.sweep();
    assert_eq!(count_rows(&app.place, "authorization_code"), 1, "a copy may still turn up");
    app.pass(120);
    app.sweep();
    assert_eq!(count_rows(&app.place, "authorization_code"), 0);
}

fn the_documents_say_where_everything_is(on: Backend) {
    let app = App::start(on);
    let document = app.get("/.well-known/openid-configuration").body;
    assert_eq!(document, app.get("/.well-known/oauth-authorization-server").body);
    assert_eq!(document["issuer"], ISSUER);
    // What OpenID Connect Discovery s3 requires.
    for (member, path) in [
        ("authorization_endpoint", "/oauth/authorize"),
        ("token_endpoint", "/oauth/token"),
        ("userinfo_endpoint", "/oauth/userinfo"),
        ("jwks_uri", "/.well-known/jwks.json"),
    ] {
        assert_eq!(document[member], format!("{ISSUER}{path}"));
        assert_ne!(app.status(path), 404, "{path}");
    }
    for (member, one) in [
        ("response_types_supported", "code"),
        ("subject_types_supported", "public"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("grant_types_supported", "authorization_code"),
        ("code_challenge_methods_supported", "S256"),
        ("scopes_supported", "openid"),
    ] {
        assert!(document[member].as_array().unwrap().contains(&one.into()), "{member}");
    }
}

fn an_application_gets_no_power_over_an_account_unasked(on: Backend) {
    let app = App::start(on);
    let phone = alice(&app);
    let scopes = "factors openid sessions users";
    let shop = app.client_with(ClientSpec::with_scopes(scopes));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    for changes in [[("scope", "openid factors")], [("scope", "sessions")], [("scope", "")]] {
        let silent = request(&shop, &[changes.as_slice(), &[("prompt", "none")]].concat());
        assert_eq!(error_of(&visitor.get(&silent)), "interaction_required", "{changes:?}");
        let asked = request(&shop, &changes);
        let page = visitor.get(&asked).must_be(200).must_say("<strong>shop</strong>");
        // Nobody else can say yes in her place.
        for agreed in ["", "x", &visitor.mark()] {
            visitor.get(&format!("{asked}&agreed={agreed}")).must_be(200);
        }
        let on = page.between("class=\"button\" href=\"", "\"");
        assert!(on.contains("&agreed="), "{on}");
        let another = on.replace("response_type=code", "response_type=code&audience=");
        assert_ne!(another, on);
        visitor.get(&another).must_be(200);
        let tokens = shop.fetch(&told(&visitor.get(&on))["code"], VERIFIER);
        let token = tokens.access_token();
        assert!(!tokens.text("scope").contains("users"), "that takes a role");
        if tokens.text("scope").contains("sessions") {
            assert_eq!(app.get_as("/account/sessions", &token).status, 200);
        }
    }
    // The page says what it is about; what a role does not have is no question.
    visitor
        .get(&request(&shop, &[("scope", "openid factors users")]))
        .must_say("<li>see, add and remove your authenticators</li>");
    code_for(&visitor, &shop, &[("scope", "openid users")]);
    // Another browser's yes is worth nothing.
    app.next_step();
    let other = Visitor::logged_in(&app, "alice", &phone);
    let page = other.get(&request(&shop, &[("scope", "openid factors")])).must_be(200);
    visitor.get(&page.between("class=\"button\" href=\"", "\"")).must_be(200);
    // An administrator is asked about the management, too.
    let root = app.person("root", Role::Admin);
    let manager = Visitor::logged_in(&app, "root", &root);
    let page = manager.get(&request(&shop, &[("scope", "openid users")])).must_be(200);
    page.must_say("<li>manage users and what they have access to</li>");
    let asked = request(&shop, &[("scope", "openid factors")]);
    manager
        .get(&asked)
        .must_say("<li>see, add and remove your authenticators</li>")
        .must_not_say("all users");
    let on = page.between("class=\"button\" href=\"", "\"");
    let tokens = shop.fetch(&told(&manager.get(&on))["code"], VERIFIER);
    assert_eq!(app.get_as("/v1/users", &tokens.access_token()).status, 200);
}

/// By single sign-on a cookie would bring a token that adds and removes authenticators, for which the console's own forms want a code.
fn who_has_somebodys_cookie_lets_no_application_act_in_their_place(on: Backend) {
    let app = App::start(on);
    let phone = alice(&app);
    let root = app.person("root", Role::Admin);
    let shop = app.client_with(ClientSpec::with_scopes("audit:read factors openid sessions"));
    let question = "It also wants to act here in your place:";
    for (name, phone, scope) in
        [("alice", &phone, "openid factors"), ("root", &root, "audit:read openid"), ("root", &root, "")]
    {
        app.next_step();
        let asked = request(&shop, &[("scope", scope)]);
        let user = Visitor::logged_in(&app, name, phone);
        // Whoever has just logged in is asked at once.
        let yes = user.get(&asked).must_be(200).must_say(question).between("class=\"button\" href=\"", "\"");
        let thief = Visitor::at(&app);
        thief.plant("countersign", &user.cookie("countersign").unwrap());
        app.pass(121);
        // Neither the question nor a yes to it that was kept is any good without another code.
        for asked in [&asked, &yes] {
            let again = thief.get(asked).must_be(303).to;
            assert!(again.starts_with("/login/again?to="), "{again}");
            assert!(!again.contains("agreed"), "{again}");
        }
        let silent = request(&shop, &[("scope", scope), ("prompt", "none")]);
        assert_eq!(error_of(&thief.get(&silent)), "interaction_required");
        // What brings no such power brings no code either.
        code_for(&thief, &shop, &[]);
        let sessions = request(&shop, &[("scope", "openid sessions")]);
        thief.get(&sessions).must_be(200).must_say(question);
        // A code, the question, and on.
        let again = user.get(&asked).must_be(303).to;
        let page = user.get(&again).must_be(200).must_say("<strong>shop</strong>");
        let to = page.between("name=\"to\" value=\"", "\"");
        user.post("/login/again", &[("otp", &phone.code()), ("to", &to)]).must_be(200);
        app.pass(119);
        let page = user.get(&to).must_be(200).must_say(question);
        let tokens =
            shop.fetch(&told(&user.get(&page.between("class=\"button\" href=\"", "\"")))["code"], VERIFIER);
        let scope = tokens.text("scope").to_owned();
        assert!(scope.contains("factors") || scope.contains("audit:read"), "{scope}");
    }
}

fn the_question_says_whose_authenticators_it_is_about(on: Backend) {
    let app = App::start(on);
    let own = "<li>see, add and remove your authenticators</li>";
    let all = "<li>manage the authenticators of all users</li>";
    let seen = "<li>see the authenticators of all users</li>";
    app.user_with_password("bob");
    app.phone("bob");
    let desk = app.client_with(ClientSpec::with_scopes("factors factors:read openid"));
    let unlock = |token: &str| {
        let authorization = format!("Bearer {token}");
        app.call("POST", "/v1/users/bob/unlock", &[("authorization", &authorization)], &Value::Null).status
    };
    for (name, role, said, unsaid, unlocks) in [
        ("alice", Role::User, [own, own], [all, seen], 403),
        ("otto", Role::Auditor, [own, seen], [all, all], 403),
        ("hal", Role::Helpdesk, [all, seen], [own, own], 204),
        ("root", Role::Admin, [all, seen], [own, own], 204),
    ] {
        let phone = app.person(name, role);
        let visitor = Visitor::logged_in(&app, name, &phone);
        let page = visitor.get(&request(&desk, &[("scope", "openid factors factors:read")])).must_be(200);
        for (said, unsaid) in said.into_iter().zip(unsaid) {
            page.must_say(said).must_not_say(unsaid);
        }
        // What it says is what the token does.
        let on = page.between("class=\"button\" href=\"", "\"");
        let token = desk.fetch(&told(&visitor.get(&on))["code"], VERIFIER).access_token();
        assert_eq!(unlock(&token), unlocks, "{name}");
    }
}

/// `factors` in a user's token is for the own ones; `factors:read` beside it, which only roles get, would make it everybody's.
fn an_application_for_the_own_authenticators_gets_no_power_over_everybodys(on: Backend) {
    let app = App::start(on);
    alice(&app);
    let shop = app.client_with(ClientSpec::with_scopes("factors openid"));
    let unlock = |token: &str| {
        let authorization = format!("Bearer {token}");
        app.call("POST", "/v1/users/alice/unlock", &[("authorization", &authorization)], &Value::Null)
    };
    for (name, role) in [("hal", Role::Helpdesk), ("root", Role::Admin)] {
        let phone = app.person(name, role);
        let visitor = Visitor::logged_in(&app, name, &phone);
        let page = visitor.get(&request(&shop, &[("scope", "openid factors factors:read")])).must_be(200);
        page.must_not_say("all users");
        let on = page.between("class=\"button\" href=\"", "\"");
        let tokens = shop.fetch(&told(&visitor.get(&on))["code"], VERIFIER);
        assert_eq!(tokens.text("scope"), "factors openid");
        unlock(&tokens.access_token()).must_be_problem(403, "insufficient_scope");
        assert_eq!(app.get_as("/mfa/authenticators", &tokens.access_token()).status, 200, "the own ones");
    }
}

fn what_an_application_is_not_registered_for_is_left_out(on: Backend) {
    let app = App::start(on);
    let phone = alice(&app);
    let shop = app.client_with(ClientSpec::with_scopes("openid profile"));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let asked = [("scope", "openid profile email phone")];
    let tokens = shop.fetch(&code_for(&visitor, &shop, &asked), VERIFIER);
    assert_eq!(tokens.text("scope"), "openid profile");
}

fn an_application_that_was_narrowed_meanwhile_gets_what_it_still_has(on: Backend) {
    let app = App::start(on);
    let phone = alice(&app);
    let spec =
        || ClientSpec { audiences: &["https://documents.example"], ..ClientSpec::with_scopes(ALL_SCOPES) };
    let shop = app.client_with(spec());
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let asked = [("scope", "openid email documents:read"), ("audience", "https://documents.example")];
    let narrow = |json: &str| {
        let changes: Value = serde_json::from_str(json).unwrap();
        let manager =
            app.client_with(ClientSpec { name: unused_name(), ..ClientSpec::with_scopes("clients") });
        let token = manager.token(&[("grant_type", "client_credentials")]).access_token();
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        assert_eq!(app.call("PUT", "/v1/clients/shop", &headers, &changes).status, 200);
    };
    let code = code_for(&visitor, &shop, &asked);
    narrow(
        r#"{"grants":["authorization_code"],"redirect_uris":["https://shop.example/callback"],"scope":"openid documents:read","audiences":["https://documents.example"]}"#,
    );
    assert_eq!(shop.fetch(&code, VERIFIER).text("scope"), "documents:read openid");
    let code = code_for(&visitor, &shop, &asked);
    narrow(
        r#"{"grants":["authorization_code"],"redirect_uris":["https://shop.example/callback"],"scope":"openid documents:read"}"#,
    );
    shop.fetch(&code, VERIFIER).must_be(400, "invalid_target");
    let code = code_for(&visitor, &shop, &[]);
    narrow(r#"{"grants":["password"],"scope":"openid"}"#);
    shop.fetch(&code, VERIFIER).must_be(400, "unauthorized_client");
}

fn tokens_are_for_whom_the_browsers_request_named(on: Backend) {
    const DOCUMENTS: &str = "https://documents.example";
    let app = App::start(on);
    let phone = alice(&app);
    let shop = app.client_with(ClientSpec { audiences: &[DOCUMENTS], ..ClientSpec::with_scopes(ALL_SCOPES) });
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let fetch = |code: &str, more: &[(&str, &str)]| {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        shop.token(&[&fields, more].concat())
    };
    for field in ["audience", "resource"] {
        let code = code_for(&visitor, &shop, &[(field, DOCUMENTS)]);
        let token = fetch(&code, &[("resource", DOCUMENTS)]).access_token();
        assert_eq!(shop.introspect(&token).text("aud"), DOCUMENTS);
        let code = code_for(&visitor, &shop, &[(field, DOCUMENTS)]);
        assert_eq!(shop.introspect(&fetch(&code, &[]).access_token()).text("aud"), DOCUMENTS);
        // To change one's mind on the way is an error, and uses the code up.
        let code = code_for(&visitor, &shop, &[]);
        fetch(&code, &[(field, DOCUMENTS)]).must_be(400, "invalid_target");
        fetch(&code, &[]).must_be(400, "invalid_grant");
    }
}

fn a_scope_that_wants_a_young_or_strong_login_brings_a_code_on_the_way(on: Backend) {
    let first = App::start(on);
    let app =
        first.with_console(ConsolePolicy { remember_device_s: Some(86_400), ..ConsolePolicy::default() });
    let phone = alice(&app);
    let spec = |second_factor| ClientSpec {
        second_factor,
        ..ClientSpec::with_scopes("bank blink given openid pay sign")
    };
    let shop = app.client_with(spec(SecondFactor::Optional));
    let rule = |name: &str, max_age_s, acr: Option<&str>| ScopeRule {
        max_age_s,
        acr: acr.map(str::to_owned),
        ..rule(name)
    };
    let bank = Some("https://bank.example".to_owned());
    for rule in [
        rule("pay", Some(300), None),
        rule("sign", None, Some("urn:countersign:acr:otp")),
        // No code is quick enough for this one, and none is for those.
        rule("blink", Some(5), None),
        ScopeRule { audience: bank, ..rule("bank", Some(300), None) },
        ScopeRule { by_grant: true, ..rule("given", Some(300), None) },
    ] {
        app.operate(|service, conn, at| app::access::put_scope(service, conn, at, &rule)).unwrap();
    }
    let visitor = Visitor::at(&app);
    visitor.give_password("alice");
    visitor.post("/login/code", &[("otp", &phone.code()), ("remember", "1")]).must_lead_to("/console");
    code_for(&visitor, &shop, &[("scope", "openid pay sign")]);
    app.pass(300);
    let asked = [("scope", "openid bank blink given")];
    assert_eq!(shop.fetch(&code_for(&visitor, &shop, &asked), VERIFIER).text("scope"), "openid");
    assert_eq!(
        error_of(&visitor.get(&request(&shop, &[("scope", "openid pay"), ("prompt", "none")]))),
        "login_required"
    );
    let again = visitor.get(&request(&shop, &[("scope", "openid pay")])).must_be(303).to;
    assert!(again.starts_with("/login/again?to="), "{again}");
    let to = visitor.get(&again).must_be(200).between("name=\"to\" value=\"", "\"");
    visitor.post("/login/again", &[("otp", &phone.code()), ("to", &to)]).must_be(200);
    let tokens = shop.fetch(&told(&visitor.get(&to))["code"], VERIFIER);
    assert_eq!(tokens.text("scope"), "openid pay");
    // By the mark of a remembered browser: no code was given.
    visitor.get("/console/account");
    visitor.post("/logout", &[]).must_be(303);
    visitor.get("/login");
    visitor.post("/login", &[("username", "alice"), ("password", PASSWORD)]).must_lead_to("/console");
    code_for(&visitor, &shop, &[]);
    let again = visitor.get(&request(&shop, &[("scope", "openid sign")])).must_be(303).to;
    assert!(again.starts_with("/login/again?to="), "{again}");
}

fn whoever_the_application_supposes_is_not_taken_for_somebody_else(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let other = app.client_with(ClientSpec { name: "other", ..ClientSpec::with_scopes("openid") });
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let tokens = shop.fetch(&code_for(&visitor, &shop, &[]), VERIFIER);
    let hint = tokens.text("id_token");
    let none = |hint: &str| request(&shop, &[("prompt", "none"), ("id_token_hint", hint)]);
    app.pass(3700);
    app.next_step();
    visitor.log_in("alice", &phone);
    assert!(told(&visitor.get(&none(hint))).contains_key("code"), "however old it is");
    app.user_with_password("bob");
    let bobs = app.phone("bob");
    let bob = Visitor::logged_in(&app, "bob", &bobs);
    assert_eq!(error_of(&bob.get(&none(hint))), "login_required");
    let page =
        bob.get(&request(&shop, &[("id_token_hint", hint)])).must_be(200).must_say("<strong>bob</strong>");
    page.must_say("Log in as somebody else");
    let others = other.fetch(&code_for(&visitor, &other, &[]), VERIFIER);
    let access_token = tokens.access_token();
    for bad in ["x", &access_token, others.text("id_token"), &hint[..hint.len() - 4]] {
        // Nobody may be taken for somebody on its word; with a page there is nobody to be taken for.
        assert_eq!(error_of(&visitor.get(&none(bad))), "login_required", "{bad}");
        assert!(told(&visitor.get(&request(&shop, &[("id_token_hint", bad)]))).contains_key("code"));
    }
    assert!(told(&visitor.get(&none(""))).contains_key("code"));
}

fn a_code_ends_with_the_factor_and_with_a_new_password(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let code = code_for(&visitor, &shop, &[]);
    let name = UserName::parse("alice").unwrap();
    let factor = app.operate(|_, conn, at| app::factor::list(conn, at, &name)).unwrap()[0].id;
    app.operate(|service, conn, at| app::factor::remove(service, conn, at, &name, factor)).unwrap();
    shop.fetch(&code, VERIFIER).must_be(400, "invalid_grant");
    let phone = app.phone("alice");
    visitor.log_in("alice", &phone);
    let code = code_for(&visitor, &shop, &[]);
    let password = Password::chosen("another horse battery").unwrap();
    app.operate(|service, conn, at| app::user::set_password(service, conn, at, &name, &password)).unwrap();
    shop.fetch(&code, VERIFIER).must_be(400, "invalid_grant");
}

fn one_use_tokens_and_details_come_by_this_way_too(on: Backend) {
    let app = App::start(on);
    let phone = alice(&app);
    let once =
        app.client_with(ClientSpec { name: "once", one_use: true, ..ClientSpec::with_scopes("openid pay") });
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let tokens = once.fetch(&code_for(&visitor, &once, &[]), VERIFIER);
    let token = tokens.access_token();
    assert_eq!(id_claims(&app, &once, tokens.text("id_token"))["aud"], once.id);
    assert!(once.is_active(&token) && !once.is_active(&token));
    // Details that nobody was given are left out; a type that is not the application's is refused elsewhere.
    let spec =
        ClientSpec { name: "detailed", detail_types: &["document"], ..ClientSpec::with_scopes("openid") };
    let detailed = app.client_with(spec);
    let asked = [("authorization_details", r#"[{"type":"document","actions":["read"]}]"#)];
    let tokens = detailed.fetch(&code_for(&visitor, &detailed, &asked), VERIFIER);
    assert!(tokens.body.get("authorization_details").is_none(), "{tokens:?}");
}

fn nobody_is_sent_to_applications_without_end(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let mut sent = 0;
    while told(&visitor.get(&request(&shop, &[]))).contains_key("code") {
        sent += 1;
    }
    assert_eq!(sent, 100);
    assert_eq!(error_of(&visitor.get(&request(&shop, &[]))), "temporarily_unavailable");
    assert_eq!(count_rows(&app.place, "authorization_code"), 100);
    // It is hers alone, and ends by itself.
    app.user_with_password("bob");
    let bobs = app.phone("bob");
    code_for(&Visitor::logged_in(&app, "bob", &bobs), &shop, &[]);
    app.pass(5);
    code_for(&visitor, &shop, &[]);
}

fn the_keys_of_id_tokens_are_listed_rotated_and_revoked(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let other = app.another();
    let id_token = || shop.fetch(&code_for(&visitor, &shop, &[]), VERIFIER).text("id_token").to_owned();
    let kid = |token: &str| decode_header(token).unwrap().kid.unwrap();
    let first = id_token();
    assert_eq!(kid(&first), kid(&id_token()), "it is made once");
    let elsewhere = shop.at(&other).fetch(&code_for(&visitor, &shop, &[]), VERIFIER);
    assert_eq!(kid(elsewhere.text("id_token")), kid(&first), "for all servers");
    let keys = app.operate(|_, conn, _| app::key::list(conn)).unwrap();
    assert_eq!(keys.iter().filter(|key| key.algorithm == SigningAlgorithm::Rs256).count(), 1);
    // Access tokens go on as they were, and nobody chooses this for them.
    let rotated = app.operate(|service, conn, at| app::key::rotate(service, conn, at, None)).unwrap();
    let listed = || app.get("/.well-known/jwks.json").body.to_string();
    let next = {
        let keys = app.operate(|_, conn, _| app::key::list(conn)).unwrap();
        let is_next =
            |key: &&app::key::StoredKey| key.algorithm == SigningAlgorithm::Rs256 && key.kid != kid(&first);
        keys.iter().find(is_next).unwrap().kid.clone()
    };
    // Listed at once, and used when everybody's copy of the list is younger.
    assert!(listed().contains(&next) && next != rotated);
    app.pass(599);
    assert_eq!(kid(&id_token()), kid(&first));
    app.pass(1);
    let second = id_token();
    assert_eq!(kid(&second), next);
    assert_eq!(
        id_claims(&app, &shop, &first)["sub"],
        id_claims(&app, &shop, &second)["sub"],
        "both are listed"
    );
    let leaked = app::key::Leaked::These(vec![kid(&second)]);
    app.operate(|service, conn, at| app::key::revoke(service, conn, at, &leaked)).unwrap();
    assert!(listed().contains(&kid(&first)) && !listed().contains(&kid(&second)));
    let none = [("prompt", "none"), ("id_token_hint", second.as_str())];
    assert_eq!(
        error_of(&visitor.get(&request(&shop, &none))),
        "login_required",
        "somebody else may have made it"
    );
    id_token();
    // In an emergency both that sign go.
    let current = app::key::Leaked::Current;
    let (_, revoked) =
        app.operate(|service, conn, at| app::key::revoke(service, conn, at, &current)).unwrap();
    assert_eq!(revoked.len(), 2);
    assert!(!revoked.iter().any(|kid| listed().contains(kid)));
    id_token();
}

fn two_servers_make_one_key_of_id_tokens(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    at_once(6, |index| {
        let at = if index % 2 == 0 { &app } else { &other };
        at.operate(app::key::ensure_for_id_tokens).unwrap();
    });
    assert_eq!(count_rows(&app.place, "id_token_key"), 1);
}

fn of_two_logins_in_one_browser_the_other_leads_on(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::at(&app);
    let first = visitor.get(&request(&shop, &[])).to;
    let to = visitor.get(&first).between("name=\"to\" value=\"", "\"");
    let mark = visitor.mark();
    visitor.log_in("alice", &phone);
    let typed = [("username", "alice"), ("password", PASSWORD), ("to", &to), ("mark", &mark)];
    let page = visitor.send("/login", &typed, &[]).must_be(403);
    let next = page.between("class=\"button\" href=\"", "\"");
    assert_eq!(visitor.get(&next).must_be(303).to, to);
    // Another language is no way to lose it, either.
    let here = format!("/login?{}", form_urlencoded(&[("to", &to)]));
    let page = visitor.send("/language", &[("language", "de"), ("to", &here), ("mark", &mark)], &[]);
    assert_eq!(page.must_be(403).between("class=\"button\" href=\"", "\""), next);
    assert!(told(&visitor.get(&to)).contains_key("code"));
}

const BYE: &str = "https://shop.example/bye";

fn logout(fields: &[(&str, &str)]) -> String {
    format!("/oauth/logout?{}", form_urlencoded(fields))
}

fn an_application_that_logs_somebody_out_leads_here_and_back(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let scope = [("scope", "openid offline_access")];
    let tokens = shop.fetch(&code_for(&visitor, &shop, &scope), VERIFIER);
    let kept = shop.fetch(&code_for(&visitor, &shop, &scope), VERIFIER);
    let hint = tokens.text("id_token");
    let asked = [("id_token_hint", hint), ("post_logout_redirect_uri", BYE), ("state", "a state")];
    let page = visitor.get(&logout(&asked)).must_be(200);
    page.must_say("<strong>shop</strong>").must_say("<strong>alice</strong>");
    // The session that the token tells of is over, whatever is answered; no other is.
    assert!(!shop.is_active(&tokens.access_token()) && shop.is_active(&kept.access_token()));
    shop.refresh(tokens.text("refresh_token")).must_be(400, "invalid_grant");
    assert_eq!(page.between("class=\"button secondary\" href=\"", "\""), format!("{BYE}?state=a+state"));
    code_for(&visitor, &shop, &[("prompt", "none")]);
    // Yes.
    let query = visitor.get(&logout(&asked)).between("name=\"query\" value=\"", "\"");
    let page = visitor.post("/logout/application", &[("query", &query)]).must_be(200);
    assert_eq!(page.between("content=\"0;url=", "\""), format!("{BYE}?state=a+state"));
    assert_eq!(visitor.cookie("countersign"), None);
    assert_eq!(page.header("clear-site-data"), Some("\"cache\""));
    assert_eq!(error_of(&visitor.get(&request(&shop, &[("prompt", "none")]))), "login_required");
    // Of two tabs that ask, the other leads back, too.
    let page = visitor.post("/logout/application", &[("query", &query)]).must_be(200);
    assert_eq!(page.between("content=\"0;url=", "\""), format!("{BYE}?state=a+state"));
    assert!(shop.is_active(&kept.access_token()), "other logins stay");
    // Whoever is not logged in is asked nothing; and nobody who comes once more with an old ID token waits for those who write.
    if on == Backend::Sqlite {
        let mut writer = app.place.connection();
        writer.batch_execute("BEGIN IMMEDIATE").unwrap();
        visitor.get(&logout(&asked)).must_lead_to(&format!("{BYE}?state=a+state"));
        writer.batch_execute("ROLLBACK").unwrap();
    }
    visitor.get(&logout(&asked)).must_lead_to(&format!("{BYE}?state=a+state"));
    visitor.get("/oauth/logout").must_lead_to("/login?said=logged-out");
    let by_id = [("client_id", shop.id.as_str()), ("post_logout_redirect_uri", BYE)];
    visitor.get(&logout(&by_id)).must_lead_to(BYE);
    let odd_state = [("client_id", shop.id.as_str()), ("post_logout_redirect_uri", BYE), ("state", "ä")];
    visitor.get(&logout(&odd_state)).must_lead_to(BYE);
    let form = visitor.send("/oauth/logout", &by_id, &[("sec-fetch-site", "cross-site")]);
    form.must_lead_to(&logout(&by_id));
    let long = [("id_token_hint", "x".repeat(9000)), ("client_id", shop.id.clone())];
    let long: Vec<(&str, &str)> = long.iter().map(|(name, value)| (*name, value.as_str())).collect();
    visitor.get(&logout(&long)).must_lead_to("/login?said=logged-out");
    let entries = app.operate(|_, conn, _| app::audit::last(conn, 50)).unwrap();
    let told = |why: &str| {
        entries.iter().any(|entry| entry.detail.as_deref().is_some_and(|said| said.contains(why)))
    };
    assert!(told("why=application") && told("why=logout"));
}

fn nobody_is_logged_out_by_another_site_or_sent_to_one(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let other = app.client_with(ClientSpec {
        name: "other",
        redirect_uris: vec!["https://other.example/callback".to_owned()],
        ..ClientSpec::with_scopes("openid")
    });
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let tokens = shop.fetch(&code_for(&visitor, &shop, &[]), VERIFIER);
    let (hint, token) = (tokens.text("id_token"), tokens.access_token());
    let nobody = Visitor::at(&app);
    for uri in [
        "https://evil.example/",
        "https://shop.example/",
        "https://shop.example/bye/",
        "https://shop.example@evil.example/bye",
        "http://shop.example/bye",
        "/bye",
        "javascript:alert(1)",
    ] {
        for known in [("client_id", shop.id.as_str()), ("id_token_hint", hint)] {
            let asked = logout(&[known, ("post_logout_redirect_uri", uri)]);
            let page = nobody.get(&asked).must_be(400).must_say("post_logout_redirect_uri");
            assert_eq!(page.to, "", "{uri}");
        }
    }
    let bye = ("post_logout_redirect_uri", BYE);
    let console = app_console();
    for asked in [
        &[bye][..],
        &[bye, ("client_id", &other.id)],
        &[bye, ("client_id", &other.id), ("id_token_hint", hint)],
        &[bye, ("id_token_hint", &token)],
        &[bye, ("client_id", "x")],
        &[bye, ("client_id", &console)],
    ] {
        nobody.get(&logout(asked)).must_be(400).must_say("post_logout_redirect_uri");
        // Whoever is logged in may log out all the same, and stays here.
        let page = visitor.get(&logout(asked)).must_be(200).must_say("You will not be sent back");
        assert_eq!(page.between("class=\"button secondary\" href=\"", "\""), "/console");
    }
    let again = shop.fetch(&code_for(&visitor, &shop, &[]), VERIFIER);
    let not_its_own = [("client_id", other.id.as_str()), ("id_token_hint", again.text("id_token"))];
    visitor.get(&logout(&not_its_own)).must_be(200);
    assert!(shop.is_active(&again.access_token()), "that was not the application's word");
    // Looking ends nothing here, and only a page of ours does.
    visitor.get(&logout(&[("client_id", &shop.id)])).must_be(200);
    assert_eq!(app.head("/oauth/logout").status, 405);
    visitor.send("/logout/application", &[("query", "")], &[]).must_be(403);
    let mark = visitor.mark();
    let form = [("query", ""), ("mark", mark.as_str())];
    visitor.send("/logout/application", &form, &[("sec-fetch-site", "cross-site")]).must_be(403);
    visitor.get("/console/account").must_be(200).must_say("alice");
    // What stands in the address as it is goes along to another language.
    let asked = format!("/oauth/logout?client_id={}&post_logout_redirect_uri={BYE}", shop.id);
    let page = visitor.get(&asked).must_be(200);
    assert!(!page.between("name=\"to\" value=\"", "\"").contains("//"), "{page:?}");
    // Nor is anybody sent to another site by saying yes.
    let evil =
        form_urlencoded(&[("client_id", &shop.id), ("post_logout_redirect_uri", "https://evil.example/")]);
    visitor.get("/console/account").must_be(200);
    visitor.post("/logout/application", &[("query", &evil)]).must_lead_to("/login?said=logged-out");
    visitor.get("/console/account").must_be(303);
}

/// Anybody can have a browser look at an address: its words would stand on a page of ours.
fn no_page_says_what_somebody_has_written_in_the_place_of_a_name(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let text = "Call 555-0100 now, your account";
    let doubled = form_urlencoded(&[(text, "1"), (text, "2")]);
    let no_text = format!("{}=%ff", doubled.split('=').next().unwrap());
    for (wrong, said) in
        [(&doubled, "a parameter is given more than once"), (&no_text, "a parameter is not UTF-8")]
    {
        for whoever in [&visitor, &Visitor::at(&app)] {
            let page = whoever.get(&format!("/oauth/logout?{wrong}"));
            page.must_be(400).must_say(said).must_not_say("555-0100");
        }
        // The application is told, at its own address.
        let asked = format!("{}&{wrong}", request(&shop, &[]));
        assert_eq!(error_of(&visitor.get(&asked)), "invalid_request");
    }
    for path in ["/oauth/logout", "/oauth/authorize"] {
        let page = visitor.send(path, &[(text, "1"), (text, "2")], &[]);
        page.must_be(400).must_say("a parameter is given more than once").must_not_say("555-0100");
    }
    // What everybody knows is named, as it helps whoever runs the application.
    visitor.get("/oauth/logout?state=1&state=2").must_be(400).must_say("state is given more than once");
    let page = visitor.send("/oauth/authorize", &[("nonce", "1"), ("nonce", "2")], &[]);
    page.must_be(400).must_say("nonce is given more than once");
}

fn a_form_that_cannot_be_read_gets_a_page(on: Backend) {
    let app = App::start(on);
    for path in ["/oauth/authorize", "/oauth/logout", "/logout/application"] {
        let page = Visitor::at(&app).send(path, &[("query", "a"), ("query", "b")], &[]).must_be(400);
        page.must_say("An application sent you here").must_say("query is given more than once");
    }
}

fn a_logout_speaks_the_language_of_the_account(on: Backend) {
    let app = App::start(on);
    let (phone, shop) = (alice(&app), shop(&app));
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    visitor.post("/language", &[("language", "de"), ("to", "/console")]).must_be(303);
    app.next_step();
    let elsewhere = Visitor::at(&app);
    elsewhere.give_password("alice");
    elsewhere.post("/login/code", &[("otp", &phone.code())]).must_lead_to("/console");
    let asked = logout(&[("client_id", shop.id.as_str()), ("post_logout_redirect_uri", BYE)]);
    let page = elsewhere.get(&asked).must_be(200).must_say("Auch hier abmelden?");
    let query = page.between("name=\"query\" value=\"", "\"");
    elsewhere.post("/logout/application", &[("query", &query)]).must_be(200).must_say("Sie sind abgemeldet");
}
