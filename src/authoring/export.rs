//! Writes a tenant out as the bundle that would make it again, in the order in which people write it. Secrets stay where they are.

pub mod order;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use self::order::in_order;
use super::apply::whole;
use super::bundle::CATALOGUE_SECTIONS;
use super::scenario::MAX_SAMPLE_USERS;
use crate::domain::document::DocumentKind;
use crate::sources::SourceError;
use crate::sources::load::served_versions;
use crate::store::documents::VersionRow;
use crate::store::tenant_tx::TenantTx;

/// What mints get of the transaction's tenant, as a bundle; `None` where it does not exist.
pub async fn export(tx: &mut TenantTx) -> Result<Option<Value>, SourceError> {
    let Some(tenant) = tx.tenant_row().await? else {
        return Ok(None);
    };
    let mut bundle = Map::new();
    bundle.insert("tenant".into(), tenant.slug.into());
    bundle.insert("name".into(), tenant.name.into());
    bundle.insert("policy".into(), Value::Object(tenant.policy));

    let stored = tx.tenant_issuers().await?;
    let issuers = stored.into_iter().filter(|row| row.enabled).map(|row| {
        let mut issuer = row.config;
        if row.shared_secret.is_some() {
            issuer.insert("secret".into(), json!({ "stored": true }));
        }
        Value::Object(issuer)
    });
    bundle.insert("issuers".into(), Value::Array(issuers.collect()));
    if tx.active_provider_key().await?.is_some() {
        bundle.insert("providerKey".into(), json!({ "stored": true }));
    }

    let names = tx.secret_names().await?;
    if !names.is_empty() {
        let stored = names
            .into_iter()
            .map(|name| (name, json!({ "stored": true })));
        bundle.insert("secrets".into(), Value::Object(stored.collect()));
    }

    let catalogue = tx.catalogue().await?;
    let mut sections = Map::new();
    for (section, kind) in CATALOGUE_SECTIONS {
        let entries: Vec<Value> = catalogue
            .entries(kind)
            .iter()
            .filter_map(|entry| serde_json::to_value(entry).ok())
            .collect();
        if !entries.is_empty() {
            sections.insert(section.into(), entries.into());
        }
    }
    bundle.insert("catalogue".into(), Value::Object(sections));

    let moment = tx.moment().await?;
    let live = served_versions(tx, moment).await?;
    let version_of = |key: &str| {
        live.iter()
            .find(|row| row.kind == DocumentKind::Snippet && row.key == key)
            .map(|row| row.number)
    };
    let mut pins = BTreeSet::new();
    for kind in DocumentKind::ALL {
        let mut documents = Map::new();
        for row in live.iter().filter(|row| row.kind == kind) {
            let mut content = row.content.clone();
            forget_current_pins(&mut content, &version_of);
            if kind == DocumentKind::Persona {
                pins.extend(pins_of(&content));
            }
            documents.insert(row.key.clone(), Value::Object(content));
        }
        bundle.insert(kind.section().into(), Value::Object(documents));
    }
    if !pins.is_empty()
        && let Some(Value::Object(snippets)) = bundle.get_mut("snippets")
    {
        for row in tx.snippet_versions().await? {
            if pins.contains(&(row.key.clone(), row.number)) {
                add_version(snippets, row);
            }
        }
    }
    let users = tx.sample_users(None, MAX_SAMPLE_USERS).await?;
    let users = users.into_iter().map(|row| {
        let user = whole(&row.description, row.content);
        (row.key, Value::Object(user))
    });
    bundle.insert("sampleUsers".into(), Value::Object(users.collect()));
    Ok(Some(in_order(Value::Object(bundle))))
}

/// Adds an older version that a persona pins, so that the bundle holds all that the tenant needs.
fn add_version(snippets: &mut Map<String, Value>, row: VersionRow) {
    let snippet = snippets.entry(row.key).or_insert_with(|| json!({}));
    if let Value::Object(snippet) = snippet
        && let Value::Object(versions) = snippet.entry("versions").or_insert_with(|| json!({}))
    {
        versions.insert(row.number.to_string(), Value::Object(row.content));
    }
}

/// Snippet and number of each version that a persona pins.
fn pins_of(content: &Map<String, Value>) -> Vec<(String, i32)> {
    let pins = content.get("snippets").and_then(Value::as_object);
    let numbered = pins.into_iter().flatten().filter_map(|(key, number)| {
        let number = number.as_i64().and_then(|n| i32::try_from(n).ok())?;
        Some((key.clone(), number))
    });
    numbered.collect()
}

/// A pin on the live version is what applying would choose anyway.
fn forget_current_pins(
    content: &mut Map<String, Value>,
    version_of: &impl Fn(&str) -> Option<i32>,
) {
    let Some(Value::Object(pins)) = content.get_mut("snippets") else {
        return;
    };
    pins.retain(|key, number| version_of(key).map(Value::from).as_ref() != Some(number));
    if pins.is_empty() {
        content.remove("snippets");
    }
}
