//! A finding about something that somebody wrote: where, what, and how to mend it.

use std::fmt;

use serde::Serialize;

/// One thing wrong with a document, a preference or metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// RFC 6901 pointer to the place, `""` for the whole.
    pub pointer: String,
    /// What is wrong and what would be right, in one sentence without a final stop.
    pub message: String,
}

impl Fault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            message: message.into(),
        }
    }

    /// The same fault seen from a document that holds this one at `prefix`.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.pointer.insert_str(0, prefix);
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.pointer, self.message)
        }
    }
}

/// Collects faults, then says whether there were any.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// No fault yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes one.
    pub fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault::new(pointer, message));
    }

    /// Notes several that were found at `prefix`.
    pub fn extend_under(&mut self, prefix: &str, faults: impl IntoIterator<Item = Fault>) {
        self.0
            .extend(faults.into_iter().map(|fault| fault.under(prefix)));
    }

    /// Keeps the value, or notes its faults at `prefix` and goes on without it.
    pub fn take<T>(&mut self, prefix: &str, result: Result<T, Vec<Fault>>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(faults) => {
                self.extend_under(prefix, faults);
                None
            }
        }
    }

    /// `value` where nothing was noted.
    pub fn into_result<T>(self, value: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self.0)
        }
    }

    /// Whether nothing was noted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The faults alone, where there is no value to give.
    pub fn into_vec(self) -> Vec<Fault> {
        self.0
    }
}

/// `name` as one step of an RFC 6901 pointer.
pub fn step(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
