//! `countersign move`

use clap::Args;
use serde_json::json;

use crate::app;
use crate::app::audit::Proof;
use crate::app::context::At;
use crate::app::relocation::{Moved, Stage};
use crate::cli::open::service;
use crate::cli::output::{Failure, Output, proof_json, proof_text, table};
use crate::clock::Clock;
use crate::db::Database;
use crate::domain::audit::Origin;
use crate::domain::refusal::Invalid;
use crate::domain::target::Target;
use crate::settings::Settings;

#[derive(Args)]
#[command(after_help = "\
The master key is not in the database: servers of the new one need the same master key file. Stop the servers of the old \
database first; one that runs on accepts nothing from the moment that the move begins, and cannot start again afterwards. \
A move that was interrupted goes on when the same command is run again.")]
#[allow(rustdoc::bare_urls, reason = "these comments are printed as plain text")]
pub(super) struct Command {
    /// The database to move from, as for --database [default: the setting `database`]
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The database to move to, as for --database: an empty one
    #[arg(long, value_name = "URL")]
    to: String,
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    let from = match &command.from {
        Some(url) => target("from", url)?,
        None => settings.database.clone(),
    };
    let to = target("to", &command.to)?;
    let (from, to) = (Database::new(from, 1, None), Database::new(to, 1, None));
    let now = Clock::System.now();
    let stage = app::relocation::survey(&from, &to)?;
    // The key is checked against whichever has it: a source that was closed has nothing to read any more.
    let keeper = match stage {
        Stage::Copy => &from,
        Stage::Open => &to,
    };
    let key_file = &settings.master_key_file;
    if let Some(mut conn) = keeper.look()? {
        app::start::check(&mut conn, keeper.target(), key_file)?;
    }
    let mut conn = keeper.prepare_for_move()?;
    let master = app::start::unlock(&mut conn, keeper.target(), key_file, now)?;
    drop(conn);
    let copied = match stage {
        Stage::Copy => Some(app::relocation::copy(&from, &to, now)?),
        Stage::Open => None,
    };

    let service = service(settings, &master);
    let mut conn = to.prepare_for_move()?;
    let moved = match copied {
        Some(moved) => moved,
        None => app::relocation::counts(&mut conn)?,
    };
    app::relocation::open(&service, &mut conn, &from, At::new(now, Origin::COMMAND_LINE))?;
    let proof = app::audit::verify(&service, &mut conn)?;
    let key_id = master.id().to_string();
    print(&moved, &proof, [&from, &to].map(|end| end.target().shown()), &key_id, settings, output);
    Ok(())
}

fn target(field: &'static str, url: &str) -> Result<Target, Invalid> {
    Target::parse(url).map_err(|invalid| invalid.named(field))
}

fn print(
    moved: &[Moved],
    proof: &Proof,
    [from, to]: [String; 2],
    key_id: &str,
    settings: &Settings,
    output: &Output,
) {
    let rows: u64 = moved.iter().map(|moved| moved.rows).sum();
    let written: u64 = moved.iter().map(|moved| moved.written).sum();
    let tables = moved
        .iter()
        .map(|moved| json!({ "table": moved.table, "rows": moved.rows, "written": moved.written }));
    let key_file = settings.master_key_file.display();
    let document = json!({
        "from": from,
        "to": to,
        "rows": rows,
        "written": written,
        "tables": tables.collect::<Vec<_>>(),
        "audit": proof_json(proof),
        "master_key": { "key_id": key_id, "file": key_file.to_string() },
    });
    output.print(&document, || {
        let row = |moved: &Moved| [moved.table.clone(), moved.rows.to_string(), moved.written.to_string()];
        let counted = table(["TABLE", "ROWS", "WRITTEN NOW"], moved.iter().map(row));
        let log = proof_text(proof, "move");
        format!(
            "{counted}\nMoved {rows} rows to {to}; each was read at both ends and is the same.\n{log}\n\
             {from} is closed for good.\n\
             Servers of the new database need the master key {key_id}, which is in {key_file}."
        )
    });
}
