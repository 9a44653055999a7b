//! The signed list of what was revoked, for whoever checks JWTs without asking.

use crate::app::context::{Service, Stop};
use crate::db::{self, Conn};
use crate::domain::time::Timestamp;
use crate::domain::token::{
    Cursor, KeyState, REVOCATIONS_TTL_S, REVOCATIONS_TYPE, RevocationClaims, RevocationKind,
};
use crate::error::Fault;

/// What was revoked after the cursor `since`, as a JWS. A cursor that this database never gave, as after a restore, gets the whole list.
pub fn list(service: &Service, conn: &mut Conn, now: Timestamp, since: i64) -> Result<String, Stop> {
    // The head first: whatever is committed after it has a higher number.
    let (head, hash) = db::audit::head(conn)?;
    let until = Cursor::after(head, &hash);
    let since = Cursor::from_number(since);
    // A number alone would not do: the log may have grown past it again, along another way.
    let is_ours = since == until
        || since.seq() < head
            && db::audit::find(conn, since.seq())?
                .is_some_and(|entry| Cursor::after(entry.seq, &entry.hash) == since);
    let since = if is_ours { since } else { Cursor::START };
    let mut claims = RevocationClaims {
        iss: service.issuer.clone(),
        iat: now.unix_seconds(),
        exp: now.plus_seconds(REVOCATIONS_TTL_S).unix_seconds(),
        since: since.number(),
        until: until.number(),
        tokens: Vec::new(),
        sessions: Vec::new(),
        keys: Vec::new(),
    };
    for one in db::revocation::between(conn, since.seq(), head, now)? {
        let entries = match one.kind {
            RevocationKind::Token => &mut claims.tokens,
            RevocationKind::Session => &mut claims.sessions,
            RevocationKind::Key => &mut claims.keys,
        };
        // Rounded up: a token must not come back to life in its last second.
        entries.push((one.id, one.expires_at.plus_seconds(1).unix_seconds()));
    }
    let key = db::signing_key::find_in_state(conn, KeyState::Current)?
        .ok_or(Fault::Corrupt { what: "current signing key" })?;
    Ok(service.signing_key(&key)?.sign_as(REVOCATIONS_TYPE, &claims)?)
}
