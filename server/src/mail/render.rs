//! A notice in the user's language, as text and as HTML. Whatever comes from outside is one line of text, and escaped in HTML.

use std::net::IpAddr;

use askama::Template;
use serde::{Deserialize, Serialize};

use crate::domain::notice::{LockedBy, Notice};
use crate::domain::time::Timestamp;
use crate::domain::user::Language;
use crate::error::Fault;
use crate::text::{Argument, argument, say};

/// What a mail says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// The subject: one line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

/// Both templates take the same.
struct Words {
    language: Language,
    subject: String,
    greeting: String,
    text: String,
    link: Option<String>,
    link_label: String,
    advice: String,
    footer: String,
}

#[derive(Template)]
#[template(path = "notice.txt")]
struct Text<'a> {
    words: &'a Words,
}

#[derive(Template)]
#[template(path = "notice.html")]
struct Html<'a> {
    words: &'a Words,
}

/// Writes a notice to a user of this name.
pub fn render(
    notice: &Notice,
    user_name: &str,
    language: Language,
    issuer_name: &str,
    public_url: &str,
) -> Result<Letter, Fault> {
    let kind = match notice {
        Notice::Locked(LockedBy::Administrator) => "locked-by-administrator",
        Notice::Locked(LockedBy::WrongCodes) => "locked-by-wrong-codes",
        Notice::Locked(LockedBy::TooManyWrongCodes) => "locked-by-too-many-wrong-codes",
        other => other.kind(),
    };
    let mut arguments: Vec<(&'static str, Argument<'_>)> = vec![
        ("issuer", argument(one_line(issuer_name))),
        ("name", argument(one_line(user_name))),
        ("url", argument(one_line(public_url))),
    ];
    let mut link = None;
    match notice {
        Notice::Invitation { link: target, expires_at } => {
            link = Some(one_line(target));
            arguments.push(("until", argument(minutes(*expires_at))));
        }
        Notice::RecoveryCodeUsed { left } | Notice::RecoveryCodesLow { left } => {
            arguments.push(("left", Argument::from(*left)));
        }
        Notice::NewDevice { application, address, at } => {
            arguments.push(("application", argument(one_line(application))));
            arguments.push(("address", argument(address.map_or_else(|| "?".to_owned(), shown))));
            arguments.push(("at", argument(minutes(*at))));
        }
        Notice::Enrolled
        | Notice::FactorRemoved
        | Notice::Reset
        | Notice::Locked(_)
        | Notice::PasswordChanged
        | Notice::RecoveryCodesRenewed => {}
    }
    let line = |key: &str| say(language, key, &arguments);
    let words = Words {
        language,
        subject: one_line(&line(&format!("mail-{kind}-subject"))),
        greeting: line("mail-greeting"),
        text: line(&format!("mail-{kind}-text")),
        link,
        link_label: line("mail-link"),
        advice: line(if matches!(notice, Notice::Invitation { .. }) {
            "mail-not-expected"
        } else {
            "mail-not-you"
        }),
        footer: line("mail-footer"),
    };
    let failed = Fault::while_("writing a mail");
    let text = Text { words: &words }.render();
    let html = Html { words: &words }.render();
    match (text, html) {
        (Ok(text), Ok(html)) => Ok(Letter { subject: words.subject, text, html }),
        (Err(error), _) | (_, Err(error)) => Err(failed(error)),
    }
}

/// No name can begin a line of its own, least of all in the header.
fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " ")
}

fn shown(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

/// `2026-03-01 12:00 UTC`: read alike in every language.
fn minutes(time: Timestamp) -> String {
    let written = time.to_string();
    match (written.get(..10), written.get(11..16)) {
        (Some(date), Some(clock)) => format!("{date} {clock} UTC"),
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_772_366_410_000);

    fn notices() -> Vec<Notice> {
        vec![
            Notice::Invitation { link: "https://cs.example/invite#a".to_owned(), expires_at: AT },
            Notice::Enrolled,
            Notice::FactorRemoved,
            Notice::Reset,
            Notice::Locked(LockedBy::Administrator),
            Notice::Locked(LockedBy::WrongCodes),
            Notice::Locked(LockedBy::TooManyWrongCodes),
            Notice::PasswordChanged,
            Notice::RecoveryCodeUsed { left: 10 },
            Notice::RecoveryCodesLow { left: 1 },
            Notice::RecoveryCodesRenewed,
            Notice::NewDevice {
                application: "Shop".to_owned(),
                address: Some(Ipv4Addr::LOCALHOST.into()),
                at: AT,
            },
            Notice::NewDevice {
                application: "Shop".to_owned(),
                address: Some(Ipv6Addr::LOCALHOST.into()),
                at: AT,
            },
            Notice::NewDevice { application: "Shop".to_owned(), address: None, at: AT },
        ]
    }

    #[test]
    fn every_notice_is_said_in_every_language() {
        for language in Language::ALL {
            for notice in notices() {
                let letter =
                    render(&notice, "alice", language, "Example", "https://cs.example").expect("a letter");
                for part in [&letter.subject, &letter.text, &letter.html] {
                    assert!(!part.contains("mail-"), "{language} {notice:?}: {part}");
                    assert!(part.contains("Example"), "{language} {notice:?}: {part}");
                }
                assert!(letter.text.contains("alice") && letter.html.contains("alice"));
                assert!(letter.html.contains(&format!("lang=\"{language}\"")));
                assert!(!letter.html.contains("<img") && !letter.html.contains("src="));
                if let Notice::Invitation { link, .. } = &notice {
                    assert!(letter.text.lines().any(|line| line == link), "{}", letter.text);
                    assert!(letter.html.contains("2026-03-01 12:00 UTC"));
                }
            }
        }
    }

    #[test]
    fn names_stay_text_on_one_line() {
        let name = "<b>eve</b>\r\nBcc: all@example.org\n\n\"&'";
        let letter = render(&Notice::Enrolled, name, Language::En, name, name).expect("a letter");
        assert!(!letter.subject.contains(['\r', '\n']), "{}", letter.subject);
        assert!(!letter.text.lines().any(|line| line.starts_with("Bcc")), "{}", letter.text);
        assert!(!letter.html.contains("<b>"), "{}", letter.html);
    }
}
