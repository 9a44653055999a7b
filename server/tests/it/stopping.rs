//! Stopping a server: what it accepted it finishes, what it did not accept has used nothing, and a balancer hears of it in time.

use std::io::{Read, Write};
use std::net::TcpStream;

use countersign::http::keep_house;
use diesel::connection::SimpleConnection as _;

use crate::actors::{App, count_rows};
use crate::crowd::{Crowd, until};
use crate::process::{Installation, Process, Story, soon};
use crate::{Backend, tests};

tests![
    it_stops_when_told,
    a_stop_under_load_answers_all_that_it_did,
    a_server_that_stops_is_not_ready_and_serves_on,
    a_second_signal_ends_the_delay,
    housekeeping_ends_with_the_server,
    what_cannot_be_swept_keeps_nothing_else,
];

fn it_stops_when_told(on: Backend) {
    let installation = Installation::new(on);
    assert_eq!(installation.serve().terminate(), Some(0));
    assert_eq!(installation.serve().terminate(), Some(0));
}

fn a_stop_under_load_answers_all_that_it_did(on: Backend) {
    let installation = Installation::new(on);
    let server = installation.serve();
    let crowd = Crowd::enrol(&installation, 200);
    let url = server.url.clone();
    let (sent, code) = crowd.log_in(&[&url], |exchanged| {
        until(exchanged, 50);
        server.terminate()
    });
    assert_eq!(code, Some(0));
    let exchanged = sent.iter().filter(|sent| sent.token.is_some()).count();
    let unanswered: Vec<_> = sent.iter().filter(|sent| sent.status.is_none()).collect();
    assert!(exchanged < crowd.codes().len() && !unanswered.is_empty(), "it stopped too late to tell");
    assert_eq!(exchanged + unanswered.len(), sent.len(), "{sent:?}");
    // Whatever was done was answered: a code without an answer is still good.
    let server = installation.serve();
    assert_eq!(crowd.must_be_remembered(&server, &sent), exchanged);
    for sent in unanswered {
        assert_eq!(server.otp(&crowd.client, &sent.user, &sent.code).0, 200, "{sent:?}");
    }
}

/// A connection that is kept, and used by hand.
struct Kept(TcpStream);

impl Kept {
    fn new(server: &Process) -> Self {
        Self(TcpStream::connect(server.url.trim_start_matches("http://")).unwrap())
    }

    /// The head of the reply to `GET path`.
    fn get(&mut self, path: &str) -> String {
        write!(self.0, "GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let mut buffer = [0; 4096];
        let length = self.0.read(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..length]).to_lowercase();
        text.split("\r\n\r\n").next().unwrap().to_owned()
    }

    /// Whether the server has hung up.
    fn is_over(&mut self) -> bool {
        // What is left of the reply may come first.
        std::io::copy(&mut self.0, &mut std::io::sink()).is_ok()
    }
}

fn a_server_that_stops_is_not_ready_and_serves_on(on: Backend) {
    let installation = Installation::new(on);
    let server = Process::start(installation.command(&["serve", "--stop-delay-seconds", "600"]));
    let story = Story::begin(&installation);
    let mut kept = Kept::new(&server);
    assert!(!kept.get("/healthz").contains("connection: close"));
    assert_eq!(server.get("/readyz"), 200);

    server.tell_to_stop();
    soon(|| (server.get("/readyz") == 503).then_some(()));
    assert!(Kept::new(&server).get("/readyz").contains("retry-after: 2"));
    assert_eq!(server.get("/healthz"), 200);
    // New callers are served; those who keep a connection are asked to come back by another one, to wherever the balancer leads.
    assert_eq!(server.otp(&story.client, "alice", &story.code(0)).0, 200);
    assert!(kept.get("/healthz").contains("connection: close"));
    assert!(kept.is_over());
    assert!(
        !server.log().contains("ERROR") && !server.log().contains("could not be answered"),
        "{}",
        server.log()
    );
    server.tell_to_stop();
    assert_eq!(server.wait(), Some(0));
}

fn a_second_signal_ends_the_delay(on: Backend) {
    let installation = Installation::new(on);
    for refused in ["601", "-1", "soon"] {
        let output =
            installation.command(&["config", &format!("--stop-delay-seconds={refused}")]).output().unwrap();
        assert!(!output.status.success(), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("stop"), "{output:?}");
    }
    let server = Process::start(installation.command(&["serve", "--stop-delay-seconds", "600"]));
    server.tell_to_stop();
    soon(|| (server.get("/readyz") == 503).then_some(()));
    server.tell_to_stop();
    assert_eq!(server.wait(), Some(0));
}

/// Revocations that are over, and a stranger's lockout.
fn leave_much_to_sweep(app: &App, on: Backend, count: i64) {
    let rows = |row: &dyn Fn(i64) -> String| (1..=count).map(row).collect::<Vec<_>>().join(", ");
    let revocations = rows(&|number| format!("({number}, 'token', 'over{number}', 1)"));
    let sql = format!(
        "INSERT INTO revocation (seq, kind, id, expires_at) VALUES {revocations}; \
         INSERT INTO lockout (subject, failures, locked_until, attempted_at) VALUES ({}, 1, 1, 1);",
        if on == Backend::Sqlite { "x'07'" } else { "'\\x07'" }
    );
    app.place.connection().batch_execute(&sql).unwrap();
}

fn housekeeping_ends_with_the_server(on: Backend) {
    let app = App::start(on);
    leave_much_to_sweep(&app, on, 20_000);
    let left = || count_rows(&app.place, "revocation");
    let state = std::sync::Arc::clone(&app.state);
    let round = std::thread::spawn(move || keep_house(&state));
    soon(|| (left() < 20_000).then_some(()));
    app.state.prepare_to_stop();
    assert!(round.join().unwrap().is_empty());
    assert!(left() > 10_000, "it went on to the end");
    // The next server does the rest.
    let next = app.another();
    assert!(keep_house(&next.state).is_empty());
    assert_eq!(left(), 0);
}

fn what_cannot_be_swept_keeps_nothing_else(on: Backend) {
    let app = App::start(on);
    leave_much_to_sweep(&app, on, 500);
    app.place.connection().batch_execute("ALTER TABLE invitation RENAME TO hidden").unwrap();
    let failed = keep_house(&app.state);
    assert_eq!(failed.iter().map(|(what, _)| *what).collect::<Vec<_>>(), ["invitation"]);
    assert!(format!("{failed:?}").contains("invitation"), "the cause is known: {failed:?}");
    assert_eq!((count_rows(&app.place, "revocation"), count_rows(&app.place, "lockout")), (0, 0));
}
