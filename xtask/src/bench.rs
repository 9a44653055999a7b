//! `cargo xtask bench`: runs the server's example `bench` against a server of its own.

use crate::Failure;
use crate::command::{cargo, show};
use crate::run::{Built, Profile, build};

/// Builds the program as it is shipped and runs the example, which takes `arguments`.
pub(crate) fn bench(arguments: &[&str]) -> Result<(), Failure> {
    let Built { server, features } = build(Profile::Release)?;
    let server = server.to_string_lossy();
    let own = ["--release", "--example", "bench", "--", "--binary", &server];
    Ok(show(&mut cargo(&[&["run", "-p", "countersign"], features, &own, arguments].concat()))?)
}
