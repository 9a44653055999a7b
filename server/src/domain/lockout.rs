//! How many wrong guesses are free, and what the next ones cost.

use crate::domain::time::Timestamp;

/// Consecutive failures that cost nothing.
pub const FREE_FAILURES: i64 = 5;

/// The consecutive failure that brings the first wait.
pub const FIRST_WAIT_AFTER: i64 = FREE_FAILURES + 1;

/// Consecutive failures after which only an administrator or a recovery code helps (NIST SP 800-63B-4 s3.2.2: no more than 100).
pub const FAILURE_LIMIT: i64 = 100;

/// The first wait; every further failure doubles it.
const FIRST_WAIT_S: i64 = 5;

/// No wait for codes or passwords is longer, except the end at [`FAILURE_LIMIT`].
const LONGEST_WAIT_S: i64 = 3600;

/// How far apart the clocks of servers may be, in seconds. A wait that reaches further than the longest and this was written by a clock that was
/// wrong, and counts for nothing: else whoever was locked at that moment would be for as long as the clock was ahead.
const CLOCKS_APART_S: i64 = 300;

/// What a locked user is told to wait where no time can be named.
pub const INDEFINITE_RETRY_S: u64 = 86_400;

/// Until when the user is locked after this many consecutive wrong codes.
pub fn codes_locked_until(failures: i64, now: Timestamp) -> Timestamp {
    if failures >= FAILURE_LIMIT { Timestamp::NEVER } else { after_wait(failures, FREE_FAILURES, now) }
}

/// Until when passwords for one user from one address are blocked after this many failures. Never for ever: a stranger can cause these.
pub fn passwords_blocked_until(failures: i64, now: Timestamp) -> Timestamp {
    after_wait(failures, FREE_FAILURES, now)
}

/// Whether a wait that ends at `until` is under way.
pub fn is_wait(until: Timestamp, now: Timestamp) -> bool {
    until > now && (until == Timestamp::NEVER || until <= longest_wait(now))
}

/// When a wait that begins at `now` ends at the latest, but for the one that only an administrator ends.
pub const fn longest_wait(now: Timestamp) -> Timestamp {
    now.plus_seconds(LONGEST_WAIT_S + CLOCKS_APART_S)
}

/// Without a wait the lock has long been over: `now` itself would shut out a request that read its clock a moment earlier.
fn after_wait(failures: i64, free: i64, now: Timestamp) -> Timestamp {
    match wait_s(failures, free) {
        0 => Timestamp::LONG_AGO,
        wait_s => now.plus_seconds(wait_s),
    }
}

/// A bucket that fills by one with every try and empties by one in a fixed time. Nobody is shut out of it for long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Leak {
    /// How many tries fit into it.
    pub burst: i64,
    /// How long one of them takes to leave.
    pub every_s: i64,
}

impl Leak {
    /// When a bucket that takes one more try at `now` will be empty at the latest.
    pub const fn full(self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.every_s.saturating_mul(self.burst - 1))
    }

    /// Later than any that clocks which are about right fill is empty again: such a bucket counts as empty.
    pub const fn never_full(self, now: Timestamp) -> Timestamp {
        now.plus_seconds(self.every_s.saturating_mul(self.burst) + CLOCKS_APART_S)
    }
}

/// Passwords from one address, whoever they are for: offices and applications share one.
pub const PASSWORDS_OF_ADDRESS: Leak = Leak { burst: 100, every_s: 1 };

/// Enrolments that one user begins.
pub const ENROLMENTS_OF_USER: Leak = Leak { burst: 10, every_s: 360 };

/// Codes by which one user is sent to one application.
pub const AUTHORIZATIONS_OF_USER: Leak = Leak { burst: 100, every_s: 5 };

/// Log entries about wrong secrets of one client, which anybody can cause.
pub const REFUSALS_OF_CLIENT: Leak = Leak { burst: 20, every_s: 60 };

fn wait_s(failures: i64, free: i64) -> i64 {
    match failures - free {
        ..=0 => 0,
        beyond => {
            let doublings = u32::try_from(beyond - 1).unwrap_or(u32::MAX).min(20);
            (FIRST_WAIT_S << doublings).min(LONGEST_WAIT_S)
        }
    }
}

/// The `Retry-After` of somebody locked until `until`.
pub fn retry_after_s(until: Timestamp, now: Timestamp) -> u64 {
    if until == Timestamp::NEVER { INDEFINITE_RETRY_S } else { until.seconds_from(now).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn wait(failures: i64) -> u64 {
        codes_locked_until(failures, NOW).seconds_from(NOW)
    }

    #[test]
    fn five_failures_are_free_and_the_sixth_costs() {
        assert_eq!((0..=5).map(wait).collect::<Vec<_>>(), [0; 6]);
        assert_eq!((6..=9).map(wait).collect::<Vec<_>>(), [5, 10, 20, 40]);
    }

    #[test]
    fn waits_grow_to_an_hour_and_then_the_hundredth_failure_ends_it() {
        assert!((6..100).all(|n| wait(n) <= wait(n + 1)));
        assert_eq!(wait(99), 3600);
        assert_eq!(codes_locked_until(100, NOW), Timestamp::NEVER);
        assert_eq!(codes_locked_until(i64::MAX, NOW), Timestamp::NEVER);
    }

    #[test]
    fn a_wait_by_a_clock_that_was_wrong_is_none() {
        let later = |seconds: i64| NOW.plus_seconds(seconds);
        assert!(is_wait(later(1), NOW) && is_wait(later(3600), NOW) && is_wait(later(3900), NOW));
        assert!(is_wait(Timestamp::NEVER, NOW), "only an administrator ends it");
        assert!(!is_wait(NOW, NOW) && !is_wait(later(3901), NOW) && !is_wait(later(31_536_000), NOW));
    }

    #[test]
    fn passwords_are_never_blocked_for_ever() {
        assert_eq!(passwords_blocked_until(i64::MAX, NOW).seconds_from(NOW), 3600);
    }
}
