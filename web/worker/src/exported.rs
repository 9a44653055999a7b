//! The functions that JavaScript sees. Errors are thrown as strings: stable codes, and never a part of the input.

use js_sys::{Array, Uint8Array};
use mobile_core::Zeroizing;
use mobile_core::vault::{Cost, Passphrase, Stretch, VaultError};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::codes::{self, Effort};
use crate::image::Grey;
use crate::{cost, import};

/// Argon2id of a passphrase: UTF-8 in Unicode's form NFC. Throws the codes of `docs/spec/vault.md`, and `salt` where that has
/// not 16 bytes.
#[wasm_bindgen]
pub fn stretch(
    passphrase: Vec<u8>,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: &[u8],
) -> Result<Uint8Array, JsValue> {
    let passphrase = Zeroizing::new(passphrase);
    let text = core::str::from_utf8(&passphrase).map_err(|_| "passphrase")?;
    let salt = salt.try_into().map_err(|_| "salt")?;
    let key = Passphrase::new(text).and_then(|passphrase| {
        passphrase.stretch(&Stretch::new(Cost::new(memory_kib, passes, lanes)?, salt))
    });
    let key = key.map_err(VaultError::code)?;
    Ok(Uint8Array::from(key.expose().as_slice()))
}

/// The texts of QR codes in an image of red, green, blue and opacity; an effort of 0 is [`Effort::Frame`], one of 1
/// [`Effort::Still`]. Throws `image` where the bytes are not as many as the size says, or too many.
#[wasm_bindgen]
pub fn decode(pixels: &[u8], width: u32, height: u32, effort: u8) -> Result<Vec<String>, JsValue> {
    let effort = if effort == 0 { Effort::Frame } else { Effort::Still };
    let image = Grey::from_rgba(pixels, width, height).ok_or("image")?;
    Ok(codes::decode(&image, effort))
}

/// Reads another app's file: an array of the format's code and the bytes of `Import::to_json`. A format of `""` is looked for;
/// throws `unknown_format` and the codes of `docs/spec/transfer.md`.
#[wasm_bindgen]
pub fn read_import(file: Vec<u8>, format: &str, password: Option<String>) -> Result<Array, JsValue> {
    let (file, password) = (Zeroizing::new(file), password.map(Zeroizing::new));
    let (format, json) = import::read_import(&file, format, password.as_ref().map(|text| text.as_str()))?;
    Ok(Array::of2(&format.into(), &Uint8Array::from(json.as_slice())))
}

/// Memory in KiB, passes and lanes for a new passphrase, where [`trial`] took so many milliseconds, or had not the memory.
#[wasm_bindgen]
pub fn pick_cost(trial_millis: Option<f64>) -> Vec<u32> {
    let (memory, passes, lanes) = cost::pick(trial_millis).get();
    vec![memory, passes, lanes]
}

/// What is timed for [`pick_cost`]: one pass of Argon2id over 64 MiB.
#[wasm_bindgen]
pub fn trial() -> Result<(), JsValue> {
    let cost = Cost::new(cost::TRIAL_KIB, 1, 1);
    let key = cost.and_then(|cost| Passphrase::new("trial")?.stretch(&Stretch::new(cost, [0; 16])));
    Ok(key.map(drop).map_err(VaultError::code)?)
}
