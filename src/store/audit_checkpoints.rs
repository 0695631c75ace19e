//! The table `audit_checkpoint`: signed marks in a tenant's audit trail.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::tenant_tx::TenantTx;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointRow {
    /// The `seq` of the last row that it covers.
    pub seq: i64,
    pub hash: Vec<u8>,
    pub at: DateTime<Utc>,
    /// The id of the signing key.
    pub key_id: String,
    /// Ed25519.
    pub signature: Vec<u8>,
}

impl TenantTx {
    /// The checkpoint with the highest row.
    pub async fn newest_checkpoint(&mut self) -> Result<Option<CheckpointRow>, StoreError> {
        Ok(self.checkpoints_before(None, 1).await?.pop())
    }

    /// Checkpoints, newest first, below a row.
    pub async fn checkpoints_before(
        &mut self,
        below: Option<i64>,
        limit: i64,
    ) -> Result<Vec<CheckpointRow>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_as!(
            CheckpointRow,
            "select seq, hash, at, key_id, signature from audit_checkpoint
             where tenant_id = $1 and ($2::bigint is null or seq < $2) order by seq desc limit $3",
            tenant,
            below,
            limit
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// Checkpoints in their order, of rows after one and up to another.
    pub async fn checkpoints_between(
        &mut self,
        after: i64,
        up_to: i64,
        limit: i64,
    ) -> Result<Vec<CheckpointRow>, StoreError> {
        let tenant = self.tenant().0;
        Ok(sqlx::query_as!(
            CheckpointRow,
            "select seq, hash, at, key_id, signature from audit_checkpoint
             where tenant_id = $1 and seq > $2 and seq <= $3 order by seq limit $4",
            tenant,
            after,
            up_to,
            limit
        )
        .fetch_all(self.connection())
        .await?)
    }

    /// Adds a checkpoint. False where one marks that row already.
    pub async fn insert_checkpoint(&mut self, row: &CheckpointRow) -> Result<bool, StoreError> {
        let tenant = self.tenant().0;
        let done = sqlx::query!(
            "insert into audit_checkpoint (tenant_id, seq, hash, at, key_id, signature) values ($1, $2, $3, $4, $5, $6)
             on conflict (tenant_id, seq) do nothing",
            tenant,
            row.seq,
            row.hash,
            row.at,
            row.key_id,
            row.signature
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Whether nobody else makes this tenant's checkpoint now; until this transaction ends, nobody else will.
    pub async fn try_lock_checkpoints(&mut self) -> Result<bool, StoreError> {
        let tenant = self.tenant().0;
        let locked = sqlx::query_scalar!(
            "select pg_try_advisory_xact_lock(hashtextextended('audit_checkpoint ' || $1::uuid, 0))",
            tenant
        )
        .fetch_one(self.connection())
        .await?;
        Ok(locked == Some(true))
    }
}
