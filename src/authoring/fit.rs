//! Whether the contexts of a bundle fit together with what stays live beside it.

use super::apply::Live;
use super::bundle::Bundle;
use super::document::{is_left_out, missing_personas};
use crate::domain::context::Context;
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::key::Key;
use crate::domain::schema::Room;
use crate::store::documents::DocumentKind;

/// Every context that will be live gives personas that will be live, under names that no other has.
pub(super) fn contexts_fit(bundle: &Bundle, live: &Live, prune: bool) -> Vec<Fault> {
    let stays = |kind: DocumentKind, key: &Key| {
        live.contains_key(&(kind, key.clone())) && !(prune && is_left_out(bundle, kind, key))
    };
    let is_persona =
        |key: &Key| bundle.personas.contains_key(key) || stays(DocumentKind::Persona, key);
    let others: Vec<(&Key, Context)> = live
        .iter()
        .filter(|((kind, key), _)| {
            *kind == DocumentKind::Context
                && !bundle.contexts.contains_key(key)
                && stays(*kind, key)
        })
        .filter_map(|((_, key), row)| {
            let context = Context::parse_sealed(&row.content, &mut Room::default());
            Some((key, context.ok()?))
        })
        .collect();
    let mut faults = Faults::new();
    for (key, context) in &bundle.contexts {
        let at = format!("/contexts{}", step(key.as_str()));
        for persona in missing_personas(context, is_persona) {
            faults.add(
                &at,
                format!(
                    "gives the persona `{persona}`, which neither the bundle nor the tenant has"
                ),
            );
        }
        for (other, theirs) in &others {
            if theirs.aliases.contains(key) {
                faults.add(
                    &at,
                    format!("is an alias of the context `{other}`, which the bundle does not have"),
                );
            }
            for (index, alias) in context.aliases.iter().enumerate() {
                if *other == alias || theirs.aliases.contains(alias) {
                    faults.add(
                        format!("{at}/aliases/{index}"),
                        format!(
                            "means the context `{other}` already, which the bundle does not have"
                        ),
                    );
                }
            }
        }
    }
    for (other, context) in &others {
        for persona in missing_personas(context, is_persona) {
            if live.contains_key(&(DocumentKind::Persona, persona.clone())) {
                faults.add(
                    "/personas",
                    format!("pruning would remove the persona `{persona}`, which the context `{other}` gives"),
                );
            }
        }
    }
    faults.into_vec()
}
