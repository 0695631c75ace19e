//! A user whom admins made up, to try things with: an archetype such as "new customer" or "expert on the phone".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::caller::{Caller, Fact, Facts, Subject};
use super::fault::{Fault, Faults, step};
use super::ids::{IssuerId, TenantId};
use super::issuer::{ClaimMap, fact};
use super::preferences::{PreferenceField, Preferences};
use super::text;
use crate::domain::wrong::Wrong;

/// Most facts, and most preferences.
pub const MAX_MEMBERS: usize = 50;
/// The longest preference, in characters: a prompt of the user's own.
pub const MAX_PREFERENCE_CHARS: usize = 4_000;

/// Who is asking, as a verified token and the stored preferences would tell.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SampleUser {
    /// The `sub`; it decides the arm of a split.
    pub subject: Option<Subject>,
    /// What the claims would tell.
    pub facts: Facts,
    /// What the user has chosen. As with stored ones, what does not fit is passed over in the decision.
    pub preferences: Preferences,
}

impl SampleUser {
    /// Reads `{"subject"?, "facts"?, "preferences"?}`; every fault at once.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let mut user = Self::default();
        for (name, value) in members {
            let at = step(name);
            match name.as_str() {
                "subject" => user.subject = faults.take(&at, subject(value)),
                "facts" => user.facts = faults.take(&at, facts(value)).unwrap_or_default(),
                "preferences" => {
                    user.preferences = faults.take(&at, preferences(value)).unwrap_or_default();
                }
                _ => faults.add(
                    at,
                    Wrong::Unknown("subject, facts, preferences".to_owned())
                        .worded("is unknown; a user has subject, facts and preferences"),
                ),
            }
        }
        faults.into_result(user)
    }

    /// The document that [`SampleUser::parse`] reads back.
    pub fn to_document(&self) -> Map<String, Value> {
        let mut document = Map::new();
        if let Some(subject) = &self.subject {
            document.insert("subject".into(), subject.as_str().into());
        }
        if !self.facts.is_empty() {
            document.insert("facts".into(), json!(self.facts));
        }
        let preferences = self.preferences.to_document();
        if !preferences.is_empty() {
            document.insert("preferences".into(), Value::Object(preferences));
        }
        document
    }

    pub fn caller(&self, tenant: TenantId) -> Caller {
        Caller {
            tenant,
            issuer: IssuerId(Uuid::nil()),
            subject: self.subject.clone().unwrap_or_else(Subject::made_up),
            facts: self.facts.clone(),
            left_out: BTreeMap::new(),
        }
    }
}

/// A user's `sub`.
pub fn subject(value: &Value) -> Result<Subject, Vec<Fault>> {
    let form = match value {
        Value::String(text) => match Subject::parse(text) {
            Some(subject) => return Ok(subject),
            None => Wrong::Printable { most: 255 }
                .worded("must be 1 to 255 characters without control characters"),
        },
        _ => Wrong::Text.into(),
    };
    Err(vec![Fault::new("", form)])
}

/// What the claims would tell.
pub fn facts(value: &Value) -> Result<Facts, Vec<Fault>> {
    let mut faults = Faults::new();
    let mut facts = Facts::new();
    for (name, value) in members(value)? {
        match fact(value).filter(|_| ClaimMap::is_fact_name(name)) {
            Some(fact) => {
                facts.insert(name.clone(), fact);
            }
            None => faults.add(step(name), Wrong::SampleFact),
        }
    }
    faults.into_result(facts)
}

/// What the user has chosen.
pub fn preferences(value: &Value) -> Result<Preferences, Vec<Fault>> {
    let choices = members(value)?;
    let mut faults = Faults::new();
    for (name, _) in choices
        .iter()
        .filter(|(name, value)| !is_choice(name, value))
    {
        faults.add(step(name), Wrong::SamplePreference);
    }
    faults.into_result(Preferences::from_stored(choices.clone()))
}

fn members(value: &Value) -> Result<&Map<String, Value>, Vec<Fault>> {
    match value {
        Value::Object(members) if members.len() <= MAX_MEMBERS => Ok(members),
        _ => Err(vec![Fault::new("", Wrong::Members { most: MAX_MEMBERS })]),
    }
}

fn is_choice(name: &str, value: &Value) -> bool {
    let fits = match value {
        Value::String(text) => text::is_clean_block(text, MAX_PREFERENCE_CHARS),
        other => matches!(fact(other), Some(Fact::Flag(_) | Fact::Number(_))),
    };
    PreferenceField::is_name(name) && fits
}

#[cfg(test)]
mod tests;
