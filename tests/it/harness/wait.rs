//! Waiting for a fact.

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks again and again until the answer is `Some`; panics after `patience`.
pub(crate) async fn until<T, F>(what: &str, patience: Duration, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(
            started.elapsed() < patience,
            "waited {patience:?} for: {what}"
        );
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
