//! Resetting a user's enrolment, and where the operator wants it so, the second person that a help desk needs for it.
//!
//! 1. [`reset_or_ask`] resets, or keeps a request for a day.
//! 2. Another person who may reset approves or declines it. The first who decides takes the request; everybody later finds none.

use crate::app::context::{At, Service, Stop, Tx};
use crate::app::outbox::queue;
use crate::app::recovery_code::forgive;
use crate::db::reset_request::Request;
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::id::ResetRequestId;
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::user::{User, UserName};
use crate::error::Fault;
use crate::random;

/// How long a request waits, in seconds: a day.
pub const REQUEST_TTL_S: i64 = 86_400;

/// How many waiting requests are listed.
const LISTED: i64 = 200;

/// What a reset ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResetReport {
    /// Factors that verify no more.
    pub factors: usize,
    /// Sessions that are over, with all their tokens.
    pub sessions: usize,
}

/// The operator resets a user's enrolment: every factor, session and `mfa_token` is dead when this returns.
pub fn reset(service: &Service, conn: &mut Conn, at: At, name: &UserName) -> Result<ResetReport, Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        reset_in(service, tx, &user)
    })
}

fn reset_in(service: &Service, tx: &mut Tx<'_>, user: &User) -> Result<ResetReport, Stop> {
    let mut factors = 0;
    for factor in db::factor::list(tx.conn, user.id)? {
        factors += usize::from(db::factor::revoke(tx.conn, factor.id, tx.now)?);
    }
    db::mfa_token::end_all_of_user(tx.conn, user.id)?;
    db::recovery_code::remove_all(tx.conn, user.id)?;
    db::trusted_device::forget_all(tx.conn, user.id)?;
    db::invitation::void(tx.conn, user.id)?;
    // Whoever waits for a second person has what was asked for.
    db::reset_request::void(tx.conn, user.id)?;
    // What was guessed wrong was guessed of factors that are over: the first code of the next one is no guess more. Passwords keep their count.
    let failures = db::lockout::standing(tx.conn, user.id.bytes())?.failures;
    db::lockout::clear(tx.conn, user.id.bytes())?;
    forgive(service, tx, user.id)?;
    let sessions = tx.end_sessions(Which::OfUser(user.id))?;
    let detail = format!("factors={factors} sessions={sessions} failures={failures}");
    tx.note(Event::done(tx.origin.manager, Action::FactorsReset, Subject::User(user.id)).with(detail));
    queue(service, tx, user, &Notice::Reset)?;
    Ok(ResetReport { factors, sessions })
}

/// What became of a reset that a manager wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It is done.
    Done(ResetReport),
    /// It waits for a second person.
    Waits(ResetRequestId),
}

/// A manager resets a user's enrolment, or asks for it where a help desk's resets need a second person. Asking again changes nothing.
pub fn reset_or_ask(service: &Service, conn: &mut Conn, at: At, name: &UserName) -> Result<Outcome, Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        if !(service.console.reset_needs_approval && tx.is_help_desk()) {
            return reset_in(service, tx, &user).map(Outcome::Done);
        }
        let Actor::User(asked_by) = tx.origin.manager else { return Err(Refusal::OutOfReach.into()) };
        if let Some(waiting) = db::reset_request::of_user(tx.conn, user.id, tx.now)? {
            return Ok(Outcome::Waits(waiting.id));
        }
        db::reset_request::void(tx.conn, user.id)?;
        let id = ResetRequestId::new(random::id(tx.now));
        let expires_at = tx.now.plus_seconds(REQUEST_TTL_S);
        let new = Request { id, user: user.id, asked_by, asked_at: tx.now, expires_at };
        db::reset_request::insert(tx.conn, &new)?;
        let event = Event::done(tx.origin.manager, Action::ResetAsked, Subject::User(user.id));
        tx.note(event.with(format!("request={id}")));
        Ok(Outcome::Waits(id))
    })
}

/// A reset that waits.
pub struct Waiting {
    /// Its id.
    pub id: ResetRequestId,
    /// Whose enrolment shall be reset.
    pub user: User,
    /// Who asked.
    pub asked_by: User,
    /// When.
    pub asked_at: Timestamp,
    /// Until when it can be decided.
    pub expires_at: Timestamp,
}

/// What waits, the eldest first; two hundred at most.
pub fn waiting(conn: &mut Conn, at: At) -> Result<Vec<Waiting>, Stop> {
    let mut waiting = Vec::new();
    for request in db::reset_request::list_live(conn, at.now, LISTED)? {
        waiting.extend(with_people(conn, &request)?);
    }
    Ok(waiting)
}

/// A request with whom it is about; none where either was removed at this moment, and the request with them.
fn with_people(conn: &mut Conn, request: &Request) -> Result<Option<Waiting>, Fault> {
    let people = db::user::find(conn, request.user)?.zip(db::user::find(conn, request.asked_by)?);
    let &Request { id, asked_at, expires_at, .. } = request;
    Ok(people.map(|(user, asked_by)| Waiting { id, user, asked_by, asked_at, expires_at }))
}

/// How many wait.
pub fn count_waiting(conn: &mut Conn, at: At) -> Result<i64, Stop> {
    Ok(db::reset_request::count_live(conn, at.now)?)
}

/// One that waits.
pub fn find_waiting(conn: &mut Conn, at: At, id: ResetRequestId) -> Result<Waiting, Stop> {
    let request = db::reset_request::find_live(conn, id, at.now)?;
    let found = request.map(|request| with_people(conn, &request)).transpose()?.flatten();
    Ok(found.ok_or(Refusal::NotFound { what: "reset request" })?)
}

/// A second person lets a reset happen.
pub fn approve(service: &Service, conn: &mut Conn, at: At, id: ResetRequestId) -> Result<ResetReport, Stop> {
    service.write(conn, at, |tx| {
        let user = decide(tx, id, Action::ResetApproved)?;
        reset_in(service, tx, &user)
    })
}

/// A second person does not.
pub fn decline(service: &Service, conn: &mut Conn, at: At, id: ResetRequestId) -> Result<(), Stop> {
    service.write(conn, at, |tx| decide(tx, id, Action::ResetDeclined).map(|_| ()))
}

/// Takes the request, if this manager is another person than the one who asked.
fn decide(tx: &mut Tx<'_>, id: ResetRequestId, action: Action) -> Result<User, Stop> {
    let none = || Refusal::NotFound { what: "reset request" };
    let request = db::reset_request::find_live(tx.conn, id, tx.now)?.ok_or_else(none)?;
    let actor = tx.origin.manager;
    let Actor::User(person) = actor else { return Err(Refusal::OutOfReach.into()) };
    if person == request.asked_by {
        tx.note(Event::refused(actor, action, Subject::User(request.user), "own_request"));
        return Err(Refusal::OutOfReach.into());
    }
    // Read behind the hold: another role may have come meanwhile.
    db::lockout::hold(tx.conn, request.user, tx.now)?;
    let user = db::user::find(tx.conn, request.user)?.ok_or_else(none)?;
    tx.must_reach(user.role)?;
    if !db::reset_request::take(tx.conn, id)? {
        return Err(none().into());
    }
    let detail = format!("request={id} asked_by=user:{}", request.asked_by);
    tx.note(Event::done(actor, action, Subject::User(user.id)).with(detail));
    Ok(user)
}
