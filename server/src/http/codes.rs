//! The queue in front of `app/otp`: codes of many requests, one transaction (group commit).
//!
//! A thread takes whatever waits ([`Line`]) and answers after the commit. A lone request is taken at once, so it waits for nobody; while a commit is
//! under way others gather, so the more there is to do, the less each costs. Nobody waits for a group to grow. On SQLite there is one such thread, since one
//! transaction writes at a time; on PostgreSQL there are [`WRITERS_ON_POSTGRES`].
//!
//! Before that each is asked whose it is: whoever is no application is answered at once, and stands in nobody's way.

mod line;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use actix_web::rt::time::timeout;
use tokio::sync::{Semaphore, oneshot};

use crate::app::context::{Service, Stop};
use crate::app::issue::Recorded;
use crate::app::otp::{Asked, admit_all, exchange_all};
use crate::clock::moment;
use crate::db::Database;
use crate::domain::target::Target;
use crate::error::Fault;
use crate::http::codes::line::{LONG, Line, Reply, Turn, Waiting, apart};
use crate::http::meters::{Meters, Queue};

/// Threads of one server that exchange codes on PostgreSQL. While one waits for the database the other calculates, and the log's end is held for the
/// last statements of a group only.
const WRITERS_ON_POSTGRES: u32 = 2;

/// How many threads of a server exchange codes, each on a connection of its own.
pub fn threads_for_codes(target: &Target) -> u32 {
    match target {
        Target::Sqlite(_) => 1,
        Target::Postgres(_) => WRITERS_ON_POSTGRES,
    }
}

/// The way in. The threads end when this is dropped.
pub(super) struct Codes {
    line: Arc<Line>,
    places: Arc<Semaphore>,
    meters: Arc<Meters>,
}

impl Codes {
    /// Starts the threads. `limit` requests may be under way; beyond that the server sheds load, before memory grows and before callers have given
    /// up.
    pub(super) fn start(
        service: &Arc<Service>,
        database: &Database,
        meters: Arc<Meters>,
        limit: usize,
    ) -> Self {
        let line = Arc::new(Line::default());
        for _ in 0..threads_for_codes(database.target()) {
            let (service, database, meters, line) =
                (Arc::clone(service), database.for_codes(), Arc::clone(&meters), Arc::clone(&line));
            thread::Builder::new()
                .name("codes".to_owned())
                .spawn(move || work(&service, &database, &meters, &line))
                .expect("a thread can be started");
        }
        Self { line, places: Arc::new(Semaphore::new(limit)), meters }
    }

    /// How many more may come.
    pub(super) fn free(&self) -> usize {
        self.places.available_permits()
    }

    /// Waits for a request's turn and its commit.
    pub(super) async fn exchange(&self, asked: Asked) -> Result<Recorded, Stop> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| {
            self.meters.shed(Queue::Codes);
            Fault::Busy("too many codes are waiting")
        })?;
        let (to, mut outcome) = oneshot::channel();
        self.line.arrive(Waiting { request: asked, reply: Reply { to, since: moment(), _place: place } });
        let answered = if let Ok(answered) = timeout(LONG, &mut outcome).await {
            answered
        } else {
            self.line.look_again();
            outcome.await
        };
        // Only a panic keeps the thread from answering.
        answered.map_err(Fault::while_("exchanging a code"))?
    }
}

impl Drop for Codes {
    fn drop(&mut self) {
        self.line.close();
    }
}

fn work(service: &Service, database: &Database, meters: &Meters, line: &Line) {
    while let Some((mut turn, arrived)) = line.turn() {
        // A panic is the misfortune of those that it is about: their callers hear of a fault, and the thread goes on.
        let _ = catch_unwind(AssertUnwindSafe(|| serve(service, database, meters, &mut turn, arrived)));
    }
}

/// Lets those that arrived join the line, if they may, and answers the next group.
fn serve(
    service: &Service,
    database: &Database,
    meters: &Meters,
    turn: &mut Turn<'_>,
    arrived: Vec<Waiting<Asked>>,
) {
    let (asked, replies) = apart(arrived);
    let mut conn = match database.connection() {
        Ok(conn) => conn,
        Err(fault) => {
            let why = fault.to_string();
            let everybody = replies.into_iter().chain(turn.clear());
            return everybody.for_each(|reply| reply.send(Err(Fault::Database(why.clone()).into())));
        }
    };
    let mut admitted = Vec::with_capacity(replies.len());
    for (outcome, reply) in admit_all(service, &mut conn, asked).into_iter().zip(replies) {
        match outcome {
            Ok(request) => admitted.push(Waiting { request, reply }),
            Err(stop) => reply.send(Err(stop)),
        }
    }
    let begun = moment();
    let replies = turn.join(admitted, begun, meters);
    let outcomes = exchange_all(service, &mut conn, turn.group());
    if !replies.is_empty() {
        meters.exchanged(replies.len(), begun.elapsed());
    }
    for (outcome, reply) in outcomes.into_iter().zip(replies) {
        reply.send(outcome);
    }
}
