//! Manifests, `Cargo.lock` and what is compiled of it: every version stands once, and what must not be linked is not.
//!
//! `deny.toml` says the same about forbidden crates, and more; but cargo-deny is not on every machine, and this is.

use std::collections::BTreeSet;

use super::tree::{Tree, Violation};

/// Packages that must not even be in `Cargo.lock`.
const FORBIDDEN: &[(&str, &str)] = &[
    ("openssl-sys", "aws-lc-rs is the only cryptography provider"),
    ("rsa", "it has a timing leak without a fix, and nothing here needs RSA"),
];

/// Packages that must not be compiled. Cargo writes optional packages into `Cargo.lock` that it never builds.
const NOT_COMPILED: &[(&str, &str)] = &[
    ("ring", "aws-lc-rs is the only cryptography provider; with two of them rustls panics"),
    ("openssl-sys", "aws-lc-rs is the only cryptography provider"),
    ("rsa", "it has a timing leak without a fix, and nothing here needs RSA"),
];

/// Packages of which there must be one version in our programs, because their types must be the same everywhere. Macros, which are programs
/// of the compiler, may bring another one.
const SINGLE: &[&str] = &["digest", "hmac", "sha1", "sha2"];

/// Cargo's arguments for the list that [`compiled`] reads.
pub(crate) const COMPILED: &[&str] =
    &["tree", "--workspace", "--all-features", "--edges", "all", "--prefix", "none", "--format", "{p}"];

/// The same for [`single`].
pub(crate) const LINKED: &[&str] = &[
    "tree",
    "--workspace",
    "--all-features",
    "--edges",
    "normal,no-proc-macro",
    "--prefix",
    "none",
    "--format",
    "{p}",
];

/// `Cargo.lock` against [`FORBIDDEN`].
pub(crate) fn lock(tree: &Tree) -> Vec<Violation> {
    let path = "Cargo.lock";
    let Some(text) = tree.text(path) else { return vec![Violation::of(path, "is missing")] };
    let names = || {
        let name = |line: &str| Some(line.strip_prefix("name = \"")?.strip_suffix('"')?.to_owned());
        text.lines().enumerate().filter_map(move |(index, line)| Some((index + 1, name(line)?)))
    };
    let mut violations = Vec::new();
    for (line, name) in names() {
        if let Some((_, reason)) = FORBIDDEN.iter().find(|(forbidden, _)| *forbidden == name) {
            violations.push(Violation::at(path, line, format!("`{name}` is forbidden: {reason}")));
        }
    }
    violations
}

/// The answer to [`LINKED`], in the same form as [`compiled`] takes, against [`SINGLE`].
pub(crate) fn single(packages: &str) -> Vec<Violation> {
    let versions = |name: &str| {
        let words = |line: &str| {
            let mut words = line.split(' ');
            (words.next() == Some(name)).then(|| words.next().unwrap_or_default().to_owned())
        };
        packages.lines().filter_map(words).collect::<BTreeSet<String>>()
    };
    let violation = |name: &&str| {
        let found = Vec::from_iter(versions(name)).join(" and ");
        Violation::of(
            "Cargo.lock",
            format!("`{name}` is linked as {found}; `cargo tree -i {name}` shows for whom"),
        )
    };
    SINGLE.iter().filter(|name| versions(name).len() > 1).map(violation).collect()
}

/// The answer to [`COMPILED`], one `NAME vVERSION ...` a line, against [`NOT_COMPILED`].
pub(crate) fn compiled(packages: &str) -> Vec<Violation> {
    let found = |name: &str| packages.lines().any(|line| line.split(' ').next() == Some(name));
    let violation = |(name, reason): &(&str, &str)| {
        Violation::of(
            "Cargo.lock",
            format!("`{name}` is compiled: {reason}; `cargo tree -i {name}` shows for whom"),
        )
    };
    NOT_COMPILED.iter().filter(|(name, _)| found(name)).map(violation).collect()
}

/// In every member's manifest, every dependency says `workspace = true`.
pub(crate) fn versions(tree: &Tree) -> Vec<Violation> {
    let members = tree.text("Cargo.toml").map(members).unwrap_or_default();
    let mut violations = Vec::new();
    for member in members {
        let path = format!("{member}/Cargo.toml");
        match tree.text(&path) {
            Some(text) => violations.extend(own_versions(text).into_iter().map(|(line, name)| {
                Violation::at(
                    &path,
                    line,
                    format!("`{name}` has no `workspace = true`: versions stand in the root's Cargo.toml"),
                )
            })),
            None => {
                violations.push(Violation::of(&path, "is missing, though the workspace names it a member"));
            }
        }
    }
    violations
}

/// What stands between the quotes of `members = [...]`.
fn members(manifest: &str) -> Vec<&str> {
    let list = manifest.split_once("\nmembers = [").and_then(|(_, rest)| rest.split_once(']'));
    list.map(|(list, _)| list.split('"').skip(1).step_by(2).collect()).unwrap_or_default()
}

/// Dependencies without `workspace = true`, by line. Reads the three ways to write one: `name.workspace = true`,
/// `name = { workspace = true, ... }`, also over several lines, and a section `[dependencies.name]`.
fn own_versions(manifest: &str) -> Vec<(usize, String)> {
    let mut own = Vec::new();
    // The section's own dependency and its line, while none of its keys has been `workspace = true`.
    let mut section: Option<(usize, String)> = None;
    let mut in_list = false;
    let mut lines = manifest.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            own.extend(section.take());
            let (before, name) = header.rsplit_once('.').unwrap_or(("", header));
            in_list = is_list(name);
            section =
                is_list(before.rsplit('.').next().unwrap_or_default()).then(|| (index + 1, name.to_owned()));
        } else if section.is_some() && line.replace(' ', "") == "workspace=true" {
            section = None;
        } else if in_list && !line.starts_with('#') {
            let Some((key, value)) = line.split_once('=') else { continue };
            let mut entry = line.replace(' ', "");
            let mut open = depth(value);
            while open > 0 {
                let Some((_, more)) = lines.next() else { break };
                open += depth(more);
                entry.push_str(&more.replace(' ', ""));
            }
            let key = key.trim();
            if !(key.ends_with(".workspace")
                || entry.contains("{workspace=true")
                || entry.contains(",workspace=true"))
            {
                own.push((index + 1, key.to_owned()));
            }
        }
    }
    own.extend(section);
    own
}

fn is_list(section: &str) -> bool {
    ["dependencies", "dev-dependencies", "build-dependencies"].contains(&section)
}

/// How many brackets of either kind the text leaves open.
fn depth(text: &str) -> i32 {
    text.chars().map(|c| if "[{".contains(c) { 1 } else { -i32::from("]}".contains(c)) }).sum()
}

#[cfg(test)]
mod tests {
    use super::super::tree::printed;
    use super::*;

    #[test]
    fn forbidden_packages_are_found() {
        let text = "[[package]]\nname = \"sha2\"\nversion = \"0.10.0\"\n\n\
                    [[package]]\nname = \"rsa\"\nversion = \"0.9.0\"\ndependencies = [\n \"openssl-sys\",\n]\n";
        assert_eq!(
            printed(&lock(&Tree::of(&[("Cargo.lock", text)]))),
            [
                "Cargo.lock:6: `rsa` is forbidden: it has a timing leak without a fix, and nothing here needs RSA",
            ]
        );
        assert_eq!(printed(&lock(&Tree::default())), ["Cargo.lock: is missing"]);
    }

    #[test]
    fn a_compiled_second_provider_is_found() {
        let clean = "rustls v0.23.0\nstring v1.0.0\naws-lc-rs v1.19.0 (*)\n";
        assert_eq!(compiled(clean), []);
        let found = printed(&compiled(&format!("{clean}ring v0.17.14\n")));
        assert!(
            matches!(found.as_slice(), [line] if line.starts_with("Cargo.lock: `ring` is compiled")),
            "{found:?}"
        );
    }

    #[test]
    fn a_second_version_in_our_programs_is_found() {
        let clean = "sha2 v0.11.1\nhmac v0.13.0\nsha2 v0.11.1 (*)\nserde v1.0.0\nserde v0.9.0\n";
        assert_eq!(single(clean), []);
        assert_eq!(
            printed(&single(&format!("{clean}sha2 v0.10.9\n"))),
            ["Cargo.lock: `sha2` is linked as v0.10.9 and v0.11.1; `cargo tree -i sha2` shows for whom"]
        );
    }

    #[test]
    fn a_version_in_a_member_is_found() {
        let root = "[workspace]\nmembers = [\"a\", \"b\"]\n";
        let a = "\
[package]
version = \"1.0.0\"
[dependencies]
one.workspace = true
two = { workspace = true, features = [
    \"x\",
] }
three = { version = \"3\", features = [\"workspace=true\"] }
four = \"4\" # because
[dev-dependencies.five]
workspace = true
[target.'cfg(unix)'.dependencies]
six = { path = \"../six\" }
[build-dependencies.seven]
version = \"7\"
[lints]
workspace = true
";
        let what = "has no `workspace = true`: versions stand in the root's Cargo.toml";
        assert_eq!(
            printed(&versions(&Tree::of(&[("Cargo.toml", root), ("a/Cargo.toml", a)]))),
            [
                format!("a/Cargo.toml:8: `three` {what}"),
                format!("a/Cargo.toml:9: `four` {what}"),
                format!("a/Cargo.toml:13: `six` {what}"),
                format!("a/Cargo.toml:14: `seven` {what}"),
                "b/Cargo.toml: is missing, though the workspace names it a member".to_owned(),
            ]
        );
    }
}
