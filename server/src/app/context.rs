//! What every use case needs: the keys, the issuer's name, and the transaction that ends with the audit log.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mobile_core::Secret;
use zeroize::Zeroizing;

use crate::app::manage::{Manager, Warrant};
use crate::crypto::keyed_hash::{KeyedHasher, Purpose};
use crate::crypto::master_key::MasterKey;
use crate::crypto::seal::{Place, Sealer};
use crate::crypto::signing::SigningKey;
use crate::db::audit::LastWritten;
use crate::db::factor::{Sealed, Spending, Spent};
use crate::db::lockout::Passed;
use crate::db::session::Which;
use crate::db::signing_key::StoredKey;
use crate::db::{self, Conn, Turns};
use crate::domain::audit::{Event, Noted, Origin};
use crate::domain::factor::{Matched, OpenFactor};
use crate::domain::figures::Figures;
use crate::domain::phone::PhoneApp;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::Scopes;
use crate::domain::time::Timestamp;
use crate::domain::token::{LEEWAY_S, Revocation, RevocationKind, SigningAlgorithm};
use crate::domain::user::{Role, User, UserName, UserState};
use crate::error::Fault;
use crate::random;

/// Why a use case did not do what was asked: refused on purpose, or broken.
#[derive(Debug)]
pub enum Stop {
    /// Refused: what was counted and logged on the way is committed.
    Refused(Refusal),
    /// Broken: nothing is.
    Broken(Fault),
}

/// What became of a change by somebody who looked first.
pub enum Change<T> {
    /// It is done.
    Done,
    /// Nothing was changed, since somebody else was faster. This is how it is now.
    Overtaken(T),
}

/// All of a list that is read page by page, so that no statement takes long. `page` takes where the last one ended, and how many it may bring.
pub fn all_pages<T, P>(
    begin: P,
    place: impl Fn(&T) -> P,
    mut page: impl FnMut(P, i64) -> Result<Vec<T>, Stop>,
) -> Result<Vec<T>, Stop> {
    const LENGTH: i64 = 1000;
    let (mut all, mut last) = (Vec::new(), begin);
    loop {
        let some = page(last, LENGTH)?;
        let Some(end) = some.last() else { return Ok(all) };
        last = place(end);
        all.extend(some);
    }
}

/// Does something to each, whatever comes of the others; `rest` says after each whether to go on. Returns why it was not done to some. Where the database
/// does not answer there is an end.
pub fn each<T>(
    all: impl IntoIterator<Item = T>,
    rest: impl Fn() -> bool,
    mut body: impl FnMut(T) -> Result<(), Stop>,
) -> Vec<Stop> {
    let mut failed = Vec::new();
    for one in all {
        let outcome = body(one);
        let is_lost = matches!(outcome, Err(Stop::Broken(Fault::Database(_))));
        failed.extend(outcome.err());
        if is_lost || !rest() {
            break;
        }
    }
    failed
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Invalid> for Stop {
    fn from(invalid: Invalid) -> Self {
        Self::Refused(invalid.into())
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Broken(fault)
    }
}

impl From<diesel::result::Error> for Stop {
    fn from(error: diesel::result::Error) -> Self {
        Self::Broken(error.into())
    }
}

/// When and from where something is asked.
#[derive(Clone, Copy, Debug)]
pub struct At {
    /// The time of the request; there is no other.
    pub now: Timestamp,
    /// Where it came from.
    pub origin: Origin,
    /// By what a manager asks; none where nobody manages, and at the command line, which may do everything.
    pub warrant: Option<Warrant>,
}

impl At {
    /// Of somebody who manages nothing, or of the command line.
    pub const fn new(now: Timestamp, origin: Origin) -> Self {
        Self { now, origin, warrant: None }
    }
}

/// A transaction and the events that it will append to the audit log before it commits.
pub struct Tx<'a> {
    /// The connection, inside the transaction.
    pub conn: &'a mut Conn,
    /// The time of the request.
    pub now: Timestamp,
    /// Where it came from.
    pub origin: Origin,
    /// The manager who asks, as found inside this transaction.
    manager: Option<Manager>,
    events: Vec<Noted>,
    revocations: Vec<Revocation>,
    /// Written at the end, all at once: nothing in this transaction reads them back.
    spending: Spending,
    sessions: Vec<db::session::New>,
    tokens: Vec<db::token::New>,
    /// Whether the database was found bound to our master key, as it is until the transaction ends.
    is_bound: bool,
}

impl<'a> Tx<'a> {
    fn new(conn: &'a mut Conn, at: At) -> Self {
        Self {
            conn,
            now: at.now,
            origin: at.origin,
            manager: None,
            events: Vec::new(),
            revocations: Vec::new(),
            spending: Spending::default(),
            sessions: Vec::new(),
            tokens: Vec::new(),
            is_bound: false,
        }
    }

    /// When and from where what happens now was asked for.
    pub const fn at(&self) -> At {
        At::new(self.now, self.origin)
    }

    /// Goes on with another request of the same transaction: what happens from here on was asked for then and from there.
    pub const fn turn_to(&mut self, at: At) {
        self.now = at.now;
        self.origin = at.origin;
    }

    /// Seals a secret for its place, unless the master key was rotated since this server has read it: nobody could open that.
    pub fn seal(&mut self, service: &Service, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        if !self.is_bound {
            service.must_stay_bound(self.conn)?;
            self.is_bound = true;
        }
        service.sealer.seal(place, plain)
    }

    /// Uses up a right code of a user who passed the gate in this transaction.
    pub fn spend(&mut self, passed: &Passed, matched: &Matched) -> Result<Spent, Fault> {
        self.spending.add(self.conn, passed, matched, self.now)
    }

    /// Records a login.
    pub fn log_in(&mut self, session: db::session::New) {
        self.sessions.push(session);
    }

    /// Records a token.
    pub fn record(&mut self, token: db::token::New) {
        self.tokens.push(token);
    }

    /// Writes what was gathered, the audit log last: its head is held from then on.
    fn close(self, service: &Service) -> Result<(), Fault> {
        db::login::write_all(self.conn, &self.spending, &self.sessions, &self.tokens)?;
        if !self.events.is_empty() {
            let hash = |parts: &[&[u8]]| service.hasher.hash(Purpose::Audit, parts);
            let seq = db::audit::append(self.conn, &service.log_end, &self.events, hash)?;
            db::revocation::append(self.conn, seq, &self.revocations)?;
        } else if !self.revocations.is_empty() {
            // Their place in the list is that of the event which says who revoked, and why.
            return Err(Fault::Corrupt { what: "revocation without an event" });
        }
        Ok(())
    }

    /// Refuses to touch users in a role, or to give one, where that is out of the manager's reach.
    pub fn must_reach(&self, role: Role) -> Result<(), Refusal> {
        self.manager.as_ref().map_or(Ok(()), |manager| manager.must_reach(role))
    }

    /// Refuses a manager who may not do everything.
    pub fn must_be_whole(&self) -> Result<(), Refusal> {
        self.manager.as_ref().map_or(Ok(()), Manager::must_be_whole)
    }

    /// Refuses to touch a client with scopes that are out of the manager's reach, or to give it some.
    pub fn must_hold(&self, scopes: &Scopes) -> Result<(), Refusal> {
        self.manager.as_ref().map_or(Ok(()), |manager| manager.must_hold(scopes))
    }

    /// Refuses a manager to take away the last user who may manage everything. The command line may: it can make another.
    pub fn must_leave_an_administrator(&mut self, without: &User) -> Result<(), Stop> {
        let administers = without.role == Role::Admin && without.state == UserState::Active;
        if self.manager.is_some() && administers && !db::user::others_administer(self.conn, without.id)? {
            return Err(Refusal::LastAdministrator.into());
        }
        Ok(())
    }

    /// Whether it is a help desk that asks.
    pub fn is_help_desk(&self) -> bool {
        self.manager.as_ref().is_some_and(Manager::is_help_desk)
    }

    /// The user of this name, within the manager's reach; held until the transaction ends: no code is checked, and neither role nor
    /// factors are changed meanwhile.
    pub fn require_user(&mut self, name: &UserName) -> Result<User, Stop> {
        let missing = Refusal::NotFound { what: "user" };
        let found = db::user::find_by_name(self.conn, name)?.ok_or(missing.clone())?;
        db::lockout::hold(self.conn, found.id, self.now)?;
        // Once more behind the hold: it may have waited for somebody who changed or removed the user.
        let user = db::user::find(self.conn, found.id)?.ok_or(missing)?;
        self.must_reach(user.role)?;
        Ok(user)
    }

    fn find_manager(&mut self, service: &Service, warrant: Option<Warrant>) -> Result<(), Stop> {
        self.manager = warrant.map(|warrant| warrant.manager(service, self.conn, self.now)).transpose()?;
        Ok(())
    }

    /// Notes an event for the audit log.
    pub fn note(&mut self, event: Event) {
        self.events.push(Noted { event, origin: self.origin, at: self.now });
    }

    /// Ends sessions, and with them their tokens; returns how many were live.
    pub fn end_sessions(&mut self, which: Which<'_>) -> Result<usize, Fault> {
        let ended = db::session::end(self.conn, which, self.now)?;
        for (session, expires_at) in db::token::last_jwts(self.conn, &ended, self.now)? {
            self.revoked(RevocationKind::Session, session.to_string(), expires_at);
        }
        Ok(ended.len())
    }

    /// Puts something on the list of revocations, for whoever checks JWTs alone: until the last JWT of it has ended everywhere.
    pub fn revoked(&mut self, kind: RevocationKind, id: String, last_ends_at: Timestamp) {
        let expires_at = last_ends_at.plus_seconds(LEEWAY_S);
        self.revocations.push(Revocation { kind, id, expires_at });
    }
}

/// What the operator decides about the web console.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConsolePolicy {
    /// How long a browser may skip the code at login, in seconds; none: never.
    pub remember_device_s: Option<i64>,
    /// Whether a help desk's resets wait for a second person.
    pub reset_needs_approval: bool,
}

/// The server's keys and names: the same for every request.
pub struct Service {
    /// The public URL: `iss` of every token.
    pub issuer: String,
    /// What phones show beside the account.
    pub issuer_name: String,
    /// How long a signing key signs before the next one takes over, in seconds; none: only by command.
    pub key_age_s: Option<i64>,
    /// How many days the audit log reaches back; none: to its beginning.
    pub audit_keep_days: Option<u16>,
    /// How the web console behaves.
    pub console: ConsolePolicy,
    /// Where the phone app is.
    pub phone: PhoneApp,
    /// Seals secrets at rest.
    pub sealer: Sealer,
    /// Hashes tokens and names.
    pub hasher: KeyedHasher,
    /// What was counted lately.
    pub figures: Mutex<Figures>,
    turns: Turns,
    log_end: LastWritten,
    signing_keys: RwLock<HashMap<String, Arc<SigningKey>>>,
}

impl Service {
    /// Derives all keys from the master key.
    pub fn new(master: &MasterKey, issuer: String, issuer_name: String, key_age_s: Option<i64>) -> Self {
        Self {
            phone: PhoneApp::beside(&issuer),
            issuer,
            issuer_name,
            key_age_s,
            audit_keep_days: None,
            console: ConsolePolicy::default(),
            sealer: Sealer::new(master),
            hasher: KeyedHasher::new(master),
            figures: Mutex::default(),
            turns: Turns::default(),
            log_end: LastWritten::default(),
            signing_keys: RwLock::default(),
        }
    }

    /// Refuses to go on with a database that is bound to another master key than ours.
    pub fn must_be_bound(&self, conn: &mut Conn) -> Result<(), Fault> {
        self.must_be(db::master_key::find(conn)?.map(|(key_id, _)| key_id))
    }

    /// The same until the transaction ends.
    pub fn must_stay_bound(&self, conn: &mut Conn) -> Result<(), Fault> {
        self.must_be(db::master_key::hold(conn)?)
    }

    fn must_be(&self, bound: Option<String>) -> Result<(), Fault> {
        match bound {
            Some(bound) if bound == self.sealer.key_id().to_string() => Ok(()),
            Some(_) => Err(Fault::Crypto("the master key was rotated: start again with the new one")),
            None => Err(Fault::Database("it is bound to no master key any more".to_owned())),
        }
    }

    /// Runs `body` in one transaction that ends with its audit events. A refusal commits like a success; a fault rolls back.
    ///
    /// Where a manager asks it begins with finding out once more who that is: whoever lost a role or a session before changes nothing.
    pub fn write<T>(
        &self,
        conn: &mut Conn,
        at: At,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let outcome = self.write_in_turn(conn, |conn| {
            let mut tx = Tx::new(conn, at);
            let outcome = match tx.find_manager(self, at.warrant).and_then(|()| body(&mut tx)) {
                Ok(value) => Ok(value),
                Err(Stop::Refused(refusal)) => Err(refusal),
                Err(Stop::Broken(fault)) => return Err(fault),
            };
            tx.close(self)?;
            Ok(outcome)
        })?;
        outcome.map_err(Stop::Refused)
    }

    /// The same for what has to happen whole or not at all: whatever stops `body`, a refusal too, rolls back.
    pub fn write_or_undo<T, E: From<Fault>>(
        &self,
        conn: &mut Conn,
        at: At,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self.turns.wait(conn)?;
        conn.write_or_stop(|conn| {
            let mut tx = Tx::new(conn, at);
            let value = body(&mut tx)?;
            tx.close(self)?;
            Ok(value)
        })
    }

    /// One transaction for many requests that nobody manages. `body` turns to one after the other ([`Tx::turn_to`]); what each comes to,
    /// refusals too, is its value.
    pub fn write_together<T>(
        &self,
        conn: &mut Conn,
        first: At,
        body: impl FnOnce(&mut Tx<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.write_in_turn(conn, |conn| {
            let mut tx = Tx::new(conn, first);
            let outcome = body(&mut tx)?;
            tx.close(self)?;
            Ok(outcome)
        })
    }

    /// The same for a PUT of something by its name: once more where another transaction took the name at the same moment. Then it is
    /// there, and `body` finds it.
    pub fn write_by_name<T>(
        &self,
        conn: &mut Conn,
        at: At,
        mut body: impl FnMut(&mut Tx<'_>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        match self.write(conn, at, &mut body) {
            Err(Stop::Refused(Refusal::AlreadyExists { .. })) => self.write(conn, at, body),
            outcome => outcome,
        }
    }

    /// A transaction with nothing but what `body` does, in its turn among those of this server.
    pub fn write_in_turn<T>(
        &self,
        conn: &mut Conn,
        body: impl FnOnce(&mut Conn) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.alone(conn, |conn| conn.write(body))
    }

    /// What only a writer may do and no transaction, in its turn among those of this server.
    pub fn alone<T>(
        &self,
        conn: &mut Conn,
        body: impl FnOnce(&mut Conn) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let _turn = self.turns.wait(conn)?;
        body(conn)
    }

    /// The key that signs, opened once and kept.
    pub fn signing_key(&self, stored: &StoredKey) -> Result<Arc<SigningKey>, Fault> {
        let known =
            self.signing_keys.read().unwrap_or_else(PoisonError::into_inner).get(&stored.kid).cloned();
        if let Some(key) = known {
            return Ok(key);
        }
        let key = Arc::new(self.open_signing_key(stored)?);
        let mut keys = self.signing_keys.write().unwrap_or_else(PoisonError::into_inner);
        // One of access tokens and one of ID tokens sign; of those before them it is none worth keeping.
        if keys.len() >= 2 {
            keys.clear();
        }
        keys.insert(stored.kid.clone(), Arc::clone(&key));
        Ok(key)
    }

    /// What pages of a browser carry, made of its cookie and of what they are for: another site can neither read nor compute it.
    pub fn mark(&self, of: &[&str]) -> String {
        let parts: Vec<&[u8]> = of.iter().map(|part| part.as_bytes()).collect();
        URL_SAFE_NO_PAD.encode(self.hasher.hash(Purpose::Csrf, &parts))
    }

    /// Whether something carries that mark.
    pub fn is_mark(&self, of: &[&str], shown: &str) -> bool {
        let parts: Vec<&[u8]> = of.iter().map(|part| part.as_bytes()).collect();
        let shown = URL_SAFE_NO_PAD.decode(shown).unwrap_or_default();
        self.hasher.matches(Purpose::Csrf, &parts, &shown)
    }

    /// Opens a key, for once.
    pub fn open_signing_key(&self, stored: &StoredKey) -> Result<SigningKey, Fault> {
        let place = match stored.algorithm {
            SigningAlgorithm::EdDsa | SigningAlgorithm::Es256 => Place::signing_key(&stored.kid),
            SigningAlgorithm::Rs256 => Place::id_token_key(&stored.kid),
        };
        let private = self.sealer.open(place, &stored.sealed)?;
        SigningKey::new(&stored.kid, stored.algorithm, &private)
    }

    /// A random token of 256 bits, and the keyed hash under which it is kept. By the prefix programs that look for secrets know it.
    pub fn new_token(&self, prefix: &str, purpose: Purpose) -> (Zeroizing<String>, [u8; 32]) {
        let random = URL_SAFE_NO_PAD.encode(random::bytes::<32>().as_slice());
        let token = Zeroizing::new(format!("{prefix}{random}"));
        let hash = self.hasher.hash(purpose, &[token.as_bytes()]);
        (token, hash)
    }

    /// Opens a factor's secret, for one check.
    pub fn open_factor(&self, factor: &Sealed) -> Result<OpenFactor, Fault> {
        let plain = self.sealer.open(Place::factor_secret(&factor.summary.id), &factor.sealed)?;
        let secret = Secret::from_bytes(&plain).map_err(|_| Fault::Corrupt { what: "factor secret" })?;
        Ok(OpenFactor::new(&factor.summary, factor.last, secret))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::thread;
    use std::time::Duration;

    use diesel::connection::SimpleConnection;

    use super::Service;
    use crate::crypto::master_key::MasterKey;
    use crate::db::{Conn, Database};
    use crate::domain::target::Target;

    fn write(service: &Service, conn: &mut Conn, body: impl FnOnce()) {
        let written = service.write_in_turn(conn, |conn| {
            body();
            Ok(conn.batch_execute("INSERT INTO t VALUES (1)")?)
        });
        written.unwrap();
    }

    /// Without a line the second would look at the file now and then, and find it free by luck.
    #[test]
    fn whoever_waits_to_write_a_sqlite_file_is_next() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(Target::Sqlite(folder.path().join("countersign.db")), 2, None);
        database.prepare().unwrap();
        let (mut first, mut second) = (database.connection().unwrap(), database.connection().unwrap());
        first.batch_execute("CREATE TABLE t (x)").unwrap();
        let service = Service::new(&MasterKey::generate(), String::new(), String::new(), None);
        let (is_coming, written) = (AtomicBool::new(false), AtomicU32::new(0));
        thread::scope(|scope| {
            let late = scope.spawn(|| {
                while !is_coming.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                let mut before = 0;
                write(&service, &mut second, || before = written.load(Ordering::SeqCst));
                before
            });
            write(&service, &mut first, || {
                is_coming.store(true, Ordering::SeqCst);
                // By then it stands in line.
                thread::sleep(Duration::from_millis(500));
            });
            for _ in 0..50 {
                write(&service, &mut first, || {});
                written.fetch_add(1, Ordering::SeqCst);
            }
            assert_eq!(late.join().unwrap(), 0);
        });
    }
}
