//! From ready to drained: the flags that readiness and connections look at, and the tasks to wait for.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Shared by everything that must know in which phase the process is.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    flags: Arc<Flags>,
    tracker: TaskTracker,
    stop: CancellationToken,
}

#[derive(Debug, Default)]
struct Flags {
    ready: AtomicBool,
    draining: AtomicBool,
}

impl Lifecycle {
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

    /// Whether what is live has been read, and still is.
    pub fn set_ready(&self, ready: bool) {
        self.flags.ready.store(ready, Ordering::Release);
    }

    /// Whether a balancer should send requests here.
    pub fn is_ready(&self) -> bool {
        self.flags.ready.load(Ordering::Acquire) && !self.is_draining()
    }

    /// From now on connections are closed after their answer, and readiness says no.
    pub fn start_draining(&self) {
        self.flags.draining.store(true, Ordering::Release);
    }

    /// Whether the process is about to stop.
    pub fn is_draining(&self) -> bool {
        self.flags.draining.load(Ordering::Acquire)
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
