//! Grants: access given to a user or to a group for a time.

use std::collections::HashMap;

use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::{Array, BigInt, Binary};

use crate::db::schema::{access_grant, user, user_group};
#[cfg(feature = "postgres")]
use crate::db::statement::column;
use crate::db::statement::{Statement, directly};
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

/// What a user holds, by grants to the user and to the user's groups. Two statements in one, since PostgreSQL looks through the whole table for
/// whatever fits the one or the other. `?`: the user, the time and the time, twice.
pub const HELD: &str = "SELECT scope, detail, ends_at FROM access_grant \
    WHERE user_id = ? AND starts_at <= ? AND ends_at > ? \
    UNION ALL \
    SELECT scope, detail, ends_at FROM group_member \
    INNER JOIN access_grant ON access_grant.group_id = group_member.group_id \
    WHERE group_member.user_id = ? AND starts_at <= ? AND ends_at > ?";

/// The same of many users, each at a time of its own. `?`: the users; the times.
#[cfg(feature = "postgres")]
pub const HELD_BY_ALL: &str = "WITH asked (user_id, moment) AS (SELECT * FROM UNNEST(?, ?)) \
    SELECT asked.user_id AS holder, scope, detail, ends_at FROM asked \
    INNER JOIN access_grant ON access_grant.user_id = asked.user_id \
    WHERE starts_at <= moment AND ends_at > moment \
    UNION ALL \
    SELECT asked.user_id AS holder, scope, detail, ends_at FROM asked \
    INNER JOIN group_member ON group_member.user_id = asked.user_id \
    INNER JOIN access_grant ON access_grant.group_id = group_member.group_id \
    WHERE starts_at <= moment AND ends_at > moment";

#[derive(QueryableByName)]
#[diesel(table_name = access_grant)]
struct HeldRow {
    scope: Option<String>,
    detail: Option<String>,
    ends_at: i64,
}

impl HeldRow {
    fn read(self) -> Result<Held, Fault> {
        let access = read(self.scope, self.detail.as_deref())?;
        Ok(Held { access, ends_at: Timestamp::from_millis(self.ends_at) })
    }
}

/// What a user holds at `now`, by grants to the user and to the user's groups.
pub fn held(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Vec<Held>, Fault> {
    let rows: Vec<HeldRow> = directly!(conn, |own| Statement::new(HELD)
        .bytes(user.bytes())
        .whole(now.millis())
        .whole(now.millis())
        .bytes(user.bytes())
        .whole(now.millis())
        .whole(now.millis())
        .load(own))?;
    rows.into_iter().map(HeldRow::read).collect()
}

/// The same of many users, each at the time beside it; on PostgreSQL in one trip. Each of them is among the answers.
pub fn held_by_all(
    conn: &mut Conn,
    users: &[(UserId, Timestamp)],
) -> Result<HashMap<UserId, Vec<Held>>, Fault> {
    match conn {
        Conn::Sqlite(_) => users.iter().map(|(user, now)| Ok((*user, held(conn, *user, *now)?))).collect(),
        #[cfg(feature = "postgres")]
        Conn::Postgres(own) => {
            let mut all: HashMap<_, _> = users.iter().map(|(user, _)| (*user, Vec::new())).collect();
            if users.is_empty() {
                return Ok(all);
            }
            let rows: Vec<(HolderRow, HeldRow)> = Statement::new(HELD_BY_ALL)
                .bind::<Array<Binary>, _>(column(users, |(user, _)| user.bytes()))
                .bind::<Array<BigInt>, _>(column(users, |(_, now)| now.millis()))
                .load(own)?;
            for (holder, row) in rows {
                let holder = id("user id", UserId::from_bytes(&holder.holder))?;
                all.entry(holder).or_default().push(row.read()?);
            }
            Ok(all)
        }
    }
}

#[cfg(feature = "postgres")]
#[derive(QueryableByName)]
struct HolderRow {
    #[diesel(sql_type = Binary)]
    holder: Vec<u8>,
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
