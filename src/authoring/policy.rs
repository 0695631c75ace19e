//! A tenant's policy and name, changed by its owners. A policy under which something live would no longer be sound is refused.

use serde_json::{Map, Value, json};

use super::live_set::{LiveSet, broken_by};
use crate::domain::fault::Fault;
use crate::domain::policy::Policy;
use crate::store::tenant_tx::TenantTx;
use crate::store::tenants::TenantRow;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;

/// The tenant with its policy document.
pub async fn tenant(tx: &mut TenantTx) -> Result<TenantRow, Refusal> {
    tx.tenant_row().await?.ok_or(Refusal::NotFound)
}

/// Replaces the policy, whose tenant was read under `lock_authoring`.
pub async fn replace(
    change: &mut Change,
    before: &TenantRow,
    document: &Map<String, Value>,
) -> Result<TenantRow, Refusal> {
    let policy = Policy::parse(document).map_err(Refusal::Invalid)?;
    let document = policy.to_document();
    if document == before.policy {
        return Ok(before.clone());
    }
    let now = change.now;
    let mut moments = vec![now];
    moments.extend(change.tx.coming_moments(now).await?);
    let mut pictures = Vec::new();
    for moment in &moments {
        pictures.push(LiveSet::at(&mut change.tx, *moment).await?);
    }
    change.tx.update_tenant(&before.name, &document).await?;
    let mut broken: Vec<Fault> = Vec::new();
    for (moment, picture) in moments.iter().zip(&pictures) {
        let after = LiveSet::at(&mut change.tx, *moment).await?;
        let found = broken_by(picture, &after, None).into_iter();
        broken.extend(
            found
                .filter(|fault| !broken.contains(fault))
                .collect::<Vec<_>>(),
        );
    }
    if !broken.is_empty() {
        return Err(Refusal::DocumentInvalid(broken));
    }
    let details = json!({ "changed": ["policy"], "before": before.policy, "after": document });
    change
        .note("tenant.change", &target(before), details)
        .await?;
    tenant(&mut change.tx).await
}

/// Changes the tenant's name for people.
pub async fn rename(
    change: &mut Change,
    before: &TenantRow,
    name: &str,
) -> Result<TenantRow, Refusal> {
    if name == before.name {
        return Ok(before.clone());
    }
    change.tx.update_tenant(name, &before.policy).await?;
    let details = json!({ "changed": ["name"], "before": before.name, "after": name });
    change
        .note("tenant.change", &target(before), details)
        .await?;
    tenant(&mut change.tx).await
}

fn target(tenant: &TenantRow) -> String {
    format!("tenant/{}", tenant.slug)
}

/// A policy after a JSON merge patch (RFC 7396): objects are merged, null takes a member away.
pub fn merged(policy: &Map<String, Value>, patch: Map<String, Value>) -> Map<String, Value> {
    let mut merged = policy.clone();
    for (name, value) in patch {
        match (merged.get_mut(&name), value) {
            (_, Value::Null) => {
                merged.remove(&name);
            }
            (Some(Value::Object(below)), Value::Object(patch)) => {
                *below = self::merged(below, patch);
            }
            (_, Value::Object(patch)) => {
                merged.insert(name, Value::Object(self::merged(&Map::new(), patch)));
            }
            (_, value) => {
                merged.insert(name, value);
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_works_as_the_rfc_shows() {
        // RFC 7396, appendix A.
        for (target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (
                json!({"a":"b","b":"c"}),
                json!({"a":null}),
                json!({"b":"c"}),
            ),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (
                json!({"a":{"b":"c"}}),
                json!({"a":{"b":"d","c":null}}),
                json!({"a":{"b":"d"}}),
            ),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (
                json!({}),
                json!({"a":{"bb":{"ccc":null}}}),
                json!({"a":{"bb":{}}}),
            ),
        ] {
            let of = |value: &Value| value.as_object().unwrap().clone();
            assert_eq!(
                Value::Object(merged(&of(&target), of(&patch))),
                result,
                "{patch}"
            );
        }
    }
}
