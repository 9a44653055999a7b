//! Opening the data that a command works on: folder, database, master key, signing keys.

use std::fs::DirBuilder;
use std::num::NonZero;
use std::os::unix::fs::DirBuilderExt;
use std::thread;

use crate::app;
use crate::app::context::{At, ConsolePolicy, Service};
use crate::cli::output::Failure;
use crate::clock::Clock;
use crate::crypto::master_key::MasterKey;
use crate::db::Database;
use crate::domain::audit::Origin;
use crate::domain::target::Target;
use crate::http;
use crate::settings::Settings;

/// Most connections for the requests of one server, besides the one of codes.
const CONNECTIONS: u32 = 16;

/// Connections for each core to a SQLite file. It is worked on by the server's own threads: more of them only wake each other.
const CONNECTIONS_A_CORE: u32 = 4;

/// Everything that a use case needs, for one command or for the server.
pub(super) struct Opened {
    pub(super) service: Service,
    pub(super) database: Database,
    pub(super) clock: Clock,
}

impl Opened {
    /// The time and origin of a command.
    pub(super) fn at(&self) -> At {
        At::new(self.clock.now(), Origin::COMMAND_LINE)
    }
}

/// The keys and names of this installation.
pub(super) fn service(settings: &Settings, master: &MasterKey) -> Service {
    let (issuer, issuer_name) = (settings.public_url.clone(), settings.issuer_name.clone());
    Service::new(master, issuer, issuer_name, settings.key_age_s())
}

/// Opens everything; makes what is missing in a new data folder, and nothing in a used one.
pub(super) fn open(settings: &Settings) -> Result<Opened, Failure> {
    let clock = Clock::System;
    make_data_folder(settings)?;
    let connections = for_requests(&settings.database) + Database::ASIDE;
    let database = Database::new(settings.database.clone(), connections, None);
    let (target, key_file) = (&settings.database, &settings.master_key_file);
    database.prepare_if(|conn| app::start::check(conn, target, key_file).map_err(Failure::from))?;
    let mut conn = database.connection()?;
    let now = clock.now();
    let master = app::start::unlock(&mut conn, target, key_file, now)?;
    let mut service = service(settings, &master);
    service.phone = settings.phone.clone();
    service.audit_keep_days = settings.audit_keep_days;
    service.console = ConsolePolicy {
        remember_device_s: settings.remember_device_s(),
        reset_needs_approval: settings.reset_needs_approval,
    };
    app::key::ensure(&service, &mut conn, At::new(now, Origin::COMMAND_LINE))?;
    drop(conn);
    Ok(Opened { service, database, clock })
}

/// Makes the folder that a SQLite file lies in by default, its owner's alone.
pub(super) fn make_data_folder(settings: &Settings) -> Result<(), Failure> {
    if let Target::Sqlite(_) = settings.database {
        DirBuilder::new().recursive(true).mode(0o700).create(&settings.data).map_err(|error| {
            Failure::new("data", format!("the data folder {}: {error}", settings.data.display()))
        })?;
    }
    Ok(())
}

/// How many connections a server opens at most.
pub(super) fn opened_by_server(target: &Target) -> u32 {
    for_requests(target) + Database::ASIDE + http::threads_for_codes(target)
}

fn for_requests(target: &Target) -> u32 {
    match target {
        Target::Sqlite(_) => {
            let cores = thread::available_parallelism().map_or(1, NonZero::get);
            let cores = u32::try_from(cores).unwrap_or(u32::MAX);
            cores.saturating_mul(CONNECTIONS_A_CORE).min(CONNECTIONS)
        }
        Target::Postgres(_) => CONNECTIONS,
    }
}
