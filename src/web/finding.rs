//! Findings as answers show them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::finding::{Blocks, Finding, Severity};

/// One thing found in a document.
#[derive(Debug, Serialize, ToSchema)]
pub struct FindingBody {
    /// `error`: must be corrected, see `blocks`. `warning`: should be looked at, and is never in the way.
    #[schema(example = "warning", pattern = "^(error|warning)$")]
    pub severity: &'static str,
    /// Of an error, what it blocks. `seal`: sealing and releasing. `release`: releasing, as long as what is live
    /// beside the document does not go with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "release", pattern = "^(seal|release)$")]
    pub blocks: Option<&'static str>,
    /// RFC 6901 pointer into the content; of bundles, into the bundle.
    #[schema(example = "/systemPrompt")]
    pub pointer: String,
    /// Line inside the text at the place, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    pub line: Option<usize>,
    /// Column in characters, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 12)]
    pub column: Option<usize>,
    /// What was found.
    pub message: String,
    /// How to correct it.
    pub advice: String,
}

impl From<Finding> for FindingBody {
    fn from(finding: Finding) -> Self {
        Self {
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            blocks: finding.blocks.map(|blocks| match blocks {
                Blocks::Seal => "seal",
                Blocks::Release => "release",
            }),
            pointer: finding.pointer,
            line: finding.line,
            column: finding.column,
            message: finding.message,
            advice: finding.advice,
        }
    }
}

pub fn finding_bodies(findings: Vec<Finding>) -> Vec<FindingBody> {
    findings.into_iter().map(FindingBody::from).collect()
}
