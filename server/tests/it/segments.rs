//! A user's sessions and log entries lie in many segments: all of them are found, whoever wrote between.

use countersign::app;
use countersign::app::audit::Filter;
use countersign::db::audit::LastWritten;
use countersign::db::{self, Conn, segment};
use countersign::domain::audit::{Action, Actor, Entry, Event, Noted, Origin, Subject};
use countersign::domain::id::{ClientId, SessionId, UserId};
use countersign::domain::user::UserName;
use diesel::connection::SimpleConnection as _;

use crate::actors::{App, Client, ClientSpec, Phone, count, plan};
use crate::{Backend, tests};

tests![
    a_login_stands_in_the_segment_that_the_log_has_reached,
    sessions_are_listed_and_end_in_whatever_segment_they_are,
    the_sessions_of_one_factor_end_in_whatever_segment_they_are,
    who_is_removed_leaves_no_session_in_any_segment,
    a_token_whose_user_is_gone_is_nobodys,
    entries_about_a_user_are_found_in_every_segment,
    many_entries_about_one_user_are_found_page_by_page,
    each_segment_is_one_step_down_an_index,
];

fn name(of: &str) -> UserName {
    UserName::parse(of).unwrap()
}

fn user(app: &App, of: &str) -> UserId {
    app.operate(|_, conn, _| Ok(db::user::find_by_name(conn, &name(of))?)).unwrap().unwrap().id
}

/// A user with a phone.
fn somebody(app: &App, name: &str) -> Phone {
    app.user(name);
    app.phone(name)
}

/// So many logins, each with a code of its own.
fn logins(app: &App, client: &Client<'_>, name: &str, phone: &Phone, number: usize) -> Vec<String> {
    let login = |_| {
        app.next_step();
        client.otp(name, &phone.code()).access_token()
    };
    (0..number).map(login).collect()
}

/// Moves the sessions apart, as if there had been much between them.
fn scatter(conn: &mut Conn) {
    conn.batch_execute(
        "UPDATE session SET segment = (SELECT count(*) * count(*) * 1000 FROM session AS before WHERE before.id < session.id)",
    )
    .unwrap();
    assert!(count(conn, "(SELECT DISTINCT segment FROM session) AS segments") > 3);
}

fn listed(app: &App, of: &str) -> Vec<SessionId> {
    let listed = app.operate(|_, conn, at| app::session::list(conn, at, &name(of))).unwrap();
    listed.into_iter().map(|session| session.id).collect()
}

/// Writes so many entries with the subject that `subject` gives for each.
fn write(app: &App, number: usize, subject: impl Fn(usize) -> Option<UserId>) {
    let at = app.clock.now();
    let mut conn = app.place.connection();
    let noted = |place| {
        let (actor, subject) = (Actor::Client(ClientId::CONSOLE), subject(place).map(Subject::User));
        let event = if place % 7 == 0 {
            Event::refused(actor, Action::CodeChecked, subject, "wrong")
        } else {
            Event::done(actor, Action::TokenIssued, subject)
        };
        Noted { event, origin: Origin::COMMAND_LINE, at }
    };
    let noted: Vec<Noted> = (0..number).map(noted).collect();
    for some in noted.chunks(500) {
        conn.write(|conn| db::audit::append(conn, &LastWritten::default(), some, |_| [7; 32])).unwrap();
    }
}

/// What a page should be, found by reading everything.
fn by_reading(all: &[Entry], fits: impl Fn(&Entry) -> bool) -> Vec<i64> {
    all.iter().rev().filter(|entry| fits(entry)).map(|entry| entry.seq).collect()
}

/// All pages of a filter, one after the other.
fn page_by_page(app: &App, filter: &Filter, limit: i64) -> Vec<i64> {
    let (mut before, mut found) = (i64::MAX, Vec::new());
    loop {
        let page = app.operate(|_, conn, _| app::audit::page(conn, before, filter, limit)).unwrap();
        assert!(i64::try_from(page.entries.len()).unwrap() <= limit);
        found.extend(page.entries.into_iter().map(|entry| entry.seq));
        let Some(next) = page.next else { return found };
        assert!(next < before);
        before = next;
    }
}

fn about(user: UserId) -> Filter {
    Filter { subject: Some(Subject::User(user).stored()), ..Filter::default() }
}

fn a_login_stands_in_the_segment_that_the_log_has_reached(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let phone = somebody(&app, "alice");
    logins(&app, &client, "alice", &phone, 1);
    write(&app, 3000, |_| None);
    logins(&app, &client, "alice", &phone, 1);
    let mut conn = app.place.connection();
    assert_eq!(count(&mut conn, "session WHERE segment = 0"), 1);
    assert_eq!(count(&mut conn, "session WHERE segment = 2"), 1, "of 1024 entries each");
}

fn sessions_are_listed_and_end_in_whatever_segment_they_are(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec::with_scopes("sessions"));
    let (alices, bobs) = (somebody(&app, "alice"), somebody(&app, "bob"));
    let mut hers = logins(&app, &client, "alice", &alices, 3);
    let his = logins(&app, &client, "bob", &bobs, 2);
    hers.extend(logins(&app, &client, "alice", &alices, 3));
    scatter(&mut app.place.connection());

    let all = listed(&app, "alice");
    assert_eq!(all.len(), 6);
    assert!(all.is_sorted_by(|one, next| one > next), "the youngest first");
    assert_eq!(listed(&app, "bob").len(), 2);
    // Page by page, too.
    let alice = user(&app, "alice");
    let second = app.operate(|_, conn, at| Ok(db::session::page(conn, alice, at.now, all[1], 2)?)).unwrap();
    let second: Vec<SessionId> = second.into_iter().map(|session| session.id).collect();
    assert_eq!(second, all[2..4]);

    assert_eq!(app.delete_as("/account/sessions", &hers[5]).status, 204);
    assert!(hers.iter().all(|token| !client.is_active(token)));
    assert!(his.iter().all(|token| client.is_active(token)));
    assert_eq!((listed(&app, "alice").len(), listed(&app, "bob").len()), (0, 2));
}

fn the_sessions_of_one_factor_end_in_whatever_segment_they_are(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec::with_scopes("factors"));
    let old = somebody(&app, "alice");
    app.next_step();
    let new = app.phone("alice");
    let by_old = logins(&app, &client, "alice", &old, 4);
    let by_new = logins(&app, &client, "alice", &new, 3);
    scatter(&mut app.place.connection());
    let factors = app.get_as("/mfa/authenticators", &by_new[0]).body;
    let eldest = factors.as_array().unwrap().iter().find_map(|factor| factor["id"].as_str()).unwrap();
    let reply = app.delete_as(&format!("/mfa/authenticators/{eldest}"), &by_new[0]);
    assert_eq!(reply.status, 204, "{reply:?} {factors}");
    assert!(by_old.iter().all(|token| !client.is_active(token)));
    assert!(by_new.iter().all(|token| client.is_active(token)));
}

fn who_is_removed_leaves_no_session_in_any_segment(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec::with_scopes("read offline_access"));
    let (alices, bobs) = (somebody(&app, "alice"), somebody(&app, "bob"));
    let hers = logins(&app, &client, "alice", &alices, 4);
    let his = logins(&app, &client, "bob", &bobs, 1);
    scatter(&mut app.place.connection());
    app.operate(|service, conn, at| app::user::remove(service, conn, at, &name("alice"))).unwrap();
    let mut conn = app.place.connection();
    assert_eq!(count(&mut conn, "session"), 1);
    assert_eq!(count(&mut conn, "token"), 2, "his two");
    drop(conn);
    assert!(hers.iter().all(|token| !client.is_active(token)));
    assert!(client.is_active(&his[0]));
}

/// A server of the release before removes a user's row and counts on a reference that is no longer there. On PostgreSQL it may still be serving.
fn a_token_whose_user_is_gone_is_nobodys(on: Backend) {
    let app = App::start(on);
    let client = app.client_with(ClientSpec::with_scopes("read offline_access"));
    let phone = somebody(&app, "alice");
    app.next_step();
    let login = client.otp("alice", &phone.code());
    let own = client.token(&[("grant_type", "client_credentials")]).access_token();
    let mut conn = app.place.connection();
    conn.batch_execute(
        "UPDATE session SET segment = 77; DELETE FROM factor_step; DELETE FROM \"user\" WHERE name = 'alice'",
    )
    .unwrap();
    let left = count(&mut conn, "session");
    drop(conn);
    // Above all it must not pass for one that the application got for itself.
    assert!(!client.is_active(&login.access_token()));
    client.refresh(login.text("refresh_token")).must_be(400, "invalid_grant");
    assert!(client.is_active(&own));
    match on {
        Backend::Sqlite => assert_eq!(left, 1),
        Backend::Postgres => assert_eq!(left, 0, "a trigger stands in for the reference"),
    }
}

fn entries_about_a_user_are_found_in_every_segment(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    app.user("bob");
    let (alice, bob) = (user(&app, "alice"), user(&app, "bob"));
    // Hers are few and far between: some in the first segments, then none for long, then some at the end.
    write(&app, 40_000, |place| match place {
        3 | 1_021..=1_027 | 5_000 | 19_000 | 39_990 => Some(alice),
        _ if place % 10 == 0 => Some(bob),
        _ => None,
    });
    let all = app.operate(|_, conn, _| Ok(db::audit::page(conn, 0, 100_000)?)).unwrap();
    let hers = by_reading(&all, |entry| entry.subject == Some(Subject::User(alice).stored()));
    assert_eq!(hers.len(), 11 + 1, "and that she was added");
    for limit in [1, 5, 100] {
        assert_eq!(page_by_page(&app, &about(alice), limit), hers);
    }
    // With what else one may look for.
    let refused = Filter { refused: Some(true), ..about(alice) };
    let expected = by_reading(&all, |entry| hers.contains(&entry.seq) && entry.outcome != "done");
    assert!(!expected.is_empty() && expected.len() < hers.len());
    assert_eq!(page_by_page(&app, &refused, 2), expected);
    let issued = Filter { action: Some(Action::TokenIssued.as_str().to_owned()), ..about(alice) };
    let expected = by_reading(&all, |entry| hers.contains(&entry.seq) && entry.action == "token.issued");
    assert_eq!(page_by_page(&app, &issued, 3), expected);
    let late = Filter { after: 10_000, ..about(alice) };
    let expected: Vec<i64> = hers.iter().copied().filter(|seq| *seq > 10_000).collect();
    assert_eq!(page_by_page(&app, &late, 100), expected);
    let by_somebody_else = Filter { actor: Some(Actor::Operator.stored()), ..about(alice) };
    assert_eq!(page_by_page(&app, &by_somebody_else, 100).len(), 1, "who added her");
    assert_eq!(page_by_page(&app, &about(UserId::from_bytes(&[9; 16]).unwrap()), 10), [0_i64; 0]);
    // By or to somebody.
    let of_both = Filter { of: Some(Subject::User(alice).stored()), ..about(bob) };
    assert_eq!(page_by_page(&app, &of_both, 10), [0_i64; 0], "nothing is about him and by her");
    let last =
        app.operate(|_, conn, _| Ok(db::audit::of_user(conn, &Subject::User(alice).stored(), 3)?)).unwrap();
    assert_eq!(last.iter().map(|entry| entry.seq).collect::<Vec<_>>(), hers[..3]);
}

fn each_segment_is_one_step_down_an_index(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    app.user("alice");
    write(&app, 40_000, |place| UserId::from_bytes(&[u8::try_from(place % 200).unwrap(); 16]));
    let phone = app.phone("alice");
    logins(&app, &client, "alice", &phone, 1);
    let mut conn = app.place.connection();
    // As many sessions of others as there are entries of the log.
    let (bytes, of_number) = match on {
        Backend::Sqlite => {
            ("CAST(printf('%016d', entry.seq) AS BLOB)", "CAST(printf('%016d', entry.seq % 200) AS BLOB)")
        }
        Backend::Postgres => {
            ("lpad(entry.seq::text, 16, '0')::bytea", "lpad((entry.seq % 200)::text, 16, '0')::bytea")
        }
    };
    conn.batch_execute(&format!(
        "INSERT INTO session (id, user_id, client_id, amr, started_at, used_at, ends_at, limit_at, segment) \
         SELECT {bytes}, {of_number}, session.client_id, amr, started_at, used_at, ends_at, limit_at, entry.seq / 1024 \
         FROM session, audit AS entry; ANALYZE"
    ))
    .unwrap();
    let user = match on {
        Backend::Sqlite => "x'30303030303030303030303030303037'",
        Backend::Postgres => "'\\x30303030303030303030303030303037'::bytea",
    };
    let of_sessions = plan(&mut conn, segment::LIVE_SESSIONS, &[user, "0"]);
    let of_entries =
        plan(&mut conn, segment::ENTRIES_ABOUT, &["39", "24", "'user:x'", "40000", "24576", "1000"]);
    drop(conn);
    let expected = match on {
        Backend::Sqlite => [
            "session USING INDEX session_by_segment (segment=? AND user_id=?)",
            "audit USING COVERING INDEX audit_by_subject (<expr>=? AND subject=?)",
        ],
        Backend::Postgres => {
            ["Scan using session_by_segment on session", "Scan using audit_by_subject on audit"]
        }
    };
    assert!(
        of_sessions.contains(expected[0]) && !of_sessions.contains("Seq Scan on session"),
        "{of_sessions}"
    );
    assert!(of_entries.contains(expected[1]) && !of_entries.contains("Seq Scan on audit"), "{of_entries}");
    assert!(
        !of_sessions.contains("SCAN session") && !of_entries.contains("SCAN audit"),
        "{of_sessions} {of_entries}"
    );
}

fn many_entries_about_one_user_are_found_page_by_page(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let alice = user(&app, "alice");
    write(&app, 9_000, |place| (place % 3 != 0).then_some(alice));
    let all = app.operate(|_, conn, _| Ok(db::audit::page(conn, 0, 100_000)?)).unwrap();
    let hers = by_reading(&all, |entry| entry.subject == Some(Subject::User(alice).stored()));
    assert!(hers.len() > 6_000);
    for limit in [700, 2_500, 10_000] {
        assert_eq!(page_by_page(&app, &about(alice), limit), hers);
    }
}
