//! `countersign serve`.

use std::io::IsTerminal;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::available_parallelism;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tracing_subscriber::EnvFilter;

use crate::app;
use crate::cli::mailer::{self, Mailer};
use crate::cli::open::open;
use crate::cli::output::{Failure, Output};
use crate::crypto::password;
use crate::http::{self, Limits, State};
use crate::settings::Settings;

/// How a browser on this machine names the server.
fn shown_host(address: SocketAddr) -> String {
    if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() }
}

/// Prepares everything, says `listening on URL` on standard output, and serves until it is told to stop.
pub(super) fn run(settings: &Settings, output: &Output) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.log).map_err(|error| Failure::new("log", error))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.json().init();
    }
    for name in Settings::unknown_variables() {
        tracing::warn!(name, "this variable is not a setting");
    }

    // What can be wrong without the data comes first: it changes nothing.
    let tls = http::tls_config(&settings.tls, &settings.public_url)?;
    let transport = mailer::transport(settings)?;
    let metrics_token = settings.metrics_token()?;
    let listener = TcpListener::bind(settings.listen)
        .map_err(|error| Failure::new("listen", format!("listen {}: {error}", settings.listen)))?;
    let address = listener.local_addr().map_err(|error| Failure::new("listen", error))?;
    let opened = open(settings)?;
    password::warm_up()?;
    let at = opened.at();
    app::key::rotate_if_due(&opened.service, &mut *opened.database.connection()?, at)?;
    if transport.is_none() {
        tracing::info!("no smtp_url is set: mails wait in the outbox, see `countersign outbox list`");
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let base = if settings.has_public_url() {
        settings.public_url.clone()
    } else {
        format!("{scheme}://{}", shown_host(address))
    };
    let first =
        app::invitation::first_start(&opened.service, &mut *opened.database.connection()?, at, &base)?;
    let state =
        State::new(opened.service, opened.database, opened.clock, settings.behind_proxy, Limits::default());
    state.show_settings(settings.shown());
    if let Some(token) = metrics_token {
        state.show_metrics_to(token);
    }
    let mailer = transport.map(|transport| Mailer::start(Arc::clone(&state), transport)).transpose();
    let mailer = mailer.map_err(|error| Failure::new("serve", error))?;
    let (stopping, stop_delay) = (Arc::clone(&state), settings.stop_delay);
    let workers = available_parallelism().map_or(2, usize::from);
    let served: std::io::Result<()> = actix_web::rt::System::new().block_on(async move {
        // Before anybody is told that the server is there, and may want to stop it.
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let server = http::start(state, listener, tls, workers)?;
        let handle = server.handle();
        let serving = actix_web::rt::spawn(server);
        // Not by the log, which keeps no secrets. Whoever sees the server start may be its first administrator.
        let link = first.as_ref().map(|link| link.url.as_str());
        let url = format!("{scheme}://{address}");
        output.print(&json!({ "listening_on": url, "first_administrator": link }), || {
            let administrator = link.map(|link| format!("\nfirst administrator: {link}"));
            format!("listening on {url}{}", administrator.unwrap_or_default())
        });
        if let Some(error) = output.lost() {
            handle.stop(false).await;
            return Err(error);
        }
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopping.prepare_to_stop();
        if !stop_delay.is_zero() {
            tracing::info!(seconds = stop_delay.as_secs(), "stopping: no longer ready, still serving");
            // Whoever says it twice means now.
            tokio::select! {
                () = sleep(stop_delay) => {}
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        }
        tracing::info!("stopping: requests under way are finished");
        handle.stop(true).await;
        serving.await.map_err(std::io::Error::other)?
    });
    drop(mailer);
    served.map_err(|error| Failure::new("serve", error))
}
