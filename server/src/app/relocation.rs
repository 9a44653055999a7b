//! Moving everything from one database to another, of the same kind or the other.
//!
//! A code is accepted once, for ever, so at no moment may both databases accept codes:
//! 1. The source is marked as leaving, and keeps counting; a move that stops at any time before step 6 has changed nothing for it.
//! 2. In one transaction of the source that lasts until step 6, nobody else may change it.
//! 3. The target has to be empty, or hold what an interrupted move from this source has brought. It is marked as arriving: nobody may use it.
//! 4. What stands in the target and not exactly so in the source is deleted, then what is missing is added: after an interruption only that.
//! 5. Both are read from the start and compared row by row.
//! 6. The source is closed for good: its tables are taken away from servers that still run. The transaction ends.
//! 7. The target is opened. A move that stops between 6 and 7 leaves two closed databases, and run again goes on with 7.

use std::collections::BTreeSet;

use crate::app::context::{At, Service, Stop};
use crate::db::catalogue::{self, Table};
use crate::db::copying::{self, CHUNK, Occupied};
use crate::db::relocation;
use crate::db::rows::{self, Key, Row};
use crate::db::{self, Conn, Database, MigrateError};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::relocation::{Relocation, Way};
use crate::domain::time::Timestamp;
use crate::error::Fault;
use crate::random;

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// Nothing there to move.
    #[error("there is no database at {0}")]
    NoSource(String),
    /// No master key was ever bound to it, so nothing is in it.
    #[error("the database {0} was never used; there is nothing to move")]
    Unused(String),
    /// Nowhere to move to.
    #[error("--from and --to lead to the same database; nothing was changed")]
    Same,
    /// Somebody's data are there, another program's or a later version's.
    #[error("the database {place} {why}; nothing was changed")]
    Occupied {
        /// Where.
        place: String,
        /// What.
        why: Occupied,
    },
    /// A move from elsewhere is not finished there.
    #[error("the database {place} holds an unfinished move of another database; nothing was changed")]
    OfAnother {
        /// Where.
        place: String,
    },
    /// The two do not have the same tables.
    #[error("the table {0} does not look alike in both databases; nothing was moved")]
    Unlike(String),
    /// What was written is not what is read.
    #[error(
        "the table {0} does not read alike in both databases; the old database stays in use, the new one stays closed"
    )]
    Unequal(String),
    /// One of the databases is closed or newer.
    #[error("{0}")]
    Closed(#[from] MigrateError),
    /// A database failed.
    #[error("{0}")]
    Broken(#[from] Fault),
}

/// How far a move has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// Not begun, or interrupted: steps 1 to 7.
    Copy,
    /// All is there, the source is closed: step 7.
    Open,
}

/// Looks at both ends and changes neither.
pub fn survey(from: &Database, to: &Database) -> Result<Stage, MoveError> {
    let mut source = from.look()?.ok_or_else(|| MoveError::NoSource(from.target().shown()))?;
    if from.is_same_file(to) {
        return Err(MoveError::Same);
    }
    let mut target = to.look()?;
    if let Some(target) = &mut target
        && relocation::are_one(&mut source, target)?
    {
        return Err(MoveError::Same);
    }
    let leaving = relocation::find(&mut source)?;
    let arriving = target.as_mut().map(relocation::find).transpose()?.flatten();
    if let (Some(left), Some(arriving)) = (&leaving, &arriving)
        && left.way == Way::Left
        && arriving.way == Way::Arriving
        && left.other.as_ref() == Some(&arriving.mark)
    {
        return Ok(Stage::Open);
    }
    if let Some(error) = leaving.clone().and_then(MigrateError::closed) {
        return Err(error.into());
    }
    if db::master_key::find(&mut source)?.is_none() {
        return Err(MoveError::Unused(from.target().shown()));
    }
    if let Some(target) = &mut target {
        to.must_hold_every_name(target)?;
        let mark = leaving.map(|leaving| leaving.mark);
        must_be_free(target, arriving.as_ref(), mark.as_deref(), &to.target().shown())?;
    }
    Ok(Stage::Copy)
}

/// Whether the target is empty, or holds what a move from the source with this mark has brought.
fn must_be_free(
    target: &mut Conn,
    arriving: Option<&Relocation>,
    source: Option<&[u8]>,
    place: &str,
) -> Result<(), MoveError> {
    match arriving {
        Some(arriving) if arriving.way == Way::Arriving => {
            let is_same = source.is_some() && arriving.other.as_deref() == source;
            if is_same { Ok(()) } else { Err(MoveError::OfAnother { place: place.to_owned() }) }
        }
        Some(left) if left.way == Way::Left => {
            Err(MigrateError::MovedAway { place: left.place.clone(), at: left.at }.into())
        }
        _ => must_be_empty(target, place),
    }
}

fn must_be_empty(target: &mut Conn, place: &str) -> Result<(), MoveError> {
    let place = place.to_owned();
    match copying::occupied(target)? {
        None => Ok(()),
        Some(why) => Err(MoveError::Occupied { place, why }),
    }
}

/// What was done with one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Moved {
    /// Its name.
    pub table: String,
    /// How many rows it has, at both ends.
    pub rows: u64,
    /// How many of them were written now; the others were there from an interrupted move.
    pub written: u64,
}

/// Steps 1 to 6. The source must be unlocked already: its master key opens what is copied.
pub fn copy(from: &Database, to: &Database, now: Timestamp) -> Result<Vec<Moved>, MoveError> {
    let (from_shown, to_shown) = (from.target().shown(), to.target().shown());
    let (mut source, mut target) = (from.prepare_for_move()?, to.prepare_for_move()?);
    relocation::take_time(&mut source)?;
    relocation::take_time(&mut target)?;
    let mark = source.write_or_stop(|conn| leave(conn, &to_shown, now))?;
    source.write_or_stop(|source| {
        let tables = catalogue::tables(source)?;
        relocation::hold(source, &tables)?;
        must_be_alike(&tables, &catalogue::tables(&mut catalogue::pristine()?)?)?;
        must_be_alike(&tables, &catalogue::tables(&mut target)?)?;
        let arriving =
            target.write_or_stop(|target| claim(target, &tables, &mark, (&from_shown, &to_shown), now))?;
        for table in &tables {
            prune(source, &mut target, table)?;
        }
        let mut moved = Vec::with_capacity(tables.len());
        for table in &tables {
            let written = fill(source, &mut target, table)?;
            moved.push(Moved { table: table.name.clone(), rows: 0, written });
        }
        for (table, moved) in tables.iter().zip(&mut moved) {
            let rows = copying::compare(source, &mut target, table)?;
            moved.rows = rows.ok_or_else(|| MoveError::Unequal(table.name.clone()))?;
        }
        relocation::close(source, &tables)?;
        let left = Relocation {
            way: Way::Left,
            mark: mark.clone(),
            other: Some(arriving),
            place: to_shown.clone(),
            at: now,
        };
        relocation::set(source, &left)?;
        Ok(moved)
    })
}

/// Step 1. Returns the source's mark: always the same, so that an interrupted move finds itself again.
fn leave(source: &mut Conn, place: &str, now: Timestamp) -> Result<Vec<u8>, MoveError> {
    let known = relocation::find(source)?;
    if let Some(error) = known.clone().and_then(MigrateError::closed) {
        return Err(error.into());
    }
    let mark = known.map_or_else(|| random::bytes::<16>().to_vec(), |known| known.mark);
    let leaving =
        Relocation { way: Way::Leaving, mark: mark.clone(), other: None, place: place.to_owned(), at: now };
    relocation::set(source, &leaving)?;
    Ok(mark)
}

/// Nothing may be forgotten, and nothing be written that was not asked for.
fn must_be_alike(here: &[Table], there: &[Table]) -> Result<(), MoveError> {
    copying::unlike(here, there).map_or(Ok(()), |table| Err(MoveError::Unlike(table)))
}

/// Step 3. Returns the target's mark.
fn claim(
    target: &mut Conn,
    tables: &[Table],
    source: &[u8],
    (from, to): (&str, &str),
    now: Timestamp,
) -> Result<Vec<u8>, MoveError> {
    let known = relocation::find(target)?;
    must_be_free(target, known.as_ref(), Some(source), to)?;
    if let Some(arriving) = known.filter(|known| known.way == Way::Arriving) {
        return Ok(arriving.mark);
    }
    // What migrations made is in the source, too, as it is by now.
    for table in tables.iter().rev() {
        rows::clear(target, table)?;
    }
    let mark = random::bytes::<16>().to_vec();
    let arriving = Relocation {
        way: Way::Arriving,
        mark: mark.clone(),
        other: Some(source.to_vec()),
        place: from.to_owned(),
        at: now,
    };
    relocation::set(target, &arriving)?;
    Ok(mark)
}

/// Step 4, first half: deletes from the target what is not exactly so in the source.
fn prune(source: &mut Conn, target: &mut Conn, table: &Table) -> Result<(), Fault> {
    let mut after: Option<Key> = None;
    loop {
        let there = rows::page(target, table, after.as_ref(), CHUNK)?;
        let keys: Vec<Key> = there.iter().map(|row| row.key(table)).collect();
        let Some(last) = keys.last() else { return Ok(()) };
        after = Some(last.clone());
        let here: BTreeSet<Row> = rows::with_keys(source, table, &keys)?.into_iter().collect();
        let stale = there.iter().filter(|row| !here.contains(row)).map(|row| row.key(table));
        let stale: Vec<Key> = stale.collect();
        if !stale.is_empty() {
            target.write(|target| rows::delete(target, table, &stale))?;
        }
    }
}

/// Step 4, second half: adds to the target what it lacks. Returns how many rows that were.
fn fill(source: &mut Conn, target: &mut Conn, table: &Table) -> Result<u64, Fault> {
    let is_empty = rows::page(target, table, None, 1)?.is_empty();
    let (mut after, mut written): (Option<Key>, u64) = (None, 0);
    loop {
        let mut here = rows::page(source, table, after.as_ref(), CHUNK)?;
        let Some(last) = here.last().map(|row| row.key(table)) else { return Ok(written) };
        if !is_empty {
            let there = rows::between(target, table, after.as_ref(), &last)?;
            let there: BTreeSet<Key> = there.iter().map(|row| row.key(table)).collect();
            here.retain(|row| !there.contains(&row.key(table)));
        }
        target.write(|target| rows::insert(target, table, &here))?;
        written += here.len() as u64;
        after = Some(last);
    }
}

/// Step 7. The audit log of the target says from where everything came.
pub fn open(service: &Service, target: &mut Conn, from: &Database, at: At) -> Result<(), Stop> {
    service.write(target, at, |tx| {
        relocation::remove(tx.conn)?;
        tx.note(
            Event::done(Actor::Operator, Action::DatabaseMoved, None)
                .with(format!("from={}", from.target().shown())),
        );
        Ok(())
    })
}

/// How many rows each table of an opened target has.
pub fn counts(target: &mut Conn) -> Result<Vec<Moved>, Fault> {
    let tables = catalogue::tables(target)?;
    let count = |table: Table| {
        let rows = u64::try_from(rows::count(target, &table)?).unwrap_or(0);
        Ok(Moved { table: table.name, rows, written: 0 })
    };
    tables.into_iter().map(count).collect()
}
