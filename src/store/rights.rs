//! The check at start-up that the service runs with few rights, on a schema that it knows.

use super::roles::Roles;
use super::{Database, POOLED, StoreError, migrate};

/// Why the service refuses to run on this database.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// A statement of the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Row security would not bind this role.
    #[error(
        "the role `{role}` of DATABASE_URL {why}, so row security would not separate tenants. \
         Have `persona-gateway migrate` make a login role: run it with MIGRATE_DATABASE_URL set to this URL and DATABASE_URL to the new role's"
    )]
    TooPowerful { role: String, why: &'static str },
    /// The login role was never given the run-time roles.
    #[error(
        "the role `{role}` of DATABASE_URL may not take the role {missing}: run `persona-gateway migrate` with both URLs, or: grant {missing} to \"{role}\""
    )]
    TooWeak {
        role: String,
        /// The run-time role.
        missing: String,
    },
    /// A pooler that `database.direct_url` does not account for.
    #[error("{0}")]
    Pooled(&'static str),
    /// Migrations are missing.
    #[error("the database is not prepared for this version: run `persona-gateway migrate`")]
    NotMigrated,
}

/// How a schema stands to this program. One that is older is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// A schema of this program's version.
    Known,
    /// Migrated by a later version, as while a roll-out is under way.
    Newer,
}

impl Schema {
    pub fn notice(self) -> Option<&'static str> {
        match self {
            Self::Known => None,
            Self::Newer => Some(
                "the database was migrated by a later version of persona-gateway than this one: install that version here",
            ),
        }
    }
}

impl Database {
    /// Refuses a login role that could get around row security, and a schema older than this program.
    pub async fn check_rights(&self) -> Result<Schema, RightsError> {
        self.refuse_hidden_poolers().await?;
        let mut lease = self.pool.begin(None, None).await?;
        let granted = Roles::granted(&mut lease).await?;
        let found = sqlx::query!(
            r#"select r.rolname as "role!",
                      bool_or(m.rolsuper) as "superuser!",
                      bool_or(m.rolbypassrls) as "bypasses!",
                      bool_or(m.rolcreaterole) as "maker!",
                      bool_or(exists (select from pg_class c where c.relowner = m.oid and c.relkind in ('r', 'p')
                                      and c.relnamespace = (select t.relnamespace from pg_class t where t.oid = to_regclass('public.tenant'))))
                          as "owner!",
                      bool_or(m.oid = r.oid and coalesce(has_table_privilege(m.oid, to_regclass('public.tenant'), 'select'), false)) as "inherits!"
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
        let Some(roles) = granted else {
            return Err(RightsError::NotMigrated);
        };
        for missing in [&roles.tenant, &roles.platform] {
            // From PostgreSQL 16 on, a member need not be one who may take the role.
            let may = sqlx::query_scalar!(
                "select pg_has_role(session_user, $1::text::name,
                        case when current_setting('server_version_num')::int >= 160000 then 'set' else 'member' end)",
                missing
            )
            .fetch_one(&mut lease)
            .await
            .map_err(StoreError::from)?;
            if may != Some(true) {
                return Err(RightsError::TooWeak {
                    role: found.role,
                    missing: missing.clone(),
                });
            }
        }
        lease.commit().await.map_err(StoreError::from)?;
        let schema = self.check_schema(&roles).await?;
        // Of two that check at once, both have found the same.
        _ = self.checked.roles.set(roles);
        Ok(schema)
    }

    /// The same, unless it has passed before: a database that was down at the start is checked before its first use, by one
    /// request at a time.
    pub(super) async fn checked_roles(&self) -> Result<&Roles, StoreError> {
        if let Some(roles) = self.checked.roles.get() {
            return Ok(roles);
        }
        let _turn = tokio::time::timeout(self.patience.0, self.checked.turn.lock())
            .await
            .map_err(|_elapsed| sqlx::Error::PoolTimedOut)?;
        if self.checked.roles.get().is_none() {
            self.check_rights().await.map_err(|error| match error {
                RightsError::Store(error) => error,
                refused => StoreError::Unsafe(refused.to_string()),
            })?;
        }
        let unchecked = || StoreError::Unsafe(RightsError::NotMigrated.to_string());
        self.checked.roles.get().ok_or_else(unchecked)
    }

    /// Notices and prepared statements need connections that are ours alone.
    async fn refuse_hidden_poolers(&self) -> Result<(), RightsError> {
        let end = self.pool.ends().acquire;
        let (reach, direct) = self.pool.ways();
        let message = if direct.is_some() {
            "DIRECT_DATABASE_URL leads through a pooler that hands connections out by transaction: name the server itself"
        } else {
            POOLED
        };
        if direct.unwrap_or(reach).is_shared(end).await? {
            return Err(RightsError::Pooled(message));
        }
        Ok(())
    }

    async fn check_schema(&self, roles: &Roles) -> Result<Schema, RightsError> {
        let mut tx = self.platform_as(roles).await?;
        let exists =
            sqlx::query_scalar!("select to_regclass('public._sqlx_migrations') is not null")
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
        match newest.unwrap_or_default().cmp(&migrate::newest()) {
            std::cmp::Ordering::Less => Err(RightsError::NotMigrated),
            std::cmp::Ordering::Equal => Ok(Schema::Known),
            std::cmp::Ordering::Greater => Ok(Schema::Newer),
        }
    }
}
