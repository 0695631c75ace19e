//! Installations that share a cluster, and how their roles are handed over.

use std::path::Path;

use persona_gateway::clock::Clock;
use persona_gateway::store::migrate::{EarlierRoles, MigrateError, migrate as run};
use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use url::Url;

use crate::harness::postgres::{TestDatabase, migrate, typed};
use crate::harness::sql;
use crate::harness::tenants::store;

fn as_role(url: &SecretString, role: &str) -> SecretString {
    let mut url = Url::parse(url.expose_secret()).unwrap();
    url.set_username(role).unwrap();
    url.set_password(Some("secret")).unwrap();
    SecretString::from(url.to_string())
}

async fn connect(url: &SecretString) -> PgConnection {
    PgConnection::connect(url.expose_secret()).await.unwrap()
}

/// Runs statements in which roles are called by their full names.
async fn as_written(connection: &mut PgConnection, statements: &str) -> Result<(), sqlx::Error> {
    let statements = sqlx::raw_sql(AssertSqlSafe(statements.to_owned()));
    connection.execute(statements).await.map(|_| ())
}

/// The name of a database's own role.
async fn own(database: &TestDatabase, kind: &str) -> String {
    let query = format!(
        "select 'gateway_{kind}_' || oid from pg_database where datname = current_database()"
    );
    sql::texts(&mut database.owner().await, &query)
        .await
        .remove(0)
}

/// A tenant, made by the owner.
async fn tenant(database: &TestDatabase) -> String {
    let id = Clock::system().new_id().to_string();
    let make = format!("insert into tenant (id, slug, name) values ('{id}', 'acme', 'Acme')");
    let mut owner = database.owner().await;
    sql::run(
        &mut owner,
        format!("begin; select set_config('app.tenant', '{id}', true); {make}; commit"),
    )
    .await
    .unwrap();
    id
}

/// How many tenants a login sees as a role.
async fn seen(login: &SecretString, role: &str, tenant: &str) -> Result<i64, String> {
    let mut connection = connect(login).await;
    let begin = format!("begin; set local role \"{role}\"; set local app.tenant = '{tenant}'");
    if as_written(&mut connection, &begin).await.is_err() {
        return Err("may not take the role".to_owned());
    }
    let count = sql::number(&mut connection, "select count(*) from tenant").await;
    count.map_err(|error| error.as_database_error().unwrap().message().to_owned())
}

#[tokio::test]
async fn the_login_of_one_installation_reads_nothing_of_another_in_the_same_cluster() {
    let (one, other) = (
        TestDatabase::create_empty().await,
        TestDatabase::create_empty().await,
    );
    let login = format!("{}_app", one.name);
    let its = as_role(&one.login_url, &login);
    let others = as_role(&other.login_url, &format!("{}_app", other.name));
    migrate(&one.owner_url, Some(&its)).await.unwrap();
    migrate(&other.owner_url, Some(&others)).await.unwrap();
    let victim = tenant(&other).await;
    let role = own(&other, "tenant").await;
    assert_eq!(seen(&others, &role, &victim).await, Ok(1));

    let stranger = as_role(&other.login_url, &login);
    assert_eq!(
        seen(&stranger, &role, &victim).await,
        Err("may not take the role".to_owned())
    );
    for kind in ["tenant", "platform"] {
        let role = own(&one, kind).await;
        assert_eq!(
            seen(&stranger, &role, &victim).await,
            Err("permission denied for table tenant".to_owned()),
            "its own role has no rights there"
        );
    }
    let refused = store(&stranger)
        .check_rights()
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("may not take the role") && refused.contains("grant"),
        "{refused}"
    );
}

#[tokio::test]
async fn an_installation_of_before_is_handed_over_and_serves_throughout() {
    let database = TestDatabase::create_empty().await;
    let login = as_role(&database.login_url, &format!("{}_old", database.name));
    // As earlier versions made it: by roles of the cluster.
    let mut owner = database.owner().await;
    let role = format!("{}_old", database.name);
    for name in ["gateway_tenant", "gateway_platform"] {
        let make = format!(
            "do $$ begin create role {name} nologin noinherit; exception when duplicate_object or unique_violation then null; end $$"
        );
        as_written(&mut owner, &make).await.unwrap();
    }
    let old = Migrator::new(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/migrations"
    )))
    .await
    .unwrap();
    let mut plain = connect(&database.owner_url).await;
    old.run(&mut plain).await.unwrap();
    let grant = format!(
        "grant select on _sqlx_migrations to gateway_platform;
         create role {role} login noinherit;
         grant gateway_tenant, gateway_platform to {role}"
    );
    as_written(&mut owner, &grant).await.unwrap();
    let id = tenant(&database).await;
    let earlier = "gateway_tenant";
    assert_eq!(seen(&login, earlier, &id).await, Ok(1));
    let refused = store(&login).check_rights().await.unwrap_err().to_string();
    assert!(refused.contains("`persona-gateway migrate`"), "{refused}");

    let migrated = migrate(&database.owner_url, Some(&login)).await.unwrap();
    assert_eq!(migrated.earlier_roles.len(), 2, "{migrated:?}");
    store(&login).check_rights().await.unwrap();
    let role = own(&database, "tenant").await;
    assert_eq!(seen(&login, &role, &id).await, Ok(1));
    assert_eq!(
        seen(&login, earlier, &id).await,
        Ok(1),
        "instances of before go on"
    );

    // Others that run it do not end that; a word of the operator does.
    migrate(&database.owner_url, Some(&login)).await.unwrap();
    assert_eq!(seen(&login, earlier, &id).await, Ok(1));
    let (owner_url, login_url) = (typed(&database.owner_url), typed(&login));
    let revoked = run(&owner_url, Some(&login_url), EarlierRoles::Revoke);
    let migrated = revoked.await.unwrap();
    assert_eq!(migrated.earlier_roles, Vec::<String>::new());
    assert_eq!(seen(&login, &role, &id).await, Ok(1));
    assert_eq!(
        seen(&login, earlier, &id).await,
        Err("permission denied for table tenant".to_owned())
    );
    // Nothing is left of them, and nothing is missing that a new installation has.
    let fresh = TestDatabase::create_empty().await;
    migrate(&fresh.owner_url, None).await.unwrap();
    assert_eq!(rights(&database).await, rights(&fresh).await);
}

/// Everything that is granted to roles of the gateway, without the databases' numbers.
async fn rights(database: &TestDatabase) -> Vec<String> {
    sql::texts(
        &mut database.owner().await,
        "select regexp_replace(held, '_[0-9]+$', '') from (
             select c.relname || ' ' || a.privilege_type || ' ' || a.grantee::regrole as held
             from pg_class c, aclexplode(c.relacl) a where c.relnamespace = 'public'::regnamespace and a.grantee <> c.relowner
             union all
             select c.relname || '.' || t.attname || ' ' || a.privilege_type || ' ' || a.grantee::regrole
             from pg_class c join pg_attribute t on t.attrelid = c.oid, aclexplode(t.attacl) a where c.relnamespace = 'public'::regnamespace
             union all
             select p.oid::regprocedure || ' ' || a.privilege_type || ' ' || a.grantee::regrole
             from pg_proc p, aclexplode(p.proacl) a where p.pronamespace = 'public'::regnamespace and a.grantee not in (0, p.proowner)
             union all
             select p.polrelid::regclass || ' ' || p.polname || ' ' || r::regrole from pg_policy p, unnest(p.polroles) r where r <> 0
         ) h where held !~ 'gateway_test_[0-9]+_[0-9]+_' order by 1",
    )
    .await
}

#[tokio::test]
async fn what_the_owner_may_not_do_is_printed_as_statements_before_anything_is_made() {
    let database = TestDatabase::create_empty().await;
    let owner_role = format!("{}_poor", database.name);
    let mut superuser = database.owner().await;
    sql::run(
        &mut superuser,
        format!("create role {owner_role} login password 'secret'; revoke create on schema public from public"),
    )
    .await
    .unwrap();
    let owner = as_role(&database.owner_url, &owner_role);
    let login_role = format!("{}_app", database.name);
    let login = as_role(&database.login_url, &login_role);
    let refused = migrate(&owner, Some(&login)).await.unwrap_err();
    let MigrateError::Rights { user, statements } = refused else {
        panic!("{refused}")
    };
    assert_eq!(user, owner_role);
    let (tenant, platform) = (
        own(&database, "tenant").await,
        own(&database, "platform").await,
    );
    assert_eq!(
        statements[..4],
        [
            format!("grant create on schema public to \"{owner_role}\";"),
            format!("create role {tenant} nologin noinherit;"),
            format!("create role {platform} nologin noinherit;"),
            format!("create role \"{login_role}\" login noinherit password '...';"),
        ]
    );
    assert!(statements[4].starts_with(&format!("grant {tenant}, {platform} to \"{login_role}\"")));
    let tables = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
    assert_eq!(
        sql::number(&mut superuser, tables).await.unwrap(),
        0,
        "nothing was made"
    );

    // Run by somebody who may, they are all that was missing.
    sql::run(&mut superuser, statements.join("\n"))
        .await
        .unwrap();
    migrate(&owner, Some(&login)).await.unwrap();
    store(&login).check_rights().await.unwrap();
}

#[tokio::test]
async fn an_odd_search_path_of_role_or_database_does_not_matter() {
    let database = TestDatabase::create_empty().await;
    let role = format!("{}_odd", database.name);
    let login = as_role(&database.login_url, &role);
    let mut owner = database.owner().await;
    sql::run(
        &mut owner,
        format!(
            "create schema elsewhere; alter database {} set search_path = elsewhere",
            database.name
        ),
    )
    .await
    .unwrap();
    migrate(&database.owner_url, Some(&login)).await.unwrap();
    sql::run(
        &mut owner,
        format!("alter role {role} set search_path = nowhere"),
    )
    .await
    .unwrap();
    store(&login).check_rights().await.unwrap();
    let found = "select schemaname::text from pg_tables where tablename = 'tenant'";
    assert_eq!(sql::texts(&mut owner, found).await, ["public"]);
}
