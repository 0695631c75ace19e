//! How fast a tenant's users may ask, and how many conversations they may have, as its policy says. What the installation's configuration says holds as well.

use serde_json::{Map, Value};

use super::fault::{Fault, Faults, step};
use super::places::MAX_PLACES;
use crate::domain::wrong::Wrong;

/// The largest number of requests in a minute.
pub const MAX_PER_MINUTE: u32 = 1_000_000;
/// The largest number of requests at the same time.
pub const MAX_AT_ONCE: u32 = 10_000;

/// A policy's limits; `None` is no limit of its own. Requests count at all instances together where they share Redis, and else at each; conversations
/// always at all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// Requests of each user in a minute.
    pub user_per_minute: Option<u32>,
    /// Requests of all users together in a minute.
    pub per_minute: Option<u32>,
    /// Requests of all users together at the same time, at each instance.
    pub at_once: Option<u32>,
    /// Conversations of all users together at the same time; with a key of the tenant's own, the places of that key.
    pub conversations: Option<u32>,
    /// Conversations of each user at the same time.
    pub user_conversations: Option<u32>,
}

impl Rates {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn parse(members: &Map<String, Value>) -> Result<Self, Vec<Fault>> {
        let mut faults = Faults::new();
        let mut rates = Self::default();
        for (name, value) in members {
            let (part, most) = match name.as_str() {
                "userPerMinute" => (&mut rates.user_per_minute, MAX_PER_MINUTE),
                "perMinute" => (&mut rates.per_minute, MAX_PER_MINUTE),
                "atOnce" => (&mut rates.at_once, MAX_AT_ONCE),
                "conversations" => (&mut rates.conversations, MAX_PLACES),
                "userConversations" => (&mut rates.user_conversations, MAX_PLACES),
                _ => {
                    faults.add(
                        step(name),
                        Wrong::Unknown("userPerMinute, perMinute, atOnce, conversations, userConversations".to_owned()).worded("is unknown; limits are userPerMinute, perMinute, atOnce, conversations and userConversations"),
                    );
                    continue;
                }
            };
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            match number.filter(|number| (1..=most).contains(number)) {
                Some(number) => *part = Some(number),
                None => faults.add(
                    step(name),
                    Wrong::whole_range(1, most).worded(format!(
                        "must be a whole number from 1 to {most}; leave it out for no limit"
                    )),
                ),
            }
        }
        faults.into_result(rates)
    }

    /// The document that is read back; what is not limited is left out.
    pub(super) fn to_document(self) -> Map<String, Value> {
        let members = [
            ("userPerMinute", self.user_per_minute),
            ("perMinute", self.per_minute),
            ("atOnce", self.at_once),
            ("conversations", self.conversations),
            ("userConversations", self.user_conversations),
        ];
        let set = members
            .into_iter()
            .filter_map(|(name, most)| Some((name.to_owned(), most?.into())));
        set.collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_back_and_every_fault_is_told() {
        let read = |document: Value| Rates::parse(document.as_object().unwrap());
        let document = json!({ "userPerMinute": 10, "perMinute": 1_000_000, "atOnce": 1, "conversations": 5, "userConversations": 1 });
        let rates = read(document.clone()).unwrap();
        assert_eq!(Value::Object(rates.to_document()), document);
        assert!(read(json!({})).unwrap().is_empty());
        let faults =
            read(json!({ "userPerMinute": 0, "perMinute": "many", "atOnce": 10_001, "more": 1 }));
        let places: Vec<_> = faults
            .unwrap_err()
            .into_iter()
            .map(|fault| fault.pointer)
            .collect();
        assert_eq!(places, ["/userPerMinute", "/perMinute", "/atOnce", "/more"]);
    }
}
