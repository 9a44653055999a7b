//! One account: its names, what it is made of, how it stands at the server, and its end.

use leptos::html::{Input, Textarea};
use leptos::prelude::*;
use mobile_core::vault::{Entry, EntryId, Generator, Key};
use mobile_core::{Counter, Zeroizing};

use super::add::number_field;
use super::list::{grouped, groups};
use super::{Work, badge, entry_of, on_submit, page, row, subtitle_of, sure, title_of, typed};
use crate::app::{App, Screen};
use crate::server::{self, State};
use crate::trouble::Trouble;
use crate::words::Words;

pub(super) fn show(app: App, id: EntryId) -> AnyView {
    let words = app.words();
    let Some(entry) = untrack(|| entry_of(app, id)) else {
        return page(app, words.account, view! { <p class="empty">{words.gone}</p> });
    };
    let work = Work::new(app);
    let deleting = Work::new(app);
    let delete = move || {
        // A second tap, while the first leads back.
        if app.peek(|content| content.entry(id).is_none()) {
            return;
        }
        deleting.start(async move {
            app.change(|content| content.remove(id).map(drop)).await?;
            app.say(app.words().deleted);
            if !deleting.is_left() {
                app.back();
            }
            Ok(())
        });
    };
    view! {
        {page(app, words.account, view! {
            {move || entry_of(app, id).map(|entry| who(&entry))}
            {live(app, entry.clone())}
            {move || at_server(app, words, id, work)}
            {names(app, words, &entry)}
            {row(words.hand, words.hand_hint, move || app.go(Screen::Hand(id)))}
            {facts(words, &entry)}
            {sure(app, words.delete, words.delete_question, delete)}
            {deleting.shown()}
        })}
    }
    .into_any()
}

/// Whose account it is.
pub(super) fn who(entry: &Entry) -> AnyView {
    view! {
        <div class="who">
            {badge(entry)}
            <span class="names">
                <span class="title" dir="auto">{title_of(entry)}</span>
                <span class="subtitle" dir="auto">{subtitle_of(entry)}</span>
            </span>
        </div>
    }
    .into_any()
}

/// The present code; one by counter is made in the list, where making it is deliberate.
fn live(app: App, entry: Entry) -> Option<AnyView> {
    let period = u64::from(entry.key.period()?.get());
    if app.settings.with_untracked(|settings| settings.tap_to_reveal) {
        return None;
    }
    let code = Memo::new(move |_| {
        let seconds = app.seconds(app.is_corrected(&entry));
        entry.key.code_at(seconds / period * period).as_str().to_owned()
    });
    Some(view! { <p class="code big">{move || grouped(&code.get())}</p> }.into_any())
}

/// What the server says of this account, where it enrolled it.
fn at_server(app: App, words: &'static Words, id: EntryId, work: Work) -> Option<AnyView> {
    let standing = app.standing.get();
    let entry = entry_of(app, id)?;
    let origin = entry.origin.clone()?;
    if !standing.may_have_enrolled(&entry) {
        let text = words.server_other.replace("{server}", &origin.issuer);
        return Some(view! { <p class="hint" dir="auto">{text}</p> }.into_any());
    }
    let check = move || {
        work.start(async move {
            let offset = server::check_clock(app).await?;
            server::check_enrolments(app).await?;
            app.say(server::clock_words(app, offset));
            Ok(())
        });
    };
    let confirm = move || {
        work.start(async move {
            server::check_clock(app).await?;
            server::confirm(app, id).await?;
            app.say(app.words().confirmed);
            Ok(())
        });
    };
    let (text, is_bad) = match standing.of(&entry) {
        Some(State::Active) => (words.server_active.to_owned(), false),
        Some(State::Pending) => (words.server_pending.to_owned(), false),
        Some(State::Ended(at)) => (words.server_ended.replace("{date}", &date(at)), true),
        Some(State::Unknown) => (words.server_unknown.to_owned(), true),
        None => (words.server_not_asked.to_owned(), false),
    };
    Some(
        view! {
            <section class="stack server" class:bad=is_bad>
                <h2>{words.server}</h2>
                <p class="hint" dir="auto">{origin.issuer}</p>
                <p role="status">{text}</p>
                {(standing.of(&entry) == Some(State::Pending)).then(|| view! {
                    <button class="button primary" disabled=move || work.busy.get() on:click=move |_| confirm()>{words.confirm}</button>
                })}
                <button class="button" disabled=move || work.busy.get() on:click=move |_| check()>{words.check}</button>
                {work.shown()}
            </section>
        }
        .into_any(),
    )
}

/// A moment in the person's own way of writing it.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact for 285,000 years")]
pub(super) fn date(unix_ms: i64) -> String {
    js_sys::Date::new(&(unix_ms as f64).into())
        .to_locale_date_string("default", &wasm_bindgen::JsValue::UNDEFINED)
        .into()
}

fn names(app: App, words: &'static Words, entry: &Entry) -> AnyView {
    let id = entry.id();
    let work = Work::new(app);
    let (label, group) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let (counter, note) = (NodeRef::<Input>::new(), NodeRef::<Textarea>::new());
    let favourite = NodeRef::<Input>::new();
    let counter_of = |entry: &Entry| match entry.key.generator() {
        Generator::Hotp(_, counter) => Some(counter.get().to_string()),
        _ => None,
    };
    let filled = StoredValue::new(counter_of(entry));
    // A code may be used up while the page is open: the field follows, unless somebody has typed another number.
    Effect::new(move |_| {
        let now = entry_of(app, id).as_ref().and_then(counter_of);
        if let (Some(now), Some(field)) = (now, counter.get())
            && (filled.with_value(|filled| filled.as_ref() == Some(&field.value())) || field.value() == now)
        {
            field.set_value(&now);
            filled.set_value(Some(now));
        }
    });
    let save = move || {
        let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        // What was only filled in is not set: it may be a counter that was used up meanwhile.
        let counter = Some(typed(counter))
            .filter(|typed| filled.with_value(|filled| filled.as_ref().is_some_and(|filled| filled != typed)))
            .map(|typed| typed.trim().parse::<u64>().map(Counter::new));
        let (label, group) = (some(typed(label)), some(typed(group)));
        let note = Zeroizing::new(note.get_untracked().map(|note| note.value()).unwrap_or_default());
        let favourite = favourite.get_untracked().is_some_and(|favourite| favourite.checked());
        let Ok(counter) = counter.transpose() else {
            work.refuse(Trouble::new("key_counter"));
            return;
        };
        work.start(async move {
            app.change(|content| {
                let Some(mut entry) = content.entry(id).cloned() else { return Ok(()) };
                if let (Some(counter), Generator::Hotp(hotp, _)) = (counter, entry.key.generator())
                    && let Ok(key) = Key::new(
                        entry.key.issuer().map(Into::into),
                        entry.key.account().into(),
                        entry.key.secret().clone(),
                        Generator::Hotp(hotp, counter),
                    )
                {
                    entry.key = key;
                }
                entry.label = label;
                entry.group = group;
                entry.note = note;
                entry.favourite = favourite;
                content.replace(entry)
            })
            .await?;
            if counter.is_some() {
                // Of another counter than the one that was set.
                app.counter_codes.update(|codes| drop(codes.remove(&id)));
            }
            app.say(app.words().saved);
            Ok(())
        });
    };
    let known = untrack(|| groups(app))
        .into_iter()
        .map(|group| view! { <option value=group></option> })
        .collect_view();
    view! {
        <form class="stack" on:submit=on_submit(save)>
            <label class="field" for="label">
                <span>{words.label}</span>
                <input node_ref=label id="label" type="text" maxlength="200" autocomplete="off" dir="auto" value=entry.label.clone() placeholder=title_of(entry) />
            </label>
            <label class="field" for="group">
                <span>{words.group}</span>
                <input node_ref=group id="group" type="text" maxlength="200" autocomplete="off" dir="auto" list="known-groups" value=entry.group.clone() />
                <datalist id="known-groups">{known}</datalist>
            </label>
            <label class="check" for="favourite">
                <input node_ref=favourite id="favourite" type="checkbox" checked=entry.favourite />
                <span>{words.favourite}</span>
            </label>
            <label class="field" for="note">
                <span>{words.note}</span>
                <textarea node_ref=note id="note" rows="2" maxlength="8000" dir="auto" prop:value=entry.note.to_string()></textarea>
            </label>
            {filled.get_value().map(|at| number_field(words.counter, "entry-counter", &at, counter))}
            {work.shown()}
            <button class="button" disabled=move || work.busy.get()>{words.save}</button>
        </form>
    }
    .into_any()
}

/// How its codes are made.
pub(super) fn made(words: &'static Words, entry: &Entry) -> String {
    match entry.key.generator() {
        Generator::Totp(totp) => words
            .made_totp
            .replace("{algorithm}", totp.algorithm.as_str())
            .replace("{digits}", &totp.digits.get().to_string())
            .replace("{period}", &totp.period.get().to_string()),
        Generator::Hotp(hotp, _) => words
            .made_hotp
            .replace("{algorithm}", hotp.algorithm.as_str())
            .replace("{digits}", &hotp.digits.get().to_string()),
        Generator::Steam => "Steam".to_owned(),
    }
}

fn facts(words: &'static Words, entry: &Entry) -> AnyView {
    let created = words.created.replace("{date}", &date(i64::try_from(entry.created).unwrap_or(i64::MAX)));
    view! { <p class="hint">{made(words, entry)}" · "{created}</p> }.into_any()
}
