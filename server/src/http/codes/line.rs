//! Who waits for a group of codes, in the order in which they came, and when a thread begins with the next group.
//!
//! A user stands in one group at a time: a second code of the same name waits behind the first, until the thread that has it in hand is done.
//!
//! Of several threads one begins as soon as anybody waits, and another only when enough wait ([`SHARE`]): sooner, groups would be smaller, and each costs
//! something by itself. Whoever has waited for [`LONG`] waits for no others to come: the group in hand is held up, or there is too much to do.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::app::context::Stop;
use crate::app::issue::Recorded;
use crate::app::otp::{Admitted, Asked};
use crate::clock::moment;
use crate::error::Fault;
use crate::http::meters::{Meters, Queue};

/// Most requests of one transaction. Others that write wait as long as one takes.
const TOGETHER: usize = 256;

/// Another thread begins when a third as many wait as are in hand. Where that was as many, there was too often nobody to use the second core; where one
/// was enough, there were groups of one ([0012](../../../../docs/decisions/0012-codes-go-in-groups.md) has figures).
const SHARE: usize = 3;

/// How long a code waits for others to make another thread worth while.
pub(super) const LONG: Duration = Duration::from_millis(50);

/// Most codes of one name that wait behind another: each goes with another group, so they would fill the line for all others.
const OF_ONE_NAME: usize = 64;

/// How long a code waits for its group before it is refused, unused: its caller has given up, or will soon.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request, and where its outcome goes.
pub(super) struct Waiting<T> {
    pub(super) request: T,
    pub(super) reply: Reply,
}

/// The way back to whoever asked. Its place is free again when this is dropped.
pub(super) struct Reply {
    pub(super) to: oneshot::Sender<Result<Recorded, Stop>>,
    pub(super) since: Instant,
    pub(super) _place: OwnedSemaphorePermit,
}

impl Reply {
    /// Whoever hung up meanwhile has lost a code, as with any reply that does not arrive.
    pub(super) fn send(self, outcome: Result<Recorded, Stop>) {
        let _ = self.to.send(outcome);
    }
}

/// The line, between those who come and the threads that serve them.
#[derive(Default)]
pub(super) struct Line {
    places: Mutex<Places>,
    call: Condvar,
}

#[derive(Default)]
struct Places {
    /// Whose application nobody has looked at yet.
    arrived: Vec<Waiting<Asked>>,
    /// Who goes with the next group: of each name one at most, and none that a thread has in hand.
    next: VecDeque<Waiting<Admitted>>,
    /// For every name among those and in hand: who waits behind it.
    behind: HashMap<String, VecDeque<Waiting<Admitted>>>,
    /// Threads that have some in hand.
    at_work: usize,
    /// How many they have.
    in_hand: usize,
    /// Whether a thread was called and has not come yet.
    is_called: bool,
    is_closed: bool,
}

impl Line {
    /// Takes the last place.
    pub(super) fn arrive(&self, new: Waiting<Asked>) {
        let mut places = self.places.lock();
        places.arrived.push(new);
        self.call_if_due(&mut places);
    }

    /// Somebody has waited for [`LONG`].
    pub(super) fn look_again(&self) {
        self.call_if_due(&mut self.places.lock());
    }

    /// Nobody comes any more: the threads end when all are served.
    pub(super) fn close(&self) {
        self.places.lock().is_closed = true;
        self.call.notify_all();
    }

    /// Waits until a thread is due, and gives it those who arrived. `None` once the line is closed and the rest is in other hands.
    pub(super) fn turn(&self) -> Option<(Turn<'_>, Vec<Waiting<Asked>>)> {
        let mut places = self.places.lock();
        while !places.is_due() {
            if places.is_closed {
                return None;
            }
            self.call.wait(&mut places);
            places.is_called = false;
        }
        let arrived = mem::take(&mut places.arrived);
        places.at_work += 1;
        places.in_hand += arrived.len();
        Some((Turn { line: self, in_hand: arrived.len(), group: Vec::new() }, arrived))
    }

    /// Wakes one thread, if one sleeps and none was called already.
    fn call_if_due(&self, places: &mut Places) {
        if !places.is_called && places.is_due() {
            places.is_called = self.call.notify_one();
        }
    }
}

impl Places {
    /// Whether a thread that has nothing in hand should begin.
    fn is_due(&self) -> bool {
        let waiting = self.arrived.len() + self.next.len();
        waiting > 0
            && (self.at_work == 0 || waiting * SHARE >= self.in_hand || self.is_anybody_here_for_long())
    }

    fn is_anybody_here_for_long(&self) -> bool {
        let arrived = self.arrived.first().map(|first| first.reply.since);
        let eldest = arrived.into_iter().chain(self.next.front().map(|first| first.reply.since)).min();
        eldest.is_some_and(|since| moment().saturating_duration_since(since) >= LONG)
    }

    /// Lets whoever waits behind a name come forward: before those who came later.
    fn leave(&mut self, name: &str) {
        match self.behind.get_mut(name).and_then(VecDeque::pop_front) {
            Some(next) => self.next.push_front(next),
            None => {
                self.behind.remove(name);
            }
        }
    }
}

/// What a thread has in hand. When this is dropped, also by a panic, those who waited behind come forward.
pub(super) struct Turn<'a> {
    line: &'a Line,
    group: Vec<Admitted>,
    /// How many of [`Places::in_hand`] are this thread's: first those who arrived, then its group.
    in_hand: usize,
}

impl Turn<'_> {
    /// Gives those who may go on their places, unless too many of the same name wait already, and takes the next group. Returns where its outcomes go.
    pub(super) fn join(
        &mut self,
        admitted: Vec<Waiting<Admitted>>,
        now: Instant,
        meters: &Meters,
    ) -> Vec<Reply> {
        let mut places = self.line.places.lock();
        for new in admitted {
            match places.behind.get_mut(new.request.username().folded()) {
                None => {
                    places.behind.insert(new.request.username().folded().to_owned(), VecDeque::new());
                    places.next.push_back(new);
                }
                Some(behind) if behind.len() < OF_ONE_NAME => behind.push_back(new),
                Some(_) => refuse(new.reply, "too many codes of one user are waiting", meters),
            }
        }
        let mut group = Vec::new();
        while group.len() < TOGETHER
            && let Some(one) = places.next.pop_front()
        {
            // Nobody waits for an answer any more: a caller that hung up has used nothing.
            let is_gone = one.reply.to.is_closed();
            let is_late = now.saturating_duration_since(one.reply.since) > PATIENCE;
            if !is_gone && !is_late {
                group.push(one);
                continue;
            }
            places.leave(one.request.username().folded());
            if !is_gone {
                refuse(one.reply, "no group had room for the code in time", meters);
            }
        }
        places.in_hand = places.in_hand - self.in_hand + group.len();
        self.in_hand = group.len();
        self.line.call_if_due(&mut places);
        let (group, replies) = apart(group);
        self.group = group;
        replies
    }

    /// The group, in the order of its replies.
    pub(super) fn group(&self) -> &[Admitted] {
        &self.group
    }

    /// Sends all away that no other thread has in hand, nor waits behind one that it has.
    pub(super) fn clear(&self) -> Vec<Reply> {
        let mut places = self.line.places.lock();
        let mut sent_away = Vec::new();
        while let Some(one) = places.next.pop_front() {
            places.leave(one.request.username().folded());
            sent_away.push(one.reply);
        }
        sent_away
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut places = self.line.places.lock();
        for one in &self.group {
            places.leave(one.username().folded());
        }
        places.at_work -= 1;
        places.in_hand -= self.in_hand;
    }
}

fn refuse(reply: Reply, why: &'static str, meters: &Meters) {
    meters.shed(Queue::Codes);
    reply.send(Err(Fault::Busy(why).into()));
}

pub(super) fn apart<T>(waiting: Vec<Waiting<T>>) -> (Vec<T>, Vec<Reply>) {
    waiting.into_iter().map(|one| (one.request, one.reply)).unzip()
}
