//! An application with very many logins is disabled and removed a few logins at a time.

use std::thread;

use countersign::app;
use countersign::app::audit::Proof;
use countersign::app::context::Stop;
use countersign::domain::client::ClientState;
use diesel::connection::SimpleConnection as _;

use crate::actors::{App, Client, ClientSpec, Phone, at_once, count, count_rows};
use crate::{Backend, tests};

tests![
    very_many_logins_end_a_few_at_a_time,
    what_was_interrupted_ends_before_an_application_is_enabled,
    an_application_with_very_many_logins_is_removed,
    logins_elsewhere_go_on_while_very_many_end,
    housekeeping_ends_what_was_interrupted,
    housekeeping_ends_the_rest_where_one_application_cannot_be_read,
    whoever_logs_in_while_it_is_removed_and_enabled_is_on_the_list,
    of_two_who_remove_it_at_once_nobody_leaves_anything,
];

/// Logins at the application, and as many tokens that it got for itself: more than three transactions may end.
const MANY: i64 = 1600;

/// What one transaction may end, of each.
const TOGETHER: i64 = 500;

/// Two applications with one login of `alice` each, of which the first has [`MANY`] copies, each with a JWT; and as many JWTs for itself.
struct Site<'a> {
    shop: Client<'a>,
    other: Client<'a>,
    phone: Phone,
    of_shop: String,
    of_other: String,
}

impl<'a> Site<'a> {
    fn new(app: &'a App, on: Backend) -> Self {
        app.user("alice");
        let phone = app.phone("alice");
        let (shop, other) =
            (app.client(), app.client_with(ClientSpec { name: "other", ..ClientSpec::default() }));
        let of_shop = shop.otp("alice", &phone.code()).access_token();
        shop.token(&[("grant_type", "client_credentials")]).access_token();
        let (numbers, id) = match on {
            Backend::Sqlite => (
                format!(
                    "(WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY}) SELECT i FROM n)"
                ),
                "randomblob(16)",
            ),
            Backend::Postgres => {
                (format!("generate_series(2, {MANY}) AS n (i)"), "uuid_send(gen_random_uuid())")
            }
        };
        let of_token = "client_id, kind, hash, audience, scope, details, issued_at, expires_at, one_use";
        let of_session =
            "user_id, client_id, factor_id, amr, started_at, used_at, ends_at, limit_at, segment";
        app.place
            .connection()
            .batch_execute(&format!(
                "INSERT INTO token (id, session_id, {of_token}) SELECT {id}, NULL, {of_token} \
                 FROM token CROSS JOIN {numbers} WHERE session_id IS NULL; \
                 INSERT INTO session (id, {of_session}) SELECT {id}, {of_session} FROM session CROSS JOIN {numbers}; \
                 CREATE TABLE login AS SELECT {of_token} FROM token WHERE session_id IS NOT NULL; \
                 INSERT INTO token (id, session_id, {of_token}) SELECT {id}, session.id, login.client_id, kind, hash, \
                 audience, scope, details, issued_at, expires_at, one_use FROM session CROSS JOIN login \
                 WHERE session.id NOT IN (SELECT session_id FROM token WHERE session_id IS NOT NULL); \
                 DROP TABLE login;"
            ))
            .unwrap();
        app.next_step();
        let of_other = other.otp("alice", &phone.code()).access_token();
        Self { shop, other, phone, of_shop, of_other }
    }
}

fn set(app: &App, state: ClientState) -> Result<(), Stop> {
    app.operate(|service, conn, at| app::client::set_state(service, conn, at, "shop", state))
}

/// All have ended, each is on the list for those who check alone, and no entry of the log has more than one transaction may end.
fn all_must_have_ended(app: &App) {
    let mut conn = app.place.connection();
    assert_eq!(count(&mut conn, "session WHERE revoked_at IS NULL"), 1, "the other application's");
    assert_eq!(count(&mut conn, "token WHERE session_id IS NULL AND revoked_at IS NULL"), 0);
    for (kind, table) in [("session", "session"), ("token", "token")] {
        let all = format!("revocation WHERE kind = '{kind}'");
        let known = format!("{all} AND expires_at > {}", app.clock.now().millis());
        assert_eq!(count(&mut conn, &known), MANY, "{table}");
        let largest = format!("(SELECT seq FROM {all} GROUP BY seq HAVING count(*) > {TOGETHER}) AS large");
        assert_eq!(count(&mut conn, &largest), 0);
    }
    let entries = "audit WHERE seq IN (SELECT seq FROM revocation)";
    assert_eq!(count(&mut conn, &format!("{entries} AND action = 'client.disabled'")), 4);
    assert_eq!(count(&mut conn, &format!("{entries} AND detail LIKE 'further=%'")), 3);
    drop(conn);
    let proof = app.operate(|service, conn, _| app::audit::verify(service, conn)).unwrap();
    assert!(matches!(proof, Proof::Intact { .. }));
}

fn very_many_logins_end_a_few_at_a_time(on: Backend) {
    let app = App::start(on);
    let site = Site::new(&app, on);
    set(&app, ClientState::Disabled).unwrap();
    all_must_have_ended(&app);
    assert!(site.other.is_active(&site.of_other));
    set(&app, ClientState::Active).unwrap();
    assert!(!site.shop.is_active(&site.of_shop));
    app.next_step();
    let token = site.shop.otp("alice", &site.phone.code()).access_token();
    assert!(site.shop.is_active(&token));
}

fn what_was_interrupted_ends_before_an_application_is_enabled(on: Backend) {
    for again in [ClientState::Active, ClientState::Disabled] {
        let app = App::start(on);
        let site = Site::new(&app, on);
        // What whoever was killed after the first transaction leaves behind.
        let killed = "UPDATE client SET state = 'disabled' WHERE name = 'shop'";
        app.place.connection().batch_execute(killed).unwrap();
        set(&app, again).unwrap();
        let mut conn = app.place.connection();
        assert_eq!(count(&mut conn, "session WHERE revoked_at IS NULL"), 1);
        assert_eq!(count(&mut conn, "revocation"), 2 * MANY);
        drop(conn);
        if again == ClientState::Active {
            assert!(!site.shop.is_active(&site.of_shop));
        }
    }
}

fn an_application_with_very_many_logins_is_removed(on: Backend) {
    let app = App::start(on);
    let site = Site::new(&app, on);
    app.operate(|service, conn, at| app::client::remove(service, conn, at, "shop")).unwrap();
    assert_eq!(count_rows(&app.place, "session"), 1);
    assert_eq!(count_rows(&app.place, "token"), 1);
    assert_eq!(count_rows(&app.place, "revocation"), 2 * MANY);
    let mut conn = app.place.connection();
    assert_eq!(count(&mut conn, "client WHERE name = 'shop'"), 0);
    assert_eq!(count(&mut conn, "audit WHERE action = 'client.removed'"), 1);
    drop(conn);
    assert!(site.other.is_active(&site.of_other));
    site.shop.introspect(&site.of_shop).must_be(401, "invalid_client");
}

fn logins_elsewhere_go_on_while_very_many_end(on: Backend) {
    let app = App::start(on);
    let site = Site::new(&app, on);
    let people = app.people(20);
    thread::scope(|scope| {
        let disabling = scope.spawn(|| set(&app, ClientState::Disabled));
        for (phone, name) in &people {
            let token = site.other.otp(name, &phone.code()).access_token();
            assert!(site.other.is_active(&token));
        }
        disabling.join().unwrap().unwrap();
    });
    assert_eq!(count(&mut app.place.connection(), "session WHERE revoked_at IS NULL"), 21);
}

fn must_finish(app: &App, goes_on: bool) {
    let failed = app
        .operate(|service, conn, at| Ok(app::client::closing::finish(service, conn, at, || goes_on)))
        .unwrap();
    assert!(failed.is_empty(), "{failed:?}");
}

/// Two that somebody was interrupted disabling. What is stored of the elder cannot be read.
fn housekeeping_ends_the_rest_where_one_application_cannot_be_read(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let phone = app.phone("alice");
    let clients = ["first", "second", "third"].map(|name| {
        // One after the other: their ids tell which is the elder.
        app.pass(1);
        app.client_with(ClientSpec { name, ..ClientSpec::default() })
    });
    for client in &clients {
        client.otp("alice", &phone.code()).access_token();
        app.next_step();
    }
    app.place
        .connection()
        .batch_execute(
            "UPDATE client SET state = 'disabled' WHERE name <> 'third'; UPDATE client SET grants = 'nonsense' WHERE name = 'first'",
        )
        .unwrap();
    let failed = app
        .operate(|service, conn, at| Ok(app::client::closing::finish(service, conn, at, || true)))
        .unwrap();
    assert!(matches!(&failed[..], [Stop::Broken(_)]), "{failed:?}");
    let live = |name: &str| {
        let live = format!(
            "session WHERE revoked_at IS NULL AND client_id = (SELECT id FROM client WHERE name = '{name}')"
        );
        count(&mut app.place.connection(), &live)
    };
    assert_eq!(["first", "second", "third"].map(live), [1, 0, 1]);
}

fn housekeeping_ends_what_was_interrupted(on: Backend) {
    let app = App::start(on);
    let site = Site::new(&app, on);
    let finish = || must_finish(&app, true);
    finish();
    assert!(site.shop.is_active(&site.of_shop), "it is not disabled");
    app.place.connection().batch_execute("UPDATE client SET state = 'disabled' WHERE name = 'shop'").unwrap();
    // A server that is told to stop ends with the transaction under way.
    must_finish(&app, false);
    let left = count(&mut app.place.connection(), "session WHERE revoked_at IS NULL");
    assert_eq!(left, MANY + 1 - TOGETHER);
    finish();
    let mut conn = app.place.connection();
    assert_eq!(count(&mut conn, "session WHERE revoked_at IS NULL"), 1);
    assert_eq!(count(&mut conn, "revocation"), 2 * MANY);
    assert_eq!(count(&mut conn, "audit WHERE action = 'client.disabled' AND actor = 'system'"), 4);
    drop(conn);
    finish();
    assert_eq!(count(&mut app.place.connection(), "audit WHERE action = 'client.disabled'"), 4);
}

fn whoever_logs_in_while_it_is_removed_and_enabled_is_on_the_list(on: Backend) {
    let app = App::start(on);
    let site = Site::new(&app, on);
    let people = app.people(30);
    let mut tokens = 0;
    thread::scope(|scope| {
        let removing =
            scope.spawn(|| app.operate(|service, conn, at| app::client::remove(service, conn, at, "shop")));
        for (phone, name) in &people {
            // Somebody else does not know of it.
            if set(&app, ClientState::Active).is_err() {
                break;
            }
            if site.shop.otp(name, &phone.code()).status == 200 {
                tokens += 1;
            }
        }
        removing.join().unwrap().unwrap();
    });
    let mut conn = app.place.connection();
    assert_eq!(count(&mut conn, "client WHERE name = 'shop'"), 0);
    assert_eq!(count(&mut conn, "session"), 1);
    assert_eq!(count(&mut conn, "token"), 1);
    assert_eq!(count(&mut conn, "revocation WHERE kind = 'session'"), MANY + tokens);
}

fn of_two_who_remove_it_at_once_nobody_leaves_anything(on: Backend) {
    let app = App::start(on);
    Site::new(&app, on);
    let removed =
        at_once(2, |_| app.operate(|service, conn, at| app::client::remove(service, conn, at, "shop")));
    assert!(removed.iter().any(Result::is_ok));
    let mut conn = app.place.connection();
    assert_eq!(count(&mut conn, "session"), 1);
    assert_eq!(count(&mut conn, "token"), 1);
    assert_eq!(count(&mut conn, "audit WHERE action = 'client.removed'"), 1);
}
