//! What can go wrong and is nobody's decision: a [`Fault`]. What is refused on purpose is a
//! [`crate::domain::refusal::Refusal`], a value.

use std::error::Error as StdError;

/// Something broke. The transaction rolls back, the cause is logged once, and the caller hears
/// only a request id.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The database did not answer, or could not do what was asked (503: worth another try).
    #[error("the database could not be used: {0}")]
    Database(String),
    /// Too much is asked at once (503: worth another try).
    #[error("{0}")]
    Busy(&'static str),
    /// A stored value is not what this program writes (500).
    #[error("stored {what} cannot be read")]
    Corrupt {
        /// Which value.
        what: &'static str,
    },
    /// A key does not fit or a cipher failed (500).
    #[error("{0}")]
    Crypto(&'static str),
    /// Anything else with its source (500).
    #[error("{what}")]
    Other {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Fault {
    /// For `map_err`: keeps the source and says what was being done.
    pub fn while_<E: Into<Box<dyn StdError + Send + Sync>>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Other { what, source: source.into() }
    }
}

impl From<diesel::result::Error> for Fault {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.to_string())
    }
}
