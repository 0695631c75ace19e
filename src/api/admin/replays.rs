//! `/v1/admin/sessions/{session}:replay`: what a session would get now, or with something that is not live yet.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use super::views::change::ChangeBody;
use super::views::explanation::PersonaGiven;
use super::views::prompt::{PromptPart, parts};
use super::views::undecided::PreviewUndecided;
use super::views::uses::Uses;
use crate::authoring::replay::{Base, Replayed, replay};
use crate::domain::decide::{Decision, Undecided};
use crate::domain::fault::Fault;
use crate::domain::ids::SessionId;
use crate::sessions::written::WrittenConfig;
use crate::web::admin::View;
use crate::web::input::{Member, Schemas, input, word};
use crate::web::operation::{Answer, Body, Call, Conflicting, Expired, Json, Path, Unless};

input! {
    /// What to decide with.
    pub(super) struct ReplayRequest {
        /// `live`: what is live now. `then`: the versions that the session was decided with. `live` unless set.
        #[example("live")]
        against: Base = Base::Live,
        /// Put in the place of what `against` has, the later over the earlier.
        #[example([{ "kind": "persona", "key": "support-agent", "version": 2 }])]
        r#use: Uses = Uses::default(),
    }
}

const BASES: [Base; 2] = [Base::Live, Base::Then];

impl Member for Base {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        word(&value, &BASES, Self::as_str)
    }

    fn schema(_: &mut Schemas) -> Value {
        json!({ "type": "string", "enum": BASES.map(Self::as_str) })
    }
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReplayBody {
    /// The session's id.
    session: Uuid,
    /// Whether both decisions give the same request to Anam.
    same: bool,
    /// Whether `then` is exactly what Anam was sent then. It is not where the policy, the catalogue or the tenant's name were
    /// changed since: they have no versions.
    exact: bool,
    /// The result with the versions that were live at the time.
    then: DecisionBody,
    /// The result with the documents that the request names.
    now: DecisionBody,
    /// How what Anam would be sent (`personaConfig`, `sessionOptions`) differs between the two.
    differences: Vec<ChangeBody>,
}

/// A decision, or what is in its way.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DecisionBody {
    /// Whether a persona is given.
    decided: bool,
    /// The key of the context that was used.
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
    /// The explanation of the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    trace: Option<Value>,
    /// The prompt, in parts that say where they come from: put together, they are the prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    prompt: Option<Vec<PromptPart>>,
    /// What prevents it.
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
                config_hash: Some(hex::encode(WrittenConfig::new(&decision).hash())),
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

pub(super) async fn decide(
    call: Call<View>,
    Path(session): Path<SessionId>,
    sent: Body<ReplayRequest>,
) -> Answer<Unless<Expired, Unless<Conflicting, Json<ReplayBody>>>> {
    let sent = sent.checked()?;
    let tenant = call.tenant;
    call.work(async move |gateway| {
        let replayed = replay(
            &gateway.database,
            tenant,
            session,
            sent.against,
            &sent.r#use,
        )
        .await?;
        let body = Json::new(&ReplayBody::new(session, replayed));
        Ok(Unless::from(Unless::from(body)))
    })
    .await
}
