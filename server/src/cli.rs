//! The command line: every command parses its arguments, calls one use case and prints the result. Exit codes: 0 done, 1 refused or failed
//! with one line that says why, 2 bad usage.

mod audit;
mod backup;
mod client;
mod doctor;
mod factor;
mod grant;
mod group;
mod import;
mod key;
mod mailer;
mod master_key;
mod open;
mod outbox;
mod output;
mod password;
mod recovery_code;
mod relocation;
mod restore;
mod scope;
mod serve;
mod session;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::cli::output::{Failure, Output};
use crate::domain::refusal::Invalid;
use crate::mail;
use crate::settings::{Flags, Settings};

/// Countersign: a self-hosted second-factor service.
#[derive(Parser)]
#[command(name = "countersign", version, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    /// Print one JSON document instead of a table
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bring the database up to date and serve
    Serve,
    /// Add, list, lock and remove users
    #[command(subcommand)]
    User(user::Command),
    /// Enrol, confirm, list and reset factors
    #[command(subcommand)]
    Factor(factor::Command),
    /// Make recovery codes anew
    #[command(subcommand)]
    RecoveryCode(recovery_code::Command),
    /// List and end sessions
    #[command(subcommand)]
    Session(session::Command),
    /// Register applications
    #[command(subcommand)]
    Client(client::Command),
    /// Give scopes rules of their own
    #[command(subcommand)]
    Scope(scope::Command),
    /// Put users into groups
    #[command(subcommand)]
    Group(group::Command),
    /// Give users and groups access for a time
    #[command(subcommand)]
    Grant(grant::Command),
    /// List and rotate signing keys
    #[command(subcommand)]
    Key(key::Command),
    /// Make and rotate master keys
    #[command(subcommand)]
    MasterKey(master_key::Command),
    /// List, read and retry mails
    #[command(subcommand)]
    Outbox(outbox::Command),
    /// Read and check the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Add many users at once, with the factors that they have already
    Import(import::Command),
    /// Copy everything to another database, check it row by row, and close the old one for good
    Move(relocation::Command),
    /// Write everything that is in the database into one file, while servers go on
    Backup(backup::Command),
    /// Make a database of a backup, and make harmless what was forgotten since
    Restore(restore::Command),
    /// Look at the whole installation and say what is wrong with it, changing nothing
    Doctor(doctor::Command),
    /// Print the settings and where each comes from, secrets hidden
    Config,
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    match run(arguments, &output).err().or_else(|| output.lost().map(|error| Failure::unsaid(&error))) {
        None => ExitCode::SUCCESS,
        Some(failure) => {
            output.failed(&failure);
            ExitCode::FAILURE
        }
    }
}

fn load(flags: &Flags) -> Result<Settings, Invalid> {
    let settings = Settings::load(flags)?;
    // Which addresses there are only the mail's floor knows.
    settings.mail_from.as_deref().map_or(Ok(()), mail::must_be_sender)?;
    Ok(settings)
}

fn run(arguments: Arguments, output: &Output) -> Result<(), Failure> {
    let settings = match (load(&arguments.flags), &arguments.command) {
        (Err(invalid), Command::Doctor(_)) => return doctor::run_without_settings(&invalid, output),
        (loaded, _) => loaded?,
    };
    match arguments.command {
        Command::Serve => serve::run(&settings, output),
        Command::User(command) => user::run(command, &settings, output),
        Command::Factor(command) => factor::run(command, &settings, output),
        Command::RecoveryCode(command) => recovery_code::run(&command, &settings, output),
        Command::Session(command) => session::run(&command, &settings, output),
        Command::Client(command) => client::run(command, &settings, output),
        Command::Scope(command) => scope::run(command, &settings, output),
        Command::Group(command) => group::run(&command, &settings, output),
        Command::Grant(command) => grant::run(&command, &settings, output),
        Command::Key(command) => key::run(&command, &settings, output),
        Command::MasterKey(command) => master_key::run(&command, &settings, output),
        Command::Outbox(command) => outbox::run(&command, &settings, output),
        Command::Audit(command) => audit::run(&command, &settings, output),
        Command::Import(command) => import::run(&command, &settings, output),
        Command::Move(command) => relocation::run(&command, &settings, output),
        Command::Backup(command) => backup::run(&command, &settings, output),
        Command::Restore(command) => restore::run(&command, &settings, output),
        Command::Doctor(command) => doctor::run(&command, &settings, output),
        Command::Config => {
            let shown = settings.shown();
            output.print(&shown, || {
                let rows = shown.iter().map(|setting| {
                    [
                        setting.name.to_owned(),
                        setting.value.clone().unwrap_or_default(),
                        setting.source.clone(),
                    ]
                });
                output::table(["SETTING", "VALUE", "SOURCE"], rows)
            });
            Ok(())
        }
    }
}
