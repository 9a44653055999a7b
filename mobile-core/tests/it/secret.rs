use mobile_core::{Secret, SecretError};
use proptest::prelude::*;

use super::cases;

#[test]
fn the_table_of_rfc_4648_section_10_holds() {
    for (bytes, text) in [
        ("f", "MY======"),
        ("fo", "MZXQ===="),
        ("foo", "MZXW6==="),
        ("foob", "MZXW6YQ="),
        ("fooba", "MZXW6YTB"),
        ("foobar", "MZXW6YTBOI======"),
    ] {
        assert_eq!(Secret::parse(text).unwrap().expose(), bytes.as_bytes(), "{text}");
        let secret = Secret::from_bytes(bytes.as_bytes()).unwrap();
        assert_eq!(*secret.to_base32(), text.trim_end_matches('='));
        assert_eq!(secret.len(), bytes.len());
    }
}

#[test]
fn secrets_are_read_as_people_write_them() {
    let secret = Secret::parse("MZXW6YTBOI").unwrap();
    for text in ["mzxw6ytboi", "mzxw 6ytb oi", "MZXW-6YTB-OI======", " MZXW6YTBOI\t", "MZXW6YTBOI = = ="] {
        assert_eq!(Secret::parse(text).unwrap(), secret, "{text:?}");
    }
}

#[test]
fn what_is_not_base32_is_refused_with_its_place() {
    for (text, position) in [
        ("MZXW0", 5),
        ("1ZXW", 1),
        ("MZXW 8", 6),
        ("MZ=XW", 4),
        ("MZXW\n", 5),
        ("MZéXW", 3),
        ("ＭZXW", 1),
        ("MZ\0", 3),
    ] {
        assert_eq!(Secret::parse(text), Err(SecretError::Character { position }), "{text:?}");
    }
}

#[test]
fn impossible_lengths_are_refused() {
    for length in 1..=32 {
        let read = Secret::parse(&"A".repeat(length));
        if matches!(length % 8, 1 | 3 | 6) {
            assert_eq!(read, Err(SecretError::Length), "{length}");
        } else {
            assert_eq!(read.unwrap().len(), length * 5 / 8);
        }
    }
}

#[test]
fn a_secret_has_1_to_128_bytes() {
    assert_eq!(Secret::from_bytes(&[]), Err(SecretError::Empty));
    for text in ["", "   ", "====", "-"] {
        assert_eq!(Secret::parse(text), Err(SecretError::Empty), "{text:?}");
    }
    let longest = Secret::from_bytes(&[7; Secret::MAX_BYTES]).unwrap();
    assert_eq!(Secret::parse(&longest.to_base32()).unwrap(), longest);
    assert_eq!(Secret::from_bytes(&[7; Secret::MAX_BYTES + 1]), Err(SecretError::TooLong));
    assert_eq!(Secret::parse(&"A".repeat(207)), Err(SecretError::TooLong));
    assert_eq!(Secret::parse(&"A".repeat(1 << 20)), Err(SecretError::TooLong));
}

#[test]
fn bits_of_no_byte_are_dropped() {
    assert_eq!(Secret::parse("MZ").unwrap(), Secret::parse("MY").unwrap());
}

#[test]
fn a_secret_does_not_show_itself() {
    assert_eq!(format!("{:?}", Secret::parse("MZXW6YTB").unwrap()), "Secret(…)");
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn base32_goes_there_and_back(
        bytes in prop::collection::vec(any::<u8>(), 1..=Secret::MAX_BYTES),
        group in 1..9_usize,
    ) {
        let secret = Secret::from_bytes(&bytes).unwrap();
        prop_assert_eq!(secret.expose(), &bytes[..]);
        let text = secret.to_base32();
        prop_assert!(text.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')));
        prop_assert_eq!(&Secret::parse(&text).unwrap(), &secret);
        let groups = text.as_bytes().chunks(group).map(|chunk| str::from_utf8(chunk).unwrap());
        let groups: Vec<_> = groups.collect();
        prop_assert_eq!(&Secret::parse(&(groups.join(" ").to_lowercase() + "==")).unwrap(), &secret);
    }

    #[test]
    fn secrets_are_equal_when_their_bytes_are(
        a in prop::collection::vec(0..2_u8, 1..4),
        b in prop::collection::vec(0..2_u8, 1..4),
    ) {
        prop_assert_eq!(Secret::from_bytes(&a).unwrap() == Secret::from_bytes(&b).unwrap(), a == b);
    }

    #[test]
    fn no_text_makes_the_secret_reader_panic(text in "\\PC{0,40}|[A-Za-z2-7=\\- ]{0,300}") {
        if let Ok(secret) = Secret::parse(&text) {
            prop_assert!((1..=Secret::MAX_BYTES).contains(&secret.len()));
        }
    }
}
