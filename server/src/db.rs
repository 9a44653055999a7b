//! The database: SQLite or PostgreSQL behind one [`Conn`]. One file a table below this one, verbs only; the conditional
//! statement decides, never a value read before.

pub mod audit;
pub mod authorization_code;
pub mod backup;
pub mod catalogue;
pub mod client;
pub mod condition;
mod conn;
pub mod copying;
pub mod factor;
pub mod factor_phone;
pub mod grant;
pub mod group;
pub mod hash_key;
pub mod hold;
pub mod id_token_key;
pub mod introspect;
pub mod invitation;
pub mod known_device;
pub mod lockout;
pub mod log_file;
pub mod login;
pub mod master_key;
pub mod mfa_token;
pub mod migrate;
pub mod outbox;
mod pool;
pub mod recovery_code;
pub mod relocation;
pub mod reset_request;
pub mod revocation;
pub mod rows;
pub mod schema;
pub mod scope_rule;
pub mod segment;
pub mod session;
pub mod signing_key;
mod statement;
pub mod sweep;
pub mod token;
pub mod trusted_device;
mod turns;
pub mod user;

pub use conn::Conn;
pub use migrate::{MigrateError, Version, version};
pub use pool::{Database, Route};
pub use turns::Turns;

use diesel::result::{DatabaseErrorKind, Error, QueryResult};

use crate::domain::authorization::Details;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// Turns "there is one already" into `false`.
fn unless_taken(result: QueryResult<usize>) -> Result<bool, Fault> {
    match result {
        Ok(_) => Ok(true),
        Err(Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Reads back what was written as a word.
fn word<T: std::str::FromStr>(what: &'static str, stored: &str) -> Result<T, Fault> {
    stored.parse().map_err(|_| Fault::Corrupt { what })
}

/// Reads back an id.
fn id<T>(what: &'static str, read: Option<T>) -> Result<T, Fault> {
    read.ok_or(Fault::Corrupt { what })
}

/// Reads back `authorization_details`.
fn read_details(stored: Option<&str>) -> Result<Details, Fault> {
    Details::from_stored(stored).ok_or(Fault::Corrupt { what: "authorization details" })
}

fn time(stored: Option<i64>) -> Option<Timestamp> {
    stored.map(Timestamp::from_millis)
}
