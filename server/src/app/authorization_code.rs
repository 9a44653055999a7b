//! Login at an application by way of the browser, second half (RFC 6749 s4.1.3): the application fetches its tokens for the code that the
//! browser brought. The first half is `app/authorize`.
//!
//! Whoever shows a code of its own uses it up, even where the rest of the request is wrong: nobody tries out verifiers. Who shows one that was
//! used up has a copy, or there is somebody else who has: the session that the code led to ends (RFC 6749 s10.5).

use zeroize::Zeroizing;

use crate::app::client_auth::{Credentials, hold, require};
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::issue::{Extent, Ground, Issued, Recorded, issue};
use crate::app::key::ensure_for_id_tokens_of;
use crate::crypto::keyed_hash::Purpose;
use crate::crypto::pkce;
use crate::db::authorization_code::{self, Found};
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::authorization_request::CodeVerifier;
use crate::domain::client::{Client, Grant};
use crate::domain::id::SessionId;
use crate::domain::refusal::Refusal;
use crate::random;

/// What an application shows.
pub struct Shown {
    /// The code.
    pub code: Zeroizing<String>,
    /// Where the browser came to with it.
    pub redirect_uri: String,
    /// What the request's challenge was made of.
    pub verifier: Option<CodeVerifier>,
    /// Whom the tokens shall be for: none but whom the browser's request named.
    pub audience: Option<String>,
}

/// `authorization_code`.
pub fn authorization_code(
    service: &Service,
    conn: &mut Conn,
    at: At,
    credentials: &Credentials,
    shown: &Shown,
) -> Result<Issued, Stop> {
    let client = require(service, conn, at, credentials)?;
    client.must_have(Grant::AuthorizationCode)?;
    let hash = service.hasher.hash(Purpose::AuthorizationCode, &[shown.code.as_bytes()]);
    // First without a transaction, so that whoever has no code never takes a writer's place.
    let found = of_client(conn, &hash, &client)?;
    ensure_for_id_tokens_of(service, conn, at, &found.code.scope)?;
    let user = found.login.user;
    let recorded = service.write(conn, at, |tx| {
        let client = hold(tx, client.id, Grant::AuthorizationCode)?;
        // Who resets or locks the user, or ends the login in the browser, has done so by now or does it after this.
        db::lockout::hold(tx.conn, user, tx.now)?;
        let found = of_client(tx.conn, &hash, &client)?;
        let session = SessionId::new(random::id(tx.now));
        let Some(authorized) = authorization_code::consume(tx.conn, &hash, &found, session)? else {
            return reused(tx, &client, &found);
        };
        let subject = Subject::User(found.login.user);
        let refused =
            |why| Event::refused(Actor::Client(client.id), Action::AuthorizationCodeChecked, subject, why);
        if let Some(why) = flaw(tx, &found, shown) {
            tx.note(refused(why));
            return Err(Refusal::InvalidGrant.into());
        }
        let code = found.code;
        let extent = Extent::stored(&code.scope, code.details, code.audience)?;
        let extent = extent.still(&client, &service.issuer)?;
        if let Err(other) = extent.must_be_for(shown.audience.as_deref()) {
            tx.note(refused("audience"));
            return Err(other.into());
        }
        issue(service, tx, &client, Ground::Authorized(authorized), &extent)
    })?;
    Ok(recorded.sign()?)
}

/// The code, if it is this client's.
fn of_client(conn: &mut Conn, hash: &[u8], client: &Client) -> Result<Found, Stop> {
    let found = authorization_code::find(conn, hash)?.filter(|found| found.code.client == client.id);
    Ok(found.ok_or(Refusal::InvalidGrant)?)
}

/// What is wrong with a code, or with what is shown besides.
fn flaw(tx: &Tx<'_>, found: &Found, shown: &Shown) -> Option<&'static str> {
    let fits = match (&found.code.challenge, &shown.verifier) {
        (Some(challenge), Some(verifier)) => pkce::answers(verifier, challenge),
        (None, None) => true,
        // One without the other: somebody has put in a request or a code that is not the application's own (RFC 9700 s4.8.2).
        (Some(_), None) | (None, Some(_)) => false,
    };
    if found.code.expires_at <= tx.now {
        Some("expired")
    } else if !found.login.is_live(tx.now) {
        Some("session ended")
    } else if found.code.redirect_uri != shown.redirect_uri {
        Some("redirect_uri")
    } else if !fits {
        Some("code_verifier")
    } else {
        None
    }
}

/// Two have the code, and nobody knows which of them is the thief: both are out. Where it has led nowhere, or to a session that is over, that is no more
/// than a wrong one.
fn reused(tx: &mut Tx<'_>, client: &Client, found: &Found) -> Result<Recorded, Stop> {
    let Some(session) = found.led_to else { return Err(Refusal::InvalidGrant.into()) };
    let has_ended = tx.end_sessions(Which::One(session))? > 0;
    let action = if has_ended { Action::AuthorizationCodeReused } else { Action::AuthorizationCodeChecked };
    let event =
        Event::refused(Actor::Client(client.id), action, Subject::User(found.login.user), "used before");
    tx.note(event.with(format!("session={session}")));
    Err(Refusal::InvalidGrant.into())
}
