//! Who acts, and what their credentials look like.

use chrono::TimeDelta;

/// How exactly it is noted when a credential was used.
pub(super) const TOUCH: TimeDelta = TimeDelta::minutes(1);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// As the audit trail and `author` say it: `person:EMAIL`, `key:PREFIX` or `cli:NAME`.
    pub label: String,
    /// The label of the person behind it, where one is known: who made the key.
    pub person: Option<String>,
}

impl Actor {
    /// Whether a person acts, not a machine or a command.
    pub fn is_person(&self) -> bool {
        self.label.starts_with("person:")
    }

    /// Everybody who must count as having written what this actor writes.
    pub fn contributors(&self) -> Vec<String> {
        let mut names = vec![self.label.clone()];
        names.extend(self.person.clone().filter(|person| *person != self.label));
        names
    }

    /// The label of the person who acts, themselves or by a key that they made.
    pub fn human(&self) -> Option<String> {
        if self.is_person() {
            Some(self.label.clone())
        } else {
            self.person.clone()
        }
    }
}

/// Somebody of whom only the label is known.
impl<T: Into<String>> From<T> for Actor {
    fn from(label: T) -> Self {
        Self {
            label: label.into(),
            person: None,
        }
    }
}

/// The prefix and 43 characters of base64url, as `crypto::token` makes them.
pub(super) fn is_well_formed(token: &str, prefix: &str) -> bool {
    token.strip_prefix(prefix).is_some_and(|random| {
        random.len() == 43
            && random
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}
