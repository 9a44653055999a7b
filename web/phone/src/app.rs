//! The app as a whole: its state, its clock, and which screen is shown.

use std::collections::BTreeMap;
use std::pin::Pin;

use leptos::prelude::*;
use mobile_core::Zeroizing;
use mobile_core::transfer::Import;
use mobile_core::vault::{Entry, EntryId};
use wasm_bindgen::prelude::*;

use crate::glue;
use crate::screens::{self, Look};
use crate::server::{self, Standing};
use crate::session::{Behind, Session, Ways};
use crate::settings::Settings;
use crate::trouble::Trouble;
use crate::words::Words;

/// How far the vault is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Being looked for.
    Starting,
    /// There is none.
    Fresh,
    /// Locked, and what opens it.
    Locked(Ways),
    /// Open.
    Open,
    /// The browser's storage did not answer.
    Unread,
    /// There is one that cannot be read.
    Broken { trouble: Trouble, has_previous: bool },
}

/// A screen on top of the list of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Screen {
    Add,
    Offered,
    Scan,
    Type,
    Import,
    Export,
    Entry(EntryId),
    Hand(EntryId),
    Arrange,
    Enrolments,
    Settings,
    Lock,
    About,
}

/// A device's clock that moves by this much more or less than time has passed was set, or the device was asleep. In milliseconds.
pub(crate) const JUMP_MS: i64 = 2_000;
/// As long as a picker of files may take until the vault is locked all the same, in milliseconds.
const PICKER_MS: i64 = 120_000;
/// As long as the page may take to come into sight again, once that is gone which the device has laid over it.
const RETURN_MS: i64 = 5_000;
/// The shortest time between two comparisons that nobody asked for, in milliseconds.
const COMPARE_EVERY_MS: i64 = 5_000;

/// Everything that screens share. A handle: it can be copied, and all copies are the same app.
#[derive(Clone, Copy)]
pub(crate) struct App {
    pub(crate) phase: RwSignal<Phase>,
    /// The screens above the list, the last on top.
    trail: RwSignal<Vec<Screen>>,
    pub(crate) session: StoredValue<Option<Session>>,
    pub(crate) behind: StoredValue<Behind>,
    /// Counts the changes of the vault's content.
    pub(crate) changed: RwSignal<u64>,
    /// Seconds since the Unix epoch, corrected by what the server's clock said.
    pub(crate) now: RwSignal<u64>,
    /// The same by this device's clock alone.
    device_now: RwSignal<u64>,
    /// Whether the correction was measured since the app was started, and the device's clock has not been set since.
    pub(crate) compared: RwSignal<bool>,
    /// The device's clock and the one that nobody can set, at the last look.
    clocks: StoredValue<(i64, i64)>,
    /// Whether the clocks have to be compared, and when that was last begun.
    comparing: StoredValue<(bool, i64)>,
    pub(crate) settings: RwSignal<Settings>,
    /// The settings as this window last read or wrote them.
    stored: StoredValue<Settings>,
    notice: RwSignal<Option<String>>,
    pub(crate) look: Look,
    /// How the entries stand at the server, as far as it was asked.
    pub(crate) standing: RwSignal<Standing>,
    /// What came with the address: a link to ask about once the vault is open, or nothing but the wish to add something.
    pub(crate) handed: RwSignal<Option<Zeroizing<String>>>,
    /// What was read and waits for the person's choice.
    pub(crate) incoming: RwSignal<Option<Import>>,
    /// Codes by counter that were made since the vault was opened, each with its time.
    pub(crate) counter_codes: RwSignal<BTreeMap<EntryId, (String, u64)>>,
    /// Whether the open vault is older than one that was opened here before, and the person has not said that they know.
    pub(crate) is_older: RwSignal<bool>,
    /// Whether the browser has promised to keep the vault when room gets short.
    pub(crate) is_kept: RwSignal<bool>,
    /// Whether a newer release waits for the person's word.
    pub(crate) update: RwSignal<Option<(String, String)>>,
    /// By both clocks: one can be set, and the other may stand still while the device sleeps.
    last_touch: StoredValue<(i64, i64)>,
    /// Until when being out of sight is the app's own doing, by both clocks. `None` where it is not.
    excused: StoredValue<Option<(i64, i64)>>,
    /// Whether the app has been out of sight since it was last seen.
    is_away: StoredValue<bool>,
}

impl App {
    fn new() -> Self {
        let settings = Settings::load();
        let standing = Standing::at(&settings.issuer);
        Self {
            phase: RwSignal::new(Phase::Starting),
            trail: RwSignal::default(),
            session: StoredValue::new(None),
            behind: StoredValue::new(Behind::default()),
            changed: RwSignal::new(0),
            now: RwSignal::new(0),
            device_now: RwSignal::new(0),
            compared: RwSignal::new(false),
            clocks: StoredValue::new((glue::now_ms(), glue::steady_ms())),
            comparing: StoredValue::new((false, i64::MIN)),
            settings: RwSignal::new(settings.clone()),
            stored: StoredValue::new(settings),
            notice: RwSignal::new(None),
            look: Look::default(),
            standing: RwSignal::new(standing),
            handed: RwSignal::new(None),
            incoming: RwSignal::new(None),
            counter_codes: RwSignal::default(),
            is_older: RwSignal::new(false),
            is_kept: RwSignal::new(false),
            update: RwSignal::new(None),
            last_touch: StoredValue::new((0, 0)),
            excused: StoredValue::new(None),
            is_away: StoredValue::new(false),
        }
    }

    /// The words of the person's language. A screen takes them once: [`view`] makes it anew in another language.
    pub(crate) fn words(self) -> &'static Words {
        self.settings.with_untracked(|settings| settings.language.words())
    }

    /// Goes one screen deeper.
    pub(crate) fn go(self, screen: Screen) {
        self.trail.update(|trail| trail.push(screen));
        glue::deeper(u32::try_from(self.trail.with_untracked(Vec::len)).unwrap_or(u32::MAX));
    }

    fn is_at(self, screen: Screen) -> bool {
        self.trail.with_untracked(|trail| trail.last() == Some(&screen))
    }

    /// Shows another screen in the place of this one. On the list, there is none to take the place of.
    pub(crate) fn turn(self, screen: Screen) {
        if self.trail.with_untracked(Vec::is_empty) {
            return self.go(screen);
        }
        self.trail.update(|trail| {
            trail.pop();
            trail.push(screen);
        });
        glue::turned();
    }

    /// Goes back, as the device's own gesture does.
    pub(crate) fn back(self) {
        glue::shallower(u32::from(self.trail.with_untracked(|trail| !trail.is_empty())));
    }

    /// Goes back to the list.
    pub(crate) fn leave_all(self) {
        glue::shallower(u32::try_from(self.trail.with_untracked(Vec::len)).unwrap_or_default());
        self.trail.update(Vec::clear);
    }

    /// Tells the person something for a few seconds.
    pub(crate) fn say(self, text: impl Into<String>) {
        self.notice.set(Some(text.into()));
    }

    /// Tells the person what went wrong, unless it was they who stopped it.
    pub(crate) fn complain(self, trouble: &Trouble) {
        if !trouble.is_cancelled() {
            self.say(trouble.say(self.words()));
        }
    }

    /// Runs what takes time, and tells what went wrong with it.
    pub(crate) fn spawn(self, work: impl Future<Output = Result<(), Trouble>> + 'static) {
        self.run(Box::pin(work));
    }

    /// Compiled once: the app is small because such things are.
    fn run(self, work: Pin<Box<dyn Future<Output = Result<(), Trouble>>>>) {
        leptos::task::spawn_local(async move {
            if let Err(trouble) = work.await {
                self.complain(&trouble);
            }
        });
    }

    /// Whether an entry's codes go by the server's clock: those of the server's own accounts always do.
    pub(crate) fn is_corrected(self, entry: &Entry) -> bool {
        self.settings.with(|settings| settings.correct_all)
            || self.standing.with(|standing| standing.has_enrolled(entry))
    }

    /// The seconds by which codes are made that are corrected, or are not.
    pub(crate) fn seconds(self, is_corrected: bool) -> u64 {
        if is_corrected { self.now.get() } else { self.device_now.get() }
    }

    /// Notices when this device's clock was set, and takes that off the correction: what was known of the time stays known.
    ///
    /// Only a clock that is set goes back. One that goes forward may belong to a device that was asleep, where the steady clock
    /// stands still meanwhile; so that counts as set only where it makes up for just what was corrected. What stays open is asked of
    /// the server.
    pub(crate) fn notice_jump(self) {
        let (wall, steady) = (glue::now_ms(), glue::steady_ms());
        let (wall_before, steady_before) = self.clocks.get_value();
        self.clocks.set_value((wall, steady));
        let jump = (wall - wall_before) - (steady - steady_before);
        if jump.abs() < JUMP_MS {
            return;
        }
        let offset = self.settings.with_untracked(|settings| settings.clock_offset_ms);
        let is_put_right = offset >= JUMP_MS && (offset - jump).abs() < JUMP_MS;
        // Where nothing is known of the time, the clock as it is now is the best there is.
        let is_known = offset != 0 || self.compared.get_untracked();
        if is_known && (jump < 0 || is_put_right) {
            self.settings.update(|settings| settings.clock_offset_ms = offset - jump);
        }
        self.compared.set(false);
        self.compare_soon();
    }

    /// Has the clocks compared, now or when the last comparison is some seconds old.
    pub(crate) fn compare_soon(self) {
        self.comparing.update_value(|(is_due, _)| *is_due = true);
    }

    fn compare_if_due(self) {
        let (is_due, begun) = self.comparing.get_value();
        let now = glue::steady_ms();
        if is_due && begun.saturating_add(COMPARE_EVERY_MS) <= now {
            self.comparing.set_value((false, now));
            leptos::task::spawn_local(async move {
                // Without a network there is nothing to tell.
                let _ = server::check_clock(self).await;
            });
        }
    }

    fn tick(self) {
        self.lock_if_away();
        self.notice_jump();
        self.compare_if_due();
        let wall = glue::now_ms();
        let offset = self.settings.with_untracked(|settings| settings.clock_offset_ms);
        for (clock, ms) in [(self.now, wall + offset), (self.device_now, wall)] {
            let seconds = u64::try_from(ms).unwrap_or_default() / 1000;
            if seconds != clock.get_untracked() {
                clock.set(seconds);
            }
        }
        let limit = self.settings.with_untracked(|settings| settings.lock_seconds);
        let (touched, touched_steady) = self.last_touch.get_value();
        let idle_ms = (wall - touched).max(glue::steady_ms() - touched_steady);
        if limit > 0 && idle_ms > i64::from(limit) * 1000 && self.phase.get_untracked() == Phase::Open {
            self.lock();
        }
    }

    /// The device's own picker of files comes over the page; that is no reason to lock.
    pub(crate) fn expect_absence(self) {
        self.excuse_for(PICKER_MS);
    }

    /// What the device has laid over the page is gone, or never covered it.
    pub(crate) fn end_absence(self) {
        self.lock_if_away();
        if is_hidden() {
            self.excuse_for(RETURN_MS);
        } else {
            self.is_away.set_value(false);
            self.excused.set_value(None);
        }
    }

    fn excuse_for(self, ms: i64) {
        self.excused.set_value(Some((glue::now_ms() + ms, glue::steady_ms() + ms)));
    }

    fn hidden(self) {
        self.is_away.set_value(true);
        self.lock_if_away();
    }

    /// Locks where the person wants that as soon as the app is out of sight, and it is, or was until now, for longer than its excuse.
    pub(crate) fn lock_if_away(self) {
        let is_over = |(wall, steady): (i64, i64)| wall <= glue::now_ms() || steady <= glue::steady_ms();
        let is_wanted = self.settings.with_untracked(|settings| settings.lock_when_hidden);
        if is_wanted
            && (self.is_away.get_value() || is_hidden())
            && self.excused.get_value().is_none_or(is_over)
        {
            self.lock();
        }
    }

    /// Takes over what another window has set.
    pub(crate) fn read_settings(self) {
        // A clock that has jumped is in the other window's correction already.
        self.notice_jump();
        let settings = Settings::load();
        self.stored.set_value(settings.clone());
        self.settings.set(settings);
    }

    fn touched(self) {
        self.last_touch.set_value((glue::now_ms(), glue::steady_ms()));
    }
}

/// Whether the page is out of sight.
fn is_hidden() -> bool {
    web_sys::window().and_then(|window| window.document()).is_some_and(|document| document.hidden())
}

/// Calls back for ever: what is made once for the page's whole life.
fn listen(target: &web_sys::EventTarget, event: &str, call: impl FnMut() + 'static) {
    let closure = Closure::<dyn FnMut()>::new(call);
    let _ = target.add_event_listener_with_callback(event, closure.as_ref().unchecked_ref());
    closure.forget();
}

/// Starts the clock and hears what happens around the page.
fn start(app: App) {
    app.touched();
    app.tick();
    set_interval(move || app.tick(), std::time::Duration::from_millis(200));
    let Some(window) = web_sys::window() else { return };
    let Some(document) = window.document() else { return };
    for event in ["pointerdown", "keydown"] {
        listen(&document, event, move || app.touched());
    }
    listen(&document, "visibilitychange", move || {
        if is_hidden() {
            app.hidden();
        } else {
            app.end_absence();
            app.compare_soon();
            // What ran out in the background is locked before anything is shown.
            app.tick();
        }
    });
    listen(&window, "focus", move || app.end_absence());
    listen(&window, "storage", move || app.read_settings());
    listen(&window, "countersign-install", move || app.changed.update(|count| *count += 1));
    listen(&window, "appinstalled", move || app.ask_to_keep());
    listen(&window, "online", move || leptos::task::spawn_local(server::look(app)));

    let popped = Closure::<dyn FnMut(u32)>::new(move |depth: u32| {
        app.trail.update(|trail| trail.truncate(depth as usize));
        // Forward, or behind a page that was loaded anew: of what was there, nothing is known. Without this, as many ways back would
        // lead nowhere.
        let known = u32::try_from(app.trail.with_untracked(Vec::len)).unwrap_or_default();
        glue::shallower(depth.saturating_sub(known));
    });
    glue::watch_history(&popped);
    popped.forget();
    let saved = Closure::<dyn FnMut()>::new(move || {
        app.leave_all();
        leptos::task::spawn_local(app.begin());
    });
    glue::watch_files(&saved);
    saved.forget();

    let hear = move || {
        app.handed.update(|handed| *handed = glue::handed_over().map(Zeroizing::new).or(handed.take()));
    };
    hear();
    listen(&window, "hashchange", hear);
    leptos::task::spawn_local(async move {
        app.begin().await;
        server::look(app).await;
        crate::release::look(app).await;
    });
}

/// The whole page.
pub(crate) fn view() -> impl IntoView {
    let app = App::new();
    Effect::new(move |_| {
        let (theme, language) =
            app.settings.with(|settings| (settings.theme.code(), settings.language.code()));
        app.settings.with(|settings| {
            app.stored.update_value(|stored| {
                settings.store(stored);
                stored.clone_from(settings);
            });
        });
        let root = web_sys::window().and_then(|window| window.document()?.document_element());
        if let Some(root) = root {
            let _ = root.set_attribute("data-theme", theme);
            let _ = root.set_attribute("lang", language);
        }
    });
    Effect::new(move |_| {
        if let Some(shown) = app.notice.get() {
            let gone = move || {
                app.notice.update(|now| {
                    now.take_if(|now| *now == shown);
                });
            };
            set_timeout(gone, std::time::Duration::from_secs(4));
        }
    });
    // What was handed over by the address is shown as soon as there is a vault to add it to.
    Effect::new(move |_| {
        let is_open = app.phase.get() == Phase::Open;
        match app.handed.with(|handed| handed.as_ref().map(|text| text.is_empty())) {
            Some(true) if is_open => {
                app.handed.set(None);
                app.go(Screen::Add);
            }
            // One that comes while another is asked about takes its place.
            Some(false) if is_open && !app.is_at(Screen::Offered) => app.go(Screen::Offered),
            _ => {}
        }
    });
    start(app);
    // Only these make a screen anew; whatever else changes is drawn where it stands.
    let top = Memo::new(move |_| {
        let language = app.settings.with(|settings| settings.language);
        (app.phase.get(), app.trail.with(|trail| trail.last().copied()), language)
    });
    view! {
        {screens::anew(move || top.track(), move || {
            let (phase, screen, _) = top.get_untracked();
            screens::show(app, &phase, screen)
        })}
        <div class="notice" role="status" aria-live="polite">
            {move || app.notice.get().map(|text| view! { <p>{text}</p> })}
        </div>
    }
}
