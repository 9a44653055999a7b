//! The end of all that hangs on an application, a bounded number of logins at a time, so that logins elsewhere go on.
//!
//! 1. The application is disabled, and with that ends what one transaction may end (`disable`). From its commit on it gets nothing, and whoever asks
//!    the server hears that its tokens are over.
//! 2. What is left ends in transactions of their own (`end_rest`), each with an entry of the log, on which the revocations hang. Each holds the
//!    application, and none is for one that was enabled meanwhile.
//! 3. Where the application is removed, what has ended is deleted in the same way (`delete_rest`), and then the application itself.
//!
//! What was interrupted is finished by whoever asks again, by housekeeping (`finish`), and before the application is enabled.

use std::thread;
use std::time::{Duration, Instant};

use crate::app::context::{At, Service, Stop, Tx, each};
use crate::clock::moment;
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Origin, Subject};
use crate::domain::client::ClientState;
use crate::domain::id::{ClientId, SessionId, TokenId};
use crate::domain::token::RevocationKind;
use crate::error::Fault;

/// How many logins, and as many of its own tokens, one transaction ends or deletes: so few that others hardly notice the wait.
const TOGETHER: usize = 500;

/// How many are looked up in one go.
const LOOK: usize = 100_000;

/// No rest between two transactions is longer.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Logins at a client, and tokens that it got for itself.
struct Batch {
    sessions: Vec<SessionId>,
    tokens: Vec<TokenId>,
}

impl Batch {
    /// Live ones, at most so many of each.
    fn live(conn: &mut Conn, at: At, client: ClientId, most: usize) -> Result<Self, Fault> {
        Ok(Self {
            sessions: db::session::live_at(conn, client, at.now, most)?,
            tokens: db::token::live_own(conn, client, at.now, most)?,
        })
    }

    /// Such as have ended, which nothing makes live again.
    fn ended(conn: &mut Conn, at: At, client: ClientId, most: usize) -> Result<Self, Fault> {
        Ok(Self {
            sessions: db::session::ended_at(conn, client, at.now, most)?,
            tokens: db::token::ended_own(conn, client, at.now, most)?,
        })
    }

    fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.tokens.is_empty()
    }

    /// As many as one transaction takes, until all were taken.
    fn pieces(&self) -> impl Iterator<Item = (&[SessionId], &[TokenId])> {
        let (mut sessions, mut tokens) = (self.sessions.chunks(TOGETHER), self.tokens.chunks(TOGETHER));
        std::iter::from_fn(move || {
            let piece = (sessions.next().unwrap_or_default(), tokens.next().unwrap_or_default());
            (!piece.0.is_empty() || !piece.1.is_empty()).then_some(piece)
        })
    }
}

/// Ends those of them that have not ended meanwhile; returns how many that were.
fn end(tx: &mut Tx<'_>, sessions: &[SessionId], tokens: &[TokenId]) -> Result<usize, Fault> {
    let ended = tx.end_sessions(Which::These(sessions))?;
    let revoked = db::token::revoke_own(tx.conn, tokens, tx.now)?;
    for (token, expires_at) in revoked.jwts {
        tx.revoked(RevocationKind::Token, token.to_string(), expires_at);
    }
    Ok(ended + revoked.number)
}

/// Rests for as long as a transaction took that began then. A server is not in line with a command, which is another process: on SQLite it looks again and
/// again whether it may write, and would find the file taken each time.
fn let_others(begun: Instant) {
    thread::sleep(begun.elapsed().min(LONGEST_REST));
}

/// Disables a client that is held, and ends the first of what is live of it.
pub(super) fn disable(tx: &mut Tx<'_>, client: ClientId) -> Result<(), Fault> {
    db::client::set_state(tx.conn, client, ClientState::Disabled)?;
    let first = Batch::live(tx.conn, tx.at(), client, TOGETHER)?;
    end(tx, &first.sessions, &first.tokens)?;
    Ok(())
}

/// Whether anything of a client is live.
pub(super) fn is_any_live(tx: &mut Tx<'_>, client: ClientId) -> Result<bool, Fault> {
    Ok(!Batch::live(tx.conn, tx.at(), client, 1)?.is_empty())
}

/// Does `each` to a piece of what `find` finds, one after the other until nothing is left, or `each` says that it is enough.
fn piece_by_piece(
    conn: &mut Conn,
    find: impl Fn(&mut Conn) -> Result<Batch, Fault>,
    each: impl Fn(&mut Conn, &[SessionId], &[TokenId]) -> Result<bool, Stop>,
) -> Result<(), Stop> {
    loop {
        let batch = find(conn)?;
        if batch.is_empty() {
            return Ok(());
        }
        for (sessions, tokens) in batch.pieces() {
            let begun = moment();
            if !each(conn, sessions, tokens)? {
                return Ok(());
            }
            let_others(begun);
        }
    }
}

/// Ends what is still live of a client, as long as it is disabled. Whoever asked was allowed to when it was, and need not be any more.
pub(super) fn end_rest(service: &Service, conn: &mut Conn, at: At, client: ClientId) -> Result<(), Stop> {
    end_while(service, conn, at, client, || true)
}

/// The same while `goes_on` says so after each piece.
fn end_while(
    service: &Service,
    conn: &mut Conn,
    at: At,
    client: ClientId,
    goes_on: impl Fn() -> bool,
) -> Result<(), Stop> {
    let at = At { warrant: None, ..at };
    let end_piece = |tx: &mut Tx<'_>, sessions: &[SessionId], tokens: &[TokenId]| {
        db::hold::hold_alone(tx.conn, client)?;
        let found = db::client::find_with_secret(tx.conn, client)?;
        if !found.is_some_and(|(client, _)| client.state == ClientState::Disabled) {
            return Ok(false);
        }
        let ended = end(tx, sessions, tokens)?;
        // Somebody else may be at it, too.
        if ended > 0 {
            let event = Event::done(tx.origin.manager, Action::ClientDisabled, Subject::Client(client));
            tx.note(event.with(format!("further={ended}")));
        }
        Ok(true)
    };
    piece_by_piece(
        conn,
        |conn| Batch::live(conn, at, client, LOOK),
        |conn, sessions, tokens| {
            Ok(service.write(conn, at, |tx| end_piece(tx, sessions, tokens))? && goes_on())
        },
    )
}

/// Ends what is still live of clients that are disabled: whoever did that was interrupted. `rest` lets others have their turn and says whether to go
/// on. What cannot be read of one client does not keep the others waiting; returns what that was.
pub fn finish(service: &Service, conn: &mut Conn, at: At, rest: impl Fn() -> bool) -> Vec<Stop> {
    let at = At { origin: Origin { manager: Actor::System, ..at.origin }, ..at };
    match db::client::disabled(conn) {
        Ok(disabled) => each(disabled, &rest, |client| end_while(service, conn, at, client, &rest)),
        Err(fault) => vec![fault.into()],
    }
}

/// Deletes some of what has ended of a client; returns whether that was all.
pub(super) fn delete_some(tx: &mut Tx<'_>, client: ClientId) -> Result<bool, Fault> {
    let some = Batch::ended(tx.conn, tx.at(), client, TOGETHER)?;
    let is_all = delete(tx.conn, &some.sessions, &some.tokens)?;
    Ok(is_all && some.sessions.len() < TOGETHER && some.tokens.len() < TOGETHER)
}

/// Deletes them, or some of them where the sessions have very many tokens; returns whether that was all.
fn delete(conn: &mut Conn, sessions: &[SessionId], tokens: &[TokenId]) -> Result<bool, Fault> {
    db::token::delete_these(conn, tokens)?;
    db::session::delete_some(conn, sessions)
}

/// Deletes all that has ended of a client.
pub(super) fn delete_rest(service: &Service, conn: &mut Conn, at: At, client: ClientId) -> Result<(), Stop> {
    piece_by_piece(
        conn,
        |conn| Batch::ended(conn, at, client, LOOK),
        |conn, sessions, tokens| {
            loop {
                let begun = moment();
                if service.write_in_turn(conn, |conn| delete(conn, sessions, tokens))? {
                    return Ok(true);
                }
                let_others(begun);
            }
        },
    )
}
