//! The screens, one file each, and the few pieces they share.

mod about;
mod add;
mod arrange;
mod enrolments;
mod entry;
mod export;
mod import;
mod list;
mod lock;
mod offered;
mod scan;
mod settings;
mod start;

pub(crate) use list::Look;

use std::pin::Pin;

use leptos::ev::SubmitEvent;
use leptos::html::Input;
use leptos::prelude::*;
use mobile_core::Zeroizing;
use mobile_core::vault::{Entry, EntryId};

use crate::app::{App, Phase, Screen};
use crate::trouble::Trouble;

/// The screen for this state of the app.
pub(crate) fn show(app: App, phase: &Phase, screen: Option<Screen>) -> AnyView {
    match phase {
        Phase::Starting => ().into_any(),
        Phase::Fresh => start::welcome(app),
        Phase::Locked(ways) => start::locked(app, ways),
        Phase::Unread => start::unread(app),
        Phase::Broken { trouble, has_previous } => start::broken(app, trouble, *has_previous),
        Phase::Open => match screen {
            None => list::show(app),
            Some(Screen::Add) => add::show(app),
            Some(Screen::Offered) => offered::show(app),
            Some(Screen::Scan) => scan::show(app),
            Some(Screen::Type) => add::by_hand(app),
            Some(Screen::Import) => import::show(app),
            Some(Screen::Export) => export::show(app),
            Some(Screen::Entry(id)) => entry::show(app, id),
            Some(Screen::Hand(id)) => export::hand(app, id),
            Some(Screen::Arrange) => arrange::show(app),
            Some(Screen::Enrolments) => enrolments::show(app),
            Some(Screen::Settings) => settings::show(app),
            Some(Screen::Lock) => lock::show(app),
            Some(Screen::About) => about::show(app),
        },
    }
}

/// Draws from nothing whenever what `look` looks at changes. Otherwise fields of the same kind would stay, with what was typed into
/// them for something else.
pub(crate) fn anew(look: impl Fn() + Send + 'static, draw: impl Fn() -> AnyView + Send + 'static) -> AnyView {
    by_turns(Box::new(look), Box::new(draw))
}

fn by_turns(look: Box<dyn Fn() + Send>, draw: Box<dyn Fn() -> AnyView + Send>) -> AnyView {
    let mut is_wrapped = false;
    // A view is made anew where it is of another kind than the one before.
    let view = move || {
        look();
        is_wrapped = !is_wrapped;
        let view = untrack(&draw);
        if is_wrapped { (view,).into_any() } else { view }
    };
    view.into_any()
}

/// A screen with a title and a way back. The title takes the focus, so that screen readers begin there.
fn page(app: App, title: &'static str, body: impl IntoView) -> AnyView {
    framed(app, title, body.into_any())
}

fn framed(app: App, title: &'static str, body: AnyView) -> AnyView {
    view! {
        <header class="bar">
            <button class="icon-button" aria-label=app.words().back on:click=move |_| app.back()>
                {icon(BACK)}
            </button>
            {heading(title)}
        </header>
        <main class="page">{body}</main>
    }
    .into_any()
}

fn heading(title: &'static str) -> AnyView {
    let heading = NodeRef::<leptos::html::H1>::new();
    Effect::new(move |_| {
        if let Some(heading) = heading.get() {
            let _ = heading.focus();
        }
    });
    view! { <h1 node_ref=heading tabindex="-1">{title}</h1> }.into_any()
}

const BACK: &str = "M15 5l-7 7 7 7";
const PLUS: &str = "M12 5v14M5 12h14";
const MORE: &str = "M5 12h.01M12 12h.01M19 12h.01";
const NEXT: &str = "M9 5l7 7-7 7";
const UP: &str = "M12 19V5M6 11l6-6 6 6";
const DOWN: &str = "M12 5v14M6 13l6 6 6-6";
const GRIP: &str = "M9 6h.01M15 6h.01M9 12h.01M15 12h.01M9 18h.01M15 18h.01";
const GEAR: &str = "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4";
const PADLOCK: &str = "M7 11V8a5 5 0 0110 0v3M6 11h12v9H6z";

/// A line drawing that screen readers pass over.
fn icon(path: &'static str) -> AnyView {
    view! {
        <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
            <path d=path />
        </svg>
    }
    .into_any()
}

/// A choice that leads somewhere, as wide as the screen.
fn row(title: &'static str, hint: &'static str, act: impl Fn() + 'static) -> AnyView {
    boxed_row(title, hint, Box::new(act))
}

fn boxed_row(title: &'static str, hint: &'static str, act: Box<dyn Fn()>) -> AnyView {
    view! {
        <button class="row" on:click=move |_| act()>
            <span class="row-text">
                <span class="row-title">{title}</span>
                <span class="row-hint">{hint}</span>
            </span>
            {icon(NEXT)}
        </button>
    }
    .into_any()
}

/// A passphrase that is typed; `fresh` for one that nobody knows yet.
fn passphrase_field(label: &'static str, id: &'static str, fresh: bool, field: NodeRef<Input>) -> AnyView {
    view! {
        <label class="field" for=id>
            <span>{label}</span>
            <input
                node_ref=field
                id=id
                type="password"
                required=true
                maxlength="256"
                autocapitalize="none"
                spellcheck="false"
                autocomplete=if fresh { "new-password" } else { "current-password" }
            />
        </label>
    }
    .into_any()
}

/// What password managers file a passphrase under.
fn filed_as(name: &'static str) -> AnyView {
    view! { <input type="text" autocomplete="username" value=name hidden=true /> }.into_any()
}

/// A secret that stands in a field. Ours is wiped; the field's own copy is the browser's.
fn secret_in(field: NodeRef<Input>) -> Zeroizing<String> {
    Zeroizing::new(typed(field))
}

/// What stands in a field.
fn typed(field: NodeRef<Input>) -> String {
    field.get_untracked().map(|field| field.value()).unwrap_or_default()
}

/// Takes away what was typed, where the fields are still there.
fn empty(fields: &[NodeRef<Input>]) {
    for field in fields {
        if let Some(field) = field.try_get_untracked().flatten() {
            field.set_value("");
        }
    }
}

/// Whether something takes its time, and what went wrong with it. Shown beside the button that began it.
#[derive(Clone, Copy)]
struct Work {
    app: App,
    busy: RwSignal<bool>,
    trouble: RwSignal<Option<Trouble>>,
}

impl Work {
    fn new(app: App) -> Self {
        Self { app, busy: RwSignal::new(false), trouble: RwSignal::new(None) }
    }

    /// Does one thing at a time.
    fn start(self, work: impl Future<Output = Result<(), Trouble>> + 'static) {
        self.run(Box::pin(work));
    }

    fn run(self, work: Pin<Box<dyn Future<Output = Result<(), Trouble>>>>) {
        if self.busy.get_untracked() {
            return;
        }
        self.busy.set(true);
        self.trouble.set(None);
        leptos::task::spawn_local(async move {
            let done = work.await;
            // The screen may be gone by now, and its signals with it.
            self.busy.try_set(false);
            if let Err(trouble) = done
                && !trouble.is_cancelled()
            {
                self.trouble.try_set(Some(trouble));
            }
        });
    }

    /// Whether the person has left the screen that it was begun on, whose signals went with it.
    fn is_left(self) -> bool {
        self.busy.try_get_untracked().is_none()
    }

    fn refuse(self, trouble: Trouble) {
        self.trouble.set(Some(trouble));
    }

    fn shown(self) -> AnyView {
        let words = self.app.words();
        view! {
            <p class="trouble" role="alert">
                {move || self.trouble.get().map(|trouble| trouble.say(words))}
            </p>
            <p class="busy" role="status">{move || self.busy.get().then_some(words.busy)}</p>
        }
        .into_any()
    }
}

/// What a form does instead of loading a page.
fn on_submit(act: impl Fn() + 'static) -> impl Fn(SubmitEvent) + 'static {
    move |event| {
        event.prevent_default();
        act();
    }
}

/// A button that asks once more before it does what cannot be undone.
fn sure(
    app: App,
    label: &'static str,
    question: &'static str,
    act: impl Fn() + Send + Sync + 'static,
) -> AnyView {
    boxed_sure(app, label, question, StoredValue::new(Box::new(act)))
}

fn boxed_sure(
    app: App,
    label: &'static str,
    question: &'static str,
    act: StoredValue<Box<dyn Fn() + Send + Sync>>,
) -> AnyView {
    let asked = RwSignal::new(false);
    let words = app.words();
    view! {
        <div class="sure">
            {move || {
                if asked.get() {
                    view! {
                        <p role="alert">{question}</p>
                        <button class="button danger" on:click=move |_| act.with_value(|act| act())>{label}</button>
                        <button class="button" on:click=move |_| asked.set(false)>{words.cancel}</button>
                    }
                    .into_any()
                } else {
                    view! {
                        <button class="button danger quiet" on:click=move |_| asked.set(true)>{label}</button>
                    }
                    .into_any()
                }
            }}
        </div>
    }
    .into_any()
}

/// What comes later, once it is there.
fn later<T: Send + Sync + 'static>(work: impl Future<Output = T> + 'static) -> RwSignal<Option<T>> {
    let answer = RwSignal::new(None);
    leptos::task::spawn_local(async move {
        let value = work.await;
        // The screen may be gone by now, and its signals with it.
        answer.try_set(Some(value));
    });
    answer
}

/// What an entry is called: the person's own name for it, or issuer and account.
fn title_of(entry: &Entry) -> String {
    entry
        .label
        .clone()
        .or_else(|| entry.key.issuer().map(Into::into))
        .unwrap_or_else(|| entry.key.account().into())
}

/// The second line: whose account it is, where the title does not say so.
fn subtitle_of(entry: &Entry) -> String {
    match (&entry.label, entry.key.issuer()) {
        (None, None) => String::new(),
        (Some(_), Some(issuer)) => [issuer, " · ", entry.key.account()].concat(),
        _ => entry.key.account().into(),
    }
}

/// A letter on a colour: the same for every account of an issuer.
fn badge(entry: &Entry) -> AnyView {
    let name = entry.key.issuer().unwrap_or_else(|| entry.key.account());
    let letters: String = name.split_whitespace().filter_map(|word| word.chars().next()).take(2).collect();
    let hue = name.bytes().fold(7_u32, |hue, byte| hue.wrapping_mul(31).wrapping_add(byte.into())) % 12;
    view! { <span class=format!("badge hue-{hue}") aria-hidden="true">{letters}</span> }.into_any()
}

/// The entry, or nothing where it is gone.
fn entry_of(app: App, id: EntryId) -> Option<Entry> {
    app.read(|content| content.entry(id).cloned())
}
