//! Fine-grained access: `authorization_details` (RFC 9396), scopes with rules of their own, and grants that begin and end.

use serde::{Deserialize, Serialize};

use crate::domain::client::MAX_TOKEN_TTL_S;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::Scopes;
use crate::domain::time::Timestamp;
use crate::domain::token::{ACR_CLASSES, is_as_strong};

/// Entries of one request.
const MAX_ENTRIES: usize = 20;

/// Bytes of one request's details, as JSON.
const MAX_BYTES: usize = 4096;

/// Elements of one list in an entry.
const MAX_ELEMENTS: usize = 50;

/// One entry of `authorization_details` (RFC 9396 s2): access of one type, with the common members of s2.2. A member that is left out
/// does not narrow.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detail {
    /// What kind of access, in the words of the resource server.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub locations: Option<Vec<String>>,
    /// What may be done.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actions: Option<Vec<String>>,
    /// With what kinds of data.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub datatypes: Option<Vec<String>>,
    /// To which thing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub identifier: Option<String>,
    /// With which rank.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub privileges: Option<Vec<String>>,
}

impl Detail {
    /// Whether everything that `asked` reaches is within this one.
    pub fn covers(&self, asked: &Self) -> bool {
        fn within(has: Option<&[String]>, asked: Option<&[String]>) -> bool {
            match (has, asked) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(has), Some(asked)) => asked.iter().all(|one| has.contains(one)),
            }
        }
        self.kind == asked.kind
            && within(self.locations.as_deref(), asked.locations.as_deref())
            && within(self.actions.as_deref(), asked.actions.as_deref())
            && within(self.datatypes.as_deref(), asked.datatypes.as_deref())
            && within(self.privileges.as_deref(), asked.privileges.as_deref())
            && (self.identifier.is_none() || self.identifier == asked.identifier)
    }

    fn is_well_formed(&self) -> bool {
        let word = |text: &String| (1..=256).contains(&text.len()) && !text.chars().any(char::is_control);
        let list = |list: &Option<Vec<String>>| {
            list.as_ref().is_none_or(|list| (1..=MAX_ELEMENTS).contains(&list.len()) && list.iter().all(word))
        };
        is_detail_type(&self.kind)
            && list(&self.locations)
            && list(&self.actions)
            && list(&self.datatypes)
            && list(&self.privileges)
            && self.identifier.as_ref().is_none_or(word)
    }
}

/// Whether a text can name a type: 1 to 100 visible ASCII characters.
pub fn is_detail_type(text: &str) -> bool {
    (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads the name of a type.
pub fn parse_detail_type(text: &str) -> Result<String, Invalid> {
    let reason = "must be 1 to 100 visible ASCII characters without blanks";
    if is_detail_type(text) { Ok(text.to_owned()) } else { Err(Invalid::new("detail_type", reason)) }
}

/// The `authorization_details` of a request, a login or a token; empty where there are none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Details(Vec<Detail>);

impl Details {
    /// Reads a JSON array of entries. A member that this server does not know is refused: what is not understood cannot be checked.
    pub fn parse(json: &str) -> Result<Self, Refusal> {
        if json.len() > MAX_BYTES {
            return Err(Refusal::InvalidAuthorizationDetails);
        }
        let entries: Vec<Detail> =
            serde_json::from_str(json).map_err(|_| Refusal::InvalidAuthorizationDetails)?;
        if (1..=MAX_ENTRIES).contains(&entries.len()) && entries.iter().all(Detail::is_well_formed) {
            Ok(Self(entries))
        } else {
            Err(Refusal::InvalidAuthorizationDetails)
        }
    }

    /// Reads back what [`Details::stored`] wrote.
    pub fn from_stored(stored: Option<&str>) -> Option<Self> {
        match stored {
            None => Some(Self::default()),
            Some(json) => serde_json::from_str(json).ok().map(Self),
        }
    }

    /// As stored: JSON, nothing where there are none.
    pub fn stored(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| serde_json::to_string(&self.0).expect("details are always JSON"))
    }

    /// The entries.
    pub fn entries(&self) -> &[Detail] {
        &self.0
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses types that a client was not registered for (RFC 9396 s5).
    pub fn must_be_of(&self, types: &[String]) -> Result<(), Refusal> {
        let known = self.0.iter().all(|detail| types.contains(&detail.kind));
        if known { Ok(()) } else { Err(Refusal::InvalidAuthorizationDetails) }
    }

    /// What is left of these types.
    #[must_use]
    pub fn retain_types(mut self, types: &[String]) -> Self {
        self.0.retain(|detail| types.contains(&detail.kind));
        self
    }

    /// What a refreshed token gets: the login's, or what is asked for, if every entry is within one of the login's (RFC 9396 s6.1).
    pub fn narrowed_to(self, asked: Option<Self>) -> Result<Self, Refusal> {
        let Some(asked) = asked else { return Ok(self) };
        let within = asked.0.iter().all(|one| self.0.iter().any(|has| has.covers(one)));
        if within { Ok(asked) } else { Err(Refusal::InvalidAuthorizationDetails) }
    }
}

/// What a grant gives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Access {
    /// A scope that is only given by grants.
    Scope(String),
    /// Whatever one entry of `authorization_details` covers.
    Detail(Box<Detail>),
}

/// Something that a user holds now, by a grant to the user or to a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// What.
    pub access: Access,
    /// Until when.
    pub ends_at: Timestamp,
}

/// Whether a scope comes with a role. Such scopes are not given by grants as well: else whoever may give access to applications could give
/// that to the management of users, and what was taken back would be good until its token ends.
fn is_of_management(scope: &str) -> bool {
    Scopes::parse(scope).is_ok_and(|scopes| !scopes.management().is_empty())
}

impl Access {
    /// Refuses scopes that come with a role; names the field.
    pub fn checked(self) -> Result<Self, Invalid> {
        match &self {
            Self::Scope(scope) if is_of_management(scope) => Err(Invalid::new(
                "scope",
                "belongs to the management API: it comes with a role, not by grant",
            )),
            Self::Scope(_) | Self::Detail(_) => Ok(self),
        }
    }
}

/// How a scope tightens the policy of the client that asks for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopeRule {
    /// The scope.
    pub name: String,
    /// What it allows, for people.
    pub description: String,
    /// Only in tokens for this audience.
    pub audience: Option<String>,
    /// Tokens with it live no longer, in seconds.
    pub token_ttl_s: Option<i64>,
    /// Only for logins that are no older, in seconds; tokens with it end then.
    pub max_age_s: Option<i64>,
    /// Only for logins of this class or a stronger one, as [`crate::domain::token::acr`].
    pub acr: Option<String>,
    /// Tokens with it are spent by their first introspection.
    pub one_use: bool,
    /// Only for users who hold a grant of it.
    pub by_grant: bool,
}

/// How long it may take from a code on the way to an application until the application has its token, in seconds.
const CODE_ON_THE_WAY_S: i64 = 30;

/// The longest description of a scope, in bytes.
const MAX_DESCRIPTION_BYTES: usize = 1000;

impl ScopeRule {
    /// Refuses numbers out of range, classes that no login has, and descriptions that nobody would read; names the field.
    pub fn checked(self) -> Result<Self, Invalid> {
        for (field, value) in [("token_ttl", self.token_ttl_s), ("max_age", self.max_age_s)] {
            if value.is_some_and(|value| !(1..=MAX_TOKEN_TTL_S).contains(&value)) {
                return Err(Invalid::new(field, "must be 1 to 2592000 seconds"));
            }
        }
        if self.acr.as_ref().is_some_and(|acr| !ACR_CLASSES.contains(&acr.as_str())) {
            return Err(Invalid::new("acr", "is no class of logins of this server"));
        }
        if self.by_grant && is_of_management(&self.name) {
            return Err(Invalid::new("by_grant", "does not go with a scope of the management API"));
        }
        if self.description.len() > MAX_DESCRIPTION_BYTES || self.description.chars().any(char::is_control) {
            return Err(Invalid::new("description", "must be one line of at most 1,000 bytes"));
        }
        Ok(self)
    }
}

/// A login, as far as it decides what its tokens may do.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Its class.
    pub acr: &'a str,
    /// When the user was authenticated.
    pub authenticated_at: Timestamp,
    /// What the user holds by grants.
    pub held: &'a [Held],
}

/// What a token gets in the end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reach {
    /// Who it is for.
    pub audience: String,
    /// The scopes that are left.
    pub scope: Scopes,
    /// The details that are left.
    pub details: Details,
    /// When the token must end because of them.
    pub ends_at: Timestamp,
    /// Whether its first introspection must spend it.
    pub one_use: bool,
}

/// Narrows what is asked for to what the rules and the user's grants allow now. `standing` is none where a client acts for itself.
pub fn reach(
    scope: &Scopes,
    details: &Details,
    audience: &str,
    rules: &[ScopeRule],
    standing: Option<Standing<'_>>,
    now: Timestamp,
) -> Reach {
    let (mut ends_at, mut one_use) = (Timestamp::NEVER, false);
    let scope = scope.retain(|name| {
        let Some(rule) = rules.iter().find(|rule| rule.name == name) else { return true };
        let Some(end) = rule.lets_in(audience, standing, now) else { return false };
        ends_at = ends_at.min(end);
        one_use |= rule.one_use;
        true
    });
    let held = standing.map_or(&[][..], |standing| standing.held);
    let details = details
        .0
        .iter()
        .filter(|asked| {
            let end =
                last_end(held, |access| access.covers_detail(asked)).filter(|end| is_time_left(now, *end));
            ends_at = ends_at.min(end.unwrap_or(Timestamp::NEVER));
            end.is_some()
        })
        .cloned()
        .collect();
    Reach { audience: audience.to_owned(), scope, details: Details(details), ends_at, one_use }
}

/// What of a token's scopes and details rests on grants that are still held, or on none.
pub fn still_held(
    scope: &Scopes,
    details: &Details,
    rules: &[ScopeRule],
    held: &[Held],
) -> (Scopes, Details) {
    let by_grant = |name: &str| rules.iter().any(|rule| rule.by_grant && rule.name == name);
    let holds =
        |name: &str| held.iter().any(|one| matches!(&one.access, Access::Scope(scope) if scope == name));
    let covered = |detail: &&Detail| held.iter().any(|one| one.access.covers_detail(detail));
    let scope = scope.retain(|name| !by_grant(name) || holds(name));
    (scope, Details(details.0.iter().filter(covered).cloned().collect()))
}

impl ScopeRule {
    /// Whether a code given now would let in a login that is not let in, and for long enough to get there.
    pub fn wants_a_code(&self, audience: &str, standing: Standing<'_>, now: Timestamp) -> bool {
        let [.., strongest] = ACR_CLASSES;
        let fresh = Standing { acr: strongest, authenticated_at: now, ..standing };
        let in_a_while = now.plus_seconds(CODE_ON_THE_WAY_S);
        self.lets_in(audience, Some(standing), now).is_none()
            && self.lets_in(audience, Some(fresh), in_a_while).is_some()
    }

    /// When a token with this scope must end; none where the scope is not for this login or audience.
    fn lets_in(&self, audience: &str, standing: Option<Standing<'_>>, now: Timestamp) -> Option<Timestamp> {
        if self.audience.as_ref().is_some_and(|only| only != audience) {
            return None;
        }
        let mut end = self.token_ttl_s.map_or(Timestamp::NEVER, |ttl_s| now.plus_seconds(ttl_s));
        let Some(standing) = standing else {
            // Nobody logged in, so nobody holds a grant or was authenticated.
            return (!self.by_grant && self.acr.is_none() && self.max_age_s.is_none()).then_some(end);
        };
        if self.acr.as_deref().is_some_and(|wanted| !is_as_strong(standing.acr, wanted)) {
            return None;
        }
        if let Some(max_age_s) = self.max_age_s {
            end = end.min(standing.authenticated_at.plus_seconds(max_age_s));
        }
        if self.by_grant {
            end = end.min(last_end(standing.held, |access| *access == Access::Scope(self.name.clone()))?);
        }
        is_time_left(now, end).then_some(end)
    }
}

/// Whether a token may end then: it lives for a second at least.
fn is_time_left(now: Timestamp, end: Timestamp) -> bool {
    now.plus_seconds(1) <= end
}

impl Access {
    fn covers_detail(&self, asked: &Detail) -> bool {
        matches!(self, Self::Detail(has) if has.covers(asked))
    }
}

/// The latest end among the grants that fit.
fn last_end(held: &[Held], fits: impl Fn(&Access) -> bool) -> Option<Timestamp> {
    held.iter().filter(|one| fits(&one.access)).map(|one| one.ends_at).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(json: &str) -> Detail {
        serde_json::from_str(json).expect("a detail")
    }

    #[test]
    fn one_entry_covers_another_only_if_it_is_wider_in_every_member() {
        let has = detail(r#"{"type":"document","actions":["read","comment"],"identifier":"42"}"#);
        for within in [
            r#"{"type":"document","actions":["comment"],"identifier":"42"}"#,
            r#"{"type":"document","actions":["comment","read"],"identifier":"42","locations":["https://a"]}"#,
        ] {
            assert!(has.covers(&detail(within)), "{within}");
        }
        for wider in [
            r#"{"type":"document","actions":["comment","delete"],"identifier":"42"}"#,
            r#"{"type":"document","identifier":"42"}"#,
            r#"{"type":"document","actions":["comment"]}"#,
            r#"{"type":"document","actions":["comment"],"identifier":"43"}"#,
            r#"{"type":"folder","actions":["comment"],"identifier":"42"}"#,
        ] {
            assert!(!has.covers(&detail(wider)), "{wider}");
        }
        assert!(detail(r#"{"type":"document"}"#).covers(&has));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let many = format!("[{}]", vec![r#"{"type":"a"}"#; 21].join(","));
        let long = format!(r#"[{{"type":"a","identifier":"{}"}}]"#, "x".repeat(5000));
        for bad in [
            "",
            "{}",
            "[]",
            "[1]",
            "[{}]",
            r#"[{"type":""}]"#,
            r#"[{"type":"a b"}]"#,
            r#"[{"type":"a","amount":"5"}]"#,
            r#"[{"type":"a","type":"b"}]"#,
            r#"[{"type":"a","actions":"read"}]"#,
            r#"[{"type":"a","actions":[]}]"#,
            r#"[{"type":"a","actions":[""]}]"#,
            "[{\"type\":\"a\",\"identifier\":\"\\u0000\"}]",
            &many,
            &long,
        ] {
            assert_eq!(Details::parse(bad), Err(Refusal::InvalidAuthorizationDetails), "{bad}");
        }
    }

    #[test]
    fn a_grant_that_ends_within_the_second_brings_nothing_and_ends_nothing() {
        let now = Timestamp::from_millis(1_772_366_410_000);
        let asked = Details(vec![detail(r#"{"type":"document"}"#)]);
        let scope = Scopes::parse("read").expect("a scope");
        for (left_ms, given) in [(999, false), (1000, true)] {
            let ends_at = Timestamp::from_millis(now.millis() + left_ms);
            let held = [Held { access: Access::Detail(Box::new(asked.0[0].clone())), ends_at }];
            let login = Standing { acr: ACR_CLASSES[0], authenticated_at: now, held: &held };
            let reach = reach(&scope, &asked, "https://a.example", &[], Some(login), now);
            assert_eq!(
                (reach.details.0.len(), reach.ends_at < Timestamp::NEVER),
                (usize::from(given), given)
            );
        }
    }

    #[test]
    fn a_refresh_keeps_or_narrows_details() {
        let login = Details::parse(r#"[{"type":"document","actions":["read","comment"]}]"#).expect("details");
        let narrower = Details::parse(r#"[{"type":"document","actions":["read"]}]"#).expect("details");
        let wider = Details::parse(r#"[{"type":"document"}]"#).expect("details");
        assert_eq!(login.clone().narrowed_to(None), Ok(login.clone()));
        assert_eq!(login.clone().narrowed_to(Some(narrower.clone())), Ok(narrower));
        assert_eq!(login.narrowed_to(Some(wider)), Err(Refusal::InvalidAuthorizationDetails));
    }
}
