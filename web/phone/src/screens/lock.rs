//! What opens the vault: the passphrase, and the device's own lock.

use leptos::html::Input;
use leptos::prelude::*;

use super::start::chosen;
use super::{Work, anew, empty, filed_as, later, on_submit, page, passphrase_field, secret_in, sure};
use crate::app::App;
use crate::glue;

pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    // Not with every change of the vault: something may be half typed.
    let ways = Memo::new(move |_| app.ways());
    let body = move || {
        let ways = ways.get_untracked();
        let knows = ways.as_ref().is_some_and(|ways| ways.passphrase);
        view! {
            {passphrase(app, knows)}
            {match ways {
                None => view! { <p class="warning">{words.lock_none}</p> }.into_any(),
                Some(ways) => device(app, ways.devices.len()),
            }}
            {knows.then(|| without(app))}
        }
        .into_any()
    };
    page(app, words.lock_screen, anew(move || ways.track(), body))
}

fn passphrase(app: App, knows: bool) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let old = NodeRef::<Input>::new();
    let (first, second) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let set = move || match chosen(first, second) {
        Ok(text) => {
            let known = secret_in(old);
            work.start(async move {
                app.set_passphrase(&known, &text).await?;
                empty(&[old, first, second]);
                app.say(app.words().saved);
                Ok(())
            });
        }
        Err(trouble) => work.refuse(trouble),
    };
    view! {
        <section class="stack">
            <h2>{if knows { words.passphrase_change } else { words.passphrase_set }}</h2>
            <form class="stack" on:submit=on_submit(set)>
                {filed_as("Countersign")}
                {knows.then(|| passphrase_field(words.passphrase_old, "passphrase-old", false, old))}
                {passphrase_field(words.passphrase_new, "passphrase-new", true, first)}
                {passphrase_field(words.passphrase_again, "passphrase-again", true, second)}
                <p class="hint">{words.passphrase_hint}</p>
                {work.shown()}
                <button class="button primary" disabled=move || work.busy.get()>{words.save}</button>
            </form>
        </section>
    }
    .into_any()
}

fn device(app: App, count: usize) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let available = later(async { glue::device_available().await.is_ok_and(|answer| answer.is_truthy()) });
    let add = move || {
        work.start(async move {
            app.add_device().await?;
            app.say(app.words().saved);
            Ok(())
        });
    };
    view! {
        <section class="stack">
            <h2>{words.device}</h2>
            <p>{words.device_text}</p>
            {move || (available.get() == Some(false)).then(|| view! { <p class="hint">{words.device_missing}</p> })}
            {if count == 0 {
                view! {
                    <button class="button" disabled=move || work.busy.get() on:click=move |_| add()>{words.device_add}</button>
                }
                .into_any()
            } else {
                sure(app, words.device_remove, words.device_remove_question, move || work.start(app.remove_devices()))
            }}
            {work.shown()}
        </section>
    }
    .into_any()
}

fn without(app: App) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let (old, open) = (NodeRef::<Input>::new(), RwSignal::new(false));
    let remove = move || {
        let old = secret_in(old);
        work.start(async move {
            app.remove_lock(&old).await?;
            app.say(app.words().saved);
            Ok(())
        });
    };
    view! {
        <section class="stack">
            <button class="link" aria-expanded=move || open.get().to_string() on:click=move |_| open.update(|open| *open = !*open)>
                {words.lock_remove}
            </button>
            {move || open.get().then(|| view! {
                <div class="warning">
                    <p>{words.without_warning}</p>
                    <form class="stack" on:submit=on_submit(remove)>
                        {filed_as("Countersign")}
                {passphrase_field(words.passphrase_old, "passphrase-remove", false, old)}
                        {work.shown()}
                        <button class="button danger" disabled=move || work.busy.get()>{words.lock_remove}</button>
                    </form>
                </div>
            })}
        </section>
    }
    .into_any()
}
