//! `cargo xtask test`: what must hold before a change is kept, cheapest first.
//!
//! One table, [`STEPS`]. The first step that fails ends the run, because the later ones would mostly repeat its news;
//! `cargo xtask test STEP` runs one step alone.

use std::time::{Duration, Instant};

use crate::command::{cargo, root, show, succeeds};
use crate::{Failure, architecture, needs, phone};

struct Step {
    /// What one types to run it alone.
    name: &'static str,
    what: &'static str,
    run: fn() -> Result<Outcome, String>,
}

enum Outcome {
    Passed,
    /// Not done, for this reason.
    Skipped(&'static str),
}

const STEPS: &[Step] = &[
    Step { name: "needs", what: "programs and libraries that the other steps use", run: machine },
    Step { name: "format", what: "the formatter has nothing to change", run: format },
    Step { name: "lints", what: "no warnings, with optional parts and without", run: lints },
    Step {
        name: "architecture",
        what: "arrows between the floors, names, manifests, links",
        run: architecture,
    },
    Step {
        name: "phone",
        what: "the phone app has no warnings, builds, and starts with few bytes",
        run: phone_app,
    },
    Step { name: "tests", what: "unit, documentation and integration tests", run: tests },
    Step { name: "docs", what: "the documentation builds and its links hold", run: docs },
    Step { name: "wasm", what: "mobile-core builds for the phone", run: wasm },
    Step { name: "licences", what: "licences, bans and sources of dependencies", run: licences },
];

/// The server's integration tests, by the name of their binary; `cargo xtask test it FILTER` hands it the filter.
const INTEGRATION: &str = "it";

/// The crate that the phone shares; its features are the phone's alone.
const PHONE: &str = "mobile-core";

/// All steps, one by name, or the integration tests with a filter.
pub(crate) fn test(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        [] => play(STEPS),
        [INTEGRATION, filter @ ..] if filter.len() <= 1 => Ok(integration(filter)?),
        [name] => match STEPS.iter().find(|step| step.name == *name) {
            Some(step) => play(std::slice::from_ref(step)),
            None => {
                Err(Failure::Usage(format!("`{name}` is not a step; there are: {}, {INTEGRATION}", names())))
            }
        },
        [_, extra, ..] => {
            Err(Failure::Usage(format!("`{extra}`: only `{INTEGRATION}` takes a filter, and one at most")))
        }
    }
}

fn names() -> String {
    STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ")
}

/// Runs the steps in order up to the first that fails, and prints the table.
fn play(steps: &[Step]) -> Result<(), Failure> {
    let mut report = Report::default();
    for (number, step) in steps.iter().enumerate() {
        println!("\n=== {} ({}/{}): {}", step.name, number + 1, steps.len(), step.what);
        let start = Instant::now();
        let result = (step.run)();
        let time = start.elapsed();
        println!("--- {}: {:.1} s", step.name, time.as_secs_f64());
        report.add(step.name, time, result);
        if report.failure.is_some() {
            break;
        }
    }
    print!("\n{}", report.table());
    match report.failure {
        None => Ok(()),
        Some((name, why)) => Err(Failure::Failed(format!(
            "step `{name}` failed: {why}. This step again: cargo xtask test {name}"
        ))),
    }
}

#[derive(Default)]
struct Report {
    rows: Vec<(&'static str, Duration, &'static str)>,
    passed: usize,
    skipped: usize,
    failure: Option<(&'static str, String)>,
}

impl Report {
    fn add(&mut self, name: &'static str, time: Duration, result: Result<Outcome, String>) {
        let note = match result {
            Ok(Outcome::Passed) => {
                self.passed += 1;
                ""
            }
            Ok(Outcome::Skipped(reason)) => {
                self.skipped += 1;
                reason
            }
            Err(why) => {
                self.failure = Some((name, why));
                "FAILED"
            }
        };
        self.rows.push((name, time, note));
    }

    fn table(&self) -> String {
        let line = |(name, time, note): &(&str, Duration, &str)| {
            let line = format!("{name:<14}{:>8.1} s  {note}", time.as_secs_f64());
            format!("{}\n", line.trim_end())
        };
        let rows: String = self.rows.iter().map(line).collect();
        let skipped = if self.skipped == 0 { String::new() } else { format!(", {} skipped", self.skipped) };
        let total: Duration = self.rows.iter().map(|(_, time, _)| *time).sum();
        let failed = usize::from(self.failure.is_some());
        let passed = self.passed;
        format!("{rows}{passed} steps passed{skipped}, {failed} failed, in {:.0} s\n", total.as_secs_f64())
    }
}

fn machine() -> Result<Outcome, String> {
    needs::ensure(needs::NEEDS)?;
    Ok(Outcome::Passed)
}

fn format() -> Result<Outcome, String> {
    show(&mut cargo(&["fmt", "--all", "--check"]))?;
    Ok(Outcome::Passed)
}

// Warnings are refused by an argument behind `--`, here and in no other way: a changed RUSTFLAGS would rebuild everything.
fn lints() -> Result<Outcome, String> {
    show(&mut cargo(&on_this_machine("clippy", &["--all-targets", "--", "-D", "warnings"])))?;
    // With an example, since Cargo counts in what tests need then: all other crates have the features for which they were just looked at.
    let lean = ["--no-default-features", "--lib", "--bins", "--examples", "--", "-D", "warnings"];
    let lean = [&["clippy", "-p", "countersign"], &lean[..]].concat();
    show(&mut cargo(&lean))?;
    let verifier =
        ["clippy", "-p", "countersign-verify", "--no-default-features", "--lib", "--", "-D", "warnings"];
    show(&mut cargo(&verifier))?;
    Ok(Outcome::Passed)
}

/// Cargo's `command` for all crates but the app, which would take minutes to compile and prove nothing here. What the phone shares has all its
/// parts then, in the server's tests as well.
fn on_this_machine(command: &'static str, rest: &[&'static str]) -> Vec<&'static str> {
    [&[command, "--workspace", "--exclude", phone::APP.package], rest].concat()
}

fn architecture() -> Result<Outcome, String> {
    architecture::check(root())?;
    Ok(Outcome::Passed)
}

// Before the tests, which look at the app in a browser.
fn phone_app() -> Result<Outcome, String> {
    phone::lint()?;
    phone::build()?;
    Ok(Outcome::Passed)
}

fn tests() -> Result<Outcome, String> {
    // The bundler apart, as the phone app's build has compiled it and what it needs.
    show(&mut cargo(&on_this_machine("test", &["--exclude", phone::BUNDLER])))?;
    show(&mut cargo(&["test", "-p", phone::BUNDLER]))?;
    Ok(Outcome::Passed)
}

fn integration(filters: &[&str]) -> Result<(), String> {
    let words = [&["test", "-p", "countersign", "--test", INTEGRATION, "--"], filters].concat();
    // Whoever runs some of them sees the pages.
    show(cargo(&words).env("CS_TEST_PICTURES", "1"))
}

fn docs() -> Result<Outcome, String> {
    // With an example Cargo counts in what tests need: so all other crates have the features for which the lints have looked at them.
    let programs = ["--lib", "--bin", "xtask", "--bin", phone::BUNDLER, "--example", "application"];
    let words = on_this_machine("doc", &[&["--no-deps"], &programs[..]].concat());
    show(cargo(&words).env("RUSTDOCFLAGS", "-D warnings"))?;
    Ok(Outcome::Passed)
}

fn wasm() -> Result<Outcome, String> {
    // With all its features the app has it.
    show(&mut phone::cargo_for_browsers(&["build", "-p", PHONE]))?;
    Ok(Outcome::Passed)
}

fn licences() -> Result<Outcome, String> {
    if !succeeds(&mut cargo(&["deny", "--version"])) {
        return Ok(Outcome::Skipped(
            "skipped: cargo-deny is not installed (cargo install --locked cargo-deny)",
        ));
    }
    show(&mut cargo(&["deny", "check", "bans", "licenses", "sources"]))?;
    Ok(Outcome::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_last_line_counts_the_steps() {
        let mut report = Report::default();
        report.add("format", SECOND, Ok(Outcome::Passed));
        report.add("licences", SECOND, Ok(Outcome::Skipped("skipped: not here")));
        let table = report.table();
        assert_eq!(table.lines().last(), Some("1 steps passed, 1 skipped, 0 failed, in 2 s"));
        assert!(table.starts_with("format             1.0 s\n"), "{table}");
    }

    #[test]
    fn the_first_failure_ends_the_run_and_says_how_to_repeat_it() {
        let later = || -> Result<Outcome, String> { panic!("must not run") };
        let steps = [
            Step { name: "one", what: "", run: || Ok(Outcome::Passed) },
            Step { name: "two", what: "", run: || Err("it rained".to_owned()) },
            Step { name: "three", what: "", run: later },
        ];
        match play(&steps) {
            Err(Failure::Failed(why)) => {
                assert_eq!(why, "step `two` failed: it rained. This step again: cargo xtask test two");
            }
            _ => panic!("a failed step must fail the run"),
        }
    }

    #[test]
    fn only_known_steps_run() {
        assert!(matches!(test(&["everything"]), Err(Failure::Usage(_))));
        assert!(matches!(test(&["lints", "fast"]), Err(Failure::Usage(_))));
    }
}
