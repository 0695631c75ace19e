//! What the API finds in a document, for its page.

use serde::Deserialize;

use super::api::{Api, Fault, Refused};
use super::said::{self, Said, Wrong};
use super::texts::Texts;
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
    #[serde(flatten)]
    pub wrong: Wrong,
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

    /// What is wrong, for people.
    pub fn said(&self, texts: Texts) -> Said {
        said::by_code(texts, &self.wrong, &self.message)
    }

    /// What to do, in English. A text in another language says it already.
    pub fn advice(&self, texts: Texts) -> Option<&str> {
        let said = self.said(texts);
        let is_told = said.is_foreign || texts.is_english();
        Some(self.advice.as_str()).filter(|advice| is_told && !advice.is_empty())
    }

    /// What is wrong and what to do, in sentences.
    pub fn words(&self, texts: Texts) -> Said {
        let said = self.said(texts);
        let Some(advice) = self.advice(texts) else {
            return said;
        };
        let sentence = |text: &str| format!("{}.", text.trim_end_matches('.'));
        Said {
            text: format!("{} {}", sentence(&said.text), sentence(advice)),
            ..said
        }
    }

    /// The same beside a field.
    pub fn fault(&self) -> Fault {
        Fault {
            pointer: self.pointer.clone(),
            message: self.message.clone(),
            wrong: self.wrong.clone(),
        }
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
        wrong: fault.wrong.clone(),
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
