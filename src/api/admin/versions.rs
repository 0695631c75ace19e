//! `/v1/admin/documents/{kind}/{key}/versions`: sealed versions and their reviews.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::views::version::VersionBody;
use super::{comparison, validation};
use crate::authoring::documents;
use crate::authoring::review::{self, standing};
use crate::domain::document::DocumentKind;
use crate::domain::ids::DocumentId;
use crate::domain::key::Key;
use crate::store::reviews::ReviewRow;
use crate::store::tenant_tx::TenantTx;
use crate::store::versions::SealedVersion;
use crate::tenants::refusal::Refusal;
use crate::web::admin::{Edit, View};
use crate::web::input::{Block, VersionNumber, input, words};
use crate::web::operation::{
    Answer, Body, Call, Conflicting, Json, Once, Page, PageOf, Path, Unless, operations,
};

operations! {
    "Admin: versions";

    "/v1/admin/documents/{kind}/{key}/versions" {
        /// Lists a document's versions, newest first.
        GET listVersions => list;
    }
    "/v1/admin/documents/{kind}/{key}/versions/{number}" {
        /// Returns one version.
        GET getVersion => get;
    }
    "/v1/admin/documents/{kind}/{key}/versions/{number}/reviews" {
        /// Lists the reviews of a version, and says whether it has enough approvals for a release.
        GET listReviews => reviews;
        /// Approves or rejects a version. Only people can review, and not versions that they wrote themselves.
        POST reviewVersion => add_review;
    }
    "/v1/admin/documents/{kind}/{key}/versions/{number}:validate" {
        /// Validates a sealed version against what is live now.
        POST validateVersion => validation::validate_version;
    }
    "/v1/admin/documents/{kind}/{key}/versions/{number}/diff" {
        /// Compares a version with the one that it builds on, or with another one.
        GET diffVersion => comparison::of_version;
    }
}

/// A review of a version.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReviewBody {
    /// The reviewer's address, or the API key's name.
    #[schema(example = "person:kim@example.com")]
    reviewer: String,
    /// What they think of it.
    #[schema(example = "approve")]
    verdict: Verdict,
    /// The reviewer's comment.
    comment: String,
    /// When the review was written.
    created_at: DateTime<Utc>,
}

/// What a reviewer thinks of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Approve,
    Reject,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

words! {
    Verdict: Approve, Reject;
}

impl From<ReviewRow> for ReviewBody {
    fn from(row: ReviewRow) -> Self {
        Self {
            reviewer: row.reviewer,
            verdict: if row.approves {
                Verdict::Approve
            } else {
                Verdict::Reject
            },
            comment: row.comment,
            created_at: row.created_at,
        }
    }
}

/// How a version stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Reviews {
    /// Every review, oldest first.
    items: Vec<ReviewBody>,
    /// How many people who did not write in it must approve it before it is released.
    required: u8,
    /// Who approves; of one person's reviews the last one counts.
    approved_by: Vec<String>,
    /// Who objects.
    rejected_by: Vec<String>,
    /// Whether the reviews let it be released.
    met: bool,
}

input! {
    /// A review.
    struct NewReview {
        /// What you think of it.
        #[example("approve")]
        verdict: Verdict,
        /// The reviewer's comment.
        #[example("Says the refund rule at last")]
        comment: Block<{ review::MAX_COMMENT }> = Block::default(),
    }
}

async fn list(
    call: Call<View>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    page: PageOf<()>,
) -> Answer<Page<VersionBody>> {
    let mut tx = call.read().await?;
    let document = documents::find(&mut tx, kind, &key).await?;
    let rows = tx
        .versions(document.id, page.after_number(), page.rows())
        .await?;
    Ok(page.of(
        rows,
        |row| row.number.to_string(),
        |row| VersionBody::new(kind, key.as_str(), row),
    ))
}

async fn get(
    call: Call<View>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    Path(number): Path<VersionNumber>,
) -> Answer<Json<VersionBody>> {
    let mut tx = call.read().await?;
    let (_, version) = find(&mut tx, kind, &key, number).await?;
    Ok(Json::new(&VersionBody::new(kind, key.as_str(), version)))
}

async fn reviews(
    call: Call<View>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    Path(number): Path<VersionNumber>,
) -> Answer<Unless<Conflicting, Json<Reviews>>> {
    let mut tx = call.read().await?;
    let (document, version) = find(&mut tx, kind, &key, number).await?;
    let rows = tx.reviews(document, version.id).await?;
    let standing = standing(&mut tx, document, &version).await?;
    let reviews = Reviews {
        items: rows.into_iter().map(ReviewBody::from).collect(),
        met: standing.is_met(),
        required: standing.required,
        approved_by: standing.approved_by,
        rejected_by: standing.rejected_by,
    };
    Ok(Json::new(&reviews).into())
}

async fn add_review(
    call: Call<Edit>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    Path(number): Path<VersionNumber>,
    sent: Once<Body<NewReview>>,
) -> Answer<Json<ReviewBody>> {
    call.once(sent, async move |change, sent| {
        let approves = sent.verdict == Verdict::Approve;
        let number = number.get();
        let row = review::review(change, kind, &key, number, approves, &sent.comment).await?;
        Ok(Json::new(&ReviewBody::from(row)))
    })
    .await
}

async fn find(
    tx: &mut TenantTx,
    kind: DocumentKind,
    key: &Key,
    number: VersionNumber,
) -> Answer<(DocumentId, SealedVersion)> {
    let document = documents::find(tx, kind, key).await?.id;
    let version = tx.version(document, number.get()).await?;
    Ok((document, version.ok_or(Refusal::NotFound)?))
}
