//! The server's floors: which module may use which.

use super::paths::{Mention, mentions, module};
use super::tree::{Tree, Violation};

const SOURCE: &str = "server/src/";

/// The doors and words that every floor shares. They know nothing of the floors themselves.
const ROOTS: &[&str] = &["clock", "random", "error"];

/// May use everything: they put the house together.
const BUILDERS: &[&str] = &["main", "cli"];

/// Every other module directly below `src/`, and what it may use besides itself and [`ROOTS`].
const MAY_USE: &[(&str, &[&str])] = &[
    // What people do comes in by HTTP: parsed into domain types, one call into `app`, rendered.
    ("http", &["app", "domain", "settings", "text"]),
    // Owns the transaction, so it alone reaches the database, the keys and the mail.
    ("app", &["domain", "db", "mail", "crypto"]),
    ("db", &["domain"]),
    ("mail", &["domain", "text"]),
    // What people read, in their language.
    ("text", &["domain"]),
    ("crypto", &["domain"]),
    // The words and rules of the trade, pure: not even a clock.
    ("domain", &[]),
    ("settings", &["domain"]),
    ("clock", &["domain"]),
    ("random", &["domain"]),
    ("error", &["domain"]),
];

/// Floors without the [`ROOTS`].
const PURE: &[&str] = &["domain"];

/// Floors whose files stand side by side, none using another, so that one can be read, changed or removed alone.
const SIDE_BY_SIDE: &[&str] = &["http", "app"];

/// The exceptions: files that their neighbours stand on, with the reason.
const FOUNDATIONS: &[(&str, &str)] = &[
    ("http::extract", "how a request is read: client authentication, forms, bearer tokens"),
    ("http::problem", "how an error is answered"),
    ("http::respond", "what every reply has in common"),
    ("http::qr", "how a picture shows what a phone needs"),
    ("http::meters", "what is counted wherever requests pass, and shown at one place"),
    ("http::state", "the one hop to the threads that may block"),
    ("http::threads", "those threads, which only that hop uses"),
    ("http::codes", "the hop that codes take together"),
    ("http::whole_list", "what the server keeps for whoever asks for all revocations"),
    ("app::context", "what every action is given: keys, the issuer's name, the transaction"),
    ("app::invitation", "part of adding users"),
    ("app::manage", "who may manage, and what"),
    ("app::client_auth", "which application is asking"),
    ("app::bearer", "whose token was shown"),
    ("app::recovery_code", "made with the first enrolment"),
    ("app::factor", "users may be imported with the factors that they have"),
    (
        "app::outbox",
        "whoever does something that a user should hear of queues the mail in the same transaction",
    ),
    ("app::issue", "the only place where tokens are made"),
    ("app::profile", "what an ID token and the userinfo endpoint both tell of a user"),
    ("app::key", "a restore revokes all signing keys in its own transaction"),
    ("app::backup", "a restore proves a backup as whoever made it did"),
    ("app::verify", "the gate, the check and the spending of a code, whoever sends it"),
];

/// Arrows that one file may draw past its floor's own, with the reason.
const LOANS: &[(&str, &str, &str)] = &[
    (
        "http::state",
        "db",
        "takes a connection from the pool and lends it to the use case, without a look inside",
    ),
    ("http::codes", "db", "the same for codes that many requests bring at once"),
];

/// Crates that belong to some floors only.
const CRATES: &[(&str, &[&str])] = &[("actix_web", &["http"]), ("lettre", &["mail"])];

/// Every mention of one module in another, against the tables above.
pub(crate) fn check(tree: &Tree) -> Vec<Violation> {
    let files: Vec<(&str, &str, Vec<&str>)> = tree
        .texts(".rs")
        .filter_map(|(path, text)| Some((path, text, module(path.strip_prefix(SOURCE)?))))
        .collect();
    let known: Vec<&[&str]> = files.iter().map(|(_, _, module)| module.as_slice()).collect();
    let mut violations = Vec::new();
    for (path, text, here) in &files {
        let Some(floor) = here.first().filter(|floor| !BUILDERS.contains(floor)) else { continue };
        if !MAY_USE.iter().any(|(name, _)| name == floor) {
            violations.push(Violation::of(
                path,
                format!("`{floor}` has no place in the table of what may use what"),
            ));
            continue;
        }
        for mention in mentions(text, here) {
            violations
                .extend(judge(here, &mention, &known).map(|what| Violation::at(path, mention.line, what)));
        }
        violations.extend(foreign(floor, text).map(|(line, what)| Violation::at(path, line, what)));
    }
    // One `use` may name several things of one module.
    violations.dedup();
    violations
}

/// What is wrong with `mention` in the file of the module `here`.
fn judge(here: &[&str], mention: &Mention, known: &[&[&str]]) -> Option<String> {
    let path: Vec<&str> = mention.path.iter().map(String::as_str).collect();
    let floor = *here.first()?;
    let Some(target) = path.first().copied() else {
        return Some("`crate::*` hides what is used".to_owned());
    };
    if target != floor {
        // Something that `lib.rs` itself defines, not a module.
        if !known.iter().any(|module| module.first() == Some(&target))
            && !MAY_USE.iter().any(|(name, _)| *name == target)
        {
            return None;
        }
        let rooted = ROOTS.contains(&target) && !PURE.contains(&floor);
        let listed = MAY_USE.iter().any(|(name, uses)| *name == floor && uses.contains(&target));
        let lent = LOANS.iter().any(|(file, uses, _)| *file == here.join("::") && *uses == target);
        return (!rooted && !listed && !lent)
            .then(|| format!("`{floor}` may not use `{target}` ({})", path.join("::")));
    }
    let own = here.get(1)?;
    if !SIDE_BY_SIDE.contains(&floor) {
        return None;
    }
    let Some(sibling) = path.get(1) else {
        return Some(format!("names `{floor}` as a whole, which hides the files it uses"));
    };
    let is_file = known.iter().any(|module| module.get(..2) == Some(&[floor, sibling]));
    let foundation = FOUNDATIONS.iter().any(|(name, _)| *name == format!("{floor}::{sibling}"));
    (is_file && sibling != own && !foundation)
        .then(|| format!("`{floor}/{own}.rs` uses its neighbour `{sibling}`"))
}

/// Lines that use a crate which belongs to another floor.
fn foreign(floor: &str, text: &str) -> impl Iterator<Item = (usize, String)> {
    CRATES.iter().filter(move |(_, floors)| !floors.contains(&floor)).flat_map(move |(name, floors)| {
        let path = format!("{name}::");
        let code = move |line: &str| !line.trim_start().starts_with("//") && line.contains(&path);
        let what = format!("`{name}` belongs to {}", floors.join(", "));
        text.lines()
            .enumerate()
            .filter(move |(_, line)| code(line))
            .map(move |(index, _)| (index + 1, what.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tree::printed;
    use super::*;

    /// What is wrong with one file in a house that also has the usual others.
    fn wrong(path: &str, text: &str) -> Vec<String> {
        let mut files: Vec<(&str, &str)> = [
            "server/src/lib.rs",
            "server/src/main.rs",
            "server/src/clock.rs",
            "server/src/http.rs",
            "server/src/http/verify.rs",
            "server/src/http/token.rs",
            "server/src/http/extract.rs",
            "server/src/app/verify.rs",
            "server/src/app/verify/window.rs",
            "server/src/app/token.rs",
            "server/src/db/factor.rs",
            "server/src/db/token.rs",
            "server/src/domain/ids.rs",
        ]
        .into_iter()
        .filter(|other| *other != path)
        .map(|path| (path, ""))
        .collect();
        files.push((path, text));
        printed(&check(&Tree::of(&files)))
    }

    #[test]
    fn arrows_that_point_down_are_right() {
        assert_eq!(
            wrong(
                "server/src/http/verify.rs",
                "use crate::{app::verify, clock::Clock, domain::ids::Id, Kept};"
            ),
            [""; 0]
        );
        assert_eq!(
            wrong("server/src/http/verify.rs", "use super::extract::Client; use actix_web::web;"),
            [""; 0]
        );
        assert_eq!(wrong("server/src/http.rs", "use crate::http::{verify, token};"), [""; 0]);
        assert_eq!(
            wrong("server/src/app/verify.rs", "mod window; use crate::db::factor; use self::window::W;"),
            [""; 0]
        );
        assert_eq!(wrong("server/src/app/verify/window.rs", "use super::Matched;"), [""; 0]);
        assert_eq!(wrong("server/src/db/factor.rs", "use super::token; use crate::domain::ids;"), [""; 0]);
        assert_eq!(wrong("server/src/main.rs", "use crate::db::factor;"), [""; 0]);
    }

    #[test]
    fn arrows_that_point_up_or_past_a_floor_are_found() {
        let db = "server/src/db/factor.rs:2: `db` may not use `app` (app::verify::Matched)";
        assert_eq!(wrong("server/src/db/factor.rs", "\nfn f(m: crate::app::verify::Matched) {}"), [db]);
        let http = "server/src/http/verify.rs:1: `http` may not use `db` (db::factor)";
        assert_eq!(wrong("server/src/http/verify.rs", "use crate::db::factor;"), [http]);
        let domain = "server/src/domain/ids.rs:1: `domain` may not use `clock` (clock::Clock)";
        assert_eq!(wrong("server/src/domain/ids.rs", "use super::super::clock::Clock;"), [domain]);
        let clock = "server/src/clock.rs:1: `clock` may not use `db` (db)";
        assert_eq!(wrong("server/src/clock.rs", "use crate::db;"), [clock]);
    }

    #[test]
    fn neighbours_that_use_each_other_are_found() {
        let app = "server/src/app/verify.rs:1: `app/verify.rs` uses its neighbour `token`";
        assert_eq!(wrong("server/src/app/verify.rs", "use super::token::{check, spend};"), [app]);
        let http = "server/src/http/token.rs:1: `http/token.rs` uses its neighbour `verify`";
        assert_eq!(wrong("server/src/http/token.rs", "use crate::http::verify;"), [http]);
        let deep = "server/src/app/verify/window.rs:1: `app/verify.rs` uses its neighbour `token`";
        assert_eq!(wrong("server/src/app/verify/window.rs", "use super::super::token::Issued;"), [deep]);
        let whole = "server/src/app/token.rs:1: names `app` as a whole, which hides the files it uses";
        assert_eq!(wrong("server/src/app/token.rs", "use super::*;"), [whole]);
    }

    #[test]
    fn a_crate_on_the_wrong_floor_is_found() {
        let app = "server/src/app/verify.rs:2: `actix_web` belongs to http";
        assert_eq!(wrong("server/src/app/verify.rs", "// actix_web::web\nuse actix_web::web;"), [app]);
    }

    #[test]
    fn a_new_module_needs_a_place() {
        let attic = "server/src/attic.rs: `attic` has no place in the table of what may use what";
        assert_eq!(wrong("server/src/attic.rs", ""), [attic]);
    }
}
