//! Scopes with rules of their own.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::scope_rule;
use crate::domain::authorization::ScopeRule;
use crate::error::Fault;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = scope_rule)]
struct Row {
    name: String,
    description: String,
    audience: Option<String>,
    token_ttl_s: Option<i64>,
    max_age_s: Option<i64>,
    acr: Option<String>,
    one_use: bool,
    by_grant: bool,
}

/// All of them by name.
pub fn list(conn: &mut Conn) -> Result<Vec<ScopeRule>, Fault> {
    let rows: Vec<Row> =
        scope_rule::table.order(scope_rule::name.asc()).select(Row::as_select()).load(conn)?;
    Ok(rows
        .into_iter()
        .map(|row| ScopeRule {
            name: row.name,
            description: row.description,
            audience: row.audience,
            token_ttl_s: row.token_ttl_s,
            max_age_s: row.max_age_s,
            acr: row.acr,
            one_use: row.one_use,
            by_grant: row.by_grant,
        })
        .collect())
}

/// Puts a rule in the place of the one of the same name.
pub fn put(conn: &mut Conn, rule: &ScopeRule) -> Result<(), Fault> {
    remove(conn, &rule.name)?;
    let row = Row {
        name: rule.name.clone(),
        description: rule.description.clone(),
        audience: rule.audience.clone(),
        token_ttl_s: rule.token_ttl_s,
        max_age_s: rule.max_age_s,
        acr: rule.acr.clone(),
        one_use: rule.one_use,
        by_grant: rule.by_grant,
    };
    diesel::insert_into(scope_rule::table).values(&row).execute(conn)?;
    Ok(())
}

/// Removes a rule; `false` where there is none.
pub fn remove(conn: &mut Conn, name: &str) -> Result<bool, Fault> {
    Ok(diesel::delete(scope_rule::table.find(name)).execute(conn)? == 1)
}
