//! Reading the audit log, proving that nothing in it was altered or taken out, and deleting what is older than is kept.

pub mod export;

use std::collections::BTreeMap;

use crate::app::context::{At, Service, Stop};
use crate::crypto::keyed_hash::Purpose;
use crate::db::audit::Tail;
pub use crate::db::audit::{Filter, Looked};
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Entry, Event, Subject};
use crate::domain::figures::Day;
use crate::domain::id::UserId;
use crate::domain::refusal::Refusal;
use crate::domain::user::UserName;

/// How many entries are read at a time.
const PAGE: i64 = 1000;

/// How many entries are deleted at a time: so few that a code does not notice the wait.
const PRUNED_AT_ONCE: i64 = 200;

/// How many are looked through in one go for the first that is not old enough.
const LOOKED_THROUGH_AT_ONCE: i64 = 10_000;

/// The last `limit` entries, in order.
pub fn last(conn: &mut Conn, limit: i64) -> Result<Vec<Entry>, Stop> {
    let (head, _) = db::audit::head(conn)?;
    Ok(db::audit::page(conn, head.saturating_sub(limit), limit)?)
}

/// A page of entries before a number, the youngest first.
pub fn page(conn: &mut Conn, before: i64, filter: &Filter, limit: i64) -> Result<Looked, Stop> {
    Ok(db::audit::page_back(conn, before, filter, limit)?)
}

/// How somebody is part of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Part {
    /// By, or to.
    #[default]
    Either,
    /// Who did it.
    Actor,
    /// To whom it was done.
    Subject,
}

/// What somebody looks for in the log, in the words of people.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// What was done.
    pub action: Option<Action>,
    /// Somebody: a user's or an application's name, or as the log has it. Empty: anybody.
    pub who: String,
    /// As what.
    pub part: Part,
    /// Only what was refused, or only what was not.
    pub refused: Option<bool>,
    /// The first day.
    pub from: Option<Day>,
    /// The last day.
    pub until: Option<Day>,
}

/// What a search comes down to: entries that stand now, whatever is appended meanwhile.
#[derive(Clone, Debug)]
pub struct Selection {
    filter: Filter,
    before: i64,
}

/// Resolves names and days. `None`: nobody has this name.
pub fn select(conn: &mut Conn, search: &Search) -> Result<Option<Selection>, Stop> {
    let (head, _) = db::audit::head(conn)?;
    let mut filter = Filter {
        action: search.action.map(|action| action.as_str().to_owned()),
        refused: search.refused,
        ..Filter::default()
    };
    if !search.who.is_empty() {
        let Some(stored) = stored(conn, &search.who)? else { return Ok(None) };
        match search.part {
            Part::Either => filter.of = Some(stored),
            Part::Actor => filter.actor = Some(stored),
            Part::Subject => filter.subject = Some(stored),
        }
    }
    if let Some(day) = search.from {
        filter.after = db::audit::first_since(conn, day.begins_at(), 1, head)? - 1;
    }
    let before = match search.until {
        Some(day) => db::audit::first_since(conn, day.plus(1).begins_at(), filter.after + 1, head)?,
        None => head + 1,
    };
    Ok(Some(Selection { filter, before }))
}

/// As the log has it: a word or `kind:id` stands for itself, everything else is the name of a user or an application.
fn stored(conn: &mut Conn, who: &str) -> Result<Option<String>, Stop> {
    let is_word =
        [Actor::Operator, Actor::Anonymous, Actor::System].iter().any(|actor| actor.stored() == who);
    // Factors and sessions stand in older entries.
    let kinds = ["user:", "factor:", "client:", "group:", "session:", "signing_key:"];
    if is_word || kinds.iter().any(|kind| who.starts_with(kind)) {
        return Ok(Some(who.to_owned()));
    }
    if let Ok(name) = UserName::parse(who)
        && let Some(user) = db::user::find_by_name(conn, &name)?
    {
        return Ok(Some(Subject::User(user.id).stored()));
    }
    Ok(db::client::find_by_name(conn, who)?.map(|client| Subject::Client(client.id).stored()))
}

/// Up to `limit` of the selected entries before a number, the youngest first.
pub fn page_of(conn: &mut Conn, selection: &Selection, before: i64, limit: i64) -> Result<Looked, Stop> {
    Ok(db::audit::page_back(conn, before.min(selection.before), &selection.filter, limit)?)
}

/// An entry, and those that stand before and after it.
pub fn show(conn: &mut Conn, seq: i64) -> Result<(Entry, [Option<Entry>; 2]), Stop> {
    let entry = db::audit::find(conn, seq)?.ok_or(Refusal::NotFound { what: "entry" })?;
    Ok((entry, [db::audit::find(conn, seq - 1)?, db::audit::find(conn, seq.saturating_add(1))?]))
}

/// The names of all users and applications in these entries that still exist, by how the log has them.
pub fn names<'a>(
    conn: &mut Conn,
    entries: impl IntoIterator<Item = &'a Entry>,
) -> Result<BTreeMap<String, String>, Stop> {
    let mentioned = entries.into_iter().flat_map(|entry| entry.subject.iter().chain([&entry.actor]));
    let mut users: Vec<UserId> = Vec::new();
    let mut has_clients = false;
    for stored in mentioned {
        if let Some(id) = stored.strip_prefix("user:").and_then(|id| id.parse().ok())
            && !users.contains(&id)
        {
            users.push(id);
        }
        has_clients |= stored.starts_with("client:");
    }
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    if !users.is_empty() {
        let known = db::user::names(conn, &users)?;
        names.extend(known.into_iter().map(|(id, name)| (Subject::User(id).stored(), name)));
    }
    if has_clients {
        // Few, and all of them in one query.
        let known = db::client::list(conn)?;
        names.extend(
            known.into_iter().map(|client| (Subject::Client(client.id).stored(), client.name.to_string())),
        );
    }
    Ok(names)
}

/// What the chain says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Every entry stands as it was written.
    Intact {
        /// The number of the first; more than 1 where older ones were deleted as [`prune`] does.
        first: i64,
        /// The number of the last; one less than `first` in an empty log.
        last: i64,
    },
    /// The first entry that is missing, altered or out of place.
    BrokenAt(i64),
}

/// Walks the whole chain. A log that was cut off at the end together with its head shows nothing: [`export::compare`] it with an export kept
/// elsewhere.
pub fn verify(service: &Service, conn: &mut Conn) -> Result<Proof, Stop> {
    loop {
        let tail = db::audit::tail(conn)?;
        let proof = walk(service, conn, &tail)?;
        // What was deleted during the walk is not missing.
        if matches!(proof, Proof::Intact { .. }) || db::audit::tail(conn)? == tail {
            return Ok(proof);
        }
    }
}

fn walk(service: &Service, conn: &mut Conn, tail: &Tail) -> Result<Proof, Stop> {
    let (head, head_hash) = db::audit::head(conn)?;
    let (mut seq, mut previous) = (tail.seq, tail.hash.clone());
    if seq > 0 && tail.proof != proof_of(service, seq, &previous) {
        return Ok(Proof::BrokenAt(1));
    }
    while seq < head {
        let mut entries = db::audit::page(conn, seq, PAGE)?;
        entries.retain(|entry| entry.seq <= head);
        if entries.is_empty() {
            return Ok(Proof::BrokenAt(seq + 1));
        }
        for entry in entries {
            seq += 1;
            let expected = entry.chained(&previous, |parts| service.hasher.hash(Purpose::Audit, parts));
            if entry.seq != seq || entry.hash != expected {
                return Ok(Proof::BrokenAt(seq));
            }
            previous = entry.hash;
        }
    }
    let is_whole = previous == head_hash;
    Ok(if is_whole { Proof::Intact { first: tail.seq + 1, last: head } } else { Proof::BrokenAt(head) })
}

/// Only who has the master key can say where the chain begins.
fn proof_of(service: &Service, seq: i64, hash: &[u8]) -> [u8; 32] {
    service.hasher.hash(Purpose::AuditTail, &[&seq.to_be_bytes(), hash])
}

/// Deletes the entries that are older than the operator keeps, whole days of them, some in each transaction; after each, `rest` lets others
/// have their turn and says whether to go on. The log says that it was done. Nothing happens where everything is kept.
///
/// No entry goes that says it is younger, nor any behind it, whatever those say: some server's clock was wrong once. Returns the number of the entry at
/// which this ends where it says that it was written in days to come; everything behind it stays until they have come and gone.
pub fn prune(
    service: &Service,
    conn: &mut Conn,
    at: At,
    rest: impl Fn() -> bool,
) -> Result<Option<i64>, Stop> {
    let Some(days) = service.audit_keep_days else { return Ok(None) };
    let today = Day::of(at.now);
    let kept_since = today.plus(-i64::from(days)).begins_at();
    let (head, _) = db::audit::head(conn)?;
    let start = db::audit::tail(conn)?;
    let mut looked_upto = start.seq;
    let young = loop {
        let (after, upto) = (looked_upto, head.min(looked_upto.saturating_add(LOOKED_THROUGH_AT_ONCE)));
        let young = db::audit::first_young(conn, kept_since, after, upto)?;
        if young.is_some() || upto == head {
            break young;
        }
        looked_upto = upto;
        if !rest() {
            return Ok(None);
        }
    };
    let to_come = young.filter(|(_, at)| *at >= today.plus(2).begins_at()).map(|(seq, _)| seq);
    // The last entry stays, however old it is: the next is chained to it.
    let last = young.map_or(head, |(seq, _)| seq - 1).min(head - 1);
    let mut known = start.clone();
    while known.seq < last {
        let seq = last.min(known.seq + PRUNED_AT_ONCE);
        // Somebody else is at it, and has deleted this one.
        let Some(entry) = db::audit::find(conn, seq)? else { return Ok(None) };
        let proof = proof_of(service, seq, &entry.hash).to_vec();
        let next = Tail { seq, hash: entry.hash, proof };
        let is_first = known == start;
        let is_done = service.write(conn, at, |tx| {
            let is_done = db::audit::prune(tx.conn, &known, &next)?;
            if is_done && is_first {
                let event = Event::done(Actor::System, Action::AuditPruned, None);
                tx.note(event.with(format!("upto={last}")));
            }
            Ok(is_done)
        })?;
        if !is_done {
            return Ok(None);
        }
        known = next;
        if !rest() {
            return Ok(None);
        }
    }
    Ok(to_come)
}
