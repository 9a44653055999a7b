//! One-time links, by keyed hash. A used one is deleted, so it cannot be used again.

use diesel::prelude::*;

use crate::db::schema::invitation;
use crate::db::{Conn, id};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// Whom a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invited {
    /// A user, to set a password and enrol a phone.
    User(UserId),
    /// Whoever starts with an empty database.
    FirstAdministrator,
}

/// Keeps a new link.
pub fn insert(
    conn: &mut Conn,
    hash: &[u8],
    user: Option<UserId>,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), Fault> {
    diesel::insert_into(invitation::table)
        .values((
            invitation::hash.eq(hash),
            invitation::user_id.eq(user.as_ref().map(UserId::bytes)),
            invitation::created_at.eq(now.millis()),
            invitation::expires_at.eq(expires_at.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Whom the link with this keyed hash is for, if it is still good.
pub fn find_live(conn: &mut Conn, hash: &[u8], now: Timestamp) -> Result<Option<Invited>, Fault> {
    let found: Option<Option<Vec<u8>>> = invitation::table
        .find(hash)
        .filter(invitation::expires_at.gt(now.millis()))
        .select(invitation::user_id)
        .first(conn)
        .optional()?;
    found
        .map(|user| match user {
            Some(bytes) => Ok(Invited::User(id("user id", UserId::from_bytes(&bytes))?)),
            None => Ok(Invited::FirstAdministrator),
        })
        .transpose()
}

/// Uses a link up; of any number of callers one gets `true`.
pub fn consume(conn: &mut Conn, hash: &[u8]) -> Result<bool, Fault> {
    Ok(diesel::delete(invitation::table.find(hash)).execute(conn)? == 1)
}

/// Voids all links of a user; returns how many there were.
pub fn void(conn: &mut Conn, user: UserId) -> Result<usize, Fault> {
    Ok(diesel::delete(invitation::table.filter(invitation::user_id.eq(user.bytes()))).execute(conn)?)
}

/// Voids all links for a first administrator; returns how many there were. They are one row each, and every server that starts with an
/// empty database makes one: of two that are used at once, the second finds its own gone.
pub fn void_first(conn: &mut Conn) -> Result<usize, Fault> {
    Ok(diesel::delete(invitation::table.filter(invitation::user_id.is_null())).execute(conn)?)
}

/// When a user's youngest link ends, if there is a good one.
pub fn pending(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Option<Timestamp>, Fault> {
    let last: Option<i64> = invitation::table
        .filter(invitation::user_id.eq(user.bytes()))
        .filter(invitation::expires_at.gt(now.millis()))
        .select(diesel::dsl::max(invitation::expires_at))
        .first(conn)?;
    Ok(last.map(Timestamp::from_millis))
}

/// Voids everybody's links; returns how many there were.
pub fn void_all(conn: &mut Conn) -> Result<usize, Fault> {
    Ok(diesel::delete(invitation::table).execute(conn)?)
}
