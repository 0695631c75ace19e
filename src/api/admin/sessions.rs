//! `/v1/admin/sessions`: which tokens were asked for, and why each user got what they got.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::filters::Filters;
use super::id;
use super::prompt::PromptKnown;
use crate::api::answers::{Listing, ReadingOne};
use crate::api::{only, reading};
use crate::authoring::replay::then;
use crate::domain::ids::{RequestId, SessionId, TenantId};
use crate::gateway::Gateway;
use crate::sessions::explain::{Explanation, PersonaGiven, TimingsMs, explain, result_of};
use crate::store::explain::{SessionFilter, SessionRow};
use crate::tenants::refusal::Refusal;
use crate::web::Problem;
use crate::web::admin::{May, View};
use crate::web::page::{Page, PageBody, query};
use crate::web::work::{Ready, work};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config
        .service(only(
            web::resource("/v1/admin/sessions").route(reading().to(search)),
            "GET, HEAD",
        ))
        .service(only(
            web::resource("/v1/admin/sessions/{session:[^/:]+}").route(reading().to(get)),
            "GET, HEAD",
        ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(search, get))]
pub struct Doc;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SearchQuery {
    /// Sessions not before this moment.
    #[param(nullable = false)]
    from: Option<DateTime<Utc>>,
    /// Sessions before this moment.
    #[param(nullable = false)]
    to: Option<DateTime<Utc>>,
    /// Of this user: the `sub` of the token.
    #[param(nullable = false, min_length = 1, max_length = 300)]
    subject: Option<String>,
    /// Answered by this context.
    #[param(nullable = false, min_length = 1, max_length = 300)]
    context: Option<String>,
    /// Given this persona.
    #[param(nullable = false, min_length = 1, max_length = 300)]
    persona: Option<String>,
    /// Given this version of the persona.
    #[param(nullable = false, minimum = 1)]
    version: Option<i32>,
    /// `issued`, `failed` or `unknown`.
    #[param(nullable = false, pattern = "^(issued|failed|unknown)$")]
    outcome: Option<String>,
    /// Failed with this code.
    #[param(nullable = false, min_length = 1, max_length = 300)]
    code: Option<String>,
    /// Asked for by the request with this id: the `X-Request-Id` of its answer.
    #[param(nullable = false)]
    request_id: Option<Uuid>,
    /// Items of a page, 50 unless set.
    #[param(nullable = false, minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// Where to go on: `next` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

impl SearchQuery {
    fn filter(self) -> Result<SessionFilter, Refusal> {
        let mut read = Filters::default();
        if self.version.is_some() && self.persona.is_none() {
            read.fault("version", "belongs to a persona: name that too");
        }
        let filter = SessionFilter {
            from: read.moment("from", self.from),
            to: read.moment("to", self.to),
            subject: read.text("subject", self.subject),
            context: read.text("context", self.context),
            persona: read.text("persona", self.persona),
            version: self.version,
            outcome: read.word("outcome", self.outcome, &["issued", "failed", "unknown"]),
            code: read.text("code", self.code),
            request: self.request_id.map(RequestId),
        };
        read.finish()?;
        Ok(filter)
    }
}

/// A session in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct SessionItem {
    /// The session; Anam's `clientLabel`.
    id: Uuid,
    /// The `X-Request-Id` of the request that asked for it; null in sessions of older releases.
    request_id: Option<Uuid>,
    /// When the token was asked for.
    at: DateTime<Utc>,
    /// The `sub` of the user's token; null once they were erased.
    #[schema(example = "user-1")]
    subject: Option<String>,
    /// The context that answered.
    #[schema(example = "support")]
    context: String,
    /// The persona given.
    persona: PersonaGiven,
    /// `issued`, `failed`, `unknown` (its instance died), or `pending` while nothing was heard.
    #[schema(example = "issued")]
    outcome: String,
    /// The problem code of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "upstream_timeout")]
    code: Option<String>,
    /// How long each part took, milliseconds.
    timings: Option<TimingsMs>,
}

impl From<SessionRow> for SessionItem {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id.0,
            request_id: row.request.map(|id| id.0),
            at: row.at,
            outcome: result_of(&row),
            subject: row.subject,
            context: row.context,
            persona: PersonaGiven {
                key: row.persona,
                version: row.persona_version,
            },
            code: row.code,
            timings: TimingsMs::of(row.timings),
        }
    }
}

/// Sessions, the newest first.
#[utoipa::path(
    get, path = "/v1/admin/sessions", tag = "Admin: sessions", operation_id = "searchSessions", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))), params(SearchQuery),
    responses(
        (status = 200, description = "A page of sessions", body = PageBody<SessionItem>, headers(("Link" = String, description = "The next page, rel=next"))),
        Listing,
    )
)]
async fn search(
    may: May<View>,
    request: HttpRequest,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let asked: SearchQuery = query(&request)?;
    let keys = &gateway.keys;
    let (limit, cursor) = (asked.limit, asked.cursor.clone());
    let page = Page::read(&request, keys, may.tenant, limit, cursor.as_deref())?;
    let filter = asked.filter()?;
    let after = page.after.as_deref().and_then(place);
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let rows = tx
        .search_sessions(gateway.clock.now(), &filter, after, page.rows())
        .await?;
    tx.commit().await?;
    let position = |row: &SessionRow| format!("{} {}", row.at.timestamp_micros(), row.id);
    Ok(page.answer(&request, keys, rows, position, SessionItem::from))
}

/// Where a row stands, as a cursor keeps it.
fn place(position: &str) -> Option<(DateTime<Utc>, SessionId)> {
    let (micros, id) = position.split_once(' ')?;
    let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
    Some((at, SessionId(id.parse().ok()?)))
}

/// A session explained.
#[derive(Debug, Serialize, ToSchema)]
struct ExplainedSession {
    #[serde(flatten)]
    explanation: Explanation,
    /// The prompt that Anam was sent.
    prompt: PromptKnown,
}

/// One session explained: who, what was decided and why, from which versions, what became of it, what Anam knows, and the prompt with
/// where each part of it comes from. Anam is asked at that moment; where it does not answer, the rest is told all the same.
#[utoipa::path(
    get, path = "/v1/admin/sessions/{session}", tag = "Admin: sessions", operation_id = "explainSession", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    params(("session" = String, Path, description = "The session's id: `sessionId` of the mint's answer")),
    responses(
        (status = 200, description = "The explanation", body = ExplainedSession),
        ReadingOne,
    )
)]
async fn get(
    may: May<View>,
    path: web::Path<String>,
    gateway: web::Data<Gateway>,
) -> Result<HttpResponse, Problem> {
    let session = id(&path)?;
    let explanation = explain(&gateway, may.tenant, session)
        .await?
        .ok_or(Refusal::NotFound)?;
    let tenant = may.tenant;
    work(&gateway, &may, async move |gateway| {
        let prompt = prompt(gateway, tenant, session).await?;
        Ok(Ready::ok(&ExplainedSession {
            explanation,
            prompt,
        }))
    })
    .await
}

async fn prompt(
    gateway: &Gateway,
    tenant: TenantId,
    session: SessionId,
) -> Result<PromptKnown, Refusal> {
    match then(&gateway.database, tenant, session).await {
        Ok(then) => Ok(match &then.decided {
            Ok(decision) => PromptKnown::of(decision, then.exact),
            Err(undecided) => PromptKnown::not(format!(
                "the versions of then decide nothing any more: {undecided}"
            )),
        }),
        Err(Refusal::InputsExpired(why)) => Ok(PromptKnown::not(why)),
        Err(refusal) => Err(refusal),
    }
}
