//! Before the vault is open: making one, unlocking it, and what to do with one that cannot be read.

use js_sys::Uint8Array;
use leptos::html::Input;
use leptos::prelude::*;
use mobile_core::Zeroizing;

use super::about::update_before;
use super::{Work, filed_as, heading, on_submit, passphrase_field, secret_in, sure};
use crate::app::App;
use crate::glue;
use crate::session::Ways;
use crate::trouble::Trouble;

/// The shortest new passphrase, in characters. A vault can be taken away and tried elsewhere, so short ones fall quickly.
pub(super) const MIN_PASSPHRASE: usize = 8;

/// The new passphrase of two fields, or why it is none.
pub(super) fn chosen(first: NodeRef<Input>, second: NodeRef<Input>) -> Result<Zeroizing<String>, Trouble> {
    let (first, second) = (secret_in(first), secret_in(second));
    if first.chars().count() < MIN_PASSPHRASE {
        Err(Trouble::new("passphrase_short"))
    } else if first != second {
        Err(Trouble::new("passphrase_differs"))
    } else {
        Ok(first)
    }
}

fn brand(title: &'static str) -> AnyView {
    view! {
        <img class="brand" src="icon.svg" alt="" width="72" height="72" />
        {heading(title)}
    }
    .into_any()
}

/// The first visit.
pub(super) fn welcome(app: App) -> AnyView {
    let words = app.words();
    let (first, second) = (NodeRef::new(), NodeRef::new());
    let work = Work::new(app);
    let create = move || match chosen(first, second) {
        Ok(text) => work.start(async move { app.create(Some(&text)).await }),
        Err(trouble) => work.refuse(trouble),
    };
    let open = RwSignal::new(false);
    let without = move || work.start(app.create(None));
    view! {
        <main class="page gate">
            {brand(words.welcome)}
            <p>{words.welcome_text}</p>
            <form on:submit=on_submit(create)>
                {filed_as("Countersign")}
                {passphrase_field(words.passphrase_new, "passphrase-new", true, first)}
                {passphrase_field(words.passphrase_again, "passphrase-again", true, second)}
                <p class="hint">{words.passphrase_hint}</p>
                {work.shown()}
                <button class="button primary" disabled=move || work.busy.get()>{words.create}</button>
            </form>
            <button class="link" aria-expanded=move || open.get().to_string() on:click=move |_| open.update(|open| *open = !*open)>
                {words.without_passphrase}
            </button>
            {move || open.get().then(|| view! {
                <div class="warning">
                    <p>{words.without_warning}</p>
                    {sure(app, words.without_accept, words.without_question, without)}
                </div>
            })}
        </main>
    }
    .into_any()
}

/// The lock.
pub(super) fn locked(app: App, ways: &Ways) -> AnyView {
    let words = app.words();
    let field = NodeRef::new();
    let work = Work::new(app);
    let unlock = move || {
        let text = secret_in(field);
        work.start(async move { app.unlock_by_passphrase(&text).await });
    };
    let by_device = move || work.start(app.unlock_by_device());
    view! {
        <main class="page gate">
            {brand(words.locked)}
            {(!ways.devices.is_empty()).then(|| view! {
                <button class="button primary" disabled=move || work.busy.get() on:click=move |_| by_device()>
                    {words.unlock_device}
                </button>
            })}
            {ways.passphrase.then(|| view! {
                <form on:submit=on_submit(unlock)>
                    {filed_as("Countersign")}
                {passphrase_field(words.passphrase, "passphrase", false, field)}
                    <button class="button primary" disabled=move || work.busy.get()>{words.unlock}</button>
                </form>
            })}
            {work.shown()}
            {update_before(app)}
        </main>
    }
    .into_any()
}

/// The storage did not answer, so that nobody knows what is in it: nothing is offered that would change it.
pub(super) fn unread(app: App) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let again = move || {
        work.start(async move {
            app.begin().await;
            Ok(())
        });
    };
    view! {
        <main class="page gate">
            {brand(words.unread)}
            <p>{words.unread_text}</p>
            <button class="button primary" disabled=move || work.busy.get() on:click=move |_| again()>{words.again}</button>
            {work.shown()}
            {update_before(app)}
        </main>
    }
    .into_any()
}

/// A file that cannot be read: nothing is thrown away before the person says so.
pub(super) fn broken(app: App, trouble: &Trouble, has_previous: bool) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let keep = move || {
        work.start(async move {
            let file = app.raw_file().await?;
            glue::download(
                "countersign-damaged.csvault",
                "application/octet-stream",
                Uint8Array::from(file.as_slice()),
            );
            Ok(())
        });
    };
    view! {
        <main class="page gate">
            {brand(words.broken)}
            <p class="trouble">{trouble.say(words)}</p>
            <p>{words.broken_text}</p>
            {has_previous.then(|| view! {
                <button class="button primary" on:click=move |_| work.start(app.restore())>{words.broken_restore}</button>
            })}
            <button class="button" on:click=move |_| keep()>{words.broken_download}</button>
            {sure(app, words.erase, words.erase_question, move || work.start(app.erase()))}
            {work.shown()}
            {update_before(app)}
        </main>
    }
    .into_any()
}
