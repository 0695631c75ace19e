//! `POST /v1/session-token`.

use std::fmt;
use std::marker::PhantomData;

use actix_web::http::header::{CACHE_CONTROL, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::domain::request::MAX_CONTEXT_CHARS;
use crate::gateway::Gateway;
use crate::sessions::mint::{MintCall, MintError, Minted, mint as mint_session};
use crate::sessions::timings::Timings;
use crate::web::Problem;
use crate::web::body::{self, BodyLimits};
use crate::web::cors::foreign_origin;
use crate::web::operation::{Answer, Described, Intake, Output, Part, idempotency_key, operations};
use crate::web::quota::tell_left;
use crate::web::trace::SessionLine;
use crate::web::user::user_call;

operations! {
    "Sessions";

    "/v1/session-token" {
        /// Gives the signed-in user an Anam session token for the persona of a context.
        POST mintSessionToken => mint;
    }
}

const JSON: &[&str] = &["application/json"];

/// A page's request for a token. Its body is read once the user is known; `domain::request` reads it, strictly.
pub(super) struct TokenRequest {
    head: HttpRequest,
    payload: web::Payload,
    limits: BodyLimits,
    gateway: web::Data<Gateway>,
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest").finish_non_exhaustive()
    }
}

impl Part for TokenRequest {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Ok(Self {
            head: intake.request.clone(),
            payload: intake.payload()?,
            limits: intake.body_limits()?,
            gateway: intake.gateway()?.clone(),
        })
    }

    fn describe(operation: &mut Described<'_>) {
        operation.for_users();
        let schema = operation.schemas.named("MintRequest", |_| json!({
            "type": "object",
            "description": "What a page sends.",
            "properties": {
                "context": {
                    "type": "string", "minLength": 1, "maxLength": MAX_CONTEXT_CHARS, "examples": ["support"],
                    "description": "The situation, such as `support`. Left out or unknown, the tenant's context `default` answers, if it has one.",
                },
                "metadata": {
                    "type": "object",
                    "description": "What the context wants to know; see `GET /v1/contexts`.",
                },
            },
            "additionalProperties": false,
        }));
        operation.header(
            "Idempotency-Key",
            "A text of your own. For a minute, the same user's requests with the same key get the token of the first, and none is taken for them",
            &json!({ "type": "string", "minLength": 1, "maxLength": 255 }),
            false,
        );
        operation.body(JSON, &schema, false);
        for status in [500, 502, 503, 504] {
            operation.may_refuse(status, "Failed");
        }
    }
}

impl TokenRequest {
    /// Does the main job. The outer error is a request that never got that far.
    pub(super) async fn mint(self) -> Answer<Result<Minted, MintError>> {
        let origin = foreign_origin(&self.head);
        let call = MintCall {
            by: user_call(&self.head, origin.as_deref())?,
            key: idempotency_key(&self.head),
            body: body::read(&self.head, self.payload, self.limits, JSON),
        };
        Ok(mint_session(&self.gateway, call).await)
    }
}

/// 200, with a token and how long each step took.
#[derive(Debug)]
pub(super) struct Token<T> {
    response: HttpResponse,
    body: PhantomData<T>,
}

impl<T: Serialize> Token<T> {
    pub(super) fn new(body: &T, minted: &Minted) -> Self {
        let timing = HeaderName::from_static("server-timing");
        let mut response = HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, "no-store"))
            .insert_header((timing, server_timing(minted.timings)))
            .take();
        let (left, now) = &minted.left;
        tell_left(&mut response, left, *now);
        let mut response = response.json(body);
        let issued = &minted.issued;
        response.extensions_mut().insert(SessionLine {
            session: issued.session,
            context: issued.context.clone(),
            persona: issued.persona.clone(),
            persona_version: issued.persona_version,
            anam: minted.timings.anam,
        });
        Self {
            response,
            body: PhantomData,
        }
    }
}

impl<T: ToSchema> Output for Token<T> {
    fn into_response(self, _: &HttpRequest) -> HttpResponse {
        self.response
    }

    fn describe(operation: &mut Described<'_>) {
        operation.answers_with::<T>(
            200,
            &[(
                "Server-Timing",
                "How long each step took, in milliseconds: auth, decide, anam, total",
            )],
        );
    }
}

async fn mint(request: TokenRequest) -> Answer<Token<MintedView>> {
    let minted = request.mint().await??;
    Ok(Token::new(&MintedView::from(&minted), &minted))
}

/// A token, and what it is for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = SessionToken)]
pub struct MintedView {
    /// Anam's session token, for its browser SDK: `createClient(sessionToken)`. It starts one conversation.
    pub session_token: String,
    /// Until when it can start one.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: String,
    /// Our id of the session; Anam's `clientLabel`.
    pub session_id: uuid::Uuid,
    /// The persona of the session.
    pub persona: PersonaView,
    /// The key of the context that was used.
    #[schema(example = "support")]
    pub context: String,
}

/// The persona of a session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionPersona)]
pub struct PersonaView {
    /// The persona's key in the tenant.
    #[schema(example = "support-agent")]
    pub key: String,
    /// The number of the sealed version that was used.
    pub version: i32,
    /// Its display name.
    #[schema(example = "Ava")]
    pub name: String,
}

/// W3C Server-Timing, milliseconds.
fn server_timing(timings: Timings) -> String {
    let ms = |duration: std::time::Duration| duration.as_secs_f64() * 1_000.0;
    format!(
        "auth;dur={:.2}, decide;dur={:.2}, anam;dur={:.2}, total;dur={:.2}",
        ms(timings.auth),
        ms(timings.decide),
        ms(timings.anam),
        ms(timings.total)
    )
}

impl From<&Minted> for MintedView {
    fn from(minted: &Minted) -> Self {
        let issued = &minted.issued;
        Self {
            session_token: issued.token.expose().to_owned(),
            expires_at: rfc3339(issued.token.expires_at),
            session_id: issued.session.0,
            persona: PersonaView {
                key: issued.persona.as_str().to_owned(),
                version: issued.persona_version,
                name: issued.persona_name.clone(),
            },
            context: issued.context.as_str().to_owned(),
        }
    }
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
