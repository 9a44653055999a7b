//! The lenient reader. The numbers are those of `docs/spec/otpauth.md`, section "Reading".

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{Field, KeyUri, KeyUriError, Kind, Tolerance};
use crate::{Algorithm, Counter, Digits, Origin, Period, Secret};

const SCHEME: &str = "otpauth://";
const MIGRATION: &str = "otpauth-migration:";

pub(super) fn read(text: &str) -> Result<(KeyUri, Vec<Tolerance>), KeyUriError> {
    let mut notes = Notes(Vec::new());

    // 1, 2: the whole text.
    if text.len() > KeyUri::MAX_BYTES {
        return Err(KeyUriError::UriTooLong);
    }
    let uri = text.trim_matches([' ', '\t', '\r', '\n']);
    notes.add_if(uri.len() != text.len(), Tolerance::OuterBlanks);

    // 3: the scheme.
    let Some(rest) = strip_prefix_ignoring_case(uri, SCHEME) else {
        return Err(match strip_prefix_ignoring_case(uri, MIGRATION) {
            Some(_) => KeyUriError::SchemeMigration,
            None => KeyUriError::SchemeUnknown,
        });
    };
    if rest.contains('#') {
        return Err(KeyUriError::UriFragment);
    }

    // 4: kind, label and query.
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, label) = path.split_once('/').unwrap_or((path, ""));
    let is_totp = kind.eq_ignore_ascii_case("totp");
    if !is_totp && !kind.eq_ignore_ascii_case("hotp") {
        return Err(KeyUriError::KindUnknown);
    }

    // 5: the parameters, then what each means.
    let parameters = Parameters::read(query, &mut notes)?;
    notes.add_if(label.chars().any(|c| !is_path_character(c)), Tolerance::Unescaped);
    let secret = read_secret(parameters.secret, &mut notes)?;
    let algorithm = read_algorithm(parameters.algorithm, &mut notes)?;
    let digits = read_digits(parameters.digits, &mut notes)?;
    let kind = if is_totp {
        notes.add_if(parameters.counter.is_some(), Tolerance::CounterIgnored);
        Kind::Totp { period: read_period(parameters.period, &mut notes)? }
    } else {
        notes.add_if(parameters.period.is_some(), Tolerance::PeriodIgnored);
        Kind::Hotp { counter: read_counter(parameters.counter, &mut notes)? }
    };

    let origin = read_origin(parameters.origin, &mut notes)?;

    // 6: the names.
    let (issuer, account) = read_names(label, parameters.issuer, &mut notes)?;
    let key = KeyUri::new(issuer, account, secret, algorithm, digits, kind)?;
    let key = match origin {
        Some(origin) => key.with_origin(origin)?,
        None => key,
    };
    Ok((key, notes.in_order()))
}

/// What was tolerated so far.
struct Notes(Vec<Tolerance>);

impl Notes {
    fn add_if(&mut self, tolerated: bool, tolerance: Tolerance) {
        if tolerated {
            self.0.push(tolerance);
        }
    }

    fn in_order(mut self) -> Vec<Tolerance> {
        self.0.sort_unstable();
        self.0.dedup();
        self.0
    }
}

/// The values of the parameters that mean something, still escaped.
#[derive(Default)]
struct Parameters<'a> {
    secret: Option<&'a str>,
    issuer: Option<&'a str>,
    algorithm: Option<&'a str>,
    digits: Option<&'a str>,
    period: Option<&'a str>,
    counter: Option<&'a str>,
    origin: Option<&'a str>,
}

impl<'a> Parameters<'a> {
    fn read(query: &'a str, notes: &mut Notes) -> Result<Self, KeyUriError> {
        let mut parameters = Self::default();
        if query.is_empty() {
            return Ok(parameters);
        }
        for parameter in query.split('&') {
            if parameter.is_empty() {
                notes.add_if(true, Tolerance::ParameterEmpty);
                continue;
            }
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            notes.add_if(parameter.chars().any(|c| !is_query_character(c)), Tolerance::Unescaped);
            let written = unescape(name, Field::Parameter)?;
            let name = written.to_ascii_lowercase();
            let (field, slot) = match name.as_str() {
                "secret" => (Field::Secret, &mut parameters.secret),
                "issuer" => (Field::Issuer, &mut parameters.issuer),
                "algorithm" => (Field::Algorithm, &mut parameters.algorithm),
                "digits" => (Field::Digits, &mut parameters.digits),
                "period" => (Field::Period, &mut parameters.period),
                "counter" => (Field::Counter, &mut parameters.counter),
                "countersign" => (Field::Origin, &mut parameters.origin),
                _ => {
                    unescape(value, Field::Parameter)?;
                    notes.add_if(true, Tolerance::ParameterUnknown);
                    continue;
                }
            };
            notes.add_if(*written != name, Tolerance::ParameterCase);
            if slot.replace(value).is_some() {
                return Err(KeyUriError::Duplicate(field));
            }
        }
        Ok(parameters)
    }
}

fn read_secret(value: Option<&str>, notes: &mut Notes) -> Result<Secret, KeyUriError> {
    let text = unescape_value(value.ok_or(KeyUriError::SecretMissing)?, Field::Secret, notes)?;
    let (secret, spelling) = Secret::read(&text)?;
    notes.add_if(spelling.lower_case, Tolerance::SecretLowerCase);
    notes.add_if(spelling.padded, Tolerance::SecretPadding);
    notes.add_if(spelling.grouped, Tolerance::SecretGrouping);
    notes.add_if(spelling.loose_bits, Tolerance::SecretLooseBits);
    Ok(secret)
}

/// Takes the names with and without `HMAC` before and with `-` or `_` inside, in any case: `sha-256`,
/// `HmacSHA1`.
fn read_algorithm(value: Option<&str>, notes: &mut Notes) -> Result<Algorithm, KeyUriError> {
    let Some(value) = value else { return Ok(Algorithm::default()) };
    let written = unescape_value(value, Field::Algorithm, notes)?;
    let bare = written.replace(['-', '_'], "");
    let bare = strip_prefix_ignoring_case(&bare, "HMAC").unwrap_or(&bare);
    let algorithm: Algorithm = bare.parse().map_err(|_| KeyUriError::AlgorithmUnknown)?;
    notes.add_if(*written != algorithm.as_str(), Tolerance::AlgorithmSpelling);
    Ok(algorithm)
}

fn read_digits(value: Option<&str>, notes: &mut Notes) -> Result<Digits, KeyUriError> {
    let Some(value) = value else { return Ok(Digits::default()) };
    let number = read_number(value, Field::Digits, notes)?;
    u8::try_from(number)
        .ok()
        .and_then(|number| Digits::new(number).ok())
        .ok_or(KeyUriError::OutOfRange(Field::Digits))
}

fn read_period(value: Option<&str>, notes: &mut Notes) -> Result<Period, KeyUriError> {
    let Some(value) = value else { return Ok(Period::default()) };
    let number = read_number(value, Field::Period, notes)?;
    u32::try_from(number)
        .ok()
        .and_then(|number| Period::new(number).ok())
        .ok_or(KeyUriError::OutOfRange(Field::Period))
}

fn read_counter(value: Option<&str>, notes: &mut Notes) -> Result<Counter, KeyUriError> {
    let Some(value) = value else {
        notes.add_if(true, Tolerance::CounterMissing);
        return Ok(Counter::default());
    };
    read_number(value, Field::Counter, notes).map(Counter::new)
}

/// An origin that is none is like a parameter that means nothing here. No form encoder writes it, so a plus is a plus.
fn read_origin(value: Option<&str>, notes: &mut Notes) -> Result<Option<Origin>, KeyUriError> {
    let Some(value) = value else { return Ok(None) };
    let origin = Origin::read(&unescape(value, Field::Origin)?);
    notes.add_if(origin.is_none(), Tolerance::ParameterUnknown);
    Ok(origin)
}

/// ASCII digits only: `str::parse` would take a sign as well.
fn read_number(value: &str, field: Field, notes: &mut Notes) -> Result<u64, KeyUriError> {
    let text = unescape_value(value, field, notes)?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(KeyUriError::NotANumber(field));
    }
    notes.add_if(text.len() > 1 && text.starts_with('0'), Tolerance::LeadingZeros);
    // Digits only, so it can fail for its size alone.
    text.parse().map_err(|_| KeyUriError::OutOfRange(field))
}

/// Issuer and account out of the label and the `issuer` parameter.
fn read_names(
    label: &str,
    parameter: Option<&str>,
    notes: &mut Notes,
) -> Result<(Option<String>, String), KeyUriError> {
    let label = unescape(label, Field::Label)?;
    let issuer = match parameter {
        Some(value) => known(read_issuer(value, &label, notes)?, notes),
        None => None,
    };

    // The parameter, where it agrees with the label, says which colon ends the prefix: issuers can have
    // colons in them.
    let agreed = issuer.as_ref().filter(|issuer| begins_with_prefix(&label, issuer)).map(String::len);
    let (prefix, account) = match agreed.or_else(|| label.find(':')) {
        // Blanks after the colon are part of the form, those elsewhere are not.
        Some(colon) => (Some(&label[..colon]), label[colon + 1..].trim_start_matches(' ')),
        None => (None, label.as_str()),
    };
    let prefix = prefix.and_then(|prefix| known(trim(prefix, notes).to_owned(), notes));
    notes.add_if(issuer.is_some() && prefix.is_some() && issuer != prefix, Tolerance::IssuerConflict);
    let issuer = issuer.or(prefix);

    let account = trim(account, notes);
    if !account.is_empty() {
        return Ok((issuer, account.to_owned()));
    }
    let stand_in = issuer.clone().ok_or(KeyUriError::AccountMissing)?;
    notes.add_if(true, Tolerance::AccountMissing);
    Ok((issuer, stand_in))
}

/// An issuer, unless it is empty, which is noted.
fn known(issuer: String, notes: &mut Notes) -> Option<String> {
    notes.add_if(issuer.is_empty(), Tolerance::IssuerEmpty);
    (!issuer.is_empty()).then_some(issuer)
}

/// Whether the label is this issuer, a colon, and more.
fn begins_with_prefix(label: &str, issuer: &str) -> bool {
    label.strip_prefix(issuer).is_some_and(|rest| rest.starts_with(':'))
}

/// The `issuer` parameter. A `+` in it is a blank, unless the label, where a plus is always a plus, spells
/// the issuer with it.
fn read_issuer(value: &str, label: &str, notes: &mut Notes) -> Result<String, KeyUriError> {
    let literal = unescape(value, Field::Issuer)?;
    if begins_with_prefix(label, &literal) {
        return Ok(trim(&literal, notes).to_owned());
    }
    let issuer = unescape_value(value, Field::Issuer, notes)?;
    Ok(trim(&issuer, notes).to_owned())
}

/// Without outer blanks, which are noted.
fn trim<'a>(name: &'a str, notes: &mut Notes) -> &'a str {
    let trimmed = name.trim_matches(' ');
    notes.add_if(trimmed.len() != name.len(), Tolerance::LabelBlanks);
    trimmed
}

/// A parameter's value, where form encoding writes a blank as `+`.
fn unescape_value(value: &str, field: Field, notes: &mut Notes) -> Result<Zeroizing<String>, KeyUriError> {
    if !value.contains('+') {
        return unescape(value, field);
    }
    notes.add_if(true, Tolerance::PlusAsBlank);
    unescape(&Zeroizing::new(value.replace('+', " ")), field)
}

/// Percent-decoding that refuses what is broken (RFC 3986 s2.1). The result may be a secret, so it is wiped
/// and never grows.
fn unescape(text: &str, field: Field) -> Result<Zeroizing<String>, KeyUriError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'%' {
            let [high, low, after @ ..] = rest else { return Err(KeyUriError::PercentEncoding(field)) };
            let (Some(high), Some(low)) = (hex(*high), hex(*low)) else {
                return Err(KeyUriError::PercentEncoding(field));
            };
            bytes.push(high << 4 | low);
            rest = after;
        } else {
            bytes.push(byte);
        }
    }
    match core::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(KeyUriError::NotUtf8(field)),
    }
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// `pchar` of RFC 3986 s3.3, with the `%` of an escape.
fn is_path_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%".contains(character)
}

/// `query` of RFC 3986 s3.4.
fn is_query_character(character: char) -> bool {
    is_path_character(character) || matches!(character, '/' | '?')
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}
