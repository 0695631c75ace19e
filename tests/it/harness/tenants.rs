//! Applying bundles without a service, and two tenants that share everything that can be shared.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use persona_gateway::authoring::apply::{Applier, ApplyError, ApplyOptions};
use persona_gateway::authoring::bundle::{Bundle, SecretRef};
use persona_gateway::authoring::export::export;
use persona_gateway::authoring::plan::Plan;
use persona_gateway::authoring::yaml::Source;
use persona_gateway::clock::Clock;
use persona_gateway::config::Settings;
use persona_gateway::crypto::seal::KeyRing;
use persona_gateway::domain::fault::Fault;
use persona_gateway::store::{Database, DatabaseOptions};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::app::MASTER_KEY;
use super::postgres::{TestDatabase, typed};
use super::{TestApp, TestOptions, sql};

/// Settings of a service on a database, on free ports.
pub(crate) fn settings(database_url: &SecretString, more: &[(&str, &str)]) -> Settings {
    let env: BTreeMap<String, String> = [
        ("DATABASE_URL", database_url.expose_secret()),
        ("GATEWAY_MASTER_KEY", MASTER_KEY),
        ("GATEWAY__SERVER__HOST", "127.0.0.1"),
        ("GATEWAY__SERVER__PORT", "0"),
        ("GATEWAY__SERVER__OPS_PORT", "0"),
        ("GATEWAY__SERVER__WORKERS", "1"),
        ("GATEWAY__SERVER__DRAIN_GRACE_MS", "0"),
    ]
    .iter()
    .chain(more)
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .collect();
    Settings::load(&env, Path::new("config")).unwrap()
}

/// A store as the service has it.
pub(crate) fn store(url: &SecretString) -> Database {
    let options = DatabaseOptions {
        acquire_timeout: Duration::from_secs(20),
        statement_timeout: Duration::from_secs(20),
        lock_timeout: Duration::from_secs(20),
        transaction_timeout: Duration::from_mins(1),
    };
    Database::new(&typed(url), None, "test", 8, options)
}

/// Whatever reads as a bundle fits the schema that editors check by.
pub(crate) fn fits_the_schema(bundle: &Value) {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        jsonschema::draft202012::new(&persona_gateway::authoring::schema::schema()).unwrap()
    });
    let errors: Vec<String> = SCHEMA.iter_errors(bundle).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}: {bundle}");
}

/// A database and the tools to apply bundles to it, without a service.
pub(crate) struct Bench {
    pub(crate) database: TestDatabase,
    pub(crate) store: Database,
    pub(crate) keys: KeyRing,
    pub(crate) clock: Clock,
    /// What references in bundles lead to.
    pub(crate) secrets: BTreeMap<String, String>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await;
        Self {
            store: store(&database.login_url),
            keys: KeyRing::new(&settings(&database.login_url, &[]).master_keys),
            clock: Clock::system(),
            secrets: BTreeMap::new(),
            database,
        }
    }

    /// Seals with another master key than the usual one.
    pub(crate) fn seal_with(&mut self, master_key: &str) {
        let settings = settings(
            &self.database.login_url,
            &[("GATEWAY_MASTER_KEY", master_key)],
        );
        self.keys = KeyRing::new(&settings.master_keys);
    }

    /// Applies a bundle that reads.
    pub(crate) async fn apply(&self, yaml: &str) -> Result<Plan, ApplyError> {
        self.apply_with(yaml, |_| {}).await
    }

    /// Applies a bundle that reads, otherwise than usual.
    pub(crate) async fn apply_with(
        &self,
        yaml: &str,
        change: impl FnOnce(&mut ApplyOptions),
    ) -> Result<Plan, ApplyError> {
        let source = Source::parse(yaml).unwrap();
        let bundle = Bundle::read(&source.value).map_err(|faults| ApplyError::Faults {
            faults,
            findings: Vec::new(),
        })?;
        if bundle.faults.is_empty() && bundle.document_faults.is_empty() {
            fits_the_schema(&source.value);
        }
        let find_secret = |reference: &SecretRef| match reference {
            SecretRef::Env(name) | SecretRef::File(name) => self
                .secrets
                .get(name)
                .map(|secret| SecretString::from(secret.as_str()))
                .ok_or_else(|| format!("{name} is not set")),
            SecretRef::Stored | SecretRef::Sent(_) => Err("nowhere".into()),
        };
        let applier = Applier {
            database: &self.store,
            clock: &self.clock,
            keys: &self.keys,
            find_secret: &find_secret,
        };
        let mut options = ApplyOptions::by("test");
        change(&mut options);
        applier.apply(&bundle, &options).await
    }

    /// The faults for which a bundle is refused.
    pub(crate) async fn faults(&self, yaml: &str) -> Vec<Fault> {
        match self.apply(yaml).await {
            Err(ApplyError::Faults { faults, .. }) => faults,
            other => panic!("{other:?} is no refusal"),
        }
    }

    /// What is live, as a bundle.
    pub(crate) async fn export(&self, slug: &str) -> Value {
        let mut platform = self.store.platform().await.unwrap();
        let tenant = platform.tenant_by_slug(slug).await.unwrap().unwrap();
        platform.commit().await.unwrap();
        let mut tx = self.store.tenant(tenant).await.unwrap();
        export(&mut tx).await.unwrap().unwrap()
    }

    /// A tenant's id, as text.
    pub(crate) async fn tenant(&self, slug: &str) -> String {
        let mut owner = self.database.owner().await;
        let query = format!("select id from tenant where slug = '{slug}'");
        sql::texts(&mut owner, &query).await.remove(0)
    }
}

/// Signs users' tokens; its key set stands in the bundle, so nothing has to be fetched.
pub(crate) struct Signer {
    pair: Ed25519KeyPair,
    kid: &'static str,
}

impl Signer {
    pub(crate) fn new(kid: &'static str) -> Self {
        Self {
            pair: Ed25519KeyPair::generate().unwrap(),
            kid,
        }
    }

    /// The public key.
    pub(crate) fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.kid, "x": x })
    }

    /// A token that is good for an hour.
    pub(crate) fn token(&self, issuer: &str, audience: &Value, subject: &str) -> String {
        self.token_with(issuer, audience, subject, &json!({}))
    }

    /// The same, with more claims.
    pub(crate) fn token_with(
        &self,
        issuer: &str,
        audience: &Value,
        subject: &str,
        more: &Value,
    ) -> String {
        let now = Clock::system().now().timestamp();
        let mut claims = json!({
            "iss": issuer, "aud": audience, "sub": subject, "iat": now, "nbf": now, "exp": now + 3600,
        });
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        self.token_of(&claims.to_string())
    }

    /// A token of these claims, written just so.
    pub(crate) fn token_of(&self, claims: &str) -> String {
        let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": self.kid }).to_string();
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A token signed with a shared secret; `expires_in` seconds, which may lie in the past.
pub(crate) fn hs256_token(secret: &str, claims: &Value, expires_in: i64) -> String {
    let now = Clock::system().now().timestamp();
    let mut claims = claims.clone();
    claims["iat"] = json!(now.min(now + expires_in - 60));
    claims["exp"] = json!(now + expires_in);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({ "alg": "HS256", "typ": "JWT" });
    let signed = format!("{}.{}", part(&header), part(&claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// One of two tenants that have everything in common but their names and their keys.
pub(crate) struct Tenant {
    pub(crate) slug: &'static str,
    pub(crate) issuer: String,
    pub(crate) signer: Signer,
    /// Its own Anam key; the platform's is used without.
    pub(crate) anam_key: Option<String>,
}

/// The audience of every tenant's tokens.
pub(crate) const AUDIENCE: &str = "app";
/// An avatar that only this tenant's catalogue has comes first; the second one is everybody's.
pub(crate) const SHARED_AVATAR: &str = "30fa96d0-26c4-4e55-94a0-517025942e18";

impl Tenant {
    pub(crate) fn new(slug: &'static str, anam_key: Option<&str>) -> Self {
        Self {
            slug,
            issuer: format!("https://{slug}.example"),
            // The same number in every tenant's key set.
            signer: Signer::new("key-1"),
            anam_key: anam_key.map(ToOwned::to_owned),
        }
    }

    /// Same keys of documents, same subjects, other contents.
    pub(crate) fn bundle(&self) -> Value {
        let slug = self.slug;
        let mut bundle = json!({
            "tenant": slug,
            "issuers": [{
                "issuer": self.issuer, "audiences": [AUDIENCE], "algorithms": ["EdDSA"],
                "keys": { "jwks": { "keys": [self.signer.jwk()] } },
            }],
            "policy": { "preferences": { "color": { "values": [format!("{slug}-blue"), format!("{slug}-red")] } } },
            "catalogue": { "avatars": [{ "id": SHARED_AVATAR, "name": format!("Avatar of {slug}") }] },
            "snippets": { "rules": { "text": format!("Secret rule of {slug}.") } },
            "personas": { "guide": {
                "name": format!("Guide of {slug}"),
                "avatarId": SHARED_AVATAR,
                "voiceId": "6bfbe25a-979d-40f3-a92b-5394170af54b",
                "llmId": "0934d97d-0c3a-4f33-91b0-5e136a0ef466",
                "systemPrompt": "{{ snippets.rules }} {{ user.id }} likes {{ preferences.color }}.",
            }},
            "contexts": {
                "default": { "default": "guide", "description": format!("Context of {slug}") },
                format!("only-{slug}"): { "default": "guide" },
            },
        });
        if self.anam_key.is_some() {
            bundle["providerKey"] = json!({ "env": "KEY" });
        }
        bundle
    }

    /// A good token of this tenant.
    pub(crate) fn user(&self, subject: &str) -> String {
        self.signer.token(&self.issuer, &json!(AUDIENCE), subject)
    }
}

/// A service with these tenants and no others.
pub(crate) async fn serve(tenants: &[&Tenant], mut options: TestOptions) -> TestApp {
    options.no_demo = true;
    options
        .anam_keys
        .extend(tenants.iter().filter_map(|tenant| tenant.anam_key.clone()));
    for limit in ["USER_MINTS_PER_MINUTE", "ADDRESS_REQUESTS_PER_MINUTE"] {
        let name = format!("GATEWAY__LIMITS__{limit}");
        if !options.env.iter().any(|(set, _)| *set == name) {
            options.env.push((name, "0".into()));
        }
    }
    let app = super::spawn_with(options).await;
    for tenant in tenants {
        add(&app, tenant).await;
    }
    app
}

/// Another tenant for a running service.
pub(crate) async fn add(app: &TestApp, tenant: &Tenant) {
    let bundle = Bundle::parse(&tenant.bundle()).unwrap();
    let find_secret = |_: &SecretRef| {
        let key = tenant.anam_key.clone();
        key.map(SecretString::from).ok_or_else(String::new)
    };
    let applier = Applier {
        database: &app.app.gateway.database,
        clock: &app.clock,
        keys: &app.keys,
        find_secret: &find_secret,
    };
    let options = ApplyOptions::by("test");
    applier.apply(&bundle, &options).await.unwrap();
    app.wait_for_token(&tenant.user("first")).await;
}
