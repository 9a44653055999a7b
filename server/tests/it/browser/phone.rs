//! The phone app in a real Chromium: scanning, locking, importing, and what happens when something breaks.
//!
//! The server's clock is the machine's here, since the phone has only that one; where clocks differ, the test says so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign::app::factor::NewFactor;
use countersign::clock::Clock;
use countersign::domain::factor::Mechanism;
use mobile_core::{Hotp, KeyUri, Kind, Totp};
use serde_json::{Value, json};

use crate::actors::{App, Place, START};
use crate::browser::chromium::Browser;
use crate::browser::give_password;
use crate::{Backend, tests};

tests![
    a_code_that_was_scanned_logs_in,
    one_tap_confirms_a_new_phone,
    the_servers_own_accounts_are_known_without_the_server,
    a_camera_that_was_chosen_in_haste_leaves_no_other_one_on,
    what_keeps_no_release_and_what_does_not_answer_is_told,
    a_reset_shows_which_account_is_dead,
    an_account_that_was_enrolled_anew_takes_the_place_of_the_dead_one,
    a_link_is_asked_about_before_it_adds_an_account,
    nobody_is_asked_in_the_servers_place,
    a_clock_that_jumps_is_corrected_while_the_server_is_asked,
    a_wrong_clock_is_told_and_corrected,
    a_clock_that_is_set_while_the_app_is_open_makes_no_codes_wrong,
    a_device_that_slept_keeps_its_correction,
    a_wrong_server_corrects_its_own_accounts_alone_where_the_person_says_so,
    the_clocks_are_compared_when_the_app_comes_into_sight,
    codes_stay_right_without_the_server,
    the_codes_of_rfc_6238_appear_at_their_times,
    a_passphrase_opens_the_vault_and_a_wrong_one_does_not,
    a_passphrase_that_is_set_later_leaves_nothing_in_the_open,
    nothing_of_a_passphrase_or_secret_is_left_in_memory_at_the_lock,
    the_devices_own_lock_opens_the_vault,
    a_vault_that_was_changed_or_cut_off_is_told_and_kept,
    a_full_store_changes_nothing,
    a_storage_that_fails_is_no_broken_vault,
    what_is_refused_is_not_called_damaged,
    a_vault_that_is_full_says_so,
    two_taps_delete_one_account_and_lead_one_screen_back,
    the_browser_is_asked_to_keep_the_vault_until_it_does,
    two_windows_do_not_undo_each_other,
    what_another_window_has_stored_is_gone_on_from,
    two_windows_have_the_same_settings,
    a_picker_of_files_puts_the_lock_off_no_longer_than_it_is_there,
    a_picker_of_files_puts_the_lock_off_for_two_minutes_at_most,
    who_leaves_while_the_vault_opens_finds_it_locked,
    the_clipboard_is_cleared_of_codes_alone,
    a_counters_code_is_stored_before_it_is_seen,
    two_taps_in_a_row_make_one_code,
    a_counter_that_was_used_up_is_not_put_back_with_a_name,
    a_counters_code_is_stored_before_it_is_sent,
    every_format_is_imported_once,
    an_encrypted_copy_comes_back,
    a_picture_of_another_thing_is_told_apart,
    a_picture_with_a_code_adds_its_account,
    a_secret_is_typed_with_blanks_of_all_kinds,
    an_account_without_any_name_can_be_named,
    who_goes_back_is_led_nowhere_by_what_comes_later,
    the_way_forward_leads_to_nothing_that_is_gone,
    accounts_are_found_named_and_put_in_order,
    who_comes_back_to_the_list_finds_it_as_it_was,
    a_screen_begins_at_its_top_and_the_list_is_where_it_was_left,
    an_import_that_could_not_be_saved_shows_what_it_will_do,
    the_screens_look_right_in_english,
    the_screens_look_right_in_german,
];

const PASSPHRASE: &str = "plum river candle brick";
const URI: &str =
    "otpauth://totp/Example:alice%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example";

/// A browser with the phone app.
struct Handset {
    browser: Browser,
}

impl Handset {
    /// Visits the app for the first time, and waits until it could do without the server.
    fn new(app: &App) -> Self {
        Self::with(Browser::phone(None), &app.url)
    }

    /// One whose camera sees a picture.
    fn seeing(app: &App, picture: &Path) -> Self {
        Self::with(Browser::phone(Some(picture)), &app.url)
    }

    fn with(browser: Browser, server: &str) -> Self {
        let it = Self { browser };
        it.browser.visit(&format!("{server}/phone/"));
        it.browser.must_say("Your second factor");
        let ready = "return Promise.race([navigator.serviceWorker.ready, new Promise(done => setTimeout(done, 10000))]) \
             .then(found => found?.active?.state ?? found?.installing?.state ?? 'none')";
        let state = it.browser.script(ready, Vec::new());
        assert!(["activated", "activating"].contains(&state.as_str().unwrap_or_default()), "{state}");
        it
    }

    fn start_without_passphrase(self) -> Self {
        self.browser.unfold("Without a passphrase …");
        self.browser.unfold("Start without a passphrase");
        self.browser.must_say("Really without?");
        self.browser.unfold("Start without a passphrase");
        self.browser.must_say("No accounts yet");
        self
    }

    fn start_with_passphrase(self) -> Self {
        self.browser.fill("#passphrase-new", PASSPHRASE);
        self.browser.fill("#passphrase-again", PASSPHRASE);
        self.browser.unfold("Start");
        self.browser.must_say("No accounts yet");
        self
    }

    /// Adds an account by its link; ends at its page.
    fn add(&self, uri: &str) {
        self.browser.unfold("Add");
        self.browser.fill("#link", uri);
        self.browser.unfold("Add the link");
        self.browser.soon("the new account", || self.browser.is_there(".who").then_some(()));
    }

    fn home(&self) {
        while !self.browser.is_there(".fab") {
            self.browser.unfold("Back");
            self.browser.soon("the screen before", || (!self.browser.is_there(".who")).then_some(()));
        }
    }

    /// A choice that leads to another screen.
    fn choose(&self, title: &str) {
        self.browser.click_path(&format!("//*[@class='row-title' and normalize-space()={title:?}]"));
    }

    fn settings(&self) {
        self.browser.unfold("Settings");
        self.browser.soon("settings", || self.browser.is_there("#theme").then_some(()));
    }

    /// The codes on the screen, without their blanks.
    fn codes(&self) -> Vec<String> {
        self.browser.texts(".code").into_iter().map(|code| code.replace(' ', "")).collect()
    }

    /// The only code on the screen must be the right one of this moment.
    #[track_caller]
    fn must_show_codes_of(&self, uris: &[&str]) {
        self.browser.soon("right codes", || {
            let before = unix_seconds();
            let shown = self.codes();
            let right = |at| uris.iter().map(|uri| code_at(uri, at)).collect::<Vec<_>>();
            (shown == right(before) || shown == right(unix_seconds())).then_some(())
        });
    }

    /// The stored file, and putting another one in its place.
    fn file(&self) -> Vec<u8> {
        let read = "return new Promise(done => { const open = indexedDB.open('countersign'); open.onsuccess = () => { \
             const get = open.result.transaction('vault').objectStore('vault').get('current'); \
             get.onsuccess = () => { open.result.close(); done([...get.result.file]) } } })";
        serde_json::from_value(self.browser.script(read, Vec::new())).unwrap()
    }

    /// The names of the files that are kept.
    fn kept(&self) -> Value {
        let read = "return new Promise(done => { const open = indexedDB.open('countersign'); open.onsuccess = () => { \
             const get = open.result.transaction('vault').objectStore('vault').getAllKeys(); \
             get.onsuccess = () => { open.result.close(); done(get.result) } } })";
        self.browser.script(read, Vec::new())
    }

    fn spoil(&self, file: &[u8]) {
        let write = "const bytes = new Uint8Array(arguments[0]); return new Promise(done => { \
             const open = indexedDB.open('countersign'); open.onsuccess = () => { \
             const change = open.result.transaction('vault', 'readwrite'); const store = change.objectStore('vault'); \
             const get = store.get('current'); \
             get.onsuccess = () => store.put({ file: bytes, revision: get.result.revision }, 'current'); \
             change.oncomplete = () => { open.result.close(); done(true) } } })";
        assert_eq!(self.browser.script(write, vec![json!(file)]), true);
    }

    fn reload(&self) {
        self.browser.chromium("Page.reload", &json!({}));
        self.browser.soon("a new page", || {
            (self
                .browser
                .script("return performance.now() < 5000 && !document.querySelector('.splash')", Vec::new())
                == true)
                .then_some(())
        });
    }

    /// What stands in a field.
    fn value(&self, css: &str) -> Value {
        self.browser.script("return document.querySelector(arguments[0])?.value", vec![Value::from(css)])
    }

    /// Has the browser's storage fail, or serve again.
    fn break_storage(&self, is_broken: bool) {
        let set = "window.realOpen ??= IDBFactory.prototype.open; IDBFactory.prototype.open = arguments[0] ? \
             () => { throw new DOMException('no', 'UnknownError') } : window.realOpen";
        self.browser.script(set, vec![Value::from(is_broken)]);
    }

    fn unlock(&self, passphrase: &str) {
        self.browser.fill("#passphrase", passphrase);
        self.browser.unfold("Unlock");
    }
}

/// The code by time of a link at a moment.
fn code_at(uri: &str, unix_seconds: u64) -> String {
    let (key, _) = KeyUri::parse(uri).unwrap();
    let Kind::Totp { period } = key.kind() else { panic!("{uri} has no time") };
    let totp = Totp { algorithm: key.algorithm(), digits: key.digits(), period };
    totp.code(key.secret(), totp.step_at(unix_seconds)).as_str().to_owned()
}

fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A server with the machine's own clock.
fn server(on: Backend) -> App {
    App::start_as_its_own_issuer(&Arc::new(Place::new(on)), Clock::System)
}

/// A page that asks a new user to connect a phone and shows the QR code, and the link in it.
fn enrolment(app: &App) -> (Browser, String) {
    app.user_with_password("alice");
    let page = Browser::open();
    give_password(app, &page, "alice", crate::actors::PASSWORD);
    page.press("Show the QR code");
    let uri = page.attribute("a[href^=otpauth]", "href");
    (page, uri)
}

/// What a camera sees that looks at the page's QR code: one picture for ever, in the form that Chromium plays (YUV4MPEG2).
fn camera_sees(page: &Browser, folder: &Path) -> PathBuf {
    let taken = page.picture_of(".qr");
    let mut reader = png::Decoder::new(std::io::Cursor::new(taken)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    let channels = info.color_type.samples();
    let (width, height) = (640_usize, 480_usize);
    let (w, h) = (info.width as usize, info.height as usize);
    assert!(w <= width && h <= height, "{w} x {h}");
    // A grey wall, and the code in the middle of it.
    let mut luma = vec![150_u8; width * height];
    for y in 0..h {
        for x in 0..w {
            luma[(y + (height - h) / 2) * width + x + (width - w) / 2] = pixels[(y * w + x) * channels];
        }
    }
    let mut film = b"YUV4MPEG2 W640 H480 F10:1 Ip A1:1 C420jpeg\n".to_vec();
    for _ in 0..10 {
        film.extend(b"FRAME\n");
        film.extend(&luma);
        film.extend(vec![128_u8; width * height / 2]);
    }
    let file = folder.join("camera.y4m");
    std::fs::write(&file, film).unwrap();
    file
}

fn a_code_that_was_scanned_logs_in(on: Backend) {
    let app = server(on);
    let (page, uri) = enrolment(&app);
    let folder = tempfile::tempdir().unwrap();
    let phone = Handset::seeing(&app, &camera_sees(&page, folder.path())).start_without_passphrase();
    phone.browser.unfold("Add");
    phone.choose("Scan a QR code");
    phone.browser.must_say("Added.");
    phone.browser.must_say("alice");
    phone.must_show_codes_of(&[&uri]);
    // What the phone shows is typed at the server, and lets in.
    page.turn(|| page.fill("#otp", &phone.codes()[0]));
    page.must_say("Your recovery codes");
    page.go("/console/account");
    page.must_say("You have 10 left.");
}

fn one_tap_confirms_a_new_phone(on: Backend) {
    let app = server(on);
    let (page, uri) = enrolment(&app);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.add(&uri);
    phone.browser.must_say("Not confirmed yet");
    phone.browser.unfold("Confirm with one tap");
    phone.browser.must_say("The server accepts this phone's codes.");
    // The page goes on with the next code: the one that the phone showed the server is spent.
    let next = code_at(&uri, unix_seconds() + 30);
    page.turn(|| page.fill("#otp", &next));
    page.go("/console/account");
    page.must_say("You have 10 left.");
}

fn the_servers_own_accounts_are_known_without_the_server(on: Backend) {
    let app = server(on);
    app.user("alice");
    let phone = Handset::new(&app).start_without_passphrase();
    phone.add(&app.enrol("alice", NewFactor::default()).uri.to_uri());
    phone.browser.must_say("Not confirmed yet");
    let title = phone.browser.texts(".who .title")[0].clone();
    drop(app);
    // Kept from the start before, and where nothing is kept, it is not known yet.
    for forget in ["", "localStorage.removeItem('countersign.issuer')"] {
        phone.browser.script(forget, Vec::new());
        phone.reload();
        phone.browser.unfold(&format!("More about {title}"));
        phone.browser.must_say("The server has not been asked yet.");
        phone.browser.must_not_say("which this app cannot ask");
        phone.browser.unfold("Check with the server");
        phone.browser.must_say("The server could not be reached.");
        phone.home();
        phone.settings();
        phone.choose("My enrolments");
        phone.browser.must_say("The server has not been asked yet.");
        phone.browser.must_not_say("None of the accounts here");
    }
}

fn a_camera_that_was_chosen_in_haste_leaves_no_other_one_on(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.browser.unfold("Add");
    phone.choose("Scan a QR code");
    phone.browser.must_say("Hold the QR code into the frame.");
    let twice = "const media = navigator.mediaDevices, real = media.getUserMedia.bind(media), tracks = []; \
         media.getUserMedia = async wish => { const stream = await real(wish); tracks.push(...stream.getTracks()); return stream }; \
         const { start } = await import('./camera.js'), video = document.querySelector('video'); \
         const ends = await Promise.allSettled([start(video, ''), start(video, ''), start(video, '')]); \
         return [ends.map(end => end.reason ?? 'started'), tracks.filter(track => track.readyState === 'live').length]";
    let twice = format!("return (async () => {{ {twice} }})()");
    assert_eq!(phone.browser.script(&twice, Vec::new()), json!([["cancelled", "cancelled", "started"], 1]));
}

fn what_keeps_no_release_and_what_does_not_answer_is_told(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.settings();
    phone.choose("About this app");
    let script = "ServiceWorker.prototype.postMessage = () => {}; const later = window.setTimeout; \
         window.setTimeout = (act, ms) => later(act, ms / 1000)";
    phone.browser.script(script, Vec::new());
    phone.browser.unfold("Look for a new version");
    phone.browser.must_say("The server could not be reached.");
    phone.browser.script("navigator.serviceWorker.getRegistration = async () => undefined", Vec::new());
    phone.browser.unfold("Look for a new version");
    phone.browser.must_say("This browser keeps no copy of the app");
    phone.browser.must_not_say("There is no newer version.");
}

fn a_reset_shows_which_account_is_dead(on: Backend) {
    let app = server(on);
    let (_page, uri) = enrolment(&app);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.add(&uri);
    phone.browser.unfold("Confirm with one tap");
    phone.browser.must_say("The server accepts this phone's codes.");
    phone.home();
    app.reset("alice");
    phone.settings();
    phone.choose("My enrolments");
    phone.browser.must_say("Its codes are no longer accepted");
    phone.browser.must_look_right("phone-enrolment-ended");
    phone.browser.unfold("Delete");
    phone.browser.must_say("The server does not accept its codes any more.");
    phone.browser.unfold("Delete");
    phone.browser.must_say("None of the accounts here");
}

fn an_account_that_was_enrolled_anew_takes_the_place_of_the_dead_one(on: Backend) {
    let app = server(on);
    app.user("alice");
    let phone = Handset::new(&app).start_without_passphrase();
    let confirm = || {
        phone.browser.must_say("Not confirmed yet");
        phone.browser.unfold("Confirm with one tap");
        phone.browser.must_say("The server accepts this phone's codes.");
    };
    phone.add(&app.enrol("alice", NewFactor::default()).uri.to_uri());
    confirm();
    app.reset("alice");
    phone.browser.unfold("Check with the server");
    phone.browser.must_say("Its codes are no longer accepted");
    phone.home();

    let anew = app.enrol("alice", NewFactor::default()).uri.to_uri();
    phone.browser.unfold("Add");
    phone.browser.fill("#link", &anew);
    phone.browser.unfold("Add the link");
    phone.browser.must_say("Found: 1. Not readable: 0.");
    let replace = "const choice = document.querySelector('#item-0'); choice.value = 'replace'; \
         choice.dispatchEvent(new Event('change', { bubbles: true }))";
    phone.browser.script(replace, Vec::new());
    phone.browser.unfold("Take over 1");
    phone.must_show_codes_of(&[&anew]);
    phone.browser.must_not_say("no longer accepted");
    phone.browser.click(".card .icon-button");
    confirm();
}

/// Has a page hand a link over, as the enrolment page or anybody else's may.
fn hand_over(phone: &Handset, uri: &str) {
    let go = "location.hash = 'add=' + encodeURIComponent(arguments[0])";
    phone.browser.script(go, vec![Value::from(uri)]);
}

fn a_link_is_asked_about_before_it_adds_an_account(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    let empty = phone.file();
    let origin = "&countersign=https%3A%2F%2Flogin.example%230192f0c1-2345-7abc-8def-0123456789ab";
    hand_over(&phone, &format!("{URI}{origin}"));
    phone.browser.must_say("Add this account?");
    for words in
        ["Example", "alice@example.com", "SHA1, 6 digits, every 30 s", "Server: https://login.example"]
    {
        phone.browser.must_say(words);
    }
    assert!(!phone.browser.url().contains('#'), "{}", phone.browser.url());
    phone.browser.must_look_right("phone-offered");
    // A later one takes its place.
    let other = "otpauth://totp/Other:bob?secret=JBSWY3DPEHPK3PXP&issuer=Other";
    hand_over(&phone, other);
    phone.browser.must_say("bob");
    phone.browser.must_not_say("alice@example.com");
    assert_eq!(phone.file(), empty);
    phone.browser.unfold("Cancel");
    phone.browser.must_say("No accounts yet");
    assert_eq!(phone.file(), empty);

    // One that comes while something else is being added is not missed.
    phone.browser.unfold("Add");
    phone.browser.soon("add", || phone.browser.is_there("#link").then_some(()));
    hand_over(&phone, other);
    phone.browser.must_say("Add this account?");
    phone.browser.click(".page .primary");
    phone.browser.must_say("Added.");
    phone.home();
    phone.must_show_codes_of(&[other]);
    // What is there needs no question, and what cannot be read gets its reason.
    hand_over(&phone, other);
    phone.browser.must_say("This account is already here.");
    hand_over(&phone, "https://example.org/");
    phone.browser.must_say("This is a web address, not an account.");
    phone.browser.unfold("Cancel");
    phone.must_show_codes_of(&[other]);
}

fn nobody_is_asked_in_the_servers_place(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app);
    let ask = |path: &str| {
        let script = "return import('./page.js').then(page => page.ask(arguments[0])).catch(why => why)";
        phone.browser.script(script, vec![Value::from(path)])
    };
    assert_eq!(ask("api/time")[0], 200);
    // It redirects whoever is not logged in.
    assert_eq!(ask("../console/account"), "offline");
}

fn a_clock_that_jumps_is_corrected_while_the_server_is_asked(on: Backend) {
    let app = server(on);
    app.user("alice");
    let phone = Handset::new(&app).start_without_passphrase();
    let uri = app.enrol("alice", NewFactor::default()).uri.to_uri();
    let jump = || {
        // As after a day's sleep, in which both of the browser's clocks go on: nothing is noticed before the server is asked.
        let a_day = "for (const clock of [Date, performance]) { const now = clock.now.bind(clock); \
             clock.now = () => now() + 86400000 }";
        phone.browser.script(a_day, Vec::new());
    };
    // What asks by itself is refused, and asks once more.
    jump();
    phone.add(&uri);
    phone.browser.must_say("Not confirmed yet");
    // What compares the clocks first goes on with the corrected one, not with the one on the screen.
    jump();
    phone.browser.unfold("Confirm with one tap");
    phone.browser.must_say("The server accepts this phone's codes.");
    phone.home();
    phone.must_show_codes_of(&[&uri]);
}

fn a_wrong_clock_is_told_and_corrected(on: Backend) {
    // The server lives in another time than the phone.
    let app = App::start_as_its_own_issuer(&Arc::new(Place::new(on)), Clock::fake(START));
    let phone = Handset::new(&app).start_without_passphrase();
    phone.add(URI);
    phone.home();
    let server = START.unix_seconds();
    phone.browser.soon("a code of the server's time", || {
        let near = [0, 30, 60].map(|later| code_at(URI, server + later));
        phone.codes().first().filter(|shown| near.contains(shown)).map(|_| ())
    });
    phone.settings();
    let days = (unix_seconds() - server + 43_200) / 86_400;
    phone.browser.must_say(&format!("This device's clock is {days} d fast. Codes are corrected."));
    // Without the server the last difference stands.
    drop(app);
    phone.reload();
    phone.browser.soon("a code of the server's time", || {
        let near = [0, 30, 60].map(|later| code_at(URI, server + later));
        phone.codes().first().filter(|shown| near.contains(shown)).map(|_| ())
    });
}

/// A phone whose clock is wrong from the start, and can be set by [`set_clock`].
fn with_wrong_clock(app: &App, seconds: i64) -> Handset {
    let phone = Handset::new(app).start_without_passphrase();
    phone.add(URI);
    phone.home();
    let wrong = format!(
        "const now = Date.now.bind(Date); window.wrong = {seconds}; Date.now = () => now() + window.wrong * 1000"
    );
    phone.browser.chromium("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": wrong }));
    phone.reload();
    phone
}

/// Has the clock go wrong by so many seconds.
fn set_clock(phone: &Handset, seconds: i64) {
    phone.browser.script("window.wrong = arguments[0]", vec![json!(seconds)]);
}

/// The only code must be the one of a time that is so far from ours.
#[track_caller]
fn must_show_the_code_of(phone: &Handset, seconds: i64) {
    phone.browser.soon(seconds, || {
        let at = || unix_seconds().checked_add_signed(seconds).unwrap();
        let before = code_at(URI, at());
        let shown = phone.codes();
        (shown == [before] || shown == [code_at(URI, at())]).then_some(())
    });
}

fn a_clock_that_is_set_while_the_app_is_open_makes_no_codes_wrong(on: Backend) {
    for (wrong, told) in [(-3_600, "Clock corrected by +60 min"), (3_600, "Clock corrected by −60 min")] {
        let app = server(on);
        let phone = with_wrong_clock(&app, wrong);
        phone.browser.must_say(told);
        phone.browser.must_look_right("phone-clock-corrected");
        phone.browser.must_not_say("not compared lately");
        must_show_the_code_of(&phone, 0);
        // The server is out of reach, and the last comparison stands.
        drop(app);
        phone.reload();
        phone.browser.must_say(&format!("{told}, not compared lately"));
        must_show_the_code_of(&phone, 0);
        phone.browser.unfold(&format!("{told}, not compared lately"));
        phone.browser.must_say("the server has not been reached since");
        phone.home();
        // Now the clock is put right.
        set_clock(&phone, 0);
        phone
            .browser
            .soon("no correction", || (!phone.browser.text().contains("Clock corrected")).then_some(()));
        must_show_the_code_of(&phone, 0);
        phone.reload();
        phone.browser.soon("the codes", || (phone.codes().len() == 1).then_some(()));
        // That page has a wrong clock once more, and nothing to know it by.
        must_show_the_code_of(&phone, wrong);
    }
}

fn a_device_that_slept_keeps_its_correction(on: Backend) {
    let app = server(on);
    let phone = with_wrong_clock(&app, -3_600);
    phone.browser.must_say("Clock corrected by +60 min");
    drop(app);
    // Ten minutes pass in which the clock that nobody sets stands still.
    set_clock(&phone, -3_000);
    phone.browser.must_say("Clock corrected by +60 min, not compared lately");
    must_show_the_code_of(&phone, 600);
}

fn a_wrong_server_corrects_its_own_accounts_alone_where_the_person_says_so(on: Backend) {
    let app = App::start_as_its_own_issuer(&Arc::new(Place::new(on)), Clock::fake(START));
    app.user("alice");
    let phone = Handset::new(&app).start_without_passphrase();
    let own = app.enrol("alice", NewFactor::default()).uri.to_uri();
    phone.add(&own);
    phone.home();
    let must_show = |other: &dyn Fn() -> u64| {
        phone.browser.soon("codes of both times", || {
            let server = |uri: &str| [0, 30, 60, 90].map(|later| code_at(uri, START.unix_seconds() + later));
            let expected = [code_at(URI, other()), code_at(URI, other() + 30), code_at(URI, other() + 60)];
            let shown = phone.codes();
            (shown.len() == 2 && server(&own).contains(&shown[0]) && expected.contains(&shown[1]))
                .then_some(())
        });
    };
    phone.add(URI);
    phone.home();
    must_show(&|| START.unix_seconds());
    phone.browser.must_say("Clock corrected by −");
    phone.settings();
    phone.browser.must_say("Codes are corrected.");
    phone.browser.click("#correct-all");
    phone.browser.must_say("Codes of this server's accounts are corrected, no others.");
    phone.home();
    must_show(&unix_seconds);
    // The line concerns the server's own account now. Without that, it would be about nothing.
    phone.browser.must_say("Clock corrected by −");
    phone.reload();
    must_show(&unix_seconds);
    let title = phone.browser.texts(".card .title")[0].clone();
    phone.browser.unfold(&format!("More about {title}"));
    phone.browser.unfold("Delete");
    phone.browser.must_say("turn the second factor off at the service");
    phone.browser.unfold("Delete");
    phone.browser.soon("one is left", || (phone.codes().len() == 1).then_some(()));
    phone.browser.must_not_say("Clock corrected");
}

fn the_clocks_are_compared_when_the_app_comes_into_sight(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.add(URI);
    phone.home();
    // Both clocks of the browser go on by themselves, so that nothing but the server tells.
    let an_hour = "for (const clock of [Date, performance]) { const now = clock.now.bind(clock); \
         clock.now = () => now() + 3600000 }";
    phone.browser.script(an_hour, Vec::new());
    phone.browser.script("document.dispatchEvent(new Event('visibilitychange'))", Vec::new());
    phone.browser.must_say("Clock corrected by −60 min");
    must_show_the_code_of(&phone, 0);
}

fn codes_stay_right_without_the_server(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_with_passphrase();
    phone.add(URI);
    drop(app);
    phone.reload();
    phone.unlock(PASSPHRASE);
    phone.must_show_codes_of(&[URI]);
    // A name that changes each second would be read out each second.
    let look = "return new Promise(done => { const button = document.querySelector('.code-button'), timer = document.querySelector('.ring'); \
         const say = () => [button.getAttribute('aria-label'), timer.getAttribute('aria-label')]; \
         const first = say(); setTimeout(() => done([first, say()]), 1500) })";
    let code = phone.browser.soon("two looks within one step", || {
        let looks: [[String; 2]; 2] = serde_json::from_value(phone.browser.script(look, Vec::new())).unwrap();
        let [[name, left], [later, left_later]] = looks;
        let seconds = |text: &str| text.strip_suffix(" seconds left").unwrap().parse::<u32>().unwrap();
        (seconds(&left) > seconds(&left_later)).then(|| {
            assert_eq!(name, later);
            name.strip_prefix("Example, alice@example.com, ").unwrap().replace([' ', ','], "")
        })
    });
    assert_eq!((code.len(), code.parse::<u32>().is_ok()), (6, true), "{code}");
}

/// RFC 6238 appendix B, in the WebAssembly that is shipped: the page is told these times.
fn the_codes_of_rfc_6238_appear_at_their_times(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    for (algorithm, secret) in [
        ("SHA1", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
        ("SHA256", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA"),
        (
            "SHA512",
            "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA",
        ),
    ] {
        phone.add(&format!(
            "otpauth://totp/RFC:{algorithm}?secret={secret}&issuer=RFC&algorithm={algorithm}&digits=8"
        ));
        phone.home();
    }
    // A server that says another time would be believed.
    drop(app);
    for (seconds, codes) in [
        (59_u64, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ] {
        let stand_still = format!("Date.now = () => {seconds}000");
        phone.browser.chromium("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": stand_still }));
        phone.reload();
        phone.browser.soon((seconds, codes), || (phone.codes() == codes).then_some(()));
    }
}

fn a_passphrase_opens_the_vault_and_a_wrong_one_does_not(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app);
    phone.browser.fill("#passphrase-new", "short");
    phone.browser.fill("#passphrase-again", "short");
    phone.browser.unfold("Start");
    phone.browser.must_say("At least 8 characters, please.");
    phone.browser.fill("#passphrase-new", PASSPHRASE);
    phone.browser.fill("#passphrase-again", "plum river candle stone");
    phone.browser.unfold("Start");
    phone.browser.must_say("The two passphrases differ.");
    let phone = phone.start_with_passphrase();
    phone.add(URI);
    phone.home();
    phone.browser.unfold("Lock");
    phone.browser.must_say("Locked");
    assert_eq!(phone.codes(), Vec::<String>::new());
    phone.unlock("plum river candle stone");
    phone.browser.must_say("That did not open the vault.");
    phone.browser.must_look_right("phone-locked");
    phone.unlock(PASSPHRASE);
    phone.must_show_codes_of(&[URI]);

    // Another one takes its place; the old one opens nothing any more.
    phone.settings();
    phone.choose("Lock");
    phone.browser.fill("#passphrase-old", "plum river candle stone");
    phone.browser.fill("#passphrase-new", "another four word phrase");
    phone.browser.fill("#passphrase-again", "another four word phrase");
    phone.browser.unfold("Save");
    phone.browser.must_say("That did not open the vault.");
    phone.browser.fill("#passphrase-old", PASSPHRASE);
    phone.browser.unfold("Save");
    phone.browser.must_say("Saved.");
    // Nothing of them is left for whoever comes by.
    for field in ["#passphrase-old", "#passphrase-new", "#passphrase-again"] {
        phone.browser.soon(field, || (phone.value(field) == "").then_some(()));
    }
    assert_eq!(phone.kept(), json!(["current"]), "the file that the old passphrase opens is gone");
    phone.reload();
    phone.unlock(PASSPHRASE);
    phone.browser.must_say("That did not open the vault.");
    phone.unlock("another four word phrase");
    phone.must_show_codes_of(&[URI]);
    // Nothing of it is in the open, and there is nobody who could read it in what the browser keeps beside.
    let file = phone.file();
    assert!(file.starts_with(b"csvault\n"), "{:?}", &file[..16]);
    assert!(!String::from_utf8_lossy(&file).contains("alice"));
    let beside = phone.browser.script("return JSON.stringify(localStorage)", Vec::new());
    assert!(!beside.as_str().unwrap().contains("GEZDGNBV"), "{beside}");
}

fn a_passphrase_that_is_set_later_leaves_nothing_in_the_open(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.add(URI);
    phone.home();
    assert!(String::from_utf8_lossy(&phone.file()).contains("alice"), "without a lock it is readable");
    assert_eq!(phone.kept(), json!(["current", "previous"]));
    phone.settings();
    phone.choose("Lock");
    phone.browser.fill("#passphrase-new", PASSPHRASE);
    phone.browser.fill("#passphrase-again", PASSPHRASE);
    phone.browser.unfold("Save");
    phone.browser.must_say("Saved.");
    assert!(phone.file().starts_with(b"csvault\n"));
    assert_eq!(phone.kept(), json!(["current"]));
    phone.reload();
    phone.unlock(PASSPHRASE);
    phone.must_show_codes_of(&[URI]);
}

fn nothing_of_a_passphrase_or_secret_is_left_in_memory_at_the_lock(on: Backend) {
    let app = server(on);
    let folder = tempfile::tempdir().unwrap();
    let count = "window.workers = 0; const Real = Worker; \
         window.Worker = class extends Real { constructor(...all) { super(...all); window.workers++ } \
         terminate() { super.terminate(); window.workers-- } }";
    let phone = Handset::new(&app);
    phone.browser.script(count, Vec::new());
    let phone = phone.start_with_passphrase();
    // As bytes of the app's memory: it is loaded already, and hands out what it is made of. The end of a text is looked for, since whatever
    // gives memory back writes into its beginning.
    let is_in_memory = |text: &str| {
        let look = "const [text] = arguments; return import('./app.js').then(app => app.default()) \
             .then(app => new TextDecoder('latin1').decode(app.memory.buffer).includes(text.slice(-12)))";
        phone.browser.script(look, vec![Value::from(text)]) == true
    };
    // The secret is these bytes, and so written in the link.
    let (bytes, written) = ("12345678901234567890", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    let other = "otpauth://totp/Other:bob?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Other";
    phone.add(URI);
    phone.home();
    phone.browser.unfold("Add");
    phone.browser.attach("#picture", &picture(folder.path(), other));
    phone.browser.soon("the new account", || phone.browser.is_there(".who").then_some(()));
    phone.home();
    assert!(is_in_memory(bytes), "this is how it is looked for");
    assert_eq!(phone.browser.script("return window.workers", Vec::new()), 1);
    let mut workers = Vec::new();
    for _ in 0..2 {
        phone.browser.unfold("Lock");
        phone.browser.must_say("Locked");
        for text in [PASSPHRASE, bytes, written, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"] {
            assert!(!is_in_memory(text), "{text}");
        }
        workers.push(phone.browser.script("return window.workers", Vec::new()));
        // A long one, since the room of a short one is soon taken for something else.
        let wrong = "something else entirely ".repeat(10);
        phone.unlock(&wrong);
        phone.browser.must_say("That did not open the vault.");
        assert!(!is_in_memory(&wrong));
        phone.unlock(PASSPHRASE);
        phone.must_show_codes_of(&[URI, other]);
    }
    assert_eq!(workers, [0, 0]);
}

fn the_devices_own_lock_opens_the_vault(on: Backend) {
    let app = server(on);
    // WebAuthn wants a name, not a number.
    let browser = Browser::phone(None);
    browser.chromium("WebAuthn.enable", &json!({}));
    let device = json!({ "options": {
        "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": true,
        "hasUserVerification": true, "hasPrf": true, "isUserVerified": true, "automaticPresenceSimulation": true,
    }});
    let device = browser.chromium("WebAuthn.addVirtualAuthenticator", &device)["authenticatorId"].clone();
    let phone = Handset::with(browser, &app.url.replace("127.0.0.1", "localhost")).start_with_passphrase();
    phone.add(URI);
    phone.home();
    phone.settings();
    phone.choose("Lock");
    phone.browser.unfold("Use the device's lock");
    phone.browser.must_say("Stop using the device's lock");
    phone.reload();
    phone.browser.unfold("Unlock with this device");
    phone.must_show_codes_of(&[URI]);

    // Somebody else's finger does not open it; the passphrase still does.
    let refuse = json!({ "authenticatorId": device, "isUserVerified": false });
    phone.browser.chromium("WebAuthn.setUserVerified", &refuse);
    phone.browser.unfold("Lock");
    phone.browser.unfold("Unlock with this device");
    phone.browser.soon("an end of waiting", || (!phone.browser.text().contains("One moment")).then_some(()));
    phone.browser.must_say("Locked");
    assert_eq!(phone.codes(), Vec::<String>::new());
    phone.unlock(PASSPHRASE);
    phone.must_show_codes_of(&[URI]);

    phone.settings();
    phone.choose("Lock");
    phone.browser.unfold("Stop using the device's lock");
    phone.browser.unfold("Stop using the device's lock");
    phone.browser.must_say("Use the device's lock");
    phone.reload();
    phone.browser.must_say("Locked");
    phone.browser.must_not_say("Unlock with this device");
}

fn a_vault_that_was_changed_or_cut_off_is_told_and_kept(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_with_passphrase();
    phone.add(URI);
    let good = phone.file();

    // Behind the slot: it opens, and what it opens was changed.
    let mut changed = good.clone();
    *changed.last_mut().unwrap() ^= 1;
    phone.spoil(&changed);
    phone.reload();
    phone.unlock("something else entirely");
    phone.browser.must_say("That did not open the vault.");
    phone.unlock(PASSPHRASE);
    phone.browser.must_say("The vault cannot be read");
    phone.browser.must_say("The file is damaged or was changed.");
    phone.browser.must_say("Nothing has been deleted.");
    assert_eq!(phone.file(), changed);
    phone.browser.unfold("Keep a copy of the file");
    assert_eq!(std::fs::read(phone.browser.download("csvault")).unwrap(), changed);
    phone.browser.unfold("Use the state before the last change");
    // That was the empty vault.
    phone.unlock(PASSPHRASE);
    phone.browser.must_say("No accounts yet");

    // Cut off in the header: there is not even a lock to open.
    phone.spoil(&good[..40]);
    phone.reload();
    phone.browser.must_say("The vault cannot be read");
    phone.browser.must_look_right("phone-broken");
    phone.browser.must_say("Use the state before the last change");

    // The right file again, as if it had been cured: nothing was lost on the way.
    phone.spoil(&good);
    phone.reload();
    phone.unlock(PASSPHRASE);
    phone.must_show_codes_of(&[URI]);

    // An older one is told.
    phone.add("otpauth://totp/Later:bob?secret=JBSWY3DPEHPK3PXP&issuer=Later");
    phone.spoil(&good);
    phone.reload();
    phone.unlock(PASSPHRASE);
    phone.browser.must_say("This vault is older than the one last opened here.");
    // It stands there until the person has answered, whatever else is said and wherever they have been meanwhile.
    phone.browser.click(".code-button");
    phone.browser.soon("a notice", || phone.browser.is_there(".notice p").then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(4500));
    phone.settings();
    phone.home();
    phone.browser.must_say("This vault is older than the one last opened here.");
    phone.browser.must_look_right("phone-older");
    phone.browser.unfold("I know");
    phone.browser.soon("no warning", || (!phone.browser.text().contains("older than")).then_some(()));
    // It is asked the next time, too: what was seen once stays seen.
    phone.reload();
    phone.unlock(PASSPHRASE);
    phone.browser.must_say("This vault is older than the one last opened here.");
    // With the vault goes what was remembered of it, and the settings.
    phone.settings();
    phone.browser.click("#reveal");
    phone.browser.unfold("Erase everything");
    phone.browser.must_say("All accounts on this device will be gone.");
    phone.browser.unfold("Erase everything");
    phone.browser.must_say("Your second factor");
    let phone = phone.start_without_passphrase();
    phone.settings();
    phone.browser.click("#lock-hidden");
    let kept = "return ['mark', 'tap_to_reveal', 'lock_when_hidden'].map(name => localStorage.getItem('countersign.' + name))";
    phone.browser.soon("what is kept", || {
        (phone.browser.script(kept, Vec::new()) == json!([null, null, "true"])).then_some(())
    });
}

fn a_full_store_changes_nothing(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app);
    // Room for an account and not for a long note. Chromium looks at it now and then only, so it is set before the first write.
    let used =
        phone.browser.script("return navigator.storage.estimate().then(found => found.usage)", Vec::new());
    let full = json!({ "origin": app.url, "quotaSize": used.as_u64().unwrap() + 6_000 });
    phone.browser.chromium("Storage.overrideQuotaForOrigin", &full);
    let phone = phone.start_without_passphrase();
    phone.add(URI);
    let before = phone.file();
    phone.browser.fill("#note", &"a long note. ".repeat(600));
    phone.browser.unfold("Save");
    phone.browser.must_say("There is no room left on this device. Nothing was changed.");
    assert_eq!(phone.file(), before);
    // The old state is shown, too.
    phone.reload();
    phone.must_show_codes_of(&[URI]);
    // With room again it goes through.
    phone.browser.chromium("Storage.overrideQuotaForOrigin", &json!({ "origin": app.url }));
    phone.browser.unfold("More about Example");
    phone.browser.fill("#note", "a short note");
    phone.browser.unfold("Save");
    phone.browser.must_say("Saved.");
}

fn a_storage_that_fails_is_no_broken_vault(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.add(URI);
    let before = phone.file();
    let fail = "const open = IDBFactory.prototype.open; window.fails = Number(sessionStorage.fails); \
         IDBFactory.prototype.open = function (...all) { \
         if (window.fails-- > 0) throw new DOMException('no', 'UnknownError'); return open.apply(this, all) }";
    phone.browser.chromium("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": fail }));
    // Once is nothing to speak of.
    phone.browser.script("sessionStorage.fails = 1", Vec::new());
    phone.reload();
    phone.must_show_codes_of(&[URI]);
    phone.browser.script("sessionStorage.fails = 1000", Vec::new());
    phone.reload();
    phone.browser.must_say("The browser's storage does not answer");
    phone.browser.must_not_say("cannot be read");
    phone.browser.must_not_say("Erase");
    phone.browser.must_look_right("phone-unread");
    phone.browser.unfold("Try again");
    phone.browser.must_say("The browser's storage does not answer");
    phone.browser.script("window.fails = 0", Vec::new());
    phone.browser.unfold("Try again");
    phone.must_show_codes_of(&[URI]);
    assert_eq!(phone.file(), before);
}

fn what_is_refused_is_not_called_damaged(on: Backend) {
    let app = server(on);
    let folder = tempfile::tempdir().unwrap();
    let phone = Handset::new(&app);
    // A worker that cannot be loaded is no lack of memory.
    let missing = "window.Real = Worker; window.Worker = class extends Real { constructor(_, how) { super('missing.js', how) } }";
    phone.browser.script(missing, Vec::new());
    phone.browser.fill("#passphrase-new", PASSPHRASE);
    phone.browser.fill("#passphrase-again", PASSPHRASE);
    phone.browser.unfold("Start");
    phone.browser.must_say("A part of the app could not be loaded.");
    phone.browser.complaints();
    phone.browser.script("window.Worker = Real", Vec::new());
    let phone = phone.start_without_passphrase();

    phone.add(URI);
    let before = phone.file();
    // Fewer characters than the field takes, and more bytes than the vault does.
    let write = "document.querySelector('#note').value = '\u{5b57}'.repeat(6000)";
    phone.browser.script(write, Vec::new());
    phone.browser.unfold("Save");
    phone.browser.must_say("The text is too long. Nothing was changed.");
    assert_eq!(phone.file(), before);
    phone.home();

    phone.browser.unfold("Add");
    phone.choose("Type it in");
    phone.browser.fill("#account", "Example:alice");
    phone.browser.fill("#secret", "GEZDGNBVGY3TQOJQ");
    phone.browser.click(".page .primary");
    phone.browser.must_say("The account's name has a colon.");
    phone.browser.unfold("Back");
    phone.home();

    phone.settings();
    phone.choose("Import");
    let aegis = folder.path().join("aegis.json");
    let large = folder.path().join("large.json");
    std::fs::write(&aegis, br#"{"version":9,"header":{},"db":{}}"#).unwrap();
    std::fs::write(&large, vec![b' '; (8 << 20) + 1]).unwrap();
    for (file, words) in [
        (&aegis, "This file is of a version that is not known here."),
        (&large, "This file is too large: more than 8 MiB are not read."),
    ] {
        phone.browser.attach("#import", file);
        phone.browser.must_say(words);
    }
    phone.browser.must_not_say("damaged");
}

fn a_vault_that_is_full_says_so(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app);
    let entry = |number: usize, note: usize| {
        format!(
            r#"{{"id":"{number:032}","kind":"totp","issuer":"Issuer {number}","account":"alice","secret":"GEZDGNBVGY3TQOJQ","#
        ) + r#""algorithm":"SHA1","digits":6,"period":30,"favourite":false,"created":1795568400000,"note":""#
            + &"n".repeat(note)
            + r#""}"#
    };
    let before = "countersign vault 1, NOT ENCRYPTED\n{\"version\":1,\"entries\":[";
    let mut vault = before.to_owned() + &entry(0, 0);
    let room = |vault: &str| (8 << 20) - vault.len() - 1_000;
    for number in 1.. {
        let bare = entry(number, 0).len() + 1;
        let Some(note) = room(&vault).checked_sub(bare).map(|note| note.min(16_000)) else { break };
        vault = vault + "," + &entry(number, note);
    }
    vault.push_str("]}");
    let write = "const bytes = new TextEncoder().encode(arguments[0]); \
         return import('./store.js').then(store => store.save(bytes, 1, 0))";
    phone.browser.script(write, vec![Value::from(vault)]);
    phone.reload();
    phone.browser.unfold("More about Issuer 0");
    phone.browser.fill("#note", &"a note. ".repeat(200));
    phone.browser.unfold("Save");
    phone.browser.must_say("The vault is full");
    phone.browser.must_not_say("damaged");
}

fn two_taps_delete_one_account_and_lead_one_screen_back(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.add(URI);
    phone.home();
    phone.browser.unfold("More about Example");
    phone.browser.unfold("Delete");
    phone.browser.must_say("turn the second factor off at the service");
    // The second one comes while the first is being written, a third when it has been.
    let taps = "const button = document.querySelector('.danger:not(.quiet)'); button.click(); button.click(); \
         return new Promise(done => { const look = setInterval(() => { \
         if (!document.querySelector('.notice p')) return; button.click(); clearInterval(look); done(true) }, 0) })";
    phone.browser.script(taps, Vec::new());
    phone.browser.must_say("No accounts yet");
    std::thread::sleep(std::time::Duration::from_millis(500));
    phone.browser.must_say("No accounts yet");
    phone.browser.must_say("Deleted.");
}

fn the_browser_is_asked_to_keep_the_vault_until_it_does(on: Backend) {
    let app = server(on);
    let browser = Browser::phone(None);
    let refuse = "localStorage.asked ??= 0; localStorage.kept ??= ''; \
         StorageManager.prototype.persisted = async () => localStorage.kept === 'yes'; \
         StorageManager.prototype.persist = async () => { localStorage.asked++; return localStorage.kept === 'yes' }";
    browser.chromium("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": refuse }));
    let phone = Handset::with(browser, &app.url).start_with_passphrase();
    let must_have_asked = |times: &str| {
        let asked = || phone.browser.script("return localStorage.asked", Vec::new());
        phone.browser.soon(times, || (asked() == times).then_some(()));
    };
    must_have_asked("1");
    phone.reload();
    phone.unlock(PASSPHRASE);
    must_have_asked("2");
    phone.settings();
    phone.browser.must_say("The browser may delete the vault when room gets short.");
    // Installed, it is another matter for many browsers, and the settings say so at once.
    phone.browser.script("localStorage.kept = 'yes'; dispatchEvent(new Event('appinstalled'))", Vec::new());
    phone.browser.must_say("The browser has promised to keep the vault.");
    must_have_asked("2");
    phone.reload();
    phone.unlock(PASSPHRASE);
    phone.browser.must_say("No accounts yet");
    must_have_asked("2");
}

fn two_windows_do_not_undo_each_other(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    let first = phone.browser.window();
    let second = phone.browser.new_window();
    phone.browser.visit(&format!("{}/phone/", app.url));
    phone.browser.must_say("No accounts yet");
    phone.add(URI);
    phone.home();
    // The first window has heard of it.
    phone.browser.show_window(&first);
    phone.must_show_codes_of(&[URI]);
    // One that has heard nothing cannot write over it.
    let save =
        "return import('./store.js').then(store => store.save(new Uint8Array([1]), 2, 1)).catch(why => why)";
    assert_eq!(phone.browser.script(save, Vec::new()), "conflict");
    phone.browser.show_window(&second);
    phone.must_show_codes_of(&[URI]);
}

fn what_another_window_has_stored_is_gone_on_from(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_with_passphrase();
    // The same file under the next revision, of which this window does not hear.
    let store = "return import('./store.js').then(async store => { \
         const [file, revision] = await store.load(); await store.save(file, revision + 1, revision) })";
    let add = |name: &str| {
        let uri = format!("otpauth://totp/{name}:alice?secret=JBSWY3DPEHPK3PX{}&issuer={name}", &name[..1]);
        phone.browser.unfold("Add");
        phone.browser.fill("#link", &uri);
        phone.browser.unfold("Add the link");
    };
    // While the vault is open: the first try is refused, and what comes after it is not.
    phone.browser.script(store, Vec::new());
    add("Apple");
    phone.browser.must_say("Another window has changed the vault.");
    phone.browser.must_say("Locked");
    phone.unlock(PASSPHRASE);
    phone.browser.must_say("No accounts yet");
    add("Apple");
    phone.browser.soon("the new account", || phone.browser.is_there(".who").then_some(()));
    phone.home();
    phone.browser.unfold("Lock");
    phone.browser.must_say("Locked");
    // While the passphrase is stretched: what is opened is what is there then.
    let hold = "window.real = Worker.prototype.postMessage; \
         Worker.prototype.postMessage = function (...all) { window.release = () => real.apply(this, all) }";
    phone.browser.script(hold, Vec::new());
    phone.unlock(PASSPHRASE);
    let is_held = "return !!window.release";
    phone.browser.soon("the question", || (phone.browser.script(is_held, Vec::new()) == true).then_some(()));
    phone.browser.script(store, Vec::new());
    phone.browser.script("Worker.prototype.postMessage = real; release()", Vec::new());
    phone.browser.must_say("Apple");
    add("Berry");
    phone.browser.soon("the new account", || phone.browser.is_there(".who").then_some(()));
    phone.browser.must_say("Berry");
}

fn two_windows_have_the_same_settings(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.settings();
    let first = phone.browser.window();
    phone.browser.new_window();
    phone.browser.visit(&format!("{}/phone/", app.url));
    phone.settings();
    for switch in ["#lock-hidden", "#reveal"] {
        phone.browser.click(switch);
    }
    let choose = |css: &str, value: &str| {
        let choose = "const field = document.querySelector(arguments[0]); field.value = arguments[1]; \
             field.dispatchEvent(new Event('change', { bubbles: true }))";
        phone.browser.script(choose, vec![Value::from(css), Value::from(value)]);
    };
    choose("#lock-after", "60");
    let kept = || {
        let names = ["lock_when_hidden", "tap_to_reveal", "lock_seconds", "theme"];
        names.map(|name| {
            let read = "return localStorage.getItem('countersign.' + arguments[0])";
            phone.browser.script(read, vec![Value::from(name)])
        })
    };
    phone
        .browser
        .soon("what was set", || (kept()[..3] == ["true", "true", "60"].map(Value::from)).then_some(()));
    // The first window knows it, and what it sets itself puts nothing back.
    phone.browser.show_window(&first);
    let shown = "return [document.querySelector('#lock-hidden').checked, document.querySelector('#reveal').checked, \
         document.querySelector('#lock-after').value]";
    phone.browser.soon("the other window's settings", || {
        (phone.browser.script(shown, Vec::new()) == json!([true, true, "60"])).then_some(())
    });
    choose("#theme", "dark");
    phone
        .browser
        .soon("all of them", || (kept() == ["true", "true", "60", "dark"].map(Value::from)).then_some(()));
}

/// Takes the page out of sight, or brings it back.
fn hide(phone: &Handset, is_hidden: bool) {
    let hide = "Object.defineProperty(document, 'hidden', { configurable: true, value: arguments[0] }); \
         document.dispatchEvent(new Event('visibilitychange'))";
    phone.browser.script(hide, vec![Value::from(is_hidden)]);
}

/// A phone that locks as soon as it is out of sight.
fn shy(app: &App) -> Handset {
    let phone = Handset::new(app).start_with_passphrase();
    phone.settings();
    phone.browser.click("#lock-hidden");
    phone.home();
    phone
}

/// Has both of the browser's clocks stand further on, and then something happen, with no chance for the page in between.
fn let_pass_and(phone: &Handset, seconds: u32, then: &str) {
    let later = "const [seconds] = arguments; for (const clock of [Date, performance]) { const now = clock.now.bind(clock); \
         clock.now = () => now() + seconds * 1000 };";
    phone.browser.script(&format!("{later} {then}"), vec![json!(seconds)]);
}

fn a_picker_of_files_puts_the_lock_off_for_two_minutes_at_most(on: Backend) {
    let app = server(on);
    let phone = shy(&app);
    let lock_after = "localStorage.setItem('countersign.lock_seconds', '0')";
    phone.browser.script(lock_after, Vec::new());
    phone.browser.script("window.dispatchEvent(new Event('storage'))", Vec::new());
    let pick = || {
        phone.browser.unfold("Add");
        phone.browser.soon("add", || phone.browser.is_there("#picture").then_some(()));
        let tap = "document.querySelector('#picture').dispatchEvent(new Event('click', { bubbles: true }))";
        phone.browser.script(tap, Vec::new());
        hide(&phone, true);
    };
    // In the background already, where the browser lets the page do something.
    pick();
    let_pass_and(&phone, 119, "");
    std::thread::sleep(std::time::Duration::from_millis(500));
    phone.browser.must_not_say("Locked");
    let_pass_and(&phone, 2, "");
    phone.browser.must_say("Locked");
    hide(&phone, false);
    phone.unlock(PASSPHRASE);
    phone.browser.must_say("No accounts yet");
    // And where it lets it do nothing, as soon as it comes back, by whichever event it hears of that.
    let seen = "Object.defineProperty(document, 'hidden', { configurable: true, value: false }); \
         document.dispatchEvent(new Event('visibilitychange'))";
    for back in [seen, "dispatchEvent(new Event('focus'))"] {
        pick();
        // In one script: the page gets no chance in between.
        let_pass_and(&phone, 121, back);
        phone.browser.must_say("Locked");
        hide(&phone, false);
        phone.unlock(PASSPHRASE);
        phone.browser.must_say("No accounts yet");
    }
}

fn who_leaves_while_the_vault_opens_finds_it_locked(on: Backend) {
    let app = server(on);
    let phone = shy(&app);
    phone.browser.unfold("Lock");
    phone.browser.must_say("Locked");
    // The answer of the worker is held back.
    let hold = "const real = Worker.prototype.postMessage; \
         Worker.prototype.postMessage = function (...all) { window.release = () => real.apply(this, all) }";
    phone.browser.script(hold, Vec::new());
    phone.unlock(PASSPHRASE);
    phone.browser.soon("the question", || {
        (phone.browser.script("return !!window.release", Vec::new()) == true).then_some(())
    });
    hide(&phone, true);
    let watch = "window.shown = false; new MutationObserver(() => window.shown ||= !!document.querySelector('.fab')) \
         .observe(document.body, { subtree: true, childList: true }); window.release()";
    phone.browser.script(watch, Vec::new());
    phone.browser.soon("an end of waiting", || (!phone.browser.text().contains("One moment")).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(500));
    phone.browser.must_say("Locked");
    assert_eq!(phone.browser.script("return window.shown", Vec::new()), false);
    hide(&phone, false);
    phone.browser.must_say("Locked");
}

fn a_picker_of_files_puts_the_lock_off_no_longer_than_it_is_there(on: Backend) {
    let app = server(on);
    let phone = shy(&app);
    // The events of a picker, without one.
    let event = |script: &str| {
        phone
            .browser
            .script(&format!("const input = document.querySelector('#picture'); {script}"), Vec::new())
    };
    let tap = "input.dispatchEvent(new Event('click', { bubbles: true }))";
    for end in [
        "input.dispatchEvent(new Event('cancel', { bubbles: true }))",
        "input.dispatchEvent(new Event('change', { bubbles: true }))",
        "window.dispatchEvent(new Event('focus'))",
    ] {
        phone.browser.unfold("Add");
        phone.browser.soon("add", || phone.browser.is_there("#picture").then_some(()));
        // A picker that covers the page.
        event(tap);
        hide(&phone, true);
        std::thread::sleep(std::time::Duration::from_millis(100));
        phone.browser.must_not_say("Locked");
        hide(&phone, false);
        // One that does not, and is gone.
        event(tap);
        event(end);
        hide(&phone, true);
        phone.browser.must_say("Locked");
        hide(&phone, false);
        phone.unlock(PASSPHRASE);
        phone.browser.must_say("No accounts yet");
    }
}

fn the_clipboard_is_cleared_of_codes_alone(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app);
    let stubs = "window.held = ''; window.may_look = false; window.focused = true; \
         document.hasFocus = () => focused; \
         Object.defineProperty(navigator, 'clipboard', { value: { \
         writeText: async text => { held = text }, readText: async () => held } }); \
         navigator.permissions.query = async () => ({ state: may_look ? 'granted' : 'prompt' }); \
         window.copy = (text, seconds) => import('./page.js').then(page => page.copy(text, seconds)); \
         window.pass = seconds => new Promise(done => setTimeout(done, seconds * 1000)); \
         window.come_back = async () => { focused = true; dispatchEvent(new Event('focus')); await pass(0.1) }";
    phone.browser.script(stubs, Vec::new());
    for (what, script, left) in [
        ("in the foreground", "await copy('123', 1); await pass(1.5)", ""),
        (
            "soon after the background",
            "await copy('123', 1); focused = false; await pass(1.5); await come_back()",
            "",
        ),
        (
            "long after it",
            "await copy('123', 1); focused = false; await pass(3.5); held = 'a letter'; await come_back()",
            "a letter",
        ),
        (
            "long after it, where the app may look",
            "may_look = true; await copy('123', 1); focused = false; await pass(3.5); await come_back()",
            "",
        ),
        (
            "where the app sees another text",
            "may_look = true; await copy('123', 1); held = 'a letter'; await pass(1.5)",
            "a letter",
        ),
        (
            "while another code is there that is not due",
            "await copy('123', 1); focused = false; await pass(1.5); await copy('456', 60); await come_back()",
            "456",
        ),
    ] {
        let script =
            format!("return (async () => {{ may_look = false; focused = true; {script}; return held }})()");
        assert_eq!(phone.browser.script(&script, Vec::new()), left, "{what}");
    }
}

fn a_counters_code_is_stored_before_it_is_seen(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    let uri = "otpauth://hotp/Box:carol?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Box&counter=3";
    phone.add(uri);
    phone.home();
    // RFC 4226 appendix D, counters 3, 4 and 5.
    phone.browser.unfold("New code Box, carol");
    phone.browser.soon("the code of counter 3", || (phone.codes() == ["969429"]).then_some(()));
    // Said to whoever listens, who has the focus on the button that made it.
    let announced = || phone.browser.texts("main [role=status]");
    phone.browser.soon("the code", || (announced() == ["9 6 9, 4 2 9"]).then_some(()));
    let counter = |phone: &Handset| {
        let file = String::from_utf8(phone.file()).unwrap();
        file.split_once("\"counter\":").unwrap().1.split([',', '}']).next().unwrap().to_owned()
    };
    assert_eq!(counter(&phone), "4");
    // A second tap asks; the code stands.
    phone.browser.unfold("New code Box, carol");
    phone.browser.must_say("Another one?");
    assert_eq!((phone.codes(), counter(&phone)), (vec!["969429".to_owned()], "4".to_owned()));
    phone.browser.unfold("New code Box, carol");
    phone.browser.soon("the code of counter 4", || (phone.codes() == ["338314"]).then_some(()));
    phone.reload();
    phone.browser.unfold("New code Box, carol");
    phone.browser.soon("the code of counter 5", || (phone.codes() == ["254676"]).then_some(()));
}

fn two_taps_in_a_row_make_one_code(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.add("otpauth://hotp/Box:carol?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Box&counter=3");
    phone.home();
    let twice = "const button = document.querySelector('.advance'); button.click(); button.click()";
    phone.browser.script(twice, Vec::new());
    phone.browser.soon("the code of counter 3", || (phone.codes() == ["969429"]).then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(phone.codes(), ["969429"]);
    assert!(String::from_utf8(phone.file()).unwrap().contains("\"counter\":4"));
    // When that is done, the next one is asked about as ever.
    phone.browser.unfold("New code Box, carol");
    phone.browser.must_say("Another one?");
    phone.browser.unfold("New code Box, carol");
    phone.browser.soon("the code of counter 4", || (phone.codes() == ["338314"]).then_some(()));
}

fn a_counter_that_was_used_up_is_not_put_back_with_a_name(on: Backend) {
    let app = server(on);
    app.user("carol");
    let phone = Handset::new(&app).start_without_passphrase();
    let mechanism = Mechanism::Hotp(Hotp::default());
    let token = app.enrol("carol", NewFactor { mechanism, ..NewFactor::default() });
    phone.add(&token.uri.to_uri());
    phone.browser.unfold("Confirm with one tap");
    phone.browser.must_say("The server accepts this phone's codes.");
    let counter = |expected: u64| {
        let kept = format!("\"counter\":{expected},");
        let is_kept = || String::from_utf8(phone.file()).unwrap().contains(&kept);
        phone.browser.soon(&kept, || is_kept().then_some(()));
    };
    counter(1);
    let save = || {
        phone.browser.unfold("Save");
        phone.browser.must_say("Saved.");
    };
    phone.browser.fill("#label", "My token");
    save();
    counter(1);
    assert!(String::from_utf8(phone.file()).unwrap().contains("My token"));
    // What somebody types is set, once: the code after it counts on from there.
    phone.browser.fill("#entry-counter", "7");
    save();
    counter(7);
}

fn a_counters_code_is_stored_before_it_is_sent(on: Backend) {
    let app = server(on);
    app.user("carol");
    let phone = Handset::new(&app).start_without_passphrase();
    let mechanism = Mechanism::Hotp(Hotp::default());
    phone.add(&app.enrol("carol", NewFactor { mechanism, ..NewFactor::default() }).uri.to_uri());
    phone.browser.must_say("Not confirmed yet");
    let counter = |expected: u64| {
        let kept = format!("\"counter\":{expected},");
        String::from_utf8(phone.file()).unwrap().contains(&kept)
    };
    let stub = "window.sent = []; window.real = fetch; window.fetch = async (url, how) => { \
         if (!String(url).includes('confirm')) return real(url, how); \
         sent.push(JSON.parse(how.body).code); if (!window.is_back) throw new TypeError('no network'); return real(url, how) }";
    phone.browser.script(stub, Vec::new());
    let sent = || phone.browser.script("return sent", Vec::new());
    // What cannot be stored is not sent.
    phone.break_storage(true);
    phone.browser.unfold("Confirm with one tap");
    phone.browser.must_say("The browser could not store this.");
    assert_eq!(sent(), json!([]));
    phone.break_storage(false);
    assert!(counter(0));
    // What was sent and not answered may be used up. It is sent once more, and no other one is wasted.
    for tries in 1..=2 {
        phone.browser.unfold("Confirm with one tap");
        phone.browser.soon(tries, || (sent().as_array().unwrap().len() == tries).then_some(()));
        phone.browser.must_say("The server could not be reached.");
        assert!(counter(1));
    }
    phone.browser.script("window.is_back = true", Vec::new());
    phone.browser.unfold("Confirm with one tap");
    phone.browser.must_say("The server accepts this phone's codes.");
    let sent: Vec<String> = serde_json::from_value(sent()).unwrap();
    assert_eq!(
        (sent.len(), sent.iter().collect::<std::collections::BTreeSet<_>>().len()),
        (3, 1),
        "{sent:?}"
    );
    assert!(counter(1));
}

/// The samples that `mobile-core` reads in its own tests, with what must be found in them.
fn samples() -> Vec<(PathBuf, Option<String>, usize, usize)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mobile-core/tests/cases/transfer");
    let folder = folder.canonicalize().unwrap();
    let mut samples = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let Some(sample) = path.to_str().unwrap().strip_suffix(".expected") else { continue };
        let expected = std::fs::read_to_string(&path).unwrap();
        let password = expected.lines().find_map(|line| line.strip_prefix("password: ")).map(str::to_owned);
        let count = |start: &str| expected.lines().filter(|line| line.starts_with(start)).count();
        samples.push((PathBuf::from(sample), password, count("found: "), count("unread: ")));
    }
    samples.sort();
    assert!(samples.len() >= 14, "{samples:?}");
    samples
}

fn every_format_is_imported_once(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    let mut all = String::new();
    for (file, password, found, unread) in samples() {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let look = |phone: &Handset| {
            phone.settings();
            phone.choose("Import");
            phone.browser.attach("#import", &file);
            if let Some(password) = &password {
                phone.browser.must_say("The file is encrypted.");
                phone.browser.fill("#import-password", password);
                phone.browser.unfold("Open");
            }
            phone.browser.must_say(&format!("Found: {found}. Not readable: {unread}."));
        };
        look(&phone);
        if name == "2fas.json" {
            phone.browser.must_look_right("phone-import");
        }
        let before = phone.file();
        let taken = phone.browser.text();
        let taken = taken.split_once("Take over ").unwrap().1.split_whitespace().next().unwrap().to_owned();
        let _ = write!(all, "{name}: {taken} of {found}; ");
        if taken != "0" {
            phone.browser.unfold(&format!("Take over {taken}"));
            phone.browser.must_say(&format!("Taken over: {taken}."));
            assert_ne!(phone.file(), before, "{name}");
            // The same file once more: everything is there already.
            look(&phone);
            phone.browser.must_say("Take over 0");
        }
        phone.browser.unfold("Cancel");
        phone.home();
    }
    // The samples hold many of the same accounts, so that few of the later ones were new. All are of the same making.
    assert!(all.contains("2fas.json: 4 of 4"), "{all}");
}

fn an_encrypted_copy_comes_back(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.add(URI);
    phone.home();
    phone.settings();
    phone.choose("Export");
    // One keyboard writes é as one character, another as a letter and an accent.
    let [written, typed] = ["café river candle", "cafe\u{301} river candle"];
    phone.browser.fill("#export-new", written);
    phone.browser.fill("#export-again", written);
    phone.browser.unfold("Save the copy");
    phone.browser.must_say("The browser has the file now");
    let copy = phone.browser.download("csvault");
    assert!(std::fs::read(&copy).unwrap().starts_with(b"csvault\n"));
    phone.browser.unfold("Save unencrypted");
    phone.browser.must_say("Whoever sees it can make all your codes for ever.");
    phone.browser.unfold("Save unencrypted");
    let list = std::fs::read_to_string(phone.browser.download("txt")).unwrap();
    assert_eq!(KeyUri::parse(&list).unwrap().0, KeyUri::parse(URI).unwrap().0);

    let other = Handset::new(&app).start_without_passphrase();
    other.settings();
    other.choose("Import");
    other.browser.attach("#import", &copy);
    other.browser.must_say("The file is encrypted.");
    other.browser.fill("#import-password", "something else");
    other.browser.unfold("Open");
    other.browser.must_say("That did not open the file.");
    other.browser.fill("#import-password", typed);
    other.browser.unfold("Open");
    other.browser.must_say("Found: 1. Not readable: 0.");
    other.browser.unfold("Take over 1");
    other.must_show_codes_of(&[URI]);
}

/// A picture file of a text as a QR code.
fn picture(folder: &Path, text: &str) -> PathBuf {
    let code = qrcode::QrCode::new(text).unwrap();
    let (width, zoom, edge) = (code.width(), 4, 4);
    let side = (width + 2 * edge) * zoom;
    let dark = |x: usize, y: usize| {
        let inside = |at: usize| (at / zoom).checked_sub(edge).filter(|at| *at < width);
        matches!((inside(x), inside(y)), (Some(x), Some(y)) if code[(x, y)] == qrcode::Color::Dark)
    };
    let pixels: Vec<u8> =
        (0..side * side).map(|at| if dark(at % side, at / side) { 0 } else { 255 }).collect();
    let file = folder.join("picture.png");
    let side = u32::try_from(side).unwrap();
    let mut encoder = png::Encoder::new(std::fs::File::create(&file).unwrap(), side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    file
}

fn a_picture_with_a_code_adds_its_account(on: Backend) {
    let app = server(on);
    let folder = tempfile::tempdir().unwrap();
    let phone = Handset::new(&app).start_without_passphrase();
    phone.browser.unfold("Add");
    phone.browser.attach("#picture", &picture(folder.path(), URI));
    phone.browser.must_say("Added.");
    phone.must_show_codes_of(&[URI]);
    // Once more: it is there.
    phone.home();
    phone.browser.unfold("Add");
    phone.browser.attach("#picture", &picture(folder.path(), URI));
    phone.browser.must_say("This account is already here.");
    phone.home();
    assert_eq!(phone.codes().len(), 1);
}

fn an_account_without_any_name_can_be_named(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    phone.add(&format!("otpauth://totp/?secret={secret}"));
    phone.browser.must_say("Without a name");
    phone.browser.fill("#label", "My bank");
    phone.browser.unfold("Save");
    phone.browser.must_say("Saved.");
    phone.home();
    phone.browser.must_say("My bank");
    phone.must_show_codes_of(&[URI]);
}

fn a_secret_is_typed_with_blanks_of_all_kinds(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.browser.unfold("Add");
    phone.choose("Type it in");
    phone.browser.fill("#issuer", "Example");
    phone.browser.fill("#account", "alice@example.com");
    let paste = "document.querySelector('#secret').value = arguments[0]";
    let secret = "GEZD\u{a0}GNBV GY3T\u{202f}QOJQ\u{2009}GEZD\u{200b}GNBV\u{2003}GY3T\tQOJQ\u{feff}";
    phone.browser.script(paste, vec![Value::from(secret)]);
    phone.browser.click(".page .primary");
    phone.browser.must_say("Added.");
    phone.must_show_codes_of(&[URI]);
}

fn who_goes_back_is_led_nowhere_by_what_comes_later(on: Backend) {
    let app = server(on);
    let folder = tempfile::tempdir().unwrap();
    let phone = Handset::new(&app).start_without_passphrase();
    let empty = phone.file();
    // What the worker is asked waits for a word, and so does what is stored.
    let hold = "const real = Worker.prototype.postMessage; \
         Worker.prototype.postMessage = function (...all) { window.release = () => real.apply(this, all) }";
    phone.browser.script(hold, Vec::new());
    phone.browser.unfold("Add");
    phone.browser.attach("#picture", &picture(folder.path(), URI));
    let is_held = "return !!window.release";
    phone.browser.soon("the question", || (phone.browser.script(is_held, Vec::new()) == true).then_some(()));
    phone.browser.unfold("Back");
    phone.browser.must_say("No accounts yet");
    phone.browser.script("window.release()", Vec::new());
    std::thread::sleep(std::time::Duration::from_millis(1500));
    phone.browser.must_say("No accounts yet");
    assert_eq!(phone.file(), empty);
    // All ways are as they were.
    phone.settings();
    phone.browser.back();
    phone.browser.must_say("No accounts yet");
    assert!(phone.browser.url().ends_with("/phone/"), "{}", phone.browser.url());
}

fn the_way_forward_leads_to_nothing_that_is_gone(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    let go = |steps: i32| phone.browser.script("history.go(arguments[0])", vec![json!(steps)]);
    phone.settings();
    phone.choose("Export");
    phone.browser.must_say("Encrypted copy");
    phone.browser.back();
    phone.browser.soon("settings", || phone.browser.is_there("#theme").then_some(()));
    // Forward: the screen is not there any more, and one way back is one way back.
    go(1);
    let depth = |expected: u32| {
        let read = || phone.browser.script("return history.state", Vec::new());
        phone.browser.soon(("depth", expected), || (read() == expected).then_some(()));
    };
    std::thread::sleep(std::time::Duration::from_millis(300));
    depth(1);
    phone.browser.back();
    phone.browser.must_say("No accounts yet");
    // The same for a page that is loaded anew above others.
    phone.settings();
    phone.choose("Export");
    phone.browser.must_say("Encrypted copy");
    phone.reload();
    phone.browser.must_say("No accounts yet");
    phone.browser.back();
    std::thread::sleep(std::time::Duration::from_millis(300));
    depth(0);
    phone.settings();
    phone.browser.unfold("Back");
    phone.browser.must_say("No accounts yet");
}

fn a_picture_of_another_thing_is_told_apart(on: Backend) {
    let app = server(on);
    let folder = tempfile::tempdir().unwrap();
    let phone = Handset::new(&app).start_without_passphrase();
    phone.browser.unfold("Add");
    for (text, words) in [
        ("https://example.org/", "This is a web address, not an account."),
        ("WIFI:S:home;T:WPA;P:secret;;", "This is the QR code of a wireless network"),
        ("BEGIN:VCARD\nFN:Alice\nEND:VCARD", "This is a contact"),
        ("otpauth://totp/Example:alice?secret=018", "The secret key is wrong"),
        ("hello", "An account begins with otpauth://"),
    ] {
        phone.browser.attach("#picture", &picture(folder.path(), text));
        phone.browser.must_say(words);
    }
    let empty = folder.path().join("empty.png");
    std::fs::write(&empty, b"no picture").unwrap();
    phone.browser.attach("#picture", &empty);
    phone.browser.must_say("This picture could not be read.");
}

fn accounts_are_found_named_and_put_in_order(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    for name in ["Apple", "Berry", "Cherry"] {
        phone.add(&format!("otpauth://totp/{name}:alice?secret=JBSWY3DPEHPK3PX{}&issuer={name}", &name[..1]));
        phone.home();
    }
    let titles = |phone: &Handset| phone.browser.texts(".card .title");
    assert_eq!(titles(&phone), ["Apple", "Berry", "Cherry"]);
    phone.browser.fill(".search", "cher");
    phone.browser.soon("one of three", || (titles(&phone) == ["Cherry"]).then_some(()));
    phone.browser.fill(".search", "nothing like it");
    phone.browser.must_say("Nothing found.");
    phone.browser.fill(".search", " ");

    phone.browser.unfold("More about Berry");
    phone.browser.fill("#label", "My berries");
    phone.browser.fill("#group", "Garden");
    phone.browser.click("#favourite");
    phone.browser.unfold("Save");
    phone.browser.must_say("Saved.");
    phone.home();
    phone
        .browser
        .soon("the favourite first", || (titles(&phone) == ["My berries", "Apple", "Cherry"]).then_some(()));
    phone.browser.unfold("Garden");
    phone.browser.soon("the group", || (titles(&phone) == ["My berries"]).then_some(()));

    // By keys, by buttons, by dragging.
    phone.settings();
    phone.choose("Order");
    let order = |phone: &Handset| phone.browser.texts(".arrange .title");
    phone.browser.unfold("Move Cherry up");
    phone.browser.soon("a new order", || (order(&phone) == ["Apple", "Cherry", "My berries"]).then_some(()));
    phone.browser.drag(".arrange:nth-child(3) .grip", ".arrange:nth-child(1) .grip");
    phone.browser.soon("a new order", || (order(&phone) == ["My berries", "Apple", "Cherry"]).then_some(()));
    phone.browser.script("document.querySelector('.arrange:nth-child(2) .grip').focus()", Vec::new());
    phone.browser.keys("\u{e015}");
    phone.browser.soon("a new order", || (order(&phone) == ["My berries", "Cherry", "Apple"]).then_some(()));
    phone.browser.must_look_right("phone-order");
    phone.reload();
    phone.browser.soon("it was kept", || (titles(&phone) == ["My berries", "Cherry", "Apple"]).then_some(()));

    // What is deleted is gone after a question.
    phone.browser.unfold("More about Apple");
    phone.browser.unfold("Delete");
    phone.browser.must_say("turn the second factor off at the service");
    phone.browser.unfold("Delete");
    phone.browser.soon("two are left", || (titles(&phone) == ["My berries", "Cherry"]).then_some(()));
}

fn who_comes_back_to_the_list_finds_it_as_it_was(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_with_passphrase();
    for name in ["Apple", "Berry", "Cherry"] {
        phone.add(&format!("otpauth://totp/{name}:alice?secret=JBSWY3DPEHPK3PX{}&issuer={name}", &name[..1]));
        phone.home();
    }
    let titles = || phone.browser.texts(".card .title");
    let must_show = |expected: &[&str]| phone.browser.soon(expected, || (titles() == expected).then_some(()));
    let must_focus = |expected: &str| {
        let look = "return document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText.trim()";
        let focused = || phone.browser.script(look, Vec::new());
        phone.browser.soon(expected, || (focused() == expected).then_some(()));
    };
    phone.browser.unfold("More about Berry");
    phone.browser.fill("#group", "Garden");
    phone.browser.unfold("Save");
    phone.browser.must_say("Saved.");
    phone.home();
    must_focus("More about Berry");
    phone.browser.fill(".search", "err");
    phone.browser.unfold("Garden");
    must_show(&["Berry"]);
    phone.settings();
    phone.browser.back();
    must_show(&["Berry"]);
    must_focus("Settings");
    assert_eq!(phone.value(".search"), "err");
    assert_eq!(phone.browser.attribute(".chip:nth-child(2)", "aria-pressed"), "true");
    // With the last of a group the choice of it goes; what was sought stands.
    phone.browser.unfold("More about Berry");
    phone.browser.fill("#group", "");
    phone.browser.unfold("Save");
    phone.browser.must_say("Saved.");
    phone.home();
    must_show(&["Berry", "Cherry"]);
    // What was deleted cannot have the focus; the title of the list has it then.
    phone.browser.unfold("More about Cherry");
    phone.browser.unfold("Delete");
    phone.browser.unfold("Delete");
    must_show(&["Berry"]);
    must_focus("Countersign");
    // The lock forgets what was sought.
    phone.browser.unfold("Lock");
    phone.unlock(PASSPHRASE);
    must_show(&["Apple", "Berry"]);
    assert_eq!(phone.value(".search"), "");
}

fn a_screen_begins_at_its_top_and_the_list_is_where_it_was_left(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app);
    let entry = |number: usize| {
        format!(
            r#"{{"id":"{number:032}","kind":"totp","issuer":"Issuer {number}","account":"alice","secret":"GEZDGNBVGY3TQOJQ","#
        ) + r#""algorithm":"SHA1","digits":6,"period":30,"favourite":false,"created":1795568400000}"#
    };
    let entries = (1..=30).map(entry).collect::<Vec<_>>().join(",");
    let vault = format!("countersign vault 1, NOT ENCRYPTED\n{{\"version\":1,\"entries\":[{entries}]}}");
    let write = "return import('./store.js').then(store => store.save(new Uint8Array(arguments[0]), 1, 0))";
    phone.browser.script(write, vec![json!(vault.as_bytes())]);
    let small = json!({ "width": 390, "height": 600, "deviceScaleFactor": 1, "mobile": false });
    phone.browser.chromium("Emulation.setDeviceMetricsOverride", &small);
    phone.reload();
    phone.browser.soon("the codes", || (phone.codes().len() == 30).then_some(()));
    let scrolled = || phone.browser.script("return Math.round(scrollY)", Vec::new());
    let must_be_scrolled = |to: &Value| phone.browser.soon(to, || (scrolled() == *to).then_some(()));
    // The ways deeper, and the thing by which one sees that one is there.
    let more = "document.querySelectorAll('.card .icon-button')[24].click()";
    let gear = "document.querySelectorAll('.bar .icon-button')[0].click()";
    for (go, there) in [(more, ".who"), (gear, "#theme")] {
        phone.browser.script("scrollTo(0, 1500)", Vec::new());
        let left = scrolled();
        assert_eq!(left, 1500);
        phone.browser.script(go, Vec::new());
        phone.browser.soon(there, || phone.browser.is_there(there).then_some(()));
        must_be_scrolled(&json!(0));
        phone.browser.script("scrollTo(0, 200)", Vec::new());
        let below = scrolled();
        assert_ne!(below, 0);
        phone.browser.click_path("//*[@class='row-title' and (.='Show as QR code' or .='Export')]");
        phone.browser.soon("a screen deeper", || phone.browser.is_there(".quiet").then_some(()));
        must_be_scrolled(&json!(0));
        phone.browser.back();
        phone.browser.soon(there, || phone.browser.is_there(there).then_some(()));
        phone.browser.unfold("Back");
        phone.browser.soon("the list", || phone.browser.is_there(".fab").then_some(()));
        must_be_scrolled(&left);
    }
}

fn an_import_that_could_not_be_saved_shows_what_it_will_do(on: Backend) {
    let app = server(on);
    let phone = Handset::new(&app).start_without_passphrase();
    phone.settings();
    phone.choose("Import");
    let (file, ..) = samples().into_iter().find(|(file, ..)| file.ends_with("2fas.json")).unwrap();
    phone.browser.attach("#import", &file);
    phone.browser.must_say("Take over 4");
    // Somebody who is not sure. The browser leaves alone what was chosen once.
    for (choice, count) in [("skip", 3), ("add", 4), ("skip", 3)] {
        let choose = "const field = document.querySelector('#item-0'); field.value = arguments[0]; \
             field.dispatchEvent(new Event('change', { bubbles: true }))";
        phone.browser.script(choose, vec![Value::from(choice)]);
        phone.browser.must_say(&format!("Take over {count}"));
    }
    phone.break_storage(true);
    phone.browser.unfold("Take over 3");
    phone.browser.must_say("Take over 4");
    assert_eq!(phone.value("#item-0"), "add");
    phone.break_storage(false);
    phone.browser.unfold("Take over 4");
    phone.browser.must_say("Taken over: 4.");
}

/// Every screen, with something on it.
fn visit_all(on: Backend, language: &str) {
    let app = server(on);
    let phone = Handset::new(&app);
    let look = |name: &str| phone.browser.must_look_right(&format!("phone-{name}-{language}"));
    let set_language = "localStorage.setItem('countersign.language', arguments[0])";
    phone.browser.script(set_language, vec![Value::from(language)]);
    phone.reload();
    look("welcome");
    let write = "return import('./store.js').then(store => store.save(new Uint8Array(arguments[0]), 1, 0))";
    let plain = concat!(
        "countersign vault 1, NOT ENCRYPTED\n",
        r#"{"version":1,"entries":["#,
        r#"{"id":"00000000000000000000000000000001","kind":"totp","issuer":"Example Bank","account":"alice@example.com","secret":"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ","algorithm":"SHA1","digits":6,"period":30,"group":"Home","favourite":true,"created":1795568400000},"#,
        r#"{"id":"00000000000000000000000000000002","kind":"totp","issuer":"Forge","account":"bob","secret":"JBSWY3DPEHPK3PXP","algorithm":"SHA256","digits":8,"period":60,"group":"Work","favourite":false,"created":1795568400000},"#,
        r#"{"id":"00000000000000000000000000000003","kind":"hotp","issuer":"Token","account":"carol","secret":"JBSWY3DPEHPK3PXQ","algorithm":"SHA1","digits":6,"counter":3,"favourite":false,"created":1795568400000},"#,
        r#"{"id":"00000000000000000000000000000004","kind":"steam","issuer":"Steam","account":"dave","secret":"JBSWY3DPEHPK3PXR","favourite":false,"created":1795568400000}]}"#,
    );
    phone.browser.script(write, vec![json!(plain.as_bytes())]);
    phone.reload();
    phone.browser.soon("the codes", || (phone.codes().len() == 4).then_some(()));
    look("codes");
    let click = |css: &str| phone.browser.click(css);
    let back = || {
        click(".bar .icon-button");
        phone.browser.soon("the screen before", || phone.browser.is_there(".fab, #theme").then_some(()));
    };
    click(".fab");
    phone.browser.soon("add", || phone.browser.is_there("#link").then_some(()));
    look("add");
    click(".page > .row:nth-of-type(3)");
    phone.browser.soon("type", || phone.browser.is_there("#secret").then_some(()));
    click("summary");
    look("type");
    phone.reload();
    click(".card .icon-button");
    phone.browser.soon("entry", || phone.browser.is_there(".who").then_some(()));
    look("account");
    hand_over(&phone, "otpauth://hotp/Example:erin?secret=JBSWY3DPEHPK3PXS&issuer=Example");
    phone.browser.soon("a question", || phone.browser.is_there(".warning").then_some(()));
    look("offered");
    phone.reload();
    click(".card .icon-button");
    phone.browser.soon("entry", || phone.browser.is_there(".who").then_some(()));
    click(".page > .row");
    phone.browser.soon("hand over", || phone.browser.is_there(".danger").then_some(()));
    click(".danger");
    click(".danger:not(.quiet)");
    phone.browser.soon("the QR code", || phone.browser.is_there(".qr").then_some(()));
    look("hand");
    phone.reload();
    click(".fab");
    click(".page > .row:nth-of-type(1)");
    let plays = "return (document.querySelector('video')?.videoWidth ?? 0) > 0";
    phone.browser.soon("the camera", || (phone.browser.script(plays, Vec::new()) == true).then_some(()));
    look("scan");
    phone.reload();
    click(".bar .icon-button");
    phone.browser.soon("settings", || phone.browser.is_there("#theme").then_some(()));
    look("settings");
    for (place, name) in
        [(1, "lock"), (2, "enrolments"), (3, "order"), (4, "import"), (5, "export"), (6, "about")]
    {
        click(&format!(".page > .row:nth-of-type({place})"));
        phone.browser.soon(name, || (!phone.browser.is_there("#theme")).then_some(()));
        look(name);
        back();
    }
}

fn the_screens_look_right_in_english(on: Backend) {
    visit_all(on, "en");
}

fn the_screens_look_right_in_german(on: Backend) {
    visit_all(on, "de");
}
