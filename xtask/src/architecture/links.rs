//! Links in Markdown: whatever a document points to inside the repository must be there.

use super::tree::{Tree, Violation};

/// Every relative link and picture of every `.md` file leads to a file or folder.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (path, text) in tree.texts(".md") {
        for (line, target) in targets(text) {
            let broken = resolve(path, &target).is_some_and(|file| !tree.holds(&file));
            if broken {
                violations.push(Violation::at(path, line, format!("`{target}` is not there")));
            }
        }
    }
    violations
}

/// The targets of `[text](target)`, `![text](target)`, `[name]: target`, `src="target"` and `href="target"` with their
/// lines, outside of code.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    let mut fence: Option<&str> = None;
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let mark = ["```", "~~~"].into_iter().find(|mark| start.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => {
                targets.extend(line_targets(&without_code(line)).map(|target| (index + 1, target)));
            }
            _ => {}
        }
    }
    targets
}

fn line_targets(line: &str) -> impl Iterator<Item = String> {
    let after = |mark: &'static str, end: &'static [char]| {
        line.split(mark)
            .skip(1)
            .filter_map(move |rest| rest.split(end).next())
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut found = after("](", &[')', ' ']);
    found.extend(after("src=\"", &['"']));
    found.extend(after("href=\"", &['"']));
    let definition = line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: "));
    found.extend(definition.and_then(|(_, target)| target.split_whitespace().next()).map(str::to_owned));
    found.into_iter().map(|target| target.trim_start_matches('<').trim_end_matches('>').to_owned())
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

/// The path from the root that `target`, written in the document `from`, means; `None` for addresses of other places and
/// for anchors in the same document.
fn resolve(from: &str, target: &str) -> Option<String> {
    let file = target.split(['#', '?']).next().unwrap_or_default();
    if file.is_empty() || file.starts_with("//") || file.contains(':') {
        return None;
    }
    let mut folders: Vec<&str> = if file.starts_with('/') { Vec::new() } else { from.split('/').collect() };
    folders.pop();
    for name in file.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                folders.pop();
            }
            name => folders.push(name),
        }
    }
    Some(folders.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::tree::printed;
    use super::*;

    #[test]
    fn a_link_to_nothing_is_found() {
        let readme = "\
[design](docs/DESIGN.md#data), ![picture](docs/picture.svg \"Seen from above\"),
[gone](docs/GONE.md), [the web](https://example.org/x.md), [here](#here),
`[code](nowhere.md)`
```
[code](nowhere.md)
```
[spec]: docs/spec/none.md
<img src=\"docs/none.png\">
";
        let design = "[up](../README.md) [root](/docs) [wrong](docs/DESIGN.md)";
        let tree = Tree::of(&[("README.md", readme), ("docs/DESIGN.md", design), ("docs/picture.svg", "")]);
        assert_eq!(
            printed(&check(&tree)),
            [
                "README.md:2: `docs/GONE.md` is not there",
                "README.md:7: `docs/spec/none.md` is not there",
                "README.md:8: `docs/none.png` is not there",
                "docs/DESIGN.md:1: `docs/DESIGN.md` is not there",
            ]
        );
    }
}
