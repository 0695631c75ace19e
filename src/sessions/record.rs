//! The ledger rows of a session.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chrono::TimeDelta;
use serde_json::json;

use super::mint::Timings;
use crate::anam::{MintRefused, SessionToken};
use crate::domain::caller::Caller;
use crate::domain::decide::{Decision, Moment};
use crate::domain::ids::RequestId;
use crate::domain::preferences::Preferences;
use crate::domain::request::MintRequest;
use crate::domain::snapshot::Snapshot;
use crate::store::sessions::{Outcome, OutcomeResult, Requested, Timings as StoredTimings};

/// The row that must be durable before a token leaves.
pub fn requested(
    snapshot: &Snapshot,
    caller: &Caller,
    preferences: &Preferences,
    request: &MintRequest,
    decision: &Decision,
    moment: Moment,
    request_id: Option<RequestId>,
) -> Requested {
    let days = i64::from(snapshot.policy.retain_inputs_days);
    let inputs = (days > 0).then(|| {
        let inputs = json!({
            "facts": caller.facts,
            "leftOut": caller.left_out,
            "preferences": preferences.to_document(),
            "context": request.context,
            "metadata": request.metadata.as_value(),
        });
        (inputs.to_string(), moment.now + TimeDelta::days(days))
    });
    Requested {
        tenant: caller.tenant,
        session: moment.session,
        request: request_id,
        at: moment.now,
        issuer: caller.issuer,
        subject: caller.subject.as_str().to_owned(),
        context: decision.context.as_str().to_owned(),
        persona: decision.persona.as_str().to_owned(),
        persona_version: decision.version,
        config_hash: config_hash(decision),
        trace: serde_json::to_string(&decision.trace).unwrap_or_else(|_| "null".to_owned()),
        inputs,
    }
}

/// SHA-256 of what Anam is sent for a decision.
pub fn config_hash(decision: &Decision) -> Vec<u8> {
    let config =
        serde_json::to_vec(&(&decision.config, &decision.session_options)).unwrap_or_default();
    digest(&SHA256, &config).as_ref().to_vec()
}

/// The row with the session's outcome.
pub fn outcome(
    caller: &Caller,
    moment: Moment,
    answer: &Result<SessionToken, MintRefused>,
    timings: Timings,
) -> Outcome {
    let result = match answer {
        Ok(token) => OutcomeResult::Issued {
            token_hash: token.hash(),
            expires_at: token.expires_at,
        },
        Err(refused) => OutcomeResult::Failed {
            code: refused.error.code().into(),
        },
    };
    Outcome {
        tenant: caller.tenant,
        session: moment.session,
        at: moment.now,
        result,
        timings: StoredTimings {
            auth: micros(timings.auth),
            decide: micros(timings.decide),
            anam: micros(timings.anam),
            total: micros(timings.total),
        },
    }
}

/// `None` beyond 35 minutes, which no mint takes.
fn micros(duration: Duration) -> Option<i32> {
    i32::try_from(duration.as_micros()).ok()
}
