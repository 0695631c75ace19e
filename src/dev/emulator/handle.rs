//! A running emulator, as the program that started it sees it.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use serde_json::Value;
use uuid::Uuid;

use super::faults::Fault;
use super::requests::RecordedRequest;
use super::shared::Shared;
use crate::dev::address::base_url;

/// A running emulator; it stops when this is dropped.
#[derive(Debug)]
pub struct EmulatorHandle {
    address: SocketAddr,
    shared: Arc<Shared>,
    stopper: ServerHandle,
}

/// One minted token.
#[derive(Debug, Clone, PartialEq)]
pub struct Minted {
    /// The session token that was handed out.
    pub token: String,
    /// The id that its session has once it starts.
    pub session_id: Uuid,
    /// The body that it was minted with.
    pub config: Value,
    /// Whether it has started a conversation.
    pub used: bool,
}

impl EmulatorHandle {
    pub(super) fn new(address: SocketAddr, shared: Arc<Shared>, stopper: ServerHandle) -> Self {
        Self {
            address,
            shared,
            stopper,
        }
    }

    /// The base URL, to be used in place of `https://api.anam.ai`; no slash at its end.
    pub fn url(&self) -> String {
        base_url(self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The last 1000 calls, newest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.requests.recorded()
    }

    /// Waits until a kept call fits, and returns the newest that does.
    pub async fn request_where(
        &self,
        fits: impl Fn(&RecordedRequest) -> bool,
    ) -> Option<RecordedRequest> {
        let mut received = self.shared.requests.received();
        loop {
            if let Some(found) = self.requests().into_iter().find(&fits) {
                return Some(found);
            }
            received.changed().await.ok()?;
        }
    }

    /// The last 5000 tokens, newest first.
    pub fn minted(&self) -> Vec<Minted> {
        let shown = |(token, grant): (Arc<str>, super::tokens::Grant)| Minted {
            token: token.to_string(),
            session_id: grant.session_id,
            config: (*grant.config).clone(),
            used: grant.used,
        };
        self.shared.tokens.all().into_iter().map(shown).collect()
    }

    /// Makes calls go wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.shared.faults.add(fault);
    }

    /// Forgets the recorded calls and the faults.
    pub fn clear(&self) {
        self.shared.requests.clear();
        self.shared.faults.clear();
    }

    /// Stops serving and closes every connection; returns when the port is free.
    pub async fn stop(self) {
        self.stopper.stop(false).await;
    }
}

impl Drop for EmulatorHandle {
    fn drop(&mut self) {
        // The command is sent at once; the returned future would only wait for its completion.
        drop(self.stopper.stop(false));
    }
}
