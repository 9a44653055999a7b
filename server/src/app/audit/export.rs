//! The audit log as a file, and a file held against the log.
//!
//! What was exported and is kept elsewhere shows what the chain alone cannot: entries that the log no longer has, and a chain that was written
//! anew by somebody who could.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::app::context::{Service, Stop};
use crate::db::{self, Conn};
use crate::domain::audit::{Entry, Format, SHORTEST_KEPT_DAYS, hex};
use crate::domain::figures::Day;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// How many entries are read at a time.
const PAGE: i64 = 1000;

/// How far servers' clocks may be apart, in seconds: entries stand in the order in which they were committed, each with the time of its request.
const CLOCKS_APART_S: i64 = 3600;

/// What is written beside what an entry itself says.
#[derive(Clone, Copy, Debug)]
pub enum Beside<'a> {
    /// What users and applications are called now, by how the log has them: for people.
    Names(&'a BTreeMap<String, String>),
    /// The entry's link of the chain: for [`compare`].
    Hash,
}

impl Beside<'_> {
    /// The columns, in their order.
    const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Names(_) => &[
                "seq",
                "at",
                "actor",
                "actor_name",
                "action",
                "subject",
                "subject_name",
                "outcome",
                "address",
                "detail",
            ],
            Self::Hash => {
                &["seq", "at", "actor", "action", "subject", "outcome", "address", "detail", "hash"]
            }
        }
    }

    fn name(self, stored: Option<&String>) -> Value {
        match self {
            Self::Names(names) => stored.and_then(|stored| names.get(stored)).cloned().into(),
            Self::Hash => Value::Null,
        }
    }

    /// What an entry has in a column.
    fn value(self, entry: &Entry, column: &str) -> Value {
        match column {
            "seq" => entry.seq.into(),
            "at" => entry.at.to_string().into(),
            "actor" => entry.actor.clone().into(),
            "actor_name" => self.name(Some(&entry.actor)),
            "action" => entry.action.clone().into(),
            "subject" => entry.subject.clone().into(),
            "subject_name" => self.name(entry.subject.as_ref()),
            "outcome" => entry.outcome.clone().into(),
            "address" => entry.address.clone().into(),
            "detail" => entry.detail.clone().into(),
            _ => hex(&entry.hash).into(),
        }
    }

    /// An entry, column by column.
    fn line(self, entry: &Entry) -> impl Iterator<Item = (&'static str, Value)> {
        self.columns().iter().map(move |column| (*column, self.value(entry, column)))
    }
}

/// As an object with its members in the order of the columns.
struct Line<'a>(&'a Entry, Beside<'a>);

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.1.line(self.0))
    }
}

impl Format {
    /// What stands before the first entry.
    pub fn heading(self, beside: Beside<'_>) -> Vec<u8> {
        match self {
            Self::Csv => format!("{}\n", beside.columns().join(",")).into(),
            Self::JsonLines => Vec::new(),
        }
    }

    /// These entries, each with its end of line.
    pub fn lines(self, entries: &[Entry], beside: Beside<'_>) -> Result<Vec<u8>, Fault> {
        match self {
            Self::JsonLines => {
                let mut text = Vec::new();
                for entry in entries {
                    serde_json::to_writer(&mut text, &Line(entry, beside))
                        .map_err(Fault::while_("writing JSON"))?;
                    text.push(b'\n');
                }
                Ok(text)
            }
            Self::Csv => {
                let mut writer = csv::Writer::from_writer(Vec::new());
                for entry in entries {
                    let cells = beside.line(entry).map(|(_, value)| match value {
                        Value::String(text) => cell(&text),
                        Value::Null => String::new(),
                        number => number.to_string(),
                    });
                    writer.write_record(cells).map_err(Fault::while_("writing CSV"))?;
                }
                writer.into_inner().map_err(|error| Fault::while_("writing CSV")(error.into_error()))
            }
        }
    }
}

/// A cell that no spreadsheet takes for a formula.
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// Which entries are exported.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// Those of this moment or later.
    pub since: Option<Timestamp>,
    /// Those before this moment.
    pub until: Option<Timestamp>,
}

impl Span {
    fn has(&self, entry: &Entry) -> bool {
        self.since.is_none_or(|since| since <= entry.at) && self.until.is_none_or(|until| entry.at < until)
    }
}

/// What was exported.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exported {
    /// How many entries.
    pub entries: u64,
    /// The first one's number.
    pub first: Option<i64>,
    /// The last one's number and hash.
    pub last: Option<(i64, String)>,
    /// The first number in between that the log does not have. Nobody may take out an entry, so somebody did.
    pub missing: Option<i64>,
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// What was to come next was older than is kept.
    #[error(
        "entries up to {0} were older than audit_keep_days and were deleted during the export: start again"
    )]
    Overtaken(i64),
    /// The log cannot be read.
    #[error("{0}")]
    Broken(#[from] Fault),
}

/// Hands over the entries that stand now, in order, some at a time. Each is read once, and what is appended meanwhile is left out; no
/// transaction lasts longer than a page, however slowly they are taken.
pub fn export<E: From<ExportError>>(
    conn: &mut Conn,
    span: Span,
    mut take: impl FnMut(&[Entry]) -> Result<(), E>,
) -> Result<Exported, E> {
    let (mut next, end) = bounds(conn, span).map_err(ExportError::from)?;
    let mut exported = Exported::default();
    while next < end {
        let mut entries = page(conn, next, end)?;
        let gap = (next..).zip(&entries).find_map(|(place, entry)| (entry.seq != place).then_some(place));
        let is_last = i64::try_from(entries.len()).unwrap_or(PAGE) < PAGE;
        next = entries.last().map_or(next, |entry| entry.seq + 1);
        let cut = (is_last && next < end).then_some(next);
        exported.missing = exported.missing.or(gap).or(cut);
        entries.retain(|entry| span.has(entry));
        if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
            exported.first.get_or_insert(first.seq);
            exported.last = Some((last.seq, hex(&last.hash)));
            exported.entries += entries.len() as u64;
            take(&entries)?;
        }
        if is_last {
            break;
        }
    }
    Ok(exported)
}

/// From which number to which, that one left out, to look for what a span has.
fn bounds(conn: &mut Conn, span: Span) -> Result<(i64, i64), Fault> {
    let (head, _) = db::audit::head(conn)?;
    let begin = db::audit::tail(conn)?.seq + 1;
    let mut near = |at: Option<Timestamp>, slack_s: i64| {
        at.map(|at| db::audit::first_since(conn, at.plus_seconds(slack_s), begin, head)).transpose()
    };
    let since = near(span.since, -CLOCKS_APART_S)?;
    let until = near(span.until, CLOCKS_APART_S)?;
    Ok((since.unwrap_or(begin), until.unwrap_or(head + 1)))
}

/// Up to [`PAGE`] entries from one number to another, that one left out. Without those that were taken out by force, but never without those
/// that were deleted meanwhile.
fn page(conn: &mut Conn, next: i64, end: i64) -> Result<Vec<Entry>, ExportError> {
    let mut entries = db::audit::page(conn, next - 1, PAGE)?;
    entries.retain(|entry| entry.seq < end);
    if entries.first().is_none_or(|entry| entry.seq != next) {
        let tail = db::audit::tail(conn)?.seq;
        if tail >= next {
            return Err(ExportError::Overtaken(tail));
        }
    }
    Ok(entries)
}

/// An entry as an export in JSON Lines has it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Kept {
    /// Its number.
    pub seq: i64,
    at: String,
    actor: String,
    action: String,
    subject: Option<String>,
    outcome: String,
    address: Option<String>,
    detail: Option<String>,
    hash: String,
}

impl Kept {
    /// Reads one line. Where it is not what [`Format::JsonLines`] writes beside [`Beside::Hash`], says why, and quotes nothing.
    pub fn parse(line: &[u8]) -> Result<Self, String> {
        let kept: Self = serde_json::from_slice(line)
            .map_err(|error| format!("is no entry of an export in JSON Lines (column {})", error.column()))?;
        let is_hash = kept.hash.len() == 64 && kept.hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        let wrong = |field: &str| format!("is no entry of an export in JSON Lines ({field})");
        match () {
            () if kept.seq < 1 => Err(wrong("seq")),
            () if Timestamp::parse("at", &kept.at).is_err() => Err(wrong("at")),
            () if !is_hash => Err(wrong("hash")),
            () => Ok(kept),
        }
    }

    fn of(entry: &Entry) -> Self {
        Self {
            seq: entry.seq,
            at: entry.at.to_string(),
            actor: entry.actor.clone(),
            action: entry.action.clone(),
            subject: entry.subject.clone(),
            outcome: entry.outcome.clone(),
            address: entry.address.clone(),
            detail: entry.detail.clone(),
            hash: hex(&entry.hash),
        }
    }
}

/// What an export shows about the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// The log has every entry as the export has it, but for the old ones that may be deleted.
    Agrees {
        /// How many were found.
        found: u64,
        /// How many were deleted since.
        deleted: u64,
        /// How many of those the setting of now would not have deleted.
        beyond_setting: u64,
    },
    /// The first entry of which log and export say different things.
    Differs(i64),
    /// The first entry that the log does not have.
    Missing(i64),
    /// The first entry that the log does not have, though it is younger than any setting deletes.
    DeletedTooEarly(i64),
}

/// Holds the log against exported entries, which come with growing numbers. That the log agrees with itself is
/// [`super::verify`]'s business.
pub fn compare<E: From<Stop>>(
    service: &Service,
    conn: &mut Conn,
    now: Timestamp,
    kept: impl Iterator<Item = Result<Kept, E>>,
) -> Result<Comparison, E> {
    // A day more or less is a matter of clocks.
    let deleted_before = |days: i64| Day::of(now).plus(1 - days).begins_at();
    let youngest_deleted = deleted_before(SHORTEST_KEPT_DAYS);
    let by_setting = service.audit_keep_days.map(|days| deleted_before(i64::from(days)));
    let (head, _) = db::audit::head(conn).map_err(Stop::from)?;
    let mut tail = db::audit::tail(conn).map_err(Stop::from)?;
    let mut page = Vec::new().into_iter().peekable();
    let (mut found, mut deleted, mut beyond_setting) = (0, 0, 0);
    for kept in kept {
        let kept = kept?;
        while page.next_if(|entry: &Entry| entry.seq < kept.seq).is_some() {}
        if page.peek().is_none() && kept.seq <= head {
            page = db::audit::page(conn, kept.seq - 1, PAGE).map_err(Stop::from)?.into_iter().peekable();
        }
        if let Some(entry) = page.next_if(|entry| entry.seq == kept.seq) {
            if Kept::of(&entry) != kept {
                return Ok(Comparison::Differs(kept.seq));
            }
            found += 1;
            continue;
        }
        if kept.seq > tail.seq {
            tail = db::audit::tail(conn).map_err(Stop::from)?;
        }
        if kept.seq > tail.seq {
            return Ok(Comparison::Missing(kept.seq));
        }
        // The last one that was deleted has left its hash.
        if kept.seq == tail.seq && kept.hash != hex(&tail.hash) {
            return Ok(Comparison::Differs(kept.seq));
        }
        let at = Timestamp::parse("at", &kept.at).unwrap_or(Timestamp::NEVER);
        if at >= youngest_deleted {
            return Ok(Comparison::DeletedTooEarly(kept.seq));
        }
        deleted += 1;
        beyond_setting += u64::from(by_setting.is_none_or(|last| at >= last));
    }
    Ok(Comparison::Agrees { found, deleted, beyond_setting })
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_begins_like_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        for text in ["", "name=x", "a@b.example", "2026-12-01"] {
            assert_eq!(cell(text), text);
        }
    }
}
