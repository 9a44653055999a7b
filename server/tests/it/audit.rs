//! The audit log: everything is in it, nothing secret is, and nothing can be changed unseen.

use countersign::app;
use countersign::app::audit::Proof;
use countersign::db::Conn;
use countersign::domain::audit::Entry;
use diesel::connection::SimpleConnection;

use crate::actors::{App, at_once};
use crate::{Backend, tests};

tests![
    every_change_is_logged_with_who_what_and_from_where,
    the_chain_holds_under_parallel_requests,
    the_chain_holds_whoever_wrote_last,
    the_chain_holds_after_a_commit_that_failed,
    an_altered_entry_is_found,
    a_removed_entry_is_found,
    a_cut_off_tail_is_found,
    entries_moved_beyond_the_end_are_found,
    wrong_secrets_do_not_fill_the_log,
    names_that_nobody_has_are_not_logged,
    entries_older_than_are_kept_go_and_the_rest_is_proved,
    without_a_limit_everything_stays,
    nobody_else_shortens_the_log_unseen,
    servers_that_prune_at_once_and_a_proof_meanwhile_agree,
    what_a_wrong_clock_wrote_takes_nothing_younger_with_it,
];

pub fn entries(app: &App) -> Vec<Entry> {
    app.operate(|_, conn, _| app::audit::last(conn, 10_000)).unwrap()
}

fn proof(app: &App) -> Proof {
    app.operate(|service, conn, _| app::audit::verify(service, conn)).unwrap()
}

/// So many entries, and none was deleted before them.
const fn whole(last: i64) -> Proof {
    Proof::Intact { first: 1, last }
}

fn every_change_is_logged_with_who_what_and_from_where(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let client = app.client();
    let mfa_token = client.mfa_token("alice");
    let phone = app.scan(&app.associate(&mfa_token));
    client.mfa_otp(&mfa_token, &phone.wrong_code()).must_be(400, "invalid_grant");
    let token = client.mfa_otp(&mfa_token, &phone.code()).access_token();
    client.otp("alice", &phone.code()).must_be(400, "invalid_grant");
    client.password("alice", "wrong password").must_be(400, "invalid_grant");
    client.with_secret("x").otp("alice", "123456").must_be(401, "invalid_client");
    assert_eq!(client.revoke(&token).status, 200);
    app.lock("alice");
    app.unlock("alice");
    app.reset("alice");

    let entries = entries(&app);
    let told: Vec<(&str, &str)> =
        entries.iter().map(|entry| (entry.action.as_str(), entry.outcome.as_str())).collect();
    assert_eq!(
        told,
        [
            ("signing_key.made", "done"),
            ("signing_key.made", "done"),
            ("user.added", "done"),
            ("client.added", "done"),
            ("password.checked", "done"),
            ("factor.enrolled", "done"),
            ("recovery_codes.made", "done"),
            ("code.checked", "refused: wrong"),
            ("factor.confirmed", "done"),
            ("token.issued", "done"),
            ("code.checked", "refused: replayed"),
            ("password.checked", "refused: wrong"),
            ("client.refused", "refused: secret"),
            ("token.revoked", "done"),
            ("user.locked", "done"),
            ("user.unlocked", "done"),
            ("factors.reset", "done"),
        ]
    );
    let issued = entries.iter().find(|entry| entry.action == "token.issued").unwrap();
    assert_eq!(issued.actor, format!("client:{}", client.id));
    assert!(issued.subject.as_ref().unwrap().starts_with("user:"));
    assert_eq!(issued.address.as_deref(), Some("127.0.0.1"));
    assert_eq!(entries.last().unwrap().actor, "operator");
    assert_eq!(proof(&app), whole(17));

    let all = format!("{entries:?}");
    let secret = phone.secret().to_base32();
    for hidden in
        [secret.as_str(), &token, &mfa_token, &client.secret, crate::actors::PASSWORD, &phone.code()]
    {
        assert!(!all.contains(hidden));
    }
}

fn the_chain_holds_under_parallel_requests(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    let client = app.client();
    let phones: Vec<_> = (0..16)
        .map(|index| {
            app.user(&format!("user{index}"));
            app.phone(&format!("user{index}"))
        })
        .collect();
    at_once(16, |index| {
        let client = client.at(if index % 2 == 0 { &app } else { &other });
        for offset in [-1, 0, 1] {
            client.otp(&format!("user{index}"), &phones[index].code_at(offset)).access_token();
        }
    });
    assert_eq!(proof(&app), whole(2 + 1 + 16 * 3 + 48));
}

/// Does something to the database that the program never would.
fn spoil(app: &App, statement: &str) {
    app.place.connection().batch_execute(statement).unwrap();
}

/// A server takes what it wrote last for the end, until it is not.
fn the_chain_holds_whoever_wrote_last(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    let servers = [&app, &other];
    for (number, server) in [0, 0, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1, 0].into_iter().enumerate() {
        servers[server].user(&format!("user{number}"));
    }
    assert_eq!(proof(&app), whole(2 + 13));
}

/// Then what the server wrote last is not there.
fn the_chain_holds_after_a_commit_that_failed(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    app.user("alice");
    let phone = app.phone("alice");
    let before = entries(&app).len();
    let mut conn = app.place.connection();
    let (failing, well) = match &*conn {
        Conn::Sqlite(_) => (
            // One that is looked at when the transaction commits.
            "CREATE TABLE broken (seq INTEGER REFERENCES audit (seq) DEFERRABLE INITIALLY DEFERRED); \
             CREATE TRIGGER breaks AFTER INSERT ON audit BEGIN INSERT INTO broken VALUES (-1); END",
            "DROP TRIGGER breaks; DROP TABLE broken",
        ),
        Conn::Postgres(_) => (
            "CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''broken''; END'; \
             CREATE CONSTRAINT TRIGGER breaks AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION breaks()",
            "DROP FUNCTION breaks CASCADE",
        ),
    };
    conn.batch_execute(failing).unwrap();
    assert_eq!(shop.otp("alice", &phone.code()).status, 503);
    assert_eq!(entries(&app).len(), before);
    conn.batch_execute(well).unwrap();
    // Nothing was used up.
    shop.otp("alice", &phone.code()).access_token();
    assert_eq!(proof(&app), whole(i64::try_from(before).unwrap() + 1));
}

fn an_altered_entry_is_found(on: Backend) {
    for statement in [
        "UPDATE audit SET actor = 'operator2' WHERE seq = 3",
        "UPDATE audit SET at = at + 1 WHERE seq = 3",
        "UPDATE audit SET detail = NULL WHERE seq = 3",
        "UPDATE audit SET address = '' WHERE seq = 3",
    ] {
        let app = App::start(on);
        app.user("alice");
        app.user("bob");
        assert_eq!(proof(&app), whole(4));
        spoil(&app, statement);
        assert_eq!(proof(&app), Proof::BrokenAt(3), "{statement}");
    }
}

fn a_removed_entry_is_found(on: Backend) {
    let app = App::start(on);
    for name in ["alice", "bob", "carol"] {
        app.user(name);
    }
    spoil(&app, "DELETE FROM audit WHERE seq = 3");
    assert_eq!(proof(&app), Proof::BrokenAt(3));
    // Closing the gap does not help.
    spoil(&app, "UPDATE audit SET seq = 3 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5");
    assert_eq!(proof(&app), Proof::BrokenAt(3));
}

fn a_cut_off_tail_is_found(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    spoil(&app, "DELETE FROM audit WHERE seq = 3");
    assert_eq!(proof(&app), Proof::BrokenAt(3));
    spoil(&app, "UPDATE audit_head SET seq = 2");
    assert_eq!(proof(&app), Proof::BrokenAt(2), "the head's hash is that of the third entry");
}

fn names_that_nobody_has_are_not_logged(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    let typed = "my-password-by-mistake";
    client.otp(typed, "123456").must_be(400, "invalid_grant");
    client.password(typed, "x").must_be(400, "invalid_grant");
    assert!(!format!("{:?}", entries(&app)).contains(typed));
}

pub fn entries_moved_beyond_the_end_are_found(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    spoil(&app, "UPDATE audit SET seq = 30 WHERE seq = 3");
    assert_eq!(proof(&app), Proof::BrokenAt(3));
}

fn wrong_secrets_do_not_fill_the_log(on: Backend) {
    let app = App::start(on);
    let client = app.client();
    for _ in 0..100 {
        client.with_secret("x").otp("alice", "123456").must_be(401, "invalid_client");
    }
    let refusals = entries(&app).iter().filter(|entry| entry.action == "client.refused").count();
    assert_eq!(refusals, 20);
}

/// A server that keeps the log for thirty days, with `old` entries that are older by now, and some that are not.
fn with_an_old_log(on: Backend, old: i64) -> App {
    let app = App::start(on);
    let keeper = app.with_audit_kept(30);
    while proof(&app) != whole(old) {
        app.user(&format!("user{}", crate::actors::unique()));
    }
    app.pass(31 * 86_400);
    app.user("alice");
    keeper
}

pub fn entries_older_than_are_kept_go_and_the_rest_is_proved(on: Backend) {
    // More than are deleted in one transaction.
    let app = with_an_old_log(on, 450);
    app.sweep();
    assert_eq!(proof(&app), Proof::Intact { first: 451, last: 452 });
    let left = entries(&app);
    assert_eq!(
        left.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(),
        ["user.added", "audit.pruned"]
    );
    let told = left.last().unwrap();
    assert_eq!((told.actor.as_str(), told.detail.as_deref()), ("system", Some("upto=450")));
    // Once a day is enough, and the last entry stays, however old.
    app.sweep();
    assert_eq!(proof(&app), Proof::Intact { first: 451, last: 452 });
    app.pass(365 * 86_400);
    app.sweep();
    assert_eq!(proof(&app), Proof::Intact { first: 452, last: 453 });
}

fn without_a_limit_everything_stays(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    app.pass(3650 * 86_400);
    app.sweep();
    assert_eq!(proof(&app), whole(3));
}

fn nobody_else_shortens_the_log_unseen(on: Backend) {
    let app = with_an_old_log(on, 5);
    // Somebody with the database and without the master key: nothing was deleted by right.
    let by_hand = |upto: i64| {
        format!(
            "UPDATE audit_tail SET seq = {upto}, hash = (SELECT hash FROM audit WHERE seq = {upto}); \
             DELETE FROM audit WHERE seq <= {upto}"
        )
    };
    app.user("bob");
    app.sweep();
    assert_eq!(proof(&app), Proof::Intact { first: 6, last: 8 });
    spoil(&app, "CREATE TABLE kept AS SELECT * FROM audit_tail");
    spoil(&app, &by_hand(7));
    assert_eq!(proof(&app), Proof::BrokenAt(1));
    // The proof of an earlier beginning proves that the entries behind it are missing.
    spoil(&app, "DELETE FROM audit_tail; INSERT INTO audit_tail SELECT * FROM kept");
    assert_eq!(proof(&app), Proof::BrokenAt(6));
    spoil(&app, "UPDATE audit_tail SET seq = 0, hash = proof");
    assert_eq!(proof(&app), Proof::BrokenAt(1));
}

fn servers_that_prune_at_once_and_a_proof_meanwhile_agree(on: Backend) {
    let app = with_an_old_log(on, 1000);
    let other = app.with_audit_kept(30);
    let proofs = at_once(3, |index| match index {
        0 => {
            app.sweep();
            Vec::new()
        }
        1 => {
            other.sweep();
            Vec::new()
        }
        _ => (0..5).map(|_| proof(&app)).collect(),
    });
    assert!(proofs[2].iter().all(|proof| matches!(proof, Proof::Intact { .. })), "{proofs:?}");
    app.sweep();
    assert!(matches!(proof(&app), Proof::Intact { first: 1001, .. }), "{:?}", proof(&app));
}

const DAY: i64 = 86_400;

/// Some server's clock was wrong for a while. Nothing that is younger than is kept goes, wherever that was.
fn what_a_wrong_clock_wrote_takes_nothing_younger_with_it(on: Backend) {
    // When a server wrote a few entries each, in days from now, in the order in which they were written; which of them go.
    let stories: [(&[i64], usize); 6] = [
        (&[-90, -60, -2, -1, 0], 2),
        // Far behind, among young ones, and at the end.
        (&[-40, -5, -4, -3650, -3650, -3650, -2, -1, 0], 1),
        (&[-20, -10, -3650, -3650], 0),
        // A little ahead, and far.
        (&[-60, -25, -50, -40, 0], 1),
        (&[-60, 3650, -50, -40, 0], 1),
        (&[-60, -50, -3650, -40, 0], 4),
    ];
    for (days, gone) in stories {
        let app = App::start(on);
        let keeper = app.with_audit_kept(30);
        app.pass(100 * DAY);
        let (first, now) = (entries(&app).len(), app.clock.now());
        for day in days {
            app.pass(day * DAY);
            for _ in 0..3 {
                app.user(&format!("user{}", crate::actors::unique()));
            }
            app.pass(-day * DAY);
        }
        assert_eq!(app.clock.now(), now);
        keeper.sweep();
        let held_up =
            keeper.operate(|service, conn, at| app::audit::prune(service, conn, at, || true)).unwrap();
        let left = entries(&app);
        let expected = i64::try_from(first + 3 * gone).unwrap();
        assert_eq!(left.first().unwrap().seq, expected + 1, "{days:?}");
        assert_eq!(held_up, days.contains(&3650).then_some(expected + 1), "{days:?}");
        assert_eq!(
            proof(&app),
            Proof::Intact { first: expected + 1, last: left.last().unwrap().seq },
            "{days:?}"
        );
    }
}
