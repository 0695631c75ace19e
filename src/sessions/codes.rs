//! Stable codes of failures at Anam, in the ledger and in answers alike.

use crate::anam::AnamError;

/// The code of a failure.
pub fn failure_code(error: &AnamError) -> &'static str {
    match error {
        AnamError::ConfigRejected => "persona_config_rejected",
        AnamError::PersonaNotFound { .. } => "persona_not_found",
        AnamError::KeyRefused => "upstream_auth",
        AnamError::Forbidden => "upstream_forbidden",
        AnamError::NoPlan => "upstream_plan",
        AnamError::ConcurrencyReached { .. } => "upstream_concurrency",
        AnamError::SpendCapReached => "upstream_spend_cap",
        AnamError::RateLimited { .. } => "upstream_rate_limited",
        AnamError::Busy { .. } => "upstream_busy",
        AnamError::Unexpected { .. } => "upstream_error",
        AnamError::BadToken(_) => "upstream_bad_token",
        AnamError::Unreachable => "upstream_unreachable",
        AnamError::TimedOut => "upstream_timeout",
    }
}
