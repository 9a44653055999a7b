//! Slots: the master key, wrapped once for every way to open the vault.

use alloc::vec::Vec;
use core::fmt;

use argon2::{Argon2, Block, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::VaultError;
use super::header::Reader;
use super::random::Random;

/// A key of 256 bits.
pub(super) type Bytes32 = Zeroizing<[u8; 32]>;

const PASSPHRASE: u8 = 1;
const DEVICE: u8 = 2;

const SALT_BYTES: usize = 16;
const PRF_INPUT_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// The master key and the tag.
const WRAPPED_BYTES: usize = 32 + 16;

/// What Argon2id may take: memory in KiB, passes, lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl Cost {
    /// The least and the most memory, in KiB: 8 MiB and 256 MiB.
    pub const MEMORY_KIB: core::ops::RangeInclusive<u32> = 8 * 1024..=256 * 1024;
    /// The fewest and the most passes.
    pub const PASSES: core::ops::RangeInclusive<u32> = 1..=16;
    /// The fewest and the most lanes.
    pub const LANES: core::ops::RangeInclusive<u32> = 1..=4;
    /// The most memory times passes, in KiB: one pass over 1 GiB.
    pub const MAX_WORK: u32 = 1024 * 1024;

    /// Takes what is within the bounds; else [`VaultError::Cost`].
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, VaultError> {
        let is_allowed = Self::MEMORY_KIB.contains(&memory_kib)
            && Self::PASSES.contains(&passes)
            && Self::LANES.contains(&lanes)
            && memory_kib * passes <= Self::MAX_WORK;
        if is_allowed { Ok(Self { memory_kib, passes, lanes }) } else { Err(VaultError::Cost) }
    }

    /// Memory in KiB, passes, lanes.
    pub const fn get(self) -> (u32, u32, u32) {
        (self.memory_kib, self.passes, self.lanes)
    }
}

impl Default for Cost {
    /// 64 MiB, 3 passes, one lane, since a browser computes in one: RFC 9106 s4, second choice, with one lane for four.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

/// What a person types to open the vault: at least one character, at most 1024 bytes. The caller hands it over in Unicode's
/// form NFC, so that two keyboards make the same bytes.
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// The longest passphrase.
    pub const MAX_BYTES: usize = 1024;

    /// Copies the text; [`VaultError::Passphrase`] if it is empty or too long.
    pub fn new(text: &str) -> Result<Self, VaultError> {
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return Err(VaultError::Passphrase);
        }
        Ok(Self(Zeroizing::new(text.as_bytes().to_vec())))
    }

    /// Argon2id, version 0x13. It takes as long as the cost says. Its memory is asked for politely and wiped.
    pub fn stretch(&self, stretch: &Stretch) -> Result<StretchedKey, VaultError> {
        let (memory, passes, lanes) = stretch.cost.get();
        let params = Params::new(memory, passes, lanes, Some(32)).map_err(|_| VaultError::Cost)?;
        let mut memory = Vec::new();
        let blocks = params.block_count();
        memory.try_reserve_exact(blocks).map_err(|_| VaultError::Memory)?;
        memory.resize(blocks, Block::default());
        let mut key = Zeroizing::new([0; 32]);
        let argon2 = Argon2::new(argon2::Algorithm::Argon2id, Version::V0x13, params);
        let result =
            argon2.hash_password_into_with_memory(&self.0, &stretch.salt, key.as_mut_slice(), &mut memory);
        memory.iter_mut().for_each(zeroize::Zeroize::zeroize);
        result.map_err(|_| VaultError::Cost)?;
        Ok(StretchedKey { stretch: *stretch, key })
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// What Argon2id is asked with: the cost and the salt. A passphrase slot names them, before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stretch {
    cost: Cost,
    salt: [u8; SALT_BYTES],
}

impl Stretch {
    /// The bytes of a salt.
    pub const SALT_BYTES: usize = SALT_BYTES;

    /// For a new slot the salt is drawn, for this slot alone, from a generator fit for keys.
    pub const fn new(cost: Cost, salt: [u8; SALT_BYTES]) -> Self {
        Self { cost, salt }
    }

    /// What Argon2id may take.
    pub const fn cost(&self) -> Cost {
        self.cost
    }

    /// The salt.
    pub const fn salt(&self) -> [u8; SALT_BYTES] {
        self.salt
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, VaultError> {
        let mut number = || reader.array().map(u32::from_be_bytes);
        let cost = Cost::new(number()?, number()?, number()?)?;
        Ok(Self { cost, salt: reader.array()? })
    }

    fn write(&self) -> Vec<u8> {
        let (memory, passes, lanes) = self.cost.get();
        let mut bytes = Vec::new();
        for number in [memory, passes, lanes] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(self.salt);
        bytes
    }
}

/// What Argon2id made of a passphrase: it opens the slots that ask for the same [`Stretch`]. Wiped when dropped.
///
/// Stretching takes a second, and 64 MiB that a WebAssembly module never gives back; so a browser does it in a worker and
/// hands this over, and the vault stays where it is.
#[derive(Clone)]
pub struct StretchedKey {
    stretch: Stretch,
    key: Bytes32,
}

impl StretchedKey {
    /// Copies bytes that [`Self::expose`] gave out elsewhere.
    pub fn new(stretch: Stretch, key: [u8; 32]) -> Self {
        Self { stretch, key: Zeroizing::new(key) }
    }

    /// How it was made.
    pub fn stretch(&self) -> &Stretch {
        &self.stretch
    }

    /// The bytes, for a worker to hand over.
    pub fn expose(&self) -> &[u8; 32] {
        &self.key
    }
}

impl fmt::Debug for StretchedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StretchedKey").field("stretch", &self.stretch).finish_non_exhaustive()
    }
}

/// The 32 bytes that a device gives out for a slot's PRF input once its owner has unlocked it (WebAuthn, extension `prf`).
pub struct DeviceKey(Bytes32);

impl DeviceKey {
    /// Copies the bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKey(…)")
    }
}

/// A slot's name for ever: 16 random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotId(pub(super) [u8; 16]);

impl fmt::Display for SlotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::hex::encode(&self.0))
    }
}

/// Which kind of slot, and what is needed to use it. Before the vault is open, none of it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SlotKind {
    /// Opened by a passphrase.
    Passphrase {
        /// What Argon2id is asked with.
        stretch: Stretch,
    },
    /// Opened by a device.
    Device {
        /// What the device is asked for: the input of its PRF.
        prf_input: [u8; 32],
        /// Which of the device's credentials, in the device's words.
        credential: Vec<u8>,
    },
    /// Of a later version: kept, but nothing opens it here.
    Unknown(u8),
}

/// What opens a vault: a [`Passphrase`], a [`StretchedKey`] or a [`DeviceKey`]; each is tried on the slots of its type.
///
/// They are types and not the variants of one, so that a program which never calls Argon2id does not carry it.
pub trait Opens: sealed::Tries {}

impl Opens for Passphrase {}
impl Opens for StretchedKey {}
impl Opens for DeviceKey {}

mod sealed {
    use super::{Bytes32, DeviceKey, Passphrase, Slot, SlotKind, StretchedKey, VaultError, derive};

    /// Trying one slot.
    pub trait Tries {
        /// The master key; `None` where the slot is of another type or does not open.
        fn master(&self, slot: &Slot, vault: &[u8; 16]) -> Result<Option<Bytes32>, VaultError>;
    }

    impl Tries for Passphrase {
        fn master(&self, slot: &Slot, vault: &[u8; 16]) -> Result<Option<Bytes32>, VaultError> {
            let Some(stretch) = slot.stretch() else { return Ok(None) };
            self.stretch(&stretch)?.master(slot, vault)
        }
    }

    impl Tries for StretchedKey {
        fn master(&self, slot: &Slot, vault: &[u8; 16]) -> Result<Option<Bytes32>, VaultError> {
            let is_asked = slot.stretch() == Some(self.stretch);
            Ok(if is_asked { slot.unwrap(vault, &self.key) } else { None })
        }
    }

    impl Tries for DeviceKey {
        fn master(&self, slot: &Slot, vault: &[u8; 16]) -> Result<Option<Bytes32>, VaultError> {
            let SlotKind::Device { prf_input, .. } = &slot.kind else { return Ok(None) };
            Ok(slot.unwrap(vault, &derive(self, prf_input)))
        }
    }
}

/// The master key wrapped for one way to open the vault.
#[derive(Clone)]
pub struct Slot {
    id: SlotId,
    kind: SlotKind,
    /// As written: the AEAD's associated data with the vault's id.
    type_byte: u8,
    parameters: Vec<u8>,
    nonce: [u8; NONCE_BYTES],
    wrapped: [u8; WRAPPED_BYTES],
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// How a new slot is to be opened.
#[derive(Debug)]
pub enum NewSlot<'a> {
    /// By a passphrase, which was stretched with a new salt.
    Stretched(&'a StretchedKey),
    /// By a device.
    Device {
        /// What the device gave out for `prf_input`.
        key: &'a DeviceKey,
        /// What it was asked for: 32 random bytes.
        prf_input: [u8; PRF_INPUT_BYTES],
        /// Which credential; at most [`Slot::MAX_CREDENTIAL_BYTES`].
        credential: &'a [u8],
    },
}

impl Slot {
    /// The random bytes that a new slot takes: id and nonce.
    pub const RANDOM_BYTES: usize = 16 + NONCE_BYTES;
    /// The longest credential id (WebAuthn s4).
    pub const MAX_CREDENTIAL_BYTES: usize = 1023;
    /// The most parameters of any type.
    pub(super) const MAX_PARAMETER_BYTES: usize = PRF_INPUT_BYTES + Self::MAX_CREDENTIAL_BYTES;

    /// Its name for ever.
    pub fn id(&self) -> SlotId {
        self.id
    }

    /// What opens it.
    pub fn kind(&self) -> &SlotKind {
        &self.kind
    }

    /// What Argon2id is asked with, of a passphrase slot.
    pub fn stretch(&self) -> Option<Stretch> {
        if let SlotKind::Passphrase { stretch } = self.kind { Some(stretch) } else { None }
    }

    pub(super) fn wrap(
        vault: &[u8; 16],
        id: Option<SlotId>,
        new: &NewSlot<'_>,
        master: &Bytes32,
        random: Random<{ Self::RANDOM_BYTES }>,
    ) -> Result<Self, VaultError> {
        let id = id.unwrap_or(SlotId(random.part(0)));
        let nonce = random.part(16);
        drop(random);
        let (kind, type_byte, parameters, key) = match new {
            NewSlot::Stretched(StretchedKey { stretch, key }) => {
                (SlotKind::Passphrase { stretch: *stretch }, PASSPHRASE, stretch.write(), key.clone())
            }
            NewSlot::Device { key, prf_input, credential } => {
                if credential.len() > Self::MAX_CREDENTIAL_BYTES {
                    return Err(VaultError::Credential);
                }
                let parameters = [prf_input.as_slice(), credential].concat();
                let kind = SlotKind::Device { prf_input: *prf_input, credential: credential.to_vec() };
                (kind, DEVICE, parameters, derive(key, prf_input))
            }
        };
        let mut slot = Self { id, kind, type_byte, parameters, nonce, wrapped: [0; WRAPPED_BYTES] };
        let aad = slot.associated(vault);
        let sealed = seal(&key, &nonce, &aad, master.as_slice());
        slot.wrapped.copy_from_slice(&sealed);
        Ok(slot)
    }

    fn unwrap(&self, vault: &[u8; 16], key: &Bytes32) -> Option<Bytes32> {
        let master = open(key, &self.nonce, &self.associated(vault), &self.wrapped)?;
        Some(Zeroizing::new(master.as_slice().try_into().ok()?))
    }

    /// What the wrapped key is bound to: the vault, and everything that stands before it in the slot.
    fn associated(&self, vault: &[u8; 16]) -> Vec<u8> {
        let mut data = b"countersign vault 1 slot".to_vec();
        data.extend(vault);
        self.write_head(&mut data);
        data
    }

    fn write_head(&self, out: &mut Vec<u8>) {
        out.push(self.type_byte);
        out.extend(self.id.0);
        // At most MAX_PARAMETER_BYTES, so it fits.
        out.extend(u16::try_from(self.parameters.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend(&self.parameters);
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.write_head(out);
        out.extend(self.nonce);
        out.extend(self.wrapped);
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, VaultError> {
        let [type_byte] = reader.array()?;
        let id = SlotId(reader.array()?);
        let length = usize::from(u16::from_be_bytes(reader.array()?));
        if length > Self::MAX_PARAMETER_BYTES {
            return Err(VaultError::Damaged);
        }
        let parameters = reader.take(length)?.to_vec();
        let mut inner = Reader::new(&parameters);
        let kind = match type_byte {
            PASSPHRASE => {
                let stretch = Stretch::read(&mut inner)?;
                if !inner.rest().is_empty() {
                    return Err(VaultError::Damaged);
                }
                SlotKind::Passphrase { stretch }
            }
            DEVICE => SlotKind::Device { prf_input: inner.array()?, credential: inner.rest().to_vec() },
            other => SlotKind::Unknown(other),
        };
        Ok(Self { id, kind, type_byte, parameters, nonce: reader.array()?, wrapped: reader.array()? })
    }
}

/// HKDF-SHA-256 (RFC 5869): the salt is the PRF's input, the key its output.
fn derive(device: &DeviceKey, prf_input: &[u8; PRF_INPUT_BYTES]) -> Bytes32 {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(prf_input), device.0.as_slice())
        .expand(b"countersign vault 1 device slot", key.as_mut_slice())
        .expect("HKDF gives up to 255 hashes");
    key
}

pub(super) fn seal(key: &Bytes32, nonce: &[u8; NONCE_BYTES], aad: &[u8], message: &[u8]) -> Vec<u8> {
    let cipher = XChaCha20Poly1305::new((&**key).into());
    cipher
        .encrypt(&XNonce::from(*nonce), Payload { msg: message, aad })
        .expect("a vault is far below the cipher's limit of 256 GiB")
}

pub(super) fn open(
    key: &Bytes32,
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    sealed: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = XChaCha20Poly1305::new((&**key).into());
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad }).ok().map(Zeroizing::new)
}
