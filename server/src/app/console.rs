//! A browser session in the web console: who is looking, for how long, and what people do for themselves there.
//!
//! It is a session like those of other applications, with one opaque access token that lives in a cookie scripts cannot read. Whatever
//! a page does, it does by showing that token to the same use cases as an application would.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::app::bearer::{console_end, console_login, hold_console_login, mfa_pass};
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::outbox::queue;
use crate::crypto::keyed_hash::Purpose;
use crate::crypto::password;
use crate::db::session::Which;
use crate::db::{self, Conn};
use crate::domain::audit::{Action, Actor, Entry, Event, Subject};
use crate::domain::factor::{CodeShape, FactorState, Summary};
use crate::domain::id::{ClientId, FactorId};
use crate::domain::notice::Notice;
use crate::domain::password::Password;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::time::Timestamp;
use crate::domain::token::Login;
use crate::domain::user::{Language, User};
use crate::random;

/// Somebody who is logged in.
#[derive(Clone)]
pub struct Visitor {
    /// Who.
    pub user: User,
    /// The login.
    pub login: Login,
    /// What a code within the session looks like.
    pub codes: CodeShape,
}

/// Who shows this cookie; the session goes on for another half hour.
pub fn visit(service: &Service, conn: &mut Conn, at: At, token: &str) -> Result<Visitor, Stop> {
    let login = console_login(service, conn, at.now, token)?;
    let user = db::user::find(conn, login.user)?.ok_or(Refusal::InvalidToken)?;
    if let Some(ends_at) = console_end(&login, at.now) {
        service.write_in_turn(conn, |conn| db::session::touch(conn, login.session, ends_at, at.now))?;
    }
    let factors = db::factor::list(conn, user.id)?;
    let active = factors.iter().filter(|factor| factor.state == FactorState::Active);
    let codes = CodeShape::of(active.map(|factor| factor.mechanism));
    Ok(Visitor { user, login, codes })
}

/// What every form carries that belongs to the browser with this cookie: another site can neither read nor compute it.
pub fn form_mark(service: &Service, cookie: &str) -> String {
    service.mark(&[cookie])
}

/// Whether a form carries that mark.
pub fn is_form_mark(service: &Service, cookie: &str, shown: &str) -> bool {
    service.is_mark(&[cookie], shown)
}

/// A random value for the cookie of a browser that is nobody's yet.
pub fn new_mark() -> String {
    URL_SAFE_NO_PAD.encode(random::bytes::<24>().as_slice())
}

/// Whose `mfa_token` this is, and whether there is a phone to ask for a code: the steps between a password and a login.
pub struct Halfway {
    /// The user.
    pub user: User,
    /// Whether there is an active factor.
    pub has_factor: bool,
    /// What a code looks like that goes on from here; one of a pending factor, too, does.
    pub codes: CodeShape,
}

/// Looks at an `mfa_token` of the console.
pub fn halfway(service: &Service, conn: &mut Conn, at: At, mfa_token: &str) -> Result<Halfway, Stop> {
    let (pass, _) = mfa_pass(service, conn, at.now, ClientId::CONSOLE, mfa_token)?;
    let user = db::user::find(conn, pass.user)?.ok_or(Refusal::LoginExpired)?;
    let mut factors = db::factor::list(conn, user.id)?;
    factors.retain(|factor| !factor.has_lapsed(at.now));
    let has_factor = factors.iter().any(|factor| factor.state == FactorState::Active);
    let codes = CodeShape::of(factors.iter().map(|factor| factor.mechanism));
    Ok(Halfway { user, has_factor, codes })
}

/// What the page of a first enrolment carries on to the one that takes the code: that the browser with this `mfa_token` was shown the secret of
/// this factor.
pub fn shown_mark(service: &Service, mfa_token: &str, factor: FactorId) -> String {
    let factor = factor.to_string();
    let mark = service.mark(&[mfa_token, &factor]);
    format!("{factor}.{mark}")
}

/// The factor of such a mark, if it is one.
pub fn shown_factor(service: &Service, mfa_token: &str, carried: &str) -> Option<FactorId> {
    let (factor, mark) = carried.split_once('.')?;
    service.is_mark(&[mfa_token, factor], mark).then(|| factor.parse().ok()).flatten()
}

/// Changes something for whoever is logged in. Whoever has no good cookie takes no writer's turn: anybody can invent one, with the mark that a form
/// of the login would carry.
fn change_as_user<T>(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
    change: impl FnOnce(&mut Tx<'_>, &Login) -> Result<T, Stop>,
) -> Result<T, Stop> {
    console_login(service, conn, at.now, token)?;
    service.write(conn, at, |tx| {
        let login = console_login(service, tx.conn, tx.now, token)?;
        change(tx, &login)
    })
}

/// Ends the session behind this cookie.
pub fn log_out(service: &Service, conn: &mut Conn, at: At, token: &str) -> Result<(), Stop> {
    change_as_user(service, conn, at, token, |tx, login| {
        if tx.end_sessions(Which::One(login.session))? > 0 {
            let event = Event::done(Actor::User(login.user), Action::SessionEnded, Subject::User(login.user));
            tx.note(event.with(format!("session={} why=logout", login.session)));
        }
        Ok(())
    })
}

/// Lets this browser skip the code for as long as the operator allows. Returns its mark; none where the operator does not, or the user
/// manages.
pub fn trust_device(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
) -> Result<Option<Zeroizing<String>>, Stop> {
    let Some(seconds) = service.console.remember_device_s else { return Ok(None) };
    service.write(conn, at, |tx| {
        let login = hold_console_login(service, tx, token)?;
        if !login.used_second_factor() {
            return Err(Refusal::FactorNeeded.into());
        }
        let user = db::user::find(tx.conn, login.user)?.ok_or(Refusal::InvalidToken)?;
        if !user.role.may_skip_the_code() {
            return Ok(None);
        }
        let (mark, hash) = service.new_token("", Purpose::TrustedDevice);
        let until = tx.now.plus_seconds(seconds);
        db::trusted_device::insert(tx.conn, &hash, login.user, until, tx.now)?;
        let event = Event::done(Actor::User(login.user), Action::DeviceTrusted, Subject::User(login.user));
        tx.note(event.with(format!("until={until}")));
        Ok(Some(mark))
    })
}

/// Lets none of the own browsers skip the code any more.
pub fn forget_devices(service: &Service, conn: &mut Conn, at: At, token: &str) -> Result<(), Stop> {
    change_as_user(service, conn, at, token, |tx, login| {
        let forgotten = db::trusted_device::forget_all(tx.conn, login.user)?;
        let event = Event::done(Actor::User(login.user), Action::DevicesForgotten, Subject::User(login.user));
        tx.note(event.with(format!("devices={forgotten}")));
        Ok(())
    })
}

/// What a user's own page shows.
pub struct Account {
    /// Factors that are not over.
    pub factors: Vec<Summary>,
    /// Recovery codes that are left.
    pub recovery_codes: i64,
    /// Browsers that skip the code.
    pub trusted_devices: i64,
}

impl Account {
    /// Whether there is a factor whose code can be asked for.
    pub fn has_active_factor(&self) -> bool {
        self.factors.iter().any(|factor| factor.state == FactorState::Active)
    }
}

/// Everything on a user's own page.
pub fn account(conn: &mut Conn, at: At, visitor: &Visitor) -> Result<Account, Stop> {
    let mut factors = db::factor::list(conn, visitor.user.id)?;
    factors.retain(|factor| factor.state != FactorState::Revoked && !factor.has_lapsed(at.now));
    Ok(Account {
        factors,
        recovery_codes: db::recovery_code::count(conn, visitor.user.id)?,
        trusted_devices: db::trusted_device::count(conn, &visitor.user, at.now)?,
    })
}

/// The last `limit` things that were done by a user or to one, the youngest first.
pub fn activity(conn: &mut Conn, user: &User, limit: i64) -> Result<Vec<Entry>, Stop> {
    Ok(db::audit::of_user(conn, &Subject::User(user.id).stored(), limit)?)
}

/// Chooses the language of the own pages and mails.
pub fn set_language(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
    language: Language,
) -> Result<(), Stop> {
    change_as_user(service, conn, at, token, |tx, login| {
        Ok(db::user::set_language(tx.conn, login.user, Some(language))?)
    })
}

/// Gives an own factor another name, 1 to 64 characters.
pub fn rename_factor(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
    factor: FactorId,
    label: &str,
) -> Result<(), Stop> {
    let label = label.trim();
    if label.is_empty() || label.chars().count() > 64 || label.chars().any(char::is_control) {
        return Err(Invalid::new("label", "must be 1 to 64 characters").into());
    }
    change_as_user(service, conn, at, token, |tx, login| {
        if !db::factor::rename(tx.conn, login.user, factor, label)? {
            return Err(Refusal::NotFound { what: "factor" }.into());
        }
        let event = Event::done(Actor::User(login.user), Action::FactorRenamed, Subject::User(login.user));
        tx.note(event.with(format!("factor={factor}")));
        Ok(())
    })
}

/// A user changes the own password. Wants a login that gave a code a short while ago; all other sessions end.
pub fn change_password(
    service: &Service,
    conn: &mut Conn,
    at: At,
    token: &str,
    new: &Password,
) -> Result<(), Stop> {
    must_be_fresh(&console_login(service, conn, at.now, token)?, at.now)?;
    let hash = password::hash(new)?;
    service.write(conn, at, |tx| {
        let login = hold_console_login(service, tx, token)?;
        must_be_fresh(&login, tx.now)?;
        db::user::set_password_hash(tx.conn, login.user, &hash)?;
        end_others(service, tx, &login)
    })
}

fn must_be_fresh(login: &Login, now: Timestamp) -> Result<(), Refusal> {
    if !login.used_second_factor() {
        return Err(Refusal::FactorNeeded);
    }
    login.must_be_fresh(now)
}

fn end_others(service: &Service, tx: &mut Tx<'_>, login: &Login) -> Result<(), Stop> {
    db::mfa_token::end_all_of_user(tx.conn, login.user)?;
    db::trusted_device::forget_all(tx.conn, login.user)?;
    db::invitation::void(tx.conn, login.user)?;
    let ended = tx.end_sessions(Which::OfUserBut(login.user, login.session))?;
    let event = Event::done(Actor::User(login.user), Action::PasswordChanged, Subject::User(login.user));
    tx.note(event.with(format!("sessions={ended}")));
    if let Some(user) = db::user::find(tx.conn, login.user)? {
        queue(service, tx, &user, &Notice::PasswordChanged)?;
    }
    Ok(())
}
