//! Looking for users: what somebody typed and picked, and how far a list has come.

use crate::domain::user::{Role, UserName, UserState};
use crate::domain::words::words;

words! {
    /// Whether a user's codes can be checked.
    Enrolment, "enrolment" {
        /// There is an active factor.
        Active = "active",
        /// There is none, but one waits for its first code.
        Pending = "pending",
        /// There is neither.
        Missing = "none",
    }
}

/// What to look for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// How the name or the e-mail address begins; empty: everybody.
    pub text: String,
    /// Only users in this role.
    pub role: Option<Role>,
    /// Only users in this state.
    pub state: Option<UserState>,
    /// Only users whose enrolment stands like this.
    pub enrolment: Option<Enrolment>,
    /// Only what comes after this.
    pub after: Option<Place>,
}

impl Wanted {
    /// The beginning of a name, as names are compared.
    pub fn name_prefix(&self) -> String {
        UserName::fold(self.text.trim())
    }

    /// The beginning of an address, as addresses are compared.
    pub fn email_prefix(&self) -> String {
        self.text.trim().to_lowercase()
    }
}

/// How far a list has come: first go those whose name fits, by name; then those whose address alone does, by address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Place {
    /// After this folded name.
    Name(String),
    /// After this folded address and, among users of one address, this folded name.
    Email(String, String),
}

/// Stands in no name and no address.
const BETWEEN: char = '\u{1f}';

impl Place {
    /// For the address of the next page.
    pub fn shown(&self) -> String {
        match self {
            Self::Name(name) => format!("n{name}"),
            Self::Email(email, name) => format!("e{email}{BETWEEN}{name}"),
        }
    }

    /// Reads that back; `None` where it is nothing of ours.
    pub fn parse(shown: &str) -> Option<Self> {
        if let Some(name) = shown.strip_prefix('n') {
            return Some(Self::Name(name.to_owned()));
        }
        let (email, name) = shown.strip_prefix('e')?.split_once(BETWEEN)?;
        Some(Self::Email(email.to_owned(), name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_back() {
        for place in [
            Place::Name(String::new()),
            Place::Name("nora".to_owned()),
            Place::Email("e@example.org".to_owned(), "eve".to_owned()),
        ] {
            assert_eq!(Place::parse(&place.shown()), Some(place));
        }
        for foreign in ["", "x", "e", "eve@example.org"] {
            assert_eq!(Place::parse(foreign), None, "{foreign}");
        }
    }
}
