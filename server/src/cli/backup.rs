//! `countersign backup`

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::app;
use crate::app::audit::Proof;
use crate::app::backup::Counted;
use crate::app::context::At;
use crate::cli::open::service;
use crate::cli::output::{Failure, Output, proof_json, proof_text, table};
use crate::clock::Clock;
use crate::db::Database;
use crate::domain::audit::Origin;
use crate::settings::Settings;

#[derive(Args)]
#[command(after_help = "\
The file holds everything of one moment, whatever servers write meanwhile, and appears whole or not at all; only \
`countersign restore` makes a database of it. The master key is not in it, and without that key no code can be checked ever again: keep a copy \
of the key in another place; names, addresses and password hashes do stand in it openly.")]
pub(super) struct Command {
    /// The file to make; one that exists is left as it is
    file: PathBuf,
    /// Print nothing unless something is wrong
    #[arg(long, short, conflicts_with = "json")]
    quiet: bool,
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let (file, key_file) = (&command.file, &settings.master_key_file);
    let from = Database::new(settings.database.clone(), 1, None);
    let now = Clock::System.now();
    let mut source = app::backup::survey(&from, file)?;
    let master = app::start::unlock(&mut source, from.target(), key_file, now)?;
    let service = service(settings, &master);

    let mut copied = app::backup::copy(&mut source, file, now)?;
    let proof = app::audit::verify(&service, &mut copied.conn)?;
    let at = At::new(Clock::System.now(), Origin::COMMAND_LINE);
    let made = app::backup::keep(&service, &mut source, copied, (&from, file), at)?;
    if command.quiet {
        // Whoever is spared all else hears this: a log that somebody has spoilt.
        if let Proof::BrokenAt(_) = proof {
            Output::warn(&proof_text(&proof, "backup"));
        }
        return Ok(());
    }
    let rows: u64 = made.tables.iter().map(|counted| counted.rows).sum();
    let (file, key_file, from) = (file.display(), key_file.display(), from.target().shown());
    let key_id = master.id().to_string();
    let document = json!({
        "file": file.to_string(),
        "from": from,
        "made_at": made.made_at.to_string(),
        "bytes": made.bytes,
        "rows": rows,
        "tables": tables_json(&made.tables),
        "audit": proof_json(&proof),
        "master_key": { "key_id": key_id, "file": key_file.to_string() },
    });
    output.print(&document, || {
        format!(
            "{}\nBacked up {rows} rows of {from}, as they were at {}, to {file} ({} bytes).\n{}\n\
             Whoever restores it needs the master key {key_id}, which is not in it but in {key_file}:\n\
             keep a copy of that key in another place than the backups. Whoever has both has everything.",
            tables_text(&made.tables),
            made.made_at,
            made.bytes,
            proof_text(&proof, "backup"),
        )
    });
    Ok(())
}

fn tables_json(tables: &[Counted]) -> serde_json::Value {
    tables.iter().map(|counted| json!({ "table": counted.table, "rows": counted.rows })).collect()
}

fn tables_text(tables: &[Counted]) -> String {
    table(["TABLE", "ROWS"], tables.iter().map(|counted| [counted.table.clone(), counted.rows.to_string()]))
}
