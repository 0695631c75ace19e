//! A place where two documents differ.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::domain::diff::{self, ChangeKind};
use crate::web::input::answered_words;

answered_words! {
    ChangeKind: Add, Remove, Change;
}

/// One place where two documents differ.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::admin) struct ChangeBody {
    /// RFC 6901 pointer into the later document, or into the earlier one where something was removed.
    #[schema(example = "/systemPrompt")]
    pointer: String,
    #[schema(example = "change")]
    change: ChangeKind,
    /// The value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Value>,
    /// The value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Value>,
    /// The change line by line as a unified diff, where it is a text of several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    text: Option<String>,
}

impl From<diff::Change> for ChangeBody {
    fn from(change: diff::Change) -> Self {
        Self {
            pointer: change.pointer,
            change: change.change,
            before: change.before,
            after: change.after,
            text: change.text,
        }
    }
}
