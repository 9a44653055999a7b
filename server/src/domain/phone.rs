//! The phone app: where it is, and what phones may know of their factors.

use url::Url;

use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::time::Timestamp;

/// How far a phone's clock may be from the server's, in seconds, for a proof to be looked at.
pub const CLOCK_LEEWAY_S: u64 = 300;

/// How many factors one request may ask about.
pub const MAX_ASKED: usize = 100;

/// A factor's secret must have so many bytes for phones to ask about it: with a shorter one, proofs could be guessed.
pub const SHORTEST_SECRET_BYTES: usize = 10;

/// Where the phone app is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PhoneApp {
    url: String,
    foreign_origin: Option<String>,
}

impl PhoneApp {
    /// Below the server's own URL.
    pub fn beside(issuer: &str) -> Self {
        Self { url: format!("{}/phone/", issuer.trim_end_matches('/')), foreign_origin: None }
    }

    /// At a URL of its own: an http or https URL without query, fragment and user. It may be the server's origin or another one.
    pub fn at(text: &str, issuer: &str) -> Result<Self, Invalid> {
        let url = Url::parse(text).map_err(|_| Invalid::new("phone_url", "is not a URL"))?;
        let plain = url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !plain || url.host_str().is_none() {
            let reason = "must be an http or https URL without query, fragment or user";
            return Err(Invalid::new("phone_url", reason));
        }
        let origin = url.origin().ascii_serialization();
        let own = Url::parse(issuer).map(|url| url.origin().ascii_serialization());
        let foreign_origin = own.is_ok_and(|own| own != origin).then_some(origin);
        Ok(Self { url: url.into(), foreign_origin })
    }

    /// Where people open it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its origin where that is not the server's own, so that browsers ask before its requests are let through; else none.
    pub fn foreign_origin(&self) -> Option<&str> {
        self.foreign_origin.as_deref()
    }
}

/// How a factor stands, as its own phone is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It waits for its first code.
    Pending,
    /// It counts.
    Active,
    /// It was reset, removed or replaced, or nobody confirmed it in time: since when.
    Ended(Timestamp),
    /// There is no such factor, or the phone does not have its secret: nobody can tell which.
    Unknown,
}

/// Refuses a request that was made too long ago, or too far ahead.
pub fn must_be_timely(unix_seconds: u64, now: Timestamp) -> Result<(), Refusal> {
    if now.unix_seconds().abs_diff(unix_seconds) > CLOCK_LEEWAY_S {
        return Err(Refusal::PhoneClock { now });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_phone_app_is_foreign_only_at_another_origin() {
        let issuer = "https://mfa.example/base";
        assert_eq!(PhoneApp::beside(issuer).url(), "https://mfa.example/base/phone/");
        assert_eq!(PhoneApp::beside(issuer).foreign_origin(), None);
        for (text, url, origin) in [
            ("https://mfa.example/app", "https://mfa.example/app", None),
            ("https://MFA.example:443/app/", "https://mfa.example/app/", None),
            ("https://phone.example", "https://phone.example/", Some("https://phone.example")),
            ("https://mfa.example:444/", "https://mfa.example:444/", Some("https://mfa.example:444")),
            ("http://mfa.example/", "http://mfa.example/", Some("http://mfa.example")),
        ] {
            let app = PhoneApp::at(text, issuer).expect(text);
            assert_eq!((app.url(), app.foreign_origin()), (url, origin), "{text}");
        }
        for bad in
            ["", "phone.example", "ftp://x/", "https://u@x/", "https://x/?q", "https://x/#f", "data:,x"]
        {
            assert!(PhoneApp::at(bad, issuer).is_err(), "{bad}");
        }
    }

    #[test]
    fn five_minutes_either_way_are_timely() {
        let now = Timestamp::from_millis(1_000_000_999);
        for (unix_seconds, timely) in
            [(1_000_000, true), (999_700, true), (999_699, false), (1_000_300, true), (1_000_301, false)]
        {
            assert_eq!(must_be_timely(unix_seconds, now).is_ok(), timely, "{unix_seconds}");
        }
        assert!(must_be_timely(0, now).is_err() && must_be_timely(u64::MAX, now).is_err());
    }
}
