//! The keys that sign ID tokens: current, retired, revoked.

use diesel::prelude::*;

use crate::db::schema::id_token_key;
use crate::db::signing_key::StoredKey;
use crate::db::{Conn, time, word};
use crate::domain::time::Timestamp;
use crate::domain::token::{KeyState, SigningAlgorithm};
use crate::error::Fault;

#[derive(Queryable, Selectable)]
#[diesel(table_name = id_token_key)]
struct Row {
    kid: String,
    sealed: Vec<u8>,
    public_key: Vec<u8>,
    state: String,
    created_at: i64,
    retired_at: Option<i64>,
}

impl Row {
    fn read(self) -> Result<StoredKey, Fault> {
        let created_at = Timestamp::from_millis(self.created_at);
        Ok(StoredKey {
            kid: self.kid,
            algorithm: SigningAlgorithm::Rs256,
            sealed: self.sealed,
            public_key: self.public_key,
            state: word("ID token key state", &self.state)?,
            created_at,
            activated_at: Some(created_at),
            retired_at: time(self.retired_at),
        })
    }
}

/// All keys.
pub fn list(conn: &mut Conn) -> Result<Vec<StoredKey>, Fault> {
    let rows: Vec<Row> = id_token_key::table.select(Row::as_select()).load(conn)?;
    rows.into_iter().map(Row::read).collect()
}

/// The key of this name.
pub fn find(conn: &mut Conn, kid: &str) -> Result<Option<StoredKey>, Fault> {
    let row: Option<Row> = id_token_key::table.find(kid).select(Row::as_select()).first(conn).optional()?;
    row.map(Row::read).transpose()
}

/// The one that signs, if there is one.
pub fn current(conn: &mut Conn) -> Result<Option<StoredKey>, Fault> {
    let row: Option<Row> = id_token_key::table
        .filter(id_token_key::state.eq(KeyState::Current.as_str()))
        .select(Row::as_select())
        .first(conn)
        .optional()?;
    row.map(Row::read).transpose()
}

/// Adds one that signs from now on. There must be none: see [`lock`](crate::db::signing_key::lock).
pub fn insert(
    conn: &mut Conn,
    kid: &str,
    sealed: &[u8],
    public_key: &[u8],
    now: Timestamp,
) -> Result<(), Fault> {
    diesel::insert_into(id_token_key::table)
        .values((
            id_token_key::kid.eq(kid),
            id_token_key::sealed.eq(sealed),
            id_token_key::public_key.eq(public_key),
            id_token_key::state.eq(KeyState::Current.as_str()),
            id_token_key::created_at.eq(now.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Retires the one that signs.
pub fn retire(conn: &mut Conn, now: Timestamp) -> Result<(), Fault> {
    diesel::update(id_token_key::table.filter(id_token_key::state.eq(KeyState::Current.as_str())))
        .set((id_token_key::state.eq(KeyState::Retired.as_str()), id_token_key::retired_at.eq(now.millis())))
        .execute(conn)?;
    Ok(())
}

/// Revokes a key.
pub fn revoke(conn: &mut Conn, kid: &str, now: Timestamp) -> Result<(), Fault> {
    diesel::update(id_token_key::table.find(kid))
        .set((id_token_key::state.eq(KeyState::Revoked.as_str()), id_token_key::retired_at.eq(now.millis())))
        .execute(conn)?;
    Ok(())
}
