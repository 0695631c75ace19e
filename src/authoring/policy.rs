//! A tenant's policy and name, changed by its owners. A policy under which something live would no longer be sound is refused.

use serde_json::{Map, Value, json};

use super::secrets;
use super::soundness::LiveBefore;
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
    let known = Policy::parse(&before.policy).unwrap_or_default();
    refuse_weakening(change, &known, &policy)?;
    let names = secrets::names(&mut change.tx).await?;
    let faults = secrets::faults_of_policy(&known, &policy, &names);
    if !faults.is_empty() {
        return Err(Refusal::Invalid(faults));
    }
    update(change, &before.name, &document).await?;
    let details = json!({ "changed": ["policy"], "before": before.policy, "after": document });
    change.note("tenant.change", &target(before), details);
    tenant(&mut change.tx).await
}

/// What asks less of admins than before, only somebody may decide who has shown of late who they are.
pub(super) fn refuse_weakening(
    change: &Change,
    before: &Policy,
    after: &Policy,
) -> Result<(), Refusal> {
    if before.is_weakened_by(after) && !change.is_recent() {
        return Err(Refusal::NotRecent);
    }
    Ok(())
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
    update(change, name, &before.policy).await?;
    let details = json!({ "changed": ["name"], "before": before.name, "after": name });
    change.note("tenant.change", &target(before), details);
    tenant(&mut change.tx).await
}

/// Writes both, unless something live would break by it: a persona that no longer fits, a test that would fail.
async fn update(
    change: &mut Change,
    name: &str,
    policy: &Map<String, Value>,
) -> Result<(), Refusal> {
    let now = change.now;
    let live = LiveBefore::take(change, now).await?;
    change.tx.update_tenant(name, policy).await?;
    let broken = live.broken(change, &[]).await?;
    if broken.is_empty() {
        return Ok(());
    }
    Err(Refusal::documents(broken))
}

fn target(tenant: &TenantRow) -> String {
    format!("tenant/{}", tenant.slug)
}
