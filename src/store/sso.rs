//! The tables `sso_provider` and `sso_attempt`: a tenant's `OpenID` provider, and browsers that came back from there.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::StoreError;
use super::people::role;
use super::tenant_tx::TenantTx;
use crate::crypto::token::TokenHash;
use crate::domain::email::Email;
use crate::domain::role::Role;

/// A tenant's provider as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRow {
    /// Names the row in what is sealed.
    pub id: Uuid,
    /// The provider's issuer identifier.
    pub issuer: String,
    /// What the provider calls the gateway.
    pub client_id: String,
    /// Sealed; none for a public client.
    pub client_secret: Option<Vec<u8>>,
    /// Whose addresses it may speak for.
    pub allowed_domains: Vec<String>,
    /// Whether these count also where it does not say that it has verified them.
    pub trusts_addresses: bool,
    /// What somebody without a membership becomes.
    pub new_person_role: Option<Role>,
    /// Grows with each change.
    pub revision: i64,
}

/// A code that somebody carries to where they work.
#[derive(Debug)]
pub struct NewCode<'a> {
    pub email: &'a Email,
    /// Of the code.
    pub hash: TokenHash,
    /// What its verifier must hash to (PKCE, S256).
    pub challenge: &'a str,
    pub ends: DateTime<Utc>,
    /// Whether the person has signed in at the provider for it.
    pub is_fresh: bool,
}

/// A code that was used just now.
#[derive(Debug)]
pub struct TakenCode {
    pub email: String,
    /// What its verifier must hash to.
    pub challenge: String,
    /// Whether the person has signed in at the provider for it.
    pub is_fresh: bool,
}

impl TenantTx {
    pub async fn sso_provider(&mut self) -> Result<Option<ProviderRow>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            "select id, issuer, client_id, client_secret, allowed_domains, trusts_addresses, new_person_role, revision
             from sso_provider where tenant_id = $1",
            tenant
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| {
            Ok(ProviderRow {
                id: row.id,
                issuer: row.issuer,
                client_id: row.client_id,
                client_secret: row.client_secret,
                allowed_domains: row.allowed_domains,
                trusts_addresses: row.trusts_addresses,
                new_person_role: row.new_person_role.as_deref().map(role).transpose()?,
                revision: row.revision,
            })
        })
        .transpose()
    }

    /// Sets the tenant's provider; its revision goes on from the one before.
    pub async fn put_sso_provider(
        &mut self,
        row: &ProviderRow,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "insert into sso_provider (tenant_id, id, issuer, client_id, client_secret, allowed_domains, trusts_addresses, new_person_role,
                                       revision, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             on conflict (tenant_id) do update
             set issuer = excluded.issuer, client_id = excluded.client_id, client_secret = excluded.client_secret,
                 allowed_domains = excluded.allowed_domains, trusts_addresses = excluded.trusts_addresses, new_person_role = excluded.new_person_role,
                 revision = excluded.revision, updated_at = excluded.updated_at",
            tenant,
            row.id,
            row.issuer,
            row.client_id,
            row.client_secret,
            &row.allowed_domains,
            row.trusts_addresses,
            row.new_person_role.map(Role::as_str),
            row.revision,
            now
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Removes the tenant's provider.
    pub async fn delete_sso_provider(&mut self) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!("delete from sso_provider where tenant_id = $1", tenant)
            .execute(self.connection())
            .await?;
        Ok(())
    }

    /// Remembers that a browser came back with this state, until `ends`; says whether it is the first time.
    pub async fn use_sso(
        &mut self,
        state: &TokenHash,
        ends: DateTime<Utc>,
        code: Option<&NewCode<'_>>,
    ) -> Result<bool, StoreError> {
        let tenant = self.tenant().0;
        let done = sqlx::query!(
            "insert into sso_attempt (tenant_id, state_hash, expires_at, email, code_hash, code_challenge, code_ends, code_is_fresh)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (tenant_id, state_hash) do nothing",
            tenant,
            state.as_bytes(),
            ends,
            code.map(|code| code.email.as_str()),
            code.map(|code| code.hash.as_bytes().as_slice()),
            code.map(|code| code.challenge),
            code.map(|code| code.ends),
            code.is_some_and(|code| code.is_fresh)
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Takes out the code with this hash, if it still holds.
    pub async fn take_sso_code(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<Option<TakenCode>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            r#"update sso_attempt set code_hash = null where tenant_id = $1 and code_hash = $2 and code_ends > $3
               returning email as "email!", code_challenge as "challenge!", code_is_fresh"#,
            tenant,
            hash.as_bytes(),
            now
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| TakenCode {
            email: row.email,
            challenge: row.challenge,
            is_fresh: row.code_is_fresh,
        }))
    }
}
