//! Taking a token back (RFC 7009).

use crate::app::bearer::find_access_token;
use crate::app::client_auth::{Credentials, require};
use crate::app::context::{At, Service, Stop};
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::refusal::Refusal;

/// Revokes a token of the client's own. A token that is unknown or over is as good as revoked (s2.2); another client's is refused
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
        let Some(record) =
            find_access_token(service, tx.conn, token)?.filter(|record| record.is_live(at.now))
        else {
            return Ok(());
        };
        if record.client != client.id {
            return Err(Refusal::UnauthorizedClient.into());
        }
        if db::token::revoke(tx.conn, record.id, tx.now)? {
            let subject = record.login.as_ref().map(|login| Subject::User(login.user));
            let detail = format!("token={}", record.id);
            tx.note(Event::done(Actor::Client(client.id), Action::TokenRevoked, subject).with(detail));
        }
        Ok(())
    })
}
