//! `/v1/admin/test-calls`: a session token for somebody who administers, to talk with a draft, a version, or whomever a context gives.

use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::views::uses::Uses;
use crate::api::session_token::{MintedView, Token};
use crate::authoring::preview::PreviewRequest;
use crate::authoring::test_call::{TestCall, TestMinted};
use crate::domain::kept_test::{MAX_CONTEXT_CHARS, TestUser};
use crate::domain::request::MintRequest;
use crate::domain::sample_user::SampleUser;
use crate::web::admin::Edit;
use crate::web::input::{Line, Moment, Object, input};
use crate::web::operation::{Answer, Body, Call, Described, Output, operations};

operations! {
    "Admin: preview and tests";

    "/v1/admin/test-calls" {
        /// Gives an Anam session token to talk as a user would, with drafts or versions in place of what is live. What a preview of the
        /// same request shows is what Anam is sent. The session is in the list, marked as a test call of whoever asks; it counts in no
        /// statistics, and the audit trail has it. What a release would refuse a persona for is refused here, kept tests left aside.
        POST startTestCall => start;
    }
}

input! {
    /// Who talks, and with what.
    struct TestCallAsked {
        /// Drafts, versions and contents that are put in place of what is live; nothing tries what is live.
        #[example([{ "kind": "persona", "key": "support-agent", "version": 1 }])]
        r#use: Uses = Uses::default(),
        /// The situation, as pages name it.
        #[example("support")]
        context: Option<Line<MAX_CONTEXT_CHARS>>,
        /// What the page sends along.
        #[example({ "ticketId": "T-1" })]
        metadata: Object = Object::new(),
        /// As whom; nobody in particular unless set.
        #[example({ "facts": { "name": "Ann", "plan": "gold" } })]
        user: TestUser = TestUser::Typed(SampleUser::default()),
        /// When it is for rules and texts; now unless set.
        at: Option<Moment>,
    }
}

/// A token to talk with, and what it was made from.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TestCallToken)]
struct TestCallBody {
    /// The token and its session. A draft has version 0.
    #[serde(flatten)]
    session: MintedView,
    /// The rendered greeting; absent where the LLM makes one up, or the user speaks first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    greeting: Option<String>,
    /// The longest conversation, in seconds; Anam's plan may allow less.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 1800)]
    max_session_length_seconds: Option<u32>,
    /// Tools that the persona has: what they do is really done.
    tools: Vec<String>,
    /// Tools that the persona does without here: they send a secret, and are not live exactly as they are in this document.
    left_out_tools: Vec<String>,
    /// Why: rules, split, and whose value each field has.
    #[schema(value_type = Object)]
    trace: Value,
}

/// A token, or the reason why there is none.
struct Talk(Token<TestCallBody>);

impl Output for Talk {
    fn into_response(self, request: &HttpRequest) -> HttpResponse {
        self.0.into_response(request)
    }

    fn describe(operation: &mut Described<'_>) {
        Token::<TestCallBody>::describe(operation);
        operation.may_refuse(404, "Absent");
        for status in [500, 502, 504] {
            operation.may_refuse(status, "Failed");
        }
    }
}

async fn start(call: Call<Edit>, sent: Body<TestCallAsked>) -> Answer<Talk> {
    let sent = sent.checked()?;
    let gateway = call.gateway();
    gateway.count_test_call(call.tenant, &call.actor.label)?;
    let asked = PreviewRequest {
        uses: sent.r#use.into_inner(),
        against: None,
        user: sent.user,
        request: MintRequest {
            context: sent.context.map(String::from),
            metadata: sent.metadata.into(),
        },
        at: sent.at.map(Moment::get),
    };
    let admin = (*call).clone();
    let decided =
        call.work(async move |gateway| Ok(TestCall::decide(gateway, &admin, &asked).await?));
    let minted = decided.await?.mint(gateway).await?;
    Ok(Talk(Token::new(
        &TestCallBody::from(&minted),
        &minted.minted,
    )))
}

impl From<&TestMinted> for TestCallBody {
    fn from(test: &TestMinted) -> Self {
        let decision = &test.decision;
        let settings = &decision.config.settings;
        let tools = settings.tools.iter().flatten();
        Self {
            session: MintedView::from(&test.minted),
            greeting: decision
                .config
                .initial_message
                .clone()
                .filter(|_| settings.skip_greeting != Some(true)),
            max_session_length_seconds: settings.max_session_length_seconds,
            tools: tools
                .filter_map(|tool| tool.name())
                .map(ToOwned::to_owned)
                .collect(),
            left_out_tools: test.left_out.clone(),
            trace: json!(decision.trace),
        }
    }
}
