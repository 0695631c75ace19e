//! Work that takes the processor for longer than a mint may wait: compiling, previews, imports, large bodies.
//!
//! It runs on threads of its own, at a lower priority, so the threads that answer users never do it. A tenant has a few of
//! these threads at the same time and others wait in line, so no tenant waits for more than its share of another's work.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tracing::Span;

use crate::domain::ids::TenantId;
use crate::keyed_semaphore::KeyedSemaphore;
use crate::telemetry::crowd::Crowd;
use crate::threads::stand_back;

#[derive(Debug, Clone, Copy)]
pub struct WorkOptions {
    pub threads: usize,
    /// Threads of one tenant at the same time.
    pub of_tenant: usize,
    /// Longest wait for a thread.
    pub patience: Duration,
    /// Longest time that a job may take. One that waits nowhere can't be stopped.
    pub longest: Duration,
    /// The niceness of these threads, 0 to 19 (Linux only): they yield to those that answer users.
    pub niceness: i32,
}

/// Why a job did not finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WorkError {
    /// No thread was free in time; the job did not begin.
    #[error("too much other work was ahead")]
    Busy,
    /// It took too long, and was stopped where it waited.
    #[error("the work took too long")]
    TooLong,
    /// It broke off: a bug, or the process is stopping.
    #[error("the work broke off")]
    BrokeOff,
}

/// What [`Work`] is at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkNow {
    pub in_progress: usize,
    pub waiting: usize,
    pub threads: usize,
}

/// Threads for work. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub struct Work {
    options: WorkOptions,
    threads: Arc<Semaphore>,
    waiting: Crowd,
    tenants: KeyedSemaphore<TenantId>,
    runtime: Handle,
}

impl Work {
    /// No thread is started before there is work. Sockets and timers of jobs belong to `runtime`.
    pub fn new(options: WorkOptions, runtime: Handle) -> Self {
        Self {
            options,
            threads: Arc::new(Semaphore::new(options.threads.max(1))),
            waiting: Crowd::default(),
            tenants: KeyedSemaphore::new(options.of_tenant),
            runtime,
        }
    }

    /// What goes on at this moment.
    pub fn now(&self) -> WorkNow {
        let threads = self.options.threads.max(1);
        WorkNow {
            in_progress: threads.saturating_sub(self.threads.available_permits()),
            waiting: self.waiting.count(),
            threads,
        }
    }

    /// Runs a job for a tenant on a work thread, and returns its result. The job may wait for the database as it
    /// goes. Dropped while it waits for its turn, it never begins; dropped later, the job ends where it next waits.
    pub async fn run<T: Send + 'static>(
        &self,
        tenant: TenantId,
        job: impl AsyncFnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkError> {
        let waiting = self.waiting.enter();
        let turn = tokio::time::timeout(self.options.patience, async {
            // The tenant's line first: the line for threads holds no more of one tenant than its share.
            let of_tenant = self.tenants.take(tenant).await?;
            let thread = self.threads.clone().acquire_owned().await.ok()?;
            Some((of_tenant, thread))
        })
        .await
        .map_err(|_elapsed| WorkError::Busy)?
        .ok_or(WorkError::BrokeOff)?;
        drop(waiting);
        let (mut answer, answered) = oneshot::channel();
        let runtime = self.runtime.clone();
        let WorkOptions {
            longest, niceness, ..
        } = self.options;
        let span = Span::current();
        std::thread::Builder::new()
            .name("work".into())
            .spawn(move || {
                stand_back(niceness);
                let done = span.in_scope(|| {
                    runtime.block_on(async {
                        tokio::select! {
                            biased;
                            done = tokio::time::timeout(longest, job()) => {
                                Some(done.map_err(|_elapsed| WorkError::TooLong))
                            }
                            () = answer.closed() => None,
                        }
                    })
                });
                drop(turn);
                if let Some(done) = done {
                    // Nobody may be waiting any more.
                    _ = answer.send(done);
                }
            })
            .map_err(|error| {
                tracing::error!(%error, "no thread for work");
                WorkError::Busy
            })?;
        answered
            .await
            .map_err(|_gone| WorkError::BrokeOff)
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc;

    use tokio::task::JoinSet;
    use uuid::Uuid;

    use super::*;

    const A: TenantId = TenantId(Uuid::from_u128(1));
    const B: TenantId = TenantId(Uuid::from_u128(2));

    fn work(threads: usize, of_tenant: usize, patience: Duration) -> Work {
        let options = WorkOptions {
            threads,
            of_tenant,
            patience,
            longest: Duration::from_secs(30),
            niceness: 10,
        };
        Work::new(options, Handle::current())
    }

    /// Jobs that occupy their thread until the sender is dropped.
    struct BusyThreads {
        release: Vec<mpsc::Sender<()>>,
        jobs: JoinSet<Result<(), WorkError>>,
    }

    async fn hold(work: &Work, tenant: TenantId, count: usize) -> BusyThreads {
        let mut held = BusyThreads {
            release: Vec::new(),
            jobs: JoinSet::new(),
        };
        for _ in 0..count {
            let (release, released) = mpsc::channel::<()>();
            let (begun, has_begun) = oneshot::channel();
            let work = work.clone();
            held.release.push(release);
            held.jobs.spawn(async move {
                work.run(tenant, async move || {
                    begun.send(()).unwrap();
                    // A busy processor, as far as the thread is concerned.
                    _ = released.recv();
                })
                .await
            });
            has_begun.await.unwrap();
        }
        held
    }

    #[tokio::test]
    async fn a_tenant_that_has_all_its_threads_leaves_the_others_theirs() {
        let work = work(2, 1, Duration::from_millis(20));
        let held = hold(&work, A, 1).await;
        assert_eq!(work.run(A, async || ()).await, Err(WorkError::Busy));
        assert_eq!(work.run(B, async || 7).await, Ok(7));
        drop(held.release);
        for job in held.jobs.join_all().await {
            assert_eq!(job, Ok(()));
        }
        assert_eq!(work.run(A, async || 8).await, Ok(8));
    }

    #[tokio::test]
    async fn threads_are_bounded_over_all_tenants() {
        let work = work(2, 1, Duration::from_millis(20));
        let _held = (hold(&work, A, 1).await, hold(&work, B, 1).await);
        let third = TenantId(Uuid::from_u128(3));
        assert_eq!(work.run(third, async || ()).await, Err(WorkError::Busy));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_gives_its_thread_back() {
        let work = work(1, 1, Duration::from_secs(10));
        let broken = work.run(A, async || panic!("as a test wants it")).await;
        assert_eq!(broken, Err::<(), _>(WorkError::BrokeOff));
        assert_eq!(work.run(A, async || ()).await, Ok(()));
    }

    #[tokio::test]
    async fn a_job_that_takes_too_long_is_stopped_where_it_waits() {
        let mut work = work(1, 1, Duration::from_secs(10));
        work.options.longest = Duration::from_millis(5);
        let endless = work.run(A, std::future::pending::<()>).await;
        assert_eq!(endless, Err(WorkError::TooLong));
        assert_eq!(work.run(A, async || ()).await, Ok(()));
    }

    #[tokio::test]
    async fn a_job_that_nobody_waits_for_ends_where_it_waits_itself() {
        struct SetOnDrop(Arc<AtomicBool>);
        impl Drop for SetOnDrop {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let work = work(1, 1, Duration::from_secs(10));
        let is_dropped = Arc::new(AtomicBool::new(false));
        let guard = SetOnDrop(is_dropped.clone());
        let (begun, has_begun) = oneshot::channel();
        let mut waiting = JoinSet::new();
        waiting.spawn({
            let work = work.clone();
            async move {
                work.run(A, async move || {
                    let _told = guard;
                    begun.send(()).unwrap();
                    std::future::pending::<()>().await;
                })
                .await
            }
        });
        has_begun.await.unwrap();
        waiting.abort_all();
        // The only thread is free again, so the job is over.
        assert_eq!(work.run(A, async || ()).await, Ok(()));
        assert!(is_dropped.load(Ordering::SeqCst));
    }
}
