//! The two roles that a database is served with. Roles belong to the whole cluster, so each database has its own, by its number
//! there: the login of one installation can take no role that another's tables were granted to.

use sqlx::migrate::Migration;
use sqlx::{AssertSqlSafe, PgConnection, SqlSafeStr};

use super::StoreError;
use super::lease::Lease;

/// By these names migrations speak of the two roles.
const TENANT: &str = "gateway_tenant";
const PLATFORM: &str = "gateway_platform";

/// The names of a database's roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Roles {
    /// Sees the rows of one tenant.
    pub(super) tenant: String,
    /// Sees what must be looked up across tenants.
    pub(super) platform: String,
}

impl Roles {
    /// Those that belong to the database of a connection.
    pub(super) async fn of_database(connection: &mut PgConnection) -> Result<Self, StoreError> {
        let number = sqlx::query_scalar!(
            r#"select oid::bigint as "oid!" from pg_database where datname = current_database()"#
        )
        .fetch_one(connection)
        .await?;
        Ok(Self {
            tenant: format!("{TENANT}_{number}"),
            platform: format!("{PLATFORM}_{number}"),
        })
    }

    /// Those that the tables were granted to and this login may take: the database's own, or, where it was copied and not migrated
    /// since, those of the one that it was copied from.
    pub(super) async fn granted(lease: &mut Lease) -> Result<Option<Self>, StoreError> {
        let row = sqlx::query!(
            "with granted as (
                 select r.rolname::text as name,
                        r.rolname::text like '%\\_' || (select oid::text from pg_database where datname = current_database()) as is_own,
                        pg_has_role(session_user, r.oid, 'member') as is_ours
                 from pg_class c, aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
                 where c.oid = to_regclass('public.tenant') and a.privilege_type = 'SELECT'
                   and r.rolname ~ '^gateway_(tenant|platform)_[0-9]+$')
             select (select name from granted where name like 'gateway\\_tenant\\_%' order by is_ours desc, is_own desc, name limit 1) as tenant,
                    (select name from granted where name like 'gateway\\_platform\\_%' order by is_ours desc, is_own desc, name limit 1) as platform"
        )
        .fetch_one(lease)
        .await?;
        let both = row.tenant.zip(row.platform);
        Ok(both.map(|(tenant, platform)| Self { tenant, platform }))
    }

    /// A migration with the names in place of those that it speaks of. Its checksum stays the file's.
    pub(super) fn name_in(&self, migration: &Migration) -> Migration {
        let sql = replace_word(migration.sql.as_str(), TENANT, &self.tenant);
        let sql = replace_word(&sql, PLATFORM, &self.platform);
        Migration {
            sql: AssertSqlSafe(sql).into_sql_str(),
            ..migration.clone()
        }
    }
}

/// Replaces a name where it is not a piece of another.
fn replace_word(text: &str, word: &str, by: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(word) {
        done.push_str(before);
        let is_piece = done.ends_with(is_part) || after.starts_with(is_part);
        done.push_str(if is_piece { word } else { by });
        rest = after;
    }
    done.push_str(rest);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_names_are_replaced() {
        assert_eq!(
            replace_word(
                "grant x to gateway_tenant; persona_gateway_tenant, gateway_tenant_5, (gateway_tenant)",
                TENANT,
                "t"
            ),
            "grant x to t; persona_gateway_tenant, gateway_tenant_5, (t)"
        );
    }
}
