//! `countersign group ...`

use clap::Subcommand;
use serde_json::json;

use crate::app;
use crate::cli::open::open;
use crate::cli::output::{Failure, Output};
use crate::domain::refusal::Invalid;
use crate::domain::user::UserName;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a group
    Add {
        /// Its name
        name: String,
    },
    /// List all groups
    List,
    /// List a group's members
    Show {
        /// The group
        name: String,
    },
    /// Put users into a group
    Join {
        /// The group
        name: String,
        /// The users
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// Take users out of a group
    Leave {
        /// The group
        name: String,
        /// The users
        #[arg(required = true)]
        users: Vec<String>,
    },
    /// Remove a group with its grants
    Remove {
        /// The group
        name: String,
    },
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let opened = open(settings)?;
    let (service, at) = (&opened.service, opened.at());
    let mut conn = opened.database.connection()?;
    match command {
        Command::Add { name } => {
            app::access::add_group(service, &mut conn, at, name)?;
            output.print(&json!({ "name": name }), || format!("added {name}"));
        }
        Command::List => {
            let names = app::access::groups(&mut conn)?;
            output.print(&names, || names.join("\n"));
        }
        Command::Show { name } => {
            let members = app::access::members(&mut conn, name)?;
            output.print(&json!({ "name": name, "members": members }), || members.join("\n"));
        }
        Command::Join { name, users } => {
            let joined = app::access::add_members(service, &mut conn, at, name, &parsed(users)?)?;
            output.print(&json!({ "name": name, "joined": joined }), || format!("{joined} joined {name}"));
        }
        Command::Leave { name, users } => {
            let left = app::access::remove_members(service, &mut conn, at, name, &parsed(users)?)?;
            output.print(&json!({ "name": name, "left": left }), || format!("{left} left {name}"));
        }
        Command::Remove { name } => {
            app::access::remove_group(service, &mut conn, at, name)?;
            output.print(&json!({ "name": name, "removed": true }), || format!("removed {name}"));
        }
    }
    Ok(())
}

fn parsed(names: &[String]) -> Result<Vec<UserName>, Invalid> {
    names.iter().map(|name| UserName::parse(name)).collect()
}
