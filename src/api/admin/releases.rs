//! `/v1/admin/documents/{kind}/{key}/releases`: what is live, was live, and will be.

use serde::Serialize;
use utoipa::ToSchema;

use super::views::release::ReleaseBody;
use crate::authoring::documents;
use crate::authoring::release::{self, MAX_NOTE, ReleaseRequest, Released};
use crate::domain::document::DocumentKind;
use crate::domain::ids::ReleaseId;
use crate::domain::key::Key;
use crate::web::admin::{Publish, View};
use crate::web::finding::{FindingBody, finding_bodies};
use crate::web::input::{Block, Moment, VersionNumber, WholeNumber, input};
use crate::web::operation::{Answer, Body, Call, Json, Once, Page, PageOf, Path, operations};

operations! {
    "Admin: releases";

    "/v1/admin/documents/{kind}/{key}/releases" {
        /// Lists a document's releases, newest first.
        GET listReleases => list;
        /// Releases a version, now or later, to everybody or to a share of the users. It is refused if it would break anything that
        /// is live now or at that time.
        POST releaseVersion => create;
    }
    "/v1/admin/documents/{kind}/{key}/releases/{release}:cancel" {
        /// Cancels a scheduled release: it never takes effect, and what is live by then stays live.
        POST cancelRelease => cancel;
    }
    "/v1/admin/documents/{kind}/{key}:rollback" {
        /// Rolls back to what was live before.
        POST rollBack => roll_back;
    }
}

/// A release just made.
#[derive(Debug, Serialize, ToSchema)]
struct ReleasedBody {
    #[serde(flatten)]
    release: ReleaseBody,
    /// Warnings: what was found in the version. `:validate` finds the same.
    findings: Vec<FindingBody>,
}

impl From<Released> for ReleasedBody {
    fn from(released: Released) -> Self {
        Self {
            release: released.row.into(),
            findings: finding_bodies(released.findings),
        }
    }
}

input! {
    /// The version to release, and when.
    struct NewRelease {
        /// The version's number.
        #[example(4)]
        version: VersionNumber,
        /// To how many of a hundred users: a rollout beside the live version. A later release to more or fewer of them takes its place, and
        /// one to everybody, of whichever version, ends it. To everybody unless set.
        #[example(20)]
        percent: Option<WholeNumber<u8, 1, 99>>,
        /// From when; now unless set. At most a year ahead.
        live_from: Option<Moment>,
        /// The reason, for the history.
        #[example("Reviewed with the support team")]
        note: Block<MAX_NOTE> = Block::default(),
    }

    /// Where to go back to.
    struct Rollback {
        /// A version that was live before; the one before the live one unless set. While a version is rolled out to a share of the users: the
        /// live one, which ends that.
        #[example(3)]
        to: Option<VersionNumber>,
        /// The reason, for the history.
        #[example("Refunds were refused to gold customers")]
        note: Block<MAX_NOTE> = Block::default(),
    }
}

async fn list(
    call: Call<View>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    page: PageOf<()>,
) -> Answer<Page<ReleaseBody>> {
    let mut tx = call.read().await?;
    let document = documents::find(&mut tx, kind, &key).await?;
    let rows = tx
        .releases(document.id, page.after_number(), page.rows())
        .await?;
    Ok(page.of(rows, |row| row.release.seq.to_string(), ReleaseBody::from))
}

async fn create(
    call: Call<Publish>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    sent: Once<Body<NewRelease>>,
) -> Answer<Json<ReleasedBody>> {
    call.once(sent, async move |change, sent| {
        let wish = ReleaseRequest {
            version: sent.version.get(),
            live_from: sent.live_from.map(Moment::get),
            percent: sent.percent.map(WholeNumber::get),
            note: &sent.note,
        };
        let released = release::release(change, kind, &key, wish).await?;
        Ok(Json::new(&ReleasedBody::from(released)))
    })
    .await
}

async fn cancel(
    call: Call<Publish>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    Path(release): Path<ReleaseId>,
    sent: Once<()>,
) -> Answer<Json<ReleasedBody>> {
    call.once(sent, async move |change, ()| {
        let released = release::cancel(change, kind, &key, release).await?;
        Ok(Json::new(&ReleasedBody::from(released)))
    })
    .await
}

async fn roll_back(
    call: Call<Publish>,
    Path(kind): Path<DocumentKind>,
    Path(key): Path<Key>,
    sent: Once<Body<Rollback>>,
) -> Answer<Json<ReleasedBody>> {
    call.once(sent, async move |change, sent| {
        let to = sent.to.map(WholeNumber::get);
        let released = release::roll_back(change, kind, &key, to, &sent.note).await?;
        Ok(Json::new(&ReleasedBody::from(released)))
    })
    .await
}
