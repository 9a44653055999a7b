//! Whether this server can do its work.

use crate::app::context::{Service, Stop};
use crate::db::{self, Conn};
use crate::domain::token::KeyState;
use crate::error::Fault;

/// Asks the database for the current signing key and opens it: everything that a token needs.
pub fn ready(service: &Service, conn: &mut Conn) -> Result<(), Stop> {
    let current = db::signing_key::find_in_state(conn, KeyState::Current)?
        .ok_or(Fault::Corrupt { what: "current signing key" })?;
    service.signing_key(&current)?;
    Ok(())
}
