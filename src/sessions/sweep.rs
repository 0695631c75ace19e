//! Tidies the ledger: sessions whose instance died, and inputs whose time is over.

use chrono::TimeDelta;

use crate::clock::Clock;
use crate::store::{Database, StoreError};

/// How far the first round after a start looks back.
pub const AFTER_A_START: TimeDelta = TimeDelta::days(2);
/// How far the rounds after it look back: several rounds, so that the cost does not grow with the ledger.
pub const EACH_ROUND: TimeDelta = TimeDelta::minutes(15);

/// One round. Any number of instances may sweep at once. A session this old without an outcome will get none.
pub async fn sweep(
    database: &Database,
    clock: &Clock,
    unknown_after: TimeDelta,
    looked_back: TimeDelta,
) -> Result<(), StoreError> {
    let now = clock.now();
    let mut tx = database.platform().await?;
    let unknown = tx
        .mark_unknown(now - unknown_after - looked_back, now - unknown_after)
        .await?;
    let deleted = tx.delete_expired_inputs().await?;
    tx.commit().await?;
    if unknown > 0 || deleted > 0 {
        tracing::info!(unknown, deleted, "swept the ledger");
    }
    Ok(())
}
