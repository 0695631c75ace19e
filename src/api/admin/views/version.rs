//! A sealed version.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::authoring::export::order;
use crate::domain::document::DocumentKind;
use crate::store::versions::SealedVersion;

/// A sealed version: it never changes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) struct VersionBody {
    #[schema(value_type = DocumentKind, example = "persona")]
    kind: &'static str,
    #[schema(example = "support-agent")]
    key: String,
    /// Counts from 1 within the document.
    #[schema(example = 4)]
    pub(in crate::api::admin) number: i32,
    /// The version that its draft was based on; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    base_version: Option<i32>,
    #[schema(value_type = Object)]
    content: Map<String, Value>,
    /// SHA-256 of the content, hex.
    hash: String,
    /// Who sealed it.
    author: String,
    /// Everybody who wrote in it.
    contributors: Vec<String>,
    /// What changed and why.
    message: String,
    /// When it was sealed.
    created_at: DateTime<Utc>,
}

impl VersionBody {
    pub(in crate::api::admin) fn new(
        kind: DocumentKind,
        key: &str,
        version: SealedVersion,
    ) -> Self {
        Self {
            kind: kind.as_str(),
            key: key.to_owned(),
            number: version.number,
            base_version: version.base_version,
            content: order::of_document(kind, version.content),
            hash: hex::encode(version.hash),
            author: version.author,
            contributors: version.contributors,
            message: version.message,
            created_at: version.created_at,
        }
    }
}
