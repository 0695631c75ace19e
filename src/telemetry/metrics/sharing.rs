//! Redis, where instances share it.

use std::fmt::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::Metrics;
use super::process::gauge;
use super::register::Register;

const UP: (&str, &str) = (
    "redis_up",
    "Whether rates are counted with the other instances, in Redis: 1 or 0; only with limits.redis_url",
);

/// Whether it can be used; nothing where there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct RedisState(Arc<OnceLock<AtomicBool>>);

impl RedisState {
    pub(super) fn register(to: &mut Register<'_>) -> Self {
        to.describe(UP.0, UP.1, None, MetricType::Gauge);
        let state = Self::default();
        to.collect(state.clone());
        state
    }
}

impl Collector for RedisState {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        match self.0.get() {
            None => Ok(()),
            Some(up) => gauge(
                &mut encoder,
                UP,
                None,
                i64::from(up.load(Ordering::Relaxed)),
            ),
        }
    }
}

impl Metrics {
    /// Whether Redis can be used. Not said where there is none.
    pub fn redis_up(&self, is_up: bool) {
        let up = self.0.redis.0.get_or_init(AtomicBool::default);
        up.store(is_up, Ordering::Relaxed);
    }
}
