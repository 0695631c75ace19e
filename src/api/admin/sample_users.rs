//! `/v1/admin/sample-users`: users whom admins made up, to preview documents and to test them with.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::authoring::sample_users;
use crate::domain::caller::{Facts, Subject};
use crate::domain::key::Key;
use crate::domain::preferences::Preferences;
use crate::domain::sample_user::SampleUser;
use crate::store::sample_users::SampleUserRow;
use crate::web::admin::{Edit, View};
use crate::web::etag::{Conditions, Validator};
use crate::web::input::{Block, input};
use crate::web::operation::{
    Answer, Body, Call, IfMatch, NoContent, Page, PageOf, Path, Stored, Tagged, operations,
};

operations! {
    "Admin: preview and tests";

    "/v1/admin/sample-users" {
        /// Lists the sample users, by key.
        GET listSampleUsers => list;
    }
    "/v1/admin/sample-users/{key}" {
        /// Returns one sample user.
        GET getSampleUser => get;
        /// Creates or replaces a sample user. Send `If-None-Match: *` to create one, or `If-Match` with the `ETag` of a read to
        /// replace one.
        PUT putSampleUser => put;
        /// Deletes a sample user, unless a test of a live document needs it.
        DELETE deleteSampleUser => delete;
    }
}

/// A made-up user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SampleUserBody {
    /// Its name, for previews and tests.
    #[schema(example = "gold-customer")]
    key: String,
    /// Whom the user stands for, in an admin's words.
    #[schema(example = "A customer on the gold plan who calls for the first time")]
    description: String,
    /// The token's `sub`: it decides the arm of a split.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false, example = "sample-1")]
    subject: Option<Value>,
    /// What the token's claims would tell.
    #[schema(value_type = Object, example = json!({ "plan": "gold", "name": "Ann" }))]
    facts: Value,
    /// What the user has chosen.
    #[schema(value_type = Object, example = json!({ "tone": "brief" }))]
    preferences: Value,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    version: i64,
}

impl From<SampleUserRow> for SampleUserBody {
    fn from(row: SampleUserRow) -> Self {
        let mut content = row.content;
        let mut object = |name: &str| {
            let members = content.remove(name);
            members.unwrap_or_else(|| Value::Object(Map::new()))
        };
        let (facts, preferences) = (object("facts"), object("preferences"));
        Self {
            key: row.key,
            description: row.description,
            subject: content.remove("subject"),
            facts,
            preferences,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

impl SampleUserBody {
    fn validator(&self) -> Validator {
        Validator::new(self.version, self.key.as_bytes())
    }

    fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

input! {
    /// What a made-up user is from now on.
    struct SampleUserChange {
        /// Whom the user stands for, in an admin's words.
        #[example("A customer on the gold plan")]
        description: Block<{ sample_users::MAX_DESCRIPTION }> = Block::default(),
        /// The token's `sub`.
        #[example("sample-1")]
        subject: Option<Subject>,
        /// What the token's claims would tell: texts, numbers, flags and lists of these.
        #[example({ "plan": "gold", "name": "Ann" })]
        facts: Facts = Facts::new(),
        /// What the user has chosen.
        #[example({ "tone": "brief" })]
        preferences: Preferences = Preferences::default(),
    }
}

async fn list(call: Call<View>, page: PageOf<()>) -> Answer<Page<SampleUserBody>> {
    let mut tx = call.read().await?;
    let rows = tx.sample_users(page.after(), page.rows()).await?;
    Ok(page.of(rows, |row| row.key.clone(), SampleUserBody::from))
}

async fn get(call: Call<View>, Path(key): Path<Key>) -> Answer<Tagged<SampleUserBody>> {
    let mut tx = call.read().await?;
    let body = SampleUserBody::from(sample_users::find(&mut tx, &key).await?);
    Ok(Tagged::new(&body, &body.validator()))
}

async fn put(
    call: Call<Edit>,
    Path(key): Path<Key>,
    conditions: Conditions,
    sent: Body<SampleUserChange>,
) -> Answer<Stored<SampleUserBody>> {
    call.change(async move |change| {
        change.lock_authoring().await?;
        let before = change.tx.sample_user(&key).await?.map(SampleUserBody::from);
        let validator = before.as_ref().map_or_else(
            || Validator::new(0, key.as_str().as_bytes()),
            SampleUserBody::validator,
        );
        validator.require_any(conditions, || {
            before
                .as_ref()
                .map(SampleUserBody::to_value)
                .unwrap_or_default()
        })?;
        let sent = sent.checked()?;
        let user = SampleUser {
            subject: sent.subject,
            facts: sent.facts,
            preferences: sent.preferences,
        };
        let row = sample_users::put(change, &key, &sent.description, &user).await?;
        let body = SampleUserBody::from(row);
        Ok(Stored::new(&body, &body.validator(), before.is_none()))
    })
    .await
}

async fn delete(call: Call<Edit>, Path(key): Path<Key>, seen: IfMatch) -> Answer<NoContent> {
    call.change(async move |change| {
        change.lock_authoring().await?;
        let body = SampleUserBody::from(sample_users::find(&mut change.tx, &key).await?);
        seen.check(&body.validator(), || body.to_value())?;
        sample_users::delete(change, &key).await?;
        Ok(NoContent)
    })
    .await
}
