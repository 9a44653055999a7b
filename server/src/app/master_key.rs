//! Another master key in the place of the one that seals a database.
//!
//! 1. In one transaction nobody else may seal anything: [`Tx::seal`](crate::app::context::Tx::seal) finds the key bound, and waits.
//! 2. Every sealed value of every table is opened with the old key and sealed with the new one. Which they are the database itself says: a column of
//!    that name. One that does not open ends it, and nothing was changed.
//! 3. What only hashes of it are known cannot be hashed anew. The keys of hashes stay what they were, sealed under the new key; but for the key that
//!    proves backups: nothing in a database is hashed with it, and the old master key shall prove no more of them.
//! 4. The database is bound to the new key. A server that still has the old one opens nothing from then on, and seals nothing.

use crate::app::context::{At, Service, Stop};
use crate::crypto::keyed_hash::Purpose;
use crate::crypto::master_key::MasterKey;
use crate::crypto::seal::{COLUMN, Place, Sealer};
use crate::db::catalogue::{self, Table};
use crate::db::rows;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event};
use crate::error::Fault;

/// How many values are read and written at a time.
const CHUNK: usize = 1000;

/// What was sealed anew in one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resealed {
    /// Its name.
    pub table: String,
    /// How many values.
    pub values: u64,
}

/// Does it. `old` is the key that the database is bound to, from [`crate::app::start::unlock`]; `service` is made of it.
pub fn rotate(
    service: &Service,
    conn: &mut Conn,
    at: At,
    old: &MasterKey,
    new: &MasterKey,
) -> Result<Vec<Resealed>, Stop> {
    db::relocation::take_time(conn)?;
    let done = service.write(conn, at, |tx| {
        db::master_key::lock(tx.conn)?;
        service.must_be_bound(tx.conn)?;
        let (from, to) = (Sealer::new(old), Sealer::new(new));
        let kept = Purpose::ALL.into_iter().filter(|purpose| *purpose != Purpose::Backup).map(Purpose::label);
        let seal =
            |purpose| Ok((purpose, to.seal(Place::hash_key(purpose), old.derive(purpose).as_slice())?));
        let keys = kept.map(seal).collect::<Result<Vec<_>, Fault>>()?;
        let mut done = Vec::new();
        for table in catalogue::tables(tx.conn)? {
            if let Some(column) = table.columns.iter().position(|column| column.name == COLUMN) {
                // Step 3 puts others in the place of those of an earlier rotation.
                let values = if table.name == Place::hash_key("").table() {
                    db::hash_key::replace(tx.conn, &keys)?;
                    keys.len() as u64
                } else {
                    reseal(tx.conn, &table, column, (&from, &to))?
                };
                done.push(Resealed { table: table.name, values });
            }
        }
        db::master_key::rebind(tx.conn, &new.id().to_string(), &to.proof()?, tx.now)?;
        let detail = format!("from={} to={}", old.id(), new.id());
        tx.note(Event::done(Actor::Operator, Action::MasterKeyRotated, None).with(detail));
        Ok(done)
    })?;
    // As far as nobody reads just now: what was sealed under the old key stands there still.
    db::log_file::empty_patiently(conn)?;
    Ok(done)
}

/// Step 2 for one table. Returns how many values that were.
fn reseal(
    conn: &mut Conn,
    table: &Table,
    column: usize,
    (from, to): (&Sealer, &Sealer),
) -> Result<u64, Fault> {
    let (mut after, mut count) = (None, 0);
    loop {
        let mut page = rows::page(conn, table, after.as_ref(), CHUNK)?;
        let Some(last) = page.last() else { return Ok(count) };
        after = Some(last.key(table));
        page.retain(|row| row.bytes(column).is_some());
        for row in &mut page {
            let key = row.key(table);
            let row_id = key.bytes().ok_or(Fault::Corrupt { what: "key of a sealed row" })?;
            let place = Place::of(&table.name, row_id);
            let plain = from.open(place, row.bytes(column).unwrap_or_default()).map_err(|fault| {
                Fault::Database(format!("{} {key}: {fault}; nothing was changed", table.name))
            })?;
            row.set_bytes(column, to.seal(place, &plain)?);
        }
        rows::update(conn, table, column, &page)?;
        count += page.len() as u64;
    }
}
