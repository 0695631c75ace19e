//! `/v1/admin/preview`: what a user would get, with drafts or versions in place.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use super::{checked, read_members};
use crate::api::answers::Asking;
use crate::api::only;
use crate::authoring::preview::{self, Asked, Preview};
use crate::authoring::uses::Use;
use crate::domain::decide::{Decision, Undecided};
use crate::domain::diff;
use crate::domain::fault::Fault;
use crate::domain::kept_test::TestUser;
use crate::domain::members::{Members, line, object};
use crate::domain::request::MintRequest;
use crate::domain::sample_user::SampleUser;
use crate::gateway::Gateway;
use crate::web::Problem;
use crate::web::admin::{May, View};
use crate::web::body::AdminBodyLimits;
use crate::web::codes::Code;
use crate::web::problem::FaultBody;
use crate::web::work::{Ready, work};

/// Its routes.
pub fn routes(config: &mut ServiceConfig) {
    config.service(only(
        web::resource("/v1/admin/preview").route(web::post().to(ask)),
        "POST",
    ));
}

/// Its part of the document.
#[derive(Debug, OpenApi)]
#[openapi(paths(ask))]
pub struct Doc;

/// What to try out.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewAsked {
    /// Drafts and versions that are put in place of what is live; nothing shows what is live.
    #[serde(rename = "use")]
    #[schema(nullable = false, max_items = 20)]
    uses: Option<Vec<UseAsked>>,
    /// What the outcome is compared with: `live`, or other drafts and versions.
    #[schema(nullable = false)]
    against: Option<AgainstAsked>,
    /// The situation, as pages name it.
    #[schema(nullable = false, max_length = 64, example = "support")]
    context: Option<String>,
    /// What the page sends along.
    #[schema(value_type = Object, required = false, nullable = false, example = json!({ "ticketId": "T-1" }))]
    metadata: Option<Value>,
    /// Who asks; nobody in particular unless set.
    #[schema(nullable = false)]
    user: Option<UserAsked>,
    /// When; now unless set. What is scheduled until then is live.
    #[schema(nullable = false)]
    at: Option<DateTime<Utc>>,
}

/// A draft or a version.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body that is read member by member")]
pub(super) enum UseAsked {
    /// A draft, by its id.
    Draft {
        /// Its id.
        draft: Uuid,
    },
    /// A sealed version.
    Version {
        /// `persona`, `context` or `snippet`.
        #[schema(example = "persona")]
        kind: String,
        /// The document's name.
        #[schema(example = "support-agent")]
        key: String,
        /// The version's number.
        #[schema(minimum = 1, example = 3)]
        version: i32,
    },
}

/// What an outcome is compared with.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body that is read member by member")]
enum AgainstAsked {
    /// `live`: what is live.
    #[schema(example = "live")]
    Live(String),
    /// Other drafts and versions.
    Uses(Vec<UseAsked>),
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes a body that is read member by member")]
enum UserAsked {
    /// A made-up user, by its key.
    Sample {
        /// Its key.
        #[schema(example = "gold-customer")]
        sample: String,
    },
    /// One that is typed in.
    Typed(TypedUser),
}

/// A user that is typed in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TypedUser {
    /// The token's `sub`.
    #[schema(nullable = false, example = "user-1")]
    subject: Option<String>,
    /// What the token's claims would tell.
    #[schema(value_type = Object, required = false, nullable = false)]
    facts: Option<Value>,
    /// What the user has chosen.
    #[schema(value_type = Object, required = false, nullable = false)]
    preferences: Option<Value>,
}

/// What would happen: a request to Anam with its explanation, or `undecided`.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PreviewedBody {
    /// Exactly what Anam would be sent, but for the session's id, which is zero here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false)]
    request: Option<Map<String, Value>>,
    /// The rendered prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prompt: Option<String>,
    /// The rendered greeting; absent where the LLM makes one up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    greeting: Option<String>,
    /// Why: rules, split, and whose value each field has. Drafts have version 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, nullable = false)]
    trace: Option<Value>,
    /// Why nobody would be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    undecided: Option<PreviewUndecided>,
}

/// Why nobody would be given.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PreviewUndecided {
    /// The code that the page would get.
    #[schema(example = "metadata_invalid")]
    code: &'static str,
    /// Why, for admins.
    message: String,
    /// Each fault of the metadata.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FaultBody>,
}

/// What would happen, and what differs from something else.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewBody {
    #[serde(flatten)]
    outcome: PreviewedBody,
    /// What it was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    against: Option<PreviewedBody>,
    /// What differs, from `against` to this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    difference: Option<PreviewDifference>,
}

/// What differs between two outcomes; empty where one of the two is undecided.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewDifference {
    /// Each place of `request` that differs.
    changes: Vec<PreviewChange>,
    /// The prompts line by line, as a unified diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "@@ -1 +1 @@\n-Be kind.\n+Be brief.\n")]
    prompt: Option<String>,
}

/// One place that differs.
#[derive(Debug, Serialize, ToSchema)]
struct PreviewChange {
    /// RFC 6901 pointer.
    #[schema(example = "/personaConfig/avatarId")]
    pointer: String,
    /// `add`, `remove` or `change`.
    #[schema(value_type = String, example = "change")]
    change: diff::ChangeKind,
    /// What stood there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    before: Option<Value>,
    /// What stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    after: Option<Value>,
}

/// Shows what a user would get, with drafts or versions in place. Nothing is minted, and nothing recorded.
#[utoipa::path(
    post, path = "/v1/admin/preview", tag = "Admin: see before you leap", operation_id = "preview",
    security(("adminKey" = [])), extensions(("x-permission" = json!("view"))),
    request_body(content = PreviewAsked, content_type = "application/json", example = json!({
        "use": [{ "kind": "persona", "key": "support-agent", "version": 2 }], "against": "live",
        "context": "support", "metadata": { "ticketId": "T-1" }, "user": { "facts": { "name": "Ann", "plan": "gold" } }
    })),
    responses(
        (status = 200, description = "What would happen", body = PreviewBody),
        Asking,
    )
)]
async fn ask(
    may: May<View>,
    request: HttpRequest,
    payload: web::Payload,
    gateway: web::Data<Gateway>,
    limits: web::Data<AdminBodyLimits>,
) -> Result<HttpResponse, Problem> {
    let sent = read_members(&request, payload, **limits).await?;
    let mut members = Members::new(sent);
    let uses = members.nested("use", Use::parse_list);
    let against = members.nested("against", parse_against);
    let context = members.optional("context", line(64));
    let metadata = members.optional("metadata", object).unwrap_or_default();
    let asking = members.nested("user", |value| TestUser::parse(&value));
    let at = members.optional("at", moment);
    checked(members.finish())?;
    let asked = Asked {
        uses: uses.unwrap_or_default(),
        against,
        user: asking.unwrap_or_else(|| TestUser::Typed(SampleUser::default())),
        request: MintRequest {
            context,
            metadata: metadata.into(),
        },
        at,
    };
    let tenant = may.tenant;
    work(&gateway, &may, async move |gateway| {
        let preview = preview::preview(&gateway.database, tenant, &asked).await?;
        Ok(Ready::ok(&PreviewBody::from(preview)))
    })
    .await
}

/// A moment of RFC 3339, within what calendars and databases know.
#[expect(
    clippy::needless_pass_by_value,
    reason = "readers of members all have this shape"
)]
fn moment(value: Value) -> Result<DateTime<Utc>, String> {
    let moment = value.as_str().map(DateTime::parse_from_rfc3339);
    match moment {
        Some(Ok(moment)) => Ok(moment.to_utc()),
        _ => Err("must be a moment such as 2030-01-31T08:00:00Z".into()),
    }
}

fn parse_against(value: Value) -> Result<Vec<Use>, Vec<Fault>> {
    match value {
        Value::String(word) if word == "live" => Ok(Vec::new()),
        list @ Value::Array(_) => Use::parse_list(list),
        _ => Err(vec![Fault::new(
            "",
            "must be \"live\", or a list of drafts and versions",
        )]),
    }
}

impl From<Preview> for PreviewBody {
    fn from(preview: Preview) -> Self {
        let mut body = Self {
            outcome: PreviewedBody::of(&preview.outcome),
            against: None,
            difference: None,
        };
        if let Some(against) = preview.against {
            body.against = Some(PreviewedBody::of(&against.outcome));
            let changes = against.changes.into_iter().map(|change| PreviewChange {
                pointer: change.pointer,
                change: change.change,
                before: change.before,
                after: change.after,
            });
            body.difference = Some(PreviewDifference {
                changes: changes.collect(),
                prompt: against.prompt,
            });
        }
        body
    }
}

impl PreviewedBody {
    fn of(outcome: &Result<Decision, Undecided>) -> Self {
        match outcome {
            Ok(decision) => Self {
                request: Some(preview::sent(decision)),
                prompt: Some(decision.config.system_prompt.clone()),
                greeting: decision.config.initial_message.clone(),
                trace: serde_json::to_value(&decision.trace).ok(),
                undecided: None,
            },
            Err(undecided) => Self {
                undecided: Some(PreviewUndecided::from(undecided)),
                ..Self::default()
            },
        }
    }
}

impl From<&Undecided> for PreviewUndecided {
    fn from(undecided: &Undecided) -> Self {
        Self {
            code: code_of(undecided).as_str(),
            message: undecided.to_string(),
            errors: errors_of(undecided),
        }
    }
}

/// The code that a page would get.
pub(super) fn code_of(undecided: &Undecided) -> Code {
    match undecided {
        Undecided::ContextUnknown { .. } => Code::ContextUnknown,
        Undecided::MetadataInvalid(_) => Code::MetadataInvalid,
        Undecided::PersonaMissing(_)
        | Undecided::NoArm(_)
        | Undecided::Incomplete { .. }
        | Undecided::Unrendered { .. } => Code::PersonaUnavailable,
    }
}

fn errors_of(undecided: &Undecided) -> Vec<FaultBody> {
    let Undecided::MetadataInvalid(faults) = undecided else {
        return Vec::new();
    };
    let errors = faults.iter().map(|fault| FaultBody {
        pointer: format!("/metadata{}", fault.pointer),
        message: fault.message.clone(),
    });
    errors.collect()
}
