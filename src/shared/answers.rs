//! Answers that are given again, whichever instance a repeated request reaches.
//!
//! Whoever is first with a key claims it. The claim lasts for seconds, and is made to last as long as its request does, so that one of an
//! instance that died ends soon. The answer takes its place.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{RedisResult, cmd};
use secrecy::SecretString;
use tokio::sync::mpsc;
use tokio::time::sleep;
use uuid::Uuid;

use super::script::Script;
use super::{PREFIX, Shared};
use crate::crypto::seal::Aad;
use crate::domain::ids::TenantId;

/// Settlements that wait at most; of more, the claims end by themselves.
pub(super) const WAITING: usize = 4096;
/// How long a claim lasts that nobody renews.
const CLAIMED: Duration = Duration::from_secs(5);
/// Between two looks for another's answer, from the first to the longest.
const LOOK: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(50));

/// What a claim's value begins with, and what an answer's does.
const CLAIM: u8 = b'c';
const ANSWER: u8 = b'a';

/// Puts another value where the claim still is the caller's, or removes it.
static SETTLE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
",
    )
});

/// The place of an answer, by which nobody can tell whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AnswerKey {
    tenant: TenantId,
    digest: [u8; 16],
}

impl AnswerKey {
    fn name(self) -> String {
        format!("{PREFIX}answer:{}", hex::encode(self.digest))
    }

    /// The digest is of all that makes the place, so what was sealed for one opens in no other.
    fn aad(self) -> Aad {
        Aad {
            table: "redis",
            column: "answer",
            tenant: self.tenant,
            row: Uuid::from_bytes(self.digest),
        }
    }
}

/// What is at a place.
#[derive(Debug)]
pub enum Found {
    /// Nothing was; the caller is the first.
    Mine(SharedClaim),
    /// Another request's answer.
    Answer(SecretString),
    /// It can't be found out.
    Away,
}

/// The right to answer, of all instances. It is given up when this is dropped.
pub struct SharedClaim {
    shared: Shared,
    key: AnswerKey,
    value: Vec<u8>,
    since: Instant,
    settled: bool,
}

impl fmt::Debug for SharedClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedClaim")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// What becomes of a claim.
#[derive(Debug)]
pub(super) struct Settlement {
    key: AnswerKey,
    claim: Vec<u8>,
    /// What takes its place, and for how long; nothing if it is given up.
    answer: Option<(Vec<u8>, Duration)>,
}

/// The claims of this instance, and where they are settled.
pub(super) struct Claims {
    held: Mutex<HashMap<AnswerKey, Vec<u8>>>,
    settle: mpsc::Sender<Settlement>,
}

impl Claims {
    pub(super) fn new(settle: mpsc::Sender<Settlement>) -> Self {
        Self {
            held: Mutex::default(),
            settle,
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<AnswerKey, Vec<u8>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SharedClaim {
    /// Leaves the answer for repeats, for so long after the claim. It is on its way when this returns.
    pub fn answer(mut self, answer: &SecretString, kept: Duration) {
        let sealed = self.shared.0.keys.seal(answer, &self.key.aad());
        let left = kept.saturating_sub(self.since.elapsed());
        match sealed {
            Ok(mut sealed) if !left.is_zero() => {
                sealed.insert(0, ANSWER);
                self.settle(Some((sealed, left)));
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, "an answer was not kept for its repeats"),
        }
    }

    fn settle(&mut self, answer: Option<(Vec<u8>, Duration)>) {
        self.settled = true;
        let claims = &self.shared.0.claims;
        claims.held().remove(&self.key);
        let settlement = Settlement {
            key: self.key,
            claim: std::mem::take(&mut self.value),
            answer,
        };
        // Where too many wait, the claim ends by itself.
        _ = claims.settle.try_send(settlement);
    }
}

impl Drop for SharedClaim {
    fn drop(&mut self) {
        if !self.settled {
            self.settle(None);
        }
    }
}

impl Shared {
    /// The place of an answer of a tenant's. `text` is all that makes it.
    pub fn answer_key(&self, tenant: TenantId, text: &[u8]) -> AnswerKey {
        AnswerKey {
            tenant,
            digest: self.digest("shared answer", tenant, text),
        }
    }

    /// Claims a place, or finds the answer that is there. Waits as long as another's claim lasts: no longer than its request.
    pub async fn claim(&self, key: AnswerKey) -> Found {
        let mut pause = LOOK.0;
        loop {
            let value = [&[CLAIM], self.0.clock.new_id().as_bytes().as_slice()].concat();
            let since = Instant::now();
            match self.claim_with(key, &value).await {
                None => return Found::Away,
                Some(None) => {
                    self.0.claims.held().insert(key, value.clone());
                    return Found::Mine(SharedClaim {
                        shared: self.clone(),
                        key,
                        value,
                        since,
                        settled: false,
                    });
                }
                Some(Some(found)) => match found.split_first() {
                    Some((&ANSWER, sealed)) => return self.open(key, sealed),
                    Some((&CLAIM, _)) => {}
                    _ => return Found::Away,
                },
            }
            sleep(pause).await;
            pause = (pause * 3 / 2).min(LOOK.1);
        }
    }

    /// What is there; nothing if it is the caller's now.
    async fn claim_with(&self, key: AnswerKey, value: &[u8]) -> Option<Option<Vec<u8>>> {
        let name = key.name();
        self.ask(async |mut connection| -> RedisResult<_> {
            loop {
                let mut set = cmd("SET");
                set.arg(&name).arg(value).arg("NX");
                set.arg("PX").arg(millis(CLAIMED));
                let set: Option<String> = set.query_async(&mut connection).await?;
                if set.is_some() {
                    return Ok(None);
                }
                let found: Option<Vec<u8>> =
                    cmd("GET").arg(&name).query_async(&mut connection).await?;
                if found.is_some() {
                    return Ok(found);
                }
                // It has ended between the two.
            }
        })
        .await
    }

    fn open(&self, key: AnswerKey, sealed: &[u8]) -> Found {
        match self.0.keys.open(sealed, &key.aad()) {
            Ok(answer) => Found::Answer(answer),
            Err(error) => {
                tracing::warn!(%error, "an answer of another instance can't be opened");
                Found::Away
            }
        }
    }

    pub(super) async fn settle(&self, settlement: Settlement) {
        let Settlement { key, claim, answer } = settlement;
        let (value, kept) = answer.unwrap_or_default();
        self.replace(key, &claim, &value, kept).await;
    }

    /// Makes this instance's claims last.
    pub(super) async fn renew_claims(&self) {
        let held: Vec<(AnswerKey, Vec<u8>)> = {
            let held = self.0.claims.held();
            held.iter()
                .map(|(key, claim)| (*key, claim.clone()))
                .collect()
        };
        for (key, claim) in held {
            self.replace(key, &claim, &claim, CLAIMED).await;
        }
    }

    async fn replace(&self, key: AnswerKey, claim: &[u8], value: &[u8], kept: Duration) {
        let (names, kept) = ([key.name()], millis(kept).to_string());
        let args = [claim, value, kept.as_bytes()];
        let asked = self.ask(|connection| SETTLE.run::<i64>(connection, &names, &args));
        asked.await;
    }
}

/// At least one.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}
