//! Long forms: what was typed stays, what is wrong is said next to its field, and nobody takes back unawares what somebody else has
//! changed meanwhile.
//!
//! 1. A form carries the print of what it showed first.
//! 2. Only while that still is the print of what is stored, the form takes its place; the transaction that writes asks.
//! 3. Else it comes back with what was typed, says what is stored now, and carries the print of that.

use std::fmt::Debug;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::domain::refusal::Invalid;
use crate::http::console::frame::Frame;

/// Fields that cannot be taken, by name.
#[derive(Default)]
pub(super) struct Errors(Vec<(String, String)>);

impl Errors {
    /// One that is known already.
    pub(super) fn of_one(field: &str, reason: String) -> Self {
        Self(vec![(field.to_owned(), reason)])
    }

    /// Takes what was read from a field, or notes that it could not be.
    pub(super) fn keep<T>(&mut self, read: Result<T, Invalid>) -> Option<T> {
        read.map_err(|invalid| self.add(invalid.field(), invalid.to_string())).ok()
    }

    /// Notes that a field cannot be taken.
    pub(super) fn add(&mut self, field: &str, reason: String) {
        if self.of(field).is_none() {
            self.0.push((field.to_owned(), reason));
        }
    }

    /// Whether every field can be taken.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with a field.
    pub(super) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == field).map(|(_, reason)| reason.as_str())
    }

    /// The same in the reader's words, where the catalogue has them under `error-FORM-FIELD`.
    pub(super) fn said(mut self, frame: &Frame, form: &str) -> Self {
        for (field, reason) in &mut self.0 {
            let key = format!("error-{form}-{}", field.replace('_', "-"));
            let said = frame.t(&key);
            if said != key {
                *reason = said;
            }
        }
        self
    }
}

/// A few characters that stand for all fields of a form.
pub(super) fn print_of(fields: &impl Debug) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{fields:?}")))
}

/// A field of a form, for people: what it is called, and what it holds.
pub(super) type Said = (String, String);

/// A field that two people have filled in differently.
pub(super) struct Difference {
    pub(super) field: String,
    pub(super) stored: String,
    pub(super) typed: String,
}

/// The fields in which what is stored and what was typed are not the same; blanks and line ends make no difference.
pub(super) fn differences(stored: Vec<Said>, typed: Vec<Said>) -> Vec<Difference> {
    let all = stored.into_iter().zip(typed);
    let all = all.map(|((field, stored), (_, typed))| Difference { field, stored, typed });
    all.filter(|one| !one.stored.split_whitespace().eq(one.typed.split_whitespace())).collect()
}

/// Reads a number of seconds.
pub(super) fn seconds(field: &'static str, text: &str) -> Result<i64, Invalid> {
    text.parse().map_err(|_| Invalid::new(field, "must be a number of seconds"))
}

/// A span of time in the largest unit that it fills.
pub(super) fn duration(frame: &Frame, seconds: i64) -> String {
    for (unit_s, key) in [(86_400, "duration-days"), (3600, "duration-hours"), (60, "duration-minutes")] {
        if seconds >= unit_s && seconds % unit_s == 0 {
            return frame.count(key, &(seconds / unit_s));
        }
    }
    frame.count("duration-seconds", &seconds)
}
