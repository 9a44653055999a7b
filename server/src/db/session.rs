//! Sessions: every login is one. Ending a session ends its tokens, since a token is only as good as its session.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::session;
use crate::domain::id::{ClientId, FactorId, SessionId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::token::Amr;
use crate::error::Fault;

/// A login that just happened.
pub struct New {
    /// Its id.
    pub id: SessionId,
    /// Who logged in.
    pub user: UserId,
    /// At which application.
    pub client: ClientId,
    /// With which factor, if any.
    pub factor: Option<FactorId>,
    /// By which methods.
    pub amr: Amr,
    /// When.
    pub started_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
}

/// Records a login.
pub fn insert(conn: &mut Conn, new: &New) -> Result<(), Fault> {
    diesel::insert_into(session::table)
        .values((
            session::id.eq(new.id.bytes()),
            session::user_id.eq(new.user.bytes()),
            session::client_id.eq(new.client.bytes()),
            session::factor_id.eq(new.factor.as_ref().map(FactorId::bytes)),
            session::amr.eq(new.amr.as_str()),
            session::started_at.eq(new.started_at.millis()),
            session::ends_at.eq(new.ends_at.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// Ends all sessions of a user; returns how many were live.
pub fn end_all_of_user(conn: &mut Conn, user: UserId, now: Timestamp) -> Result<usize, Fault> {
    let ended = diesel::update(session::table.filter(session::user_id.eq(user.bytes())))
        .filter(session::revoked_at.is_null())
        .filter(session::ends_at.gt(now.millis()))
        .set(session::revoked_at.eq(now.millis()))
        .execute(conn)?;
    Ok(ended)
}

/// Ends all sessions that were started with a factor.
pub fn end_all_of_factor(conn: &mut Conn, factor: FactorId, now: Timestamp) -> Result<usize, Fault> {
    let ended = diesel::update(session::table.filter(session::factor_id.eq(factor.bytes())))
        .filter(session::revoked_at.is_null())
        .set(session::revoked_at.eq(now.millis()))
        .execute(conn)?;
    Ok(ended)
}
