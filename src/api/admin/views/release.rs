//! A release.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::timeline::Way;
use crate::store::releases::ReleaseRow;
use crate::web::input::answered_words;

answered_words! {
    Way: Release, Rollback, Cancel;
}

/// A release: this version is live from this moment, until a later release says otherwise; for everybody, or for a share of the users.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) struct ReleaseBody {
    /// The release's id.
    id: Uuid,
    /// The version's number; of a cancellation, the one that was to stay live when it was made.
    #[schema(example = 4)]
    version: i32,
    /// From when the release is live.
    live_from: DateTime<Utc>,
    /// How many of a hundred users get it, while the others get the version that was released to everybody before. Absent: everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 20)]
    percent: Option<u8>,
    /// `release`, `rollback`, or `cancel` of a scheduled one.
    #[schema(value_type = Way, example = "release")]
    way: &'static str,
    /// The release that a cancellation calls off. Absent otherwise, and in cancellations of earlier releases of the gateway, which
    /// call off what was scheduled for the same moment before them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancels: Option<Uuid>,
    /// The cancellation that called this release off: it counts no more. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    cancelled_by: Option<Uuid>,
    /// Who made the release.
    actor: String,
    /// The reason, for the history.
    note: String,
    /// When the release was made.
    created_at: DateTime<Utc>,
}

impl From<ReleaseRow> for ReleaseBody {
    fn from(row: ReleaseRow) -> Self {
        Self {
            id: row.release.id.0,
            version: row.release.version,
            live_from: row.release.live_from,
            percent: row.release.percent,
            way: row.release.way.as_str(),
            cancels: row.release.cancels.map(|id| id.0),
            cancelled_by: row.cancelled_by.map(|id| id.0),
            actor: row.actor,
            note: row.note,
            created_at: row.created_at,
        }
    }
}
