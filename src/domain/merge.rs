//! Three-way merge, field by field: what two people changed since the same version, put together.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::fault::step;

mod named;

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

/// Whose value stays where both sides changed the same place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The draft's.
    Ours,
    /// That of what was sealed meanwhile.
    Theirs,
}

impl Side {
    /// `ours` or `theirs`.
    pub fn named(text: &str) -> Option<Self> {
        match text {
            "ours" => Some(Self::Ours),
            "theirs" => Some(Self::Theirs),
            _ => None,
        }
    }
}

/// Whose value stays, by RFC 6901 pointer: at that place and everywhere below it. The longest pointer counts; the empty one speaks of
/// the whole document.
pub type Choices = BTreeMap<String, Side>;

/// Why two changes can't be put together.
#[derive(Debug, Clone, PartialEq)]
pub enum Unmerged {
    /// Both sides changed these places, and no choice speaks of them.
    Conflicts(Vec<Conflict>),
    /// These choices speak of places where there is nothing to choose.
    NoConflictAt(Vec<String>),
}

/// Both sides' changes of `base` together. Objects that all three have are merged member by member, lists of named things thing by thing
/// (`merge/named.rs`); everything else is taken whole. Where both changed the same place, a choice says whose value stays; each conflict without one
/// is reported. Members are in the order of `theirs`, then those that only `ours` has.
pub fn merge(
    base: &Map<String, Value>,
    theirs: &Map<String, Value>,
    ours: &Map<String, Value>,
    choices: &Choices,
) -> Result<Map<String, Value>, Unmerged> {
    let mut settling = Merger {
        choices,
        used: BTreeSet::new(),
        conflicts: Vec::new(),
    };
    let merged = settling.objects("", base, theirs, ours);
    if !settling.conflicts.is_empty() {
        return Err(Unmerged::Conflicts(settling.conflicts));
    }
    let idle = choices
        .keys()
        .filter(|at| !settling.used.contains(at.as_str()));
    let idle: Vec<String> = idle.cloned().collect();
    if idle.is_empty() {
        Ok(merged)
    } else {
        Err(Unmerged::NoConflictAt(idle))
    }
}

/// One place, as the three documents have it.
#[derive(Clone, Copy)]
struct ThreeWay<'a> {
    base: Option<&'a Value>,
    theirs: Option<&'a Value>,
    ours: Option<&'a Value>,
}

/// A merge under way.
struct Merger<'a> {
    choices: &'a Choices,
    used: BTreeSet<&'a str>,
    conflicts: Vec<Conflict>,
}

impl Merger<'_> {
    fn objects(
        &mut self,
        at: &str,
        base: &Map<String, Value>,
        theirs: &Map<String, Value>,
        ours: &Map<String, Value>,
    ) -> Map<String, Value> {
        let only_ours = ours.keys().filter(|name| !theirs.contains_key(*name));
        let mut merged = Map::new();
        for name in theirs.keys().chain(only_ours) {
            let sides = ThreeWay {
                base: base.get(name),
                theirs: theirs.get(name),
                ours: ours.get(name),
            };
            if let Some(value) = self.place(&format!("{at}{}", step(name)), sides) {
                merged.insert(name.clone(), value);
            }
        }
        merged
    }

    /// What a place holds afterwards; nothing where it was removed, or where a conflict was noted.
    fn place(&mut self, at: &str, sides: ThreeWay<'_>) -> Option<Value> {
        let ThreeWay { base, theirs, ours } = sides;
        if ours == theirs || ours == base {
            return theirs.cloned();
        }
        if theirs == base {
            return ours.cloned();
        }
        if let (Some(Value::Object(base)), Some(Value::Object(theirs)), Some(Value::Object(ours))) =
            (base, theirs, ours)
        {
            return Some(Value::Object(self.objects(at, base, theirs, ours)));
        }
        if let Some(lists) = named::lists(sides) {
            return self.named(at, &lists);
        }
        self.chosen(at, sides)
    }

    /// What a place holds that both changed: a choice's value, or nothing and a conflict.
    fn chosen(&mut self, at: &str, sides: ThreeWay<'_>) -> Option<Value> {
        match self.choice(at) {
            Some(Side::Ours) => sides.ours.cloned(),
            Some(Side::Theirs) => sides.theirs.cloned(),
            None => {
                self.conflicts.push(Conflict {
                    pointer: at.to_owned(),
                    base: sides.base.cloned(),
                    ours: sides.ours.cloned(),
                    theirs: sides.theirs.cloned(),
                });
                None
            }
        }
    }

    fn choice(&mut self, at: &str) -> Option<Side> {
        let speaks_of = |pointer: &str| {
            at.strip_prefix(pointer)
                .is_some_and(|below| below.is_empty() || below.starts_with('/'))
        };
        let longest = self
            .choices
            .iter()
            .filter(|(pointer, _)| speaks_of(pointer))
            .max_by_key(|(pointer, _)| pointer.len());
        let (pointer, side) = longest?;
        self.used.insert(pointer);
        Some(*side)
    }
}

#[cfg(test)]
mod tests;
