//! `/v1/admin/me`: who the credential belongs to.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::role::Role;
use crate::tenants::refusal::Refusal;
use crate::web::admin::View;
use crate::web::operation::{Answer, Call, Json, operations};

operations! {
    "Admin: access";

    "/v1/admin/me" {
        /// Returns whose the credential is, and what it may do.
        GET getMe => get;
    }
}

/// Who acts, and where.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Me {
    /// As the audit trail says it.
    #[schema(example = "key:pgk_Ab3dE9xQ")]
    actor: String,
    /// The role, which decides what the credential may do.
    role: Role,
    /// The tenant's name in bundles.
    #[schema(example = "demo")]
    tenant: String,
    /// The tenant's display name.
    #[schema(example = "Demo Inc.")]
    tenant_name: String,
}

async fn get(call: Call<View>) -> Answer<Json<Me>> {
    let mut tx = call.read().await?;
    let tenant = tx.tenant_row().await?.ok_or(Refusal::NotFound)?;
    Ok(Json::new(&Me {
        actor: call.actor.label.clone(),
        role: call.role,
        tenant: tenant.slug,
        tenant_name: tenant.name,
    }))
}
