//! Whose turn it is to write a SQLite file, among the threads of one server.
//!
//! SQLite lets one write at a time, and whoever finds the file taken looks again after a sleep that grows. So under load some go on and on while
//! others sleep, a few of them for seconds. Here they stand in a line and wake each other. Other processes are not in it: between those
//! SQLite's own lock decides, as before.

use parking_lot::{FairMutex, FairMutexGuard};

use crate::db::Conn;
use crate::db::pool::PATIENCE;
use crate::error::Fault;

/// The line. One for each file, so one for a server.
#[derive(Default)]
pub struct Turns(FairMutex<()>);

impl Turns {
    /// Waits for this thread's turn, which lasts as long as what this returns. PostgreSQL has many writers at once, so there is nothing to wait for.
    /// Whoever has the turn may not ask again.
    pub fn wait(&self, conn: &Conn) -> Result<Option<FairMutexGuard<'_, ()>>, Fault> {
        match conn {
            Conn::Sqlite(_) => {
                let turn = self.0.try_lock_for(PATIENCE);
                turn.map(Some).ok_or_else(|| Fault::Database("other writers take too long".to_owned()))
            }
            #[cfg(feature = "postgres")]
            Conn::Postgres(_) => Ok(None),
        }
    }
}
