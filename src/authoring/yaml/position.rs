//! Where something is in a text, and what can't be read there.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
}

impl Position {
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

/// `12:5`, as editors and compilers write it behind a file's name.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why a text can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub place: Position,
    /// RFC 6901 pointer of the value, as far as it is known.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Unreadable {
    pub(super) fn new(
        place: Position,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            place,
            pointer: pointer.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}
