//! `GET /metrics`: what a monitoring system collects, in the Prometheus text format 0.0.4.
//!
//! Who may read it: a process on this machine, and whoever shows the bearer token of `metrics_token_file`. On this machine means straight from
//! loopback to an address of loopback. Pages in a browser here (whatever their name's address turns into) do not come by that way, nor do the
//! callers of a proxy that says so in any of the usual headers.

use std::fmt;
use std::time::Duration;

use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, rt, web};
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE as TEXT, encode};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use subtle::ConstantTimeEq;
use url::{Host, Url};

use crate::app;
use crate::app::health::Vitals;
use crate::domain::refusal::Refusal;
use crate::error::Fault;
use crate::http::extract::{bearer, host};
use crate::http::meters::{Label, PREFIX};
use crate::http::problem::{Style, answer};
use crate::http::state::State;

/// What proxies add to a request.
const OF_PROXIES: [&str; 6] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"];

/// How long the database has. Less than collectors wait: what else there is to say must not be lost with it.
const PATIENCE: Duration = Duration::from_secs(3);

/// The handler.
pub(super) async fn show(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    if !may_read(&state, &request) {
        return answer(Refusal::InvalidToken, Style::Problem);
    }
    let state = state.into_inner();
    let asked = state.run(&request, |_, conn, at| app::health::vitals(conn, at.now));
    let vitals = rt::time::timeout(PATIENCE, asked).await.ok().and_then(Result::ok);
    match text(&state, vitals.as_ref()) {
        Ok(text) => HttpResponse::Ok().insert_header((CONTENT_TYPE, TEXT)).body(text),
        Err(error) => answer(Fault::while_("writing metrics")(error), Style::Problem),
    }
}

fn may_read(state: &State, request: &HttpRequest) -> bool {
    if request.headers().contains_key(AUTHORIZATION) {
        let shown = bearer(request).ok();
        return state
            .metrics_token()
            .zip(shown)
            .is_some_and(|(token, shown)| token.as_bytes().ct_eq(shown.as_bytes()).into());
    }
    !state.behind_proxy && is_of_this_machine(request)
}

fn is_of_this_machine(request: &HttpRequest) -> bool {
    let is_by_proxy = OF_PROXIES.iter().any(|name| request.headers().contains_key(*name));
    let comes_from_here = request.peer_addr().is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    comes_from_here && !is_by_proxy && host(request.head()).is_some_and(is_loopback)
}

/// Whether a host, with or without a port, is this machine by whatever resolver.
fn is_loopback(host: &str) -> bool {
    !host.contains('@')
        && Url::parse(&format!("http://{host}/")).is_ok_and(|url| match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        })
}

fn text(state: &State, vitals: Option<&Vitals>) -> Result<String, fmt::Error> {
    let mut text = String::new();
    state.meters().write(&mut text)?;
    encode(&mut text, &of_this_moment(state, vitals))?;
    encode(&mut text, &of_process())?;
    Ok(text)
}

/// What is not counted but looked at.
fn of_this_moment(state: &State, vitals: Option<&Vitals>) -> Registry {
    let mut all = Registry::with_prefix(PREFIX);
    all.register("build", "The running version", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    let (taken, places) = (Family::<Label, Gauge>::default(), Family::<Label, Gauge>::default());
    for (queue, under_way, limit) in state.queues() {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        taken.get_or_create(&queue.label()).set(count(under_way));
        places.get_or_create(&queue.label()).set(count(limit));
    }
    all.register("queue_taken", "Requests under way, at it and waiting", taken);
    all.register("queue_places", "How many may be before more are refused", places);
    all.register("stopping", "1 once the server was told to stop", gauge(i64::from(state.is_stopping())));
    let answers = i64::from(vitals.is_some());
    all.register(
        "database_answers",
        "1 if the database answered what this very request asks, within 3 s",
        gauge(answers),
    );
    if let Some(vitals) = vitals {
        all.register("mails_waiting", "Mails in the outbox, of all servers", gauge(vitals.mails_waiting));
        let seconds = vitals.oldest_mail_s.unwrap_or(0);
        all.register("oldest_mail_waiting_seconds", "How long the first of them has waited", gauge(seconds));
        let seconds = vitals.signing_key_s;
        all.register(
            "signing_key_age_seconds",
            "How long the current signing key has signed",
            gauge(seconds),
        );
    }
    all
}

fn gauge(value: i64) -> ConstGauge<i64> {
    ConstGauge::new(value)
}

/// What every process has, by the names that are usual for it. None where the system does not say.
#[cfg(target_os = "linux")]
fn of_process() -> Registry {
    use procfs::WithCurrentSystemInfo as _;
    use procfs::process::Process;
    use prometheus_client::metrics::counter::ConstCounter;

    let mut all = Registry::with_prefix("process");
    let Ok(process) = Process::myself() else { return all };
    if let Ok(files) = process.fd_count() {
        let files = i64::try_from(files).unwrap_or(i64::MAX);
        all.register("open_fds", "Open file descriptors", gauge(files));
    }
    if let Ok(stat) = process.stat() {
        let ticks = u32::try_from(procfs::ticks_per_second()).map_or(100.0, f64::from);
        let seconds = |count: u64| Duration::from_secs(count).as_secs_f64() / ticks;
        let spent = seconds(stat.utime.saturating_add(stat.stime));
        all.register("cpu_seconds", "Processor time spent", ConstCounter::new(spent));
        let resident = i64::try_from(stat.rss_bytes().get()).unwrap_or(i64::MAX);
        all.register("resident_memory_bytes", "Memory in use", gauge(resident));
        if let Ok(booted_at) = procfs::boot_time_secs() {
            let started_at = Duration::from_secs(booted_at).as_secs_f64() + seconds(stat.starttime);
            let started_at = ConstGauge::new(started_at);
            all.register("start_time_seconds", "When it was started, since 1970", started_at);
        }
    }
    all
}

#[cfg(not(target_os = "linux"))]
fn of_process() -> Registry {
    Registry::default()
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_what_every_resolver_leads_here_is_this_machine() {
        for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "a b",
            "evil@localhost",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
