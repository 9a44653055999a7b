//! Access tokens: what stands in them and when they live.

use serde::{Deserialize, Serialize};

use crate::domain::id::{ClientId, SessionId, TokenId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::words::words;

/// How long a password alone keeps the door open for a code.
pub const MFA_TOKEN_TTL_S: i64 = 600;

/// How a user was authenticated (RFC 8176).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amr {
    /// A password alone, where the client's policy allows it.
    Password,
    /// A password and a code.
    PasswordAndOtp,
    /// A code; the client vouches for the first factor.
    Otp,
}

impl Amr {
    /// The methods in the order of RFC 8176's registry names, separated by blanks; as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::PasswordAndOtp => "pwd otp mfa",
            Self::Otp => "otp",
        }
    }
}

/// The claims of a JWT access token (RFC 9068 s2.2).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AccessClaims {
    /// The issuer's URL.
    pub iss: String,
    /// The user's id, or the client's where it acts for itself.
    pub sub: String,
    /// Who the token is for.
    pub aud: String,
    /// The client that asked.
    pub client_id: String,
    /// When it was issued, unix seconds.
    pub iat: u64,
    /// When it ends, unix seconds.
    pub exp: u64,
    /// The token's id.
    pub jti: String,
    /// The scopes, separated by blanks.
    pub scope: String,
    /// When the user was authenticated, unix seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub auth_time: Option<u64>,
    /// How the user was authenticated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amr: Option<Vec<String>>,
    /// The session: every login is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sid: Option<String>,
}

/// A token that was found, with everything its life hangs on.
#[derive(Clone, Debug)]
pub struct TokenRecord {
    /// The id.
    pub id: TokenId,
    /// The client that asked for it.
    pub client: ClientId,
    /// The login behind it; none where a client acts for itself.
    pub login: Option<Login>,
    /// Who it is for.
    pub audience: String,
    /// What it may do, separated by blanks.
    pub scope: String,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether its first introspection spends it.
    pub one_use: bool,
    /// When it was spent.
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// Whether its client may still ask for anything.
    pub client_active: bool,
}

/// The login behind a token.
#[derive(Clone, Debug)]
pub struct Login {
    /// The session.
    pub session: SessionId,
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub user_name: String,
    /// Whether the user may log in.
    pub user_active: bool,
    /// How the user was authenticated, as stored.
    pub amr: String,
    /// When.
    pub started_at: Timestamp,
    /// When the session ends by itself.
    pub ends_at: Timestamp,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

impl Login {
    /// Whether a code was part of it.
    pub fn used_code(&self) -> bool {
        self.amr.split(' ').any(|method| method == "otp")
    }
}

impl TokenRecord {
    /// Whether the token is good at `now`: it, its session, its user and its client.
    pub fn is_live(&self, now: Timestamp) -> bool {
        let login_live = self
            .login
            .as_ref()
            .is_none_or(|login| login.user_active && login.revoked_at.is_none() && now < login.ends_at);
        self.client_active
            && self.revoked_at.is_none()
            && self.used_at.is_none()
            && now < self.expires_at
            && login_live
    }

    /// The `sub` of the token.
    pub fn subject(&self) -> String {
        self.login.as_ref().map_or_else(|| self.client.to_string(), |login| login.user.to_string())
    }
}

words! {
    /// Where a signing key is in its life. JWKS lists all that a live token may need.
    KeyState, "state" {
        /// Listed, so that everybody knows it before it signs.
        Next = "next",
        /// Signs.
        Current = "current",
        /// Signs no more; listed until its last token has ended.
        Retired = "retired",
    }
}
