//! Migrations: SQLite and PostgreSQL have the same steps under the same names, each with its way up and down.

use std::collections::BTreeSet;

use super::tree::{Tree, Violation};

const BACK_ENDS: [&str; 2] = ["migrations/sqlite", "migrations/postgres"];
const FILES: [&str; 2] = ["up.sql", "down.sql"];

/// Every step in both folders, each with `up.sql` and `down.sql`.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let steps: BTreeSet<&str> = BACK_ENDS.iter().flat_map(|back_end| steps(tree, back_end)).collect();
    let expected = steps.iter().flat_map(|step| {
        BACK_ENDS
            .iter()
            .flat_map(move |back_end| FILES.iter().map(move |file| format!("{back_end}/{step}/{file}")))
    });
    let mut violations: Vec<Violation> =
        expected.filter(|path| !tree.holds(path)).map(|path| Violation::of(&path, "is missing")).collect();
    if steps.is_empty() {
        violations.push(Violation::of(BACK_ENDS[0], "holds no migrations"));
    }
    violations
}

/// The names of the folders below `back_end`.
fn steps<'a>(tree: &'a Tree, back_end: &'a str) -> impl Iterator<Item = &'a str> {
    tree.paths()
        .filter_map(move |path| Some(path.strip_prefix(back_end)?.strip_prefix('/')?.split_once('/')?.0))
}

#[cfg(test)]
mod tests {
    use super::super::tree::printed;
    use super::*;

    #[test]
    fn a_step_that_one_database_lacks_is_found() {
        let tree = Tree::of(&[
            ("migrations/sqlite/0001_start/up.sql", ""),
            ("migrations/sqlite/0001_start/down.sql", ""),
            ("migrations/postgres/0001_start/up.sql", ""),
            ("migrations/postgres/0001_start/down.sql", ""),
            ("migrations/sqlite/0002_mail/up.sql", ""),
        ]);
        assert_eq!(
            printed(&check(&tree)),
            [
                "migrations/sqlite/0002_mail/down.sql: is missing",
                "migrations/postgres/0002_mail/up.sql: is missing",
                "migrations/postgres/0002_mail/down.sql: is missing",
            ]
        );
    }

    #[test]
    fn no_migrations_at_all_is_a_mistake() {
        assert_eq!(printed(&check(&Tree::default())), ["migrations/sqlite: holds no migrations"]);
    }
}
