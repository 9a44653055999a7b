//! Adding an account: from a link, a picture, the camera, another app's file, or by hand.

use js_sys::{Array, Uint8Array};
use leptos::html::{Input, Select};
use leptos::prelude::*;
use mobile_core::transfer::{Found, Import, Place, Status, read_uri};
use mobile_core::vault::{Entry, EntryId, Generator, Key};
use mobile_core::{Algorithm, Counter, Digits, Hotp, KeyUriError, Period, Secret, Totp, Zeroizing};
use wasm_bindgen::prelude::*;
use web_sys::{Blob, HtmlInputElement, ImageData};

use super::{Work, on_submit, page, row, secret_in, typed};
use crate::app::{App, Screen};
use crate::glue::{self, items, random, to_bytes};
use crate::trouble::Trouble;

/// The ways to add something.
pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let text = NodeRef::<Input>::new();
    let link = move || {
        let text = secret_in(text);
        work.start(take_text(work, text));
    };
    let take = move |pasted: JsValue| async move {
        match pasted.dyn_ref::<Blob>() {
            Some(picture) => take_picture(work, picture).await,
            None => take_text(work, Zeroizing::new(pasted.as_string().unwrap_or_default())).await,
        }
    };
    let paste = move || work.start(async move { take(glue::pasted().await?).await });
    // By the keyboard, without asking the browser for leave.
    let pasted = Closure::new(move |pasted| work.start(take(pasted)));
    glue::take_pastes(Some(&pasted));
    let pasted = StoredValue::new_local(pasted);
    on_cleanup(move || {
        glue::take_pastes(None);
        pasted.dispose();
    });
    view! {
        {page(app, words.add, view! {
            {row(words.add_scan, words.add_scan_hint, move || app.go(Screen::Scan))}
            {file_row(app, words.add_picture, words.add_picture_hint, "picture", "image/*", move |file| {
                work.start(async move { take_picture(work, &file).await });
            })}
            {row(words.add_paste, words.add_paste_hint, paste)}
            {row(words.add_type, words.add_type_hint, move || app.go(Screen::Type))}
            {row(words.add_import, words.add_import_hint, move || app.go(Screen::Import))}
            <form class="stack" on:submit=on_submit(link)>
                <label class="field" for="link">
                    <span>{words.add_link}</span>
                    <input node_ref=text id="link" type="text" autocomplete="off" autocapitalize="none" spellcheck="false" placeholder="otpauth://" required=true />
                </label>
                <button class="button" disabled=move || work.busy.get()>{words.add_link_button}</button>
            </form>
            {work.shown()}
        })}
    }
    .into_any()
}

/// A choice that opens the device's own picker of files.
pub(super) fn file_row(
    app: App,
    title: &'static str,
    hint: &'static str,
    id: &'static str,
    accept: &'static str,
    taken: impl Fn(web_sys::File) + 'static,
) -> AnyView {
    boxed_file_row(app, title, hint, id, accept, Box::new(taken))
}

fn boxed_file_row(
    app: App,
    title: &'static str,
    hint: &'static str,
    id: &'static str,
    accept: &'static str,
    taken: Box<dyn Fn(web_sys::File)>,
) -> AnyView {
    let picked = move |event: leptos::ev::Event| {
        app.end_absence();
        let input = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok());
        let Some(input) = input else { return };
        if let Some(file) = input.files().and_then(|files| files.get(0)) {
            taken(file);
        }
        // So that the same file can be chosen again.
        input.set_value("");
    };
    view! {
        <label class="row" for=id>
            <span class="row-text">
                <span class="row-title">{title}</span>
                <span class="row-hint">{hint}</span>
            </span>
            <input class="file" id=id type="file" accept=accept on:click=move |_| app.expect_absence() on:cancel=move |_: leptos::ev::Event| app.end_absence() on:change=picked />
            {super::icon(super::NEXT)}
        </label>
    }
    .into_any()
}

/// The texts of all QR codes in some pixels. `effort`: 0 for one frame of many, 1 for a picture of its own.
pub(super) async fn decode(pixels: &ImageData, effort: u8) -> Result<Vec<Zeroizing<String>>, Trouble> {
    let data = Uint8Array::new(&js_sys::Reflect::get(pixels, &"data".into()).unwrap_or_default());
    let buffer = data.buffer();
    let arguments = Array::of4(&data, &pixels.width().into(), &pixels.height().into(), &effort.into());
    let answer = glue::job("decode", arguments, Array::of1(&buffer)).await?;
    if answer.is_null() || answer.is_undefined() {
        return Ok(Vec::new());
    }
    Ok(items(&answer).iter().filter_map(JsValue::as_string).map(Zeroizing::new).collect())
}

/// The texts, one a line.
pub(super) fn lines_of(texts: &[Zeroizing<String>]) -> Zeroizing<String> {
    // Room for all of them, so that growing leaves no copies behind.
    let mut lines = Zeroizing::new(String::with_capacity(texts.iter().map(|text| text.len() + 1).sum()));
    for text in texts {
        lines.push_str(text);
        lines.push('\n');
    }
    lines
}

async fn take_picture(work: Work, file: &Blob) -> Result<(), Trouble> {
    let pixels: ImageData = glue::picture(file).await?.dyn_into().map_err(|_| Trouble::new("image"))?;
    let texts = decode(&pixels, 1).await?;
    if texts.is_empty() {
        return Err(Trouble::new("no_code"));
    }
    take_text(work, lines_of(&texts)).await
}

/// What a text is, if it is not what it should be.
fn not_an_account(text: &str) -> Trouble {
    let start: String = text.trim_start().chars().take(16).collect::<String>().to_ascii_lowercase();
    Trouble::new(if start.is_empty() {
        "text_empty"
    } else if start.starts_with("http:") || start.starts_with("https:") {
        "text_web"
    } else if start.starts_with("wifi:") {
        "text_wifi"
    } else if start.starts_with("begin:vcard") || start.starts_with("mecard:") {
        "text_contact"
    } else {
        "text_other"
    })
}

/// Adds what a QR code, the clipboard or a field holds: one account at once, several after a look at them.
pub(super) async fn take_text(work: Work, text: Zeroizing<String>) -> Result<(), Trouble> {
    take_import(work, read_text(work.app, text).await?).await
}

/// The accounts of a text with a link a line.
pub(super) async fn read_text(app: App, text: Zeroizing<String>) -> Result<Import, Trouble> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_uri = |line: &&str| line.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("otpauth"));
    if !lines.iter().any(is_uri) {
        return Err(not_an_account(&text));
    }
    let is_migration =
        |line: &&str| line.get(..18).is_some_and(|start| start.eq_ignore_ascii_case("otpauth-migration:"));
    if let [line] = lines.as_slice()
        && !is_migration(line)
    {
        // One without any name can be named by its owner, where it leads to.
        let (key, origin) = read_uri(line, &unnamed(app)).map_err(key_trouble)?;
        let mut entry = Entry::new(EntryId::new([0; 16]), key, 0);
        entry.origin = origin;
        return Ok(just(entry));
    }
    super::import::read(Uint8Array::from(text.as_bytes()), "uris", None).await
}

/// What an account is called that has no name, and no other one is.
fn unnamed(app: App) -> String {
    let mut name = app.words().unnamed.to_owned();
    while app.peek(|content| content.entries().iter().any(|entry| entry.key.account() == name)) {
        name.push('*');
    }
    name
}

/// A wrong key, by the part that is wrong.
pub(super) fn key_trouble(error: KeyUriError) -> Trouble {
    match error {
        KeyUriError::AccountColon => Trouble::new("key_account_colon"),
        error => Trouble::new(&["key_", error.field().as_str()].concat()),
    }
}

/// One account and nothing else.
fn just(entry: Entry) -> Import {
    Import { found: vec![Found { place: Place::Item(1), entry }], unread: Vec::new(), without_code: 0 }
}

/// Adds a single new account at once; everything else is shown first. Whoever has left the screen meanwhile has changed their mind: nothing
/// is added then, and nobody is led anywhere.
pub(super) async fn take_import(work: Work, read: Import) -> Result<(), Trouble> {
    let app = work.app;
    if work.is_left() {
        return Err(Trouble::new("cancelled"));
    }
    let preview = app.peek(|content| Some(read.clone().preview(content)));
    let preview = preview.ok_or_else(|| Trouble::new("cancelled"))?;
    match preview.items.as_slice() {
        [only] if preview.unread.is_empty() => match only.status {
            Status::New => {
                let now = glue::now_ms().unsigned_abs();
                let added = app
                    .change(|content| preview.apply(content, now, random, |item| item.status.usual()))
                    .await?;
                glue::buzz();
                app.say(app.words().added);
                leptos::task::spawn_local(async move {
                    let _ = crate::server::check_enrolments(app).await;
                });
                match added.first() {
                    // While it was being stored.
                    _ if work.is_left() => {}
                    Some(id) => app.turn(Screen::Entry(*id)),
                    None => app.leave_all(),
                }
                return Ok(());
            }
            Status::Duplicate(id) => {
                app.say(app.words().already_there);
                app.turn(Screen::Entry(id));
                return Ok(());
            }
            _ => {}
        },
        _ => {}
    }
    app.incoming.set(Some(read));
    app.turn(Screen::Import);
    Ok(())
}

/// Typing an account: the two names and the secret; the rest for those whose issuer asks for it.
pub(super) fn by_hand(app: App) -> AnyView {
    let words = app.words();
    let work = Work::new(app);
    let (issuer, account, secret) =
        (NodeRef::<Input>::new(), NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let (kind, algorithm, digits) =
        (NodeRef::<Select>::new(), NodeRef::<Select>::new(), NodeRef::<Select>::new());
    let (period, counter) = (NodeRef::<Input>::new(), NodeRef::<Input>::new());
    let chosen =
        |field: NodeRef<Select>| field.get_untracked().map(|field| field.value()).unwrap_or_default();
    let key = move || -> Result<Key, Trouble> {
        // Pages that show a secret part it by blanks of all kinds, which come along when it is copied.
        let typed_secret = secret_in(secret);
        let mut secret = Zeroizing::new(String::with_capacity(typed_secret.len()));
        secret.extend(
            typed_secret.chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{200b}' | '\u{feff}')),
        );
        let secret = Secret::parse(&secret).map_err(|_| Trouble::new("key_secret"))?;
        let algorithm = chosen(algorithm).parse::<Algorithm>().unwrap_or_default();
        let digits =
            chosen(digits).parse().ok().and_then(|digits| Digits::new(digits).ok()).unwrap_or_default();
        let generator = match chosen(kind).as_str() {
            "steam" => Generator::Steam,
            "hotp" => {
                let counter = typed(counter).trim().parse().map_err(|_| Trouble::new("key_counter"))?;
                Generator::Hotp(Hotp { algorithm, digits }, Counter::new(counter))
            }
            _ => {
                let period = typed(period).trim().parse().ok().and_then(|period| Period::new(period).ok());
                Generator::Totp(Totp {
                    algorithm,
                    digits,
                    period: period.ok_or_else(|| Trouble::new("key_period"))?,
                })
            }
        };
        let issuer = Some(typed(issuer).trim().to_owned()).filter(|issuer| !issuer.is_empty());
        Key::new(issuer, typed(account).trim().to_owned(), secret, generator).map_err(key_trouble)
    };
    let add = move || match key() {
        Ok(key) => work.start(take_import(work, just(Entry::new(EntryId::new([0; 16]), key, 0)))),
        Err(trouble) => work.refuse(trouble),
    };
    view! {
        {page(app, words.add_type, view! {
            <form class="stack" on:submit=on_submit(add)>
                {text_field(words.issuer, "issuer", "organization", false, issuer)}
                {text_field(words.account, "account", "off", true, account)}
                {text_field(words.secret, "secret", "off", true, secret)}
                <p class="hint">{words.secret_hint}</p>
                <details>
                    <summary>{words.advanced}</summary>
                    <div class="stack">
                        {select_field(words.kind, "kind", &[("totp", words.kind_totp), ("hotp", words.kind_hotp), ("steam", "Steam")], kind)}
                        {select_field(words.algorithm, "algorithm", &[("SHA1", "SHA-1"), ("SHA256", "SHA-256"), ("SHA512", "SHA-512")], algorithm)}
                        {select_field(words.digits, "digits", &[("6", "6"), ("7", "7"), ("8", "8")], digits)}
                        {number_field(words.period, "period", "30", period)}
                        {number_field(words.counter, "counter", "0", counter)}
                    </div>
                </details>
                {work.shown()}
                <button class="button primary" disabled=move || work.busy.get()>{words.add}</button>
            </form>
        })}
    }
    .into_any()
}

fn text_field(
    label: &'static str,
    id: &'static str,
    autocomplete: &'static str,
    required: bool,
    field: NodeRef<Input>,
) -> AnyView {
    view! {
        <label class="field" for=id>
            <span>{label}</span>
            <input node_ref=field id=id type="text" autocomplete=autocomplete autocapitalize="none" spellcheck="false" required=required dir="auto" />
        </label>
    }
    .into_any()
}

pub(super) fn number_field(
    label: &'static str,
    id: &'static str,
    value: &str,
    field: NodeRef<Input>,
) -> AnyView {
    view! {
        <label class="field" for=id>
            <span>{label}</span>
            <input node_ref=field id=id type="text" inputmode="numeric" autocomplete="off" value=value.to_owned() />
        </label>
    }
    .into_any()
}

fn select_field(
    label: &'static str,
    id: &'static str,
    choices: &[(&'static str, &'static str)],
    field: NodeRef<Select>,
) -> AnyView {
    let choices =
        choices.iter().map(|(value, name)| view! { <option value=*value>{*name}</option> }).collect_view();
    view! {
        <label class="field" for=id>
            <span>{label}</span>
            <select node_ref=field id=id>{choices}</select>
        </label>
    }
    .into_any()
}

/// The bytes of a file that was chosen.
pub(super) async fn bytes_of(file: &Blob) -> Result<Uint8Array, Trouble> {
    let value = glue::bytes(file).await.map_err(|_| Trouble::new("malformed"))?;
    Ok(Uint8Array::from(to_bytes(&value).as_slice()))
}
