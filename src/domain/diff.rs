//! What differs between two documents, member by member, and line by line where a text has lines.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use similar::{Algorithm, DiffOp, TextDiff, capture_diff_slices};

use super::fault::step;
use super::wrong::Wrong;

/// The largest document that is compared, in bytes of JSON.
pub const MAX_BYTES: usize = 256 * 1024;
/// Most lines of two texts together, or items of two lists, that are compared with each other: those between what both begin and what
/// both end with. Time grows faster than their number.
const MAX_COMPARED: usize = 20_000;
/// Lines around a changed one that are shown with it.
const AROUND: usize = 3;

/// A document is larger than [`MAX_BYTES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

impl From<TooLarge> for Wrong {
    fn from(_: TooLarge) -> Self {
        Self::LargeDifference {
            most: MAX_BYTES / 1024,
        }
    }
}

/// One place where two documents differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// RFC 6901 pointer: into the later document, or into the earlier one where something was removed.
    pub pointer: String,
    pub change: ChangeKind,
    /// The value before; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// The value after; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// The change line by line as a unified diff, where both are texts and one has several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    Add,
    Remove,
    Change,
}

impl ChangeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Remove => "remove",
            Self::Change => "change",
        }
    }
}

/// Every difference, in the order of the earlier document; what was added to an object comes after the rest of it. Objects
/// are compared member by member whatever the order, lists by what stays in its order.
pub fn diff(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> Result<Vec<Change>, TooLarge> {
    for document in [before, after] {
        let bytes = serde_json::to_vec(document).map_or(usize::MAX, |text| text.len());
        if bytes > MAX_BYTES {
            return Err(TooLarge);
        }
    }
    let mut changes = Vec::new();
    let root = PathPair {
        before: String::new(),
        after: String::new(),
    };
    objects(&root, before, after, &mut changes);
    Ok(changes)
}

/// The unified diff of two texts without file names; `None` where they are the same, or too much of them differs to be compared.
pub fn lines(before: &str, after: &str) -> Option<String> {
    let split = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
    if before == after || differing(&split(before), &split(after)) > MAX_COMPARED {
        return None;
    }
    let diff = TextDiff::from_lines(before, after);
    let unified = diff
        .unified_diff()
        .context_radius(AROUND)
        .missing_newline_hint(false)
        .to_string();
    Some(unified)
}

/// How many items two lists have together between what they begin and what they end with alike.
fn differing(before: &[String], after: &[String]) -> usize {
    let pairs = before.iter().zip(after);
    let head = pairs.take_while(|(old, new)| old == new).count();
    let (before, after) = (before.iter().skip(head), after.iter().skip(head));
    let tail = before.clone().rev().zip(after.clone().rev());
    let tail = tail.take_while(|(old, new)| old == new).count();
    (before.len() + after.len()).saturating_sub(2 * tail)
}

/// A place in both documents: items of lists move.
#[derive(Clone)]
struct PathPair {
    before: String,
    after: String,
}

impl PathPair {
    fn member(&self, name: &str) -> Self {
        let step = step(name);
        Self {
            before: format!("{}{step}", self.before),
            after: format!("{}{step}", self.after),
        }
    }

    fn item(&self, before: usize, after: usize) -> Self {
        Self {
            before: format!("{}/{before}", self.before),
            after: format!("{}/{after}", self.after),
        }
    }
}

fn objects(
    at: &PathPair,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    changes: &mut Vec<Change>,
) {
    for (name, old) in before {
        let here = at.member(name);
        match after.get(name) {
            Some(new) => values(&here, old, new, changes),
            None => changes.push(removed(here.before, old)),
        }
    }
    for (name, new) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        changes.push(added(at.member(name).after, new));
    }
}

fn values(at: &PathPair, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    match (before, after) {
        _ if before == after => {}
        (Value::Object(old), Value::Object(new)) => objects(at, old, new, changes),
        (Value::Array(old), Value::Array(new)) => lists(at, old, new, changes),
        _ => {
            let text = match (before, after) {
                (Value::String(old), Value::String(new))
                    if old.contains('\n') || new.contains('\n') =>
                {
                    lines(old, new)
                }
                _ => None,
            };
            changes.push(changed(at, before.clone(), after.clone(), text));
        }
    }
}

/// Items that stay are not listed, however far others pushed them.
fn lists(at: &PathPair, before: &[Value], after: &[Value], changes: &mut Vec<Change>) {
    let old: Vec<String> = before.iter().map(canonical).collect();
    let new: Vec<String> = after.iter().map(canonical).collect();
    if differing(&old, &new) > MAX_COMPARED {
        return changes.push(changed(at, Value::from(before), Value::from(after), None));
    }
    for op in capture_diff_slices(Algorithm::Myers, &old, &new) {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let mut was = before
            .iter()
            .enumerate()
            .skip(op.old_range().start)
            .take(op.old_range().len());
        let mut is = after
            .iter()
            .enumerate()
            .skip(op.new_range().start)
            .take(op.new_range().len());
        loop {
            match (was.next(), is.next()) {
                (Some((from, old)), Some((to, new))) => {
                    values(&at.item(from, to), old, new, changes);
                }
                (Some((from, old)), None) => changes.push(removed(at.item(from, from).before, old)),
                (None, Some((to, new))) => changes.push(added(at.item(to, to).after, new)),
                (None, None) => break,
            }
        }
    }
}

fn changed(at: &PathPair, before: Value, after: Value, text: Option<String>) -> Change {
    Change {
        pointer: at.after.clone(),
        change: ChangeKind::Change,
        before: Some(before),
        after: Some(after),
        text,
    }
}

fn removed(pointer: String, value: &Value) -> Change {
    Change {
        pointer,
        change: ChangeKind::Remove,
        before: Some(value.clone()),
        after: None,
        text: None,
    }
}

fn added(pointer: String, value: &Value) -> Change {
    Change {
        pointer,
        change: ChangeKind::Add,
        before: None,
        after: Some(value.clone()),
        text: None,
    }
}

/// The same text for the same value, whatever the order of its members.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let mut parts: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), canonical(value)))
                .collect();
            parts.sort_unstable();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", items.join(","))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests;
