//! One long run of the real program at log level trace.

use std::collections::BTreeMap;

use persona_gateway::dev::emulator::{
    ApiKeys, Emulator, EmulatorConfig, EmulatorHandle, Fault, FaultTarget,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use url::Url;

use crate::harness::cli::{Running, environment_of, program};
use crate::harness::postgres::migrate;
use crate::harness::sql;
use crate::harness::tenants::{Bench, hs256_token};

const PLATFORM_KEY: &str = "canary-platform-key-7f3a9c";
const TENANT_KEY: &str = "canary-tenant-key-51d2e8";
const HS256: &str = "canary-shared-secret-of-32-bytes-and-more-b6";
const MASTER: &str = "Y2FuYXJ5LW1hc3Rlci1rZXktMzItYnl0ZXMtbG9uZyE=";
const PASSWORD: &str = "canary-dsn-password-0b7c44";
const METADATA: &str = "canary-metadata-e19d03";
const FACT: &str = "canary-fact-82c6aa";
const PREFERENCE: &str = "canary-preference-4d71f0";

const BUNDLE: &str = r#"
tenant: acme
policy: {retainInputsDays: DAYS}
issuers:
  - issuer: https://i.example
    audiences: [app]
    algorithms: [HS256]
    keys: {sharedSecret: true}
    secret: {env: HS256}
    claims: {plan: plan}
providerKey: {env: KEY}
personas:
  guide:
    name: Guide
    avatarId: 30fa96d0-26c4-4e55-94a0-517025942e18
    voiceId: 6bfbe25a-979d-40f3-a92b-5394170af54b
    llmId: 0934d97d-0c3a-4f33-91b0-5e136a0ef466
    systemPrompt: "About {{ metadata.note }} for {{ user.plan }} called {{ preferences.displayName }}."
contexts:
  default:
    default: guide
    metadata: {type: object, additionalProperties: false, properties: {note: {type: string, maxLength: 40}}}
"#;

/// Everything that a client saw, and the tokens that it was meant to see.
#[derive(Default)]
struct Seen {
    answers: Vec<String>,
    session_tokens: Vec<String>,
    jwts: Vec<String>,
}

struct Stage {
    bench: Bench,
    anam: EmulatorHandle,
    running: Running,
    gateway: String,
    ops: String,
    seen: Seen,
}

impl Stage {
    async fn set(retention_days: u32) -> Self {
        let mut bench = Bench::new().await;
        let mut login = Url::parse(bench.database.login_url.expose_secret()).unwrap();
        login
            .set_username(&format!("{}_canary", bench.database.name))
            .unwrap();
        login.set_password(Some(PASSWORD)).unwrap();
        let login = SecretString::from(login.to_string());
        migrate(&bench.database.owner_url, Some(&login))
            .await
            .unwrap();

        bench.seal_with(MASTER);
        bench.secrets = BTreeMap::from([
            ("HS256".into(), HS256.into()),
            ("KEY".into(), TENANT_KEY.into()),
        ]);
        bench
            .apply(&BUNDLE.replace("DAYS", &retention_days.to_string()))
            .await
            .unwrap();
        let keys = [PLATFORM_KEY, TENANT_KEY].map(SecretString::from).to_vec();
        let anam = Emulator::start(EmulatorConfig {
            api_keys: ApiKeys::Only(keys),
            ..EmulatorConfig::default()
        })
        .unwrap();
        let running = program(&["serve"])
            .envs(&environment_of(&bench))
            .env("DATABASE_URL", login.expose_secret())
            .env("GATEWAY_MASTER_KEY", MASTER)
            .env("ANAM_API_KEY", PLATFORM_KEY)
            .env("ANAM_BASE_URL", &anam.url())
            .env("GATEWAY__LOG__FILTER", "trace")
            .start();
        let (gateway, ops) = running.addresses().await;
        Self {
            bench,
            anam,
            running,
            gateway,
            ops,
            seen: Seen::default(),
        }
    }

    fn jwt(&mut self, secret: &str, expires_in: i64) -> String {
        let token = hs256_token(
            secret,
            &json!({ "iss": "https://i.example", "aud": "app", "sub": "u", "plan": FACT }),
            expires_in,
        );
        self.seen.jwts.push(token.clone());
        token
    }

    async fn ask(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client
            .request(method.parse().unwrap(), format!("{}{path}", self.gateway))
            .bearer_auth(token)
            .header("Cookie", format!("token={token}"))
            .header("Referer", format!("https://app.example/?token={token}"));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
        let text = answer.text().await.unwrap();
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let mut told = text;
        if let Some(session) = body["sessionToken"].as_str() {
            self.seen.session_tokens.push(session.to_owned());
            // The one place where it belongs.
            told = told.replace(session, "(the token)");
        }
        self.seen.answers.push(format!("{headers}\n{told}"));
        (status, body)
    }

    /// Good mints, and every way to fail that a page, an issuer or Anam has.
    async fn play(&mut self) {
        let good = self.jwt(HS256, 3600);
        let (status, _) = self
            .ask(
                "PUT",
                "/v1/me/preferences",
                &good,
                Some(json!({ "displayName": PREFERENCE })),
            )
            .await;
        assert_eq!(status, 200);
        let mint = || Some(json!({ "context": "default", "metadata": { "note": METADATA } }));
        for path in ["/v1/session-token", "/api/session-token"] {
            let (status, body) = self.ask("POST", path, &good, mint()).await;
            assert_eq!(status, 200, "{body}");
            for status in [400, 401, 402, 403, 404, 429, 500, 503] {
                // As an upstream would that explains itself with what it got.
                let echo = json!({ "error": format!("Bearer {TENANT_KEY} {PLATFORM_KEY}"), "request": METADATA, "prompt": FACT });
                self.anam.fault(
                    Fault::status(FaultTarget::Mint, status)
                        .with_body(echo)
                        .times(1),
                );
                self.anam.fault(
                    Fault::status(FaultTarget::Mint, status)
                        .with_body(format!("<p>{TENANT_KEY} {METADATA}</p>"))
                        .times(1),
                );
                self.ask("POST", path, &good, mint()).await;
                self.anam.clear();
            }
            let nonsense = json!({ "sessionToken": format!("{TENANT_KEY}.{METADATA}") });
            self.anam.fault(
                Fault::status(FaultTarget::Mint, 200)
                    .with_body(nonsense)
                    .times(2),
            );
            assert_eq!(self.ask("POST", path, &good, mint()).await.0 / 100, 5);
            self.anam.clear();
            self.anam.fault(Fault::dropped(FaultTarget::Mint).times(2));
            assert_eq!(self.ask("POST", path, &good, mint()).await.0 / 100, 5);
            self.anam.clear();
        }
        let expired = self.jwt(HS256, -600);
        let forged = self.jwt("another-secret-of-32-bytes-and-some-more", 3600);
        let cut = good.chars().take(good.len() - 4).collect::<String>();
        self.seen.jwts.push(cut.clone());
        for token in [&expired, &forged, &cut] {
            assert_eq!(
                self.ask("POST", "/v1/session-token", token, mint()).await.0,
                401
            );
            assert_eq!(
                self.ask("GET", "/v1/me/preferences", token, None).await.0,
                401
            );
        }
        for body in [
            json!({ "metadata": { "note": METADATA.repeat(3) } }),
            json!({ "metadata": { METADATA: 1 } }),
            json!({ "context": "default", "metadata": METADATA }),
            json!({ METADATA: METADATA }),
            json!({ "context": METADATA, "metadata": { "note": 7 } }),
        ] {
            let (status, answer) = self
                .ask("POST", "/v1/session-token", &good, Some(body))
                .await;
            assert_eq!(status / 100, 4, "{answer}");
        }
        // A token where it does not belong.
        self.ask(
            "GET",
            &format!("/v1/contexts?access_token={good}"),
            &good,
            None,
        )
        .await;
        self.ask("GET", &format!("/nowhere/{good}?token={good}"), &good, None)
            .await;
    }

    /// Every row of every table as text, by table.
    async fn dump(bench: &Bench) -> BTreeMap<String, String> {
        let mut owner = bench.database.owner().await;
        let tables = sql::texts(
            &mut owner,
            "select oid::regclass::text from pg_class
             where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition",
        )
        .await;
        let mut dump = BTreeMap::new();
        for table in tables {
            let rows = sql::texts(&mut owner, &format!("select t::text from {table} t")).await;
            dump.insert(table, rows.join("\n"));
        }
        dump
    }
}

/// Each secret by name: the texts that would give it away.
fn secrets(seen: &Seen) -> Vec<(&'static str, String)> {
    let mut secrets = vec![
        ("platform key", PLATFORM_KEY.to_owned()),
        ("tenant key", TENANT_KEY.to_owned()),
        ("shared secret", HS256.to_owned()),
        ("master key", MASTER.to_owned()),
        (
            "master key's bytes",
            "canary-master-key-32-bytes-long!".to_owned(),
        ),
        ("database password", PASSWORD.to_owned()),
    ];
    for token in &seen.session_tokens {
        secrets.push(("session token", token.clone()));
        secrets.push((
            "session token's end",
            token.rsplit('.').next().unwrap().to_owned(),
        ));
    }
    for jwt in &seen.jwts {
        // The claims and the signature; the header is the same everywhere and says nothing.
        for part in jwt.split('.').skip(1) {
            secrets.push(("user's JWT", part.to_owned()));
        }
    }
    let hex: Vec<_> = secrets
        .iter()
        .map(|(name, secret)| (*name, hex::encode(secret)))
        .collect();
    secrets.extend(hex);
    secrets
}

fn personal() -> Vec<(&'static str, String)> {
    vec![
        ("metadata", METADATA.to_owned()),
        ("fact", FACT.to_owned()),
        ("preference", PREFERENCE.to_owned()),
    ]
}

/// The lines of a text that hold any of the secrets, each with the secret's name.
fn hits(text: &str, secrets: &[(&'static str, String)]) -> Vec<String> {
    text.lines()
        .flat_map(|line| {
            secrets
                .iter()
                .filter(|(_, secret)| line.contains(secret.as_str()))
                .map(move |(name, _)| format!("{name} in: {line:.400}"))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_comes_out_anywhere() {
    let mut stage = Stage::set(30).await;
    stage.play().await;
    let secret = secrets(&stage.seen);
    assert!(stage.seen.session_tokens.len() == 2 && stage.seen.jwts.len() == 4);

    let metrics = reqwest::get(format!("{}/metrics", stage.ops))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(metrics.contains("gateway_http_requests_total"), "{metrics}");
    assert_eq!(
        hits(&metrics, &[secret.clone(), personal()].concat()),
        Vec::<String>::new(),
        "metrics"
    );

    for answer in &stage.seen.answers {
        assert_eq!(hits(answer, &secret), Vec::<String>::new(), "answers");
    }

    stage.running.signal("TERM").await;
    let Stage { running, bench, .. } = stage;
    let ended = running.end().await;
    assert_eq!(ended.code, Some(0));
    let dump = Stage::dump(&bench).await;
    let log = ended.err;
    assert!(
        log.lines().count() > 200 && log.contains("TRACE"),
        "it did log everything"
    );
    assert_eq!(
        hits(&log, &[secret.clone(), personal()].concat()),
        Vec::<String>::new(),
        "log"
    );

    for (table, rows) in &dump {
        assert_eq!(hits(rows, &secret), Vec::<String>::new(), "{table}");
        let kept: &[&str] = match table.as_str() {
            "session_inputs" => &["metadata", "fact", "preference"],
            "preference" => &["preference"],
            _ => &[],
        };
        let others: Vec<_> = personal()
            .into_iter()
            .filter(|(name, _)| !kept.contains(name))
            .collect();
        assert_eq!(hits(rows, &others), Vec::<String>::new(), "{table}");
    }
    // The canaries did go in: where they are kept on purpose, they are found.
    assert!(!hits(&dump["session_inputs"], &personal()).is_empty());
    assert!(dump["session"].lines().count() >= 18, "{}", dump["session"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_policy_keeps_nothing_the_database_holds_nothing_of_what_was_said() {
    let mut stage = Stage::set(0).await;
    stage.play().await;
    stage.running.signal("TERM").await;
    let Stage { running, bench, .. } = stage;
    assert_eq!(running.end().await.code, Some(0));
    let dump = Stage::dump(&bench).await;
    assert_eq!(dump["session_inputs"], "");
    for (table, rows) in &dump {
        let others: Vec<_> = personal()
            .into_iter()
            .filter(|(name, _)| *name != "preference" || table != "preference")
            .collect();
        assert_eq!(hits(rows, &others), Vec::<String>::new(), "{table}");
    }
}

#[tokio::test]
async fn a_service_that_can_not_start_does_not_tell_why_with_secrets() {
    let bench = Bench::new().await;
    let mut answers = Vec::new();
    for (name, value) in [
        (
            "DATABASE_URL",
            format!("postgres://app:{PASSWORD}@127.0.0.1:1/gateway"),
        ),
        (
            "DATABASE_URL",
            format!("nonsense://app:{PASSWORD}@/ /gateway?x=1"),
        ),
        ("DATABASE_URL", PASSWORD.to_owned()),
        ("GATEWAY_MASTER_KEY", format!("{MASTER}x")),
        (
            "GATEWAY_MASTER_KEY",
            "1:canary-master-key-32-bytes-long!".to_owned(),
        ),
        (
            "ANAM_BASE_URL",
            format!("https://user:{PASSWORD}@api.anam.ai"),
        ),
        ("ANAM_API_KEY", format!("{PLATFORM_KEY}\nx")),
        ("GATEWAY__SERVER__PORT", "x".to_owned()),
    ] {
        for command in [vec!["check-config"], vec!["export", "acme"]] {
            let ended = program(&command)
                .envs(&environment_of(&bench))
                .env("ANAM_API_KEY", PLATFORM_KEY)
                .env("GATEWAY__DATABASE__ACQUIRE_TIMEOUT_MS", "50")
                .env(name, &value)
                .run()
                .await;
            answers.push(format!("{}\n{}", ended.out, ended.err));
        }
    }
    let secret = secrets(&Seen::default());
    for answer in answers {
        assert_eq!(hits(&answer, &secret), Vec::<String>::new());
    }
}
