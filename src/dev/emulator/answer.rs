//! Anam's way to answer: JSON, and on failure `{"error", "message"}`.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::json;

/// A refusal in Anam's error shape.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{status}: {error}: {message}")]
pub(super) struct Refusal {
    status: StatusCode,
    error: Cow<'static, str>,
    message: String,
    reason: Option<&'static str>,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        error: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            error: error.into(),
            message: message.into(),
            reason: None,
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Validation error", message)
    }

    pub(super) fn unauthorised(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", message)
    }

    /// The body that was seen live when all of an organisation's slots are taken.
    pub(super) fn too_many_sessions(limit: u32) -> Self {
        Self {
            reason: Some("concurrent_limit"),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "Concurrent session limit reached",
                format!("All {limit} sessions of this organisation are in use."),
            )
        }
    }
}

impl ResponseError for Refusal {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut body = json!({ "error": self.error, "message": self.message });
        if let (Some(reason), Some(members)) = (self.reason, body.as_object_mut()) {
            members.insert("reason".to_owned(), json!(reason));
        }
        HttpResponse::build(self.status).json(body)
    }
}

/// 200 with a JSON body.
pub(super) fn ok(body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(body)
}
