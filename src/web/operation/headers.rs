//! Conditions of a request (RFC 9110, section 13).

use actix_web::HttpRequest;
use serde_json::{Value, json};

use super::describe::Described;
use super::part::{Intake, Part};
use crate::domain::fault::Fault;
use crate::domain::wrong::Wrong;
use crate::repeats::{KeyReused, NoKey};
use crate::web::Problem;
use crate::web::codes::Code;
use crate::web::etag::{Conditions, Validator};

/// `If-Match` of an admin's change, which must be there: nobody overwrites what they haven't seen.
#[derive(Debug, Clone)]
pub struct IfMatch(Conditions);

impl IfMatch {
    /// Checks that the current state is the one the caller has seen: 428 where the header is missing, and 412, with the present state as `current`,
    /// where it changed.
    pub fn check(
        self,
        validator: &Validator,
        current: impl FnOnce() -> Value,
    ) -> Result<(), Problem> {
        validator.require(self.0, current)
    }

    /// Whether a check of this state passes.
    pub fn names(&self, validator: &Validator) -> bool {
        validator.check_write(self.0.clone()).is_ok()
    }
}

impl Part for IfMatch {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Ok(Self(Conditions::from(&intake.request)))
    }

    fn describe(operation: &mut Described<'_>) {
        operation.header(
            "If-Match",
            "The ETag of a read, or `*` for whatever is there: 428 without it, 412 with `current` if it changed since",
            &json!({ "type": "string", "examples": ["*"] }),
            true,
        );
        operation.may_refuse(404, "Absent");
        operation.may_refuse(412, "Stale");
        operation.may_refuse(428, "Refused");
    }
}

/// Conditions of a write to an address that may be empty.
impl Part for Conditions {
    async fn take(intake: &mut Intake) -> Result<Self, Problem> {
        Ok(Self::from(&intake.request))
    }

    fn describe(operation: &mut Described<'_>) {
        operation.header(
            "If-Match",
            "The ETag of a read, to change what is there: 428 without it, 412 with `current` if it changed since",
            &json!({ "type": "string" }),
            false,
        );
        operation.header(
            "If-None-Match",
            "`*`, to make something new: 412 with `current` if it is there already",
            &json!({ "type": "string", "examples": ["*"] }),
            false,
        );
        operation.may_refuse(412, "Stale");
        operation.may_refuse(428, "Refused");
    }
}

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// One printable ASCII text of 1 to 255 characters.
pub fn idempotency_key(request: &HttpRequest) -> Result<Option<&str>, NoKey> {
    let mut sent = request.headers().get_all(IDEMPOTENCY_KEY);
    let Some(first) = sent.next() else {
        return Ok(None);
    };
    let text = first.to_str().unwrap_or_default();
    let fits = (1..=255).contains(&text.len()) && text.bytes().all(|b| (0x20..0x7f).contains(&b));
    if fits && sent.next().is_none() {
        Ok(Some(text))
    } else {
        Err(NoKey)
    }
}

impl From<NoKey> for Problem {
    fn from(_: NoKey) -> Self {
        Self::new(Code::InvalidRequest).errors(vec![Fault::new("", Wrong::IdempotencyKey)])
    }
}

impl From<KeyReused> for Problem {
    fn from(_: KeyReused) -> Self {
        Self::new(Code::IdempotencyKeyReused)
            .detail("This Idempotency-Key was sent with another request before: take a new one.")
    }
}
