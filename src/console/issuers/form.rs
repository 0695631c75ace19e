//! Registering an issuer, and changing one.

use actix_web::http::{Method, StatusCode};
use actix_web::web;
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Issuer;
use super::check::Check;
use crate::console::api::{Refused, Tagged, encode};
use crate::console::frame::{Frame, page_with};
use crate::console::parts::{Faults, words_of};
use crate::console::visit::{Answer, Form, Signed, see};

/// Where keys come from, and what the form calls the place.
pub const SOURCES: [&str; 6] = [
    "discovery",
    "jwksUrl",
    "metadataUrl",
    "jwks",
    "sharedSecret",
    "introspection",
];

const ALGORITHMS: [&str; 12] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA", "HS256",
    "HS384", "HS512",
];

/// Members that have fields of their own; the others are JSON.
const OWN: [&str; 4] = ["issuer", "audiences", "algorithms", "keys"];

/// What the form holds.
#[derive(Debug, Default)]
struct Fields {
    issuer: String,
    audiences: String,
    algorithms: Vec<String>,
    source: String,
    /// A URL, or a key set.
    place: String,
    client: String,
    rest: String,
    sample: String,
    unchecked: bool,
}

impl Fields {
    fn stored(config: &Map<String, Value>) -> Self {
        let texts = |name: &str| -> Vec<String> {
            let values = config.get(name).and_then(Value::as_array);
            values.into_iter().flatten().map(words_of).collect()
        };
        let keys = config.get("keys").unwrap_or(&Value::Null);
        let source = SOURCES.iter().find(|source| keys.get(**source).is_some());
        let source = source.copied().unwrap_or("discovery");
        let at = keys.get(source).unwrap_or(&Value::Null);
        let (place, client) = match source {
            "introspection" => (at.get("endpoint"), at.get("clientId")),
            "jwksUrl" | "metadataUrl" | "jwks" => (Some(at), None),
            _ => (None, None),
        };
        let mut rest = config.clone();
        rest.retain(|name, _| !OWN.contains(&name.as_str()));
        Self {
            issuer: config.get("issuer").map(words_of).unwrap_or_default(),
            audiences: texts("audiences").join("\n"),
            algorithms: texts("algorithms"),
            source: source.to_owned(),
            place: place.map(words_of).unwrap_or_default(),
            client: client.map(words_of).unwrap_or_default(),
            rest: if rest.is_empty() {
                String::new()
            } else {
                serde_json::to_string_pretty(&rest).unwrap_or_default()
            },
            ..Self::default()
        }
    }

    fn typed(form: &Form) -> Self {
        let field = |name| form.get(name).to_owned();
        Self {
            issuer: field("issuer"),
            audiences: field("audiences"),
            algorithms: form.all("algorithm").map(str::to_owned).collect(),
            source: field("source"),
            place: field("place"),
            client: field("client"),
            rest: field("rest"),
            sample: field("sample"),
            unchecked: form.has("unchecked"),
        }
    }

    /// The configuration; `Err` says why the JSON of the rest is none.
    fn config(&self, before: &Map<String, Value>) -> Result<Map<String, Value>, String> {
        let mut config: Map<String, Value> = match self.rest.trim() {
            "" => Map::new(),
            rest => serde_json::from_str(rest).map_err(|error| error.to_string())?,
        };
        let audiences = self.audiences.lines().map(str::trim);
        let audiences: Vec<&str> = audiences.filter(|line| !line.is_empty()).collect();
        config.insert("issuer".to_owned(), self.issuer.trim().into());
        config.insert("audiences".to_owned(), audiences.into());
        if !self.algorithms.is_empty() {
            config.insert("algorithms".to_owned(), self.algorithms.clone().into());
        }
        let mut keys = Map::new();
        let place = self.place.trim();
        let source = match self.source.as_str() {
            "jwks" => {
                serde_json::from_str(place).unwrap_or_else(|_no_json| Value::from(place.to_owned()))
            }
            "introspection" => {
                let kept = before
                    .get("keys")
                    .and_then(|keys| keys.get("introspection"));
                let mut members = match kept {
                    Some(Value::Object(members)) => members.clone(),
                    _ => Map::new(),
                };
                members.insert("endpoint".to_owned(), place.into());
                members.insert("clientId".to_owned(), self.client.trim().into());
                Value::Object(members)
            }
            "jwksUrl" | "metadataUrl" => place.into(),
            _ => true.into(),
        };
        keys.insert(self.source.clone(), source);
        config.insert("keys".to_owned(), Value::Object(keys));
        Ok(config)
    }

    /// Whether an algorithm is ticked.
    fn signs(&self, algorithm: &str) -> bool {
        self.algorithms.iter().any(|own| own == algorithm)
    }
}

#[derive(Debug, Template)]
#[template(path = "issuers/form.html")]
struct FormPage {
    frame: Frame,
    /// The issuer that is changed; empty of a new one.
    id: String,
    etag: String,
    fields: Fields,
    has_secret: bool,
    faults: Faults,
    broken: Option<String>,
    check: Option<Check>,
}

/// The form for a new one.
pub async fn new(signed: Signed) -> Answer {
    let fields = Fields {
        source: "discovery".to_owned(),
        ..Fields::default()
    };
    Ok(render(
        &signed,
        FormOf::default(),
        fields,
        Faults::default(),
        None,
        None,
    ))
}

/// What the form is for.
#[derive(Debug, Default)]
struct FormOf {
    id: String,
    etag: String,
    has_secret: bool,
    config: Map<String, Value>,
}

impl FormOf {
    async fn read(signed: &Signed, id: &str) -> Result<Self, Refused> {
        let path = format!("/v1/admin/issuers/{}", encode(id));
        let Tagged { body, etag } = signed.api.tagged::<Issuer>(&path).await?;
        Ok(Self {
            id: body.id,
            etag,
            has_secret: body.has_shared_secret,
            config: body.config,
        })
    }
}

/// The form for one that is registered.
pub async fn edit(signed: Signed, id: web::Path<String>) -> Answer {
    let of = FormOf::read(&signed, &id).await?;
    let fields = Fields::stored(&of.config);
    Ok(render(&signed, of, fields, Faults::default(), None, None))
}

fn render(
    signed: &Signed,
    of: FormOf,
    fields: Fields,
    faults: Faults,
    broken: Option<String>,
    check: Option<Check>,
) -> actix_web::HttpResponse {
    let status = faults.status_or(broken.is_some());
    let title = if of.id.is_empty() {
        "issuer-new"
    } else {
        "issuer-edit"
    };
    page_with(
        status,
        &FormPage {
            frame: Frame::new(signed, signed.texts.say(title)),
            id: of.id,
            etag: of.etag,
            fields,
            has_secret: of.has_secret,
            faults,
            broken,
            check,
        },
    )
}

#[derive(Debug, Deserialize)]
struct Saved {
    id: String,
}

/// Registers one, or checks it.
pub async fn create(signed: Signed, form: Form) -> Answer {
    save(&signed, &form, FormOf::default()).await
}

/// Changes one, or checks the change.
pub async fn change(signed: Signed, id: web::Path<String>, form: Form) -> Answer {
    let mut of = FormOf::read(&signed, &id).await?;
    form.get("etag").clone_into(&mut of.etag);
    save(&signed, &form, of).await
}

async fn save(signed: &Signed, form: &Form, mut of: FormOf) -> Answer {
    let fields = Fields::typed(form);
    let config = match fields.config(&of.config) {
        Ok(config) => config,
        Err(broken) => {
            let faults = Faults::default();
            return Ok(render(signed, of, fields, faults, Some(broken), None));
        }
    };
    let mut wish = json!({ "config": config });
    if let Value::Object(members) = &mut wish {
        for (name, field) in [("sharedSecret", "secret"), ("sampleToken", "sample")] {
            if let Some(value) = form.filled(field) {
                members.insert(name.to_owned(), value.into());
            }
        }
    }
    if form.get("do") == "check" {
        let (check, faults) = match signed.api.post("/v1/admin/issuers:check", &wish).await {
            Ok(check) => (Some(check), Faults::default()),
            Err(refused) => (None, Faults::from(refused)),
        };
        return Ok(render(signed, of, fields, faults, None, check));
    }
    if let (true, Value::Object(members)) = (fields.unchecked, &mut wish) {
        members.insert("acceptUnchecked".to_owned(), true.into());
    }
    let path = format!("/v1/admin/issuers/{}", encode(&of.id));
    let call = if of.id.is_empty() {
        signed.api.call(Method::POST, "/v1/admin/issuers")
    } else {
        signed.api.call(Method::PUT, &path).seen(&of.etag)
    };
    match call.body(&wish).json::<Saved>().await {
        Ok(saved) => {
            let id = encode(&saved.id);
            Ok(see(&format!("/console/issuers/{id}?said=issuer-saved")))
        }
        Err(refused) if matches!(refused.status, 400 | 409 | 412 | 422 | 429) => {
            if refused.status == StatusCode::PRECONDITION_FAILED.as_u16() {
                of.etag = FormOf::read(signed, &of.id).await?.etag;
            }
            Ok(render(
                signed,
                of,
                fields,
                Faults::from(refused),
                None,
                None,
            ))
        }
        Err(refused) => Err(refused),
    }
}
