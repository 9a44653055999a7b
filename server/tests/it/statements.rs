//! What the busiest requests ask the database: on PostgreSQL each statement is a trip, and one that is planned anew costs more than it does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use countersign::app;
use countersign::app::client_auth::Asker;
use countersign::app::context::{At, Service, Stop};
use countersign::app::introspect::introspect;
use countersign::app::login::PasswordRequest;
use countersign::app::otp::Asked;
use countersign::clock::moment;
use countersign::db::{Conn, Database};
use countersign::domain::audit::Origin;
use countersign::domain::authorization::Details;
use countersign::domain::client::TokenFormat;
use countersign::domain::password::Password;
use countersign::domain::refusal::Refusal;
use countersign::domain::user::{Language, UserName};
use diesel::connection::SimpleConnection as _;
use diesel::connection::{Connection as _, InstrumentationEvent};

use crate::actors::{App, Client, ClientSpec, PASSWORD, Phone, exchange_all, plan};
use crate::audit::entries;
use crate::visitor::Visitor;
use crate::{Backend, tests};

tests![
    statements_of_codes_are_prepared_once,
    a_code_and_an_introspection_take_few_statements,
    everybody_of_a_group_is_found_by_an_index,
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
