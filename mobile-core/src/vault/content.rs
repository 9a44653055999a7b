//! What a vault holds: entries, in the order in which the phone shows them.
//!
//! The text is JSON. Members that this version does not know are kept where they stand, in the document and in each entry,
//! so that an older app does not lose what a newer one wrote.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::key::{Generator, Key};
use crate::json::{Json, Object};
use crate::{Counter, Digits, Hotp, Origin, Period, Secret, Totp, hex};

/// Why the content was refused. It was sealed so: whoever wrote it, wrote it wrongly or for a later version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContentError {
    /// Not UTF-8, not JSON, too deep or too many values.
    #[error("content: is not JSON at byte {0}")]
    Json(usize),
    /// The version is not 1.
    #[error("content: is of a version that this app does not know")]
    Version,
    /// No list of entries, or more than [`Content::MAX_ENTRIES`].
    #[error("content: has no list of at most {} entries", Content::MAX_ENTRIES)]
    Entries,
    /// A member of an entry is missing or not what it must be.
    #[error("content: entry {position} is wrong in `{member}`")]
    Entry {
        /// Which entry, counted from 1.
        position: usize,
        /// The member's name.
        member: &'static str,
    },
    /// There is an entry with this id already.
    #[error("content: has an entry of this id already")]
    Id,
    /// One of the texts is longer than [`Entry::MAX_TEXT_BYTES`].
    #[error("content: `{0}` is too long")]
    TooLong(&'static str),
    /// There is no entry with this id.
    #[error("content: has no entry of this id")]
    Unknown,
}

/// An entry's name for ever: 16 random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId([u8; 16]);

impl EntryId {
    /// Takes 16 bytes, drawn for this one entry.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn get(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// One account on the phone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    id: EntryId,
    /// Secret, generator, issuer and account.
    pub key: Key,
    /// A name of the user's own, shown in the place of issuer and account.
    pub label: Option<String>,
    /// The group under which it is shown.
    pub group: Option<String>,
    /// Shown before the others.
    pub favourite: bool,
    /// When it came into the vault, in milliseconds since the Unix epoch.
    pub created: u64,
    /// Whatever the user wrote beside it. Wiped when dropped: people keep recovery codes there.
    pub note: Zeroizing<String>,
    /// The server that enrolled it, where that was a Countersign.
    pub origin: Option<Origin>,
    unknown: Object,
}

impl Entry {
    /// The longest label, group, note, and part of an origin.
    pub const MAX_TEXT_BYTES: usize = 16 * 1024;

    /// An entry with nothing but its key.
    pub fn new(id: EntryId, key: Key, created: u64) -> Self {
        Self {
            id,
            key,
            label: None,
            group: None,
            favourite: false,
            created,
            note: Zeroizing::default(),
            origin: None,
            unknown: Object::new(),
        }
    }

    /// Its name for ever.
    pub fn id(&self) -> EntryId {
        self.id
    }

    /// The same under another id and time.
    #[cfg(feature = "transfer")]
    pub(crate) fn adopted(self, id: EntryId, created: u64) -> Self {
        Self { id, created, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), ContentError> {
        let origin = self.origin.as_ref();
        for (name, text) in [
            ("label", self.label.as_deref()),
            ("group", self.group.as_deref()),
            ("note", Some(self.note.as_str())),
            ("origin", origin.map(|origin| origin.issuer.as_str())),
            ("origin", origin.and_then(|origin| origin.factor.as_deref())),
        ] {
            if text.is_some_and(|text| text.len() > Self::MAX_TEXT_BYTES) {
                return Err(ContentError::TooLong(name));
            }
        }
        Ok(())
    }

    pub(crate) fn to_json(&self) -> Json {
        let mut members = Object::new();
        let mut add = |name: &str, value: Json| members.push((name.into(), value));
        add("id", Json::text(&hex::encode(&self.id.0)));
        let parameters = match self.key.generator() {
            Generator::Totp(Totp { algorithm, digits, period }) => {
                Some(("totp", algorithm, digits, "period", u64::from(period.get())))
            }
            Generator::Hotp(Hotp { algorithm, digits }, counter) => {
                Some(("hotp", algorithm, digits, "counter", counter.get()))
            }
            Generator::Steam => None,
        };
        add("kind", Json::text(parameters.map_or("steam", |parameters| parameters.0)));
        if let Some(issuer) = self.key.issuer() {
            add("issuer", Json::text(issuer));
        }
        add("account", Json::text(self.key.account()));
        add("secret", Json::Text(self.key.secret().to_base32()));
        if let Some((_, algorithm, digits, name, number)) = parameters {
            add("algorithm", Json::text(algorithm.as_str()));
            add("digits", Json::number(digits));
            // 64 bits do not fit a number of every JSON reader; a counter is small in all honest files.
            add(name, Json::number(number));
        }
        for (name, text) in [("label", &self.label), ("group", &self.group)] {
            if let Some(text) = text {
                add(name, Json::text(text));
            }
        }
        add("favourite", Json::Bool(self.favourite));
        add("created", Json::number(self.created));
        if !self.note.is_empty() {
            add("note", Json::Text(self.note.clone()));
        }
        if let Some(origin) = &self.origin {
            let mut members = Object::new();
            members.push(("issuer".into(), Json::text(&origin.issuer)));
            if let Some(factor) = &origin.factor {
                members.push(("factor".into(), Json::text(factor)));
            }
            add("origin", Json::Object(members));
        }
        members.extend(self.unknown.iter().cloned());
        Json::Object(members)
    }

    /// The error names the member.
    pub(crate) fn from_json(value: &Json) -> Result<Self, &'static str> {
        const KNOWN: &[&str] = &[
            "id",
            "kind",
            "issuer",
            "account",
            "secret",
            "algorithm",
            "digits",
            "period",
            "counter",
            "label",
            "group",
            "favourite",
            "created",
            "note",
            "origin",
        ];
        let members = value.as_object().ok_or("id")?;
        let text = |name: &'static str| match value.member(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(name),
        };
        let number = |name: &'static str| value.member(name).and_then(Json::as_u64).ok_or(name);
        let owned = |name: &'static str| text(name).map(|text| text.map(String::from));
        let hash = || text("algorithm")?.and_then(|name| name.parse().ok()).ok_or("algorithm");
        let digits = || {
            u8::try_from(number("digits")?).ok().and_then(|digits| Digits::new(digits).ok()).ok_or("digits")
        };
        let generator = match text("kind")?.ok_or("kind")? {
            "totp" => {
                let period =
                    u32::try_from(number("period")?).ok().and_then(|period| Period::new(period).ok());
                Generator::Totp(Totp {
                    algorithm: hash()?,
                    digits: digits()?,
                    period: period.ok_or("period")?,
                })
            }
            "hotp" => Generator::Hotp(
                Hotp { algorithm: hash()?, digits: digits()? },
                Counter::new(number("counter")?),
            ),
            "steam" => Generator::Steam,
            _ => return Err("kind"),
        };
        let secret = Secret::parse(text("secret")?.unwrap_or_default()).map_err(|_| "secret")?;
        let key = Key::new(owned("issuer")?, owned("account")?.ok_or("account")?, secret, generator)
            .map_err(|error| error.field().as_str())?;
        let origin = match value.member("origin") {
            None => None,
            Some(origin) => {
                let part = |name| origin.member(name).and_then(Json::as_str).map(String::from);
                Some(Origin { issuer: part("issuer").ok_or("origin")?, factor: part("factor") })
            }
        };
        let entry = Self {
            id: EntryId(text("id")?.and_then(hex::array).ok_or("id")?),
            key,
            label: owned("label")?,
            group: owned("group")?,
            favourite: value.member("favourite").is_some_and(|value| value.as_bool() == Some(true)),
            created: number("created")?,
            note: Zeroizing::new(text("note")?.unwrap_or_default().into()),
            origin,
            unknown: members.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str())).cloned().collect(),
        };
        entry.check().map_err(|error| if let ContentError::TooLong(name) = error { name } else { "id" })?;
        Ok(entry)
    }
}

/// All entries of a vault.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    entries: Vec<Entry>,
    unknown: Object,
}

impl Content {
    /// The most entries a vault holds.
    pub const MAX_ENTRIES: usize = 10_000;

    /// The entries, in their order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of this id.
    pub fn entry(&self, id: EntryId) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }

    /// Adds an entry behind the others, unless there is one of its id.
    pub fn add(&mut self, entry: Entry) -> Result<(), ContentError> {
        entry.check()?;
        if self.entries.len() >= Self::MAX_ENTRIES {
            return Err(ContentError::Entries);
        }
        if self.entry(entry.id).is_some() {
            return Err(ContentError::Id);
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Replaces the entry of the same id.
    pub fn replace(&mut self, entry: Entry) -> Result<(), ContentError> {
        entry.check()?;
        let place = self.place(entry.id)?;
        self.entries[place] = entry;
        Ok(())
    }

    /// Takes an entry out.
    pub fn remove(&mut self, id: EntryId) -> Result<Entry, ContentError> {
        let place = self.place(id)?;
        Ok(self.entries.remove(place))
    }

    /// Moves an entry so that `before` others stand before it, or to the end.
    pub fn move_to(&mut self, id: EntryId, before: usize) -> Result<(), ContentError> {
        let entry = self.remove(id)?;
        self.entries.insert(before.min(self.entries.len()), entry);
        Ok(())
    }

    /// Puts an HOTP entry's counter one further, after its code was shown. The vault must be saved before the next code is
    /// shown. Other entries, and one at its last counter, stay as they are.
    pub fn advance(&mut self, id: EntryId) -> Result<(), ContentError> {
        let place = self.place(id)?;
        if let Some(key) = self.entries[place].key.advanced() {
            self.entries[place].key = key;
        }
        Ok(())
    }

    fn place(&self, id: EntryId) -> Result<usize, ContentError> {
        self.entries.iter().position(|entry| entry.id == id).ok_or(ContentError::Unknown)
    }

    /// The JSON text. It is read again, so that nothing is ever saved that could not be opened: members that are not known
    /// can add up to more values than a reader takes.
    pub(crate) fn to_json(&self) -> Result<Zeroizing<String>, ContentError> {
        let mut members = Object::new();
        members.push(("version".into(), Json::number(1)));
        members.push(("entries".into(), Json::List(self.entries.iter().map(Entry::to_json).collect())));
        members.extend(self.unknown.iter().cloned());
        let value = Json::Object(members);
        let mut text = Zeroizing::new(String::with_capacity(value.room()));
        value.write(&mut text);
        drop(value);
        Self::from_json(text.as_bytes())?;
        Ok(text)
    }

    pub(crate) fn from_json(bytes: &[u8]) -> Result<Self, ContentError> {
        let text = core::str::from_utf8(bytes).map_err(|error| ContentError::Json(error.valid_up_to()))?;
        let value = Json::parse(text).map_err(|error| ContentError::Json(error.0))?;
        if value.member("version").and_then(Json::as_u64) != Some(1) {
            return Err(ContentError::Version);
        }
        let list = value.member("entries").and_then(Json::as_list).ok_or(ContentError::Entries)?;
        if list.len() > Self::MAX_ENTRIES {
            return Err(ContentError::Entries);
        }
        let mut ids = alloc::collections::BTreeSet::new();
        let mut entries = Vec::with_capacity(list.len());
        for (index, value) in list.iter().enumerate() {
            let entry = Entry::from_json(value)
                .map_err(|member| ContentError::Entry { position: index + 1, member })?;
            if !ids.insert(entry.id) {
                return Err(ContentError::Id);
            }
            entries.push(entry);
        }
        let known = ["version", "entries"];
        let unknown = value.as_object().map(|members| {
            members.iter().filter(|(name, _)| !known.contains(&name.as_str())).cloned().collect()
        });
        Ok(Self { entries, unknown: unknown.unwrap_or_default() })
    }
}
