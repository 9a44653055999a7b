//! Builds the server anew when the phone app that is compiled into it has changed.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Debug builds read the files while they run.
    #[expect(clippy::disallowed_methods, reason = "Cargo speaks to build scripts by variables")]
    let is_debug = std::env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    if !is_debug {
        // A folder that is not there yet would mean: always. The one around it changes when it comes.
        let bundle = Path::new("../web/phone/dist");
        let watched = if bundle.exists() { bundle } else { Path::new("../web/phone") };
        println!("cargo::rerun-if-changed={}", watched.display());
    }
}
