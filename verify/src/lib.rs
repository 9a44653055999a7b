//! Checks Countersign's access tokens in the application, without asking the server about each one.
//!
//! ```no_run
//! use countersign_verify::{Check, Verifier};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let verifier = Verifier::builder("https://login.example").audience("https://notes.example").build()?;
//! # let token = "";
//! let claims = verifier.verify(token, &Check::new().scope("notes:read"))?;
//! println!("{} may read notes", claims.subject());
//! # Ok(())
//! # }
//! ```
//!
//! It checks what RFC 9068 s4 and RFC 8725 ask for, and refuses what two readers could read in two ways: members that stand
//! twice, other spellings of one signature. It fetches the issuer's keys and its signed list of revocations, keeps both for a
//! while, and goes on with the old ones for a stated time when the issuer cannot be reached. A token that was taken back is
//! refused about a minute later ([`Builder::revocations_max_age`]).
//!
//! What it does not know: whether a one-use token was spent (they are opaque; ask for introspection), and anything younger than
//! its last list.
//!
//! Features: `fetch` (default) fetches over HTTP; without it, hand over a [`Source`]. `actix` adds an extractor for actix-web.

#[cfg(feature = "actix")]
pub mod actix;
mod cache;
mod check;
mod claims;
mod clock;
mod error;
mod jose;
mod keys;
mod revocations;
mod source;
mod strict;
mod verifier;

pub use check::Check;
pub use claims::Claims;
pub use clock::{Clock, Moment, SystemClock};
pub use error::{Error, InvalidSetting, StepUp};
pub use source::{DOCUMENT_BYTES, Document, Source, Unreachable};
pub use verifier::{Builder, RevocationPolicy, TOKEN_CHARS, Verifier};
