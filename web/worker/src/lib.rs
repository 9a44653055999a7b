//! What the phone app runs in its Web Worker: all that takes long, or that reads what strangers made.
//!
//! `worker.js` beside this crate calls the functions of [`exported`] and says what it does in `README.md`. They are thin: what
//! they do stands in the other modules, without JavaScript, and is tested on any machine. A trap in here ends the worker and
//! not the page.

pub mod codes;
pub mod cost;
pub mod exported;
pub mod image;
pub mod import;
