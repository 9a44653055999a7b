//! The browser's side of things: what the scripts in `static/` offer, with Rust's types.
//!
//! Refusals come as short words ("offline", "full", "cancelled"), which [`crate::trouble::Trouble`] knows.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{Blob, HtmlVideoElement, ImageData};

/// `store.js`: the vault's file.
#[wasm_bindgen(raw_module = "./store.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = load)]
    pub(crate) async fn load_file() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = save)]
    pub(crate) async fn save_file(
        file: Uint8Array,
        revision: f64,
        expected: f64,
        forget: bool,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = restore)]
    pub(crate) async fn restore_previous() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = erase)]
    pub(crate) async fn erase_files() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub(crate) async fn persist() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = watch)]
    pub(crate) fn watch_files(saved: &Closure<dyn FnMut()>);
}

/// `jobs.js`: the worker.
#[wasm_bindgen(raw_module = "./jobs.js")]
extern "C" {
    #[wasm_bindgen(catch)]
    pub(crate) async fn job(kind: &str, arguments: Array, transfer: Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = end)]
    pub(crate) fn end_jobs();
}

/// `device.js`: the device's own lock.
#[wasm_bindgen(raw_module = "./device.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = available)]
    pub(crate) async fn device_available() -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = enrol)]
    pub(crate) async fn enrol_device(input: Uint8Array) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch, js_name = unlock)]
    pub(crate) async fn ask_device(slots: Array) -> Result<JsValue, JsValue>;
}

/// `camera.js`: pictures.
#[wasm_bindgen(raw_module = "./camera.js")]
extern "C" {
    #[wasm_bindgen(catch, js_name = start)]
    pub(crate) async fn start_camera(video: &HtmlVideoElement, device: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = stop)]
    pub(crate) fn stop_camera();
    #[wasm_bindgen(catch, js_name = light)]
    pub(crate) async fn camera_light(on: bool) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = frame)]
    pub(crate) fn camera_frame(video: &HtmlVideoElement) -> Option<ImageData>;
    #[wasm_bindgen(catch)]
    pub(crate) async fn picture(file: &Blob) -> Result<JsValue, JsValue>;
}

/// `page.js`: the page and its surroundings.
#[wasm_bindgen(raw_module = "./page.js")]
extern "C" {
    pub(crate) fn composed(text: &str) -> String;
    pub(crate) fn normalized(text: &str) -> Vec<u8>;
    #[wasm_bindgen(catch)]
    pub(crate) async fn copy(text: &str, seconds: u32) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub(crate) async fn pasted() -> Result<JsValue, JsValue>;
    pub(crate) fn take_pastes(take: Option<&Closure<dyn FnMut(JsValue)>>);
    pub(crate) fn buzz();
    fn steady() -> f64;
    pub(crate) fn reveal(id: &str);
    pub(crate) fn focus(id: &str);
    // Rust's own would bring Unicode's tables along.
    pub(crate) fn lower(text: &str) -> String;
    #[wasm_bindgen(catch)]
    pub(crate) async fn bytes(file: &Blob) -> Result<JsValue, JsValue>;
    pub(crate) fn download(name: &str, kind: &str, content: Uint8Array);
    pub(crate) fn handed_over() -> Option<String>;
    pub(crate) fn deeper(depth: u32);
    pub(crate) fn shallower(steps: u32);
    pub(crate) fn turned();
    pub(crate) fn watch_history(popped: &Closure<dyn FnMut(u32)>);
    #[wasm_bindgen(catch)]
    pub(crate) async fn install() -> Result<JsValue, JsValue>;
    pub(crate) fn can_install() -> bool;
    #[wasm_bindgen(catch)]
    pub(crate) async fn release(message: JsValue) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub(crate) async fn ask(url: &str, body: Option<String>) -> Result<JsValue, JsValue>;
}

/// The member `name` of a JavaScript object, `undefined` where there is none.
pub(crate) fn member(value: &JsValue, name: &str) -> JsValue {
    js_sys::Reflect::get(value, &name.into()).unwrap_or_default()
}

/// The items of a JavaScript array.
pub(crate) fn items(value: &JsValue) -> Vec<JsValue> {
    Array::from(value).to_vec()
}

/// The bytes of an `Uint8Array`.
pub(crate) fn to_bytes(value: &JsValue) -> Vec<u8> {
    Uint8Array::new(value).to_vec()
}

/// A number without its fraction.
#[expect(clippy::cast_possible_truncation, reason = "what does not fit becomes the nearest that does")]
pub(crate) fn integer(value: &JsValue) -> Option<i64> {
    value.as_f64().filter(|number| number.is_finite()).map(|number| number as i64)
}

/// This device's clock, in milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> i64 {
    integer(&js_sys::Date::now().into()).unwrap_or_default()
}

/// The milliseconds since the page was loaded, by a clock that nobody sets. It may stand still while the device sleeps.
pub(crate) fn steady_ms() -> i64 {
    integer(&steady().into()).unwrap_or_default()
}

/// So many random bytes from the browser's generator.
#[expect(clippy::disallowed_methods, reason = "the one door through which randomness comes in")]
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("browsers have a random generator");
    bytes
}
