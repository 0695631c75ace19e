//! What may be used and chosen.

use serde_json::json;

use super::Definitions;
use super::words::{Schema, object};
use crate::authoring::bundle::{CATALOGUE_SECTIONS, MAX_ID_BYTES, MAX_NAME_CHARS};

/// `catalogue` and its entries.
pub(super) fn definitions() -> Definitions {
    let sections = CATALOGUE_SECTIONS.map(|(section, _)| {
        let about = format!("The {section} that personas may use and users may choose. Replaces the stored list; an empty one limits nothing.");
        (section, Schema::list(&about, Schema::link("catalogueEntry")))
    });
    let catalogue = object(
        "What may be used and chosen, kind by kind.",
        sections.to_vec(),
    );
    vec![("catalogue", catalogue), ("catalogueEntry", entry())]
}

fn entry() -> Schema {
    object(
        "One thing that may be chosen.",
        vec![
            (
                "id",
                Schema::text("Anam's id, or a language code. Once in each list.")
                    .chars(1..=MAX_ID_BYTES)
                    .examples([json!("071b0286-4cce-4808-bee2-e642f1062de3"), json!("en")]),
            ),
            (
                "name",
                Schema::text("What people read.").chars(1..=MAX_NAME_CHARS).examples([json!("Liv")]),
            ),
            (
                "attributes",
                Schema::anything("What else users should see.").with(
                    "properties",
                    json!({
                        "provider": {
                            "description": "A voice's provider; voice options that do not suit it are left out.",
                            "examples": [crate::domain::settings::ELEVENLABS, crate::domain::settings::CARTESIA, crate::domain::settings::FISH_AUDIO],
                        },
                        "availableVersions": {
                            "description": "Models that can render an avatar; left out, all.",
                            "examples": [["cara-3", "cara-4"]],
                        },
                        "activeVersion": { "description": "The model that renders an avatar where nobody names one." },
                        "isZdr": { "description": "Whether a voice or an LLM takes part in zero data retention." },
                    }),
                ),
            ),
        ],
    )
    .required(["id", "name"])
}
