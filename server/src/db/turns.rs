//! Whose turn it is to write a SQLite file, among the threads of one server.
//!
//! SQLite lets one write at a time, and whoever finds the file taken looks again after a sleep that grows. So under load some go on and on while
//! others sleep, a few of them for seconds. Here they stand in a line and wake each other. Other processes are not in it: between those
//! SQLite's own lock decides, as before.

use std::time::Duration;

use parking_lot::{FairMutex, FairMutexGuard};

use crate::db::Conn;
use crate::error::Fault;

/// How long a writer stands in line. After that it may still wait as long for another process.
const PATIENCE: Duration = Duration::from_secs(5);

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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
    use std::thread;
    use std::time::Duration;

    use diesel::connection::SimpleConnection;

    use super::Turns;
    use crate::db::{Conn, Database};
    use crate::domain::target::Target;

    fn write(turns: &Turns, conn: &mut Conn, body: impl FnOnce()) {
        let _turn = turns.wait(conn).unwrap();
        conn.write(|conn| {
            body();
            Ok(conn.batch_execute("INSERT INTO t VALUES (1)")?)
        })
        .unwrap();
    }

    /// Without the line the second would look at the file now and then, and find it free by luck.
    #[test]
    fn whoever_waits_is_next() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::new(Target::Sqlite(folder.path().join("countersign.db")), 2, None);
        database.prepare().unwrap();
        let (mut first, mut second) = (database.connection().unwrap(), database.connection().unwrap());
        first.batch_execute("CREATE TABLE t (x)").unwrap();
        let (turns, is_coming, written) = (Turns::default(), AtomicBool::new(false), AtomicU32::new(0));
        thread::scope(|scope| {
            let late = scope.spawn(|| {
                while !is_coming.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
                let mut before = 0;
                write(&turns, &mut second, || before = written.load(Ordering::SeqCst));
                before
            });
            write(&turns, &mut first, || {
                is_coming.store(true, Ordering::SeqCst);
                // By then it stands in line.
                thread::sleep(Duration::from_millis(300));
            });
            for _ in 0..500 {
                write(&turns, &mut first, || {});
                written.fetch_add(1, Ordering::SeqCst);
            }
            assert_eq!(late.join().unwrap(), 0);
        });
    }
}
