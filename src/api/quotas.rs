//! `GET /v1/me/quotas`: what the user may still use.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::quota::{Left, Measure, Quota, Scope, Use};
use crate::web::operation::{Answer, Json, User, operations};

operations! {
    "Sessions";

    "/v1/me/quotas" {
        /// Returns what is left of the user's own quotas; an empty list where the tenant has none.
        GET getQuotas => get;
    }
}

/// Quotas of one user, or of a tenant's users together.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quotas)]
pub(super) struct QuotasBody {
    /// Days first. Days and months are those of UTC.
    quotas: Vec<QuotaBody>,
}

/// One quota.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Quota)]
struct QuotaBody {
    /// Its name in the policy: `sessionsPerDay`, `sessionsPerMonth`, `minutesPerDay` or `minutesPerMonth`.
    #[schema(example = "sessionsPerDay")]
    name: &'static str,
    /// How many there may be.
    #[schema(example = 20)]
    most: u32,
    /// How many are left. Minutes of a session count as used from the start, and come back when Anam tells that it was shorter.
    #[schema(example = 17)]
    left: i64,
    /// Whether four fifths are used.
    low: bool,
    /// When the next day or month begins.
    resets_at: DateTime<Utc>,
}

impl From<Left> for QuotaBody {
    fn from(left: Left) -> Self {
        Self {
            name: left.measure.as_str(),
            most: left.most,
            left: left.left,
            low: left.is_low(),
            resets_at: left.resets_at,
        }
    }
}

impl QuotasBody {
    /// What is left now, where so much was used; `None`, nothing yet.
    pub(super) fn new(scope: Scope, quota: &Quota, used: Option<Use>, now: DateTime<Utc>) -> Self {
        let mut used = used.unwrap_or_else(|| Use::none(now));
        used.go_on(now);
        let mut left: Vec<Left> = used.left(scope, quota).collect();
        left.sort_by_key(|left| {
            matches!(
                left.measure,
                Measure::SessionsPerMonth | Measure::MinutesPerMonth
            )
        });
        Self {
            quotas: left.into_iter().map(QuotaBody::from).collect(),
        }
    }
}

async fn get(user: User) -> Answer<Json<QuotasBody>> {
    let quota = user.tenant.snapshot.policy.quotas.user;
    let gateway = user.gateway();
    let spent = if quota.is_empty() {
        None
    } else {
        let mut tx = gateway.users_database.tenant(user.caller.tenant).await?;
        let spent = tx.quota_use(Some(&user.caller.subject)).await?;
        tx.commit().await?;
        spent
    };
    let now = gateway.clock.now();
    Ok(Json::new(&QuotasBody::new(Scope::User, &quota, spent, now)))
}
