//! Reading the audit log, and proving that nothing in it was altered or taken out.

use crate::app::context::{Service, Stop};
use crate::crypto::keyed_hash::Purpose;
pub use crate::db::audit::Filter;
use crate::db::{self, Conn};
use crate::domain::audit::Entry;

/// How many entries are read at a time.
const PAGE: i64 = 1000;

/// The last `limit` entries, in order.
pub fn last(conn: &mut Conn, limit: i64) -> Result<Vec<Entry>, Stop> {
    let (head, _) = db::audit::head(conn)?;
    Ok(db::audit::page(conn, head.saturating_sub(limit), limit)?)
}

/// A page of entries before a number, the youngest first.
pub fn page(conn: &mut Conn, before: i64, filter: &Filter, limit: i64) -> Result<Vec<Entry>, Stop> {
    Ok(db::audit::page_back(conn, before, filter, limit)?)
}

/// What the chain says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Every one of this many entries stands as it was written.
    Intact(i64),
    /// The first entry that is missing, altered or out of place.
    BrokenAt(i64),
}

/// Walks the whole chain. A log that was cut off at the end together with its head shows nothing: compare the number with one kept
/// elsewhere.
pub fn verify(service: &Service, conn: &mut Conn) -> Result<Proof, Stop> {
    let (head, head_hash) = db::audit::head(conn)?;
    let (mut seq, mut previous) = (0, Vec::new());
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
    Ok(if previous == head_hash { Proof::Intact(head) } else { Proof::BrokenAt(head) })
}
