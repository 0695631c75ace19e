//! Drafts, versions and contents that somebody wants to try out.

use serde_json::{Value, json};

use crate::authoring::uses::{MAX_USES, Use};
use crate::domain::document::DocumentKind;
use crate::domain::fault::Fault;
use crate::domain::key::Key;
use crate::web::input::{List, Member, Schemas, VersionNumber};

/// Drafts, versions and contents that are put in place of what is there; the later over the earlier.
pub(in crate::api::admin) type Uses = List<Use, 0, MAX_USES>;

impl Member for Use {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        Self::parse(value)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.named("Use", |schemas| {
            let (kind, key, version) = (
                DocumentKind::schema(schemas),
                <Key as Member>::schema(schemas),
                <VersionNumber as Member>::schema(schemas),
            );
            json!({
                "description": "A draft, by its id; a sealed version; or what a document would say, saved nowhere",
                "oneOf": [
                    {
                        "type": "object",
                        "required": ["draft"],
                        "properties": { "draft": { "type": "string", "format": "uuid" } },
                        "additionalProperties": false,
                    },
                    {
                        "type": "object",
                        "required": ["kind", "key", "version"],
                        "properties": { "kind": kind, "key": key, "version": version },
                        "additionalProperties": false,
                    },
                    {
                        "type": "object",
                        "required": ["kind", "key", "content"],
                        "properties": { "kind": kind, "key": key, "content": { "type": "object" } },
                        "additionalProperties": false,
                    },
                ],
            })
        })
    }
}
