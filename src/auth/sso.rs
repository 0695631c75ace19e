//! Single sign-on of people who administer: `OpenID` Connect's code flow with PKCE, `state` and `nonce`, against a provider
//! that a tenant's owner typed in. Every request to it goes through the outbound guard.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken, CoreIdTokenClaims,
    CoreIdTokenVerifier, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreUserInfoClaims,
};
use openidconnect::http::Response;
use openidconnect::{
    AccessTokenHash, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, DiscoveryError, HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    SignatureVerificationError, TokenResponse, UserInfoError,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::outbound::{Outbound, OutboundError, OutboundPolicy, OutboundSetupError};
use crate::clock::Clock;

/// Signatures that an ID token may carry. None that the client's secret could make: whoever configures the provider knows
/// that one.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// How long what a provider says of itself is believed.
const FRESH: TimeDelta = TimeDelta::minutes(10);
/// How long a provider that could not be asked is left alone.
const COOL_DOWN: TimeDelta = TimeDelta::seconds(10);
/// How soon a provider is asked again for a key that it did not name before.
const NEW_KEY: TimeDelta = TimeDelta::seconds(30);
/// Most providers that are remembered.
const MOST: usize = 256;

/// A provider and what it knows the gateway as.
#[derive(Debug, Clone)]
pub struct SsoProvider {
    /// Its issuer identifier, character for character.
    pub issuer: String,
    /// The client that is registered there.
    pub client_id: String,
    /// None for a public client.
    pub client_secret: Option<SecretString>,
}

/// A browser is to be sent to the provider.
#[derive(Debug)]
pub struct SsoBegun {
    /// Where to.
    pub url: Url,
    /// To be kept until it comes back.
    pub pkce_verifier: SecretString,
}

/// What a provider says of somebody who signed in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoIdentity {
    /// The provider's own name of the person.
    pub subject: String,
    /// Their address, as the provider writes it.
    pub email: Option<String>,
    /// Whether the provider has made sure that the address is theirs.
    pub email_verified: bool,
    /// What they are called.
    pub name: Option<String>,
}

/// Why a provider helped nobody in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SsoError {
    /// It can't be asked.
    #[error("the identity provider can't be asked: {0}")]
    Unreachable(OutboundError),
    /// What it says of itself is not what was configured, or makes no sense.
    #[error("the identity provider's configuration is not usable: {0}")]
    Misconfigured(String),
    /// It does not take the code, or its answer does not hold.
    #[error("{0}")]
    Refused(&'static str),
}

/// Asks tenants' identity providers, and remembers what they say of themselves.
#[derive(Debug)]
pub struct SingleSignOn {
    outbound: Outbound,
    clock: Clock,
    known: Mutex<HashMap<String, Arc<Provider>>>,
}

/// One provider. Whoever asks it holds the lock, and all others wait for that one's answer.
#[derive(Debug, Default)]
struct Provider(tokio::sync::Mutex<Option<Told>>);

/// What a provider said of itself, or why it did not.
#[derive(Debug, Clone)]
struct Told {
    at: DateTime<Utc>,
    said: Result<Arc<CoreProviderMetadata>, SsoError>,
}

impl Told {
    fn holds(&self, now: DateTime<Utc>) -> bool {
        let age = now - self.at;
        age < if self.said.is_ok() { FRESH } else { COOL_DOWN }
    }
}

impl SingleSignOn {
    /// Nothing is asked before it is needed.
    pub fn new(policy: OutboundPolicy, clock: Clock) -> Result<Self, OutboundSetupError> {
        Ok(Self {
            outbound: Outbound::new(policy)?,
            clock,
            known: Mutex::default(),
        })
    }

    /// Whether there is a usable provider with this issuer identifier; it is asked now.
    pub async fn check(&self, issuer: &str) -> Result<(), SsoError> {
        self.ask(issuer, |_| false).await.map(|_| ())
    }

    /// Where to send a browser that shall come back to `redirect_uri` with `state`.
    pub async fn begin(
        &self,
        provider: &SsoProvider,
        redirect_uri: &str,
        state: String,
        nonce: String,
    ) -> Result<SsoBegun, SsoError> {
        let now = self.clock.now();
        let metadata = self.ask(&provider.issuer, |told| told.holds(now)).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client = CoreClient::from_provider_metadata(
            CoreProviderMetadata::clone(&metadata),
            ClientId::new(provider.client_id.clone()),
            None,
        )
        .set_redirect_uri(redirect(redirect_uri)?);
        let (url, _, _) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                move || CsrfToken::new(state),
                move || Nonce::new(nonce),
            )
            .add_scope(Scope::new("email".into()))
            .add_scope(Scope::new("profile".into()))
            .set_pkce_challenge(challenge)
            .url();
        Ok(SsoBegun {
            url,
            pkce_verifier: SecretString::from(verifier.into_secret()),
        })
    }

    /// Whom the provider vouches for with this code.
    pub async fn finish(
        &self,
        provider: &SsoProvider,
        redirect_uri: &str,
        code: String,
        nonce: &str,
        pkce_verifier: &SecretString,
    ) -> Result<SsoIdentity, SsoError> {
        let now = self.clock.now();
        let metadata = self.ask(&provider.issuer, |told| told.holds(now)).await?;
        let auth_type = auth_type(&metadata);
        let secret = provider
            .client_secret
            .as_ref()
            .map(|secret| ClientSecret::new(secret.expose_secret().to_owned()));
        let client = CoreClient::from_provider_metadata(
            CoreProviderMetadata::clone(&metadata),
            ClientId::new(provider.client_id.clone()),
            secret,
        )
        .set_auth_type(auth_type)
        .set_redirect_uri(redirect(redirect_uri)?);

        let http = |request: HttpRequest| self.send(request);
        let exchange = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_no_endpoint| misconfigured("it names no token endpoint"))?
            .set_pkce_verifier(PkceCodeVerifier::new(
                pkce_verifier.expose_secret().to_owned(),
            ));
        let tokens =
            Box::pin(exchange.request_async(&http))
                .await
                .map_err(|error| match error {
                    RequestTokenError::Request(error) => SsoError::Unreachable(error),
                    RequestTokenError::ServerResponse(_) => SsoError::Refused("code_refused"),
                    RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
                        SsoError::Refused("token_answer_unreadable")
                    }
                })?;

        let id_token: &CoreIdToken = tokens.id_token().ok_or(SsoError::Refused("no_id_token"))?;
        let nonce = Nonce::new(nonce.to_owned());
        let mut verifier = self.verifier(provider, &metadata);
        let mut judged = id_token.claims(&verifier, &nonce);
        if let Err(ClaimsVerificationError::SignatureVerification(
            SignatureVerificationError::NoMatchingKey,
        )) = judged
        {
            // The provider may have begun to sign with another key since it was asked.
            let recent = |told: &Told| told.holds(now) && now - told.at < NEW_KEY;
            let metadata = self.ask(&provider.issuer, recent).await?;
            verifier = self.verifier(provider, &metadata);
            judged = id_token.claims(&verifier, &nonce);
        }
        let claims: &CoreIdTokenClaims = judged.map_err(|error| {
            tracing::info!(%error, "an ID token was refused");
            SsoError::Refused("id_token_refused")
        })?;
        if let Some(expected) = claims.access_token_hash() {
            let made = id_token.signing_alg().ok().and_then(|alg| {
                let key = id_token.signing_key(&verifier).ok()?;
                AccessTokenHash::from_token(tokens.access_token(), alg, key).ok()
            });
            if made.as_ref() != Some(expected) {
                return Err(SsoError::Refused("access_token_swapped"));
            }
        }
        let said = SsoIdentity {
            subject: claims.subject().to_string(),
            email: claims.email().map(|email| email.to_string()),
            email_verified: claims.email_verified() == Some(true),
            name: claims
                .name()
                .and_then(|names| names.get(None))
                .map(|name| name.to_string()),
        };
        if said.email.is_some() {
            return Ok(said);
        }
        // Many providers put claims of scopes at the userinfo endpoint only. Its answer must be about the same person.
        let asked = client
            .user_info(
                tokens.access_token().clone(),
                Some(claims.subject().clone()),
            )
            .map_err(|_no_endpoint| SsoError::Refused("no_email"))?;
        let info: CoreUserInfoClaims =
            Box::pin(asked.request_async(&http))
                .await
                .map_err(|error| match error {
                    UserInfoError::Request(error) => SsoError::Unreachable(error),
                    _ => SsoError::Refused("userinfo_refused"),
                })?;
        Ok(SsoIdentity {
            email: info.email().map(|email| email.to_string()),
            email_verified: info.email_verified() == Some(true),
            name: info
                .name()
                .and_then(|names| names.get(None))
                .map(|name| name.to_string())
                .or(said.name),
            subject: said.subject,
        })
    }

    /// Judges the ID tokens of a provider that said this of itself.
    fn verifier(
        &self,
        provider: &SsoProvider,
        metadata: &CoreProviderMetadata,
    ) -> CoreIdTokenVerifier<'static> {
        let clock = self.clock.clone();
        CoreIdTokenVerifier::new_public_client(
            ClientId::new(provider.client_id.clone()),
            metadata.issuer().clone(),
            metadata.jwks().clone(),
        )
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || clock.now())
    }

    /// What a provider says of itself: what it said before where that is good `enough`, else it is asked, once for however
    /// many wait.
    async fn ask(
        &self,
        issuer: &str,
        enough: impl Fn(&Told) -> bool,
    ) -> Result<Arc<CoreProviderMetadata>, SsoError> {
        let provider = self.provider(issuer);
        let mut told = provider.0.lock().await;
        if let Some(told) = told.as_ref().filter(|told| enough(told)) {
            return told.said.clone();
        }
        let said = Box::pin(self.discover(issuer)).await.and_then(|metadata| {
            self.check_endpoints(&metadata)?;
            Ok(Arc::new(metadata))
        });
        *told = Some(Told {
            at: self.clock.now(),
            said: said.clone(),
        });
        said
    }

    fn provider(&self, issuer: &str) -> Arc<Provider> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(provider) = known.get(issuer) {
            return Arc::clone(provider);
        }
        if known.len() >= MOST {
            // Those that nobody is asking for; what they say is fetched again.
            known.retain(|_, provider| Arc::strong_count(provider) > 1);
        }
        let provider = known.entry(issuer.to_owned()).or_default();
        Arc::clone(provider)
    }

    /// The provider's own description and keys. The crate compares its `issuer` with ours, character for character.
    async fn discover(&self, issuer: &str) -> Result<CoreProviderMetadata, SsoError> {
        let issuer = IssuerUrl::new(issuer.to_owned())
            .map_err(|_not_a_url| misconfigured("the issuer is not a URL"))?;
        let http = |request: HttpRequest| self.send(request);
        CoreProviderMetadata::discover_async(issuer, &http)
            .await
            .map_err(|error| match error {
                DiscoveryError::Request(error) => SsoError::Unreachable(error),
                DiscoveryError::Response(status, ..) => {
                    SsoError::Unreachable(OutboundError::Status(status.as_u16()))
                }
                DiscoveryError::Validation(_) => {
                    misconfigured("the provider there calls itself by another issuer")
                }
                DiscoveryError::Parse(error) => SsoError::Misconfigured(format!(
                    "its description can't be read at {}",
                    error.path()
                )),
                _ => misconfigured("its description can't be read"),
            })
    }

    /// A description may point anywhere; the browser and the gateway go only where the guard lets them.
    fn check_endpoints(&self, metadata: &CoreProviderMetadata) -> Result<(), SsoError> {
        let token = metadata
            .token_endpoint()
            .ok_or_else(|| misconfigured("it names no token endpoint"))?;
        for url in [metadata.authorization_endpoint().url(), token.url()] {
            self.outbound.check(url).map_err(SsoError::Unreachable)?;
        }
        Ok(())
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, OutboundError> {
        let request = reqwest::Request::try_from(request)
            .map_err(|_bad_address| OutboundError::NotAllowed)?;
        let answer = self.outbound.execute(request).await?;
        let mut response = Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

fn misconfigured(what: &str) -> SsoError {
    SsoError::Misconfigured(what.to_owned())
}

fn redirect(uri: &str) -> Result<RedirectUrl, SsoError> {
    RedirectUrl::new(uri.to_owned())
        .map_err(|_not_a_url| misconfigured("the gateway's own address is not a URL"))
}

/// The client's secret goes into the header, unless the provider takes it in the body only.
fn auth_type(metadata: &CoreProviderMetadata) -> AuthType {
    let in_body_only = metadata
        .token_endpoint_auth_methods_supported()
        .is_some_and(|methods| {
            methods.contains(&CoreClientAuthMethod::ClientSecretPost)
                && !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
        });
    if in_body_only {
        AuthType::RequestBody
    } else {
        AuthType::BasicAuth
    }
}
