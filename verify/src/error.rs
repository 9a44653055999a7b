//! Why a token was refused, and what is answered then.

use std::fmt::Write as _;

/// Why a token was refused. No variant holds the token, a part of it, or a key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// No token came with the request.
    #[error("an access token is needed")]
    NoToken,
    /// The token is longer than [`crate::TOKEN_CHARS`].
    #[error("the access token is too long")]
    TooLong,
    /// Not a compact JWS with strict base64url and strict JSON; opaque tokens are not, either.
    #[error("the access token is not a well-formed JWT")]
    Malformed,
    /// `typ` is not `at+jwt` (RFC 9068 s4).
    #[error("the JWT is not an access token")]
    WrongType,
    /// `alg` is missing, not allowed, or not the key's own.
    #[error("the access token's algorithm is not the key's")]
    WrongAlgorithm,
    /// The header has this member, which would bring a foreign key or unknown rules.
    #[error("the access token's header has a member that is not allowed: {0}")]
    ForbiddenHeader(&'static str),
    /// `kid` is missing, or the issuer has no such key.
    #[error("the access token's key is not known")]
    UnknownKey,
    /// The signature is not that of the named key.
    #[error("the access token's signature is wrong")]
    BadSignature,
    /// This claim is missing.
    #[error("the access token lacks a claim: {0}")]
    MissingClaim(&'static str),
    /// This claim has a wrong type or an impossible value.
    #[error("the access token has a claim with a wrong value: {0}")]
    InvalidClaim(&'static str),
    /// `iss` is not exactly the configured issuer.
    #[error("the access token is of another issuer")]
    WrongIssuer,
    /// `aud` names none of the configured audiences.
    #[error("the access token is for another audience")]
    WrongAudience,
    /// `exp` has passed.
    #[error("the access token has expired")]
    Expired,
    /// `nbf` or `iat` lies in the future.
    #[error("the access token is not valid yet")]
    NotYetValid,
    /// The token, its session or its key was revoked.
    #[error("the access token was revoked")]
    Revoked,
    /// A scope is missing. Holds all that the request needs.
    #[error("the access token lacks a scope that is needed here")]
    InsufficientScope {
        /// The needed scopes, separated by blanks.
        scope: String,
    },
    /// The user must authenticate again or in another way (RFC 9470).
    #[error("{reason}")]
    InsufficientAuthentication {
        /// What is not met.
        reason: StepUp,
        /// How long ago the authentication may be, in seconds.
        max_age_s: Option<u64>,
        /// The `acr` values that are good enough, separated by blanks.
        acr_values: Option<String>,
    },
    /// There is no key set that is young enough.
    #[error("access tokens cannot be checked now: the issuer's keys cannot be had")]
    KeysUnavailable,
    /// There is no list of revocations that is young enough.
    #[error("access tokens cannot be checked now: the issuer's revocations cannot be had")]
    RevocationsUnavailable,
}

/// Which requirement of a step-up is not met.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StepUp {
    /// The authentication is too long ago.
    #[error("a more recent authentication is needed")]
    Age,
    /// `acr` is none of the wanted values.
    #[error("another authentication level is needed")]
    Level,
    /// `amr` lacks a wanted method.
    #[error("another authentication method is needed")]
    Method,
}

impl Error {
    /// A word for programs. It does not change.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoToken => "no_token",
            Self::TooLong => "token_too_long",
            Self::Malformed => "malformed_token",
            Self::WrongType => "wrong_type",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::ForbiddenHeader(_) => "forbidden_header",
            Self::UnknownKey => "unknown_key",
            Self::BadSignature => "bad_signature",
            Self::MissingClaim(_) => "missing_claim",
            Self::InvalidClaim(_) => "invalid_claim",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::InsufficientAuthentication { .. } => "insufficient_user_authentication",
            Self::KeysUnavailable => "keys_unavailable",
            Self::RevocationsUnavailable => "revocations_unavailable",
        }
    }

    /// The HTTP status to answer with: 401, 403 for a missing scope, 503 where the token may well be good but cannot be checked
    /// (RFC 6750 s3.1).
    pub fn status(&self) -> u16 {
        match self {
            Self::InsufficientScope { .. } => 403,
            Self::KeysUnavailable | Self::RevocationsUnavailable => 503,
            _ => 401,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750 s3, RFC 9470 s3). None with status 503: a client that heard `invalid_token` would
    /// throw away a token that may be good.
    pub fn www_authenticate(&self) -> Option<String> {
        let word = match self {
            Self::KeysUnavailable | Self::RevocationsUnavailable => return None,
            // Who sent nothing is told nothing more (RFC 6750 s3.1).
            Self::NoToken => return Some("Bearer".to_owned()),
            Self::InsufficientScope { .. } => "insufficient_scope",
            Self::InsufficientAuthentication { .. } => "insufficient_user_authentication",
            _ => "invalid_token",
        };
        let mut value =
            format!("Bearer error=\"{word}\", error_description=\"{}\"", quotable(&self.to_string()));
        // Writing to a `String` cannot fail.
        let mut add = |name: &str, text: &str| _ = write!(value, ", {name}={text}");
        match self {
            Self::InsufficientScope { scope } => add("scope", &format!("\"{}\"", quotable(scope))),
            Self::InsufficientAuthentication { max_age_s, acr_values, .. } => {
                if let Some(seconds) = max_age_s {
                    add("max_age", &seconds.to_string());
                }
                if let Some(values) = acr_values {
                    add("acr_values", &format!("\"{}\"", quotable(values)));
                }
            }
            _ => {}
        }
        Some(value)
    }
}

/// What may stand between quotes in `error_description` and `scope` (RFC 6750 s3): other characters are left out.
fn quotable(text: &str) -> String {
    text.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect()
}

/// What is wrong with the settings of a [`crate::Builder`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidSetting {
    /// The issuer is not an `http` or `https` URL without user, query and fragment.
    #[error("issuer: must be a URL with https, without user, query or fragment")]
    Issuer,
    /// The issuer ends with a slash; `iss` in tokens does not.
    #[error("issuer: must not end with a slash, since `iss` in tokens does not")]
    IssuerSlash,
    /// Plain HTTP to another machine: whoever stands between could hand over keys of their own.
    #[error("issuer: plain http is for this machine only; use https")]
    InsecureIssuer,
    /// No audience, or an empty one.
    #[error("audience: at least one is needed, none empty")]
    Audience,
    /// More than a minute of leeway.
    #[error("leeway: at most 60 seconds")]
    Leeway,
    /// Something may be held for a shorter time than until it is fetched again.
    #[error("{0}: must be at least as long as the time until it is fetched again")]
    Bound(&'static str),
    /// After a failed fetch nothing would be tried before what is held is too old.
    #[error("pause: must not be longer than keys and revocations are held")]
    Pause,
    /// Neither the feature `fetch` nor a source of one's own.
    #[error("source: the feature `fetch` is off, so hand over a source")]
    NoSource,
}
