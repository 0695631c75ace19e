//! Whose a token of an issuer for an audience is: the table `issuer_audience`. A pair serves its tenant once it is claimed, and
//! claims go through the platform's door alone.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::domain::ids::{IssuerId, TenantId};

/// What gave a pair to its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ClaimedBy {
    /// The audience's own name: `persona-gateway/SLUG`.
    Audience,
    /// A token of the issuer that names the tenant.
    Token,
    /// Whoever runs the installation.
    Operator,
    /// It was registered before claims had to be proven.
    Earlier,
}

impl ClaimedBy {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Audience => "audience",
            Self::Token => "token",
            Self::Operator => "operator",
            Self::Earlier => "earlier",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Audience, Self::Token, Self::Operator, Self::Earlier];
        all.into_iter().find(|one| one.as_str() == text)
    }
}

/// An audience of an issuer, and whether its tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PairRow {
    pub audience: String,
    /// Since when it serves the tenant; `None` while it is pending.
    #[serde(default)]
    pub claimed_at: Option<DateTime<Utc>>,
    /// What gave it to the tenant.
    #[serde(default)]
    pub claimed_by: Option<ClaimedBy>,
}

/// What came of claiming pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claim {
    /// The audiences that are the tenant's now, and were not.
    pub audiences: Vec<String>,
    /// The suspended tenants whose they were, by their names in URLs.
    pub from: Vec<String>,
}

/// A pair as operators see it.
#[derive(Debug, Clone)]
pub struct PairListing {
    pub position: String,
    /// The tenant's name in URLs.
    pub tenant: String,
    /// The tenant's issuer.
    pub issuer_id: IssuerId,
    /// The `iss` of its tokens.
    pub issuer: String,
    pub audience: String,
    /// Since when it serves the tenant; `None` while it is pending.
    pub claimed_at: Option<DateTime<Utc>>,
    /// What gave it to the tenant.
    pub claimed_by: Option<ClaimedBy>,
}

impl TenantTx {
    /// Gives pending pairs of an issuer to this tenant, and says which, and which suspended tenants' they were. A conflict where one
    /// of them serves another.
    pub async fn claim_pairs(
        &mut self,
        issuer: IssuerId,
        audiences: &[String],
        by: ClaimedBy,
        now: DateTime<Utc>,
    ) -> Result<Claim, StoreError> {
        let tenant = self.tenant().0;
        let mut step = self.platform_step().await?;
        let from = sqlx::query_scalar!(
            r#"update issuer_audience other set claimed_at = null, claimed_by = null
               from issuer_audience own, tenant t
               where own.tenant_id = $1 and own.issuer_id = $2 and own.audience = any($3) and own.claimed_at is null
                 and other.issuer_url = own.issuer_url and other.audience = own.audience and other.claimed_at is not null
                 and t.id = other.tenant_id and t.id <> $1 and t.status = 'suspended'
               returning t.slug"#,
            tenant,
            issuer.0,
            audiences
        )
        .fetch_all(step.connection())
        .await?;
        let claimed = sqlx::query_scalar!(
            "update issuer_audience set claimed_at = $4, claimed_by = $5
             where tenant_id = $1 and issuer_id = $2 and audience = any($3) and claimed_at is null returning audience",
            tenant,
            issuer.0,
            audiences,
            now,
            by.as_str()
        )
        .fetch_all(step.connection())
        .await?;
        step.end().await?;
        Ok(Claim {
            audiences: claimed,
            from,
        })
    }

    /// Makes a pair of an issuer pending again.
    pub async fn release_pair(
        &mut self,
        issuer: IssuerId,
        audience: &str,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        let mut step = self.platform_step().await?;
        sqlx::query!(
            "update issuer_audience set claimed_at = null, claimed_by = null
             where tenant_id = $1 and issuer_id = $2 and audience = $3",
            tenant,
            issuer.0,
            audience
        )
        .execute(step.connection())
        .await?;
        step.end().await
    }

    /// Audiences of an issuer whose tokens serve another tenant. A suspended tenant's give way to who can claim them.
    pub async fn pairs_of_others(&mut self, issuer: IssuerId) -> Result<Vec<String>, StoreError> {
        let tenant = self.tenant().0;
        let mut step = self.platform_step().await?;
        let taken = sqlx::query_scalar!(
            "select own.audience from issuer_audience own
             join issuer_audience other on other.issuer_url = own.issuer_url and other.audience = own.audience
             join tenant t on t.id = other.tenant_id and t.status = 'active'
             where own.tenant_id = $1 and own.issuer_id = $2 and other.tenant_id <> $1 and other.claimed_at is not null",
            tenant,
            issuer.0
        )
        .fetch_all(step.connection())
        .await?;
        step.end().await?;
        Ok(taken)
    }
}

impl PlatformTx {
    /// The tenant that a pair serves, by its name in URLs.
    pub async fn holder_of_pair(
        &mut self,
        issuer: &str,
        audience: &str,
    ) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar!(
            "select t.slug from issuer_audience p join tenant t on t.id = p.tenant_id
             where p.issuer_url = $1 and p.audience = $2 and p.claimed_at is not null",
            issuer,
            audience
        )
        .fetch_optional(self.connection())
        .await?)
    }

    /// Pairs of all tenants, the pending ones alone where `pending`; `after` is the position of the last one seen.
    pub async fn pairs_page(
        &mut self,
        pending: bool,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<PairListing>, StoreError> {
        let rows = sqlx::query!(
            r#"select t.slug, p.issuer_id, p.issuer_url, p.audience, p.claimed_at, p.claimed_by,
                      (t.slug || ' ' || p.issuer_id || ' ' || p.audience) collate "C" as "position!"
               from issuer_audience p join tenant t on t.id = p.tenant_id
               where (not $1 or p.claimed_at is null)
                 and ($2::text is null or (t.slug || ' ' || p.issuer_id || ' ' || p.audience) collate "C" > $2)
               order by (t.slug || ' ' || p.issuer_id || ' ' || p.audience) collate "C" limit $3"#,
            pending,
            after,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        let pairs = rows.into_iter().map(|row| PairListing {
            position: row.position,
            tenant: row.slug,
            issuer_id: IssuerId(row.issuer_id),
            issuer: row.issuer_url,
            audience: row.audience,
            claimed_at: row.claimed_at,
            claimed_by: row.claimed_by.as_deref().and_then(ClaimedBy::parse),
        });
        Ok(pairs.collect())
    }

    /// The issuers of a tenant that have this pair.
    pub async fn issuers_of_pair(
        &mut self,
        tenant: TenantId,
        issuer: &str,
        audience: &str,
    ) -> Result<Vec<IssuerId>, StoreError> {
        let ids = sqlx::query_scalar!(
            "select issuer_id from issuer_audience where tenant_id = $1 and issuer_url = $2 and audience = $3",
            tenant.0,
            issuer,
            audience
        )
        .fetch_all(self.connection())
        .await?;
        Ok(ids.into_iter().map(IssuerId).collect())
    }
}
