//! JSON -> [`IssuerConfig`], gathering every fault on the way.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use url::Url;

use super::super::fault::Fault;
use super::super::web_url;
use super::{Algorithm, ClaimMap, ClaimPath, IssuerConfig, KeySource};

const MEMBERS: [&str; 9] = [
    "issuer",
    "audiences",
    "algorithms",
    "keys",
    "leewaySeconds",
    "maxLifetimeSeconds",
    "claims",
    "atJwtStrict",
    "refuseIdTokens",
];

pub(super) fn issuer(json: &Value) -> Result<IssuerConfig, Vec<Fault>> {
    let mut reader = Reader::default();
    let config = reader.issuer(json);
    match config {
        Some(config) if reader.faults.is_empty() => Ok(config),
        _ => Err(reader.faults),
    }
}

#[derive(Default)]
struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn fault<T>(&mut self, pointer: impl Into<String>, message: impl Into<String>) -> Option<T> {
        self.faults.push(Fault::new(pointer, message));
        None
    }

    fn issuer(&mut self, json: &Value) -> Option<IssuerConfig> {
        let Some(members) = json.as_object() else {
            return self.fault("", "an issuer is an object");
        };
        for name in members
            .keys()
            .filter(|name| !MEMBERS.contains(&name.as_str()))
        {
            let known = MEMBERS.join(", ");
            self.fault::<()>(
                format!("/{}", escape(name)),
                format!("is not known here; known are {known}"),
            );
        }
        // Each is read before any `?`, so that one fault does not hide another.
        let issuer = match members.get("issuer") {
            Some(value) => self.name(value, "/issuer"),
            None => self.fault("/issuer", "is missing: the `iss` of this issuer's tokens"),
        };
        let audiences = self.audiences(members.get("audiences"));
        let keys = self.keys(members.get("keys"), issuer.as_deref());
        let algorithms = self.algorithms(members.get("algorithms"), keys.as_ref());
        let leeway_seconds = self.seconds(
            members,
            "leewaySeconds",
            (0, IssuerConfig::MAX_LEEWAY_SECONDS),
            IssuerConfig::DEFAULT_LEEWAY_SECONDS,
        );
        let max_lifetime_seconds = self.seconds(
            members,
            "maxLifetimeSeconds",
            IssuerConfig::LIFETIME_BOUNDS_SECONDS,
            IssuerConfig::DEFAULT_LIFETIME_SECONDS,
        );
        let claims = self.claims(members.get("claims"));
        let at_jwt_strict = self.flag(members, "atJwtStrict");
        let refuse_id_tokens = self.flag(members, "refuseIdTokens");
        Some(IssuerConfig {
            issuer: issuer?,
            audiences: audiences?,
            algorithms: algorithms?,
            keys: keys?,
            leeway_seconds: leeway_seconds?,
            max_lifetime_seconds: max_lifetime_seconds?,
            claims: claims?,
            at_jwt_strict: at_jwt_strict?,
            refuse_id_tokens: refuse_id_tokens?,
        })
    }

    /// An issuer or audience: any text that a token can hold.
    fn name(&mut self, value: &Value, pointer: &str) -> Option<String> {
        let fits = |text: &&str| {
            let chars = text.chars().count();
            (1..=IssuerConfig::MAX_NAME_CHARS).contains(&chars)
                && !text.chars().any(char::is_control)
        };
        match value.as_str().filter(fits) {
            Some(text) => Some(text.to_owned()),
            None => self.fault(
                pointer,
                format!(
                    "must be a text of 1 to {} printable characters",
                    IssuerConfig::MAX_NAME_CHARS
                ),
            ),
        }
    }

    fn audiences(&mut self, value: Option<&Value>) -> Option<Vec<String>> {
        let items = match value.and_then(Value::as_array) {
            Some(items) if (1..=IssuerConfig::MAX_AUDIENCES).contains(&items.len()) => items,
            _ => {
                return self.fault(
                    "/audiences",
                    format!(
                        "must list 1 to {} audiences: the `aud` that this tenant's tokens carry",
                        IssuerConfig::MAX_AUDIENCES
                    ),
                );
            }
        };
        let mut audiences = Vec::new();
        let mut whole = true;
        for (index, item) in items.iter().enumerate() {
            let pointer = format!("/audiences/{index}");
            match self.name(item, &pointer) {
                Some(name) if audiences.contains(&name) => {
                    whole = false;
                    self.fault::<()>(pointer, "stands in the list twice");
                }
                Some(name) => audiences.push(name),
                None => whole = false,
            }
        }
        whole.then_some(audiences)
    }

    fn keys(&mut self, value: Option<&Value>, issuer: Option<&str>) -> Option<KeySource> {
        const FORMS: &str = "must hold exactly one of \"jwksUrl\": URL, \"discovery\": true, \
                             \"jwks\": {\"keys\": [...]} and \"sharedSecret\": true";
        let single = value
            .and_then(Value::as_object)
            .filter(|members| members.len() == 1);
        let Some((form, value)) = single.and_then(|members| members.iter().next()) else {
            return self.fault("/keys", FORMS);
        };
        match (form.as_str(), value) {
            ("jwksUrl", Value::String(text)) => match fetchable(text) {
                Ok(url) => Some(KeySource::JwksUrl(url)),
                Err(message) => self.fault("/keys/jwksUrl", message),
            },
            ("jwksUrl", _) => self.fault("/keys/jwksUrl", "must be a URL"),
            ("discovery", Value::Bool(true)) => match discovery_url(issuer?) {
                Ok(url) => Some(KeySource::Discovery(url)),
                Err(message) => self.fault(
                    "/issuer",
                    format!("must be a URL for discovery to work: it {message}"),
                ),
            },
            ("jwks", set) if set.get("keys").is_some_and(Value::is_array) => {
                Some(KeySource::Jwks(set.clone()))
            }
            ("jwks", _) => self.fault("/keys/jwks", "must be a JWK set: {\"keys\": [...]}"),
            ("sharedSecret", Value::Bool(true)) => Some(KeySource::SharedSecret),
            ("discovery" | "sharedSecret", _) => self.fault(
                format!("/keys/{form}"),
                "must be true; leave it out for another source of keys",
            ),
            _ => self.fault("/keys", FORMS),
        }
    }

    fn algorithms(
        &mut self,
        value: Option<&Value>,
        keys: Option<&KeySource>,
    ) -> Option<BTreeSet<Algorithm>> {
        let secret = matches!(keys, Some(KeySource::SharedSecret));
        let Some(value) = value else {
            return Some(if secret {
                BTreeSet::from([Algorithm::HS256])
            } else {
                BTreeSet::from([Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA])
            });
        };
        let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
            return self.fault(
                "/algorithms",
                "must list at least one of RS256, ES256, EdDSA, or HS256 alone",
            );
        };
        let mut algorithms = BTreeSet::new();
        let mut whole = true;
        for (index, item) in items.iter().enumerate() {
            let pointer = format!("/algorithms/{index}");
            match item.as_str().and_then(Algorithm::parse) {
                Some(algorithm) if algorithms.insert(algorithm) => {}
                Some(_) => {
                    whole = false;
                    self.fault::<()>(pointer, "stands in the list twice");
                }
                None => {
                    whole = false;
                    self.fault::<()>(pointer, "must be RS256, ES256, EdDSA or HS256");
                }
            }
        }
        if keys.is_some() && whole {
            let only_hs256 = algorithms == BTreeSet::from([Algorithm::HS256]);
            if secret && !only_hs256 {
                return self.fault("/algorithms", "must be HS256 alone with a shared secret");
            }
            if !secret && algorithms.contains(&Algorithm::HS256) {
                return self.fault(
                    "/algorithms",
                    "HS256 goes with a shared secret only: public keys must never serve as a secret",
                );
            }
        }
        whole.then_some(algorithms)
    }

    fn seconds(
        &mut self,
        members: &Map<String, Value>,
        name: &str,
        (least, most): (u32, u32),
        default: u32,
    ) -> Option<u32> {
        let Some(value) = members.get(name) else {
            return Some(default);
        };
        let seconds = value.as_u64().and_then(|n| u32::try_from(n).ok());
        match seconds.filter(|n| (least..=most).contains(n)) {
            Some(seconds) => Some(seconds),
            None => self.fault(
                format!("/{name}"),
                format!("must be a whole number from {least} to {most}"),
            ),
        }
    }

    fn flag(&mut self, members: &Map<String, Value>, name: &str) -> Option<bool> {
        match members.get(name) {
            None => Some(false),
            Some(Value::Bool(flag)) => Some(*flag),
            Some(_) => self.fault(format!("/{name}"), "must be true or false"),
        }
    }

    fn claims(&mut self, value: Option<&Value>) -> Option<ClaimMap> {
        let Some(value) = value else {
            return Some(ClaimMap::default());
        };
        let Some(members) = value.as_object() else {
            return self.fault("/claims", "must be an object: fact name -> claim path");
        };
        let mut paths = BTreeMap::new();
        for (name, value) in members {
            let pointer = format!("/claims/{}", escape(name));
            if !ClaimMap::is_fact_name(name) {
                self.fault::<()>(
                    pointer.clone(),
                    "a fact's name starts with a lower-case letter and holds at most 64 letters, \
                     digits and underscores",
                );
            }
            let path = value
                .as_str()
                .ok_or_else(|| "must be a claim name or a JSON pointer".to_owned())
                .and_then(ClaimPath::parse);
            match path {
                Ok(path) => {
                    paths.insert(name.clone(), path);
                }
                Err(message) => {
                    self.fault::<()>(pointer, message);
                }
            }
        }
        match ClaimMap::new(paths) {
            Some(map) => Some(map),
            None => self.fault(
                "/claims",
                format!("must list at most {} facts", ClaimMap::MAX_FACTS),
            ),
        }
    }
}

/// An address that can be fetched at all. Whether it may be is for the outbound guard to say, which
/// knows the installation's allow list.
fn fetchable(text: &str) -> Result<Url, String> {
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
    let base = fetchable(issuer)?;
    if base.query().is_some() {
        return Err("must hold no query".to_owned());
    }
    let root = issuer.strip_suffix('/').unwrap_or(issuer);
    fetchable(&format!("{root}/.well-known/openid-configuration"))
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
