//! Made-up users, for previews and tests.

use serde_json::{Value, json};

use super::{Member, Schemas};
use crate::domain::caller::{Facts, Subject};
use crate::domain::fault::Fault;
use crate::domain::issuer::ClaimMap;
use crate::domain::preferences::Preferences;
use crate::domain::sample_user::{self, MAX_MEMBERS, MAX_PREFERENCE_CHARS};

/// The `sub` of a user's tokens.
impl Member for Subject {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        sample_user::subject(&value)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "minLength": 1, "maxLength": Self::MAX_CHARS })
    }
}

/// The facts that a token's claims would give.
impl Member for Facts {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        sample_user::facts(&value)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({
            "type": "object",
            "maxProperties": MAX_MEMBERS,
            "additionalProperties": {
                "type": ["string", "number", "boolean", "array"],
                "maxLength": ClaimMap::MAX_TEXT_CHARS,
                "maxItems": ClaimMap::MAX_LIST_ITEMS,
                "items": { "type": ["string", "number", "boolean"], "maxLength": ClaimMap::MAX_TEXT_CHARS },
            },
        })
    }
}

/// What a user has chosen.
impl Member for Preferences {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        sample_user::preferences(&value)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({
            "type": "object",
            "maxProperties": MAX_MEMBERS,
            "additionalProperties": { "type": ["string", "number", "boolean"], "maxLength": MAX_PREFERENCE_CHARS },
        })
    }
}
