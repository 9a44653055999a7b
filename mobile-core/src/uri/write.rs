//! The canonical writer.

use alloc::string::String;
use core::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::{KeyUri, Kind};

/// All but the unreserved characters of RFC 3986 s2.3 is escaped; `@` stays so that an address can be read.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

pub(super) fn write(key: &KeyUri) -> Zeroizing<String> {
    let escaped = |text| utf8_percent_encode(text, ESCAPED);
    // Nothing longer can be made of a valid key, so growing leaves no copies of the secret behind.
    let mut uri = Zeroizing::new(String::with_capacity(KeyUri::MAX_BYTES));
    uri.push_str("otpauth://");
    uri.push_str(match key.kind {
        Kind::Totp { .. } => "totp/",
        Kind::Hotp { .. } => "hotp/",
    });
    if let Some(issuer) = &key.issuer {
        uri.extend(escaped(issuer));
        uri.push(':');
    }
    uri.extend(escaped(&key.account));
    uri.push_str("?secret=");
    uri.push_str(&key.secret.to_base32());
    if let Some(issuer) = &key.issuer {
        uri.push_str("&issuer=");
        uri.extend(escaped(issuer));
    }
    let (name, number) = match key.kind {
        Kind::Totp { period } => ("period", u64::from(period.get())),
        Kind::Hotp { counter } => ("counter", counter.get()),
    };
    // Writing to a string does not fail.
    let _ = write!(uri, "&algorithm={}&digits={}&{name}={number}", key.algorithm, key.digits);
    if let Some((origin, factor)) =
        key.origin.as_ref().and_then(|origin| Some((origin, origin.factor.as_ref()?)))
    {
        uri.push_str("&countersign=");
        uri.extend(escaped(&origin.issuer));
        uri.extend(["%23", factor]);
    }
    uri
}
