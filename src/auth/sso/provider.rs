//! An identity provider's discovery document.

use url::Url;

use super::SsoError;
use crate::auth::discovery::Discovery;
use crate::auth::outbound::Outbound;
use crate::domain::issuer::{ClientAuthentication, discovery_address};
use crate::domain::web_url;

/// A provider's endpoints.
#[derive(Debug)]
pub(super) struct Endpoints {
    /// Where browsers are sent.
    pub(super) authorization: Url,
    /// Exchanges codes for tokens.
    pub(super) token: Url,
    /// How the gateway says there who it is.
    pub(super) authentication: ClientAuthentication,
    /// Says more about a person, where there is one.
    pub(super) userinfo: Option<Url>,
    /// The keys of ID tokens.
    pub(super) jwks: Url,
}

impl Endpoints {
    /// Asks the provider.
    pub(super) async fn discover(issuer: &str, outbound: &Outbound) -> Result<Self, SsoError> {
        let address = discovery_address(issuer);
        let address = web_url::parse(&address)
            .map_err(|_not_a_url| misconfigured("the issuer is not a URL"))?;
        let found = outbound.get(&address).await?;
        let endpoints = Self::read(&Discovery::read(&found.body, issuer)?)?;
        // A description may point anywhere; the browser and the gateway go only where the guard lets them.
        for url in [&endpoints.authorization, &endpoints.token] {
            outbound.check(url)?;
        }
        Ok(endpoints)
    }

    fn read(document: &Discovery) -> Result<Self, SsoError> {
        let authorization = document.url("authorization_endpoint");
        let token = document.url("token_endpoint");
        let takes = |method| document.lists("token_endpoint_auth_methods_supported", method);
        // The client's secret goes into the header, unless the provider takes it in the body only.
        let in_body_only = takes(ClientAuthentication::ClientSecretPost.as_str()) == Some(true)
            && takes(ClientAuthentication::ClientSecretBasic.as_str()) == Some(false);
        Ok(Self {
            authorization: authorization
                .ok_or_else(|| misconfigured("it names no authorization endpoint"))?,
            token: token.ok_or_else(|| misconfigured("it names no token endpoint"))?,
            authentication: if in_body_only {
                ClientAuthentication::ClientSecretPost
            } else {
                ClientAuthentication::ClientSecretBasic
            },
            userinfo: document.url("userinfo_endpoint"),
            jwks: document.jwks_uri()?,
        })
    }
}

fn misconfigured(what: &str) -> SsoError {
    SsoError::Misconfigured(what.to_owned())
}
