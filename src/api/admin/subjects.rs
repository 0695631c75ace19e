//! `/v1/admin/users/{subject}`: one user, everything that is kept of them to show or to forget.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::{self, ServiceConfig};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::api::answers::Acting;
use crate::api::only;
use crate::domain::caller::Subject;
use crate::gateway::Gateway;
use crate::sessions::explain::PersonaGiven;
use crate::store::StoreError;
use crate::tenants::change::Change;
use crate::tenants::refusal::Refusal;
use crate::tenants::subjects::{self, SubjectExport};
use crate::web::Problem;
use crate::web::admin::{May, Own};
use crate::web::work::{Pieces, in_pieces};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/users/{subject}:export").route(web::post().to(export)),
            "POST",
        ))
        .service(only(
            web::resource("/v1/admin/users/{subject}:erase").route(web::post().to(erase)),
            "POST",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(export, erase))]
pub struct Doc;

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
    /// When this was read.
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
    /// When the token was asked for.
    at: DateTime<Utc>,
    /// The context that answered.
    #[schema(example = "support")]
    context: String,
    /// The persona given.
    persona: PersonaGiven,
    /// `issued`, `failed` or `unknown`; absent while nothing was heard.
    #[schema(nullable = false, example = "issued")]
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

/// What was forgotten.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ErasedBody {
    /// Whether there were preferences.
    preferences: bool,
    /// Sessions that no longer say whose they were.
    #[schema(example = 12)]
    sessions: u64,
    /// Sessions whose facts, preferences and metadata were deleted.
    #[schema(example = 3)]
    inputs: u64,
}

/// A path member that is a user, percent-encoded; what can't be the `sub` of a token is at no address.
fn subject(text: &str) -> Result<Subject, Refusal> {
    Subject::parse(text).ok_or(Refusal::NotFound)
}

/// Everything that is kept of a user: preferences and sessions, with inputs while they are kept. A user who was never seen has
/// an empty one. It comes in pieces, any size.
#[utoipa::path(
    post, path = "/v1/admin/users/{subject}:export", tag = "Admin: users", operation_id = "exportUser", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("subject" = String, Path, description = "The `sub` of the user's tokens, percent-encoded")),
    responses(
        (status = 200, description = "The user", body = SubjectDocument, content_type = "application/json"),
        Acting,
    )
)]
async fn export(
    may: May<Own>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let subject = subject(&path)?;
    let mut change = Change::begin(&gateway, &may).await?;
    let target = subjects::target(&change, &subject)?;
    // Who takes a person's data out leaves a trace, too.
    change.note("user.export", &target, json!({}));
    change.commit().await?;
    let now = gateway.clock.now();
    let export = SubjectExport::new(gateway.database.clone(), may.tenant, subject, now);
    let pieces = in_pieces(gateway, may.tenant, may, export).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .streaming(Box::pin(pieces)))
}

impl Pieces for SubjectExport {
    async fn next(&mut self) -> Result<Option<String>, StoreError> {
        Self::next(self).await
    }
}

/// Forgets a user: deletes preferences and the inputs of their sessions, and takes their name off the sessions. There is no way
/// back. A second call finds nothing; what the user does afterwards is new.
#[utoipa::path(
    post, path = "/v1/admin/users/{subject}:erase", tag = "Admin: users", operation_id = "eraseUser", security(("adminKey" = [])),
    extensions(("x-permission" = json!("own"))),
    params(("subject" = String, Path, description = "The `sub` of the user's tokens, percent-encoded")),
    responses(
        (status = 200, description = "What was forgotten", body = ErasedBody),
        Acting,
    )
)]
async fn erase(
    may: May<Own>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let subject = subject(&path)?;
    let mut change = Change::begin(&gateway, &may).await?;
    let erased = subjects::erase(&mut change, &subject).await?;
    change.commit().await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(ErasedBody {
            preferences: erased.preferences,
            sessions: erased.sessions,
            inputs: erased.inputs,
        }))
}
