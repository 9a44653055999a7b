//! One-time passwords and the way they travel, without any input or output.
//!
//! The server and the phone app must agree on every digit, so both call this crate. It has no clock, no
//! randomness and no files: the caller brings the time, the bytes and the text, and gets values back. That
//! keeps every rule testable by a table and lets the same code run in a browser (`wasm32-unknown-unknown`).
//!
//! The way through it:
//! 1. [`Secret`] is the shared key, [`KeyUri`] the `otpauth://` text of the QR code that carries it.
//! 2. [`Code`] is what a person types: six to eight digits.
//! 3. [`Totp`] (RFC 6238) and [`Hotp`] (RFC 4226) say which [`Step`] or [`Counter`] a code belongs to, never
//!    one that was accepted before. *Remembering* the accepted one is the caller's part.
//! 4. [`Origin`] says which server a URI came from, and [`phone`] how a phone asks that server about its factor.
//!
//! ```
//! use mobile_core::{Code, KeyUri, Totp, Window};
//!
//! let text = "otpauth://totp/Example:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
//! let (key, tolerated) = KeyUri::parse(text)?;
//! assert!(tolerated.is_empty());
//!
//! let totp = Totp::default();
//! let now = totp.step_at(1_111_111_109);
//! let code = Code::parse("081 804")?;
//! let accepted = totp.check(key.secret(), &code, now, Window::default(), None);
//! assert_eq!(accepted, Some(now));
//! assert_eq!(totp.check(key.secret(), &code, now, Window::default(), accepted), None, "never twice");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Two parts are for the phone alone and off by default: the feature `vault` is the phone's encrypted file, `transfer` reads
//! and writes the files of other apps.
//!
//! Nothing here panics, whatever the input, and steps and counters never wrap round.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[cfg(feature = "transfer")]
mod base64;
mod code;
#[cfg(feature = "vault")]
mod hex;
mod hotp;
#[cfg(feature = "vault")]
mod json;
mod origin;
mod parameters;
pub mod phone;
mod search;
mod secret;
mod steam;
mod totp;
#[cfg(feature = "transfer")]
pub mod transfer;
mod uri;
#[cfg(feature = "vault")]
pub mod vault;

pub use code::{Code, CodeError};
pub use hotp::Hotp;
pub use origin::Origin;
pub use parameters::{Algorithm, Counter, Digits, ParameterError, Period, Step};
pub use secret::{Secret, SecretError};
pub use steam::{Steam, SteamCode};
pub use totp::{Totp, Window};
pub use uri::{Field, KeyUri, KeyUriError, Kind, Tolerance};

/// A string that is wiped when dropped; what a secret or a URI that holds one is handed out in.
pub use zeroize::Zeroizing;
