//! Looking for a code among neighbouring steps or counters.
//!
//! The search computes every code of its range whatever it finds, and picks without branching, so the time it
//! takes tells neither whether nor where a code matched. Two neighbours can share a code (one pair in a
//! million, with six digits); the *first* match is taken, because taking the later one would burn the one
//! between and lock out a person who is a step behind.

use core::ops::RangeInclusive;

use subtle::{Choice, ConditionallySelectable as _};

use crate::Code;

/// What the caller's rule says about a step or counter before the code is looked at.
fn allowed(rule: impl Fn(u64) -> bool, at: u64) -> Choice {
    Choice::from(u8::from(rule(at)))
}

/// The first place in `range` that `rule` allows and whose code is `code`.
pub(crate) fn one(
    range: RangeInclusive<u64>,
    rule: impl Fn(u64) -> bool,
    code_at: impl Fn(u64) -> Code,
    code: &Code,
) -> Option<u64> {
    let mut found = Choice::from(0);
    let mut place = 0;
    for at in range {
        let hit = code_at(at).ct_matches(code) & allowed(&rule, at) & !found;
        place.conditional_assign(&at, hit);
        found |= hit;
    }
    bool::from(found).then_some(place)
}

/// The second place of the first two neighbours in `range`, both allowed by `rule`, whose codes are `first`
/// and `second`.
pub(crate) fn two(
    range: RangeInclusive<u64>,
    rule: impl Fn(u64) -> bool,
    code_at: impl Fn(u64) -> Code,
    first: &Code,
    second: &Code,
) -> Option<u64> {
    let mut found = Choice::from(0);
    let mut place = 0;
    let mut before = Choice::from(0);
    for at in range {
        let here = code_at(at);
        let allowed = allowed(&rule, at);
        let hit = before & here.ct_matches(second) & allowed & !found;
        place.conditional_assign(&at, hit);
        found |= hit;
        before = here.ct_matches(first) & allowed;
    }
    bool::from(found).then_some(place)
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    const A: &str = "000001";
    const B: &str = "000002";

    fn code(text: &str) -> Code {
        Code::parse(text).expect("six digits")
    }

    /// A, B, A, B, ...
    fn alternating(at: u64) -> Code {
        code(if at.is_multiple_of(2) { A } else { B })
    }

    #[test]
    fn of_several_matches_the_first_allowed_one_is_taken() {
        assert_eq!(one(3..=20, |_| true, alternating, &code(A)), Some(4));
        assert_eq!(one(3..=20, |at| at > 9, alternating, &code(A)), Some(10));
        assert_eq!(two(3..=20, |_| true, alternating, &code(A), &code(B)), Some(5));
        assert_eq!(two(3..=20, |at| at > 9, alternating, &code(A), &code(B)), Some(11));
        assert_eq!(two(3..=20, |at| at > 10, alternating, &code(A), &code(B)), Some(13));
    }

    #[test]
    fn every_code_of_the_range_is_computed_whatever_matches() {
        let computed = Cell::new(0);
        let counting = |at| {
            computed.set(computed.get() + 1);
            alternating(at)
        };
        for wanted in [A, B, "000003"] {
            for after in [0, 5, 100] {
                computed.set(0);
                let _ = one(1..=10, |at| at > after, counting, &code(wanted));
                assert_eq!(computed.get(), 10);
                let _ = two(1..=10, |at| at > after, counting, &code(wanted), &code(B));
                assert_eq!(computed.get(), 20);
            }
        }
    }

    #[test]
    fn the_last_number_ends_the_search() {
        assert_eq!(one(u64::MAX..=u64::MAX, |_| true, alternating, &code(B)), Some(u64::MAX));
        assert_eq!(two(u64::MAX - 1..=u64::MAX, |_| true, alternating, &code(A), &code(B)), Some(u64::MAX));
        assert_eq!(two(u64::MAX..=u64::MAX, |_| true, alternating, &code(A), &code(B)), None);
    }
}
