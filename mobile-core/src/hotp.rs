//! Counter-based one-time passwords, RFC 4226.
//!
//! RFC 4226 has SHA-1 only; other hashes work alike and come along since `otpauth://` can name them.

use core::fmt;

use hmac::{Hmac, KeyInit, Mac};

use crate::{Algorithm, Code, Counter, Digits, Secret, search};

/// What an HOTP factor is computed with, apart from its secret and counter. SHA-1 and six digits by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Hotp {
    /// The hash.
    pub algorithm: Algorithm,
    /// The length of a code.
    pub digits: Digits,
}

impl Hotp {
    /// The code of one counter (RFC 4226 s5.3).
    pub fn code(&self, secret: &Secret, counter: Counter) -> Code {
        let moving_factor = counter.get().to_be_bytes();
        let number = match self.algorithm {
            Algorithm::Sha1 => truncate(&mac::<Hmac<sha1::Sha1>>(secret, moving_factor)),
            Algorithm::Sha256 => truncate(&mac::<Hmac<sha2::Sha256>>(secret, moving_factor)),
            Algorithm::Sha512 => truncate(&mac::<Hmac<sha2::Sha512>>(secret, moving_factor)),
        };
        Code::printed(LastDigits { number, digits: self.digits }, self.digits)
    }

    /// The first counter in `next ..= next + look_ahead` that has this code (RFC 4226 s7.4); never one before
    /// `next`.
    ///
    /// The caller must put its next counter behind the returned one before anything is granted for it. A
    /// returned counter without a [successor](Counter::successor) is the factor's last. Every counter of the
    /// range is computed, whatever matches.
    #[must_use]
    pub fn check(&self, secret: &Secret, code: &Code, next: Counter, look_ahead: u32) -> Option<Counter> {
        search::one(ahead(next, look_ahead), |_| true, self.codes(secret), code).map(Counter::new)
    }

    /// Finds a token that has run far ahead by two consecutive codes, both within `next ..= next + reach`
    /// (RFC 4226 s7.4, the end). Returns the counter of the second.
    #[must_use]
    pub fn resynchronise(
        &self,
        secret: &Secret,
        first: &Code,
        second: &Code,
        next: Counter,
        reach: u32,
    ) -> Option<Counter> {
        search::two(ahead(next, reach), |_| true, self.codes(secret), first, second).map(Counter::new)
    }

    fn codes(&self, secret: &Secret) -> impl Fn(u64) -> Code {
        |counter| self.code(secret, Counter::new(counter))
    }
}

/// From `next` on, cut off at the last counter there is.
fn ahead(next: Counter, reach: u32) -> core::ops::RangeInclusive<u64> {
    next.get()..=next.get().saturating_add(reach.into())
}

/// HMAC over the eight bytes of the counter.
pub(crate) fn mac<M: Mac + KeyInit>(secret: &Secret, moving_factor: [u8; 8]) -> hmac::digest::Output<M> {
    let mut mac = <M as KeyInit>::new_from_slice(secret.expose()).expect("HMAC takes keys of any length");
    mac.update(&moving_factor);
    mac.finalize().into_bytes()
}

/// Dynamic truncation (RFC 4226 s5.3): the low four bits of the last byte say where to read 31 bits. The
/// shortest MAC has 20 bytes, the last place read is 15 + 3.
pub(crate) fn truncate(mac: &[u8]) -> u32 {
    let offset = usize::from(mac[mac.len() - 1] & 0x0f);
    u32::from_be_bytes([mac[offset], mac[offset + 1], mac[offset + 2], mac[offset + 3]]) & 0x7fff_ffff
}

/// A number modulo a power of ten, with its leading zeros.
struct LastDigits {
    number: u32,
    digits: Digits,
}

impl fmt::Display for LastDigits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.digits.get();
        write!(f, "{:0width$}", self.number % 10_u32.pow(digits.into()), width = usize::from(digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4226 appendix D: the HMAC values, and what truncation makes of them, for counters 0 to 9.
    const APPENDIX_D: [([u32; 5], u32); 10] = [
        ([0xcc93_cf18, 0x508d_9493, 0x4c64_b65d, 0x8ba7_667f, 0xb7cd_e4b0], 0x4c93_cf18),
        ([0x75a4_8a19, 0xd4cb_e100, 0x644e_8ac1, 0x397e_ea74, 0x7a2d_33ab], 0x4139_7eea),
        ([0x0bac_b7fa, 0x082f_ef30, 0x7822_1193, 0x8bc1_c5e7, 0x0416_ff44], 0x082f_ef30),
        ([0x66c2_8227, 0xd03a_2d55, 0x2926_2ff0, 0x16a1_e6ef, 0x7655_7ece], 0x66ef_7655),
        ([0xa904_c900, 0xa64b_3590, 0x9874_b33e, 0x61c5_938a, 0x8e15_ed1c], 0x61c5_938a),
        ([0xa37e_783d, 0x7b72_33c0, 0x83d4_f629, 0x26c7_a25f, 0x238d_0316], 0x33c0_83d4),
        ([0xbc9c_d285, 0x6104_2c83, 0xf219_324d, 0x3c60_7256, 0xc032_72ae], 0x7256_c032),
        ([0xa4fb_960c, 0x0bc0_6e1e, 0xabb8_04e5, 0xb397_cdc4, 0xb455_96fa], 0x04e5_b397),
        ([0x1b3c_89f6, 0x5e6c_9e88, 0x3012_0528, 0x2344_3f04, 0x8b43_32db], 0x2823_443f),
        ([0x1637_4098, 0x09a6_79dc, 0x6982_0731, 0x0c8c_7fc0, 0x7290_d9e5], 0x2679_dc69),
    ];

    #[test]
    fn the_intermediate_values_of_rfc_4226_appendix_d_hold() {
        let secret = Secret::from_bytes(b"12345678901234567890").expect("20 bytes");
        for (counter, (words, truncated)) in (0_u64..).zip(APPENDIX_D) {
            let mac = mac::<Hmac<sha1::Sha1>>(&secret, counter.to_be_bytes());
            assert_eq!(mac.as_chunks::<4>().0, words.map(u32::to_be_bytes), "counter {counter}");
            assert_eq!(truncate(&mac), truncated, "counter {counter}");
        }
    }
}
