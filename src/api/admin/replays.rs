//! `/v1/admin/sessions/{session}:replay`: what a session would get now, or with something that is not live yet.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::comparison::ChangeBody;
use super::preview::{PreviewUndecided, UseAsked};
use super::prompt::{PromptPart, parts};
use super::{checked, id, read_members};
use crate::api::answers::Creating;
use crate::api::only;
use crate::authoring::replay::{Base, Replayed, replay};
use crate::authoring::uses::Use;
use crate::domain::decide::{Decision, Undecided};
use crate::domain::ids::SessionId;
use crate::domain::members::Members;
use crate::gateway::Gateway;
use crate::sessions::explain::PersonaGiven;
use crate::sessions::record::config_hash;
use crate::web::Problem;
use crate::web::admin::{May, View};
use crate::web::body::AdminBodyLimits;
use crate::web::work::{Ready, work};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(only(
        web::resource("/v1/admin/sessions/{session:[^/:]+}:replay").route(web::post().to(decide)),
        "POST",
    ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(decide))]
pub struct Doc;

/// What to decide with.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "documentation only: the body is read member by member"
)]
struct ReplayRequest {
    /// `live`: what is live now. `then`: the versions that the session was decided with.
    #[schema(nullable = false, pattern = "^(live|then)$", default = "live")]
    against: Option<String>,
    /// Put in the place of what `against` has, the later over the earlier.
    #[schema(nullable = false, max_items = 20)]
    r#use: Option<Vec<UseAsked>>,
}

/// What came out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReplayBody {
    /// The session.
    session: Uuid,
    /// Whether Anam would be sent exactly what it was sent then.
    same: bool,
    /// Whether `then` is exactly what Anam was sent then. It is not where the policy, the catalogue or the tenant's name were
    /// changed since: they have no versions.
    exact: bool,
    /// What the versions of then give.
    then: DecisionBody,
    /// What was asked for gives.
    now: DecisionBody,
    /// How what Anam would be sent (`personaConfig`, `sessionOptions`) differs between the two.
    differences: Vec<ChangeBody>,
}

/// A decision, or what stands in its way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DecisionBody {
    /// Whether there is one.
    decided: bool,
    /// The context that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "support")]
    context: Option<String>,
    /// The persona given; version 0 is a draft.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    persona: Option<PersonaGiven>,
    /// SHA-256 of what Anam would be sent, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    config_hash: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    trace: Option<Value>,
    /// The prompt, in parts that say where they come from: put together, they are the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prompt: Option<Vec<PromptPart>>,
    /// What stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    undecided: Option<PreviewUndecided>,
}

impl ReplayBody {
    fn new(session: SessionId, replayed: Replayed) -> Self {
        Self {
            session: session.0,
            same: replayed.same,
            exact: replayed.exact,
            then: DecisionBody::from(replayed.then),
            now: DecisionBody::from(replayed.now),
            differences: replayed
                .differences
                .into_iter()
                .map(ChangeBody::from)
                .collect(),
        }
    }
}

impl From<Result<Decision, Undecided>> for DecisionBody {
    fn from(outcome: Result<Decision, Undecided>) -> Self {
        match outcome {
            Ok(decision) => Self {
                decided: true,
                config_hash: Some(hex::encode(config_hash(&decision))),
                trace: Some(json!(decision.trace)),
                prompt: Some(parts(&decision)),
                context: Some(decision.context.as_str().to_owned()),
                persona: Some(PersonaGiven {
                    key: decision.persona.as_str().to_owned(),
                    version: decision.version,
                }),
                undecided: None,
            },
            Err(undecided) => Self {
                decided: false,
                config_hash: None,
                trace: None,
                prompt: None,
                context: None,
                persona: None,
                undecided: Some(PreviewUndecided::from(&undecided)),
            },
        }
    }
}

/// Decides a session again from the inputs that were kept of it, at its own moment, and says what would differ. Nothing is
/// minted. Once the inputs are gone, the answer is 410 `inputs_expired`.
#[utoipa::path(
    post, path = "/v1/admin/sessions/{session}:replay", tag = "Admin: sessions", operation_id = "replaySession", security(("adminKey" = [])),
    extensions(("x-permission" = json!("view"))),
    params(("session" = String, Path, description = "The session's id")),
    request_body(content = Option<ReplayRequest>, content_type = "application/json"),
    responses(
        (status = 200, description = "Both decisions, and how they differ", body = ReplayBody),
        (status = 410, description = "`inputs_expired`: what a replay needs is not kept any more"),
        Creating,
    )
)]
async fn decide(
    may: May<View>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let session = id(&path)?;
    let sent = read_members(&request, payload, **limits).await?;
    let (base, uses) = read(sent)?;
    let tenant = may.tenant;
    work(&gateway, &may, async move |gateway| {
        let replayed = replay(&gateway.database, tenant, session, base, &uses).await?;
        Ok(Ready::ok(&ReplayBody::new(session, replayed)))
    })
    .await
}

fn read(sent: Map<String, Value>) -> Result<(Base, Vec<Use>), Problem> {
    let mut members = Members::new(sent);
    let base = members.optional("against", |value| match value.as_str() {
        Some("live") => Ok(Base::Live),
        Some("then") => Ok(Base::Then),
        _ => Err("must be live or then".into()),
    });
    let uses = members.nested("use", Use::parse_list);
    checked(members.finish())?;
    Ok((base.unwrap_or(Base::Live), uses.unwrap_or_default()))
}
