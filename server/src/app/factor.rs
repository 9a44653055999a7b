//! Enrolling, confirming, listing and ending factors: by the operator, and by users for themselves.

use mobile_core::phone::PhoneKey;
use mobile_core::{Code, Counter, Hotp, KeyUri, Kind, Origin, Secret, Totp};

use crate::app::bearer::{Bearer, authenticate, held};
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::outbox::queue;
use crate::app::recovery_code::renew_in;
use crate::app::verify::{Factors, Who, check_and_spend};
use crate::crypto::keyed_hash::Purpose;
use crate::crypto::seal::Place;
use crate::db::lockout::Gate;
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::factor::{
    FactorState, LastStep, MAX_ACTIVE_FACTORS, Mechanism, PENDING_TTL_S, Summary, Verdict,
};
use crate::domain::id::{FactorId, UserId};
use crate::domain::lockout::{self, ENROLMENTS_OF_USER};
use crate::domain::notice::Notice;
use crate::domain::phone::SHORTEST_SECRET_BYTES;
use crate::domain::recovery_code::RecoveryCode;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::user::{User, UserName, UserState};
use crate::error::Fault;
use crate::random;

/// What the largest QR code holds at the level of error correction that ours have.
const LARGEST_QR_BYTES: usize = 2331;

/// How a new factor shall be.
pub struct NewFactor {
    /// How its codes are made.
    pub mechanism: Mechanism,
    /// HOTP: the first counter.
    pub counter: Counter,
    /// The secret of a token that exists already; else a new one is made.
    pub secret: Option<Secret>,
    /// Whether it counts as confirmed from the start.
    pub state: FactorState,
}

impl NewFactor {
    /// One that is on a phone or token already, and counts as confirmed.
    pub fn known(uri: &KeyUri) -> Self {
        let (algorithm, digits) = (uri.algorithm(), uri.digits());
        let (mechanism, counter) = match uri.kind() {
            Kind::Totp { period } => (Mechanism::Totp(Totp { algorithm, digits, period }), Counter::new(0)),
            Kind::Hotp { counter } => (Mechanism::Hotp(Hotp { algorithm, digits }), counter),
        };
        Self { mechanism, counter, secret: Some(uri.secret().clone()), state: FactorState::Active }
    }
}

impl Default for NewFactor {
    /// What every authenticator app understands: TOTP, SHA-1, six digits, thirty seconds.
    fn default() -> Self {
        Self {
            mechanism: Mechanism::Totp(Totp::default()),
            counter: Counter::new(0),
            secret: None,
            state: FactorState::Pending,
        }
    }
}

/// A new factor. This is the only time that its secret is shown.
pub struct Enrolled {
    /// Its id.
    pub id: FactorId,
    /// Pending or active.
    pub state: FactorState,
    /// How its codes are made.
    pub mechanism: Mechanism,
    /// The secret with all that a phone must know.
    pub uri: KeyUri,
    /// With the first enrolment, for whoever will lose the phone.
    pub recovery_codes: Vec<RecoveryCode>,
}

/// The operator enrols a factor for a user.
pub fn enrol(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &UserName,
    new: NewFactor,
) -> Result<Enrolled, Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        add(service, tx, tx.origin.manager, &user, new)
    })
}

/// A user enrols a phone: the first one with a password alone, every other with a login that used an active factor.
pub fn associate(service: &Service, conn: &mut Conn, at: At, token: &str) -> Result<Enrolled, Stop> {
    // First without a transaction, so that whoever has no good token never takes a writer's place.
    authenticate(service, conn, at.now, token)?;
    service.write(conn, at, |tx| {
        let (bearer, user) = hold(service, tx, token)?;
        bearer.must_reach_active_factors(tx, &user)?;
        let bucket = service.hasher.hash(Purpose::EnrolmentBucket, &[user.id.bytes()]);
        if let Gate::Closed(until) = db::lockout::pour(tx.conn, &bucket, ENROLMENTS_OF_USER, tx.now)? {
            let retry_after_s = lockout::retry_after_s(until, tx.now);
            return Err(Refusal::TooManyAttempts { retry_after_s }.into());
        }
        add(service, tx, Actor::User(user.id), &user, NewFactor::default())
    })
}

/// Adds a factor, and with the first one recovery codes.
fn add(
    service: &Service,
    tx: &mut Tx<'_>,
    actor: Actor,
    user: &User,
    new: NewFactor,
) -> Result<Enrolled, Stop> {
    let (mut enrolled, had_active) = add_alone(service, tx, actor, user, new)?;
    if enrolled.state == FactorState::Active {
        queue(service, tx, user, &Notice::Enrolled)?;
    }
    // A user who has an active factor was shown codes with it, and makes new ones by `recovery_code::renew_own`.
    if !had_active {
        enrolled.recovery_codes = renew_in(service, tx, actor, user.id)?;
    }
    Ok(enrolled)
}

/// Adds a factor, makes no recovery codes and writes no mail. Says besides whether there was an active factor.
pub(super) fn add_alone(
    service: &Service,
    tx: &mut Tx<'_>,
    actor: Actor,
    user: &User,
    new: NewFactor,
) -> Result<(Enrolled, bool), Stop> {
    let existing = db::factor::list(tx.conn, user.id)?;
    if existing.iter().filter(|factor| factor.state == FactorState::Active).count() >= MAX_ACTIVE_FACTORS {
        return Err(Refusal::TooManyFactors.into());
    }
    // Each of the two would take the same code once.
    if let Some(secret) = &new.secret {
        for known in db::factor::usable(tx.conn, user.id, tx.now)? {
            if service.open_factor(&known)?.has_secret(secret) {
                return Err(Invalid::new("secret", "is that of another factor of this user").into());
            }
        }
    }
    let id = FactorId::new(random::id(tx.now));
    let secret = match new.secret {
        Some(secret) => secret,
        // RFC 4226 s4 R6 recommends 160 bits.
        None => Secret::from_bytes(random::bytes::<20>().as_slice())
            .map_err(|_| Fault::Crypto("a factor secret could not be made"))?,
    };
    let (algorithm, digits, kind) = match new.mechanism {
        Mechanism::Totp(totp) => (totp.algorithm, totp.digits, Kind::Totp { period: totp.period }),
        Mechanism::Hotp(hotp) => (hotp.algorithm, hotp.digits, Kind::Hotp { counter: new.counter }),
    };
    let last = match new.mechanism {
        Mechanism::Totp(_) => LastStep::NONE,
        Mechanism::Hotp(_) => LastStep::before(new.counter)?,
    };
    let sealed = tx.seal(service, Place::factor_secret(&id), secret.expose())?;
    let phone_key = (secret.len() >= SHORTEST_SECRET_BYTES).then(|| PhoneKey::of(&secret));
    let mut uri =
        KeyUri::new(Some(service.issuer_name.clone()), user.name.clone(), secret, algorithm, digits, kind)
            .map_err(|error| Invalid::new("username", format!("does not fit an otpauth URI: {error}")))?;
    if phone_key.is_some() {
        uri = naming_us(service, uri, id);
    }
    // Nothing is refused from here on. An unconfirmed factor that is replaced was scanned by nobody, or by the wrong phone.
    for pending in existing.iter().filter(|factor| factor.state == FactorState::Pending) {
        db::factor::revoke(tx.conn, pending.id, tx.now)?;
        let event = Event::done(actor, Action::FactorRemoved, Subject::User(user.id));
        tx.note(event.with(format!("factor={} why=replaced", pending.id)));
    }
    let is_pending = new.state == FactorState::Pending;
    let summary = Summary {
        id,
        user: user.id,
        mechanism: new.mechanism,
        label: new.mechanism.kind().to_uppercase(),
        state: new.state,
        created_at: tx.now,
        expires_at: is_pending.then(|| tx.now.plus_seconds(PENDING_TTL_S)),
        confirmed_at: (!is_pending).then_some(tx.now),
        used_at: None,
        in_doubt: false,
    };
    db::factor::insert(tx.conn, &summary, &sealed, last)?;
    if let Some(key) = phone_key {
        let sealed = tx.seal(service, Place::factor_phone(&id), key.expose())?;
        db::factor_phone::insert(tx.conn, id, &sealed)?;
    }
    let detail = format!("factor={id} kind={} state={}", new.mechanism.kind(), new.state);
    tx.note(Event::done(actor, Action::FactorEnrolled, Subject::User(user.id)).with(detail));
    let had_active = existing.iter().any(|factor| factor.state == FactorState::Active);
    let (state, mechanism) = (new.state, new.mechanism);
    Ok((Enrolled { id, state, mechanism, uri, recovery_codes: Vec::new() }, had_active))
}

/// The URI with the name of this server, for the phone to ask it about the factor; without where that cannot be written, or would make
/// the QR code too large.
fn naming_us(service: &Service, uri: KeyUri, id: FactorId) -> KeyUri {
    let origin = Origin { issuer: service.issuer.clone(), factor: Some(id.to_string()) };
    match uri.clone().with_origin(origin) {
        Ok(named) if named.to_uri().len() <= LARGEST_QR_BYTES => named,
        _ => uri,
    }
}

/// The operator or a manager confirms a user's pending factor with a code that the user reads out. A user has one at most; `factor`
/// says which is meant.
pub fn confirm(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &UserName,
    factor: Option<FactorId>,
    code: &Code,
) -> Result<FactorId, Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        let mut usable = db::factor::usable(tx.conn, user.id, tx.now)?;
        usable.retain(|one| one.summary.state == FactorState::Pending && is_meant(&one.summary, factor));
        let pending = usable.first().ok_or(Refusal::NotFound { what: "pending factor" })?;
        let (manager, subject) = (tx.origin.manager, Subject::User(user.id));
        let detail = format!("factor={}", pending.summary.id);
        if let Verdict::Matched(matched) = service.open_factor(pending)?.check(code, tx.now)
            && let Some(spent) = db::factor::spend(tx.conn, &matched, tx.now)?
        {
            tx.note(Event::done(manager, Action::FactorConfirmed, subject).with(detail));
            queue(service, tx, &user, &Notice::Enrolled)?;
            return Ok(spent.factor());
        }
        tx.note(Event::refused(manager, Action::FactorConfirmed, subject, "wrong").with(detail));
        Err(Refusal::InvalidGrant.into())
    })
}

/// A user who is logged in confirms an own pending factor with its first code. If the phone has confirmed it meanwhile, the code is
/// checked and spent like any other of an active factor.
pub fn confirm_own(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
    factor: FactorId,
    code: &Code,
) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let (bearer, user) = hold(service, tx, token)?;
        bearer.must_reach_active_factors(tx, &user)?;
        let usable = db::factor::usable(tx.conn, user.id, tx.now)?;
        let pending = usable.iter().find(|own| own.summary.id == factor);
        let pending = pending.ok_or(Refusal::NotFound { what: "pending factor" })?;
        if pending.summary.state == FactorState::Active {
            // Now a wrong code is a guess.
            let (actor, who) = (Actor::User(user.id), Who::User(user.id));
            return check_and_spend(service, tx, actor, &who, code, Factors::One(factor)).map(|_| ());
        }
        let (actor, subject) = (Actor::User(user.id), Subject::User(user.id));
        let detail = format!("factor={factor}");
        if let Verdict::Matched(matched) = service.open_factor(pending)?.check(code, tx.now)
            && db::factor::spend(tx.conn, &matched, tx.now)?.is_some()
        {
            tx.note(Event::done(actor, Action::FactorConfirmed, subject).with(detail));
            queue(service, tx, &user, &Notice::Enrolled)?;
            return Ok(());
        }
        // Whoever enrolled it has seen the secret: a wrong code is a slip, not a guess.
        tx.note(Event::refused(actor, Action::FactorConfirmed, subject, "wrong").with(detail));
        Err(Refusal::InvalidGrant.into())
    })
}

/// The operator or a manager brings a HOTP token back that ran too far ahead, by two consecutive codes of it: the one that `factor`
/// says, or whichever of the user's they fit.
pub fn resynchronise(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &UserName,
    factor: Option<FactorId>,
    (first, second): (&Code, &Code),
) -> Result<FactorId, Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        let mut usable = db::factor::usable(tx.conn, user.id, tx.now)?;
        usable.retain(|one| one.summary.state == FactorState::Active && is_meant(&one.summary, factor));
        if let (Some(_), []) = (factor, usable.as_slice()) {
            return Err(Refusal::NotFound { what: "active factor" }.into());
        }
        let (manager, subject) = (tx.origin.manager, Subject::User(user.id));
        for one in usable {
            if let Some(matched) = service.open_factor(&one)?.resynchronise(first, second)
                && let Some(spent) = db::factor::spend(tx.conn, &matched, tx.now)?
            {
                let event = Event::done(manager, Action::FactorResynchronised, subject);
                tx.note(event.with(format!("factor={}", spent.factor())));
                return Ok(spent.factor());
            }
        }
        let mut event = Event::refused(manager, Action::FactorResynchronised, subject, "wrong");
        if let Some(id) = factor {
            event = event.with(format!("factor={id}"));
        }
        tx.note(event);
        Err(Refusal::InvalidGrant.into())
    })
}

fn is_meant(summary: &Summary, factor: Option<FactorId>) -> bool {
    factor.is_none_or(|id| id == summary.id)
}

/// A user's factors as the operator sees them, lapsed ones left out.
pub fn list(conn: &mut Conn, at: At, name: &UserName) -> Result<Vec<Summary>, Stop> {
    let user = db::user::find_by_name(conn, name)?.ok_or(Refusal::NotFound { what: "user" })?;
    Ok(unlapsed(conn, at, user.id)?)
}

/// A user's factors as the user sees them.
pub fn list_own(service: &Service, conn: &mut Conn, at: At, token: &str) -> Result<Vec<Summary>, Stop> {
    let user = authenticate(service, conn, at.now, token)?.user();
    Ok(unlapsed(conn, at, user)?)
}

fn unlapsed(conn: &mut Conn, at: At, user: UserId) -> Result<Vec<Summary>, Fault> {
    let mut factors = db::factor::list(conn, user)?;
    factors.retain(|factor| !factor.has_lapsed(at.now));
    Ok(factors)
}

/// A user removes a factor: a pending one with whatever could enrol it, an active one only with a login that used an active factor.
/// The sessions whose last code was its end, and with an active one all remembered browsers.
pub fn remove_own(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
    factor: FactorId,
) -> Result<(), Stop> {
    authenticate(service, conn, at.now, token)?;
    service.write(conn, at, |tx| {
        let (bearer, user) = hold(service, tx, token)?;
        let found = find(tx, user.id, factor)?;
        if found.state == FactorState::Active {
            bearer.must_reach_active_factors(tx, &user)?;
        }
        revoke(service, tx, Actor::User(user.id), &user, &found)
    })
}

/// The operator or a manager removes one factor of a user. The sessions whose last code was its end, and with an active one all remembered
/// browsers; recovery codes stay. Where a help desk's resets need a second person, so does the last active factor: that is what a reset is for.
pub fn remove(
    service: &Service,
    conn: &mut Conn,
    at: At,
    name: &UserName,
    factor: FactorId,
) -> Result<(), Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        let found = find(tx, user.id, factor)?;
        if service.console.reset_needs_approval
            && tx.is_help_desk()
            && is_last_active(&db::factor::list(tx.conn, user.id)?, factor)
        {
            return Err(Refusal::OutOfReach.into());
        }
        revoke(service, tx, tx.origin.manager, &user, &found)
    })
}

/// Whether of a user's factors this is the only active one. Without it a password alone enrols a new phone: that is a reset.
pub fn is_last_active(factors: &[Summary], factor: FactorId) -> bool {
    let mut active = factors.iter().filter(|own| own.state == FactorState::Active);
    active.next().is_some_and(|first| first.id == factor) && active.next().is_none()
}

/// One of a user's factors, unless it has lapsed: then no list shows it either.
fn find(tx: &mut Tx<'_>, user: UserId, factor: FactorId) -> Result<Summary, Stop> {
    let mut factors = db::factor::list(tx.conn, user)?.into_iter();
    let found = factors.find(|own| own.id == factor && !own.has_lapsed(tx.now));
    Ok(found.ok_or(Refusal::NotFound { what: "factor" })?)
}

fn revoke(
    service: &Service,
    tx: &mut Tx<'_>,
    actor: Actor,
    user: &User,
    factor: &Summary,
) -> Result<(), Stop> {
    if db::factor::revoke(tx.conn, factor.id, tx.now)? {
        let ended = tx.end_sessions(Which::OfFactor(user.id, factor.id))?;
        let devices = if factor.state == FactorState::Active {
            queue(service, tx, user, &Notice::FactorRemoved)?;
            // A phone that was lost may be a browser that skips the code, too. Which one was remembered by which factor's code nobody knows.
            format!(" devices={}", db::trusted_device::forget_all(tx.conn, user.id)?)
        } else {
            String::new()
        };
        let event = Event::done(actor, Action::FactorRemoved, Subject::User(user.id));
        tx.note(event.with(format!("factor={} sessions={ended}{devices}", factor.id)));
    }
    Ok(())
}

/// Whoever shows this, and the user, held.
fn hold(service: &Service, tx: &mut Tx<'_>, token: &str) -> Result<(Bearer, User), Stop> {
    let bearer = held(tx, |conn, now| authenticate(service, conn, now, token), Bearer::user)?;
    let user = db::user::find(tx.conn, bearer.user())?.filter(|user| user.state == UserState::Active);
    Ok((bearer, user.ok_or(Refusal::InvalidToken)?))
}

impl Bearer {
    /// A password alone, or a login without a code, may not touch the factors of a user who has an active one: else the second factor
    /// would be worth no more than the first.
    fn must_reach_active_factors(&self, tx: &mut Tx<'_>, user: &User) -> Result<(), Stop> {
        let used_second_factor = match self {
            Self::Password(_) => false,
            Self::LoggedIn(login) => login.used_second_factor(),
        };
        let has_active =
            db::factor::list(tx.conn, user.id)?.iter().any(|factor| factor.state == FactorState::Active);
        if has_active && !used_second_factor {
            return Err(Refusal::FactorNeeded.into());
        }
        if let Self::LoggedIn(login) = self {
            login.must_be_fresh(tx.now)?;
        }
        Ok(())
    }
}
