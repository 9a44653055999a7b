//! Who may do what: scopes with rules, groups, and grants that begin and end. They are enforced where tokens are issued, refreshed and
//! introspected (`app/issue.rs`, `app/introspect.rs`), and where users show them here (`app/bearer.rs`).

use std::collections::BTreeSet;

use crate::app::context::{At, Change, Service, Stop, Tx, all_pages};
use crate::db::grant::Holder;
pub use crate::db::grant::Summary;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Event, Subject};
use crate::domain::authorization::{Access, ScopeRule};
use crate::domain::id::{GrantId, GroupId, UserId};
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::Scopes;
use crate::domain::time::Timestamp;
use crate::domain::user::UserName;
use crate::error::Fault;
use crate::random;

/// Puts a rule in the place of the one of the same scope. Only who may do everything rules the scopes that managing takes.
pub fn put_scope(service: &Service, conn: &mut Conn, at: At, rule: &ScopeRule) -> Result<(), Stop> {
    service.write_by_name(conn, at, |tx| put_in(tx, rule))
}

/// The same, if what rules the scope now `is_as_seen` by whoever asks: a rule, or none.
pub fn change_scope(
    service: &Service,
    conn: &mut Conn,
    at: At,
    rule: &ScopeRule,
    is_as_seen: impl Fn(Option<&ScopeRule>) -> bool,
) -> Result<Change<Option<ScopeRule>>, Stop> {
    service.write_by_name(conn, at, |tx| {
        let known = db::scope_rule::hold(tx.conn, &rule.name)?;
        if !is_as_seen(known.as_ref()) {
            return Ok(Change::Overtaken(known));
        }
        put_in(tx, rule)?;
        Ok(Change::Done)
    })
}

fn put_in(tx: &mut Tx<'_>, rule: &ScopeRule) -> Result<(), Stop> {
    let rule = &rule.clone().checked()?;
    must_rule(tx, &rule.name)?;
    if !db::scope_rule::put(tx.conn, rule)? {
        return Err(Refusal::AlreadyExists { what: "scope" }.into());
    }
    tx.note(Event::done(tx.origin.manager, Action::ScopeChanged, None).with(format!("scope={}", rule.name)));
    Ok(())
}

/// All scopes with rules.
pub fn scopes(conn: &mut Conn) -> Result<Vec<ScopeRule>, Stop> {
    Ok(db::scope_rule::list(conn)?)
}

/// A page of scopes with rules by name, after one.
pub fn scope_page(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<ScopeRule>, Stop> {
    Ok(db::scope_rule::page(conn, after, limit)?)
}

/// Removes a scope's rule: the client alone rules it from now on.
pub fn remove_scope(service: &Service, conn: &mut Conn, at: At, name: &str) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        must_rule(tx, name)?;
        if !db::scope_rule::remove(tx.conn, name)? {
            return Err(Refusal::NotFound { what: "scope" }.into());
        }
        tx.note(Event::done(tx.origin.manager, Action::ScopeRemoved, None).with(format!("scope={name}")));
        Ok(())
    })
}

/// Refuses to rule what the console's own sessions have to whoever may not do everything: a rule reaches them, too, and could leave every
/// manager without one.
fn must_rule(tx: &Tx<'_>, scope: &str) -> Result<(), Stop> {
    if Scopes::parse(scope)?.powers().is_empty() { Ok(()) } else { Ok(tx.must_be_whole()?) }
}

/// Adds a group without members.
pub fn add_group(service: &Service, conn: &mut Conn, at: At, name: &str) -> Result<(), Stop> {
    must_be_a_group_name(name)?;
    service.write(conn, at, |tx| {
        if db::group::find(tx.conn, name)?.is_some() {
            return Err(Refusal::AlreadyExists { what: "group" }.into());
        }
        insert_group(tx, name).map(|_| ())
    })
}

fn must_be_a_group_name(name: &str) -> Result<(), Invalid> {
    let visible = !name.chars().any(char::is_control) && name.trim() == name;
    if (1..=100).contains(&name.len()) && visible {
        Ok(())
    } else {
        Err(Invalid::new("name", "must be 1 to 100 bytes without control characters"))
    }
}

fn insert_group(tx: &mut Tx<'_>, name: &str) -> Result<GroupId, Stop> {
    let id = GroupId::new(random::id(tx.now));
    if !db::group::insert(tx.conn, id, name, tx.now)? {
        return Err(Refusal::AlreadyExists { what: "group" }.into());
    }
    let event = Event::done(tx.origin.manager, Action::GroupAdded, Subject::Group(id));
    tx.note(event.with(format!("name={name}")));
    Ok(id)
}

/// All groups by name.
pub fn groups(conn: &mut Conn) -> Result<Vec<String>, Stop> {
    Ok(db::group::list(conn)?)
}

/// A page of groups by name, after one.
pub fn group_page(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<String>, Stop> {
    Ok(db::group::page(conn, after, limit)?)
}

/// How many members a group has.
pub fn member_count(conn: &mut Conn, name: &str) -> Result<i64, Stop> {
    let group = require_group(conn, name)?;
    Ok(db::group::member_count(conn, group)?)
}

/// A page of a group's members by folded name, after one: name, and folded name.
pub fn member_page(
    conn: &mut Conn,
    name: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<(String, String)>, Stop> {
    let group = require_group(conn, name)?;
    Ok(db::group::member_page(conn, group, after, limit)?)
}

/// The names of a group's members.
pub fn members(conn: &mut Conn, name: &str) -> Result<Vec<String>, Stop> {
    let group = require_group(conn, name)?;
    Ok(db::group::members(conn, group)?)
}

/// Puts users into a group; all of them or, where one does not exist, none. Returns how many were not in it before.
pub fn add_members(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &str,
    users: &[UserName],
) -> Result<usize, Stop> {
    change_members(service, conn, at, name, users, Action::MemberAdded, db::group::add_member)
}

/// Takes users out of a group; all of them or none. Returns how many were in it.
pub fn remove_members(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &str,
    users: &[UserName],
) -> Result<usize, Stop> {
    change_members(service, conn, at, name, users, Action::MemberRemoved, db::group::remove_member)
}

fn change_members(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &str,
    users: &[UserName],
    action: Action,
    change: fn(&mut Conn, GroupId, UserId) -> Result<bool, Fault>,
) -> Result<usize, Stop> {
    service.write(conn, at, |tx| {
        // Found before anything is changed: a name that is wrong changes nothing.
        let group = require_group(tx.conn, name)?;
        let ids = users.iter().map(|user| require_user(tx.conn, user)).collect::<Result<Vec<_>, _>>()?;
        db::group::hold(tx.conn, group)?;
        change_each(tx, group, &ids, action, change)
    })
}

fn change_each(
    tx: &mut Tx<'_>,
    group: GroupId,
    users: &[UserId],
    action: Action,
    change: fn(&mut Conn, GroupId, UserId) -> Result<bool, Fault>,
) -> Result<usize, Stop> {
    let mut changed = 0;
    for id in users {
        if change(tx.conn, group, *id)? {
            changed += 1;
            let event = Event::done(tx.origin.manager, action, Subject::User(*id));
            tx.note(event.with(format!("group={group}")));
        }
    }
    Ok(changed)
}

/// Adds a group where there is none, and gives it exactly these members; where one of them does not exist nothing is changed.
pub fn put_group(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &str,
    users: &[UserName],
) -> Result<(), Stop> {
    must_be_a_group_name(name)?;
    service.write_by_name(conn, at, |tx| {
        let wanted = users.iter().map(|user| require_user(tx.conn, user)).collect::<Result<Vec<_>, _>>()?;
        let group = match db::group::find(tx.conn, name)? {
            Some(group) => group,
            None => insert_group(tx, name)?,
        };
        db::group::hold(tx.conn, group)?;
        let mut gone = db::group::member_ids(tx.conn, group)?;
        let kept: BTreeSet<&UserId> = wanted.iter().collect();
        gone.retain(|member| !kept.contains(member));
        change_each(tx, group, &gone, Action::MemberRemoved, db::group::remove_member)?;
        change_each(tx, group, &wanted, Action::MemberAdded, db::group::add_member)?;
        Ok(())
    })
}

/// Removes a group with its memberships and grants.
pub fn remove_group(service: &Service, conn: &mut Conn, at: At, name: &str) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let group = require_group(tx.conn, name)?;
        db::group::remove(tx.conn, group)?;
        let event = Event::done(tx.origin.manager, Action::GroupRemoved, Subject::Group(group));
        tx.note(event.with(format!("name={name}")));
        Ok(())
    })
}

/// Who gets or loses access, by name.
#[derive(Clone, Debug)]
pub enum Named {
    /// A user.
    User(UserName),
    /// A group.
    Group(String),
}

/// From when until when.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The first moment.
    pub starts_at: Timestamp,
    /// The first moment after it.
    pub ends_at: Timestamp,
}

/// Gives access to everybody named, or, where one of them does not exist, to nobody. Returns the grants' ids.
pub fn give(
    service: &Service,
    conn: &mut Conn,
    at: At,
    holders: &[Named],
    access: &Access,
    span: Span,
) -> Result<Vec<GrantId>, Stop> {
    let access = &access.clone().checked()?;
    if span.ends_at <= span.starts_at {
        return Err(Invalid::new("until", "is not after the start").into());
    }
    let holders = holders.iter().map(|named| resolve(conn, named)).collect::<Result<Vec<_>, _>>()?;
    service.write(conn, at, |tx| {
        let mut ids = Vec::with_capacity(holders.len());
        for holder in holders {
            let id = GrantId::new(random::id(tx.now));
            db::grant::insert(tx.conn, id, holder, access, (span.starts_at, span.ends_at), tx.now)?;
            note(tx, Action::AccessGiven, holder, access, &format!("grant={id} until={}", span.ends_at));
            ids.push(id);
        }
        Ok(ids)
    })
}

/// Takes back all grants of this access from everybody named. Returns how many there were. What was issued on them is over at the next
/// introspection and refresh.
pub fn take(
    service: &Service,
    conn: &mut Conn,
    at: At,
    holders: &[Named],
    access: &Access,
) -> Result<usize, Stop> {
    let holders = holders.iter().map(|named| resolve(conn, named)).collect::<Result<Vec<_>, _>>()?;
    service.write(conn, at, |tx| {
        let mut taken = 0;
        for holder in holders {
            let alike = db::grant::remove_alike(tx.conn, holder, access)?;
            if alike > 0 {
                note(tx, Action::AccessTaken, holder, access, &format!("grants={alike}"));
            }
            taken += alike;
        }
        Ok(taken)
    })
}

/// Takes one grant back.
pub fn take_one(service: &Service, conn: &mut Conn, at: At, grant: GrantId) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let taken = db::grant::remove(tx.conn, grant)?;
        let (holder, access) = taken.ok_or(Refusal::NotFound { what: "grant" })?;
        note(tx, Action::AccessTaken, holder, &access, &format!("grant={grant}"));
        Ok(())
    })
}

/// Grants that are not over: all, or those of one holder.
pub fn grants(conn: &mut Conn, at: At, of: Option<&Named>) -> Result<Vec<Summary>, Stop> {
    all_pages(
        GrantId::LAST,
        |grant: &Summary| grant.id,
        |before, limit| grant_page(conn, at, of, before, limit),
    )
}

/// A page of grants that are not over, given before one of them, the youngest first.
pub fn grant_page(
    conn: &mut Conn,
    at: At,
    of: Option<&Named>,
    before: GrantId,
    limit: i64,
) -> Result<Vec<Summary>, Stop> {
    let holder = of.map(|named| resolve(conn, named)).transpose()?;
    Ok(db::grant::page(conn, holder, at.now, before, limit)?)
}

fn resolve(conn: &mut Conn, named: &Named) -> Result<Holder, Stop> {
    Ok(match named {
        Named::User(name) => Holder::User(require_user(conn, name)?),
        Named::Group(name) => Holder::Group(require_group(conn, name)?),
    })
}

/// Whoever manages is in reach here, too: a directory names administrators as members like everybody else, and neither groups nor grants give
/// power at this server (`ScopeRule::checked`).
fn require_user(conn: &mut Conn, name: &UserName) -> Result<UserId, Stop> {
    let user = db::user::find_by_name(conn, name)?.ok_or(Refusal::NotFound { what: "user" })?;
    Ok(user.id)
}

fn require_group(conn: &mut Conn, name: &str) -> Result<GroupId, Stop> {
    Ok(db::group::find(conn, name)?.ok_or(Refusal::NotFound { what: "group" })?)
}

fn note(tx: &mut Tx<'_>, action: Action, holder: Holder, access: &Access, detail: &str) {
    let subject = match holder {
        Holder::User(id) => Subject::User(id),
        Holder::Group(id) => Subject::Group(id),
    };
    let what = match access {
        Access::Scope(scope) => format!("scope={scope}"),
        Access::Detail(detail) => format!("type={}", detail.kind),
    };
    tx.note(Event::done(tx.origin.manager, action, subject).with(format!("{what} {detail}")));
}
