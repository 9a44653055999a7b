//! The signed list of what was revoked, for whoever checks JWTs without asking.

use crate::app::context::{Service, Stop};
use crate::db::{self, Conn};
use crate::domain::time::Timestamp;
use crate::domain::token::{
    Cursor, KeyState, REVOCATIONS_TTL_S, REVOCATIONS_TYPE, Revocation, RevocationClaims, RevocationKind,
};
use crate::error::Fault;

/// Who has missed more entries than this gets the whole list: it is made for everybody, and nobody has the server make a long one for them alone.
const LONGEST_NEWS: usize = 1000;

/// What somebody with a cursor gets.
pub enum News {
    /// What was revoked after it, as a JWS.
    List(String),
    /// The whole list, one that reaches further than what the reader knows.
    Whole {
        /// The reader's own cursor, or the start for one that this database never gave, as after a restore.
        known: Cursor,
    },
}

/// What was revoked after the cursor `since`.
pub fn news(service: &Service, conn: &mut Conn, now: Timestamp, since: Cursor) -> Result<News, Stop> {
    // The head first: whatever is committed after it has a higher number.
    let (head, hash) = db::audit::head(conn)?;
    let until = Cursor::after(head, &hash);
    // A number alone would not do: the log may have grown past it again, along another way.
    let is_ours = since == until
        || since.seq() < head
            && db::audit::find(conn, since.seq())?
                .is_some_and(|entry| Cursor::after(entry.seq, &entry.hash) == since);
    if !is_ours {
        return Ok(News::Whole { known: Cursor::START });
    }
    let Some(mut revoked) = db::revocation::at_most(conn, since.seq(), head, LONGEST_NEWS)? else {
        return Ok(News::Whole { known: since });
    };
    revoked.retain(|one| one.expires_at > now);
    Ok(News::List(sign(service, conn, now, since, until, revoked)?))
}

/// Everything that was revoked and still matters, as a JWS, and how far it reaches.
pub fn whole(service: &Service, conn: &mut Conn, now: Timestamp) -> Result<(String, Cursor), Stop> {
    let (head, hash) = db::audit::head(conn)?;
    let until = Cursor::after(head, &hash);
    let revoked = db::revocation::all(conn, head, now)?;
    Ok((sign(service, conn, now, Cursor::START, until, revoked)?, until))
}

fn sign(
    service: &Service,
    conn: &mut Conn,
    now: Timestamp,
    since: Cursor,
    until: Cursor,
    revoked: Vec<Revocation>,
) -> Result<String, Stop> {
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
    for one in revoked {
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
