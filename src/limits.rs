//! How often, and how many at once: what one tenant, user or address may ask. Rates are counted by all instances together where
//! they share Redis ([`Shared`]); numbers at the same time, try-outs, test calls and sign-ins by each for itself.

mod by_policy;
mod everywhere;
mod known;
pub mod sign_in;
mod used_up;

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use governor::clock::{Clock as _, DefaultClock, QuantaInstant};
use governor::{DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use self::by_policy::{ByPolicy, RequestSlot};
use self::everywhere::{Asked, Everywhere};
use self::known::KnownCredentials;
use self::sign_in::SignInLimits;
use self::used_up::UsedUp;
use crate::crypto::token::TokenHash;
use crate::domain::caller::Caller;
use crate::domain::ids::TenantId;
use crate::domain::quota::{Quotas, Reached};
use crate::domain::rates::Rates;
use crate::keyed_semaphore::{KeyedPermit, KeyedSemaphore};
use crate::shared::Shared;
use crate::telemetry::metrics::Limit;
use crate::turns::{Nobodys, Turn, Turns, TurnsNow};

/// Try-outs of one tenant's admins in a minute: each of them makes the gateway ask somebody else.
const TRY_OUTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// Test calls of one person in a minute: each may become a conversation that costs. A tenant's count as its try-outs.
const TEST_CALLS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(6).unwrap();

/// How long a request to the admin API waits for others from its address, then for others of its tenant, and then for its tenant's
/// rate: who sends more than may be is slowed down before being refused.
const AT_DOOR: Duration = Duration::from_secs(2);

/// Of the requests to the admin API in a minute, a tenant may send this part at once before it is slowed down to its rate: those
/// of half a second. A page that opens with twenty calls waits for nothing, and a flood is felt by others for moments.
const ADMIN_BURST: u32 = 120;

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
    /// Requests to the admin API at the same time: with one tenant's credentials, and from one address.
    pub admin_in_flight: Option<NonZeroU32>,
    /// Requests of one tenant at the same time.
    pub tenant_in_flight: Option<NonZeroU32>,
    /// Requests at the same time, with those that wait for their turn.
    pub in_flight: Option<NonZeroU32>,
    /// Requests in progress at the same time; `None`: as many as this process can do without delay.
    pub in_progress: Option<NonZeroU32>,
}

/// Proof that a request is within the limits; it counts as under way until this is dropped.
#[derive(Debug)]
pub struct Admitted {
    // Dropped in this order.
    turn: Turn,
    place: Option<RequestSlot>,
    _tenant: Option<KeyedPermit<TenantId>>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Admitted {
    /// The request is about to end; it waited so long for Anam.
    pub fn note(&mut self, anam: Duration) {
        self.turn.note(anam);
    }
}

/// Proof that a request to the admin API is within the limits; it counts as under way until this is dropped.
#[derive(Debug)]
pub struct AdminAdmitted {
    _tenant: Option<KeyedPermit<TenantId>>,
}

/// The same, of an address whose credential is not known yet.
#[derive(Debug)]
pub struct AddressAdmitted {
    _address: Option<KeyedPermit<IpAddr>>,
}

/// A rate limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooMany {
    /// Asked too often.
    #[error("too many requests")]
    Often {
        limit: Limit,
        /// When the next one passes.
        retry_after: Duration,
    },
    /// Too much under way at this instance: shed before it gets slow for all.
    #[error("too many requests at once")]
    AtOnce { limit: Limit },
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
    tenants: Option<Rate<TenantId>>,
    users: Option<Rate<(TenantId, String)>>,
    addresses: Option<Rate<IpAddr>>,
    try_outs: DefaultKeyedRateLimiter<TenantId>,
    test_calls: DefaultKeyedRateLimiter<(TenantId, String)>,
    admin_tenants: Option<Rate<TenantId>>,
    admin_addresses: Option<Rate<IpAddr>>,
    /// Tries to sign in to administer.
    pub sign_in: SignInLimits,
    under_way: Option<Arc<Semaphore>>,
    under_way_by_tenant: Option<KeyedSemaphore<TenantId>>,
    turns: Turns,
    admin_by_tenant: Option<KeyedSemaphore<TenantId>>,
    admin_by_address: Option<KeyedSemaphore<IpAddr>>,
    known_admins: KnownCredentials,
    used_up: UsedUp,
    by_policy: ByPolicy,
    everywhere: Everywhere,
}

/// A rate, and what was used of it at this instance.
#[derive(Debug)]
struct Rate<K: Clone + Eq + std::hash::Hash> {
    quota: Quota,
    here: DefaultKeyedRateLimiter<K>,
}

impl<K: Clone + Eq + std::hash::Hash> Rate<K> {
    fn new(quota: Quota) -> Self {
        Self {
            quota,
            here: RateLimiter::keyed(quota),
        }
    }

    fn per_minute(rate: Option<NonZeroU32>) -> Option<Self> {
        rate.map(|rate| Self::new(Quota::per_minute(rate)))
    }

    fn check(&self, limit: Limit, key: &K) -> Result<(), TooMany> {
        let checked = self.here.check_key(key);
        checked.map_err(|until| often(limit, &until))
    }

    fn forget_idle(&self) {
        self.here.retain_recent();
        self.here.shrink_to_fit();
    }
}

fn often(limit: Limit, until: &NotUntil<QuantaInstant>) -> TooMany {
    TooMany::Often {
        limit,
        retry_after: until.wait_time_from(DefaultClock::default().now()),
    }
}

fn count(most: NonZeroU32) -> usize {
    usize::try_from(most.get()).unwrap_or(usize::MAX)
}

fn turns<K: Clone + Eq + std::hash::Hash>(most: Option<NonZeroU32>) -> Option<KeyedSemaphore<K>> {
    most.map(|most| KeyedSemaphore::new(count(most)))
}

/// Counts somebody in at the admin API, where there is a limit, after as long a wait as there may be.
async fn wait<K: Clone + Eq + std::hash::Hash>(
    turns: Option<&KeyedSemaphore<K>>,
    key: K,
) -> Result<Option<KeyedPermit<K>>, TooMany> {
    match turns {
        None => Ok(None),
        Some(turns) => tokio::time::timeout(AT_DOOR, turns.take(key))
            .await
            .map_err(|_elapsed| TooMany::AtOnce {
                limit: Limit::AdminInFlight,
            }),
    }
}

/// Counts somebody in, where there is a limit.
fn enter<K: Clone + Eq + std::hash::Hash>(
    turns: Option<&KeyedSemaphore<K>>,
    key: K,
    limit: Limit,
) -> Result<Option<KeyedPermit<K>>, TooMany> {
    match turns {
        None => Ok(None),
        Some(turns) => turns
            .try_take(key)
            .map(Some)
            .ok_or(TooMany::AtOnce { limit }),
    }
}

/// An IPv6 network of 64 bits is one address: that is what one customer of a provider has.
pub fn one_address(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Limits {
    /// Counters that start empty.
    pub fn new(options: LimitOptions) -> Self {
        Self {
            tenants: Rate::per_minute(options.tenant_per_minute),
            users: Rate::per_minute(options.user_per_minute),
            addresses: Rate::per_minute(options.address_per_minute),
            try_outs: RateLimiter::keyed(Quota::per_minute(TRY_OUTS_PER_MINUTE)),
            test_calls: RateLimiter::keyed(Quota::per_minute(TEST_CALLS_PER_MINUTE)),
            admin_tenants: options.admin_per_minute.map(|rate| {
                let at_once = NonZeroU32::new(rate.get() / ADMIN_BURST);
                Rate::new(Quota::per_minute(rate).allow_burst(at_once.unwrap_or(NonZeroU32::MIN)))
            }),
            admin_addresses: Rate::per_minute(options.admin_per_minute),
            sign_in: SignInLimits::default(),
            under_way: options
                .in_flight
                .map(|most| Arc::new(Semaphore::new(count(most)))),
            under_way_by_tenant: turns(options.tenant_in_flight),
            turns: Turns::new(options.in_progress.map(count), AT_DOOR),
            admin_by_tenant: turns(options.admin_in_flight),
            admin_by_address: turns(options.admin_in_flight),
            known_admins: KnownCredentials::default(),
            used_up: UsedUp::default(),
            by_policy: ByPolicy::default(),
            everywhere: Everywhere::default(),
        }
    }

    /// Counts rates with the other instances, where Redis is there for it.
    #[must_use]
    pub fn shared(mut self, shared: Option<Shared>) -> Self {
        self.everywhere = Everywhere(shared);
        self
    }

    /// Counts a request in, and waits for its turn. The user's own limit comes first, so that one user can't use up the tenant's.
    pub async fn admit(&self, caller: &Caller) -> Result<Admitted, TooMany> {
        let (tenant, subject) = (caller.tenant, caller.subject.as_str());
        let user = self.users.as_ref().map(|rate| Asked {
            limit: Limit::User,
            tenant,
            whose: subject.as_bytes(),
            quota: rate.quota,
        });
        let all = self.tenants.as_ref().map(|rate| Asked {
            limit: Limit::Tenant,
            tenant,
            whose: &[],
            quota: rate.quota,
        });
        let here = || {
            if let Some(users) = &self.users {
                users.check(Limit::User, &(tenant, subject.to_owned()))?;
            }
            if let Some(tenants) = &self.tenants {
                tenants.check(Limit::Tenant, &tenant)?;
            }
            Ok(())
        };
        self.everywhere.count("users", [user, all], here).await?;
        self.enter(tenant).await
    }

    /// Applies the rates that the tenant's policy sets.
    pub async fn admit_by_policy(
        &self,
        caller: &Caller,
        rates: Rates,
        admitted: &mut Admitted,
    ) -> Result<(), TooMany> {
        let place = self.by_policy.admit(caller, rates, &self.everywhere);
        admitted.place = place.await?;
        Ok(())
    }

    /// Refuses whoever was told a moment ago that a quota is used up, while it still is the same.
    pub fn check_quotas(
        &self,
        caller: &Caller,
        quotas: &Quotas,
        now: DateTime<Utc>,
    ) -> Result<(), Reached> {
        if quotas.is_empty() {
            return Ok(());
        }
        self.used_up.find(caller, quotas, now).map_or(Ok(()), Err)
    }

    /// Notes that a quota is used up.
    pub fn note_used_up(&self, caller: &Caller, reached: Reached) {
        self.used_up.note(caller, reached);
    }

    /// Counts a test call that `by` makes. It takes nothing from the rates of users.
    pub fn count_test_call(&self, tenant: TenantId, by: &str) -> Result<(), TooMany> {
        self.test_calls
            .check_key(&(tenant, by.to_owned()))
            .map_err(|until| often(Limit::TestCall, &until))?;
        self.admit_try_out(tenant)
    }

    /// Waits for a turn among the requests in progress, without counting the request.
    pub async fn enter(&self, of: TenantId) -> Result<Admitted, TooMany> {
        let full = |limit| TooMany::AtOnce { limit };
        let all = match &self.under_way {
            None => None,
            Some(all) => Some(
                all.clone()
                    .try_acquire_owned()
                    .map_err(|_full| full(Limit::InFlight))?,
            ),
        };
        let tenant = enter(self.under_way_by_tenant.as_ref(), of, Limit::TenantInFlight)?;
        let turn = self.turns.take(of).await;
        Ok(Admitted {
            turn: turn.ok_or_else(|| full(Limit::Turn))?,
            place: None,
            _tenant: tenant,
            _all: all,
        })
    }

    /// Waits for a turn among those of no tenant, two seconds at most, so that a flood of them waits for itself.
    pub async fn wait_as(&self, nobodys: Nobodys) {
        drop(self.turns.take_as(nobodys).await);
    }

    /// How many users' requests are in progress, wait, and begin in a second.
    pub fn turns_now(&self) -> TurnsNow {
        self.turns.now()
    }

    /// Counts a request from an address in, before anything else is known of it.
    pub async fn admit_address(&self, address: IpAddr) -> Result<(), TooMany> {
        let rate = self.addresses.as_ref();
        self.count_address("addresses", rate, Limit::Address, address)
            .await
    }

    async fn count_address(
        &self,
        step: &'static str,
        rate: Option<&Rate<IpAddr>>,
        limit: Limit,
        address: IpAddr,
    ) -> Result<(), TooMany> {
        let Some(rate) = rate else {
            return Ok(());
        };
        let address = one_address(address);
        let whose = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        let asked = Asked {
            limit,
            tenant: TenantId(Uuid::nil()),
            whose: &whose.octets(),
            quota: rate.quota,
        };
        let here = || rate.check(limit, &address);
        self.everywhere.count(step, [Some(asked)], here).await
    }

    /// Counts an admin's check in, which fetches an issuer's keys or calls Anam.
    pub fn admit_try_out(&self, tenant: TenantId) -> Result<(), TooMany> {
        self.try_outs
            .check_key(&tenant)
            .map_err(|until| often(Limit::TryOut, &until))
    }

    /// Counts a request to the admin API in, before its credential is looked up. That is a matter of milliseconds, so one too
    /// many waits a little: behind a proxy, many have one address.
    pub async fn admit_admin_address(&self, address: IpAddr) -> Result<AddressAdmitted, TooMany> {
        let rate = self.admin_addresses.as_ref();
        self.count_address("admin addresses", rate, Limit::Admin, address)
            .await?;
        let turn = wait(self.admin_by_address.as_ref(), one_address(address)).await?;
        Ok(AddressAdmitted { _address: turn })
    }

    /// Whether a credential was good of late. Its request need not be counted as one of its address: it will be as one of its tenant.
    pub fn knows_admin(&self, credential: &TokenHash) -> bool {
        self.known_admins.has(credential)
    }

    /// Notes whether a credential is good.
    pub fn note_admin(&self, credential: &TokenHash, is_good: bool) {
        self.known_admins.note(credential, is_good);
    }

    /// Counts a request with a tenant's admin credential in. One of too many in too short a time waits for its place in the rate,
    /// so that whoever asks for one thing after the other is slowed down and not refused.
    pub async fn admit_admin(&self, tenant: TenantId) -> Result<AdminAdmitted, TooMany> {
        // The turn first: those who wait for the rate look again and again, so they are few, and the others are in a line.
        let turn = wait(self.admin_by_tenant.as_ref(), tenant).await?;
        let door = tokio::time::Instant::now() + AT_DOOR;
        while let Err(refused) = self.count_admin(tenant).await {
            match refused {
                TooMany::Often { retry_after, .. }
                    if tokio::time::Instant::now() + retry_after <= door =>
                {
                    tokio::time::sleep(retry_after).await;
                }
                _ => return Err(refused),
            }
        }
        Ok(AdminAdmitted { _tenant: turn })
    }

    async fn count_admin(&self, tenant: TenantId) -> Result<(), TooMany> {
        let Some(rate) = &self.admin_tenants else {
            return Ok(());
        };
        let asked = Asked {
            limit: Limit::Admin,
            tenant,
            whose: &[],
            quota: rate.quota,
        };
        let here = || rate.check(Limit::Admin, &tenant);
        self.everywhere.count("admins", [Some(asked)], here).await
    }

    /// Forgets who has been quiet for a minute; call it now and then, or the counters grow with everybody ever seen.
    pub fn forget_idle(&self) {
        if let Some(users) = &self.users {
            users.forget_idle();
        }
        for addresses in [&self.addresses, &self.admin_addresses]
            .into_iter()
            .flatten()
        {
            addresses.forget_idle();
        }
        for tenants in [&self.tenants, &self.admin_tenants].into_iter().flatten() {
            tenants.forget_idle();
        }
        self.try_outs.retain_recent();
        self.test_calls.retain_recent();
        self.by_policy.forget_idle();
        self.sign_in.forget_idle();
        self.known_admins.forget_idle();
    }
}

#[cfg(test)]
mod tests;
