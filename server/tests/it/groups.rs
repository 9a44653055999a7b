//! Codes of many requests in one transaction: each is answered for itself, and more than the server keeps for its callers is shed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use countersign::app;
use countersign::app::audit::Proof;
use countersign::app::context::Stop;
use countersign::app::issue::Issued;
use countersign::app::otp::{Asked, admit_all, exchange_all};
use countersign::db::Conn;
use countersign::domain::client::Grant;
use countersign::http::Limits;
use diesel::connection::SimpleConnection as _;

use crate::actors::{App, Client, ClientSpec, PASSWORD, Phone, Reply, at_once, count_rows};
use crate::{Backend, tests};

tests![
    every_request_of_a_group_is_answered_for_itself,
    many_requests_of_a_group_are_answered_for_themselves,
    what_an_application_may_not_ask_for_comes_to_nobodys_gate,
    what_is_broken_for_one_user_is_no_other_users_fault,
    a_group_that_cannot_be_written_leaves_nothing,
    a_code_that_somebody_uses_up_past_the_gate_is_good_for_nothing,
    a_group_on_either_of_two_servers_spends_every_code_once,
    more_codes_than_the_server_keeps_are_shed_and_stay_good,
    what_an_application_may_is_looked_up_when_its_turn_comes,
    whoever_is_no_client_stands_in_nobodys_way,
    codes_of_one_name_do_not_fill_the_line,
    a_code_that_waited_too_long_is_refused_and_stays_good,
    more_requests_than_the_server_keeps_are_shed,
    passwords_leave_half_of_the_threads_to_others,
    whoever_is_no_client_takes_no_place_of_a_password,
    passwords_that_wait_hold_no_code_up,
];

/// What the group comes to; refusals as their codes.
fn exchange(app: &App, group: Vec<Asked>) -> Vec<Result<Issued, &'static str>> {
    let outcomes =
        app.operate(|service, conn, _| Ok(crate::actors::exchange_all(service, conn, group))).unwrap();
    outcomes
        .into_iter()
        .map(|outcome| match outcome {
            Ok(recorded) => Ok(recorded.sign().unwrap()),
            Err(Stop::Refused(refusal)) => Err(refusal.code()),
            Err(Stop::Broken(_)) => Err("broken"),
        })
        .collect()
}

fn the_log_is_intact(app: &App) {
    let proof = app.operate(|service, conn, _| app::audit::verify(service, conn)).unwrap();
    assert!(matches!(proof, Proof::Intact { .. }), "{proof:?}");
}

/// An application that may ask for other things.
fn without_codes(app: &App) -> Client<'_> {
    app.client_with(ClientSpec { name: "no-codes", grants: vec![Grant::Password], ..ClientSpec::default() })
}

fn every_request_of_a_group_is_answered_for_itself(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let other = without_codes(&app);
    let names = ["alice", "bob", "carol", "dave", "erin", "frank"];
    let phones = names.map(|name| {
        app.user(name);
        app.phone(name)
    });
    let [alice, bob, carol, dave, erin, frank] = &phones;
    let replayed = carol.code();
    shop.otp("carol", &replayed).access_token();
    app.lock("dave");
    let wrong = bob.wrong_codes().next().unwrap();
    // Somebody who failed before: a success forgets it.
    shop.otp("frank", &frank.wrong_codes().next().unwrap()).must_be(400, "invalid_grant");
    let group = vec![
        shop.asked("alice", &alice.code(), None),
        shop.asked("bob", &wrong, None),
        shop.asked("carol", &replayed, None),
        shop.asked("dave", &dave.code(), None),
        shop.asked("nobody", &wrong, None),
        other.asked("erin", &erin.code(), None),
        shop.with_secret("another").asked("erin", &erin.code(), None),
        shop.asked("erin", &erin.code(), Some("users")),
        shop.asked("frank", &frank.code(), None),
    ];
    let outcomes = exchange(&app, group);
    let codes: Vec<&str> =
        outcomes.iter().map(|outcome| outcome.as_ref().err().copied().unwrap_or("")).collect();
    assert_eq!(
        codes,
        [
            "",
            "invalid_grant",
            "invalid_grant",
            "too_many_attempts",
            "invalid_grant",
            "unauthorized_client",
            "invalid_client",
            "invalid_scope",
            "",
        ]
    );
    for outcome in outcomes.into_iter().flatten() {
        assert!(shop.is_active(&outcome.access_token));
    }
    let failures = names.map(|name| app.failures(name));
    assert_eq!(failures, [0, 1, 0, 0, 0, 0]);
    the_log_is_intact(&app);
    // What was refused before its code was looked at has used none up.
    shop.otp("erin", &erin.code()).access_token();
    shop.otp("alice", &alice.code()).must_be(400, "invalid_grant");
}

/// More than a statement takes at once. Who asks, and what for, changes from one to the next.
fn many_requests_of_a_group_are_answered_for_themselves(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    // Some look like what stands between values.
    let name = |n| if n % 9 == 5 { format!("P{n}?'), (?") } else { format!("P{n}") };
    let names: Vec<String> = (0..90).map(name).collect();
    let phones: Vec<Phone> = names
        .iter()
        .enumerate()
        .map(|(n, name)| {
            app.user(name);
            if n % 3 == 0 {
                app.hotp_token(name, 7);
            }
            app.phone(name)
        })
        .collect();
    let sessions = count_rows(&app.place, "session");
    let events = count_rows(&app.place, "audit");
    let group = names.iter().zip(&phones).enumerate().map(|(n, (name, phone))| match n % 9 {
        4 => shop.asked(name, &phone.wrong_codes().next().unwrap(), None),
        7 => shop.asked(&format!("nobody{n}"), &phone.code(), None),
        _ => shop.asked(&name.to_lowercase(), &phone.code(), None),
    });
    let outcomes = exchange(&app, group.collect());
    for (n, (name, outcome)) in names.iter().zip(&outcomes).enumerate() {
        match (n % 9, outcome) {
            (4 | 7, Err("invalid_grant")) => {}
            (4 | 7, _) => panic!("{name} got a token by another's code"),
            (_, Ok(issued)) => {
                let told = shop.introspect(&issued.access_token);
                assert_eq!(told.body["username"], name.as_str(), "{told:?}");
            }
            (_, Err(code)) => panic!("{name}: {code}"),
        }
    }
    assert_eq!(count_rows(&app.place, "session") - sessions, 70);
    assert_eq!(count_rows(&app.place, "audit") - events, 90);
    the_log_is_intact(&app);
    let again = names.iter().zip(&phones).map(|(name, phone)| shop.asked(name, &phone.code(), None));
    let good = exchange(&app, again.collect()).iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(good, 20, "whose code was not used up before");
}

/// At the gate a row would be left for each name, of strangers, too, as long as somebody makes some up.
fn what_an_application_may_not_ask_for_comes_to_nobodys_gate(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let other = without_codes(&app);
    let [alice, bob] = ["alice", "bob"].map(|name| {
        app.user(name);
        app.phone(name).code()
    });
    let before = count_rows(&app.place, "lockout");
    let group = vec![
        other.asked("alice", &alice, None),
        other.asked("nobody", "123456", None),
        shop.asked("bob", &bob, Some("users")),
        shop.asked("somebody", "123456", Some("users")),
    ];
    let outcomes = exchange(&app, group).into_iter().map(Result::err);
    assert_eq!(
        outcomes.collect::<Vec<_>>(),
        ["unauthorized_client", "unauthorized_client", "invalid_scope", "invalid_scope"].map(Some)
    );
    assert_eq!(count_rows(&app.place, "lockout"), before);
    shop.otp("alice", &alice).access_token();
    shop.otp("bob", &bob).access_token();
}

fn what_is_broken_for_one_user_is_no_other_users_fault(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let phones = ["alice", "bob", "carol"].map(|name| {
        app.user(name);
        (name, app.phone(name))
    });
    let spoil = "UPDATE factor_secret SET sealed = factor_id WHERE factor_id IN \
         (SELECT factor.id FROM factor JOIN \"user\" ON \"user\".id = factor.user_id WHERE name = 'bob')";
    app.place.connection().batch_execute(spoil).unwrap();
    let group = phones.iter().map(|(name, phone)| shop.asked(name, &phone.code(), None)).collect();
    let outcomes = exchange(&app, group).into_iter().map(Result::err);
    assert_eq!(outcomes.collect::<Vec<_>>(), [None, Some("broken"), None]);
    the_log_is_intact(&app);
}

/// Not even the rows before the one that cannot be written.
fn a_group_that_cannot_be_written_leaves_nothing(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let people = app.people(6);
    let mut conn = app.place.connection();
    let group = || people.iter().map(|(phone, name)| shop.asked(name, &phone.code(), None)).collect();
    let rows = || ["session", "token", "audit"].map(|table| count_rows(&app.place, table));
    let before = rows();
    // In the place of the third entry.
    conn.batch_execute(
        "INSERT INTO audit (seq, at, actor, action, outcome, hash) \
         SELECT seq + 3, 0, 'operator', 'user.added', 'done', hash FROM audit_head",
    )
    .unwrap();
    assert!(exchange(&app, group()).iter().all(|outcome| matches!(outcome, Err("broken"))));
    conn.batch_execute("DELETE FROM audit WHERE seq > (SELECT seq FROM audit_head)").unwrap();
    drop(conn);
    assert_eq!(rows(), before);
    the_log_is_intact(&app);
    assert!(exchange(&app, group()).iter().all(Result::is_ok), "no code was used up");
}

/// By hand, say: the program itself passes the gate first. On PostgreSQL the code was found to be right by then.
fn a_code_that_somebody_uses_up_past_the_gate_is_good_for_nothing(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let people = app.people(2);
    let (_, used_up) = &people[0];
    let mut holder = app.place.connection();
    holder.batch_execute(if on == Backend::Sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).unwrap();
    let use_up = format!(
        "UPDATE factor_step SET last_step = 1000000000 WHERE factor_id IN \
         (SELECT factor.id FROM factor JOIN \"user\" ON \"user\".id = factor.user_id WHERE name = '{used_up}')"
    );
    holder.batch_execute(&use_up).unwrap();
    let outcomes = thread::scope(|scope| {
        let group = people.iter().map(|(phone, name)| shop.asked(name, &phone.code(), None)).collect();
        let exchanging = scope.spawn(|| exchange(&app, group));
        thread::sleep(Duration::from_millis(300));
        assert!(!exchanging.is_finished(), "it waits for the step");
        holder.batch_execute("COMMIT").unwrap();
        exchanging.join().unwrap()
    });
    let outcomes: Vec<_> = outcomes.into_iter().map(Result::err).collect();
    assert_eq!(outcomes, [Some("invalid_grant"), None]);
    for table in ["session", "token"] {
        assert_eq!(count_rows(&app.place, table), 1, "{table}");
    }
    the_log_is_intact(&app);
}

fn a_group_on_either_of_two_servers_spends_every_code_once(on: Backend) {
    const USERS: usize = 48;
    let app = App::start(on);
    let other = app.another();
    let shop = app.client();
    let elsewhere = shop.at(&other);
    let phones: Vec<_> = (0..USERS)
        .map(|index| {
            let user = format!("user{index}");
            app.user(&user);
            let code = app.phone(&user).code();
            (user, code)
        })
        .collect();
    // Every code goes to both servers; each of them takes what waits together.
    let replies = at_once(2 * USERS, |index| {
        let (user, code) = &phones[index / 2];
        if index % 2 == 0 { shop.otp(user, code) } else { elsewhere.otp(user, code) }
    });
    for (pair, (user, _)) in replies.chunks(2).zip(&phones) {
        let mut status = [pair[0].status, pair[1].status];
        status.sort_unstable();
        assert_eq!(status, [200, 400], "{user}: {pair:?}");
    }
    the_log_is_intact(&app);
}

/// A connection with a transaction, until whose end nobody else can write.
pub fn writers_held_up(app: &App) -> impl std::ops::DerefMut<Target = Conn> + use<> {
    let mut holder = app.place.connection();
    let hold = match &*holder {
        Conn::Sqlite(_) => "BEGIN IMMEDIATE",
        Conn::Postgres(_) => "BEGIN; LOCK TABLE audit_head IN EXCLUSIVE MODE",
    };
    holder.batch_execute(hold).unwrap();
    holder
}

/// Sends `count` requests at once while nobody can write, until as many as `shed` are refused; then lets the others go on.
fn while_nobody_can_write(
    app: &App,
    count: usize,
    shed: usize,
    send: impl Fn(usize) -> Reply + Sync,
) -> Vec<Reply> {
    let mut holder = writers_held_up(app);
    let (sender, replies) = mpsc::channel();
    thread::scope(|scope| {
        for index in 0..count {
            let (sender, send) = (sender.clone(), &send);
            scope.spawn(move || sender.send(send(index)).unwrap());
        }
        let next = || replies.recv_timeout(Duration::from_secs(20)).unwrap();
        let mut answered: Vec<Reply> = (0..shed).map(|_| next()).collect();
        assert!(answered.iter().all(|reply| reply.status == 503), "{answered:?}");
        holder.batch_execute("ROLLBACK").unwrap();
        answered.extend((shed..count).map(|_| next()));
        answered
    })
}

fn more_codes_than_the_server_keeps_are_shed_and_stay_good(on: Backend) {
    let app = App::start_within(on, Limits { codes: 2, ..Limits::default() });
    let shop = app.client();
    let phones: Vec<_> = (0..12)
        .map(|index| {
            let user = format!("user{index}");
            app.user(&user);
            let code = app.phone(&user).code();
            (user, code)
        })
        .collect();
    // Two have a place until they are answered.
    let replies = while_nobody_can_write(&app, 12, 10, |index| shop.otp(&phones[index].0, &phones[index].1));
    for reply in &replies {
        match reply.status {
            200 => {}
            503 => assert!(reply.header("retry-after").is_some(), "{reply:?}"),
            _ => panic!("{reply:?}"),
        }
    }
    let exchanged = replies.iter().filter(|reply| reply.status == 200).count();
    assert!(exchanged >= 2, "{replies:?}");
    let again = phones.iter().filter(|(user, code)| shop.otp(user, code).status == 200).count();
    assert_eq!(exchanged + again, 12, "a code that was shed is still good, and one that was not is used up");
}

/// Its code may have stood in the line while somebody changed its registration.
fn what_an_application_may_is_looked_up_when_its_turn_comes(on: Backend) {
    let app = App::start(on);
    let shop = app.client_with(ClientSpec::with_scopes("orders payments"));
    let phones = ["alice", "bob"].map(|name| {
        app.user(name);
        (name, app.phone(name))
    });
    let change = |what: &str| {
        app.place
            .connection()
            .batch_execute(&format!("UPDATE client SET {what} WHERE name = 'shop'"))
            .unwrap();
    };
    let asked =
        |scope| phones.iter().map(|(name, phone)| shop.asked(name, &phone.code(), scope)).collect::<Vec<_>>();
    let outcomes = app.operate(|service, conn, _| {
        let mut turn = |scope, what| {
            let admitted: Vec<_> =
                admit_all(service, conn, asked(scope)).into_iter().map(Result::unwrap).collect();
            change(what);
            exchange_all(service, conn, &admitted)
        };
        let refused = [turn(Some("payments"), "scopes = 'orders'"), turn(None, "grants = 'password'")];
        change(&format!("grants = '{}'", Grant::Otp.as_str()));
        Ok((refused, turn(None, "scopes = 'orders'")))
    });
    let (refused, exchanged) = outcomes.unwrap();
    let code = |outcome: Result<_, Stop>| match outcome.err() {
        Some(Stop::Refused(refusal)) => refusal.code(),
        _ => "",
    };
    let refused = refused.into_iter().flatten().map(code).collect::<Vec<_>>();
    assert_eq!(refused, ["invalid_scope", "invalid_scope", "unauthorized_client", "unauthorized_client"]);
    // No code was used up for it.
    for outcome in exchanged {
        assert_eq!(outcome.unwrap().sign().unwrap().scope, "orders");
    }
}

/// Anybody can send requests in somebody's name. If each took a place in a group the line would move by one name a commit.
fn whoever_is_no_client_stands_in_nobodys_way(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    let names: Vec<String> = (0..8).map(|index| format!("user{index}")).collect();
    let codes: Vec<(&String, String)> = names
        .iter()
        .map(|name| {
            app.user(name);
            (name, app.phone(name).code())
        })
        .collect();
    let wrong = shop.with_secret("x");
    let (noted, from) = (mpsc::channel(), 8 * 40);
    thread::scope(|scope| {
        let holder = &mut writers_held_up(&app);
        for index in 0..from {
            let (sender, wrong, shop, codes) = (noted.0.clone(), &wrong, &shop, &codes);
            scope.spawn(move || {
                let (name, code) = &codes[index % 8];
                let is_flood = index >= 8;
                let reply = if is_flood { wrong.otp(name, "123456") } else { shop.otp(name, code) };
                sender.send((is_flood, reply)).unwrap();
            });
            if index == 0 {
                // This one's group waits for the writer; all others gather behind it.
                thread::sleep(Duration::from_millis(300));
            }
        }
        thread::sleep(Duration::from_millis(700));
        holder.batch_execute("ROLLBACK").unwrap();
        let mut right = 0;
        // Those that stand in nobody's way are answered with the second group, not in forty.
        for _ in 0..from {
            let (is_flood, reply) = noted.1.recv_timeout(Duration::from_secs(20)).unwrap();
            if is_flood {
                reply.must_be(401, "invalid_client");
            } else {
                reply.access_token();
                right += 1;
            }
        }
        assert_eq!(right, 8);
    });
    assert_eq!(names.iter().map(|name| app.failures(name)).max(), Some(0));
}

fn codes_of_one_name_do_not_fill_the_line(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    app.user("alice");
    let code = app.phone("alice").code();
    let mut holder = writers_held_up(&app);
    let replies = thread::scope(|scope| {
        let send = || {
            let (shop, code) = (&shop, &code);
            scope.spawn(move || shop.otp("alice", code))
        };
        // Of alice's one is taken at first, and 64 find room behind it.
        let mut sent = vec![send()];
        thread::sleep(Duration::from_millis(300));
        sent.extend((1..100).map(|_| send()));
        thread::sleep(Duration::from_secs(1));
        holder.batch_execute("ROLLBACK").unwrap();
        sent.into_iter().map(|reply| reply.join().unwrap().status).collect::<Vec<_>>()
    });
    let count = |status| replies.iter().filter(|reply| **reply == status).count();
    assert_eq!((count(200), count(400) + count(503)), (1, 99), "{replies:?}");
    assert!(count(400) >= 64 && count(503) > 0, "{replies:?}");
    assert_eq!(crate::metrics::shed_codes(&app.url).to_string(), count(503).to_string());
}

fn a_code_that_waited_too_long_is_refused_and_stays_good(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    app.user("alice");
    let phone = app.phone("alice");
    let (right, wrong) = (phone.code(), phone.wrong_code());
    let mut holder = writers_held_up(&app);
    let replies = thread::scope(|scope| {
        let shop = &shop;
        // One a group: the first waits for the writer until it gives up, the second after it until there is one. The third has waited for both.
        let sent = [(&wrong, 2500), (&wrong, 300), (&right, 6000)].map(|(code, then)| {
            let reply = scope.spawn(move || shop.otp("alice", code));
            thread::sleep(Duration::from_millis(then));
            reply
        });
        holder.batch_execute("ROLLBACK").unwrap();
        sent.map(|reply| reply.join().unwrap())
    });
    assert_eq!(replies.each_ref().map(|reply| reply.status), [503, 400, 503], "{replies:?}");
    assert!(replies[2].header("retry-after").is_some());
    // The first got its 503 from the database.
    assert_eq!(crate::metrics::shed_codes(&app.url).to_string(), "1");
    shop.otp("alice", &right).access_token();
}

fn more_requests_than_the_server_keeps_are_shed(on: Backend) {
    let app = App::start_within(on, Limits { under_way: 3, ..Limits::default() });
    let spec = ClientSpec { grants: vec![Grant::ClientCredentials], ..ClientSpec::with_scopes("users:read") };
    let shop = app.client_with(spec);
    let replies = while_nobody_can_write(&app, 10, 7, |_| {
        shop.post("/oauth/token", &[("grant_type", "client_credentials")])
    });
    let count = |status| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!((count(200), count(503)), (3, 7), "{replies:?}");
    let shed = replies.iter().find(|reply| reply.status == 503).unwrap();
    assert!(shed.header("retry-after").is_some(), "{shed:?}");
    shop.post("/oauth/token", &[("grant_type", "client_credentials")]).access_token();
}

fn passwords_leave_half_of_the_threads_to_others(on: Backend) {
    // As on a machine with more cores than threads, of which there are fourteen here.
    let app = App::start_within(on, Limits { passwords_at_once: 64, ..Limits::default() });
    let shop = app.client();
    let users: Vec<_> = (0..20).map(|index| format!("user{index}")).collect();
    for user in &users {
        app.user_with_password(user);
    }
    let mut holder = writers_held_up(&app);
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for user in &users {
            let (shop, answered) = (&shop, &answered);
            scope.spawn(move || {
                shop.password(user, "wrong");
                answered.fetch_add(1, Ordering::SeqCst);
            });
        }
        thread::sleep(Duration::from_millis(500));
        assert_eq!(app.get("/readyz").status, 200);
        assert_eq!(answered.load(Ordering::SeqCst), 0, "it had to wait for a password");
        holder.batch_execute("ROLLBACK").unwrap();
    });
}

fn whoever_is_no_client_takes_no_place_of_a_password(on: Backend) {
    // No place at all, so whoever comes to the queue is told to come back.
    let limits = Limits { passwords_at_once: 0, passwords_waiting: 0, ..Limits::default() };
    let app = App::start_within(on, limits);
    let shop = app.client();
    app.user_with_password("alice");
    assert_eq!(shop.password("alice", PASSWORD).status, 503);
    let before = app.failures("alice");
    shop.with_secret("x").password("alice", PASSWORD).must_be(401, "invalid_client");
    let nobody =
        [("grant_type", "password"), ("username", "alice"), ("password", PASSWORD), ("client_id", "x")];
    let form = crate::actors::form_urlencoded(&nobody);
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    app.post("/oauth/token", &kind, form.as_bytes()).must_be(401, "invalid_client");
    assert_eq!(app.failures("alice"), before);
}

fn passwords_that_wait_hold_no_code_up(on: Backend) {
    // There is no place for Argon2 at all: two who give a password wait as long as the server runs, and all others are told to come back.
    let limits = Limits { passwords_at_once: 0, passwords_waiting: 2, ..Limits::default() };
    let app = App::start_within(on, limits);
    let shop = app.client();
    app.user_with_password("alice");
    let phone = app.phone("alice");
    let address = app.url.strip_prefix("http://").unwrap().to_owned();
    let body = format!(
        "grant_type=password&username=alice&password=x&client_id={}&client_secret={}",
        shop.id, shop.secret
    );
    let request = format!(
        "POST /oauth/token HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (sender, replies) = mpsc::channel();
    for _ in 0..6 {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let sender = sender.clone();
        // Those that wait are let go when the server ends.
        thread::spawn(move || {
            let mut head = [0; 12];
            if stream.read_exact(&mut head).is_ok() {
                let _ = sender.send(head);
            }
        });
    }
    for _ in 0..4 {
        let head = replies.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(&head, b"HTTP/1.1 503");
    }
    shop.otp("alice", &phone.code()).access_token();
    assert_eq!(app.get("/readyz").status, 200);
    assert!(replies.try_recv().is_err(), "two are still waiting");
}
