//! What an application asks for by way of the browser (RFC 6749 s4.1.1, OpenID Connect Core s3.1.2.1), and how that is declined.

use std::fmt;

use crate::domain::authorization::Details;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::Scopes;

/// How long the application has to fetch its tokens, in seconds (RFC 6749 s4.1.2: ten minutes at most).
pub const CODE_TTL_S: i64 = 60;

/// The longest `state` and `nonce`, in characters.
const LONGEST_ECHO: usize = 2000;

/// A request that can be read. Whether the application may ask so is decided in `app`.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
    /// What the token shall do.
    pub scope: Option<Scopes>,
    /// Who it shall be for.
    pub audience: Option<String>,
    /// What it shall do in detail.
    pub details: Details,
    /// What the ID token shall repeat, so that it fits this request alone.
    pub nonce: Option<String>,
    /// What only the sender of this request can answer.
    pub challenge: Option<CodeChallenge>,
    /// What the user shall see.
    pub prompt: Prompt,
    /// How old the user's login may be, in seconds.
    pub max_age_s: Option<i64>,
    /// An ID token from here: whom the application takes the user for.
    pub id_token_hint: Option<String>,
    /// Of what classes it may be, or stronger; any, where none is named that this server knows (RFC 9470 s4).
    pub acr_values: Vec<String>,
    /// All of it as it was written, but for what is asked once: what the user agrees to.
    pub text: String,
    /// The mark of a page on which the user has agreed to it.
    pub agreed: Option<String>,
}

/// `nonce`: up to 2,000 visible ASCII characters and blanks.
pub fn parse_nonce(text: &str) -> Result<String, Invalid> {
    parse_echo("nonce", text)
}

/// `state`, the same.
pub fn parse_state(text: &str) -> Result<String, Invalid> {
    parse_echo("state", text)
}

fn parse_echo(field: &'static str, text: &str) -> Result<String, Invalid> {
    if text.len() <= LONGEST_ECHO && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new(field, "must be at most 2,000 visible ASCII characters"))
    }
}

/// `max_age`, in seconds; what is longer than a century counts as one.
pub fn parse_max_age(text: &str) -> Result<i64, Invalid> {
    const CENTURY_S: i64 = 100 * 365 * 86_400;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Invalid::new("max_age", "must be a number of seconds"));
    }
    Ok(text.parse().map_or(CENTURY_S, |seconds: i64| seconds.min(CENTURY_S)))
}

/// `prompt`: what the user shall see, whoever is logged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Prompt {
    /// Nothing: the answer is for the application alone.
    pub none: bool,
    /// The login.
    pub login: bool,
    /// Who is logged in, with the choice to be somebody else or to leave it.
    pub ask: bool,
}

impl Prompt {
    /// Reads words separated by blanks; those that OpenID Connect has not are ignored.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let has = |word| text.split(' ').any(|given| given == word);
        let prompt =
            Self { none: has("none"), login: has("login"), ask: has("consent") || has("select_account") };
        if prompt.none && text.split(' ').any(|given| !given.is_empty() && given != "none") {
            return Err(Invalid::new("prompt", "holds none and something else"));
        }
        Ok(prompt)
    }
}

/// `code_challenge` by the method S256 (RFC 7636 s4.2): a hash of a text that only the sender of the request knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodeChallenge(String);

impl CodeChallenge {
    /// Takes a SHA-256 in base64url. `plain` is refused: whoever reads the request could answer it.
    pub fn parse(challenge: &str, method: Option<&str>) -> Result<Self, Invalid> {
        if method != Some("S256") {
            return Err(Invalid::new("code_challenge_method", "must be S256"));
        }
        if challenge.len() == 43 && challenge.bytes().all(is_base64url) {
            Ok(Self(challenge.to_owned()))
        } else {
            Err(Invalid::new("code_challenge", "must be a SHA-256 in base64url"))
        }
    }

    /// As stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// `code_verifier`: the text itself (RFC 7636 s4.1).
pub struct CodeVerifier(String);

impl CodeVerifier {
    /// Takes 43 to 128 unreserved characters.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (43..=128).contains(&text.len())
            && text.bytes().all(|byte| is_base64url(byte) || matches!(byte, b'.' | b'~'));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("code_verifier", "must be 43 to 128 letters, digits and - . _ ~"))
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an application hears instead of a code, by way of the browser.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Declined {
    /// What it would hear from the token endpoint, too.
    Refused(Refusal),
    /// It wants something else than a code (RFC 6749 s4.1.2.1).
    UnsupportedResponseType,
    /// Nobody may be asked, and nobody is logged in, or not well enough (OpenID Connect Core s3.1.2.6).
    LoginRequired,
    /// Nobody may be asked, but it wants that.
    InteractionRequired,
    /// The user left it.
    AccessDenied,
    /// The same user goes to applications too often.
    TooMany,
    /// It has put its request into an object of its own.
    RequestNotSupported,
    /// Or somewhere else.
    RequestUriNotSupported,
}

impl Declined {
    /// The `error`.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::LoginRequired => "login_required",
            Self::InteractionRequired => "interaction_required",
            Self::AccessDenied => "access_denied",
            Self::TooMany => "temporarily_unavailable",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
        }
    }
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::UnsupportedResponseType => f.write_str("response_type must be code"),
            Self::LoginRequired => f.write_str("nobody is logged in, or not lately or well enough"),
            Self::InteractionRequired => f.write_str("the user would have to be asked"),
            Self::AccessDenied => f.write_str("the user went back"),
            Self::TooMany => f.write_str("the user was sent here too often; try again in a while"),
            Self::RequestNotSupported => f.write_str("request is not supported"),
            Self::RequestUriNotSupported => f.write_str("request_uri is not supported"),
        }
    }
}

impl<R: Into<Refusal>> From<R> for Declined {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_shows_nothing_or_something() {
        let none = Prompt { none: true, ..Prompt::default() };
        assert_eq!(Prompt::parse("none"), Ok(none));
        let both = Prompt { login: true, ask: true, ..Prompt::default() };
        assert_eq!(Prompt::parse("login consent create"), Ok(both));
        assert!(Prompt::parse("none login").is_err());
    }

    #[test]
    fn only_hashes_are_challenges() {
        // RFC 7636 appendix B.
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(CodeChallenge::parse(challenge, Some("S256")).is_ok());
        for method in [None, Some("plain"), Some("s256")] {
            assert!(CodeChallenge::parse(challenge, method).is_err(), "{method:?}");
        }
        assert!(CodeChallenge::parse(&challenge[1..], Some("S256")).is_err());
        assert!(CodeChallenge::parse(&challenge.replace('-', "+"), Some("S256")).is_err());
    }

    #[test]
    fn a_verifier_is_long_enough_to_be_no_guess() {
        assert!(
            CodeVerifier::parse(&"a".repeat(43)).is_ok() && CodeVerifier::parse(&"~".repeat(128)).is_ok()
        );
        for bad in ["a".repeat(42), "a".repeat(129), "ä".repeat(43), " ".repeat(43)] {
            assert!(CodeVerifier::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_age_is_a_number() {
        assert_eq!(parse_max_age("0"), Ok(0));
        assert_eq!(parse_max_age(&"9".repeat(40)), Ok(3_153_600_000));
        for bad in ["", "-1", "+1", "1.5", "x"] {
            assert!(parse_max_age(bad).is_err(), "{bad}");
        }
    }
}
