//! Login at an application by way of the browser, first half (RFC 6749 s4.1, OpenID Connect Core s3.1.2): who logged in here is sent back with a
//! code. The second half is `app/authorization_code`.
//!
//! 1. The application and the address to send the browser back to: both as they were registered, or nobody is sent anywhere.
//! 2. The request, within what the application is registered for. From here on the application hears why not.
//! 3. The login: the console's, if it is good and young enough; otherwise the user has to do something first.
//! 4. The code, kept by its hash for a minute, good once.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::app::bearer::{console_end, console_login, hold_console_login};
use crate::app::client_auth::hold;
use crate::app::context::{At, Service, Stop};
use crate::app::issue::Extent;
use crate::crypto::keyed_hash::Purpose;
use crate::db::authorization_code::AuthorizationCode;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::authorization_request::{AuthorizationRequest, CODE_TTL_S, Declined};
use crate::domain::client::{Client, ClientName, ClientState, Grant, SecondFactor, parse_redirect_uri};
use crate::domain::id::ClientId;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::OPENID;
use crate::domain::token::{ACR_CLASSES, Login, acr, is_as_strong};
use crate::random;

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
    /// The user of this name is asked first.
    Ask(String),
    /// Back to the application with this code.
    Send(Zeroizing<String>),
    /// Back to the application with this error.
    Decline(Declined),
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
    let next = match request.cloned().map_err(Clone::clone) {
        Ok(request) => decide(service, conn, at, cookie, &client, destination, &request),
        Err(declined) => Ok(Next::Decline(declined)),
    };
    // The application has no part in what is wrong with its request's client or address; all else it hears.
    let next = match next {
        Err(Stop::Refused(refusal)) => Next::Decline(refusal.into()),
        other => other?,
    };
    Ok(Decision { application: client.name, next })
}

/// What the application is called that a request names; none where that is no application, or not its address.
pub fn application(conn: &mut Conn, destination: &Destination) -> Result<Option<ClientName>, Stop> {
    match known(conn, destination) {
        Ok(client) => Ok(Some(client.name)),
        Err(Stop::Refused(_)) => Ok(None),
        Err(stop) => Err(stop),
    }
}

fn known(conn: &mut Conn, destination: &Destination) -> Result<Client, Stop> {
    let id = destination.client_id.parse::<ClientId>().ok().filter(|id| *id != ClientId::CONSOLE);
    let found = match id {
        Some(id) => db::client::find_with_secret(conn, id)?.map(|(client, _)| client),
        None => None,
    };
    let active = found.filter(|client| client.state == ClientState::Active);
    let client = active.ok_or(Invalid::fixed("client_id", "is not that of an application here"))?;
    let uri = &destination.redirect_uri;
    // Some were registered when nothing was sent there yet, and anything was taken.
    if !client.redirect_uris.contains(uri) || parse_redirect_uri("redirect_uri", uri).is_err() {
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
    let login = match cookie.map(|cookie| (cookie, console_login(service, conn, at.now, cookie))) {
        Some((cookie, Ok(login))) => Some((cookie, login)),
        Some((_, Err(Stop::Refused(_)))) | None => None,
        Some((_, Err(stop))) => return Err(stop),
    };
    let prompt = request.prompt;
    let Some((cookie, login)) = login else {
        return Ok(if prompt.none { Next::Decline(Declined::LoginRequired) } else { Next::LogIn });
    };
    if prompt.login || !suffices(client, request, &login, at) {
        return Ok(if prompt.none { Next::Decline(Declined::LoginRequired) } else { Next::StepUp });
    }
    if prompt.ask {
        return Ok(Next::Ask(login.user_name));
    }
    service.write(conn, at, |tx| {
        let client = hold(tx, client.id, Grant::AuthorizationCode)?;
        let login = hold_console_login(service, tx, cookie)?;
        let code =
            Zeroizing::new(format!("csa_{}", URL_SAFE_NO_PAD.encode(random::bytes::<32>().as_slice())));
        let hash = service.hasher.hash(Purpose::AuthorizationCode, &[code.as_bytes()]);
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
        if let (false, Some(ends_at)) = (prompt.none, console_end(&login, tx.now)) {
            db::session::touch(tx.conn, login.session, ends_at, tx.now)?;
        }
        let event = Event::done(Actor::User(login.user), Action::Authorized, Subject::Client(client.id));
        tx.note(event.with(format!("session={}", login.session)));
        Ok(Next::Send(code))
    })
}

/// What is asked for, within what the application is registered for.
fn extent(service: &Service, client: &Client, request: &AuthorizationRequest) -> Result<Extent, Refusal> {
    request.details.must_be_of(&client.detail_types)?;
    Ok(Extent {
        scope: client.scopes.for_user(request.scope.as_ref())?,
        details: request.details.clone(),
        audience: client.audience(request.audience.as_deref(), &service.issuer)?,
    })
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
fn suffices(client: &Client, request: &AuthorizationRequest, login: &Login, at: At) -> bool {
    let is_strong = client.second_factor == SecondFactor::Optional || login.used_second_factor();
    let is_young = request
        .max_age_s
        .is_none_or(|max_age_s| at.now.millis() <= login.fresh_at.plus_seconds(max_age_s).millis());
    let mut classes =
        request.acr_values.iter().filter(|class| ACR_CLASSES.contains(&class.as_str())).peekable();
    let acr = acr(&login.amr);
    let is_of_class = classes.peek().is_none() || classes.any(|class| is_as_strong(acr, class));
    is_strong && is_young && is_of_class
}
