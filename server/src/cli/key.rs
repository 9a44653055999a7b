//! `countersign key ...`: signing keys.

use clap::Subcommand;
use serde_json::json;

use crate::app;
use crate::cli::open::open;
use crate::cli::output::{Failure, Output, table};
use crate::db::signing_key::StoredKey;
use crate::domain::time::Timestamp;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List signing keys, the youngest first
    List,
    /// Sign with the next key from now on; tokens of the current one stay valid
    Rotate,
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let opened = open(settings)?;
    let mut conn = opened.database.connection()?;
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    match command {
        Command::List => {
            let keys = app::key::list(&mut conn)?;
            let document = |key: &StoredKey| {
                json!({
                    "kid": key.kid,
                    "alg": "EdDSA",
                    "state": key.state.as_str(),
                    "created_at": key.created_at.to_string(),
                    "activated_at": text(key.activated_at),
                    "retired_at": text(key.retired_at),
                })
            };
            output.print(&keys.iter().map(document).collect::<Vec<_>>(), || {
                let row = |key: &StoredKey| {
                    [
                        key.kid.clone(),
                        key.state.to_string(),
                        key.created_at.to_string(),
                        text(key.activated_at).unwrap_or_default(),
                        text(key.retired_at).unwrap_or_default(),
                    ]
                };
                table(["KEY", "STATE", "MADE", "SIGNS SINCE", "RETIRED"], keys.iter().map(row))
            });
        }
        Command::Rotate => {
            let kid = app::key::rotate(&opened.service, &mut conn, opened.at())?;
            output.print(&json!({ "kid": kid, "state": "current" }), || format!("{kid} signs from now on"));
        }
    }
    Ok(())
}
