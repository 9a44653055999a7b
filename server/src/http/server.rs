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
use crate::app::context::At;
use crate::domain::audit::Origin;
use crate::http::hosts;
use crate::http::respond::{RequestSpan, common_headers};
use crate::http::state::State;

/// How often what is over is deleted.
const SWEEP_EVERY: Duration = Duration::from_mins(10);

/// How long it rests after some of that, so that requests come between.
const SWEEP_PAUSE: Duration = Duration::from_millis(20);

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
    rt::spawn(sweep_now_and_then(state));
    Ok(server.run())
}

async fn sweep_now_and_then(state: Arc<State>) {
    loop {
        rt::time::sleep(SWEEP_EVERY).await;
        let state = Arc::clone(&state);
        let swept = web::block(move || {
            let mut conn = state.database.connection()?;
            let at = At::new(state.clock.now(), Origin::COMMAND_LINE);
            app::key::rotate_if_due(&state.service, &mut conn, at)?;
            let rest = || thread::sleep(SWEEP_PAUSE);
            app::sweep::sweep(&state.service, &mut conn, at, rest)?;
            app::audit::prune(&state.service, &mut conn, at, rest)
        });
        if !matches!(swept.await, Ok(Ok(()))) {
            tracing::warn!("housekeeping failed; it is tried again in ten minutes");
        }
    }
}
