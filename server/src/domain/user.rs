//! Users: names, roles, states.

use unicode_normalization::UnicodeNormalization;

use crate::domain::id::UserId;
use crate::domain::refusal::Invalid;
use crate::domain::time::Timestamp;
use crate::domain::words::words;

/// A user's name as shown, and folded as compared: `Ålice` and `ÅLICE` are one name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserName {
    shown: String,
    folded: String,
}

impl UserName {
    /// Takes 1 to 128 characters without control characters, colons (they separate issuer and account in an
    /// otpauth label) or blanks at either end.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let shown: String = if text.is_ascii() { text.to_owned() } else { text.nfc().collect() };
        let reason = match shown.chars().count() {
            0 => "is empty",
            129.. => "is longer than 128 characters",
            _ if shown.trim() != shown => "begins or ends with a blank",
            _ if shown.chars().any(|c| c.is_control() || is_invisible(c)) => "holds an invisible character",
            _ if shown.contains(':') => "holds a colon",
            _ => {
                let folded = Self::fold(&shown);
                return Ok(Self { shown, folded });
            }
        };
        Err(Invalid::new("username", reason))
    }

    /// The same for a name that is given to somebody now. Only then: whoever was named otherwise once must be found.
    pub fn chosen(self) -> Result<Self, Invalid> {
        if self.shown.chars().any(is_ignorable) {
            return Err(Invalid::new("username", "holds an invisible character"));
        }
        Ok(self)
    }

    /// Any text as names are compared, for what names begin with.
    pub fn fold(text: &str) -> String {
        // What the long way makes of it, too.
        if text.is_ascii() {
            return text.to_ascii_lowercase();
        }
        Self::fold_any(text)
    }

    fn fold_any(text: &str) -> String {
        text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
    }

    /// As it was given.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// As it is compared: compatibility-normalised and in lower case.
    pub fn folded(&self) -> &str {
        &self.folded
    }
}

/// Characters that show nothing or turn the text round: two names that look alike should be one name.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// All that show nothing: Unicode's `Default_Ignorable_Code_Point` (`DerivedCoreProperties.txt`), and the blank of Braille.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

words! {
    /// What a user may do in the console.
    Role, "role" {
        /// Log in, and look after the own factors.
        User = "user",
        /// Look, unlock and reset users who manage nothing themselves, and see to their factors.
        Helpdesk = "helpdesk",
        /// Read everything, change nothing.
        Auditor = "auditor",
        /// Everything.
        Admin = "admin",
    }
}

impl Role {
    /// Whether a user in this role may hold a management scope.
    pub fn may_hold(self, scope: &str) -> bool {
        match self {
            Self::User => false,
            Self::Helpdesk => matches!(scope, "users:read" | "factors:read"),
            Self::Auditor => scope.ends_with(":read"),
            Self::Admin => true,
        }
    }

    /// Whether a browser may be remembered that asks a user in this role for no code: whoever manages gives one at every login.
    pub const fn may_skip_the_code(self) -> bool {
        matches!(self, Self::User)
    }
}

words! {
    /// Whether a user may log in.
    UserState, "state" {
        /// Yes.
        Active = "active",
        /// Not until an administrator unlocks.
        Locked = "locked",
    }
}

words! {
    /// In which language pages and mails are.
    Language, "language" {
        /// English.
        En = "en",
        /// German.
        De = "de",
    }
}

/// A user as stored.
#[derive(Clone, Debug)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The name as shown.
    pub name: String,
    /// Where mail goes, if anywhere.
    pub email: Option<String>,
    /// The Argon2id hash in PHC form; none where an application checks the first factor.
    pub password_hash: Option<String>,
    /// The role.
    pub role: Role,
    /// The state.
    pub state: UserState,
    /// When the user was added.
    pub created_at: Timestamp,
    /// The language that the user chose; none: the browser's.
    pub language: Option<Language>,
}

/// Checks an e-mail address as far as makes sense without sending to it.
pub fn parse_email(text: &str) -> Result<String, Invalid> {
    let plausible = text.len() <= 254
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
        && !text
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"'));
    if plausible { Ok(text.to_owned()) } else { Err(Invalid::new("email", "is not an e-mail address")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_or_form_are_one() {
        let folded = |text| UserName::parse(text).expect("a name").folded;
        assert_eq!(folded("Ålice"), folded("A\u{30a}LICE"));
        assert_eq!(folded("ﬁona"), folded("FIONA"));
        assert_ne!(folded("alice"), folded("alice2"));
    }

    #[test]
    fn what_is_plain_is_folded_like_all_else() {
        let plain: String = (0..128_u8).map(char::from).collect();
        assert_eq!(UserName::fold(&plain), UserName::fold_any(&plain));
        assert_eq!(plain.nfc().collect::<String>(), plain);
    }

    #[test]
    fn names_that_cannot_be_told_apart_are_refused() {
        for bad in ["", " alice", "alice ", "a\u{0}b", "a\nb", "a:b", "ali\u{200b}ce", "\u{202e}ecila"] {
            assert!(UserName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(UserName::parse(&"a".repeat(129)).is_err());
        assert!(UserName::parse(&"a".repeat(128)).is_ok());
    }

    #[test]
    fn addresses_that_could_break_a_mail_header_are_refused() {
        assert!(parse_email("alice@example.org").is_ok());
        for bad in ["alice", "@example.org", "a@b\r\nBcc: x@y", "a b@c", "a@b,c@d"] {
            assert!(parse_email(bad).is_err(), "{bad:?}");
        }
    }
}
