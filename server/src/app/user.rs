//! Adding, listing, locking and removing users.

pub mod import;

use crate::app::context::{At, Service, Stop, Tx, all_pages};
use crate::app::invitation::{Link, invite_in};
use crate::app::outbox::queue;
use crate::crypto::password;
use crate::db::lockout::Standing;
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Event, Subject};
use crate::domain::factor::Summary;
use crate::domain::id::UserId;
use crate::domain::notice::{LockedBy, Notice};
use crate::domain::password::Password;
use crate::domain::refusal::Refusal;
use crate::domain::user::{Role, User, UserName, UserState};
use crate::random;

/// Who shall be added.
pub struct NewUser {
    /// The name.
    pub name: UserName,
    /// Where mail goes.
    pub email: Option<String>,
    /// What the user may do.
    pub role: Role,
    /// The password, where Countersign checks it.
    pub password: Option<Password>,
}

/// Adds a user.
pub fn add(service: &Service, conn: &mut Conn, at: At, mut new: NewUser) -> Result<User, Stop> {
    let hash = new.password.take().map(|password| password::hash(&password)).transpose()?;
    service.write(conn, at, |tx| add_in(tx, new, hash))
}

/// Adds a user and makes an invitation, which goes out by mail where there is an address.
pub fn add_invited(service: &Service, conn: &mut Conn, at: At, new: NewUser) -> Result<(User, Link), Stop> {
    service.write(conn, at, |tx| {
        let user = add_in(tx, new, None)?;
        let link = invite_in(service, tx, &user)?;
        Ok((user, link))
    })
}

/// Adds a user within a transaction; the password is hashed outside of it.
fn add_in(tx: &mut Tx<'_>, new: NewUser, hash: Option<String>) -> Result<User, Stop> {
    tx.must_reach(new.role)?;
    // Looked up first, since a failed insert would end the whole transaction on PostgreSQL.
    if db::user::find_by_name(tx.conn, &new.name)?.is_some() {
        return Err(Refusal::AlreadyExists { what: "user" }.into());
    }
    insert(tx, &new.name, new.email, new.role, hash)
}

/// Gives a user another e-mail address, or none. A link that went to the old one is void; nothing else changes.
pub fn change_email(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &UserName,
    email: Option<&str>,
) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        if user.email.as_deref() != email {
            db::user::update(tx.conn, user.id, email, user.role)?;
            db::invitation::void(tx.conn, user.id)?;
            tx.note(
                Event::done(tx.origin.manager, Action::UserChanged, Subject::User(user.id)).with("email"),
            );
        }
        Ok(())
    })
}

/// Gives a user another role, and ends all sessions and an invitation that waits: what they may do is decided anew at the next login.
pub fn change_role(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &UserName,
    role: Role,
) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        tx.must_reach(role)?;
        let user = tx.require_user(name)?;
        if user.role != role {
            tx.must_leave_an_administrator(&user)?;
            db::user::update(tx.conn, user.id, user.email.as_deref(), role)?;
            // Whoever has a link to the password of a user like any other shall not find a manager behind it.
            db::invitation::void(tx.conn, user.id)?;
            db::trusted_device::forget_all(tx.conn, user.id)?;
            let ended = tx.end_sessions(Which::OfUser(user.id))?;
            let event = Event::done(tx.origin.manager, Action::UserChanged, Subject::User(user.id));
            tx.note(event.with(format!("role={role} sessions={ended}")));
        }
        Ok(())
    })
}

/// Adds a user, or changes the one of this name to be like that; `true` where the user is new. A password that is left out stays;
/// a new one ends all sessions, as another role does; and like another e-mail address both end an invitation that waits.
pub fn put(service: &Service, conn: &mut Conn, at: At, new: &NewUser) -> Result<(User, bool), Stop> {
    let hash = new.password.as_ref().map(password::hash).transpose()?;
    service.write_by_name(conn, at, |tx| {
        tx.must_reach(new.role)?;
        let known = match db::user::find_by_name(tx.conn, &new.name)? {
            Some(_) => tx.require_user(&new.name).map(Some),
            None => Ok(None),
        };
        let user = match known {
            Ok(Some(user)) => user,
            // Removed while this waited for the hold.
            Ok(None) | Err(Stop::Refused(Refusal::NotFound { .. })) => {
                let user = insert(tx, &new.name, new.email.clone(), new.role, hash.clone())?;
                return Ok((user, true));
            }
            Err(stop) => return Err(stop),
        };
        if new.role != Role::Admin {
            tx.must_leave_an_administrator(&user)?;
        }
        db::user::update(tx.conn, user.id, new.email.as_deref(), new.role)?;
        let mut detail = format!("role={}", new.role);
        if let Some(hash) = &hash {
            db::user::set_password_hash(tx.conn, user.id, hash)?;
            db::mfa_token::end_all_of_user(tx.conn, user.id)?;
        }
        if hash.is_some() || new.email != user.email || new.role != user.role {
            db::invitation::void(tx.conn, user.id)?;
        }
        if hash.is_some() || new.role != user.role {
            db::trusted_device::forget_all(tx.conn, user.id)?;
            let ended = tx.end_sessions(Which::OfUser(user.id))?;
            detail.extend([" sessions=", &ended.to_string()]);
        }
        let event = Event::done(tx.origin.manager, Action::UserChanged, Subject::User(user.id));
        tx.note(event.with(detail));
        let changed = db::user::find(tx.conn, user.id)?.ok_or(Refusal::NotFound { what: "user" })?;
        if hash.is_some() {
            // To the old address, too: whoever changes both must not go unnoticed.
            queue(service, tx, &user, &Notice::PasswordChanged)?;
            if changed.email != user.email {
                queue(service, tx, &changed, &Notice::PasswordChanged)?;
            }
        }
        Ok((changed, false))
    })
}

fn insert(
    tx: &mut Tx<'_>,
    name: &UserName,
    email: Option<String>,
    role: Role,
    password_hash: Option<String>,
) -> Result<User, Stop> {
    let name = &name.clone().chosen()?;
    let user = User {
        id: UserId::new(random::id(tx.now)),
        name: name.shown().to_owned(),
        email,
        password_hash,
        role,
        state: UserState::Active,
        created_at: tx.now,
        language: None,
    };
    if !db::user::insert(tx.conn, &user, name)? {
        return Err(Refusal::AlreadyExists { what: "user" }.into());
    }
    let detail = format!("name={} role={}", user.name, user.role);
    tx.note(Event::done(tx.origin.manager, Action::UserAdded, Subject::User(user.id)).with(detail));
    Ok(user)
}

/// A page of users by name.
pub fn page(conn: &mut Conn, after: Option<&str>, prefix: &str, limit: i64) -> Result<Vec<User>, Stop> {
    Ok(db::user::page(conn, after, prefix, limit)?)
}

/// All users by name.
pub fn list(conn: &mut Conn) -> Result<Vec<User>, Stop> {
    all_pages(
        None,
        |user: &User| Some(user.name.clone()),
        |after: Option<String>, limit| {
            let after = after.map(|name| UserName::fold(&name));
            Ok(db::user::page(conn, after.as_deref(), "", limit)?)
        },
    )
}

/// Whether there is no user at all.
pub fn none_exist(conn: &mut Conn) -> Result<bool, Stop> {
    Ok(db::user::count_up_to(conn, 1)? == 0)
}

/// Everything known of a user.
pub struct Details {
    /// The user.
    pub user: User,
    /// Factors that are not over.
    pub factors: Vec<Summary>,
    /// Failed codes and the wait they brought.
    pub standing: Standing,
}

/// Everything known of the user of this name.
pub fn show(conn: &mut Conn, at: At, name: &UserName) -> Result<Details, Stop> {
    let user = db::user::find_by_name(conn, name)?.ok_or(Refusal::NotFound { what: "user" })?;
    let mut factors = db::factor::list(conn, user.id)?;
    factors.retain(|factor| !factor.has_lapsed(at.now));
    let standing = db::lockout::standing(conn, user.id.bytes())?;
    Ok(Details { user, factors, standing })
}

/// Locks a user until somebody unlocks: no password, code or invitation counts, and all sessions end.
pub fn lock(service: &Service, conn: &mut Conn, at: At, name: &UserName) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        tx.must_leave_an_administrator(&user)?;
        db::user::set_state(tx.conn, user.id, UserState::Locked)?;
        db::mfa_token::end_all_of_user(tx.conn, user.id)?;
        db::trusted_device::forget_all(tx.conn, user.id)?;
        db::invitation::void(tx.conn, user.id)?;
        let ended = tx.end_sessions(Which::OfUser(user.id))?;
        let detail = format!("sessions={ended}");
        tx.note(Event::done(tx.origin.manager, Action::UserLocked, Subject::User(user.id)).with(detail));
        if user.state != UserState::Locked {
            queue(service, tx, &user, &Notice::Locked(LockedBy::Administrator))?;
        }
        Ok(())
    })
}

/// Gives a user a new password, and ends all sessions: whoever knew the old one is out.
pub fn set_password(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &UserName,
    new: &Password,
) -> Result<(), Stop> {
    let hash = password::hash(new)?;
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        db::user::set_password_hash(tx.conn, user.id, &hash)?;
        db::mfa_token::end_all_of_user(tx.conn, user.id)?;
        db::trusted_device::forget_all(tx.conn, user.id)?;
        db::invitation::void(tx.conn, user.id)?;
        let ended = tx.end_sessions(Which::OfUser(user.id))?;
        let event = Event::done(tx.origin.manager, Action::PasswordChanged, Subject::User(user.id));
        tx.note(event.with(format!("sessions={ended}")));
        queue(service, tx, &user, &Notice::PasswordChanged)?;
        Ok(())
    })
}

/// Unlocks a user, and forgets all failed codes.
pub fn unlock(service: &Service, conn: &mut Conn, at: At, name: &UserName) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        db::lockout::clear(tx.conn, user.id.bytes())?;
        db::user::set_state(tx.conn, user.id, UserState::Active)?;
        tx.note(Event::done(tx.origin.manager, Action::UserUnlocked, Subject::User(user.id)));
        Ok(())
    })
}

/// Removes a user with all factors, sessions and tokens. The audit log keeps the id.
pub fn remove(service: &Service, conn: &mut Conn, at: At, name: &UserName) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        tx.must_leave_an_administrator(&user)?;
        tx.end_sessions(Which::OfUser(user.id))?;
        db::user::remove(tx.conn, user.id)?;
        let detail = format!("name={}", user.name);
        tx.note(Event::done(tx.origin.manager, Action::UserRemoved, Subject::User(user.id)).with(detail));
        Ok(())
    })
}
