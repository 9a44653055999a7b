//! Users.

use diesel::prelude::*;

use crate::db::schema::{factor, factor_step, lockout, user};
use crate::db::statement::directly;
use crate::db::{Conn, id, session, unless_taken, word};
use crate::domain::factor::FactorState;
use crate::domain::figures::Users;
use crate::domain::id::UserId;
use crate::domain::time::Timestamp;
use crate::domain::user::{Language, Role, User, UserName, UserState};
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
    language: Option<String>,
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
            language: self.language.as_deref().map(|stored| word("language", stored)).transpose()?,
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
                user::email_folded.eq(new.email.as_deref().map(folded)),
                user::language.eq(new.language.map(Language::as_str)),
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
    let row: Option<Row> =
        directly!(conn, |own| user::table.find(id.bytes()).select(Row::as_select()).first(own)).optional()?;
    row.map(Row::read).transpose()
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

/// What an index narrows a list of names by; whatever else is asked for is looked at row by row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Narrowed {
    /// Nothing.
    Not,
    /// Users in this role.
    Role(Role),
    /// Users in this state.
    State(UserState),
}

/// Up to `limit` users whose folded name comes after `after` and begins with `prefix`, by folded name, each with it.
pub fn by_name(
    conn: &mut Conn,
    prefix: &str,
    after: &str,
    narrowed: Narrowed,
    limit: i64,
) -> Result<Vec<(String, User)>, Fault> {
    let end = format!("{prefix}\u{10ffff}");
    let named = || {
        user::table
            .filter(user::name_folded.gt(after))
            .filter(user::name_folded.ge(prefix))
            .filter(user::name_folded.le(&end))
            .order(user::name_folded.asc())
            .limit(limit)
            .select((user::name_folded, Row::as_select()))
    };
    let rows: Vec<(String, Row)> = match narrowed {
        Narrowed::Not => named().load(conn)?,
        Narrowed::Role(role) => named().filter(user::role.eq(role.as_str())).load(conn)?,
        Narrowed::State(state) => named().filter(user::state.eq(state.as_str())).load(conn)?,
    };
    rows.into_iter().map(|(folded, row)| Ok((folded, row.read()?))).collect()
}

/// Up to `limit` users whose folded address begins with `prefix`, by address and name, after those two; each with both.
pub fn by_email(
    conn: &mut Conn,
    prefix: &str,
    (email, name): (&str, &str),
    limit: i64,
) -> Result<Vec<(String, String, User)>, Fault> {
    let end = format!("{prefix}\u{10ffff}");
    let rows: Vec<(Option<String>, String, Row)> = user::table
        .filter(user::email_folded.ge(prefix.max(email)))
        .filter(user::email_folded.le(end))
        .filter(user::email_folded.gt(email).or(user::email_folded.eq(email).and(user::name_folded.gt(name))))
        .order((user::email_folded.asc(), user::name_folded.asc()))
        .limit(limit)
        .select((user::email_folded, user::name_folded, Row::as_select()))
        .load(conn)?;
    rows.into_iter().map(|(email, name, row)| Ok((email.unwrap_or_default(), name, row.read()?))).collect()
}

/// How addresses are looked for.
fn folded(email: &str) -> String {
    email.to_lowercase()
}

/// Changes e-mail address and role.
pub fn update(conn: &mut Conn, id: UserId, email: Option<&str>, role: Role) -> Result<(), Fault> {
    diesel::update(user::table.find(id.bytes()))
        .set((user::email.eq(email), user::email_folded.eq(email.map(folded)), user::role.eq(role.as_str())))
        .execute(conn)?;
    Ok(())
}

/// Whether another active user is an administrator. Waits until nobody else changes one, and keeps it so until this transaction ends.
pub fn others_administer(conn: &mut Conn, but: UserId) -> Result<bool, Fault> {
    let administrators = user::table.filter(user::role.eq(Role::Admin.as_str()));
    diesel::update(administrators).set(user::role.eq(user::role)).execute(conn)?;
    let others: i64 = user::table
        .filter(user::role.eq(Role::Admin.as_str()))
        .filter(user::state.eq(UserState::Active.as_str()))
        .filter(user::id.ne(but.bytes()))
        .count()
        .get_result(conn)?;
    Ok(others > 0)
}

/// How many active administrators there are, and how many of them have an active factor.
pub fn count_administrators(conn: &mut Conn) -> Result<(usize, usize), Fault> {
    let active = user::table
        .filter(user::role.eq(Role::Admin.as_str()))
        .filter(user::state.eq(UserState::Active.as_str()))
        .select(user::id);
    let ids: Vec<Vec<u8>> = active.load(conn)?;
    let with_factor: Vec<Vec<u8>> = factor::table
        .filter(factor::user_id.eq_any(&ids))
        .filter(factor::state.eq(FactorState::Active.as_str()))
        .select(factor::user_id)
        .distinct()
        .load(conn)?;
    Ok((ids.len(), with_factor.len()))
}

/// Chooses the language of pages and mails; none: the browser's.
pub fn set_language(conn: &mut Conn, id: UserId, language: Option<Language>) -> Result<(), Fault> {
    diesel::update(user::table.find(id.bytes()))
        .set(user::language.eq(language.map(Language::as_str)))
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
    session::delete_of(conn, id)?;
    diesel::delete(user::table.find(id.bytes())).execute(conn)?;
    Ok(())
}

/// How many users are in each state; an index is read, not the table.
pub fn count_by_state(conn: &mut Conn) -> Result<Users, Fault> {
    let mut count = |state: UserState| -> Result<i64, Fault> {
        Ok(user::table.filter(user::state.eq(state.as_str())).count().get_result(conn)?)
    };
    Ok(Users { active: count(UserState::Active)?, locked: count(UserState::Locked)? })
}

/// The names of those among `ids` who still exist.
pub fn names(conn: &mut Conn, ids: &[UserId]) -> Result<Vec<(UserId, String)>, Fault> {
    let ids: Vec<Vec<u8>> = ids.iter().map(|id| id.bytes().to_vec()).collect();
    let rows: Vec<(Vec<u8>, String)> =
        user::table.filter(user::id.eq_any(ids)).select((user::id, user::name)).load(conn)?;
    rows.into_iter().map(|(bytes, name)| Ok((id("user id", UserId::from_bytes(&bytes))?, name))).collect()
}
