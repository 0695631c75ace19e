//! What applying looks at in single documents.

use std::collections::BTreeSet;

use crate::domain::context::Context;
use crate::domain::fault::{Fault, step};
use crate::domain::key::Key;
use crate::domain::persona::Persona;
use crate::domain::wrong::Wrong;

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
                Wrong::NoVersion {
                    name: key.to_string(),
                    version: *number,
                },
            )
        })
        .collect()
}
