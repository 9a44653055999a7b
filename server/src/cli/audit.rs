//! `countersign audit ...`

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};
use tempfile::NamedTempFile;

use crate::app;
use crate::app::audit::Proof;
use crate::app::audit::export::{Beside, Comparison, ExportError, Exported, Kept, Span};
use crate::cli::open::{Opened, open};
use crate::cli::output::{Failure, Output, table};
use crate::db::Conn;
use crate::domain::audit::{Entry, Format};
use crate::domain::refusal::Invalid;
use crate::domain::time::Timestamp;
use crate::settings::Settings;

/// A line of an export is far shorter; what has no end of line is not read into memory.
const LONGEST_LINE: u64 = 1024 * 1024;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the last entries, in order
    List {
        /// How many
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=100_000))]
        limit: i64,
    },
    /// Prove that no entry was altered or taken out
    Verify {
        /// Hold the log against this earlier `audit export`, too: finds an end that was cut off, an older database, and a
        /// chain that was written anew
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
    },
    /// Write all entries, in order, to standard output or to a new file
    #[command(after_help = "\
As JSON Lines each entry is an object with the names that `audit list --json` has, and its link of the chain, `hash`: keep the file away \
from the database, and `audit verify --against FILE` holds the log against it later. With --output, --json prints one document about what was \
written. Without, standard output holds the entries and nothing else, whatever --json says; only an error becomes a document.")]
    Export(Export),
}

#[derive(clap::Args)]
pub(super) struct Export {
    /// One JSON object a line, or a table for spreadsheets
    #[arg(long, default_value = Format::JsonLines.as_str(), value_parser = Format::ALL.map(Format::as_str))]
    format: String,
    /// Only entries of this time or later, as 2026-12-01T08:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// A new file, for its owner alone; it is there when it is whole. An existing one is left as it is
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    match command {
        Command::List { limit } => {
            let opened = open(settings)?;
            let entries = app::audit::last(&mut *opened.database.connection()?, *limit)?;
            output.print(&entries.iter().map(entry_json).collect::<Vec<_>>(), || {
                let row = |entry: &Entry| {
                    [
                        entry.seq.to_string(),
                        entry.at.to_string(),
                        entry.actor.clone(),
                        entry.action.clone(),
                        entry.subject.clone().unwrap_or_default(),
                        entry.outcome.clone(),
                        entry.address.clone().unwrap_or_default(),
                        entry.detail.clone().unwrap_or_default(),
                    ]
                };
                let heading = ["NO", "TIME", "WHO", "WHAT", "TO WHOM", "OUTCOME", "FROM", "DETAIL"];
                table(heading, entries.iter().map(row))
            });
            Ok(())
        }
        Command::Verify { against } => verify(against.as_deref(), settings, output),
        Command::Export(export) => export.run(settings, output),
    }
}

fn entry_json(entry: &Entry) -> Value {
    json!({
        "seq": entry.seq,
        "at": entry.at.to_string(),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "outcome": entry.outcome,
        "address": entry.address,
        "detail": entry.detail,
    })
}

fn verify(against: Option<&Path>, settings: &Settings, output: &Output) -> Result<(), Failure> {
    // What cannot be read is said before anything is opened, and so before anything is made.
    let file = against.map(|path| File::open(path).map_err(|error| unusable("against", path, &error)));
    let file = file.transpose()?;
    let opened = open(settings)?;
    let mut conn = opened.database.connection()?;
    let (first, last) = match app::audit::verify(&opened.service, &mut conn)? {
        Proof::Intact { first, last } => (first, last),
        Proof::BrokenAt(entry) => {
            let what = "was altered, moved or taken out; those before it stand as they were written";
            return Err(Failure::new("audit_broken", format!("entry {entry} {what}")));
        }
    };
    let entries = last - first + 1;
    let mut document = json!({ "intact": true, "entries": entries, "first": first, "last": last });
    let older = if first > 1 {
        format!(", from {first} to {last}; the ones before were older than audit_keep_days")
    } else {
        String::new()
    };
    let mut said = format!("all {entries} entries stand as they were written{older}");
    if let (Some(path), Some(file)) = (against, file) {
        let (found, deleted, beyond_setting) = compare(&opened, &mut conn, path, file, last)?;
        document["against"] = json!({
            "file": path.display().to_string(),
            "found": found,
            "deleted": deleted,
            "deleted_beyond_setting": beyond_setting,
        });
        said = format!("{said}\nthe log has all {found} entries of {}", path.display());
        if deleted > 0 {
            said = format!("{said} that are not older than audit_keep_days; {deleted} were");
        }
        if beyond_setting > 0 {
            said = format!(
                "{said}\n{beyond_setting} of these the audit_keep_days of now would not have deleted: was it another before? \
                 If not, somebody with the master key has"
            );
        }
    }
    output.print(&document, || said);
    Ok(())
}

/// How many entries of the file the log has, how many were deleted since as they may be, and how many of those by another setting than that of now.
fn compare(
    opened: &Opened,
    conn: &mut Conn,
    path: &Path,
    file: File,
    last: i64,
) -> Result<(u64, u64, u64), Failure> {
    let file_name = path.display();
    let differs = |what: String| Err(Failure::new("audit_differs", what));
    match app::audit::export::compare(&opened.service, conn, opened.clock.now(), Lines::of(path, file))? {
        Comparison::Agrees { found: 0, deleted: 0, .. } => {
            Err(Invalid::new("against", format!("names {file_name}, which holds no entry")).into())
        }
        Comparison::Agrees { found, deleted, beyond_setting } => Ok((found, deleted, beyond_setting)),
        Comparison::Differs(seq) => differs(format!(
            "entry {seq} of the log is not the one in {file_name}: the log was written anew, or is of a database that was put back"
        )),
        Comparison::Missing(seq) => differs(format!(
            "entry {seq} of {file_name} is missing: the log ends with {last}, so its end was cut off, or an older database was put back"
        )),
        Comparison::DeletedTooEarly(seq) => differs(format!(
            "entry {seq} of {file_name} is missing: it was deleted as too old, though it is younger than any audit_keep_days"
        )),
    }
}

fn unusable(field: &'static str, path: &Path, error: &io::Error) -> Invalid {
    match error.kind() {
        ErrorKind::AlreadyExists => Invalid::new(
            field,
            format!("names {}, which exists already and is left as it is", path.display()),
        ),
        _ => Invalid::new(field, format!("names {}: {error}", path.display())),
    }
}

/// The entries of an export, line by line.
struct Lines<'a> {
    path: &'a Path,
    file: BufReader<File>,
    number: u64,
    last: i64,
}

impl<'a> Lines<'a> {
    fn of(path: &'a Path, file: File) -> Self {
        Self { path, file: BufReader::new(file), number: 0, last: 0 }
    }

    fn read(&mut self) -> Result<Option<Kept>, Failure> {
        self.number += 1;
        let wrong = |what: String| {
            Invalid::new(
                "against",
                format!("names {}, whose line {} {what}", self.path.display(), self.number),
            )
        };
        let mut line = Vec::new();
        let read = (&mut self.file).take(LONGEST_LINE).read_until(b'\n', &mut line);
        if read.map_err(|error| wrong(format!("cannot be read: {error}")))? == 0 {
            return Ok(None);
        }
        let kept = Kept::parse(&line).map_err(wrong)?;
        if kept.seq <= self.last {
            return Err(wrong("is not later in the log than the one before it".to_owned()).into());
        }
        self.last = kept.seq;
        Ok(Some(kept))
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Kept, Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// Why an export stopped.
enum Stopped {
    /// Whoever read standard output went away, which is no failure.
    ByReader,
    ByFailure(Failure),
}

impl<E: Into<Failure>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::ByFailure(error.into())
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Broken(fault) => fault.into(),
            overtaken @ ExportError::Overtaken(_) => Self::new("audit_overtaken", overtaken),
        }
    }
}

impl Export {
    fn run(&self, settings: &Settings, output: &Output) -> Result<(), Failure> {
        let format: Format = self.format.parse()?;
        let time = |field, text: Option<&String>| text.map(|text| Timestamp::parse(field, text)).transpose();
        let span =
            Span { since: time("since", self.since.as_ref())?, until: time("until", self.until.as_ref())? };
        if let Span { since: Some(since), until: Some(until) } = span
            && until <= since
        {
            return Err(Invalid::new("until", "must be later than since").into());
        }
        let Some(path) = &self.output else {
            let opened = open(settings)?;
            let mut out = BufWriter::new(io::stdout().lock());
            let written = write(&opened, span, format, |bytes| out.write_all(bytes));
            let written = written.and_then(|exported| {
                out.flush().map_err(|error| stopped(&error))?;
                Ok(exported)
            });
            return match written {
                Ok(exported) => must_be_whole(&exported),
                Err(Stopped::ByReader) => Ok(()),
                Err(Stopped::ByFailure(failure)) => Err(failure),
            };
        };
        let mut file = NewFile::begin(path)?;
        let opened = open(settings)?;
        let exported = match write(&opened, span, format, |bytes| file.write_all(bytes)) {
            Ok(exported) => exported,
            Err(Stopped::ByReader) => {
                return Err(unusable("output", path, &ErrorKind::BrokenPipe.into()).into());
            }
            Err(Stopped::ByFailure(failure)) => return Err(failure),
        };
        file.keep()?;
        self.report(&exported, path, output);
        must_be_whole(&exported)
    }

    fn report(&self, exported: &Exported, path: &Path, output: &Output) {
        let last = exported.last.as_ref();
        let document = json!({
            "file": path.display().to_string(),
            "format": self.format,
            "entries": exported.entries,
            "first": exported.first,
            "last": last.map(|(seq, _)| seq),
            "hash": last.map(|(_, hash)| hash),
        });
        output.print(&document, || match (exported.first, last) {
            (Some(first), Some((last, _))) => {
                format!("{} entries, {first} to {last}, are in {}", exported.entries, path.display())
            }
            _ => format!("no entry is of that time; {} holds none", path.display()),
        });
    }
}

/// Hands the export to `put`, some of it at a time.
fn write(
    opened: &Opened,
    span: Span,
    format: Format,
    mut put: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Exported, Stopped> {
    let mut conn = opened.database.connection()?;
    put(&format.heading(Beside::Hash)).map_err(|error| stopped(&error))?;
    app::audit::export::export(&mut conn, span, |entries| {
        put(&format.lines(entries, Beside::Hash)?).map_err(|error| stopped(&error))
    })
}

fn stopped(error: &io::Error) -> Stopped {
    match error.kind() {
        ErrorKind::BrokenPipe => Stopped::ByReader,
        _ => Failure::new("output", format!("the export cannot be written: {error}")).into(),
    }
}

/// What is there was written, but somebody has taken out what should be.
fn must_be_whole(exported: &Exported) -> Result<(), Failure> {
    match exported.missing {
        None => Ok(()),
        Some(seq) => Err(Failure::new(
            "audit_broken",
            format!("the log has no entry {seq}: see `countersign audit verify`; what it has was exported"),
        )),
    }
}

/// A file that gets its name when it is whole.
struct NewFile<'a> {
    path: &'a Path,
    begun: BufWriter<NamedTempFile>,
}

impl<'a> NewFile<'a> {
    fn begin(path: &'a Path) -> Result<Self, Invalid> {
        // Whoever is faster is seen at the end; this spares most the wait.
        if path.symlink_metadata().is_ok() {
            return Err(unusable("output", path, &ErrorKind::AlreadyExists.into()));
        }
        let begun = tempfile::Builder::new().prefix(".audit-export-").tempfile_in(folder(path));
        begun
            .map(|begun| Self { path, begun: BufWriter::new(begun) })
            .map_err(|error| unusable("output", path, &error))
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.begun.write_all(bytes)
    }

    fn keep(self) -> Result<(), Invalid> {
        let failed = |error: io::Error| unusable("output", self.path, &error);
        let file = self.begun.into_inner().map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist_noclobber(self.path).map_err(|error| failed(error.error))?;
        File::open(folder(self.path)).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
