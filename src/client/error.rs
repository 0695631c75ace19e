//! What can go wrong: a problem that the gateway tells, or no answer at all.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The gateway answered with a problem.
    #[error(transparent)]
    Problem(#[from] Box<Problem>),
    /// The gateway did not answer, after all retries.
    #[error("the gateway can't be reached: {0}")]
    Unreachable(String),
    /// An answer that this version of the client can't read.
    #[error("the answer to {call} can't be read: {why}")]
    Unreadable {
        /// Method and path.
        call: String,
        why: String,
    },
    /// The address or the credential can't be used at all.
    #[error("{0}")]
    SetUp(String),
}

impl ClientError {
    /// The gateway's stable code, where it answered with a problem.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

/// A problem as the gateway tells it (RFC 9457).
#[derive(Debug, Clone, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// A short summary.
    pub title: String,
    /// What happened this time, and what to change.
    #[serde(default)]
    pub detail: Option<String>,
    /// Every fault, where there are several places.
    #[serde(default)]
    pub errors: Vec<Fault>,
    /// Of `precondition_failed`: what is there now.
    #[serde(default)]
    pub current: Option<Value>,
    /// Of `merge_conflict`: each member that both sides changed.
    #[serde(default)]
    pub conflicts: Option<Value>,
    /// When to try again.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// One fault and its place.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Fault {
    /// RFC 6901 pointer into what was sent.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.title, self.code, self.status)?;
        if let Some(detail) = &self.detail {
            write!(f, ": {detail}")?;
        }
        for fault in &self.errors {
            write!(f, "\n  {}: {}", fault.pointer, fault.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
