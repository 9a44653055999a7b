//! Grants: access given to a user or to a group for a time.

use diesel::prelude::*;

use crate::db::schema::{access_grant, group_member, user, user_group};
use crate::db::{Conn, id};
use crate::domain::authorization::{Access, Held};
use crate::domain::id::{GrantId, GroupId, UserId};
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// Who holds a grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    /// One user.
    User(UserId),
    /// Whoever is in a group.
    Group(GroupId),
}

/// A grant as lists show it.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The id.
    pub id: GrantId,
    /// The user who holds it; none where a group does.
    pub user: Option<String>,
    /// The group that holds it.
    pub group: Option<String>,
    /// What it gives.
    pub access: Access,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
}

/// Gives access.
pub fn insert(
    conn: &mut Conn,
    grant: GrantId,
    holder: Holder,
    access: &Access,
    (starts_at, ends_at): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<(), Fault> {
    let (user, group) = match &holder {
        Holder::User(user) => (Some(user.bytes()), None),
        Holder::Group(group) => (None, Some(group.bytes())),
    };
    let (scope, detail) = stored(access)?;
    diesel::insert_into(access_grant::table)
        .values((
            access_grant::id.eq(grant.bytes()),
            access_grant::user_id.eq(user),
            access_grant::group_id.eq(group),
            access_grant::scope.eq(scope),
            access_grant::detail.eq(detail),
            access_grant::starts_at.eq(starts_at.millis()),
            access_grant::ends_at.eq(ends_at.millis()),
            access_grant::created_at.eq(now.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// What a user holds at `now`, by grants to the user and to the user's groups.
pub fn held(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Vec<Held>, Fault> {
    let groups = group_member::table
        .filter(group_member::user_id.eq(user.bytes()))
        .select(group_member::group_id.nullable());
    let rows: Vec<(Option<String>, Option<String>, i64)> = access_grant::table
        .filter(access_grant::user_id.eq(user.bytes()).or(access_grant::group_id.eq_any(groups)))
        .filter(access_grant::starts_at.le(now.millis()))
        .filter(access_grant::ends_at.gt(now.millis()))
        .select((access_grant::scope, access_grant::detail, access_grant::ends_at))
        .load(conn)?;
    rows.into_iter()
        .map(|(scope, detail, ends_at)| {
            Ok(Held { access: read(scope, detail.as_deref())?, ends_at: Timestamp::from_millis(ends_at) })
        })
        .collect()
}

/// Up to `limit` grants that are not over at `now`, with an id before one, the youngest first.
pub fn page(
    conn: &mut Conn,
    holder: Option<Holder>,
    now: Timestamp,
    before: GrantId,
    limit: i64,
) -> Result<Vec<Summary>, Fault> {
    type Row = (Vec<u8>, Option<String>, Option<String>, Option<String>, Option<String>, i64, i64);
    let every = access_grant::table
        .left_join(user::table)
        .left_join(user_group::table)
        .filter(access_grant::ends_at.gt(now.millis()))
        .filter(access_grant::id.lt(before.bytes()))
        .order(access_grant::id.desc())
        .limit(limit)
        .select((
            access_grant::id,
            user::name.nullable(),
            user_group::name.nullable(),
            access_grant::scope,
            access_grant::detail,
            access_grant::starts_at,
            access_grant::ends_at,
        ));
    let rows: Vec<Row> = match holder {
        None => every.load(conn)?,
        Some(Holder::User(user)) => every.filter(access_grant::user_id.eq(user.bytes())).load(conn)?,
        Some(Holder::Group(group)) => every.filter(access_grant::group_id.eq(group.bytes())).load(conn)?,
    };
    rows.into_iter()
        .map(|(bytes, user, group, scope, detail, starts_at, ends_at)| {
            Ok(Summary {
                id: id("grant id", GrantId::from_bytes(&bytes))?,
                user,
                group,
                access: read(scope, detail.as_deref())?,
                starts_at: Timestamp::from_millis(starts_at),
                ends_at: Timestamp::from_millis(ends_at),
            })
        })
        .collect()
}

/// Takes one grant back; returns who held what. None: there is none.
pub fn remove(conn: &mut Conn, grant: GrantId) -> Result<Option<(Holder, Access)>, Fault> {
    type Row = (Option<Vec<u8>>, Option<Vec<u8>>, Option<String>, Option<String>);
    let removed: Option<Row> = diesel::delete(access_grant::table.find(grant.bytes()))
        .returning((access_grant::user_id, access_grant::group_id, access_grant::scope, access_grant::detail))
        .get_result(conn)
        .optional()?;
    let Some((user, group, scope, detail)) = removed else { return Ok(None) };
    let holder = match (user, group) {
        (Some(user), None) => Holder::User(id("user id", UserId::from_bytes(&user))?),
        (None, Some(group)) => Holder::Group(id("group id", GroupId::from_bytes(&group))?),
        _ => return Err(Fault::Corrupt { what: "grant" }),
    };
    Ok(Some((holder, read(scope, detail.as_deref())?)))
}

/// Takes back all grants of the same access from a holder; returns how many there were.
pub fn remove_alike(conn: &mut Conn, holder: Holder, access: &Access) -> Result<usize, Fault> {
    let (scope, detail) = stored(access)?;
    let of_scope = || diesel::delete(access_grant::table).filter(access_grant::scope.eq(scope));
    let of_detail = || diesel::delete(access_grant::table).filter(access_grant::detail.eq(detail.as_deref()));
    let removed = match (holder, access) {
        (Holder::User(user), Access::Scope(_)) => {
            of_scope().filter(access_grant::user_id.eq(user.bytes())).execute(conn)?
        }
        (Holder::User(user), Access::Detail(_)) => {
            of_detail().filter(access_grant::user_id.eq(user.bytes())).execute(conn)?
        }
        (Holder::Group(group), Access::Scope(_)) => {
            of_scope().filter(access_grant::group_id.eq(group.bytes())).execute(conn)?
        }
        (Holder::Group(group), Access::Detail(_)) => {
            of_detail().filter(access_grant::group_id.eq(group.bytes())).execute(conn)?
        }
    };
    Ok(removed)
}

fn stored(access: &Access) -> Result<(Option<&str>, Option<String>), Fault> {
    Ok(match access {
        Access::Scope(scope) => (Some(scope), None),
        Access::Detail(detail) => {
            (None, Some(serde_json::to_string(detail).map_err(Fault::while_("writing a grant"))?))
        }
    })
}

fn read(scope: Option<String>, detail: Option<&str>) -> Result<Access, Fault> {
    let corrupt = || Fault::Corrupt { what: "grant" };
    match (scope, detail) {
        (Some(scope), None) => Ok(Access::Scope(scope)),
        (None, Some(json)) => Ok(Access::Detail(serde_json::from_str(json).map_err(|_| corrupt())?)),
        _ => Err(corrupt()),
    }
}
