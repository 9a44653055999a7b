//! The `otpauth://` URI: what a QR code at enrolment holds.
//!
//! `docs/spec/otpauth.md` is the norm; this is its one implementation. The reader takes what issuers really
//! print and lists what it had to tolerate; the writer knows one form only. Both meet in [`KeyUri`], which
//! holds nothing that could not be written and read back unchanged.

mod read;
mod write;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::{Algorithm, Counter, Digits, Origin, Period, Secret, SecretError};

/// Which part of a URI an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// The whole text.
    Uri,
    /// What stands before `://`.
    Scheme,
    /// What stands after it: `totp` or `hotp`.
    Kind,
    /// The path: issuer and account.
    Label,
    /// The name of a parameter.
    Parameter,
    /// The issuer, from the label or the parameter.
    Issuer,
    /// The account, from the label.
    Account,
    /// The `secret` parameter.
    Secret,
    /// The `algorithm` parameter.
    Algorithm,
    /// The `digits` parameter.
    Digits,
    /// The `period` parameter.
    Period,
    /// The `counter` parameter.
    Counter,
    /// The `countersign` parameter.
    Origin,
}

impl Field {
    /// The field's name in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Uri => "uri",
            Self::Scheme => "scheme",
            Self::Kind => "kind",
            Self::Label => "label",
            Self::Parameter => "parameter",
            Self::Issuer => "issuer",
            Self::Account => "account",
            Self::Secret => "secret",
            Self::Algorithm => "algorithm",
            Self::Digits => "digits",
            Self::Period => "period",
            Self::Counter => "counter",
            Self::Origin => "countersign",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a text is refused, or why values cannot make a URI. None of them repeats any part of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUriError {
    /// The text has more than [`KeyUri::MAX_BYTES`].
    #[error("uri: is longer than {} bytes", KeyUri::MAX_BYTES)]
    UriTooLong,
    /// The text holds a fragment: an unescaped `#` that cuts off what follows.
    #[error("uri: has an unescaped # in it")]
    UriFragment,
    /// It does not begin with `otpauth://`.
    #[error("scheme: must be otpauth://")]
    SchemeUnknown,
    /// It begins with `otpauth-migration:`, an export of many factors in a form of its own.
    #[error("scheme: otpauth-migration is an export of several accounts, not the URI of one")]
    SchemeMigration,
    /// The kind is neither `totp` nor `hotp`.
    #[error("kind: must be totp or hotp")]
    KindUnknown,
    /// A `%` without two hexadecimal digits behind it.
    #[error("{0}: has a broken percent escape")]
    PercentEncoding(Field),
    /// The escapes do not give UTF-8.
    #[error("{0}: is not UTF-8")]
    NotUtf8(Field),
    /// A parameter that means something stands twice.
    #[error("{0}: is given twice")]
    Duplicate(Field),
    /// There is no `secret` parameter.
    #[error("secret: is missing")]
    SecretMissing,
    /// The secret is there but is none.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The algorithm is none of the three.
    #[error("algorithm: must be SHA1, SHA256 or SHA512")]
    AlgorithmUnknown,
    /// Something else than ASCII digits where a number belongs.
    #[error("{0}: is not a number")]
    NotANumber(Field),
    /// A number that is too small or too large for its field.
    #[error("{0}: is out of range")]
    OutOfRange(Field),
    /// Neither an account nor an issuer: nothing to call the factor by.
    #[error("account: is missing")]
    AccountMissing,
    /// An account with a colon and no issuer: written out, its first part would be read as the issuer.
    #[error("account: has a colon, which needs an issuer before it")]
    AccountColon,
    /// A control character, a line break, or a character that turns the direction of writing.
    #[error("{0}: has a character that cannot be shown safely")]
    ControlCharacter(Field),
    /// An issuer of more than [`KeyUri::MAX_ISSUER_BYTES`] or an account of more than
    /// [`KeyUri::MAX_ACCOUNT_BYTES`].
    #[error("{0}: is too long")]
    TooLong(Field),
    /// An issuer that is there but empty. Only from [`KeyUri::new`]; the reader takes it for none.
    #[error("issuer: is empty")]
    IssuerEmpty,
    /// A blank at the beginning or end. Only from [`KeyUri::new`]; the reader cuts it off.
    #[error("{0}: begins or ends with a blank")]
    OuterBlank(Field),
    /// An origin that cannot be written. Only from [`KeyUri::with_origin`]; the reader drops it.
    #[error("countersign: is not an http or https URL with a UUID")]
    OriginMalformed,
}

impl KeyUriError {
    /// A stable name for programs and logs; the same as in the specification.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UriTooLong => "uri_too_long",
            Self::UriFragment => "uri_fragment",
            Self::SchemeUnknown => "scheme_unknown",
            Self::SchemeMigration => "scheme_migration",
            Self::KindUnknown => "kind_unknown",
            Self::PercentEncoding(_) => "percent_encoding",
            Self::NotUtf8(_) => "not_utf8",
            Self::Duplicate(_) => "duplicate",
            Self::SecretMissing => "secret_missing",
            Self::Secret(error) => error.code(),
            Self::AlgorithmUnknown => "algorithm_unknown",
            Self::NotANumber(_) => "not_a_number",
            Self::OutOfRange(_) => "out_of_range",
            Self::AccountMissing => "account_missing",
            Self::AccountColon => "account_colon",
            Self::ControlCharacter(_) => "control_character",
            Self::TooLong(_) => "too_long",
            Self::IssuerEmpty => "issuer_empty",
            Self::OuterBlank(_) => "outer_blank",
            Self::OriginMalformed => "origin_malformed",
        }
    }

    /// The part of the URI it is about.
    pub const fn field(self) -> Field {
        match self {
            Self::UriTooLong | Self::UriFragment => Field::Uri,
            Self::SchemeUnknown | Self::SchemeMigration => Field::Scheme,
            Self::KindUnknown => Field::Kind,
            Self::SecretMissing | Self::Secret(_) => Field::Secret,
            Self::AlgorithmUnknown => Field::Algorithm,
            Self::AccountMissing | Self::AccountColon => Field::Account,
            Self::IssuerEmpty => Field::Issuer,
            Self::OriginMalformed => Field::Origin,
            Self::PercentEncoding(field)
            | Self::NotUtf8(field)
            | Self::Duplicate(field)
            | Self::NotANumber(field)
            | Self::OutOfRange(field)
            | Self::ControlCharacter(field)
            | Self::TooLong(field)
            | Self::OuterBlank(field) => field,
        }
    }
}

/// What the reader let pass although the specification asks writers for something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Tolerance {
    /// Blanks or line ends around the whole text.
    OuterBlanks,
    /// Characters that should have been escaped: blanks, letters beyond ASCII, quotes, a `/` in the label.
    Unescaped,
    /// A `+` in a parameter's value, read as a blank.
    PlusAsBlank,
    /// A parameter's name in other letters than lower case.
    ParameterCase,
    /// A parameter that means nothing here.
    ParameterUnknown,
    /// Nothing between two `&`, or a trailing one.
    ParameterEmpty,
    /// The issuer is there but empty; taken as missing.
    IssuerEmpty,
    /// The label and the parameter name different issuers; the parameter was taken.
    IssuerConflict,
    /// Blanks around the issuer or the account, cut off; one or more after the label's colon are regular.
    LabelBlanks,
    /// No account; the issuer's name stands in for it.
    AccountMissing,
    /// Lower-case letters in the secret.
    SecretLowerCase,
    /// `=` at the end of the secret.
    SecretPadding,
    /// Blanks or hyphens in the secret.
    SecretGrouping,
    /// Bits behind the secret's last whole byte that are not zero; dropped.
    SecretLooseBits,
    /// Another spelling of an algorithm's name.
    AlgorithmSpelling,
    /// Zeros before a number.
    LeadingZeros,
    /// No counter for HOTP; taken as 0.
    CounterMissing,
    /// A counter for TOTP; not looked at.
    CounterIgnored,
    /// A period for HOTP; not looked at.
    PeriodIgnored,
}

impl Tolerance {
    /// Every one, in the order of the specification.
    pub const ALL: [Self; 19] = [
        Self::OuterBlanks,
        Self::Unescaped,
        Self::PlusAsBlank,
        Self::ParameterCase,
        Self::ParameterUnknown,
        Self::ParameterEmpty,
        Self::IssuerEmpty,
        Self::IssuerConflict,
        Self::LabelBlanks,
        Self::AccountMissing,
        Self::SecretLowerCase,
        Self::SecretPadding,
        Self::SecretGrouping,
        Self::SecretLooseBits,
        Self::AlgorithmSpelling,
        Self::LeadingZeros,
        Self::CounterMissing,
        Self::CounterIgnored,
        Self::PeriodIgnored,
    ];

    /// A stable name; the same as in the specification.
    pub const fn code(self) -> &'static str {
        match self {
            Self::OuterBlanks => "outer_blanks",
            Self::Unescaped => "unescaped",
            Self::PlusAsBlank => "plus_as_blank",
            Self::ParameterCase => "parameter_case",
            Self::ParameterUnknown => "parameter_unknown",
            Self::ParameterEmpty => "parameter_empty",
            Self::IssuerEmpty => "issuer_empty",
            Self::IssuerConflict => "issuer_conflict",
            Self::LabelBlanks => "label_blanks",
            Self::AccountMissing => "account_missing",
            Self::SecretLowerCase => "secret_lower_case",
            Self::SecretPadding => "secret_padding",
            Self::SecretGrouping => "secret_grouping",
            Self::SecretLooseBits => "secret_loose_bits",
            Self::AlgorithmSpelling => "algorithm_spelling",
            Self::LeadingZeros => "leading_zeros",
            Self::CounterMissing => "counter_missing",
            Self::CounterIgnored => "counter_ignored",
            Self::PeriodIgnored => "period_ignored",
        }
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

/// What makes the code move, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Time, RFC 6238.
    Totp {
        /// The length of a step.
        period: Period,
    },
    /// A counter, RFC 4226.
    Hotp {
        /// The counter of the next code.
        counter: Counter,
    },
}

/// Everything an authenticator needs to know about one factor.
///
/// Issuer and account are shown to people: no control characters, no outer blanks, not empty, bounded. An
/// account with a colon has an issuer. `KeyUri::parse(&uri.to_uri())` gives `uri` again, with nothing
/// tolerated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUri {
    issuer: Option<String>,
    account: String,
    secret: Secret,
    algorithm: Algorithm,
    digits: Digits,
    kind: Kind,
    origin: Option<Origin>,
}

impl KeyUri {
    /// The longest text read, in bytes. A QR code holds less.
    pub const MAX_BYTES: usize = 4096;
    /// The longest issuer, in bytes of UTF-8.
    pub const MAX_ISSUER_BYTES: usize = 256;
    /// The longest account, in bytes of UTF-8.
    pub const MAX_ACCOUNT_BYTES: usize = 512;

    /// Puts a URI together. Refuses an issuer or account that is empty, too long, holds control characters or
    /// begins or ends with a blank, and an account with a colon where there is no issuer.
    pub fn new(
        issuer: Option<String>,
        account: String,
        secret: Secret,
        algorithm: Algorithm,
        digits: Digits,
        kind: Kind,
    ) -> Result<Self, KeyUriError> {
        if account.is_empty() {
            return Err(KeyUriError::AccountMissing);
        }
        check_name(Field::Account, &account, Self::MAX_ACCOUNT_BYTES)?;
        match &issuer {
            Some(issuer) if issuer.is_empty() => return Err(KeyUriError::IssuerEmpty),
            Some(issuer) => check_name(Field::Issuer, issuer, Self::MAX_ISSUER_BYTES)?,
            None if account.contains(':') => return Err(KeyUriError::AccountColon),
            None => {}
        }
        Ok(Self { issuer, account, secret, algorithm, digits, kind, origin: None })
    }

    /// The same with the Countersign that made it; refused where that [cannot be written](Origin::is_writable).
    pub fn with_origin(self, origin: Origin) -> Result<Self, KeyUriError> {
        if !origin.is_writable() {
            return Err(KeyUriError::OriginMalformed);
        }
        Ok(Self { origin: Some(origin), ..self })
    }

    /// The same without the Countersign that made it, and that beside it.
    pub fn split_origin(mut self) -> (Self, Option<Origin>) {
        let origin = self.origin.take();
        (self, origin)
    }

    /// Reads a URI by the rules of `docs/spec/otpauth.md`, and lists what it tolerated: each once, in the
    /// order of [`Tolerance::ALL`].
    pub fn parse(text: &str) -> Result<(Self, Vec<Tolerance>), KeyUriError> {
        read::read(text)
    }

    /// The canonical text. It holds the secret: show it once, never log it.
    pub fn to_uri(&self) -> Zeroizing<String> {
        write::write(self)
    }

    /// Who issued the factor: a company or a service.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Whose factor it is, in the issuer's words. Never empty.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The shared secret.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// The hash.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The length of a code.
    pub fn digits(&self) -> Digits {
        self.digits
    }

    /// TOTP with its period or HOTP with its counter.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The Countersign that made it, where it says so.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }
}

/// What issuer and account have in common.
fn check_name(field: Field, name: &str, max_bytes: usize) -> Result<(), KeyUriError> {
    if name.len() > max_bytes {
        Err(KeyUriError::TooLong(field))
    } else if name.chars().any(is_unsafe_to_show) {
        Err(KeyUriError::ControlCharacter(field))
    } else if name.starts_with(' ') || name.ends_with(' ') {
        Err(KeyUriError::OuterBlank(field))
    } else {
        Ok(())
    }
}

/// Control characters, line and paragraph separators, and the marks that turn the direction of writing for
/// what follows: with them one account can be made to look like another.
pub(crate) fn is_unsafe_to_show(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
