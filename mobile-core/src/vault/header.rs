//! Everything before the body. `docs/spec/vault.md` has the table.

use alloc::vec::Vec;

use super::VaultError;
use super::slot::Slot;

pub(super) const MAGIC: &[u8; 8] = b"csvault\n";
pub(super) const VERSION: u16 = 1;
pub(super) const MAX_SLOTS: usize = 16;
/// Each costs seconds to try, and a file decides how many there are.
pub(super) const MAX_PASSPHRASES: usize = 2;

#[derive(Debug, Clone)]
pub(super) struct Header {
    pub(super) vault: [u8; 16],
    pub(super) revision: u64,
    pub(super) slots: Vec<Slot>,
}

impl Header {
    /// The header, the body's nonce, the body, and how many bytes stand before the body.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, [u8; 24], usize), VaultError> {
        let mut reader = Reader::new(bytes);
        if reader.take(MAGIC.len()) != Ok(MAGIC) {
            return Err(VaultError::NotAVault);
        }
        if u16::from_be_bytes(reader.array()?) != VERSION {
            return Err(VaultError::Version);
        }
        let vault = reader.array()?;
        let revision = u64::from_be_bytes(reader.array()?);
        let [count] = reader.array()?;
        let count = usize::from(count);
        if count == 0 || count > MAX_SLOTS {
            return Err(VaultError::Slots);
        }
        let mut slots: Vec<Slot> = Vec::with_capacity(count);
        for _ in 0..count {
            let slot = Slot::read(&mut reader)?;
            if slots.iter().any(|other| other.id() == slot.id()) {
                return Err(VaultError::Slots);
            }
            slots.push(slot);
        }
        if slots.iter().filter(|slot| slot.stretch().is_some()).count() > MAX_PASSPHRASES {
            return Err(VaultError::Slots);
        }
        let nonce = reader.array()?;
        let before = bytes.len() - reader.rest().len();
        Ok((Self { vault, revision, slots }, nonce, before))
    }

    pub(super) fn write(&self, nonce: &[u8; 24]) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(MAGIC);
        out.extend(VERSION.to_be_bytes());
        out.extend(self.vault);
        out.extend(self.revision.to_be_bytes());
        out.push(u8::try_from(self.slots.len()).unwrap_or(u8::MAX));
        for slot in &self.slots {
            slot.write(&mut out);
        }
        out.extend(nonce);
        out
    }
}

/// Takes bytes from the front; what is not there is [`VaultError::Damaged`].
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], VaultError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(VaultError::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], VaultError> {
        self.take(N)?.try_into().map_err(|_| VaultError::Damaged)
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.0
    }
}
