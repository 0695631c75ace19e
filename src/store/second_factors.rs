//! The tables `second_factor` and `recovery_code`: codes of people's authenticator apps, and what opens an account without the app.
//!
//! They belong to people, so a tenant's transaction reaches them by switching to the platform's role.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::StoreError;
use super::lease::Lease;
use super::sealed::SealedRow;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::crypto::seal::Aad;
use crate::crypto::token::TokenHash;
use crate::domain::ids::{AdminId, TenantId};

/// A person's second factor as stored.
#[derive(Debug, Clone)]
pub struct FactorRow {
    /// Sealed; see [`place`].
    pub secret: Vec<u8>,
    /// When a code has shown that the app has the secret.
    pub confirmed_at: Option<DateTime<Utc>>,
    /// How many recovery codes are left.
    pub recovery_codes: i64,
}

/// Where a person's secret stands; it opens nowhere else.
pub fn place(person: AdminId) -> Aad {
    Aad {
        table: "second_factor",
        column: "secret",
        tenant: TenantId(Uuid::nil()),
        row: person.0,
    }
}

async fn remove(connection: &mut Lease, person: AdminId) -> Result<bool, StoreError> {
    let done = sqlx::query!("delete from second_factor where admin_id = $1", person.0)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

async fn confirm(
    connection: &mut Lease,
    person: AdminId,
    secret: &[u8],
    step: i64,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update second_factor set confirmed_at = $4, last_step = $3
         where admin_id = $1 and secret = $2 and confirmed_at is null",
        person.0,
        secret,
        step,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

async fn put_codes(
    connection: &mut Lease,
    person: AdminId,
    hashes: &[TokenHash],
) -> Result<(), StoreError> {
    sqlx::query!("delete from recovery_code where admin_id = $1", person.0)
        .execute(&mut *connection)
        .await?;
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect();
    sqlx::query!(
        "insert into recovery_code (admin_id, hash) select $1, hash from unnest($2::bytea[]) as hash",
        person.0,
        &hashes
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl PlatformTx {
    /// A person's second factor, confirmed or not.
    pub async fn factor(&mut self, person: AdminId) -> Result<Option<FactorRow>, StoreError> {
        let row = sqlx::query!(
            r#"select secret, confirmed_at,
                      (select count(*) from recovery_code r where r.admin_id = f.admin_id) as "recovery_codes!"
               from second_factor f where admin_id = $1"#,
            person.0
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| FactorRow {
            secret: row.secret,
            confirmed_at: row.confirmed_at,
            recovery_codes: row.recovery_codes,
        }))
    }

    /// Stores the secret of an enrolment that is not confirmed yet; says whether there is no confirmed one.
    pub async fn begin_factor(
        &mut self,
        person: AdminId,
        secret: &[u8],
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "insert into second_factor (admin_id, secret, created_at) values ($1, $2, $3)
             on conflict (admin_id) do update set secret = excluded.secret, created_at = excluded.created_at
             where second_factor.confirmed_at is null",
            person.0,
            secret,
            now
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes a code's step; says whether it is newer than every one that was taken.
    pub async fn take_step(&mut self, person: AdminId, step: i64) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update second_factor set last_step = $2 where admin_id = $1 and last_step < $2",
            person.0,
            step
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Uses a recovery code up; says whether there was such a one.
    pub async fn take_recovery_code(
        &mut self,
        person: AdminId,
        hash: &TokenHash,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "delete from recovery_code r using second_factor f
             where r.admin_id = $1 and r.hash = $2 and f.admin_id = r.admin_id and f.confirmed_at is not null",
            person.0,
            hash.as_bytes()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Some secrets that another master key than `active` sealed, by person, behind the person `after`.
    pub async fn factors_sealed_with_others(
        &mut self,
        active: u16,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let rows = sqlx::query_as!(
            SealedRow,
            "select admin_id as id, secret as sealed from second_factor
             where get_byte(secret, 1) * 256 + get_byte(secret, 2) <> $1::integer and admin_id > $2
             order by admin_id limit $3",
            i32::from(active),
            after,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows)
    }

    /// Some secrets that this master key sealed.
    pub async fn factors_sealed_with(
        &mut self,
        key: u16,
        limit: i64,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let rows = sqlx::query_as!(
            SealedRow,
            "select admin_id as id, secret as sealed from second_factor
             where get_byte(secret, 1) * 256 + get_byte(secret, 2) = $1::integer order by admin_id limit $2",
            i32::from(key),
            limit
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows)
    }

    /// Puts a secret in the place of one that nobody has changed meanwhile; says whether it did.
    pub async fn replace_factor(
        &mut self,
        row: &SealedRow,
        again: &[u8],
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update second_factor set secret = $3 where admin_id = $1 and secret = $2",
            row.id,
            row.sealed,
            again
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Has this secret count from now on; says whether it still waits for that.
    pub async fn confirm_factor(
        &mut self,
        person: AdminId,
        secret: &[u8],
        step: i64,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        confirm(self.connection(), person, secret, step, now).await
    }

    /// Replaces a person's recovery codes.
    pub async fn put_recovery_codes(
        &mut self,
        person: AdminId,
        hashes: &[TokenHash],
    ) -> Result<(), StoreError> {
        put_codes(self.connection(), person, hashes).await
    }

    /// Removes a person's second factor with its recovery codes; says whether there was one.
    pub async fn remove_factor(&mut self, person: AdminId) -> Result<bool, StoreError> {
        remove(self.connection(), person).await
    }
}

impl TenantTx {
    /// Has this secret count from now on; says whether it still waits for that.
    pub async fn confirm_factor(
        &mut self,
        person: AdminId,
        secret: &[u8],
        step: i64,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut door = self.platform_step().await?;
        let confirmed = confirm(door.connection(), person, secret, step, now).await?;
        door.end().await?;
        Ok(confirmed)
    }

    /// Replaces a person's recovery codes.
    pub async fn put_recovery_codes(
        &mut self,
        person: AdminId,
        hashes: &[TokenHash],
    ) -> Result<(), StoreError> {
        let mut door = self.platform_step().await?;
        put_codes(door.connection(), person, hashes).await?;
        door.end().await
    }

    /// Removes a person's second factor with its recovery codes; says whether there was one.
    pub async fn remove_factor(&mut self, person: AdminId) -> Result<bool, StoreError> {
        let mut door = self.platform_step().await?;
        let removed = remove(door.connection(), person).await?;
        door.end().await?;
        Ok(removed)
    }
}
