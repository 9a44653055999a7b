use std::collections::BTreeSet;

use mobile_core::{Algorithm, Digits, Period, Secret, Step, Totp, Window};
use proptest::prelude::*;

use super::{EQUAL_NEIGHBOURS, cases, code, rfc_secret};

const ONE_EITHER_SIDE: Window = Window { back: 1, ahead: 1 };

fn step(number: u64) -> Step {
    Step::new(number)
}

#[test]
fn the_table_of_rfc_6238_appendix_b_holds() {
    let table = [
        (59, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ];
    for (seconds, codes) in table {
        for ((algorithm, bytes), text) in Algorithm::ALL.into_iter().zip([20, 32, 64]).zip(codes) {
            let totp = Totp { algorithm, digits: Digits::MAX, period: Period::default() };
            let found = totp.code(&rfc_secret(bytes), totp.step_at(seconds));
            assert_eq!(found.as_str(), text, "{algorithm} at {seconds}");
        }
    }
}

#[test]
fn steps_begin_at_the_epoch_and_last_one_period() {
    let totp = Totp::default();
    for (seconds, number, left) in [(0, 0, 30), (1, 0, 29), (29, 0, 1), (30, 1, 30), (59, 1, 1), (60, 2, 30)]
    {
        assert_eq!((totp.step_at(seconds), totp.seconds_left(seconds)), (step(number), left), "{seconds}");
    }
    let every_second = Totp { period: Period::new(1).unwrap(), ..totp };
    assert_eq!((every_second.step_at(u64::MAX), every_second.seconds_left(u64::MAX)), (step(u64::MAX), 1));
    let slow = Totp { period: Period::new(u32::MAX).unwrap(), ..totp };
    assert_eq!(slow.seconds_left(0), u32::MAX);
}

#[test]
fn a_code_is_taken_within_its_window_only() {
    let (totp, secret) = (Totp::default(), rfc_secret(20));
    let check = |of: u64, window| totp.check(&secret, &totp.code(&secret, step(of)), step(100), window, None);
    for (of, expected) in [(98, None), (99, Some(99)), (100, Some(100)), (101, Some(101)), (102, None)] {
        assert_eq!(check(of, Window::default()), expected.map(step), "{of}");
    }
    assert_eq!(check(99, Window { back: 0, ahead: 5 }), None);
    assert_eq!(check(105, Window { back: 0, ahead: 5 }), Some(step(105)));
    assert_eq!(check(100, Window { back: 0, ahead: 0 }), Some(step(100)));
}

#[test]
fn neither_the_last_accepted_step_nor_an_older_one_is_taken() {
    let (totp, secret) = (Totp::default(), rfc_secret(20));
    let check = |of: u64, last: u64| {
        totp.check(&secret, &totp.code(&secret, step(of)), step(100), ONE_EITHER_SIDE, Some(step(last)))
    };
    assert_eq!(check(100, 100), None);
    assert_eq!(check(99, 100), None);
    assert_eq!(check(101, 100), Some(step(101)));
    assert_eq!(check(101, u64::MAX), None);
    assert_eq!(check(99, 0), Some(step(99)));
}

#[test]
fn a_code_of_another_length_is_never_taken() {
    let (six, secret) = (Totp::default(), rfc_secret(20));
    let eight = Totp { digits: Digits::MAX, ..six };
    let typed = eight.code(&secret, step(100));
    assert_eq!(six.check(&secret, &typed, step(100), ONE_EITHER_SIDE, None), None);
    assert_eq!(
        six.check(&secret, &code(&typed.as_str()[2..]), step(100), ONE_EITHER_SIDE, None),
        Some(step(100))
    );
}

#[test]
fn of_two_equal_neighbours_the_first_unused_one_is_taken() {
    let (totp, secret) = (Totp::default(), rfc_secret(20));
    for (at, text) in EQUAL_NEIGHBOURS {
        let typed = code(text);
        let check = |now: u64, last| totp.check(&secret, &typed, step(now), ONE_EITHER_SIDE, last);
        for now in [at, at + 1] {
            assert_eq!(check(now, None), Some(step(at)), "the earlier one first");
            assert_eq!(check(now, Some(step(at))), Some(step(at + 1)), "the later one is a code of its own");
            assert_eq!(check(now, Some(step(at + 1))), None, "and then both are spent");
        }
        assert_eq!(check(at + 2, None), Some(step(at + 1)), "the earlier one is out of the window");
        assert_eq!(
            totp.resynchronise(&secret, &typed, &typed, step(at + 40), 50, None),
            Some(step(at + 1)),
            "equal codes resynchronise where neighbours really are equal"
        );
        assert_eq!(totp.resynchronise(&secret, &typed, &typed, step(at - 40), 39, None), None);
    }
}

#[test]
fn both_ends_of_time_are_ordinary_steps() {
    let (totp, secret) = (Totp::default(), rfc_secret(20));
    for (now, found) in [(0, 0), (0, 1), (u64::MAX, u64::MAX), (u64::MAX, u64::MAX - 1)] {
        let typed = totp.code(&secret, step(found));
        assert_eq!(totp.check(&secret, &typed, step(now), ONE_EITHER_SIDE, None), Some(step(found)));
    }
    let (first, second) = (totp.code(&secret, step(0)), totp.code(&secret, step(1)));
    assert_eq!(totp.resynchronise(&secret, &first, &second, step(0), 3, None), Some(step(1)));
    let last_two = [step(u64::MAX - 1), step(u64::MAX)].map(|step| totp.code(&secret, step));
    assert_eq!(
        totp.resynchronise(&secret, &last_two[0], &last_two[1], step(u64::MAX), 3, None),
        Some(step(u64::MAX))
    );
    assert_eq!(step(u64::MAX).successor(), None);
}

#[test]
fn resynchronisation_needs_two_consecutive_unused_codes_in_order() {
    let (totp, secret) = (Totp::default(), rfc_secret(20));
    let resynchronise = |first: u64, second: u64, last: Option<u64>| {
        let (first, second) = (totp.code(&secret, step(first)), totp.code(&secret, step(second)));
        totp.resynchronise(&secret, &first, &second, step(1000), 100, last.map(step))
    };
    assert_eq!(resynchronise(1037, 1038, None), Some(step(1038)));
    assert_eq!(resynchronise(900, 901, None), Some(step(901)), "the edge behind");
    assert_eq!(resynchronise(1099, 1100, None), Some(step(1100)), "the edge ahead");
    assert_eq!(resynchronise(899, 900, None), None, "half outside");
    assert_eq!(resynchronise(1100, 1101, None), None, "half outside");
    assert_eq!(resynchronise(1038, 1037, None), None, "in the wrong order");
    assert_eq!(resynchronise(1037, 1039, None), None, "with a gap");
    assert_eq!(resynchronise(1037, 1037, None), None, "the same one twice");
    assert_eq!(resynchronise(950, 951, Some(949)), Some(step(951)));
    assert_eq!(resynchronise(950, 951, Some(950)), None, "the first was used");
    assert_eq!(resynchronise(950, 951, Some(951)), None, "both were used");
}

/// What [`Totp::check`] promises, in the plainest way.
fn plain_check(
    totp: Totp,
    secret: &Secret,
    typed: &str,
    now: u64,
    window: Window,
    last: Option<u64>,
) -> Option<Step> {
    (now.saturating_sub(window.back.into())..=now.saturating_add(window.ahead.into()))
        .filter(|at| last.is_none_or(|last| *at > last))
        .map(step)
        .find(|at| totp.code(secret, *at).as_str() == typed)
}

/// One try against a verifier that remembers the last accepted step.
#[derive(Debug, Clone)]
enum Try {
    Code { of: u64, now: u64, window: Window },
    Resynchronise { of: u64, then: u64, now: u64, reach: u32 },
}

/// Numbers around a place where neighbours are equal, or anywhere.
fn near(place: u64) -> impl Strategy<Value = u64> {
    place - 4..place + 6
}

fn tries(place: u64) -> impl Strategy<Value = Vec<Try>> {
    let window = (0..4_u32, 0..4_u32).prop_map(|(back, ahead)| Window { back, ahead });
    let one = (near(place), near(place), window).prop_map(|(of, now, window)| Try::Code { of, now, window });
    let two = (near(place), near(place), near(place), 0..6_u32)
        .prop_map(|(of, then, now, reach)| Try::Resynchronise { of, then, now, reach });
    prop::collection::vec(prop_oneof![4 => one, 1 => two], 1..40)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_step_is_never_accepted_twice_in_any_order(
        (place, tries) in prop_oneof![Just(EQUAL_NEIGHBOURS[0].0), Just(EQUAL_NEIGHBOURS[2].0), 100..u64::MAX - 100]
            .prop_flat_map(|place| (Just(place), tries(place))),
    ) {
        let (totp, secret) = (Totp::default(), rfc_secret(20));
        let mut last = None;
        let mut accepted = BTreeSet::new();
        for one in tries {
            let taken = match one {
                Try::Code { of, now, window } => {
                    let typed = totp.code(&secret, step(of));
                    totp.check(&secret, &typed, step(now), window, last)
                }
                Try::Resynchronise { of, then, now, reach } => {
                    let (first, second) = (totp.code(&secret, step(of)), totp.code(&secret, step(then)));
                    totp.resynchronise(&secret, &first, &second, step(now), reach, last)
                }
            };
            if let Some(taken) = taken {
                prop_assert!(accepted.insert(taken), "{taken} accepted twice near {place}");
                prop_assert!(last.is_none_or(|last| taken > last), "{taken} accepted after {last:?}");
                last = Some(taken);
            }
        }
    }

    #[test]
    fn the_first_match_of_the_window_after_the_last_step_is_found(
        now in prop_oneof![Just(EQUAL_NEIGHBOURS[1].0), 0..10_u64, u64::MAX - 5..=u64::MAX, any::<u64>()],
        away in -4..=4_i64,
        back in 0..4_u32,
        ahead in 0..4_u32,
        last_away in prop::option::of(-4..=4_i64),
        algorithm in prop::sample::select(&Algorithm::ALL[..]),
        digits in 6..=8_u8,
    ) {
        let totp = Totp { algorithm, digits: Digits::new(digits).unwrap(), period: Period::default() };
        let (secret, window) = (rfc_secret(20), Window { back, ahead });
        let typed = totp.code(&secret, step(now.saturating_add_signed(away)));
        let last = last_away.map(|away| now.saturating_add_signed(away));
        prop_assert_eq!(
            totp.check(&secret, &typed, step(now), window, last.map(step)),
            plain_check(totp, &secret, typed.as_str(), now, window, last)
        );
    }

    #[test]
    fn a_clock_within_reach_is_found_by_two_codes(
        now in any::<u64>(),
        drift in -60..60_i64,
        reach in 0..60_u32,
        secret in prop::collection::vec(any::<u8>(), 1..64),
    ) {
        let (totp, secret) = (Totp::default(), Secret::from_bytes(&secret).unwrap());
        let first = now.saturating_add_signed(drift);
        let Some(second) = first.checked_add(1) else { return Ok(()) };
        let (one, two) = (totp.code(&secret, step(first)), totp.code(&secret, step(second)));
        let found = totp.resynchronise(&secret, &one, &two, step(now), reach, None);
        let within = first >= now.saturating_sub(reach.into()) && second <= now.saturating_add(reach.into());
        prop_assert_eq!(found, within.then_some(step(second)));
    }
}
