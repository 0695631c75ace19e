//! The tables `sso_provider` and `sso_attempt`: a tenant's `OpenID` provider, and browsers on their way there.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::StoreError;
use super::people::role;
use super::tenant_tx::TenantTx;
use crate::crypto::token::TokenHash;
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
    /// What somebody without a membership becomes.
    pub new_person_role: Option<Role>,
    /// Grows with each change.
    pub revision: i64,
}

/// A browser that was sent to the provider.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    /// Names the row in what is sealed.
    pub id: Uuid,
    /// Of the cookie.
    pub browser_hash: TokenHash,
    /// What the ID token must repeat.
    pub nonce: String,
    /// Sealed.
    pub pkce_verifier: Vec<u8>,
    /// The provider it was sent to,
    pub provider: Uuid,
    /// as it was then.
    pub revision: i64,
    /// Where it comes back to.
    pub redirect_uri: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

impl TenantTx {
    /// The tenant's provider.
    pub async fn sso_provider(&mut self) -> Result<Option<ProviderRow>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            "select id, issuer, client_id, client_secret, allowed_domains, new_person_role, revision
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
            "insert into sso_provider (tenant_id, id, issuer, client_id, client_secret, allowed_domains, new_person_role,
                                       revision, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             on conflict (tenant_id) do update
             set issuer = excluded.issuer, client_id = excluded.client_id, client_secret = excluded.client_secret,
                 allowed_domains = excluded.allowed_domains, new_person_role = excluded.new_person_role,
                 revision = excluded.revision, updated_at = excluded.updated_at",
            tenant,
            row.id,
            row.issuer,
            row.client_id,
            row.client_secret,
            &row.allowed_domains,
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

    /// Remembers a browser that is sent to the provider, and forgets those that did not come back.
    pub async fn begin_sso(
        &mut self,
        state: &TokenHash,
        attempt: &AttemptRow,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let tenant = self.tenant().0;
        sqlx::query!(
            "delete from sso_attempt where tenant_id = $1 and expires_at <= $2",
            tenant,
            now
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "insert into sso_attempt (tenant_id, id, state_hash, browser_hash, nonce, pkce_verifier, provider, revision,
                                      redirect_uri, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            tenant,
            attempt.id,
            state.as_bytes(),
            attempt.browser_hash.as_bytes(),
            attempt.nonce,
            attempt.pkce_verifier,
            attempt.provider,
            attempt.revision,
            attempt.redirect_uri,
            attempt.expires_at
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Takes out the attempt with this state, if this browser began it.
    pub async fn take_sso(
        &mut self,
        state: &TokenHash,
        browser: &TokenHash,
    ) -> Result<Option<AttemptRow>, StoreError> {
        let tenant = self.tenant().0;
        let row = sqlx::query!(
            "delete from sso_attempt where tenant_id = $1 and state_hash = $2 and browser_hash = $3
             returning id, nonce, pkce_verifier, provider, revision, redirect_uri, expires_at",
            tenant,
            state.as_bytes(),
            browser.as_bytes()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| AttemptRow {
            id: row.id,
            browser_hash: *browser,
            nonce: row.nonce,
            pkce_verifier: row.pkce_verifier,
            provider: row.provider,
            revision: row.revision,
            redirect_uri: row.redirect_uri,
            expires_at: row.expires_at,
        }))
    }
}
