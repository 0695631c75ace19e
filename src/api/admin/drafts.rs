//! `/v1/admin/drafts`: what is being written.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use uuid::Uuid;

use super::views::version::VersionBody;
use super::{comparison, validation};
use crate::authoring::drafts::MAX_TITLE;
use crate::authoring::export::order;
use crate::authoring::{documents, drafts, rebase, seal};
use crate::domain::document::DocumentKind;
use crate::domain::fault::{Fault, Faults, step};
use crate::domain::ids::DraftId;
use crate::domain::key::Key;
use crate::domain::merge::{Choices, Side};
use crate::domain::merge_patch::merged;
use crate::domain::wrong::Wrong;
use crate::store::drafts::DraftRow;
use crate::tenants::change::Change;
use crate::web::admin::{Edit, View};
use crate::web::etag::Validator;
use crate::web::finding::{FindingBody, finding_bodies};
use crate::web::input::{Block, Member, Object, Schemas, VersionNumber, WholeNumber, input};
use crate::web::operation::{
    Answer, Body, Call, Created, IfMatch, Json, NoContent, Once, Patch, Path, Tagged, operations,
};
use crate::web::page::PageBody;

operations! {
    "Admin: drafts";

    "/v1/admin/documents/{kind}/{key}/drafts" {
        /// Lists a document's drafts, oldest first.
        GET listDrafts => list;
        /// Creates a draft of a document.
        POST openDraft => open;
    }
    "/v1/admin/drafts/{draft}" {
        /// Returns one draft.
        GET getDraft => get;
        /// Replaces a draft. `If-Match` must name its current state.
        PUT putDraft => put;
        /// Changes members of a draft: a JSON merge patch (RFC 7396), where null removes a member of the content.
        PATCH patchDraft => patch;
        /// Deletes a draft.
        DELETE discardDraft => discard;
    }
    "/v1/admin/drafts/{draft}:rebase" {
        /// Merges the newest version into a draft, field by field, and rule by rule. If both changed the same member or rule, `keep` says whose value stays.
        /// While any such member is open, nothing is written, and `conflicts` lists them.
        POST rebaseDraft => rebase_draft;
    }
    "/v1/admin/drafts/{draft}:seal" {
        /// Seals a draft: it becomes the document's next version, and the draft is deleted.
        POST sealDraft => seal_draft;
    }
    "/v1/admin/drafts/{draft}:validate" {
        /// Validates a draft: lists every finding with its place, line and advice, runs its tests, and says what a release of it
        /// would break. Sealing, releasing and applying a bundle check the same.
        POST validateDraft => validation::validate_draft;
    }
    "/v1/admin/drafts/{draft}/diff" {
        /// Compares a draft with the version that it builds on, or with another one.
        GET diffDraft => comparison::of_draft;
    }
}

/// A draft.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct DraftBody {
    /// The draft.
    id: Uuid,
    #[schema(value_type = DocumentKind, example = "persona")]
    kind: &'static str,
    #[schema(example = "support-agent")]
    key: String,
    /// The version that it builds on; absent where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    base_version: Option<i32>,
    title: String,
    /// The content, which sealing makes a version.
    #[schema(value_type = Object)]
    content: Map<String, Value>,
    author: String,
    /// Everybody who wrote in it: none of them can approve what is sealed from it.
    contributors: Vec<String>,
    /// When it was opened.
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    #[serde(skip)]
    revision: i64,
}

impl From<DraftRow> for DraftBody {
    fn from(row: DraftRow) -> Self {
        Self {
            id: row.id.0,
            kind: row.kind.as_str(),
            key: row.key,
            base_version: row.base_version,
            title: row.title,
            content: order::of_document(row.kind, row.content),
            author: row.author,
            contributors: row.contributors,
            created_at: row.created_at,
            updated_at: row.updated_at,
            revision: row.revision,
        }
    }
}

impl DraftBody {
    fn validator(&self) -> Validator {
        Validator::new(self.revision, self.id.as_bytes())
    }

    fn tagged(&self) -> Tagged<Self> {
        Tagged::new(self, &self.validator())
    }

    /// As the answer to the call that made it.
    pub(super) fn created(&self) -> Created<Self> {
        let address = format!("/v1/admin/drafts/{}", self.id);
        Created::at(address, self).with_state(&self.validator())
    }
}

input! {
    /// A draft to open.
    struct NewDraft {
        /// The version to build on; the newest unless set.
        from: Option<VersionNumber>,
        /// A short description of the change.
        title: Block<MAX_TITLE> = Block::default(),
        /// Its content; that of the version unless set.
        content: Option<Object>,
    }

    /// What a draft says from now on.
    struct DraftChange {
        /// What it is about; stays unless set.
        title: Option<Block<MAX_TITLE>>,
        /// The whole content.
        content: Object,
    }

    /// What changes in a draft.
    struct DraftPatch {
        /// What it is about; stays unless set.
        title: Option<Block<MAX_TITLE>>,
        /// What changes in its content: a JSON merge patch, in which null takes a member away, and the rest stays.
        #[example({ "systemPrompt": "Be kind." })]
        content: Object = Object::new(),
    }

    /// Whose values stay where both sides changed the same.
    struct Rebase {
        /// By JSON pointer, `ours` (the draft's) or `theirs` (what was sealed meanwhile): at that place and below. The longest pointer counts;
        /// the empty one speaks of everything.
        #[example({ "/systemPrompt": "ours" })]
        keep: ConflictChoices = ConflictChoices(Choices::default()),
    }

    /// Why a draft is sealed.
    struct Sealing {
        /// What changed and why, for those who review and for those who come later.
        #[example("Say the refund rule in one sentence")]
        message: Block<2000> = Block::default(),
    }
}

/// `ours` and `theirs` by pointer.
#[derive(Debug)]
struct ConflictChoices(Choices);

impl Member for ConflictChoices {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        let Value::Object(members) = value else {
            let form = "must be an object such as {\"/systemPrompt\": \"ours\"}";
            return Err(vec![Fault::new("", Wrong::Object.worded(form))]);
        };
        let mut faults = Faults::new();
        let mut choices = Choices::new();
        for (pointer, side) in members {
            match side.as_str().and_then(Side::named) {
                Some(side) => {
                    choices.insert(pointer, side);
                }
                None => faults.add(step(&pointer), Wrong::one_of(&["ours", "theirs"])),
            }
        }
        faults.into_result(Self(choices))
    }

    fn schema(_: &mut Schemas) -> Value {
        serde_json::json!({ "type": "object", "additionalProperties": { "type": "string", "enum": ["ours", "theirs"] } })
    }
}

/// A version just sealed.
#[derive(Debug, Serialize, ToSchema)]
struct SealedBody {
    #[serde(flatten)]
    version: VersionBody,
    /// What was found in it: warnings, and what blocks a release for now. `:validate` finds the same.
    findings: Vec<FindingBody>,
}

async fn list(
    call: Call<View>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
) -> Answer<Json<PageBody<DraftBody>>> {
    let tenant = call.tenant;
    // Any number of drafts, each with its content.
    call.work(async move |gateway| {
        let mut tx = gateway.database.tenant(tenant).await?;
        let document = documents::find(&mut tx, kind, &key).await?;
        let rows = tx.drafts_of(document.id).await?;
        tx.commit().await?;
        Ok(Json::new(&PageBody {
            items: rows.into_iter().map(DraftBody::from).collect(),
            next: None,
        }))
    })
    .await
}

async fn open(
    call: Call<Edit>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    sent: Once<Body<NewDraft>>,
) -> Answer<Created<DraftBody>> {
    call.once(sent, async move |change, sent| {
        let from = sent.from.map(WholeNumber::get);
        let draft = drafts::open(change, kind, &key, from, &sent.title, sent.content).await?;
        Ok(DraftBody::from(draft).created())
    })
    .await
}

async fn get(call: Call<View>, draft: Path<DraftId>) -> Answer<Tagged<DraftBody>> {
    let mut tx = call.read().await?;
    let draft = DraftBody::from(drafts::find(&mut tx, *draft).await?);
    Ok(draft.tagged())
}

async fn put(
    call: Call<Edit>,
    Path(draft): Path<DraftId>,
    seen: IfMatch,
    sent: Body<DraftChange>,
) -> Answer<Tagged<DraftBody>> {
    call.change(async move |change| {
        let draft = seen_draft(change, draft, seen).await?;
        let DraftChange { title, content } = sent.checked()?;
        let draft = drafts::write(change, draft, title.map(String::from), content).await?;
        Ok(DraftBody::from(draft).tagged())
    })
    .await
}

async fn patch(
    call: Call<Edit>,
    Path(draft): Path<DraftId>,
    seen: IfMatch,
    sent: Patch<DraftPatch>,
) -> Answer<Tagged<DraftBody>> {
    call.change(async move |change| {
        let draft = seen_draft(change, draft, seen).await?;
        let DraftPatch { title, content } = sent.checked()?;
        let content = merged(&draft.content, content);
        let draft = drafts::write(change, draft, title.map(String::from), content).await?;
        Ok(DraftBody::from(draft).tagged())
    })
    .await
}

async fn discard(call: Call<Edit>, Path(draft): Path<DraftId>, seen: IfMatch) -> Answer<NoContent> {
    call.change(async move |change| {
        let draft = seen_draft(change, draft, seen).await?;
        drafts::discard(change, &draft).await?;
        Ok(NoContent)
    })
    .await
}

async fn rebase_draft(
    call: Call<Edit>,
    Path(draft): Path<DraftId>,
    seen: IfMatch,
    sent: Body<Rebase>,
) -> Answer<Tagged<DraftBody>> {
    call.change(async move |change| {
        let draft = seen_draft(change, draft, seen).await?;
        let ConflictChoices(choices) = sent.checked()?.keep;
        let draft = rebase::rebase(change, draft, &choices).await?;
        Ok(DraftBody::from(draft).tagged())
    })
    .await
}

async fn seal_draft(
    call: Call<Edit>,
    Path(draft): Path<DraftId>,
    seen: IfMatch,
    sent: Once<Body<Sealing>>,
) -> Answer<Created<SealedBody>> {
    call.once(sent, async move |change, sent| {
        let draft = seen_draft(change, draft, seen).await?;
        let sealed = seal::seal(change, &draft, &sent.message).await?;
        let (kind, key) = (draft.kind, draft.key);
        let number = sealed.version.number;
        let address = format!(
            "/v1/admin/documents/{}/{key}/versions/{number}",
            kind.as_str()
        );
        let body = SealedBody {
            version: VersionBody::new(kind, &key, sealed.version),
            findings: finding_bodies(sealed.findings),
        };
        Ok(Created::at(address, &body))
    })
    .await
}

/// The draft, provided that the caller has seen it as it is.
async fn seen_draft(change: &mut Change, draft: DraftId, seen: IfMatch) -> Answer<DraftRow> {
    let draft = drafts::find(&mut change.tx, draft).await?;
    let body = DraftBody::from(draft.clone());
    seen.check(&body.validator(), || {
        serde_json::to_value(&body).unwrap_or_default()
    })?;
    Ok(draft)
}
