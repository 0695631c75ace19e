//! `/v1/admin/users/{subject}`: one user, everything that is kept of them to show or to forget.

use std::fmt;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::{LocalBoxStream, StreamExt};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::views::explanation::PersonaGiven;
use crate::domain::caller::Subject;
use crate::store::StoreError;
use crate::tenants::refusal::Refusal;
use crate::tenants::subjects::{self, SubjectExport};
use crate::web::admin::Own;
use crate::web::operation::{Answer, Call, Described, Json, Output, Path, Recent, operations};
use crate::web::work::{Pieces, in_pieces};

operations! {
    "Admin: users";

    "/v1/admin/users/{subject:[^/]+}:export" {
        /// Exports everything that is stored about a user: preferences, and sessions with their inputs while those are kept. For an
        /// unknown user the export is empty. The answer is streamed and may have any size.
        POST exportUser => export;
    }
    "/v1/admin/users/{subject:[^/]+}:erase" {
        /// Erases a user: deletes their preferences and the inputs of their sessions, and removes their name from the sessions. It
        /// can't be undone. A second call finds nothing; what the user does afterwards is stored anew.
        POST eraseUser => erase;
    }
}

/// All that is kept of a user.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "documentation only: the document is written in pieces"
)]
struct SubjectDocument {
    /// The `sub` of the user's tokens.
    #[schema(example = "user-1")]
    subject: String,
    /// When the export was written.
    exported_at: DateTime<Utc>,
    /// Their choices.
    #[schema(value_type = Object)]
    preferences: Value,
    /// Their sessions, oldest first.
    sessions: Vec<SubjectSessionItem>,
}

/// A session of a user.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "documentation only: the document is written in pieces"
)]
struct SubjectSessionItem {
    /// The session; Anam's `clientLabel`.
    id: Uuid,
    /// When the token was requested.
    at: DateTime<Utc>,
    /// The key of the context that was used.
    #[schema(example = "support")]
    context: String,
    persona: PersonaGiven,
    /// `issued`, `failed` or `unknown`; absent while there is no outcome.
    #[schema(
        nullable = false,
        example = "issued",
        pattern = "^(issued|failed|unknown)$"
    )]
    outcome: Option<String>,
    /// The problem code of a failure.
    #[schema(nullable = false)]
    code: Option<String>,
    /// Facts, preferences, context and metadata, while the tenant's policy keeps them.
    #[schema(value_type = Option<Object>, nullable = false)]
    inputs: Option<Value>,
    /// Why the user got what they got.
    #[schema(value_type = Object)]
    trace: Value,
}

/// What was deleted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ErasedBody {
    /// Whether preferences were deleted.
    preferences: bool,
    /// Sessions that no longer say whose they were.
    #[schema(example = 12)]
    sessions: u64,
    /// Sessions whose facts, preferences and metadata were deleted.
    #[schema(example = 3)]
    inputs: u64,
}

/// A [`SubjectDocument`], written while it is read.
struct Exported(LocalBoxStream<'static, Result<Bytes, Refusal>>);

impl fmt::Debug for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exported")
    }
}

impl Output for Exported {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, "application/json"))
            .insert_header((CACHE_CONTROL, "no-store"))
            .streaming(self.0)
    }

    fn describe(operation: &mut Described<'_>) {
        operation.answers_with::<SubjectDocument>(200, &[]);
    }
}

impl Pieces for SubjectExport {
    async fn next(&mut self) -> Result<Option<String>, StoreError> {
        Self::next(self).await
    }
}

async fn export(call: Call<Own>, Path(subject): Path<Subject>) -> Answer<Exported> {
    let asked = subject.clone();
    call.change(async move |change| {
        let target = subjects::target(change, &asked)?;
        // Who takes a person's data out leaves a trace, too.
        change.note("user.export", &target, json!({}));
        Ok(())
    })
    .await?;
    let (tenant, gateway) = (call.tenant, call.gateway().clone());
    let now = gateway.clock.now();
    let export = SubjectExport::new(gateway.database.clone(), tenant, subject, now);
    let pieces = in_pieces(gateway, tenant, call, export).await?;
    Ok(Exported(pieces.boxed_local()))
}

async fn erase(
    Recent(call): Recent<Call<Own>>,
    Path(subject): Path<Subject>,
) -> Answer<Json<ErasedBody>> {
    let user = subject.clone();
    let erased = call
        .change(async move |change| {
            let erased = subjects::erase(change, &subject).await?;
            Ok(Json::new(&ErasedBody {
                preferences: erased.preferences,
                sessions: erased.sessions,
                inputs: erased.inputs,
            }))
        })
        .await;
    call.gateway().sources.user_changed(call.tenant, &user);
    erased
}
