//! Quotas that were found used up a moment ago: whoever asks again is refused without asking Anam or the database.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use hashlink::LruCache;

use crate::domain::caller::Caller;
use crate::domain::ids::TenantId;
use crate::domain::quota::{Quotas, Reached, Scope};

/// How long it is believed: another instance may have been given something back meanwhile.
const MEMORY: Duration = Duration::from_secs(5);
/// Tenants and users at most: about 2 MB. Of more, those that were found first are forgotten.
const MOST: usize = 8_192;

/// Whose; without a subject the tenant's.
type Key = (TenantId, Option<String>);

/// What was found, and when.
#[derive(Debug)]
pub(super) struct UsedUp(Mutex<LruCache<Key, (Reached, Instant)>>);

impl Default for UsedUp {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl UsedUp {
    pub(super) fn note(&self, caller: &Caller, reached: Reached) {
        let key = key(caller, reached.0.scope);
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(key, (reached, Instant::now()));
    }

    /// The quota that still is used up. One that was changed since is not.
    pub(super) fn find(
        &self,
        caller: &Caller,
        quotas: &Quotas,
        now: DateTime<Utc>,
    ) -> Option<Reached> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.is_empty() {
            return None;
        }
        [Scope::Tenant, Scope::User].into_iter().find_map(|scope| {
            let (reached, at) = found.get(&key(caller, scope))?;
            let Reached(left) = reached;
            let quota = match scope {
                Scope::Tenant => quotas.tenant,
                Scope::User => quotas.user,
            };
            let stands = at.elapsed() < MEMORY
                && now < left.resets_at
                && quota.get(left.measure) == Some(left.most);
            stands.then_some(*reached)
        })
    }
}

fn key(caller: &Caller, scope: Scope) -> Key {
    let subject = match scope {
        Scope::Tenant => None,
        Scope::User => Some(caller.subject.as_str().to_owned()),
    };
    (caller.tenant, subject)
}
