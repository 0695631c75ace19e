//! What serde takes and we do not: null, and a list in an object's place.

use serde_json::Value;

use crate::domain::json::stray_list;

/// The members that are lists.
const LISTS: [&str; 2] = ["tools", "toolIds"];

/// What is wrong with the form of a member, apart from what serde says.
pub(super) fn misshapen(name: &str, value: &Value) -> Option<&'static str> {
    if holds_null(value) {
        Some("leave it out instead of null")
    } else if !LISTS.contains(&name) && stray_list(value, &[]).is_some() {
        Some("must be no list")
    } else {
        None
    }
}

/// Whether a member, or a member of it, is null, which would say nothing.
fn holds_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.values().any(holds_null),
        _ => false,
    }
}
