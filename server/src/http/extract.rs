//! How a request is read: the fields of its body, the client's credentials, the bearer token.

use std::fmt;
use std::time::Duration;

use actix_web::dev::RequestHead;
use actix_web::http::Version;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, HeaderValue};
use actix_web::http::uri::Authority;
use actix_web::{HttpMessage, HttpRequest, rt, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use percent_encoding::percent_decode_str;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::{Zeroize, Zeroizing};

use crate::app::client_auth::Credentials;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::Scopes;

/// No request needs a longer body.
pub(super) const MAX_BODY_BYTES: usize = 64 * 1024;

/// But for a form with a list of users: 1 MiB of text, with room for what forms encode.
pub(super) const MAX_LIST_BODY_BYTES: usize = 3 * 1024 * 1024;

/// No request needs longer to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// No request needs more fields.
const MAX_FIELDS: usize = 64;

/// Why a body was not read.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// Not there within [`BODY_TIMEOUT`].
    TooSlow,
    /// Longer than is taken.
    TooLarge,
    /// Not what it says it is, or of a type that is not taken.
    Malformed(Invalid),
}

/// Reads a body of at most 64 KiB, within ten seconds.
pub(super) async fn body(payload: &mut web::Payload) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    body_up_to(payload, MAX_BODY_BYTES).await
}

async fn body_up_to(payload: &mut web::Payload, max_bytes: usize) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let whole = rt::time::timeout(BODY_TIMEOUT, whole_body(payload, max_bytes));
    whole.await.map_err(|_| Unreadable::TooSlow)?
}

async fn whole_body(payload: &mut web::Payload, max_bytes: usize) -> Result<Zeroizing<Vec<u8>>, Unreadable> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|_| Unreadable::Malformed(Invalid::new("body", "broke off")))?;
        if body.len() + chunk.len() > max_bytes {
            return Err(Unreadable::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The named text fields of a form, or of a flat JSON object. No name stands twice; values are wiped when dropped.
pub(super) struct Fields(Vec<(String, String)>);

impl Drop for Fields {
    fn drop(&mut self) {
        for (_, value) in &mut self.0 {
            value.zeroize();
        }
    }
}

impl Fields {
    /// Reads the body as its content type says.
    pub(super) async fn read(request: &HttpRequest, payload: &mut web::Payload) -> Result<Self, Unreadable> {
        Self::read_up_to(request, payload, MAX_BODY_BYTES).await
    }

    /// The same with a body of at most so many bytes.
    pub(super) async fn read_up_to(
        request: &HttpRequest,
        payload: &mut web::Payload,
        max_bytes: usize,
    ) -> Result<Self, Unreadable> {
        let body = body_up_to(payload, max_bytes).await?;
        let fields = match request.content_type().to_ascii_lowercase().as_str() {
            "application/x-www-form-urlencoded" => Self::from_form(&body),
            "application/json" => Self::from_json(&body),
            _ => Err(Invalid::new(
                CONTENT_TYPE.as_str(),
                "must be application/x-www-form-urlencoded or application/json",
            )),
        };
        fields.map_err(Unreadable::Malformed)
    }

    /// The parameters of an address, which are written like a form.
    pub(super) fn from_query(query: &str) -> Result<Self, Invalid> {
        Self::from_form(query.as_bytes())
    }

    /// All of them, with or without a value.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn from_form(body: &[u8]) -> Result<Self, Invalid> {
        let text = std::str::from_utf8(body).map_err(|_| Invalid::new("body", "is not UTF-8"))?;
        let mut fields = Self(Vec::new());
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = form_decoded(name)
                .ok_or_else(|| Invalid::new("body", "has a field name that is not UTF-8"))?;
            let value = form_decoded(value);
            let value = value.ok_or_else(|| Invalid::new(shortened(&name), "is not UTF-8"))?;
            fields.add(name, value)?;
        }
        Ok(fields)
    }

    fn from_json(body: &[u8]) -> Result<Self, Invalid> {
        // The parser's own words may repeat the input, which may be a password; so only what kind of error it was.
        let object: JsonObject<'_> =
            serde_json::from_slice(body).map_err(|error| match error.classify() {
                serde_json::error::Category::Data => Invalid::new("body", "must be a JSON object"),
                _ => Invalid::new("body", "is not JSON"),
            })?;
        let mut fields = Self(Vec::new());
        for (name, value) in object.0 {
            // Already JSON in a form; in JSON it need not be JSON within a string. As it was written: what is doubled in it is found there.
            let is_list = name == "authorization_details";
            match (value.get().as_bytes().first(), serde_json::from_str::<Option<String>>(value.get())) {
                (Some(b'['), _) if is_list => fields.add(name, value.get().to_owned())?,
                (_, Ok(text)) => fields.add(name, text.unwrap_or_default())?,
                _ if is_list => return Err(Invalid::new(shortened(&name), "must be a list")),
                _ => return Err(Invalid::new(shortened(&name), "must be a string")),
            }
        }
        Ok(fields)
    }

    fn add(&mut self, name: String, value: String) -> Result<(), Invalid> {
        if self.0.iter().any(|(known, _)| *known == name) {
            return Err(Invalid::new(shortened(&name), "is given more than once"));
        }
        if self.0.len() == MAX_FIELDS {
            return Err(Invalid::new("body", "has too many fields"));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// A field's value. One without a value counts as left out (RFC 6749 s3.2).
    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// What a token shall do.
    pub(super) fn scope(&self) -> Result<Option<Scopes>, Refusal> {
        self.optional("scope")
            .map(|text| Scopes::parse(text).map_err(|_| Refusal::MalformedScope))
            .transpose()
    }

    /// Whom a token shall be for: our `audience`, or `resource` (RFC 8707 s2), which means the same.
    pub(super) fn audience(&self) -> Result<Option<&str>, Refusal> {
        match (self.optional("audience"), self.optional("resource")) {
            (Some(audience), Some(resource)) if audience != resource => Err(Refusal::InvalidTarget),
            (audience, resource) => Ok(audience.or(resource)),
        }
    }

    /// A field's value; without one the request is refused.
    pub(super) fn required(&self, name: &'static str) -> Result<&str, Invalid> {
        self.optional(name).ok_or_else(|| Invalid::new(name, "is missing"))
    }
}

/// Plus is a blank and the rest percent-encoded UTF-8, as HTML forms do it. Unlike most decoders this one refuses what is not UTF-8 instead of
/// replacing it: two different passwords must not become one.
fn form_decoded(text: &str) -> Option<String> {
    if !text.contains(['+', '%']) {
        return Some(text.to_owned());
    }
    let spaced = Zeroizing::new(text.replace('+', " "));
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// A caller's own field name, short enough for an error message.
fn shortened(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(40).collect()
}

/// A JSON object with its members as they came, doubled ones included; what they hold stays in the body, which is wiped.
struct JsonObject<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for JsonObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = JsonObject<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonObject<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(JsonObject(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

/// The client's credentials: HTTP Basic, or `client_id` and `client_secret` in the body; never both (RFC 6749 s2.3).
pub(super) fn credentials(request: &HttpRequest, fields: &Fields) -> Result<Credentials, Refusal> {
    let in_body = fields.optional("client_secret");
    if let Some(header) = authorization(request)? {
        if in_body.is_some() {
            return Err(Invalid::new(
                "client_secret",
                "is given in the body and in the Authorization header",
            )
            .into());
        }
        let shown = basic(header.to_str().ok()).ok_or(Refusal::InvalidClient)?;
        if fields.optional("client_id").is_some_and(|id| id != shown.client_id) {
            return Err(Invalid::new("client_id", "is not the one in the Authorization header").into());
        }
        return Ok(shown);
    }
    match (fields.optional("client_id"), in_body) {
        (Some(client_id), Some(client_secret)) => Ok(Credentials {
            client_id: client_id.to_owned(),
            client_secret: Zeroizing::new(client_secret.to_owned()),
        }),
        _ => Err(Refusal::InvalidClient),
    }
}

/// `Basic` with id and secret form-encoded before they are joined (RFC 6749 s2.3.1).
fn basic(header: Option<&str>) -> Option<Credentials> {
    let encoded = after_scheme(header?, "basic")?;
    let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let (id, secret) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Credentials { client_id: form_decoded(id)?, client_secret: Zeroizing::new(form_decoded(secret)?) })
}

/// The bearer token of the `Authorization` header (RFC 6750 s2.1).
pub(super) fn bearer(request: &HttpRequest) -> Result<Zeroizing<String>, Refusal> {
    let header = authorization(request)?.and_then(|header| header.to_str().ok());
    let token = header.and_then(|header| after_scheme(header, "bearer"));
    match token {
        Some(token) if !token.is_empty() && token.len() <= 8192 => Ok(Zeroizing::new(token.to_owned())),
        _ => Err(Refusal::InvalidToken),
    }
}

/// One JSON value of a type of ours. What is wrong is named: the member, or the body; its content never.
pub(super) fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Invalid> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        if !error.inner().is_data() {
            return Invalid::new("body", "is not JSON");
        }
        let path = error.path().to_string();
        let message = error.inner().to_string();
        let quoted = message.split('`').nth(1).filter(|name| name.len() <= 40).map(str::to_owned);
        match (quoted, path.as_str()) {
            (Some(name), _) if message.starts_with("missing field") => Invalid::new(name, "is missing"),
            (Some(name), _) if message.starts_with("unknown field") => {
                Invalid::new(name, "is not known here")
            }
            (Some(name), _) if message.starts_with("duplicate field") => {
                Invalid::new(name, "is given more than once")
            }
            (_, path) if path.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                Invalid::new(path.to_owned(), "is not of the type that it takes")
            }
            _ => Invalid::new("body", "must be a JSON object"),
        }
    })?;
    reader.end().map_err(|_| Invalid::new("body", "has more than one JSON value"))?;
    Ok(value)
}

/// The `Authorization` header, if there is one; of two nobody could say which counts.
fn authorization(request: &HttpRequest) -> Result<Option<&HeaderValue>, Invalid> {
    let mut headers = request.headers().get_all(AUTHORIZATION);
    match (headers.next(), headers.next()) {
        (first, None) => Ok(first),
        (_, Some(_)) => Err(Invalid::new("authorization", "is given more than once")),
    }
}

/// The value of the one cookie that has exactly this name, as it was sent. Nothing is decoded, and only blanks and tabs around a pair fall away:
/// browsers keep `__Host-` for the host itself by the bytes of a name, so a name that becomes ours by decoding is somebody else's. What other
/// cookies look like does not matter. Of two with the name nobody could say which is ours.
pub(super) fn cookie<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let pairs =
        request.headers().get_all(COOKIE).flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    let mut values =
        pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    match (values.next(), values.next()) {
        (Some(value), None) => std::str::from_utf8(value).ok(),
        _ => None,
    }
}

/// The host, with its port, that a request names: in `Host`, or since HTTP/2 in `:authority` (RFC 9113 s8.3.1). Forwarding headers are not looked
/// at: a page's script can write them.
pub(super) fn host(head: &RequestHead) -> Option<&str> {
    let named = head.headers.get(HOST).filter(|_| head.version < Version::HTTP_2);
    named.and_then(|host| host.to_str().ok()).or_else(|| head.uri.authority().map(Authority::as_str))
}

fn after_scheme<'a>(header: &'a str, scheme: &str) -> Option<&'a str> {
    let (name, rest) = header.split_once(' ')?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn form(text: &str) -> Result<Vec<(String, String)>, String> {
        Fields::from_form(text.as_bytes())
            .map(|fields| fields.0.clone())
            .map_err(|invalid| invalid.to_string())
    }

    fn json(text: &str) -> Result<Vec<(String, String)>, String> {
        Fields::from_json(text.as_bytes())
            .map(|fields| fields.0.clone())
            .map_err(|invalid| invalid.to_string())
    }

    #[expect(clippy::unnecessary_wraps, reason = "compared with results")]
    fn pairs(pairs: &[(&str, &str)]) -> Result<Vec<(String, String)>, String> {
        Ok(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn forms_are_decoded_and_doubled_fields_refused() {
        assert_eq!(form("a=1+2&b=%C3%A4&c"), pairs(&[("a", "1 2"), ("b", "ä"), ("c", "")]));
        assert_eq!(form("ä=ö&c+d=+&%25=%2B"), pairs(&[("ä", "ö"), ("c d", " "), ("%", "+")]));
        assert_eq!(form("otp=1&otp=2"), Err("otp is given more than once".to_owned()));
        assert_eq!(form("otp=%ff"), Err("otp is not UTF-8".to_owned()));
        assert_eq!(form(&"x&".repeat(2)), Err("x is given more than once".to_owned()));
    }

    #[test]
    fn json_objects_are_read_and_everything_else_refused() {
        assert_eq!(json(r#"{"a":"1","b":null}"#), pairs(&[("a", "1"), ("b", "")]));
        assert_eq!(json(r#"{"otp":"1","otp":"2"}"#), Err("otp is given more than once".to_owned()));
        assert_eq!(json(r#"{"otp":123456}"#), Err("otp must be a string".to_owned()));
        assert_eq!(json("[]"), Err("body must be a JSON object".to_owned()));
        assert_eq!(json("{"), Err("body is not JSON".to_owned()));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(json(&deep), Err("a must be a string".to_owned()));
    }

    #[test]
    fn basic_credentials_are_form_decoded() {
        let header = format!("bAsIc {}", STANDARD.encode("a%3Ab:c%2Bd+e"));
        let shown = basic(Some(&header)).expect("credentials");
        assert_eq!((shown.client_id.as_str(), shown.client_secret.as_str()), ("a:b", "c+d e"));
        for bad in ["Basic", "Basic !!!", "Bearer abc", &format!("Basic {}", STANDARD.encode("no colon"))] {
            assert!(basic(Some(bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name_whatever_stands_beside_it() {
        let found = |headers: &[&[u8]]| {
            let mut request = TestRequest::default();
            for header in headers {
                request = request.append_header((COOKIE, HeaderValue::from_bytes(header).unwrap()));
            }
            cookie(&request.to_http_request(), "__Host-a").map(str::to_owned)
        };
        let good: [&[&[u8]]; 7] = [
            &[b"__Host-a=x%41=="],
            &[b"b=1;__Host-a=x%41==;c=2"],
            &[b"b=\xff; __Host-a=x%41== ;\t"],
            &[b"b; ;=; __Host-a=x%41=="],
            &[b"\xff=1", b"__Host-a=x%41=="],
            &[b"__%48ost-a=evil; __Host-a=x%41=="],
            &[b"__host-a=evil; __Host-a =evil; __Host-aa=evil; \x85__Host-a=evil; __Host-a=x%41=="],
        ];
        for headers in good {
            assert_eq!(found(headers).as_deref(), Some("x%41=="), "{headers:?}");
        }
        let bad: [&[&[u8]]; 8] = [
            &[],
            &[b"__Host-a"],
            &[b"__%48ost-a=evil"],
            &[b"\xc2\xa0__Host-a=evil"],
            &[b"b=__Host-a=evil"],
            &[b"__Host-a=evil\xff"],
            &[b"__Host-a=x; __Host-a=x"],
            &[b"__Host-a=x", b"__Host-a=y"],
        ];
        for headers in bad {
            assert_eq!(found(headers), None, "{headers:?}");
        }
    }
}
