//! Which release runs here, and taking another one.

use leptos::prelude::*;

use super::{Work, later, page};
use crate::app::App;
use crate::release;

pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let installed = later(release::installed());
    let look = move || {
        work.start(async move {
            release::look(app).await;
            Ok(())
        });
    };
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
            {move || match app.update.get() {
                None => view! {
                    <button class="button" disabled=move || work.busy.get() on:click=move |_| look()>{words.update_look}</button>
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
            <p class="hint">{words.about_trust}</p>
        })}
    }
    .into_any()
}
