//! Makes signed checkpoints: by the clock where rows have come, and on demand.

use chrono::TimeDelta;

use super::chain::{mark, to_micros};
use crate::clock::Clock;
use crate::crypto::seal::KeyRing;
use crate::crypto::sign::SignError;
use crate::store::audit::PLATFORM;
use crate::store::audit_checkpoints::CheckpointRow;
use crate::store::tenant_tx::TenantTx;
use crate::store::{Database, StoreError};

/// A trail that grows gets a checkpoint this often.
pub const EVERY: TimeDelta = TimeDelta::hours(1);

#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The database failed or did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Marks the last row of this transaction's tenant; gives the checkpoint that is there, new or not. `None` where the trail
/// is empty.
pub async fn checkpoint(
    tx: &mut TenantTx,
    keys: &KeyRing,
    clock: &Clock,
) -> Result<Option<CheckpointRow>, CheckpointError> {
    let Some((seq, hash)) = tx.audit_head().await? else {
        return Ok(None);
    };
    let mut made = CheckpointRow {
        seq,
        hash,
        at: to_micros(clock.now()),
        key_id: String::new(),
        signature: Vec::new(),
    };
    (made.key_id, made.signature) = keys.sign(&mark(tx.tenant(), &made))?;
    if tx.insert_checkpoint(&made).await? {
        // The log is a second place, which who rewrites the database has to rewrite too.
        tracing::info!(tenant.id = %tx.tenant(), audit.seq = seq, audit.hash = hex::encode(&made.hash), "marked the audit trail");
        return Ok(Some(made));
    }
    Ok(tx.newest_checkpoint().await?)
}

/// Makes those that are due. Any number of instances may do so at once: each trail's is made by one of them.
pub async fn checkpoint_all(
    database: &Database,
    keys: &KeyRing,
    clock: &Clock,
) -> Result<u64, CheckpointError> {
    let mut platform = database.platform().await?;
    let trails = platform.tenant_ids().await?;
    platform.commit().await?;
    let mut made = 0;
    for trail in trails.into_iter().chain([PLATFORM]) {
        let mut tx = database.tenant(trail).await?;
        let newest = tx.newest_checkpoint().await?;
        let head = tx.audit_head().await?;
        let is_due = match (&head, &newest) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some((seq, _)), Some(newest)) => *seq > newest.seq && clock.now() - newest.at >= EVERY,
        };
        if is_due && tx.try_lock_checkpoints().await? {
            checkpoint(&mut tx, keys, clock).await?;
            made += 1;
        }
        tx.commit().await?;
    }
    Ok(made)
}
