//! What tables a database has, asked of the database itself, so that whoever works on all of them forgets none: neither a table nor a column
//! that was added later.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::db::{Conn, migrate};
use crate::error::Fault;

/// Which migrations were run.
pub(super) const MIGRATIONS: &str = "__diesel_schema_migrations";

/// Tables that tell something of the database itself and not of what is kept in it.
pub(super) const BOOKKEEPING: [&str; 3] = [MIGRATIONS, "relocation", BACKUP];

/// In backups alone: what the file is.
pub(super) const BACKUP: &str = "countersign_backup";

/// What a column holds, whatever each back end calls that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `BLOB`, `BYTEA`.
    Bytes,
    /// `TEXT`.
    Text,
    /// `INTEGER`, `BIGINT`.
    Number,
    /// `BOOLEAN`.
    Truth,
}

impl Kind {
    fn of(type_name: &str) -> Option<Self> {
        match type_name.to_ascii_lowercase().as_str() {
            "blob" | "bytea" => Some(Self::Bytes),
            "text" => Some(Self::Text),
            "integer" | "bigint" => Some(Self::Number),
            "boolean" => Some(Self::Truth),
            _ => None,
        }
    }
}

/// One column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// One table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, by name.
    pub columns: Vec<Column>,
    /// Which of them are the primary key, in its order; never none.
    pub key: Vec<usize>,
}

#[derive(QueryableByName)]
struct NameRow {
    #[diesel(sql_type = Text)]
    name: String,
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    type_name: String,
    #[diesel(sql_type = BigInt)]
    key_place: i64,
}

#[derive(QueryableByName)]
struct ReferenceRow {
    #[diesel(sql_type = Text)]
    child: String,
    #[diesel(sql_type = Text)]
    parent: String,
}

/// The catalogue's three questions in one back end's words.
struct Questions {
    names: &'static str,
    columns: &'static str,
    references: &'static str,
}

const SQLITE: Questions = Questions {
    names: "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    columns: "SELECT m.name AS table_name, c.name AS name, c.type AS type_name, c.pk AS key_place \
              FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY m.name, c.name",
    references: "SELECT m.name AS child, f.\"table\" AS parent \
                 FROM sqlite_master m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
};

#[cfg(feature = "postgres")]
const POSTGRES: Questions = Questions {
    names: "SELECT relname::text AS name FROM pg_class WHERE relkind IN ('r', 'p') \
            AND relnamespace = current_schema()::regnamespace ORDER BY relname::text COLLATE \"C\"",
    columns: "SELECT c.relname::text AS table_name, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type_name, \
              coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)::bigint AS key_place \
              FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
              LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
              WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace \
              ORDER BY c.relname::text COLLATE \"C\", a.attname::text COLLATE \"C\"",
    references: "SELECT c.relname::text AS child, p.relname::text AS parent FROM pg_constraint f \
                 JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid \
                 WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace",
};

fn questions(conn: &Conn) -> &'static Questions {
    match conn {
        Conn::Sqlite(_) => &SQLITE,
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => &POSTGRES,
    }
}

/// Whether there is such a table.
pub(super) fn has(conn: &mut Conn, table: &'static str) -> Result<bool, Fault> {
    let there = match conn {
        Conn::Sqlite(_) => {
            format!("EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '{table}')")
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) => format!("to_regclass('{table}') IS NOT NULL"),
    };
    Ok(diesel::select(sql::<Bool>(&there)).get_result(conn)?)
}

/// The names of the tables that hold something.
pub fn names(conn: &mut Conn) -> Result<Vec<String>, Fault> {
    let rows: Vec<NameRow> = diesel::sql_query(questions(conn).names).load(conn)?;
    Ok(rows.into_iter().map(|row| row.name).filter(|name| !BOOKKEEPING.contains(&name.as_str())).collect())
}

/// The tables that hold something, those that others refer to before those that refer to them.
pub fn tables(conn: &mut Conn) -> Result<Vec<Table>, Fault> {
    let mut tables: Vec<(Table, Vec<(i64, usize)>)> = names(conn)?
        .into_iter()
        .map(|name| (Table { name, columns: Vec::new(), key: Vec::new() }, Vec::new()))
        .collect();
    let columns: Vec<ColumnRow> = diesel::sql_query(questions(conn).columns).load(conn)?;
    for column in columns {
        let Some((table, key)) = tables.iter_mut().find(|(table, _)| table.name == column.table_name) else {
            continue;
        };
        let kind = Kind::of(&column.type_name).ok_or_else(|| {
            strange(&format!("the column {}.{} is of the type {}", table.name, column.name, column.type_name))
        })?;
        if column.key_place > 0 {
            key.push((column.key_place, table.columns.len()));
        }
        table.columns.push(Column { name: column.name, kind });
    }
    let mut waiting = Vec::with_capacity(tables.len());
    for (mut table, mut key) in tables {
        key.sort_unstable();
        table.key = key.into_iter().map(|(_, column)| column).collect();
        if table.key.is_empty() {
            return Err(strange(&format!("the table {} has no primary key", table.name)));
        }
        waiting.push(table);
    }
    let references: Vec<ReferenceRow> = diesel::sql_query(questions(conn).references).load(conn)?;
    let mut ordered: Vec<Table> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_ready = |table: &Table| {
            let mut parents = references.iter().filter(|reference| reference.child == table.name);
            parents.all(|reference| ordered.iter().any(|done| done.name == reference.parent))
        };
        let (ready, rest): (Vec<Table>, Vec<Table>) = waiting.into_iter().partition(is_ready);
        if ready.is_empty() {
            return Err(strange(&format!("the table {} refers to itself in a circle", rest[0].name)));
        }
        ordered.extend(ready);
        waiting = rest;
    }
    Ok(ordered)
}

fn strange(what: &str) -> Fault {
    Fault::Database(format!("{what}, which this program does not know how to copy"))
}

/// A database with nothing in it but what migrations make: what an empty one looks like.
pub fn pristine() -> Result<Conn, Fault> {
    migrate::pristine()
}
