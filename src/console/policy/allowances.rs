//! The quotas and limits of a policy, as fields of its form.

use serde_json::{Map, Value};

use crate::console::parts::{Faults, number, words_of};
use crate::console::visit::Form;

/// Where they are in the policy: a tenant's and a user's beside each other.
const QUOTAS: [&str; 8] = [
    "/quotas/tenant/sessionsPerDay",
    "/quotas/user/sessionsPerDay",
    "/quotas/tenant/sessionsPerMonth",
    "/quotas/user/sessionsPerMonth",
    "/quotas/tenant/minutesPerDay",
    "/quotas/user/minutesPerDay",
    "/quotas/tenant/minutesPerMonth",
    "/quotas/user/minutesPerMonth",
];
const LIMITS: [&str; 5] = [
    "/limits/perMinute",
    "/limits/userPerMinute",
    "/limits/atOnce",
    "/limits/conversations",
    "/limits/userConversations",
];

/// One of them; its name in the form is its place.
#[derive(Debug)]
pub struct Allowance {
    pub place: &'static str,
    pub value: String,
    pub fault: Option<String>,
}

impl Allowance {
    /// Its text.
    pub fn text(&self) -> String {
        format!("policy{}", self.place.replace('/', "-"))
    }
}

/// All of them.
pub fn allowances(policy: &Value, form: Option<&Form>, faults: &Faults) -> Vec<Allowance> {
    let fields = QUOTAS.into_iter().chain(LIMITS).map(|place| {
        let stored = || policy.pointer(place).map(words_of).unwrap_or_default();
        Allowance {
            place,
            value: form.map_or_else(stored, |form| form.get(place).to_owned()),
            fault: faults.at(place).map(|said| said.text),
        }
    });
    fields.collect()
}

/// Puts what the form says into the policy.
pub fn put_allowances(form: &Form, policy: &mut Map<String, Value>) {
    for name in ["quotas", "limits"] {
        policy.remove(name);
    }
    for place in QUOTAS.into_iter().chain(LIMITS) {
        let Some(typed) = form.filled(place) else {
            continue;
        };
        let mut steps: Vec<&str> = place.split('/').skip(1).collect();
        let last = steps.pop().unwrap_or_default();
        let within = steps.into_iter().fold(&mut *policy, |object, step| {
            let inner = object
                .entry(step)
                .or_insert_with(|| Value::Object(Map::new()));
            match inner {
                Value::Object(inner) => inner,
                _ => unreachable!("an object was put there"),
            }
        });
        within.insert(last.to_owned(), number(typed));
    }
}
