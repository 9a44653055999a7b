//! Chromium, steered through chromedriver by the `WebDriver` protocol.

use std::cell::Cell;
use std::fmt::Debug;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

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

/// What this driver understands beyond the standard.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
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

/// One browser with a profile of its own, which knows nobody. Dropping it closes it.
pub struct Browser {
    client: Option<Client>,
    runtime: Runtime,
    profile: tempfile::TempDir,
    /// How many pages were looked at.
    looks: Cell<usize>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(client) = self.client.take() {
            let _ = self.runtime.block_on(client.close());
        }
    }
}

impl Browser {
    pub fn open() -> Self {
        Self::open_with(&json!({}), &[])
    }

    /// One that runs no scripts of pages.
    pub fn without_scripts() -> Self {
        Self::open_with(&json!({ "profile.managed_default_content_settings.javascript": 2 }), &[])
    }

    /// One with a camera that everybody may use. It sees `film`, else Chromium's own test picture.
    pub fn phone(film: Option<&Path>) -> Self {
        let mut flags = vec![
            "--use-fake-ui-for-media-stream".to_owned(),
            "--use-fake-device-for-media-stream".to_owned(),
        ];
        flags.extend(film.map(|film| format!("--use-file-for-fake-video-capture={}", film.display())));
        Self::open_with(&json!({}), &flags)
    }

    fn open_with(preferences: &Value, more_flags: &[String]) -> Self {
        let profile = tempfile::Builder::new().prefix("cs-browser-").tempdir().unwrap();
        let mut preferences = preferences.clone();
        preferences["download.default_directory"] = json!(profile.path().join("downloads"));
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
        Self { client: Some(client), runtime, profile, looks: Cell::new(0) }
    }

    /// 0 and 1 in turns.
    pub fn next_turn(&self) -> usize {
        self.looks.replace(self.looks.get() + 1) % 2
    }

    fn client(&self) -> &Client {
        self.client.as_ref().expect("it is taken by drop only")
    }

    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
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

    fn extension(&self, path: &'static str, body: Value) -> Value {
        self.wait(self.client().issue_cmd(Extension { path, body })).unwrap()
    }

    /// A command of Chromium's own protocol.
    pub fn chromium(&self, command: &str, parameters: &Value) -> Value {
        self.extension("goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// What the page has complained about since the last call: errors of scripts, refusals of the content security policy, missing files.
    pub fn complaints(&self) -> Vec<String> {
        let entries = self.extension("se/log", json!({ "type": "browser" }));
        let entries = entries.as_array().unwrap().iter().filter(|entry| entry["level"] != "INFO");
        entries.map(|entry| format!("{} {}", entry["level"], entry["message"])).collect()
    }

    /// The only file with this ending that was downloaded.
    #[track_caller]
    pub fn download(&self, ending: &str) -> PathBuf {
        let folder = self.profile.path().join("downloads");
        let look = || {
            let mut files = std::fs::read_dir(&folder).ok()?.filter_map(|file| Some(file.ok()?.path()));
            // The name may be there before the text is: an empty file is none yet.
            let is_whole = |file: &PathBuf| file.metadata().is_ok_and(|file| file.len() > 0);
            files.find(|file| file.extension().is_some_and(|known| known == ending) && is_whole(file))
        };
        self.soon(ending, look)
    }

    /// The text of a file that was downloaded.
    #[track_caller]
    pub fn downloaded(&self, name: &str) -> String {
        let file: PathBuf = self.profile.path().join("downloads").join(name);
        self.soon(name, || std::fs::read_to_string(&file).ok().filter(|text| !text.is_empty()))
    }
}
