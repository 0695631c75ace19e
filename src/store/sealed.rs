//! Every sealed column: where its values stand, and how to seal them again under another master key; and the table `master_key`.
//!
//! A sealed value begins with a version byte and the number of its master key in two bytes, big endian.

use uuid::Uuid;

use super::StoreError;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::crypto::seal::Aad;
use crate::domain::ids::TenantId;

/// A column of a tenant's table that holds sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedColumn {
    /// Shared secrets of issuers.
    IssuerSecret,
    /// Anam keys.
    ProviderKey,
    /// What webhook tools refer to.
    Secret,
    /// Client secrets at providers of single sign-on.
    SsoClientSecret,
    /// Verifiers of browsers that are at such a provider; they end within minutes.
    SsoVerifier,
    /// Answers of calls with an Idempotency-Key; they end after a day.
    GivenAnswer,
}

/// One sealed value.
#[derive(Debug)]
pub struct SealedRow {
    /// Its row, which the seal names.
    pub id: Uuid,
    /// The value.
    pub sealed: Vec<u8>,
}

/// A master key that has sealed something.
#[derive(Debug)]
pub struct MasterKeyRow {
    /// Its number in the ring.
    pub id: u16,
    /// A sealed constant, by which the key is recognised.
    pub sealed: Vec<u8>,
    /// Whether nothing is sealed with it any more.
    pub retired: bool,
}

impl SealedColumn {
    pub const ALL: [Self; 6] = [
        Self::IssuerSecret,
        Self::ProviderKey,
        Self::Secret,
        Self::SsoClientSecret,
        Self::SsoVerifier,
        Self::GivenAnswer,
    ];

    pub fn table(self) -> &'static str {
        match self {
            Self::IssuerSecret => "issuer",
            Self::ProviderKey => "provider_key",
            Self::Secret => "secret",
            Self::SsoClientSecret => "sso_provider",
            Self::SsoVerifier => "sso_attempt",
            Self::GivenAnswer => "given_answer",
        }
    }

    pub fn column(self) -> &'static str {
        match self {
            Self::IssuerSecret => "shared_secret",
            Self::ProviderKey | Self::Secret | Self::GivenAnswer => "sealed",
            Self::SsoClientSecret => "client_secret",
            Self::SsoVerifier => "pkce_verifier",
        }
    }

    /// Where a value of this column stands; it opens nowhere else.
    pub fn place(self, tenant: TenantId, row: Uuid) -> Aad {
        Aad {
            table: self.table(),
            column: self.column(),
            tenant,
            row,
        }
    }
}

/// The rows of one column that another key than `$key` sealed (or, with `=`, that it did).
macro_rules! rows {
    ($tx:ident, $key:ident, $after:ident, $limit:ident, $table:tt, $column:tt, $relation:tt) => {{
        let tenant = $tx.tenant().0;
        sqlx::query_as!(
            SealedRow,
            "select id, "
                + $column
                + r#" as "sealed!" from "#
                + $table
                + " where tenant_id = $1 and octet_length("
                + $column
                + ") > 2 and get_byte("
                + $column
                + ", 1) * 256 + get_byte("
                + $column
                + ", 2) "
                + $relation
                + " $2::integer and id > $3 order by id limit $4",
            tenant,
            i32::from($key),
            $after,
            $limit
        )
        .fetch_all($tx.connection())
        .await?
    }};
}

macro_rules! replace {
    ($tx:ident, $row:ident, $again:ident, $table:tt, $column:tt) => {{
        let tenant = $tx.tenant().0;
        sqlx::query!(
            "update "
                + $table
                + " set "
                + $column
                + " = $4 where tenant_id = $1 and id = $2 and "
                + $column
                + " = $3",
            tenant,
            $row.id,
            $row.sealed,
            $again
        )
        .execute($tx.connection())
        .await?
    }};
}

impl TenantTx {
    /// Some of a column's values that another master key than `active` sealed, by row, behind the row `after`.
    pub async fn sealed_with_others(
        &mut self,
        column: SealedColumn,
        active: u16,
        after: Uuid,
        limit: i64,
    ) -> Result<Vec<SealedRow>, StoreError> {
        Ok(match column {
            SealedColumn::IssuerSecret => {
                rows!(self, active, after, limit, "issuer", "shared_secret", "<>")
            }
            SealedColumn::ProviderKey => {
                rows!(self, active, after, limit, "provider_key", "sealed", "<>")
            }
            SealedColumn::Secret => {
                rows!(self, active, after, limit, "secret", "sealed", "<>")
            }
            SealedColumn::SsoClientSecret => {
                rows!(
                    self,
                    active,
                    after,
                    limit,
                    "sso_provider",
                    "client_secret",
                    "<>"
                )
            }
            SealedColumn::SsoVerifier => {
                rows!(
                    self,
                    active,
                    after,
                    limit,
                    "sso_attempt",
                    "pkce_verifier",
                    "<>"
                )
            }
            SealedColumn::GivenAnswer => {
                rows!(self, active, after, limit, "given_answer", "sealed", "<>")
            }
        })
    }

    /// Some of a column's values that this master key sealed.
    pub async fn sealed_with(
        &mut self,
        column: SealedColumn,
        key: u16,
        limit: i64,
    ) -> Result<Vec<SealedRow>, StoreError> {
        let first = Uuid::nil();
        Ok(match column {
            SealedColumn::IssuerSecret => {
                rows!(self, key, first, limit, "issuer", "shared_secret", "=")
            }
            SealedColumn::ProviderKey => {
                rows!(self, key, first, limit, "provider_key", "sealed", "=")
            }
            SealedColumn::Secret => {
                rows!(self, key, first, limit, "secret", "sealed", "=")
            }
            SealedColumn::SsoClientSecret => {
                rows!(
                    self,
                    key,
                    first,
                    limit,
                    "sso_provider",
                    "client_secret",
                    "="
                )
            }
            SealedColumn::SsoVerifier => {
                rows!(self, key, first, limit, "sso_attempt", "pkce_verifier", "=")
            }
            SealedColumn::GivenAnswer => {
                rows!(self, key, first, limit, "given_answer", "sealed", "=")
            }
        })
    }

    /// Puts a value in the place of one that nobody has changed meanwhile; says whether it did.
    pub async fn replace_sealed(
        &mut self,
        column: SealedColumn,
        row: &SealedRow,
        again: &[u8],
    ) -> Result<bool, StoreError> {
        let done = match column {
            SealedColumn::IssuerSecret => replace!(self, row, again, "issuer", "shared_secret"),
            SealedColumn::ProviderKey => replace!(self, row, again, "provider_key", "sealed"),
            SealedColumn::Secret => replace!(self, row, again, "secret", "sealed"),
            SealedColumn::SsoClientSecret => {
                replace!(self, row, again, "sso_provider", "client_secret")
            }
            SealedColumn::SsoVerifier => replace!(self, row, again, "sso_attempt", "pkce_verifier"),
            SealedColumn::GivenAnswer => replace!(self, row, again, "given_answer", "sealed"),
        };
        Ok(done.rows_affected() > 0)
    }
}

impl PlatformTx {
    /// The master keys that have sealed something, by number.
    pub async fn master_keys(&mut self) -> Result<Vec<MasterKeyRow>, StoreError> {
        let rows = sqlx::query!(
            r#"select id, sealed, retired_at is not null as "retired!" from master_key order by id"#
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter()
            .map(|row| {
                Ok(MasterKeyRow {
                    id: u16::try_from(row.id).map_err(|_range| {
                        StoreError::Unreadable("the number of a master key".into())
                    })?,
                    sealed: row.sealed,
                    retired: row.retired,
                })
            })
            .collect()
    }

    /// Remembers a master key; `retired` says that nothing is sealed with it. Of two instances that do so at once the first wins;
    /// both know the same key, or one is refused when it starts next.
    pub async fn insert_master_key(
        &mut self,
        id: u16,
        sealed: &[u8],
        retired: bool,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into master_key (id, sealed, retired_at) values ($1, $2, case when $3 then now() end)
             on conflict (id) do nothing",
            i32::from(id),
            sealed,
            retired
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Says whether something may still be sealed with a master key.
    pub async fn retire_master_key(&mut self, id: u16, retired: bool) -> Result<(), StoreError> {
        sqlx::query!(
            "update master_key set retired_at = case when $2 then coalesce(retired_at, now()) end where id = $1",
            i32::from(id),
            retired
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
