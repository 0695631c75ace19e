//! Limits of sign-in, and the queues in which sign-ins wait.
//!
//! Counts go from narrow to wide: an account from one address, an address, a network, an account from everywhere. The last two
//! are for strangers only: where somebody has signed in from before, what others do elsewhere does not count against them.
//!
//! Checking a password takes the processor, so tries also wait in lines: of a network, of an account, of all strangers. Each line lets
//! a little of it into the next, so whoever sends many tries waits for themselves.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{TooMany, one_address};
use crate::crypto::password;
use crate::domain::email::Email;
use crate::domain::ids::TenantId;
use crate::keyed_semaphore::{KeyedPermit, KeyedSemaphore};
use crate::telemetry::metrics::Limit;

/// Tries for one account from one address: ten at once, then one in twelve seconds.
const PAIR: (u32, u32) = (5, 10);
/// Tries from one address: an office behind one address signs in within a minute.
const ADDRESS: (u32, u32) = (60, 60);
/// Tries of strangers from one network.
const NETWORK: (u32, u32) = (120, 120);
/// Tries of strangers for one account from everywhere.
const ACCOUNT: (u32, u32) = (60, 100);
/// Steps of one tenant's single sign-on from one network.
const SSO: (u32, u32) = (60, 60);

/// Links for a new password that one network asks for: ten at once, then one in two minutes. By the hour.
const RESETS_FROM: (u32, u32) = (30, 10);
/// Mails with such a link to one account: three at once, then one in twenty minutes.
const RESETS_OF: (u32, u32) = (3, 3);
/// Such mails that are prepared at the same time.
const RESETS_AT_ONCE: usize = 32;

/// Codes of a second factor for one account: five at once, then one in two minutes. A million codes, three of which are right at a time,
/// last for years.
const CODES: (u32, u32) = (30, 5);

/// Most strangers who wait at the same time: of one network, of one account, of all.
const WAITING: (usize, usize, usize) = (8, 8, 64);
/// Single sign-ons of one tenant at the same time: from one network, and in all.
const SSO_AT_ONCE: (usize, usize) = (2, 8);
/// How long a sign-in waits in a queue.
const PATIENCE: Duration = Duration::from_secs(5);

/// The counters of this instance.
#[derive(Debug)]
pub struct SignInLimits {
    pairs: DefaultKeyedRateLimiter<(Email, IpAddr)>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    networks: DefaultKeyedRateLimiter<IpAddr>,
    accounts: DefaultKeyedRateLimiter<Email>,
    sso: DefaultKeyedRateLimiter<(TenantId, IpAddr)>,
    codes: DefaultKeyedRateLimiter<Email>,
    resets_from: DefaultKeyedRateLimiter<IpAddr>,
    resets_of: DefaultKeyedRateLimiter<Email>,
    reset_turns: Arc<Semaphore>,
    clock: DefaultClock,
    lines: Lines,
}

/// The queues of sign-ins, by account and by network.
#[derive(Debug)]
struct Lines {
    network_seats: KeyedSemaphore<Option<IpAddr>>,
    account_seats: KeyedSemaphore<Option<Email>>,
    seats: Arc<Semaphore>,
    networks: KeyedSemaphore<Option<IpAddr>>,
    accounts: KeyedSemaphore<Option<Email>>,
    /// Strangers whose password is being checked. Others don't wait behind more of them than this.
    strangers: Arc<Semaphore>,
    /// Of those who are no strangers.
    friends: KeyedSemaphore<Email>,
    sso_networks: KeyedSemaphore<(TenantId, Option<IpAddr>)>,
    sso_tenants: KeyedSemaphore<TenantId>,
}

/// A turn to have a password checked; it lasts until this is dropped.
#[derive(Debug)]
pub struct PasswordTurn {
    _held: TurnKey,
}

#[derive(Debug)]
#[expect(dead_code, reason = "held for what dropping them gives back")]
enum TurnKey {
    Friend(Option<KeyedPermit<Email>>),
    // Dropped in this order: the widest first.
    Stranger {
        all: OwnedSemaphorePermit,
        account: Option<KeyedPermit<Option<Email>>>,
        network: Option<KeyedPermit<Option<IpAddr>>>,
        seats: (
            OwnedSemaphorePermit,
            KeyedPermit<Option<Email>>,
            KeyedPermit<Option<IpAddr>>,
        ),
    },
}

/// A turn to go through a tenant's provider; it lasts until this is dropped.
#[derive(Debug)]
pub struct SsoTurn {
    _tenant: Option<KeyedPermit<TenantId>>,
    _network: Option<KeyedPermit<(TenantId, Option<IpAddr>)>>,
}

fn counter<K: Clone + Eq + std::hash::Hash>(
    (per_minute, at_once): (u32, u32),
) -> DefaultKeyedRateLimiter<K> {
    let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    RateLimiter::keyed(
        Quota::per_minute(at_least_one(per_minute)).allow_burst(at_least_one(at_once)),
    )
}

fn hourly<K: Clone + Eq + std::hash::Hash>(
    (per_hour, at_once): (u32, u32),
) -> DefaultKeyedRateLimiter<K> {
    let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    RateLimiter::keyed(Quota::per_hour(at_least_one(per_hour)).allow_burst(at_least_one(at_once)))
}

/// An IPv6 network of 48 bits is one: that is what one customer of a provider has at most. An IPv4 address stands for itself, since
/// neighbours there have nothing to do with each other.
fn one_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

impl Default for SignInLimits {
    fn default() -> Self {
        let (network, account, all) = WAITING;
        Self {
            pairs: counter(PAIR),
            addresses: counter(ADDRESS),
            networks: counter(NETWORK),
            accounts: counter(ACCOUNT),
            sso: counter(SSO),
            codes: hourly(CODES),
            resets_from: hourly(RESETS_FROM),
            resets_of: hourly(RESETS_OF),
            reset_turns: Arc::new(Semaphore::new(RESETS_AT_ONCE)),
            clock: DefaultClock::default(),
            lines: Lines {
                network_seats: KeyedSemaphore::new(network),
                account_seats: KeyedSemaphore::new(account),
                seats: Arc::new(Semaphore::new(all)),
                networks: KeyedSemaphore::new(1),
                accounts: KeyedSemaphore::new(1),
                strangers: Arc::new(Semaphore::new(password::at_once())),
                friends: KeyedSemaphore::new(1),
                sso_networks: KeyedSemaphore::new(SSO_AT_ONCE.0),
                sso_tenants: KeyedSemaphore::new(SSO_AT_ONCE.1),
            },
        }
    }
}

impl SignInLimits {
    /// Counts a try in that names no account yet: an invitation, or the way of a single sign-on.
    pub fn admit_address(&self, address: Option<IpAddr>) -> Result<(), TooMany> {
        let Some(address) = address else {
            return Ok(());
        };
        self.addresses
            .check_key(&one_address(address))
            .map_err(|until| self.often(Limit::SignInAddress, &until))
    }

    /// Counts a code of a second factor in, of somebody whose password was right.
    pub fn admit_code(&self, email: &Email, address: Option<IpAddr>) -> Result<(), TooMany> {
        self.admit_address(address)?;
        self.codes
            .check_key(email)
            .map_err(|until| self.often(Limit::SignInAccount, &until))
    }

    /// Counts somebody in who asks for a link for a new password.
    pub fn admit_reset(&self, address: Option<IpAddr>) -> Result<(), TooMany> {
        self.admit_address(address)?;
        let Some(address) = address else {
            return Ok(());
        };
        self.resets_from
            .check_key(&one_network(address))
            .map_err(|until| self.often(Limit::SignInAddress, &until))
    }

    /// Counts a mail with such a link to an account.
    pub fn admit_reset_of(&self, email: &Email) -> Result<(), TooMany> {
        self.resets_of
            .check_key(email)
            .map_err(|until| self.often(Limit::SignInAccount, &until))
    }

    /// A turn to prepare such a mail; none while too many are under way.
    pub fn reset_turn(&self) -> Option<OwnedSemaphorePermit> {
        self.reset_turns.clone().try_acquire_owned().ok()
    }

    /// Counts a try with a password in, before it is known whose it is.
    pub fn admit(&self, email: &Email, address: Option<IpAddr>) -> Result<(), TooMany> {
        self.admit_address(address)?;
        let Some(address) = address else {
            return Ok(());
        };
        self.pairs
            .check_key(&(email.clone(), one_address(address)))
            .map_err(|until| self.often(Limit::SignInAccount, &until))
    }

    /// Counts a stranger's try in, and waits for its turn to have the password checked. No account is named where what was
    /// sent is no address.
    pub async fn stranger(
        &self,
        email: Option<&Email>,
        address: Option<IpAddr>,
    ) -> Result<PasswordTurn, TooMany> {
        let network = address.map(one_network);
        if let Some(network) = &network {
            self.networks
                .check_key(network)
                .map_err(|until| self.often(Limit::SignInAddress, &until))?;
        }
        if let Some(email) = email {
            self.accounts
                .check_key(email)
                .map_err(|until| self.often(Limit::SignInAccount, &until))?;
        }
        let (lines, email) = (&self.lines, email.cloned());
        let seats = (
            lines.seats.clone().try_acquire_owned().ok(),
            lines.account_seats.try_take(email.clone()),
            lines.network_seats.try_take(network),
        );
        let (Some(seat), Some(of_account), Some(of_network)) = seats else {
            return Err(FULL);
        };
        let turns = async {
            // The network's line first: so an account's holds one try of each network, and that of all one of each account.
            let network = lines.networks.take(network).await;
            let account = lines.accounts.take(email).await;
            let all = lines.strangers.clone().acquire_owned().await.ok()?;
            Some((network, account, all))
        };
        let (network, account, all) = tokio::time::timeout(PATIENCE, turns)
            .await
            .ok()
            .flatten()
            .ok_or(FULL)?;
        Ok(PasswordTurn {
            _held: TurnKey::Stranger {
                all,
                account,
                network,
                seats: (seat, of_account, of_network),
            },
        })
    }

    /// Waits for the turn of somebody who is signed in already, or has signed in from there before.
    pub async fn friend(&self, email: &Email) -> Result<PasswordTurn, TooMany> {
        let turn = tokio::time::timeout(PATIENCE, self.lines.friends.take(email.clone()))
            .await
            .map_err(|_elapsed| FULL)?;
        Ok(PasswordTurn {
            _held: TurnKey::Friend(turn),
        })
    }

    /// Counts a way through a tenant's provider in, there or back, and waits for its turn.
    pub async fn admit_sso(
        &self,
        tenant: TenantId,
        address: Option<IpAddr>,
    ) -> Result<SsoTurn, TooMany> {
        let network = address.map(one_network);
        if let Some(network) = network {
            self.sso
                .check_key(&(tenant, network))
                .map_err(|until| self.often(Limit::SignInSso, &until))?;
        }
        let turns = async {
            // The network's line first: so a tenant's holds no more of one network than its share.
            let of_network = self.lines.sso_networks.take((tenant, network)).await;
            let of_tenant = self.lines.sso_tenants.take(tenant).await;
            SsoTurn {
                _tenant: of_tenant,
                _network: of_network,
            }
        };
        tokio::time::timeout(PATIENCE, turns)
            .await
            .map_err(|_elapsed| TooMany::AtOnce {
                limit: Limit::SignInSso,
            })
    }

    fn often(
        &self,
        limit: Limit,
        until: &governor::NotUntil<governor::clock::QuantaInstant>,
    ) -> TooMany {
        TooMany::Often {
            limit,
            retry_after: until.wait_time_from(self.clock.now()),
        }
    }

    /// Drops counters that are idle.
    pub fn forget_idle(&self) {
        self.pairs.retain_recent();
        self.pairs.shrink_to_fit();
        self.addresses.retain_recent();
        self.addresses.shrink_to_fit();
        self.networks.retain_recent();
        self.networks.shrink_to_fit();
        self.accounts.retain_recent();
        self.accounts.shrink_to_fit();
        self.sso.retain_recent();
        self.sso.shrink_to_fit();
        self.codes.retain_recent();
        self.codes.shrink_to_fit();
        self.resets_from.retain_recent();
        self.resets_from.shrink_to_fit();
        self.resets_of.retain_recent();
        self.resets_of.shrink_to_fit();
    }
}

/// Too many wait already, or waited too long.
const FULL: TooMany = TooMany::AtOnce {
    limit: Limit::SignInWaiting,
};

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::task::unconstrained;

    use super::*;

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the limits take it")]
    fn address(number: u32) -> Option<IpAddr> {
        Some(IpAddr::from(std::net::Ipv4Addr::from_bits(
            0xC633_6400 + number,
        )))
    }

    /// A try of a stranger whose turn comes at once.
    fn at_once(limits: &SignInLimits, email: &Email, address: Option<IpAddr>) -> bool {
        limits.admit(email, address).is_ok()
            && unconstrained(limits.stranger(Some(email), address))
                .now_or_never()
                .unwrap()
                .is_ok()
    }

    #[tokio::test]
    async fn wrong_passwords_from_one_address_do_not_keep_the_owner_out_elsewhere() {
        let limits = SignInLimits::default();
        let ann = email("ann@example.com");
        let (bad, good) = (address(1), address(2));
        let tried = (0..1_000).filter(|_| at_once(&limits, &ann, bad)).count();
        assert!((10..=12).contains(&tried), "{tried}");
        assert!(at_once(&limits, &ann, good));
    }

    #[tokio::test]
    async fn many_addresses_together_reach_the_accounts_own_limit_for_strangers_only() {
        let limits = SignInLimits::default();
        let ann = email("ann@example.com");
        let tried = (0..400)
            .filter(|number| at_once(&limits, &ann, address(*number)))
            .count();
        assert!((100..=105).contains(&tried), "{tried}");
        assert!(!at_once(&limits, &ann, address(500)));
        // From where she has been before she still comes in.
        assert!(limits.admit(&ann, address(501)).is_ok());
        assert!(limits.friend(&ann).await.is_ok());
        assert!(at_once(&limits, &email("bob@example.com"), address(502)));
    }

    #[tokio::test]
    async fn one_address_that_tries_many_accounts_is_stopped() {
        let limits = SignInLimits::default();
        let tried = (0..200)
            .filter(|number| {
                at_once(
                    &limits,
                    &email(&format!("a{number}@example.com")),
                    address(1),
                )
            })
            .count();
        assert!((60..=63).contains(&tried), "{tried}");
    }

    #[tokio::test]
    async fn many_addresses_of_one_network_are_one_stranger() {
        let limits = SignInLimits::default();
        let v6 = |text: String| text.parse().ok();
        let tried = (0..400)
            .filter(|number| {
                let from = v6(format!("2001:db8:7:{number:x}::1"));
                at_once(&limits, &email(&format!("a{number}@example.com")), from)
            })
            .count();
        assert!((120..=125).contains(&tried), "{tried}");
        let ann = email("ann@example.com");
        assert!(at_once(&limits, &ann, v6("2001:db8:8::1".into())));
    }

    #[tokio::test]
    async fn whoever_sends_many_tries_waits_for_themselves() {
        let limits = SignInLimits::default();
        let (mallory, ann) = ("2001:db8:7::1".parse().ok(), address(1));
        let first = email("a@example.com");
        let held = limits.stranger(Some(&first), mallory).await.unwrap();
        // All others of that network wait, and no more of them than there are seats.
        let mut waiting: Vec<_> = (0..20)
            .map(|number| {
                let email = email(&format!("a{number}@example.com"));
                let limits = &limits;
                Box::pin(async move { limits.stranger(Some(&email), mallory).await })
            })
            .collect();
        let refused = waiting
            .iter_mut()
            .filter_map(|waits| waits.as_mut().now_or_never())
            .filter(|turn| matches!(turn, Err(TooMany::AtOnce { .. })))
            .count();
        assert_eq!(refused, 13, "one has its turn and seven wait");
        // Somebody else is next in the line of all, and a friend does not wait in it.
        let bob = email("bob@example.com");
        let mut next = Box::pin(limits.stranger(Some(&bob), ann));
        let came = next.as_mut().now_or_never();
        assert!(limits.friend(&bob).await.is_ok());
        drop(held);
        assert!(came.unwrap_or_else(|| next.now_or_never().unwrap()).is_ok());
    }

    #[tokio::test]
    async fn ways_through_a_provider_are_counted_by_tenant_and_network() {
        let limits = SignInLimits::default();
        let (one, other) = (
            TenantId(uuid::Uuid::from_u128(1)),
            TenantId(uuid::Uuid::from_u128(2)),
        );
        let let_in = (0..200)
            .filter(|_| {
                let turn = unconstrained(limits.admit_sso(one, address(1))).now_or_never();
                turn.unwrap().is_ok()
            })
            .count();
        assert!((60..=63).contains(&let_in), "{let_in}");
        let mut held = Vec::new();
        for number in 2..10 {
            held.push(limits.admit_sso(one, address(number)).await.unwrap());
        }
        let mut next = Box::pin(limits.admit_sso(one, address(10)));
        assert!(next.as_mut().now_or_never().is_none(), "it waits");
        assert!(limits.admit_sso(other, address(10)).await.is_ok());
        held.pop();
        assert!(next.await.is_ok());
    }
}
