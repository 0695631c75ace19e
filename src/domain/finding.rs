//! What somebody should know of a document before it goes live: where, what, and what to do about it.

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::template::TemplateFault;
use super::wrong::{Words, Wrong, capitalised};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Must be corrected; see [`Finding::blocks`].
    Error,
    /// Should be looked at: never in the way.
    Warning,
}

/// What an error blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Blocks {
    /// Sealing, and releasing too: the document itself is wrong.
    Seal,
    /// Releasing: what is live beside the document does not go with it yet.
    Release,
}

/// One thing found in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// What it blocks; `None` of warnings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Blocks>,
    /// RFC 6901 pointer to the place, `""` for the whole.
    pub pointer: String,
    /// Line inside the text at the place, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// Column in characters, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    pub message: String,
    /// How to correct it.
    pub advice: String,
    /// The message for programs.
    #[serde(skip, default = "elsewhere")]
    pub wrong: Box<Wrong>,
}

impl Finding {
    /// Something wrong with the document itself.
    pub fn error(
        pointer: impl Into<String>,
        message: impl Into<Words>,
        advice: impl Into<String>,
    ) -> Self {
        let Words { text, wrong } = message.into();
        Self {
            severity: Severity::Error,
            blocks: Some(Blocks::Seal),
            pointer: pointer.into(),
            line: None,
            column: None,
            message: text,
            advice: advice.into(),
            wrong,
        }
    }

    /// Something that keeps the document from being released while the rest is as it is.
    pub fn unready(
        pointer: impl Into<String>,
        message: impl Into<Words>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            blocks: Some(Blocks::Release),
            ..Self::error(pointer, message, advice)
        }
    }

    /// Something that should be looked at.
    pub fn warning(
        pointer: impl Into<String>,
        message: impl Into<Words>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            blocks: None,
            ..Self::error(pointer, message, advice)
        }
    }

    /// The same finding, in nobody's way.
    #[must_use]
    pub fn as_warning(mut self) -> Self {
        (self.severity, self.blocks) = (Severity::Warning, None);
        self
    }

    /// The same finding at a place inside a text.
    #[must_use]
    pub fn at(mut self, line: usize, column: usize) -> Self {
        (self.line, self.column) = (Some(line), Some(column));
        self
    }

    /// A fault as an error; `advice` is used where its message alone says what is wrong.
    pub fn of_fault(fault: Fault, advice: &str) -> Self {
        // Many faults say both in one sentence.
        let both = fault
            .message
            .split_once("; ")
            .or_else(|| fault.message.split_once(", expected "));
        let (text, advice) = match both {
            Some((message, advice)) => (message.to_owned(), capitalised(advice)),
            None => (fault.message, advice.to_owned()),
        };
        let wrong = fault.wrong;
        Self::error(fault.pointer, Words { text, wrong }, advice)
    }

    /// A fault of the template that is at `pointer`.
    pub fn of_template(pointer: &str, fault: TemplateFault) -> Self {
        let advice = if fault.advice.is_empty() {
            "The chapter Templates of docs/BUNDLES.md shows what a template may say".to_owned()
        } else {
            fault.advice
        };
        let words = Words {
            text: fault.message,
            wrong: fault.wrong,
        };
        Self::error(pointer, words, advice).at(fault.line, fault.column)
    }

    /// Whether it must be corrected.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Whether it blocks sealing.
    pub fn blocks_sealing(&self) -> bool {
        self.blocks == Some(Blocks::Seal)
    }

    /// All of it in one sentence, where a list of faults is all that there is room for.
    pub fn to_fault(&self) -> Fault {
        let (message, advice) = (&self.message, &self.advice);
        let text = match self.line.zip(self.column) {
            Some((line, column)) => format!("line {line}, column {column}: {message}. {advice}"),
            None => format!("{message}. {advice}"),
        };
        let wrong = self.wrong.clone();
        Fault::new(&self.pointer, Words { text, wrong })
    }
}

/// Of a finding that was read from another program.
#[expect(
    clippy::unnecessary_box_returns,
    reason = "serde wants the type of the member"
)]
fn elsewhere() -> Box<Wrong> {
    Box::new(Wrong::Elsewhere)
}
