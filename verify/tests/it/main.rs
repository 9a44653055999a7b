//! What the verifier promises, from outside: with real keys, an issuer in memory, and a clock that is moved by hand.

#[cfg(feature = "actix")]
mod extractor;
mod issuer;
mod keys;
#[cfg(feature = "fetch")]
mod loopback;
mod requirements;
mod revocations;
mod settings;
mod token;
