//! Starting other programs, always from the root of the workspace and never without showing what is started.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

/// The root of the workspace: the folder above this crate.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in a folder of the workspace")
}

/// `program` with `arguments`, to be run from the root.
pub(crate) fn program<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[A]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Cargo with `arguments`.
///
/// `cargo run` tells this program about its own package through variables. They are kept from the inner Cargo, so that
/// build scripts see the same environment as when a developer calls Cargo by hand, and nothing is built twice.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: &[A]) -> Command {
    let mut command = program(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")), arguments);
    let foreign =
        |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|own| name.starts_with(own));
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(foreign)) {
        command.env_remove(name);
    }
    command
}

/// Shows the command, runs it with this terminal, and demands that it succeeds.
pub(crate) fn show(command: &mut Command) -> Result<(), String> {
    println!("$ {}", line(command));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("`{}` ended with {status}", line(command))),
        Err(error) => Err(cannot_start(command, &error)),
    }
}

/// Runs it silently; says whether it could be started and succeeded.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

/// Runs it and hands back what it wrote to standard output.
pub(crate) fn read(command: &mut Command) -> Result<String, String> {
    match command.stderr(Stdio::inherit()).output() {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => Err(format!("`{}` ended with {}", line(command), output.status)),
        Err(error) => Err(cannot_start(command, &error)),
    }
}

fn cannot_start(command: &Command, error: &io::Error) -> String {
    format!("`{}` cannot be started: {error}", line(command))
}

/// The command as one would type it.
pub(crate) fn line(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args()).map(|word| quoted(&word.to_string_lossy()));
    words.collect::<Vec<_>>().join(" ")
}

/// A word as a POSIX shell reads it back.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Where the program of that name lies, searching `PATH` and then `folders`.
pub(crate) fn find(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(folders.iter().cloned())
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The folder that Cargo builds into, whoever set it.
pub(crate) fn target_folder() -> Result<PathBuf, String> {
    let metadata = read(&mut cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"]))?;
    let (_, rest) =
        metadata.split_once(r#""target_directory":""#).ok_or("cargo metadata names no target folder")?;
    let (folder, _) = rest.split_once('"').ok_or("cargo metadata names no target folder")?;
    Ok(PathBuf::from(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let command = program("/usr/bin/printf", &["%s", "it's", "", "a b", "postgres://u@h/d"]);
        assert_eq!(line(&command), r"printf %s 'it'\''s' '' 'a b' postgres://u@h/d");
    }

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.lock").is_file() && root().join("xtask/src/main.rs").is_file());
    }
}
