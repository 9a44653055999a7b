//! The other side: an issuer with keys and a list of revocations, and a clock.

use std::fmt::Display;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_verify::{
    Builder, Check, Claims, Clock, Document, Error, Moment, Source, Unreachable, Verifier,
};
use serde_json::{Value, json};

pub(crate) const ISSUER: &str = "https://login.example";
pub(crate) const AUDIENCE: &str = "https://notes.example";
pub(crate) const JWKS: &str = "https://login.example/.well-known/jwks.json";
pub(crate) const REVOCATIONS: &str = "https://login.example/oauth/revocations";
const START_S: u64 = 1_795_496_704;

pub(crate) fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// `changes` laid over `onto`.
pub(crate) fn changed(mut onto: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().expect("an object") {
        onto[name] = value.clone();
    }
    onto
}

pub(crate) fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().expect("an object").remove(name).expect("a member to take away");
    object
}

/// Stands still until it is moved.
pub(crate) struct HandClock(Mutex<Moment>);

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Moment { unix_s: START_S, elapsed: Duration::ZERO })))
    }

    pub(crate) fn advance(&self, seconds: u64) {
        let mut moment = self.0.lock().expect("no thread panicked");
        moment.unix_s += seconds;
        moment.elapsed += Duration::from_secs(seconds);
    }

    /// Moves the wall clock alone, as an operator would.
    pub(crate) fn set_back(&self, seconds: u64) {
        self.0.lock().expect("no thread panicked").unix_s -= seconds;
    }

    pub(crate) fn unix_s(&self) -> u64 {
        self.0.lock().expect("no thread panicked").unix_s
    }
}

impl Clock for HandClock {
    fn now(&self) -> Moment {
        *self.0.lock().expect("no thread panicked")
    }
}

enum Pair {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
}

/// A key pair with a name.
pub(crate) struct Key {
    pub(crate) kid: String,
    pair: Pair,
}

impl Key {
    pub(crate) fn ed25519(kid: &str) -> Arc<Self> {
        let pair = Ed25519KeyPair::generate().expect("a key");
        Arc::new(Self { kid: kid.to_owned(), pair: Pair::Ed(pair) })
    }

    pub(crate) fn p256(kid: &str) -> Arc<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Arc::new(Self { kid: kid.to_owned(), pair: Pair::Ec(pair) })
    }

    pub(crate) fn alg(&self) -> &'static str {
        match self.pair {
            Pair::Ed(_) => "EdDSA",
            Pair::Ec(_) => "ES256",
        }
    }

    /// Ed25519: 32 bytes. P-256: the uncompressed point.
    pub(crate) fn public(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ec(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        let public = self.public();
        match self.pair {
            Pair::Ed(_) => json!({
                "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.kid, "x": base64url(public),
            }),
            Pair::Ec(_) => json!({
                "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
                "x": base64url(&public[1..33]), "y": base64url(&public[33..]),
            }),
        }
    }

    /// The header that a token of this key has.
    pub(crate) fn header(&self, typ: &str) -> Value {
        json!({ "typ": typ, "alg": self.alg(), "kid": self.kid })
    }

    /// A JWS of any header and payload, with this key's good signature.
    pub(crate) fn sign(&self, header: impl Display, payload: impl Display) -> String {
        let message = format!("{}.{}", base64url(format!("{header}")), base64url(format!("{payload}")));
        let signature = match &self.pair {
            Pair::Ed(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            Pair::Ec(pair) => {
                #[expect(clippy::disallowed_methods, reason = "a test's signature need not be repeatable")]
                let random = SystemRandom::new();
                pair.sign(&random, message.as_bytes()).expect("signed").as_ref().to_vec()
            }
        };
        format!("{message}.{}", base64url(signature))
    }
}

/// What the issuer answers.
pub(crate) struct Shelf {
    pub(crate) jwks: Vec<Value>,
    pub(crate) signer: Arc<Key>,
    /// Laid over the claims of the list.
    pub(crate) list: Value,
    /// Answered in place of a list.
    pub(crate) list_text: Option<String>,
    pub(crate) list_type: &'static str,
    pub(crate) jwks_down: bool,
    pub(crate) list_down: bool,
    asked: Vec<String>,
}

/// An issuer in memory.
pub(crate) struct Issuer {
    clock: Arc<HandClock>,
    shelf: Mutex<Shelf>,
    gate: Mutex<Gate>,
    moved: Condvar,
}

#[derive(Default)]
struct Gate {
    closed: bool,
    /// Whether lists pass all the same.
    for_keys_alone: bool,
    waiting: usize,
}

impl Issuer {
    pub(crate) fn change(&self, change: impl FnOnce(&mut Shelf)) {
        change(&mut self.shelf.lock().expect("no thread panicked"));
    }

    /// Claims of the list that it would give out now.
    pub(crate) fn list_claims(&self, since: u64) -> Value {
        let now = self.clock.unix_s();
        let list = json!({
            "iss": ISSUER, "iat": now, "exp": now + 300, "since": since, "until": since, "tokens": [], "sessions": [], "keys": [],
        });
        changed(list, &self.shelf.lock().expect("no thread panicked").list)
    }

    /// The URLs that were asked for, that begin like this.
    pub(crate) fn asked(&self, url: &str) -> Vec<String> {
        let shelf = self.shelf.lock().expect("no thread panicked");
        shelf.asked.iter().filter(|asked| asked.starts_with(url)).cloned().collect()
    }

    /// From now on, answers wait.
    pub(crate) fn close(&self) {
        self.gate.lock().expect("no thread panicked").closed = true;
    }

    /// The same for keys alone.
    pub(crate) fn close_for_keys(&self) {
        self.gate.lock().expect("no thread panicked").for_keys_alone = true;
        self.close();
    }

    pub(crate) fn open(&self) {
        self.gate.lock().expect("no thread panicked").closed = false;
        self.moved.notify_all();
    }

    /// Returns when somebody waits for an answer.
    pub(crate) fn until_asked(&self) {
        let gate = self.gate.lock().expect("no thread panicked");
        drop(self.moved.wait_while(gate, |gate| gate.waiting == 0).expect("no thread panicked"));
    }

    fn pass_gate(&self, url: &str) {
        let mut gate = self.gate.lock().expect("no thread panicked");
        if gate.for_keys_alone && url != JWKS {
            return;
        }
        gate.waiting += 1;
        self.moved.notify_all();
        let mut gate = self.moved.wait_while(gate, |gate| gate.closed).expect("no thread panicked");
        gate.waiting -= 1;
    }
}

impl Source for Issuer {
    fn get(&self, url: &str) -> Result<Document, Unreachable> {
        self.change(|shelf| shelf.asked.push(url.to_owned()));
        self.pass_gate(url);
        let since = url.split_once("?since=").map_or(0, |(_, since)| since.parse().expect("a number"));
        let claims = self.list_claims(since);
        let shelf = self.shelf.lock().expect("no thread panicked");
        if url == JWKS {
            if shelf.jwks_down {
                return Err(Unreachable("down".to_owned()));
            }
            let body = json!({ "keys": shelf.jwks }).to_string().into_bytes();
            return Ok(Document { content_type: "application/json".to_owned(), body });
        }
        assert!(url == REVOCATIONS || url.starts_with(&format!("{REVOCATIONS}?since=")), "{url}");
        if shelf.list_down {
            return Err(Unreachable("down".to_owned()));
        }
        let text = shelf
            .list_text
            .clone()
            .unwrap_or_else(|| shelf.signer.sign(shelf.signer.header("revocations+jwt"), claims));
        Ok(Document { content_type: shelf.list_type.to_owned(), body: text.into_bytes() })
    }
}

/// An issuer, its key, and an application's verifier.
pub(crate) struct World {
    pub(crate) clock: Arc<HandClock>,
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) key: Arc<Key>,
    pub(crate) verifier: Arc<Verifier>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Key::ed25519("first"), |builder| builder)
    }

    pub(crate) fn with(key: Arc<Key>, settings: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = HandClock::new();
        let shelf = Shelf {
            jwks: vec![key.jwk()],
            signer: Arc::clone(&key),
            list: json!({}),
            list_text: None,
            list_type: "application/jwt",
            jwks_down: false,
            list_down: false,
            asked: Vec::new(),
        };
        let issuer = Arc::new(Issuer {
            clock: Arc::clone(&clock),
            shelf: Mutex::new(shelf),
            gate: Mutex::default(),
            moved: Condvar::new(),
        });
        let builder = Verifier::builder(ISSUER)
            .audience(AUDIENCE)
            .source(Arc::clone(&issuer))
            .clock(Arc::clone(&clock));
        let verifier = Arc::new(settings(builder).build().expect("a verifier"));
        Self { clock, issuer, key, verifier }
    }

    /// The claims of a good token, issued now for 15 minutes.
    pub(crate) fn claims(&self) -> Value {
        let now = self.clock.unix_s();
        json!({
            "iss": ISSUER,
            "sub": "01a0bbbb-0000-7000-8000-000000000002",
            "aud": AUDIENCE,
            "client_id": "01a0aaaa-0000-7000-8000-000000000001",
            "iat": now,
            "exp": now + 900,
            "jti": "01a0cccc-0000-7000-8000-000000000003",
            "scope": "notes:read notes:write",
            "auth_time": now,
            "amr": ["pwd", "otp", "mfa"],
            "sid": "01a0dddd-0000-7000-8000-000000000004",
        })
    }

    pub(crate) fn token(&self) -> String {
        self.token_with(&json!({}))
    }

    pub(crate) fn token_with(&self, claims: &Value) -> String {
        self.key.sign(self.key.header("at+jwt"), changed(self.claims(), claims))
    }

    pub(crate) fn token_by(&self, key: &Key) -> String {
        key.sign(key.header("at+jwt"), self.claims())
    }

    pub(crate) fn verify(&self, token: &str) -> Result<Claims, Error> {
        self.verifier.verify(token, &Check::new())
    }

    /// Why the token is refused.
    pub(crate) fn refusal(&self, token: &str) -> Error {
        self.verify(token).expect_err("this token must be refused")
    }
}
