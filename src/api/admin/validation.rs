//! `:validate`: everything found in a draft or a version, and what a release of it would say.

use serde::Serialize;
use utoipa::ToSchema;

use crate::authoring::drafts;
use crate::authoring::dry_run::{self, DryRun};
use crate::domain::document::DocumentKind;
use crate::domain::ids::DraftId;
use crate::domain::key::Key;
use crate::web::admin::{Edit, View};
use crate::web::finding::FaultBody;
use crate::web::finding::{FindingBody, finding_bodies};
use crate::web::input::VersionNumber;
use crate::web::operation::{Answer, Call, Conflicting, Json, Path, Unless};

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Validation {
    /// Whether nothing blocks a release.
    ok: bool,
    /// What was found in the document, errors first, then by place.
    findings: Vec<FindingBody>,
    /// What would break elsewhere, or at a later time, if it were released now.
    would_break: Vec<FaultBody>,
    /// The largest prompt that the persona can give, whatever users send; absent of other kinds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    largest_prompt: Option<PromptSize>,
}

/// The size of a text.
#[derive(Debug, Serialize, ToSchema)]
struct PromptSize {
    /// In characters.
    chars: usize,
    /// In UTF-8 bytes.
    bytes: usize,
}

pub(super) async fn validate_draft(
    call: Call<Edit>,
    Path(draft): Path<DraftId>,
) -> Answer<Json<Validation>> {
    call.try_out(async move |change| {
        let draft = drafts::find(&mut change.tx, draft).await?;
        let rehearsal = dry_run::of_draft(change, &draft).await?;
        Ok(Json::new(&Validation::from(rehearsal)))
    })
    .await
}

pub(super) async fn validate_version(
    call: Call<View>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    Path(number): Path<VersionNumber>,
) -> Answer<Unless<Conflicting, Json<Validation>>> {
    call.try_out(async move |change| {
        let rehearsal = dry_run::of_version(change, kind, &key, number.get()).await?;
        Ok(Json::new(&Validation::from(rehearsal)).into())
    })
    .await
}

impl From<DryRun> for Validation {
    fn from(rehearsal: DryRun) -> Self {
        let DryRun { found, would_break } = rehearsal;
        Self {
            ok: !found.has_errors() && would_break.is_empty(),
            would_break: would_break.iter().map(FaultBody::from).collect(),
            largest_prompt: found.largest_prompt.map(|size| PromptSize {
                chars: size.chars,
                bytes: size.bytes,
            }),
            findings: finding_bodies(found.findings),
        }
    }
}
