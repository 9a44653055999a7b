//! Taking a token back (RFC 7009).

use crate::app::bearer::find_access_token;
use crate::app::client_auth::{Credentials, require};
use crate::app::context::{At, Service, Stop, Tx};
use crate::crypto::keyed_hash::Purpose;
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::client::Client;
use crate::domain::refusal::Refusal;
use crate::domain::token::{RefreshToken, RevocationKind};

/// Revokes a token of the client's own: an access token alone, with a refresh token the whole session (s2.1). A token that is unknown or over is as good as revoked (s2.2); another client's is refused
/// (s2.1).
pub fn revoke(
    service: &Service,
    conn: &mut Conn,
    at: At,
    credentials: &Credentials,
    token: &str,
) -> Result<(), Stop> {
    let client = require(service, conn, at, credentials)?;
    service.write(conn, at, |tx| {
        let hash = service.hasher.hash(Purpose::RefreshToken, &[token.as_bytes()]);
        if let Some(shown) = db::token::find_refresh(tx.conn, &hash)? {
            return end_login(tx, &client, &shown);
        }
        let Some(record) =
            find_access_token(service, tx.conn, token)?.filter(|record| record.is_live(at.now))
        else {
            return Ok(());
        };
        if record.client != client.id {
            return Err(Refusal::UnauthorizedClient.into());
        }
        if db::token::revoke(tx.conn, record.id, tx.now)? {
            if record.is_jwt {
                tx.revoked(RevocationKind::Token, record.id.to_string(), record.expires_at);
            }
            let subject = record.login.as_ref().map(|login| Subject::User(login.user));
            let detail = format!("token={}", record.id);
            tx.note(Event::done(Actor::Client(client.id), Action::TokenRevoked, subject).with(detail));
        }
        Ok(())
    })
}

/// Logging out. A refresh token that was replaced ends the session, too: whoever has it got it at this login.
fn end_login(tx: &mut Tx<'_>, client: &Client, shown: &RefreshToken) -> Result<(), Stop> {
    if shown.client != client.id {
        return Err(Refusal::UnauthorizedClient.into());
    }
    let (session, user) = (shown.login.session, shown.login.user);
    if tx.end_sessions(Which::One(session))? > 0 {
        let event = Event::done(Actor::Client(client.id), Action::SessionEnded, Subject::User(user));
        tx.note(event.with(format!("session={session}")));
    }
    Ok(())
}
