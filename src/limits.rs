//! How often, and how many at once: what one tenant, user or address may ask of this instance.

pub mod sign_in;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock, QuantaInstant};
use governor::{DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};

use self::sign_in::SignInLimits;
use crate::domain::caller::Caller;
use crate::domain::ids::TenantId;
use crate::telemetry::metrics::Limit;

/// Try-outs of one tenant's admins in a minute: each of them makes the gateway ask somebody else.
const TRY_OUTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// Limits of this instance; `None` is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct LimitOptions {
    /// Requests of one tenant in a minute.
    pub tenant_per_minute: Option<NonZeroU32>,
    /// Requests of one user in a minute.
    pub user_per_minute: Option<NonZeroU32>,
    /// Requests from one address in a minute.
    pub address_per_minute: Option<NonZeroU32>,
    /// Requests to the admin API in a minute: with one tenant's credentials, and from one address.
    pub admin_per_minute: Option<NonZeroU32>,
    /// Requests of one tenant at the same time.
    pub tenant_in_flight: Option<NonZeroU32>,
    /// Requests at the same time.
    pub in_flight: Option<NonZeroU32>,
}

/// Proof that a request is within the limits; it counts as under way until this is dropped.
#[derive(Debug)]
pub struct Admitted {
    _all: InFlight,
    _tenant: InFlight,
}

/// Over a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// Asked too often.
    #[error("too many requests")]
    Often {
        /// Which limit.
        limit: Limit,
        /// When the next one passes.
        retry_after: Duration,
    },
    /// Too much under way at this instance: shed before it gets slow for all.
    #[error("too many requests at once")]
    AtOnce {
        /// Which limit.
        limit: Limit,
    },
}

impl TooMany {
    /// Which limit, for the counters.
    pub fn limit(&self) -> Limit {
        match self {
            Self::Often { limit, .. } | Self::AtOnce { limit } => *limit,
        }
    }
}

/// The counters of this instance.
#[derive(Debug)]
pub struct Limits {
    tenants: Option<DefaultKeyedRateLimiter<TenantId>>,
    users: Option<DefaultKeyedRateLimiter<(TenantId, String)>>,
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    try_outs: DefaultKeyedRateLimiter<TenantId>,
    admin_tenants: Option<DefaultKeyedRateLimiter<TenantId>>,
    admin_addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    /// Tries to sign in to administer.
    pub sign_in: SignInLimits,
    clock: DefaultClock,
    options: LimitOptions,
    under_way: Arc<AtomicU32>,
    under_way_by_tenant: Mutex<HashMap<TenantId, Arc<AtomicU32>>>,
}

/// One request that counts in a counter.
#[derive(Debug)]
struct InFlight(Arc<AtomicU32>);

impl InFlight {
    fn enter(
        counter: &Arc<AtomicU32>,
        most: Option<NonZeroU32>,
        limit: Limit,
    ) -> Result<Self, TooMany> {
        let entered = Self(counter.clone());
        let before = counter.fetch_add(1, Ordering::AcqRel);
        match most {
            Some(most) if before >= most.get() => Err(TooMany::AtOnce { limit }),
            _ => Ok(entered),
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn keyed<K: Clone + Eq + std::hash::Hash>(
    per_minute: Option<NonZeroU32>,
) -> Option<DefaultKeyedRateLimiter<K>> {
    per_minute.map(|rate| RateLimiter::keyed(Quota::per_minute(rate)))
}

/// An IPv6 network of 64 bits is one address: that is what one customer of a provider has.
fn one_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Limits {
    /// Counters that start empty.
    pub fn new(options: LimitOptions) -> Self {
        Self {
            tenants: keyed(options.tenant_per_minute),
            users: keyed(options.user_per_minute),
            addresses: keyed(options.address_per_minute),
            try_outs: RateLimiter::keyed(Quota::per_minute(TRY_OUTS_PER_MINUTE)),
            admin_tenants: keyed(options.admin_per_minute),
            admin_addresses: keyed(options.admin_per_minute),
            sign_in: SignInLimits::default(),
            clock: DefaultClock::default(),
            options,
            under_way: Arc::default(),
            under_way_by_tenant: Mutex::default(),
        }
    }

    /// Counts a request in. The user's own limit comes first, so that one user can't use up the tenant's.
    pub fn admit(&self, caller: &Caller) -> Result<Admitted, TooMany> {
        if let Some(users) = &self.users {
            let user = (caller.tenant, caller.subject.as_str().to_owned());
            users
                .check_key(&user)
                .map_err(|until| self.often(Limit::User, &until))?;
        }
        if let Some(tenants) = &self.tenants {
            tenants
                .check_key(&caller.tenant)
                .map_err(|until| self.often(Limit::Tenant, &until))?;
        }
        let of_tenant = self
            .under_way_by_tenant
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(caller.tenant)
            .or_default()
            .clone();
        Ok(Admitted {
            _tenant: InFlight::enter(
                &of_tenant,
                self.options.tenant_in_flight,
                Limit::TenantInFlight,
            )?,
            _all: InFlight::enter(&self.under_way, self.options.in_flight, Limit::InFlight)?,
        })
    }

    /// Counts a request from an address in, before anything else is known of it.
    pub fn admit_address(&self, address: IpAddr) -> Result<(), TooMany> {
        let Some(addresses) = &self.addresses else {
            return Ok(());
        };
        addresses
            .check_key(&one_address(address))
            .map_err(|until| self.often(Limit::Address, &until))
    }

    /// Counts a try-out by an admin in: an issuer's keys are fetched for it, or Anam is asked.
    pub fn admit_try_out(&self, tenant: TenantId) -> Result<(), TooMany> {
        self.try_outs
            .check_key(&tenant)
            .map_err(|until| self.often(Limit::TryOut, &until))
    }

    /// Counts a request to the admin API in, before its credential is looked up.
    pub fn admit_admin_address(&self, address: IpAddr) -> Result<(), TooMany> {
        match &self.admin_addresses {
            None => Ok(()),
            Some(addresses) => addresses
                .check_key(&one_address(address))
                .map_err(|until| self.often(Limit::Admin, &until)),
        }
    }

    /// Counts a request with a tenant's admin credential in.
    pub fn admit_admin(&self, tenant: TenantId) -> Result<(), TooMany> {
        match &self.admin_tenants {
            None => Ok(()),
            Some(tenants) => tenants
                .check_key(&tenant)
                .map_err(|until| self.often(Limit::Admin, &until)),
        }
    }

    fn often(&self, limit: Limit, until: &NotUntil<QuantaInstant>) -> TooMany {
        TooMany::Often {
            limit,
            retry_after: until.wait_time_from(self.clock.now()),
        }
    }

    /// Forgets who has been quiet for a minute; call it now and then, or the counters grow with everybody ever seen.
    pub fn forget_idle(&self) {
        if let Some(users) = &self.users {
            users.retain_recent();
            users.shrink_to_fit();
        }
        if let Some(addresses) = &self.addresses {
            addresses.retain_recent();
            addresses.shrink_to_fit();
        }
        if let Some(tenants) = &self.tenants {
            tenants.retain_recent();
        }
        self.try_outs.retain_recent();
        if let Some(addresses) = &self.admin_addresses {
            addresses.retain_recent();
            addresses.shrink_to_fit();
        }
        if let Some(tenants) = &self.admin_tenants {
            tenants.retain_recent();
        }
        self.sign_in.forget_idle();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::caller::Subject;
    use crate::domain::ids::IssuerId;
    use uuid::Uuid;

    fn caller(tenant: u128, subject: &str) -> Caller {
        Caller {
            tenant: TenantId(Uuid::from_u128(tenant)),
            issuer: IssuerId(Uuid::nil()),
            subject: Subject::parse(subject).unwrap(),
            facts: std::collections::BTreeMap::default(),
        }
    }

    #[test]
    fn a_user_over_their_limit_leaves_others_alone() {
        let limits = Limits::new(LimitOptions {
            user_per_minute: NonZeroU32::new(2),
            ..LimitOptions::default()
        });
        for _ in 0..2 {
            assert!(limits.admit(&caller(1, "ann")).is_ok());
        }
        assert!(matches!(
            limits.admit(&caller(1, "ann")),
            Err(TooMany::Often { .. })
        ));
        assert!(limits.admit(&caller(1, "bob")).is_ok());
        assert!(limits.admit(&caller(2, "ann")).is_ok());
    }

    #[test]
    fn a_tenants_requests_under_way_are_counted_until_they_end() {
        let limits = Limits::new(LimitOptions {
            tenant_in_flight: NonZeroU32::new(1),
            ..LimitOptions::default()
        });
        let first = limits.admit(&caller(1, "ann")).unwrap();
        assert!(matches!(
            limits.admit(&caller(1, "bob")),
            Err(TooMany::AtOnce { .. })
        ));
        assert!(limits.admit(&caller(2, "cid")).is_ok());
        drop(first);
        assert!(limits.admit(&caller(1, "bob")).is_ok());
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one() {
        let limits = Limits::new(LimitOptions {
            address_per_minute: NonZeroU32::new(1),
            ..LimitOptions::default()
        });
        assert!(limits.admit_address("2001:db8::1".parse().unwrap()).is_ok());
        assert!(
            limits
                .admit_address("2001:db8::2".parse().unwrap())
                .is_err()
        );
        assert!(
            limits
                .admit_address("2001:db8:0:1::1".parse().unwrap())
                .is_ok()
        );
    }
}
