//! The rules about the shape of the repository that no compiler checks. `docs/ARCHITECTURE.md` gives the reasons.
//!
//! Each check is a function from a [`Tree`] (paths and texts) to [`Violation`]s, so each is tested on a tree that breaks it.
//! What may use what is a table at the top of its file: [`arrows`] holds the one for the server's floors.

mod arrows;
mod links;
mod manifests;
mod migrations;
mod names;
mod paths;
mod tree;

use std::path::Path;

use crate::command::{cargo, read};
use tree::{Tree, Violation};

/// A rule's name, and the function that finds where it is broken.
type Check = (&'static str, fn(&Tree) -> Vec<Violation>);

const CHECKS: &[Check] = &[
    ("arrows point down, and siblings leave each other alone", arrows::check),
    ("names say what a file holds", names::check),
    ("both databases have the same migrations", migrations::check),
    ("every version stands once, in the workspace's manifest", manifests::versions),
    ("Cargo.lock holds nothing forbidden", manifests::lock),
    ("links in the documents lead somewhere", links::check),
];

/// Runs all checks over the repository at `root`, and prints what each found.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    let tree = Tree::read(root).map_err(|error| format!("the repository cannot be read: {error}"))?;
    let mut found = 0;
    for (rule, check) in CHECKS {
        found += tell(rule, &check(&tree));
    }
    // Only Cargo knows which of the packages in Cargo.lock are compiled.
    let compiled = read(&mut cargo(manifests::COMPILED))?;
    found += tell("nothing forbidden is compiled", &manifests::compiled(&compiled));
    let linked = read(&mut cargo(manifests::LINKED))?;
    found += tell("our programs have one of each hash", &manifests::single(&linked));
    if found == 0 { Ok(()) } else { Err(format!("places that break a rule: {found}")) }
}

fn tell(rule: &str, violations: &[Violation]) -> usize {
    println!("{}  {rule}", if violations.is_empty() { "ok" } else { "NO" });
    for violation in violations {
        println!("      {violation}");
    }
    violations.len()
}
