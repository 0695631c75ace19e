//! Rates that all instances count together.

use std::sync::LazyLock;
use std::time::Duration;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use super::script::Script;
use super::{PREFIX, Shared};
use crate::domain::ids::TenantId;

/// Counts a request against all keys or, if one of them has no room, against none (GCRA, as `governor` counts within an instance). A key
/// holds when its next request would be due if they came evenly, in microseconds of Redis' own clock, and ends when that has passed.
static TAKE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local dues = {}
for i, key in ipairs(KEYS) do
  local every, most = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  -- No due can be further ahead, unless the clock went back.
  local due = math.min(tonumber(redis.call('GET', key) or now), now + most)
  due = math.max(due, now) + every
  if due > now + most then
    return {i, due - now - most}
  end
  dues[i] = due
end
for i, key in ipairs(KEYS) do
  local left = math.ceil((dues[i] - now) / 1000)
  redis.call('SET', key, string.format('%.0f', dues[i]), 'PX', string.format('%.0f', left))
end
return {0, 0}
",
    )
});

/// Whether Redis can count: a standby takes no writes, nor does a full one, and its user may lack rights.
pub(super) async fn probe(connection: MultiplexedConnection) -> RedisResult<()> {
    let key = format!("{PREFIX}probe");
    // Always has room, and ends after a millisecond.
    let rate: [u64; 2] = [1, 1_000_000];
    let (_, _): (usize, u64) = TAKE.run(connection, &[key], &rate).await?;
    Ok(())
}

/// A rate of somebody's.
#[derive(Debug, Clone, Copy)]
pub struct SharedRate<'a> {
    /// Which of the rates that somebody has.
    pub kind: &'static str,
    /// Nil for what is no tenant's.
    pub tenant: TenantId,
    /// Whose; empty for the tenant's own.
    pub whose: &'a [u8],
    /// The time in which room for one request comes back.
    pub every: Duration,
    /// Requests at once.
    pub burst: u32,
}

/// A rate has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateRefused {
    /// Which of those that were asked about, from 0.
    pub at: usize,
    /// When it has.
    pub retry_after: Duration,
}

impl Shared {
    /// Counts a request against all of `rates`, or against none of them. `None` if Redis is away.
    pub async fn take(&self, rates: &[SharedRate<'_>]) -> Option<Result<(), RateRefused>> {
        // Before digests are made.
        if !self.is_up() {
            return None;
        }
        let keys: Vec<String> = rates.iter().map(|rate| self.rate_key(rate)).collect();
        let args: Vec<u64> = rates
            .iter()
            .flat_map(|rate| {
                let every = u64::try_from(rate.every.as_micros()).unwrap_or(u64::MAX);
                let every = every.max(1);
                [every, every.saturating_mul(u64::from(rate.burst))]
            })
            .collect();
        let asked = self.ask(|connection| TAKE.run::<(usize, u64)>(connection, &keys, &args));
        let (number, wait) = asked.await?;
        Some(match number.checked_sub(1) {
            None => Ok(()),
            Some(at) => Err(RateRefused {
                at,
                retry_after: Duration::from_micros(wait),
            }),
        })
    }

    /// A rate that was changed counts anew.
    fn rate_key(&self, rate: &SharedRate<'_>) -> String {
        let mut text = Vec::with_capacity(64);
        text.extend_from_slice(rate.kind.as_bytes());
        text.push(0);
        text.extend_from_slice(&rate.every.as_nanos().to_be_bytes());
        text.extend_from_slice(&rate.burst.to_be_bytes());
        text.extend_from_slice(rate.whose);
        let digest = self.digest("shared rate", rate.tenant, &text);
        format!("{PREFIX}rate:{}", hex::encode(digest))
    }
}
