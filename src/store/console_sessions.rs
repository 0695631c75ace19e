//! The table `console_session`: people who are signed in, by the hash of their token.

use chrono::{DateTime, Utc};

use super::StoreError;
use super::lease::Lease;
use super::people::role;
use super::tenant_tx::{PlatformTx, TenantTx};
use crate::crypto::token::TokenHash;
use crate::domain::ids::{AdminId, TenantId};
use crate::domain::role::Role;

/// A session to begin.
#[derive(Debug)]
pub struct NewSession<'a> {
    /// SHA-256 of the session's token.
    pub hash: TokenHash,
    pub person: AdminId,
    pub tenant: Option<TenantId>,
    /// Vouched for by that tenant's identity provider.
    pub by_sso: bool,
    pub now: DateTime<Utc>,
    /// The end, whatever is done with it.
    pub expires_at: DateTime<Utc>,
    /// The password hash that was found right; the session begins only if it still is.
    pub password_hash: Option<&'a str>,
    /// The session whose place it takes; it begins only if that one still goes on, and ends it.
    pub instead_of: Option<TokenHash>,
    /// When the second factor was shown.
    pub factor_at: Option<DateTime<Utc>>,
    /// When the person last showed who they are.
    pub proven_at: DateTime<Utc>,
}

/// What somebody must do before their session may do anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Show a code of their second factor.
    Code,
    /// Enrol a second factor, which the tenant demands.
    Enrolment,
}

/// A session that goes on, and all that may be done with it.
#[derive(Debug, Clone)]
pub struct SessionRow {
    /// SHA-256 of the session's token.
    pub hash: TokenHash,
    pub person: AdminId,
    pub email: String,
    pub name: String,
    /// Whether the person is an operator.
    pub operator: bool,
    /// Vouched for by the tenant's identity provider.
    pub by_sso: bool,
    /// The tenant they work in.
    pub tenant: Option<SessionTenant>,
    /// When it was last used, to the minute.
    pub seen_at: DateTime<Utc>,
    /// The end, whatever is done with it.
    pub expires_at: DateTime<Utc>,
    /// Whether the person has a second factor.
    pub has_factor: bool,
    /// When it was shown in this session.
    pub factor_at: Option<DateTime<Utc>>,
    /// When the person last showed who they are.
    pub proven_at: DateTime<Utc>,
}

impl SessionRow {
    /// What must be done first. An identity provider's sessions miss nothing: a second factor is its matter.
    pub fn missing(&self) -> Option<Missing> {
        let demanded = self
            .tenant
            .as_ref()
            .is_some_and(|tenant| tenant.demands_factor);
        if self.by_sso {
            None
        } else if self.has_factor {
            self.factor_at.is_none().then_some(Missing::Code)
        } else {
            demanded.then_some(Missing::Enrolment)
        }
    }
}

#[derive(Debug, Clone)]
pub struct SessionTenant {
    pub id: TenantId,
    pub slug: String,
    /// False while the tenant is suspended.
    pub active: bool,
    /// The person's current role in the tenant.
    pub role: Role,
    /// Whether its policy demands a second factor.
    pub demands_factor: bool,
}

/// Begins a session, unless the person was disabled or got another password meanwhile: the row of the person is held, so
/// that a change of password either comes before and is seen here, or comes after and ends this session too.
async fn begin(connection: &mut Lease, new: &NewSession<'_>) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "insert into console_session (hash, admin_id, working_tenant, by_sso, created_at, seen_at, expires_at, factor_at, proven_at)
         select $1, a.id, $3, $4, $5, $5, $6, $8, $9 from admin a
         where a.id = $2 and a.disabled_at is null and ($7::text is null or a.password_hash = $7)
         for share",
        new.hash.as_bytes(),
        new.person.0,
        new.tenant.map(|tenant| tenant.0),
        new.by_sso,
        new.now,
        new.expires_at,
        new.password_hash,
        new.factor_at,
        new.proven_at
    )
    .execute(&mut *connection)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    match &new.instead_of {
        Some(old) => end(connection, old).await,
        None => Ok(true),
    }
}

/// Notes that the person of a session has just shown who they are, with their second factor or without.
async fn mark(
    connection: &mut Lease,
    hash: &TokenHash,
    now: DateTime<Utc>,
    with_factor: bool,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update console_session set proven_at = $2, factor_at = case when $3 then $2 else factor_at end where hash = $1",
        hash.as_bytes(),
        now,
        with_factor
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn end(connection: &mut Lease, hash: &TokenHash) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "delete from console_session where hash = $1",
        hash.as_bytes()
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// With them go links for a new password: whoever had the account before keeps no way in.
async fn end_all(connection: &mut Lease, person: AdminId) -> Result<(), StoreError> {
    sqlx::query!("delete from console_session where admin_id = $1", person.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("delete from password_reset where admin_id = $1", person.0)
        .execute(connection)
        .await?;
    Ok(())
}

impl PlatformTx {
    /// The session with this token, if it has neither ended nor been idle since `idle_since`.
    pub async fn session(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
        idle_since: DateTime<Utc>,
    ) -> Result<Option<SessionRow>, StoreError> {
        let row = sqlx::query!(
            r#"select s.admin_id, a.email, a.name, a.operator, s.by_sso, s.seen_at, s.expires_at, s.factor_at, s.proven_at,
                      exists (select from second_factor f where f.admin_id = a.id and f.confirmed_at is not null) as "has_factor!",
                      coalesce(t.policy -> 'requireSecondFactor' = 'true', false) as "demands_factor!",
                      s.working_tenant, t.slug as "slug?", t.status = 'active' as "active?", m.role as "role?"
               from console_session s
               join admin a on a.id = s.admin_id and a.disabled_at is null
               left join membership m on m.tenant_id = s.working_tenant and m.admin_id = s.admin_id and (s.by_sso or not m.by_sso)
               left join tenant t on t.id = m.tenant_id
               where s.hash = $1 and s.expires_at > $2 and s.seen_at > $3"#,
            hash.as_bytes(),
            now,
            idle_since
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let tenant = match (row.working_tenant, row.slug, row.active, row.role) {
            (Some(id), Some(slug), Some(active), Some(name)) => Some(SessionTenant {
                id: TenantId(id),
                slug,
                active,
                role: role(&name)?,
                demands_factor: row.demands_factor,
            }),
            // A session of a tenant whose membership does not carry it any more is none.
            (Some(_), ..) => return Ok(None),
            (None, ..) => None,
        };
        Ok(Some(SessionRow {
            hash: *hash,
            person: AdminId(row.admin_id),
            email: row.email,
            name: row.name,
            operator: row.operator,
            by_sso: row.by_sso,
            tenant,
            seen_at: row.seen_at,
            expires_at: row.expires_at,
            has_factor: row.has_factor,
            factor_at: row.factor_at,
            proven_at: row.proven_at,
        }))
    }

    /// Notes that a session was used.
    pub async fn touch_session(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "update console_session set seen_at = $2 where hash = $1 and seen_at < $2",
            hash.as_bytes(),
            now
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Begins a session; says whether the person still may.
    pub async fn begin_session(&mut self, new: &NewSession<'_>) -> Result<bool, StoreError> {
        begin(self.connection(), new).await
    }

    /// Notes that the person of a session has just shown who they are, with their second factor or without.
    pub async fn mark_proven(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
        with_factor: bool,
    ) -> Result<(), StoreError> {
        mark(self.connection(), hash, now, with_factor).await
    }

    pub async fn end_session(&mut self, hash: &TokenHash) -> Result<(), StoreError> {
        end(self.connection(), hash).await?;
        Ok(())
    }

    /// Ends all sessions of a person, and their links for a new password.
    pub async fn end_sessions(&mut self, person: AdminId) -> Result<(), StoreError> {
        end_all(self.connection(), person).await
    }

    /// Forgets a person's sessions that have run out.
    pub async fn forget_sessions(
        &mut self,
        person: AdminId,
        now: DateTime<Utc>,
        idle_since: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query!(
            "delete from console_session where admin_id = $1 and (expires_at <= $2 or seen_at <= $3)",
            person.0,
            now,
            idle_since
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl TenantTx {
    /// Begins a session; says whether the person still may.
    pub async fn begin_session(&mut self, new: &NewSession<'_>) -> Result<bool, StoreError> {
        let mut step = self.platform_step().await?;
        let begun = begin(step.connection(), new).await?;
        step.end().await?;
        Ok(begun)
    }

    /// Notes that the person of a session has just shown who they are, with their second factor or without.
    pub async fn mark_proven(
        &mut self,
        hash: &TokenHash,
        now: DateTime<Utc>,
        with_factor: bool,
    ) -> Result<(), StoreError> {
        let mut step = self.platform_step().await?;
        mark(step.connection(), hash, now, with_factor).await?;
        step.end().await
    }

    pub async fn end_session(&mut self, hash: &TokenHash) -> Result<(), StoreError> {
        let mut step = self.platform_step().await?;
        end(step.connection(), hash).await?;
        step.end().await
    }

    /// Ends all sessions of a person, in other tenants too, and their links for a new password.
    pub async fn end_sessions(&mut self, person: AdminId) -> Result<(), StoreError> {
        let mut step = self.platform_step().await?;
        end_all(step.connection(), person).await?;
        step.end().await
    }
}
