//! `/v1/admin/policy` and `/v1/admin/tenant`: the rules for all personas and users of a tenant, and its name.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{RefBuilder, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::authoring::bundle::MAX_NAME_CHARS;
use crate::authoring::export::order;
use crate::authoring::policy;
use crate::domain::fault::Fault;
use crate::domain::merge_patch::merged;
use crate::domain::policy::Policy;
use crate::store::tenants::TenantRow;
use crate::tenants::change::Change;
use crate::web::admin::{Own, View};
use crate::web::etag::Validator;
use crate::web::input::{Line, Member, Object, Schemas, input};
use crate::web::operation::{Answer, Body, Call, IfMatch, Patch, Tagged, operations};

operations! {
    "Admin: policy";

    "/v1/admin/policy" {
        /// Returns the policy, default values included. `catalogueSync` is there only if it is set.
        GET getPolicy => get;
        /// Replaces the policy. It is refused if something live would no longer be valid under it.
        PUT putPolicy => put;
        /// Changes members of the policy: a JSON merge patch (RFC 7396), where null removes a member.
        PATCH patchPolicy => patch;
    }
    "/v1/admin/tenant" {
        /// Returns the tenant.
        GET getTenant => get_tenant;
        /// Changes the tenant's display name.
        PATCH patchTenant => patch_tenant;
    }
}

/// The name of a policy's schema in the document: that of bundles.
const SCHEMA: &str = "BundlePolicy";

/// The policy, as in a bundle.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct PolicyBody(Map<String, Value>);

impl PartialSchema for PolicyBody {
    fn schema() -> RefOr<Schema> {
        let policy = RefBuilder::new().ref_location_from_schema_name(SCHEMA);
        policy
            .description(Some("The policy, as in a bundle"))
            .into()
    }
}

impl ToSchema for PolicyBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "Policy".into()
    }
}

/// The tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
struct TenantBody {
    /// The tenant's id.
    id: Uuid,
    /// Its name in addresses and bundles, which stays.
    #[schema(example = "acme")]
    slug: String,
    /// Its name for people; templates say it as `tenant.name`.
    #[schema(example = "Acme Inc.")]
    name: String,
}

impl From<&TenantRow> for TenantBody {
    fn from(row: &TenantRow) -> Self {
        Self {
            id: row.id.0,
            slug: row.slug.clone(),
            name: row.name.clone(),
        }
    }
}

input! {
    /// A new display name of the tenant.
    struct TenantChange {
        /// The tenant's display name.
        #[example("Acme Inc.")]
        name: Line<MAX_NAME_CHARS>,
    }
}

/// A whole policy. It is read where the change is made, since it is judged together with what is live.
#[derive(Debug)]
struct NewPolicy(Object);

impl Member for NewPolicy {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        Object::read(value).map(Self)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.bundle("policy")
    }
}

/// What changes in a policy.
#[derive(Debug)]
struct PolicyPatch(Object);

impl Member for PolicyPatch {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        Object::read(value).map(Self)
    }

    fn schema(schemas: &mut Schemas) -> Value {
        schemas.named("PolicyPatch", |_| {
            json!({
                "type": "object",
                "description": "Members of a policy; null takes one away.",
                "examples": [{ "requiredApprovals": 1, "timeZone": null }],
            })
        })
    }
}

async fn get(call: Call<View>) -> Answer<Tagged<PolicyBody>> {
    let mut tx = call.read().await?;
    Ok(tagged(&policy::tenant(&mut tx).await?))
}

async fn put(call: Call<Own>, seen: IfMatch, sent: Body<NewPolicy>) -> Answer<Tagged<PolicyBody>> {
    call.change(async move |change| {
        let before = seen_policy(change, seen).await?;
        let NewPolicy(wanted) = sent.checked()?;
        Ok(tagged(&policy::replace(change, &before, &wanted).await?))
    })
    .await
}

async fn patch(
    call: Call<Own>,
    seen: IfMatch,
    sent: Patch<PolicyPatch>,
) -> Answer<Tagged<PolicyBody>> {
    call.change(async move |change| {
        let before = seen_policy(change, seen).await?;
        let PolicyPatch(changes) = sent.checked()?;
        let wanted = merged(&before.policy, changes);
        Ok(tagged(&policy::replace(change, &before, &wanted).await?))
    })
    .await
}

async fn get_tenant(call: Call<View>) -> Answer<Tagged<TenantBody>> {
    let mut tx = call.read().await?;
    Ok(tagged_tenant(&policy::tenant(&mut tx).await?))
}

async fn patch_tenant(
    call: Call<Own>,
    seen: IfMatch,
    sent: Patch<TenantChange>,
) -> Answer<Tagged<TenantBody>> {
    call.change(async move |change| {
        change.lock_authoring().await?;
        let before = policy::tenant(&mut change.tx).await?;
        seen.check(&tenant_validator(&before), || {
            json!(TenantBody::from(&before))
        })?;
        let name = sent.checked()?.name;
        Ok(tagged_tenant(
            &policy::rename(change, &before, &name).await?,
        ))
    })
    .await
}

/// The tenant, provided that the caller has seen its policy as it is. The tenant's documents are locked from here on.
async fn seen_policy(change: &mut Change, seen: IfMatch) -> Answer<TenantRow> {
    change.lock_authoring().await?;
    let row = policy::tenant(&mut change.tx).await?;
    seen.check(&validator(&row), || Value::Object(whole(&row)))?;
    Ok(row)
}

/// The policy with what has its usual value; as it is stored where it can't be read.
fn whole(row: &TenantRow) -> Map<String, Value> {
    match Policy::parse(&row.policy) {
        Ok(policy) => order::of_policy(policy.to_whole_document()),
        Err(_unreadable) => row.policy.clone(),
    }
}

fn validator(row: &TenantRow) -> Validator {
    Validator::new(1, json!(row.policy).to_string().as_bytes())
}

fn tenant_validator(row: &TenantRow) -> Validator {
    Validator::new(1, row.name.as_bytes())
}

fn tagged(row: &TenantRow) -> Tagged<PolicyBody> {
    Tagged::new(&PolicyBody(whole(row)), &validator(row))
}

fn tagged_tenant(row: &TenantRow) -> Tagged<TenantBody> {
    Tagged::new(&TenantBody::from(row), &tenant_validator(row))
}
