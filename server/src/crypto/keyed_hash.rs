//! Keyed hashes: how tokens, client secrets and lookups stand in the database. Whoever has the database alone can neither use
//! them nor test guesses.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::crypto::master_key::MasterKey;

/// What is hashed; each purpose has a key of its own, so that a hash of one never passes for another's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// An opaque access token.
    AccessToken,
    /// A refresh token.
    RefreshToken,
    /// A recovery code.
    RecoveryCode,
    /// A bucket of failed recovery codes of one user.
    RecoveryBucket,
    /// An `mfa_token`.
    MfaToken,
    /// An authorization code.
    AuthorizationCode,
    /// A client's secret.
    ClientSecret,
    /// The lockout subject of a name that nobody has.
    Stranger,
    /// A bucket of failed passwords.
    PasswordBucket,
    /// A bucket of refusals of one client.
    ClientBucket,
    /// A bucket of one user's enrolments.
    EnrolmentBucket,
    /// A bucket of one user's codes for one application.
    AuthorizationBucket,
    /// A one-time link.
    Invitation,
    /// A browser that may skip the code.
    TrustedDevice,
    /// What a form of a browser session carries, so that no other site can send it.
    Csrf,
    /// An application and a network that a user logged in from.
    KnownDevice,
    /// The audit log's chain.
    Audit,
    /// Where that chain begins.
    AuditTail,
    /// All that stands in a backup.
    Backup,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::AccessToken,
        Self::RefreshToken,
        Self::RecoveryCode,
        Self::RecoveryBucket,
        Self::MfaToken,
        Self::AuthorizationCode,
        Self::ClientSecret,
        Self::Stranger,
        Self::PasswordBucket,
        Self::ClientBucket,
        Self::EnrolmentBucket,
        Self::AuthorizationBucket,
        Self::Invitation,
        Self::TrustedDevice,
        Self::Csrf,
        Self::KnownDevice,
        Self::Audit,
        Self::AuditTail,
        Self::Backup,
    ];

    /// What its key is derived by.
    pub const fn label(self) -> &'static str {
        match self {
            Self::AccessToken => "access token hash",
            Self::RefreshToken => "refresh token hash",
            Self::RecoveryCode => "recovery code hash",
            Self::RecoveryBucket => "recovery bucket hash",
            Self::MfaToken => "mfa token hash",
            Self::AuthorizationCode => "authorization code hash",
            Self::ClientSecret => "client secret hash",
            Self::Stranger => "stranger hash",
            Self::PasswordBucket => "password bucket hash",
            Self::ClientBucket => "client bucket hash",
            Self::EnrolmentBucket => "enrolment bucket hash",
            Self::AuthorizationBucket => "authorization bucket hash",
            Self::Invitation => "invitation hash",
            Self::TrustedDevice => "trusted device hash",
            Self::Csrf => "csrf hash",
            Self::KnownDevice => "known device hash",
            Self::Audit => "audit chain",
            Self::AuditTail => "audit tail",
            Self::Backup => "backup proof",
        }
    }
}

/// Hashes under keys derived from the master key.
pub struct KeyedHasher {
    keys: [Hmac<Sha256>; Purpose::ALL.len()],
}

impl KeyedHasher {
    /// Derives the keys.
    pub fn new(master: &MasterKey) -> Self {
        Self {
            keys: Purpose::ALL.map(|purpose| {
                Hmac::new_from_slice(master.derive(purpose.label()).as_slice())
                    .expect("HMAC takes keys of any length")
            }),
        }
    }

    /// HMAC-SHA-256 over the parts, each preceded by its length, so that parts cannot run into one another.
    pub fn hash(&self, purpose: Purpose, parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = self.begin(purpose);
        for part in parts {
            hash.add(part);
        }
        hash.finish()
    }

    /// The same for parts that come one after the other.
    pub fn begin(&self, purpose: Purpose) -> Hashing {
        Hashing(self.keys[purpose as usize].clone())
    }

    /// Whether `stored` is the hash of the parts; in constant time.
    pub fn matches(&self, purpose: Purpose, parts: &[&[u8]], stored: &[u8]) -> bool {
        self.hash(purpose, parts).ct_eq(stored).into()
    }
}

/// A keyed hash that has begun.
pub struct Hashing(Hmac<Sha256>);

impl Hashing {
    /// Takes one more part.
    pub fn add(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    /// The hash of all parts.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_purposes_are_kept_apart() {
        let hasher = KeyedHasher::new(&MasterKey::generate());
        let hash = |purpose, parts: &[&[u8]]| hasher.hash(purpose, parts);
        assert_eq!(hash(Purpose::Audit, &[b"ab", b"c"]), hash(Purpose::Audit, &[b"ab", b"c"]));
        assert_ne!(hash(Purpose::Audit, &[b"ab", b"c"]), hash(Purpose::Audit, &[b"a", b"bc"]));
        for (index, purpose) in Purpose::ALL.into_iter().enumerate() {
            assert_eq!(purpose as usize, index);
            assert_eq!(
                Purpose::ALL.iter().filter(|other| hash(**other, &[b"x"]) == hash(purpose, &[b"x"])).count(),
                1
            );
        }
        assert!(hasher.matches(Purpose::Audit, &[b"x"], &hash(Purpose::Audit, &[b"x"])));
        assert!(!hasher.matches(Purpose::Audit, &[b"x"], b"short"));
    }
}
