//! The listener, and the housekeeping beside it.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, rt, web};
use rustls::ServerConfig;
use tracing_actix_web::TracingLogger;

use crate::app;
use crate::app::context::{At, Stop};
use crate::domain::audit::Origin;
use crate::domain::target::Target;
use crate::error::Fault;
use crate::http::hosts;
use crate::http::respond::{RequestSpan, common_headers, count};
use crate::http::state::State;

/// How often what is over is deleted.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// How long it rests after some of that, so that requests come between.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);

/// How often it looks whether SQLite's log has become long.
const LOOK_AT_LOG_EVERY: Duration = Duration::from_secs(1);

/// How long it leaves the log alone in which somebody reads for long: writers waited for nothing.
const LEAVE_LOG_FOR: Duration = Duration::from_secs(10);

/// Requests under way at a stop get this long, in seconds.
const STOP_TIMEOUT_S: u64 = 30;

/// A caller gets this long to send its headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves on a socket that is bound already, with TLS where there is a configuration for it. The future ends when the server is stopped by its
/// handle; signals are the caller's.
pub fn start(
    state: Arc<State>,
    listener: TcpListener,
    tls: Option<ServerConfig>,
    workers: usize,
) -> std::io::Result<Server> {
    let shared = web::Data::from(Arc::clone(&state));
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .wrap(from_fn(common_headers))
            .wrap(from_fn(count))
            .wrap(TracingLogger::<RequestSpan>::new())
            .configure(hosts)
    })
    .workers(workers)
    .disable_signals()
    .shutdown_timeout(STOP_TIMEOUT_S)
    .client_request_timeout(HEADER_TIMEOUT);
    let server = match tls {
        None => server.listen(listener)?,
        Some(config) => server.listen_rustls_0_23(listener, config)?,
    };
    if let Target::Sqlite(_) = state.database.target() {
        rt::spawn(keep_log_short(Arc::clone(&state)));
    }
    rt::spawn(sweep_now_and_then(state));
    Ok(server.run())
}

/// SQLite's log is emptied where it has become long ([`app::log_file`]).
async fn keep_log_short(state: Arc<State>) {
    let mut pause = LOOK_AT_LOG_EVERY;
    while !state.is_stopping() {
        rt::time::sleep(pause).await;
        pause = LOOK_AT_LOG_EVERY;
        if !app::log_file::is_long(&state.database) {
            continue;
        }
        let keeper = Arc::clone(&state);
        let emptied = web::block(move || {
            let mut conn = keeper.database.connection()?;
            app::log_file::empty(&keeper.service, &mut conn)
        });
        match emptied.await.map_err(Fault::while_("emptying the log")).flatten() {
            Ok(true) => {}
            Ok(false) => pause = LEAVE_LOG_FOR,
            Err(fault) => {
                tracing::warn!(error = %fault, "the database's log was not emptied; it is tried again");
                pause = LEAVE_LOG_FOR;
            }
        }
    }
}

async fn sweep_now_and_then(state: Arc<State>) {
    while !state.is_stopping() {
        rt::time::sleep(SWEEP_EVERY).await;
        let keeper = Arc::clone(&state);
        let failed = web::block(move || keep_house(&keeper)).await;
        // Only a panic ends it otherwise.
        let failed =
            failed.unwrap_or_else(|error| vec![("round", Fault::while_("keeping house")(error).into())]);
        state.meters().kept_house(state.clock.now(), failed.iter().map(|(what, _)| *what));
        for (what, stop) in failed {
            let (error, source) = match &stop {
                Stop::Refused(refusal) => (refusal.to_string(), None),
                Stop::Broken(fault) => (fault.to_string(), std::error::Error::source(fault)),
            };
            tracing::warn!(what, error, ?source, "housekeeping failed; it is tried again in ten minutes");
        }
    }
}

/// One round: what is over is deleted, keys are rotated. What fails does not keep the rest from being done: it is returned, by name. Ends after the
/// transaction under way once the server is told to stop, which waits for it.
pub fn keep_house(state: &State) -> Vec<(&'static str, Stop)> {
    let mut conn = match state.database.connection() {
        Ok(conn) => conn,
        Err(fault) => return vec![("connection", fault.into())],
    };
    let at = At::new(state.clock.now(), Origin::COMMAND_LINE);
    let rest = || {
        if !state.is_stopping() {
            thread::sleep(SWEEP_PAUSE);
        }
        !state.is_stopping()
    };
    let mut failed = Vec::new();
    let rotated = app::key::rotate_if_due(&state.service, &mut conn, at);
    failed.extend(rotated.err().map(|stop| ("signing_key", stop)));
    let closed = app::client::closing::finish(&state.service, &mut conn, at, rest);
    failed.extend(closed.into_iter().map(|stop| ("client", stop)));
    failed.extend(app::sweep::sweep(&state.service, &mut conn, at, rest));
    if !state.is_stopping() {
        let pruned = app::audit::prune(&state.service, &mut conn, at, rest);
        match pruned {
            Ok(None) => {}
            Ok(Some(entry)) => tracing::warn!(
                entry,
                "the audit log is kept from here on: some server's clock was ahead when it wrote this entry"
            ),
            Err(stop) => failed.push(("audit", stop)),
        }
    }
    failed
}
