//! Resets that wait for a second person. A decided one is deleted, so it cannot be decided again.

use diesel::prelude::*;

use crate::db::schema::reset_request;
use crate::db::{Conn, id};
use crate::domain::id::{ResetRequestId, UserId};
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// One that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request {
    /// Its id.
    pub id: ResetRequestId,
    /// Whose enrolment shall be reset.
    pub user: UserId,
    /// Who asked.
    pub asked_by: UserId,
    /// When.
    pub asked_at: Timestamp,
    /// Until when it can be decided.
    pub expires_at: Timestamp,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = reset_request)]
struct Row {
    id: Vec<u8>,
    user_id: Vec<u8>,
    asked_by: Vec<u8>,
    asked_at: i64,
    expires_at: i64,
}

impl Row {
    fn read(self) -> Result<Request, Fault> {
        Ok(Request {
            id: id("reset request id", ResetRequestId::from_bytes(&self.id))?,
            user: id("user id", UserId::from_bytes(&self.user_id))?,
            asked_by: id("user id", UserId::from_bytes(&self.asked_by))?,
            asked_at: Timestamp::from_millis(self.asked_at),
            expires_at: Timestamp::from_millis(self.expires_at),
        })
    }
}

/// Adds one. The caller sees that the user has none.
pub fn insert(conn: &mut Conn, new: &Request) -> Result<(), Fault> {
    diesel::insert_into(reset_request::table)
        .values((
            reset_request::id.eq(new.id.bytes()),
            reset_request::user_id.eq(new.user.bytes()),
            reset_request::asked_by.eq(new.asked_by.bytes()),
            reset_request::asked_at.eq(new.asked_at.millis()),
            reset_request::expires_at.eq(new.expires_at.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// The one with this id, if it can still be decided.
pub fn find_live(conn: &mut Conn, id: ResetRequestId, now: Timestamp) -> Result<Option<Request>, Fault> {
    let row: Option<Row> = reset_request::table
        .find(id.bytes())
        .filter(reset_request::expires_at.gt(now.millis()))
        .select(Row::as_select())
        .first(conn)
        .optional()?;
    row.map(Row::read).transpose()
}

/// A user's, if it can still be decided.
pub fn of_user(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Option<Request>, Fault> {
    let row: Option<Row> = reset_request::table
        .filter(reset_request::user_id.eq(user.bytes()))
        .filter(reset_request::expires_at.gt(now.millis()))
        .select(Row::as_select())
        .first(conn)
        .optional()?;
    row.map(Row::read).transpose()
}

/// Up to `limit` that can be decided, the eldest first.
pub fn list_live(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<Request>, Fault> {
    let rows: Vec<Row> = reset_request::table
        .filter(reset_request::expires_at.gt(now.millis()))
        .order(reset_request::id.asc())
        .limit(limit)
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(Row::read).collect()
}

/// How many can be decided.
pub fn count_live(conn: &mut Conn, now: Timestamp) -> Result<i64, Fault> {
    Ok(reset_request::table.filter(reset_request::expires_at.gt(now.millis())).count().get_result(conn)?)
}

/// Takes one to decide it; of any number of callers one gets `true`.
pub fn take(conn: &mut Conn, id: ResetRequestId) -> Result<bool, Fault> {
    Ok(diesel::delete(reset_request::table.find(id.bytes())).execute(conn)? == 1)
}

/// Takes a user's away, lapsed or not.
pub fn void(conn: &mut Conn, user: UserId) -> Result<(), Fault> {
    diesel::delete(reset_request::table.filter(reset_request::user_id.eq(user.bytes()))).execute(conn)?;
    Ok(())
}

/// Takes everybody's away; returns how many there were.
pub fn void_all(conn: &mut Conn) -> Result<usize, Fault> {
    Ok(diesel::delete(reset_request::table).execute(conn)?)
}
