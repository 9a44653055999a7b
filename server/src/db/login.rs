//! What logins write: the codes that they use up, their sessions and their tokens, all at the end of a transaction.

#[cfg(feature = "postgres")]
use diesel::prelude::*;
#[cfg(feature = "postgres")]
use diesel::sql_types::BigInt;

use crate::db::factor::{self, Spending};
#[cfg(feature = "postgres")]
use crate::db::statement::Statement;
use crate::db::{Conn, session, token};
use crate::error::Fault;

/// Uses codes up and records sessions and tokens; on PostgreSQL in one trip, however many. A fault, too, where one of the codes was used up
/// by somebody who did not pass its user's gate. After any fault the transaction must not commit: some of it may be written.
pub fn write_all(
    conn: &mut Conn,
    spending: &Spending,
    begun: &[session::New],
    tokens: &[token::New],
) -> Result<(), Fault> {
    let spent = match conn {
        Conn::Sqlite(conn) => {
            let spent = factor::spend_each(conn, spending)?;
            session::insert_all(conn, begun)?;
            token::insert_all(conn, tokens)?;
            spent
        }
        #[cfg(feature = "postgres")]
        Conn::Postgres(_) if spending.len() == 0 && begun.is_empty() && tokens.is_empty() => 0,
        #[cfg(feature = "postgres")]
        Conn::Postgres(conn) => {
            let mut statement = match spending.len() {
                0 => Statement::new("SELECT 0::BIGINT AS codes"),
                _ => Statement::new("SELECT COUNT(*) AS codes FROM spent")
                    .with("spent", factor::spending(spending)),
            };
            if !begun.is_empty() {
                statement = statement.with("login", session::inserting(begun));
            }
            if !tokens.is_empty() {
                statement = statement.with("issued", token::inserting(tokens));
            }
            let Spent { codes } = statement.get_result(conn)?;
            usize::try_from(codes).unwrap_or_default()
        }
    };
    if spent == spending.len() { Ok(()) } else { Err(Fault::Busy("somebody else used a code up meanwhile")) }
}

#[cfg(feature = "postgres")]
#[derive(QueryableByName)]
struct Spent {
    #[diesel(sql_type = BigInt)]
    codes: i64,
}
