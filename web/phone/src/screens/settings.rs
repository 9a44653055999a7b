//! The settings.

use leptos::prelude::*;

use super::{page, row, sure};
use crate::app::{App, Screen};
use crate::server;
use crate::settings::{Settings, Theme};
use crate::words::Language;

pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    let seconds = |value: u32, name: &str| (value.to_string(), name.to_owned());
    let minutes = |count: u32| (count * 60).to_string();
    let lock_choices = vec![
        (minutes(1), words.minutes.replace("{count}", "1")),
        (minutes(5), words.minutes.replace("{count}", "5")),
        (minutes(15), words.minutes.replace("{count}", "15")),
        seconds(0, words.never),
    ];
    let clipboard_choices = vec![
        ("20".to_owned(), words.seconds.replace("{count}", "20")),
        ("45".to_owned(), words.seconds.replace("{count}", "45")),
        ("120".to_owned(), words.seconds.replace("{count}", "120")),
        seconds(0, words.never),
    ];
    let themes = Theme::ALL.map(|theme| {
        let name = match theme {
            Theme::Device => words.theme_device,
            Theme::Light => words.theme_light,
            Theme::Dark => words.theme_dark,
        };
        (theme.code().to_owned(), name.to_owned())
    });
    let languages = Language::ALL.map(|language| (language.code().to_owned(), language.name().to_owned()));
    view! {
        {page(app, words.settings, view! {
            {row(words.lock_screen, words.lock_screen_hint, move || app.go(Screen::Lock))}
            {row(words.enrolments, words.enrolments_hint, move || app.go(Screen::Enrolments))}
            {row(words.arrange, words.arrange_hint, move || app.go(Screen::Arrange))}
            {row(words.import, words.import_hint, move || app.go(Screen::Import))}
            {row(words.export, words.export_hint, move || app.go(Screen::Export))}
            {row(words.about, words.about_hint, move || app.go(Screen::About))}
            <section class="stack">
                {choice(app, words.language, "language", languages.into(), |settings| settings.language.code().to_owned(), |settings, value| {
                    settings.language = Language::of(value);
                })}
                {choice(app, words.theme, "theme", themes.into(), |settings| settings.theme.code().to_owned(), |settings, value| {
                    settings.theme = Theme::ALL.into_iter().find(|theme| theme.code() == value).unwrap_or(Theme::Device);
                })}
                {choice(app, words.lock_after, "lock-after", lock_choices, |settings| settings.lock_seconds.to_string(), |settings, value| {
                    settings.lock_seconds = value.parse().unwrap_or_default();
                })}
                {check(app, words.lock_hidden, "lock-hidden", |settings| settings.lock_when_hidden, |settings, on| settings.lock_when_hidden = on)}
                {check(app, words.reveal, "reveal", |settings| settings.tap_to_reveal, |settings, on| settings.tap_to_reveal = on)}
                {choice(app, words.clipboard, "clipboard", clipboard_choices, |settings| settings.clipboard_seconds.to_string(), |settings, value| {
                    settings.clipboard_seconds = value.parse().unwrap_or_default();
                })}
            </section>
            <section class="stack" id="clock">
                <h2>{words.clock}</h2>
                <p>{move || {
                    let offset = app.settings.with(|settings| settings.clock_offset_ms);
                    server::clock_words(app, offset)
                }}</p>
                <p class="hint">{words.clock_text}</p>
                {check(app, words.clock_all, "correct-all", |settings| settings.correct_all, |settings, on| settings.correct_all = on)}
                <button class="button" on:click=move |_| app.spawn(async move {
                    let offset = server::check_clock(app).await?;
                    app.say(server::clock_words(app, offset));
                    Ok(())
                })>{words.clock_check}</button>
            </section>
            <section class="stack">
                <h2>{words.storage}</h2>
                <p>{move || if app.is_kept.get() { words.storage_kept } else { words.storage_may_go }}</p>
                {sure(app, words.erase, words.erase_question, move || app.spawn(app.erase()))}
            </section>
        })}
    }
    .into_any()
}

fn choice(
    app: App,
    label: &'static str,
    id: &'static str,
    choices: Vec<(String, String)>,
    get: fn(&Settings) -> String,
    set: fn(&mut Settings, &str),
) -> AnyView {
    // Another window may set it, too.
    let chosen = app.settings.with_untracked(get);
    let options = choices
        .into_iter()
        .map(|(value, name)| {
            let is_chosen = value == chosen;
            view! { <option value=value selected=is_chosen>{name}</option> }
        })
        .collect_view();
    view! {
        <label class="field" for=id>
            <span>{label}</span>
            <select
                id=id
                prop:value=move || app.settings.with(get)
                on:change=move |event| {
                    let value = event_target_value(&event);
                    app.settings.update(|settings| set(settings, &value));
                }
            >
                {options}
            </select>
        </label>
    }
    .into_any()
}

fn check(
    app: App,
    label: &'static str,
    id: &'static str,
    get: fn(&Settings) -> bool,
    set: fn(&mut Settings, bool),
) -> AnyView {
    view! {
        <label class="check" for=id>
            <input id=id type="checkbox" prop:checked=move || app.settings.with(get) on:change=move |event| {
                let on = event_target_checked(&event);
                app.settings.update(|settings| set(settings, on));
            } />
            <span>{label}</span>
        </label>
    }
    .into_any()
}
