//! Scopes with rules of their own.

use diesel::prelude::*;

use crate::db::schema::scope_rule;
use crate::db::{Conn, unless_taken};
use crate::domain::authorization::ScopeRule;
use crate::error::Fault;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = scope_rule, treat_none_as_null = true)]
pub(super) struct Row {
    name: String,
    description: String,
    audience: Option<String>,
    token_ttl_s: Option<i64>,
    max_age_s: Option<i64>,
    acr: Option<String>,
    one_use: bool,
    by_grant: bool,
}

impl Row {
    pub(super) fn read(self) -> ScopeRule {
        ScopeRule {
            name: self.name,
            description: self.description,
            audience: self.audience,
            token_ttl_s: self.token_ttl_s,
            max_age_s: self.max_age_s,
            acr: self.acr,
            one_use: self.one_use,
            by_grant: self.by_grant,
        }
    }
}

/// All of them by name.
pub fn list(conn: &mut Conn) -> Result<Vec<ScopeRule>, Fault> {
    let rows: Vec<Row> =
        scope_rule::table.order(scope_rule::name.asc()).select(Row::as_select()).load(conn)?;
    Ok(rows.into_iter().map(Row::read).collect())
}

/// Up to `limit` of them by name, after one.
pub fn page(conn: &mut Conn, after: &str, limit: i64) -> Result<Vec<ScopeRule>, Fault> {
    let rows: Vec<Row> = scope_rule::table
        .filter(scope_rule::name.gt(after))
        .order(scope_rule::name.asc())
        .limit(limit)
        .select(Row::as_select())
        .load(conn)?;
    Ok(rows.into_iter().map(Row::read).collect())
}

/// The rule of this scope, if there is one. No other transaction changes it until this one ends.
pub fn hold(conn: &mut Conn, name: &str) -> Result<Option<ScopeRule>, Fault> {
    diesel::update(scope_rule::table.find(name)).set(scope_rule::name.eq(scope_rule::name)).execute(conn)?;
    let row: Option<Row> = scope_rule::table.find(name).select(Row::as_select()).first(conn).optional()?;
    Ok(row.map(Row::read))
}

/// Puts a rule in the place of the one of the same name, or where there is none; `false` where another transaction puts one there at
/// the same moment.
pub fn put(conn: &mut Conn, rule: &ScopeRule) -> Result<bool, Fault> {
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
    if diesel::update(scope_rule::table.find(&rule.name)).set(&row).execute(conn)? == 1 {
        return Ok(true);
    }
    unless_taken(diesel::insert_into(scope_rule::table).values(&row).execute(conn))
}

/// Removes a rule; `false` where there is none.
pub fn remove(conn: &mut Conn, name: &str) -> Result<bool, Fault> {
    Ok(diesel::delete(scope_rule::table.find(name)).execute(conn)? == 1)
}
