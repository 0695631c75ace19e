//! The table `audit_event` read back: pages for people, and the chain as it was hashed.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use super::tenant_tx::TenantTx;

/// A row as people look at it.
#[derive(Debug, Clone)]
pub struct AuditRow {
    /// Its number in the tenant's trail, from 1.
    pub seq: i64,
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub actor: String,
    pub action: String,
    pub target: String,
    /// SHA-256 of the state before.
    pub before_hash: Option<Vec<u8>>,
    /// SHA-256 of the state after.
    pub after_hash: Option<Vec<u8>>,
    pub request_id: Option<String>,
    pub details: Value,
    /// The hash that chains the row to the one before.
    pub hash: Vec<u8>,
}

/// A row as the chain sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainRow {
    /// The text that was hashed, made again from the row's columns.
    pub record: String,
    /// The stored hash of the row before.
    pub prev_hash: Vec<u8>,
    /// The stored hash of this row.
    pub hash: Vec<u8>,
}

/// Which rows are looked for; `None` members filter nothing.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Inclusive.
    pub from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub to: Option<DateTime<Utc>>,
    pub actor: Option<String>,
    /// Actions with this prefix.
    pub action: Option<String>,
    /// Done to one of these.
    pub targets: Option<Vec<String>>,
}

impl TenantTx {
    /// Rows, newest first; `below` is the number of the last one of the page before.
    pub async fn search_audit(
        &mut self,
        filter: &AuditFilter,
        below: Option<i64>,
        limit: i64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!("select set_config('plan_cache_mode', 'force_custom_plan', true)")
            .fetch_one(self.connection())
            .await?;
        Ok(sqlx::query_as!(
            AuditRow,
            "select seq, id, at, actor, action, target, before_hash, after_hash, request_id, details, hash
             from audit_event
             where tenant_id = $1
               and ($2::bigint is null or seq < $2)
               and ($3::timestamptz is null or at >= $3)
               and ($4::timestamptz is null or at < $4)
               and ($5::text is null or actor = $5)
               and ($6::text is null or starts_with(action, $6))
               and ($7::text[] is null or target = any($7))
             order by seq desc limit $8",
            tenant,
            below,
            filter.from,
            filter.to,
            filter.actor,
            filter.action,
            filter.targets.as_deref(),
            limit
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// Number and hash of the last row.
    pub async fn audit_head(&mut self) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            "select seq, hash from audit_event where tenant_id = $1 order by seq desc limit 1",
            tenant
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| (row.seq, row.hash)))
    }

    /// The chain in its order, rows after one and up to another, each with its number.
    pub async fn audit_chain(
        &mut self,
        after: i64,
        up_to: i64,
        limit: i64,
    ) -> Result<Vec<(i64, ChainRow)>, StoreError> {
        let tenant = self.tenant().0;
        let rows = sqlx::query!(
            r#"select e.seq as "seq!", audit_record(e) as "record!", e.prev_hash as "prev_hash!", e.hash as "hash!"
               from audit_event e
               where e.tenant_id = $1 and e.seq > $2 and e.seq <= $3 order by e.seq limit $4"#,
            tenant,
            after,
            up_to,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        let chain = rows.into_iter().map(|row| {
            let chained = ChainRow {
                record: row.record,
                prev_hash: row.prev_hash,
                hash: row.hash,
            };
            (row.seq, chained)
        });
        Ok(chain.collect())
    }
}
