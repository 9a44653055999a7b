//! Rows of any table, as the [`catalogue`](crate::db::catalogue) describes it: read in the order of the primary key, added, deleted. Both back
//! ends order keys alike, by their bytes.

use std::fmt;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::prelude::*;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::row::{Field, NamedRow};
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};

use crate::db::Conn;
use crate::db::catalogue::{Kind, Table};
use crate::error::Fault;

type Both = <Conn as Connection>::Backend;

/// SQLite takes this many parameters and some more in one statement.
const PARAMETERS: usize = 32_000;

/// One value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// None.
    Null,
    /// Bytes.
    Bytes(Vec<u8>),
    /// Text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// True or false.
    Truth(bool),
}

/// One row: a value for each column of its table, in their order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row(Vec<Cell>);

/// The primary key of one row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(Vec<Cell>);

impl Row {
    /// Its primary key.
    pub fn key(&self, table: &Table) -> Key {
        Key(table.key.iter().map(|column| self.0[*column].clone()).collect())
    }

    /// The bytes in a column that holds some.
    pub fn bytes(&self, column: usize) -> Option<&[u8]> {
        match &self.0[column] {
            Cell::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Puts other bytes there, in this row and not in the database.
    pub fn set_bytes(&mut self, column: usize, bytes: Vec<u8>) {
        self.0[column] = Cell::Bytes(bytes);
    }

    /// Its values as bytes: the same ones on both back ends, others for every other row.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut long = |letter: u8, value: &[u8]| {
            bytes.push(letter);
            bytes.extend((value.len() as u64).to_be_bytes());
            bytes.extend(value);
        };
        for cell in &self.0 {
            match cell {
                Cell::Null => long(b'-', &[]),
                Cell::Bytes(value) => long(b'b', value),
                Cell::Text(value) => long(b't', value.as_bytes()),
                Cell::Number(value) => long(b'n', &value.to_be_bytes()),
                Cell::Truth(value) => long(b'f', &[u8::from(*value)]),
            }
        }
        bytes
    }
}

impl Key {
    /// Of a key that is one text, or bytes: its bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self.0.as_slice() {
            [Cell::Bytes(bytes)] => Some(bytes),
            [Cell::Text(text)] => Some(text.as_bytes()),
            _ => None,
        }
    }
}

/// For people: texts as they are, bytes in hexadecimal.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, cell) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(" ")?;
            }
            match cell {
                Cell::Null => f.write_str("null")?,
                Cell::Bytes(bytes) => bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?,
                Cell::Text(text) => f.write_str(text)?,
                Cell::Number(number) => write!(f, "{number}")?,
                Cell::Truth(truth) => write!(f, "{truth}")?,
            }
        }
        Ok(())
    }
}

/// Reads each value as what the first letter of its column's name says, which `letter` put there.
impl QueryableByName<Both> for Row {
    fn build<'a>(row: &impl NamedRow<'a, Both>) -> deserialize::Result<Self> {
        fn read<ST, T: FromSql<ST, Both>>(
            value: Option<<Both as Backend>::RawValue<'_>>,
            cell: fn(T) -> Cell,
        ) -> deserialize::Result<Cell> {
            value.map_or(Ok(Cell::Null), |value| T::from_sql(value).map(cell))
        }
        let cells = (0..row.field_count()).map(|place| {
            let field = diesel::row::Row::get(row, place).ok_or("a column is missing")?;
            match field.field_name().and_then(|name| name.chars().next()) {
                Some('b') => read::<Binary, _>(field.value(), Cell::Bytes),
                Some('t') => read::<Text, _>(field.value(), Cell::Text),
                Some('n') => read::<BigInt, _>(field.value(), Cell::Number),
                Some('f') => read::<Bool, _>(field.value(), Cell::Truth),
                _ => Err("a column has a strange name".into()),
            }
        });
        cells.collect::<deserialize::Result<_>>().map(Self)
    }
}

const fn letter(kind: Kind) -> char {
    match kind {
        Kind::Bytes => 'b',
        Kind::Text => 't',
        Kind::Number => 'n',
        Kind::Truth => 'f',
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn names(table: &Table, columns: impl Iterator<Item = usize>) -> String {
    columns.map(|column| quoted(&table.columns[column].name)).collect::<Vec<_>>().join(", ")
}

fn is_sqlite(conn: &Conn) -> bool {
    matches!(conn, Conn::Sqlite(_))
}

/// A statement under construction.
#[derive(Default)]
struct Statement {
    text: String,
    values: Vec<Cell>,
}

impl Statement {
    /// `($1, $2)`, with these values.
    fn list(&mut self, values: &[Cell]) {
        let first = self.values.len() + 1;
        let places: Vec<String> = (first..first + values.len()).map(|place| format!("${place}")).collect();
        self.text.extend(["(", &places.join(", "), ")"]);
        self.values.extend_from_slice(values);
    }

    /// `(VALUES ($1, $2), ($3, $4))`.
    fn keys(&mut self, keys: &[Key]) {
        self.text.push_str("(VALUES ");
        for (place, key) in keys.iter().enumerate() {
            if place > 0 {
                self.text.push_str(", ");
            }
            self.list(&key.0);
        }
        self.text.push(')');
    }

    fn query(self) -> BoxedSqlQuery<'static, Both, SqlQuery> {
        let begun = diesel::sql_query(self.text).into_boxed::<Both>();
        self.values.into_iter().fold(begun, |query, value| match value {
            Cell::Null => query.bind::<Nullable<Binary>, _>(None::<Vec<u8>>),
            Cell::Bytes(bytes) => query.bind::<Binary, _>(bytes),
            Cell::Text(text) => query.bind::<Text, _>(text),
            Cell::Number(number) => query.bind::<BigInt, _>(number),
            Cell::Truth(truth) => query.bind::<Bool, _>(truth),
        })
    }
}

/// `SELECT` of all columns of a table, each under a name that says how to read it.
fn selection(conn: &Conn, table: &Table) -> Statement {
    let columns = table.columns.iter().enumerate().map(|(place, column)| {
        let widened = if column.kind == Kind::Number && !is_sqlite(conn) { "::bigint" } else { "" };
        format!("{}{widened} AS {}{place}", quoted(&column.name), letter(column.kind))
    });
    let columns = columns.collect::<Vec<_>>().join(", ");
    Statement { text: format!("SELECT {columns} FROM {}", quoted(&table.name)), values: Vec::new() }
}

/// The columns of the key, compared by their bytes.
fn key_columns(conn: &Conn, table: &Table) -> String {
    let columns = table.key.iter().map(|place| {
        let column = &table.columns[*place];
        // A database may order texts as some language does.
        let by_bytes = if column.kind == Kind::Text && !is_sqlite(conn) { " COLLATE \"C\"" } else { "" };
        format!("{}{by_bytes}", quoted(&column.name))
    });
    columns.collect::<Vec<_>>().join(", ")
}

/// Up to `limit` rows behind `after`, in the order of their keys.
pub fn page(conn: &mut Conn, table: &Table, after: Option<&Key>, limit: usize) -> Result<Vec<Row>, Fault> {
    let key = key_columns(conn, table);
    let mut statement = selection(conn, table);
    if let Some(after) = after {
        statement.text.extend([" WHERE (", &key, ") > "]);
        statement.list(&after.0);
    }
    statement.text.extend([" ORDER BY ", &key, " LIMIT ", &limit.to_string()]);
    Ok(statement.query().load(conn)?)
}

/// All rows behind `after`, up to and with `last`.
pub fn between(conn: &mut Conn, table: &Table, after: Option<&Key>, last: &Key) -> Result<Vec<Row>, Fault> {
    let key = key_columns(conn, table);
    let mut statement = selection(conn, table);
    statement.text.extend([" WHERE (", &key, ") <= "]);
    statement.list(&last.0);
    if let Some(after) = after {
        statement.text.extend([" AND (", &key, ") > "]);
        statement.list(&after.0);
    }
    Ok(statement.query().load(conn)?)
}

/// Those rows that have one of these keys.
pub fn with_keys(conn: &mut Conn, table: &Table, keys: &[Key]) -> Result<Vec<Row>, Fault> {
    let mut statement = selection(conn, table);
    statement.text.extend([" WHERE (", &names(table, table.key.iter().copied()), ") IN "]);
    statement.keys(keys);
    Ok(statement.query().load(conn)?)
}

/// How many rows there are.
pub fn count(conn: &mut Conn, table: &Table) -> Result<i64, Fault> {
    let count = format!("(SELECT count(*) FROM {})", quoted(&table.name));
    Ok(diesel::select(diesel::dsl::sql::<BigInt>(&count)).get_result(conn)?)
}

/// Deletes the rows that have one of these keys, and whatever falls with them.
pub fn delete(conn: &mut Conn, table: &Table, keys: &[Key]) -> Result<(), Fault> {
    let mut statement = Statement::default();
    let key = names(table, table.key.iter().copied());
    statement.text = format!("DELETE FROM {} WHERE ({key}) IN ", quoted(&table.name));
    statement.keys(keys);
    statement.query().execute(conn)?;
    Ok(())
}

/// Deletes all rows.
pub fn clear(conn: &mut Conn, table: &Table) -> Result<(), Fault> {
    diesel::sql_query(format!("DELETE FROM {}", quoted(&table.name))).execute(conn)?;
    Ok(())
}

/// Removes a table with all that is in it.
pub fn drop_table(conn: &mut Conn, table: &str) -> Result<(), Fault> {
    diesel::sql_query(format!("DROP TABLE {}", quoted(table))).execute(conn)?;
    Ok(())
}

/// Gives a table another name; what refers to it follows.
pub fn rename(conn: &mut Conn, table: &Table, name: &str) -> Result<(), Fault> {
    let statement = format!("ALTER TABLE {} RENAME TO {}", quoted(&table.name), quoted(name));
    diesel::sql_query(statement).execute(conn)?;
    Ok(())
}

/// Adds rows, in as few statements as the back end allows.
pub fn insert(conn: &mut Conn, table: &Table, rows: &[Row]) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let into = format!("INSERT INTO {} ({})", quoted(&table.name), names(table, 0..table.columns.len()));
    match conn {
        Conn::Sqlite(_) => {
            // Without numbers: SQLite looks for each `$7` among all before it.
            let places = format!("({})", vec!["?"; table.columns.len()].join(", "));
            for rows in rows.chunks(PARAMETERS / table.columns.len()) {
                let text = format!("{into} VALUES {}", vec![places.as_str(); rows.len()].join(", "));
                let values = rows.iter().flat_map(|row| row.0.iter().cloned()).collect();
                Statement { text, values }.query().execute(conn)?;
            }
            Ok(())
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => insert_columns(conn, &into, table, rows),
    }
}

/// Writes one column of rows that have a key of one column. A row that has nothing there by now, or is gone, stays so.
pub fn update(conn: &mut Conn, table: &Table, column: usize, rows: &[Row]) -> Result<(), Fault> {
    let [key] = table.key[..] else { return Err(Fault::Corrupt { what: "key of one column" }) };
    let (name, column_name) = (quoted(&table.name), quoted(&table.columns[column].name));
    for rows in rows.chunks(PARAMETERS / 2) {
        let text = format!("UPDATE {name} SET {column_name} = given.column2 FROM (VALUES ");
        let mut statement = Statement { text, values: Vec::new() };
        for (place, row) in rows.iter().enumerate() {
            if place > 0 {
                statement.text.push_str(", ");
            }
            statement.list(&[row.0[key].clone(), row.0[column].clone()]);
        }
        let key = quoted(&table.columns[key].name);
        let rest =
            [") AS given WHERE ", &name, ".", &key, " = given.column1 AND ", &column_name, " IS NOT NULL"];
        statement.text.extend(rest);
        statement.query().execute(conn)?;
    }
    Ok(())
}

/// A parameter for each column and not for each value: an array of all rows' values.
#[cfg(feature = "postgres")]
fn insert_columns(conn: &mut PgConnection, into: &str, table: &Table, rows: &[Row]) -> Result<(), Fault> {
    use diesel::pg::Pg;
    use diesel::sql_types::Array;

    fn column<'a, T>(rows: &'a [Row], place: usize, value: fn(&'a Cell) -> Option<T>) -> Vec<Option<T>> {
        rows.iter().map(|row| value(&row.0[place])).collect()
    }
    let places: Vec<String> = (1..=table.columns.len()).map(|place| format!("${place}")).collect();
    let statement = format!("{into} SELECT * FROM unnest({})", places.join(", "));
    let mut query = diesel::sql_query(statement).into_boxed::<Pg>();
    for (place, description) in table.columns.iter().enumerate() {
        query = match description.kind {
            Kind::Bytes => query.bind::<Array<Nullable<Binary>>, _>(column(rows, place, |cell| match cell {
                Cell::Bytes(bytes) => Some(bytes.as_slice()),
                _ => None,
            })),
            Kind::Text => query.bind::<Array<Nullable<Text>>, _>(column(rows, place, |cell| match cell {
                Cell::Text(text) => Some(text.as_str()),
                _ => None,
            })),
            Kind::Number => {
                query.bind::<Array<Nullable<BigInt>>, _>(column(rows, place, |cell| match cell {
                    Cell::Number(number) => Some(*number),
                    _ => None,
                }))
            }
            Kind::Truth => query.bind::<Array<Nullable<Bool>>, _>(column(rows, place, |cell| match cell {
                Cell::Truth(truth) => Some(*truth),
                _ => None,
            })),
        };
    }
    query.execute(conn)?;
    Ok(())
}
