//! `countersign restore`

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::app;
use crate::app::audit::Proof;
use crate::app::context::At;
use crate::app::restore::{Backup, RestoreError, Restored, Settled};
use crate::cli::open::{make_data_folder, service};
use crate::cli::output::{Failure, Output, proof_json, proof_text};
use crate::clock::Clock;
use crate::db::Database;
use crate::db::factor::CounterFactor;
use crate::domain::audit::Origin;
use crate::settings::Settings;

/// How many HOTP factors people are shown; a document has all.
const SHOWN: usize = 20;

#[derive(Args)]
#[command(after_help = "\
Stop every server first. The database (--database) must be empty or not there yet, and the master key file must hold the key that the \
backup names. What may have been used up since the backup counts as used up: nobody is logged in any more, TOTP codes are refused for two \
minutes, HOTP factors want `factor resync`, recovery codes and one-time links are void. What was changed otherwise since then is for you to \
do again. Until it is finished nothing is changed; if it is interrupted, run it again.")]
pub(super) struct Command {
    /// The file that `countersign backup` has written; it is not changed
    file: PathBuf,
    /// Leave recovery codes as they were: those that were used since the backup are good once more
    #[arg(long)]
    keep_recovery_codes: bool,
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let (file, key_file) = (&command.file, &settings.master_key_file);
    let to = Database::new(settings.database.clone(), 1, None);
    let now = Clock::System.now();
    let mut backup = app::restore::open(file)?;
    let altered = || RestoreError::Altered(file.display().to_string());
    let master = app::start::read(&mut backup.conn, key_file)?.ok_or_else(altered)?;
    let service = service(settings, &master);
    app::restore::survey(&service, &mut backup, &to, now)?;

    make_data_folder(settings)?;
    // Not the time of the beginning: codes were accepted until every server was stopped, and reading a backup takes its time.
    let at = At::new(Clock::System.now(), Origin::COMMAND_LINE);
    let restored = app::restore::restore(&service, &mut backup, &to, command.keep_recovery_codes, at)?;
    let proof = app::audit::verify(&service, &mut *to.connection()?)?;
    let last = app::audit::last(&mut backup.conn, 1)?.first().map(|entry| entry.at.to_string());
    print(command, (&backup, last.unwrap_or_default()), &restored, &proof, &to, output);
    Ok(())
}

fn print(
    command: &Command,
    (backup, last_entry): (&Backup, String),
    restored: &Restored,
    proof: &Proof,
    to: &Database,
    output: &Output,
) {
    let rows: u64 = restored.tables.iter().map(|counted| counted.rows).sum();
    let (made_at, to) = (backup.mark.made_at.to_string(), to.target().shown());
    let document = json!({
        "file": command.file.display().to_string(),
        "from": backup.mark.place,
        "made_at": made_at,
        "last_entry_at": last_entry,
        "to": to,
        "rows": rows,
        "tables": restored.tables.iter().map(|one| json!({ "table": one.table, "rows": one.rows })).collect::<Value>(),
        "audit": proof_json(proof),
        "settled": settled_json(&restored.settled),
    });
    output.print(&document, || {
        format!(
            "Restored {rows} rows to {to}, as they were at {made_at} in {}; each was read there again and is as it was backed up.\n{}\n\n{}\n\
             What has happened since {made_at} is forgotten; if the backup was made of a copy, since that was made. The last entry of its audit log is of {last_entry}. As far as you know of it, do again:\n\
             \x20 - resets of lost phones (`factor reset`) and removed factors: until then those verify codes again\n\
             \x20 - locks, removals and changed roles and passwords of users: until then they are as they were\n\
             \x20 - disabled and removed applications, and renewed secrets: until then the old ones are good\n\
             \x20 - access taken back, members taken out of groups, and scopes' rules\n\
             \x20 - users, factors, applications and grants that were new",
            backup.mark.place,
            proof_text(proof, "restore"),
            settled_text(&restored.settled, command.keep_recovery_codes),
        )
    });
}

fn settled_json(settled: &Settled) -> Value {
    let factor = |factor: &CounterFactor| json!({ "user": factor.user_name, "factor_id": factor.id.to_string(), "label": factor.label });
    json!({
        "totp_factors": settled.totp_factors,
        "hotp_factors": settled.hotp_factors.iter().map(factor).collect::<Value>(),
        "sessions": settled.sessions,
        "signing_keys": settled.signing_keys,
        "pending_logins": settled.pending_logins,
        "recovery_codes": settled.recovery_codes,
        "invitations": settled.invitations,
        "trusted_devices": settled.trusted_devices,
        "reset_requests": settled.reset_requests,
        "mails": settled.mails,
    })
}

fn settled_text(settled: &Settled, keep_recovery_codes: bool) -> String {
    let recovery_codes = if keep_recovery_codes {
        "recovery codes were kept: one that was used since is good once more".to_owned()
    } else {
        format!(
            "{} recovery codes are void; users make new ones in the console, you by `recovery-code renew`",
            settled.recovery_codes
        )
    };
    let mut lines = vec![
        format!(
            "{} sessions ended, with all tokens; {} signing keys were revoked",
            settled.sessions, settled.signing_keys
        ),
        format!(
            "{} TOTP factors: codes are refused for two periods and a minute: two minutes, where a period is 30 s",
            settled.totp_factors
        ),
        recovery_codes,
        format!("{} one-time links are void: invite again", settled.invitations),
        format!(
            "{} remembered browsers are forgotten, {} logins want the password again",
            settled.trusted_devices, settled.pending_logins
        ),
        format!("{} resets that waited for approval are to be asked for again", settled.reset_requests),
        format!("{} mails that waited are given up (`outbox list`)", settled.mails),
        format!(
            "{} HOTP factors verify nothing until `factor resync USER FIRST SECOND`, with two codes that the token shows then",
            settled.hotp_factors.len()
        ),
    ];
    let shown = settled.hotp_factors.iter().take(SHOWN);
    lines.extend(shown.map(|factor| {
        format!(
            "    {} ({}, {})",
            factor.user_name.replace(char::is_control, "·"),
            factor.label.replace(char::is_control, "·"),
            factor.id
        )
    }));
    if let Some(more @ 1..) = settled.hotp_factors.len().checked_sub(SHOWN) {
        lines.push(format!("    and {more} more, which --json lists"));
    }
    let lines =
        lines.iter().map(|line| if line.starts_with(' ') { line.clone() } else { format!("  - {line}") });
    format!(
        "Made harmless, since it may have been used or taken back meanwhile:\n{}\n",
        lines.collect::<Vec<_>>().join("\n")
    )
}
