//! The table `quota_hold`: sessions that were counted with their longest length, until it is known how long they were.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::quota_use::UseRow;
use super::tenant_tx::PlatformTx;
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::quota::Amount;

/// Sessions of one tenant in a round at most: one that has many keeps nobody else's waiting.
const OF_A_TENANT: i64 = 8;
/// Sessions in a round at most.
const IN_A_ROUND: i64 = 64;

/// A session whose time is not known yet.
#[derive(Debug, Clone)]
pub struct Hold {
    pub tenant: TenantId,
    pub session: SessionId,
    /// The time of the session's id.
    pub at: DateTime<Utc>,
    /// What was counted.
    pub seconds: u32,
    /// Until when its token can start a conversation; `None` where no outcome says it.
    pub expires_at: Option<DateTime<Utc>>,
}

impl PlatformTx {
    /// Takes some of the sessions that are due. Nobody else gets them until `again`.
    pub async fn take_due_holds(
        &mut self,
        now: DateTime<Utc>,
        again: DateTime<Utc>,
    ) -> Result<Vec<Hold>, StoreError> {
        let rows = sqlx::query!(
            r#"with due as (
                   select tenant_id, session_id from (
                       select tenant_id, session_id, check_at,
                              row_number() over (partition by tenant_id order by check_at) as place
                       from quota_hold where check_at <= $1) as ordered
                   where place <= $3 order by place, check_at limit $4),
               taken as (
                   update quota_hold h set check_at = $2 from due d
                   where h.tenant_id = d.tenant_id and h.session_id = d.session_id and h.check_at <= $1
                   returning h.tenant_id, h.session_id, h.at, h.seconds)
               select t.tenant_id, t.session_id, t.at, t.seconds, o.expires_at as "expires_at?"
               from taken t
               left join lateral (select o.expires_at from session_outcome o
                                  where o.tenant_id = t.tenant_id and o.session_id = t.session_id and o.at = t.at limit 1) o on true"#,
            now,
            again,
            OF_A_TENANT,
            IN_A_ROUND
        )
        .fetch_all(self.connection())
        .await?;
        let holds = rows.into_iter().map(|row| Hold {
            tenant: TenantId(row.tenant_id),
            session: SessionId(row.session_id),
            at: row.at,
            seconds: row.seconds.unsigned_abs(),
            expires_at: row.expires_at,
        });
        Ok(holds.collect())
    }

    /// Says when to look at a session again.
    pub async fn put_off(&mut self, hold: &Hold, until: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query!(
            "update quota_hold set check_at = $3 where tenant_id = $1 and session_id = $2",
            hold.tenant.0,
            hold.session.0,
            until
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Gives back what a session did not use, once.
    pub async fn release_hold(&mut self, hold: &Hold, unused: u32) -> Result<(), StoreError> {
        let released = sqlx::query!(
            "delete from quota_hold where tenant_id = $1 and session_id = $2 returning subject, of_tenant",
            hold.tenant.0,
            hold.session.0
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(released) = released else {
            return Ok(());
        };
        // In the order in which the ledger takes them.
        let rows = sqlx::query_as!(
            UseRow,
            "select tenant_id, subject, day, day_sessions, day_seconds, month, month_sessions, month_seconds from quota_use
             where tenant_id = $1 and (subject = '' and $2 or subject = $3 and $3 <> '')
             order by subject for update",
            hold.tenant.0,
            released.of_tenant,
            released.subject
        )
        .fetch_all(self.connection())
        .await?;
        for row in rows {
            let mut used = row.used();
            let back = Amount {
                sessions: 0,
                seconds: unused.into(),
            };
            used.give_back(hold.at, back);
            sqlx::query!(
                "update quota_use set day_seconds = $3, month_seconds = $4 where tenant_id = $1 and subject = $2",
                hold.tenant.0,
                row.subject,
                used.in_day.seconds,
                used.in_month.seconds
            )
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }
}
