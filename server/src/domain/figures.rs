//! Numbers at a glance: what the console's overview shows, kept for a short while so that looking costs the same however much there is.

use std::collections::BTreeMap;

use crate::domain::time::Timestamp;

/// How long counted things are shown without being counted again, in seconds.
pub const FRESH_S: i64 = 30;

/// A day, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// A day in UTC, counted from 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Day(i64);

impl Day {
    /// The day of this moment.
    pub const fn of(at: Timestamp) -> Self {
        Self(at.millis().div_euclid(DAY_MS))
    }

    /// Reads `2026-12-01`.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == 10 && text.is_ascii();
        let at = Timestamp::parse("day", &format!("{text}T00:00:00Z")).ok()?;
        fits.then_some(Self::of(at))
    }

    /// Its first moment.
    pub const fn begins_at(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(DAY_MS))
    }

    /// This many days later; earlier where negative.
    #[must_use]
    pub const fn plus(self, days: i64) -> Self {
        Self(self.0.saturating_add(days))
    }
}

/// `2026-12-01`.
impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.begins_at().to_string().get(..10).unwrap_or_default())
    }
}

/// What the audit log says of one day.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Logins, and tokens that applications got for themselves.
    pub logins: i64,
    /// Passwords, codes and recovery codes that were refused.
    pub refusals: i64,
}

/// Users by state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Users {
    /// Those who may log in.
    pub active: i64,
    /// Those who may not.
    pub locked: i64,
}

/// Factors by state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Factors {
    /// Whose codes count.
    pub active: i64,
    /// That wait for their first code.
    pub pending: i64,
    /// That are over and not yet swept away.
    pub revoked: i64,
}

/// How much there is of everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Users.
    pub users: Users,
    /// Factors.
    pub factors: Factors,
    /// Live sessions.
    pub sessions: i64,
    /// Mails that wait.
    pub mails_waiting: i64,
    /// Mails that were given up.
    pub mails_failed: i64,
}

/// One day of the log, as far as it was counted. The log only grows, so what was counted stays true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted {
    /// The last number before the day began.
    pub before: i64,
    /// The last number that was counted.
    pub upto: i64,
    /// What was counted.
    pub tally: Tally,
}

/// What was counted lately.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// When, and how much there was.
    pub counts: Option<(Timestamp, Counts)>,
    /// When the log was last counted.
    pub log_at: Option<Timestamp>,
    /// The log's days.
    pub days: BTreeMap<Day, Counted>,
}

/// Whether something that was counted at `then` may still be shown at `now`.
pub fn is_fresh(then: Timestamp, now: Timestamp) -> bool {
    (then..then.plus_seconds(FRESH_S)).contains(&now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        for text in ["1970-01-01", "2026-12-01", "2024-02-29"] {
            assert_eq!(Day::parse(text).map(|day| day.to_string()).as_deref(), Some(text));
        }
        for text in ["", "2026-13-01", "2026-02-29", "2026-1-1", "2026-12-01T00:00:00Z", "0000000000"] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }
}
