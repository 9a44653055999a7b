//! Keys and what is done with them. Secrets at rest: XChaCha20-Poly1305. Tokens at rest: keyed hashes.
//! Passwords: Argon2id. Signatures: Ed25519 by aws-lc-rs.

pub mod keyed_hash;
pub mod master_key;
pub mod password;
pub mod pkce;
pub mod seal;
pub mod signing;
