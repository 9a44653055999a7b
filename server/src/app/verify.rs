//! Checking a code and exchanging it, once, for a token: the main job.
//!
//! 1. The gate: a user who failed too often waits (`db/lockout`).
//! 2. The check: `domain/factor` matches the code within the window, after the last accepted step.
//! 3. The spending: the step is used up with one conditional statement, at the end of the transaction and with all else that is written (`db/login`).
//! 4. The issue: `app/issue` makes a token of what was spent.
//!
//! All four are one transaction. The reply leaves after its commit.

use mobile_core::Code;

use crate::app::bearer::{console_login, mfa_pass};
use crate::app::client_auth::{Asker, hold, require_asker};
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::issue::{Extent, Ground, Issued, WithPassword, issue};
use crate::app::outbox::queue;
use crate::app::recovery_code::renew_in;
use crate::crypto::keyed_hash::Purpose;
use crate::crypto::seal::Place;
use crate::db::factor::{Checkable, Sealed, Spent};
use crate::db::lockout::{Gate, Passed};
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::client::Grant;
use crate::domain::factor::{FactorState, LastStep, Mechanism, OpenFactor, Summary, Verdict};
use crate::domain::id::{ClientId, FactorId, UserId};
use crate::domain::lockout;
use crate::domain::notice::{LockedBy, Notice};
use crate::domain::recovery_code::RecoveryCode;
use crate::domain::refusal::Refusal;
use crate::domain::time::Timestamp;
use crate::domain::token::Amr;
use crate::domain::user::{UserName, UserState};
use crate::error::Fault;

/// `http://auth0.com/oauth/grant-type/mfa-otp`: a password was right before, now the code. Also confirms a pending factor.
pub fn mfa_otp(
    service: &Service,
    conn: &mut Conn,
    at: At,
    asker: Asker<'_>,
    mfa_token: &str,
    otp: &Code,
    audience: Option<&str>,
) -> Result<Issued, Stop> {
    Ok(mfa_otp_with(service, conn, at, asker, mfa_token, otp, audience, |_, _| Ok(()))?.0)
}

/// The same at the console's page of the first enrolment, which has shown the secret of the factor `shown`. Where the code is that one's, or
/// confirms one, and the user has no other, there are new recovery codes, too: those that were made with the secret were shown to nobody.
/// Whoever has the code of another factor just logs in: new recovery codes want a code that was given for them.
pub fn first_otp(
    service: &Service,
    conn: &mut Conn,
    at: At,
    mfa_token: &str,
    otp: &Code,
    shown: Option<FactorId>,
) -> Result<(Issued, Option<Vec<RecoveryCode>>), Stop> {
    mfa_otp_with(service, conn, at, Asker::Console, mfa_token, otp, None, |tx, spent| {
        let (user, factor) = (spent.user(), spent.factor());
        let is_another = |own: &Summary| own.id != factor && own.state == FactorState::Active;
        let is_first = (spent.confirmed() || shown == Some(factor))
            && !db::factor::list(tx.conn, user)?.iter().any(is_another);
        Ok(if is_first { Some(renew_in(service, tx, Actor::User(user), user)?) } else { None })
    })
}

#[expect(clippy::too_many_arguments, reason = "those of `mfa_otp`, and what else is done with the code")]
fn mfa_otp_with<T>(
    service: &Service,
    conn: &mut Conn,
    at: At,
    asker: Asker<'_>,
    mfa_token: &str,
    otp: &Code,
    audience: Option<&str>,
    also: impl FnOnce(&mut Tx<'_>, &Spent) -> Result<T, Stop>,
) -> Result<(Issued, T), Stop> {
    let client = require_asker(service, conn, at, asker)?;
    client.must_have(Grant::MfaOtp)?;
    let (recorded, done) = service.write(conn, at, |tx| {
        let client = hold(tx, client.id, Grant::MfaOtp)?;
        let (pass, hash) = mfa_pass(service, tx.conn, tx.now, client.id, mfa_token)?;
        let extent = Extent::stored(&pass.scope, pass.details, pass.audience)?;
        let extent = extent.still(&client, &service.issuer)?;
        extent.must_be_for(audience)?;
        let (actor, who) = (Actor::Client(client.id), Who::User(pass.user));
        let spent = check_and_spend(service, tx, actor, &who, otp, Factors::ActiveAndPending)?;
        if !db::mfa_token::consume(tx.conn, &hash, tx.now)? {
            return Err(Refusal::InvalidGrant.into());
        }
        let done = also(tx, &spent)?;
        Ok((issue(service, tx, &client, Ground::Code(spent, WithPassword::Seen), &extent)?, done))
    })?;
    Ok((recorded.sign()?, done))
}

/// A code within a session of the console: the login counts as new, and as one with a second factor.
pub fn step_up(service: &Service, conn: &mut Conn, at: At, token: &str, otp: &Code) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let login = console_login(service, tx.conn, tx.now, token)?;
        let (actor, who) = (Actor::Client(ClientId::CONSOLE), Who::User(login.user));
        let spent = check_and_spend(service, tx, actor, &who, otp, Factors::Active)?;
        let event = Event::done(Actor::User(spent.user()), Action::SteppedUp, Subject::User(spent.user()));
        tx.note(event.with(format!("session={}", login.session)));
        Ok(db::session::refreshen(tx.conn, login.session, spent.factor(), Amr::PasswordAndOtp, tx.now)?)
    })
}

/// Whose code is checked.
#[derive(Clone, Copy)]
pub(super) enum Who {
    User(UserId),
    /// Nobody has this name. The id is derived from it, so that a stranger is counted, locked out and answered like a user.
    Stranger(UserId),
}

impl Who {
    /// The id of whoever gives this name, where nobody has it.
    pub(super) fn stranger_id(service: &Service, name: &UserName) -> UserId {
        let hash = service.hasher.hash(Purpose::Stranger, &[name.folded().as_bytes()]);
        let (id, _) = hash.split_at(16);
        UserId::from_bytes(id).expect("16 bytes are an id")
    }

    const fn id(&self) -> UserId {
        match self {
            Self::User(id) | Self::Stranger(id) => *id,
        }
    }

    /// For the audit log, which names no strangers.
    fn subject(&self) -> Option<Subject> {
        match self {
            Self::User(id) => Some(Subject::User(*id)),
            Self::Stranger(_) => None,
        }
    }
}

/// Which of the user's factors a code is checked against.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Factors {
    /// Those that were confirmed: before that a factor verifies nothing.
    Active,
    /// Pending ones, too, which a right code confirms.
    ActiveAndPending,
    /// This one, if it is active.
    One(FactorId),
    /// This one, if it is active or pending, which a right code confirms. Its own phone sent it.
    ByItsPhone(FactorId),
}

impl Factors {
    fn has(self, factor: &Summary) -> bool {
        let is_active = factor.state == FactorState::Active;
        match self {
            Self::Active => is_active,
            Self::ActiveAndPending => true,
            Self::One(id) => is_active && factor.id == id,
            Self::ByItsPhone(id) => factor.id == id,
        }
    }
}

/// A code that somebody gives.
pub(super) struct Try<'a> {
    /// Who hands it in.
    pub(super) actor: Actor,
    /// Whose it shall be.
    pub(super) who: Who,
    /// What became of it at the gate, in this transaction.
    pub(super) passed: Passed,
    /// What it is checked against, read behind the gate: whoever locks a user or changes factors has to pass there first (`db::lockout::hold`).
    pub(super) user: Option<Checkable>,
    /// The code.
    pub(super) code: &'a Code,
    /// Of which factors.
    pub(super) among: Factors,
    /// When and from where.
    pub(super) at: At,
}

/// Passes the user's gate, checks the code and spends it. Counts and logs what is wrong, and says by mail what a user should hear.
pub(super) fn check_and_spend(
    service: &Service,
    tx: &mut Tx<'_>,
    actor: Actor,
    who: &Who,
    code: &Code,
    among: Factors,
) -> Result<Spent, Stop> {
    let passed = db::lockout::pass_user(tx.conn, who.id(), tx.now)?;
    let user = db::factor::checkable(tx.conn, who.id(), tx.now)?;
    let one = Try { actor, who: *who, passed, user, code, among, at: tx.at() };
    let outcome = check_and_spend_all(service, tx, &[one])?.pop();
    Ok(outcome.ok_or(Fault::Corrupt { what: "number of outcomes" })??)
}

/// The same behind the gate, for one code each of several users, in their order. Nobody may be among them twice.
pub(super) fn check_and_spend_all(
    service: &Service,
    tx: &mut Tx<'_>,
    tries: &[Try<'_>],
) -> Result<Vec<Result<Spent, Refusal>>, Fault> {
    let (mut failed, mut cleared) = (Vec::new(), Vec::new());
    let mut outcomes = Vec::with_capacity(tries.len());
    for one in tries {
        tx.turn_to(one.at);
        let refused = |why| Event::refused(one.actor, Action::CodeChecked, one.who.subject(), why);
        if let Gate::Closed(until) = one.passed.gate() {
            let retry_after_s = lockout::retry_after_s(until, one.at.now);
            outcomes.push(Err(Refusal::TooManyAttempts { retry_after_s }));
            continue;
        }
        if one.user.as_ref().is_some_and(|user| user.state == UserState::Locked) {
            tx.note(refused("user locked"));
            outcomes.push(Err(Refusal::TooManyAttempts { retry_after_s: lockout::INDEFINITE_RETRY_S }));
            continue;
        }
        outcomes.push(match check(service, one)? {
            Verdict::Wrong => {
                let failures = one.passed.failures() + 1;
                failed.push(db::lockout::Failed {
                    user: one.passed.user(),
                    now: one.at.now,
                    locked_until: lockout::codes_locked_until(failures, one.at.now),
                });
                tell_of_lock(service, tx, one.who, failures)?;
                tx.note(refused("wrong").with(format!("failures={failures}")));
                Err(Refusal::InvalidGrant)
            }
            // Whoever sends a code again knew a right one: that is a double click or a copy, not a guess.
            Verdict::Replayed => {
                tx.note(refused("replayed"));
                Err(Refusal::CodeUsed)
            }
            // Nobody is counted down for what the operator restored; the log says what helps.
            Verdict::InDoubt => {
                tx.note(refused("in doubt since a restore"));
                Err(Refusal::InvalidGrant)
            }
            Verdict::Matched(matched) => {
                let spent = tx.spend(&one.passed, &matched)?;
                if one.passed.failures() > 0 {
                    cleared.push(one.passed.user());
                }
                if spent.confirmed() {
                    tell_of_confirmation(service, tx, one, &spent)?;
                }
                Ok(spent)
            }
        });
    }
    db::lockout::fail_all(tx.conn, &failed)?;
    db::lockout::clear_all(tx.conn, &cleared)?;
    Ok(outcomes)
}

fn tell_of_lock(service: &Service, tx: &mut Tx<'_>, who: Who, failures: i64) -> Result<(), Fault> {
    let by = match failures {
        lockout::FIRST_WAIT_AFTER => LockedBy::WrongCodes,
        lockout::FAILURE_LIMIT => LockedBy::TooManyWrongCodes,
        _ => return Ok(()),
    };
    tell(service, tx, who, &Notice::Locked(by))
}

fn tell_of_confirmation(
    service: &Service,
    tx: &mut Tx<'_>,
    one: &Try<'_>,
    spent: &Spent,
) -> Result<(), Fault> {
    let by = if let Factors::ByItsPhone(_) = one.among { " by=phone" } else { "" };
    let event = Event::done(one.actor, Action::FactorConfirmed, Subject::User(spent.user()));
    tx.note(event.with(format!("factor={}{by}", spent.factor())));
    tell(service, tx, one.who, &Notice::Enrolled)
}

fn tell(service: &Service, tx: &mut Tx<'_>, who: Who, notice: &Notice) -> Result<(), Fault> {
    let user = db::user::find(tx.conn, who.id())?;
    user.map_or(Ok(()), |user| queue(service, tx, &user, notice))
}

/// Checks the code against one factor after the other; the first match counts. Where there is no factor, checks against one that
/// does not exist, which takes as long.
fn check(service: &Service, one: &Try<'_>) -> Result<Verdict, Fault> {
    let (code, now) = (one.code, one.at.now);
    let of_user = one.user.iter().flat_map(|user| &user.factors);
    let mut factors = of_user.filter(|factor| one.among.has(&factor.summary)).peekable();
    if factors.peek().is_none() {
        let _ = decoy(service, now)?.check(code, now);
        return Ok(Verdict::Wrong);
    }
    let mut verdict = Verdict::Wrong;
    for factor in factors {
        match service.open_factor(factor)?.check(code, now) {
            Verdict::Matched(matched) => return Ok(Verdict::Matched(matched)),
            Verdict::Wrong => {}
            other => verdict = other,
        }
    }
    Ok(verdict)
}

/// A factor that nobody has.
fn decoy(service: &Service, now: Timestamp) -> Result<OpenFactor, Fault> {
    let id = FactorId::from_bytes(&[0; 16]).expect("16 bytes are an id");
    let sealed = service.sealer.seal(Place::factor_secret(&id), crate::random::bytes::<20>().as_slice())?;
    let summary = Summary {
        id,
        user: UserId::from_bytes(&[0; 16]).expect("16 bytes are an id"),
        mechanism: Mechanism::Totp(mobile_core::Totp::default()),
        label: String::new(),
        state: FactorState::Revoked,
        created_at: now,
        expires_at: None,
        confirmed_at: None,
        used_at: None,
        in_doubt: false,
    };
    service.open_factor(&Sealed { summary, last: LastStep::NONE, sealed })
}
