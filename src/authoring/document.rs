//! What applying looks at in single documents: pins, ids, and what changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::domain::catalogue::{Catalogue, CatalogueKind};
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::key::Key;
use crate::domain::persona::Persona;
use crate::domain::preferences::catalogue_kind;
use crate::domain::template::{Template, TemplateKind};

/// The persona with a version for each snippet that its prompt includes; pins that the bundle gives stay.
pub(super) fn pinned(
    content: &Map<String, Value>,
    versions: &BTreeMap<Key, i32>,
) -> Map<String, Value> {
    let used = content
        .get("systemPrompt")
        .and_then(Value::as_str)
        .and_then(|source| Template::compile(source, TemplateKind::Prompt).ok())
        .map(|prompt| prompt.snippets().to_vec())
        .unwrap_or_default();
    if used.is_empty() {
        return content.clone();
    }
    let mut content = content.clone();
    let pins = content.entry("snippets").or_insert_with(|| json!({}));
    if let Value::Object(pins) = pins {
        for key in used {
            if let Some(number) = versions
                .get(key.as_str())
                .filter(|_| !pins.contains_key(&key))
            {
                pins.insert(key, (*number).into());
            }
        }
    }
    content
}

/// Ids that the tenant's catalogue does not have; a kind of which it has none is not limited.
pub(super) fn not_in_catalogue(persona: &Persona, catalogue: &Catalogue) -> Vec<Fault> {
    let settings = &persona.settings;
    let mut faults = Faults::new();
    let fields = [
        ("avatarId", &settings.avatar_id),
        ("voiceId", &settings.voice_id),
        ("llmId", &settings.llm_id),
        ("languageCode", &settings.language_code),
    ];
    for (field, id) in fields {
        let Some((kind, id)) = catalogue_kind(field).zip(id.as_ref()) else {
            continue;
        };
        if !catalogue.of(kind).is_empty() && catalogue.find(kind, id).is_none() {
            faults.add(
                step(field),
                format!("is not in the tenant's catalogue of {}s", kind.as_str()),
            );
        }
    }
    for (index, id) in settings.tool_ids.iter().flatten().enumerate() {
        if !catalogue.of(CatalogueKind::Tool).is_empty()
            && catalogue.find(CatalogueKind::Tool, id).is_none()
        {
            faults.add(
                format!("/toolIds/{index}"),
                "is not in the tenant's catalogue of tools",
            );
        }
    }
    faults.into_vec()
}

/// The names of members that differ.
pub(super) fn changed_members(before: &Map<String, Value>, after: &Map<String, Value>) -> String {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed: Vec<&str> = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(String::as_str)
        .collect();
    changed.join(", ")
}
