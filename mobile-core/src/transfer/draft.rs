//! An account as other apps write it, on its way to an entry.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::{NO_ID, Reason};
use crate::json::Json;
use crate::vault::{Entry, Generator, Key};
use crate::{Algorithm, Counter, Digits, Field, Hotp, KeyUriError, Period, Secret, Totp};

/// The values of one account; where a format has a default, its reader has put it in.
pub(super) struct Draft<'a> {
    pub(super) issuer: &'a str,
    pub(super) account: &'a str,
    pub(super) secret: Result<Secret, Reason>,
    pub(super) kind: &'a str,
    pub(super) algorithm: &'a str,
    pub(super) digits: Option<u64>,
    pub(super) period: Option<u64>,
    pub(super) counter: Option<u64>,
}

impl Draft<'_> {
    /// The default of every format: TOTP with SHA-1, six digits, thirty seconds.
    pub(super) fn totp(secret: Result<Secret, Reason>) -> Self {
        Self {
            issuer: "",
            account: "",
            secret,
            kind: "totp",
            algorithm: "SHA1",
            digits: Some(6),
            period: Some(30),
            counter: Some(0),
        }
    }

    /// An entry without an id, or why there is none.
    pub(super) fn entry(self) -> Result<Entry, Reason> {
        let generator = self.generator()?;
        let (issuer, account) = names(self.issuer, self.account);
        Ok(Entry::new(NO_ID, Key::new(issuer, account, self.secret?, generator)?, 0))
    }

    fn generator(&self) -> Result<Generator, Reason> {
        if self.kind.eq_ignore_ascii_case("steam") {
            return Ok(Generator::Steam);
        }
        let is_totp = self.kind.eq_ignore_ascii_case("totp");
        if !is_totp && !self.kind.eq_ignore_ascii_case("hotp") {
            return Err(Reason::Kind);
        }
        let algorithm = algorithm(self.algorithm)?;
        let digits = self.digits.and_then(|digits| u8::try_from(digits).ok());
        let digits =
            digits.and_then(|digits| Digits::new(digits).ok()).ok_or(Reason::out_of_range(Field::Digits))?;
        if is_totp {
            let period = self.period.and_then(|period| u32::try_from(period).ok());
            let period = period
                .and_then(|period| Period::new(period).ok())
                .ok_or(Reason::out_of_range(Field::Period))?;
            Ok(Generator::Totp(Totp { algorithm, digits, period }))
        } else {
            let counter = self.counter.ok_or(Reason::out_of_range(Field::Counter))?;
            Ok(Generator::Hotp(Hotp { algorithm, digits }, Counter::new(counter)))
        }
    }
}

/// `SHA1`, `SHA-1`, `HmacSHA1`, in any case.
fn algorithm(name: &str) -> Result<Algorithm, Reason> {
    let bare = name.to_ascii_uppercase().replace(['-', '_'], "");
    bare.strip_prefix("HMAC").unwrap_or(&bare).parse().map_err(|_| Reason::Key(KeyUriError::AlgorithmUnknown))
}

/// Issuer and account without outer white space; the account without the issuer before it. An issuer that stands in the
/// account alone is taken from there, and stands in for a missing account.
pub(super) fn names(issuer: &str, account: &str) -> (Option<String>, String) {
    let (mut issuer, mut account) = (issuer.trim(), account.trim());
    if issuer.is_empty() {
        if let Some((before, after)) = account.split_once(':') {
            (issuer, account) = (before.trim(), after.trim());
        }
        if issuer.is_empty() {
            account = account.trim_start_matches(':').trim();
        }
    } else if let Some(rest) = account.strip_prefix(issuer).and_then(|rest| rest.strip_prefix(':')) {
        account = rest.trim();
    }
    if account.is_empty() {
        account = issuer;
    }
    ((!issuer.is_empty()).then(|| issuer.into()), account.into())
}

/// A text of the user's own, where there is one.
pub(super) fn some(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(Into::into)
}

/// The names of a file's groups, by their ids: `id` is the name of that member.
pub(super) fn groups<'a>(file: &'a Json, list: &str, id: &str) -> BTreeMap<&'a str, &'a str> {
    let groups = file.member(list).and_then(Json::as_list).unwrap_or_default().iter();
    groups.filter_map(|group| Some((group.member(id)?.as_str()?, group.member("name")?.as_str()?))).collect()
}
