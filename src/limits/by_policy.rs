//! Rates that tenants' policies set: counters of each such tenant, on this instance and, where instances share them, on all.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::everywhere::{Asked, Everywhere};
use super::{TooMany, often};
use crate::domain::caller::Caller;
use crate::domain::ids::TenantId;
use crate::domain::rates::Rates;
use crate::telemetry::metrics::Limit;

/// Counters of a tenant that was quiet for so long are forgotten: all of them are as new by then.
const QUIET: Duration = Duration::from_mins(2);

#[derive(Debug, Default)]
pub(super) struct ByPolicy(Mutex<HashMap<TenantId, Arc<Counters>>>);

/// The counters of one tenant.
#[derive(Debug)]
struct Counters {
    /// What they were made for: another policy gets new ones.
    rates: Rates,
    users: Option<DefaultKeyedRateLimiter<String>>,
    all: Option<DefaultDirectRateLimiter>,
    at_once: Option<Arc<Semaphore>>,
    used: Mutex<Instant>,
}

/// A request of a tenant that limits how many there are at the same time; it counts until this is dropped.
#[derive(Debug)]
pub(super) struct RequestSlot {
    _place: OwnedSemaphorePermit,
}

fn per_minute(most: Option<u32>) -> Option<Quota> {
    most.and_then(NonZeroU32::new).map(Quota::per_minute)
}

impl Counters {
    fn new(rates: Rates) -> Self {
        let at_once = rates.at_once.and_then(|most| usize::try_from(most).ok());
        Self {
            rates,
            users: per_minute(rates.user_per_minute).map(RateLimiter::keyed),
            all: per_minute(rates.per_minute).map(RateLimiter::direct),
            at_once: at_once.map(|most| Arc::new(Semaphore::new(most))),
            used: Mutex::new(Instant::now()),
        }
    }

    fn used(&self) -> MutexGuard<'_, Instant> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ByPolicy {
    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Arc<Counters>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of(&self, tenant: TenantId, rates: Rates) -> Arc<Counters> {
        let mut tenants = self.lock();
        let counters = tenants.get(&tenant);
        if let Some(counters) = counters.filter(|counters| counters.rates == rates) {
            *counters.used() = Instant::now();
            return counters.clone();
        }
        let counters = Arc::new(Counters::new(rates));
        tenants.insert(tenant, counters.clone());
        counters
    }

    /// Counts a request in. The user's own rate comes first, so that one user can't use up the tenant's.
    pub(super) async fn admit(
        &self,
        caller: &Caller,
        rates: Rates,
        everywhere: &Everywhere,
    ) -> Result<Option<RequestSlot>, TooMany> {
        if rates.is_empty() {
            return Ok(None);
        }
        let counters = self.of(caller.tenant, rates);
        let (tenant, subject) = (caller.tenant, caller.subject.as_str());
        let asked = [
            per_minute(rates.user_per_minute).map(|quota| Asked {
                limit: Limit::User,
                tenant,
                whose: subject.as_bytes(),
                quota,
            }),
            per_minute(rates.per_minute).map(|quota| Asked {
                limit: Limit::Tenant,
                tenant,
                whose: &[],
                quota,
            }),
        ];
        let here = || {
            if let Some(users) = &counters.users {
                let checked = users.check_key(&subject.to_owned());
                checked.map_err(|until| often(Limit::User, &until))?;
            }
            if let Some(all) = &counters.all {
                let checked = all.check();
                checked.map_err(|until| often(Limit::Tenant, &until))?;
            }
            Ok(())
        };
        everywhere.count("policy", asked, here).await?;
        let Some(at_once) = &counters.at_once else {
            return Ok(None);
        };
        let place = at_once.clone().try_acquire_owned();
        let place = place.map_err(|_full| TooMany::AtOnce {
            limit: Limit::TenantInFlight,
        })?;
        Ok(Some(RequestSlot { _place: place }))
    }

    /// Forgets users and tenants that were quiet.
    pub(super) fn forget_idle(&self) {
        let mut tenants = self.lock();
        tenants.retain(|_, counters| {
            let is_busy = counters
                .at_once
                .as_ref()
                .is_some_and(|places| Arc::strong_count(places) > 1);
            is_busy || counters.used().elapsed() < QUIET
        });
        for users in tenants
            .values()
            .filter_map(|counters| counters.users.as_ref())
        {
            users.retain_recent();
            users.shrink_to_fit();
        }
    }
}
