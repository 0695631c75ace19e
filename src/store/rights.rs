//! The check at start-up that the service runs with few rights, on a schema that it knows.

use std::sync::atomic::Ordering;

use super::{Database, StoreError, migrate};

/// Why the service refuses to run on this database.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// The database said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Row security would not bind this role.
    #[error(
        "the role `{role}` of DATABASE_URL {why}, so row security would not separate tenants. \
         Have `persona-gateway migrate` make a login role: run it with MIGRATE_DATABASE_URL set to this URL and DATABASE_URL to the new role's"
    )]
    TooPowerful {
        /// The role.
        role: String,
        /// What it is or has.
        why: &'static str,
    },
    /// The login role was never given the run-time roles.
    #[error(
        "the role `{role}` of DATABASE_URL may not take the role {missing}: run `persona-gateway migrate`"
    )]
    TooWeak {
        /// The role.
        role: String,
        /// The run-time role.
        missing: &'static str,
    },
    /// Migrations are missing.
    #[error("the database is not prepared for this version: run `persona-gateway migrate`")]
    NotMigrated,
}

impl Database {
    /// Refuses a login role that could get around row security, and a schema older than this program.
    pub async fn check_rights(&self) -> Result<(), RightsError> {
        let mut lease = self.pool.begin("begin").await.map_err(StoreError::from)?;
        let prepared = sqlx::query_scalar!(
            "select count(*) from pg_roles where rolname in ('gateway_tenant', 'gateway_platform')"
        )
        .fetch_one(&mut lease)
        .await
        .map_err(StoreError::from)?;
        let found = sqlx::query!(
            r#"select r.rolname as "role!",
                      bool_or(m.rolsuper) as "superuser!",
                      bool_or(m.rolbypassrls) as "bypasses!",
                      bool_or(m.rolcreaterole) as "maker!",
                      bool_or(exists (select from pg_class c where c.relowner = m.oid and c.relkind in ('r', 'p')
                                      and c.relnamespace = (select t.relnamespace from pg_class t where t.oid = to_regclass('tenant'))))
                          as "owner!",
                      bool_or(m.oid = r.oid and coalesce(has_table_privilege(m.oid, to_regclass('tenant'), 'select'), false)) as "inherits!"
               from pg_roles r
               join pg_roles m on pg_has_role(r.oid, m.oid, 'member')
               where r.rolname = session_user
               group by r.rolname"#
        )
        .fetch_one(&mut lease)
        .await
        .map_err(StoreError::from)?;
        let checks = [
            (found.superuser, "is a superuser, or may become one"),
            (found.bypasses, "has BYPASSRLS, or may take a role that has"),
            (
                found.maker,
                "may make roles, and so give itself what others have",
            ),
            (found.owner, "owns tables, or may take the role that does"),
            (
                found.inherits,
                "may read tables without taking a role first (make it NOINHERIT)",
            ),
        ];
        if let Some((_, why)) = checks.into_iter().find(|(is_so, _)| *is_so) {
            return Err(RightsError::TooPowerful {
                role: found.role,
                why,
            });
        }
        if prepared != Some(2) {
            return Err(RightsError::NotMigrated);
        }
        for missing in ["gateway_tenant", "gateway_platform"] {
            let may = sqlx::query_scalar!(
                "select pg_has_role(session_user, $1::text::name, 'member')",
                missing
            )
            .fetch_one(&mut lease)
            .await
            .map_err(StoreError::from)?;
            if may != Some(true) {
                return Err(RightsError::TooWeak {
                    role: found.role,
                    missing,
                });
            }
        }
        lease.commit().await.map_err(StoreError::from)?;
        self.check_schema().await?;
        self.checked.store(true, Ordering::Release);
        Ok(())
    }

    /// The same, unless it has passed before: a database that was down at the start is checked before its first use.
    pub(super) async fn ensure_checked(&self) -> Result<(), StoreError> {
        if self.checked.load(Ordering::Acquire) {
            return Ok(());
        }
        self.check_rights().await.map_err(|error| match error {
            RightsError::Store(error) => error,
            refused => StoreError::Unsafe(refused.to_string()),
        })
    }

    async fn check_schema(&self) -> Result<(), RightsError> {
        let mut tx = self.platform_unchecked().await?;
        let exists = sqlx::query_scalar!("select to_regclass('_sqlx_migrations') is not null")
            .fetch_one(tx.connection())
            .await
            .map_err(StoreError::from)?;
        if exists != Some(true) {
            return Err(RightsError::NotMigrated);
        }
        let newest = sqlx::query_scalar!("select max(version) from _sqlx_migrations where success")
            .fetch_one(tx.connection())
            .await
            .map_err(StoreError::from)?;
        if newest.unwrap_or_default() < migrate::newest() {
            return Err(RightsError::NotMigrated);
        }
        Ok(())
    }
}
