//! A reading of Anam's lists.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::store::catalogue_sync::CatalogueSyncRow;

/// A reading of Anam's lists.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = CatalogueSync)]
pub(in crate::api::admin) struct SyncBody {
    /// The reading.
    id: Uuid,
    /// Who started it; `gateway:schedule` where the policy did.
    #[schema(example = "gateway:schedule")]
    actor: String,
    /// When it began.
    started_at: DateTime<Utc>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    finished_at: Option<DateTime<Utc>>,
    /// `running`; `done`; `partial`: some lists could not be read, and their kinds were left alone; `failed`: none could.
    #[schema(example = "done", pattern = "^(running|done|partial|failed)$")]
    outcome: String,
    /// By kind: `listed`, `new`, `changed`, `retired` and `returned` (each with `count` and the first hundred `ids`),
    /// `unreadable` rows, whether the list was `whole`, and whether what is missing from it was `doubted`; or `error`, a
    /// problem's code.
    #[schema(value_type = Object)]
    report: Map<String, Value>,
}

impl From<CatalogueSyncRow> for SyncBody {
    fn from(row: CatalogueSyncRow) -> Self {
        Self {
            id: row.id.0,
            actor: row.actor,
            started_at: row.started_at,
            finished_at: row.finished_at,
            outcome: row.outcome,
            report: row.report,
        }
    }
}
