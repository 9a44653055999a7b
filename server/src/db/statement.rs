//! Statements that are written by hand and prepared once a connection.
//!
//! Diesel plans its own `UPDATE`s, many `INSERT`s and every `sql_query` anew at each call. On the path of a code that is a good part of the
//! work, so what stands there is written with these: one text for both back ends. Of many rows PostgreSQL is told whole columns as arrays; SQLite
//! has several rows in one statement ([`insert_rows`], [`OneOf`]).

use std::iter;

use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, AsExpression, Expression, ValidGrouping, is_aggregate};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::RunQueryDsl;
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, SingleValue, SqlType, Text, Untyped};
use diesel::sqlite::{Sqlite, SqliteConnection};

/// Evaluates an expression, such as `query.load(own)`, on the back end's own connection. Handed [`Conn`](crate::db::Conn) itself diesel writes
/// the query's text three times at each call, prepared or not.
macro_rules! directly {
    ($conn:expr, |$own:ident| $do:expr) => {
        match $conn {
            Conn::Sqlite($own) => $do,
            #[cfg(feature = "postgres")]
            Conn::Postgres($own) => $do,
        }
    };
}
pub(super) use directly;

/// SQL with a `?` for every value, in the order in which they are bound. For one back end's connection: see [`directly`].
pub(super) struct Statement<'a, DB: Backend> {
    /// Done in the same trip, each under a name.
    with: Vec<(&'static str, Self)>,
    /// Each [`VALUE`] by itself.
    sql: Vec<&'static str>,
    values: Vec<Value<'a, DB>>,
}

/// Stands for a value.
const VALUE: &str = "?";

/// A value. The types that rows have are told apart, so that they need no memory of their own.
enum Value<'a, DB: Backend> {
    Whole(Option<i64>),
    Text(Option<&'a str>),
    Bytes(Option<&'a [u8]>),
    Other(Box<dyn QueryFragment<DB> + 'a>),
}

/// Text with each [`VALUE`] by itself.
fn parts(sql: &'static str) -> impl Iterator<Item = &'static str> {
    sql.split_inclusive('?')
        .flat_map(|part| match part.strip_suffix(VALUE) {
            Some(before) => [Some(before), Some(VALUE)],
            None => [Some(part), None],
        })
        .flatten()
}

impl<'a, DB: Backend> Statement<'a, DB> {
    pub(super) fn new(sql: &'static str) -> Self {
        Self { with: Vec::new(), sql: parts(sql).collect(), values: Vec::new() }
    }

    /// Has another one done in the same trip, as `WITH` of this name. All of them see what was there before the trip.
    #[cfg(feature = "postgres")]
    pub(super) fn with(mut self, name: &'static str, other: Self) -> Self {
        self.with.push((name, other));
        self
    }

    /// The next value, as SQL type `S`.
    pub(super) fn bind<S, V>(mut self, value: V) -> Self
    where
        S: SqlType + SingleValue,
        V: AsExpression<S>,
        V::Expression: QueryFragment<DB> + 'a,
    {
        self.values.push(Value::Other(Box::new(value.as_expression())));
        self
    }

    /// The next value, a whole number.
    pub(super) fn whole(mut self, value: impl Into<Option<i64>>) -> Self {
        self.values.push(Value::Whole(value.into()));
        self
    }

    /// The next value, text.
    pub(super) fn text(mut self, value: impl Into<Option<&'a str>>) -> Self {
        self.values.push(Value::Text(value.into()));
        self
    }

    /// The next value, bytes.
    pub(super) fn bytes(mut self, value: impl Into<Option<&'a [u8]>>) -> Self {
        self.values.push(Value::Bytes(value.into()));
        self
    }
}

macro_rules! walk {
    ($($backend:ty),*) => {$(
        impl QueryFragment<$backend> for Statement<'_, $backend> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, $backend>) -> QueryResult<()> {
                for (place, (name, other)) in self.with.iter().enumerate() {
                    out.push_sql(if place == 0 { "WITH " } else { ", " });
                    out.push_sql(name);
                    out.push_sql(" AS (");
                    other.walk_ast(out.reborrow())?;
                    out.push_sql(") ");
                }
                let mut values = self.values.iter();
                for part in &self.sql {
                    if *part != VALUE {
                        out.push_sql(part);
                        continue;
                    }
                    match values.next().expect("there is a value for every `?`") {
                        Value::Whole(value) => out.push_bind_param::<Nullable<BigInt>, _>(value)?,
                        Value::Text(value) => out.push_bind_param::<Nullable<Text>, _>(value)?,
                        Value::Bytes(value) => out.push_bind_param::<Nullable<Binary>, _>(value)?,
                        Value::Other(value) => value.walk_ast(out.reborrow())?,
                    }
                }
                Ok(())
            }
        }
    )*};
}

walk!(Sqlite);
#[cfg(feature = "postgres")]
walk!(diesel::pg::Pg);

impl<DB: Backend> QueryId for Statement<'_, DB> {
    type QueryId = ();
    // Known by its text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<DB: Backend> Query for Statement<'_, DB> {
    type SqlType = Untyped;
}

impl<C, DB: Backend> RunQueryDsl<C> for Statement<'_, DB> {}

/// Inserts rows on SQLite, several with each statement.
///
/// Where one cannot be inserted those before it stay: then the transaction must not commit. For a way back SQLite would copy each page that a
/// statement with several rows changes.
pub(super) fn insert_rows<R>(
    conn: &mut SqliteConnection,
    table: &'static str,
    columns: &'static str,
    rows: &[R],
    bind: impl for<'a> Fn(Statement<'a, Sqlite>, &'a R) -> Statement<'a, Sqlite>,
) -> QueryResult<()> {
    let values = columns.split(',').count();
    for some in pieces(rows) {
        let mut statement = Statement::new("INSERT OR FAIL INTO ");
        statement.sql.extend([table, " (", columns, ") VALUES "]);
        for (place, row) in some.iter().enumerate() {
            statement.sql.push(if place == 0 { "(" } else { "), (" });
            statement.sql.extend((1..2 * values).map(|part| if part % 2 == 1 { VALUE } else { ", " }));
            statement = bind(statement, row);
            debug_assert_eq!(statement.values.len(), (place + 1) * values, "{columns}");
        }
        statement.sql.push(")");
        statement.execute(conn)?;
    }
    Ok(())
}

/// Most values that one statement is told: SQLite takes only so many.
pub(super) const MOST_VALUES: usize = 10_000;

/// How many rows there are statements for.
const LENGTHS: [usize; 4] = [64, 16, 4, 1];

/// Rows in pieces of a few different lengths ([`LENGTHS`]), so that few statements are prepared for all of them.
pub(super) fn pieces<R>(mut rows: &[R]) -> impl Iterator<Item = &[R]> {
    iter::from_fn(move || {
        let length = LENGTHS.into_iter().find(|length| *length <= rows.len())?;
        let (piece, left) = rows.split_at(length);
        rows = left;
        Some(piece)
    })
}

/// Whether a column of text is one of these, on SQLite; of one or more. Diesel's own way takes any number of values for a statement of its own, and prepares each
/// anew: these are to be [`pieces`].
pub(super) struct OneOf<'a, C>(pub(super) C, pub(super) Vec<&'a str>);

impl<C: Expression<SqlType = Text>> Expression for OneOf<'_, C> {
    type SqlType = Bool;
}

impl<QS, C: AppearsOnTable<QS>> AppearsOnTable<QS> for OneOf<'_, C> where Self: Expression {}

impl<G, C> ValidGrouping<G> for OneOf<'_, C> {
    type IsAggregate = is_aggregate::No;
}

impl<C> QueryId for OneOf<'_, C> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C: QueryFragment<Sqlite>> QueryFragment<Sqlite> for OneOf<'_, C> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let Self(column, values) = self;
        column.walk_ast(out.reborrow())?;
        for (place, value) in values.iter().enumerate() {
            out.push_sql(if place == 0 { " IN (" } else { ", " });
            out.push_bind_param::<Text, _>(*value)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

/// One column of many rows.
#[cfg(feature = "postgres")]
pub(super) fn column<'a, R, V>(rows: &'a [R], value: impl Fn(&'a R) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_all_rows_in_their_order() {
        for count in [0, 1, 3, 4, 63, 64, 89, 256] {
            let rows: Vec<usize> = (0..count).collect();
            assert_eq!(pieces(&rows).flatten().copied().collect::<Vec<_>>(), rows);
            assert!(pieces(&rows).all(|some| LENGTHS.contains(&some.len())));
        }
    }
}
