//! The table `tenant`.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::StoreError;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::domain::ids::TenantId;
use crate::domain::key::is_slug;
use crate::domain::places::SetShare;

/// A tenant as stored.
#[derive(Debug, Clone)]
pub struct TenantRow {
    pub id: TenantId,
    /// Its name in URLs and bundles.
    pub slug: String,
    pub name: String,
    /// False while the tenant is suspended.
    pub active: bool,
    /// Its policy document.
    pub policy: Map<String, Value>,
    /// What all its users may use at most, as an operator says: the members of a quota.
    pub quota: Map<String, Value>,
}

/// What of a tenant decides who may call.
#[derive(Debug, Clone)]
pub struct CallableTenant {
    pub id: TenantId,
    /// Its name in shared issuers' claims.
    pub slug: String,
    /// False while the tenant is suspended.
    pub active: bool,
    pub revision: i64,
    /// The policy's allowed origins; null where the policy has none.
    pub allowed_origins: Value,
}

/// A tenant as operators see it.
#[derive(Debug, Clone)]
pub struct TenantListing {
    pub id: TenantId,
    /// Its name in URLs and bundles.
    pub slug: String,
    pub name: String,
    /// False while the tenant is suspended.
    pub active: bool,
    /// Since when it is there.
    pub created_at: DateTime<Utc>,
    /// What all its users may use at most, as an operator says: the members of a quota.
    pub quota: Map<String, Value>,
    /// What it has of the platform's Anam key.
    pub places: SetShare,
}

impl PlatformTx {
    /// The id of the tenant with this slug. No tenant has what can be none.
    pub async fn tenant_by_slug(&mut self, slug: &str) -> Result<Option<TenantId>, StoreError> {
        if !is_slug(slug) {
            return Ok(None);
        }
        let id = sqlx::query_scalar!("select id from tenant where slug = $1", slug)
            .fetch_optional(self.connection())
            .await?;
        Ok(id.map(TenantId))
    }

    /// What of these tenants decides who may call; nothing of those that do not exist. The revision is at most as new as what is
    /// read of them later in this transaction.
    pub async fn callable_tenants(
        &mut self,
        tenants: &[TenantId],
    ) -> Result<Vec<CallableTenant>, StoreError> {
        let tenants: Vec<Uuid> = tenants.iter().map(|tenant| tenant.0).collect();
        let rows = sqlx::query!(
            r#"select t.id as "id!", t.slug as "slug!", t.status = 'active' as "active!", coalesce(r.revision, 0) as "revision!",
                      t.policy -> 'allowedOrigins' as "origins?: Json<Value>"
               from tenant t left join config_revision r on r.tenant_id = t.id where t.id = any($1)"#,
            &tenants
        )
        .fetch_all(self.connection())
        .await?;
        let tenants = rows.into_iter().map(|row| CallableTenant {
            id: TenantId(row.id),
            slug: row.slug,
            active: row.active,
            revision: row.revision,
            allowed_origins: row.origins.map(|origins| origins.0).unwrap_or_default(),
        });
        Ok(tenants.collect())
    }

    pub async fn tenant_ids(&mut self) -> Result<Vec<TenantId>, StoreError> {
        let ids = sqlx::query_scalar!("select id from tenant order by id")
            .fetch_all(self.connection())
            .await?;
        Ok(ids.into_iter().map(TenantId).collect())
    }

    /// Tenants by their name in URLs, from after `after` on.
    pub async fn tenants_page(
        &mut self,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<TenantListing>, StoreError> {
        let rows = sqlx::query!(
            r#"select t.id, slug, name, status = 'active' as "active!", created_at,
                      quota as "quota: Json<Map<String, Value>>",
                      coalesce(s.guaranteed, 0) as "guaranteed!", s.most as "most?"
               from tenant t left join place_share s on s.tenant_id = t.id
               where $1::text is null or slug > $1 order by slug limit $2"#,
            after,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        let tenants = rows.into_iter().map(|row| TenantListing {
            id: TenantId(row.id),
            slug: row.slug,
            name: row.name,
            active: row.active,
            created_at: row.created_at,
            quota: row.quota.0,
            places: SetShare {
                guaranteed: row.guaranteed.unsigned_abs(),
                most: row.most.map(i32::unsigned_abs),
            },
        });
        Ok(tenants.collect())
    }

    /// Tenants and their revisions (0 before the first change) in the order of their ids, from after `after` on.
    pub async fn revisions(
        &mut self,
        after: Option<TenantId>,
        limit: i64,
    ) -> Result<Vec<(TenantId, i64)>, StoreError> {
        let rows = sqlx::query!(
            r#"select t.id, coalesce(r.revision, 0) as "revision!"
               from tenant t left join config_revision r on r.tenant_id = t.id
               where $1::uuid is null or t.id > $1 order by t.id limit $2"#,
            after.map(|after| after.0),
            limit
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| (TenantId(row.id), row.revision))
            .collect())
    }
}

impl TenantTx {
    /// This transaction's tenant; `None` where it does not exist.
    pub async fn tenant_row(&mut self) -> Result<Option<TenantRow>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            r#"select id, slug, name, status = 'active' as "active!", policy as "policy: Json<Map<String, Value>>",
                      quota as "quota: Json<Map<String, Value>>"
               from tenant where id = $1"#,
            tenant
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| TenantRow {
            id: TenantId(row.id),
            slug: row.slug,
            name: row.name,
            active: row.active,
            policy: row.policy.0,
            quota: row.quota.0,
        }))
    }

    /// Nobody else who asks for this lock changes the tenant's documents until this transaction ends.
    pub async fn lock_authoring(&mut self) -> Result<(), StoreError> {
        self.take("authoring").await
    }

    /// This tenant's revision; 0 before its first change.
    pub async fn revision(&mut self) -> Result<i64, StoreError> {
        let tenant = self.tenant().0;
        let revision = sqlx::query_scalar!(
            "select revision from config_revision where tenant_id = $1",
            tenant
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(revision.unwrap_or_default())
    }

    /// Creates this transaction's tenant.
    pub async fn insert_tenant(&mut self, slug: &str, name: &str) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into tenant (id, slug, name) values ($1, $2, $3)",
            tenant,
            slug,
            name
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Has this transaction's tenant served, or not.
    pub async fn set_tenant_active(&mut self, active: bool) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        let status = if active { "active" } else { "suspended" };
        let mut step = self.platform_step().await?;
        sqlx::query!(
            "update tenant set status = $2 where id = $1",
            tenant,
            status
        )
        .execute(step.connection())
        .await?;
        step.end().await
    }

    /// Says what all users of the tenant may use at most.
    pub async fn set_tenant_quota(&mut self, quota: &Map<String, Value>) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        let mut step = self.platform_step().await?;
        sqlx::query!(
            "update tenant set quota = $2 where id = $1",
            tenant,
            Json(quota) as _
        )
        .execute(step.connection())
        .await?;
        step.end().await
    }

    pub async fn update_tenant(
        &mut self,
        name: &str,
        policy: &Map<String, Value>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update tenant set name = $2, policy = $3 where id = $1",
            tenant,
            name,
            Json(policy) as _
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
