//! Finding out what a token is that somebody shows.

use zeroize::Zeroizing;

use crate::app::context::{Service, Stop, Tx};
use crate::crypto::keyed_hash::Purpose;
use crate::crypto::signing::{self, OwnIdToken};
use crate::db::mfa_token::MfaToken;
use crate::db::signing_key::VerifyingKey;
use crate::db::token::Key;
use crate::db::{self, Conn};
use crate::domain::authorization::{ScopeRule, still_held};
use crate::domain::client::Grant;
use crate::domain::id::{ClientId, TokenId, UserId};
use crate::domain::refusal::Refusal;
use crate::domain::scope::{FACTORS, Scopes};
use crate::domain::time::Timestamp;
use crate::domain::token::{KeyState, Login, TokenRecord};
use crate::error::Fault;

/// The record of an access token, live or not. A JWT must carry our signature; an opaque token must be known by its keyed hash.
pub fn find_access_token(
    service: &Service,
    conn: &mut Conn,
    token: &str,
) -> Result<Option<TokenRecord>, Stop> {
    let Some(kid) = signing::named_kid(token) else {
        return Ok(db::token::find(conn, Key::Hash(&hash_of(service, token)))?);
    };
    let key = db::signing_key::find_verifying(conn, &kid)?;
    let Some(id) = key.and_then(|key| signed_by(service, token, &key)) else { return Ok(None) };
    Ok(db::token::find(conn, Key::Id(id))?)
}

/// The keyed hash under which an opaque token is kept.
pub(super) fn hash_of(service: &Service, token: &str) -> [u8; 32] {
    service.hasher.hash(Purpose::AccessToken, &[token.as_bytes()])
}

/// The `jti` of a JWT that this key has signed, unless the key was revoked.
pub(super) fn signed_by(service: &Service, token: &str, key: &VerifyingKey) -> Option<TokenId> {
    if key.state == KeyState::Revoked {
        return None;
    }
    let claims = signing::verified_claims(token, key.algorithm, &key.public, &service.issuer)?;
    claims.jti.parse().ok()
}

/// The `mfa_token` that `client` shows, if it is this client's and good, with the keyed hash to use it up by.
pub fn mfa_pass(
    service: &Service,
    conn: &mut Conn,
    now: Timestamp,
    client: ClientId,
    mfa_token: &str,
) -> Result<(MfaToken, [u8; 32]), Stop> {
    let hash = service.hasher.hash(Purpose::MfaToken, &[mfa_token.as_bytes()]);
    match db::mfa_token::find_live(conn, &hash, now)? {
        Some(pass) if pass.client == client => Ok((pass, hash)),
        _ => Err(Refusal::LoginExpired.into()),
    }
}

/// Hands out an `mfa_token`: a password was right, or a one-time link in its place.
pub fn hand_out_pass(
    service: &Service,
    tx: &mut Tx<'_>,
    pass: &MfaToken,
) -> Result<Zeroizing<String>, Fault> {
    let (token, hash) = service.new_token("csm_", Purpose::MfaToken);
    db::mfa_token::insert(tx.conn, &hash, pass)?;
    Ok(token)
}

/// An ID token from here that somebody shows, unless its key was revoked.
pub fn find_id_token(service: &Service, conn: &mut Conn, token: &str) -> Result<Option<OwnIdToken>, Fault> {
    let Some(kid) = signing::named_kid_of_id_token(token) else { return Ok(None) };
    let key = db::id_token_key::find(conn, &kid)?.filter(|key| key.state != KeyState::Revoked);
    Ok(key.and_then(|key| signing::own_id_token(token, &key.public_key, &service.issuer)))
}

/// How long the console's session lasts without a page being looked at, in seconds. Its client says the same.
const CONSOLE_IDLE_S: i64 = 1800;

/// How often a session that is in use is written, in seconds.
const TOUCH_EVERY_S: i64 = 60;

/// Refuses the console's cookie where a token is wanted: whoever has stolen it would be spared the codes that the console's forms want.
pub fn must_be_no_cookie(service: &Service, conn: &mut Conn, token: &str) -> Result<(), Stop> {
    // No JWT is one.
    if signing::named_kid(token).is_none()
        && db::token::client_of(conn, &hash_of(service, token))? == Some(ClientId::CONSOLE)
    {
        return Err(Refusal::InvalidToken.into());
    }
    Ok(())
}

/// The login of a browser with this cookie.
pub fn console_login(service: &Service, conn: &mut Conn, now: Timestamp, token: &str) -> Result<Login, Stop> {
    let record = find_access_token(service, conn, token)?.filter(|record| record.is_live(now));
    // A token that some application got is no cookie.
    let login = record.filter(|record| record.client == ClientId::CONSOLE).and_then(|record| record.login);
    Ok(login.ok_or(Refusal::InvalidToken)?)
}

/// The same where a browser need not be anybody's: none without a good cookie.
pub fn whoever_is_logged_in(
    service: &Service,
    conn: &mut Conn,
    now: Timestamp,
    cookie: Option<&str>,
) -> Result<Option<Login>, Stop> {
    let Some(cookie) = cookie else { return Ok(None) };
    match console_login(service, conn, now, cookie) {
        Ok(login) => Ok(Some(login)),
        Err(Stop::Refused(_)) => Ok(None),
        Err(stop) => Err(stop),
    }
}

/// When such a session ends whose user is looking at something now; none where that is not worth writing.
pub fn console_end(login: &Login, now: Timestamp) -> Option<Timestamp> {
    let ends_at = now.plus_seconds(CONSOLE_IDLE_S).min(login.limit_at);
    Some(ends_at).filter(|ends_at| login.ends_at.plus_seconds(TOUCH_EVERY_S) < *ends_at)
}

/// The login of a browser, which holds its user until the transaction ends.
pub fn hold_console_login(service: &Service, tx: &mut Tx<'_>, token: &str) -> Result<Login, Stop> {
    held(tx, |conn, now| console_login(service, conn, now, token), |login| login.user)
}

/// Whatever `find` makes of what somebody shows, and holds its user until the transaction ends: no code is checked, and neither state nor
/// factors are changed meanwhile. Found once more behind the hold, which may have waited for a reset, a lock or a new password: what was
/// shown is over then.
pub fn held<T>(
    tx: &mut Tx<'_>,
    find: impl Fn(&mut Conn, Timestamp) -> Result<T, Stop>,
    user: impl Fn(&T) -> UserId,
) -> Result<T, Stop> {
    let whose = user(&find(tx.conn, tx.now)?);
    db::lockout::hold(tx.conn, whose, tx.now)?;
    let found = find(tx.conn, tx.now)?;
    if user(&found) == whose { Ok(found) } else { Err(Refusal::InvalidToken.into()) }
}

/// Somebody looking after the own factors.
pub enum Bearer {
    /// Has shown a password, and only that.
    Password(MfaToken),
    /// Has logged in, and may look after factors.
    LoggedIn(Login),
}

impl Bearer {
    /// Whose factors.
    pub const fn user(&self) -> UserId {
        match self {
            Self::Password(pass) => pass.user,
            Self::LoggedIn(login) => login.user,
        }
    }
}

/// What is left of a token by the grants that its user still holds: a grant that ended or was taken back is over here at once.
pub(super) fn narrowed(
    conn: &mut Conn,
    now: Timestamp,
    record: TokenRecord,
    rules: &[ScopeRule],
) -> Result<TokenRecord, Fault> {
    let Some(login) = &record.login else { return Ok(record) };
    let by_grant = |scope: &str| rules.iter().any(|rule| rule.by_grant && rule.name == scope);
    if record.details.is_empty() && !record.scope.split(' ').any(by_grant) {
        return Ok(record);
    }
    let held = db::grant::held(conn, login.user, now)?;
    let scope = Scopes::parse(&record.scope).map_err(|_| Fault::Corrupt { what: "scope" })?;
    let left = still_held(&scope, &record.details, rules, &held);
    Ok(TokenRecord { scope: left.0.to_string(), details: left.1, ..record })
}

/// What a token may still do here: no more than its application is registered for now. So what is taken away from that is taken away from
/// tokens that are out, too.
pub(super) fn scopes_of_now(conn: &mut Conn, record: &TokenRecord) -> Result<Scopes, Fault> {
    let scope = Scopes::parse(&record.scope).map_err(|_| Fault::Corrupt { what: "scope" })?;
    Ok(match db::client::find_with_secret(conn, record.client)? {
        Some((client, _)) if record.login.is_some() => scope.kept_by(&client.scopes),
        Some((client, _)) if client.has(Grant::ClientCredentials) => scope.kept_by_itself(&client.scopes),
        _ => Scopes::default(),
    })
}

/// Takes an access token of a user for the issuer itself with this scope.
pub fn logged_in(
    service: &Service,
    conn: &mut Conn,
    now: Timestamp,
    token: &str,
    needed: &'static str,
) -> Result<Login, Stop> {
    Ok(login_and_scopes(service, conn, now, token, needed)?.0)
}

/// The same with all scopes that the token has.
pub fn login_and_scopes(
    service: &Service,
    conn: &mut Conn,
    now: Timestamp,
    token: &str,
    needed: &'static str,
) -> Result<(Login, Scopes), Stop> {
    let record = find_access_token(service, conn, token)?
        .filter(|record| record.is_live(now) && record.audience == service.issuer && !record.one_use)
        .ok_or(Refusal::InvalidToken)?;
    // What a grant brought is over with it. The scopes of the management API never come by one.
    let rules = db::scope_rule::list(conn)?;
    let record = narrowed(conn, now, record, &rules)?;
    let scope = scopes_of_now(conn, &record)?;
    match record.login {
        Some(login) if scope.contains(needed) => Ok((login, scope)),
        _ => Err(Refusal::InsufficientScope { needed }.into()),
    }
}

/// Takes an `mfa_token`, or an access token for the issuer itself with the scope `factors`.
pub fn authenticate(service: &Service, conn: &mut Conn, now: Timestamp, token: &str) -> Result<Bearer, Stop> {
    let hash = service.hasher.hash(Purpose::MfaToken, &[token.as_bytes()]);
    if let Some(pass) = db::mfa_token::find_live(conn, &hash, now)? {
        return Ok(Bearer::Password(pass));
    }
    logged_in(service, conn, now, token, FACTORS).map(Bearer::LoggedIn)
}
