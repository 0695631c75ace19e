//! How often, and how many at once: what one tenant, user or address may ask of this instance.

mod by_policy;
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

use self::by_policy::{ByPolicy, Place};
use self::known::KnownCredentials;
use self::sign_in::SignInLimits;
use self::used_up::UsedUp;
use crate::crypto::token::TokenHash;
use crate::domain::caller::Caller;
use crate::domain::ids::TenantId;
use crate::domain::quota::{Quotas, Reached};
use crate::domain::rates::Rates;
use crate::keyed_semaphore::{KeyedPermit, KeyedSemaphore};
use crate::telemetry::metrics::Limit;
use crate::turns::{Turn, Turns, TurnsNow};

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
    place: Option<Place>,
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
    tenants: Option<DefaultKeyedRateLimiter<TenantId>>,
    users: Option<DefaultKeyedRateLimiter<(TenantId, String)>>,
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    try_outs: DefaultKeyedRateLimiter<TenantId>,
    test_calls: DefaultKeyedRateLimiter<(TenantId, String)>,
    admin_tenants: Option<DefaultKeyedRateLimiter<TenantId>>,
    admin_addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    /// Tries to sign in to administer.
    pub sign_in: SignInLimits,
    clock: DefaultClock,
    under_way: Option<Arc<Semaphore>>,
    under_way_by_tenant: Option<KeyedSemaphore<TenantId>>,
    turns: Turns,
    admin_by_tenant: Option<KeyedSemaphore<TenantId>>,
    admin_by_address: Option<KeyedSemaphore<IpAddr>>,
    known_admins: KnownCredentials,
    used_up: UsedUp,
    by_policy: ByPolicy,
}

fn keyed<K: Clone + Eq + std::hash::Hash>(
    per_minute: Option<NonZeroU32>,
) -> Option<DefaultKeyedRateLimiter<K>> {
    per_minute.map(|rate| RateLimiter::keyed(Quota::per_minute(rate)))
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
            tenants: keyed(options.tenant_per_minute),
            users: keyed(options.user_per_minute),
            addresses: keyed(options.address_per_minute),
            try_outs: RateLimiter::keyed(Quota::per_minute(TRY_OUTS_PER_MINUTE)),
            test_calls: RateLimiter::keyed(Quota::per_minute(TEST_CALLS_PER_MINUTE)),
            admin_tenants: options.admin_per_minute.map(|rate| {
                let at_once = NonZeroU32::new(rate.get() / ADMIN_BURST);
                let quota = Quota::per_minute(rate).allow_burst(at_once.unwrap_or(NonZeroU32::MIN));
                RateLimiter::keyed(quota)
            }),
            admin_addresses: keyed(options.admin_per_minute),
            sign_in: SignInLimits::default(),
            clock: DefaultClock::default(),
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
        }
    }

    /// Counts a request in, and waits for its turn. The user's own limit comes first, so that one user can't use up the tenant's.
    pub async fn admit(&self, caller: &Caller) -> Result<Admitted, TooMany> {
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
        self.enter(caller.tenant).await
    }

    /// Applies the rates that the tenant's policy sets.
    pub fn admit_by_policy(
        &self,
        caller: &Caller,
        rates: Rates,
        admitted: &mut Admitted,
    ) -> Result<(), TooMany> {
        admitted.place = self.by_policy.admit(caller, rates)?;
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
            .map_err(|until| self.often(Limit::TestCall, &until))?;
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

    /// How many users' requests are in progress, wait, and may be in progress now.
    pub fn turns_now(&self) -> TurnsNow {
        self.turns.now()
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

    /// Counts an admin's check in, which fetches an issuer's keys or calls Anam.
    pub fn admit_try_out(&self, tenant: TenantId) -> Result<(), TooMany> {
        self.try_outs
            .check_key(&tenant)
            .map_err(|until| self.often(Limit::TryOut, &until))
    }

    /// Counts a request to the admin API in, before its credential is looked up. That is a matter of milliseconds, so one too
    /// many waits a little: behind a proxy, many have one address.
    pub async fn admit_admin_address(&self, address: IpAddr) -> Result<AddressAdmitted, TooMany> {
        let address = one_address(address);
        if let Some(addresses) = &self.admin_addresses {
            addresses
                .check_key(&address)
                .map_err(|until| self.often(Limit::Admin, &until))?;
        }
        let turn = wait(self.admin_by_address.as_ref(), address).await?;
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
        if let Some(tenants) = &self.admin_tenants {
            let door = tokio::time::Instant::now() + AT_DOOR;
            while let Err(until) = tenants.check_key(&tenant) {
                let pause = until.wait_time_from(self.clock.now());
                if tokio::time::Instant::now() + pause > door {
                    return Err(self.often(Limit::Admin, &until));
                }
                tokio::time::sleep(pause).await;
            }
        }
        Ok(AdminAdmitted { _tenant: turn })
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
        self.test_calls.retain_recent();
        if let Some(addresses) = &self.admin_addresses {
            addresses.retain_recent();
            addresses.shrink_to_fit();
        }
        if let Some(tenants) = &self.admin_tenants {
            tenants.retain_recent();
        }
        self.by_policy.forget_idle();
        self.sign_in.forget_idle();
        self.known_admins.forget_idle();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

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
            left_out: std::collections::BTreeMap::default(),
        }
    }

    #[tokio::test]
    async fn a_user_over_their_limit_leaves_others_alone() {
        let limits = Limits::new(LimitOptions {
            user_per_minute: NonZeroU32::new(2),
            ..LimitOptions::default()
        });
        for _ in 0..2 {
            assert!(limits.admit(&caller(1, "ann")).await.is_ok());
        }
        assert!(matches!(
            limits.admit(&caller(1, "ann")).await,
            Err(TooMany::Often { .. })
        ));
        assert!(limits.admit(&caller(1, "bob")).await.is_ok());
        assert!(limits.admit(&caller(2, "ann")).await.is_ok());
    }

    #[tokio::test]
    async fn a_tenants_requests_under_way_are_counted_until_they_end() {
        let limits = Limits::new(LimitOptions {
            tenant_in_flight: NonZeroU32::new(1),
            ..LimitOptions::default()
        });
        let first = limits.admit(&caller(1, "ann")).await.unwrap();
        assert!(matches!(
            limits.admit(&caller(1, "bob")).await,
            Err(TooMany::AtOnce { .. })
        ));
        assert!(limits.admit(&caller(2, "cid")).await.is_ok());
        drop(first);
        assert!(limits.admit(&caller(1, "bob")).await.is_ok());
    }

    #[tokio::test]
    async fn admin_requests_under_way_are_counted_by_tenant_and_before_that_by_address() {
        let limits = Limits::new(LimitOptions {
            admin_in_flight: NonZeroU32::new(1),
            ..LimitOptions::default()
        });
        let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let at_door = limits.admit_admin_address(here).await.unwrap();
        let mut next = Box::pin(limits.admit_admin_address(here));
        assert!(next.as_mut().now_or_never().is_none(), "it waits");
        assert!(limits.admit_admin_address(there).await.is_ok());
        drop(at_door);
        assert!(next.await.is_ok());

        let (one, other) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let inside = limits.admit_admin(one).await.unwrap();
        let mut next = Box::pin(limits.admit_admin(one));
        assert!(next.as_mut().now_or_never().is_none(), "it waits");
        assert!(limits.admit_admin(other).await.is_ok());
        drop(inside);
        let inside = next.await.unwrap();
        let full = limits.admit_admin(one).await.unwrap_err();
        assert_eq!(full.limit(), Limit::AdminInFlight);
        drop(inside);
    }

    #[tokio::test]
    async fn admin_requests_over_their_rate_wait_for_a_place_in_it_where_it_is_near() {
        let limits = |rate| {
            Limits::new(LimitOptions {
                admin_per_minute: NonZeroU32::new(rate),
                ..LimitOptions::default()
            })
        };
        let tenant = TenantId(Uuid::from_u128(1));
        // A hundred in a second, fifty at once.
        let quick = limits(6_000);
        for _ in 0..50 {
            quick.admit_admin(tenant).await.unwrap();
        }
        assert!(
            quick.admit_admin(tenant).now_or_never().is_none(),
            "it waits"
        );
        quick.admit_admin(tenant).await.unwrap();
        // One in twenty seconds.
        let slow = limits(3);
        slow.admit_admin(tenant).await.unwrap();
        let refused = slow.admit_admin(tenant).await.unwrap_err();
        assert!(matches!(
            refused,
            TooMany::Often { limit: Limit::Admin, retry_after } if retry_after > Duration::from_secs(10)
        ));
        let other = TenantId(Uuid::from_u128(2));
        slow.admit_admin(other).await.unwrap();
    }

    #[tokio::test]
    async fn no_more_look_for_a_place_in_the_rate_than_may_be_under_way() {
        let limits = Limits::new(LimitOptions {
            admin_per_minute: NonZeroU32::new(3),
            admin_in_flight: NonZeroU32::new(1),
            ..LimitOptions::default()
        });
        let tenant = TenantId(Uuid::from_u128(1));
        let inside = limits.admit_admin(tenant).await.unwrap();
        let mut next = Box::pin(limits.admit_admin(tenant));
        assert!(
            next.as_mut().now_or_never().is_none(),
            "it stands in the line, though its rate would refuse it"
        );
        drop(inside);
        assert_eq!(next.await.unwrap_err().limit(), Limit::Admin);
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
