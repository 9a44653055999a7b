//! The laws at the end of `docs/spec/otpauth.md`.

use mobile_core::{Algorithm, Counter, Digits, KeyUri, Kind, Origin, Period, Secret};
use proptest::prelude::*;

use super::cases;

/// Characters that mean something to a URI, to a label, or to a reader that is too clever.
const NAME: &str = "[a-zA-Z0-9 :+%&=?#/@.~_'\"<>\\\\éß太🔑\u{a0}\u{200f}-]{1,24}";

fn key_uris() -> impl Strategy<Value = KeyUri> {
    let kind = prop_oneof![
        (1..=u32::MAX).prop_map(|seconds| Kind::Totp { period: Period::new(seconds).unwrap() }),
        Just(Kind::Totp { period: Period::default() }),
        any::<u64>().prop_map(|counter| Kind::Hotp { counter: Counter::new(counter) }),
    ];
    (
        prop::option::of(NAME),
        prop_oneof![3 => NAME, 1 => "\\PC{1,20}"],
        prop::collection::vec(any::<u8>(), 1..=Secret::MAX_BYTES),
        prop::sample::select(&Algorithm::ALL[..]),
        6..=8_u8,
        kind,
        prop::option::of(origins()),
    )
        .prop_filter_map(
            "not a valid key",
            |(issuer, account, secret, algorithm, digits, kind, origin)| {
                let secret = Secret::from_bytes(&secret).unwrap();
                let trim = |name: String| name.trim_matches(' ').to_owned();
                let key = KeyUri::new(
                    issuer.map(trim),
                    trim(account),
                    secret,
                    algorithm,
                    Digits::new(digits).unwrap(),
                    kind,
                )
                .ok()?;
                match origin {
                    Some(origin) => key.with_origin(origin).ok(),
                    None => Some(key),
                }
            },
        )
}

fn origins() -> impl Strategy<Value = Origin> {
    let factor = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
    ("https?://[a-z0-9.:\\[\\]+%&=~_-]{1,20}(/[!-~]{0,12})?", factor)
        .prop_map(|(issuer, factor)| Origin { issuer, factor: Some(factor) })
}

/// A canonical text with some pieces put in, cut out or written over.
fn nearly_valid() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "%",
            "%2",
            "%3A",
            "%00",
            "%ff",
            "%C3%A9",
            ":",
            "?",
            "&",
            "=",
            "+",
            "/",
            "#",
            " ",
            "&&",
            "secret=",
            "&secret=AA",
            "&issuer=",
            "&period=0",
            "&digits=9",
            "&counter=99999999999999999999",
            "&algorithm=",
            "&countersign=",
            "https%3A%2F%2F",
            "%23",
            "otpauth://",
            "\u{202e}",
            "é",
            "\0",
            "\n",
            "🔑",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,4}",
    ];
    let edit = (any::<prop::sample::Index>(), 0..4_usize, piece);
    (key_uris(), prop::collection::vec(edit, 0..6)).prop_map(|(key, edits)| {
        let mut text: Vec<char> = key.to_uri().chars().collect();
        for (place, cut, piece) in edits {
            let from = place.index(text.len() + 1);
            let to = (from + cut).min(text.len());
            text.splice(from..to, piece.chars());
        }
        text.into_iter().collect()
    })
}

/// Whatever was read can be written, and reading that gives the same with nothing tolerated.
fn settles(text: &str) -> Result<bool, TestCaseError> {
    let Ok((key, tolerances)) = KeyUri::parse(text) else { return Ok(false) };
    prop_assert!(tolerances.is_sorted_by(|a, b| a < b), "{tolerances:?}: each once and in order");
    let written = key.to_uri();
    prop_assert_eq!(KeyUri::parse(&written), Ok((key, vec![])), "{}", written.as_str());
    Ok(true)
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn what_is_written_is_read_unchanged(key in key_uris()) {
        let text = key.to_uri();
        prop_assert!(text.is_ascii() && text.len() <= KeyUri::MAX_BYTES);
        let (read, tolerances) = KeyUri::parse(&text).unwrap();
        prop_assert_eq!(tolerances, vec![]);
        prop_assert_eq!(&read, &key);
        prop_assert_eq!(&*read.to_uri(), &*text);
    }

    #[test]
    fn what_is_nearly_valid_settles_or_is_refused(text in nearly_valid()) {
        settles(&text)?;
    }

    #[test]
    fn any_text_settles_or_is_refused(
        text in "\\PC{0,60}|otpauth://(totp|hotp)/\\PC{0,30}\\?secret=[A-Z2-7]{2}&\\PC{0,30}",
    ) {
        settles(&text)?;
    }

    #[test]
    fn any_label_and_issuer_that_are_read_settle(label in NAME, issuer in NAME) {
        settles(&format!("otpauth://totp/{label}?secret=AA&issuer={issuer}"))?;
    }
}
