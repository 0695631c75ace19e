//! Who would miss an entry of the catalogue: live documents, the policy, and users who chose it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::domain::catalogue_kind::CatalogueKind;
use crate::domain::document::DocumentKind;
use crate::domain::fault::step;
use crate::domain::settings::Settings;
use crate::store::StoreError;
use crate::store::tenant_tx::TenantTx;

/// Who uses one entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// Where live documents and the policy name it.
    pub places: Vec<Reference>,
    /// How many users chose it.
    pub users: i64,
}

/// A place that names an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The live persona's key and version; `None` for the tenant's policy.
    pub persona: Option<(String, i32)>,
    /// Where in it: an RFC 6901 pointer.
    pub pointer: String,
}

/// An entry: kind and id.
pub type EntryName = (CatalogueKind, String);

/// The preferences by which users choose entries of a kind.
fn choices(kind: CatalogueKind) -> impl Iterator<Item = &'static str> {
    let of_kind = Settings::TABLE
        .iter()
        .filter(move |setting| setting.catalogue == Some(kind) && setting.choice.is_some());
    of_kind.map(|setting| setting.name)
}

pub async fn usage(
    tx: &mut TenantTx,
    entries: &[EntryName],
    now: DateTime<Utc>,
) -> Result<BTreeMap<EntryName, Usage>, StoreError> {
    let mut used: BTreeMap<EntryName, Usage> = BTreeMap::new();
    if entries.is_empty() {
        return Ok(used);
    }
    for entry in entries {
        used.insert(entry.clone(), Usage::default());
    }
    let rollouts = tx.rollouts(now).await?.into_iter().map(|(row, _)| row);
    for row in tx
        .released_versions(now, 1)
        .await?
        .into_iter()
        .chain(rollouts)
    {
        if row.kind == DocumentKind::Persona {
            let persona = (row.key, row.number);
            note(&mut used, Some(&persona), "", &row.content);
        }
    }
    if let Some(tenant) = tx.tenant_row().await? {
        for part in ["defaults", "locks"] {
            if let Some(Value::Object(settings)) = tenant.policy.get(part) {
                note(&mut used, None, &step(part), settings);
            }
        }
    }
    for kind in CatalogueKind::ALL {
        let of_kind = entries.iter().filter(|(of, _)| *of == kind);
        let ids: Vec<String> = of_kind.map(|(_, id)| id.clone()).collect();
        if ids.is_empty() {
            continue;
        }
        for field in choices(kind) {
            for (id, users) in tx.users_who_chose(field, &ids).await? {
                if let Some(usage) = used.get_mut(&(kind, id)) {
                    usage.users = usage.users.saturating_add(users);
                }
            }
        }
    }
    Ok(used)
}

/// Notes each place of some settings that names one of the entries.
fn note(
    used: &mut BTreeMap<EntryName, Usage>,
    persona: Option<&(String, i32)>,
    prefix: &str,
    settings: &Map<String, Value>,
) {
    for named in Settings::named_ids(settings) {
        if let Some(usage) = used.get_mut(&(named.kind, named.id.to_owned())) {
            usage.places.push(Reference {
                persona: persona.cloned(),
                pointer: format!("{prefix}{}", named.pointer()),
            });
        }
    }
}
