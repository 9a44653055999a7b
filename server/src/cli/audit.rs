//! `countersign audit ...`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::app;
use crate::app::audit::Proof;
use crate::cli::open::open;
use crate::cli::output::{Failure, Output, table};
use crate::domain::audit::Entry;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the last entries, in order
    List {
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
    },
    /// Prove that no entry was altered or taken out
    Verify,
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let opened = open(settings)?;
    let mut conn = opened.database.connection()?;
    match command {
        Command::List { limit } => {
            let entries = app::audit::last(&mut conn, *limit)?;
            output.print(&entries.iter().map(entry_json).collect::<Vec<_>>(), || {
                let row = |entry: &Entry| {
                    [
                        entry.seq.to_string(),
                        entry.at.to_string(),
                        entry.actor.clone(),
                        entry.action.clone(),
                        entry.subject.clone().unwrap_or_default(),
                        entry.outcome.clone(),
                        entry.address.clone().unwrap_or_default(),
                        entry.detail.clone().unwrap_or_default(),
                    ]
                };
                let heading = ["NO", "TIME", "WHO", "WHAT", "TO WHOM", "OUTCOME", "FROM", "DETAIL"];
                table(heading, entries.iter().map(row))
            });
            Ok(())
        }
        Command::Verify => match app::audit::verify(&opened.service, &mut conn)? {
            Proof::Intact { first, last } => {
                let entries = last - first + 1;
                let document = json!({ "intact": true, "entries": entries, "first": first, "last": last });
                output.print(&document, || {
                    let older = if first > 1 {
                        format!(", from {first} to {last}; the ones before were older than audit_keep_days")
                    } else {
                        String::new()
                    };
                    format!("all {entries} entries stand as they were written{older}")
                });
                Ok(())
            }
            Proof::BrokenAt(entry) => Err(Failure::new(
                "audit_broken",
                format!(
                    "entry {entry} was altered, moved or taken out; those before it stand as they were written"
                ),
            )),
        },
    }
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "seq": entry.seq,
        "at": entry.at.to_string(),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "outcome": entry.outcome,
        "address": entry.address,
        "detail": entry.detail,
    })
}
