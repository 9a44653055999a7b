//! What people do. Every function here owns its transaction, is synchronous, and is handed the connection and the time.
//!
//! `context`, `client_auth`, `bearer` and `issue` are the ground that the others stand on.

pub mod access;
pub mod audit;
pub mod authorization_code;
pub mod authorize;
pub mod backup;
pub mod bearer;
pub mod client;
pub mod client_auth;
pub mod client_credentials;
pub mod console;
pub mod context;
pub mod directory;
pub mod doctor;
pub mod end_session;
pub mod factor;
pub mod health;
pub mod introspect;
pub mod invitation;
pub mod issue;
pub mod key;
pub mod log_file;
pub mod login;
pub mod manage;
pub mod master_key;
pub mod otp;
pub mod outbox;
pub mod overview;
pub mod phone;
pub mod profile;
pub mod recovery_code;
pub mod refresh;
pub mod relocation;
pub mod reset;
pub mod restore;
pub mod revocation;
pub mod revoke;
pub mod session;
pub mod start;
pub mod sweep;
pub mod user;
pub mod userinfo;
pub mod verify;
