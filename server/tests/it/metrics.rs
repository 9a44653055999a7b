//! What a monitoring system reads at `/metrics`, and who may.
#![allow(clippy::float_cmp, reason = "small counts are exact")]

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use countersign::http::Limits;
use diesel::connection::SimpleConnection as _;
use ureq::http::Request;

use crate::actors::App;
use crate::process::{Installation, Process, Story};
use crate::{Backend, tests};

tests![
    what_is_asked_and_what_comes_of_it_is_counted,
    nothing_that_a_caller_may_choose_becomes_a_label,
    what_is_shed_is_counted,
    mails_that_wait_are_counted_for_all_servers,
    a_database_that_does_not_answer_is_said_and_the_rest_is_there,
    others_need_the_token,
    a_token_that_is_none_stops_the_start,
];

/// The status of the reply, its content type, and its text.
fn scrape(url: &str, headers: &[(&str, &str)]) -> (u16, String, String) {
    let mut request = Request::get(format!("{url}/metrics"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let config = ureq::Agent::config_builder().http_status_as_error(false).build();
    let mut reply = config.new_agent().run(request.body(()).unwrap()).unwrap();
    let kind = reply.headers()["content-type"].to_str().unwrap().to_owned();
    (reply.status().as_u16(), kind, reply.body_mut().read_to_string().unwrap())
}

/// Every sample by its name and labels. Each line has to be a comment of its format, or a sample.
#[track_caller]
fn samples(url: &str) -> HashMap<String, f64> {
    let (status, kind, text) = scrape(url, &[]);
    assert_eq!((status, kind.as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"), "{text}");
    let samples = text.lines().filter(|line| !line.starts_with("# HELP ") && !line.starts_with("# TYPE "));
    let read = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}")))
    };
    let all: Vec<(String, f64)> = samples.map(read).collect();
    let found: HashMap<String, f64> = all.iter().cloned().collect();
    assert_eq!(found.len(), all.len(), "no name stands twice: {text}");
    found
}

/// How many codes a server says that it has shed.
pub fn shed_codes(url: &str) -> f64 {
    samples(url)[r#"countersign_shed_total{queue="codes"}"#]
}

fn what_is_asked_and_what_comes_of_it_is_counted(on: Backend) {
    let app = App::start(on);
    let shop = app.client();
    app.user("alice");
    let code = app.phone("alice").code();
    shop.otp("alice", &code).access_token();
    shop.otp("alice", &code).must_be(400, "invalid_grant");
    shop.with_secret("wrong").otp("alice", &code).must_be(401, "invalid_client");
    shop.token(&[("grant_type", "implicit")]).must_be(400, "unsupported_grant_type");
    app.user_with_password("bob");
    app.phone("bob");
    shop.mfa_token("bob");

    let found = samples(&app.url);
    let tokens = |grant: &str, outcome: &str| {
        let name = format!(r#"countersign_token_requests_total{{grant="{grant}",outcome="{outcome}"}}"#);
        found.get(&name).copied()
    };
    assert_eq!(tokens("otp", "issued"), Some(1.0), "{found:?}");
    assert_eq!(tokens("otp", "invalid_grant"), Some(1.0));
    assert_eq!(tokens("otp", "invalid_client"), Some(1.0));
    assert_eq!(tokens("", "unsupported_grant_type"), Some(1.0));
    assert_eq!(tokens("password", "mfa_required"), Some(1.0));

    let requests = |status: u16| {
        let labels = format!(r#"method="POST",route="/oauth/token",status="{status}""#);
        found[&format!("countersign_http_requests_total{{{labels}}}")]
    };
    assert_eq!((requests(200), requests(400), requests(401), requests(403)), (1.0, 2.0, 1.0, 1.0));
    let took = |part: &str| {
        let labels = r#"{method="POST",route="/oauth/token"}"#;
        found[&format!("countersign_http_request_duration_seconds_{part}{labels}")]
    };
    assert_eq!(took("count"), 5.0);
    assert!(took("sum") > 0.0);
    // One came after the other, and of the third the secret was wrong.
    assert_eq!(found["countersign_code_group_size_count"], 2.0);
    assert_eq!(found["countersign_code_group_size_sum"], 2.0);
    assert!(found["countersign_code_group_duration_seconds_sum"] > 0.0);
    assert_eq!(found["countersign_database_answers"], 1.0);
    assert_eq!(found["countersign_stopping"], 0.0);
    assert_eq!(found[r#"countersign_queue_taken{queue="codes"}"#], 0.0);
    assert_eq!(found[r#"countersign_queue_taken{queue="requests"}"#], 0.0);
    assert_eq!(found[r#"countersign_queue_places{queue="codes"}"#], 4096.0);
    assert_eq!(found[&format!(r#"countersign_build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"))], 1.0);
    if cfg!(target_os = "linux") {
        assert!(found["process_resident_memory_bytes"] > 1e6);
        assert!(found["process_open_fds"] > 3.0);
        assert!(found["process_cpu_seconds_total"] > 0.0);
        let today = countersign::clock::Clock::System.now().millis() / 1000;
        let running = f64::from(u32::try_from(today).unwrap()) - found["process_start_time_seconds"];
        assert!((0.0..86_400.0).contains(&running), "{running}");
    }

    // The key has signed since the server was made.
    app.pass(3600);
    assert_eq!(samples(&app.url)["countersign_signing_key_age_seconds"], 3600.0);
    assert_eq!(app.head("/metrics").status, 200);
    app.post("/metrics", &[], b"").must_be_problem(405, "method_not_allowed");
}

/// A request with a method that clients do not send.
fn by_hand(url: &str, method: &str) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    let request = format!("{method} /oauth/token HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 405"), "{reply}");
}

fn nothing_that_a_caller_may_choose_becomes_a_label(on: Backend) {
    let app = App::start(on);
    let before = samples(&app.url).len();
    for index in 0..20 {
        app.get(&format!("/nothing/{index}"));
        app.get(&format!("/mfa/authenticators/{index}?secret={index}"));
        app.get(&format!("/phone/made-up-{index}.js"));
        by_hand(&app.url, &format!("MADEUP{index}"));
        app.post(
            "/oauth/token",
            &[("content-type", "application/x-www-form-urlencoded")],
            format!("grant_type=made-up-{index}&username=user-{index}").as_bytes(),
        );
    }
    let (_, _, text) = scrape(&app.url, &[]);
    for choice in ["made-up", "MADEUP", "user-1", "nothing", "secret="] {
        assert!(!text.contains(choice), "{choice}: {text}");
    }
    assert!(text.contains(r#"method="other""#) && text.contains(r#"route="/phone/{file:[^/]*}""#), "{text}");
    // Some kinds of request that there were not before, each with its buckets.
    assert!(samples(&app.url).len() < before + 6 * 20);
}

fn what_is_shed_is_counted(on: Backend) {
    let app = App::start_within(
        on,
        Limits { codes: 0, passwords_at_once: 1, passwords_waiting: 0, ..Limits::default() },
    );
    let shop = app.client();
    assert_eq!(samples(&app.url)[r#"countersign_shed_total{queue="codes"}"#], 0.0);
    assert_eq!(shop.otp("alice", "123456").status, 503);
    let found = samples(&app.url);
    assert_eq!(found[r#"countersign_shed_total{queue="codes"}"#], 1.0);
    assert_eq!(found[r#"countersign_shed_total{queue="passwords"}"#], 0.0);
    assert_eq!(found[r#"countersign_token_requests_total{grant="otp",outcome="failed"}"#], 1.0);

    let narrow = App::start_within(on, Limits { under_way: 0, ..Limits::default() });
    let client = "grant_type=client_credentials&client_id=x&client_secret=y";
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(narrow.post("/oauth/token", &form, client.as_bytes()).status, 503);
    // The collector finds no place for its own look at the database, either.
    let found = samples(&narrow.url);
    assert_eq!(found["countersign_database_answers"], 0.0);
    assert_eq!(found[r#"countersign_shed_total{queue="requests"}"#], 2.0);
}

fn mails_that_wait_are_counted_for_all_servers(on: Backend) {
    let app = App::start(on);
    let other = app.another();
    assert_eq!(samples(&other.url)["countersign_mails_waiting"], 0.0);
    app.user("alice");
    app.place.connection().batch_execute("UPDATE \"user\" SET email = 'alice@example.com'").unwrap();
    app.phone("alice");
    app.pass(90);
    app.reset("alice");
    let found = samples(&other.url);
    assert_eq!(found["countersign_mails_waiting"], 2.0);
    assert_eq!(found["countersign_oldest_mail_waiting_seconds"], 90.0);
    // Those that were sent wait no more.
    app.place.connection().batch_execute("UPDATE outbox SET state = 'sent', sealed = NULL").unwrap();
    let found = samples(&other.url);
    assert_eq!(found["countersign_mails_waiting"], 0.0);
    assert_eq!(found["countersign_oldest_mail_waiting_seconds"], 0.0);
}

fn a_database_that_does_not_answer_is_said_and_the_rest_is_there(on: Backend) {
    let app = App::start(on);
    app.get("/healthz");
    app.place.connection().batch_execute("ALTER TABLE outbox RENAME TO outbox_away").unwrap();
    let found = samples(&app.url);
    assert_eq!(found["countersign_database_answers"], 0.0);
    assert!(!found.contains_key("countersign_mails_waiting"), "what nobody knows is not made up");
    assert_eq!(found[r#"countersign_http_requests_total{method="GET",route="/healthz",status="200"}"#], 1.0);
}

fn others_need_the_token(on: Backend) {
    let token = "a-token-of-the-monitoring";
    let installation = Installation::new(on);
    let story = Story::begin(&installation);
    std::fs::write(installation.data().join("metrics.token"), format!("{token}\n")).unwrap();
    let file = installation.data().join("metrics.token").display().to_string();

    let alone = installation.serve();
    let status = |url: &str, headers: &[(&str, &str)]| scrape(url, headers).0;
    assert_eq!(status(&alone.url, &[]), 200, "from this machine");
    let port = alone.url.rsplit(':').next().unwrap();
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        assert_eq!(status(&alone.url, &[("host", &format!("{host}:{port}"))]), 200, "{host}");
    }
    // A page in a browser here whose host's address was changed to this machine's; a proxy that the server was not told about.
    for header in [
        ("host", "evil.example"),
        ("x-forwarded-for", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
        ("via", "1.1 proxy"),
        ("x-real-ip", "203.0.113.9"),
        ("x-forwarded-host", "login.example"),
        ("host", "evil.example@localhost"),
        // There is no token, so none is right.
        ("authorization", &format!("Bearer {token}")),
        ("authorization", "Bearer "),
    ] {
        let (status, kind, text) = scrape(&alone.url, &[header]);
        assert_eq!((status, kind.as_str()), (401, "application/problem+json"), "{header:?}: {text}");
        assert!(text.contains("invalid_token") && !text.contains("countersign_"), "{text}");
    }

    // A management token opens other things.
    let id = story.client["client_id"].as_str().unwrap();
    let secret = story.client["client_secret"].as_str().unwrap();
    let proxied =
        Process::start(installation.command(&["serve", "--behind-proxy", "--metrics-token-file", &file]));
    let bearer = |token: &str| format!("Bearer {token}");
    let (_, reply) = proxied.otp(&story.client, "alice", &story.code(0));
    let access_token = reply["access_token"].as_str().unwrap();
    assert_eq!(status(&proxied.url, &[]), 401, "whoever comes through the proxy");
    let wrong = [access_token, id, secret, "", &token[1..], &token[..token.len() - 1], &token.to_uppercase()];
    for wrong in wrong {
        assert_eq!(status(&proxied.url, &[("authorization", &bearer(wrong))]), 401, "{wrong}");
    }
    let right = [("authorization", bearer(token)), ("x-forwarded-for", "203.0.113.9".to_owned())];
    let right = right.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(status(&proxied.url, &right), 200);
    assert!(!proxied.log().contains(token));
    let shown = installation.run(&["config", "--metrics-token-file", &file]);
    assert!(shown.contains("metrics.token") && !shown.contains(token), "{shown}");
}

fn a_token_that_is_none_stops_the_start(on: Backend) {
    let installation = Installation::new(on);
    std::fs::create_dir_all(installation.data()).unwrap();
    let file = installation.data().join("metrics.token");
    let path = file.display().to_string();
    let refused = |why: &str| {
        let line = installation.refused(&["serve", "--metrics-token-file", &path]);
        assert!(line.contains("metrics_token_file") && line.contains(why), "{line}");
        assert!(!line.contains("sesame"), "a part of it is a secret, too: {line}");
        assert!(on != Backend::Sqlite || !installation.database_file().exists(), "nothing was begun");
    };
    refused("No such file");
    for text in ["", "  \n", "open sesame, open sesame", "opensesame", "öffne-dich-sesame-öffne"] {
        std::fs::write(&file, text).unwrap();
        refused("must hold 16 to 1024");
    }
}
