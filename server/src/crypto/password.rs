//! Passwords: Argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet's first choice of parameters).

use std::sync::OnceLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::domain::refusal::Invalid;
use crate::error::Fault;
use crate::random;

/// A password as typed, normalised; wiped when dropped.
pub struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

impl Password {
    /// As typed at login: any text of up to 1,024 bytes.
    pub fn typed(text: &str) -> Result<Self, Invalid> {
        if text.len() > 1024 {
            return Err(Invalid::new("password", "is longer than 1,024 bytes"));
        }
        // NIST SP 800-63B s3.1.1.2: the same password typed on another keyboard must be the same bytes.
        Ok(Self(Zeroizing::new(text.nfkc().collect())))
    }

    /// A new one: at least 8 characters (NIST SP 800-63B-4 s3.1.1.2, with a second factor).
    pub fn chosen(text: &str) -> Result<Self, Invalid> {
        let password = Self::typed(text)?;
        if password.0.chars().count() < 8 {
            return Err(Invalid::new("password", "is shorter than 8 characters"));
        }
        Ok(password)
    }

    /// The hash to store, in PHC form. Takes some 25 ms.
    pub fn hash(&self) -> Result<String, Fault> {
        let hash: PasswordHash = argon2()
            .hash_password_with_salt(self.0.as_bytes(), random::bytes::<16>().as_slice())
            .map_err(|_| Fault::Crypto("a password could not be hashed"))?;
        Ok(hash.to_string())
    }

    /// Whether this password made the stored hash. Without one it takes as long and says no.
    pub fn matches(&self, stored: Option<&str>) -> Result<bool, Fault> {
        let stored_hash = match stored {
            Some(text) => PasswordHash::new(text).map_err(|_| Fault::Corrupt { what: "password hash" })?,
            None => {
                PasswordHash::new(nobodys_hash()?).map_err(|_| Fault::Corrupt { what: "password hash" })?
            }
        };
        let matches = argon2().verify_password(self.0.as_bytes(), &stored_hash).is_ok();
        Ok(matches && stored.is_some())
    }
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
    let hash =
        Password::typed(&unknown).map_err(|_| Fault::Crypto("a password could not be made"))?.hash()?;
    Ok(HASH.get_or_init(|| hash))
}

/// Makes the first refusal take no longer than the next.
pub fn warm_up() -> Result<(), Fault> {
    nobodys_hash().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_matches_its_own_hash_only() {
        let hash = Password::chosen("correct horse").expect("long enough").hash().expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let matches = |text| Password::typed(text).expect("typed").matches(Some(&hash)).expect("checked");
        assert!(matches("correct horse"));
        assert!(!matches("correct horsf"));
        assert!(!matches(""));
        assert!(!Password::typed("x").expect("typed").matches(None).expect("checked"));
    }

    #[test]
    fn composed_and_decomposed_letters_are_one_password() {
        let hash = Password::chosen("p\u{e5}ssw\u{f6}rd").expect("long enough").hash().expect("hashed");
        assert!(
            Password::typed("pa\u{30a}sswo\u{308}rd").expect("typed").matches(Some(&hash)).expect("checked")
        );
    }

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(Password::chosen("1234567").is_err());
        assert!(Password::chosen("ååååååå").is_err());
        assert!(Password::typed(&"x".repeat(1025)).is_err());
    }
}
