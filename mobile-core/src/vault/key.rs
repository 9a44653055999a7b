//! What a code is computed from, with the names beside it.

use alloc::string::String;

use zeroize::Zeroizing;

use crate::{
    Algorithm, Code, Counter, Digits, Hotp, KeyUri, KeyUriError, Kind, Origin, Period, Secret, Steam,
    SteamCode, Totp,
};

/// Which generator, and its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Generator {
    /// Codes by time, RFC 6238.
    Totp(Totp),
    /// Codes by counter, RFC 4226. The counter is that of the next code.
    Hotp(Hotp, Counter),
    /// Steam's codes.
    Steam,
}

/// A secret with its generator, issuer and account. The names obey the rules of `docs/spec/otpauth.md`. Which Countersign it came from
/// stands beside it, in the entry: what is handed to other apps does not say that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Never with an origin. For Steam, the parameters in it are the defaults and mean nothing.
    uri: KeyUri,
    is_steam: bool,
}

/// The code of a moment, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Six to eight digits.
    Digits(Code),
    /// Five characters.
    Steam(SteamCode),
}

impl Shown {
    /// The text to show.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Digits(code) => code.as_str(),
            Self::Steam(code) => code.as_str(),
        }
    }
}

impl From<KeyUri> for Key {
    /// Without the URI's origin.
    fn from(uri: KeyUri) -> Self {
        Self { uri: uri.split_origin().0, is_steam: false }
    }
}

impl Key {
    /// Checks the names as [`KeyUri::new`] does.
    pub fn new(
        issuer: Option<String>,
        account: String,
        secret: Secret,
        generator: Generator,
    ) -> Result<Self, KeyUriError> {
        let (algorithm, digits, kind) = match generator {
            Generator::Totp(Totp { algorithm, digits, period }) => (algorithm, digits, Kind::Totp { period }),
            Generator::Hotp(Hotp { algorithm, digits }, counter) => {
                (algorithm, digits, Kind::Hotp { counter })
            }
            Generator::Steam => {
                (Algorithm::default(), Digits::default(), Kind::Totp { period: Steam::period() })
            }
        };
        let uri = KeyUri::new(issuer, account, secret, algorithm, digits, kind)?;
        Ok(Self { uri, is_steam: generator == Generator::Steam })
    }

    /// Reads an `otpauth://` URI, of the kind `steam` as well, and one with `encoder=steam`. The URI's origin is left behind.
    pub fn parse(text: &str) -> Result<Self, KeyUriError> {
        Self::parse_with_origin(text).map(|(key, _)| key)
    }

    /// The same with the Countersign that made the URI, for [`Entry::origin`](super::Entry::origin). None makes Steam's.
    pub fn parse_with_origin(text: &str) -> Result<(Self, Option<Origin>), KeyUriError> {
        let uri = text.trim_matches([' ', '\t', '\r', '\n']);
        if let Some(totp) = plain_of_steam(uri) {
            return Ok((Self::steam_of(&KeyUri::parse(&totp)?.0)?, None));
        }
        let (key, origin) = KeyUri::parse(uri)?.0.split_origin();
        Ok((key.into(), origin))
    }

    fn steam_of(key: &KeyUri) -> Result<Self, KeyUriError> {
        Self::new(key.issuer().map(Into::into), key.account().into(), key.secret().clone(), Generator::Steam)
    }

    /// The canonical URI; that of a Steam key has the kind `steam`, which not every app knows.
    pub fn to_uri(&self) -> Zeroizing<String> {
        let uri = self.uri.to_uri();
        if !self.is_steam {
            return uri;
        }
        let mut text = Zeroizing::new(String::with_capacity(uri.len() + 8));
        text.push_str("otpauth://steam/");
        let rest = uri.strip_prefix("otpauth://totp/").unwrap_or(&uri);
        text.push_str(rest.split_once("&algorithm=").map_or(rest, |(rest, _)| rest));
        text
    }

    /// The service, if it is known.
    pub fn issuer(&self) -> Option<&str> {
        self.uri.issuer()
    }

    /// Whose factor it is.
    pub fn account(&self) -> &str {
        self.uri.account()
    }

    /// The shared secret.
    pub fn secret(&self) -> &Secret {
        self.uri.secret()
    }

    /// How codes are made.
    pub fn generator(&self) -> Generator {
        let (algorithm, digits) = (self.uri.algorithm(), self.uri.digits());
        match self.uri.kind() {
            _ if self.is_steam => Generator::Steam,
            Kind::Totp { period } => Generator::Totp(Totp { algorithm, digits, period }),
            Kind::Hotp { counter } => Generator::Hotp(Hotp { algorithm, digits }, counter),
        }
    }

    /// The length of a step; `None` for codes by counter.
    pub fn period(&self) -> Option<Period> {
        match self.generator() {
            Generator::Totp(totp) => Some(totp.period),
            Generator::Steam => Some(Steam::period()),
            Generator::Hotp(..) => None,
        }
    }

    /// The code of a moment, in seconds since the Unix epoch; for HOTP the code of its counter, whatever the moment.
    pub fn code_at(&self, unix_seconds: u64) -> Shown {
        match self.generator() {
            Generator::Totp(totp) => Shown::Digits(totp.code(self.secret(), totp.step_at(unix_seconds))),
            Generator::Hotp(hotp, counter) => Shown::Digits(hotp.code(self.secret(), counter)),
            Generator::Steam => Shown::Steam(Steam.code(self.secret(), Steam.step_at(unix_seconds))),
        }
    }

    /// The same key for the next counter. `None` for codes by time and after the last counter.
    #[must_use]
    pub fn advanced(&self) -> Option<Self> {
        let Generator::Hotp(hotp, counter) = self.generator() else { return None };
        let (issuer, account) = (self.issuer().map(Into::into), self.account().into());
        Self::new(issuer, account, self.secret().clone(), Generator::Hotp(hotp, counter.successor()?)).ok()
    }

    /// Whether both make the same codes: secret, kind and parameters are equal. Names do not matter, nor how far a counter
    /// has come.
    pub fn makes_the_codes_of(&self, other: &Self) -> bool {
        let bare = |generator| match generator {
            Generator::Hotp(hotp, _) => Generator::Hotp(hotp, Counter::default()),
            _ => generator,
        };
        bare(self.generator()) == bare(other.generator()) && self.secret() == other.secret()
    }

    /// Whether issuer and account are the same.
    pub fn has_the_names_of(&self, other: &Self) -> bool {
        self.issuer() == other.issuer() && self.account() == other.account()
    }
}

/// The rest of a text behind a beginning in whichever case.
fn behind<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(start.len())?;
    head.eq_ignore_ascii_case(start).then_some(rest)
}

/// A URI of Steam's as an ordinary one with the same names and secret. `None` where it is not of Steam's: neither of the kind
/// `steam` nor with `encoder=steam`. Its other parameters say nothing: some write `digits=5`, which no other kind may have.
fn plain_of_steam(uri: &str) -> Option<Zeroizing<String>> {
    let rest = behind(uri, "otpauth://")?;
    let tail = behind(rest, "steam/").or_else(|| {
        let encoder = |parameter: &str| parameter.eq_ignore_ascii_case("encoder=steam");
        behind(rest, "totp/")
            .filter(|tail| tail.split_once('?').is_some_and(|(_, query)| query.split('&').any(encoder)))
    })?;
    let (label, query) = tail.split_once('?').unwrap_or((tail, ""));
    let mut totp = Zeroizing::new(String::with_capacity(uri.len() + 1));
    totp.push_str("otpauth://totp/");
    totp.push_str(label);
    totp.push('?');
    for parameter in query.split('&') {
        let name = parameter.split('=').next().unwrap_or_default();
        if ["secret", "issuer"].iter().any(|known| name.eq_ignore_ascii_case(known)) {
            if !totp.ends_with('?') {
                totp.push('&');
            }
            totp.push_str(parameter);
        }
    }
    Some(totp)
}
