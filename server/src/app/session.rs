//! Sessions: every login is one. Listing and ending them, by the user and by the operator.

use crate::app::bearer::logged_in;
use crate::app::context::{At, Service, Stop, Tx, all_pages};
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::id::{SessionId, UserId};
use crate::domain::refusal::Refusal;
use crate::domain::scope::SESSIONS;
use crate::domain::token::SessionSummary;
use crate::domain::user::{User, UserName};

/// How many sessions are listed where there are no pages.
const MAX_LISTED: i64 = 1000;

/// A user's live sessions, as the operator sees them; however many.
pub fn list(conn: &mut Conn, at: At, name: &UserName) -> Result<Vec<SessionSummary>, Stop> {
    let user = find(conn, name)?;
    all_pages(
        SessionId::LAST,
        |session: &SessionSummary| session.id,
        |before, limit| Ok(db::session::page(conn, user.id, at.now, before, limit)?),
    )
}

/// A page of a user's live sessions, started before one of them, the youngest first.
pub fn page(
    conn: &mut Conn,
    at: At,
    name: &UserName,
    before: SessionId,
    limit: i64,
) -> Result<Vec<SessionSummary>, Stop> {
    let user = find(conn, name)?;
    Ok(db::session::page(conn, user.id, at.now, before, limit)?)
}

/// The operator ends one session.
pub fn end(service: &Service, conn: &mut Conn, at: At, session: SessionId) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let user = db::session::user_of(tx.conn, session)?.ok_or(Refusal::NotFound { what: "session" })?;
        end_one(tx, tx.origin.manager, user, session)
    })
}

/// The operator or a manager ends one session of a user.
pub fn end_of(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &UserName,
    session: SessionId,
) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        end_one(tx, tx.origin.manager, user.id, session)
    })
}

/// The operator ends all sessions of a user; returns how many were live.
pub fn end_all(service: &Service, conn: &mut Conn, at: At, name: &UserName) -> Result<usize, Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        end_of_user(tx, tx.origin.manager, user.id)
    })
}

/// A user's own live sessions.
pub fn list_own(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
) -> Result<Vec<SessionSummary>, Stop> {
    let login = logged_in(service, conn, at.now, token, SESSIONS)?;
    Ok(db::session::page(conn, login.user, at.now, SessionId::LAST, MAX_LISTED)?)
}

/// A user ends one of the own sessions; it may be the one that the token belongs to.
pub fn end_own(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
    session: SessionId,
) -> Result<(), Stop> {
    let login = logged_in(service, conn, at.now, token, SESSIONS)?;
    service.write(conn, at, |tx| end_one(tx, Actor::User(login.user), login.user, session))
}

/// A user ends all of the own sessions, this one too.
pub fn end_all_own(service: &Service, conn: &mut Conn, at: At, token: &str) -> Result<(), Stop> {
    let login = logged_in(service, conn, at.now, token, SESSIONS)?;
    service.write(conn, at, |tx| end_of_user(tx, Actor::User(login.user), login.user).map(|_| ()))
}

fn find(conn: &mut Conn, name: &UserName) -> Result<User, Stop> {
    Ok(db::user::find_by_name(conn, name)?.ok_or(Refusal::NotFound { what: "user" })?)
}

fn end_one(tx: &mut Tx<'_>, actor: Actor, user: UserId, session: SessionId) -> Result<(), Stop> {
    if tx.end_sessions(Which::OneOf(user, session))? == 0 {
        return Err(Refusal::NotFound { what: "session" }.into());
    }
    let event = Event::done(actor, Action::SessionEnded, Subject::User(user));
    tx.note(event.with(format!("session={session}")));
    Ok(())
}

fn end_of_user(tx: &mut Tx<'_>, actor: Actor, user: UserId) -> Result<usize, Stop> {
    let ended = tx.end_sessions(Which::OfUser(user))?;
    let event = Event::done(actor, Action::SessionEnded, Subject::User(user));
    tx.note(event.with(format!("sessions={ended}")));
    Ok(ended)
}
