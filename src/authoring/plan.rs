//! What applying a bundle changes, for people to read.

use std::fmt;

/// The changes of one bundle, in the order in which they are made.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Whose.
    pub tenant: String,
    /// Each change.
    pub steps: Vec<Step>,
    /// What the database has and the bundle does not: left alone unless pruned.
    pub left_alone: Vec<String>,
    /// What is allowed, but hardly meant.
    pub warnings: Vec<String>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What happens.
    pub verb: Verb,
    /// To what, such as `persona/support-agent`.
    pub target: String,
    /// How, where that needs words.
    pub note: String,
}

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Verb {
    Create,
    Change,
    Remove,
}

impl Verb {
    /// The action in the audit trail.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Remove => "remove",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            writeln!(f, "tenant {}: nothing to change", self.tenant)?;
        } else {
            writeln!(
                f,
                "tenant {}: {} to make",
                self.tenant,
                count(self.steps.len(), "change")
            )?;
        }
        for step in &self.steps {
            let sign = match step.verb {
                Verb::Create => '+',
                Verb::Change => '~',
                Verb::Remove => '-',
            };
            match step.note.as_str() {
                "" => writeln!(f, "  {sign} {}", step.target)?,
                note => writeln!(f, "  {sign} {} ({note})", step.target)?,
            }
        }
        for target in &self.left_alone {
            writeln!(
                f,
                "  = {target} (not in the bundle, left alone; --prune removes it)"
            )?;
        }
        for warning in &self.warnings {
            writeln!(f, "  ! {warning}")?;
        }
        Ok(())
    }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}
