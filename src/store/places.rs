//! The tables `place`, `place_wait` and `place_line`: who has a place of an Anam key, and who waits for one.
//!
//! Whoever gives places of a key locks its row of `place_line` first, so no place is given twice, however many instances there are.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::StoreError;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::crypto::digest::SubjectDigest;
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::places::{KeyOwner, Share};

/// What is known of a key's account.
#[derive(Debug, Clone, Copy, Default)]
pub struct KeyLine {
    /// How many conversations Anam allows at the same time; `None` where it was not asked, or did not say.
    pub places: Option<u32>,
    /// Conversations that the gateway did not know of when Anam was asked.
    pub elsewhere: Option<u32>,
    /// How long conversations were of late, seconds.
    pub mean_seconds: Option<f64>,
}

/// A user among those of their tenant.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    /// Places that the user has.
    pub own: u32,
    /// Users of the tenant who wait and come first: who has fewer places, and among equals who waits longer.
    pub before: u32,
    /// Whether the user waits already.
    pub waits: bool,
}

/// A place that is to be taken.
#[derive(Debug, Clone, Copy)]
pub struct NewPlace {
    pub tenant: TenantId,
    pub session: SessionId,
    pub key: KeyOwner,
    pub user: SubjectDigest,
    pub at: DateTime<Utc>,
    /// The longest that the conversation may last.
    pub seconds: u32,
    /// When it is free again, if the conversation has not begun by then.
    pub until: DateTime<Utc>,
    /// When Anam is to be asked first.
    pub check_at: DateTime<Utc>,
}

/// How many places a tenant has, and how many of its users wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlacesNow {
    pub taken: u32,
    pub waiting: u32,
}

/// What names a key in the database.
pub(super) fn id_of(key: KeyOwner) -> Uuid {
    match key {
        KeyOwner::Platform => Uuid::nil(),
        KeyOwner::Tenant(tenant) => tenant.0,
    }
}

/// The same read back.
pub(super) fn owner_of(id: Uuid) -> KeyOwner {
    if id.is_nil() {
        KeyOwner::Platform
    } else {
        KeyOwner::Tenant(TenantId(id))
    }
}

pub(super) fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(if number < 0 { 0 } else { u32::MAX })
}

impl PlatformTx {
    /// Locks the line of a key until this transaction ends.
    pub async fn lock_line(&mut self, key: KeyOwner) -> Result<KeyLine, StoreError> {
        if let Some(line) = self.find_line(key).await? {
            return Ok(line);
        }
        sqlx::query!(
            "insert into place_line (key) values ($1) on conflict do nothing",
            id_of(key)
        )
        .execute(self.connection())
        .await?;
        Ok(self.find_line(key).await?.unwrap_or_default())
    }

    async fn find_line(&mut self, key: KeyOwner) -> Result<Option<KeyLine>, StoreError> {
        let row = sqlx::query!(
            "select places, elsewhere, mean_seconds from place_line where key = $1 for update",
            id_of(key)
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| KeyLine {
            places: row.places.map(i32::unsigned_abs),
            elsewhere: row.elsewhere.map(i32::unsigned_abs),
            mean_seconds: row.mean_seconds,
        }))
    }

    /// Every tenant that has places of a key, waits for one, or is guaranteed some. What has ended by itself is deleted.
    pub async fn shares(
        &mut self,
        key: KeyOwner,
        now: DateTime<Utc>,
    ) -> Result<Vec<Share>, StoreError> {
        let rows = sqlx::query!(
            r#"with ended as (delete from place where key = $1 and until <= $2),
                    left_line as (delete from place_wait where key = $1 and until <= $2),
                    taken as (select tenant_id, count(*) as places from place
                              where key = $1 and until > $2 group by tenant_id),
                    waiting as (select tenant_id, count(*) as users from place_wait
                                where key = $1 and until > $2 group by tenant_id),
                    tenants as (select tenant_id from taken union select tenant_id from waiting
                                union select s.tenant_id from place_share s join tenant t on t.id = s.tenant_id and t.status = 'active'
                                      where s.guaranteed > 0 and $3)
               select t.tenant_id as "tenant_id!", coalesce(k.places, 0) as "taken!", coalesce(w.users, 0) as "waiting!",
                      coalesce(s.guaranteed, 0) as "guaranteed!", s.most as "most?", s.served_at as "served_at?"
               from tenants t
               left join taken k on k.tenant_id = t.tenant_id
               left join waiting w on w.tenant_id = t.tenant_id
               left join place_share s on s.tenant_id = t.tenant_id and $3"#,
            id_of(key),
            now,
            key == KeyOwner::Platform
        )
        .fetch_all(self.connection())
        .await?;
        let shares = rows.into_iter().map(|row| Share {
            tenant: TenantId(row.tenant_id),
            guaranteed: row.guaranteed.unsigned_abs(),
            most: row.most.map(i32::unsigned_abs),
            taken: count(row.taken),
            waiting: count(row.waiting),
            served_at: row.served_at,
        });
        Ok(shares.collect())
    }

    /// What a tenant has of the platform's key, where it has nothing of it now.
    pub async fn share_of(&mut self, tenant: TenantId) -> Result<Share, StoreError> {
        let row = sqlx::query!(
            "select guaranteed, most, served_at from place_share where tenant_id = $1",
            tenant.0
        )
        .fetch_optional(self.connection())
        .await?;
        let new = Share::new(tenant);
        Ok(row.map_or(new.clone(), |row| Share {
            guaranteed: row.guaranteed.unsigned_abs(),
            most: row.most.map(i32::unsigned_abs),
            served_at: row.served_at,
            ..new
        }))
    }

    /// Where a user stands among those of their tenant.
    pub async fn standing(
        &mut self,
        tenant: TenantId,
        key: KeyOwner,
        user: SubjectDigest,
        now: DateTime<Utc>,
    ) -> Result<Standing, StoreError> {
        let row = sqlx::query!(
            r#"with has as (select subject, count(*) as places from place
                            where tenant_id = $1 and key = $2 and until > $4 group by subject),
                    waits as (select w.subject, coalesce(h.places, 0) as places, w.since
                              from place_wait w left join has h on h.subject = w.subject
                              where w.tenant_id = $1 and w.key = $2 and w.until > $4),
                    own as (select coalesce((select places from has where subject = $3), 0) as places,
                                   (select since from waits where subject = $3) as since)
               select own.places as "own!", own.since is not null as "waits!",
                      (select count(*) from waits w where w.subject <> $3
                       and (w.places, w.since, w.subject) < (own.places, coalesce(own.since, clock_timestamp()), $3)) as "before!"
               from own"#,
            tenant.0,
            id_of(key),
            user.as_bytes().as_slice(),
            now
        )
        .fetch_one(self.connection())
        .await?;
        Ok(Standing {
            own: count(row.own),
            before: count(row.before),
            waits: row.waits,
        })
    }

    /// Takes a place; the user waits no longer.
    pub async fn take_place(&mut self, place: &NewPlace) -> Result<(), StoreError> {
        let seconds = i32::try_from(place.seconds).unwrap_or(i32::MAX).max(1);
        sqlx::query!(
            "with served as (
                 insert into place_share (tenant_id, served_at) select $1, $5 where $9
                 on conflict (tenant_id) do update set served_at = excluded.served_at),
             left_line as (delete from place_wait where tenant_id = $1 and subject = $4)
             insert into place (tenant_id, session_id, key, subject, at, seconds, until, check_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)",
            place.tenant.0,
            place.session.0,
            id_of(place.key),
            place.user.as_bytes().as_slice(),
            place.at,
            seconds,
            place.until,
            place.check_at,
            place.key == KeyOwner::Platform
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Keeps a user's turn until then. Since when they wait is said by the database, whose clock is that of all instances.
    pub async fn keep_turn(
        &mut self,
        tenant: TenantId,
        key: KeyOwner,
        user: SubjectDigest,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into place_wait (tenant_id, subject, key, since, until) values ($1, $2, $3, clock_timestamp(), $5)
             on conflict (tenant_id, subject) do update set until = excluded.until, key = excluded.key,
                 since = case when place_wait.key = excluded.key and place_wait.until > $4
                              then place_wait.since else excluded.since end",
            tenant.0,
            user.as_bytes().as_slice(),
            id_of(key),
            now,
            until
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Gives back the place of a session that got no token.
    pub async fn give_back_place(
        &mut self,
        tenant: TenantId,
        session: SessionId,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "delete from place where tenant_id = $1 and session_id = $2",
            tenant.0,
            session.0
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// How many places of a key are taken, and how many users wait.
    pub async fn places_now(
        &mut self,
        key: KeyOwner,
        now: DateTime<Utc>,
    ) -> Result<PlacesNow, StoreError> {
        let row = sqlx::query!(
            r#"select (select count(*) from place where key = $1 and until > $2) as "taken!",
                      (select count(*) from place_wait where key = $1 and until > $2) as "waiting!""#,
            id_of(key),
            now
        )
        .fetch_one(self.connection())
        .await?;
        Ok(PlacesNow {
            taken: count(row.taken),
            waiting: count(row.waiting),
        })
    }
}

impl TenantTx {
    /// The tenant's places, of whichever key, and its users who wait.
    pub async fn places(&mut self, now: DateTime<Utc>) -> Result<PlacesNow, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            r#"select (select count(*) from place where tenant_id = $1 and until > $2) as "taken!",
                      (select count(*) from place_wait where tenant_id = $1 and until > $2) as "waiting!""#,
            tenant,
            now
        )
        .fetch_one(self.connection())
        .await?;
        Ok(PlacesNow {
            taken: count(row.taken),
            waiting: count(row.waiting),
        })
    }

    /// Forgets whose a user's places are, which stay taken, and that the user waits.
    pub async fn forget_places(&mut self, user: SubjectDigest) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "with left_line as (delete from place_wait where tenant_id = $1 and subject = $2)
             update place set subject = sha256(uuid_send(session_id)) where tenant_id = $1 and subject = $2",
            tenant,
            user.as_bytes().as_slice()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
