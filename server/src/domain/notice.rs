//! What users are told by mail.

use std::net::IpAddr;

use crate::domain::id::{MailId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::words::words;

/// Something that a user should hear of. None of them holds a secret or a code; an invitation holds its one-time link, for
/// which it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// The way in: a link that works once.
    Invitation {
        /// The link.
        link: String,
        /// Until when it works.
        expires_at: Timestamp,
    },
    /// A phone or token counts from now on.
    Enrolled,
    /// A phone or token that counted was removed, by its user or by somebody who manages.
    FactorRemoved,
    /// All factors, recovery codes and sessions are void.
    Reset,
    /// No code counts for now.
    Locked(LockedBy),
    /// There is a new password, and all sessions are over.
    PasswordChanged,
    /// Somebody logged in by a recovery code.
    RecoveryCodeUsed {
        /// How many codes are good now, the one that was given for the used one included.
        left: i64,
    },
    /// Few codes of the set that the user was given together are unused. Those that were given for used ones, one by one, are not
    /// among them: who knows whether they were written down.
    RecoveryCodesLow {
        /// How many.
        left: i64,
    },
    /// There are new recovery codes in the place of all that were there.
    RecoveryCodesRenewed,
    /// A login from where this user has not logged in before.
    NewDevice {
        /// The application's name.
        application: String,
        /// The network address, where it is known.
        address: Option<IpAddr>,
        /// When.
        at: Timestamp,
    },
}

/// What locked a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LockedBy {
    /// An administrator.
    Administrator,
    /// Wrong codes in a row: the first wait began.
    WrongCodes,
    /// So many wrong codes in a row that only an administrator or a recovery code helps.
    TooManyWrongCodes,
}

impl Notice {
    /// As stored and listed.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Invitation { .. } => "invitation",
            Self::Enrolled => "enrolled",
            Self::FactorRemoved => "factor-removed",
            Self::Reset => "reset",
            Self::Locked(_) => "locked",
            Self::PasswordChanged => "password-changed",
            Self::RecoveryCodeUsed { .. } => "recovery-code-used",
            Self::RecoveryCodesLow { .. } => "recovery-codes-low",
            Self::RecoveryCodesRenewed => "recovery-codes-renewed",
            Self::NewDevice { .. } => "new-device",
        }
    }
}

words! {
    /// How far a mail has come.
    MailState, "state" {
        /// It is sent as soon as it is due.
        Waiting = "waiting",
        /// A mail server took it. Its text is gone.
        Sent = "sent",
        /// It was given up: refused for good, or tried too often.
        Failed = "failed",
    }
}

/// A mail in the outbox, without its text.
#[derive(Clone, Debug)]
pub struct MailSummary {
    /// Its id.
    pub id: MailId,
    /// Whom it is for, while there is such a user.
    pub user: Option<UserId>,
    /// The address.
    pub recipient: String,
    /// The notice's kind.
    pub kind: String,
    /// How far it has come.
    pub state: MailState,
    /// How often it was tried.
    pub attempts: i64,
    /// When it is tried next.
    pub next_at: Timestamp,
    /// When the notice was given.
    pub created_at: Timestamp,
    /// When a mail server took it.
    pub sent_at: Option<Timestamp>,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

/// Tries until a mail is given up: with [`retry_after_s`] between them, about three days.
pub const MAX_ATTEMPTS: i64 = 20;

/// How long to wait after this many tries: 30 s, doubling up to six hours.
pub fn retry_after_s(attempts: i64) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 20) - 1).unwrap_or(0);
    (30_i64 << doublings).min(6 * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_tried_for_about_three_days() {
        assert_eq!((1..=4).map(retry_after_s).collect::<Vec<_>>(), [30, 60, 120, 240]);
        assert_eq!(retry_after_s(i64::MAX), 6 * 3600);
        let days = (1..MAX_ATTEMPTS).map(retry_after_s).sum::<i64>() / 86_400;
        assert!((2..=3).contains(&days), "{days}");
    }
}
