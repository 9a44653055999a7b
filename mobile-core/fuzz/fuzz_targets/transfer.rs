//! Any bytes are read or refused in every format, and what was taken over once is not taken again. What is read is handed over whole,
//! and any bytes are refused or are a whole import there, too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mobile_core::transfer::{Format, Import, Status, read};
use mobile_core::vault::Content;

fuzz_target!(|bytes: &[u8]| {
    let _ = Format::detect(bytes);
    if let Ok(import) = Import::from_json(bytes) {
        assert!(Import::from_json(&import.to_json()).is_ok());
    }
    for format in Format::ALL {
        // Without a password: trying one takes the time that its cost says, and finds nothing.
        let Ok(import) = read(bytes, format, None) else { continue };
        let handed = import.to_json();
        let taken = Import::from_json(&handed).expect("what was written is read");
        assert_eq!(taken.to_json(), handed);
        assert_eq!(taken.found.len(), import.found.len());
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
