//! The issuer's key set (RFC 7517), as far as it can be used here.

use std::collections::HashMap;

use jsonwebtoken::DecodingKey;
use serde_json::{Map, Value};

use crate::jose::{self, Alg, Key};
use crate::strict;

/// Members that only private or symmetric keys have (RFC 7518 s6.2.2, s6.4.1).
const SECRET_PARTS: &[&str] = &["d", "k", "p", "q"];

/// Keys by `kid`.
pub(crate) struct KeySet {
    keys: HashMap<String, Key>,
}

impl KeySet {
    /// Reads a set. Keys that cannot be used are left out. A set without one that can is an error: an issuer without keys has
    /// no tokens, so such a reply is a mistake on the way, and must not take the place of a good set.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, String> {
        let document = strict::object(json).ok_or("the key set is not JSON")?;
        let list = document.get("keys").and_then(Value::as_array).ok_or("the key set has no `keys`")?;
        let mut keys = HashMap::new();
        let mut ambiguous = Vec::new();
        for jwk in list.iter().filter_map(Value::as_object) {
            let Some((kid, key)) = usable(jwk) else { continue };
            if keys.insert(kid.clone(), key).is_some() {
                ambiguous.push(kid);
            }
        }
        keys.retain(|kid, _| !ambiguous.contains(kid));
        if keys.is_empty() {
            return Err("the key set has no key that can be used".to_owned());
        }
        Ok(Self { keys })
    }

    /// The key of that name.
    pub(crate) fn find(&self, kid: &str) -> Option<&Key> {
        self.keys.get(kid)
    }
}

/// A public key for signatures, of a kind that we know, whose algorithm nothing contradicts.
fn usable(jwk: &Map<String, Value>) -> Option<(String, Key)> {
    if SECRET_PARTS.iter().any(|part| jwk.contains_key(*part)) {
        return None;
    }
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let absent_or = |name: &str, wanted: &str| !jwk.contains_key(name) || text(name) == Some(wanted);
    let verifies = jwk.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|list| list.iter().any(|operation| operation == "verify"))
    });
    if !absent_or("use", "sig") || !verifies {
        return None;
    }
    let coordinate = |name: &str| text(name).filter(|text| jose::decode(text).is_some_and(|c| c.len() == 32));
    let (name, decoding) = match (text("kty")?, text("crv")?) {
        ("OKP", "Ed25519") => ("EdDSA", DecodingKey::from_ed_components(coordinate("x")?).ok()?),
        ("EC", "P-256") => {
            ("ES256", DecodingKey::from_ec_components(coordinate("x")?, coordinate("y")?).ok()?)
        }
        _ => return None,
    };
    if !absent_or("alg", name) {
        return None;
    }
    let kid = text("kid").filter(|kid| jose::is_kid(kid))?;
    Some((kid.to_owned(), Key { alg: Alg::parse(name)?, decoding }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // RFC 8037 appendix A.2 and RFC 7517 appendix A.1.
    const ED: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    const X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
    const Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";

    fn set(keys: &[Value]) -> Result<KeySet, String> {
        KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
    }

    fn ed(changes: &Value) -> Value {
        let mut jwk = json!({"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"a","x":ED});
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk
    }

    #[test]
    fn both_kinds_of_keys_are_found_by_name() {
        let ec = json!({"kty":"EC","crv":"P-256","kid":"b","x":X,"y":Y});
        let keys = set(&[ed(&json!({})), ec]).unwrap();
        assert_eq!(keys.find("a").unwrap().alg, Alg::EdDsa);
        assert_eq!(keys.find("b").unwrap().alg, Alg::Es256);
        assert!(keys.find("c").is_none());
    }

    #[test]
    fn keys_that_cannot_be_used_are_left_out() {
        for changes in [
            json!({"use":"enc"}),
            json!({"use":null}),
            json!({"key_ops":["sign"]}),
            json!({"alg":"ES256"}),
            json!({"alg":"HS256"}),
            json!({"alg":"none"}),
            json!({"kty":"oct","k":"c2VjcmV0"}),
            json!({"kty":"RSA","n":"AQAB","e":"AQAB"}),
            json!({"crv":"Ed448"}),
            json!({"crv":"P-256"}),
            json!({"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}),
            json!({"x":"AA"}),
            json!({"x":format!("{ED}=")}),
            json!({"kid":null}),
            json!({"kid":"../a"}),
        ] {
            assert!(set(&[ed(&changes)]).is_err(), "{changes}");
            assert!(set(&[ed(&changes), ed(&json!({"kid":"good"}))]).is_ok(), "{changes}");
        }
    }

    #[test]
    fn two_keys_of_one_name_are_both_left_out() {
        let keys = set(&[ed(&json!({})), ed(&json!({})), ed(&json!({"kid":"other"}))]).unwrap();
        assert!(keys.find("a").is_none());
        assert!(keys.find("other").is_some());
    }

    #[test]
    fn what_is_no_key_set_is_no_empty_key_set() {
        for text in ["", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[1]}", "<html>"] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
