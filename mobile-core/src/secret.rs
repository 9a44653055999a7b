//! The shared secret of a factor, and its text form.
//!
//! A secret lives in memory that is wiped when dropped, shows nothing of itself in `Debug`, and compares in
//! constant time. Errors say *where* a text is wrong, never *what* stands there, because they end up in logs.

mod base32;

use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

pub(crate) use base32::Spelling;

/// Why bytes or text are not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// There is no byte in it.
    #[error("secret: is empty")]
    Empty,
    /// More than [`Secret::MAX_BYTES`].
    #[error("secret: is longer than {} bytes", Secret::MAX_BYTES)]
    TooLong,
    /// A character that base32 does not have.
    #[error("secret: character {position} is not base32 (letters A to Z and digits 2 to 7)")]
    Character {
        /// Which character of the text, counted from 1.
        position: usize,
    },
    /// One, three or six characters over a multiple of eight: no number of bytes is written so (RFC 4648 s6).
    #[error("secret: is not a possible base32 length; a character is missing or too many")]
    Length,
}

impl SecretError {
    /// A stable name for programs and logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty => "secret_empty",
            Self::TooLong => "secret_too_long",
            Self::Character { .. } => "secret_character",
            Self::Length => "secret_length",
        }
    }
}

/// The key shared by server and phone: K of RFC 4226 s5.1. 1 to 128 bytes.
///
/// RFC 4226 s4 (R6) asks for 128 bits or more, and 160 by preference. Who *makes* secrets should keep to
/// that; this type takes shorter ones, since many issuers hand out 80 bits and a phone must work with them.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// The longest secret taken: one block of SHA-512, past which HMAC hashes the key anyway (RFC 2104 s3).
    pub const MAX_BYTES: usize = 128;

    /// Copies 1 to 128 bytes; else [`SecretError::Empty`] or [`SecretError::TooLong`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SecretError> {
        match bytes.len() {
            0 => Err(SecretError::Empty),
            1..=Self::MAX_BYTES => Ok(Self(Zeroizing::new(bytes.to_vec()))),
            _ => Err(SecretError::TooLong),
        }
    }

    /// Reads base32 (RFC 4648 s6) as people and issuers write it: in either case, with blanks, tabs and
    /// hyphens anywhere, with any `=` at the end. Bits left over after the last whole byte are dropped.
    ///
    /// Digits `0`, `1`, `8`, `9` are refused rather than read as the letters they look like: a wrong guess
    /// would make a factor whose codes never match.
    pub fn parse(base32: &str) -> Result<Self, SecretError> {
        Self::read(base32).map(|(secret, _)| secret)
    }

    /// As [`Secret::parse`], and says how the text differs from the canonical form.
    pub(crate) fn read(base32: &str) -> Result<(Self, Spelling), SecretError> {
        base32::decode(base32).map(|(bytes, spelling)| (Self(bytes), spelling))
    }

    /// The canonical text: base32 in upper case, without padding or blanks.
    pub fn to_base32(&self) -> Zeroizing<alloc::string::String> {
        base32::encode(&self.0)
    }

    /// The bytes themselves, for computing and sealing. Search for this name to find every place where they
    /// are used.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The length in bytes, 1 to 128.
    #[expect(clippy::len_without_is_empty, reason = "a secret is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl PartialEq for Secret {
    /// Takes the same time whichever byte differs. The length is not hidden.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl Eq for Secret {}
