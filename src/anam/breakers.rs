//! The breakers of all keys, each tenant's for itself: what one tenant's key meets at Anam keeps no other tenant from asking.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::breaker::{Breaker, BreakerRules, Passage, Report};
use super::key::ApiKey;
use crate::domain::ids::TenantId;
use crate::telemetry::metrics::Metrics;

/// Breakers by tenant and key. There is one only for keys that failed of late, so that memory holds no others and a mint at peace takes no
/// lock.
#[derive(Debug)]
pub(super) struct Breakers {
    /// `None`: never opens.
    rules: Option<BreakerRules>,
    kept: AtomicUsize,
    all: Mutex<HashMap<(TenantId, ApiKey), Breaker>>,
    metrics: Metrics,
}

impl Breakers {
    pub(super) fn new(failures: u32, deadline: Duration, metrics: Metrics) -> Self {
        let rules = (failures > 0).then(|| BreakerRules {
            failures,
            trial: deadline.saturating_add(Duration::from_secs(1)),
        });
        Self {
            rules,
            kept: AtomicUsize::new(0),
            all: Mutex::default(),
            metrics,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(TenantId, ApiKey), Breaker>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long to wait before Anam is asked with this key again; `None` where it may be now.
    pub(super) fn refusal(&self, tenant: TenantId, key: &ApiKey) -> Option<Duration> {
        if self.kept.load(Ordering::Acquire) == 0 {
            return None;
        }
        let all = self.lock();
        all.get(&(tenant, key.clone()))?.refusal(Instant::now())
    }

    /// Lets a request through, or says how long to wait. `None` where nothing is known of the key.
    pub(super) fn pass(&self, tenant: TenantId, key: &ApiKey) -> Result<Option<Passage>, Duration> {
        if self.kept.load(Ordering::Acquire) == 0 {
            return Ok(None);
        }
        match self.lock().get_mut(&(tenant, key.clone())) {
            None => Ok(None),
            Some(breaker) => breaker.pass(Instant::now()).map(Some),
        }
    }

    /// Notes the end of a request that was let through.
    pub(super) fn report(
        &self,
        tenant: TenantId,
        key: &ApiKey,
        passage: Option<Passage>,
        report: Report,
    ) {
        let Some(rules) = self.rules else { return };
        if report == Report::Answered && self.kept.load(Ordering::Acquire) == 0 {
            return;
        }
        let now = Instant::now();
        let id = (tenant, key.clone());
        let mut all = self.lock();
        let was_closed = all.get(&id).is_none_or(Breaker::is_closed);
        let breaker = match report {
            Report::Answered => all.get_mut(&id),
            Report::Failed => Some(
                all.entry(id.clone())
                    .or_insert_with(|| Breaker::new(rules, now)),
            ),
        };
        let Some(breaker) = breaker else { return };
        // What began before anything was known counts as of a breaker that never changed.
        breaker.report(passage.unwrap_or_default(), report, now);
        let is_closed = breaker.is_closed();
        if breaker.is_as_new() {
            all.remove(&id);
        }
        self.kept.store(all.len(), Ordering::Release);
        if was_closed != is_closed {
            self.count(&all);
            if is_closed {
                tracing::info!(tenant.id = %tenant, "Anam answers again");
            } else {
                tracing::warn!(tenant.id = %tenant, "Anam fails too often with this tenant's key: it is left alone for a while");
            }
        }
    }

    /// Forgets keys that were not used since they failed.
    pub(super) fn forget_idle(&self) {
        let mut all = self.lock();
        let now = Instant::now();
        all.retain(|_, breaker| !breaker.is_stale(now));
        all.shrink_to_fit();
        self.kept.store(all.len(), Ordering::Release);
        self.count(&all);
    }

    fn count(&self, all: &HashMap<(TenantId, ApiKey), Breaker>) {
        let open = all.values().filter(|breaker| !breaker.is_closed());
        self.metrics.anam_breakers_open(open.count());
    }
}
