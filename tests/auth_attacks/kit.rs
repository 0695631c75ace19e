//! Keys, tokens, configurations and a small HTTP server for these tests.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use aws_lc_rs::{hmac, rsa::KeySize};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use persona_gateway::auth::{
    Authenticator, Directory, IntrospectionSettings, IssuerEntry, JwksSettings, OutboundPolicy,
    TenantEntry,
};
use persona_gateway::clock::Clock;
use persona_gateway::domain::ids::{IssuerId, TenantId};
use persona_gateway::domain::issuer::{IssuerConfig, TenantBinding};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://id.example.com";
pub(crate) const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(NOW, 0).unwrap()
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key.
pub(crate) enum Signer {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Hmac(Vec<u8>),
}

impl Signer {
    pub(crate) fn rsa(size: KeySize) -> Self {
        Self::Rsa(RsaKeyPair::generate(size).unwrap())
    }

    pub(crate) fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn ed() -> Self {
        Self::Ed(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
            Self::P384(_) => "ES384",
            Self::Ed(_) => "EdDSA",
            Self::Hmac(_) => "HS256",
        }
    }

    /// A token signed by another algorithm of this kind of key than the usual one.
    pub(crate) fn token_by(&self, alg: &str, header: Value, claims: impl Display) -> String {
        let mut header = header;
        header["alg"] = json!(alg);
        let input = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let padding: &'static dyn RsaEncoding = match alg {
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public_modulus_len()];
                let sign = key.sign(padding, &random, input.as_bytes(), &mut signature);
                sign.unwrap();
                signature
            }
            Self::Hmac(key) => {
                let digest = match alg {
                    "HS384" => hmac::HMAC_SHA384,
                    "HS512" => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                let key = hmac::Key::new(digest, key);
                hmac::sign(&key, input.as_bytes()).as_ref().to_vec()
            }
            Self::Ec(_) | Self::P384(_) | Self::Ed(_) => self.sign(input.as_bytes()),
        };
        format!("{input}.{}", b64(signature))
    }

    pub(crate) fn sign(&self, input: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, input, &mut signature)
                    .unwrap();
                signature
            }
            Self::Ec(key) | Self::P384(key) => key.sign(&random, input).unwrap().as_ref().to_vec(),
            Self::Ed(key) => key.sign(input).as_ref().to_vec(),
            Self::Hmac(key) => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), input)
                .as_ref()
                .to_vec(),
        }
    }

    /// The public key as its library writes it: PKCS#1 DER, 0x04 || x || y, or x.
    pub(crate) fn public(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => key.public_key().as_ref().to_vec(),
            Self::Ec(key) | Self::P384(key) => key.public_key().as_ref().to_vec(),
            Self::Ed(key) => key.public_key().as_ref().to_vec(),
            Self::Hmac(_) => Vec::new(),
        }
    }

    /// Modulus and exponent, out of the DER: two integers in a sequence.
    pub(crate) fn rsa_numbers(&self) -> (Vec<u8>, Vec<u8>) {
        let der = self.public();
        let length = usize::from(u16::from_be_bytes([der[6], der[7]]));
        let n = &der[8..8 + length];
        let e = &der[8 + length + 2..];
        (n.strip_prefix(&[0]).unwrap_or(n).to_vec(), e.to_vec())
    }

    pub(crate) fn jwk(&self, kid: &str) -> Value {
        let mut jwk = match self {
            Self::Rsa(_) => {
                let (n, e) = self.rsa_numbers();
                json!({"kty": "RSA", "n": b64(n), "e": b64(e)})
            }
            Self::Ec(_) => {
                let point = self.public();
                json!({"kty": "EC", "crv": "P-256", "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            Self::P384(_) => {
                let point = self.public();
                json!({"kty": "EC", "crv": "P-384", "x": b64(&point[1..49]), "y": b64(&point[49..])})
            }
            Self::Ed(_) => json!({"kty": "OKP", "crv": "Ed25519", "x": b64(self.public())}),
            Self::Hmac(key) => json!({"kty": "oct", "k": b64(key)}),
        };
        jwk["kid"] = json!(kid);
        jwk["alg"] = json!(self.alg());
        jwk["use"] = json!("sig");
        jwk
    }

    pub(crate) fn header(&self, kid: &str) -> Value {
        json!({"alg": self.alg(), "kid": kid, "typ": "JWT"})
    }

    /// A token of these two texts, signed as they are.
    pub(crate) fn token(&self, header: impl Display, claims: impl Display) -> String {
        self.token_of_parts(&b64(header.to_string()), &b64(claims.to_string()))
    }

    pub(crate) fn token_of_parts(&self, header: &str, claims: &str) -> String {
        let input = format!("{header}.{claims}");
        let signature = self.sign(input.as_bytes());
        format!("{input}.{}", b64(signature))
    }

    /// A good token of [`claims`].
    pub(crate) fn good(&self, kid: &str) -> String {
        self.token(self.header(kid), claims())
    }
}

pub(crate) static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::rsa(KeySize::Rsa2048));
pub(crate) static EC: LazyLock<Signer> = LazyLock::new(Signer::ec);
pub(crate) static ED: LazyLock<Signer> = LazyLock::new(Signer::ed);
pub(crate) static HMAC: LazyLock<Signer> = LazyLock::new(|| Signer::Hmac(SECRET.to_vec()));

/// The issuer's three keys, each under the id of its own name.
pub(crate) fn signers() -> [(&'static str, &'static Signer); 3] {
    [("rsa", &RSA), ("ec", &EC), ("ed", &ED)]
}

pub(crate) fn key_set() -> Value {
    let keys: Vec<Value> = signers()
        .iter()
        .map(|(kid, signer)| signer.jwk(kid))
        .collect();
    json!({"keys": keys})
}

/// The claims of a good token.
pub(crate) fn claims() -> Value {
    json!({"iss": ISSUER, "aud": "app", "sub": "user-1", "iat": NOW, "exp": NOW + 600})
}

pub(crate) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

pub(crate) fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

pub(crate) fn config(json: &Value) -> IssuerConfig {
    IssuerConfig::parse(json).unwrap()
}

/// The issuer of these tests with its keys typed in.
pub(crate) fn inline_config() -> IssuerConfig {
    config(&json!({"issuer": ISSUER, "audiences": ["app", "app-2"], "keys": {"jwks": key_set()}}))
}

pub(crate) fn tenant(number: u128) -> TenantId {
    TenantId(Uuid::from_u128(number))
}

pub(crate) fn entry(number: u128, tenant_number: u128, config: IssuerConfig) -> IssuerEntry {
    IssuerEntry {
        pending: Vec::new(),
        id: IssuerId(Uuid::from_u128(number)),
        binding: TenantBinding::Fixed(tenant(tenant_number)),
        config,
        secrets: Vec::new(),
    }
}

pub(crate) fn tenants() -> Vec<TenantEntry> {
    ["acme", "globex"]
        .iter()
        .zip(1..)
        .map(|(slug, number)| TenantEntry {
            id: tenant(number),
            slug: (*slug).to_owned(),
            active: true,
        })
        .collect()
}

/// An authenticator with a clock that stands still, allowed to reach this machine.
pub(crate) struct Bench {
    pub(crate) auth: Authenticator,
    pub(crate) clock: Clock,
    tracker: TaskTracker,
}

impl Bench {
    pub(crate) fn new(settings: JwksSettings) -> Self {
        let clock = Clock::manual(now());
        let tracker = TaskTracker::new();
        let policy = OutboundPolicy {
            allow: vec!["127.0.0.1/32".parse().unwrap()],
            ..OutboundPolicy::default()
        };
        let runtime = tokio::runtime::Handle::current();
        let auth = Authenticator::new(
            policy,
            settings,
            IntrospectionSettings::default(),
            clock.clone(),
            tracker.clone(),
            runtime,
            persona_gateway::telemetry::metrics::Metrics::new(),
        );
        Self {
            auth: auth.unwrap(),
            clock,
            tracker,
        }
    }

    /// One issuer of tenant 1.
    pub(crate) fn with(settings: JwksSettings, config: IssuerConfig) -> Self {
        let bench = Self::new(settings);
        let directory = Directory {
            issuers: vec![entry(1, 1, config)],
            tenants: tenants(),
            ..Directory::default()
        };
        assert_eq!(bench.auth.replace_directory(directory), []);
        bench
    }

    pub(crate) fn advance(&self, seconds: i64) {
        self.clock.advance(chrono::TimeDelta::seconds(seconds));
    }

    /// Waits until no fetch is under way.
    pub(crate) async fn settled(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Seconds since the start of the test.
    pub(crate) fn at(&self) -> i64 {
        self.clock.now().timestamp() - NOW
    }

    /// A good token at this moment, not at the start.
    pub(crate) fn fresh_token(&self, signer: &Signer, kid: &str) -> String {
        let mut claims = claims();
        claims["iat"] = json!(NOW + self.at());
        claims["exp"] = json!(NOW + self.at() + 600);
        signer.token(signer.header(kid), claims)
    }
}

/// What the server answers.
#[derive(Clone)]
pub(crate) enum Answer {
    /// 200 with this JSON and these further header lines.
    Json(String, &'static str),
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// Nothing until told, then the JSON.
    Held(Arc<Notify>, String),
}

/// An HTTP server on 127.0.0.1 that counts what it is asked.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    hits: Arc<AtomicUsize>,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            hits: Arc::default(),
            answers: Arc::default(),
        };
        let (hits, answers) = (Arc::clone(&server.hits), Arc::clone(&server.answers));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (hits, answers) = (Arc::clone(&hits), Arc::clone(&answers));
                tokio::spawn(async move {
                    let Some(request) = read_head(&mut stream).await else {
                        return;
                    };
                    hits.fetch_add(1, Ordering::SeqCst);
                    let path = request.split(' ').nth(1).unwrap().to_owned();
                    let answer = answers.lock().unwrap().get(&path).cloned();
                    let bytes = match answer {
                        None => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec(),
                        Some(Answer::Json(body, headers)) => response(&body, headers),
                        Some(Answer::Raw(bytes)) => bytes,
                        Some(Answer::Held(release, body)) => {
                            release.notified().await;
                            response(&body, "")
                        }
                    };
                    // The client hangs up early on answers that are too long.
                    let _sent = stream.write_all(&bytes).await;
                });
            }
        });
        server
    }

    /// A server whose `/keys` answers these keys.
    pub(crate) async fn with_keys(keys: &[Value]) -> Self {
        let server = Self::start().await;
        server.keys(keys);
        server
    }

    pub(crate) fn keys(&self, keys: &[Value]) {
        self.answer("/keys", Answer::Json(json!({"keys": keys}).to_string(), ""));
    }

    pub(crate) fn answer(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The issuer of these tests with its keys at this server.
    pub(crate) fn config(&self) -> IssuerConfig {
        let keys = json!({"jwksUrl": self.url("/keys")});
        config(&json!({"issuer": ISSUER, "audiences": ["app"], "keys": keys}))
    }
}

pub(crate) fn response(body: &str, headers: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

/// A request's or an answer's head; `None` where the other side left before its end.
pub(crate) async fn read_head(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// A request's head and its body.
pub(crate) async fn read_request(
    stream: &mut (impl AsyncReadExt + Unpin),
) -> Option<(String, String)> {
    let head = read_head(stream).await?;
    let length = head.lines().find_map(|line| {
        let line = line.to_ascii_lowercase();
        line.strip_prefix("content-length: ")?.parse().ok()
    });
    let mut body = vec![0; length.unwrap_or_default()];
    stream.read_exact(&mut body).await.unwrap();
    Some((head, String::from_utf8(body).unwrap()))
}
