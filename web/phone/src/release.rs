//! Which release is installed, and whether the server has another one. Nothing changes before the person says so.

use js_sys::Object;
use leptos::prelude::*;
use wasm_bindgen::JsValue;

use crate::app::App;
use crate::glue::{self, member};
use crate::session::error_of;
use crate::trouble::Trouble;

/// Version and build: the first digits of the hash over all files.
pub(crate) type Release = (String, String);

fn message(kind: &str, build: Option<&str>) -> JsValue {
    let message = Object::new();
    for (name, value) in [("kind", Some(kind)), ("build", build)] {
        if let Some(value) = value {
            let _ = js_sys::Reflect::set(&message, &name.into(), &value.into());
        }
    }
    message.into()
}

fn release_of(answer: &JsValue, name: &str) -> Option<Release> {
    let release = member(answer, name);
    Some((member(&release, "version").as_string()?, member(&release, "build").as_string()?))
}

/// What is installed. `None` where the browser keeps nothing for later, as in some private windows.
pub(crate) async fn installed() -> Option<Release> {
    release_of(&glue::release(message("release", None)).await.ok()?, "installed")
}

/// Asks the server for a newer one. Quiet: without a network there is nothing to tell.
pub(crate) async fn look(app: App) {
    let _ = check(app).await;
}

async fn check(app: App) -> Result<(), Trouble> {
    let answer = glue::release(message("check", None)).await?;
    if answer.is_undefined() {
        // Nobody was asked.
        return Err(Trouble::new("no_worker"));
    }
    app.update.set(release_of(&answer, "available"));
    error_of(&answer).map_or(Ok(()), Err)
}

/// The same for somebody who wants to know.
pub(crate) async fn find(app: App) -> Result<(), Trouble> {
    check(app).await?;
    if app.update.with_untracked(Option::is_none) {
        app.say(app.words().update_none);
    }
    Ok(())
}

/// Takes the release of this build over and starts it.
pub(crate) async fn accept(app: App, build: String) -> Result<(), Trouble> {
    let answer = glue::release(message("update", Some(&build))).await?;
    if let Some(trouble) = error_of(&answer) {
        // What is offered may have changed meanwhile.
        look(app).await;
        return Err(trouble);
    }
    if let Some(window) = web_sys::window() {
        let _ = window.location().reload();
    }
    Ok(())
}
