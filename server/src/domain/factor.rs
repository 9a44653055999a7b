//! Factors: the enrolments of phones and tokens, and the first link of the chain check, spend, issue.

use mobile_core::{Algorithm, Code, Counter, Digits, Hotp, Period, Secret, Step, Totp, Window};

use crate::domain::id::{FactorId, UserId};
use crate::domain::refusal::Invalid;
use crate::domain::time::Timestamp;
use crate::domain::words::words;

/// HOTP: how many counters beyond the next one are looked at (RFC 4226 s7.2).
pub const LOOK_AHEAD: u32 = 10;

/// HOTP: how far two consecutive codes may lie ahead at resynchronisation (RFC 4226 s7.4).
pub const RESYNCHRONISATION_REACH: u32 = 1000;

/// How long an unconfirmed factor waits for its first code.
pub const PENDING_TTL_S: i64 = 3600;

/// Every further active factor is one more code that a guess may hit.
pub const MAX_ACTIVE_FACTORS: usize = 5;

words! {
    /// Where a factor is in its life. A factor never goes back.
    FactorState, "state" {
        /// Enrolled, not yet shown to work: verifies nothing.
        Pending = "pending",
        /// Verifies codes.
        Active = "active",
        /// Over: its secret is gone.
        Revoked = "revoked",
    }
}

/// What moves a factor's code on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// Time (RFC 6238).
    Totp(Totp),
    /// Use (RFC 4226).
    Hotp(Hotp),
}

impl Mechanism {
    /// From what somebody asks for in words and numbers; the period is TOTP's, the counter HOTP's alone.
    pub fn of(
        kind: &str,
        algorithm: &str,
        digits: u8,
        period: Option<u32>,
        counter: Option<u64>,
    ) -> Result<Self, Invalid> {
        let algorithm: Algorithm =
            algorithm.parse().map_err(|_| Invalid::new("algorithm", "must be SHA1, SHA256 or SHA512"))?;
        let digits = Digits::new(digits).map_err(|_| Invalid::new("digits", "must be 6, 7 or 8"))?;
        match kind {
            "totp" if counter.is_some() => Err(Invalid::new("counter", "is for hotp only")),
            "totp" => {
                let period = period
                    .map_or(Ok(Period::default()), Period::new)
                    .map_err(|_| Invalid::new("period", "must be at least 1 second"))?;
                Ok(Self::Totp(Totp { algorithm, digits, period }))
            }
            "hotp" if period.is_some() => Err(Invalid::new("period", "is for totp only")),
            "hotp" => Ok(Self::Hotp(Hotp { algorithm, digits })),
            _ => Err(Invalid::new("kind", "must be totp or hotp")),
        }
    }

    /// `totp` or `hotp`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Totp(_) => "totp",
            Self::Hotp(_) => "hotp",
        }
    }

    /// How long its codes are.
    pub const fn digits(&self) -> Digits {
        match self {
            Self::Totp(totp) => totp.digits,
            Self::Hotp(hotp) => hotp.digits,
        }
    }

    /// The period, where there is one.
    pub const fn period(&self) -> Option<Period> {
        match self {
            Self::Totp(totp) => Some(totp.period),
            Self::Hotp(_) => None,
        }
    }
}

/// The longest period that anybody watches run out, in seconds.
const LONGEST_COUNTDOWN_S: u32 = 60;

/// What somebody's codes look like, as far as those of all factors look alike: so much a page can say to whoever types one.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct CodeShape {
    digits: Option<Digits>,
    period: Option<Period>,
}

impl CodeShape {
    /// That of all these factors together. Where there is none, nothing is known.
    pub fn of(mechanisms: impl IntoIterator<Item = Mechanism>) -> Self {
        let shapes = mechanisms
            .into_iter()
            .map(|mechanism| Self { digits: Some(mechanism.digits()), period: mechanism.period() });
        let both = |one: Self, other: Self| Self {
            digits: one.digits.filter(|_| one.digits == other.digits),
            period: one.period.filter(|_| one.period == other.period),
        };
        shapes.reduce(both).unwrap_or_default()
    }

    /// How many digits every code has.
    pub fn digits(self) -> Option<u8> {
        self.digits.map(Digits::get)
    }

    /// After how many seconds every code changes, where that is soon enough to wait for.
    pub fn countdown_s(self) -> Option<u32> {
        self.period.map(Period::get).filter(|seconds| *seconds <= LONGEST_COUNTDOWN_S)
    }
}

/// A factor as lists show it: everything but its secret.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The id.
    pub id: FactorId,
    /// Whose it is.
    pub user: UserId,
    /// How its codes are made.
    pub mechanism: Mechanism,
    /// What the user calls it.
    pub label: String,
    /// Where it is in its life.
    pub state: FactorState,
    /// When it was enrolled.
    pub created_at: Timestamp,
    /// While pending: when it lapses.
    pub expires_at: Option<Timestamp>,
    /// When its first code confirmed it.
    pub confirmed_at: Option<Timestamp>,
    /// When a code of it was last accepted.
    pub used_at: Option<Timestamp>,
    /// HOTP: whether it verifies nothing until it is resynchronised, since the database was restored from a backup.
    pub in_doubt: bool,
}

impl Summary {
    /// Whether a pending factor has waited too long.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        self.state == FactorState::Pending && self.expires_at.is_none_or(|at| at <= now)
    }
}

/// The highest step or counter that fits the database's signed column, with room for every window above it.
pub const LAST_POSSIBLE_STEP: u64 = i64::MAX as u64 - 10_000;

/// The last accepted step or counter; for HOTP one less than the next counter. None: none was ever accepted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LastStep {
    step: Option<u64>,
    /// HOTP: more may have been accepted than is known, since the database was restored from a backup.
    in_doubt: bool,
}

impl LastStep {
    /// Nothing accepted yet.
    pub const NONE: Self = Self { step: None, in_doubt: false };

    /// TOTP: the last step whose code was acceptable by then.
    pub fn acceptable_at(period: Period, until: Timestamp) -> Self {
        let present = Totp { period, ..Totp::default() }.step_at(until.unix_seconds());
        Self::at(Some(present.get().saturating_add(Window::default().ahead.into())))
    }

    const fn at(step: Option<u64>) -> Self {
        Self { step, in_doubt: false }
    }

    /// Whether a counter at least so high may have been used already, nobody knows which.
    pub const fn is_in_doubt(self) -> bool {
        self.in_doubt
    }

    /// For HOTP factors that start at `next`, which must leave room above it.
    pub fn before(next: Counter) -> Result<Self, Invalid> {
        if next.get() > LAST_POSSIBLE_STEP {
            return Err(Invalid::new("counter", "is too large"));
        }
        Ok(Self::at(next.get().checked_sub(1)))
    }

    /// As stored: -1 for none. What is in doubt counts downwards from -2, which stands for none: so whatever step is spent next is higher.
    pub fn stored(self) -> i64 {
        let certain = self.step.and_then(|step| i64::try_from(step).ok()).unwrap_or(-1);
        if self.in_doubt { (-3_i64).saturating_sub(certain) } else { certain }
    }

    /// From the stored number.
    pub fn from_stored(stored: i64) -> Self {
        let in_doubt = stored < -1;
        let certain = if in_doubt { (-3_i64).saturating_sub(stored) } else { stored };
        Self { step: u64::try_from(certain).ok(), in_doubt }
    }

    /// HOTP: the next counter.
    pub fn next_counter(self) -> Counter {
        Counter::new(self.step.map_or(0, |last| last.saturating_add(1)))
    }
}

/// A factor opened for checking: with its secret, and only as long as that takes.
pub struct OpenFactor {
    id: FactorId,
    user: UserId,
    mechanism: Mechanism,
    state: FactorState,
    last: LastStep,
    secret: Secret,
}

/// A code that is right for a factor and comes after the last accepted one. Only [`OpenFactor::check`] and
/// [`OpenFactor::resynchronise`] make it; only the database's `spend` takes it.
#[must_use]
#[derive(Debug)]
pub struct Matched {
    factor: FactorId,
    user: UserId,
    step: u64,
    confirms: bool,
}

impl Matched {
    /// The factor whose code it is.
    pub const fn factor(&self) -> FactorId {
        self.factor
    }

    /// The factor's user.
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// Whether the factor was pending and this code confirms it.
    pub const fn confirms(&self) -> bool {
        self.confirms
    }

    /// The matched step or counter as the database holds it.
    pub fn stored_step(&self) -> i64 {
        LastStep::at(Some(self.step)).stored()
    }
}

/// What a code is to a factor.
#[derive(Debug)]
pub enum Verdict {
    /// Right, and not used before.
    Matched(Matched),
    /// Right once: its step, or a later one, was accepted already.
    Replayed,
    /// HOTP: right, but perhaps used since the backup that the database was restored from. Two consecutive codes help.
    InDoubt,
    /// Wrong, or of another time.
    Wrong,
}

impl OpenFactor {
    /// Puts together what was stored.
    pub fn new(summary: &Summary, last: LastStep, secret: Secret) -> Self {
        Self {
            id: summary.id,
            user: summary.user,
            mechanism: summary.mechanism,
            state: summary.state,
            last,
            secret,
        }
    }

    /// Whether its secret is this one.
    pub fn has_secret(&self, secret: &Secret) -> bool {
        self.secret.expose() == secret.expose()
    }

    /// Checks a code against the window round `now` (TOTP) or ahead of the counter (HOTP).
    pub fn check(&self, code: &Code, now: Timestamp) -> Verdict {
        match self.mechanism {
            Mechanism::Totp(totp) => {
                let present = totp.step_at(now.unix_seconds());
                let check = |last| totp.check(&self.secret, code, present, Window::default(), last);
                match check(self.last.step.map(Step::new)) {
                    Some(step) => self.verdict(step.get()),
                    None if check(None).is_some() => Verdict::Replayed,
                    None => Verdict::Wrong,
                }
            }
            Mechanism::Hotp(hotp) => {
                match hotp.check(&self.secret, code, self.last.next_counter(), LOOK_AHEAD) {
                    Some(_) if self.last.is_in_doubt() => Verdict::InDoubt,
                    Some(counter) => self.verdict(counter.get()),
                    None if self.is_last_hotp_code(hotp, code) => Verdict::Replayed,
                    None => Verdict::Wrong,
                }
            }
        }
    }

    /// HOTP: accepts two consecutive codes from further ahead; the second one is the one to spend.
    pub fn resynchronise(&self, first: &Code, second: &Code) -> Option<Matched> {
        let Mechanism::Hotp(hotp) = self.mechanism else { return None };
        let next = self.last.next_counter();
        hotp.resynchronise(&self.secret, first, second, next, RESYNCHRONISATION_REACH)
            .and_then(|counter| self.matched(counter.get()))
    }

    fn is_last_hotp_code(&self, hotp: Hotp, code: &Code) -> bool {
        self.last.step.is_some_and(|last| hotp.code(&self.secret, Counter::new(last)).matches(code))
    }

    fn verdict(&self, step: u64) -> Verdict {
        self.matched(step).map_or(Verdict::Wrong, Verdict::Matched)
    }

    fn matched(&self, step: u64) -> Option<Matched> {
        (step <= LAST_POSSIBLE_STEP + u64::from(RESYNCHRONISATION_REACH)).then(|| Matched {
            factor: self.id,
            user: self.user,
            step,
            confirms: self.state == FactorState::Pending,
        })
    }
}

/// A code as somebody typed it into `field`. What is wrong is said in words, without the text itself.
pub fn parse_code(field: &'static str, text: &str) -> Result<Code, Invalid> {
    Code::parse(text).map_err(|_| Invalid::new(field, "must be 6 to 8 digits 0 to 9"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_back_and_doubt_lies_below_every_step() {
        for step in [None, Some(0), Some(1), Some(4711), Some(LAST_POSSIBLE_STEP)] {
            for in_doubt in [false, true] {
                let last = LastStep { step, in_doubt };
                assert_eq!(LastStep::from_stored(last.stored()), last);
                assert!(!in_doubt || last.stored() < -1);
            }
        }
        assert_eq!(LastStep::NONE.stored(), -1);
        assert_eq!(LastStep { step: Some(7), in_doubt: true }.next_counter(), Counter::new(8));
    }
}
