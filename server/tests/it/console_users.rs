//! The console's user administration: what each role can do there, and that nothing is done by halves, twice or by others.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use countersign::app;
use countersign::app::access::{Named, Span};
use countersign::app::user::NewUser;
use countersign::domain::authorization::Access;
use countersign::domain::factor::FactorState;
use countersign::domain::id::UserId;
use countersign::domain::time::Timestamp;
use countersign::domain::user::{Role, User, UserName, UserState};
use mobile_core::Code;
use serde_json::Value;

use crate::actors::{App, ClientSpec, Phone, at_once, count_rows, form_urlencoded, parsed, unused_name};
use crate::visitor::{Page, Visitor};
use crate::{Backend, tests};

tests![
    the_last_administrator_stays,
    of_two_administrators_who_dismiss_each_other_one_stays,
    every_action_works_and_is_audited,
    one_authenticator_is_confirmed_brought_back_and_removed,
    nobody_reaches_an_authenticator_that_is_not_that_users,
    what_is_read_out_wrong_changes_nothing,
    a_last_authenticator_that_needs_approval_is_not_removed,
    what_was_done_to_somebodys_things_stands_with_that_user,
    a_form_that_comes_back_keeps_what_was_not_ticked,
    a_user_without_an_address_is_invited_by_a_link_shown_once,
    another_role_voids_an_invitation_that_waits,
    a_help_desk_helps_users_and_reaches_no_manager,
    codes_are_read_out_to_whoever_gave_one_lately,
    an_auditor_sees_everything_and_changes_nothing,
    a_user_sees_nothing_of_others,
    forms_without_the_right_mark_or_from_elsewhere_are_refused,
    scripts_in_names_and_labels_are_only_text,
    a_wrong_or_used_code_changes_nothing,
    a_preview_changes_nothing_and_names_what_is_wrong,
    an_import_adds_everybody_who_is_new_and_invites,
    long_lists_are_taken_and_longer_ones_refused,
    a_long_list_is_read_of_nobody_who_may_not_bring_one,
    a_list_that_comes_too_slowly_is_not_called_foreign,
    two_administrators_reset_at_once_and_both_hear_how_it_went,
    a_help_desks_reset_waits_for_another_person,
    two_approve_at_once_and_one_takes_effect,
    searching_and_paging_show_everybody_once,
    filters_show_exactly_who_fits,
    a_form_that_wanted_a_code_first_is_not_said_to_be_done,
    adding_a_user_wants_a_code_before_anything_is_typed,
    who_makes_somebody_a_manager_gives_a_code_with_the_form,
    who_invites_a_manager_or_changes_the_address_gives_a_code_with_the_form,
    every_wrong_field_of_a_new_user_is_named,
    a_users_page_names_who_did_what_and_why_it_was_refused,
    a_list_comes_back_from_its_preview,
    characters_that_were_lost_before_are_not_imported,
    a_disabled_user_is_not_invited,
    a_refusal_keeps_navigation_language_and_the_way_back,
];

fn add(app: &App, name: &str, email: Option<&str>, role: Role) -> UserId {
    let new = NewUser {
        name: UserName::parse(name).unwrap(),
        email: email.map(str::to_owned),
        role,
        password: None,
    };
    app.operate(|service, conn, at| app::user::add(service, conn, at, new)).unwrap().id
}

/// Somebody in a role, logged in.
fn staff<'a>(app: &'a App, name: &str, role: Role) -> (Visitor<'a>, Phone) {
    let phone = app.person(name, role);
    let visitor = Visitor::at(app);
    visitor.log_in(name, &phone);
    app.next_step();
    (visitor, phone)
}

fn user(app: &App, id: UserId) -> Option<User> {
    let found = app.operate(|_, conn, at| app::directory::profile(conn, at, id));
    found.ok().map(|profile| profile.user)
}

fn id_of(app: &App, name: &str) -> UserId {
    let name = UserName::parse(name).unwrap();
    app.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap().user.id
}

fn active_factors(app: &App, id: UserId) -> usize {
    let profile = app.operate(|_, conn, at| app::directory::profile(conn, at, id)).unwrap();
    profile.factors.iter().filter(|factor| factor.state == FactorState::Active).count()
}

fn page_of(id: UserId) -> String {
    format!("/console/users/{id}")
}

/// The page of the authenticator that this phone is.
fn page_of_phone(id: UserId, phone: &Phone) -> String {
    format!("/console/users/{id}/authenticators/{}", factor_of(phone))
}

fn factor_of(phone: &Phone) -> String {
    phone.uri.origin().unwrap().factor.clone().unwrap()
}

/// The subjects and details of the entries with this action, the eldest first.
fn logged(app: &App, action: &str) -> Vec<(String, String)> {
    let entries = app.operate(|_, conn, _| app::audit::last(conn, 200)).unwrap();
    let entries = entries.into_iter().filter(|entry| entry.action == action);
    entries.map(|entry| (entry.subject.unwrap_or_default(), entry.detail.unwrap_or_default())).collect()
}

/// A deed with the code that the phone shows now; the next step has begun after it.
fn deed(app: &App, visitor: &Visitor<'_>, phone: &Phone, path: &str, fields: &[(&str, &str)]) -> Page {
    let code = phone.code();
    let mut fields = fields.to_vec();
    fields.push(("otp", &code));
    let answer = visitor.post(path, &fields);
    app.next_step();
    answer
}

fn has_logged(app: &App, action: &str) -> bool {
    let entries = app.operate(|_, conn, _| app::audit::last(conn, 200)).unwrap();
    entries
        .iter()
        .any(|entry| entry.action == action && entry.actor.starts_with("user:") && entry.outcome == "done")
}

fn every_action_works_and_is_audited(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    let answer = ada.post(
        "/console/users/add",
        &[("username", "bob"), ("email", "bob@example.org"), ("role", "user"), ("invite", "1")],
    );
    let bob = id_of(&app, "bob");
    let page = page_of(bob);
    answer.must_lead_to(&format!("{page}?said=user-added-invited"));
    assert_eq!(count_rows(&app.place, "invitation"), 1);
    assert_eq!(count_rows(&app.place, "outbox"), 1);
    ada.post("/console/users/add", &[("username", "BOB"), ("role", "user")])
        .must_be(409)
        .must_say("That name is taken.");
    app.phone("bob");
    ada.get(&page).must_be(200).must_say("Reset enrolment");
    ada.get(&format!("{page}/reset"))
        .must_be(200)
        .must_say("Every authenticator and recovery code of bob stops working");
    assert_eq!(active_factors(&app, bob), 1, "looking changes nothing");
    deed(&app, &ada, &phone, &format!("{page}/reset"), &[]).must_lead_to(&format!("{page}?said=reset-done"));
    assert_eq!(active_factors(&app, bob), 0);
    ada.post(&format!("{page}/invite"), &[]).must_lead_to(&format!("{page}?said=user-invited"));
    ada.post(&format!("{page}/email"), &[("email", "b@example.org")])
        .must_lead_to(&format!("{page}?said=email-changed"));
    assert_eq!(user(&app, bob).unwrap().email.as_deref(), Some("b@example.org"));
    ada.post(&format!("{page}/email"), &[("email", "nowhere")]).must_be(400).must_say("email");
    ada.get(&format!("{page}/role?role=auditor")).must_be(200).must_say("The new role is: Auditor");
    deed(&app, &ada, &phone, &format!("{page}/role"), &[("role", "auditor")])
        .must_lead_to(&format!("{page}?said=role-changed"));
    assert_eq!(user(&app, bob).unwrap().role, Role::Auditor);
    deed(&app, &ada, &phone, &format!("{page}/end-sessions"), &[])
        .must_lead_to(&format!("{page}?said=sessions-ended"));
    deed(&app, &ada, &phone, &format!("{page}/disable"), &[])
        .must_lead_to(&format!("{page}?said=user-disabled"));
    assert_eq!(user(&app, bob).unwrap().state, UserState::Locked);
    ada.post(&format!("{page}/unlock"), &[]).must_lead_to(&format!("{page}?said=user-unlocked"));
    assert_eq!(user(&app, bob).unwrap().state, UserState::Active);
    deed(&app, &ada, &phone, &format!("{page}/remove"), &[]).must_lead_to("/console/users?said=user-removed");
    assert!(user(&app, bob).is_none());
    ada.get(&page).must_be(404).must_say("There is no such thing");
    for action in [
        "user.added",
        "user.invited",
        "factors.reset",
        "user.changed",
        "session.ended",
        "user.locked",
        "user.unlocked",
        "user.removed",
    ] {
        assert!(has_logged(&app, action), "{action}");
    }
}

fn one_authenticator_is_confirmed_brought_back_and_removed(on: Backend) {
    let app = App::start(on);
    let (hel, hels) = staff(&app, "hel", Role::Helpdesk);
    let bob = add(&app, "bob", None, Role::User);
    let (client, kept) = (app.client(), app.phone("bob"));
    app.pass(1);
    let token = app.hotp_token("bob", 0);
    app.pass(1);
    let new = app.enrol("bob", app::factor::NewFactor::default());
    let (page, of_new) = (page_of(bob), page_of_phone(bob, &new));

    // What each is called, and its id for the command line.
    let shown = hel.get(&page);
    for phone in [&kept, &token, &new] {
        shown
            .must_say(&format!("href=\"{}\"", page_of_phone(bob, phone)))
            .must_say(&format!(">{}<", factor_of(phone)));
    }
    shown.must_say("<strong>Authenticator app</strong>").must_say("<strong>Code token</strong>");
    shown.must_not_say("<strong>TOTP</strong>");

    hel.get(&of_new).must_be(200).must_say("name=\"code\"").must_not_say("name=\"first\"");
    hel.post(&of_new, &[("code", &new.code())])
        .must_lead_to(&format!("{page}?said=user-authenticator-confirmed"));
    assert_eq!(active_factors(&app, bob), 3);
    client.otp("bob", &new.code_at(1)).access_token();
    hel.get(&of_new).must_be(200).must_not_say("name=\"code\"").must_not_say("name=\"first\"");

    client.otp("bob", &token.code_at(200)).must_be(400, "invalid_grant");
    let of_token = page_of_phone(bob, &token);
    hel.get(&of_token).must_be(200).must_say("name=\"first\"").must_say("name=\"second\"");
    let spaced = format!("{} {}", &token.code_at(200)[..3], &token.code_at(200)[3..]);
    hel.post(&of_token, &[("first", &spaced), ("second", &token.code_at(201))])
        .must_lead_to(&format!("{page}?said=user-authenticator-resynchronised"));
    hel.get(&format!("{page}?said=user-authenticator-resynchronised")).must_say("Its next code counts.");
    let by_token = client.otp("bob", &token.code_at(202)).access_token();

    hel.get(&format!("{of_token}/remove"))
        .must_be(200)
        .must_say("never count again")
        .must_say("The other authenticators and the recovery codes stay.");
    assert_eq!(active_factors(&app, bob), 3, "looking changes nothing");
    deed(&app, &hel, &hels, &format!("{of_token}/remove"), &[])
        .must_lead_to(&format!("{page}?said=user-authenticator-removed"));
    assert_eq!(active_factors(&app, bob), 2);
    assert!(!client.is_active(&by_token));
    client.otp("bob", &token.code_at(203)).must_be(400, "invalid_grant");
    client.otp("bob", &kept.code()).access_token();
    hel.get(&of_token).must_be(404).must_say("There is no such thing");
    deed(&app, &hel, &hels, &format!("{of_token}/remove"), &[]).must_be(404);

    for (action, phone, more) in [
        ("factor.confirmed", &new, ""),
        ("factor.resynchronised", &token, ""),
        ("factor.removed", &token, " sessions=1 devices=0"),
    ] {
        let entry = (format!("user:{bob}"), format!("factor={}{more}", factor_of(phone)));
        assert_eq!(logged(&app, action), [entry]);
        assert!(has_logged(&app, action), "{action}");
    }
}

fn nobody_reaches_an_authenticator_that_is_not_that_users(on: Backend) {
    let app = App::start(on);
    let (hel, hels) = staff(&app, "hel", Role::Helpdesk);
    let (ada, adas) = staff(&app, "ada", Role::Admin);
    let [bob, carol, ann] = [("bob", Role::User), ("carol", Role::User), ("ann", Role::Admin)]
        .map(|(name, role)| add(&app, name, None, role));
    let [bobs, carols, anns] = ["bob", "carol", "ann"].map(|name| app.hotp_token(name, 0));
    let codes = |phone: &Phone| [("first", phone.code_at(200)), ("second", phone.code_at(201))];
    let post = |visitor: &Visitor<'_>, page: &str, phone: &Phone| {
        let codes = codes(phone);
        visitor.post(page, &codes.each_ref().map(|(name, code)| (*name, code.as_str())))
    };
    let remove = |visitor: &Visitor<'_>, phone: &Phone, page: &str| {
        deed(&app, visitor, phone, &format!("{page}/remove"), &[])
    };
    // A help desk and an administrator's.
    let page = page_of_phone(ann, &anns);
    for answer in [
        hel.get(&page),
        hel.get(&format!("{page}/remove")),
        post(&hel, &page, &anns),
        remove(&hel, &hels, &page),
    ] {
        answer.must_be(403).must_say("further than your own role");
    }
    hel.get(&page_of(ann)).must_be(200).must_not_say("/authenticators/");
    // One user's under another's name, even with the right codes; a manager's under a user's; and what is no id.
    let nonsense = format!("{}/authenticators/nonsense", page_of(bob));
    for (page, phone) in [
        (page_of_phone(bob, &carols), &carols),
        (page_of_phone(carol, &bobs), &bobs),
        (page_of_phone(bob, &anns), &anns),
        (nonsense, &bobs),
        (page_of(bob).replace("/users/", "/users/x") + "/authenticators/" + &factor_of(&bobs), &bobs),
    ] {
        for (visitor, own) in [(&hel, &hels), (&ada, &adas)] {
            visitor.get(&page).must_be(404);
            visitor.get(&format!("{page}/remove")).must_be(404);
            post(visitor, &page, phone).must_be(404);
            remove(visitor, own, &page).must_be(404);
        }
    }
    for (id, phone, name) in [(bob, &bobs, "bob"), (carol, &carols, "carol"), (ann, &anns, "ann")] {
        assert_eq!(active_factors(&app, id), 1);
        app.client_with(ClientSpec { name: unused_name(), ..ClientSpec::default() })
            .otp(name, &phone.code_at(1))
            .access_token();
    }
    // An administrator reaches everybody's.
    post(&ada, &page, &anns)
        .must_lead_to(&format!("{}?said=user-authenticator-resynchronised", page_of(ann)));
    remove(&ada, &adas, &page).must_lead_to(&format!("{}?said=user-authenticator-removed", page_of(ann)));
}

fn what_is_read_out_wrong_changes_nothing(on: Backend) {
    let app = App::start(on);
    let (hel, hels) = staff(&app, "hel", Role::Helpdesk);
    let bob = add(&app, "bob", None, Role::User);
    let token = app.hotp_token("bob", 0);
    app.pass(1);
    let new = app.enrol("bob", app::factor::NewFactor::default());
    let (page, of_new) = (page_of_phone(bob, &token), page_of_phone(bob, &new));
    for (first, second, status, said) in [
        (token.code_at(200), token.code_at(202), 400, "These are not two codes of it"),
        (token.code_at(201), token.code_at(200), 400, "These are not two codes of it"),
        (token.code_at(200), token.code_at(200), 400, "These are not two codes of it"),
        (token.code_at(2000), token.code_at(2001), 400, "These are not two codes of it"),
        ("12345".to_owned(), token.code_at(201), 400, "Look at the first one."),
        (token.code_at(200), String::new(), 400, "Look at the second one."),
    ] {
        let answer = hel.post(&page, &[("first", &first), ("second", &second)]);
        answer.must_be(status).must_say(said).must_say("name=\"second\"").must_not_say(&token.code_at(200));
    }
    // What each is not for.
    hel.post(&page, &[("code", &token.code_at(1))]).must_be(404);
    hel.post(&of_new, &[("first", &new.code()), ("second", &new.code_at(1))]).must_be(404);
    hel.post(&of_new, &[("code", &new.wrong_code())]).must_be(400).must_say("This code is wrong.");
    hel.post(&of_new, &[("code", "x")]).must_be(400).must_say("6 to 8 digits");
    // To remove it wants a code of whoever removes.
    let remove = format!("{page}/remove");
    for code in [hels.wrong_code(), token.code_at(0), "x".to_owned()] {
        hel.post(&remove, &[("otp", &code)]).must_be(400).must_say("never count again");
    }
    assert_eq!(active_factors(&app, bob), 1);
    app.client().otp("bob", &token.code_at(1)).access_token();
    let refused = app.operate(|_, conn, _| app::audit::last(conn, 200)).unwrap();
    let refused: Vec<_> = refused.iter().filter(|entry| entry.outcome == "refused: wrong").collect();
    let count = |action: &str| refused.iter().filter(|entry| entry.action == action).count();
    assert_eq!((count("factor.resynchronised"), count("factor.confirmed")), (4, 1));
}

fn a_last_authenticator_that_needs_approval_is_not_removed(on: Backend) {
    let app = App::start_with_approvals(on);
    let (hel, hels) = staff(&app, "hel", Role::Helpdesk);
    let (ada, adas) = staff(&app, "ada", Role::Admin);
    let bob = add(&app, "bob", None, Role::User);
    let phone = app.phone("bob");
    let page = page_of_phone(bob, &phone);
    hel.get(&page).must_be(200).must_say("which another person approves").must_not_say("/remove");
    // Whoever asks for it all the same is led to where it is done, and spends no code.
    let reset = format!("{}/reset", page_of(bob));
    let code = hels.code();
    hel.get(&format!("{page}/remove")).must_lead_to(&reset);
    hel.post(&format!("{page}/remove"), &[("otp", &code)]).must_lead_to(&reset);
    assert_eq!(active_factors(&app, bob), 1);
    app.phone("bob");
    hel.get(&page).must_be(200).must_say("/remove");
    deed(&app, &hel, &hels, &format!("{page}/remove"), &[]).must_be(303);
    let id = app.operate(|_, conn, at| app::directory::profile(conn, at, bob)).unwrap().factors[0].id;
    let last = format!("{}/authenticators/{id}", page_of(bob));
    ada.get(&format!("{last}/remove")).must_be(200).must_say("It is the last one.");
    deed(&app, &ada, &adas, &format!("{last}/remove"), &[]).must_be(303);
    assert_eq!(active_factors(&app, bob), 0);
}

fn codes_are_read_out_to_whoever_gave_one_lately(on: Backend) {
    let app = App::start(on);
    let (hel, _) = staff(&app, "hel", Role::Helpdesk);
    let bob = add(&app, "bob", None, Role::User);
    let token = app.hotp_token("bob", 0);
    let page = page_of_phone(bob, &token);
    app.pass(16 * 60);
    hel.get(&page).must_be(200);
    let (first, second) = (token.code_at(200), token.code_at(201));
    let answer = hel.post(&page, &[("first", &first), ("second", &second)]);
    assert!(answer.status == 303 && answer.to.starts_with("/login/again"), "{answer:?}");
    assert_eq!(logged(&app, "factor.resynchronised"), []);
}

/// By the operator as well: neither can be found by who did it.
fn what_was_done_to_somebodys_things_stands_with_that_user(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    let (bobs, phone) = staff(&app, "bob", Role::User);
    let (bob, name) = (id_of(&app, "bob"), UserName::parse("bob").unwrap());
    let pending = app.enrol("bob", app::factor::NewFactor::default());
    let code = parsed(&pending.code());
    let confirmed =
        app.operate(|service, conn, at| app::factor::confirm(service, conn, at, &name, None, &code)).unwrap();
    app.pass(1);
    let token = app.hotp_token("bob", 0);
    let mut codes = (parsed(&token.code_at(200)), parsed(&token.code_at(202)));
    let resynchronise = |first: &Code, second: &Code| {
        app.operate(|service, conn, at| {
            app::factor::resynchronise(service, conn, at, &name, None, (first, second))
        })
    };
    resynchronise(&codes.0, &codes.1).unwrap_err();
    codes.1 = parsed(&token.code_at(201));
    let resynchronised = resynchronise(&codes.0, &codes.1).unwrap();
    app.operate(|service, conn, at| app::factor::remove(service, conn, at, &name, confirmed)).unwrap();
    app.client().otp("bob", &phone.code()).access_token();
    let session = app.operate(|_, conn, at| app::session::list(conn, at, &name)).unwrap()[0].id;
    app.operate(|service, conn, at| app::session::end(service, conn, at, session)).unwrap();
    app.operate(|service, conn, at| app::access::add_group(service, conn, at, "readers")).unwrap();
    let grants = app
        .operate(|service, conn, at| {
            let holders = [Named::User(name.clone()), Named::Group("readers".to_owned())];
            let span = Span { starts_at: at.now, ends_at: Timestamp::NEVER };
            app::access::give(service, conn, at, &holders, &Access::Scope("stacks".to_owned()), span)
        })
        .unwrap();
    for grant in &grants {
        app.operate(|service, conn, at| app::access::take_one(service, conn, at, *grant)).unwrap();
    }
    let of_bob = format!("user:{bob}");
    for (action, detail, said) in [
        ("factor.confirmed", format!("factor={confirmed}"), "Authenticator confirmed"),
        ("factor.resynchronised", format!("factor={resynchronised}"), "Authenticator resynchronised"),
        ("factor.removed", format!("factor={confirmed} sessions=0 devices=0"), "Authenticator removed"),
        ("session.ended", format!("session={session}"), "Session ended"),
        ("access.taken", format!("scope=stacks grant={}", grants[0]), "Access taken back"),
    ] {
        assert!(
            logged(&app, action).contains(&(of_bob.clone(), detail)),
            "{action}: {:?}",
            logged(&app, action)
        );
        let found = ada.get(&format!("/console/audit?who=bob&part=subject&action={action}"));
        found.must_be(200).must_say("<td class=\"number\">");
        for page in [ada.get(&page_of(bob)), bobs.get("/console/account/activity")] {
            page.must_be(200).must_say(&format!("<td>{said}</td>"));
        }
    }
    let of_group =
        logged(&app, "access.taken").into_iter().find(|(subject, _)| subject.starts_with("group:"));
    assert_eq!(of_group.unwrap().1, format!("scope=stacks grant={}", grants[1]));
}

fn a_form_that_comes_back_keeps_what_was_not_ticked(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    ada.get("/console/users/add").must_say("name=\"invite\" value=\"1\" checked");
    let bad = [("username", "bob"), ("email", "nowhere"), ("role", "user")];
    ada.post("/console/users/add", &bad).must_be(400).must_say("name=\"invite\"").must_not_say("checked");
    let bad = [&bad[..], &[("invite", "1")]].concat();
    ada.post("/console/users/add", &bad).must_be(400).must_say("name=\"invite\" value=\"1\" checked");
}

fn a_user_without_an_address_is_invited_by_a_link_shown_once(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    let (hel, _) = staff(&app, "hel", Role::Helpdesk);
    let bob = add(&app, "bob", None, Role::User);
    let answer = ada.post(&format!("{}/invite", page_of(bob)), &[]);
    answer.must_be(200).must_say("There is no e-mail address for bob");
    assert!(answer.text.contains("https://countersign.example/welcome/"), "{}", answer.text);
    assert_eq!(count_rows(&app.place, "outbox"), 0);
    hel.post(&format!("{}/invite", page_of(bob)), &[])
        .must_be(403)
        .must_say("Your role does not allow this.");
    assert!(!hel.get(&page_of(bob)).text.contains("/welcome/"));
}

/// Else whoever had invited a user like any other, which wants no code, would have a manager once somebody makes one of them.
fn another_role_voids_an_invitation_that_waits(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    for name in ["bob", "carol"] {
        let page = page_of(add(&app, name, None, Role::User));
        ada.post(&format!("{page}/invite"), &[]).must_be(200);
        ada.get(&format!("{page}/email")).must_lead_to(&page);
    }
    assert_eq!(count_rows(&app.place, "invitation"), 2);
    let page = page_of(id_of(&app, "bob"));
    deed(&app, &ada, &phone, &format!("{page}/role"), &[("role", "auditor")])
        .must_lead_to(&format!("{page}?said=role-changed"));
    assert_eq!(count_rows(&app.place, "invitation"), 1);
    let name = UserName::parse("carol").unwrap();
    let with = |role| NewUser { name: name.clone(), email: None, role, password: None };
    let put = |role| app.operate(|service, conn, at| app::user::put(service, conn, at, &with(role))).unwrap();
    put(Role::User);
    assert_eq!(count_rows(&app.place, "invitation"), 1, "nothing has changed");
    put(Role::Admin);
    assert_eq!(count_rows(&app.place, "invitation"), 0);
}

fn a_help_desk_helps_users_and_reaches_no_manager(on: Backend) {
    let app = App::start(on);
    let (hel, phone) = staff(&app, "hel", Role::Helpdesk);
    let bob = add(&app, "bob", None, Role::User);
    app.phone("bob");
    let page = page_of(bob);
    deed(&app, &hel, &phone, &format!("{page}/reset"), &[]).must_lead_to(&format!("{page}?said=reset-done"));
    app.lock("bob");
    hel.post(&format!("{page}/unlock"), &[]).must_lead_to(&format!("{page}?said=user-unlocked"));
    for word in ["disable", "remove", "end-sessions", "role?role=admin"] {
        hel.get(&format!("{page}/{word}")).must_be(403).must_say("Your role does not allow this.");
        let word = word.split('?').next().unwrap();
        deed(&app, &hel, &phone, &format!("{page}/{word}"), &[("role", "admin")])
            .must_be(403)
            .must_say("Your role does not allow this.");
    }
    let shown = hel.get(&page);
    shown.must_be(200).must_say("Reset enrolment");
    assert!(!shown.text.contains("/remove") && !shown.text.contains("/invite"), "{}", shown.text);
    hel.post(&format!("{page}/email"), &[("email", "h@example.org")]).must_be(403).must_say("role");
    hel.post("/console/users/add", &[("username", "eve"), ("role", "admin")]).must_be(403).must_say("role");
    hel.get("/console/users/import").must_be(403).must_say("role");
    let list = "name,role\neve,admin\nfay,user\n";
    hel.post("/console/users/import", &[("list", list)]).must_be(403).must_say("role");
    deed(&app, &hel, &phone, "/console/users/import/apply", &[("list", list)]).must_be(403).must_say("role");

    for (name, role) in [("ann", Role::Admin), ("aud", Role::Auditor), ("hob", Role::Helpdesk)] {
        let manager = add(&app, name, None, role);
        app.phone(name);
        let page = page_of(manager);
        assert!(!hel.get(&page).text.contains("/reset"), "{name}");
        hel.get(&format!("{page}/reset")).must_be(403).must_say("further than your own role");
        deed(&app, &hel, &phone, &format!("{page}/reset"), &[])
            .must_be(403)
            .must_say("further than your own role");
        app.lock(name);
        hel.post(&format!("{page}/unlock"), &[]).must_be(403).must_say("further than your own role");
        assert_eq!(active_factors(&app, manager), 1, "{name}");
        assert_eq!(user(&app, manager).unwrap().state, UserState::Locked, "{name}");
    }
    assert_eq!(count_rows(&app.place, "user"), 5);
}

/// Every form of the user administration, about this user and the user's first authenticator.
fn forms(app: &App, id: UserId) -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let page = page_of(id);
    let mut forms = vec![
        ("/console/users/add".to_owned(), vec![("username", "eve"), ("role", "user")]),
        ("/console/users/import".to_owned(), vec![("list", "name\neve\n")]),
        ("/console/users/import/apply".to_owned(), vec![("list", "name\neve\n")]),
        (format!("{page}/email"), vec![("email", "eve@example.org")]),
        (format!("{page}/role"), vec![("role", "admin")]),
        (format!("/console/approvals/{id}/approve"), vec![]),
        (format!("/console/approvals/{id}/decline"), vec![]),
    ];
    let factor = app.operate(|_, conn, at| app::directory::profile(conn, at, id)).unwrap().factors[0].id;
    forms.push((format!("{page}/authenticators/{factor}"), vec![("first", "123456"), ("second", "654321")]));
    forms.push((format!("{page}/authenticators/{factor}"), vec![("code", "123456")]));
    forms.push((format!("{page}/authenticators/{factor}/remove"), vec![]));
    for word in ["reset", "disable", "end-sessions", "remove", "unlock", "invite"] {
        forms.push((format!("{page}/{word}"), vec![]));
    }
    forms
}

/// What must stay as it was.
fn unchanged(app: &App, id: UserId) -> (String, usize, i64, i64) {
    let user = user(app, id).unwrap();
    let is = format!("{:?} {} {}", user.email, user.role, user.state);
    (is, active_factors(app, id), count_rows(&app.place, "user"), count_rows(&app.place, "invitation"))
}

fn an_auditor_sees_everything_and_changes_nothing(on: Backend) {
    let app = App::start(on);
    let (aud, phone) = staff(&app, "aud", Role::Auditor);
    let bob = add(&app, "bob", Some("bob@example.org"), Role::User);
    app.phone("bob");
    aud.get("/console/users").must_be(200).must_say("bob@example.org");
    aud.get(&page_of(bob)).must_be(200).must_say("bob@example.org");
    aud.get("/console/approvals").must_be(200).must_say("Nothing waits.");
    let before = unchanged(&app, bob);
    for (path, fields) in forms(&app, bob) {
        let answer = deed(&app, &aud, &phone, &path, &fields);
        // An id of a user is no id of a request.
        let over = path.ends_with("/approve");
        assert_eq!(answer.status, if over { 303 } else { 403 }, "{path} {}", answer.text);
    }
    assert_eq!(unchanged(&app, bob), before);
}

fn a_user_sees_nothing_of_others(on: Backend) {
    let app = App::start(on);
    let (uma, phone) = staff(&app, "uma", Role::User);
    let bob = add(&app, "bob", Some("bob@example.org"), Role::User);
    app.phone("bob");
    for path in ["/console/users", "/console/users/add", "/console/users/import", "/console/approvals"] {
        uma.get(path).must_be(403).must_say("Your role does not allow this.");
    }
    let answer = uma.get(&page_of(bob));
    answer.must_be(403).must_say("Your role does not allow this.");
    assert!(!answer.text.contains("bob"), "{}", answer.text);
    let before = unchanged(&app, bob);
    for (path, fields) in forms(&app, bob) {
        assert_eq!(deed(&app, &uma, &phone, &path, &fields).status, 403, "{path}");
    }
    assert_eq!(unchanged(&app, bob), before);
    let nobody = Visitor::at(&app);
    assert!(nobody.get("/console/users").to.starts_with("/login?to="));
}

fn forms_without_the_right_mark_or_from_elsewhere_are_refused(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    let (ann, _) = staff(&app, "ann", Role::Admin);
    let bob = add(&app, "bob", Some("bob@example.org"), Role::User);
    app.phone("bob");
    let before = unchanged(&app, bob);
    let code = phone.code();
    let (mark, foreign) = (ada.mark(), ann.mark());
    assert_ne!(mark, foreign);
    for (path, fields) in forms(&app, bob) {
        let with = |more: &[(&'static str, &str)]| -> Vec<(String, String)> {
            let all = fields.iter().copied().chain([("otp", code.as_str())]).chain(more.iter().copied());
            all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        let send = |headers: &[(&str, &str)], fields: Vec<(String, String)>| {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            ada.send(&path, &fields, headers).status
        };
        assert_eq!(send(&[], with(&[])), 403, "{path} without a mark");
        assert_eq!(send(&[], with(&[("mark", &foreign)])), 403, "{path} with another's mark");
        for headers in [[("origin", "https://evil.example")], [("sec-fetch-site", "cross-site")]] {
            assert_eq!(send(&headers, with(&[("mark", &mark)])), 403, "{path} {headers:?}");
        }
    }
    assert_eq!(unchanged(&app, bob), before);
}

fn scripts_in_names_and_labels_are_only_text(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    let evil = "<script>alert(1)</script>'\"&";
    let bob = add(&app, evil, Some("o'<b@example.org"), Role::User);
    for path in [
        "/console/users".to_owned(),
        page_of(bob),
        format!("{}/remove", page_of(bob)),
        "/console/users?q=%3Cscript%3Ealert(1)".to_owned(),
    ] {
        let answer = ada.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text.contains("alert(1)"), "{path} {}", answer.text);
        assert!(!answer.text.contains("<script>"), "{path} {}", answer.text);
        assert!(!answer.text.contains("'<b@"), "{path} {}", answer.text);
    }
    let adas = id_of(&app, "ada");
    let factor = app.operate(|_, conn, at| app::directory::profile(conn, at, adas)).unwrap().factors[0].id;
    ada.post(&format!("/console/account/authenticators/{factor}/rename"), &[("label", evil)]);
    let own = ada.get(&page_of(adas));
    assert!(own.text.contains("alert(1)") && !own.text.contains("<script>"), "{}", own.text);
    let list = format!("name,email\n\"</textarea>{}\",x@example.org\n", "<script>alert(1)</script>");
    let answer = ada.post("/console/users/import", &[("list", &list)]);
    answer.must_be(200).must_say("alert(1)");
    assert!(
        !answer.text.contains("<script>") && answer.text.matches("</textarea>").count() == 1,
        "{}",
        answer.text
    );
}

fn a_wrong_or_used_code_changes_nothing(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    let bob = add(&app, "bob", None, Role::User);
    app.phone("bob");
    let page = page_of(bob);
    let before = unchanged(&app, bob);
    for word in ["reset", "disable", "end-sessions", "remove"] {
        let path = format!("{page}/{word}");
        let answer = ada.post(&path, &[("otp", &phone.wrong_code())]);
        assert!(matches!(answer.status, 400 | 403), "{} {}", answer.status, answer.text);
        assert!(answer.text.contains("role=\"alert\""), "{}", answer.text);
        ada.post(&path, &[("otp", "12")]).must_be(400).must_say("A code is 6 to 8 digits.");
        assert_eq!(unchanged(&app, bob), before, "{word}");
    }
    let code = phone.code();
    ada.post(&format!("{page}/end-sessions"), &[("otp", &code)])
        .must_lead_to(&format!("{page}?said=sessions-ended"));
    let again = ada.post(&format!("{page}/remove"), &[("otp", &code)]);
    assert!(again.text.contains("role=\"alert\""), "{} {}", again.status, again.text);
    assert_eq!(unchanged(&app, bob), before);
}

const LIST: &str = "role,email,name\n,anna@example.org,anna\nuser,,bob\nboss,,cleo\n,nowhere,dora\n,,ed:ed\n,,ANNA\n,x\nadmin,,fay\n";

fn a_preview_changes_nothing_and_names_what_is_wrong(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    add(&app, "bob", None, Role::User);
    let answer = ada.post("/console/users/import", &[("list", LIST), ("invite", "1")]);
    answer.must_be(200).must_say("2 users will be added.");
    answer.must_be(200).must_say("5 lines have something wrong");
    for words in [
        "Will be added and invited",
        "Exists already",
        "Column role: must be",
        "Column email: this is no e-mail address",
        "Column name: this cannot be a name",
        "Column name: stands in line 2 already",
        "more or fewer columns",
    ] {
        answer.must_be(200).must_say(words);
    }
    assert_eq!(count_rows(&app.place, "user"), 2);
    assert_eq!(count_rows(&app.place, "invitation"), 0);
    ada.post("/console/users/import", &[("list", "name,age\nx,7\n")]).must_be(400).must_say("age");
    ada.post("/console/users/import", &[("list", "")]).must_be(400).must_say("The list cannot be used.");
}

fn an_import_adds_everybody_who_is_new_and_invites(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    let bob = add(&app, "bob", Some("bob@example.org"), Role::Auditor);
    let fields = [("list", LIST), ("invite", "1")];
    let wrong = phone.wrong_code();
    ada.post("/console/users/import/apply", &[fields[0], fields[1], ("otp", &wrong)])
        .must_be(400)
        .must_say("role=\"alert\"");
    assert_eq!(count_rows(&app.place, "user"), 2);
    // Long after the login: the code comes with the form, and the list is not lost on the way to another page.
    app.pass(1000);
    ada.post("/console/users/import", &fields).must_be(200).must_say("fay");
    let answer = deed(&app, &ada, &phone, "/console/users/import/apply", &fields);
    answer.must_be(200).must_say("2 users were added.");
    answer.must_be(200).must_say("Added and invited");
    answer.must_be(200).must_say("Added; no address, so no invitation");
    assert_eq!(count_rows(&app.place, "user"), 4);
    assert_eq!(count_rows(&app.place, "invitation"), 1);
    assert_eq!(user(&app, bob).unwrap().role, Role::Auditor, "whoever exists stays");
    assert_eq!(user(&app, id_of(&app, "fay")).unwrap().role, Role::Admin);
    assert!(has_logged(&app, "users.imported") && has_logged(&app, "user.added"));
    deed(&app, &ada, &phone, "/console/users/import/apply", &fields)
        .must_be(200)
        .must_say("0 users were added.");
}

fn long_lists_are_taken_and_longer_ones_refused(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    let mut list = String::from("name;email\n");
    for number in 0..2500 {
        list.extend(["user", &number.to_string(), ";user", &number.to_string(), "@example.org\n"]);
    }
    deed(&app, &ada, &phone, "/console/users/import/apply", &[("list", &list)])
        .must_be(200)
        .must_say("2500 users were added.");
    assert_eq!(count_rows(&app.place, "user"), 2501);
    let long = format!("name\n{}", "x\n".repeat(5001));
    ada.post("/console/users/import", &[("list", &long)]).must_be(400).must_say("more than 5000 users");
    let huge = format!("name\n{}", "x".repeat(4 << 20));
    ada.post_from("/console/users/import", "/console/users/import", &[("list", &huge)])
        .must_be(413)
        .must_say("more than can be sent at once")
        .must_say("aria-current=\"page\"");
}

/// Only the head of the form is sent: an answer that waited for the rest would be another one, ten seconds later.
fn a_long_list_is_read_of_nobody_who_may_not_bring_one(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    let (hel, _) = staff(&app, "hel", Role::Helpdesk);
    let cookie = |visitor: &Visitor<'_>| visitor.cookie("countersign").unwrap();
    let (ada, hel) = (cookie(&ada), cookie(&hel));
    let nobody = "cst_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for path in ["/console/users/import", "/console/users/import/apply"] {
        for (cookie, from, answer) in [
            (nobody, "sec-fetch-site: same-origin", "HTTP/1.1 303"),
            (&hel, "sec-fetch-site: same-origin", "HTTP/1.1 403"),
            (&ada, "sec-fetch-site: cross-site", "HTTP/1.1 403"),
            (&ada, "origin: https://evil.example", "HTTP/1.1 403"),
        ] {
            let mut stream = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\ncookie: __Host-countersign={cookie}\r\n{from}\r\n\
                 content-type: application/x-www-form-urlencoded\r\ncontent-length: 3000000\r\n\r\nlist="
            );
            stream.write_all(head.as_bytes()).unwrap();
            let mut status = [0; 12];
            stream.read_exact(&mut status).unwrap();
            assert_eq!(String::from_utf8_lossy(&status), answer, "{path} {from}");
        }
    }
}

/// It takes as long as a body may take.
fn a_list_that_comes_too_slowly_is_not_called_foreign(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    let mut stream = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let cookie = ada.cookie("countersign").unwrap();
    let head = format!(
        "POST /console/users/import HTTP/1.1\r\nhost: x\r\ncookie: __Host-countersign={cookie}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\nlist="
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("</html>") {
        let mut part = [0; 4096];
        let length = stream.read(&mut part).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..length]);
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("It took too long to arrive"), "{answer}");
}

fn two_administrators_reset_at_once_and_both_hear_how_it_went(on: Backend) {
    let app = App::start(on);
    let both = [staff(&app, "ada", Role::Admin), staff(&app, "ann", Role::Admin)];
    let bob = add(&app, "bob", None, Role::User);
    app.phone("bob");
    let path = format!("{}/reset", page_of(bob));
    let codes = both.each_ref().map(|(_, phone)| phone.code());
    let mut said = at_once(2, |index| both[index].0.post(&path, &[("otp", &codes[index])]).to);
    said.sort();
    let page = page_of(bob);
    assert_eq!(said, [format!("{page}?said=reset-done"), format!("{page}?said=reset-nothing")]);
    assert_eq!(active_factors(&app, bob), 0);
}

/// The id of the only reset that waits.
fn waiting(app: &App) -> String {
    let waiting = app.operate(|_, conn, at| app::reset::waiting(conn, at)).unwrap();
    assert_eq!(waiting.len(), 1);
    waiting[0].id.to_string()
}

fn a_help_desks_reset_waits_for_another_person(on: Backend) {
    let app = App::start_with_approvals(on);
    let (hel, hels) = staff(&app, "hel", Role::Helpdesk);
    let (hob, hobs) = staff(&app, "hob", Role::Helpdesk);
    let (ada, adas) = staff(&app, "ada", Role::Admin);
    let bob = add(&app, "bob", None, Role::User);
    app.phone("bob");
    let page = page_of(bob);
    hel.get(&format!("{page}/reset")).must_be(200).must_say("when another person approves");
    deed(&app, &hel, &hels, &format!("{page}/reset"), &[]).must_lead_to(&format!("{page}?said=reset-waits"));
    assert_eq!(active_factors(&app, bob), 1);
    let id = waiting(&app);
    deed(&app, &hel, &hels, &format!("{page}/reset"), &[]).must_lead_to(&format!("{page}?said=reset-waits"));
    assert_eq!(waiting(&app), id, "asking again changes nothing");
    hob.get("/console/users").must_be(200).must_say("One reset waits for a second person.");
    let own = hel.get("/console/approvals");
    own.must_be(200).must_say("somebody else decides");
    assert!(!own.text.contains("/approve"), "{}", own.text);
    let approve = format!("/console/approvals/{id}/approve");
    deed(&app, &hel, &hels, &approve, &[]).must_be(403).must_say("further than your own role");
    hel.post(&format!("/console/approvals/{id}/decline"), &[])
        .must_be(403)
        .must_say("further than your own role");
    assert_eq!((active_factors(&app, bob), waiting(&app)), (1, id.clone()));
    hob.get(&approve).must_be(200).must_say("hel asked for it.");
    deed(&app, &hob, &hobs, &approve, &[]).must_lead_to("/console/approvals?said=reset-approved");
    assert_eq!(active_factors(&app, bob), 0);
    deed(&app, &ada, &adas, &approve, &[]).must_lead_to("/console/approvals?said=approval-over");

    // By the API it is the same.
    app.phone("bob");
    let client = app.client_with(ClientSpec {
        name: unused_name(),
        ..ClientSpec::with_scopes("users:read factors factors:read")
    });
    app.pass(1);
    app.user_with_password("hal");
    let role = |service: &_, conn: &mut _, at| {
        app::user::change_role(service, conn, at, &UserName::parse("hal").unwrap(), Role::Helpdesk)
    };
    app.operate(role).unwrap();
    let phone = app.phone("hal");
    let token = client.mfa_otp(&client.mfa_token("hal"), &phone.code()).access_token();
    let bearer = format!("Bearer {token}");
    let reply = app.call("POST", "/v1/users/bob/reset", &[("authorization", &bearer)], &Value::Null);
    assert_eq!(reply.status, 202, "{reply:?}");
    assert_eq!(reply.text("request_id"), waiting(&app));
    hob.post(&format!("/console/approvals/{}/decline", waiting(&app)), &[])
        .must_lead_to("/console/approvals?said=reset-declined");
    assert_eq!(active_factors(&app, bob), 1);
    for action in ["reset.asked", "reset.approved", "reset.declined", "factors.reset"] {
        assert!(has_logged(&app, action), "{action}");
    }
    // A day is the limit; an administrator needs nobody.
    deed(&app, &hel, &hels, &format!("{page}/reset"), &[]).must_lead_to(&format!("{page}?said=reset-waits"));
    let late = waiting(&app);
    deed(&app, &ada, &adas, &format!("{page}/reset"), &[]).must_lead_to(&format!("{page}?said=reset-done"));
    deed(&app, &hob, &hobs, &format!("/console/approvals/{late}/approve"), &[])
        .must_lead_to("/console/approvals?said=approval-over");
}

fn two_approve_at_once_and_one_takes_effect(on: Backend) {
    let app = App::start_with_approvals(on);
    let (hel, hels) = staff(&app, "hel", Role::Helpdesk);
    let both = [staff(&app, "ada", Role::Admin), staff(&app, "hob", Role::Helpdesk)];
    let bob = add(&app, "bob", None, Role::User);
    app.phone("bob");
    deed(&app, &hel, &hels, &format!("{}/reset", page_of(bob)), &[]);
    let path = format!("/console/approvals/{}/approve", waiting(&app));
    let codes = both.each_ref().map(|(_, phone)| phone.code());
    let mut said = at_once(2, |index| both[index].0.post(&path, &[("otp", &codes[index])]).to);
    said.sort();
    assert_eq!(said, ["/console/approvals?said=approval-over", "/console/approvals?said=reset-approved"]);
    let entries = app.operate(|_, conn, _| app::audit::last(conn, 200)).unwrap();
    assert_eq!(entries.iter().filter(|entry| entry.action == "factors.reset").count(), 1);
}

/// All names in the list from this address on, in the order in which its pages show them.
fn names(visitor: &Visitor<'_>, first: &str) -> Vec<String> {
    let (mut names, mut next) = (Vec::new(), Some(first.to_owned()));
    while let Some(path) = next {
        let answer = visitor.get(&path);
        assert_eq!(answer.status, 200, "{}", answer.text);
        for part in answer.text.split("<td><a href=\"/console/users/").skip(1) {
            let (_, rest) = part.split_once("<bdi>").unwrap();
            names.push(rest.split_once("</bdi>").unwrap().0.to_owned());
        }
        next = answer
            .text
            .split_once("rel=\"next\" href=\"")
            .map(|(_, rest)| rest.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&"));
        assert!(names.len() < 1000, "pages without an end");
    }
    names
}

fn searching_and_paging_show_everybody_once(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    let mut everybody = vec!["ada".to_owned()];
    for number in 0..120 {
        let name = format!("sam{number:03}");
        // Half of them would be found by name and by address, all of the others by address alone.
        let email =
            if number % 2 == 0 { format!("{name}@example.org") } else { "zoe@example.org".to_owned() };
        add(&app, &name, Some(&email), Role::User);
        everybody.push(name);
    }
    assert_eq!(names(&ada, "/console/users"), everybody);
    assert_eq!(names(&ada, "/console/users?q=sam"), everybody[1..]);
    assert_eq!(names(&ada, "/console/users?q=SAM00"), everybody[1..11]);
    assert_eq!(names(&ada, "/console/users?q=zoe%40").len(), 60);
    assert_eq!(names(&ada, "/console/users?q=sam004%40example.org"), ["sam004"]);
    assert_eq!(names(&ada, "/console/users?q=nobody"), [""; 0]);
    assert_eq!(names(&ada, "/console/users?after=x"), everybody, "a cursor that is none is the beginning");
}

fn filters_show_exactly_who_fits(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    for number in 0..70 {
        add(&app, &format!("sam{number:03}"), Some("s@example.org"), Role::User);
    }
    add(&app, "aud", None, Role::Auditor);
    app.lock("sam069");
    app.lock("aud");
    app.phone("sam068");
    let name = UserName::parse("sam067").unwrap();
    app.operate(|service, conn, at| {
        app::factor::enrol(service, conn, at, &name, app::factor::NewFactor::default())
    })
    .unwrap();
    let list = |query: &str| names(&ada, &format!("/console/users?{query}"));
    assert_eq!(list("role=auditor"), ["aud"]);
    assert_eq!(list("state=locked"), ["aud", "sam069"]);
    assert_eq!(list("state=locked&role=user"), ["sam069"]);
    assert_eq!(list("state=active&role=user").len(), 69);
    assert_eq!(list("enrolment=active"), ["ada", "sam068"]);
    assert_eq!(list("enrolment=pending"), ["sam067"]);
    assert_eq!(list("enrolment=none").len(), 69);
    assert_eq!(list("q=s%40&state=locked"), ["sam069"]);
    assert_eq!(list("q=sam&enrolment=active"), ["sam068"]);
}

fn the_last_administrator_stays(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    // Neither an administrator who is locked nor a role below counts.
    add(&app, "ann", None, Role::Admin);
    app.lock("ann");
    add(&app, "aud", None, Role::Auditor);
    let page = page_of(id_of(&app, "ada"));
    for (word, fields) in [("remove", &[][..]), ("disable", &[]), ("role", &[("role", "user")])] {
        deed(&app, &ada, &phone, &format!("{page}/{word}"), fields)
            .must_be(409)
            .must_say("This is the last administrator.");
    }
    ada.get(&page).must_be(200);
    app.unlock("ann");
    deed(&app, &ada, &phone, &format!("{page}/role"), &[("role", "user")]).must_be(303);
}

fn of_two_administrators_who_dismiss_each_other_one_stays(on: Backend) {
    let app = App::start(on);
    let (ada, adas) = staff(&app, "ada", Role::Admin);
    let (ann, anns) = staff(&app, "ann", Role::Admin);
    let pages = [page_of(id_of(&app, "ann")), page_of(id_of(&app, "ada"))];
    app.next_step();
    let (both, codes) = ([&ada, &ann], [adas.code(), anns.code()]);
    for visitor in both {
        visitor.get("/console/account");
    }
    let _ = at_once(2, |index| {
        let fields = [("role", "user"), ("otp", codes[index].as_str())];
        both[index].post(&format!("{}/role", pages[index]), &fields).status
    });
    let users = app.operate(|_, conn, _| app::user::list(conn)).unwrap();
    assert_eq!(users.iter().filter(|user| user.role == Role::Admin).count(), 1);
}

fn a_form_that_wanted_a_code_first_is_not_said_to_be_done(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    let bob = add(&app, "bob", Some("bob@example.org"), Role::User);
    let page = page_of(bob);
    ada.get(&page);
    app.pass(16 * 60);
    // The page still says what the form before this one did, and is looked at with other parameters, too.
    for (from, to) in [
        (format!("{page}?said=user-unlocked"), format!("{page}?said=undone")),
        (format!("{page}?a=b&said=user-unlocked&c=d%26"), format!("{page}?a=b&c=d%26&said=undone")),
        (page.clone(), format!("{page}?said=undone")),
        ("/console".to_owned(), "/console".to_owned()),
    ] {
        let again = format!("/login/again?{}", form_urlencoded(&[("to", &to)]));
        ada.post_from(&from, &format!("{page}/invite"), &[]).must_lead_to(&again);
    }
    assert_eq!(count_rows(&app.place, "invitation"), 0);
    let there = format!("{page}?said=undone");
    ada.get("/login/again");
    ada.post("/login/again", &[("otp", &phone.code()), ("to", &there)]).must_lead_to(&there);
    ada.get(&there).must_say("Nothing has been done yet").must_not_say("class=\"said\"");
    // No other site has a page say that.
    ada.look(&there, &[("sec-fetch-site", "cross-site")])
        .must_be(200)
        .must_not_say("Nothing has been done yet");
    ada.post_from(&there, &format!("{page}/invite"), &[]).must_lead_to(&format!("{page}?said=user-invited"));
    // Nor is it said after a login: neither by a form nor by the page itself.
    app.pass(13 * 3600);
    let said = format!("{page}?said=user-invited");
    let login = |to: &str| format!("/login?{}", form_urlencoded(&[("to", to)]));
    ada.get(&said).must_lead_to(&login(&page));
    ada.post_from(&said, &format!("{page}/invite"), &[]).must_lead_to(&login(&there));
}

fn adding_a_user_wants_a_code_before_anything_is_typed(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    ada.get("/console/users/add").must_be(200);
    app.pass(16 * 60);
    ada.get("/console/users/add").must_lead_to("/login/again?to=%2Fconsole%2Fusers%2Fadd");
}

/// A cookie that was stolen within a quarter of an hour after a code makes nobody an administrator.
fn who_makes_somebody_a_manager_gives_a_code_with_the_form(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    let path = "/console/users/add";
    ada.get(path).must_be(200).must_not_say("name=\"otp\"");
    let users = || count_rows(&app.place, "user");
    for role in ["admin", "auditor", "helpdesk"] {
        let typed = [("username", "eve"), ("email", "eve@example.org"), ("role", role), ("invite", "1")];
        for (code, said) in [
            ("", "wants a code of yours. Nobody has been added yet."),
            ("12345", "A code is 6 to 8 digits."),
            (&*phone.wrong_code(), "This code is wrong."),
        ] {
            let page = ada.post(path, &[&typed[..], &[("otp", code)]].concat()).must_be(400).must_say(said);
            for kept in [
                "name=\"otp\"",
                "value=\"eve\"",
                "value=\"eve@example.org\"",
                "name=\"invite\" value=\"1\" checked",
                &format!("<option value=\"{role}\" selected>"),
            ] {
                page.must_say(kept);
            }
            page.must_not_say("/welcome/");
        }
    }
    assert_eq!((users(), count_rows(&app.place, "invitation")), (1, 0));
    // A name that is taken uses up no code, nor does a field that is wrong.
    let code = phone.code();
    ada.post(path, &[("username", "ada"), ("role", "admin"), ("otp", &code)]).must_be(409);
    ada.post(path, &[("username", "a:b"), ("role", "admin"), ("otp", &code)]).must_be(400);
    let answer = ada.post(path, &[("username", "eve"), ("role", "admin"), ("invite", "1"), ("otp", &code)]);
    answer.must_be(200).must_say("https://countersign.example/welcome/");
    ada.post(path, &[("username", "eva"), ("role", "admin"), ("otp", &code)])
        .must_be(400)
        .must_say("This code was used already.");
    // Whoever looks after the own authenticators alone is added as ever.
    ada.get(path);
    ada.post(path, &[("username", "bob"), ("role", "user")])
        .must_lead_to(&format!("{}?said=user-added", page_of(id_of(&app, "bob"))));
    // With a code it is done however old the login is.
    app.pass(20 * 60);
    ada.get("/console/users");
    deed(&app, &ada, &phone, path, &[("username", "otto"), ("role", "auditor")])
        .must_lead_to(&format!("{}?said=user-added", page_of(id_of(&app, "otto"))));
}

/// Who reads the invitation of an administrator sets the password, and where there is no authenticator connects one.
fn who_invites_a_manager_or_changes_the_address_gives_a_code_with_the_form(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    for (name, role) in [("ann", Role::Admin), ("otto", Role::Auditor), ("hob", Role::Helpdesk)] {
        let id = add(&app, name, None, role);
        let page = page_of(id);
        let (invite, email) = (format!("{page}/invite"), format!("{page}/email"));
        let (wrong, before) = (phone.wrong_code(), count_rows(&app.place, "invitation"));
        for code in ["", "12345", &wrong] {
            let status = if code.is_empty() { 200 } else { 400 };
            ada.get(&page);
            let asked = ada.post(&invite, &[("otp", code)]).must_be(status);
            asked
                .must_say(&format!("<h1>Invite {name}?</h1>"))
                .must_say("name=\"otp\"")
                .must_not_say("/welcome/");
            let asked = ada.post(&email, &[("email", "eve@example.org"), ("otp", code)]).must_be(status);
            asked.must_say("The new address is: eve@example.org").must_say("value=\"eve@example.org\"");
        }
        assert_eq!(count_rows(&app.place, "invitation"), before, "{name}");
        assert_eq!(user(&app, id).unwrap().email, None, "{name}");
        deed(&app, &ada, &phone, &invite, &[]).must_be(200).must_say("/welcome/");
        deed(&app, &ada, &phone, &email, &[("email", "n@example.org")])
            .must_lead_to(&format!("{page}?said=email-changed"));
        assert_eq!(user(&app, id).unwrap().email.as_deref(), Some("n@example.org"));
    }
}

fn every_wrong_field_of_a_new_user_is_named(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    ada.get("/console/users/add").must_not_say("aria-invalid");
    let wrong = [("username", "a:b"), ("email", "nowhere"), ("role", "boss")];
    let page = ada.post("/console/users/add", &wrong).must_be(400);
    for field in ["username", "email"] {
        page.must_say(&format!("aria-describedby=\"{field}-error\" aria-invalid=\"true\""));
    }
    for said in
        ["id=\"username-error\">This user name", "id=\"email-error\">This is not", "id=\"role-error\""]
    {
        page.must_say(said);
    }
    let taken = ada.post("/console/users/add", &[("username", "ada"), ("role", "user")]).must_be(409);
    taken.must_say("id=\"username-error\">That name is taken.");
    assert_eq!(taken.text.matches("aria-invalid").count(), 1);
}

fn a_users_page_names_who_did_what_and_why_it_was_refused(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    let (hel, _) = staff(&app, "hel", Role::Helpdesk);
    let bob = add(&app, "bob", None, Role::User);
    let page = page_of(bob);
    let phone = app.phone("bob");
    app.client().otp("bob", &phone.wrong_code()).must_be(400, "invalid_grant");
    ada.post(&format!("{page}/unlock"), &[]).must_be(303);
    hel.post(&format!("{page}/unlock"), &[]).must_be(303);
    let (adas, hels) = (id_of(&app, "ada"), id_of(&app, "hel"));
    let shown = ada.get(&page);
    shown.must_say("<td>You</td>").must_not_say("Another user").must_say("<span class=\"meta\">wrong</span>");
    shown.must_say(&format!("<a href=\"/console/audit?who=user%3A{hels}\"><bdi>hel</bdi></a>"));
    shown.must_say(&format!("href=\"/console/audit?who=user:{bob}\""));
    ada.get(&format!("/console/audit?who=user:{bob}")).must_be(200).must_say("User unlocked");
    // A help desk does not read the log.
    let shown = hel.get(&page);
    shown.must_say("<bdi>ada</bdi>").must_not_say("/console/audit").must_not_say(&adas.to_string());
}

fn a_list_comes_back_from_its_preview(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    let preview = ada.post("/console/users/import", &[("list", LIST), ("invite", "1")]).must_be(200);
    preview.must_say("formaction=\"/console/users/import\" formnovalidate name=\"edit\"");
    // What is wrong stands first.
    let rows: Vec<_> = preview.text.split("<tr><td class=\"number\">").skip(1).collect();
    let lines: Vec<_> = rows.iter().map(|row| row.split('<').next().unwrap()).collect();
    assert_eq!(lines, ["4", "5", "6", "7", "8", "2", "3", "9"]);
    let fields = [("list", LIST), ("invite", "1"), ("edit", "1"), ("otp", "")];
    let form = ada.post("/console/users/import", &fields).must_be(200).must_say("Look first");
    form.must_say("name=\"invite\" value=\"1\" checked").must_say(",nowhere,dora");
    ada.post("/console/users/import", &[fields[0], fields[2]]).must_be(200).must_not_say("checked");
    // So does one in which nobody is new.
    let preview = ada.post("/console/users/import", &[("list", "name\nada\n")]).must_be(200);
    preview.must_say("name=\"edit\"").must_not_say("name=\"otp\"");
}

fn characters_that_were_lost_before_are_not_imported(on: Backend) {
    let app = App::start(on);
    let (ada, phone) = staff(&app, "ada", Role::Admin);
    let list = [("list", "name,email\nJ\u{fffd}rg,\njuergen,j\u{fffd}@example.org\nj\u{f6}rg,\n")];
    let preview = ada.post("/console/users/import", &list).must_be(200);
    preview.must_say("One user will be added.").must_say("2 lines have something wrong");
    assert_eq!(preview.text.matches("Holds a character that could not be read").count(), 2);
    deed(&app, &ada, &phone, "/console/users/import/apply", &list).must_be(200);
    assert_eq!(count_rows(&app.place, "user"), 2);
}

fn a_disabled_user_is_not_invited(on: Backend) {
    let app = App::start(on);
    let (ada, _) = staff(&app, "ada", Role::Admin);
    let bob = add(&app, "bob", Some("bob@example.org"), Role::User);
    let page = page_of(bob);
    ada.get(&page).must_say("Send invitation");
    app.lock("bob");
    let mails = count_rows(&app.place, "outbox");
    ada.get(&page).must_not_say("Send invitation");
    ada.post(&format!("{page}/invite"), &[]).must_lead_to(&format!("{page}?said=invite-disabled"));
    ada.get(&format!("{page}?said=invite-disabled")).must_say("Enable it first.");
    assert_eq!((count_rows(&app.place, "invitation"), count_rows(&app.place, "outbox")), (0, mails));
    let name = UserName::parse("bob").unwrap();
    let stop =
        app.operate(|service, conn, at| app::invitation::invite(service, conn, at, &name)).err().unwrap();
    assert!(format!("{stop:?}").contains("unlock it first"), "{stop:?}");
    app.unlock("bob");
    ada.post(&format!("{page}/invite"), &[]).must_lead_to(&format!("{page}?said=user-invited"));
}

fn a_refusal_keeps_navigation_language_and_the_way_back(on: Backend) {
    let app = App::start(on);
    let (hel, phone) = staff(&app, "hel", Role::Helpdesk);
    let bob = add(&app, "bob", None, Role::User);
    let page = page_of(bob);
    let own = "<a href=\"/console/users\" aria-current=\"page\"";
    let from = [("referer", "https://countersign.example/console/users?q=bob&said=user-removed")];
    for (path, status) in [(format!("{page}/remove"), 403), ("/console/users/nobody".to_owned(), 404)] {
        let refused = hel.look(&path, &from);
        refused.must_be(status).must_say(own).must_say("<bdi>hel</bdi>").must_say("name=\"language\"");
        refused.must_say("href=\"/console/users?q=bob\">Back</a>");
        // Nobody is led in a circle, nor elsewhere.
        for from in [format!("https://countersign.example{path}"), "https://evil.example//x".to_owned()] {
            hel.look(&path, &[("referer", &from)]).must_say("href=\"/console\">To the start page</a>");
        }
    }
    // Nor from what is gone to an address that only takes a form, and back from there.
    let gone = "/console/users/01a0bbbb-0000-7000-8000-000000000002";
    let from_form = format!("https://countersign.example{gone}/email");
    let refused = hel.look(gone, &[("referer", from_form.as_str())]);
    refused.must_be(404).must_say("href=\"/console\">To the start page</a>");
    hel.get(&page);
    deed(&app, &hel, &phone, &format!("{page}/disable"), &[]).must_be(403).must_say(own);
    hel.post(&format!("{page}/email"), &[("email", "nowhere")]).must_be(400).must_say(own);
    // A form of a page that is no longer good.
    hel.send(&format!("{page}/unlock"), &[("mark", "x")], &[]).must_be(403).must_say(own);
    hel.get("/console/users");
    hel.post("/language", &[("language", "de"), ("to", &page)]).must_lead_to(&page);
    hel.get(&format!("{page}/remove"))
        .must_be(403)
        .must_say("lang=\"de\"")
        .must_say("Ihre Rolle erlaubt das nicht.");

    // What is nowhere is said to people by a page, and to programs as ever.
    let people = [("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];
    let unlock = format!("{page}/unlock");
    for (path, status, code) in [("/console/nowhere", 404, "not_found"), (&unlock, 405, "method_not_allowed")]
    {
        let shown = hel.look(path, &people).must_be(status).must_say("<bdi>hel</bdi>");
        assert!(shown.header("content-type").unwrap().starts_with("text/html"), "{shown:?}");
        assert_eq!(shown.header("allow"), (status == 405).then_some("POST"));
        Visitor::at(&app).look(path, &people).must_be(status).must_say("class=\"outside\"");
        app.get(path).must_be_problem(status, code);
    }
    let elsewhere = hel.look("/v1/nowhere", &people).must_be(404);
    assert_eq!(elsewhere.header("content-type"), Some("application/problem+json"));
}
