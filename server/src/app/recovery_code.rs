//! Recovery codes: made with the first enrolment, shown once, each good for one login without the phone.

use crate::app::bearer::{held, logged_in, mfa_pass};
use crate::app::client_auth::{Asker, hold, require_asker};
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::issue::{Extent, Ground, Issued, issue};
use crate::app::outbox::queue;
use crate::crypto::keyed_hash::Purpose;
use crate::db::lockout::Gate;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::client::Grant;
use crate::domain::factor::FactorState;
use crate::domain::id::UserId;
use crate::domain::lockout;
use crate::domain::notice::Notice;
use crate::domain::recovery_code::{COUNT, FEW, RecoveryCode};
use crate::domain::refusal::Refusal;
use crate::domain::scope::FACTORS;
use crate::domain::user::{User, UserName, UserState};
use crate::error::Fault;
use crate::random;

/// `http://auth0.com/oauth/grant-type/mfa-recovery-code`: a password was right before, now a recovery code in the place of the phone's
/// code. Returns the tokens and a fresh code for the one that is used up.
///
/// It works for a user whose codes are locked, too: that is what it is for. Wrong ones bring waits of their own, which always end.
pub fn mfa_recovery_code(
    service: &Service,
    conn: &mut Conn,
    at: At,
    asker: Asker<'_>,
    mfa_token: &str,
    code: &RecoveryCode,
    audience: Option<&str>,
) -> Result<(Issued, RecoveryCode), Stop> {
    let client = require_asker(service, conn, at, asker)?;
    client.must_have(Grant::MfaRecoveryCode)?;
    let (recorded, fresh) = service.write(conn, at, |tx| {
        let client = hold(tx, client.id, Grant::MfaRecoveryCode)?;
        let (pass, hash) = mfa_pass(service, tx.conn, tx.now, client.id, mfa_token)?;
        let extent = Extent::stored(&pass.scope, pass.details, pass.audience)?;
        let extent = extent.still(&client, &service.issuer)?;
        extent.must_be_for(audience)?;
        let (user, now, actor) = (pass.user, tx.now, Actor::Client(client.id));
        db::lockout::hold(tx.conn, user, now)?;
        let bucket = bucket(service, user);
        if let Gate::Closed(until) = db::lockout::pass(tx.conn, &bucket, now)? {
            return Err(Refusal::TooManyAttempts { retry_after_s: lockout::retry_after_s(until, now) }.into());
        }
        let refused = |why| Event::refused(actor, Action::RecoveryCodeChecked, Subject::User(user), why);
        let found = db::user::find(tx.conn, user)?.filter(|user| user.state != UserState::Locked);
        let Some(person) = found else {
            tx.note(refused("user locked"));
            return Err(Refusal::TooManyAttempts { retry_after_s: lockout::INDEFINITE_RETRY_S }.into());
        };
        // Codes that came with an enrolment which nobody confirmed stand for no phone.
        let has_factor =
            db::factor::list(tx.conn, user)?.iter().any(|factor| factor.state == FactorState::Active);
        let spent = if has_factor {
            db::recovery_code::spend(tx.conn, user, &hashed(service, user, code))?
        } else {
            None
        };
        let Some(spent) = spent else {
            let standing = db::lockout::fail(tx.conn, &bucket, |failures| {
                lockout::passwords_blocked_until(failures, now)
            })?;
            tx.note(refused("wrong").with(format!("failures={}", standing.failures)));
            return Err(Refusal::InvalidGrant.into());
        };
        if !db::mfa_token::consume(tx.conn, &hash, now)? {
            return Err(Refusal::InvalidGrant.into());
        }
        db::lockout::clear(tx.conn, &bucket)?;
        db::lockout::clear(tx.conn, user.bytes())?;
        let fresh = add(service, tx, user)?;
        tx.note(Event::done(actor, Action::RecoveryCodeChecked, Subject::User(user)));
        tell(service, tx, &person)?;
        Ok((issue(service, tx, &client, Ground::RecoveryCode(spent), &extent)?, fresh))
    })?;
    Ok((recorded.sign()?, fresh))
}

/// Tells a user of a used code. The number of good codes stays the same, since each used one is replaced; what runs low is the set on the
/// user's paper, so that is what the warning counts.
fn tell(service: &Service, tx: &mut Tx<'_>, user: &User) -> Result<(), Fault> {
    let left = db::recovery_code::count(tx.conn, user.id)?;
    queue(service, tx, user, &Notice::RecoveryCodeUsed { left })?;
    let left = db::recovery_code::count_of_set(tx.conn, user.id)?;
    if left <= FEW { queue(service, tx, user, &Notice::RecoveryCodesLow { left }) } else { Ok(()) }
}

/// How many codes the user of this token has left.
pub fn count_own(service: &Service, conn: &mut Conn, at: At, token: &str) -> Result<i64, Stop> {
    let login = logged_in(service, conn, at.now, token, FACTORS)?;
    Ok(db::recovery_code::count(conn, login.user)?)
}

/// A user makes the own codes anew; the old ones are void. Wants a fresh login with a second factor, like every change of factors.
pub fn renew_own(service: &Service, conn: &mut Conn, at: At, token: &str) -> Result<Vec<RecoveryCode>, Stop> {
    logged_in(service, conn, at.now, token, FACTORS)?;
    service.write(conn, at, |tx| {
        let find = |conn: &mut Conn, now| logged_in(service, conn, now, token, FACTORS);
        let login = held(tx, find, |login| login.user)?;
        login.must_be_fresh(tx.now)?;
        if !login.used_second_factor() {
            return Err(Refusal::FactorNeeded.into());
        }
        let user = db::user::find(tx.conn, login.user)?.ok_or(Refusal::InvalidToken)?;
        renew_and_tell(service, tx, Actor::User(user.id), &user)
    })
}

/// The operator or a manager makes a user's codes anew; the old ones are void.
pub fn renew(service: &Service, conn: &mut Conn, at: At, name: &UserName) -> Result<Vec<RecoveryCode>, Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        renew_and_tell(service, tx, tx.origin.manager, &user)
    })
}

fn renew_and_tell(
    service: &Service,
    tx: &mut Tx<'_>,
    actor: Actor,
    user: &User,
) -> Result<Vec<RecoveryCode>, Stop> {
    let codes = renew_in(service, tx, actor, user.id)?;
    queue(service, tx, user, &Notice::RecoveryCodesRenewed)?;
    Ok(codes)
}

/// A new set for a user who is held by this transaction.
pub fn renew_in(
    service: &Service,
    tx: &mut Tx<'_>,
    actor: Actor,
    user: UserId,
) -> Result<Vec<RecoveryCode>, Stop> {
    db::recovery_code::remove_all(tx.conn, user)?;
    let codes = (0..COUNT).map(|_| add(service, tx, user)).collect::<Result<_, _>>()?;
    tx.note(Event::done(actor, Action::RecoveryCodesMade, Subject::User(user)));
    Ok(codes)
}

fn add(service: &Service, tx: &mut Tx<'_>, user: UserId) -> Result<RecoveryCode, Fault> {
    let code = RecoveryCode::new(random::bytes());
    db::recovery_code::insert(tx.conn, user, &hashed(service, user, &code), tx.now)?;
    Ok(code)
}

/// Where a user's wrong ones are counted.
fn bucket(service: &Service, user: UserId) -> [u8; 32] {
    service.hasher.hash(Purpose::RecoveryBucket, &[user.bytes()])
}

/// Forgets a user's wrong ones.
pub(super) fn forgive(service: &Service, tx: &mut Tx<'_>, user: UserId) -> Result<(), Fault> {
    db::lockout::clear(tx.conn, &bucket(service, user))
}

fn hashed(service: &Service, user: UserId, code: &RecoveryCode) -> [u8; 32] {
    service.hasher.hash(Purpose::RecoveryCode, &[user.bytes(), code.bytes()])
}
