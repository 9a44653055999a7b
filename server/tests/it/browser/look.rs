//! What every page has to be: quiet, no wider than a phone, accessible, in light and dark. And how it looked: where [`PICTURES`] is set, each
//! page leaves pictures, and a test that fails always leaves one of each browser it had.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::browser::chromium::Browser;

/// Widths and heights: a phone and a desk.
const SIZES: [(u32, u32); 2] = [(390, 844), (1280, 900)];

const SCHEMES: [&str; 2] = ["light", "dark"];

/// WCAG 2.2 up to AA; what is merely somebody's advice is left out.
const RULES: [&str; 5] = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

/// The package of Python's index that has axe-core in it. Its licence (MPL-2.0) keeps it out of this repository.
const AXE: &str = "axe-playwright-python==0.1.8";

/// axe-core, in a folder of the build: fetched once, by pip.
fn axe() -> &'static str {
    static TEXT: OnceLock<String> = OnceLock::new();
    TEXT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe");
        let file = folder.join("axe_playwright_python/axe.min.js");
        if !file.exists() {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
            let output = pip.args(["--upgrade", "--target"]).arg(&folder).arg(AXE).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        fs::read_to_string(file).unwrap()
    })
}

/// `cargo xtask test it` sets it: whoever runs some tests wants to see something, and a whole run would take a minute longer for nobody.
const PICTURES: &str = "CS_TEST_PICTURES";

/// How the pictures of failures begin; those of the run before are no longer wanted.
const FAILED: &str = "failed-";

/// Where the pictures go; each run replaces those of the last.
fn screenshots() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        fs::create_dir_all(&folder).unwrap();
        for file in fs::read_dir(&folder).unwrap().flatten() {
            if file.file_name().to_string_lossy().starts_with(FAILED) {
                fs::remove_file(file.path()).unwrap();
            }
        }
        folder
    })
}

impl Browser {
    /// Everything that is asked of the page that is being shown. `name` is what its pictures are called.
    #[track_caller]
    pub fn must_look_right(&self, name: &str) {
        self.must_be_quiet();
        // Pages share their styles and axe takes longest of all: it sees each page at both widths and in both schemes, but two of the four
        // together; on the browser's next page the other two.
        let turn = self.next_turn();
        for (of_size, (width, height)) in SIZES.into_iter().enumerate() {
            for (of_scheme, scheme) in SCHEMES.into_iter().enumerate() {
                self.dress(width, height, scheme);
                self.must_not_scroll_sideways(&format!("{name} at {width} pixels"));
                if (of_size + of_scheme) % 2 == turn {
                    self.must_be_accessible(&format!("{name} at {width} pixels, {scheme}"));
                }
                if env::var_os(PICTURES).is_some() {
                    self.dress(width, height.max(self.height()), scheme);
                    self.photograph(&format!("{name}-{width}-{scheme}")).unwrap();
                }
            }
        }
        let (width, height) = SIZES[1];
        self.dress(width, height, SCHEMES[0]);
        // What axe itself has set off is not the page's.
        self.complaints();
    }

    /// No error of a script, nothing that the content security policy had to refuse, no missing file. That a form is refused with a status
    /// of its own is what the page says already.
    #[track_caller]
    pub fn must_be_quiet(&self) {
        let mut complaints = self.complaints();
        complaints.retain(|line| {
            let refused_form = ["400", "403", "404", "405", "409", "410", "413", "429"]
                .iter()
                .any(|status| line.contains(&format!("responded with a status of {status}")));
            !refused_form || line.contains("/assets/")
        });
        assert!(complaints.is_empty(), "{}: {complaints:#?}", self.url());
    }

    /// Pretends a screen and its colours. Nothing moves on it, so that nothing is measured half-way.
    pub fn dress(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.chromium("Emulation.setDeviceMetricsOverride", &size);
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]});
        self.chromium("Emulation.setEmulatedMedia", &features);
    }

    #[track_caller]
    pub fn must_not_scroll_sideways(&self, what: &str) {
        let widths = "const page = document.documentElement; return [page.scrollWidth, page.clientWidth, \
             [...document.querySelectorAll('body *')] \
             .filter(part => part.getBoundingClientRect().right > page.clientWidth + 1 && !part.closest('.scroll, .skip')) \
             .map(part => part.outerHTML.slice(0, 120))]";
        let found = self.script(widths, Vec::new());
        let (content, screen) = (found[0].as_u64().unwrap(), found[1].as_u64().unwrap());
        assert!(content <= screen, "{what} is {content} pixels wide on {screen}: {:#}", found[2]);
    }

    /// axe finds nothing.
    #[track_caller]
    pub fn must_be_accessible(&self, what: &str) {
        if self.script("return typeof window.axe", Vec::new()) == "undefined" {
            self.script(axe(), Vec::new());
        }
        let run = "return axe.run(document, { runOnly: { type: 'tag', values: arguments[0] }, resultTypes: ['violations'] }) \
             .then(found => found.violations.map(rule => [rule.id, rule.help, \
             rule.nodes.map(node => [node.html.slice(0, 300), node.failureSummary])]))";
        let violations = self.script(run, vec![json!(RULES)]);
        assert_eq!(violations, json!([]), "{what}: {violations:#}");
    }

    /// How high the page is.
    fn height(&self) -> u32 {
        let found = self.script("return document.documentElement.scrollHeight", Vec::new());
        u32::try_from(found.as_u64().unwrap()).unwrap()
    }

    /// What was on the screen when a test failed, beside the other pictures.
    pub fn photograph_failure(&self) {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("{FAILED}{}", COUNT.fetch_add(1, Ordering::Relaxed));
        match self.photograph(&name) {
            Ok(file) => eprintln!("how {} looked: {}", self.url(), file.display()),
            Err(why) => eprintln!("no picture of the failure: {why}"),
        }
    }

    /// A picture of what the screen shows.
    fn photograph(&self, name: &str) -> Result<PathBuf, Box<dyn Error>> {
        let asked = json!({ "format": "png", "optimizeForSpeed": true });
        let taken = self.try_chromium("Page.captureScreenshot", &asked)?;
        let data = taken["data"].as_str().ok_or("there is none in the answer")?;
        let file = screenshots().join(format!("{name}.png"));
        fs::write(&file, STANDARD.decode(data)?)?;
        Ok(file)
    }
}
