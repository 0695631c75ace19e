//! Key sources, or the introspection endpoint.

use serde_json::Value;
use url::Url;

use super::super::{
    Introspection, KeySource, KeySources, RootCertificates, TENANT_ID, discovery_address,
};
use super::{Reader, escape};
use crate::domain::web_url;

impl Reader {
    pub(super) fn keys(
        &mut self,
        value: Option<&Value>,
        issuer: Option<&str>,
    ) -> Option<KeySources> {
        const FORMS: &str = "must hold one of \"discovery\": true, \"jwksUrl\": URL, \"metadataUrl\": URL and \
                             \"jwks\": {\"keys\": [...]}, or \"sharedSecret\": true, or one of them and it; \
                             or \"introspection\": {...} alone, for opaque tokens";
        let Some(members) = value.and_then(Value::as_object) else {
            return self.fault("/keys", FORMS);
        };
        let shared_secret = match members.get("sharedSecret") {
            None => false,
            Some(Value::Bool(true)) => true,
            Some(_) => {
                return self.fault(
                    "/keys/sharedSecret",
                    "must be true; leave it out for another source of keys",
                );
            }
        };
        if let Some(introspection) = members.get("introspection") {
            if members.len() > 1 {
                return self.fault("/keys", FORMS);
            }
            return Some(KeySources {
                introspection: Some(self.introspection(introspection)?),
                ..KeySources::default()
            });
        }
        let mut published = members.iter().filter(|(form, _)| *form != "sharedSecret");
        match (published.next(), published.next()) {
            (None, _) if shared_secret => Some(KeySources {
                shared_secret,
                ..KeySources::default()
            }),
            (Some((form, value)), None) => Some(KeySources {
                published: Some(self.published(form, value, issuer)?),
                shared_secret,
                introspection: None,
            }),
            _ => self.fault("/keys", FORMS),
        }
    }

    fn introspection(&mut self, value: &Value) -> Option<Introspection> {
        self.faults
            .take("/keys/introspection", Introspection::parse(value.clone()))
    }

    fn published(&mut self, form: &str, value: &Value, issuer: Option<&str>) -> Option<KeySource> {
        match (form, value) {
            ("jwksUrl", Value::String(text)) => match fetchable(text) {
                Ok(url) => Some(KeySource::JwksUrl(url)),
                Err(message) => self.fault("/keys/jwksUrl", message),
            },
            ("metadataUrl", Value::String(text)) => match fetchable(text) {
                Ok(url) => Some(KeySource::MetadataUrl(url)),
                Err(message) => self.fault("/keys/metadataUrl", message),
            },
            ("jwksUrl" | "metadataUrl", _) => self.fault(format!("/keys/{form}"), "must be a URL"),
            ("discovery", Value::Bool(true)) => match discovery_url(issuer?) {
                Ok(url) => Some(KeySource::Discovery(url)),
                Err(message) => self.fault(
                    "/issuer",
                    format!("must be a URL for discovery to work: it {message}"),
                ),
            },
            ("discovery", _) => self.fault(
                "/keys/discovery",
                "must be true; leave it out for another source of keys, or say metadataUrl where the document is elsewhere",
            ),
            ("jwks", set) if set.get("keys").is_some_and(Value::is_array) => {
                Some(KeySource::Jwks(set.clone()))
            }
            ("jwks", _) => self.fault("/keys/jwks", "must be a JWK set: {\"keys\": [...]}"),
            _ => self.fault(
                format!("/keys/{}", escape(form)),
                "is not known here; known are discovery, jwksUrl, metadataUrl, jwks, sharedSecret and introspection",
            ),
        }
    }

    /// `Some(None)` where there is none.
    #[expect(
        clippy::option_option,
        reason = "a fault is neither there nor not there"
    )]
    pub(super) fn root_certificate(
        &mut self,
        value: Option<&Value>,
        keys: Option<&KeySources>,
    ) -> Option<Option<RootCertificates>> {
        let Some(value) = value else {
            return Some(None);
        };
        let Some(text) = value.as_str() else {
            return self.fault("/rootCertificate", "must be a text: a certificate in PEM");
        };
        let is_fetched = |keys: &KeySources| {
            keys.introspection.is_some()
                || !matches!(keys.published, None | Some(KeySource::Jwks(_)))
        };
        if !keys.is_none_or(is_fetched) {
            return self.fault(
                "/rootCertificate",
                "goes with keys that are fetched: discovery, jwksUrl or metadataUrl; or with introspection",
            );
        }
        match RootCertificates::parse(text) {
            Ok(roots) => Some(Some(roots)),
            Err(message) => self.fault("/rootCertificate", message),
        }
    }
}

/// An address that can be fetched at all. Whether it may be is for the outbound guard to say, which
/// knows the installation's allow list.
pub(in super::super) fn fetchable(text: &str) -> Result<Url, String> {
    if text.len() > 2048 {
        return Err("must be a URL of at most 2048 characters".to_owned());
    }
    let url = web_url::parse(text).map_err(|fault| fault.to_string())?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must hold no user name, password or fragment".to_owned());
    }
    Ok(url)
}

/// OIDC Discovery 1.0, section 4.1: a trailing slash of the issuer is dropped first.
fn discovery_url(issuer: &str) -> Result<Url, String> {
    if issuer.contains(TENANT_ID) {
        return Err(format!(
            "must be without {TENANT_ID}; say metadataUrl instead"
        ));
    }
    let base = fetchable(issuer)?;
    if base.query().is_some() {
        return Err("must hold no query".to_owned());
    }
    fetchable(&discovery_address(issuer))
}
