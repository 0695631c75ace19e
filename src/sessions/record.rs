//! The ledger rows of a session.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::Value;

use super::timings::Timings;
use super::written::WrittenConfig;
use crate::anam::{MintRefused, SessionToken};
use crate::domain::caller::{Caller, Facts, LeftOut};
use crate::domain::decide::{Decision, Moment};
use crate::domain::ids::RequestId;
use crate::domain::policy::Policy;
use crate::domain::preferences::Preferences;
use crate::domain::quota::Quotas;
use crate::domain::request::MintRequest;
use crate::store::sessions::{
    Counted, GivenBack, Outcome, OutcomeResult, Requested, Timings as StoredTimings,
};

/// What a decision was made from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    pub caller: &'a Caller,
    pub preferences: &'a Preferences,
    pub request: &'a MintRequest,
    pub moment: Moment,
}

/// The inputs as they are kept for replays.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeptInputs<'a> {
    facts: &'a Facts,
    left_out: &'a BTreeMap<String, LeftOut>,
    preferences: &'a Preferences,
    context: Option<&'a str>,
    metadata: &'a Value,
}

/// The row that must be durable before a token leaves.
pub fn requested(
    inputs: Inputs<'_>,
    policy: &Policy,
    decision: &Decision,
    config: &WrittenConfig,
    request_id: Option<RequestId>,
) -> Requested {
    let Inputs { caller, moment, .. } = inputs;
    let days = policy.retain_inputs_days;
    let kept = (days > 0).then(|| {
        let until = moment.now + TimeDelta::days(i64::from(days));
        (inputs.to_json(), until)
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
        config_hash: config.hash(),
        trace: json(&decision.trace),
        inputs: kept,
        test: None,
        counted: counted(&policy.quotas, decision),
    }
}

/// What the session takes of its tenant's quotas.
fn counted(quotas: &Quotas, decision: &Decision) -> Option<Box<Counted>> {
    (!quotas.is_empty()).then(|| {
        Box::new(Counted {
            seconds: decision.longest(),
            quotas: *quotas,
        })
    })
}

impl Inputs<'_> {
    fn to_json(self) -> String {
        json(&KeptInputs {
            facts: &self.caller.facts,
            left_out: &self.caller.left_out,
            preferences: self.preferences,
            context: self.request.context.as_deref(),
            metadata: self.request.metadata.as_value(),
        })
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// The row with the session's outcome.
pub fn outcome(
    caller: &Caller,
    moment: Moment,
    answer: &Result<SessionToken, MintRefused>,
    timings: Timings,
    given_back: Option<Box<GivenBack>>,
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
        given_back: given_back.filter(|_| answer.is_err()),
    }
}

/// `None` beyond 35 minutes, which no mint takes.
fn micros(duration: Duration) -> Option<i32> {
    i32::try_from(duration.as_micros()).ok()
}
