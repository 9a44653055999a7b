//! The project's own commands, in Rust so that a clone needs nothing but Cargo: `cargo xtask help`.
//!
//! This file is the command table; each command is a file of its own. No dependencies, because everybody waits for this
//! crate to compile before anything else happens.

#![allow(
    clippy::disallowed_methods,
    reason = "a build tool looks at the clock and the environment; the server may not"
)]

mod architecture;
mod bench;
mod command;
mod demo;
mod needs;
mod phone;
mod run;
mod test;

use std::env;
use std::process::ExitCode;

const HELP: &str = "\
cargo xtask COMMAND

  run [--release] [-- SERVER ARGS]   build and start Countersign on SQLite in ./data, and say what to try next
  phone                              build the phone app into web/phone/dist, which servers serve at /phone/
  demo [--url URL]                   play the whole story against the running server, showing requests and replies
  test                               everything that must hold before a change is kept
  test STEP                          one step of it: needs, format, lints, architecture, phone, tests, docs, wasm,
                                     licences
  test it [FILTER]                   the server's integration tests alone, all or those whose name contains FILTER
  bench [--seconds S] [--only PART,...] [--enrolments N,...] [--write FOLDER]
                                     how fast the server is, against the machine's limits in the same run
  check                              the same as `test architecture`
  help                               this text
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["run", rest @ ..] => run::run(rest),
        ["demo", rest @ ..] => demo::demo(rest),
        ["bench", rest @ ..] => bench::bench(rest),
        ["phone", rest @ ..] => phone::phone(rest),
        ["test", rest @ ..] => test::test(rest),
        ["check"] => test::test(&["architecture"]),
        ["help" | "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        [run::NARRATE, rest @ ..] => run::narrate(rest),
        [] => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
        _ => Err(Failure::Usage(format!("`{}` is not a command; see `cargo xtask help`", words.join(" ")))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::from(2)
        }
        Err(Failure::Failed(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Why a command did not do what it was asked to. One line each, for people.
enum Failure {
    /// The command line makes no sense: exit code 2.
    Usage(String),
    /// Something did not work or did not hold: exit code 1.
    Failed(String),
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Failed(why)
    }
}
