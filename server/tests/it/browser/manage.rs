//! What help desks and administrators do for others.

use std::fs;

use countersign::app;
use countersign::db;
use countersign::domain::user::{Role, UserName};

use crate::actors::{App, ClientSpec, PASSWORD, Phone};
use crate::browser::chromium::Browser;
use crate::browser::{give_code, give_password, log_in, server};
use crate::{Backend, tests};

tests![
    a_help_desk_resets_somebody_who_lost_the_phone,
    a_help_desk_brings_back_a_token_that_ran_too_far_ahead_and_removes_a_lost_phone,
    an_administrator_unlocks_somebody_who_typed_too_many_codes,
    users_are_imported_from_a_file_after_a_look,
    the_audit_log_is_filtered_and_exported,
    a_search_follows_the_typing,
    forms_that_somebody_else_has_overtaken_show_both,
    what_was_done_is_said_once_and_never_of_what_was_not,
    a_form_that_is_sent_twice_goes_once,
    a_list_in_the_encoding_of_a_spreadsheet_is_read_and_comes_back_from_its_preview,
    a_new_manager_wants_a_code_with_the_form,
    an_application_that_is_gone_can_be_saved_anew,
    mails_that_were_given_up_are_asked_about,
    a_refusal_leaves_the_navigation_where_it_was,
];

/// A server, somebody in a role, and a browser that shows the overview.
fn staff(on: Backend, role: Role) -> (App, Phone, Browser) {
    let app = server(on);
    let phone = app.person("hel", role);
    let browser = Browser::open();
    log_in(&app, &browser, "hel", &phone);
    (app, phone, browser)
}

fn a_help_desk_resets_somebody_who_lost_the_phone(on: Backend) {
    let (app, phone, browser) = staff(on, Role::Helpdesk);
    let lost = app.person("bob", Role::User);
    let bobs = Browser::open();
    log_in(&app, &bobs, "bob", &lost);
    browser.go("/console/users");
    browser.press("bob");
    browser.press("Reset enrolment");
    browser.must_say("Every authenticator and recovery code of bob stops working");
    browser.must_look_right("reset-confirm");
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Reset enrolment");
    browser.must_say("The enrolment is reset.");
    // Bob's browser is out at once, and connects another phone.
    bobs.go("/console/account");
    bobs.must_say("Password");
    assert!(bobs.path().starts_with("/login"), "{}", bobs.path());
    give_password(&app, &bobs, "bob", PASSWORD);
    bobs.press("Show the QR code");
    let found = app.phone_of(&bobs.attribute("a[href^=otpauth]", "href"));
    give_code(&app, &bobs, &found);
    bobs.must_say("Your recovery codes");
}

fn a_help_desk_brings_back_a_token_that_ran_too_far_ahead_and_removes_a_lost_phone(on: Backend) {
    let (app, phone, browser) = staff(on, Role::Helpdesk);
    let _lost = app.person("bob", Role::User);
    app.pass(1);
    let token = app.hotp_token("bob", 0);
    let client = app.client();
    client.otp("bob", &token.code_at(50)).must_be(400, "invalid_grant");
    browser.go("/console/users");
    browser.press("bob");
    browser.click("a[aria-label='Manage Code token']");
    browser.must_say("Have its user read out two codes");
    browser.fill("#first", &token.code_at(50));
    browser.fill("#second", &token.code_at(52));
    browser.press("Resynchronise");
    browser.must_say("These are not two codes of it");
    browser.must_look_right("resynchronise-wrong");
    browser.press("Deutsch");
    browser.must_say("Neu abgleichen");
    browser.must_look_right("resynchronise-deutsch");
    browser.press("English");
    browser.fill("#first", &token.code_at(51));
    browser.fill("#second", &token.code_at(52));
    browser.press("Resynchronise");
    browser.must_say("The authenticator is resynchronised.");
    client.otp("bob", &token.code_at(53)).access_token();
    browser.click("a[aria-label='Manage Authenticator app']");
    browser.press("Remove authenticator");
    browser.must_say("Remove an authenticator of bob?");
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Remove authenticator");
    browser.must_say("The authenticator is removed.");
    browser.must_not_say("Authenticator app");
}

fn an_administrator_unlocks_somebody_who_typed_too_many_codes(on: Backend) {
    let (app, _, browser) = staff(on, Role::Admin);
    let bob = app.person("bob", Role::User);
    let bobs = Browser::open();
    give_password(&app, &bobs, "bob", PASSWORD);
    for wrong in bob.wrong_codes().take(7) {
        bobs.turn(|| bobs.fill("#otp", &wrong));
    }
    bobs.must_say("Too many attempts.");
    browser.go("/console/users");
    browser.press("bob");
    browser.press("Unlock");
    browser.must_say("unlocked");
    give_code(&app, &bobs, &bob);
    bobs.must_be_at("/console/account");
}

fn users_are_imported_from_a_file_after_a_look(on: Backend) {
    let (app, phone, browser) = staff(on, Role::Admin);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    fs::write(&file, "name,email,role\nanna,anna@example.org,user\nben,not an address,user\ncleo,,auditor\n")
        .unwrap();
    browser.go("/console/users/import");
    browser.fill("#import-file", file.to_str().unwrap());
    browser.press("Look first");
    browser.must_say("2 users will be added.");
    browser.must_say("Column email: this is no e-mail address");
    browser.must_look_right("import-preview");
    assert_eq!(app.operate(|_, conn, _| app::user::list(conn)).unwrap().len(), 1, "looking adds nobody");
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Add them");
    browser.must_say("2 users were added.");
    browser.must_look_right("import-done");
    let cleo = UserName::parse("cleo").unwrap();
    let added = app.operate(|_, conn, at| app::user::show(conn, at, &cleo)).unwrap();
    assert_eq!(added.user.role, Role::Auditor);
}

fn the_audit_log_is_filtered_and_exported(on: Backend) {
    let (app, _, browser) = staff(on, Role::Auditor);
    app.person("bob", Role::User);
    browser.go("/console/audit?action=user.added");
    assert_eq!(browser.texts("tbody tr").len(), 2);
    browser.click("a[download][href*=csv]");
    let text = browser.downloaded("audit.csv");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.lines().skip(1).all(|line| line.contains("user.added")), "{text}");
    browser.click("a[download][href*=jsonl]");
    let text = browser.downloaded("audit.jsonl");
    assert_eq!(text.lines().count(), 2, "{text}");
}

fn a_search_follows_the_typing(on: Backend) {
    let (app, _, browser) = staff(on, Role::Auditor);
    for name in ["anna", "annabel", "bob"] {
        app.user(name);
    }
    browser.go("/console/users");
    assert_eq!(browser.texts("#list tbody tr").len(), 4);
    browser.fill("#q", "annab");
    // Asked within the page, since the list is being replaced meanwhile.
    let rows = "return document.querySelectorAll('#list tbody tr').length";
    browser.soon("one user", || (browser.script(rows, Vec::new()) == 1).then_some(()));
    assert_eq!(browser.texts("#list tbody tr a"), ["annabel"]);
    assert!(browser.url().contains("q=annab"), "{}", browser.url());
    assert_eq!(browser.texts("[role=status]"), ["One on this page."]);
    // Of the log only a whole name finds something: half of one is no mistake.
    browser.go("/console/audit");
    let shown = browser.texts("#entries tbody tr").len();
    // Typing sets a timer, where it is followed.
    let watch = "window.timers = 0; const set = window.setTimeout; \
         window.setTimeout = (...all) => { window.timers += 1; return set(...all); }";
    browser.script(watch, Vec::new());
    browser.fill("#who", "anna");
    assert_eq!(browser.script("return window.timers", Vec::new()), 0);
    assert_eq!(browser.texts("#entries tbody tr").len(), shown);
    // Leaving the field asks.
    browser.keys("\u{e004}");
    browser
        .soon("anna's entries", || (browser.texts("[role=status]") == ["One on this page."]).then_some(()));
    assert!(browser.url().contains("who=anna"), "{}", browser.url());
    browser.must_look_right("audit-searched");
}

fn forms_that_somebody_else_has_overtaken_show_both(on: Backend) {
    let (app, own, browser) = staff(on, Role::Admin);
    let client = app.client_with(ClientSpec::with_scopes("read write")).id;
    let phone = app.person("ruth", Role::Admin);
    let other = Browser::open();
    log_in(&app, &other, "ruth", &phone);
    let edit = format!("/console/clients/{client}/edit");
    browser.go(&edit);
    other.go(&edit);
    other.fill("#scope", "read");
    other.fill("#audiences", "https://api.example\nhttps://archive.example/the/one/with/a/long/address");
    other.press("Save");
    // It is for more than before: what was typed waits for a code.
    other.must_say("wants a code of yours. Nothing has been saved yet.");
    assert_eq!(other.script("return document.activeElement.id", Vec::new()), "otp");
    other.must_look_right("client-wants-code");
    app.next_step();
    other.fill("#otp", &phone.code());
    other.press("Save");
    other.must_say("The application is changed.");
    browser.fill("#scope", "read write offline_access");
    browser.fill("#token_ttl", "300");
    browser.press("Save");
    browser.must_say("Somebody else has changed this meanwhile");
    assert_eq!(browser.texts(".differences strong"), ["Scopes", "Audiences", "Tokens live"]);
    browser.must_look_right("client-overtaken");
    browser.press("Save");
    app.next_step();
    browser.must_say("wants a code of yours. Nothing has been saved yet.");
    browser.fill("#otp", &own.code());
    browser.press("Save");
    browser.must_say("The application is changed.");
    browser.must_say("offline_access");

    for (one, description) in [(&browser, "The closed stacks"), (&other, "Open again")] {
        one.go("/console/scopes/rule");
        one.fill("#name", "stacks");
        one.fill("#description", description);
        one.press("Save");
    }
    browser.must_say("The rule is saved");
    other.must_say("This scope has a rule already.");
    let rule = "/console/scopes/rule?name=stacks";
    browser.go(rule);
    other.go(rule);
    other.fill("#description", "Open again");
    other.press("Save");
    browser.fill("#token_ttl", "300");
    browser.press("Save");
    browser.must_say("Somebody else has changed this meanwhile");
    browser.must_look_right("scope-overtaken");
    app.operate(|service, conn, at| app::access::remove_scope(service, conn, at, "stacks")).unwrap();
    browser.press("Save");
    browser.must_say("Somebody else has removed this rule meanwhile");
    browser.must_look_right("scope-gone");
    browser.press("Save");
    browser.must_say("The rule is saved");
}

fn what_was_done_is_said_once_and_never_of_what_was_not(on: Backend) {
    let (app, phone, browser) = staff(on, Role::Admin);
    app.person("bob", Role::User);
    browser.go("/console/users");
    browser.press("bob");
    let page = browser.path();
    browser.press("Unlock");
    browser.must_say("The user is unlocked.");
    browser.must_be_at(&page);
    browser.turn(|| browser.go(&page));
    browser.must_not_say("The user is unlocked.");
    // A quarter of an hour later the same button wants a code, and what was said before is not said again.
    browser.press("Unlock");
    browser.must_say("The user is unlocked.");
    app.pass(16 * 60);
    browser.press("Unlock");
    browser.must_say("Confirm that it is you");
    give_code(&app, &browser, &phone);
    browser.must_say("Nothing has been done yet. Please do it once more");
    browser.must_not_say("The user is unlocked.");
    browser.must_look_right("user-undone");
    browser.press("Unlock");
    browser.must_say("The user is unlocked.");
}

fn a_form_that_is_sent_twice_goes_once(on: Backend) {
    let (app, _, browser) = staff(on, Role::Admin);
    app.pass(600);
    browser.go("/console/keys");
    let keys = || app.operate(|_, conn, _| app::key::list(conn)).unwrap().len();
    let before = keys();
    // Counted at the end of the way: what gets past the page.
    let press_twice = "window.sent = 0; \
         window.addEventListener('submit', event => { if (!event.defaultPrevented) window.sent += 1; event.preventDefault(); }); \
         const button = document.querySelector('form[action$=rotate] button'); button.click(); button.click(); return window.sent";
    assert_eq!(browser.script(press_twice, Vec::new()), 1);
    // Whoever comes back can send it again.
    let again = "dispatchEvent(new PageTransitionEvent('pageshow')); \
         document.querySelector('form[action$=rotate] button').click(); return window.sent";
    assert_eq!(browser.script(again, Vec::new()), 2);
    browser.go("/console/keys");
    browser.press("Rotate now");
    browser.must_say("The next key signs from now on.");
    browser.press("Rotate now");
    browser.must_say("Nothing was done. The next key is younger than ten minutes");
    browser.must_look_right("keys-too-young");
    assert_eq!(keys(), before + 1);
}

fn a_list_in_the_encoding_of_a_spreadsheet_is_read_and_comes_back_from_its_preview(on: Backend) {
    let (_app, _, browser) = staff(on, Role::Admin);
    let folder = tempfile::tempdir().unwrap();
    let name = |bytes: &[u8]| [b"name,email\n", bytes, b",\n"].concat();
    let wide = |text: &str| -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    browser.go("/console/users/import?invite=1");
    for (index, (bytes, is_guess)) in [
        (name("j\u{f6}rg".as_bytes()), false),
        (wide("name,email\nj\u{f6}rg,\n"), false),
        (name(b"j\xf6rg"), true),
    ]
    .into_iter()
    .enumerate()
    {
        let file = folder.path().join(format!("people-{index}.csv"));
        fs::write(&file, bytes).unwrap();
        browser.script("document.getElementById('import-list').value = ''", Vec::new());
        browser.fill("#import-file", file.to_str().unwrap());
        let read = "return document.getElementById('import-list').value";
        let text = browser.soon("the list", || {
            browser.script(read, Vec::new()).as_str().map(str::to_owned).filter(|text| !text.is_empty())
        });
        assert_eq!(text, "name,email\nj\u{f6}rg,\n");
        assert_eq!(browser.text().contains("This file is not in UTF-8."), is_guess, "{index}");
    }
    browser.must_look_right("import-guessed");
    browser.press("Look first");
    browser.must_say("One user will be added.");
    browser.press("Change the list");
    browser.must_say("Paste a list");
    assert_eq!(
        browser.script("return document.getElementById('import-list').value", Vec::new()),
        "name,email\nj\u{f6}rg,\n"
    );
    assert_eq!(browser.script("return document.querySelector('[name=invite]').checked", Vec::new()), true);
    // More than is read at all is told so, by a page.
    browser
        .script("document.getElementById('import-list').value = 'name\\n' + 'x'.repeat(4 << 20)", Vec::new());
    browser.press("Look first");
    browser.must_say("This is more than can be sent at once.");
    browser.must_look_right("import-too-large");
    browser.press("Back");
    browser.must_say("Paste a list");
}

fn a_new_manager_wants_a_code_with_the_form(on: Backend) {
    let (app, phone, browser) = staff(on, Role::Admin);
    browser.go("/console/users/add");
    browser.fill("#username", "otto");
    browser.script("document.querySelector('#role').value = 'auditor'", Vec::new());
    browser.press("Add user");
    browser.must_say("Nobody has been added yet.");
    assert_eq!(browser.script("return document.activeElement.id", Vec::new()), "otp");
    browser.must_look_right("user-add-wants-code");
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Add user");
    browser.must_say("/welcome/");
    browser.go("/console/users?q=otto");
    browser.press("otto");
    // Nor is an invitation of one, which whoever reads it may use, made without.
    browser.press("Send invitation");
    browser.must_say("Invite otto?");
    browser.must_look_right("user-invite-wants-code");
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Send invitation");
    browser.must_say("/welcome/");
}

fn an_application_that_is_gone_can_be_saved_anew(on: Backend) {
    let (app, phone, browser) = staff(on, Role::Admin);
    let client = app.client_with(ClientSpec::with_scopes("read write")).id;
    browser.go(&format!("/console/clients/{client}/edit"));
    browser.fill("#token_ttl", "300");
    app.operate(|service, conn, at| app::client::remove(service, conn, at, &client)).unwrap();
    browser.press("Save");
    browser.must_say("Somebody else has removed this application meanwhile");
    browser.must_look_right("client-gone");
    app.next_step();
    browser.fill("#otp", &phone.code());
    browser.press("Save");
    browser.must_say("The secret is shown only now.");
}

fn mails_that_were_given_up_are_asked_about(on: Backend) {
    let (app, _, browser) = staff(on, Role::Admin);
    let new = app::user::NewUser {
        name: UserName::parse("bob").unwrap(),
        email: Some("bob@example.org".to_owned()),
        role: Role::User,
        password: None,
    };
    app.operate(|service, conn, at| app::user::add_invited(service, conn, at, new)).unwrap();
    app.phone("bob");
    db::outbox::give_up_all(&mut app.place.connection(), "no such host").unwrap();
    browser.go("/console/outbox");
    browser.must_look_right("outbox-given-up");
    browser.press("Try those given up again");
    browser.must_say("2 mails are sent now, however old they are.");
    browser.must_look_right("outbox-given-up-confirm");
    browser.press("Send them");
    browser.must_say("The mails that were given up are tried again now.");
    browser.press("Try again to bob@example.org");
    browser.must_say("The mail is tried again now.");
}

fn a_refusal_leaves_the_navigation_where_it_was(on: Backend) {
    let (app, _, browser) = staff(on, Role::Helpdesk);
    app.person("bob", Role::User);
    browser.go("/console/users?q=bob");
    browser.press("bob");
    let page = browser.path();
    // As by a link on the page.
    let follow = "const link = document.createElement('a'); link.href = arguments[0]; document.body.append(link); link.click()";
    browser.turn(|| {
        browser.script(follow, vec![format!("{page}/remove").into()]);
    });
    browser.must_say("Your role does not allow this.");
    assert_eq!(browser.texts("nav [aria-current]"), ["Users"]);
    browser.must_look_right("refused-help-desk");
    browser.press("Back");
    browser.must_be_at(&page);
    for (path, said) in [
        ("/console/nowhere".to_owned(), "There is no such thing"),
        (format!("{page}/unlock"), "cannot be opened like this"),
    ] {
        browser.go(&path);
        browser.must_say(said);
        browser.must_not_say("{");
    }
    browser.must_be_accessible("a page that is not there");
    browser.complaints();
}
