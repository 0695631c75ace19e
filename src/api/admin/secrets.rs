//! `/v1/admin/secrets`: what webhook tools send along, such as a token for a CRM. A secret goes in and is never shown again.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::views::usage::PlaceBody;
use crate::domain::fault::Fault;
use crate::domain::key::Key;
use crate::store::secrets::SecretRow;
use crate::tenants::catalogue::usage::Reference;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::tenants::secrets::{self, MAX_CHARS, SecretText, Set};
use crate::web::admin::{Own, View};
use crate::web::etag::Validator;
use crate::web::input::{Member, Schemas, input, secret};
use crate::web::operation::{
    Answer, Body, Call, IfMatch, Json, NoContent, Path, Recent, Stored, Tagged, operations,
};
use crate::web::page::PageBody;

operations! {
    "Admin: secrets";

    "/v1/admin/secrets" {
        /// Lists the tenant's secrets, by name, without their values.
        GET listSecrets => list;
    }
    "/v1/admin/secrets/{name}" {
        /// Returns one secret, without its value.
        GET getSecret => get;
        /// Creates or replaces a secret. Tools refer to it as `${secret:NAME}` in header values and in the URL. The next session
        /// token uses the new value.
        PUT putSecret => put;
        /// Deletes a secret. Neither the policy nor a live or scheduled persona may refer to it.
        DELETE deleteSecret => delete;
    }
}

/// A secret, without its value.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Secret)]
struct SecretBody {
    /// What tools call it: `${secret:crm-token}`.
    #[schema(example = "crm-token")]
    name: String,
    /// Its last four characters; empty for one of fewer than 16.
    #[schema(example = "9f3c")]
    last_four: String,
    /// When it was given the value that it has.
    set_at: DateTime<Utc>,
    /// Who set the value.
    #[schema(example = "person:ann@acme.example")]
    set_by: String,
    /// Where the policy, and personas that are live or scheduled, refer to it.
    used_by: Vec<PlaceBody>,
}

impl SecretBody {
    fn new(row: SecretRow, places: Option<Vec<Reference>>) -> Self {
        let places = places.unwrap_or_default().into_iter();
        Self {
            name: row.name,
            last_four: row.last_four,
            set_at: row.set_at,
            set_by: row.set_by,
            used_by: places.map(PlaceBody::from).collect(),
        }
    }

    /// With the places that refer to it.
    async fn with_usage(change: &mut Change, row: SecretRow) -> Result<Self, Refusal> {
        let mut used = secrets::usage(change).await?;
        let places = used.remove(row.name.as_str());
        Ok(Self::new(row, places))
    }

    fn validator(&self) -> Validator {
        let content = json!([self.name, self.last_four, self.set_at]).to_string();
        Validator::new(1, content.as_bytes())
    }
}

input! {
    /// The value of a secret.
    struct NewSecret {
        /// The secret: printable ASCII characters, without a space at either end. Sealed, and never shown again.
        value: SecretText,
    }
}

impl Member for SecretText {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        secret(value, Self::parse)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "minLength": 1, "maxLength": MAX_CHARS, "writeOnly": true })
    }
}

async fn list(call: Call<View>) -> Answer<Json<PageBody<SecretBody>>> {
    call.try_out(async |change| {
        let rows = change.tx.secrets().await?;
        let mut used = secrets::usage(change).await?;
        let body = |row: SecretRow| {
            let places = used.remove(row.name.as_str());
            SecretBody::new(row, places)
        };
        Ok(Json::new(&PageBody {
            items: rows.into_iter().map(body).collect(),
            next: None,
        }))
    })
    .await
}

async fn get(call: Call<View>, Path(name): Path<Key>) -> Answer<Tagged<SecretBody>> {
    call.try_out(async move |change| {
        let row = secrets::find(&mut change.tx, &name).await?;
        let body = SecretBody::with_usage(change, row).await?;
        Ok(Tagged::new(&body, &body.validator()))
    })
    .await
}

async fn put(
    Recent(call): Recent<Call<Own>>,
    Path(name): Path<Key>,
    sent: Body<NewSecret>,
) -> Answer<Stored<SecretBody>> {
    call.change(async move |change| {
        let value = sent.checked()?.value;
        let (row, is_new) = match secrets::set(change, &name, &value).await? {
            Set::New(row) => (row, true),
            Set::Changed(row) | Set::Same(row) => (row, false),
        };
        let body = SecretBody::with_usage(change, row).await?;
        Ok(Stored::new(&body, &body.validator(), is_new))
    })
    .await
}

async fn delete(
    Recent(call): Recent<Call<Own>>,
    Path(name): Path<Key>,
    seen: IfMatch,
) -> Answer<NoContent> {
    call.change(async move |change| {
        change.lock_authoring().await?;
        let row = secrets::find(&mut change.tx, &name).await?;
        let body = SecretBody::new(row, None);
        seen.check(&body.validator(), || json!(body))?;
        secrets::delete(change, &name).await?;
        Ok(NoContent)
    })
    .await
}
