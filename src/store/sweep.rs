//! What ends by itself, over all tenants: each statement does a bounded amount, and says whether there may be more.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::tenant_tx::PlatformTx;

/// Rows that one statement deletes at most.
pub const BATCH: i64 = 1_000;

/// The name of the ledger's mark.
const SETTLED: &str = "ledger";

/// Rows that expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiring {
    /// Inputs of sessions, when their tenant's policy says.
    Inputs,
    /// Answers of calls with an Idempotency-Key, after a day.
    Answers,
    /// Reports of reading Anam's lists, after 90 days.
    CatalogueSyncs,
    /// Invitations, 90 days after they could last be accepted.
    Invitations,
    /// Browsers that did not come back from single sign-on.
    SsoAttempts,
    /// What was used of quotas in months before the last.
    QuotaUse,
    /// Places of conversations that can't go on any more.
    Places,
    /// Turns of users who did not come back.
    PlaceWaits,
}

impl Expiring {
    pub const ALL: [Self; 8] = [
        Self::Inputs,
        Self::Answers,
        Self::CatalogueSyncs,
        Self::Invitations,
        Self::SsoAttempts,
        Self::QuotaUse,
        Self::Places,
        Self::PlaceWaits,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Answers => "answers",
            Self::CatalogueSyncs => "catalogue_syncs",
            Self::Invitations => "invitations",
            Self::SsoAttempts => "sso_attempts",
            Self::QuotaUse => "quota_use",
            Self::Places => "places",
            Self::PlaceWaits => "place_waits",
        }
    }
}

impl PlatformTx {
    /// Until when what became of every session is known; `None` before the first sweep.
    pub async fn settled_until(&mut self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(
            sqlx::query_scalar!("select at from sweep_mark where name = $1", SETTLED)
                .fetch_optional(self.connection())
                .await?,
        )
    }

    /// Whether the ledger has any row.
    pub async fn has_sessions(&mut self) -> Result<bool, StoreError> {
        Ok(
            sqlx::query_scalar!(r#"select exists(select from session) as "any!""#)
                .fetch_one(self.connection())
                .await?,
        )
    }

    /// Moves that mark on; never back, whatever another instance has done meanwhile.
    pub async fn set_settled_until(&mut self, at: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into sweep_mark (name, at) values ($1, $2)
             on conflict (name) do update set at = greatest(sweep_mark.at, excluded.at)",
            SETTLED,
            at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Sets the outcome `unknown` for sessions asked for between the two times (the first included) without an outcome: their
    /// instance died.
    pub async fn mark_unknown(
        &mut self,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let done = sqlx::query!(
            "insert into session_outcome (tenant_id, session_id, at, outcome)
             select s.tenant_id, s.id, s.at, 'unknown' from session s join tenant t on t.id = s.tenant_id
             where s.at >= $1 and s.at < $2
               and not exists (select from session_outcome o
                               where o.tenant_id = s.tenant_id and o.session_id = s.id and o.at = s.at)
             for key share of t
             on conflict do nothing",
            from,
            until
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected())
    }

    /// Deletes some of what has ended; fewer than [`BATCH`] where nothing is left.
    pub async fn delete_ended(&mut self, what: Expiring) -> Result<u64, StoreError> {
        let delete = match what {
            Expiring::Inputs => {
                sqlx::query!(
                    "delete from session_inputs where (tenant_id, session_id, at) in
                     (select tenant_id, session_id, at from session_inputs where keep_until < now() limit $1)",
                    BATCH
                )
            }
            Expiring::Answers => {
                sqlx::query!(
                    "delete from given_answer where (tenant_id, actor, key) in
                     (select tenant_id, actor, key from given_answer where created_at < now() - interval '1 day' limit $1)",
                    BATCH
                )
            }
            Expiring::CatalogueSyncs => {
                sqlx::query!(
                    "delete from catalogue_sync where (tenant_id, id) in
                     (select tenant_id, id from catalogue_sync where started_at < now() - interval '90 days' limit $1)",
                    BATCH
                )
            }
            Expiring::Invitations => {
                sqlx::query!(
                    "delete from invitation where (tenant_id, id) in
                     (select tenant_id, id from invitation where expires_at < now() - interval '90 days' limit $1)",
                    BATCH
                )
            }
            Expiring::SsoAttempts => {
                sqlx::query!(
                    "delete from sso_attempt where (tenant_id, id) in
                     (select tenant_id, id from sso_attempt where expires_at < now() limit $1)",
                    BATCH
                )
            }
            Expiring::QuotaUse => {
                sqlx::query!(
                    "delete from quota_use where (tenant_id, subject) in
                     (select tenant_id, subject from quota_use
                      where month < (date_trunc('month', now() at time zone 'UTC') - interval '1 month')::date
                      limit $1 for update skip locked)",
                    BATCH
                )
            }
            Expiring::Places => {
                sqlx::query!(
                    "delete from place where (tenant_id, session_id) in
                     (select tenant_id, session_id from place where until < now() - interval '1 minute' limit $1 for update skip locked)",
                    BATCH
                )
            }
            Expiring::PlaceWaits => {
                sqlx::query!(
                    "delete from place_wait where (tenant_id, subject) in
                     (select tenant_id, subject from place_wait where until < now() - interval '1 minute' limit $1 for update skip locked)",
                    BATCH
                )
            }
        };
        let done = delete.execute(self.connection()).await?;
        Ok(done.rows_affected())
    }

    /// Until when the ledger's months are made; `None` where there is none. Sessions after it are kept together in the default
    /// partition until `migrate` makes their months.
    pub async fn ledger_ready_until(&mut self) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(sqlx::query_scalar!(
            r#"select min(ends) from (
                 select i.inhparent, max((to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month') at time zone 'UTC') as ends
                 from pg_inherits i join pg_class c on c.oid = i.inhrelid
                 where i.inhparent in ('session'::regclass, 'session_outcome'::regclass, 'session_inputs'::regclass)
                   and c.relname ~ '_\d{4}_\d{2}$'
                 group by i.inhparent) as made"#
        )
        .fetch_one(self.connection())
        .await?)
    }
}
