//! The tables `issuer` and `shared_issuer`. `issuer_audience` follows `issuer` by trigger.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::types::Json;
use uuid::Uuid;

use super::StoreError;
use super::pairs::PairRow;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::domain::ids::{IssuerId, TenantId};

/// An issuer as stored.
#[derive(Debug, Clone)]
pub struct IssuerRow {
    pub id: IssuerId,
    /// Its document; see `domain::issuer`.
    pub config: Map<String, Value>,
    /// HS256 only, sealed.
    pub shared_secret: Option<Vec<u8>>,
    /// Whether its tokens are taken.
    pub enabled: bool,
    /// Since when it is registered.
    pub created_at: DateTime<Utc>,
    /// Its audiences, and whether their tokens are taken.
    pub pairs: Vec<PairRow>,
}

/// An issuer that many tenants share.
#[derive(Debug, Clone)]
pub struct SharedIssuerRow {
    pub id: IssuerId,
    /// Its document.
    pub config: Map<String, Value>,
    /// The claim that names the tenant.
    pub tenant_claim: String,
}

impl PlatformTx {
    /// Every enabled issuer of these tenants.
    pub async fn issuers_of(
        &mut self,
        tenants: &[TenantId],
    ) -> Result<Vec<(TenantId, IssuerRow)>, StoreError> {
        let tenants: Vec<Uuid> = tenants.iter().map(|tenant| tenant.0).collect();
        let rows = sqlx::query!(
            r#"select i.tenant_id, i.id, i.config as "config: Json<Map<String, Value>>", i.shared_secret, i.created_at,
                      (select coalesce(jsonb_agg(jsonb_build_object('audience', p.audience, 'claimedAt', p.claimed_at, 'claimedBy', p.claimed_by)
                                          order by p.audience collate "C"), '[]')
                       from issuer_audience p where p.tenant_id = i.tenant_id and p.issuer_id = i.id) as "pairs!: Json<Vec<PairRow>>"
               from issuer i where i.enabled and i.tenant_id = any($1) order by i.tenant_id, i.id"#,
            &tenants
        )
        .fetch_all(self.connection())
        .await?;
        let issuers = rows.into_iter().map(|row| {
            let issuer = IssuerRow {
                id: IssuerId(row.id),
                config: row.config.0,
                shared_secret: row.shared_secret,
                enabled: true,
                created_at: row.created_at,
                pairs: row.pairs.0,
            };
            (TenantId(row.tenant_id), issuer)
        });
        Ok(issuers.collect())
    }

    /// Every issuer URL of these tenants, those of disabled issuers too, and whether anybody but the tenant vouched for it.
    pub async fn registered_issuers_of(
        &mut self,
        tenants: &[TenantId],
    ) -> Result<Vec<(String, TenantId, bool)>, StoreError> {
        let tenants: Vec<Uuid> = tenants.iter().map(|tenant| tenant.0).collect();
        let rows = sqlx::query!(
            r#"select issuer_url, tenant_id, bool_or(claimed_by is not null and claimed_by <> 'audience') as "is_proven!"
               from issuer_audience where tenant_id = any($1) group by issuer_url, tenant_id"#,
            &tenants
        )
        .fetch_all(self.connection())
        .await?;
        let registered = rows
            .into_iter()
            .map(|row| (row.issuer_url, TenantId(row.tenant_id), row.is_proven));
        Ok(registered.collect())
    }

    /// Every enabled shared issuer.
    pub async fn shared_issuers(&mut self) -> Result<Vec<SharedIssuerRow>, StoreError> {
        let rows = sqlx::query!(
            r#"select id, config as "config: Json<Map<String, Value>>", tenant_claim from shared_issuer where enabled order by id"#
        )
        .fetch_all(self.connection())
        .await?;
        let issuers = rows.into_iter().map(|row| SharedIssuerRow {
            id: IssuerId(row.id),
            config: row.config.0,
            tenant_claim: row.tenant_claim,
        });
        Ok(issuers.collect())
    }

    /// Registers a shared issuer.
    pub async fn insert_shared_issuer(
        &mut self,
        id: IssuerId,
        config: &Map<String, Value>,
        tenant_claim: &str,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into shared_issuer (id, config, tenant_claim) values ($1, $2, $3)",
            id.0,
            Json(config) as _,
            tenant_claim
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes a shared issuer out, and gives what it was; `None` where there is none.
    pub async fn delete_shared_issuer(
        &mut self,
        id: IssuerId,
    ) -> Result<Option<Map<String, Value>>, StoreError> {
        let config = sqlx::query_scalar!(
            r#"delete from shared_issuer where id = $1 returning config as "config: Json<Map<String, Value>>""#,
            id.0
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(config.map(|config| config.0))
    }
}

impl TenantTx {
    /// This tenant's issuers, disabled ones too, oldest first.
    pub async fn tenant_issuers(&mut self) -> Result<Vec<IssuerRow>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select i.id, i.config as "config: Json<Map<String, Value>>", i.shared_secret, i.enabled, i.created_at,
                      (select coalesce(jsonb_agg(jsonb_build_object('audience', p.audience, 'claimedAt', p.claimed_at, 'claimedBy', p.claimed_by)
                                          order by p.audience collate "C"), '[]')
                       from issuer_audience p where p.tenant_id = i.tenant_id and p.issuer_id = i.id) as "pairs!: Json<Vec<PairRow>>"
               from issuer i where i.tenant_id = $1 order by i.created_at, i.id"#,
            tenant
        )
        .fetch_all(self.connection())
        .await?;
        let issuers = rows.into_iter().map(|row| IssuerRow {
            id: IssuerId(row.id),
            config: row.config.0,
            shared_secret: row.shared_secret,
            enabled: row.enabled,
            created_at: row.created_at,
            pairs: row.pairs.0,
        });
        Ok(issuers.collect())
    }

    pub async fn issuer(&mut self, id: IssuerId) -> Result<Option<IssuerRow>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            r#"select i.id, i.config as "config: Json<Map<String, Value>>", i.shared_secret, i.enabled, i.created_at,
                      (select coalesce(jsonb_agg(jsonb_build_object('audience', p.audience, 'claimedAt', p.claimed_at, 'claimedBy', p.claimed_by)
                                          order by p.audience collate "C"), '[]')
                       from issuer_audience p where p.tenant_id = i.tenant_id and p.issuer_id = i.id) as "pairs!: Json<Vec<PairRow>>"
               from issuer i where i.tenant_id = $1 and i.id = $2"#,
            tenant,
            id.0
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| IssuerRow {
            id: IssuerId(row.id),
            config: row.config.0,
            shared_secret: row.shared_secret,
            enabled: row.enabled,
            created_at: row.created_at,
            pairs: row.pairs.0,
        }))
    }

    /// Says whether an issuer's tokens are taken.
    pub async fn enable_issuer(&mut self, id: IssuerId, enabled: bool) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update issuer set enabled = $3 where tenant_id = $1 and id = $2",
            tenant,
            id.0,
            enabled
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Adds an issuer, or replaces the one with the same id.
    pub async fn upsert_issuer(
        &mut self,
        id: IssuerId,
        config: &Map<String, Value>,
        shared_secret: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into issuer (tenant_id, id, config, shared_secret) values ($1, $2, $3, $4)
             on conflict (tenant_id, id) do update
             set config = excluded.config, shared_secret = excluded.shared_secret, enabled = true",
            tenant,
            id.0,
            Json(config) as _,
            shared_secret
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Removes an issuer: its tokens are refused from now on.
    pub async fn delete_issuer(&mut self, id: IssuerId) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "delete from issuer where tenant_id = $1 and id = $2",
            tenant,
            id.0
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
