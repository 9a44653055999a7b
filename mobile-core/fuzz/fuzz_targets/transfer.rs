//! Any bytes are read or refused in every format, and what was taken over once is not taken again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mobile_core::transfer::{Format, Status, read};
use mobile_core::vault::Content;

fuzz_target!(|bytes: &[u8]| {
    let _ = Format::detect(bytes);
    for format in Format::ALL {
        // Without a password: trying one takes the time that its cost says, and finds nothing.
        let Ok(import) = read(bytes, format, None) else { continue };
        let mut content = Content::default();
        let mut number = 0_u128;
        let id = || {
            number += 1;
            number.to_be_bytes()
        };
        let preview = import.clone().preview(&content);
        assert_eq!(preview.items.len(), import.found.len());
        preview.apply(&mut content, 0, id, |item| item.status.usual()).expect("there is room");
        assert!(
            import.preview(&content).items.iter().all(|item| matches!(item.status, Status::Duplicate(_)))
        );
    }
});
