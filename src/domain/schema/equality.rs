//! Finds values that are the same by their hashes. Members are in the order of their names and whole numbers are integers: all that is
//! compared here is metadata, or was brought into its form.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};

use serde_json::Value;

/// Values that are looked for.
#[derive(Debug)]
pub(super) struct Values {
    state: RandomState,
    /// By hash.
    sorted: Vec<(u64, Value)>,
}

impl Values {
    pub(super) fn new(values: impl IntoIterator<Item = Value>) -> Self {
        let state = RandomState::new();
        let values = values.into_iter();
        let mut sorted: Vec<(u64, Value)> =
            values.map(|value| (hash(&value, &state), value)).collect();
        sorted.sort_unstable_by_key(|(hash, _)| *hash);
        Self { state, sorted }
    }

    pub(super) fn texts(&self) -> Option<Vec<&str>> {
        self.sorted
            .iter()
            .map(|(_, value)| value.as_str())
            .collect()
    }

    pub(super) fn has(&self, value: &Value) -> bool {
        let hash = hash(value, &self.state);
        let first = self.sorted.partition_point(|(other, _)| *other < hash);
        let found = self.sorted.iter().skip(first);
        let mut same = found.take_while(|(other, _)| *other == hash);
        same.any(|(_, other)| other == value)
    }
}

/// Whether no value is there twice.
pub(super) fn all_differ(values: &[Value]) -> bool {
    let state = RandomState::new();
    let mut sorted: Vec<(u64, &Value)> = values
        .iter()
        .map(|value| (hash(value, &state), value))
        .collect();
    sorted.sort_unstable_by_key(|(hash, _)| *hash);
    sorted.windows(2).all(|pair| match pair {
        [(hash, one), (other_hash, other)] => hash != other_hash || one != other,
        _ => true,
    })
}

fn hash(value: &Value, state: &RandomState) -> u64 {
    let mut hasher = state.build_hasher();
    feed(value, &mut hasher);
    hasher.finish()
}

fn feed(value: &Value, hasher: &mut impl Hasher) {
    match value {
        Value::Null => hasher.write_u8(0),
        Value::Bool(flag) => hasher.write_u8(1 + u8::from(*flag)),
        Value::Number(number) => {
            hasher.write_u8(3);
            number.hash(hasher);
        }
        Value::String(text) => {
            hasher.write_u8(4);
            text.hash(hasher);
        }
        Value::Array(items) => {
            hasher.write_u8(5);
            hasher.write_usize(items.len());
            for item in items {
                feed(item, hasher);
            }
        }
        Value::Object(members) => {
            hasher.write_u8(6);
            hasher.write_usize(members.len());
            for (name, value) in members {
                name.hash(hasher);
                feed(value, hasher);
            }
        }
    }
}
