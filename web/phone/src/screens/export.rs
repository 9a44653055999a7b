//! Taking accounts away: sealed under a passphrase, in the open for other apps, or one by one as QR codes.

use core::fmt::Write as _;

use js_sys::Uint8Array;
use leptos::html::Input;
use leptos::prelude::*;
use mobile_core::transfer::{write_migration, write_uris};
use mobile_core::vault::EntryId;
use qrcode::QrCode;

use super::start::chosen;
use super::{Work, empty, entry_of, filed_as, on_submit, page, passphrase_field, sure, title_of};
use crate::app::App;
use crate::glue::{self, random};
use crate::trouble::Trouble;

pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let (first, second) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let sealed = move || match chosen(first, second) {
        Ok(text) => work.start(async move {
            let file = app.export_sealed(&text).await?;
            empty(&[first, second]);
            glue::download(
                &name_of("csvault"),
                "application/octet-stream",
                Uint8Array::from(file.as_slice()),
            );
            app.say(app.words().exported);
            Ok(())
        }),
        Err(trouble) => work.refuse(trouble),
    };
    let plain = move || {
        let text = app.peek(|content| Some(write_uris(content)));
        if let Some(text) = text {
            glue::download(&name_of("txt"), "text/plain", Uint8Array::from(text.as_bytes()));
            app.say(app.words().exported);
        }
    };
    let codes = RwSignal::new(false);
    view! {
        {page(app, words.export, view! {
            <section class="stack">
                <h2>{words.export_sealed}</h2>
                <p>{words.export_sealed_text}</p>
                <form class="stack" on:submit=on_submit(sealed)>
                    {filed_as("Countersign export")}
                {passphrase_field(words.passphrase_export, "export-new", true, first)}
                    {passphrase_field(words.passphrase_again, "export-again", true, second)}
                    {work.shown()}
                    <button class="button primary" disabled=move || work.busy.get()>{words.export_button}</button>
                </form>
            </section>
            <section class="stack">
                <h2>{words.export_plain}</h2>
                <p>{words.export_plain_text}</p>
                {sure(app, words.export_plain_button, words.export_plain_question, plain)}
            </section>
            <section class="stack">
                <h2>{words.export_google}</h2>
                <p>{words.export_google_text}</p>
                {sure(app, words.export_google_button, words.export_plain_question, move || codes.set(true))}
                {move || codes.get().then(|| migration(app))}
            </section>
        })}
    }
    .into_any()
}

/// `countersign-2026-11-25.ENDING`.
fn name_of(ending: &str) -> String {
    let now = String::from(js_sys::Date::new_0().to_iso_string());
    ["countersign-", now.get(..10).unwrap_or("export"), ".", ending].concat()
}

/// All accounts as Google Authenticator's QR codes, one after the other.
fn migration(app: App) -> AnyView {
    let words = app.words();
    let id = u32::from_be_bytes(random()) >> 1;
    let (codes, left_out) = app.peek(|content| Some(write_migration(content, id))).unwrap_or_default();
    let names: Vec<String> =
        app.peek(|content| left_out.iter().filter_map(|id| content.entry(*id).map(title_of)).collect());
    let (count, shown) = (codes.len(), RwSignal::new(0_usize));
    if count == 0 {
        return view! { <p class="trouble">{words.export_google_none}</p> }.into_any();
    }
    view! {
        <p role="status">
            {move || words.export_google_part
                .replace("{number}", &(shown.get() + 1).to_string())
                .replace("{count}", &count.to_string())}
        </p>
        {move || codes.get(shown.get()).map(|text| qr(app, text))}
        {(count > 1).then(|| view! {
            <div class="buttons">
                <button class="button" disabled=move || shown.get() == 0 on:click=move |_| shown.update(|shown| *shown -= 1)>{words.previous}</button>
                <button class="button" disabled=move || shown.get() + 1 == count on:click=move |_| shown.update(|shown| *shown += 1)>{words.next}</button>
            </div>
        })}
        {(!names.is_empty()).then(|| view! {
            <p class="warning">{words.export_google_left.replace("{names}", &names.join(", "))}</p>
        })}
    }
    .into_any()
}

/// A text as a QR code: dark on light in every theme, since not every reader knows the inverse.
fn qr(app: App, text: &str) -> AnyView {
    let words = app.words();
    let Ok(code) = QrCode::new(text) else {
        return view! { <p class="trouble">{Trouble::new("qr_too_long").say(words)}</p> }.into_any();
    };
    let width = code.width();
    let mut path = String::new();
    for (index, color) in code.to_colors().iter().enumerate() {
        if *color == qrcode::Color::Dark {
            // Writing to a string cannot fail.
            let _ = write!(path, "M{} {}h1v1h-1z", index % width, index / width);
        }
    }
    let side = width + 8;
    view! {
        <svg class="qr" role="img" aria-label=words.qr_code viewBox=format!("-4 -4 {side} {side}") shape-rendering="crispEdges">
            <rect x="-4" y="-4" width=side.to_string() height=side.to_string() fill="#fff" />
            <path d=path fill="#000" />
        </svg>
    }
    .into_any()
}

/// One account as a QR code, for another phone.
pub(super) fn hand(app: App, id: EntryId) -> AnyView {
    let words = app.words();
    let shown = RwSignal::new(false);
    view! {
        {page(app, words.hand, view! {
            <p>{words.hand_text}</p>
            {move || if shown.get() {
                entry_of(app, id).map(|entry| qr(app, &entry.key.to_uri())).into_any()
            } else {
                sure(app, words.hand_show, words.hand_question, move || shown.set(true))
            }}
        })}
    }
    .into_any()
}
