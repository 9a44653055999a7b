//! One connection type over both back ends, and the transaction that every change runs in.
#![allow(missing_docs, unreachable_pub, reason = "the derive makes public items without documentation")]

use diesel::connection::{AnsiTransactionManager, Connection, TransactionManager};

use crate::error::Fault;

// `MultiConnection` does not take attributes on variants, so the enum stands here once for each set of back ends.

/// One connection to either back end.
#[cfg(feature = "postgres")]
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// SQLite, in the same process.
    Sqlite(diesel::sqlite::SqliteConnection),
    /// PostgreSQL, through libpq.
    Postgres(diesel::pg::PgConnection),
}

/// One connection to the only back end that this program was built with.
#[cfg(not(feature = "postgres"))]
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// SQLite, in the same process.
    Sqlite(diesel::sqlite::SqliteConnection),
}

impl Conn {
    /// Runs `body` in one transaction: `Ok` commits and is durable when this returns, `Err` rolls back.
    ///
    /// On SQLite it begins with `BEGIN IMMEDIATE`, so that it waits for the one writer's place before it reads anything.
    pub fn write<T>(&mut self, body: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        self.write_or_stop(body)
    }

    /// The same for a body that has more reasons to stop than faults.
    pub fn write_or_stop<T, E: From<Fault>>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let begun = match self {
            Self::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE"),
            #[cfg(feature = "postgres")]
            Self::Postgres(conn) => AnsiTransactionManager::begin_transaction(conn),
        };
        begun.map_err(Fault::from)?;
        match body(self) {
            Ok(value) => {
                <Self as Connection>::TransactionManager::commit_transaction(self).map_err(Fault::from)?;
                Ok(value)
            }
            Err(stop) => {
                // Where even the rollback fails the connection is broken, and the pool throws it away.
                let _ = <Self as Connection>::TransactionManager::rollback_transaction(self);
                Err(stop)
            }
        }
    }

    /// Runs `body` in one transaction that changes nothing and sees one moment, however long it takes and whatever others do meanwhile.
    #[cfg(feature = "postgres")]
    pub fn read_moment<T, E: From<Fault>>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let begun = match self {
            // The first statement fixes the moment.
            Self::Sqlite(conn) => AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN"),
            Self::Postgres(conn) => AnsiTransactionManager::begin_transaction_sql(
                conn,
                "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
            ),
        };
        begun.map_err(Fault::from)?;
        let outcome = body(self);
        let ended = <Self as Connection>::TransactionManager::rollback_transaction(self);
        let value = outcome?;
        ended.map_err(Fault::from)?;
        Ok(value)
    }
}
