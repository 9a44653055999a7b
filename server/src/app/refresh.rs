//! A refresh token for the next tokens (RFC 6749 s6, RFC 9700 s4.14).
//!
//! Every exchange replaces the refresh token. Whoever shows a replaced one has a copy, or lost the reply: for ten seconds the
//! second is assumed, and the successor is replaced in its turn, so that there is never a second good one. After that, or when the
//! successor was used, the session ends; for how long such a token is known says `SessionLimits::spent_kept_s`.

use zeroize::Zeroizing;

use crate::app::client_auth::{Credentials, hold, require};
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::issue::{Extent, Ground, Issued, Recorded, issue, may_go_on, session_end};
use crate::app::key::ensure_for_id_tokens_of;
use crate::crypto::keyed_hash::Purpose;
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::authorization::Details;
use crate::domain::client::{Client, Grant};
use crate::domain::id::TokenId;
use crate::domain::refusal::Refusal;
use crate::domain::scope::Scopes;
use crate::domain::time::OVER_KEPT_S;
use crate::domain::token::RefreshToken;
use crate::random;

/// What somebody asks for who shows a refresh token.
pub struct RefreshRequest {
    /// The refresh token.
    pub token: Zeroizing<String>,
    /// What the access token shall do, if not all that the login has.
    pub scope: Option<Scopes>,
    /// The same in detail.
    pub details: Option<Details>,
    /// Whom it shall be for: none but whom the login is for.
    pub audience: Option<String>,
}

/// `refresh_token`.
pub fn refresh(
    service: &Service,
    conn: &mut Conn,
    at: At,
    credentials: &Credentials,
    wanted: RefreshRequest,
) -> Result<Issued, Stop> {
    let client = require(service, conn, at, credentials)?;
    client.must_have(Grant::RefreshToken)?;
    let hash = service.hasher.hash(Purpose::RefreshToken, &[wanted.token.as_bytes()]);
    // First without a transaction, so that whoever has no token never takes a writer's place.
    let shown = of_client(conn, &hash, &client)?;
    if client.has(Grant::AuthorizationCode) {
        ensure_for_id_tokens_of(service, conn, at, &shown.scope)?;
    }
    let session = shown.login.session;
    let recorded = service.write(conn, at, |tx| {
        let client = hold(tx, client.id, Grant::RefreshToken)?;
        db::session::hold(tx.conn, session)?;
        // Read behind the hold: another request may have exchanged it meanwhile.
        let shown = of_client(tx.conn, &hash, &client)?;
        // An access token lives for a second at least, and not longer than its session.
        if !shown.login.is_live(tx.now) || shown.login.limit_at < tx.now.plus_seconds(1) {
            return Err(Refusal::InvalidGrant.into());
        }
        // Before anything else about the request: a copy must not be tried out unnoticed.
        if shown.expected(tx.now).is_none() {
            return reused(tx, &client, &shown);
        }
        // Before the exchange: what is refused here costs no token.
        let left = Extent::stored(&shown.scope, shown.details.clone(), shown.audience.clone())?;
        let left = left.still(&client, &service.issuer)?;
        left.must_be_for(wanted.audience.as_deref())?;
        if !may_go_on(tx, &client, &left, &shown.login)? {
            return Err(Refusal::InvalidGrant.into());
        }
        let extent = Extent {
            scope: left.scope.narrowed_to(wanted.scope.as_ref())?,
            details: left.details.narrowed_to(wanted.details)?,
            audience: left.audience,
        };
        let successor = TokenId::new(random::id(tx.now));
        let ends_at = session_end(&client, tx.now, shown.login.limit_at);
        match db::session::rotate(tx.conn, &shown, successor, ends_at, tx.now)? {
            Some(rotated) => {
                db::token::replace(tx.conn, shown.id, successor, tx.now)?;
                let (over, spent) = (OVER_KEPT_S, client.sessions.spent_kept_s());
                db::token::forget(tx.conn, session, tx.now.plus_seconds(-over), tx.now.plus_seconds(-spent))?;
                issue(service, tx, &client, Ground::Refreshed(rotated), &extent)
            }
            None => reused(tx, &client, &shown),
        }
    })?;
    Ok(recorded.sign()?)
}

/// The refresh token, if it is this client's.
fn of_client(conn: &mut Conn, hash: &[u8], client: &Client) -> Result<RefreshToken, Stop> {
    let found = db::token::find_refresh(conn, hash)?.filter(|shown| shown.client == client.id);
    Ok(found.ok_or(Refusal::InvalidGrant)?)
}

/// Two have the token, and nobody knows which of them is the thief: both are out.
fn reused(tx: &mut Tx<'_>, client: &Client, shown: &RefreshToken) -> Result<Recorded, Stop> {
    tx.end_sessions(Which::One(shown.login.session))?;
    let subject = Subject::User(shown.login.user);
    let event = Event::refused(Actor::Client(client.id), Action::RefreshTokenReused, subject, "reused");
    tx.note(event.with(format!("session={} token={}", shown.login.session, shown.id)));
    Err(Refusal::InvalidGrant.into())
}
