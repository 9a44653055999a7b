//! The camera. A QR code with one account adds it; those of Google Authenticator's export are collected until all are there.

use std::time::Duration;

use leptos::html::Video;
use leptos::prelude::*;
use mobile_core::Zeroizing;
use mobile_core::transfer::{Reason, migration_id};
use wasm_bindgen::JsValue;

use super::add::{decode, lines_of, take_import, take_text};
use super::{Work, import, page};
use crate::app::App;
use crate::glue::{self, items};
use crate::trouble::Trouble;

/// The shortest time between two pictures.
const PAUSE: Duration = Duration::from_millis(60);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Seeing {
    Starting,
    Looking,
    Stopped(Trouble),
}

struct Eye {
    cameras: Vec<(String, String)>,
    camera: String,
    has_light: bool,
}

pub(super) fn show(app: App) -> AnyView {
    let words = app.words();
    let video = NodeRef::<Video>::new();
    let seeing = RwSignal::new(Seeing::Starting);
    let hint = RwSignal::new(None::<String>);
    let eye = RwSignal::new(None::<Eye>);
    let wanted = RwSignal::new(String::new());
    // Parts of an export that were seen, one a line.
    let parts = StoredValue::new(Vec::<Zeroizing<String>>::new());
    // Nothing is begun with it; but what is found counts only as long as it is there.
    let work = Work::new(app);
    on_cleanup(glue::stop_camera);

    let found = move |texts: Vec<Zeroizing<String>>| async move {
        let text = lines_of(&texts);
        // Without a copy of the text, which nobody would wipe.
        let start = text.trim_start().get(..18);
        if start.is_some_and(|start| start.eq_ignore_ascii_case("otpauth-migration:")) {
            parts.update_value(|parts| {
                // One export at a time: the rest of one that was given up never comes.
                if parts.first().is_some_and(|part| export_of(part) != export_of(&text)) {
                    parts.clear();
                }
                if !parts.contains(&text) {
                    parts.push(text);
                    glue::buzz();
                }
            });
            let file = js_sys::Uint8Array::from(parts.with_value(|parts| lines_of(parts)).as_bytes());
            let read = import::read(file, "uris", None).await?;
            let missing = read.unread.iter().filter(|unread| unread.reason == Reason::PartMissing).count();
            if missing > 0 {
                hint.try_set(Some(words.scan_parts.replace("{count}", &missing.to_string())));
                return Ok(false);
            }
            return take_import(work, read).await.map(|()| true);
        }
        take_text(work, text).await.map(|()| true)
    };
    let look = move || {
        leptos::task::spawn_local(async move {
            while !work.is_left() {
                if let Some(video) = video.try_get_untracked().flatten()
                    && let Some(pixels) = glue::camera_frame(&video)
                {
                    let texts = decode(&pixels, 0).await;
                    if work.is_left() {
                        return;
                    }
                    match texts {
                        Ok(texts) if texts.is_empty() => {}
                        Ok(texts) => match found(texts).await {
                            Ok(true) => return,
                            Ok(false) => {}
                            Err(trouble) => {
                                hint.try_set(Some(trouble.say(words)));
                            }
                        },
                        Err(trouble) => {
                            hint.try_set(Some(trouble.say(words)));
                        }
                    }
                }
                pause(PAUSE).await;
            }
        });
    };
    Effect::new(move |begun: Option<bool>| {
        let camera = wanted.get();
        let Some(element) = video.get() else { return begun.unwrap_or_default() };
        leptos::task::spawn_local(async move {
            match glue::start_camera(&element, &camera).await {
                Ok(answer) => {
                    eye.try_set(Some(eye_of(&answer)));
                    seeing.try_set(Seeing::Looking);
                }
                Err(error) => {
                    let trouble = Trouble::from(error);
                    // Another camera was chosen, or the screen left.
                    if !trouble.is_cancelled() {
                        seeing.try_set(Seeing::Stopped(trouble));
                    }
                }
            }
        });
        if begun != Some(true) {
            look();
        }
        true
    });

    view! {
        {page(app, words.add_scan, view! {
            <div class="scanner">
                <video node_ref=video muted=true playsinline=true aria-label=words.scan_picture></video>
                <div class="scanner-frame" aria-hidden="true"></div>
            </div>
            <p class="hint" role="status">
                {move || match seeing.get() {
                    Seeing::Starting => words.scan_starting.to_owned(),
                    Seeing::Stopped(trouble) => trouble.say(words),
                    Seeing::Looking => hint.get().unwrap_or_else(|| words.scan_hint.to_owned()),
                }}
            </p>
            {move || eye.with(|eye| eye.as_ref().map(|eye| controls(app, eye, wanted)))}
        })}
    }
    .into_any()
}

/// Which of Google Authenticator's exports a QR code belongs to.
fn export_of(text: &str) -> Option<u64> {
    text.lines().next().map(str::trim).and_then(migration_id)
}

/// The light and the choice of the camera, where there are such.
fn controls(app: App, eye: &Eye, wanted: RwSignal<String>) -> AnyView {
    let words = app.words();
    let light = RwSignal::new(false);
    let switch_light = move || {
        light.update(|on| *on = !*on);
        app.spawn(async move {
            glue::camera_light(light.get_untracked()).await.map_err(|_| Trouble::new("camera"))?;
            Ok(())
        });
    };
    let camera = |(id, name): &(String, String)| {
        view! { <option value=id.clone() selected=*id == eye.camera>{name.clone()}</option> }
    };
    view! {
        <div class="buttons">
            {eye.has_light.then(|| view! {
                <button class="button" aria-pressed=move || light.get().to_string() on:click=move |_| switch_light()>
                    {words.scan_light}
                </button>
            })}
            {(eye.cameras.len() > 1).then(|| view! {
                <label class="field" for="camera">
                    <span>{words.scan_camera}</span>
                    <select id="camera" on:change=move |event| wanted.set(event_target_value(&event))>
                        {eye.cameras.iter().map(camera).collect_view()}
                    </select>
                </label>
            })}
        </div>
    }
    .into_any()
}

fn eye_of(answer: &JsValue) -> Eye {
    let parts = items(answer);
    let text = |value: &JsValue| value.as_string().unwrap_or_default();
    let cameras = parts.first().map(items).unwrap_or_default();
    Eye {
        cameras: cameras
            .iter()
            .map(|camera| {
                let camera = items(camera);
                (camera.first().map(text).unwrap_or_default(), camera.get(1).map(text).unwrap_or_default())
            })
            .collect(),
        camera: parts.get(1).map(text).unwrap_or_default(),
        has_light: parts.get(2).is_some_and(JsValue::is_truthy),
    }
}

async fn pause(time: Duration) {
    let waited = js_sys::Promise::new(&mut |resolve, _| {
        set_timeout(
            move || {
                let _ = resolve.call0(&JsValue::UNDEFINED);
            },
            time,
        );
    });
    let _ = wasm_bindgen_futures::JsFuture::from(waited).await;
}
