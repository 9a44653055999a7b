//! The first start, and logging in and out.

use countersign::app::invitation::first_start;
use countersign::domain::user::Role;

use crate::actors::{App, PASSWORD, Phone};
use crate::browser::chromium::Browser;
use crate::browser::{alice, give_code, give_password, log_in, server};
use crate::{Backend, Test, tests};

tests![
    the_first_start_needs_no_scripts,
    a_login_needs_no_scripts,
    a_link_for_the_first_start_works_once,
    a_wrong_code_is_refused_and_the_next_one_counts,
    a_code_that_was_used_is_said_to_be_used,
    too_many_wrong_codes_have_to_wait_until_the_operator_unlocks,
    a_wrong_password_says_neither_which_nor_who,
    a_recovery_code_takes_the_place_of_the_phone,
    after_the_logout_going_back_shows_nothing,
];

/// These run on both databases.
pub fn tests_on_both() -> Vec<Test> {
    let run = the_first_start_has_three_steps;
    vec![Test { name: "the_first_start_has_three_steps", run, only: None }]
}

/// The link that an empty server prints when it starts.
fn link(app: &App) -> String {
    let link = app.operate(|service, conn, at| first_start(service, conn, at, &app.url)).unwrap();
    link.unwrap().url.to_string()
}

/// First step: who, and the password.
fn choose_password(browser: &Browser) {
    browser.fill("#username", "alice");
    browser.fill("#email", "alice@example.org");
    browser.fill("#password", PASSWORD);
    browser.fill("#password_again", PASSWORD);
    browser.press("Continue");
    browser.must_say("Connect your phone");
}

/// Second step: the phone scans what the page shows.
fn scan(app: &App, browser: &Browser) -> Phone {
    browser.press("Show the QR code");
    let uri = browser.attribute("a[href^=otpauth]", "href");
    let drawn = browser.attribute(".qr svg path[fill='#000']", "d");
    assert!(qr(&uri).contains(&format!("d=\"{drawn}\"")), "picture and link are not the same");
    app.phone_of(&uri)
}

/// The picture of a text, for comparison.
fn qr(text: &str) -> String {
    let code = qrcode::QrCode::new(text).unwrap();
    code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(240, 240).build()
}

/// Third step: recovery codes.
fn recovery_codes(browser: &Browser) -> Vec<String> {
    browser.must_say("Your recovery codes");
    let codes = browser.texts(".codes li");
    assert_eq!(codes.len(), 10, "{codes:?}");
    codes
}

fn the_first_start_has_three_steps(on: Backend) {
    let app = server(on);
    let browser = Browser::open();
    browser.visit(&link(&app));
    browser.must_say("Set up Countersign");
    browser.must_look_right("first-start-1-password");
    choose_password(&browser);
    browser.must_look_right("first-start-2-before");
    let phone = scan(&app, &browser);
    browser.must_look_right("first-start-2-phone");
    browser.unfold("No camera? Type it in");
    browser.must_say(phone.secret().to_base32().get(..4).unwrap());
    give_code(&app, &browser, &phone);
    recovery_codes(&browser);
    browser.must_look_right("first-start-3-recovery-codes");
    // Nothing on the page takes them away, and who asks for its address anew comes to the console.
    browser.must_not_say("Deutsch");
    browser.go("/login/enrol/confirm");
    browser.must_be_at("/console/overview");
    browser.go("/console/account");
    browser.must_say("You have 10 left.");
    browser.must_say("Administrator");
}

fn the_first_start_needs_no_scripts(on: Backend) {
    let app = server(on);
    let browser = Browser::without_scripts();
    browser.visit(&link(&app));
    choose_password(&browser);
    let phone = scan(&app, &browser);
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Confirm");
    recovery_codes(&browser);
    assert!(!browser.is_there(".copy"), "scripts were to be off");
}

fn a_login_needs_no_scripts(on: Backend) {
    let app = server(on);
    let phone = app.person("alice", Role::User);
    let browser = Browser::without_scripts();
    give_password(&app, &browser, "alice", PASSWORD);
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Log in");
    browser.must_be_at("/console/account");
    browser.must_say("alice");
    browser.press("Log out");
    browser.must_say("You are logged out.");
}

fn a_link_for_the_first_start_works_once(on: Backend) {
    let app = server(on);
    let link = link(&app);
    let browser = Browser::open();
    browser.visit(&link);
    choose_password(&browser);
    browser.visit(&link);
    browser.must_say("This link was used already, or it has expired.");
    browser.must_look_right("first-start-used-link");
}

fn a_wrong_code_is_refused_and_the_next_one_counts(on: Backend) {
    let app = server(on);
    let phone = app.person("alice", Role::User);
    let browser = Browser::open();
    give_password(&app, &browser, "alice", PASSWORD);
    browser.must_look_right("code");
    browser.turn(|| browser.fill("#otp", &phone.wrong_code()));
    browser.must_say("This code is wrong.");
    browser.must_look_right("code-wrong");
    give_code(&app, &browser, &phone);
    browser.must_be_at("/console/account");
}

fn a_code_that_was_used_is_said_to_be_used(on: Backend) {
    let (app, phone, _first) = alice(on);
    let browser = Browser::open();
    give_password(&app, &browser, "alice", PASSWORD);
    browser.turn(|| browser.fill("#otp", &phone.code()));
    browser.must_say("This code was used already. Wait for the next one.");
    browser.must_look_right("code-used");
}

fn too_many_wrong_codes_have_to_wait_until_the_operator_unlocks(on: Backend) {
    let app = server(on);
    let phone = app.person("alice", Role::User);
    let browser = Browser::open();
    give_password(&app, &browser, "alice", PASSWORD);
    for code in phone.wrong_codes().take(7) {
        browser.turn(|| browser.fill("#otp", &code));
    }
    browser.must_say("Too many attempts. Try again in");
    browser.must_look_right("code-locked");
    browser.turn(|| browser.fill("#otp", &phone.code()));
    browser.must_say("Too many attempts. Try again in");
    app.unlock("alice");
    give_code(&app, &browser, &phone);
    browser.must_be_at("/console/account");
}

fn a_wrong_password_says_neither_which_nor_who(on: Backend) {
    let app = server(on);
    app.user_with_password("alice");
    let browser = Browser::open();
    for (name, password) in [("alice", "not the password"), ("nobody", PASSWORD)] {
        give_password(&app, &browser, name, password);
        browser.must_say("User name or password is wrong.");
    }
    browser.must_look_right("login-wrong");
}

fn a_recovery_code_takes_the_place_of_the_phone(on: Backend) {
    let app = server(on);
    let browser = Browser::open();
    browser.visit(&link(&app));
    choose_password(&browser);
    let phone = scan(&app, &browser);
    give_code(&app, &browser, &phone);
    let codes = recovery_codes(&browser);
    let other = Browser::open();
    give_password(&app, &other, "alice", PASSWORD);
    let give = |code: &str| {
        other.unfold("Phone lost? Use a recovery code");
        other.fill("#recovery_code", code);
        other.press("Use recovery code");
    };
    give(&codes[0]);
    other.must_say("A fresh recovery code");
    other.must_look_right("recovery-code-fresh");
    other.go("/console/account");
    other.must_say("You have 10 left.");
    drop(other);

    let other = Browser::open();
    give_password(&app, &other, "alice", PASSWORD);
    other.unfold("Phone lost? Use a recovery code");
    other.fill("#recovery_code", &codes[0]);
    other.press("Use recovery code");
    other.must_say("This recovery code is wrong or was used already.");
    other.must_look_right("recovery-code-used");
}

fn after_the_logout_going_back_shows_nothing(on: Backend) {
    let (app, phone, browser) = alice(on);
    browser.go("/console/account/sessions");
    browser.press("Log out");
    browser.must_say("You are logged out.");
    browser.must_look_right("login-after-logout");
    browser.back();
    browser.must_say("Password");
    browser.must_not_say("alice");
    browser.must_not_say("Every login is a session");
    // And the browser may log in again.
    log_in(&app, &browser, "alice", &phone);
}
