//! Long forms: what was typed stays, and what is wrong is said next to its field.

use crate::domain::refusal::Invalid;
use crate::http::console::frame::Frame;

/// Fields that cannot be taken, by name.
#[derive(Default)]
pub(super) struct Errors(Vec<(String, String)>);

impl Errors {
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
    pub(super) fn is_empty(&self) -> bool {
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
