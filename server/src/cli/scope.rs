//! `countersign scope ...`: scopes with rules of their own.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::app;
use crate::cli::open::open;
use crate::cli::output::{Failure, Output, table};
use crate::domain::authorization::ScopeRule;
use crate::domain::client::{MAX_TOKEN_TTL_S, parse_absolute_uri};
use crate::domain::scope::parse_scope;
use crate::settings::Settings;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Give a scope a rule, in the place of the one that it has
    Set {
        /// The scope
        name: String,
        /// What it allows, for people
        #[arg(long, default_value = "")]
        description: String,
        /// Only in tokens for this audience
        #[arg(long, value_name = "URI")]
        audience: Option<String>,
        /// Tokens with it live no longer
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(1..=MAX_TOKEN_TTL_S))]
        token_ttl: Option<i64>,
        /// Only for logins that are no older; tokens with it end then
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(1..=MAX_TOKEN_TTL_S))]
        max_age: Option<i64>,
        /// Only for logins with this or something stronger
        #[arg(long, value_parser = ["recovery", "otp"])]
        acr: Option<String>,
        /// Tokens with it are opaque, and spent by their first introspection
        #[arg(long)]
        one_use: bool,
        /// Only for users who hold a grant of it
        #[arg(long)]
        by_grant: bool,
    },
    /// List all scopes with rules
    List,
    /// Remove a scope's rule: the client alone rules it from then on
    Remove {
        /// The scope
        name: String,
    },
}

pub(super) fn run(command: Command, settings: &Settings, output: &Output) -> Result<(), Failure> {
    match command {
        Command::Set { name, description, audience, token_ttl, max_age, acr, one_use, by_grant } => {
            let rule = ScopeRule {
                name: parse_scope(&name)?,
                description,
                audience: audience.as_deref().map(|text| parse_absolute_uri("audience", text)).transpose()?,
                token_ttl_s: token_ttl,
                max_age_s: max_age,
                acr: acr.map(|word| format!("urn:countersign:acr:{word}")),
                one_use,
                by_grant,
            };
            let opened = open(settings)?;
            let at = opened.at();
            app::access::put_scope(&opened.service, &mut *opened.database.connection()?, at, &rule)?;
            output.print(&rule_json(&rule), || format!("{} has this rule", rule.name));
        }
        Command::List => {
            let opened = open(settings)?;
            let rules = app::access::scopes(&mut *opened.database.connection()?)?;
            output.print(&rules.iter().map(rule_json).collect::<Vec<_>>(), || {
                let seconds = |s: Option<i64>| s.map_or_else(String::new, |s| format!("{s} s"));
                let row = |rule: &ScopeRule| {
                    [
                        rule.name.clone(),
                        seconds(rule.token_ttl_s),
                        seconds(rule.max_age_s),
                        rule.acr.clone().unwrap_or_default(),
                        if rule.one_use { "one use" } else { "" }.to_owned(),
                        if rule.by_grant { "by grant" } else { "" }.to_owned(),
                        rule.audience.clone().unwrap_or_default(),
                        rule.description.clone(),
                    ]
                };
                table(
                    ["SCOPE", "LIFETIME", "MAX AGE", "LOGIN", "USE", "GIVEN", "AUDIENCE", "DESCRIPTION"],
                    rules.iter().map(row),
                )
            });
        }
        Command::Remove { name } => {
            let opened = open(settings)?;
            let at = opened.at();
            app::access::remove_scope(&opened.service, &mut *opened.database.connection()?, at, &name)?;
            output
                .print(&json!({ "scope": name, "removed": true }), || format!("removed the rule of {name}"));
        }
    }
    Ok(())
}

fn rule_json(rule: &ScopeRule) -> Value {
    json!({
        "scope": rule.name,
        "description": rule.description,
        "audience": rule.audience,
        "token_ttl": rule.token_ttl_s,
        "max_age": rule.max_age_s,
        "acr": rule.acr,
        "one_use": rule.one_use,
        "by_grant": rule.by_grant,
    })
}
