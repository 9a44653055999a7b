//! What users should hear of goes into the outbox, in the transaction of what happened; a mail server that is slow, down or wrong
//! holds nothing up and loses nothing.
//!
//! 1. [`queue`] writes the mail, seals its text and adds it.
//! 2. [`send_next`] claims one that is due, sends it without a transaction or connection meanwhile, and settles it.
//! 3. What was not taken is tried again, at growing intervals, or given up and kept (`domain/notice`).
//!
//! A server that dies between the mail server's yes and step 3 leaves a mail that is sent once more, with the same `Message-ID`:
//! rather twice than never.

use std::iter;

use crate::app::context::{At, Service, Stop, Tx};
use crate::crypto::seal::Place;
use crate::db::outbox::{Claimed, Tried};
use crate::db::{self, Conn, Database};
use crate::domain::audit::{Action, Event, Subject};
use crate::domain::id::MailId;
use crate::domain::notice::{MAX_ATTEMPTS, MailState, MailSummary, Notice, retry_after_s};
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::user::{Language, User};
use crate::error::Fault;
use crate::mail::{Letter, Parcel, Refused, Transport, render};
use crate::random;

/// How long a mail is one server's to send: longer than a conversation in which every answer comes at the last moment.
const CLAIM_S: i64 = 15 * 60;

/// How many mails one transaction makes due.
const RETRIED_AT_ONCE: usize = 500;

/// How many due mails are looked at for one that no other server is about to take.
const LOOKAHEAD: i64 = 16;

/// Writes a mail about something that this transaction does. A user without an e-mail address hears nothing.
pub fn queue(service: &Service, tx: &mut Tx<'_>, user: &User, notice: &Notice) -> Result<(), Fault> {
    let Some(recipient) = user.email.as_deref() else { return Ok(()) };
    let language = user.language.unwrap_or(Language::En);
    let letter = render(notice, &user.name, language, &service.issuer_name, &service.issuer)?;
    let id = MailId::new(random::id(tx.now));
    let plain = serde_json::to_vec(&letter).map_err(Fault::while_("writing a mail"))?;
    let sealed = tx.seal(service, Place::mail(&id), &plain)?;
    let new =
        db::outbox::New { id, user: user.id, recipient, kind: notice.kind(), sealed: &sealed, now: tx.now };
    db::outbox::insert(tx.conn, &new)
}

/// What became of the mail that was due.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The mail server took it.
    Sent(MailId),
    /// It was not taken for now, and is tried again.
    Later(MailId, Refused),
    /// It was given up.
    GivenUp(MailId, Refused),
}

/// Sends one mail that is due; `None` when there is none. Takes as long as the mail server takes.
pub fn send_next(
    service: &Service,
    database: &Database,
    transport: &Transport,
    now: Timestamp,
) -> Result<Option<Outcome>, Fault> {
    let Some(claimed) = claim_next(service, database, now)? else { return Ok(None) };
    let id = claimed.id();
    let sent = open(service, id, claimed.sealed.as_deref()).map_or_else(
        |_| Err(Refused::ForGood("the text cannot be opened: sealed under another master key".to_owned())),
        |letter| {
            transport.send(&Parcel {
                id,
                recipient: &claimed.recipient,
                letter: &letter,
                written_at: claimed.created_at,
            })
        },
    );
    let outcome = match sent {
        Ok(()) => Outcome::Sent(id),
        Err(refused @ Refused::ForGood(_)) => Outcome::GivenUp(id, refused),
        Err(refused) if claimed.attempts >= MAX_ATTEMPTS => Outcome::GivenUp(id, refused),
        Err(refused) => Outcome::Later(id, refused),
    };
    let mut conn = database.connection()?;
    service.write_in_turn(&mut conn, |conn| match &outcome {
        Outcome::Sent(_) => db::outbox::settle(conn, &claimed, Tried::Sent, now),
        Outcome::Later(_, refused) => {
            let next_at = now.plus_seconds(retry_after_s(claimed.attempts));
            db::outbox::settle(conn, &claimed, Tried::Later(next_at, &refused.to_string()), now)
        }
        Outcome::GivenUp(_, refused) => {
            db::outbox::settle(conn, &claimed, Tried::Failed(&refused.to_string()), now)
        }
    })?;
    Ok(Some(outcome))
}

fn claim_next(service: &Service, database: &Database, now: Timestamp) -> Result<Option<Claimed>, Fault> {
    let mut conn = database.connection()?;
    let until = now.plus_seconds(CLAIM_S);
    for id in db::outbox::due(&mut conn, now, LOOKAHEAD)? {
        let claimed = service.write_in_turn(&mut conn, |conn| {
            // A server that was left on after the master key was rotated would give up every mail: it cannot open one.
            service.must_stay_bound(conn)?;
            db::outbox::claim(conn, id, until, now)
        })?;
        if claimed.is_some() {
            return Ok(claimed);
        }
    }
    Ok(None)
}

fn open(service: &Service, id: MailId, sealed: Option<&[u8]>) -> Result<Letter, Fault> {
    let corrupt = Fault::Corrupt { what: "mail" };
    let plain = service.sealer.open(Place::mail(&id), sealed.ok_or(corrupt)?)?;
    serde_json::from_slice(&plain).map_err(Fault::while_("reading a mail"))
}

/// A page of mails, the youngest first.
pub fn page(
    conn: &mut Conn,
    before: Option<MailId>,
    state: Option<MailState>,
    limit: i64,
) -> Result<Vec<MailSummary>, Stop> {
    Ok(db::outbox::page(conn, before, state, limit)?)
}

/// How many mails are in a state.
pub fn count(conn: &mut Conn, state: MailState) -> Result<i64, Stop> {
    Ok(db::outbox::count(conn, state)?)
}

/// A mail with its text, which is gone when it was sent. For the command line alone: it may hold an invitation's link.
pub fn show(
    service: &Service,
    conn: &mut Conn,
    at: At,
    id: MailId,
) -> Result<(MailSummary, Option<Letter>), Stop> {
    service.write(conn, at, |tx| {
        let (mail, sealed) = db::outbox::find(tx.conn, id)?.ok_or(Refusal::NotFound { what: "mail" })?;
        let letter = sealed.map(|sealed| open(service, id, Some(&sealed))).transpose()?;
        tx.note(event(tx, Action::MailShown, &mail));
        Ok((mail, letter))
    })
}

/// Makes a mail that was not sent due now.
pub fn retry(service: &Service, conn: &mut Conn, at: At, id: MailId) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let found = db::outbox::find(tx.conn, id)?;
        let (mail, _) = found.ok_or(Refusal::NotFound { what: "mail" })?;
        if !db::outbox::requeue(tx.conn, id, tx.now)? {
            return Err(Refusal::NotFound { what: "unsent mail" }.into());
        }
        tx.note(event(tx, Action::MailRetried, &mail));
        Ok(())
    })
}

/// Makes all mails that were not sent due now, without invitations whose link leads nowhere any more; returns how many there are.
pub fn retry_all(service: &Service, conn: &mut Conn, at: At) -> Result<usize, Stop> {
    let mut mails = db::outbox::all_waiting(conn)?;
    mails.extend(db::outbox::all_given_up(conn, at.now)?);
    retry_many(service, conn, at, &mails)
}

/// The same for those that wait.
pub fn retry_waiting(service: &Service, conn: &mut Conn, at: At) -> Result<usize, Stop> {
    let mails = db::outbox::all_waiting(conn)?;
    retry_many(service, conn, at, &mails)
}

/// The same for those that were given up.
pub fn retry_given_up(service: &Service, conn: &mut Conn, at: At) -> Result<usize, Stop> {
    let mails = db::outbox::all_given_up(conn, at.now)?;
    retry_many(service, conn, at, &mails)
}

/// How many [`retry_given_up`] would take.
pub fn count_given_up(conn: &mut Conn, at: At) -> Result<i64, Stop> {
    Ok(db::outbox::count_given_up(conn, at.now)?)
}

/// Some in each transaction, with an entry of the log; one at least, which says that there were none.
fn retry_many(service: &Service, conn: &mut Conn, at: At, mails: &[MailId]) -> Result<usize, Stop> {
    let mut retried = 0;
    let (first, rest) = mails.split_at(mails.len().min(RETRIED_AT_ONCE));
    for some in iter::once(first).chain(rest.chunks(RETRIED_AT_ONCE)) {
        retried += service.write(conn, at, |tx| {
            let number = db::outbox::requeue_these(tx.conn, some, tx.now)?;
            let event = Event::done(tx.origin.manager, Action::MailRetried, None);
            tx.note(event.with(format!("mails={number}")));
            Ok(number)
        })?;
    }
    Ok(retried)
}

fn event(tx: &Tx<'_>, action: Action, mail: &MailSummary) -> Event {
    let event = Event::done(tx.origin.manager, action, mail.user.map(Subject::User));
    event.with(format!("mail={} kind={}", mail.id, mail.kind))
}
