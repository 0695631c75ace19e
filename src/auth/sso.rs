//! Single sign-on of people who administer: `OpenID` Connect's code flow with PKCE, `state` and `nonce`, against a provider
//! that a tenant's owner typed in. Every request to it goes through the outbound guard, and its ID tokens are judged by the
//! verifier and the key manager that users' tokens are judged by.

mod flow;
mod id_token;
mod provider;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value};
use url::Url;

use super::fetch_error::FetchError;
use super::fetcher::Fetcher;
use super::jwks::{RemoteKeys, RemoteSource, SecondLook};
use super::keys::KeySet;
use super::outbound::OutboundError;
use super::refusal::Refusal;
use super::verify::peek;
use crate::crypto::token::{NoRandomness, random_token};

use flow::Userinfo;
use id_token::{Expected, IdTokenRefusal};
use provider::Endpoints;

/// How long a provider's discovery document is cached.
const FRESH: TimeDelta = TimeDelta::minutes(10);
/// How long no request goes to a provider that failed.
const COOL_DOWN: TimeDelta = TimeDelta::seconds(10);
/// Most providers that are remembered.
const MOST: usize = 256;

/// A provider and what it knows the gateway as.
#[derive(Debug, Clone)]
pub struct SsoClient {
    /// Its issuer identifier, character for character.
    pub issuer: String,
    /// The client that is registered there.
    pub client_id: String,
    /// None for a public client.
    pub client_secret: Option<SecretString>,
}

/// The secrets of one sign-in attempt, random for each, so that no part of one fits another.
#[derive(Debug, Clone)]
pub struct SsoAttempt {
    /// The provider hands it back to the browser.
    pub state: SecretString,
    /// The ID token must repeat it.
    pub nonce: SecretString,
    /// Whoever exchanges the code must know it (RFC 7636).
    pub pkce_verifier: SecretString,
    /// Since when the person must have signed in at the provider, where being signed in there is not enough.
    pub signed_in_since: Option<DateTime<Utc>>,
}

impl SsoAttempt {
    /// A new one: 256 random bits for each.
    pub fn random() -> Result<Self, NoRandomness> {
        Ok(Self {
            state: random_token("")?,
            nonce: random_token("")?,
            pkce_verifier: random_token("")?,
            signed_in_since: None,
        })
    }
}

/// A provider's claims about a person who signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoIdentity {
    /// The provider's own name of the person.
    pub subject: String,
    /// Their address, as the provider writes it.
    pub email: Option<String>,
    pub email_proof: EmailProof,
    pub name: Option<String>,
}

/// Whether a provider has made sure that an address belongs to who has it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmailProof {
    Verified,
    /// It says that it has not.
    Denied,
    Unsaid,
}

impl EmailProof {
    /// `email_verified` (OIDC Core, 5.1), a text where some providers write one. Entra never sends it, but may say in `xms_edov` whether the directory owns
    /// the address's domain: a flag by its documentation, and taken as 1 and as a text, too
    /// (<https://learn.microsoft.com/en-us/entra/identity-platform/migrate-off-email-claim-authorization>).
    fn from_claims(claims: &Map<String, Value>) -> Self {
        let is_true = |value: &Value| *value == true || *value == "true";
        let is_one = |value: &Value| *value == 1 || *value == "1";
        let verified = claims.get("email_verified").map(is_true);
        let owned = || {
            claims
                .get("xms_edov")
                .map(|value| is_true(value) || is_one(value))
        };
        match verified.or_else(owned) {
            Some(true) => Self::Verified,
            Some(false) => Self::Denied,
            None => Self::Unsaid,
        }
    }
}

impl SsoIdentity {
    /// Out of an ID token's claims, or the userinfo endpoint's (OIDC Core, 5.1).
    fn from_claims(subject: String, claims: &Map<String, Value>) -> Self {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            subject,
            email: text("email"),
            email_proof: EmailProof::from_claims(claims),
            name: text("name"),
        }
    }
}

/// Why a provider helped nobody in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SsoError {
    /// The provider could not be reached.
    #[error("no request to the identity provider succeeded: {0}")]
    Unreachable(#[from] OutboundError),
    /// Its discovery document contradicts the configuration, or is invalid.
    #[error("the identity provider's configuration is not usable: {0}")]
    Misconfigured(String),
    /// It does not take the code, or its answer does not hold.
    #[error("{0}")]
    Refused(&'static str),
}

impl From<FetchError> for SsoError {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Outbound(error)
            | FetchError::Discovery { error, .. }
            | FetchError::Discovered { error, .. } => Self::Unreachable(error),
            error => Self::Misconfigured(error.to_string()),
        }
    }
}

impl From<IdTokenRefusal> for SsoError {
    fn from(refusal: IdTokenRefusal) -> Self {
        tracing::info!(%refusal, "an ID token was refused");
        Self::Refused(match refusal {
            IdTokenRefusal::AccessToken => "access_token_swapped",
            IdTokenRefusal::NotSignedInAgain => "sso_not_again",
            _ => "id_token_refused",
        })
    }
}

/// Calls tenants' identity providers, and caches their discovery documents.
pub struct SingleSignOn {
    fetcher: Arc<Fetcher>,
    providers: Mutex<HashMap<String, Arc<Slot>>>,
}

impl fmt::Debug for SingleSignOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SingleSignOn").finish_non_exhaustive()
    }
}

/// One provider's place. Whoever asks it holds the lock, and all others wait for that one's answer.
type Slot = tokio::sync::Mutex<Remembered>;

#[derive(Debug, Default)]
struct Remembered {
    answer: Option<Answer>,
    /// Its keys, and their address. They outlive an answer, so that neither a change of the clock nor an outage of the provider fetches them again.
    keys: Option<(Url, Arc<RemoteKeys>)>,
}

/// A provider's discovery document, or why there is none.
#[derive(Debug, Clone)]
struct Answer {
    at: DateTime<Utc>,
    provider: Result<Provider, SsoError>,
}

impl Answer {
    fn is_recent(&self, now: DateTime<Utc>) -> bool {
        let age = now - self.at;
        age < if self.provider.is_ok() {
            FRESH
        } else {
            COOL_DOWN
        }
    }
}

/// A provider that can be used.
#[derive(Debug, Clone)]
struct Provider {
    endpoints: Arc<Endpoints>,
    keys: Arc<RemoteKeys>,
}

impl SingleSignOn {
    /// Makes no request before one is needed.
    pub(super) fn new(fetcher: Arc<Fetcher>) -> Self {
        Self {
            fetcher,
            providers: Mutex::default(),
        }
    }

    /// Whether there is a usable provider with this issuer identifier, with its keys; requests go to it now.
    pub async fn check(&self, issuer: &str) -> Result<(), SsoError> {
        let provider = self.provider(issuer, |_| false).await?;
        Ok(provider.keys.fetch_now().await?)
    }

    /// Where to send a browser that shall come back to `redirect_uri`.
    pub async fn begin(
        &self,
        client: &SsoClient,
        redirect_uri: &str,
        attempt: &SsoAttempt,
    ) -> Result<Url, SsoError> {
        let provider = self.recent(&client.issuer).await?;
        // They are there when the browser comes back.
        provider.keys.warm();
        let endpoint = &provider.endpoints.authorization;
        Ok(flow::authorization_url(
            endpoint,
            &client.client_id,
            redirect_uri,
            attempt,
        ))
    }

    /// Whom the provider vouches for with this code.
    pub async fn finish(
        &self,
        client: &SsoClient,
        redirect_uri: &str,
        code: &str,
        attempt: &SsoAttempt,
    ) -> Result<SsoIdentity, SsoError> {
        let provider = self.recent(&client.issuer).await?;
        let outbound = &self.fetcher.outbound;
        let exchange = flow::Exchange {
            endpoints: &provider.endpoints,
            client,
            redirect_uri,
            code,
            pkce_verifier: &attempt.pkce_verifier,
        };
        let tokens = exchange.send(outbound).await?;
        let expected = Expected {
            issuer: &client.issuer,
            client_id: &client.client_id,
            nonce: &attempt.nonce,
            signed_in_since: attempt.signed_in_since,
            access_token: &tokens.access_token,
        };
        let identity = self.judge(&provider, &expected, &tokens.id_token).await?;
        if identity.email.is_some() && identity.email_proof != EmailProof::Unsaid {
            return Ok(identity);
        }
        // Many providers put claims of scopes at the userinfo endpoint only. Its answer must be about the same person.
        let Some(endpoint) = provider.endpoints.userinfo.as_ref() else {
            return match identity.email {
                Some(_) => Ok(identity),
                None => Err(SsoError::Refused("no_email")),
            };
        };
        let claims = match flow::userinfo(outbound, endpoint, &tokens.access_token).await? {
            Userinfo::Plain(claims) => claims,
            Userinfo::Signed(token) => {
                let keys = self.keys(&provider).await?;
                let claims = id_token::signed_userinfo(&token, &expected, &keys);
                claims.map_err(|refusal| {
                    tracing::info!(%refusal, "a signed answer about a user was refused");
                    SsoError::Refused("userinfo_refused")
                })?
            }
        };
        if claims.get("sub").and_then(Value::as_str) != Some(&identity.subject) {
            return Err(SsoError::Refused("userinfo_refused"));
        }
        let info = SsoIdentity::from_claims(identity.subject.clone(), &claims);
        let about_email = if info.email.is_some() {
            &info
        } else {
            &identity
        };
        Ok(SsoIdentity {
            email: about_email.email.clone(),
            email_proof: about_email.email_proof,
            subject: identity.subject,
            name: info.name.or(identity.name),
        })
    }

    /// Judges an ID token, with another look at the provider's keys where they may be the reason why it is not good.
    async fn judge(
        &self,
        provider: &Provider,
        expected: &Expected<'_>,
        id_token: &str,
    ) -> Result<SsoIdentity, SsoError> {
        let token = peek(id_token).map_err(IdTokenRefusal::from)?;
        // A token that its own claims refuse is not worth a fetch.
        let subject = expected.check_claims(&token, self.fetcher.clock.now())?;
        let keys = self.keys(provider).await?;
        if let Err(refusal) = id_token::check_signature(&token, &keys) {
            let refused = IdTokenRefusal::from(refusal);
            if !refusal.may_lie_in_the_keys() {
                return Err(refused.into());
            }
            match provider.keys.second_look(&keys).await {
                Ok(SecondLook::Keys(keys)) => {
                    id_token::check_signature(&token, &keys).map_err(IdTokenRefusal::from)?;
                }
                // Behind a failed or slow fetch an unknown key may well exist.
                Err(_cooling_down) if refusal == Refusal::UnknownKey => {
                    return Err(unavailable(&provider.keys));
                }
                Ok(SecondLook::Unchanged) | Err(_) => return Err(refused.into()),
            }
        }
        Ok(SsoIdentity::from_claims(
            subject.as_str().to_owned(),
            token.claims(),
        ))
    }

    async fn keys(&self, provider: &Provider) -> Result<Arc<KeySet>, SsoError> {
        let keys = provider.keys.current().await;
        keys.map_err(|_cooling_down| unavailable(&provider.keys))
    }

    /// A provider's discovery document, cached or fetched.
    async fn recent(&self, issuer: &str) -> Result<Provider, SsoError> {
        let now = self.fetcher.clock.now();
        self.provider(issuer, |answer| answer.is_recent(now)).await
    }

    /// A provider's discovery document: the cached one where it is good `enough`, else it is fetched, once for however
    /// many wait.
    async fn provider(
        &self,
        issuer: &str,
        enough: impl Fn(&Answer) -> bool,
    ) -> Result<Provider, SsoError> {
        let slot = self.slot(issuer);
        let mut remembered = slot.lock().await;
        if let Some(answer) = remembered.answer.as_ref().filter(|answer| enough(answer)) {
            return answer.provider.clone();
        }
        let found = Endpoints::discover(issuer, &self.fetcher.outbound).await;
        let provider = found.map(|endpoints| {
            let kept = remembered.keys.take();
            let kept = kept.filter(|(address, _)| *address == endpoints.jwks);
            let (address, keys) = kept.unwrap_or_else(|| {
                let source = RemoteSource::at(endpoints.jwks.clone());
                let fetcher = Arc::clone(&self.fetcher);
                let keys = RemoteKeys::new(issuer.to_owned(), source, fetcher);
                (endpoints.jwks.clone(), keys)
            });
            remembered.keys = Some((address, Arc::clone(&keys)));
            Provider {
                endpoints: Arc::new(endpoints),
                keys,
            }
        });
        remembered.answer = Some(Answer {
            at: self.fetcher.clock.now(),
            provider: provider.clone(),
        });
        provider
    }

    fn slot(&self, issuer: &str) -> Arc<Slot> {
        let mut slots = self
            .providers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(issuer) {
            return Arc::clone(slot);
        }
        if slots.len() >= MOST {
            // Those that nobody is asking for; what they say is fetched again.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1);
        }
        let slot = slots.entry(issuer.to_owned()).or_default();
        Arc::clone(slot)
    }
}

/// Why a provider's keys can't be had.
fn unavailable(keys: &RemoteKeys) -> SsoError {
    match keys.last_error() {
        Some(error) => error.into(),
        None => OutboundError::NoAnswer.into(),
    }
}
