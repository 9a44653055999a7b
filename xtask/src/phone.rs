//! `cargo xtask phone`: the phone app as the server serves it, in `web/phone/dist`.
//!
//! 1. Cargo compiles app and worker to WebAssembly.
//! 2. `countersign-bundle` gives them their glue, adds the static files, and lists and compresses all of it. Where nothing of that is newer
//!    than the last bundle, that one stays.
//!
//! Debug builds of the server read the folder while they run; release builds take it in when they are compiled.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;
use std::{env, fs, io};

use crate::command::{cargo, root, show, target_folder};
use crate::{Failure, needs};

/// Where the bundle goes, from the root.
const BUNDLE: &str = "web/phone/dist";

/// What is not compiled, from the root: folders and files.
const STATIC: &[&str] = &["web/phone/static"];

const TARGET: &str = "wasm32-unknown-unknown";

/// The crate that makes the bundle.
pub(crate) const BUNDLER: &str = "countersign-bundle";

/// A crate that runs in the browser.
pub(crate) struct Module {
    pub(crate) package: &'static str,
    /// What its files are called in the bundle.
    name: &'static str,
    /// The file that Cargo makes.
    wasm: &'static str,
    /// The script that loads it, where that lies beside the crate.
    script: Option<&'static str>,
}

pub(crate) const APP: Module =
    Module { package: "countersign-phone", name: "app", wasm: "countersign-phone.wasm", script: None };

const WORKER: Module = Module {
    package: "countersign-phone-worker",
    name: "worker_wasm",
    wasm: "countersign_phone_worker.wasm",
    script: Some("web/worker/worker.js"),
};

const MODULES: [Module; 2] = [APP, WORKER];

/// The names of the crates that are compiled for browsers.
fn packages() -> [&'static str; 2] {
    MODULES.map(|module| module.package)
}

/// Cargo for WebAssembly, with the compiler's flags for it. In a variable that names the target, they change nothing for this machine's
/// own programs; every call has the same ones, or all would be compiled anew each time.
///
/// 1. `erase_components` has Leptos forget the types of views: the app is an eighth smaller.
/// 2. The paths of this machine stay out of panics' messages, and so out of what is served.
/// 3. SHA-2 keeps its loops. Unrolled, it is fifteen kilobytes larger, and a code is made of four blocks.
pub(crate) fn cargo_for_browsers<A: AsRef<OsStr>>(arguments: &[A]) -> Command {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"))).unwrap_or_default();
    let flags = format!(
        "--cfg erase_components --cfg sha2_backend_soft=\"compact\" --remap-path-prefix={}=crates --remap-path-prefix={}=.",
        home.join("registry/src").display(),
        root().display(),
    );
    let mut command = cargo(arguments);
    command.args(["--target", TARGET]).env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
    command
}

/// Takes no arguments.
pub(crate) fn phone(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        [] => Ok(build()?),
        [other, ..] => Err(Failure::Usage(format!("`{other}`: `phone` takes no arguments"))),
    }
}

/// Compiles and bundles.
pub(crate) fn build() -> Result<(), String> {
    needs::ensure(&[needs::WASM])?;
    let mut words = vec!["build", "--profile", "phone"];
    words.extend(packages().into_iter().flat_map(|package| ["-p", package]));
    show(&mut cargo_for_browsers(&words))?;

    let compiled = target_folder()?.join(TARGET).join("phone");
    let wasm = |module: &Module| compiled.join(module.wasm);
    let statics = || STATIC.iter().copied().chain(MODULES.iter().filter_map(|module| module.script));
    let mut inputs: Vec<PathBuf> = MODULES.iter().map(wasm).collect();
    inputs.extend(statics().map(|path| root().join(path)));
    inputs.extend(["Cargo.lock", "Cargo.toml", "web/bundle"].map(|path| root().join(path)));
    if is_newer(&root().join(BUNDLE).join("release.json"), &inputs) {
        println!("{BUNDLE} is as new as what it is made of");
        return Ok(());
    }
    let mut words = ["run", "--quiet", "-p", BUNDLER, "--", BUNDLE, env!("CARGO_PKG_VERSION")]
        .map(str::to_owned)
        .to_vec();
    words.extend(statics().map(str::to_owned));
    words.push("--".to_owned());
    words.extend(MODULES.iter().map(|module| format!("{}={}", module.name, wasm(module).display())));
    show(&mut cargo(&words))
}

/// Lints, for WebAssembly.
pub(crate) fn lint() -> Result<(), String> {
    needs::ensure(&[needs::WASM])?;
    // In the profile of the build, so that both share the macros.
    let mut words = vec!["clippy", "--profile", "phone"];
    words.extend(packages().into_iter().flat_map(|package| ["-p", package]));
    let mut command = cargo_for_browsers(&words);
    show(command.args(["--", "-D", "warnings"]))
}

/// Whether `made` is there and newer than all of `inputs`: files, and folders with all that is in them.
fn is_newer(made: &Path, inputs: &[PathBuf]) -> bool {
    let Ok(made) = fs::metadata(made).and_then(|made| made.modified()) else { return false };
    inputs.iter().all(|input| newest(input).is_ok_and(|changed| changed < made))
}

/// When something was last changed there. A folder changes when a file comes or goes.
fn newest(path: &Path) -> io::Result<SystemTime> {
    let metadata = fs::metadata(path)?;
    let mut newest_there = metadata.modified()?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            newest_there = newest_there.max(newest(&entry?.path())?);
        }
    }
    Ok(newest_there)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_made_is_made_again_when_anything_in_a_folder_changes() {
        let folder = env::temp_dir().join(format!("countersign-phone-{}", std::process::id()));
        let inside = folder.join("inputs/inside");
        fs::create_dir_all(&inside).unwrap();
        let (input, made) = (inside.join("a"), folder.join("made"));
        let write = |path: &Path, age_s: u64| {
            fs::write(path, "").unwrap();
            let file = fs::File::options().write(true).open(path).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age_s)).unwrap();
        };
        let inputs = [folder.join("inputs")];
        write(&input, 60);
        assert!(!is_newer(&made, &inputs), "it is not there");
        write(&made, 30);
        // The folders themselves have been made just now.
        assert!(!is_newer(&made, &inputs));
        assert!(is_newer(&made, std::slice::from_ref(&input)));
        write(&input, 10);
        assert!(!is_newer(&made, std::slice::from_ref(&input)));
        assert!(!is_newer(&made, &[folder.join("nothing")]));
        fs::remove_dir_all(folder).unwrap();
    }
}
