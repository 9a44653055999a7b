//! The verifier: an issuer's keys and revocations, and the steps from a text to claims.
//!
//! 1. Read the token strictly (`jose`): form, type, algorithm, `kid`.
//! 2. Check issuer, audience and times (`claims`). So a token that is refused anyway costs no fetch.
//! 3. Find the key by `kid` in the key set of the configured issuer, fetched anew if the name is unknown and it is time.
//! 4. Verify the signature.
//! 5. Look the token, its session and its key up in the revocations.
//! 6. Check what the request asks for (`check`).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use crate::cache::{Cache, Fetched, Found, Terms};
use crate::check::Check;
use crate::claims::{Claims, Rules};
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, InvalidSetting};
use crate::jose::Jws;
use crate::keys::KeySet;
use crate::revocations::{self, Revocations};
use crate::source::{DOCUMENT_BYTES, Document, Source};

/// The longest token that is looked at, in characters. Countersign's have some 700.
pub const TOKEN_CHARS: usize = 8192;

const TOKEN_TYPE: &str = "at+jwt";

/// What happens to tokens when the list of revocations cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RevocationPolicy {
    /// The last good list serves until the issuer made it this long ago. Then no token is accepted until there is a new one.
    Required {
        /// How old a list may be.
        max_stale: Duration,
    },
    /// Revocations are not asked for at all. A token is good to its `exp`.
    Ignored,
}

/// Checks access tokens of one issuer. Make one, share it by [`Arc`]: it holds the keys and the revocations.
pub struct Verifier {
    issuer: String,
    audiences: Vec<String>,
    leeway_s: u64,
    revoking: bool,
    source: Box<dyn Source>,
    clock: Box<dyn Clock>,
    keys: Cache<KeySet>,
    revocations: Cache<Revocations>,
}

/// Settings of a [`Verifier`].
#[must_use]
pub struct Builder {
    issuer: String,
    audiences: Vec<String>,
    leeway: Duration,
    keys_max_age: Duration,
    keys_max_stale: Duration,
    revocations_max_age: Duration,
    policy: RevocationPolicy,
    pause: Duration,
    source: Option<Box<dyn Source>>,
    clock: Box<dyn Clock>,
}

impl Builder {
    /// One who the tokens may be for: the application's own identifier, as it stands in `aud`. At least one is needed.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// How far the clocks of the issuer and of this machine may be apart. 30 seconds: machines that keep time at all are within
    /// one, and a token is accepted that much longer than the issuer said. At most a minute.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// After how long the key set is fetched again. Five minutes: what the issuer says in `Cache-Control`.
    pub fn keys_max_age(mut self, age: Duration) -> Self {
        self.keys_max_age = age;
        self
    }

    /// For how long an old key set serves while no new one can be had. An hour.
    pub fn keys_max_stale(mut self, age: Duration) -> Self {
        self.keys_max_stale = age;
        self
    }

    /// After how long the revocations are fetched again: about as long as a revocation takes to be heard of. A minute.
    pub fn revocations_max_age(mut self, age: Duration) -> Self {
        self.revocations_max_age = age;
        self
    }

    /// What happens when the revocations cannot be had. By default they are required, and may be five minutes old.
    pub fn revocations(mut self, policy: RevocationPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// How long to wait after a fetch, good or bad, before the next one of that document. Ten seconds. Tokens with invented
    /// `kid`s cannot make it shorter.
    pub fn pause(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Fetches documents in another way.
    pub fn source(mut self, source: impl Source + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Takes the time from elsewhere.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Box::new(clock);
        self
    }

    /// The verifier. Fetches nothing yet; see [`Verifier::warm_up`].
    pub fn build(self) -> Result<Verifier, InvalidSetting> {
        let place = Place::of(&self.issuer)?;
        if self.audiences.is_empty() || self.audiences.iter().any(String::is_empty) {
            return Err(InvalidSetting::Audience);
        }
        if self.leeway > Duration::from_mins(1) {
            return Err(InvalidSetting::Leeway);
        }
        if self.keys_max_stale < self.keys_max_age {
            return Err(InvalidSetting::Bound("keys_max_stale"));
        }
        let (revoking, revocations_max_stale) = match self.policy {
            RevocationPolicy::Required { max_stale } if max_stale < self.revocations_max_age => {
                return Err(InvalidSetting::Bound("max_stale"));
            }
            RevocationPolicy::Required { max_stale } => (true, max_stale),
            RevocationPolicy::Ignored => (false, Duration::ZERO),
        };
        if self.pause > self.keys_max_stale || (revoking && self.pause > revocations_max_stale) {
            return Err(InvalidSetting::Pause);
        }
        let source = self.source.or_else(|| default_source(place)).ok_or(InvalidSetting::NoSource)?;
        Ok(Verifier {
            issuer: self.issuer,
            audiences: self.audiences,
            leeway_s: self.leeway.as_secs(),
            revoking,
            source,
            clock: self.clock,
            keys: Cache::new(Terms {
                max_age: self.keys_max_age,
                max_stale: self.keys_max_stale,
                pause: self.pause,
            }),
            revocations: Cache::new(Terms {
                max_age: self.revocations_max_age,
                max_stale: revocations_max_stale,
                pause: self.pause,
            }),
        })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Why there are no claims yet.
enum Stop {
    Refused(Error),
    FetchDue,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fetching {
    Allowed,
    /// Somebody else's fetch is waited for, too, of a key that is not held yet: for documents that are fetched themselves, one at a time.
    Awaited,
    Forbidden,
}

impl Verifier {
    /// Begins a verifier for tokens of this issuer: the server's public URL, exactly as in `iss`. It must have `https`, unless
    /// it is on this machine (`localhost`, `127.0.0.1`, `[::1]`).
    pub fn builder(issuer: impl Into<String>) -> Builder {
        Builder {
            issuer: issuer.into(),
            audiences: Vec::new(),
            leeway: Duration::from_secs(30),
            keys_max_age: Duration::from_mins(5),
            keys_max_stale: Duration::from_hours(1),
            revocations_max_age: Duration::from_mins(1),
            policy: RevocationPolicy::Required { max_stale: Duration::from_mins(5) },
            pause: Duration::from_secs(10),
            source: None,
            clock: Box::new(SystemClock::new()),
        }
    }

    /// Checks a token. May fetch, and then blocks for some seconds at most: in an async handler, use
    /// [`Verifier::verify_without_fetch`] first. One caller fetches at a time. The others go on with what is held; a token by a key that is
    /// not in it is [`Error::KeysUnavailable`] meanwhile, without waiting.
    pub fn verify(&self, token: &str, check: &Check) -> Result<Claims, Error> {
        self.judge(token, check, Fetching::Allowed).map_err(|stop| match stop {
            Stop::Refused(error) => error,
            Stop::FetchDue => Error::KeysUnavailable,
        })
    }

    /// Checks a token by what is at hand: some ten microseconds, no waiting. None if something has to be fetched first; then
    /// call [`Verifier::verify`] on a thread that may block.
    pub fn verify_without_fetch(&self, token: &str, check: &Check) -> Option<Result<Claims, Error>> {
        match self.judge(token, check, Fetching::Forbidden) {
            Ok(claims) => Some(Ok(claims)),
            Err(Stop::Refused(error)) => Some(Err(error)),
            Err(Stop::FetchDue) => None,
        }
    }

    /// Asks more of a token that was verified: for one that turns out to be needed only in the middle of a request.
    pub fn require(&self, claims: &Claims, check: &Check) -> Result<(), Error> {
        check.met_by(claims, self.clock.now().unix_s, self.leeway_s)
    }

    /// Fetches what is missing or old. Worth a call at the start, so that a wrong address shows there and the first request
    /// need not wait.
    pub fn warm_up(&self) -> Result<(), Error> {
        let stopped = |stop| match stop {
            Stop::Refused(error) => error,
            Stop::FetchDue => Error::KeysUnavailable,
        };
        self.key_set(|_| true, Fetching::Allowed).map_err(stopped)?;
        self.revocation_list(Fetching::Allowed).map_err(stopped)?;
        Ok(())
    }

    /// What went wrong at the last fetch of the keys and of the revocations: for the log and for a readiness check.
    pub fn failures(&self) -> Vec<String> {
        [("keys", self.keys.failure()), ("revocations", self.revocations.failure())]
            .into_iter()
            .filter_map(|(what, failure)| Some(format!("{what}: {}", failure?)))
            .collect()
    }

    fn judge(&self, token: &str, check: &Check, fetching: Fetching) -> Result<Claims, Stop> {
        let mut jws = Jws::parse(token, TOKEN_TYPE, TOKEN_CHARS)?;
        let now_s = self.clock.now().unix_s;
        let rules =
            Rules { issuer: &self.issuer, audiences: &self.audiences, now_s, leeway_s: self.leeway_s };
        let claims = Claims::parse(std::mem::take(&mut jws.payload), &rules)?;
        self.verify_signature(&jws, fetching)?;
        if let Some(list) = self.revocation_list(fetching)?
            && list.has(&claims, jws.kid())
        {
            return Err(Error::Revoked.into());
        }
        check.met_by(&claims, now_s, self.leeway_s)?;
        Ok(claims)
    }

    fn verify_signature(&self, jws: &Jws<'_>, fetching: Fetching) -> Result<(), Stop> {
        let keys = self.key_set(|keys| keys.find(jws.kid()).is_some(), fetching)?;
        jws.verify(keys.find(jws.kid()).ok_or(Error::UnknownKey)?)?;
        Ok(())
    }

    fn key_set(&self, wanted: impl Fn(&KeySet) -> bool, fetching: Fetching) -> Result<Arc<KeySet>, Stop> {
        let fetch = |_: Option<&KeySet>| {
            let document = self.get("/.well-known/jwks.json")?;
            Ok(Fetched { value: KeySet::parse(&document.body)?, issued_at: None })
        };
        let may_fetch = fetching != Fetching::Forbidden;
        let waits = fetching == Fetching::Awaited;
        match self.keys.get(&*self.clock, wanted, waits, may_fetch.then_some(fetch)) {
            Found::Held(keys) => Ok(keys),
            Found::Nothing => Err(Error::KeysUnavailable.into()),
            Found::FetchDue => Err(Stop::FetchDue),
        }
    }

    fn revocation_list(&self, fetching: Fetching) -> Result<Option<Arc<Revocations>>, Stop> {
        if !self.revoking {
            return Ok(None);
        }
        let fetch = |known: Option<&Revocations>| {
            let value = self.fetch_revocations(known)?;
            let issued_at = Some(value.issued_at());
            Ok(Fetched { value, issued_at })
        };
        let may_fetch = fetching != Fetching::Forbidden;
        match self.revocations.get(&*self.clock, |_| true, true, may_fetch.then_some(fetch)) {
            Found::Held(list) => Ok(Some(list)),
            Found::Nothing => Err(Error::RevocationsUnavailable.into()),
            Found::FetchDue => Err(Stop::FetchDue),
        }
    }

    fn fetch_revocations(&self, known: Option<&Revocations>) -> Result<Revocations, String> {
        let document = match known {
            Some(known) => self.get(&format!("/oauth/revocations?since={}", known.cursor()))?,
            None => self.get("/oauth/revocations")?,
        };
        let media_type = document.content_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/jwt") {
            return Err("the list is not application/jwt".to_owned());
        }
        let text = str::from_utf8(&document.body).map_err(|_| "the list is not text")?.trim_ascii();
        let of_list = |error: Error| format!("the list was refused: {}", error.code());
        let mut jws = Jws::parse(text, revocations::TYPE, DOCUMENT_BYTES).map_err(of_list)?;
        self.verify_signature(&jws, Fetching::Awaited).map_err(|stop| match stop {
            Stop::Refused(error) => of_list(error),
            Stop::FetchDue => of_list(Error::KeysUnavailable),
        })?;
        if known.is_some_and(|known| known.has_key(jws.kid())) {
            return Err("the list is signed by a revoked key".to_owned());
        }
        let payload = std::mem::take(&mut jws.payload);
        let now_s = self.clock.now().unix_s;
        Revocations::merge(known, payload, jws.kid(), &self.issuer, now_s, self.leeway_s)
    }

    fn get(&self, path: &str) -> Result<Document, String> {
        let document =
            self.source.get(&format!("{}{path}", self.issuer)).map_err(|error| error.to_string())?;
        if document.body.len() > DOCUMENT_BYTES {
            return Err("the document is too long".to_owned());
        }
        Ok(document)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("issuer", &self.issuer)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}

/// Where an issuer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    ThisMachine,
    Elsewhere,
}

impl Place {
    /// Whether the issuer may be asked at all, and where it is.
    fn of(issuer: &str) -> Result<Self, InvalidSetting> {
        let uri: Uri = issuer.parse().map_err(|_| InvalidSetting::Issuer)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(InvalidSetting::Issuer);
        };
        // The parser drops a fragment silently.
        if authority.as_str().contains('@') || authority.host().is_empty() || issuer.contains(['?', '#']) {
            return Err(InvalidSetting::Issuer);
        }
        if issuer.ends_with('/') {
            return Err(InvalidSetting::IssuerSlash);
        }
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        let loopback = host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|ip| ip.is_loopback());
        match (scheme, loopback) {
            ("https" | "http", true) => Ok(Self::ThisMachine),
            ("https", false) => Ok(Self::Elsewhere),
            ("http", false) => Err(InvalidSetting::InsecureIssuer),
            _ => Err(InvalidSetting::Issuer),
        }
    }
}

#[cfg(feature = "fetch")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature there is none")]
fn default_source(place: Place) -> Option<Box<dyn Source>> {
    Some(Box::new(crate::source::HttpSource::new(place == Place::ThisMachine)))
}

#[cfg(not(feature = "fetch"))]
fn default_source(_: Place) -> Option<Box<dyn Source>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_has_https_unless_it_is_on_this_machine() {
        for good in ["http://localhost:8080", "http://127.0.0.1:1/path", "http://[::1]:8080", "https://[::1]"]
        {
            assert_eq!(Place::of(good), Ok(Place::ThisMachine), "{good}");
        }
        for good in ["https://login.example", "https://login.example:8443/auth"] {
            assert_eq!(Place::of(good), Ok(Place::Elsewhere), "{good}");
        }
        for (bad, why) in [
            ("http://login.example", InvalidSetting::InsecureIssuer),
            ("http://localhost.example", InvalidSetting::InsecureIssuer),
            ("http://127.0.0.1.example", InvalidSetting::InsecureIssuer),
            ("http://10.0.0.1", InvalidSetting::InsecureIssuer),
            ("http://localhost@login.example", InvalidSetting::Issuer),
            ("https://user@login.example", InvalidSetting::Issuer),
            ("https://login.example?a", InvalidSetting::Issuer),
            ("https://login.example#a", InvalidSetting::Issuer),
            ("https://login.example/", InvalidSetting::IssuerSlash),
            ("ftp://localhost", InvalidSetting::Issuer),
            ("login.example", InvalidSetting::Issuer),
            ("/path", InvalidSetting::Issuer),
            ("", InvalidSetting::Issuer),
        ] {
            assert_eq!(Place::of(bad), Err(why), "{bad}");
        }
    }
}
