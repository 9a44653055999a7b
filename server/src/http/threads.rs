//! The threads that may block: one for each connection that requests may have.
//!
//! More would only wait for connections, and wake each other doing so. What finds all of them at work waits in their queue, takes no thread
//! meanwhile, and is done by the first that has finished, without a change of threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::rt::time::timeout;
use tokio::runtime::{Builder, Runtime};

use crate::app::context::Stop;
use crate::error::Fault;

/// How long something waits for a thread before it is refused: its caller has given up, or will soon.
const PATIENCE: Duration = Duration::from_secs(5);

/// A runtime that runs nothing but what blocks.
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    /// None is started before there is work for it.
    pub(super) fn new(count: usize) -> Self {
        let runtime =
            Builder::new_current_thread().max_blocking_threads(count).thread_name("database").build();
        Self(Some(runtime.expect("a runtime that drives nothing can be made")))
    }

    /// Does it on one of them; none where none was free in time. Once it has begun it goes on, however long it takes and even when whoever asked
    /// hangs up; before that either takes it out of the queue.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Stop> + Send + 'static,
    ) -> Result<Option<T>, Stop> {
        self.run_within(PATIENCE, work).await
    }

    async fn run_within<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce() -> Result<T, Stop> + Send + 'static,
    ) -> Result<Option<T>, Stop> {
        let runtime = self.0.as_ref().ok_or(Fault::Busy("the server is stopping"))?;
        let claim = Claim::default();
        let theirs = Arc::clone(&claim.0);
        let mut done = runtime.spawn_blocking(move || Claim(theirs).take().then(work));
        let outcome = match timeout(patience, &mut done).await {
            Err(_) if claim.take() => Ok(None),
            Err(_) => done.await,
            Ok(outcome) => outcome,
        };
        // Only a panic keeps the thread from answering.
        outcome.map_err(Fault::while_("running a request"))?.transpose()
    }
}

impl Drop for Threads {
    /// Waits for nobody, since whoever drops it may not block.
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Who comes first to some work: a thread, and it is done, or its caller who gives it up, and it is not.
#[derive(Default)]
struct Claim(Arc<AtomicBool>);

impl Claim {
    /// `true` for the first of the two.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::Relaxed)
    }
}

impl Drop for Claim {
    /// A caller that hangs up gives up.
    fn drop(&mut self) {
        self.take();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use actix_web::rt;
    use futures_util::future::join_all;
    use tokio::sync::oneshot;

    use super::Threads;
    use crate::app::context::Stop;

    #[actix_web::test]
    async fn no_more_work_at_once_than_there_are_connections() {
        let threads = Threads::new(3);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = |_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            threads.run(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::sleep(Duration::from_millis(5));
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        };
        let done = join_all((0..30).map(work)).await;
        assert!(done.iter().all(Result::is_ok));
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    fn too_late() -> Result<(), Stop> {
        panic!("nobody waits for this any more")
    }

    #[actix_web::test]
    async fn what_waits_too_long_or_for_nobody_is_not_done() {
        let threads = Threads::new(1);
        let ((go_on, told), (begun, is_at_work)) = (mpsc::channel(), oneshot::channel());
        // Longer than the patience of the other two: what has begun is waited for.
        let first = threads.run_within(Duration::from_millis(20), move || {
            begun.send(()).unwrap();
            Ok(told.recv().is_ok())
        });
        let others = async {
            is_at_work.await.unwrap();
            let refused = threads.run_within(Duration::from_millis(40), too_late).await;
            let hung_up = rt::time::timeout(Duration::from_millis(40), threads.run(too_late)).await;
            assert!(hung_up.is_err());
            go_on.send(()).unwrap();
            refused
        };
        let (first, refused) = tokio::join!(first, others);
        assert_eq!(first.unwrap(), Some(true));
        assert!(matches!(refused, Ok(None)), "{refused:?}");
        assert_eq!(threads.run(|| Ok(7)).await.unwrap(), Some(7), "the thread goes on");
    }
}
