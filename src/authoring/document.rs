//! What applying looks at in single documents: pins, ids, and what changed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::bundle::Bundle;
use crate::domain::catalogue::{Catalogue, CatalogueKind};
use crate::domain::context::Context;
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::key::Key;
use crate::domain::persona::Persona;
use crate::domain::policy::Policy;
use crate::domain::preferences::catalogue_kind;
use crate::domain::snapshot::LivePersona;
use crate::store::documents::DocumentKind;

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

/// Whether the bundle speaks of this kind of documents, and not of this one.
pub(super) fn is_left_out(bundle: &Bundle, kind: DocumentKind, key: &Key) -> bool {
    let listed = match kind {
        DocumentKind::Snippet => bundle.snippets.contains_key(key),
        DocumentKind::Persona => bundle.personas.contains_key(key),
        DocumentKind::Context => bundle.contexts.contains_key(key),
    };
    bundle.sections.contains(&kind) && !listed
}

/// The personas that a context gives and that do not exist.
pub(super) fn missing_personas(
    context: &Context,
    is_persona: impl Fn(&Key) -> bool,
) -> BTreeSet<&Key> {
    context.personas().filter(|key| !is_persona(key)).collect()
}

/// Whether two issuers' configurations have an audience in common.
pub(super) fn shares_audience(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let of = |config: &Map<String, Value>| {
        let listed = config.get("audiences").and_then(Value::as_array);
        listed.cloned().unwrap_or_default()
    };
    let theirs = of(other);
    of(one).iter().any(|audience| theirs.contains(audience))
}

/// Pins on versions that were never sealed.
pub(super) fn pins_nothing(persona: &Persona, sealed: &BTreeSet<(String, i32)>) -> Vec<Fault> {
    let pins = persona.snippets.iter();
    pins.filter(|(key, number)| !sealed.contains(&(key.as_str().to_owned(), **number)))
        .map(|(key, number)| {
            Fault::new(
                format!("/snippets{}", step(key.as_str())),
                format!("the snippet `{key}` has no version {number}"),
            )
        })
        .collect()
}

/// The issuer URL of a stored configuration.
pub(super) fn url_of(config: &Map<String, Value>) -> &str {
    config
        .get("issuer")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// What the persona and the policy say together and Anam would refuse, though each is right alone.
pub(super) fn clashes_with_policy(key: &Key, persona: Persona, policy: &Policy) -> Vec<Fault> {
    let live = LivePersona::new(key, 0, String::new(), persona, policy, Vec::new());
    let faults = live.settings.check().into_iter().map(|mut fault| {
        fault
            .message
            .push_str(" (together with the tenant's policy)");
        fault
    });
    faults.collect()
}

/// What Anam must be told of a persona and nobody says.
pub(super) fn missing_ids(persona: &Persona, policy: &Policy) -> Vec<&'static str> {
    let own = &persona.settings;
    let layers = [&policy.locks, own, &policy.defaults];
    let fields = [
        (
            "avatarId",
            layers.iter().any(|layer| layer.avatar_id.is_some()),
        ),
        (
            "voiceId",
            layers.iter().any(|layer| layer.voice_id.is_some()),
        ),
        ("llmId", layers.iter().any(|layer| layer.llm_id.is_some())),
    ];
    let missing = fields.into_iter().filter(|(_, is_set)| !is_set);
    missing.map(|(field, _)| field).collect()
}
