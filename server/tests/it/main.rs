//! The server's integration tests: one binary, every test on SQLite and on PostgreSQL, through HTTP or the command line; those that look
//! at pages in a browser mostly on SQLite alone.
//!
//! A test is a function that takes the [`Backend`] it runs on; `tests!` at the top of its module lists it. `main` starts one PostgreSQL
//! cluster of its own in a temporary folder, reached by a socket file, and ends it.
#![allow(unreachable_pub, reason = "one binary: `pub` says what other modules of it may use")]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and some look at the real clock"
)]

mod actors;
mod cluster;
mod crowd;
mod process;
mod smtp;
mod visitor;

mod access;
mod audit;
mod audit_export;
mod backups;
mod browser;
mod cli;
mod clients;
mod closing;
mod codes;
mod console;
mod console_system;
mod console_users;
mod doctor;
mod enrolment;
mod faults;
mod groups;
mod imports;
mod input;
mod keys;
mod lockout;
mod log_file;
mod mail;
mod management;
mod master_key;
mod metrics;
mod moving;
mod observability;
mod openapi;
mod openid;
mod passwords;
mod phone;
mod phone_files;
mod races;
mod reach;
mod recipes;
mod recovery;
mod refresh;
mod replicas;
mod segments;
mod sessions;
mod startup;
mod statements;
mod stopping;
mod tls;
mod tokens;
mod upgrade;
mod verifier;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Which database a test runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    /// A file in a temporary folder.
    Sqlite,
    /// A database of the cluster that `main` started.
    Postgres,
}

impl Backend {
    const ALL: &[(&str, Self)] = &[("sqlite", Self::Sqlite), ("postgres", Self::Postgres)];
}

/// A test of this binary.
pub struct Test {
    name: &'static str,
    run: fn(Backend),
    /// Where it is about one database and says nothing of the other.
    only: Option<Backend>,
}

/// Lists a module's tests, those that are about one database as `name on Sqlite`. One that is left out is dead code, which the lints refuse.
macro_rules! tests {
    ($($name:ident $(on $only:ident)?),* $(,)?) => {
        pub fn tests() -> Vec<$crate::Test> {
            vec![$($crate::Test { name: stringify!($name), run: $name, only: $crate::tests!(@only $($only)?) }),*]
        }
    };
    (@only) => { None };
    (@only $only:ident) => { Some($crate::Backend::$only) };
}
use tests;

/// Makes trials of a module's tests, one for each back end.
fn list(trials: &mut Vec<Trial>, module: &str, tests: Vec<Test>, backends: &'static [(&str, Backend)]) {
    for Test { name, run, only } in tests {
        for (backend_name, backend) in backends.iter().filter(|(_, on)| only.is_none_or(|only| only == *on)) {
            let backend = *backend;
            trials.push(Trial::test(format!("{module}::{name}::{backend_name}"), move || {
                run(backend);
                Ok(())
            }));
        }
    }
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // More than there are cores: many wait for a clock, another process or a page.
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    arguments.test_threads.get_or_insert(cores + 1);
    let modules = [
        ("access", access::tests()),
        ("audit", audit::tests()),
        ("backups", backups::tests()),
        ("audit_export", audit_export::tests()),
        ("cli", cli::tests()),
        ("clients", clients::tests()),
        ("closing", closing::tests()),
        ("codes", codes::tests()),
        ("console", console::tests()),
        ("console_system", console_system::tests()),
        ("console_users", console_users::tests()),
        ("doctor", doctor::tests()),
        ("enrolment", enrolment::tests()),
        ("faults", faults::tests()),
        ("groups", groups::tests()),
        ("imports", imports::tests()),
        ("input", input::tests()),
        ("keys", keys::tests()),
        ("lockout", lockout::tests()),
        ("log_file", log_file::tests()),
        ("mail", mail::tests()),
        ("management", management::tests()),
        ("master_key", master_key::tests()),
        ("metrics", metrics::tests()),
        ("moving", moving::tests()),
        ("observability", observability::tests()),
        ("openid", openid::tests()),
        ("openapi", openapi::tests()),
        ("passwords", passwords::tests()),
        ("phone", phone::tests()),
        ("phone_files", phone_files::tests()),
        ("races", races::tests()),
        ("reach", reach::tests()),
        ("recipes", recipes::tests()),
        ("recovery", recovery::tests()),
        ("refresh", refresh::tests()),
        ("segments", segments::tests()),
        ("sessions", sessions::tests()),
        ("startup", startup::tests()),
        ("statements", statements::tests()),
        ("stopping", stopping::tests()),
        ("tls", tls::tests()),
        ("tokens", tokens::tests()),
        ("upgrade", upgrade::tests()),
        ("verifier", verifier::tests()),
    ];
    let mut trials = Vec::new();
    for (module, tests) in modules {
        list(&mut trials, module, tests, Backend::ALL);
    }
    list(&mut trials, "replicas", replicas::tests(), &Backend::ALL[1..]);
    for (module, tests) in browser::tests() {
        // Pages do not know which database is behind them; that forms reach both is seen in one test.
        let backends = if module == browser::ON_EVERY_BACKEND { Backend::ALL } else { &Backend::ALL[..1] };
        list(&mut trials, module, tests, backends);
    }
    // In no order, so that beside those that compute there are some that wait.
    trials.sort_by_cached_key(|trial| {
        let mut hasher = DefaultHasher::new();
        trial.name().hash(&mut hasher);
        hasher.finish()
    });
    // Here and not in the first test that needs it: the cluster ends with the thread that started it.
    let _cluster = (!arguments.list).then(cluster::start);
    let conclusion = libtest_mimic::run(&arguments, trials);
    browser::close_idle();
    conclusion.exit_code()
}
