//! A name and a password: the first factor. Leads to a code, or to enrolment, or, where a client's policy allows it, to a token.
//!
//! Failures are counted before the password is hashed and taken back when it was right, so that requests in parallel buy no tries.

use zeroize::Zeroizing;

use crate::app::bearer::hand_out_pass;
use crate::app::client_auth::{Asker, hold, require_asker};
use crate::app::context::{At, Service, Stop};
use crate::app::issue::{Extent, Ground, Issued, issue};
use crate::crypto;
use crate::crypto::keyed_hash::Purpose;
use crate::db::lockout::Gate;
use crate::db::mfa_token::MfaToken;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Origin, Subject};
use crate::domain::authorization::Details;
use crate::domain::client::{Client, Grant, SecondFactor};
use crate::domain::factor::FactorState;
use crate::domain::id::ClientId;
use crate::domain::lockout::{self, PASSWORDS_OF_ADDRESS};
use crate::domain::password::Password;
use crate::domain::refusal::Refusal;
use crate::domain::scope::Scopes;
use crate::domain::token::MFA_TOKEN_TTL_S;
use crate::domain::user::{User, UserName, UserState};

/// What is asked for.
pub struct PasswordRequest {
    /// The name.
    pub username: UserName,
    /// The password.
    pub password: Password,
    /// What the token shall do.
    pub scope: Option<Scopes>,
    /// Who it shall be for.
    pub audience: Option<String>,
    /// What it shall do in detail.
    pub details: Details,
    /// The console: the mark of a browser that its user trusts.
    pub trusted_device: Option<Zeroizing<String>>,
}

/// What a right password leads to.
pub enum Entry<Token = Issued> {
    /// A code is needed, or first an enrolment. The token is good for either.
    MfaRequired(Zeroizing<String>),
    /// This client's users need no more.
    Token(Token),
}

/// What the first transaction found out, for the second.
struct Attempt {
    client: Client,
    user: Option<User>,
    extent: Extent,
    buckets: Buckets,
    trusted_device: Option<[u8; 32]>,
}

/// The two counters of a try, by keyed hash.
struct Buckets {
    user: [u8; 32],
    address: [u8; 32],
}

/// `password`. Takes as long as Argon2 takes: the caller bounds how many run at once.
pub fn password(
    service: &Service,
    conn: &mut Conn,
    at: At,
    asker: Asker<'_>,
    request: &PasswordRequest,
) -> Result<Entry, Stop> {
    let client = require_asker(service, conn, at, asker)?;
    client.must_have(Grant::Password)?;
    let attempt = begin(service, conn, at, client, request)?;
    let stored = attempt.user.as_ref().and_then(|user| user.password_hash.as_deref());
    let matches = crypto::password::matches(&request.password, stored)?;
    finish(service, conn, at, attempt, matches)
}

fn begin(
    service: &Service,
    conn: &mut Conn,
    at: At,
    client: Client,
    request: &PasswordRequest,
) -> Result<Attempt, Stop> {
    let scope = client.scopes.for_user(request.scope.as_ref());
    let audience = request.audience.as_deref();
    let extent = Extent::asked(&client, &service.issuer, &request.details, scope, audience)?;
    let buckets = Buckets::of(service, &request.username, &at.origin);
    let closed =
        |until| Stop::from(Refusal::TooManyAttempts { retry_after_s: lockout::retry_after_s(until, at.now) });
    // First without a transaction: who has to wait anyway takes no writer's turn, however often.
    for gate in [
        db::lockout::look_at_bucket(conn, &buckets.address, PASSWORDS_OF_ADDRESS, at.now)?,
        db::lockout::look(conn, &buckets.user, at.now)?,
    ] {
        if let Gate::Closed(until) = gate {
            return Err(closed(until));
        }
    }
    service.write(conn, at, |tx| {
        let now = tx.now;
        // The address before the user, here and in `finish`, so that no two tries wait for each other.
        if let Gate::Closed(until) = db::lockout::pour(tx.conn, &buckets.address, PASSWORDS_OF_ADDRESS, now)?
        {
            return Err(closed(until));
        }
        if let Gate::Closed(until) = db::lockout::pass(tx.conn, &buckets.user, now)? {
            db::lockout::scoop(tx.conn, &buckets.address, PASSWORDS_OF_ADDRESS)?;
            return Err(closed(until));
        }
        db::lockout::fail(tx.conn, &buckets.user, |failures| {
            lockout::passwords_blocked_until(failures, now)
        })?;
        let user = db::user::find_by_name(tx.conn, &request.username)?;
        let trusted_device = request.trusted_device.as_ref();
        let trusted_device =
            trusted_device.map(|token| service.hasher.hash(Purpose::TrustedDevice, &[token.as_bytes()]));
        Ok(Attempt { client, user, extent, buckets, trusted_device })
    })
}

fn finish(
    service: &Service,
    conn: &mut Conn,
    at: At,
    attempt: Attempt,
    matches: bool,
) -> Result<Entry, Stop> {
    let Attempt { client, user, extent, buckets, trusted_device } = attempt;
    let entry = service.write(conn, at, |tx| {
        let actor = Actor::Client(client.id);
        let Some(user) = user.filter(|_| matches) else {
            // Names that belong to nobody stay out of the log: people type passwords into name fields.
            tx.note(Event::refused(actor, Action::PasswordChecked, None, "wrong"));
            return Err(Refusal::InvalidGrant.into());
        };
        db::lockout::scoop(tx.conn, &buckets.address, PASSWORDS_OF_ADDRESS)?;
        db::lockout::clear(tx.conn, &buckets.user)?;
        let client = hold(tx, client.id, Grant::Password)?;
        let extent = extent.still(&client, &service.issuer)?;
        let subject = Subject::User(user.id);
        // Once more, since hashing took a while: the user may have been removed or locked, or have another password.
        db::lockout::hold(tx.conn, user.id, tx.now)?;
        let found = db::user::find(tx.conn, user.id)?.filter(|found| found.state == UserState::Active);
        let Some(found) = found else {
            tx.note(Event::refused(actor, Action::PasswordChecked, subject, "user locked"));
            return Err(Refusal::TooManyAttempts { retry_after_s: lockout::INDEFINITE_RETRY_S }.into());
        };
        if found.password_hash != user.password_hash {
            tx.note(Event::refused(actor, Action::PasswordChecked, subject, "changed meanwhile"));
            return Err(Refusal::InvalidGrant.into());
        }
        let user = found;
        let has_factor =
            db::factor::list(tx.conn, user.id)?.iter().any(|factor| factor.state == FactorState::Active);
        tx.note(Event::done(actor, Action::PasswordChecked, subject));
        if client.second_factor == SecondFactor::Optional && !has_factor {
            return issue(service, tx, &client, Ground::PasswordAlone(user.id), &extent).map(Entry::Token);
        }
        if let Some(device) = &trusted_device
            && client.id == ClientId::CONSOLE
            && service.console.remember_device_s.is_some()
            && db::trusted_device::is_trusted(tx.conn, device, &user, tx.now)?
        {
            return issue(service, tx, &client, Ground::PasswordAlone(user.id), &extent).map(Entry::Token);
        }
        let pass = MfaToken {
            user: user.id,
            client: client.id,
            audience: extent.audience,
            scope: extent.scope.to_string(),
            details: extent.details,
            expires_at: tx.now.plus_seconds(MFA_TOKEN_TTL_S),
        };
        Ok(Entry::MfaRequired(hand_out_pass(service, tx, &pass)?))
    })?;
    Ok(match entry {
        Entry::MfaRequired(pass) => Entry::MfaRequired(pass),
        Entry::Token(recorded) => Entry::Token(recorded.sign()?),
    })
}

impl Buckets {
    fn of(service: &Service, name: &UserName, origin: &Origin) -> Self {
        let network = origin.network();
        let hash = |parts: &[&[u8]]| service.hasher.hash(Purpose::PasswordBucket, parts);
        Self { user: hash(&[name.folded().as_bytes(), &network]), address: hash(&[&network]) }
    }
}
