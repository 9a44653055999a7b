//! Browsers that may log in to the console without a code for a while, by keyed hash of their mark. For managers none counts: a row may
//! be older than its user's role.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::trusted_device;
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::domain::user::User;
use crate::error::Fault;

/// Trusts a browser for its user until `expires_at`.
pub fn insert(
    conn: &mut Conn,
    hash: &[u8],
    user: UserId,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<(), Fault> {
    diesel::insert_into(trusted_device::table)
        .values((
            trusted_device::hash.eq(hash),
            trusted_device::user_id.eq(user.bytes()),
            trusted_device::created_at.eq(now.millis()),
            trusted_device::expires_at.eq(expires_at.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Whether the browser with this mark is trusted for this user.
pub fn is_trusted(conn: &mut Conn, hash: &[u8], user: &User, now: Timestamp) -> Result<bool, Fault> {
    if !user.role.may_skip_the_code() {
        return Ok(false);
    }
    let known: i64 = trusted_device::table
        .find(hash)
        .filter(trusted_device::user_id.eq(user.id.bytes()))
        .filter(trusted_device::expires_at.gt(now.millis()))
        .count()
        .get_result(conn)?;
    Ok(known > 0)
}

/// How many browsers a user trusts.
pub fn count(conn: &mut Conn, user: &User, now: Timestamp) -> Result<i64, Fault> {
    if !user.role.may_skip_the_code() {
        return Ok(0);
    }
    Ok(trusted_device::table
        .filter(trusted_device::user_id.eq(user.id.bytes()))
        .filter(trusted_device::expires_at.gt(now.millis()))
        .count()
        .get_result(conn)?)
}

/// Trusts none of a user's browsers any more.
pub fn forget_all(conn: &mut Conn, user: UserId) -> Result<usize, Fault> {
    Ok(diesel::delete(trusted_device::table.filter(trusted_device::user_id.eq(user.bytes())))
        .execute(conn)?)
}

/// Trusts no browser of anybody any more.
pub fn forget_everybodys(conn: &mut Conn) -> Result<usize, Fault> {
    Ok(diesel::delete(trusted_device::table).execute(conn)?)
}
