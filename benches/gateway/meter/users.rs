//! Who asks: users with preferences, their tokens, and what their pages send.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use persona_gateway::clock::Clock;
use persona_gateway::dev::issuer::{
    Audience, DevIssuer, DevIssuerHandle, DevIssuerKeys, TokenRequest,
};
use serde_json::{Map, Value, json};

use super::bundle::{self, AUDIENCE, AVATARS, LANGUAGES, LLMS, SITUATIONS, TENANTS, VOICES};
use super::load::Requests;

/// Different tokens that are sent in turn: whoever kept what it has verified would win here, and nowhere else.
const TOKENS: u32 = 3_000;
/// How long they live, in seconds: longer than a benchmark takes.
const LIFE: i64 = 12 * 3600;

/// The issuers of the tenants' tokens.
pub(super) struct Issuers(Vec<DevIssuerHandle>);

impl Issuers {
    /// Starts one for each tenant.
    pub(super) fn start() -> anyhow::Result<Self> {
        let start = |_| {
            let keys = DevIssuerKeys::generate()?;
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            anyhow::Ok(DevIssuer::start(any, AUDIENCE, keys, Clock::system())?)
        };
        Ok(Self(TENANTS.iter().map(start).collect::<Result<_, _>>()?))
    }

    /// Each tenant with its issuer's URL.
    pub(super) fn urls(&self) -> impl Iterator<Item = (&'static str, &str)> {
        TENANTS
            .into_iter()
            .zip(self.0.iter().map(DevIssuerHandle::url))
    }

    /// Tokens of as many users as there are, tenant by tenant in turn.
    pub(super) fn tokens(&self, users: u32) -> anyhow::Result<Vec<String>> {
        let sign = |number: u32| {
            let (round, tenant) = (number / 3, number % 3);
            let issuer = self
                .0
                .get(usize::try_from(tenant)?)
                .context("a tenant without issuer")?;
            // Users of all ages, in no order.
            let user = round.wrapping_mul(7919) % users;
            let claims = json!({ "name": format!("User {user}"), "plan": "pro", "scope": "openid profile talk", "sid": number });
            let claims = claims.as_object().cloned().unwrap_or_default();
            let mut asked = TokenRequest::new(subject(user), claims);
            asked.expires_in = LIFE;
            Ok(issuer.sign(&asked)?)
        };
        (0..TOKENS.min(3 * users)).map(sign).collect()
    }

    /// A token of a user for one audience, from the first tenant's issuer.
    pub(super) fn token_for(&self, audience: &str) -> anyhow::Result<String> {
        let issuer = self.0.first().context("no issuer")?;
        let mut asked = TokenRequest::new(subject(0), Map::new());
        asked.expires_in = LIFE;
        asked.aud = Some(Audience::One(audience.to_owned()));
        Ok(issuer.sign(&asked)?)
    }
}

/// What all users' pages send, once a token.
pub(super) fn requests(path: &str, tokens: &[String]) -> Arc<Requests> {
    let numbered = tokens.iter().zip(0_usize..);
    let ready = numbered.map(|(token, number)| {
        // Tenants change from token to token; contexts each time that all tenants had one.
        let situation = SITUATIONS.get(number / TENANTS.len() % SITUATIONS.len());
        let body = json!({
            "context": situation.map_or("support", |situation| situation.key),
            "metadata": { "product": format!("Widget {}", number % 50), "orderId": format!("A-{number}") },
        });
        sending("POST", path, token, &body)
    });
    Requests::new(ready.collect())
}

/// One request with a body, as it goes over the wire.
pub(super) fn request(method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(super) fn sending(method: &str, path: &str, token: &str, body: &Value) -> Vec<u8> {
    request(method, path, token, &body.to_string())
}

/// One request without a body, as it goes over the wire.
pub(super) fn asking(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

pub(super) fn subject(user: u32) -> String {
    format!("user-{user:05}")
}

/// What a user chose; one in three left the LLM to the persona.
pub(super) fn preferences(user: u32) -> Map<String, Value> {
    let language = usize::try_from(user)
        .ok()
        .and_then(|user| LANGUAGES.get(user % LANGUAGES.len()));
    let mut chosen = Map::new();
    chosen.insert("displayName".to_owned(), format!("Robin {user}").into());
    chosen.insert(
        "avatarId".to_owned(),
        bundle::id("avatar", user % AVATARS).into(),
    );
    chosen.insert(
        "voiceId".to_owned(),
        bundle::id("voice", user % VOICES).into(),
    );
    chosen.insert("languageCode".to_owned(), language.copied().into());
    if !user.is_multiple_of(3) {
        chosen.insert("llmId".to_owned(), bundle::id("llm", user % LLMS).into());
    }
    chosen
}
