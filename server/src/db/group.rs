//! Groups of users.

use diesel::prelude::*;

use crate::db::schema::{group_member, user, user_group};
use crate::db::{Conn, id, unless_taken};
use crate::domain::id::{GroupId, UserId};
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// Adds a group; `false` where the name is taken.
pub fn insert(conn: &mut Conn, group: GroupId, name: &str, now: Timestamp) -> Result<bool, Fault> {
    unless_taken(
        diesel::insert_into(user_group::table)
            .values((
                user_group::id.eq(group.bytes()),
                user_group::name.eq(name),
                user_group::created_at.eq(now.millis()),
            ))
            .execute(conn),
    )
}

/// The group of this name.
pub fn find(conn: &mut Conn, name: &str) -> Result<Option<GroupId>, Fault> {
    let found: Option<Vec<u8>> =
        user_group::table.filter(user_group::name.eq(name)).select(user_group::id).first(conn).optional()?;
    found.map(|bytes| id("group id", GroupId::from_bytes(&bytes))).transpose()
}

/// All groups by name.
pub fn list(conn: &mut Conn) -> Result<Vec<String>, Fault> {
    Ok(user_group::table.order(user_group::name.asc()).select(user_group::name).load(conn)?)
}

/// The names of a group's members.
pub fn members(conn: &mut Conn, group: GroupId) -> Result<Vec<String>, Fault> {
    let names = group_member::table
        .inner_join(user::table)
        .filter(group_member::group_id.eq(group.bytes()))
        .order(user::name_folded.asc())
        .select(user::name)
        .load(conn)?;
    Ok(names)
}

/// The names of a user's groups.
pub fn of_user(conn: &mut Conn, user: UserId) -> Result<Vec<String>, Fault> {
    let names = group_member::table
        .inner_join(user_group::table)
        .filter(group_member::user_id.eq(user.bytes()))
        .order(user_group::name.asc())
        .select(user_group::name)
        .load(conn)?;
    Ok(names)
}

/// Up to `limit` groups by name, after one.
pub fn page(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<String>, Fault> {
    let names = user_group::table
        .filter(user_group::name.gt(after))
        .order(user_group::name.asc())
        .limit(limit)
        .select(user_group::name)
        .load(conn)?;
    Ok(names)
}

/// How many members a group has.
pub fn member_count(conn: &mut Conn, group: GroupId) -> Result<i64, Fault> {
    let of_group = group_member::table.filter(group_member::group_id.eq(group.bytes()));
    Ok(of_group.count().get_result(conn)?)
}

/// The ids of a group's members.
pub fn member_ids(conn: &mut Conn, group: GroupId) -> Result<Vec<UserId>, Fault> {
    let ids: Vec<Vec<u8>> = group_member::table
        .filter(group_member::group_id.eq(group.bytes()))
        .select(group_member::user_id)
        .load(conn)?;
    ids.iter().map(|bytes| id("user id", UserId::from_bytes(bytes))).collect()
}

/// Up to `limit` members of a group by folded name, after one: name, and folded name.
pub fn member_page(
    conn: &mut Conn,
    group: GroupId,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, String)>, Fault> {
    let names = group_member::table
        .inner_join(user::table)
        .filter(group_member::group_id.eq(group.bytes()))
        .filter(user::name_folded.gt(after))
        .order(user::name_folded.asc())
        .limit(limit)
        .select((user::name, user::name_folded))
        .load(conn)?;
    Ok(names)
}

/// Waits until no other transaction changes who is in a group, and keeps it so until this one ends.
pub fn hold(conn: &mut Conn, group: GroupId) -> Result<(), Fault> {
    diesel::update(user_group::table.find(group.bytes()))
        .set(user_group::name.eq(user_group::name))
        .execute(conn)?;
    Ok(())
}

/// Makes a user a member; `false` where the user was one already.
pub fn add_member(conn: &mut Conn, group: GroupId, user: UserId) -> Result<bool, Fault> {
    // Looked up first, since a failed insert would end the whole transaction on PostgreSQL.
    let known: i64 = group_member::table.find((group.bytes(), user.bytes())).count().get_result(conn)?;
    if known > 0 {
        return Ok(false);
    }
    unless_taken(
        diesel::insert_into(group_member::table)
            .values((group_member::group_id.eq(group.bytes()), group_member::user_id.eq(user.bytes())))
            .execute(conn),
    )
}

/// Takes a member out; `false` where the user was none.
pub fn remove_member(conn: &mut Conn, group: GroupId, user: UserId) -> Result<bool, Fault> {
    Ok(diesel::delete(group_member::table.find((group.bytes(), user.bytes()))).execute(conn)? == 1)
}

/// Removes a group with its memberships and grants.
pub fn remove(conn: &mut Conn, group: GroupId) -> Result<(), Fault> {
    diesel::delete(user_group::table.find(group.bytes())).execute(conn)?;
    Ok(())
}
