//! Steam's codes: TOTP with another alphabet.
//!
//! The step and the truncated HMAC-SHA-1 are those of RFC 6238 with 30 seconds; the 31-bit number is then written in base
//! 26, its last digit first, with characters that cannot be taken for each other. Nobody has published a specification;
//! `docs/spec/vault.md` says how this was checked.

use core::fmt;

use hmac::Hmac;

use crate::hotp::{mac, truncate};
use crate::{Period, Secret, Step, Totp};

const ALPHABET: &[u8; 26] = b"23456789BCDFGHJKMNPQRTVWXY";

/// The generator of Steam's codes. It has nothing to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Steam;

impl Steam {
    /// The length of a step: thirty seconds.
    pub fn period() -> Period {
        Period::default()
    }

    /// The step a moment falls into, in seconds since the Unix epoch.
    pub fn step_at(self, unix_seconds: u64) -> Step {
        Totp::default().step_at(unix_seconds)
    }

    /// How many seconds the code of this moment still stands, from 30 down to 1.
    pub fn seconds_left(self, unix_seconds: u64) -> u32 {
        Totp::default().seconds_left(unix_seconds)
    }

    /// The code of one step.
    pub fn code(self, secret: &Secret, step: Step) -> SteamCode {
        let mut number = truncate(&mac::<Hmac<sha1::Sha1>>(secret, step.get().to_be_bytes()));
        SteamCode(core::array::from_fn(|_| {
            let character = ALPHABET[(number % 26) as usize];
            number /= 26;
            character
        }))
    }
}

/// Five characters of Steam's alphabet, for a person to type. The phone shows them and never checks any.
#[derive(Clone, PartialEq, Eq)]
pub struct SteamCode([u8; 5]);

impl SteamCode {
    /// The five characters.
    pub fn as_str(&self) -> &str {
        // Only ASCII is ever written, so the default is never taken.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for SteamCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SteamCode(…)")
    }
}
