//! `/diff`: what a draft or a version changes, member by member, and line by line in texts.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::views::change::ChangeBody;
use crate::authoring::compare::{ComparisonBase, other_side};
use crate::authoring::{documents, drafts};
use crate::domain::diff;
use crate::domain::document::DocumentKind;
use crate::domain::fault::Fault;
use crate::domain::ids::DraftId;
use crate::domain::key::Key;
use crate::domain::wrong::Wrong;
use crate::sources::Serving;
use crate::store::documents::DocumentRow;
use crate::store::tenant_tx::TenantTx;
use crate::tenants::refusal::Refusal;
use crate::web::admin::View;
use crate::web::input::{Member, Schemas, VersionNumber, input};
use crate::web::operation::{Answer, Call, Json, Path, Query};

/// What differs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Comparison {
    /// Each place, in the order of the earlier document.
    changes: Vec<ChangeBody>,
}

input! {
    /// With what it is compared.
    pub(super) struct Side {
        /// `base` (unless set), `live`, `latest` or a version's number.
        #[example("live")]
        against: ComparisonBase = ComparisonBase::Base,
    }
}

impl Member for ComparisonBase {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        value.as_str().and_then(Self::parse).ok_or_else(|| {
            let wrong = Wrong::one_of(&["base", "live", "latest", "1", "2", "..."]);
            let form = "must be base, live, latest or a version's number";
            vec![Fault::new("", wrong.worded(form))]
        })
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "pattern": "^(base|live|latest|[1-9][0-9]{0,8})$" })
    }
}

/// What a draft changes.
pub(super) async fn of_draft(
    call: Call<View>,
    Path(draft): Path<DraftId>,
    Query(side): Query<Side>,
) -> Answer<Json<Comparison>> {
    let tenant = call.tenant;
    call.work(async move |gateway| {
        let serving = gateway.sources.serving(&gateway.database, tenant).await?;
        let mut tx = gateway.database.tenant(tenant).await?;
        let draft = drafts::find(&mut tx, draft).await?;
        let key = Key::parse(&draft.key).map_err(|_not_stored| Refusal::NotFound)?;
        let document = documents::find(&mut tx, draft.kind, &key).await?;
        let changed = (draft.base_version, &draft.content);
        compare(&serving, tx, &document, side.against, changed).await
    })
    .await
}

/// What a version changes.
pub(super) async fn of_version(
    call: Call<View>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    Path(number): Path<VersionNumber>,
    Query(side): Query<Side>,
) -> Answer<Json<Comparison>> {
    let tenant = call.tenant;
    call.work(async move |gateway| {
        let serving = gateway.sources.serving(&gateway.database, tenant).await?;
        let mut tx = gateway.database.tenant(tenant).await?;
        let document = documents::find(&mut tx, kind, &key).await?;
        let version = tx.version(document.id, number.get()).await?;
        let version = version.ok_or(Refusal::NotFound)?;
        let changed = (version.base_version, &version.content);
        compare(&serving, tx, &document, side.against, changed).await
    })
    .await
}

/// What differs between one side of a document and another, which builds on `base`.
async fn compare(
    serving: &Serving,
    mut tx: TenantTx,
    document: &DocumentRow,
    against: ComparisonBase,
    (base, changed): (Option<i32>, &Map<String, Value>),
) -> Answer<Json<Comparison>> {
    let live = serving.served(document.kind, &document.key).version;
    let before = other_side(&mut tx, document, live, base, against).await?;
    tx.commit().await?;
    Ok(Json::new(&Comparison::new(&before, changed)?))
}

impl Comparison {
    fn new(before: &Map<String, Value>, after: &Map<String, Value>) -> Result<Self, Refusal> {
        let changes = diff::diff(before, after)
            .map_err(|too_large| Refusal::fault("", Wrong::from(too_large)))?;
        Ok(Self {
            changes: changes.into_iter().map(ChangeBody::from).collect(),
        })
    }
}
