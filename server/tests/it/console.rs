//! The web console as any browser without scripts meets it: the first start, logging in, the own account; and whoever attacks them.

use countersign::app;
use countersign::app::context::ConsolePolicy;
use countersign::app::factor::NewFactor;
use countersign::app::user::NewUser;
use countersign::db;
use countersign::domain::factor::{FactorState, Mechanism};
use countersign::domain::user::{Role, UserName};

use crate::actors::{App, ClientSpec, ISSUER, PASSWORD, Phone, at_once, count_rows};
use crate::visitor::{Page, Visitor};
use crate::{Backend, tests};

tests![
    the_first_start_makes_an_administrator_in_three_steps,
    the_link_of_the_first_start_works_once_however_many_try,
    the_link_of_the_first_start_ends_when_there_is_a_user,
    an_invitation_sets_a_password_and_connects_a_phone,
    an_invitation_works_once_and_not_for_ever,
    a_lock_and_another_address_void_an_invitation,
    bad_fields_of_a_first_start_change_nothing_and_lose_nothing,
    a_password_and_a_code_log_in_and_lead_back,
    wrong_used_late_and_locked_are_told_apart_after_the_password,
    a_code_of_an_authenticator_that_was_there_makes_no_recovery_codes,
    the_recovery_codes_of_a_first_enrolment_are_shown_where_its_secret_was,
    strangers_are_answered_like_users,
    a_recovery_code_logs_in_and_brings_a_fresh_one,
    every_page_of_the_account_wants_a_login,
    every_form_wants_its_mark,
    a_form_from_elsewhere_is_refused,
    a_planted_cookie_is_worth_nothing_after_the_login,
    a_cookie_that_only_decodes_to_our_name_is_not_ours,
    cookies_of_others_hide_none_of_ours,
    a_stolen_cookie_is_worth_nothing_after_the_logout,
    an_applications_token_is_no_cookie_and_the_cookie_is_the_consoles_own,
    pages_are_not_kept_framed_or_scripted,
    what_people_type_comes_out_as_text,
    a_session_ends_after_half_an_hour_without_a_look_and_after_twelve_hours,
    an_authenticator_is_added_renamed_and_removed,
    what_protects_the_account_wants_a_fresh_code,
    a_stolen_cookie_adds_no_authenticator,
    the_first_authenticator_wants_no_code,
    a_session_ends_with_the_factor_whose_code_it_had_last,
    recovery_codes_are_shown_once_and_come_as_a_file,
    sessions_are_ended_one_by_one_and_all_at_once,
    a_new_password_wants_the_old_one_and_a_code_and_ends_all_others,
    a_browser_is_remembered_only_where_that_is_allowed_and_not_for_ever,
    no_browser_is_remembered_any_longer_than_each_authenticator,
    managers_are_asked_for_a_code_in_every_browser,
    a_code_field_fits_the_codes_of_whoever_is_asked,
    pages_speak_the_language_of_the_browser_and_then_of_the_user,
    the_language_is_chosen_at_every_login_whatever_cookies_are_left,
    a_cookie_whose_session_is_over_is_taken_away,
    a_page_that_answers_a_form_offers_no_language_that_would_lose_it,
    an_address_that_takes_a_form_leads_to_its_page,
    a_session_that_ends_at_a_page_shown_once_leads_to_a_page_again,
    a_reset_ends_the_browser_session_at_once,
    other_peoples_authenticators_and_sessions_are_out_of_reach,
    the_console_is_no_client_that_anybody_manages,
];

/// A user with a password and a phone, logged in.
fn alice(app: &App) -> (Visitor<'_>, Phone) {
    app.user_with_password("alice");
    let phone = app.phone("alice");
    let visitor = Visitor::logged_in(app, "alice", &phone);
    app.next_step();
    (visitor, phone)
}

fn first_link(app: &App) -> String {
    let link = app.operate(|service, conn, at| app::invitation::first_start(service, conn, at, "")).unwrap();
    link.unwrap().url.to_string()
}

fn invite(app: &App, name: &str) -> String {
    let name = UserName::parse(name).unwrap();
    let link = app.operate(|service, conn, at| app::invitation::invite(service, conn, at, &name)).unwrap();
    link.url.strip_prefix("https://countersign.example").unwrap().to_owned()
}

/// The phone after scanning what a page shows.
fn scan(app: &App, page: &Page) -> Phone {
    app.phone_of(&format!("otpauth{}", page.between("href=\"otpauth", "\"")))
}

/// The page with a new authenticator's QR code, for a code of the old one.
fn add(visitor: &Visitor<'_>, phone: &Phone) -> Page {
    visitor.get("/console/account/authenticators").must_be(200).must_not_say("otpauth:");
    visitor.post("/console/account/authenticators", &[("otp", &phone.code())]).must_be(200)
}

/// What the log says was done, the youngest first.
fn log(app: &App) -> Vec<String> {
    let entries = app.operate(|_, conn, _| app::audit::last(conn, 100)).unwrap();
    entries.iter().rev().map(|entry| format!("{} {}", entry.action, entry.outcome)).collect()
}

const FIRST: &[(&str, &str)] = &[
    ("username", "root"),
    ("email", "root@example.org"),
    ("password", PASSWORD),
    ("password_again", PASSWORD),
];

fn the_first_start_makes_an_administrator_in_three_steps(on: Backend) {
    let app = App::start(on);
    let link = first_link(&app);
    let visitor = Visitor::at(&app);
    visitor.get(&link).must_be(200).must_say("autocomplete=\"new-password\"");
    visitor.post(&link, FIRST).must_lead_to("/login/code?to=/console");
    visitor.get("/login/code?to=/console").must_lead_to("/login/enrol?to=%2Fconsole");
    // Looking enrols nothing.
    visitor.get("/login/enrol").must_be(200).must_not_say("otpauth:");
    let shown = visitor.post("/login/enrol", &[]).must_be(200).must_say("<svg");
    let phone = scan(&app, &shown);
    visitor
        .post("/login/enrol/confirm", &[("otp", &phone.wrong_code())])
        .must_be(400)
        .must_not_say("otpauth:");
    let codes = visitor.post("/login/enrol/confirm", &[("otp", &phone.code())]).must_be(200);
    assert_eq!(codes.between("name=\"codes\" value=\"", "\"").split_whitespace().count(), 10);
    visitor.get("/console/account").must_be(200).must_say("root").must_say("You have 10 left");
    visitor.get("/console").must_lead_to("/console/overview");
    let name = UserName::parse("root").unwrap();
    let root = app.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap();
    assert_eq!((root.user.role.as_str(), root.user.email.as_deref()), ("admin", Some("root@example.org")));
    // Nothing of it is good twice.
    visitor.get(&link).must_be(410);
}

fn the_link_of_the_first_start_works_once_however_many_try(on: Backend) {
    let app = App::start(on);
    // Two servers that start with the same empty database print a link each.
    let links = [first_link(&app), first_link(&app)];
    let outcomes = at_once(4, |index| {
        let visitor = Visitor::at(&app);
        let link = &links[index % 2];
        visitor.get(link);
        let name = format!("root{index}");
        let fields = [("username", name.as_str()), ("password", PASSWORD), ("password_again", PASSWORD)];
        visitor.post(link, &fields).status
    });
    assert_eq!(outcomes.iter().filter(|status| **status == 303).count(), 1, "{outcomes:?}");
    assert_eq!(app.operate(|_, conn, _| app::user::list(conn)).unwrap().len(), 1);
}

fn the_link_of_the_first_start_ends_when_there_is_a_user(on: Backend) {
    let app = App::start(on);
    let link = first_link(&app);
    let visitor = Visitor::at(&app);
    visitor.get(&link).must_be(200);
    app.user("somebody");
    visitor.post(&link, FIRST).must_be(410);
    let again = app.operate(|service, conn, at| app::invitation::first_start(service, conn, at, "")).unwrap();
    assert!(again.is_none(), "there is a user");
    assert_eq!(app.operate(|_, conn, _| app::user::list(conn)).unwrap().len(), 1);
}

fn an_invitation_sets_a_password_and_connects_a_phone(on: Backend) {
    let app = App::start(on);
    app.user("bob");
    let link = invite(&app, "bob");
    let visitor = Visitor::at(&app);
    visitor.get(&link).must_be(200).must_say("bob");
    visitor.post(&link, &[("password", PASSWORD), ("password_again", PASSWORD)]).must_be(303);
    visitor.get("/login/enrol").must_be(200);
    let phone = scan(&app, &visitor.post("/login/enrol", &[]));
    visitor.post("/login/enrol/confirm", &[("otp", &phone.code())]).must_be(200);
    app.next_step();
    Visitor::logged_in(&app, "bob", &phone).get("/console").must_lead_to("/console/account");
}

fn an_invitation_works_once_and_not_for_ever(on: Backend) {
    let app = App::start(on);
    app.user("bob");
    let fields = [("password", PASSWORD), ("password_again", PASSWORD)];
    let first = invite(&app, "bob");
    let second = invite(&app, "bob");
    let visitor = Visitor::at(&app);
    visitor.get(&first).must_be(410);
    visitor.get(&second).must_be(200);
    visitor.post(&second, &fields).must_be(303);
    visitor.get(&second).must_be(410);
    visitor.get("/login");
    visitor.post(&second, &fields).must_be(410);
    let late = invite(&app, "bob");
    visitor.get(&late).must_be(200);
    app.pass(7 * 86_400);
    visitor.get(&late).must_be(410);
    visitor.post(&late, &fields).must_be(410);
    let void = invite(&app, "bob");
    app.lock("bob");
    visitor.get("/login");
    visitor.post(&void, &fields).must_be(410);
    visitor.get("/welcome/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA").must_be(410);
    visitor.get("/welcome/..%2f..%2fetc").must_be(410);
}

fn a_lock_and_another_address_void_an_invitation(on: Backend) {
    let app = App::start(on);
    app.user("bob");
    let bob = UserName::parse("bob").unwrap();
    let visitor = Visitor::at(&app);
    let link = invite(&app, "bob");
    app.lock("bob");
    visitor.get(&link).must_be(410);
    app.unlock("bob");
    visitor.get(&link).must_be(410);
    visitor.get("/login");
    visitor.post(&link, &[("password", PASSWORD), ("password_again", PASSWORD)]).must_be(410);
    // Whoever reads the old address's mail does not get in by it.
    let move_to = |email: &str| {
        app.operate(|service, conn, at| app::user::change_email(service, conn, at, &bob, Some(email)))
            .unwrap();
    };
    move_to("bob@example.org");
    let link = invite(&app, "bob");
    move_to("bob@example.org");
    visitor.get(&link).must_be(200);
    move_to("bob@example.com");
    visitor.get(&link).must_be(410);
    // Nor where everything about a user is put at once.
    let put = |email: &str| {
        let (email, name, role) = (Some(email.to_owned()), bob.clone(), Role::User);
        let new = NewUser { name, email, role, password: None };
        app.operate(|service, conn, at| app::user::put(service, conn, at, &new)).unwrap();
    };
    let link = invite(&app, "bob");
    put("bob@example.com");
    visitor.get(&link).must_be(200);
    put("robert@example.com");
    visitor.get(&link).must_be(410);
}

fn bad_fields_of_a_first_start_change_nothing_and_lose_nothing(on: Backend) {
    let app = App::start(on);
    let link = first_link(&app);
    let visitor = Visitor::at(&app);
    visitor.get(&link).must_say("maxlength=\"128\" autofocus");
    for (field, username, email, password, again, said) in [
        ("username", "a:b", "", PASSWORD, PASSWORD, "This user name cannot be taken"),
        ("email", "root", "nobody", PASSWORD, PASSWORD, "not an e-mail address"),
        ("password", "root", "root@example.org", "short", "short", "too short"),
        ("password_again", "root", "root@example.org", PASSWORD, "another password", "not the same"),
    ] {
        let fields =
            [("username", username), ("email", email), ("password", password), ("password_again", again)];
        let page = visitor.post(&link, &fields).must_be(400).must_say(said);
        page.must_say(&format!("id=\"{field}-error\">")).must_not_say("required maxlength=\"128\" autofocus");
        assert_eq!(page.text.matches("aria-invalid=\"true\" autofocus").count(), 1, "{page:?}");
        assert!(page.text.contains(&format!("value=\"{username}\"")), "{page:?}");
        assert!(!page.text.contains(PASSWORD));
    }
    assert!(app.operate(|_, conn, _| app::user::none_exist(conn)).unwrap());
    visitor.post(&link, FIRST).must_be(303);
}

fn a_password_and_a_code_log_in_and_lead_back(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let phone = app.phone("alice");
    let visitor = Visitor::at(&app);
    visitor.get("/").must_lead_to("/login");
    let wanted = "/console/account/sessions";
    visitor.get(wanted).must_lead_to("/login?to=%2Fconsole%2Faccount%2Fsessions");
    visitor.get("/login?to=%2Fconsole%2Faccount%2Fsessions").must_say(wanted);
    let fields = [("username", "ALICE"), ("password", PASSWORD), ("to", wanted)];
    visitor.post("/login", &fields).must_lead_to("/login/code?to=%2Fconsole%2Faccount%2Fsessions");
    visitor.get("/login/code?to=%2Fconsole%2Faccount%2Fsessions").must_say(wanted);
    let spaced = format!("{} {}", &phone.code()[..3], &phone.code()[3..]);
    visitor.post("/login/code", &[("otp", &spaced), ("to", wanted)]).must_lead_to(wanted);
    visitor.get(wanted).must_be(200).must_say("127.0.0.1");
    visitor.get("/login").must_lead_to("/console");
    // Nobody is led elsewhere.
    let other = Visitor::at(&app);
    other.get("/login?to=https://evil.example/").must_say("name=\"to\" value=\"/console\"");
    other.post("/login", &[("username", "alice"), ("password", PASSWORD), ("to", "//evil.example")]);
    other.get("/login/code");
    app.next_step();
    other.post("/login/code", &[("otp", &phone.code()), ("to", "//evil.example")]).must_lead_to("/console");
}

fn wrong_used_late_and_locked_are_told_apart_after_the_password(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let phone = app.phone("alice");
    let visitor = Visitor::at(&app);
    visitor.get("/login");
    visitor
        .post("/login", &[("username", "alice"), ("password", "wrong password")])
        .must_be(400)
        .must_say("User name or password is wrong")
        .must_say("value=\"alice\"");
    visitor.log_in("alice", &phone);
    let again = Visitor::at(&app);
    again.give_password("alice");
    again.post("/login/code", &[("otp", &phone.code())]).must_be(400).must_say("used already");
    again.post("/login/code", &[("otp", &phone.wrong_code())]).must_be(400).must_say("This code is wrong");
    again.post("/login/code", &[("otp", "12a456")]).must_be(400).must_say("6 to 8 digits");
    app.pass(601);
    again.post("/login/code", &[("otp", &phone.code())]).must_lead_to("/login?said=login-expired");
    again.get("/login?said=login-expired").must_say("took too long");
    again.give_password("alice");
    for wrong in phone.wrong_codes().take(7) {
        again.post("/login/code", &[("otp", &wrong)]);
    }
    again.post("/login/code", &[("otp", &phone.code())]).must_be(429).must_say("Try again in");
    app.pass(86_400);
    app.lock("alice");
    again.get("/login");
    again
        .post("/login", &[("username", "alice"), ("password", PASSWORD)])
        .must_be(429)
        .must_say("This account is locked");
}

/// New recovery codes want a code that was given for them: who gets at one code gets one login, and not ten more.
fn a_code_of_an_authenticator_that_was_there_makes_no_recovery_codes(on: Backend) {
    let app = App::start(on);
    let phones = with_factors(&app, "alice", &[totp(6, 30), totp(6, 60)]);
    let (first, second) = (&phones[0], &phones[1]);
    let name = UserName::parse("alice").unwrap();
    let codes = app.operate(|service, conn, at| app::recovery_code::renew(service, conn, at, &name)).unwrap();
    let factors = app.operate(|_, conn, at| app::factor::list(conn, at, &name)).unwrap();
    let mut forged: Vec<_> = factors.iter().map(|factor| format!("{}.AAAA", factor.id)).collect();
    forged.extend(factors.iter().map(|factor| factor.id.to_string()));
    forged.extend([String::new(), ".".to_owned(), "x.y".to_owned()]);
    for shown in &forged {
        let thief = Visitor::at(&app);
        thief.give_password("alice");
        let fields = [("otp", &*first.code()), ("shown", shown)];
        thief.post("/login/enrol/confirm", &fields).must_lead_to("/console");
        thief.get("/console/account").must_be(200).must_say("You have 10 left");
        app.next_step();
    }
    // Nor does what a page has carried for somebody else.
    app.user_with_password("mallory");
    let mallory = Visitor::at(&app);
    mallory.get("/login");
    mallory.post("/login", &[("username", "mallory"), ("password", PASSWORD)]).must_be(303);
    mallory.get("/login/enrol").must_be(200);
    let own = mallory.post("/login/enrol", &[]).must_be(200).between("name=\"shown\" value=\"", "\"");
    let thief = Visitor::at(&app);
    thief.give_password("alice");
    thief.post("/login/enrol/confirm", &[("otp", &second.code()), ("shown", &own)]).must_lead_to("/console");
    // What she has on paper is good.
    let visitor = Visitor::at(&app);
    visitor.give_password("alice");
    visitor.post("/login/recovery", &[("recovery_code", &codes[0].shown())]).must_be(200);
}

fn the_recovery_codes_of_a_first_enrolment_are_shown_where_its_secret_was(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let halfway = || {
        let visitor = Visitor::at(&app);
        visitor.get("/login");
        visitor.post("/login", &[("username", "alice"), ("password", PASSWORD)]).must_be(303);
        visitor.get("/login/enrol").must_be(200);
        visitor
    };
    let enrol = |visitor: &Visitor<'_>| {
        let page = visitor.post("/login/enrol", &[]).must_be(200);
        (scan(&app, &page), page.between("name=\"shown\" value=\"", "\""))
    };
    // Somebody else who has her password begins, too, but it is her phone that comes last.
    let (alice, thief) = (halfway(), halfway());
    let (_, of_thief) = enrol(&thief);
    let (phone, of_alice) = enrol(&alice);
    let wrong = [("otp", &*phone.wrong_code()), ("shown", &of_alice)];
    let page = alice.post("/login/enrol/confirm", &wrong).must_be(400);
    assert_eq!(page.between("name=\"shown\" value=\"", "\""), of_alice, "it goes on");
    let codes =
        alice.post("/login/enrol/confirm", &[("otp", &phone.code()), ("shown", &of_alice)]).must_be(200);
    let codes = codes.between("name=\"codes\" value=\"", "\"");
    let later = Visitor::at(&app);
    later.give_password("alice");
    for (thief, shown) in [(&thief, &of_thief), (&later, &of_alice)] {
        app.next_step();
        let fields = [("otp", &*phone.code()), ("shown", shown)];
        thief.post("/login/enrol/confirm", &fields).must_lead_to("/console");
    }
    let again = Visitor::at(&app);
    again.give_password("alice");
    let first = codes.split_whitespace().next().unwrap();
    again.post("/login/recovery", &[("recovery_code", first)]).must_be(200);
}

fn strangers_are_answered_like_users(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let answer = |name: &str| {
        let visitor = Visitor::at(&app);
        visitor.get("/login");
        let page = visitor.post("/login", &[("username", name), ("password", "wrong password")]);
        (page.status, page.between("role=\"alert\" id=\"error\">", "<"))
    };
    let known = answer("alice");
    assert_eq!(known.0, 400);
    for name in ["nobody", "no:body", "\u{202e}", ""] {
        assert_eq!(answer(name), known, "{name:?}");
    }
}

fn a_recovery_code_logs_in_and_brings_a_fresh_one(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    app.phone("alice");
    let name = UserName::parse("alice").unwrap();
    let codes = app.operate(|service, conn, at| app::recovery_code::renew(service, conn, at, &name)).unwrap();
    let code = codes[0].shown();
    let visitor = Visitor::at(&app);
    visitor.give_password("alice");
    visitor
        .post("/login/recovery", &[("recovery_code", "0000-0000-0000-0000")])
        .must_be(400)
        .must_say("This recovery code is wrong")
        .must_say("recovery-error\" aria-invalid=\"true\" autofocus>");
    let page = visitor.post("/login/recovery", &[("recovery_code", &code.to_lowercase())]).must_be(200);
    let fresh = page.between("<li>", "</li>");
    assert_ne!(fresh, *code);
    visitor.get("/console/account").must_be(200);
    let other = Visitor::at(&app);
    other.give_password("alice");
    other.post("/login/recovery", &[("recovery_code", &code)]).must_be(400);
    other.post("/login/recovery", &[("recovery_code", &fresh)]).must_be(200);
}

const PAGES: &[&str] = &[
    "/console/account",
    "/console/account/sessions",
    "/console/account/activity",
    "/console/account/password",
    "/console/account/recovery-codes",
    "/login/again",
];

fn every_page_of_the_account_wants_a_login(on: Backend) {
    let app = App::start(on);
    for path in PAGES {
        let page = Visitor::at(&app).get(path);
        assert!(page.status == 303 && page.to.starts_with("/login"), "{path}: {page:?}");
        let liar = Visitor::at(&app);
        liar.plant("countersign", "cst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        let page = liar.get(path);
        assert!(page.status == 303 && page.to.starts_with("/login"), "{path}: {page:?}");
        assert_eq!(liar.cookie("countersign"), None, "a cookie that is good for nothing is taken away");
    }
    let half = Visitor::at(&app);
    app.user_with_password("alice");
    let phone = app.phone("alice");
    half.give_password("alice");
    let pass = half.cookie("-login").unwrap();
    half.plant("countersign", &pass);
    assert_eq!(half.get("/console/account").status, 303, "a password alone is no login");
    half.post("/login/code", &[("otp", &phone.code())]).must_be(303);
}

/// Every form that changes something, for whoever is logged in.
const FORMS: &[&str] = &[
    "/logout",
    "/language",
    "/login/again",
    "/console/account/password",
    "/console/account/devices/forget",
    "/console/account/sessions/end-all",
    "/console/account/sessions/01900000-0000-7000-8000-000000000000/end",
    "/console/account/authenticators",
    "/console/account/authenticators/01900000-0000-7000-8000-000000000000/confirm",
    "/console/account/authenticators/01900000-0000-7000-8000-000000000000/rename",
    "/console/account/authenticators/01900000-0000-7000-8000-000000000000/remove",
    "/console/account/recovery-codes",
    "/console/account/recovery-codes/file",
];

fn every_form_wants_its_mark(on: Backend) {
    let app = App::start(on);
    let (visitor, phone) = alice(&app);
    let fields = [("otp", phone.code()), ("language", "de".to_owned()), ("label", "x".to_owned())];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // The mark of another browser session is as good as none.
    app.user_with_password("eve");
    let eves_phone = app.phone("eve");
    let eve = Visitor::logged_in(&app, "eve", &eves_phone);
    eve.get("/console/account");
    let count = log(&app).len();
    for path in FORMS {
        for mark in [None, Some(""), Some("AAAA"), Some(eve.mark().as_str())] {
            let mut sent = fields.clone();
            sent.extend(mark.map(|mark| ("mark", mark)));
            let page = visitor.send(path, &sent, &[]);
            assert_eq!(page.status, 403, "{path} {mark:?}: {page:?}");
        }
    }
    for path in ["/login", "/login/code", "/login/recovery", "/login/enrol", "/login/enrol/confirm"] {
        let other = Visitor::at(&app);
        other.give_password("alice");
        let count = log(&app).len();
        let page =
            other.send(path, &[("username", "alice"), ("password", PASSWORD), ("otp", &phone.code())], &[]);
        assert_eq!((page.status, log(&app).len()), (403, count), "{path}");
    }
    assert!(log(&app).iter().take(log(&app).len() - count).all(|line| line.starts_with("password.checked")));
    visitor.get("/console/account").must_be(200);
}

fn a_form_from_elsewhere_is_refused(on: Backend) {
    let app = App::start(on);
    let (visitor, _) = alice(&app);
    visitor.get("/console/account");
    let mark = visitor.mark();
    let fields = [("mark", mark.as_str()), ("language", "de")];
    for headers in [
        [("sec-fetch-site", "cross-site")],
        [("sec-fetch-site", "same-site")],
        [("sec-fetch-site", "none")],
        [("origin", "https://evil.example")],
        [("origin", "null")],
        [("origin", "https://countersign.example.evil.example")],
    ] {
        assert_eq!(visitor.send("/language", &fields, &headers).status, 403, "{headers:?}");
    }
    for headers in [[("sec-fetch-site", "same-origin")], [("origin", "https://countersign.example")]] {
        assert_eq!(visitor.send("/language", &fields, &headers).status, 303, "{headers:?}");
    }
}

fn a_planted_cookie_is_worth_nothing_after_the_login(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    app.user_with_password("mallory");
    let (phone, mallorys) = (app.phone("alice"), app.phone("mallory"));
    // Mallory's own half and whole login, put into Alice's browser.
    let mallory = Visitor::at(&app);
    mallory.give_password("mallory");
    let half = mallory.cookie("-login").unwrap();
    mallory.post("/login/code", &[("otp", &mallorys.code())]).must_be(303);
    let whole = mallory.cookie("countersign").unwrap();
    let alice = Visitor::at(&app);
    alice.plant("countersign-login", &half);
    alice.log_in("alice", &phone);
    let session = alice.cookie("countersign").unwrap();
    assert_ne!(session, whole);
    assert_eq!(alice.cookie("-login"), None, "the way in is swept");
    let stranger = Visitor::at(&app);
    stranger.plant("countersign-login", &half);
    stranger.get("/login/code").must_lead_to("/login?said=login-expired");
}

/// Browsers refuse `__Host-` from a sibling host and from plain HTTP by the bytes of the name, and nothing that would decode to it.
fn a_cookie_that_only_decodes_to_our_name_is_not_ours(on: Backend) {
    let app = App::start(on);
    let (visitor, phone) = alice(&app);
    app.user_with_password("mallory");
    let mallorys = app.phone("mallory");
    let mallory = Visitor::at(&app);
    mallory.give_password("mallory");
    let half = mallory.cookie("-login").unwrap();
    let whole = Visitor::logged_in(&app, "mallory", &mallorys).cookie("countersign").unwrap();
    let planted =
        [("countersign", whole.as_str()), ("countersign-login", &half), ("countersign-language", "de")];
    for prefix in ["__%48ost-", "%5F_Host-", "__host-", "\u{a0}__Host-"] {
        let victim = Visitor::at(&app);
        for (name, value) in planted {
            victim.plant_exactly(&format!("{prefix}{name}"), value);
        }
        victim.get("/console/account").must_lead_to("/login?to=%2Fconsole%2Faccount");
        victim.get("/login/code").must_lead_to("/login?said=login-expired");
        victim.get("/login").must_be(200).must_say("lang=\"en\"");
        // Nor does it keep the victim from a login of their own.
        victim.log_in("alice", &phone);
        victim.get("/console/account").must_be(200).must_say("alice").must_not_say("mallory");
        app.next_step();
    }
    visitor.get("/console/account").must_be(200);

    let remembering = ConsolePolicy { remember_device_s: Some(86_400), ..ConsolePolicy::default() };
    let remembering = app.with_console(remembering);
    let known = Visitor::at(&remembering);
    known.give_password("alice");
    known.post("/login/code", &[("otp", &phone.code()), ("remember", "1")]).must_be(303);
    let other = Visitor::at(&remembering);
    other.plant_exactly("__%48ost-countersign-device", &known.cookie("-device").unwrap());
    other.give_password("alice");
}

fn cookies_of_others_hide_none_of_ours(on: Backend) {
    let app = App::start(on);
    let (visitor, _) = alice(&app);
    let session = visitor.cookie("countersign").unwrap();
    let status = |cookies: &[u8]| Visitor::at(&app).get_with("/console/account", cookies).status;
    let ours = format!("__Host-countersign={session}").into_bytes();
    for other in [b"theirs=\xff; ".as_slice(), b"\xfe\xff=1; ", b"no pair; ", b"theirs=%FF; ", b"=; ; "] {
        assert_eq!(status(&[other, &ours].concat()), 200, "{other:?}");
    }
    // Browsers never send the name twice. Whoever does gets neither.
    assert_eq!(status(&[&ours, b"; ".as_slice(), &ours].concat()), 303);
}

fn a_stolen_cookie_is_worth_nothing_after_the_logout(on: Backend) {
    let app = App::start(on);
    let (visitor, _) = alice(&app);
    let thief = Visitor::at(&app);
    thief.plant("countersign", &visitor.cookie("countersign").unwrap());
    thief.get("/console/account").must_be(200);
    visitor.get("/console/account");
    let out = visitor.post("/logout", &[]).must_lead_to("/login?said=logged-out");
    assert_eq!(out.header("clear-site-data"), Some("\"cache\""));
    assert_eq!(visitor.cookie("countersign"), None);
    assert_eq!(thief.get("/console/account").status, 303);
    visitor.get("/console/account").must_be(303);
}

fn an_applications_token_is_no_cookie_and_the_cookie_is_the_consoles_own(on: Backend) {
    let app = App::start(on);
    let (visitor, phone) = alice(&app);
    let client = app.client_with(ClientSpec::with_scopes("factors sessions"));
    let token = client.otp("alice", &phone.code()).access_token();
    let liar = Visitor::at(&app);
    liar.plant("countersign", &token);
    assert_eq!(liar.get("/console/account").status, 303);
    let cookie = visitor.cookie("countersign").unwrap();
    assert!(!client.is_active(&cookie), "another application hears nothing of it");
    let watcher =
        app.client_with(ClientSpec { name: "watcher", audiences: &[ISSUER], ..ClientSpec::default() });
    assert!(!watcher.is_active(&cookie), "nor one that asks about tokens for the server itself");
    assert_eq!(app.get_as("/oauth/userinfo", &cookie).status, 401);
    client.revoke(&cookie);
    visitor.get("/console/account").must_be(200);
    // Where a token is wanted it is none: nothing there asks for a code, as the console's forms do.
    app.associate(&cookie).must_be_problem(401, "invalid_token");
    for path in ["/mfa/authenticators", "/mfa/recovery-codes", "/account/sessions", "/v1/users/alice"] {
        app.get_as(path, &cookie).must_be_problem(401, "invalid_token");
    }
    let factor = count_rows(&app.place, "factor");
    app.delete_as("/account/sessions", &cookie).must_be_problem(401, "invalid_token");
    visitor.get("/console/account").must_be(200);
    assert_eq!(count_rows(&app.place, "factor"), factor);
}

fn pages_are_not_kept_framed_or_scripted(on: Backend) {
    let app = App::start(on);
    let (visitor, _) = alice(&app);
    for path in PAGES.iter().chain(&["/login", "/welcome/AAAA"]) {
        let page = visitor.get(path);
        if page.status == 303 {
            continue;
        }
        assert_eq!(page.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(page.header("x-frame-options"), Some("DENY"), "{path}");
        let policy = page.header("content-security-policy").unwrap();
        for wanted in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.contains(wanted), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for inline in ["<script>", " style=", " onclick=", " onload=", "javascript:", "<style"] {
            assert!(!page.text.contains(inline), "{path} has {inline}");
        }
        assert!(!page.text.contains("https://"), "{path} loads or links to elsewhere: {page:?}");
    }
    let page = visitor.get("/login/again");
    let style = page.between("rel=\"stylesheet\" href=\"", "\"");
    let (kind, _, _) = app.page(&style);
    assert_eq!(kind, "text/css; charset=utf-8");
    // Of a server of another version: nobody keeps ours under that name.
    let other = visitor.get("/assets/000000000000/console.css");
    assert_eq!((other.status, other.header("cache-control")), (200, Some("no-store")));
    assert_eq!(other.text, visitor.get(&style).text);
    assert_eq!(visitor.get("/assets/000000000000/other.css").status, 404);
    assert_eq!(visitor.get(&style.replace("console.css", "..%2f..%2fCargo.toml")).status, 404);
}

fn what_people_type_comes_out_as_text(on: Backend) {
    let app = App::start(on);
    let script = "<script>alert(1)</script>";
    app.user_with_password(script);
    let phone = app.phone(script);
    let visitor = Visitor::logged_in(&app, script, &phone);
    app.next_step();
    let page = visitor.get("/console/account").must_be(200).must_not_say(script);
    let id = page.between("/console/account/authenticators/", "/rename");
    let label = "\"><img src=x onerror=alert(1)>";
    visitor.post(&format!("/console/account/authenticators/{id}/rename"), &[("label", label)]).must_be(303);
    visitor.get("/console/account").must_be(200).must_not_say("<img").must_say("img src=x");
    visitor.get(&format!("/console/account/authenticators/{id}/remove")).must_not_say("<img");
    visitor.get("/console/account?said=%3Cscript%3E").must_not_say("<script>").must_not_say("class=\"said\"");
    visitor.get("/login/again?to=%22%3E%3Cscript%3E").must_not_say("<script>");
}

fn a_session_ends_after_half_an_hour_without_a_look_and_after_twelve_hours(on: Backend) {
    let app = App::start(on);
    let (visitor, phone) = alice(&app);
    for _ in 0..23 {
        app.pass(1750);
        visitor.get("/console/account").must_be(200);
    }
    app.pass(1750);
    app.pass(1750);
    visitor.get("/console/account").must_be(303);
    visitor.log_in("alice", &phone);
    for _ in 0..24 {
        app.pass(1700);
        visitor.get("/console/account").must_be(200);
    }
    app.pass(1700);
    visitor.get("/console/account").must_be(200);
    app.pass(1700);
    visitor.get("/console/account").must_be(303);
}

fn an_authenticator_is_added_renamed_and_removed(on: Backend) {
    let app = App::start(on);
    let (visitor, old) = alice(&app);
    let shown = add(&visitor, &old);
    let new = scan(&app, &shown);
    let confirm = shown.between("action=\"/console/account/authenticators/", "\"");
    let confirm = format!("/console/account/authenticators/{confirm}");
    visitor.post(&confirm, &[("otp", &new.wrong_code())]).must_be(400).must_not_say("otpauth:");
    visitor.post(&confirm, &[("otp", &new.code())]).must_lead_to("/console/account?said=authenticator-added");
    let account = visitor.get("/console/account").must_be(200);
    assert_eq!(account.text.matches("/rename\"").count(), 2);
    visitor.post(&confirm, &[("otp", &new.code())]).must_be(400).must_say("This code was used already");
    // The new one logs in; the old one goes, by a code of the new one.
    app.next_step();
    let id = account.between("/console/account/authenticators/", "/rename");
    let remove = format!("/console/account/authenticators/{id}/remove");
    visitor.get(&remove).must_be(200).must_say("never count again");
    visitor.post(&remove, &[("otp", &old.wrong_code())]).must_be(400).must_say("This code is wrong");
    visitor.get("/console/account").must_say(&id);
    visitor
        .post(&remove, &[("otp", &new.code())])
        .must_lead_to("/console/account?said=authenticator-removed");
    // The session began with it, and goes on with the other, whose code it had since.
    visitor.get("/console/account").must_be(200).must_not_say(&id);
    app.next_step();
    Visitor::logged_in(&app, "alice", &new).get("/console/account").must_be(200).must_not_say(&id);
    assert!(log(&app).contains(&"factor.removed done".to_owned()));
}

fn what_protects_the_account_wants_a_fresh_code(on: Backend) {
    let app = App::start(on);
    let (visitor, phone) = alice(&app);
    let shown = add(&visitor, &phone);
    let new = scan(&app, &shown);
    let confirm = shown.between("action=\"/console/account/authenticators/", "\"");
    let confirm = format!("/console/account/authenticators/{confirm}");
    app.pass(1000);
    visitor.get("/console/account").must_be(200);
    let page = visitor.post(&confirm, &[("otp", &new.code())]);
    assert!(page.status == 303 && page.to.starts_with("/login/again?to="), "{page:?}");
    visitor.get(&page.to).must_be(200);
    visitor.post("/login/again", &[("otp", &phone.wrong_code())]).must_be(400);
    visitor
        .post("/login/again", &[("otp", &phone.code()), ("to", "/console/account")])
        .must_lead_to("/console/account");
    visitor.get("/console/account");
    visitor.post(&confirm, &[("otp", &new.code())]).must_lead_to("/console/account?said=authenticator-added");
    assert!(log(&app).contains(&"session.stepped_up done".to_owned()));
    // Guesses within a session are the user's guesses: no new ones by another door.
    for wrong in phone.wrong_codes().take(7) {
        visitor.post("/login/again", &[("otp", &wrong)]);
    }
    app.next_step();
    assert!(app.failures("alice") >= 6);
}

/// It is fresh, but its thief has no phone of the victim's.
fn a_stolen_cookie_adds_no_authenticator(on: Backend) {
    let app = App::start(on);
    let (victim, phone) = alice(&app);
    let thief = Visitor::at(&app);
    thief.plant("countersign", &victim.cookie("countersign").unwrap());
    let path = "/console/account/authenticators";
    thief.get("/console/account").must_be(200);
    for fields in [[].as_slice(), &[("otp", "")], &[("otp", " ")]] {
        thief.post(path, fields).must_lead_to(path).must_not_say("otpauth:");
    }
    thief.get(path).must_be(200).must_say("a code of one that you have");
    thief.post(path, &[("otp", "12345")]).must_be(400).must_say("6 to 8 digits").must_not_say("otpauth:");
    thief.post(path, &[("otp", &phone.wrong_code())]).must_be(400).must_say("This code is wrong");
    assert_eq!(app.failures("alice"), 1, "it is a guess");
    let name = UserName::parse("alice").unwrap();
    assert_eq!(app.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap().factors.len(), 1);
    // Nor does a code do that was used.
    let shown = add(&victim, &phone);
    thief.post(path, &[("otp", &phone.code())]).must_be(400).must_say("used already");
    // The owner's new QR code was lost: that, too, goes by a code.
    let confirm = shown.between("action=\"/console/account/authenticators/", "\"");
    let wrong = victim.post(&format!("{path}/{confirm}"), &[("otp", "000000")]).must_be(400);
    assert!(wrong.text.contains(&format!("action=\"{path}\"")), "{wrong:?}");
    victim.post(path, &[]).must_lead_to(path);
    app.next_step();
    scan(&app, &add(&victim, &phone));
}

/// Whoever is let in without an active factor adds the first one as before.
fn the_first_authenticator_wants_no_code(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    app.phone("alice");
    let name = UserName::parse("alice").unwrap();
    let codes = app.operate(|service, conn, at| app::recovery_code::renew(service, conn, at, &name)).unwrap();
    let visitor = Visitor::at(&app);
    visitor.give_password("alice");
    visitor.post("/login/recovery", &[("recovery_code", &codes[0].shown())]).must_be(200);
    let lost = app.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap().factors[0].id;
    app.operate(|service, conn, at| app::factor::remove(service, conn, at, &name, lost)).unwrap();
    visitor.get("/console/account").must_be(200).must_say("No authenticator yet");
    visitor.get("/console/account/authenticators").must_lead_to("/console/account");
    visitor.get("/console/account");
    let shown = visitor.post("/console/account/authenticators", &[]).must_be(200);
    let new = scan(&app, &shown);
    let confirm = shown.between("action=\"/console/account/authenticators/", "\"");
    visitor
        .post(&format!("/console/account/authenticators/{confirm}"), &[("otp", &new.code())])
        .must_lead_to("/console/account?said=authenticator-added");
}

/// Whoever stole a phone and a recovery code makes a login by the one as good as by the other.
fn a_session_ends_with_the_factor_whose_code_it_had_last(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let name = UserName::parse("alice").unwrap();
    let factors = || app.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap().factors;
    let stolen = app.phone("alice");
    let first = factors()[0].id;
    let kept = app.phone("alice");
    let codes = app.operate(|service, conn, at| app::recovery_code::renew(service, conn, at, &name)).unwrap();
    let [thief, owner] = [&codes[0], &codes[1]].map(|code| {
        let visitor = Visitor::at(&app);
        visitor.give_password("alice");
        visitor.post("/login/recovery", &[("recovery_code", &code.shown())]).must_be(200);
        visitor
    });
    for (visitor, phone) in [(&thief, &stolen), (&owner, &kept)] {
        visitor
            .post("/login/again", &[("otp", &phone.code()), ("to", "/console/account")])
            .must_lead_to("/console/account");
    }
    app.operate(|service, conn, at| app::factor::remove(service, conn, at, &name, first)).unwrap();
    assert_eq!(thief.get("/console/account").status, 303);
    owner.get("/console/account").must_be(200);
}

fn recovery_codes_are_shown_once_and_come_as_a_file(on: Backend) {
    let app = App::start(on);
    let (visitor, phone) = alice(&app);
    visitor.get("/console/account/recovery-codes").must_be(200).must_not_say("<li>0");
    visitor.post("/console/account/recovery-codes", &[("otp", &phone.wrong_code())]).must_be(400);
    let page = visitor.post("/console/account/recovery-codes", &[("otp", &phone.code())]).must_be(200);
    let codes = page.between("name=\"codes\" value=\"", "\"");
    assert_eq!(codes.split_whitespace().count(), 10);
    let file = visitor.post("/console/account/recovery-codes/file", &[("codes", &codes)]).must_be(200);
    assert_eq!(file.header("content-disposition"), Some("attachment; filename=\"recovery-codes.txt\""));
    assert!(codes.split_whitespace().all(|code| file.text.contains(code)), "{file:?}");
    let script = [("codes", "<script>")];
    visitor.post("/console/account/recovery-codes/file", &script).must_be(400);
    visitor.get("/console/account").must_not_say(codes.split_whitespace().next().unwrap());
    let other = Visitor::at(&app);
    other.give_password("alice");
    other
        .post("/login/recovery", &[("recovery_code", codes.split_whitespace().last().unwrap())])
        .must_be(200);
}

fn sessions_are_ended_one_by_one_and_all_at_once(on: Backend) {
    let app = App::start(on);
    let (here, phone) = alice(&app);
    let there = Visitor::logged_in(&app, "alice", &phone);
    app.next_step();
    let client = app.client_with(ClientSpec::with_scopes(""));
    let token = client.otp("alice", &phone.code()).access_token();
    let page = here.get("/console/account/sessions").must_say("This one").must_say("shop");
    let ended = page.text.split("/console/account/sessions/").skip(2);
    let ids: Vec<String> =
        ended.filter_map(|rest| rest.split_once("/end\"")).map(|(id, _)| id.to_owned()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    // Each button says which session it ends: by its own word, and by what stands beside it.
    for id in &ids {
        page.must_say(&format!("id=\"end-{id}\" aria-labelledby=\"end-{id} session-{id}\""));
        page.must_say(&format!("id=\"session-{id}\""));
    }
    // The youngest first: the application's.
    here.post(&format!("/console/account/sessions/{}/end", ids[0]), &[]).must_be(303);
    assert!(!client.is_active(&token));
    there.get("/console/account").must_be(200);
    there.post("/console/account/sessions/end-all", &[]).must_lead_to("/login?said=logged-out-everywhere");
    here.get("/console/account").must_be(303);
}

fn a_new_password_wants_the_old_one_and_a_code_and_ends_all_others(on: Backend) {
    let app = App::start(on);
    let (here, phone) = alice(&app);
    let there = Visitor::logged_in(&app, "alice", &phone);
    app.next_step();
    let new = "another good password";
    let change = |current: &str, new: &str, again: &str, otp: &str| {
        here.get("/console/account/password");
        let fields = [("current", current), ("password", new), ("password_again", again), ("otp", otp)];
        here.post("/console/account/password", &fields)
    };
    let wrong = |page: Page, field: &str, error: &str| {
        page.must_be(400).must_say(&format!("id=\"{error}\">"));
        let invalid = page.text.split("<input ").find(|input| input.contains("aria-invalid")).unwrap();
        assert!(invalid.starts_with(&format!("id=\"{field}\"")) && invalid.contains(error), "{invalid}");
        assert_eq!(page.text.matches("aria-invalid").count(), 1);
        page
    };
    wrong(change("wrong password", new, new, &phone.code()), "current", "current-error")
        .must_say("current password is wrong");
    wrong(change(&"x".repeat(2000), new, new, &phone.code()), "current", "current-error");
    wrong(change(PASSWORD, new, "something else", &phone.code()), "password_again", "password_again-error")
        .must_say("not the same");
    wrong(change(PASSWORD, "short", "short", &phone.code()), "password", "password-error")
        .must_say("too short");
    wrong(change(PASSWORD, new, new, &phone.wrong_code()), "otp", "error").must_say("This code is wrong");
    there.get("/console/account").must_be(200);
    change(PASSWORD, new, new, &phone.code()).must_lead_to("/console/account?said=password-changed");
    here.get("/console/account").must_be(200);
    there.get("/console/account").must_be(303);
    there.get("/login");
    there.post("/login", &[("username", "alice"), ("password", PASSWORD)]).must_be(400);
    there.post("/login", &[("username", "alice"), ("password", new)]).must_be(303);
}

fn a_browser_is_remembered_only_where_that_is_allowed_and_not_for_ever(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let phone = app.phone("alice");
    let visitor = Visitor::at(&app);
    visitor.give_password("alice");
    visitor.get("/login/code").must_not_say("name=\"remember\"");
    visitor.post("/login/code", &[("otp", &phone.code()), ("remember", "1")]).must_be(303);
    assert_eq!(visitor.cookie("-device"), None, "it is off unless the operator allows it");

    let allowed =
        app.with_console(ConsolePolicy { remember_device_s: Some(86_400), ..ConsolePolicy::default() });
    app.next_step();
    let visitor = Visitor::at(&allowed);
    visitor.give_password("alice");
    visitor.get("/login/code").must_say("name=\"remember\"").must_not_say("checked");
    visitor.post("/login/code", &[("otp", &phone.code()), ("remember", "1")]).must_be(303);
    visitor.get("/console/account").must_say("One browser logs in without a code");
    visitor.post("/logout", &[]).must_be(303);
    let password = [("username", "alice"), ("password", PASSWORD)];
    visitor.get("/login");
    visitor.post("/login", &password).must_lead_to("/console");
    // It is a login by password alone: what protects the account still wants a code.
    visitor.get("/console/account").must_be(200);
    visitor.post("/console/account/authenticators", &[]).must_lead_to("/console/account/authenticators");
    visitor.get("/console/account/authenticators").must_be(200).must_say("a code of one that you have");
    // Neither another user nor a server that does not allow it takes the mark.
    allowed.user_with_password("bob");
    allowed.phone("bob");
    let other = Visitor::at(&allowed);
    other.plant("countersign-device", &visitor.cookie("-device").unwrap());
    other.get("/login");
    other
        .post("/login", &[("username", "bob"), ("password", PASSWORD)])
        .must_lead_to("/login/code?to=%2Fconsole");
    visitor.get("/console/account");
    visitor.post("/logout", &[]).must_be(303);
    allowed.pass(86_400);
    visitor.get("/login");
    visitor.post("/login", &password).must_lead_to("/login/code?to=%2Fconsole");
}

/// The phone that was lost may have been the browser that was remembered.
fn no_browser_is_remembered_any_longer_than_each_authenticator(on: Backend) {
    let app = App::start(on)
        .with_console(ConsolePolicy { remember_device_s: Some(86_400), ..ConsolePolicy::default() });
    let (password, to_code) = ([("username", "alice"), ("password", PASSWORD)], "/login/code?to=%2Fconsole");
    let phones = with_factors(&app, "alice", &[totp(6, 30), totp(8, 60)]);
    let alice = UserName::parse("alice").unwrap();
    let remembered = |phone: &Phone| {
        let visitor = Visitor::at(&app);
        visitor.give_password("alice");
        visitor.post("/login/code", &[("otp", &phone.code()), ("remember", "1")]).must_be(303);
        visitor.get("/console/account").must_say("One browser logs in without a code");
        visitor.post("/logout", &[]).must_be(303);
        visitor
    };
    let lost = remembered(&phones[0]);
    lost.get("/login");
    lost.post("/login", &password).must_lead_to("/console");
    let factors = app.operate(|_, conn, at| app::factor::list(conn, at, &alice)).unwrap();
    let eight = factors.iter().find(|factor| factor.mechanism == totp(8, 60)).unwrap().id;
    let six = factors.iter().find(|factor| factor.mechanism == totp(6, 30)).unwrap().id;
    // One that nobody has confirmed says nothing of a lost phone.
    let pending = app
        .operate(|service, conn, at| {
            app::factor::enrol(
                service,
                conn,
                at,
                &alice,
                NewFactor { state: FactorState::Pending, ..NewFactor::default() },
            )
        })
        .unwrap();
    app.operate(|service, conn, at| app::factor::remove(service, conn, at, &alice, pending.id)).unwrap();
    lost.get("/console/account").must_say("One browser logs in without a code");
    lost.post("/logout", &[]).must_be(303);
    // She removes the lost one with the code of the other, in another browser.
    let here = Visitor::logged_in(&app, "alice", &phones[1]);
    app.pass(60);
    here.get(&format!("/console/account/authenticators/{six}/remove")).must_be(200);
    here.post(&format!("/console/account/authenticators/{six}/remove"), &[("otp", &phones[1].code())])
        .must_be(303);
    here.get("/console/account").must_not_say("logs in without a code");
    lost.get("/login");
    lost.post("/login", &password).must_lead_to(to_code);
    // So does whoever manages her.
    app.pass(60);
    let lost = remembered(&phones[1]);
    app.operate(|service, conn, at| app::factor::remove(service, conn, at, &alice, eight)).unwrap();
    lost.get("/login");
    lost.post("/login", &password).must_lead_to(to_code);
}

fn managers_are_asked_for_a_code_in_every_browser(on: Backend) {
    let app = App::start(on)
        .with_console(ConsolePolicy { remember_device_s: Some(86_400), ..ConsolePolicy::default() });
    let (password, to_code) = ([("username", "alice"), ("password", PASSWORD)], "/login/code?to=%2Fconsole");
    app.user_with_password("alice");
    let alice = UserName::parse("alice").unwrap();
    let phone = app.phone("alice");
    let visitor = Visitor::at(&app);
    visitor.give_password("alice");
    visitor.post("/login/code", &[("otp", &phone.code()), ("remember", "1")]).must_be(303);
    visitor.get("/console/account").must_say("One browser logs in without a code");
    visitor.post("/logout", &[]).must_be(303);
    // A browser that was remembered before its user was a manager, as a release before this one left it.
    let user = app.operate(|_, conn, at| app::user::show(conn, at, &alice)).unwrap().user;
    for role in [Role::Admin, Role::Auditor, Role::Helpdesk] {
        app.operate(|_, conn, _| Ok(db::user::update(conn, user.id, None, role)?)).unwrap();
        app.next_step();
        visitor.get("/login");
        visitor.post("/login", &password).must_lead_to(to_code);
        visitor.get("/login/code").must_be(200).must_not_say("name=\"remember\"");
        // Nor does a form that was sent all the same make it one.
        let kept = visitor.cookie("-device");
        visitor.post("/login/code", &[("otp", &phone.code()), ("remember", "1")]).must_be(303);
        assert_eq!(visitor.cookie("-device"), kept);
        visitor.get("/console/users").must_be(200);
        visitor.get("/console/account").must_not_say("logs in without a code");
        visitor.post("/logout", &[]).must_be(303);
    }
    // What was remembered ends with the role.
    app.operate(|_, conn, _| Ok(db::user::update(conn, user.id, None, Role::User)?)).unwrap();
    visitor.get("/login");
    visitor.post("/login", &password).must_lead_to("/console");
    for role in [Role::Auditor, Role::User] {
        app.operate(|service, conn, at| app::user::change_role(service, conn, at, &alice, role)).unwrap();
    }
    visitor.get("/login");
    visitor.post("/login", &password).must_lead_to(to_code);
}

/// Somebody with a password and these factors, all of them active.
fn with_factors(app: &App, name: &str, mechanisms: &[Mechanism]) -> Vec<Phone> {
    app.user_with_password(name);
    let active = |mechanism: &Mechanism| NewFactor {
        mechanism: *mechanism,
        state: FactorState::Active,
        ..NewFactor::default()
    };
    mechanisms.iter().map(|mechanism| app.enrol(name, active(mechanism))).collect()
}

fn totp(digits: u8, period: u32) -> Mechanism {
    Mechanism::of("totp", "SHA1", digits, Some(period), None).unwrap()
}

fn hotp(digits: u8) -> Mechanism {
    Mechanism::of("hotp", "SHA1", digits, None, Some(0)).unwrap()
}

fn a_code_field_fits_the_codes_of_whoever_is_asked(on: Backend) {
    let app = App::start(on);
    for (index, (mechanisms, digits, period, hint)) in [
        (vec![totp(6, 30)], Some(6), Some(30), "The six digits that"),
        (vec![totp(6, 30), totp(6, 30)], Some(6), Some(30), "The six digits that"),
        (vec![totp(6, 60)], Some(6), Some(60), "The six digits that"),
        (vec![totp(7, 30), totp(7, 60)], Some(7), None, "The seven digits that"),
        (vec![totp(8, 30)], Some(8), Some(30), "The eight digits that"),
        (vec![totp(6, 30), hotp(6)], Some(6), None, "The six digits that"),
        (vec![totp(6, 30), totp(8, 30)], None, Some(30), "6 to 8 digits"),
        (vec![hotp(8), totp(6, 30)], None, None, "6 to 8 digits"),
    ]
    .into_iter()
    .enumerate()
    {
        let must_fit = |page: Page, sends_itself: bool| {
            page.must_be(200).must_say(hint);
            let sent = digits.filter(|_| sends_itself).map(|digits| format!("data-submit-at=\"{digits}\""));
            let found = page.text.find("data-submit-at").map(|at| page.text[at..].split_inclusive('"'));
            assert_eq!(found.map(|parts| parts.take(2).collect::<String>()), sent, "{mechanisms:?}");
            let left = period.map(|period| format!("data-period=\"{period}\""));
            let found = page.text.find("data-period").map(|at| page.text[at..].split_inclusive('"'));
            assert_eq!(found.map(|parts| parts.take(2).collect::<String>()), left, "{mechanisms:?}");
        };
        let name = format!("user{index}");
        let phone = with_factors(&app, &name, &mechanisms).remove(0);
        let visitor = Visitor::at(&app);
        // Before the password nothing is said of it.
        visitor.get("/login").must_not_say("digits").must_not_say("data-");
        visitor.give_password(&name);
        must_fit(visitor.get("/login/code"), true);
        let code = match mechanisms[0] {
            Mechanism::Totp(_) => phone.code(),
            Mechanism::Hotp(_) => phone.code_at(0),
        };
        visitor.post("/login/code", &[("otp", &code)]).must_be(303);
        must_fit(visitor.get("/login/again"), true);
        // What takes something away is sent by hand.
        must_fit(visitor.get("/console/account/recovery-codes"), false);
    }
    // The first enrolment: whatever is new has six digits, but one that the operator has enrolled need not.
    app.user_with_password("new");
    app.enrol("new", NewFactor { mechanism: totp(8, 30), ..NewFactor::default() });
    let visitor = Visitor::at(&app);
    visitor.get("/login");
    visitor.post("/login", &[("username", "new"), ("password", PASSWORD)]).must_be(303);
    visitor.get("/login/enrol").must_be(200);
    visitor.post("/login/enrol/confirm", &[("otp", "123456")]).must_be(400).must_say("data-submit-at=\"8\"");
    visitor.post("/login/enrol", &[]).must_be(200).must_say("data-submit-at=\"6\"");
}

fn pages_speak_the_language_of_the_browser_and_then_of_the_user(on: Backend) {
    let app = App::start(on);
    let (visitor, phone) = alice(&app);
    visitor.get("/console/account").must_say("<html lang=\"en\">");
    visitor.post("/language", &[("language", "xx"), ("to", "/console/account")]).must_be(303);
    visitor.get("/console/account").must_say("<html lang=\"en\">");
    visitor
        .post("/language", &[("language", "de"), ("to", "/console/account")])
        .must_lead_to("/console/account");
    visitor.get("/console/account").must_say("<html lang=\"de\">").must_say("Authentifikatoren");
    // In every browser, since the user chose it.
    let other = Visitor::at(&app);
    other.get("/login").must_say("<html lang=\"en\">");
    other.log_in("alice", &phone);
    other.get("/console/account").must_say("<html lang=\"de\">");
}

const GERMAN: &[(&str, &str)] = &[("language", "de"), ("to", "/login")];

fn the_language_is_chosen_at_every_login_whatever_cookies_are_left(on: Backend) {
    let app = App::start(on);
    let (visitor, phone) = alice(&app);
    let dead = visitor.cookie("countersign").unwrap();
    app.user("bob");
    let link = invite(&app, "bob");
    // Somebody else's link in a browser where Alice is logged in: the choice is the browser's, not hers.
    visitor.get(&link).must_be(200);
    visitor.post("/language", &[("language", "de"), ("to", &link)]).must_lead_to(&link);
    visitor.get(&link).must_say("<html lang=\"de\">");
    Visitor::logged_in(&app, "alice", &phone).get("/console/account").must_say("<html lang=\"en\">");
    app.pass(3600);
    let left = Visitor::at(&app);
    left.get("/login");
    left.plant("countersign", &dead);
    left.post("/language", GERMAN).must_lead_to("/login");
    left.get("/login").must_say("<html lang=\"de\">");
    // Halfway, too.
    left.plant("countersign", &dead);
    left.give_password("alice");
    left.post("/language", &[("language", "en"), ("to", "/login/code")]).must_lead_to("/login/code");
    left.get("/login/code").must_say("<html lang=\"en\">");
    // A mark of neither is as good as none.
    left.plant("countersign", &dead);
    left.send("/language", &[("language", "de"), ("mark", "AAAA")], &[]).must_be(403);
}

fn a_cookie_whose_session_is_over_is_taken_away(on: Backend) {
    let app = App::start(on);
    let (visitor, phone) = alice(&app);
    app.pass(3600);
    visitor.get("/login").must_be(200);
    assert_eq!(visitor.cookie("countersign"), None);
    visitor.log_in("alice", &phone);
    visitor.post("/console/account/sessions/end-all", &[]).must_be(303);
    assert_eq!(visitor.cookie("countersign"), None);
    app.next_step();
    visitor.log_in("alice", &phone);
    let page = visitor.get("/console/account/sessions");
    let own = page.text.split("/console/account/sessions/").nth(2).unwrap().split('/').next().unwrap();
    visitor.post(&format!("/console/account/sessions/{own}/end"), &[]).must_lead_to("/login?said=logged-out");
    assert_eq!(visitor.cookie("countersign"), None);
}

const SWITCH: &str = "action=\"/language\"";

fn a_page_that_answers_a_form_offers_no_language_that_would_lose_it(on: Backend) {
    let app = App::start(on);
    let link = first_link(&app);
    let visitor = Visitor::at(&app);
    visitor.get(&link).must_say(SWITCH);
    // A form that comes back with what was wrong leads to itself.
    visitor.post(&link, &[("username", "root"), ("password", "short")]).must_be(400).must_say(SWITCH);
    visitor.post(&link, FIRST).must_be(303);
    visitor.get("/login/enrol").must_say(SWITCH);
    let shown = visitor.post("/login/enrol", &[]).must_be(200).must_not_say(SWITCH);
    let phone = scan(&app, &shown);
    visitor.post("/login/enrol/confirm", &[("otp", &phone.wrong_code())]).must_be(400).must_not_say(SWITCH);
    visitor.post("/login/enrol/confirm", &[("otp", &phone.code())]).must_be(200).must_not_say(SWITCH);
    app.next_step();
    visitor.get("/console/account").must_say(SWITCH);
    visitor.get("/console/account/authenticators").must_say(SWITCH);
    visitor
        .post("/console/account/authenticators", &[("otp", &phone.code())])
        .must_be(200)
        .must_not_say(SWITCH);
    app.next_step();
    visitor
        .post("/console/account/recovery-codes", &[("otp", &phone.code())])
        .must_be(200)
        .must_not_say(SWITCH);
    visitor
        .post("/console/users/add", &[("username", "bob"), ("role", "user"), ("invite", "1")])
        .must_be(200)
        .must_not_say(SWITCH);
    let list = [("list", "name,email,role\ncarol,,user")];
    visitor.post("/console/users/import", &list).must_be(200).must_not_say(SWITCH);
    let other = Visitor::at(&app);
    other.get("/login");
    let back = "name=\"to\" value=\"/login?to=%2Fconsole%2Fusers\"";
    let wrong = [("username", "root"), ("password", "wrong password"), ("to", "/console/users")];
    other.post("/login", &wrong).must_be(400).must_say(SWITCH).must_say(back);
    other.give_password("root");
    let back = "name=\"to\" value=\"/login/code?to=%2Fconsole\"";
    other.post("/login/code", &[("otp", "000000")]).must_be(400).must_say(SWITCH).must_say(back);
    other.post("/login/recovery", &[("recovery_code", "x")]).must_be(400).must_say(SWITCH).must_say(back);
}

fn an_address_that_takes_a_form_leads_to_its_page(on: Backend) {
    let app = App::start(on);
    let (visitor, _) = alice(&app);
    let id = "01900000-0000-7000-8000-000000000000";
    for (address, page) in [
        ("/login/recovery".to_owned(), "/login/code".to_owned()),
        ("/login/enrol/confirm".to_owned(), "/login/enrol".to_owned()),
        (format!("/console/account/authenticators/{id}/confirm"), "/console/account".to_owned()),
        (format!("/console/users/{id}/invite"), format!("/console/users/{id}")),
        ("/console/users/import/apply".to_owned(), "/console/users/import".to_owned()),
    ] {
        visitor.get(&address).must_lead_to(&page);
        Visitor::at(&app).get(&address).must_lead_to(&page);
    }
}

fn a_session_that_ends_at_a_page_shown_once_leads_to_a_page_again(on: Backend) {
    let app = App::start(on);
    let (visitor, phone) = alice(&app);
    let shown = add(&visitor, &phone);
    let confirm = shown.between("action=\"/console/account/authenticators/", "\"");
    let mark = visitor.mark();
    app.pass(3600);
    let referer = [("referer", "https://countersign.example/console/account/authenticators")];
    let sent = [("otp", "123456"), ("mark", mark.as_str())];
    let page = visitor.send(&format!("/console/account/authenticators/{confirm}"), &sent, &referer);
    assert!(page.status == 303 && page.to.starts_with("/login?to=%2Fconsole%2Faccount"), "{page:?}");
    let to = url::form_urlencoded::parse(page.to.split_once('?').unwrap().1.as_bytes())
        .find(|(name, _)| name == "to")
        .unwrap()
        .1
        .into_owned();
    visitor.get(&page.to).must_be(200);
    visitor.log_in("alice", &phone);
    visitor.get(&to).must_be(200).must_say("Add an authenticator?");
}

fn a_reset_ends_the_browser_session_at_once(on: Backend) {
    let app = App::start(on);
    let (visitor, _) = alice(&app);
    let link = invite(&app, "alice");
    app.reset("alice");
    visitor.get("/console/account").must_be(303);
    visitor.get(&link).must_be(410);
    visitor.get("/login");
    visitor.post("/login", &[("username", "alice"), ("password", PASSWORD)]).must_be(303);
    visitor.get("/login/code").must_lead_to("/login/enrol?to=%2Fconsole");
}

fn other_peoples_authenticators_and_sessions_are_out_of_reach(on: Backend) {
    let app = App::start(on);
    let (alice, _) = alice(&app);
    app.user_with_password("eve");
    let phone = app.phone("eve");
    let eve = Visitor::logged_in(&app, "eve", &phone);
    app.next_step();
    let factor = alice.get("/console/account").between("/console/account/authenticators/", "/rename");
    let sessions = alice.get("/console/account/sessions").text;
    let session =
        sessions.split("/console/account/sessions/").nth(2).unwrap().split('/').next().unwrap().to_owned();
    eve.get("/console/account");
    let base = format!("/console/account/authenticators/{factor}");
    eve.get(&format!("{base}/remove")).must_be(404);
    eve.get("/console/account");
    eve.post(&format!("{base}/rename"), &[("label", "eve's")]).must_be(404);
    eve.post(&format!("{base}/remove"), &[("otp", &phone.code())]).must_be(404);
    eve.get("/console/account");
    eve.post(&format!("{base}/confirm"), &[("otp", &phone.code())]).must_be(404);
    eve.get("/console/account");
    eve.post(&format!("/console/account/sessions/{session}/end"), &[]).must_be(404);
    alice.get("/console/account").must_be(200).must_not_say("eve");
}

fn the_console_is_no_client_that_anybody_manages(on: Backend) {
    let app = App::start(on);
    let id = "00000000-0000-7000-8000-636f6e736f6c";
    app.client();
    for secret in ["", "x"] {
        let form = format!("grant_type=password&username=a&password=b&client_id={id}&client_secret={secret}");
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        app.post("/oauth/token", &headers, form.as_bytes()).must_be(401, "invalid_client");
    }
    for name in [id, "Countersign console"] {
        let removed = app.operate(|service, conn, at| app::client::remove(service, conn, at, name));
        assert!(removed.is_err(), "{name}");
    }
    let listed = app.operate(|_, conn, _| app::client::list(conn)).unwrap();
    assert_eq!(listed.len(), 1);
}
