//! `countersign master-key ...`

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use crate::app::start::{StartError, shown};
use crate::cli::output::{Failure, Output};
use crate::crypto::master_key::MasterKey;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a master key in a new file that only its owner may read
    New {
        /// The file; an existing one is left as it is
        file: PathBuf,
    },
}

pub(super) fn run(command: &Command, output: &Output) -> Result<(), Failure> {
    let Command::New { file } = command;
    let key = MasterKey::generate();
    key.write_new(file).map_err(StartError::from)?;
    let (id, path) = (shown(&key), file.display().to_string());
    output.print(&json!({ "key_id": id, "file": path }), || {
        format!("made master key {id} in {path}\nKeep a copy apart from the database: without it nothing in there can be read.")
    });
    Ok(())
}
