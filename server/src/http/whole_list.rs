//! The whole list of revocations: made by one request at a time, kept for a few seconds, and the same bytes for everybody.
//!
//! Anybody may ask for it, and it is as long as it must be. So it costs one thread and one connection at most, and that once in [`TTL_S`]
//! however many ask. Whoever waits for it holds neither.

use std::sync::Arc;

use actix_web::rt::time::timeout;
use actix_web::web::Bytes;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::domain::time::Timestamp;
use crate::domain::token::Cursor;
use crate::error::Fault;

/// How long it, or what came after a cursor, is kept after it was made, in seconds, here and in caches on the way taken together.
pub(super) const TTL_S: u32 = 5;

/// How long somebody waits while another makes it.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// The list as it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct WholeList {
    /// Signed.
    pub(super) signed: Bytes,
    /// How far it reaches.
    pub(super) until: Cursor,
    /// When it was there.
    pub(super) made_at: Timestamp,
}

impl WholeList {
    /// How long it may still be kept, in whole seconds; none where it is too old, or from a time that is yet to come.
    pub(super) fn left_s(&self, now: Timestamp) -> Option<u32> {
        let ttl = i64::from(TTL_S) * 1000;
        let left = ttl - (now.millis() - self.made_at.millis());
        (1..=ttl).contains(&left).then(|| u32::try_from(left / 1000).unwrap_or_default())
    }
}

/// Where it is kept.
#[derive(Default)]
pub(super) struct Shelf(Arc<Mutex<Option<WholeList>>>);

/// What somebody finds who asks for it.
pub(super) enum Found {
    /// It is there.
    List(WholeList),
    /// It is to be made. Others wait until this is used, or dropped.
    Turn(Turn),
}

/// The turn to make it. It goes along to the thread that does, which goes on when whoever asked hangs up.
pub(super) struct Turn(OwnedMutexGuard<Option<WholeList>>);

impl Shelf {
    /// The list, if it is young enough and reaches beyond what the reader knows, so that it is no older than that; or else the turn to make it.
    pub(super) async fn look(&self, known: Cursor, now: impl Fn() -> Timestamp) -> Result<Found, Fault> {
        let kept = timeout(PATIENCE, Arc::clone(&self.0).lock_owned()).await;
        let kept = kept.map_err(|_| Fault::Busy("the list of revocations was not made in time"))?;
        let fits = |list: &&WholeList| {
            list.left_s(now()).is_some() && (known == Cursor::START || list.until.number() > known.number())
        };
        Ok(match kept.as_ref().filter(fits) {
            Some(list) => Found::List(list.clone()),
            None => Found::Turn(Turn(kept)),
        })
    }
}

impl Turn {
    /// Lets go of the one before: there need not be room for two.
    pub(super) fn clear(&mut self) {
        *self.0 = None;
    }

    /// For everybody who waits.
    pub(super) fn keep(mut self, list: WholeList) -> WholeList {
        *self.0 = Some(list.clone());
        list
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use actix_web::rt::task::yield_now;
    use futures_util::future::join_all;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_772_366_410_000);

    fn list(until: i64, made_at: Timestamp) -> WholeList {
        WholeList { signed: Bytes::from_static(b"a"), until: Cursor::from_number(until), made_at }
    }

    #[actix_web::test]
    async fn many_who_ask_at_once_have_it_made_once() {
        let (shelf, made) = (Shelf::default(), Cell::new(0));
        let ask = |known: i64, now: Timestamp| {
            let (shelf, made) = (&shelf, &made);
            async move {
                match shelf.look(Cursor::from_number(known), || now).await.unwrap() {
                    Found::List(list) => list,
                    Found::Turn(mut turn) => {
                        made.set(made.get() + 1);
                        turn.clear();
                        yield_now().await;
                        turn.keep(list(7, now))
                    }
                }
            }
        };
        let lists = join_all((0..50).map(|_| ask(0, NOW))).await;
        assert_eq!(made.get(), 1);
        // The same bytes, not copies of them.
        assert!(lists.iter().all(|list| list.signed.as_ptr() == lists[0].signed.as_ptr()));
        ask(6, NOW).await;
        ask(0, Timestamp::from_millis(NOW.millis() + 4999)).await;
        assert_eq!(made.get(), 1);
        for (known, now) in [(7, NOW), (8, NOW), (0, NOW.plus_seconds(5)), (0, NOW.plus_seconds(-1))] {
            let before = made.get();
            ask(known, now).await;
            assert_eq!(made.get(), before + 1, "{known} {now:?}");
        }
    }

    #[actix_web::test]
    async fn a_turn_that_is_dropped_goes_to_the_next() {
        let shelf = Shelf::default();
        drop(shelf.look(Cursor::START, || NOW).await.unwrap());
        let found = shelf.look(Cursor::START, || NOW).await.unwrap();
        assert!(matches!(found, Found::Turn(_)));
    }

    #[test]
    fn nobody_keeps_it_longer_than_five_seconds() {
        let list = list(1, NOW);
        for (age, left) in
            [(0, Some(5)), (1, Some(4)), (4000, Some(1)), (4999, Some(0)), (5000, None), (-1, None)]
        {
            assert_eq!(list.left_s(Timestamp::from_millis(NOW.millis() + age)), left, "{age}");
        }
    }
}
