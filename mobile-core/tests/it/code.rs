use mobile_core::{Code, CodeError};
use proptest::prelude::*;

use super::{cases, code};

#[test]
fn blanks_and_tabs_are_dropped_wherever_they_stand() {
    for text in ["012345", "012 345", " 0 1 2 3 4 5 ", "\t012\t345", "012345 "] {
        assert_eq!(code(text).as_str(), "012345", "{text:?}");
    }
    assert_eq!(code("1234567").len(), 7);
    assert_eq!(code("1234 5678").as_str(), "12345678");
}

#[test]
fn everything_but_ascii_digits_is_refused_with_its_place() {
    for (text, position) in [
        ("٠١٢٣٤٥", 1),
        ("12345６", 6),
        ("123\u{a0}456", 4),
        ("123\u{2009}456", 4),
        ("123\u{200b}456", 4),
        ("+123456", 1),
        ("-123456", 1),
        ("123456\n", 7),
        ("123456\0", 7),
        ("12 34é56", 6),
        ("1e5000", 2),
        ("0x1234", 2),
        ("123.456", 4),
        ("²³¹²³¹", 1),
    ] {
        assert_eq!(Code::parse(text), Err(CodeError::Character { position }), "{text:?}");
    }
}

#[test]
fn only_six_to_eight_digits_are_a_code() {
    assert_eq!(Code::parse(""), Err(CodeError::TooShort { digits: 0 }));
    assert_eq!(Code::parse(&" ".repeat(1 << 20)), Err(CodeError::TooShort { digits: 0 }));
    assert_eq!(Code::parse("12345"), Err(CodeError::TooShort { digits: 5 }));
    assert_eq!(Code::parse("123456789"), Err(CodeError::TooLong));
    assert_eq!(Code::parse(&"1".repeat(1 << 20)), Err(CodeError::TooLong));
    assert_eq!(CodeError::TooLong.code(), "code_too_long");
}

#[test]
fn a_code_matches_its_own_digits_and_length_only() {
    assert!(code("123 456").matches(&code("123456")));
    assert!(!code("123456").matches(&code("123457")));
    assert!(!code("123456").matches(&code("0123456")));
    assert!(!code("123456").matches(&code("1234560")));
}

#[test]
fn a_code_does_not_show_itself() {
    assert_eq!(format!("{:?}", code("123456")), "Code(…)");
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn exactly_the_described_texts_are_codes(
        text in "[0-9 \t]{4,12}|[0-9 \t٣６+\u{a0}\n-]{0,12}|\\PC{0,12}",
    ) {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '\t')).collect();
        let is_code = (6..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        match Code::parse(&text) {
            Ok(code) => prop_assert!(is_code && code.as_str() == digits && code.len() == digits.len()),
            Err(_) => prop_assert!(!is_code),
        }
    }
}
