//! Time-based one-time passwords, RFC 6238.
//!
//! The codes come from the `totp-rs` crate; the window, the order of steps and the rule "never twice" are
//! ours. The clock is the caller's: everything here works on a [`Step`].

use crate::{Algorithm, Code, Digits, Period, Secret, Step, search};

/// How many steps before and after the present one are looked at, for clocks that differ and for the time it
/// takes to type (RFC 6238 s5.2). One step either side by default.
///
/// Every step of the window costs one HMAC and one more code that would be accepted, so whoever lets it be
/// configured must bound it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Steps into the past.
    pub back: u32,
    /// Steps into the future.
    pub ahead: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { back: 1, ahead: 1 }
    }
}

/// What a TOTP factor is computed with, apart from its secret. By default SHA-1, six digits, thirty seconds:
/// the values that every authenticator app understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Totp {
    /// The hash.
    pub algorithm: Algorithm,
    /// The length of a code.
    pub digits: Digits,
    /// The length of a step.
    pub period: Period,
}

impl Totp {
    /// The step a moment falls into: T of RFC 6238 s4.2 with T0 = 0.
    pub const fn step_at(&self, unix_seconds: u64) -> Step {
        Step::new(unix_seconds / self.period.get() as u64)
    }

    /// How many seconds the code of this moment still stands, from the period down to 1.
    pub const fn seconds_left(&self, unix_seconds: u64) -> u32 {
        let period = self.period.get();
        // The remainder is below the period, so it fits.
        #[expect(clippy::cast_possible_truncation, reason = "a remainder is below its divisor, a u32")]
        let gone = (unix_seconds % period as u64) as u32;
        period - gone
    }

    /// The code of one step.
    pub fn code(&self, secret: &Secret, step: Step) -> Code {
        self.codes(secret)(step.get())
    }

    /// The first step of the window around `now` that has this code and comes strictly after `last`, the last
    /// accepted one.
    ///
    /// `None` means a wrong code, one of another time, or one used before; the caller must not tell these
    /// apart to the outside. A step that is returned must be remembered as `last` before anything is granted
    /// for it (RFC 6238 s5.2). Every step of the window is computed, whatever matches.
    #[must_use]
    pub fn check(
        &self,
        secret: &Secret,
        code: &Code,
        now: Step,
        window: Window,
        last: Option<Step>,
    ) -> Option<Step> {
        let range = around(now, window.back, window.ahead);
        search::one(range, after(last), self.codes(secret), code).map(Step::new)
    }

    /// Finds a clock that is far off by two codes of consecutive steps, both within `reach` steps of `now`
    /// and both strictly after `last`. Returns the step of the second, which must be remembered as the last
    /// accepted one; its distance from `now` is the drift.
    ///
    /// Two codes make up for the wide reach: a guess at both hits about once in `10^(2 * digits) / (2 *
    /// reach)` tries.
    #[must_use]
    pub fn resynchronise(
        &self,
        secret: &Secret,
        first: &Code,
        second: &Code,
        now: Step,
        reach: u32,
        last: Option<Step>,
    ) -> Option<Step> {
        search::two(around(now, reach, reach), after(last), self.codes(secret), first, second).map(Step::new)
    }

    /// The generator. A `totp-rs` step of one second makes its seconds our steps, which keeps its
    /// multiplication out of the way; its own length check would refuse the 80-bit secrets that many issuers
    /// use, and [`Secret`] and [`Digits`] have already checked what it relies on.
    fn codes(&self, secret: &Secret) -> impl Fn(u64) -> Code {
        let algorithm = match self.algorithm {
            Algorithm::Sha1 => totp_rs::Algorithm::SHA1,
            Algorithm::Sha256 => totp_rs::Algorithm::SHA256,
            Algorithm::Sha512 => totp_rs::Algorithm::SHA512,
        };
        let digits = self.digits;
        let generator = totp_rs::Builder::new()
            .with_algorithm(algorithm)
            .with_digits(digits.get())
            .with_step_duration(1)
            .with_secret(secret.expose())
            .build_noncompliant();
        move |step| Code::printed(generator.generate(step), digits)
    }
}

/// From `back` before to `ahead` after, cut off at both ends of time.
fn around(now: Step, back: u32, ahead: u32) -> core::ops::RangeInclusive<u64> {
    now.get().saturating_sub(back.into())..=now.get().saturating_add(ahead.into())
}

/// The rule that a step comes strictly after the last accepted one.
fn after(last: Option<Step>) -> impl Fn(u64) -> bool {
    move |step| last.is_none_or(|last| step > last.get())
}
