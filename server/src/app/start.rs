//! Getting ready: the master key that fits this database.

use std::path::Path;

use crate::crypto::master_key::{KeyFileError, MasterKey};
use crate::crypto::seal::{Place, Sealer};
use crate::db::{self, Conn};
use crate::domain::target::Target;
use crate::domain::time::Timestamp;
use crate::error::Fault;

/// Sealed into every database, to be opened by its own master key only.
const PROOF: &[u8] = b"countersign";

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The key file is not there, or no key file.
    #[error("{0}")]
    KeyFile(#[from] KeyFileError),
    /// The database was sealed under a key that is not in the file.
    #[error(
        "{0}; without the key that sealed this database nothing in it can be read, and no new key was made"
    )]
    KeyLost(KeyFileError),
    /// PostgreSQL is shared by servers on several machines: a key made on one of them would lock out the others.
    #[error(
        "{0}; make one with `countersign master-key new FILE` and give it to every server of this database"
    )]
    KeyNeeded(KeyFileError),
    /// There is a key, but not the one that sealed this database.
    #[error(
        "the master key in {path} is not the one that sealed this database (which is {expected}); nothing was changed"
    )]
    WrongKey {
        /// The file.
        path: String,
        /// The id of the right key.
        expected: String,
    },
    /// The database or a cipher failed.
    #[error("{0}")]
    Broken(#[from] Fault),
}

/// Says what [`unlock`] would refuse, and makes and changes nothing: for a database that may be older than this program, or new.
pub fn check(conn: &mut Conn, target: &Target, path: &Path) -> Result<(), StartError> {
    match (db::master_key::find(conn)?, target) {
        (Some(bound), _) => read_bound(bound, path).map(|_| ()),
        (None, Target::Sqlite(_)) if !path.exists() => Ok(()),
        (None, _) => read_own(path).map(|_| ()),
    }
}

/// Finds the master key of this database. In a new one on SQLite makes the key; in a used one never.
pub fn unlock(
    conn: &mut Conn,
    target: &Target,
    path: &Path,
    now: Timestamp,
) -> Result<MasterKey, StartError> {
    match db::master_key::find(conn)? {
        Some(bound) => read_bound(bound, path),
        None => bind_new(conn, target, path, now),
    }
}

/// The key that the database is bound to, if it is in the file.
fn read_bound((key_id, proof): (String, Vec<u8>), path: &Path) -> Result<MasterKey, StartError> {
    let key = MasterKey::read(path).map_err(|error| match error {
        missing @ KeyFileError::Missing(_) => StartError::KeyLost(missing),
        other => StartError::KeyFile(other),
    })?;
    let fits =
        Sealer::new(&key).open(proof_place(&key_id), &proof).is_ok_and(|opened| opened.as_slice() == PROOF);
    if fits && shown(&key) == key_id {
        Ok(key)
    } else {
        Err(StartError::WrongKey { path: path.display().to_string(), expected: key_id })
    }
}

/// The key that the operator has made for a new database.
fn read_own(path: &Path) -> Result<MasterKey, StartError> {
    MasterKey::read(path).map_err(|error| match error {
        missing @ KeyFileError::Missing(_) => StartError::KeyNeeded(missing),
        other => StartError::KeyFile(other),
    })
}

fn bind_new(conn: &mut Conn, target: &Target, path: &Path, now: Timestamp) -> Result<MasterKey, StartError> {
    let key = match target {
        Target::Sqlite(_) if !path.exists() => {
            match MasterKey::generate().write_new(path) {
                // Another process may have been faster; then its key is the key.
                Ok(()) | Err(KeyFileError::Exists(_)) => MasterKey::read(path)?,
                Err(error) => return Err(error.into()),
            }
        }
        _ => read_own(path)?,
    };
    let key_id = shown(&key);
    let proof = Sealer::new(&key).seal(proof_place(&key_id), PROOF)?;
    conn.write(|conn| {
        db::master_key::lock(conn)?;
        match db::master_key::find(conn)? {
            Some(_) => Ok(()),
            None => db::master_key::bind(conn, &key_id, &proof, now).map(|_| ()),
        }
    })?;
    // Whoever was first has bound it: this must still be the key.
    match db::master_key::find(conn)? {
        Some((bound, _)) if bound == key_id => Ok(key),
        Some((bound, _)) => Err(StartError::WrongKey { path: path.display().to_string(), expected: bound }),
        None => Err(Fault::Corrupt { what: "master key binding" }.into()),
    }
}

fn proof_place(key_id: &str) -> Place<'_> {
    Place { table: "master_key", column: "proof", row: key_id.as_bytes() }
}

/// A key's id as shown and stored.
pub fn shown(key: &MasterKey) -> String {
    format!("{:016x}", u64::from_be_bytes(key.id()))
}
