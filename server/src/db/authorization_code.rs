//! Authorization codes: what a browser carries from a login here to an application.

use diesel::prelude::*;

use crate::db::schema::{authorization_code, session, user};
use crate::db::{Conn, id, read_details, session as logins};
use crate::domain::authorization::Details;
use crate::domain::id::{ClientId, FactorId, SessionId};
use crate::domain::time::Timestamp;
use crate::domain::token::{Amr, Login};
use crate::error::Fault;

/// What was granted in the browser, and what the application asked for.
#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    /// The console's session that it came from; the code is only as good as that.
    pub session: SessionId,
    /// The application; nobody else may use it.
    pub client: ClientId,
    /// Where the browser was sent with it.
    pub redirect_uri: String,
    /// Who the token shall be for.
    pub audience: String,
    /// What it shall do.
    pub scope: String,
    /// In detail.
    pub details: Details,
    /// What the ID token shall repeat.
    pub nonce: Option<String>,
    /// What a verifier must hash to.
    pub challenge: Option<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Keeps a new one under its keyed hash.
pub fn insert(conn: &mut Conn, hash: &[u8], new: &AuthorizationCode) -> Result<(), Fault> {
    diesel::insert_into(authorization_code::table)
        .values((
            authorization_code::hash.eq(hash),
            authorization_code::session_id.eq(new.session.bytes()),
            authorization_code::client_id.eq(new.client.bytes()),
            authorization_code::redirect_uri.eq(&new.redirect_uri),
            authorization_code::audience.eq(&new.audience),
            authorization_code::scope.eq(&new.scope),
            authorization_code::details.eq(new.details.stored()),
            authorization_code::nonce.eq(&new.nonce),
            authorization_code::challenge.eq(&new.challenge),
            authorization_code::expires_at.eq(new.expires_at.millis()),
        ))
        .execute(conn)?;
    Ok(())
}

/// A code that was found, used or not, with the login that it came from, live or not.
pub struct Found {
    /// What it says.
    pub code: AuthorizationCode,
    /// The session that it led to; none as long as it was not used.
    pub led_to: Option<SessionId>,
    /// The login in the browser.
    pub login: Login,
    arrival: Arrival,
}

/// From where and with what the user logged in.
#[derive(Clone, Debug)]
struct Arrival {
    amr: Amr,
    factor: Option<FactorId>,
    address: Option<String>,
    device: Option<String>,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = authorization_code)]
struct Row {
    session_id: Vec<u8>,
    client_id: Vec<u8>,
    redirect_uri: String,
    audience: String,
    scope: String,
    details: Option<String>,
    nonce: Option<String>,
    challenge: Option<String>,
    expires_at: i64,
    led_to: Option<Vec<u8>>,
}

type ArrivalRow = (Option<Vec<u8>>, Option<String>, Option<String>);

/// The one with this keyed hash.
pub fn find(conn: &mut Conn, hash: &[u8]) -> Result<Option<Found>, Fault> {
    let found: Option<(Row, logins::Row, ArrivalRow, (String, String))> = authorization_code::table
        .inner_join(session::table.on(session::id.eq(authorization_code::session_id)))
        .inner_join(user::table.on(user::id.eq(session::user_id)))
        .filter(authorization_code::hash.eq(hash))
        .select((
            Row::as_select(),
            logins::Row::as_select(),
            (session::factor_id, session::address, session::device),
            (user::name, user::state),
        ))
        .first(conn)
        .optional()?;
    let Some((row, login, (factor, address, device), (user_name, user_state))) = found else {
        return Ok(None);
    };
    let login = login.read(user_name, &user_state)?;
    let amr = Amr::stored(&login.amr).ok_or(Fault::Corrupt { what: "authentication methods" })?;
    let factor = factor.map(|bytes| id("factor id", FactorId::from_bytes(&bytes))).transpose()?;
    Ok(Some(Found {
        code: AuthorizationCode {
            session: id("session id", SessionId::from_bytes(&row.session_id))?,
            client: id("client id", ClientId::from_bytes(&row.client_id))?,
            redirect_uri: row.redirect_uri,
            audience: row.audience,
            scope: row.scope,
            details: read_details(row.details.as_deref())?,
            nonce: row.nonce,
            challenge: row.challenge,
            expires_at: Timestamp::from_millis(row.expires_at),
        },
        led_to: row.led_to.map(|bytes| id("session id", SessionId::from_bytes(&bytes))).transpose()?,
        login,
        arrival: Arrival { amr, factor, address, device },
    }))
}

/// A code that is used up. Only [`consume`] makes it; only a token for the user who logged in can be made of it.
#[must_use]
#[derive(Debug)]
pub struct Authorized {
    login: Login,
    arrival: Arrival,
    session: SessionId,
    nonce: Option<String>,
}

impl Authorized {
    /// The login in the browser.
    pub const fn login(&self) -> &Login {
        &self.login
    }

    /// How the user was authenticated then.
    pub const fn amr(&self) -> Amr {
        self.arrival.amr
    }

    /// With which factor, if any: the session at the application ends with it.
    pub const fn factor(&self) -> Option<FactorId> {
        self.arrival.factor
    }

    /// From which network address.
    pub fn address(&self) -> Option<&str> {
        self.arrival.address.as_deref()
    }

    /// With which browser, in words.
    pub fn device(&self) -> Option<&str> {
        self.arrival.device.as_deref()
    }

    /// The session that begins with it.
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// What the ID token shall repeat.
    pub fn nonce(&self) -> Option<&str> {
        self.nonce.as_deref()
    }
}

/// Uses a code up, for this session; of any number of callers one gets it.
pub fn consume(
    conn: &mut Conn,
    hash: &[u8],
    found: &Found,
    led_to: SessionId,
) -> Result<Option<Authorized>, Fault> {
    let consumed = diesel::update(authorization_code::table.find(hash))
        .filter(authorization_code::led_to.is_null())
        .set(authorization_code::led_to.eq(led_to.bytes()))
        .execute(conn)?;
    Ok((consumed == 1).then(|| Authorized {
        login: found.login.clone(),
        arrival: found.arrival.clone(),
        session: led_to,
        nonce: found.code.nonce.clone(),
    }))
}

/// Ends everybody's.
pub fn end_all(conn: &mut Conn) -> Result<(), Fault> {
    diesel::delete(authorization_code::table).execute(conn)?;
    Ok(())
}
