//! What applying looks at in single documents: pins, ids, and what changed.

use std::collections::BTreeSet;

use super::bundle::Bundle;
use crate::domain::context::Context;
use crate::domain::fault::{Fault, step};
use crate::domain::key::Key;
use crate::domain::persona::Persona;
use crate::store::documents::DocumentKind;

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
