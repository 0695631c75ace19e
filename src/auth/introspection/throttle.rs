//! Bounds requests to an endpoint. Anybody may send made-up tokens, and each costs a request.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Requests for refused tokens that one address may cause in a minute. Good tokens don't count, however many share an address.
pub(super) const IN_VAIN: u32 = 30;
/// Failures in a row after which an endpoint is left alone.
const FAILURES: u32 = 5;
/// How long a failing endpoint is left alone.
const REST: Duration = Duration::from_secs(5);

/// Why the endpoint is not asked now, with the time until it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ThrottledBy {
    /// This address has sent too many tokens that were refused.
    Address(Duration),
    /// The endpoint gets as many requests as allowed, or it failed.
    Endpoint(Duration),
}

/// Recent requests to one endpoint, and how they ended.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    second: i64,
    asked: u32,
    minute: i64,
    in_vain: HashMap<IpAddr, u32>,
    failures: u32,
    rests_until: Option<DateTime<Utc>>,
}

impl Throttle {
    /// Counts a request to the endpoint, or says when to try again.
    pub(super) fn admit(
        &mut self,
        from: Option<IpAddr>,
        per_second: u32,
        now: DateTime<Utc>,
    ) -> Result<(), ThrottledBy> {
        self.turn(now);
        let in_vain = from.and_then(|from| self.in_vain.get(&from));
        if in_vain.is_some_and(|times| *times >= IN_VAIN) {
            let left = 60 - now.timestamp().rem_euclid(60);
            return Err(ThrottledBy::Address(Duration::from_secs(
                left.unsigned_abs(),
            )));
        }
        let rest = self.rests_until.map(|until| until - now);
        // If more than all of it is left, the clock was set back.
        if let Some(rest) = rest.and_then(|left| left.to_std().ok())
            && !rest.is_zero()
            && rest <= REST
        {
            return Err(ThrottledBy::Endpoint(rest));
        }
        if self.asked >= per_second {
            return Err(ThrottledBy::Endpoint(Duration::from_secs(1)));
        }
        self.asked += 1;
        Ok(())
    }

    /// The endpoint answered: in vain, where the token is not taken.
    pub(super) fn answered(&mut self, from: Option<IpAddr>, in_vain: bool, now: DateTime<Utc>) {
        self.turn(now);
        self.failures = 0;
        self.rests_until = None;
        if let Some(from) = from.filter(|_| in_vain) {
            *self.in_vain.entry(from).or_default() += 1;
        }
    }

    /// The endpoint gave no answer that can be used.
    pub(super) fn failed(&mut self, now: DateTime<Utc>) {
        self.failures += 1;
        if self.failures >= FAILURES {
            self.rests_until = Some(now + REST);
        }
    }

    /// What is counted is of this second and this minute, so it stays small.
    fn turn(&mut self, now: DateTime<Utc>) {
        let second = now.timestamp();
        if self.second != second {
            (self.second, self.asked) = (second, 0);
        }
        let minute = second.div_euclid(60);
        if self.minute != minute {
            self.minute = minute;
            self.in_vain = HashMap::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use chrono::TimeDelta;

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    const HERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    const THERE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)));

    #[test]
    fn an_endpoint_is_asked_so_often_a_second() {
        let mut pace = Throttle::default();
        for _ in 0..3 {
            assert_eq!(pace.admit(None, 3, at(7)), Ok(()));
        }
        let held = ThrottledBy::Endpoint(Duration::from_secs(1));
        assert_eq!(pace.admit(None, 3, at(7)), Err(held));
        assert_eq!(pace.admit(None, 3, at(8)), Ok(()));
    }

    #[test]
    fn an_address_that_asks_in_vain_is_held_and_others_are_not() {
        let mut pace = Throttle::default();
        for _ in 0..IN_VAIN {
            assert_eq!(pace.admit(HERE, 1_000, at(10)), Ok(()));
            pace.answered(HERE, true, at(10));
            assert_eq!(pace.admit(THERE, 1_000, at(10)), Ok(()));
            pace.answered(THERE, false, at(10));
        }
        let held = ThrottledBy::Address(Duration::from_secs(50));
        assert_eq!(pace.admit(HERE, 1_000, at(10)), Err(held));
        assert_eq!(pace.admit(THERE, 1_000, at(10)), Ok(()));
        assert_eq!(pace.admit(None, 1_000, at(10)), Ok(()));
        assert_eq!(pace.admit(HERE, 1_000, at(60)), Ok(()));
    }

    #[test]
    fn an_endpoint_that_fails_again_and_again_is_left_alone_for_a_while() {
        let mut pace = Throttle::default();
        for _ in 0..FAILURES {
            assert_eq!(pace.admit(None, 1_000, at(0)), Ok(()));
            pace.failed(at(0));
        }
        assert_eq!(
            pace.admit(None, 1_000, at(1)),
            Err(ThrottledBy::Endpoint(Duration::from_secs(4)))
        );
        assert_eq!(pace.admit(None, 1_000, at(5)), Ok(()));
        pace.answered(None, true, at(5));
        pace.failed(at(6));
        assert_eq!(pace.admit(None, 1_000, at(6)), Ok(()));
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_rest_longer() {
        let mut pace = Throttle::default();
        for _ in 0..FAILURES {
            pace.failed(at(10_000));
        }
        assert_eq!(
            pace.admit(None, 1_000, at(10_000)),
            Err(ThrottledBy::Endpoint(REST))
        );
        assert_eq!(pace.admit(None, 1_000, at(5_000)), Ok(()));
    }
}
