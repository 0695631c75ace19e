//! The API's description, which takes long to put together.

use std::sync::LazyLock;

use persona_gateway::api::openapi;
use serde_json::Value;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&openapi::document()).unwrap());

/// The `OpenAPI` document, put together once for all tests.
pub(crate) fn document() -> &'static Value {
    &DOCUMENT
}
