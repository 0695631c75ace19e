//! Tidies the ledger: sessions whose instance died, and inputs whose time is over.

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::store::{Database, StoreError};

/// How far back the sweep looks; older ones were swept before.
const LOOKED_AT: TimeDelta = TimeDelta::days(2);

/// One round. Any number of instances may sweep at once. A session this old without an outcome will get none.
pub async fn sweep(
    database: &Database,
    clock: &Clock,
    unknown_after: TimeDelta,
) -> Result<(), StoreError> {
    let now = clock.now();
    let mut tx = database.platform().await?;
    let unknown = tx
        .mark_unknown(now - LOOKED_AT, now - unknown_after)
        .await?;
    let deleted = tx.delete_expired_inputs().await?;
    tx.commit().await?;
    if unknown > 0 || deleted > 0 {
        tracing::info!(unknown, deleted, "swept the ledger");
    }
    Ok(())
}
