//! What people do with their own account.

use crate::actors::PASSWORD;
use crate::browser::chromium::Browser;
use crate::browser::{alice, give_code, give_password, log_in};
use crate::{Backend, tests};

tests![
    an_authenticator_is_added_renamed_and_removed,
    new_recovery_codes_take_the_place_of_the_old_and_can_be_kept_as_a_file,
    a_new_password_ends_the_other_sessions,
    a_session_in_another_browser_can_be_ended,
    all_sessions_can_be_ended_at_once,
    the_last_authenticator_can_be_removed_knowingly,
];

fn an_authenticator_is_added_renamed_and_removed(on: Backend) {
    let (app, phone, browser) = alice(on);
    browser.press("Add");
    browser.must_say("Add an authenticator?");
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Show the QR code");
    browser.must_look_right("authenticator-add");
    let tablet = app.phone_of(&browser.attribute("a[href^=otpauth]", "href"));
    browser.turn(|| browser.fill("#otp", &tablet.wrong_code()));
    browser.must_say("This code does not fit.");
    browser.must_look_right("authenticator-add-wrong");
    give_code(&app, &browser, &tablet);
    browser.must_say("Your authenticator is connected.");
    assert_eq!(browser.texts(".rows .badge"), ["In use", "In use"]);

    let labels = browser.texts(".rows strong");
    browser.click(".rows > li:nth-child(2) summary");
    browser.must_look_right("authenticator-rename");
    browser.fill("details[open].inline input[name=label]", "Tablet <at> home");
    browser.press("Save");
    browser.must_say("The name is changed.");
    assert_eq!(browser.texts(".rows strong"), [labels[0].as_str(), "Tablet <at> home"]);

    browser.press("Remove Tablet <at> home");
    browser.must_say("Remove Tablet <at> home?");
    browser.must_look_right("authenticator-remove");
    browser.turn(|| {
        browser.fill("#otp", &phone.wrong_code());
        browser.keys(ENTER);
    });
    browser.must_say("This code is wrong.");
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Remove authenticator");
    browser.must_say("The authenticator is removed.");
    assert_eq!(browser.texts(".rows strong"), [labels[0].as_str()]);
    browser.must_look_right("account-after-removal");
}

/// The Enter key.
const ENTER: &str = "\u{e007}";

fn the_last_authenticator_can_be_removed_knowingly(on: Backend) {
    let (app, phone, browser) = alice(on);
    browser.press("Remove Authenticator app");
    browser.must_say("It is your only one.");
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Remove authenticator");
    give_password(&app, &browser, "alice", PASSWORD);
    browser.must_say("Connect your phone");
    browser.press("Show the QR code");
    let phone = app.phone_of(&browser.attribute("a[href^=otpauth]", "href"));
    give_code(&app, &browser, &phone);
    browser.must_say("Your recovery codes");
}

fn new_recovery_codes_take_the_place_of_the_old_and_can_be_kept_as_a_file(on: Backend) {
    let (app, phone, browser) = alice(on);
    let renew = || {
        browser.go("/console/account/recovery-codes");
        app.next_step();
        browser.fill("#otp", &phone.code());
        browser.press("Make new codes");
        browser.must_say("Your recovery codes");
        browser.texts(".codes li")
    };
    let old = renew();
    let codes = renew();
    assert!(codes.len() == 10 && !codes.iter().any(|code| old.contains(code)), "{old:?} {codes:?}");
    browser.must_look_right("recovery-codes-new");
    browser.unfold("Download");
    let file = browser.downloaded("recovery-codes.txt");
    assert_eq!(file.lines().skip(2).collect::<Vec<_>>(), codes);
    browser.press("I have kept them");
    browser.must_be_at("/console/account");
    browser.must_say("You have 10 left.");

    let other = Browser::open();
    give_password(&app, &other, "alice", PASSWORD);
    for (code, answer) in
        [(&old[0], "This recovery code is wrong or was used already."), (&codes[0], "A fresh recovery code")]
    {
        if !other.is_there("details.other[open]") {
            other.unfold("Phone lost? Use a recovery code");
        }
        other.fill("#recovery_code", code);
        other.press("Use recovery code");
        other.must_say(answer);
        if answer.starts_with("This") {
            let focused = "return document.activeElement.id";
            assert_eq!(other.script(focused, Vec::new()), "recovery_code");
            other.must_look_right("recovery-code-wrong");
        }
    }
}

fn a_new_password_ends_the_other_sessions(on: Backend) {
    let (app, phone, browser) = alice(on);
    let other = Browser::open();
    log_in(&app, &other, "alice", &phone);
    let change = |current: &str, again: &str| {
        browser.go("/console/account/password");
        browser.fill("#current", current);
        browser.fill("#password", "a wholly new sentence");
        browser.fill("#password_again", again);
        app.next_step();
        browser.fill("#otp", &phone.code());
        browser.press("Change password");
    };
    let focused = || browser.script("return document.activeElement.id", Vec::new());
    change("not the password", "a wholly new sentence");
    browser.must_say("The current password is wrong.");
    assert_eq!(focused(), "current");
    change(PASSWORD, "a wholly new sentense");
    browser.must_say("The two new passwords are not the same.");
    assert_eq!(focused(), "password_again");
    browser.must_look_right("password-refused");
    change(PASSWORD, "a wholly new sentence");
    browser.must_say("Your password is changed. All other sessions are over.");
    other.go("/console/account");
    other.must_be_at("/login?to=%2Fconsole%2Faccount");
    give_password(&app, &other, "alice", "a wholly new sentence");
    give_code(&app, &other, &phone);
    other.must_be_at("/console/account");
}

fn a_session_in_another_browser_can_be_ended(on: Backend) {
    let (app, phone, browser) = alice(on);
    let other = Browser::open();
    log_in(&app, &other, "alice", &phone);
    browser.go("/console/account/sessions");
    browser.must_say("This one");
    browser.must_look_right("sessions-two");
    // What each button ends is in its name.
    let read = "return [...document.querySelectorAll('.do button')].map(button => \
         button.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id).innerText).join(' '))";
    let names = browser.script(read, Vec::new());
    assert!(names[0].as_str().unwrap().starts_with("End ") && names[0] != names[1], "{names}");
    let ends = browser.texts(".rows > li");
    assert_eq!(ends.len(), 2, "{ends:?}");
    let row = 1 + ends.iter().position(|row| !row.contains("This one")).unwrap();
    browser.turn(|| browser.click(&format!(".rows > li:nth-child({row}) button")));
    browser.must_say("The session is over.");
    assert_eq!(browser.texts(".rows > li").len(), 1);
    other.go("/console/account");
    other.must_say("Log in");
    other.must_not_say("alice");
    browser.go("/console/account");
    browser.must_be_at("/console/account");
}

fn all_sessions_can_be_ended_at_once(on: Backend) {
    let (app, phone, browser) = alice(on);
    let other = Browser::open();
    log_in(&app, &other, "alice", &phone);
    browser.go("/console/account/sessions");
    browser.press("End all sessions");
    browser.must_say("You are logged out everywhere.");
    for one in [&browser, &other] {
        one.go("/console/account/activity");
        one.must_be_at("/login?to=%2Fconsole%2Faccount%2Factivity");
    }
}
