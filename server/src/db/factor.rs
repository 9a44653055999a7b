//! Factors, and the second link of the chain check, spend, issue.

use std::collections::HashMap;

use diesel::dsl::count_star;
#[cfg(feature = "postgres")]
use diesel::pg::Pg;
use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::{Array, BigInt, Binary};
use diesel::sqlite::SqliteConnection;
use mobile_core::{Algorithm, Digits, Hotp, Period, Totp};

use crate::db::lockout::{self as gate, AtGate, Gate, Passed, Standing, TryByName};
use crate::db::schema::{factor, factor_secret, factor_step, lockout, user};
#[cfg(feature = "postgres")]
use crate::db::statement::column;
use crate::db::statement::{OneOf, Statement, directly, pieces};
use crate::db::{Conn, id, time, word};
use crate::domain::factor::{FactorState, LastStep, Matched, Mechanism, Summary};
use crate::domain::figures::Factors;
use crate::domain::id::{FactorId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::user::UserState;
use crate::error::Fault;

/// A code that was right and is now used up, or will be before the transaction commits. Only [`spend`] and [`Spending`] make it; only a token can be
/// made of it, for the factor's own user.
#[must_use]
#[derive(Debug)]
pub struct Spent {
    factor: FactorId,
    user: UserId,
    confirmed: bool,
}

impl Spent {
    /// Of a code whose step is used up in this transaction. A right code confirms a pending factor.
    fn of(conn: &mut Conn, matched: &Matched, now: Timestamp) -> Result<Self, Fault> {
        if matched.confirms() {
            diesel::update(
                factor::table
                    .find(matched.factor().bytes())
                    .filter(factor::state.eq(FactorState::Pending.as_str())),
            )
            .set((
                factor::state.eq(FactorState::Active.as_str()),
                factor::confirmed_at.eq(now.millis()),
                factor::expires_at.eq(None::<i64>),
            ))
            .execute(conn)?;
        }
        Ok(Self { factor: matched.factor(), user: matched.user(), confirmed: matched.confirms() })
    }

    /// The factor whose code it was.
    pub const fn factor(&self) -> FactorId {
        self.factor
    }

    /// The factor's user.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// Whether this code confirmed a pending factor.
    pub const fn confirmed(&self) -> bool {
        self.confirmed
    }
}

/// A code that is to be used up.
struct ToSpend {
    factor: FactorId,
    step: i64,
    now: Timestamp,
}

impl ToSpend {
    fn of(matched: &Matched, now: Timestamp) -> Self {
        Self { factor: matched.factor(), step: matched.stored_step(), now }
    }
}

// A macro, since each back end has a type of its own for what is bound.
macro_rules! spend {
    ($code:expr) => {
        Statement::new(
            "UPDATE factor_step SET last_step = ?, used_at = ? WHERE factor_id = ? AND last_step < ?",
        )
        .whole($code.step)
        .whole($code.now.millis())
        .bytes($code.factor.bytes())
        .whole($code.step)
    };
}

/// Uses up a step or counter, if it comes after the last one and the factor was not reset meanwhile (a reset deletes the row). The
/// database decides, so of any number of servers and threads one gets `Some`.
pub fn spend(conn: &mut Conn, matched: &Matched, now: Timestamp) -> Result<Option<Spent>, Fault> {
    let code = ToSpend::of(matched, now);
    let spent = directly!(&mut *conn, |own| spend!(code).execute(own))?;
    if spent == 0 { Ok(None) } else { Spent::of(conn, matched, now).map(Some) }
}

/// The codes that a transaction uses up at its end, all in one trip (`db::login`).
#[derive(Default)]
pub struct Spending(Vec<ToSpend>);

impl Spending {
    /// Adds a right code of a user who passed the gate in this transaction, and was read behind it: so nobody else uses it up, and it is as
    /// good as spent. The database has the last word: without it the transaction does not commit.
    pub fn add(
        &mut self,
        conn: &mut Conn,
        passed: &Passed,
        matched: &Matched,
        now: Timestamp,
    ) -> Result<Spent, Fault> {
        if passed.user() != matched.user() || passed.gate() != Gate::Open {
            return Err(Fault::Corrupt { what: "a code that did not pass the gate" });
        }
        self.0.push(ToSpend::of(matched, now));
        Spent::of(conn, matched, now)
    }

    /// How many they are.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }
}

/// Uses them up; returns for how many that could be done.
pub(super) fn spend_each(conn: &mut SqliteConnection, spending: &Spending) -> Result<usize, Fault> {
    let mut spent = 0;
    for code in &spending.0 {
        spent += spend!(code).execute(conn)?;
    }
    Ok(spent)
}

/// Uses them up, and returns a row for each with which that could be done.
#[cfg(feature = "postgres")]
pub(super) fn spending(spending: &Spending) -> Statement<'_, Pg> {
    let Spending(codes) = spending;
    Statement::new(
        "UPDATE factor_step SET last_step = code.step, used_at = code.now \
         FROM UNNEST(?, ?, ?) AS code (factor_id, step, now) \
         WHERE factor_step.factor_id = code.factor_id AND factor_step.last_step < code.step \
         RETURNING factor_step.factor_id",
    )
    .bind::<Array<Binary>, _>(column(codes, |code| code.factor.bytes()))
    .bind::<Array<BigInt>, _>(column(codes, |code| code.step))
    .bind::<Array<BigInt>, _>(column(codes, |code| code.now.millis()))
}

/// Uses up whatever TOTP codes can have been accepted until then, of all factors: for a database that may have forgotten some. Returns how many
/// factors that were.
pub fn spend_until(conn: &mut Conn, until: Timestamp) -> Result<usize, Fault> {
    let periods: Vec<Option<i64>> =
        factor::table.filter(factor::kind.eq("totp")).select(factor::period_s).distinct().load(conn)?;
    let mut spent = 0;
    for period_s in periods.into_iter().flatten() {
        let period = u32::try_from(period_s).ok().and_then(|s| Period::new(s).ok());
        let last = LastStep::acceptable_at(period.ok_or(Fault::Corrupt { what: "factor" })?, until);
        let of_period = factor::table
            .filter(factor::kind.eq("totp"))
            .filter(factor::period_s.eq(period_s))
            .select(factor::id);
        spent += diesel::update(factor_step::table)
            .filter(factor_step::factor_id.eq_any(of_period))
            .filter(factor_step::last_step.lt(last.stored()))
            .set(factor_step::last_step.eq(last.stored()))
            .execute(conn)?;
    }
    Ok(spent)
}

/// A HOTP factor, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CounterFactor {
    /// Which.
    pub id: FactorId,
    /// What its user calls it.
    pub label: String,
    /// Its user's name.
    pub user_name: String,
}

/// Puts all HOTP factors in doubt, for a database that may have forgotten some of their codes: they verify nothing until two consecutive codes say
/// where they are. Returns them, by the names of their users.
pub fn doubt_all_counters(conn: &mut Conn) -> Result<Vec<CounterFactor>, Fault> {
    let rows: Vec<(Vec<u8>, String, String)> = factor::table
        .inner_join(factor_step::table)
        .inner_join(user::table.on(user::id.eq(factor::user_id)))
        .filter(factor::kind.eq("hotp").and(factor::state.eq(FactorState::Active.as_str())))
        .order((user::name_folded.asc(), factor::id.asc()))
        .select((factor::id, factor::label, user::name))
        .load(conn)?;
    // As `LastStep::stored` has it.
    diesel::sql_query(
        "UPDATE factor_step SET last_step = -3 - last_step \
         WHERE last_step >= -1 AND factor_id IN (SELECT id FROM factor WHERE kind = 'hotp' AND state = 'active')",
    )
    .execute(conn)?;
    let read = |(bytes, label, user_name): (Vec<u8>, _, _)| {
        Ok(CounterFactor { id: id("factor id", FactorId::from_bytes(&bytes))?, label, user_name })
    };
    rows.into_iter().map(read).collect()
}

/// Ends all HOTP factors that nobody has confirmed: where they are cannot be found out.
pub fn revoke_pending_counters(conn: &mut Conn, now: Timestamp) -> Result<(), Fault> {
    let ids: Vec<Vec<u8>> = factor::table
        .filter(factor::kind.eq("hotp").and(factor::state.eq(FactorState::Pending.as_str())))
        .select(factor::id)
        .load(conn)?;
    ids.iter()
        .try_for_each(|bytes| revoke(conn, id("factor id", FactorId::from_bytes(bytes))?, now).map(|_| ()))
}

/// Gives a user's factor another name; `false` where the user has no such factor that is not over.
pub fn rename(conn: &mut Conn, user: UserId, id: FactorId, label: &str) -> Result<bool, Fault> {
    let renamed = diesel::update(factor::table.find(id.bytes()))
        .filter(factor::user_id.eq(user.bytes()))
        .filter(factor::state.ne(FactorState::Revoked.as_str()))
        .set(factor::label.eq(label))
        .execute(conn)?;
    Ok(renamed == 1)
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = factor)]
struct Row {
    id: Vec<u8>,
    user_id: Vec<u8>,
    kind: String,
    label: String,
    algorithm: String,
    digits: i32,
    period_s: Option<i64>,
    state: String,
    created_at: i64,
    expires_at: Option<i64>,
    confirmed_at: Option<i64>,
}

impl Row {
    fn read(self, used_at: Option<i64>, last: LastStep) -> Result<Summary, Fault> {
        let corrupt = || Fault::Corrupt { what: "factor" };
        let algorithm: Algorithm = self.algorithm.parse().map_err(|_| corrupt())?;
        let digits =
            u8::try_from(self.digits).ok().and_then(|digits| Digits::new(digits).ok()).ok_or_else(corrupt)?;
        let period = self.period_s.and_then(|s| u32::try_from(s).ok()).and_then(|s| Period::new(s).ok());
        let mechanism = match (self.kind.as_str(), period) {
            ("totp", Some(period)) => Mechanism::Totp(Totp { algorithm, digits, period }),
            ("hotp", None) => Mechanism::Hotp(Hotp { algorithm, digits }),
            _ => return Err(corrupt()),
        };
        Ok(Summary {
            id: id("factor id", FactorId::from_bytes(&self.id))?,
            user: id("user id", UserId::from_bytes(&self.user_id))?,
            mechanism,
            label: self.label,
            state: word("factor state", &self.state)?,
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: time(self.expires_at),
            confirmed_at: time(self.confirmed_at),
            used_at: time(used_at),
            in_doubt: last.is_in_doubt(),
        })
    }
}

/// Adds a factor with its sealed secret and its first position.
pub fn insert(conn: &mut Conn, new: &Summary, sealed: &[u8], last: LastStep) -> Result<(), Fault> {
    let (algorithm, digits) = match new.mechanism {
        Mechanism::Totp(totp) => (totp.algorithm, totp.digits),
        Mechanism::Hotp(hotp) => (hotp.algorithm, hotp.digits),
    };
    diesel::insert_into(factor::table)
        .values((
            factor::id.eq(new.id.bytes()),
            factor::user_id.eq(new.user.bytes()),
            factor::kind.eq(new.mechanism.kind()),
            factor::label.eq(&new.label),
            factor::algorithm.eq(algorithm.as_str()),
            factor::digits.eq(i32::from(digits.get())),
            factor::period_s.eq(new.mechanism.period().map(|period| i64::from(period.get()))),
            factor::state.eq(new.state.as_str()),
            factor::created_at.eq(new.created_at.millis()),
            factor::expires_at.eq(new.expires_at.map(Timestamp::millis)),
            factor::confirmed_at.eq(new.confirmed_at.map(Timestamp::millis)),
        ))
        .execute(conn)?;
    diesel::insert_into(factor_secret::table)
        .values((factor_secret::factor_id.eq(new.id.bytes()), factor_secret::sealed.eq(sealed)))
        .execute(conn)?;
    diesel::insert_into(factor_step::table)
        .values((factor_step::factor_id.eq(new.id.bytes()), factor_step::last_step.eq(last.stored())))
        .execute(conn)?;
    Ok(())
}

/// A factor with what is needed to check a code; its secret still sealed.
pub struct Sealed {
    /// Everything but the secret.
    pub summary: Summary,
    /// The last accepted step.
    pub last: LastStep,
    /// The sealed secret.
    pub sealed: Vec<u8>,
}

/// A user as far as checking a code goes.
pub struct Checkable {
    /// Who.
    pub user: UserId,
    /// Whether the user may log in.
    pub state: UserState,
    /// What a code may be checked against: active factors, the eldest first, then pending ones that have not lapsed.
    pub factors: Vec<Sealed>,
}

/// A user's id and state with one of the factors that are not over, or with none.
type CheckableRow = (Vec<u8>, String, Option<Row>, Option<Vec<u8>>, Option<i64>, Option<i64>);

// Macros, since each back end has a type of its own for what is selected. One join after the other: a join within a join SQLite would work
// out for all factors first.
macro_rules! with_factors {
    ($users:expr) => {
        $users
            .left_join(
                factor::table
                    .on(factor::user_id.eq(user::id).and(factor::state.ne(FactorState::Revoked.as_str()))),
            )
            .left_join(factor_secret::table.on(factor_secret::factor_id.nullable().eq(factor::id.nullable())))
            .left_join(factor_step::table.on(factor_step::factor_id.nullable().eq(factor::id.nullable())))
    };
}
macro_rules! checkable_row {
    ($($more:expr),*) => {
        (
            user::id,
            user::state,
            Option::<Row>::as_select(),
            factor_secret::sealed.nullable(),
            factor_step::last_step.nullable(),
            factor_step::used_at.nullable(),
            $($more,)*
        )
    };
}

/// What a code of this user is checked against; none where there is no such user. To be read behind the gate.
pub fn checkable(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Option<Checkable>, Fault> {
    let rows = directly!(conn, |own| {
        with_factors!(user::table).filter(user::id.eq(user.bytes())).select(checkable_row!()).load(own)
    })?;
    read_checkable(rows, now)
}

/// Passes the gate with all that came to it, in their order, and reads behind it what their codes are checked against; none where nobody has the
/// name. No name may be among them twice.
pub fn pass_all(conn: &mut Conn, tries: Vec<AtGate<'_>>) -> Result<Vec<(Passed, Option<Checkable>)>, Fault> {
    if tries.is_empty() {
        return Ok(Vec::new());
    }
    match conn {
        Conn::Sqlite(conn) => {
            let tries: Vec<_> = tries.into_iter().map(|AtGate { one, .. }| one).collect();
            let mut passed = Vec::with_capacity(tries.len());
            for some in pieces(&tries) {
                pass(conn, some, &mut passed)?;
            }
            Ok(passed)
        }
        // A statement of its own: what it reads is what was there once the gate was passed.
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            let of =
                |at_gate: &AtGate<'_>| at_gate.passed.as_ref().map(|passed| passed.user().bytes().to_vec());
            let subjects: Vec<_> = tries.iter().filter_map(of).collect();
            let rows: Vec<CheckableRow> = with_factors!(user::table)
                .filter(user::id.eq_any(subjects))
                .select(checkable_row!())
                .load(conn)?;
            let mut found: HashMap<Vec<u8>, Vec<CheckableRow>> = HashMap::new();
            for row in rows {
                found.entry(row.0.clone()).or_default().push(row);
            }
            let read = |AtGate { one, passed }: AtGate<'_>| {
                let passed = passed.ok_or(Fault::Corrupt { what: "gate" })?;
                let rows = found.remove(passed.user().bytes()).unwrap_or_default();
                Ok((passed, read_checkable(rows, one.now)?))
            };
            tries.into_iter().map(read).collect()
        }
    }
}

/// A [`CheckableRow`], with failures and time of the user's lockout if there is one.
type GatedRow =
    (Vec<u8>, String, Option<Row>, Option<Vec<u8>>, Option<i64>, Option<i64>, Option<(i64, i64)>, String);

/// [`pass_all`] for some on SQLite. A transaction that writes is alone there, so one statement does both, and looking is enough: whoever has not failed
/// needs no row.
fn pass(
    conn: &mut SqliteConnection,
    tries: &[TryByName<'_>],
    passed: &mut Vec<(Passed, Option<Checkable>)>,
) -> Result<(), Fault> {
    let users = user::table.left_join(lockout::table.on(lockout::subject.eq(user::id)));
    let names = tries.iter().map(|one| one.name.folded()).collect();
    let rows: Vec<GatedRow> = with_factors!(users)
        .filter(OneOf(user::name_folded, names))
        .select(checkable_row!((lockout::failures, lockout::locked_until).nullable(), user::name_folded))
        .load(conn)?;
    let mut found: HashMap<String, (Standing, Vec<CheckableRow>)> = HashMap::with_capacity(rows.len());
    for (id, state, row, sealed, last_step, used_at, lockout, name) in rows {
        let (_, rows) = found.entry(name).or_insert_with(|| (Standing::read(lockout), Vec::with_capacity(1)));
        rows.push((id, state, row, sealed, last_step, used_at));
    }
    for one in tries {
        let (standing, rows) = match found.remove(one.name.folded()) {
            Some(found) => found,
            None => (gate::standing_of(conn, one.stranger.bytes())?, Vec::new()),
        };
        let user = read_checkable(rows, one.now)?;
        let subject = user.as_ref().map_or(one.stranger, |user| user.user);
        passed.push((Passed::of(subject, standing, one.now), user));
    }
    Ok(())
}

fn read_checkable(rows: Vec<CheckableRow>, now: Timestamp) -> Result<Option<Checkable>, Fault> {
    let Some((user, state, ..)) = rows.first() else { return Ok(None) };
    let user = id("user id", UserId::from_bytes(user))?;
    let state = word("user state", state)?;
    let mut factors = Vec::with_capacity(rows.len());
    for (_, _, row, sealed, last_step, used_at) in rows {
        if let (Some(row), Some(sealed), Some(last_step)) = (row, sealed, last_step) {
            let last = LastStep::from_stored(last_step);
            factors.push(Sealed { summary: row.read(used_at, last)?, last, sealed });
        }
    }
    factors.retain(|factor| !factor.summary.has_lapsed(now));
    factors.sort_by_key(|factor| (factor.summary.state != FactorState::Active, factor.summary.id));
    Ok(Some(Checkable { user, state, factors }))
}

/// The factors of one user that a code may be checked against, in the order of [`Checkable`].
pub fn usable(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<Vec<Sealed>, Fault> {
    Ok(checkable(conn, user, now)?.map_or_else(Vec::new, |user| user.factors))
}

/// All factors of a user that are not over, lapsed ones included, the eldest first.
pub fn list(conn: &mut Conn, user: UserId) -> Result<Vec<Summary>, Fault> {
    let rows: Vec<(Row, Option<i64>, i64)> = factor::table
        .inner_join(factor_step::table)
        .filter(factor::user_id.eq(user.bytes()))
        .filter(factor::state.ne(FactorState::Revoked.as_str()))
        .order(factor::id.asc())
        .select((Row::as_select(), factor_step::used_at, factor_step::last_step))
        .load(conn)?;
    rows.into_iter().map(|(row, used_at, last)| row.read(used_at, LastStep::from_stored(last))).collect()
}

/// What a list of users says of a factor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Glance {
    /// Whose it is.
    pub user: UserId,
    /// Active, or pending and not lapsed.
    pub state: FactorState,
    /// When a code of it was last accepted.
    pub used_at: Option<Timestamp>,
}

/// The factors of all these users that are active, or pending and not lapsed: one query, however many they are.
pub fn glance(conn: &mut Conn, users: &[UserId], now: Timestamp) -> Result<Vec<Glance>, Fault> {
    type Row = (Vec<u8>, String, Option<i64>, Option<i64>);
    let ids = users.iter().map(UserId::bytes);
    let rows: Vec<Row> = factor::table
        .inner_join(factor_step::table)
        .filter(factor::user_id.eq_any(ids))
        .filter(factor::state.ne(FactorState::Revoked.as_str()))
        .select((factor::user_id, factor::state, factor::expires_at, factor_step::used_at))
        .load(conn)?;
    let live = rows.into_iter().filter(|(_, _, expires_at, _)| expires_at.is_none_or(|at| at > now.millis()));
    live.map(|(user, state, _, used_at)| {
        Ok(Glance {
            user: id("user id", UserId::from_bytes(&user))?,
            state: word("factor state", &state)?,
            used_at: time(used_at),
        })
    })
    .collect()
}

/// A factor's id, and what is sealed of it.
pub type SealedPart = (FactorId, Vec<u8>);

fn sealed_parts(rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<Vec<SealedPart>, Fault> {
    rows.into_iter()
        .map(|(bytes, sealed)| Ok((id("factor id", FactorId::from_bytes(&bytes))?, sealed)))
        .collect()
}

/// Up to `limit` sealed secrets of factors after one, in the order of their ids, which is that of their making.
pub fn secrets(conn: &mut Conn, after: Option<FactorId>, limit: i64) -> Result<Vec<SealedPart>, Fault> {
    let after = after.map_or_else(Vec::new, |id| id.bytes().to_vec());
    let rows: Vec<(Vec<u8>, Vec<u8>)> = factor_secret::table
        .filter(factor_secret::factor_id.gt(after))
        .order(factor_secret::factor_id.asc())
        .limit(limit)
        .select((factor_secret::factor_id, factor_secret::sealed))
        .load(conn)?;
    sealed_parts(rows)
}

/// The youngest `limit` of them.
pub fn youngest_secrets(conn: &mut Conn, limit: i64) -> Result<Vec<SealedPart>, Fault> {
    let rows: Vec<(Vec<u8>, Vec<u8>)> = factor_secret::table
        .order(factor_secret::factor_id.desc())
        .limit(limit)
        .select((factor_secret::factor_id, factor_secret::sealed))
        .load(conn)?;
    sealed_parts(rows)
}

/// Ends one factor for good: its secret and position are deleted. `false` where it was over already.
///
/// The position goes first. Whoever is spending a code of it holds that row: either the spending comes first, and the session it
/// starts is ended by what follows here, or it finds no row.
pub fn revoke(conn: &mut Conn, factor: FactorId, now: Timestamp) -> Result<bool, Fault> {
    diesel::delete(factor_step::table.find(factor.bytes())).execute(conn)?;
    diesel::delete(factor_secret::table.find(factor.bytes())).execute(conn)?;
    let revoked = diesel::update(
        factor::table.find(factor.bytes()).filter(factor::state.ne(FactorState::Revoked.as_str())),
    )
    .set((factor::state.eq(FactorState::Revoked.as_str()), factor::revoked_at.eq(now.millis())))
    .execute(conn)?;
    Ok(revoked == 1)
}

/// Up to a thousand users with a pending factor that has lapsed.
pub fn users_with_lapsed(conn: &mut Conn, now: Timestamp) -> Result<Vec<UserId>, Fault> {
    let ids: Vec<Vec<u8>> = factor::table
        .filter(factor::state.eq(FactorState::Pending.as_str()))
        .filter(factor::expires_at.le(now.millis()))
        .select(factor::user_id)
        .limit(1000)
        .load(conn)?;
    ids.iter().map(|bytes| id("user id", UserId::from_bytes(bytes))).collect()
}

/// How many factors are in each state.
pub fn count_by_state(conn: &mut Conn) -> Result<Factors, Fault> {
    let mut factors = Factors::default();
    let rows: Vec<(String, i64)> =
        factor::table.group_by(factor::state).select((factor::state, count_star())).load(conn)?;
    for (state, count) in rows {
        match word("factor state", &state)? {
            FactorState::Active => factors.active = count,
            FactorState::Pending => factors.pending = count,
            FactorState::Revoked => factors.revoked = count,
        }
    }
    Ok(factors)
}
