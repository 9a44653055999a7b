//! The audit log: append only, every row chained to the one before it by a keyed hash.

mod append;

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::db::schema::{audit, audit_head, audit_tail};
use crate::db::{Conn, segment};
use crate::domain::audit::{Action, Entry};
use crate::domain::time::Timestamp;
use crate::error::Fault;

pub use append::{LastWritten, append};

/// How many segments are looked through first for what is about somebody.
const SEGMENTS_AT_FIRST: i64 = 16;

/// How many entries are looked at in one go.
const NUMBERS_AT_ONCE: i64 = 1000;

/// How many entries one look looks at where no index finds those alone that fit, and in how many segments for what is about somebody.
const LOOKED_AT: i64 = 10 * NUMBERS_AT_ONCE;
const SEGMENTS_LOOKED_AT: i64 = 16_384;

/// The row at the end of the chain: its number and hash; (0, empty) in an empty log.
pub fn head(conn: &mut Conn) -> Result<(i64, Vec<u8>), Fault> {
    Ok(audit_head::table.find(1).select((audit_head::seq, audit_head::hash)).first(conn)?)
}

/// Where the chain begins.
#[derive(Clone, PartialEq, Eq, Debug, Queryable, Selectable, diesel::AsChangeset)]
#[diesel(table_name = audit_tail)]
pub struct Tail {
    /// The number of the last entry that was deleted; 0 while none was.
    pub seq: i64,
    /// That entry's hash; empty while there is none.
    pub hash: Vec<u8>,
    /// A keyed hash of both; empty while there is none.
    pub proof: Vec<u8>,
}

/// Where the chain begins now.
pub fn tail(conn: &mut Conn) -> Result<Tail, Fault> {
    Ok(audit_tail::table.find(1).select(Tail::as_select()).first(conn)?)
}

/// Deletes everything up to the new beginning of the chain. `false` where it does not begin at `known` any more; then nothing is done.
pub fn prune(conn: &mut Conn, known: &Tail, next: &Tail) -> Result<bool, Fault> {
    let moved =
        diesel::update(audit_tail::table.filter(audit_tail::seq.eq(known.seq))).set(next).execute(conn)?;
    if moved == 1 {
        // With its beginning, too, or PostgreSQL would pass by all that was deleted before and is not cleared away yet.
        let between = audit::table.filter(audit::seq.gt(known.seq)).filter(audit::seq.le(next.seq));
        diesel::delete(between).execute(conn)?;
    }
    Ok(moved == 1)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit)]
struct Row {
    seq: i64,
    at: i64,
    actor: String,
    action: String,
    subject: Option<String>,
    outcome: String,
    address: Option<String>,
    detail: Option<String>,
    hash: Vec<u8>,
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            seq: row.seq,
            at: Timestamp::from_millis(row.at),
            actor: row.actor,
            action: row.action,
            subject: row.subject,
            outcome: row.outcome,
            address: row.address,
            detail: row.detail,
            hash: row.hash,
        }
    }
}

/// The last `limit` entries whose actor or subject this is, the youngest first, as far back as one look reaches.
pub fn of_user(conn: &mut Conn, user: &str, limit: i64) -> Result<Vec<Entry>, Fault> {
    let filter = Filter { of: Some(user.to_owned()), ..Filter::default() };
    Ok(page_back(conn, i64::MAX, &filter, limit)?.entries)
}

/// What entries to look for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// With this action.
    pub action: Option<String>,
    /// With this subject, as stored.
    pub subject: Option<String>,
    /// By this actor, as stored.
    pub actor: Option<String>,
    /// With this actor or subject, as stored.
    pub of: Option<String>,
    /// Only what was refused, or only what was not.
    pub refused: Option<bool>,
    /// Behind this number.
    pub after: i64,
}

impl Filter {
    /// Whether one index finds what fits and nothing else: all entries, or those with one thing in common.
    fn is_served(&self) -> bool {
        let conditions = usize::from(self.action.is_some())
            + usize::from(self.actor.is_some())
            + usize::from(self.refused.is_some());
        self.subject.is_none() && conditions <= usize::from(self.refused != Some(false))
    }
}

/// What one look back has found.
#[derive(Debug)]
pub struct Looked {
    /// What fits, the youngest first.
    pub entries: Vec<Entry>,
    /// Before which number the next look goes on; none: at the beginning of the log there is nothing more.
    pub next: Option<i64>,
}

/// Up to `limit` entries before number `before`, the youngest first. What no index finds by itself is looked for among a bounded number of entries
/// and segments, so there may be fewer of them, or none, and more in the next look.
pub fn page_back(conn: &mut Conn, before: i64, filter: &Filter, limit: i64) -> Result<Looked, Fault> {
    let mut looks = Vec::new();
    match &filter.of {
        None => looks.push(look_back(conn, before, filter, limit)?),
        // Two queries that an index each serves; `OR` would walk the whole log.
        Some(of) => {
            if filter.subject.as_ref().is_none_or(|subject| subject == of) {
                let about = Filter { of: None, subject: Some(of.clone()), ..filter.clone() };
                looks.push(look_back(conn, before, &about, limit)?);
            }
            if filter.actor.as_ref().is_none_or(|actor| actor == of) {
                let by = Filter { of: None, actor: Some(of.clone()), ..filter.clone() };
                looks.push(look_back(conn, before, &by, limit)?);
            }
        }
    }
    // As far back as all of them have looked.
    let mut next = looks.iter().filter_map(|(_, next)| *next).max();
    let mut rows: Vec<Row> = looks.into_iter().flat_map(|(rows, _)| rows).collect();
    rows.retain(|row| next.is_none_or(|next| row.seq >= next));
    rows.sort_by_key(|row| std::cmp::Reverse(row.seq));
    rows.dedup_by_key(|row| row.seq);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if rows.len() > limit {
        rows.truncate(limit);
        next = rows.last().map(|row| row.seq);
    }
    Ok(Looked { entries: rows.into_iter().map(Entry::from).collect(), next })
}

/// The same for one index, as [`Looked`]. What is about somebody is looked for segment by segment, from the log's end on: in a few at first, since most
/// have done something lately, then in four times as many.
fn look_back(
    conn: &mut Conn,
    before: i64,
    filter: &Filter,
    limit: i64,
) -> Result<(Vec<Row>, Option<i64>), Fault> {
    if filter.is_served() {
        let rows = matching(conn, None, before, filter, limit)?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
        let next = rows.last().filter(|_| is_full).map(|row| row.seq);
        return Ok((rows, next));
    }
    let lowest = filter.after.max(tail(conn)?.seq);
    let mut before = before.min(head(conn)?.0 + 1);
    let mut width = SEGMENTS_AT_FIRST * segment::ENTRIES;
    let (mut rows, mut segments, mut looked_at) = (Vec::new(), 0, 0);
    loop {
        let wanted = limit - i64::try_from(rows.len()).unwrap_or(limit);
        if before <= lowest + 1 {
            return Ok((rows, None));
        }
        if wanted <= 0 {
            return Ok((rows, Some(before)));
        }
        if looked_at >= LOOKED_AT || segments >= SEGMENTS_LOOKED_AT {
            return Ok((rows, Some(before)));
        }
        let (numbers, floor) = if let Some(subject) = &filter.subject {
            let floor = lowest.max(before.saturating_sub(width));
            segments += (before - floor) / segment::ENTRIES;
            (segment::entries_about(conn, subject, floor, before, NUMBERS_AT_ONCE)?, floor)
        } else {
            (candidates(conn, before, lowest, filter)?, lowest)
        };
        let count = i64::try_from(numbers.len()).unwrap_or(NUMBERS_AT_ONCE);
        looked_at += count;
        let reached = numbers.last().copied().filter(|_| count >= NUMBERS_AT_ONCE).unwrap_or(floor + 1);
        if !numbers.is_empty() {
            rows.extend(matching(conn, Some(numbers), before, filter, wanted)?);
        }
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count >= limit);
        before = rows.last().filter(|_| is_full).map_or(reached, |row| row.seq);
        width = width.saturating_mul(4);
    }
}

/// The numbers of entries that fit as much of a filter as one index serves, some at a time, the youngest first: those of its actor, else what was
/// refused, else those with its action, else all.
fn candidates(conn: &mut Conn, before: i64, after: i64, filter: &Filter) -> Result<Vec<i64>, Fault> {
    let mut query = audit::table
        .filter(audit::seq.lt(before))
        .filter(audit::seq.gt(after))
        .order(audit::seq.desc())
        .limit(NUMBERS_AT_ONCE)
        .select(audit::seq)
        .into_boxed();
    if let Some(actor) = &filter.actor {
        query = query.filter(audit::actor.eq(actor));
    } else if filter.refused == Some(true) {
        query = query.filter(refused());
    } else if let Some(action) = &filter.action {
        query = query.filter(audit::action.eq(action));
    }
    Ok(query.load(conn)?)
}

/// Those that fit a filter, if they are among `numbers`.
fn matching(
    conn: &mut Conn,
    numbers: Option<Vec<i64>>,
    before: i64,
    filter: &Filter,
    limit: i64,
) -> Result<Vec<Row>, Fault> {
    let mut query = audit::table
        .filter(audit::seq.lt(before))
        .filter(audit::seq.gt(filter.after))
        .order(audit::seq.desc())
        .limit(limit)
        .select(Row::as_select())
        .into_boxed();
    if let Some(numbers) = numbers {
        query = query.filter(audit::seq.eq_any(numbers));
    }
    if let Some(action) = &filter.action {
        query = query.filter(audit::action.eq(action));
    }
    if let Some(actor) = &filter.actor {
        query = query.filter(audit::actor.eq(actor));
    }
    query = match filter.refused {
        Some(true) => query.filter(refused()),
        Some(false) => query.filter(audit::outcome.eq("done")),
        None => query,
    };
    Ok(query.load(conn)?)
}

/// Written as the index `audit_refused` has it: with a parameter in it neither database would see that it fits.
fn refused() -> SqlLiteral<Bool> {
    sql::<Bool>("outcome <> 'done'")
}

/// The entry of this number.
pub fn find(conn: &mut Conn, seq: i64) -> Result<Option<Entry>, Fault> {
    let row: Option<Row> = audit::table.find(seq).select(Row::as_select()).first(conn).optional()?;
    Ok(row.map(Entry::from))
}

/// The number of the first entry from `low` to `head` that was written at `at` or later; `head + 1` where there is none. Times grow with
/// the numbers, but for the moments that requests take: what one of them began before midnight may stand on either side.
pub fn first_since(conn: &mut Conn, at: Timestamp, low: i64, head: i64) -> Result<i64, Fault> {
    let (mut low, mut high) = (low, head + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let written: Option<i64> = audit::table
            .filter(audit::seq.ge(middle))
            .order(audit::seq.asc())
            .limit(1)
            .select(audit::at)
            .first(conn)
            .optional()?;
        if written.is_some_and(|written| written < at.millis()) { low = middle + 1 } else { high = middle }
    }
    Ok(low)
}

/// The first entry behind number `after` and up to `upto` that was written at `at` or later, by the clock of whoever wrote it: its number, and when.
pub fn first_young(
    conn: &mut Conn,
    at: Timestamp,
    after: i64,
    upto: i64,
) -> Result<Option<(i64, Timestamp)>, Fault> {
    let found: Option<(i64, i64)> = audit::table
        .filter(audit::seq.gt(after))
        .filter(audit::seq.le(upto))
        .filter(audit::at.ge(at.millis()))
        .order(audit::seq.asc())
        .limit(1)
        .select((audit::seq, audit::at))
        .first(conn)
        .optional()?;
    Ok(found.map(|(seq, at)| (seq, Timestamp::from_millis(at))))
}

/// How many entries behind number `after` and up to `upto` have this action.
pub fn count(conn: &mut Conn, action: Action, after: i64, upto: i64) -> Result<i64, Fault> {
    Ok(audit::table
        .filter(audit::action.eq(action.as_str()))
        .filter(audit::seq.gt(after))
        .filter(audit::seq.le(upto))
        .count()
        .get_result(conn)?)
}

/// How many of them have one of these actions and were refused.
pub fn count_refused(conn: &mut Conn, actions: &[Action], after: i64, upto: i64) -> Result<i64, Fault> {
    Ok(audit::table
        .filter(refused())
        .filter(audit::action.eq_any(actions.iter().map(|action| action.as_str()).collect::<Vec<_>>()))
        .filter(audit::seq.gt(after))
        .filter(audit::seq.le(upto))
        .count()
        .get_result(conn)?)
}

/// Up to `limit` entries after number `after`, in order.
pub fn page(conn: &mut Conn, after: i64, limit: i64) -> Result<Vec<Entry>, Fault> {
    let rows: Vec<Row> = audit::table
        .filter(audit::seq.gt(after))
        .order(audit::seq.asc())
        .limit(limit)
        .select(Row::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(Entry::from).collect())
}
