//! `countersign import`

use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::app;
use crate::app::user::import::{Bringer, Fate, Line, Wrong};
use crate::cli::open::open;
use crate::cli::output::{Failure, Output, table};
use crate::domain::refusal::Invalid;
use crate::settings::Settings;

#[derive(Args)]
#[command(after_help = "\
The first line of the list names its columns, in any order: name, email, role, uri. Only name must be there; a user without a role gets `user`. uri \
holds otpauth:// URIs, several parted by blanks: factors that are on a phone or token already and count as confirmed, a HOTP one from its counter on.

Users who exist already stay as they are, so a list can be imported again. Everybody who is new is added in one transaction, or nobody if any \
line is wrong. Who has an e-mail address is told that there is an authenticator now. No recovery codes are made; a user makes them after logging in. A list with URIs holds secrets: delete it afterwards.")]
pub(super) struct Command {
    /// List in CSV; `-` reads standard input
    file: PathBuf,
    /// Send a link to set a password to everybody who is added and has an e-mail address
    #[arg(long)]
    invite: bool,
    /// Say what would become of each line, and change nothing; exit with 1 if a line is wrong
    #[arg(long)]
    check: bool,
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let text = read(&command.file)?;
    let opened = open(settings)?;
    let mut conn = opened.database.connection()?;
    let by = Bringer::Operator;
    let looked_at = app::user::import::preview(&mut conn, by, &text, command.invite)?;
    let mut wrong = looked_at.iter().filter_map(|line| match line.fate {
        Fate::Wrong(wrong) => Some((line.number, wrong)),
        _ => None,
    });
    if command.check {
        print(&looked_at, true, output);
        return match wrong.count() {
            0 => Ok(()),
            1 => Err(refused("1 line is wrong; nobody would be added")),
            count => Err(refused(format!("{count} lines are wrong; nobody would be added"))),
        };
    }
    if let Some((number, first)) = wrong.next() {
        let others = match wrong.count() {
            0 => String::new(),
            count => format!("; {count} more, which --check shows"),
        };
        return Err(refused(format!("line {number}: {}{others}; nothing was changed", said(first))));
    }
    let lines = app::user::import::apply(&opened.service, &mut conn, opened.at(), by, &text, command.invite)?;
    print(&lines, false, output);
    Ok(())
}

fn refused(why: impl Display) -> Failure {
    Failure::new("invalid_request", why)
}

fn read(file: &Path) -> Result<Zeroizing<String>, Invalid> {
    let wrong = |why: &dyn Display| Invalid::new("file", format!("{}: {why}", file.display()));
    let most = Bringer::Operator.max_bytes() as u64;
    let mut text = Zeroizing::new(String::new());
    // One byte more than may be, for a longer one to be noticed.
    let read = if file == Path::new("-") {
        io::stdin().lock().take(most + 1).read_to_string(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(most + 1).read_to_string(&mut text))
    };
    match read {
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(wrong(&"is not UTF-8")),
        Err(error) => Err(wrong(&error)),
    }
}

fn said(wrong: Wrong) -> String {
    match wrong {
        Wrong::Columns => "it has more or fewer columns than the first line".to_owned(),
        Wrong::Unreadable => "it has a character that was no UTF-8 before".to_owned(),
        Wrong::Name => "name: this cannot be a name".to_owned(),
        Wrong::Twice(before) => format!("name: stands in line {before} already"),
        Wrong::Email => "email: this is no e-mail address".to_owned(),
        Wrong::Role => "role: must be user, helpdesk, auditor or admin".to_owned(),
        Wrong::RoleOutOfReach => "role: cannot be given".to_owned(),
        Wrong::Uri => "uri: this is no otpauth:// URI of a TOTP or HOTP factor".to_owned(),
        Wrong::UriTwice => "uri: has the same secret twice".to_owned(),
        Wrong::Counter => "uri: its counter is too large".to_owned(),
        Wrong::TooManyUris => "uri: these are more factors than a user may have".to_owned(),
    }
}

fn fate(line: &Line) -> String {
    match line.fate {
        Fate::New { invited, factors } => {
            let with = match factors {
                0 => String::new(),
                1 => " with 1 factor".to_owned(),
                count => format!(" with {count} factors"),
            };
            format!("new{with}{}", if invited { ", invited" } else { "" })
        }
        Fate::Exists => "exists already".to_owned(),
        Fate::Wrong(wrong) => format!("wrong: {}", said(wrong)),
    }
}

/// What may be shown of a line as its name: where columns were mixed up it is a secret.
fn name(line: &Line) -> &str {
    match line.fate {
        Fate::Wrong(Wrong::Name | Wrong::Columns) => "",
        _ => &line.name,
    }
}

fn line_json(line: &Line) -> Value {
    let (state, invited, factors, why) = match line.fate {
        Fate::New { invited, factors } => ("new", invited, factors, None),
        Fate::Exists => ("exists", false, 0, None),
        Fate::Wrong(wrong) => ("wrong", false, 0, Some(said(wrong))),
    };
    let mut document = json!({ "line": line.number, "name": name(line), "state": state, "invited": invited, "factors": factors });
    if let Some(why) = why {
        document["why"] = why.into();
    }
    document
}

fn print(lines: &[Line], only_looked: bool, output: &Output) {
    let count = |wanted: fn(Fate) -> bool| lines.iter().filter(|line| wanted(line.fate)).count();
    let new = count(|fate| matches!(fate, Fate::New { .. }));
    let (existing, wrong) =
        (count(|fate| fate == Fate::Exists), count(|fate| matches!(fate, Fate::Wrong(_))));
    let document = json!({
        "changed": !only_looked,
        "new": new,
        "existing": existing,
        "wrong": wrong,
        "lines": lines.iter().map(line_json).collect::<Vec<_>>(),
    });
    output.print(&document, || {
        let row = |line: &Line| [line.number.to_string(), name(line).to_owned(), fate(line)];
        // Of what was done only the rest is news.
        let mut shown = lines.iter().filter(|line| only_looked || line.fate == Fate::Exists).peekable();
        let done = match (only_looked, wrong) {
            (true, 0) => "would be added; nothing was changed",
            (true, _) => "new",
            (false, _) => "added",
        };
        let said = format!("{new} {done}, {existing} existed already, {wrong} wrong");
        if shown.peek().is_none() {
            return said;
        }
        format!("{}\n{said}", table(["LINE", "NAME", "FATE"], shown.map(row)))
    });
}
