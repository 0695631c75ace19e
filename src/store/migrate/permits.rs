//! What the migrating role may do, looked at before anything is made.

use sqlx::PgConnection;

use super::{MigrateError, grant_to, is_member, quote_identifier, version_of};
use crate::config::DatabaseUrl;
use crate::store::StoreError;
use crate::store::roles::Roles;

/// Refuses, with the statements that somebody else must run, unless all that is to be made can be made.
pub(super) async fn check(
    connection: &mut PgConnection,
    roles: &Roles,
    login: Option<&DatabaseUrl>,
) -> Result<(), MigrateError> {
    let found = sqlx::query!(
        r#"select current_user::text as "user!",
                  m.rolsuper or m.rolcreaterole as "makes_roles!",
                  m.rolsuper or (m.rolcreaterole and current_setting('server_version_num')::int < 160000) as "grants_all!",
                  has_schema_privilege(current_user, 'public', 'create') as "makes_tables!",
                  (select c.relowner::regrole::text from pg_class c where c.oid = to_regclass('public.tenant')
                   and not pg_has_role(current_user, c.relowner, 'usage')) as others_tables
           from pg_roles m where m.rolname = current_user"#
    )
    .fetch_one(&mut *connection)
    .await
    .map_err(StoreError::from)?;
    let user = found.user;
    if let Some(owner) = found.others_tables {
        return Err(MigrateError::NotOwner { user, owner });
    }
    let mut statements = Vec::new();
    if !found.makes_tables {
        let me = quote_identifier(&user);
        statements.push(format!("grant create on schema public to {me};"));
    }
    let mut grants_both = true;
    for role in [&roles.tenant, &roles.platform] {
        let (exists, admin) = standing(connection, role).await?;
        if !exists && !found.makes_roles {
            statements.push(format!("create role {role} nologin noinherit;"));
        }
        // Whoever makes a role may grant it.
        grants_both &= found.grants_all || admin || (!exists && found.makes_roles);
    }
    if let Some(login) = login {
        let role = quote_identifier(login.user());
        let (exists, _) = standing(connection, login.user()).await?;
        if !exists && !found.makes_roles {
            statements.push(format!(
                "create role {role} login noinherit password '...';"
            ));
        }
        let both_exist = standing(connection, &roles.tenant).await?.0
            && standing(connection, &roles.platform).await?.0;
        let is_member = exists && both_exist && is_member(connection, roles, login.user()).await?;
        if !is_member && !grants_both {
            let remembers = version_of(connection).await? >= 160_000;
            statements.push(format!("{};", grant_to(roles, &role, remembers)));
        }
    }
    if statements.is_empty() {
        return Ok(());
    }
    Err(MigrateError::Rights { user, statements })
}

/// Whether a role is there, and whether we may grant it.
async fn standing(connection: &mut PgConnection, role: &str) -> Result<(bool, bool), StoreError> {
    let found = sqlx::query_scalar!(
        r#"select pg_has_role(current_user, r.oid, 'member with admin option') as "admin!" from pg_roles r where r.rolname = $1"#,
        role
    )
    .fetch_optional(connection)
    .await?;
    Ok((found.is_some(), found == Some(true)))
}
