//! Credentials of admins that were good of late: their requests do not count as ones of their address, which others may share.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::crypto::token::TokenHash;

/// How long a credential counts as known after it was last good.
const MEMORY: Duration = Duration::from_mins(10);
/// Credentials at most: 64 kB. More are not remembered, and count as ones of their address.
const MOST: usize = 1_000;

/// Hashes only; each request is authenticated as before.
#[derive(Debug, Default)]
pub(super) struct KnownCredentials(Mutex<HashMap<[u8; 32], Instant>>);

impl KnownCredentials {
    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, credential: &TokenHash) -> bool {
        let good = self.lock().get(credential.as_bytes()).copied();
        good.is_some_and(|at| at.elapsed() < MEMORY)
    }

    pub(super) fn note(&self, credential: &TokenHash, is_good: bool) {
        let mut all = self.lock();
        if !is_good {
            all.remove(credential.as_bytes());
        } else if all.len() < MOST || all.contains_key(credential.as_bytes()) {
            all.insert(*credential.as_bytes(), Instant::now());
        }
    }

    pub(super) fn forget_idle(&self) {
        self.lock().retain(|_, at| at.elapsed() < MEMORY);
    }
}
