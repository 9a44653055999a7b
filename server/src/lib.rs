//! Countersign: a self-hosted second-factor service. `http` -> `app` -> `domain`, `db`, `crypto`; all -> `mobile_core`.
//! The way of a code through these floors stands in `docs/ARCHITECTURE.md`.

pub mod app;
pub mod cli;
pub mod clock;
pub mod crypto;
pub mod db;
pub mod domain;
pub mod error;
pub mod http;
pub mod mail;
pub mod random;
pub mod settings;
pub mod text;
