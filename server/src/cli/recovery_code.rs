//! `countersign recovery-code ...`

use clap::Subcommand;
use serde_json::json;

use crate::app;
use crate::cli::open::open;
use crate::cli::output::{Failure, Output};
use crate::domain::user::UserName;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a user's recovery codes anew, and print them once; the old ones are void
    Renew {
        /// The user
        user: String,
    },
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let Command::Renew { user } = command;
    let name = UserName::parse(user)?;
    let opened = open(settings)?;
    let codes =
        app::recovery_code::renew(&opened.service, &mut *opened.database.connection()?, opened.at(), &name)?;
    let codes: Vec<String> = codes.iter().map(|code| code.shown().to_string()).collect();
    output.print(&json!({ "name": name.shown(), "recovery_codes": codes }), || {
        format!("{}\n\nThey are not shown again. The old ones are void.", codes.join("\n"))
    });
    Ok(())
}
