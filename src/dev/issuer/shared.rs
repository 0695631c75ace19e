//! What the issuer's requests and its handle share.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::keys::{DevIssuerKeys, KeyError};
use super::token::{TokenError, TokenRequest};
use crate::clock::Clock;
use crate::dev::address::base_url;

/// Keys in use, and those of before the last rotation, which still verify.
#[derive(Debug, Clone)]
struct Ring {
    current: Arc<DevIssuerKeys>,
    retired: Option<Arc<DevIssuerKeys>>,
}

#[derive(Debug)]
pub(super) struct Shared {
    issuer: String,
    audience: String,
    clock: Clock,
    ring: Mutex<Ring>,
    fetches: AtomicU64,
}

impl Shared {
    pub(super) fn new(
        address: SocketAddr,
        audience: String,
        keys: DevIssuerKeys,
        clock: Clock,
    ) -> Self {
        Self {
            issuer: base_url(address),
            audience,
            clock,
            ring: Mutex::new(Ring {
                current: Arc::new(keys),
                retired: None,
            }),
            fetches: AtomicU64::new(0),
        }
    }

    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    fn ring(&self) -> Ring {
        self.ring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn sign(&self, asked: &TokenRequest) -> Result<String, TokenError> {
        let keys = self.ring().current;
        asked.sign(&self.issuer, &self.audience, &keys, self.clock.now())
    }

    /// The key set, counted as fetched.
    pub(super) fn fetch_keys(&self) -> Value {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let ring = self.ring();
        let mut keys = ring.current.jwks();
        keys.extend(ring.retired.iter().flat_map(|keys| keys.jwks()));
        json!({ "keys": keys })
    }

    pub(super) fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::Relaxed)
    }

    pub(super) fn rotate(&self) -> Result<(), KeyError> {
        let fresh = Arc::new(DevIssuerKeys::generate()?);
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        ring.retired = Some(std::mem::replace(&mut ring.current, fresh));
        Ok(())
    }
}
