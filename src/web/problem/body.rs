//! The body of an error answer.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::finding::{FaultBody, FindingBody, Values};

/// The body of an error answer (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:persona-gateway:problem:metadata_invalid")]
    pub kind: String,
    /// A short summary, the same for each problem of the kind.
    #[schema(example = "Invalid metadata")]
    pub title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// The stable code that programs should look at.
    #[schema(example = "metadata_invalid")]
    pub code: &'static str,
    /// What happened this time, and what to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Every single fault, where there are several places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FaultBody>,
    /// Of `document_invalid`: everything that was found in the document, warnings too, with advice.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<FindingBody>>, nullable = false)]
    pub findings: Option<Value>,
    /// Of `precondition_failed`: what is there now, as a read gives it; null where there is nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub current: Option<Value>,
    /// Of `merge_conflict`: each member that both sides changed, with `base`, `ours` and `theirs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>, nullable = false)]
    pub conflicts: Option<Value>,
    /// Where a session was recorded before it failed: its id, for `GET /v1/admin/sessions/{session}`.
    #[serde(rename = "sessionId", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session_id: Option<Uuid>,
    /// Why, as a stable word, where `code` stands for several reasons: of a single sign-on that did not succeed, and of `conflict`, `in_use`,
    /// `already_exists` and their like.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "only_owner")]
    pub reason: Option<&'static str>,
    /// What belongs to `reason`, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false, value_type = BTreeMap<String, String>, example = json!({ "email": "ann@example.com" }))]
    pub values: Values,
    /// Of `places_taken`: whose turn it is; 1 is who gets the next place. Missing where the user's own conversations are too many.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    pub position: Option<u32>,
    /// Of `places_taken`: how long it may take until there is a place, in seconds, judging by the conversations of late. Missing where nothing
    /// is known of any.
    #[serde(
        rename = "estimatedWaitSeconds",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(nullable = false, example = 120)]
    pub estimated_wait_seconds: Option<u64>,
}
