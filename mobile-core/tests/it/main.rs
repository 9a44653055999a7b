//! The claims of `mobile-core`: published tables, another implementation, laws, and case files.
#![allow(clippy::unwrap_used)]

mod code;
mod hotp;
mod oathtool;
mod otpauth_cases;
mod otpauth_laws;
mod phone;
mod secret;
mod steam;
mod totp;
#[cfg(feature = "transfer")]
mod transfer;
#[cfg(feature = "vault")]
mod vault;

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

/// The codes in the first column of the table under a heading of a specification.
fn specified(page: &str, heading: &str) -> Vec<String> {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/spec").join(page);
    let page = std::fs::read_to_string(page).unwrap();
    let codes: Vec<String> = page
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()))
        .collect();
    assert!(!codes.is_empty(), "no table under {heading:?}");
    codes
}
