//! What applying a bundle changes, for people and programs to read.

mod show;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::diff::Change;
use crate::domain::finding::Finding;

pub use self::show::PlanText;

/// The changes of one bundle, in the order in which they are made.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub tenant: String,
    pub steps: Vec<Step>,
    /// How much of what the bundle says is so already: tenant, secrets, issuers, documents, sample users, kinds of the catalogue.
    #[serde(default)]
    pub unchanged: usize,
    /// What the database has and the bundle does not: left alone unless pruned.
    pub left_alone: Vec<String>,
    /// What was found in the bundle's documents and is not in the way; pointers start at the bundle.
    pub findings: Vec<Finding>,
}

impl Plan {
    /// The number of things in a bundle that stay as they are, of all that it names.
    pub(super) fn count_unchanged(&mut self, items: usize) {
        let made = self.steps.iter().filter(|step| step.verb != Action::Remove);
        let made: BTreeSet<&str> = made.map(|step| step.target.as_str()).collect();
        self.unchanged = items.saturating_sub(made.len());
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub verb: Action,
    /// To what, such as `persona/support-agent`.
    pub target: String,
    /// A remark, where the change needs one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Member by member what differs, where something changes that was there before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Change,
    Remove,
}

impl Action {
    /// The action in the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Remove => "remove",
        }
    }
}
