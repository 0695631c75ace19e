//! `GET /v1/contexts`: which contexts exist, and the metadata each wants.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::web::operation::{Answer, Json, User, operations};

operations! {
    "Sessions";

    "/v1/contexts" {
        /// Lists the contexts that a page may ask for.
        GET listContexts => list;
    }
}

/// The tenant's contexts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Contexts)]
pub struct ContextsView {
    /// By key.
    pub contexts: Vec<ContextView>,
}

/// One context.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Context)]
pub struct ContextView {
    /// What to put into `context`.
    #[schema(example = "support")]
    pub key: String,
    pub aliases: Vec<String>,
    /// What the situation is.
    pub description: String,
    /// JSON Schema of `metadata`.
    #[schema(value_type = Object)]
    pub metadata: Value,
}

async fn list(user: User) -> Answer<Json<ContextsView>> {
    let contexts = user.tenant.snapshot.contexts.iter();
    let contexts = contexts.map(|(key, live)| {
        let aliases = live.context.aliases.iter();
        ContextView {
            key: key.as_str().to_owned(),
            aliases: aliases.map(|alias| alias.as_str().to_owned()).collect(),
            description: live.context.description.clone(),
            metadata: live.context.schema.document().clone(),
        }
    });
    let view = ContextsView {
        contexts: contexts.collect(),
    };
    Ok(Json::new(&view).private())
}
