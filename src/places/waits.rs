//! Who was told to wait: whoever comes back too early gets the same answer from memory.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hashlink::LruCache;

use super::{Full, Terms};
use crate::crypto::digest::SubjectDigest;
use crate::domain::ids::TenantId;

/// Users at most: about 2 MB. Of more, those that were told first are forgotten.
const MOST: usize = 8_192;
/// Whoever comes back this much too early is not too early: clocks and networks differ.
const EARLY: Duration = Duration::from_millis(500);

/// A user of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct WaitingUser {
    pub(super) tenant: TenantId,
    pub(super) user: SubjectDigest,
}

/// What users were told, and when.
#[derive(Debug)]
pub(super) struct Waits(Mutex<LruCache<WaitingUser, (Terms, Full, Instant)>>);

impl Default for Waits {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MOST)))
    }
}

impl Waits {
    pub(super) fn note(&self, user: WaitingUser, terms: Terms, full: Full) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(user, (terms, full, Instant::now()));
    }

    /// What the user was told, with what is left of the wait; nothing once that is over, or where other terms hold since.
    pub(super) fn find(&self, user: WaitingUser, terms: Terms) -> Option<Full> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (then, full, at) = *told.get(&user)?;
        let left = full.retry_after.saturating_sub(at.elapsed());
        (then == terms && left > EARLY).then_some(Full {
            retry_after: left,
            ..full
        })
    }
}
