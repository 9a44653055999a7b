use mobile_core::{Algorithm, Counter, Digits, Hotp, Secret};
use proptest::prelude::*;

use super::{EQUAL_NEIGHBOURS, cases, code, rfc_secret};

fn counter(number: u64) -> Counter {
    Counter::new(number)
}

/// The column "truncated, decimal" of RFC 4226 appendix D, counters 0 to 9. `src/hotp.rs` tests the columns
/// before it.
const TRUNCATED: [u32; 10] = [
    1_284_755_224,
    1_094_287_082,
    137_359_152,
    1_726_969_429,
    1_640_338_314,
    868_254_676,
    1_918_287_922,
    82_162_583,
    673_399_871,
    645_520_489,
];

#[test]
fn the_table_of_rfc_4226_appendix_d_holds() {
    let six =
        ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
    for ((number, truncated), text) in (0..).zip(TRUNCATED).zip(six) {
        assert_eq!(Hotp::default().code(&rfc_secret(20), counter(number)).as_str(), text);
        for digits in 6..=8_u8 {
            let hotp = Hotp { digits: Digits::new(digits).unwrap(), ..Hotp::default() };
            let text = format!("{truncated:010}");
            let found = hotp.code(&rfc_secret(20), counter(number));
            assert_eq!(found.as_str(), &text[10 - usize::from(digits)..]);
        }
    }
}

#[test]
fn a_counter_is_taken_from_the_next_one_to_the_end_of_the_look_ahead() {
    let (hotp, secret) = (Hotp::default(), rfc_secret(20));
    let check = |of: u64| hotp.check(&secret, &hotp.code(&secret, counter(of)), counter(100), 10);
    for (of, expected) in [(99, None), (100, Some(100)), (101, Some(101)), (110, Some(110)), (111, None)] {
        assert_eq!(check(of), expected.map(counter), "{of}");
    }
}

#[test]
fn of_two_equal_neighbours_the_first_is_taken() {
    let (hotp, secret) = (Hotp::default(), rfc_secret(20));
    for (at, text) in EQUAL_NEIGHBOURS {
        let typed = code(text);
        assert_eq!(hotp.check(&secret, &typed, counter(at - 5), 10), Some(counter(at)));
        assert_eq!(hotp.check(&secret, &typed, counter(at + 1), 10), Some(counter(at + 1)));
        assert_eq!(hotp.check(&secret, &typed, counter(at + 2), 10), None);
    }
}

#[test]
#[ignore = "computes 1.4 million codes; run it when the constants are doubted"]
fn equal_neighbours_are_where_they_are_said_to_be() {
    let (hotp, secret) = (Hotp::default(), rfc_secret(20));
    let codes = (0..).map(|number| hotp.code(&secret, counter(number)));
    let found: Vec<_> = (0_u64..)
        .zip(codes.clone().zip(codes.skip(1)))
        .filter(|(_, (one, next))| one == next)
        .map(|(at, (one, _))| (at, one.as_str().to_owned()))
        .take(EQUAL_NEIGHBOURS.len())
        .collect();
    assert_eq!(found, EQUAL_NEIGHBOURS.map(|(at, text)| (at, text.to_owned())));
}

#[test]
fn the_last_counter_is_an_ordinary_one_and_has_no_successor() {
    let (hotp, secret) = (Hotp::default(), rfc_secret(20));
    let typed = hotp.code(&secret, counter(u64::MAX));
    assert_eq!(hotp.check(&secret, &typed, counter(u64::MAX - 3), 10), Some(counter(u64::MAX)));
    assert_eq!(hotp.check(&secret, &typed, counter(u64::MAX), u32::MAX), Some(counter(u64::MAX)));
    assert_eq!(counter(u64::MAX).successor(), None);
    assert_eq!(counter(0).successor(), Some(counter(1)));
}

#[test]
fn resynchronisation_needs_two_consecutive_codes_in_order() {
    let (hotp, secret) = (Hotp::default(), rfc_secret(20));
    let resynchronise = |first: u64, second: u64| {
        let (first, second) = (hotp.code(&secret, counter(first)), hotp.code(&secret, counter(second)));
        hotp.resynchronise(&secret, &first, &second, counter(1000), 100)
    };
    assert_eq!(resynchronise(1000, 1001), Some(counter(1001)));
    assert_eq!(resynchronise(1099, 1100), Some(counter(1100)), "the edge");
    assert_eq!(resynchronise(1100, 1101), None, "half outside");
    assert_eq!(resynchronise(999, 1000), None, "the first is spent");
    assert_eq!(resynchronise(1051, 1050), None, "in the wrong order");
    assert_eq!(resynchronise(1050, 1052), None, "with a gap");
    assert_eq!(resynchronise(1050, 1050), None, "the same one twice");
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_counter_is_never_accepted_twice_nor_one_before_an_accepted_one(
        start in prop_oneof![Just(EQUAL_NEIGHBOURS[0].0 - 8), Just(0), Just(u64::MAX - 12), any::<u64>()],
        tries in prop::collection::vec((0..16_u64, prop::option::weighted(0.2, 0..16_u64), 0..12_u32), 1..40),
    ) {
        let (hotp, secret) = (Hotp::default(), rfc_secret(20));
        let code = |away: u64| hotp.code(&secret, counter(start.saturating_add(away)));
        let mut next = counter(start);
        for (away, then, reach) in tries {
            let taken = match then {
                None => hotp.check(&secret, &code(away), next, reach),
                Some(then) => hotp.resynchronise(&secret, &code(away), &code(then), next, reach),
            };
            let Some(taken) = taken else { continue };
            prop_assert!(taken >= next, "{taken} before {next}");
            prop_assert!(taken.get() - next.get() <= reach.into());
            match taken.successor() {
                Some(successor) => next = successor,
                None => break,
            }
        }
    }

    #[test]
    fn the_first_match_of_the_look_ahead_is_found(
        next in prop_oneof![Just(EQUAL_NEIGHBOURS[1].0 - 2), 0..10_u64, u64::MAX - 5..=u64::MAX, any::<u64>()],
        away in -3..=8_i64,
        look_ahead in 0..8_u32,
        secret in prop_oneof![Just(rfc_secret(20)), prop::collection::vec(any::<u8>(), 1..=128)
            .prop_map(|bytes| Secret::from_bytes(&bytes).unwrap())],
        algorithm in prop::sample::select(&Algorithm::ALL[..]),
    ) {
        let hotp = Hotp { algorithm, ..Hotp::default() };
        let typed = hotp.code(&secret, counter(next.saturating_add_signed(away)));
        let plain = (next..=next.saturating_add(look_ahead.into()))
            .map(counter)
            .find(|at| hotp.code(&secret, *at).as_str() == typed.as_str());
        prop_assert_eq!(hotp.check(&secret, &typed, counter(next), look_ahead), plain);
    }
}
