//! Telling a client about a token (RFC 7662).

use crate::app::bearer::{hash_of, narrowed, signed_by};
use crate::app::client_auth::{Credentials, require_to_look};
use crate::app::context::{At, Service, Stop};
use crate::crypto::signing;
use crate::db::client::Asker;
use crate::db::introspect::Asked;
use crate::db::token::Key;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::id::ClientId;
use crate::domain::token::TokenRecord;

/// The record of a live token that concerns this client: its own, or one for an audience that it serves. `None` says no more than
/// that the token is not good for anything here. The first look at a one-use token spends it.
pub fn introspect(
    service: &Service,
    conn: &mut Conn,
    at: At,
    credentials: &Credentials,
    token: &str,
) -> Result<Option<TokenRecord>, Stop> {
    // By what the token says of itself: whether that is so is found out below.
    let (kid, id) = signing::named_token(token).unzip();
    let hash;
    let wanted = if let Some(id) = id {
        Key::Id(id)
    } else {
        hash = hash_of(service, token);
        Key::Hash(&hash)
    };
    let asked = require_to_look(service, conn, at, credentials, wanted, kid.as_deref())?;
    let Asked { asker, about, has_rules } = asked;
    let (record, key) = about.read()?;
    let is_proven = |record: &TokenRecord| match id {
        None => true,
        Some(_) => key.is_some_and(|key| signed_by(service, token, &key) == Some(record.id)),
    };
    let record = record.filter(|record| record.is_live(at.now) && concerns(&asker, record));
    let Some(record) = record.filter(is_proven) else { return Ok(None) };
    let rules = if has_rules && record.login.is_some() { db::scope_rule::list(conn)? } else { Vec::new() };
    let record = narrowed(conn, at.now, record, &rules)?;
    if !record.one_use {
        return Ok(Some(record));
    }
    service.write(conn, at, |tx| {
        if !db::token::spend(tx.conn, record.id, tx.now)? {
            return Ok(None);
        }
        let subject = record.login.as_ref().map(|login| Subject::User(login.user));
        let detail = format!("token={}", record.id);
        tx.note(Event::done(Actor::Client(asker.id), Action::TokenSpent, subject).with(detail));
        Ok(Some(record))
    })
}

fn concerns(asker: &Asker, record: &TokenRecord) -> bool {
    // The console's own is in a cookie, and nobody's token.
    record.client != ClientId::CONSOLE
        && (record.client == asker.id || asker.audiences.contains(&record.audience))
}
