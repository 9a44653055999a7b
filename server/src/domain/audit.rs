//! The audit log: who did what, to whom, from where, with what outcome.

use std::net::IpAddr;

use crate::domain::device::Device;
use crate::domain::id::{ClientId, GroupId, UserId};
use crate::domain::time::Timestamp;
use crate::domain::words::words;

/// How many days the log reaches back at least, where it does not to its beginning.
pub const SHORTEST_KEPT_DAYS: i64 = 30;

/// Bytes, such as [`Entry::hash`], as people and exports see them.
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

/// Who acts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Actor {
    /// Whoever can run the command line on the server's data.
    Operator,
    /// An application, for itself or for a user who is logging in.
    Client(ClientId),
    /// A user with a token.
    User(UserId),
    /// A caller who could not show who it is.
    Anonymous,
    /// The server itself, by schedule.
    System,
}

impl Actor {
    /// As stored: a word, or `word:id`.
    pub fn stored(self) -> String {
        match self {
            Self::Operator => "operator".to_owned(),
            Self::Client(id) => format!("client:{id}"),
            Self::User(id) => format!("user:{id}"),
            Self::Anonymous => "anonymous".to_owned(),
            Self::System => "system".to_owned(),
        }
    }
}

/// To whom or what it was done. What was done to somebody's factor, session or grant was done to that user: the detail says which.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// A user. Names that belong to nobody are never logged: people type passwords into name fields.
    User(UserId),
    /// A client.
    Client(ClientId),
    /// A group.
    Group(GroupId),
    /// A signing key, by `kid`.
    SigningKey(String),
}

impl Subject {
    /// As stored: `kind:id`.
    pub fn stored(&self) -> String {
        match self {
            Self::User(id) => format!("user:{id}"),
            Self::Client(id) => format!("client:{id}"),
            Self::Group(id) => format!("group:{id}"),
            Self::SigningKey(kid) => format!("signing_key:{kid}"),
        }
    }
}

words! {
    /// What was done or tried.
    Action, "action" {
        /// A user was added.
        UserAdded = "user.added",
        /// A user's e-mail address or role was changed.
        UserChanged = "user.changed",
        /// A user was removed.
        UserRemoved = "user.removed",
        /// A one-time link was made for a user.
        UserInvited = "user.invited",
        /// A one-time link was used.
        InvitationAccepted = "invitation.accepted",
        /// A user was locked by an administrator.
        UserLocked = "user.locked",
        /// A user was unlocked, and the failures forgotten.
        UserUnlocked = "user.unlocked",
        /// A password was checked.
        PasswordChecked = "password.checked",
        /// A code was checked.
        CodeChecked = "code.checked",
        /// A code was given once more within a session.
        SteppedUp = "session.stepped_up",
        /// A factor was enrolled.
        FactorEnrolled = "factor.enrolled",
        /// A factor was given another name.
        FactorRenamed = "factor.renamed",
        /// A browser may skip the code for a while.
        DeviceTrusted = "device.trusted",
        /// No browser of the user skips the code any more.
        DevicesForgotten = "devices.forgotten",
        /// A factor's first code confirmed it.
        FactorConfirmed = "factor.confirmed",
        /// A factor was removed.
        FactorRemoved = "factor.removed",
        /// A HOTP factor was resynchronised.
        FactorResynchronised = "factor.resynchronised",
        /// All factors of a user were reset, and all sessions ended.
        FactorsReset = "factors.reset",
        /// A help desk asked for a reset that a second person decides.
        ResetAsked = "reset.asked",
        /// A second person let it happen.
        ResetApproved = "reset.approved",
        /// A second person did not.
        ResetDeclined = "reset.declined",
        /// Users were added from a list; each has an entry of its own, too.
        UsersImported = "users.imported",
        /// A token was issued.
        TokenIssued = "token.issued",
        /// A token was issued for a refresh token.
        TokenRefreshed = "token.refreshed",
        /// A spent refresh token was shown again: somebody has a copy, and the session was ended.
        RefreshTokenReused = "refresh_token.reused",
        /// Somebody who is logged in here was sent to an application with a code.
        Authorized = "application.authorized",
        /// An application showed such a code, and something was wrong.
        AuthorizationCodeChecked = "authorization_code.checked",
        /// It showed one that was used up: somebody has a copy, and the session was ended.
        AuthorizationCodeReused = "authorization_code.reused",
        /// A session was ended.
        SessionEnded = "session.ended",
        /// A recovery code was checked.
        RecoveryCodeChecked = "recovery_code.checked",
        /// A user's recovery codes were made anew.
        RecoveryCodesMade = "recovery_codes.made",
        /// A password was changed.
        PasswordChanged = "password.changed",
        /// A mail's text was shown at the command line.
        MailShown = "mail.shown",
        /// A mail was put back to be sent.
        MailRetried = "mail.retried",
        /// A token was revoked.
        TokenRevoked = "token.revoked",
        /// A one-use token was spent.
        TokenSpent = "token.spent",
        /// A client showed a wrong secret or was not known.
        ClientRefused = "client.refused",
        /// A client was added.
        ClientAdded = "client.added",
        /// A client's registration was changed.
        ClientChanged = "client.changed",
        /// A client was given a new secret.
        ClientSecretRenewed = "client_secret.renewed",
        /// A client was disabled.
        ClientDisabled = "client.disabled",
        /// A client was enabled again.
        ClientEnabled = "client.enabled",
        /// A client was removed.
        ClientRemoved = "client.removed",
        /// A signing key was made where one was missing.
        SigningKeyMade = "signing_key.made",
        /// A signing key and all that it signed was revoked.
        SigningKeyRevoked = "signing_key.revoked",
        /// A scope's rule was set.
        ScopeChanged = "scope.changed",
        /// A scope's rule was removed.
        ScopeRemoved = "scope.removed",
        /// A group was added.
        GroupAdded = "group.added",
        /// A group was removed.
        GroupRemoved = "group.removed",
        /// A user was put into a group.
        MemberAdded = "member.added",
        /// A user was taken out of a group.
        MemberRemoved = "member.removed",
        /// Access was given for a time.
        AccessGiven = "access.given",
        /// Access was taken back.
        AccessTaken = "access.taken",
        /// Signing keys moved on by one.
        SigningKeyRotated = "signing_key.rotated",
        /// Entries older than are kept were deleted.
        AuditPruned = "audit.pruned",
        /// Everything was moved here from another database.
        DatabaseMoved = "database.moved",
        /// Everything is sealed under another master key from now on.
        MasterKeyRotated = "master_key.rotated",
        /// Everything was copied into a file.
        DatabaseBackedUp = "database.backed_up",
        /// Everything was brought back here from such a file.
        DatabaseRestored = "database.restored",
    }
}

words! {
    /// How entries are exported.
    Format, "format" {
        /// One JSON object a line.
        JsonLines = "jsonl",
        /// A table with a heading, safe for spreadsheets.
        Csv = "csv",
    }
}

/// One event, before it is appended.
#[derive(Clone, Debug)]
pub struct Event {
    /// Who.
    pub actor: Actor,
    /// What.
    pub action: Action,
    /// To whom.
    pub subject: Option<Subject>,
    /// `done`, or `refused: why` with a reason from a fixed set.
    pub outcome: Outcome,
    /// Anything more, as `key=value` words; never a secret, a code or a token.
    pub detail: Option<String>,
}

impl Event {
    /// Something that was done.
    pub fn done(actor: Actor, action: Action, subject: impl Into<Option<Subject>>) -> Self {
        Self { actor, action, subject: subject.into(), outcome: Outcome::Done, detail: None }
    }

    /// Something that was refused.
    pub fn refused(
        actor: Actor,
        action: Action,
        subject: impl Into<Option<Subject>>,
        why: &'static str,
    ) -> Self {
        Self { actor, action, subject: subject.into(), outcome: Outcome::Refused(why), detail: None }
    }

    /// The same with more to say.
    #[must_use]
    pub fn with(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// How it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Done.
    Done,
    /// Refused, and why: more than the caller is told.
    Refused(&'static str),
}

impl Outcome {
    /// As stored.
    pub fn stored(self) -> String {
        match self {
            Self::Done => "done".to_owned(),
            Self::Refused(why) => format!("refused: {why}"),
        }
    }
}

/// One row of the log, as stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Counts from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Who, as [`Actor::stored`].
    pub actor: String,
    /// What, as [`Action::as_str`].
    pub action: String,
    /// To whom, as [`Subject::stored`].
    pub subject: Option<String>,
    /// As [`Outcome::stored`].
    pub outcome: String,
    /// From which network address.
    pub address: Option<String>,
    /// Anything more.
    pub detail: Option<String>,
    /// Keyed hash over the fields above and the hash of the row before.
    pub hash: Vec<u8>,
}

impl Entry {
    /// Why it was refused; none where it was done.
    pub fn refused(&self) -> Option<&str> {
        self.outcome.strip_prefix("refused: ")
    }

    /// The hash of this entry behind `previous`, the hash of the one before. `None` and an empty text differ.
    pub fn chained(&self, previous: &[u8], hash: impl Fn(&[&[u8]]) -> [u8; 32]) -> [u8; 32] {
        fn optional(part: Option<&String>) -> (&[u8], &[u8]) {
            part.map_or((&[0], &[]), |text| (&[1], text.as_bytes()))
        }
        let (has_subject, subject) = optional(self.subject.as_ref());
        let (has_address, address) = optional(self.address.as_ref());
        let (has_detail, detail) = optional(self.detail.as_ref());
        hash(&[
            previous,
            &self.seq.to_be_bytes(),
            &self.at.millis().to_be_bytes(),
            self.actor.as_bytes(),
            self.action.as_bytes(),
            has_subject,
            subject,
            self.outcome.as_bytes(),
            has_address,
            address,
            has_detail,
            detail,
        ])
    }
}

/// An event with when and from where it was caused: all that an entry needs but its place in the chain.
#[derive(Clone, Debug)]
pub struct Noted {
    /// What happened.
    pub event: Event,
    /// From where.
    pub origin: Origin,
    /// When.
    pub at: Timestamp,
}

/// Where a request came from and who sent it: what every event of it shares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Origin {
    /// The network address, unless it was the command line.
    pub address: Option<IpAddr>,
    /// Who manages: the operator at the command line, or whoever showed a token for the management API; else nobody.
    pub manager: Actor,
    /// The browser, where it was one.
    pub device: Option<Device>,
}

impl Origin {
    /// The command line.
    pub const COMMAND_LINE: Self = Self { address: None, manager: Actor::Operator, device: None };

    /// Who counts as one: an IPv4 address, or the /64 that one IPv6 subscriber has.
    pub fn network(&self) -> Vec<u8> {
        match self.address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(v4)) => v4.octets().to_vec(),
            Some(IpAddr::V6(v6)) => v6.octets()[..8].to_vec(),
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Action;

    #[test]
    fn the_reference_has_every_action_once_and_no_other() {
        let reference = include_str!("../../../docs/AUDIT.md");
        let of_row = |line: &'static str| line.strip_prefix("| `")?.split('`').next();
        let mut named: Vec<&str> = reference.lines().filter_map(of_row).collect();
        let mut logged = Action::ALL.map(Action::as_str);
        named.sort_unstable();
        logged.sort_unstable();
        assert_eq!(named, logged);
    }
}
