//! Settings that cannot be right stop the start.

use std::time::Duration;

use countersign_verify::{Builder, InvalidSetting, RevocationPolicy, Verifier};

use crate::issuer::{AUDIENCE, HandClock, ISSUER, Key, World};

fn refused(settings: impl FnOnce(Builder) -> Builder) -> InvalidSetting {
    let World { issuer, .. } = World::with(Key::ed25519("first"), |builder| builder);
    settings(Verifier::builder(ISSUER).source(issuer).clock(HandClock::new())).build().expect_err("refused")
}

#[test]
fn a_verifier_without_audience_is_not_built() {
    assert_eq!(refused(|builder| builder), InvalidSetting::Audience);
    assert_eq!(refused(|builder| builder.audience("")), InvalidSetting::Audience);
}

#[test]
fn an_issuer_over_plain_http_elsewhere_is_not_asked() {
    let refused = Verifier::builder("http://login.example").audience(AUDIENCE).build().expect_err("refused");
    assert_eq!(refused, InvalidSetting::InsecureIssuer);
}

#[test]
fn a_leeway_of_more_than_a_minute_is_refused() {
    let seconds = |s| move |builder: Builder| builder.audience("a").leeway(Duration::from_secs(s));
    assert_eq!(refused(seconds(61)), InvalidSetting::Leeway);
}

#[test]
fn nothing_is_held_shorter_than_until_it_is_fetched_again() {
    let keys = refused(|builder| builder.audience("a").keys_max_stale(Duration::from_secs(299)));
    assert_eq!(keys, InvalidSetting::Bound("keys_max_stale"));
    let policy = RevocationPolicy::Required { max_stale: Duration::from_secs(59) };
    assert_eq!(
        refused(|builder| builder.audience("a").revocations(policy)),
        InvalidSetting::Bound("max_stale")
    );
}

#[test]
fn a_pause_ends_before_what_is_held_is_too_old() {
    let pause = |seconds| move |builder: Builder| builder.audience("a").pause(Duration::from_secs(seconds));
    assert_eq!(refused(pause(301)), InvalidSetting::Pause);
    let ignored = |builder: Builder| pause(3601)(builder).revocations(RevocationPolicy::Ignored);
    assert_eq!(refused(ignored), InvalidSetting::Pause);
}

#[cfg(not(feature = "fetch"))]
#[test]
fn without_the_feature_fetch_a_source_is_needed() {
    let refused = Verifier::builder(ISSUER).audience(AUDIENCE).build().expect_err("refused");
    assert_eq!(refused, InvalidSetting::NoSource);
}

#[test]
fn a_verifier_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Verifier>();
}
