//! What an application learns about who logged in (OpenID Connect Core s2, s5.1).

use serde::Serialize;

/// What a user lets an application know, by the scopes that it was given.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Profile {
    /// The name to log in with, by scope `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<String>,
    /// The same: there is no other to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The language of pages and mails, where it was chosen, by scope `profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<&'static str>,
    /// The e-mail address, where there is one, by scope `email`. Administrators wrote it, and nobody has proved it: there is no `email_verified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The names of the user's groups, by scope `groups`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub groups: Option<Vec<String>>,
}

/// How long an application may take an ID token, in seconds: it is looked at once, when it comes.
pub const ID_TOKEN_TTL_S: i64 = 3600;

/// The claims of an ID token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct IdClaims {
    /// The issuer's URL.
    pub iss: String,
    /// The user's id.
    pub sub: String,
    /// The application's id: nobody else may take the token.
    pub aud: String,
    /// When it was issued, unix seconds.
    pub iat: u64,
    /// When it ends, unix seconds.
    pub exp: u64,
    /// When the user was authenticated, unix seconds.
    pub auth_time: u64,
    /// As it stood in the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The class of the authentication, as [`acr`](crate::domain::token::acr).
    pub acr: String,
    /// How the user was authenticated (RFC 8176).
    pub amr: Vec<String>,
    /// The session at the application.
    pub sid: String,
    /// What else it may know.
    #[serde(flatten)]
    pub profile: Profile,
}
