//! Repeated requests for a session token. With the same `Idempotency-Key`, a user gets for a minute what the first request got: a page that
//! mounts twice, or asks again since an answer was lost, takes one of Anam's tokens and not two.
//!
//! Kept in the memory of the instance that answered, and in Redis where instances share it ([`Shared`]): then a repeat may reach any of
//! them. Without, another instance knows nothing of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use hashlink::LinkedHashMap;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::anam::SessionToken;
use crate::crypto::digest::{SubjectDigest, sha256};
use crate::domain::caller::Caller;
use crate::domain::ids::{IssuerId, SessionId, TenantId};
use crate::domain::key::Key;
use crate::domain::request::MintRequest;
use crate::domain::wrong::Wrong;
use crate::shared::{Found, Shared, SharedClaim};

/// For how long after its first request a key counts.
pub const KEPT: Duration = Duration::from_mins(1);
/// Keys at most, of 2 kB each with a token. Beyond, the tenant with the most forgets its oldest: it is then as if it was never sent.
const MOST: usize = 8_192;

/// A token, and what its user is told of it.
#[derive(Debug)]
pub struct Issued {
    pub token: SessionToken,
    /// Our id of the session; Anam's `clientLabel`.
    pub session: SessionId,
    /// The key of the context that was used.
    pub context: Key,
    pub persona: Key,
    pub persona_version: i32,
    /// The persona's display name.
    pub persona_name: String,
}

/// The keys of the last minute.
#[derive(Debug, Default)]
pub struct Repeats {
    here: Mutex<Tenants>,
    shared: Option<Shared>,
}

#[derive(Debug, Default)]
struct Tenants {
    calls: HashMap<TenantId, LinkedHashMap<Call, Entry>>,
    count: usize,
}

/// Who sent which key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Call {
    /// Two issuers may give two people one subject: nobody gets another's conversation.
    issuer: IssuerId,
    user: SubjectDigest,
    key: [u8; 32],
}

#[derive(Debug)]
struct Entry {
    since: Instant,
    first: Arc<Turn<Option<Answered>>>,
}

/// What the first request was, and what it got.
#[derive(Debug)]
struct Answered {
    request: [u8; 32],
    issued: Arc<Issued>,
}

/// What a request with a key is.
#[derive(Debug)]
pub enum Repeat {
    /// The first, or all before it got nothing.
    First(Claim),
    /// One that was answered before.
    Again(Arc<Issued>),
}

/// The right to answer for a key. Requests with the same key wait until it is dropped.
#[derive(Debug)]
pub struct Claim {
    first: OwnedMutexGuard<Option<Answered>>,
    request: [u8; 32],
    /// The right to answer for all instances.
    shared: Option<SharedClaim>,
}

impl Claim {
    /// Keeps what the request got, for its repeats.
    pub fn keep(mut self, issued: Arc<Issued>) {
        if let Some(shared) = self.shared.take() {
            match Letter::write(&issued, &self.request) {
                Ok(answer) => shared.answer(&answer, KEPT),
                Err(error) => tracing::warn!(%error, "an answer was not kept for other instances"),
            }
        }
        *self.first = Some(Answered {
            request: self.request,
            issued,
        });
    }
}

/// The header holds no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", Wrong::IdempotencyKey)]
pub struct NoKey;

/// The key was sent with another request before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the Idempotency-Key was sent with another request before")]
pub struct KeyReused;

/// An answer as instances pass it on, sealed.
#[derive(Serialize, Deserialize)]
struct Letter {
    /// What the request was, hexadecimal.
    request: String,
    token: String,
    expires_at: DateTime<Utc>,
    session: SessionId,
    context: String,
    persona: String,
    persona_version: i32,
    persona_name: String,
}

impl Letter {
    fn write(issued: &Issued, request: &[u8; 32]) -> Result<SecretString, serde_json::Error> {
        let letter = Self {
            request: hex::encode(request),
            token: issued.token.expose().to_owned(),
            expires_at: issued.token.expires_at,
            session: issued.session,
            context: issued.context.as_str().to_owned(),
            persona: issued.persona.as_str().to_owned(),
            persona_version: issued.persona_version,
            persona_name: issued.persona_name.clone(),
        };
        serde_json::to_string(&letter).map(SecretString::from)
    }

    /// The request, and what it got. `None` for what no instance of this version wrote.
    fn read(letter: &SecretString) -> Option<(String, Issued)> {
        let letter: Self = serde_json::from_str(letter.expose_secret()).ok()?;
        let issued = Issued {
            token: SessionToken::passed_on(letter.token, letter.expires_at),
            session: letter.session,
            context: Key::parse(&letter.context).ok()?,
            persona: Key::parse(&letter.persona).ok()?,
            persona_version: letter.persona_version,
            persona_name: letter.persona_name,
        };
        Some((letter.request, issued))
    }
}

impl Repeats {
    /// Shares answers with the other instances, where Redis is there for it.
    pub fn shared(shared: Option<Shared>) -> Self {
        Self {
            here: Mutex::default(),
            shared,
        }
    }

    /// Finds out whether a request repeats another. Waits for one of the same key that is under way, which is no longer than a mint.
    pub async fn judge(
        &self,
        caller: &Caller,
        key: &str,
        request: &MintRequest,
    ) -> Result<Repeat, KeyReused> {
        let call = Call {
            issuer: caller.issuer,
            user: SubjectDigest::of(&caller.subject),
            key: sha256(key.as_bytes()),
        };
        let request = identity(request);
        let first = self.tenants().find(caller.tenant, call, Instant::now());
        let first = first.lock_owned().await;
        match &*first {
            None => {}
            Some(answered) if answered.request == request => {
                return Ok(Repeat::Again(answered.issued.clone()));
            }
            Some(_) => return Err(KeyReused),
        }
        let shared = match self.elsewhere(caller.tenant, call).await {
            Found::Mine(claim) => Some(claim),
            Found::Away => None,
            Found::Answer(letter) => match Letter::read(&letter) {
                Some((first, issued)) if first == hex::encode(request) => {
                    return Ok(Repeat::Again(Arc::new(issued)));
                }
                Some(_) => return Err(KeyReused),
                None => None,
            },
        };
        Ok(Repeat::First(Claim {
            first,
            request,
            shared,
        }))
    }

    /// What the other instances know of a call.
    async fn elsewhere(&self, tenant: TenantId, call: Call) -> Found {
        let Some(shared) = &self.shared else {
            return Found::Away;
        };
        let place = [
            call.issuer.0.as_bytes().as_slice(),
            call.user.as_bytes(),
            &call.key,
        ];
        let place = shared.answer_key(tenant, &place.concat());
        shared.claim(place).await
    }

    /// Forgets keys whose time is over; call it now and then.
    pub fn forget_idle(&self) {
        let mut tenants = self.tenants();
        let ids: Vec<TenantId> = tenants.calls.keys().copied().collect();
        for tenant in ids {
            tenants.forget_old(tenant, Instant::now());
        }
    }

    fn tenants(&self) -> MutexGuard<'_, Tenants> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tenants {
    fn find(&mut self, tenant: TenantId, call: Call, now: Instant) -> Arc<Turn<Option<Answered>>> {
        self.forget_old(tenant, now);
        let calls = self.calls.entry(tenant).or_default();
        if let Some(entry) = calls.get(&call) {
            return entry.first.clone();
        }
        let first = Arc::<Turn<Option<Answered>>>::default();
        let entry = Entry {
            since: now,
            first: first.clone(),
        };
        calls.insert(call, entry);
        self.count += 1;
        if self.count > MOST {
            self.make_room();
        }
        first
    }

    /// They are in the order in which they came.
    fn forget_old(&mut self, tenant: TenantId, now: Instant) {
        let Some(calls) = self.calls.get_mut(&tenant) else {
            return;
        };
        while calls
            .front()
            .is_some_and(|(_, entry)| now.duration_since(entry.since) >= KEPT)
        {
            calls.pop_front();
            self.count -= 1;
        }
        if calls.is_empty() {
            self.calls.remove(&tenant);
        }
    }

    fn make_room(&mut self) {
        let most = self.calls.values_mut().max_by_key(|calls| calls.len());
        if most.and_then(LinkedHashMap::pop_front).is_some() {
            self.count -= 1;
        }
    }
}

/// What makes two requests the same. Metadata is in one order, however a page wrote it.
fn identity(request: &MintRequest) -> [u8; 32] {
    let said = (&request.context, request.metadata.as_value());
    sha256(&serde_json::to_vec(&said).unwrap_or_default())
}

#[cfg(test)]
mod tests;
