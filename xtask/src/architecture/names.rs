//! File names: a module is `foo.rs` beside `foo/`, and no name is a drawer for odds and ends.

use super::tree::{Tree, Violation};

/// Beginnings of names that say nothing about what is inside.
const DRAWERS: &[&str] = &["util", "helper", "manager", "misc"];

/// No `mod.rs`, no file or folder whose name starts like one of [`DRAWERS`].
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for path in tree.paths() {
        let file = path.rsplit('/').next().unwrap_or(path);
        if file == "mod.rs" {
            violations.push(Violation::of(path, "a module is `foo.rs` beside `foo/`, not `foo/mod.rs`"));
        }
        let drawer =
            path.split('/').find(|name| DRAWERS.iter().any(|drawer| name.to_lowercase().starts_with(drawer)));
        if let Some(name) = drawer {
            violations.push(Violation::of(path, format!("`{name}` does not say what is inside")));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::super::tree::printed;
    use super::*;

    #[test]
    fn drawers_and_mod_files_are_found() {
        let tree = Tree::of(&[
            ("server/src/app/mod.rs", ""),
            ("server/src/utils.rs", ""),
            ("server/src/helpers/time.rs", ""),
            ("server/src/utility_of_sleep.rs", ""),
            ("server/src/app.rs", ""),
            ("docs/miscellany.md", ""),
        ]);
        assert_eq!(
            printed(&check(&tree)),
            [
                "docs/miscellany.md: `miscellany.md` does not say what is inside",
                "server/src/app/mod.rs: a module is `foo.rs` beside `foo/`, not `foo/mod.rs`",
                "server/src/helpers/time.rs: `helpers` does not say what is inside",
                "server/src/utility_of_sleep.rs: `utility_of_sleep.rs` does not say what is inside",
                "server/src/utils.rs: `utils.rs` does not say what is inside",
            ]
        );
    }
}
