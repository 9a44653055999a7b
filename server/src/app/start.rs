//! Getting ready: the master key that fits this database.

use std::path::Path;

use zeroize::Zeroizing;

use crate::crypto::master_key::{KeyFileError, MasterKey};
use crate::crypto::seal::{Place, Sealer};
use crate::db::{self, Conn};
use crate::domain::target::Target;
use crate::domain::time::Timestamp;
use crate::error::Fault;

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
        (Some(bound), _) => read_bound(conn, bound, path).map(|_| ()),
        (None, Target::Sqlite(_)) if !path.exists() => Ok(()),
        (None, _) => read_own(path).map(|_| ()),
    }
}

/// The key that this database is bound to, and none where it is bound to none yet. Makes and changes nothing.
pub fn read(conn: &mut Conn, path: &Path) -> Result<Option<MasterKey>, StartError> {
    db::master_key::find(conn)?.map(|bound| read_bound(conn, bound, path)).transpose()
}

/// Finds the master key of this database. In a new one on SQLite makes the key; in a used one never.
pub fn unlock(
    conn: &mut Conn,
    target: &Target,
    path: &Path,
    now: Timestamp,
) -> Result<MasterKey, StartError> {
    match db::master_key::find(conn)? {
        Some(bound) => read_bound(conn, bound, path),
        None => bind_new(conn, target, path, now),
    }
}

/// The key that the database is bound to, if it is in the file, with what it has inherited.
fn read_bound(
    conn: &mut Conn,
    (key_id, proof): (String, Vec<u8>),
    path: &Path,
) -> Result<MasterKey, StartError> {
    let mut key = MasterKey::read(path).map_err(|error| match error {
        missing @ KeyFileError::Missing(_) => StartError::KeyLost(missing),
        other => StartError::KeyFile(other),
    })?;
    let sealer = Sealer::new(&key);
    if !sealer.opens_proof(&proof) || key.id().to_string() != key_id {
        return Err(StartError::WrongKey { path: path.display().to_string(), expected: key_id });
    }
    for (purpose, sealed) in db::hash_key::list(conn)? {
        let opened = sealer.open(Place::hash_key(&purpose), &sealed)?;
        let inherited = <[u8; 32]>::try_from(opened.as_slice());
        let inherited = inherited.map(Zeroizing::new).map_err(|_| Fault::Corrupt { what: "hash key" })?;
        key.inherit(purpose, inherited);
    }
    Ok(key)
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
    let (key_id, proof) = (key.id().to_string(), Sealer::new(&key).proof()?);
    conn.write(|conn| {
        db::master_key::lock(conn)?;
        match db::master_key::find(conn)? {
            Some(_) => Ok(()),
            None => db::master_key::bind(conn, &key_id, &proof, now).map(|_| ()),
        }
    })?;
    // Whoever was first has bound it: this must still be the key.
    match db::master_key::find(conn)? {
        // With what it may have inherited: somebody may have brought a whole database here meanwhile.
        Some(bound) => read_bound(conn, bound, path),
        None => Err(Fault::Corrupt { what: "master key binding" }.into()),
    }
}
