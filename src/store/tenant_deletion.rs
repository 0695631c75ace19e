//! A tenant goes, with every row of it: as the owner of the tables, since the run-time roles may delete nothing that is append-only.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::types::Json;
use sqlx::{Connection, PgConnection};

use super::StoreError;
use super::audit::{AuditEvent, PLATFORM};
use super::migrate::connect;
use crate::config::DatabaseUrl;
use crate::domain::ids::TenantId;

/// How often it is tried: a request that was under way may write another row meanwhile.
const TRIES: u32 = 10;

/// Deletes a tenant, in one transaction with its row in the platform's trail; gives how many rows went, by table.
pub async fn delete_tenant(
    owner_url: &DatabaseUrl,
    tenant: TenantId,
    event: &AuditEvent<'_>,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut connection = connect(owner_url).await?;
    let mut tries = 0;
    let outcome = loop {
        tries += 1;
        match delete_on(&mut connection, tenant, event).await {
            Err(StoreError::Conflict { .. }) if tries < TRIES => {}
            outcome => break outcome,
        }
    };
    connection.close().await?;
    outcome
}

async fn delete_on(
    connection: &mut PgConnection,
    tenant: TenantId,
    event: &AuditEvent<'_>,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut transaction = connection.begin().await?;
    look_at(&mut transaction, tenant).await?;
    // Whoever writes a row of this tenant has its row shared until they end: from here on nobody begins to.
    sqlx::query!("select from tenant where id = $1 for update", tenant.0)
        .execute(&mut *transaction)
        .await?;
    let trail = sqlx::query!(
        "select seq, encode(hash, 'hex') as hash from audit_event where tenant_id = $1 order by seq desc limit 1",
        tenant.0
    )
    .fetch_optional(&mut *transaction)
    .await?
    .map(|row| json!({ "seq": row.seq, "hash": row.hash }));
    let gone = sqlx::query_scalar!(
        r#"select delete_tenant($1) as "gone!: Json<BTreeMap<String, u64>>""#,
        tenant.0
    )
    .fetch_one(&mut *transaction)
    .await?
    .0;
    // Its row names the tenant, and belongs to none.
    sqlx::query!("delete from place_line where key = $1", tenant.0)
        .execute(&mut *transaction)
        .await?;
    look_at(&mut transaction, PLATFORM).await?;
    let mut details = event.details.clone();
    if let Some(members) = details.as_object_mut() {
        members.insert("rows".into(), json!(gone));
        members.insert("trail".into(), json!(trail));
    }
    sqlx::query!(
        "insert into audit_event (tenant_id, id, at, actor, action, target, request_id, details)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        PLATFORM.0,
        event.id,
        event.at,
        event.actor,
        event.action,
        event.target,
        event.request_id,
        details
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(gone)
}

/// The owner is subject to row security too.
async fn look_at(connection: &mut PgConnection, tenant: TenantId) -> Result<(), StoreError> {
    sqlx::query!(
        "select set_config('app.tenant', $1::uuid::text, true)",
        tenant.0
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}
