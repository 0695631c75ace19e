//! The table `place_share`: what tenants have of the platform's key, as operators say.

use super::StoreError;
use super::places::count;
use super::tenant_tx::TenantTx;
use crate::domain::places::SetShare;

impl TenantTx {
    /// What the tenant has of the platform's key.
    pub async fn place_share(&mut self) -> Result<SetShare, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            "select guaranteed, most from place_share where tenant_id = $1",
            tenant
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map_or_else(SetShare::default, |row| SetShare {
            guaranteed: row.guaranteed.unsigned_abs(),
            most: row.most.map(i32::unsigned_abs),
        }))
    }

    /// Says what the tenant has, and gives what is guaranteed to all active tenants then.
    pub async fn put_place_share(&mut self, share: SetShare) -> Result<u32, StoreError> {
        let tenant = self.tenant().0;
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let mut step = self.platform_step().await?;
        // One after the other, so that two can't guarantee the same places.
        sqlx::query!(
            "insert into place_line (key) values ($1) on conflict do nothing",
            uuid::Uuid::nil()
        )
        .execute(step.connection())
        .await?;
        sqlx::query!(
            "select key from place_line where key = $1 for update",
            uuid::Uuid::nil()
        )
        .fetch_one(step.connection())
        .await?;
        sqlx::query!(
            "insert into place_share (tenant_id, guaranteed, most) values ($1, $2, $3)
             on conflict (tenant_id) do update set guaranteed = excluded.guaranteed, most = excluded.most",
            tenant,
            number(share.guaranteed),
            share.most.map(number)
        )
        .execute(step.connection())
        .await?;
        let sum = sqlx::query_scalar!(
            r#"select coalesce(sum(s.guaranteed), 0) as "sum!" from place_share s join tenant t on t.id = s.tenant_id
               where t.status = 'active'"#
        )
        .fetch_one(step.connection())
        .await?;
        step.end().await?;
        Ok(count(sum))
    }
}
