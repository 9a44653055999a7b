//! The phone app: an authenticator in the browser that needs no network after its first visit.
//!
//! All rules of codes, vaults and other apps' files live in `mobile-core`; here are screens and the browser's glue. The way
//! of a tap:
//! 1. [`screens`] shows what [`app::App`] holds and calls one of its verbs.
//! 2. [`session`] edits the vault and writes its file before the change is seen.
//! 3. `static/*.js`, bound in [`glue`], do what only a browser can: `IndexedDB`, camera, WebAuthn, clipboard.
//! 4. What takes long (Argon2id, pictures, other apps' files) is done in the worker, `web/worker`.

mod app;
mod glue;
mod release;
mod screens;
mod server;
mod session;
mod settings;
mod trouble;
mod words;

fn main() {
    leptos::mount::mount_to_body(app::view);
    // The splash has done its work.
    if let Some(splash) =
        web_sys::window().and_then(|window| window.document()?.query_selector(".splash").ok().flatten())
    {
        splash.remove();
    }
}
