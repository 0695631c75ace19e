//! Admins of a tenant, by API keys of each role.

use persona_gateway::crypto::token::{hash_token, random_token};
use persona_gateway::domain::ids::ApiKeyId;
use persona_gateway::domain::role::Role;
use persona_gateway::store::api_keys::StoredKey;
use reqwest::{Method, Response};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::TestApp;

impl TestApp {
    /// A new API key of the tenant `slug`.
    pub(crate) async fn admin_key(&self, slug: &str, role: Role) -> String {
        let tenant = self.tenant(slug).await;
        let key = random_token("pgk_").unwrap();
        let prefix: String = key.expose_secret().chars().take(12).collect();
        let mut tx = self.app.gateway.database.tenant(tenant).await.unwrap();
        let stored = StoredKey {
            id: ApiKeyId(self.clock.new_id()),
            name: "test".into(),
            role,
            prefix,
            created_by: None,
            created_by_person: None,
            created_at: self.clock.now(),
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            replaces: None,
        };
        tx.insert_api_key(&stored, &hash_token(&key)).await.unwrap();
        tx.audit(&self.event("api_key.create", "api_key/test"))
            .await
            .unwrap();
        tx.commit().await.unwrap();
        key.expose_secret().to_owned()
    }

    /// A request of an admin without a body.
    pub(crate) async fn ask(&self, method: Method, path: &str, key: &str) -> Response {
        self.request(method, path, key).send().await.unwrap()
    }

    /// A request of an admin with a JSON body.
    pub(crate) async fn tell(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Response {
        let request = self.request(method, path, key).json(body);
        request.send().await.unwrap()
    }

    /// The same, on top of the state with this `ETag`.
    pub(crate) async fn tell_if(
        &self,
        method: Method,
        path: &str,
        key: &str,
        etag: &str,
        body: &Value,
    ) -> Response {
        let request = self.request(method, path, key).header("if-match", etag);
        request.json(body).send().await.unwrap()
    }
}

/// The `ETag` and the body of an answer with this status.
pub(crate) async fn state(answer: Response, status: u16) -> (String, Value) {
    let etag = answer.headers().get("etag");
    let etag = etag.map(|tag| tag.to_str().unwrap().to_owned());
    (etag.unwrap_or_default(), body(answer, status).await)
}

/// The JSON body of an answer with this status.
pub(crate) async fn body(answer: Response, status: u16) -> Value {
    let got = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
}
