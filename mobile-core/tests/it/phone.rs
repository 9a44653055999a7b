//! The proofs of `docs/spec/phone.md`.
//!
//! The numbers come from Python's `hmac` and `hashlib`, which share no code with ours:
//! `key = hmac.new(secret, b"countersign phone key 1", "sha256").digest()`, then
//! `hmac.new(key, bytes([purpose]) + factor + seconds.to_bytes(8, "big") + code, "sha256")`.

use mobile_core::Secret;
use mobile_core::phone::{PhoneKey, Purpose};
use proptest::prelude::*;

use super::{cases, rfc_secret};

/// 0192f0c1-2345-7abc-8def-0123456789ab
const FACTOR: [u8; 16] = 0x0192_f0c1_2345_7abc_8def_0123_4567_89ab_u128.to_be_bytes();

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[test]
fn keys_are_those_of_another_implementation() {
    for (secret, key) in [
        (rfc_secret(20), "b4d4854fa1bcdec6a95a4aa395b5b5fff7f47f4d1b074242e702c52c65009354"),
        (
            Secret::from_bytes(&std::array::from_fn::<u8, 128, _>(|index| u8::try_from(index).unwrap()))
                .unwrap(),
            "22babedbc097f91fd84c423b5dc82ccadf125d8d6fed266c812bf584856c9937",
        ),
    ] {
        assert_eq!(hex(PhoneKey::of(&secret).expose()), key);
    }
}

#[test]
fn proofs_are_those_of_another_implementation() {
    let key = PhoneKey::of(&rfc_secret(20));
    let kept = PhoneKey::from_bytes(*key.expose());
    for (purpose, unix_seconds, code, proof) in [
        (
            Purpose::Status,
            1_772_366_410,
            "",
            "d3a1884276345d98ec1b7b181c0c1429fbe5b22a57f0e5785d98a32bc409c8a9",
        ),
        (
            Purpose::Confirm,
            1_772_366_410,
            "123456",
            "ae9e5a9ef5e8ee2d5d78f356decae4f2710cc89037504f13418d1fa71d197b33",
        ),
        (
            Purpose::Confirm,
            u64::MAX,
            "12345678",
            "9ea1a1e858d04e42c9f8d802be19ee37aaf0878ddc45d4b8a203845fc07b1b21",
        ),
        (Purpose::Status, 0, "", "02c36c6b0cc2435c2fb4bef3cdf5c063444c3f832b36daed37fbbabc74d7cc01"),
    ] {
        let made = key.proof(purpose, FACTOR, unix_seconds, code);
        assert_eq!(hex(&made), proof);
        assert!(kept.verify(purpose, FACTOR, unix_seconds, code, &made));
    }
}

#[test]
fn a_key_shows_nothing_of_itself() {
    assert_eq!(format!("{:?}", PhoneKey::of(&rfc_secret(20))), "PhoneKey(…)");
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a_proof_is_good_for_what_it_was_made_for_and_nothing_else(
        secret in prop::collection::vec(any::<u8>(), 1..=Secret::MAX_BYTES),
        factor: [u8; 16],
        unix_seconds: u64,
        code in "[0-9]{6,8}",
        place in 0..32_usize,
        bit in 0..8_u8,
    ) {
        let key = PhoneKey::of(&Secret::from_bytes(&secret).unwrap());
        let proof = key.proof(Purpose::Confirm, factor, unix_seconds, &code);
        let holds = |purpose, factor, seconds, code: &str| key.verify(purpose, factor, seconds, code, &proof);
        prop_assert!(holds(Purpose::Confirm, factor, unix_seconds, &code));
        prop_assert!(!holds(Purpose::Status, factor, unix_seconds, &code));
        prop_assert!(!holds(Purpose::Confirm, factor, unix_seconds ^ 1, &code));
        prop_assert!(!holds(Purpose::Confirm, factor, unix_seconds, &code[1..]));
        prop_assert!(!holds(Purpose::Confirm, factor, unix_seconds, ""));
        let mut other = factor;
        other[place / 2] ^= 1 << bit;
        prop_assert!(!holds(Purpose::Confirm, other, unix_seconds, &code));
        let mut altered = proof;
        altered[place] ^= 1 << bit;
        prop_assert!(!key.verify(Purpose::Confirm, factor, unix_seconds, &code, &altered));
        let mut secret = secret;
        secret[0] ^= 1 << bit;
        let stranger = PhoneKey::of(&Secret::from_bytes(&secret).unwrap());
        prop_assert!(!stranger.verify(Purpose::Confirm, factor, unix_seconds, &code, &proof));
    }
}
