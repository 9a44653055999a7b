//! The queue in front of `app/otp`: codes of many requests, one transaction (group commit).
//!
//! One thread takes whatever waits, up to [`TOGETHER`], and answers after the commit. A lone request is taken at once, so it waits for
//! nobody; while a commit is under way others gather, so the more there is to do, the less each costs. There is no timer.
//!
//! A user stands in a group once: a second code of the same name waits for the next.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use crate::app::context::{Service, Stop};
use crate::app::issue::Recorded;
use crate::app::otp::{Asked, exchange_all};
use crate::db::Database;
use crate::error::Fault;

/// Most requests of one transaction. Others that write wait as long as one takes.
const TOGETHER: usize = 256;

/// A request and where its outcome goes.
struct Waiting {
    asked: Asked,
    reply: oneshot::Sender<Result<Recorded, Stop>>,
}

/// The way in. The thread ends when this is dropped.
pub(super) struct Codes {
    queue: mpsc::Sender<Waiting>,
}

impl Codes {
    /// Starts the thread. `limit` requests may wait; beyond that the server sheds load, before memory grows and before callers have given up.
    pub(super) fn start(service: Arc<Service>, database: Database, limit: usize) -> Self {
        let (queue, waiting) = mpsc::channel(limit);
        thread::Builder::new()
            .name("codes".to_owned())
            .spawn(move || work(&service, &database, waiting))
            .expect("a thread can be started");
        Self { queue }
    }

    /// Waits for a request's turn and its commit.
    pub(super) async fn exchange(&self, asked: Asked) -> Result<Recorded, Stop> {
        let (reply, outcome) = oneshot::channel();
        self.queue.try_send(Waiting { asked, reply }).map_err(|error| match error {
            TrySendError::Full(_) => Fault::Busy("too many codes are waiting"),
            TrySendError::Closed(_) => Fault::Busy("the server is stopping"),
        })?;
        // Only a panic keeps the thread from answering.
        outcome.await.map_err(Fault::while_("exchanging a code"))?
    }
}

fn work(service: &Service, database: &Database, mut queue: mpsc::Receiver<Waiting>) {
    let mut backlog = VecDeque::new();
    loop {
        if backlog.is_empty() {
            match queue.blocking_recv() {
                Some(first) => backlog.push_back(first),
                None => return,
            }
        }
        // What waits in the backlog came first; only as much is taken on top of it as fits into one transaction.
        while backlog.len() < TOGETHER {
            match queue.try_recv() {
                Ok(next) => backlog.push_back(next),
                Err(_) => break,
            }
        }
        let group = group(&mut backlog);
        // A panic is one group's misfortune: its callers hear of a fault, and the thread goes on.
        let _ = catch_unwind(AssertUnwindSafe(|| answer(service, database, group)));
    }
}

/// Takes the first request of every user, up to [`TOGETHER`].
fn group(backlog: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let (mut names, mut group, mut later) = (HashSet::new(), Vec::new(), VecDeque::new());
    for waiting in backlog.drain(..) {
        // Nobody waits for an answer any more: a caller that hung up has used nothing.
        if waiting.reply.is_closed() {
            continue;
        }
        if group.len() < TOGETHER && names.insert(waiting.asked.request.username.folded().to_owned()) {
            group.push(waiting);
        } else {
            later.push_back(waiting);
        }
    }
    *backlog = later;
    group
}

fn answer(service: &Service, database: &Database, group: Vec<Waiting>) {
    let (requests, replies): (Vec<_>, Vec<_>) =
        group.into_iter().map(|waiting| (waiting.asked, waiting.reply)).unzip();
    let outcomes = match database.connection() {
        Ok(mut conn) => exchange_all(service, &mut conn, &requests),
        Err(fault) => {
            let why = fault.to_string();
            requests.iter().map(|_| Err(Fault::Database(why.clone()).into())).collect()
        }
    };
    for (reply, outcome) in replies.into_iter().zip(outcomes) {
        // Whoever hung up meanwhile has lost a code, as with any reply that does not arrive.
        let _ = reply.send(outcome);
    }
}
