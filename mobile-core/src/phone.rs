//! How a phone shows the server that enrolled it that it has a factor's secret, without showing the secret or a code.
//!
//! `docs/spec/phone.md` is the norm.
//! 1. Both derive [`PhoneKey`] from the secret. The server keeps it when it deletes the secret, so that it can still tell the phone
//!    of a factor that was reset that this is over. Neither the secret nor a code can be computed from it.
//! 2. The phone sends a [proof](PhoneKey::proof) of what it wants, for which factor, when, and with which code.
//! 3. The server [verifies](PhoneKey::verify) it.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Secret;

/// What the key is derived for, and the version of that.
const LABEL: &[u8] = b"countersign phone key 1";

/// What a phone wants. A proof for the one is none for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To know how the factor stands.
    Status,
    /// To confirm the factor with its first code.
    Confirm,
}

impl Purpose {
    const fn byte(self) -> u8 {
        match self {
            Self::Status => 1,
            Self::Confirm => 2,
        }
    }
}

/// What both ends compute proofs with. Wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PhoneKey([u8; Self::BYTES]);

impl PhoneKey {
    /// The length of a key, and of a proof.
    pub const BYTES: usize = 32;

    /// The key of a factor: HMAC-SHA-256 of a fixed label under its secret.
    pub fn of(secret: &Secret) -> Self {
        Self(mac(secret.expose(), &[LABEL]))
    }

    /// The key that a server has kept.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves, for a server to keep them sealed.
    pub const fn expose(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Shows that whoever made it has the secret. `factor` is the id's bytes, `unix_seconds` the phone's time as it stands in the
    /// request, `code` the digits of the code that is sent, empty where there is none.
    pub fn proof(
        &self,
        purpose: Purpose,
        factor: [u8; 16],
        unix_seconds: u64,
        code: &str,
    ) -> [u8; Self::BYTES] {
        // The code is the one part without a fixed length, so it comes last.
        mac(&self.0, &[&[purpose.byte()], &factor, &unix_seconds.to_be_bytes(), code.as_bytes()])
    }

    /// Whether this is that proof. Takes the same time wherever it differs.
    #[must_use]
    pub fn verify(
        &self,
        purpose: Purpose,
        factor: [u8; 16],
        unix_seconds: u64,
        code: &str,
        proof: &[u8; Self::BYTES],
    ) -> bool {
        self.proof(purpose, factor, unix_seconds, code).ct_eq(proof).into()
    }
}

impl fmt::Debug for PhoneKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneKey(…)")
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; PhoneKey::BYTES] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
