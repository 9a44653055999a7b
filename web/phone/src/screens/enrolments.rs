//! Which of this server's enrolments still count: after a reset by an administrator, the old one is dead weight.

use leptos::prelude::*;
use mobile_core::vault::{Entry, EntryId};

use super::entry::date;
use super::{Work, page, subtitle_of, sure, title_of};
use crate::app::{App, Screen};
use crate::server::{self, State};

pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let check = move || {
        work.start(async move {
            let offset = server::check_clock(app).await?;
            server::check_enrolments(app).await?;
            app.say(server::clock_words(app, offset));
            Ok(())
        });
    };
    check();
    let deleting = Work::new(app);
    let remove = move |id: EntryId| {
        deleting.start(async move {
            app.change(|content| content.remove(id).map(drop)).await?;
            app.say(app.words().deleted);
            Ok(())
        });
    };
    let list = move || {
        let standing = app.standing.get();
        let mine: Vec<Entry> = app.read(|content| {
            content.entries().iter().filter(|entry| standing.may_have_enrolled(entry)).cloned().collect()
        });
        if mine.is_empty() {
            return view! { <p class="empty">{words.enrolments_none}</p> }.into_any();
        }
        let item = |entry: Entry| {
            let id = entry.id();
            let state = standing.of(&entry);
            let text = match state {
                Some(State::Active) => words.server_active.to_owned(),
                Some(State::Pending) => words.server_pending.to_owned(),
                Some(State::Ended(at)) => words.server_ended.replace("{date}", &date(at)),
                Some(State::Unknown) => words.server_unknown.to_owned(),
                None => words.server_not_asked.to_owned(),
            };
            let is_gone = matches!(state, Some(State::Ended(_) | State::Unknown));
            view! {
                <li class="enrolment" class:bad=is_gone>
                    <span class="names">
                        <span class="title" dir="auto">{title_of(&entry)}</span>
                        <span class="subtitle" dir="auto">{subtitle_of(&entry)}</span>
                        <span class="row-hint">{text}</span>
                    </span>
                    {is_gone.then(|| sure(app, words.delete, words.delete_dead_question, move || remove(id)))}
                    {(state == Some(State::Pending)).then(|| view! {
                        <button class="button" on:click=move |_| app.go(Screen::Entry(id))>{words.confirm}</button>
                    })}
                </li>
            }
            .into_any()
        };
        view! { <ul class="items">{mine.into_iter().map(item).collect_view()}</ul> }.into_any()
    };
    view! {
        {page(app, words.enrolments, view! {
            <p>{words.enrolments_text}</p>
            <p class="hint" dir="auto">{move || app.standing.get().issuer}</p>
            {list}
            {deleting.shown()}
            {work.shown()}
            <button class="button" disabled=move || work.busy.get() on:click=move |_| check()>{words.check}</button>
        })}
    }
    .into_any()
}
