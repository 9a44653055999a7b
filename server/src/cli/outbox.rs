//! `countersign outbox ...`

use clap::Subcommand;
use serde_json::json;

use crate::app;
use crate::cli::open::open;
use crate::cli::output::{Failure, Output, table};
use crate::domain::id::MailId;
use crate::domain::notice::{MailState, MailSummary};
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List mails, the youngest first
    List {
        /// Only those that are waiting, sent or failed
        #[arg(long, value_parser = MailState::ALL.map(MailState::as_str))]
        state: Option<String>,
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=10_000))]
        limit: i64,
        /// Only those before this one, which ended the last list
        #[arg(long, value_name = "ID")]
        before: Option<String>,
    },
    /// Print a mail's text, an invitation's link included; the audit log says that it was shown
    Show {
        /// Its id
        mail: String,
    },
    /// Make mails that were not sent due now, failed ones included
    Retry {
        /// One, by its id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        mail: Option<String>,
        /// All of them
        #[arg(long)]
        all: bool,
    },
}

fn document(mail: &MailSummary) -> serde_json::Value {
    json!({
        "id": mail.id.to_string(),
        "user_id": mail.user.map(|user| user.to_string()),
        "recipient": mail.recipient,
        "kind": mail.kind,
        "state": mail.state.as_str(),
        "attempts": mail.attempts,
        "next_at": (mail.state == MailState::Waiting).then(|| mail.next_at.to_string()),
        "created_at": mail.created_at.to_string(),
        "sent_at": mail.sent_at.map(|at| at.to_string()),
        "last_error": mail.last_error,
    })
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    match command {
        Command::List { state, limit, before } => {
            let before = before.as_deref().map(str::parse).transpose()?;
            let state = state.as_deref().map(str::parse).transpose()?;
            let opened = open(settings)?;
            let mails = app::outbox::page(&mut *opened.database.connection()?, before, state, *limit)?;
            output.print(&mails.iter().map(document).collect::<Vec<_>>(), || {
                let row = |mail: &MailSummary| {
                    [
                        mail.id.to_string(),
                        mail.state.to_string(),
                        mail.kind.clone(),
                        mail.recipient.clone(),
                        mail.created_at.to_string(),
                        mail.attempts.to_string(),
                        mail.last_error.clone().unwrap_or_default(),
                    ]
                };
                table(
                    ["MAIL", "STATE", "KIND", "TO", "WRITTEN", "TRIES", "LAST ERROR"],
                    mails.iter().map(row),
                )
            });
        }
        Command::Show { mail } => {
            let id: MailId = mail.parse()?;
            let opened = open(settings)?;
            let mut conn = opened.database.connection()?;
            let (mail, letter) = app::outbox::show(&opened.service, &mut conn, opened.at(), id)?;
            let mut shown = document(&mail);
            shown["subject"] = letter.as_ref().map(|letter| letter.subject.clone()).into();
            shown["text"] = letter.as_ref().map(|letter| letter.text.clone()).into();
            output.print(&shown, || {
                let (subject, text) = match &letter {
                    Some(letter) => (letter.subject.as_str(), letter.text.as_str()),
                    None => ("", "(The text is gone: the mail was sent.)"),
                };
                format!("To: {}\nSubject: {subject}\n\n{text}", mail.recipient)
            });
        }
        Command::Retry { mail: Some(mail), .. } => {
            let id: MailId = mail.parse()?;
            let opened = open(settings)?;
            let at = opened.at();
            app::outbox::retry(&opened.service, &mut *opened.database.connection()?, at, id)?;
            output.print(&json!({ "id": id.to_string(), "state": "waiting" }), || format!("{id} is due now"));
        }
        Command::Retry { mail: None, .. } => {
            let opened = open(settings)?;
            let at = opened.at();
            let mails = app::outbox::retry_all(&opened.service, &mut *opened.database.connection()?, at)?;
            output.print(&json!({ "mails": mails }), || format!("{mails} mails are due now"));
        }
    }
    Ok(())
}
