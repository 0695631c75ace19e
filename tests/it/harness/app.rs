//! The service as production starts it, on free ports.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::TimeDelta;
use persona_gateway::app::App;
use persona_gateway::authoring::apply::{Applier, ApplyOptions};
use persona_gateway::authoring::bundle::Bundle;
use persona_gateway::authoring::yaml::Source;
use persona_gateway::clock::Clock;
use persona_gateway::config::Settings;
use persona_gateway::crypto::seal::KeyRing;
use persona_gateway::dev::emulator::{ApiKeys, Emulator, EmulatorConfig, EmulatorHandle, Mode};
use persona_gateway::dev::issuer::{
    Audience, DevIssuer, DevIssuerHandle, DevIssuerKeys, TokenRequest,
};
use persona_gateway::dev::seed;
use persona_gateway::domain::ids::TenantId;
use persona_gateway::store::audit::AuditEvent;
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::logs;
use super::postgres::TestDatabase;
use super::tenants::fits_the_schema;
use super::wait::until;

/// The platform's Anam key.
pub(crate) const PLATFORM_KEY: &str = "anam-platform-key-0123456789";
/// 32 bytes, base64.
pub(crate) const MASTER_KEY: &str = "bm9ib2R5IHdpbGwgZXZlciBndWVzcyB0aGlzIGtleSE=";

/// What a test wants otherwise than usual.
#[derive(Default)]
pub(crate) struct TestOptions {
    /// Environment variables, laid over the usual ones.
    pub(crate) env: Vec<(String, String)>,
    /// Whether the console says, as in `dev`, that Anam is a stand-in, and shows the page of its parts.
    pub(crate) stand_in: bool,
    /// Known Anam keys; the platform's alone unless given.
    pub(crate) anam_keys: Vec<String>,
    /// An emulator that mints nearly everything, as Anam does.
    pub(crate) lax: bool,
    /// A database that exists already, as for a second instance.
    pub(crate) database: Option<TestDatabase>,
    /// Leave the demo tenant out.
    pub(crate) no_demo: bool,
    /// How far the machine's clock is ahead.
    pub(crate) ahead: TimeDelta,
    /// A clock that the test moves, instead of the machine's.
    pub(crate) clock: Option<Clock>,
    /// How long Anam takes to answer.
    pub(crate) anam_latency: Duration,
}

/// A running service and everything around it.
pub(crate) struct TestApp {
    pub(crate) app: App,
    pub(crate) database: TestDatabase,
    pub(crate) anam: EmulatorHandle,
    pub(crate) issuer: DevIssuerHandle,
    pub(crate) http: reqwest::Client,
    pub(crate) keys: KeyRing,
    pub(crate) clock: Clock,
}

impl TestOptions {
    /// With these settings, each named by what stands behind `GATEWAY__`.
    pub(crate) fn set(settings: &[(&str, &str)]) -> Self {
        let env = settings
            .iter()
            .map(|(name, value)| (format!("GATEWAY__{name}"), (*value).to_owned()));
        Self {
            env: env.collect(),
            ..Self::default()
        }
    }
}

/// The same, for many changes of one tenant at once on a busy machine: they wait for each other instead of being told to try
/// again after a second.
pub(crate) async fn spawn_patient() -> TestApp {
    let patience = "20000";
    spawn_with(TestOptions::set(&[
        ("DATABASE__LOCK_TIMEOUT_MS", patience),
        ("DATABASE__STATEMENT_TIMEOUT_MS", patience),
        ("DATABASE__ACQUIRE_TIMEOUT_MS", patience),
    ]))
    .await
}

/// The service with the demo tenant.
pub(crate) async fn spawn() -> TestApp {
    spawn_with(TestOptions::default()).await
}

/// The service as a test wants it.
pub(crate) async fn spawn_with(options: TestOptions) -> TestApp {
    Box::pin(started(options)).await
}

async fn started(options: TestOptions) -> TestApp {
    logs::capture();
    let seeds = options.database.is_some() && !options.no_demo;
    let database = match options.database {
        Some(database) => database,
        None if options.no_demo => TestDatabase::create().await,
        None => TestDatabase::create_with_demo().await,
    };
    let clock = options.clock.unwrap_or_else(|| Clock::ahead(options.ahead));
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut known = options.anam_keys;
    known.push(PLATFORM_KEY.to_owned());
    let anam = Emulator::start(EmulatorConfig {
        api_keys: ApiKeys::Only(known.into_iter().map(SecretString::from).collect()),
        mode: if options.lax { Mode::Lax } else { Mode::Strict },
        latency: options.anam_latency,
        ..EmulatorConfig::default()
    })
    .unwrap();
    let issuer =
        DevIssuer::start(local, seed::AUDIENCE, ISSUER_KEYS.clone(), clock.clone()).unwrap();

    let mut env: BTreeMap<String, String> = [
        ("DATABASE_URL", database.login_url.expose_secret()),
        ("GATEWAY_MASTER_KEY", MASTER_KEY),
        ("ANAM_API_KEY", PLATFORM_KEY),
        ("ANAM_BASE_URL", &anam.url()),
        ("GATEWAY__SERVER__HOST", "127.0.0.1"),
        ("GATEWAY__SERVER__PORT", "0"),
        ("GATEWAY__SERVER__OPS_PORT", "0"),
        ("GATEWAY__SERVER__WORKERS", "1"),
        ("GATEWAY__SERVER__DRAIN_GRACE_MS", "0"),
        // Each is a process of the server, whose first statements take long.
        ("GATEWAY__DATABASE__OWN_CONNECTIONS", "2"),
        ("GATEWAY__AUTH__OUTBOUND_ALLOW", "127.0.0.0/8"),
        // Tests of limits set their own; the others ask as often as they like.
        ("GATEWAY__LIMITS__USER_MINTS_PER_MINUTE", "0"),
        ("GATEWAY__LIMITS__ADDRESS_REQUESTS_PER_MINUTE", "0"),
        ("GATEWAY__LIMITS__ADMIN_REQUESTS_PER_MINUTE", "0"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    env.extend(options.env);
    let mut settings = Settings::load(&env, Path::new("config")).unwrap();
    settings.console.anam_is_stand_in = options.stand_in;
    settings.server.shows_design = options.stand_in;
    let app = App::start(&settings, clock.clone()).await.unwrap();
    let keys = KeyRing::new(&settings.master_keys);
    let test = TestApp {
        app,
        database,
        anam,
        issuer,
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        keys,
        clock,
    };
    if seeds {
        // The demo tenant may be there already, with another issuer.
        let (database, keys) = (&test.app.gateway.database, &test.keys);
        seed::seed(database, &test.clock, keys, test.issuer.url())
            .await
            .unwrap();
    } else if !options.no_demo {
        test.database.point_demo_at(test.issuer.url()).await;
    }
    if !options.no_demo {
        // From now on the service hears of changes.
        test.wait_for_token(&test.user("user-1")).await;
    }
    test
}

/// The same for all tests, since an RSA key takes long to make; each issuer has an address, and so a name, of its own.
static ISSUER_KEYS: LazyLock<DevIssuerKeys> = LazyLock::new(|| DevIssuerKeys::generate().unwrap());

impl TestApp {
    /// An address of the user API.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.app.address)
    }

    /// A token of the demo tenant's user, with the demo user's claims.
    pub(crate) fn user(&self, subject: &str) -> String {
        self.issuer.token(subject, seed::user_claims()).unwrap()
    }

    /// A token of the demo tenant's user, with these claims.
    pub(crate) fn user_with(&self, subject: &str, claims: Value) -> String {
        let Value::Object(claims) = claims else {
            panic!("claims are an object")
        };
        self.issuer.token(subject, claims).unwrap()
    }

    /// A token of this test's issuer for another audience, with the demo user's claims.
    pub(crate) fn user_for(&self, audience: &str, subject: &str) -> String {
        let mut asked = TokenRequest::new(subject, seed::user_claims());
        asked.aud = Some(Audience::One(audience.to_owned()));
        self.issuer.sign(&asked).unwrap()
    }

    /// A second instance on the same database, with an emulator of its own; it takes the same tokens.
    pub(crate) async fn second(&self) -> Self {
        self.second_ahead(TimeDelta::zero()).await
    }

    /// The same on a machine whose clock is ahead.
    pub(crate) async fn second_ahead(&self, ahead: TimeDelta) -> Self {
        spawn_with(TestOptions {
            database: Some(self.database.clone()),
            no_demo: true,
            ahead,
            ..TestOptions::default()
        })
        .await
    }

    /// A request with a user's token.
    pub(crate) fn request(&self, method: Method, path: &str, token: &str) -> RequestBuilder {
        self.http.request(method, self.url(path)).bearer_auth(token)
    }

    /// `POST /v1/session-token`.
    pub(crate) async fn mint(&self, token: &str, body: &Value) -> Response {
        self.request(Method::POST, "/v1/session-token", token)
            .json(body)
            .send()
            .await
            .unwrap()
    }

    /// Mints, and gives what Anam was sent.
    pub(crate) async fn minted_config(&self, token: &str, body: &Value) -> Value {
        let answer = self.mint(token, body).await;
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{text}");
        self.last_mint()
    }

    /// The newest body that Anam's mint endpoint got.
    pub(crate) fn last_mint(&self) -> Value {
        let requests = self.anam.requests();
        let mint = requests
            .iter()
            .find(|request| request.path == "/v1/auth/session-token");
        serde_json::to_value(mint.expect("Anam was asked")).unwrap()["body"].clone()
    }

    /// How often Anam's mint endpoint was asked.
    pub(crate) fn mints_asked(&self) -> usize {
        let requests = self.anam.requests();
        requests
            .iter()
            .filter(|request| request.path == "/v1/auth/session-token")
            .count()
    }

    /// Applies a bundle; its issuers may say `issuer: here` for this test's issuer.
    pub(crate) async fn apply(&self, yaml: &str) {
        let yaml = yaml.replace("issuer: here", &format!("issuer: {}", self.issuer.url()));
        let source = Source::parse(&yaml).unwrap();
        let bundle = Bundle::parse(&source.value).unwrap();
        fits_the_schema(&source.value);
        let find_secret = |reference: &_| Err(format!("no secret for {reference:?}"));
        let applier = Applier {
            database: &self.app.gateway.database,
            clock: &self.clock,
            keys: &self.keys,
            find_secret: &find_secret,
        };
        let options = ApplyOptions::by("test");
        applier.apply(&bundle, &options).await.unwrap();
        self.settle(&bundle.tenant).await;
    }

    /// Waits until this instance serves what the database holds of a tenant.
    pub(crate) async fn settle(&self, slug: &str) {
        let tenant = self.tenant(slug).await;
        let sql = format!(
            "select revision from config_revision where tenant_id = '{}'",
            tenant.0
        );
        let reached = self.database.rows(&sql).await[0]["revision"]
            .as_i64()
            .unwrap();
        until(
            "the newest revision is served",
            Duration::from_secs(10),
            || async {
                let live = self.app.gateway.sources.tenant(tenant).await.ok()?;
                (live.snapshot.revision >= reached).then_some(())
            },
        )
        .await;
    }

    /// Sets a user's preferences through the API.
    pub(crate) async fn prefer(&self, token: &str, choices: &Value) {
        let answer = self
            .request(Method::PUT, "/v1/me/preferences", token)
            .json(choices)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        assert_eq!(status, 200, "{}", answer.text().await.unwrap());
    }

    /// Writes a user's preferences past all checks, as an older catalogue may have let them in.
    pub(crate) async fn store_preferences(&self, subject: &str, choices: &Value) {
        let tenant = self.tenant(seed::TENANT).await.0;
        self.database
            .sql(&format!(
                "insert into preference (tenant_id, subject, choices) values ('{tenant}', '{subject}', '{choices}')
                 on conflict (tenant_id, subject) do update set choices = excluded.choices, version = preference.version + 1"
            ))
            .await;
    }

    /// The trace of the newest session in the ledger.
    pub(crate) async fn last_trace(&self) -> Value {
        let rows = self
            .database
            .rows("select trace from session order by at desc, id desc limit 1")
            .await;
        rows[0]["trace"].clone()
    }

    /// The id of a tenant.
    pub(crate) async fn tenant(&self, slug: &str) -> TenantId {
        let mut tx = self.app.gateway.database.platform().await.unwrap();
        let id = tx.tenant_by_slug(slug).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// Waits until the service has heard of the token's issuer.
    pub(crate) async fn wait_for_token(&self, token: &str) {
        until(
            "the service knows the issuer",
            Duration::from_secs(10),
            || async { self.app.gateway.auth.authenticate(token).await.ok() },
        )
        .await;
    }

    /// Ends everything, as a signal would.
    /// A row of the audit trail, for what a test does past the API.
    pub(crate) fn event<'a>(&self, action: &'a str, target: &'a str) -> AuditEvent<'a> {
        AuditEvent {
            id: self.clock.new_id(),
            at: self.clock.now(),
            actor: "test",
            action,
            target,
            before_hash: None,
            after_hash: None,
            request_id: None,
            details: json!({}),
        }
    }

    /// What the operations listener says at `/metrics`.
    pub(crate) async fn metrics(&self) -> String {
        let page = format!("http://{}/metrics", self.app.ops_address);
        let answer = reqwest::get(page).await.unwrap();
        answer.text().await.unwrap()
    }

    pub(crate) async fn stop(self) {
        assert!(self.app.stop().await, "the service stopped cleanly");
    }
}

/// The body of a problem, after a look at what every problem must have.
pub(crate) async fn problem(answer: Response, status: u16, code: &str) -> Value {
    let (got, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    assert_eq!(headers["content-type"], "application/problem+json");
    assert_eq!(headers["cache-control"], "no-store");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["code"], code, "{text}");
    assert_eq!(body["status"], status, "{text}");
    assert_eq!(body["type"], format!("urn:persona-gateway:problem:{code}"));
    assert!(!text.contains("sessionToken"), "{text}");
    let says_too_little = [
        "conflict",
        "in_use",
        "already_exists",
        "approval_missing",
        "inputs_expired",
    ];
    if says_too_little.contains(&code) {
        assert!(body["reason"].is_string(), "{text}");
    }
    body
}

/// The headers and the body of an answer.
pub(crate) async fn full_text(answer: Response) -> String {
    let headers = format!("{:?}", answer.headers());
    headers + &answer.text().await.unwrap()
}

/// The `errors` of a problem as (pointer, message).
pub(crate) fn errors(problem: &Value) -> Vec<(String, String)> {
    let listed = problem["errors"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    listed
        .iter()
        .map(|error| (text(&error["pointer"]), text(&error["message"])))
        .collect()
}

/// The pointers of a problem's `errors`.
pub(crate) fn pointers(problem: &Value) -> Vec<String> {
    errors(problem).into_iter().map(|(at, _)| at).collect()
}

/// A body for a context without metadata.
pub(crate) fn context(name: &str) -> Value {
    json!({ "context": name })
}
