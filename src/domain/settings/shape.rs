//! What serde takes and we do not: null, and a list in an object's place.

use serde_json::Value;

use super::{Form, Settings};

/// Whether a setting is a list.
pub(super) fn is_list(name: &str) -> bool {
    Settings::TABLE
        .iter()
        .any(|setting| setting.name == name && matches!(setting.form, Form::Ids(_) | Form::Tools))
}

/// Whether a value, or a member of it, is neither null, which would say nothing, nor a list.
pub(super) fn is_well_shaped(value: &Value) -> bool {
    match value {
        Value::Null | Value::Array(_) => false,
        Value::Object(members) => members.values().all(is_well_shaped),
        _ => true,
    }
}
