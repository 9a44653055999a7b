//! The end of all that hangs on an application, a bounded number of logins at a time, so that logins elsewhere go on.
//!
//! 1. The application is disabled, and with that ends what one transaction may end ([`disable`]). From its commit on it gets nothing, and whoever asks
//!    the server hears that its tokens are over.
//! 2. What is left ends in transactions of their own ([`end_rest`]), each with an entry of the log, on which the revocations hang. Nothing comes to it
//!    any more, so that is done once.
//! 3. Where the application is removed its rows go in the same way ([`delete_rest`]), and then itself.
//!
//! Whoever was interrupted asks again; until all has ended the application is not enabled.

use crate::app::context::{At, Service, Stop, Tx};
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Event, Subject};
use crate::domain::client::ClientState;
use crate::domain::id::{ClientId, SessionId, TokenId};
use crate::domain::token::RevocationKind;
use crate::error::Fault;

/// How many logins, and as many of its own tokens, one transaction ends or deletes: so few that others hardly notice the wait.
const TOGETHER: usize = 500;

/// How many are looked up in one go.
const LOOK: usize = 100_000;

/// What is live of a client: logins at it, and tokens that it got for itself. At most so many of each.
struct Live {
    sessions: Vec<SessionId>,
    tokens: Vec<TokenId>,
}

impl Live {
    fn find(conn: &mut Conn, at: At, client: ClientId, most: usize) -> Result<Self, Fault> {
        Ok(Self {
            sessions: db::session::live_at(conn, client, at.now, most)?,
            tokens: db::token::live_own(conn, client, at.now, most)?,
        })
    }

    fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.tokens.is_empty()
    }
}

/// Ends those of them that have not ended meanwhile; returns how many that were.
fn end(tx: &mut Tx<'_>, sessions: &[SessionId], tokens: &[TokenId]) -> Result<usize, Fault> {
    let ended = tx.end_these_sessions(sessions)?;
    let revoked = db::token::revoke_own(tx.conn, tokens, tx.now)?;
    for (token, expires_at) in revoked.jwts {
        tx.revoked(RevocationKind::Token, token.to_string(), expires_at);
    }
    Ok(ended + revoked.number)
}

/// Disables a client and ends the first of what is live of it. It is held first: whoever is getting a token has got it by the time they are looked
/// up, or gets none.
pub(super) fn disable(tx: &mut Tx<'_>, client: ClientId) -> Result<(), Fault> {
    db::hold::hold_alone(tx.conn, client)?;
    db::client::set_state(tx.conn, client, ClientState::Disabled)?;
    let first = Live::find(tx.conn, tx.at(), client, TOGETHER)?;
    end(tx, &first.sessions, &first.tokens)?;
    Ok(())
}

/// Whether anything of a client is live.
pub(super) fn is_any_live(tx: &mut Tx<'_>, client: ClientId) -> Result<bool, Fault> {
    Ok(!Live::find(tx.conn, tx.at(), client, 1)?.is_empty())
}

/// Ends what is still live of a client that is disabled. Whoever asked was allowed to when it was, and need not be any more.
pub(super) fn end_rest(service: &Service, conn: &mut Conn, at: At, client: ClientId) -> Result<(), Stop> {
    let at = At { warrant: None, ..at };
    loop {
        let rest = Live::find(conn, at, client, LOOK)?;
        if rest.is_empty() {
            return Ok(());
        }
        let (mut sessions, mut tokens) = (rest.sessions.chunks(TOGETHER), rest.tokens.chunks(TOGETHER));
        loop {
            let (sessions, tokens) = (sessions.next().unwrap_or_default(), tokens.next().unwrap_or_default());
            if sessions.is_empty() && tokens.is_empty() {
                break;
            }
            service.write(conn, at, |tx| {
                let ended = end(tx, sessions, tokens)?;
                let event = Event::done(tx.origin.manager, Action::ClientDisabled, Subject::Client(client));
                tx.note(event.with(format!("further={ended}")));
                Ok(())
            })?;
        }
    }
}

/// Deletes some of a client's logins and own tokens, which have ended; returns whether none is left.
pub(super) fn delete_some(tx: &mut Tx<'_>, client: ClientId) -> Result<bool, Fault> {
    let sessions = db::session::delete_at(tx.conn, client, TOGETHER)?;
    let tokens = db::token::delete_own(tx.conn, client, TOGETHER)?;
    Ok(sessions < TOGETHER && tokens < TOGETHER)
}

/// Deletes what is left of them.
pub(super) fn delete_rest(service: &Service, conn: &mut Conn, at: At, client: ClientId) -> Result<(), Stop> {
    let at = At { warrant: None, ..at };
    while !service.write(conn, at, |tx| Ok(delete_some(tx, client)?))? {}
    Ok(())
}
