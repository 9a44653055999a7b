//! What commands print: one JSON document, or a short table for people; and one line when they fail.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Value, json};

use crate::app::audit::Proof;
use crate::app::backup::BackupError;
use crate::app::context::Stop;
use crate::app::relocation::MoveError;
use crate::app::restore::RestoreError;
use crate::app::start::StartError;
use crate::db::MigrateError;
use crate::domain::refusal::{Invalid, Refusal};
use crate::error::Fault;
use crate::http::TlsError;

/// Why a command failed: a stable code and one line.
pub(super) struct Failure {
    code: &'static str,
    text: String,
}

impl Failure {
    pub(super) fn new(code: &'static str, text: impl fmt::Display) -> Self {
        // One line, whatever the database had to say.
        Self { code, text: text.to_string().replace(['\n', '\r'], " ") }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.code(), refusal)
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        Self::new("invalid_request", invalid)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::new("fault", fault)
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Refused(refusal) => refusal.into(),
            Stop::Broken(fault) => fault.into(),
        }
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Self::new("database", error)
    }
}

impl From<MoveError> for Failure {
    fn from(error: MoveError) -> Self {
        match error {
            MoveError::Closed(error) => error.into(),
            MoveError::Broken(fault) => fault.into(),
            other => Self::new("move", other),
        }
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Closed(error) => error.into(),
            BackupError::Broken(fault) => fault.into(),
            other => Self::new("backup", other),
        }
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Closed(error) => error.into(),
            RestoreError::Broken(fault) => fault.into(),
            other => Self::new("restore", other),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::new("start", error)
    }
}

impl Failure {
    /// Of a command that was done and could not say so.
    pub(super) fn unsaid(error: &io::Error) -> Self {
        Self::new("output", format!("the command was done, but its result could not be printed: {error}"))
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        Self::new("tls", format!("tls: {error}"))
    }
}

/// How results are printed.
pub(super) struct Output {
    /// As JSON.
    pub(super) json: bool,
    /// Why something could not be printed.
    lost: RefCell<Option<io::Error>>,
}

impl Output {
    /// As JSON, or for people.
    pub(super) const fn new(json: bool) -> Self {
        Self { json, lost: RefCell::new(None) }
    }

    /// Why something could not be printed, such as on a full disk: it may have been the only time that a secret is shown. A reader who went away is no
    /// reason.
    pub(super) fn lost(&self) -> Option<io::Error> {
        self.lost.take().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// Prints `value` as JSON, or else what `human` says.
    pub(super) fn print(&self, value: &impl Serialize, human: impl FnOnce() -> String) {
        let text = if self.json {
            serde_json::to_string_pretty(value).expect("what commands print is always JSON")
        } else {
            human()
        };
        let mut out = io::stdout().lock();
        if let Err(error) = writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
            *self.lost.borrow_mut() = Some(error);
        }
    }

    /// Says what somebody should know although the command went well, to standard error.
    pub(super) fn warn(text: &str) {
        let _ = writeln!(io::stderr(), "countersign: {text}");
    }

    /// Prints why the command failed, to standard error.
    pub(super) fn failed(&self, failure: &Failure) {
        let _ = if self.json {
            let document = json!({ "error": failure.code, "error_description": failure.text });
            writeln!(io::stderr(), "{document}")
        } else {
            writeln!(io::stderr(), "countersign: {}", failure.text)
        };
    }
}

/// What `audit verify` would say of a log, for a document.
pub(super) fn proof_json(proof: &Proof) -> Value {
    match proof {
        Proof::Intact { first, last } => json!({ "intact": true, "entries": last - first + 1 }),
        Proof::BrokenAt(entry) => json!({ "intact": false, "broken_at": entry }),
    }
}

/// The same for people; `since` says since when a broken one was broken.
pub(super) fn proof_text(proof: &Proof, since: &str) -> String {
    match proof {
        Proof::Intact { first, last } => {
            format!("Audit log: all {} entries stand as they were written.", last - first + 1)
        }
        Proof::BrokenAt(entry) => {
            format!(
                "Audit log: entry {entry} was altered, moved or taken out, and so it was before the {since}."
            )
        }
    }
}

/// Whether a character moves or turns what stands around it in a terminal.
fn disarranges(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A table with a heading, columns as wide as their widest cell. Control characters in cells are shown as dots, so that no name can move the
/// cursor.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(heading.map(str::to_owned))
        .chain(rows)
        .map(|row| row.map(|cell| cell.replace(disarranges, "·")))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
