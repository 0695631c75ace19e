//! `/v1/admin/api-keys`: credentials of machines.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::ids::ApiKeyId;
use crate::domain::role::Role;
use crate::store::api_keys::StoredKey;
use crate::tenants::api_keys::{self, NewKey};
use crate::tenants::refusal::Refusal;
use crate::web::admin::Own;
use crate::web::input::{Line, Moment, WholeNumber, input};
use crate::web::operation::{
    Answer, Body, Call, Created, Json, NoContent, Once, Page, PageOf, Path, Recent, operations,
};

operations! {
    "Admin: access";

    "/v1/admin/api-keys" {
        /// Lists API keys, newest first, also revoked and expired ones.
        GET listApiKeys => list;
        /// Creates an API key. The key itself is shown only in this answer.
        POST createApiKey => create;
    }
    "/v1/admin/api-keys/{apiKey}" {
        /// Returns one API key's description, without the key itself.
        GET getApiKey => get;
        /// Revokes an API key: it is refused from now on.
        DELETE revokeApiKey => revoke;
    }
    "/v1/admin/api-keys/{apiKey}:rotate" {
        /// Creates a key that replaces this one, with the same name, role and length of life. The old key stays valid for the grace
        /// time.
        POST rotateApiKey => rotate;
    }
}

/// An API key, as far as it can be shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ApiKeyBody {
    id: Uuid,
    /// What the key is for, in the words of whoever created it.
    #[schema(example = "nightly deploy")]
    name: String,
    /// The role, which decides what requests with the key may do.
    role: Role,
    /// Its first characters, as the audit trail names it.
    #[schema(example = "pgk_Ab3dE9xQ")]
    prefix: String,
    /// Who made it; absent of keys from before this was noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "person:ann@example.com")]
    created_by: Option<String>,
    /// When the key was created.
    created_at: DateTime<Utc>,
    /// Until when; absent of a key without an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    last_used_at: Option<DateTime<Utc>>,
    /// The key whose place it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replaces: Option<Uuid>,
    /// The key itself. Shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        example = "pgk_Ab3dE9xQq8mB1m1xw2o9dZQ3m2c0kVtN5s3uJ4pXyE0"
    )]
    key: Option<String>,
}

impl From<StoredKey> for ApiKeyBody {
    fn from(row: StoredKey) -> Self {
        Self {
            id: row.id.0,
            name: row.name,
            role: row.role,
            prefix: row.prefix,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            replaces: row.replaces.map(|id| id.0),
            key: None,
        }
    }
}

fn created((row, key): (StoredKey, SecretString)) -> Created<ApiKeyBody> {
    let body = ApiKeyBody {
        key: Some(key.expose_secret().to_owned()),
        ..ApiKeyBody::from(row)
    };
    Created::at(format!("/v1/admin/api-keys/{}", body.id), &body)
}

input! {
    /// A key to make.
    struct NewApiKey {
        /// What the key is for, in the words of whoever created it.
        #[example("nightly deploy")]
        name: Line<100>,
        /// The role, which decides what requests with the key may do.
        #[example("publisher")]
        role: Role,
        /// Until when, two years ahead at most; without it the key has no end.
        expires_at: Option<Moment>,
    }

    /// How a key is rotated.
    struct Rotation {
        /// How long the old key goes on, in seconds; a day unless set, 0 ends it at once.
        #[example(3600)]
        grace_seconds: Option<WholeNumber<i64, 0, { api_keys::LONGEST_GRACE.num_seconds() }>>,
    }
}

async fn list(call: Call<Own>, page: PageOf<()>) -> Answer<Page<ApiKeyBody>> {
    let mut tx = call.read().await?;
    let rows = tx
        .api_keys(page.after_id::<ApiKeyId>()?, page.rows())
        .await?;
    Ok(page.of(rows, |row| row.id.to_string(), ApiKeyBody::from))
}

async fn create(
    Recent(call): Recent<Call<Own>>,
    sent: Once<Body<NewApiKey>>,
) -> Answer<Created<ApiKeyBody>> {
    call.once(sent, async move |change, sent| {
        let new = NewKey {
            name: sent.name.into(),
            role: sent.role,
            expires_at: sent.expires_at.map(Moment::get),
        };
        Ok(created(api_keys::create(change, new).await?))
    })
    .await
}

async fn get(call: Call<Own>, key: Path<ApiKeyId>) -> Answer<Json<ApiKeyBody>> {
    let mut tx = call.read().await?;
    let row = tx.api_key_row(*key).await?.ok_or(Refusal::NotFound)?;
    Ok(Json::new(&row.into()))
}

async fn revoke(call: Call<Own>, Path(key): Path<ApiKeyId>) -> Answer<NoContent> {
    call.change(async move |change| {
        api_keys::revoke(change, key).await?;
        Ok(NoContent)
    })
    .await
}

async fn rotate(
    Recent(call): Recent<Call<Own>>,
    Path(key): Path<ApiKeyId>,
    sent: Once<Body<Rotation>>,
) -> Answer<Created<ApiKeyBody>> {
    call.once(sent, async move |change, sent| {
        let seconds = sent.grace_seconds.map(WholeNumber::get);
        let grace = seconds.map_or(api_keys::GRACE, TimeDelta::seconds);
        Ok(created(api_keys::rotate(change, key, grace).await?))
    })
    .await
}
