//! One-time links: for users to set a password and enrol a phone, and for the first administrator of an empty database.
//!
//! 1. A manager invites; the link goes out by mail, and to whoever runs the command line.
//! 2. The link leads to a password. That uses it up, ends all sessions, and hands out an `mfa_token`.
//! 3. With that the login goes on like every other: enrol a phone or, where there is one, give its code.

use zeroize::Zeroizing;

use crate::app::bearer::hand_out_pass;
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::outbox::queue;
use crate::crypto::keyed_hash::Purpose;
use crate::crypto::password;
use crate::db::mfa_token::MfaToken;
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Event, Subject};
use crate::domain::authorization::Details;
use crate::domain::client::Client;
use crate::domain::id::{ClientId, UserId};
use crate::domain::notice::Notice;
use crate::domain::password::Password;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::time::Timestamp;
use crate::domain::token::MFA_TOKEN_TTL_S;
use crate::domain::user::{Role, User, UserName, UserState};
use crate::error::Fault;
use crate::random;

pub use crate::db::invitation::Invited;

/// How long an invitation waits, in seconds: a week.
pub const INVITATION_TTL_S: i64 = 7 * 86_400;

/// How long the link for the first administrator waits, in seconds: a day. The next start makes another.
pub const FIRST_TTL_S: i64 = 86_400;

/// A link, whole, and when it ends.
pub struct Link {
    /// The URL.
    pub url: Zeroizing<String>,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Makes the link for the first administrator; none where there are users.
pub fn first_start(service: &Service, conn: &mut Conn, at: At, base: &str) -> Result<Option<Link>, Stop> {
    service.write(conn, at, |tx| {
        if db::user::count_up_to(tx.conn, 1)? > 0 {
            return Ok(None);
        }
        make(service, tx, base, None, FIRST_TTL_S).map(Some)
    })
}

/// Makes a link for a user, and mails it; older ones are void. The caller sees that it reaches nobody else.
pub fn invite_in(service: &Service, tx: &mut Tx<'_>, user: &User) -> Result<Link, Stop> {
    db::invitation::void(tx.conn, user.id)?;
    let link = make(service, tx, &service.issuer, Some(user.id), INVITATION_TTL_S)?;
    let notice = Notice::Invitation { link: link.url.to_string(), expires_at: link.expires_at };
    queue(service, tx, user, &notice)?;
    tx.note(Event::done(tx.origin.manager, Action::UserInvited, Subject::User(user.id)));
    Ok(link)
}

/// Invites the user of this name. Nobody whose account is disabled: the link would let nobody in.
pub fn invite(service: &Service, conn: &mut Conn, at: At, name: &UserName) -> Result<Link, Stop> {
    service.write(conn, at, |tx| {
        let user = tx.require_user(name)?;
        if user.state != UserState::Active {
            return Err(Invalid::new("user", "is locked: unlock it first").into());
        }
        invite_in(service, tx, &user)
    })
}

fn make(
    service: &Service,
    tx: &mut Tx<'_>,
    base: &str,
    user: Option<UserId>,
    ttl_s: i64,
) -> Result<Link, Stop> {
    let (token, hash) = service.new_token("", Purpose::Invitation);
    let expires_at = tx.now.plus_seconds(ttl_s);
    db::invitation::insert(tx.conn, &hash, user, expires_at, tx.now)?;
    Ok(Link { url: Zeroizing::new(format!("{base}/welcome/{}", token.as_str())), expires_at })
}

fn hashed(service: &Service, token: &str) -> [u8; 32] {
    service.hasher.hash(Purpose::Invitation, &[token.as_bytes()])
}

/// Whom a link is for; looking does not use it up.
pub fn look(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
) -> Result<(Invited, Option<User>), Stop> {
    let hash = hashed(service, token);
    let invited = db::invitation::find_live(conn, &hash, at.now)?.ok_or(Refusal::LoginExpired)?;
    match invited {
        Invited::FirstAdministrator if db::user::count_up_to(conn, 1)? > 0 => {
            Err(Refusal::LoginExpired.into())
        }
        Invited::FirstAdministrator => Ok((invited, None)),
        Invited::User(id) => Ok((invited, Some(db::user::find(conn, id)?.ok_or(Refusal::LoginExpired)?))),
    }
}

/// A user sets the password that the link is for. Returns an `mfa_token` of the console.
pub fn accept(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
    new: &Password,
) -> Result<Zeroizing<String>, Stop> {
    // Before the hashing, which costs much: whoever has no link costs little.
    look(service, conn, at, token)?;
    let password_hash = password::hash(new)?;
    service.write(conn, at, |tx| {
        let hash = hashed(service, token);
        let Some(Invited::User(id)) = db::invitation::find_live(tx.conn, &hash, tx.now)? else {
            return Err(Refusal::LoginExpired.into());
        };
        db::lockout::hold(tx.conn, id, tx.now)?;
        let user = db::user::find(tx.conn, id)?.filter(|user| user.state == UserState::Active);
        let user = user.ok_or(Refusal::LoginExpired)?;
        if !db::invitation::consume(tx.conn, &hash)? {
            return Err(Refusal::LoginExpired.into());
        }
        db::user::set_password_hash(tx.conn, user.id, &password_hash)?;
        db::mfa_token::end_all_of_user(tx.conn, user.id)?;
        db::trusted_device::forget_all(tx.conn, user.id)?;
        tx.end_sessions(Which::OfUser(user.id))?;
        tx.note(Event::done(Actor::User(user.id), Action::InvitationAccepted, Subject::User(user.id)));
        tx.note(Event::done(Actor::User(user.id), Action::PasswordChanged, Subject::User(user.id)));
        queue(service, tx, &user, &Notice::PasswordChanged)?;
        let console = console(tx)?;
        hand_out(service, tx, &console, user.id)
    })
}

/// Who shall be the first administrator.
pub struct FirstAdministrator {
    /// The name.
    pub name: UserName,
    /// Where mail goes.
    pub email: Option<String>,
    /// The password.
    pub password: Password,
}

/// Makes the first administrator. Returns an `mfa_token` of the console.
pub fn accept_first(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
    new: &FirstAdministrator,
) -> Result<Zeroizing<String>, Stop> {
    look(service, conn, at, token)?;
    let password_hash = password::hash(&new.password)?;
    service.write(conn, at, |tx| {
        let hash = hashed(service, token);
        let found = db::invitation::find_live(tx.conn, &hash, tx.now)?;
        if found != Some(Invited::FirstAdministrator) || !db::invitation::consume(tx.conn, &hash)? {
            return Err(Refusal::LoginExpired.into());
        }
        db::invitation::void_first(tx.conn)?;
        if db::user::count_up_to(tx.conn, 1)? > 0 {
            return Err(Refusal::LoginExpired.into());
        }
        let user = User {
            id: UserId::new(random::id(tx.now)),
            name: new.name.shown().to_owned(),
            email: new.email.clone(),
            password_hash: Some(password_hash),
            role: Role::Admin,
            state: UserState::Active,
            created_at: tx.now,
            language: None,
        };
        if !db::user::insert(tx.conn, &user, &new.name)? {
            return Err(Refusal::AlreadyExists { what: "user" }.into());
        }
        tx.note(Event::done(Actor::User(user.id), Action::InvitationAccepted, Subject::User(user.id)));
        let detail = format!("name={} role={}", user.name, user.role);
        tx.note(Event::done(Actor::User(user.id), Action::UserAdded, Subject::User(user.id)).with(detail));
        let console = console(tx)?;
        hand_out(service, tx, &console, user.id)
    })
}

fn console(tx: &mut Tx<'_>) -> Result<Client, Fault> {
    let found = db::client::find_with_secret(tx.conn, ClientId::CONSOLE)?;
    found.map(|(client, _)| client).ok_or(Fault::Corrupt { what: "console client" })
}

fn hand_out(
    service: &Service,
    tx: &mut Tx<'_>,
    console: &Client,
    user: UserId,
) -> Result<Zeroizing<String>, Stop> {
    let pass = MfaToken {
        user,
        client: console.id,
        audience: service.issuer.clone(),
        scope: console.scopes.to_string(),
        details: Details::default(),
        expires_at: tx.now.plus_seconds(MFA_TOKEN_TTL_S),
    };
    Ok(hand_out_pass(service, tx, &pass)?)
}
