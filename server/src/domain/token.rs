//! Access tokens: what stands in them and when they live.

use serde::{Deserialize, Serialize};

use crate::domain::authorization::Details;
use crate::domain::id::{ClientId, SessionId, TokenId, UserId};
use crate::domain::refusal::{Invalid, Refusal};
use crate::domain::time::Timestamp;
use crate::domain::words::words;

/// How long a password alone keeps the door open for a code.
pub const MFA_TOKEN_TTL_S: i64 = 600;

/// How old a login may be that changes factors or recovery codes, in seconds.
pub const FRESH_LOGIN_S: i64 = 900;

/// For how long after a code an application may be let act in somebody's place, in seconds: as long as it takes to read the question. Meanwhile
/// the cookie alone stands for the code that the console's own forms want.
pub const LATELY_S: i64 = 120;

/// How a user was authenticated (RFC 8176).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amr {
    /// A password alone, where the client's policy allows it.
    Password,
    /// A password and a code.
    PasswordAndOtp,
    /// A code; the client vouches for the first factor.
    Otp,
    /// A password and a recovery code.
    PasswordAndRecovery,
}

impl Amr {
    const ALL: [Self; 4] = [Self::Password, Self::PasswordAndOtp, Self::Otp, Self::PasswordAndRecovery];

    /// Reads back what was stored.
    pub fn stored(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|amr| amr.as_str() == text)
    }

    /// The methods in the order of RFC 8176's registry names, separated by blanks; as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "pwd",
            Self::PasswordAndOtp => "pwd otp mfa",
            Self::Otp => "otp",
            Self::PasswordAndRecovery => "pwd recovery mfa",
        }
    }
}

/// All classes that [`acr`] knows, the weakest first.
pub const ACR_CLASSES: [&str; 3] = [ACR_PASSWORD, ACR_RECOVERY, ACR_OTP];

const ACR_PASSWORD: &str = "urn:countersign:acr:pwd";
const ACR_RECOVERY: &str = "urn:countersign:acr:recovery";
const ACR_OTP: &str = "urn:countersign:acr:otp";

/// Whether a login of one class does where the other is wanted.
pub fn is_as_strong(acr: &str, wanted: &str) -> bool {
    let strength = |acr| ACR_CLASSES.iter().position(|class| *class == acr);
    strength(acr) >= strength(wanted)
}

/// The authentication context class of a login by its methods: what a resource asks for by `acr_values` (RFC 9470).
pub fn acr(amr: &str) -> &'static str {
    let used = |method| amr.split(' ').any(|used| used == method);
    if used("otp") {
        ACR_OTP
    } else if used("recovery") {
        ACR_RECOVERY
    } else {
        ACR_PASSWORD
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
    /// What it may do in detail (RFC 9396 s9.1).
    #[serde(skip_serializing_if = "Details::is_empty", default, skip_deserializing)]
    pub authorization_details: Details,
    /// When the user was authenticated, unix seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub auth_time: Option<u64>,
    /// The class of that authentication, as [`acr`].
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acr: Option<String>,
    /// How the user was authenticated.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub amr: Option<Vec<String>>,
    /// The session: every login is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sid: Option<String>,
}

/// The type of a signed list of revocations.
pub const REVOCATIONS_TYPE: &str = "revocations+jwt";

/// How far a verifier's clock may be behind, in seconds: so long after its end a JWT may still be taken somewhere.
pub const LEEWAY_S: i64 = 60;

/// How long a list of revocations may be believed, in seconds.
pub const REVOCATIONS_TTL_S: i64 = 300;

/// How many bits of a cursor tell of which log it is.
const CURSOR_MARK_BITS: u32 = 16;

/// How far somebody has read the list of revocations: the number of an entry of the audit log, and a few bits of the entry's hash, which hangs on
/// all entries before it. After a restore the same numbers are given once more, to other entries: a cursor of then is not taken for one of now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor(i64);

impl Cursor {
    /// Before everything.
    pub const START: Self = Self(0);

    /// Behind the entry of this number and hash. Stays below 2^53, which is as far as all JSON parsers count, for a hundred billion entries.
    pub fn after(seq: i64, hash: &[u8]) -> Self {
        let mark = hash.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
        Self(seq << CURSOR_MARK_BITS | i64::from(mark))
    }

    /// As somebody sent it.
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// As it is sent.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// The number of the entry.
    pub const fn seq(self) -> i64 {
        self.0 >> CURSOR_MARK_BITS
    }
}

/// The claims of a signed list of revocations. Every entry is an id, and when it may be forgotten in unix seconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RevocationClaims {
    /// The issuer's URL.
    pub iss: String,
    /// When the list was made, unix seconds.
    pub iat: u64,
    /// When it is too old to be believed, unix seconds.
    pub exp: u64,
    /// The cursor after which it begins; 0 for a whole list.
    pub since: i64,
    /// The cursor to ask with next.
    pub until: i64,
    /// Revoked tokens, by `jti`.
    pub tokens: Vec<(String, u64)>,
    /// Ended sessions, by `sid`.
    pub sessions: Vec<(String, u64)>,
    /// Revoked signing keys, by `kid`.
    pub keys: Vec<(String, u64)>,
}

words! {
    /// What was revoked.
    RevocationKind, "kind" {
        /// One token.
        Token = "token",
        /// A session with all its tokens.
        Session = "session",
        /// A signing key with all that it signed.
        Key = "key",
    }
}

/// Something revoked while JWTs of it could still be verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// What.
    pub kind: RevocationKind,
    /// Its `jti`, `sid` or `kid`.
    pub id: String,
    /// When nobody takes the last of those JWTs any more.
    pub expires_at: Timestamp,
}

/// How long a spent refresh token is answered once more, in seconds: the first reply may have been lost.
pub const REFRESH_GRACE_S: i64 = 10;

/// A refresh token that was shown, with the login behind it.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    /// The id.
    pub id: TokenId,
    /// The client that got it.
    pub client: ClientId,
    /// The login.
    pub login: Login,
    /// Which refresh token of the login is the good one.
    pub current: Option<TokenId>,
    /// Who its access tokens are for.
    pub audience: String,
    /// What they may do at most, separated by blanks.
    pub scope: String,
    /// And in detail.
    pub details: Details,
    /// When it was exchanged, and for which.
    pub replaced: Option<(Timestamp, TokenId)>,
}

impl RefreshToken {
    /// The refresh token that must still be the good one for this one to be exchanged: itself, or, where its reply may have been
    /// lost, the one that it was exchanged for. `None`: it was used before, so somebody has a copy.
    pub fn expected(&self, now: Timestamp) -> Option<TokenId> {
        match self.replaced {
            None => Some(self.id),
            Some((at, successor)) if now < at.plus_seconds(REFRESH_GRACE_S) => Some(successor),
            Some(_) => None,
        }
        .filter(|expected| self.current == Some(*expected))
    }
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
    /// In detail.
    pub details: Details,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether its first introspection spends it.
    pub one_use: bool,
    /// Whether it is signed, so that others can check it without asking.
    pub is_jwt: bool,
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
    /// When the user was last authenticated: by a code within it, at the login that it came from, or when it began.
    pub fresh_at: Timestamp,
    /// When the session ends unless it is refreshed.
    pub ends_at: Timestamp,
    /// When it ends however often it is refreshed.
    pub limit_at: Timestamp,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
}

impl Login {
    /// Whether a second factor was part of it: a code, or a recovery code in its place.
    pub fn used_second_factor(&self) -> bool {
        self.amr.split(' ').any(|method| matches!(method, "otp" | "recovery"))
    }

    /// Refuses a login that is too old to change what protects the account (RFC 9470): refreshing makes no login younger.
    pub fn must_be_fresh(&self, now: Timestamp) -> Result<(), Refusal> {
        if now < self.fresh_at.plus_seconds(FRESH_LOGIN_S + 1) {
            Ok(())
        } else {
            Err(Refusal::InsufficientAuthentication { max_age_s: FRESH_LOGIN_S })
        }
    }

    /// Whether a code was given just now: within [`LATELY_S`].
    pub fn gave_code_lately(&self, now: Timestamp) -> bool {
        self.used_second_factor() && now < self.fresh_at.plus_seconds(LATELY_S + 1)
    }

    /// Whether it is good at `now`, and its user may log in.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.user_active && self.revoked_at.is_none() && now < self.ends_at
    }
}

impl TokenRecord {
    /// Whether the token is good at `now`: it, its session, its user and its client.
    pub fn is_live(&self, now: Timestamp) -> bool {
        let login_live = self.login.as_ref().is_none_or(|login| login.is_live(now));
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

/// A session as lists show it.
#[derive(Clone, Debug)]
pub struct SessionSummary {
    /// The id; the `sid` of its tokens.
    pub id: SessionId,
    /// The application's name.
    pub client_name: String,
    /// How the user was authenticated.
    pub amr: String,
    /// From which network address.
    pub address: Option<String>,
    /// With which browser, where it was one.
    pub device: Option<String>,
    /// When.
    pub started_at: Timestamp,
    /// When it was last refreshed.
    pub used_at: Timestamp,
    /// When it ends unless it is refreshed.
    pub ends_at: Timestamp,
}

words! {
    /// How a signing key signs.
    SigningAlgorithm, "algorithm" {
        /// Ed25519 (RFC 8037).
        EdDsa = "EdDSA",
        /// ECDSA on P-256 with SHA-256 (RFC 7518 s3.4).
        Es256 = "ES256",
        /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 s3.3): ID tokens alone, which every application can check by it.
        Rs256 = "RS256",
    }
}

impl SigningAlgorithm {
    /// Those that an operator may choose for access tokens.
    pub const OF_ACCESS_TOKENS: [Self; 2] = [Self::EdDsa, Self::Es256];

    /// What its keys sign, as lists say it.
    pub const fn signs(self) -> &'static str {
        match self {
            Self::EdDsa | Self::Es256 => "access_tokens",
            Self::Rs256 => "id_tokens",
        }
    }

    /// Reads one of those.
    pub fn of_access_tokens(word: &str) -> Result<Self, Invalid> {
        let found = Self::OF_ACCESS_TOKENS.into_iter().find(|algorithm| algorithm.as_str() == word);
        found.ok_or(Invalid::fixed("algorithm", "is none of EdDSA ES256"))
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
        /// Somebody else may know it: not listed, and nothing that it signed is good.
        Revoked = "revoked",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stronger_login_does_where_a_weaker_one_is_enough() {
        let [password, recovery, otp] = ACR_CLASSES;
        assert!(is_as_strong(otp, recovery) && is_as_strong(recovery, password) && is_as_strong(otp, otp));
        assert!(!is_as_strong(recovery, otp) && !is_as_strong(password, recovery));
        assert!(!is_as_strong("anything else", password));
    }

    #[test]
    fn methods_are_read_as_they_are_stored() {
        for amr in Amr::ALL {
            assert_eq!(Amr::stored(amr.as_str()), Some(amr));
        }
        assert_eq!(Amr::stored("otp pwd"), None);
    }
}
