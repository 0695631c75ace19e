//! One ephemeral server for the whole run, and a database of its own for each test: a copy of one that was migrated once.
//!
//! `TEST_DATABASE_URL` (an owner's URL that may create databases and roles) uses that server instead.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use persona_gateway::clock::Clock;
use persona_gateway::config::DatabaseUrl;
use persona_gateway::crypto::seal::KeyRing;
use persona_gateway::dev::postgres::Cluster;
use persona_gateway::dev::seed;
use persona_gateway::store::migrate::{self, EarlierRoles, MigrateError, Migrated};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use url::Url;

use super::tenants::{settings, store};

/// The role that the service logs in as.
pub(crate) const LOGIN: &str = "gateway_test_app";
const LOGIN_PASSWORD: &str = "gateway_test_app";
const TEMPLATE: &str = "gateway_test_template";

static SERVER: OnceLock<Server> = OnceLock::new();
/// The number of the template among the server's databases: the roles of all tests carry it.
static NUMBER: OnceLock<String> = OnceLock::new();
static COUNTER: AtomicU32 = AtomicU32::new(0);

struct Server {
    cluster: Option<Cluster>,
    owner: Url,
    template: String,
}

/// A URL as the settings take it.
pub(crate) fn typed(url: &SecretString) -> DatabaseUrl {
    DatabaseUrl::parse(url).unwrap()
}

/// SQL in which the two roles are called as in the migrations, with their names in the tests' databases.
pub(crate) fn with_roles(sql: &str) -> String {
    let Some(number) = NUMBER.get() else {
        return sql.to_owned();
    };
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut sql = sql.to_owned();
    for name in ["gateway_tenant", "gateway_platform"] {
        let mut done = String::new();
        let mut rest = sql.as_str();
        while let Some((before, after)) = rest.split_once(name) {
            done += before;
            let is_piece = done.ends_with(is_part) || after.starts_with(is_part);
            done += name;
            if !is_piece {
                done += &["_", number].concat();
            }
            rest = after;
        }
        sql = done + rest;
    }
    sql
}

/// What the command does.
pub(crate) async fn migrate(
    owner: &SecretString,
    login: Option<&SecretString>,
) -> Result<Migrated, MigrateError> {
    let login = login.map(typed);
    migrate::migrate(&typed(owner), login.as_ref(), EarlierRoles::Keep).await
}

/// A database for one test; dropped with its last connection when the server ends.
#[derive(Debug, Clone)]
pub(crate) struct TestDatabase {
    pub(crate) name: String,
    /// As the owner, a superuser on the private server.
    pub(crate) owner_url: SecretString,
    /// As the service.
    pub(crate) login_url: SecretString,
}

impl TestDatabase {
    /// A migrated database.
    pub(crate) async fn create() -> Self {
        let server = server().await;
        Self::create_from(server, Some(&server.template)).await
    }

    /// A migrated database with the demo tenant, whose issuer is nowhere.
    pub(crate) async fn create_with_demo() -> Self {
        let server = server().await;
        Self::create_from(server, Some(&server.with_demo())).await
    }

    /// An empty database.
    pub(crate) async fn create_empty() -> Self {
        Self::create_from(server().await, None).await
    }

    async fn create_from(server: &Server, template: Option<&str>) -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("gateway_test_{}_{number}", std::process::id());
        server.make(&name, template).await;
        Self {
            owner_url: server.url(&name),
            login_url: server.login_url(&name),
            name,
        }
    }

    /// A connection as the owner: for arranging and for looking, never for what is tested.
    pub(crate) async fn owner(&self) -> PgConnection {
        PgConnection::connect(self.owner_url.expose_secret())
            .await
            .unwrap()
    }

    /// Runs a statement as an admin with psql would.
    pub(crate) async fn sql(&self, statements: &str) {
        let mut connection = self.owner().await;
        connection
            .execute(AssertSqlSafe(with_roles(statements)))
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// The rows of a query, each as a JSON object.
    pub(crate) async fn rows(&self, query: &str) -> Vec<Value> {
        let mut connection = self.owner().await;
        let rows = connection
            .fetch_all(AssertSqlSafe(with_roles(&format!(
                "select to_jsonb(r) from ({query}) r"
            ))))
            .await
            .unwrap();
        connection.close().await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Every row of every table, as text.
    pub(crate) async fn dump(&self) -> String {
        let tables = "select c.oid::regclass::text as name from pg_class c
                      where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and not c.relispartition";
        let mut text = String::new();
        for table in self.rows(tables).await {
            let name = table["name"].as_str().unwrap();
            for row in self.rows(&format!("select * from {name}")).await {
                text += &[name, ": ", &row.to_string(), "\n"].concat();
            }
        }
        text
    }

    /// A connection as the service's login role.
    pub(crate) async fn login(&self) -> PgConnection {
        PgConnection::connect(self.login_url.expose_secret())
            .await
            .unwrap()
    }
}

impl Server {
    fn start() -> Self {
        let template = format!("{TEMPLATE}_{}", std::process::id());
        let given = std::env::vars_os().find(|(name, _)| name == "TEST_DATABASE_URL");
        if let Some(url) = given.and_then(|(_, url)| url.into_string().ok()) {
            return Self {
                cluster: None,
                owner: Url::parse(&url).unwrap(),
                template,
            };
        }
        let cluster = Cluster::ephemeral().unwrap();
        let owner = Url::parse(&cluster.url("postgres")).unwrap();
        Self {
            cluster: Some(cluster),
            owner,
            template,
        }
    }

    fn url(&self, database: &str) -> SecretString {
        let mut url = self.owner.clone();
        url.set_path(database);
        SecretString::from(url.to_string())
    }

    fn login_url(&self, database: &str) -> SecretString {
        if let Some(cluster) = &self.cluster {
            let mut url = Url::parse(&cluster.url_as(LOGIN, database)).unwrap();
            url.set_password(Some(LOGIN_PASSWORD)).unwrap();
            return SecretString::from(url.to_string());
        }
        let mut url = self.owner.clone();
        url.set_path(database);
        url.set_username(LOGIN).unwrap();
        url.set_password(Some(LOGIN_PASSWORD)).unwrap();
        SecretString::from(url.to_string())
    }

    async fn make(&self, name: &str, template: Option<&str>) {
        let create = match template {
            Some(template) => {
                format!("create database {name} template {template} strategy file_copy")
            }
            None => format!("create database {name}"),
        };
        let mut connection = PgConnection::connect(self.owner.as_str()).await.unwrap();
        connection.execute(AssertSqlSafe(create)).await.unwrap();
        connection.close().await.unwrap();
    }

    async fn make_template(&self) {
        self.make(&self.template, None).await;
        let owner = self.url(&self.template);
        migrate(&owner, Some(&self.login_url(&self.template)))
            .await
            .unwrap();
        let mut connection = PgConnection::connect(owner.expose_secret()).await.unwrap();
        let number = "select oid::text from pg_database where datname = current_database()";
        let row = connection.fetch_one(number).await.unwrap();
        NUMBER.set(row.get(0)).unwrap();
        let rule = sqlx::raw_sql(AssertSqlSafe(super::audit_guard::rule()));
        connection.execute(rule).await.unwrap();
        connection.close().await.unwrap();
        self.make_template_with_demo().await;
    }

    /// Since applying the demo's bundle takes longer than most tests.
    async fn make_template_with_demo(&self) {
        let name = self.with_demo();
        self.make(&name, Some(&self.template)).await;
        let login = self.login_url(&name);
        let database = store(&login);
        let keys = KeyRing::new(&settings(&login, &[]).master_keys);
        seed::seed(&database, &Clock::system(), &keys, "http://127.0.0.1:1")
            .await
            .unwrap();
        database.close().await;
    }

    fn with_demo(&self) -> String {
        format!("{}_demo", self.template)
    }
}

async fn server() -> &'static Server {
    tokio::task::spawn_blocking(|| {
        SERVER.get_or_init(|| {
            let server = Server::start();
            // Each test has a runtime of its own; this one ends before the first of them goes on.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(server.make_template());
            server
        })
    })
    .await
    .unwrap()
}
