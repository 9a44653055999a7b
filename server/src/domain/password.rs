//! Passwords as people type them.

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::domain::refusal::Invalid;

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

    /// What is hashed.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_endless_passwords_are_refused() {
        assert!(Password::chosen("1234567").is_err());
        assert!(Password::chosen("ååååååå").is_err());
        assert!(Password::typed(&"x".repeat(1025)).is_err());
    }
}
