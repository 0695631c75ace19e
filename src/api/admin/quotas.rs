//! `/v1/admin/quotas` and `/v1/admin/users/{subject}/quotas`: what is left.

use crate::api::quotas::QuotasBody;
use crate::authoring::policy;
use crate::domain::caller::Subject;
use crate::domain::policy::Policy;
use crate::domain::quota::{Quota, Quotas, Scope};
use crate::store::tenant_tx::TenantTx;
use crate::tenants::refusal::Refusal;
use crate::web::admin::View;
use crate::web::operation::{Answer, Call, Json, Path, operations};

operations! {
    "Admin: sessions";

    "/v1/admin/quotas" {
        /// Returns what is left of the quotas for all users together: those of the policy, and what an operator allows.
        GET getTenantQuotas => tenant;
    }
    "/v1/admin/users/{subject:[^/]+}/quotas" {
        /// Returns what is left of a user's quotas.
        GET getUserQuotas => user;
    }
}

/// Those that hold: the tenant's own, and what an operator says.
pub(in crate::api) async fn quotas(tx: &mut TenantTx) -> Result<Quotas, Refusal> {
    let row = policy::tenant(tx).await?;
    // What can't be read has stopped all mints.
    let mut quotas = Policy::parse(&row.policy).unwrap_or_default().quotas;
    let most = Quota::parse(&row.quota).unwrap_or_default();
    quotas.tenant = quotas.tenant.min(&most);
    Ok(quotas)
}

async fn tenant(call: Call<View>) -> Answer<Json<QuotasBody>> {
    let mut tx = call.read().await?;
    let quota = quotas(&mut tx).await?.tenant;
    let used = tx.quota_use(None).await?;
    let now = call.gateway().clock.now();
    Ok(Json::new(&QuotasBody::new(
        Scope::Tenant,
        &quota,
        used,
        now,
    )))
}

async fn user(call: Call<View>, subject: Path<Subject>) -> Answer<Json<QuotasBody>> {
    let mut tx = call.read().await?;
    let quota = quotas(&mut tx).await?.user;
    let used = tx.quota_use(Some(&subject)).await?;
    let now = call.gateway().clock.now();
    Ok(Json::new(&QuotasBody::new(Scope::User, &quota, used, now)))
}
