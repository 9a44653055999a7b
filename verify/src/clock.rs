//! The one door to the time.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The time on both clocks that a computer has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Wall clock, unix seconds: what `exp`, `nbf` and `iat` are compared with.
    pub unix_s: u64,
    /// Time since some fixed start, which nobody can set back.
    pub elapsed: Duration,
}

impl Moment {
    /// How long before `self` the moment `then` was: the longer answer of the two clocks. So neither a wall clock that was
    /// set back nor a machine that slept makes old keys or revocations look young.
    pub(crate) fn since(self, then: Self) -> Duration {
        let wall = Duration::from_secs(self.unix_s.saturating_sub(then.unix_s));
        wall.max(self.elapsed.saturating_sub(then.elapsed))
    }
}

/// Where the time comes from. A test hands over one that it moves by hand.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Moment;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Moment {
        (**self).now()
    }
}

/// The operating system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// Starts counting.
    pub fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        let start = Instant::now();
        Self { start }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        #[expect(clippy::disallowed_methods, reason = "this is the door")]
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { unix_s: wall.as_secs(), elapsed: self.start.elapsed() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix_s: u64, elapsed_s: u64) -> Moment {
        Moment { unix_s, elapsed: Duration::from_secs(elapsed_s) }
    }

    #[test]
    fn a_wall_clock_set_back_does_not_make_things_young() {
        assert_eq!(at(400, 70).since(at(1_000, 10)), Duration::from_mins(1));
    }

    #[test]
    fn sleep_that_only_the_wall_clock_saw_counts() {
        assert_eq!(at(4_600, 11).since(at(1_000, 10)), Duration::from_hours(1));
    }
}
