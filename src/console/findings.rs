//! What the API finds in a document, for its page.

use serde::Deserialize;

use super::api::{Api, Fault, Refused};
use actix_web::http::Method;

/// Something found in a document, and where.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Finding {
    pub severity: String,
    pub pointer: String,
    pub line: Option<usize>,
    pub message: String,
    pub advice: String,
}

/// What validation says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Validation {
    pub ok: bool,
    pub findings: Vec<Finding>,
    /// What else that is live a release would break.
    pub would_break: Vec<Fault>,
}

impl Finding {
    /// Whether it prevents something.
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }

    /// What is wrong and what to do, in sentences.
    pub fn words(&self) -> String {
        if self.advice.is_empty() {
            return self.message.clone();
        }
        let sentence = |text: &str| format!("{}.", text.trim_end_matches('.'));
        format!("{} {}", sentence(&self.message), sentence(&self.advice))
    }
}

impl Validation {
    /// Validates the draft or the version at an address of the API.
    pub async fn ask(api: &Api, address: &str) -> Result<Self, Refused> {
        let address = format!("{address}:validate");
        api.call(Method::POST, &address).json().await
    }

    /// Everything that was found; what it would break elsewhere has no place in the document.
    pub fn all(self) -> Vec<Finding> {
        let elsewhere = self.would_break.into_iter().map(|fault| Finding {
            severity: "error".to_owned(),
            message: format!("{}: {}", fault.pointer, fault.message),
            ..Finding::default()
        });
        self.findings.into_iter().chain(elsewhere).collect()
    }
}

/// What a refusal says of a document.
pub fn found(refused: &Refused) -> Vec<Finding> {
    let findings = refused.findings.iter();
    let findings = findings.filter_map(|finding| serde_json::from_value(finding.clone()).ok());
    let faults = refused.errors.iter().map(|fault| Finding {
        severity: "error".to_owned(),
        pointer: in_document(fault).to_owned(),
        message: fault.message.clone(),
        ..Finding::default()
    });
    if refused.findings.is_empty() {
        faults.collect()
    } else {
        findings.collect()
    }
}

/// Where a fault is in a document, whether the API named the place in the document, or in a request that holds it.
pub fn in_document(fault: &Fault) -> &str {
    let pointer = fault.pointer.as_str();
    ["/content", "/use/0"]
        .iter()
        .find_map(|start| {
            let rest = pointer.strip_prefix(start)?;
            (rest.is_empty() || rest.starts_with('/')).then_some(rest)
        })
        .unwrap_or(pointer)
}
