//! What somebody should know of a document before it is sealed: where, what, and what to do about it.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::template::TemplateFault;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Must be mended: a document with errors is neither sealed nor released.
    Error,
    /// Should be looked at: never in the way.
    Warning,
}

/// One thing found in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// RFC 6901 pointer to the place, `""` for the whole.
    pub pointer: String,
    /// Line inside the text at the place, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in characters, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

impl Finding {
    /// Something that must be mended.
    pub fn error(
        pointer: impl Into<String>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            pointer: pointer.into(),
            line: None,
            column: None,
            message: message.into(),
            advice: advice.into(),
        }
    }

    /// Something that should be looked at.
    pub fn warning(
        pointer: impl Into<String>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(pointer, message, advice)
        }
    }

    /// The same finding at a place inside a text.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        (self.line, self.column) = (Some(line), Some(column));
        self
    }

    /// A fault as an error; `advice` stands in where its message alone says what is wrong.
    pub fn of_fault(fault: Fault, advice: &str) -> Self {
        // Many faults say both in one sentence.
        let both = fault
            .message
            .split_once("; ")
            .or_else(|| fault.message.split_once(", expected "));
        match both {
            Some((message, told)) => Self::error(fault.pointer, message, sentence(told)),
            None => Self::error(fault.pointer, fault.message, advice),
        }
    }

    /// A fault of the template that stands at `pointer`.
    pub fn of_template(pointer: &str, fault: TemplateFault) -> Self {
        let advice = if fault.advice.is_empty() {
            "The chapter Templates of docs/BUNDLES.md shows what a template may say".to_owned()
        } else {
            fault.advice
        };
        Self::error(pointer, fault.message, advice).at(fault.line, fault.column)
    }

    /// Whether it must be mended.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// With a capital letter in front.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
