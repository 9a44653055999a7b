//! Secrets at rest: XChaCha20-Poly1305 under a key derived from the master key. The associated data name the place
//! (table, column, row), so that a sealed value moved elsewhere does not open.
//!
//! Layout: version (1 byte), master key id (8), nonce (24), ciphertext and tag.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::crypto::master_key::{KeyId, MasterKey};
use crate::domain::id::{FactorId, MailId};
use crate::error::Fault;
use crate::random;

/// Sealed into every database, to be opened by its own master key only.
const PROOF: &[u8] = b"countersign";

const VERSION: u8 = 1;
const HEADER: usize = 1 + 8;
const NONCE: usize = 24;

/// Where a sealed value stands.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    table: &'a str,
    column: &'static str,
    row: &'a [u8],
}

/// The column that is sealed, in every table that has one: whoever seals everything anew finds it by that name.
pub const COLUMN: &str = "sealed";

impl<'a> Place<'a> {
    /// The sealed value of one row.
    pub const fn of(table: &'a str, row: &'a [u8]) -> Self {
        Self { table, column: COLUMN, row }
    }

    /// The table.
    pub const fn table(&self) -> &'a str {
        self.table
    }

    /// Where a factor's shared secret is sealed.
    pub const fn factor_secret(factor: &'a FactorId) -> Self {
        Self::of("factor_secret", factor.bytes())
    }

    /// Where what a phone's proofs are checked with is sealed.
    pub const fn factor_phone(factor: &'a FactorId) -> Self {
        Self::of("factor_phone", factor.bytes())
    }

    /// Where a signing key's seed is sealed.
    pub const fn signing_key(kid: &'a str) -> Self {
        Self::of("signing_key", kid.as_bytes())
    }

    /// Where the private half of a key of ID tokens is sealed.
    pub const fn id_token_key(kid: &'a str) -> Self {
        Self::of("id_token_key", kid.as_bytes())
    }

    /// Where a mail's text is sealed: it may hold an invitation's link.
    pub const fn mail(mail: &'a MailId) -> Self {
        Self::of("outbox", mail.bytes())
    }

    /// Where a key of keyed hashes is sealed.
    pub const fn hash_key(purpose: &'a str) -> Self {
        Self::of("hash_key", purpose.as_bytes())
    }

    const fn proof(key_id: &'a [u8]) -> Self {
        Self { table: "master_key", column: "proof", row: key_id }
    }

    fn associated_data(&self, header: &[u8]) -> Vec<u8> {
        let mut data = header.to_vec();
        for part in [self.table.as_bytes(), self.column.as_bytes(), self.row] {
            data.extend_from_slice(&(part.len() as u64).to_be_bytes());
            data.extend_from_slice(part);
        }
        data
    }
}

/// Seals and opens.
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    key_id: KeyId,
}

impl Sealer {
    /// Derives the key.
    pub fn new(master: &MasterKey) -> Self {
        let key = master.derive("secrets at rest");
        let cipher = XChaCha20Poly1305::new_from_slice(key.as_slice()).expect("the key has 32 bytes");
        Self { cipher, key_id: master.id() }
    }

    /// Names the master key: [`MasterKey::id`].
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// What stands in a database for only its own master key to open.
    pub fn proof(&self) -> Result<Vec<u8>, Fault> {
        self.seal(Place::proof(self.key_id.to_string().as_bytes()), PROOF)
    }

    /// Whether that was sealed under this key.
    pub fn opens_proof(&self, sealed: &[u8]) -> bool {
        let key_id = self.key_id.to_string();
        self.open(Place::proof(key_id.as_bytes()), sealed).is_ok_and(|opened| opened.as_slice() == PROOF)
    }

    /// Seals `plain` for one place.
    pub fn seal(&self, place: Place<'_>, plain: &[u8]) -> Result<Vec<u8>, Fault> {
        let mut sealed = vec![VERSION];
        sealed.extend_from_slice(self.key_id.bytes());
        let nonce = random::bytes::<NONCE>();
        let aad = place.associated_data(&sealed);
        let payload = Payload { msg: plain, aad: &aad };
        let ciphertext = self
            .cipher
            .encrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| Fault::Crypto("a secret could not be sealed"))?;
        sealed.extend_from_slice(nonce.as_slice());
        sealed.extend_from_slice(&ciphertext);
        Ok(sealed)
    }

    /// Opens what was sealed for the same place under the same key.
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let failed =
            || Fault::Crypto("a sealed value does not open: wrong master key, or it was altered or moved");
        let (header, rest) = sealed.split_at_checked(HEADER).ok_or_else(failed)?;
        let (nonce, ciphertext) = rest.split_at_checked(NONCE).ok_or_else(failed)?;
        if header[0] != VERSION || header[1..] != *self.key_id.bytes() {
            return Err(failed());
        }
        let nonce = <[u8; NONCE]>::try_from(nonce).map_err(|_| failed())?;
        let aad = place.associated_data(header);
        let payload = Payload { msg: ciphertext, aad: &aad };
        self.cipher.decrypt(&XNonce::from(nonce), payload).map(Zeroizing::new).map_err(|_| failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place<'_> = Place { table: "factor_secret", column: "sealed", row: b"1" };

    #[test]
    fn a_value_opens_only_at_its_place_under_its_key_and_unaltered() {
        let master = MasterKey::generate();
        let sealer = Sealer::new(&master);
        let sealed = sealer.seal(HERE, b"secret").expect("sealed");
        assert_eq!(sealer.open(HERE, &sealed).expect("opened").as_slice(), b"secret");
        assert!(!sealed.windows(6).any(|window| window == b"secret"));

        assert!(sealer.open(Place { row: b"2", ..HERE }, &sealed).is_err());
        assert!(sealer.open(Place { table: "other", ..HERE }, &sealed).is_err());
        assert!(sealer.open(Place { column: "other", ..HERE }, &sealed).is_err());
        assert!(Sealer::new(&MasterKey::generate()).open(HERE, &sealed).is_err());
        for index in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[index] ^= 1;
            assert!(sealer.open(HERE, &altered).is_err(), "byte {index}");
            assert!(sealer.open(HERE, &sealed[..index]).is_err(), "length {index}");
        }
    }

    #[test]
    fn no_two_sealings_are_alike() {
        let sealer = Sealer::new(&MasterKey::generate());
        assert_ne!(sealer.seal(HERE, b"x").expect("sealed"), sealer.seal(HERE, b"x").expect("sealed"));
    }
}
