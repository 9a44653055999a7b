//! The claims of `mobile-core`: published tables, another implementation, laws, and case files.
#![allow(clippy::unwrap_used)]

mod code;
mod hotp;
mod oathtool;
mod otpauth_cases;
mod otpauth_laws;
mod secret;
mod totp;

use mobile_core::{Code, Secret};
use proptest::test_runner::Config;

/// The secret of both RFCs' tables, cut or repeated to a length.
fn rfc_secret(bytes: usize) -> Secret {
    let digits: Vec<u8> = b"1234567890".iter().copied().cycle().take(bytes).collect();
    Secret::from_bytes(&digits).unwrap()
}

fn code(text: &str) -> Code {
    Code::parse(text).unwrap()
}

/// Six-digit codes of the 20-byte RFC secret that are equal at a number and at the next one. The first such
/// pairs from 0 on, found with another HMAC; `hotp::equal_neighbours_are_where_they_are_said_to_be` searches
/// again.
const EQUAL_NEIGHBOURS: [(u64, &str); 3] =
    [(910_737, "911617"), (1_300_575, "761737"), (1_390_529, "360233")];

/// So many cases a property, and nothing written beside the sources: what is found becomes a test by hand.
fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}
