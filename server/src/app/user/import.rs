//! Many users at once, from a list in CSV: first a preview that changes nothing, then all that can be added in one transaction.
//!
//! 1. The first line names the columns, in any order: `name`, and if wanted `email` and `role`; the operator's lists may have `uri` as well, the
//!    `otpauth` URIs of the factors that the user has already. Columns are parted by commas or, as some spreadsheets do it, by semicolons.
//! 2. Every other line is a user who is new, exists already, or has something wrong with it that is named by line and column.
//! 3. Applying adds everybody who is new, or nobody at all. Whoever exists stays as they are.

use std::collections::HashMap;

use mobile_core::KeyUri;

use crate::app::context::{At, Service, Stop, Tx};
use crate::app::factor::{NewFactor, add_alone};
use crate::app::invitation::invite_in;
use crate::app::manage::Manager;
use crate::app::outbox::queue;
use crate::app::user::{NewUser, add_in};
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Event};
use crate::domain::factor::{LastStep, MAX_ACTIVE_FACTORS, Mechanism};
use crate::domain::notice::Notice;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::user::{Role, UserName, parse_email};
use crate::error::Fault;

/// Who brings a list.
#[derive(Clone, Copy)]
pub enum Bringer<'a> {
    /// A manager, by the console.
    Manager(&'a Manager),
    /// The operator, by the command line.
    Operator,
}

impl Bringer<'_> {
    /// How many users one list may have.
    const fn max_lines(self) -> usize {
        match self {
            Self::Manager(_) => 5000,
            Self::Operator => 100_000,
        }
    }

    /// How long a list may be, in bytes.
    pub const fn max_bytes(self) -> usize {
        match self {
            Self::Manager(_) => 1024 * 1024,
            Self::Operator => 64 * 1024 * 1024,
        }
    }

    /// The columns that a list may have.
    const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Manager(_) => &["name", "email", "role"],
            // A browser is no place for other people's secrets.
            Self::Operator => &["name", "email", "role", "uri"],
        }
    }

    fn must(self) -> Result<(), Refusal> {
        match self {
            Self::Manager(manager) => manager.must("users"),
            Self::Operator => Ok(()),
        }
    }

    fn reaches(self, role: Role) -> bool {
        match self {
            Self::Manager(manager) => manager.must_reach(role).is_ok(),
            Self::Operator => true,
        }
    }
}

/// What is wrong with a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// It has more or fewer columns than the first line.
    Columns,
    /// Name or address hold U+FFFD, which stands where whoever decoded the file found no character.
    Unreadable,
    /// `name` is not a name.
    Name,
    /// `name` stands in an earlier line already.
    Twice(u64),
    /// `email` is not an address.
    Email,
    /// `role` is not a role.
    Role,
    /// `role` is one that the manager may not give.
    RoleOutOfReach,
    /// `uri` is no `otpauth` URI.
    Uri,
    /// `uri` has more of them than a user may have factors.
    TooManyUris,
    /// `uri` has the same secret twice: each code would be good twice.
    UriTwice,
    /// `uri` has a counter that leaves none behind it.
    Counter,
}

/// What is, or was, to be done with a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// The user is new.
    New {
        /// Whether an invitation goes out.
        invited: bool,
        /// How many factors come along.
        factors: usize,
    },
    /// There is a user of this name.
    Exists,
    /// Nothing, and why.
    Wrong(Wrong),
}

/// A line of the list.
#[derive(Clone, Debug)]
pub struct Line {
    /// The line's number in the text, from 1.
    pub number: u64,
    /// The name as it stands there.
    pub name: String,
    /// The address as it stands there.
    pub email: String,
    /// The role.
    pub role: String,
    /// What becomes of it.
    pub fate: Fate,
}

struct Parsed {
    line: Line,
    new: Result<Wanted, Wrong>,
}

struct Wanted {
    name: UserName,
    email: Option<String>,
    role: Role,
    factors: Vec<NewFactor>,
}

/// Says what an import would do.
pub fn preview(conn: &mut Conn, by: Bringer<'_>, text: &str, invite: bool) -> Result<Vec<Line>, Stop> {
    by.must()?;
    let mut lines = Vec::new();
    for Parsed { mut line, new } in parse(text, by)? {
        line.fate = fate(conn, by, &new, invite)?;
        lines.push(line);
    }
    Ok(lines)
}

/// Adds everybody who is new, in one transaction.
pub fn apply(
    service: &Service,
    conn: &mut Conn,
    at: At,
    by: Bringer<'_>,
    text: &str,
    invite: bool,
) -> Result<Vec<Line>, Stop> {
    by.must()?;
    let parsed = parse(text, by)?;
    // What was added before would stay if this were a refusal within the transaction.
    let mut refused = None;
    let written = service.write(conn, at, |tx| {
        let (mut lines, mut added, mut invited_users) = (Vec::with_capacity(parsed.len()), 0, 0);
        for Parsed { mut line, new } in parsed {
            line.fate = fate(tx.conn, by, &new, invite)?;
            if let (Fate::New { invited, .. }, Ok(wanted)) = (line.fate, new) {
                if let Err(stop) = add(service, tx, wanted, invited) {
                    if let Stop::Refused(why) = &stop {
                        refused = Some(Invalid::new("list", format!("stops at line {}: {why}", line.number)));
                    }
                    return Err(Fault::Busy("a line of the list was refused").into());
                }
                added += 1;
                invited_users += usize::from(invited);
            }
            lines.push(line);
        }
        let detail = format!("lines={} added={added} invited={invited_users}", lines.len());
        tx.note(Event::done(tx.origin.manager, Action::UsersImported, None).with(detail));
        Ok(lines)
    });
    match refused {
        Some(refused) => Err(refused.into()),
        None => written,
    }
}

fn add(service: &Service, tx: &mut Tx<'_>, wanted: Wanted, invited: bool) -> Result<(), Stop> {
    let Wanted { name, email, role, factors } = wanted;
    let user = add_in(tx, NewUser { name, email, role, password: None }, None)?;
    let has_factor = !factors.is_empty();
    for factor in factors {
        add_alone(service, tx, tx.origin.manager, &user, factor)?;
    }
    if has_factor {
        queue(service, tx, &user, &Notice::Enrolled)?;
    }
    if invited {
        invite_in(service, tx, &user)?;
    }
    Ok(())
}

fn fate(conn: &mut Conn, by: Bringer<'_>, new: &Result<Wanted, Wrong>, invite: bool) -> Result<Fate, Stop> {
    Ok(match new {
        Err(wrong) => Fate::Wrong(*wrong),
        Ok(wanted) if !by.reaches(wanted.role) => Fate::Wrong(Wrong::RoleOutOfReach),
        Ok(wanted) if db::user::find_by_name(conn, &wanted.name)?.is_some() => Fate::Exists,
        Ok(wanted) => Fate::New { invited: invite && wanted.email.is_some(), factors: wanted.factors.len() },
    })
}

/// Where each column stands.
struct Columns {
    name: usize,
    email: Option<usize>,
    role: Option<usize>,
    uri: Option<usize>,
}

impl Columns {
    fn read(header: &csv::StringRecord, known: &[&'static str]) -> Result<Self, Invalid> {
        let mut places = HashMap::new();
        for (index, title) in header.iter().enumerate() {
            let title = title.trim().to_lowercase();
            let Some(column) = known.iter().find(|column| **column == title) else {
                let shown: String = title.chars().filter(|c| !c.is_control()).take(40).collect();
                let known = known.join(", ");
                return Err(Invalid::new("list", format!("has a column \"{shown}\"; known are {known}")));
            };
            if places.insert(*column, index).is_some() {
                return Err(Invalid::new("list", "has a column twice"));
            }
        }
        let place = |column: &str| places.get(column).copied();
        let name = place("name")
            .ok_or(Invalid::new("list", "has no column name; its first line must name the columns"))?;
        Ok(Self { name, email: place("email"), role: place("role"), uri: place("uri") })
    }
}

/// Reads a list. Only what makes it no list at all is an error here.
fn parse(text: &str, by: Bringer<'_>) -> Result<Vec<Parsed>, Stop> {
    if text.len() > by.max_bytes() {
        let mebibytes = by.max_bytes() / 1024 / 1024;
        return Err(Invalid::new("list", format!("is longer than {mebibytes} MiB")).into());
    }
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut records = reader.records();
    let unreadable = |_| Invalid::new("list", "is not CSV");
    let header = records.next().ok_or(Invalid::new("list", "is empty"))?.map_err(unreadable)?;
    let columns = Columns::read(&header, by.columns())?;
    let mut lines = Lines { text, at: 0, number: 1 };
    let mut seen = HashMap::new();
    let mut parsed = Vec::new();
    for record in records {
        let record = record.map_err(unreadable)?;
        if record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        if parsed.len() == by.max_lines() {
            return Err(Invalid::new("list", format!("has more than {} users", by.max_lines())).into());
        }
        let number = lines.number_at(record.position().map_or(0, csv::Position::byte));
        let field =
            |index: Option<usize>| index.and_then(|index| record.get(index)).unwrap_or_default().trim();
        let (name, email, role) = (field(Some(columns.name)), field(columns.email), field(columns.role));
        let line = Line {
            number,
            name: name.to_owned(),
            email: email.to_owned(),
            role: if role.is_empty() { Role::User.as_str().to_owned() } else { role.to_lowercase() },
            fate: Fate::Exists,
        };
        let uris = field(columns.uri);
        let new =
            if record.len() == header.len() { read(&line, uris, &mut seen) } else { Err(Wrong::Columns) };
        parsed.push(Parsed { line, new });
    }
    if parsed.is_empty() {
        return Err(Refusal::from(Invalid::new("list", "names no user")).into());
    }
    Ok(parsed)
}

/// Counts lines as an editor does, along with the reader, which knows where it began to look for a record but not how many blank lines
/// came before it.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    number: u64,
}

impl Lines<'_> {
    /// The number of the line of the first thing at or after this byte; bytes never go back.
    fn number_at(&mut self, byte: u64) -> u64 {
        let bytes = self.text.as_bytes();
        let start = usize::try_from(byte).unwrap_or(usize::MAX).clamp(self.at, bytes.len());
        let blank = bytes[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = self.text.get(self.at..start + blank).unwrap_or_default().matches('\n').count();
        self.at = start + blank;
        self.number += u64::try_from(passed).unwrap_or(0);
        self.number
    }
}

fn read(line: &Line, uris: &str, seen: &mut HashMap<String, u64>) -> Result<Wanted, Wrong> {
    let name = UserName::parse(&line.name).and_then(UserName::chosen).map_err(|_| Wrong::Name)?;
    if [&line.name, &line.email].iter().any(|text| text.contains(char::REPLACEMENT_CHARACTER)) {
        return Err(Wrong::Unreadable);
    }
    let email = match line.email.as_str() {
        "" => None,
        text => Some(parse_email(text).map_err(|_| Wrong::Email)?),
    };
    let role = line.role.parse().map_err(|_| Wrong::Role)?;
    if let Some(before) = seen.insert(name.folded().to_owned(), line.number) {
        return Err(Wrong::Twice(before));
    }
    let known = |uri: &str| KeyUri::parse(uri).map(|(uri, _)| NewFactor::known(&uri));
    let factors: Vec<_> = apart(uris).map(known).collect::<Result<_, _>>().map_err(|_| Wrong::Uri)?;
    if factors.len() > MAX_ACTIVE_FACTORS {
        return Err(Wrong::TooManyUris);
    }
    for (index, factor) in factors.iter().enumerate() {
        if factors[..index].iter().any(|other| other.secret == factor.secret) {
            return Err(Wrong::UriTwice);
        }
        if matches!(factor.mechanism, Mechanism::Hotp(_)) {
            LastStep::before(factor.counter).map_err(|_| Wrong::Counter)?;
        }
    }
    Ok(Wanted { name, email, role, factors })
}

/// URIs parted by blanks, which may also stand within one. What comes before the first is none.
fn apart(uris: &str) -> impl Iterator<Item = &str> {
    const SCHEME: &str = "otpauth://";
    let begins = uris.match_indices(SCHEME).map(|(at, _)| at).filter(|at| *at > 0);
    let cuts: Vec<usize> = std::iter::once(0).chain(begins).chain([uris.len()]).collect();
    let pieces = (1..cuts.len()).map(move |index| uris[cuts[index - 1]..cuts[index]].trim());
    pieces.filter(|piece| !piece.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> Vec<(u64, Option<Wrong>)> {
        let parsed = parse(text, Bringer::Operator).expect("a list");
        parsed.into_iter().map(|parsed| (parsed.line.number, parsed.new.err())).collect()
    }

    #[test]
    fn columns_come_in_any_order_and_every_line_is_judged() {
        let list = "\u{feff}Role,name,email\r\n,anna,anna@example.org\r\nboss,ben,\r\nuser,a:b,\r\nuser,cleo,nowhere\r\n\r\n\
                    user,\"ANNA\",\r\nuser,dora\r\n";
        assert_eq!(
            wrong(list),
            [
                (2, None),
                (3, Some(Wrong::Role)),
                (4, Some(Wrong::Name)),
                (5, Some(Wrong::Email)),
                (7, Some(Wrong::Twice(2))),
                (8, Some(Wrong::Columns)),
            ]
        );
        assert_eq!(wrong("name;email\nanna;anna@example.org"), [(2, None)]);
    }

    #[test]
    fn uris_are_parted_by_blanks_and_may_hold_some() {
        let uris = "  otpauth://totp/ACME Co:a b?secret=A otpauth://hotp/x?counter=1 ";
        assert_eq!(
            apart(uris).collect::<Vec<_>>(),
            ["otpauth://totp/ACME Co:a b?secret=A", "otpauth://hotp/x?counter=1"]
        );
        assert_eq!(apart("x otpauth://totp/y").collect::<Vec<_>>(), ["x", "otpauth://totp/y"]);
        assert_eq!(apart(" ").count(), 0);
    }

    #[test]
    fn what_is_no_list_is_refused_whole() {
        let long = format!("name\n{}", "a\n".repeat(Bringer::Operator.max_lines() + 1));
        for bad in ["", "email\na@b", "name,age\nanna,7", "name,name\na,b", "name\n", &long] {
            assert!(parse(bad, Bringer::Operator).is_err(), "{}", bad.get(..20).unwrap_or(bad));
        }
    }
}
