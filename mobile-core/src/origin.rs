//! Which Countersign enrolled a factor: what a phone needs to ask that server about it.

use alloc::string::String;

/// A server, and the factor's id there.
///
/// A vault keeps whatever was put into one. In an `otpauth://` URI an origin stands only where it
/// [can be written](Self::is_writable).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The server's issuer: its public URL, without a slash at the end.
    pub issuer: String,
    /// The factor's id there, if the phone was told.
    pub factor: Option<String>,
}

impl Origin {
    /// The longest issuer in a URI, in bytes as it is written there: percent-encoded.
    pub const MAX_ISSUER_BYTES: usize = 512;

    /// Whether an `otpauth://` URI can hold it: the issuer is an `http` or `https` URL of visible ASCII with neither user, query
    /// nor fragment, and the factor's id is a UUID as servers write it.
    pub fn is_writable(&self) -> bool {
        is_issuer(&self.issuer) && self.factor_bytes().is_some()
    }

    /// The 16 bytes of the factor's id; `None` unless it is a UUID in its one canonical form: lower case, with hyphens.
    pub fn factor_bytes(&self) -> Option<[u8; 16]> {
        uuid(self.factor.as_deref()?)
    }

    /// From the value of a URI's parameter: issuer, `#`, factor.
    pub(crate) fn read(value: &str) -> Option<Self> {
        let (issuer, factor) = value.split_once('#')?;
        let origin = Self { issuer: issuer.into(), factor: Some(factor.into()) };
        origin.is_writable().then_some(origin)
    }
}

fn is_issuer(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\');
    let written = |byte: u8| if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) { 1 } else { 3 };
    !host.is_empty()
        && !host.contains('@')
        && text.bytes().all(is_plain)
        && text.bytes().map(written).sum::<usize>() <= Origin::MAX_ISSUER_BYTES
}

fn uuid(text: &str) -> Option<[u8; 16]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0_u8; 16];
    let mut digits = 0;
    if text.len() != 36 {
        return None;
    }
    for (place, byte) in text.bytes().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let held = bytes.get_mut(digits / 2)?;
        *held = *held << 4 | digit(byte)?;
        digits += 1;
    }
    Some(bytes)
}
