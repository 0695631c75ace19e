//! `GET /v1/me/options`: what this user may choose.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::domain::catalogue::{Catalogue, CatalogueEntry};
use crate::domain::catalogue_kind::CatalogueKind;
use crate::web::operation::{Answer, Json, User, operations};

operations! {
    "Preferences";

    "/v1/me/options" {
        /// Returns what this user may choose from, in the tenant's order.
        GET getOptions => get;
    }
}

/// What can be chosen.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Options)]
pub struct OptionsView {
    /// For `avatarId`.
    pub avatars: Vec<OptionView>,
    /// For `voiceId`.
    pub voices: Vec<OptionView>,
    /// For `llmId`.
    pub llms: Vec<OptionView>,
    /// For `languageCode`.
    pub languages: Vec<OptionView>,
    /// Preferences that this tenant adds, and what each may be.
    #[schema(value_type = Object)]
    pub preferences: Map<String, Value>,
}

/// One thing to choose.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Choice)]
pub struct OptionView {
    /// What to put into the preference.
    pub id: String,
    /// The name that people see.
    pub name: String,
    /// What else is known of it: pictures, provider, description.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Value>,
}

async fn get(user: User) -> Answer<Json<OptionsView>> {
    let snapshot = &user.tenant.snapshot;
    let fields = snapshot.policy.preference_fields.iter();
    let view = OptionsView {
        avatars: options(&snapshot.catalogue, CatalogueKind::Avatar),
        voices: options(&snapshot.catalogue, CatalogueKind::Voice),
        llms: options(&snapshot.catalogue, CatalogueKind::Llm),
        languages: options(&snapshot.catalogue, CatalogueKind::Language),
        preferences: fields
            .map(|(name, field)| (name.clone(), field.to_document()))
            .collect(),
    };
    Ok(Json::new(&view).private())
}

fn options(catalogue: &Catalogue, kind: CatalogueKind) -> Vec<OptionView> {
    let view = |entry: &CatalogueEntry| {
        let mut attributes = entry.attributes.clone();
        attributes.retain(|name, _| name != "id" && name != "name");
        OptionView {
            id: entry.id.clone(),
            name: entry.name.clone(),
            attributes,
        }
    };
    catalogue.entries(kind).iter().map(view).collect()
}
