//! Three-way merge, field by field: what two people changed since the same version, put together.

use serde::Serialize;
use serde_json::{Map, Value};

use super::fault::step;

/// A place that both sides changed, each in its own way. Absent values were not there, or were removed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conflict {
    /// RFC 6901 pointer to the place.
    pub pointer: String,
    /// What both started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Value>,
    /// What the draft says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ours: Option<Value>,
    /// What was sealed meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<Value>,
}

/// Both sides' changes of `base` together, or every conflict. Objects that all three have are merged member by member;
/// lists and everything else are taken whole. Members stand in the order of `theirs`, then those that only `ours` has.
pub fn merge(
    base: &Map<String, Value>,
    theirs: &Map<String, Value>,
    ours: &Map<String, Value>,
) -> Result<Map<String, Value>, Vec<Conflict>> {
    let mut conflicts = Vec::new();
    let merged = objects("", base, theirs, ours, &mut conflicts);
    if conflicts.is_empty() {
        Ok(merged)
    } else {
        Err(conflicts)
    }
}

fn objects(
    at: &str,
    base: &Map<String, Value>,
    theirs: &Map<String, Value>,
    ours: &Map<String, Value>,
    conflicts: &mut Vec<Conflict>,
) -> Map<String, Value> {
    let only_ours = ours.keys().filter(|name| !theirs.contains_key(*name));
    let mut merged = Map::new();
    for name in theirs.keys().chain(only_ours) {
        let sides = Sides {
            base: base.get(name),
            theirs: theirs.get(name),
            ours: ours.get(name),
        };
        if let Some(value) = sides.merge(&format!("{at}{}", step(name)), conflicts) {
            merged.insert(name.clone(), value);
        }
    }
    merged
}

/// One place, as the three documents have it.
#[derive(Clone, Copy)]
struct Sides<'a> {
    base: Option<&'a Value>,
    theirs: Option<&'a Value>,
    ours: Option<&'a Value>,
}

impl Sides<'_> {
    /// What the place holds afterwards; nothing where it was removed, or where a conflict was noted.
    fn merge(self, at: &str, conflicts: &mut Vec<Conflict>) -> Option<Value> {
        if self.ours == self.theirs || self.ours == self.base {
            return self.theirs.cloned();
        }
        if self.theirs == self.base {
            return self.ours.cloned();
        }
        if let (Some(Value::Object(base)), Some(Value::Object(theirs)), Some(Value::Object(ours))) =
            (self.base, self.theirs, self.ours)
        {
            return Some(Value::Object(objects(at, base, theirs, ours, conflicts)));
        }
        conflicts.push(Conflict {
            pointer: at.to_owned(),
            base: self.base.cloned(),
            ours: self.ours.cloned(),
            theirs: self.theirs.cloned(),
        });
        None
    }
}

#[cfg(test)]
mod tests;
