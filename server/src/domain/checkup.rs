//! What somebody who looks at an installation finds.

use crate::domain::words::words;

words! {
    /// How something stands.
    Standing, "state" {
        /// As it should.
        Ok = "ok",
        /// It works, and somebody should know.
        Note = "note",
        /// It does not work, or does not protect.
        Problem = "problem",
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// What was looked at: a word that stays the same, for programs.
    pub check: &'static str,
    /// How it stands.
    pub standing: Standing,
    /// One sentence, in one line; never a secret.
    pub says: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Finding {
    /// All is well.
    pub fn ok(check: &'static str, says: impl Into<String>) -> Self {
        Self::of(check, Standing::Ok, says.into(), None)
    }

    /// Worth knowing.
    pub fn note(check: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::of(check, Standing::Note, says.into(), Some(advice.into()))
    }

    /// Something is wrong.
    pub fn problem(check: &'static str, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::of(check, Standing::Problem, says.into(), Some(advice.into()))
    }

    /// What could not be looked at, since something else is wrong.
    pub fn skipped(check: &'static str, why: &str) -> Self {
        Self::of(check, Standing::Note, format!("not looked at: {why}"), None)
    }

    fn of(check: &'static str, standing: Standing, says: String, advice: Option<String>) -> Self {
        // One line, whatever a database or a path had to say.
        let line = |text: String| text.trim().replace(char::is_control, " ");
        Self { check, standing, says: line(says), advice: advice.map(line) }
    }
}
