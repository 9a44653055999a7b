//! Who may manage, and what: behind every operation of the management API.
//!
//! A manager is an application with a token of its own, or a user in a role above `user` who logged in with a second factor.

use crate::app::bearer::find_access_token;
use crate::app::context::{At, Service, Stop};
use crate::db::{self, Conn};
use crate::domain::audit::{Actor, Origin};
use crate::domain::refusal::Refusal;
use crate::domain::scope::{FACTORS, MANAGEMENT, Scopes};
use crate::domain::time::Timestamp;
use crate::domain::user::{Role, User, UserName};
use crate::error::Fault;

/// Somebody who may do what one operation needs.
pub struct Manager {
    actor: Actor,
    scope: Scopes,
    /// The user's; none for an application.
    role: Option<Role>,
}

/// What an operation needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Needs {
    /// The scope: `NAME` or `NAME:read`.
    pub scope: &'static str,
    /// Whether help desks may do it, although it is more than looking.
    pub help: bool,
}

impl Needs {
    /// Reading, or everything, as the scope says.
    pub const fn scope(scope: &'static str) -> Self {
        Self { scope, help: false }
    }

    /// What help desks are there for.
    pub const fn help(scope: &'static str) -> Self {
        Self { scope, help: true }
    }
}

/// Runs one use case for whoever shows `token`, if that is a manager with what it needs. The audit log names the manager.
pub fn manage<T>(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
    needs: Needs,
    use_case: impl FnOnce(&Service, &mut Conn, At, &Manager) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let manager = authenticate(service, conn, at.now, token, needs)?;
    let origin = Origin { manager: manager.actor, ..at.origin };
    use_case(service, conn, At { origin, ..at }, &manager)
}

fn authenticate(
    service: &Service,
    conn: &mut Conn,
    now: Timestamp,
    token: &str,
    needs: Needs,
) -> Result<Manager, Stop> {
    let record = find_access_token(service, conn, token)?
        .filter(|record| record.is_live(now) && record.audience == service.issuer && !record.one_use)
        .ok_or(Refusal::InvalidToken)?;
    let scope = Scopes::parse(&record.scope).map_err(|_| Fault::Corrupt { what: "scope" })?;
    let refused = Refusal::InsufficientScope { needed: needs.scope };
    let Some(login) = record.login else {
        let manager = Manager { actor: Actor::Client(record.client), scope, role: None };
        return if manager.scope.reach(needs.scope) { Ok(manager) } else { Err(refused.into()) };
    };
    // The role of now, not that of the login.
    let role = db::user::find(conn, login.user)?.map_or(Role::User, |user| user.role);
    let in_role = role.may_hold(needs.scope) || (needs.help && role == Role::Helpdesk);
    // `factors` alone is for the own ones, at any application; with `factors:read`, which only roles get, for everybody's.
    let meant = needs.scope != FACTORS || scope.contains("factors:read");
    let reaches = in_role && meant && scope.reach(needs.scope);
    if !reaches || !login.used_second_factor() {
        return Err(refused.into());
    }
    if !needs.scope.ends_with(":read") {
        login.must_be_fresh(now)?;
    }
    Ok(Manager { actor: Actor::User(login.user), scope, role: Some(role) })
}

impl Manager {
    /// Whether nothing is out of reach.
    fn is_whole(&self) -> bool {
        self.role.is_none_or(|role| role == Role::Admin)
            && MANAGEMENT.iter().all(|scope| self.scope.contains(scope))
    }

    /// Refuses to touch users who may manage, and to make some, unless nothing is out of this manager's reach: who could reset an
    /// administrator could become one.
    pub fn must_reach(&self, conn: &mut Conn, name: &UserName) -> Result<User, Stop> {
        let user = db::user::find_by_name(conn, name)?.ok_or(Refusal::NotFound { what: "user" })?;
        self.must_reach_role(user.role)?;
        Ok(user)
    }

    /// The same for a role that is given.
    pub fn must_reach_role(&self, role: Role) -> Result<(), Stop> {
        if role == Role::User || self.is_whole() { Ok(()) } else { Err(Refusal::OutOfReach.into()) }
    }

    /// Refuses to give an application management scopes that this manager has not.
    pub fn must_hold(&self, scopes: &Scopes) -> Result<(), Stop> {
        if self.scope.cover(&scopes.management()) { Ok(()) } else { Err(Refusal::OutOfReach.into()) }
    }
}
