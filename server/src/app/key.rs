//! Signing keys: listing, publishing and rotating them.

use jsonwebtoken::jwk::JwkSet;

use crate::app::context::{At, Service, Stop};
use crate::crypto::seal::Place;
use crate::crypto::signing;
use crate::db::signing_key::StoredKey;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::client::MAX_TOKEN_TTL_S;
use crate::domain::time::Timestamp;
use crate::domain::token::KeyState;
use crate::error::Fault;

/// Makes sure that there is a key to sign with and one to follow it. Servers that start at once make one pair.
pub fn ensure(service: &Service, conn: &mut Conn, at: At) -> Result<(), Stop> {
    let missing = |conn: &mut Conn| -> Result<Vec<KeyState>, Fault> {
        let mut missing = Vec::new();
        for state in [KeyState::Current, KeyState::Next] {
            if db::signing_key::find_in_state(conn, state)?.is_none() {
                missing.push(state);
            }
        }
        Ok(missing)
    };
    if missing(conn)?.is_empty() {
        return Ok(());
    }
    service.write(conn, at, |tx| {
        db::signing_key::lock(tx.conn)?;
        for state in missing(tx.conn)? {
            let kid = add(service, tx.conn, state, tx.now)?;
            let event = Event::done(Actor::System, Action::SigningKeyMade, Subject::SigningKey(kid));
            tx.note(event.with(format!("state={state}")));
        }
        Ok(())
    })
}

/// All keys, the youngest first.
pub fn list(conn: &mut Conn) -> Result<Vec<StoredKey>, Stop> {
    Ok(db::signing_key::list(conn)?)
}

/// What `/.well-known/jwks.json` says: every key that may sign soon, signs, or has signed a token that may still live.
pub fn published(conn: &mut Conn, now: Timestamp) -> Result<JwkSet, Stop> {
    let mut keys = Vec::new();
    for key in db::signing_key::list(conn)? {
        if key.retired_at.is_none_or(|at| now < at.plus_seconds(MAX_TOKEN_TTL_S)) {
            keys.push(signing::public_jwk(&key.public_key, Some(&key.kid))?);
        }
    }
    Ok(JwkSet { keys })
}

/// The next key becomes current, the current one is retired, and a new next one is made. Tokens that the retired key has signed stay
/// valid. Returns the name of the key that signs now.
pub fn rotate(service: &Service, conn: &mut Conn, at: At) -> Result<String, Stop> {
    service.write(conn, at, |tx| {
        db::signing_key::lock(tx.conn)?;
        db::signing_key::advance(tx.conn, tx.now)?;
        let next = add(service, tx.conn, KeyState::Next, tx.now)?;
        let current = match db::signing_key::find_in_state(tx.conn, KeyState::Current)? {
            Some(key) => key.kid,
            None => add(service, tx.conn, KeyState::Current, tx.now)?,
        };
        let subject = Subject::SigningKey(current.clone());
        let detail = format!("next={next}");
        tx.note(Event::done(Actor::Operator, Action::SigningKeyRotated, subject).with(detail));
        Ok(current)
    })
}

/// Makes, seals and stores a signing key; returns its name.
fn add(service: &Service, conn: &mut Conn, state: KeyState, now: Timestamp) -> Result<String, Fault> {
    let new = signing::generate()?;
    let sealed = service.sealer.seal(Place::signing_key(&new.kid), new.seed.as_slice())?;
    db::signing_key::insert(
        conn,
        &StoredKey {
            kid: new.kid.clone(),
            sealed,
            public_key: new.public,
            state,
            created_at: now,
            activated_at: (state == KeyState::Current).then_some(now),
            retired_at: None,
        },
    )?;
    Ok(new.kid)
}
