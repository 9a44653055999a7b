//! Any text is refused or settles: what was read can be written, and reading that gives the same with nothing
//! tolerated.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mobile_core::KeyUri;

fuzz_target!(|text: &str| {
    match KeyUri::parse(text) {
        Ok((key, tolerances)) => {
            assert!(tolerances.is_sorted_by(|a, b| a < b), "each once and in order");
            let written = key.to_uri();
            assert!(written.is_ascii() && written.len() <= KeyUri::MAX_BYTES);
            assert_eq!(KeyUri::parse(&written), Ok((key, vec![])));
        }
        Err(error) => {
            let message = error.to_string();
            assert!(message.starts_with(error.field().as_str()), "names its field");
        }
    }
});
