//! The digits a person reads off the phone and types.

use core::fmt::{self, Write as _};

use subtle::{Choice, ConstantTimeEq as _};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::Digits;

const MIN: usize = 6;
const MAX: usize = 8;

/// Why a text is not a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// Something that is neither an ASCII digit nor a blank.
    #[error("code: character {position} is not a digit")]
    Character {
        /// Which character of the text, counted from 1.
        position: usize,
    },
    /// Fewer than six digits; also none at all.
    #[error("code: has {digits} digits, at least 6 are needed")]
    TooShort {
        /// How many there are: 0 to 5.
        digits: usize,
    },
    /// More than eight digits.
    #[error("code: has more than 8 digits")]
    TooLong,
}

impl CodeError {
    /// A stable name for programs and logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Character { .. } => "code_character",
            Self::TooShort { .. } => "code_too_short",
            Self::TooLong => "code_too_long",
        }
    }
}

/// A one-time password of six to eight ASCII digits; leading zeros count.
///
/// Wiped when dropped, hidden in `Debug`, compared in constant time. A code of six digits never equals one of
/// eight.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Code {
    /// The digits in ASCII, then zero bytes.
    digits: [u8; MAX],
    length: u8,
}

impl Code {
    /// Reads six to eight ASCII digits. Blanks (U+0020) and tabs are dropped wherever they stand, since
    /// people type codes in groups; everything else is refused, digits of other scripts, signs, no-break and
    /// thin blanks and line ends included. Reading stops at the ninth digit or the first wrong character.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let mut code = Self::empty();
        for (index, character) in text.chars().enumerate() {
            match character {
                ' ' | '\t' => {}
                '0'..='9' => code.push(character as u8)?,
                _ => return Err(CodeError::Character { position: index + 1 }),
            }
        }
        match code.len() {
            MIN..=MAX => Ok(code),
            digits => Err(CodeError::TooShort { digits }),
        }
    }

    /// Takes what a generator prints. `printed` must print exactly `digits` ASCII digits.
    pub(crate) fn printed(printed: impl fmt::Display, digits: Digits) -> Self {
        let mut code = Self::empty();
        let written = write!(Digitwise(&mut code), "{printed}");
        debug_assert!(written.is_ok() && code.length == digits.get(), "a generator prints its digits");
        code
    }

    const fn empty() -> Self {
        Self { digits: [0; MAX], length: 0 }
    }

    /// Appends one ASCII digit.
    fn push(&mut self, digit: u8) -> Result<(), CodeError> {
        *self.digits.get_mut(usize::from(self.length)).ok_or(CodeError::TooLong)? = digit;
        self.length += 1;
        Ok(())
    }

    /// How many digits: 6, 7 or 8.
    #[expect(clippy::len_without_is_empty, reason = "a code is never empty")]
    pub fn len(&self) -> usize {
        usize::from(self.length)
    }

    /// The digits, without blanks.
    pub fn as_str(&self) -> &str {
        // Only ASCII digits are ever written, so the default is never taken.
        core::str::from_utf8(&self.digits[..self.len().min(MAX)]).unwrap_or_default()
    }

    /// Whether both are the same digits, in time that does not tell how many of them agree.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.ct_matches(other).into()
    }

    /// The zero bytes behind a shorter code are no digits, so comparing all eight places compares the lengths
    /// too.
    pub(crate) fn ct_matches(&self, other: &Self) -> Choice {
        self.digits.ct_eq(&other.digits)
    }
}

/// Takes the digits out of what is formatted into it. Apart from [`Code`] so that nobody else can write into
/// one.
struct Digitwise<'a>(&'a mut Code);

impl fmt::Write for Digitwise<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().try_for_each(|byte| self.0.push(byte).map_err(|_| fmt::Error))
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

impl PartialEq for Code {
    /// [`Code::matches`].
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

impl Eq for Code {}
