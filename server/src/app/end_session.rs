//! Logging out at an application, and here as well (OpenID Connect RP-Initiated Logout 1.0).
//!
//! 1. Which application: by its id, or by an ID token that it got from here. The session that the token tells of ends: who has the token is the application or its user.
//! 2. Where the browser goes afterwards: to an address that is registered for the application, and nowhere else. Where that is another one it stays here, and is asked all the same.
//! 3. The browser's own session is its user's to end: a page asks.

use crate::app::bearer::{find_id_token, whoever_is_logged_in};
use crate::app::client_auth::find_application;
use crate::app::context::{At, Service, Stop};
use crate::crypto::signing::OwnIdToken;
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::client::{Client, ClientName};
use crate::domain::id::ClientId;
use crate::domain::refusal::Invalid;
use crate::domain::user::User;

/// What an application asks for by way of the browser.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Its id.
    pub client_id: Option<String>,
    /// An ID token that it got.
    pub id_token_hint: Option<String>,
    /// Where the browser shall go.
    pub post_logout_redirect_uri: Option<String>,
}

/// What becomes of that.
pub struct Leaving {
    /// What the application is called, where that is known.
    pub application: Option<ClientName>,
    /// Where the browser may go, or why not where it shall.
    pub back: Result<Option<String>, Invalid>,
    /// Who is logged in here.
    pub user: Option<User>,
}

/// Steps 1 and 2, and who is to be asked.
pub fn leave(
    service: &Service,
    conn: &mut Conn,
    at: At,
    cookie: Option<&str>,
    asked: &Asked,
) -> Result<Leaving, Stop> {
    let named = asked.client_id.as_deref().map(|id| id.parse::<ClientId>().ok());
    let shown = match &asked.id_token_hint {
        // One that is not from here tells nothing, and nothing is done on its word.
        Some(hint) => find_id_token(service, conn, hint)?
            .filter(|shown| named.is_none_or(|named| named == Some(shown.client))),
        None => None,
    };
    let client = match named.unwrap_or(shown.as_ref().map(|shown| shown.client)) {
        Some(id) => find_application(conn, id)?,
        None => None,
    };
    let back = back(client.as_ref(), asked);
    if let Some(shown) = shown {
        end(service, conn, at, &shown)?;
    }
    let login = whoever_is_logged_in(service, conn, at.now, cookie)?;
    let user = login.map(|login| db::user::find(conn, login.user)).transpose()?.flatten();
    Ok(Leaving { application: client.map(|client| client.name), back, user })
}

fn back(client: Option<&Client>, asked: &Asked) -> Result<Option<String>, Invalid> {
    let Some(uri) = &asked.post_logout_redirect_uri else { return Ok(None) };
    let Some(client) = client else {
        let why = "needs the client_id of an application here, or its id_token_hint";
        return Err(Invalid::fixed("post_logout_redirect_uri", why));
    };
    if client.has_redirect_uri(uri) {
        Ok(Some(uri.clone()))
    } else {
        Err(Invalid::fixed("post_logout_redirect_uri", "is not among the redirect URIs of this application"))
    }
}

fn end(service: &Service, conn: &mut Conn, at: At, shown: &OwnIdToken) -> Result<(), Stop> {
    // First without a transaction: an ID token is good for this as long as its key, and its session has mostly ended.
    if !db::session::may_end(conn, shown.user, shown.session, at.now)? {
        return Ok(());
    }
    service.write(conn, at, |tx| {
        if tx.end_sessions(Which::OneOf(shown.user, shown.session))? > 0 {
            let subject = Subject::User(shown.user);
            let event = Event::done(Actor::Client(shown.client), Action::SessionEnded, subject);
            tx.note(event.with(format!("session={} why=application", shown.session)));
        }
        Ok(())
    })
}
