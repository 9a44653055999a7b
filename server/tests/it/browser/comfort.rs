//! For everybody: other languages, other directions, no mouse.

use countersign::app::factor::NewFactor;
use countersign::domain::factor::{FactorState, Mechanism};
use countersign::domain::user::Role;

use crate::actors::{App, PASSWORD, Phone};
use crate::browser::chromium::Browser;
use crate::browser::{alice, give_password, server};
use crate::{Backend, tests};

tests![
    the_language_can_be_changed_and_is_kept,
    a_page_from_right_to_left_keeps_its_shape,
    one_can_log_in_and_out_by_the_keyboard_alone,
    the_menu_of_a_phone_opens_and_closes,
    a_code_with_a_blank_in_it_sends_itself_too,
    a_code_of_eight_digits_sends_itself_at_the_eighth,
    codes_of_different_lengths_are_sent_by_hand,
];

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// A phone's screen.
const PHONE: (u32, u32) = (390, 844);

/// The pages of an account, each of which has something that others have not.
const OWN: [&str; 5] = [
    "/console/account",
    "/console/account/sessions",
    "/console/account/activity",
    "/console/account/password",
    "/console/account/recovery-codes",
];

fn the_language_can_be_changed_and_is_kept(on: Backend) {
    let (app, phone, browser) = alice(on);
    browser.press("Deutsch");
    browser.must_say("Authentifikatoren und Wiederherstellungscodes");
    for path in OWN {
        browser.go(path);
        browser.must_look_right(&format!("{}-german", path.trim_matches('/').replace('/', "-")));
    }
    browser.press("Abmelden");
    browser.must_say("Benutzername");
    browser.must_look_right("login-german");
    // A login on its way is in another language, too.
    browser.fill("#username", "alice");
    browser.fill("#password", "not the password");
    browser.press("Weiter");
    browser.must_say("Benutzername oder Passwort ist falsch.");
    browser.press("English");
    browser.must_say("User name");
    browser.press("Deutsch");
    // The account knows the language, too: in another browser it is there as soon as that knows who it is.
    let other = Browser::open();
    give_password(&app, &other, "alice", PASSWORD);
    other.must_say("Your code");
    app.next_step();
    other.turn(|| other.fill("#otp", &phone.code()));
    other.must_say("Authentifikatoren");
    assert_eq!(other.attribute("html", "lang"), "de");
    other.press("English");
    other.must_say("Authenticators and recovery codes");
}

fn a_page_from_right_to_left_keeps_its_shape(on: Backend) {
    let (app, phone, browser) = alice(on);
    let turn_round = |browser: &Browser, what: &str| {
        browser.script("document.documentElement.dir = 'rtl'", Vec::new());
        browser.must_look_right(&format!("{what}-rtl"));
    };
    for path in OWN {
        browser.go(path);
        turn_round(&browser, &path.trim_matches('/').replace('/', "-"));
    }
    browser.go("/console/account");
    browser.press("Add");
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Show the QR code");
    turn_round(&browser, "authenticator-add");
    let stranger = Browser::open();
    stranger.visit(&format!("{}/login", app.url));
    turn_round(&stranger, "login");
}

fn one_can_log_in_and_out_by_the_keyboard_alone(on: Backend) {
    let app = server(on);
    let phone = app.person("alice", Role::User);
    let browser = Browser::open();
    browser.visit(&format!("{}/login?to=/console/account", app.url));
    // The field for the name has the focus already.
    browser.keys("alice");
    browser.keys(TAB);
    browser.keys(PASSWORD);
    browser.keys(TAB);
    assert_eq!(browser.focused(), "Next");
    browser.turn(|| browser.keys(ENTER));
    browser.must_say("Your code");
    app.next_step();
    browser.turn(|| browser.keys(&phone.code()));
    browser.must_be_at("/console/account");

    // Everything that can be pressed is reached once, in the order of the page, and is seen to be.
    let mut reached = Vec::new();
    while reached.last().is_none_or(|last| last != "Deutsch") {
        assert!(reached.len() < 50, "{reached:?}");
        browser.keys(TAB);
        reached.push(browser.focused());
    }
    assert_eq!(reached.first().map(String::as_str), Some("Skip to the content"));
    for wanted in ["Sessions", "Log out", "Add", "Rename Authenticator app", "Remove Authenticator app"] {
        assert!(reached.iter().any(|words| words == wanted), "{wanted}: {reached:?}");
    }

    // From the top: past the navigation at once.
    browser.go("/console/account");
    browser.keys(TAB);
    browser.keys(ENTER);
    browser.keys(TAB);
    assert_eq!(browser.focused(), "Add");

    browser.go("/console/account");
    for _ in 0..50 {
        browser.keys(TAB);
        if browser.focused() == "Log out" {
            break;
        }
    }
    browser.turn(|| browser.keys(ENTER));
    browser.must_say("You are logged out.");
}

fn the_menu_of_a_phone_opens_and_closes(on: Backend) {
    let (_app, _phone, browser) = alice(on);
    browser.dress(PHONE.0, PHONE.1, "light");
    browser.go("/console/account");
    browser.must_not_say("Recent activity");
    browser.unfold("Menu");
    browser.must_say("Recent activity");
    browser.must_not_scroll_sideways("the open menu");
    browser.must_be_accessible("the open menu");
    browser.unfold("Menu");
    browser.must_not_say("Recent activity");
    browser.unfold("Menu");
    browser.press("Recent activity");
    browser.must_be_at("/console/account/activity");
}

fn a_code_with_a_blank_in_it_sends_itself_too(on: Backend) {
    let app = server(on);
    let phone = app.person("alice", Role::User);
    let browser = Browser::open();
    give_password(&app, &browser, "alice", PASSWORD);
    app.next_step();
    let code = phone.code();
    let (one, two) = code.split_at(3);
    browser.turn(|| browser.fill("#otp", &format!("{one} {two}")));
    browser.must_be_at("/console/account");
}

/// One more authenticator of Alice's, whose codes are so long.
fn with_digits(app: &App, digits: u8) -> Phone {
    let mechanism = Mechanism::of("totp", "SHA1", digits, None, None).unwrap();
    app.enrol("alice", NewFactor { mechanism, state: FactorState::Active, ..NewFactor::default() })
}

fn a_code_of_eight_digits_sends_itself_at_the_eighth(on: Backend) {
    let app = server(on);
    app.user_with_password("alice");
    let phone = with_digits(&app, 8);
    let browser = Browser::open();
    give_password(&app, &browser, "alice", PASSWORD);
    browser.must_say("The eight digits that");
    browser.must_look_right("code-eight-digits");
    app.next_step();
    let code = phone.code();
    let (most, last) = code.split_at(7);
    // The field has the focus already.
    most.chars().for_each(|digit| browser.keys(&digit.to_string()));
    browser.turn(|| browser.keys(last));
    browser.must_be_at("/console/account");
}

fn codes_of_different_lengths_are_sent_by_hand(on: Backend) {
    let app = server(on);
    let short = app.person("alice", Role::User);
    let long = with_digits(&app, 8);
    for (phone, shot) in [(&long, "code-of-either-length"), (&short, "code-of-either-length-again")] {
        let browser = Browser::open();
        give_password(&app, &browser, "alice", PASSWORD);
        browser.must_say("6 to 8 digits");
        browser.must_look_right(shot);
        app.next_step();
        phone.code().chars().for_each(|digit| browser.keys(&digit.to_string()));
        browser.press("Log in");
        browser.must_be_at("/console/account");
    }
}
