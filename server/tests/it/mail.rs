//! What users hear by mail, and the way to their mailbox.

use std::net::IpAddr;
use std::time::Duration;

use countersign::app;
use countersign::app::client_auth::{Asker, Credentials};
use countersign::app::context::{At, Service};
use countersign::app::outbox::{Outcome, send_next};
use countersign::crypto::master_key::MasterKey;
use countersign::db::{self, Conn, Database};
use countersign::domain::audit::{Actor, Origin};
use countersign::domain::id::MailId;
use countersign::domain::lockout::{FAILURE_LIMIT, FREE_FAILURES};
use countersign::domain::notice::{MAX_ATTEMPTS, MailState, MailSummary, Notice};
use countersign::domain::password::Password;
use countersign::domain::time::Timestamp;
use countersign::domain::user::{Language, User, UserName};
use countersign::mail::{Refused, Transport, Trust};
use diesel::RunQueryDsl;
use diesel::connection::SimpleConnection as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::actors::{App, ClientSpec, ISSUER, Place, at_once, count, parsed, unused_name};
use crate::process::Installation;
use crate::smtp::{self, Act, Mode, Smtp, Taken};
use crate::{Backend, tests};

tests![
    a_mail_goes_out_by_starttls_with_a_login,
    a_mail_goes_out_under_tls_from_the_start,
    a_refusal_for_now_is_tried_again_and_delivered_once,
    a_refusal_for_good_fails_at_once_until_somebody_retries,
    a_slow_server_takes_the_mail_later,
    a_connection_dropped_within_the_mail_delivers_it_once,
    a_lost_reply_brings_the_same_message_again,
    two_servers_deliver_each_mail_once,
    a_server_that_dies_leaves_its_mail_to_the_others,
    a_retried_mail_is_due_at_once_though_a_server_died_over_it,
    a_server_with_another_key_leaves_mails_alone,
    a_mail_that_nobody_takes_is_given_up_and_kept,
    very_many_mails_are_tried_again_a_few_at_a_time,
    wrong_credentials_and_strange_certificates_send_nothing,
    without_starttls_nothing_is_said,
    names_and_addresses_add_no_header_and_no_markup,
    users_hear_of_what_happens_to_their_factors,
    users_hear_of_lockouts_once,
    users_hear_of_used_recovery_codes,
    users_hear_of_logins_from_new_places,
    a_text_is_sealed_until_it_is_sent_and_then_gone,
    old_mails_and_places_are_swept,
    without_a_mail_server_mails_wait_and_are_shown,
    the_running_server_sends_mails,
    settings_that_cannot_send_stop_the_start,
];

const ADDRESS: &str = "alice@mail.example";

/// Alice, with password, address and a phone; so one mail about the phone waits.
fn alice(app: &App) -> crate::actors::Phone {
    app.user_with_password("alice");
    give_address(app, "alice", ADDRESS);
    app.phone("alice")
}

fn give_address(app: &App, name: &str, address: &str) {
    app.operate(|_, conn, _| {
        let user = db::user::find_by_name(conn, &UserName::parse(name).unwrap())?.unwrap();
        Ok(db::user::update(conn, user.id, Some(address), user.role)?)
    })
    .unwrap();
}

fn user(app: &App, name: &str) -> User {
    let name = UserName::parse(name).unwrap();
    app.operate(|_, conn, at| app::user::show(conn, at, &name)).unwrap().user
}

fn outbox(app: &App) -> Vec<MailSummary> {
    app.operate(|_, conn, _| app::outbox::page(conn, None, None, 1000)).unwrap()
}

/// The kinds of all mails in the order they were written, and forgets them.
fn told(app: &App) -> Vec<String> {
    let mut kinds: Vec<_> = outbox(app).into_iter().map(|mail| mail.kind).collect();
    kinds.reverse();
    diesel::sql_query("DELETE FROM outbox").execute(&mut *app.place.connection()).unwrap();
    kinds
}

fn text_of(app: &App, mail: MailId) -> String {
    let shown = app.operate(|service, conn, at| app::outbox::show(service, conn, at, mail)).unwrap();
    shown.1.unwrap().text
}

fn transport(smtp: &Smtp, scheme: &str) -> Transport {
    let password = utf8_percent_encode(smtp::PASSWORD, NON_ALPHANUMERIC).to_string();
    transport_as(smtp, scheme, &format!("{}:{password}@", smtp::USER.replace('@', "%40")))
}

fn transport_as(smtp: &Smtp, scheme: &str, login: &str) -> Transport {
    let url = format!("{scheme}://{login}127.0.0.1:{}", smtp.port).parse().unwrap();
    let from = "Zwei Faktoren <noreply@login.example>";
    Transport::new(&url, from, ISSUER, Trust::Only(&smtp.certificate)).unwrap()
}

/// One mail server in the clear, as on loopback.
fn plain() -> (Smtp, Transport) {
    let smtp = Smtp::start(Mode::Plain);
    let transport = transport_as(&smtp, "smtp+plain", "");
    (smtp, transport)
}

fn only(smtp: &Smtp) -> Taken {
    let taken = smtp.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
    taken[0].clone()
}

#[track_caller]
fn must_wait(outcome: Option<Outcome>) -> String {
    match outcome {
        Some(Outcome::Later(_, why)) => why.to_string(),
        other => panic!("{other:?}"),
    }
}

fn a_mail_goes_out_by_starttls_with_a_login(on: Backend) {
    let app = App::start(on);
    let smtp = Smtp::start(Mode::StartTls);
    let phone = alice(&app);
    let transport = transport(&smtp, "smtp");
    let mail = outbox(&app)[0].clone();
    assert_eq!(app.send_mail(&transport), Some(Outcome::Sent(mail.id)));
    assert_eq!(app.send_mail(&transport), None);

    let taken = only(&smtp);
    assert!(taken.encrypted && taken.logged_in);
    assert_eq!(taken.to, [ADDRESS]);
    assert_eq!(taken.field("from"), "\"Zwei Faktoren\" <noreply@login.example>");
    assert_eq!(taken.field("to"), ADDRESS);
    assert_eq!(taken.field("subject"), "Countersign: a phone was added");
    assert_eq!(taken.field("auto-submitted"), "auto-generated");
    assert_eq!(taken.field("message-id"), format!("<{}@countersign.example>", mail.id));
    assert_eq!(taken.field("date"), "Sun, 01 Mar 2026 12:00:10 +0000");
    assert_eq!(taken.field("mime-version"), "1.0");
    assert!(taken.field("content-type").starts_with("multipart/alternative"));
    let (text, html) = (taken.part("text/plain"), taken.part("text/html"));
    assert!(text.starts_with("Hello alice,\r\n"), "{text}");
    assert!(html.contains("<html lang=\"en\">") && html.contains("Hello alice,"), "{html}");
    let secret = phone.secret().to_base32().to_string();
    for part in [&taken.data, &text, &html] {
        assert!(!part.contains(&secret) && !part.contains(&phone.code()), "{part}");
    }
    // Nobody on the way heard more than the greeting.
    assert_eq!(smtp.overheard(), "EHLO countersign.example\r\nSTARTTLS\r\n");
    let sent = outbox(&app)[0].clone();
    assert_eq!((sent.state, sent.attempts, sent.sent_at), (MailState::Sent, 1, Some(app.clock.now())));
}

fn a_mail_goes_out_under_tls_from_the_start(on: Backend) {
    let app = App::start(on);
    let smtp = Smtp::start(Mode::Tls);
    alice(&app);
    let id = user(&app, "alice").id;
    app.pass(1);
    app.operate(|_, conn, _| Ok(db::user::set_language(conn, id, Some(Language::De))?)).unwrap();
    app.reset("alice");
    let transport = transport(&smtp, "smtps");
    while app.send_mail(&transport).is_some() {}
    let taken = smtp.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(smtp.overheard(), "");
    assert_eq!(taken[0].subject(), "Countersign: a phone was added", "before she chose her language");
    assert_eq!(taken[1].subject(), "Countersign: Ihre Anmeldung wurde zurückgesetzt");
    assert!(taken[1].part("text/plain").contains("Ihre Telefone, Token und Wiederherstellungscodes"));
    assert!(taken[1].part("text/html").contains("<html lang=\"de\">"));
    assert!(taken[1].data.is_ascii(), "older servers take it, too");
}

fn a_refusal_for_now_is_tried_again_and_delivered_once(on: Backend) {
    let app = App::start(on);
    let (smtp, transport) = plain();
    alice(&app);
    smtp.will(&[
        Act::Recipient("451 4.7.1 greylisted, secret 123456"),
        Act::Sender("421 try another time"),
        Act::Content("452 4.3.1"),
    ]);
    for (wait, why) in [(30, "RCPT: 451 4.7.1"), (60, "MAIL: 421"), (120, "the mail: 452 4.3.1")] {
        assert_eq!(must_wait(app.send_mail(&transport)), why);
        let mail = outbox(&app)[0].clone();
        assert_eq!((mail.state, mail.last_error.as_deref()), (MailState::Waiting, Some(why)));
        app.pass(wait - 1);
        assert_eq!(app.send_mail(&transport), None, "not before its time");
        app.pass(1);
    }
    assert!(matches!(app.send_mail(&transport), Some(Outcome::Sent(_))));
    app.pass(7 * 86_400);
    assert_eq!(app.send_mail(&transport), None);
    only(&smtp);
    assert_eq!(outbox(&app)[0].last_error, None);
}

fn a_refusal_for_good_fails_at_once_until_somebody_retries(on: Backend) {
    let app = App::start(on);
    let (smtp, transport) = plain();
    alice(&app);
    smtp.will(&[Act::Recipient("550 5.1.1 no such user"), Act::Content("554 5.6.0 spam:")]);
    for why in ["RCPT: 550 5.1.1", "the mail: 554 5.6.0"] {
        let mail = outbox(&app)[0].clone();
        let refused = Refused::ForGood(why.to_owned());
        assert_eq!(app.send_mail(&transport), Some(Outcome::GivenUp(mail.id, refused)));
        app.pass(7 * 86_400);
        assert_eq!(app.send_mail(&transport), None);
        let mail = outbox(&app)[0].clone();
        assert_eq!((mail.state, mail.last_error.as_deref()), (MailState::Failed, Some(why)));
        assert!(text_of(&app, mail.id).contains("alice"), "it is kept");
        app.operate(|service, conn, at| app::outbox::retry(service, conn, at, mail.id)).unwrap();
    }
    assert!(matches!(app.send_mail(&transport), Some(Outcome::Sent(_))));
    only(&smtp);
    let mail = outbox(&app)[0].id;
    assert!(app.operate(|service, conn, at| app::outbox::retry(service, conn, at, mail)).is_err());
    // A sender that is refused is not the mail's fault.
    app.reset("alice");
    smtp.will(&[Act::Sender("553 5.7.1 not you")]);
    assert_eq!(must_wait(app.send_mail(&transport)), "MAIL: 553 5.7.1");
}

fn a_slow_server_takes_the_mail_later(on: Backend) {
    let app = App::start(on);
    let (smtp, transport) = plain();
    alice(&app);
    smtp.will(&[Act::Hang]);
    let hasty = transport.with_timeout(Duration::from_millis(200));
    assert_eq!(must_wait(app.send_mail(&hasty)), "RCPT: no answer in time");
    app.pass(30);
    let patient = hasty.with_timeout(Duration::from_secs(20));
    assert!(matches!(app.send_mail(&patient), Some(Outcome::Sent(_))));
    only(&smtp);
}

fn a_connection_dropped_within_the_mail_delivers_it_once(on: Backend) {
    let app = App::start(on);
    let (smtp, transport) = plain();
    alice(&app);
    smtp.will(&[Act::Drop, Act::Drop]);
    for wait in [30, 60] {
        let why = must_wait(app.send_mail(&transport));
        assert!(why.starts_with("the mail: "), "{why}");
        assert_eq!(smtp.taken().len(), 0);
        app.pass(wait);
    }
    assert!(matches!(app.send_mail(&transport), Some(Outcome::Sent(_))));
    assert_eq!(app.send_mail(&transport), None);
    only(&smtp);
}

fn a_lost_reply_brings_the_same_message_again(on: Backend) {
    let app = App::start(on);
    let (smtp, transport) = plain();
    alice(&app);
    smtp.will(&[Act::LoseReply]);
    must_wait(app.send_mail(&transport));
    app.pass(30);
    assert!(matches!(app.send_mail(&transport), Some(Outcome::Sent(_))));
    let taken = smtp.taken();
    assert_eq!(taken.len(), 2, "nobody can know that it was taken");
    assert_eq!(taken[0].data, taken[1].data, "so it is the same mail, with the same Message-ID");
}

fn two_servers_deliver_each_mail_once(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    let (smtp, transport) = plain();
    app.user("alice");
    give_address(&app, "alice", ADDRESS);
    for _ in 0..12 {
        app.reset("alice");
    }
    at_once(4, |index| {
        let server = if index % 2 == 0 { &app } else { &other };
        while server.send_mail(&transport).is_some() {}
    });
    let mut ids: Vec<String> = smtp.taken().iter().map(|taken| taken.field("message-id")).collect();
    assert_eq!(ids.len(), 12);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 12);
    assert_eq!(smtp.connections(), 12);
    assert!(outbox(&app).iter().all(|mail| mail.state == MailState::Sent && mail.attempts == 1));
}

fn a_server_that_dies_leaves_its_mail_to_the_others(on: Backend) {
    let app = App::start(on);
    let (smtp, transport) = plain();
    alice(&app);
    let (mail, now) = (outbox(&app)[0].id, app.clock.now());
    let claimed = app
        .operate(|_, conn, _| Ok(db::outbox::claim(conn, mail, now.plus_seconds(900), now)?))
        .unwrap()
        .expect("a claim");
    assert!(claimed.sealed.is_some());
    assert_eq!(app.send_mail(&transport), None, "it is the other's to send");
    app.pass(899);
    assert_eq!(app.send_mail(&transport), None);
    app.pass(1);
    assert_eq!(app.send_mail(&transport), Some(Outcome::Sent(mail)));
    only(&smtp);
    // The other one was only slow, and reports its failure too late.
    let late = db::outbox::Tried::Failed("too late");
    app.operate(|_, conn, at| Ok(db::outbox::settle(conn, &claimed, late, at.now)?)).unwrap();
    assert_eq!(outbox(&app)[0].state, MailState::Sent);
}

fn a_retried_mail_is_due_at_once_though_a_server_died_over_it(on: Backend) {
    let app = App::start(on);
    let (smtp, transport) = plain();
    alice(&app);
    let (mail, now) = (outbox(&app)[0].id, app.clock.now());
    // Its claim is far ahead, as where its clock was.
    let claim = |conn: &mut Conn| db::outbox::claim(conn, mail, now.plus_seconds(86_400), now);
    assert!(app.place.connection().write(claim).unwrap().is_some());
    assert_eq!(app.send_mail(&transport), None);
    app.operate(|service, conn, at| app::outbox::retry(service, conn, at, mail)).unwrap();
    assert_eq!(app.send_mail(&transport), Some(Outcome::Sent(mail)));
    only(&smtp);
}

fn a_server_with_another_key_leaves_mails_alone(on: Backend) {
    let app = App::start(on);
    let (smtp, transport) = plain();
    alice(&app);
    // What a server becomes that was left on while the master key was rotated.
    let left_on = Service::new(&MasterKey::generate(), ISSUER.to_owned(), "Login".to_owned(), None);
    let database = Database::new(app.place.target.clone(), 1, None);
    assert!(send_next(&left_on, &database, &transport, app.clock.now()).is_err());
    let mail = outbox(&app).remove(0);
    assert_eq!((mail.state, mail.attempts, mail.last_error), (MailState::Waiting, 0, None));
    assert_eq!(app.send_mail(&transport), Some(Outcome::Sent(mail.id)));
    only(&smtp);
}

fn a_mail_that_nobody_takes_is_given_up_and_kept(on: Backend) {
    let app = App::start(on);
    alice(&app);
    // A port that nobody listens on any more.
    let (smtp, transport) = plain();
    drop(smtp);
    let begun = app.clock.now();
    for attempt in 1..=MAX_ATTEMPTS {
        match app.send_mail(&transport) {
            Some(Outcome::Later(_, Refused::Unusable(_))) if attempt < MAX_ATTEMPTS => {}
            Some(Outcome::GivenUp(_, Refused::Unusable(why))) if attempt == MAX_ATTEMPTS => {
                assert_eq!(why, "connecting: connection refused");
            }
            other => panic!("{attempt}: {other:?}"),
        }
        let next_at = outbox(&app)[0].next_at;
        app.pass((next_at.millis() - app.clock.now().millis()) / 1000);
    }
    let days = app.clock.now().seconds_from(begun) / 86_400;
    assert!((2..=3).contains(&days), "{days}");
    assert_eq!(app.send_mail(&transport), None);
    assert_eq!(outbox(&app)[0].state, MailState::Failed);
    let (smtp, transport) = plain();
    assert_eq!(app.operate(app::outbox::retry_all).unwrap(), 1);
    assert!(matches!(app.send_mail(&transport), Some(Outcome::Sent(_))));
    only(&smtp);
    app.operate(|service, conn, _| app::audit::verify(service, conn)).unwrap();
}

/// After a mail server was away for long.
fn very_many_mails_are_tried_again_a_few_at_a_time(on: Backend) {
    let app = App::start(on);
    let mails: Vec<String> = (0..1200)
        .map(|number| {
            let state = if number % 2 == 0 { "waiting" } else { "failed" };
            let id = match on {
                Backend::Sqlite => format!("x'{number:032x}'"),
                Backend::Postgres => format!("decode('{number:032x}', 'hex')"),
            };
            format!("({id}, 'a@example.org', 'locked', '{state}', 7, 9000000000000000, 0, 1)")
        })
        .collect();
    let columns = "id, recipient, kind, state, attempts, next_at, claimed_until, created_at";
    let add = format!("INSERT INTO outbox ({columns}) VALUES {}", mails.join(", "));
    app.place.connection().batch_execute(&add).unwrap();
    assert_eq!(app.operate(app::outbox::retry_waiting).unwrap(), 600);
    assert_eq!(app.operate(app::outbox::retry_all).unwrap(), 1200);
    let now = app.clock.now().millis();
    let due = format!("outbox WHERE state = 'waiting' AND attempts = 0 AND next_at = {now}");
    assert_eq!(count(&mut app.place.connection(), &due), 1200);
    let logged = app.operate(|_, conn, _| app::audit::last(conn, 5)).unwrap();
    let logged: Vec<_> = logged.iter().filter_map(|entry| entry.detail.as_deref()).collect();
    assert_eq!(logged, ["mails=500", "mails=100", "mails=500", "mails=500", "mails=200"]);
}

fn wrong_credentials_and_strange_certificates_send_nothing(on: Backend) {
    let app = App::start(on);
    alice(&app);
    let smtp = Smtp::start(Mode::StartTls);
    let wrong = transport_as(&smtp, "smtp", "mail%40login.example:guessed-wrong@");
    assert_eq!(must_wait(app.send_mail(&wrong)), "AUTH: 535 5.7.8");
    app.pass(3600);
    let url = format!("smtp://127.0.0.1:{}", smtp.port).parse().unwrap();
    let stranger = Smtp::start(Mode::StartTls);
    for trust in [Trust::System, Trust::Only(&stranger.certificate)] {
        let transport = Transport::new(&url, "a@login.example", ISSUER, trust).unwrap();
        assert_eq!(must_wait(app.send_mail(&transport)), "STARTTLS: the certificate is not trusted");
        app.pass(3600);
    }
    let tls = Smtp::start(Mode::Tls);
    let url = format!("smtps://127.0.0.1:{}", tls.port).parse().unwrap();
    let transport = Transport::new(&url, "a@login.example", ISSUER, Trust::System).unwrap();
    assert_eq!(must_wait(app.send_mail(&transport)), "connecting: the certificate is not trusted");
    assert!(smtp.taken().is_empty() && tls.taken().is_empty());
    assert!(!smtp.overheard().contains("AUTH") && !smtp.overheard().contains("MAIL"));
    assert_eq!(outbox(&app)[0].state, MailState::Waiting);
}

fn without_starttls_nothing_is_said(on: Backend) {
    let app = App::start(on);
    alice(&app);
    let smtp = Smtp::start(Mode::NoStartTls);
    let why = must_wait(app.send_mail(&transport(&smtp, "smtp")));
    assert_eq!(why, "the mail server does not offer STARTTLS");
    let overheard = smtp.overheard();
    assert_eq!(overheard, "EHLO countersign.example\r\nQUIT\r\n");
    assert!(smtp.taken().is_empty());
}

fn names_and_addresses_add_no_header_and_no_markup(on: Backend) {
    let app = App::start(on);
    let (smtp, transport) = plain();
    app.user("alice");
    let evil = "Eve\r\nBcc: all@mail.example\r\n\r\n<script>alert(1)</script>\r\n.\r\nMAIL FROM:<x@y>";
    let place: &Place = &app.place;
    let mut conn = place.connection();
    let master = app::start::unlock(&mut conn, &place.target, &place.master, app.clock.now()).unwrap();
    drop(conn);
    let service = Service::new(&master, ISSUER.to_owned(), evil.to_owned(), None);
    let mut written = user(&app, "alice");
    evil.clone_into(&mut written.name);
    let notice =
        Notice::NewDevice { application: evil.to_owned(), address: None, at: Timestamp::from_millis(0) };
    for address in [ADDRESS, "eve@mail.example>\r\nRCPT TO:<all@mail.example", "eve@mail.example\r\nBcc: a@b"]
    {
        written.email = Some(address.to_owned());
        app.operate(|_, conn, at| {
            service.write(conn, at, |tx| Ok(app::outbox::queue(&service, tx, &written, &notice)?))
        })
        .unwrap();
    }
    let outcomes: Vec<_> = std::iter::from_fn(|| app.send_mail(&transport)).collect();
    let given_up =
        outcomes.iter().filter(|outcome| matches!(outcome, Outcome::GivenUp(_, Refused::ForGood(_))));
    assert_eq!((outcomes.len(), given_up.count()), (3, 2), "{outcomes:?}");

    let taken = only(&smtp);
    assert_eq!(taken.to, [ADDRESS]);
    let names: Vec<String> =
        taken.header().iter().map(|line| line.split(':').next().unwrap().to_lowercase()).collect();
    let expected =
        ["from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type"];
    let mut sorted = (names, expected.map(str::to_owned).to_vec());
    sorted.0.sort();
    sorted.1.sort();
    assert_eq!(sorted.0, sorted.1);
    let (text, html) = (taken.part("text/plain"), taken.part("text/html"));
    assert!(!text.lines().any(|line| line.starts_with("Bcc") || line.starts_with("MAIL")), "{text}");
    assert!(!html.contains("<script>"), "{html}");
}

fn users_hear_of_what_happens_to_their_factors(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec::with_scopes("factors"));
    let name = UserName::parse("alice").unwrap();
    app.user_with_password("alice");
    // Without an address nobody can be told, and nothing is held up.
    app.phone("alice");
    app.reset("alice");
    assert_eq!(told(&app), [""; 0]);

    give_address(&app, "alice", ADDRESS);
    let mfa_token = client.mfa_token("alice");
    let phone = app.scan(&app.associate(&mfa_token));
    assert_eq!(told(&app), [""; 0], "a phone that nobody confirmed");
    let token = client.mfa_otp(&mfa_token, &phone.code()).access_token();
    assert_eq!(told(&app), ["enrolled"]);
    app.next_step();

    let second = app.scan(&app.associate(&token));
    let code = parsed(&second.code());
    app.operate(|service, conn, at| app::factor::confirm(service, conn, at, &name, None, &code)).unwrap();
    assert_eq!(told(&app), ["enrolled"]);
    app.phone("alice");
    assert_eq!(told(&app), ["enrolled"]);
    let renewed = app.post("/mfa/recovery-codes", &[("authorization", &format!("Bearer {token}"))], b"");
    assert_eq!(renewed.status, 200, "{renewed:?}");
    assert!(text_of(&app, outbox(&app)[0].id).contains("All that you had before are void"));
    assert_eq!(told(&app), ["recovery-codes-renewed"]);
    let own = app.get_as("/mfa/authenticators", &token);
    let factor = own.body[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(app.delete_as(&format!("/mfa/authenticators/{factor}"), &token).status, 204);
    assert_eq!(told(&app), ["factor-removed"]);
    app.operate(|service, conn, at| app::recovery_code::renew(service, conn, at, &name)).unwrap();
    assert_eq!(told(&app), ["recovery-codes-renewed"]);
    app.reset("alice");
    assert_eq!(told(&app), ["reset"]);

    let new = Password::chosen("another long password").unwrap();
    app.operate(|service, conn, at| app::user::set_password(service, conn, at, &name, &new)).unwrap();
    assert_eq!(told(&app), ["password-changed"]);
}

fn users_hear_of_lockouts_once(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let phone = alice(&app);
    let wrong = phone.wrong_code();
    told(&app);
    for failure in 1..=FAILURE_LIMIT {
        client.otp("alice", &phone.wrong_code()).must_be(400, "invalid_grant");
        client.otp("nobody", &wrong).must_be(400, "invalid_grant");
        let expected: &[&str] = match failure {
            _ if failure == FREE_FAILURES + 1 => &["locked"],
            FAILURE_LIMIT => &["locked"],
            _ => &[],
        };
        if failure <= FREE_FAILURES + 2 || failure == FAILURE_LIMIT {
            if failure == FAILURE_LIMIT {
                assert!(text_of(&app, outbox(&app)[0].id).contains("A recovery code or an administrator"));
            }
            assert_eq!(told(&app), expected, "{failure}");
        }
        app.pass(3600);
    }
    app.lock("alice");
    app.lock("alice");
    assert_eq!(told(&app), ["locked"]);
}

fn users_hear_of_used_recovery_codes(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec::with_scopes("factors"));
    app.user_with_password("alice");
    give_address(&app, "alice", ADDRESS);
    let mfa_token = client.mfa_token("alice");
    let associated = app.associate(&mfa_token);
    let phone = app.scan(&associated);
    client.mfa_otp(&mfa_token, &phone.code()).access_token();
    told(&app);
    client.recover(&client.mfa_token("alice"), "AAAA-AAAA-AAAA-AAAA").must_be(400, "invalid_grant");
    assert_eq!(told(&app), [""; 0]);
    for (index, code) in associated.body["recovery_codes"].as_array().unwrap().iter().enumerate() {
        app.pass(60);
        let code = code.as_str().unwrap();
        let reply = client.recover(&client.mfa_token("alice"), code);
        let fresh = reply.text("recovery_code").to_owned();
        let mails = outbox(&app);
        let texts: Vec<String> = mails.iter().map(|mail| text_of(&app, mail.id)).collect();
        assert!(texts.iter().all(|text| !text.contains(code) && !text.contains(&fresh)), "{texts:?}");
        if index < 6 {
            assert!(texts[0].contains("10 recovery codes are good"), "{texts:?}");
            assert_eq!(told(&app), ["recovery-code-used"], "{index}");
        } else {
            let of_the_set =
                ["Only 3 are left", "Only 2 are left", "One at most is left", "One at most is left"];
            let low = texts.iter().any(|text| text.contains(of_the_set[index - 6]));
            assert!(low, "{index} {texts:?}");
            let mut kinds = told(&app);
            kinds.sort();
            assert_eq!(kinds, ["recovery-code-used", "recovery-codes-low"], "{index}");
        }
    }
}

fn users_hear_of_logins_from_new_places(on: Backend) {
    let app = App::start(on);
    let phone = alice(&app);
    let client = app.client();
    told(&app);
    let log_in_from = |address: &str| {
        app.next_step();
        let mfa_token = client.mfa_token("alice");
        let origin = Origin {
            address: Some(address.parse::<IpAddr>().unwrap()),
            manager: Actor::Anonymous,
            device: None,
        };
        let credentials =
            Credentials { client_id: client.id.clone(), client_secret: client.secret.clone().into() };
        let code = parsed(&phone.code());
        app.operate(|service, conn, at| {
            app::verify::mfa_otp(
                service,
                conn,
                At { origin, ..at },
                Asker::Application(&credentials),
                &mfa_token,
                &code,
                None,
            )
        })
        .unwrap();
        let text = outbox(&app).first().map(|mail| text_of(&app, mail.id)).unwrap_or_default();
        (told(&app), text)
    };
    let silent = |(kinds, _): (Vec<String>, String)| kinds.is_empty();
    assert!(silent(log_in_from("192.0.2.1")), "the very first login is no news");
    assert!(silent(log_in_from("192.0.2.1")));
    assert!(silent(log_in_from("::ffff:192.0.2.1")), "the same address in another coat");
    let (kinds, text) = log_in_from("192.0.2.2");
    assert_eq!(kinds, ["new-device"]);
    assert!(
        text.contains("login to shop") && text.contains("address 192.0.2.2, 2026-03-01 12:02 UTC"),
        "{text}"
    );
    assert!(silent(log_in_from("192.0.2.2")));
    assert_eq!(log_in_from("2001:db8::1").0, ["new-device"]);
    assert!(silent(log_in_from("2001:db8::2:3")), "one subscriber's /64");
    assert_eq!(log_in_from("2001:db8:0:1::1").0, ["new-device"]);
    app.pass(30 * 86_400);
    assert!(silent(log_in_from("192.0.2.1")));

    // Another application is another place; a client that vouches is none.
    let other = app.client_with(ClientSpec { name: unused_name(), ..ClientSpec::default() });
    app.next_step();
    other.otp("alice", &phone.code()).access_token();
    assert_eq!(told(&app), [""; 0]);
    app.next_step();
    other.mfa_otp(&other.mfa_token("alice"), &phone.code()).access_token();
    assert_eq!(told(&app), ["new-device"]);
}

fn a_text_is_sealed_until_it_is_sent_and_then_gone(on: Backend) {
    let app = App::start(on);
    let (_smtp, transport) = plain();
    app.user("alice");
    give_address(&app, "alice", ADDRESS);
    let link = format!("{ISSUER}/invitation#wonderland-4711");
    let notice = Notice::Invitation { link: link.clone(), expires_at: app.clock.now().plus_seconds(86_400) };
    let alice = user(&app, "alice");
    app.operate(|service, conn, at| {
        service.write(conn, at, |tx| Ok(app::outbox::queue(service, tx, &alice, &notice)?))
    })
    .unwrap();
    let mail = outbox(&app)[0].id;
    assert!(text_of(&app, mail).lines().any(|line| line == link));
    let sealed = || {
        let found = app.operate(|_, conn, _| Ok(db::outbox::find(conn, mail)?)).unwrap();
        found.unwrap().1
    };
    let stored = sealed().expect("a text");
    assert!(!stored.windows(10).any(|window| window == b"wonderland"));
    assert!(matches!(app.send_mail(&transport), Some(Outcome::Sent(_))));
    assert_eq!(sealed(), None);
    let events = app.operate(|_, conn, _| app::audit::last(conn, 10)).unwrap();
    let shown = format!("{events:?}");
    assert!(shown.contains("mail.shown") && !shown.contains("wonderland"), "{shown}");
}

fn old_mails_and_places_are_swept(on: Backend) {
    let app = App::start(on);
    let (_smtp, transport) = plain();
    let phone = alice(&app);
    let client = app.client();
    client.mfa_otp(&client.mfa_token("alice"), &phone.code()).access_token();
    assert!(matches!(app.send_mail(&transport), Some(Outcome::Sent(_))));
    app.reset("alice");
    let places = || crate::actors::count_rows(&app.place, "known_device");
    let left = || (outbox(&app).len(), places());
    let sweep = || app.sweep();
    app.pass(29 * 86_400);
    sweep();
    assert_eq!(left(), (2, 1));
    app.pass(2 * 86_400);
    sweep();
    assert_eq!(left(), (1, 1), "what was not sent stays");
    app.pass(335 * 86_400);
    sweep();
    assert_eq!(left(), (0, 1));
    app.pass(36 * 86_400);
    sweep();
    assert_eq!(left(), (0, 0));
}

fn without_a_mail_server_mails_wait_and_are_shown(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "alice", "--email", ADDRESS]);
    installation.run(&["factor", "enrol", "alice", "--kind", "totp", "--active"]);
    let server = installation.serve();
    let waiting = installation.json(&["outbox", "list", "--state", "waiting"]);
    assert_eq!(waiting.as_array().unwrap().len(), 1, "{waiting}");
    assert_eq!((&waiting[0]["kind"], &waiting[0]["recipient"]), (&"enrolled".into(), &ADDRESS.into()));
    assert_eq!(installation.json(&["outbox", "list", "--state", "failed"]), serde_json::json!([]));
    let mail = waiting[0]["id"].as_str().unwrap();
    let shown = installation.run(&["outbox", "show", mail]);
    assert!(
        shown.starts_with("To: alice@mail.example\nSubject: Countersign: a phone was added\n"),
        "{shown}"
    );
    assert!(shown.contains("Hello alice,"), "{shown}");
    assert!(installation.run(&["outbox", "list"]).contains(mail));
    assert_eq!(installation.json(&["outbox", "retry", mail])["state"], "waiting");
    assert_eq!(installation.json(&["outbox", "retry", "--all"])["mails"], 1);
    let nobody = "00000000-0000-7000-8000-000000000000";
    assert!(installation.refused(&["outbox", "show", nobody]).contains("no such mail"));
    assert_eq!(server.log().matches("mails wait in the outbox").count(), 1, "{}", server.log());
    assert_eq!(server.terminate(), Some(0));
}

fn the_running_server_sends_mails(on: Backend) {
    let installation = Installation::new(on);
    installation.run(&["user", "add", "alice", "--email", ADDRESS]);
    installation.run(&["factor", "enrol", "alice", "--kind", "totp", "--active"]);
    let smtp = Smtp::start(Mode::Plain);
    let mut command = installation.command(&["serve"]);
    command
        .env("COUNTERSIGN_SMTP_URL", format!("smtp+plain://127.0.0.1:{}", smtp.port))
        .env("COUNTERSIGN_MAIL_FROM", "Countersign <noreply@login.example>");
    let server = crate::process::Process::start(command);
    let taken = crate::process::soon(|| smtp.taken().first().cloned());
    assert_eq!(taken.to, [ADDRESS]);
    crate::process::soon(|| server.log().contains("mail sent").then_some(()));
    assert!(!server.log().contains("alice"), "{}", server.log());
    assert_eq!(server.terminate(), Some(0));
    let sent = installation.json(&["outbox", "list", "--state", "sent"]);
    assert_eq!(sent.as_array().unwrap().len(), 1);
    let shown = installation.run(&["outbox", "show", sent[0]["id"].as_str().unwrap()]);
    assert!(shown.contains("the mail was sent"), "{shown}");
}

fn settings_that_cannot_send_stop_the_start(on: Backend) {
    let installation = Installation::new(on);
    for (url, from, names) in [
        ("smtp://mail.example", "nobody", "mail_from"),
        ("smtp://u:%ff@mail.example", "a@b.example", "smtp_url"),
        ("smtp+plain://mail.example", "a@b.example", "smtp_url"),
        ("http://mail.example", "a@b.example", "smtp_url"),
    ] {
        let refused = installation.refused(&["serve", "--smtp-url", url, "--mail-from", from]);
        assert!(refused.contains(names), "{url} {from}: {refused}");
    }
}
