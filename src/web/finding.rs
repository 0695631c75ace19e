//! Faults and findings as answers show them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::fault::Fault;
use crate::domain::finding::{Blocks, Finding, Severity};
use crate::domain::wrong::Wrong;

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
    /// A stable code of what is wrong, for programs and for texts in other languages.
    #[schema(example = "range")]
    pub code: &'static str,
    /// What belongs to the code, by name, such as the bounds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false, value_type = BTreeMap<String, String>, example = json!({ "least": "1", "most": "5" }))]
    pub values: Values,
}

/// One fault and its place.
#[derive(Debug, Serialize, ToSchema)]
pub struct FaultBody {
    /// RFC 6901 pointer into the body.
    #[schema(example = "/metadata/priority")]
    pub pointer: String,
    /// What is wrong and what would be right.
    #[schema(example = "must be 1 to 5")]
    pub message: String,
    /// A stable code of what is wrong, for programs and for texts in other languages.
    #[schema(example = "range")]
    pub code: &'static str,
    /// What belongs to the code, by name, such as the bounds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false, value_type = BTreeMap<String, String>, example = json!({ "least": "1", "most": "5" }))]
    pub values: Values,
}

impl From<&Fault> for FaultBody {
    fn from(fault: &Fault) -> Self {
        Self {
            pointer: fault.pointer.clone(),
            message: fault.message.clone(),
            code: fault.wrong.code(),
            values: values_of(&fault.wrong),
        }
    }
}

/// What belongs to the code of a fault, by name.
pub type Values = BTreeMap<&'static str, String>;

/// What belongs to the code of what is wrong.
pub fn values_of(wrong: &Wrong) -> Values {
    wrong.values().into_iter().collect()
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
            code: finding.wrong.code(),
            values: values_of(&finding.wrong),
            advice: finding.advice,
        }
    }
}

pub fn finding_bodies(findings: Vec<Finding>) -> Vec<FindingBody> {
    findings.into_iter().map(FindingBody::from).collect()
}

#[cfg(test)]
mod tests {
    use crate::domain::wrong::Wrong;

    #[test]
    fn each_code_is_documented_once() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/API.md");
        let documentation = std::fs::read_to_string(path).expect("a page of the documentation");
        let (_, section) = documentation
            .split_once("### Codes of single faults")
            .expect("a section");
        let rows: Vec<&str> = section
            .lines()
            .skip_while(|line| !line.starts_with("| ---"))
            .skip(1)
            .take_while(|line| line.starts_with('|'))
            .collect();
        for (row, (code, values)) in rows.iter().zip(Wrong::CODES) {
            let values: Vec<String> = values.iter().map(|name| format!("`{name}`")).collect();
            let expected = format!("| `{code}` | {} |", values.join(", "));
            assert!(row.starts_with(&expected), "{row}: {expected}");
        }
        assert_eq!(rows.len(), Wrong::CODES.len());
    }
}
