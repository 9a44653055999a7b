//! `cargo xtask run`: build the server, start it, and say what to do next.
//!
//! 1. Look for a C compiler (needed) and libpq (wanted); install what is missing if this program may.
//! 2. Build the phone app, which needs Rust's WebAssembly target. Without that: go on without the app, and say so.
//! 3. Build. Without libpq: without PostgreSQL, and say so.
//! 4. Start a second copy of this program, the *narrator*, which reads the server's standard output from a pipe.
//! 5. *Become* the server. So Ctrl-C, signals and the exit code are the server's own, with nothing between it and the
//!    terminal that could die first and leave it running.
//! 6. The narrator passes the server's lines on; after `listening on URL` it adds the walkthrough.

use std::env;
use std::io::{self, BufRead as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;
use crate::command::{cargo, program, quoted, root, show, target_folder};
use crate::{needs, phone};

/// The narrator's command: for this program's own use, so not in the help.
pub(crate) const NARRATE: &str = "narrate";

const WALKTHROUGH: &str = include_str!("walkthrough.txt");

/// What the server and the later commands of the walkthrough must agree on: flag, variable, and the value that both take
/// when neither is given (`None`: no need to mention it).
const SHARED_SETTINGS: &[(&str, &str)] = &[
    ("--data", "COUNTERSIGN_DATA"),
    ("--database", "COUNTERSIGN_DATABASE"),
    ("--master-key-file", "COUNTERSIGN_MASTER_KEY_FILE"),
];

/// Builds and becomes the server; returns only if that fails.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let (profile, server_arguments) = match arguments {
        [] => (Profile::Dev, &[][..]),
        ["--", rest @ ..] => (Profile::Dev, rest),
        ["--release"] => (Profile::Release, &[][..]),
        ["--release", "--", rest @ ..] => (Profile::Release, rest),
        [other, ..] => {
            return Err(Failure::Usage(format!(
                "`{other}`: after `run` comes --release or nothing; the server's own arguments stand behind `--`"
            )));
        }
    };
    build_phone_app()?;
    let Built { server, .. } = build(profile)?;
    let settings = settings(server_arguments, |name| env::var(name).ok());
    let mut serve = program(&server, &["serve"]);
    if !settings.iter().any(|(name, _)| *name == "COUNTERSIGN_DATA") {
        serve.args(["--data", "./data"]);
    }
    serve.args(server_arguments);
    println!("$ {} {}", quoted(&shown(&server)), words(&serve));
    Err(Failure::Failed(become_server(serve, &server, &settings)))
}

/// Which of Cargo's profiles to build in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build; the cryptography is optimised all the same.
    Dev,
    /// As it is shipped.
    Release,
}

/// A finished build.
pub(crate) struct Built {
    /// The server's program.
    pub(crate) server: PathBuf,
    /// The feature flags it was built with.
    pub(crate) features: &'static [&'static str],
}

/// Builds the server, with PostgreSQL support if this machine can.
pub(crate) fn build(profile: Profile) -> Result<Built, String> {
    needs::ensure(&[needs::C_COMPILER])?;
    let features = features();
    let release: &[&str] = if profile == Profile::Release { &["--release"] } else { &[] };
    show(&mut cargo(&[&["build", "-p", "countersign"], features, release].concat()))?;
    let folder = if profile == Profile::Release { "release" } else { "debug" };
    Ok(Built { server: target_folder()?.join(folder).join("countersign"), features })
}

/// Builds the phone app if this machine can; else says why not.
fn build_phone_app() -> Result<(), String> {
    match needs::ensure(&[needs::WASM]) {
        Ok(()) => phone::build(),
        Err(why) => {
            println!("the phone app is not built: {why}. Everything else works without.");
            Ok(())
        }
    }
}

/// The feature flags that this machine can build, after saying what it cannot.
fn features() -> &'static [&'static str] {
    match needs::ensure(&[needs::LIBPQ]) {
        Ok(()) => &[],
        Err(why) => {
            println!("built without PostgreSQL: {why}. SQLite is all that the walkthrough needs.");
            &["--no-default-features"]
        }
    }
}

/// The settings that the later commands must repeat, from the server's arguments or else the environment.
fn settings(arguments: &[&str], variable: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    let given = |flag: &str| {
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.strip_prefix(flag) {
                Some("") => return words.next().map(|value| (*value).to_owned()),
                Some(rest) if rest.starts_with('=') => return Some(rest[1..].to_owned()),
                _ => {}
            }
        }
        None
    };
    let value = |(flag, name): &(&str, &'static str)| Some((*name, given(flag).or_else(|| variable(name))?));
    SHARED_SETTINGS.iter().filter_map(value).collect()
}

/// Starts the narrator and turns this process into the server. Returns why that was not possible.
fn become_server(mut serve: Command, server: &Path, settings: &[(&str, String)]) -> String {
    let me = match env::current_exe() {
        Ok(me) => me,
        Err(error) => return format!("this program cannot find itself: {error}"),
    };
    let mut narrator = program(me, &[NARRATE]);
    narrator.arg(shown(server)).args(settings.iter().map(|(name, value)| format!("{name}={value}")));
    // In a process group of its own, Ctrl-C does not reach it: it reads on until the server has said its last word.
    match narrator.stdin(Stdio::piped()).process_group(0).spawn() {
        Ok(narrator) => {
            let pipe = narrator.stdin.expect("its standard input was asked to be a pipe");
            let error = serve.stdout(pipe).exec();
            format!("`{}` cannot be started: {error}", server.display())
        }
        Err(error) => format!("the narrator cannot be started: {error}"),
    }
}

/// The narrator: `BINARY [VARIABLE=VALUE...]`. Copies standard input to standard output, and after the line
/// `listening on URL` adds the walkthrough.
pub(crate) fn narrate(arguments: &[&str]) -> Result<(), Failure> {
    let [server, settings @ ..] = arguments else {
        return Err(Failure::Usage(format!("`{NARRATE}` is for this program's own use")));
    };
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| format!("the server's output cannot be read: {error}"))?;
        let told = match line.strip_prefix("listening on ") {
            Some(url) => writeln!(out, "{line}\n\n{}", walkthrough(server, url.trim(), settings)),
            None => writeln!(out, "{line}"),
        };
        told.and_then(|()| out.flush()).map_err(|error| format!("standard output: {error}"))?;
    }
    Ok(())
}

/// The text with its blanks filled in.
fn walkthrough(server: &str, url: &str, settings: &[&str]) -> String {
    let mut exports = String::new();
    for (name, value) in settings.iter().filter_map(|setting| setting.split_once('=')) {
        exports.extend(["\nexport ", name, "=", &quoted(value)]);
    }
    WALKTHROUGH
        .replace("@BINARY@", &quoted(server))
        .replace("@URL@", &quoted(url))
        .replace("@EXPORTS@", &exports)
}

/// The path as one types it from the root of the workspace.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).to_string_lossy().into_owned()
}

fn words(command: &Command) -> String {
    command.get_args().map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blank_of_the_walkthrough_is_filled() {
        let text = walkthrough(
            "target/debug/countersign",
            "http://localhost:8080",
            &["COUNTERSIGN_DATA=/srv/my data"],
        );
        assert!(!text.contains('@'), "{text}");
        assert!(text.contains("B=target/debug/countersign\n"), "{text}");
        assert!(text.contains("URL=http://localhost:8080\n"), "{text}");
        assert!(text.contains("\nexport COUNTERSIGN_DATA='/srv/my data'\n"), "{text}");
        for line in text.lines() {
            assert!(!line.ends_with(' '), "blanks at the end of {line:?}");
        }
    }

    #[test]
    fn the_walkthrough_repeats_what_the_server_was_told() {
        let from_flags =
            settings(&["--listen", "127.0.0.1:1", "--data=/a", "--database", "postgres://x"], |_| None);
        let expected =
            [("COUNTERSIGN_DATA", "/a".to_owned()), ("COUNTERSIGN_DATABASE", "postgres://x".to_owned())];
        assert_eq!(from_flags, expected);
        let from_variables = settings(&[], |name| (name == "COUNTERSIGN_DATA").then(|| "/b".to_owned()));
        assert_eq!(from_variables, [("COUNTERSIGN_DATA", "/b".to_owned())]);
        assert_eq!(settings(&[], |_| None), []);
    }

    #[test]
    fn server_arguments_stand_behind_two_dashes() {
        assert!(matches!(run(&["--listen", "127.0.0.1:1"]), Err(Failure::Usage(_))));
        assert!(matches!(run(&["--debug"]), Err(Failure::Usage(_))));
    }
}
