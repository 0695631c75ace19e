//! `POST /api/session-token`: the main job behind the face of Anam's documented Express server, so that a page
//! written for it changes nothing.

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::session_token::{Token, TokenRequest};
use crate::anam::AnamError;
use crate::sessions::mint::MintError;
use crate::web::operation::{Answer, Described, Output, operations};
use crate::web::problem::ProblemBody;

operations! {
    "Sessions";

    "/api/session-token" {
        /// Gives a session token as the Express server in Anam's documentation does. Failures at Anam get that server's statuses and
        /// texts; whatever fails before Anam is asked is a problem as in `/v1`.
        POST mintSessionTokenDropIn => mint;
    }
}

/// The answer of the documented server.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DropInToken)]
pub(super) struct DropInView {
    /// Anam's session token.
    session_token: String,
}

/// Its answer to a failure at Anam.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DropInError)]
pub(super) struct DropInError {
    /// `Authentication failed`, `Invalid configuration`, `Service unavailable` or `Network error`.
    #[schema(example = "Service unavailable")]
    error: &'static str,
}

#[derive(Debug)]
pub(super) enum AsDocumented {
    Token(Token<DropInView>),
    Failed(StatusCode, DropInError),
}

impl Output for AsDocumented {
    fn into_response(self, request: &HttpRequest) -> HttpResponse {
        match self {
            Self::Token(token) => token.into_response(request),
            Self::Failed(status, error) => HttpResponse::build(status)
                .insert_header((CACHE_CONTROL, "no-store"))
                .json(error),
        }
    }

    fn describe(operation: &mut Described<'_>) {
        Token::<DropInView>::describe(operation);
        let error = operation.schemas.output::<DropInError>();
        let problem = operation.schemas.output::<ProblemBody>();
        operation.answers(
            400,
            &json!({
                "description": "Anam refused the configuration, or the request is malformed",
                "content": {
                    "application/json": { "schema": error },
                    "application/problem+json": { "schema": problem },
                },
            }),
        );
        operation.answers(
            500,
            &json!({
                "description": "Any other failure at Anam",
                "content": { "application/json": { "schema": error } },
            }),
        );
    }
}

async fn mint(request: TokenRequest) -> Answer<AsDocumented> {
    match request.mint().await? {
        Ok(minted) => {
            let view = DropInView {
                session_token: minted.issued.token.expose().to_owned(),
            };
            Ok(AsDocumented::Token(Token::new(&view, &minted)))
        }
        Err(MintError::Anam { error, .. }) => Ok(documented_error(&error)),
        Err(error) => Err(error.into()),
    }
}

fn documented_error(error: &AnamError) -> AsDocumented {
    let (status, text) = match error.upstream_status() {
        Some(401) => (StatusCode::INTERNAL_SERVER_ERROR, "Authentication failed"),
        Some(400) => (StatusCode::BAD_REQUEST, "Invalid configuration"),
        Some(_) => (StatusCode::INTERNAL_SERVER_ERROR, "Service unavailable"),
        None => (StatusCode::INTERNAL_SERVER_ERROR, "Network error"),
    };
    AsDocumented::Failed(status, DropInError { error: text })
}
