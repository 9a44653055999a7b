//! Points in time.

use std::fmt;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::refusal::Invalid;

/// How long what is over is kept before it is deleted, in seconds, so that clocks that differ a little do not matter.
pub const OVER_KEPT_S: i64 = 86_400;

/// Unix time in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Timestamp(i64);

impl Timestamp {
    /// So early that it has always passed.
    pub const LONG_AGO: Self = Self(0);

    /// So late that it never comes.
    pub const NEVER: Self = Self(i64::MAX);

    /// From unix milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Reads RFC 3339, as `2026-12-01T08:00:00Z` or with an offset.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, Invalid> {
        let date = OffsetDateTime::parse(text, &Rfc3339)
            .map_err(|_| Invalid::new(field, "must be a time like 2026-12-01T08:00:00Z"))?;
        let millis = i64::try_from(date.unix_timestamp_nanos() / 1_000_000)
            .map_err(|_| Invalid::new(field, "is out of range"))?;
        Ok(Self(millis))
    }

    /// Unix milliseconds.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole unix seconds, as JWTs and TOTP count them; times before 1970 count as 0.
    pub fn unix_seconds(self) -> u64 {
        u64::try_from(self.0.div_euclid(1000)).unwrap_or(0)
    }

    /// This many seconds later.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Seconds from `now` until this time, rounded up; 0 when it has passed.
    pub fn seconds_from(self, now: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(now.0)).unwrap_or(0).div_ceil(1000)
    }
}

/// RFC 3339 in UTC, for people and logs.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = OffsetDateTime::from_unix_timestamp(self.0.div_euclid(1000))
            .ok()
            .and_then(|date| date.format(&Rfc3339).ok());
        match written {
            Some(text) => f.pad(&text),
            None => f.pad("never"),
        }
    }
}
