//! What a link has brought here: any page can make one, so the account is shown, and added only when the person says so.

use leptos::prelude::*;
use mobile_core::transfer::{Import, Status};

use super::add::{read_text, take_import};
use super::entry::{made, who};
use super::{Work, page};
use crate::app::App;

pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let offered = RwSignal::new(None::<Import>);
    Effect::new(move |_| {
        offered.set(None);
        let Some(text) = app.handed.get() else { return };
        work.start(async move {
            let read = read_text(app, text).await?;
            let is_new = app.peek(|content| {
                let preview = read.clone().preview(content);
                preview.unread.is_empty()
                    && matches!(preview.items.as_slice(), [only] if only.status == Status::New)
            });
            if is_new {
                offered.try_set(Some(read));
                return Ok(());
            }
            // This adds nothing: it leads to the account that is there, or to a choice.
            take_import(work, read).await
        });
    });
    on_cleanup(move || app.handed.set(None));
    let question = move || {
        let read = offered.get()?;
        let entry = read.found.first()?.entry.clone();
        let server =
            entry.origin.as_ref().map(|origin| words.offered_server.replace("{server}", &origin.issuer));
        let add = move || work.start(take_import(work, read.clone()));
        Some(view! {
            {who(&entry)}
            <p class="hint">{made(words, &entry)}</p>
            {server.map(|server| view! { <p class="hint" dir="auto">{server}</p> })}
            <p class="warning">{words.offered_text}</p>
            <button class="button primary" disabled=move || work.busy.get() on:click=move |_| add()>{words.add}</button>
        }
        .into_any())
    };
    view! {
        {page(app, words.offered, view! {
            {question}
            {work.shown()}
            <button class="button" on:click=move |_| app.back()>{words.cancel}</button>
        })}
    }
    .into_any()
}
