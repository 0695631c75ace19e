//! The table `password_reset`: links to choose a new password, by the hash of their token.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::lease::Lease;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::crypto::token::TokenHash;
use crate::domain::ids::AdminId;

/// A link to make.
#[derive(Debug)]
pub struct NewReset {
    pub hash: TokenHash,
    pub person: AdminId,
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// A link that can be used.
#[derive(Debug, Clone)]
pub struct OpenReset {
    pub person: AdminId,
    pub email: String,
    /// The password's hash before it is changed.
    pub password_hash: String,
}

/// Makes a link, and forgets all that have expired.
async fn insert(connection: &mut Lease, new: &NewReset) -> Result<(), StoreError> {
    sqlx::query!("delete from password_reset where expires_at <= $1", new.now)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "insert into password_reset (hash, admin_id, created_at, expires_at) values ($1, $2, $3, $4)",
        new.hash.as_bytes(),
        new.person.0,
        new.now,
        new.expires_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Uses a link up; says whether it could still be used.
async fn take(
    connection: &mut Lease,
    hash: &TokenHash,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "delete from password_reset where hash = $1 and expires_at > $2",
        hash.as_bytes(),
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

impl PlatformTx {
    pub async fn insert_reset(&mut self, new: &NewReset) -> Result<(), StoreError> {
        insert(self.connection(), new).await
    }

    /// The link with this token, of somebody who may sign in with a password.
    pub async fn open_reset(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<OpenReset>, StoreError> {
        let row = sqlx::query!(
            r#"select a.id, a.email, a.password_hash as "password_hash!"
               from password_reset r join admin a on a.id = r.admin_id
               where r.hash = $1 and r.expires_at > $2 and a.disabled_at is null and a.password_hash is not null"#,
            hash.as_bytes(),
            now
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| OpenReset {
            person: AdminId(row.id),
            email: row.email,
            password_hash: row.password_hash,
        }))
    }

    /// Uses a link up; says whether it could still be used.
    pub async fn take_reset(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        take(self.connection(), hash, now).await
    }
}

impl TenantTx {
    pub async fn insert_reset(&mut self, new: &NewReset) -> Result<(), StoreError> {
        let mut step = self.platform_step().await?;
        insert(step.connection(), new).await?;
        step.end().await
    }

    /// Uses a link up; says whether it could still be used.
    pub async fn take_reset(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut step = self.platform_step().await?;
        let taken = take(step.connection(), hash, now).await?;
        step.end().await?;
        Ok(taken)
    }
}
