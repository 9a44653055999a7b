//! Puts the phone app together: `countersign-bundle OUT VERSION STATIC... -- NAME=WASM...`.
//!
//! 1. Each WebAssembly file gets its glue from wasm-bindgen: `NAME.js` and `NAME_bg.wasm`.
//! 2. The static files are copied beside them; a folder stands for all files in it.
//! 3. Every file gets copies for transport, `.br` and `.gz`.
//! 4. `release.json` lists the files with length and SHA-256. Its own hash is the release's *build*: two phones that show the
//!    same build have the same bytes.
//!
//! `cargo xtask phone` calls it. It is a crate of its own so that nobody else waits for wasm-bindgen to compile.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use wasm_bindgen_cli_support::Bindgen;

/// What starts with the app, compressed: its WebAssembly, glue, page and style. The scanner's worker is loaded when it is needed.
const START: &[&str] = &["app_bg.wasm", "app.js"];
const START_MAX_BYTES: usize = 250 * 1000;

/// What lists the others and so is not listed.
const RELEASE: &str = "release.json";

type Files = BTreeMap<String, Vec<u8>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("countersign-bundle: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), String> {
    let usage = "usage: countersign-bundle OUT VERSION STATIC... -- NAME=WASM...";
    let [out, version, rest @ ..] = arguments else { return Err(usage.to_owned()) };
    let middle = rest.iter().position(|word| word == "--").ok_or(usage)?;
    let (statics, modules) = (&rest[..middle], &rest[middle + 1..]);

    let mut files = Files::new();
    for path in statics.iter().map(Path::new) {
        if path.is_dir() { add_folder(&mut files, path) } else { add_file(&mut files, path) }?;
    }
    for module in modules {
        let (name, wasm) = module.split_once('=').ok_or(usage)?;
        bind(&mut files, name, Path::new(wasm))?;
    }
    files.insert(RELEASE.to_owned(), release(&files, version).into_bytes());
    let compressed = compress(&files).map_err(|error| error.to_string())?;
    report(&files, &compressed);
    let start: usize =
        START.iter().filter_map(|name| compressed.get(*name)).map(|copies| copies.brotli.len()).sum();
    if start > START_MAX_BYTES {
        return Err(format!("the app starts with {start} bytes, compressed; {START_MAX_BYTES} are allowed"));
    }
    let out = Path::new(out);
    write(&files, &compressed, out).map_err(|error| format!("{}: {error}", out.display()))
}

/// The folder's files, without those that begin with a dot; there are no folders in it.
fn add_folder(files: &mut Files, folder: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    for file in fs::read_dir(folder).map_err(failed)? {
        let file = file.map_err(failed)?;
        if !file.file_name().to_string_lossy().starts_with('.') {
            add_file(files, &file.path())?;
        }
    }
    Ok(())
}

fn add_file(files: &mut Files, path: &Path) -> Result<(), String> {
    let content = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match files.insert(name.clone(), content) {
        None => Ok(()),
        Some(_) => Err(format!("two files are called {name}")),
    }
}

/// WebAssembly and glue of one module, as a browser takes them.
fn bind(files: &mut Files, name: &str, wasm: &Path) -> Result<(), String> {
    let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", wasm.display());
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(wasm)
        .out_name(name)
        .typescript(false)
        // The glue is handed the WebAssembly's address by whoever loads it.
        .omit_default_module_path(false)
        .remove_name_section(true)
        .remove_producers_section(true);
    let mut output = bindgen
        .web(true)
        .and_then(Bindgen::generate_output)
        .map_err(|error| failed(&format!("{error:#}")))?;
    let code = output.wasm_mut().emit_wasm();
    for (file, content) in
        [(format!("{name}_bg.wasm"), code), (format!("{name}.js"), output.js().as_bytes().to_vec())]
    {
        if files.insert(file.clone(), content).is_some() {
            return Err(format!("two files are called {file}"));
        }
    }
    // Each crate that could bring scripts is named, most with none.
    if output.snippets().values().any(|scripts| !scripts.is_empty()) || !output.local_modules().is_empty() {
        return Err(failed(&"brings scripts of its own, which nobody would copy"));
    }
    Ok(())
}

/// The list of all files: what the service worker fetches and checks.
fn release(files: &Files, version: &str) -> String {
    let list: Vec<_> = files
        .iter()
        .map(|(name, content)| {
            json!({ "path": name, "bytes": content.len(), "sha256": hex(&Sha256::digest(content)) })
        })
        .collect();
    let mut text = json!({ "version": version, "files": list }).to_string();
    text.push('\n');
    text
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Copies for the way.
struct Compressed {
    gzip: Vec<u8>,
    brotli: Vec<u8>,
}

fn compress(files: &Files) -> std::io::Result<BTreeMap<&str, Compressed>> {
    let mut compressed = BTreeMap::new();
    for (name, content) in files {
        compressed.insert(name.as_str(), Compressed { gzip: gzip(content)?, brotli: brotli(content)? });
    }
    Ok(compressed)
}

/// Writes all files with their compressed copies, after what lay there before is gone. The list comes last, so that what was broken off
/// has none.
fn write(files: &Files, compressed: &BTreeMap<&str, Compressed>, out: &Path) -> std::io::Result<()> {
    if out.exists() {
        fs::remove_dir_all(out)?;
    }
    fs::create_dir_all(out)?;
    let (list, others): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| *name == RELEASE);
    for (name, content) in others.into_iter().chain(list) {
        let copies = &compressed[name.as_str()];
        fs::write(out.join(format!("{name}.gz")), &copies.gzip)?;
        fs::write(out.join(format!("{name}.br")), &copies.brotli)?;
        fs::write(out.join(name), content)?;
    }
    Ok(())
}

fn gzip(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    encoder.finish()
}

fn brotli(content: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut &*content, &mut out, &parameters)?;
    Ok(out)
}

fn report(files: &Files, compressed: &BTreeMap<&str, Compressed>) {
    println!("{:<26}{:>10}{:>10}{:>10}", "file", "raw", "gzip", "brotli");
    for (name, Compressed { gzip, brotli }) in compressed {
        println!("{name:<26}{:>10}{:>10}{:>10}", files[*name].len(), gzip.len(), brotli.len());
    }
}
