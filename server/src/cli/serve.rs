//! `countersign serve`.

use std::io::{IsTerminal, Write};
use std::net::TcpListener;
use std::thread::available_parallelism;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::app;
use crate::cli::open::open;
use crate::cli::output::Failure;
use crate::crypto::password;
use crate::http::{self, State};
use crate::settings::Settings;

/// Prepares everything, says `listening on URL` on standard output, and serves until it is told to stop.
pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
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
    let listener = TcpListener::bind(settings.listen)
        .map_err(|error| Failure::new("listen", format!("listen {}: {error}", settings.listen)))?;
    let address = listener.local_addr().map_err(|error| Failure::new("listen", error))?;
    let opened = open(settings)?;
    password::warm_up()?;
    let at = opened.at();
    app::key::rotate_if_due(&opened.service, &mut *opened.database.connection()?, at)?;
    if app::user::none_exist(&mut *opened.database.connection()?)? {
        tracing::info!("there are no users yet: `countersign user add NAME` adds one");
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let state = State::new(opened.service, opened.database, opened.clock, settings.behind_proxy);
    let workers = available_parallelism().map_or(2, usize::from);
    let served: std::io::Result<()> = actix_web::rt::System::new().block_on(async move {
        // Before anybody is told that the server is there, and may want to stop it.
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let server = http::start(state, listener, tls, workers)?;
        let handle = server.handle();
        let serving = actix_web::rt::spawn(server);
        let _ = writeln!(std::io::stdout(), "listening on {scheme}://{address}");
        let _ = std::io::stdout().flush();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: requests under way are finished");
        handle.stop(true).await;
        serving.await.map_err(std::io::Error::other)?
    });
    served.map_err(|error| Failure::new("serve", error))
}
