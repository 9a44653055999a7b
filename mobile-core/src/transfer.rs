//! Taking data along: reading what other apps export, and writing what they import.
//!
//! `docs/spec/transfer.md` says what is read of each format, and what is lost. The way of an import:
//! 1. [`Format::detect`] guesses the format; the person may say another.
//! 2. [`read`] gives an [`Import`]: what was found, and what could not be read, with place and reason.
//! 3. [`Import::preview`] compares it with the vault: new, duplicate, conflict.
//! 4. [`Preview::apply`] adds what the person chose. Nothing is added twice, whatever is chosen.
//!
//! ```
//! use mobile_core::transfer::{Format, Status, read, write_uris};
//! use mobile_core::vault::Content;
//!
//! let file = b"otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQ\nsomething else\n";
//! let format = Format::detect(file).ok_or("nothing that is known")?;
//! let preview = read(file, format, None)?.preview(&Content::default());
//! assert_eq!(preview.items[0].status, Status::New);
//! assert_eq!(preview.unread[0].place.to_string(), "line 2");
//!
//! let mut content = Content::default();
//! let drawn = || [7; 16];
//! preview.apply(&mut content, 1_795_568_400_000, drawn, |item| item.status.usual())?;
//! assert!(write_uris(&content).starts_with("otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQ&"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Where a worker reads the file, [`Import::to_json`] and [`Import::from_json`] carry the import over.
//!
//! Files are hostile: sizes, depths and the cost of their passwords are bounded, and no bytes make this panic.

mod aegis;
mod andotp;
mod bitwarden;
mod cipher;
mod csv;
mod draft;
mod freeotp;
mod handed;
mod migration;
mod preview;
mod protobuf;
mod twofas;
mod uris;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use migration::{migration_id, write_migration};
pub use preview::{Choice, Item, Preview, Status};
pub use uris::{read_uri, write_uris};

use crate::json::Json;
use crate::uri::is_unsafe_to_show;
use draft::some;

use crate::vault::{Content, Entry, EntryId, Passphrase, Vault, VaultError, is_plain, read_plain};
use crate::{Field, KeyUriError, SecretError};

/// The largest file.
pub const MAX_BYTES: usize = Vault::MAX_BYTES;
/// The most accounts in a file: as many as a vault holds.
pub const MAX_ITEMS: usize = Content::MAX_ENTRIES;

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `otpauth://` and `otpauth-migration://` URIs, one a line: many apps, Google Authenticator, ente Auth.
    Uris,
    /// Aegis, plain or encrypted.
    Aegis,
    /// 2FAS, plain or encrypted.
    TwoFas,
    /// andOTP, plain.
    AndOtp,
    /// andOTP, encrypted by a password.
    AndOtpEncrypted,
    /// FreeOTP+.
    FreeOtpPlus,
    /// Bitwarden, JSON.
    BitwardenJson,
    /// Bitwarden, CSV.
    BitwardenCsv,
    /// Our own vault.
    Vault,
    /// Our own vault without a lock.
    PlainVault,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Uris,
        Self::Aegis,
        Self::TwoFas,
        Self::AndOtp,
        Self::AndOtpEncrypted,
        Self::FreeOtpPlus,
        Self::BitwardenJson,
        Self::BitwardenCsv,
        Self::Vault,
        Self::PlainVault,
    ];

    /// A stable name for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Uris => "uris",
            Self::Aegis => "aegis",
            Self::TwoFas => "2fas",
            Self::AndOtp => "andotp",
            Self::AndOtpEncrypted => "andotp_encrypted",
            Self::FreeOtpPlus => "freeotp_plus",
            Self::BitwardenJson => "bitwarden_json",
            Self::BitwardenCsv => "bitwarden_csv",
            Self::Vault => "vault",
            Self::PlainVault => "plain_vault",
        }
    }

    /// What the file looks like. `None` where it looks like nothing known; a guess can be wrong.
    pub fn detect(file: &[u8]) -> Option<Self> {
        if file.len() > MAX_BYTES {
            return None;
        }
        if file.starts_with(b"csvault\n") {
            return Some(Self::Vault);
        }
        if is_plain(file) {
            return Some(Self::PlainVault);
        }
        let Ok(text) = text_of(file) else {
            return andotp::looks_encrypted(file).then_some(Self::AndOtpEncrypted);
        };
        let start = text.trim_start();
        if start.starts_with(['{', '[']) {
            let json = Json::parse(text).ok()?;
            let has = |name| json.member(name).is_some();
            return match json {
                Json::List(_) => Some(Self::AndOtp),
                _ if has("db") && has("header") => Some(Self::Aegis),
                _ if has("services") || has("servicesEncrypted") => Some(Self::TwoFas),
                _ if has("tokens") => Some(Self::FreeOtpPlus),
                _ if has("items") || has("encrypted") => Some(Self::BitwardenJson),
                _ => None,
            };
        }
        if start.lines().next().is_some_and(|line| line.contains("login_totp")) {
            return Some(Self::BitwardenCsv);
        }
        text.lines().any(|line| uris::is_uri(line.trim())).then_some(Self::Uris)
    }
}

/// Why a whole file could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// Longer than [`MAX_BYTES`].
    #[error("file: is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// More accounts than [`MAX_ITEMS`].
    #[error("file: has more than {MAX_ITEMS} accounts")]
    TooMany,
    /// Not UTF-8, JSON or CSV, as the format asks, at this byte.
    #[error("file: is broken at byte {0}")]
    Malformed(usize),
    /// It is well formed, and not what the format asks: this member is missing or wrong.
    #[error("file: `{0}` is missing or is not what this format has there")]
    Unexpected(&'static str),
    /// The file's version is not one that is known.
    #[error("file: is of a version that is not known")]
    Version,
    /// The file is encrypted and no password was given.
    #[error("file: is encrypted; its password is needed")]
    PasswordNeeded,
    /// The password is wrong, or the file was changed: these look alike.
    #[error("file: was not opened; the password is wrong, or the file was changed")]
    NotOpened,
    /// Trying the password would take more memory or time than allowed.
    #[error("file: the cost of the password is out of bounds")]
    Cost,
    /// Encrypted in a way that is not read. Export without encryption, or with a password of its own.
    #[error("file: is encrypted in a way that is not read here")]
    Encryption,
    /// Our own vault was refused.
    #[error(transparent)]
    Vault(VaultError),
}

impl From<VaultError> for TransferError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::NotOpened => Self::NotOpened,
            VaultError::Cost => Self::Cost,
            _ => Self::Vault(error),
        }
    }
}

impl TransferError {
    /// A stable name for programs and logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::TooMany => "too_many",
            Self::Malformed(_) => "malformed",
            Self::Unexpected(_) => "unexpected",
            Self::Version => "version_unknown",
            Self::PasswordNeeded => "password_needed",
            Self::NotOpened => "not_opened",
            Self::Cost => "cost_out_of_bounds",
            Self::Encryption => "encryption_unknown",
            Self::Vault(error) => error.code(),
        }
    }
}

/// Where in a file, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A line.
    Line(usize),
    /// An account, in the file's order; in CSV the header is not counted.
    Item(usize),
    /// An account within a line that holds several.
    ItemOfLine(usize, usize),
    /// A QR code of several that belong together.
    Part(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Item(item) => write!(f, "account {item}"),
            Self::ItemOfLine(line, item) => write!(f, "line {line}, account {item}"),
            Self::Part(part) => write!(f, "QR code {part}"),
        }
    }
}

/// Why one account could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// A name, the secret or a parameter is not one that a vault takes.
    #[error(transparent)]
    Key(#[from] KeyUriError),
    /// It makes codes in a way that is not known here.
    #[error("kind: makes codes in a way that is not known here")]
    Kind,
    /// A member is missing or of the wrong type.
    #[error("{0}: is missing or is not what this format has there")]
    Member(&'static str),
    /// It lies in the other app's bin.
    #[error("bin: was thrown away in the other app")]
    Trashed,
    /// A line that holds several accounts is cut off or damaged.
    #[error("data: the QR code's data is damaged")]
    Damaged,
    /// One of several QR codes that belong together is missing.
    #[error("part: this QR code of several is missing")]
    PartMissing,
    /// A text beside the key is longer than a vault takes.
    #[error("text: is too long")]
    TooLong,
}

impl From<SecretError> for Reason {
    fn from(error: SecretError) -> Self {
        Self::Key(error.into())
    }
}

impl Reason {
    /// A stable name for programs and logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Key(error) => error.code(),
            Self::Kind => "kind_unknown",
            Self::Member(_) => "member",
            Self::Trashed => "trashed",
            Self::Damaged => "damaged",
            Self::PartMissing => "part_missing",
            Self::TooLong => "too_long",
        }
    }

    const fn out_of_range(field: Field) -> Self {
        Self::Key(KeyUriError::OutOfRange(field))
    }
}

/// An account that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Where it stands.
    pub place: Place,
    /// What the file calls it, as far as that could be read, so that a person knows which it is. Never a secret.
    pub name: String,
    /// Why.
    pub reason: Reason,
}

/// An account that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it stands.
    pub place: Place,
    /// All that was read of it. Its id and time are those of our own vault, where it came from one, else zeros.
    pub entry: Entry,
}

/// What was read of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// In the order in which the other app shows them, where the file says so.
    pub found: Vec<Found>,
    /// In the file's order.
    pub unread: Vec<Unread>,
    /// How many items make no codes at all: logins, cards and notes of a password manager.
    pub without_code: usize,
}

/// Reads a file of this format. A password is looked at only where the file is encrypted; that of our own vault must be in
/// Unicode's form NFC, as a [`Passphrase`] always, and others as they were typed.
pub fn read(file: &[u8], format: Format, password: Option<&str>) -> Result<Import, TransferError> {
    if file.len() > MAX_BYTES {
        return Err(TransferError::TooLarge);
    }
    let mut reading = Reading::default();
    let json = || {
        let text = text_of(file)?;
        Json::parse(text).map_err(|error| TransferError::Malformed(file.len() - text.len() + error.0))
    };
    match format {
        Format::Uris => uris::read(text_of(file)?, &mut reading)?,
        Format::Aegis => aegis::read(&json()?, password, &mut reading)?,
        Format::TwoFas => twofas::read(&json()?, password, &mut reading)?,
        Format::AndOtp => andotp::read(&json()?, &mut reading)?,
        Format::AndOtpEncrypted => andotp::read_encrypted(file, password, &mut reading)?,
        Format::FreeOtpPlus => freeotp::read(&json()?, &mut reading)?,
        Format::BitwardenJson => bitwarden::read_json(&json()?, &mut reading)?,
        Format::BitwardenCsv => bitwarden::read_csv(text_of(file)?, &mut reading)?,
        Format::Vault => {
            let passphrase = Passphrase::new(password.ok_or(TransferError::PasswordNeeded)?)?;
            reading.take(&Vault::open(file, &passphrase)?.into_content());
        }
        Format::PlainVault => reading.take(&read_plain(file)?),
    }
    let Reading { found, unread, without_code } = reading;
    Ok(Import { found, unread, without_code })
}

/// UTF-8, without the mark that some systems put before it.
fn text_of(file: &[u8]) -> Result<&str, TransferError> {
    let text = core::str::from_utf8(file).map_err(|error| TransferError::Malformed(error.valid_up_to()))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// What the readers of the formats write into.
#[derive(Default)]
struct Reading {
    found: Vec<Found>,
    unread: Vec<Unread>,
    without_code: usize,
}

impl Reading {
    /// Notes one account, read or not.
    fn add(&mut self, place: Place, name: &str, result: Result<Entry, Reason>) -> Result<(), TransferError> {
        if self.found.len() + self.unread.len() >= MAX_ITEMS {
            return Err(TransferError::TooMany);
        }
        match result.and_then(|entry| if entry.check().is_ok() { Ok(entry) } else { Err(Reason::TooLong) }) {
            Ok(entry) => self.found.push(Found { place, entry: safe(entry) }),
            Err(reason) => {
                let name = name.chars().filter(|c| !c.is_control()).take(100).collect();
                self.unread.push(Unread { place, name, reason });
            }
        }
        Ok(())
    }

    /// Our own entries: there is nothing in them that could not be read.
    fn take(&mut self, content: &Content) {
        let found = content.entries().iter().enumerate();
        self.found = found
            .map(|(index, entry)| Found { place: Place::Item(index + 1), entry: safe(entry.clone()) })
            .collect();
    }
}

/// An entry whose own names have no character that could not be shown safely: with such, one account can be made to look like another. Those
/// of its key are refused for them.
fn safe(mut entry: Entry) -> Entry {
    for text in [&mut entry.label, &mut entry.group] {
        let is_safe = |text: &String| !text.chars().any(is_unsafe_to_show);
        if text.as_ref().is_some_and(is_safe) {
            continue;
        }
        let left =
            text.take().map(|text| text.chars().filter(|c| !is_unsafe_to_show(*c)).collect::<String>());
        *text = some(left.as_deref());
    }
    entry
}

/// The id of what has none yet.
const NO_ID: EntryId = EntryId::new([0; 16]);
