//! The phone app without its server, and with a server that has another release: its service worker keeps one, until it is told otherwise.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use countersign::clock::Clock;
use serde_json::{Value, json};

use crate::actors::{App, Place, START};
use crate::browser::chromium::Browser;
use crate::phone_files::{bundle, hash};
use crate::{Backend, tests};

tests![
    the_app_starts_without_its_server,
    another_release_is_taken_when_the_user_says_so,
    a_release_that_is_not_what_its_list_says_is_not_taken,
    an_app_that_was_not_kept_whole_is_not_kept,
    an_app_that_does_not_start_is_replaced_when_the_user_says_so,
    an_app_whose_first_script_is_broken_shows_the_way_all_the_same,
    an_app_that_the_browser_has_lost_parts_of_starts_as_it_was_or_not_at_all,
    a_vault_that_does_not_open_leaves_a_way_to_another_release,
];

/// What stands in the page of the second release only.
const MARK: &str = "<meta name=\"test-release\" content=\"2\">";

/// A release in a folder of its own, which the test can change.
struct Release(tempfile::TempDir);

impl Release {
    /// The built one.
    fn built() -> Self {
        let folder = tempfile::Builder::new().prefix("cs-phone-").tempdir().unwrap();
        for file in fs::read_dir(bundle()).unwrap() {
            let path = file.unwrap().path();
            if !path.extension().is_some_and(|ending| ending == "br" || ending == "gz") {
                fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        Self(folder)
    }

    fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Another page and another version, listed as the bundler does.
    fn renew(&self) {
        let page = self.folder().join("index.html");
        let text = fs::read_to_string(&page).unwrap();
        fs::write(&page, text.replace("<head>", &format!("<head>{MARK}"))).unwrap();
        self.list("99.0.0");
    }

    fn list(&self, version: &str) {
        let mut names: Vec<String> = fs::read_dir(self.folder())
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "release.json")
            .collect();
        names.sort();
        let files: Vec<Value> = names
            .iter()
            .map(|name| {
                let content = fs::read(self.folder().join(name)).unwrap();
                json!({ "path": name, "bytes": content.len(), "sha256": hash(&content) })
            })
            .collect();
        let list = json!({ "version": version, "files": files }).to_string();
        fs::write(self.folder().join("release.json"), list).unwrap();
    }

    /// What phones show: version and build.
    fn shown(&self) -> Value {
        let list = fs::read(self.folder().join("release.json")).unwrap();
        let parsed: Value = serde_json::from_slice(&list).unwrap();
        json!({ "version": parsed["version"], "build": &hash(&list)[..16] })
    }
}

fn serve(place: &Arc<Place>, release: &Release) -> App {
    let app = App::start_as_its_own_issuer(place, Clock::fake(START));
    app.serve_phone_files_from(release.folder());
    app
}

/// Visits the app until its service worker answers in its server's place.
fn visit(browser: &Browser, app: &App) {
    open(browser, &app.url);
    browser.soon("a service worker", || {
        let controlled =
            "return navigator.serviceWorker.ready.then(() => !!navigator.serviceWorker.controller)";
        (browser.script(controlled, Vec::new()) == true).then_some(())
    });
}

/// Opens the app, and waits until it has taken the splash away.
fn open(browser: &Browser, url: &str) {
    browser.visit(&format!("{url}/phone/"));
    browser.soon("the app", || (!browser.is_there(".splash")).then_some(()));
    assert_eq!(browser.script("return document.title", Vec::new()), "Countersign");
}

/// Sends the service worker a message; its answer.
fn tell(browser: &Browser, message: &Value) -> Value {
    let talk = "return navigator.serviceWorker.ready.then(({ active }) => new Promise(resolve => { \
         const { port1, port2 } = new MessageChannel(); port1.onmessage = ({ data }) => resolve(data); \
         active.postMessage(arguments[0], [port2]); }))";
    browser.script(talk, vec![message.clone()])
}

fn has_mark(browser: &Browser) -> bool {
    browser.is_there("meta[name=test-release]")
}

/// The names of all that the service worker keeps, by cache.
fn kept(browser: &Browser) -> Value {
    let list = "return caches.keys().then(keys => Promise.all(keys.map(key => caches.open(key).then(cache => cache.keys()) \
         .then(files => [key, files.map(file => new URL(file.url).pathname.split('/').pop()).sort()])))).then(Object.fromEntries)";
    browser.script(list, Vec::new())
}

fn the_app_starts_without_its_server(on: Backend) {
    let (place, release) = (Arc::new(Place::new(on)), Release::built());
    let app = serve(&place, &release);
    let browser = Browser::open();
    visit(&browser, &app);
    let installed = release.shown();
    assert_eq!(tell(&browser, &json!({ "kind": "release" })), json!({ "installed": installed }));
    assert_eq!(
        tell(&browser, &json!({ "kind": "check" })),
        json!({ "installed": installed, "available": null })
    );
    let status = "return fetch(arguments[0]).then(reply => reply.status, () => 'none')";
    let ask = |path: &str| browser.script(status, vec![json!(path)]);
    assert_eq!(
        (ask("config.json"), ask("../healthz"), ask("nothing.js")),
        (json!(200), json!(200), json!(404))
    );

    // What is kept is the release, whatever else was asked for.
    let mut names: Vec<String> = fs::read_dir(release.folder())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let build = installed["build"].as_str().unwrap();
    let expected = json!({ "countersign:/phone/:accepted": ["accepted"], format!("countersign:/phone/:{build}"): names });
    assert_eq!(kept(&browser), expected);

    let (clock, url) = (app.clock.clone(), app.url.clone());
    drop(app);
    open(&browser, &url);
    assert_eq!(tell(&browser, &json!({ "kind": "release" })), json!({ "installed": installed }));
    let offline = json!({ "installed": installed, "error": "offline" });
    assert_eq!(tell(&browser, &json!({ "kind": "check" })), offline);
    assert_eq!(tell(&browser, &json!({ "kind": "update", "build": build })), offline);
    assert_eq!(
        (ask("config.json"), ask("api/time"), ask("app.js")),
        (json!("none"), json!("none"), json!(200))
    );
    for path in ["", "index.html", "app_bg.wasm"] {
        let headers = "return fetch(arguments[0]).then(({ headers }) => [headers.get('content-security-policy'), \
             headers.get('permissions-policy'), headers.get('content-type')])";
        let headers = browser.script(headers, vec![json!(path)]);
        assert!(headers[0].as_str().unwrap().contains("script-src 'self' 'wasm-unsafe-eval';"), "{headers}");
        assert!(headers[1].as_str().unwrap().contains("camera=(self)"), "{headers}");
        let kind = if path == "app_bg.wasm" { "application/wasm" } else { "text/html; charset=utf-8" };
        assert_eq!(headers[2], kind);
    }
    // An address below it, as from a shortcut or a link that somebody kept.
    browser.visit(&format!("{url}/phone/?from=elsewhere#add"));
    browser.soon("the app", || (!browser.is_there(".splash")).then_some(()));

    // The server is back, and has nothing new.
    let app = App::start_again(&place, clock, &url);
    app.serve_phone_files_from(release.folder());
    assert_eq!(
        tell(&browser, &json!({ "kind": "check" })),
        json!({ "installed": installed, "available": null })
    );
}

fn another_release_is_taken_when_the_user_says_so(on: Backend) {
    let (place, release) = (Arc::new(Place::new(on)), Release::built());
    let app = serve(&place, &release);
    let browser = Browser::open();
    visit(&browser, &app);
    let old = release.shown();
    release.renew();
    let new = release.shown();

    open(&browser, &app.url);
    assert!(!has_mark(&browser), "nobody has said so");
    assert_eq!(tell(&browser, &json!({ "kind": "check" })), json!({ "installed": old, "available": new }));
    open(&browser, &app.url);
    assert!(!has_mark(&browser), "nobody has said so");
    let other = json!({ "kind": "update", "build": "0123456789abcdef" });
    assert_eq!(tell(&browser, &other), json!({ "installed": old, "error": "changed" }));
    assert_eq!(tell(&browser, &json!({ "kind": "release" })), json!({ "installed": old }));

    let first = browser.window();
    let second = browser.new_window();
    open(&browser, &app.url);
    browser.show_window(&first);
    let update = json!({ "kind": "update", "build": new["build"] });
    assert_eq!(tell(&browser, &update), json!({ "installed": new }));
    assert!(!has_mark(&browser), "who has asked is answered, and goes on as it likes");
    // No other window goes on with half of each.
    browser.show_window(&second);
    browser.soon("the new release in the other window", || has_mark(&browser).then_some(()));
    browser.show_window(&first);
    assert_eq!(kept(&browser).as_object().unwrap().len(), 2, "the old release is gone");

    let url = app.url.clone();
    drop(app);
    open(&browser, &url);
    assert!(has_mark(&browser));
    assert_eq!(tell(&browser, &json!({ "kind": "release" })), json!({ "installed": new }));
}

fn a_release_that_is_not_what_its_list_says_is_not_taken(on: Backend) {
    let (place, release) = (Arc::new(Place::new(on)), Release::built());
    let app = serve(&place, &release);
    let browser = Browser::open();
    visit(&browser, &app);
    let (old, before) = (release.shown(), kept(&browser));
    release.renew();
    let update = json!({ "kind": "update", "build": release.shown()["build"] });
    let script = release.folder().join("boot.js");
    let good = fs::read(&script).unwrap();

    // As long as before, but not the same.
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    fs::write(&script, bad).unwrap();
    let damaged = json!({ "installed": old, "error": "damaged" });
    assert_eq!(tell(&browser, &update), damaged);
    fs::remove_file(&script).unwrap();
    assert_eq!(tell(&browser, &update), damaged);
    assert_eq!(kept(&browser), before, "nothing of it stays");
    open(&browser, &app.url);
    assert!(!has_mark(&browser));
    assert_eq!(tell(&browser, &json!({ "kind": "release" })), json!({ "installed": old }));

    fs::write(&script, good).unwrap();
    assert_eq!(tell(&browser, &update), json!({ "installed": release.shown() }));
}

fn an_app_that_was_not_kept_whole_is_not_kept(on: Backend) {
    let (place, release) = (Arc::new(Place::new(on)), Release::built());
    release.renew();
    let page = release.folder().join("icon.svg");
    fs::write(&page, fs::read_to_string(&page).unwrap() + " ").unwrap();
    let app = serve(&place, &release);
    let browser = Browser::open();
    open(&browser, &app.url);
    // It may be given up before this page hears that it is there at all.
    let register = "return navigator.serviceWorker.register('sw.js', { updateViaCache: 'none' }).then(registration => \
         new Promise(resolve => { \
             const worker = registration.installing ?? registration.waiting ?? registration.active; \
             if (worker === null || worker.state !== 'installing') return resolve(worker?.state ?? 'redundant'); \
             worker.onstatechange = () => resolve(worker.state); \
         }))";
    assert_eq!(browser.script(register, Vec::new()), "redundant");
    assert_eq!(kept(&browser), json!({ "countersign:/phone/:accepted": [] }));
}

/// The page that stands in for an app that does not start.
fn must_be_rescued(browser: &Browser) {
    browser.must_say("The app does not start");
    browser.must_say("Your accounts are not affected.");
}

/// Takes the server's release there, and waits for it.
fn be_rescued(browser: &Browser, release: &Release) {
    browser.unfold("Look for a new version");
    browser.must_say("A new version is there");
    browser.must_say(release.shown()["build"].as_str().unwrap());
    browser.unfold("Take the new version");
    browser.must_say("Your second factor");
    assert_eq!(tell(browser, &json!({ "kind": "release" })), json!({ "installed": release.shown() }));
}

fn an_app_that_does_not_start_is_replaced_when_the_user_says_so(on: Backend) {
    let (place, release) = (Arc::new(Place::new(on)), Release::built());
    let app_script = release.folder().join("app.js");
    let good = fs::read(&app_script).unwrap();
    fs::write(&app_script, "throw new Error('broken')").unwrap();
    release.list("98.0.0");
    let app = serve(&place, &release);
    let browser = Browser::open();
    browser.visit(&format!("{}/phone/", app.url));
    browser.must_say("Countersign could not start");
    let controlled = "return navigator.serviceWorker.ready.then(() => !!navigator.serviceWorker.controller)";
    browser.soon("a service worker", || (browser.script(controlled, Vec::new()) == true).then_some(()));
    browser.visit(&format!("{}/phone/", app.url));
    browser.must_say("Countersign could not start");
    let before = kept(&browser);
    // What the broken app complained about is known.
    browser.complaints();
    browser.must_look_right("phone-failed");

    browser.unfold("Look for a new version");
    must_be_rescued(&browser);
    browser.unfold("Look for a new version");
    browser.must_say("There is no newer version.");
    fs::write(&app_script, good).unwrap();
    release.renew();
    browser.unfold("Look for a new version");
    browser.must_say("99.0.0");
    assert_eq!(kept(&browser), before, "nobody has said so");
    browser.must_look_right("phone-rescue");
    browser.unfold("Try again");
    browser.must_say("Countersign could not start");
    browser.visit(&format!("{}/phone/?rescue", app.url));
    be_rescued(&browser, &release);
    assert!(has_mark(&browser));
}

fn an_app_whose_first_script_is_broken_shows_the_way_all_the_same(on: Backend) {
    let (place, release) = (Arc::new(Place::new(on)), Release::built());
    let app = serve(&place, &release);
    let browser = Browser::open();
    visit(&browser, &app);
    let script = release.folder().join("boot.js");
    let good = fs::read(&script).unwrap();
    fs::write(&script, "throw new Error('broken')").unwrap();
    release.list("98.0.0");
    let update = json!({ "kind": "update", "build": release.shown()["build"] });
    assert_eq!(tell(&browser, &update), json!({ "installed": release.shown() }));
    browser.visit(&format!("{}/phone/", app.url));
    browser.must_not_say("It does not start?");
    // A quarter of a minute later.
    browser.script("document.getAnimations().forEach(one => one.finish())", Vec::new());
    browser.unfold("It does not start?");
    must_be_rescued(&browser);
    fs::write(&script, good).unwrap();
    release.renew();
    be_rescued(&browser, &release);
}

fn an_app_that_the_browser_has_lost_parts_of_starts_as_it_was_or_not_at_all(on: Backend) {
    let (place, release) = (Arc::new(Place::new(on)), Release::built());
    let app = serve(&place, &release);
    let browser = Browser::open();
    visit(&browser, &app);
    let lose = |name: &str| {
        let build = tell(&browser, &json!({ "kind": "release" }))["installed"]["build"].clone();
        let lose = "return caches.open('countersign:/phone/:' + arguments[0]).then(cache => cache.delete(new URL(arguments[1], location)))";
        assert_eq!(browser.script(lose, vec![build, json!(name)]), true);
    };
    let page = format!("{}/phone/", app.url);
    let spoil = "return caches.open('countersign:/phone/:' + arguments[0]).then(cache => \
         cache.put(new URL('release.json', location), new Response('{}')).then(() => true))";
    // As long as the server has the same, that is taken.
    for name in ["boot.js", "index.html"] {
        lose(name);
        open(&browser, &app.url);
    }
    let old = release.shown();
    release.renew();
    for name in ["boot.js", "index.html"] {
        lose(name);
        browser.visit(&page);
        // The page that was changed would start, and nobody has said so; the script was not changed and is taken.
        if name == "index.html" {
            must_be_rescued(&browser);
        }
        assert!(!has_mark(&browser));
    }
    assert_eq!(tell(&browser, &json!({ "kind": "release" })), json!({ "installed": old }));
    be_rescued(&browser, &release);
    assert!(has_mark(&browser));

    // Without its list, nobody knows what was accepted. The worker has read it and must be stopped first.
    let list = fs::read(release.folder().join("release.json")).unwrap();
    release.list("100.0.0");
    lose("release.json");
    let stop = || {
        browser.chromium("ServiceWorker.enable", &json!({}));
        browser.chromium("ServiceWorker.stopAllWorkers", &json!({}));
    };
    stop();
    browser.visit(&page);
    must_be_rescued(&browser);
    // A link's secret does not stay in the address of a page that can do nothing with it.
    browser.visit(&format!("{page}#add=otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"));
    must_be_rescued(&browser);
    browser.must_say("Open the link that led here once more");
    assert_eq!(browser.script("return location.hash", Vec::new()), "");
    let status = "return fetch(arguments[0]).then(reply => reply.status, () => 'none')";
    assert_eq!(browser.script(status, vec![json!("app.js")]), "none");
    // The same list is as good as the lost one.
    fs::write(release.folder().join("release.json"), &list).unwrap();
    open(&browser, &app.url);
    assert_eq!(tell(&browser, &json!({ "kind": "release" })), json!({ "installed": release.shown() }));

    // One that is not what was accepted is as good as none.
    let build = release.shown()["build"].clone();
    assert_eq!(browser.script(spoil, vec![build]), true);
    release.list("100.0.0");
    stop();
    browser.visit(&page);
    must_be_rescued(&browser);
    fs::write(release.folder().join("release.json"), list).unwrap();
    open(&browser, &app.url);
}

fn a_vault_that_does_not_open_leaves_a_way_to_another_release(on: Backend) {
    let (place, release) = (Arc::new(Place::new(on)), Release::built());
    let app = serve(&place, &release);
    let browser = Browser::open();
    visit(&browser, &app);
    let take = || {
        browser.unfold("Look for a new version");
        browser.must_say("There is no newer version.");
        release.renew();
        browser.unfold("Look for a new version");
        browser.unfold("A new version is there");
        browser.must_say("The present version goes on until you take the new one.");
        browser.unfold("Take the new version");
        browser.soon("the new release", || has_mark(&browser).then_some(()));
    };
    // Nobody knows any more what opens it.
    browser.fill("#passphrase-new", "plum river candle brick");
    browser.fill("#passphrase-again", "plum river candle brick");
    browser.unfold("Start");
    browser.must_say("No accounts yet");
    browser.unfold("Lock");
    browser.must_say("Locked");
    take();
    browser.must_say("Locked");

    // A file that this release cannot read.
    let spoil = "return import('./store.js').then(store => store.save(new Uint8Array([1]), 2, 1))";
    browser.script(spoil, Vec::new());
    browser.visit(&format!("{}/phone/", app.url));
    browser.must_say("The vault cannot be read");
    browser.must_say("Look for a new version");
}
