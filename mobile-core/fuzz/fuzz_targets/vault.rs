//! Any bytes are refused, or are a vault that no key at hand opens; a plain vault that is read is written and read again
//! unchanged.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mobile_core::vault::{DeviceKey, Locked, Vault, read_plain, write_plain};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(locked) = Locked::read(bytes) {
        assert!((1..=Vault::MAX_SLOTS).contains(&locked.slots().len()));
        assert!(locked.open(&DeviceKey::new([7; 32])).is_err());
    }
    let plain = [b"countersign vault 1, NOT ENCRYPTED\n", bytes].concat();
    if let Ok(content) = read_plain(&plain) {
        let written = write_plain(&content).expect("it was within the bounds");
        assert_eq!(read_plain(&written).as_ref(), Ok(&content));
    }
});
