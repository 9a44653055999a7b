//! Recovery codes, by keyed hash. A used one is deleted, so it cannot be used again.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::recovery_code;
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// A recovery code that was right and is now used up. Only [`spend`] makes it; only a token can be made of it, for its user.
#[must_use]
#[derive(Debug)]
pub struct SpentRecoveryCode {
    user: UserId,
}

impl SpentRecoveryCode {
    /// Whose code it was.
    pub const fn user(&self) -> UserId {
        self.user
    }
}

/// Uses up a code of this user; of any number of callers one gets `Some`.
pub fn spend(conn: &mut Conn, user: UserId, hash: &[u8]) -> Result<Option<SpentRecoveryCode>, Fault> {
    let spent =
        diesel::delete(recovery_code::table.find(hash).filter(recovery_code::user_id.eq(user.bytes())))
            .execute(conn)?;
    Ok((spent == 1).then_some(SpentRecoveryCode { user }))
}

/// Adds a code.
pub fn insert(conn: &mut Conn, user: UserId, hash: &[u8], now: Timestamp) -> Result<(), Fault> {
    diesel::insert_into(recovery_code::table)
        .values((
            recovery_code::hash.eq(hash),
            recovery_code::user_id.eq(user.bytes()),
            recovery_code::created_at.eq(now.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// How many codes a user has left.
pub fn count(conn: &mut Conn, user: UserId) -> Result<i64, Fault> {
    Ok(recovery_code::table.filter(recovery_code::user_id.eq(user.bytes())).count().get_result(conn)?)
}

/// How many codes a user has left of those that were made together, as a set; the ones that replaced used ones came later, one by one.
pub fn count_of_set(conn: &mut Conn, user: UserId) -> Result<i64, Fault> {
    let made: Vec<i64> = recovery_code::table
        .filter(recovery_code::user_id.eq(user.bytes()))
        .order(recovery_code::created_at.asc())
        .select(recovery_code::created_at)
        .load(conn)?;
    let together = made.iter().take_while(|at| Some(*at) == made.first()).count();
    // A code alone may be the last of the set or a replacement: either way there is no set any more to speak of.
    Ok(i64::try_from(together).unwrap_or(i64::MAX))
}

/// Takes all codes of a user away.
pub fn remove_all(conn: &mut Conn, user: UserId) -> Result<(), Fault> {
    diesel::delete(recovery_code::table.filter(recovery_code::user_id.eq(user.bytes()))).execute(conn)?;
    Ok(())
}

/// Takes everybody's codes away; returns how many there were.
pub fn remove_everybodys(conn: &mut Conn) -> Result<usize, Fault> {
    Ok(diesel::delete(recovery_code::table).execute(conn)?)
}
