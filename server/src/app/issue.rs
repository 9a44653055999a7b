//! The last link of the chain check, spend, issue: a token, made of proof that somebody was authenticated.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::app::context::{Service, Stop, Tx};
use crate::crypto::keyed_hash::Purpose;
use crate::db;
use crate::db::factor::Spent;
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::client::{Client, TokenFormat};
use crate::domain::id::{FactorId, SessionId, TokenId, UserId};
use crate::domain::token::{AccessClaims, Amr, KeyState};
use crate::error::Fault;
use crate::random;

/// Why a token may be issued. There is no other way to get one.
pub enum Ground {
    /// A code was spent; with or without a password before it.
    Code(Spent, WithPassword),
    /// A password was right and the client's policy asks for no more.
    PasswordAlone(UserId),
    /// The client acts for itself.
    ClientItself,
}

/// Whether Countersign itself has seen the password that came before a code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WithPassword {
    /// It has.
    Seen,
    /// The client vouches for the first factor.
    Vouched,
}

/// What a token is good for.
pub struct Extent {
    /// What it may do, separated by blanks.
    pub scope: String,
    /// Who it is for.
    pub audience: String,
}

/// A token for the reply.
pub struct Issued {
    /// The token itself.
    pub access_token: Zeroizing<String>,
    /// Its lifetime in seconds.
    pub expires_in: i64,
    /// What it may do.
    pub scope: String,
}

/// Starts the session, records the token and writes it out. It is good once the transaction has committed.
pub fn issue(
    service: &Service,
    tx: &mut Tx<'_>,
    client: &Client,
    ground: Ground,
    extent: Extent,
) -> Result<Issued, Stop> {
    let now = tx.now;
    let policy = &client.policy;
    let expires_at = now.plus_seconds(policy.ttl_s());
    let login = match ground {
        Ground::Code(spent, WithPassword::Seen) => {
            Some((spent.user(), Some(spent.factor()), Amr::PasswordAndOtp))
        }
        Ground::Code(spent, WithPassword::Vouched) => Some((spent.user(), Some(spent.factor()), Amr::Otp)),
        Ground::PasswordAlone(user) => Some((user, None, Amr::Password)),
        Ground::ClientItself => None,
    };
    let session = login.as_ref().map(|_| SessionId::new(random::id(now)));
    if let (Some((user, factor, amr)), Some(id)) = (login, session) {
        let (client, ends_at) = (client.id, expires_at);
        db::session::insert(
            tx.conn,
            &db::session::New { id, user, client, factor, amr, started_at: now, ends_at },
        )?;
    }

    let id = TokenId::new(random::id(now));
    let (access_token, hash) = match policy.format() {
        TokenFormat::Jwt => {
            let stored = db::signing_key::find_in_state(tx.conn, KeyState::Current)?
                .ok_or(Fault::Corrupt { what: "current signing key" })?;
            let claims = AccessClaims {
                iss: service.issuer.clone(),
                sub: login.map_or_else(|| client.id.to_string(), |(user, _, _)| user.to_string()),
                aud: extent.audience.clone(),
                client_id: client.id.to_string(),
                iat: now.unix_seconds(),
                exp: expires_at.unix_seconds(),
                jti: id.to_string(),
                scope: extent.scope.clone(),
                auth_time: login.map(|_| now.unix_seconds()),
                amr: login.map(|(_, _, amr)| amr.as_str().split(' ').map(str::to_owned).collect()),
                sid: session.map(|session| session.to_string()),
            };
            (Zeroizing::new(service.signing_key(&stored)?.sign(&claims)?), None)
        }
        TokenFormat::Opaque => {
            let token =
                Zeroizing::new(format!("cst_{}", URL_SAFE_NO_PAD.encode(random::bytes::<32>().as_slice())));
            let hash = service.hasher.hash(Purpose::AccessToken, &[token.as_bytes()]);
            (token, Some(hash))
        }
    };
    db::token::insert(
        tx.conn,
        &db::token::New {
            id,
            session,
            client: client.id,
            hash: hash.as_ref().map(<[u8; 32]>::as_slice),
            audience: &extent.audience,
            scope: &extent.scope,
            issued_at: now,
            expires_at,
            one_use: policy.one_use(),
        },
    )?;
    tx.note(issued_event(client, login, id));
    Ok(Issued { access_token, expires_in: policy.ttl_s(), scope: extent.scope })
}

fn issued_event(client: &Client, login: Option<(UserId, Option<FactorId>, Amr)>, id: TokenId) -> Event {
    let subject = login.map(|(user, _, _)| Subject::User(user));
    let detail = match login {
        None => format!("token={id}"),
        Some((_, factor, amr)) => {
            let amr = amr.as_str().replace(' ', ",");
            let factor = factor.map_or_else(String::new, |factor| format!(" factor={factor}"));
            format!("token={id} amr={amr}{factor}")
        }
    };
    Event::done(Actor::Client(client.id), Action::TokenIssued, subject).with(detail)
}
