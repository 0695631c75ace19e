//! `/v1/admin/sso`: the tenant's identity provider, and the way of a browser there and back.

pub mod browser;

use secrecy::SecretString;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::domain::email::{self, Domain};
use crate::domain::fault::Fault;
use crate::domain::role::Role;
use crate::domain::text::is_clean_line;
use crate::domain::wrong::Wrong;
use crate::store::sso::ProviderRow;
use crate::tenants::refusal::Refusal;
use crate::tenants::sso::{
    self, MAX_CLIENT_ID_CHARS, MAX_CLIENT_SECRET_CHARS, MAX_DOMAINS, MAX_ISSUER_CHARS,
    ProviderIssuer, ProviderSettings, SecretChange,
};
use crate::web::admin::Own;
use crate::web::etag::{Conditions, Validator};
use crate::web::input::{Line, List, Member, Schemas, input};
use crate::web::operation::{
    Absent, Answer, Body, Call, IfMatch, NoContent, Recent, Tagged, Unless, operations,
};

operations! {
    "Admin: access";

    "/v1/admin/sso" {
        /// Returns the tenant's identity provider.
        GET getSso => get;
        /// Sets the tenant's identity provider, after fetching its description. The first time, send `If-None-Match: *` instead of
        /// `If-Match`.
        PUT putSso => put;
        /// Removes the tenant's identity provider. Sessions that were opened through it last until their end.
        DELETE deleteSso => delete;
    }
}

/// The tenant's identity provider.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ProviderBody {
    /// Its issuer identifier.
    #[schema(example = "https://login.example.com")]
    issuer: String,
    /// What it calls the gateway.
    #[schema(example = "persona-gateway")]
    client_id: String,
    /// Whether a client secret is stored; it is never shown.
    has_client_secret: bool,
    /// Whose e-mail addresses it may speak for.
    #[schema(example = json!(["example.com"]))]
    allowed_domains: Vec<String>,
    /// Whether these addresses count also where it does not say that it has verified them.
    trust_addresses: bool,
    /// What somebody without a membership becomes; null turns them away.
    new_person_role: Option<Role>,
}

impl From<&ProviderRow> for ProviderBody {
    fn from(row: &ProviderRow) -> Self {
        Self {
            issuer: row.issuer.clone(),
            client_id: row.client_id.clone(),
            has_client_secret: row.client_secret.is_some(),
            allowed_domains: row.allowed_domains.clone(),
            trust_addresses: row.trusts_addresses,
            new_person_role: row.new_person_role,
        }
    }
}

input! {
    /// An identity provider to set.
    struct NewProvider {
        /// Its issuer identifier, character for character as its discovery document writes it. It is fetched before the settings are stored.
        #[example("https://login.example.com")]
        issuer: ProviderIssuer,
        /// What it calls the gateway.
        #[example("persona-gateway")]
        client_id: Line<MAX_CLIENT_ID_CHARS>,
        /// What it knows the gateway by. Absent, the stored one stays if issuer and client stay; null is a public client.
        client_secret: Option<ClientSecret>,
        /// Whose e-mail addresses it may speak for.
        #[example(["example.com"])]
        allowed_domains: List<Domain, 1, MAX_DOMAINS>,
        /// Whether these addresses count also where it does not say that it has verified them (`email_verified`, or Entra's `xms_edov`): only
        /// for a directory in which nobody can write an address of their own choice.
        trust_addresses: bool = false,
        /// What somebody without a membership becomes; null or absent turns them away. An owner is made by an owner.
        #[example("viewer")]
        new_person_role: NewPersonRole = NewPersonRole(None),
    }
}

impl Member for ProviderIssuer {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let text = value.as_str().unwrap_or_default();
        Self::parse(text).map_err(|wrong| vec![Fault::new("", wrong)])
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "format": "uri", "maxLength": MAX_ISSUER_CHARS })
    }
}

/// A client's secret; null of a public client.
#[derive(Debug)]
struct ClientSecret(SecretChange);

impl Member for ClientSecret {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let most = MAX_CLIENT_SECRET_CHARS;
        match value {
            Value::Null => Ok(Self(SecretChange::Clear)),
            Value::String(secret) if is_clean_line(&secret, most) => {
                Ok(Self(SecretChange::Set(SecretString::from(secret))))
            }
            Value::String(_) => Err(vec![Fault::new("", Wrong::Line { most })]),
            _ => Err(vec![Fault::new(
                "",
                Wrong::Text.worded("must be a text, or null for a public client"),
            )]),
        }
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": ["string", "null"], "minLength": 1, "maxLength": MAX_CLIENT_SECRET_CHARS, "writeOnly": true })
    }
}

impl Member for Domain {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let read = match value {
            Value::String(text) => Self::parse(&text).ok_or(Wrong::Domain(text)),
            _ => Err(Wrong::Text),
        };
        read.map_err(|wrong| vec![Fault::new("", wrong)])
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "maxLength": email::MAX_DOMAIN })
    }
}

/// Any role but owner: an owner is made by an owner.
#[derive(Debug)]
struct NewPersonRole(Option<Role>);

impl NewPersonRole {
    fn roles() -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(|role| *role != Role::Owner)
    }
}

impl Member for NewPersonRole {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        if value.is_null() {
            return Ok(Self(None));
        }
        let mut roles = Self::roles();
        let found = roles.find(|role| Some(role.as_str()) == value.as_str());
        found.map(|role| Self(Some(role))).ok_or_else(|| {
            let wrong = Wrong::OneOf("viewer, editor, publisher, null".to_owned())
                .worded("must be viewer, editor, publisher or null: an owner is made by an owner");
            vec![Fault::new("", wrong)]
        })
    }

    fn schema(_: &mut Schemas) -> Value {
        let mut words: Vec<Value> = Self::roles().map(|role| role.as_str().into()).collect();
        words.push(Value::Null);
        json!({ "type": ["string", "null"], "enum": words })
    }
}

impl From<NewProvider> for ProviderSettings {
    fn from(sent: NewProvider) -> Self {
        Self {
            issuer: sent.issuer,
            client_id: sent.client_id.into(),
            client_secret: sent.client_secret.map_or(SecretChange::Keep, |sent| sent.0),
            allowed_domains: sent.allowed_domains.into_inner(),
            trusts_addresses: sent.trust_addresses,
            new_person_role: sent.new_person_role.0,
        }
    }
}

async fn get(call: Call<Own>) -> Answer<Unless<Absent, Tagged<ProviderBody>>> {
    let mut tx = call.read().await?;
    let row = tx.sso_provider().await?.ok_or(Refusal::NotFound)?;
    Ok(tagged(&row).into())
}

async fn put(
    Recent(call): Recent<Call<Own>>,
    seen: Conditions,
    sent: Body<NewProvider>,
) -> Answer<Tagged<ProviderBody>> {
    let settings = ProviderSettings::from(sent.checked()?);
    let gateway = call.gateway();
    gateway.admit_try_out(call.tenant)?;
    Box::pin(gateway.sso.check(settings.issuer.as_str()))
        .await
        .map_err(|error| Refusal::fault("/issuer", Wrong::ProviderAnswer(error.to_string())))?;
    call.change(async move |change| {
        let stored = sso::stored(change).await?;
        validator(stored.as_ref()).require_any(seen, || current(stored.as_ref()))?;
        Ok(tagged(&sso::put(change, stored, settings).await?))
    })
    .await
}

async fn delete(Recent(call): Recent<Call<Own>>, seen: IfMatch) -> Answer<NoContent> {
    call.change(async move |change| {
        let stored = sso::stored(change).await?.ok_or(Refusal::NotFound)?;
        seen.check(&validator(Some(&stored)), || current(Some(&stored)))?;
        sso::remove(change, &stored).await?;
        Ok(NoContent)
    })
    .await
}

fn validator(row: Option<&ProviderRow>) -> Validator {
    match row {
        None => Validator::new(0, &[]),
        Some(row) => Validator::new(row.revision, row.id.as_bytes()),
    }
}

fn tagged(row: &ProviderRow) -> Tagged<ProviderBody> {
    Tagged::new(&ProviderBody::from(row), &validator(Some(row)))
}

fn current(stored: Option<&ProviderRow>) -> Value {
    stored
        .map(|row| json!(ProviderBody::from(row)))
        .unwrap_or_default()
}
