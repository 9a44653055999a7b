//! The vault: one file with everything that the phone knows.
//!
//! `docs/spec/vault.md` is the norm. In short:
//! 1. [`Vault::create`] makes a random *master key*, which seals the body, and a first *slot*, which wraps the master key
//!    for a passphrase or a device.
//! 2. [`Vault::save`] gives out the file's bytes. Each has a fresh nonce and the next revision.
//! 3. [`Locked::read`] looks at a file without opening it: which slots are there, and what a device must be asked for.
//! 4. [`Locked::open`] tries a passphrase or a device's key and gives the [`Vault`] back.
//!
//! Argon2id may run elsewhere, in a browser's worker: [`Passphrase::stretch`] makes a [`StretchedKey`] of what [`Slot::stretch`]
//! asks for, and that opens the vault at once.
//!
//! The master key never changes; slots come and go around it. Random bytes come from the caller, as [`Random`]. A content
//! that needs no lock is written by [`write_plain`], in a format that cannot be taken for this one.
//!
//! ```
//! use mobile_core::vault::{
//!     Content, Cost, Entry, EntryId, Key, NewSlot, Passphrase, Random, Stretch, Vault,
//! };
//!
//! # let drawn = || 7;
//! let passphrase = Passphrase::new("correct horse battery staple")?;
//! // Each array is drawn for itself from a generator fit for keys.
//! let stretched = passphrase.stretch(&Stretch::new(Cost::default(), [drawn(); 16]))?;
//! let (keys, slot) = (Random::new([drawn(); 48]), Random::new([drawn(); 40]));
//! let mut vault = Vault::create(Content::default(), &NewSlot::Stretched(&stretched), keys, slot)?;
//!
//! let key = Key::parse("otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")?;
//! vault.content_mut().add(Entry::new(EntryId::new([drawn(); 16]), key, 1_795_568_400_000))?;
//! let file = vault.save(Random::new([drawn(); 24]))?;
//!
//! let vault = Vault::open(&file, &passphrase)?;
//! assert_eq!(vault.content().entries()[0].key.code_at(1_111_111_109).as_str(), "081804");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod content;
mod header;
mod key;
mod plain;
mod random;
mod slot;

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

pub use crate::Origin;
pub use content::{Content, ContentError, Entry, EntryId};
pub use key::{Generator, Key, Shown};
pub use plain::{is_plain, read_plain, write_plain};
pub use random::Random;
pub use slot::{Cost, DeviceKey, NewSlot, Opens, Passphrase, Slot, SlotId, SlotKind, Stretch, StretchedKey};

use header::Header;
use slot::Bytes32;

/// The body's text is a multiple of this, so that its length tells little about the number of entries.
const PADDING: usize = 1024;

/// Why a vault could not be read, opened or changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The file does not begin like a vault.
    #[error("vault: this is not a vault")]
    NotAVault,
    /// A vault of a later version.
    #[error("vault: is of a version that this app does not know")]
    Version,
    /// Longer than [`Vault::MAX_BYTES`].
    #[error("vault: is larger than {} bytes", Vault::MAX_BYTES)]
    TooLarge,
    /// No slot, too many, or two of one id.
    #[error("vault: the slots are none, too many, or double")]
    Slots,
    /// The last slot that this version can open cannot be removed.
    #[error("vault: the last slot must stay")]
    LastSlot,
    /// There is no such slot, or it is of another type.
    #[error("vault: there is no such slot")]
    UnknownSlot,
    /// Argon2id's parameters are out of bounds.
    #[error("vault: the cost of the passphrase is out of bounds")]
    Cost,
    /// There is not enough memory for Argon2id.
    #[error("vault: there is not enough memory to try the passphrase")]
    Memory,
    /// A passphrase that is empty or too long.
    #[error("vault: a passphrase has 1 to {} bytes", Passphrase::MAX_BYTES)]
    Passphrase,
    /// A credential id that is too long.
    #[error("vault: a credential id has at most {} bytes", Slot::MAX_CREDENTIAL_BYTES)]
    Credential,
    /// No slot was opened. The passphrase or the device is wrong, or the slot was changed: these look alike.
    #[error("vault: was not opened; the passphrase or device is wrong, or the file was changed")]
    NotOpened,
    /// The file is cut off or was changed: a slot opened, but the rest does not belong to it.
    #[error("vault: is damaged or was changed")]
    Damaged,
    /// The seal holds and the content is wrong.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// There is no next revision.
    #[error("vault: has reached its last revision")]
    LastRevision,
}

impl VaultError {
    /// A stable name for programs and logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAVault => "not_a_vault",
            Self::Version => "version_unknown",
            Self::TooLarge => "too_large",
            Self::Slots => "slots",
            Self::LastSlot => "last_slot",
            Self::UnknownSlot => "slot_unknown",
            Self::Cost => "cost_out_of_bounds",
            Self::Memory => "memory",
            Self::Passphrase => "passphrase",
            Self::Credential => "credential_too_long",
            Self::NotOpened => "not_opened",
            Self::Damaged => "damaged",
            Self::Content(_) => "content",
            Self::LastRevision => "last_revision",
        }
    }
}

/// Which vault, and how often it was saved. What a phone remembers outside the file, to notice an older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The vault's id.
    pub vault: [u8; 16],
    /// The revision.
    pub revision: u64,
}

impl Mark {
    /// Whether this is the same vault as `seen`, in an older state: somebody put an old file back.
    pub fn is_rollback_of(&self, seen: &Self) -> bool {
        self.vault == seen.vault && self.revision < seen.revision
    }
}

/// A vault file that was looked at and not opened. Nothing it says is trusted yet.
#[derive(Debug)]
pub struct Locked<'a> {
    header: Header,
    nonce: [u8; 24],
    /// All before the body: what the body is bound to.
    before: &'a [u8],
    body: &'a [u8],
}

impl<'a> Locked<'a> {
    /// Reads the header. Sizes and costs are checked here, before anything is allocated for them.
    pub fn read(file: &'a [u8]) -> Result<Self, VaultError> {
        if file.len() > Vault::MAX_BYTES {
            return Err(VaultError::TooLarge);
        }
        let (header, nonce, length) = Header::read(file)?;
        let (before, body) = file.split_at(length);
        Ok(Self { header, nonce, before, body })
    }

    /// The slots, in the file's order.
    pub fn slots(&self) -> &[Slot] {
        &self.header.slots
    }

    /// Which vault and revision the file says it is.
    pub fn mark(&self) -> Mark {
        Mark { vault: self.header.vault, revision: self.header.revision }
    }

    /// Tries every slot of the fitting type. A passphrase takes as long as the slots' cost says, twice at most; where that is
    /// done elsewhere, [`Slot::stretch`] says what a [`StretchedKey`] must be made with.
    pub fn open(&self, with: &impl Opens) -> Result<Vault, VaultError> {
        for slot in &self.header.slots {
            if let Some(master) = with.master(slot, &self.header.vault)? {
                let body =
                    slot::open(&master, &self.nonce, self.before, self.body).ok_or(VaultError::Damaged)?;
                let content = Content::from_json(&body)?;
                return Ok(Vault { header: self.header.clone(), master, content });
            }
        }
        Err(VaultError::NotOpened)
    }
}

/// An open vault. Its master key is wiped when it is dropped.
pub struct Vault {
    header: Header,
    master: Bytes32,
    content: Content,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("mark", &self.mark()).finish_non_exhaustive()
    }
}

impl Vault {
    /// The largest file.
    pub const MAX_BYTES: usize = 8 * 1024 * 1024;
    /// The random bytes that a new vault takes: its id and its master key.
    pub const RANDOM_BYTES: usize = 16 + 32;
    /// The random bytes that a save takes: the body's nonce.
    pub const SAVE_RANDOM_BYTES: usize = 24;
    /// The most slots of all types.
    pub const MAX_SLOTS: usize = header::MAX_SLOTS;
    /// The most passphrase slots.
    pub const MAX_PASSPHRASES: usize = header::MAX_PASSPHRASES;

    /// A new vault around a content, with one slot. It is nowhere until it is saved.
    pub fn create(
        content: Content,
        first: &NewSlot<'_>,
        random: Random<{ Self::RANDOM_BYTES }>,
        slot_random: Random<{ Slot::RANDOM_BYTES }>,
    ) -> Result<Self, VaultError> {
        let header = Header { vault: random.part(0), revision: 0, slots: Vec::new() };
        let master = Zeroizing::new(random.part(16));
        drop(random);
        let mut vault = Self { header, master, content };
        vault.add_slot(first, slot_random)?;
        Ok(vault)
    }

    /// [`Locked::read`] and [`Locked::open`] in one.
    pub fn open(file: &[u8], with: &impl Opens) -> Result<Self, VaultError> {
        Locked::read(file)?.open(with)
    }

    /// The file's bytes, one revision further. The caller writes them so that a crash leaves the old file or the new one.
    pub fn save(&mut self, random: Random<{ Self::SAVE_RANDOM_BYTES }>) -> Result<Vec<u8>, VaultError> {
        let nonce = random.part(0);
        drop(random);
        let revision = self.header.revision.checked_add(1).ok_or(VaultError::LastRevision)?;
        let json = self.content.to_json()?;
        let padded = json.len().next_multiple_of(PADDING);
        let mut body = Zeroizing::new(Vec::with_capacity(padded));
        body.extend(json.as_bytes());
        body.resize(padded, b' ');

        let mut header = self.header.clone();
        header.revision = revision;
        let mut file = header.write(&nonce);
        let sealed = slot::seal(&self.master, &nonce, &file, &body);
        file.extend(sealed);
        if file.len() > Self::MAX_BYTES {
            return Err(VaultError::TooLarge);
        }
        self.header = header;
        Ok(file)
    }

    /// Which vault this is, and its last saved revision.
    pub fn mark(&self) -> Mark {
        Mark { vault: self.header.vault, revision: self.header.revision }
    }

    /// The slots, in their order.
    pub fn slots(&self) -> &[Slot] {
        &self.header.slots
    }

    /// The entries.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The entries, to be changed.
    pub fn content_mut(&mut self) -> &mut Content {
        &mut self.content
    }

    /// The entries without the vault around them.
    pub fn into_content(self) -> Content {
        self.content
    }

    /// Adds a way to open the vault. [`VaultError::Slots`] if there are as many as there may be.
    pub fn add_slot(
        &mut self,
        new: &NewSlot<'_>,
        random: Random<{ Slot::RANDOM_BYTES }>,
    ) -> Result<SlotId, VaultError> {
        let passphrases = self.slots().iter().filter(|slot| slot.stretch().is_some()).count();
        let is_full = self.slots().len() >= Self::MAX_SLOTS
            || (matches!(new, NewSlot::Stretched(_)) && passphrases >= Self::MAX_PASSPHRASES);
        if is_full {
            return Err(VaultError::Slots);
        }
        let slot = Slot::wrap(&self.header.vault, None, new, &self.master, random)?;
        let id = slot.id();
        if self.slots().iter().any(|other| other.id() == id) {
            return Err(VaultError::Slots);
        }
        self.header.slots.push(slot);
        Ok(id)
    }

    /// Takes a way to open the vault away, from the next save on. Files saved before still open by it.
    pub fn remove_slot(&mut self, id: SlotId) -> Result<(), VaultError> {
        let place = self.place(id)?;
        let remains = self
            .slots()
            .iter()
            .enumerate()
            .any(|(other, slot)| other != place && !matches!(slot.kind(), SlotKind::Unknown(_)));
        if !remains {
            return Err(VaultError::LastSlot);
        }
        self.header.slots.remove(place);
        Ok(())
    }

    /// Wraps the master key for another passphrase, which was stretched with a new salt. The slot keeps its id and gets a new
    /// nonce.
    pub fn change_passphrase(
        &mut self,
        id: SlotId,
        key: &StretchedKey,
        random: Random<{ Slot::RANDOM_BYTES }>,
    ) -> Result<(), VaultError> {
        let place = self.place(id)?;
        if self.slots()[place].stretch().is_none() {
            return Err(VaultError::UnknownSlot);
        }
        let new = NewSlot::Stretched(key);
        self.header.slots[place] = Slot::wrap(&self.header.vault, Some(id), &new, &self.master, random)?;
        Ok(())
    }

    fn place(&self, id: SlotId) -> Result<usize, VaultError> {
        self.slots().iter().position(|slot| slot.id() == id).ok_or(VaultError::UnknownSlot)
    }
}
