//! The claims of `README.md`, natively.

mod picture;

use countersign_phone_worker::codes::{self, Effort};
use countersign_phone_worker::image::{Grey, MAX_PIXELS};
use countersign_phone_worker::import::read_import;
use mobile_core::transfer::Import;
use proptest::prelude::*;

use picture::Picture;

const TEXT: &str =
    "otpauth://totp/Example:alice@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example";

#[test]
fn codes_of_a_bad_camera_are_read() {
    let good = Picture::default();
    for (name, picture) in [
        ("clean", good),
        ("a quarter turned", Picture { angle: 90.0, ..good }),
        ("upside down", Picture { angle: 180.0, ..good }),
        ("turned", Picture { angle: 33.0, ..good }),
        ("inverted", Picture { inverted: true, ..good }),
        ("small", Picture { module: 2.5, side: 160, ..good }),
        ("blurred", Picture { blur: 1, ..good }),
        ("pale", Picture { contrast: 0.4, ..good }),
    ] {
        let image = picture.grey(TEXT);
        for effort in [Effort::Frame, Effort::Still] {
            assert_eq!(codes::decode(&image, effort), [TEXT], "{name}, {effort:?}");
        }
    }
}

#[test]
fn letters_beyond_ascii_are_read() {
    let text = "otpauth://totp/Büro:Zoë?secret=GEZDGNBVGY3TQOJQ&issuer=Büro";
    assert_eq!(codes::decode(&Picture::default().grey(text), Effort::Frame), [text]);
}

#[test]
fn a_still_gives_every_code_in_it() {
    let one = Picture { module: 4.0, side: 240, ..Picture::default() };
    let (left, right) = (one.rgba("the first code"), one.rgba("the second code"));
    let rows = left.chunks(240 * 4).zip(right.chunks(240 * 4));
    let both: Vec<u8> = rows.flat_map(|(left, right)| [left, right].concat()).collect();
    let image = Grey::from_rgba(&both, 480, 240).unwrap();
    let mut texts = codes::decode(&image, Effort::Still);
    texts.sort();
    assert_eq!(texts, ["the first code", "the second code"]);
}

#[test]
fn where_no_code_is_none_is_read() {
    for value in [0, 127, 255] {
        for (width, height) in [(1_u16, 1_u16), (7, 300), (21, 21), (320, 240)] {
            let rgba = vec![value; usize::from(width) * usize::from(height) * 4];
            let image = Grey::from_rgba(&rgba, width.into(), height.into());
            for effort in [Effort::Frame, Effort::Still] {
                assert!(codes::decode(image.as_ref().unwrap(), effort).is_empty());
            }
        }
    }
}

#[test]
fn bytes_that_do_not_fit_the_size_are_no_image() {
    for (bytes, width, height) in [
        (0, 0, 0),
        (0, 1, 1),
        (4, 0, 1),
        (3, 1, 1),
        (5, 1, 1),
        (0, u32::MAX, u32::MAX),
        (16, u32::MAX, 1),
        (4, 1 << 31, 2),
    ] {
        assert_eq!(Grey::from_rgba(&vec![0; bytes], width, height), None, "{bytes}: {width} x {height}");
    }
    assert_eq!(Grey::from_rgba(&vec![0; (MAX_PIXELS + 4096) * 4], 4096, 4097), None);
}

#[test]
fn a_file_is_read_for_the_page() {
    let file = b"otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQ\nsomething else\n";
    for format in ["", "uris"] {
        let (code, json) = read_import(file, format, None).unwrap();
        let import = Import::from_json(&json).unwrap();
        assert_eq!((code, import.found.len(), import.unread.len()), ("uris", 1, 1));
    }
    assert_eq!(read_import(b"hello", "", None), Err("unknown_format"));
    assert_eq!(read_import(file, "nothing", None), Err("unknown_format"));
    assert_eq!(read_import(file, "aegis", None), Err("malformed"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_reader_panic(
        bytes in prop::collection::vec(prop::sample::select(vec![0_u8, 255, 90, 160]), 64), width in 1..90_u32, height in 1..90_u32, noise in 0..200_u8,
    ) {
        let count = (width * height) as usize;
        let pixel = |at: usize| bytes[at / 3 % 64].wrapping_add(at.to_le_bytes()[0].wrapping_mul(31) % noise.max(1));
        let rgba: Vec<u8> = (0..count).flat_map(|at| [pixel(at), pixel(at), pixel(at), 255]).collect();
        let image = Grey::from_rgba(&rgba, width, height).unwrap();
        let _ = codes::decode(&image, Effort::Frame);
        let _ = codes::decode(&image, Effort::Still);
    }

    #[test]
    fn no_damage_to_a_code_makes_a_reader_panic(holes in prop::collection::vec((0..160_usize, 0..160_usize, 1..40_usize, any::<u8>()), 0..6)) {
        let picture = Picture { module: 3.0, side: 160, ..Picture::default() };
        let mut rgba = picture.rgba(TEXT);
        for (left, top, size, value) in holes {
            for y in top..(top + size).min(160) {
                for x in left..(left + size).min(160) {
                    rgba[(y * 160 + x) * 4..][..3].fill(value);
                }
            }
        }
        let image = Grey::from_rgba(&rgba, 160, 160).unwrap();
        for text in codes::decode(&image, Effort::Frame) {
            prop_assert_eq!(text, TEXT, "read wrongly");
        }
        let _ = codes::decode(&image, Effort::Still);
    }
}
