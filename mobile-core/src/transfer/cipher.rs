//! AES-256-GCM and the ways in which other apps make a key of a password.

use alloc::vec::Vec;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead as _, KeyInit as _};
use zeroize::Zeroizing;

use super::TransferError;

pub(super) type Bytes32 = Zeroizing<[u8; 32]>;

/// The most rounds of PBKDF2.
const MAX_ROUNDS: u32 = 2_000_000;
/// scrypt's N times r times p: 256 MiB, worked through once.
const MAX_SCRYPT: u64 = 1 << 21;

/// The message of a sealed text with its tag at the end.
pub(super) fn open(key: &Bytes32, nonce: &[u8; 12], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = Aes256Gcm::new((&**key).into());
    cipher.decrypt(&(*nonce).into(), sealed).ok().map(Zeroizing::new)
}

pub(super) fn scrypt(password: &str, salt: &[u8], n: u64, r: u64, p: u64) -> Result<Bytes32, TransferError> {
    let work = n.checked_mul(r).and_then(|work| work.checked_mul(p));
    let is_allowed =
        n > 1 && n.is_power_of_two() && work.is_some_and(|work| (1..=MAX_SCRYPT).contains(&work));
    if !is_allowed {
        return Err(TransferError::Cost);
    }
    let small = |number: u64| u32::try_from(number).map_err(|_| TransferError::Cost);
    let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| TransferError::Cost)?;
    let params = scrypt::Params::new(log_n, small(r)?, small(p)?).map_err(|_| TransferError::Cost)?;
    let mut key = Zeroizing::new([0; 32]);
    scrypt::scrypt(password.as_bytes(), salt, &params, key.as_mut_slice())
        .map_err(|_| TransferError::Cost)?;
    Ok(key)
}

pub(super) fn pbkdf2_sha256(password: &str, salt: &[u8], rounds: u32) -> Bytes32 {
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(password.as_bytes(), salt, rounds, key.as_mut_slice());
    key
}

pub(super) fn pbkdf2_sha1(password: &str, salt: &[u8], rounds: u32) -> Result<Bytes32, TransferError> {
    if !(1..=MAX_ROUNDS).contains(&rounds) {
        return Err(TransferError::Cost);
    }
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password.as_bytes(), salt, rounds, key.as_mut_slice());
    Ok(key)
}
