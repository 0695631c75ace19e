//! Who says whether an opaque token is good (RFC 7662).

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::address::fetchable;
use crate::domain::fault::Fault;
use crate::domain::members::{Members, number};
use crate::domain::wrong::{Words, Wrong};

/// How the gateway says who it is at the endpoint (RFC 6749, 2.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// Id and secret in the `Authorization` header.
    #[default]
    ClientSecretBasic,
    /// Id and secret in the body.
    ClientSecretPost,
}

impl ClientAuthentication {
    pub const ALL: [Self; 2] = [Self::ClientSecretBasic, Self::ClientSecretPost];

    /// Its registered name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        }
    }
}

/// `{"introspection": {...}}`: the issuer's tokens are opaque, and its endpoint judges them. The client's secret is sealed apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Introspection {
    endpoint: Url,
    client_id: String,
    authentication: ClientAuthentication,
    cache_seconds: u32,
}

impl Introspection {
    /// How long a token is believed without asking again, where the configuration says nothing.
    pub const DEFAULT_CACHE_SECONDS: u32 = 60;
    /// Longest time that a token is believed without asking again; 0 asks each time.
    pub const MAX_CACHE_SECONDS: u32 = 300;
    /// Longest client id, in characters.
    pub const MAX_CLIENT_ID_CHARS: usize = 256;

    /// Reads the JSON form.
    pub(super) fn parse(json: Value) -> Result<Self, Vec<Fault>> {
        let Value::Object(members) = json else {
            return Err(vec![Fault::new("", Wrong::Object)]);
        };
        let mut members = Members::new(members);
        let endpoint = members.required("endpoint", |value| match value {
            Value::String(text) => fetchable(&text),
            _ => Err(Wrong::NoUrl.worded("must be a URL")),
        });
        let client_id = members.required("clientId", client_id);
        let authentication = members.optional("authentication", authentication);
        let most = Self::MAX_CACHE_SECONDS;
        let cache_seconds = members.optional("cacheSeconds", number(0, most.into()));
        members.finish()?;
        let read = endpoint.zip(client_id).map(|(endpoint, client_id)| Self {
            endpoint,
            client_id,
            authentication: authentication.unwrap_or_default(),
            cache_seconds: cache_seconds
                .and_then(|seconds| seconds.try_into().ok())
                .unwrap_or(Self::DEFAULT_CACHE_SECONDS),
        });
        // What is missing was a fault.
        read.ok_or_else(Vec::new)
    }

    /// The introspection endpoint's URL.
    pub fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// What the issuer calls the gateway.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// How the gateway says who it is.
    pub fn authentication(&self) -> ClientAuthentication {
        self.authentication
    }

    /// How long a token is believed without asking again, at most: a token that was revoked is taken for as long.
    pub fn cache_seconds(&self) -> u32 {
        self.cache_seconds
    }
}

/// RFC 6749, appendix A.1.
fn client_id(value: Value) -> Result<String, Wrong> {
    let most = Introspection::MAX_CLIENT_ID_CHARS;
    let fits = |id: &String| {
        (1..=most).contains(&id.len()) && id.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    match value {
        Value::String(id) if fits(&id) => Ok(id),
        _ => Err(Wrong::Ascii { most }),
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "readers of members all have this shape"
)]
fn authentication(value: Value) -> Result<ClientAuthentication, Words> {
    let mut all = ClientAuthentication::ALL.into_iter();
    let named = all.find(|known| value.as_str() == Some(known.as_str()));
    named.ok_or_else(|| {
        let all = ClientAuthentication::ALL.map(ClientAuthentication::as_str);
        Wrong::one_of(&all).worded(format!("must be {}", all.join(" or ")))
    })
}
