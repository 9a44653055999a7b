//! Who may manage, and what: behind every operation of the management API.
//!
//! A manager is an application with a token of its own, or a user in a role above `user` who logged in with a second factor.
//!
//! 1. [`authorise`] finds out who asks, and whether that manager has what the operation needs, before anything else of the request is
//!    looked at. It returns a [`Warrant`].
//! 2. The use case runs [`by`](Warrant::by) the warrant. `Service::write` finds the [`Manager`] once more, inside the transaction.
//! 3. There the use case asks the manager's rules about whom it is going to touch (`Tx::must_reach`, `Tx::must_hold`).

use crate::app::bearer::{find_access_token, scopes_of_now};
use crate::app::context::{At, Service, Stop};
use crate::db::token::Key;
use crate::db::{self, Conn};
use crate::domain::audit::{Actor, Origin};
use crate::domain::id::{ClientId, TokenId};
use crate::domain::refusal::Refusal;
use crate::domain::scope::{FACTORS, FACTORS_OF_ALL, MANAGEMENT, Scopes};
use crate::domain::time::Timestamp;
use crate::domain::token::{Login, TokenRecord};
use crate::domain::user::{Role, User, UserName};

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

    /// Whether users in this role may do it.
    pub fn allows(self, role: Role) -> bool {
        role.may_hold(self.scope) || (self.help && role == Role::Helpdesk)
    }
}

/// By what a manager acts, and for what. It proves nothing by itself: every transaction looks again whether it still holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Warrant {
    shown: Shown,
    needs: Needs,
    actor: Actor,
}

/// How a manager was authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shown {
    /// By an access token, whose signature or keyed hash was right.
    Token(TokenId),
}

/// Finds out whether `token` is a manager's with what the operation needs. Only reads.
pub fn authorise(
    service: &Service,
    conn: &mut Conn,
    now: Timestamp,
    token: &str,
    needs: Needs,
) -> Result<Warrant, Stop> {
    let record = find_access_token(service, conn, token)?.ok_or(Refusal::InvalidToken)?;
    let shown = Shown::Token(record.id);
    let manager = Manager::with_token(service, conn, now, record, needs)?;
    Ok(Warrant { shown, needs, actor: manager.actor })
}

/// The same request in the name of the manager whose `token` it is.
pub fn managing(service: &Service, conn: &mut Conn, at: At, token: &str, needs: Needs) -> Result<At, Stop> {
    Ok(authorise(service, conn, at.now, token, needs)?.by(at))
}

impl Warrant {
    /// The same request, in the manager's name: so the audit log names the manager.
    #[must_use]
    pub fn by(self, at: At) -> At {
        At { origin: Origin { manager: self.actor, ..at.origin }, warrant: Some(self), ..at }
    }

    /// The manager as things are now, if the warrant still holds.
    pub fn manager(self, service: &Service, conn: &mut Conn, now: Timestamp) -> Result<Manager, Stop> {
        match self.shown {
            Shown::Token(id) => {
                let record = db::token::find(conn, Key::Id(id))?.ok_or(Refusal::InvalidToken)?;
                Manager::with_token(service, conn, now, record, self.needs)
            }
        }
    }
}

/// Whether the scope of a user's token reaches what wants `scope`. `factors` alone is for the own ones, at any application; with `factors:read`,
/// which only roles get, for everybody's.
fn reaches(of_token: &Scopes, scope: &str) -> bool {
    let is_of_factors = scope.split(':').next() == Some(FACTORS);
    of_token.reach(scope) && (!is_of_factors || of_token.contains(FACTORS_OF_ALL))
}

/// Somebody who may do what one operation needs.
#[derive(Debug)]
pub struct Manager {
    actor: Actor,
    scope: Scopes,
    /// The user's; none for an application.
    role: Option<Role>,
}

impl Manager {
    /// Whether this manager may do what wants this scope, too.
    pub fn may(&self, scope: &str) -> bool {
        self.role.map_or_else(
            || self.scope.reach(scope),
            |role| role.may_hold(scope) && reaches(&self.scope, scope),
        )
    }

    /// The same, for pages that only lead to what wants it.
    pub fn must(&self, scope: &'static str) -> Result<(), Refusal> {
        if self.may(scope) { Ok(()) } else { Err(Refusal::InsufficientScope { needed: scope }) }
    }

    fn with_token(
        service: &Service,
        conn: &mut Conn,
        now: Timestamp,
        record: TokenRecord,
        needs: Needs,
    ) -> Result<Self, Stop> {
        if !record.is_live(now) || record.audience != service.issuer || record.one_use {
            return Err(Refusal::InvalidToken.into());
        }
        let scope = scopes_of_now(conn, &record)?;
        let Some(login) = record.login else {
            return Ok(Self::application(record.client, scope, needs)?);
        };
        Self::user(conn, now, &login, scope, needs)
    }

    fn application(client: ClientId, scope: Scopes, needs: Needs) -> Result<Self, Refusal> {
        if !scope.reach(needs.scope) {
            return Err(Refusal::InsufficientScope { needed: needs.scope });
        }
        Ok(Self { actor: Actor::Client(client), scope, role: None })
    }

    /// A user by a live login, as far as both `scope` and the role of now reach.
    fn user(
        conn: &mut Conn,
        now: Timestamp,
        login: &Login,
        scope: Scopes,
        needs: Needs,
    ) -> Result<Self, Stop> {
        // The role of now, not that of the login.
        let role = db::user::find(conn, login.user)?.map_or(Role::User, |user| user.role);
        if !needs.allows(role) || !reaches(&scope, needs.scope) || !login.used_second_factor() {
            return Err(Refusal::InsufficientScope { needed: needs.scope }.into());
        }
        if !needs.scope.ends_with(":read") {
            login.must_be_fresh(now)?;
        }
        Ok(Self { actor: Actor::User(login.user), scope, role: Some(role) })
    }

    /// Whether nothing is out of reach.
    fn is_whole(&self) -> bool {
        self.role.is_none_or(|role| role == Role::Admin) && MANAGEMENT.iter().all(|scope| self.may(scope))
    }

    /// Refuses to touch users who may manage, and to make some, unless nothing is out of this manager's reach: who could reset an
    /// administrator could become one.
    pub fn must_reach(&self, role: Role) -> Result<(), Refusal> {
        if role == Role::User { Ok(()) } else { self.must_be_whole() }
    }

    /// Refuses whatever could leave others without what this manager has not.
    pub fn must_be_whole(&self) -> Result<(), Refusal> {
        if self.is_whole() { Ok(()) } else { Err(Refusal::OutOfReach) }
    }

    /// Refuses to touch an application with management scopes that this manager has not, and to give it some: in its own token each is for
    /// everybody's, so what counts is what this manager may do, not what the scopes are called.
    pub fn must_hold(&self, scopes: &Scopes) -> Result<(), Refusal> {
        if scopes.management().iter().all(|scope| self.may(scope)) {
            Ok(())
        } else {
            Err(Refusal::OutOfReach)
        }
    }

    /// Whether this is a user in the role of a help desk.
    pub fn is_help_desk(&self) -> bool {
        self.role == Some(Role::Helpdesk)
    }

    /// The user of this name, if in reach.
    pub fn find_user(&self, conn: &mut Conn, name: &UserName) -> Result<User, Stop> {
        let user = db::user::find_by_name(conn, name)?.ok_or(Refusal::NotFound { what: "user" })?;
        self.must_reach(user.role)?;
        Ok(user)
    }
}
