//! JSON -> [`IssuerConfig`], gathering every fault on the way.

mod keys;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::super::fault::{Fault, Faults};
use super::required::is_value;
use super::{
    Algorithm, AudienceClaim, ClaimMap, ClaimPath, IssuerConfig, KeySources, RequiredClaims,
    TENANT_ID,
};
use crate::domain::wrong::{Words, Wrong};

const MEMBERS: [&str; 12] = [
    "issuer",
    "audiences",
    "audienceClaim",
    "requiredClaims",
    "algorithms",
    "keys",
    "rootCertificate",
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
        Some(config) => reader.faults.into_result(config),
        None => Err(reader.faults.into_vec()),
    }
}

#[derive(Default)]
struct Reader {
    faults: Faults,
}

impl Reader {
    fn fault<T>(&mut self, pointer: impl Into<String>, message: impl Into<Words>) -> Option<T> {
        self.faults.add(pointer, message);
        None
    }

    fn issuer(&mut self, json: &Value) -> Option<IssuerConfig> {
        let Some(members) = json.as_object() else {
            return self.fault("", Wrong::Object.worded("an issuer is an object"));
        };
        for name in members
            .keys()
            .filter(|name| !MEMBERS.contains(&name.as_str()))
        {
            let known = MEMBERS.join(", ");
            let text = format!("is not known here; known are {known}");
            self.fault::<()>(
                format!("/{}", escape(name)),
                Wrong::Unknown(known).worded(text),
            );
        }
        // Each is read before any `?`, so that one fault does not hide another.
        let issuer = match members.get("issuer") {
            Some(value) => self.name(value, "/issuer").and_then(|name| self.form(name)),
            None => self.fault(
                "/issuer",
                Wrong::Missing.worded("is missing: the `iss` of this issuer's tokens"),
            ),
        };
        let audiences = self.audiences(members.get("audiences"));
        let audience_claim = self.audience_claim(members.get("audienceClaim"));
        if let (Some(AudienceClaim::Iss), Some(issuer), Some(audiences)) =
            (audience_claim, &issuer, &audiences)
            && (audiences.len() != 1 || !audiences.contains(issuer))
        {
            self.fault::<()>("/audiences", Wrong::IssuerAlone);
        }
        let required_claims = self.required_claims(members.get("requiredClaims"));
        let keys = self.keys(members.get("keys"), issuer.as_deref());
        let root_certificate = self.root_certificate(members.get("rootCertificate"), keys.as_ref());
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
        let is_opaque = |keys: &KeySources| keys.introspection.is_some();
        if at_jwt_strict == Some(true) && keys.as_ref().is_some_and(is_opaque) {
            let text = "goes with keys: an opaque token has no typ";
            self.fault::<()>("/atJwtStrict", Wrong::NotOpaque.worded(text));
        }
        Some(IssuerConfig {
            issuer: issuer?,
            audiences: audiences?,
            audience_claim: audience_claim?,
            required_claims: required_claims?,
            algorithms: algorithms?,
            keys: keys?,
            root_certificate: root_certificate?,
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
                Wrong::Printable {
                    most: IssuerConfig::MAX_NAME_CHARS,
                },
            ),
        }
    }

    fn audiences(&mut self, value: Option<&Value>) -> Option<Vec<String>> {
        let items = match value.and_then(Value::as_array) {
            Some(items) if (1..=IssuerConfig::MAX_AUDIENCES).contains(&items.len()) => items,
            _ => {
                return self.fault(
                    "/audiences",
                    Wrong::Items {
                        least: 1,
                        most: IssuerConfig::MAX_AUDIENCES,
                    }
                    .worded(format!(
                        "must list 1 to {} audiences: the `aud` that this tenant's tokens carry",
                        IssuerConfig::MAX_AUDIENCES
                    )),
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
                    self.fault::<()>(pointer, Wrong::Twice);
                }
                Some(name) => audiences.push(name),
                None => whole = false,
            }
        }
        whole.then_some(audiences)
    }

    /// An issuer's URL, in which `{tenantid}` may stand for one whole part of the path.
    fn form(&mut self, issuer: String) -> Option<String> {
        if !issuer.contains(TENANT_ID) {
            return Some(issuer);
        }
        let host_and_path = issuer.strip_prefix("https://");
        let mut parts = host_and_path.unwrap_or_default().split('/');
        let host_is_fixed = parts.next().is_some_and(|host| !host.contains('{'));
        let places = parts.filter(|part| *part == TENANT_ID).count();
        if host_is_fixed && places == 1 && issuer.matches(TENANT_ID).count() == 1 {
            return Some(issuer);
        }
        self.fault("/issuer", Wrong::TenantIdPlace)
    }

    fn audience_claim(&mut self, value: Option<&Value>) -> Option<AudienceClaim> {
        let Some(value) = value else {
            return Some(AudienceClaim::Aud);
        };
        let claim = value.as_str().and_then(AudienceClaim::parse);
        if claim.is_none() {
            let known = AudienceClaim::ALL.map(AudienceClaim::as_str).join(", ");
            let text = format!("must be one of {known}: claims that the issuer itself fills");
            self.fault::<()>("/audienceClaim", Wrong::OneOf(known).worded(text));
        }
        claim
    }

    fn required_claims(&mut self, value: Option<&Value>) -> Option<RequiredClaims> {
        let Some(value) = value else {
            return Some(RequiredClaims::default());
        };
        let members = value
            .as_object()
            .filter(|members| members.len() <= RequiredClaims::MAX_CLAIMS);
        let Some(members) = members else {
            return self.fault(
                "/requiredClaims",
                Wrong::Members {
                    most: RequiredClaims::MAX_CLAIMS,
                }
                .worded(format!(
                    "must be an object of at most {} claims: claim path -> the value that it must have, or a list of such values",
                    RequiredClaims::MAX_CLAIMS
                )),
            );
        };
        let mut required = Vec::new();
        for (name, value) in members {
            let pointer = format!("/requiredClaims/{}", escape(name));
            let path = match ClaimPath::parse(name) {
                Ok(path) => path,
                Err(message) => {
                    self.fault::<()>(pointer, message);
                    continue;
                }
            };
            let values = match value {
                Value::Array(many) => many.clone(),
                one => vec![one.clone()],
            };
            let is_sound = (1..=RequiredClaims::MAX_VALUES).contains(&values.len())
                && values.iter().all(is_value);
            if is_sound {
                required.push((path, values));
            } else {
                self.fault::<()>(
                    pointer,
                    Wrong::ClaimValue {
                        most: RequiredClaims::MAX_TEXT_CHARS,
                        items: RequiredClaims::MAX_VALUES,
                    },
                );
            }
        }
        Some(RequiredClaims::new(required))
    }

    fn algorithms(
        &mut self,
        value: Option<&Value>,
        keys: Option<&KeySources>,
    ) -> Option<BTreeSet<Algorithm>> {
        if value.is_some() && keys.is_some_and(|keys| keys.introspection.is_some()) {
            return self.fault(
                "/algorithms",
                Wrong::NotOpaque.worded("goes with keys: opaque tokens are not signed"),
            );
        }
        let Some(value) = value else {
            let keys = keys?;
            let public = Algorithm::USUAL.into_iter();
            let public = public.filter(|_| keys.published.is_some());
            let secret = keys.shared_secret.then_some(Algorithm::HS256);
            return Some(public.chain(secret).collect());
        };
        let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
            return self.fault(
                "/algorithms",
                Wrong::OneOf(names()).worded(format!("must list at least one of {}", names())),
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
                    self.fault::<()>(pointer, Wrong::Twice);
                }
                None => {
                    whole = false;
                    self.fault::<()>(pointer, unknown_algorithm(item.as_str()));
                }
            }
        }
        let keys = keys.filter(|_| whole)?;
        let is_some = |symmetric| algorithms.iter().any(|one| one.is_symmetric() == symmetric);
        if keys.shared_secret && !is_some(true) {
            return self.fault("/algorithms", Wrong::NeedsSymmetric);
        }
        if keys.published.is_none() && is_some(false) {
            return self.fault("/algorithms", Wrong::SymmetricAlone);
        }
        if !keys.shared_secret && is_some(true) {
            return self.fault("/algorithms", Wrong::NoSharedSecret);
        }
        if keys.published.is_some() && !is_some(false) {
            return self.fault("/algorithms", Wrong::NeedsPublic);
        }
        Some(algorithms)
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
            None => self.fault(format!("/{name}"), Wrong::whole_range(least, most)),
        }
    }

    fn flag(&mut self, members: &Map<String, Value>, name: &str) -> Option<bool> {
        match members.get(name) {
            None => Some(false),
            Some(Value::Bool(flag)) => Some(*flag),
            Some(_) => self.fault(format!("/{name}"), Wrong::Flag),
        }
    }

    fn claims(&mut self, value: Option<&Value>) -> Option<ClaimMap> {
        let Some(value) = value else {
            return Some(ClaimMap::default());
        };
        let Some(members) = value.as_object() else {
            let text = "must be an object: fact name -> claim path";
            return self.fault("/claims", Wrong::Object.worded(text));
        };
        let mut paths = BTreeMap::new();
        for (name, value) in members {
            let pointer = format!("/claims/{}", escape(name));
            if !ClaimMap::is_fact_name(name) {
                self.fault::<()>(pointer.clone(), Wrong::FactName);
            }
            let path = value
                .as_str()
                .ok_or(Wrong::ClaimPath {
                    most: ClaimPath::MAX_CHARS,
                })
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
                Wrong::Members {
                    most: ClaimMap::MAX_FACTS,
                }
                .worded(format!("must list at most {} facts", ClaimMap::MAX_FACTS)),
            ),
        }
    }
}

/// What is wrong with a name of an algorithm; those that people may mean have words of their own.
fn unknown_algorithm(name: Option<&str>) -> Words {
    let names = names();
    let text = match name {
        Some("ES512") => format!(
            "must be one of {names}: ES512, on the curve P-521, can't be verified here; have the issuer sign with ES256 or ES384"
        ),
        Some("ES256K") => format!(
            "must be one of {names}: ES256K, on the curve secp256k1, can't be verified here; have the issuer sign with ES256"
        ),
        Some("none") => {
            format!("must be one of {names}: a token without a signature proves nothing")
        }
        _ => format!("must be one of {names}"),
    };
    Wrong::OneOf(names).worded(text)
}

fn names() -> String {
    Algorithm::ALL.map(Algorithm::as_str).join(", ")
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
