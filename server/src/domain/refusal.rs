//! What is refused on purpose. A refusal is a value: its failure counters and audit events are
//! committed like any other outcome.

use std::borrow::Cow;
use std::fmt;

use crate::domain::time::Timestamp;

/// Input that is not what the field takes: names the field and says what is wrong with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invalid {
    field: Cow<'static, str>,
    reason: Cow<'static, str>,
}

impl Invalid {
    /// `reason` completes the sentence that `field` begins: `otp`, `is missing`.
    pub fn new(field: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }

    /// The same from words that stand in the program.
    pub const fn fixed(field: &'static str, reason: &'static str) -> Self {
        Self { field: Cow::Borrowed(field), reason: Cow::Borrowed(reason) }
    }

    /// The same of a field that goes by another name here.
    #[must_use]
    pub fn named(self, field: &'static str) -> Self {
        Self { field: field.into(), ..self }
    }

    /// The field's name as the caller wrote it.
    pub fn field(&self) -> &str {
        &self.field
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.field, self.reason)
    }
}

/// Everything that Countersign refuses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A field is missing, doubled or malformed (RFC 6749 s5.2 `invalid_request`).
    Invalid(Invalid),
    /// Wrong, replayed or unknown code, user, password or `mfa_token`: one answer for all of them.
    InvalidGrant,
    /// [`Self::InvalidGrant`] to applications. To whoever has shown the password: the code was right once.
    CodeUsed,
    /// [`Self::InvalidGrant`] to applications. To whoever has shown the password: that was too long ago.
    LoginExpired,
    /// Locked or too fast.
    TooManyAttempts {
        /// When another try makes sense.
        retry_after_s: u64,
    },
    /// The client is unknown, disabled, or its secret is wrong.
    InvalidClient,
    /// The client was not registered for this grant.
    UnauthorizedClient,
    /// A grant type that this server does not know.
    UnsupportedGrantType,
    /// A scope that the client was not registered for.
    InvalidScope,
    /// What is no scope at all (RFC 6749 s5.2).
    MalformedScope,
    /// An audience that the client was not registered for, or that the login is not for (RFC 8707 s2).
    InvalidTarget,
    /// `authorization_details` that this server cannot honour (RFC 9396 s5).
    InvalidAuthorizationDetails,
    /// The bearer token is missing, unknown, expired or ended (RFC 6750 s3.1).
    InvalidToken,
    /// The bearer token does not reach this far (RFC 6750 s3.1).
    InsufficientScope {
        /// The scope that would.
        needed: &'static str,
    },
    /// The login behind the bearer token is too old, or too weak, for this (RFC 9470 s3).
    InsufficientAuthentication {
        /// How old it may be, in seconds.
        max_age_s: i64,
    },
    /// A manager may not reach further than the own role and scopes, not even through others.
    OutOfReach,
    /// An application may not remove, disable or disarm itself: nobody might be left to undo it.
    OwnClient,
    /// Without the last administrator nobody could manage but by the command line.
    LastAdministrator,
    /// Whoever has only a password may not add or remove factors beside an active one.
    FactorNeeded,
    /// No more factors fit.
    TooManyFactors,
    /// There is no such thing.
    NotFound {
        /// What was looked for: `user`, `factor`, `client`, `path`.
        what: &'static str,
    },
    /// To a phone: there is no such factor, or the proof is wrong. One answer for both.
    UnknownFactor,
    /// To the phone of a factor that is over.
    FactorEnded,
    /// To a phone that has shown a good proof: the code does not fit.
    CodeNotAccepted {
        /// The server's time, for the phone to see whether its clock is wrong.
        now: Timestamp,
    },
    /// A phone's clock is too far from the server's for its proofs to be looked at.
    PhoneClock {
        /// The server's time.
        now: Timestamp,
    },
    /// The name is taken.
    AlreadyExists {
        /// What exists: `user`, `client`.
        what: &'static str,
    },
}

impl Refusal {
    /// A stable name, for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_request",
            Self::InvalidGrant | Self::CodeUsed | Self::LoginExpired => "invalid_grant",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::InvalidClient => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope | Self::MalformedScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidAuthorizationDetails => "invalid_authorization_details",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::InsufficientAuthentication { .. } => "insufficient_user_authentication",
            Self::OutOfReach => "out_of_reach",
            Self::OwnClient => "own_client",
            Self::LastAdministrator => "last_administrator",
            Self::FactorNeeded => "factor_needed",
            Self::TooManyFactors => "too_many_factors",
            Self::NotFound { .. } => "not_found",
            Self::UnknownFactor => "unknown_factor",
            Self::FactorEnded => "ended",
            Self::CodeNotAccepted { .. } => "code_not_accepted",
            Self::PhoneClock { .. } => "clock",
            Self::AlreadyExists { .. } => "already_exists",
        }
    }
}

/// One sentence for people; for [`Refusal::InvalidGrant`] the same whatever was wrong.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(invalid) => invalid.fmt(f),
            Self::InvalidGrant | Self::CodeUsed | Self::LoginExpired => {
                f.write_str("the user, password, code or token is not valid")
            }
            Self::TooManyAttempts { retry_after_s } => {
                write!(f, "too many attempts; try again in {retry_after_s} s")
            }
            Self::InvalidClient => f.write_str("the client is unknown or its secret is wrong"),
            Self::UnauthorizedClient => f.write_str("the client is not registered for this"),
            Self::UnsupportedGrantType => f.write_str("this grant type is not supported"),
            Self::InvalidScope => f.write_str("the client is not registered for this scope"),
            Self::MalformedScope => f.write_str(
                "scope is longer than 1,000 characters, or holds one that RFC 6749 s3.3 does not allow",
            ),
            Self::InvalidTarget => {
                f.write_str("the client is not registered for this audience, or the login is for another")
            }
            Self::InvalidAuthorizationDetails => {
                f.write_str("authorization_details are malformed, or not among what the client or login has")
            }
            Self::InvalidToken => f.write_str("the bearer token is missing, unknown or no longer valid"),
            Self::InsufficientScope { needed } => write!(f, "the token lacks the scope {needed}"),
            Self::InsufficientAuthentication { max_age_s } => {
                write!(f, "this wants a login of the last {max_age_s} s: log in again")
            }
            Self::OutOfReach => f.write_str("this reaches further than the token's own role and scopes"),
            Self::OwnClient => f.write_str("an application does not remove, disable or disarm itself"),
            Self::LastAdministrator => f.write_str("this is the last administrator: make another one first"),
            Self::FactorNeeded => {
                f.write_str("this user has an active factor: use a token that was obtained with it")
            }
            Self::TooManyFactors => f.write_str("this user has as many factors as are allowed"),
            Self::NotFound { what } => write!(f, "there is no such {what}"),
            Self::UnknownFactor => f.write_str("there is no such factor, or the proof is wrong"),
            Self::FactorEnded => f.write_str("this factor is over: enrol again"),
            Self::CodeNotAccepted { .. } => {
                f.write_str("the code is not that of this moment: compare clocks and parameters")
            }
            Self::PhoneClock { .. } => f.write_str("unix_seconds is more than 300 s from the server's time"),
            Self::AlreadyExists { what } => write!(f, "a {what} of this name exists already"),
        }
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}
