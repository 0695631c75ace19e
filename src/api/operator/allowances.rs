//! What operators allow tenants: places of the platform's Anam key, and how much all users of a tenant may use.

use actix_web::web;
use serde::Serialize;
use utoipa::ToSchema;

use super::{OperatedQuotaBody, TenantPlacesBody};
use crate::api::admin::quotas::quotas;
use crate::api::quotas::QuotasBody;
use crate::domain::places::{KeyOwner, MAX_PLACES, SetShare};
use crate::domain::quota::{MAX_QUOTA, Quota, Scope};
use crate::gateway::Gateway;
use crate::tenants::refusal::Refusal;
use crate::web::input::{WholeNumber, input};
use crate::web::operation::{Answer, Body, Json, Path, TenantName, operations};
use crate::web::people::Operator;

operations! {
    "Operator";

    "/v1/operator/places" {
        /// Returns how many conversations the platform's Anam key has at the same time, and how many there are.
        GET getPlatformPlaces => get;
    }
    "/v1/operator/tenants/{slug}/places" {
        /// Says how many of them a tenant is guaranteed, and how many it may have at most.
        PUT putTenantPlaces => put;
    }
    "/v1/operator/tenants/{slug}/quotas" {
        /// Returns what is left of a tenant's quotas for all its users together: those of its policy, and what an operator allows.
        GET getOperatedQuotas => get_quotas;
        /// Says what all users of a tenant may use at most, whatever its policy says. What is left out is not limited.
        PUT putTenantQuota => put_quota;
    }
}

/// The places of the platform's Anam key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlatformPlaces)]
struct PlatformPlacesBody {
    /// How many there are, as `anam.places` says; null where they are not counted.
    #[schema(example = 10)]
    places: Option<u32>,
    /// Taken by conversations, and kept for tokens that were just given.
    #[schema(example = 7)]
    taken: u32,
    /// Users who wait for one.
    #[schema(example = 0)]
    waiting: u32,
}

input! {
    /// What a tenant has of the platform's places.
    struct TenantPlaces {
        /// Kept for it while it does not need them; 0 unless sent.
        #[example(2)]
        guaranteed: Option<WholeNumber<u32, 0, { MAX_PLACES as i64 }>>,
        /// The most that it may have; all, unless sent.
        #[example(5)]
        most: Option<WholeNumber<u32, 1, { MAX_PLACES as i64 }>>,
    }
}

input! {
    /// What all users of a tenant may use at most. Days and months are those of UTC.
    struct TenantQuota {
        /// Sessions in a day.
        #[example(500)]
        sessions_per_day: Option<WholeNumber<u32, 1, { MAX_QUOTA as i64 }>>,
        /// Sessions in a month.
        #[example(10000)]
        sessions_per_month: Option<WholeNumber<u32, 1, { MAX_QUOTA as i64 }>>,
        /// Minutes of conversation in a day. A session takes its longest length until Anam tells how long it was.
        #[example(1000)]
        minutes_per_day: Option<WholeNumber<u32, 1, { MAX_QUOTA as i64 }>>,
        /// The same in a month.
        #[example(20000)]
        minutes_per_month: Option<WholeNumber<u32, 1, { MAX_QUOTA as i64 }>>,
    }
}

async fn get(_operator: Operator, gateway: web::Data<Gateway>) -> Answer<Json<PlatformPlacesBody>> {
    let mut tx = gateway.database.platform().await?;
    let now = tx
        .places_now(KeyOwner::Platform, gateway.clock.now())
        .await?;
    tx.commit().await?;
    Ok(Json::new(&PlatformPlacesBody {
        places: gateway.places.of_platform().map(Into::into),
        taken: now.taken,
        waiting: now.waiting,
    }))
}

async fn put(
    operator: Operator,
    gateway: web::Data<Gateway>,
    slug: Path<TenantName>,
    sent: Body<TenantPlaces>,
) -> Answer<Json<TenantPlacesBody>> {
    let TenantPlaces { guaranteed, most } = sent.checked()?;
    let share = SetShare {
        guaranteed: guaranteed.map_or(0, WholeNumber::get),
        most: most.map(WholeNumber::get),
    };
    let label = operator.label();
    let acting = operator.acting(&gateway, &label);
    let all = gateway.places.of_platform();
    acting.share_places(&slug.0.0, share, all).await?;
    Ok(Json::new(&TenantPlacesBody::from(share)))
}

async fn get_quotas(
    _operator: Operator,
    gateway: web::Data<Gateway>,
    slug: Path<TenantName>,
) -> Answer<Json<QuotasBody>> {
    let mut tx = gateway.database.platform().await?;
    let tenant = tx.tenant_by_slug(&slug.0.0).await?;
    tx.commit().await?;
    let mut tx = gateway
        .database
        .tenant(tenant.ok_or(Refusal::NotFound)?)
        .await?;
    let quota = quotas(&mut tx).await?.tenant;
    let used = tx.quota_use(None).await?;
    tx.commit().await?;
    let now = gateway.clock.now();
    Ok(Json::new(&QuotasBody::new(
        Scope::Tenant,
        &quota,
        used,
        now,
    )))
}

async fn put_quota(
    operator: Operator,
    gateway: web::Data<Gateway>,
    slug: Path<TenantName>,
    sent: Body<TenantQuota>,
) -> Answer<Json<OperatedQuotaBody>> {
    let TenantQuota {
        sessions_per_day,
        sessions_per_month,
        minutes_per_day,
        minutes_per_month,
    } = sent.checked()?;
    let quota = Quota {
        sessions_per_day: sessions_per_day.map(WholeNumber::get),
        sessions_per_month: sessions_per_month.map(WholeNumber::get),
        minutes_per_day: minutes_per_day.map(WholeNumber::get),
        minutes_per_month: minutes_per_month.map(WholeNumber::get),
    };
    let label = operator.label();
    let acting = operator.acting(&gateway, &label);
    acting.set_quota(&slug.0.0, quota).await?;
    Ok(Json::new(&OperatedQuotaBody::from(quota)))
}
