//! Checking a code and exchanging it, once, for a token: the main job.
//!
//! 1. The gate: a user who failed too often waits (`db/lockout`).
//! 2. The check: `domain/factor` matches the code within the window, after the last accepted step.
//! 3. The spending: `db/factor` uses the step up with one conditional statement.
//! 4. The issue: `app/issue` makes a token of what was spent.
//!
//! All four are one transaction. The reply leaves after its commit.

use mobile_core::Code;

use crate::app::bearer::{find_access_token, mfa_pass};
use crate::app::client_auth::{Asker, Credentials, require, require_asker};
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::issue::{Extent, Ground, Issued, WithPassword, issue};
use crate::app::outbox::queue;
use crate::crypto::keyed_hash::Purpose;
use crate::crypto::seal::Place;
use crate::db::factor::{Sealed, Spent};
use crate::db::lockout::Gate;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::authorization::Details;
use crate::domain::client::Grant;
use crate::domain::factor::{FactorState, LastStep, Mechanism, OpenFactor, Summary, Verdict};
use crate::domain::id::{FactorId, UserId};
use crate::domain::lockout;
use crate::domain::notice::{LockedBy, Notice};
use crate::domain::refusal::Refusal;
use crate::domain::scope::Scopes;
use crate::domain::token::Amr;
use crate::domain::user::{UserName, UserState};
use crate::error::Fault;

/// A code from a client that has checked the first factor itself.
pub struct OtpRequest {
    /// Whose code.
    pub username: UserName,
    /// The code.
    pub otp: Code,
    /// What the token shall do.
    pub scope: Option<Scopes>,
    /// Who it shall be for.
    pub audience: Option<String>,
    /// What it shall do in detail.
    pub details: Details,
}

/// `urn:countersign:params:oauth:grant-type:otp`.
pub fn otp(
    service: &Service,
    conn: &mut Conn,
    at: At,
    credentials: &Credentials,
    request: &OtpRequest,
) -> Result<Issued, Stop> {
    let client = require(service, conn, at, credentials)?;
    client.must_have(Grant::Otp)?;
    request.details.must_be_of(&client.detail_types)?;
    let extent = Extent {
        scope: client.scopes.for_user(request.scope.as_ref())?,
        details: request.details.clone(),
        audience: client.audience(request.audience.as_deref(), &service.issuer)?,
    };
    service.write(conn, at, |tx| {
        let who = match db::user::find_by_name(tx.conn, &request.username)? {
            Some(user) => Who::User(user.id),
            None => Who::stranger(service, &request.username),
        };
        let actor = Actor::Client(client.id);
        let spent = check_and_spend(service, tx, actor, &who, &request.otp, Factors::Active)?;
        issue(service, tx, &client, Ground::Code(spent, WithPassword::Vouched), &extent)
    })
}

/// `http://auth0.com/oauth/grant-type/mfa-otp`: a password was right before, now the code. Also confirms a pending factor.
pub fn mfa_otp(
    service: &Service,
    conn: &mut Conn,
    at: At,
    asker: Asker<'_>,
    mfa_token: &str,
    otp: &Code,
) -> Result<Issued, Stop> {
    let client = require_asker(service, conn, at, asker)?;
    client.must_have(Grant::MfaOtp)?;
    service.write(conn, at, |tx| {
        let (pass, hash) = mfa_pass(service, tx.conn, tx.now, client.id, mfa_token)?;
        let (actor, who) = (Actor::Client(client.id), Who::User(pass.user));
        let spent = check_and_spend(service, tx, actor, &who, otp, Factors::ActiveAndPending)?;
        if !db::mfa_token::consume(tx.conn, &hash, tx.now)? {
            return Err(Refusal::InvalidGrant.into());
        }
        let extent =
            Extent { scope: kept_scope(&pass.scope)?, details: pass.details, audience: pass.audience };
        issue(service, tx, &client, Ground::Code(spent, WithPassword::Seen), &extent)
    })
}

/// A code within a session of the console: the login counts as new, and as one with a second factor.
pub fn step_up(service: &Service, conn: &mut Conn, at: At, token: &str, otp: &Code) -> Result<(), Stop> {
    let asker = require_asker(service, conn, at, Asker::Console)?;
    service.write(conn, at, |tx| {
        let record = find_access_token(service, tx.conn, token)?.filter(|record| record.is_live(tx.now));
        let login = record.filter(|record| record.client == asker.id).and_then(|record| record.login);
        let login = login.ok_or(Refusal::InvalidToken)?;
        let (actor, who) = (Actor::Client(asker.id), Who::User(login.user));
        let spent = check_and_spend(service, tx, actor, &who, otp, Factors::Active)?;
        tx.note(Event::done(Actor::User(spent.user()), Action::SteppedUp, Subject::Session(login.session)));
        Ok(db::session::refreshen(tx.conn, login.session, Amr::PasswordAndOtp, tx.now)?)
    })
}

/// The scope that was asked for with the password.
fn kept_scope(stored: &str) -> Result<Scopes, Fault> {
    Scopes::parse(stored).map_err(|_| Fault::Corrupt { what: "scope" })
}

/// Whose code is checked.
#[derive(Clone, Copy)]
pub(super) enum Who {
    User(UserId),
    /// Nobody has this name. The id is derived from it, so that a stranger is counted, locked out and answered like a user.
    Stranger(UserId),
}

impl Who {
    fn stranger(service: &Service, name: &UserName) -> Self {
        let hash = service.hasher.hash(Purpose::Stranger, &[name.folded().as_bytes()]);
        let (id, _) = hash.split_at(16);
        Self::Stranger(UserId::from_bytes(id).expect("16 bytes are an id"))
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

/// Passes the user's gate, checks the code and spends it. Counts and logs what is wrong, and says by mail what a user should hear.
pub(super) fn check_and_spend(
    service: &Service,
    tx: &mut Tx<'_>,
    actor: Actor,
    who: &Who,
    code: &Code,
    among: Factors,
) -> Result<Spent, Stop> {
    let now = tx.now;
    let subject = who.id();
    if let Gate::Closed(until) = db::lockout::pass(tx.conn, subject.bytes(), now)? {
        return Err(Refusal::TooManyAttempts { retry_after_s: lockout::retry_after_s(until, now) }.into());
    }
    // Read behind the gate: whoever locks the user or changes the factors has to pass there first (`db::lockout::hold`).
    let user = db::user::find(tx.conn, subject)?;
    if user.as_ref().is_some_and(|user| user.state == UserState::Locked) {
        tx.note(Event::refused(actor, Action::CodeChecked, who.subject(), "user locked"));
        return Err(Refusal::TooManyAttempts { retry_after_s: lockout::INDEFINITE_RETRY_S }.into());
    }

    let mut factors = db::factor::usable(tx.conn, subject, now)?;
    factors.retain(|factor| among.has(&factor.summary));
    let verdict = check(service, tx, &factors, code)?;
    let (spent, why) = match verdict {
        Verdict::Matched(matched) => (db::factor::spend(tx.conn, &matched, now)?, "spent meanwhile"),
        Verdict::Replayed => (None, "replayed"),
        Verdict::Wrong => (None, "wrong"),
    };
    let Some(spent) = spent else {
        let mut event = Event::refused(actor, Action::CodeChecked, who.subject(), why);
        // Whoever sends a code again knew a right one: that is a double click or a copy, not a guess.
        if why == "wrong" {
            let standing = db::lockout::fail(tx.conn, subject.bytes(), |failures| {
                lockout::codes_locked_until(failures, now)
            })?;
            event = event.with(format!("failures={}", standing.failures));
            let locked_by = match standing.failures {
                lockout::FIRST_WAIT_AFTER => Some(LockedBy::WrongCodes),
                lockout::FAILURE_LIMIT => Some(LockedBy::TooManyWrongCodes),
                _ => None,
            };
            if let (Some(user), Some(by)) = (&user, locked_by) {
                queue(service, tx, user, &Notice::Locked(by))?;
            }
        }
        tx.note(event);
        let refusal = if why == "wrong" { Refusal::InvalidGrant } else { Refusal::CodeUsed };
        return Err(refusal.into());
    };
    db::lockout::clear(tx.conn, subject.bytes())?;
    if spent.confirmed() {
        let mut event = Event::done(actor, Action::FactorConfirmed, Subject::Factor(spent.factor()));
        if let Factors::ByItsPhone(_) = among {
            event = event.with("by=phone");
        }
        tx.note(event);
        if let Some(user) = &user {
            queue(service, tx, user, &Notice::Enrolled)?;
        }
    }
    Ok(spent)
}

/// Checks the code against one factor after the other; the first match counts. Where there is no factor, checks against one that
/// does not exist, which takes as long.
fn check(service: &Service, tx: &Tx<'_>, factors: &[Sealed], code: &Code) -> Result<Verdict, Stop> {
    if factors.is_empty() {
        let _ = decoy(service, tx)?.check(code, tx.now);
        return Ok(Verdict::Wrong);
    }
    let mut verdict = Verdict::Wrong;
    for factor in factors {
        match service.open_factor(factor)?.check(code, tx.now) {
            Verdict::Matched(matched) => return Ok(Verdict::Matched(matched)),
            Verdict::Replayed => verdict = Verdict::Replayed,
            Verdict::Wrong => {}
        }
    }
    Ok(verdict)
}

/// A factor that nobody has.
fn decoy(service: &Service, tx: &Tx<'_>) -> Result<OpenFactor, Fault> {
    let id = FactorId::from_bytes(&[0; 16]).expect("16 bytes are an id");
    let sealed = service.sealer.seal(Place::factor_secret(&id), crate::random::bytes::<20>().as_slice())?;
    let summary = Summary {
        id,
        user: UserId::from_bytes(&[0; 16]).expect("16 bytes are an id"),
        mechanism: Mechanism::Totp(mobile_core::Totp::default()),
        label: String::new(),
        state: FactorState::Revoked,
        created_at: tx.now,
        expires_at: None,
        confirmed_at: None,
        used_at: None,
    };
    service.open_factor(&Sealed { summary, last: LastStep::NONE, sealed })
}
