//! `PATCH /v1/admin/documents/{kind}/{key}`: a change of what is live, released in the same call.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::change::ChangeBody;
use super::views::document::seen_document;
use super::views::release::ReleaseBody;
use super::views::version::VersionBody;
use crate::authoring::amend::{self, Amended, Amendment};
use crate::authoring::release::MAX_NOTE;
use crate::authoring::review::ReviewState;
use crate::domain::document::DocumentKind;
use crate::domain::key::Key;
use crate::tenants::change::Change;
use crate::web::admin::Publish;
use crate::web::finding::{FindingBody, finding_bodies};
use crate::web::input::{Block, Moment, Object, WholeNumber, input};
use crate::web::operation::{Answer, Call, Described, IfMatch, Json, Once, Output, Patch, Path};
use crate::web::work::Ready;

input! {
    /// What changes of a document, and from when.
    pub(super) struct DocumentPatch {
        /// What changes of the live content: a JSON merge patch (RFC 7396), in which null takes a member away, and the rest stays.
        #[example({ "systemPrompt": "Be kind.", "greeting": null })]
        content: Object,
        /// Why: the version's message and the release's note.
        #[example("Say the refund rule in one sentence")]
        note: Block<MAX_NOTE> = Block::default(),
        /// From when; now unless set. At most a year ahead.
        live_from: Option<Moment>,
        /// For how many of a hundred users, beside what is live; for everybody unless set.
        percent: Option<WholeNumber<u8, 1, 99>>,
        /// Says what would happen, and changes nothing. The answer to such a call is never kept.
        dry_run: bool = false,
    }
}

/// What a change came to.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AmendedBody {
    /// The version that was sealed.
    version: VersionBody,
    /// What it changes of what was live.
    changes: Vec<ChangeBody>,
    /// Its release. Absent where it waits for approvals.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    release: Option<ReleaseBody>,
    /// What it waits for. Absent where it is released.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    approval: Option<ApprovalBody>,
    /// Warnings: what was found in the version. `:validate` finds the same.
    findings: Vec<FindingBody>,
}

/// How a version stands with its reviewers.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ApprovalBody {
    /// How many people must approve it, none of whom wrote in it.
    #[schema(example = 1)]
    required: u8,
    /// The admins who approve it.
    approved_by: Vec<String>,
}

impl From<ReviewState> for ApprovalBody {
    fn from(standing: ReviewState) -> Self {
        Self {
            required: standing.required,
            approved_by: standing.approved_by,
        }
    }
}

impl AmendedBody {
    fn new(kind: DocumentKind, key: &Key, amended: Amended) -> Self {
        let waits = amended.release.is_none();
        Self {
            version: VersionBody::new(kind, key.as_str(), amended.version),
            changes: amended.changes.into_iter().map(ChangeBody::from).collect(),
            release: amended.release.map(ReleaseBody::from),
            approval: waits.then(|| amended.standing.into()),
            findings: finding_bodies(amended.findings),
        }
    }
}

/// 200 with the version and its release; 202 with the version, which waits for approvals.
#[derive(Debug)]
pub(super) struct Released(Ready);

impl Released {
    fn new(kind: DocumentKind, key: &Key, amended: &AmendedBody) -> Self {
        let ready = Ready::ok(amended);
        if amended.release.is_some() {
            return Self(ready);
        }
        let number = amended.version.number;
        let address = format!(
            "/v1/admin/documents/{}/{key}/versions/{number}",
            kind.as_str()
        );
        Self(ready.status(StatusCode::ACCEPTED).location(Some(address)))
    }
}

impl From<Ready> for Released {
    fn from(ready: Ready) -> Self {
        Self(ready)
    }
}

impl From<Released> for Ready {
    fn from(released: Released) -> Self {
        released.0
    }
}

impl Output for Released {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        self.0.into()
    }

    fn describe(operation: &mut Described<'_>) {
        operation.answers_with::<AmendedBody>(200, &[]);
        operation.answers_with::<AmendedBody>(202, &[("Location", "The version")]);
    }
}

pub(super) async fn amend(
    call: Call<Publish>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    seen: IfMatch,
    sent: Once<Patch<DocumentPatch>>,
) -> Answer<Released> {
    if sent.get().is_some_and(|patch| patch.dry_run) {
        let patch = sent.into_sent();
        return call
            .try_out(async move |change| {
                let amended = amended(change, kind, &key, seen, patch.checked()?).await?;
                Ok(Ready::from(Json::new(&amended)).into())
            })
            .await;
    }
    call.once(sent, async move |change, patch| {
        let amended = amended(change, kind, &key, seen, patch).await?;
        Ok(Released::new(kind, &key, &amended))
    })
    .await
}

async fn amended(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    seen: IfMatch,
    patch: DocumentPatch,
) -> Answer<AmendedBody> {
    seen_document(change, seen, kind, key).await?;
    let amendment = Amendment {
        patch: patch.content,
        note: patch.note.into(),
        live_from: patch.live_from.map(Moment::get),
        percent: patch.percent.map(WholeNumber::get),
    };
    let amended = amend::amend(change, kind, key, amendment).await?;
    Ok(AmendedBody::new(kind, key, amended))
}
