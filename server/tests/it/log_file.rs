//! SQLite's log stays short, however many read; and whoever reads for long keeps nobody from writing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use countersign::db::{Conn, log_file};
use diesel::connection::SimpleConnection as _;

use crate::actors::{App, count};
use crate::process::soon;
use crate::{Backend, tests};

tests![
    the_log_is_emptied_though_somebody_is_always_reading on Sqlite,
    a_long_reading_keeps_nobody_from_logging_in on Sqlite,
];

/// Writes until the log is long, by pages that nobody else has.
fn write_much(app: &App) {
    let mut conn = app.place.connection();
    conn.batch_execute("CREATE TABLE much (page BLOB NOT NULL)").unwrap();
    while !log_file::is_long(&app.place.target) {
        conn.batch_execute("INSERT INTO much VALUES (randomblob(4000000))").unwrap();
    }
}

/// Begins to read what there is now.
fn begin(conn: &mut Conn) {
    conn.batch_execute("BEGIN").unwrap();
    count(conn, "\"user\"");
}

fn end(conn: &mut Conn) {
    conn.batch_execute("COMMIT").unwrap();
}

/// Reads again and again, and each time ends only once the other one has begun, who does the same: there is no moment at which nobody reads.
fn read_by_turns(app: &App, done: &AtomicBool, begun: &Sender<()>, other_has_begun: &Receiver<()>) {
    let mut conn = app.place.connection();
    let mut is_reading = false;
    while !done.load(Ordering::Relaxed) && other_has_begun.recv().is_ok() {
        if is_reading {
            end(&mut conn);
        }
        begin(&mut conn);
        is_reading = true;
        thread::sleep(Duration::from_millis(1));
        if begun.send(()).is_err() {
            break;
        }
    }
}

fn the_log_is_emptied_though_somebody_is_always_reading(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let done = AtomicBool::new(false);
    let ((to_one, one), (to_other, other)) = (channel(), channel());
    to_one.send(()).unwrap();
    thread::scope(|scope| {
        let (app, done) = (&app, &done);
        scope.spawn(move || read_by_turns(app, done, &to_other, &one));
        scope.spawn(move || read_by_turns(app, done, &to_one, &other));
        write_much(app);
        soon(|| (!log_file::is_long(&app.place.target)).then_some(()));
        done.store(true, Ordering::Relaxed);
    });
    client.otp("alice", &phone.code()).access_token();
}

fn a_long_reading_keeps_nobody_from_logging_in(on: Backend) {
    let app = App::start(on);
    app.user("alice");
    let (phone, client) = (app.phone("alice"), app.client());
    let mut reader = app.place.connection();
    begin(&mut reader);
    write_much(&app);
    // While it is tried to empty the log, and after.
    for _ in 0..20 {
        client.otp("alice", &phone.code()).access_token();
        app.next_step();
        thread::sleep(Duration::from_millis(100));
    }
    assert!(log_file::is_long(&app.place.target), "somebody still reads in it");
    end(&mut reader);
    soon(|| (!log_file::is_long(&app.place.target)).then_some(()));
    let mut conn = app.place.connection();
    assert!(count(&mut conn, "much") > 1 && count(&mut conn, "session") == 20, "nothing is lost");
}
