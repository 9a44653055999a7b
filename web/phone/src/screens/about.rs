//! Which release runs here, and taking another one.

use leptos::prelude::*;

use super::{Work, later, page};
use crate::app::App;
use crate::release;

pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    let installed = later(release::installed());
    view! {
        {page(app, words.about, view! {
            <p>{words.about_text}</p>
            <dl class="facts">
                {move || match installed.get() {
                    None => ().into_any(),
                    Some(None) => view! { <dt>{words.version}</dt><dd>{words.not_installed}</dd> }.into_any(),
                    Some(Some((version, build))) => view! {
                        <dt>{words.version}</dt><dd>{version}</dd>
                        <dt>{words.build}</dt><dd class="hash">{build}</dd>
                    }
                    .into_any(),
                }}
            </dl>
            {update(app, RwSignal::new(true))}
            <p class="hint">{words.about_trust}</p>
        })}
    }
    .into_any()
}

/// The same before the vault is open: a vault that this release cannot read may be read by the next.
pub(super) fn update_before(app: App) -> AnyView {
    update(app, RwSignal::new(false))
}

/// Looking for another release, and taking it. Not `open`, it is a line that can be opened.
fn update(app: App, open: RwSignal<bool>) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let look = move || work.start(release::find(app));
    let class = move || if open.get() { "button" } else { "link" };
    view! {
        {move || match app.update.get() {
            None => view! {
                <button class=class disabled=move || work.busy.get() on:click=move |_| look()>{words.update_look}</button>
            }
            .into_any(),
            Some(_) if !open.get() => view! {
                <button class="link" on:click=move |_| open.set(true)>{words.update_there}</button>
            }
            .into_any(),
            Some((version, build)) => {
                let accepted = build.clone();
                view! {
                    <section class="stack">
                        <h2>{words.update_there}</h2>
                        <dl class="facts">
                            <dt>{words.version}</dt><dd>{version}</dd>
                            <dt>{words.build}</dt><dd class="hash">{build}</dd>
                        </dl>
                        <p>{words.update_text}</p>
                        <button class="button primary" disabled=move || work.busy.get() on:click=move |_| {
                            work.start(release::accept(app, accepted.clone()));
                        }>{words.update_accept}</button>
                    </section>
                }
                .into_any()
            }
        }}
        {work.shown()}
    }
    .into_any()
}
