//! Signing keys: next, current, retired.

use diesel::prelude::*;

use crate::db::schema::signing_key;
use crate::db::statement::directly;
use crate::db::{Conn, time, word};
use crate::domain::time::Timestamp;
use crate::domain::token::{KeyState, SigningAlgorithm};
use crate::error::Fault;

/// A signing key as stored.
#[derive(Clone, Debug)]
pub struct StoredKey {
    /// The thumbprint.
    pub kid: String,
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// The sealed private key.
    pub sealed: Vec<u8>,
    /// The public key.
    pub public_key: Vec<u8>,
    /// Where it is in its life.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it began to sign.
    pub activated_at: Option<Timestamp>,
    /// When it stopped.
    pub retired_at: Option<Timestamp>,
}

pub(super) type Row = (String, String, Vec<u8>, Vec<u8>, String, i64, Option<i64>, Option<i64>);

pub(super) const COLUMNS: (
    signing_key::kid,
    signing_key::alg,
    signing_key::sealed,
    signing_key::public_key,
    signing_key::state,
    signing_key::created_at,
    signing_key::activated_at,
    signing_key::retired_at,
) = (
    signing_key::kid,
    signing_key::alg,
    signing_key::sealed,
    signing_key::public_key,
    signing_key::state,
    signing_key::created_at,
    signing_key::activated_at,
    signing_key::retired_at,
);

pub(super) fn read(row: Row) -> Result<StoredKey, Fault> {
    let (kid, algorithm, sealed, public_key, state, created_at, activated_at, retired_at) = row;
    Ok(StoredKey {
        kid,
        algorithm: word("signing algorithm", &algorithm)?,
        sealed,
        public_key,
        state: word("signing key state", &state)?,
        created_at: Timestamp::from_millis(created_at),
        activated_at: time(activated_at),
        retired_at: time(retired_at),
    })
}

/// All keys.
pub fn list(conn: &mut Conn) -> Result<Vec<StoredKey>, Fault> {
    let rows: Vec<Row> = signing_key::table.select(COLUMNS).load(conn)?;
    rows.into_iter().map(read).collect()
}

/// The key in this state; there is at most one current and one next.
pub fn find_in_state(conn: &mut Conn, state: KeyState) -> Result<Option<StoredKey>, Fault> {
    let row: Option<Row> = signing_key::table
        .filter(signing_key::state.eq(state.as_str()))
        .select(COLUMNS)
        .first(conn)
        .optional()?;
    row.map(read).transpose()
}

/// As much of a key as it takes to verify what it signed.
pub struct VerifyingKey {
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// The public key.
    pub public: Vec<u8>,
    /// Where it is in its life.
    pub state: KeyState,
}

pub(super) type VerifyingRow = (String, Vec<u8>, String);

pub(super) const VERIFYING: (signing_key::alg, signing_key::public_key, signing_key::state) =
    (signing_key::alg, signing_key::public_key, signing_key::state);

pub(super) fn read_verifying((algorithm, public, state): VerifyingRow) -> Result<VerifyingKey, Fault> {
    Ok(VerifyingKey {
        algorithm: word("signing algorithm", &algorithm)?,
        public,
        state: word("signing key state", &state)?,
    })
}

/// The key of this name.
pub fn find_verifying(conn: &mut Conn, kid: &str) -> Result<Option<VerifyingKey>, Fault> {
    let row: Option<VerifyingRow> =
        directly!(conn, |own| signing_key::table.find(kid).select(VERIFYING).first(own)).optional()?;
    row.map(read_verifying).transpose()
}

/// Adds a key.
pub fn insert(conn: &mut Conn, new: &StoredKey) -> Result<(), Fault> {
    diesel::insert_into(signing_key::table)
        .values((
            signing_key::kid.eq(&new.kid),
            signing_key::alg.eq(new.algorithm.as_str()),
            signing_key::sealed.eq(&new.sealed),
            signing_key::public_key.eq(&new.public_key),
            signing_key::state.eq(new.state.as_str()),
            signing_key::created_at.eq(new.created_at.millis()),
            signing_key::activated_at.eq(new.activated_at.map(Timestamp::millis)),
            signing_key::retired_at.eq(new.retired_at.map(Timestamp::millis)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Retires the current key and makes the next one current. There is no next one afterwards.
pub fn advance(conn: &mut Conn, now: Timestamp) -> Result<(), Fault> {
    let in_state = |state: KeyState| signing_key::table.filter(signing_key::state.eq(state.as_str()));
    diesel::update(in_state(KeyState::Current))
        .set((signing_key::state.eq(KeyState::Retired.as_str()), signing_key::retired_at.eq(now.millis())))
        .execute(conn)?;
    diesel::update(in_state(KeyState::Next))
        .set((signing_key::state.eq(KeyState::Current.as_str()), signing_key::activated_at.eq(now.millis())))
        .execute(conn)?;
    Ok(())
}

/// Revokes a key.
pub fn revoke(conn: &mut Conn, kid: &str, now: Timestamp) -> Result<(), Fault> {
    diesel::update(signing_key::table.find(kid))
        .set((signing_key::state.eq(KeyState::Revoked.as_str()), signing_key::retired_at.eq(now.millis())))
        .execute(conn)?;
    Ok(())
}

/// Lets no other transaction change keys, those of ID tokens neither, until this one ends. On SQLite a writing transaction is alone anyway.
pub fn lock(conn: &mut Conn) -> Result<(), Fault> {
    match conn {
        Conn::Sqlite(_) => {}
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            diesel::sql_query("LOCK TABLE signing_key, id_token_key IN SHARE ROW EXCLUSIVE MODE")
                .execute(conn)?;
        }
    }
    Ok(())
}
