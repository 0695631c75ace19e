//! What trying an issuer out found.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::auth::{CheckReport, TokenReport};
use crate::domain::fault::Fault;
use crate::domain::issuer::Algorithm;
use crate::domain::wrong::Wrong;
use crate::tenants::issuers;
use crate::web::finding::{FaultBody, Values, values_of};

/// What a try-out found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = IssuerCheck)]
pub(super) struct CheckBody {
    /// Whether it could be saved as it is.
    good: bool,
    /// The keys that tokens will be verified with.
    keys: Vec<IssuerKeyBody>,
    /// Members of the key set that are not used, which need not be a fault.
    skipped: Vec<SkippedBody>,
    /// The algorithms that the key set has keys for.
    #[schema(example = json!(["RS256"]))]
    offered: Vec<&'static str>,
    /// What must change. Pointers are into the request.
    problems: Vec<FaultBody>,
    /// What is allowed, but may not be meant.
    notes: Vec<String>,
    /// What would become of the sample token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    token: Option<TokenBody>,
}

/// One usable key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IssuerKey)]
struct IssuerKeyBody {
    /// Its id, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    kid: Option<String>,
    /// What it verifies.
    #[schema(example = "RS256")]
    algorithm: &'static str,
}

/// One key that is not used.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SkippedKey)]
struct SkippedBody {
    /// Its place in the set, from 0.
    index: usize,
    /// Its id, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    kid: Option<String>,
    /// Why the key is not used.
    reason: String,
}

/// The judgement of a token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenJudgement)]
struct TokenBody {
    /// Whether it would be let in.
    accepted: bool,
    /// What was looked at, in order.
    steps: Vec<CheckStepBody>,
    /// The user that it names, where it was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    subject: Option<String>,
    /// The facts that the claim map takes from it, or would take were it accepted; absent where no claims can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    facts: Option<Value>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TokenStep)]
struct CheckStepBody {
    /// `form`, `algorithm`, `key`, `signature`, `introspection`, `issuer`, `type`, `audience`, `kind`, `required`, `time`, `subject`,
    /// `tenant` or `facts`.
    #[schema(example = "audience")]
    name: &'static str,
    /// Whether it is right; absent where it could not be judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    passed: Option<bool>,
    /// What was found, and what to change.
    message: String,
    /// A stable code of what is wrong, for programs and for texts in other languages. Missing of what is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "audience_other")]
    code: Option<&'static str>,
    /// What belongs to the code, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false, value_type = BTreeMap<String, String>)]
    values: Values,
}

impl CheckBody {
    pub(super) fn new(report: CheckReport, taken: Option<Fault>) -> Self {
        let mut problems = issuers::problems(&report);
        problems.extend(taken);
        Self {
            good: problems.is_empty(),
            keys: report
                .keys
                .into_iter()
                .map(|key| IssuerKeyBody {
                    kid: key.kid,
                    algorithm: key.algorithm.as_str(),
                })
                .collect(),
            skipped: report
                .skipped
                .into_iter()
                .map(|skip| SkippedBody {
                    index: skip.index,
                    kid: skip.kid,
                    reason: skip.reason,
                })
                .collect(),
            offered: report.offered.into_iter().map(Algorithm::as_str).collect(),
            problems: problems.iter().map(FaultBody::from).collect(),
            notes: report.notes,
            token: report.token.map(TokenBody::from),
        }
    }
}

impl From<TokenReport> for TokenBody {
    fn from(report: TokenReport) -> Self {
        Self {
            accepted: report.accepted,
            steps: report
                .steps
                .into_iter()
                .map(|step| {
                    let wrong = step.wrong.as_deref();
                    CheckStepBody {
                        name: step.name,
                        passed: step.passed,
                        message: step.message,
                        code: wrong.map(Wrong::code),
                        values: wrong.map(values_of).unwrap_or_default(),
                    }
                })
                .collect(),
            subject: report.subject,
            facts: report.facts.map(|facts| json!(facts)),
        }
    }
}
