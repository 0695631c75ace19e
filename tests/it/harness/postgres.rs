//! One ephemeral server for the whole run, and a database of its own for each test: a copy of one that was migrated once, which is
//! dropped when the test is over.
//!
//! `TEST_DATABASE_URL` (an owner's URL that may create databases and roles) uses that server instead.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use persona_gateway::clock::Clock;
use persona_gateway::config::DatabaseUrl;
use persona_gateway::crypto::seal::KeyRing;
use persona_gateway::dev::postgres::Cluster;
use persona_gateway::dev::seed;
use persona_gateway::store::migrate::{self, EarlierRoles, MigrateError, Migrated};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};
use tokio::sync::Mutex;
use url::Url;

use super::tenants::{settings, store};

/// The role that the service logs in as.
pub(crate) const LOGIN: &str = "gateway_test_app";
const LOGIN_PASSWORD: &str = "gateway_test_app";
const TEMPLATE: &str = "gateway_test_template";
/// How many months of the ledger the tests' databases have, this one included: as a good while after the last `migrate`, but
/// longer than a warning about it comes before. Each costs every test time.
const MONTHS: u32 = 6;

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

/// A database for one test; dropped when nobody has it any more, since hundreds of them take gigabytes.
#[derive(Debug, Clone)]
pub(crate) struct TestDatabase {
    pub(crate) name: String,
    /// The owner's, kept for reading: each connection is a process of the server, whose first statements take long. Closed
    /// before the database is dropped.
    reader: Arc<Mutex<Option<PgConnection>>>,
    /// `None` for one that goes with its server.
    _dropped: Option<Arc<Dropped>>,
    /// As the owner, a superuser on the private server.
    pub(crate) owner_url: SecretString,
    /// As the service.
    pub(crate) login_url: SecretString,
}

impl TestDatabase {
    /// A migrated database, with the ledger's next months alone.
    pub(crate) async fn create() -> Self {
        let server = server().await;
        Self::create_from(server, Some(&server.with_few_months())).await
    }

    /// A database as `migrate` leaves it.
    pub(crate) async fn create_as_migrated() -> Self {
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
            reader: Arc::default(),
            _dropped: Some(Arc::new(Dropped(name.clone()))),
            name,
        }
    }

    /// A database of a server that is the test's own.
    pub(super) fn elsewhere(name: &str, owner_url: SecretString, login_url: SecretString) -> Self {
        Self {
            name: name.to_owned(),
            owner_url,
            login_url,
            reader: Arc::default(),
            _dropped: None,
        }
    }

    /// The same database, reached by the service over another URL.
    pub(crate) fn over(&self, login_url: SecretString) -> Self {
        Self {
            login_url,
            ..self.clone()
        }
    }

    /// Gives the demo tenant's issuer its address, past the API: each test has an issuer of its own.
    pub(super) async fn point_demo_at(&self, issuer: &str) {
        self.sql(&format!(
            "update issuer set config = jsonb_set(config, '{{issuer}}', to_jsonb('{issuer}'::text))"
        ))
        .await;
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
        let query = with_roles(&format!("select to_jsonb(r) from ({query}) r"));
        let mut kept = self.reader.lock().await;
        if let Some(mut connection) = kept.take()
            && let Ok(rows) = connection.fetch_all(AssertSqlSafe(query.clone())).await
        {
            *kept = Some(connection);
            return rows.iter().map(|row| row.get(0)).collect();
        }
        // The first time, or the test ended that connection.
        let mut connection = self.owner().await;
        let rows = connection.fetch_all(AssertSqlSafe(query)).await.unwrap();
        *kept = Some(connection);
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
        self.make_template_with_few_months().await;
        self.make_template_with_demo().await;
    }

    async fn make_template_with_few_months(&self) {
        let name = self.with_few_months();
        self.make(&name, Some(&self.template)).await;
        let url = self.url(&name);
        let mut connection = PgConnection::connect(url.expose_secret()).await.unwrap();
        let far = format!(
            "do $$ declare t text; begin
                 for t in select c.relname from pg_class c where c.relispartition and c.relkind = 'r'
                     and c.relname ~ '_\\d{{4}}_\\d{{2}}$'
                     and to_date(right(c.relname, 7), 'YYYY_MM') >= date_trunc('month', now() at time zone 'UTC') + interval '{MONTHS} months'
                 loop execute format('drop table %I', t); end loop;
             end $$"
        );
        connection.execute(AssertSqlSafe(far)).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Since applying the demo's bundle takes longer than most tests.
    async fn make_template_with_demo(&self) {
        let name = self.with_demo();
        self.make(&name, Some(&self.with_few_months())).await;
        let login = self.login_url(&name);
        let database = store(&login);
        let keys = KeyRing::new(&settings(&login, &[]).master_keys);
        seed::seed(&database, &Clock::system(), &keys, "http://127.0.0.1:1")
            .await
            .unwrap();
        database.close().await;
    }

    fn with_few_months(&self) -> String {
        format!("{}_few_months", self.template)
    }

    fn with_demo(&self) -> String {
        format!("{}_demo", self.template)
    }
}

/// A database that is dropped with this.
#[derive(Debug)]
pub(crate) struct Dropped(String);

impl Drop for Dropped {
    fn drop(&mut self) {
        static DROPPER: OnceLock<mpsc::Sender<String>> = OnceLock::new();
        let dropper = DROPPER.get_or_init(|| {
            let (names, given) = mpsc::channel();
            thread::spawn(move || drop_databases(&given));
            names
        });
        dropper.send(std::mem::take(&mut self.0)).unwrap();
    }
}

/// One after the other, on a thread and a connection of its own: nobody waits for it.
fn drop_databases(names: &mpsc::Receiver<String>) {
    let Some(server) = SERVER.get() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = PgConnection::connect(server.owner.as_str()).await.unwrap();
        for name in names {
            // The server waits some seconds for the test's last connections to end.
            for how in ["", "with (force)"] {
                let statement = format!("drop database if exists {name} {how}");
                if connection.execute(AssertSqlSafe(statement)).await.is_ok() {
                    break;
                }
            }
        }
    });
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
