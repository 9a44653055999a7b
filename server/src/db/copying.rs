//! What whoever copies a whole database needs: whether the target is empty, and every row of every table.

use std::collections::BTreeSet;

use crate::db::catalogue::{self, Table};
use crate::db::rows::{self, Key, Row};
use crate::db::{Conn, migrate};
use crate::error::Fault;

/// How many rows are read and written at a time.
pub const CHUNK: usize = 1000;

/// Why a database is not empty, by the name of a table. Goes on after the database's name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Occupied {
    /// It is not one of ours, or a later version's.
    #[error("holds a table that is not Countersign's ({0})")]
    Foreign(String),
    /// It has rows that no migration made.
    #[error("is not empty (the table {0} has rows)")]
    Filled(String),
}

/// Whether a database has anything but what migrations make.
pub fn occupied(conn: &mut Conn) -> Result<Option<Occupied>, Fault> {
    let mut pristine = migrate::pristine()?;
    let known = catalogue::names(&mut pristine)?;
    if let Some(table) = catalogue::names(conn)?.into_iter().find(|name| !known.contains(name)) {
        return Ok(Some(Occupied::Foreign(table)));
    }
    for table in catalogue::tables(conn)? {
        let there = rows::page(conn, &table, None, CHUNK)?;
        // With this database's columns, which may be fewer in an older one.
        if !there.is_empty() {
            let made: BTreeSet<Row> = rows::page(&mut pristine, &table, None, CHUNK)?.into_iter().collect();
            if !there.iter().all(|row| made.contains(row)) {
                return Ok(Some(Occupied::Filled(table.name)));
            }
        }
    }
    Ok(None)
}

/// The name of a table that only one of the two has, or that looks different in the other.
pub fn unlike(here: &[Table], there: &[Table]) -> Option<String> {
    let lacking = |ours: &[Table], theirs: &[Table]| {
        ours.iter().find(|table| !theirs.contains(table)).map(|table| table.name.clone())
    };
    lacking(here, there).or_else(|| lacking(there, here))
}

/// Every row of a table in the order of the keys.
pub fn each(conn: &mut Conn, table: &Table, mut visit: impl FnMut(&Row)) -> Result<u64, Fault> {
    let (mut after, mut count): (Option<Key>, u64) = (None, 0);
    loop {
        let page = rows::page(conn, table, after.as_ref(), CHUNK)?;
        page.iter().for_each(&mut visit);
        let Some(last) = page.last() else { return Ok(count) };
        count += page.len() as u64;
        after = Some(last.key(table));
    }
}

/// Puts what one table has into that of another database in the place of what is there, all within the caller's transactions.
pub fn replace(source: &mut Conn, target: &mut Conn, tables: &[Table]) -> Result<(), Fault> {
    // Those that refer to others come after them.
    tables.iter().rev().try_for_each(|table| rows::clear(target, table))?;
    for table in tables {
        let mut after: Option<Key> = None;
        loop {
            let page = rows::page(source, table, after.as_ref(), CHUNK)?;
            let Some(last) = page.last() else { break };
            after = Some(last.key(table));
            rows::insert(target, table, &page)?;
        }
    }
    Ok(())
}

/// Reads a table at both ends from first to last row. How many there are; none where the two differ.
pub fn compare(source: &mut Conn, target: &mut Conn, table: &Table) -> Result<Option<u64>, Fault> {
    let (mut after, mut count): (Option<Key>, u64) = (None, 0);
    loop {
        let here = rows::page(source, table, after.as_ref(), CHUNK)?;
        if here != rows::page(target, table, after.as_ref(), CHUNK)? {
            return Ok(None);
        }
        let Some(last) = here.last() else { return Ok(Some(count)) };
        count += here.len() as u64;
        after = Some(last.key(table));
    }
}
