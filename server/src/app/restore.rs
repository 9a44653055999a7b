//! Restoring: a backup becomes a database again, in one transaction, in which what has been forgotten since is made harmless.
//!
//! 1. The backup is read from first to last row; its keyed hash says that it is as it was written.
//! 2. The target has to be empty. From here on everything is one transaction: whatever stops it leaves the target as it was.
//! 3. Tables as old as the backup's are made, its rows are copied, and the keyed hash is computed once more over what arrived.
//! 4. The tables are brought up to date.
//! 5. Nobody knows what has happened between the backup and now. So what can have been used up counts as used up, and what can have been taken back
//!    counts as taken back: `settle`.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::app::backup::{Counted, prove};
use crate::app::context::{At, Service, Stop, Tx};
use crate::app::key::{Leaked, revoke_in};
use crate::db::backup::{self, Mark};
use crate::db::copying::{self, Occupied};
use crate::db::factor::CounterFactor;
use crate::db::{self, Conn, Database, MigrateError, catalogue, migrate, relocation};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::time::Timestamp;
use crate::domain::token::LEEWAY_S;
use crate::error::Fault;

/// Why nothing was restored. Nothing was changed either.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// No such file.
    #[error("there is no file {0}")]
    NoFile(String),
    /// It cannot be read.
    #[error("the file {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Another file, or what is left of a backup.
    #[error("{0} is no backup that `countersign backup` has written; nothing was changed")]
    NoBackup(String),
    /// It reads otherwise than it was written.
    #[error("the backup {0} is damaged or was altered since it was written; nothing was changed")]
    Altered(String),
    /// Somebody's data are there, another program's or a later version's.
    #[error("the database {place} {why}; nothing was changed")]
    Occupied {
        /// Where.
        place: String,
        /// What.
        why: Occupied,
    },
    /// Codes that were accepted meanwhile would be good once more.
    #[error(
        "the backup is of {made_at}, which this machine's clock says is yet to come ({now}); nothing was changed"
    )]
    FromTheFuture {
        /// When it was made.
        made_at: Timestamp,
        /// When that was read.
        now: Timestamp,
    },
    /// What was written is not what is read.
    #[error("what arrived in the database {0} is not what is in the backup; nothing was changed")]
    Unequal(String),
    /// The backup is of a newer version, or the database closed or newer.
    #[error("{0}")]
    Closed(#[from] MigrateError),
    /// A database failed.
    #[error("{0}")]
    Broken(#[from] Fault),
}

impl From<Stop> for RestoreError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Broken(fault) => Self::Broken(fault),
            // Nothing that is done here is refused.
            Stop::Refused(_) => Self::Broken(Fault::Corrupt { what: "refusal" }),
        }
    }
}

/// A backup that was opened.
pub struct Backup {
    /// The file, for whoever wants to look which master key it wants.
    pub conn: Conn,
    /// What it says of itself.
    pub mark: Mark,
    shown: String,
    versions: Vec<String>,
}

/// Opens a backup; neither changes it nor makes a file beside it.
pub fn open(file: &Path) -> Result<Backup, RestoreError> {
    let shown = file.display().to_string();
    File::open(file).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => RestoreError::NoFile(shown.clone()),
        _ => RestoreError::Unreadable { path: shown.clone(), source },
    })?;
    if !backup::is_marked(file) {
        return Err(RestoreError::NoBackup(shown));
    }
    if !backup::is_whole(file).unwrap_or(false) {
        return Err(RestoreError::Altered(shown));
    }
    let mut conn = backup::open_read_only(file)?;
    let read = backup::find(&mut conn).and_then(|mark| Ok((mark, migrate::versions(&mut conn)?)));
    let (mark, versions) = read.map_err(|_| RestoreError::Altered(shown.clone()))?;
    let mark = mark.ok_or_else(|| RestoreError::Altered(shown.clone()))?;
    if let Some(version) = migrate::first_unknown_of(&versions)? {
        return Err(MigrateError::Newer { version }.into());
    }
    if !backup::is_sound(&mut conn).unwrap_or(false) {
        return Err(RestoreError::Altered(shown));
    }
    Ok(Backup { conn, mark, shown, versions })
}

/// Step 1, and a look at the target that makes and changes nothing.
pub fn survey(
    service: &Service,
    backup: &mut Backup,
    to: &Database,
    now: Timestamp,
) -> Result<(), RestoreError> {
    if let Some(mut target) = to.look()? {
        if let Some(error) = relocation::find(&mut target)?.and_then(MigrateError::closed) {
            return Err(error.into());
        }
        to.must_hold_every_name(&mut target)?;
        must_be_empty(&mut target, to)?;
    }
    let altered = || RestoreError::Altered(backup.shown.clone());
    let (proof, _) = prove(service, &mut backup.conn, &backup.mark).map_err(|_| altered())?;
    if proof[..] != backup.mark.proof[..] {
        return Err(altered());
    }
    let made_at = backup.mark.made_at;
    if made_at > now.plus_seconds(LEEWAY_S) {
        return Err(RestoreError::FromTheFuture { made_at, now });
    }
    Ok(())
}

fn must_be_empty(target: &mut Conn, to: &Database) -> Result<(), RestoreError> {
    let place = to.target().shown();
    match copying::occupied(target)? {
        None => Ok(()),
        Some(why) => Err(RestoreError::Occupied { place, why }),
    }
}

/// What a restore did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Restored {
    /// How many rows were brought back.
    pub tables: Vec<Counted>,
    /// What was made harmless.
    pub settled: Settled,
}

/// Steps 2 to 5. The backup must have been surveyed.
pub fn restore(
    service: &Service,
    backup: &mut Backup,
    to: &Database,
    keep_recovery_codes: bool,
    at: At,
) -> Result<Restored, RestoreError> {
    let mut target = to.open_or_create()?;
    relocation::take_time(&mut target)?;
    service.write_or_undo(&mut target, at, |tx| {
        migrate::hold(tx.conn)?;
        must_be_empty(tx.conn, to)?;
        migrate::unmake(tx.conn)?;
        migrate::make_at(tx.conn, &backup.versions)?;
        let tables = catalogue::tables(&mut backup.conn)?;
        if copying::unlike(&tables, &catalogue::tables(tx.conn)?).is_some() {
            return Err(RestoreError::Altered(backup.shown.clone()));
        }
        copying::replace(&mut backup.conn, tx.conn, &tables)?;
        let (proof, tables) = prove(service, tx.conn, &backup.mark)?;
        if proof[..] != backup.mark.proof[..] {
            return Err(RestoreError::Unequal(to.target().shown()));
        }
        migrate::finish(tx.conn)?;
        let settled = settle(service, tx, &backup.mark, keep_recovery_codes)?;
        Ok(Restored { tables, settled })
    })
}

/// What was made harmless, since nobody knows what became of it after the backup.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settled {
    /// How many TOTP factors have their codes up to about now used up.
    pub totp_factors: usize,
    /// The HOTP factors: where they are is not known, so they verify nothing until they are resynchronised.
    pub hotp_factors: Vec<CounterFactor>,
    /// How many logins ended.
    pub sessions: i64,
    /// How many signing keys were revoked.
    pub signing_keys: usize,
    /// How many passwords must be given once more, since their `mfa_token` is gone.
    pub pending_logins: i64,
    /// How many recovery codes are void.
    pub recovery_codes: usize,
    /// How many one-time links are void.
    pub invitations: usize,
    /// How many browsers are trusted no more.
    pub trusted_devices: usize,
    /// How many resets that waited for a second person are to be asked for again.
    pub reset_requests: usize,
    /// How many mails that waited are given up.
    pub mails: usize,
}

/// Step 5, table by table. What is not here stays as it was: a user, an application or a grant that was changed since is for the operator to change
/// again, failures that were counted since are not known, and where somebody has logged in before decides about no more than a mail.
fn settle(
    service: &Service,
    tx: &mut Tx<'_>,
    mark: &Mark,
    keep_recovery_codes: bool,
) -> Result<Settled, RestoreError> {
    let (conn, now) = (&mut *tx.conn, tx.now);
    // The clock here may be behind that of the servers which accepted codes.
    let totp_factors = db::factor::spend_until(conn, now.plus_seconds(LEEWAY_S))?;
    db::factor::revoke_pending_counters(conn, now)?;
    let hotp_factors = db::factor::doubt_all_counters(conn)?;
    // Any of them may have been used and replaced by another.
    let recovery_codes = if keep_recovery_codes { 0 } else { db::recovery_code::remove_everybodys(conn)? };
    // A refresh token may have been spent, a session ended, a token revoked.
    let sessions = db::session::end_all(conn, now)?;
    db::token::revoke_all_without_session(conn, now)?;
    let pending_logins = db::mfa_token::end_all(conn, now)?;
    // The sessions that they came from have ended, too.
    db::authorization_code::end_all(conn)?;
    let invitations = db::invitation::void_all(conn)?;
    let trusted_devices = db::trusted_device::forget_everybodys(conn)?;
    let reset_requests = db::reset_request::void_all(conn)?;
    // Some were sent, and the links in others are void.
    let mails = db::outbox::give_up_all(conn, "the database was restored from a backup")?;
    // Some may have been revoked since. And JWTs of sessions that are not known any more end only with the key that signed them.
    let (_, revoked) = revoke_in(service, tx, &Leaked::All)?;
    let detail = format!(
        "backup_of={} sessions={sessions} hotp_factors={} recovery_codes={recovery_codes} invitations={invitations}",
        mark.made_at,
        hotp_factors.len()
    );
    tx.note(Event::done(Actor::Operator, Action::DatabaseRestored, None).with(detail));
    Ok(Settled {
        totp_factors,
        hotp_factors,
        sessions,
        signing_keys: revoked.len(),
        pending_logins,
        recovery_codes,
        invitations,
        trusted_devices,
        reset_requests,
        mails,
    })
}
