//! Asking the server that the app came from: its clock, and how its enrolments stand. All of it works without.
//!
//! `docs/spec/phone.md` has the requests. The secret never leaves the phone; what goes over is a proof made with it.

use js_sys::JSON;
use leptos::prelude::*;
use mobile_core::phone::{PhoneKey, Purpose};
use mobile_core::vault::{Entry, EntryId};
use wasm_bindgen::JsValue;

use crate::app::{App, JUMP_MS};
use crate::glue::{self, integer, items, member};
use crate::trouble::Trouble;

/// A difference that is worth telling, in milliseconds: the network alone makes smaller ones.
const WORTH_TELLING_MS: i64 = 3_000;

/// How one enrolment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    Pending,
    /// Ended by the user or an administrator, at this time in milliseconds.
    Ended(i64),
    /// The server does not know it, or does not know this secret for it.
    Unknown,
}

/// What the server last said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Whose server it is: its public URL, kept from an earlier start. `None` before it was ever reached.
    pub(crate) issuer: Option<String>,
    /// By entry and factor: an entry that was enrolled anew has another factor, of which nothing was said yet.
    states: Vec<(EntryId, String, State)>,
}

impl Standing {
    /// Before it is asked.
    pub(crate) fn at(issuer: &str) -> Self {
        Self { issuer: Some(issuer.to_owned()).filter(|issuer| !issuer.is_empty()), states: Vec::new() }
    }

    /// What it said of an entry's factor.
    pub(crate) fn of(&self, entry: &Entry) -> Option<State> {
        let factor = factor_of(entry, self.issuer.as_deref()?)?;
        let is_it = |(id, known, _): &&(EntryId, String, State)| *id == entry.id() && *known == factor;
        self.states.iter().find(is_it).map(|(_, _, state)| *state)
    }

    /// Whether it is this server's account.
    pub(crate) fn has_enrolled(&self, entry: &Entry) -> bool {
        self.issuer.as_deref().is_some_and(|issuer| factor_of(entry, issuer).is_some())
    }

    /// The same, as far as one knows: before the server was ever reached it may be any account that says who enrolled it.
    pub(crate) fn may_have_enrolled(&self, entry: &Entry) -> bool {
        match self.issuer {
            Some(_) => self.has_enrolled(entry),
            None => entry.origin.as_ref().is_some_and(|origin| origin.factor.is_some()),
        }
    }

    fn set(&mut self, id: EntryId, factor: String, state: State) {
        self.states.retain(|(known, _, _)| *known != id);
        self.states.push((id, factor, state));
    }
}

/// What the app is told of its server: issuer and the address of the phone's API.
async fn config() -> Result<(String, String), Trouble> {
    let (status, config) = ask("config.json", None).await?;
    let part = |name| member(&config, name).as_string();
    match (status, part("issuer"), part("api")) {
        (200, Some(issuer), Some(api)) => Ok((issuer, api)),
        _ => Err(Trouble::new("offline")),
    }
}

/// Notes whose server it is, where that is news.
fn is_at(app: App, issuer: &str) {
    if app.standing.with_untracked(|standing| standing.issuer.as_deref() != Some(issuer)) {
        app.standing.update(|standing| standing.issuer = Some(issuer.to_owned()));
        app.settings.update(|settings| issuer.clone_into(&mut settings.issuer));
    }
}

async fn ask(url: &str, body: Option<String>) -> Result<(i64, JsValue), Trouble> {
    let answer = items(&glue::ask(url, body).await?);
    let status = answer.first().and_then(integer).unwrap_or_default();
    let text = answer.get(1).and_then(JsValue::as_string).unwrap_or_default();
    Ok((status, JSON::parse(&text).unwrap_or_default()))
}

/// Compares the clocks and asks for the enrolments of this server. Quiet: without a network there is nothing to tell.
pub(crate) async fn look(app: App) {
    if check_clock(app).await.is_ok() {
        let _ = check_enrolments(app).await;
    }
}

/// Measures this device's clock against the server's and keeps the difference. Answers with it, in milliseconds.
pub(crate) async fn check_clock(app: App) -> Result<i64, Trouble> {
    let (issuer, api) = config().await?;
    let asked = Asked::now();
    let (status, answer) = ask(&format!("{api}time"), None).await?;
    if status != 200 {
        return Err(Trouble::new("offline"));
    }
    is_at(app, &issuer);
    correct(app, asked, &answer)
}

/// When something was asked, by the device's clock and by the one that nobody sets.
#[derive(Clone, Copy)]
struct Asked {
    wall: i64,
    steady: i64,
}

impl Asked {
    fn now() -> Self {
        Self { wall: glue::now_ms(), steady: glue::steady_ms() }
    }
}

/// Corrects this device's clock by the time that stands in an answer to what was `asked` then. Answers with the difference.
fn correct(app: App, asked: Asked, answer: &JsValue) -> Result<i64, Trouble> {
    // A jump that was not noticed yet is in what is measured now, and must not be taken off once more.
    app.notice_jump();
    let answered = Asked::now();
    let server = integer(&member(answer, "unix_ms")).ok_or_else(|| Trouble::new("offline"))?;
    let trip = answered.steady - asked.steady;
    if (answered.wall - asked.wall - trip).abs() >= JUMP_MS {
        // The clock was set meanwhile, or the device was asleep: how old the answer is nobody knows.
        return Err(Trouble::new("offline"));
    }
    let measured = server + trip / 2 - answered.wall;
    // What the way there and back could have made of it is no difference.
    let offset = if measured.abs() <= trip { 0 } else { measured };
    app.compared.set(true);
    let before = app.settings.with_untracked(|settings| settings.clock_offset_ms);
    if before != offset {
        app.settings.update(|settings| settings.clock_offset_ms = offset);
    }
    if offset.abs() >= WORTH_TELLING_MS && (before - offset).abs() >= WORTH_TELLING_MS {
        app.say(clock_words(app, offset));
    }
    Ok(offset)
}

/// Sends what `body` makes of the time in seconds; where the clocks turn out to differ, once more by the server's. The time is
/// that of the moment of sending: the one on the screen may be older than the last correction.
async fn send(app: App, url: &str, body: &dyn Fn(u64) -> Option<String>) -> Result<JsValue, Trouble> {
    let mut is_second = false;
    loop {
        let offset = app.settings.with_untracked(|settings| settings.clock_offset_ms);
        let asked = Asked::now();
        let seconds = u64::try_from(asked.wall + offset).unwrap_or_default() / 1000;
        let body = body(seconds).ok_or_else(|| Trouble::new("unknown_factor"))?;
        let (status, answer) = ask(url, Some(body)).await?;
        if status == 200 {
            return Ok(answer);
        }
        let refusal = refusal(&answer);
        let is_about_time = ["clock", "code_not_accepted"].contains(&refusal.code());
        // The same time once more would be refused once more, and wrong codes are counted.
        if is_second || !is_about_time || (correct(app, asked, &answer)? - offset).abs() < WORTH_TELLING_MS {
            return Err(refusal);
        }
        is_second = true;
    }
}

/// What is said about this device's clock.
pub(crate) fn clock_words(app: App, offset_ms: i64) -> String {
    let words = app.words();
    let is_compared = app.compared.get();
    if offset_ms.abs() < WORTH_TELLING_MS {
        return (if is_compared { words.clock_good } else { words.clock_unknown }).to_owned();
    }
    let text = if offset_ms > 0 { words.clock_slow } else { words.clock_fast };
    let corrects_all = app.settings.with(|settings| settings.correct_all);
    let corrects = if corrects_all { words.clock_corrects } else { words.clock_corrects_own };
    let mut text = [&text.replace("{time}", &roughly(offset_ms.abs())), " ", corrects].concat();
    if !is_compared {
        text.push(' ');
        text.push_str(words.clock_kept);
    }
    text
}

/// What the list says while codes are made by another time than this device's. `None` where they are not.
pub(crate) fn correction(app: App) -> Option<String> {
    let words = app.words();
    let offset = app.settings.with(|settings| settings.clock_offset_ms);
    let concerns = || {
        app.read(|content| {
            content.entries().iter().any(|entry| entry.key.period().is_some() && app.is_corrected(entry))
        })
    };
    if offset.abs() < WORTH_TELLING_MS || !concerns() {
        return None;
    }
    let sign = if offset > 0 { "+" } else { "−" };
    let text = if app.compared.get() { words.clock_corrected } else { words.clock_corrected_kept };
    Some(text.replace("{time}", &[sign, &roughly(offset.abs())].concat()))
}

/// A span of time as people say it, by symbols that are the same in every language.
fn roughly(ms: i64) -> String {
    let seconds = (ms + 500) / 1000;
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", (seconds + 30) / 60),
        7_200..172_800 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} d", (seconds + 43_200) / 86_400),
    }
}

fn base64url(bytes: &[u8]) -> Option<String> {
    let binary: String = bytes.iter().copied().map(char::from).collect();
    let text = web_sys::window()?.btoa(&binary).ok()?;
    Some(text.trim_end_matches('=').replace('+', "-").replace('/', "_"))
}

/// The factor's id at this server, for an entry that it enrolled.
pub(crate) fn factor_of(entry: &Entry, issuer: &str) -> Option<String> {
    let origin = entry.origin.as_ref()?;
    (origin.issuer.trim_end_matches('/') == issuer.trim_end_matches('/'))
        .then(|| origin.factor.clone())
        .flatten()
}

fn proof(entry: &Entry, purpose: Purpose, seconds: u64, code: &str) -> Option<String> {
    let id = entry.origin.as_ref()?.factor_bytes()?;
    let key = PhoneKey::of(entry.key.secret());
    base64url(&key.proof(purpose, id, seconds, code))
}

/// The entries that this server enrolled, with their factors' ids.
fn mine(app: App, issuer: &str) -> Vec<(Entry, String)> {
    app.peek(|content| {
        let of = |entry: &Entry| {
            let factor = factor_of(entry, issuer)?;
            // What is no id cannot be asked about.
            entry.origin.as_ref()?.factor_bytes()?;
            Some((entry.clone(), factor))
        };
        content.entries().iter().filter_map(of).collect()
    })
}

/// Asks how all enrolments of this server stand.
pub(crate) async fn check_enrolments(app: App) -> Result<(), Trouble> {
    let (issuer, api) = config().await?;
    is_at(app, &issuer);
    for some in mine(app, &issuer).chunks(100) {
        let body = |seconds| {
            let asked = |(entry, factor): &(Entry, String)| {
                let proof = proof(entry, Purpose::Status, seconds, "")?;
                Some(format!(r#"{{"factor":"{factor}","proof":"{proof}"}}"#))
            };
            let list: Option<Vec<String>> = some.iter().map(asked).collect();
            Some(format!(r#"{{"unix_seconds":{seconds},"factors":[{}]}}"#, list?.join(",")))
        };
        let answer = send(app, &format!("{api}factors"), &body).await?;
        // In the order of the question.
        let answers = items(&member(&answer, "factors"));
        app.standing.update(|standing| {
            for ((entry, factor), answer) in some.iter().zip(&answers) {
                standing.set(entry.id(), factor.clone(), state_of(answer));
            }
        });
    }
    Ok(())
}

fn state_of(answer: &JsValue) -> State {
    match member(answer, "state").as_string().as_deref() {
        Some("active") => State::Active,
        Some("pending") => State::Pending,
        Some("ended") => State::Ended(integer(&member(answer, "ended_at_ms")).unwrap_or_default()),
        _ => State::Unknown,
    }
}

fn refusal(answer: &JsValue) -> Trouble {
    Trouble::new(&member(answer, "code").as_string().unwrap_or_else(|| "offline".to_owned()))
}

/// Shows the server the present code, so that it starts to accept this phone: what typing it there would do.
pub(crate) async fn confirm(app: App, id: EntryId) -> Result<(), Trouble> {
    let (issuer, api) = config().await?;
    let entry = app.peek(|content| content.entry(id).cloned()).ok_or_else(|| Trouble::new("gone"))?;
    let factor = factor_of(&entry, &issuer).ok_or_else(|| Trouble::new("unknown_factor"))?;
    // By counter, the code stays the same whenever it is sent.
    let counted = match entry.key.period() {
        None => Some(app.counter_code(id).await?),
        Some(_) => None,
    };
    let body = |seconds| {
        let code = counted.clone().unwrap_or_else(|| entry.key.code_at(seconds).as_str().to_owned());
        let proof = proof(&entry, Purpose::Confirm, seconds, &code)?;
        Some(format!(r#"{{"factor":"{factor}","unix_seconds":{seconds},"code":"{code}","proof":"{proof}"}}"#))
    };
    let sent = send(app, &format!("{api}confirm"), &body).await;
    if sent.as_ref().map_or_else(|trouble| trouble.code() == "code_not_accepted", |_| true) {
        // It is used up, or good for nothing. Where nobody knows, the next try shows the same one.
        app.counter_codes.update(|codes| {
            codes.remove(&id);
        });
    }
    sent?;
    app.standing.update(|standing| {
        standing.set(id, factor.clone(), State::Active);
    });
    Ok(())
}
