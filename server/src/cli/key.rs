//! `countersign key ...`: signing keys.

use clap::Subcommand;
use serde_json::json;

use crate::app;
use crate::app::key::Leaked;
use crate::cli::open::{Opened, open};
use crate::cli::output::{Failure, Output, table};
use crate::db::Conn;
use crate::db::signing_key::StoredKey;
use crate::domain::time::Timestamp;
use crate::domain::token::SigningAlgorithm;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List signing keys, the youngest first
    List,
    /// Sign with the next key from now on; tokens of the current one stay valid
    Rotate {
        /// How the new next key shall sign [default: as the one before it]
        #[arg(long, value_parser = SigningAlgorithm::OF_ACCESS_TOKENS.map(SigningAlgorithm::as_str))]
        algorithm: Option<String>,
        /// In an emergency: the current keys, that of ID tokens too, and everything that they signed are good no more
        #[arg(long, conflicts_with = "algorithm")]
        revoke: bool,
    },
    /// In an emergency: keys that somebody else may have, and everything that they signed, are good no more
    #[command(
        override_usage = "countersign key revoke [OPTIONS] <KEY>...\n       countersign key revoke [OPTIONS] --all"
    )]
    Revoke {
        /// The keys, as `key list` names them
        #[arg(value_name = "KEY", required_unless_present = "all")]
        kids: Vec<String>,
        /// All keys, the next one too: new ones are made, and one of them signs from now on
        #[arg(long, conflicts_with = "kids")]
        all: bool,
    },
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let opened = open(settings)?;
    let mut conn = opened.database.connection()?;
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    match command {
        Command::List => {
            let keys = app::key::list(&mut conn)?;
            let document = |key: &StoredKey| {
                json!({
                    "kid": key.kid,
                    "alg": key.algorithm.as_str(),
                    "signs": key.algorithm.signs(),
                    "state": key.state.as_str(),
                    "created_at": key.created_at.to_string(),
                    "activated_at": text(key.activated_at),
                    "retired_at": text(key.retired_at),
                })
            };
            output.print(&keys.iter().map(document).collect::<Vec<_>>(), || {
                let row = |key: &StoredKey| {
                    [
                        key.kid.clone(),
                        key.algorithm.to_string(),
                        key.algorithm.signs().replace('_', " "),
                        key.state.to_string(),
                        key.created_at.to_string(),
                        text(key.activated_at).unwrap_or_default(),
                        text(key.retired_at).unwrap_or_default(),
                    ]
                };
                table(
                    ["KEY", "ALGORITHM", "FOR", "STATE", "MADE", "SIGNS SINCE", "RETIRED"],
                    keys.iter().map(row),
                )
            });
        }
        Command::Rotate { revoke: true, .. } => revoke(&opened, &mut conn, &Leaked::Current, output)?,
        Command::Revoke { all: true, .. } => revoke(&opened, &mut conn, &Leaked::All, output)?,
        Command::Revoke { kids, .. } => revoke(&opened, &mut conn, &Leaked::These(kids.clone()), output)?,
        Command::Rotate { algorithm, .. } => {
            let algorithm = algorithm.as_deref().map(SigningAlgorithm::of_access_tokens).transpose()?;
            let kid = app::key::rotate(&opened.service, &mut conn, opened.at(), algorithm)?;
            output.print(&json!({ "kid": kid, "state": "current" }), || format!("{kid} signs from now on"));
        }
    }
    Ok(())
}

fn revoke(opened: &Opened, conn: &mut Conn, leaked: &Leaked, output: &Output) -> Result<(), Failure> {
    let (kid, revoked) = app::key::revoke(&opened.service, conn, opened.at(), leaked)?;
    output.print(&json!({ "kid": kid, "state": "current", "revoked": revoked }), || {
        let mut lines: Vec<_> =
            revoked.iter().map(|kid| format!("{kid} is revoked with all that it signed")).collect();
        lines.push(format!("{kid} signs from now on"));
        lines.join("\n")
    });
    Ok(())
}
