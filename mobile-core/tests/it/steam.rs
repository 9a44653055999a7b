//! Steam's codes. Nobody publishes a table; the values were computed by the Python program in the comment, from the
//! description in `docs/spec/vault.md` alone.
//!
//! ```python
//! import hmac
//! def steam(secret, step):
//!     mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
//!     at = mac[-1] & 15
//!     number = int.from_bytes(mac[at:at + 4], "big") & 0x7fffffff
//!     code = ""
//!     for _ in range(5):
//!         number, place = divmod(number, 26)
//!         code += "23456789BCDFGHJKMNPQRTVWXY"[place]
//!     return code
//! ```

use mobile_core::{Secret, Steam, Step};

use super::rfc_secret;

#[test]
fn another_programs_codes_are_computed() {
    let secret = rfc_secret(20);
    for (seconds, code) in [
        (59, "PV9M4"),
        (1_111_111_109, "PY4YB"),
        (1_111_111_111, "5PP3V"),
        (1_234_567_890, "VHHQY"),
        (2_000_000_000, "9N776"),
        (20_000_000_000, "R5DMB"),
    ] {
        assert_eq!(Steam.code(&secret, Steam.step_at(seconds)).as_str(), code, "{seconds}");
    }
    let zeros = Secret::from_bytes(&[0; 20]).unwrap();
    assert_eq!(Steam.code(&zeros, Step::new(u64::MAX)).as_str(), "8CDNR");
}

/// RFC 4226 appendix D gives the truncated numbers, and base 26 is sums for a pencil: 1284755224 for counter 0.
#[test]
fn the_number_of_rfc_4226_is_written_in_base_26() {
    let digits = [1_284_755_224_u32 % 26, 1_284_755_224 / 26 % 26, 1_284_755_224 / 676 % 26];
    let alphabet: Vec<char> = "23456789BCDFGHJKMNPQRTVWXY".chars().collect();
    let code = Steam.code(&rfc_secret(20), Step::new(0));
    let begin: String = digits.iter().map(|digit| alphabet[*digit as usize]).collect();
    assert!(code.as_str().starts_with(&begin) && code.as_str().len() == 5);
}

#[test]
fn a_step_is_thirty_seconds() {
    assert_eq!(Steam.step_at(59), Step::new(1));
    assert_eq!((Steam.seconds_left(59), Steam.seconds_left(60)), (1, 30));
    assert_eq!(Steam::period().get(), 30);
}
