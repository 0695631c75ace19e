//! The process's phases, from ready to drained, and its tasks.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The process's phase and tasks; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    flags: Arc<Flags>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

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
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        match self.tracker.spawn_on(work, &self.runtime).await {
            Ok(done) => Some(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_cancelled) => None,
            },
        }
    }
}

impl Lifecycle {
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

    /// Runs a background task until the process stops.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tracker.spawn(async move {
            tokio::select! {
                () = task => tracing::debug!(task = name, "ended"),
                () = stop.cancelled() => {}
            }
        });
    }

    /// Runs a task that ends by itself and must not be cut off.
    pub fn spawn_to_the_end(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tracker.spawn(task);
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
            (self.is_draining(), "the process is about to stop"),
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
