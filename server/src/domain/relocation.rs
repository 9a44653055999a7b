//! A database's part in a move to another one.

use crate::domain::time::Timestamp;
use crate::domain::words::words;

words! {
    /// How a database takes part in a move.
    Way, "way" {
        /// A move from here was begun; this database still counts.
        Leaving = "leaving",
        /// A move to here is not finished.
        Arriving = "arriving",
        /// Everything has moved on from here.
        Left = "left",
    }
}

/// A database's part in a move.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relocation {
    /// Which part.
    pub way: Way,
    /// Names this database.
    pub mark: Vec<u8>,
    /// Names the one at the other end, as far as it is known.
    pub other: Option<Vec<u8>>,
    /// Where that is, for people.
    pub place: String,
    /// When it was begun, or finished.
    pub at: Timestamp,
}
