//! Clients: the applications that ask for tokens, and what each of them may ask for.

use std::fmt;

use crate::domain::id::ClientId;
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::scope::{OFFLINE_ACCESS, Scopes};
use crate::domain::time::Timestamp;
use crate::domain::words::words;

words! {
    /// A way to get a token: the `grant_type` of RFC 6749.
    Grant, "grant" {
        /// Name and password; leads to `mfa_required`.
        Password = "password",
        /// An `mfa_token` and a code.
        MfaOtp = "http://auth0.com/oauth/grant-type/mfa-otp",
        /// A name and a code, from a client that has checked the first factor itself.
        Otp = "urn:countersign:params:oauth:grant-type:otp",
        /// An `mfa_token` and a recovery code.
        MfaRecoveryCode = "http://auth0.com/oauth/grant-type/mfa-recovery-code",
        /// A code that the browser brought from a login here (RFC 6749 s4.1).
        AuthorizationCode = "authorization_code",
        /// A refresh token (RFC 6749 s6).
        RefreshToken = "refresh_token",
        /// The client for itself (RFC 6749 s4.4).
        ClientCredentials = "client_credentials",
    }
}

words! {
    /// What an access token looks like.
    TokenFormat, "token_format" {
        /// Signed, so that anybody can check it (RFC 9068).
        Jwt = "jwt",
        /// Random; only introspection tells what it is.
        Opaque = "opaque",
    }
}

words! {
    /// Whether a user without a factor may log in with the password alone.
    SecondFactor, "second_factor" {
        /// No: the user must enrol first.
        Required = "required",
        /// Yes.
        Optional = "optional",
    }
}

words! {
    /// Whether a client may ask for anything.
    ClientState, "state" {
        /// Yes.
        Active = "active",
        /// No: its secret counts as wrong, and its tokens as dead.
        Disabled = "disabled",
    }
}

/// A client's name: what administrators call it, unique, and as good as its id on the command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientName(String);

impl ClientName {
    /// Takes 1 to 100 visible ASCII characters and blanks inside.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=100).contains(&text.len())
            && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
            && text.trim() == text;
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("name", "must be 1 to 100 visible ASCII characters"))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The longest that an access token may live, in seconds: thirty days.
pub const MAX_TOKEN_TTL_S: i64 = 30 * 86_400;

/// How long access tokens live when nobody says otherwise, in seconds.
pub const DEFAULT_TOKEN_TTL_S: i64 = 900;

/// How long a session may last in all when nobody says otherwise, in seconds: thirty days.
pub const DEFAULT_SESSION_TTL_S: i64 = 30 * 86_400;

/// How long a session may go without a refresh when nobody says otherwise, in seconds: seven days.
pub const DEFAULT_SESSION_IDLE_S: i64 = 7 * 86_400;

/// How long a refresh token that was exchanged is known at least, in seconds: seven days.
pub const SPENT_KEPT_S: i64 = 7 * 86_400;

/// The longest that a session may last, in seconds: a year.
pub const MAX_SESSION_TTL_S: i64 = 365 * 86_400;

/// How long the logins at a client last where they are refreshed. Without a refresh a session ends with its token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionLimits {
    idle_s: i64,
    ttl_s: i64,
}

impl SessionLimits {
    /// `idle_s` without a refresh, `ttl_s` in all; each from 1 second to 365 days.
    pub fn new(idle_s: i64, ttl_s: i64) -> Result<Self, Invalid> {
        for (field, value) in [("session_idle", idle_s), ("session_ttl", ttl_s)] {
            if !(1..=MAX_SESSION_TTL_S).contains(&value) {
                return Err(Invalid::new(field, "must be 1 to 31536000 seconds"));
            }
        }
        Ok(Self { idle_s, ttl_s })
    }

    /// Seconds without a refresh after which a session ends.
    pub const fn idle_s(self) -> i64 {
        self.idle_s
    }

    /// Seconds after the login when a session ends, however often it was refreshed.
    pub const fn ttl_s(self) -> i64 {
        self.ttl_s
    }

    /// Seconds for which a refresh token that was exchanged is known for what it is. An application that has not shown its own for the idle time
    /// has no session to come back to anyway; until then it must find out that somebody else has used it.
    pub const fn spent_kept_s(self) -> i64 {
        if self.idle_s > SPENT_KEPT_S { self.idle_s } else { SPENT_KEPT_S }
    }
}

/// The limits of the tokens that a client gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenPolicy {
    format: TokenFormat,
    ttl_s: i64,
    one_use: bool,
}

impl TokenPolicy {
    /// `ttl_s` from 1 second to 30 days. A one-use token is always opaque: a JWT can be checked without anybody
    /// hearing of it.
    pub fn new(format: Option<TokenFormat>, ttl_s: i64, one_use: bool) -> Result<Self, Invalid> {
        if !(1..=MAX_TOKEN_TTL_S).contains(&ttl_s) {
            return Err(Invalid::new("token_ttl", "must be 1 to 2592000 seconds"));
        }
        let format = match (format, one_use) {
            (Some(TokenFormat::Jwt), true) => {
                return Err(Invalid::new("token_format", "must be opaque for one-use tokens"));
            }
            (_, true) => TokenFormat::Opaque,
            (format, false) => format.unwrap_or(TokenFormat::Jwt),
        };
        Ok(Self { format, ttl_s, one_use })
    }

    /// JWT or opaque.
    pub const fn format(&self) -> TokenFormat {
        self.format
    }

    /// Lifetime in seconds.
    pub const fn ttl_s(&self) -> i64 {
        self.ttl_s
    }

    /// Whether the first introspection spends the token.
    pub const fn one_use(&self) -> bool {
        self.one_use
    }
}

/// A client as stored, without its secret.
#[derive(Clone, Debug)]
pub struct Client {
    /// The id; the `client_id` of OAuth.
    pub id: ClientId,
    /// The name.
    pub name: ClientName,
    /// The grants it was registered for.
    pub grants: Vec<Grant>,
    /// Where the browser may be sent back to after a login or a logout, character by character.
    pub redirect_uris: Vec<String>,
    /// The audiences it may ask tokens for, beside the issuer itself.
    pub audiences: Vec<String>,
    /// The scopes it may ask for.
    pub scopes: Scopes,
    /// The types of `authorization_details` that it may ask for (RFC 9396 s5).
    pub detail_types: Vec<String>,
    /// Limits of its tokens.
    pub policy: TokenPolicy,
    /// Limits of its sessions.
    pub sessions: SessionLimits,
    /// Whether its users need a second factor.
    pub second_factor: SecondFactor,
    /// Whether it may ask for anything.
    pub state: ClientState,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Client {
    /// Refuses a grant that the client was not registered for.
    pub fn must_have(&self, grant: Grant) -> Result<(), Refusal> {
        if self.has(grant) { Ok(()) } else { Err(Refusal::UnauthorizedClient) }
    }

    /// Whether it was registered for this grant.
    pub fn has(&self, grant: Grant) -> bool {
        self.grants.contains(&grant)
    }

    /// Whether browsers may be sent to this address. Some were registered when nothing was sent there yet, and anything was taken.
    pub fn has_redirect_uri(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|own| own == uri) && parse_redirect_uri("redirect_uri", uri).is_ok()
    }

    /// Whether a login with this scope gets a refresh token (OpenID Connect Core s11).
    pub fn may_refresh(&self, scope: &Scopes) -> bool {
        self.grants.contains(&Grant::RefreshToken) && scope.contains(OFFLINE_ACCESS)
    }

    /// The audience of a token: the one asked for, if the client has it, or the issuer.
    pub fn audience(&self, asked: Option<&str>, issuer: &str) -> Result<String, Refusal> {
        match asked {
            None => Ok(issuer.to_owned()),
            Some(asked) if asked == issuer || self.audiences.iter().any(|has| has == asked) => {
                Ok(asked.to_owned())
            }
            Some(_) => Err(Refusal::InvalidTarget),
        }
    }
}

/// Refuses a client that the browser could never be sent back to.
pub fn must_have_redirect_uris(grants: &[Grant], redirect_uris: &[String]) -> Result<(), Invalid> {
    if grants.contains(&Grant::AuthorizationCode) && redirect_uris.is_empty() {
        return Err(Invalid::new("redirect_uris", "are missing: authorization_code needs one at least"));
    }
    Ok(())
}

/// What no URI has; the parser looks past some of it.
fn is_out_of_place(character: char) -> bool {
    character.is_whitespace() || character.is_control()
}

/// Reads an audience: an absolute URI without fragment (RFC 8707 s2).
pub fn parse_absolute_uri(field: &'static str, text: &str) -> Result<String, Invalid> {
    match url::Url::parse(text) {
        Ok(url) if url.fragment().is_none() && !text.contains(is_out_of_place) => Ok(text.to_owned()),
        _ => Err(Invalid::new(field, "must be an absolute URI without fragment")),
    }
}

/// Reads a redirect URI: an absolute URI that a browser carries a code to unseen by others (RFC 9700 s2.6), so by https, or on its own machine by http.
pub fn parse_redirect_uri(field: &'static str, text: &str) -> Result<String, Invalid> {
    let own_machine = |host: url::Host<&str>| match host {
        url::Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
    };
    // Browsers read more than the parser: an address of ours must not come out as one within this server.
    let authority = ["https://", "http://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let authority = authority.and_then(|rest| rest.split(['/', '?']).next()).unwrap_or_default();
    let fits = text.len() <= 1000
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && !authority.is_empty()
        && !authority.contains('@')
        // Addresses are compared character by character: a star would be one, and not what somebody hopes.
        && !text.contains('*')
        && url::Url::parse(text).is_ok_and(|url| {
            let is_private =
                url.scheme() == "https" || url.scheme() == "http" && url.host().is_some_and(own_machine);
            is_private && url.fragment().is_none()
        });
    if fits {
        Ok(text.to_owned())
    } else {
        Err(Invalid::new(
            field,
            "must be an https URI (http on localhost) in ASCII, without fragment, user name and *",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_use_tokens_are_opaque() {
        assert_eq!(TokenPolicy::new(None, 60, true).map(|p| p.format()), Ok(TokenFormat::Opaque));
        assert!(TokenPolicy::new(Some(TokenFormat::Jwt), 60, true).is_err());
        assert_eq!(TokenPolicy::new(None, 60, false).map(|p| p.format()), Ok(TokenFormat::Jwt));
    }

    #[test]
    fn lifetimes_outside_one_second_to_thirty_days_are_refused() {
        for bad in [0, -1, 30 * 86_400 + 1, i64::MAX] {
            assert!(TokenPolicy::new(None, bad, false).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_code_is_carried_unseen() {
        for good in [
            "https://shop.example/callback",
            "https://shop.example:8443/callback?from=countersign",
            "http://localhost:3000/callback",
            "http://127.0.0.1/callback",
            "http://[::1]:9000/",
        ] {
            assert_eq!(parse_redirect_uri("redirect_uri", good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "/callback",
            "http://shop.example/callback",
            "http://localhost.evil.example/",
            "http://127.0.0.1.evil.example/",
            "https://shop.example/#fragment",
            "https://user@shop.example/",
            "https://@shop.example/",
            "https:shop.example/",
            "https://shop.example/*",
            "https://*.shop.example/",
            "https:/shop.example/",
            "https:///shop.example/",
            "HTTPS://shop.example/",
            "https://shop.example\\@evil.example/",
            "https://shop.example/a b",
            "https://schöp.example/",
            "javascript:alert(1)",
            "com.example.app:/callback",
        ] {
            assert!(parse_redirect_uri("redirect_uri", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_grant_is_read_as_it_is_written() {
        for grant in [Grant::Password, Grant::MfaOtp, Grant::Otp, Grant::ClientCredentials] {
            assert_eq!(grant.as_str().parse(), Ok(grant));
        }
    }
}
