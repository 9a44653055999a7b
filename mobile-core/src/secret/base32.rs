//! Base32 of RFC 4648 s6: eight characters of five bits for five bytes.

use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{Secret, SecretError};

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// How a text differs from what [`encode`] would have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "four independent observations, not a state")]
pub(crate) struct Spelling {
    /// Some letter is lower case.
    pub(crate) lower_case: bool,
    /// `=` stands at the end.
    pub(crate) padded: bool,
    /// Blanks, tabs or hyphens stand in it.
    pub(crate) grouped: bool,
    /// The last character carries bits that belong to no byte, and they are not zero.
    pub(crate) loose_bits: bool,
}

pub(super) fn decode(text: &str) -> Result<(Zeroizing<Vec<u8>>, Spelling), SecretError> {
    // Room for the longest secret from the start, so that growing leaves no copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(Secret::MAX_BYTES));
    let mut spelling = Spelling::default();
    let mut characters = 0_usize;
    let mut bits = 0_u32;
    let mut held = 0_u32;

    for (index, character) in text.chars().enumerate() {
        let value = match character {
            ' ' | '\t' | '-' => {
                spelling.grouped = true;
                continue;
            }
            '=' => {
                spelling.padded = true;
                continue;
            }
            'A'..='Z' => u32::from(character) - u32::from('A'),
            'a'..='z' => {
                spelling.lower_case = true;
                u32::from(character) - u32::from('a')
            }
            '2'..='7' => u32::from(character) - u32::from('2') + 26,
            _ => return Err(SecretError::Character { position: index + 1 }),
        };
        if spelling.padded {
            return Err(SecretError::Character { position: index + 1 });
        }
        characters += 1;
        bits = (bits << 5) | value;
        held += 5;
        if held >= 8 {
            held -= 8;
            if bytes.len() == Secret::MAX_BYTES {
                return Err(SecretError::TooLong);
            }
            bytes.push(low_byte(bits >> held));
            bits &= (1 << held) - 1;
        }
    }

    match characters % 8 {
        _ if characters == 0 => return Err(SecretError::Empty),
        1 | 3 | 6 => return Err(SecretError::Length),
        _ => spelling.loose_bits = bits != 0,
    }
    Ok((bytes, spelling))
}

pub(super) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(5) * 8));
    let mut bits = 0_u32;
    let mut held = 0_u32;
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        held += 8;
        while held >= 5 {
            held -= 5;
            text.push(letter(bits >> held));
            bits &= (1 << held) - 1;
        }
    }
    if held > 0 {
        text.push(letter(bits << (5 - held)));
    }
    text
}

/// The low eight bits.
fn low_byte(bits: u32) -> u8 {
    bits.to_le_bytes()[0]
}

/// The character for the low five bits.
fn letter(bits: u32) -> char {
    char::from(ALPHABET[usize::from(low_byte(bits) & 31)])
}
