//! `PATCH /v1/admin/documents/{kind}/{key}`: a change of what is live, released in the same call.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};

use super::comparison::ChangeBody;
use super::documents::known;
use super::releases::{ReleaseBody, moment};
use super::versions::VersionBody;
use super::{MERGE_PATCH, checked, named};
use crate::api::answers::Changing;
use crate::authoring::amend::{self, Amended, Amendment};
use crate::authoring::review::Standing;
use crate::domain::key::Key;
use crate::domain::members::{Members, block, flag, number, object};
use crate::gateway::Gateway;
use crate::store::documents::DocumentKind;
use crate::tenants::change::Change;
use crate::web::Problem;
use crate::web::admin::{May, Publish};
use crate::web::body::{self, AdminBodyLimits};
use crate::web::etag::Conditions;
use crate::web::finding::{FindingBody, finding_bodies};
use crate::web::once::{Created, once};
use crate::web::work::work;

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(amend))]
pub struct Doc;

/// What changes of a document, and from when.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DocumentPatch {
    /// What changes of the live content: a JSON merge patch (RFC 7396), in which null takes a member away, and the rest stays.
    #[schema(value_type = Object, example = json!({ "systemPrompt": "Be kind.", "greeting": null }))]
    content: Value,
    /// Why: the version's message and the release's note.
    #[schema(
        nullable = false,
        max_length = 500,
        example = "Say the refund rule in one sentence"
    )]
    note: Option<String>,
    /// From when; now unless set. At most a year ahead.
    #[schema(nullable = false)]
    live_from: Option<DateTime<Utc>>,
    /// For how many of a hundred users, beside what is live; for everybody unless set.
    #[schema(nullable = false, minimum = 1, maximum = 99)]
    percent: Option<u8>,
    /// Says what would happen, and changes nothing.
    #[schema(nullable = false)]
    dry_run: Option<bool>,
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
    /// Those who do.
    approved_by: Vec<String>,
}

impl From<Standing> for ApprovalBody {
    fn from(standing: Standing) -> Self {
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

/// Changes what is live, in one call: seals a version that says what the live one says with the patch, and releases it. All of it
/// happens or nothing. Where the policy asks for approvals, the version is sealed and waits for them: 202, and a release of it is another
/// call.
#[utoipa::path(
    patch, path = "/v1/admin/documents/{kind}/{key}", tag = "Admin: documents", operation_id = "patchDocument", security(("adminKey" = [])),
    extensions(("x-permission" = json!("publish"))),
    params(("kind" = String, Path, description = "persona, context or snippet"), ("key" = String, Path, description = "Its name"),
        ("If-Match" = Option<String>, Header, description = "The ETag of a read, or `*` for whatever is live: 428 without, 412 with `current` if it changed since"),
        ("Idempotency-Key" = Option<String>, Header, description = "Repeats with the same key get the first answer, for a day; a dry run is never kept")),
    request_body(content = DocumentPatch, content_type = "application/json"),
    responses(
        (status = 200, description = "The version and its release; of a dry run, what they would be", body = AmendedBody),
        (status = 202, description = "The version, which waits for approvals", body = AmendedBody, headers(("Location" = String, description = "The version"))),
        Changing,
    )
)]
pub(super) async fn amend(
    may: May<Publish>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let (kind, key) = named(&path.0, &path.1)?;
    let sent = body::read_object(&request, payload, limits.0, MERGE_PATCH).await?;
    let conditions = Conditions::from(&request);
    if sent.get("dryRun") == Some(&Value::Bool(true)) {
        let admin = may.clone();
        return work(&gateway, &may, async move |gateway| {
            let mut change = Change::begin(gateway, &admin).await?;
            let amended = amended(&mut change, kind, &key, conditions, sent).await?;
            Ok(Created::done(&amended).ready())
        })
        .await;
    }
    once(&request, &gateway, &may, sent, async move |change, sent| {
        let amended = amended(change, kind, &key, conditions, sent).await?;
        if amended.release.is_some() {
            return Ok(Created::done(&amended));
        }
        let number = amended.version.number;
        let version = format!(
            "/v1/admin/documents/{}/{key}/versions/{number}",
            kind.as_str()
        );
        Ok(Created::waiting(version, &amended))
    })
    .await
}

async fn amended(
    change: &mut Change,
    kind: DocumentKind,
    key: &Key,
    conditions: Conditions,
    sent: Map<String, Value>,
) -> Result<AmendedBody, Problem> {
    known(change, conditions, kind, key).await?;
    let mut members = Members::new(sent);
    let patch = members.required("content", object).unwrap_or_default();
    let note = members.optional("note", block(500)).unwrap_or_default();
    let live_from = members.optional("liveFrom", |value| moment(&value));
    let percent = members.optional("percent", number(1, 99));
    members.optional("dryRun", flag);
    checked(members.finish())?;
    let amendment = Amendment {
        patch,
        note,
        live_from,
        percent: percent.and_then(|n| u8::try_from(n).ok()),
    };
    let amended = amend::amend(change, kind, key, amendment).await?;
    Ok(AmendedBody::new(kind, key, amended))
}
