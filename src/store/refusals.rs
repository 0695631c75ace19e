//! The table `refusal`: who was refused at a tenant's door, counted.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::StoreError;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::domain::ids::{RequestId, TenantId};

/// Refusals that are the same one, seen several times; or, with an empty fingerprint, the others of a reason.
#[derive(Debug, Clone)]
pub struct RefusalRow {
    /// Whose users were refused.
    pub tenant: TenantId,
    /// The reason's name.
    pub reason: String,
    /// SHA-256 of the texts that follow; empty of the others.
    pub fingerprint: Vec<u8>,
    /// The token's issuer, as claimed.
    pub issuer: String,
    /// The token's audiences, as claimed.
    pub audience: String,
    /// The token's key id, as claimed.
    pub kid: String,
    /// The page's origin.
    pub origin: String,
    pub count: i64,
    pub first_at: DateTime<Utc>,
    pub last_at: DateTime<Utc>,
    /// The request of the last time.
    pub request: Option<RequestId>,
}

/// Where a page of refusals begins: behind the one with this time, reason and fingerprint.
pub type RefusalPlace = (DateTime<Utc>, String, Vec<u8>);

impl PlatformTx {
    /// Adds refusals to those that are known. Of each tenant and reason the newest `kept` stay by themselves; older ones are
    /// counted with the others.
    pub async fn note_refusals(
        &mut self,
        rows: &[RefusalRow],
        kept: i64,
    ) -> Result<(), StoreError> {
        // One instance at a time: two would wait for each other's rows.
        sqlx::query!("select pg_advisory_xact_lock(hashtextextended('refusal', 0))")
            .execute(self.connection())
            .await?;
        self.add_refusals(rows).await?;
        let tenants: Vec<Uuid> = rows.iter().map(|row| row.tenant.0).collect();
        sqlx::query!(
            "with placed as (
                 select tenant_id, reason, fingerprint,
                        row_number() over (partition by tenant_id, reason order by last_at desc, fingerprint) as place
                 from refusal where tenant_id = any($1) and fingerprint <> ''),
             gone as (
                 delete from refusal r using placed p
                 where r.tenant_id = p.tenant_id and r.reason = p.reason and r.fingerprint = p.fingerprint and p.place > $2
                 returning r.tenant_id, r.reason, r.count, r.first_at, r.last_at)
             insert into refusal as r (tenant_id, reason, fingerprint, count, first_at, last_at)
             select tenant_id, reason, '', least(sum(count), 9007199254740991)::bigint, min(first_at), max(last_at)
             from gone group by tenant_id, reason
             on conflict (tenant_id, reason, fingerprint) do update
             set count = least(r.count + excluded.count, 9007199254740991),
                 first_at = least(r.first_at, excluded.first_at), last_at = greatest(r.last_at, excluded.last_at)",
            &tenants,
            kept
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    async fn add_refusals(&mut self, rows: &[RefusalRow]) -> Result<(), StoreError> {
        let tenants: Vec<Uuid> = rows.iter().map(|row| row.tenant.0).collect();
        let texts = |of: fn(&RefusalRow) -> &String| -> Vec<String> {
            rows.iter().map(|row| of(row).clone()).collect()
        };
        let fingerprints: Vec<Vec<u8>> = rows.iter().map(|row| row.fingerprint.clone()).collect();
        let counts: Vec<i64> = rows.iter().map(|row| row.count).collect();
        let firsts: Vec<DateTime<Utc>> = rows.iter().map(|row| row.first_at).collect();
        let lasts: Vec<DateTime<Utc>> = rows.iter().map(|row| row.last_at).collect();
        let requests: Vec<Option<Uuid>> =
            rows.iter().map(|row| row.request.map(|id| id.0)).collect();
        sqlx::query!(
            "insert into refusal as r (tenant_id, reason, fingerprint, issuer, audience, kid, origin, count, first_at, last_at, request_id)
             select n.* from unnest($1::uuid[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
                                    $9::timestamptz[], $10::timestamptz[], $11::uuid[])
                        as n (tenant_id, reason, fingerprint, issuer, audience, kid, origin, count, first_at, last_at, request_id)
             where exists (select from tenant t where t.id = n.tenant_id)
             on conflict (tenant_id, reason, fingerprint) do update
             set count = least(r.count + excluded.count, 9007199254740991),
                 first_at = least(r.first_at, excluded.first_at),
                 last_at = greatest(r.last_at, excluded.last_at),
                 request_id = case when excluded.last_at >= r.last_at then excluded.request_id else r.request_id end",
            &tenants,
            &texts(|row| &row.reason),
            &fingerprints,
            &texts(|row| &row.issuer),
            &texts(|row| &row.audience),
            &texts(|row| &row.kid),
            &texts(|row| &row.origin),
            &counts,
            &firsts,
            &lasts,
            &requests as &[Option<Uuid>]
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Forgets what last happened before a moment.
    pub async fn forget_refusals(&mut self, before: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query!("delete from refusal where last_at < $1", before)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

impl TenantTx {
    /// The tenant's refusals, of one reason where it is named, the newest first; `after` is the last one of the page before.
    pub async fn refusals(
        &mut self,
        reason: Option<&str>,
        after: Option<RefusalPlace>,
        limit: i64,
    ) -> Result<Vec<RefusalRow>, StoreError> {
        let tenant = self.tenant();
        let (at, after_reason, after_fingerprint) = match after {
            Some((at, reason, fingerprint)) => (Some(at), Some(reason), Some(fingerprint)),
            None => (None, None, None),
        };
        let rows = sqlx::query!(
            "select reason, fingerprint, issuer, audience, kid, origin, count, first_at, last_at, request_id
             from refusal
             where tenant_id = $1 and ($2::text is null or reason = $2)
               and ($3::timestamptz is null or (last_at, reason, fingerprint) < ($3, $4::text, $5::bytea))
             order by last_at desc, reason desc, fingerprint desc limit $6",
            tenant.0,
            reason,
            at,
            after_reason,
            after_fingerprint,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        let refusals = rows.into_iter().map(|row| RefusalRow {
            tenant,
            reason: row.reason,
            fingerprint: row.fingerprint,
            issuer: row.issuer,
            audience: row.audience,
            kid: row.kid,
            origin: row.origin,
            count: row.count,
            first_at: row.first_at,
            last_at: row.last_at,
            request: row.request_id.map(RequestId),
        });
        Ok(refusals.collect())
    }
}
