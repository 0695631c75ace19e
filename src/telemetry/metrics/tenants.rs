//! Mints by tenant, for as many tenants as the operator wants series of.
//!
//! Tenants come and go, and a metrics server keeps every series that it has seen for weeks. So at most a set number of tenants are named at any time,
//! and a name passes to a busier tenant only between periods. Memory is bounded in the same way, however many tenants call.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use tokio::time::Instant;

use super::labels::{ByTenantAndOutcome, ByTenantAndQuota};
use super::register::Register;
use crate::domain::ids::TenantId;
use crate::domain::quota::{Left, Measure};

const NAME: &str = "tenant_mints";
const HELP: &str = "Mints ended, by tenant and outcome: issued, refused (the request's own fault, or a limit), failed (the gateway's or Anam's). \
                    The busiest tenants have their id, metrics.tenants at most; all others are `other`";

const LEFT: &str = "tenant_quota_left_ratio";
const LEFT_HELP: &str = "What was left of a tenant's quotas for all its users after its last session, by tenant and quota: 1 is all of it, 0 nothing. The tenants are those of gateway_tenant_mints_total";

/// How often a name may pass to another tenant.
const PERIOD: Duration = Duration::from_mins(10);

/// What outcomes have in common.
const CLASSES: [&str; 3] = ["issued", "refused", "failed"];

/// The index in [`CLASSES`]; `None` for what is not counted.
fn class(outcome: &str) -> Option<usize> {
    match outcome {
        "issued" => Some(0),
        // No token was taken.
        "repeated" => None,
        "origin_not_allowed" | "invalid_request" | "rate_limited" | "quota_reached"
        | "places_taken" | "undecided" => Some(1),
        _ => Some(2),
    }
}

/// The counts. Clones count together.
#[derive(Debug, Clone)]
pub(super) struct TenantCounts(Arc<Mutex<Counts>>);

#[derive(Debug)]
struct Counts {
    cap: usize,
    named: HashMap<TenantId, Named>,
    others: [u64; 3],
    /// Mints in this period of tenants that have no name, of the busiest of them.
    candidates: HashMap<TenantId, u64>,
    since: Instant,
}

/// A tenant with a name.
#[derive(Debug, Default, Clone, Copy)]
struct Named {
    counts: [u64; 3],
    /// What was left of its quotas, in the order of [`Measure::ALL`].
    left: [Option<f64>; 4],
    /// Mints in this period.
    lately: u64,
}

impl TenantCounts {
    /// Names so many tenants at most; none where it is 0.
    pub(super) fn register(to: &mut Register<'_>, cap: usize) -> Self {
        let counts = Self(Arc::new(Mutex::new(Counts {
            cap,
            named: HashMap::new(),
            others: [0; 3],
            candidates: HashMap::new(),
            since: Instant::now(),
        })));
        to.describe(NAME, HELP, None, MetricType::Counter);
        to.describe(LEFT, LEFT_HELP, None, MetricType::Gauge);
        to.collect(counts.clone());
        counts
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So much is left of a tenant's quotas.
    pub(super) fn left(&self, tenant: TenantId, left: &[Left]) {
        let mut counts = self.lock();
        let Some(named) = counts.named.get_mut(&tenant) else {
            return;
        };
        named.left = Measure::ALL.map(|measure| {
            let of = left.iter().find(|left| left.measure == measure)?;
            let part = i32::try_from(of.left.max(0)).map_or(f64::MAX, f64::from);
            Some((part / f64::from(of.most.max(1))).min(1.0))
        });
    }

    /// A mint of a tenant ended.
    pub(super) fn count(&self, tenant: TenantId, outcome: &str) {
        if let Some(class) = class(outcome) {
            self.lock().count(tenant, class, Instant::now());
        }
    }
}

impl Counts {
    fn count(&mut self, tenant: TenantId, class: usize, now: Instant) {
        if self.cap == 0 {
            return;
        }
        if now.duration_since(self.since) >= PERIOD {
            self.pass_names_on();
            self.since = now;
        }
        let counts = if self.named.len() < self.cap || self.named.contains_key(&tenant) {
            let named = self.named.entry(tenant).or_default();
            named.lately += 1;
            &mut named.counts
        } else {
            self.stand(tenant);
            &mut self.others
        };
        if let Some(count) = counts.get_mut(class) {
            *count += 1;
        }
    }

    /// Counts for a candidate. Where there are as many as names, the least one makes room, and leaves its count behind: so a busy one is never
    /// missed (the algorithm is known as Space-Saving).
    fn stand(&mut self, tenant: TenantId) {
        let inherited = if self.candidates.len() < self.cap || self.candidates.contains_key(&tenant)
        {
            0
        } else {
            let least = self.candidates.iter().min_by_key(|(_, count)| **count);
            let least = least.map(|(tenant, count)| (*tenant, *count));
            least.map_or(0, |(least, count)| {
                self.candidates.remove(&least);
                count
            })
        };
        *self.candidates.entry(tenant).or_insert(inherited) += 1;
    }

    /// At the end of a period: candidates that had more than twice the mints of a named tenant take its place, the busiest that of the least busy.
    /// Such a tenant begins at 0, and what was counted of the one before is seen no more.
    fn pass_names_on(&mut self) {
        let mut candidates: Vec<_> = self.candidates.drain().collect();
        candidates.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut named: Vec<_> = self
            .named
            .iter()
            .map(|(tenant, named)| (named.lately, *tenant))
            .collect();
        named.sort_unstable();
        for ((candidate, count), (lately, least)) in candidates.into_iter().zip(named) {
            if count <= lately * 2 {
                break;
            }
            self.named.remove(&least);
            self.named.insert(candidate, Named::default());
        }
        for named in self.named.values_mut() {
            named.lately = 0;
        }
    }
}

impl Collector for TenantCounts {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (named, others) = {
            let counts = self.lock();
            if counts.cap == 0 {
                return Ok(());
            }
            (counts.named.clone(), counts.others)
        };
        let mut metric =
            encoder.encode_descriptor(NAME, &format!("{HELP}."), None, MetricType::Counter)?;
        let counted = named
            .iter()
            .map(|(tenant, named)| (tenant.to_string(), named.counts));
        for (tenant, counts) in counted.chain([("other".to_owned(), others)]) {
            for (outcome, count) in CLASSES.into_iter().zip(counts) {
                let tenant = tenant.clone();
                metric
                    .encode_family(&ByTenantAndOutcome { tenant, outcome })?
                    .encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
            }
        }
        let help = format!("{LEFT_HELP}.");
        let mut metric = encoder.encode_descriptor(LEFT, &help, None, MetricType::Gauge)?;
        for (tenant, named) in named {
            for (measure, left) in Measure::ALL.into_iter().zip(named.left) {
                let Some(left) = left else { continue };
                let labels = ByTenantAndQuota {
                    tenant: tenant.to_string(),
                    quota: measure.as_str(),
                };
                metric.encode_family(&labels)?.encode_gauge(&left)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn counts(cap: usize) -> Counts {
        Counts {
            cap,
            named: HashMap::new(),
            others: [0; 3],
            candidates: HashMap::new(),
            since: Instant::now(),
        }
    }

    fn tenant(number: u128) -> TenantId {
        TenantId(Uuid::from_u128(number))
    }

    #[test]
    fn a_busier_tenant_takes_the_name_of_an_idle_one_between_periods_only() {
        let mut counts = counts(2);
        let mut now = Instant::now();
        for number in [1, 2, 3, 3, 3, 3, 3, 2, 2] {
            counts.count(tenant(number), 0, now);
        }
        assert_eq!(counts.others, [5, 0, 0]);
        assert!(!counts.named.contains_key(&tenant(3)));
        now += PERIOD;
        counts.count(tenant(3), 0, now);
        // 3 had five, 1 had one; 2 had three, which is not half of what 3 had.
        assert_eq!(counts.named[&tenant(3)].counts, [1, 0, 0]);
        assert_eq!(counts.named[&tenant(2)].counts, [3, 0, 0]);
        assert_eq!(counts.named.len(), 2);
        // What was other stays so: a counter never falls.
        assert_eq!(counts.others, [5, 0, 0]);
    }

    #[test]
    fn tenants_that_are_about_as_busy_do_not_take_turns() {
        let mut counts = counts(1);
        let mut now = Instant::now();
        for _ in 0..5 {
            for number in [1, 2, 1, 2] {
                counts.count(tenant(number), 0, now);
            }
            now += PERIOD;
        }
        assert!(counts.named.contains_key(&tenant(1)));
    }

    #[test]
    fn without_a_cap_nothing_is_kept() {
        let mut counts = counts(0);
        counts.count(tenant(1), 0, Instant::now());
        assert!(counts.named.is_empty() && counts.candidates.is_empty());
        assert_eq!(counts.others, [0; 3]);
    }

    proptest! {
        #[test]
        fn whatever_comes_no_more_tenants_are_named_or_remembered(
            cap in 1_usize..5,
            calls in proptest::collection::vec((0_u128..20, 0_usize..3, 0_u64..300), 0..300),
        ) {
            let mut counts = counts(cap);
            let mut now = Instant::now();
            for (number, class, seconds) in calls {
                now += Duration::from_secs(seconds);
                counts.count(tenant(number), class, now);
                prop_assert!(counts.named.len() <= cap);
                prop_assert!(counts.candidates.len() <= cap);
            }
        }
    }
}
