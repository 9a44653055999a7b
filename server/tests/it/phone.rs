//! What phones ask and tell about their own factors (`docs/spec/phone.md`), and whoever attacks that.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign::app;
use countersign::app::factor::NewFactor;
use countersign::app::user::NewUser;
use countersign::domain::factor::Mechanism;
use countersign::domain::user::{Role, UserName};
use mobile_core::phone::{PhoneKey, Purpose};
use mobile_core::{Hotp, Origin, Secret};
use serde_json::{Value, json};

use crate::actors::{App, ISSUER, PASSWORD, Phone, Reply, at_once, count_rows};
use crate::management::manager;
use crate::visitor::{Page, Visitor};
use crate::{Backend, tests};

tests![
    a_phone_follows_its_factor_from_enrolment_to_the_end,
    every_way_of_enrolling_names_the_server,
    a_secret_that_could_be_guessed_has_no_proofs,
    a_confirmation_counts_is_logged_and_told_like_any_other,
    a_token_by_counter_is_confirmed_too,
    an_active_factors_code_stays_good,
    an_older_factor_keeps_its_pending_neighbours_code,
    a_confirmation_that_is_sent_again_does_nothing,
    many_confirmations_at_once_are_one,
    whoever_has_no_proof_learns_and_changes_nothing,
    guessing_without_the_secret_costs_the_user_nothing,
    wrong_codes_of_the_phone_itself_are_counted,
    a_locked_users_phone_confirms_nothing,
    a_phones_clock_may_be_five_minutes_off,
    many_factors_are_answered_in_their_order,
    what_is_malformed_is_refused_with_its_field,
    the_phone_app_reads_answers_from_its_own_origin_only,
    without_another_origin_nothing_is_said_to_browsers,
    a_first_enrolment_goes_on_after_the_phone_confirmed_it,
    a_second_authenticator_goes_on_after_the_phone_confirmed_it,
    the_page_opens_the_phone_app_where_it_is,
];

const JSON: (&str, &str) = ("content-type", "application/json");

/// The app on a phone, and what it has kept.
struct Handset<'a> {
    app: &'a App,
    phone: Phone,
    factor: String,
    key: PhoneKey,
}

impl<'a> Handset<'a> {
    fn of(app: &'a App, phone: Phone) -> Self {
        let origin = phone.uri.origin().unwrap().clone();
        assert_eq!(origin.issuer, ISSUER);
        let key = PhoneKey::of(phone.uri.secret());
        Self { app, phone, factor: origin.factor.unwrap(), key }
    }

    fn at<'b>(&self, app: &'b App) -> Handset<'b> {
        Handset { app, phone: self.phone.clone(), factor: self.factor.clone(), key: self.key.clone() }
    }

    fn now(&self) -> u64 {
        self.app.clock.now().unix_seconds()
    }

    fn proof(&self, purpose: Purpose, unix_seconds: u64, code: &str) -> String {
        let id = Origin { issuer: String::new(), factor: Some(self.factor.clone()) }.factor_bytes().unwrap();
        URL_SAFE_NO_PAD.encode(self.key.proof(purpose, id, unix_seconds, code))
    }

    fn status_claim(&self) -> Value {
        json!({ "factor": self.factor, "proof": self.proof(Purpose::Status, self.now(), "") })
    }

    #[track_caller]
    fn status(&self) -> Value {
        let reply = ask(self.app, self.now(), &[self.status_claim()]);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.body["factors"][0]["factor"], self.factor);
        reply.body["factors"][0].clone()
    }

    #[track_caller]
    fn must_be(&self, state: &str) {
        assert_eq!(self.status()["state"], state);
    }

    fn confirmation(&self, code: &str) -> Value {
        let now = self.now();
        let proof = self.proof(Purpose::Confirm, now, code);
        json!({ "factor": self.factor, "unix_seconds": now, "code": code, "proof": proof })
    }

    fn confirm(&self, code: &str) -> Reply {
        post(self.app, "/phone/api/confirm", &self.confirmation(code))
    }

    #[track_caller]
    fn must_confirm(&self) {
        must_be_active(self.app, &self.confirm(&self.phone.code()));
    }
}

fn post(app: &App, path: &str, body: &Value) -> Reply {
    app.post(path, &[JSON], body.to_string().as_bytes())
}

fn ask(app: &App, unix_seconds: u64, factors: &[Value]) -> Reply {
    post(app, "/phone/api/factors", &json!({ "unix_seconds": unix_seconds, "factors": factors }))
}

#[track_caller]
fn must_be_active(app: &App, reply: &Reply) {
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.body, json!({ "state": "active", "unix_ms": app.clock.now().millis() }));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

/// A user whom somebody enrolled, and the phone that has scanned it.
fn pending<'a>(app: &'a App, user: &str) -> Handset<'a> {
    app.user(user);
    Handset::of(app, app.enrol(user, NewFactor::default()))
}

fn remove(app: &App, user: &str) {
    let name = UserName::parse(user).unwrap();
    app.operate(|service, conn, at| app::user::remove(service, conn, at, &name)).unwrap();
}

/// How many entries the audit log has.
fn log_length(app: &App) -> i64 {
    count_rows(&app.place, "audit")
}

/// Entries of one action, as actor, outcome and detail.
fn logged(app: &App, action: &str) -> Vec<(String, String, Option<String>)> {
    let entries = app.operate(|_, conn, _| app::audit::last(conn, 1000)).unwrap();
    let entries = entries.into_iter().filter(|entry| entry.action == action);
    entries.map(|entry| (entry.actor, entry.outcome, entry.detail)).collect()
}

fn a_phone_follows_its_factor_from_enrolment_to_the_end(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let first = pending(&app, "alice");
    first.must_be("pending");
    client.otp("alice", &first.phone.code()).must_be(400, "invalid_grant");
    first.must_confirm();
    first.must_be("active");
    // The code that confirmed is spent; the next one logs in.
    client.otp("alice", &first.phone.code()).must_be(400, "invalid_grant");
    app.next_step();
    client.otp("alice", &first.phone.code()).access_token();

    app.pass(5);
    app.reset("alice");
    let reset_at = app.clock.now().millis();
    app.pass(100);
    let ended = json!({ "factor": first.factor, "state": "ended", "ended_at_ms": reset_at });
    assert_eq!(first.status(), ended);
    first.confirm(&first.phone.code()).must_be_problem(409, "ended");
    first.must_be("ended");

    // One that nobody confirmed, and one that another took the place of.
    let replaced = Handset::of(&app, app.enrol("alice", NewFactor::default()));
    let lapsed = Handset::of(&app, app.enrol("alice", NewFactor::default()));
    replaced.must_be("ended");
    app.pass(3600);
    let lapsed_at = app.clock.now().millis();
    assert_eq!(lapsed.status()["ended_at_ms"], lapsed_at);
    lapsed.confirm(&lapsed.phone.code()).must_be_problem(409, "ended");
    app.sweep();
    lapsed.must_be("ended");

    assert_eq!(count_rows(&app.place, "factor_secret"), 0);
    assert_eq!(count_rows(&app.place, "factor_phone"), 3);
    remove(&app, "alice");
    assert_eq!(count_rows(&app.place, "factor_phone"), 0);
    for handset in [&first, &replaced, &lapsed] {
        handset.must_be("unknown");
        handset.confirm(&handset.phone.code()).must_be_problem(404, "unknown_factor");
    }
}

fn every_way_of_enrolling_names_the_server(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    Handset::of(&app, app.enrol("alice", NewFactor::default())).must_be("pending");
    let manager = manager(&app, "console", "users");
    let headers = [("authorization", &*format!("Bearer {manager}")), JSON];
    let managed = app.call("POST", "/v1/users/alice/factors", &headers, &json!({ "kind": "hotp" }));
    Handset::of(&app, app.phone_of(managed.text("uri"))).must_be("pending");
    let associated = app.associate(&app.client().mfa_token("alice"));
    let own = Handset::of(&app, app.scan(&associated));
    assert_eq!(own.factor, associated.text("id"));
    own.must_be("pending");
    let visitor = Visitor::at(&app);
    visitor.get("/login").must_be(200);
    visitor.post("/login", &[("username", "alice"), ("password", PASSWORD)]);
    visitor.get("/login/enrol").must_be(200);
    Handset::of(&app, scan(&app, &visitor.post("/login/enrol", &[]))).must_be("pending");
    Handset::of(&app, app.phone("alice")).must_be("active");
}

fn a_secret_that_could_be_guessed_has_no_proofs(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let with = |bytes: usize| NewFactor {
        secret: Some(Secret::from_bytes(&vec![7; bytes]).unwrap()),
        ..NewFactor::default()
    };
    assert_eq!(app.enrol("alice", with(9)).uri.origin(), None);
    assert_eq!(count_rows(&app.place, "factor_phone"), 0);
    Handset::of(&app, app.enrol("alice", with(10))).must_be("pending");
}

fn a_confirmation_counts_is_logged_and_told_like_any_other(on: Backend) {
    let app = App::start(on);
    let new = NewUser {
        name: UserName::parse("alice").unwrap(),
        email: Some("alice@example.org".to_owned()),
        role: Role::User,
        password: None,
    };
    let alice = app.operate(|service, conn, at| app::user::add(service, conn, at, new)).unwrap();
    let handset = Handset::of(&app, app.enrol("alice", NewFactor::default()));
    handset.confirm(&handset.phone.wrong_code()).must_be_problem(422, "code_not_accepted");
    assert_eq!(count_rows(&app.place, "outbox"), 0);
    handset.must_confirm();
    assert_eq!(app.failures("alice"), 0, "a success clears the count");
    let actor = format!("user:{}", alice.id);
    let done = (actor.clone(), "done".to_owned(), Some(format!("factor={} by=phone", handset.factor)));
    assert_eq!(logged(&app, "factor.confirmed"), [done]);
    let wrong = (actor, "refused: wrong".to_owned(), Some("failures=1".to_owned()));
    assert_eq!(logged(&app, "code.checked"), [wrong]);
    let mails = app.operate(|_, conn, _| app::outbox::page(conn, None, None, 10)).unwrap();
    assert_eq!(mails.iter().map(|mail| mail.kind.as_str()).collect::<Vec<_>>(), ["enrolled"]);
}

fn a_token_by_counter_is_confirmed_too(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let mechanism = Mechanism::Hotp(Hotp::default());
    let handset = Handset::of(&app, app.enrol("alice", NewFactor { mechanism, ..NewFactor::default() }));
    handset.must_confirm();
    let client = app.client();
    client.otp("alice", &handset.phone.code()).must_be(400, "invalid_grant");
    client.otp("alice", &handset.phone.code_at(1)).access_token();
}

fn an_active_factors_code_stays_good(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let handset = Handset::of(&app, app.phone("alice"));
    let before = log_length(&app);
    must_be_active(&app, &handset.confirm(&handset.phone.code()));
    must_be_active(&app, &handset.confirm(&handset.phone.wrong_code()));
    assert_eq!((log_length(&app), app.failures("alice")), (before, 0));
    app.client().otp("alice", &handset.phone.code()).access_token();
}

fn an_older_factor_keeps_its_pending_neighbours_code(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let old = app.phone("alice");
    let new = Handset::of(&app, app.enrol("alice", NewFactor::default()));
    // A right code of another factor of the user confirms nothing, and is not spent.
    new.confirm(&old.code()).must_be_problem(422, "code_not_accepted");
    new.must_be("pending");
    app.client().otp("alice", &old.code()).access_token();
    new.must_confirm();
}

fn a_confirmation_that_is_sent_again_does_nothing(on: Backend) {
    let app = App::start(on);
    let handset = pending(&app, "alice");
    let seen = handset.confirmation(&handset.phone.code());
    let again = || post(&app, "/phone/api/confirm", &seen);
    must_be_active(&app, &again());
    let after = log_length(&app);
    app.pass(290);
    must_be_active(&app, &again());
    assert_eq!((log_length(&app), app.failures("alice")), (after, 0));
    app.reset("alice");
    let other = Handset::of(&app, app.enrol("alice", NewFactor::default()));
    again().must_be_problem(409, "ended");
    other.must_be("pending");
    app.pass(11);
    again().must_be_problem(422, "clock");
}

fn many_confirmations_at_once_are_one(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    let handset = pending(&app, "alice");
    let code = handset.phone.code();
    let replies = at_once(6, |index| handset.at(if index % 2 == 0 { &app } else { &other }).confirm(&code));
    for reply in replies {
        must_be_active(&app, &reply);
    }
    assert_eq!(logged(&app, "factor.confirmed").len(), 1);
    assert_eq!(app.failures("alice"), 0);
}

fn whoever_has_no_proof_learns_and_changes_nothing(on: Backend) {
    let app = App::start(on);
    let alice = pending(&app, "alice");
    let bob = pending(&app, "bob");
    bob.must_confirm();
    app.user("carol");
    let carol = Handset::of(&app, app.phone("carol"));
    app.reset("carol");
    let before = log_length(&app);
    let stranger = PhoneKey::of(&Secret::from_bytes(&[1; 20]).unwrap());
    let nobody = "0192f0c1-2345-7abc-8def-0123456789ab".to_owned();
    let (now, code) = (alice.now(), alice.phone.code());

    // Pending, active, ended, and not there at all: the same answer, whatever the proof is of.
    for factor in [&alice.factor, &bob.factor, &carol.factor, &nobody] {
        let thief =
            Handset { app: &app, phone: alice.phone.clone(), factor: factor.clone(), key: stranger.clone() };
        let status = |proof: String| {
            ask(&app, now, &[json!({ "factor": factor, "proof": proof })]).body["factors"][0].clone()
        };
        let unknown = json!({ "factor": factor, "state": "unknown" });
        let (own, other) = (thief.status_claim(), alice.confirmation(&code));
        assert_eq!(status(own["proof"].as_str().unwrap().to_owned()), unknown);
        assert_eq!(status(other["proof"].as_str().unwrap().to_owned()), unknown);
        assert_eq!(status(URL_SAFE_NO_PAD.encode([0; 32])), unknown);
        assert_eq!(status(alice.proof(Purpose::Status, now - 1, "")), unknown);
        let refused = thief.confirm(&code);
        refused.must_be_problem(404, "unknown_factor");
        assert_eq!(refused.body["detail"], "there is no such factor, or the proof is wrong");
        assert_eq!(refused.body.as_object().unwrap().len(), 5);
    }
    // A proof is for one purpose, one time, one code, one factor.
    for proof in [
        alice.proof(Purpose::Status, now, ""),
        alice.proof(Purpose::Status, now, &code),
        alice.proof(Purpose::Confirm, now, ""),
        alice.proof(Purpose::Confirm, now + 1, &code),
        alice.proof(Purpose::Confirm, now, &alice.phone.wrong_code()),
        bob.proof(Purpose::Confirm, now, &code),
    ] {
        let body = json!({ "factor": alice.factor, "unix_seconds": now, "code": code, "proof": proof });
        post(&app, "/phone/api/confirm", &body).must_be_problem(404, "unknown_factor");
    }
    alice.must_be("pending");
    assert_eq!(log_length(&app), before);
    assert_eq!(["alice", "bob", "carol"].map(|user| app.failures(user)), [0; 3]);
}

fn guessing_without_the_secret_costs_the_user_nothing(on: Backend) {
    let app = App::start(on);
    let handset = pending(&app, "alice");
    let right = handset.phone.code();
    let guesses = handset.phone.wrong_codes().take(40).chain([right]);
    let before = log_length(&app);
    for code in guesses {
        // Whatever an attacker puts in its place: even the right code is worth nothing without the secret.
        let body = json!({
            "factor": handset.factor, "unix_seconds": handset.now(), "code": code,
            "proof": URL_SAFE_NO_PAD.encode([code.as_bytes()[0]; 32]),
        });
        post(&app, "/phone/api/confirm", &body).must_be_problem(404, "unknown_factor");
    }
    assert_eq!((app.failures("alice"), log_length(&app)), (0, before));
    handset.must_confirm();
}

fn wrong_codes_of_the_phone_itself_are_counted(on: Backend) {
    let app = App::start(on);
    let handset = pending(&app, "alice");
    for (count, code) in (1..=6).zip(handset.phone.wrong_codes()) {
        let refused = handset.confirm(&code);
        refused.must_be_problem(422, "code_not_accepted");
        assert_eq!(refused.body["unix_ms"], app.clock.now().millis());
        assert_eq!(app.failures("alice"), count);
    }
    let waits = handset.confirm(&handset.phone.code());
    waits.must_be_problem(429, "too_many_attempts");
    assert_eq!(waits.header("retry-after"), Some("5"));
    handset.must_be("pending");
    app.pass(5);
    handset.must_confirm();
    assert_eq!(app.failures("alice"), 0);
}

fn a_locked_users_phone_confirms_nothing(on: Backend) {
    let app = App::start(on);
    let handset = pending(&app, "alice");
    app.lock("alice");
    handset.confirm(&handset.phone.code()).must_be_problem(429, "too_many_attempts");
    handset.must_be("pending");
    app.unlock("alice");
    handset.must_confirm();
}

fn a_phones_clock_may_be_five_minutes_off(on: Backend) {
    let app = App::start(on);
    let handset = pending(&app, "alice");
    let now_ms = app.clock.now().millis();
    assert_eq!(app.get("/phone/api/time").body, json!({ "unix_ms": now_ms }));
    assert_eq!(app.head("/phone/api/time").status, 200);
    let right = handset.now();
    let claim = |unix_seconds, code: &str| {
        let purpose = if code.is_empty() { Purpose::Status } else { Purpose::Confirm };
        handset.proof(purpose, unix_seconds, code)
    };
    for unix_seconds in [right - 300, right + 300] {
        let asked = json!({ "factor": handset.factor, "proof": claim(unix_seconds, "") });
        let reply = ask(&app, unix_seconds, &[asked]);
        assert_eq!(reply.body["unix_ms"], now_ms);
        assert_eq!(reply.body["factors"][0]["state"], "pending");
    }
    let code = handset.phone.code();
    for unix_seconds in [0, right - 301, right + 301, u64::MAX] {
        let asked = json!({ "factor": handset.factor, "proof": claim(unix_seconds, "") });
        let confirmed = json!({
            "factor": handset.factor, "unix_seconds": unix_seconds, "code": code,
            "proof": claim(unix_seconds, &code),
        });
        for refused in [ask(&app, unix_seconds, &[asked]), post(&app, "/phone/api/confirm", &confirmed)] {
            refused.must_be_problem(422, "clock");
            assert_eq!(refused.body["unix_ms"], now_ms);
        }
    }
    handset.must_be("pending");
}

fn many_factors_are_answered_in_their_order(on: Backend) {
    let app = App::start(on);
    let alice = pending(&app, "alice");
    app.user("bob");
    let bob = Handset::of(&app, app.phone("bob"));
    let nobody = json!({
        "factor": "0192f0c1-2345-7abc-8def-0123456789ab", "proof": URL_SAFE_NO_PAD.encode([9; 32]),
    });
    let four = [bob.status_claim(), nobody, alice.status_claim(), bob.status_claim()];
    let asked: Vec<Value> = four.iter().cycle().take(100).cloned().collect();
    let reply = ask(&app, alice.now(), &asked);
    assert_eq!(reply.status, 200, "{reply:?}");
    let answered = reply.body["factors"].as_array().unwrap();
    assert_eq!(answered.len(), 100);
    for (index, (asked, answered)) in asked.iter().zip(answered).enumerate() {
        assert_eq!(answered["factor"], asked["factor"]);
        assert_eq!(answered["state"], ["active", "unknown", "pending", "active"][index % 4]);
    }
    let before = log_length(&app);
    for count in [0, 101] {
        let asked: Vec<Value> = four.iter().cycle().take(count).cloned().collect();
        ask(&app, alice.now(), &asked).must_be_problem(400, "invalid_request");
    }
    assert_eq!(log_length(&app), before, "nothing of this is logged");
}

fn what_is_malformed_is_refused_with_its_field(on: Backend) {
    let app = App::start(on);
    let handset = pending(&app, "alice");
    let good = handset.confirmation(&handset.phone.code());
    let but = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let upper = handset.factor.to_uppercase();
    let proof = good["proof"].as_str().unwrap();
    for (body, field) in [
        (json!([]), "body"),
        (json!({}), "factor"),
        (but("factor", json!("nonsense")), "factor"),
        (but("factor", json!(upper)), "factor"),
        (but("factor", json!(handset.factor.replace('-', ""))), "factor"),
        (but("factor", json!(7)), "factor"),
        (but("unix_seconds", json!(-1)), "unix_seconds"),
        (but("unix_seconds", json!("1772366410")), "unix_seconds"),
        (but("unix_seconds", json!(1.5)), "unix_seconds"),
        (but("code", json!("12345")), "code"),
        (but("code", json!("١٢٣٤٥٦")), "code"),
        (but("code", json!(123_456)), "code"),
        (but("proof", json!("")), "proof"),
        (but("proof", json!(format!("{proof}="))), "proof"),
        (but("proof", json!(proof[1..])), "proof"),
        (but("proof", json!(format!("{proof}AAAA"))), "proof"),
    ] {
        let refused = post(&app, "/phone/api/confirm", &body);
        refused.must_be_problem(400, "invalid_request");
        assert!(refused.text("detail").starts_with(field), "{field}: {refused:?}");
    }
    let claim = handset.status_claim();
    for (body, field) in [
        (json!({ "unix_seconds": handset.now() }), "factors"),
        (json!({ "unix_seconds": handset.now(), "factors": {} }), "factors"),
        (json!({ "unix_seconds": handset.now(), "factors": [claim, 7] }), "factors[1]"),
        (
            json!({ "unix_seconds": handset.now(), "factors": [claim, { "factor": "x", "proof": "" }] }),
            "factor",
        ),
    ] {
        let refused = post(&app, "/phone/api/factors", &body);
        refused.must_be_problem(400, "invalid_request");
        assert!(refused.text("detail").starts_with(field), "{field}: {refused:?}");
    }

    let text = good.to_string();
    let doubled = text.replacen('{', "{\"code\":\"000000\",", 1);
    for (kind, body) in [
        ("application/json", doubled),
        ("application/json", format!("{text} {text}")),
        ("application/json", text.clone() + "\u{0}"),
        ("application/json", "[".repeat(60_000)),
        ("text/plain", text.clone()),
        ("application/x-www-form-urlencoded", text.clone()),
    ] {
        app.post("/phone/api/confirm", &[("content-type", kind)], body.as_bytes())
            .must_be_problem(400, "invalid_request");
    }
    app.post("/phone/api/confirm", &[JSON], &vec![b' '; 65_537]).must_be_problem(413, "invalid_request");
    for (path, allowed) in [("/phone/api/confirm", "POST"), ("/phone/api/factors", "POST")] {
        let refused = app.get(path);
        refused.must_be_problem(405, "method_not_allowed");
        assert_eq!(refused.header("allow"), Some(allowed));
    }
    post(&app, "/phone/api/time", &json!({})).must_be_problem(405, "method_not_allowed");
    app.get("/phone/api/secrets").must_be_problem(404, "not_found");
    app.get("/phone/api").must_be_problem(404, "not_found");
    handset.must_be("pending");
    assert_eq!(app.failures("alice"), 0);
}

/// What the reply says to browsers about other origins.
fn of_cors(reply: &Reply) -> Vec<(&str, &str)> {
    let told = |name: &str| name.starts_with("access-control-") || name == "vary";
    let headers = reply.headers.iter().filter(|(name, _)| told(name));
    let mut told: Vec<_> = headers.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    told.sort_unstable();
    told
}

fn preflight(app: &App, path: &str, origin: &str) -> Reply {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    app.call("OPTIONS", path, &headers, &Value::Null)
}

fn the_phone_app_reads_answers_from_its_own_origin_only(on: Backend) {
    let app = App::start(on);
    let app = app.with_phone_app_at("https://phone.example/app/");
    let handset = pending(&app, "alice");
    let lets_through = [
        ("access-control-allow-origin", "https://phone.example"),
        ("access-control-expose-headers", "retry-after"),
        ("vary", "Origin"),
    ];
    for reply in [
        app.get("/phone/api/time"),
        ask(&app, handset.now(), &[handset.status_claim()]),
        ask(&app, 0, &[handset.status_claim()]),
        handset.confirm(&handset.phone.wrong_code()),
        post(&app, "/phone/api/confirm", &json!({})),
        app.get("/phone/api/confirm"),
        app.get("/phone/api/nothing"),
    ] {
        assert_eq!(of_cors(&reply), lets_through, "{reply:?}");
    }
    // The same whoever asks: another origin reads that it is not meant.
    for origin in ["https://phone.example", "https://evil.example", "null"] {
        for path in ["/phone/api/confirm", "/phone/api/factors"] {
            let reply = preflight(&app, path, origin);
            assert_eq!(reply.status, 204, "{reply:?}");
            assert_eq!(
                of_cors(&reply),
                [
                    ("access-control-allow-headers", "content-type"),
                    ("access-control-allow-methods", "GET, POST"),
                    ("access-control-allow-origin", "https://phone.example"),
                    ("access-control-expose-headers", "retry-after"),
                    ("access-control-max-age", "7200"),
                    ("vary", "Origin"),
                ]
            );
        }
    }
    // Nothing else of the server is open to it, and cookies never are.
    for path in ["/oauth/token", "/mfa/authenticators", "/v1/users", "/login", "/healthz", "/phone/other"] {
        assert_eq!(of_cors(&preflight(&app, path, "https://phone.example")), []);
    }
    assert_eq!(of_cors(&app.get("/healthz")), []);
}

fn without_another_origin_nothing_is_said_to_browsers(on: Backend) {
    let app = App::start(on);
    let same = app.with_phone_app_at(&format!("{ISSUER}/elsewhere/"));
    for app in [&app, &same] {
        assert_eq!(of_cors(&app.get("/phone/api/time")), []);
        assert_eq!(of_cors(&post(app, "/phone/api/confirm", &json!({}))), []);
        let asked = preflight(app, "/phone/api/confirm", "https://evil.example");
        asked.must_be_problem(405, "method_not_allowed");
        assert_eq!(of_cors(&asked), []);
    }
}

/// The phone after scanning what a page shows.
fn scan(app: &App, page: &Page) -> Phone {
    app.phone_of(&format!("otpauth{}", page.between("href=\"otpauth", "\"")))
}

fn a_first_enrolment_goes_on_after_the_phone_confirmed_it(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let visitor = Visitor::at(&app);
    visitor.get("/login").must_be(200);
    visitor.post("/login", &[("username", "alice"), ("password", PASSWORD)]);
    visitor.get("/login/enrol?to=/console").must_be(200);
    let page = visitor.post("/login/enrol", &[]).must_be(200);
    page.must_say("You can also confirm with one tap in the Countersign phone app");
    let handset = Handset::of(&app, scan(&app, &page));
    let shown = page.between("name=\"shown\" value=\"", "\"");
    handset.must_confirm();

    // The code that the phone sent is spent; the next one logs in, and brings the recovery codes.
    let otp = handset.phone.code();
    let used = visitor.post("/login/enrol/confirm", &[("otp", &otp), ("shown", &shown)]).must_be(400);
    used.must_say("This code was used already");
    app.next_step();
    let otp = handset.phone.code();
    let shown = used.between("name=\"shown\" value=\"", "\"");
    let codes = visitor.post("/login/enrol/confirm", &[("otp", &otp), ("shown", &shown)]).must_be(200);
    assert_eq!(codes.between("name=\"codes\" value=\"", "\"").split_whitespace().count(), 10);
    visitor.get("/console/account").must_be(200).must_say("alice").must_say("You have 10 left");
    assert_eq!(logged(&app, "factor.confirmed").len(), 1);

    // Whoever has left the page meanwhile logs in like everybody else.
    app.reset("alice");
    let visitor = Visitor::at(&app);
    visitor.get("/login").must_be(200);
    visitor.post("/login", &[("username", "alice"), ("password", PASSWORD)]);
    visitor.get("/login/enrol").must_be(200);
    let handset = Handset::of(&app, scan(&app, &visitor.post("/login/enrol", &[])));
    handset.must_confirm();
    visitor.post("/login/enrol", &[]).must_lead_to("/login/code?to=%2Fconsole");
    visitor.get("/login/code").must_be(200);
    app.next_step();
    visitor.post("/login/code", &[("otp", &handset.phone.code())]).must_lead_to("/console");
}

fn a_second_authenticator_goes_on_after_the_phone_confirmed_it(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let old = app.phone("alice");
    let visitor = Visitor::logged_in(&app, "alice", &old);
    app.next_step();
    let page = visitor.post("/console/account/authenticators", &[("otp", &old.code())]).must_be(200);
    page.must_say("You can also confirm with one tap in the Countersign phone app");
    let handset = Handset::of(&app, scan(&app, &page));
    let confirm = format!("/console/account/authenticators/{}/confirm", handset.factor);
    handset.must_confirm();

    let used = visitor.post(&confirm, &[("otp", &handset.phone.code())]).must_be(400);
    used.must_say("This code was used already");
    // From now on it is an active factor, whose codes are not for guessing.
    for (count, code) in (1..=6).zip(handset.phone.wrong_codes()) {
        visitor.post(&confirm, &[("otp", &code)]).must_be(400).must_say("This code does not fit");
        assert_eq!(app.failures("alice"), count);
    }
    app.next_step();
    let otp = handset.phone.code();
    visitor.post(&confirm, &[("otp", &otp)]).must_lead_to("/console/account?said=authenticator-added");
    app.client().otp("alice", &otp).must_be(400, "invalid_grant");
    app.next_step();
    app.client_with(crate::actors::ClientSpec { name: "other", ..Default::default() })
        .otp("alice", &handset.phone.code())
        .access_token();
    // A code of another factor confirms nothing here.
    let other = app.phone("alice");
    visitor.post(&confirm, &[("otp", &other.code())]).must_be(400).must_say("This code does not fit");
}

fn the_page_opens_the_phone_app_where_it_is(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let phone = app.phone("alice");
    let elsewhere = app.with_phone_app_at("https://phone.example");
    for (app, base) in [(&app, "https://countersign.example/phone/"), (&elsewhere, "https://phone.example/")]
    {
        app.next_step();
        let visitor = Visitor::logged_in(app, "alice", &phone);
        app.next_step();
        let page = visitor.post("/console/account/authenticators", &[("otp", &phone.code())]).must_be(200);
        let uri = format!("otpauth{}", page.between("href=\"otpauth", "\""));
        let link = page.between(&format!("href=\"{base}#add="), "\"");
        assert!(link.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'%'), "{link}");
        let decoded = percent_encoding::percent_decode_str(&link).decode_utf8().unwrap();
        assert_eq!(decoded, uri);
        page.must_say("rel=\"noreferrer\"");
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
    }
}
