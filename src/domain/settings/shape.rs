//! What serde takes and we do not: null, and a list in an object's place.

use serde_json::Value;

/// The members that are lists.
pub(super) const LISTS: [&str; 2] = ["tools", "toolIds"];

/// Whether a value, or a member of it, is neither null, which would say nothing, nor a list.
pub(super) fn is_well_shaped(value: &Value) -> bool {
    match value {
        Value::Null | Value::Array(_) => false,
        Value::Object(members) => members.values().all(is_well_shaped),
        _ => true,
    }
}
