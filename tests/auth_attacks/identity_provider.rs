//! An identity provider that says whatever a test wants.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{Algorithm, digest};
use persona_gateway::auth::{SingleSignOn, SsoAttempt, SsoClient, SsoError, SsoIdentity};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::kit::{Bench, EC, ED, NOW, RSA, Signer, b64, read_request};

pub(crate) const CLIENT_ID: &str = "persona:gateway";
pub(crate) const CLIENT_SECRET: &str = "a secret";
pub(crate) const ACCESS_TOKEN: &str = "an-access-token";
pub(crate) const CALLBACK: &str = "https://gateway.example/v1/admin/sso/demo/callback";

/// A provider on 127.0.0.1, whose issuer identifier is its address.
pub(crate) struct IdentityProvider {
    pub(crate) issuer: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    /// By path: status, content type, body.
    answers: HashMap<String, (u16, &'static str, String)>,
    /// Head and body of each request.
    requests: Vec<(String, String)>,
}

impl IdentityProvider {
    /// With the keys `rsa`, `ec` and `ed`; `rsa` names no algorithm.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let provider = Self {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            shared: Arc::default(),
        };
        let shared = Arc::clone(&provider.shared);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let Some((head, body)) = read_request(&mut stream).await else {
                        return;
                    };
                    let path = head.split(' ').nth(1).unwrap().to_owned();
                    let answer = {
                        let mut shared = shared.lock().unwrap();
                        shared.requests.push((head, body));
                        shared.answers.get(&path).cloned()
                    };
                    let (status, kind, body) = answer.unwrap_or((404, "text/plain", String::new()));
                    let length = body.len();
                    let answer = format!(
                        "HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n{body}"
                    );
                    // The client hangs up early on answers that are too long.
                    let _sent = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        provider.describe(&provider.description());
        let mut rsa = RSA.jwk("rsa");
        rsa.as_object_mut().unwrap().remove("alg");
        provider.keys(&[rsa, EC.jwk("ec"), ED.jwk("ed")]);
        provider
    }

    pub(crate) fn description(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer, "jwks_uri": at("/keys"), "authorization_endpoint": at("/authorize?tenant=a"),
            "token_endpoint": at("/token"), "userinfo_endpoint": at("/userinfo"),
        })
    }

    pub(crate) fn describe(&self, description: &Value) {
        self.answer("/.well-known/openid-configuration", 200, description);
    }

    pub(crate) fn keys(&self, keys: &[Value]) {
        self.answer("/keys", 200, &json!({ "keys": keys }));
    }

    pub(crate) fn answer(&self, path: &str, status: u16, body: &Value) {
        self.answer_text(path, status, "application/json", &body.to_string());
    }

    pub(crate) fn answer_text(&self, path: &str, status: u16, kind: &'static str, body: &str) {
        let mut shared = self.shared.lock().unwrap();
        let answer = (status, kind, body.to_owned());
        shared.answers.insert(path.to_owned(), answer);
    }

    /// The last request.
    pub(crate) fn last_request(&self) -> (String, String) {
        self.shared.lock().unwrap().requests.last().unwrap().clone()
    }

    /// How often a path was asked for.
    pub(crate) fn requests_to(&self, path: &str) -> usize {
        let shared = self.shared.lock().unwrap();
        let is_to = |head: &str| head.split(' ').nth(1) == Some(path);
        shared
            .requests
            .iter()
            .filter(|(head, _)| is_to(head))
            .count()
    }
}

/// A sign-in that came back from the provider with a code.
pub(crate) struct SignIn {
    pub(crate) provider: IdentityProvider,
    pub(crate) bench: Bench,
    pub(crate) sso: SingleSignOn,
    pub(crate) client: SsoClient,
    pub(crate) attempt: SsoAttempt,
}

impl SignIn {
    pub(crate) async fn new() -> Self {
        let provider = IdentityProvider::start().await;
        let bench = Bench::new(persona_gateway::auth::JwksSettings::default());
        Self {
            sso: bench.auth.single_sign_on(),
            client: SsoClient {
                issuer: provider.issuer.clone(),
                client_id: CLIENT_ID.to_owned(),
                client_secret: Some(SecretString::from(CLIENT_SECRET)),
            },
            attempt: SsoAttempt::random().unwrap(),
            provider,
            bench,
        }
    }

    /// The claims of a good ID token.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": self.provider.issuer, "aud": CLIENT_ID, "sub": "id-of-ann", "iat": NOW, "exp": NOW + 600,
            "nonce": self.attempt.nonce.expose_secret(), "email": "ann@example.com", "email_verified": true, "name": "Ann Lee",
        })
    }

    pub(crate) fn claims_with(&self, name: &str, value: Value) -> Value {
        let mut claims = self.claims();
        claims[name] = value;
        claims
    }

    pub(crate) fn claims_without(&self, name: &str) -> Value {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(name);
        claims
    }

    /// Signed with a key of the provider.
    pub(crate) fn signed(claims: &Value) -> String {
        EC.token(EC.header("ec"), claims)
    }

    /// What becomes of a code for which the token endpoint gives this ID token.
    pub(crate) async fn with(&self, id_token: &str) -> Result<SsoIdentity, SsoError> {
        let tokens =
            json!({ "access_token": ACCESS_TOKEN, "token_type": "Bearer", "id_token": id_token });
        self.provider.answer("/token", 200, &tokens);
        self.finish().await
    }

    pub(crate) async fn finish(&self) -> Result<SsoIdentity, SsoError> {
        self.sso
            .finish(&self.client, CALLBACK, "a code", &self.attempt)
            .await
    }
}

/// OIDC Core, 3.1.3.6.
pub(crate) fn at_hash(hash: &'static Algorithm) -> String {
    let whole = digest(hash, ACCESS_TOKEN.as_bytes());
    b64(&whole.as_ref()[..whole.as_ref().len() / 2])
}

/// A token that this key signs by this algorithm.
pub(crate) fn signed_by(signer: &Signer, kid: &str, alg: &str, claims: &Value) -> String {
    signer.token_by(alg, json!({ "kid": kid }), claims)
}
