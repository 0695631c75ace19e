//! `/v1/admin/sessions/{session}:replay`: what a session would get now, or with something that is not live yet.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::{checked, id, read_members};
use crate::api::answers::Creating;
use crate::api::only;
use crate::authoring::replay::{Base, Replayed, Use, replay};
use crate::domain::decide::{Decision, Undecided};
use crate::domain::diff::{Change, ChangeKind};
use crate::domain::fault::Fault;
use crate::domain::ids::{DraftId, SessionId};
use crate::domain::key::Key;
use crate::domain::members::{Members, line, number};
use crate::gateway::Gateway;
use crate::sessions::explain::PersonaGiven;
use crate::sessions::record::config_hash;
use crate::store::documents::DocumentKind;
use crate::web::Problem;
use crate::web::admin::{May, View};
use crate::web::body::AdminBodyLimits;
use crate::web::codes::Code;

/// Things put in place at most.
const MAX_USES: usize = 20;

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
    r#use: Option<Vec<UsedInstead>>,
}

/// A draft by its id, or a sealed version by kind, key and number.
#[derive(Debug, ToSchema)]
#[expect(
    dead_code,
    reason = "documentation only: the body is read member by member"
)]
struct UsedInstead {
    /// A draft's id; then nothing else.
    #[schema(nullable = false)]
    draft: Option<Uuid>,
    /// `persona`, `context` or `snippet`.
    #[schema(nullable = false, pattern = "^(persona|context|snippet)$")]
    kind: Option<String>,
    /// The document's key.
    #[schema(nullable = false, example = "support-agent")]
    key: Option<String>,
    /// The version's number.
    #[schema(nullable = false, minimum = 1, example = 4)]
    version: Option<i32>,
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
    differences: Vec<DifferenceBody>,
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
    /// What stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    undecided: Option<UndecidedBody>,
}

/// Why there is no decision.
#[derive(Debug, Serialize, ToSchema)]
struct UndecidedBody {
    /// The problem code that the user would get.
    #[schema(example = "metadata_invalid")]
    code: &'static str,
    /// What is wrong.
    detail: String,
    /// Each place, with a pointer into the request's metadata.
    errors: Vec<PlaceBody>,
}

/// A fault and its place.
#[derive(Debug, Serialize, ToSchema)]
struct PlaceBody {
    /// RFC 6901.
    #[schema(example = "/metadata/seats")]
    pointer: String,
    /// What is wrong.
    message: String,
}

/// One difference.
#[derive(Debug, Serialize, ToSchema)]
struct DifferenceBody {
    /// RFC 6901 pointer to the place.
    #[schema(example = "/personaConfig/systemPrompt")]
    pointer: String,
    /// `add`, `remove` or `change`.
    #[schema(example = "change")]
    change: &'static str,
    /// What stood there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>, nullable = true)]
    before: Option<Value>,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>, nullable = true)]
    after: Option<Value>,
    /// The same as a unified diff, for texts of several lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    text: Option<String>,
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
                .map(DifferenceBody::from)
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
                context: None,
                persona: None,
                undecided: Some(UndecidedBody::from(undecided)),
            },
        }
    }
}

impl From<Undecided> for UndecidedBody {
    fn from(undecided: Undecided) -> Self {
        let detail = undecided.to_string();
        let (code, faults) = match undecided {
            Undecided::ContextUnknown { .. } => (Code::ContextUnknown, Vec::new()),
            Undecided::MetadataInvalid(faults) => (Code::MetadataInvalid, faults),
            _ => (Code::PersonaUnavailable, Vec::new()),
        };
        let errors = faults.into_iter().map(|fault| fault.under("/metadata"));
        Self {
            code: code.as_str(),
            detail,
            errors: errors
                .map(|fault| PlaceBody {
                    pointer: fault.pointer,
                    message: fault.message,
                })
                .collect(),
        }
    }
}

impl From<Change> for DifferenceBody {
    fn from(change: Change) -> Self {
        Self {
            pointer: change.pointer,
            change: match change.change {
                ChangeKind::Add => "add",
                ChangeKind::Remove => "remove",
                ChangeKind::Change => "change",
            },
            before: change.before,
            after: change.after,
            text: change.text,
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
        (status = 410, response = crate::api::openapi::Expired),
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
    let mut tx = gateway.database.tenant(may.tenant).await?;
    let replayed = replay(&mut tx, session, gateway.clock.now(), base, &uses).await?;
    tx.commit().await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(ReplayBody::new(session, replayed)))
}

fn read(sent: Map<String, Value>) -> Result<(Base, Vec<Use>), Problem> {
    let mut members = Members::new(sent);
    let base = members.optional("against", |value| match value.as_str() {
        Some("live") => Ok(Base::Live),
        Some("then") => Ok(Base::Then),
        _ => Err("must be live or then".into()),
    });
    let uses = members.nested("use", read_uses);
    checked(members.finish())?;
    Ok((base.unwrap_or(Base::Live), uses.unwrap_or_default()))
}

fn read_uses(value: Value) -> Result<Vec<Use>, Vec<Fault>> {
    let Value::Array(items) = value else {
        return Err(vec![Fault::new("", "must be a list")]);
    };
    if items.len() > MAX_USES {
        let message = format!("must have at most {MAX_USES} items");
        return Err(vec![Fault::new("", message)]);
    }
    let mut uses = Vec::new();
    let mut faults = Vec::new();
    for (at, item) in items.into_iter().enumerate() {
        match read_use(item) {
            Ok(one) => uses.extend(one),
            Err(found) => {
                faults.extend(
                    found
                        .into_iter()
                        .map(|fault| fault.under(&format!("/{at}"))),
                );
            }
        }
    }
    if faults.is_empty() {
        Ok(uses)
    } else {
        Err(faults)
    }
}

fn read_use(item: Value) -> Result<Option<Use>, Vec<Fault>> {
    let Value::Object(item) = item else {
        return Err(vec![Fault::new("", "must be an object")]);
    };
    let is_draft = item.contains_key("draft");
    let mut members = Members::new(item);
    if is_draft {
        let draft = members.required("draft", |value| {
            let id = value.as_str().and_then(|text| Uuid::try_parse(text).ok());
            id.ok_or_else(|| "must be a draft's id".into())
        });
        members.finish()?;
        return Ok(draft.map(|id| Use::Draft(DraftId(id))));
    }
    let kind = members.required("kind", |value| {
        let kind = value.as_str().and_then(DocumentKind::named);
        kind.ok_or_else(|| "must be persona, context or snippet".into())
    });
    let key = members.required("key", |value| {
        let key = line(64)(value)?;
        Key::parse(&key).map_err(|fault| fault.to_string())
    });
    let version = members.required("version", number(1, i32::MAX.into()));
    members.finish()?;
    let version = version.and_then(|version| i32::try_from(version).ok());
    Ok(kind
        .zip(key)
        .zip(version)
        .map(|((kind, key), version)| Use::Version(kind, key, version)))
}
