//! The codes.

use std::time::Duration;

use leptos::prelude::*;
use mobile_core::vault::{Entry, EntryId, Generator};

use super::{GEAR, MORE, PADLOCK, PLUS, badge, entry_of, icon, subtitle_of, title_of};
use crate::app::{App, Screen};
use crate::glue;
use crate::server::{self, State};
use crate::words::Words;

/// In the last seconds of a step the next code is shown as well.
const NEXT_CODE_SECONDS: u32 = 6;
/// A counter's code that is younger than this is not left behind without asking.
const FRESH_SECONDS: u64 = 60;

/// Which entries are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Filter {
    #[default]
    All,
    Favourites,
    Group(String),
}

/// What was sought and chosen in the list, and by which button it was left. It is there again for whoever comes back, and gone with the lock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Look {
    sought: RwSignal<String>,
    filter: RwSignal<Filter>,
    /// The button's id.
    left_by: StoredValue<Option<String>>,
}

impl Look {
    pub(crate) fn forget(self) {
        self.sought.update(String::clear);
        self.filter.set(Filter::All);
        self.left_by.set_value(None);
    }
}

/// Goes to another screen by a button with this id, which has the focus again when one comes back.
fn leave(app: App, button: &str, screen: Screen) {
    app.look.left_by.set_value(Some(button.to_owned()));
    app.go(screen);
}

impl Filter {
    fn takes(&self, entry: &Entry) -> bool {
        match self {
            Self::All => true,
            Self::Favourites => entry.favourite,
            Self::Group(group) => entry.group.as_ref() == Some(group),
        }
    }
}

/// The groups in the order of their names.
pub(super) fn groups(app: App) -> Vec<String> {
    let mut groups: Vec<String> =
        app.read(|content| content.entries().iter().filter_map(|entry| entry.group.clone()).collect());
    groups.sort_unstable_by_key(|group| glue::lower(group));
    groups.dedup();
    groups
}

fn is_sought(entry: &Entry, sought: &str) -> bool {
    let texts =
        [entry.label.as_deref(), entry.key.issuer(), Some(entry.key.account()), entry.group.as_deref()];
    let all = texts.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let all = glue::lower(&all);
    sought.split_whitespace().all(|word| all.contains(word))
}

/// The list of codes: what one sees after unlocking.
pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    let Look { sought, filter, left_by } = app.look;
    if let Some(button) = left_by.try_update_value(Option::take).flatten() {
        glue::focus(&button);
    }
    let ids = Memo::new(move |_| {
        let sought = glue::lower(&sought.get());
        let filter = in_force(app, filter);
        app.read(|content| {
            let fits = |entry: &&Entry| filter.takes(entry) && is_sought(entry, &sought);
            let mut found: Vec<&Entry> = content.entries().iter().filter(fits).collect();
            // Stable: within both parts the person's own order stays.
            found.sort_by_key(|entry| !entry.favourite);
            found.into_iter().map(Entry::id).collect::<Vec<_>>()
        })
    });
    let count = Memo::new(move |_| app.read(|content| content.entries().len()));
    let announced = RwSignal::new(String::new());
    view! {
        <header class="bar">
            <h1 tabindex="-1">"Countersign"</h1>
            {move || app.ways().map(|_| view! {
                <button class="icon-button" aria-label=words.lock_now on:click=move |_| app.lock()>{icon(PADLOCK)}</button>
            })}
            <button id="to-settings" class="icon-button" aria-label=words.settings on:click=move |_| leave(app, "to-settings", Screen::Settings)>
                {icon(GEAR)}
            </button>
        </header>
        <main class="codes">
            {move || banners(app, words)}
            {move || (count.get() > 0).then(|| view! {
                <input
                    class="search"
                    type="search"
                    aria-label=words.search
                    placeholder=words.search
                    prop:value=move || sought.get()
                    on:input=move |event| sought.set(event_target_value(&event))
                />
            })}
            {move || chips(app, words, filter)}
            <ul class="cards" aria-label=words.codes>
                <For each=move || ids.get() key=|id| *id children=move |id| card(app, words, id, announced) />
            </ul>
            {move || match (count.get(), ids.with(Vec::is_empty)) {
                (0, _) => view! { <p class="empty">{words.no_codes}</p> }.into_any(),
                (_, true) => view! { <p class="empty">{words.nothing_found}</p> }.into_any(),
                _ => ().into_any(),
            }}
            <p class="unseen" role="status">{announced}</p>
        </main>
        <button id="to-add" class="fab" on:click=move |_| leave(app, "to-add", Screen::Add)>{icon(PLUS)}<span>{words.add}</span></button>
    }
    .into_any()
}

/// What needs the person's attention, on top of the codes.
fn banners(app: App, words: &'static Words) -> AnyView {
    let is_gone = |state| matches!(state, Some(State::Ended(_) | State::Unknown));
    let standing = app.standing.get();
    let gone =
        app.read(|content| content.entries().iter().filter(|entry| is_gone(standing.of(entry))).count());
    view! {
        {app.is_older.get().then(|| view! {
            <div class="warning">
                <p role="alert">{words.rollback}</p>
                <button class="button" on:click=move |_| app.is_older.set(false)>{words.rollback_known}</button>
            </div>
        })}
        {app.update.get().map(|_| view! {
            <button class="banner" on:click=move |_| app.go(Screen::About)>{words.update_there}</button>
        })}
        {server::correction(app).map(|text| view! {
            <button class="banner" on:click=move |_| {
                app.go(Screen::Settings);
                glue::reveal("clock");
            }>{text}</button>
        })}
        {(gone > 0).then(|| view! {
            <button class="banner" on:click=move |_| app.go(Screen::Enrolments)>
                {words.enrolments_gone.replace("{count}", &gone.to_string())}
            </button>
        })}
        {glue::can_install().then(|| view! {
            <button class="banner" on:click=move |_| app.spawn(async move {
                glue::install().await?;
                app.changed.update(|count| *count += 1);
                Ok(())
            })>{words.install}</button>
        })}
    }
    .into_any()
}

/// What was chosen, unless the last of that group or of the favourites is gone, and with it the button that chose them.
fn in_force(app: App, filter: RwSignal<Filter>) -> Filter {
    let filter = filter.get();
    let fits = app.read(|content| content.entries().iter().any(|entry| filter.takes(entry)));
    if fits { filter } else { Filter::All }
}

fn chips(app: App, words: &'static Words, filter: RwSignal<Filter>) -> Option<AnyView> {
    let groups = groups(app);
    let has_favourites = app.read(|content| content.entries().iter().any(|entry| entry.favourite));
    if groups.is_empty() && !has_favourites {
        return None;
    }
    let mut choices = vec![(words.all.to_owned(), Filter::All)];
    if has_favourites {
        choices.push((words.favourites.to_owned(), Filter::Favourites));
    }
    choices.extend(groups.into_iter().map(|group| (group.clone(), Filter::Group(group))));
    let chip = |(name, choice): (String, Filter)| {
        let chosen = choice.clone();
        view! {
            <button
                class="chip"
                dir="auto"
                aria-pressed=move || (in_force(app, filter) == choice).to_string()
                on:click=move |_| filter.set(chosen.clone())
            >
                {name}
            </button>
        }
    };
    Some(
        view! { <div class="chips" role="group" aria-label=words.groups>{choices.into_iter().map(chip).collect_view()}</div> }
            .into_any(),
    )
}

/// "123 456": groups of three or four, as they are read aloud.
pub(super) fn grouped(code: &str) -> String {
    let size = match code.len() {
        8 => 4,
        5 => 5,
        _ => 3,
    };
    let mut text = String::new();
    for (index, character) in code.chars().enumerate() {
        // Seven digits: three and four.
        if index > 0 && index % size == 0 && code.len() - index >= 3 {
            text.push(' ');
        }
        text.push(character);
    }
    text
}

/// "1 2 3, 4 5 6": so that a screen reader says digits and not a number.
fn spoken(code: &str) -> String {
    grouped(code)
        .split(' ')
        .map(|group| group.chars().map(String::from).collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}

fn card(app: App, words: &'static Words, id: EntryId, announced: RwSignal<String>) -> AnyView {
    let entry = Memo::new(move |_| entry_of(app, id));
    // Whether a code by counter is being made; the card is drawn anew when it is.
    let busy = RwSignal::new(false);
    view! {
        <li class="card">
            {move || entry.get().map(|entry| match entry.key.generator() {
                Generator::Hotp(..) => by_counter(app, words, &entry, busy, announced),
                Generator::Totp(_) | Generator::Steam => by_time(app, words, &entry),
            })}
        </li>
    }
    .into_any()
}

/// What a card says of its entry, and the way to the rest.
fn names(app: App, words: &'static Words, entry: &Entry) -> (AnyView, AnyView) {
    let (id, title) = (entry.id(), title_of(entry));
    let more = words.more_about.replace("{name}", &title);
    let asked = entry.clone();
    let flag = move || match app.standing.with(|standing| standing.of(&asked)) {
        Some(State::Ended(_) | State::Unknown) => {
            Some(view! { <span class="flag bad">{words.flag_ended}</span> })
        }
        Some(State::Pending) => Some(view! { <span class="flag">{words.flag_pending}</span> }),
        _ => None,
    };
    let text = view! {
        {badge(entry)}
        <span class="names">
            <span class="title" dir="auto">{title}</span>
            <span class="subtitle" dir="auto">{subtitle_of(entry)}</span>
            {flag}
        </span>
    };
    let to_more = ["to-", &id.to_string()].concat();
    let button = view! {
        <button id=to_more.clone() class="icon-button" aria-label=more on:click=move |_| leave(app, &to_more, Screen::Entry(id))>
            {icon(MORE)}
        </button>
    };
    (text.into_any(), button.into_any())
}

fn copy(app: App, code: String) {
    let seconds = app.settings.with_untracked(|settings| settings.clipboard_seconds);
    app.spawn(async move {
        glue::copy(&code, seconds).await.map_err(|_| crate::trouble::Trouble::new("clipboard"))?;
        glue::buzz();
        app.say(app.words().copied);
        Ok(())
    });
}

fn by_time(app: App, words: &'static Words, entry: &Entry) -> AnyView {
    let period = entry.key.period().map_or(30, mobile_core::Period::get);
    let timed = entry.clone();
    let is_corrected = Memo::new(move |_| app.is_corrected(&timed));
    let seconds = move || app.seconds(is_corrected.get());
    let step = Memo::new(move |_| seconds() / u64::from(period));
    #[expect(clippy::cast_possible_truncation, reason = "below the period")]
    let left = Memo::new(move |_| period - (seconds() % u64::from(period)) as u32);
    let key = entry.key.clone();
    let code_of = move |step: u64| key.code_at(step.saturating_mul(period.into())).as_str().to_owned();
    let next_of = code_of.clone();
    let code = Memo::new(move |_| code_of(step.get()));
    let is_last = Memo::new(move |_| left.get() <= NEXT_CODE_SECONDS.min(period / 3));
    let shown = RwSignal::new(!app.settings.with_untracked(|settings| settings.tap_to_reveal));
    // A code that was tapped open is hidden again with its step.
    Effect::new(move |before: Option<u64>| {
        let now = step.get();
        if before.is_some_and(|before| before != now)
            && app.settings.with_untracked(|settings| settings.tap_to_reveal)
        {
            shown.set(false);
        }
        now
    });
    let (text, more) = names(app, words, entry);
    let title = title_of(entry);
    let account = subtitle_of(entry);
    let label = move || {
        // Not with the seconds that are left: a name that changes each second is read out each second, or never to its end.
        let said = if shown.get() { spoken(&code.get()) } else { words.code_hidden.to_owned() };
        [title.as_str(), account.as_str(), said.as_str()].join(", ")
    };
    let tap = move || {
        if shown.get_untracked() {
            copy(app, code.get_untracked());
        } else {
            shown.set(true);
        }
    };
    view! {
        <button class="code-button" aria-label=label on:click=move |_| tap()>
            {text}
            <span class="code" class:ending=move || is_last.get()>
                {move || if shown.get() { grouped(&code.get()) } else { "••• •••".to_owned() }}
            </span>
            <span class="next">
                {move || (is_last.get() && shown.get()).then(|| {
                    words.next_code.replace("{code}", &grouped(&next_of(step.get() + 1)))
                })}
            </span>
        </button>
        {ring(words, left, period)}
        {more}
    }
    .into_any()
}

/// How much of the step is left, as a ring that closes. Whoever listens finds it beside the code; a timer says nothing by itself.
fn ring(words: &'static Words, left: Memo<u32>, period: u32) -> AnyView {
    let name = move || words.seconds_left.replace("{seconds}", &left.get().to_string());
    view! {
        <svg class="ring" class:ending=move || left.get() <= 5 viewBox="0 0 36 36" role="timer" aria-label=name focusable="false">
            <circle class="ring-back" cx="18" cy="18" r="15" />
            <circle
                class="ring-left"
                cx="18" cy="18" r="15"
                pathLength="100"
                stroke-dasharray="100"
                stroke-dashoffset=move || (100 - 100 * left.get() / period).to_string()
            />
            <text x="18" y="22.5" text-anchor="middle" aria-hidden="true">{move || left.get()}</text>
        </svg>
    }
    .into_any()
}

/// A counter's code is made by a tap, and the counter is stored before the code is seen. It is announced to whoever listens: the focus is on
/// the button that made it.
fn by_counter(
    app: App,
    words: &'static Words,
    entry: &Entry,
    busy: RwSignal<bool>,
    announced: RwSignal<String>,
) -> AnyView {
    let id = entry.id();
    let (text, more) = names(app, words, entry);
    let name = [title_of(entry), subtitle_of(entry)].join(", ");
    let made = Memo::new(move |_| app.counter_codes.with(|codes| codes.get(&id).cloned()));
    let asked = RwSignal::new(false);
    let advance = move || {
        // Two taps in a row want one code.
        if busy.get_untracked() {
            return;
        }
        let is_fresh = made.with_untracked(|made| {
            made.as_ref().is_some_and(|(_, at)| app.now.get_untracked() < at.saturating_add(FRESH_SECONDS))
        });
        if is_fresh && !asked.get_untracked() {
            asked.set(true);
            set_timeout(
                move || {
                    asked.try_set(false);
                },
                Duration::from_secs(5),
            );
            return;
        }
        asked.set(false);
        busy.set(true);
        app.spawn(async move {
            let made = app.new_counter_code(id).await;
            busy.try_set(false);
            announced.try_set(spoken(&made?));
            glue::buzz();
            Ok(())
        });
    };
    let label = {
        let name = name.clone();
        move || {
            let code = made.with(|made| made.as_ref().map_or(String::new(), |(code, _)| spoken(code)));
            [name.as_str(), code.as_str()].join(", ")
        }
    };
    view! {
        <button
            class="code-button"
            aria-label=label
            disabled=move || made.with(Option::is_none)
            on:click=move |_| {
                if let Some((code, _)) = made.get_untracked() {
                    copy(app, code);
                }
            }
        >
            {text}
            <span class="code">
                {move || made.get().map_or_else(|| "––– –––".to_owned(), |(code, _)| grouped(&code))}
            </span>
        </button>
        <button class="button advance" class:asked=move || asked.get() aria-label=[words.next_counter, " ", &name].concat() on:click=move |_| advance()>
            {move || if asked.get() { words.next_counter_sure } else { words.next_counter }}
        </button>
        {more}
    }
    .into_any()
}
