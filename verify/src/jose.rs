//! A JWS in compact form (RFC 7515 s3.1), read strictly and verified.
//!
//! 1. Bound the size, split at the dots: three parts, none empty.
//! 2. Decode each part: base64url without padding and without trailing bits, so that no part has two spellings.
//! 3. Read the header: nothing that brings or names a key from elsewhere, no `crit`, an algorithm from our own list, a `kid`.
//! 4. Later, with the issuer's key of that `kid`: the algorithm must be the key's, then the signature is verified.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::strict;

/// Header members that would let a token bring its own key, or ask for rules that we do not know (RFC 8725 s3.10).
const FORBIDDEN: &[&str] = &["crit", "jku", "jwk", "x5u", "x5c"];

/// Both algorithms have signatures of this size (RFC 8032 s5.1.6; RFC 7518 s3.4).
const SIGNATURE_BYTES: usize = 64;

/// The longest `kid` that is looked up. Countersign's have 43 characters.
const KID_CHARS: usize = 128;

/// The algorithms that exist here. A token's `alg` only ever has to agree with its key's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Alg {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 s3.4).
    Es256,
}

impl Alg {
    /// Exactly as registered: names are case-sensitive (RFC 7515 s4.1.1).
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "EdDSA" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            _ => None,
        }
    }
}

/// A public key that verifies with one algorithm.
pub(crate) struct Key {
    pub(crate) alg: Alg,
    pub(crate) decoding: DecodingKey,
}

/// A JWS that is well formed. Nothing in it is proven before [`Jws::verify`].
pub(crate) struct Jws<'a> {
    alg: Alg,
    kid: String,
    pub(crate) payload: Map<String, Value>,
    message: &'a str,
    signature: &'a str,
}

impl<'a> Jws<'a> {
    /// Steps 1 to 3. `typ` is the media type without `application/`; `max_chars` bounds the whole.
    pub(crate) fn parse(text: &'a str, typ: &str, max_chars: usize) -> Result<Self, Error> {
        if text.len() > max_chars {
            return Err(Error::TooLong);
        }
        let (message, signature) = text.rsplit_once('.').ok_or(Error::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(Error::Malformed)?;
        let header = object(header)?;
        let payload = object(payload)?;
        if decode(signature).ok_or(Error::Malformed)?.len() != SIGNATURE_BYTES {
            // An unsecured JWS has an empty one (RFC 7515 appendix A.5), and `alg` says so more clearly.
            let alg = header.get("alg").and_then(Value::as_str).and_then(Alg::parse);
            return Err(alg.map_or(Error::WrongAlgorithm, |_| Error::BadSignature));
        }
        if let Some(name) = FORBIDDEN.iter().find(|name| header.contains_key(**name)) {
            return Err(Error::ForbiddenHeader(name));
        }
        let member = |name: &str| header.get(name).and_then(Value::as_str);
        if !member("typ").is_some_and(|given| is_type(given, typ)) {
            return Err(Error::WrongType);
        }
        let alg = member("alg").and_then(Alg::parse).ok_or(Error::WrongAlgorithm)?;
        let kid = member("kid").filter(|kid| is_kid(kid)).ok_or(Error::UnknownKey)?.to_owned();
        Ok(Self { alg, kid, payload, message, signature })
    }

    /// The name of the key: a word to look up in the issuer's key set, and never anything else.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// Step 4.
    pub(crate) fn verify(&self, key: &Key) -> Result<(), Error> {
        if self.alg != key.alg {
            return Err(Error::WrongAlgorithm);
        }
        let algorithm = match key.alg {
            Alg::EdDsa => Algorithm::EdDSA,
            Alg::Es256 => Algorithm::ES256,
        };
        match crypto::verify(self.signature, self.message.as_bytes(), &key.decoding, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Error::BadSignature),
        }
    }
}

/// Base64url as RFC 7515 s2 wants it: no padding, no line breaks, no bits left over.
pub(crate) fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

fn object(part: &str) -> Result<Map<String, Value>, Error> {
    decode(part).and_then(|json| strict::object(&json)).ok_or(Error::Malformed)
}

/// `typ` without regard to case, with or without `application/` (RFC 7515 s4.1.9).
fn is_type(given: &str, wanted: &str) -> bool {
    let given = given.to_ascii_lowercase();
    given.strip_prefix("application/").unwrap_or(&given) == wanted
}

/// Whether a `kid` can be one of an issuer's at all. A name with a slash or a quote never costs a fetch.
pub(crate) fn is_kid(kid: &str) -> bool {
    (1..=KID_CHARS).contains(&kid.len())
        && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64url_has_one_spelling() {
        assert_eq!(decode("QQ"), Some(b"A".to_vec()));
        for other in ["QR", "QQ==", "Q", "QQ\n", " QQ", "Q+", "Q/"] {
            assert_eq!(decode(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_type_is_compared_without_case_and_prefix_and_nothing_more() {
        for good in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert!(is_type(good, "at+jwt"), "{good}");
        }
        for bad in ["JWT", "", "at+jwt ", "application/application/at+jwt", "text/at+jwt", "revocations+jwt"]
        {
            assert!(!is_type(bad, "at+jwt"), "{bad}");
        }
    }

    #[test]
    fn a_kid_is_a_word() {
        assert!(is_kid("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
        for bad in
            ["", "../../etc/passwd", "https://evil.example/", "' OR 1=1", "a b", "k\u{e9}", &"k".repeat(129)]
        {
            assert!(!is_kid(bad), "{bad}");
        }
    }
}
