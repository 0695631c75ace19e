//! A document, and what its changes are based on.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::authoring::documents;
use crate::authoring::export::order;
use crate::domain::document::DocumentKind;
use crate::domain::key::Key;
use crate::sources::Serving;
use crate::sources::load::{PassedOver, Served, all_served};
use crate::store::documents::DocumentRow;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::web::etag::Validator;
use crate::web::finding::FaultBody;
use crate::web::operation::IfMatch;
use crate::web::problem::Problem;

/// A document.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::api::admin) struct DocumentBody {
    #[schema(value_type = DocumentKind, example = "persona")]
    kind: &'static str,
    /// Its name within the kind.
    #[schema(example = "support-agent")]
    key: String,
    /// Of a persona: its name for people, as its newest version has it, or a draft where none is sealed. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Liv from support")]
    name: Option<String>,
    /// The version that is live, which mints get; of a snippet, the one that personas pin when they are sealed. Absent where none is,
    /// and of archived documents.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    pub(in crate::api::admin) live_version: Option<i32>,
    /// The version that a share of the users gets instead. Absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rollout: Option<RolloutBody>,
    /// Versions that were released later and can't be served, the newest first. Absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    passed_over: Vec<PassedOverBody>,
    /// What the live version says; `PATCH` changes it. Absent in lists, and where nothing is live.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    pub(in crate::api::admin) content: Option<Map<String, Value>>,
    /// Why no document of the tenant is served. Absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    not_served: Option<String>,
    /// The newest sealed version; absent where none is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 4)]
    latest_version: Option<i32>,
    /// How many drafts there are.
    drafts: i64,
    /// When it was taken out of use; absent while it is in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    archived_at: Option<DateTime<Utc>>,
    /// When the document was created.
    created_at: DateTime<Utc>,
}

/// A version that is rolled out to a share of the users.
#[derive(Debug, Serialize, ToSchema)]
struct RolloutBody {
    /// The version's number.
    #[schema(example = 6)]
    version: i32,
    /// How many of a hundred users.
    #[schema(example = 20)]
    percent: u8,
}

/// A released version that is not served.
#[derive(Debug, Serialize, ToSchema)]
struct PassedOverBody {
    /// The version's number.
    #[schema(example = 5)]
    version: i32,
    /// Why the version can't be served.
    reasons: Vec<FaultBody>,
}

impl From<PassedOver> for PassedOverBody {
    fn from(passed_over: PassedOver) -> Self {
        Self {
            version: passed_over.version,
            reasons: passed_over.faults.iter().map(FaultBody::from).collect(),
        }
    }
}

impl DocumentBody {
    pub(in crate::api::admin) fn new(row: DocumentRow, serving: &Serving) -> Self {
        let served = serving.served(row.kind, &row.key);
        Self {
            not_served: serving.refusal().map(ToOwned::to_owned),
            ..Self::served(row, served)
        }
    }

    pub(in crate::api::admin) fn served(row: DocumentRow, served: Served) -> Self {
        let passed_over = served.passed_over.into_iter();
        Self {
            kind: row.kind.as_str(),
            key: row.key,
            name: row.name,
            live_version: served.version,
            rollout: served
                .rollout
                .map(|(version, percent)| RolloutBody { version, percent }),
            passed_over: passed_over.map(PassedOverBody::from).collect(),
            content: None,
            not_served: None,
            latest_version: row.latest_version,
            drafts: row.drafts,
            archived_at: row.archived_at,
            created_at: row.created_at,
        }
    }
}

/// The state that changes of a document are based on.
pub(in crate::api::admin) async fn validator(
    tx: &mut TenantTx,
    row: &DocumentRow,
    now: DateTime<Utc>,
) -> Result<Validator, Refusal> {
    let number = i64::from(row.latest_version.unwrap_or_default());
    Ok(Validator::new(
        number.saturating_add(1),
        &documents::state(tx, row, now).await?,
    ))
}

/// The document, provided that the caller has seen it as it is. The tenant's documents are locked from here on.
pub(in crate::api::admin) async fn seen_document(
    change: &mut Change,
    seen: IfMatch,
    kind: DocumentKind,
    key: &Key,
) -> Result<DocumentRow, Problem> {
    change.lock_authoring().await?;
    let row = documents::find(&mut change.tx, kind, key).await?;
    let validator = validator(&mut change.tx, &row, change.now).await?;
    let mut current = Value::Null;
    if !seen.names(&validator) {
        let served = all_served(&mut change.tx, change.now).await?;
        let served = served.get(&(kind, key.clone())).cloned();
        let mut body = DocumentBody::served(row.clone(), served.unwrap_or_default());
        if let Some(number) = body.live_version {
            let version = change.tx.version(row.id, number).await?;
            body.content = version.map(|row| order::of_document(kind, row.content));
        }
        current = serde_json::to_value(&body).unwrap_or_default();
    }
    seen.check(&validator, || current)?;
    Ok(row)
}
