//! The table `place`: finding out which conversations began, and which have ended.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::places::{count, id_of, owner_of};
use super::tenant_tx::PlatformTx;
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::places::KeyOwner;

/// Places of one key in a round at most: one that has many keeps nobody else's waiting.
const OF_A_KEY: i64 = 16;
/// Places, and keys, in a round at most.
const IN_A_ROUND: i64 = 64;

/// A place that Anam is to be asked about.
#[derive(Debug, Clone)]
pub struct DuePlace {
    pub tenant: TenantId,
    pub session: SessionId,
    pub key: KeyOwner,
    /// When the token was asked for.
    pub at: DateTime<Utc>,
    /// The longest that the conversation may last.
    pub seconds: u32,
    pub begun: bool,
}

impl PlatformTx {
    /// Takes some of the places that are due. Nobody else gets them until `again`.
    pub async fn take_due_places(
        &mut self,
        now: DateTime<Utc>,
        again: DateTime<Utc>,
    ) -> Result<Vec<DuePlace>, StoreError> {
        let rows = sqlx::query!(
            "with due as (
                 select tenant_id, session_id from (
                     select tenant_id, session_id, check_at,
                            row_number() over (partition by key order by check_at) as turn
                     from place where check_at <= $1) as ordered
                 where turn <= $3 order by turn, check_at limit $4)
             update place p set check_at = $2 from due d
             where p.tenant_id = d.tenant_id and p.session_id = d.session_id and p.check_at <= $1
             returning p.tenant_id, p.session_id, p.key, p.at, p.seconds, p.begun",
            now,
            again,
            OF_A_KEY,
            IN_A_ROUND
        )
        .fetch_all(self.connection())
        .await?;
        let due = rows.into_iter().map(|row| DuePlace {
            tenant: TenantId(row.tenant_id),
            session: SessionId(row.session_id),
            key: owner_of(row.key),
            at: row.at,
            seconds: row.seconds.unsigned_abs(),
            begun: row.begun,
        });
        Ok(due.collect())
    }

    /// Says what is known of a place, when it ends at the latest, and when to ask again.
    pub async fn keep_place(
        &mut self,
        place: &DuePlace,
        begun: bool,
        until: DateTime<Utc>,
        check_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update place set begun = $3, until = $4, check_at = $5 where tenant_id = $1 and session_id = $2",
            place.tenant.0,
            place.session.0,
            begun,
            until,
            check_at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Frees the place of a conversation that has ended after so many seconds; `None` where none began.
    pub async fn free_place(
        &mut self,
        place: &DuePlace,
        lasted: Option<f64>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "with freed as (delete from place where tenant_id = $1 and session_id = $2 returning key)
             update place_line l set mean_seconds = coalesce(l.mean_seconds * 0.8 + $3::float8 * 0.2, $3)
             from freed where l.key = freed.key and $3::float8 is not null",
            place.tenant.0,
            place.session.0,
            lasted
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes some of the keys that have places or somebody who waits, and about which Anam was not asked since `before`; and how many of
    /// their conversations are known to have begun.
    pub async fn take_due_lines(
        &mut self,
        now: DateTime<Utc>,
        before: DateTime<Utc>,
    ) -> Result<Vec<(KeyOwner, u32)>, StoreError> {
        let rows = sqlx::query!(
            r#"update place_line l set asked_at = $1 where key in (
                   select key from place_line l where (l.asked_at is null or l.asked_at <= $2)
                   and (exists (select from place p where p.key = l.key) or exists (select from place_wait w where w.key = l.key))
                   order by l.asked_at nulls first limit $3 for update skip locked)
               returning key, (select count(*) from place p where p.key = l.key and p.begun) as "begun!""#,
            now,
            before,
            IN_A_ROUND
        )
        .fetch_all(self.connection())
        .await?;
        let due = rows
            .into_iter()
            .map(|row| (owner_of(row.key), count(row.begun)));
        Ok(due.collect())
    }

    /// Writes down what Anam says of a key: how many conversations it allows, and how many there are that the gateway does not know of.
    /// Nothing is known where it did not say.
    pub async fn note_line(
        &mut self,
        key: KeyOwner,
        places: Option<u32>,
        elsewhere: Option<u32>,
    ) -> Result<(), StoreError> {
        let number = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
        sqlx::query!(
            "update place_line set places = $2, elsewhere = $3 where key = $1",
            id_of(key),
            number(places),
            number(elsewhere)
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
