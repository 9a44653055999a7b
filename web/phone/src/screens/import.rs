//! Another app's file: what is in it, what it would do, and doing it. The worker reads; nothing is added unseen.

use js_sys::{Array, Uint8Array};
use leptos::html::{Input, Select};
use leptos::prelude::*;
use mobile_core::Zeroizing;
use mobile_core::transfer::{Choice, Format, Import, Item, MAX_BYTES, Place, Preview, Reason, Status};
use wasm_bindgen::JsValue;

use super::add::{bytes_of, file_row};
use super::{Work, anew, filed_as, on_submit, page, passphrase_field, secret_in, subtitle_of, title_of};
use crate::app::App;
use crate::glue::{self, items, random, to_bytes};
use crate::trouble::Trouble;
use crate::words::Words;

/// The largest file, [`MAX_BYTES`].
#[expect(clippy::cast_precision_loss, reason = "a few megabytes")]
const MOST_BYTES: f64 = MAX_BYTES as f64;

/// Reads a file in the worker. An empty format has it guessed.
pub(super) async fn read(file: Uint8Array, format: &str, password: Option<&str>) -> Result<Import, Trouble> {
    // A vault's passphrase has one form, whichever keyboard it was typed on; other apps take theirs as it comes.
    let is_vault = match format {
        "" => file.subarray(0, 8).to_vec() == b"csvault\n",
        _ => format == Format::Vault.code(),
    };
    let password = password.map_or(JsValue::UNDEFINED, |password| {
        if is_vault { Zeroizing::new(glue::composed(password)).as_str().into() } else { password.into() }
    });
    let answer = glue::job("read_import", Array::of3(&file, &format.into(), &password), Array::new()).await;
    let answer = answer.map_err(|error| of_file(error.into()))?;
    // Whose file it was, and what is in it.
    let json = Zeroizing::new(items(&answer).get(1).map(to_bytes).unwrap_or_default());
    Import::from_json(&json).map_err(|_| Trouble::new("crashed"))
}

/// A refusal that a vault has by the same name, as people are told it of a file.
fn of_file(trouble: Trouble) -> Trouble {
    match trouble.code() {
        "too_large" => Trouble::new("file_too_large"),
        "version_unknown" => Trouble::new("file_version"),
        "not_opened" => Trouble::new("file_not_opened"),
        _ => trouble,
    }
}

/// Choosing a file, and then what of it.
pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    // What was not taken is not kept.
    on_cleanup(move || app.incoming.set(None));
    let body = move || match app.incoming.get_untracked() {
        Some(read) => {
            let preview = app.peek(|content| Some(read.preview(content)));
            preview.map(|preview| choose(app, words, preview)).into_any()
        }
        None => pick(app, words),
    };
    page(app, words.import, anew(move || app.incoming.track(), body))
}

fn pick(app: App, words: &'static Words) -> AnyView {
    let work = Work::new(app);
    let format = NodeRef::<Select>::new();
    let password = NodeRef::<Input>::new();
    let locked = RwSignal::new(None::<web_sys::File>);
    let take = move |file: web_sys::File, password: Option<Zeroizing<String>>| {
        let format = format.get_untracked().map(|field| field.value()).unwrap_or_default();
        work.start(async move {
            // What cannot be read is not even loaded.
            if file.size() > MOST_BYTES {
                return Err(Trouble::new("file_too_large"));
            }
            match read(bytes_of(&file).await?, &format, password.as_ref().map(|text| text.as_str())).await {
                Ok(read) => {
                    app.incoming.set(Some(read));
                    Ok(())
                }
                Err(trouble) => {
                    if trouble.code() == "password_needed" {
                        locked.set(Some(file));
                    }
                    Err(trouble)
                }
            }
        });
    };
    let open = move || {
        if let Some(file) = locked.get_untracked() {
            take(file, Some(secret_in(password)));
        }
    };
    let formats =
        Format::ALL.map(|format| view! { <option value=format.code()>{name_of(words, format)}</option> });
    view! {
        <p>{words.import_text}</p>
        <label class="field" for="format">
            <span>{words.import_format}</span>
            <select node_ref=format id="format">
                <option value="">{words.import_guess}</option>
                {formats.into_iter().collect_view()}
            </select>
        </label>
        {file_row(app, words.import_file, words.import_file_hint, "import", "", move |file| {
            locked.set(None);
            take(file, None);
        })}
        {move || locked.get().map(|_| view! {
            <form class="stack" on:submit=on_submit(open)>
                {filed_as("Countersign import")}
                {passphrase_field(words.import_password, "import-password", false, password)}
                <button class="button primary" disabled=move || work.busy.get()>{words.import_open}</button>
            </form>
        })}
        {work.shown()}
    }
    .into_any()
}

fn name_of(words: &'static Words, format: Format) -> &'static str {
    match format {
        Format::Aegis => "Aegis",
        Format::TwoFas => "2FAS",
        Format::AndOtp => "andOTP",
        Format::AndOtpEncrypted => words.format_andotp_encrypted,
        Format::FreeOtpPlus => "FreeOTP+",
        Format::BitwardenJson => "Bitwarden (JSON)",
        Format::BitwardenCsv => "Bitwarden (CSV)",
        Format::Vault => "Countersign",
        Format::PlainVault => words.format_plain_vault,
        _ => words.format_uris,
    }
}

/// The file's accounts, each with what would happen to it.
fn choose(app: App, words: &'static Words, preview: Preview) -> AnyView {
    let work = Work::new(app);
    let choices: Vec<RwSignal<Choice>> =
        preview.items.iter().map(|item| RwSignal::new(item.status.usual())).collect();
    let taken = {
        let choices = choices.clone();
        Memo::new(move |_| choices.iter().filter(|choice| choice.get() != Choice::Skip).count())
    };
    let rows: Vec<AnyView> = preview
        .items
        .iter()
        .zip(&choices)
        .enumerate()
        .map(|(index, (item, choice))| item_row(app, words, index, item, *choice))
        .collect();
    let unread: Vec<AnyView> = preview
        .unread
        .iter()
        .map(|unread| {
            let name = if unread.name.is_empty() { words.unnamed.to_owned() } else { unread.name.clone() };
            view! {
                <li>
                    <strong dir="auto">{name}</strong>
                    " "
                    {place_of(words, unread.place)}
                    ": "
                    {reason_of(words, &unread.reason)}
                </li>
            }
            .into_any()
        })
        .collect();
    let without = preview.without_code;
    let (count, missed) = (preview.items.len(), unread.len());
    let preview = StoredValue::new(Some(preview));
    let add = move || {
        let Some(preview) = preview.try_update_value(Option::take).flatten() else { return };
        let chosen: Vec<Choice> = choices.iter().map(|choice| choice.get_untracked()).collect();
        let places: Vec<Place> = preview.items.iter().map(|item| item.found.place).collect();
        let choice_of = move |item: &Item| {
            let index = places.iter().position(|place| *place == item.found.place);
            index.and_then(|index| chosen.get(index)).copied().unwrap_or(Choice::Skip)
        };
        work.start(async move {
            let added = app
                .change(|content| preview.apply(content, glue::now_ms().unsigned_abs(), random, choice_of))
                .await;
            // Written or not, what was read is read once more before anything else is tried with it.
            match added {
                Ok(added) => {
                    // A code that was shown of a key that is no longer there.
                    app.counter_codes.update(|codes| codes.retain(|id, _| !added.contains(id)));
                    leptos::task::spawn_local(async move {
                        let _ = crate::server::check_enrolments(app).await;
                    });
                    let is_left = work.is_left();
                    app.incoming.set(None);
                    app.say(app.words().imported.replace("{count}", &added.len().to_string()));
                    if !is_left {
                        app.leave_all();
                    }
                    Ok(())
                }
                Err(trouble) => {
                    app.incoming.update(|_| {});
                    app.complain(&trouble);
                    Ok(())
                }
            }
        });
    };
    view! {
        <p role="status">
            {words.import_found.replace("{count}", &count.to_string()).replace("{missed}", &missed.to_string())}
        </p>
        <ul class="items">{rows}</ul>
        {(!unread.is_empty()).then(|| view! {
            <h2>{words.import_unread}</h2>
            <ul class="unread">{unread}</ul>
        })}
        {(without > 0).then(|| view! {
            <p class="hint">{words.import_without.replace("{count}", &without.to_string())}</p>
        })}
        {work.shown()}
        <div class="buttons foot">
            <button class="button primary" disabled=move || work.busy.get() || taken.get() == 0 on:click=move |_| add()>
                {move || words.import_add.replace("{count}", &taken.get().to_string())}
            </button>
            <button class="button" on:click=move |_| app.incoming.set(None)>{words.cancel}</button>
        </div>
    }
    .into_any()
}

fn item_row(app: App, words: &'static Words, index: usize, item: &Item, choice: RwSignal<Choice>) -> AnyView {
    let entry = &item.found.entry;
    let id = format!("item-{index}");
    let existing = |id| app.peek(|content| content.entry(id).map(title_of)).unwrap_or_default();
    let (status, can_replace) = match item.status {
        Status::New => (words.status_new.to_owned(), false),
        Status::Duplicate(id) => (words.status_duplicate.replace("{name}", &existing(id)), false),
        Status::Conflict(_) => (words.status_conflict.to_owned(), true),
        Status::Repeated(_) => (words.status_repeated.to_owned(), false),
    };
    let is_double = matches!(item.status, Status::Duplicate(_) | Status::Repeated(_));
    let pick = move |event: leptos::ev::Event| {
        choice.set(match event_target_value(&event).as_str() {
            "add" => Choice::Add,
            "replace" => Choice::Replace,
            _ => Choice::Skip,
        });
    };
    let label = [title_of(entry), subtitle_of(entry)].join(", ");
    view! {
        <li class="item">
            <span class="names">
                <span class="title" dir="auto">{title_of(entry)}</span>
                <span class="subtitle" dir="auto">{subtitle_of(entry)}</span>
                <span class="row-hint">{status}</span>
            </span>
            {(!is_double).then(|| view! {
                <select id=id aria-label=label on:change=pick>
                    <option value="skip" selected=choice.get_untracked() == Choice::Skip>{words.choice_skip}</option>
                    <option value="add" selected=choice.get_untracked() == Choice::Add>{words.choice_add}</option>
                    {can_replace.then(|| view! { <option value="replace">{words.choice_replace}</option> })}
                </select>
            })}
        </li>
    }
    .into_any()
}

fn place_of(words: &'static Words, place: Place) -> String {
    let (text, first, second) = match place {
        Place::Line(line) => (words.place_line, line, 0),
        Place::Item(item) => (words.place_item, item, 0),
        Place::ItemOfLine(line, item) => (words.place_item_of_line, line, item),
        Place::Part(part) => (words.place_part, part, 0),
    };
    text.replace("{first}", &first.to_string()).replace("{second}", &second.to_string())
}

fn reason_of(words: &'static Words, reason: &Reason) -> String {
    match reason {
        Reason::Key(error) => super::add::key_trouble(*error).say(words),
        Reason::Kind => words.reason_kind.to_owned(),
        Reason::Trashed => words.reason_trashed.to_owned(),
        Reason::Damaged => words.reason_damaged.to_owned(),
        Reason::PartMissing => words.reason_part_missing.to_owned(),
        Reason::TooLong => words.reason_too_long.to_owned(),
        Reason::Member(name) => words.reason_member.replace("{name}", name),
        _ => reason.code().to_owned(),
    }
}
