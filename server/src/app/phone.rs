//! What a phone asks and tells about its own factors. Nobody is logged in: it shows by a proof that it has the secret
//! (`docs/spec/phone.md`), and whoever shows none learns and changes nothing.
//!
//! 1. The phone's clock is right, within five minutes: so a proof that was seen is not good for long.
//! 2. The proof is right for the factor. For a factor that is not there one is checked all the same.
//! 3. Only then is anything said of the factor, or a code looked at.

use mobile_core::Code;
use mobile_core::phone::{PhoneKey, Purpose};

use crate::app::context::{At, Service, Stop};
use crate::app::verify::{Factors, Who, check_and_spend};
use crate::crypto::seal::Place;
use crate::db::factor_phone::Kept;
use crate::db::{self, Conn};
use crate::domain::audit::Actor;
use crate::domain::id::{FactorId, UserId};
use crate::domain::phone::{Standing, must_be_timely};
use crate::domain::refusal::Refusal;
use crate::error::Fault;
use crate::random;

/// A factor, and what shows that the phone has its secret.
pub struct Claim {
    /// The factor.
    pub factor: FactorId,
    /// The proof.
    pub proof: [u8; PhoneKey::BYTES],
}

/// How factors stand, in the order of the claims. Reads once, however many they are, and writes nothing.
pub fn standings(
    service: &Service,
    conn: &mut Conn,
    at: At,
    unix_seconds: u64,
    claims: &[Claim],
) -> Result<Vec<Standing>, Stop> {
    must_be_timely(unix_seconds, at.now)?;
    let factors: Vec<FactorId> = claims.iter().map(|claim| claim.factor).collect();
    let kept = db::factor_phone::find(conn, &factors, at.now)?;
    let decoy = decoy(service)?;
    let mut standings = Vec::with_capacity(claims.len());
    for claim in claims {
        let kept = kept.iter().find(|kept| kept.factor == claim.factor);
        let proven = proves(service, kept.unwrap_or(&decoy), claim, Purpose::Status, unix_seconds, "")?;
        standings.push(kept.filter(|_| proven).map_or(Standing::Unknown, |kept| kept.standing));
    }
    Ok(standings)
}

/// A phone confirms its own pending factor with the code of this moment. Where the factor is active already nothing happens, and
/// the code stays good for a login.
pub fn confirm(
    service: &Service,
    conn: &mut Conn,
    at: At,
    unix_seconds: u64,
    claim: &Claim,
    code: &Code,
) -> Result<(), Stop> {
    must_be_timely(unix_seconds, at.now)?;
    // Without a transaction, so that whoever has no proof never takes a writer's place, nor anybody's tries.
    let kept = db::factor_phone::find(conn, &[claim.factor], at.now)?.pop();
    let decoy = decoy(service)?;
    let shown = kept.as_ref().unwrap_or(&decoy);
    let proven = proves(service, shown, claim, Purpose::Confirm, unix_seconds, code.as_str())?;
    let kept = kept.filter(|_| proven).ok_or(Refusal::UnknownFactor)?;
    if !is_pending(kept.standing)? {
        return Ok(());
    }
    let user = kept.user;
    service.write(conn, at, |tx| {
        db::lockout::hold(tx.conn, user, tx.now)?;
        // Behind the hold: somebody else may have confirmed or ended it, or removed its user, meanwhile.
        let kept = db::factor_phone::find(tx.conn, &[claim.factor], tx.now)?.pop();
        if !is_pending(kept.map_or(Standing::Unknown, |kept| kept.standing))? {
            return Ok(());
        }
        let who = Who::User(user);
        match check_and_spend(service, tx, Actor::User(user), &who, code, Factors::ByItsPhone(claim.factor)) {
            Ok(_) => Ok(()),
            Err(Stop::Refused(Refusal::InvalidGrant | Refusal::CodeUsed)) => {
                Err(Refusal::CodeNotAccepted { now: tx.now }.into())
            }
            Err(stop) => Err(stop),
        }
    })
}

/// Whether there is something to confirm. Where there is not, because it is done, that is no refusal.
fn is_pending(standing: Standing) -> Result<bool, Refusal> {
    match standing {
        Standing::Pending => Ok(true),
        Standing::Active => Ok(false),
        Standing::Ended(_) => Err(Refusal::FactorEnded),
        Standing::Unknown => Err(Refusal::UnknownFactor),
    }
}

fn proves(
    service: &Service,
    kept: &Kept,
    claim: &Claim,
    purpose: Purpose,
    unix_seconds: u64,
    code: &str,
) -> Result<bool, Fault> {
    let plain = service.sealer.open(Place::factor_phone(&kept.factor), &kept.sealed)?;
    let key = <[u8; PhoneKey::BYTES]>::try_from(plain.as_slice())
        .map(PhoneKey::from_bytes)
        .map_err(|_| Fault::Corrupt { what: "phone key" })?;
    Ok(key.verify(purpose, claim.factor.to_bytes(), unix_seconds, code, &claim.proof))
}

/// A factor that nobody has, under a key that nobody knows: checking against it takes as long.
fn decoy(service: &Service) -> Result<Kept, Fault> {
    let factor = FactorId::FIRST;
    let sealed = service.sealer.seal(Place::factor_phone(&factor), random::bytes::<32>().as_slice())?;
    Ok(Kept { factor, user: UserId::FIRST, standing: Standing::Unknown, sealed })
}
