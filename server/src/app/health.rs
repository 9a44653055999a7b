//! Whether this server can do its work, and how the installation is.

use crate::app::context::{Service, Stop};
use crate::db::signing_key::StoredKey;
use crate::db::{self, Conn};
use crate::domain::time::Timestamp;
use crate::domain::token::KeyState;
use crate::error::Fault;

/// Asks the database for the current signing key and opens it: everything that a token needs. Whose master key was rotated meanwhile opens no
/// factor.
pub fn ready(service: &Service, conn: &mut Conn) -> Result<(), Stop> {
    service.must_be_bound(conn)?;
    service.signing_key(&current_key(conn)?)?;
    Ok(())
}

/// What is worth watching of what all servers share.
pub struct Vitals {
    /// How many mails wait.
    pub mails_waiting: i64,
    /// How long the first of them has, in seconds.
    pub oldest_mail_s: Option<i64>,
    /// How long the current signing key has signed, in seconds.
    pub signing_key_s: i64,
}

/// Looks at it. Cheap, however many users there are.
pub fn vitals(conn: &mut Conn, now: Timestamp) -> Result<Vitals, Stop> {
    let current = current_key(conn)?;
    let (mails_waiting, since) = db::outbox::waiting(conn)?;
    let age = |since: Timestamp| ((now.millis() - since.millis()) / 1000).max(0);
    Ok(Vitals {
        mails_waiting,
        oldest_mail_s: since.map(age),
        signing_key_s: age(current.activated_at.unwrap_or(current.created_at)),
    })
}

fn current_key(conn: &mut Conn) -> Result<StoredKey, Fault> {
    db::signing_key::find_in_state(conn, KeyState::Current)?
        .ok_or(Fault::Corrupt { what: "current signing key" })
}
