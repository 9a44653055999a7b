//! The console and the phone app in a real Chromium: what people see, type and press.
//!
//! 1. One chromedriver serves all tests ([`chromium`]). A test has browsers to itself, each with a profile in a temporary folder; those that
//!    were started like any other forget everything after it and serve the next test.
//! 2. The server runs in this process with its fake clock; the phone reads what the page shows.
//! 3. Nothing sleeps for a fixed time: every look at a page is repeated until it finds what it wants, for twenty seconds at most.
//! 4. Pages that a test passes through are photographed, measured and given to axe ([`look`]).

mod account;
mod applications;
mod chromium;
mod comfort;
mod look;
mod manage;
mod offline;
mod pages;
mod phone;
mod sign_in;

use std::sync::Arc;

use countersign::clock::Clock;
use countersign::domain::user::Role;

use crate::actors::{App, PASSWORD, Phone, Place, START};
use crate::{Backend, Test};
use chromium::Browser;
pub use chromium::close_idle;

/// The module whose tests run on both databases.
pub const ON_EVERY_BACKEND: &str = "browser::sign_in";

/// Modules and their tests.
pub fn tests() -> Vec<(&'static str, Vec<Test>)> {
    vec![
        (ON_EVERY_BACKEND, sign_in::tests_on_both()),
        ("browser::login", sign_in::tests()),
        ("browser::account", account::tests()),
        ("browser::applications", applications::tests()),
        ("browser::comfort", comfort::tests()),
        ("browser::manage", manage::tests()),
        ("browser::offline", offline::tests()),
        ("browser::pages", pages::tests()),
        ("browser::phone", phone::tests()),
    ]
}

/// A server whose pages a browser can visit.
fn server(on: Backend) -> App {
    App::start_as_its_own_issuer(&Arc::new(Place::new(on)), Clock::fake(START))
}

/// A server, one user of it, and a browser that shows that user's account.
fn alice(on: Backend) -> (App, Phone, Browser) {
    let app = server(on);
    let phone = app.person("alice", Role::User);
    let browser = Browser::open();
    log_in(&app, &browser, "alice", &phone);
    (app, phone, browser)
}

/// Name, password, and the next code of the phone; ends at the account's page.
fn log_in(app: &App, browser: &Browser, name: &str, phone: &Phone) {
    give_password(app, browser, name, PASSWORD);
    give_code(app, browser, phone);
    browser.must_be_at("/console/account");
}

fn give_password(app: &App, browser: &Browser, name: &str, password: &str) {
    browser.visit(&format!("{}/login?to=/console/account", app.url));
    browser.fill("#username", name);
    browser.fill("#password", password);
    browser.press("Next");
}

/// Types the code that the phone shows in the next step. The form sends itself.
fn give_code(app: &App, browser: &Browser, phone: &Phone) {
    app.next_step();
    let code = phone.code();
    browser.turn(|| browser.fill("#otp", &code));
}
