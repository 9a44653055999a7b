//! Users.

use diesel::prelude::*;

use crate::db::schema::{factor_step, lockout, user};
use crate::db::{Conn, id, unless_taken, word};
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::domain::user::{Role, User, UserName, UserState};
use crate::error::Fault;

#[derive(Queryable, Selectable)]
#[diesel(table_name = user)]
struct Row {
    id: Vec<u8>,
    name: String,
    email: Option<String>,
    password_hash: Option<String>,
    role: String,
    state: String,
    created_at: i64,
}

impl Row {
    fn read(self) -> Result<User, Fault> {
        Ok(User {
            id: id("user id", UserId::from_bytes(&self.id))?,
            name: self.name,
            email: self.email,
            password_hash: self.password_hash,
            role: word("role", &self.role)?,
            state: word("user state", &self.state)?,
            created_at: Timestamp::from_millis(self.created_at),
        })
    }
}

/// Adds a user; `false` where the folded name is taken.
pub fn insert(conn: &mut Conn, new: &User, name: &UserName) -> Result<bool, Fault> {
    unless_taken(
        diesel::insert_into(user::table)
            .values((
                user::id.eq(new.id.bytes()),
                user::name.eq(name.shown()),
                user::name_folded.eq(name.folded()),
                user::email.eq(&new.email),
                user::password_hash.eq(&new.password_hash),
                user::role.eq(new.role.as_str()),
                user::state.eq(new.state.as_str()),
                user::created_at.eq(new.created_at.millis()),
            ))
            .execute(conn),
    )
}

/// The user of this name, however it is written.
pub fn find_by_name(conn: &mut Conn, name: &UserName) -> Result<Option<User>, Fault> {
    user::table
        .filter(user::name_folded.eq(name.folded()))
        .select(Row::as_select())
        .first(conn)
        .optional()?
        .map(Row::read)
        .transpose()
}

/// The user with this id.
pub fn find(conn: &mut Conn, id: UserId) -> Result<Option<User>, Fault> {
    let row: Option<Row> = user::table.find(id.bytes()).select(Row::as_select()).first(conn).optional()?;
    row.map(Row::read).transpose()
}

/// All users by name.
pub fn list(conn: &mut Conn) -> Result<Vec<User>, Fault> {
    let rows = user::table.order(user::name_folded.asc()).select(Row::as_select()).load(conn)?;
    rows.into_iter().map(Row::read).collect()
}

/// Up to `limit` users by folded name, after one and with a prefix where they are given.
pub fn page(conn: &mut Conn, after: Option<&str>, prefix: &str, limit: i64) -> Result<Vec<User>, Fault> {
    // No name holds a character after this one, so a prefix is a range, which the index serves.
    let end = format!("{prefix}\u{10ffff}");
    let rows = user::table
        .filter(user::name_folded.gt(after.unwrap_or("")))
        .filter(user::name_folded.ge(prefix))
        .filter(user::name_folded.le(end))
        .order(user::name_folded.asc())
        .limit(limit)
        .select(Row::as_select())
        .load(conn)?;
    rows.into_iter().map(Row::read).collect()
}

/// Changes e-mail address and role.
pub fn update(conn: &mut Conn, id: UserId, email: Option<&str>, role: Role) -> Result<(), Fault> {
    diesel::update(user::table.find(id.bytes()))
        .set((user::email.eq(email), user::role.eq(role.as_str())))
        .execute(conn)?;
    Ok(())
}

/// How many users there are, counted up to `limit`.
pub fn count_up_to(conn: &mut Conn, limit: i64) -> Result<usize, Fault> {
    let ids: Vec<Vec<u8>> = user::table.select(user::id).limit(limit).load(conn)?;
    Ok(ids.len())
}

/// Locks or unlocks.
pub fn set_state(conn: &mut Conn, id: UserId, state: UserState) -> Result<(), Fault> {
    diesel::update(user::table.find(id.bytes())).set(user::state.eq(state.as_str())).execute(conn)?;
    Ok(())
}

/// Stores a new password's hash.
pub fn set_password_hash(conn: &mut Conn, id: UserId, hash: &str) -> Result<(), Fault> {
    diesel::update(user::table.find(id.bytes())).set(user::password_hash.eq(hash)).execute(conn)?;
    Ok(())
}

/// Removes a user and all that hangs on it. The steps go first: a code being spent at this moment holds the step's row, and
/// then wants the user's, so that taking them the other way round would lock up.
pub fn remove(conn: &mut Conn, id: UserId) -> Result<(), Fault> {
    use crate::db::schema::factor;
    let factors = factor::table.filter(factor::user_id.eq(id.bytes())).select(factor::id);
    diesel::delete(lockout::table.find(id.bytes())).execute(conn)?;
    diesel::delete(factor_step::table.filter(factor_step::factor_id.eq_any(factors))).execute(conn)?;
    diesel::delete(user::table.find(id.bytes())).execute(conn)?;
    Ok(())
}
