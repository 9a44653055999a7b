//! Login at an application by way of the browser, first half (RFC 6749 s4.1, OpenID Connect Core s3.1.2): who logged in here is sent back with a
//! code. The second half is `app/authorization_code`.
//!
//! 1. The application and the address to send the browser back to: both as they were registered, or nobody is sent anywhere.
//! 2. The request, within what the application is registered for. From here on the application hears why not.
//! 3. The login: the console's, if it is good and young enough; otherwise the user has to do something first.
//!    Where the application could do something here in the user's place, the user is asked, for most of it shortly after a code.
//! 4. The code, kept by its hash for a minute, good once.

use zeroize::Zeroizing;

use crate::app::bearer::{console_end, find_id_token, hold_console_login, whoever_is_logged_in};
use crate::app::client_auth::{find_application, hold};
use crate::app::context::{At, Service, Stop};
use crate::app::issue::Extent;
use crate::crypto::keyed_hash::Purpose;
use crate::db::authorization_code::AuthorizationCode;
use crate::db::lockout::Gate;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::authorization::Standing;
use crate::domain::authorization_request::{AuthorizationRequest, CODE_TTL_S, Declined};
use crate::domain::client::{Client, ClientName, Grant, SecondFactor};
use crate::domain::id::UserId;
use crate::domain::lockout::AUTHORIZATIONS_OF_USER;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::{OPENID, Scopes, is_management};
use crate::domain::time::Timestamp;
use crate::domain::token::{ACR_CLASSES, Login, acr, is_as_strong};
use crate::domain::user::User;
use crate::error::Fault;

/// Who asks, and where the browser is to be sent back to.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The application, as it was named.
    pub client_id: String,
    /// The address.
    pub redirect_uri: String,
}

/// What an application's request comes to.
pub struct Decision {
    /// What the application is called.
    pub application: ClientName,
    /// What happens next.
    pub next: Next,
}

/// What happens next.
pub enum Next {
    /// Nobody is logged in: somebody has to.
    LogIn,
    /// Somebody is, but not lately or well enough: a code first.
    StepUp,
    /// The user is asked first.
    Ask(Question),
    /// Back to the application with this code.
    Send(Zeroizing<String>),
    /// Back to the application with this error.
    Decline(Declined),
}

/// What a user is asked.
pub struct Question {
    /// Who is logged in.
    pub user: User,
    /// What the application may do here in the user's place.
    pub powers: Scopes,
    /// What comes back with the request where the answer is yes: nobody but this page's reader can send it.
    pub mark: String,
}

/// What becomes of a request by the browser with this cookie, if it has one. Refused outright, with nobody to send the browser to, is an
/// unknown application or address.
pub fn authorize(
    service: &Service,
    conn: &mut Conn,
    at: At,
    cookie: Option<&str>,
    destination: &Destination,
    request: Result<&AuthorizationRequest, &Declined>,
) -> Result<Decision, Stop> {
    let client = known(conn, destination)?;
    let next = match request {
        Ok(request) => match decide(service, conn, at, cookie, &client, destination, request) {
            // It was disabled meanwhile, and nobody is sent to it any more.
            Err(Stop::Refused(Refusal::InvalidClient)) => return Err(NO_APPLICATION.into()),
            // The login ended meanwhile.
            Err(Stop::Refused(Refusal::InvalidToken)) => Next::unless(request.prompt.none, Next::LogIn),
            Err(Stop::Refused(refusal)) => Next::Decline(refusal.into()),
            other => other?,
        },
        Err(declined) => Next::Decline(declined.clone()),
    };
    Ok(Decision { application: client.name, next })
}

const NO_APPLICATION: Invalid = Invalid::fixed("client_id", "is not that of an application here");

/// What the application is called that a request names; none where that is no application, or not its address.
pub fn application(conn: &mut Conn, destination: &Destination) -> Result<Option<ClientName>, Stop> {
    match known(conn, destination) {
        Ok(client) => Ok(Some(client.name)),
        Err(Stop::Refused(_)) => Ok(None),
        Err(stop) => Err(stop),
    }
}

fn known(conn: &mut Conn, destination: &Destination) -> Result<Client, Stop> {
    let id = destination.client_id.parse().map_err(|_| NO_APPLICATION)?;
    let client = find_application(conn, id)?.ok_or(NO_APPLICATION)?;
    if !client.has_redirect_uri(&destination.redirect_uri) {
        return Err(Invalid::fixed("redirect_uri", "is not registered for this application").into());
    }
    Ok(client)
}

fn decide(
    service: &Service,
    conn: &mut Conn,
    at: At,
    cookie: Option<&str>,
    client: &Client,
    destination: &Destination,
    request: &AuthorizationRequest,
) -> Result<Next, Stop> {
    client.must_have(Grant::AuthorizationCode)?;
    let extent = extent(service, client, request)?;
    must_be_bound(&extent, request)?;
    let supposed = supposed_user(service, conn, client, request)?;
    let silent = request.prompt.none;
    // An ID token that is not from here, or not any more, tells nothing: a page does, or nobody.
    let is_unclear = request.id_token_hint.is_some() && supposed.is_none();
    let login = whoever_is_logged_in(service, conn, at.now, cookie)?;
    let Some((cookie, login)) = cookie.zip(login) else { return Ok(Next::unless(silent, Next::LogIn)) };
    let is_other = supposed.is_some_and(|supposed| supposed != login.user);
    if silent && (is_other || is_unclear) {
        return Ok(Next::Decline(Declined::LoginRequired));
    }
    let suffices = suffices(client, request, &login, at.now) && rules_let_in(conn, &extent, &login, at.now)?;
    if request.prompt.login || !suffices {
        return Ok(Next::unless(silent, Next::StepUp));
    }
    let user = db::user::find(conn, login.user)?.ok_or(Refusal::InvalidToken)?;
    let powers = powers(service, &extent, &user);
    // With such a token authenticators are added or removed, and others managed: the console's own forms want a code for that, and so a cookie
    // that somebody has stolen must not bring one. Without a page the answer is no in any case.
    if !silent && !powers.management().is_empty() && !login.gave_code_lately(at.now) {
        return Ok(Next::StepUp);
    }
    if request.prompt.ask || is_other || !powers.is_empty() {
        // To what: this request, with what the application may do by it as things stand now.
        let named = powers.to_string();
        let question = [cookie, request.text.as_str(), &named];
        if !request.agreed.as_ref().is_some_and(|shown| service.is_mark(&question, shown)) {
            let ask = Next::Ask(Question { mark: service.mark(&question), user, powers });
            return Ok(if silent { Next::Decline(Declined::InteractionRequired) } else { ask });
        }
    }
    send(service, conn, at, cookie, client, destination, request, extent)
}

impl Next {
    /// What the user has to do, unless nobody may be asked.
    fn unless(silent: bool, next: Self) -> Self {
        if silent { Self::Decline(Declined::LoginRequired) } else { next }
    }
}

/// Whom the application takes the user for, by an ID token that it got before.
fn supposed_user(
    service: &Service,
    conn: &mut Conn,
    client: &Client,
    request: &AuthorizationRequest,
) -> Result<Option<UserId>, Stop> {
    let Some(hint) = &request.id_token_hint else { return Ok(None) };
    let shown = find_id_token(service, conn, hint)?.filter(|shown| shown.client == client.id);
    Ok(shown.map(|shown| shown.user))
}

/// Step 4: the code.
#[expect(clippy::too_many_arguments, reason = "all that the steps before have found out")]
fn send(
    service: &Service,
    conn: &mut Conn,
    at: At,
    cookie: &str,
    client: &Client,
    destination: &Destination,
    request: &AuthorizationRequest,
    extent: Extent,
) -> Result<Next, Stop> {
    service.write(conn, at, |tx| {
        let client = hold(tx, client.id, Grant::AuthorizationCode)?;
        let login = hold_console_login(service, tx, cookie)?;
        let bucket =
            service.hasher.hash(Purpose::AuthorizationBucket, &[login.user.bytes(), client.id.bytes()]);
        if db::lockout::pour(tx.conn, &bucket, AUTHORIZATIONS_OF_USER, tx.now)? != Gate::Open {
            return Ok(Next::Decline(Declined::TooMany));
        }
        let (code, hash) = service.new_token("csa_", Purpose::AuthorizationCode);
        let kept = AuthorizationCode {
            session: login.session,
            client: client.id,
            redirect_uri: destination.redirect_uri.clone(),
            audience: extent.audience,
            scope: extent.scope.to_string(),
            details: extent.details,
            nonce: request.nonce.clone(),
            challenge: request.challenge.as_ref().map(|challenge| challenge.as_str().to_owned()),
            expires_at: tx.now.plus_seconds(CODE_TTL_S),
        };
        db::authorization_code::insert(tx.conn, &hash, &kept)?;
        // Somebody is there. What an application asks without a page it may ask by itself.
        if let (false, Some(ends_at)) = (request.prompt.none, console_end(&login, tx.now)) {
            db::session::touch(tx.conn, login.session, ends_at, tx.now)?;
        }
        let event = Event::done(Actor::User(login.user), Action::Authorized, Subject::Client(client.id));
        tx.note(event.with(format!("session={}", login.session)));
        Ok(Next::Send(code))
    })
}

/// What is asked for, within what the application is registered for.
fn extent(service: &Service, client: &Client, request: &AuthorizationRequest) -> Result<Extent, Refusal> {
    // What it is not registered for is left out, and the reply says so: libraries ask for more than they need (OpenID Connect Core s3.1.2.1). But
    // one that wants to know who logged in is told that it cannot, before it misses the ID token.
    let scope = match &request.scope {
        None => Ok(client.scopes.clone()),
        Some(asked) if asked.contains(OPENID) && !client.scopes.contains(OPENID) => {
            Err(Refusal::InvalidScope)
        }
        Some(asked) => Ok(asked.kept_by(&client.scopes)),
    };
    Extent::asked(client, &service.issuer, &request.details, scope, request.audience.as_deref())
}

/// A code that somebody slips to another browser must be worth nothing: either only the sender of the request can use it, or the ID token tells
/// whose request it was made for (RFC 9700 s2.1.1).
fn must_be_bound(extent: &Extent, request: &AuthorizationRequest) -> Result<(), Invalid> {
    let by_nonce = extent.scope.contains(OPENID) && request.nonce.is_some();
    if request.challenge.is_some() || by_nonce {
        Ok(())
    } else {
        Err(Invalid::fixed("code_challenge", "is missing: send one, or a nonce with scope openid"))
    }
}

/// Whether a login is good enough for this application, and young enough for this request.
fn suffices(client: &Client, request: &AuthorizationRequest, login: &Login, now: Timestamp) -> bool {
    let is_strong = client.second_factor == SecondFactor::Optional || login.used_second_factor();
    let is_young = request
        .max_age_s
        .is_none_or(|max_age_s| now.millis() <= login.fresh_at.plus_seconds(max_age_s).millis());
    let mut classes =
        request.acr_values.iter().filter(|class| ACR_CLASSES.contains(&class.as_str())).peekable();
    let acr = acr(&login.amr);
    let is_of_class = classes.peek().is_none() || classes.any(|class| is_as_strong(acr, class));
    is_strong && is_young && is_of_class
}

/// Whether no rule of a scope wants a code that this login has not given, or not lately. The application does not know the rules.
fn rules_let_in(conn: &mut Conn, extent: &Extent, login: &Login, now: Timestamp) -> Result<bool, Fault> {
    let mut rules = db::scope_rule::list(conn)?;
    rules.retain(|rule| extent.scope.contains(&rule.name));
    let held = if rules.iter().any(|rule| rule.by_grant) {
        db::grant::held(conn, login.user, now)?
    } else {
        Vec::new()
    };
    let standing = Standing { acr: acr(&login.amr), authenticated_at: login.fresh_at, held: &held };
    Ok(!rules.iter().any(|rule| rule.wants_a_code(&extent.audience, standing, now)))
}

/// What the application could do here with the token, and the user can give.
fn powers(service: &Service, extent: &Extent, user: &User) -> Scopes {
    if extent.audience != service.issuer {
        return Scopes::default();
    }
    extent.scope.powers().retain(|name| !is_management(name) || user.role.may_hold(name))
}
