//! `mfa_token`s: proof that a password was right, good for ten minutes and one code.

use diesel::prelude::*;

use crate::db::schema::{client, mfa_token};
use crate::db::{Conn, id, read_details};
use crate::domain::authorization::Details;
use crate::domain::client::ClientState;
use crate::domain::id::{ClientId, UserId};
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// What was asked for with the password, kept until the code comes.
#[derive(Clone, Debug)]
pub struct MfaToken {
    /// Whose password it was.
    pub user: UserId,
    /// The client that sent it; nobody else may use the token.
    pub client: ClientId,
    /// For whom the tokens shall be.
    pub audience: String,
    /// What they shall do.
    pub scope: String,
    /// The `authorization_details`.
    pub details: Details,
    /// When this ends.
    pub expires_at: Timestamp,
}

/// Keeps a new one under its keyed hash.
pub fn insert(conn: &mut Conn, hash: &[u8], new: &MfaToken) -> Result<(), Fault> {
    diesel::insert_into(mfa_token::table)
        .values((
            mfa_token::hash.eq(hash),
            mfa_token::user_id.eq(new.user.bytes()),
            mfa_token::client_id.eq(new.client.bytes()),
            mfa_token::audience.eq(&new.audience),
            mfa_token::scope.eq(&new.scope),
            mfa_token::details.eq(new.details.stored()),
            mfa_token::expires_at.eq(new.expires_at.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// The one with this keyed hash, unless it is over or its client is disabled.
pub fn find_live(conn: &mut Conn, hash: &[u8], now: Timestamp) -> Result<Option<MfaToken>, Fault> {
    type Row = (Vec<u8>, Vec<u8>, String, String, Option<String>, i64);
    let row: Option<Row> = mfa_token::table
        .inner_join(client::table)
        .filter(mfa_token::hash.eq(hash))
        .filter(client::state.eq(ClientState::Active.as_str()))
        .filter(mfa_token::consumed_at.is_null())
        .filter(mfa_token::expires_at.gt(now.millis()))
        .select((
            mfa_token::user_id,
            mfa_token::client_id,
            mfa_token::audience,
            mfa_token::scope,
            mfa_token::details,
            mfa_token::expires_at,
        ))
        .first(conn)
        .optional()?;
    row.map(|(user, client, audience, scope, details, expires_at)| {
        Ok(MfaToken {
            user: id("user id", UserId::from_bytes(&user))?,
            client: id("client id", ClientId::from_bytes(&client))?,
            audience,
            scope,
            details: read_details(details.as_deref())?,
            expires_at: Timestamp::from_millis(expires_at),
        })
    })
    .transpose()
}

/// Uses it up; of any number of callers one gets `true`.
pub fn consume(conn: &mut Conn, hash: &[u8], now: Timestamp) -> Result<bool, Fault> {
    let consumed = diesel::update(mfa_token::table.find(hash))
        .filter(mfa_token::consumed_at.is_null())
        .set(mfa_token::consumed_at.eq(now.millis()))
        .execute(conn)?;
    Ok(consumed == 1)
}

/// Ends all of a user's.
pub fn end_all_of_user(conn: &mut Conn, user: UserId) -> Result<(), Fault> {
    diesel::delete(mfa_token::table.filter(mfa_token::user_id.eq(user.bytes()))).execute(conn)?;
    Ok(())
}

/// Ends everybody's; returns how many were good.
pub fn end_all(conn: &mut Conn, now: Timestamp) -> Result<i64, Fault> {
    let live = mfa_token::table
        .filter(mfa_token::consumed_at.is_null())
        .filter(mfa_token::expires_at.gt(now.millis()))
        .count()
        .get_result(conn)?;
    diesel::delete(mfa_token::table).execute(conn)?;
    Ok(live)
}
