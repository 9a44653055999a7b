//! What a server counts and times while it runs. [`crate::http::metrics`] shows it.
//!
//! Names and units are those of the Prometheus text format. Labels are words of the program alone, never of a caller: what a caller may choose
//! freely would fill the memory, or hold a secret.

use std::fmt;
use std::time::Duration;

use actix_web::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::app::context::Stop;
use crate::domain::client::Grant;
use crate::domain::time::Timestamp;

/// What every name begins with.
pub(super) const PREFIX: &str = "countersign";

/// Upper bounds, in seconds: from a lone request's time to where callers give up.
const SECONDS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Upper bounds of how many codes share a commit.
const CODES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// What was asked.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    /// The pattern of the path; empty where there is nothing.
    route: String,
}

/// What was asked, and answered.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

/// What came of a token request.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Exchanged {
    grant: &'static str,
    outcome: &'static str,
}

/// Where requests wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Queue {
    /// For a thread and a connection.
    Requests,
    /// For their group's commit.
    Codes,
    /// For their turn to hash.
    Passwords,
}

impl Queue {
    /// Its label.
    pub(super) const fn label(self) -> Label {
        let word = match self {
            Self::Requests => "requests",
            Self::Codes => "codes",
            Self::Passwords => "passwords",
        };
        [("queue", word)]
    }
}

/// What became of a mail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mailed {
    /// The mail server took it.
    Sent,
    /// It is tried again.
    Later,
    /// It was given up.
    GivenUp,
}

impl Mailed {
    const fn label(self) -> Label {
        let word = match self {
            Self::Sent => "sent",
            Self::Later => "later",
            Self::GivenUp => "given_up",
        };
        [("outcome", word)]
    }
}

/// One label and its value.
pub(super) type Label = [(&'static str, &'static str); 1];

type Timed = Family<Asked, Histogram, fn() -> Histogram>;

/// All of it. Counts begin with the process.
pub(super) struct Meters {
    registry: Registry,
    answered: Family<Answered, Counter>,
    took: Timed,
    exchanged: Family<Exchanged, Counter>,
    shed: Family<Label, Counter>,
    group_size: Histogram,
    group_took: Histogram,
    house_kept_at: Gauge,
    house_failed: Family<Label, Counter>,
    mailed: Family<Label, Counter>,
}

impl Meters {
    /// Everything at nought.
    pub(super) fn new() -> Self {
        let by_time: fn() -> Histogram = || Histogram::new(SECONDS);
        let mut meters = Self {
            registry: Registry::with_prefix(PREFIX),
            answered: Family::default(),
            took: Family::new_with_constructor(by_time),
            exchanged: Family::default(),
            shed: Family::default(),
            group_size: Histogram::new(CODES),
            group_took: by_time(),
            house_kept_at: Gauge::default(),
            house_failed: Family::default(),
            mailed: Family::default(),
        };
        // There from the start: what appears only with its first time is missed by a rate.
        for queue in [Queue::Requests, Queue::Codes, Queue::Passwords] {
            drop(meters.shed.get_or_create(&queue.label()));
        }
        for outcome in [Mailed::Sent, Mailed::Later, Mailed::GivenUp] {
            drop(meters.mailed.get_or_create(&outcome.label()));
        }
        let all = &mut meters.registry;
        all.register("http_requests", "Requests answered, by status", meters.answered.clone());
        all.register("http_request_duration_seconds", "Time to the reply's head", meters.took.clone());
        all.register("token_requests", "Token requests, by what came of them", meters.exchanged.clone());
        all.register("shed", "Requests refused because too many waited", meters.shed.clone());
        all.register("code_group_size", "Codes that shared a transaction", meters.group_size.clone());
        all.register(
            "code_group_duration_seconds",
            "Time of such a transaction, commit included",
            meters.group_took.clone(),
        );
        all.register(
            "housekeeping_last_success_timestamp_seconds",
            "When housekeeping last did all of its parts; 0 before the first time",
            meters.house_kept_at.clone(),
        );
        all.register("housekeeping_failures", "Parts of it that failed", meters.house_failed.clone());
        all.register("mail_tries", "Mails tried by this server", meters.mailed.clone());
        meters
    }

    /// A request was answered. `route` is the pattern of its path.
    pub(super) fn answered(&self, method: &Method, route: String, status: StatusCode, took: Duration) {
        let asked = Asked { method: known(method), route };
        self.took.get_or_create(&asked).observe(took.as_secs_f64());
        let Asked { method, route } = asked;
        self.answered.get_or_create(&Answered { method, route, status: status.as_u16() }).inc();
    }

    /// Something came of a token request: `issued`, `mfa_required`, or why not. No grant: it named none that there is.
    pub(super) fn token_asked(&self, grant: Option<Grant>, outcome: Result<&'static str, &Stop>) {
        let outcome = match outcome {
            Ok(word) => word,
            Err(Stop::Refused(refusal)) => refusal.code(),
            Err(Stop::Broken(_)) => "failed",
        };
        let grant = grant.map_or("", |grant| match grant {
            Grant::Otp => "otp",
            Grant::MfaOtp => "mfa_otp",
            Grant::MfaRecoveryCode => "mfa_recovery_code",
            Grant::Password => "password",
            Grant::AuthorizationCode => "authorization_code",
            Grant::RefreshToken => "refresh_token",
            Grant::ClientCredentials => "client_credentials",
        });
        self.exchanged.get_or_create(&Exchanged { grant, outcome }).inc();
    }

    /// A request was sent away: too many were there before it.
    pub(super) fn shed(&self, queue: Queue) {
        self.shed.get_or_create(&queue.label()).inc();
    }

    /// So many codes were exchanged in one transaction.
    pub(super) fn exchanged(&self, codes: usize, took: Duration) {
        self.group_size.observe(f64::from(u32::try_from(codes).unwrap_or(u32::MAX)));
        self.group_took.observe(took.as_secs_f64());
    }

    /// Housekeeping is through, but for these parts.
    pub(super) fn kept_house(&self, now: Timestamp, failed: impl IntoIterator<Item = &'static str>) {
        let mut failed = failed.into_iter().peekable();
        if failed.peek().is_none() {
            self.house_kept_at.set(now.millis() / 1000);
        }
        failed.for_each(|what| {
            self.house_failed.get_or_create(&[("what", what)]).inc();
        });
    }

    /// A mail was tried.
    pub(super) fn mailed(&self, outcome: Mailed) {
        self.mailed.get_or_create(&outcome.label()).inc();
    }

    /// Adds all of it to a text.
    pub(super) fn write(&self, text: &mut String) -> fmt::Result {
        encode(text, &self.registry)
    }
}

/// The method, if it is one that anything here takes.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
