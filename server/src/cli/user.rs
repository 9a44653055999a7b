//! `countersign user ...`

use clap::Subcommand;
use serde_json::{Value, json};

use crate::app;
use crate::app::user::{Details, NewUser};
use crate::cli::factor::{factor_json, shown_state};
use crate::cli::open::open;
use crate::cli::output::{Failure, Output, table};
use crate::cli::password;
use crate::domain::lockout;
use crate::domain::time::Timestamp;
use crate::domain::user::{Role, User, UserName, parse_email};
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a user
    Add {
        /// Name to log in with
        name: String,
        /// Where mail goes
        #[arg(long)]
        email: Option<String>,
        /// What the user may do in the console
        #[arg(long, default_value = "user", value_parser = Role::ALL.map(Role::as_str))]
        role: String,
        /// Read the password from standard input, up to the end of the line; a terminal asks for it twice and does not show it. Without
        /// one an application checks the first factor
        #[arg(long)]
        password_stdin: bool,
    },
    /// List all users
    List,
    /// Show everything known of a user
    Show {
        /// The user
        name: String,
    },
    /// Lock a user until unlocked, and end all sessions
    Lock {
        /// The user
        name: String,
    },
    /// Unlock a user, and forget failed codes
    Unlock {
        /// The user
        name: String,
    },
    /// Make a one-time link for a user to set a password and enrol a phone; it is mailed, and printed here
    Invite {
        /// The user
        name: String,
    },
    /// Give a user a new password from standard input, and end all sessions
    ///
    /// It is read up to the end of the line; a terminal asks for it twice and does not show it.
    Password {
        /// The user
        name: String,
    },
    /// Remove a user with all factors, sessions and tokens
    Remove {
        /// The user
        name: String,
    },
}

pub(super) fn run(command: Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Add { name, email, role, password_stdin } => {
            let new = NewUser {
                name: UserName::parse(&name)?,
                email: email.as_deref().map(parse_email).transpose()?,
                role: role.parse::<Role>()?,
                password: if password_stdin { Some(password::read()?) } else { None },
            };
            let opened = open(settings)?;
            let user =
                app::user::add(&opened.service, &mut *opened.database.connection()?, opened.at(), new)?;
            output.print(&user_json(&user), || format!("added {} ({})", user.name, user.id));
        }
        Command::List => {
            let opened = open(settings)?;
            let users = app::user::list(&mut *opened.database.connection()?)?;
            output.print(&users.iter().map(user_json).collect::<Vec<_>>(), || {
                let row = |user: &User| {
                    [
                        user.name.clone(),
                        user.role.to_string(),
                        user.state.to_string(),
                        user.email.clone().unwrap_or_default(),
                        user.created_at.to_string(),
                    ]
                };
                table(["NAME", "ROLE", "STATE", "EMAIL", "ADDED"], users.iter().map(row))
            });
        }
        Command::Show { name } => {
            let name = UserName::parse(&name)?;
            let opened = open(settings)?;
            let at = opened.at();
            let details = app::user::show(&mut *opened.database.connection()?, at, &name)?;
            output.print(&details_json(&details, at.now), || details_text(&details, at.now));
        }
        Command::Lock { name } => {
            let name = UserName::parse(&name)?;
            let opened = open(settings)?;
            app::user::lock(&opened.service, &mut *opened.database.connection()?, opened.at(), &name)?;
            output.print(&json!({ "name": name.shown(), "state": "locked" }), || {
                format!("locked {}", name.shown())
            });
        }
        Command::Unlock { name } => {
            let name = UserName::parse(&name)?;
            let opened = open(settings)?;
            app::user::unlock(&opened.service, &mut *opened.database.connection()?, opened.at(), &name)?;
            output.print(&json!({ "name": name.shown(), "state": "active" }), || {
                format!("unlocked {}", name.shown())
            });
        }
        Command::Invite { name } => {
            let name = UserName::parse(&name)?;
            let opened = open(settings)?;
            let (service, at) = (&opened.service, opened.at());
            let link = app::invitation::invite(service, &mut *opened.database.connection()?, at, &name)?;
            let (url, until) = (link.url.as_str(), link.expires_at.to_string());
            let shown = json!({ "name": name.shown(), "link": url, "expires_at": until });
            output.print(&shown, || format!("{url}\ngood once, until {until}"));
        }
        Command::Password { name } => {
            let (name, password) = (UserName::parse(&name)?, password::read()?);
            let opened = open(settings)?;
            let (service, at) = (&opened.service, opened.at());
            app::user::set_password(service, &mut *opened.database.connection()?, at, &name, &password)?;
            output.print(&json!({ "name": name.shown(), "has_password": true }), || {
                format!("{} has a new password; all sessions are over", name.shown())
            });
        }
        Command::Remove { name } => {
            let name = UserName::parse(&name)?;
            let opened = open(settings)?;
            app::user::remove(&opened.service, &mut *opened.database.connection()?, opened.at(), &name)?;
            output.print(&json!({ "name": name.shown(), "removed": true }), || {
                format!("removed {}", name.shown())
            });
        }
    }
    Ok(())
}

fn user_json(user: &User) -> Value {
    json!({
        "id": user.id.to_string(),
        "name": user.name,
        "email": user.email,
        "role": user.role.as_str(),
        "state": user.state.as_str(),
        "has_password": user.password_hash.is_some(),
        "created_at": user.created_at.to_string(),
    })
}

fn details_json(details: &Details, now: Timestamp) -> Value {
    let mut document = user_json(&details.user);
    document["factors"] = details.factors.iter().map(factor_json).collect();
    document["failures"] = json!(details.standing.failures);
    document["locked_until"] = locked_until(details, now).map_or(Value::Null, Value::String);
    document
}

/// When the wait for codes ends; none where there is no wait.
fn locked_until(details: &Details, now: Timestamp) -> Option<String> {
    let until = details.standing.locked_until;
    lockout::is_wait(until, now)
        .then(|| if until == Timestamp::NEVER { "unlocked".to_owned() } else { until.to_string() })
}

fn details_text(details: &Details, now: Timestamp) -> String {
    let user = &details.user;
    let mut rows = vec![
        ["name".to_owned(), user.name.clone()],
        ["id".to_owned(), user.id.to_string()],
        ["role".to_owned(), user.role.to_string()],
        ["state".to_owned(), user.state.to_string()],
        ["email".to_owned(), user.email.clone().unwrap_or_default()],
        ["password".to_owned(), if user.password_hash.is_some() { "set" } else { "none" }.to_owned()],
        ["added".to_owned(), user.created_at.to_string()],
        ["failed codes".to_owned(), format!("{} of {}", details.standing.failures, lockout::FAILURE_LIMIT)],
    ];
    if let Some(until) = locked_until(details, now) {
        rows.push(["waits until".to_owned(), until]);
    }
    for factor in &details.factors {
        let (kind, label) = (factor.mechanism.kind(), &factor.label);
        rows.push(["factor".to_owned(), format!("{} {kind} {} {label}", factor.id, shown_state(factor))]);
    }
    table(["FIELD", "VALUE"], rows.into_iter())
}
