//! The table `given_answer`: answers of creating calls, kept for repeated calls with the same Idempotency-Key.

use uuid::Uuid;

use super::StoreError;
use super::tenant_tx::TenantTx;

/// What is known of an Idempotency-Key.
#[derive(Debug)]
pub enum GivenAnswer {
    /// Nothing: this transaction has taken it, and must store an answer under this row.
    New(Uuid),
    /// The call was answered before.
    Known {
        /// The row, which the seal names.
        row: Uuid,
        /// SHA-256 of the request that was answered.
        request_hash: Vec<u8>,
        /// The sealed answer.
        sealed: Vec<u8>,
    },
}

impl TenantTx {
    /// Takes a key for this transaction, or gives what was answered under it. Waits for another transaction that has
    /// taken the same key just now.
    pub async fn take_answer(
        &mut self,
        actor: &str,
        key: &str,
        request_hash: &[u8],
    ) -> Result<GivenAnswer, StoreError> {
        let tenant = self.tenant().0;
        let taken = sqlx::query_scalar!(
            "insert into given_answer (tenant_id, actor, key, request_hash) values ($1, $2, $3, $4)
             on conflict (tenant_id, actor, key) do nothing returning id",
            tenant,
            actor,
            key,
            request_hash
        )
        .fetch_optional(self.connection())
        .await?;
        if let Some(row) = taken {
            return Ok(GivenAnswer::New(row));
        }
        let known = sqlx::query!(
            r#"select id, request_hash, sealed as "sealed!" from given_answer
               where tenant_id = $1 and actor = $2 and key = $3"#,
            tenant,
            actor,
            key
        )
        .fetch_one(self.connection())
        .await?;
        Ok(GivenAnswer::Known {
            row: known.id,
            request_hash: known.request_hash,
            sealed: known.sealed,
        })
    }

    /// Stores the answer under a row that this transaction has taken.
    pub async fn store_answer(&mut self, row: Uuid, sealed: &[u8]) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "update given_answer set sealed = $3 where tenant_id = $1 and id = $2",
            tenant,
            row,
            sealed
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
