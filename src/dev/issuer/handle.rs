//! A running issuer, as the program that started it sees it.

use std::sync::Arc;

use actix_web::dev::ServerHandle;
use serde_json::{Map, Value};

use super::keys::KeyError;
use super::shared::Shared;
use super::token::{TokenError, TokenRequest};

/// A running issuer; it stops when this is dropped.
#[derive(Debug)]
pub struct DevIssuerHandle {
    shared: Arc<Shared>,
    stopper: ServerHandle,
}

impl DevIssuerHandle {
    pub(super) fn new(shared: Arc<Shared>, stopper: ServerHandle) -> Self {
        Self { shared, stopper }
    }

    /// The issuer's URL, exactly as it is in `iss`.
    pub fn url(&self) -> &str {
        self.shared.issuer()
    }

    /// Signs a token for this user: RS256, one hour, default audience.
    pub fn token(&self, sub: &str, claims: Map<String, Value>) -> Result<String, TokenError> {
        self.sign(&TokenRequest::new(sub, claims))
    }

    /// Signs any token that `POST /token` would.
    pub fn sign(&self, asked: &TokenRequest) -> Result<String, TokenError> {
        self.shared.sign(asked)
    }

    /// Signs with new keys from now on. The old ones stay in the key set until the next rotation.
    pub fn rotate(&self) -> Result<(), KeyError> {
        self.shared.rotate()
    }

    /// How often the key set was fetched.
    pub fn key_set_fetches(&self) -> u64 {
        self.shared.fetches()
    }

    /// Stops serving; returns when the port is free.
    pub async fn stop(self) {
        self.stopper.stop(false).await;
    }
}

impl Drop for DevIssuerHandle {
    fn drop(&mut self) {
        // The command is sent at once; the returned future would only wait for its completion.
        drop(self.stopper.stop(false));
    }
}
