//! `/v1/admin/preview`: what a user would get, with drafts or versions in place.

use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::views::undecided::PreviewUndecided;
use super::views::uses::Uses;
use crate::authoring::preview::{self, Preview, PreviewRequest};
use crate::domain::caller::{Facts, Subject};
use crate::domain::decide::{Decision, Undecided};
use crate::domain::diff::ChangeKind;
use crate::domain::fault::Fault;
use crate::domain::kept_test::{MAX_CONTEXT_CHARS, TestUser};
use crate::domain::key::Key;
use crate::domain::preferences::Preferences;
use crate::domain::request::MintRequest;
use crate::domain::sample_user::SampleUser;
use crate::domain::wrong::Wrong;
use crate::web::admin::View;
use crate::web::input::{Line, Member, Moment, Object, Schemas, input};
use crate::web::operation::{Absent, Answer, Body, Call, Json, Unless, operations};

operations! {
    "Admin: preview and tests";

    "/v1/admin/preview" {
        /// Shows what a user would get, with drafts or versions in place of what is live. No token is requested, and nothing is
        /// recorded.
        POST preview => decide;
    }
}

input! {
    /// What to try out.
    struct PreviewAsked {
        /// Drafts, versions and contents that are put in place of what is live; nothing shows what is live.
        #[example([{ "kind": "persona", "key": "support-agent", "version": 2 }])]
        r#use: Uses = Uses::default(),
        /// What the outcome is compared with: `live`, or other drafts and versions.
        #[example("live")]
        against: Option<Against>,
        /// The situation, as pages name it.
        #[example("support")]
        context: Option<Line<MAX_CONTEXT_CHARS>>,
        /// What the page sends along.
        #[example({ "ticketId": "T-1" })]
        metadata: Object = Object::new(),
        /// Who asks; nobody in particular unless set.
        #[example({ "facts": { "name": "Ann", "plan": "gold" } })]
        user: TestUser = TestUser::Typed(SampleUser::default()),
        /// When; now unless set. What is scheduled until then is live.
        at: Option<Moment>,
    }

    /// A user that is typed in.
    struct TypedUser {
        /// The token's `sub`.
        #[example("user-1")]
        subject: Option<Subject>,
        /// What the token's claims would tell.
        #[example({ "name": "Ann", "plan": "gold" })]
        facts: Facts = Facts::new(),
        /// What the user has chosen.
        #[example({ "tone": "brief" })]
        preferences: Preferences = Preferences::default(),
    }
}

/// What an outcome is compared with: what is live, where nothing is put in its place.
#[derive(Debug)]
struct Against(Uses);

impl Member for Against {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        match value {
            Value::String(word) if word == "live" => Ok(Self(Uses::default())),
            list @ Value::Array(_) => Uses::read(list).map(Self),
            _ => Err(vec![Fault::new("", Wrong::LiveOrList)]),
        }
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let uses = Uses::schema(schemas);
        json!({ "oneOf": [{ "type": "string", "const": "live" }, uses] })
    }
}

impl Member for TestUser {
    fn read(value: Value) -> Result<Self, Vec<Fault>> {
        match value {
            Value::Object(members) if !members.contains_key("sample") => {
                let typed = TypedUser::read(Value::Object(members))?;
                Ok(Self::Typed(SampleUser {
                    subject: typed.subject,
                    facts: typed.facts,
                    preferences: typed.preferences,
                }))
            }
            other => Self::parse(&other),
        }
    }

    fn schema(schemas: &mut Schemas) -> Value {
        let (key, typed) = (<Key as Member>::schema(schemas), TypedUser::schema(schemas));
        json!({
            "oneOf": [
                {
                    "description": "A made-up user, by its key",
                    "type": "object",
                    "required": ["sample"],
                    "properties": { "sample": key },
                    "additionalProperties": false,
                },
                typed,
            ],
        })
    }
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
    /// Why no persona would be given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    undecided: Option<PreviewUndecided>,
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
    #[schema(example = "change")]
    change: ChangeKind,
    /// The value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    before: Option<Value>,
    /// The value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    after: Option<Value>,
}

async fn decide(
    call: Call<View>,
    sent: Body<PreviewAsked>,
) -> Answer<Unless<Absent, Json<PreviewBody>>> {
    let sent = sent.checked()?;
    let asked = PreviewRequest {
        uses: sent.r#use.into_inner(),
        against: sent.against.map(|Against(uses)| uses.into_inner()),
        user: sent.user,
        request: MintRequest {
            context: sent.context.map(String::from),
            metadata: sent.metadata.into(),
        },
        at: sent.at.map(Moment::get),
    };
    let tenant = call.tenant;
    call.work(async move |gateway| {
        let preview = preview::preview(&gateway.database, tenant, &asked).await?;
        Ok(Json::new(&PreviewBody::from(preview)).into())
    })
    .await
}

impl From<Preview> for PreviewBody {
    fn from(preview: Preview) -> Self {
        let mut body = Self {
            outcome: PreviewedBody::new(&preview.outcome),
            against: None,
            difference: None,
        };
        if let Some(against) = preview.against {
            body.against = Some(PreviewedBody::new(&against.outcome));
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
    fn new(outcome: &Result<Decision, Undecided>) -> Self {
        match outcome {
            Ok(decision) => Self {
                request: Some(preview::anam_request(decision)),
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
