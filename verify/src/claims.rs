//! What a verified token says (RFC 9068 s2.2).

use serde_json::{Map, Value};

use crate::error::Error;

/// The claims of a token that was verified. There is no other way to get them.
#[derive(Clone, PartialEq, Debug)]
pub struct Claims {
    all: Map<String, Value>,
    issuer: String,
    subject: String,
    audiences: Vec<String>,
    client_id: String,
    token_id: String,
    issued_at: u64,
    expires_at: u64,
    session_id: Option<String>,
    scope: String,
    auth_time: Option<u64>,
    acr: Option<String>,
    amr: Vec<String>,
    authorization_details: Vec<Value>,
}

/// What claims must fit, whoever sent them.
pub(crate) struct Rules<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) audiences: &'a [String],
    pub(crate) now_s: u64,
    pub(crate) leeway_s: u64,
}

impl Claims {
    /// Reads the payload and checks issuer, audience and times. The caller verifies the signature before anybody sees the result.
    pub(crate) fn parse(all: Map<String, Value>, rules: &Rules<'_>) -> Result<Self, Error> {
        let read = Reader(&all);
        let issuer = read.text("iss")?;
        if issuer != rules.issuer {
            return Err(Error::WrongIssuer);
        }
        let audiences = match read.value("aud")? {
            Value::String(one) => vec![one.clone()],
            list => strings(list).ok_or(Error::InvalidClaim("aud"))?,
        };
        if !audiences.iter().any(|audience| rules.audiences.contains(audience)) {
            return Err(Error::WrongAudience);
        }
        let expires_at = read.seconds("exp")?;
        if rules.now_s >= expires_at.saturating_add(rules.leeway_s) {
            return Err(Error::Expired);
        }
        let issued_at = read.seconds("iat")?;
        let not_before = read.optional("nbf", Reader::seconds)?.unwrap_or(0);
        let latest = rules.now_s.saturating_add(rules.leeway_s);
        if issued_at > latest || not_before > latest {
            return Err(Error::NotYetValid);
        }
        let auth_time = read.optional("auth_time", Reader::seconds)?;
        if auth_time.is_some_and(|at| at > latest) {
            return Err(Error::InvalidClaim("auth_time"));
        }
        Ok(Self {
            issuer,
            subject: read.text("sub")?,
            audiences,
            client_id: read.text("client_id")?,
            token_id: read.text("jti")?,
            issued_at,
            expires_at,
            session_id: read.optional("sid", Reader::text)?,
            scope: read.optional("scope", Reader::any_text)?.unwrap_or_default(),
            auth_time,
            acr: read.optional("acr", Reader::text)?,
            amr: read
                .optional("amr", |read, name| strings(read.value(name)?).ok_or(Error::InvalidClaim(name)))?
                .unwrap_or_default(),
            authorization_details: read
                .optional("authorization_details", |read, name| {
                    read.value(name)?.as_array().cloned().ok_or(Error::InvalidClaim(name))
                })?
                .unwrap_or_default(),
            all,
        })
    }

    /// `iss`: the issuer's URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// `sub`: the user's id; where a client acts for itself, the client's. Keep data under this and never under a name.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// `aud`: for whom the token is.
    pub fn audiences(&self) -> &[String] {
        &self.audiences
    }

    /// `client_id`: the client that got the token.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// `jti`: the token's id.
    pub fn token_id(&self) -> &str {
        &self.token_id
    }

    /// `iat`, unix seconds.
    pub fn issued_at(&self) -> u64 {
        self.issued_at
    }

    /// `exp`, unix seconds.
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// `sid`: the session; none where a client acts for itself.
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// `scope`, word by word.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split(' ').filter(|word| !word.is_empty())
    }

    /// Whether `scope` has this word.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes().any(|word| word == scope)
    }

    /// `auth_time`: when the user was authenticated, unix seconds.
    pub fn auth_time(&self) -> Option<u64> {
        self.auth_time
    }

    /// `acr`: the level of the authentication (RFC 9470).
    pub fn acr(&self) -> Option<&str> {
        self.acr.as_deref()
    }

    /// `amr`: its methods (RFC 8176).
    pub fn amr(&self) -> &[String] {
        &self.amr
    }

    /// `authorization_details` (RFC 9396), as they are.
    pub fn authorization_details(&self) -> &[Value] {
        &self.authorization_details
    }

    /// Any other claim.
    pub fn claim(&self, name: &str) -> Option<&Value> {
        self.all.get(name)
    }

    /// Whether an entry of `authorization_details` has this `type`, names this action in `actions`, and names this thing, by
    /// `identifier` or else in `locations`.
    ///
    /// What an entry does not say it does not allow: none without `actions`, none without `identifier` and `locations`. With both,
    /// `locations` must name an audience of the token. Other members (`datatypes`, `privileges`, your own) are yours to check.
    pub fn allows(&self, kind: &str, action: &str, identifier: &str) -> bool {
        self.authorization_details.iter().any(|entry| {
            let lists = |name: &str, word: &str| {
                entry
                    .get(name)
                    .and_then(Value::as_array)
                    .is_some_and(|list| list.iter().any(|item| item == word))
            };
            let names_it = match (entry.get("identifier"), entry.get("locations")) {
                (Some(one), None) => one == identifier,
                (None, Some(_)) => lists("locations", identifier),
                (Some(one), Some(_)) => {
                    one == identifier && self.audiences.iter().any(|audience| lists("locations", audience))
                }
                (None, None) => false,
            };
            entry.get("type").is_some_and(|given| given == kind) && lists("actions", action) && names_it
        })
    }
}

/// Claims by name and type. A claim that is there with `null` is there.
struct Reader<'a>(&'a Map<String, Value>);

impl<'a> Reader<'a> {
    fn value(&self, name: &'static str) -> Result<&'a Value, Error> {
        self.0.get(name).ok_or(Error::MissingClaim(name))
    }

    fn any_text(&self, name: &'static str) -> Result<String, Error> {
        self.value(name)?.as_str().map(str::to_owned).ok_or(Error::InvalidClaim(name))
    }

    fn text(&self, name: &'static str) -> Result<String, Error> {
        Some(self.any_text(name)?).filter(|text| !text.is_empty()).ok_or(Error::InvalidClaim(name))
    }

    /// Whole seconds. RFC 7519 s2 would allow fractions, which Countersign never writes.
    fn seconds(&self, name: &'static str) -> Result<u64, Error> {
        self.value(name)?.as_u64().ok_or(Error::InvalidClaim(name))
    }

    fn optional<T>(
        &self,
        name: &'static str,
        read: impl Fn(&Self, &'static str) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        self.0.contains_key(name).then(|| read(self, name)).transpose()
    }
}

fn strings(list: &Value) -> Option<Vec<String>> {
    list.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}
