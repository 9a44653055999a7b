//! Ids: UUIDs that cannot be taken for one another.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

use crate::domain::refusal::Invalid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub struct $name(Uuid);

        impl $name {
            /// Before all others: where a list begins that has the eldest first.
            pub const FIRST: Self = Self(Uuid::nil());

            /// After all others: where a list begins that has the youngest first.
            pub const LAST: Self = Self(Uuid::max());

            /// Wraps a UUID.
            pub const fn new(id: Uuid) -> Self {
                Self(id)
            }

            /// The 16 bytes that the database holds.
            pub const fn bytes(&self) -> &[u8] {
                self.0.as_bytes()
            }

            /// The same by value.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }

            /// From the 16 bytes that the database holds.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                Uuid::try_parse(text).map(Self).map_err(|_| Invalid::new("id", "is not a UUID"))
            }
        }
    )*};
}

impl MailId {
    /// When it was made (RFC 9562 s5.7), in unix milliseconds: when the mail was added.
    pub fn millis(&self) -> i64 {
        self.0.as_bytes().iter().take(6).fold(0, |millis, byte| millis << 8 | i64::from(*byte))
    }
}

impl ClientId {
    /// The web console: built in, an application like others, but without a secret.
    pub const CONSOLE: Self = Self(Uuid::from_u128(0x0000_0000_0000_7000_8000_636f_6e73_6f6c));
}

ids! {
    /// A person who logs in.
    UserId;
    /// One enrolment of one phone or token.
    FactorId;
    /// An application that asks for tokens.
    ClientId;
    /// A group of users.
    GroupId;
    /// Access given for a time.
    GrantId;
    /// One login.
    SessionId;
    /// One token; the `jti` of a JWT.
    TokenId;
    /// One mail.
    MailId;
    /// A reset that waits for a second person.
    ResetRequestId;
}
