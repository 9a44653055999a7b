//! `countersign master-key ...`

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;

use crate::app;
use crate::app::context::At;
use crate::app::master_key::Resealed;
use crate::app::start::StartError;
use crate::cli::open::service;
use crate::cli::output::{Failure, Output, table};
use crate::clock::Clock;
use crate::crypto::master_key::{KeyFileError, MasterKey};
use crate::db::Database;
use crate::domain::audit::Origin;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a master key in a new file that only its owner may read
    New {
        /// The file; an existing one is left as it is
        file: PathBuf,
    },
    /// Seal everything in the database under another master key
    #[command(after_help = "\
Stop every server first: one that runs on can open nothing and enrols nobody from that moment. Afterwards give the new file to \
each server, in the place of the old one or by the setting `master_key_file`, and start them. Keep the old key as long as \
there are backups from before. Either everything is done or nothing; after an interruption run the same command again.")]
    Rotate {
        /// The file with the new key; made if it is not there
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    match command {
        Command::New { file } => new(file, output),
        Command::Rotate { to } => rotate(to, settings, output),
    }
}

fn new(file: &Path, output: &Output) -> Result<(), Failure> {
    let key = MasterKey::generate();
    key.write_new(file).map_err(StartError::from)?;
    let (id, path) = (key.id().to_string(), file.display().to_string());
    output.print(&json!({ "key_id": id, "file": path }), || {
        format!("made master key {id} in {path}\nKeep a copy apart from the database: without it nothing in there can be read.")
    });
    Ok(())
}

fn rotate(file: &Path, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let (database, old_file) = (Database::new(settings.database.clone(), 1, None), &settings.master_key_file);
    let target = database.target();
    if database.look()?.is_none() {
        return Err(Failure::new("database", format!("there is no database at {}", target.shown())));
    }
    database.prepare_if(|conn| app::start::check(conn, target, old_file).map_err(Failure::from))?;
    let mut conn = database.connection()?;
    let now = Clock::System.now();
    let old = app::start::unlock(&mut conn, target, old_file, now)?;
    let new = match MasterKey::read(file) {
        Err(KeyFileError::Missing(_)) => {
            let made = MasterKey::generate();
            made.write_new(file).map(|()| made)
        }
        found => found,
    };
    let new = new.map_err(StartError::from)?;
    if new.id() == old.id() {
        let what = format!("--to {}: that is the key that the database is sealed under", file.display());
        return Err(Failure::new("invalid_request", what));
    }
    let service = service(settings, &old);
    let at = At::new(now, Origin::COMMAND_LINE);
    let resealed = app::master_key::rotate(&service, &mut conn, at, &old, &new)?;
    print(&resealed, &old, &new, file, output);
    Ok(())
}

fn print(resealed: &[Resealed], old: &MasterKey, new: &MasterKey, file: &Path, output: &Output) {
    let tables = resealed.iter().map(|done| json!({ "table": done.table, "values": done.values }));
    let (from, to, file) = (old.id().to_string(), new.id().to_string(), file.display().to_string());
    let document = json!({
        "key_id": to,
        "file": file,
        "previous_key_id": from,
        "tables": tables.collect::<Vec<_>>(),
    });
    output.print(&document, || {
        let row = |done: &Resealed| [done.table.clone(), done.values.to_string()];
        let counted = table(["TABLE", "SEALED ANEW"], resealed.iter().map(row));
        format!(
            "{counted}\nThe database is sealed under the master key {to} now, which is in {file}. Servers need that file.\n\
             Keep a copy apart from the database, and {from} as long as there are backups from before."
        )
    });
}
