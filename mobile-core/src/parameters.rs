//! The numbers and names that both ends of a factor must share, each as a type of its own, so that a period
//! cannot be taken for a step or a counter.

use core::fmt;
use core::num::NonZeroU32;
use core::str::FromStr;

/// Why a parameter is not one this crate computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// The algorithm is none of SHA1, SHA256, SHA512.
    #[error("algorithm: must be SHA1, SHA256 or SHA512")]
    Algorithm,
    /// The number of digits is not 6, 7 or 8.
    #[error("digits: must be 6, 7 or 8")]
    Digits,
    /// The period is 0 seconds.
    #[error("period: must be at least 1 second")]
    Period,
}

impl ParameterError {
    /// A stable name for programs and logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Algorithm => "algorithm_unknown",
            Self::Digits => "digits_out_of_range",
            Self::Period => "period_out_of_range",
        }
    }
}

/// The hash under the HMAC (RFC 6238 s1.2; RFC 4226 knows SHA-1 only).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// HMAC-SHA-1: the default, and the only one that every authenticator app honours.
    #[default]
    Sha1,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-512.
    Sha512,
}

impl Algorithm {
    /// All of them, in the order of their size.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// The name as written in `otpauth://` URIs: `SHA1`, `SHA256`, `SHA512`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = ParameterError;

    /// Reads `SHA1`, `SHA256` or `SHA512` in any case. Other spellings are for the URI reader alone.
    fn from_str(name: &str) -> Result<Self, ParameterError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.as_str()))
            .ok_or(ParameterError::Algorithm)
    }
}

/// How many digits a code has: 6, 7 or 8 (RFC 4226 s5.3). Six by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digits(u8);

impl Digits {
    /// The smallest allowed number.
    pub const MIN: Self = Self(6);
    /// The largest allowed number.
    pub const MAX: Self = Self(8);

    /// Takes 6, 7 or 8; anything else is [`ParameterError::Digits`].
    pub const fn new(digits: u8) -> Result<Self, ParameterError> {
        if digits >= Self::MIN.0 && digits <= Self::MAX.0 {
            Ok(Self(digits))
        } else {
            Err(ParameterError::Digits)
        }
    }

    /// The number: 6, 7 or 8.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Digits {
    fn default() -> Self {
        Self::MIN
    }
}

impl TryFrom<u8> for Digits {
    type Error = ParameterError;

    fn try_from(digits: u8) -> Result<Self, ParameterError> {
        Self::new(digits)
    }
}

impl fmt::Display for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long one TOTP step lasts, in seconds: X of RFC 6238 s4.1. At least 1, thirty by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(NonZeroU32);

impl Period {
    const THIRTY: NonZeroU32 = NonZeroU32::new(30).expect("thirty is not zero");

    /// Takes seconds; 0 is [`ParameterError::Period`], since time would not pass.
    pub const fn new(seconds: u32) -> Result<Self, ParameterError> {
        match NonZeroU32::new(seconds) {
            Some(seconds) => Ok(Self(seconds)),
            None => Err(ParameterError::Period),
        }
    }

    /// The length in seconds, never 0.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

impl Default for Period {
    fn default() -> Self {
        Self(Self::THIRTY)
    }
}

impl TryFrom<u32> for Period {
    type Error = ParameterError;

    fn try_from(seconds: u32) -> Result<Self, ParameterError> {
        Self::new(seconds)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of whole periods since the Unix epoch: T of RFC 6238 s4.2, with T0 = 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Step(u64);

/// The moving factor of HOTP: C of RFC 4226 s5.1, an unsigned number of 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Counter(u64);

macro_rules! moving_factor {
    ($name:ident) => {
        impl $name {
            /// Any number of 64 bits will do.
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The bare number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one that follows, or `None` after the last: it never wraps round to an old one.
            pub const fn successor(self) -> Option<Self> {
                match self.0.checked_add(1) {
                    Some(value) => Some(Self(value)),
                    None => None,
                }
            }
        }

        impl From<u64> for $name {
            fn from(value: u64) -> Self {
                Self(value)
            }
        }

        impl From<$name> for u64 {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

moving_factor!(Step);
moving_factor!(Counter);
