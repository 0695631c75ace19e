//! Key sources, or the introspection endpoint.

use serde_json::Value;
use url::Url;

use super::super::{
    Introspection, KeySource, KeySources, RootCertificates, TENANT_ID, discovery_address,
};
use super::{Reader, escape};
use crate::domain::issuer::address::fetchable;
use crate::domain::wrong::{Words, Wrong};

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
            return self.fault("/keys", Wrong::KeySource.worded(FORMS));
        };
        let shared_secret = match members.get("sharedSecret") {
            None => false,
            Some(Value::Bool(true)) => true,
            Some(_) => {
                return self.fault("/keys/sharedSecret", Wrong::OnlyTrue);
            }
        };
        if let Some(introspection) = members.get("introspection") {
            if members.len() > 1 {
                return self.fault("/keys", Wrong::KeySource.worded(FORMS));
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
            _ => self.fault("/keys", Wrong::KeySource.worded(FORMS)),
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
            ("jwksUrl" | "metadataUrl", _) => {
                self.fault(format!("/keys/{form}"), Wrong::NoUrl.worded("must be a URL"))
            }
            ("discovery", Value::Bool(true)) => match discovery_url(issuer?) {
                Ok(url) => Some(KeySource::Discovery(url)),
                Err(Words { text, wrong }) => {
                    let text = format!("must be a URL for discovery to work: it {text}");
                    self.fault("/issuer", Words { text, wrong })
                }
            },
            ("discovery", _) => self.fault(
                "/keys/discovery",
                Wrong::OnlyTrue.worded("must be true; leave it out for another source of keys, or say metadataUrl where the document is elsewhere"),
            ),
            ("jwks", set) if set.get("keys").is_some_and(Value::is_array) => {
                Some(KeySource::Jwks(set.clone()))
            }
            ("jwks", _) => self.fault("/keys/jwks", Wrong::KeySet),
            _ => {
                let known = "discovery, jwksUrl, metadataUrl, jwks, sharedSecret, introspection";
                self.fault(
                    format!("/keys/{}", escape(form)),
                    Wrong::Unknown(known.to_owned()),
                )
            }
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
            let text = "must be a text: a certificate in PEM";
            return self.fault("/rootCertificate", Wrong::Text.worded(text));
        };
        let is_fetched = |keys: &KeySources| {
            keys.introspection.is_some()
                || !matches!(keys.published, None | Some(KeySource::Jwks(_)))
        };
        if !keys.is_none_or(is_fetched) {
            return self.fault("/rootCertificate", Wrong::FetchedOnly);
        }
        match RootCertificates::parse(text) {
            Ok(roots) => Some(Some(roots)),
            Err(message) => self.fault("/rootCertificate", message),
        }
    }
}

/// OIDC Discovery 1.0, section 4.1: a trailing slash of the issuer is dropped first.
fn discovery_url(issuer: &str) -> Result<Url, Words> {
    if issuer.contains(TENANT_ID) {
        return Err(Wrong::NoTenantId.into());
    }
    let base = fetchable(issuer)?;
    if base.query().is_some() {
        return Err(Wrong::UrlQuery.into());
    }
    fetchable(&discovery_address(issuer))
}
