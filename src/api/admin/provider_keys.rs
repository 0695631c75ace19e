//! `/v1/admin/provider-keys`: the tenant's own Anam keys. A key goes in and is never shown again.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::anam::Probe;
use crate::domain::fault::Fault;
use crate::domain::ids::ProviderKeyId;
use crate::store::provider_keys::ProviderKeyInfo;
use crate::tenants::provider_keys::{self, KEY_CHARS, KeyText, MAX_LABEL};
use crate::tenants::refusal::Refusal;
use crate::web::admin::{Own, View};
use crate::web::etag::Validator;
use crate::web::input::{Line, Member, Schemas, input, secret};
use crate::web::operation::{
    Answer, Body, Call, Created, IfMatch, Json, NoContent, Once, Path, Recent, Tagged, operations,
};
use crate::web::page::PageBody;

operations! {
    "Admin: provider keys";

    "/v1/admin/provider-keys" {
        /// Lists the tenant's Anam API keys, newest first.
        GET listProviderKeys => list;
        /// Adds an Anam API key, after asking Anam whether it is valid. It is used from now on; the key before it stays active
        /// until it is retired, so that nothing fails meanwhile.
        POST addProviderKey => add;
    }
    "/v1/admin/provider-keys/{key}" {
        /// Returns one key's description, without the key itself.
        GET getProviderKey => get;
        /// Deletes a retired key.
        DELETE deleteProviderKey => delete;
    }
    "/v1/admin/provider-keys/{key}:test" {
        /// Asks Anam whether a stored key is valid.
        POST testProviderKey => test;
    }
    "/v1/admin/provider-keys/{key}:retire" {
        /// Retires a key. If it was the newest, the key before it is used again.
        POST retireProviderKey => retire;
    }
}

/// An Anam API key, without the key itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProviderKey)]
struct ProviderKeyBody {
    /// The key's id at the gateway.
    id: Uuid,
    /// The label that an admin gave the key.
    #[schema(example = "production, autumn")]
    label: String,
    /// Its last four characters; empty for a short key.
    #[schema(example = "9f3c")]
    last_four: String,
    /// Whether it may be used. The newest active key is the one in use.
    active: bool,
    /// Whether it is the one that tokens are minted with.
    in_use: bool,
    /// Since when it is stored.
    created_at: DateTime<Utc>,
}

impl ProviderKeyBody {
    fn new(key: ProviderKeyInfo, in_use: bool) -> Self {
        Self {
            id: key.id.0,
            label: key.label,
            last_four: key.last_four,
            active: key.active,
            in_use,
            created_at: key.created_at,
        }
    }

    fn validator(&self) -> Validator {
        let content = json!([self.id, self.active, self.in_use]).to_string();
        Validator::new(1, content.as_bytes())
    }

    fn tagged(&self) -> Tagged<Self> {
        Tagged::new(self, &self.validator())
    }
}

input! {
    /// A key to add.
    struct NewProviderKey {
        /// A label by which admins recognise the key.
        #[example("production, autumn")]
        label: Line<MAX_LABEL>,
        /// The Anam API key. Sealed, and never shown again.
        key: KeyText,
        /// Adds it without asking Anam whether it is good.
        skip_test: bool = false,
    }

    /// How a key is retired.
    struct ProviderKeyRetirement {
        /// Retires it although it is the only active one: from then on the platform's key is used, if there is one.
        leave_none: bool = false,
    }
}

impl Member for KeyText {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        secret(value, Self::parse)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "minLength": KEY_CHARS.start(), "maxLength": KEY_CHARS.end(), "writeOnly": true })
    }
}

/// The result of testing a key at Anam.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderKeyTest)]
struct TestBody {
    outcome: OutcomeBody,
    /// The same in words.
    message: &'static str,
}

/// `good`; `refused`: Anam does not know the key; `noPermission`: it may not read Anam's lists, and whether it may mint is unknown;
/// `noPlan`; `unreachable`: Anam gave no answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ProviderKeyOutcome)]
enum OutcomeBody {
    Good,
    Refused,
    NoPermission,
    NoPlan,
    Unreachable,
}

impl From<Probe> for TestBody {
    fn from(probe: Probe) -> Self {
        let (outcome, message) = match probe {
            Probe::Good => (OutcomeBody::Good, "Anam takes it."),
            Probe::Refused => (
                OutcomeBody::Refused,
                "Anam does not know it: tokens can't be minted with it.",
            ),
            Probe::NoPermission => (
                OutcomeBody::NoPermission,
                "Anam knows it, but it may not read lists: the catalogue can't be synchronised with it. Whether it may mint shows with the first token.",
            ),
            Probe::NoPlan => (
                OutcomeBody::NoPlan,
                "Anam knows it, but its account has no plan.",
            ),
            Probe::Unreachable => (
                OutcomeBody::Unreachable,
                "Anam gave no answer that tells. Try again.",
            ),
        };
        Self { outcome, message }
    }
}

async fn list(call: Call<View>) -> Answer<Json<PageBody<ProviderKeyBody>>> {
    let mut tx = call.read().await?;
    let (keys, current) = provider_keys::list(&mut tx).await?;
    let body = |key: ProviderKeyInfo| {
        let in_use = current == Some(key.id);
        ProviderKeyBody::new(key, in_use)
    };
    Ok(Json::new(&PageBody {
        items: keys.into_iter().map(body).collect(),
        next: None,
    }))
}

async fn add(
    Recent(call): Recent<Call<Own>>,
    sent: Once<Body<NewProviderKey>>,
) -> Answer<Created<ProviderKeyBody>> {
    let gateway = call.gateway();
    let probe = match sent.get() {
        Some(new) if !new.skip_test => {
            gateway.admit_try_out(call.tenant)?;
            Some(provider_keys::test(gateway, &new.key).await)
        }
        _ => None,
    };
    call.once(sent, async move |change, sent| {
        if let Some(fault) = probe.and_then(provider_keys::objection) {
            return Err(Refusal::Invalid(vec![fault]).into());
        }
        let added = provider_keys::add(change, &sent.label, &sent.key, probe).await?;
        let body = ProviderKeyBody::new(added, true);
        let address = format!("/v1/admin/provider-keys/{}", body.id);
        Ok(Created::at(address, &body).with_state(&body.validator()))
    })
    .await
}

async fn get(call: Call<View>, key: Path<ProviderKeyId>) -> Answer<Tagged<ProviderKeyBody>> {
    let mut tx = call.read().await?;
    let (key, in_use) = provider_keys::find(&mut tx, *key).await?;
    Ok(ProviderKeyBody::new(key, in_use).tagged())
}

async fn delete(
    Recent(call): Recent<Call<Own>>,
    Path(key): Path<ProviderKeyId>,
    seen: IfMatch,
) -> Answer<NoContent> {
    call.change(async move |change| {
        change.lock_authoring().await?;
        let (key, in_use) = provider_keys::find(&mut change.tx, key).await?;
        let body = ProviderKeyBody::new(key.clone(), in_use);
        seen.check(&body.validator(), || json!(body))?;
        provider_keys::delete(change, &key).await?;
        Ok(NoContent)
    })
    .await
}

async fn test(call: Call<Own>, key: Path<ProviderKeyId>) -> Answer<Json<TestBody>> {
    let gateway = call.gateway();
    let key = provider_keys::open(gateway, call.tenant, *key).await?;
    gateway.admit_try_out(call.tenant)?;
    let probe = provider_keys::test(gateway, &key).await;
    Ok(Json::new(&probe.into()))
}

async fn retire(
    Recent(call): Recent<Call<Own>>,
    Path(key): Path<ProviderKeyId>,
    sent: Body<ProviderKeyRetirement>,
) -> Answer<Tagged<ProviderKeyBody>> {
    call.change(async move |change| {
        let leave_none = sent.checked()?.leave_none;
        let (key, in_use) = provider_keys::retire(change, key, leave_none).await?;
        Ok(ProviderKeyBody::new(key, in_use).tagged())
    })
    .await
}
