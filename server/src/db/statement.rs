//! Statements that are written by hand and prepared once a connection.
//!
//! Diesel plans its own `UPDATE`s, many `INSERT`s and every `sql_query` anew at each call. On the path of a code that is a good part of the
//! work, so what stands there is written with these: one text for both back ends, and on PostgreSQL, for many rows at once,
//! whole columns as arrays.

use diesel::backend::Backend;
use diesel::expression::AsExpression;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::RunQueryDsl;
use diesel::result::QueryResult;
use diesel::sql_types::{SingleValue, SqlType, Untyped};

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
    sql: &'static str,
    binds: Vec<Box<dyn QueryFragment<DB> + 'a>>,
}

impl<'a, DB: Backend> Statement<'a, DB> {
    pub(super) fn new(sql: &'static str) -> Self {
        Self { with: Vec::new(), sql, binds: Vec::new() }
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
        self.binds.push(Box::new(value.as_expression()));
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
                let mut binds = self.binds.iter();
                for (place, part) in self.sql.split('?').enumerate() {
                    if place > 0 {
                        let bind = binds.next().expect("there is a value for every `?`");
                        bind.walk_ast(out.reborrow())?;
                    }
                    out.push_sql(part);
                }
                Ok(())
            }
        }
    )*};
}

walk!(diesel::sqlite::Sqlite);
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

/// One column of many rows.
#[cfg(feature = "postgres")]
pub(super) fn column<'a, R, V>(rows: &'a [R], value: impl Fn(&'a R) -> V) -> Vec<V> {
    rows.iter().map(value).collect()
}
