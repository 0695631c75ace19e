//! What a page does for its user.

use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::error::ClientError;
use super::transport::{Call, Client, Repeat};
use super::types::{Contexts, Minted};

/// A client with a user's JWT.
#[derive(Debug, Clone)]
pub struct User(Client);

impl User {
    /// A client for the user whose JWT this is.
    pub fn new(server: &str, jwt: impl Into<SecretString>) -> Result<Self, ClientError> {
        Client::new(server, jwt).map(Self)
    }

    /// Mints a token for Anam. Each is a session of its own, so a call of unknown outcome is not repeated.
    pub async fn mint(
        &self,
        context: Option<&str>,
        metadata: Map<String, Value>,
    ) -> Result<Minted, ClientError> {
        let mut body = Map::new();
        if let Some(context) = context {
            body.insert("context".into(), context.into());
        }
        if !metadata.is_empty() {
            body.insert("metadata".into(), json!(metadata));
        }
        let call = Call::post("v1/session-token", Repeat::Refused).body(&body);
        self.0.send(call).await?.read()
    }

    /// The contexts of the user's tenant.
    pub async fn contexts(&self) -> Result<Contexts, ClientError> {
        self.0.send(Call::get("v1/contexts")).await?.read()
    }

    /// The user's own choices.
    pub async fn preferences(&self) -> Result<Map<String, Value>, ClientError> {
        self.0.send(Call::get("v1/me/preferences")).await?.read()
    }
}
