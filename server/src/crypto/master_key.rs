//! The master key: 32 random bytes in a file of their own, never in the database. Everything at rest is sealed
//! or hashed under keys derived from it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::random;

/// How the file begins, so that no other file is taken for a key.
const PREFIX: &str = "countersign-master-key-1:";

/// The key itself, and what it has taken over from those before it.
pub struct MasterKey {
    bytes: Zeroizing<[u8; 32]>,
    inherited: Vec<(String, Zeroizing<[u8; 32]>)>,
}

/// A master key's name: 8 bytes, shown and stored as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// As it stands in what is sealed.
    pub const fn bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is no such file.
    #[error("the master key file {0} does not exist")]
    Missing(String),
    /// There is one already, and it is never overwritten.
    #[error("the master key file {0} exists already and is left as it is")]
    Exists(String),
    /// It holds something else.
    #[error("the master key file {0} does not hold a master key")]
    Malformed(String),
    /// It cannot be read or written.
    #[error("the master key file {path}: {source}")]
    Io {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl MasterKey {
    /// A new random key.
    pub fn generate() -> Self {
        Self::of(random::bytes())
    }

    const fn of(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self { bytes, inherited: Vec::new() }
    }

    /// Goes on with a derived key that an earlier master key had for this purpose.
    pub fn inherit(&mut self, purpose: String, key: Zeroizing<[u8; 32]>) {
        self.inherited.push((purpose, key));
    }

    /// Reads the key file.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let shown = || path.display().to_string();
        let mut text = Zeroizing::new(String::new());
        let mut file = File::open(path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => KeyFileError::Missing(shown()),
            _ => KeyFileError::Io { path: shown(), source },
        })?;
        match (&mut file).take(1000).read_to_string(&mut text) {
            Ok(_) => {}
            Err(source) if source.kind() == io::ErrorKind::InvalidData => {
                return Err(KeyFileError::Malformed(shown()));
            }
            Err(source) => return Err(KeyFileError::Io { path: shown(), source }),
        }
        let encoded = text.trim_end().strip_prefix(PREFIX).ok_or_else(|| KeyFileError::Malformed(shown()))?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| KeyFileError::Malformed(shown()))?);
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| KeyFileError::Malformed(shown()))?;
        Ok(Self::of(Zeroizing::new(key)))
    }

    /// Writes the key to a new file that only its owner may read, and to the disk before it returns. The file appears whole or
    /// not at all, and never replaces another.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyFileError> {
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.display().to_string()),
            // The kind alone: the rest of the text may name the temporary file.
            kind => KeyFileError::Io { path: path.display().to_string(), source: kind.into() },
        };
        let line = Zeroizing::new(format!("{PREFIX}{}\n", STANDARD.encode(self.bytes.as_slice())));
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".master-key-").tempfile_in(folder).map_err(failed)?;
        file.write_all(line.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
        file.persist_noclobber(path).map_err(|error| failed(error.error))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    /// A key for one purpose: HMAC-SHA-256 of its name under the master key, or what it has inherited for it.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        if let Some((_, key)) = self.inherited.iter().find(|(inherited, _)| inherited == purpose) {
            return key.clone();
        }
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.bytes.as_slice()).expect("HMAC takes keys of any length");
        mac.update(b"countersign key derivation 1: ");
        mac.update(purpose.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// Names the key without telling anything of it.
    pub fn id(&self) -> KeyId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.derive("key id")[..8]);
        KeyId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_was_written_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.key");
        let key = MasterKey::generate();
        key.write_new(&path).expect("written");
        assert_eq!(MasterKey::read(&path).expect("read").id(), key.id());
        assert!(matches!(MasterKey::generate().write_new(&path), Err(KeyFileError::Exists(_))));
        assert_eq!(MasterKey::read(&path).expect("read").id(), key.id());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().expect("metadata").permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn anything_but_a_key_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("master.key");
        for bad in ["", "hello", "countersign-master-key-1:", "countersign-master-key-1:AAAA", "\u{0}\u{1}"] {
            std::fs::write(&path, bad).expect("written");
            assert!(matches!(MasterKey::read(&path), Err(KeyFileError::Malformed(_))), "{bad:?}");
        }
        assert!(matches!(MasterKey::read(&folder.path().join("none")), Err(KeyFileError::Missing(_))));
    }

    #[test]
    fn purposes_have_different_keys() {
        let key = MasterKey::generate();
        assert_ne!(key.derive("a"), key.derive("b"));
        assert_eq!(key.derive("a"), key.derive("a"));
    }
}
