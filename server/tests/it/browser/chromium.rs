//! Chromium, steered through chromedriver by the `WebDriver` protocol.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Debug;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io};

use fantoccini::actions::{InputSource, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::{WebDriverCompatibleCommand, WindowHandle};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// How long a page may take to become what a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Without a window, and without anything that Chromium does for itself.
const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
    // As on phones, which lay them over the page.
    "--hide-scrollbars",
    "--lang=en",
];

/// Where chromedriver listens. It is started once, by a thread that waits for the end of the process: the system ends chromedriver with
/// that thread, and chromedriver its browsers, however the run ends.
fn driver() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "TERM", "--", "chromedriver", "--port=0"]);
            let mut driver =
                command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            for line in BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok) {
                // ChromeDriver was started successfully on port 34567.
                if let Some((_, port)) = line.split_once("successfully on port ") {
                    sender.send(format!("http://127.0.0.1:{}", port.trim_end_matches('.'))).unwrap();
                }
            }
            driver.wait().unwrap();
        });
        receiver
            .recv_timeout(Duration::from_mins(1))
            .expect("chromedriver is installed and starts (Debian: apt-get install chromium chromium-driver)")
    })
}

/// What a browser is started with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing but [`FLAGS`].
    Plain,
    /// A camera that sees Chromium's own test picture.
    Phone,
}

/// Browsers that no test has at the moment. To start one takes longer than many a test does with it.
static IDLE: Mutex<Vec<(Kind, Chromium)>> = Mutex::new(Vec::new());

/// More than this many are not kept.
const MOST_IDLE: usize = 6;

fn idle() -> std::sync::MutexGuard<'static, Vec<(Kind, Chromium)>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the browsers that are kept, and removes their profiles.
pub fn close_idle() {
    let kept = std::mem::take(&mut *idle());
    std::thread::scope(|all| {
        for (_, chromium) in kept {
            all.spawn(|| chromium.close());
        }
    });
}

/// A running browser.
struct Chromium {
    client: Client,
    runtime: Runtime,
    profile: tempfile::TempDir,
}

impl Chromium {
    fn start(preferences: &Value, more_flags: &[String]) -> Self {
        let profile = tempfile::Builder::new().prefix("cs-browser-").tempdir().unwrap();
        let mut preferences = preferences.clone();
        preferences["download.default_directory"] = json!(downloads(&profile));
        preferences["credentials_enable_service"] = json!(false);
        preferences["intl.accept_languages"] = json!("en");
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.extend_from_slice(more_flags);
        flags.push(format!("--user-data-dir={}", profile.path().join("profile").display()));
        let capabilities = json!({
            "goog:chromeOptions": { "args": flags, "prefs": preferences },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else { unreachable!("an object is written above") };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let client = runtime
            .block_on(ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(driver()))
            .unwrap();
        Self { client, runtime, profile }
    }

    /// Takes out what was done with it: cookies, the cache, what the pages of these origins have stored, downloads, and with its windows all
    /// that was pretended to them.
    fn forget(&self, origins: &BTreeSet<String>) -> Result<(), Box<dyn Error>> {
        let client = &self.client;
        self.runtime.block_on(async {
            let old = client.windows().await?;
            let new = client.new_window(true).await?.handle;
            for window in old {
                client.switch_to_window(window).await?;
                client.close_window().await?;
            }
            client.switch_to_window(new).await?;
            for origin in origins {
                let all = json!({ "origin": origin, "storageTypes": "all" });
                client.issue_cmd(Extension::chromium("Storage.clearDataForOrigin", &all)).await?;
            }
            for command in ["Network.clearBrowserCookies", "Network.clearBrowserCache"] {
                client.issue_cmd(Extension::chromium(command, &json!({}))).await?;
            }
            client.issue_cmd(Extension::complaints()).await
        })?;
        match fs::remove_dir_all(downloads(&self.profile)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn close(self) {
        let _ = self.runtime.block_on(self.client.close());
    }
}

/// Where the files go that pages offer.
fn downloads(profile: &tempfile::TempDir) -> PathBuf {
    profile.path().join("downloads")
}

/// What this driver understands beyond the standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl Extension {
    /// A command of Chromium's own protocol.
    fn chromium(command: &str, parameters: &Value) -> Self {
        Self { path: "goog/cdp/execute", body: json!({ "cmd": command, "params": parameters }) }
    }

    /// What pages have complained about since the last call.
    fn complaints() -> Self {
        Self { path: "se/log", body: json!({ "type": "browser" }) }
    }
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (ureq::http::Method, Option<String>) {
        (ureq::http::Method::POST, Some(self.body.to_string()))
    }
}

/// The button, link or summary with these words.
fn pressable(words: &str) -> String {
    format!(
        "//*[self::button or self::a or self::summary][normalize-space()={words:?} or @aria-label={words:?}]"
    )
}

/// One browser that knows nobody. Dropping it closes it, or keeps it for another test that wants such a one.
pub struct Browser {
    /// Taken by drop only.
    chromium: Option<Chromium>,
    /// What it is kept as.
    kind: Option<Kind>,
    /// Where it was led.
    visited: RefCell<BTreeSet<String>>,
    /// How many pages were looked at.
    looks: Cell<usize>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.photograph_failure();
        }
        let Some(chromium) = self.chromium.take() else { return };
        // Of one that a failed test leaves nothing is known.
        let kept = self.kind.filter(|_| !std::thread::panicking() && idle().len() < MOST_IDLE);
        match kept.filter(|_| chromium.forget(&self.visited.borrow()).is_ok()) {
            Some(kind) => idle().push((kind, chromium)),
            None => chromium.close(),
        }
    }
}

impl Browser {
    pub fn open() -> Self {
        Self::open_as(Kind::Plain, &[])
    }

    /// One that runs no scripts of pages.
    pub fn without_scripts() -> Self {
        let preferences = json!({ "profile.managed_default_content_settings.javascript": 2 });
        Self::of(None, Chromium::start(&preferences, &[]))
    }

    /// One with a camera that everybody may use. It sees `film`, else Chromium's own test picture.
    pub fn phone(film: Option<&Path>) -> Self {
        let mut flags = vec![
            "--use-fake-ui-for-media-stream".to_owned(),
            "--use-fake-device-for-media-stream".to_owned(),
        ];
        match film {
            None => Self::open_as(Kind::Phone, &flags),
            Some(film) => {
                flags.push(format!("--use-file-for-fake-video-capture={}", film.display()));
                Self::of(None, Chromium::start(&json!({}), &flags))
            }
        }
    }

    fn open_as(kind: Kind, flags: &[String]) -> Self {
        let mut idle = idle();
        let kept = idle.iter().position(|(known, _)| *known == kind).map(|at| idle.swap_remove(at).1);
        drop(idle);
        Self::of(Some(kind), kept.unwrap_or_else(|| Chromium::start(&json!({}), flags)))
    }

    fn of(kind: Option<Kind>, chromium: Chromium) -> Self {
        Self { chromium: Some(chromium), kind, visited: RefCell::default(), looks: Cell::new(0) }
    }

    fn running(&self) -> &Chromium {
        self.chromium.as_ref().expect("it is taken by drop only")
    }

    /// 0 and 1 in turns.
    pub fn next_turn(&self) -> usize {
        self.looks.replace(self.looks.get() + 1) % 2
    }

    fn client(&self) -> &Client {
        &self.running().client
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.running().runtime.block_on(work)
    }

    /// What `look` finds, as soon as it does.
    #[track_caller]
    pub fn soon<T>(&self, what: impl Debug, look: impl Fn() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(
                Instant::now() < deadline,
                "waited for {what:?} at {}:\n{}\n{:#?}",
                self.url(),
                self.text(),
                self.complaints()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn visit(&self, url: &str) {
        let origin = url::Url::parse(url).unwrap().origin().ascii_serialization();
        self.visited.borrow_mut().insert(origin);
        self.wait(self.client().goto(url)).unwrap();
    }

    /// Another page of the server that is being visited.
    pub fn go(&self, path: &str) {
        let url = url::Url::parse(&self.url()).unwrap().join(path).unwrap();
        self.visit(url.as_str());
    }

    pub fn back(&self) {
        self.wait(self.client().back()).unwrap();
    }

    pub fn url(&self) -> String {
        self.wait(self.client().current_url()).map(String::from).unwrap_or_default()
    }

    /// Path and query.
    pub fn path(&self) -> String {
        let url = url::Url::parse(&self.url()).unwrap();
        url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// What can be read on the page.
    pub fn text(&self) -> String {
        let text = self.wait(self.client().execute("return document.body.innerText", Vec::new()));
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    #[track_caller]
    pub fn must_be_at(&self, path: &str) {
        self.soon(path, || (self.path() == path).then_some(()));
    }

    #[track_caller]
    pub fn must_say(&self, words: &str) {
        self.soon(words, || self.text().contains(words).then_some(()));
    }

    /// For a page that is there already.
    #[track_caller]
    pub fn must_not_say(&self, words: &str) {
        assert!(!self.text().contains(words), "{}", self.text());
    }

    /// The first such element that can be seen. The driver's own word on that takes what a closed `details` shows by its style for hidden.
    #[track_caller]
    fn find(&self, locator: Locator<'_>) -> Element {
        let is_seen =
            "return arguments[0].checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true })";
        self.soon(locator, || {
            self.wait(async {
                for element in self.client().find_all(locator).await.ok()? {
                    let it = serde_json::to_value(&element).ok()?;
                    if self.client().execute(is_seen, vec![it]).await.ok()? == true {
                        return Some(element);
                    }
                }
                None
            })
        })
    }

    pub fn is_there(&self, css: &str) -> bool {
        self.wait(self.client().find(Locator::Css(css))).is_ok()
    }

    /// An attribute of the first such element, seen or not.
    #[track_caller]
    pub fn attribute(&self, css: &str, name: &str) -> String {
        let read = || async { self.client().find(Locator::Css(css)).await.ok()?.attr(name).await.ok()? };
        self.soon(css, || self.wait(read()))
    }

    /// The texts of all such elements, of one moment.
    pub fn texts(&self, css: &str) -> Vec<String> {
        let read = "return [...document.querySelectorAll(arguments[0])].map(one => one.innerText.trim())";
        serde_json::from_value(self.script(read, vec![Value::from(css)])).unwrap()
    }

    /// Types into a field in place of what is there.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        let field = self.find(Locator::Css(css));
        self.wait(async {
            field.clear().await?;
            field.send_keys(text).await
        })
        .unwrap();
    }

    /// Types wherever the keyboard's focus is.
    pub fn keys(&self, text: &str) {
        self.wait(async { self.client().active_element().await?.send_keys(text).await }).unwrap();
    }

    /// Presses what stands at a place.
    #[track_caller]
    pub fn click(&self, css: &str) {
        self.point_at(Locator::Css(css));
    }

    /// The same for what an `XPath` finds.
    #[track_caller]
    pub fn click_path(&self, path: &str) {
        self.point_at(Locator::XPath(path));
    }

    /// Moves the mouse there and clicks. A page that is being drawn anew may take the thing away under the mouse.
    #[track_caller]
    fn point_at(&self, locator: Locator<'_>) {
        self.soon(locator, || self.try_to_point(&self.find(locator)).ok());
    }

    /// Moves one thing onto another with the mouse.
    #[track_caller]
    pub fn drag(&self, from: &str, to: &str) {
        let (from, to) = (self.find(Locator::Css(from)), self.find(Locator::Css(to)));
        let over = |element: Element| {
            let duration = Some(Duration::from_millis(50));
            PointerAction::MoveToElement { element, duration, x: 0.0, y: 0.0 }
        };
        let mouse = MouseActions::new("mouse".to_owned())
            .then(over(from))
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(over(to))
            .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.wait(self.client().perform_actions(mouse)).unwrap();
    }

    /// Chooses a file for a field, which need not be seen.
    #[track_caller]
    pub fn attach(&self, css: &str, file: &Path) {
        let choose = || async {
            self.client().find(Locator::Css(css)).await.ok()?.send_keys(file.to_str()?).await.ok()
        };
        self.soon(css, || self.wait(choose()));
    }

    /// What one part of the page looks like, as a PNG file.
    #[track_caller]
    pub fn picture_of(&self, css: &str) -> Vec<u8> {
        self.wait(self.find(Locator::Css(css)).screenshot()).unwrap()
    }

    /// The name of the window that is being looked at.
    pub fn window(&self) -> WindowHandle {
        self.wait(self.client().window()).unwrap()
    }

    /// Opens one more and looks at it.
    pub fn new_window(&self) -> WindowHandle {
        let window = self.wait(self.client().new_window(true)).unwrap().handle;
        self.show_window(&window);
        window
    }

    pub fn show_window(&self, window: &WindowHandle) {
        self.wait(self.client().switch_to_window(window.clone())).unwrap();
    }

    /// Moves the mouse there and clicks.
    #[track_caller]
    fn point(&self, at: &Element) {
        self.try_to_point(at).unwrap();
    }

    fn try_to_point(&self, at: &Element) -> Result<(), CmdError> {
        let show = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })";
        self.wait(self.client().execute(show, vec![serde_json::to_value(at).unwrap()]))?;
        let mouse = MouseActions::new("mouse".to_owned())
            .then(PointerAction::MoveToElement { element: at.clone(), duration: None, x: 0.0, y: 0.0 })
            .then(PointerAction::Down { button: MOUSE_BUTTON_LEFT })
            .then(PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.wait(self.client().perform_actions(mouse))
    }

    /// What the keyboard's focus is on, by its name. It must be seen to have it, whole and within the screen.
    #[track_caller]
    pub fn focused(&self) -> String {
        let look = "const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect(); \
             return [one.getAttribute('aria-label') ?? one.innerText.trim(), \
             style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2, \
             box.width > 0 && box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth]";
        let found = self.script(look, Vec::new());
        let name = found[0].as_str().unwrap().to_owned();
        assert_eq!(
            (&found[1], &found[2]),
            (&json!(true), &json!(true)),
            "{name:?} is focused and not seen to be"
        );
        name
    }

    /// Presses the button, link or summary with these words, and waits for the page that follows.
    #[track_caller]
    pub fn press(&self, words: &str) {
        let pressed = self.find(Locator::XPath(&pressable(words)));
        self.turn(|| self.point(&pressed));
    }

    /// The same where the page stays.
    #[track_caller]
    pub fn unfold(&self, words: &str) {
        self.click_path(&pressable(words));
    }

    /// Does something that leads to another page, or to the same one anew, and waits until that is there. Pages are left without complaints.
    #[track_caller]
    pub fn turn(&self, act: impl FnOnce()) {
        let old = self.find(Locator::Css("html"));
        self.must_be_quiet();
        act();
        self.soon("the next page", || self.wait(old.tag_name()).is_err().then_some(()));
        self.find(Locator::Css("footer"));
    }

    /// Runs a script on the page; a promise is waited for.
    #[track_caller]
    pub fn script(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.wait(self.client().execute(script, arguments)).unwrap()
    }

    /// A command of Chromium's own protocol.
    #[track_caller]
    pub fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.try_chromium(command, parameters).unwrap()
    }

    pub fn try_chromium(&self, command: &str, parameters: &Value) -> Result<Value, CmdError> {
        self.wait(self.client().issue_cmd(Extension::chromium(command, parameters)))
    }

    /// What the page has complained about since the last call: errors of scripts, refusals of the content security policy, missing files.
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.wait(self.client().issue_cmd(Extension::complaints())).unwrap();
        let entries = entries.as_array().unwrap().iter().filter(|entry| entry["level"] != "INFO");
        entries.map(|entry| format!("{} {}", entry["level"], entry["message"])).collect()
    }

    /// The only file with this ending that was downloaded.
    #[track_caller]
    pub fn download(&self, ending: &str) -> PathBuf {
        let folder = downloads(&self.running().profile);
        let look = || {
            let mut files = fs::read_dir(&folder).ok()?.filter_map(|file| Some(file.ok()?.path()));
            // The name may be there before the text is: an empty file is none yet.
            let is_whole = |file: &PathBuf| file.metadata().is_ok_and(|file| file.len() > 0);
            files.find(|file| file.extension().is_some_and(|known| known == ending) && is_whole(file))
        };
        self.soon(ending, look)
    }

    /// The text of a file that was downloaded.
    #[track_caller]
    pub fn downloaded(&self, name: &str) -> String {
        let file: PathBuf = downloads(&self.running().profile).join(name);
        self.soon(name, || fs::read_to_string(&file).ok().filter(|text| !text.is_empty()))
    }
}
