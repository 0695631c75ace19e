//! How often somebody may try to sign in.
//!
//! Three counts, from narrow to wide: an account from one address, an address, an account from everywhere. The last is
//! wider than what one address may ask, so wrong passwords from there never keep the account's owner out elsewhere.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::{TooMany, one_address};
use crate::domain::email::Email;
use crate::telemetry::metrics::Limit;

/// Tries for one account from one address: ten at once, then one in twelve seconds.
const PAIR: (u32, u32) = (5, 10);
/// Tries from one address: an office behind one address signs in within a minute.
const ADDRESS: (u32, u32) = (60, 60);
/// Tries for one account from everywhere.
const ACCOUNT: (u32, u32) = (60, 100);

/// The counters of this instance.
#[derive(Debug)]
pub struct SignInLimits {
    pairs: DefaultKeyedRateLimiter<(Email, IpAddr)>,
    addresses: DefaultKeyedRateLimiter<IpAddr>,
    accounts: DefaultKeyedRateLimiter<Email>,
    clock: DefaultClock,
}

fn counter<K: Clone + Eq + std::hash::Hash>(
    (per_minute, at_once): (u32, u32),
) -> DefaultKeyedRateLimiter<K> {
    let at_least_one = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
    RateLimiter::keyed(
        Quota::per_minute(at_least_one(per_minute)).allow_burst(at_least_one(at_once)),
    )
}

impl Default for SignInLimits {
    fn default() -> Self {
        Self {
            pairs: counter(PAIR),
            addresses: counter(ADDRESS),
            accounts: counter(ACCOUNT),
            clock: DefaultClock::default(),
        }
    }
}

impl SignInLimits {
    /// Counts a try in that names no account yet: an invitation, or the start of a single sign-on.
    pub fn admit_address(&self, address: Option<IpAddr>) -> Result<(), TooMany> {
        let Some(address) = address else {
            return Ok(());
        };
        self.addresses
            .check_key(&one_address(address))
            .map_err(|until| self.often(Limit::SignInAddress, &until))
    }

    /// Counts a try with a password in.
    pub fn admit(&self, email: &Email, address: Option<IpAddr>) -> Result<(), TooMany> {
        self.admit_address(address)?;
        if let Some(address) = address {
            self.pairs
                .check_key(&(email.clone(), one_address(address)))
                .map_err(|until| self.often(Limit::SignInAccount, &until))?;
        }
        self.accounts
            .check_key(email)
            .map_err(|until| self.often(Limit::SignInAccount, &until))
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

    /// Forgets who has been quiet.
    pub fn forget_idle(&self) {
        self.pairs.retain_recent();
        self.pairs.shrink_to_fit();
        self.addresses.retain_recent();
        self.addresses.shrink_to_fit();
        self.accounts.retain_recent();
        self.accounts.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_passwords_from_one_address_do_not_keep_the_owner_out_elsewhere() {
        let limits = SignInLimits::default();
        let ann = Email::parse("ann@example.com").unwrap();
        let (bad, good) = ("192.0.2.1".parse().ok(), "192.0.2.2".parse().ok());
        let tried = (0..1_000)
            .filter(|_| limits.admit(&ann, bad).is_ok())
            .count();
        assert!((10..=12).contains(&tried), "{tried}");
        assert!(limits.admit(&ann, good).is_ok());
    }

    #[test]
    fn many_addresses_together_reach_the_accounts_own_limit() {
        let limits = SignInLimits::default();
        let ann = Email::parse("ann@example.com").unwrap();
        let let_in = (0_u32..400).filter(|number| {
            let address = IpAddr::from(std::net::Ipv4Addr::from_bits(0xC633_6400 + number));
            limits.admit(&ann, Some(address)).is_ok()
        });
        let tried = let_in.count();
        assert!((100..=105).contains(&tried), "{tried}");
        let bob = Email::parse("bob@example.com").unwrap();
        assert!(limits.admit(&bob, "203.0.113.1".parse().ok()).is_ok());
    }

    #[test]
    fn one_address_that_tries_many_accounts_is_stopped() {
        let limits = SignInLimits::default();
        let address = "192.0.2.1".parse().ok();
        let let_in = (0..200).filter(|number| {
            let email = Email::parse(&format!("a{number}@example.com")).unwrap();
            limits.admit(&email, address).is_ok()
        });
        let tried = let_in.count();
        assert!((60..=63).contains(&tried), "{tried}");
    }
}
