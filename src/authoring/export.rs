//! Writes a tenant out as the bundle that would make it again. Secrets stay where they are.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::apply::whole;
use super::bundle::CATALOGUE_SECTIONS;
use super::world::MAX_SAMPLE_USERS;
use crate::store::StoreError;
use crate::store::documents::DocumentKind;
use crate::store::tenant_tx::TenantTx;

/// What is live for the transaction's tenant, as a bundle; `None` where it does not exist.
pub async fn export(tx: &mut TenantTx, now: DateTime<Utc>) -> Result<Option<Value>, StoreError> {
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

    let catalogue = tx.catalogue().await?;
    let mut sections = Map::new();
    for (section, kind) in CATALOGUE_SECTIONS {
        let entries: Vec<Value> = catalogue
            .of(kind)
            .iter()
            .filter_map(|entry| serde_json::to_value(entry).ok())
            .collect();
        if !entries.is_empty() {
            sections.insert(section.into(), entries.into());
        }
    }
    bundle.insert("catalogue".into(), Value::Object(sections));

    let live = tx.released_versions(now, 1).await?;
    let version_of = |key: &str| {
        live.iter()
            .find(|row| row.kind == DocumentKind::Snippet && row.key == key)
            .map(|row| row.number)
    };
    for (section, kind) in [
        ("snippets", DocumentKind::Snippet),
        ("personas", DocumentKind::Persona),
        ("contexts", DocumentKind::Context),
    ] {
        let mut documents = Map::new();
        for row in live.iter().filter(|row| row.kind == kind) {
            let mut content = row.content.clone();
            forget_current_pins(&mut content, &version_of);
            documents.insert(row.key.clone(), Value::Object(content));
        }
        bundle.insert(section.into(), Value::Object(documents));
    }
    let users = tx.sample_users(None, MAX_SAMPLE_USERS).await?;
    let users = users.into_iter().map(|row| {
        let user = whole(&row.description, row.content);
        (row.key, Value::Object(user))
    });
    bundle.insert("sampleUsers".into(), Value::Object(users.collect()));
    Ok(Some(Value::Object(bundle)))
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
