//! `cargo xtask demo`: plays the server's example `demo` against a running server.

use crate::Failure;
use crate::command::{cargo, show};
use crate::run::{Built, Profile, build};

/// Builds the program (the operator's part of the play) and runs the example, which takes `arguments`.
pub(crate) fn demo(arguments: &[&str]) -> Result<(), Failure> {
    let Built { server, features } = build(Profile::Dev)?;
    let server = server.to_string_lossy();
    let own = ["--example", "demo", "--", "--binary", &server];
    Ok(show(&mut cargo(&[&["run", "-p", "countersign"], features, &own, arguments].concat()))?)
}
