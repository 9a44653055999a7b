//! What a machine must have besides Rust, how to see whether it is there, and how to get it.
//!
//! One table, [`NEEDS`]; a need is a row. What Debian's package tool can bring is installed when this program may do so
//! (as root, or by `sudo` without a password); else the reader is told exactly what to install.

use std::env;
use std::fs;
use std::path::PathBuf;

use crate::command::{self, find, program, show, succeeds};

/// One thing that must be on the machine.
pub(crate) struct Need {
    /// Its name, for people.
    name: &'static str,
    /// What stops working without it.
    wanted_for: &'static str,
    present: fn() -> bool,
    source: Source,
}

/// Where a missing thing comes from.
enum Source {
    /// Packages of Debian and its relatives.
    Packages(&'static [&'static str]),
    /// A compilation target of the Rust toolchain.
    Target(&'static str),
}

pub(crate) const C_COMPILER: Need = Need {
    name: "a C compiler",
    wanted_for: "SQLite and the cryptography library",
    present: || succeeds(&mut program("cc", &["--version"])),
    source: Source::Packages(&["gcc", "libc6-dev"]),
};

pub(crate) const LIBPQ: Need = Need {
    name: "libpq with its headers",
    wanted_for: "PostgreSQL support in the server",
    present: libpq_links,
    source: Source::Packages(&["libpq-dev"]),
};

pub(crate) const WASM: Need = Need {
    name: "the wasm32-unknown-unknown target",
    wanted_for: "building the phone app",
    present: || target_present("wasm32-unknown-unknown"),
    source: Source::Target("wasm32-unknown-unknown"),
};

/// Everything that `cargo xtask test` needs.
pub(crate) const NEEDS: &[Need] = &[
    C_COMPILER,
    LIBPQ,
    Need {
        name: "the PostgreSQL server's programs",
        wanted_for: "running the integration tests on both databases",
        present: || ["initdb", "postgres"].iter().all(|name| find(name, &postgresql_folders()).is_some()),
        source: Source::Packages(&["postgresql"]),
    },
    Need {
        name: "oathtool",
        wanted_for: "comparing our codes with somebody else's",
        present: || find("oathtool", &[]).is_some(),
        source: Source::Packages(&["oathtool"]),
    },
    Need {
        name: "Python 3 with pip",
        wanted_for: "running the recipe for Python",
        present: || succeeds(&mut program("python3", &["-m", "pip", "--version"])),
        source: Source::Packages(&["python3", "python3-pip"]),
    },
    Need {
        name: "Chromium",
        wanted_for: "looking at the console's pages as people do",
        present: || find("chromium", &[]).is_some(),
        source: Source::Packages(&["chromium"]),
    },
    Need {
        name: "chromedriver",
        wanted_for: "steering Chromium from the tests",
        present: || find("chromedriver", &[]).is_some(),
        source: Source::Packages(&["chromium-driver"]),
    },
    Need {
        name: "a font",
        wanted_for: "pages with words on them",
        present: || {
            command::read(&mut program("fc-list", &[":"])).is_ok_and(|fonts| !fonts.trim().is_empty())
        },
        source: Source::Packages(&["fontconfig", "fonts-dejavu-core"]),
    },
    WASM,
];

/// Makes sure that all of `needs` are there, installing what is missing if possible. The error says what to do by hand.
pub(crate) fn ensure(needs: &[Need]) -> Result<(), String> {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.present)()).collect();
    for need in &missing {
        println!("missing: {}, for {}", need.name, need.wanted_for);
    }
    // A failed installation is not the last word: what counts is whether the thing is there now.
    let installed = install(&missing);
    let missing: Vec<&Need> = missing.into_iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|need| need.name).collect();
    let reason = installed.err().map(|why| format!(" ({why})")).unwrap_or_default();
    Err(format!("still missing: {}{reason}; install by hand: {}", names.join(", "), by_hand(&missing)))
}

fn install(missing: &[&Need]) -> Result<(), String> {
    for target in targets(missing) {
        show(&mut program("rustup", &["target", "add", target]))?;
    }
    let packages = packages(missing);
    if packages.is_empty() {
        return Ok(());
    }
    if find("apt-get", &[]).is_none() {
        return Err("no apt-get here".to_owned());
    }
    let prefix: &[&str] = if is_root() {
        &[]
    } else if succeeds(&mut program("sudo", &["-n", "true"])) {
        &["sudo", "-n"]
    } else {
        return Err("not root, and sudo asks for a password".to_owned());
    };
    let apt = |arguments: &[&str]| {
        let words = [prefix, &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"], arguments].concat();
        show(&mut program(words[0], &words[1..]))
    };
    if let Err(why) = apt(&["update"]) {
        println!("{why}; trying with the package lists that are there");
    }
    apt(&[&["install", "-y", "--no-install-recommends"], packages.as_slice()].concat())
}

fn packages(needs: &[&Need]) -> Vec<&'static str> {
    let of = |need: &&Need| if let Source::Packages(names) = need.source { names } else { &[] };
    needs.iter().flat_map(of).copied().collect()
}

fn targets(needs: &[&Need]) -> Vec<&'static str> {
    needs
        .iter()
        .filter_map(|need| if let Source::Target(name) = need.source { Some(name) } else { None })
        .collect()
}

/// The commands that bring what is missing, in one line.
fn by_hand(missing: &[&Need]) -> String {
    let mut commands: Vec<String> =
        targets(missing).iter().map(|target| format!("rustup target add {target}")).collect();
    let packages = packages(missing);
    if !packages.is_empty() {
        commands.push(format!(
            "sudo apt-get update && sudo apt-get install -y --no-install-recommends {} (Debian's names)",
            packages.join(" ")
        ));
    }
    commands.join("; ")
}

fn is_root() -> bool {
    command::read(&mut program("id", &["-u"])).is_ok_and(|id| id.trim() == "0")
}

/// Whether a C program can be linked with libpq and finds its header: what the server's build will ask for.
fn libpq_links() -> bool {
    let folder = env::temp_dir().join(format!("countersign-libpq-{}", std::process::id()));
    let source = folder.join("probe.c");
    let program_text = "#include <libpq-fe.h>\nint main(void) { return PQlibVersion() == 0; }\n";
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&source, program_text));
    let config =
        |option: &str| command::read(&mut program("pg_config", &[option])).map(|text| text.trim().to_owned());
    let folders = match find("pg_config", &[]).map(|_| (config("--includedir"), config("--libdir"))) {
        Some((Ok(headers), Ok(library))) => vec![format!("-I{headers}"), format!("-L{library}")],
        _ => vec!["-I/usr/include/postgresql".to_owned()],
    };
    let mut compile = program("cc", &folders);
    compile.arg("-o").arg(folder.join("probe")).arg(&source).arg("-lpq");
    let linked = written.is_ok() && succeeds(&mut compile);
    // What is left behind in the temporary folder harms nobody.
    let _ = fs::remove_dir_all(&folder);
    linked
}

/// Where distributions keep PostgreSQL's server programs, which are seldom on `PATH`: newest version first.
fn postgresql_folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for parent in ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt"]
    {
        let versions = fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
        folders.extend(versions.map(|version| version.path().join("bin")));
    }
    folders.sort_by_key(|folder| std::cmp::Reverse(version(folder)));
    folders.insert(0, PathBuf::from("/usr/lib/postgresql/bin"));
    folders
}

/// The digits in a path, as a number: 15 of `/usr/lib/postgresql/15/bin`.
fn version(folder: &std::path::Path) -> u32 {
    let digits: String = folder.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

fn target_present(target: &str) -> bool {
    let library = command::read(&mut program("rustc", &["--print", "target-libdir", "--target", target]));
    library.is_ok_and(|folder| fs::read_dir(folder.trim()).is_ok_and(|mut files| files.next().is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAD: Need = Need {
        name: "bread",
        wanted_for: "lunch",
        present: || false,
        source: Source::Packages(&["flour", "yeast"]),
    };
    const MOON: Need = Need {
        name: "the moon",
        wanted_for: "light",
        present: || false,
        source: Source::Target("moon-unknown-none"),
    };

    #[test]
    fn what_to_do_by_hand_names_every_package_and_target() {
        let advice = by_hand(&[&BREAD, &MOON]);
        assert_eq!(
            advice,
            "rustup target add moon-unknown-none; sudo apt-get update && sudo apt-get install -y \
             --no-install-recommends flour yeast (Debian's names)"
        );
    }

    #[test]
    fn what_is_there_needs_no_installation() {
        let air =
            Need { name: "air", wanted_for: "breath", present: || true, source: Source::Packages(&["air"]) };
        assert_eq!(ensure(&[air]), Ok(()));
    }

    #[test]
    fn newer_postgresql_comes_first() {
        assert!(
            version("/usr/lib/postgresql/17/bin".as_ref()) > version("/usr/lib/postgresql/9/bin".as_ref())
        );
    }
}
