//! What goes over the wire. The persona's fields are Anam's own by construction; see `domain::settings`.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/auth/session-token`. `P` writes a `personaConfig`, secrets included, `S` the `sessionOptions`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MintBody<P, S> {
    /// Our session id: it links Anam's session to our ledger.
    pub client_label: String,
    /// Who speaks, and how.
    pub persona_config: P,
    /// How it is streamed and kept.
    pub session_options: S,
}

impl<P: Serialize, S: Serialize> MintBody<P, S> {
    /// As it is sent. A body that can't be written is empty, which Anam refuses.
    pub fn to_json(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MintAnswer {
    pub(super) session_token: String,
}

/// Anam's error body; its `message` is not read, since it may repeat what we sent.
#[derive(Deserialize)]
pub(super) struct ErrorAnswer {
    pub(super) error: Option<String>,
}
