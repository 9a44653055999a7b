//! What the busiest requests ask the database: on PostgreSQL each statement is a trip, and one that is planned anew costs more than it does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use countersign::app;
use countersign::app::access::{self, Named, Span};
use countersign::app::client_auth::Asker;
use countersign::app::context::{At, Service, Stop};
use countersign::app::introspect::introspect;
use countersign::app::login::PasswordRequest;
use countersign::app::otp::Asked;
use countersign::clock::moment;
use countersign::db::{self, Conn, Database, grant};
use countersign::domain::audit::Origin;
use countersign::domain::authorization::{Access, Details, ScopeRule};
use countersign::domain::client::TokenFormat;
use countersign::domain::notice::MailState;
use countersign::domain::password::Password;
use countersign::domain::refusal::Refusal;
use countersign::domain::time::Timestamp;
use countersign::domain::user::{Language, UserName};
use diesel::connection::SimpleConnection as _;
use diesel::connection::{Connection as _, InstrumentationEvent};

use crate::access::rule;
use crate::actors::{App, Client, ClientSpec, PASSWORD, Phone, exchange_all, plan};
use crate::audit::entries;
use crate::visitor::Visitor;
use crate::{Backend, tests};

tests![
    statements_of_codes_are_prepared_once,
    a_code_and_an_introspection_take_few_statements,
    everybody_of_a_group_is_found_by_an_index,
    grants_are_asked_for_only_where_a_scope_wants_one,
    everybody_of_a_group_gets_what_the_own_grants_bring,
    grants_are_found_by_an_index,
    mails_that_were_not_sent_are_found_by_an_index,
    a_server_is_told_the_logs_end_only_where_others_write_too,
    a_server_writes_behind_what_it_is_committing_without_asking,
    whoever_is_no_client_adds_no_work_to_a_group,
    who_is_not_logged_in_takes_no_writers_turn,
    who_has_to_wait_with_a_password_takes_no_writers_turn,
    a_connection_is_asked_now_and_then_whether_it_lives,
];

/// What a connection was asked.
#[derive(Default, Debug)]
struct Heard {
    /// Every statement, as often as it was sent.
    sent: Vec<String>,
    /// Those that Diesel keeps.
    prepared: BTreeSet<String>,
}

/// Listens to a connection from now on.
fn listen(conn: &mut Conn) -> Arc<Mutex<Heard>> {
    let heard = Arc::new(Mutex::new(Heard::default()));
    let noted = Arc::clone(&heard);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        let mut noted = noted.lock().unwrap();
        match event {
            InstrumentationEvent::StartQuery { query, .. } => {
                let text = query.to_string();
                noted.sent.push(text.split(" -- binds").next().unwrap().to_owned());
            }
            InstrumentationEvent::CacheQuery { sql, .. } => {
                noted.prepared.insert(sql.to_owned());
            }
            _ => {}
        }
    });
    heard
}

fn codes_of(shop: &Client<'_>, people: &[(Phone, String)]) -> Vec<Asked> {
    people.iter().map(|(phone, name)| shop.asked(name, &phone.code(), None)).collect()
}

fn statements_of_codes_are_prepared_once(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let people = app.people(6);
    // One that has prepared nothing yet.
    let mut conn = app.place.connection();
    let heard = listen(&mut conn);
    app.operate(|service, _, _| {
        // One alone, and several together: on PostgreSQL there are different statements among theirs.
        for group in [&people[..1], &people[1..4], &people[4..]] {
            let outcomes = exchange_all(service, &mut conn, codes_of(&shop, group));
            assert!(outcomes.iter().all(Result::is_ok));
        }
        Ok(())
    })
    .unwrap();
    let heard = heard.lock().unwrap();
    let is_bracket = |sql: &&String| ["BEGIN", "COMMIT"].iter().any(|word| sql.starts_with(word));
    let sent: BTreeSet<String> = heard.sent.iter().cloned().collect();
    let anew: Vec<&String> = sent.difference(&heard.prepared).filter(|sql| !is_bracket(sql)).collect();
    assert!(anew.is_empty(), "{anew:#?}");
    assert!(heard.prepared.len() > 5, "{heard:#?}");
}

/// In how many pieces SQLite is told of so many rows.
fn pieces(mut rows: usize) -> usize {
    [64, 16, 4, 1].into_iter().map(|length| (rows / length, rows %= length).0).sum()
}

/// How many statements a group of so many codes takes.
fn of_a_group(on: Backend, codes: usize) -> usize {
    match on {
        // The application; begin; it once more, and the key; the log's end, twice; commit. The log's number for logins. For each piece: gate and
        // factors; login; token; entry. For each code: the step.
        Backend::Sqlite => 7 + 4 * pieces(codes) + codes,
        // The application; begin; its lock, names and gate; the application behind that, and the key; factors; steps, logins and tokens; entries behind
        // the end that is known; commit.
        Backend::Postgres => 8,
    }
}

fn a_code_and_an_introspection_take_few_statements(on: Backend) {
    let app = App::start(on);
    let jwts = app.client();
    let opaque =
        app.client_with(ClientSpec { name: "opaque", format: TokenFormat::Opaque, ..ClientSpec::default() });
    let people = app.people(8);
    let mut conn = app.place.connection();
    let heard = listen(&mut conn);
    let said = || std::mem::take(&mut heard.lock().unwrap().sent);
    app.operate(|service, _, at| {
        let mut tokens = Vec::new();
        // The first code of a user, and one more: then the row that the lockout counts in is there.
        for (shop, group) in [(&jwts, &people[..1]), (&jwts, &people[1..4]), (&opaque, &people[4..])] {
            for _ in 0..2 {
                said();
                let outcomes = exchange_all(service, &mut conn, codes_of(shop, group));
                let sent = said();
                assert_eq!(sent.len(), of_a_group(on, group.len()), "{sent:#?}");
                tokens.extend(outcomes.into_iter().map(|outcome| (shop, outcome.unwrap().sign().unwrap())));
                app.clock.advance(30_000);
            }
        }
        for (shop, issued) in tokens {
            said();
            let found = introspect(service, &mut conn, at, &shop.credentials(), &issued.access_token)?;
            assert!(found.is_some());
            // The application, its token, whose that is, and the key.
            assert_eq!(said().len(), 1);
        }
        Ok(())
    })
    .unwrap();
}

/// SQLite might read all users instead of looking for many names.
fn everybody_of_a_group_is_found_by_an_index(on: Backend) {
    if on != Backend::Sqlite {
        // There it is one statement with the ids behind the gate, whatever their number.
        return;
    }
    let app = App::start(on);
    let shop = app.client();
    let people = app.people(64);
    let mut conn = app.place.connection();
    let heard = listen(&mut conn);
    for count in [1, 4, 16, 64] {
        heard.lock().unwrap().sent.clear();
        app.operate(|service, _, _| Ok(exchange_all(service, &mut conn, codes_of(&shop, &people[..count]))))
            .unwrap();
        app.clock.advance(30_000);
        let sent = heard.lock().unwrap().sent.clone();
        let asked = sent.iter().find(|sql| sql.contains("name_folded` IN (")).expect("whose codes they are");
        assert_eq!(asked.matches('?').count(), count + 1, "one piece: {asked}");
        let steps = plan(&mut conn, asked, &vec!["'x'"; count + 1]);
        assert!(!steps.contains("SCAN") && steps.contains("(name_folded=?)"), "{steps}");
    }
}

/// A rule that wants a grant for this scope.
fn by_grant(app: &App, name: &str) {
    let rule = ScopeRule { by_grant: true, ..rule(name) };
    app.operate(|service, conn, at| access::put_scope(service, conn, at, &rule)).unwrap();
}

fn grants_are_asked_for_only_where_a_scope_wants_one(on: Backend) {
    let app = App::start(on);
    let shop = app.client_with(ClientSpec::with_scopes("read stacks"));
    let people = app.people(12);
    by_grant(&app, "stacks");
    by_grant(&app, "elsewhere");
    let mut conn = app.place.connection();
    let heard = listen(&mut conn);
    let said = || std::mem::take(&mut heard.lock().unwrap().sent);
    // On PostgreSQL they are asked for in one trip, however many want to know.
    let for_so_many = |wanting: usize| if on == Backend::Sqlite { wanting } else { wanting.min(1) };
    let group = |conn: &mut Conn, wanting: usize| {
        app.next_step();
        let scope = |place| if place < wanting { "read stacks" } else { "read" };
        let asked = people.iter().enumerate();
        let asked =
            asked.map(|(place, (phone, name))| shop.asked(name, &phone.code(), Some(scope(place)))).collect();
        let outcomes = app.operate(|service, _, _| Ok(exchange_all(service, conn, asked))).unwrap();
        assert!(outcomes.iter().all(Result::is_ok));
    };
    // The first time the rows that the lockout counts in are made.
    group(&mut conn, 0);
    for wanting in [0, 1, 12] {
        said();
        group(&mut conn, wanting);
        let sent = said();
        // One for the rules.
        let expected = of_a_group(on, people.len()) + 1 + for_so_many(wanting);
        assert_eq!(sent.len(), expected, "{wanting}: {sent:#?}");
    }
}

fn everybody_of_a_group_gets_what_the_own_grants_bring(on: Backend) {
    let app = App::start(on);
    let shop = app.client_with(ClientSpec::with_scopes("read stacks vault"));
    let people = app.people(5);
    for name in ["stacks", "vault"] {
        by_grant(&app, name);
    }
    let user = |name: &str| Named::User(UserName::parse(name).unwrap());
    let staff = Named::Group("staff".to_owned());
    app.operate(|service, conn, at| {
        access::add_group(service, conn, at, "staff")?;
        access::add_members(
            service,
            conn,
            at,
            "staff",
            &["user1", "user2"].map(|name| UserName::parse(name).unwrap()),
        )?;
        let (now, minute) = (at.now, at.now.plus_seconds(60));
        let scope = |name: &str| Access::Scope(name.to_owned());
        let ever = Span { starts_at: now, ends_at: Timestamp::NEVER };
        access::give(service, conn, at, &[user("user0"), staff.clone()], &scope("stacks"), ever)?;
        access::give(service, conn, at, &[user("user2")], &scope("vault"), Span { ends_at: minute, ..ever })?;
        // One that is over by then, and one that has not begun.
        access::give(
            service,
            conn,
            at,
            &[user("user3")],
            &scope("vault"),
            Span { starts_at: now, ends_at: now.plus_seconds(10) },
        )?;
        access::give(
            service,
            conn,
            at,
            &[user("user3")],
            &scope("stacks"),
            Span { starts_at: minute, ends_at: Timestamp::NEVER },
        )
    })
    .unwrap();
    app.pass(30);
    let mut conn = app.place.connection();
    let outcomes =
        app.operate(|service, _, _| Ok(exchange_all(service, &mut conn, codes_of(&shop, &people)))).unwrap();
    let issued: Vec<_> = outcomes.into_iter().map(|outcome| outcome.unwrap().sign().unwrap()).collect();
    let scopes: Vec<&str> = issued.iter().map(|one| one.scope.as_str()).collect();
    assert_eq!(scopes, ["read stacks", "read stacks", "read stacks vault", "read", "read"]);
    let lives: Vec<i64> = issued.iter().map(|one| one.expires_in).collect();
    assert_eq!(lives, [900, 900, 30, 900, 900]);
}

fn grants_are_found_by_an_index(on: Backend) {
    let app = App::start(on);
    app.people(3);
    let mut conn = app.place.connection();
    let (numbers, id) = match on {
        Backend::Sqlite => (
            "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n) AS n",
            "CAST(printf('%016d', i) AS BLOB)",
        ),
        Backend::Postgres => ("generate_series(1, 20000) AS n (i)", "lpad(i::text, 16, '0')::bytea"),
    };
    let grant = "id, user_id, group_id, scope, starts_at, ends_at, created_at";
    conn.batch_execute(&format!(
        "INSERT INTO \"user\" (id, name, name_folded, role, state, created_at) \
         SELECT {id}, 'other' || i, 'other' || i, 'user', 'active', 0 FROM {numbers}; \
         INSERT INTO user_group (id, name, created_at) SELECT {id}, 'group' || i, 0 FROM {numbers}; \
         INSERT INTO group_member (group_id, user_id) SELECT {id}, {id} FROM {numbers}; \
         INSERT INTO access_grant ({grant}) SELECT {id}, {id}, NULL, 'stacks', 0, 100, 0 FROM {numbers} WHERE i % 2 = 0; \
         INSERT INTO access_grant ({grant}) SELECT {id}, NULL, {id}, 'stacks', 0, 100, 0 FROM {numbers} WHERE i % 2 = 1; \
         ANALYZE"
    ))
    .unwrap();
    match on {
        Backend::Sqlite => {
            let user = "x'30303030303030303030303030303037'";
            let steps = plan(&mut conn, grant::HELD, &[user, "50", "50", user, "50", "50"]);
            for index in [
                "access_grant_by_user (user_id=?)",
                "access_grant_by_group (group_id=?)",
                "group_member_by_user (user_id=?)",
            ] {
                assert!(steps.contains(index), "{steps}");
            }
            assert!(!steps.contains("SCAN"), "{steps}");
        }
        Backend::Postgres => {
            let user = "'\\x30303030303030303030303030303037'::bytea";
            let of_one = plan(&mut conn, grant::HELD, &[user, "50", "50", user, "50", "50"]);
            let users = format!("ARRAY[{user}, {user}]");
            let of_many = plan(&mut conn, grant::HELD_BY_ALL, &[&users, "ARRAY[50, 50]"]);
            for steps in [of_one, of_many] {
                assert!(
                    steps.contains("access_grant_by_user") && steps.contains("access_grant_by_group"),
                    "{steps}"
                );
                assert!(!steps.contains("Seq Scan"), "{steps}");
            }
        }
    }
}

/// Very many that were sent lie between.
fn mails_that_were_not_sent_are_found_by_an_index(on: Backend) {
    let app = App::start(on);
    let mut conn = app.place.connection();
    let (numbers, id) = match on {
        Backend::Sqlite => (
            "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT i FROM n) AS n",
            "unhex(printf('%012x', i) || '70008000000000000000')",
        ),
        Backend::Postgres => (
            "generate_series(1, 20000) AS n (i)",
            "decode(lpad(to_hex(i), 12, '0') || '70008000000000000000', 'hex')",
        ),
    };
    conn.batch_execute(&format!(
        "INSERT INTO outbox (id, recipient, kind, state, attempts, next_at, claimed_until, created_at, sent_at) \
         SELECT {id}, 'a@example.org', 'locked', CASE WHEN i % 1000 = 7 THEN 'failed' WHEN i % 1000 = 8 THEN 'waiting' \
         ELSE 'sent' END, 0, 0, 0, i, i FROM {numbers}; ANALYZE"
    ))
    .unwrap();
    let heard = listen(&mut conn);
    for (state, remainder) in [(MailState::Failed, 7), (MailState::Waiting, 8)] {
        let mut before = None;
        let mut found = Vec::new();
        loop {
            heard.lock().unwrap().sent.clear();
            let page = db::outbox::page(&mut conn, before, Some(state), 6).unwrap();
            found.extend(page.iter().map(|mail| mail.created_at.millis()));
            let Some(last) = page.last() else { break };
            before = Some(last.id);
        }
        let expected: Vec<i64> = (1..=20_000).rev().filter(|number| number % 1000 == remainder).collect();
        assert_eq!(found, expected);
        let asked = heard.lock().unwrap().sent.last().unwrap().clone();
        let steps = match on {
            Backend::Sqlite => plan(&mut conn, &asked, &["x'ff'", "15000", "6"]),
            Backend::Postgres => {
                let values = [("$1", "'\\xff'::bytea"), ("$2", "15000"), ("$3", "6")];
                let asked = values.iter().fold(asked, |asked, (name, value)| asked.replace(name, value));
                plan(&mut conn, &asked, &[])
            }
        };
        let index = format!("outbox_{}", state.as_str());
        assert!(steps.contains(&index) && !steps.contains("Seq Scan") && !steps.contains("SCAN"), "{steps}");
    }
}

fn a_server_is_told_the_logs_end_only_where_others_write_too(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    let shop = app.client();
    let people = app.people(1);
    let mut conn = app.place.connection();
    let heard = listen(&mut conn);
    let said = || std::mem::take(&mut heard.lock().unwrap().sent).len();
    // On SQLite it costs no trip.
    let trips = usize::from(on != Backend::Sqlite);
    let mut number = 0;
    let mut code_costs = |others_write: bool, more: usize| {
        if others_write {
            other.user(&format!("other{number}"));
            number += 1;
        }
        app.clock.advance(30_000);
        said();
        app.operate(|service, _, _| Ok(exchange_all(service, &mut conn, codes_of(&shop, &people)))).unwrap();
        assert_eq!(said(), of_a_group(on, 1) + more * trips);
    };
    code_costs(false, 0);
    code_costs(true, 1);
    code_costs(true, 1);
    code_costs(false, 0);
}

/// Where the log ends then is known: it waits for that, and need not ask.
fn a_server_writes_behind_what_it_is_committing_without_asking(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let people = app.people(2);
    let (one, other) = people.split_at(1);
    let mut conn = app.place.connection();
    app.operate(|service, _, _| Ok(exchange_all(service, &mut conn, codes_of(&shop, &people)))).unwrap();
    app.clock.advance(30_000);
    // On SQLite the other has its turn after the commit.
    if on == Backend::Postgres {
        let slowly = "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql \
             AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END'; \
             CREATE CONSTRAINT TRIGGER slowly AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED \
             FOR EACH ROW EXECUTE FUNCTION slowly()";
        conn.batch_execute(slowly).unwrap();
    }
    let heard = listen(&mut conn);
    thread::scope(|scope| {
        let first = scope
            .spawn(|| app.operate(|service, conn, _| Ok(exchange_all(service, conn, codes_of(&shop, one)))));
        thread::sleep(Duration::from_millis(400));
        app.operate(|service, _, _| Ok(exchange_all(service, &mut conn, codes_of(&shop, other)))).unwrap();
        assert!(first.join().unwrap().unwrap().iter().all(Result::is_ok));
    });
    assert_eq!(heard.lock().unwrap().sent.len(), of_a_group(on, 1), "{heard:#?}");
}

/// A known client's id is no secret, and anybody can send it with a wrong one.
fn whoever_is_no_client_adds_no_work_to_a_group(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let wrong = shop.with_secret("x");
    let people = app.people(1);
    let mut conn = app.place.connection();
    let heard = listen(&mut conn);
    let said = || std::mem::take(&mut heard.lock().unwrap().sent);
    app.operate(|service, _, _| {
        // All in the name of the one whose code is right.
        let floods = |count: usize| -> Vec<Asked> {
            (0..count).map(|_| wrong.asked(&people[0].1, "123456", None)).collect()
        };
        let is_refused =
            |outcome: &Result<_, _>| matches!(outcome, Err(Stop::Refused(Refusal::InvalidClient)));
        // These fill the log's room for them.
        assert!(exchange_all(service, &mut conn, floods(30)).iter().all(is_refused));
        said();
        for count in [1, 200] {
            assert!(exchange_all(service, &mut conn, floods(count)).iter().all(is_refused));
            // The application; how full its room is.
            assert_eq!(said().len(), 2);
        }
        let mut group = floods(200);
        group.extend(codes_of(&shop, &people));
        let mut outcomes = exchange_all(service, &mut conn, group);
        assert!(outcomes.pop().unwrap().is_ok() && outcomes.iter().all(is_refused));
        assert_eq!(said().len(), of_a_group(on, 1) + 1);
        Ok(())
    })
    .unwrap();
    let logged = entries(&app).iter().filter(|entry| entry.action == "client.refused").count();
    assert_eq!(logged, 20);
}

/// On SQLite there is one writer at a time. A cookie is soon invented, with the mark of a form that anybody may look at.
fn who_is_not_logged_in_takes_no_writers_turn(on: Backend) {
    type Way = fn(&Service, &mut Conn, At, &str) -> Result<(), Stop>;

    let app = App::start(on);
    app.user_with_password("alice");
    let phone = app.phone("alice");
    let visitor = Visitor::logged_in(&app, "alice", &phone);
    let alice = visitor.cookie("countersign").unwrap();
    let mut conn = app.place.connection();
    let heard = listen(&mut conn);
    let ways: [(&str, Way); 5] = [
        ("language", |service, conn, at, cookie| {
            app::console::set_language(service, conn, at, cookie, Language::De)
        }),
        ("rename", |service, conn, at, cookie| {
            let nothing = "01a0aaaa-0000-7000-8000-000000000001".parse().unwrap();
            app::console::rename_factor(service, conn, at, cookie, nothing, "phone")
        }),
        ("forget", app::console::forget_devices),
        ("password", |service, conn, at, cookie| {
            let new = Password::chosen("another long one").unwrap();
            app::console::change_password(service, conn, at, cookie, &new)
        }),
        ("logout", app::console::log_out),
    ];
    for (what, way) in ways {
        for (cookie, begins) in [("an-invented-cookie", false), (alice.as_str(), true)] {
            heard.lock().unwrap().sent.clear();
            let done = app.operate(|service, _, at| Ok(way(service, &mut conn, at, cookie))).unwrap();
            let is_refused = matches!(done, Err(Stop::Refused(Refusal::InvalidToken)));
            assert_eq!(is_refused, !begins, "{what}: {done:?}");
            assert_eq!(has_begun(&heard), begins, "{what}: {heard:#?}");
        }
    }
    // By way of the forms, too, everything is answered as ever.
    let stranger = Visitor::at(&app);
    stranger.get("/login").must_be(200);
    stranger.plant("countersign", &stranger.cookie("-login").unwrap());
    stranger.post("/language", &[("language", "de"), ("to", "/login")]).must_lead_to("/login");
    stranger.post("/logout", &[]).must_lead_to("/login?said=logged-out");
}

fn has_begun(heard: &Mutex<Heard>) -> bool {
    heard.lock().unwrap().sent.iter().any(|sql| sql.starts_with("BEGIN"))
}

fn who_has_to_wait_with_a_password_takes_no_writers_turn(on: Backend) {
    let app = App::start(on);
    app.user_with_password("alice");
    let mut conn = app.place.connection();
    let heard = listen(&mut conn);
    let mut give = |name: &str, password: &str, address: &str| {
        heard.lock().unwrap().sent.clear();
        let request = PasswordRequest {
            username: UserName::parse(name).unwrap(),
            password: Password::typed(password).unwrap(),
            scope: None,
            audience: None,
            details: Details::default(),
            trusted_device: None,
        };
        let done = app.operate(|service, _, at| {
            let origin = Origin { address: Some(address.parse().unwrap()), ..at.origin };
            let at = At { origin, ..at };
            Ok(app::login::password(service, &mut conn, at, Asker::Console, &request))
        });
        let waits = match done.unwrap() {
            Err(Stop::Refused(Refusal::TooManyAttempts { retry_after_s })) => Some(retry_after_s),
            _ => None,
        };
        assert_eq!(has_begun(&heard), waits.is_none(), "{waits:?} {heard:#?}");
        waits
    };
    // Of one name, a stranger's too, and from one address with one name each.
    for name in ["alice", "nobody"] {
        let waits = (0..30).find_map(|_| give(name, "wrong", "192.0.2.1"));
        assert!(waits.is_some(), "{name}");
        assert_eq!(give(name, PASSWORD, "192.0.2.1"), waits, "the right one waits as long");
    }
    assert!((0..200).any(|index| give(&format!("name{index}"), "wrong", "192.0.2.3").is_some()));
    app.pass(86_400);
    assert_eq!(give("alice", PASSWORD, "192.0.2.3"), None);
}

fn a_connection_is_asked_now_and_then_whether_it_lives(on: Backend) {
    let app = App::start(on);
    let database = Database::new(app.place.target.clone(), 1, None);
    let began = moment();
    let heard = listen(&mut database.connection().unwrap());
    let asked = || {
        drop(database.connection().unwrap());
        std::mem::take(&mut heard.lock().unwrap().sent).len()
    };
    // SQLite's file is no more at the other end of anything.
    let once = usize::from(on != Backend::Sqlite);
    // However long the machine takes over it: no more often than that.
    let at_most = || once as u128 * (began.elapsed().as_millis() / 500);
    let mut in_all: usize = (0..20).map(|_| asked()).sum();
    assert!(in_all as u128 <= at_most(), "{in_all} in {:?}", began.elapsed());
    // As long as it is taken to live (`db/pool.rs`), and a little more.
    thread::sleep(Duration::from_millis(600));
    assert_eq!(asked(), once);
    in_all += once + (0..20).map(|_| asked()).sum::<usize>();
    assert!(in_all as u128 <= at_most(), "{in_all} in {:?}", began.elapsed());
}
