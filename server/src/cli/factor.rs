//! `countersign factor ...`

use std::io::IsTerminal;

use clap::Subcommand;
use mobile_core::{Counter, Period, Secret};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};

use crate::app;
use crate::app::factor::{Enrolled, NewFactor};
use crate::cli::open::open;
use crate::cli::output::{Failure, Output, table};
use crate::domain::factor::{FactorState, Mechanism, Summary, parse_code};
use crate::domain::id::FactorId;
use crate::domain::refusal::Invalid;
use crate::domain::user::UserName;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Enrol a factor: prints its secret, once, as URI and QR code
    Enrol {
        /// The user
        user: String,
        /// How codes are made: by time or by use
        #[arg(long, value_parser = ["totp", "hotp"])]
        kind: String,
        /// Hash; apps that know only SHA1 are common
        #[arg(long, default_value = "SHA1", value_parser = ["SHA1", "SHA256", "SHA512"], ignore_case = true)]
        algorithm: String,
        /// Length of a code
        #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u8).range(6..=8))]
        digits: u8,
        /// TOTP: length of a step in seconds [default: 30]
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        period: Option<u32>,
        /// HOTP: first counter [default: 0]
        #[arg(long)]
        counter: Option<u64>,
        /// Secret of a token that exists already; visible to other users of this machine while the command runs
        #[arg(long, value_name = "BASE32")]
        secret: Option<String>,
        /// Count it as confirmed: no first code is asked for
        #[arg(long)]
        active: bool,
    },
    /// Confirm a pending factor by a code of it
    Confirm {
        /// The user
        user: String,
        /// The code that the phone shows
        code: String,
    },
    /// Bring back a HOTP token that ran too far ahead, by two consecutive codes
    Resync {
        /// The user
        user: String,
        /// The first code
        first: String,
        /// The code after it
        second: String,
    },
    /// List a user's factors
    List {
        /// The user
        user: String,
    },
    /// Remove one factor of a user; the sessions whose last code was its end, and all remembered browsers
    Remove {
        /// The user
        user: String,
        /// Its id
        factor: String,
    },
    /// Reset a user's enrolment: all factors, sessions and tokens are dead at once
    Reset {
        /// The user
        user: String,
    },
}

pub(super) fn run(command: Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Enrol { user, kind, algorithm, digits, period, counter, secret, active } => {
            let name = UserName::parse(&user)?;
            let new = NewFactor {
                mechanism: Mechanism::of(&kind, &algorithm, digits, period, counter)?,
                counter: Counter::new(counter.unwrap_or(0)),
                secret: secret
                    .map(|text| {
                        Secret::parse(&text)
                            .map_err(|error| Invalid::new("secret", format!("is refused: {error}")))
                    })
                    .transpose()?,
                state: if active { FactorState::Active } else { FactorState::Pending },
            };
            let opened = open(settings)?;
            let enrolled = app::factor::enrol(
                &opened.service,
                &mut *opened.database.connection()?,
                opened.at(),
                &name,
                new,
            )?;
            let text = enrolled_text(&enrolled, &name)?;
            output.print(&enrolled_json(&enrolled), || text);
        }
        Command::Confirm { user, code } => {
            let name = UserName::parse(&user)?;
            let code = parse_code("code", &code)?;
            let opened = open(settings)?;
            let mut conn = opened.database.connection()?;
            let id = app::factor::confirm(&opened.service, &mut conn, opened.at(), &name, None, &code)?;
            output.print(&json!({ "factor_id": id.to_string(), "state": "active" }), || {
                format!("confirmed {id}")
            });
        }
        Command::Resync { user, first, second } => {
            let name = UserName::parse(&user)?;
            let (first, second) = (parse_code("first", &first)?, parse_code("second", &second)?);
            let opened = open(settings)?;
            let mut conn = opened.database.connection()?;
            let id = app::factor::resynchronise(
                &opened.service,
                &mut conn,
                opened.at(),
                &name,
                None,
                (&first, &second),
            )?;
            output.print(&json!({ "factor_id": id.to_string(), "resynchronised": true }), || {
                format!("resynchronised {id}")
            });
        }
        Command::List { user } => {
            let name = UserName::parse(&user)?;
            let opened = open(settings)?;
            let factors = app::factor::list(&mut *opened.database.connection()?, opened.at(), &name)?;
            output.print(&factors.iter().map(factor_json).collect::<Vec<_>>(), || {
                let row = |factor: &Summary| {
                    [
                        factor.id.to_string(),
                        factor.mechanism.kind().to_owned(),
                        shown_state(factor).to_owned(),
                        factor.created_at.to_string(),
                        factor.used_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
                        // Last: it is the user's own words, blanks and all.
                        factor.label.clone(),
                    ]
                };
                table(["FACTOR", "KIND", "STATE", "ENROLLED", "LAST USED", "LABEL"], factors.iter().map(row))
            });
        }
        Command::Remove { user, factor } => {
            let (name, id): (_, FactorId) = (UserName::parse(&user)?, factor.parse()?);
            let opened = open(settings)?;
            let mut conn = opened.database.connection()?;
            app::factor::remove(&opened.service, &mut conn, opened.at(), &name, id)?;
            output
                .print(&json!({ "factor_id": id.to_string(), "removed": true }), || format!("removed {id}"));
        }
        Command::Reset { user } => {
            let name = UserName::parse(&user)?;
            let opened = open(settings)?;
            let mut conn = opened.database.connection()?;
            let report = app::reset::reset(&opened.service, &mut conn, opened.at(), &name)?;
            let (factors, sessions) = (report.factors, report.sessions);
            output.print(&json!({ "name": name.shown(), "factors": factors, "sessions": sessions }), || {
                format!("reset {}: {factors} factors and {sessions} sessions ended", name.shown())
            });
        }
    }
    Ok(())
}

fn enrolled_json(enrolled: &Enrolled) -> Value {
    let mut document = json!({
        "factor_id": enrolled.id.to_string(),
        "kind": kind(enrolled),
        "secret": enrolled.uri.secret().to_base32().as_str(),
        "uri": enrolled.uri.to_uri().as_str(),
        "state": enrolled.state.as_str(),
    });
    if !enrolled.recovery_codes.is_empty() {
        document["recovery_codes"] = recovery_codes(enrolled).collect();
    }
    document
}

fn recovery_codes(enrolled: &Enrolled) -> impl Iterator<Item = String> {
    enrolled.recovery_codes.iter().map(|code| code.shown().to_string())
}

fn kind(enrolled: &Enrolled) -> &'static str {
    match enrolled.uri.kind() {
        mobile_core::Kind::Totp { .. } => "totp",
        mobile_core::Kind::Hotp { .. } => "hotp",
    }
}

fn enrolled_text(enrolled: &Enrolled, name: &UserName) -> Result<String, Failure> {
    let uri = enrolled.uri.to_uri();
    let code = QrCode::new(uri.as_bytes()).map_err(|error| Failure::new("qr", error))?;
    let next = match enrolled.state {
        FactorState::Pending => format!(
            "It verifies nothing yet: the first code confirms it, at login or by `countersign factor confirm {} CODE`.",
            name.shown()
        ),
        _ => "It is active.".to_owned(),
    };
    let codes: Vec<String> = recovery_codes(enrolled).collect();
    let codes = match codes.as_slice() {
        [] => String::new(),
        codes => format!(
            "\n\nRecovery codes, each good for one login without the phone. They are not shown again either:\n\n  {}",
            codes.join("\n  ")
        ),
    };
    Ok(format!(
        "{}\nScan this with an authenticator app, or open or type:\n\n  {}\n  secret {}\n\nThe secret is not shown again. {next}{codes}",
        drawn(&code, std::io::stdout().is_terminal()),
        uri.as_str(),
        enrolled.uri.secret().to_base32().as_str(),
    ))
}

/// Two modules a character. On a terminal in black on white by escape sequences, whatever its own colours; else for dark text on light.
fn drawn(code: &QrCode, terminal: bool) -> String {
    let text = code.render::<Dense1x2>().build();
    if !terminal {
        return text;
    }
    let lines: Vec<String> = text.lines().map(|line| format!("\u{1b}[30;107m{line}\u{1b}[0m")).collect();
    lines.join("\n")
}

/// A factor's state for people.
pub(super) fn shown_state(factor: &Summary) -> &'static str {
    if factor.in_doubt { "in doubt" } else { factor.state.as_str() }
}

/// A factor without its secret.
pub(super) fn factor_json(factor: &Summary) -> Value {
    let (algorithm, digits) = match factor.mechanism {
        Mechanism::Totp(totp) => (totp.algorithm, totp.digits),
        Mechanism::Hotp(hotp) => (hotp.algorithm, hotp.digits),
    };
    json!({
        "factor_id": factor.id.to_string(),
        "kind": factor.mechanism.kind(),
        "label": factor.label,
        "algorithm": algorithm.as_str(),
        "digits": digits.get(),
        "period": factor.mechanism.period().map(Period::get),
        "state": factor.state.as_str(),
        "in_doubt": factor.in_doubt,
        "created_at": factor.created_at.to_string(),
        "confirmed_at": factor.confirmed_at.map(|at| at.to_string()),
        "last_used_at": factor.used_at.map(|at| at.to_string()),
    })
}
