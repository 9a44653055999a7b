//! Signing keys: listing, publishing and rotating them.

use std::cmp::Reverse;

use jsonwebtoken::jwk::JwkSet;

use crate::app::context::{At, Service, Stop, Tx};
use crate::crypto::seal::Place;
use crate::crypto::signing::{self, NewKey};
pub use crate::db::signing_key::StoredKey;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::client::MAX_TOKEN_TTL_S;
use crate::domain::refusal::Refusal;
use crate::domain::scope::OPENID;
use crate::domain::time::Timestamp;
use crate::domain::token::{KeyState, RevocationKind, SigningAlgorithm};
use crate::error::Fault;

/// How long a key is listed before it signs on schedule, in seconds: twice as long as anybody may keep the list.
const PUBLISHED_BEFORE_USE_S: i64 = 600;

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
            let kid = add(service, tx, state, SigningAlgorithm::EdDsa)?;
            let event = Event::done(Actor::System, Action::SigningKeyMade, Subject::SigningKey(kid));
            tx.note(event.with(format!("state={state}")));
        }
        Ok(())
    })
}

/// Makes sure that there is a key to sign ID tokens with. To make one takes tens of milliseconds, so it is done before the transaction.
pub fn ensure_for_id_tokens(service: &Service, conn: &mut Conn, at: At) -> Result<(), Stop> {
    if db::id_token_key::current(conn)?.is_some() {
        return Ok(());
    }
    let new = signing::generate(SigningAlgorithm::Rs256)?;
    service.write(conn, at, |tx| {
        db::signing_key::lock(tx.conn)?;
        // Once more behind the lock: another one may have been faster.
        if db::id_token_key::current(tx.conn)?.is_none() {
            add_for_id_tokens(service, tx, Actor::System, new)?;
        }
        Ok(())
    })
}

/// The same where these scopes bring an ID token.
pub fn ensure_for_id_tokens_of(service: &Service, conn: &mut Conn, at: At, scope: &str) -> Result<(), Stop> {
    if scope.split(' ').any(|scope| scope == OPENID) {
        ensure_for_id_tokens(service, conn, at)?;
    }
    Ok(())
}

fn add_for_id_tokens(service: &Service, tx: &mut Tx<'_>, actor: Actor, new: NewKey) -> Result<(), Fault> {
    let sealed = tx.seal(service, Place::id_token_key(&new.kid), &new.private)?;
    db::id_token_key::insert(tx.conn, &new.kid, &sealed, &new.public, tx.now)?;
    tx.note(Event::done(actor, Action::SigningKeyMade, Subject::SigningKey(new.kid)).with("for=id_tokens"));
    Ok(())
}

/// The key that signs ID tokens: the youngest that everybody has had the time to learn of, or else the oldest.
pub fn of_id_tokens(conn: &mut Conn, now: Timestamp) -> Result<Option<StoredKey>, Fault> {
    let mut keys = db::id_token_key::list(conn)?;
    keys.retain(|key| is_published(key, now));
    // Of two of one moment the one that was retired is the older one.
    keys.sort_by_key(|key| (Reverse(key.created_at.millis()), key.retired_at.is_some()));
    let is_known = |key: &StoredKey| key.created_at.plus_seconds(PUBLISHED_BEFORE_USE_S) <= now;
    Ok(match keys.iter().position(is_known) {
        Some(which) => Some(keys.swap_remove(which)),
        None => keys.pop(),
    })
}

/// All keys, those of ID tokens too, the youngest first.
pub fn all(conn: &mut Conn) -> Result<Vec<StoredKey>, Fault> {
    let mut keys = db::signing_key::list(conn)?;
    keys.extend(db::id_token_key::list(conn)?);
    keys.sort_by(|one, other| order(one).cmp(&order(other)));
    Ok(keys)
}

fn order(key: &StoredKey) -> (Reverse<i64>, &str) {
    (Reverse(key.created_at.millis()), &key.kid)
}

/// The same as a use case of its own.
pub fn list(conn: &mut Conn) -> Result<Vec<StoredKey>, Stop> {
    Ok(all(conn)?)
}

/// A page of keys, the youngest first: those made before a time, and of those made at it the ones with a name after one.
pub fn page(conn: &mut Conn, (made_at, kid): (Timestamp, &str), limit: i64) -> Result<Vec<StoredKey>, Stop> {
    let mut keys = all(conn)?;
    keys.retain(|key| order(key) > (Reverse(made_at.millis()), kid));
    keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(keys)
}

/// What `/.well-known/jwks.json` says: every key that may sign soon, signs, or has signed a token that may still live; none that was
/// revoked.
pub fn published(conn: &mut Conn, now: Timestamp) -> Result<JwkSet, Stop> {
    let mut keys = Vec::new();
    for key in all(conn)? {
        if is_published(&key, now) {
            keys.push(signing::public_jwk(key.algorithm, &key.public_key, Some(&key.kid))?);
        }
    }
    Ok(JwkSet { keys })
}

/// The key of this name, or the one that signs now; none that was revoked.
pub fn find(conn: &mut Conn, kid: Option<&str>) -> Result<StoredKey, Stop> {
    let found = match kid {
        Some(kid) => all(conn)?.into_iter().find(|key| key.kid == kid),
        None => db::signing_key::find_in_state(conn, KeyState::Current)?,
    };
    let found = found.filter(|key| key.state != KeyState::Revoked);
    Ok(found.ok_or(Refusal::NotFound { what: "signing key" })?)
}

/// Whether whoever checks tokens alone takes what this key signed.
pub fn is_published(key: &StoredKey, now: Timestamp) -> bool {
    let is_over = key.retired_at.is_some_and(|at| at.plus_seconds(MAX_TOKEN_TTL_S) <= now);
    key.state != KeyState::Revoked && !is_over
}

/// The next key becomes current, the current one is retired, and a new next one is made, by `algorithm` or else by that of the one
/// before it. Tokens that the retired key has signed stay valid. Returns the name of the key that signs now.
pub fn rotate(
    service: &Service,
    conn: &mut Conn,
    at: At,
    algorithm: Option<SigningAlgorithm>,
) -> Result<String, Stop> {
    let for_id_tokens = successor_for_id_tokens(conn)?;
    service.write(conn, at, |tx| {
        db::signing_key::lock(tx.conn)?;
        renew_for_id_tokens(service, tx, tx.origin.manager, for_id_tokens)?;
        advance(service, tx, tx.origin.manager, algorithm)
    })
}

/// The same unless the next key is so young that not everybody knows it yet; then nothing is done.
pub fn rotate_to_known(
    service: &Service,
    conn: &mut Conn,
    at: At,
    algorithm: Option<SigningAlgorithm>,
) -> Result<Option<String>, Stop> {
    if !is_next_known(conn, at.now)? {
        return Ok(None);
    }
    let for_id_tokens = successor_for_id_tokens(conn)?;
    service.write(conn, at, |tx| {
        db::signing_key::lock(tx.conn)?;
        // Once more behind the lock: of two who press at once, one is told.
        if !is_next_known(tx.conn, tx.now)? {
            return Ok(None);
        }
        renew_for_id_tokens(service, tx, tx.origin.manager, for_id_tokens)?;
        advance(service, tx, tx.origin.manager, algorithm).map(Some)
    })
}

fn is_next_known(conn: &mut Conn, now: Timestamp) -> Result<bool, Fault> {
    let next = db::signing_key::find_in_state(conn, KeyState::Next)?;
    Ok(next.is_none_or(|key| key.created_at.plus_seconds(PUBLISHED_BEFORE_USE_S) <= now))
}

/// The key that shall sign ID tokens after the one that does, where one does.
fn successor_for_id_tokens(conn: &mut Conn) -> Result<Option<NewKey>, Fault> {
    let current = db::id_token_key::current(conn)?;
    current.map(|_| signing::generate(SigningAlgorithm::Rs256)).transpose()
}

fn renew_for_id_tokens(
    service: &Service,
    tx: &mut Tx<'_>,
    actor: Actor,
    new: Option<NewKey>,
) -> Result<(), Fault> {
    let Some(new) = new else { return Ok(()) };
    db::id_token_key::retire(tx.conn, tx.now)?;
    add_for_id_tokens(service, tx, actor, new)
}

/// Which keys somebody else may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Leaked {
    /// Those that sign: one for access tokens, one for ID tokens.
    Current,
    /// Those of these names, in whatever state.
    These(Vec<String>),
    /// All: whoever has the database and the master key has every key, the next one too.
    All,
}

impl Leaked {
    fn has(&self, key: &StoredKey) -> bool {
        match self {
            Self::Current => key.state == KeyState::Current,
            Self::These(kids) => kids.contains(&key.kid),
            Self::All => true,
        }
    }
}

/// In an emergency: these keys and everything that they signed are good no more, on every server at once, and whoever checks alone
/// learns it from the list of revocations. In the place of the current one the next one signs from now on, or a new one where that is
/// revoked, too. Returns the name of the key that signs, and those of the keys that were not revoked before.
pub fn revoke(
    service: &Service,
    conn: &mut Conn,
    at: At,
    leaked: &Leaked,
) -> Result<(String, Vec<String>), Stop> {
    service.write(conn, at, |tx| revoke_in(service, tx, leaked))
}

/// The same within a transaction.
pub fn revoke_in(service: &Service, tx: &mut Tx<'_>, leaked: &Leaked) -> Result<(String, Vec<String>), Stop> {
    db::signing_key::lock(tx.conn)?;
    let keys = all(tx.conn)?;
    if let Leaked::These(kids) = leaked
        && !kids.iter().all(|kid| keys.iter().any(|key| key.kid == *kid))
    {
        return Err(Refusal::NotFound { what: "signing key" }.into());
    }
    let algorithm = keys.iter().find(|key| key.state == KeyState::Next).map(|key| key.algorithm);
    let mut revoked = Vec::new();
    for key in keys.into_iter().filter(|key| key.state != KeyState::Revoked && leaked.has(key)) {
        match key.algorithm {
            SigningAlgorithm::EdDsa | SigningAlgorithm::Es256 => {
                db::signing_key::revoke(tx.conn, &key.kid, tx.now)?;
            }
            // The next ID token makes another.
            SigningAlgorithm::Rs256 => db::id_token_key::revoke(tx.conn, &key.kid, tx.now)?,
        }
        tx.revoked(RevocationKind::Key, key.kid.clone(), tx.now.plus_seconds(MAX_TOKEN_TTL_S));
        let subject = Subject::SigningKey(key.kid.clone());
        tx.note(Event::done(tx.origin.manager, Action::SigningKeyRevoked, subject));
        revoked.push(key.kid);
    }
    Ok((replace(service, tx, algorithm)?, revoked))
}

/// Puts keys in the places of those that were just revoked; returns the name of the one that signs.
fn replace(service: &Service, tx: &mut Tx<'_>, algorithm: Option<SigningAlgorithm>) -> Result<String, Stop> {
    let Some(current) = db::signing_key::find_in_state(tx.conn, KeyState::Current)? else {
        return advance(service, tx, tx.origin.manager, algorithm);
    };
    if db::signing_key::find_in_state(tx.conn, KeyState::Next)?.is_none() {
        let kid = add(service, tx, KeyState::Next, algorithm.unwrap_or(current.algorithm))?;
        let event = Event::done(tx.origin.manager, Action::SigningKeyMade, Subject::SigningKey(kid));
        tx.note(event.with(format!("state={}", KeyState::Next)));
    }
    Ok(current.kid)
}

/// Rotates where the current key has signed for long enough, and everybody had the time to learn of the next one.
pub fn rotate_if_due(service: &Service, conn: &mut Conn, at: At) -> Result<(), Stop> {
    let Some(age_s) = service.key_age_s else { return Ok(()) };
    let due = |conn: &mut Conn| -> Result<bool, Fault> {
        let current = db::signing_key::find_in_state(conn, KeyState::Current)?;
        let next = db::signing_key::find_in_state(conn, KeyState::Next)?;
        let old = |since: Timestamp, age_s: i64| since.plus_seconds(age_s) <= at.now;
        Ok(current.and_then(|key| key.activated_at).is_some_and(|since| old(since, age_s))
            && next.is_some_and(|key| old(key.created_at, PUBLISHED_BEFORE_USE_S)))
    };
    if !due(conn)? {
        return Ok(());
    }
    let for_id_tokens = successor_for_id_tokens(conn)?;
    service.write(conn, at, |tx| {
        db::signing_key::lock(tx.conn)?;
        // Once more behind the lock: another server may have been faster.
        if due(tx.conn)? {
            renew_for_id_tokens(service, tx, Actor::System, for_id_tokens)?;
            advance(service, tx, Actor::System, None)?;
        }
        Ok(())
    })
}

fn advance(
    service: &Service,
    tx: &mut Tx<'_>,
    actor: Actor,
    algorithm: Option<SigningAlgorithm>,
) -> Result<String, Stop> {
    let before = db::signing_key::find_in_state(tx.conn, KeyState::Next)?.map(|key| key.algorithm);
    let algorithm = algorithm.or(before).unwrap_or(SigningAlgorithm::EdDsa);
    db::signing_key::advance(tx.conn, tx.now)?;
    let next = add(service, tx, KeyState::Next, algorithm)?;
    let current = match db::signing_key::find_in_state(tx.conn, KeyState::Current)? {
        Some(key) => key.kid,
        None => add(service, tx, KeyState::Current, algorithm)?,
    };
    let subject = Subject::SigningKey(current.clone());
    tx.note(Event::done(actor, Action::SigningKeyRotated, subject).with(format!("next={next}")));
    Ok(current)
}

/// Makes, seals and stores a signing key; returns its name.
fn add(
    service: &Service,
    tx: &mut Tx<'_>,
    state: KeyState,
    algorithm: SigningAlgorithm,
) -> Result<String, Fault> {
    let new = signing::generate(algorithm)?;
    let sealed = tx.seal(service, Place::signing_key(&new.kid), &new.private)?;
    let now = tx.now;
    db::signing_key::insert(
        tx.conn,
        &StoredKey {
            kid: new.kid.clone(),
            algorithm,
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
