//! Recovery codes: single-use codes on paper, for whoever lost the phone.

use zeroize::Zeroizing;

use crate::domain::refusal::Invalid;

/// How many a user has.
pub const COUNT: usize = 10;

/// So many left of a set are few.
pub const FEW: i64 = 3;

/// Bytes of one: 80 bits, which nobody guesses through a throttled door.
pub const BYTES: usize = 10;

/// Without `I`, `L`, `O` and `U` (Crockford's base32): nothing that is misread, and no words.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A recovery code: sixteen characters in four groups. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(Zeroizing<[u8; BYTES]>);

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

impl RecoveryCode {
    /// Of random bytes.
    pub const fn new(bytes: Zeroizing<[u8; BYTES]>) -> Self {
        Self(bytes)
    }

    /// As typed: hyphens and blanks anywhere, either case, and `O`, `I`, `L` read as the digits that they look like.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let malformed = || Invalid::new("recovery_code", "must be sixteen letters and digits");
        if text.len() > 64 {
            return Err(malformed());
        }
        let mut bytes = Zeroizing::new([0_u8; BYTES]);
        let mut count = 0;
        for letter in text.bytes().filter(|byte| !matches!(byte, b' ' | b'-' | b'\t')) {
            let read = match letter.to_ascii_uppercase() {
                b'O' => b'0',
                b'I' | b'L' => b'1',
                other => other,
            };
            let value = ALPHABET.iter().position(|known| *known == read).ok_or_else(malformed)?;
            let value = u8::try_from(value).map_err(|_| malformed())?;
            for bit in 0..5 {
                let at = count * 5 + bit;
                let byte = bytes.get_mut(at / 8).ok_or_else(malformed)?;
                *byte |= (value >> (4 - bit) & 1) << (7 - at % 8);
            }
            count += 1;
        }
        if count * 5 == BYTES * 8 { Ok(Self(bytes)) } else { Err(malformed()) }
    }

    /// As shown: `XXXX-XXXX-XXXX-XXXX`.
    pub fn shown(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(19));
        for index in 0..BYTES * 8 / 5 {
            if index > 0 && index % 4 == 0 {
                text.push('-');
            }
            let value = (0..5).fold(0_u8, |value, bit| {
                let at = index * 5 + bit;
                value << 1 | self.0[at / 8] >> (7 - at % 8) & 1
            });
            text.push(char::from(ALPHABET[usize::from(value)]));
        }
        text
    }

    /// What is hashed.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_looks_alike_is_read_alike() {
        let code = RecoveryCode::parse("0123-4567-89AB-CDEF").expect("a code");
        assert_eq!(code.shown().as_str(), "0123-4567-89AB-CDEF");
        assert_eq!(RecoveryCode::parse("oi23 4567 89ab cdef").expect("a code"), code);
        assert_eq!(RecoveryCode::parse("OL23456789ABCDEF").expect("a code"), code);
    }

    #[test]
    fn everything_else_is_refused() {
        let long = "0".repeat(1000);
        for bad in [
            "",
            "0123-4567-89AB-CDE",
            "0123-4567-89AB-CDEFG",
            "0123-4567-89AB-CDEU",
            "０123456789ABCDEF",
            &long,
        ] {
            assert!(RecoveryCode::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(bytes: [u8; BYTES]) {
            let code = RecoveryCode::new(Zeroizing::new(bytes));
            prop_assert_eq!(RecoveryCode::parse(&code.shown()).expect("a code"), code);
        }
    }
}
