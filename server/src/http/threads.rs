//! The threads that may block: one for each connection that the pool may open.
//!
//! More would only wait for connections, and wake each other doing so. What finds all of them at work waits in their queue, takes no thread
//! meanwhile, and is done by the first that has finished, without a change of threads.

use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

use crate::app::context::Stop;
use crate::error::Fault;

/// How long something waits for a thread before it is refused: its caller has given up, or will soon.
const PATIENCE: Duration = Duration::from_secs(5);

/// A runtime that runs nothing but what blocks.
pub(super) struct Threads {
    runtime: Option<Runtime>,
    patience: Duration,
}

impl Threads {
    /// None is started before there is work for it.
    pub(super) fn new(count: u32) -> Self {
        let count = usize::try_from(count).unwrap_or(usize::MAX).max(1);
        let runtime =
            Builder::new_current_thread().max_blocking_threads(count).thread_name("database").build();
        let runtime = runtime.expect("a runtime that drives nothing can be made");
        Self { runtime: Some(runtime), patience: PATIENCE }
    }

    /// Does it on one of them. It goes on when whoever asked hangs up.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Stop> + Send + 'static,
    ) -> Result<T, Stop> {
        #[expect(clippy::disallowed_methods, reason = "how long somebody has waited, whatever the time is")]
        let since = Instant::now();
        let patience = self.patience;
        let runtime = self.runtime.as_ref().ok_or(Fault::Busy("the server is stopping"))?;
        let done = runtime.spawn_blocking(move || {
            if since.elapsed() > patience {
                return Err(Fault::Busy("a request waited too long for its turn").into());
            }
            work()
        });
        // Only a panic or the end of the process keeps the thread from answering.
        done.await.map_err(Fault::while_("running a request"))?
    }
}

impl Drop for Threads {
    /// Waits for nobody, since whoever drops it may not block.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::Threads;
    use crate::app::context::Stop;
    use crate::error::Fault;

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

    #[actix_web::test]
    async fn what_waited_too_long_is_refused_and_not_done() {
        let mut threads = Threads::new(1);
        threads.patience = Duration::from_millis(20);
        let (go_on, told) = mpsc::channel();
        let first = threads.run(move || Ok(told.recv().is_ok()));
        let second = threads.run(|| -> Result<(), Stop> { panic!("it is too late for this") });
        let release = async {
            actix_web::rt::time::sleep(Duration::from_millis(60)).await;
            go_on.send(()).unwrap();
        };
        let (first, second, ()) = tokio::join!(first, second, release);
        assert!(first.unwrap());
        assert!(matches!(second, Err(Stop::Broken(Fault::Busy(_)))), "{second:?}");
        assert!(threads.run(|| Ok(true)).await.unwrap(), "the thread goes on");
    }
}
