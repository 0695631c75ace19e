//! What an editor needs of the API beside the context itself: what the form offers.

use futures_util::join;
use serde::Deserialize;
use serde_json::Value;

use super::KIND;
use super::known::Sources;
use crate::console::api::{Refused, encode};
use crate::console::choices::{RecentUser, Sample, keys, recent_users, samples};
use crate::console::parts::Listed;
use crate::console::visit::Signed;
use crate::console::writing::Writing;

#[derive(Debug, Deserialize)]
struct Issuer {
    config: Value,
}

/// Everything beside the form.
#[derive(Debug)]
pub struct Desk {
    pub writing: Writing,
    pub personas: Vec<String>,
    pub samples: Vec<Sample>,
    pub recent: Vec<RecentUser>,
    policy: Value,
    issuers: Vec<Value>,
    sample_facts: Vec<Value>,
    sample_preferences: Vec<Value>,
}

impl Desk {
    /// Asks for everything. What is only offered is left out where it can't be had.
    pub async fn open(signed: &Signed, key: &str) -> Result<Self, Refused> {
        let api = &signed.api;
        let lately = format!("context={}&limit=30", encode(key));
        let (writing, personas, samples, recent, policy, issuers) = join!(
            Writing::load(signed, KIND, key),
            keys(api, "persona"),
            samples(api),
            recent_users(api, &lately),
            api.get::<Value>("/v1/admin/policy"),
            api.get::<Listed<Issuer>>("/v1/admin/issuers"),
        );
        let samples = samples.unwrap_or_default();
        let issuers = issuers.unwrap_or_default().items;
        let objects = |of: fn(&Sample) -> &serde_json::Map<String, Value>| -> Vec<Value> {
            let objects = samples.iter().map(|sample| of(sample).clone().into());
            objects.collect()
        };
        Ok(Self {
            writing: writing?,
            personas: personas?,
            sample_facts: objects(|sample| &sample.facts),
            sample_preferences: objects(|sample| &sample.preferences),
            samples,
            recent: recent.unwrap_or_default(),
            policy: policy.unwrap_or_default(),
            issuers: issuers
                .into_iter()
                .map(|issuer| issuer.config.get("claims").cloned().unwrap_or_default())
                .collect(),
        })
    }

    /// What attributes are known from.
    pub fn sources(&self) -> Sources<'_> {
        Sources {
            claims: self.issuers.iter().collect(),
            policy: Some(&self.policy),
            facts: self.sample_facts.iter().collect(),
            preferences: self.sample_preferences.iter().collect(),
        }
    }

    /// The zone in which rules read the time.
    pub fn zone(&self) -> &str {
        self.policy
            .get("timeZone")
            .and_then(Value::as_str)
            .unwrap_or("UTC")
    }

    /// How many people must approve a version.
    pub fn approvals(&self) -> u64 {
        self.policy
            .get("requiredApprovals")
            .and_then(Value::as_u64)
            .unwrap_or_default()
    }
}
