//! The issuer's list of what it has taken back: tokens, sessions and signing keys.
//!
//! A list is a JWS of the type `revocations+jwt`, signed by a key of the key set. `since: 0` marks a whole list; any other carries
//! only what came after that cursor. Every entry ends with what it revokes, so the list stays short.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::claims::Claims;

/// The type of a list, so that neither a list passes as an access token nor an access token as a list.
pub(crate) const TYPE: &str = "revocations+jwt";

/// What is revoked, as far as is known, by name with the unix second at which the entry may be forgotten.
#[derive(Clone, Default)]
pub(crate) struct Revocations {
    issued_at: u64,
    cursor: u64,
    tokens: HashMap<String, u64>,
    sessions: HashMap<String, u64>,
    keys: HashMap<String, u64>,
}

/// The claims of a list.
#[derive(Deserialize)]
struct List {
    iss: String,
    iat: u64,
    exp: u64,
    since: u64,
    until: u64,
    tokens: Vec<(String, u64)>,
    sessions: Vec<(String, u64)>,
    keys: Vec<(String, u64)>,
}

impl Revocations {
    /// Where the next request begins.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// When the issuer made the list, unix seconds.
    pub(crate) fn issued_at(&self) -> u64 {
        self.issued_at
    }

    /// Whether the signing key was revoked.
    pub(crate) fn has_key(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// Whether the token, its session or its key was revoked.
    pub(crate) fn has(&self, claims: &Claims, kid: &str) -> bool {
        self.tokens.contains_key(claims.token_id())
            || claims.session_id().is_some_and(|sid| self.sessions.contains_key(sid))
            || self.has_key(kid)
    }

    /// What is known once a list, whose signature by `kid` was verified, is added to what was `known`.
    pub(crate) fn merge(
        known: Option<&Self>,
        payload: Map<String, Value>,
        kid: &str,
        issuer: &str,
        now_s: u64,
        leeway_s: u64,
    ) -> Result<Self, String> {
        let list: List = serde_json::from_value(Value::Object(payload))
            .map_err(|_| "the list lacks a claim or has a wrong one")?;
        if list.iss != issuer {
            return Err("the list is of another issuer".to_owned());
        }
        if now_s >= list.exp.saturating_add(leeway_s) {
            return Err("the list has expired".to_owned());
        }
        if list.iat > now_s.saturating_add(leeway_s) {
            return Err("the list comes from the future".to_owned());
        }
        if known.is_some_and(|known| list.iat < known.issued_at) {
            return Err("the list is older than the one known".to_owned());
        }
        let asked = known.map_or(0, Self::cursor);
        if list.since != 0 && list.since != asked {
            return Err("the list does not follow on the one known".to_owned());
        }
        if list.until < list.since {
            return Err("the list ends before it begins".to_owned());
        }
        let mut all = known.cloned().unwrap_or_default();
        if list.since == 0 {
            // The issuer forgets an entry when its token expires; here the token lives for the leeway longer.
            let lingers = |_: &String, until: &mut u64| *until <= list.iat;
            all.tokens.retain(lingers);
            all.sessions.retain(lingers);
            all.keys.retain(lingers);
        }
        for (map, entries) in
            [(&mut all.tokens, list.tokens), (&mut all.sessions, list.sessions), (&mut all.keys, list.keys)]
        {
            for (name, until) in entries {
                let end = map.entry(name).or_insert(until);
                *end = until.max(*end);
            }
            map.retain(|_, until| until.saturating_add(leeway_s) > now_s);
        }
        if all.has_key(kid) {
            return Err("the list is signed by a revoked key".to_owned());
        }
        all.issued_at = list.iat;
        all.cursor = list.until;
        Ok(all)
    }
}
