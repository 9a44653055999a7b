//! What an import would do to a vault, and doing it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use super::{Found, Import, Unread};
use crate::vault::{Content, ContentError, Entry, EntryId, Generator, Key};

/// How an account stands to those in the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Neither its codes nor its names are there.
    New,
    /// An entry makes the same codes: secret, kind and parameters are equal. Its names may be others, and an HOTP counter
    /// may have come less far or further.
    Duplicate(EntryId),
    /// An entry has the same issuer and account and makes other codes.
    Conflict(EntryId),
    /// The item of this index in the same file, counted from 0, makes the same codes.
    Repeated(usize),
}

/// What to do with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// Leave it out.
    Skip,
    /// Add it, beside whatever has the same names.
    Add,
    /// Of a conflict: put its key and origin in the place of the entry's, whose old secret is gone then. Of others: as
    /// [`Self::Add`].
    Replace,
}

impl Status {
    /// What is done unless the person says otherwise: what is new is added.
    pub const fn usual(self) -> Choice {
        match self {
            Self::New => Choice::Add,
            Self::Duplicate(_) | Self::Conflict(_) | Self::Repeated(_) => Choice::Skip,
        }
    }
}

/// An account of the file and how it stands to the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The account.
    pub found: Found,
    /// How it stands to the vault.
    pub status: Status,
}

/// What a person is shown before anything happens. Every account of the file is in `items` or in `unread`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// What was read.
    pub items: Vec<Item>,
    /// What was not, and why.
    pub unread: Vec<Unread>,
    /// How many items of the file make no codes.
    pub without_code: usize,
}

/// Equal for keys that make the same codes, and only for those; tells nothing of the secret to who cannot guess it.
fn fingerprint(key: &Key) -> [u8; 32] {
    let (kind, algorithm, digits, period) = match key.generator() {
        Generator::Totp(totp) => (0, totp.algorithm.as_str(), totp.digits.get(), totp.period.get()),
        Generator::Hotp(hotp, _) => (1, hotp.algorithm.as_str(), hotp.digits.get(), 0),
        Generator::Steam => (2, "", 0, 0),
    };
    let mut hash = Sha256::new();
    // All but the last have a fixed length or an end of their own.
    hash.update([kind, digits]);
    hash.update(period.to_be_bytes());
    hash.update(algorithm.as_bytes());
    hash.update([0]);
    hash.update(key.secret().expose());
    hash.finalize().into()
}

impl Import {
    /// Compares with a vault's content.
    pub fn preview(self, content: &Content) -> Preview {
        let mut codes = BTreeMap::new();
        let mut names: BTreeMap<(Option<&str>, &str), EntryId> = BTreeMap::new();
        for entry in content.entries() {
            codes.entry(fingerprint(&entry.key)).or_insert(Status::Duplicate(entry.id()));
            names.entry((entry.key.issuer(), entry.key.account())).or_insert(entry.id());
        }
        let items = self.found.into_iter().enumerate().map(|(index, found)| {
            let key = &found.entry.key;
            let fingerprint = fingerprint(key);
            let status = match codes.get(&fingerprint) {
                Some(status) => *status,
                None => match names.get(&(key.issuer(), key.account())) {
                    Some(id) => Status::Conflict(*id),
                    None => Status::New,
                },
            };
            codes.entry(fingerprint).or_insert(Status::Repeated(index));
            Item { found, status }
        });
        Preview { items: items.collect(), unread: self.unread, without_code: self.without_code }
    }
}

impl Preview {
    /// Does what is chosen for each item; [`Status::usual`] is the usual choice. Returns the ids of what was added or
    /// replaced.
    ///
    /// `now` is in milliseconds since the Unix epoch; `id` draws 16 random bytes for each entry that is added. What makes
    /// the codes of an entry that is there, or of an item before it that was taken, is skipped whatever is chosen. If there
    /// is not room for all, nothing is changed.
    pub fn apply(
        self,
        content: &mut Content,
        now: u64,
        mut id: impl FnMut() -> [u8; 16],
        choose: impl Fn(&Item) -> Choice,
    ) -> Result<Vec<EntryId>, ContentError> {
        let mut after = content.clone();
        let mut codes: BTreeSet<[u8; 32]> =
            after.entries().iter().map(|entry| fingerprint(&entry.key)).collect();
        let mut changed = Vec::new();
        for item in self.items {
            let choice = choose(&item);
            let print = fingerprint(&item.found.entry.key);
            if choice == Choice::Skip || !codes.insert(print) {
                continue;
            }
            let replaced = match item.status {
                // Of several accounts of one name only the first takes the place; the others are added.
                Status::Conflict(id) if choice == Choice::Replace && !changed.contains(&id) => {
                    after.entry(id).cloned()
                }
                _ => None,
            };
            if let Some(mut entry) = replaced {
                codes.remove(&fingerprint(&entry.key));
                entry.key = item.found.entry.key;
                // It goes with the secret: the factor that the old one belonged to is another.
                entry.origin = item.found.entry.origin;
                changed.push(entry.id());
                after.replace(entry)?;
            } else {
                let entry = adopted(item.found.entry, EntryId::new(id()), now);
                changed.push(entry.id());
                after.add(entry)?;
            }
        }
        *content = after;
        Ok(changed)
    }
}

/// An entry under a new id; its time is kept where our own vault said it.
fn adopted(entry: Entry, id: EntryId, now: u64) -> Entry {
    let created = if entry.created == 0 { now } else { entry.created };
    entry.adopted(id, created)
}
