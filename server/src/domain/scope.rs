//! Scopes: what a token may do (RFC 6749 s3.3).

use std::collections::BTreeSet;
use std::fmt;

use crate::domain::refusal::{Invalid, Refusal};

/// The user's own factors: list, add, remove. In a manager's token everybody's.
pub const FACTORS: &str = "factors";

/// Looking at everybody's factors. Beside it in a user's token, [`FACTORS`] is for everybody's, too.
pub const FACTORS_OF_ALL: &str = "factors:read";

/// The user's own sessions: list, end.
pub const SESSIONS: &str = "sessions";

/// A refresh token (OpenID Connect Core s11).
pub const OFFLINE_ACCESS: &str = "offline_access";

/// An ID token, and the own claims (OpenID Connect Core s3.1.2.1).
pub const OPENID: &str = "openid";

/// Among those the name (OpenID Connect Core s5.4).
pub const PROFILE: &str = "profile";

/// Among those the e-mail address.
pub const EMAIL: &str = "email";

/// Among those the names of the groups.
pub const GROUPS: &str = "groups";

/// Scopes that only make sense for a user.
const OF_USERS: [&str; 3] = [SESSIONS, OFFLINE_ACCESS, OPENID];

/// Scopes of the management API, each also as `NAME:read`.
pub const MANAGEMENT: [&str; 4] = ["users", FACTORS, "clients", "audit"];

/// Reads one scope token.
pub fn parse_scope(text: &str) -> Result<String, Invalid> {
    let parsed = Scopes::parse(text)?;
    if parsed.0.len() == 1 && !text.contains(' ') {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new("scope", "must be one scope"))
    }
}

/// A set of scope tokens, printed in alphabetical order with one blank between.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Reads scope tokens separated by single blanks; characters as in RFC 6749 s3.3, 1,000 at most.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.len() > 1000 {
            return Err(Invalid::new("scope", "is longer than 1,000 characters"));
        }
        let mut set = BTreeSet::new();
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            if !token.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return Err(Invalid::new("scope", "holds a character that RFC 6749 s3.3 does not allow"));
            }
            set.insert(token.to_owned());
        }
        Ok(Self(set))
    }

    /// Whether they reach what `needed` asks for: the scope itself, or for `NAME:read` also `NAME`.
    pub fn reach(&self, needed: &str) -> bool {
        self.contains(needed) || needed.strip_suffix(":read").is_some_and(|whole| self.contains(whole))
    }

    /// One by one, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of the management API.
    #[must_use]
    pub fn management(&self) -> Self {
        self.retain(|scope| scope == FACTORS || is_management(scope))
    }

    /// Those by which an application does something here in the user's place, rather than somewhere else.
    #[must_use]
    pub fn powers(&self) -> Self {
        self.retain(|scope| scope == SESSIONS || scope == FACTORS || is_management(scope))
    }

    /// Whether everything in `other` is within these.
    pub fn cover(&self, other: &Self) -> bool {
        other.0.iter().all(|scope| self.reach(scope))
    }

    /// Whether `scope` is among them.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// What a token may get for a user: what was asked for, or else all that the client has. Asking for more than the client has is
    /// refused. What the user's role does not allow is left out when the token is issued.
    pub fn for_user(&self, asked: Option<&Self>) -> Result<Self, Refusal> {
        self.clone().narrowed_to(asked)
    }

    /// What a token gets for a client acting for itself.
    pub fn for_client(&self, asked: Option<&Self>) -> Result<Self, Refusal> {
        let usable =
            Self(self.0.iter().filter(|scope| !OF_USERS.contains(&scope.as_str())).cloned().collect());
        usable.narrowed_to(asked)
    }

    /// Those of a user's token that a client still has; of the management API also what is within one that it has. Looking at everybody's
    /// factors is not within `factors`, which is for the own ones: beside it, it would be more.
    #[must_use]
    pub fn kept_by(&self, client: &Self) -> Self {
        let is_within = |scope: &str| is_management(scope) && scope != FACTORS_OF_ALL && client.reach(scope);
        self.retain(|scope| client.contains(scope) || is_within(scope))
    }

    /// The same of an application's own token, where `factors` is for everybody's.
    #[must_use]
    pub fn kept_by_itself(&self, client: &Self) -> Self {
        self.retain(|scope| client.contains(scope) || (is_management(scope) && client.reach(scope)))
    }

    /// Those of them that `keep` says yes to.
    #[must_use]
    pub fn retain(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|scope| keep(scope)).cloned().collect())
    }

    /// What is asked for of these, as at a refresh (RFC 6749 s6); all, where nothing is.
    pub fn narrowed_to(self, asked: Option<&Self>) -> Result<Self, Refusal> {
        match asked {
            None => Ok(self),
            Some(asked) if asked.0.is_subset(&self.0) => Ok(asked.clone()),
            Some(_) => Err(Refusal::InvalidScope),
        }
    }
}

/// Whether a scope reaches beyond the user's own things.
pub fn is_management(scope: &str) -> bool {
    scope != FACTORS && MANAGEMENT.contains(&scope.strip_suffix(":read").unwrap_or(scope))
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &str) -> Scopes {
        Scopes::parse(text).expect("scopes")
    }

    #[test]
    fn a_token_never_gets_more_than_the_client_has() {
        let has = scopes("read write");
        assert_eq!(has.for_user(None), Ok(scopes("read write")));
        assert_eq!(has.for_user(Some(&scopes("read"))), Ok(scopes("read")));
        assert_eq!(has.for_user(Some(&scopes("read admin"))), Err(Refusal::InvalidScope));
    }

    #[test]
    fn the_whole_reaches_what_reading_reaches() {
        let has = scopes("users audit:read read");
        assert!(has.reach("users") && has.reach("users:read") && has.reach("audit:read"));
        assert!(!has.reach("audit") && !has.reach("clients:read"));
        assert!(has.cover(&scopes("users:read audit:read")) && !has.cover(&scopes("audit")));
        assert_eq!(has.management(), scopes("users audit:read"));
        assert!(
            !is_management(FACTORS) && is_management("factors:read"),
            "a user's own factors are no management"
        );
        assert_eq!(scopes("read sessions factors").for_client(None), Ok(scopes("read factors")));
    }

    #[test]
    fn a_refresh_never_widens_and_follows_the_client() {
        let login = scopes("read write");
        assert_eq!(login.kept_by(&scopes("read write admin")).narrowed_to(None), Ok(scopes("read write")));
        assert_eq!(login.kept_by(&scopes("read")).narrowed_to(None), Ok(scopes("read")));
        assert_eq!(
            login.kept_by(&scopes("read write admin")).narrowed_to(Some(&scopes("admin"))),
            Err(Refusal::InvalidScope)
        );
    }

    #[test]
    fn looking_at_everybodys_factors_is_within_the_own_ones_of_nobody_but_an_application() {
        let login = scopes("factors factors:read users:read");
        assert_eq!(login.kept_by(&scopes("factors users")), scopes("factors users:read"));
        assert_eq!(login.kept_by(&scopes("factors factors:read")), scopes("factors factors:read"));
        assert_eq!(login.kept_by_itself(&scopes("factors")), scopes("factors factors:read"));
    }

    #[test]
    fn quotes_backslashes_and_controls_are_refused() {
        for bad in ["a\"b", "a\\b", "a\tb", "ä", "a\u{0}"] {
            assert!(Scopes::parse(bad).is_err(), "{bad:?}");
        }
    }
}
