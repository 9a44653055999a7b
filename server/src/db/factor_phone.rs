//! What phones' proofs are checked with, and how the factors stand that they ask about.

use diesel::prelude::*;

use crate::db::schema::{factor, factor_phone};
use crate::db::{Conn, id, time, word};
use crate::domain::factor::FactorState;
use crate::domain::id::{FactorId, UserId};
use crate::domain::phone::Standing;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// Adds the sealed key of a new factor.
pub fn insert(conn: &mut Conn, factor: FactorId, sealed: &[u8]) -> Result<(), Fault> {
    diesel::insert_into(factor_phone::table)
        .values((factor_phone::factor_id.eq(factor.bytes()), factor_phone::sealed.eq(sealed)))
        .execute(conn)?;
    Ok(())
}

/// A factor that a phone may ask about, once it has shown that it has its secret.
pub struct Kept {
    /// Which.
    pub factor: FactorId,
    /// Whose.
    pub user: UserId,
    /// How it stands.
    pub standing: Standing,
    /// The key, still sealed.
    pub sealed: Vec<u8>,
}

/// Those of the factors that have a key, in no order: one query, however many they are.
pub fn find(conn: &mut Conn, factors: &[FactorId], now: Timestamp) -> Result<Vec<Kept>, Fault> {
    type Row = (Vec<u8>, Vec<u8>, String, Option<i64>, Option<i64>, Vec<u8>);
    let rows: Vec<Row> = factor::table
        .inner_join(factor_phone::table)
        .filter(factor::id.eq_any(factors.iter().map(FactorId::bytes)))
        .select((
            factor::id,
            factor::user_id,
            factor::state,
            factor::expires_at,
            factor::revoked_at,
            factor_phone::sealed,
        ))
        .load(conn)?;
    rows.into_iter()
        .map(|(factor, user, state, expires_at, revoked_at, sealed)| {
            let standing = match word("factor state", &state)? {
                FactorState::Active => Standing::Active,
                FactorState::Pending => match time(expires_at) {
                    Some(at) if at > now => Standing::Pending,
                    lapsed => Standing::Ended(lapsed.unwrap_or(Timestamp::LONG_AGO)),
                },
                FactorState::Revoked => Standing::Ended(time(revoked_at).unwrap_or(Timestamp::LONG_AGO)),
            };
            Ok(Kept {
                factor: id("factor id", FactorId::from_bytes(&factor))?,
                user: id("user id", UserId::from_bytes(&user))?,
                standing,
                sealed,
            })
        })
        .collect()
}
