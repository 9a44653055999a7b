//! `countersign session ...`

use clap::Subcommand;
use serde_json::json;

use crate::app;
use crate::cli::open::open;
use crate::cli::output::{Failure, Output, table};
use crate::domain::id::SessionId;
use crate::domain::token::SessionSummary;
use crate::domain::user::UserName;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List a user's sessions, the youngest first
    List {
        /// The user
        user: String,
    },
    /// End a session with all its tokens
    End {
        /// Its id
        session: String,
    },
    /// End all sessions of a user
    EndAll {
        /// The user
        user: String,
    },
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    match command {
        Command::List { user } => {
            let name = UserName::parse(user)?;
            let opened = open(settings)?;
            let sessions = app::session::list(&mut *opened.database.connection()?, opened.at(), &name)?;
            let document = |session: &SessionSummary| {
                json!({
                    "id": session.id.to_string(),
                    "client": session.client_name,
                    "amr": session.amr.split(' ').collect::<Vec<_>>(),
                    "address": session.address,
                    "started_at": session.started_at.to_string(),
                    "last_used_at": session.used_at.to_string(),
                    "ends_at": session.ends_at.to_string(),
                })
            };
            output.print(&sessions.iter().map(document).collect::<Vec<_>>(), || {
                let row = |session: &SessionSummary| {
                    [
                        session.id.to_string(),
                        session.client_name.clone(),
                        session.amr.replace(' ', "+"),
                        session.address.clone().unwrap_or_default(),
                        session.started_at.to_string(),
                        session.used_at.to_string(),
                        session.ends_at.to_string(),
                    ]
                };
                table(
                    ["SESSION", "CLIENT", "BY", "ADDRESS", "STARTED", "LAST USED", "ENDS"],
                    sessions.iter().map(row),
                )
            });
        }
        Command::End { session } => {
            let id: SessionId = session.parse()?;
            let opened = open(settings)?;
            app::session::end(&opened.service, &mut *opened.database.connection()?, opened.at(), id)?;
            output.print(&json!({ "id": id.to_string(), "ended": true }), || format!("ended {id}"));
        }
        Command::EndAll { user } => {
            let name = UserName::parse(user)?;
            let opened = open(settings)?;
            let at = opened.at();
            let ended =
                app::session::end_all(&opened.service, &mut *opened.database.connection()?, at, &name)?;
            output.print(&json!({ "name": name.shown(), "sessions": ended }), || {
                format!("ended {ended} sessions of {}", name.shown())
            });
        }
    }
    Ok(())
}
