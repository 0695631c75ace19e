//! Anam's settings of a persona, beside the catalogue and the policy.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Surroundings;
use crate::domain::catalogue::Catalogue;
use crate::domain::catalogue_kind::CatalogueKind;
use crate::domain::fault::{Fault, step};
use crate::domain::finding::Finding;
use crate::domain::key::Key;
use crate::domain::policy::Policy;
use crate::domain::settings::{NamedId, Settings};
use crate::domain::tool::references::references_of;
use crate::domain::wrong::Wrong;

/// Findings of a persona's settings; `given` where a context gives the persona, `document` as it is written.
pub(super) fn findings(
    document: &Map<String, Value>,
    settings: &Settings,
    given: bool,
    around: &Surroundings<'_>,
) -> Vec<Finding> {
    let policy = &around.snapshot.policy;
    let mut findings = ids(settings, around);
    let missing = laid_into(settings, policy);
    // One that is there and can't be read is a fault already.
    let missing = missing
        .missing()
        .filter(|field| !document.contains_key(*field));
    for field in missing {
        let advice = "Choose one, or set a default for all personas in the policy";
        findings.push(if given {
            Finding::unready(step(field), Wrong::NoDefault, advice)
        } else {
            Finding::warning(step(field), Wrong::NoDefault, advice)
        });
    }
    findings.extend(unsuitable(settings, &around.snapshot.catalogue));
    let faults = missing_secrets(settings, policy, around.secrets).into_iter();
    findings.extend(faults.map(|fault| Finding::of_fault(fault, "")));
    findings.extend(settings.plain_credentials().map(|plain| {
        let finding = Finding::of_fault(plain.to_fault(), "");
        if plain.is_certain {
            finding
        } else {
            finding.as_warning()
        }
    }));
    findings.extend(
        clashes_with_policy(settings, policy)
            .into_iter()
            .map(|fault| {
                Finding::of_fault(
                    fault,
                    "Change the persona, or the policy's defaults and locks",
                )
            }),
    );
    findings
}

/// Ids that can't be chosen, distinguished from those that could once.
fn ids(settings: &Settings, around: &Surroundings<'_>) -> Vec<Finding> {
    let document = settings.to_document();
    let strange = strangers(&document, &around.snapshot.catalogue);
    let findings = strange.map(|named| {
        if around.retired.contains(&(named.kind, named.id.to_owned())) {
            Finding::error(
                named.pointer(),
                Wrong::Retired(named.kind.as_str()),
                "Choose one that Anam still has, or sync the catalogue",
            )
        } else {
            Finding::of_fault(
                stranger(&named),
                "Choose from the catalogue, or add the id to it",
            )
        }
    });
    findings.collect()
}

/// What the catalogue knows of the chosen things that does not go with the rest.
fn unsuitable(settings: &Settings, catalogue: &Catalogue) -> Vec<Finding> {
    let find = |kind: CatalogueKind, id: &Option<String>| {
        id.as_ref().and_then(|id| catalogue.find(kind, id))
    };
    let mut findings = Vec::new();
    if let (Some(model), Some(avatar)) = (
        settings.avatar_model,
        find(CatalogueKind::Avatar, &settings.avatar_id),
    ) && !avatar.can_render(model)
    {
        findings.push(Finding::error(
            "/avatarModel",
            Wrong::NotRendered {
                name: avatar.name.clone(),
                model: model.as_str(),
            },
            "Choose a model of the avatar's availableVersions, or another avatar",
        ));
    }
    let voice = find(CatalogueKind::Voice, &settings.voice_id);
    if let (Some(options), Some(provider)) = (
        &settings.voice_generation_options,
        voice.and_then(|voice| voice.provider()),
    ) && !options.families().contains(&provider)
    {
        findings.push(Finding::warning(
            "/voiceGenerationOptions",
            Wrong::VoiceOptions(provider.to_owned()),
            "Use the options of that provider, or another voice",
        ));
    }
    let llm = find(CatalogueKind::Llm, &settings.llm_id);
    for (field, entry) in [("voiceId", voice), ("llmId", llm)] {
        if settings.zero_data_retention == Some(true)
            && entry.is_some_and(|entry| !entry.retains_nothing())
        {
            findings.push(Finding::warning(
                step(field),
                Wrong::Retains,
                "Choose one that does, or sync the catalogue",
            ));
        }
    }
    findings
}

fn strangers<'d>(
    document: &'d Map<String, Value>,
    catalogue: &Catalogue,
) -> impl Iterator<Item = NamedId<'d>> {
    let named = Settings::named_ids(document).into_iter();
    named.filter(|named| {
        catalogue.limits(named.kind) && catalogue.find(named.kind, named.id).is_none()
    })
}

fn stranger(named: &NamedId<'_>) -> Fault {
    Fault::new(named.pointer(), Wrong::NotInCatalogue(named.kind.as_str()))
}

/// Secrets that the tools of a persona refer to, be they its own or the policy's, and that the tenant does not have.
pub fn missing_secrets(
    settings: &Settings,
    policy: &Policy,
    secrets: &BTreeSet<Key>,
) -> Vec<Fault> {
    let layers = [&*policy.locks, settings, &*policy.defaults];
    let tools = layers.into_iter().find_map(|layer| layer.tools.as_deref());
    references_of(tools.unwrap_or_default())
        .filter(|(_, name)| !secrets.contains(name))
        .map(|(at, name)| {
            let message = format!(
                "refers to the secret `{name}`, which is not set; set it with PUT /v1/admin/secrets/{name}, or by `secrets` in a bundle"
            );
            Fault::new(at, Wrong::NoSecret(name.to_string()).worded(message))
        })
        .collect()
}

/// Credentials in plain text that this version adds.
pub fn plain_credentials(settings: &Settings) -> Vec<Fault> {
    let certain = settings
        .plain_credentials()
        .filter(|plain| plain.is_certain);
    certain.map(|plain| plain.to_fault()).collect()
}

/// What the persona and the policy say together and Anam would refuse, though each is right alone.
pub fn clashes_with_policy(settings: &Settings, policy: &Policy) -> Vec<Fault> {
    let own = settings.check();
    let together = laid_into(settings, policy).check().into_iter();
    let faults = together
        .filter(|fault| !own.contains(fault))
        .map(|mut fault| {
            fault
                .message
                .push_str(" (together with the tenant's policy)");
            fault
        });
    faults.collect()
}

/// The settings of a persona between the policy's defaults and its locks.
pub fn laid_into(settings: &Settings, policy: &Policy) -> Settings {
    policy.defaults.overlaid(settings).overlaid(&policy.locks)
}
