//! What can be wrong with a template, and what can go wrong when one is rendered.

use std::fmt;

use crate::domain::wrong::{Words, Wrong};

/// One thing wrong with a template's source, for the admin who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TemplateFault {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    pub message: String,
    /// How to correct it; may be empty.
    pub advice: String,
    /// What is wrong, for programs.
    #[serde(skip)]
    pub wrong: Box<Wrong>,
}

impl TemplateFault {
    /// Says instead that something was opened and nothing closes it.
    pub(super) fn say_unclosed(&mut self, opening: &str, end: &str) {
        let wrong = Wrong::Unclosed {
            name: opening.to_owned(),
            end: end.to_owned(),
        };
        self.message = wrong.to_string();
        self.advice = format!("Write {end} where it ends");
        *self.wrong = wrong;
    }

    /// What it says, with its place, where the text that it is in has none of its own.
    pub fn into_words(self) -> Words {
        Words {
            text: self.to_string(),
            wrong: Box::new(Wrong::Placed {
                line: self.line,
                column: self.column,
                wrong: self.wrong,
            }),
        }
    }
}

impl fmt::Display for TemplateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            column,
            message,
            advice,
            wrong: _,
        } = self;
        write!(f, "line {line}, column {column}: {message}")?;
        if advice.is_empty() {
            return Ok(());
        }
        write!(f, ". {advice}")
    }
}

impl std::error::Error for TemplateFault {}

/// Why a sound template gave no text. Values that are absent or of another type never fail; only size does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderFault {
    /// The output passed its cap.
    #[error(
        "the rendered text is longer than {max_chars} characters or {max_bytes} bytes: shorten the template, its snippets or the lists it loops over"
    )]
    TooLong {
        /// Cap in code points.
        max_chars: usize,
        /// Cap in bytes.
        max_bytes: usize,
    },
    /// The session's budget, of so many units, ran out: loops in loops, or long texts replaced, searched or joined again and again.
    #[error(
        "the texts of the session take more work to render than their budget of {budget} units: loop over less, do less inside loops, and replace, search and join shorter texts"
    )]
    TooMuchWork { budget: usize },
    /// A pinned snippet was not handed in.
    #[error("snippet \"{0}\" is not pinned: seal the persona again")]
    SnippetMissing(String),
}
