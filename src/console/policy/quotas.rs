//! The quotas of a policy, as fields of its form.

use serde_json::{Map, Value};

use crate::console::parts::{Faults, number, words_of};
use crate::console::visit::Form;

const SCOPES: [&str; 2] = ["tenant", "user"];
const MEASURES: [&str; 4] = [
    "sessionsPerDay",
    "sessionsPerMonth",
    "minutesPerDay",
    "minutesPerMonth",
];

/// One of them.
#[derive(Debug)]
pub struct QuotaField {
    pub scope: &'static str,
    pub measure: &'static str,
    pub value: String,
    pub fault: Option<String>,
}

impl QuotaField {
    /// Its name in the form.
    pub fn name(&self) -> String {
        name(self.scope, self.measure)
    }
}

fn name(scope: &str, measure: &str) -> String {
    format!("quota.{scope}.{measure}")
}

fn places() -> impl Iterator<Item = (&'static str, &'static str)> {
    MEASURES
        .into_iter()
        .flat_map(|measure| SCOPES.into_iter().map(move |scope| (scope, measure)))
}

/// All of them, two by two: the tenant's and each user's.
pub fn quotas(policy: &Value, form: Option<&Form>, faults: &Faults) -> Vec<QuotaField> {
    let fields = places().map(|(scope, measure)| {
        let pointer = format!("/quotas/{scope}/{measure}");
        let stored = policy.pointer(&pointer).map(words_of).unwrap_or_default();
        QuotaField {
            scope,
            measure,
            value: form.map_or(stored, |form| form.get(&name(scope, measure)).to_owned()),
            fault: faults.at(&pointer).map(|said| said.text),
        }
    });
    fields.collect()
}

/// What the form says, as the policy has it; `None` for no quota.
pub fn quotas_of(form: &Form) -> Option<Value> {
    let mut quotas = Map::new();
    for (scope, measure) in places() {
        if let Some(typed) = form.filled(&name(scope, measure)) {
            let of = quotas
                .entry(scope)
                .or_insert_with(|| Value::Object(Map::new()));
            of[measure] = number(typed);
        }
    }
    (!quotas.is_empty()).then_some(Value::Object(quotas))
}
