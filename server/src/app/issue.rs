//! The last link of the chain check, spend, issue: a token, made of proof that somebody was authenticated.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use zeroize::Zeroizing;

use crate::app::client_auth::Held;
use crate::app::context::{Service, Stop, Tx};
use crate::app::key::of_id_tokens;
use crate::app::outbox::queue;
use crate::app::profile::profile;
use crate::crypto::keyed_hash::Purpose;
use crate::crypto::signing::{self, ID_TOKEN_TYPE, SigningKey};
use crate::db;
use crate::db::authorization_code::Authorized;
use crate::db::factor::Spent;
use crate::db::known_device::Known;
use crate::db::recovery_code::SpentRecoveryCode;
use crate::db::session::Rotated;
use crate::db::token::Kind;
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::authorization::{self, Details, Reach, ScopeRule, reach};
use crate::domain::client::{Client, Grant, TokenFormat};
use crate::domain::id::{ClientId, FactorId, SessionId, TokenId, UserId};
use crate::domain::id_token::{ID_TOKEN_TTL_S, IdClaims};
use crate::domain::notice::Notice;
use crate::domain::refusal::Refusal;
use crate::domain::scope::{OFFLINE_ACCESS, OPENID, Scopes, is_management};
use crate::domain::time::Timestamp;
use crate::domain::token::{AccessClaims, Amr, Login, acr};
use crate::domain::user::Role;
use crate::error::Fault;
use crate::random;

/// Why a token may be issued. There is no other way to get one.
pub enum Ground {
    /// A code was spent; with or without a password before it.
    Code(Spent, WithPassword),
    /// A recovery code was spent, after a password.
    RecoveryCode(SpentRecoveryCode),
    /// A password was right and the client's policy asks for no more.
    PasswordAlone(UserId),
    /// A code that the browser brought from a login here was used up.
    Authorized(Authorized),
    /// A refresh token was exchanged: the login goes on.
    Refreshed(Rotated),
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

/// What a token is asked to be good for, within what its client may ask. The rules of scopes and the user's grants narrow it further.
pub struct Extent {
    /// What it may do.
    pub scope: Scopes,
    /// In detail.
    pub details: Details,
    /// Who it is for.
    pub audience: String,
}

impl Extent {
    /// What is asked for now, if all of it is what the client is registered for. What becomes of the scope is the caller's rule.
    pub fn asked(
        client: &Client,
        issuer: &str,
        details: &Details,
        scope: Result<Scopes, Refusal>,
        audience: Option<&str>,
    ) -> Result<Self, Refusal> {
        details.must_be_of(&client.detail_types)?;
        Ok(Self { scope: scope?, details: details.clone(), audience: client.audience(audience, issuer)? })
    }

    /// What was stored of one.
    pub fn stored(scope: &str, details: Details, audience: String) -> Result<Self, Fault> {
        let scope = Scopes::parse(scope).map_err(|_| Fault::Corrupt { what: "scope" })?;
        Ok(Self { scope, details, audience })
    }

    /// Refuses to make a token for somebody else than what was asked for first. To be silent about it would be to let it reach further.
    pub fn must_be_for(&self, audience: Option<&str>) -> Result<(), Refusal> {
        if audience.is_none_or(|audience| audience == self.audience) {
            Ok(())
        } else {
            Err(Refusal::InvalidTarget)
        }
    }

    /// Whether what is left of it depends on what its user holds by grants.
    fn wants_grants(&self, rules: &[ScopeRule]) -> bool {
        !self.details.is_empty() || rules.iter().any(|rule| rule.by_grant && self.scope.contains(&rule.name))
    }

    /// What was asked for some time ago, as far as the client still has it: its registration may have been narrowed since.
    pub fn still(self, client: &Client, issuer: &str) -> Result<Self, Refusal> {
        Ok(Self {
            scope: self.scope.kept_by(&client.scopes),
            details: self.details.retain_types(&client.detail_types),
            audience: client.audience(Some(&self.audience), issuer)?,
        })
    }
}

/// A token that was recorded and is still to be written out: signing waits for the commit, so that no transaction waits for it.
#[must_use]
pub struct Recorded {
    writ: Writ,
    /// For an application that wants to know who logged in.
    identity: Option<(Box<IdClaims>, Arc<SigningKey>)>,
    expires_in: i64,
    refresh_token: Option<Zeroizing<String>>,
    scope: String,
    details: Details,
}

enum Writ {
    Opaque(Zeroizing<String>),
    Jwt(Box<AccessClaims>, Arc<SigningKey>),
}

impl Recorded {
    /// Writes the token out, once the transaction has committed.
    pub fn sign(self) -> Result<Issued, Fault> {
        let access_token = match self.writ {
            Writ::Opaque(token) => token,
            Writ::Jwt(claims, key) => Zeroizing::new(key.sign(&claims)?),
        };
        let id_token = self.identity.map(|(claims, key)| {
            let at_hash = signing::access_token_hash(&access_token);
            key.sign_as(ID_TOKEN_TYPE, &IdToken { claims: &claims, at_hash })
        });
        let id_token = id_token.transpose()?;
        let Self { expires_in, refresh_token, scope, details, .. } = self;
        let id_token = id_token.map(Zeroizing::new);
        Ok(Issued { access_token, id_token, expires_in, refresh_token, scope, details })
    }
}

/// The claims of an ID token, and of which access token it is the companion (OpenID Connect Core s3.1.3.6).
#[derive(Serialize)]
struct IdToken<'a> {
    #[serde(flatten)]
    claims: &'a IdClaims,
    at_hash: String,
}

/// A token for the reply.
pub struct Issued {
    /// The token itself.
    pub access_token: Zeroizing<String>,
    /// Who logged in, where the application asked for that (OpenID Connect Core s3.1.3.3).
    pub id_token: Option<Zeroizing<String>>,
    /// The access token's lifetime in seconds.
    pub expires_in: i64,
    /// The token for the next one, where the client may have one.
    pub refresh_token: Option<Zeroizing<String>>,
    /// What that may do.
    pub scope: String,
    /// In detail.
    pub details: Details,
}

/// The login that a token stands on: a new one, or one that goes on.
struct Standing {
    session: SessionId,
    user: UserId,
    factor: Option<FactorId>,
    amr: String,
    authenticated_at: Timestamp,
    limit_at: Timestamp,
    /// The refresh token that the session's row names as the good one, and what it may ask for.
    refresh: Option<Refresh>,
    /// The login in the browser that it comes from: the application may want to know who that was.
    through: Option<Authorized>,
}

/// A refresh token that shall be recorded.
struct Refresh {
    id: TokenId,
    scope: String,
    details: Option<String>,
}

/// Starts the session of a client that was held, or goes on with one, and records the token. It is good once the transaction has committed.
pub fn issue(
    service: &Service,
    tx: &mut Tx<'_>,
    held: &Held,
    ground: Ground,
    extent: &Extent,
) -> Result<Recorded, Stop> {
    issue_among(service, tx, held, ground, extent, &Grants::default())
}

/// The same for one of many in one transaction, for whom `grants` were asked together.
pub fn issue_among(
    service: &Service,
    tx: &mut Tx<'_>,
    held: &Held,
    ground: Ground,
    extent: &Extent,
    grants: &Grants,
) -> Result<Recorded, Stop> {
    let client: &Client = held;
    let action = match ground {
        Ground::Refreshed(_) => Action::TokenRefreshed,
        _ => Action::TokenIssued,
    };
    // A login in the browser that goes on tells once more who it is (OpenID Connect Core s12.2).
    let goes_on = matches!(ground, Ground::Refreshed(_)) && client.has(Grant::AuthorizationCode);
    let arrived = |arrival| Some(Way::Begins(arrival));
    let by_code = |spent: &Spent, amr| arrived(Arrival::of(spent.user(), Some(spent.factor()), amr));
    let way = match ground {
        Ground::Code(spent, WithPassword::Seen) => by_code(&spent, Amr::PasswordAndOtp),
        Ground::Code(spent, WithPassword::Vouched) => by_code(&spent, Amr::Otp),
        Ground::RecoveryCode(spent) => arrived(Arrival::of(spent.user(), None, Amr::PasswordAndRecovery)),
        Ground::PasswordAlone(user) => arrived(Arrival::of(user, None, Amr::Password)),
        Ground::Authorized(authorized) => arrived(Arrival::through(authorized)),
        Ground::Refreshed(rotated) => Some(Way::GoesOn(rotated)),
        Ground::ClientItself => None,
    };
    let issuing = held.issuing(tx.conn)?;
    let reach = reach_of(tx, &issuing.rules, extent, way.as_ref().map(|way| way.login(tx.now)), grants)?;
    let standing = match way {
        Some(Way::Begins(arrival)) => Some(log_in(service, tx, client, extent, &reach.scope, arrival)?),
        Some(Way::GoesOn(rotated)) => Some(Standing::going_on(&rotated)),
        None => None,
    };
    let limit_at =
        standing.as_ref().map_or(Timestamp::NEVER, |standing| standing.limit_at).min(reach.ends_at);
    let ttl_s = access_ttl_s(client, tx.now, limit_at);
    let expires_at = tx.now.plus_seconds(ttl_s);
    let one_use = client.policy.one_use() || reach.one_use;
    let id = TokenId::new(random::id(tx.now));
    let (writ, hash) = match client.policy.format() {
        // A JWT could be checked without anybody hearing of it, so what is good once is opaque.
        TokenFormat::Jwt if !one_use => {
            let claims = claims(service, tx.now, client, standing.as_ref(), &reach, id, expires_at);
            let key = issuing.key.as_ref().ok_or(Fault::Corrupt { what: "current signing key" })?;
            (Writ::Jwt(Box::new(claims), service.signing_key(key)?), None)
        }
        TokenFormat::Jwt | TokenFormat::Opaque => {
            let (token, hash) = service.new_token("cst_", Purpose::AccessToken);
            (Writ::Opaque(token), Some(hash))
        }
    };
    let identity = match &standing {
        Some(standing) if reach.scope.contains(OPENID) && (standing.through.is_some() || goes_on) => {
            // One was there a moment ago.
            let key = of_id_tokens(tx.conn, tx.now)?.ok_or(Fault::Busy("the keys are being changed"))?;
            let claims = id_claims(service, tx, client, standing, &reach.scope)?;
            Some((Box::new(claims), service.signing_key(&key)?))
        }
        _ => None,
    };
    let (scope, details) = (reach.scope.to_string(), reach.details.stored());
    let record = db::token::New {
        id,
        session: standing.as_ref().map(|standing| standing.session),
        client: client.id,
        kind: Kind::Access,
        hash,
        audience: extent.audience.clone(),
        scope: scope.clone(),
        details,
        issued_at: tx.now,
        expires_at,
        one_use,
    };
    tx.record(record.clone());
    let event = issued_event(client, action, standing.as_ref(), id);
    tx.note(event);
    let refresh_token = match standing {
        Some(Standing { refresh: Some(refresh), limit_at, .. }) => {
            let (token, hash) = service.new_token("csr_", Purpose::RefreshToken);
            tx.record(db::token::New {
                id: refresh.id,
                kind: Kind::Refresh,
                hash: Some(hash),
                scope: refresh.scope,
                details: refresh.details,
                expires_at: limit_at,
                one_use: false,
                ..record
            });
            Some(token)
        }
        _ => None,
    };
    Ok(Recorded { writ, identity, expires_in: ttl_s, refresh_token, scope, details: reach.details })
}

/// How a login comes to a token.
enum Way {
    /// It begins with it.
    Begins(Arrival),
    /// It goes on with it.
    GoesOn(Rotated),
}

impl Way {
    fn login(&self, now: Timestamp) -> Authenticated<'_> {
        match self {
            Self::Begins(arrival) => Authenticated {
                user: arrival.user,
                amr: arrival.amr.as_str(),
                at: arrival.fresh_at().unwrap_or(now),
            },
            Self::GoesOn(rotated) => Authenticated::at_login(rotated.login()),
        }
    }
}

/// A login, as far as it decides what its tokens may do.
#[derive(Clone, Copy)]
struct Authenticated<'a> {
    user: UserId,
    amr: &'a str,
    at: Timestamp,
}

impl<'a> Authenticated<'a> {
    fn at_login(login: &'a Login) -> Self {
        Self { user: login.user, amr: &login.amr, at: login.fresh_at }
    }
}

/// Somebody who was authenticated, now or in the browser a moment ago.
struct Arrival {
    user: UserId,
    factor: Option<FactorId>,
    amr: Amr,
    /// The login in the browser that this one comes from.
    through: Option<Authorized>,
}

impl Arrival {
    const fn of(user: UserId, factor: Option<FactorId>, amr: Amr) -> Self {
        Self { user, factor, amr, through: None }
    }

    const fn through(authorized: Authorized) -> Self {
        let (user, factor, amr) = (authorized.login().user, authorized.factor(), authorized.amr());
        Self { user, factor, amr, through: Some(authorized) }
    }

    /// When the user was authenticated in the browser; none where it is now.
    fn fresh_at(&self) -> Option<Timestamp> {
        self.through.as_ref().map(|through| through.login().fresh_at)
    }
}

/// Starts a session: every login is one. It can go on if that is within what is left of its `scope`.
fn log_in(
    service: &Service,
    tx: &mut Tx<'_>,
    client: &Client,
    extent: &Extent,
    scope: &Scopes,
    arrival: Arrival,
) -> Result<Standing, Fault> {
    let fresh_at = arrival.fresh_at();
    let Arrival { user, factor, amr, through } = arrival;
    let now = tx.now;
    let session = through.as_ref().map_or_else(|| SessionId::new(random::id(now)), Authorized::session);
    let refresh = client.may_refresh(scope).then(|| TokenId::new(random::id(now)));
    let limit_at = match refresh {
        Some(_) => now.plus_seconds(client.sessions.ttl_s()),
        // Nothing can make it go on.
        None => now.plus_seconds(client.policy.ttl_s()),
    };
    let ends_at = session_end(client, now, limit_at);
    // What the application is called by and from is its own.
    let (address, device) = match &through {
        Some(through) => (through.address().map(str::to_owned), through.device().map(str::to_owned)),
        None => (tx.origin.address.map(|own| own.to_string()), tx.origin.device.map(|own| own.to_string())),
    };
    tx.log_in(db::session::New {
        id: session,
        user,
        client: client.id,
        factor,
        amr,
        address,
        device,
        started_at: now,
        fresh_at,
        ends_at,
        limit_at,
        refresh,
    });
    if amr != Amr::Otp && through.is_none() {
        look_round(service, tx, client, user)?;
    }
    Ok(Standing {
        session,
        user,
        factor,
        amr: amr.as_str().to_owned(),
        authenticated_at: fresh_at.unwrap_or(now),
        limit_at,
        refresh: refresh.map(|id| Refresh {
            id,
            scope: extent.scope.to_string(),
            details: extent.details.stored(),
        }),
        through,
    })
}

/// Tells a user of a login from where there was none before: at another application or from another network. Not of the very first
/// one. And not where an application vouches for the first factor: the address is its own, and it knows its visitors better.
fn look_round(service: &Service, tx: &mut Tx<'_>, client: &Client, user: UserId) -> Result<(), Fault> {
    let parts = [user.bytes(), client.id.bytes(), &tx.origin.network()];
    let hash = service.hasher.hash(Purpose::KnownDevice, &parts);
    if db::known_device::remember(tx.conn, user, &hash, tx.now)? != Known::New {
        return Ok(());
    }
    let Some(user) = db::user::find(tx.conn, user)? else { return Ok(()) };
    let notice =
        Notice::NewDevice { application: client.name.to_string(), address: tx.origin.address, at: tx.now };
    queue(service, tx, &user, &notice)
}

impl Standing {
    fn going_on(rotated: &Rotated) -> Self {
        let login = rotated.login();
        Self {
            session: login.session,
            user: login.user,
            factor: None,
            amr: login.amr.clone(),
            authenticated_at: login.fresh_at,
            limit_at: login.limit_at,
            refresh: Some(Refresh {
                id: rotated.successor(),
                scope: rotated.scope().to_owned(),
                details: rotated.details().stored(),
            }),
            through: None,
        }
    }
}

/// Whether a login of this extent may still be refreshed: by the rules of the scope that this takes, and by what its user holds now.
pub fn may_go_on(tx: &mut Tx<'_>, held: &Held, left: &Extent, login: &Login) -> Result<bool, Fault> {
    let scope = left.scope.retain(|scope| scope == OFFLINE_ACCESS);
    let alone = Extent { scope, details: Details::default(), audience: left.audience.clone() };
    let issuing = held.issuing(tx.conn)?;
    let reach =
        reach_of(tx, &issuing.rules, &alone, Some(Authenticated::at_login(login)), &Grants::default())?;
    Ok(held.may_refresh(&reach.scope))
}

/// What users hold by grants, where that was asked for many in one go.
#[derive(Default)]
pub struct Grants(HashMap<UserId, Vec<authorization::Held>>);

impl Grants {
    /// Asks for the users whose extents want it: each with the client that is held for it, and when it was asked for.
    pub fn ask<'a>(
        tx: &mut Tx<'_>,
        arriving: impl Iterator<Item = (UserId, &'a Held, &'a Extent, Timestamp)>,
    ) -> Result<Self, Fault> {
        let mut users = Vec::new();
        for (user, held, extent, now) in arriving {
            if extent.wants_grants(&held.issuing(tx.conn)?.rules) {
                users.push((user, now));
            }
        }
        Ok(Self(if users.is_empty() { HashMap::new() } else { db::grant::held_by_all(tx.conn, &users)? }))
    }

    fn of(&self, tx: &mut Tx<'_>, user: UserId) -> Result<Cow<'_, [authorization::Held]>, Fault> {
        Ok(match self.0.get(&user) {
            Some(held) => Cow::Borrowed(held),
            None => Cow::Owned(db::grant::held(tx.conn, user, tx.now)?),
        })
    }
}

/// What is left of an extent by the rules of its scopes and by what the user holds now.
fn reach_of(
    tx: &mut Tx<'_>,
    rules: &[ScopeRule],
    extent: &Extent,
    login: Option<Authenticated<'_>>,
    grants: &Grants,
) -> Result<Reach, Fault> {
    let held = match login {
        Some(login) if extent.wants_grants(rules) => grants.of(tx, login.user)?,
        _ => Cow::Borrowed(&[][..]),
    };
    let scope = match login {
        Some(login) => within_role(tx, login, &extent.scope)?,
        None => extent.scope.clone(),
    };
    let standing = login.map(|login| authorization::Standing {
        acr: acr(login.amr),
        authenticated_at: login.at,
        held: &held,
    });
    Ok(reach(&scope, &extent.details, &extent.audience, rules, standing, tx.now))
}

/// Scopes of the management API go to users whose role has them, after a second factor; others' tokens are issued without.
fn within_role(tx: &mut Tx<'_>, login: Authenticated<'_>, scope: &Scopes) -> Result<Scopes, Fault> {
    if scope.retain(is_management).is_empty() {
        return Ok(scope.clone());
    }
    let role = db::user::find(tx.conn, login.user)?.map_or(Role::User, |user| user.role);
    let second_factor = login.amr != Amr::Password.as_str();
    Ok(scope.retain(|name| !is_management(name) || (second_factor && role.may_hold(name))))
}

/// When a session ends unless it is refreshed: after the idle time, not before its token, and never after its limit.
pub fn session_end(client: &Client, now: Timestamp, limit_at: Timestamp) -> Timestamp {
    let idle_s = client.sessions.idle_s();
    // The console moves the end on with every page that somebody looks at.
    let lasts_s = if client.id == ClientId::CONSOLE { idle_s } else { idle_s.max(client.policy.ttl_s()) };
    now.plus_seconds(lasts_s).min(limit_at)
}

/// An access token does not outlive its session.
fn access_ttl_s(client: &Client, now: Timestamp, limit_at: Timestamp) -> i64 {
    let left_s = limit_at.millis().saturating_sub(now.millis()).div_euclid(1000);
    client.policy.ttl_s().min(left_s)
}

fn claims(
    service: &Service,
    now: Timestamp,
    client: &Client,
    standing: Option<&Standing>,
    reach: &Reach,
    id: TokenId,
    expires_at: Timestamp,
) -> AccessClaims {
    AccessClaims {
        iss: service.issuer.clone(),
        sub: standing.map_or_else(|| client.id.to_string(), |standing| standing.user.to_string()),
        aud: reach.audience.clone(),
        client_id: client.id.to_string(),
        iat: now.unix_seconds(),
        exp: expires_at.unix_seconds(),
        jti: id.to_string(),
        scope: reach.scope.to_string(),
        authorization_details: reach.details.clone(),
        auth_time: standing.map(|standing| standing.authenticated_at.unix_seconds()),
        acr: standing.map(|standing| acr(&standing.amr).to_owned()),
        amr: standing.map(|standing| standing.amr.split(' ').map(str::to_owned).collect()),
        sid: standing.map(|standing| standing.session.to_string()),
    }
}

/// Who logged in, for the client alone.
fn id_claims(
    service: &Service,
    tx: &mut Tx<'_>,
    client: &Client,
    standing: &Standing,
    scope: &Scopes,
) -> Result<IdClaims, Fault> {
    let profile = profile(tx.conn, standing.user, scope)?;
    Ok(IdClaims {
        iss: service.issuer.clone(),
        sub: standing.user.to_string(),
        aud: client.id.to_string(),
        iat: tx.now.unix_seconds(),
        exp: tx.now.plus_seconds(ID_TOKEN_TTL_S).unix_seconds(),
        auth_time: standing.authenticated_at.unix_seconds(),
        nonce: standing.through.as_ref().and_then(Authorized::nonce).map(str::to_owned),
        acr: acr(&standing.amr).to_owned(),
        amr: standing.amr.split(' ').map(str::to_owned).collect(),
        sid: standing.session.to_string(),
        profile: profile.ok_or(Fault::Corrupt { what: "user of a session" })?,
    })
}

fn issued_event(client: &Client, action: Action, standing: Option<&Standing>, id: TokenId) -> Event {
    let subject = standing.map(|standing| Subject::User(standing.user));
    let detail = match standing {
        None => format!("token={id}"),
        Some(standing) => {
            let amr = standing.amr.replace(' ', ",");
            let factor = standing.factor.map_or_else(String::new, |factor| format!(" factor={factor}"));
            format!("token={id} amr={amr}{factor}")
        }
    };
    Event::done(Actor::Client(client.id), action, subject).with(detail)
}
