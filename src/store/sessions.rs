//! The rows of the ledger's tables: `session`, `session_outcome`, `session_inputs`.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::domain::ids::{IssuerId, RequestId, SessionId, TenantId};
use crate::domain::quota::Quotas;

/// A token about to be requested.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Requested {
    pub tenant: TenantId,
    pub session: SessionId,
    pub request: Option<RequestId>,
    /// The time of the session's id.
    pub at: DateTime<Utc>,
    /// The issuer of the user's token.
    pub issuer: IssuerId,
    /// The user's id in their token.
    pub subject: String,
    /// The key of the context that was used.
    pub context: String,
    pub persona: String,
    pub persona_version: i32,
    /// SHA-256 of what Anam is sent.
    pub config_hash: Vec<u8>,
    /// JSON: why it was decided so.
    pub trace: String,
    /// What a replay needs as JSON, and until when it is kept; `None` where policy keeps nothing.
    pub inputs: Option<(String, DateTime<Utc>)>,
    /// Of a test call: who made it, and with what in place of what was live, as JSON.
    #[serde(default)]
    pub test: Option<String>,
    /// Set where the tenant's policy has quotas.
    #[serde(default)]
    pub counted: Option<Box<Counted>>,
}

/// What a session takes of its quotas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// Its longest length.
    pub seconds: u32,
    pub quotas: Quotas,
}

/// What a session that failed gives back of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GivenBack {
    pub seconds: u32,
    /// The user, where theirs was counted.
    pub subject: Option<String>,
    /// Whether the tenant's was.
    pub of_tenant: bool,
}

impl Requested {
    /// What is given back if the session fails.
    pub fn to_give_back(&self) -> Option<Box<GivenBack>> {
        let counted = self.counted.as_ref()?;
        Some(Box::new(GivenBack {
            seconds: counted.seconds,
            subject: (!counted.quotas.user.is_empty()).then(|| self.subject.clone()),
            of_tenant: !counted.quotas.tenant.is_empty(),
        }))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    pub tenant: TenantId,
    pub session: SessionId,
    /// The time of the session's id.
    pub at: DateTime<Utc>,
    pub result: OutcomeResult,
    /// How long it took.
    pub timings: Timings,
    /// Of a failure, where the session was counted.
    #[serde(default)]
    pub given_back: Option<Box<GivenBack>>,
}

/// How long each part of a mint took, microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timings {
    /// Verifying the JWT.
    pub auth: Option<i32>,
    /// Reading what is live and deciding.
    pub decide: Option<i32>,
    /// Asking Anam, with the ledger's commit beside it.
    pub anam: Option<i32>,
    pub total: Option<i32>,
}

/// The result of a mint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum OutcomeResult {
    Issued {
        /// SHA-256 of it.
        token_hash: Vec<u8>,
        /// Until when it can start a conversation.
        expires_at: DateTime<Utc>,
    },
    Failed {
        /// Its problem code.
        code: Cow<'static, str>,
    },
}
