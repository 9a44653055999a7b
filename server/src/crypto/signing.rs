//! Signing keys: Ed25519 or ECDSA on P-256, and RSA for ID tokens, named by their RFC 7638 thumbprint. JWTs are read by `jsonwebtoken`; it would open the key anew for
//! every one that it writes.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::id::{ClientId, SessionId, TokenId, UserId};
use crate::domain::token::{AccessClaims, SigningAlgorithm};
use crate::error::Fault;
use crate::random;

/// The media type of RFC 9068 s2.1.
const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// That of ID tokens: not that of access tokens, so that none is taken for one.
pub const ID_TOKEN_TYPE: &str = "JWT";

/// A new key: what is sealed, and what everybody may know.
pub struct NewKey {
    /// How it signs.
    pub algorithm: SigningAlgorithm,
    /// Ed25519: the 32-byte seed. P-256 and RSA: a PKCS#8 v1 document.
    pub private: Zeroizing<Vec<u8>>,
    /// Ed25519: 32 bytes. P-256: the uncompressed point, 65 bytes. RSA: an `RSAPublicKey` (RFC 8017 A.1.1).
    pub public: Vec<u8>,
    /// The thumbprint.
    pub kid: String,
}

/// Makes a new key.
pub fn generate(algorithm: SigningAlgorithm) -> Result<NewKey, Fault> {
    let failed = |_| Fault::Crypto("a signing key could not be made");
    let (private, public) = match algorithm {
        SigningAlgorithm::EdDsa => {
            let seed = random::bytes::<32>();
            let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice())
                .map_err(|_| Fault::Crypto("a signing key could not be made"))?;
            (Zeroizing::new(seed.to_vec()), pair.public_key().as_ref().to_vec())
        }
        SigningAlgorithm::Es256 => {
            // The library draws the scalar by itself: P-256 has no seed that any 32 bytes would be good for.
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
            let document = pair.to_pkcs8v1().map_err(failed)?;
            (Zeroizing::new(document.as_ref().to_vec()), pair.public_key().as_ref().to_vec())
        }
        SigningAlgorithm::Rs256 => {
            let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(failed)?;
            let document: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
            (Zeroizing::new(document.as_ref().to_vec()), pair.public_key().as_ref().to_vec())
        }
    };
    let kid = public_jwk(algorithm, &public, None)?
        .thumbprint(ThumbprintHash::SHA256)
        .map_err(|_| Fault::Crypto("a signing key could not be named"))?;
    Ok(NewKey { algorithm, private, public, kid })
}

/// The public half as JWKS lists it (RFC 7517, RFC 7518 s6.2, RFC 8037).
pub fn public_jwk(algorithm: SigningAlgorithm, public: &[u8], kid: Option<&str>) -> Result<Jwk, Fault> {
    let mut jwk = Jwk::from_decoding_key(&decoding_key(algorithm, public), Some(jws(algorithm)))
        .map_err(|_| Fault::Corrupt { what: "public key" })?;
    jwk.common.public_key_use = Some(PublicKeyUse::Signature);
    jwk.common.key_id = kid.map(str::to_owned);
    Ok(jwk)
}

fn decoding_key(algorithm: SigningAlgorithm, public: &[u8]) -> DecodingKey {
    match algorithm {
        SigningAlgorithm::EdDsa => DecodingKey::from_ed_der(public),
        SigningAlgorithm::Es256 => DecodingKey::from_ec_der(public),
        SigningAlgorithm::Rs256 => DecodingKey::from_rsa_der(public),
    }
}

const fn jws(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::Rs256 => Algorithm::RS256,
    }
}

/// A key that signs. It is opened once: to open an Ed25519 key costs as much as to sign with it.
pub struct SigningKey {
    kid: String,
    access_token_header: String,
    pair: Pair,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(Box<rsa::KeyPair>),
}

impl SigningKey {
    /// From the opened private key.
    pub fn new(kid: &str, algorithm: SigningAlgorithm, private: &[u8]) -> Result<Self, Fault> {
        let corrupt = |_| Fault::Corrupt { what: "signing key" };
        let pair = match algorithm {
            SigningAlgorithm::EdDsa => {
                Pair::Ed25519(Ed25519KeyPair::from_seed_unchecked(private).map_err(corrupt)?)
            }
            SigningAlgorithm::Es256 => Pair::P256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private).map_err(corrupt)?,
            ),
            SigningAlgorithm::Rs256 => {
                Pair::Rsa(Box::new(rsa::KeyPair::from_pkcs8(private).map_err(corrupt)?))
            }
        };
        Ok(Self { kid: kid.to_owned(), access_token_header: header(&pair, kid, ACCESS_TOKEN_TYPE)?, pair })
    }

    /// The key's name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Signs an access token.
    pub fn sign(&self, claims: &AccessClaims) -> Result<String, Fault> {
        self.sign_behind(&self.access_token_header, claims)
    }

    /// Signs any claims under a media type of their own, so that none is taken for another (RFC 8725 s3.11).
    pub fn sign_as(&self, typ: &str, claims: &impl Serialize) -> Result<String, Fault> {
        self.sign_behind(&header(&self.pair, &self.kid, typ)?, claims)
    }

    /// In the compact form of RFC 7515 s3.1.
    fn sign_behind(&self, header: &str, claims: &impl Serialize) -> Result<String, Fault> {
        let mut json = Vec::with_capacity(LONG);
        serde_json::to_writer(&mut json, claims).map_err(|_| UNSIGNED)?;
        let mut token = String::with_capacity(header.len() + json.len() * 4 / 3 + SIGNATURE);
        token.push_str(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(json, &mut token);
        #[expect(clippy::disallowed_methods, reason = "a name only: the library draws the nonce by itself")]
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Ed25519(pair) => pair.sign(token.as_bytes()).as_ref().to_vec(),
            Pair::P256(pair) => pair.sign(&random, token.as_bytes()).map_err(|_| UNSIGNED)?.as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, token.as_bytes(), &mut signature)
                    .map_err(|_| UNSIGNED)?;
                signature
            }
        };
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

/// Bytes that most claims have room in.
const LONG: usize = 768;

/// Characters that an elliptic curve's signature has room in, with the points before it.
const SIGNATURE: usize = 90;

const UNSIGNED: Fault = Fault::Crypto("a token could not be signed");

/// The header of what this key signs, in base64url.
fn header(pair: &Pair, kid: &str, typ: &str) -> Result<String, Fault> {
    let mut header = Header::new(match pair {
        Pair::Ed25519(_) => Algorithm::EdDSA,
        Pair::P256(_) => Algorithm::ES256,
        Pair::Rsa(_) => Algorithm::RS256,
    });
    header.typ = Some(typ.to_owned());
    header.kid = Some(kid.to_owned());
    json_in_base64url(&header)
}

fn json_in_base64url(value: &impl Serialize) -> Result<String, Fault> {
    Ok(URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).map_err(|_| UNSIGNED)?))
}

/// The `kid` that a token names, if it is a JWT access token at all and the name has the form of ours: a SHA-256 thumbprint in
/// base64url. Nothing is verified by this; it only keeps other texts away from the database.
pub fn named_kid(token: &str) -> Option<String> {
    named_kid_as(ACCESS_TOKEN_TYPE, token)
}

/// The `kid` and the `jti` of what looks like a JWT access token of ours. Nothing is verified by this, either.
pub fn named_token(token: &str) -> Option<(String, TokenId)> {
    #[derive(Deserialize)]
    struct Named {
        jti: String,
    }
    let kid = named_kid(token)?;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let named: Named = serde_json::from_slice(&claims).ok()?;
    Some((kid, named.jti.parse().ok()?))
}

/// The `kid` of a JWT that is an ID token.
pub fn named_kid_of_id_token(token: &str) -> Option<String> {
    named_kid_as(ID_TOKEN_TYPE, token)
}

fn named_kid_as(wanted: &str, token: &str) -> Option<String> {
    let header = decode_header(token).ok()?;
    let is_wanted = header.typ.is_some_and(|typ| typ.eq_ignore_ascii_case(wanted));
    let is_thumbprint = |kid: &String| {
        kid.len() == 43 && kid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    header.kid.filter(|kid| is_wanted && is_thumbprint(kid))
}

/// The `at_hash` of an access token, for an ID token (OpenID Connect Core s3.1.3.6).
pub fn access_token_hash(access_token: &str) -> String {
    let hash = Sha256::digest(access_token);
    URL_SAFE_NO_PAD.encode(hash.iter().take(16).copied().collect::<Vec<u8>>())
}

/// What an ID token says that is shown here once more.
pub struct OwnIdToken {
    /// The application that it was made for.
    pub client: ClientId,
    /// Who logged in.
    pub user: UserId,
    /// The session there.
    pub session: SessionId,
}

/// An ID token that `public` signed for `issuer`, however long ago.
pub fn own_id_token(token: &str, public: &[u8], issuer: &str) -> Option<OwnIdToken> {
    #[derive(Deserialize)]
    struct Claims {
        aud: String,
        sub: String,
        sid: String,
    }

    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["iss", "sub", "aud"]);
    validation.set_issuer(&[issuer]);
    let claims = decode::<Claims>(token, &DecodingKey::from_rsa_der(public), &validation).ok()?.claims;
    Some(OwnIdToken {
        client: claims.aud.parse().ok()?,
        user: claims.sub.parse().ok()?,
        session: claims.sid.parse().ok()?,
    })
}

/// The claims of a token that `public` signed for `issuer`, by that key's own algorithm whatever the token says. Times are not checked
/// here: the token's record decides.
pub fn verified_claims(
    token: &str,
    algorithm: SigningAlgorithm,
    public: &[u8],
    issuer: &str,
) -> Option<AccessClaims> {
    let mut validation = Validation::new(jws(algorithm));
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "iss", "sub", "aud"]);
    validation.set_issuer(&[issuer]);
    let key = decoding_key(algorithm, public);
    decode::<AccessClaims>(token, &key, &validation).ok().map(|data| data.claims)
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::EncodingKey;

    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        // RFC 8037 appendix A.2 and A.3.
        let public = [
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
            0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
        ];
        let jwk = public_jwk(SigningAlgorithm::EdDsa, &public, None).expect("a key");
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).expect("a thumbprint");
        assert_eq!(kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_token_verifies_under_its_own_key_algorithm_and_issuer_only() {
        for algorithm in SigningAlgorithm::ALL {
            let new = generate(algorithm).expect("a key");
            let key = SigningKey::new(&new.kid, algorithm, &new.private).expect("a key");
            let claims = AccessClaims {
                iss: "https://issuer.example".into(),
                sub: "s".into(),
                aud: "a".into(),
                client_id: "c".into(),
                iat: 1,
                exp: 2,
                jti: "j".into(),
                scope: String::new(),
                authorization_details: crate::domain::authorization::Details::default(),
                auth_time: None,
                acr: None,
                amr: None,
                sid: None,
            };
            let token = key.sign(&claims).expect("signed");
            assert_eq!(named_kid(&token), Some(new.kid));
            let verified = |issuer| verified_claims(&token, algorithm, &new.public, issuer);
            assert_eq!(verified("https://issuer.example"), Some(claims));
            assert_eq!(verified("https://other.example"), None);
            for other in SigningAlgorithm::ALL {
                let foreign = generate(other).expect("a key").public;
                assert_eq!(verified_claims(&token, other, &foreign, "https://issuer.example"), None);
                if other != algorithm {
                    assert_eq!(verified_claims(&token, other, &new.public, "https://issuer.example"), None);
                }
            }
        }
    }
    #[test]
    fn an_id_token_is_taken_for_one_of_this_issuers_key_only() {
        const ISSUER: &str = "https://issuer.example";
        let id = "0190a5d2-7c4e-7000-8000-00000000000";
        let claims = serde_json::json!({
            "iss": ISSUER, "sub": format!("{id}1"), "aud": format!("{id}2"), "sid": format!("{id}3"), "exp": 1,
        });
        let without = |name: &str| {
            let mut claims = claims.clone();
            claims.as_object_mut().expect("an object").remove(name);
            claims
        };
        let of = |new: &NewKey| SigningKey::new(&new.kid, new.algorithm, &new.private).expect("a key");
        let new = generate(SigningAlgorithm::Rs256).expect("a key");
        let key = of(&new);
        let is_own = |token: &str| own_id_token(token, &new.public, ISSUER).is_some();

        let token = key.sign_as(ID_TOKEN_TYPE, &claims).expect("signed");
        let shown = own_id_token(&token, &new.public, ISSUER).expect("its own, though it ended long ago");
        assert_eq!(shown.user.to_string(), format!("{id}1"));
        assert_eq!(shown.client.to_string(), format!("{id}2"));
        assert_eq!(shown.session.to_string(), format!("{id}3"));

        // Somebody else's issuer, or with a claim too few.
        assert!(own_id_token(&token, &new.public, "https://other.example").is_none());
        for name in ["iss", "sub", "aud", "sid"] {
            assert!(!is_own(&key.sign_as(ID_TOKEN_TYPE, &without(name)).expect("signed")), "{name}");
        }
        // Another key, of whatever algorithm, under the name of this one.
        for algorithm in SigningAlgorithm::ALL {
            let other = NewKey { kid: new.kid.clone(), ..generate(algorithm).expect("a key") };
            assert!(!is_own(&of(&other).sign_as(ID_TOKEN_TYPE, &claims).expect("signed")), "{algorithm:?}");
        }
        // The public key taken for a shared secret, and no signature at all.
        let header = Header::new(Algorithm::HS256);
        for secret in [new.public.as_slice(), new.kid.as_bytes()] {
            let forged = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret));
            assert!(!is_own(&forged.expect("signed")));
        }
        let unsigned = serde_json::json!({"alg": "none", "typ": ID_TOKEN_TYPE, "kid": new.kid});
        let body = json_in_base64url(&claims).expect("json");
        assert!(!is_own(&format!("{}.{body}.", json_in_base64url(&unsigned).expect("json"))));
        let (signed, _) = token.rsplit_once('.').expect("a signature");
        assert!(!is_own(&format!("{signed}.")));

        // An access token is no ID token, nor the other way round: by their types, before any key is looked up.
        let access = key.sign_as(ACCESS_TOKEN_TYPE, &claims).expect("signed");
        assert_eq!((named_kid_of_id_token(&access), named_kid(&access)), (None, Some(new.kid.clone())));
        assert_eq!((named_kid_of_id_token(&token), named_kid(&token)), (Some(new.kid), None));
    }
}
