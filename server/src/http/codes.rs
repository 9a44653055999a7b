//! The queue in front of `app/otp`: codes of many requests, one transaction (group commit).
//!
//! A thread takes whatever waits, up to [`TOGETHER`], and answers after the commit. A lone request is taken at once, so it waits for
//! nobody; while a commit is under way others gather, so the more there is to do, the less each costs. There is no timer. On SQLite there is one
//! such thread, since one transaction writes at a time; on PostgreSQL there are [`WRITERS_ON_POSTGRES`], and the name says who goes to which.
//!
//! Before that each is asked whose it is: whoever is no application is answered at once, and stands in nobody's way. A user stands in a group
//! once: a second code of the same name waits for the next.

use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::app::context::{Service, Stop};
use crate::app::issue::Recorded;
use crate::app::otp::{Admitted, Asked, admit_all, exchange_all};
use crate::clock::moment;
use crate::db::Database;
use crate::domain::target::Target;
use crate::domain::user::UserName;
use crate::error::Fault;
use crate::http::meters::{Meters, Queue};

/// Most requests of one transaction. Others that write wait as long as one takes.
const TOGETHER: usize = 256;

/// Threads of one server that exchange codes on PostgreSQL. While one waits for the database the other calculates, and the log's end is held for the
/// last statements of a group only.
const WRITERS_ON_POSTGRES: usize = 2;

/// Most codes of one name that wait: each goes with another group, so they would fill the line for all others.
const OF_ONE_NAME: usize = 64;

/// How long a code waits for its group before it is refused, unused: its caller has given up, or will soon.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request, and where its outcome goes.
struct Waiting<T> {
    request: T,
    reply: Reply,
}

/// The way back to whoever asked. Its place is free again when this is dropped.
struct Reply {
    to: oneshot::Sender<Result<Recorded, Stop>>,
    since: Instant,
    _place: OwnedSemaphorePermit,
}

impl Reply {
    /// Whoever hung up meanwhile has lost a code, as with any reply that does not arrive.
    fn send(self, outcome: Result<Recorded, Stop>) {
        let _ = self.to.send(outcome);
    }
}

/// The way in. The threads end when this is dropped.
pub(super) struct Codes {
    queues: Vec<mpsc::UnboundedSender<Waiting<Asked>>>,
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
        let writers = match database.target() {
            Target::Sqlite(_) => 1,
            Target::Postgres(_) => WRITERS_ON_POSTGRES,
        };
        let start = |_| {
            let (queue, arriving) = mpsc::unbounded_channel();
            let (service, database, meters) =
                (Arc::clone(service), database.for_codes(), Arc::clone(&meters));
            thread::Builder::new()
                .name("codes".to_owned())
                .spawn(move || work(&service, &database, &meters, arriving))
                .expect("a thread can be started");
            queue
        };
        let queues = (0..writers).map(start).collect();
        Self { queues, places: Arc::new(Semaphore::new(limit)), meters }
    }

    /// Where codes of this name wait, always the same: of one user there is one group at a time.
    fn queue_of(&self, name: &UserName) -> &mpsc::UnboundedSender<Waiting<Asked>> {
        let mut hasher = DefaultHasher::new();
        name.folded().hash(&mut hasher);
        let place = usize::try_from(hasher.finish() % self.queues.len() as u64).unwrap_or_default();
        &self.queues[place]
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
        let (to, outcome) = oneshot::channel();
        let reply = Reply { to, since: moment(), _place: place };
        let gone = |_| Fault::Busy("the server is stopping");
        self.queue_of(asked.username()).send(Waiting { request: asked, reply }).map_err(gone)?;
        // Only a panic keeps the thread from answering.
        outcome.await.map_err(Fault::while_("exchanging a code"))?
    }
}

fn work(
    service: &Service,
    database: &Database,
    meters: &Meters,
    mut queue: mpsc::UnboundedReceiver<Waiting<Asked>>,
) {
    let mut line = Line::default();
    loop {
        let mut arrived = Vec::new();
        if line.is_empty() {
            match queue.blocking_recv() {
                Some(first) => arrived.push(first),
                None => return,
            }
        }
        while let Ok(next) = queue.try_recv() {
            arrived.push(next);
        }
        // A panic is the misfortune of those that it is about: their callers hear of a fault, and the thread goes on.
        let _ = catch_unwind(AssertUnwindSafe(|| serve(service, database, meters, &mut line, arrived)));
    }
}

/// Lets those that arrived join the line, if they may, and answers the next group.
fn serve(
    service: &Service,
    database: &Database,
    meters: &Meters,
    line: &mut Line,
    arrived: Vec<Waiting<Asked>>,
) {
    let mut conn = match database.connection() {
        Ok(conn) => conn,
        Err(fault) => {
            let why = fault.to_string();
            let everybody = arrived.into_iter().map(|one| one.reply).chain(line.clear());
            return everybody.for_each(|reply| reply.send(Err(Fault::Database(why.clone()).into())));
        }
    };
    let (asked, replies): (Vec<_>, Vec<_>) = apart(arrived);
    for (admitted, reply) in admit_all(service, &mut conn, asked).into_iter().zip(replies) {
        match admitted {
            Ok(request) => line.join(Waiting { request, reply }, meters),
            Err(stop) => reply.send(Err(stop)),
        }
    }
    let begun = moment();
    let (group, replies): (Vec<_>, Vec<_>) = apart(line.group(begun, meters));
    let outcomes = exchange_all(service, &mut conn, &group);
    if !group.is_empty() {
        meters.exchanged(group.len(), begun.elapsed());
    }
    for (outcome, reply) in outcomes.into_iter().zip(replies) {
        reply.send(outcome);
    }
}

fn apart<T>(waiting: Vec<Waiting<T>>) -> (Vec<T>, Vec<Reply>) {
    waiting.into_iter().map(|one| (one.request, one.reply)).unzip()
}

/// Those that wait for a group, in the order in which they came.
#[derive(Default)]
struct Line {
    waiting: VecDeque<Waiting<Admitted>>,
    of_name: HashMap<String, usize>,
}

impl Line {
    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The last place, unless too many of the same name wait.
    fn join(&mut self, new: Waiting<Admitted>, meters: &Meters) {
        let count = self.of_name.entry(new.request.username().folded().to_owned()).or_default();
        if *count >= OF_ONE_NAME {
            meters.shed(Queue::Codes);
            return new.reply.send(Err(Fault::Busy("too many codes of one user are waiting").into()));
        }
        *count += 1;
        self.waiting.push_back(new);
    }

    /// Takes the first request of every user, up to [`TOGETHER`].
    fn group(&mut self, now: Instant, meters: &Meters) -> Vec<Waiting<Admitted>> {
        let (mut names, mut group, mut later) = (HashSet::new(), Vec::new(), VecDeque::new());
        while group.len() < TOGETHER
            && let Some(one) = self.waiting.pop_front()
        {
            let name = one.request.username().folded();
            if one.reply.to.is_closed() {
                // Nobody waits for an answer any more: a caller that hung up has used nothing.
                self.leave(name);
            } else if now.saturating_duration_since(one.reply.since) > PATIENCE {
                self.leave(name);
                meters.shed(Queue::Codes);
                one.reply.send(Err(Fault::Busy("no group had room for the code in time").into()));
            } else if names.contains(name) {
                later.push_back(one);
            } else {
                self.leave(name);
                names.insert(name.to_owned());
                group.push(one);
            }
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        group
    }

    fn leave(&mut self, name: &str) {
        if let Some(count) = self.of_name.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                self.of_name.remove(name);
            }
        }
    }

    /// Sends everybody away.
    fn clear(&mut self) -> impl Iterator<Item = Reply> {
        self.of_name.clear();
        self.waiting.drain(..).map(|one| one.reply)
    }
}
