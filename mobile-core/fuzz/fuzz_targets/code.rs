//! Exactly the texts of six to eight ASCII digits, with blanks and tabs anywhere, are codes; a secret's text
//! goes there and back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mobile_core::{Code, Secret};

fuzz_target!(|text: &str| {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '\t')).collect();
    let is_code = (6..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    match Code::parse(text) {
        Ok(code) => assert!(is_code && code.as_str() == digits && code.matches(&code.clone())),
        Err(_) => assert!(!is_code),
    }
    if let Ok(secret) = Secret::parse(text) {
        assert!((1..=Secret::MAX_BYTES).contains(&secret.len()));
        assert_eq!(Secret::parse(&secret.to_base32()).as_ref(), Ok(&secret));
    }
});
