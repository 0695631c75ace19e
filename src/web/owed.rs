//! Problems of people whose session owes something: a second factor, or a proof of who they are that is recent.

use super::Problem;
use super::codes::Code;
use crate::store::console_sessions::Missing;

const CODE_MISSING: &str = "Send a code of your authenticator app, or a recovery code, to POST /v1/admin/sign-in:complete.";
const CODE_CHALLENGE: &str = r#"Bearer realm="persona-gateway", error="insufficient_user_authentication", error_description="A code of the second factor is missing""#;

const NOT_ENROLLED: &str = "This tenant demands a second factor. Enrol one: POST /v1/admin/second-factor, then /v1/admin/second-factor:confirm.";

const NOT_RECENT: &str = "This wants a sign-in of the last ten minutes. Send your password or a code of your second factor to POST /v1/admin/account:confirm, then repeat the call.";
/// As RFC 9470 has it.
const RECENT_CHALLENGE: &str = r#"Bearer realm="persona-gateway", error="insufficient_user_authentication", error_description="More recent authentication is required", max_age=600"#;

impl Problem {
    /// A session must first do something else.
    pub fn missing(missing: Missing) -> Self {
        match missing {
            Missing::Code => Self::new(Code::SecondFactorRequired)
                .detail(CODE_MISSING)
                .challenged(CODE_CHALLENGE),
            Missing::Enrolment => {
                Self::new(Code::SecondFactorEnrolmentRequired).detail(NOT_ENROLLED)
            }
        }
    }

    /// What is asked for is dangerous, and the last proof of who asks is too old.
    pub fn not_recent() -> Self {
        Self::new(Code::InsufficientUserAuthentication)
            .detail(NOT_RECENT)
            .challenged(RECENT_CHALLENGE)
    }
}
