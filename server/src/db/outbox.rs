//! Mails on their way. Whoever sends one claims it for a time with a conditional statement, so that of several servers one sends
//! it; a server that dies meanwhile leaves it to the others when the time is over.

use diesel::dsl;
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use crate::db::schema::outbox;
use crate::db::{Conn, id, time, word};
use crate::domain::id::{MailId, UserId};
use crate::domain::notice::{MailState, MailSummary};
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// A mail to be sent.
pub struct New<'a> {
    /// Its id.
    pub id: MailId,
    /// Whom it is for.
    pub user: UserId,
    /// The address.
    pub recipient: &'a str,
    /// The notice's kind.
    pub kind: &'a str,
    /// The text, sealed.
    pub sealed: &'a [u8],
    /// When.
    pub now: Timestamp,
}

/// Adds a mail, due at once.
pub fn insert(conn: &mut Conn, new: &New<'_>) -> Result<(), Fault> {
    diesel::insert_into(outbox::table)
        .values((
            outbox::id.eq(new.id.bytes()),
            outbox::user_id.eq(new.user.bytes()),
            outbox::recipient.eq(new.recipient),
            outbox::kind.eq(new.kind),
            outbox::sealed.eq(new.sealed),
            outbox::state.eq(MailState::Waiting.as_str()),
            outbox::attempts.eq(0_i64),
            outbox::next_at.eq(new.now.millis()),
            outbox::claimed_until.eq(0_i64),
            outbox::created_at.eq(new.now.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Mails that are due and that nobody is sending, those that are due longest first.
pub fn due(conn: &mut Conn, now: Timestamp, limit: i64) -> Result<Vec<MailId>, Fault> {
    let rows: Vec<Vec<u8>> = outbox::table
        .filter(outbox::state.eq(MailState::Waiting.as_str()))
        .filter(outbox::next_at.le(now.millis()))
        .filter(outbox::claimed_until.le(now.millis()))
        .order((outbox::next_at.asc(), outbox::id.asc()))
        .limit(limit)
        .select(outbox::id)
        .load(conn)?;
    rows.iter().map(|bytes| id("mail id", MailId::from_bytes(bytes))).collect()
}

/// A mail that this server alone may send until the claim ends. Only [`claim`] makes it.
#[derive(Debug)]
pub struct Claimed {
    id: MailId,
    until: Timestamp,
    /// The address.
    pub recipient: String,
    /// The text, sealed.
    pub sealed: Option<Vec<u8>>,
    /// How often it was tried, this time included.
    pub attempts: i64,
    /// When the notice was given.
    pub created_at: Timestamp,
}

impl Claimed {
    /// The mail's id.
    pub const fn id(&self) -> MailId {
        self.id
    }
}

/// Claims a mail that is due, and counts the try. `None`: another server has it by now, or it is done.
pub fn claim(
    conn: &mut Conn,
    mail: MailId,
    until: Timestamp,
    now: Timestamp,
) -> Result<Option<Claimed>, Fault> {
    let row: Option<(String, Option<Vec<u8>>, i64, i64)> = diesel::update(outbox::table.find(mail.bytes()))
        .filter(outbox::state.eq(MailState::Waiting.as_str()))
        .filter(outbox::next_at.le(now.millis()))
        .filter(outbox::claimed_until.le(now.millis()))
        .set((outbox::claimed_until.eq(until.millis()), outbox::attempts.eq(outbox::attempts + 1)))
        .returning((outbox::recipient, outbox::sealed, outbox::attempts, outbox::created_at))
        .get_result(conn)
        .optional()?;
    Ok(row.map(|(recipient, sealed, attempts, created_at)| Claimed {
        id: mail,
        until,
        recipient,
        sealed,
        attempts,
        created_at: Timestamp::from_millis(created_at),
    }))
}

/// What became of a try.
#[derive(Clone, Copy, Debug)]
pub enum Tried<'a> {
    /// The mail server took the mail; its text is dropped.
    Sent,
    /// It is tried again at that time.
    Later(Timestamp, &'a str),
    /// It is given up.
    Failed(&'a str),
}

/// Ends a claim. Does nothing when the claim was over and another server has taken the mail on, except that a sent mail is sent.
pub fn settle(conn: &mut Conn, claimed: &Claimed, tried: Tried<'_>, now: Timestamp) -> Result<(), Fault> {
    let waiting = || {
        diesel::update(outbox::table.find(claimed.id.bytes()))
            .filter(outbox::state.eq(MailState::Waiting.as_str()))
    };
    let own = || waiting().filter(outbox::claimed_until.eq(claimed.until.millis()));
    match tried {
        Tried::Sent => waiting()
            .set((
                outbox::state.eq(MailState::Sent.as_str()),
                outbox::sealed.eq(None::<Vec<u8>>),
                outbox::sent_at.eq(now.millis()),
                outbox::claimed_until.eq(0_i64),
                outbox::last_error.eq(None::<String>),
            ))
            .execute(conn)?,
        Tried::Later(next_at, why) => own()
            .set((
                outbox::next_at.eq(next_at.millis()),
                outbox::claimed_until.eq(0_i64),
                outbox::last_error.eq(why),
            ))
            .execute(conn)?,
        Tried::Failed(why) => own()
            .set((
                outbox::state.eq(MailState::Failed.as_str()),
                outbox::claimed_until.eq(0_i64),
                outbox::last_error.eq(why),
            ))
            .execute(conn)?,
    };
    Ok(())
}

/// Makes an unsent mail due now, with all its tries before it; `false` where there is no such mail. A server that has it in hand may be sending it, or may
/// have been killed over it: rather twice than never.
pub fn requeue(conn: &mut Conn, mail: MailId, now: Timestamp) -> Result<bool, Fault> {
    Ok(requeue_these(conn, &[mail], now)? == 1)
}

/// The same for some that were looked up; returns how many of them were not sent meanwhile.
pub fn requeue_these(conn: &mut Conn, mails: &[MailId], now: Timestamp) -> Result<usize, Fault> {
    let requeued = diesel::update(outbox::table)
        .filter(outbox::id.eq_any(mails.iter().map(MailId::bytes)))
        .filter(outbox::state.ne(MailState::Sent.as_str()))
        .set((
            outbox::state.eq(MailState::Waiting.as_str()),
            outbox::attempts.eq(0_i64),
            outbox::next_at.eq(now.millis()),
            outbox::claimed_until.eq(0_i64),
        ))
        .execute(conn)?;
    Ok(requeued)
}

/// All mails that wait.
pub fn all_waiting(conn: &mut Conn) -> Result<Vec<MailId>, Fault> {
    let ids: Vec<Vec<u8>> = outbox::table.filter(is(MailState::Waiting)).select(outbox::id).load(conn)?;
    ids.iter().map(|bytes| id("mail id", MailId::from_bytes(bytes))).collect()
}

/// Mails that were given up, but for invitations whose link is used, void or over. A link is kept at the same moment as the mail that has it, and a
/// newer one takes its place.
const GIVEN_UP: &str = "state = 'failed' AND (kind <> 'invitation' OR EXISTS (SELECT 1 FROM invitation \
    WHERE invitation.user_id = outbox.user_id AND invitation.created_at = outbox.created_at AND invitation.expires_at > $1))";

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// How many mails [`all_given_up`] finds.
pub fn count_given_up(conn: &mut Conn, now: Timestamp) -> Result<i64, Fault> {
    let count: Count = diesel::sql_query(format!("SELECT count(*) AS number FROM outbox WHERE {GIVEN_UP}"))
        .bind::<BigInt, _>(now.millis())
        .get_result(conn)?;
    Ok(count.number)
}

/// All mails that were given up and lead somewhere.
pub fn all_given_up(conn: &mut Conn, now: Timestamp) -> Result<Vec<MailId>, Fault> {
    #[derive(QueryableByName)]
    #[diesel(table_name = outbox)]
    struct Given {
        id: Vec<u8>,
    }
    let found: Vec<Given> = diesel::sql_query(format!("SELECT id FROM outbox WHERE {GIVEN_UP}"))
        .bind::<BigInt, _>(now.millis())
        .load(conn)?;
    found.iter().map(|row| id("mail id", MailId::from_bytes(&row.id))).collect()
}

/// Gives up all mails that wait; returns how many there are.
pub fn give_up_all(conn: &mut Conn, why: &str) -> Result<usize, Fault> {
    let given_up = diesel::update(outbox::table)
        .filter(outbox::state.eq(MailState::Waiting.as_str()))
        .set((
            outbox::state.eq(MailState::Failed.as_str()),
            outbox::claimed_until.eq(0_i64),
            outbox::last_error.eq(why),
        ))
        .execute(conn)?;
    Ok(given_up)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox)]
struct Row {
    id: Vec<u8>,
    user_id: Option<Vec<u8>>,
    recipient: String,
    kind: String,
    state: String,
    attempts: i64,
    next_at: i64,
    created_at: i64,
    sent_at: Option<i64>,
    last_error: Option<String>,
}

impl Row {
    fn read(self) -> Result<MailSummary, Fault> {
        Ok(MailSummary {
            id: id("mail id", MailId::from_bytes(&self.id))?,
            user: self.user_id.map(|bytes| id("user id", UserId::from_bytes(&bytes))).transpose()?,
            recipient: self.recipient,
            kind: self.kind,
            state: word("mail state", &self.state)?,
            attempts: self.attempts,
            next_at: Timestamp::from_millis(self.next_at),
            created_at: Timestamp::from_millis(self.created_at),
            sent_at: time(self.sent_at),
            last_error: self.last_error,
        })
    }
}

/// Up to `limit` mails, the youngest first, older than one and in a state where they are given. Those that were not sent are found by the index of their
/// state, which has them by time, as their ids have it, too: there may be very many that were sent since.
pub fn page(
    conn: &mut Conn,
    before: Option<MailId>,
    state: Option<MailState>,
    limit: i64,
) -> Result<Vec<MailSummary>, Fault> {
    let newest = MailId::from_bytes(&[0xff; 16]).ok_or(Fault::Corrupt { what: "mail id" })?;
    let before = before.unwrap_or(newest);
    let older = || outbox::table.filter(outbox::id.lt(before.bytes())).limit(limit).select(Row::as_select());
    let by_id = || older().order(outbox::id.desc());
    let rows: Vec<Row> = match state {
        None => by_id().load(conn)?,
        Some(MailState::Sent) => by_id().filter(is(MailState::Sent)).load(conn)?,
        Some(state) => older()
            .filter(is(state))
            .filter(outbox::created_at.le(before.millis()))
            .order((outbox::created_at.desc(), outbox::id.desc()))
            .load(conn)?,
    };
    rows.into_iter().map(Row::read).collect()
}

/// A mail, and its sealed text while there is one.
pub type Found = (MailSummary, Option<Vec<u8>>);

/// One mail.
pub fn find(conn: &mut Conn, mail: MailId) -> Result<Option<Found>, Fault> {
    let row: Option<(Row, Option<Vec<u8>>)> =
        outbox::table.find(mail.bytes()).select((Row::as_select(), outbox::sealed)).first(conn).optional()?;
    row.map(|(row, sealed)| Ok((row.read()?, sealed))).transpose()
}

/// Whether a mail is in a state. Said in the text, and so planned by the index of that state alone: with a parameter a plan for any state could be
/// kept, which reads the whole table.
fn is(state: MailState) -> SqlLiteral<Bool> {
    dsl::sql(match state {
        MailState::Waiting => "state = 'waiting'",
        MailState::Sent => "state = 'sent'",
        MailState::Failed => "state = 'failed'",
    })
}

/// How many mails wait, and since when the first of them does.
pub fn waiting(conn: &mut Conn) -> Result<(i64, Option<Timestamp>), Fault> {
    let all = outbox::table.filter(is(MailState::Waiting));
    let (count, since): (i64, Option<i64>) =
        all.select((dsl::count_star(), dsl::min(outbox::created_at))).first(conn)?;
    Ok((count, time(since)))
}

/// How many mails are in a state.
pub fn count(conn: &mut Conn, state: MailState) -> Result<i64, Fault> {
    Ok(outbox::table.filter(is(state)).count().get_result(conn)?)
}
