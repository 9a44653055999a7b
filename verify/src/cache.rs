//! A document that is held, fetched again in time, and never fetched by two at once.
//!
//! - Young enough: it is used as it is.
//! - Older than `max_age`: one caller fetches it again; the others go on with the old one.
//! - Older than `max_stale`: nobody goes on with it. Callers wait for the one that fetches.
//! - Without what is wanted (a key of an unknown name): one caller fetches; the others are told to come again, and do not wait. Names are
//!   invented for nothing, and whoever invents many would have a thread wait for each while the issuer hangs.
//! - After any try, good or bad, there is no other for `pause`. So no number of tokens can make it fetch more often.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};
use std::time::Duration;

use crate::clock::{Clock, Moment};

/// How long what is held for how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Fetched again after this.
    pub(crate) max_age: Duration,
    /// Not used after this.
    pub(crate) max_stale: Duration,
    /// Between two tries.
    pub(crate) pause: Duration,
}

/// What a fetch brought.
pub(crate) struct Fetched<T> {
    pub(crate) value: T,
    /// When the issuer made it, unix seconds, if it says so; else it counts as made when it was asked for.
    pub(crate) issued_at: Option<u64>,
}

/// What can be had.
pub(crate) enum Found<T> {
    /// The document. It may still lack what was wanted.
    Held(Arc<T>),
    /// None that is young enough, or none with what was wanted, and somebody is fetching it.
    Nothing,
    /// A fetch is due, but was not allowed.
    FetchDue,
}

pub(crate) struct Cache<T> {
    terms: Terms,
    state: RwLock<State<T>>,
    /// Held by the one who fetches.
    fetching: Mutex<()>,
    /// Whether whoever holds it is fetching.
    is_fetching: AtomicBool,
}

struct State<T> {
    held: Option<Held<T>>,
    tried: Option<Moment>,
    failure: Option<String>,
}

struct Held<T> {
    value: Arc<T>,
    fetched: Moment,
    issued: Moment,
}

/// Says that a fetch is over, also where it panics.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What to do, seen at one moment.
enum Plan<T> {
    Use(Found<T>),
    /// Fetch; meanwhile others may use this.
    Fetch(Option<Arc<T>>),
}

impl<T> Cache<T> {
    pub(crate) fn new(terms: Terms) -> Self {
        let state = State { held: None, tried: None, failure: None };
        Self {
            terms,
            state: RwLock::new(state),
            fetching: Mutex::new(()),
            is_fetching: AtomicBool::new(false),
        }
    }

    /// The document, fetched if that is due. `fetch` is handed the one that is held, however old; without it nothing is fetched. `waits` says
    /// whether somebody else's fetch of what is wanted is waited for where there is an older document.
    pub(crate) fn get(
        &self,
        clock: &dyn Clock,
        wanted: impl Fn(&T) -> bool,
        waits: bool,
        fetch: Option<impl FnOnce(Option<&T>) -> Result<Fetched<T>, String>>,
    ) -> Found<T> {
        let meanwhile = match self.plan(clock.now(), &wanted) {
            Plan::Use(found) => return found,
            Plan::Fetch(meanwhile) => meanwhile,
        };
        let at_once = |meanwhile: Option<Arc<T>>| match meanwhile {
            Some(old) => Some(Found::Held(old)),
            None if waits => None,
            // It may have come since.
            None => self.usable(clock.now()).map(|_| match self.plan(clock.now(), &wanted) {
                Plan::Use(found) => found,
                Plan::Fetch(meanwhile) => meanwhile.map_or(Found::Nothing, Found::Held),
            }),
        };
        let Some(fetch) = fetch else {
            // Without taking the lock: whoever may fetch would take that for a fetch.
            let found = if self.is_fetching.load(Ordering::Acquire) { at_once(meanwhile) } else { None };
            return found.unwrap_or(Found::FetchDue);
        };
        let _guard = match self.fetching.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => match at_once(meanwhile) {
                Some(found) => return found,
                None => self.fetching.lock().unwrap_or_else(PoisonError::into_inner),
            },
        };
        // Somebody may have fetched it between the look and the lock.
        let now = clock.now();
        if let Plan::Use(found) = self.plan(now, &wanted) {
            return found;
        }
        self.fetch(now, fetch);
        match self.plan(clock.now(), &wanted) {
            Plan::Use(found) => found,
            // The fetch itself took longer than `pause`: what it brought is what there is.
            Plan::Fetch(_) => self.usable(clock.now()).map_or(Found::Nothing, Found::Held),
        }
    }

    /// What went wrong at the last try.
    pub(crate) fn failure(&self) -> Option<String> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).failure.clone()
    }

    /// What is held, however old.
    pub(crate) fn last(&self) -> Option<Arc<T>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.held.as_ref().map(|held| Arc::clone(&held.value))
    }

    fn fetch(&self, now: Moment, fetch: impl FnOnce(Option<&T>) -> Result<Fetched<T>, String>) {
        self.is_fetching.store(true, Ordering::Release);
        let _ends = Ends(&self.is_fetching);
        let result = fetch(self.last().as_deref());
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.tried = Some(now);
        match result {
            Ok(Fetched { value, issued_at }) => {
                let issued = issued_at.map_or(now, |at| Moment { unix_s: at.min(now.unix_s), ..now });
                state.held = Some(Held { value: Arc::new(value), fetched: now, issued });
                state.failure = None;
            }
            Err(failure) => state.failure = Some(failure),
        }
    }

    fn usable(&self, now: Moment) -> Option<Arc<T>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.usable(now, self.terms).map(|held| Arc::clone(&held.value))
    }

    fn plan(&self, now: Moment, wanted: impl Fn(&T) -> bool) -> Plan<T> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let usable = state.usable(now, self.terms);
        let value = || usable.map(|held| Arc::clone(&held.value));
        let young = usable.is_some_and(|held| now.since(held.fetched) < self.terms.max_age);
        let enough = usable.is_some_and(|held| wanted(&held.value));
        let paused = state.tried.is_some_and(|tried| now.since(tried) < self.terms.pause);
        if paused || (young && enough) {
            Plan::Use(value().map_or(Found::Nothing, Found::Held))
        } else {
            Plan::Fetch(value().filter(|_| enough))
        }
    }
}

impl<T> State<T> {
    fn usable(&self, now: Moment, terms: Terms) -> Option<&Held<T>> {
        self.held.as_ref().filter(|held| now.since(held.issued) <= terms.max_stale)
    }
}
