//! Passwords: Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet's first choice of parameters).

use std::sync::OnceLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use crate::domain::password::Password;
use crate::error::Fault;
use crate::random;

/// The hash to store, in PHC form. Takes some 25 ms.
pub fn hash(password: &Password) -> Result<String, Fault> {
    let hash: PasswordHash = argon2()
        .hash_password_with_salt(password.bytes(), random::bytes::<16>().as_slice())
        .map_err(|_| Fault::Crypto("a password could not be hashed"))?;
    Ok(hash.to_string())
}

/// Whether this password made the stored hash. Without one it takes as long and says no.
pub fn matches(password: &Password, stored: Option<&str>) -> Result<bool, Fault> {
    let compared = match stored {
        Some(text) => text,
        None => nobodys_hash()?,
    };
    let compared = PasswordHash::new(compared).map_err(|_| Fault::Corrupt { what: "password hash" })?;
    let matches = argon2().verify_password(password.bytes(), &compared).is_ok();
    Ok(matches && stored.is_some())
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, Some(32)).expect("these parameters are allowed");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The hash of a random password that nobody knows.
fn nobodys_hash() -> Result<&'static str, Fault> {
    static HASH: OnceLock<String> = OnceLock::new();
    if let Some(hash) = HASH.get() {
        return Ok(hash);
    }
    let unknown = uuid::Builder::from_random_bytes(*random::bytes()).into_uuid().to_string();
    let password = Password::typed(&unknown).map_err(|_| Fault::Crypto("a password could not be made"))?;
    let hash = hash(&password)?;
    Ok(HASH.get_or_init(|| hash))
}

/// Makes the first refusal take no longer than the next.
pub fn warm_up() -> Result<(), Fault> {
    nobodys_hash().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashed(text: &str) -> String {
        hash(&Password::chosen(text).expect("long enough")).expect("hashed")
    }

    fn fits(text: &str, stored: Option<&str>) -> bool {
        matches(&Password::typed(text).expect("typed"), stored).expect("checked")
    }

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = hashed("correct horse");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(fits("correct horse", Some(&hash)));
        assert!(!fits("correct horsf", Some(&hash)));
        assert!(!fits("", Some(&hash)));
        assert!(!fits("x", None));
    }

    #[test]
    fn composed_and_decomposed_letters_are_one_password() {
        let hash = hashed("p\u{e5}ssw\u{f6}rd");
        assert!(fits("pa\u{30a}sswo\u{308}rd", Some(&hash)));
    }
}
