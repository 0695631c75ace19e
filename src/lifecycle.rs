//! The process's phases, from ready to drained, and its tasks.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The process's phase and tasks; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    flags: Arc<Flags>,
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: CancellationToken,
}

/// The pause before a task that ended is begun again.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Flags {
    /// Whether live documents were read and notices of changes arrive.
    is_live: AtomicBool,
    ledger_fails: AtomicBool,
    is_draining: AtomicBool,
}

/// What a process must be able to do before requests may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Live documents are read, and notices of changes are received.
    Live,
    /// Sessions are recorded.
    Ledger,
}

/// Runs the part of a request that must end even if its client is gone. [`Lifecycle::finish`] waits for it.
#[derive(Debug, Clone)]
pub struct Finisher {
    tracker: TaskTracker,
    /// Not a web worker's: those end with their connections.
    runtime: Handle,
}

impl Finisher {
    /// Runs `work` to its end, also if the returned future is dropped. `None` if the runtime stopped before.
    pub fn run<T, W>(&self, work: W) -> impl Future<Output = Option<T>> + use<T, W>
    where
        T: Send + 'static,
        W: Future<Output = T> + Send + 'static,
    {
        // Begun here, so that the future of the caller does not carry the work along. Boxed, since a task is moved more often than once: at
        // 11 kB, that would cost more than most steps of a request.
        let running = self.tracker.spawn_on(Box::pin(work), &self.runtime);
        async move {
            match running.await {
                Ok(done) => Some(done),
                Err(error) => match error.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(_cancelled) => None,
                },
            }
        }
    }
}

/// A start under way. Dropped before [`Start::done`], the process is about to stop: its tasks end, and that is no fault of theirs.
#[derive(Debug)]
pub struct Start {
    lifecycle: Lifecycle,
    is_done: bool,
}

impl Start {
    pub fn done(mut self) {
        self.is_done = true;
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        if !self.is_done {
            self.lifecycle.start_draining();
        }
    }
}

impl Lifecycle {
    /// From when the first task runs until everything does.
    pub fn start(&self) -> Start {
        Start {
            lifecycle: self.clone(),
            is_done: false,
        }
    }

    /// For requests; their work runs on the runtime that this is called in.
    pub fn finisher(&self) -> Finisher {
        Finisher {
            tracker: self.tracker.clone(),
            runtime: Handle::current(),
        }
    }

    /// The tracker that background work is spawned on.
    pub fn tracker(&self) -> &TaskTracker {
        &self.tracker
    }

    /// Runs a background task until the process stops. One that ends or panics is begun again after a moment.
    pub fn spawn<F>(&self, name: &'static str, mut begin: impl FnMut() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            let rounds = async {
                loop {
                    let ended = AssertUnwindSafe(begin()).catch_unwind().await;
                    log_ended(name, ended.is_err());
                    tokio::time::sleep(AGAIN).await;
                }
            };
            tokio::select! {
                () = rounds => {}
                () = stop.cancelled() => {}
            }
        });
    }

    /// Runs a background task until the process stops. The process can't do without it, and it can't be begun again: if it ends or panics,
    /// the process fails.
    pub fn spawn_vital(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let task = async move {
            tokio::select! {
                () = task => {}
                () = stop.cancelled() => {}
            }
        };
        self.spawn_to_the_end(name, task);
    }

    /// The same for a task that ends by itself when the process stops, and must not be cut off.
    pub fn spawn_to_the_end(
        &self,
        name: &'static str,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        let this = self.clone();
        self.tracker.spawn(async move {
            let panicked = AssertUnwindSafe(task).catch_unwind().await.is_err();
            if panicked || !this.is_draining() {
                log_ended(name, panicked);
                this.failed.cancel();
            }
        });
    }

    /// Returns when a task has ended that the process can't do without: then it should stop.
    pub async fn failed(&self) {
        self.failed.cancelled().await;
    }

    pub fn report(&self, part: Part, works: bool) {
        match part {
            Part::Live => self.flags.is_live.store(works, Ordering::Release),
            Part::Ledger => self.flags.ledger_fails.store(!works, Ordering::Release),
        }
    }

    /// Why a balancer should send no requests here; `None` where it should.
    pub fn not_ready_because(&self) -> Vec<&'static str> {
        let reasons = [
            (
                self.is_draining() || self.failed.is_cancelled(),
                "the process is about to stop",
            ),
            (
                !self.flags.is_live.load(Ordering::Acquire),
                "what is live can't be read, or its changes can't be received: is the database there?",
            ),
            (
                self.flags.ledger_fails.load(Ordering::Acquire),
                "sessions can't be recorded: does the database take writes?",
            ),
        ];
        let true_ones = reasons.into_iter().filter(|(is_so, _)| *is_so);
        true_ones.map(|(_, reason)| reason).collect()
    }

    /// From now on connections are closed after their answer, and readiness says no.
    pub fn start_draining(&self) {
        self.flags.is_draining.store(true, Ordering::Release);
    }

    /// Whether the process is about to stop.
    pub fn is_draining(&self) -> bool {
        self.flags.is_draining.load(Ordering::Acquire)
    }

    /// Stops background tasks and waits for all of them, `patience` at most. False where some did not end.
    pub async fn finish(&self, patience: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(patience, self.tracker.wait())
            .await
            .is_ok()
    }
}

fn log_ended(task: &'static str, panicked: bool) {
    tracing::error!(
        task,
        panicked,
        "a task has ended that runs as long as the process"
    );
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_task_that_panics_or_ends_is_begun_again_until_the_process_stops() {
        let lifecycle = Lifecycle::default();
        let begun = Arc::new(AtomicUsize::new(0));
        let third = CancellationToken::new();
        lifecycle.spawn("test", {
            let (begun, third) = (begun.clone(), third.clone());
            move || {
                let (begun, third) = (begun.clone(), third.clone());
                async move {
                    match begun.fetch_add(1, Ordering::SeqCst) {
                        0 => {}
                        1 => std::panic::panic_any("a test"),
                        _ => {
                            third.cancel();
                            std::future::pending::<()>().await;
                        }
                    }
                }
            }
        });
        tokio::time::timeout(PATIENCE, third.cancelled())
            .await
            .unwrap();
        assert_eq!(lifecycle.failed().now_or_never(), None);
        assert!(lifecycle.finish(PATIENCE).await);
    }

    #[tokio::test]
    async fn the_process_fails_with_a_task_that_it_cannot_do_without() {
        for panics in [false, true] {
            let lifecycle = Lifecycle::default();
            lifecycle.spawn_vital("test", async move {
                if panics {
                    std::panic::panic_any("a test");
                }
            });
            tokio::time::timeout(PATIENCE, lifecycle.failed())
                .await
                .unwrap();
            assert!(
                lifecycle
                    .not_ready_because()
                    .contains(&"the process is about to stop")
            );
        }
    }

    #[tokio::test]
    async fn what_ends_since_the_start_was_given_up_is_no_failure() {
        for is_done in [false, true] {
            let lifecycle = Lifecycle::default();
            let start = lifecycle.start();
            let (handle, closed) = tokio::sync::oneshot::channel::<()>();
            lifecycle.spawn_to_the_end("test", async move {
                _ = closed.await;
            });
            if is_done {
                start.done();
            } else {
                drop(start);
            }
            drop(handle);
            assert!(lifecycle.finish(PATIENCE).await);
            assert_eq!(lifecycle.failed().now_or_never().is_some(), is_done);
        }
    }

    #[tokio::test]
    async fn what_ends_while_the_process_stops_is_no_failure() {
        let lifecycle = Lifecycle::default();
        let stop = CancellationToken::new();
        lifecycle.spawn_to_the_end("test", stop.clone().cancelled_owned());
        lifecycle.spawn_vital("another", std::future::pending());
        lifecycle.start_draining();
        stop.cancel();
        assert!(lifecycle.finish(PATIENCE).await);
        assert_eq!(lifecycle.failed().now_or_never(), None);
    }
}
