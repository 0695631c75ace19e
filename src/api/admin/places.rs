//! `/v1/admin/places`: conversations of the tenant that go on now.

use serde::Serialize;
use utoipa::ToSchema;

use crate::authoring::policy;
use crate::domain::places::SetShare;
use crate::domain::policy::Policy;
use crate::web::admin::View;
use crate::web::operation::{Answer, Call, Json, operations};

operations! {
    "Admin: sessions";

    "/v1/admin/places" {
        /// Returns how many conversations the tenant has now, and may have, where they are counted.
        GET getPlaces => get;
    }
}

/// The tenant's places.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Places)]
struct PlacesBody {
    /// Whether conversations are counted: the policy limits them, or the installation counts those of its Anam key.
    counted: bool,
    /// Conversations, and tokens that were given within the last minute and may become one.
    #[schema(example = 3)]
    taken: u32,
    /// Users who were told to wait, and keep their turn.
    #[schema(example = 0)]
    waiting: u32,
    /// The most that there may be, as the policy or the operator says; null is no limit of the tenant's own.
    #[schema(example = 5)]
    most: Option<u32>,
    /// What is guaranteed of the installation's key.
    #[schema(example = 2)]
    guaranteed: u32,
}

async fn get(call: Call<View>) -> Answer<Json<PlacesBody>> {
    let mut tx = call.read().await?;
    let now = call.gateway().clock.now();
    let row = policy::tenant(&mut tx).await?;
    // One that can't be read has stopped all mints.
    let limits = Policy::parse(&row.policy).unwrap_or_default().limits;
    let has_own_key = tx.active_provider_key().await?.is_some();
    let share = tx.place_share().await?;
    let places = tx.places(now).await?;
    let of_platform = call.gateway().places.of_platform().is_some();
    let share = if has_own_key {
        SetShare::default()
    } else {
        share
    };
    Ok(Json::new(&PlacesBody {
        counted: limits.conversations.or(limits.user_conversations).is_some()
            || (of_platform && !has_own_key),
        taken: places.taken,
        waiting: places.waiting,
        most: share.most.into_iter().chain(limits.conversations).min(),
        guaranteed: share.guaranteed,
    }))
}
