//! A place that names something of the tenant's.

use serde::Serialize;
use utoipa::ToSchema;

use crate::tenants::catalogue::usage::Reference;

/// A place that names something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsagePlace)]
pub(in crate::api::admin) struct PlaceBody {
    /// What names it.
    #[schema(example = "persona")]
    kind: PlaceKind,
    /// The persona's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "support-agent")]
    key: Option<String>,
    /// Its version, which is live or scheduled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 4)]
    version: Option<i32>,
    /// Where in it: an RFC 6901 pointer.
    #[schema(example = "/avatarId")]
    pointer: String,
}

/// What names something.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UsagePlaceKind)]
enum PlaceKind {
    /// A persona.
    Persona,
    /// The tenant's policy.
    Policy,
}

impl From<Reference> for PlaceBody {
    fn from(place: Reference) -> Self {
        let (key, version) = place.persona.unzip();
        Self {
            kind: if key.is_some() {
                PlaceKind::Persona
            } else {
                PlaceKind::Policy
            },
            key,
            version,
            pointer: place.pointer,
        }
    }
}
