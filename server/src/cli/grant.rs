//! `countersign grant ...`: access given for a time.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::app;
use crate::app::access::{Named, Span};
use crate::cli::open::open;
use crate::cli::output::{Failure, Output, table};
use crate::db::grant::Summary;
use crate::domain::authorization::{Access, Details};
use crate::domain::id::GrantId;
use crate::domain::refusal::Invalid;
use crate::domain::scope::parse_scope;
use crate::domain::time::Timestamp;
use crate::domain::user::UserName;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Give access to users and groups, all or none
    Give {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        what: What,
        /// From when, as 2026-12-01T08:00:00Z [default: now]
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until when [default: until it is taken back]
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Take all grants of this access back from users and groups
    Take {
        #[command(flatten)]
        who: Who,
        #[command(flatten)]
        what: What,
    },
    /// Take one grant back
    End {
        /// Its id
        grant: String,
    },
    /// List grants that are not over
    List {
        /// Only those of this user
        #[arg(long, conflicts_with = "group")]
        user: Option<String>,
        /// Only those of this group
        #[arg(long)]
        group: Option<String>,
    },
}

#[derive(Args)]
#[group(required = true, multiple = true)]
pub(super) struct Who {
    /// A user; give it once for each
    #[arg(long = "user", value_name = "USER")]
    users: Vec<String>,
    /// A group; give it once for each
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
}

impl Who {
    fn named(&self) -> Result<Vec<Named>, Invalid> {
        let users = self.users.iter().map(|name| UserName::parse(name).map(Named::User));
        users.chain(self.groups.iter().map(|name| Ok(Named::Group(name.clone())))).collect()
    }
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct What {
    /// A scope that is set `--by-grant`
    #[arg(long)]
    scope: Option<String>,
    /// What one entry of authorization details may reach, as a JSON object with a type (RFC 9396)
    #[arg(long, value_name = "JSON")]
    detail: Option<String>,
}

impl What {
    fn access(&self) -> Result<Access, Invalid> {
        if let Some(scope) = &self.scope {
            return Ok(Access::Scope(parse_scope(scope)?));
        }
        let json = self.detail.as_deref().unwrap_or_default();
        let malformed =
            || Invalid::new("detail", "must be a JSON object with a type and the members of RFC 9396 s2.2");
        let details = Details::parse(&format!("[{json}]")).map_err(|_| malformed())?;
        match details.entries() {
            [one] => Ok(Access::Detail(Box::new(one.clone()))),
            _ => Err(malformed()),
        }
    }
}

pub(super) fn run(command: &Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Give { who, what, from, until } => {
            let (holders, access) = (who.named()?, what.access()?);
            let time = |field, text: &Option<String>| {
                text.as_deref().map(|text| Timestamp::parse(field, text)).transpose()
            };
            let (from, until) = (time("from", from)?, time("until", until)?);
            let opened = open(settings)?;
            let at = opened.at();
            let span = Span { starts_at: from.unwrap_or(at.now), ends_at: until.unwrap_or(Timestamp::NEVER) };
            let mut conn = opened.database.connection()?;
            let given = app::access::give(&opened.service, &mut conn, at, &holders, &access, span)?;
            let ids: Vec<String> = given.iter().map(GrantId::to_string).collect();
            output.print(&json!({ "grants": ids }), || ids.join("\n"));
        }
        Command::Take { who, what } => {
            let (holders, access) = (who.named()?, what.access()?);
            let opened = open(settings)?;
            let mut conn = opened.database.connection()?;
            let taken = app::access::take(&opened.service, &mut conn, opened.at(), &holders, &access)?;
            output.print(&json!({ "taken": taken }), || format!("took back {taken} grants"));
        }
        Command::End { grant } => {
            let id: GrantId = grant.parse()?;
            let opened = open(settings)?;
            app::access::take_one(&opened.service, &mut *opened.database.connection()?, opened.at(), id)?;
            output.print(&json!({ "id": id.to_string(), "ended": true }), || format!("ended {id}"));
        }
        Command::List { user, group } => {
            let of = match (user, group) {
                (Some(name), _) => Some(Named::User(UserName::parse(name)?)),
                (None, Some(name)) => Some(Named::Group(name.clone())),
                (None, None) => None,
            };
            let opened = open(settings)?;
            let grants = app::access::grants(&mut *opened.database.connection()?, opened.at(), of.as_ref())?;
            output.print(&grants.iter().map(grant_json).collect::<Vec<_>>(), || {
                let row = |grant: &Summary| {
                    [
                        grant.id.to_string(),
                        grant.user.clone().unwrap_or_default(),
                        grant.group.clone().unwrap_or_default(),
                        shown(&grant.access),
                        grant.starts_at.to_string(),
                        grant.ends_at.to_string(),
                    ]
                };
                table(["GRANT", "USER", "GROUP", "ACCESS", "FROM", "UNTIL"], grants.iter().map(row))
            });
        }
    }
    Ok(())
}

fn shown(access: &Access) -> String {
    match access {
        Access::Scope(scope) => scope.clone(),
        Access::Detail(detail) => serde_json::to_string(detail).expect("details are always JSON"),
    }
}

fn grant_json(grant: &Summary) -> Value {
    let (scope, detail) = match &grant.access {
        Access::Scope(scope) => (json!(scope), Value::Null),
        Access::Detail(detail) => (Value::Null, json!(detail)),
    };
    let ends_at = (grant.ends_at != Timestamp::NEVER).then(|| grant.ends_at.to_string());
    json!({
        "id": grant.id.to_string(),
        "user": grant.user,
        "group": grant.group,
        "scope": scope,
        "detail": detail,
        "starts_at": grant.starts_at.to_string(),
        "ends_at": ends_at,
    })
}
